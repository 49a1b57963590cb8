/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a line, from its configuration. */
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <idevid/auto.h>
#include <idevid/fs.h>

#include "factory_line.h"

void line_close(struct line *l)
{
    if (l->desk.free)
        l->desk.free(l->desk.self);
    tool_authority_free(&l->station);
    idv_certs_free(l->anchors);
    idv_certs_free(l->maker_anchors);
    EVP_PKEY_free(l->approval_key);
    X509_free(l->escrow);
    idv_db_close(l->db);
    memset(l, 0, sizeof(*l));
}

idv_rc line_open_book(struct tool *t, const struct factory_conf *conf,
                      struct line *out)
{
    *out =
        (struct line){.t = t, .conf = conf, .template = factory_template(conf)};
    IDV_TRY(idv_db_open_factory(conf->database, &out->db));
    out->store = idv_db_factory_store(out->db);
    return IDV_OK;
}

static idv_rc open_authority(const char *key, const char *certs,
                             struct tool_authority *out)
{
    IDV_TRY(idv_key_open(key, &tool_pin, &out->key));
    IDV_TRY(idv_certs_open(certs, &tool_pin, &out->chain));
    out->cert = sk_X509_value(out->chain, 0);
    X509_up_ref(out->cert);
    if (EVP_PKEY_eq(X509_get0_pubkey(out->cert), out->key) != 1)
        return idv_fail(IDV_E_REJECT, "%s: is not the certificate of %s", certs,
                        key);
    return IDV_OK;
}

/* --- the lockdown --------------------------------------------------------- */

static idv_rc need(const char *value, const char *key, const char *because)
{
    return value ? IDV_OK
                 : idv_fail(IDV_E_ARG, "[lockdown] %s is missing: %s", key,
                            because);
}

static idv_rc open_lockdown_files(struct line *l)
{
    const struct factory_lockdown_conf *c = &l->conf->lockdown;
    if (c->maker_anchors)
        IDV_TRY(idv_certs_open(c->maker_anchors, NULL, &l->maker_anchors));
    if (c->anchor == FACTORY_ANCHOR_PLATFORM) {
        IDV_TRY(need(c->approval_key, "approval-key", "anchor = platform"));
        IDV_TRY(tool_public_key(c->approval_key, &l->approval_key));
    }
    if (c->lockout_value || c->owner_value) {
        IDV_TRY(need(c->escrow, "escrow", "values are kept for somebody"));
        IDV_TRY(idv_cert_open(c->escrow, NULL, &l->escrow));
    }
    if (c->owner_value && c->anchor != FACTORY_ANCHOR_PLATFORM)
        return idv_fail(IDV_E_ARG, "[lockdown] owner-value: only with anchor = "
                                   "platform; the owner profile's anchor is "
                                   "the owner's");
    return IDV_OK;
}

static idv_rc open_lockdown(struct line *l)
{
    const struct factory_lockdown_conf *c = &l->conf->lockdown;
    IDV_TRY(open_lockdown_files(l));
    l->lockdown = (struct idv_lockdown){
        .anchor_counter = c->anchor == FACTORY_ANCHOR_OWNER,
        .platform_anchor = c->anchor == FACTORY_ANCHOR_PLATFORM,
        .approval_key = l->approval_key,
        .maker_anchors = l->maker_anchors,
        .da = c->max_tries > 0,
        .max_tries = (uint32_t)c->max_tries,
        .recovery_s = (uint32_t)c->recovery,
        .lockout_recovery_s = (uint32_t)c->lockout_recovery,
        .owner_auth = c->owner_value,
        .lockout_auth = c->lockout_value,
        .escrow = l->escrow,
        .lock_certs = c->lock_certificates,
    };
    return IDV_OK;
}

/* --- all of it ------------------------------------------------------------ */

/* Intermediates beside the anchors: a path goes on from them to a root. */
static idv_rc add_chain(struct line *l, const char *file, bool needed)
{
    IDV_AUTO_PTR(idv_certs) more = NULL;
    X509 *cert;
    if (!needed && !idv_fs_exists(file))
        return IDV_OK;
    IDV_TRY(idv_certs_open(file, NULL, &more));
    while ((cert = sk_X509_shift(more))) {
        if (sk_X509_push(l->anchors, cert) <= 0) {
            X509_free(cert);
            return idv_fail(IDV_E_NOMEM, "out of memory");
        }
    }
    return IDV_OK;
}

static idv_rc open_anchors(struct line *l)
{
    const struct factory_conf *c = l->conf;
    char beside[1024];
    IDV_TRY(idv_certs_open(c->anchors, NULL, &l->anchors));
    if (c->chain)
        return add_chain(l, c->chain, true);
    const char *slash = strrchr(c->anchors, '/');
    const int dir = slash ? (int)(slash - c->anchors) + 1 : 0;
    if (snprintf(beside, sizeof(beside), "%.*sissuing-ca.pem", dir,
                 c->anchors) >= (int)sizeof(beside))
        return idv_fail(IDV_E_ARG, "%s: path too long", c->anchors);
    return add_chain(l, beside, false);
}

idv_rc line_open_device(struct tool *t, const struct factory_conf *conf,
                        struct line *out)
{
    IDV_TRY(line_open_book(t, conf, out));
    return open_anchors(out);
}

idv_rc line_open_station(struct tool *t, const struct factory_conf *conf,
                         struct line *out)
{
    IDV_TRY(line_open_device(t, conf, out));
    IDV_TRY(open_authority(conf->station_key, conf->station_certificate,
                           &out->station));
    return open_lockdown(out);
}

idv_rc line_open(struct tool *t, const struct factory_conf *conf,
                 struct line *out)
{
    IDV_TRY(line_open_station(t, conf, out));
    if (conf->desk.url)
        return line_desk_elsewhere(t, conf, &out->station, &out->desk);
    return line_desk_here(t, conf, &out->store, &out->desk);
}

const char *line_operator(const char *option)
{
    const struct passwd *pw = option ? NULL : getpwuid(getuid());
    if (option)
        return option;
    return pw ? pw->pw_name : "unknown";
}

void line_seal(struct line *l)
{
    if (idv_journal_seal(&l->store, l->station.key, l->station.cert,
                         l->t->env) == IDV_OK)
        return;
    fprintf(stderr, "%s: the journal was not signed: %s\n", l->t->name,
            idv_note());
    idv_note_clear();
}
