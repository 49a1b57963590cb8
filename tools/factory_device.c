/* SPDX-License-Identifier: Apache-2.0 */
/* One device in a fixture, from whatever state it is in to its end. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <openssl/evp.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/text.h>

#include "factory_device.h"

/* --- what is told --------------------------------------------------------- */

static idv_rc event_fill(struct idv_json *o, const struct line *l,
                         const struct device_job *job, const char *event,
                         const struct device_result *r)
{
    char when[IDV_TIME_TEXT];
    IDV_TRY(idv_time_to_text(idv_now(l->t->env), when));
    IDV_TRY(tool_put_text(o, "event", event));
    IDV_TRY(tool_put_text(o, "time", when));
    IDV_TRY(tool_put_text(o, "fixture", job->fixture));
    IDV_TRY(tool_put_text(o, "order", job->order));
    IDV_TRY(tool_put_text(o, "serial-number", r->serial_number));
    IDV_TRY(tool_put_text(o, "device", r->text));
    if (r->why != IDV_WHY_NONE) {
        IDV_TRY(tool_put_text(o, "why", idv_factory_why_to_text(r->why)));
        IDV_TRY(tool_put_text(o, "advice", idv_factory_why_advice(r->why)));
    }
    IDV_TRY(tool_put_text(o, "note", r->note));
    if (strcmp(event, "done") != 0)
        return IDV_OK;
    IDV_TRY(tool_put_int(o, "ms", (uint64_t)r->ms));
    IDV_TRY(tool_put_int(o, "cpu-ms", (uint64_t)(r->cpu_us + 500) / 1000));
    IDV_TRY(tool_put_int(o, "round-trips", r->trips));
    IDV_TRY(tool_put_int(o, "calls-look", r->calls.look));
    IDV_TRY(tool_put_int(o, "calls-request", r->calls.request));
    IDV_TRY(tool_put_int(o, "calls-install", r->calls.install));
    IDV_TRY(tool_put_int(o, "calls-locks", r->calls.locks));
    IDV_TRY(tool_put_int(o, "calls-lockdown", r->calls.lockdown));
    return tool_put_int(o, "calls-self-test", r->calls.self_test);
}

void device_event(const struct line *l, const struct device_job *job,
                  const char *event, const struct device_result *r)
{
    if (!l->t->json)
        return;
    struct idv_json *o = idv_json_new_object();
    idv_rc rc = o ? event_fill(o, l, job, event, r)
                  : idv_fail(IDV_E_NOMEM, "out of memory");
    rc = tool_print_put(o, rc);
    if (rc != IDV_OK || fflush(stdout) != 0)
        fprintf(stderr, "%s: an event was lost: %s\n", l->t->name, idv_note());
    if (rc != IDV_OK)
        idv_note_clear();
}

/* --- the job -------------------------------------------------------------- */

bool device_is_tpm(const struct device_job *job)
{
    return strncasecmp(job->device, "pkcs11:", 7) != 0;
}

/* an issuing CA that goes by what is asked for */
static bool asks_elsewhere(const struct factory_conf *conf)
{
    return conf->csr || conf->desk.upstream != FACTORY_CA_LOCAL;
}

void device_conf(const struct line *l, const struct device_job *job,
                 struct idv_station_conf *conf)
{
    const bool token = !device_is_tpm(job);
    const int profile = job->profile >= 0 ? job->profile : l->conf->profile;
    *conf = (struct idv_station_conf){
        .device = job->device,
        .pin = &tool_pin,
        .profile =
            token ? IDV_PROFILE_TOKEN : (enum idv_factory_profile)profile,
        .type = (enum idv_key_type)(job->type >= 0 ? job->type : l->conf->type),
        .order = job->order ? job->order : "",
        .serial_number = job->serial,
        .model = job->model,
        .station = l->conf->station,
        .operator_ = job->operator_,
        .signer = l->station.key,
        .signer_cert = l->station.cert,
        .signer_chain = l->station.chain,
        .anchors = l->anchors,
        .lockdown = &l->lockdown,
        .key_uri = job->key_uri,
        .cert_uri = job->cert_uri,
        .owner_nv = job->owner_nv,
        .ek_cert_file = job->ek_cert,
        .ek_cert_needed = l->conf->desk.ek == FACTORY_EK_REQUIRED,
        .csr_too = l->conf->csr,
        .template = asks_elsewhere(l->conf) ? &l->template : NULL,
        .again = job->again,
        .store = &l->store,
        .env = l->t->env,
    };
    if (l->conf->ek_index) /* its form was judged with the configuration */
        conf->ek_index = (uint32_t)strtoul(l->conf->ek_index, NULL, 16);
}

