/* SPDX-License-Identifier: Apache-2.0 */
/* One request to the registrar on its way through the steps. */
#ifndef IDEVID_REGISTRAR_CALL_H
#define IDEVID_REGISTRAR_CALL_H

#include <pthread.h>
#include <sys/queue.h>

#include <idevid/auto.h>

#include "idevid/base/refuse.h"
#include "idevid/envelope/carried.h"
#include "idevid/registrar/registrar.h"
#include "idevid/tree/entry.h"
#include "idevid/tree/item.h"

#define IDVI_BRSKI "/.well-known/brski"

/* Wrong passwords of the present minute, by a hash of the address. */
struct idvi_tries {
    pthread_mutex_t lock;
    int64_t minute;
    unsigned all;
    uint8_t of[256];
};

/* Makers that connections' certificates were verified to be of, in this second:
 * a connection's next request need not be told again. */
#define IDVI_MADE 64
struct idvi_made {
    pthread_mutex_t lock;
    struct idvi_made_one {
        uint64_t connection;
        uint8_t leaf_sha256[32];
        int64_t at;
        const struct idv_registrar_maker *maker;
        struct idv_devid id;
    } by[IDVI_MADE];
};

/* Calls that ask a MASA, which others leave to them. */
struct idvi_asking {
    pthread_mutex_t lock;
    LIST_HEAD(, idvi_reg_call) calls;
};

struct idv_registrar {
    struct idvi_asking asking;
    struct idvi_tries tries;
    struct idvi_made made;
    struct idv_registrar_conf conf;
    const struct idv_env *env;
    char **known; /* domainIDs that the audit policy knows, ours among them */
    size_t own_from;       /* ours begin here */
    STACK_OF(X509) * sent; /* of conf.chain what goes with requests */
};

struct idvi_reg_call {
    LIST_ENTRY(idvi_reg_call) asks_link;
    bool asks; /* is among asking */
    struct idv_registrar *reg;
    struct idv_call *call;
    struct idvi_refusal no;
    int64_t now;

    /* whom it wants to enroll with */
    const struct idv_registrar_ca *ca;

    /* who asks: one of an IDevID (maker set) and an LDevID (issued set) */
    X509 *leaf; /* borrowed from the peer */
    uint8_t leaf_sha256[32];
    const struct idv_registrar_maker *maker;
    struct idv_devid id;
    struct idv_issued issued;
    bool renewal; /* its LDevID may have ended, if the CA forgives that */

    char user[IDV_MAX_SERIAL + 1]; /* or by password; "" not */

    /* what the pledge sent */
    uint8_t pvr_sha256[32]; /* of the body as it came */
    struct idvi_carried request;
    struct idv_opened opened;
    struct idv_voucher pvr;

    struct idv_session session;
    /* set when call->up is to be done, or (next) the store; called then */
    enum idv_next next;
    idv_rc (*resume)(struct idvi_reg_call *c, struct idv_told *told);
    struct idv_told *told; /* what another CA answered; borrowed */
    /* where an audit ends: *unknown why no judgement was possible, or NULL */
    idv_rc (*audited)(struct idvi_reg_call *c, const char *unknown);
    /* what the maker's transparency log is asked about */
    struct idv_hash leaf_hash;
    struct idv_tree_head kept_head; /* size 0: none */
};

/* identity.c: IDV_E_ARG when its certificates are not a registrar's; where
 * vouchers pin, an index of its chain, perhaps behind the end; and what its
 * certificates lack that they should have, for people. */
idv_rc
idvi_reg_check_identity(const struct idv_registrar_conf *conf) IDV_CHECKED;
int idvi_reg_pinned(const struct idv_registrar_conf *conf);
void idvi_reg_tell_identity(const struct idv_registrar *r);

/* upstream.c: it does not ask a MASA any more. */
void idvi_reg_asks_no_more(struct idvi_reg_call *c);

/* Each step: IDV_OK, or IDV_E_REJECT with no filled, or an internal failure.
 */

/* claim.c: where unauthenticated devices are heeded, who has shown no
 * certificate is whom the request names; as long as the connection lasts. */
idv_rc idvi_reg_claim(struct idvi_reg_call *c) IDV_CHECKED;

