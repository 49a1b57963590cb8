/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge as a machine: from factory default to member of a domain. */
#ifndef IDEVID_PLEDGE_H
#define IDEVID_PLEDGE_H

#include <idevid/env.h>
#include <idevid/est.h>
#include <idevid/machine.h>
#include <idevid/offer.h>
#include <idevid/trust.h>
#include <idevid/voucher.h>

#define IDV_PATH_REQUESTVOUCHER "/.well-known/brski/requestvoucher"
#define IDV_PATH_VOUCHER_STATUS "/.well-known/brski/voucher_status"
#define IDV_PATH_ENROLLSTATUS "/.well-known/brski/enrollstatus"
#define IDV_PATH_REQUESTAUDITLOG "/.well-known/brski/requestauditlog"

struct idv_pledge_conf {
    EVP_PKEY *idevid_key;                /* borrowed */
    const STACK_OF(X509) * idevid_chain; /* leaf first; borrowed */
    const char *media;                   /* voucher form; NULL: CMS */
    struct idv_voucher_policy policy;    /* clock fields are filled from env */
    struct idv_trust *trust;             /* borrowed; where the result goes */

    /* where to go, in this order: "host:port", "[v6]:port", NULL-ended. A
     * link-local address has its zone: "[fe80::1%eth0]:8443". Copied. */
    const char *const *registrars;
    /* The maker's cloud registrar, last in order: "https://HOST[:PORT][/PATH]"
     * (without a path, the well-known one); copied, NULL: none. Its TLS is
     * never provisional: it is verified by cloud_anchors, the Implicit TA set,
     * and by its name. What it sends to (307, or the est-domain of a voucher)
     * goes by draft-ietf-anima-brski-cloud. */
    const char *cloud;
    const STACK_OF(X509) * cloud_anchors; /* borrowed */

    /* Makes the LDevID key inside the device and says where it lives. Called
     * at most once per enrollment; an existing unused key may be returned. */
    idv_rc (*make_key)(void *arg, enum idv_key_type type, EVP_PKEY **key,
                       char uri[static 512]);
    enum idv_key_type key_type; /* unless csrattrs asks for another */
    /* Opens the LDevID key of an earlier enrollment. */
    idv_rc (*open_key)(void *arg, const char *uri, EVP_PKEY **key);
    void *key_arg;
    /* Renewal asks for a certificate of a new key (make_key) instead of one of
     * the present key. Who makes them drops the old one, once the enrollment
     * names the new one. */
    bool renew_key;
    /* Renewal shows the LDevID before the present one, where nobody has been
     * let in with that yet (idv_trust_previous). */
    bool renew_previous;

    /* Makes evidence of the imprint for nonce (<idevid/evidence.h>), DER, at
     * most IDV_MAX_REPORTED bytes: the enrollstatus of a join carries it when
     * the registrar asks (struct idv_status_answer), or without being asked.
     * The nonce is the SHA-256 of the voucher-request that was granted, so one
     * that goes on after a restart, which has none, sends none. Where it cannot
     * be made that is logged, and the enrollment is none the worse. NULL:
     * never. */
    idv_rc (*evidence)(void *arg, struct idv_bytes nonce, struct idv_buf *out);
    void *evidence_arg;
    bool evidence_unasked;

    /* One line per thing that happened ("voucher", "imprinted", ...), for
     * people; may be NULL. With several lanes those of different registrars
     * come in between. */
    void (*progress)(void *arg, const char *event, const char *detail);
    void *progress_arg;

    /* tries of each registrar before giving up; 0: for ever. Between two
     * tries of one registrar the pause doubles from 5 s to an hour, each on
     * its own; different ones are begun 3 s apart (RFC 8995 section 4.1). */
    int attempts;
    /* When attempts are limited: how long from the beginning offers are awaited
     * (idv_pledge_offer), though all that are known have failed; 0: not at
     * all. */
    int patience_s;
    /* attempts side by side, each with a connection and a nonce of its own; 0:
     * 3; 1: one after the other; at most IDV_MAX_LANES */
    size_t lanes;
    /* A name that has several addresses of a family (IPv4, IPv6) and could not
     * be joined at is joined at each of them from then on, as if they were
     * registrars of their own, and all of that name: at most IDV_MAX_ADDRESSES.
     * Only for drivers that do IDV_ASK_LOOKUP, as idv_drive does. (One address
     * of each family is one registrar: drivers try both at once.) */
    bool addresses;
    /* other paces than those said above, for tests; 0: as said, -1: none */
    struct idv_pledge_pace {
        int spacing_s; /* between the beginnings of different ones */
        int first_s;   /* before the same one again, then doubled */
    } pace;
};

