/* SPDX-License-Identifier: Apache-2.0 */
/* What both halves tell curl and hear from it. */
#ifndef IDEVID_NET_HTTP_H
#define IDEVID_NET_HTTP_H

#include <curl/curl.h>

#include <idevid/machine.h>

/* Compiled into both halves, which are linked apart. */

/* HTTPS 1.1 only; nothing from the environment, nothing followed, nothing
 * remembered. Certificates are left to the SSL_CTX callback. */
idv_rc idvi_http_options(CURL *easy) IDV_CHECKED;
/* Verb and body; body NULL: length unknown, from the read callback. */
void idvi_http_method(CURL *easy, const struct idv_msg *req,
                      const struct idv_buf *body);
/* IDV_E_ARG: not a host or not an absolute path without query. */
idv_rc idvi_http_url(const char *host, uint16_t port, const char *path,
                     struct idv_buf *out) IDV_CHECKED;
/* Host, Accept, Content-Type; nothing that curl would add by itself. */
idv_rc idvi_http_headers(const char *host, uint16_t port,
                         const struct idv_msg *req, bool chunked,
                         struct curl_slist **out) IDV_CHECKED;

/* Turns what curl says into a class and a note that begins with where. */
idv_rc idvi_http_failed(const char *where, CURL *easy, CURLcode code,
                        const char *detail);
/* The note of a callback that ended the transfer, where put before it. */
idv_rc idvi_http_refused(const char *where, idv_rc rc);

#endif
