/* SPDX-License-Identifier: Apache-2.0 */
/* A pledge and registrars whose HTTP is good: vouchers made to break what
 * reads them, waiting without end, redirections to anywhere. */
#include "tests/unit/worst.h"

#include <limits.h>
#include <sys/resource.h>

#include <openssl/cms.h>

/* --- vouchers made to break what reads them ------------------------------- */

static struct idv_buf bomb; /* is sent instead of the voucher */

static bool bombing(struct fakereg *r, const char *word, bool after,
                    const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (!after || strcmp(word, "rv") != 0)
        return false;
    OK(idv_msg_reply(reply, 200, IDV_MEDIA_VOUCHER_CMS, idv_view(&bomb)));
    return false;
}

static void put(const void *p, size_t n)
{
    OK(idv_buf_put(&bomb, idv_bytes(p, n)));
}

static void fill(const char *text, size_t n, size_t room)
{
    while (bomb.n + n <= IDV_MAX_BODY - room)
        put(text, n);
}

/* ContentInfo and SignedData of no certain length, up to the digests */
static void begin(void)
{
    put("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80"
        "\x30\x80\x02\x01\x01",
        20);
}

static void nested(void)
{
    fill("\x30\x80", 2, 0);
}
static void nested_content(void)
{
    begin();
    put("\x31\x00\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x80",
        17);
    fill("\x24\x80", 2, 0);
}
static void longer_than_it_is(void)
{
    put("\x30\x84\x7f\xff\xff\xff\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02",
        17);
}
static void longer_than_memory(void)
{
    put("\x30\x88\x7f\xff\xff\xff\xff\xff\xff\xff\x06\x09\x2a", 13);
}
static void length_of_a_length(void)
{
    put("\x30\xff", 2);
    fill("\xff", 1, 0);
}
static void huge_version(void)
{
    put("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80"
        "\x30\x80\x02\x82\xf0\x00",
        21);
    fill("\x7f", 1, 0);
}
static void huge_type(void)
{
    put("\x30\x80\x06\x82\xf0\x00", 6);
    fill("\xff", 1, 0);
}
static void many_digests(void)
{
    begin();
    put("\x31\x80", 2);
    fill("\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01", 13, 0);
}
static void empty_sets(void)
{
    begin();
    fill("\x31\x00", 2, 0);
}

/* signed by so many strangers, and by the MASA */
static void signers(int n)
{
    const unsigned flags = CMS_PARTIAL | CMS_BINARY | CMS_NOSMIMECAP;
    IDV_AUTO_PTR(BIO) in = BIO_new_mem_buf("{}", 2);
    IDV_AUTO_PTR(BIO) mem = BIO_new(BIO_s_mem());
    IDV_AUTO_PTR(CMS_ContentInfo)
    cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
    for (int i = 0; i < n; i++)
        assert_non_null(CMS_add1_signer(cms, pki.rogue.cert, pki.rogue.key,
                                        NULL, flags | CMS_NOCERTS));
    assert_non_null(
        CMS_add1_signer(cms, pki.masa.cert, pki.masa.key, NULL, flags));
    assert_int_equal(CMS_final(cms, in, NULL, flags), 1);
    assert_int_equal(i2d_CMS_bio(mem, cms), 1);
    char *p = NULL;
    const long size = BIO_get_mem_data(mem, &p);
    put(p, (size_t)size);
}
static void hundreds_of_signers(void)
{
    signers(150);
}
static void two_signers(void)
{
    signers(1);
}

/* what the maker itself has signed, by mistake */
static void sealed(const char *text, size_t times)
{
    IDV_AUTO(buf) json = {0};
    struct idv_signer by = {pki.masa.key, pki.masa.cert, NULL, 0, false};
    OK(idv_buf_puts(&json, "{\"ietf-voucher:voucher\":{\"serial-number\":"
                           "\"" PKI_SERIAL "\",\"x\":"));
    for (size_t i = 0; i < times; i++)
        OK(idv_buf_puts(&json, text));
    OK(idv_envelope_seal(IDV_MEDIA_VOUCHER_CMS, idv_view(&json), &by, &bomb));
}
static void deep_json(void)
{
    sealed("[", 30000);
}
static void deeper_json(void)
{
    sealed("{\"a\":", 10000);
}
static void json_of_many(void)
{
    sealed("0,", 30000);
}

/* kilobytes this process had at the most */
static long most(void)
{
    struct rusage u;
    assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
    return u.ru_maxrss;
}

/* R-P-18, R-P-94, R-S-18: refused by its name, in little memory; the next
 * voucher is taken */
