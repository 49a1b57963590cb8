/* SPDX-License-Identifier: Apache-2.0 */
/* Floods: CBOR, what is read of them, what is on offer for how long. */
#include "codec.h"

#include <arpa/inet.h>

#include "codec/cbor.h"
#include "net/grasp_listen.h"

#define FE80 "\x50\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define HEAD "\x85\x09\x1a\x00\xbc\x4e\x4f" FE80 "\x01\x1a\x00\x02\xbf\x20"
#define PROXY                                                                  \
    "\x84\x68"                                                                 \
    "AN_Proxy\x04\x01\x60"
#define AT(last, port) "\x84\x18\x67" FE80 last "\x06\x19" port
/* RFC 8995 figure 6 */
#define FIGURE HEAD "\x82" PROXY AT("\x01", "\x11\x5b")

static struct idv_bytes lit(const char *p, size_t n)
{
    return idv_bytes(p, n);
}
#define LIT(s) lit(s, sizeof(s) - 1)

/* --- CBOR --------------------------------------------------------------- */

static void cbor_tree(void **state)
{
    idvi_cbor *c = NULL;
    struct idv_bytes b;
    uint64_t v;
    size_t n;
    (void)state;
    /* [1, h'0203', "x", {1: true, "a": [-1]}, 1(2.0), [_ null]] */
    OK(idvi_cbor_from_bytes(LIT("\x86\x01\x42\x02\x03\x61x\xa2\x01\xf5\x61"
                                "a\x81\x20\xc1\xf9\x40\x00\x9f\xf6\xff"),
                            &c));
    assert_true(idvi_cbor_array(c, &n) && n == 6);
    assert_true(idvi_cbor_uint(idvi_cbor_at(c, 0), 1, &v) && v == 1);
    assert_false(idvi_cbor_uint(idvi_cbor_at(c, 0), 0, &v));
    assert_true(idvi_cbor_bytes(idvi_cbor_at(c, 1), &b) && b.n == 2);
    assert_true(idvi_cbor_text(idvi_cbor_at(c, 2), &b) && *b.p == 'x');
    assert_false(idvi_cbor_text(idvi_cbor_at(c, 1), &b));
    assert_false(idvi_cbor_array(idvi_cbor_at(c, 3), &n));
    assert_true(idvi_cbor_array(idvi_cbor_at(c, 5), &n) && n == 1);
    assert_null(idvi_cbor_at(c, 6));
    assert_null(idvi_cbor_at(idvi_cbor_at(c, 0), 0));
    idvi_cbor_free(c);
    idvi_cbor_free(NULL);
}