/* identify.c: the TLS client certificate is an IDevID of a known maker. */
idv_rc idvi_reg_identify(struct idvi_reg_call *c) IDV_CHECKED;
/* ... or an LDevID of this domain (*found), with the leaf set in any case. */
idv_rc idvi_reg_ldevid(struct idvi_reg_call *c, bool *found) IDV_CHECKED;
/* One of the two, or neither, which is no refusal; also without a certificate.
 */
idv_rc idvi_reg_recognise(struct idvi_reg_call *c) IDV_CHECKED;

/* serial.c: what cert says of the device, the serial number from where its
 * maker puts it. */
idv_rc idvi_reg_device_of(const X509 *cert,
                          const struct idv_registrar_maker *maker,
                          struct idv_devid *out) IDV_CHECKED;

/* The model as rules call it; "" unknown. */
void idvi_reg_model_of(const struct idvi_reg_call *c,
                       char out[static IDV_MAX_PATTERN + 1]);

/* finding.c: keeps what a person should look at, of the device or of its maker
 * (the same again is counted); tells of a mode of less security in use, and of
 * all that are configured. Who calls logs, if that is news. */
idv_rc idvi_reg_found(struct idvi_reg_call *c, const char *kind,
                      const char *fmt, ...) IDV_CHECKED
    __attribute__((format(printf, 3, 4)));
idv_rc idvi_reg_found_of_maker(struct idvi_reg_call *c, const char *kind,
                               const char *detail) IDV_CHECKED;
void idvi_reg_reduced(const struct idvi_reg_call *c, const char *mode);
void idvi_reg_tell_modes(const struct idv_registrar *r);
/* of the session or of the certificate */
const char *idvi_reg_serial_of(const struct idvi_reg_call *c);

/* body.c: fills c->request; answers with the session's voucher. */
idv_rc idvi_reg_take_body(struct idvi_reg_call *c) IDV_CHECKED;
idv_rc idvi_reg_answer_voucher(struct idvi_reg_call *c) IDV_CHECKED;

/* request.c, policy.c, upstream.c, relay.c: requestvoucher. */
idv_rc idvi_reg_requestvoucher(struct idvi_reg_call *c) IDV_CHECKED;
idv_rc idvi_reg_policy(struct idvi_reg_call *c) IDV_CHECKED;
/* What people or a rule say since the voucher was given. A maker's "listed" is
 * for devices that come anew. */
idv_rc idvi_reg_check_denied(struct idvi_reg_call *c) IDV_CHECKED;
idv_rc idvi_reg_decision(struct idvi_reg_call *c, bool ask,
                         enum idv_decision *out) IDV_CHECKED;
idv_rc idvi_reg_ask_masa(struct idvi_reg_call *c) IDV_CHECKED;
idv_rc idvi_reg_relay(struct idvi_reg_call *c,
                      struct idv_told *told) IDV_CHECKED;
/* Fills call->up for a request to the device's MASA. operation is the last
 * part of the path. */
idv_rc idvi_reg_upstream(struct idvi_reg_call *c, const char *operation,
                         const char *accept) IDV_CHECKED;
/* "Later": 202 with Retry-After. */
idv_rc idvi_reg_defer(struct idvi_reg_call *c, const char *why,
                      int64_t seconds) IDV_CHECKED;

/* The certificate that this connection showed. */
const X509 *idvi_reg_shown(const struct idvi_reg_call *c);
/* What every request begins with: form, signature, serial number. */
idv_rc idvi_reg_check_types(struct idvi_reg_call *c) IDV_CHECKED;
idv_rc idvi_reg_open_request(struct idvi_reg_call *c) IDV_CHECKED;

/* cloud.c: all paths of a cloud registrar. */
idv_rc idvi_reg_cloud(struct idvi_reg_call *c) IDV_CHECKED;
/* status.c: it is logged there. */
idv_rc idvi_reg_cloud_status(struct idvi_reg_call *c) IDV_CHECKED;

/* session.c: the ledger. */
idv_rc idvi_reg_session_load(struct idvi_reg_call *c) IDV_CHECKED;
/* Writes session if it still is in state from; *done false: somebody else was
 * faster and session is what they wrote. */
idv_rc idvi_reg_session_save(struct idvi_reg_call *c,
                             enum idv_session_state from,
                             bool *done) IDV_CHECKED;
