/* SPDX-License-Identifier: Apache-2.0 */
/* The CRLs of whoever issued the LDevID and its chain: fetched and kept. */
#include <stdio.h>

#include <idevid/auto.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "idevid/net/fetch.h"

#include "ca.h"
#include "crl.h"
#include "pledge_crl.h"

static idv_rc fetch_one(const struct state *s, const char *url,
                        const struct crl_wanted *w, X509_CRL **out)
{
    IDV_AUTO(buf) anchors = {0};
    IDV_AUTO(buf) body = {.max = CRL_MAX};
    IDV_AUTO_PTR(X509_CRL) crl = NULL;
    const struct idv_env *env = s->t->env;
    const struct crl_judge by = {.issuer = w->issuer,
                                 .kept = w->kept,
                                 .check_time = idv_clock_trusted(env),
                                 .now = idv_now(env)};
    IDV_TRY(
        idv_certs_to_pem(idv_trust_enrollment(s->trust)->anchors, &anchors));
    const struct idv_fetch what = {.url = url,
                                   .anchors_pem = idv_view(&anchors),
                                   .insecure_http = true, /* it is signed */
                                   .max = CRL_MAX,
                                   .timeout_ms =
                                       (int)s->conf->crl_seconds * 1000};
    IDV_TRY(idv_fetch(&what, &body));
    IDV_TRY(crl_read(idv_view(&body), &crl));
    IDV_TRY(crl_check(crl, &by));
    *out = idv_steal(&crl);
    return IDV_OK;
}

/* from the first place that has a good one */
static idv_rc fetch(const struct state *s, const struct crl_wanted *w,
                    X509_CRL **out)
{
    idv_rc rc = IDV_OK;
    for (char **url = w->urls; *url; url++) {
        idv_note_clear();
        rc = fetch_one(s, *url, w, out);
        if (rc == IDV_OK || rc == IDV_E_NOMEM)
            return rc;
        idv_log(s->t->env, IDV_LOG_WARN, "crl", "url=%s class=%s reason=%s",
                idv_log_value(*url), idv_rc_name(rc),
                idv_log_value(idv_note()));
    }
    return rc;
}

/* What is to be kept of it; NULL: there is none. */
static idv_rc renewed(const struct state *s, const struct crl_wanted *w,
                      char what[static IDV_NOTE_MAX], X509_CRL **out)
{
    *out = NULL;
    idv_rc rc = fetch(s, w, out);
    if (rc == IDV_E_NOMEM)
        return rc;
    if (rc != IDV_OK)
        snprintf(what, IDV_NOTE_MAX, "%s", idv_note());
    idv_note_clear();
    if (!*out && w->kept && X509_CRL_up_ref(w->kept) == 1)
        *out = w->kept;
    return IDV_OK;
}

/* --- all ------------------------------------------------------------------ */

static idv_rc collect(const struct state *s, const STACK_OF(X509_CRL) * kept,
                      STACK_OF(X509_CRL) * out, char what[static IDV_NOTE_MAX])
{
    const struct idv_enrollment *e = idv_trust_enrollment(s->trust);
    for (int i = 0; i < sk_X509_num(e->ldevid); i++) {
        struct crl_wanted w;
        X509_CRL *crl = NULL;
        idv_rc rc = pledge_crl_wanted(e, i, kept, &w);
        if (rc == IDV_OK && w.urls)
            rc = renewed(s, &w, what, &crl);
        idv_list_free(w.urls);
        IDV_TRY(rc);
        if (crl)
            IDV_TRY(pledge_crl_push(out, crl));
    }
    return IDV_OK;
}

/* as it is now; none: the file goes */
static idv_rc keep(const struct state *s, const struct idv_buf *pem,
                   bool *changed)
{
    IDV_AUTO(buf) before = {0};
    char path[1024];
    IDV_TRY(tool_path(s->conf->directory, STATE_CRL, "", path));
    const bool there = idv_fs_exists(path);
    if (there && idv_fs_read(path, 2 * CRL_MAX, &before) != IDV_OK)
        idv_note_clear();
    *changed = !idv_bytes_eq(idv_view(&before), idv_view(pem));
    if (!*changed)
        return IDV_OK;
    return pem->n ? idv_fs_write(path, idv_view(pem), 0644)
                  : idv_fs_remove(path);
}

idv_rc pledge_crl_fetch(const struct state *s, bool *changed,
                        char what[static IDV_NOTE_MAX])
{
    IDV_AUTO_PTR(idv_crls) kept = sk_X509_CRL_new_null();
    IDV_AUTO_PTR(idv_crls) now = sk_X509_CRL_new_null();
    IDV_AUTO(buf) pem = {0};
    what[0] = 0;
    *changed = false;
    if (!s->trust || !idv_trust_enrollment(s->trust))
        return IDV_OK;
    if (!kept || !now)
        return idv_fail(IDV_E_NOMEM, "CRL");
    IDV_TRY(pledge_crls_kept(s, kept));
    IDV_TRY(collect(s, kept, now, what));
    IDV_TRY(pledge_crls_to_pem(now, &pem));
    return keep(s, &pem, changed);
}
