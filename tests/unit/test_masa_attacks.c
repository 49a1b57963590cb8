/* SPDX-License-Identifier: Apache-2.0 */
/* A thousand requests to a MASA that somebody changed on their way, or that a
 * registrar made up: whoever gets a voucher asked for just that one. */
#include "config.h"

#include "tests/unit/container.h"
#define send send_it /* sockets have one of that name */
#include "tests/unit/masa.h"
#undef send

#include <stdatomic.h>

#include "tests/lib/nettest.h"

#define FLIPS 600
#define PRIOR_FLIPS 300
#define TEXTS 300
#define HTTP_FLIPS 200

static void begin(struct fixture *f)
{
    idv_masa_free(f->w.masa);
    f->w.maker.policy.device_hourly = 1000000;
    f->w.masa_conf.registrar_minute = 1000000;
    f->w.masa_conf.domain_hourly = 1000000;
    pki_must(idv_masa_new(&f->w.masa_conf, &f->w.pki.env.env, &f->w.masa),
             "masa");
    seal(f);
}

/* (what is not signed is which certificates come along; of the farthest the
 * key is what the others prove) */
static bool pins_the_domain(const struct fixture *f,
                            const struct idv_voucher *v)
{
    const struct pki *p = &f->w.pki;
    IDV_AUTO_PTR(X509) pin = NULL;
    OK(idv_cert_from_der(idv_view(&v->pinned_domain_cert), &pin));
    return idv_cert_same_key(pin, p->domain_ca.cert) ||
           idv_cert_same_key(pin, p->registrar.cert);
}

/* A voucher is for this device and nonce, pins this domain, claims no more than
 * was proven, and has its entry; all else is refused, and leaves none. */
static bool judged(struct fixture *f, int status, int before)
{
    const int more = world_events(&f->w) - before;
    if (status != 200) {
        if (status < 400 || status >= 500 || more)
            fail_msg("%d, %d events: %s", status, more, f->w.log);
        return false;
    }
    IDV_AUTO(voucher) v;
    idv_voucher_init(&v, IDV_VOUCHER);
    read_voucher(f, &v);
    assert_string_equal(v.serial_number, PKI_SERIAL);
    assert_string_equal(v.nonce, f->pvr.nonce);
    assert_true(pins_the_domain(f, &v));
    assert_true(v.assertion == IDV_ASSERT_PROXIMITY ||
                v.assertion == IDV_ASSERT_LOGGED);
    assert_true(more <= 1);
    return true;
}

static bool ask(struct fixture *f)
{
    const int before = world_events(&f->w);
    f->w.log[0] = 0;
    return judged(f, send_it(f), before);
}

/* --- bits of the container ------------------------------------------------ */

/* R-M-4: what is signed is as it was signed */
static void test_bits(void **state)
{
    struct fixture *f = *state;
    struct place fixed[PLACES];
    IDV_AUTO(buf) whole = {0};
    unsigned in = 0, kept_out = 0;
    begin(f);
    const size_t n = signed_places(&f->sealed, fixed), bits = f->sealed.n * 8;
    OK(idv_buf_put(&whole, idv_view(&f->sealed)));
    for (size_t i = 0; i < FLIPS; i++) {
        const size_t bit = bits * i / FLIPS;
        const bool held = within(bit / 8, fixed, n);
        flip(&f->sealed, bit);
        const bool taken = ask(f);
        if (taken && held && !same_in_der(&f->sealed, &whole))
            fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
        in += taken;
        kept_out += !taken && held;
        flip(&f->sealed, bit);
    }
    assert_true(ask(f));
    assert_true(kept_out > FLIPS / 10 && in < FLIPS / 2);
}

static void test_cuts_and_more(void **state)
{
    struct fixture *f = *state;
    begin(f);
    const size_t n = f->sealed.n;
    for (size_t i = 0; i < 100; i++) { /* every cut is one too many */
        f->sealed.n = n * i / 100;
        assert_false(ask(f));
    }
    f->sealed.n = n;
    OK(idv_buf_put(&f->sealed, idv_bytes("", 1)));
    assert_false(ask(f));
    f->sealed.n = n;
    assert_true(ask(f));
}

/* R-M-9: and so is the device's own inside, whoever has signed around it */
static void test_prior_bits(void **state)
{
    struct fixture *f = *state;
    struct place fixed[PLACES];
    IDV_AUTO(buf) whole = {0};
    unsigned kept_out = 0;
    begin(f);
    struct idv_buf *prior = &f->rvr.prior_signed;
    const size_t n = signed_places(prior, fixed), bits = prior->n * 8;
    OK(idv_buf_put(&whole, idv_view(prior)));
    for (size_t i = 0; i < PRIOR_FLIPS; i++) {
        const size_t bit = bits * i / PRIOR_FLIPS;
        const bool held = within(bit / 8, fixed, n);
        flip(prior, bit);
        seal(f);
        const bool taken = ask(f);
        if (taken && held && !same_in_der(prior, &whole))
            fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
        kept_out += !taken && held;
        flip(prior, bit);
    }
    assert_true(kept_out > PRIOR_FLIPS / 10);
}

