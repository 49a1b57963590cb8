/* SPDX-License-Identifier: Apache-2.0 */
/* The maker's cloud registrar: TLS that is never provisional, and a way on
 * from it (draft-ietf-anima-brski-cloud). */
#include <stdio.h>
#include <string.h>

#include <openssl/x509v3.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "pledge/pledge_priv.h"

#define MAX_HOPS 36              /* "dozens or more" */
#define LONGEST_REST 3600        /* seconds between tries after 401 */
#define REST_UNASKED (24 * 3600) /* where it does not say to come again */

void idvi_cloud_forget(struct idvi_attempt *a)
{
    idv_list_free(a->cloud.seen);
    idv_pinned_free(&a->cloud.pinned);
    idv_buf_free(&a->cloud.voucher);
    a->cloud = (struct idvi_cloud){0};
}

/* --- whom we believe ------------------------------------------------------ */

/* RFC 6125: the names of the certificate, never its subject */
static idv_rc has_name(const X509 *cert, const char *host)
{
    X509 *x = (X509 *)(uintptr_t)cert;
    const unsigned flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                           X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
    if (X509_check_ip_asc(x, host, 0) == 1 ||
        X509_check_host(x, host, 0, flags, NULL) == 1)
        return IDV_OK;
    return idv_fail(IDV_E_REJECT, "cloud: %s is not for %.200s",
                    idv_cert_subject(cert), host);
}

static idv_rc implicit(const struct idvi_attempt *a,
                       const STACK_OF(X509) * chain)
{
    const struct idv_pledge *p = a->p;
    const struct idv_chain_policy policy = {
        .anchors = p->conf.cloud_anchors,
        .extra = chain,
        .partial = true,
        .check_time = idv_clock_trusted(p->env),
        .now = idv_now(p->env),
        .eku = IDV_OID_SERVER_AUTH,
    };
    X509 *leaf = sk_X509_value(chain, 0);
    if (!leaf)
        return idv_fail(IDV_E_REJECT, "cloud: no certificate was shown");
    IDV_TRY(idv_chain_verify(leaf, &policy));
    return has_name(leaf, a->at.host);
}

idv_rc idvi_cloud_verify(void *attempt, const STACK_OF(X509) * chain)
{
    return implicit(attempt, chain);
}

/* Where it was configured to go, nobody else is believed; where it was sent
 * on to, they may be provisional as any registrar is. */
bool idvi_cloud_provisional(const struct idvi_attempt *a)
{
    return !a->cloud.on || a->cloud.hops > 0;
}

void idvi_cloud_judge(struct idvi_attempt *a)
{
    if (!a->cloud.on)
        return;
    a->cloud.implicit = implicit(a, a->chain) == IDV_OK;
    idv_note_clear();
}

/* --- sent on -------------------------------------------------------------- */

