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
 *   0 "IDTA"  4 version u16 (1)  6 flags u16 (IDV_RECORD_KEY,
 * IDV_RECORD_CONTENT) 8 generation u64  16 imprint time u64 (0: no clock) 24
 * SHA-256 of the pinned certificate or SubjectPublicKeyInfo 56 its length u32
 * 60 SHA-256 of the voucher  92 zero (20)
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
 * Policy of keys that die with the record, in the words of hwkey-provider(7):
 * the TPM finds the first 56 bytes of the record in the NV index, and the
 * counter at one more than its generation. After a reset the counter is beyond
 * that for ever, and with another certificate pinned the index holds something
 * else. IDV_E_ARG: a record without a generation, which nothing counts.
 */
idv_rc idv_record_key_policy(const struct idv_record *r, uint32_t index,
                             uint32_t counter, struct idv_buf *out) IDV_CHECKED;

/* --- anchors: where a record is kept ------------------------------------- */

/*
 * What is known of an imprint beside its record: kept in anchor.json, shown,
 * and recomputed against, never believed.
 */
struct idv_anchor_memo {
    char profile[16];
    uint64_t generation; /* of the record; 0 where there is no counter */
    uint8_t record[IDV_RECORD_SIZE];
    char cap[16];         /* "reboot", "pcr:N", "none" */
    uint32_t reset_count; /* the TPM's when the record was sealed */
    uint32_t pcrs;        /* bit n: PCR n had to be so at the imprint */
    uint8_t pcr_digest[32];
    char registrar[IDV_MAX_URL]; /* whom it is by, "https://..."; "" unknown */
};

/* An NV index by its Name (TPM_ALG_ID and SHA-256), as policies bind it. */
struct idv_anchor_index {
    uint32_t index; /* 0: none such */
    uint8_t name[34];
};

enum idv_anchor_found {
    IDV_ANCHOR_NOTHING,    /* or only a place for a record, never written */
    IDV_ANCHOR_UNFINISHED, /* a record that is not sealed yet */
    IDV_ANCHOR_SEALED,
    IDV_ANCHOR_ENDED, /* one that holds no more: its reset has begun */
};
struct idv_anchor_seen {
    enum idv_anchor_found found;
    uint8_t record[IDV_RECORD_SIZE];       /* unless NOTHING */
    uint64_t counter;                      /* its value; 0: none, not begun */
    struct idv_anchor_index anchor, count; /* of record and counter */
};

struct idv_approval; /* <idevid/approval.h> */
struct idv_approval_request;

/*
 * One table per kind of place. Cut at any device call, read finds one of the
 * four above, and finish, discard or reset goes on from there. What is in the
 * device and does not fit together is IDV_E_REJECT, with what is wrong.
 */
struct idv_anchor_ops {
    const char *profile;   /* "owner", "platform", "token" */
    const char *assurance; /* "none", "detect" or "enforce" */
    /* Around prepare and write: what they share is asked of the device once,
     * and others wait for it. Both may be NULL. */
    idv_rc (*enter)(void *self);
    void (*leave)(void *self);
    /* Before a record is made: the counter, if there is to be one, and all of
     * memo but the record. IDV_E_STATE: there is a record already. */
    idv_rc (*prepare)(void *self, struct idv_anchor_memo *memo);
    /* memo->record, made permanent, sealed, and read back: out is SEALED. */
    idv_rc (*write)(void *self, const struct idv_anchor_memo *memo,
                    struct idv_anchor_seen *out);
    /* memo NULL: nothing is known. */
    idv_rc (*read)(void *self, const struct idv_anchor_memo *memo,
                   struct idv_anchor_seen *out);
    /* Seals memo->record, which is UNFINISHED, or does the rest of what comes
     * with that for one that is SEALED; memo->reset_count is set anew.
     * IDV_E_REJECT: it can be sealed no more. */
    idv_rc (*finish)(void *self, struct idv_anchor_memo *memo);
    /* Takes away what is UNFINISHED; absence is not a failure. */
    idv_rc (*discard)(void *self);
    /* Ends the record for ever, in one step; then takes it away, ENDED ones
     * too. Absence is not a failure. */
    idv_rc (*reset)(void *self);
    /* Has everything ended that was begun before the seal? NULL: yes. */
    idv_rc (*capped)(void *self, const struct idv_anchor_memo *memo,
                     bool *capped);
    /* Where the device writes only what the maker approved; both NULL
     * otherwise. statement: what it is to approve, for the voucher-request.
     * approve: the answer, which is copied, for write, finish and reset from
     * then on; record is the one it is for. IDV_E_REJECT: signed by another
     * key, or for something else. */
    idv_rc (*statement)(void *self, struct idv_approval_request *out);
    idv_rc (*approve)(void *self, const struct idv_approval *approval,
                      const struct idv_record *record);
    void (*close)(void *self); /* may be NULL */
};
struct idv_anchor {
    const struct idv_anchor_ops *ops;
    void *self;
};

