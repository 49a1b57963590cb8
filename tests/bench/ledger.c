/* SPDX-License-Identifier: Apache-2.0 */
/* The services' store: lookups among very many rows beside lookups among few,
 * and what it costs that an answer is safe. ledger DIRECTORY | URL-1 URL-2, or
 * ledger fill URL ROWS: a registrar's tables, before a registrar has it; or
 * ledger fill-masa URL ROWS: a MASA's devices and vouchers. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <idevid/auto.h>

#include "idevid/db/sqlite.h"
#include "tests/bench/store.h"

#define FEW 1000
#define SLICE 100000 /* rows of a transaction while filling */
#define ROUNDS 5
#define AS_GOOD 0.8 /* of the rate among few rows */

static unsigned long syncs;

/* libsqlite3 calls it */
__attribute__((visibility("default"))) int fdatasync(int fd)
{
    syncs++;
    return (int)syscall(SYS_fdatasync, fd);
}

/* --- rows ----------------------------------------------------------------- */

/*
 * Keys are hashes, so that what comes belongs between any two of those that are
 * there. In the order of their rows these are in their own order, which fills
 * indexes fast: row n of rows has (n - rows/2 + 1/2) * 2^64/rows in eight
 * bytes, as signed 64-bit numbers can tell in SQL too.
 */
static uint64_t step_of(uint64_t rows)
{
    return UINT64_MAX / (rows > 1 ? rows : 2);
}

static void key_from(uint64_t value, uint8_t filler, uint8_t out[32])
{
    memset(out, filler, 32);
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
}

static void key_of(uint64_t n, uint64_t rows, uint8_t out[32])
{
    const uint64_t step = step_of(rows);
    key_from((n - rows / 2) * step + step / 2, 0x55, out);
}

static const char *const blobs[IDVI_DIALECTS] = {
    "zeroblob(400)", "decode(repeat('00', 400), 'hex')"};
static char key_words[160]; /* of the store that is filled */

static void sqlite_key(sqlite3_context *c, int argc, sqlite3_value **argv)
{
    uint8_t key[32];
    (void)argc;
    key_of((uint64_t)sqlite3_value_int64(argv[0]),
           (uint64_t)sqlite3_value_int64(argv[1]), key);
    sqlite3_result_blob(c, key, sizeof(key), SQLITE_TRANSIENT);
}

static void know_key(struct idv_db *db, uint64_t rows)
{
    const unsigned long long half = rows / 2, step = step_of(rows);
    if (db->driver->dialect != IDVI_SQLITE) {
        snprintf(key_words, sizeof(key_words),
                 "decode(lpad(to_hex((n - %llu) * %llu + %llu), 16, '0')"
                 " || repeat('55', 24), 'hex')",
                 half, step, step / 2);
        return;
    }
    snprintf(key_words, sizeof(key_words), "key_of(n, %llu)",
             (unsigned long long)rows);
    if (sqlite3_create_function(idvi_sqlite_of(db)->h, "key_of", 2,
                                SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                sqlite_key, NULL, NULL) != SQLITE_OK)
        exit(1);
}

/* K a key, B some bytes; first those of a registrar, then what a MASA has of
 * devices, then its log */
#define OF_REGISTRAR 2
#define OF_DEVICES 4
static const char *const fills[] = {
    "INSERT INTO session (pvr_sha256, idevid_sha256, maker, serial_number,"
    " nonce, address, state, status, reason, created, changed, not_before,"
    " media, rvr, voucher, audit_log) SELECT K, K, 'maker', 'S' || n, 'nonce',"
    " '192.0.2.1', 12, 0, '', n, n, 0, 'application/voucher-cms+json', B, B, B"
    " FROM g",
    "INSERT INTO issued (client_sha256, csr_sha256, cert_sha256,"
    " subject_sha256, serial_number, issued, not_after, state, cert)"
    " SELECT K, K, K, K, 'S' || n, n, n + 1000, 0, B FROM g",
    "INSERT INTO device (keyid, serial_number, maker, owner, cert)"
    " SELECT K, 'S' || n, 'maker', '', B FROM g",
    "INSERT INTO issue (rvr_sha256, device_id, date, repeat_until, domain_id,"
    " nonce, assertion, media, voucher) SELECT K, n + 1, n, n + 1000, 'domain',"
    " 'nonce', 1, 'application/voucher-cms+json', B FROM g",
    "INSERT INTO audit_event (device_id, date, domain_id, nonce, assertion)"
    " SELECT n + 1, n, 'domain', 'nonce', 1 FROM g"};

static void put_words(struct idv_buf *out, const char *sql, enum idvi_dialect d)
{
    for (; *sql; sql++) {
        bool alone = strchr(" ,", sql[-1]) && sql[1] && strchr(" ,", sql[1]);
        if (alone && *sql == 'K')
            must(idv_buf_puts(out, key_words), "fill");
        else if (alone && *sql == 'B')
            must(idv_buf_puts(out, blobs[d]), "fill");
        else
            must(idv_buf_put(out, idv_bytes(sql, 1)), "fill");
    }
}

