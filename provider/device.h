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
#define HWK_DEVICE_OPS_VERSION 5

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
    /* of tokens, as the object says now; filled by read, false in a list: */
    bool hidden;   /* CKA_PRIVATE: seen after a login only */
    bool fleeting; /* not CKA_TOKEN: gone with the session that made it */
    bool kept;     /* not CKA_DESTROYABLE: nobody can erase it */
};

/* flags of write */
#define HWK_WRITE_NEW 1u /* refuse if an object of that name exists */
#define HWK_WRITE_LOCK                                                         \
    2u /* afterwards nobody can write it until erased: TPM                     \
          WRITEDEFINE + WriteLock, token CKA_MODIFIABLE                        \
          false */
#define HWK_WRITE_KEEP                                                         \
    4u /* afterwards nobody can erase it, where a token has such a thing       \
          (CKA_DESTROYABLE false; "kept" says whether it took it); what reads  \
          back differently then cannot be taken away again. TPM: refused */
#define HWK_WRITE_SO                                                           \
    8u /* by the security officer of a token: the PIN of the URI, or asked     \
          for, is his. No other thread uses the token meanwhile. TPM:          \
          refused */

#define HWK_WRITE_BLIND                                                        \
    16u /* TPM: not read back, for who reads it later (a self test): each      \
           write is taken for done when the TPM says so. With HWK_WRITE_NEW    \
           nothing is looked at before, either: NV_DefineSpace and NV_Writes,  \
           and NV_WriteLock with HWK_WRITE_LOCK; otherwise NV_ReadPublic, and  \
           NV_Reads of what is there or was written, besides, and a            \
           GetCapability before the first of more than 512 bytes. Token: reads \
           it back all the same */

/* Calls made to devices by this process since the provider was loaded. */
struct hwk_stats {
    uint64_t tpm_commands; /* every command sent, hidden ones included */
    uint64_t tpm_sessions; /* of these, StartAuthSession */
    uint64_t pkcs11_calls; /* Cryptoki functions called; not those
                              that libp11 calls when it loads a module */
    uint64_t signatures;   /* private-key signatures made */
};

/* --- NV indices as a TPM has them: for who keeps decisions in them --- */

/* A public area. Where it is an argument, it is what look gave, or gives now:
 * the first write sets TPMA_NV_WRITTEN, a lock TPMA_NV_WRITELOCKED, and either
 * changes the Name. The Name is then computed from the rest, name not read. */
struct hwk_nv {
    uint32_t index, attributes; /* TPMA_NV */
    uint16_t name_alg, size;    /* TPM_ALG_ID; bytes */
    uint16_t policy_n, name_n;
    uint8_t policy[64],
        name[66]; /* authPolicy; Name, computed from the above */
};

struct hwk_view {
    const uint8_t *p;
    size_t n;
};

/* A policy command; which members count is said by code (TPM_CC): that of
 * PolicyNV, PolicyPCR, PolicyOR, PolicyCommandCode, PolicyCpHash, PolicySecret,
 * PolicyAuthorize. PolicyNV reads the index with its empty value. */
struct hwk_policy_step {
    uint32_t code;
    uint32_t handle;  /* PolicyNV: the index; PolicySecret: TPM_RH_ */
    uint32_t pcrs;    /* PolicyPCR: bit n is PCR n of the SHA-256 bank, with the
                         value that it has now */
    uint32_t command; /* PolicyCommandCode: TPM_CC */
    uint16_t op, offset;         /* PolicyNV: TPM_EO */
    struct hwk_view operand;     /* PolicyNV; PolicyCpHash: the digest;
                                    PolicyAuthorize: the approved policy */
    struct hwk_view branches[8]; /* PolicyOR: 2 to 8 digests */
    size_t branches_n;
    struct hwk_view key, ref, signature; /* PolicyAuthorize:
        SubjectPublicKeyInfo as DER; policyRef; signature over SHA-256(approved
        policy || policyRef), ECDSA as DER or RSA PKCS#1 v1.5 */
};

#define HWK_NV_STEPS 16 /* at most */

/* Who authorises: a hierarchy (TPM_RH_OWNER, TPM_RH_PLATFORM; its value is that
 * of pin-source.owner or .platform, else empty), or, handle 0, the index
 * itself: by these steps, or with its empty value when n is 0. */
struct hwk_nv_by {
    uint32_t handle;
    const struct hwk_policy_step *steps;
    size_t n;
};

