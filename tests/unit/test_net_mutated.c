/* SPDX-License-Identifier: Apache-2.0 */
/* Requests for a voucher that somebody changed on their way, on real
 * connections: in the octets of TLS, and in those of HTTP. Whatever is taken is
 * the request as it was sent; what may be otherwise is listed here. */
#include "config.h"

#include "tests/unit/registrar.h"

#include <ctype.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "tests/lib/nettest.h"

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

/* a TLS client on a socket or what filters it; the device with its chain */
static void attach(struct nt_client *c, const struct listener *l, BIO *b,
                   int version)
{
    const struct pki *p = &l->f->w.pki;
    c->ctx = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_use_certificate(c->ctx, p->idevid.cert), 1);
    assert_int_equal(SSL_CTX_add1_chain_cert(c->ctx, p->maker_ca.cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(c->ctx, p->idevid.key), 1);
    SSL_CTX_set_max_proto_version(c->ctx, version);
    c->ssl = SSL_new(c->ctx);
    SSL_set_bio(c->ssl, b, b);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    ERR_clear_error();
}

/* Says so much of it, and that no more comes unless that is all. */
static int say(struct listener *l, const struct idv_buf *r, size_t n, bool all)
{
    struct nt_client c;
    int status = 0;
    assert_true(nt_tcp(&c, l->server.port));
    attach(&c, l, BIO_new_socket(c.fd, BIO_NOCLOSE), 0);
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

/* Flips a bit of what the client writes. */
struct flipper {
    size_t bit, written;
    int fd;
    bool struck, head; /* in the head of a record */
};

/* a length may say that more comes: then nothing does */
static bool in_head(const uint8_t *p, size_t n, size_t at)
{
    for (size_t i = 0; i + 5 <= n && i <= at;) {
        if (at < i + 5 || (p[i] == 22 && at < i + 9))
            return true;
        i += 5 + (size_t)(p[i + 3] << 8 | p[i + 4]);
    }
    return false;
}

static int flip_write(BIO *b, const char *data, int n)
{
    struct flipper *f = BIO_get_data(b);
    const size_t at = f->bit / 8 - f->written;
    uint8_t *copy = OPENSSL_memdup(data, (size_t)n);
    assert_non_null(copy);
    if (f->bit / 8 >= f->written && at < (size_t)n) {
        f->struck = true;
        f->head = in_head(copy, (size_t)n, at);
        copy[at] ^= (uint8_t)(1u << f->bit % 8);
    }
    f->written += (size_t)n;
    int sent = BIO_write(BIO_next(b), copy, n);
    if (f->struck && f->head)
        shutdown(f->fd, SHUT_WR);
    OPENSSL_free(copy);
    return sent;
}

static int flip_read(BIO *b, char *data, int n)
{
    return BIO_read(BIO_next(b), data, n);
}

static long flip_ctrl(BIO *b, int what, long n, void *p)
{
    return BIO_ctrl(BIO_next(b), what, n, p);
}

static BIO *flipping(struct flipper *f)
{
    static BIO_METHOD *m;
    if (!m) {
        m = BIO_meth_new(BIO_TYPE_FILTER, "flip");
        BIO_meth_set_write(m, flip_write);
        BIO_meth_set_read(m, flip_read);
        BIO_meth_set_ctrl(m, flip_ctrl);
    }
    BIO *b = BIO_new(m);
    assert_non_null(b);
    BIO_set_data(b, f);
    BIO_set_init(b, 1);
    return BIO_push(b, BIO_new_socket(f->fd, BIO_NOCLOSE));
}

/* all of a conversation, its bit flipped; how much the client wrote */
static int converse(struct listener *l, const struct idv_buf *r,
                    struct flipper *f, int version)
{
    struct nt_client c;
    int status = 0;
    assert_true(nt_tcp(&c, l->server.port));
    f->fd = c.fd;
    attach(&c, l, flipping(f), version);
    if (SSL_connect(c.ssl) == 1 &&
        SSL_write(c.ssl, r->p, (int)r->n) == (int)r->n)
        status = nt_hear(&c, NULL, false);
    nt_close(&c);
    return status;
}

/* the version in the head of a record that is not protected, which nobody
 * heeds (RFC 8446 section 5.1) */
static bool unheeded(size_t at)
{
    return at == 1 || at == 2;
}

static void over(struct listener *l, const struct idv_buf *r, int version)
{
    struct flipper whole = {.bit = SIZE_MAX};
    assert_true(taken(l, converse(l, r, &whole, version)));
    const size_t bits = whole.written * 8;
    for (size_t i = 0; i < TLS_FLIPS / 2; i++) {
        struct flipper f = {.bit = bits * i / (TLS_FLIPS / 2)};
        if (taken(l, converse(l, r, &f, version)) && f.struck &&
            !unheeded(f.bit / 8))
            fail_msg("bit %zu of byte %zu of %zu", f.bit % 8, f.bit / 8,
                     whole.written);
    }
    whole.written = 0;
    assert_true(taken(l, converse(l, r, &whole, version)));
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
