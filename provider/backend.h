/* SPDX-License-Identifier: Apache-2.0 */
/* One table per kind of device; nothing of TPM or Cryptoki shows here. */
#ifndef HWK_BACKEND_H
#define HWK_BACKEND_H

#include <stdatomic.h>

#include "provider/device.h"
#include "provider/env.h"
#include "provider/err.h"
#include "provider/mech.h"
#include "provider/priv.h"
#include "provider/pub.h"
#include "provider/uri.h"

/* A private key on a device as its backend knows it: enough to find it again
 * after the device forgot it (restart, lost session, fork). Opaque here. */
typedef void hwk_ref;

/* what find may be asked for (bits) */
#define HWK_WANT_PRIVATE 1u
#define HWK_WANT_PUBLIC 2u
#define HWK_WANT_CERT 4u
#define HWK_WANT_ANY 7u
#define HWK_WANT_NAMES                                                         \
    8u /* names will do: of what is visible without asking for a PIN,          \
          found.ref NULL, found.pub only when it is known (type 0 otherwise)   \
        */

/* found.flags */
#define HWK_FOUND_MESSAGE                                                      \
    1u /* signs messages, not digests (restricted TPM                          \
          keys): mech.message is set, found.md says the                        \
          one digest there is */
#define HWK_FOUND_NO_SIGN 2u
#define HWK_FOUND_DECRYPT 4u /* decrypt or derive will do */
#define HWK_FOUND_PSS_DIGEST                                                   \
    8u /* its PSS salts are as long as the digest: what "auto" comes to */

struct hwk_found {
    enum hwk_object_type type;    /* PRIVATE, PUBLIC or CERT */
    char uri[HWK_OBJECT_URI_MAX]; /* finds it again; never a PIN */
    char label[HWK_LABEL_MAX];
    unsigned flags;
    enum hwk_md md;           /* mandatory digest; NONE: any */
    struct hwk_limits limits; /* of private keys */
    struct hwk_pub pub;       /* of keys */
    const uint8_t *der;       /* of certificates, lent for the call */
    size_t der_len;
    hwk_ref *ref; /* of private keys: who keeps it sets this to NULL,
                     otherwise it is released after the callback */
};

/* 1: go on; 0: enough (find still succeeds); -1: find fails */
typedef int hwk_found_fn(void *arg, struct hwk_found *found);
typedef int hwk_device_fn(void *arg, const char *uri, const char *about);

/* What a key is for: bits. */
enum hwk_usage {
    HWK_USAGE_SIGN = 1,
    HWK_USAGE_DECRYPT = 2, /* EC: means DERIVE */
    HWK_USAGE_DERIVE = 4,
    HWK_USAGE_IDEVID = 8,
};

/* the one way in which a TPM key is used, if it is tied to one */
enum hwk_tied {
    HWK_TIED_NOT = 0,
    HWK_TIED_RSASSA,
    HWK_TIED_RSAPSS,
    HWK_TIED_RSAES,
    HWK_TIED_OAEP,
    HWK_TIED_ECDSA,
};

/* What is said of a key in a TPM only; zeroed, nothing is. */
struct hwk_tpm_spec {
    const char *said; /* the name of one of these options, lent; NULL: none */
    enum hwk_md name; /* nameAlg; NONE: SHA-256 */
    enum hwk_tied tied;
    enum hwk_md digest; /* of tied, which alone it implies; NONE: nameAlg */
    bool restricted;    /* signs what the TPM hashed, tied */
    bool lockout;       /* wrong auth values count (noDA is clear) */
    bool rsa_parent;    /* the storage root key of a hierarchy is the RSA one */
    const char *policy; /* lent: a digest in hex, or as tpm2_rule_text.h has
                           it; alone authorizes the use. NULL: none */
    bool auth_too;      /* with a policy: the auth value does, too */
    /* lent, NULL: empty. The key's own (NULL: the PIN of its URI); that of its
     * parent, a hierarchy's where that is one; that of the hierarchy that lets
     * a key be kept at a handle, the owner's or the platform's */
    const struct hwk_secret *auth, *parent_auth, *hierarchy_auth;
};

