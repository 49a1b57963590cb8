/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the machines: media types, Accept lists, moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <idevid/machine.h>

static void media_ignores_parameters_and_case(void **state)
{
    (void)state;
    assert_true(idv_media_is("application/json", "application/json"));
    assert_true(
        idv_media_is(" Application/JSON ; charset=utf-8", "application/json"));
    assert_false(idv_media_is("application/jsonx", "application/json"));
    assert_false(idv_media_is("application/jso", "application/json"));
    assert_false(idv_media_is("", "application/json"));
}

static void accept_lists(void **state)
{
    static const struct {
        const char *accept;
        bool admits;
    } rows[] = {
        {"", true},
        {" ", true},
        {"*/*", true},
        {"application/*", true},
        {"application/json", true},
        {"APPLICATION/JSON;q=0.5", true},
        {"text/html, application/json;v=1", true},
        {"text/html", false},
        {"text/*", false},
        {"app/*", false},
        {"application/json;q=0", false},
        {"application/json; q=0.000", false},
        {"*/*, application/json;q=0", false},
        {"application/json;q=0, */*", false},
        {"application/*;q=0, application/json", true},
        {"application/json;q=0.01", true},
        {"application/jsonld", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (idv_accepts(rows[i].accept, "application/json") != rows[i].admits)
            fail_msg("Accept: %s", rows[i].accept);
    }
}

static void replies_and_moves(void **state)
{
    (void)state;
    struct idv_msg a, b;
    char longer[200];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[199] = 0;
    idv_msg_init(&a);
    idv_msg_init(&b);
    assert_int_equal(a.retry_after, -1);
    assert_int_equal(idv_msg_refuse(&a, 404, "no such path"), IDV_OK);
    assert_string_equal((char *)a.body.p, "no such path\n");
    assert_int_equal(idv_msg_reply(&a, 200, longer, idv_str("x")), IDV_E_ARG);
    idv_note_clear();
    assert_int_equal(a.status, 404);
    a.retry_after = 7;
    idv_msg_move(&b, &a);
    assert_int_equal(b.status, 404);
    assert_int_equal(b.retry_after, 7);
    assert_null(a.body.p);
    assert_int_equal(a.retry_after, -1);
    idv_msg_free(&b);
}

static void bodies_are_bounded(void **state)
{
    (void)state;
    static const uint8_t big[IDV_MAX_BODY + 1];
    struct idv_msg m;
    idv_msg_init(&m);
    assert_int_equal(idv_msg_reply(&m, 200, "", idv_bytes(big, sizeof(big))),
                     IDV_E_LIMIT);
    idv_note_clear();
    assert_int_equal(
        idv_msg_reply(&m, 200, "", idv_bytes(big, sizeof(big) - 1)), IDV_OK);
    idv_msg_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(media_ignores_parameters_and_case),
        cmocka_unit_test(accept_lists),
        cmocka_unit_test(replies_and_moves),
        cmocka_unit_test(bodies_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
