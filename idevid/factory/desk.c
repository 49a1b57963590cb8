/* SPDX-License-Identifier: Apache-2.0 */
/* The desk: a request comes in, is judged step by step, and a reply goes out.
 */
#include <string.h>

#include <idevid/json.h>
#include <idevid/limits.h>
#include <idevid/x509.h>

#include "factory/desk_int.h"

#define CHALLENGE_S 86400

/* --- made, freed ---------------------------------------------------------- */

static idv_rc check_ca(const struct idv_desk_ca *ca)
{
    if (!ca || !ca->issue || !ca->chain ||
        sk_X509_num(ca->chain(ca->self)) <= 0)
        return idv_fail(IDV_E_ARG, "desk: no CA");
    return IDV_OK;
}

static idv_rc check_conf(const struct idv_desk_conf *c)
{
    if (!c->store || !c->env || !c->idevid)
        return idv_fail(IDV_E_ARG, "desk: no store, template or clock");
    if (sk_X509_num(c->stations) <= 0)
        return idv_fail(IDV_E_ARG, "desk: no station is known");
    if (c->challenge_s < 0)
        return idv_fail(IDV_E_ARG, "desk: challenges good for %lld s",
                        (long long)c->challenge_s);
    IDV_TRY(check_ca(c->ca));
    if (c->iak_ca)
        IDV_TRY(check_ca(c->iak_ca));
    return idvi_template_check(c->idevid, idv_now(c->env));
}

idv_rc idv_desk_new(const struct idv_desk_conf *conf, struct idv_desk **out)
{
    IDV_TRY(check_conf(conf));
    struct idv_desk *d = calloc(1, sizeof(*d));
    if (!d)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    d->conf = *conf;
    d->lifetime = conf->challenge_s ? conf->challenge_s : CHALLENGE_S;
    *out = d;
    return IDV_OK;
}

void idv_desk_free(struct idv_desk *d)
{
    if (d)
        idvi_strangers_close(d);
    free(d);
}

/* --- challenges ----------------------------------------------------------- */

idv_rc idvi_challenge_make(struct idv_desk *d, const char *order,
                           uint8_t out[IDV_FACTORY_CHALLENGE],
                           enum idv_factory_why *why)
{
    const struct idv_factory_store *s = d->conf.store;
    IDV_TRY(idvi_because(why, IDV_WHY_STORE,
                         idv_random(d->conf.env, out, IDV_FACTORY_CHALLENGE)));
    return idvi_store_because(
        why, s->challenge_add(s->self, order, out, idv_now(d->conf.env)));
}

idv_rc idv_desk_challenge(struct idv_desk *d, const char *order,
                          uint8_t out[IDV_FACTORY_CHALLENGE],
                          enum idv_factory_why *why)
{
    const struct idv_factory_store *s = d->conf.store;
    IDV_AUTO(buf) none = {0};
    bool there = false, found = false;
    *why = IDV_WHY_NONE;
    IDV_TRY(idvi_store_because(
        why, s->order_device(s->self, order, "", &there, &found, &none)));
    if (!there)
        return idvi_because(
            why, IDV_WHY_ORDER,
            idv_fail(IDV_E_REJECT, "order '%s': there is none such", order));
    return idvi_challenge_make(d, order, out, why);
}

/* --- before the proof ----------------------------------------------------- */

static idv_rc open_request(struct idv_desk *d, struct idv_bytes cms,
                           const struct idv_desk_peer *peer,
                           struct idv_factory_request *r,
                           enum idv_factory_why *why)
{
    const struct idv_env *env = d->conf.env;
    IDV_AUTO_PTR(X509) signer = NULL;
    idv_rc rc =
        idv_factory_request_open(cms, d->conf.stations, idv_clock_trusted(env),
                                 idv_now(env), r, &signer);
    IDV_TRY(idvi_because(
        why, rc == IDV_E_REJECT ? IDV_WHY_STATION : IDV_WHY_REQUEST, rc));
    if (peer && (!peer->cert || !idv_cert_eq(peer->cert, signer)))
        return idvi_because(
            why, IDV_WHY_STATION,
            idv_fail(IDV_E_REJECT,
                     "request: signed by station '%s', sent by '%s'",
                     r->station,
                     peer->cert ? idv_cert_subject(peer->cert) : "nobody"));
    return IDV_OK;
}

static idv_rc judge_profile(struct idv_desk *d,
                            const struct idv_factory_request *r)
{
    if (d->conf.profiles & 1u << r->profile)
        return IDV_OK;
    return idv_fail(IDV_E_REJECT, "profile %s: is not taken by this desk",
                    idv_factory_profile_to_text(r->profile));
}

