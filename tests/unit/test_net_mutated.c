/* SPDX-License-Identifier: Apache-2.0 */
/* Requests for a voucher that somebody changed on their way, on real
 * connections: in the octets of TLS, and in those of HTTP. Whatever is taken is
 * the request as it was sent; what may be otherwise is listed here. */
#include "config.h"

#include "tests/unit/registrar.h"

#include <ctype.h>
#include <signal.h>

#include "tests/unit/flipping.h"

#define HTTP_FLIPS 600
#define TLS_FLIPS 400

struct listener {
    struct fixture *f;
    struct nt_server server;
    atomic_int served, whole; /* requests; those that were as sent */
};

/* --- a registrar that would let a person decide --------------------------- */

static idv_rc serve(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    struct listener *l = self;
    struct idv_service s = idv_registrar_service(l->f->w.reg);
    atomic_fetch_add(&l->served, 1);
    if (strcmp(call->req.path, VOUCHER) == 0 && call->req.verb == IDV_POST &&
        idv_bytes_eq(idv_view(&call->req.body), idv_view(&l->f->sealed)))
        atomic_fetch_add(&l->whole, 1);
    return s.serve(s.self, call, told, next);
}

static void begin(struct listener *l, struct fixture *f)
{
    const struct idv_service service = {serve, l};
    l->f = f;
    f->w.reg_conf.device_hourly = 1000000;
    f->w.reg_maker.admit = IDV_ADMIT_ASK;
    world_configure(&f->w);
    l->server.conf.max_per_minute = 1000000;
    nt_server_start(&l->server, &f->w.pki, &service);
}

static void end(struct listener *l)
{
    nt_server_stop(&l->server);
    assert_int_equal(l->server.rc, IDV_OK);
}

/* The answer 202 is for the request as it was, and for nothing else. */
static bool taken(struct listener *l, int status)
{
    bool whole = atomic_exchange(&l->whole, 0) > 0;
    int served = atomic_exchange(&l->served, 0);
    if (served > 1 || (status == 202 && !whole))
        fail_msg("%d, %d served: %s", status, served, l->f->w.log);
    l->f->w.log[0] = 0;
    return status == 202;
}

/* (bits of the container: test_gate_attacks) */

/* --- HTTP ----------------------------------------------------------------- */

enum may { NOTHING, CASE, ANYTHING };
static const struct {
    const char *text;
    enum may be; /* otherwise */
} parts[] = {
    {"POST " VOUCHER " HTTP/1.", NOTHING},
    {"1", ANYTHING},
    {"\r\n", NOTHING},
    {"Host: registrar.example\r\nUser-Agent: device\r\n", ANYTHING},
    {"Accept: application/voucher-cms+json\r\n", ANYTHING},
    {"Content-Type", CASE},
    {": ", NOTHING},
    {"application/voucher-cms+json", CASE},
    {"\r\n", NOTHING},
    {"Content-Length", CASE},
    {": ", NOTHING},
};
#define PARTS (sizeof(parts) / sizeof(*parts))

static void request(const struct fixture *f, struct idv_buf *out)
{
    out->max = IDV_MAX_BODY;
    for (size_t i = 0; i < PARTS; i++)
        OK(idv_buf_puts(out, parts[i].text));
    OK(idv_buf_putf(out, "%zu\r\n\r\n", f->sealed.n));
    OK(idv_buf_put(out, idv_view(&f->sealed)));
}

/* a bare line feed ends a line, too, after blanks (RFC 9112 sections 2.2, 5.1)
 */
static bool tolerated(const struct idv_buf *r, size_t at, unsigned bit)
{
    for (size_t i = 0, from = 0; i < PARTS; i++) {
        from += strlen(parts[i].text);
        if (at < from)
            return parts[i].be == ANYTHING || (r->p[at] == '\r' && bit == 2) ||
                   (parts[i].be == CASE && bit == 5 &&
                    isalpha((unsigned char)r->p[at]));
    }
    return bit == 2 && r->p[at] == '\r' && isdigit(r->p[at - 1]);
}

/* Says so much of it, and that no more comes unless that is all. */
static int say(struct listener *l, const struct idv_buf *r, size_t n, bool all)
{
    struct nt_client c;
    int status = 0;
    assert_true(nt_tcp(&c, l->server.port));
    const struct pki *p = &l->f->w.pki;
    flip_attach(&c, BIO_new_socket(c.fd, BIO_NOCLOSE), &p->idevid,
                p->maker_ca.cert, 0);
    assert_int_equal(SSL_connect(c.ssl), 1);
    if (n == 0 || SSL_write(c.ssl, r->p, (int)n) == (int)n) {
        if (!all)
            (void)SSL_shutdown(c.ssl);
        status = nt_hear(&c, NULL, false);
    }
    nt_close(&c);
    return status;
}

/* where a request begins to say how long it is, up to the body */
static bool is_length(const struct listener *l, const struct idv_buf *r,
                      size_t at)
{
    size_t from = 0;
    for (size_t i = 0; i < PARTS; i++)
        from += strlen(parts[i].text);
    return at >= from - 2 && at < r->n - l->f->sealed.n;
}

static void say_changed(struct listener *l, struct idv_buf *r, size_t bit)
{
    const size_t at = bit / 8;
    r->p[at] ^= (uint8_t)(1u << bit % 8);
    bool in = taken(l, say(l, r, r->n, !is_length(l, r, at)));
    r->p[at] ^= (uint8_t)(1u << bit % 8);
    if (in && !tolerated(r, at, bit % 8))
        fail_msg("bit %zu of byte %zu: %.20s", bit % 8, at,
                 (const char *)r->p + at);
}

static void test_http(void **state)
{
    struct listener l = {0};
    IDV_AUTO(buf) r = {0};
    begin(&l, *state);
    request(l.f, &r);
    assert_true(taken(&l, say(&l, &r, r.n, true)));
    const size_t head = (r.n - l.f->sealed.n) * 8;
    for (size_t i = 0; i < HTTP_FLIPS; i++)
        say_changed(&l, &r, head * i / HTTP_FLIPS);
    for (size_t i = 0; i < 60; i++) /* every cut is one too many */
        assert_false(taken(&l, say(&l, &r, r.n * i / 60, false)));
    assert_true(taken(&l, say(&l, &r, r.n, true)));
    end(&l);
}

/* --- TLS ------------------------------------------------------------------ */

static void over(struct listener *l, const struct idv_buf *r, int version)
{
    const struct pki *p = &l->f->w.pki;
    const struct flip_end to = {l->server.port, &p->idevid, p->maker_ca.cert,
                                version};
    struct flipper whole = {.bit = SIZE_MAX};
    assert_true(taken(l, flip_converse(&to, r, &whole)));
    const size_t bits = whole.written * 8;
    for (size_t i = 0; i < TLS_FLIPS / 2; i++) {
        struct flipper f = {.bit = bits * i / (TLS_FLIPS / 2)};
        if (taken(l, flip_converse(&to, r, &f)) && f.struck &&
            !flip_unheeded(f.bit / 8))
            fail_msg("bit %zu of byte %zu of %zu", f.bit % 8, f.bit / 8,
                     whole.written);
    }
    whole.written = 0;
    assert_true(taken(l, flip_converse(&to, r, &whole)));
}

static void test_tls(void **state)
{
    struct listener l = {0};
    IDV_AUTO(buf) r = {0};
    begin(&l, *state);
    request(l.f, &r);
    over(&l, &r, TLS1_2_VERSION);
    over(&l, &r, TLS1_3_VERSION);
    end(&l);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(test_http), T(test_tls)};
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
