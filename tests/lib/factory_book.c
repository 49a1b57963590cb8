/* SPDX-License-Identifier: Apache-2.0 */
/* A line's book on a directory of its own. */
#include "tests/lib/factory_book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/text.h>

#include "tests/lib/pki.h"

static void out_of(const char *what)
{
    fprintf(stderr, "book: %s\n", what);
    exit(99);
}

static void open_it(struct book *b)
{
    pki_must(idv_db_open_factory(b->path, &b->db), "book");
    b->store = idv_db_factory_store(b->db);
}

void book_open(struct book *b)
{
    memset(b, 0, sizeof(*b));
    snprintf(b->dir, sizeof(b->dir), "/tmp/idevid-book-XXXXXX");
    if (!mkdtemp(b->dir))
        out_of("no directory");
    snprintf(b->path, sizeof(b->path), "%s/book.db", b->dir);
    open_it(b);
}

void book_again(struct book *b)
{
    idv_db_close(b->db);
    open_it(b);
}

void book_drop(struct book *b)
{
    char command[128];
    idv_db_close(b->db);
    b->db = NULL;
    snprintf(command, sizeof(command), "rm -rf '%s'", b->dir);
    if (system(command) != 0)
        out_of("directory not removed");
}

static void made_up(uint8_t out[32], uint8_t kind, unsigned n)
{
    for (int i = 0; n && i < 32; i++)
        out[i] = (uint8_t)(kind ^ n >> 8 * (i % 4));
}

static void text(struct idv_buf *out, const char *what, unsigned n)
{
    pki_must(idv_buf_putf(out, "%s %u", what, n), "put");
}

struct idv_factory_device book_device(const char *serial, unsigned n,
                                      enum idv_factory_state s)
{
    struct idv_factory_device d = {.order = "L1",
                                   .model = "R1",
                                   .profile = IDV_PROFILE_TCG,
                                   .state = s,
                                   .station = "st1",
                                   .operator_ = "ann",
                                   .issue = 1,
                                   .created = PKI_NOW,
                                   .changed = PKI_NOW};
    pki_must(idv_text_copy(d.serial_number, sizeof(d.serial_number),
                           idv_str(serial), "serial number"),
             "device");
    made_up(d.ek, 0x55, n);
    made_up(d.key, 0xaa, n);
    if (s >= IDV_DEVICE_REQUESTED)
        text(&d.request, "request", n);
    if (s < IDV_DEVICE_ISSUED)
        return d;
    text(&d.cert, "cert", n);
    text(&d.iak_cert, "IAK cert", n);
    text(&d.reply, "reply", n);
    return d;
}

void book_put(struct book *b, const char *serial, unsigned n,
              enum idv_factory_state s)
{
    struct idv_factory_device d = book_device(serial, n, s);
    pki_must(b->store.put(b->store.self, &d, IDV_DEVICE_NONE,
                          idv_factory_state_to_text(s), idv_str(""), PKI_NOW,
                          NULL),
             "put");
    idv_factory_device_free(&d);
}

struct idv_order *book_order(const char *id, const char *prefix, size_t n)
{
    struct idv_order *o = calloc(1, sizeof(*o));
    char serial[IDV_MAX_SERIAL + 1];
    if (!o || !(o->devices = calloc(n + 1, sizeof(*o->devices))))
        out_of("no memory");
    snprintf(o->id, sizeof(o->id), "%s", id);
    o->model = strdup("R1");
    for (; o->n < n; o->n++) {
        snprintf(serial, sizeof(serial), "%s-%04zu", prefix, o->n + 1);
        o->devices[o->n].serial_number = strdup(serial);
    }
    return o;
}

void book_order_free(struct idv_order *o)
{
    for (size_t i = 0; i < o->n; i++) {
        free(o->devices[i].serial_number);
        free(o->devices[i].owner);
    }
    free(o->devices);
    free(o->model);
    free(o->customer);
    free(o);
}

struct count {
    const char *kind;
    unsigned n;
};

static bool count(void *arg, const struct idv_journal_entry *e)
{
    struct count *c = arg;
    c->n += !c->kind || strcmp(c->kind, e->kind) == 0;
    return true;
}

unsigned book_entries(struct book *b, const char *kind)
{
    struct count c = {kind, 0};
    pki_must(b->store.each_entry(b->store.self, 0, count, &c), "entries");
    return c.n;
}
