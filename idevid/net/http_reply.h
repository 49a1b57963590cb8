/* SPDX-License-Identifier: Apache-2.0 */
/* Collects an HTTP reply from a hostile server within bounds. */
#ifndef IDEVID_NET_HTTP_REPLY_H
#define IDEVID_NET_HTTP_REPLY_H

#include <idevid/env.h>
#include <idevid/machine.h>

#define IDVI_MAX_HEADER (16 * 1024) /* all header lines of a reply */
#define IDVI_RETRY_DATE 60          /* for a date, without a clock to judge */
#define IDVI_RETRY_MAX (366 * 24 * 3600)

/* Compiled into both halves, which are linked apart. */
struct idvi_reply {
    struct idv_msg msg;
    const struct idv_env *env;
    size_t header_n;
    bool location, media; /* seen */
    bool ended;           /* the header */
    bool chunked;         /* the body, and that alone */
    bool coded;           /* another Transfer-Encoding: no framing at all */
    int64_t length;       /* announced of the body; -1 not */
};

void idvi_reply_init(struct idvi_reply *r, const struct idv_env *env);
void idvi_reply_free(struct idvi_reply *r);
/*
 * One header line, with or without its line end. A status line begins anew
 * (100 Continue). IDV_E_LIMIT: too many bytes, a Location or media type over
 * its bound; IDV_E_FORMAT: control characters in those, or two that differ; a
 * Content-Length that is not a number, or another one.
 */
idv_rc idvi_reply_header(struct idvi_reply *r,
                         struct idv_bytes line) IDV_CHECKED;
/*
 * Is it all there, now that curl calls the transfer done? Judged by what was
 * counted here, because to curl any end of the connection ends a header, or a
 * body of unknown length: the header ended, and the body has its length; or it
 * was in chunks, whose end curl insists on; or the connection was ended by a
 * close_notify (goodbye), which comes after all data however it arrives.
 */
bool idvi_reply_whole(const struct idvi_reply *r, bool goodbye);
idv_rc idvi_reply_body(struct idvi_reply *r, struct idv_bytes add) IDV_CHECKED;
/* Seconds from delta-seconds or an HTTP-date; -1 if it is neither. A date is
 * judged by a trusted clock, otherwise it means IDVI_RETRY_DATE. */
int idvi_retry_after(const struct idv_env *env, struct idv_bytes value);

#endif
