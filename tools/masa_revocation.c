/* SPDX-License-Identifier: Apache-2.0 */
/* Beside the workers: asks whom registrars' certificates name whether they are
 * revoked. Some of them do that, so that one server that is slow holds up no
 * other; nobody who asks for vouchers waits for any. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/text.h>
#include <idevid/x509.h>

#include "crl.h"
#include "idevid/net/fetch.h"
#include "masa_maker.h"

#define PAUSE_S 1 /* while there is nothing to look at */
#define PRUNE_S 3600
#define RETRY_S 30
#define AGAIN_S 300            /* after a failure */
#define LATER_S 3600           /* OCSP, and what was revoked */
#define MOST_S (7 * 24 * 3600) /* what is good is asked again by then */
#define DOCUMENT_MAX ((size_t)1 << 20)
#define PLACES 2 /* that are asked of one certificate, CRL and OCSP each */

IDV_AUTO_PTR_DEFINE(X509_CRL, X509_CRL_free)
IDV_AUTO_PTR_DEFINE(OCSP_REQUEST, OCSP_REQUEST_free)

struct look {
    const struct tool *t;
    const struct masa_conf *conf;
    X509 *cert, *issuer;
    int64_t now;
    struct idv_db_found found;
    char detail[IDV_NOTE_MAX];
};

static struct idv_fetch place(const struct look *l, const char *url)
{
    return (struct idv_fetch){.url = url,
                              .insecure_http = true, /* it is signed */
                              .public_only = !l->conf->revocation_private,
                              .max = DOCUMENT_MAX,
                              .timeout_ms =
                                  (int)l->conf->revocation_seconds * 1000};
}

/* --- CRL ------------------------------------------------------------------ */

static bool is_revoked(const struct look *l, X509_CRL *crl)
{
    X509_REVOKED *entry = NULL;
    return X509_CRL_get0_by_cert(crl, &entry, l->cert) == 1;
}

static idv_rc fetch_crl(const struct look *l, const char *url, X509_CRL **out)
{
    IDV_AUTO(buf) body = {.max = DOCUMENT_MAX};
    IDV_AUTO_PTR(X509_CRL) crl = NULL;
    const struct crl_judge by = {.issuer = l->issuer,
                                 .check_time = idv_clock_trusted(l->t->env),
                                 .now = l->now};
    const struct idv_fetch what = place(l, url);
    IDV_TRY(idv_fetch(&what, &body));
    IDV_TRY(crl_read(idv_view(&body), &crl));
    IDV_TRY(crl_check(crl, &by));
    *out = idv_steal(&crl);
    return IDV_OK;
}

static idv_rc take_crl(struct look *l, X509_CRL *crl)
{
    int64_t from = 0, until = 0;
    uint8_t spread = 0;
    IDV_TRY(crl_times(crl, &from, &until));
    IDV_TRY(idv_random(l->t->env, &spread, 1));
    if (until > l->now + MOST_S)
        until = l->now + MOST_S;
    l->found.revoked = is_revoked(l, crl);
    l->found.good_until = l->found.revoked ? 0 : until;
    l->found.due = l->found.revoked ? l->now + LATER_S
                                    : crl_refresh_at(l->now, until, spread);
    return IDV_OK;
}

static idv_rc by_crl(struct look *l, const char *url)
{
    IDV_AUTO_PTR(X509_CRL) crl = NULL;
    IDV_TRY(fetch_crl(l, url, &crl));
    return take_crl(l, crl);
}

/* --- OCSP ----------------------------------------------------------------- */

static idv_rc put_request(const struct look *l, struct idv_buf *out)
{
    IDV_AUTO_PTR(OCSP_REQUEST) r = OCSP_REQUEST_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), l->cert, l->issuer);
    uint8_t *der = NULL;
    if (!r || !id || !OCSP_request_add0_id(r, id)) {
        OCSP_CERTID_free(id);
        return idv_fail(IDV_E_CRYPTO, "OCSP request");
    }
    int n = i2d_OCSP_REQUEST(r, &der);
    if (n <= 0)
        return idv_fail(IDV_E_CRYPTO, "OCSP request");
    idv_rc rc = idv_base64_from_bytes(idv_bytes(der, (size_t)n), 0, out);
    OPENSSL_free(der);
    return rc;
}

/* RFC 6960 appendix A.1: by GET, so that caches help */
static idv_rc ocsp_url(const struct look *l, const char *url,
                       struct idv_buf *out)
{
    IDV_AUTO(buf) request = {0};
    const size_t n = strlen(url);
    IDV_TRY(put_request(l, &request));
    IDV_TRY(idv_buf_puts(out, url));
    if (n && url[n - 1] != '/')
        IDV_TRY(idv_buf_puts(out, "/"));
    for (const char *p = (const char *)request.p; *p; p++) {
        if (strchr("+/=", *p))
            IDV_TRY(idv_buf_putf(out, "%%%02X", (unsigned)*p));
        else
            IDV_TRY(idv_buf_putf(out, "%c", *p));
    }
    return IDV_OK;
}

static idv_rc by_ocsp(struct look *l, const char *url)
{
    IDV_AUTO(buf) whole = {.max = 4096};
    IDV_AUTO(buf) body = {.max = IDV_MAX_STAPLE};
    bool revoked = false;
    IDV_TRY(ocsp_url(l, url, &whole));
    struct idv_fetch what = place(l, (const char *)whole.p);
    what.max = IDV_MAX_STAPLE;
    IDV_TRY(idv_fetch(&what, &body));
    idv_rc rc = idv_ocsp_check(idv_view(&body), l->cert, l->issuer,
                               idv_clock_trusted(l->t->env), l->now, &revoked);
    if (rc != IDV_OK && !revoked)
        return rc;
    idv_note_clear();
    l->found.revoked = revoked;
    l->found.good_until = revoked ? 0 : l->now + LATER_S;
    l->found.due = l->now + LATER_S / 2;
    return IDV_OK;
}

