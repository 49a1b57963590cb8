/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge as a machine: from factory default to member of a domain. */
#ifndef IDEVID_PLEDGE_H
#define IDEVID_PLEDGE_H

#include <idevid/env.h>
#include <idevid/est.h>
#include <idevid/machine.h>
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

    /* One line per thing that happened ("voucher", "imprinted", ...), for
     * people; may be NULL. */
    void (*progress)(void *arg, const char *event, const char *detail);
    void *progress_arg;

    /* rounds over all registrars before giving up; 0: for ever. Between two
     * tries of one registrar the pause doubles from 5 s to an hour, each on
     * its own; different ones are 3 s apart (RFC 8995 section 4.1). */
    int attempts;
};

struct idv_pledge;
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
 * refused), IDV_E_NET / IDV_E_TIMEOUT (network), IDV_E_DEVICE.
 */
struct idv_machine idv_pledge_join(struct idv_pledge *p);

/*
 * The machine that renews the LDevID: in state ENROLLED it asks one of the
 * registrars (none given: the one that enrolled us) for a new certificate of
 * the same names, and the same key unless renew_key is set, showing the present
 * one (RFC 7030 section 4.2.2). The old one stays until the new one is stored.
 * Needs open_key. IDV_E_STATE in another state; IDV_E_REJECT also when the
 * domain wants another kind of key now and the key is to stay.
 */
struct idv_machine idv_pledge_renew(struct idv_pledge *p);

/* Why the last voucher was refused; IDV_VERDICT_OK if none was. */
enum idv_verdict idv_pledge_verdict(const struct idv_pledge *p);

#endif