void device_has(struct idv_station *s, const struct idv_json *line)
{
    idv_station_has(
        s, idv_json_text(idv_json_get(line, "sku")),
        idv_json_text(idv_json_at(idv_json_get(line, "macs"), 0, NULL)));
}

/* one device: what is asked of it, and where it stands */
struct run {
    struct line *l;
    const struct device_job *job;
    struct idv_station_conf conf;
    struct idv_station *station;
    struct idv_station_seen seen;
    struct device_result *r;
    uint8_t challenge[IDV_FACTORY_CHALLENGE];
    char order[IDV_FACTORY_NAME_MAX + 1], model[IDV_FACTORY_NAME_MAX + 1];
    struct idv_json *line; /* of the order; NULL: none */
    struct idv_buf request, reply;
};

static void run_free(struct run *r)
{
    idv_station_free(r->station);
    idv_station_seen_free(&r->seen);
    idv_json_free(r->line);
    idv_buf_free(&r->request);
    idv_buf_free(&r->reply);
}

static void tell(const struct run *r, const char *event)
{
    device_event(r->l, r->job, event, r->r);
}

/* --- which one it is to be -------------------------------------------------
 */

#define HOLD_S 3600 /* a serial number that a cut run had taken */

static idv_rc next_serial(struct run *r)
{
    const int64_t now = idv_now(r->l->t->env);
    char holder[96];
    snprintf(holder, sizeof(holder), "%s/%s", r->l->conf->station,
             r->job->fixture ? r->job->fixture : r->job->device);
    IDV_TRY(r->l->store.order_next(r->l->store.self, r->conf.order, holder, now,
                                   now + HOLD_S, r->r->serial_number));
    if (*r->r->serial_number)
        return IDV_OK;
    r->r->why = IDV_WHY_ORDER;
    return idv_fail(IDV_E_STATE, "order %s: every device of it is made",
                    r->conf.order);
}

static idv_rc choose_serial(struct run *r)
{
    if (r->job->serial)
        return idv_text_copy(r->r->serial_number, sizeof(r->r->serial_number),
                             idv_str(r->job->serial), "serial number");
    if (r->seen.known) {
        memcpy(r->r->serial_number, r->seen.device.serial_number,
               sizeof(r->r->serial_number));
        return IDV_OK;
    }
    if (r->job->order)
        return next_serial(r);
    r->r->why = IDV_WHY_ORDER;
    return idv_fail(IDV_E_ARG, "neither --serial nor --order says which device "
                               "this is");
}

/* A device that comes without an order has one of its own, which this machine's
 * desk finds in the book. */
static idv_rc own_order(struct run *r)
{
    struct idv_order_device d = {.serial_number = r->r->serial_number};
    struct idv_order o = {.devices = &d, .n = 1};
    uint8_t digest[32];
    if (r->l->conf->desk.url)
        return idv_fail(IDV_E_ARG, "--order ID is missing: the desk knows only "
                                   "what orders say");
    if (EVP_Digest(d.serial_number, strlen(d.serial_number), digest, NULL,
                   EVP_sha256(), NULL) != 1)
        return idv_fail(IDV_E_CRYPTO, "SHA-256");
    snprintf(r->order, sizeof(r->order),
             "single-%02x%02x%02x%02x%02x%02x%02x%02x", digest[0], digest[1],
             digest[2], digest[3], digest[4], digest[5], digest[6], digest[7]);
    memcpy(o.id, r->order, sizeof(o.id));
    if (r->job->model)
        IDV_TRY(idv_text_copy(r->model, sizeof(r->model),
                              idv_str(r->job->model), "--model"));
    d.model = *r->model ? r->model : NULL;
    return r->l->store.order_add(r->l->store.self, &o, idv_now(r->l->t->env));
}