/* What is asked for (bits), a command each; the rest is 0. */
#define HWK_FACTS_STATE 1u /* all but the two counts of the clock */
#define HWK_FACTS_CLOCK 2u /* the two counts */
struct hwk_tpm_facts {
    bool owner_auth_set, lockout_auth_set, in_lockout, platform_enabled;
    uint32_t reset_count, restart_count; /* TPMS_CLOCK_INFO */
    uint32_t lockout_counter, max_tries, recovery_s, lockout_recovery_s;
    bool owner_auth_known, lockout_auth_known; /* pin-source.owner, .lockout
        are configured; whether they are right only a try would show */
};

/* Room that is always enough for certify. */
#define HWK_ATTEST_MAX 2560
#define HWK_ATTEST_SIGNATURE_MAX 640
#define HWK_ATTEST_PUBLIC_MAX 1024

/*
 * Every call is for a device opened with a tpm2: URI; HWK_R_UNSUPPORTED on a
 * token. What any may fail with: HWK_R_NO_DEVICE, HWK_R_BUS (an answer that was
 * not the TPM's, or a public area that is not what the TPM has: the index was
 * changed, or somebody between us and the TPM lies), HWK_R_LOCKOUT,
 * HWK_R_NOT_FOUND (no such index), HWK_R_AUTH (the value of a hierarchy or an
 * index is wrong, the text names it; it was tried once), HWK_R_POLICY (a step,
 * or the session for the command, was refused; the text says which).
 */
struct hwk_nv_ops {
    /* From enter to leave the TPM is ours (one turn; other threads and, where
     * there is no resource manager, other processes wait: seconds, not minutes)
     * and all share their sessions. May be left out, and nest. Calls in between
     * come from the same thread; keys may be used by it, too. The child of a
     * fork in between has no turn: it waits for its own like any process, and
     * leave does nothing there. */
    int (*enter)(struct hwk_device *dev);
    void (*leave)(struct hwk_device *dev);

    /* NV_ReadPublic. HWK_R_NOT_FOUND when there is none. Nobody vouches for the
     * answer before read (or certify) proves it. */
    int (*look)(struct hwk_device *dev, uint32_t index, struct hwk_nv *out);

    /* All nv->size bytes, with the index's empty value where that may read it,
     * else the owner's, else the platform's. Always in a salted session, whose
     * HMAC proves the bytes and nv (its Name is in it): HWK_R_UNSUPPORTED
     * where the configuration forbids those (tpm-sessions = never).
     * HWK_R_NOT_FOUND, without a command, when it was never written. */
    int (*read)(struct hwk_device *dev, const struct hwk_nv *nv, uint8_t *out);
    /* The same, and the last that a turn needs its session for: where that is
     * not kept for later turns, the TPM ends it with the answer, which saves a
     * command. Who goes on all the same has another one. */
    int (*read_last)(struct hwk_device *dev, const struct hwk_nv *nv,
                     uint8_t *out);

    /* The same for what proves itself, as a certificate that is compared or
     * verified does: nobody vouches for the bytes, or for nv. Where the index's
     * own empty value reads it and the configuration lets commands go without
     * one (tpm-sessions), it takes no session, NV_Reads alone; elsewhere it is
     * read. */
    int (*peek)(struct hwk_device *dev, const struct hwk_nv *nv, uint8_t *out);

    /* With an empty value. HWK_R_EXISTS, HWK_R_NV_FULL. */
    int (*define)(struct hwk_device *dev, const struct hwk_nv *nv,
                  uint32_t hierarchy);

    /* By a hierarchy; with TPMA_NV_POLICY_DELETE by platform and steps
     * (NV_UndefineSpaceSpecial; by->handle is TPM_RH_PLATFORM). */
    int (*undefine)(struct hwk_device *dev, const struct hwk_nv *nv,
                    const struct hwk_nv_by *by);

    /* One NV_Write at offset 0; the data is nobody else's to see or alter where
     * steps authorise it (salted policy session). Only by a hierarchy, and of
     * more than the TPM takes at once, several: the first bytes come last. */
    int (*write)(struct hwk_device *dev, const struct hwk_nv *nv,
                 const struct hwk_nv_by *by, const uint8_t *data, size_t n);
    int (*lock)(struct hwk_device *dev, const struct hwk_nv *nv,
                const struct hwk_nv_by *by); /* NV_WriteLock */
    int (*increment)(struct hwk_device *dev, const struct hwk_nv *nv,
                     const struct hwk_nv_by *by);

    /* NV_Certify of all bytes by the key that key_uri names (any of a TPM's,
     * with the scheme it has) over nonce, 1 to 64 bytes. attest: TPMS_ATTEST,
     * checked to be about this nonce, Name and size; sig: ECDSA as DER, RSA as
     * it is; pub: TPMT_PUBLIC of the key. Each *n is the room on entry.
     * HWK_R_KEY for a key that is not a restricted signing key. */
    int (*certify)(struct hwk_device *dev, const char *key_uri,
                   const struct hwk_nv *nv, const uint8_t *nonce, size_t n,
                   uint8_t *attest, size_t *attest_n, uint8_t *sig,
                   size_t *sig_n, uint8_t *pub, size_t *pub_n);

