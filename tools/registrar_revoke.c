/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-registrar revoke, crl. */
#include <string.h>

#include <openssl/pem.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/fs.h>

#include "registrar.h"
#include "registrar_labels.h"

/* --- revoke --------------------------------------------------------------- */

static idv_rc revoked(struct tool *t, const struct idv_json *answer)
{
    int64_t n = 0;
    if (t->json)
        return service_print(t, answer);
    IDV_TRY(idv_json_int(idv_json_get(answer, "revoked"), "revoked", &n));
    tool_say(t, "%lld revoked", (long long)n);
    return IDV_OK;
}

static idv_rc put_certificate(struct idv_json *in, const char *path)
{
    IDV_AUTO_PTR(idv_certs) certs = NULL;
    IDV_AUTO(buf) hex = {0};
    uint8_t hash[32];
    IDV_TRY(idv_certs_open(path, NULL, &certs));
    IDV_TRY(idv_cert_sha256(sk_X509_value(certs, 0), hash));
    IDV_TRY(idv_hex_from_bytes(idv_bytes(hash, sizeof(hash)), &hex));
    return tool_put_text(in, "sha256", (const char *)hex.p);
}

static idv_rc put_which(struct idv_json *in, int argc, char **argv)
{
    const char *path = registrar_opt.certificate;
    if (!argc == !path)
        return idv_fail(IDV_E_ARG,
                        "revoke: a SERIAL or --certificate FILE is needed");
    if (registrar_opt.reason)
        IDV_TRY(tool_put_text(in, "reason", registrar_opt.reason));
    return path ? put_certificate(in, path)
                : tool_put_text(in, "serial-number", argv[0]);
}

idv_rc registrar_revoke(struct tool *t, int argc, char **argv)
{
    struct idv_json *in = idv_json_new_object();
    if (!in)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = put_which(in, argc, argv);
    if (rc == IDV_OK)
        return registrar_ask(t, "/revoke", in, revoked);
    idv_json_free(in);
    return rc;
}

/* --- crl ------------------------------------------------------------------ */

static struct registrar_ca *the_ca(struct registrar_cas *c)
{
    const char *label = registrar_opt.label;
    if (!label)
        return &c->ca;
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->labels[i].conf.name, label) == 0)
            return &c->labels[i].ca;
    }
    return NULL;
}

static idv_rc to_pem(const struct idv_crl *crl, struct idv_buf *out)
{
    IDV_AUTO_PTR(BIO) bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (!bio || PEM_write_bio(bio, PEM_STRING_X509_CRL, "", crl->der.p,
                              (long)crl->der.n) <= 0)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    long n = BIO_get_mem_data(bio, &text);
    return idv_buf_put(out, idv_bytes(text, (size_t)n));
}

static idv_rc give(struct tool *t, const struct idv_crl *crl)
{
    IDV_AUTO(buf) pem = {.max = 2 * IDV_MAX_CRL};
    if (registrar_opt.out) {
        IDV_TRY(idv_fs_write(registrar_opt.out, idv_view(&crl->der), 0644));
        tool_say(t, "CRL number %lld: %s", (long long)crl->number,
                 registrar_opt.out);
        return IDV_OK;
    }
    IDV_TRY(to_pem(crl, &pem));
    return tool_print(idv_view(&pem));
}

static idv_rc make(struct tool *t, struct registrar_cas *cas,
                   struct idv_crl *crl)
{
    AUTO_DB struct idv_db *db = NULL;
    const struct registrar_identity nobody = {NULL, NULL};
    struct idv_registrar_ca use;
    bool found = false;
    IDV_TRY(registrar_cas_open(cas, t->env));
    struct registrar_ca *ca = the_ca(cas);
    if (!ca)
        return idv_fail(IDV_E_ARG, "crl: no label '%s'", registrar_opt.label);
    IDV_TRY(idv_db_open(registrar_conf.service.database, &db));
    IDV_TRY(registrar_ca_use(ca, db, &nobody, &use));
    if (!use.crl)
        return idv_fail(IDV_E_ARG, "crl: that of ca.upstream is its own");
    IDV_TRY(idv_crl_current(use.crl, t->env, registrar_opt.again, &found, crl));
    return found ? IDV_OK
                 : idv_fail(IDV_E_STATE, "crl: another process is making it");
}

idv_rc registrar_crl(struct tool *t, int argc, char **argv)
{
    struct registrar_cas cas = {0};
    struct idv_crl crl = {0};
    (void)argc;
    (void)argv;
    idv_rc rc = make(t, &cas, &crl);
    if (rc == IDV_OK)
        rc = give(t, &crl);
    idv_crl_free(&crl);
    registrar_cas_clear(&cas);
    return rc;
}