static void cbor_refused(void **state)
{
    static const struct {
        const char *p;
        size_t n;
        idv_rc rc;
    } bad[] = {
#define BAD(s, rc) {s, sizeof(s) - 1, rc}
        BAD("", IDV_E_FORMAT),
        BAD("\x82\x01", IDV_E_FORMAT),                 /* ends */
        BAD("\x01\x01", IDV_E_FORMAT),                 /* goes on */
        BAD("\x1c", IDV_E_FORMAT),                     /* reserved */
        BAD("\xff", IDV_E_FORMAT),                     /* break */
        BAD("\x82\x01\xff", IDV_E_FORMAT),             /* break in a list */
        BAD("\x9a\xff\xff\xff\xff\x01", IDV_E_FORMAT), /* announced only */
        BAD("\xba\x7f\xff\xff\xff\x01", IDV_E_FORMAT),
        BAD("\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01", IDV_E_FORMAT),
        BAD("\xbb\x80\0\0\0\0\0\0\x01\x01\x01", IDV_E_FORMAT),
        BAD("\x5b\xff\xff\xff\xff\xff\xff\xff\xff\x01", IDV_E_FORMAT),
        BAD("\x5f\x41\x01\xff", IDV_E_FORMAT), /* in chunks */
        BAD("\x7f\x61\x61\xff", IDV_E_FORMAT),
        BAD("\xa2\x01\x02\x01\x03", IDV_E_FORMAT), /* a key twice */
        BAD("\x81\xa2\x61x\x02\x61x\x03", IDV_E_FORMAT),
        BAD("\xc1\xa2\x41x\x02\x41x\x03", IDV_E_FORMAT), /* below a tag */
        BAD("\xa1\x80\x01", IDV_E_FORMAT),               /* a list as a key */
        BAD("\xbf\x01\xff", IDV_E_FORMAT),               /* half a pair */
        BAD("\x81\x81\x81\x81\x81\x81\x81\x81\x81\x01", IDV_E_LIMIT),
        BAD("\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\x01", IDV_E_LIMIT),
        BAD("\x9f\x9f\x9f\x9f\x9f\x9f\x9f\x9f\x9f\x01", IDV_E_LIMIT),
#undef BAD
    };
    uint8_t many[3 + 600] = {0x99, 600 >> 8, 600 & 255};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        idvi_cbor *c = NULL;
        idv_note_clear();
        idv_rc rc = idvi_cbor_from_bytes(idv_bytes(bad[i].p, bad[i].n), &c);
        if (rc != bad[i].rc)
            print_error("%zu: %s, %s\n", i, idv_rc_name(rc), idv_note());
        assert_int_equal(rc, bad[i].rc);
        assert_null(c);
    }
    idvi_cbor *c = NULL;
    FAILS(IDV_E_LIMIT, "too much",
          idvi_cbor_from_bytes(idv_bytes(many, sizeof(many)), &c));
}

/* --- floods ------------------------------------------------------------- */

static void is_local(const struct in6_addr *a, uint8_t last)
{
    struct in6_addr want = {{{0xfe, 0x80, [15] = last}}};
    assert_memory_equal(a, &want, sizeof(want));
}

/* R-P-4 */
static void figure_of_the_rfc(void **state)
{
    struct idvi_flood f;
    (void)state;
    OK(idvi_flood_from_bytes(LIT(FIGURE), &f));
    assert_int_equal(f.session, 12340815);
    assert_int_equal(f.ttl_ms, 180000);
    is_local(&f.initiator, 1);
    assert_int_equal(f.n, 1);
    is_local(&f.at[0].address, 1);
    assert_int_equal(f.at[0].port, 4443);
}

static void other_forms(void **state)
{
    struct idvi_flood f;
    (void)state;
    /* pairs in a list more */
    OK(idvi_flood_from_bytes(
        LIT(HEAD "\x82\x82" PROXY AT("\x02", "\0\x50") "\x82" PROXY AT(
            "\x03", "\0\x51")),
        &f));
    assert_int_equal(f.n, 2);
    is_local(&f.at[0].address, 2);
    assert_int_equal(f.at[1].port, 0x51);
    /* no value of the objective; a value that is no text */
    OK(idvi_flood_from_bytes(LIT(HEAD
                                 "\x82\x83\x68"
                                 "AN_Proxy\x04\x01" AT("\x01", "\x11\x5b")),
                             &f));
    OK(idvi_flood_from_bytes(LIT(HEAD
                                 "\x82\x84\x68"
                                 "AN_Proxy\x04\x01\xf6" AT("\x01", "\x11\x5b")),
                             &f));
    /* others between: another objective, one without a place, UDP */
    OK(idvi_flood_from_bytes(
        LIT("\x88\x09\x01" FE80 "\x01\x00"
            "\x82\x84\x62X1\x04\x01\x60" AT(
                "\x07", "\0\x07") "\x82" PROXY "\x80"
                                  "\x82" PROXY "\x84\x18\x67" FE80
                                  "\x08\x11\x19\0\x08"
                                  "\x82" PROXY AT("\x09", "\0\x09")),
        &f));
    assert_int_equal(f.n, 1);
    assert_int_equal(f.at[0].port, 9);
    assert_int_equal(f.ttl_ms, 0);
}

