/* SPDX-License-Identifier: Apache-2.0 */
/* The names that go into certificates: a template, filled for each device. */
#ifndef IDEVID_EST_PROFILE_H
#define IDEVID_EST_PROFILE_H

#include "idevid/est/server.h"

#define IDV_OID_ACP_NODE_NAME "1.3.6.1.5.5.7.8.10"

/* All borrowed; NULL leaves out. {serial} stands for the device's. */
struct idv_est_profile {
    const char *subject;      /* "TYPE=value, ..."; NULL: "CN={serial}" */
    const char *const *names; /* DNS names, NULL-ended */
    /* Names of one device alone, added to a list of strings; NULL ok. */
    idv_rc (*approved)(void *arg, const char *serial, char ***names);
    void *arg;
    /* The domain of an Autonomic Control Plane, its routing subdomain, and who
     * gives addresses in it: acp_registrar is unique among those who do. */
    const char *acp_domain, *acp_rsub;
    uint8_t acp_registrar[6];
};

/* IDV_E_ARG names what cannot be a name, whatever the device. */
idv_rc idv_est_profile_check(const struct idv_est_profile *p) IDV_CHECKED;

/*
 * Fills subject and extensions (a subjectAltName, if there are names) of g.
 * number, 1 to 32767, is the device's own in the ACP; not looked at without
 * acp_domain. IDV_E_REJECT: a serial number that makes no DNS name.
 */
idv_rc idv_est_profile_grant(const struct idv_est_profile *p,
                             const char *serial, int64_t number,
                             struct idv_est_grant *g) IDV_CHECKED;

/* A name from a pattern, with a serialNumber RDN if number is set. */
idv_rc idv_est_subject(const char *pattern, const char *serial, bool number,
                       X509_NAME **out) IDV_CHECKED;

/*
 * acp-node-name (RFC 8994 section 6.2.2) of a node with an address of the Zone
 * Addressing Sub-Scheme, zone 0 (sections 6.11.2 and 6.11.3). IDV_E_LIMIT: the
 * registrar has no more numbers.
 */
idv_rc idv_est_acp_name(const struct idv_est_profile *p, int64_t number,
                        struct idv_buf *out) IDV_CHECKED;

/* The pattern with its holes filled, appended. */
idv_rc idvi_est_fill(const char *pattern, const char *serial,
                     struct idv_buf *out) IDV_CHECKED;

#endif