static idv_rc put_place(const struct idv_url *at, const char *path,
                        struct idv_buf *out)
{
    struct idv_url u = *at;
    IDV_TRY(
        idv_text_copy(u.path, sizeof(u.path), idv_str(path), "redirect: path"));
    for (char *c = u.host; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return idv_url_to_text(&u, out);
}

static bool seen(const struct idvi_attempt *a, const struct idv_buf *place)
{
    for (char *const *s = a->cloud.seen; s && *s; s++)
        if (strcmp(*s, (const char *)place->p) == 0)
            return true;
    return false;
}

/* never twice to a place, and not for ever to new ones */
static idv_rc note_hop(struct idvi_attempt *a, const struct idv_url *to,
                       const char *path)
{
    IDV_AUTO(buf) here = {0};
    IDV_AUTO(buf) there = {0};
    IDV_TRY(put_place(&a->at, a->path[0] ? a->path : IDV_PATH_REQUESTVOUCHER,
                      &here));
    IDV_TRY(put_place(to, path, &there));
    IDV_TRY(idv_list_add(&a->cloud.seen, idv_view(&here)));
    if (seen(a, &there))
        return idv_fail(IDV_E_REJECT, "redirect: in a circle");
    if (++a->cloud.hops > MAX_HOPS)
        return idv_fail(IDV_E_LIMIT, "redirect: more than %d times", MAX_HOPS);
    return IDV_OK;
}

/* Whoever is not validated has no say in where we go; and all but 307 go by
 * the rule of RFC 8995 section 5.6. */
static idv_rc may_send_on(const struct idvi_attempt *a,
                          const struct idv_url *to, int status, bool *crossed)
{
    if (!a->cloud.implicit)
        return idv_fail(IDV_E_REJECT,
                        "redirect: by a registrar that is provisional");
    const bool across = !idv_url_same_origin(to, &a->at);
    if (status != 307 && across && a->crossed)
        return idv_fail(IDV_E_REJECT, "redirect: a second time to another "
                                      "origin");
    *crossed = a->crossed || (status != 307 && across);
    return IDV_OK;
}

idv_rc idvi_cloud_redirect(struct idvi_attempt *a, const struct idv_url *to,
                           const char *path, int status, struct idv_ask *ask)
{
    bool crossed = false;
    IDV_TRY(may_send_on(a, to, status, &crossed));
    IDV_TRY(note_hop(a, to, path));
    idvi_request_forget(a); /* the next request has a nonce of its own */
    a->crossed = crossed;
    a->cloud.implicit = false;
    a->at = *to;
    a->address[0] = 0;
    a->at.path[0] = 0;
    IDV_TRY(idv_text_copy(a->path, sizeof(a->path), idv_str(path),
                          "redirect: path"));
    idvi_say(a, "redirect", to->host);
    return idvi_request_connect(a, ask);
}

/* --- owner not known ------------------------------------------------------ */

idv_rc idvi_cloud_unknown(struct idvi_attempt *a, const struct idv_msg *reply)
{
    int s = reply->retry_after;
    if (s > LONGEST_REST)
        s = LONGEST_REST;
    a->rest_s = s < 0 ? REST_UNASKED : s;
    return idvi_refused("cloud: the owner is not known yet", reply);
}

/* --- a voucher, and the domain it sends to -------------------------------- */

/* A host and a port: plain EST is at its well-known place there. */
static idv_rc read_domain(const char *text, struct idv_url *to)
{
    IDV_TRY(idv_url_from_text(idv_str(text), to));
    if (to->path[0])
        return idv_fail(IDV_E_REJECT, "voucher: est-domain has a path");
    return IDV_OK;
}

bool idvi_cloud_elsewhere(const struct idvi_attempt *a)
{
    return a->cloud.on && a->cloud.implicit;
}

static void surface(struct idvi_attempt *a, const struct idv_voucher *v)
{
    if (v->additional_configuration_url[0])
        idvi_say(a, "additional-configuration-url",
                 v->additional_configuration_url);
}

idv_rc idvi_cloud_voucher(struct idvi_attempt *a, struct idv_pinned *pinned,
                          struct idv_bytes sealed, bool *elsewhere)
{
    struct idv_url to;
    const char *domain = pinned->voucher.est_domain;
    *elsewhere = idvi_cloud_elsewhere(a) && domain[0];
    if (!a->cloud.on)
        return IDV_OK;
    if (!domain[0] && a->cloud.hops == 0)
        return idv_fail(IDV_E_REJECT,
                        "voucher: from the cloud, without an est-domain");
    surface(a, &pinned->voucher);
    if (!*elsewhere)
        return IDV_OK;
    IDV_TRY(read_domain(domain, &to));
    a->cloud.voucher.max = IDV_MAX_BODY;
    IDV_TRY(idv_buf_put(&a->cloud.voucher, sealed));
    a->cloud.pinned = *pinned;
    memset(pinned, 0, sizeof(*pinned));
    a->at = to;
    a->address[0] = 0;
    a->cloud.est = true;
    return IDV_OK;
}

/* --- the EST server ------------------------------------------------------- */

static idv_rc leads_home(const struct idvi_attempt *a,
                         const STACK_OF(X509) * chain, const X509 **pin)
{
    const struct idv_pledge *p = a->p;
    const struct idv_pinned *pinned = &a->cloud.pinned;
    if (idv_trust_state(p->conf.trust) != IDV_TRUST_NONE) {
        *pin = idv_trust_pin(p->conf.trust);
        return idv_trust_verify_server(p->conf.trust, chain);
    }
    *pin = pinned->cert;
    IDV_TRY(idv_pin_verify(chain, pinned->cert, pinned->spki_sha256,
                           idv_clock_trusted(p->env), idv_now(p->env)));
    return idv_authority_check(sk_X509_value(chain, 0), pinned->spki_sha256);
}

/* A pinned CA has other servers, too; a pinned server is the one. */
idv_rc idvi_cloud_verify_est(void *attempt, const STACK_OF(X509) * chain)
{
    const struct idvi_attempt *a = attempt;
    const X509 *leaf = sk_X509_value(chain, 0), *pin = NULL;
    if (!leaf)
        return idv_fail(IDV_E_REJECT, "cloud: no certificate was shown");
    IDV_TRY(leads_home(a, chain, &pin));
    return pin && idv_cert_same_key(pin, leaf) ? IDV_OK
                                               : has_name(leaf, a->at.host);
}

/* csrattrs are not for a cloud registrar, and it may be the EST server, too */
static void spare_cloud(struct idvi_attempt *a)
{
    if (idv_url_same_origin(&a->at, &a->candidate->url))
        a->has_attrs = true;
}

idv_rc idvi_cloud_est_connect(struct idvi_attempt *a, struct idv_ask *ask)
{
    idvi_say(a, "est-domain", a->at.host);
    IDV_TRY(idvi_domain_connect(a, ask));
    idvi_stage(a, STAGE_EST);
    return IDV_OK;
}

/* Only now what the voucher pins is sealed: the chain that it judges is this
 * one. */
idv_rc idvi_cloud_est(struct idvi_attempt *a, struct idv_told *told,
                      struct idv_ask *ask)
{
    IDV_TRY(idvi_take_peer(a, told));
    IDV_TRY(idvi_cloud_verify_est(a, a->chain));
    IDV_TRY(idv_pin_revocation(&a->cloud.pinned, a->chain, idv_view(&a->staple),
                               idv_clock_trusted(a->p->env),
                               idv_now(a->p->env)));
    IDV_TRY(idv_trust_imprint(a->p->conf.trust, &a->cloud.pinned,
                              idv_view(&a->cloud.voucher)));
    spare_cloud(a);
    return idvi_imprinted(a, ask);
}

/* Imprinted by an earlier run: the voucher that is kept says where to go. */
idv_rc idvi_cloud_resume(struct idvi_attempt *a)
{
    IDV_AUTO(voucher) v;
    struct idv_url to;
    idv_voucher_init(&v, IDV_VOUCHER);
    if (!a->cloud.on)
        return IDV_OK;
    IDV_TRY(idv_trust_voucher(a->p->conf.trust, &v));
    if (!v.est_domain[0])
        return IDV_OK;
    IDV_TRY(read_domain(v.est_domain, &to));
    a->at = to;
    a->address[0] = 0;
    a->cloud.est = true;
    spare_cloud(a);
    return IDV_OK;
}
