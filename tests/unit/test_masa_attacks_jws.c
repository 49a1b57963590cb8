/* SPDX-License-Identifier: Apache-2.0 */
/* The same of requests in JWS, the registrar's and the pledge's own inside:
 * what is signed, and by whom, cannot be otherwise; what may be written
 * otherwise is listed here. */
#include "config.h"

#include "tests/unit/jws_parts.h"
#include "tests/unit/masa_attacks.h"

#define SPREAD 400 /* bits of each part, but of signatures all */
#define JWS IDV_MEDIA_VOUCHER_JWS

static void sealed_in_jws(struct fixture *f)
{
    idv_buf_clear(&f->sealed);
    pki_seal_as(JWS, &f->rvr, &f->w.pki.registrar, f->w.pki.tls_chain,
                &f->sealed);
}

/* the pledge's own */
static void prior_in_jws(struct fixture *f)
{
    idv_buf_clear(&f->rvr.prior_signed);
    pki_seal_as(JWS, &f->pvr, &f->w.pki.idevid, f->w.pki.idevid_chain,
                &f->rvr.prior_signed);
}

static int jws_setup(void **state)
{
    setup(state);
    begin(*state);
    prior_in_jws(*state);
    sealed_in_jws(*state);
    return 0;
}

static bool ask(struct fixture *f)
{
    return ask_as(f, JWS);
}

/* what is in the fixture inside a request, in the one form or the other */
static bool ask_with_prior(struct fixture *f, bool cms)
{
    if (cms)
        seal(f);
    else
        sealed_in_jws(f);
    return ask_as(f, cms ? IDV_MEDIA_VOUCHER_CMS : JWS);
}

/* --- bits ----------------------------------------------------------------- */

/* of these texts only so many bits are tried, of all else each */
struct spread {
    struct idv_bytes text[2];
    size_t step;
};

static struct spread spread_of(const struct idv_buf *b,
                               const struct jws_parts *p)
{
    struct spread s = {.step = (p->head.n + p->payload.n) * 8 / SPREAD | 1};
    const struct idv_buf *parts[] = {&p->head, &p->payload};
    for (int i = 0; i < 2; i++) {
        s.text[i].p = memmem(b->p, b->n, parts[i]->p, parts[i]->n);
        s.text[i].n = parts[i]->n;
        assert_non_null(s.text[i].p);
    }
    return s;
}

static bool is_tried(const struct spread *s, const uint8_t *at, size_t bit)
{
    for (int i = 0; i < 2; i++) {
        if (at >= s->text[i].p && at < s->text[i].p + s->text[i].n)
            return bit % s->step == 0;
    }
    return true;
}

/* Each bit of b that is to be tried is turned; taken says if that was taken. */
static unsigned each_bit(struct fixture *f, struct idv_buf *b,
                         bool (*taken)(struct fixture *f, size_t bit))
{
    JWS_PARTS_AUTO struct jws_parts p = {0};
    unsigned n = 0;
    jws_take(idv_view(b), &p);
    const struct spread s = spread_of(b, &p);
    for (size_t bit = 0; bit < b->n * 8; bit++) {
        uint8_t *at = b->p + bit / 8;
        if (!is_tried(&s, at, bit))
            continue;
        *at ^= (uint8_t)(1u << bit % 8);
        if (taken(f, bit))
            fail_msg("bit %zu of byte %zu: %.20s", bit % 8, bit / 8,
                     (char *)at);
        *at ^= (uint8_t)(1u << bit % 8);
        n++;
    }
    return n;
}

static bool taken(struct fixture *f, size_t bit)
{
    (void)bit;
    return ask(f);
}

/* R-M-4: no bit of it is without meaning */
static void test_bits(void **state)
{
    struct fixture *f = *state;
    assert_true(ask(f));
    assert_true(each_bit(f, &f->sealed, taken) > 1000);
    assert_true(ask(f));
}

static bool taken_within(struct fixture *f, size_t bit)
{
    return ask_with_prior(f, bit / 8 % 2);
}

