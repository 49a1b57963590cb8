/* SPDX-License-Identifier: Apache-2.0 */
/* URIs: every attribute, every way of being wrong. */
#include <string.h>

#include "provider/uri.h"
#include "tests/lib/hwk_test.h"

static void check_str(const struct hwk_str *s, const char *want)
{
    assert_non_null(s->p);
    assert_int_equal(s->n, strlen(want));
    assert_memory_equal(s->p, want, s->n + 1);
}

static void pkcs11_whole(void **state)
{
    struct hwk_uri u;

    (void)state;
    assert_int_equal(
        hwk_uri_parse("PKCS11:token=My%20token%3B;manufacturer=m;model=mo;"
                      "serial=01;object=a%2fb;id=%00%fF;type=private;"
                      "slot-id=7;slot-description=sd;slot-manufacturer=sm;"
                      "library-manufacturer=lm;library-description=ld;"
                      "library-version=2.6?pin-value=12%2634"
                      "&module-name=softhsm2&module-path=/x/y.so&unknown=1"
                      "&unknown=2&x-vendor&list=names",
                      &u),
        1);
    assert_int_equal(u.scheme, HWK_SCHEME_PKCS11);
    check_str(&u.token, "My token;");
    check_str(&u.manufacturer, "m");
    check_str(&u.model, "mo");
    check_str(&u.serial, "01");
    check_str(&u.object, "a/b");
    assert_int_equal(u.id.n, 2);
    assert_memory_equal(u.id.p, "\0\xff", 2);
    assert_int_equal(u.type, HWK_CLASS_PRIVATE);
    assert_true(u.has_slot_id);
    assert_int_equal(u.slot_id, 7);
    check_str(&u.slot_description, "sd");
    check_str(&u.slot_manufacturer, "sm");
    check_str(&u.library_manufacturer, "lm");
    check_str(&u.library_description, "ld");
    assert_int_equal(u.library_major, 2);
    assert_int_equal(u.library_minor, 6);
    check_str(&u.pin_value, "12&34");
    assert_true(u.list_names);
    check_str(&u.module_name, "softhsm2");
    check_str(&u.module_path, "/x/y.so");
    hwk_uri_clear(&u);
    assert_null(u.token.p);
}

static void pin_in_the_path(void **state)
{
    struct hwk_uri u, copy;
    static const char *const texts[] = {"pkcs11:object=k;pin-value=1",
                                        "pkcs11:object=k;pin-source=/f",
                                        "pkcs11:object=k?pin-source=/f"};
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++) {
        assert_int_equal(hwk_uri_parse(texts[i], &u), 1);
        check_str(i == 0 ? &u.pin_value : &u.pin_source, i == 0 ? "1" : "/f");
        assert_int_equal(hwk_uri_copy(&u, &copy), 1);
        check_str(&copy.object, "k");
        assert_null(copy.pin_value.p);
        assert_null(copy.pin_source.p);
        hwk_uri_clear(&copy);
        hwk_uri_clear(&u);
    }
}

static void parents_pin(void **state)
{
    struct hwk_uri u, copy;

    (void)state;
    assert_int_equal(hwk_uri_parse("tpm2:object=k?parent-pin-value=a%20b", &u),
                     1);
    check_str(&u.parent_pin_value, "a b");
    assert_null(u.pin_value.p);
    assert_int_equal(hwk_uri_copy(&u, &copy), 1);
    assert_null(copy.parent_pin_value.p);
    hwk_uri_clear(&copy);
    hwk_uri_clear(&u);
    assert_int_equal(hwk_uri_parse("object:k?parent-pin-source=/f", &u), 1);
    check_str(&u.parent_pin_source, "/f");
    hwk_uri_clear(&u);
    assert_int_equal(hwk_uri_parse("tpm2:object=k?parent-pin-source=/f&"
                                   "parent-pin-value=x",
                                   &u),
                     0);
}

