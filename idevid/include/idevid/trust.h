/* SPDX-License-Identifier: Apache-2.0 */
/* What this device belongs to: NONE, IMPRINTED, ENROLLED, and the proof. */
#ifndef IDEVID_TRUST_H
#define IDEVID_TRUST_H

#include <openssl/x509.h>

#include <idevid/env.h>
#include <idevid/key.h>
#include <idevid/voucher.h>

enum idv_trust_state {
    IDV_TRUST_NONE,
    IDV_TRUST_IMPRINTED,
    IDV_TRUST_ENROLLED
};
const char *idv_trust_state_to_text(enum idv_trust_state s);

/*
 * The seal record, 112 bytes, all integers big-endian:
 *   0 "IDTA"  4 version u16 (1)  6 flags u16 (IDV_RECORD_KEY, IDV_RECORD_CONTENT)
 *   8 generation u64  16 imprint time u64 (0: no clock)
 *  24 SHA-256 of the pinned certificate or SubjectPublicKeyInfo
 *  56 its length u32  60 SHA-256 of the voucher  92 zero (20)
 */
#define IDV_RECORD_SIZE 112
struct idv_record {
    uint16_t version, flags;
    uint64_t generation, time;
    uint8_t pin_sha256[32];
    uint32_t pin_length;
    uint8_t voucher_sha256[32];
};
#define IDV_RECORD_KEY 1u /* flags: a public key is pinned */
/* flags: the hash is of the voucher's content without the maker's approval,
 * which is inside (<idevid/approval.h>), not of the voucher as received */
#define IDV_RECORD_CONTENT 2u
void idv_record_to_bytes(const struct idv_record *r,
                         uint8_t out[static IDV_RECORD_SIZE]);
/* IDV_E_FORMAT: size, magic, version, unknown flags, nonzero reserved. */
idv_rc idv_record_from_bytes(struct idv_bytes raw,
                             struct idv_record *out) IDV_CHECKED;

/*
 * Where a record is kept: one table per kind of device. write makes the record
 * permanent (all of it or nothing: cut at any device call, read finds the
 * whole record or none) and reads it back.
 */
struct idv_anchor_ops {
    idv_rc (*read)(void *self, bool *found, struct idv_buf *record);
    idv_rc (*write)(void *self, struct idv_bytes record);
    idv_rc (*reset)(void *self); /* absence is not a failure */
    void (*close)(void *self);   /* may be NULL */
    const char *assurance;       /* "none", "detect" or "enforce" */
};
struct idv_anchor {
    const struct idv_anchor_ops *ops;
    void *self;
};
/* Where the record is unless configured otherwise. */
#define IDV_ANCHOR_TPM2_URI "tpm2:handle=0x01800A01"
#define IDV_ANCHOR_P11_URI "pkcs11:object=idevid-anchor;type=data"
/* The record in the TPM's NV (default tpm2:handle=0x01800A01) or as a data
 * object of a token (default pkcs11:object=idevid-anchor;type=data), by the
 * kind of dev. object_uri NULL takes the default. dev is borrowed. */
idv_rc idv_anchor_open(struct idv_device *dev, const char *object_uri,
                       struct idv_anchor *out) IDV_CHECKED;
void idv_anchor_close(struct idv_anchor *a);

struct idv_trust_conf {
    const char *dir; /* state directory, private (0700), made if absent */
    struct idv_anchor anchor; /* taken by idv_trust_open when it succeeds */
    const struct idv_env *env;
};

/* What enrollment leaves behind. */
struct idv_enrollment {
    STACK_OF(X509) * ldevid;     /* leaf first */
    STACK_OF(X509) * anchors;    /* explicit trust anchors from cacerts */
    STACK_OF(X509) * others;     /* intermediates from cacerts; NULL: none */
    char key_uri[512];           /* where the LDevID key lives */
    char registrar[IDV_MAX_URL]; /* authority that enrolled us */
};
void idv_enrollment_free(struct idv_enrollment *e);

struct idv_trust;

/*
 * Loads and checks: record from the device, the pinned certificate or key
 * from dir against it, LDevID and anchors from dir. A record without its
 * certificate, or one that does not match, is IDV_E_REJECT ("not imprinted,
 * tampered: ..."); files without a record are remains of a cut imprint and
 * are removed.
 */
idv_rc idv_trust_open(struct idv_trust_conf *conf,
                      struct idv_trust **out) IDV_CHECKED;