static void bombs(void **state)
{
    static const struct {
        void (*make)(void);
        enum idv_verdict verdict;
    } rows[] = {
        {nested, IDV_VERDICT_FORMAT},
        {nested_content, IDV_VERDICT_FORMAT},
        {longer_than_it_is, IDV_VERDICT_FORMAT},
        {longer_than_memory, IDV_VERDICT_FORMAT},
        {length_of_a_length, IDV_VERDICT_FORMAT},
        {huge_version, IDV_VERDICT_FORMAT},
        {huge_type, IDV_VERDICT_FORMAT},
        {many_digests, IDV_VERDICT_FORMAT},
        {empty_sets, IDV_VERDICT_FORMAT},
        {hundreds_of_signers, IDV_VERDICT_FORMAT},
        {two_signers, IDV_VERDICT_FORMAT},
        {deep_json, IDV_VERDICT_CONTENT},
        {deeper_json, IDV_VERDICT_CONTENT},
        {json_of_many, IDV_VERDICT_CONTENT},
    };
    (void)state;
    WORST(w);
    worst_joins(&w);
    OK(idv_trust_reset(w.dev.trust));
    w.reg.vouchers = 0;
    const long before = most();
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        bomb = (struct idv_buf){.max = IDV_MAX_BODY};
        rows[i].make();
        w.reg.hook = bombing;
        assert_int_equal(worst_join(&w), IDV_E_REJECT);
        if (w.dev.verdict != rows[i].verdict)
            fail_msg("row %zu: %s: %s", i, idv_verdict_to_text(w.dev.verdict),
                     w.note);
        assert_int_equal(fakedev_state(&w.dev), IDV_TRUST_NONE);
        worst_whole(&w);
        idv_buf_free(&bomb);
    }
    if (most() - before > MOST_KB)
        fail_msg("%ld KiB", most() - before);
    w.reg.hook = NULL;
    worst_joins(&w);
}

/* --- a registrar that never decides --------------------------------------- */

struct patience {
    int waits, longest;
    int64_t waited;
};

static idv_rc no_time_passes(void *arg, int seconds)
{
    struct patience *p = arg;
    p->waits++;
    p->waited += seconds;
    if (seconds > p->longest)
        p->longest = seconds;
    return IDV_OK;
}

static struct {
    struct idv_buf first;
    int same, all;
} asked;

static idv_rc never(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    const struct idv_buf *body = &call->req.body;
    (void)self, (void)told;
    *next = IDV_NEXT_REPLY;
    if (!asked.all++)
        OK(idv_buf_put(&asked.first, idv_view(body)));
    asked.same += idv_bytes_eq(idv_view(body), idv_view(&asked.first));
    IDV_TRY(idv_msg_refuse(&call->reply, 202, "not yet"));
    call->reply.retry_after = 999999;
    return IDV_OK;
}

/* R-P-29, R-P-30, R-P-31, R-S-11 */
static void never_decides(void **state)
{
    const struct idv_service service = {never, NULL};
    struct patience p = {0};
    (void)state;
    WORST_DEVICE(w);
    w.server.conf.max_per_minute = UINT_MAX; /* days pass in one */
    nt_server_start(&w.server, &pki, &service);
    worst_to(&w, w.server.port);
    w.conf.wait = no_time_passes;
    w.conf.wait_arg = &p;
    assert_int_equal(worst_join(&w), IDV_E_TIMEOUT);
    assert_int_equal(p.longest, 60);
    /* the time that passed by itself counts as well */
    assert_in_range(p.waited, IDV_MAX_PENDING - 3600, IDV_MAX_PENDING);
    assert_true(asked.all > p.waits);
    assert_int_equal(asked.same, asked.all);
    assert_int_equal(fakedev_state(&w.dev), IDV_TRUST_NONE);
    worst_whole(&w);
    idv_buf_free(&asked.first);
}

/* --- redirections ----------------------------------------------------------
 */

static char location[IDV_MAX_URL];
static int redirected;

static bool redirecting(struct fakereg *r, const char *word, bool after,
                        const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after || strcmp(word, "rv") != 0)
        return false;
    redirected++;
    OK(idv_msg_reply(reply, 307, "", idv_str("")));
    strcpy(reply->location, location);
    return true;
}

