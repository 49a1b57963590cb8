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
    bool verifying, md_fixed; /* md_fixed: hashing has begun */
    bool begun, keeps;        /* data came, and is kept, not hashed */
    EVP_MD_CTX *hash;
    uint8_t *message; /* of HWK_FOUND_MESSAGE keys */
    size_t message_n, message_room;
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

/* Verifies tbs[n] (a digest, or as the padding wants it) with the public half
 * in the private context. */
int hwk_sig_verify_soft(struct hwk_sig *sig, const uint8_t *der, size_t der_n,
                        const uint8_t *tbs, size_t n);
/* RSA PKCS#1: what was signed, out of the signature. */
int hwk_sig_recover_soft(struct hwk_sig *sig, uint8_t *out, size_t *out_n,
                         size_t room, const uint8_t *in, size_t n);

#endif
