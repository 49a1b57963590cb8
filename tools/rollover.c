/* SPDX-License-Identifier: Apache-2.0 */
/* A new domain CA beside the old one, each signing for the other. */
#include <stdio.h>
#include <string.h>

#include <openssl/x509v3.h>

#include <idevid/auto.h>
#include <idevid/fs.h>

#include "ca.h"
#include "rollover.h"

#define DAY (24 * 3600)
#define YEAR (365 * (int64_t)DAY)
#define CA_YEARS 20
#define REGISTRAR_YEARS 5
#define ROLLOVERS_MAX 999

struct rollover {
    struct tool *t;
    const char *token, *dir;
    enum idv_key_type type;
    int n; /* of the new CA; the first one has no number in its name */
    struct tool_authority old, now, registrar;
};

static void rollover_clear(struct rollover *r)
{
    tool_authority_free(&r->old);
    tool_authority_free(&r->now);
    tool_authority_free(&r->registrar);
}
#define AUTO_ROLLOVER __attribute__((cleanup(rollover_clear))) struct rollover

static void name_of(const char *stem, int n, char out[static 64])
{
    if (n == 1)
        snprintf(out, 64, "%s", stem);
    else
        snprintf(out, 64, "%s-%d", stem, n);
}

static idv_rc exists(const struct rollover *r, const char *stem, int n,
                     bool *found)
{
    char name[64], path[1024];
    name_of(stem, n, name);
    IDV_TRY(tool_path(r->dir, name, ".pem", path));
    *found = idv_fs_exists(path);
    return IDV_OK;
}

/* The first CA that there is not, or the last one if its registrar is missing:
 * that was cut. */
static idv_rc find_number(struct rollover *r)
{
    bool ca = true, registrar = true;
    for (r->n = 1; ca && r->n < ROLLOVERS_MAX;) {
        IDV_TRY(exists(r, "domain-ca", ++r->n, &ca));
        if (ca)
            IDV_TRY(exists(r, "registrar", r->n, &registrar));
        if (!registrar)
            return IDV_OK;
    }
    return IDV_OK;
}

/* --- the CA --------------------------------------------------------------- */

static idv_rc sign(const struct rollover *r, const struct tool_authority *whom,
                   const struct tool_authority *by, int64_t from, int64_t to,
                   X509 **out)
{
    const struct idv_cert_spec spec = {
        .kind = IDV_CERT_ROOT,
        .subject = X509_get_subject_name(r->old.cert),
        .not_before = from,
        .not_after = to,
    };
    return idv_cert_issue(&spec, whom->key, by == whom ? NULL : by->cert,
                          by->key, r->t->env, out);
}

static idv_rc push(STACK_OF(X509) * to, X509 *cert)
{
    if (!sk_X509_push(to, cert))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    X509_up_ref(cert);
    return IDV_OK;
}

/* The old CA's file is root, NewWithOld, OldWithNew and older ones, or a root
 * alone: all but that OldWithNew is wanted by who comes from there. */
static idv_rc push_history(const struct rollover *r, STACK_OF(X509) * to)
{
    const int n = sk_X509_num(r->old.chain);
    for (int i = 0; i < n && sk_X509_num(to) < IDV_MAX_CHAIN; i++) {
        if (i != 2)
            IDV_TRY(push(to, sk_X509_value(r->old.chain, i)));
    }
    return IDV_OK;
}

static idv_rc make_chain(struct rollover *r)
{
    IDV_AUTO_PTR(X509) over = NULL;
    IDV_AUTO_PTR(X509) back = NULL;
    const int64_t now = idv_now(r->t->env);
    int64_t from, to;
    IDV_TRY(idv_cert_times(r->old.cert, &from, &to));
    IDV_TRY(sign(r, &r->now, &r->now, now - DAY, now + CA_YEARS * YEAR,
                 &r->now.cert));
    IDV_TRY(sign(r, &r->now, &r->old, now - DAY, to, &over));
    IDV_TRY(sign(r, &r->old, &r->now, from, to, &back));
    r->now.chain = sk_X509_new_null();
    if (!r->now.chain)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(push(r->now.chain, r->now.cert));
    IDV_TRY(push(r->now.chain, over));
    IDV_TRY(push(r->now.chain, back));
    return push_history(r, r->now.chain);
}

