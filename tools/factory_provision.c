/* SPDX-License-Identifier: Apache-2.0 */
/* provision and verify: a device, or as many as the fixtures have. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "factory.h"
#include "factory_batch.h"

static idv_rc number(const char *text, int64_t min, int64_t max,
                     const char *what, int64_t *out)
{
    return text ? idv_text_to_int(idv_str(text), min, max, what, out) : IDV_OK;
}

idv_rc factory_job(struct device_job *job)
{
    enum idv_factory_profile profile;
    enum idv_key_type type;
    *job = (struct device_job){
        .fixture = opt.fixture,
        .device = opt.device,
        .order = opt.order,
        .serial = opt.serial,
        .model = opt.model,
        .operator_ = line_operator(opt.operator_),
        .key_uri = opt.key_uri,
        .cert_uri = opt.cert_uri,
        .ek_cert = opt.ek_cert,
        .power_cycle = opt.power_cycle,
        .profile = -1,
        .type = -1,
        .again = opt.again,
        .owner_nv = opt.owner_nv,
        .wait_s = 600,
    };
    if (!idv_uri_is_device(opt.device))
        return idv_fail(IDV_E_ARG, "--device: '%s' is no device URI",
                        opt.device);
    if (opt.profile) {
        IDV_TRY(idv_factory_profile_from_text(opt.profile, &profile));
        job->profile = (int)profile;
    }
    if (opt.type) {
        IDV_TRY(idv_key_type_from_text(opt.type, &type));
        job->type = (int)type;
    }
    return number(opt.wait, 0, 7 * 86400, "--wait", &job->wait_s);
}

static void tell_one(struct line *l, const struct device_job *job,
                     const struct device_result *r)
{
    const struct idv_station_calls *c = &r->calls;
    (void)job;
    if (r->end == DEVICE_KEPT)
        tool_say(l->t, "%s: has its IDevID already", r->serial_number);
    else if (r->end == DEVICE_DONE)
        tool_say(l->t,
                 "%s: IDevID made (%llu device calls)\n"
                 "  device       %s\n"
                 "  calls        look %llu, request %llu, install %llu, locks "
                 "%llu, lockdown %llu, self test %llu",
                 r->serial_number,
                 (unsigned long long)(c->look + c->request + c->install +
                                      c->locks + c->lockdown + c->self_test),
                 r->text, (unsigned long long)c->look,
                 (unsigned long long)c->request, (unsigned long long)c->install,
                 (unsigned long long)c->locks, (unsigned long long)c->lockdown,
                 (unsigned long long)c->self_test);
}

static idv_rc one(struct line *l)
{
    struct device_job job;
    struct device_result result;
    IDV_TRY(factory_need(opt.device, "--device URI"));
    IDV_TRY(factory_job(&job));
    idv_rc rc = device_provision(l, &job, &result);
    tell_one(l, &job, &result);
    if (rc != IDV_OK && !l->t->json)
        rc = idv_fail_within(rc, "%s",
                             *result.serial_number ? result.serial_number
                                                   : opt.device);
    line_seal(l);
    return rc;
}

/* Options that workers get as they are. */
static void pass_on(const char **to)
{
    const struct {
        const char *name, *value;
    } row[] = {{"--profile", opt.profile}, {"--type", opt.type},
               {"--model", opt.model},     {"--wait", opt.wait},
               {"--ek-cert", opt.ek_cert}, {"--again", opt.again ? "" : NULL}};
    for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
        if (!row[i].value)
            continue;
        *to++ = row[i].name;
        if (*row[i].value)
            *to++ = row[i].value;
    }
    *to = NULL;
}

static idv_rc many(struct line *l)
{
    const char *pass[16];
    struct batch b = {.workers = {.dir = opt.dir,
                                  .conf_path = l->t->conf_path,
                                  .order = opt.order,
                                  .operator_ = opt.operator_,
                                  .pass = pass},
                      .fixtures = opt.fixtures,
                      .jobs = 1,
                      .retries = 2};
    pass_on(pass);
    IDV_TRY(number(opt.jobs, 1, 256, "--jobs", &b.jobs));
    IDV_TRY(number(opt.retries, 0, 100, "--retries", &b.retries));
    return batch_run(l, &b);
}