void idv_trust_close(struct idv_trust *t);

enum idv_trust_state idv_trust_state(const struct idv_trust *t);
const char *idv_trust_assurance(const struct idv_trust *t);
const struct idv_record *idv_trust_record(const struct idv_trust *t); /* NULL */
const X509 *idv_trust_pin(const struct idv_trust *t); /* NULL: key or NONE */
/* SPKI DER; empty unless the pinned key itself (not its hash) is known */
struct idv_bytes idv_trust_pin_spki(const struct idv_trust *t);
const struct idv_enrollment *idv_trust_enrollment(const struct idv_trust *t);

/*
 * NONE → IMPRINTED. Files first, the record last: the device decides. voucher
 * is the sealed voucher as received; its SHA-256 must be the one in pinned
 * (IDV_E_ARG). Empty: none is kept and the record has zeros for it.
 * On failure the state is NONE as before, unless the device cannot even say
 * what it holds, or holds the record and its files cannot be read: then
 * idv_trust_unsure is true until idv_trust_settle, idv_trust_reset or the next
 * idv_trust_open makes it sure. IDV_E_STATE: it is imprinted (by another
 * process, say); the state is then loaded.
 */
idv_rc idv_trust_imprint(struct idv_trust *t, const struct idv_pinned *pinned,
                         struct idv_bytes voucher) IDV_CHECKED;
bool idv_trust_unsure(const struct idv_trust *t);
/* Asks the device again if it was unsure: NONE or IMPRINTED afterwards. */
idv_rc idv_trust_settle(struct idv_trust *t) IDV_CHECKED;
/* IMPRINTED or ENROLLED → ENROLLED, all or nothing (renewal too). */
idv_rc idv_trust_enroll(struct idv_trust *t,
                        const struct idv_enrollment *e) IDV_CHECKED;
/* → NONE: the record first, then the files. The LDevID key is the caller's to
 * erase (its URI is in the enrollment). */
idv_rc idv_trust_reset(struct idv_trust *t) IDV_CHECKED;
/* The same without loading: also for what idv_trust_open calls tampered. The
 * anchor in conf stays the caller's. */
idv_rc idv_trust_wipe(const struct idv_trust_conf *conf) IDV_CHECKED;

/*
 * What EST's cacerts delivered (idv_est_cacerts_read), from a server of the
 * domain. A new domain CA whose key the newest known one signed for (RFC 4210
 * section 4.4: NewWithOld beside NewWithNew; several in a row) is kept from
 * here on in a file of its own, which leads from the sealed pin to it and is
 * verified at every idv_trust_open. *rollovers says how many came. Trust
 * anchors that the pin does not answer for are taken out of anchors;
 * IDV_E_REJECT when none is left. A pin that is an end entity or a key can sign
 * over to nobody: its first enrollment's anchors stay the ones there are, and a
 * domain with another CA has to be imprinted again. Nothing is forgotten but by
 * reset: the older CAs are the domain's until their certificates end.
 */
idv_rc idv_trust_cacerts(struct idv_trust *t, STACK_OF(X509) * anchors,
                         const STACK_OF(X509) * others,
                         int *rollovers) IDV_CHECKED;

/*
 * May this server speak for the domain (RFC 7030 3.6.1)? Its chain, leaf
 * first, leads to the pin, to a CA that the pin led to (idv_trust_cacerts), or
 * to an explicit trust anchor that one of these answers for (any, when no CA is
 * pinned), and the leaf has id-kp-cmcRA or the pinned key itself. trust is a
 * struct idv_trust, so that this fits idv_connect.verify. IDV_E_REJECT;
 * IDV_E_STATE in NONE.
 */
idv_rc idv_trust_verify_server(void *trust,
                               const STACK_OF(X509) * chain) IDV_CHECKED;

/*
 * Do these trust anchors belong to the domain of pin? The pin is one of them,
 * or leads to one of them, or validates one; a self-signed end entity cannot
 * and is taken as vouching for them. IDV_E_REJECT otherwise. pin NULL (a key is
 * pinned): IDV_OK. others may help to build the path (NULL ok). Times are not
 * judged.
 */
idv_rc idv_trust_anchors_follow(const STACK_OF(X509) * anchors,
                                const STACK_OF(X509) * others,
                                const X509 *pin) IDV_CHECKED;

#endif