/* What the order says of it. */
static idv_rc from_order(struct run *r)
{
    IDV_AUTO(buf) text = {0};
    bool order, found;
    const char *id = r->job->order;
    IDV_TRY(r->l->store.order_device(r->l->store.self, id, r->r->serial_number,
                                     &order, &found, &text));
    if (!found && !id)
        return own_order(r);
    if (!found) {
        r->r->why = IDV_WHY_ORDER;
        return order
                   ? idv_fail(IDV_E_REJECT, "order %s has no serial number %s",
                              id, r->r->serial_number)
                   : idv_fail(IDV_E_REJECT, "no order %s in the journal", id);
    }
    IDV_TRY(idv_json_parse(idv_view(&text), 0, &r->line));
    const char *its = idv_json_text(idv_json_get(r->line, "order"));
    const char *model = idv_json_text(idv_json_get(r->line, "model"));
    IDV_TRY(idv_text_copy(r->order, sizeof(r->order), idv_str(its), "order"));
    return model ? idv_text_copy(r->model, sizeof(r->model), idv_str(model),
                                 "model")
                 : IDV_OK;
}

static idv_rc identify(struct run *r)
{
    IDV_TRY(idv_station_look(r->station, &r->seen, &r->r->why));
    memcpy(r->r->text, r->seen.text, sizeof(r->r->text));
    IDV_TRY(choose_serial(r));
    IDV_TRY(from_order(r));
    r->conf.order = r->order;
    r->conf.serial_number = r->r->serial_number;
    r->conf.model = *r->model ? r->model : NULL;
    idv_station_is(r->station, r->conf.order, r->conf.serial_number,
                   r->conf.model);
    device_has(r->station, r->line);
    tell(r, "seen");
    return IDV_OK;
}

/* --- the desk ------------------------------------------------------------- */

static bool may_pass(idv_rc rc, enum idv_factory_why why)
{
    return why == IDV_WHY_CA || rc == IDV_E_NET || rc == IDV_E_TIMEOUT;
}

