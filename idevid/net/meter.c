/* SPDX-License-Identifier: Apache-2.0 */
/* From log lines to counters in shared memory. A worker may be killed in the
 * middle of anything: no lock is held, at worst a slot is lost. */
#include "net/meter.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SLOTS 1024
#define SERIES_MAX 384
#define VALUE_MAX 64

enum { EMPTY, TAKEN, FILLED };

struct slot {
    atomic_int state;
    char series[SERIES_MAX]; /* "name{label="value"}", once FILLED */
    atomic_ullong n;
};

static const unsigned bounds_ms[] = {5,   10,   25,   50,   100,   250,
                                     500, 1000, 2500, 5000, 10000, 30000};
#define BOUNDS (sizeof(bounds_ms) / sizeof(*bounds_ms))

struct idv_meter_counts {
    struct slot slot[SLOTS];
    atomic_ullong bucket[BOUNDS + 1], sum_ms; /* the last: longer */
};

/* Which event counts as what, by which of its fields. */
static const struct {
    const char *event, *metric, *label[2], *help;
} kinds[] = {
    {"served",
     "idevid_requests_total",
     {"path", "status"},
     "requests answered"},
    {"refused", "idevid_refusals_total", {"why", NULL}, "requests refused"},
    {"deferred",
     "idevid_deferrals_total",
     {"why", NULL},
     "devices told to come again"},
    {"voucher-relayed",
     "idevid_vouchers_total",
     {NULL, NULL},
     "vouchers given to devices"},
    {"voucher-issued",
     "idevid_vouchers_issued_total",
     {NULL, NULL},
     "vouchers signed"},
    {"certificate-issued",
     "idevid_certificates_total",
     {NULL, NULL},
     "certificates issued"},
    {"masa-trouble",
     "idevid_masa_troubles_total",
     {"why", NULL},
     "requests that a MASA did not answer in order"},
    {"upstream",
     "idevid_upstream_total",
     {"status", NULL},
     "requests to other services by how they ended"},
    {"serve-failed",
     "idevid_failures_total",
     {"class", NULL},
     "requests that failed inside; class io is the ledger"},
    {"commit-failed",
     "idevid_commit_failures_total",
     {"class", NULL},
     "times the ledger did not take what was to be answered"},
    {"address-limit",
     "idevid_connections_refused_total",
     {"why", NULL},
     "connections closed to keep room"},
    {"connection-shed",
     "idevid_connections_refused_total",
     {"why", NULL},
     NULL},
    {"client-limit",
     "idevid_clients_slowed_total",
     {NULL, NULL},
     "requests of clients that ask too often"},
    {"misdirected",
     "idevid_misdirected_total",
     {NULL, NULL},
     "requests for another name than their connection"},
    {"worker-ended",
     "idevid_worker_deaths_total",
     {NULL, NULL},
     "worker processes that ended unasked"},
    {"reload",
     "idevid_reloads_total",
     {NULL, NULL},
     "configurations taken over while running"},
    {"reload-failed",
     "idevid_reload_failures_total",
     {NULL, NULL},
     "configurations refused while running"},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

/* --- reading a line ------------------------------------------------------- */

/* "key=" of the line, with what a label takes; false: no such field */
static bool field(const char *line, const char *key, char out[VALUE_MAX])
{
    size_t n = strlen(key);
    const char *at = line;
    do {
        at = strchr(at, ' ');
        if (!at++)
            return false;
    } while (strncmp(at, key, n) != 0 || at[n] != '=');
    at += n + 1;
    at += *at == '"';
    size_t i = 0;
    for (; i < VALUE_MAX - 1 && at[i] && at[i] != ' ' && at[i] != '"'; i++) {
        bool plain = (at[i] >= '-' && at[i] <= '9') || at[i] == '_' ||
                     (at[i] >= 'A' && at[i] <= 'Z') ||
                     (at[i] >= 'a' && at[i] <= 'z');
        out[i] = plain ? at[i] : '_';
    }
    out[i] = 0;
    return i > 0;
}

static bool begins(const char *line, const char *event)
{
    size_t n = strlen(event);
    return strncmp(line, event, n) == 0 && (line[n] == ' ' || !line[n]);
}

/* what strangers make up does not become a label */
static void put_label(const char *line, const char *label, char *out,
                      size_t room)
{
    char value[VALUE_MAX] = "", status[VALUE_MAX] = "";
    if (!field(line, label, value))
        snprintf(value, sizeof(value), "%.*s", (int)strcspn(line, " "), line);
    if (strcmp(label, "path") == 0 && field(line, "status", status) &&
        (strcmp(status, "404") == 0 || strcmp(status, "400") == 0))
        strcpy(value, "other");
    snprintf(out, room, "%s=\"%s\"", label, value);
}

/* Of whom the line is, where one process is several: its very last pair, so
 * that no value that somebody made up is one. */
static bool tenant(const char *line, char out[VALUE_MAX])
{
    const char *last = strrchr(line, ' ');
    return last && strncmp(last, " tenant=", 8) == 0 && !strchr(last, '"') &&
           field(last, "tenant", out);
}

static size_t put_series(char out[SERIES_MAX], size_t n, const char *label)
{
    const int more = snprintf(out + n, SERIES_MAX - n, "%s%s",
                              out[n - 1] == '{' ? "" : ",", label);
    return n + (size_t)more;
}

static void name_series(const char *line, size_t kind, char out[SERIES_MAX])
{
    char label[VALUE_MAX + 16], value[VALUE_MAX];
    const char *const *l = kinds[kind].label;
    const bool named = tenant(line, value);
    size_t n = (size_t)snprintf(out, SERIES_MAX, "%s%s", kinds[kind].metric,
                                l[0] || named ? "{" : "");
    for (size_t i = 0; i < 2 && l[i]; i++) {
        put_label(line, l[i], label, sizeof(label));
        n = put_series(out, n, label);
    }
    if (named) {
        snprintf(label, sizeof(label), "tenant=\"%s\"", value);
        n = put_series(out, n, label);
    }
    if (l[0] || named)
        strcpy(out + n, "}");
}

/* --- counting ------------------------------------------------------------- */

static size_t hash(const char *s)
{
    size_t h = 5381;
    while (*s)
        h = h * 33 + (unsigned char)*s++;
    return h;
}

static bool claim(struct slot *s, const char *series)
{
    int empty = EMPTY;
    if (!atomic_compare_exchange_strong(&s->state, &empty, TAKEN))
        return false;
    snprintf(s->series, sizeof(s->series), "%s", series);
    atomic_store(&s->state, FILLED);
    return true;
}

/* two workers may come to have a slot each for the same: added when printed */
static void add(struct idv_meter_counts *c, const char *series)
{
    size_t at = hash(series) % SLOTS;
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *s = &c->slot[(at + i) % SLOTS];
        int state = atomic_load(&s->state);
        if ((state == EMPTY && claim(s, series)) ||
            (atomic_load(&s->state) == FILLED &&
             strcmp(s->series, series) == 0)) {
            atomic_fetch_add(&s->n, 1);
            return;
        }
    }
}