static void fill_slice(struct idv_db *db, size_t first, size_t end,
                       unsigned long long from, unsigned long long to)
{
    for (size_t i = first; i < end; i++) {
        IDV_AUTO(buf) sql = {0};
        char head[256];
        if (db->driver->dialect == IDVI_SQLITE)
            snprintf(head, sizeof(head),
                     "WITH RECURSIVE g(n) AS (SELECT %llu UNION ALL SELECT"
                     " n + 1 FROM g WHERE n + 1 < %llu) ",
                     from, to);
        else
            snprintf(head, sizeof(head),
                     "WITH g(n) AS (SELECT generate_series(%llu::bigint,"
                     " %llu::bigint - 1)) ",
                     from, to);
        must(idv_buf_puts(&sql, head), "fill");
        must(idv_buf_puts(&sql, "I"), "fill");
        put_words(&sql, fills[i] + 1, db->driver->dialect);
        must(idv_buf_put(&sql, idv_bytes("", 1)), "fill");
        must(db->driver->script(db, (const char *)sql.p), "fill");
    }
}

static void fill(struct idv_db *db, size_t first, size_t end, uint64_t rows)
{
    know_key(db, rows);
    for (uint64_t n = 0; n < rows; n += SLICE)
        fill_slice(db, first, end, n, n + SLICE < rows ? n + SLICE : rows);
    if (db->driver->dialect != IDVI_SQLITE) /* does it by itself, later */
        must(db->driver->script(db, "ANALYZE"), "analyze");
}

struct store {
    struct idv_db *db;
    uint64_t rows;
    struct idv_registrar_store registrar;
    struct idv_est_store est;
    struct idv_masa_store masa;
};

static void open_store(struct store *s, const char *url, uint64_t rows)
{
    must(idv_db_open(url, &s->db), "open");
    must(idv_db_batch(s->db), "batch");
    s->rows = rows;
    fill(s->db, 0, sizeof(fills) / sizeof(*fills), rows);
    s->registrar = idv_db_registrar_store(s->db);
    s->est = idv_db_est_store(s->db);
    s->masa = idv_db_masa_store(s->db);
}

/* --- lookups -------------------------------------------------------------- */

static void session_get(struct store *s, const uint8_t key[32], uint64_t n)
{
    struct idv_session out = {0};
    bool found = false;
    (void)n;
    must(s->registrar.session_get(s->db, key, &found, &out), "session");
    idv_session_free(&out);
}

static void session_last(struct store *s, const uint8_t key[32], uint64_t n)
{
    struct idv_session out = {0};
    bool found = false;
    (void)n;
    must(s->registrar.session_last(s->db, key, &found, &out), "session");
    idv_session_free(&out);
}

static void session_count(struct store *s, const uint8_t key[32], uint64_t n)
{
    unsigned count = 0;
    must(s->registrar.session_count(s->db, key, (int64_t)n, &count), "count");
}

static void find_csr(struct store *s, const uint8_t key[32], uint64_t n)
{
    struct idv_issued out = {0};
    bool found = false;
    (void)n;
    must(s->est.find_csr(s->db, key, key, &found, &out), "csr");
    idv_issued_free(&out);
}

static void find_subject(struct store *s, const uint8_t key[32], uint64_t n)
{
    struct idv_issued out = {0};
    bool found = false;
    (void)n;
    must(s->est.find_subject(s->db, key, &found, &out), "subject");
    idv_issued_free(&out);
}

static void device_find(struct store *s, const uint8_t key[32], uint64_t n)
{
    struct idv_masa_device out = {0};
    bool found = false;
    char serial[32];
    (void)key;
    snprintf(serial, sizeof(serial), "S%llu", (unsigned long long)n);
    must(s->masa.device_find(s->db, idv_str(""), serial, &found, &out),
         "device");
    idv_masa_device_free(&out);
}

static void issue_find(struct store *s, const uint8_t key[32], uint64_t n)
{
    struct idv_masa_issue out = {0};
    bool found = false;
    must(s->masa.issue_find(s->db, key, (int64_t)n, &found, &out), "issue");
    idv_masa_issue_free(&out);
}

static void log_read(struct store *s, const uint8_t key[32], uint64_t n)
{
    struct idv_audit_log out = {0};
    (void)key;
    must(s->masa.log_read(s->db, (int64_t)n + 1, &out), "log");
    idv_audit_log_free(&out);
}

static const struct {
    const char *name;
    void (*ask)(struct store *s, const uint8_t key[32], uint64_t n);
} lookups[] = {
    {"registrar: a request seen before", session_get},
    {"registrar: a device's last request", session_last},
    {"registrar: requests in an hour", session_count},
    {"est: a certificate for this request", find_csr},
    {"est: a subject's certificate", find_subject},
    {"masa: a device", device_find},
    {"masa: a voucher issued before", issue_find},
    {"masa: a device's log", log_read},
};

static uint64_t draw(uint64_t below)
{
    static uint64_t x = 88172645463325252u;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x % below;
}

/* a file's of the processor's time, so that others on the machine do not count;
 * a server's is its own */
