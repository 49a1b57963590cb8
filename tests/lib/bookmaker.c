/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bookmaker DIR N: a line's book DIR/book.db with N finished devices of an
 * order, sealed twice, a failure and a challenge between, one entry after the
 * last seal; the station's anchor in DIR/anchors.pem.
 * bookmaker DIR check: verified by the library; prints what it found.
 * bookmaker DIR time SERIAL: microseconds of a find, a put and a next_one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <idevid/auto.h>
#include <idevid/fs.h>

#include "idevid/db/sql.h"
#include "tests/lib/factory_book.h"
#include "tests/lib/pki.h"

static struct book book;
static char anchors[128];

static void open_book(const char *dir)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/book.db", dir);
    snprintf(anchors, sizeof(anchors), "%s/anchors.pem", dir);
    pki_must(idv_db_open_factory(path, &book.db), "book");
    book.store = idv_db_factory_store(book.db);
}

#define CALL(fn, ...) pki_must(book.store.fn(book.store.self, __VA_ARGS__), #fn)

static void note(const char *kind, const char *body)
{
    CALL(note, kind, "", idv_str(body), PKI_NOW);
}

static void seal(struct pki *pki)
{
    pki_must(idv_journal_seal(&book.store, pki->masa.key, pki->masa.cert,
                              &pki->env.env),
             "seal");
}

static void make_devices(size_t n)
{
    char serial[32];
    /* nothing here needs to be on the disk before the program ends */
    pki_must(idvi_exec(book.db, NULL, "PRAGMA synchronous = OFF", ""), "sync");
    for (size_t i = 1; i <= n; i++) {
        snprintf(serial, sizeof(serial), "R-%04zu", i);
        book_put(&book, serial, (unsigned)i, IDV_DEVICE_DONE);
    }
}

static int make(size_t n)
{
    const uint8_t challenge[32] = {1, 2, 3};
    struct pki pki;
    IDV_AUTO(buf) pem = {0};
    pki_make(&pki);
    struct idv_order *o = book_order("L1", "R", n + 2);
    CALL(order_add, o, PKI_NOW);
    CALL(challenge_add, "L1", challenge, PKI_NOW);
    seal(&pki);
    make_devices(n);
    note("failed", "{\"why\":\"ek-chain\",\"text\":\"\\u00e4\"}");
    seal(&pki);
    note("stopped", "{}");
    pki_must(idv_certs_to_pem(pki.anchors, &pem), "anchors");
    pki_must(idv_fs_write(anchors, idv_view(&pem), 0600), "anchors");
    book_order_free(o);
    pki_free(&pki);
    return 0;
}

static int check(void)
{
    struct idv_journal_verdict v;
    IDV_AUTO(buf) pem = {0};
    IDV_AUTO_PTR(idv_certs) certs = NULL;
    pki_must(idv_fs_read(anchors, 0, &pem), "anchors");
    pki_must(idv_certs_from_pem(idv_view(&pem), &certs), "anchors");
    idv_rc rc = idv_journal_verify(&book.store, certs, NULL, &v);
    printf("entries %" PRIu64 " batches %" PRIu64 " unsigned %" PRIu64
           " devices %" PRIu64 " %s\n",
           v.entries, v.batches, v.unsigned_entries, v.devices, v.wrong);
    return rc == IDV_OK ? 0 : 1;
}

/* --- what it takes -------------------------------------------------------- */

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void find(const struct idv_factory_device *d, enum idv_factory_by by)
{
    struct idv_factory_device is = {0};
    bool found = false;
    struct idv_bytes what =
        by == IDV_BY_SERIAL ? idv_str(d->serial_number) : idv_bytes(d->ek, 32);
    CALL(find, by, what, &found, &is);
    idv_factory_device_free(&is);
}

static int measure(const char *serial)
{
    char next[IDV_MAX_SERIAL + 1];
    unsigned n = (unsigned)strtoul(serial + 2, NULL, 10);
    struct idv_factory_device d = book_device(serial, n, IDV_DEVICE_DONE);
    double t[5] = {now_us()};
    find(&d, IDV_BY_SERIAL);
    t[1] = now_us();
    find(&d, IDV_BY_EK);
    t[2] = now_us();
    CALL(put, &d, IDV_DEVICE_DONE, "done", idv_str(""), PKI_NOW, NULL);
    t[3] = now_us();
    CALL(order_next, "L1", "f1", PKI_NOW, PKI_NOW + 1, next);
    t[4] = now_us();
    printf("find by serial %.0f us, by EK %.0f us, put %.0f us, next %.0f us\n",
           t[1] - t[0], t[2] - t[1], t[3] - t[2], t[4] - t[3]);
    idv_factory_device_free(&d);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    open_book(argv[1]);
    int code = strcmp(argv[2], "check") == 0 ? check()
               : argc == 4 && strcmp(argv[2], "time") == 0
                   ? measure(argv[3])
                   : make((size_t)strtoul(argv[2], NULL, 10));
    idv_db_close(book.db);
    return code;
}
