/* SPDX-License-Identifier: Apache-2.0 */
/* The table of curves against what libcrypto knows of each. */
#include <string.h>

#include <openssl/ec.h>
#include <openssl/objects.h>

#include "provider/curve.h"
#include "provider/pub.h"
#include "tests/lib/hwk_test.h"

static EVP_PKEY *generate(const struct hwk_curve *c)
{
    return c->type == HWK_KEY_EC ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", c->name)
                                 : EVP_PKEY_Q_keygen(NULL, NULL, c->name);
}

static void each_row(void **state)
{
    const struct hwk_curve *c;
    size_t i;

    (void)state;
    for (i = 0; (c = hwk_curve_at(i)) != NULL; i++) {
        EVP_PKEY *key = generate(c);
        unsigned char *oid = NULL;
        int n = i2d_ASN1_OBJECT(OBJ_txt2obj(c->name, 0), &oid);

        assert_non_null(key);
        assert_int_equal(n, c->oid_len);
        assert_memory_equal(oid, c->oid, c->oid_len);
        assert_int_equal(c->bits, EVP_PKEY_get_bits(key));
        assert_int_equal(c->security, EVP_PKEY_get_security_bits(key));
        assert_int_equal(c->der_sig, EVP_PKEY_get_size(key));
        assert_ptr_equal(hwk_curve_by_der(c->oid, c->oid_len), c);
        assert_ptr_equal(hwk_curve_by_name(c->name), c);
        assert_ptr_equal(hwk_curve_by_name(c->nist), c);
        OPENSSL_free(oid);
        EVP_PKEY_free(key);
    }
    assert_true(i > 40);
}

static void sizes_of_groups(void **state)
{
    const struct hwk_curve *c;
    size_t i;

    (void)state;
    for (i = 0; (c = hwk_curve_at(i)) != NULL; i++) {
        EC_GROUP *g;

        if (c->type != HWK_KEY_EC)
            continue;
        g = EC_GROUP_new_by_curve_name(OBJ_sn2nid(c->name));
        assert_non_null(g);
        assert_int_equal(c->field, (EC_GROUP_get_degree(g) + 7) / 8);
        assert_int_equal(c->order, (EC_GROUP_order_bits(g) + 7) / 8);
        assert_in_range(c->field, 20, HWK_FIELD_MAX);
        EC_GROUP_free(g);
    }
}

/* a public key of each, to params and back */
static void values_of_keys(void **state)
{
    const struct hwk_curve *c;
    size_t i;

    (void)state;
    for (i = 0; (c = hwk_curve_at(i)) != NULL; i++) {
        EVP_PKEY *key = generate(c);
        struct hwk_pub kind = {.type = c->type, .curve = c}, a, b;
        OSSL_PARAM *params = NULL;
        struct hwk_pub_params out;
        char text[64];

        assert_int_equal(EVP_PKEY_todata(key, EVP_PKEY_PUBLIC_KEY, &params), 1);
        assert_int_equal(hwk_pub_from_params(&a, &kind, params), 1);
        hwk_pub_to_params(&a, &out);
        assert_int_equal(hwk_pub_from_params(&b, &kind, out.p), 1);
        assert_true(hwk_pub_eq(&a, &b));
        b.point[b.point_len - 1] ^= 1;
        assert_false(hwk_pub_eq(&a, &b));
        assert_true(EVP_PKEY_is_a(key, hwk_pub_type_name(&a)));
        hwk_pub_describe(&a, text, sizeof(text));
        assert_non_null(strstr(text, c->nist));
        OSSL_PARAM_free(params);
        EVP_PKEY_free(key);
    }
}

static void by_bits(void **state)
{
    static const unsigned bits[] = {192, 224, 256, 384, 521};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        const struct hwk_curve *c = hwk_curve_by_bits(bits[i]);

        assert_non_null(c);
        assert_int_equal(c->bits, bits[i]);
        assert_int_equal(strncmp(c->nist, "P-", 2), 0);
    }
    assert_null(hwk_curve_by_bits(233));
    assert_null(hwk_curve_by_bits(0));
}

static void other_names(void **state)
{
    static const uint8_t printable[] = "\x13\x0c"
                                       "edwards25519";
    static const uint8_t gnu[] = {0x06, 0x09, 0x2b, 0x06, 0x01, 0x04,
                                  0x01, 0xda, 0x47, 0x0f, 0x01};
    const struct hwk_curve *ed = hwk_curve_by_name("Ed25519");

    (void)state;
    assert_int_equal(ed->type, HWK_KEY_ED);
    assert_ptr_equal(hwk_curve_by_der(printable, 14), ed);
    assert_null(hwk_curve_by_der(printable, 13));
    assert_ptr_equal(hwk_curve_by_der(gnu, sizeof(gnu)), ed);
    assert_ptr_equal(hwk_curve_by_name("curve448"), hwk_curve_by_name("x448"));
    assert_ptr_equal(hwk_curve_by_name("secp256r1"), hwk_curve_by_bits(256));
    assert_null(hwk_curve_by_name("SM2"));
    assert_null(hwk_curve_by_der(NULL, 0));
}

static void raw_keys(void **state)
{
    uint8_t bytes[57] = {9};
    struct hwk_pub pub;

    (void)state;
    assert_int_equal(hwk_pub_raw(&pub, hwk_curve_by_name("X25519"), bytes, 32),
                     1);
    assert_int_equal(pub.type, HWK_KEY_X);
    assert_int_equal(hwk_pub_raw(&pub, hwk_curve_by_name("X25519"), bytes, 31),
                     0);
    assert_int_equal(hwk_pub_raw(&pub, hwk_curve_by_name("Ed448"), bytes, 56),
                     0);
    assert_int_equal(hwk_pub_raw(&pub, hwk_curve_by_bits(256), bytes, 32), 0);
    ERR_clear_error();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row),       cmocka_unit_test(sizes_of_groups),
        cmocka_unit_test(values_of_keys), cmocka_unit_test(by_bits),
        cmocka_unit_test(other_names),    cmocka_unit_test(raw_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
