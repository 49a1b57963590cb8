/* SPDX-License-Identifier: Apache-2.0 */
/* The CRLs of whoever issued the LDevID and its chain: fetched and kept. */
#ifndef TOOL_PLEDGE_CRL_H
#define TOOL_PLEDGE_CRL_H

#include <idevid/auto.h>

#include "crl.h"
#include "state.h"

/*
 * Fetches what the certificates name (CRL distribution points) and keeps it
 * beside the other state. One that cannot be had, or is not accepted, leaves
 * the one before; it is logged, and *what says so. *changed: others are kept
 * than before. Nothing is named: nothing is done.
 */
idv_rc pledge_crl_fetch(const struct state *s, bool *changed,
                        char what[static IDV_NOTE_MAX]) IDV_CHECKED;

struct pledge_crl {
    bool wanted;     /* a certificate names one */
    int64_t until;   /* nextUpdate, the earliest; 0: none is kept */
    int64_t refresh; /* when to fetch again; 1: at once; 0: never */
    struct idv_buf pem;
};
void pledge_crl_free(struct pledge_crl *c);
idv_rc pledge_crl_look(const struct state *s,
                       struct pledge_crl *out) IDV_CHECKED;

/* --- what both sides need ------------------------------------------------- */

typedef STACK_OF(X509_CRL) idv_crls;
static inline void idv_crls_free(idv_crls *all)
{
    sk_X509_CRL_pop_free(all, X509_CRL_free);
}
IDV_AUTO_PTR_DEFINE(X509_CRL, X509_CRL_free)
IDV_AUTO_PTR_DEFINE(idv_crls, idv_crls_free)

/* One issuer's, and where to have it. */
struct crl_wanted {
    X509 *issuer;
    char **urls;    /* NULL: none */
    X509_CRL *kept; /* NULL: none; borrowed */
};
/* What the i-th certificate of the LDevID's chain names, if no earlier one has
 * the same issuer; urls is the caller's, idv_list_free. */
idv_rc pledge_crl_wanted(const struct idv_enrollment *e, int i,
                         const idv_crls *kept,
                         struct crl_wanted *out) IDV_CHECKED;
/* What the file has; one that cannot be read has none. */
idv_rc pledge_crls_kept(const struct state *s, idv_crls *out) IDV_CHECKED;
idv_rc pledge_crl_push(idv_crls *all, X509_CRL *crl) IDV_CHECKED; /* taken */
idv_rc pledge_crls_to_pem(const idv_crls *all, struct idv_buf *out) IDV_CHECKED;

#endif
