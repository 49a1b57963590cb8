/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of the imprint in the report of a join: when, and bound to what. */
#include "tests/unit/codec.h"

#include <openssl/sha.h>

#include "tests/lib/fakereg.h"

static struct pki pki;

static int setup(void **state)
{
    (void)state;
    pki_make(&pki);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pki_free(&pki);
    return 0;
}

/* what the registrar answers to a voucher_status */
static struct {
    int status;
    const char *media, *body;
} answer;
/* what evidence is made of, and how often */
static struct {
    uint8_t nonce[32];
    int made;
    idv_rc rc;
    size_t n;
} maker;

static bool answers(struct fakereg *r, const char *word, bool after,
                    const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r;
    (void)req;
    if (after || strcmp(word, "vs+") != 0 || !answer.status)
        return false;
    OK(idv_msg_reply(reply, answer.status, answer.media, idv_str(answer.body)));
    return true;
}

static idv_rc make(void *arg, struct idv_bytes nonce, struct idv_buf *out)
{
    assert_ptr_equal(arg, &maker);
    assert_int_equal(nonce.n, sizeof(maker.nonce));
    memcpy(maker.nonce, nonce.p, nonce.n);
    maker.made++;
    if (maker.rc != IDV_OK)
        return idv_fail(maker.rc, "no restricted key");
    for (size_t i = 0; i < maker.n; i++)
        OK(idv_buf_puts(out, "E"));
    return IDV_OK;
}

struct scene {
    struct fakereg reg;
    struct fakedev dev;
    struct memdrive drive;
    struct idv_buf sent; /* evidence in the last report */
};

static void scene_init(struct scene *s)
{
    memset(s, 0, sizeof(*s));
    memset(&answer, 0, sizeof(answer));
    memset(&maker, 0, sizeof(maker));
    maker.n = 100;
    fakereg_init(&s->reg, &pki);
    fakedev_init(&s->dev, &pki);
    s->reg.hook = answers;
    s->dev.conf.evidence = make;
    s->dev.conf.evidence_arg = &maker;
}

static void scene_free(struct scene *s)
{
    fakereg_free(&s->reg);
    fakedev_free(&s->dev);
    idv_buf_free(&s->sent);
}
#define SCENE(s)                                                               \
    __attribute__((cleanup(scene_free))) struct scene s;                       \
    scene_init(&s)

static void asks(const char *body)
{
    answer.status = 200;
    answer.media = "application/json";
    answer.body = body;
}

/* Joins whatever the answer was; the report may carry evidence. */
static void join(struct scene *s)
{
    OK(fake_join(&s->dev, &s->reg, &s->drive));
    assert_non_null(strstr(s->reg.log, "es+"));
    assert_string_equal(idv_note(), "");
    OK(idv_telemetry_evidence(idv_view(&s->reg.telemetry), &s->sent));
}

#define ASKED "{\"evidence\":\"requested\"}"

/* R-P-54: bound to the very request that was granted */
static void sent_when_asked(void **state)
{
    uint8_t pvr[32];
    SCENE(s);
    (void)state;
    asks(ASKED);
    join(&s);
    assert_int_equal(maker.made, 1);
    assert_int_equal(s.sent.n, 100);
    SHA256(s.reg.pvr.p, s.reg.pvr.n, pvr);
    assert_memory_equal(maker.nonce, pvr, sizeof(pvr));
    assert_non_null(strstr(s.dev.events, "evidence"));
}

static void never_unless_asked(void **state)
{
    SCENE(s);
    (void)state;
    join(&s);
    assert_int_equal(maker.made, 0);
    assert_int_equal(s.sent.n, 0);
}

static void unasked_by_configuration(void **state)
{
    SCENE(s);
    (void)state;
    s.dev.conf.evidence_unasked = true;
    join(&s);
    assert_int_equal(s.sent.n, 100);
}

static void not_by_configuration(void **state)
{
    SCENE(s);
    (void)state;
    asks(ASKED);
    s.dev.conf.evidence = NULL;
    join(&s);
    assert_int_equal(s.sent.n, 0);
}

