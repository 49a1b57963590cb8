/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: what is refused, what is read, what is written. */
#include "codec.h"

#include <idevid/json.h>
#include <idevid/limits.h>

static idv_rc parse(const char *text, struct idv_json **out)
{
    return idv_json_parse(idv_str(text), 0, out);
}

/* R-S-16 */
static void refuses(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "{}x",
        "{} {}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":{\"b\":1,\"b\":1}}",
        "{a:1}",
        "{'a':1}",
        "[1,]",
        "[01]",
        "[1e999]",
        "[-1e999]",
        "[99999999999999999999]",
        "[NaN]",
        "[Infinity]",
        "\"\\u0000\"",
        "{\"a\\u0000b\":1}",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\\ud800\"",
        "\"a\nb\"",
        "nul",
        "\xef\xbb\xbf{}",
        "// no\n{}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct idv_json *v = NULL;
        FAILS(IDV_E_FORMAT, "JSON", parse(bad[i], &v));
        assert_null(v);
    }
    struct idv_json *v = NULL;
    static const char nul[] = "{\"a\":\"b\0c\"}";
    FAILS(IDV_E_FORMAT, "JSON",
          idv_json_parse(idv_bytes(nul, sizeof(nul) - 1), 0, &v));
    FAILS(IDV_E_FORMAT, "JSON", idv_json_parse(idv_bytes("{}\0", 3), 0, &v));
}

static void nested(char *text, size_t depth, const char *open, char close)
{
    text[0] = 0;
    for (size_t i = 0; i < depth; i++)
        strcat(text, open);
    const size_t n = strlen(text);
    memset(text + n, close, depth);
    text[n + depth] = 0;
}

/* R-P-94 */
static void bounds(void **state)
{
    (void)state;
    static char text[IDV_MAX_BODY + 2];
    struct idv_json *v = NULL;
    nested(text, IDV_MAX_JSON_DEPTH, "[", ']');
    OK(parse(text, &v));
    idv_json_free(v);
    nested(text, IDV_MAX_JSON_DEPTH + 1, "[", ']');
    FAILS(IDV_E_LIMIT, "nested", parse(text, &v));
    memset(text, '[', sizeof(text) - 1);
    text[IDV_MAX_BODY] = 0;
    FAILS(IDV_E_LIMIT, "nested", parse(text, &v));
    /* brackets in a string are no nesting */
    OK(parse("\"[[[[[[[[[[[[[[[[[[[[[\\\"[[[[\"", &v));
    idv_json_free(v);
    memset(text, ' ', sizeof(text) - 1);
    text[0] = '1';
    text[IDV_MAX_BODY] = 0;
    OK(parse(text, &v));
    idv_json_free(v);
    text[IDV_MAX_BODY] = ' ';
    FAILS(IDV_E_LIMIT, "bytes", parse(text, &v));
    FAILS(IDV_E_LIMIT, "2 bytes", idv_json_parse(idv_str("123"), 2, &v));
}

