/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the station share. */
#ifndef IDEVID_FACTORY_STATION_INT_H
#define IDEVID_FACTORY_STATION_INT_H

#include <idevid/auto.h>
#include <idevid/station.h>
#include <idevid/text.h>
#include <idevid/x509.h>

#include "key/devid.h"
#include "key/nv.h"
#include "tpm/nvpolicy.h"

#define IDVI_STATION_IDEVID 0x81020000u
#define IDVI_STATION_IAK 0x81020001u
#define IDVI_STATION_IDEVID_CERT 0x01C90200u
#define IDVI_STATION_IAK_CERT 0x01C90100u

/* A key that a TPM has loaded in this turn. */
struct idvi_station_key {
    bool there;
    struct hwk_born born;
    EVP_PKEY *pub;
};

struct idv_station {
    struct idv_station_conf c;
    struct idv_device *dev;
    struct idv_device_info info;
    bool tpm;  /* by profile; the device was asked when looked is set */
    bool held; /* the turn is ours */
    bool looked;
    struct idv_station_seen seen;
    X509 *ek_cert;              /* NULL: none */
    bool free_idevid, free_iak; /* NV has nothing at these certificates' places
                                   (as looked at, until something is put) */
    uint32_t ek_row;            /* the EK is made by */
    enum idv_key_type ek_type;
    struct idvi_station_key ek, iak, key;
    EVP_PKEY *soft; /* token, plain: the key by URI */
    struct idv_station_calls calls;
    uint64_t *counting; /* whose calls are being made now */
    uint64_t counted;   /* of the process, that are in calls already */
    char key_uri[IDV_KEY_URI_SIZE], cert_uri[IDV_KEY_URI_SIZE];
};

/* --- station.c --- */

/* tcg, lean, direct: residency is proved */
bool idvi_station_proves(const struct idv_station *s);
bool idvi_station_has_iak(const struct idv_station *s);
/* the IDevID stays at its handle: RSA keys are slow to make again */
bool idvi_station_keeps(const struct idv_station *s);
bool idvi_station_locks(const struct idv_station *s);
/* certificates of the platform's hierarchy */
bool idvi_station_by_platform(const struct idv_station *s);
/* What is called from here on is for *bucket (of s->calls). */
void idvi_station_count(struct idv_station *s, uint64_t *bucket);
/* The turn, and the device looked at. */
idv_rc idvi_station_begin(struct idv_station *s,
                          enum idv_factory_why *why) IDV_CHECKED;
/* rc, and where nobody said more, what it means for line software. */
idv_rc idvi_station_said(idv_rc rc, enum idv_factory_why *why);
/* *why, and rc */
idv_rc idvi_station_refuse(enum idv_factory_why *why,
                           enum idv_factory_why which, idv_rc rc);

/* --- station_look.c --- */

idv_rc idvi_station_look(struct idv_station *s,
                         enum idv_factory_why *why) IDV_CHECKED;
/* The book's row read anew, by the device. */
idv_rc idvi_station_row(struct idv_station *s,
                        enum idv_factory_why *why) IDV_CHECKED;
/* from the book's row until its identity is in the device */
bool idvi_station_halfway(const struct idv_station *s);
/* key signs, cert verifies; cert chains to the maker's anchors by extra */
idv_rc idvi_station_prove(const struct idv_station *s, EVP_PKEY *key,
                          const X509 *cert) IDV_CHECKED;
idv_rc idvi_station_chain(const struct idv_station *s, X509 *cert,
                          const STACK_OF(X509) * extra) IDV_CHECKED;
/* serialNumber of a subject, and that it is the one given (NULL: any) */
idv_rc idvi_station_serial(const X509 *cert, const char *wanted,
                           char out[static IDV_MAX_SERIAL + 1]) IDV_CHECKED;

/* --- station_ek.c --- */

/* Loads the EK, finds its certificate, and that they belong together. listed:
 * NV indices that there are. */
idv_rc idvi_station_ek(struct idv_station *s, const uint32_t *listed, size_t n,
                       enum idv_factory_why *why) IDV_CHECKED;
/* The EK again, as it was when the device was looked at. */
idv_rc idvi_station_ek_again(struct idv_station *s) IDV_CHECKED;