static void pause_ms(int64_t ms)
{
    const struct timespec t = {.tv_sec = ms / 1000,
                               .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* Asks until there is an answer, or wait_s is over: a second, two, ... thirty
 * between. The device is let go meanwhile. */
static idv_rc ask(struct run *r, idv_rc (*one)(struct run *r))
{
    const int64_t until = tool_ms() + r->job->wait_s * 1000;
    int64_t pause = 1000;
    for (;;) {
        r->r->why = IDV_WHY_NONE;
        idv_rc rc = one(r);
        if (rc == IDV_OK || !may_pass(rc, r->r->why) ||
            tool_ms() + pause > until)
            return rc;
        if (r->r->why == IDV_WHY_NONE)
            r->r->why = IDV_WHY_CA;
        snprintf(r->r->note, sizeof(r->r->note), "%s", idv_note());
        tell(r, "waiting");
        *r->r->note = 0;
        idv_note_clear();
        idv_station_rest(r->station);
        pause_ms(pause);
        pause = pause < 15000 ? 2 * pause : 30000;
    }
}

static idv_rc one_challenge(struct run *r)
{
    return r->l->desk.challenge(r->l->desk.self, r->conf.order, r->challenge,
                                &r->r->why);
}

static idv_rc one_issue(struct run *r)
{
    idv_buf_clear(&r->reply);
    return r->l->desk.issue(r->l->desk.self, idv_view(&r->request), &r->reply,
                            &r->r->why);
}

static idv_rc get_identity(struct run *r)
{
    IDV_TRY(ask(r, one_challenge));
    IDV_TRY(
        idv_station_request(r->station, r->challenge, &r->request, &r->r->why));
    tell(r, "requested");
    IDV_TRY(ask(r, one_issue));
    tell(r, "issued");
    IDV_TRY(idv_station_install(r->station, idv_view(&r->reply), &r->r->why));
    tell(r, "installed");
    return IDV_OK;
}

/* --- the end -------------------------------------------------------------- */

static idv_rc after_power(struct run *r)
{
    struct idv_station *again = NULL;
    if (!r->job->power_cycle)
        return IDV_OK;
    idv_station_rest(r->station);
    IDV_TRY(device_command(r->job->power_cycle));
    IDV_TRY(idv_station_new(&r->conf, &again));
    idv_rc rc = idv_station_verify(again, &r->r->why);
    idv_station_free(again);
    return rc == IDV_OK ? rc : idv_fail_within(rc, "after a power cycle");
}

/* An identity that is whole and that nobody wants replaced. */
static bool is_done(const struct run *r)
{
    const enum idv_factory_state s =
        r->seen.known ? r->seen.device.state : IDV_DEVICE_DONE;
    return !r->job->again && r->seen.has_idevid && s == IDV_DEVICE_DONE;
}

static idv_rc go_on(struct run *r)
{
    IDV_TRY(identify(r));
    if (is_done(r)) {
        if (strcmp(r->seen.has_serial, r->r->serial_number) != 0) {
            r->r->why = IDV_WHY_HAS_ONE;
            return idv_fail(IDV_E_REJECT,
                            "the device already is %s, not %s; nothing was "
                            "changed",
                            r->seen.has_serial, r->r->serial_number);
        }
        r->r->end = DEVICE_KEPT;
        return idv_station_verify(r->station, &r->r->why);
    }
    if (r->job->again || !r->seen.known ||
        r->seen.device.state < IDV_DEVICE_INSTALLED ||
        r->seen.device.state > IDV_DEVICE_DONE)
        IDV_TRY(get_identity(r));
    IDV_TRY(idv_station_finish(r->station, &r->r->why));
    return after_power(r);
}

/* What went wrong stays in the book, for the shift's report. */
static void note_failure(struct run *r)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    IDV_AUTO(buf) body = {0};
    char note[IDV_NOTE_MAX];
    snprintf(note, sizeof(note), "%s", idv_note());
    idv_note_clear();
    if (!o || tool_put_text(o, "fixture", r->job->fixture) != IDV_OK ||
        tool_put_text(o, "note", note) != IDV_OK ||
        tool_put_text(o, "operator", r->conf.operator_) != IDV_OK ||
        tool_put_text(o, "order", r->conf.order) != IDV_OK ||
        tool_put_text(o, "station", r->conf.station) != IDV_OK ||
        tool_put_text(o, "why", idv_factory_why_to_text(r->r->why)) != IDV_OK ||
        idv_json_dump(o, false, &body) != IDV_OK ||
        r->l->store.note(r->l->store.self, "failed", r->r->serial_number,
                         idv_view(&body), idv_now(r->l->t->env)) != IDV_OK)
        fprintf(stderr, "%s: the journal does not take it: %s\n", r->l->t->name,
                idv_note());
    idv_note_clear();
    (void)idv_fail(IDV_E_REJECT, "%s", note);
}

static int64_t cpu_us(void)
{
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u) != 0)
        return 0;
    return (int64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
           u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static idv_rc open_station(struct run *r)
{
    if (r->job->tcti) {
        idv_rc rc = idv_tpm_reach(r->job->tcti);
        if (rc == IDV_E_STATE)
            r->r->why = IDV_WHY_STATION;
        if (rc != IDV_OK)
            return idv_fail_within(rc, "keys of a station in a TPM: only with "
                                       "devices that no tcti names");
    }
    return idv_station_new(&r->conf, &r->station);
}

idv_rc device_provision(struct line *l, const struct device_job *job,
                        struct device_result *out)
{
    struct run r = {.l = l, .job = job, .r = out};
    const int64_t begun = tool_ms(), used = cpu_us();
    const unsigned trips = l->desk.trips;
    *out = (struct device_result){.end = DEVICE_DONE};
    device_conf(l, job, &r.conf);
    idv_rc rc = open_station(&r);
    if (rc == IDV_OK)
        rc = go_on(&r);
    if (r.station)
        idv_station_calls(r.station, &out->calls);
    out->trips = l->desk.trips - trips;
    out->ms = tool_ms() - begun;
    if (rc != IDV_OK) {
        out->end = DEVICE_FAILED;
        if (out->why == IDV_WHY_NONE)
            out->why = rc == IDV_E_DEVICE ? IDV_WHY_DEVICE : IDV_WHY_STORE;
        note_failure(&r);
        snprintf(out->note, sizeof(out->note), "%s", idv_note());
    }
    run_free(&r);
    out->cpu_us = cpu_us() - used;
    static const char *const ends[] = {"done", "kept", "failed"};
    device_event(l, job, ends[out->end], out);
    return rc;
}
