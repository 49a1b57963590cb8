/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to a MASA that somebody changed on their way, on real connections:
 * in the octets of TLS, and in those of HTTP. Each that is not as it was sent
 * leaves no entry in the log, and the MASA serves on. */
#include "config.h"

#include "tests/unit/container.h"
#define send send_it /* sockets have one of that name */
#include "tests/unit/masa_attacks.h"
#undef send

#include <signal.h>
#include <stdatomic.h>

#include "tests/unit/flipping.h"

#define HTTP_FLIPS 200
#define TLS_FLIPS 200 /* of each version */
#define TLS_CUTS 60

struct listener {
    struct fixture *f;
    struct nt_server server;
    struct nt_client kept; /* a registrar that stays all the while */
    struct idv_buf known;  /* its request, which has its voucher */
    struct idv_buf fresh;  /* one more, which is new */
    int entries;           /* that there are to be */
    /* by the server: requests, vouchers for what was as sent and for what was
     * not, entries after it */
    atomic_int served, made, wrong, events;
};

/* --- the MASA ------------------------------------------------------------- */

static idv_rc serve(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    struct listener *l = self;
    struct idv_service s = idv_masa_service(l->f->w.masa);
    const bool whole =
        strcmp(call->req.path, VOUCHER) == 0 && call->req.verb == IDV_POST &&
        idv_bytes_eq(idv_view(&call->req.body), idv_view(&l->f->sealed));
    idv_rc rc = s.serve(s.self, call, told, next);
    atomic_fetch_add(&l->served, 1);
    if (rc == IDV_OK && call->reply.status == 200)
        atomic_fetch_add(whole ? &l->made : &l->wrong, 1);
    atomic_store(&l->events, world_events(&l->f->w));
    return rc;
}

/* what is sealed, as HTTP has it */
static void put_request(const struct fixture *f, struct idv_buf *out)
{
    idv_buf_clear(out);
    out->max = IDV_MAX_BODY;
    OK(idv_buf_putf(out,
                    "POST " VOUCHER " HTTP/1.1\r\nHost: masa.example\r\n"
                    "Content-Type: " IDV_MEDIA_VOUCHER_CMS "\r\n"
                    "Content-Length: %zu\r\n\r\n",
                    f->sealed.n));
    OK(idv_buf_put(out, idv_view(&f->sealed)));
}

/* The next request is one that nobody has sent yet. */
static void renew(struct listener *l)
{
    l->f->rvr.created_on--;
    seal(l->f);
    put_request(l->f, &l->fresh);
}

static int say(struct nt_client *c, const struct idv_buf *r)
{
    return SSL_write(c->ssl, r->p, (int)r->n) == (int)r->n
               ? nt_hear(c, NULL, false)
               : 0;
}

static void begin_all(struct listener *l, struct fixture *f)
{
    const struct idv_service service = {serve, l};
    l->f = f;
    begin(f);
    l->server.conf.max_per_minute = 1000000;
    nt_server_start(&l->server, &f->w.pki, &service);
    renew(l);
    OK(idv_buf_put(&l->known, idv_view(&l->fresh)));
    assert_true(nt_connect(&l->kept, l->server.port, NULL));
    assert_int_equal(say(&l->kept, &l->known), 200);
    l->entries = 1;
    renew(l);
    atomic_store(&l->made, 0);
    atomic_store(&l->wrong, 0);
}

static void end_all(struct listener *l)
{
    nt_close(&l->kept);
    nt_server_stop(&l->server);
    assert_int_equal(l->server.rc, IDV_OK);
    idv_buf_free(&l->known);
    idv_buf_free(&l->fresh);
}

/* --- what comes of it ----------------------------------------------------- */

/* who was connected before, or (now and then) comes anew, has its voucher */
static void serves_on(struct listener *l)
{
    static unsigned n;
    struct nt_client c;
    atomic_store(&l->events, -1);
    assert_int_equal(say(&l->kept, &l->known), 200);
    assert_int_equal(atomic_load(&l->events), l->entries);
    if (n++ % 8 == 0) {
        assert_true(nt_connect(&c, l->server.port, NULL));
        assert_int_equal(say(&c, &l->known), 200);
        nt_close(&c);
    }
    atomic_store(&l->wrong, 0); /* that was no other */
}

/* Was it taken? Then it was as sent, and has its entry; else there is none.
 * (Who said that no more comes may not hear of it.) */