/* the order may ask for a profile or a type of key */
static idv_rc judge_asked(const struct idv_json *device, const char *name,
                          const char *have)
{
    const char *asked = idv_json_text(idv_json_get(device, name));
    if (!asked || strcmp(asked, have) == 0)
        return IDV_OK;
    return idv_fail(IDV_E_REJECT, "order: asks for %s %s, not %s", name, asked,
                    have);
}

static idv_rc judge_wishes(const struct idv_factory_request *r,
                           struct idv_bytes device_json)
{
    IDV_AUTO_PTR(idv_json) device = NULL;
    IDV_TRY(idv_json_parse(device_json, 0, &device));
    IDV_TRY(judge_asked(device, "profile",
                        idv_factory_profile_to_text(r->profile)));
    return judge_asked(device, "type", idv_key_type_to_text(r->type));
}

static idv_rc judge_order(struct idv_desk *d,
                          const struct idv_factory_request *r,
                          struct idv_buf *device_json,
                          enum idv_factory_why *why)
{
    const struct idv_factory_store *s = d->conf.store;
    bool there = false, found = false;
    IDV_TRY(idvi_store_because(why, s->order_device(s->self, r->order,
                                                    r->serial_number, &there,
                                                    &found, device_json)));
    *why = IDV_WHY_ORDER;
    if (!there)
        return idv_fail(IDV_E_REJECT, "order '%s': there is none such",
                        r->order);
    if (!found)
        return idv_fail(IDV_E_REJECT, "order '%s': '%s' is not in it", r->order,
                        r->serial_number);
    return judge_wishes(r, idv_view(device_json));
}

static idv_rc judge_challenge(struct idv_desk *d,
                              const struct idv_factory_request *r,
                              enum idv_factory_why *why)
{
    const struct idv_factory_store *s = d->conf.store;
    bool found = false;
    int64_t made = 0;
    IDV_TRY(idvi_store_because(
        why,
        s->challenge_find(s->self, r->order, r->challenge, &found, &made)));
    *why = IDV_WHY_CHALLENGE;
    if (!found)
        return idv_fail(IDV_E_REJECT, "challenge: is not one of order '%s'",
                        r->order);
    int64_t age = idv_now(d->conf.env) - made;
    if (age > d->lifetime)
        return idv_fail(IDV_E_REJECT,
                        "challenge: is %lld s old, good for %lld s",
                        (long long)age, (long long)d->lifetime);
    return IDV_OK;
}

/* --- all ------------------------------------------------------------------ */

static idv_rc pass(struct idv_desk *d, struct idv_bytes request,
                   struct idvi_passage *p, enum idv_factory_why *why)
{
    IDV_TRY(idvi_because(why, IDV_WHY_REQUEST, judge_profile(d, &p->r)));
    IDV_TRY(judge_order(d, &p->r, &p->device_json, why));
    IDV_TRY(judge_challenge(d, &p->r, why));
    IDV_TRY(idv_desk_judge(&d->conf, &p->r, &p->proof, why));
    return idvi_desk_give(d, p, request, why);
}

/* What a station of ours was refused is in the book; that the CA or the book
 * is not there now is not about the device. */
static void note_refusal(struct idv_desk *d, struct idvi_passage *p,
                         enum idv_factory_why why)
{
    const struct idv_factory_store *s = d->conf.store;
    IDV_AUTO(buf) body = {0};
    char text[IDV_NOTE_MAX];
    if (why == IDV_WHY_CA || why == IDV_WHY_STORE)
        return;
    snprintf(text, sizeof(text), "%s", idv_note());
    idv_note_clear();
    if (idvi_desk_body(p, idv_factory_why_to_text(why), text, &body) !=
            IDV_OK ||
        s->note(s->self, "refused", p->r.serial_number, idv_view(&body),
                idv_now(d->conf.env)) != IDV_OK)
        idv_log_failure(d->conf.env, "desk.refusal-not-kept", IDV_E_IO);
    idv_note_clear();
    (void)idv_fail(IDV_E_REJECT, "%s", text);
}

idv_rc idv_desk_issue(struct idv_desk *d, struct idv_bytes request,
                      const struct idv_desk_peer *peer, struct idv_buf *reply,
                      enum idv_factory_why *why)
{
    struct idvi_passage p = {0};
    *why = IDV_WHY_NONE;
    idv_rc rc = open_request(d, request, peer, &p.r, why);
    if (rc == IDV_OK) {
        rc = pass(d, request, &p, why);
        if (rc != IDV_OK)
            note_refusal(d, &p, *why);
    } else if (rc != IDV_E_NOMEM) {
        idv_desk_turned_away(d, peer, *why);
    }
    if (rc == IDV_OK)
        rc = idvi_because(why, IDV_WHY_STORE,
                          idv_buf_put(reply, idv_view(&p.reply)));
    if (rc == IDV_OK)
        *why = IDV_WHY_NONE;
    idvi_passage_free(&p);
    return rc;
}
