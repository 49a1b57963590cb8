/* SPDX-License-Identifier: Apache-2.0 */
/* A thousand requests that somebody changed on their way: what is signed
 * cannot be, and what may be otherwise is listed here. */
#include "config.h"

#include "tests/lib/stores.h"
#include "tests/unit/container.h"
#include "tests/unit/registrar.h"

#define FLIPS 700

/* the MASA is away: what is accepted waits, and nothing else does */
static int accepted(struct fixture *f, int status)
{
    if (status == 202)
        assert_true(world_why(&f->w, "masa-lost") ||
                    world_why(&f->w, "masa-later"));
    else if (status != 401 && status != 403 && status != 406 && status != 415)
        fail_msg("%d %s", status, f->w.log);
    return status == 202;
}

static void begin(struct fixture *f)
{
    f->w.reg_conf.device_hourly = 1000000;
    world_configure(&f->w);
    f->w.link = WORLD_LINK_LOST;
}

/* --- bits of the container ------------------------------------------------ */

/* R-R-14: tolerated are changes to what the connection says better than the
 * container (the certificates inside, the name of the signer) and to what
 * means nothing (version, the announced digests) */
static void test_bits(void **state)
{
    struct fixture *f = *state;
    struct place fixed[PLACES];
    unsigned tolerated = 0, refused_in = 0;
    begin(f);
    const size_t n = signed_places(&f->sealed, fixed), bits = f->sealed.n * 8;
    IDV_AUTO(buf) whole = {0};
    OK(idv_buf_put(&whole, idv_view(&f->sealed)));
    for (size_t i = 0; i < FLIPS; i++) {
        size_t bit = bits * i / FLIPS;
        flip(&f->sealed, bit);
        bool in = accepted(f, post(f)), held = within(bit / 8, fixed, n);
        if (in && held && !same_in_der(&f->sealed, &whole))
            fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
        tolerated += in;
        refused_in += !in && held;
        flip(&f->sealed, bit);
    }
    assert_true(accepted(f, post(f)));
    assert_true(refused_in > FLIPS / 10 && tolerated < FLIPS);
}

/* no attribute says another thing with any bit changed */
static void test_attribute_bits(void **state)
{
    struct fixture *f = *state;
    struct place fixed[PLACES];
    IDV_AUTO(buf) whole = {0};
    begin(f);
    signed_places(&f->sealed, fixed);
    OK(idv_buf_put(&whole, idv_view(&f->sealed)));
    unsigned same = 0;
    for (size_t at = fixed[2].at; at < fixed[2].at + fixed[2].n; at++) {
        for (unsigned b = 0; b < 8; b++) {
            flip(&f->sealed, at * 8 + b);
            if (accepted(f, post(f))) {
                same++;
                if (!same_in_der(&f->sealed, &whole))
                    fail_msg("bit %u of byte %zu", b, at);
            }
            flip(&f->sealed, at * 8 + b);
        }
    }
    assert_true(same <= 8);
}

static void test_cuts_and_more(void **state)
{
    struct fixture *f = *state;
    begin(f);
    const size_t n = f->sealed.n;
    for (size_t i = 0; i < 100; i++) { /* every cut is one too many */
        f->sealed.n = n * i / 100;
        assert_false(accepted(f, post(f)));
    }
    f->sealed.n = n;
    OK(idv_buf_put(&f->sealed, idv_bytes("", 1)));
    assert_false(accepted(f, post(f)));
    for (size_t i = 0; i < 50; i++) { /* a byte twice */
        f->sealed.n = n;
        size_t at = n * i / 50;
        OK(idv_buf_put(&f->sealed, idv_bytes("", 1)));
        memmove(f->sealed.p + at + 1, f->sealed.p + at, n - at);
        assert_false(accepted(f, post(f)));
        memmove(f->sealed.p + at, f->sealed.p + at + 1, n - at);
    }
    f->sealed.n = n;
    assert_true(accepted(f, post(f)));
}

/* --- texts that a device signed ------------------------------------------- */

static int post_text(struct fixture *f, const char *text, size_t n)
{
    struct idv_signer s = {.key = f->w.pki.idevid.key,
                           .cert = f->w.pki.idevid.cert};
    idv_buf_clear(&f->sealed);
    OK(idv_envelope_seal(IDV_MEDIA_VOUCHER_CMS, idv_bytes(text, n), &s,
                         &f->sealed));
    return accepted(f, post(f));
}

/* what is put in for a mark: "S" serial, "C" our certificate, "N" a nonce */
static void fill(struct fixture *f, const char *pattern, struct idv_buf *out)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_CERT};
    static unsigned count;
    OK(idv_cert_to_der(f->w.pki.registrar.cert, &der));
    for (const char *p = pattern; *p; p++) {
        if (*p == 'S')
            OK(idv_buf_puts(out, PKI_SERIAL));
        else if (*p == 'C')
            OK(idv_base64_from_bytes(idv_view(&der), 0, out));
        else if (*p == 'N')
            OK(idv_buf_putf(out, "nonce-%u", ++count));
        else
            OK(idv_buf_put(out, idv_bytes(p, 1)));
    }
}

#define ROOT(s) "{\"ietf-voucher-request:voucher\":{" s "}}"
#define A "\"assertion\":\"proximity\","
#define P "\"proximity-registrar-cert\":\"C\""
#define NN "\"nonce\":\"N\","
#define SS "\"serial-number\":\"S\","