static void getters(void **state)
{
    (void)state;
    struct idv_json *v = NULL;
    int64_t n = 7;
    bool b = true;
    const char *name;
    OK(parse("{\"t\":\"x\\/y\",\"i\":-5,\"b\":false,\"z\":null,"
             "\"r\":1.0,\"l\":[1,\"2\"]}",
             &v));
    assert_int_equal(idv_json_type(v), IDV_JSON_OBJECT);
    assert_int_equal(idv_json_count(v), 6);
    assert_string_equal(idv_json_text(idv_json_get(v, "t")), "x/y");
    OK(idv_json_int(idv_json_get(v, "i"), "i", &n));
    assert_int_equal(n, -5);
    OK(idv_json_bool(idv_json_get(v, "b"), "b", &b));
    assert_false(b);
    FAILS(IDV_E_FORMAT, "what", idv_json_int(idv_json_get(v, "r"), "what", &n));
    FAILS(IDV_E_FORMAT, "t:", idv_json_int(idv_json_get(v, "t"), "t", &n));
    FAILS(IDV_E_FORMAT, "i:", idv_json_bool(idv_json_get(v, "i"), "i", &b));
    FAILS(IDV_E_FORMAT, "no:", idv_json_bool(idv_json_get(v, "no"), "no", &b));
    FAILS(IDV_E_FORMAT, "no:", idv_json_int(NULL, "no", &n));
    assert_int_equal(idv_json_type(idv_json_get(v, "z")), IDV_JSON_NULL);
    assert_int_equal(idv_json_type(idv_json_get(v, "r")), IDV_JSON_REAL);
    const struct idv_json *l = idv_json_get(v, "l");
    assert_int_equal(idv_json_count(l), 2);
    assert_string_equal(idv_json_text(idv_json_at(l, 1, &name)), "2");
    assert_null(name);
    assert_null(idv_json_at(l, 2, NULL));
    idv_json_at(v, 2, &name);
    assert_string_equal(name, "b");
    assert_null(idv_json_at(v, 6, &name));
    assert_null(idv_json_get(l, "t"));
    assert_null(idv_json_get(NULL, "t"));
    assert_null(idv_json_text(l));
    assert_null(idv_json_text(NULL));
    assert_int_equal(idv_json_count(NULL), 0);
    assert_null(idv_json_at(NULL, 0, NULL));
    idv_json_free(v);
}

static void writes(void **state)
{
    (void)state;
    struct idv_json *v = idv_json_new_object(), *back = NULL;
    struct idv_json *l = idv_json_new_array();
    IDV_AUTO(buf) text = {0};
    OK(idv_json_set(v, "z", idv_json_new_text(idv_str("q\"\xc3\xa9"))));
    OK(idv_json_set(v, "a", idv_json_new_base64(idv_bytes("\xff\xfe", 2))));
    OK(idv_json_append(l, idv_json_new_int(INT64_MIN)));
    OK(idv_json_append(l, idv_json_new_bool(true)));
    OK(idv_json_append(l, idv_json_new_null()));
    OK(idv_json_set(v, "l", l));
    OK(idv_json_dump(v, false, &text));
    assert_string_equal((char *)text.p,
                        "{\"z\":\"q\\\"\xc3\xa9\",\"a\":\"//4=\","
                        "\"l\":[-9223372036854775808,true,null]}");
    OK(idv_json_parse(idv_view(&text), 0, &back));
    IDV_AUTO(buf) again = {0};
    OK(idv_json_dump(back, false, &again));
    assert_true(idv_bytes_eq(idv_view(&text), idv_view(&again)));
    idv_buf_clear(&again);
    OK(idv_json_dump(idv_json_get(back, "l"), true, &again));
    assert_string_equal((char *)again.p,
                        "[\n  -9223372036854775808,\n  true,\n  null\n]\n");
    idv_json_free(back);
    idv_json_free(v);
}

static void writing_fails(void **state)
{
    (void)state;
    struct idv_json *v = idv_json_new_object();
    IDV_AUTO(buf) text = {.max = 4};
    FAILS(IDV_E_NOMEM, "not UTF-8",
          idv_json_set(v, "n", idv_json_new_text(idv_bytes("\xff", 1))));
    FAILS(IDV_E_NOMEM, "U+0000",
          idv_json_append(v, idv_json_new_text(idv_bytes("a\0b", 3))));
    FAILS(IDV_E_NOMEM, "'n'", idv_json_set(v, "n", NULL));
    FAILS(IDV_E_NOMEM, "element", idv_json_append(v, NULL));
    FAILS(IDV_E_ARG, "element", idv_json_append(v, idv_json_new_int(1)));
    OK(idv_json_set(v, "n", idv_json_new_int(1)));
    FAILS(IDV_E_LIMIT, "buffer", idv_json_dump(v, false, &text));
    assert_int_equal(text.n, 0);
    idv_json_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),       cmocka_unit_test(bounds),
        cmocka_unit_test(getters),       cmocka_unit_test(writes),
        cmocka_unit_test(writing_fails),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
