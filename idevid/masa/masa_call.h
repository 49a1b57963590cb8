/* SPDX-License-Identifier: Apache-2.0 */
/* One request to the MASA on its way through the steps. */
#ifndef IDEVID_MASA_CALL_H
#define IDEVID_MASA_CALL_H

#include <pthread.h>

#include <idevid/approval.h>
#include <idevid/auto.h>

#include "idevid/base/refuse.h"
#include "idevid/envelope/carried.h"
#include "idevid/masa/masa.h"

/* Chains that were verified in this second. */
#define IDVI_MASA_SEEN 64
struct idvi_masa_seen {
    pthread_mutex_t lock;
    struct idvi_masa_chain_seen {
        uint8_t name[32]; /* of all certificates that were shown */
        int64_t at;
    } by[IDVI_MASA_SEEN];
};

struct idv_masa {
    struct idvi_masa_seen seen;
    struct idv_masa_conf conf;
    const struct idv_env *env;
    struct idv_log_id log; /* of conf.log_key */
};

struct idvi_masa_call {
    struct idv_masa *masa;
    struct idv_call *call;
    struct idvi_refusal no;
    int64_t now;
    struct idvi_carried request;
    uint8_t rvr_sha256[32]; /* of the container */
    struct idv_opened opened;
    const char *media; /* of the voucher */
    bool draft;        /* asked and answered as before there were vouchers */
    idv_certs *chain;  /* the signer's, verified, leaf first */
    struct idv_masa_registrar registrar; /* zero: not known */
    bool registrar_known;
    struct idv_voucher rvr;
    struct idv_masa_device device;
    const struct idv_masa_maker *maker;
    struct idv_masa_policy policy; /* for this device */
    const struct idv_masa_signer *signer;
    X509 *pin;          /* borrowed from chain */
    int64_t good_until; /* what is known of the chain's revocation; 0 nothing */
    char domain_id[IDV_MAX_DOMAIN_ID];
    struct idv_masa_quota quota;
    uint8_t domain_key[32]; /* these two of origin.c */
    char network[IDV_MAX_NETWORK];
    enum idv_assertion assertion;
    bool near;               /* the pledge proves that it sees this registrar */
    int64_t nonceless_since; /* as the store's; of nonceless requests */
    char told[192];          /* a refusal with its reason */
    bool approve;            /* the pledge asks for it, with this: */
    struct idv_approval_request approval;
};

/* Each step: IDV_OK, or IDV_E_REJECT with no filled, or an internal failure. */

/* RFC 8995 sections 5.5.2 to 5.5.4: types, container, chain, signature,
 * content, device; pin and domainID follow from the chain. */
idv_rc idvi_masa_open(struct idvi_masa_call *c) IDV_CHECKED;
/* chain.c: sets chain, verified, a registrar's (R-M-2, R-M-4). */
idv_rc idvi_masa_chain(struct idvi_masa_call *c) IDV_CHECKED;
/* policy.c: what holds for the device. 503: something that this program does
 * not know, which may be what keeps a voucher from somebody. */
idv_rc idvi_masa_read_policy(struct idvi_masa_call *c) IDV_CHECKED;
/* evidence.c: is the domain, by its key, the one that owns the device? */
bool idvi_masa_is_owner(const struct idvi_masa_call *c);
/* revoked.c: 403 for a chain of which something was revoked; 503 as long as
 * that is looked at, or for good where policy demands an answer. */
idv_rc idvi_masa_check_revocation(struct idvi_masa_call *c) IDV_CHECKED;
/* origin.c: 403 for a domain that is bound to other networks. */
idv_rc idvi_masa_check_origin(struct idvi_masa_call *c) IDV_CHECKED;
/* How the device stands with us. */
idv_rc idvi_masa_standing(struct idvi_masa_call *c) IDV_CHECKED;
/* Section 5.5.5: the pledge's request inside, if any; sets assertion. */
idv_rc idvi_masa_evidence(struct idvi_masa_call *c) IDV_CHECKED;
/* form.c: 406 unless some form of vouchers is accepted; the one that this
 * voucher has; and the pin in it. */
idv_rc idvi_masa_check_accept(struct idvi_masa_call *c) IDV_CHECKED;
idv_rc idvi_masa_choose_media(struct idvi_masa_call *c) IDV_CHECKED;
bool idvi_masa_can_sign(const EVP_PKEY *key);           /* in any form */
X509 *idvi_masa_pin_of(const struct idvi_masa_call *c); /* of its chain */
idv_rc idvi_masa_put_pin(struct idvi_masa_call *c,
                         struct idv_voucher *v) IDV_CHECKED;