struct hwk_spec { /* of a key to be made */
    enum hwk_key_type type;
    const struct hwk_curve *curve;  /* EC, ED, X */
    unsigned bits;                  /* RSA: 2048, 3072, 4096 */
    unsigned usage;                 /* HWK_USAGE_* */
    uint64_t exponent;              /* RSA; 0: 65537 */
    struct hwk_pss pss;             /* RSA, for nothing but PSS */
    bool session;                   /* not kept: goes with the last use */
    const struct hwk_private *from; /* not made but brought; lent */
    /* what tokens have and TPMs do not: 0 is what a TPM key is */
    bool extractable, readable; /* CKA_EXTRACTABLE, not CKA_SENSITIVE */
    bool always_auth;           /* the PIN each time */
    struct hwk_tpm_spec tpm;    /* what TPMs have and tokens do not */
};

/* What certify gives. */
struct hwk_attested {
    uint8_t attest[HWK_ATTEST_MAX], sig[HWK_ATTEST_SIGNATURE_MAX],
        pub[HWK_ATTEST_PUBLIC_MAX];
    size_t attest_n, sig_n, pub_n;
};

/* struct hwk_nv_ops of device.h, of a row's state. The hwk_nv's sizes, the
 * steps' number and the lengths of nonce and data (1 to what fits in 16 bits)
 * are checked by the caller. */
struct hwk_backend_nv {
    int (*enter)(void *state);
    void (*leave)(void *state);
    int (*look)(void *state, uint32_t index, struct hwk_nv *out);
    int (*read)(void *state, const struct hwk_nv *nv, uint8_t *out);
    int (*read_last)(void *state, const struct hwk_nv *nv, uint8_t *out);
    int (*peek)(void *state, const struct hwk_nv *nv, uint8_t *out);
    int (*define)(void *state, const struct hwk_nv *nv, uint32_t hierarchy);
    int (*undefine)(void *state, const struct hwk_nv *nv,
                    const struct hwk_nv_by *by);
    int (*write)(void *state, const struct hwk_nv *nv,
                 const struct hwk_nv_by *by, const uint8_t *data, size_t n);
    int (*lock)(void *state, const struct hwk_nv *nv,
                const struct hwk_nv_by *by);
    int (*increment)(void *state, const struct hwk_nv *nv,
                     const struct hwk_nv_by *by);
    int (*certify)(void *state, const struct hwk_uri *key,
                   const struct hwk_pin_ask *pin, const struct hwk_nv *nv,
                   struct hwk_view nonce, struct hwk_attested *out);
    int (*pcr_read)(void *state, uint32_t pcrs, uint8_t out[32]);
    int (*pcr_extend)(void *state, unsigned pcr, const uint8_t digest[32]);
    int (*facts)(void *state, unsigned what, struct hwk_tpm_facts *out);
};

/* struct hwk_devid_ops of device.h, likewise; type and nonce are checked, and
 * what goes into out has room. Of sign, out->sig alone is filled. */
struct hwk_backend_devid {
    int (*create)(void *state, enum hwk_devid what, const char *type,
                  uint32_t cert_index, uint32_t handle, struct hwk_born *out);
    int (*sign)(void *state, const struct hwk_born *key, struct hwk_view digest,
                struct hwk_attested *out);
    int (*certify)(void *state, const struct hwk_born *what,
                   const struct hwk_born *by, struct hwk_view nonce,
                   struct hwk_attested *out);
    int (*certify_creation)(void *state, const struct hwk_born *what,
                            const struct hwk_born *by, struct hwk_view nonce,
                            struct hwk_attested *out);
    int (*activate)(void *state, const struct hwk_born *what,
                    const struct hwk_born *ek, struct hwk_view credential,
                    struct hwk_view secret, uint8_t *out, size_t *n);
    int (*keep)(void *state, const struct hwk_born *key, uint32_t handle);
    int (*drop)(void *state, const struct hwk_born *key);
    int (*set_auth)(void *state, uint32_t hierarchy, struct hwk_view value);
    int (*set_lockout)(void *state, const struct hwk_lockout *to,
                       const struct hwk_view *value);
    int (*indices)(void *state, uint32_t from, uint32_t to, uint32_t *out,
                   size_t *n);
};

/*
 * Rules for every row:
 *  - int functions give 1, or 0 with a reason on the error queue (err.h), and
 *    0 leaves outputs untouched. Success leaves the error queue as it was.
 *  - every function is called from any thread at any time, several at once,
 *    with nothing locked; a row locks for itself, and holds no lock while it
 *    asks for a PIN (hwk_pin_get).
 *  - state is what open gave; it is opened on the first URI of one of the
 *    schemes, never before, and lives until the provider goes.
 *  - a slot marked optional may be NULL.
 */
