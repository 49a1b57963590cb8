/* SPDX-License-Identifier: Apache-2.0 */
/* The device's side of the line: one device in a fixture, end to end. */
#ifndef IDEVID_STATION_H
#define IDEVID_STATION_H

#include <idevid/journal.h>

/*
 * What is done to a device at the end, each only when asked for, in the order
 * of this structure but for lock_certs, and da, which request sees to as well,
 * before keys are used: a TPM that loses its power once a key signed may count
 * that as a wrong try. Random values come last: while they are
 * not set nothing is lost by beginning anew, and when they are, all else is
 * done. The escrow of a device is a row of CMS EnvelopedData, DER, one after
 * the other, each with
 * {"hierarchy":"owner"|"lockout","serial-number","value":hex}; of two for the
 * same hierarchy the later one counts. It is in the book before the TPM has the
 * value.
 */
struct idv_lockdown {
    bool anchor_counter;  /* owner profile: its counter index is made */
    bool platform_anchor; /* platform profile: indices for approval_key */
    EVP_PKEY *approval_key;
    const STACK_OF(X509) * maker_anchors; /* their hash sealed; NULL: not */
    bool by_so; /* token: maker_anchors by the security officer */
    bool da;    /* TPM: dictionary-attack parameters: */
    uint32_t max_tries, recovery_s, lockout_recovery_s;
    bool owner_auth;   /* TPM: random, escrowed; needs platform_anchor */
    bool lockout_auth; /* TPM: random, escrowed */
    X509 *escrow;      /* certificate of who may read them */
    bool lock_certs;   /* NV: WRITEDEFINE + WriteLock; token: not modifiable.
                          Profile tcg does it in any case */
};

struct idv_station_conf {
    const char *device; /* tpm2: or pkcs11:token=... */
    const struct idv_pin *pin;
    enum idv_factory_profile profile;
    enum idv_key_type type;
    const char *order, *serial_number,
        *model; /* serial_number NULL: not known */
    const char *station, *operator_;
    EVP_PKEY *signer; /* the station's; of requests only */
    X509 *signer_cert;
    const STACK_OF(X509) * signer_chain; /* beside it; NULL: none */
    /* of the maker's IDevIDs, self-signed or not, and issuing CAs that lead to
       them; NULL: none */
    const STACK_OF(X509) * anchors, *chain;
    const struct idv_lockdown *lockdown; /* NULL: none */
    /* where a token or profile plain has them; NULL: object "idevid", TCG's
       places. The TPM profiles that prove residency have TCG's. */
    const char *key_uri, *cert_uri;
    bool owner_nv;     /* TPM: certificates by the owner's hierarchy, gone with
                          TPM2_Clear; false: by the platform's (plain: owner's) */
    uint32_t ek_index; /* NV index of the EK certificate; 0: look */
    /* Instead of NV: a file, or a folder with files that are called by the hex
       SHA-256 of the EK's SubjectPublicKeyInfo and .der, .pem or .crt; NULL */
    const char *ek_cert_file;
    bool ek_cert_needed; /* without one nothing is asked for: the book would
                            know the TPM by another EK than the one that it has
                            a certificate for */
    bool csr_too;        /* PKCS#10 beside: the desk's CA wants one */
    /* Whose extensions a PKCS#10 asks for, as the desk will: it is the device
       that signs the request. NULL: what a TPM knows of itself. */
    const struct idv_desk_template *template;
    const char *sku, *mac; /* for it, as model; NULL: not known */
    /* A device with an identity gets another: a rework. One that was cut off
       goes on as that rework, whether or not this is set the next time. */
    bool again;
    const struct idv_factory_store *store; /* the station's book */
    const struct idv_env *env;
};

/* conf, and what it points to, is borrowed until idv_station_free. */
struct idv_station;
idv_rc idv_station_new(const struct idv_station_conf *conf,
                       struct idv_station **out) IDV_CHECKED;
void idv_station_free(struct idv_station *s);
/* Which device it is to be, where a look had to say so first: instead of what
 * conf said. Borrowed like conf; model may be NULL. */
void idv_station_is(struct idv_station *s, const char *order,
                    const char *serial_number, const char *model);
/* And what the order says besides, for the template; each may be NULL. */
void idv_station_has(struct idv_station *s, const char *sku, const char *mac);