static void floods_refused(void **state)
{
    static const struct {
        const char *p;
        size_t n;
        idv_rc rc;
    } bad[] = {
#define BAD(s, rc) {s, sizeof(s) - 1, rc}
        BAD("\x80", IDV_E_FORMAT), BAD("\xa0", IDV_E_FORMAT),
        BAD("\x84\x09\x01" FE80 "\x01\x01", IDV_E_FORMAT),
        /* another message; a session of 33 bits; an initiator of four bytes; a
         * time of 33 bits */
        BAD("\x85\x08\x01" FE80 "\x01\x01\x82" PROXY AT("\x01", "\0\x01"),
            IDV_E_FORMAT),
        BAD("\x85\x09\x1b\0\0\0\x01\0\0\0\0" FE80
            "\x01\x01\x82" PROXY AT("\x01", "\0\x01"),
            IDV_E_FORMAT),
        BAD("\x85\x09\x01\x44\x0a\0\0\x01\x01\x82" PROXY AT("\x01", "\0\x01"),
            IDV_E_FORMAT),
        BAD("\x85\x09\x01" FE80
            "\x01\x1b\0\0\0\x01\0\0\0\0\x82" PROXY AT("\x01", "\0\x01"),
            IDV_E_FORMAT),
        /* loop count 2, 255, a text; no F_SYNCH; another name */
        BAD(HEAD "\x82\x84\x68"
                 "AN_Proxy\x04\x02\x60" AT("\x01", "\0\x01"),
            IDV_E_REJECT),
        BAD(HEAD "\x82\x84\x68"
                 "AN_Proxy\x04\x18\xff\x60" AT("\x01", "\0\x01"),
            IDV_E_REJECT),
        BAD(HEAD "\x82\x84\x68"
                 "AN_Proxy\x04\x61\x31\x60" AT("\x01", "\0\x01"),
            IDV_E_REJECT),
        BAD(HEAD "\x82\x84\x68"
                 "AN_Proxy\x03\x01\x60" AT("\x01", "\0\x01"),
            IDV_E_REJECT),
        BAD(HEAD "\x82\x84\x68"
                 "AN_proxy\x04\x01\x60" AT("\x01", "\0\x01"),
            IDV_E_REJECT),
        /* another protocol */
        BAD(HEAD "\x82\x84\x68"
                 "AN_Proxy\x04\x01\x68prm-jose" AT("\x01", "\0\x01"),
            IDV_E_REJECT),
        /* port 0, port 65536, a global address, a short one, an IPv4 one */
        BAD(HEAD "\x82" PROXY AT("\x01", "\0\0"), IDV_E_REJECT),
        BAD(HEAD "\x82" PROXY "\x84\x18\x67" FE80 "\x01\x06\x1a\0\x01\0\0",
            IDV_E_REJECT),
        BAD(HEAD "\x82" PROXY "\x84\x18\x67\x50\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0"
                 "\0\0\0\x01\x06\x19\0\x01",
            IDV_E_REJECT),
        BAD(HEAD "\x82" PROXY "\x84\x18\x67\x44\xfe\x80\0\0\x06\x19\0\x01",
            IDV_E_REJECT),
        BAD(HEAD "\x82" PROXY "\x84\x18\x68\x44\xa9\xfe\0\x01\x06\x19\0\x01",
            IDV_E_REJECT),
        BAD(FIGURE "\0", IDV_E_FORMAT), /* something follows */
#undef BAD
    };
    static const struct idvi_flood before = {.session = 42};
    uint8_t large[IDVI_GRASP_MAX + 1] = {0x80};
    struct idvi_flood f = before;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        idv_note_clear();
        idv_rc rc = idvi_flood_from_bytes(idv_bytes(bad[i].p, bad[i].n), &f);
        if (rc != bad[i].rc)
            print_error("%zu: %s, %s\n", i, idv_rc_name(rc), idv_note());
        assert_int_equal(rc, bad[i].rc);
        assert_memory_equal(&f, &before, sizeof(f));
    }
    FAILS(IDV_E_LIMIT, "2048",
          idvi_flood_from_bytes(idv_bytes(large, sizeof(large)), &f));
}