struct hwk_backend {
    const char *name;               /* "tpm2", "pkcs11" */
    const enum hwk_scheme *schemes; /* ended by 0 */

    /* Prepares: may read cfg (lent for the life of state) and allocate; may
     * leave the device alone until it is needed. */
    int (*open)(const struct hwk_config *cfg, void **state);

    /* The provider is unloaded. exiting: the process is going away too and
     * other libraries' data may be gone: touch no module then; a TPM's
     * transient objects are flushed in either case. Refs are all released
     * before. */
    void (*close)(void *state, bool exiting);

    /* Called in the child of a fork, from a pthread_atfork handler: only
     * marks. No I/O, no allocation, locks may be held by threads that do not
     * exist here: initialise them anew. Optional. */
    void (*forked)(void *state);

    /* Called once before the next use after forked, under the registry's
     * lock: drops what was inherited (leaking it where closing would hurt the
     * parent) and gets ready again. Refs of before stay valid. Optional. */
    int (*renew)(void *state);

    /* Finds what uri names, of the kinds in want (HWK_WANT_*; the URI's own
     * type= narrows it further), and calls each for every one. No such thing:
     * 1 without a call; a device that is not there: 0 with HWK_R_NO_DEVICE.
     * Want PUBLIC without PRIVATE: a key is handed as PUBLIC, without a ref,
     * and no PIN is asked for. Want both: a key with a private half here is
     * handed once, as PRIVATE.
     * pin is asked only when private keys are wanted (or nothing is visible
     * without login); what it gave is kept by the row for signing later.
     * A PIN found wrong is never tried again. found is lent for the call. */
    int (*find)(void *state, const struct hwk_uri *uri, unsigned want,
                const struct hwk_pin_ask *pin, hwk_found_fn *each, void *arg);

    /* Names the devices that uri fits, without a PIN. about is a line that says
     * what it is. Optional: there is but one. */
    int (*devices)(void *state, const struct hwk_uri *uri, hwk_device_fn *each,
                   void *arg);

    /* The key in a key file's DER (PEM label "TSS2 PRIVATE KEY"). Calls each
     * once. Optional. */
    int (*load_blob)(void *state, const uint8_t *der, size_t n,
                     const struct hwk_pin_ask *pin, hwk_found_fn *each,
                     void *arg);

    /* The key file's DER that the key came from or was made as,
     * OPENSSL_malloc'ed in *der, fit for load_blob; NULL when its URI finds it.
     * Optional. */
    int (*blob)(void *state, hwk_ref *ref, uint8_t **der, size_t *n);

    /* Makes a key where uri says. *out as in find, type PRIVATE, ref owned by
     * the caller. An existing key there, or half of one: HWK_R_EXISTS. When it
     * fails, no half of the new one is left. Optional. */
    int (*make)(void *state, const struct hwk_uri *uri,
                const struct hwk_spec *spec, const struct hwk_pin_ask *pin,
                struct hwk_found *out);

    /* Signs in[n]: a digest of mech->md (n is its size), or as mech says. sig
     * gets r||s, each order bytes, for EC, the modulus' size for RSA, and what
     * RFC 8032 has for ED; *sig_n is the room on entry. mech has passed
     * hwk_mech_check. A device that cannot do it: HWK_R_UNSUPPORTED. A lost
     * session is healed once within. */
    int (*sign)(void *state, hwk_ref *ref, const struct hwk_mech *mech,
                const uint8_t *in, size_t n, uint8_t *sig, size_t *sig_n);

    /* Decrypts in[n] (RSA, mech->pad PKCS1, OAEP or NONE). Optional. */
    int (*decrypt)(void *state, hwk_ref *ref, const struct hwk_mech *mech,
                   const uint8_t *in, size_t n, uint8_t *out, size_t *out_n);

    /* ECDH with the uncompressed point peer[n] of the same curve; out gets
     * the x coordinate, field bytes. With an X key: RFC 7748's peer and secret.
     * Optional. */
    int (*derive)(void *state, hwk_ref *ref, const uint8_t *peer, size_t n,
                  uint8_t *out, size_t *out_n);