static double rate(struct store *s, size_t i, double seconds)
{
    clockid_t clock = s->db->driver->dialect == IDVI_SQLITE
                          ? CLOCK_PROCESS_CPUTIME_ID
                          : CLOCK_MONOTONIC;
    double from = now(clock), spent = 0, n = 0;
    uint8_t key[32];
    do {
        for (int k = 0; k < 100; k++) {
            uint64_t row = draw(s->rows);
            key_of(row, s->rows, key);
            lookups[i].ask(s, key, row);
        }
        n += 100;
        spent = now(clock) - from;
    } while (spent < seconds);
    return n / spent;
}

static void compare(struct store *few, struct store *many, double seconds)
{
    printf("\n%-40s %12s %12s %8s\n", "lookups a second, by one process",
           "few rows", "all rows", "ratio");
    for (size_t i = 0; i < sizeof(lookups) / sizeof(*lookups); i++) {
        double a[ROUNDS], b[ROUNDS];
        for (int r = 0; r < ROUNDS; r++) {
            a[r] = rate(few, i, seconds / ROUNDS);
            b[r] = rate(many, i, seconds / ROUNDS);
        }
        double ratio = median(b, ROUNDS) / median(a, ROUNDS);
        printf("%-40s %12.0f %12.0f %8.2f %s\n", lookups[i].name,
               median(a, ROUNDS), median(b, ROUNDS), ratio,
               ratio >= AS_GOOD ? "" : "SLOWER");
        if (json)
            fprintf(json,
                    "{\"name\":\"%s\",\"rows\":%llu,\"per_s\":%.0f,"
                    "\"ratio\":%.3f}\n",
                    lookups[i].name, (unsigned long long)many->rows,
                    median(b, ROUNDS), ratio);
    }
}

/* --- safe ----------------------------------------------------------------- */

static void issue_one(struct store *s, uint64_t n)
{
    struct idv_masa_issue i = {.device_id = 1, .date = 1, .repeat_until = 2};
    bool fresh = false;
    key_from(n * UINT64_C(0x9e3779b97f4a7c15), 0x77, i.rvr_sha256);
    must(idv_buf_puts(&i.voucher, "voucher"), "issue");
    must(s->masa.issue_add(s->db, &i, &fresh), "issue");
    idv_masa_issue_free(&i);
}

static void cost_of(struct store *s, unsigned together, double seconds)
{
    static uint64_t n;
    char name[64];
    double from = now(CLOCK_MONOTONIC), spent = 0, done = 0;
    syncs = 0;
    do {
        for (unsigned i = 0; i < together; i++)
            issue_one(s, n++);
        must(idv_db_commit(s->db), "commit");
        done += together;
        spent = now(CLOCK_MONOTONIC) - from;
    } while (spent < seconds);
    snprintf(name, sizeof(name), "vouchers kept, %u answered together",
             together);
    printf("%-40s %12.0f %12.3f\n", name, done / spent, (double)syncs / done);
    if (json)
        fprintf(json, "{\"name\":\"%s\",\"per_s\":%.0f,\"syncs\":%.4f}\n", name,
                done / spent, (double)syncs / done);
}

static void safe(struct store *s, double seconds)
{
    static const unsigned together[] = {1, 4, 16, 64};
    bool counted = s->db->driver->dialect == IDVI_SQLITE;
    printf("\n%-40s %12s %12s\n", "what is answered is on the disk", "a second",
           counted ? "syncs each" : "(not counted)");
    for (size_t i = 0; i < sizeof(together) / sizeof(*together); i++)
        cost_of(s, together[i], seconds);
}

static int fill_alone(const char *url, bool masa, uint64_t rows)
{
    struct idv_db *db = NULL;
    must(idv_db_open(url, &db), "open");
    must(idv_db_batch(db), "batch");
    fill(db, masa ? OF_REGISTRAR : 0, masa ? OF_DEVICES : OF_REGISTRAR, rows);
    idv_db_close(db);
    return 0;
}

int main(int argc, char **argv)
{
    struct store few = {0}, many = {0};
    char path[2][512];
    const char *s = getenv("BENCH_SECONDS");
    const uint64_t n = rows_asked(1000000);
    double seconds = s && *s ? strtod(s, NULL) : 1;
    if (argc == 4 && strncmp(argv[1], "fill", 4) == 0)
        return fill_alone(argv[2], argv[1][4] != 0,
                          strtoull(argv[3], NULL, 10));
    if (argc < 2 || argc > 3 || n == 0)
        return 2;
    snprintf(path[0], 512, "%s%s", argv[1], argc == 3 ? "" : "/few.db");
    snprintf(path[1], 512, "%s%s", argv[argc - 1], argc == 3 ? "" : "/many.db");
    json_open();
    open_store(&few, path[0], FEW);
    open_store(&many, path[1], n);
    printf("\n%s with %llu rows in each table\n",
           argc == 3 ? "PostgreSQL" : "SQLite", (unsigned long long)n);
    compare(&few, &many, seconds);
    safe(&many, seconds);
    idv_db_close(few.db);
    idv_db_close(many.db);
    json_close();
    return 0;
}
