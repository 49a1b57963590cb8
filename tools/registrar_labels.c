/* SPDX-License-Identifier: Apache-2.0 */
/* All CAs of a registrar, opened. */
#include <stdlib.h>

#include <idevid/text.h>

#include "registrar.h"
#include "registrar_labels.h"

static idv_rc open_label(struct registrar_label *l, const char *path,
                         const struct idv_env *env)
{
    IDV_TRY(idv_conf_load(&label_table, path, &l->conf));
    IDV_TRY(registrar_check_binding(&registrar_conf, &l->conf.ca));
    idv_rc rc = registrar_ca_open(&l->ca, &l->conf.ca, env);
    return rc == IDV_OK ? rc : idv_fail_within(rc, "%s", path);
}

idv_rc registrar_cas_open(struct registrar_cas *c, const struct idv_env *env)
{
    const size_t n = idv_list_count(registrar_conf.labels);
    c->labels = calloc(n ? n : 1, sizeof(*c->labels));
    c->table = calloc(n ? n : 1, sizeof(*c->table));
    if (!c->labels || !c->table)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    c->n = n;
    IDV_TRY(registrar_ca_open(&c->ca, &registrar_conf.ca, env));
    for (size_t i = 0; i < n; i++)
        IDV_TRY(open_label(&c->labels[i], registrar_conf.labels[i], env));
    return IDV_OK;
}

idv_rc registrar_cas_use(struct registrar_cas *c, struct idv_db *db,
                         const struct registrar_identity *us,
                         struct idv_registrar_conf *out)
{
    IDV_TRY(registrar_ca_use(&c->ca, db, us, &out->ca));
    for (size_t i = 0; i < c->n; i++) {
        IDV_TRY(registrar_ca_use(&c->labels[i].ca, db, us, &c->table[i]));
        c->table[i].label = c->labels[i].conf.name;
    }
    out->labels = c->table;
    out->n_labels = c->n;
    return IDV_OK;
}

idv_rc registrar_cas_keys(const struct registrar_cas *c, struct idv_json *keys)
{
    if (c->ca.chain)
        IDV_TRY(service_add_key("ca", sk_X509_value(c->ca.chain, 0), keys));
    for (size_t i = 0; i < c->n; i++) {
        const struct registrar_label *l = &c->labels[i];
        if (l->ca.chain)
            IDV_TRY(service_add_key(l->conf.name, sk_X509_value(l->ca.chain, 0),
                                    keys));
    }
    return IDV_OK;
}

void registrar_cas_clear(struct registrar_cas *c)
{
    registrar_ca_clear(&c->ca);
    for (size_t i = 0; i < c->n; i++) {
        registrar_ca_clear(&c->labels[i].ca);
        idv_conf_free(&label_table, &c->labels[i].conf);
    }
    free(c->labels);
    free(c->table);
    *c = (struct registrar_cas){0};
}
