/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge sent elsewhere, refused, and trying again. */
#include "tests/unit/codec.h"

#include "tests/unit/fakescene.h"

/* --- redirects (PT-16) ---------------------------------------------------- */

static const char *const *route; /* Location of the n-th request, NULL: none */
static int route_at, route_status;

static bool redirecting(struct fakereg *r, const char *word, bool after,
                        const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after || strcmp(word, "rv") != 0 || !route[route_at])
        return false;
    OK(idv_msg_reply(reply, route_status, "", idv_str("")));
    strcpy(reply->location, route[route_at++]);
    return true;
}

/* R-P-33, R-P-34, R-S-12 */
static void redirects(void **state)
{
    static const struct {
        const char *route[6];
        int status;
        idv_rc rc;
        const char *log, *host;
    } rows[] = {
        {{"https://b.example:9000/.well-known/brski/requestvoucher"},
         307,
         IDV_OK,
         "C? rv C? rv vs+ ca at en C+ es+",
         "b.example"},
        {{"https://b.example:9000"},
         308,
         IDV_OK,
         "C? rv C? rv vs+ ca at en C+ es+",
         "b.example"},
        {{"https://b.example", "/other", "/third"},
         307,
         IDV_OK,
         "C? rv C? rv rv rv vs+ ca at en C+ es+",
         "b.example"},
        {{"/elsewhere"},
         307,
         IDV_OK,
         "C? rv rv vs+ ca at en C+ es+",
         "registrar.example.com"},
        {{"https://registrar.example.com:8443/x"},
         307,
         IDV_OK,
         "C? rv rv vs+ ca at en C+ es+",
         "registrar.example.com"},
        {{"https://b.example", "https://c.example"},
         307,
         IDV_E_REJECT,
         "C? rv C? rv",
         "b.example"},
        {{"https://b.example", "https://registrar.example.com:8443"},
         307,
         IDV_E_REJECT,
         "C? rv C? rv",
         "b.example"},
        {{"https://registrar.example.com:8443"},
         307,
         IDV_E_REJECT,
         "C? rv",
         "registrar.example.com"},
        {{"/a", "/b", "/a", "/b", "/a"},
         307,
         IDV_E_REJECT,
         "C? rv rv rv rv",
         "registrar.example.com"},
        {{"http://b.example"}, 307, IDV_E_REJECT, "C? rv", NULL},
        {{"//b.example/x"}, 307, IDV_E_REJECT, "C? rv", NULL},
        {{"ftp://b.example"}, 308, IDV_E_REJECT, "C? rv", NULL},
        {{""}, 307, IDV_E_REJECT, "C? rv", NULL},
        {{"https://u@b.example"}, 307, IDV_E_FORMAT, "C? rv", NULL},
        {{"https://b.example"}, 302, IDV_E_REJECT, "C? rv", NULL},
        {{"https://b.example"}, 303, IDV_E_REJECT, "C? rv", NULL},
        {{"https://b.example"}, 301, IDV_E_REJECT, "C? rv", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        SCENE(s);
        route = rows[i].route;
        route_at = 0;
        route_status = rows[i].status;
        s.reg.hook = redirecting;
        expect(&s, rows[i].rc, rows[i].log,
               rows[i].rc == IDV_OK ? ENROLLED : NONE);
        if (rows[i].host)
            assert_string_equal(s.reg.last.host, rows[i].host);
        /* a request names the certificate of its own connection */
        if (strstr(rows[i].log, "C? rv C? rv vs"))
            assert_int_equal(s.reg.same_pvr, 0);
    }
}

/* a redirected pledge comes back to where it was imprinted */
static void retries_go_where_the_imprint_was(void **state)
{
    static const char *const way[] = {"https://b.example:9000", NULL};
    (void)state;
    SCENE(s);
    route = way;
    route_at = 0;
    route_status = 307;
    s.dev.conf.attempts = 2;
    s.dev.anchor.calls = 0;
    s.reg.hook = redirecting;
    s.dev.keys_fail = true;
    expect(&s, IDV_E_DEVICE, "C? rv C? rv vs+ ca at es- X5 C= ca at es-",
           IMPRINTED);
    assert_string_equal(s.reg.last.host, "b.example");
}

/* --- refused -------------------------------------------------------------- */

static int refusal;

static bool refusing(struct fakereg *r, const char *word, bool after,
                     const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after || strcmp(word, "rv") != 0)
        return false;
    OK(idv_msg_refuse(reply, refusal, "you\x01 are\nnot welcome"));
    return true;
}

