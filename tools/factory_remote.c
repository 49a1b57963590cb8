/* SPDX-License-Identifier: Apache-2.0 */
/* A desk elsewhere: two requests over mutual TLS. */
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/json.h>

#include "factory_line.h"
#include "factory_trip.h"
#include "factory_wire.h"

struct remote {
    struct line_desk *desk; /* whose trips are counted */
    STACK_OF(X509) * anchors;
    struct trip_to to;
    /* what the last reply had for the next device of its order */
    uint8_t next[IDV_FACTORY_CHALLENGE];
    char next_order[IDV_FACTORY_NAME_MAX + 1]; /* "": none */
    int64_t next_at;                           /* tool_ms() */
};

/* The desk's are good for hours; one that waited longer than this is none, so
 * that a station that stood still begins anew. */
#define NEXT_MS 60000

/* --- what is answered
 * --------------------------------------------------------- */

static enum idv_factory_why why_from(const char *word)
{
    for (int w = 0; word && w < IDV_WHYS; w++) {
        if (strcmp(word, idv_factory_why_to_text((enum idv_factory_why)w)) == 0)
            return (enum idv_factory_why)w;
    }
    return IDV_WHY_NONE;
}

/* The desk's own words, where it gave some. */
static idv_rc refused(const struct idv_msg *reply, enum idv_factory_why *why)
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    if (idv_json_parse(idv_view(&reply->body), 0, &o) != IDV_OK)
        idv_note_clear();
    const char *note = idv_json_text(idv_json_get(o, "note"));
    *why = why_from(idv_json_text(idv_json_get(o, "why")));
    if (reply->status == 503 && *why == IDV_WHY_NONE)
        *why = IDV_WHY_CA;
    if (reply->status >= 500 && *why != IDV_WHY_STORE)
        return idv_fail(IDV_E_TIMEOUT, "desk: %d: %.300s", reply->status,
                        note ? note : "it does not say why");
    return idv_fail(IDV_E_REJECT, "desk: %.300s",
                    note ? note : "refused, and it does not say why");
}

static idv_rc go(struct remote *r, struct idv_msg *request,
                 struct idv_msg *reply, enum idv_factory_why *why)
{
    r->desk->trips++;
    idv_rc rc = trip_go(&r->to, request, reply);
    if (rc != IDV_OK) {
        *why = rc == IDV_E_REJECT ? IDV_WHY_NONE : IDV_WHY_CA;
        return rc;
    }
    return reply->status == 200 ? IDV_OK : refused(reply, why);
}

static idv_rc challenge_from(struct idv_bytes json,
                             uint8_t out[IDV_FACTORY_CHALLENGE])
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    IDV_AUTO(buf) raw = {.max = IDV_FACTORY_CHALLENGE};
    IDV_TRY(idv_json_parse(json, 0, &o));
    const char *text = idv_json_text(idv_json_get(o, "challenge"));
    if (!text)
        return idv_fail(IDV_E_FORMAT, "desk: no challenge");
    IDV_TRY(idv_base64_to_bytes(idv_str(text), IDV_BASE64_STRICT, &raw));
    if (raw.n != IDV_FACTORY_CHALLENGE)
        return idv_fail(IDV_E_FORMAT, "desk: a challenge of %zu bytes", raw.n);
    memcpy(out, raw.p, raw.n);
    return IDV_OK;
}

static idv_rc set_path(const struct remote *r, const char *path,
                       const char *rest, struct idv_msg *m)
{
    const int n = snprintf(m->path, sizeof(m->path), "%s%s%s", r->to.url.path,
                           path, rest);
    return n < (int)sizeof(m->path)
               ? IDV_OK
               : idv_fail(IDV_E_ARG, "[desk] url: path too long");
}

/* Once: a request that is refused asks for a new one. */
static bool take_next(struct remote *r, const char *order,
                      uint8_t out[IDV_FACTORY_CHALLENGE])
{
    const bool good = *r->next_order && strcmp(r->next_order, order) == 0 &&
                      tool_ms() - r->next_at < NEXT_MS;
    if (good)
        memcpy(out, r->next, sizeof(r->next));
    *r->next_order = 0;
    return good;
}

/* What is wrong in a reply is for who reads it to say. */
static void keep_next(struct remote *r, struct idv_bytes json)
{
    struct idv_factory_reply reply = {0};
    const bool older = *idv_note();
    *r->next_order = 0;
    if (idv_factory_reply_from_json(json, &reply) == IDV_OK && reply.has_next) {
        memcpy(r->next, reply.next_challenge, sizeof(r->next));
        memcpy(r->next_order, reply.order, sizeof(r->next_order));
        r->next_at = tool_ms();
    } else if (!older) {
        idv_note_clear();
    }
    idv_factory_reply_free(&reply);
}

static idv_rc remote_challenge(void *self, const char *order,
                               uint8_t out[IDV_FACTORY_CHALLENGE],
                               enum idv_factory_why *why)
{
    struct remote *r = self;
    struct idv_msg request, reply;
    if (take_next(r, order, out))
        return IDV_OK;
    idv_msg_init(&request);
    idv_msg_init(&reply);
    idv_rc rc = set_path(r, FACTORY_PATH_CHALLENGE, order, &request);
    if (rc == IDV_OK)
        rc = go(r, &request, &reply, why);
    if (rc == IDV_OK)
        rc = challenge_from(idv_view(&reply.body), out);
    idv_msg_free(&request);
    idv_msg_free(&reply);
    return rc;
}

static idv_rc remote_issue(void *self, struct idv_bytes cms,
                           struct idv_buf *out, enum idv_factory_why *why)
{
    struct remote *r = self;
    struct idv_msg request, reply;
    idv_msg_init(&request);
    idv_msg_init(&reply);
    request.verb = IDV_POST;
    snprintf(request.media, sizeof(request.media), IDV_MEDIA_REQUEST);
    snprintf(request.accept, sizeof(request.accept), IDV_MEDIA_REPLY);
    idv_rc rc = set_path(r, FACTORY_PATH_REQUEST, "", &request);
    if (rc == IDV_OK)
        rc = idv_buf_put(&request.body, cms);
    if (rc == IDV_OK)
        rc = go(r, &request, &reply, why);
    if (rc == IDV_OK)
        rc = idv_buf_put(out, idv_view(&reply.body));
    if (rc == IDV_OK)
        keep_next(r, idv_view(out));
    idv_msg_free(&request);
    idv_msg_free(&reply);
    return rc;
}

static void remote_free(void *self)
{
    struct remote *r = self;
    idv_certs_free(r->anchors);
    free(r);
}

idv_rc line_desk_elsewhere(struct tool *t, const struct factory_conf *conf,
                           const struct tool_authority *station,
                           struct line_desk *out)
{
    struct remote *r = calloc(1, sizeof(*r));
    if (!r)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    r->desk = out;
    r->to = (struct trip_to){.name = "desk",
                             .env = t->env,
                             .key = station->key,
                             .chain = station->chain};
    idv_rc rc = idv_url_from_text(idv_str(conf->desk.url), &r->to.url);
    if (rc == IDV_OK)
        rc = idv_certs_open(conf->desk.anchors, NULL, &r->anchors);
    r->to.anchors = r->anchors;
    if (rc != IDV_OK) {
        remote_free(r);
        return rc;
    }
    *out =
        (struct line_desk){r, remote_challenge, remote_issue, remote_free, 0};
    return IDV_OK;
}
