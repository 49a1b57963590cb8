/* SPDX-License-Identifier: Apache-2.0 */
/* S3 redirected: at most once to another origin, still provisional. */
#include <string.h>
#include <strings.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "pledge/pledge_priv.h"

#define MAX_SAME_ORIGIN 3

/* RFC 9110: only these keep method and body; a voucher-request turned into a
 * GET would mean nothing. */
static idv_rc check_kind(const struct idv_msg *reply)
{
    if (reply->status != 307 && reply->status != 308)
        return idv_fail(IDV_E_REJECT, "redirect: %d would drop the request",
                        reply->status);
    if (!reply->location[0])
        return idv_fail(IDV_E_REJECT, "redirect: without a Location");
    return IDV_OK;
}

/* An absolute https URL, or a path on the same origin. */
static idv_rc target(const struct idvi_attempt *a, const char *location,
                     struct idv_url *to)
{
    IDV_AUTO(buf) text = {0};
    const bool relative = location[0] == '/' && location[1] != '/';
    if (relative)
        IDV_TRY(idv_buf_puts(&text, "https://same.invalid"));
    else if (strncasecmp(location, "https://", 8) != 0)
        return idv_fail(IDV_E_REJECT, "redirect: to something other than "
                                      "https");
    IDV_TRY(idv_buf_puts(&text, location));
    IDV_TRY(idv_url_from_text(idv_view(&text), to));
    if (relative) {
        memcpy(to->host, a->at.host, sizeof(to->host));
        to->port = a->at.port;
    }
    return IDV_OK;
}

static idv_rc set_path(struct idvi_attempt *a, const char *path)
{
    return idv_text_copy(a->path, sizeof(a->path), idv_str(path),
                         "redirect: path");
}

static idv_rc within(struct idvi_attempt *a, const char *path,
                     struct idv_told *told, struct idv_ask *ask)
{
    const char *here = a->path[0] ? a->path : IDV_PATH_REQUESTVOUCHER;
    if (strcmp(path, here) == 0 || a->redirects++ >= MAX_SAME_ORIGIN)
        return idv_fail(IDV_E_REJECT, "redirect: in a circle");
    IDV_TRY(set_path(a, path));
    return idvi_request_again(a, told, ask);
}

static idv_rc across(struct idvi_attempt *a, const struct idv_url *to,
                     const char *path, struct idv_ask *ask)
{
    if (a->crossed)
        return idv_fail(IDV_E_REJECT, "redirect: a second time to another "
                                      "origin");
    idvi_request_forget(a);
    a->crossed = true;
    a->at = *to;
    a->address[0] = 0;
    a->at.path[0] = 0;
    IDV_TRY(set_path(a, path));
    idvi_say(a, "redirect", to->host);
    return idvi_request_connect(a, ask);
}

idv_rc idvi_redirect(struct idvi_attempt *a, struct idv_told *told,
                     struct idv_ask *ask)
{
    struct idv_url to;
    IDV_TRY(check_kind(&told->msg));
    IDV_TRY(target(a, told->msg.location, &to));
    const char *path = to.path[0] ? to.path : IDV_PATH_REQUESTVOUCHER;
    if (a->cloud.on)
        return idvi_cloud_redirect(a, &to, path, told->msg.status, ask);
    if (idv_url_same_origin(&to, &a->at))
        return within(a, path, told, ask);
    return across(a, &to, path, ask);
}
