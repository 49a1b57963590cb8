/* SPDX-License-Identifier: Apache-2.0 */
/* The device's side of the line: one device in a fixture, end to end. */
#ifndef IDEVID_STATION_H
#define IDEVID_STATION_H

#include <idevid/journal.h>

/* What is done to a device at the end, each only when asked for. */
struct idv_lockdown {
    bool lockout_auth; /* TPM: random, escrowed to escrow before it is set */
    X509 *escrow;      /* certificate of who may read it */
    bool da;           /* TPM: dictionary-attack parameters: */
    uint32_t max_tries, recovery_s, lockout_recovery_s;
    bool anchor_counter;  /* owner profile: its counter index is made */
    bool platform_anchor; /* platform profile: indices for approval_key */
    EVP_PKEY *approval_key;
    const STACK_OF(X509) * maker_anchors; /* their hash sealed; NULL: not */
    bool owner_auth; /* TPM: random, escrowed; needs platform_anchor */
    bool lock_certs; /* NV: WRITEDEFINE + WriteLock; token: not modifiable */
};

struct idv_station_conf {
    const char *device; /* tpm2: or pkcs11:token=... */
    const struct idv_pin *pin;
    enum idv_factory_profile profile;
    enum idv_key_type type;
    const char *order, *serial_number,
        *model; /* serial_number NULL: not known */
    const char *station, *operator_;
    EVP_PKEY *signer; /* the station's */
    X509 *signer_cert;
    const STACK_OF(X509) * anchors;      /* of the maker's IDevIDs */
    const struct idv_lockdown *lockdown; /* NULL: none */
    const char *key_uri, *cert_uri, *iak_uri, *iak_cert_uri; /* NULL: TCG's */
    uint32_t ek_index;        /* NV index of the EK certificate; 0: look */
    const char *ek_cert_file; /* instead of NV: folder or file; or NULL */
    bool csr_too;             /* PKCS#10 beside: the desk's CA wants one */
    bool again;               /* a device with an identity gets another */
    const struct idv_factory_store *store; /* the station's book */
    const struct idv_env *env;
};

struct idv_station;
idv_rc idv_station_new(const struct idv_station_conf *conf,
                       struct idv_station **out) IDV_CHECKED;
void idv_station_free(struct idv_station *s);

/* What is in the fixture. */
struct idv_station_seen {
    uint8_t ek[32]; /* as struct idv_factory_device */
    bool known;     /* the book has it: device is filled */
    struct idv_factory_device device;
    bool has_idevid; /* a certificate with its key, valid under anchors */
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
 */
idv_rc idv_station_request(struct idv_station *s,
                           const uint8_t challenge[IDV_FACTORY_CHALLENGE],
                           struct idv_buf *request,
                           enum idv_factory_why *why) IDV_CHECKED;
idv_rc idv_station_install(struct idv_station *s, struct idv_bytes reply,
                           enum idv_factory_why *why) IDV_CHECKED;
idv_rc idv_station_finish(struct idv_station *s,
                          enum idv_factory_why *why) IDV_CHECKED;
idv_rc idv_station_verify(struct idv_station *s,
                          enum idv_factory_why *why) IDV_CHECKED;
/* Takes keys, certificates and indices out again (rework, scrap). */
idv_rc idv_station_wipe(struct idv_station *s,
                        enum idv_factory_why *why) IDV_CHECKED;

/* Calls to the device by this station so far, by what they were for. */
struct idv_station_calls {
    uint64_t look, request, install, locks, lockdown, self_test;
};
void idv_station_calls(const struct idv_station *s,
                       struct idv_station_calls *out);

#endif