    /* SHA-256 over the values of these PCRs (bits, SHA-256 bank), in ascending
     * order, as PolicyPCR has it. */
    int (*pcr_read)(struct hwk_device *dev, uint32_t pcrs, uint8_t out[32]);
    int (*pcr_extend)(struct hwk_device *dev, unsigned pcr,
                      const uint8_t digest[32]); /* SHA-256 bank */

    int (*facts)(struct hwk_device *dev, unsigned what,
                 struct hwk_tpm_facts *out);
};

/* --- the making of device identities: for a factory --- */

enum hwk_devid { HWK_DEVID_EK, HWK_DEVID_IAK, HWK_DEVID_IDEVID };

/* A primary key of the endorsement hierarchy that is loaded now, until drop or
 * the end of the turn. */
struct hwk_born {
    enum hwk_devid what;
    uint32_t handle; /* transient, or persistent where it was found */
    uint8_t pub[HWK_ATTEST_PUBLIC_MAX]; /* TPMT_PUBLIC */
    size_t pub_n;
    uint8_t name[66];
    uint16_t name_n;
    bool fresh;           /* made now: creation and ticket are filled */
    uint8_t creation[64]; /* creationHash */
    uint16_t creation_n;
    uint8_t ticket[128]; /* TPMT_TK_CREATION, marshalled */
    uint16_t ticket_n;
};

struct hwk_lockout {
    uint32_t max_tries, recovery_s, lockout_recovery_s;
};

/*
 * As struct hwk_nv_ops: of a TPM only, the same failures. What takes or gives a
 * key is within one turn of its enter and leave (HWK_R_UNSUPPORTED otherwise;
 * HWK_R_NO_DEVICE once the line was lost, and what was loaded with it); leave
 * flushes what is loaded. The other calls may stand alone. The values of the
 * hierarchies are those of pin-source.endorsement, .owner, .lockout and so on,
 * else empty; one that is wrong is HWK_R_AUTH, and tried once.
 *
 * Commands of each call, with empty values and without a resource manager
 * (which keeps sessions and spares some of these); each algorithm's first use
 * since the TPM was started may cost one more, sent again after its self test:
 *
 *   create            1   for an EK and its template index 1 more, and the low
 *                         range's nonce index 1 more, unless indices said in
 *                         this turn that they are not there (what is there is
 *                         read: 2 and more); 1 more to look at handle, which is
 *                         all where the key is there
 *   sign              1
 *   certify           5   StartAuthSession, PolicySecret, PolicyCommandCode,
 *                         PolicyOR, Certify
 *   certify_creation  1
 *   activate          7   the same four, StartAuthSession and PolicySecret for
 *                         an EK of the low range (the high range's is used by
 *                         its empty value: 2 less), ActivateCredential; 1 less
 *                         after certify of a key with the same hash, whose
 *                         session it takes over
 *   keep, drop        1   and leave 1 for each key that is still loaded
 *   set_auth          2   StartAuthSession; salted with the EK that is loaded,
 *                         otherwise as in other calls (tpm-sessions); the
 *                         session then serves all of the turn, 1 for its end
 *   set_lockout       1   with the empty value; else as set_auth
 *   indices           1   for each 64
 *
 * The session that brings the activated secret is salted with the EK, which is
 * there anyway and is what the certificate vouches for. Nothing else here is
 * secret but what set_auth sends: the other policy sessions carry public keys,
 * attestations that the TPM signs and credentials that only it can open, so
 * that who alters them gets a refusal.
 */
