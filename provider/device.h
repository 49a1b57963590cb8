/* SPDX-License-Identifier: Apache-2.0 */
/* The one door beside EVP: what a TPM or token holds that is not a key. */
#ifndef HWK_DEVICE_H
#define HWK_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The provider hands this table out through OSSL_PROVIDER_get_params(): the
 * parameters below are octet pointers (OSSL_PARAM_OCTET_PTR) to the table and
 * to the provider's context, which is the first argument of open and stats.
 * It is private to this project; version tells an incompatible one apart.
 *
 * Every function that returns int gives 1, or 0 with a reason on OpenSSL's
 * error queue (library "hwkey"), where a device's own code is spelt out.
 * Objects are named by URI, as keys are: pkcs11: (RFC 7512, the attribute
 * type= says cert, data, public or private) and tpm2:handle=0x01... (NV),
 * tpm2:handle=0x81... (keys), handle:0x... for both.
 */
#define HWK_PARAM_DEVICE_OPS "hwkey-device-ops"
#define HWK_PARAM_DEVICE_CTX "hwkey-device-ctx"
#define HWK_DEVICE_OPS_VERSION 1

#define HWK_LABEL_MAX 64
#define HWK_OBJECT_URI_MAX 512

struct hwk_device;

/* Where a PIN comes from when neither the URI, a file nor the environment
 * has it. Fills out (at most max bytes, no NUL needed), sets *n; 0 refuses. */
struct hwk_pin_source {
    int (*get)(void *arg, const char *what, char *out, size_t max, size_t *n);
    void *arg;
};

enum hwk_device_kind { HWK_DEVICE_TPM2 = 1, HWK_DEVICE_PKCS11 };

struct hwk_device_info {
    enum hwk_device_kind kind;
    char maker[HWK_LABEL_MAX]; /* TPM manufacturer / token manufacturerID */
    char model[HWK_LABEL_MAX];
    char label[HWK_LABEL_MAX];  /* token label; "" for a TPM */
    char serial[HWK_LABEL_MAX]; /* token serial; "" for a TPM */
    char firmware[HWK_LABEL_MAX];
    bool in_lockout; /* TPM: dictionary-attack lockout; token: PIN locked */
    size_t nv_max;   /* bytes of the largest object; 0 unknown */
};

enum hwk_object_type {
    HWK_OBJ_PRIVATE = 1, /* a private key */
    HWK_OBJ_PUBLIC,      /* a public key without its private half */
    HWK_OBJ_CERT,        /* an X.509 certificate, DER */
    HWK_OBJ_DATA,        /* other bytes */
    HWK_OBJ_COUNTER,     /* TPM NV counter, 8 bytes big-endian */
};

struct hwk_object_info {
    enum hwk_object_type type;
    char uri[HWK_OBJECT_URI_MAX]; /* finds this object again; never a PIN */
    char label[HWK_LABEL_MAX];
    char algorithm[32];  /* "EC P-256", "RSA 2048"; "" for data */
    size_t size;         /* bytes of a certificate or data */
    uint32_t attributes; /* TPM NV or object attributes as the TPM has them */
    bool write_locked;   /* nobody can write it until it is erased */
    bool never_extractable; /* born here and cannot leave */
};

/* flags of write */
#define HWK_WRITE_NEW 1u /* refuse if an object of that name exists */
#define HWK_WRITE_LOCK                                                         \
    2u /* afterwards nobody can write it until erased: TPM                     \
          WRITEDEFINE + WriteLock, token CKA_MODIFIABLE                        \
          false */

/* --- NV indices as a TPM has them: for who keeps decisions in them --- */

struct hwk_nv {
    uint32_t index, attributes; /* as the TPM has them */
    uint16_t name_alg, size;    /* TPM_ALG_ID; bytes */
    uint16_t policy_n, name_n;
    uint8_t policy[64],
        name[66]; /* authPolicy; Name, computed from the above */
};

/* Calls made to devices by this process since the provider was loaded. */
struct hwk_stats {
    uint64_t tpm_commands; /* every command sent, hidden ones included */
    uint64_t tpm_sessions; /* of these, StartAuthSession */
    uint64_t pkcs11_calls; /* Cryptoki functions called; not those
                              that libp11 calls when it loads a module */
    uint64_t signatures;   /* private-key signatures made */
};

struct hwk_device_ops {
    uint32_t version; /* HWK_DEVICE_OPS_VERSION */

    /* Opens the device that uri names (object attributes in it are ignored).
     * pin may be NULL. For a token it logs in only when an operation needs
     * it. A wrong PIN is named and never tried twice. */
    int (*open)(void *ctx, const char *uri, const struct hwk_pin_source *pin,
                struct hwk_device **out);
    void (*close)(struct hwk_device *dev); /* NULL is fine */

    int (*info)(struct hwk_device *dev, struct hwk_device_info *out);