/* R-M-9: nor of what the device signed, whoever has signed around it */
static void test_prior_bits(void **state)
{
    struct fixture *f = *state;
    assert_true(ask_with_prior(f, true));
    assert_true(each_bit(f, &f->rvr.prior_signed, taken_within) > 1000);
    assert_true(ask_with_prior(f, false));
}

static void test_cuts_and_more(void **state)
{
    struct fixture *f = *state;
    const size_t n = f->sealed.n;
    for (size_t i = 0; i < 100; i++) { /* every cut is one too many */
        f->sealed.n = n * i / 100;
        assert_false(ask(f));
    }
    f->sealed.n = n;
    OK(idv_buf_put(&f->sealed, idv_bytes("", 1)));
    assert_false(ask(f));
    for (size_t i = 0; i < 100; i++) { /* a byte twice */
        const size_t at = n * i / 100;
        f->sealed.n = n + 1;
        memmove(f->sealed.p + at + 1, f->sealed.p + at, n - at);
        if (ask(f))
            fail_msg("byte %zu twice", at);
        memmove(f->sealed.p + at, f->sealed.p + at + 1, n - at);
    }
    f->sealed.n = n;
    assert_true(ask(f));
}

/* --- ways of writing it --------------------------------------------------- */

#define SIGNED "{\"protected\":\"@H\",\"signature\":\"@S\"}"
#define WHOLE "{\"payload\":\"@P\",\"signatures\":[" SIGNED "]}"