struct hwk_devid_ops {
    /* Makes the key of TCG's template. type: "P-256", "P-384", "P-521",
     * "RSA-2048"; of an EK by the NV index of its certificate alone, type NULL
     * will do (its template index is read when there is one, or its nonce;
     * cert_index 0: by type, in the low range where that has it). A key at a
     * persistent handle with that template's attributes and policy is taken
     * where handle is not 0 and it is there (fresh false).
     * HWK_R_UNSUPPORTED: no such template, or this TPM makes no such key. */
    int (*create)(struct hwk_device *dev, enum hwk_devid what, const char *type,
                  uint32_t cert_index, uint32_t handle, struct hwk_born *out);
    /* A digest (the hash of the key's nameAlg) by an unrestricted key: ECDSA as
     * DER, RSA PKCS#1 v1.5. One command. */
    int (*sign)(struct hwk_device *dev, const struct hwk_born *key,
                const uint8_t *digest, size_t n, uint8_t *sig, size_t *sig_n);
    /* TPM2_Certify of what by the restricted key by, what's ADMIN role by the
     * branch of its policy for that command. Output as of hwk_nv_ops.certify,
     * checked to be about this nonce and Name. */
    int (*certify)(struct hwk_device *dev, const struct hwk_born *what,
                   const struct hwk_born *by, const uint8_t *nonce, size_t n,
                   uint8_t *attest, size_t *attest_n, uint8_t *sig,
                   size_t *sig_n);
    /* TPM2_CertifyCreation: what must be fresh. One command. */
    int (*certify_creation)(struct hwk_device *dev, const struct hwk_born *what,
                            const struct hwk_born *by, const uint8_t *nonce,
                            size_t n, uint8_t *attest, size_t *attest_n,
                            uint8_t *sig, size_t *sig_n);
    /* TPM2_ActivateCredential: credential TPM2B_ID_OBJECT, secret
     * TPM2B_ENCRYPTED_SECRET, as bytes with their sizes in front. HWK_R_KEY:
     * they are not for this EK and this key. *n: room, then size. */
    int (*activate)(struct hwk_device *dev, const struct hwk_born *what,
                    const struct hwk_born *ek, const uint8_t *credential,
                    size_t credential_n, const uint8_t *secret, size_t secret_n,
                    uint8_t *out, size_t *n);
    /* EvictControl, by the owner, to a handle from 0x81000000 to 0x817fffff
     * that is free (HWK_R_EXISTS), or, key NULL, the key there is taken away
     * (HWK_R_NOT_FOUND). The key stays loaded besides. */
    int (*keep)(struct hwk_device *dev, const struct hwk_born *key,
                uint32_t handle);
    int (*drop)(struct hwk_device *dev,
                struct hwk_born *key); /* FlushContext */
    /* HierarchyChangeAuth: TPM_RH_LOCKOUT, _OWNER, _ENDORSEMENT, _PLATFORM,
     * from its configured (pin-source) or empty value; encrypted on its way
     * (HWK_R_UNSUPPORTED with tpm-sessions = never). */
    int (*set_auth)(struct hwk_device *dev, uint32_t hierarchy,
                    const uint8_t *value, size_t n);
    /* DictionaryAttackParameters, by lockout's value (value NULL: that of
     * pin-source.lockout, else empty). */
    int (*set_lockout)(struct hwk_device *dev, const struct hwk_lockout *to,
                       const uint8_t *value, size_t n);
    /* NV indices that are there, within the range; *n is the room, then their
     * number (HWK_R_ARGUMENT: there are more). */
    int (*indices)(struct hwk_device *dev, uint32_t from, uint32_t to,
                   uint32_t *out, size_t *n);
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
     * the size on success; out NULL asks for the size. info may be NULL; with
     * it only what is seen as it is counts: nobody logs in to a token for it.
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

    const struct hwk_nv_ops *nv;       /* NULL: none */
    const struct hwk_devid_ops *devid; /* NULL: none */

    /* The monotonic counter that a token may have (CKH_MONOTONIC_COUNTER), at
     * most 8 bytes of it, without a login: greater at each call, by whatever.
     * was_reset: it began anew at some time (CKA_HAS_RESET).
     * HWK_R_NOT_FOUND: it has none (a TPM's counters are NV indices). */
    int (*count)(struct hwk_device *dev, uint64_t *value, bool *was_reset);

    /* From now on the TPM is the one that tcti reaches, NULL: that of the
     * configuration. All that is known of the one before is forgotten, its
     * connection closed and what is loaded flushed, also where tcti is the same
     * (another TPM may stand behind it now). Nothing is sent to the new one.
     * HWK_R_IN_USE: a key or a device of it still is; nothing was changed
     * then. */
    int (*reach)(void *ctx, const char *tcti);

    /* PKCS#11 modules whose beginning was ours begin anew, for those that look
     * for tokens at their beginning only: one that was away is found again.
     * Keys and devices stay open, their sessions and logins come back with
     * their next use. For who is alone with them: no other thread may use a
     * token meanwhile. HWK_R_IN_USE: somebody does; nothing was changed. */
    int (*again)(void *ctx);
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
    HWK_R_NV_FULL = 9, /* no room for another NV index */
    HWK_R_POLICY = 10, /* a policy was not satisfied, the text says where */
    HWK_R_AUTH = 11,   /* the value of a hierarchy or index, tried once */
    HWK_R_BUS = 12,    /* not the TPM expected, or altered on its way */
    HWK_R_UNSUPPORTED = 13, /* this device, key or configuration cannot */
    HWK_R_KEY = 14,         /* the key is of no use for this */
    HWK_R_IN_USE = 15,      /* somebody has it: a key or device of it is open */
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