    /* n random bytes of the device that uri names, of any when it names none.
     * Optional. */
    int (*random)(void *state, const struct hwk_uri *uri, uint8_t *out,
                  size_t n);

    /* Forgets the key: frees what the device keeps loaded for it, even after
     * errors. Refs may be shared by counting inside. Never fails. After a fork
     * it frees memory only. */
    void (*release)(void *state, hwk_ref *ref);

    /* The same again for device.h. uri names the device in dev_open, an object
     * elsewhere; dev is the row's own. pin->prompt outlives dev, pin->uri only
     * the call: copy what is needed. All optional together. */
    int (*dev_open)(void *state, const struct hwk_uri *uri,
                    const struct hwk_pin_ask *pin, void **dev);
    void (*dev_close)(void *state, void *dev);
    int (*dev_info)(void *state, void *dev, struct hwk_device_info *out);
    int (*dev_list)(void *state, void *dev,
                    int (*each)(void *arg, const struct hwk_object_info *),
                    void *arg);
    int (*dev_read)(void *state, void *dev, const struct hwk_uri *uri,
                    uint8_t *out, size_t *n, struct hwk_object_info *info);
    int (*dev_write)(void *state, void *dev, const struct hwk_uri *uri,
                     const uint8_t *data, size_t n, unsigned flags);
    int (*dev_erase)(void *state, void *dev, const struct hwk_uri *uri);

    const struct hwk_backend_nv *nv;       /* NULL: no NV indices */
    const struct hwk_backend_devid *devid; /* NULL: none of these keys */

    /* Optional by itself: there is none. */
    int (*dev_count)(void *state, void *dev, uint64_t *value, bool *was_reset);

    /* again of device.h. Optional. */
    int (*again)(void *state);
};

extern const struct hwk_backend hwk_backend_tpm2;   /* device/tpm2_*.c */
extern const struct hwk_backend hwk_backend_pkcs11; /* device/p11_*.c */

/* Counters behind hwk_stats, for the whole process. */
struct hwk_counters {
    atomic_ullong tpm_commands, tpm_sessions, pkcs11_calls, signatures;
};
extern struct hwk_counters hwk_counters;
#define hwk_count(what)                                                        \
    atomic_fetch_add_explicit(&hwk_counters.what, 1, memory_order_relaxed)

/* --- the registry: who serves which scheme, and in which state it is --- */

/* CLOSED never used; OPEN; STALE a fork was seen, renew comes before the next
 * use; BROKEN open or renew failed, the next use tries again. */
enum hwk_life { HWK_CLOSED, HWK_OPEN, HWK_STALE, HWK_BROKEN };

struct hwk_registry;
struct hwk_device_slot; /* one row and its state, of one provider context */

/* cfg is lent until free. Adds the rows for TPM and token, and that of the
 * tests when hwk_backend_for_tests is set. */
struct hwk_registry *hwk_registry_new(const struct hwk_config *cfg);
void hwk_registry_free(struct hwk_registry *reg, bool exiting);
extern const struct hwk_backend *hwk_backend_for_tests;

/* The row for a scheme, opened and ready, to be given back: until then it stays
 * what it is. NULL with a reason. */
struct hwk_device_slot *hwk_registry_use(struct hwk_registry *reg,
                                         enum hwk_scheme scheme);
/* Once more for a key that stays, which gives it back at its end. */
struct hwk_device_slot *hwk_slot_hold(struct hwk_device_slot *slot);
void hwk_slot_give(struct hwk_device_slot *slot);
/* reach of device.h. */
int hwk_registry_reach(struct hwk_registry *reg, const char *tcti);
/* again of device.h. */
int hwk_registry_again(struct hwk_registry *reg);
/* Ready again, after a fork perhaps; call it before each use of its table. */
int hwk_slot_ready(struct hwk_device_slot *slot);
const struct hwk_config *hwk_registry_config(const struct hwk_registry *reg);
bool hwk_table_serves(const struct hwk_backend *table, enum hwk_scheme scheme);
const struct hwk_backend *hwk_slot_table(const struct hwk_device_slot *slot);
void *hwk_slot_state(const struct hwk_device_slot *slot);

/* The table for device.h; its context is a struct hwk_registry *. */
extern const struct hwk_device_ops hwk_device_ops_table;

#endif
