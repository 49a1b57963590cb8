/* SPDX-License-Identifier: Apache-2.0 */
/* A key to be made: what was said of it so far. */
#ifndef HWK_OP_GEN_H
#define HWK_OP_GEN_H

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "provider/op.h"

/*
 * Only at the end is it known whether a device is to make the key (it has a
 * uri) or the default provider (it has none, as any software key). So both
 * follow what is said: the one in spec, where what no device does is noted in
 * unfit, the other in soft, which may refuse at once.
 */
struct hwk_gen {
    struct hwk_core *core;
    struct hwk_spec spec;
    struct hwk_pub kind; /* of an empty key of this type */
    char *uri;           /* may hold a PIN: wiped */
    char *file;          /* import */
    bool params_only;
    const char *device_said; /* a parameter that only devices know; lent */
    bool has_parent;         /* of a key in a TPM */
    uint32_t parent;
    char *policy;
    struct hwk_secret *auth, *parent_auth, *hierarchy_auth; /* of spec.tpm */
    int unfit; /* 0, or why no device makes such a key */
    char unfit_text[80];
    EVP_PKEY_CTX *soft; /* the same in the private context */
    OSSL_CALLBACK *cb;  /* progress */
    void *cb_arg;
};

/* A device makes no such key: an error at once where it is known that one is to
 * (0 then), at the end otherwise (1). */
int hwk_gen_unfit(struct hwk_gen *gen, int reason, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* One option by its name, for gen->spec: 1, or 0 with a reason. */
struct hwk_gen_option {
    const char *name;
    unsigned of; /* which keys have it, HWK_GEN_OF_* */
    int (*set)(struct hwk_gen *gen, const OSSL_PARAM *p);
};
enum {
    HWK_GEN_OF_EC = 1,
    HWK_GEN_OF_RSA = 2,
    HWK_GEN_OF_PSS = 4,
    HWK_GEN_OF_CURVE = 8, /* ED, X */
    HWK_GEN_OF_ANY = 15,
    HWK_GEN_OF_DEVICE = 16, /* no software key has it */
    HWK_GEN_OF_TPM = 32     /* nor one in a token */
};
extern const struct hwk_gen_option hwk_gen_tpm_options[]; /* name NULL ends */

/* A copy, of max bytes at most, instead of *out. */
int hwk_gen_string(const OSSL_PARAM *p, size_t max, char **out);
/* yes, no, on, off, true, false, a number */
int hwk_gen_yesno(const OSSL_PARAM *p, bool *out);
int hwk_gen_digest(struct hwk_gen *gen, const OSSL_PARAM *p, enum hwk_md *out);
/* "digest" of a key that is not for PSS only */
int hwk_gen_tpm_digest(struct hwk_gen *gen, const OSSL_PARAM *p);

/* Puts what was said of a parent into uri, and the auth values into spec.tpm.
 * 0 with a reason when the URI says something else, or is not of a TPM. */
int hwk_gen_tpm_settle(struct hwk_gen *gen, struct hwk_uri *uri);
void hwk_gen_tpm_free(struct hwk_gen *gen);

/* what of a key in a TPM can be set */
#define HWK_GEN_TPM_SETTABLE                                                   \
    OSSL_PARAM_utf8_string(HWK_PARAM_KEY_PARENT, NULL, 0),                     \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_PARENT_TYPE, NULL, 0),            \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_PARENT_AUTH, NULL, 0),            \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_HIERARCHY_AUTH, NULL, 0),         \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_USER_AUTH, NULL, 0),              \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_NAME_DIGEST, NULL, 0),            \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_POLICY, NULL, 0),                 \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_AUTH_TOO, NULL, 0),               \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_NODA, NULL, 0),                   \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_RESTRICTED, NULL, 0),             \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_SCHEME, NULL, 0)
/* the same for a type that has no digest besides */
#define HWK_GEN_TPM_SETTABLE_DIGEST                                            \
    HWK_GEN_TPM_SETTABLE,                                                      \
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_RSA_DIGEST, NULL, 0)

/* what of a key on a device, of every type, can be set */
#define HWK_GEN_SETTABLE                                                       \
    OSSL_PARAM_utf8_string(HWK_PARAM_KEY_URI, NULL, 0),                        \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_USAGE, NULL, 0),                  \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_TOKEN, NULL, 0),                  \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_EXTRACTABLE, NULL, 0),            \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_SENSITIVE, NULL, 0),              \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_ALWAYS_AUTH, NULL, 0),            \
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_IMPORT, NULL, 0)

#endif
