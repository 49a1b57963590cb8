/* SPDX-License-Identifier: Apache-2.0 */
/* base64, hexadecimal and string helpers: inverses and refusals. */
#include "codec.h"

#include <openssl/rand.h>

#include <idevid/codec.h>

static idv_rc decode(const char *text, enum idv_base64_form form,
                     struct idv_buf *out)
{
    idv_buf_clear(out);
    return idv_base64_to_bytes(idv_str(text), form, out);
}

static void base64_inverse(void **state)
{
    uint8_t raw[200];
    (void)state;
    RAND_bytes(raw, sizeof(raw));
    for (size_t n = 0; n <= sizeof(raw); n++) {
        for (size_t columns = 0; columns <= 64; columns += 32) {
            IDV_AUTO(buf) text = {0};
            IDV_AUTO(buf) back = {.max = n ? n : 1};
            OK(idv_base64_from_bytes(idv_bytes(raw, n), columns, &text));
            OK(idv_base64_to_bytes(idv_view(&text),
                                   columns ? IDV_BASE64_LAX : IDV_BASE64_STRICT,
                                   &back));
            assert_true(idv_bytes_eq(idv_view(&back), idv_bytes(raw, n)));
        }
    }
}

static void base64_text(void **state)
{
    IDV_AUTO(buf) b = {0};
    (void)state;
    OK(idv_base64_from_bytes(idv_str("foobar"), 4, &b));
    assert_string_equal((char *)b.p, "Zm9v\nYmFy\n");
    idv_buf_clear(&b);
    OK(idv_base64_from_bytes(idv_str("fooba"), 5, &b));
    assert_string_equal((char *)b.p, "Zm9vY\nmE=\n");
    OK(decode("Zm9vYg==", IDV_BASE64_STRICT, &b));
    assert_string_equal((char *)b.p, "foob");
    OK(decode(" Zm9v\r\n\tYg ", IDV_BASE64_LAX, &b));
    assert_string_equal((char *)b.p, "foob");
    OK(decode("_-8", IDV_BASE64_LAX, &b));
    assert_memory_equal(b.p, "\xff\xef", 2);
    OK(decode("Zg=\n=", IDV_BASE64_LAX, &b));
    OK(decode("", IDV_BASE64_STRICT, &b));
    assert_int_equal(b.n, 0);
}

static void base64url(void **state)
{
    static const char *const never[] = {"Zg=",  "Zg==", "Z",   "Zh",  "Zm9",
                                        "Zm8=", "_+8",  "/-8", "Z g", "Zg\n"};
    uint8_t raw[200];
    IDV_AUTO(buf) b = {0};
    (void)state;
    OK(idv_buf_puts(&b, "x."));
    OK(idv_base64url_from_bytes(idv_bytes("\xff\xef", 2), &b));
    assert_string_equal((char *)b.p, "x._-8");
    OK(idv_base64url_to_bytes(idv_str("_-8"), &b));
    assert_memory_equal(b.p + 5, "\xff\xef", 2);
    for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++)
        FAILS(IDV_E_FORMAT, "base64",
              idv_base64url_to_bytes(idv_str(never[i]), &b));
    assert_int_equal(b.n, 7);
    RAND_bytes(raw, sizeof(raw));
    for (size_t n = 0; n <= sizeof(raw); n++) {
        IDV_AUTO(buf) text = {0};
        IDV_AUTO(buf) back = {0};
        OK(idv_base64url_from_bytes(idv_bytes(raw, n), &text));
        OK(idv_base64url_to_bytes(idv_view(&text), &back));
        assert_true(idv_bytes_eq(idv_view(&back), idv_bytes(raw, n)));
    }
}

static void base64_refuses(void **state)
{
    static const char *const never[] = {
        "Z",        "Zm9vY",    "Zg=",   "Zg===",    "=",
        "====",     "Zg==Zg==", "Zm9v=", "Zm9v====", "Zm9v*",
        "Zm9v\x01", "Zm9v\xc3", "Z=g=",  "=Zg=",     "BEGIN?",
    };
    static const char *const lax_only[] = {
        "Zg", "Zm8", "Zm9v\n", " Zm9v", "Zm 9v", "_-8=", "--8=", "Zh==", "Zm9=",
    };
    IDV_AUTO(buf) b = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++) {
        FAILS(IDV_E_FORMAT, "base64", decode(never[i], IDV_BASE64_STRICT, &b));
        FAILS(IDV_E_FORMAT, "base64", decode(never[i], IDV_BASE64_LAX, &b));
        assert_int_equal(b.n, 0);
    }
    for (size_t i = 0; i < sizeof(lax_only) / sizeof(*lax_only); i++) {
        FAILS(IDV_E_FORMAT, "base64",
              decode(lax_only[i], IDV_BASE64_STRICT, &b));
        OK(decode(lax_only[i], IDV_BASE64_LAX, &b));
    }
    IDV_AUTO(buf) small = {.max = 3};
    FAILS(IDV_E_LIMIT, "", decode("Zm9vYg==", IDV_BASE64_STRICT, &small));
    FAILS(IDV_E_LIMIT, "", idv_base64_from_bytes(idv_str("x"), 0, &small));
}

static void hex(void **state)
{
    IDV_AUTO(buf) t = {0};
    IDV_AUTO(buf) b = {0};
    (void)state;
    OK(idv_hex_from_bytes(idv_bytes("\x00\x7f\xff", 3), &t));
    assert_string_equal((char *)t.p, "007fff");
    OK(idv_hex_to_bytes(idv_str("007FfF"), &b));
    assert_memory_equal(b.p, "\x00\x7f\xff", 3);
    FAILS(IDV_E_FORMAT, "odd", idv_hex_to_bytes(idv_str("abc"), &b));
    FAILS(IDV_E_FORMAT, "digit", idv_hex_to_bytes(idv_str("0g"), &b));
    FAILS(IDV_E_FORMAT, "digit", idv_hex_to_bytes(idv_str(" 0"), &b));
    assert_int_equal(b.n, 3);
}