static bool taken(struct listener *l, int status)
{
    const bool made = atomic_exchange(&l->made, 0) > 0;
    if (atomic_load(&l->wrong) > 0 || (status == 200 && !made) ||
        (status >= 500 && status != 501))
        fail_msg("%d: %s", status, l->f->w.log);
    if (made) {
        l->entries++;
        renew(l);
    }
    serves_on(l);
    return made;
}

/* --- HTTP ----------------------------------------------------------------- */

/* says it, and where its length may be another one that no more comes; the
 * status */
static int say_anew(const struct listener *l, bool end)
{
    struct nt_client c;
    int status = 0;
    assert_true(nt_connect(&c, l->server.port, NULL));
    if (SSL_write(c.ssl, l->fresh.p, (int)l->fresh.n) == (int)l->fresh.n) {
        if (end)
            (void)SSL_shutdown(c.ssl);
        status = nt_hear(&c, NULL, false);
    }
    nt_close(&c);
    return status;
}

static void test_http(void **state)
{
    struct listener l = {.f = *state};
    begin_all(&l, *state);
    for (size_t i = 0; i < HTTP_FLIPS; i++) {
        const size_t head = (l.fresh.n - l.f->sealed.n) * 8,
                     bit = head * i / HTTP_FLIPS;
        const size_t length_at =
            (size_t)((uint8_t *)memmem(l.fresh.p, l.fresh.n, "Content-Length",
                                       14) -
                     l.fresh.p);
        flip(&l.fresh, bit);
        const int status = say_anew(&l, bit / 8 + 2 >= length_at);
        flip(&l.fresh, bit);
        (void)taken(&l, status);
    }
    assert_true(taken(&l, say_anew(&l, false)));
    end_all(&l);
}

/* --- TLS ------------------------------------------------------------------ */

static struct flip_end end_of(const struct listener *l, int version)
{
    const struct pki *p = &l->f->w.pki;
    return (struct flip_end){l->server.port, &p->registrar, p->domain_ca.cert,
                             version};
}

/* no bit is without meaning but those that are listed */
static void each_bit(struct listener *l, int version, size_t octets)
{
    const struct flip_end to = end_of(l, version);
    unsigned in = 0;
    for (size_t i = 0; i < TLS_FLIPS; i++) {
        struct flipper f = {.bit = octets * 8 * i / TLS_FLIPS};
        if (!taken(l, flip_converse(&to, &l->fresh, &f)))
            continue;
        in++;
        if (f.struck && !flip_unheeded(f.bit / 8))
            fail_msg("bit %zu of byte %zu of %zu", f.bit % 8, f.bit / 8,
                     f.written);
    }
    assert_true(in < 8);
}

/* every cut is one too many; what comes after the request is none of it */
static void each_cut(struct listener *l, int version, size_t octets)
{
    const struct flip_end to = end_of(l, version);
    for (size_t i = 1; i < TLS_CUTS; i++) {
        struct flipper f = {.bit = SIZE_MAX, .end = octets * i / TLS_CUTS};
        if (taken(l, flip_converse(&to, &l->fresh, &f)))
            fail_msg("%zu of %zu", f.end, octets);
    }
}

/* what was a whole conversation, once more by who has listened to it */
static void replayed(struct listener *l, const struct idv_buf *all)
{
    struct nt_client c;
    char answer[4096];
    const int before = atomic_load(&l->served);
    assert_true(nt_tcp(&c, l->server.port));
    assert_true(write(c.fd, all->p, all->n) == (ssize_t)all->n);
    shutdown(c.fd, SHUT_WR);
    while (read(c.fd, answer, sizeof(answer)) > 0)
        ;
    nt_close(&c);
    assert_int_equal(atomic_load(&l->served), before);
    serves_on(l);
}

static void over(struct listener *l, int version)
{
    const struct flip_end to = end_of(l, version);
    IDV_AUTO(buf) all = {0};
    struct flipper whole = {.bit = SIZE_MAX, .kept = &all};
    assert_true(taken(l, flip_converse(&to, &l->fresh, &whole)));
    replayed(l, &all);
    each_bit(l, version, all.n);
    each_cut(l, version, all.n);
    whole = (struct flipper){.bit = SIZE_MAX};
    assert_true(taken(l, flip_converse(&to, &l->fresh, &whole)));
}

static void test_tls_1_2(void **state)
{
    struct listener l = {.f = *state};
    begin_all(&l, *state);
    over(&l, TLS1_2_VERSION);
    end_all(&l);
}

static void test_tls_1_3(void **state)
{
    struct listener l = {.f = *state};
    begin_all(&l, *state);
    over(&l, TLS1_3_VERSION);
    end_all(&l);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(test_http), T(test_tls_1_2),
                                       T(test_tls_1_3)};
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