static void statuses_of_requestvoucher(void **state)
{
    static const struct {
        int status;
        idv_rc rc;
    } rows[] = {
        {400, IDV_E_REJECT}, {401, IDV_E_REJECT}, {403, IDV_E_REJECT},
        {404, IDV_E_REJECT}, {406, IDV_E_REJECT}, {415, IDV_E_REJECT},
        {500, IDV_E_NET},    {503, IDV_E_NET},    {204, IDV_E_REJECT},
        {100, IDV_E_REJECT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        SCENE(s);
        refusal = rows[i].status;
        s.reg.hook = refusing;
        expect(&s, rows[i].rc, "C? rv", NONE);
        assert_non_null(strstr(s.drive.note, "you? are"));
        assert_null(strstr(s.drive.note, "welcome"));
    }
}

/* --- several registrars (PT-17) ------------------------------------------- */

static bool first_three_refuse(struct fakereg *r, const char *word, bool after,
                               const struct idv_msg *req, struct idv_msg *reply)
{
    (void)req;
    if (after || strcmp(word, "rv") != 0 || r->waited >= 6)
        return false;
    OK(idv_msg_refuse(reply, 404, "no"));
    return true;
}

/* R-P-8, R-P-49 */
static void the_next_one_is_tried(void **state)
{
    static const char *const list[] = {"a.example", "b.example", "c.example",
                                       NULL};
    (void)state;
    SCENE(s);
    s.dev.conf.registrars = list;
    s.reg.hook = first_three_refuse;
    expect(&s, IDV_OK, "C? rv X3 C? rv X3 " WHOLE, ENROLLED);
    assert_string_equal(s.reg.last.host, "c.example");
}

/* R-P-9, R-P-49 */
static void pauses_double(void **state)
{
    (void)state;
    SCENE(s);
    s.dev.conf.attempts = 5;
    refusal = 404;
    s.reg.hook = refusing;
    expect(&s, IDV_E_REJECT, "C? rv X5 C? rv X10 C? rv X20 C? rv X40 C? rv",
           NONE);
}

/* R-P-9 */
static void pauses_end_at_an_hour(void **state)
{
    (void)state;
    SCENE(s);
    s.dev.conf.attempts = 14;
    refusal = 404;
    s.reg.hook = refusing;
    assert_int_equal(join(&s), IDV_E_REJECT);
    assert_non_null(strstr(s.reg.log, "X2560 C? rv X3600 C? rv X3600"));
    assert_null(strstr(s.reg.log, "X5120"));
}

/* R-P-49 */
static void rounds_are_counted(void **state)
{
    static const char *const list[] = {"a.example", "b.example", NULL};
    (void)state;
    SCENE(s);
    s.dev.conf.registrars = list;
    s.dev.conf.attempts = 2;
    refusal = 404;
    s.reg.hook = refusing;
    expect(&s, IDV_E_REJECT, "C? rv X3 C? rv X3 C? rv X3 C? rv", NONE);
}

static bool refuse_four(struct fakereg *r, const char *word, bool after,
                        const struct idv_msg *req, struct idv_msg *reply)
{
    (void)req;
    if (strcmp(word, "rv") == 0 && after && r->n_nonces < 5)
        idv_buf_clear(&reply->body);
    return false;
}

/* R-P-12 */
static void a_nonce_for_each_attempt(void **state)
{
    (void)state;
    SCENE(s);
    s.dev.conf.attempts = 0;
    s.reg.hook = refuse_four;
    assert_int_equal(join(&s), IDV_OK);
    assert_int_equal(s.reg.n_nonces, 5);
    for (int i = 0; i < 5; i++) {
        assert_true(strlen(s.reg.nonces[i]) >= 22);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(s.reg.nonces[i], s.reg.nonces[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redirects),
        cmocka_unit_test(retries_go_where_the_imprint_was),
        cmocka_unit_test(statuses_of_requestvoucher),
        cmocka_unit_test(the_next_one_is_tried),
        cmocka_unit_test(pauses_double),
        cmocka_unit_test(pauses_end_at_an_hour),
        cmocka_unit_test(rounds_are_counted),
        cmocka_unit_test(a_nonce_for_each_attempt),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