/* The same with a new state; loses quietly. */
idv_rc idvi_reg_session_move(struct idvi_reg_call *c,
                             enum idv_session_state to) IDV_CHECKED;
/* The device's newest session with a voucher, or refused with status. */
idv_rc idvi_reg_session_of_device(struct idvi_reg_call *c,
                                  const uint8_t idevid_sha256[32],
                                  int status) IDV_CHECKED;

/* stored.c: answers with a voucher had ahead, if there is one and its maker's
 * entry lets it be used (*done). */
idv_rc idvi_reg_use_stored(struct idvi_reg_call *c, bool *done) IDV_CHECKED;
/* Begins a session for a device that was imprinted elsewhere and may enroll
 * (*done): by an approval, or a voucher had ahead. */
idv_rc idvi_reg_adopt(struct idvi_reg_call *c, bool *done) IDV_CHECKED;

/* history.c: the log beside our own ledger. */
idv_rc idvi_reg_compare_history(struct idvi_reg_call *c,
                                const struct idv_audit_log *log) IDV_CHECKED;
/* The event of the session's own voucher, or NULL. */
const struct idv_audit_event *
idvi_reg_own_event(const struct idvi_reg_call *c,
                   const struct idv_audit_log *log);

/* evidence.c: is *good for an enrollment? What came is judged and kept. */
idv_rc idvi_reg_take_evidence(struct idvi_reg_call *c, bool *good) IDV_CHECKED;

/* audit.c: asks the MASA for the log, judges it, then calls c->audited. */
idv_rc idvi_reg_audit(struct idvi_reg_call *c) IDV_CHECKED;
/* Keeps the judgement and calls c->audited. */
idv_rc idvi_reg_conclude(struct idvi_reg_call *c, bool good,
                         const char *reason) IDV_CHECKED;
/* tree.c: the log was acceptable; before that is concluded the maker's
 * transparency log is asked, if it shall be. */
idv_rc idvi_reg_ask_tree(struct idvi_reg_call *c,
                         const struct idv_audit_log *log) IDV_CHECKED;
/* Is it the connection on which the session's log was judged? */
bool idvi_reg_same_connection(const struct idvi_reg_call *c);

/* status.c */
idv_rc idvi_reg_voucher_status(struct idvi_reg_call *c) IDV_CHECKED;
idv_rc idvi_reg_enrollstatus(struct idvi_reg_call *c) IDV_CHECKED;
/* SHA-256 of the certificate that the first of a line of renewed certificates
 * was issued to; from c->issued. */
idv_rc idvi_reg_first_client(struct idvi_reg_call *c,
                             uint8_t out[static 32]) IDV_CHECKED;

/* label.c: which CA the path is of; takes the label out of it. */
idv_rc idvi_reg_label(struct idvi_reg_call *c) IDV_CHECKED;
idv_rc idvi_reg_check_labels(const struct idv_registrar_conf *conf) IDV_CHECKED;
/* list.c: /crl/NAME.crl */
bool idvi_reg_is_crl(const char *path);
idv_rc idvi_reg_crl(struct idvi_reg_call *c) IDV_CHECKED;

/* grant.c: the names that this client gets, whoever it is. */
idv_rc idvi_reg_grant(struct idvi_reg_call *c,
                      struct idv_est_grant *g) IDV_CHECKED;
/* ... those that a request must carry; *san NULL: none. */
idv_rc idvi_reg_names(struct idvi_reg_call *c,
                      X509_EXTENSION **san) IDV_CHECKED;

/* revoke.c: the certificate that a device says it cannot use: its own, or the
 * last that was issued to its IDevID. */
idv_rc idvi_reg_revoke_unused(struct idvi_reg_call *c,
                              bool by_ldevid) IDV_CHECKED;

/* users.c: who shows no certificate proves to be a user, or is refused. */
idv_rc idvi_reg_user(struct idvi_reg_call *c) IDV_CHECKED;
idv_rc idvi_reg_check_users(const struct idv_registrar_users *u) IDV_CHECKED;
/* How long at most what this client gets lives; 0: as it is. */
int64_t idvi_reg_limit(const struct idvi_reg_call *c);

/* enroll.c */
idv_rc idvi_reg_est(struct idvi_reg_call *c) IDV_CHECKED;

#endif