    /* Calls each for every object visible (for a token: after login when a
     * PIN is at hand); each returns 1 to go on, 0 to stop without error. */
    int (*list)(struct hwk_device *dev,
                int (*each)(void *arg, const struct hwk_object_info *object),
                void *arg);

    /* Reads a certificate or data object whole. *n is the room on entry and
     * the size on success; out NULL asks for the size. info may be NULL.
     * Reason HWK_R_NOT_FOUND when there is no such object. */
    int (*read)(struct hwk_device *dev, const char *uri, uint8_t *out,
                size_t *n, struct hwk_object_info *info);

    /* Creates (or, without HWK_WRITE_NEW, replaces) a certificate or data
     * object, reads it back and compares: 1 means it is there, whole. On
     * failure nothing half-written is left that read would return. */
    int (*write)(struct hwk_device *dev, const char *uri, const uint8_t *data,
                 size_t n, unsigned flags);

    /* Removes the object (key, certificate or data) that uri names exactly.
     * Reason HWK_R_NOT_FOUND when there is none. */
    int (*erase)(struct hwk_device *dev, const char *uri);

    void (*stats)(void *ctx, struct hwk_stats *out);
};

/* Reasons other code must tell apart (ERR_GET_REASON of library "hwkey");
 * err.c has the others. */
enum hwk_public_reason {
    HWK_R_NOT_FOUND = 1,     /* no such object */
    HWK_R_NO_DEVICE = 2,     /* no such token, no TPM */
    HWK_R_PIN_INCORRECT = 3, /* tried once, not again */
    HWK_R_PIN_LOCKED = 4,
    HWK_R_PIN_MISSING = 5, /* needed and nobody gave one */
    HWK_R_BAD_URI = 6,
    HWK_R_EXISTS = 7,  /* HWK_WRITE_NEW and it does */
    HWK_R_LOCKOUT = 8, /* TPM dictionary-attack lockout */
};

/* Key generation, through EVP_PKEY_generate with the key managements "EC",
 * "RSA" and so on and the property provider=hwkey; besides "group", "bits" and
 * the like: (yes/no: UTF-8 "yes", "no", or an integer) */
#define HWK_PARAM_KEY_URI "uri" /* UTF-8: where the key is to be made */
#define HWK_PARAM_KEY_USAGE                                                    \
    "usage" /* UTF-8: "sign" (default), "decrypt", "derive", in a token        \
               several with '+' between; "idevid" (TPM: endorsement primary    \
               from the TCG template, made persistent) */
#define HWK_PARAM_KEY_TOKEN "token" /* no: gone with the last reference */
#define HWK_PARAM_KEY_EXTRACTABLE "extractable" /* yes: may leave, wrapped */
#define HWK_PARAM_KEY_SENSITIVE "sensitive"     /* no: may be read */
#define HWK_PARAM_KEY_ALWAYS_AUTH                                              \
    "always-authenticate" /* yes: the PIN for each use */
#define HWK_PARAM_KEY_IMPORT                                                   \
    "import" /* UTF-8: a file with the private key to be put there instead of  \
                a new one; only where allow-import = yes */
/* Only of keys in a TPM. Auth values are UTF-8 strings as tpm2-tools takes
 * them: the value itself, also as "str:VALUE", "hex:DIGITS", "file:PATH". */
#define HWK_PARAM_KEY_PARENT                                                   \
    "parent" /* UTF-8 or an unsigned integer: as parent= of a URI */
#define HWK_PARAM_KEY_PARENT_TYPE                                              \
    "parent-type" /* UTF-8: "ecc" (default), "rsa": a hierarchy's SRK */
#define HWK_PARAM_KEY_PARENT_AUTH "parent-auth"
#define HWK_PARAM_KEY_HIERARCHY_AUTH                                           \
    "hierarchy-auth" /* lets a key be kept at a handle */
#define HWK_PARAM_KEY_USER_AUTH "user-auth"
#define HWK_PARAM_KEY_NAME_DIGEST                                              \
    "name-digest" /* UTF-8: SHA256 (default), SHA384, SHA512 */
#define HWK_PARAM_KEY_POLICY                                                   \
    "policy" /* UTF-8: as hwkey-provider(7) has it, or a digest in hex */
#define HWK_PARAM_KEY_AUTH_TOO                                                 \
    "policy-or-auth" /* yes: the auth value authorizes, too */
#define HWK_PARAM_KEY_NODA                                                     \
    "noda" /* no: wrong auth values count for the TPM's lockout */
#define HWK_PARAM_KEY_RESTRICTED "restricted" /* yes */
#define HWK_PARAM_KEY_SCHEME                                                   \
    "scheme" /* UTF-8: rsassa, rsapss, rsaes, oaep, ecdsa: nothing else */
/* EVP_PKEY_fromdata with EVP_PKEY_KEYPAIR and "uri" among the values of the key
 * puts it there in the same way. */

/* The provider's entry point, for OSSL_PROVIDER_add_builtin(). */
#include <openssl/core.h>
int hwk_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                      const OSSL_DISPATCH **out, void **ctx);

#endif