static void measure(struct idv_meter_counts *c, const char *line)
{
    char text[VALUE_MAX];
    size_t i = 0;
    if (!field(line, "ms", text))
        return;
    unsigned long ms = strtoul(text, NULL, 10);
    while (i < BOUNDS && ms > bounds_ms[i])
        i++;
    atomic_fetch_add(&c->bucket[i], 1);
    atomic_fetch_add(&c->sum_ms, ms);
}

static void meter_log(void *ctx, enum idv_level level, const char *line)
{
    struct idv_meter *m = ctx;
    char series[SERIES_MAX];
    for (size_t k = 0; k < KINDS; k++) {
        if (!begins(line, kinds[k].event))
            continue;
        name_series(line, k, series);
        add(m->counts, series);
        if (strcmp(kinds[k].event, "upstream") == 0)
            measure(m->counts, line);
        break;
    }
    m->to->log(m->to->ctx, level, line);
}

/* --- the env -------------------------------------------------------------- */

static int64_t meter_now(void *ctx)
{
    const struct idv_meter *m = ctx;
    return m->to->now(m->to->ctx);
}

static bool meter_trusted(void *ctx)
{
    const struct idv_meter *m = ctx;
    return m->to->clock_trusted(m->to->ctx);
}

static idv_rc meter_random(void *ctx, uint8_t *p, size_t n)
{
    const struct idv_meter *m = ctx;
    return idv_random(m->to, p, n);
}