idv_rc idvi_masa_put_key(const X509 *cert, struct idv_buf *out) IDV_CHECKED;
/* clock.c: 503 when it went back. */
idv_rc idvi_masa_check_clock(struct idvi_masa_call *c) IDV_CHECKED;
idv_rc idvi_masa_key_of(const X509 *cert,
                        uint8_t sha256[static 32]) IDV_CHECKED;
/* rate.c: 503 or 429 when somebody asks for too much. The first is of who has
 * signed, the second of device and domain; the last is what both say of one
 * that is over. */
idv_rc idvi_masa_limit_registrar(struct idvi_masa_call *c) IDV_CHECKED;
idv_rc idvi_masa_limit_rate(struct idvi_masa_call *c) IDV_CHECKED;
idv_rc idvi_masa_quota_over(struct idvi_masa_call *c) IDV_CHECKED;
/* signer.c: sets signer. */
idv_rc idvi_masa_choose_signer(struct idvi_masa_call *c) IDV_CHECKED;
idv_rc idvi_masa_check_signers(const struct idv_masa_maker *m) IDV_CHECKED;
/* nonceless.c: may it be without nonce (R-M-7, R-M-21), and until when it is
 * good then (R-M-16, R-M-17)? */
idv_rc idvi_masa_check_nonceless(struct idvi_masa_call *c) IDV_CHECKED;
idv_rc idvi_masa_set_expiry(struct idvi_masa_call *c,
                            struct idv_voucher *v) IDV_CHECKED;
/* The whole answers. */
idv_rc idvi_masa_voucher(struct idvi_masa_call *c) IDV_CHECKED;
idv_rc idvi_masa_auditlog(struct idvi_masa_call *c) IDV_CHECKED;

/*
 * draft.c: draft-ietf-anima-bootstrapping-keyinfra-02, section 5. A request is
 * {"nonce", "serialnumber"} in CMS, OwnershipValidation in it is not looked at;
 * any other member is IDV_E_FORMAT. It is read into out, a voucher-request, and
 * what that may not have is IDV_E_FORMAT or IDV_E_LIMIT.
 */
#define IDVI_MASA_TOKEN "application/pkcs7-mime"
bool idvi_masa_is_draft_media(const char *media); /* of such requests */
idv_rc idvi_masa_read_draft(struct idv_bytes payload,
                            struct idv_voucher *out) IDV_CHECKED;
/* 403 for what a token cannot say as a voucher would: an end, without nonce; a
 * pin other than the domain CA, which has to be among the certificates. */
idv_rc idvi_masa_check_draft(struct idvi_masa_call *c) IDV_CHECKED;
/* {"nonce", "serialnumber", "domainID"}, domainID being the SHA-1 of the key of
 * the domain CA, base64. */
idv_rc idvi_masa_put_token(const struct idvi_masa_call *c,
                           const struct idv_voucher *v,
                           struct idv_buf *out) IDV_CHECKED;
/* {"log": [{"date", "domainID", "nonce"}]}: all of it, or 403. */
idv_rc idvi_masa_put_draft_log(struct idvi_masa_call *c,
                               const struct idv_audit_log *log,
                               struct idv_buf *out) IDV_CHECKED;

/* auditlog.c: 200 with the log of this device. */
idv_rc idvi_masa_answer_log(struct idvi_masa_call *c) IDV_CHECKED;
/* location.c: 201 with where it is; and there. */
idv_rc idvi_masa_tell_location(struct idvi_masa_call *c) IDV_CHECKED;
bool idvi_masa_is_location(const struct idvi_masa_call *c);
idv_rc idvi_masa_location(struct idvi_masa_call *c) IDV_CHECKED;

/* log.c: the paths of the transparency log, if there is one. */
bool idvi_masa_is_log(const struct idvi_masa_call *c);
idv_rc idvi_masa_log(struct idvi_masa_call *c) IDV_CHECKED;

/* head.c: a head of so many leaves at least, made if need be. IDV_E_STATE: the
 * tree does not continue the last one. */
idv_rc idvi_masa_head(struct idv_masa *m, uint64_t need, struct idv_buf *item,
                      struct idv_tree_head *out) IDV_CHECKED;
/* Proofs as items. */
idv_rc idvi_masa_inclusion(struct idv_masa *m, const struct idv_log_id *log,
                           uint64_t index, uint64_t size,
                           struct idv_buf *out) IDV_CHECKED;
idv_rc idvi_masa_consistency(struct idv_masa *m, const struct idv_log_id *log,
                             uint64_t first, uint64_t second,
                             struct idv_buf *out) IDV_CHECKED;

#endif