static idv_rc write_pem(const struct rollover *r, const char *name,
                        const STACK_OF(X509) * certs)
{
    IDV_AUTO(buf) pem = {0};
    char path[1024];
    IDV_TRY(tool_path(r->dir, name, ".pem", path));
    IDV_TRY(idv_certs_to_pem(certs, &pem));
    IDV_TRY(idv_fs_create(path, idv_view(&pem), 0644));
    tool_say(r->t, "%-12s made: %s", name,
             idv_cert_subject(sk_X509_value(certs, 0)));
    return IDV_OK;
}

static idv_rc make_ca(struct rollover *r)
{
    char name[64], uri[512];
    bool found;
    name_of("domain-ca", r->n, name);
    IDV_TRY(exists(r, "domain-ca", r->n, &found));
    if (found)
        return tool_authority_open(r->token, r->dir, name, &r->now);
    IDV_TRY(tool_object_uri(r->token, name, "private", uri));
    IDV_TRY(tool_key(uri, r->type, IDV_KEY_SIGN, &r->now.key, NULL));
    IDV_TRY(make_chain(r));
    return write_pem(r, name, r->now.chain);
}

static idv_rc open_old(struct rollover *r)
{
    char name[64];
    name_of("domain-ca", r->n - 1, name);
    IDV_TRY(tool_authority_open(r->token, r->dir, name, &r->old));
    if (X509_self_signed(r->old.cert, 1) != 1)
        return idv_fail(IDV_E_REJECT,
                        "%s: not self-signed: who signed it "
                        "answers for the next one",
                        name);
    return IDV_OK;
}

/* --- its registrar -------------------------------------------------------- */

/* The machines on one database show the certificate that begins last, so each
 * begins after the one before it, also when both are made within a second. */
static idv_rc begins_after(const struct rollover *r, int64_t *from)
{
    for (int n = 1; n < r->n; n++) {
        IDV_AUTO(buf) pem = {0};
        IDV_AUTO_PTR(idv_certs) chain = NULL;
        char name[64], path[1024];
        int64_t begin, end;
        name_of("registrar", n, name);
        IDV_TRY(tool_path(r->dir, name, ".pem", path));
        if (!idv_fs_exists(path))
            continue;
        IDV_TRY(idv_fs_read(path, 0, &pem));
        IDV_TRY(idv_certs_from_pem(idv_view(&pem), &chain));
        IDV_TRY(idv_cert_times(sk_X509_value(chain, 0), &begin, &end));
        *from = *from > begin ? *from : begin + 1;
    }
    return IDV_OK;
}

static idv_rc registrar_cert(const struct rollover *r, X509 **out)
{
    const X509 *old = r->registrar.cert;
    int64_t from = idv_now(r->t->env) - DAY;
    IDV_TRY(begins_after(r, &from));
    STACK_OF(X509_EXTENSION) *names = NULL;
    int at = X509_get_ext_by_NID(old, NID_subject_alt_name, -1);
    if (at >= 0 && !X509v3_add_ext(&names, X509_get_ext(old, at), -1))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    const int64_t now = idv_now(r->t->env);
    const struct idv_cert_spec spec = {
        .kind = IDV_CERT_REGISTRAR,
        .subject = X509_get_subject_name(old),
        .extra = names,
        .not_before = from,
        .not_after = now + REGISTRAR_YEARS * YEAR,
    };
    idv_rc rc = idv_cert_issue(&spec, r->registrar.key, r->now.cert, r->now.key,
                               r->t->env, out);
    sk_X509_EXTENSION_pop_free(names, X509_EXTENSION_free);
    return rc;
}

static idv_rc make_registrar(struct rollover *r)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_AUTO_PTR(idv_certs) chain = sk_X509_new_null();
    char name[64];
    if (!chain)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(tool_authority_open(r->token, r->dir, "registrar", &r->registrar));
    IDV_TRY(registrar_cert(r, &cert));
    IDV_TRY(push(chain, cert));
    IDV_TRY(push(chain, sk_X509_value(r->now.chain, 1)));
    name_of("registrar", r->n, name);
    return write_pem(r, name, chain);
}

idv_rc tool_rollover(struct tool *t, const char *token_uri, const char *dir,
                     const char *type)
{
    AUTO_ROLLOVER r = {.t = t, .token = token_uri, .dir = dir};
    r.type = IDV_KEY_P256;
    if (type)
        IDV_TRY(idv_key_type_from_text(type, &r.type));
    IDV_TRY(find_number(&r));
    IDV_TRY(open_old(&r));
    IDV_TRY(make_ca(&r));
    return make_registrar(&r);
}