idv_rc factory_provision(struct tool *t, int argc, char **argv)
{
    struct line l;
    (void)argc;
    opt.dir = argv[0];
    IDV_TRY(factory_configured());
    if (opt.fixtures && (opt.device || opt.serial))
        return idv_fail(IDV_E_ARG, "--fixtures: the file says device and "
                                   "serial number");
    idv_rc rc = opt.fixtures ? line_open_station(t, &factory_conf, &l)
                             : line_open(t, &factory_conf, &l);
    if (rc == IDV_OK)
        rc = opt.fixtures ? many(&l)
             : opt.worker ? worker_serve(&l) /* who has them signs the book */
                          : one(&l);
    line_close(&l);
    return rc;
}

/* --- verify -----------------------------------------------------------------
 */

static idv_rc verify_device(struct line *l)
{
    struct device_job job;
    struct idv_station_conf conf;
    struct idv_station *s = NULL;
    struct idv_station_seen seen = {0};
    enum idv_factory_why why = IDV_WHY_NONE;
    IDV_TRY(factory_job(&job));
    device_conf(l, &job, &conf);
    IDV_TRY(idv_station_new(&conf, &s));
    idv_rc rc = idv_station_look(s, &seen, &why);
    idv_station_is(s, seen.device.order,
                   opt.serial ? opt.serial : seen.has_serial, NULL);
    if (rc == IDV_OK)
        rc = idv_station_verify(s, &why);
    if (rc == IDV_OK)
        tool_say(l->t,
                 "%s: key and certificate belong together and to this maker",
                 seen.has_serial);
    idv_station_seen_free(&seen);
    idv_station_free(s);
    return rc;
}

static idv_rc verdict_put(struct idv_json *o,
                          const struct idv_journal_verdict *v)
{
    IDV_TRY(tool_put_int(o, "entries", v->entries));
    IDV_TRY(tool_put_int(o, "batches", v->batches));
    IDV_TRY(tool_put_int(o, "unsigned-entries", v->unsigned_entries));
    IDV_TRY(tool_put_int(o, "devices", v->devices));
    if (v->bad_seq)
        IDV_TRY(tool_put_int(o, "bad-entry", v->bad_seq));
    return tool_put_text(o, "wrong", v->wrong);
}

static idv_rc head_open(const char *path, struct idv_journal_head *out)
{
    IDV_AUTO(buf) json = {.max = IDV_MAX_BODY};
    IDV_TRY(tool_read(path, &json));
    idv_rc rc = idv_journal_head_from_json(idv_view(&json), out);
    return rc == IDV_OK ? rc : idv_fail_within(rc, "%s", path);
}

static idv_rc verify_journal(struct tool *t)
{
    struct line l;
    IDV_AUTO_PTR(idv_certs) anchors = NULL;
    struct idv_journal_verdict v = {0};
    struct idv_journal_head head;
    if (opt.head)
        IDV_TRY(head_open(opt.head, &head));
    idv_rc rc = line_open_book(t, &factory_conf, &l);
    if (rc == IDV_OK)
        rc = idv_certs_open(factory_conf.desk.stations, NULL, &anchors);
    if (rc == IDV_OK)
        rc = idv_journal_verify(&l.store, anchors, opt.head ? &head : NULL, &v);
    line_close(&l);
    if (t->json) {
        struct idv_json *o = idv_json_new_object();
        idv_rc printed = o ? verdict_put(o, &v) : IDV_E_NOMEM;
        printed = tool_print_put(o, printed);
        return rc != IDV_OK ? rc : printed;
    }
    if (rc == IDV_OK)
        tool_say(t,
                 "journal in order: %llu entries of %llu devices, %llu signed "
                 "batches, %llu entries not signed yet",
                 (unsigned long long)v.entries, (unsigned long long)v.devices,
                 (unsigned long long)v.batches,
                 (unsigned long long)v.unsigned_entries);
    return rc;
}

idv_rc factory_verify(struct tool *t, int argc, char **argv)
{
    struct line l;
    (void)argc;
    opt.dir = argv[0];
    IDV_TRY(factory_configured());
    if (opt.journal)
        return verify_journal(t);
    IDV_TRY(factory_need(opt.device, "--device URI, or --journal,"));
    idv_rc rc = line_open_device(t, &factory_conf, &l);
    if (rc == IDV_OK)
        rc = verify_device(&l);
    line_close(&l);
    return rc;
}

