/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines without a network: request, issue and install, each on its side, and
 * files between them.
 */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/text.h>

#include "factory.h"
#include "factory_device.h"

/* A station on the device of the options, and what is in it. */
struct bench {
    struct line l;
    struct device_job job;
    struct idv_station_conf conf;
    struct idv_station *station;
    struct idv_station_seen seen;
    enum idv_factory_why why;
    char serial[IDV_MAX_SERIAL + 1];
    struct idv_json *line; /* of the order, where it is known here */
};

static void bench_free(struct bench *b)
{
    idv_station_seen_free(&b->seen);
    idv_station_free(b->station);
    line_close(&b->l);
    idv_json_free(b->line);
}

/* an order that was brought here, or that is the desk's of this machine */
static idv_rc bench_order(struct bench *b)
{
    IDV_AUTO(buf) text = {0};
    bool order, found = false;
    if (opt.order)
        IDV_TRY(b->l.store.order_device(b->l.store.self, opt.order, b->serial,
                                        &order, &found, &text));
    if (found)
        IDV_TRY(idv_json_parse(idv_view(&text), 0, &b->line));
    device_has(b->station, b->line);
    return IDV_OK;
}

static idv_rc bench_open(struct tool *t, struct bench *b)
{
    IDV_TRY(factory_need(opt.device, "--device URI"));
    IDV_TRY(factory_job(&b->job));
    IDV_TRY(line_open_station(t, &factory_conf, &b->l));
    device_conf(&b->l, &b->job, &b->conf);
    IDV_TRY(idv_station_new(&b->conf, &b->station));
    IDV_TRY(idv_station_look(b->station, &b->seen, &b->why));
    const char *serial = opt.serial ? opt.serial : b->seen.device.serial_number;
    IDV_TRY(idv_text_copy(b->serial, sizeof(b->serial), idv_str(serial),
                          "serial number"));
    if (!*b->serial)
        return idv_fail(IDV_E_ARG, "--serial TEXT is missing: the journal does "
                                   "not know this device");
    idv_station_is(b->station, opt.order, b->serial, b->job.model);
    return bench_order(b);
}

static idv_rc advise(const struct bench *b, idv_rc rc)
{
    if (rc == IDV_OK || b->why == IDV_WHY_NONE)
        return rc;
    return idv_fail_within(rc, "%s", idv_factory_why_to_text(b->why));
}

/* --- request ----------------------------------------------------------------
 */

/* An order's ticket: {"order":..,"challenge":base64}, what order prints. */
static idv_rc ticket(const char *path, char order[IDV_FACTORY_NAME_MAX + 1],
                     uint8_t challenge[IDV_FACTORY_CHALLENGE])
{
    IDV_AUTO(buf) text = {0};
    IDV_AUTO(buf) raw = {.max = IDV_FACTORY_CHALLENGE};
    IDV_AUTO_PTR(idv_json) o = NULL;
    IDV_TRY(tool_read(path, &text));
    IDV_TRY(idv_json_parse(idv_view(&text), 0, &o));
    const char *id = idv_json_text(idv_json_get(o, "order"));
    const char *c = idv_json_text(idv_json_get(o, "challenge"));
    if (!id || !c)
        return idv_fail(IDV_E_FORMAT, "%s: is no order's ticket", path);
    IDV_TRY(idv_text_copy(order, IDV_FACTORY_NAME_MAX + 1, idv_str(id), path));
    IDV_TRY(idv_base64_to_bytes(idv_str(c), IDV_BASE64_STRICT, &raw));
    if (raw.n != IDV_FACTORY_CHALLENGE)
        return idv_fail(IDV_E_FORMAT, "%s: a challenge of %zu bytes", path,
                        raw.n);
    memcpy(challenge, raw.p, raw.n);
    return IDV_OK;
}

idv_rc factory_request(struct tool *t, int argc, char **argv)
{
    struct bench b = {0};
    IDV_AUTO(buf) cms = {.max = IDV_MAX_BODY};
    char order[IDV_FACTORY_NAME_MAX + 1];
    uint8_t challenge[IDV_FACTORY_CHALLENGE];
    (void)argc;
    opt.dir = argv[0];
    IDV_TRY(factory_configured());
    IDV_TRY(ticket(argv[1], order, challenge));
    opt.order = order;
    idv_rc rc = bench_open(t, &b);
    if (rc == IDV_OK)
        rc =
            advise(&b, idv_station_request(b.station, challenge, &cms, &b.why));
    if (rc == IDV_OK)
        rc = tool_write(opt.out, idv_view(&cms));
    if (rc == IDV_OK && opt.out)
        tool_say(t, "%s: request in %s", b.serial, opt.out);
    bench_free(&b);
    return rc;
}

/* --- issue ------------------------------------------------------------------
 */