/* R-P-33, R-S-12: to itself, in the clear, to a neighbour, to nowhere */
static void redirections(void **state)
{
    static const struct {
        const char *to;
        bool here; /* this very registrar comes next */
        const char *rest;
        int asked;
        idv_rc rc;
        const char *note;
    } rows[] = {
        {"https://", true, IDV_PATH_REQUESTVOUCHER, 1, IDV_E_REJECT, "circle"},
        {"https://", true, "/other", 2, IDV_E_REJECT, "circle"},
        {IDV_PATH_REQUESTVOUCHER, false, "", 1, IDV_E_REJECT, "circle"},
        {"http://", true, "/other", 1, IDV_E_REJECT, "https"},
        {"file:///etc/passwd", false, "", 1, IDV_E_REJECT, "https"},
        {"https://[fe80::1%25none0]:443/", false, "", 1, IDV_E_FORMAT,
         "address"},
        {"https://[fe80::1]:443/", false, "", 1, IDV_E_NET, "fe80::1"},
        {"https://127.0.0.1:1/", false, "", 1, IDV_E_NET, "127.0.0.1:1"},
        {"https://127.0.0.1:0/", false, "", 1, IDV_E_FORMAT, "port"},
        {"https://127.0.0.1:65536/", false, "", 1, IDV_E_FORMAT, "port"},
        {"https://user:word@", true, "/", 1, IDV_E_FORMAT, "user"},
        {"https://", true, "/a\tb", 2, IDV_E_FORMAT, "Location"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        WORST(w);
        redirected = 0;
        snprintf(location, sizeof(location), "%s%s%s", rows[i].to,
                 rows[i].here ? w.where : "", rows[i].rest);
        w.reg.hook = redirecting;
        w.conf.connect_s = 3;
        worst_join(&w);
        if (w.rc != rows[i].rc || !strstr(w.note, rows[i].note))
            fail_msg("%s: %s: %s", location, idv_rc_name(w.rc), w.note);
        assert_int_equal(redirected, rows[i].asked);
        assert_int_equal(fakedev_state(&w.dev), IDV_TRUST_NONE);
        worst_whole(&w);
        w.reg.hook = NULL;
        w.conf.connect_s = 20;
        worst_joins(&w);
    }
}

static void send_on(struct worst *from, const struct worst *to)
{
    snprintf(location, sizeof(location), "https://%s/", to->where);
    from->reg.hook = redirecting;
}

/* R-P-33, R-P-34: one to another origin is followed, with a new request */
static void sent_on_once(void **state)
{
    (void)state;
    WORST(a);
    WORST(b);
    send_on(&a, &b);
    OK(worst_join(&a));
    assert_int_equal(fakedev_state(&a.dev), IDV_TRUST_ENROLLED);
    assert_int_equal(a.reg.n_nonces, 0);
    assert_int_equal(b.reg.vouchers, 1);
}

static bool on_to_nowhere(struct fakereg *r, const char *word, bool after,
                          const struct idv_msg *req, struct idv_msg *reply)
{
    if (!redirecting(r, word, after, req, reply))
        return false;
    strcpy(reply->location, "https://127.0.0.1:1/");
    return true;
}

/* R-P-33, R-S-12 */
static void sent_on_twice(void **state)
{
    (void)state;
    WORST(a);
    WORST(b);
    redirected = 0;
    send_on(&a, &b);
    b.reg.hook = on_to_nowhere;
    assert_int_equal(worst_join(&a), IDV_E_REJECT);
    assert_non_null(strstr(a.note, "second time"));
    assert_int_equal(redirected, 2);
    assert_int_equal(fakedev_state(&a.dev), IDV_TRUST_NONE);
    assert_int_equal(b.reg.vouchers, 0);
}

/* R-P-34: where it leads is as provisional as where it came from */
static void sent_on_to_a_stranger(void **state)
{
    const struct idv_service service = {worst_serve, NULL};
    (void)state;
    WORST(a);
    WORST_DEVICE(b);
    struct idv_service its = service;
    its.self = &b;
    b.reg.chain = pki.rogue_chain;
    b.server.id = &pki.rogue;
    b.server.chain = pki.rogue_chain;
    nt_server_start(&b.server, &pki, &its);
    worst_to(&b, b.server.port);
    send_on(&a, &b);
    assert_int_equal(worst_join(&a), IDV_E_REJECT);
    assert_int_equal(a.dev.verdict, IDV_VERDICT_CHAIN);
    assert_int_equal(fakedev_state(&a.dev), IDV_TRUST_NONE);
    worst_whole(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bombs),
        cmocka_unit_test(never_decides),
        cmocka_unit_test(redirections),
        cmocka_unit_test(sent_on_once),
        cmocka_unit_test(sent_on_twice),
        cmocka_unit_test(sent_on_to_a_stranger),
    };
    return cmocka_run_group_tests_name("worst-voucher", tests, worst_setup,
                                       worst_teardown);
}