idv_rc idv_meter_open(struct idv_meter *m, const struct idv_env *to)
{
    void *counts = mmap(NULL, sizeof(*m->counts), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counts == MAP_FAILED)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    *m = (struct idv_meter){
        .env = {meter_now, meter_trusted, meter_random, meter_log, m},
        .to = to,
        .counts = counts};
    return IDV_OK;
}

void idv_meter_close(struct idv_meter *m)
{
    if (m->counts)
        munmap(m->counts, sizeof(*m->counts));
    m->counts = NULL;
}

/* --- printing ------------------------------------------------------------- */

static bool is_of(const struct slot *s, const char *metric)
{
    size_t n = strlen(metric);
    return atomic_load(&s->state) == FILLED &&
           strncmp(s->series, metric, n) == 0 &&
           (s->series[n] == '{' || !s->series[n]);
}

static idv_rc print_slot(const struct idv_meter_counts *c, size_t at,
                         struct idv_buf *out)
{
    const struct slot *s = &c->slot[at];
    unsigned long long n = atomic_load(&s->n);
    for (size_t i = 0; i < SLOTS; i++) {
        const struct slot *other = &c->slot[i];
        if (i == at || atomic_load(&other->state) != FILLED ||
            strcmp(other->series, s->series) != 0)
            continue;
        if (i < at)
            return IDV_OK; /* was added there */
        n += atomic_load(&other->n);
    }
    return idv_buf_putf(out, "%s %llu\n", s->series, n);
}

static idv_rc print_kind(const struct idv_meter_counts *c, size_t k,
                         struct idv_buf *out)
{
    if (!kinds[k].help) /* with the one before */
        return IDV_OK;
    IDV_TRY(idv_buf_putf(out, "# HELP %s %s\n# TYPE %s counter\n",
                         kinds[k].metric, kinds[k].help, kinds[k].metric));
    for (size_t i = 0; i < SLOTS; i++) {
        if (is_of(&c->slot[i], kinds[k].metric))
            IDV_TRY(print_slot(c, i, out));
    }
    return IDV_OK;
}

static idv_rc print_latency(const struct idv_meter_counts *c,
                            struct idv_buf *out)
{
    unsigned long long n = 0, ms = atomic_load(&c->sum_ms);
    IDV_TRY(idv_buf_putf(
        out, "# HELP idevid_upstream_seconds until other services, the MASA "
             "above all, had answered\n"
             "# TYPE idevid_upstream_seconds histogram\n"));
    for (size_t i = 0; i <= BOUNDS; i++) {
        n += atomic_load(&c->bucket[i]);
        if (i < BOUNDS)
            IDV_TRY(idv_buf_putf(
                out, "idevid_upstream_seconds_bucket{le=\"%u.%03u\"} %llu\n",
                bounds_ms[i] / 1000, bounds_ms[i] % 1000, n));
    }
    return idv_buf_putf(out,
                        "idevid_upstream_seconds_bucket{le=\"+Inf\"} %llu\n"
                        "idevid_upstream_seconds_sum %llu.%03llu\n"
                        "idevid_upstream_seconds_count %llu\n",
                        n, ms / 1000, ms % 1000, n);
}

static idv_rc print_gauge(struct idv_buf *out, const char *name,
                          const char *help, unsigned n)
{
    return idv_buf_putf(out, "# HELP %s %s\n# TYPE %s gauge\n%s %u\n", name,
                        help, name, name, n);
}

static idv_rc print_board(const struct idv_board *board, struct idv_buf *out)
{
    struct idv_board_sum sum;
    idv_board_sum(board, &sum);
    IDV_TRY(print_gauge(out, "idevid_connections", "connections that are open",
                        sum.connections));
    IDV_TRY(print_gauge(out, "idevid_requests_busy",
                        "requests that are not answered yet", sum.busy));
    IDV_TRY(print_gauge(out, "idevid_workers", "worker processes wanted",
                        sum.workers));
    return print_gauge(out, "idevid_workers_ready", "those that serve",
                       sum.ready);
}

idv_rc idv_meter_print(const struct idv_meter *m, const struct idv_board *board,
                       struct idv_buf *out)
{
    for (size_t k = 0; k < KINDS; k++)
        IDV_TRY(print_kind(m->counts, k, out));
    IDV_TRY(print_latency(m->counts, out));
    return board ? print_board(board, out) : IDV_OK;
}