static idv_rc issue_one(struct line *l, const char *path)
{
    IDV_AUTO(buf) cms = {.max = IDV_MAX_BODY};
    IDV_AUTO(buf) reply = {.max = IDV_MAX_BODY};
    enum idv_factory_why why = IDV_WHY_NONE;
    char to[1024];
    IDV_TRY(tool_read(path, &cms));
    idv_rc rc = l->desk.issue(l->desk.self, idv_view(&cms), &reply, &why);
    if (rc != IDV_OK) {
        rc = why == IDV_WHY_NONE
                 ? rc
                 : idv_fail_within(rc, "%s", idv_factory_why_to_text(why));
        return idv_fail_within(rc, "%s", path);
    }
    if (opt.out)
        return tool_write(opt.out, idv_view(&reply));
    IDV_TRY(tool_path(path, "", "", to));
    if (snprintf(to, sizeof(to), "%s.reply", path) >= (int)sizeof(to))
        return idv_fail(IDV_E_ARG, "%s: path too long", path);
    IDV_TRY(tool_write(to, idv_view(&reply)));
    tool_say(l->t, "%s", to);
    return IDV_OK;
}

/* Each request by itself: what is wrong with one keeps no other from its
 * certificate. */
static idv_rc issue_all(struct line *l, int n, char **paths)
{
    int failed = 0;
    idv_rc last = IDV_OK;
    if (n == 1)
        return issue_one(l, paths[0]);
    for (int i = 0; i < n; i++) {
        idv_rc rc = issue_one(l, paths[i]);
        if (rc == IDV_OK)
            continue;
        last = rc;
        failed++;
        fprintf(stderr, "%s: %s\n", l->t->name, idv_note());
        idv_note_clear();
    }
    return failed ? idv_fail(last, "%d of %d requests were refused", failed, n)
                  : IDV_OK;
}

idv_rc factory_issue(struct tool *t, int argc, char **argv)
{
    struct line l;
    opt.dir = argv[0];
    IDV_TRY(factory_configured());
    if (factory_conf.desk.url)
        return idv_fail(IDV_E_ARG, "issue: the configuration names a desk "
                                   "elsewhere ([desk] url)");
    if (opt.out && argc > 2)
        return idv_fail(IDV_E_ARG, "--out: of one request only");
    idv_rc rc = line_open(t, &factory_conf, &l);
    if (rc == IDV_OK) {
        rc = issue_all(&l, argc - 1, argv + 1);
        line_seal(&l);
    }
    line_close(&l);
    return rc;
}

/* --- install -----------------------------------------------------------------
 */

static idv_rc reply_says(struct idv_bytes json,
                         char order[IDV_FACTORY_NAME_MAX + 1])
{
    struct idv_factory_reply r = {0};
    idv_rc rc = idv_factory_reply_from_json(json, &r);
    if (rc == IDV_OK)
        memcpy(order, r.order, sizeof(r.order));
    if (rc == IDV_OK && !opt.profile)
        opt.profile = idv_factory_profile_to_text(r.profile);
    idv_factory_reply_free(&r);
    return rc;
}

idv_rc factory_install_reply(struct tool *t, const char *path)
{
    struct bench b = {0};
    IDV_AUTO(buf) reply = {.max = IDV_MAX_BODY};
    char order[IDV_FACTORY_NAME_MAX + 1];
    IDV_TRY(factory_configured());
    IDV_TRY(tool_read(path, &reply));
    IDV_TRY(reply_says(idv_view(&reply), order));
    opt.order = order;
    idv_rc rc = bench_open(t, &b);
    if (rc == IDV_OK)
        rc = idv_station_install(b.station, idv_view(&reply), &b.why);
    if (rc == IDV_OK)
        rc = idv_station_finish(b.station, &b.why);
    rc = advise(&b, rc);
    if (rc == IDV_OK)
        tool_say(t, "%s: IDevID installed", b.serial);
    if (b.station)
        line_seal(&b.l);
    bench_free(&b);
    return rc;
}

/* --- options -----------------------------------------------------------------
 */

const struct tool_option factory_request_options[] = {
    {"device", 'd', "URI", "the device: tpm2: or pkcs11:token=...", &opt.device,
     NULL, NULL},
    {"serial", 's', "TEXT", "its serial number", &opt.serial, NULL, NULL},
    {"profile", 0, "WORD", "tcg, lean, direct or plain", &opt.profile, NULL,
     NULL},
    {"type", 0, "TYPE", "P-256, P-384, RSA-2048", &opt.type, NULL, NULL},
    {"operator", 0, "NAME", "who works here (default: the login name)",
     &opt.operator_, NULL, NULL},
    {"again", 0, NULL, "a device with an IDevID gets another one", NULL,
     &opt.again, NULL},
    {"ek-cert", 0, "PATH", "EK certificate, or a folder of them, instead of NV",
     &opt.ek_cert, NULL, NULL},
    {"out", 'o', "FILE", "where to (default: standard output)", &opt.out, NULL,
     NULL},
    {0}};

const struct tool_option factory_issue_options[] = {
    {"out", 'o', "FILE", "where the reply goes (default: FILE.reply)", &opt.out,
     NULL, NULL},
    {0}};
