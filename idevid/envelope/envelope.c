/* SPDX-License-Identifier: Apache-2.0 */
/* The table of container formats, and what holds for every one of them. */
#include <string.h>
#include <strings.h>

#include <openssl/err.h>

#include <idevid/auto.h>
#include <idevid/limits.h>

#include "envelope/envelope_row.h"

static const struct idvi_envelope_row *const rows[] = {&idvi_cms_row,
                                                       &idvi_jws_row};
#define ROWS (sizeof(rows) / sizeof(*rows))

static const struct idvi_envelope_row *row_of(const char *media)
{
    if (!media)
        return NULL;
    size_t n = strcspn(media, "; \t");
    for (size_t i = 0; i < ROWS; i++)
        if (strlen(rows[i]->media) == n &&
            strncasecmp(rows[i]->media, media, n) == 0)
            return rows[i];
    return NULL;
}

static idv_rc need_row(const char *media, const struct idvi_envelope_row **row)
{
    *row = row_of(media);
    if (!*row)
        return idv_fail(IDV_E_ARG, "envelope: unknown media type '%.80s'",
                        media ? media : "");
    return IDV_OK;
}

bool idv_envelope_known(const char *media)
{
    return row_of(media) != NULL;
}

idv_rc idv_envelope_encoding(const char *media, enum idv_encoding *out)
{
    const struct idvi_envelope_row *row;
    IDV_TRY(need_row(media, &row));
    *out = row->encoding;
    return IDV_OK;
}

const char *idv_envelope_media(const char *form)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i]->form, form) == 0)
            return rows[i]->media;
    return NULL;
}

idv_rc idv_envelope_accept(const char *first, struct idv_buf *out)
{
    const struct idvi_envelope_row *row;
    IDV_TRY(need_row(first, &row));
    IDV_TRY(idv_buf_puts(out, row->media));
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i] != row)
            IDV_TRY(idv_buf_putf(out, ", %s", rows[i]->media));
    return IDV_OK;
}

bool idv_envelope_can_seal(const char *media, const EVP_PKEY *key)
{
    const struct idvi_envelope_row *row = row_of(media);
    return row && key && row->can_sign(key);
}

const char *idv_envelope_guess(struct idv_bytes sealed)
{
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i]->looks_like(sealed))
            return rows[i]->media;
    return NULL;
}

idv_rc idv_envelope_seal(const char *media, struct idv_bytes payload,
                         const struct idv_signer *signer, struct idv_buf *out)
{
    const struct idvi_envelope_row *row;
    IDV_TRY(need_row(media, &row));
    if (!signer->key || !signer->cert)
        return idv_fail(IDV_E_ARG, "envelope: no key or no certificate");
    if (payload.n == 0)
        return idv_fail(IDV_E_ARG, "envelope: an empty payload");
    if (payload.n > IDV_MAX_BODY)
        return idv_fail(IDV_E_LIMIT, "envelope: payload of %zu bytes",
                        payload.n);
    return row->seal(payload, signer, out);
}

static X509 *find_signer(const struct idvi_envelope_row *row,
                         const struct idv_opened *o,
                         const STACK_OF(X509) * certs)
{
    for (int i = 0; i < sk_X509_num(certs); i++)
        if (row->names_signer(o, sk_X509_value(certs, i)))
            return sk_X509_value(certs, i);
    return NULL;
}

idv_rc idv_envelope_open(const char *media, struct idv_bytes sealed,
                         struct idv_opened *out)
{
    const struct idvi_envelope_row *row;
    memset(out, 0, sizeof(*out));
    IDV_TRY(need_row(media, &row));
    if (sealed.n > IDV_MAX_BODY)
        return idv_fail(IDV_E_LIMIT, "envelope: %zu bytes, at most %d",
                        sealed.n, IDV_MAX_BODY);
    IDV_AUTO(opened) o = {.media = row->media};
    idv_rc rc = row->open(sealed, &o);
    ERR_clear_error(); /* the story is in the note */
    IDV_TRY(rc);
    o.signer = find_signer(row, &o, o.certs);
    *out = o;
    memset(&o, 0, sizeof(o));
    return IDV_OK;
}

void idv_opened_free(struct idv_opened *o)
{
    const struct idvi_envelope_row *row = row_of(o->media);
    if (row && o->native)
        row->free_native(o->native);
    idv_buf_free(&o->payload);
    idv_certs_free(o->certs);
    memset(o, 0, sizeof(*o));
}

idv_rc idv_envelope_verify_key(const struct idv_opened *o, const EVP_PKEY *key)
{
    const struct idvi_envelope_row *row;
    IDV_TRY(need_row(o->media, &row));
    idv_rc rc = key ? row->signed_by(o, key)
                    : idv_fail(IDV_E_REJECT, "envelope: no key to verify with");
    ERR_clear_error();
    return rc;
}

static idv_rc need_signer(const struct idv_opened *o,
                          const STACK_OF(X509) * extra, X509 **out)
{
    const struct idvi_envelope_row *row;
    IDV_TRY(need_row(o->media, &row));
    *out = o->signer ? o->signer : find_signer(row, o, extra);
    if (!*out)
        return idv_fail(IDV_E_REJECT,
                        "envelope: the signer's certificate is not there");
    return IDV_OK;
}

idv_rc idv_envelope_verify_signature(const struct idv_opened *o,
                                     const STACK_OF(X509) * extra)
{
    X509 *signer;
    IDV_TRY(need_signer(o, extra, &signer));
    return idv_envelope_verify_key(o, X509_get0_pubkey(signer));
}

/* certificates of both stacks, borrowed */
static STACK_OF(X509) * both(const STACK_OF(X509) * a, const STACK_OF(X509) * b)
{
    STACK_OF(X509) *all = a ? sk_X509_dup(a) : sk_X509_new_null();
    for (int i = 0; all && i < sk_X509_num(b); i++) {
        if (sk_X509_push(all, sk_X509_value(b, i)) <= 0) {
            sk_X509_free(all);
            return NULL;
        }
    }
    return all;
}

idv_rc idv_envelope_verify_chain(const struct idv_opened *o,
                                 const struct idv_chain_policy *policy)
{
    X509 *signer;
    IDV_TRY(need_signer(o, policy->extra, &signer));
    if (sk_X509_num(policy->anchors) <= 0)
        return idv_fail(IDV_E_REJECT, "envelope: no trust anchor is given");
    struct idv_chain_policy p = *policy;
    STACK_OF(X509) *all = both(o->certs, policy->extra);
    if (!all)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    p.extra = all;
    idv_rc rc = idv_chain_verify(signer, &p);
    sk_X509_free(all);
    ERR_clear_error();
    return rc;
}

idv_rc idv_envelope_verify(const struct idv_opened *o,
                           const struct idv_chain_policy *policy)
{
    IDV_TRY(idv_envelope_verify_signature(o, policy->extra));
    return idv_envelope_verify_chain(o, policy);
}
