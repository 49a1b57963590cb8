/* SPDX-License-Identifier: Apache-2.0 */
/* The desk of this machine, from the configuration. */
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "factory_line.h"
#include "factory_upstream.h"

struct here {
    const struct factory_conf *conf;
    struct idv_desk_template template;
    struct idv_desk_ca ca, iak_ca;
    void (*ca_free)(struct idv_desk_ca *ca);
    STACK_OF(X509) * chain, *iak_chain, *stations;
    struct idv_roots *roots;
    uint8_t (*listed)[32];
    size_t listed_n;
    struct idv_desk_conf desk_conf;
    struct idv_desk *desk;
};

static void here_free(void *self)
{
    struct here *h = self;
    idv_desk_free(h->desk);
    if (h->ca_free)
        h->ca_free(&h->ca);
    if (h->iak_ca.issue)
        idv_desk_ca_local_free(&h->iak_ca);
    idv_certs_free(h->chain);
    idv_certs_free(h->iak_chain);
    idv_certs_free(h->stations);
    idv_roots_free(h->roots);
    free(h->listed);
    free(h);
}

/* --- vendors -------------------------------------------------------------- */

/* The version that was used last stands beside the bundle: none below it is
 * taken again. */
static idv_rc version_used(const char *path, uint64_t *out)
{
    IDV_AUTO(buf) text = {.max = 32};
    int64_t v = 0;
    *out = 0;
    if (!idv_fs_exists(path))
        return IDV_OK;
    IDV_TRY(idv_fs_read(path, 0, &text));
    IDV_TRY(idv_text_to_int(idv_text_trim(idv_view(&text)), 0, INT64_MAX, path,
                            &v));
    *out = (uint64_t)v;
    return IDV_OK;
}

static idv_rc open_roots(struct here *h)
{
    const struct factory_desk_conf *c = &h->conf->desk;
    IDV_AUTO(buf) bundle = {.max = (size_t)8 << 20};
    IDV_AUTO_PTR(idv_certs) anchors = NULL;
    char used[1024], text[32];
    uint64_t min;
    if (!c->roots)
        return IDV_OK;
    IDV_TRY(tool_path(c->roots, "", "", used)); /* too long is told here */
    if (snprintf(used, sizeof(used), "%s.used", c->roots) >= (int)sizeof(used))
        return idv_fail(IDV_E_ARG, "%s: path too long", c->roots);
    IDV_TRY(version_used(used, &min));
    IDV_TRY(idv_fs_read(c->roots, bundle.max, &bundle));
    IDV_TRY(idv_certs_open(c->roots_anchors, NULL, &anchors));
    idv_rc rc = idv_roots_open(idv_view(&bundle), anchors, min, &h->roots);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "%s", c->roots);
    if (idv_roots_version(h->roots) == min)
        return IDV_OK;
    snprintf(text, sizeof(text), "%llu\n",
             (unsigned long long)idv_roots_version(h->roots));
    return idv_fs_write(used, idv_str(text), 0644);
}

static idv_rc add_listed(struct here *h, struct idv_bytes line)
{
    IDV_AUTO(buf) raw = {.max = 32};
    line = idv_text_trim(line);
    if (!line.n || *line.p == '#')
        return IDV_OK;
    if (line.n != 64 || idv_hex_to_bytes(line, &raw) != IDV_OK) {
        idv_note_clear();
        return idv_fail(IDV_E_FORMAT, "not 64 hexadecimal digits");
    }
    void *more = reallocarray(h->listed, h->listed_n + 1, sizeof(*h->listed));
    if (!more)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    h->listed = more;
    memcpy(h->listed[h->listed_n++], raw.p, 32);
    return IDV_OK;
}

static idv_rc open_listed(struct here *h)
{
    const struct factory_desk_conf *c = &h->conf->desk;
    IDV_AUTO(buf) text = {.max = (size_t)128 << 20};
    unsigned at = 0;
    struct idv_bytes rest, line;
    if (c->ek != FACTORY_EK_LISTED)
        return IDV_OK;
    if (!c->ek_list)
        return idv_fail(IDV_E_ARG, "[desk] ek-list is missing: ek-certificate "
                                   "= listed");
    IDV_TRY(idv_fs_read(c->ek_list, text.max, &text));
    for (rest = idv_view(&text); idv_text_next(&rest, "\n", &line);) {
        at++;
        idv_rc rc = add_listed(h, line);
        if (rc != IDV_OK)
            return idv_fail_within(rc, "%s:%u", c->ek_list, at);
    }
    return IDV_OK;
}

/* --- who issues ----------------------------------------------------------- */