enum where { NOWHERE, ANYWHERE, OUTSIDE }; /* OUTSIDE: of no other container */
static const struct {
    const char *text;
    enum where fine;
} ways[] = {
    {WHOLE, ANYWHERE},
    /* the tolerated ones: JSON says the same */
    {" \r\n{ \"payload\" : \"@P\" ,\n\t\"signatures\":[ " SIGNED " ] } \n",
     ANYWHERE},
    {"{\"signatures\":[" SIGNED "],\"payload\":\"@P\"}", ANYWHERE},
    {"{\"x\":{\"a\":[1,null]},\"payload\":\"@P\",\"signatures\":[" SIGNED "]}",
     ANYWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[{\"protected\":\"@H\",\"x\":{},"
     "\"signature\":\"@S\"}]}",
     ANYWHERE},
    {"{\"payload\":\"@E\",\"signatures\":[" SIGNED "]}", ANYWHERE},
    {"{\"payloa\\u0064\":\"@P\",\"signatures\":[" SIGNED "]}", OUTSIDE},
    /* both of them are signatures of this */
    {"{\"payload\":\"@P\",\"signatures\":[{\"protected\":\"@H\","
     "\"signature\":\"@Z\"}]}",
     ANYWHERE},
    /* and the others: what is of another */
    {"{\"payload\":\"@p\",\"signatures\":[" SIGNED "]}", NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[{\"protected\":\"@h\","
     "\"signature\":\"@S\"}]}",
     NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[{\"protected\":\"@H\","
     "\"signature\":\"@s\"}]}",
     NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[{\"protected\":\"@h\","
     "\"signature\":\"@s\"}]}",
     NOWHERE},
    /* less or more of it */
    {"{\"signatures\":[" SIGNED "]}", NOWHERE},
    {"{\"payload\":\"@P\"}", NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[]}", NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":" SIGNED "}", NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[[" SIGNED "]]}", NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[{\"signature\":\"@S\"}]}", NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[{\"protected\":\"@H\"}]}", NOWHERE},
    {"{\"payload\":\"\",\"signatures\":[" SIGNED "]}", NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[{\"protected\":\"\","
     "\"signature\":\"@S\"}]}",
     NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[{\"protected\":\"@H\","
     "\"signature\":\"\"}]}",
     NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[" SIGNED "," SIGNED "]}", NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[" SIGNED ",{\"protected\":\"@h\","
     "\"signature\":\"@s\"}]}",
     NOWHERE},
    {"{\"payload\":\"@P\",\"payload\":\"@P\",\"signatures\":[" SIGNED "]}",
     NOWHERE},
    {"{\"payload\":\"@P\",\"payload\":\"@p\",\"signatures\":[" SIGNED "]}",
     NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[" SIGNED "],\"signatures\":[" SIGNED
     "]}",
     NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[{\"protected\":\"@H\","
     "\"protected\":\"@h\",\"signature\":\"@S\"}]}",
     NOWHERE},
    /* both forms in one, and what nobody has signed */
    {"{\"payload\":\"@P\",\"protected\":\"@H\",\"signature\":\"@S\"}", NOWHERE},
    {"{\"payload\":\"@P\",\"protected\":\"@h\",\"signature\":\"@s\","
     "\"signatures\":[" SIGNED "]}",
     NOWHERE},
    {"{\"payload\":\"@P\",\"header\":{},\"signatures\":[" SIGNED "]}", NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[{\"protected\":\"@H\","
     "\"header\":{\"alg\":\"none\"},\"signature\":\"@S\"}]}",
     NOWHERE},
    {"@H.@P.@S", NOWHERE},
    {"\"@H.@P.@S\"", NOWHERE},
    /* texts of those octets that are not the one that is signed */
    {"{\"payload\":\"@P=\",\"signatures\":[" SIGNED "]}", NOWHERE},
    {"{\"payload\":\"@P\\n\",\"signatures\":[" SIGNED "]}", NOWHERE},
    {"{\"payload\":\" @P\",\"signatures\":[" SIGNED "]}", NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[{\"protected\":\"@H=\","
     "\"signature\":\"@S\"}]}",
     NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[{\"protected\":\"@H\","
     "\"signature\":\"@S==\"}]}",
     NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[{\"protected\":\"@H\","
     "\"signature\":\"@SAA\"}]}",
     NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[{\"protected\":\"@H\","
     "\"signature\":\"AA@S\"}]}",
     NOWHERE},
    /* around it */
    {WHOLE "x", NOWHERE},
    {WHOLE WHOLE, NOWHERE},
    {"[" WHOLE "]", NOWHERE},
    {"\xef\xbb\xbf" WHOLE, NOWHERE},
    {"{\"payload\":[\"@P\"],\"signatures\":[" SIGNED "]}", NOWHERE},
    {"{\"Payload\":\"@P\",\"signatures\":[" SIGNED "]}", NOWHERE},
    {"{\"payload\":\"@P\",\"signatures\":[" SIGNED "],}", NOWHERE},
    {"{\"payload\":\"@P\",\"x\":\"\xff\",\"signatures\":[" SIGNED "]}",
     NOWHERE},
};
#define WAYS (sizeof(ways) / sizeof(*ways))

/* R-M-4, R-S-16, R-S-19, R-S-21 */
static void test_ways(void **state)
{
    struct fixture *f = *state;
    JWS_PARTS_AUTO struct jws_parts it = {0};
    JWS_PARTS_AUTO struct jws_parts other = {0};
    jws_take(idv_view(&f->sealed), &it);
    f->rvr.created_on--;
    idv_buf_clear(&f->sealed);
    pki_seal_as(JWS, &f->rvr, &f->w.pki.rogue, f->w.pki.rogue_chain,
                &f->sealed);
    jws_take(idv_view(&f->sealed), &other);
    for (size_t i = 0; i < WAYS; i++) {
        jws_fill(ways[i].text, &it, &other, &f->sealed);
        if (ask(f) != (ways[i].fine != NOWHERE))
            fail_msg("%s: %s", ways[i].text, f->w.log);
    }
}

/* R-M-9, R-S-16, R-S-19: the device's own, whoever has signed around it */
static void test_ways_inside(void **state)
{
    struct fixture *f = *state;
    JWS_PARTS_AUTO struct jws_parts it = {0};
    JWS_PARTS_AUTO struct jws_parts other = {0};
    struct idv_buf *prior = &f->rvr.prior_signed;
    jws_take(idv_view(prior), &it);
    idv_buf_clear(prior);
    f->pvr.created_on = PKI_NOW - 1;
    pki_seal_as(JWS, &f->pvr, &f->w.pki.rogue_idevid, f->w.pki.rogue_chain,
                prior);
    jws_take(idv_view(prior), &other);
    for (size_t i = 0; i < WAYS; i++) {
        jws_fill(ways[i].text, &it, &other, prior);
        if (ask_with_prior(f, i % 2) != (ways[i].fine == ANYWHERE))
            fail_msg("%s: %s", ways[i].text, f->w.log);
    }
}

/* --- headers that the registrar has signed -------------------------------- */

#define ES256 "\"alg\":\"ES256\""
#define TYP ",\"typ\":\"voucher-jws+json\""

/* "RD": registrar, domain CA; "r": rogue; "c": its CA */
static STACK_OF(X509) * certs_of(struct fixture *f, const char *letters)
{
    const struct pki *p = &f->w.pki;
    STACK_OF(X509) *all = sk_X509_new_null();
    for (; *letters; letters++) {
        X509 *cert = *letters == 'R'   ? p->registrar.cert
                     : *letters == 'D' ? p->domain_ca.cert
                     : *letters == 'r' ? p->rogue.cert
                                       : p->rogue_ca.cert;
        assert_int_equal(X509_add_cert(all, cert, X509_ADD_FLAG_UP_REF), 1);
    }
    return all;
}

/* R-M-4, R-M-6, R-S-19: another chain, or another way to verify, is refused
 * also where its key has signed just that */
static void test_headers(void **state)
{
    static const struct {
        const char *head, *x5c;
        bool fine;
    } rows[] = {
        {ES256 TYP, "RD", true},
        /* the tolerated ones: a shorter chain pins its end, strangers are no
         * part of it, and what is not known means nothing */
        {ES256 TYP, "R", true},
        {ES256 TYP, "RcD", true},
        {ES256, "RD", true},
        {ES256 TYP ",\"kid\":\"1\"", "RD", true},
        /* and the others */
        {ES256 TYP, "", false},
        {ES256 TYP, "DR", false},
        {ES256 TYP, "D", false},
        {ES256 TYP, "Rc", false},
        {ES256 TYP, "rc", false},
        {ES256 TYP, "rcRD", false},
        {"\"alg\":\"none\"" TYP, "RD", false},
        {"\"alg\":\"HS256\"" TYP, "RD", false},
        {"\"alg\":\"ES384\"" TYP, "RD", false},
        {"\"alg\":\"RS256\"" TYP, "RD", false},
        {"\"alg\":\"es256\"" TYP, "RD", false},
        {"\"alg\":[\"ES256\"]" TYP, "RD", false},
        {ES256 "," ES256 TYP, "RD", false},
        {ES256 ",\"typ\":\"JWT\"", "RD", false},
        {ES256 ",\"typ\":7", "RD", false},
        {ES256 TYP ",\"crit\":[\"exp\"]", "RD", false},
        {ES256 TYP ",\"crit\":[\"b64\"],\"b64\":false", "RD", false},
    };
    struct fixture *f = *state;
    JWS_PARTS_AUTO struct jws_parts it = {0};
    jws_take(idv_view(&f->sealed), &it);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        STACK_OF(X509) *x5c = certs_of(f, rows[i].x5c);
        jws_head(rows[i].head, x5c, &it.head);
        jws_sign(&it, f->w.pki.registrar.key);
        jws_fill(WHOLE, &it, &it, &f->sealed);
        if (ask(f) != rows[i].fine)
            fail_msg("%s, %s: %s", rows[i].head, rows[i].x5c, f->w.log);
        idv_certs_free(x5c);
    }
}

/* a key that is not the one that the chain begins with */
static void test_another_key(void **state)
{
    struct fixture *f = *state;
    JWS_PARTS_AUTO struct jws_parts it = {0};
    jws_take(idv_view(&f->sealed), &it);
    jws_sign(&it, f->w.pki.rogue.key);
    jws_fill(WHOLE, &it, &it, &f->sealed);
    assert_false(ask(f));
    assert_true(world_why(&f->w, "signature"));
}

/* --- texts that the registrar has signed ---------------------------------- */

/* R-M-11, R-M-12: whatever it says, no other device, nonce, pin or assertion
 * comes of it */
static void test_texts(void **state)
{
    struct fixture *f = *state;
    spoil_texts(f, JWS);
}

#define T(f) cmocka_unit_test_setup_teardown(f, jws_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_bits),        T(test_prior_bits),  T(test_cuts_and_more),
        T(test_ways),        T(test_ways_inside), T(test_headers),
        T(test_another_key), T(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