/* R-P-94, R-S-16: an answer that is none asks for nothing and stops nothing */
static void hostile_answers(void **state)
{
    static char huge[IDV_MAX_STATUS_ANSWER + 64] = ASKED;
    static const char *const bodies[] = {
        "",
        "null",
        "[]",
        "\"requested\"",
        "{",
        "{\"evidence\":true}",
        "{\"evidence\":[\"requested\"]}",
        "{\"evidence\":\"Requested\"}",
        "{\"evidence\":\"requested\",\"evidence\":\"requested\"}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
        "\xff\xfe",
        huge};
    (void)state;
    memset(huge + strlen(huge), ' ', sizeof(huge) - 1 - strlen(huge));
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        SCENE(s);
        asks(bodies[i]);
        join(&s);
        assert_int_equal(maker.made, 0);
    }
}

static void other_answers(void **state)
{
    static const struct {
        int status;
        const char *media;
    } rows[] = {{404, "application/json"},
                {500, "application/json"},
                {202, "application/json"},
                {200, "text/plain"},
                {200, ""}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        SCENE(s);
        asks(ASKED);
        answer.status = rows[i].status;
        answer.media = rows[i].media;
        join(&s);
        assert_int_equal(maker.made, 0);
    }
}

/* members that come later are others' */
static void more_in_the_answer(void **state)
{
    SCENE(s);
    (void)state;
    asks("{\"later\":{\"x\":[1]},\"evidence\":\"requested\"}");
    answer.media = "application/json; charset=utf-8";
    join(&s);
    assert_int_equal(s.sent.n, 100);
}

static void none_can_be_made(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        SCENE(s);
        asks(ASKED);
        maker.rc = i == 0 ? IDV_E_UNABLE : i == 1 ? IDV_E_DEVICE : IDV_OK;
        maker.n = IDV_MAX_REPORTED + 1;
        join(&s);
        assert_int_equal(maker.made, 1);
        assert_int_equal(s.sent.n, 0);
    }
}

static void as_long_as_may_be(void **state)
{
    SCENE(s);
    (void)state;
    asks(ASKED);
    maker.n = IDV_MAX_REPORTED;
    join(&s);
    assert_int_equal(s.sent.n, IDV_MAX_REPORTED);
}

/* after a restart there is no request that it could be bound to */
static void none_after_a_restart(void **state)
{
    SCENE(s);
    (void)state;
    asks(ASKED);
    s.dev.conf.evidence_unasked = true;
    s.dev.keys_fail = true;
    assert_true(fake_join(&s.dev, &s.reg, &s.drive) != IDV_OK);
    assert_int_equal(fakedev_state(&s.dev), IDV_TRUST_IMPRINTED);
    s.dev.keys_fail = false;
    fakedev_reopen(&s.dev, &pki);
    join(&s);
    assert_int_equal(maker.made, 0);
    assert_int_equal(s.sent.n, 0);
}

/* A renewal reports without: there is no imprint to it. */
static void none_with_a_renewal(void **state)
{
    SCENE(s);
    (void)state;
    asks(ASKED);
    s.dev.conf.evidence_unasked = true;
    join(&s);
    s.dev.renew = true;
    idv_buf_clear(&s.sent);
    join(&s);
    assert_int_equal(maker.made, 1);
    assert_int_equal(s.sent.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sent_when_asked),
        cmocka_unit_test(never_unless_asked),
        cmocka_unit_test(unasked_by_configuration),
        cmocka_unit_test(not_by_configuration),
        cmocka_unit_test(hostile_answers),
        cmocka_unit_test(other_answers),
        cmocka_unit_test(more_in_the_answer),
        cmocka_unit_test(none_can_be_made),
        cmocka_unit_test(as_long_as_may_be),
        cmocka_unit_test(none_after_a_restart),
        cmocka_unit_test(none_with_a_renewal),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
