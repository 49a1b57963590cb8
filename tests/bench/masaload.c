/* SPDX-License-Identifier: Apache-2.0 */
/* A factory's feed of very many devices into the MASA's store: lines a second,
 * and what a lookup costs before and after. masaload DIRECTORY */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>

#include "idevid/db/db.h"
#include "tests/bench/store.h"
#include "tests/lib/pki.h"

#define FEW 1000
#define LOOKUPS 20000
#define ROUNDS 5

/* --- the feed ------------------------------------------------------------- */

/* Serial numbers come in no order, as from many lines at once: a bijection of
 * nine digits. */
static void serial_of(uint64_t n, char out[static 16])
{
    snprintf(out, 16, "JADA%09llu",
             (unsigned long long)(n * 387420489 % 1000000000));
}

struct feed {
    uint64_t n, end;
    struct idv_buf cert, issuer, line;
    size_t serial_at; /* in cert */
};

static void feed_begin(struct feed *f, const struct pki *pki)
{
    IDV_AUTO(buf) keyid = {0};
    pki_must(idv_cert_to_der(pki->idevid.cert, &f->cert), "certificate");
    pki_must(idv_idevid_issuer(pki->idevid.cert, false, &keyid), "issuer");
    pki_must(idv_base64_from_bytes(idv_view(&keyid), 0, &f->issuer), "issuer");
    const size_t n = strlen(PKI_SERIAL);
    while (memcmp(f->cert.p + f->serial_at, PKI_SERIAL, n) != 0) {
        if (++f->serial_at + n > f->cert.n || n != 13)
            exit(2);
    }
}

static void feed_end(struct feed *f)
{
    idv_buf_free(&f->cert);
    idv_buf_free(&f->issuer);
    idv_buf_free(&f->line);
}

static idv_rc next(void *arg, struct idv_bytes *line, bool *more)
{
    struct feed *f = arg;
    IDV_AUTO(buf) text = {0};
    char serial[16];
    *more = f->n < f->end;
    if (!*more)
        return IDV_OK;
    serial_of(f->n++, serial);
    memcpy(f->cert.p + f->serial_at, serial, strlen(serial));
    IDV_TRY(idv_base64_from_bytes(idv_view(&f->cert), 0, &text));
    idv_buf_clear(&f->line);
    IDV_TRY(idv_buf_putf(&f->line,
                         "{\"certificate\":\"%s\",\"idevid-issuer\":\"%s\","
                         "\"maker\":\"acme\",\"retired\":false,"
                         "\"serial-number\":\"%s\",\"state\":\"done\"}",
                         (char *)text.p, (char *)f->issuer.p, serial));
    *line = idv_view(&f->line);
    return IDV_OK;
}

static double load(struct idv_db *db, struct feed *f, uint64_t end)
{
    const struct idv_db_import from = {
        .rows = IDV_DB_DEVICES, .by = {"bench", 1}, .next = next, .arg = f};
    struct idv_db_imported got;
    const double begun = now(CLOCK_MONOTONIC);
    const uint64_t n = end - f->n;
    f->end = end;
    pki_must(idv_db_import(db, &from, &got), "import");
    if (got.fresh != n)
        exit(1);
    return (double)n / (now(CLOCK_MONOTONIC) - begun);
}

/* --- lookups -------------------------------------------------------------- */

static uint64_t draw(uint64_t below)
{
    static uint64_t x = 88172645463325252u;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x % below;
}

static void look(const struct idv_masa_store *s, uint64_t rows)
{
    struct idv_masa_device d = {0};
    char serial[16];
    bool found = false;
    serial_of(draw(rows), serial);
    pki_must(s->device_find(s->self, idv_str(""), serial, &found, &d), "find");
    if (!found)
        exit(1);
    idv_masa_device_free(&d);
}

/* microseconds of this process, the median */
static double lookup(struct idv_db *db, uint64_t rows)
{
    const struct idv_masa_store s = idv_db_masa_store(db);
    double us[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        const double from = now(CLOCK_PROCESS_CPUTIME_ID);
        for (int i = 0; i < LOOKUPS; i++)
            look(&s, rows);
        us[r] = (now(CLOCK_PROCESS_CPUTIME_ID) - from) * 1e6 / LOOKUPS;
    }
    return median(us, ROUNDS);
}

static void tell(uint64_t rows, double rate, double us)
{
    printf("%-40llu %12.0f %12.1f\n", (unsigned long long)rows, rate, us);
    if (json)
        fprintf(json,
                "{\"name\":\"devices loaded by a MASA\",\"rows\":%llu,"
                "\"per_s\":%.0f,\"lookup_us\":%.2f}\n",
                (unsigned long long)rows, rate, us);
}

static void measure(const char *dir, uint64_t rows)
{
    struct idv_db *db = NULL;
    struct feed f = {0};
    struct pki pki;
    char path[512];
    snprintf(path, sizeof(path), "%s/masa.db", dir);
    pki_make(&pki);
    feed_begin(&f, &pki);
    pki_must(idv_db_open(path, &db), "open");
    printf("\n%-40s %12s %12s\n", "masa: devices loaded from a feed",
           "a second", "us a lookup");
    double rate = load(db, &f, FEW);
    tell(FEW, rate, lookup(db, FEW));
    rate = load(db, &f, rows);
    tell(rows, rate, lookup(db, rows));
    idv_db_close(db);
    feed_end(&f);
    pki_free(&pki);
}

int main(int argc, char **argv)
{
    const uint64_t n = rows_asked(1000000);
    if (argc != 2 || n <= FEW || n > 1000000000)
        return 2;
    json_open();
    measure(argv[1], n);
    json_close();
    return 0;
}
