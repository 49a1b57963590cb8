/* SPDX-License-Identifier: Apache-2.0 */
/* One signature under way: what op_signature*.c share. */
#ifndef HWK_OP_SIGNATURE_H
#define HWK_OP_SIGNATURE_H

#include "provider/op.h"

/* salt of PSS as asked for; 0 and more is a length in bytes */
#define HWK_SALT_DIGEST (-1)
#define HWK_SALT_AUTO (-2)
#define HWK_SALT_MAX (-3)

#define HWK_MESSAGE_MAX (16u << 20) /* of keys that must see the message */

struct hwk_sig {
    struct hwk_core *core;
    enum hwk_key_type type;
    struct hwk_key *key;
    enum hwk_pad pad;
    enum hwk_md md, mgf1; /* mgf1 NONE: as md */
    int salt;
    bool md_fixed;     /* hashing has begun */
    bool begun, keeps; /* data came, and is kept, not hashed */
    EVP_MD_CTX *hash;
    uint8_t *message; /* of HWK_FOUND_MESSAGE keys */
    size_t message_n, message_room;
    /* what the default provider does instead: soft alone, or soft of soft_md */
    EVP_PKEY_CTX *soft;
    EVP_MD_CTX *soft_md;
};

/* The mechanism as the parameters have it. 1, or 0 with a reason. */
int hwk_sig_mech(const struct hwk_sig *sig, struct hwk_mech *out);

/* The one digest that the key may be used with for this, or NONE; and setting
 * a digest, which 0 with HWK_R_DIGEST refuses. */
enum hwk_md hwk_sig_only_md(const struct hwk_sig *sig);
int hwk_sig_set_md(struct hwk_sig *sig, enum hwk_md md);

OSSL_FUNC_signature_set_ctx_params_fn hwk_sig_set_params;
OSSL_FUNC_signature_settable_ctx_params_fn hwk_sig_settable;
OSSL_FUNC_signature_get_ctx_params_fn hwk_sig_get_params;
OSSL_FUNC_signature_gettable_ctx_params_fn hwk_sig_gettable;

/* The same in the private context (op_signature_soft.c), for keys without a
 * device and for verifying. Each gives 1, or 0 with what is on the queue; room
 * is not looked at when out is NULL and *out_n gets the size. */
typedef int hwk_soft_init_fn(EVP_PKEY_CTX *ctx, const OSSL_PARAM params[]);
int hwk_sig_soft_init(struct hwk_sig *sig, hwk_soft_init_fn *init,
                      const OSSL_PARAM params[]);
typedef int hwk_soft_digest_init_fn(EVP_MD_CTX *ctx, EVP_PKEY_CTX **pctx,
                                    const char *md, OSSL_LIB_CTX *libctx,
                                    const char *props, EVP_PKEY *key,
                                    const OSSL_PARAM params[]);
int hwk_sig_soft_digest_init(struct hwk_sig *sig, hwk_soft_digest_init_fn *init,
                             const char *md, const OSSL_PARAM params[]);
int hwk_sig_soft_sign(struct hwk_sig *sig, uint8_t *out, size_t *out_n,
                      size_t room, const uint8_t *tbs, size_t n);
int hwk_sig_soft_recover(struct hwk_sig *sig, uint8_t *out, size_t *out_n,
                         size_t room, const uint8_t *in, size_t n);
int hwk_sig_soft_digest_sign(struct hwk_sig *sig, uint8_t *out, size_t *out_n,
                             size_t room, const uint8_t *data, size_t n);
int hwk_sig_soft_final(struct hwk_sig *sig, uint8_t *out, size_t *out_n,
                       size_t room);
int hwk_sig_soft_dup(struct hwk_sig *to, const struct hwk_sig *from);
void hwk_sig_soft_end(struct hwk_sig *sig);

#endif
