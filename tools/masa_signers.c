/* SPDX-License-Identifier: Apache-2.0 */
/* All keys of a MASA that sign vouchers, opened and checked. */
#include <stdlib.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/text.h>

#include "masa_signers.h"

struct signer_file {
    struct masa_signer_conf signer;
};
static const struct idv_conf_entry entries[] = {
    MASA_SIGNER_ENTRIES(struct signer_file, signer)};
static const struct idv_conf_table table = {
    "idevid-masa signer", "A further key that signs vouchers.", entries,
    sizeof(entries) / sizeof(*entries)};

const char *const masa_signer_uses[] = {"any", "nonced", "nonceless", NULL};

struct masa_signer {
    const char *name; /* for notes: its certificate's */
    struct signer_file file;
    EVP_PKEY *key;
    X509 *cert;
    STACK_OF(X509) * chain;
    STACK_OF(X509) * devices;
};

/* --- opening -------------------------------------------------------------- */

idv_rc masa_check_time(const char *value)
{
    int64_t t;
    if (idv_time_from_text(idv_str(value), &t) == IDV_OK)
        return IDV_OK;
    idv_note_clear();
    return idv_fail(IDV_E_ARG, "no time as 2026-11-22T10:00:00Z: '%.40s'",
                    value);
}

static idv_rc time_of(const char *text, int64_t *out)
{
    *out = 0;
    return text ? idv_time_from_text(idv_str(text), out) : IDV_OK;
}

static idv_rc open_one(struct masa_signer *s, const struct masa_signer_conf *c,
                       struct idv_masa_signer *row)
{
    s->name = c->cert;
    IDV_TRY(idv_certs_open(c->cert, &tool_pin, &s->chain));
    s->cert = sk_X509_shift(s->chain);
    IDV_TRY(idv_key_open(c->key, &tool_pin, &s->key));
    if (!idv_cert_has_key(s->cert, s->key))
        return idv_fail(IDV_E_ARG, "%s: not the certificate of %s", c->cert,
                        c->key);
    if (c->devices)
        IDV_TRY(idv_certs_open(c->devices, NULL, &s->devices));
    *row = (struct idv_masa_signer){.key = s->key,
                                    .cert = s->cert,
                                    .chain = s->chain,
                                    .use = (enum idv_masa_use)c->use,
                                    .devices = s->devices};
    IDV_TRY(time_of(c->from, &row->from));
    IDV_TRY(time_of(c->until, &row->until));
    if (row->until && row->until <= row->from)
        return idv_fail(IDV_E_ARG, "%s: until is not after from", c->cert);
    return IDV_OK;
}

static idv_rc open_file(struct masa_signer *s, const char *path,
                        struct idv_masa_signer *row)
{
    IDV_TRY(idv_conf_load(&table, path, &s->file));
    idv_rc rc = open_one(s, &s->file.signer, row);
    return rc == IDV_OK ? IDV_OK : idv_fail_within(rc, "%s", path);
}

idv_rc masa_signers_open(struct masa_signers *s,
                         const struct masa_signer_conf *first, char **files)
{
    const size_t n = idv_list_count(files);
    s->all = calloc(n + 1, sizeof(*s->all));
    s->table = calloc(n + 1, sizeof(*s->table));
    if (!s->all || !s->table)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    s->n = n + 1;
    IDV_TRY(open_one(&s->all[0], first, &s->table[0]));
    for (size_t i = 0; i < n; i++)
        IDV_TRY(open_file(&s->all[i + 1], files[i], &s->table[i + 1]));
    return IDV_OK;
}

void masa_signers_clear(struct masa_signers *s)
{
    for (size_t i = 0; i < s->n; i++) {
        EVP_PKEY_free(s->all[i].key);
        X509_free(s->all[i].cert);
        idv_certs_free(s->all[i].chain);
        idv_certs_free(s->all[i].devices);
        idv_conf_free(&table, &s->all[i].file);
    }
    free(s->all);
    free(s->table);
    *s = (struct masa_signers){0};
}

/* --- checking ------------------------------------------------------------- */

static idv_rc check_times(const char *name, const X509 *cert, int64_t now)
{
    char text[IDV_TIME_TEXT];
    int64_t from = 0, to = 0;
    IDV_TRY(idv_cert_times(cert, &from, &to));
    if (to > now)
        return IDV_OK;
    IDV_TRY(idv_time_to_text(to, text));
    return idv_fail(IDV_E_ARG, "%s: %s ended %s", name, idv_cert_subject(cert),
                    text);
}

/* each certificate is issued by the next one */
static idv_rc check_link(const struct masa_signer *s, X509 *cert, X509 *issuer)
{
    if (X509_check_issued(issuer, cert) == X509_V_OK &&
        X509_verify(cert, X509_get0_pubkey(issuer)) == 1)
        return IDV_OK;
    return idv_fail(IDV_E_ARG, "%s: %s is not issued by %s", s->name,
                    idv_cert_subject(cert), idv_cert_subject(issuer));
}

static idv_rc check_one(const struct masa_signer *s, int64_t now)
{
    X509 *at = s->cert;
    IDV_TRY(check_times(s->name, at, now));
    for (int i = 0; i < sk_X509_num(s->chain); i++) {
        X509 *issuer = sk_X509_value(s->chain, i);
        IDV_TRY(check_link(s, at, issuer));
        IDV_TRY(check_times(s->name, issuer, now));
        at = issuer;
    }
    return IDV_OK;
}

idv_rc masa_signers_check(const struct masa_signers *s, int64_t now)
{
    for (size_t i = 0; i < s->n; i++)
        IDV_TRY(check_one(&s->all[i], now));
    return IDV_OK;
}