static void many_places(void **state)
{
    IDV_AUTO(buf) b = {0};
    struct idvi_flood f;
    (void)state;
    OK(idv_buf_put(&b, LIT("\x98\x1c\x09\x01" FE80 "\x01\x01")));
    for (int i = 0; i < 24; i++)
        OK(idv_buf_put(&b, LIT("\x82" PROXY AT("\x01", "\0\x01"))));
    OK(idvi_flood_from_bytes(idv_view(&b), &f));
    assert_int_equal(f.n, IDVI_FLOOD_MAX);
}

/* --- offers ------------------------------------------------------------- */

struct told {
    size_t n, offers, gone;
    struct idv_offer last, last_gone;
};

static void tell(void *arg, const struct idv_offer *o)
{
    struct told *t = arg;
    t->n++;
    if (o->gone) {
        t->gone++;
        t->last_gone = *o;
    } else {
        t->offers++;
        t->last = *o;
    }
}

struct listening {
    struct told told;
    struct idvi_book book;
    struct idvi_grasp grasp;
};

static const struct in6_addr neighbour = {{{0xfe, 0x80, [15] = 9}}};

static void listen_on(struct listening *l, unsigned index, const char *name)
{
    l->grasp.joined[l->grasp.n] = index;
    snprintf(l->grasp.names[l->grasp.n++], IF_NAMESIZE, "%s", name);
}

static void listening(struct listening *l)
{
    memset(l, 0, sizeof(*l));
    l->book.tell = tell;
    l->book.arg = &l->told;
    idvi_grasp_init(&l->grasp, NULL, &l->book);
    listen_on(l, 7, "eth0");
    listen_on(l, 8, "eth1");
}

/* R-P-4 */
static void offers_have_zones(void **state)
{
    static struct listening l;
    (void)state;
    listening(&l);
    idvi_grasp_heard(&l.grasp, LIT(FIGURE), &neighbour, 7, 1000);
    assert_int_equal(l.told.n, 1);
    assert_int_equal(l.told.last.origin, IDV_FROM_GRASP);
    assert_string_equal(l.told.last.host, "fe80::1%eth0");
    assert_int_equal(l.told.last.port, 4443);
    /* the same place on another link is another place; again is no news */
    idvi_grasp_heard(&l.grasp, LIT(FIGURE), &neighbour, 8, 1000);
    idvi_grasp_heard(&l.grasp, LIT(FIGURE), &neighbour, 7, 2000);
    assert_int_equal(l.told.n, 2);
    assert_string_equal(l.told.last.host, "fe80::1%eth1");
}

static void strangers_are_not_heard(void **state)
{
    static const struct in6_addr global = {{{0x20, 0x01, 0x0d, 0xb8}}};
    static struct listening l;
    (void)state;
    listening(&l);
    idvi_grasp_heard(&l.grasp, LIT(FIGURE), &global, 7, 1000);
    idvi_grasp_heard(&l.grasp, LIT(FIGURE), &neighbour, 9, 1000);
    idvi_grasp_heard(&l.grasp, LIT("\x80"), &neighbour, 7, 1000);
    assert_int_equal(l.told.n, 0);
    assert_string_equal(idv_note(), "");
}