/* --- all places of a certificate ------------------------------------------ */

static idv_rc any_crl(struct look *l)
{
    char **urls = NULL;
    IDV_TRY(crl_urls(l->cert, &urls));
    idv_rc rc = idv_fail(IDV_E_REJECT, "it names no place that can be asked");
    for (size_t i = 0; urls && urls[i] && i < PLACES && rc != IDV_OK; i++) {
        idv_note_clear();
        rc = by_crl(l, urls[i]);
    }
    idv_list_free(urls);
    return rc;
}

static idv_rc any_ocsp(struct look *l)
{
    STACK_OF(OPENSSL_STRING) *urls = X509_get1_ocsp(l->cert);
    const int n = sk_OPENSSL_STRING_num(urls);
    idv_rc rc = IDV_E_REJECT;
    for (int i = 0; i < n && i < PLACES && rc != IDV_OK; i++) {
        idv_note_clear();
        rc = by_ocsp(l, sk_OPENSSL_STRING_value(urls, i));
    }
    X509_email_free(urls);
    return rc;
}

static void find_out(struct look *l)
{
    idv_rc rc = any_crl(l);
    if (rc != IDV_OK && rc != IDV_E_NOMEM)
        rc = any_ocsp(l) == IDV_OK ? IDV_OK : rc;
    if (rc != IDV_OK) {
        snprintf(l->detail, sizeof(l->detail), "%s", idv_note());
        l->found =
            (struct idv_db_found){.failed = l->now, .due = l->now + AGAIN_S};
    }
    l->found.detail = l->detail;
    idv_note_clear();
    ERR_clear_error();
}

static void say(const struct look *l)
{
    const struct idv_db_found *f = &l->found;
    idv_log(l->t->env, f->failed || f->revoked ? IDV_LOG_WARN : IDV_LOG_INFO,
            "revocation", "certificate=%s found=%s detail=%s",
            idv_log_value(idv_cert_subject(l->cert)),
            f->failed    ? "nothing"
            : f->revoked ? "revoked"
                         : "good",
            idv_log_value(f->detail));
}

static idv_rc look_at(const struct tool *t, const struct masa_conf *c,
                      struct idv_db *db, const struct idv_db_look *what)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_AUTO_PTR(X509) issuer = NULL;
    struct look l = {.t = t, .conf = c, .now = idv_now(t->env)};
    IDV_TRY(idv_cert_from_der(idv_view(&what->cert), &cert));
    IDV_TRY(idv_cert_from_der(idv_view(&what->issuer), &issuer));
    l.cert = cert;
    l.issuer = issuer;
    find_out(&l);
    say(&l);
    return idv_db_look_put(db, what, &l.found);
}

/* --- the process ---------------------------------------------------------- */

struct book {
    const struct masa_conf *conf;
    struct idv_db *db;
    int64_t pruned, retry_at; /* after trouble, which is one maker's alone */
};

/* of the first maker and its tenants; for the life of the process */
static idv_rc books_make(const struct masa_tenants *tenants, struct book **out)
{
    struct book *b = calloc(tenants->n + 1, sizeof(*b));
    *out = b;
    if (!b)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (size_t i = 0; i <= tenants->n; i++)
        b[i].conf = i ? &tenants->all[i - 1].conf : &masa_conf;
    return IDV_OK;
}

static idv_rc prune(struct book *b, int64_t now)
{
    if (now < b->pruned + PRUNE_S)
        return IDV_OK;
    b->pruned = now;
    return idv_db_look_prune(b->db, now);
}

static idv_rc look_once(const struct tool *t, struct book *b, bool *any)
{
    struct idv_db_look what = {.cert = {0}};
    const int64_t now = idv_now(t->env);
    bool found = false;
    if (now < b->retry_at)
        return IDV_OK;
    b->retry_at = now + RETRY_S;
    if (!b->db)
        IDV_TRY(idv_db_open(b->conf->service.database, &b->db));
    IDV_TRY(prune(b, now));
    idv_rc rc = idv_db_look_take(b->db, now, &found, &what);
    if (rc == IDV_OK && found)
        rc = look_at(t, b->conf, b->db, &what);
    idv_db_look_free(&what);
    *any = *any || found;
    if (rc == IDV_OK)
        b->retry_at = 0;
    return rc;
}

static _Noreturn void go_on(const struct tool *t, struct book *b, size_t n)
{
    static const struct timespec pause = {PAUSE_S, 0};
    for (;;) {
        bool any = false;
        for (size_t i = 0; i < n; i++) {
            idv_rc rc = look_once(t, &b[i], &any);
            if (rc != IDV_OK)
                idv_log_failure(t->env, "revocation", rc);
        }
        if (!any)
            nanosleep(&pause, NULL);
    }
}

static idv_rc run(void *arg, const struct idv_server_bound *bound, size_t n)
{
    static struct masa_tenants tenants;
    static struct book *b;
    (void)bound;
    (void)n;
    IDV_TRY(masa_tenants_load(&masa_conf, &tenants));
    IDV_TRY(books_make(&tenants, &b));
    go_on(arg, b, tenants.n + 1);
}

void masa_revocation(struct tool *t,
                     struct idv_server_aside out[static MASA_LOOKERS])
{
    for (size_t i = 0; i < MASA_LOOKERS; i++)
        out[i] = (struct idv_server_aside){
            .name = "revocation", .run = run, .arg = t};
}