/* --- options ----------------------------------------------------------------
 */

#define DEVICE_OPTION                                                          \
    {                                                                          \
        "device", 'd', "URI", "the device: tpm2: or pkcs11:token=...",         \
            &opt.device, NULL, NULL                                            \
    }

const struct tool_option factory_provision_options[] = {
    DEVICE_OPTION,
    {"serial", 's', "TEXT", "its serial number (else the order's next one)",
     &opt.serial, NULL, NULL},
    {"order", 0, "ID", "the work order", &opt.order, NULL, NULL},
    {"model", 0, "TEXT", "its model, where no order says it", &opt.model, NULL,
     NULL},
    {"profile", 0, "WORD",
     "tcg, lean, direct or plain (default: the configuration's)", &opt.profile,
     NULL, NULL},
    {"type", 0, "TYPE", "P-256, P-384, RSA-2048", &opt.type, NULL, NULL},
    {"operator", 0, "NAME", "who works here (default: the login name)",
     &opt.operator_, NULL, NULL},
    {"fixture", 0, "NAME", "where the device is", &opt.fixture, NULL, NULL},
    {"fixtures", 0, "FILE",
     "CSV of fixtures and their devices; - reads them "
     "as they come",
     &opt.fixtures, NULL, NULL},
    {"jobs", 'j', "N", "devices at the same time (default 1)", &opt.jobs, NULL,
     NULL},
    {"retries", 0, "N", "of a device that fails (default 2)", &opt.retries,
     NULL, NULL},
    {"wait", 0, "SECONDS",
     "for a desk or CA that does not answer (default 600)", &opt.wait, NULL,
     NULL},
    {"power-cycle", 0, "COMMAND", "run before the device is verified again",
     &opt.power_cycle, NULL, NULL},
    {"again", 0, NULL, "a device with an IDevID gets another one", NULL,
     &opt.again, NULL},
    {"ek-cert", 0, "PATH", "EK certificate, or a folder of them, instead of NV",
     &opt.ek_cert, NULL, NULL},
    {"owner-nv", 0, NULL, "certificates by the TPM's owner, not the platform",
     NULL, &opt.owner_nv, NULL},
    {"masa-url", 0, "URL", "MASA URL, or authority, in the IDevID",
     &opt.masa_url, NULL, NULL},
    {"maker", 0, "NAME", "organization of the IDevID", &opt.maker, NULL, NULL},
    {"hw-type", 0, "OID", "hwType (a TPM has its own)", &opt.hw_type, NULL,
     NULL},
    {"hw-serial", 0, "TEXT", "hwSerialNum", &opt.hw_serial, NULL, NULL},
    {"key-uri", 0, "URI", "where the key goes in a token", &opt.key_uri, NULL,
     NULL},
    {"cert-uri", 0, "URI", "where the certificate goes", &opt.cert_uri, NULL,
     NULL},
    {"lock", 0, NULL, "lock the stored certificate against writing", NULL,
     &opt.lock, NULL},
    {"worker", 0, NULL, NULL, NULL, &opt.worker, NULL},
    {0}};

const struct tool_option factory_verify_options[] = {
    DEVICE_OPTION,
    {"serial", 's', "TEXT", "the serial number that it must have", &opt.serial,
     NULL, NULL},
    {"profile", 0, "WORD", "tcg, lean, direct or plain", &opt.profile, NULL,
     NULL},
    {"type", 0, "TYPE", "P-256, P-384, RSA-2048", &opt.type, NULL, NULL},
    {"key-uri", 0, "URI", "where the key is in a token", &opt.key_uri, NULL,
     NULL},
    {"cert-uri", 0, "URI", "where the certificate is", &opt.cert_uri, NULL,
     NULL},
    {"journal", 0, NULL, "the journal instead: every entry and signature", NULL,
     &opt.journal, NULL},
    {"head", 0, "FILE",
     "of a journal: what export --format head wrote when it was shorter",
     &opt.head, NULL, NULL},
    {0}};
