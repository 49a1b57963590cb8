/* SPDX-License-Identifier: Apache-2.0 */
/* A maker's file, and what it names, opened. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "idevid/tree/item.h"
#include "registrar.h"
#include "registrar_maker.h"

/* The first line of the file. */
static idv_rc load_password(const char *path, struct idv_buf *out)
{
    IDV_AUTO(buf) file = {.secret = true};
    struct idv_bytes rest, line = {0};
    IDV_TRY(idv_fs_read_secret(path, &file));
    rest = idv_view(&file);
    if (!idv_text_next(&rest, "\r\n", &line) || line.n == 0 ||
        memchr(line.p, 0, line.n))
        return idv_fail(IDV_E_ARG, "%s: no password in its first line", path);
    out->secret = true;
    IDV_TRY(idv_buf_put(out, line));
    return idv_buf_put(out, idv_bytes("", 1));
}

static idv_rc load_log_keys(const struct maker_conf *c, EVP_PKEY **out)
{
    size_t n = idv_list_count(c->log_keys);
    struct idv_log_id id;
    if (c->log && !n)
        return idv_fail(IDV_E_ARG, "masa.log: it needs masa.log-keys");
    if (n > TOOL_LIST_MAX)
        return idv_fail(IDV_E_ARG, "masa.log-keys: more than %d",
                        TOOL_LIST_MAX);
    for (size_t i = 0; i < n; i++) {
        IDV_TRY(tool_public_key(c->log_keys[i], &out[i]));
        idv_rc rc = idv_log_id(out[i], &id);
        if (rc != IDV_OK)
            return idv_fail_within(rc, "%s", c->log_keys[i]);
    }
    return IDV_OK;
}

static idv_rc open_files(struct registrar_maker *m)
{
    const struct maker_conf *c = &m->conf;
    IDV_TRY(idv_certs_open(c->anchors, NULL, &m->anchors));
    if (c->masa_anchors)
        IDV_TRY(idv_certs_open(c->masa_anchors, NULL, &m->masa_anchors));
    if (c->evidence_anchors)
        IDV_TRY(
            idv_certs_open(c->evidence_anchors, NULL, &m->evidence_anchors));
    if (c->approval_key)
        IDV_TRY(tool_public_key(c->approval_key, &m->approval_key));
    IDV_TRY(load_log_keys(c, m->log_keys));
    return c->masa_password_file
               ? load_password(c->masa_password_file, &m->password)
               : IDV_OK;
}

idv_rc registrar_maker_load(const char *path, struct registrar_maker *m,
                            struct idv_registrar_maker *row)
{
    const struct maker_conf *c = &m->conf;
    IDV_TRY(idv_conf_load(&maker_table, path, &m->conf));
    IDV_TRY(open_files(m));
    *row = (struct idv_registrar_maker){
        .name = c->name,
        .anchors = m->anchors,
        .ignore_expiry = c->ignore_expiry,
        .serial_field = (enum idv_serial_field)c->serial_field,
        .model_field = (enum idv_model_field)c->model_field,
        .admit = (enum idv_admit)c->admit,
        .unauthenticated = c->unauthenticated,
        .evidence_anchors = m->evidence_anchors,
        .approval_key = m->approval_key,
        .masa_url = c->masa_url,
        .masa_fallback = c->masa_fallback,
        .masa_anchors = m->masa_anchors,
        .masa_client_auth = c->masa_client_auth,
        .masa_user = c->masa_user,
        .masa_password = (const char *)m->password.p,
        .masa_digest = c->masa_http_auth == 1,
        .stored = (enum idv_stored_use)c->stored,
        .id_data = c->id_data,
        .issuer_sequence = c->issuer_sequence,
        .log = (enum idv_maker_log)c->log,
        .log_keys = m->log_keys,
    };
    return IDV_OK;
}

void registrar_maker_free(struct registrar_maker *m)
{
    idv_conf_free(&maker_table, &m->conf);
    idv_certs_free(m->anchors);
    idv_certs_free(m->masa_anchors);
    idv_certs_free(m->evidence_anchors);
    EVP_PKEY_free(m->approval_key);
    idv_buf_free(&m->password);
    for (size_t i = 0; m->log_keys[i]; i++)
        EVP_PKEY_free(m->log_keys[i]);
    memset(m, 0, sizeof(*m));
}

idv_rc registrar_maker_find(const char *name, struct registrar_maker *m,
                            struct idv_registrar_maker *row)
{
    char **paths = registrar_conf.makers;
    if (!name && idv_list_count(paths) != 1)
        return idv_fail(IDV_E_ARG, "the maker is needed: there are several");
    for (; paths && *paths; paths++) {
        IDV_TRY(registrar_maker_load(*paths, m, row));
        if (!name || strcmp(row->name, name) == 0)
            return IDV_OK;
        registrar_maker_free(m);
    }
    return idv_fail(IDV_E_ARG, "there is no maker '%s'", name ? name : "");
}
