/* SPDX-License-Identifier: Apache-2.0 */
/* ca: the desk as a service, for stations over mutual TLS. */
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "factory.h"
#include "factory_line.h"
#include "factory_wire.h"
#include "service.h"

struct worker {
    struct line l;
    EVP_PKEY *key;
    STACK_OF(X509) * chain, *stations;
};

static void clear(void *self)
{
    struct worker *w = self;
    line_close(&w->l);
    EVP_PKEY_free(w->key);
    idv_certs_free(w->chain);
    idv_certs_free(w->stations);
}

/* --- answers ----------------------------------------------------------------
 */

static int status_of(idv_rc rc, enum idv_factory_why why)
{
    switch (why) {
    case IDV_WHY_CA:
    case IDV_WHY_STORE:
        return 503;
    case IDV_WHY_STATION:
        return 403;
    case IDV_WHY_ORDER:
        return 404;
    case IDV_WHY_DUPLICATE:
    case IDV_WHY_RETIRED:
    case IDV_WHY_HAS_ONE:
        return 409;
    case IDV_WHY_REQUEST:
        return rc == IDV_E_LIMIT ? 413 : 400;
    case IDV_WHY_NONE:
        return 500;
    default:
        return 422;
    }
}

#define RETRY_S 5

static idv_rc refuse(struct tool *t, struct idv_call *call, idv_rc rc,
                     enum idv_factory_why why)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    IDV_AUTO(buf) text = {0};
    char note[IDV_NOTE_MAX];
    const int status = status_of(rc, why);
    snprintf(note, sizeof(note), "%s", idv_note());
    idv_log(t->env, IDV_LOG_WARN, "refused", "why=%s address=%s note=%s",
            idv_factory_why_to_text(why), call->peer->address,
            idv_log_value(note));
    idv_note_clear();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(tool_put_text(o, "why", idv_factory_why_to_text(why)));
    IDV_TRY(tool_put_text(o, "note", note));
    IDV_TRY(idv_json_dump(o, false, &text));
    if (status == 503)
        call->reply.retry_after = RETRY_S;
    return idv_msg_reply(&call->reply, status, FACTORY_MEDIA_JSON,
                         idv_view(&text));
}

static idv_rc challenge(struct worker *w, struct idv_call *call)
{
    const char *order = call->req.path + sizeof(FACTORY_PATH_CHALLENGE) - 1;
    uint8_t raw[IDV_FACTORY_CHALLENGE];
    enum idv_factory_why why = IDV_WHY_NONE;
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    IDV_AUTO(buf) text = {0};
    idv_rc rc = w->l.desk.challenge(w->l.desk.self, order, raw, &why);
    if (rc != IDV_OK)
        return refuse(w->l.t, call, rc, why);
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_json_set(o, "challenge",
                         idv_json_new_base64(idv_bytes(raw, sizeof(raw)))));
    IDV_TRY(idv_json_dump(o, false, &text));
    return idv_msg_reply(&call->reply, 200, FACTORY_MEDIA_JSON,
                         idv_view(&text));
}

static struct idv_desk_peer peer_of(const struct idv_peer *peer)
{
    return (struct idv_desk_peer){peer->address, sk_X509_value(peer->chain, 0)};
}

static idv_rc request(struct worker *w, struct idv_call *call)
{
    enum idv_factory_why why = IDV_WHY_NONE;
    IDV_AUTO(buf) reply = {.max = IDV_MAX_BODY};
    if (!idv_media_is(call->req.media, IDV_MEDIA_REQUEST))
        return idv_msg_refuse(&call->reply, 415,
                              "a request is " IDV_MEDIA_REQUEST);
    const struct idv_desk_peer from = peer_of(call->peer);
    idv_rc rc = idv_desk_issue(line_desk_of(&w->l.desk),
                               idv_view(&call->req.body), &from, &reply, &why);
    if (rc != IDV_OK)
        return refuse(w->l.t, call, rc, why);
    idv_log(w->l.t->env, IDV_LOG_INFO, "issued", "address=%s",
            call->peer->address);
    return idv_msg_reply(&call->reply, 200, IDV_MEDIA_REPLY, idv_view(&reply));
}