static void offers_end(void **state)
{
    static struct listening l;
    (void)state;
    listening(&l);
    idvi_grasp_heard(&l.grasp, LIT(FIGURE), &neighbour, 7, 1000);
    assert_int_equal(idvi_book_due(&l.book, IDV_FROM_GRASP), 181000);
    idvi_grasp_heard(&l.grasp, LIT(FIGURE), &neighbour, 7, 60000);
    assert_int_equal(idvi_book_due(&l.book, IDV_FROM_GRASP), 240000);
    idvi_grasp_ready(&l.grasp, 239999);
    assert_int_equal(l.told.gone, 0);
    idvi_grasp_ready(&l.grasp, 240000);
    assert_int_equal(l.told.gone, 1);
    assert_string_equal(l.told.last_gone.host, "fe80::1%eth0");
    assert_true(idvi_book_due(&l.book, IDV_FROM_GRASP) == IDVI_NEVER);
}

static void times_are_bounded(void **state)
{
    static const struct {
        const char *ttl;
        int64_t ms;
    } as[] = {
        {"\x1a\0\0\0\0", IDVI_FLOOD_MOST_MS},
        {"\x1a\0\0\0\1", IDVI_FLOOD_LEAST_MS},
        {"\x1a\xff\xff\xff\xff", IDVI_FLOOD_MOST_MS},
        {"\x1a\0\0\xff\xff", 65535},
    };
    uint8_t flood[sizeof(FIGURE) - 1];
    static struct listening l;
    (void)state;
    for (size_t i = 0; i < sizeof(as) / sizeof(*as); i++) {
        listening(&l);
        memcpy(flood, FIGURE, sizeof(flood));
        memcpy(flood + 7 + 17, as[i].ttl, 5);
        idvi_grasp_heard(&l.grasp, idv_bytes(flood, sizeof(flood)), &neighbour,
                         7, 0);
        assert_int_equal(idvi_book_due(&l.book, IDV_FROM_GRASP), as[i].ms);
    }
}

/* who shouts loudest keeps nobody out for good */
static void room_is_made(void **state)
{
    uint8_t flood[sizeof(FIGURE) - 1];
    static struct listening l;
    (void)state;
    listening(&l);
    memcpy(flood, FIGURE, sizeof(flood));
    for (int i = 0; i < 1000; i++) {
        flood[sizeof(flood) - 2] = (uint8_t)(1 + i / 256);
        flood[sizeof(flood) - 1] = (uint8_t)i;
        idvi_grasp_heard(&l.grasp, idv_bytes(flood, sizeof(flood)), &neighbour,
                         7, 0);
    }
    assert_int_equal(l.told.offers, 1000);
    assert_int_equal(l.told.gone, 1000 - IDVI_BOOK_ORIGIN);
    assert_int_equal(l.book.n, IDVI_BOOK_ORIGIN);
    idvi_grasp_heard(&l.grasp, LIT(FIGURE), &neighbour, 8, 0);
    assert_string_equal(l.told.last.host, "fe80::1%eth1");
}

static void a_link_goes(void **state)
{
    static struct listening l;
    (void)state;
    listening(&l);
    idvi_grasp_heard(&l.grasp, LIT(FIGURE), &neighbour, 7, 1000);
    idvi_grasp_heard(&l.grasp, LIT(FIGURE), &neighbour, 8, 1000);
    idvi_grasp_leave(&l.grasp, 7);
    assert_int_equal(l.told.gone, 1);
    assert_string_equal(l.told.last_gone.host, "fe80::1%eth0");
    idvi_grasp_heard(&l.grasp, LIT(FIGURE), &neighbour, 7, 1000);
    assert_int_equal(l.told.offers, 2);
    idvi_grasp_heard(&l.grasp, LIT(FIGURE), &neighbour, 8, 1000);
    assert_int_equal(l.book.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cbor_tree),
        cmocka_unit_test(cbor_refused),
        cmocka_unit_test(figure_of_the_rfc),
        cmocka_unit_test(other_forms),
        cmocka_unit_test(floods_refused),
        cmocka_unit_test(many_places),
        cmocka_unit_test(offers_have_zones),
        cmocka_unit_test(strangers_are_not_heard),
        cmocka_unit_test(offers_end),
        cmocka_unit_test(times_are_bounded),
        cmocka_unit_test(room_is_made),
        cmocka_unit_test(a_link_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