/* --- station_tpm.c --- */

/* A key of TCG's template; handle 0: made anew, else taken from there when it
 * is there. */
idv_rc idvi_station_make(struct idv_station *s, enum hwk_devid what,
                         enum idv_key_type type, uint32_t ek_index,
                         uint32_t handle,
                         struct idvi_station_key *out) IDV_CHECKED;
void idvi_station_drop(struct idv_station *s, struct idvi_station_key *k);
void idvi_station_key_clear(struct idvi_station_key *k); /* forgets only */
/* Signs with the IDevID, by the hash of its Name: as libcrypto has it. */
idv_rc idvi_station_sign(struct idv_station *s, struct idv_bytes text,
                         struct idv_buf *sig) IDV_CHECKED;
uint16_t idvi_station_hash(const struct idvi_station_key *k);
/* The IDevID (and IAK), loaded; fresh: made in this turn, whatever is kept. */
idv_rc idvi_station_keys(struct idv_station *s, bool fresh) IDV_CHECKED;
/* k stays at handle, or is there already */
idv_rc idvi_station_stay(struct idv_station *s, struct idvi_station_key *k,
                         uint32_t handle) IDV_CHECKED;

/* --- station_csr.c, station_asks.c --- */

/* TCG-CSR-IDEVID over nonce */
idv_rc idvi_station_tcg_csr(struct idv_station *s, const uint8_t nonce[32],
                            const char *serial,
                            struct idv_buf *out) IDV_CHECKED;
/* What a PKCS#10 is to ask for, the caller's; NULL: nothing. */
idv_rc idvi_station_asks(const struct idv_station *s, const char *serial,
                         const EVP_PKEY *key,
                         STACK_OF(X509_EXTENSION) * *out) IDV_CHECKED;
/* PKCS#10 by the IDevID */
idv_rc idvi_station_csr(struct idv_station *s, const char *serial,
                        struct idv_buf *out) IDV_CHECKED;

/* --- station_token.c: token and plain, keys by URI --- */

idv_rc idvi_station_places(struct idv_station *s) IDV_CHECKED;
/* Opens the key, or makes it. */
idv_rc idvi_station_soft_key(struct idv_station *s) IDV_CHECKED;
/* *found false: there is none, and the device answers */
idv_rc idvi_station_soft_open(struct idv_station *s, bool *found) IDV_CHECKED;

/* --- station_nv.c --- */

/* DER in the index, locked or not: what was cut goes on, what is another is
 * refused unless replace. */
idv_rc idvi_station_nv_put(struct idv_station *s, uint32_t index,
                           struct idv_bytes der, bool replace) IDV_CHECKED;
idv_rc idvi_station_nv_get(struct idv_station *s, uint32_t index, bool *found,
                           bool *locked, struct idv_buf *der) IDV_CHECKED;
/* Takes it away by its hierarchy; absence is not a failure. */
idv_rc idvi_station_nv_drop(struct idv_station *s, uint32_t index) IDV_CHECKED;

/* --- station_book.c --- */

/* One entry, and the row as d is; from: the state it is in. */
idv_rc idvi_station_put(struct idv_station *s,
                        const struct idv_factory_device *d,
                        enum idv_factory_state from, const char *kind,
                        enum idv_factory_why *why) IDV_CHECKED;
/* members of an entry: who did it, and one more (NULL: none) */
idv_rc idvi_station_body(const char *order, const char *station,
                         const char *operator_, const char *name,
                         const char *value, struct idv_buf *out) IDV_CHECKED;

/* --- station_lockdown.c --- */

/* What of it has to be so before keys are used: a TPM that loses its power once
 * a key without noDA signed counts a wrong try. */
idv_rc idvi_station_before_keys(struct idv_station *s) IDV_CHECKED;
idv_rc idvi_station_lockdown(struct idv_station *s,
                             enum idv_factory_why *why) IDV_CHECKED;
/* that what lockdown leaves is there */
idv_rc idvi_station_locked_down(struct idv_station *s) IDV_CHECKED;

/* --- station_verify.c --- */

/* Sign, read back, verify. */
idv_rc idvi_station_test(struct idv_station *s,
                         enum idv_factory_why *why) IDV_CHECKED;

#endif
