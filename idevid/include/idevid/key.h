/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and certificates by URI, and the device beside them. */
#ifndef IDEVID_KEY_H
#define IDEVID_KEY_H

#include <openssl/core.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <idevid/buf.h>

/* How the built-in provider finds its devices; NULL leaves a setting to what
 * the provider does by itself. Strings are copied. */
struct idv_provider_conf {
    const char *pkcs11_module;    /* path of the Cryptoki library */
    const char *tpm2_tcti;        /* "device:/dev/tpmrm0", "swtpm:port=..." */
    const char *pin_file;         /* of the token; private to its owner */
    const char *owner_pin_file;   /* the same for the TPM's owner hierarchy */
    const char *lockout_pin_file; /* and for its lockout hierarchy */
    const char *salt_key; /* whom the TPM is known by: hwkey-provider(7) */
};

/*
 * Makes keys in devices usable in this process: loads "default", then hwkey,
 * built in as hwkey_init (hwk_provider_init), or from the module hwkey.so when
 * that is NULL. Once, before anything else uses libcrypto; conf may be NULL and
 * only reaches a built-in one. IDV_E_DEVICE: no hwkey; IDV_E_STATE: called
 * before, with whatever outcome.
 */
idv_rc idv_provider_setup(OSSL_provider_init_fn *hwkey_init,
                          const struct idv_provider_conf *conf) IDV_CHECKED;

/* Asked for a PIN when URI, file and environment have none: fills out (at
 * most max bytes, no NUL), sets *n; false refuses. what names the token. */
struct idv_pin {
    bool (*get)(void *arg, const char *what, char *out, size_t max, size_t *n);
    void *arg;
};

/*
 * Opens a private key. A URI of a device scheme (pkcs11:, tpm2:, handle:,
 * object:) goes to the provider "hwkey" only, so a file of that name is never
 * looked at; anything else is the path of a PEM or DER file ("file:" allowed),
 * which may be one of hwkey's wrapper files. pin may be NULL.
 * IDV_E_ARG: unknown scheme or malformed URI; IDV_E_DEVICE: no such token,
 * TPM or object, wrong PIN (tried once); IDV_E_FORMAT: no key in that file;
 * IDV_E_IO: cannot be read.
 */
idv_rc idv_key_open(const char *uri, const struct idv_pin *pin,
                    EVP_PKEY **out) IDV_CHECKED;

/* The same for the first certificate / for all certificates (at most
 * IDV_MAX_CHAIN) that uri or file holds: a device's leaf first, a file's in its
 * order. *out is the caller's. */
idv_rc idv_cert_open(const char *uri, const struct idv_pin *pin,
                     X509 **out) IDV_CHECKED;
idv_rc idv_certs_open(const char *uri, const struct idv_pin *pin,
                      STACK_OF(X509) * *out) IDV_CHECKED;

/* True when uri has a device scheme. */
bool idv_uri_is_device(const char *uri);

enum idv_key_type {
    IDV_KEY_P256,
    IDV_KEY_P384,
    IDV_KEY_P521,
    IDV_KEY_RSA2048,
    IDV_KEY_RSA3072,
};
/* "P-256", "P-384", "P-521", "RSA-2048", "RSA-3072"; IDV_E_ARG otherwise */
idv_rc idv_key_type_from_text(const char *text,
                              enum idv_key_type *out) IDV_CHECKED;
const char *idv_key_type_to_text(enum idv_key_type type);

enum idv_key_usage { IDV_KEY_SIGN, IDV_KEY_IDEVID };

/*
 * Makes a key inside the device uri names; it can never leave. The URI must
 * not name an existing key (IDV_E_STATE). The key stays there: undo with
 * idv_device_erase. IDV_KEY_IDEVID on a TPM: the TCG template's primary.
 */
idv_rc idv_key_make(const char *uri, const struct idv_pin *pin,
                    enum idv_key_type type, enum idv_key_usage usage,
                    EVP_PKEY **out) IDV_CHECKED;

/*
 * Makes a signing key of the TPM that lives in a file instead of at a handle:
 * path (new, or replaced whole; mode 0600) holds it encrypted by the TPM, which
 * alone can use it ("TSS2 PRIVATE KEY"). Undo with idv_fs_remove. policy says
 * what the TPM must find true at every use, in the words of hwkey-provider(7);
 * it goes into the file as well, so that nobody else has to be told. NULL:
 * none, the file is enough. IDV_E_DEVICE: the TPM refuses, or policy is not
 * understood; nothing was written then.
 */
idv_rc idv_key_make_file(const char *path, enum idv_key_type type,
                         const char *policy, EVP_PKEY **out) IDV_CHECKED;
/* Its URI: "tpm2:object=" and the path, with %xx where it has to be. */
#define IDV_KEY_URI_SIZE 512
idv_rc idv_key_file_uri(const char *path,
                        char out[static IDV_KEY_URI_SIZE]) IDV_CHECKED;

/*
 * Appends a PEM file (label "HWKEY URI", a DER SEQUENCE of the UTF8Strings
 * version and uri) that hwkey reads as the key itself, for programs that only
 * take files. The key is not looked for. IDV_E_ARG: no device URI, or one with
 * a PIN in it.
 */