enum idv_anchor_profile {
    IDV_ANCHOR_AUTO, /* by the device */
    IDV_ANCHOR_OWNER,
    IDV_ANCHOR_PLATFORM,
    IDV_ANCHOR_TOKEN,
};
/* Where the record is unless configured otherwise. */
#define IDV_ANCHOR_TPM2_URI "tpm2:handle=0x01800A01"
#define IDV_ANCHOR_TPM2_INDEX 0x01800A01u
#define IDV_ANCHOR_TPM2_COUNTER 0x01800A00u
#define IDV_ANCHOR_PLATFORM_INDEX 0x01400A01u
#define IDV_ANCHOR_PLATFORM_COUNTER 0x01400A00u
#define IDV_ANCHOR_P11_URI "pkcs11:object=idevid-anchor;type=data"
struct idv_anchor_conf {
    enum idv_anchor_profile profile;
    const char *uri;  /* of the record; NULL: by the profile */
    uint32_t counter; /* TPM: the NV index of the generation; 0: likewise */
    uint32_t cap;     /* bit n: PCR n is extended after the seal; 0: a reboot
                         ends what was begun before */
    uint32_t gate;    /* bit n: PCR n must be as it is until the seal */
    /* Token: who signs the record and judges it; NULL: the objects "idevid" of
     * the device, as idevid-factory leaves them. */
    const char *idevid_key, *idevid_certificate;
    /* platform: whose approval the TPM demands, and for which device */
    EVP_PKEY *approval_key;
    const char *serial;
};
/* conf NULL takes the defaults. dev is borrowed. IDV_E_ARG: a profile that is
 * not for this device, a PCR that ends no policy (16, 21 to 23) or of which
 * there are none (over 23), a URI that names no place. */
idv_rc idv_anchor_open(struct idv_device *dev,
                       const struct idv_anchor_conf *conf,
                       struct idv_anchor *out) IDV_CHECKED;
void idv_anchor_close(struct idv_anchor *a);

/*
 * The factory's part of profile platform, while the platform hierarchy is
 * enabled: counter and anchor are defined for conf->approval_key and
 * conf->serial, and the counter begins. What is there already, of the same
 * key and device, stays: so it goes on where it was cut. Not in firmware's
 * hands any more, nobody can undo it but idv_platform_delete, which needs the
 * platform hierarchy. IDV_E_REJECT: indices made for another key or device, or
 * by somebody else, are in the way; IDV_E_DEVICE: the TPM refuses.
 */
idv_rc idv_platform_create(struct idv_device *dev,
                           const struct idv_anchor_conf *conf) IDV_CHECKED;
/* Absence is not a failure. */
idv_rc idv_platform_delete(struct idv_device *dev,
                           const struct idv_anchor_conf *conf) IDV_CHECKED;

/*
 * The same of profile owner, which would do it by itself at the first imprint:
 * the counter is defined and begins, so that the first record has its
 * generation from the factory; conf NULL: where it is by default. IDV_E_REJECT:
 * the index is somebody else's. Deleted it is only while there is no anchor
 * (IDV_E_STATE), and absence is not a failure.
 */
idv_rc idv_owner_create(struct idv_device *dev,
                        const struct idv_anchor_conf *conf) IDV_CHECKED;
idv_rc idv_owner_delete(struct idv_device *dev,
                        const struct idv_anchor_conf *conf) IDV_CHECKED;

/* --- what this device belongs to ------------------------------------------ */