/* --- texts that a registrar signed ---------------------------------------- */

static void sign_text(struct fixture *f, struct idv_bytes text)
{
    struct idv_signer s = {.key = f->w.pki.registrar.key,
                           .cert = f->w.pki.registrar.cert,
                           .chain = f->w.pki.tls_chain};
    idv_buf_clear(&f->sealed);
    OK(idv_envelope_seal(IDV_MEDIA_VOUCHER_CMS, text, &s, &f->sealed));
}

/* R-M-11, R-M-12: whatever it says, no other device, nonce, pin or assertion
 * comes of it */
static void test_texts(void **state)
{
    static const char odd[] = "\"{}[]:,\\0 -.eE\x80\xff\n";
    struct fixture *f = *state;
    IDV_AUTO(buf) text = {.max = IDV_MAX_BODY};
    unsigned in = 0;
    begin(f);
    OK(idv_voucher_to(IDV_MEDIA_VOUCHER_CMS, &f->rvr, &text));
    for (size_t i = 0; i < TEXTS; i++) {
        const size_t at = text.n * i / TEXTS;
        const uint8_t was = text.p[at];
        text.p[at] = (uint8_t)odd[i % (sizeof(odd) - 1)];
        sign_text(f, idv_view(&text));
        in += ask(f);
        text.p[at] = was;
    }
    sign_text(f, idv_view(&text));
    assert_true(ask(f));
    assert_true(in < TEXTS / 2);
}

/* --- HTTP ----------------------------------------------------------------- */

struct listener {
    struct fixture *f;
    struct nt_server server;
    atomic_int whole; /* requests that were as sent */
};

static idv_rc serve(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    struct listener *l = self;
    struct idv_service s = idv_masa_service(l->f->w.masa);
    if (strcmp(call->req.path, VOUCHER) == 0 && call->req.verb == IDV_POST &&
        idv_bytes_eq(idv_view(&call->req.body), idv_view(&l->f->sealed)))
        atomic_fetch_add(&l->whole, 1);
    return s.serve(s.self, call, told, next);
}

static void request(const struct fixture *f, struct idv_buf *out)
{
    out->max = IDV_MAX_BODY;
    OK(idv_buf_putf(out,
                    "POST " VOUCHER " HTTP/1.1\r\nHost: masa.example\r\n"
                    "Content-Type: " IDV_MEDIA_VOUCHER_CMS "\r\n"
                    "Content-Length: %zu\r\n\r\n",
                    f->sealed.n));
    OK(idv_buf_put(out, idv_view(&f->sealed)));
}

/* says it, and where its length may be another one that no more comes; the
 * status */
static int say(const struct listener *l, const struct idv_buf *r, bool end)
{
    struct nt_client c;
    assert_true(nt_connect(&c, l->server.port, NULL));
    assert_int_equal(SSL_write(c.ssl, r->p, (int)r->n), (int)r->n);
    if (end)
        (void)SSL_shutdown(c.ssl);
    int status = nt_hear(&c, NULL, false);
    nt_close(&c);
    return status;
}

static void test_http(void **state)
{
    struct listener l = {.f = *state};
    const struct idv_service service = {serve, &l};
    IDV_AUTO(buf) r = {0};
    begin(l.f);
    l.server.conf.max_per_minute = 1000000;
    nt_server_start(&l.server, &l.f->w.pki, &service);
    request(l.f, &r);
    const size_t head = (r.n - l.f->sealed.n) * 8;
    const size_t length_at =
        (size_t)((uint8_t *)memmem(r.p, r.n, "Content-Length", 14) - r.p);
    for (size_t i = 0; i < HTTP_FLIPS; i++) {
        const size_t bit = head * i / HTTP_FLIPS;
        flip(&r, bit);
        const int status = say(&l, &r, bit / 8 + 2 >= length_at);
        if (status == 200 && !atomic_exchange(&l.whole, 0))
            fail_msg("bit %zu", bit);
        assert_true(status < 500 || status == 501);
        atomic_store(&l.whole, 0);
        flip(&r, bit);
    }
    assert_int_equal(say(&l, &r, false), 200);
    nt_server_stop(&l.server);
    assert_int_equal(l.server.rc, IDV_OK);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_bits),  T(test_cuts_and_more), T(test_prior_bits),
        T(test_texts), T(test_http),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