static void text_copy(void **state)
{
    char room[4];
    (void)state;
    OK(idv_text_copy(room, sizeof(room), idv_str("abc"), "x"));
    assert_string_equal(room, "abc");
    FAILS(IDV_E_LIMIT, "x: longer than 3",
          idv_text_copy(room, sizeof(room), idv_str("abcd"), "x"));
    FAILS(IDV_E_FORMAT, "NUL",
          idv_text_copy(room, sizeof(room), idv_bytes("a\0", 2), "x"));
    assert_string_equal(room, "abc");
    OK(idv_text_copy(room, sizeof(room), idv_str(NULL), "x"));
    assert_string_equal(room, "");
}

static void text_pieces(void **state)
{
    struct idv_bytes rest = idv_str("a,, b"), piece;
    char **list = NULL;
    (void)state;
    while (idv_text_next(&rest, ",", &piece))
        OK(idv_list_add(&list, idv_text_trim(piece)));
    assert_int_equal(idv_list_count(list), 3);
    assert_string_equal(list[0], "a");
    assert_string_equal(list[1], "");
    assert_string_equal(list[2], "b");
    idv_list_free(list);
    assert_int_equal(idv_list_count(NULL), 0);
    assert_true(idv_text_eq_nocase(idv_str("HTTPS"), "https"));
    assert_false(idv_text_eq_nocase(idv_str("http"), "https"));
    assert_false(idv_text_eq(idv_str("A"), "a"));
}

static void text_int(void **state)
{
    static const char *const bad[] = {
        "",
        "-",
        "+1",
        " 1",
        "1 ",
        "0x1",
        "1.0",
        "9223372036854775808",
        "-9223372036854775809",
        "--1",
    };
    int64_t v = 0;
    (void)state;
    OK(idv_text_to_int(idv_str("-9223372036854775808"), INT64_MIN, INT64_MAX,
                       "x", &v));
    assert_true(v == INT64_MIN);
    OK(idv_text_to_int(idv_str("9223372036854775807"), INT64_MIN, INT64_MAX,
                       "x", &v));
    assert_true(v == INT64_MAX);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        FAILS(IDV_E_ARG, "x: ",
              idv_text_to_int(idv_str(bad[i]), INT64_MIN, INT64_MAX, "x", &v));
    FAILS(IDV_E_ARG, "1 to 5", idv_text_to_int(idv_str("6"), 1, 5, "x", &v));
    FAILS(IDV_E_ARG, "1 to 5", idv_text_to_int(idv_str("0"), 1, 5, "x", &v));
}

static void text_printable(void **state)
{
    (void)state;
    assert_true(idv_text_printable(idv_str("a\xc3\xa9\xe2\x82\xac")));
    assert_true(idv_text_printable(idv_str("\xf0\x9f\x98\x80")));
    assert_false(idv_text_printable(idv_str("a\n")));
    assert_false(idv_text_printable(idv_str("\x7f")));
    assert_false(idv_text_printable(idv_str("\xc2\x85")));
    assert_false(idv_text_printable(idv_str("\xc0\xaf")));
    assert_false(idv_text_printable(idv_str("\xe2\x82")));
    assert_false(idv_text_printable(idv_str("\xed\xa0\x80")));
    assert_false(idv_text_printable(idv_str("\xf4\x90\x80\x80")));
    assert_false(idv_text_printable(idv_str("\xff")));
    assert_false(idv_text_printable(idv_bytes("a\0", 2)));
}

/* what no memory holds is not what a bound forbids */
static void no_memory(void **state)
{
    IDV_AUTO(buf) all = {.max = SIZE_MAX};
    IDV_AUTO(buf) some = {0};
    (void)state;
    FAILS(IDV_E_NOMEM, "memory",
          idv_base64_from_bytes(idv_bytes("x", SIZE_MAX / 4), 1, &all));
    FAILS(IDV_E_LIMIT, "more than",
          idv_base64_from_bytes(idv_bytes("x", SIZE_MAX / 4), 1, &some));
    FAILS(IDV_E_NOMEM, "memory",
          idv_hex_from_bytes(idv_bytes("x", SIZE_MAX / 2), &all));
    FAILS(IDV_E_NOMEM, "memory",
          idv_hex_to_bytes(idv_bytes("x", SIZE_MAX - 1), &all));
    FAILS(IDV_E_LIMIT, "more than",
          idv_hex_to_bytes(idv_bytes("x", SIZE_MAX - 1), &some));
    assert_int_equal(all.n, 0);
}

/* where it was goes before what it was, and never hides it */
static void notes(void **state)
{
    char deep[2 * IDV_NOTE_MAX];
    (void)state;
    FAILS(IDV_E_IO, "f:3: bad",
          (idv_fail_within(idv_fail(IDV_E_IO, "bad"), "f:%d", 3)));
    FAILS(IDV_E_LIMIT, "f: limit", idv_fail_within(IDV_E_LIMIT, "f"));
    memset(deep, 'd', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = 0;
    FAILS(IDV_E_IO, "d: bad",
          idv_fail_within(idv_fail(IDV_E_IO, "bad"), "%s", deep));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_inverse),
        cmocka_unit_test(base64_text),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(notes),
        cmocka_unit_test(base64url),
        cmocka_unit_test(base64_refuses),
        cmocka_unit_test(hex),
        cmocka_unit_test(text_copy),
        cmocka_unit_test(text_pieces),
        cmocka_unit_test(text_int),
        cmocka_unit_test(text_printable),
    };
    return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