/* Who shows no certificate of a station is told nothing. */
static idv_rc is_station(const struct worker *w, const struct idv_peer *peer)
{
    const struct idv_chain_policy policy = {
        .anchors = w->stations,
        .extra = peer->chain,
        .check_time = idv_clock_trusted(w->l.t->env),
        .now = idv_now(w->l.t->env),
    };
    if (sk_X509_num(peer->chain) < 1)
        return idv_fail(IDV_E_REJECT, "a station shows its certificate");
    return idv_chain_verify(sk_X509_value(peer->chain, 0), &policy);
}

static idv_rc serve(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    struct worker *w = self;
    (void)told;
    *next = IDV_NEXT_REPLY;
    idv_rc rc = is_station(w, call->peer);
    if (rc != IDV_OK) {
        const struct idv_desk_peer from = peer_of(call->peer);
        idv_desk_turned_away(line_desk_of(&w->l.desk), &from, IDV_WHY_STATION);
        return refuse(w->l.t, call, rc, IDV_WHY_STATION);
    }
    const size_t n = sizeof(FACTORY_PATH_CHALLENGE) - 1;
    if (strncmp(call->req.path, FACTORY_PATH_CHALLENGE, n) == 0 &&
        call->req.verb == IDV_GET)
        return challenge(w, call);
    if (strcmp(call->req.path, FACTORY_PATH_REQUEST) == 0)
        return call->req.verb == IDV_POST
                   ? request(w, call)
                   : idv_msg_refuse(&call->reply, 405, "POST only");
    return idv_msg_refuse(&call->reply, 404, "nothing here");
}

/* what the server made nothing of: too long, or no HTTP */
static void turned_away(void *self, const struct idv_peer *peer)
{
    struct worker *w = self;
    const struct idv_desk_peer from = peer_of(peer);
    (void)idv_fail(IDV_E_FORMAT,
                   "HTTP: no request that is taken, or more than "
                   "%d bytes",
                   IDV_MAX_BODY);
    idv_desk_turned_away(line_desk_of(&w->l.desk), &from, IDV_WHY_REQUEST);
    idv_note_clear();
}

/* --- running ----------------------------------------------------------------
 */

static idv_rc setup(struct tool *t, void *self, struct idv_server_worker *out)
{
    struct worker *w = self;
    const struct factory_desk_conf *c = &factory_conf.desk;
    IDV_TRY(idv_certs_open(c->certificate, &tool_pin, &w->chain));
    IDV_TRY(idv_key_open(c->key, &tool_pin, &w->key));
    IDV_TRY(idv_certs_open(c->stations, NULL, &w->stations));
    IDV_TRY(line_open_book(t, &factory_conf, &w->l));
    IDV_TRY(line_desk_here(t, &factory_conf, &w->l.store, &w->l.desk));
    out->key = w->key;
    out->chain = w->chain;
    out->service = (struct idv_service){serve, w};
    out->turned_away = turned_away;
    return IDV_OK;
}

idv_rc factory_ca(struct tool *t, int argc, char **argv)
{
    const struct factory_desk_conf *c = &factory_conf.desk;
    const struct service_conf conf = {.listen = c->listen,
                                      .database = factory_conf.database,
                                      .workers = c->workers,
                                      .max_connections = c->max_connections};
    const struct service s = {.tool = t,
                              .conf = &conf,
                              .size = sizeof(struct worker),
                              .setup = setup,
                              .clear = clear};
    (void)argc;
    opt.dir = argv[0];
    IDV_TRY(factory_configured());
    if (c->url)
        return idv_fail(IDV_E_ARG, "ca: the configuration names a desk "
                                   "elsewhere ([desk] url)");
    if (!c->key || !c->certificate)
        return idv_fail(IDV_E_ARG, "[desk] key and certificate are missing");
    return service_run(&s);
}

const struct tool_option factory_ca_options[] = {{0}};
