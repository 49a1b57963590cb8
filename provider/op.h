/* SPDX-License-Identifier: Apache-2.0 */
/* The operations offered to libcrypto, one file each. */
#ifndef HWK_OP_H
#define HWK_OP_H

#include "provider/core.h"
#include "provider/key.h"

extern const OSSL_DISPATCH hwk_keymgmt_ec[];
extern const OSSL_DISPATCH hwk_keymgmt_rsa[];
extern const OSSL_DISPATCH hwk_keymgmt_rsapss[];
extern const OSSL_DISPATCH hwk_keymgmt_ed25519[];
extern const OSSL_DISPATCH hwk_keymgmt_ed448[];
extern const OSSL_DISPATCH hwk_keymgmt_x25519[];
extern const OSSL_DISPATCH hwk_keymgmt_x448[];
extern const OSSL_DISPATCH hwk_signature_ec[];
extern const OSSL_DISPATCH hwk_signature_rsa[];
extern const OSSL_DISPATCH hwk_signature_ed25519[];
extern const OSSL_DISPATCH hwk_signature_ed448[];
extern const OSSL_DISPATCH hwk_asymcipher_rsa[];
extern const OSSL_DISPATCH hwk_keyexch_ec[];
extern const OSSL_DISPATCH hwk_keyexch_x[];
extern const OSSL_DISPATCH hwk_rand[];
extern const OSSL_DISPATCH hwk_store[];
extern const OSSL_DISPATCH hwk_decoder[];     /* PEM of ours -> a key */
extern const OSSL_DISPATCH hwk_decoder_der[]; /* DER of ours -> a key */
extern const OSSL_DISPATCH hwk_encoder[];     /* the PEM of ours */
extern const OSSL_DISPATCH hwk_encoder_der[]; /* the DER of ours */
extern const OSSL_DISPATCH hwk_encoder_as_text[];
extern const OSSL_DISPATCH hwk_encoder_spki_der[];
extern const OSSL_DISPATCH hwk_encoder_spki_pem[];
extern const OSSL_DISPATCH hwk_encoder_encrypted_der[];
extern const OSSL_DISPATCH hwk_encoder_encrypted_pem[];
extern const OSSL_DISPATCH hwk_encoder_type_der[];
extern const OSSL_DISPATCH hwk_encoder_type_pem[];
extern const OSSL_DISPATCH hwk_encoder_pkcs1_der[];
extern const OSSL_DISPATCH hwk_encoder_pkcs1_pem[];
extern const OSSL_DISPATCH hwk_encoder_blob[];

/* How libcrypto carries a key from our store or decoder to our key management,
 * as a reference: load takes the key out, so who gave it frees what is left.
 * It is no mere pointer, as it is with other providers: libcrypto 3.0 may show
 * it to the key management of another one, which then refuses it by its size.
 */
struct hwk_handover {
    struct hwk_key *key;
    const void *ours;
};
struct hwk_handover hwk_handover(struct hwk_key *key);
/* The key of a reference, lent; NULL when it is not one of ours. */
struct hwk_key *hwk_handover_key(const void *reference, size_t size);

/* The wrapper of a URI: SEQUENCE { UTF8String version, UTF8String uri }, or the
 * other kind (wrapper.c). The uri is copied to out, NUL-terminated. 1, or 0
 * with HWK_R_FORMAT. */
#define HWK_WRAPPER_VERSION "1.0"
int hwk_wrapper_parse(const uint8_t *der, size_t n,
                      char out[static HWK_URI_MAX + 1]);
/* Do the first bytes, 64 at least or all, look like one of the two? */
bool hwk_wrapper_is(const uint8_t *der, size_t n);
/* The inverse. *n is the room on entry, the length on success. */
#define HWK_WRAPPER_MAX (HWK_URI_MAX + 32)
int hwk_wrapper_build(const char *uri, uint8_t *out, size_t *n);

/* What all key managements share. */
OSSL_FUNC_keymgmt_free_fn hwk_keymgmt_free;
OSSL_FUNC_keymgmt_load_fn hwk_keymgmt_load;
OSSL_FUNC_keymgmt_has_fn hwk_keymgmt_has;
OSSL_FUNC_keymgmt_match_fn hwk_keymgmt_match;
OSSL_FUNC_keymgmt_validate_fn hwk_keymgmt_validate;
OSSL_FUNC_keymgmt_import_fn hwk_keymgmt_import;
OSSL_FUNC_keymgmt_export_fn hwk_keymgmt_export;
OSSL_FUNC_keymgmt_dup_fn hwk_keymgmt_dup;
/* of a key without a device, which may become a software key by that */
OSSL_FUNC_keymgmt_set_params_fn hwk_keymgmt_set_params;
int hwk_keymgmt_common_params(const struct hwk_key *key, OSSL_PARAM params[]);
/* what nobody here knows is asked of the public half in software */
int hwk_keymgmt_soft_params(struct hwk_key *key, OSSL_PARAM params[]);

/* Making keys: the context keeps what set_params said until gen. kind: the
 * type, the curve where a type has but one, and whether it is for PSS only. */
struct hwk_gen;
struct hwk_gen *hwk_gen_new(struct hwk_core *core, const struct hwk_pub *kind,
                            int selection, const OSSL_PARAM params[]);
OSSL_FUNC_keymgmt_gen_set_template_fn hwk_gen_template;
OSSL_FUNC_keymgmt_gen_set_params_fn hwk_gen_set_params;
OSSL_FUNC_keymgmt_gen_fn hwk_gen_run;
OSSL_FUNC_keymgmt_gen_cleanup_fn hwk_gen_free;
/* The first of params that says something of a key on a device only, or NULL:
 * who says it means one, and has to say where it is. */
const char *hwk_gen_device_said(const OSSL_PARAM params[]);
/* The private key of params is put where their "uri" says; into, which is
 * empty, is that key afterwards. */
int hwk_gen_import(struct hwk_key *into, const OSSL_PARAM params[]);

/* what a key management's table has for it, besides GEN_INIT */
#define HWK_GEN(F, settable)                                                   \
    F(GEN_SET_TEMPLATE, hwk_gen_template),                                     \
        F(GEN_SET_PARAMS, hwk_gen_set_params),                                 \
        F(GEN_SETTABLE_PARAMS, settable), F(GEN, hwk_gen_run),                 \
        F(GEN_CLEANUP, hwk_gen_free)

#endif