struct idv_trust_conf {
    const char *dir; /* state directory, private (0700), made if absent */
    struct idv_anchor anchor; /* taken by idv_trust_open when it succeeds */
    const struct idv_env *env;
    bool observe; /* nothing is repaired or changed, nor can be: what was cut
                     short is NONE, and idv_trust_cut says so */
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
 * from dir against it, LDevID and anchors from dir. What does not match is
 * IDV_E_REJECT ("not imprinted, tampered: ..."), and so are files without a
 * record. An imprint that was cut short is brought to its end where device and
 * files allow it and undone otherwise; a reset that had begun is completed.
 */
idv_rc idv_trust_open(struct idv_trust_conf *conf,
                      struct idv_trust **out) IDV_CHECKED;
void idv_trust_close(struct idv_trust *t);

enum idv_trust_state idv_trust_state(const struct idv_trust *t);
const char *idv_trust_profile(const struct idv_trust *t);
const char *idv_trust_assurance(const struct idv_trust *t);
/* What an observer found cut short: "an imprint", "a reset"; NULL: nothing. */
const char *idv_trust_cut(const struct idv_trust *t);
const struct idv_record *idv_trust_record(const struct idv_trust *t); /* NULL */
/* Its generation; 0 in NONE and where there is no counter. */
uint64_t idv_trust_generation(const struct idv_trust *t);
const struct idv_anchor_memo *idv_trust_memo(const struct idv_trust *t);
/* What the device held when it was last asked: record, counter and Names. */
const struct idv_anchor_seen *idv_trust_seen(const struct idv_trust *t);
/* Asks the device: has everything ended that was begun before the seal (a
 * session with the policy fulfilled, say)? IDV_E_STATE in NONE. */
idv_rc idv_trust_capped(const struct idv_trust *t, bool *capped) IDV_CHECKED;
const X509 *idv_trust_pin(const struct idv_trust *t); /* NULL: key or NONE */
/* SPKI DER; empty unless the pinned key itself (not its hash) is known */
struct idv_bytes idv_trust_pin_spki(const struct idv_trust *t);
const struct idv_enrollment *idv_trust_enrollment(const struct idv_trust *t);
/* The CAs that the pin led to, each signed over by the one before it, oldest
 * first; NULL: none. */
const STACK_OF(X509) * idv_trust_successors(const struct idv_trust *t);

/*
 * NONE → IMPRINTED. Files first, aside; then the record: the device decides;
 * then the files go into place. voucher
 * is the sealed voucher as received; its SHA-256 must be the one in pinned
 * (IDV_E_ARG). Empty: none is kept and the record has zeros for it.
 * On failure the state is NONE as before, unless the device cannot even say
 * what it holds, or holds the record and its files cannot be read: then
 * idv_trust_unsure is true until idv_trust_settle, idv_trust_reset or the next
 * idv_trust_open makes it sure. IDV_E_STATE: it is imprinted (by another
 * process, say); the state is then loaded. Or t observes, as below.
 */
idv_rc idv_trust_imprint(struct idv_trust *t, const struct idv_pinned *pinned,
                         struct idv_bytes voucher) IDV_CHECKED;
/* Reads the voucher that is kept; without one (or in NONE) out stays as it is.
 */
idv_rc idv_trust_voucher(const struct idv_trust *t,
                         struct idv_voucher *out) IDV_CHECKED;
/* What a voucher-request says in manufacturer-proprietary, where the device
 * takes only what the maker approved (<idevid/approval.h>); otherwise out stays
 * as it is. */
idv_rc idv_trust_statement(struct idv_trust *t,
                           struct idv_buf *out) IDV_CHECKED;
bool idv_trust_unsure(const struct idv_trust *t);
/* Asks the device again if it was unsure: NONE or IMPRINTED afterwards. */
idv_rc idv_trust_settle(struct idv_trust *t) IDV_CHECKED;
/* IMPRINTED or ENROLLED → ENROLLED, all or nothing (renewal too). What there
 * was in ENROLLED is kept beside it until idv_trust_confirm. */
idv_rc idv_trust_enroll(struct idv_trust *t,
                        const struct idv_enrollment *e) IDV_CHECKED;
/* The enrollment before this one, while this one has not been used; NULL: it
 * has, or there was none. Its key is the caller's to keep. */
const struct idv_enrollment *idv_trust_previous(const struct idv_trust *t);
/* The present one was used, with success: the one before is forgotten. */
idv_rc idv_trust_confirm(struct idv_trust *t) IDV_CHECKED;
/* → NONE: the record first, then the files; cut in between, it goes on at the
 * next idv_trust_open. The LDevID key is the caller's to
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
