/* SPDX-License-Identifier: Apache-2.0 */
/* One document from a server that is not ours. */
#ifndef IDEVID_NET_FETCH_H
#define IDEVID_NET_FETCH_H

#include <sys/socket.h>

#include <idevid/buf.h>
#include <idevid/err.h>

struct idv_fetch {
    const char *url;
    const char *anchors; /* PEM file of the server's anchors; NULL: those that
                            the system trusts, or: */
    struct idv_bytes anchors_pem; /* those; empty: see above */
    bool insecure_http; /* http: too; what begins with https: stays there */
    bool public_only;   /* addresses of the Internet alone, also where a name or
                           a redirection leads: whoever says the URL has no
                           business with ours */
    size_t max;         /* bytes; 0: IDV_MAX_BODY */
    int timeout_ms;     /* for all of it, names and redirections too; 0: 30 s */
};

/*
 * GET, blocking, appended to out (untouched on failure). Nothing from the
 * environment: no proxy, no netrc, no cookies; three redirections at most; no
 * compression, so that max bounds memory. IDV_E_ARG: not an https: URL;
 * IDV_E_REJECT: another status than 200 (named), or a certificate that is not
 * the host's; with public_only an address that is not (IDV_E_NET);
 * IDV_E_LIMIT: longer than max; IDV_E_TIMEOUT, IDV_E_NET.
 */
/* An address that public_only lets through. */
bool idvi_fetch_public(const struct sockaddr *a);
idv_rc idv_fetch(const struct idv_fetch *what, struct idv_buf *out) IDV_CHECKED;

#endif