idv_rc idv_key_wrap(const char *uri, struct idv_buf *out) IDV_CHECKED;

/* SHA-256 of the SubjectPublicKeyInfo. */
idv_rc idv_key_fingerprint(const EVP_PKEY *key,
                           uint8_t out[static 32]) IDV_CHECKED;

/* --- the device itself: what provider/device.h offers, with our errors --- */

struct idv_device;

struct idv_device_info {
    bool tpm; /* otherwise a PKCS#11 token */
    char maker[64], model[64], label[64], serial[64], firmware[64];
    bool in_lockout;
    size_t nv_max;
};

enum idv_object_type {
    IDV_OBJ_PRIVATE = 1,
    IDV_OBJ_PUBLIC,
    IDV_OBJ_CERT,
    IDV_OBJ_DATA,
    IDV_OBJ_COUNTER,
};

struct idv_object {
    enum idv_object_type type;
    char uri[512]; /* finds it again; never a PIN */
    char label[64];
    char algorithm[32];
    size_t size;
    uint32_t attributes;
    bool write_locked, never_extractable;
    /* of tokens, and only from idv_device_inspect: seen after a login only;
     * gone with the session that made it; nobody can erase it */
    bool hidden, fleeting, kept;
};

idv_rc idv_device_open(const char *uri, const struct idv_pin *pin,
                       struct idv_device **out) IDV_CHECKED;
void idv_device_close(struct idv_device *dev);
idv_rc idv_device_info(struct idv_device *dev,
                       struct idv_device_info *out) IDV_CHECKED;
idv_rc idv_device_list(struct idv_device *dev,
                       bool (*each)(void *arg, const struct idv_object *o),
                       void *arg) IDV_CHECKED;

/* Reads a certificate or data object whole. *found says whether it is there:
 * absence is not a failure. */
idv_rc idv_device_read(struct idv_device *dev, const char *uri, bool *found,
                       struct idv_buf *out) IDV_CHECKED;

/* The same, and with what attributes, as the device has them now. Nobody logs
 * in to a token for it: a private object counts only when somebody has. */
idv_rc idv_device_inspect(struct idv_device *dev, const char *uri, bool *found,
                          struct idv_object *object,
                          struct idv_buf *out) IDV_CHECKED;

#define IDV_WRITE_NEW 1u  /* IDV_E_STATE if it exists */
#define IDV_WRITE_LOCK 2u /* nobody can write it until it is erased */
/* Of tokens: nobody can erase it, where the token has such a thing (kept of
 * struct idv_object says); written by the security officer, whose PIN the URI
 * has or idv_pin is asked for. */
#define IDV_WRITE_KEEP 4u
#define IDV_WRITE_SO 8u
#define IDV_WRITE_BLIND                                                        \
    16u /* TPM: not read back, nor looked at before with IDV_WRITE_NEW: for    \
           who reads it later */
/* Writes, reads back, compares: IDV_OK means it is there, whole; with
 * IDV_WRITE_BLIND, that the TPM said so. */
idv_rc idv_device_write(struct idv_device *dev, const char *uri,
                        struct idv_bytes data, unsigned flags) IDV_CHECKED;
/* Removes a key, certificate or data object; absence is not a failure. */
idv_rc idv_device_erase(struct idv_device *dev, const char *uri) IDV_CHECKED;

/* How a TPM is set up. */
struct idv_tpm_facts {
    bool owner_value_set, lockout_value_set; /* of these hierarchies */
    bool in_lockout;                         /* dictionary-attack lockout */
    bool platform_enabled;                   /* that hierarchy is in use */
    uint32_t reset_count;                    /* starts of the TPM */
    uint32_t failures, max_failures;         /* wrong values before lockout */
    uint32_t recovery_s; /* until one of them is forgotten */
};
/* IDV_E_DEVICE on a token, too. */
idv_rc idv_tpm_facts(struct idv_device *dev,
                     struct idv_tpm_facts *out) IDV_CHECKED;

/* A token's monotonic counter: greater at each call. *offered false: none, as
 * in a TPM, whose counters are NV indices. was_reset: it began anew once. */
idv_rc idv_device_count(struct idv_device *dev, bool *offered, uint64_t *value,
                        bool *was_reset) IDV_CHECKED;

/*
 * For a process that serves one device after another: from now on tpm2: is the
 * TPM that tcti reaches, NULL: that of the configuration. All that is known of
 * the one before is forgotten, and its connection closed, also where tcti is
 * the same: another TPM may stand behind it. Nothing is sent to the new one.
 * IDV_E_STATE: a key or device of it is open still, and nothing was changed.
 */
idv_rc idv_tpm_reach(const char *tcti) IDV_CHECKED;

/* For a process with one thread that waits for a token: PKCS#11 modules look
 * for tokens anew, those too that look at their beginning only. Open keys and
 * devices stay so. IDV_E_STATE: one is being used; its module did not. */
idv_rc idv_tokens_again(void) IDV_CHECKED;

struct idv_device_stats {
    uint64_t tpm_commands, pkcs11_calls, signatures;
};
/* Calls to devices made by this process; zeroes without the provider. */
void idv_device_stats(struct idv_device_stats *out);

#endif