static idv_rc open_ca(struct here *h, struct tool *t)
{
    const struct factory_desk_conf *c = &h->conf->desk;
    IDV_TRY(idv_certs_open(c->ca_certificate, &tool_pin, &h->chain));
    if (c->upstream == FACTORY_CA_LOCAL) {
        if (!c->ca_key)
            return idv_fail(IDV_E_ARG, "[desk] ca-key is missing: ca = local");
        h->ca_free = idv_desk_ca_local_free;
        return idv_desk_ca_local(c->ca_key, &tool_pin, h->chain, t->env,
                                 &h->ca);
    }
    h->ca_free = factory_upstream_free;
    return factory_upstream_open(h->conf, h->chain, t->env, &h->ca);
}

/* Another one for IAKs: who wants a request of their keys cannot make them,
 * and a device with such a key is not done without its certificate. */
static idv_rc open_iak_ca(struct here *h, struct tool *t, unsigned taken)
{
    const struct factory_desk_conf *c = &h->conf->desk;
    const unsigned with_iak = 1u << IDV_PROFILE_TCG | 1u << IDV_PROFILE_LEAN;
    if (!c->iak_key)
        return h->ca.needs_csr && (taken & with_iak)
                   ? idv_fail(IDV_E_ARG,
                              "[desk] iak-key is missing: a CA elsewhere "
                              "certifies no attestation keys, which tcg and "
                              "lean have; or take these out of profiles")
                   : IDV_OK;
    IDV_TRY(idv_certs_open(c->iak_certificate, &tool_pin, &h->iak_chain));
    return idv_desk_ca_local(c->iak_key, &tool_pin, h->iak_chain, t->env,
                             &h->iak_ca);
}

static idv_rc profiles(const struct factory_conf *conf, unsigned *out)
{
    *out = 0;
    for (char **p = conf->desk.profiles; p && *p; p++) {
        enum idv_factory_profile one;
        IDV_TRY(idv_factory_profile_from_text(*p, &one));
        *out |= 1u << one;
    }
    return IDV_OK;
}

static void fill(struct here *h, struct tool *t,
                 const struct idv_factory_store *store)
{
    const struct factory_desk_conf *c = &h->conf->desk;
    h->template = factory_template(h->conf);
    h->desk_conf = (struct idv_desk_conf){
        .store = store,
        .ca = &h->ca,
        .iak_ca = h->iak_ca.issue ? &h->iak_ca : NULL,
        .idevid = &h->template,
        .stations = h->stations,
        .roots = h->roots,
        .without_ek_cert = c->ek == FACTORY_EK_LISTED,
        .ek_allowed = (const uint8_t(*)[32])h->listed,
        .ek_allowed_n = h->listed_n,
        .ek_check_time = c->ek_check_time,
        .challenge_s = c->challenge_hours * 3600,
        .env = t->env,
    };
}

static idv_rc open_here(struct here *h, struct tool *t,
                        const struct idv_factory_store *store)
{
    unsigned taken;
    IDV_TRY(profiles(h->conf, &taken));
    IDV_TRY(idv_certs_open(h->conf->desk.stations, NULL, &h->stations));
    IDV_TRY(open_roots(h));
    IDV_TRY(open_listed(h));
    IDV_TRY(open_ca(h, t));
    IDV_TRY(open_iak_ca(h, t, taken));
    fill(h, t, store);
    h->desk_conf.profiles = taken;
    return idv_desk_new(&h->desk_conf, &h->desk);
}

/* --- as a line's desk ------------------------------------------------------
 */

static idv_rc here_challenge(void *self, const char *order,
                             uint8_t out[IDV_FACTORY_CHALLENGE],
                             enum idv_factory_why *why)
{
    struct here *h = self;
    return idv_desk_challenge(h->desk, order, out, why);
}

static idv_rc here_issue(void *self, struct idv_bytes request,
                         struct idv_buf *reply, enum idv_factory_why *why)
{
    struct here *h = self;
    return idv_desk_issue(h->desk, request, NULL, reply, why);
}

struct idv_desk *line_desk_of(const struct line_desk *here)
{
    return here->challenge == here_challenge ? ((struct here *)here->self)->desk
                                             : NULL;
}

idv_rc line_desk_here(struct tool *t, const struct factory_conf *conf,
                      const struct idv_factory_store *store,
                      struct line_desk *out)
{
    struct here *h = calloc(1, sizeof(*h));
    if (!h)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    h->conf = conf;
    *out = (struct line_desk){h, here_challenge, here_issue, here_free, 0};
    idv_rc rc = open_here(h, t, store);
    if (rc != IDV_OK) {
        here_free(h);
        *out = (struct line_desk){0};
    }
    return rc;
}
