/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-registrar as a cloud registrar: its key, and the verb owner. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/text.h>

#include "registrar.h"
#include "registrar_cloud.h"

idv_rc registrar_cloud_open(struct registrar_cloud *c)
{
    if (!registrar_conf.cloud_key)
        return IDV_OK;
    IDV_TRY(idv_certs_open(registrar_conf.cloud_cert, &tool_pin, &c->chain));
    IDV_TRY(idv_key_open(registrar_conf.cloud_key, &tool_pin, &c->key));
    if (EVP_PKEY_eq(X509_get0_pubkey(sk_X509_value(c->chain, 0)), c->key) == 1)
        return IDV_OK;
    return idv_fail(IDV_E_ARG, "cloud.voucher-certificate is of another key");
}

void registrar_cloud_clear(struct registrar_cloud *c)
{
    EVP_PKEY_free(c->key);
    idv_certs_free(c->chain);
}

void registrar_cloud_use(struct registrar_cloud *c, struct idv_db *db)
{
    c->conf = (struct idv_cloud_conf){
        .owners = idv_db_owner_store(db),
        .key = c->key,
        .cert = c->chain ? sk_X509_value(c->chain, 0) : NULL,
        .chain = c->chain,
        .retry_after_s = (int)registrar_conf.cloud_retry_after,
        .never_to = (const char *const *)registrar_conf.cloud_never_to,
    };
}

/* --- owner ---------------------------------------------------------------- */

static void owner_row(struct tool *t, const struct idv_json *row)
{
    tool_say(t, "%-24s %-16s %-8s %s", service_cell(row, "serial-number"),
             service_cell(row, "maker"), service_cell(row, "kind"),
             service_cell(row, "to"));
}

static idv_rc owner_page(struct tool *t, const struct idv_json *answer)
{
    return service_rows(t, answer, owner_row);
}

static idv_rc owner_one(struct tool *t, const struct idv_json *answer)
{
    if (t->json)
        return service_print(t, answer);
    owner_row(t, answer);
    return IDV_OK;
}

static idv_rc put_pin(struct idv_json *in)
{
    IDV_AUTO_PTR(idv_certs) certs = NULL;
    IDV_AUTO(buf) der = {.max = IDV_MAX_CERT};
    IDV_AUTO(buf) text = {0};
    if (!registrar_opt.pin_cert)
        return IDV_OK;
    IDV_TRY(idv_certs_open(registrar_opt.pin_cert, &tool_pin, &certs));
    IDV_TRY(idv_cert_to_der(sk_X509_value(certs, 0), &der));
    IDV_TRY(idv_base64_from_bytes(idv_view(&der), 0, &text));
    return tool_put_text(in, "pin", (const char *)text.p);
}

/* exactly one of the three says where */
static idv_rc put_where(struct idv_json *in)
{
    const struct registrar_options *o = &registrar_opt;
    if (!!o->to + !!o->est_domain + o->nobody != 1)
        return idv_fail(IDV_E_ARG, "owner set: one of --to, --est-domain and "
                                   "--nobody is needed");
    if (!!o->est_domain != !!o->pin_cert || (o->more && !o->est_domain))
        return idv_fail(IDV_E_ARG, "owner set: --est-domain and --pin go "
                                   "together, --more with them");
    IDV_TRY(tool_put_text(in, "kind",
                          o->to           ? "redirect"
                          : o->est_domain ? "voucher"
                                          : "nobody"));
    IDV_TRY(tool_put_text(in, "to", o->to ? o->to : o->est_domain));
    IDV_TRY(tool_put_text(in, "more", o->more));
    return put_pin(in);
}

static idv_rc put_device(struct idv_json *in, const char *serial)
{
    char maker[64];
    IDV_TRY(registrar_the_maker(maker));
    IDV_TRY(tool_put_text(in, "maker", maker));
    return tool_put_text(in, "serial-number", serial);
}

static idv_rc ask_of(struct tool *t, const char *path, const char *serial,
                     idv_rc (*put)(struct idv_json *in))
{
    struct idv_json *in = idv_json_new_object();
    if (!in)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = put_device(in, serial);
    if (rc == IDV_OK && put)
        rc = put(in);
    if (rc == IDV_OK)
        return registrar_ask(t, path, in, owner_one);
    idv_json_free(in);
    return rc;
}

idv_rc registrar_owner(struct tool *t, int argc, char **argv)
{
    bool set = strcmp(argv[0], "set") == 0;
    if (strcmp(argv[0], "list") == 0 && argc == 1)
        return registrar_ask(t, "/owner-list", idv_json_new_object(),
                             owner_page);
    if (argc < 2 || (!set && strcmp(argv[0], "remove") != 0))
        return idv_fail(IDV_E_ARG, "owner: list, set SERIAL ... or remove "
                                   "SERIAL ...");
    for (int i = 1; i < argc; i++)
        IDV_TRY(set ? ask_of(t, "/owner-set", argv[i], put_where)
                    : ask_of(t, "/owner-remove", argv[i], NULL));
    return IDV_OK;
}
