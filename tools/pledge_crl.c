/* SPDX-License-Identifier: Apache-2.0 */
/* The CRLs of whoever issued the LDevID and its chain, as they are kept. */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include <idevid/auto.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "ca.h"
#include "crl.h"
#include "pledge_crl.h"

/* --- what is kept --------------------------------------------------------- */

idv_rc pledge_crl_push(STACK_OF(X509_CRL) * all, X509_CRL *crl)
{
    if (sk_X509_CRL_push(all, crl) > 0)
        return IDV_OK;
    X509_CRL_free(crl);
    return idv_fail(IDV_E_NOMEM, "CRL");
}

static idv_rc parse_all(const struct idv_buf *pem, STACK_OF(X509_CRL) * out)
{
    X509_CRL *crl;
    if (pem->n == 0)
        return IDV_OK;
    IDV_AUTO_PTR(BIO) bio = BIO_new_mem_buf(pem->p, (int)pem->n);
    if (!bio)
        return idv_fail(IDV_E_NOMEM, "CRL");
    while ((crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL)
        IDV_TRY(pledge_crl_push(out, crl));
    ERR_clear_error();
    return IDV_OK;
}

idv_rc pledge_crls_to_pem(const STACK_OF(X509_CRL) * all, struct idv_buf *out)
{
    const uint8_t *p;
    IDV_AUTO_PTR(BIO) bio = BIO_new(BIO_s_mem());
    for (int i = 0; bio && i < sk_X509_CRL_num(all); i++) {
        if (PEM_write_bio_X509_CRL(bio, sk_X509_CRL_value(all, i)) != 1)
            return idv_fail(IDV_E_NOMEM, "CRL");
    }
    const long n = bio ? BIO_get_mem_data(bio, &p) : -1;
    if (n < 0)
        return idv_fail(IDV_E_NOMEM, "CRL");
    return n ? idv_buf_put(out, idv_bytes(p, (size_t)n)) : IDV_OK;
}

/* none, or one that cannot be read, is none */
idv_rc pledge_crls_kept(const struct state *s, STACK_OF(X509_CRL) * out)
{
    IDV_AUTO(buf) pem = {0};
    char path[1024];
    IDV_TRY(tool_path(s->conf->directory, STATE_CRL, "", path));
    if (!idv_fs_exists(path) || idv_fs_read(path, 2 * CRL_MAX, &pem) != IDV_OK)
        idv_note_clear();
    return parse_all(&pem, out);
}

/* --- whose ---------------------------------------------------------------- */

static X509 *issuer_among(X509 *cert, const STACK_OF(X509) * some)
{
    for (int i = 0; i < sk_X509_num(some); i++) {
        X509 *ca = sk_X509_value(some, i);
        EVP_PKEY *key = X509_get0_pubkey(ca);
        if (key && X509_check_issued(ca, cert) == X509_V_OK &&
            X509_verify(cert, key) == 1)
            return ca;
    }
    ERR_clear_error();
    return NULL;
}

static X509 *issuer_of(X509 *cert, const struct idv_enrollment *e)
{
    X509 *ca = issuer_among(cert, e->ldevid);
    ca = ca ? ca : issuer_among(cert, e->anchors);
    return ca ? ca : issuer_among(cert, e->others);
}

/* the issuer's among them */
static X509_CRL *kept_of(X509 *issuer, const STACK_OF(X509_CRL) * kept)
{
    for (int i = 0; i < sk_X509_CRL_num(kept); i++) {
        X509_CRL *crl = sk_X509_CRL_value(kept, i);
        const struct crl_judge by = {.issuer = issuer};
        if (crl_check(crl, &by) == IDV_OK)
            return crl;
        idv_note_clear();
    }
    return NULL;
}

/* --- one that is wanted --------------------------------------------------- */

/* Those of the LDevID and of what is below the anchor, each issuer once. */
idv_rc pledge_crl_wanted(const struct idv_enrollment *e, int i,
                         const STACK_OF(X509_CRL) * kept,
                         struct crl_wanted *out)
{
    X509 *cert = sk_X509_value(e->ldevid, i);
    *out = (struct crl_wanted){.issuer = issuer_of(cert, e)};
    if (!out->issuer)
        return IDV_OK;
    for (int before = 0; before < i; before++) {
        if (issuer_of(sk_X509_value(e->ldevid, before), e) == out->issuer)
            return IDV_OK;
    }
    out->kept = kept_of(out->issuer, kept);
    return crl_urls(cert, &out->urls);
}

/* --- looking -------------------------------------------------------------- */

void pledge_crl_free(struct pledge_crl *c)
{
    idv_buf_free(&c->pem);
    *c = (struct pledge_crl){0};
}

/* the earliest of all decides */
static idv_rc note(const struct crl_wanted *w, uint8_t spread,
                   STACK_OF(X509_CRL) * found, struct pledge_crl *out)
{
    int64_t from, until;
    out->wanted = true;
    if (!w->kept) {
        out->refresh = 1;
        return IDV_OK;
    }
    IDV_TRY(crl_times(w->kept, &from, &until));
    const int64_t at = crl_refresh_at(from, until, spread);
    if (!out->until || until < out->until)
        out->until = until;
    if (!out->refresh || at < out->refresh)
        out->refresh = at;
    X509_CRL_up_ref(w->kept);
    return pledge_crl_push(found, w->kept);
}

static idv_rc look_at(const struct idv_enrollment *e,
                      const STACK_OF(X509_CRL) * kept,
                      STACK_OF(X509_CRL) * found, struct pledge_crl *out)
{
    uint8_t hash[32];
    IDV_TRY(idv_cert_sha256(sk_X509_value(e->ldevid, 0), hash));
    for (int i = 0; i < sk_X509_num(e->ldevid); i++) {
        struct crl_wanted w;
        idv_rc rc = pledge_crl_wanted(e, i, kept, &w);
        if (rc == IDV_OK && w.urls)
            rc = note(&w, hash[0], found, out);
        idv_list_free(w.urls);
        IDV_TRY(rc);
    }
    return pledge_crls_to_pem(found, &out->pem);
}

idv_rc pledge_crl_look(const struct state *s, struct pledge_crl *out)
{
    IDV_AUTO_PTR(idv_crls) kept = sk_X509_CRL_new_null();
    IDV_AUTO_PTR(idv_crls) found = sk_X509_CRL_new_null();
    const struct idv_enrollment *e =
        s->trust ? idv_trust_enrollment(s->trust) : NULL;
    *out = (struct pledge_crl){0};
    if (!e)
        return IDV_OK;
    if (!kept || !found)
        return idv_fail(IDV_E_NOMEM, "CRL");
    IDV_TRY(pledge_crls_kept(s, kept));
    return look_at(e, kept, found, out);
}