static void tpm2_names(void **state)
{
    struct hwk_uri u;

    (void)state;
    assert_int_equal(hwk_uri_parse("tpm2:handle=0x81010001", &u), 1);
    assert_int_equal(u.scheme, HWK_SCHEME_TPM2);
    assert_int_equal(u.tpm, HWK_TPM_HANDLE);
    assert_int_equal(u.handle, 0x81010001);
    hwk_uri_clear(&u);
    assert_int_equal(hwk_uri_parse("Handle:0x81000000?pass", &u), 1);
    assert_int_equal(u.tpm, HWK_TPM_HANDLE);
    assert_true(u.ask_auth);
    hwk_uri_clear(&u);
    assert_int_equal(hwk_uri_parse("handle:81000000", &u), 1);
    assert_int_equal(u.handle, 0x81000000);
    hwk_uri_clear(&u);
    assert_int_equal(hwk_uri_parse("object:/etc/a%20key", &u), 1);
    assert_int_equal(u.tpm, HWK_TPM_OBJECT);
    check_str(&u.path, "/etc/a key");
    hwk_uri_clear(&u);
    assert_int_equal(
        hwk_uri_parse("tpm2:object=k.pem;parent=owner?pin-value=p", &u), 1);
    assert_true(u.has_parent);
    assert_int_equal(u.parent, 0x40000001);
    check_str(&u.pin_value, "p");
    hwk_uri_clear(&u);
    assert_int_equal(hwk_uri_parse("tpm2:parent=endorsement", &u), 1);
    assert_int_equal(u.tpm, 0);
    assert_int_equal(u.parent, 0x4000000b);
    hwk_uri_clear(&u);
    assert_int_equal(hwk_uri_parse("tpm2:idevid", &u), 1);
    assert_int_equal(u.tpm, HWK_TPM_IDEVID);
    hwk_uri_clear(&u);
    assert_int_equal(hwk_uri_parse("tpm2:idevid;template=H-2/keylime", &u), 1);
    check_str(&u.template, "H-2/keylime");
    hwk_uri_clear(&u);
    assert_int_equal(hwk_uri_parse("tpm2:iak?pin-source=/p", &u), 1);
    assert_int_equal(u.tpm, HWK_TPM_IAK);
    hwk_uri_clear(&u);
}

static const struct {
    const char *uri, *says;
} wrong[] = {
    {"http://x", "no scheme"},
    {"pkcs11", "no scheme"},
    {"pkcs11:token", "token: has no value"},
    {"pkcs11:colour=blue", "colour: is no attribute"},
    {"pkcs11:token=a;token=b", "token: is given twice"},
    {"pkcs11:pin-value=1?pin-value=2", "pin-value: is given twice"},
    {"pkcs11:token=a;", "nothing after it"},
    {"pkcs11:;token=a", "empty attribute"},
    {"pkcs11:object=%4", "object: '%' without"},
    {"pkcs11:object=%zz", "object: '%' without"},
    {"pkcs11:object=a b", "object: has a character"},
    {"pkcs11:object=a#b", "object: has a character"},
    {"pkcs11:token=%00", "token: has a NUL"},
    {"pkcs11:type=key", "type: is none of"},
    {"pkcs11:slot-id=1x", "slot-id: is not a number"},
    {"pkcs11:slot-id=", "slot-id: is empty"},
    {"pkcs11:slot-id=99999999999999999999", "slot-id: is too large"},
    {"pkcs11:library-version=1.", "library-version: is empty"},
    {"pkcs11:library-version=1.256", "library-version: is too large"},
    {"pkcs11:?token=x;", NULL},
    {"pkcs11:", NULL},
    {"pkcs11:token=;serial=;id=;object=", NULL},
    {"pkcs11:object=a%00", NULL},
    {"pkcs11:x-colour=blue", "x-colour: is no attribute"},
    {"pkcs11:?x-colour=%zz", "x-colour: '%' without"},
    {"pkcs11:?list=keys", "list: is not names"},
    {"pkcs11:list=names", "list: is no attribute"},
    {"pkcs11:module-path=/x", "module-path: is no attribute"},
    {"pkcs11:?module-path=x/y.so", "module-path: is not absolute"},
    {"pkcs11:?module-path=", "module-path: is not absolute"},
    {"pkcs11:?module-name=a&module-name=b", "module-name: is given twice"},
    {"pkcs11:?pin-value=1&pin-source=/f", "pin-source: is given besides"},
    {"pkcs11:token=123456789012345678901234567890123", "token: is longer"},
    {"pkcs11:serial=12345678901234567", "serial: is longer"},
    {"pkcs11:model=12345678901234567", "model: is longer"},
    {"pkcs11:slot-id=18446744073709551615", NULL},
    {"pkcs11:slot-id=18446744073709551616", "slot-id: is too large"},
    {"pkcs11:library-version=.1", "library-version: is empty"},
    {"pkcs11:token=M\xc3\xbcller", "token: has a character"},
    {"pkcs11:token=M%C3%BCller", NULL},
    {"pkcs11:type=Private", "type: is none of"},
    {"file:/etc/key.pem", "no scheme"},
    {"tpm2:;parent=owner", "empty attribute"},
    {"tpm2:pin-value=1", "none of handle="},
    {"tpm2:", NULL},
    {"tpm2:handle=", "handle: is empty"},
    {"tpm2:handle=0x1ffffffff", "handle: is too large"},
    {"tpm2:handle=0xg", "handle: is not a number"},
    {"tpm2:idevid;handle=0x81", "names more than one"},
    {"tpm2:object=", "object: is empty"},
    {"tpm2:handle=0x81000001;template=H-2", "template: is of idevid"},
    {"handle:", "handle: is empty"},
    {"object:", "object: is empty"},
};