static void test_texts(void **state)
{
    static const struct {
        const char *text;
        bool fine;
    } rows[] = {
        {ROOT(A NN SS P), true},
        /* the tolerated ones */
        {" \r\n" ROOT(A NN SS P) "\n", true},
        {ROOT(P "," SS NN "\"assertion\":\"proximity\""), true},
        {ROOT(A NN SS P ",\"future\":{\"a\":[1,null]}"), true},
        {ROOT(A NN SS P ",\"pinned-domain-cert\":7"), true},
        {"{\"ietf-voucher:voucher\":{" A NN SS P "}}", true},
        {"{\"ietf-voucher-request:\\u0076oucher\":{" A NN SS P "}}", true},
        /* and the others */
        {"", false},
        {"{}", false},
        {"[]", false},
        {"null", false},
        {ROOT(A NN SS P) "x", false},
        {ROOT(A NN SS P) ROOT(A NN SS P), false},
        {ROOT(A NN SS P ","), false},
        {ROOT(A NN SS SS P), false},
        {ROOT(A NN NN SS P), false},
        {ROOT(A A NN SS P), false},
        {ROOT(A NN SS P "," P), false},
        {ROOT(A NN SS), false},
        {ROOT(A NN P), false},
        {ROOT(NN SS P), false},
        {ROOT("\"assertion\":2," NN SS P), false},
        {ROOT("\"assertion\":\"Proximity\"," NN SS P), false},
        {ROOT("\"assertion\":\"logged\"," NN SS P), false},
        {ROOT("\"assertion\":\"proximity\\u0000\"," NN SS P), false},
        {ROOT(A NN "\"serial-number\":[\"S\"]," P), false},
        {ROOT(A NN "\"serial-number\":\"S \"," P), false},
        {ROOT(A NN "\"serial-number\":\"\"," P), false},
        {ROOT(A NN "\"Serial-Number\":\"S\"," P), false},
        {ROOT(A NN SS "\"proximity-registrar-cert\":\"\""), false},
        {ROOT(A NN SS "\"proximity-registrar-cert\":\"CC\""), false},
        {ROOT(A NN SS "\"proximity-registrar-cert\":null"), false},
        {ROOT(A "\"nonce\":\"\"," SS P), false},
        {ROOT(A "\"nonce\":{}," SS P), false},
        {"{\"ietf-voucher-request:voucher\":[]}", false},
        {"{\"ietf-voucher-request:voucher\":{" A NN SS P "},\"x\":1}", false},
        {"{\"voucher\":{" A NN SS P "}}", false},
        {"{\"ietf-voucher-request:Voucher\":{" A NN SS P "}}", false},
        {"{\"ietf-voucher:voucher\":{" A NN SS P
         ",\"pinned-domain-cert\":\"C\"}}",
         false},
        {"\xef\xbb\xbf" ROOT(A NN SS P), false},
        {ROOT(A NN SS P ",\"x\":\"\xff\""), false},
    };
    struct fixture *f = *state;
    begin(f);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        IDV_AUTO(buf) text = {.max = IDV_MAX_BODY};
        fill(f, rows[i].text, &text);
        if (text.n == 0) /* no content can be signed */
            continue;
        if (post_text(f, (char *)text.p, text.n) != rows[i].fine)
            fail_msg("%s: %s", rows[i].text, f->w.log);
    }
}

/* a number of brackets that a parser could fall into; a long member */
static void test_deep_and_long(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(buf) text = {.max = IDV_MAX_BODY};
    begin(f);
    fill(f, "{\"ietf-voucher-request:voucher\":{" A NN SS P ",\"x\":", &text);
    for (int i = 0; i < 5000; i++)
        OK(idv_buf_puts(&text, "["));
    assert_false(post_text(f, (char *)text.p, text.n));
    idv_buf_clear(&text);
    fill(f, "{\"ietf-voucher-request:voucher\":{" A SS P ",\"nonce\":\"",
         &text);
    for (int i = 0; i < IDV_MAX_NONCE_TEXT + 1; i++)
        OK(idv_buf_puts(&text, "n"));
    OK(idv_buf_puts(&text, "\"}}"));
    assert_false(post_text(f, (char *)text.p, text.n));
}

/* --- around it ------------------------------------------------------------ */

static void test_types(void **state)
{
    static const struct {
        const char *media;
        bool fine;
    } rows[] = {
        {"application/voucher-cms+json", true},
        {"Application/Voucher-CMS+JSON", true},
        {"application/voucher-cms+json; charset=utf-8", true},
        {"application/voucher-cms+json2", false},
        {"application/voucher-cms", false},
        {"application/voucher-jws+json", false},
        {"application/voucher+cose", false},
        {"application/json", false},
        {"text/plain", false},
        {"*/*", false},
        {";", false},
        {"", false},
    };
    struct fixture *f = *state;
    begin(f);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int status = post_as(f, rows[i].media);
        if (accepted(f, status) != rows[i].fine)
            fail_msg("%s: %d", rows[i].media, status);
    }
}

/* base64: what is none of it, and what is none of it within */
static void test_base64(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(buf) binary = {.max = IDV_MAX_BODY};
    begin(f);
    OK(idv_buf_put(&binary, idv_view(&f->sealed)));
    idv_buf_clear(&f->sealed);
    OK(idv_base64_from_bytes(idv_view(&binary), 0, &f->sealed));
    assert_true(accepted(f, post(f)));
    const size_t n = f->sealed.n;
    for (size_t i = 0; i < 100; i++) {
        size_t at = n * i / 100;
        uint8_t was = f->sealed.p[at];
        f->sealed.p[at] = i % 2 ? '=' : '!';
        assert_false(accepted(f, post(f)));
        f->sealed.p[at] = was;
    }
    for (size_t i = 1; i < 20; i++) {
        f->sealed.n = n * i / 20;
        assert_false(accepted(f, post(f)));
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_bits),   T(test_attribute_bits), T(test_cuts_and_more),
        T(test_texts),  T(test_deep_and_long),  T(test_types),
        T(test_base64),
    };
    return STORES_RUN(tests);
}
