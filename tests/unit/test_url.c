/* SPDX-License-Identifier: Apache-2.0 */
/* URLs and authorities: the matrix of MASA URLs. */
#include "codec.h"

#include <idevid/codec.h>
#include <idevid/limits.h>

static void accepts(void **state)
{
    static const struct {
        const char *text, *host, *path, *out;
        uint16_t port;
    } good[] = {
        {"masa.example", "masa.example", "", "https://masa.example", 443},
        {"masa.example:9443", "masa.example", "", "https://masa.example:9443",
         9443},
        {"HTTPS://Masa.Example/", "Masa.Example", "", "https://Masa.Example",
         443},
        {"https://m/a/b//", "m", "/a/b", "https://m/a/b", 443},
        {"https://m:443/%7Ea", "m", "/%7Ea", "https://m/%7Ea", 443},
        {"192.0.2.1:65535", "192.0.2.1", "", "https://192.0.2.1:65535", 65535},
        {"[2001:db8::1]:1", "2001:db8::1", "", "https://[2001:db8::1]:1", 1},
        {"https://[::1]/x", "::1", "/x", "https://[::1]/x", 443},
        {"[::ffff:192.0.2.1]", "::ffff:192.0.2.1", "",
         "https://[::ffff:192.0.2.1]", 443},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        struct idv_url url, again;
        IDV_AUTO(buf) text = {0};
        OK(idv_url_from_text(idv_str(good[i].text), &url));
        assert_string_equal(url.host, good[i].host);
        assert_string_equal(url.path, good[i].path);
        assert_int_equal(url.port, good[i].port);
        OK(idv_url_to_text(&url, &text));
        assert_string_equal((char *)text.p, good[i].out);
        OK(idv_url_from_text(idv_view(&text), &again));
        assert_memory_equal(&url, &again, sizeof(url));
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "empty"},
        {"http://masa.example", "http is not accepted"},
        {"HTTP://masa.example", "http is not accepted"},
        {"coaps://masa.example", "scheme"},
        {"https://", "no host"},
        {"https:///x", "no host"},
        {"https:masa.example", "port"},
        {"https:/masa.example", "path"},
        {"//masa.example", "path"},
        {"masa.example/x", "path without"},
        {"https://u@masa.example", "user information"},
        {"https://u:p@masa.example", "user information"},
        {"u@masa.example", "user information"},
        {"https://m/x?y=1", "query"},
        {"https://m?x", "query"},
        {"https://m/x#y", "fragment"},
        {"m:", "port"},
        {"m:0", "port"},
        {"m:65536", "port"},
        {"m:4294967297", "port"},
        {"m:99999999999999999999999", "port"},
        {"m:-1", "port"},
        {"m: 1", "character"},
        {"m:1x", "port"},
        {"m:1:2", "port"},
        {":443", "empty"},
        {"m..n", "label"},
        {".m", "label"},
        {"m.", "dot"},
        {"m%2en", "host"},
        {"m_n!", "host"},
        {"m\xc3\xa9", "character"},
        {"m n", "character"},
        {"m\n", "character"},
        {"https://m/a b", "character"},
        {"https://m/a\"b", "path"},
        {"https://m/%zz", "path"},
        {"https://m/%4", "path"},
        {"[::1", "']'"},
        {"[]", "IPv6"},
        {"[192.0.2.1]", "IPv6"},
        {"[::g]", "IPv6"},
        {"[::1%25eth0]", "IPv6"},
        {"[::1]x", "brackets"},
        {"[::1]:", "port"},
        {"::1", "empty"},
    };
    struct idv_url url = {.port = 7};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        FAILS(IDV_E_FORMAT, bad[i].why,
              idv_url_from_text(idv_str(bad[i].text), &url));
    FAILS(IDV_E_FORMAT, "character",
          idv_url_from_text(idv_bytes("m\0n", 3), &url));
    assert_int_equal(url.port, 7);
}

static void bounds(void **state)
{
    char text[IDV_MAX_URL + 2];
    struct idv_url url;
    (void)state;
    memset(text, 'a', sizeof(text));
    FAILS(IDV_E_LIMIT, "URL",
          idv_url_from_text(idv_bytes(text, IDV_MAX_URL + 1), &url));
    FAILS(IDV_E_LIMIT, "host", idv_url_from_text(idv_bytes(text, 256), &url));
    OK(idv_url_from_text(idv_bytes(text, 255), &url));
    memcpy(text, "https://m/", 10);
    FAILS(IDV_E_LIMIT, "path",
          idv_url_from_text(idv_bytes(text, 9 + 512), &url));
    OK(idv_url_from_text(idv_bytes(text, 9 + 511), &url));
}

static void writes_whole_or_nothing(void **state)
{
    const struct idv_url url = {"host.example", 8443, "/path"};
    IDV_AUTO(buf) small = {.max = 29};
    (void)state;
    FAILS(IDV_E_LIMIT, "more than", idv_url_to_text(&url, &small));
    assert_int_equal(small.n, 0);
    small.max = 30;
    OK(idv_url_to_text(&url, &small));
    assert_string_equal((char *)small.p, "https://host.example:8443/path");
}

static void origins(void **state)
{
    struct idv_url a, b;
    (void)state;
    OK(idv_url_from_text(idv_str("https://M.example/x"), &a));
    OK(idv_url_from_text(idv_str("m.example:443"), &b));
    assert_true(idv_url_same_origin(&a, &b));
    OK(idv_url_from_text(idv_str("m.example:444"), &b));
    assert_false(idv_url_same_origin(&a, &b));
    OK(idv_url_from_text(idv_str("m.example.evil"), &b));
    assert_false(idv_url_same_origin(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts), cmocka_unit_test(refuses),
        cmocka_unit_test(bounds),  cmocka_unit_test(writes_whole_or_nothing),
        cmocka_unit_test(origins),
    };
    return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