static void refusals(void **state)
{
    struct hwk_uri u;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const char *data = "";
        int flags, want = wrong[i].says == NULL;
        unsigned long e;

        if (hwk_uri_parse(wrong[i].uri, &u) != want)
            fail_msg("%s", wrong[i].uri);
        e = ERR_peek_last_error_data(&data, &flags);
        if (!want) {
            assert_int_equal(ERR_GET_REASON(e), HWK_R_BAD_URI);
            if (strstr(data, wrong[i].says) == NULL)
                fail_msg("%s: '%s'", wrong[i].uri, data);
            assert_null(u.token.p);
        }
        ERR_clear_error();
        hwk_uri_clear(&u);
    }
}

static void too_long(void **state)
{
    char text[HWK_URI_MAX + 32] = "pkcs11:object=";
    struct hwk_uri u;

    (void)state;
    memset(text + strlen(text), 'x', HWK_URI_MAX);
    assert_int_equal(hwk_uri_parse(text, &u), 0);
    assert_int_equal(hwk_reason(), HWK_R_BAD_URI);
}

static void put_and_parse(void **state)
{
    char text[256] = "pkcs11:", small[20] = "pkcs11:";
    uint8_t all[32];
    struct hwk_uri u;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(all); i++)
        all[i] = (uint8_t)(i * 8 + 1);
    assert_int_equal(
        hwk_uri_put(text, sizeof(text), "token", "a;b?c d/%:", 10, false), 1);
    assert_int_equal(
        hwk_uri_put(text, sizeof(text), "id", all, sizeof(all), true), 1);
    assert_int_equal(hwk_uri_parse(text, &u), 1);
    check_str(&u.token, "a;b?c d/%:");
    assert_int_equal(u.id.n, sizeof(all));
    assert_memory_equal(u.id.p, all, sizeof(all));
    hwk_uri_clear(&u);
    assert_int_equal(
        hwk_uri_put(small, sizeof(small), "token", "abcdefgh", 8, false), 0);
    assert_string_equal(small, "pkcs11:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pkcs11_whole),  cmocka_unit_test(pin_in_the_path),
        cmocka_unit_test(parents_pin),   cmocka_unit_test(tpm2_names),
        cmocka_unit_test(refusals),      cmocka_unit_test(too_long),
        cmocka_unit_test(put_and_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