/* What is in the fixture. */
struct idv_station_seen {
    uint8_t ek[32]; /* as struct idv_factory_device */
    bool known;     /* the book has it: device is filled */
    struct idv_factory_device device;
    bool has_idevid; /* a certificate with its key, valid under anchors */
    bool has_other;  /* a certificate that is not: foreign, of another key */
    char has_serial[IDV_MAX_SERIAL + 1]; /* of that one */
    char text[128]; /* maker, model, firmware, for people */
};
void idv_station_seen_free(struct idv_station_seen *s);
idv_rc idv_station_look(struct idv_station *s, struct idv_station_seen *out,
                        enum idv_factory_why *why) IDV_CHECKED;

/*
 * The steps of one device. Each may be cut anywhere and done again: request
 * makes (or finds) the keys and the proof over challenge; install activates,
 * checks the certificates against key, serial number and anchors, writes and
 * locks them; finish does the lockdown and the self test (sign, read back,
 * verify). Power cycling is the caller's: verify again on a station made anew.
 *
 * Where to go on is in seen.device.state: up to REQUESTED with request, in
 * ISSUED (the desk keeps the same book) with request, or with install of the
 * reply that is in the row, in INSTALLED with finish, in DONE with verify. A
 * TPM's keys come out of their templates again, so that a request made anew is
 * of the same keys and the desk answers with the same certificates; install
 * therefore does not mind which request a reply is for.
 *
 * From the first call to rest or free a TPM is held: other processes wait.
 */

/*
 * challenge NULL: the request that is in the book again, byte by byte, without
 * the device (IDV_E_STATE: there is none); for a line that does not know
 * whether it arrived. IDV_E_STATE, IDV_WHY_HAS_ONE: the device has an identity,
 * and neither is the book half-way with it nor again set. IDV_E_REJECT,
 * IDV_WHY_DUPLICATE: the book has the device under another serial number, or
 * another device under this one; IDV_WHY_RETIRED; IDV_WHY_EK_MISSING with
 * ek_cert_needed.
 */
idv_rc idv_station_request(struct idv_station *s,
                           const uint8_t challenge[IDV_FACTORY_CHALLENGE],
                           struct idv_buf *request,
                           enum idv_factory_why *why) IDV_CHECKED;
idv_rc idv_station_install(struct idv_station *s, struct idv_bytes reply,
                           enum idv_factory_why *why) IDV_CHECKED;
idv_rc idv_station_finish(struct idv_station *s,
                          enum idv_factory_why *why) IDV_CHECKED;
/* Changes nothing, in the device or in the book. */
idv_rc idv_station_verify(struct idv_station *s,
                          enum idv_factory_why *why) IDV_CHECKED;
/*
 * Takes keys, certificates and indices out again (rework, scrap), and the
 * random values: the TPM takes that only by them, which are configured
 * meanwhile as pin-source.lockout and pin-source.owner (escrow). What the
 * device does not have is no failure.
 */
idv_rc idv_station_wipe(struct idv_station *s,
                        enum idv_factory_why *why) IDV_CHECKED;
/* Lets a TPM go until the next call. */
void idv_station_rest(struct idv_station *s);

/* Its identity is not to be trusted any more, for reason (for people). Of the
 * book alone: the device may be lost. IDV_E_STATE: the book does not know it,
 * or it was retired before. */
idv_rc idv_factory_retire(const struct idv_factory_store *store,
                          const char *serial_number, const char *station,
                          const char *operator_, const char *reason,
                          const struct idv_env *env,
                          enum idv_factory_why *why) IDV_CHECKED;

/*
 * The serial number was never this device's: it was scanned of another label.
 * The book lets go of what belongs together by it: another device may have the
 * serial number, and the device another one. A certificate that was made counts
 * as retired, and so the feed says. IDV_E_STATE: the book does not know it, or
 * it was released before. A desk with a book of its own is told by itself.
 */
idv_rc idv_factory_release(const struct idv_factory_store *store,
                           const char *serial_number, const char *station,
                           const char *operator_, const char *reason,
                           const struct idv_env *env,
                           enum idv_factory_why *why) IDV_CHECKED;

/* Calls to devices of this process while the station was at it, by what they
 * were for. locks is no part of install. */
struct idv_station_calls {
    uint64_t look, request, install, locks, lockdown, self_test;
};
void idv_station_calls(const struct idv_station *s,
                       struct idv_station_calls *out);

#endif