struct idv_pledge;
/* borrowed: env; what conf points to, as said there */
idv_rc idv_pledge_new(const struct idv_pledge_conf *conf,
                      const struct idv_env *env,
                      struct idv_pledge **out) IDV_CHECKED;
void idv_pledge_free(struct idv_pledge *p);

/*
 * The machine that joins. In state NONE it requests a voucher and imprints; in
 * IMPRINTED it goes on to enroll, only with registrars that validate against
 * the anchor; in ENROLLED it ends at once with IDV_OK and changes nothing.
 * It ends with IDV_OK (enrolled), or the class of what stood in the
 * way of the last attempt: IDV_E_REJECT (voucher or chain refused, or we were
 * refused), IDV_E_NET / IDV_E_TIMEOUT (network), IDV_E_DEVICE. Unless attempts
 * are limited it never ends in failure: with nobody to go to it waits for news.
 */
struct idv_machine idv_pledge_join(struct idv_pledge *p);
/*
 * The same over conf.lanes connections at a time. No registrar is in two lanes.
 * The first voucher that is valid imprints, and its lane goes on alone. A lane
 * without progress for 5 s is given up when another registrar is due and no
 * lane is free (RFC 8995 section 5.1); one that was told to wait (202) is
 * parked then, and asked again when it wanted to be, by the same request.
 */
struct idv_crew idv_pledge_join_crew(struct idv_pledge *p);

/*
 * The machine that renews the LDevID: in state ENROLLED it asks one of the
 * registrars (none given: the one that enrolled us) for a new certificate of
 * the same names, and the same key unless renew_key is set, showing the present
 * one (RFC 7030 section 4.2.2). The old one stays until somebody has been let
 * in with the new one: that is tried at once, by an enrollstatus over a new
 * connection; whether it was, idv_trust_previous says afterwards. Needs
 * open_key. IDV_E_STATE in another state; IDV_E_REJECT also when the
 * domain wants another kind of key now and the key is to stay.
 */
struct idv_machine idv_pledge_renew(struct idv_pledge *p);

/*
 * The machine for an LDevID that nobody takes any more, because it has expired
 * (RFC 8994 section 6.2.5.5): in state ENROLLED it enrolls once more with the
 * IDevID, with registrars that the present trust anchors vouch for, and nobody
 * else. Where none of these lets it in, only a reset makes way for a new
 * voucher: the anchor is sealed. IDV_E_STATE in another state.
 */
struct idv_machine idv_pledge_reenroll(struct idv_pledge *p);

/* Why the last voucher was refused; IDV_VERDICT_OK if none was. */
enum idv_verdict idv_pledge_verdict(const struct idv_pledge *p);

/* --- candidates that are found on the way
 * ------------------------------------------ */

/*
 * A candidate comes or goes; to be called between steps (an idv_watch's ready
 * is such a place), after which NEWS is to be told. What is known already
 * stays as it is, with its back-off; one that comes again after it was gone
 * begins anew. What goes while it is in use is forgotten when that attempt
 * ends. At most IDV_MAX_CANDIDATES are kept: one more takes the place of the
 * worst that is not in use, which is never one of the configuration, or is
 * dropped. IDV_E_ARG: no candidate at all (host, port, path malformed).
 */
idv_rc idv_pledge_offer(struct idv_pledge *p,
                        const struct idv_offer *o) IDV_CHECKED;
/* The link came up, or is another one: all back-offs begin anew (RFC 8995
 * section 4.1). To be called like idv_pledge_offer. */
void idv_pledge_link_up(struct idv_pledge *p);

/* --- what it is at --------------------------------------------------------
 */

struct idv_pledge_snapshot {
    enum idv_trust_state trust;
    bool renewing;
    size_t n_lanes;
    struct idv_pledge_lane {
        const char *stage; /* "idle", "identify", ... a static text */
        int candidate;     /* index below; -1 none */
        int stage_s;       /* for so long */
    } lanes[IDV_MAX_LANES];
    size_t n; /* candidates */
    struct idv_pledge_candidate {
        enum idv_origin origin;
        char host[256];
        uint16_t port;
        char address[64]; /* this one of host; "" any */
        bool busy;        /* in a lane */
        bool pending;     /* said 202, asks to be asked again */
        int tries;
        int due_s;        /* seconds until it is tried; 0 now; -1 no more */
        idv_rc last;      /* how the last attempt ended; IDV_OK: none did */
        char reason[160]; /* of that */
    } candidates[IDV_MAX_CANDIDATES];
};
/* at_ms: on the clock of idv_told, idv_ticks_ms() in a real driver. To be
 * called between steps. */
void idv_pledge_snapshot(const struct idv_pledge *p, int64_t at_ms,
                         struct idv_pledge_snapshot *out);

#endif
