/* SPDX-License-Identifier: Apache-2.0 */
/* What a token, its module or its user does to a key that is in use: the next
 * operation with the same key succeeds, or says clearly why not. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/soft_token.h"

#define TOKEN "pkcs11:token=soft"
#define PIN "?pin-value=1234"

static EVP_PKEY *ec, *ec2, *rsa;

static int begin(void **state)
{
    if (soft_begin(state) != 0)
        return -1;
    tell("slot 1 label=soft");
    tell("slot 2 label=two pin=2222");
    tell("slot 3 empty");
    /* more than one of a kind: handles that change hands must be noticed */
    ec = soft_make("P-256", TOKEN ";id=%01;object=ec" PIN);
    ec2 = soft_make("P-256", TOKEN ";id=%02;object=ec2" PIN);
    rsa = soft_make("RSA", TOKEN ";id=%03;object=rsa" PIN);
    return 0;
}

static int end(void **state)
{
    EVP_PKEY_free(ec);
    EVP_PKEY_free(ec2);
    EVP_PKEY_free(rsa);
    return soft_end(state);
}

static void all_sign(void)
{
    assert_true(soft_signs(ec));
    assert_true(soft_signs(ec2));
    assert_true(soft_signs(rsa));
}

/* --- before a call --- */

static void next_one_succeeds(void **state)
{
    static const char *const events[] = {
        "do sessions", "do logout",   "do restart",
        "do finalize", "do remove=1", /* and insert=1 */
    };
    size_t i;

    (void)state;
    all_sign();
    for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        tell("forget");
        tell("%s", events[i]);
        if (strstr(events[i], "remove") != NULL)
            tell("do insert=1");
        assert_true(soft_signs(ec));
        assert_int_equal(soft->calls("C_Login"), 1);
        all_sign();
        assert_int_equal(soft->calls("C_Login"), 1);
    }
}

/* the handle of before is now that of another key of the same kind */
static void never_by_the_old_handle(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 4; i++) {
        tell("do restart");
        assert_true(soft_signs(ec2));
        assert_true(soft_signs(ec));
    }
}

/* --- within an operation --- */

static void in_the_middle(void **state)
{
    static const char *const calls[] = {
        "C_SignInit",          "C_Sign",
        "C_OpenSession",       "C_Login",
        "C_FindObjectsInit",   "C_FindObjects",
        "C_GetAttributeValue", "C_GetTokenInfo"};
    static const char *const events[] = {"sessions", "logout", "restart",
                                         "finalize"};
    size_t i, j;

    (void)state;
    for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        for (j = 0; j < sizeof(events) / sizeof(events[0]); j++) {
            tell("forget");
            all_sign();
            if (i >= 2) /* these come when something was lost before */
                tell("do sessions");
            tell("on %s %s", calls[i], events[j]);
            ERR_clear_error();
            /* two losses within one operation are too many, one is not */
            if (!soft_signs(ec))
                assert_true(i >= 2);
            ERR_clear_error();
            all_sign();
        }
}

/* --- what cannot succeed, and does later --- */

static void token_away(void **state)
{
    int i;

    (void)state;
    all_sign();
    tell("forget");
    tell("do remove=1");
    for (i = 0; i < 3; i++) {
        assert_false(soft_signs(ec));
        assert_int_equal(hwk_reason(), HWK_R_NO_DEVICE);
    }
    assert_int_equal(soft->calls("C_Login"), 0);
    assert_null(
        open_key(&soft_w, TOKEN ";object=ec" PIN, OSSL_STORE_INFO_PKEY, NULL));
    assert_int_equal(hwk_reason(), HWK_R_NO_DEVICE);
    tell("do insert=1");
    all_sign();
    assert_int_equal(soft->calls("C_Login"), 1);
}

static void module_away(void **state)
{
    (void)state;
    tell("do finalize");
    tell("on C_Initialize times=2 rv=0x5");
    assert_false(soft_signs(ec));
    assert_int_equal(hwk_reason(), HWK_R_PKCS11);
    assert_false(soft_signs(rsa));
    assert_int_equal(hwk_reason(), HWK_R_PKCS11);
    all_sign();
}

static void key_away(void **state)
{
    EVP_PKEY *key = soft_make("P-256", TOKEN ";id=%09;object=gone" PIN);
    const struct hwk_device_ops *ops;
    struct hwk_device *dev;
    void *ctx;

    (void)state;
    ops = world_ops(&soft_w, &ctx);
    assert_int_equal(ops->open(ctx, TOKEN PIN, NULL, &dev), 1);
    assert_int_equal(ops->erase(dev, TOKEN ";id=%09;type=private"), 1);
    tell("do restart");
    assert_false(soft_signs(key));
    assert_int_equal(hwk_reason(), HWK_R_NOT_FOUND);
    all_sign();
    ops->close(dev);
    EVP_PKEY_free(key);
}

/* --- PINs --- */

static void pin_was_changed(void **state)
{
    EVP_PKEY *again;
    int i;

    (void)state;
    all_sign();
    tell("forget");
    tell("slot 1 pin=9876");
    tell("do logout");
    for (i = 0; i < 4; i++) {
        assert_false(soft_signs(ec));
        assert_int_equal(hwk_reason(), HWK_R_PIN_INCORRECT);
        assert_int_equal(soft->calls("C_Login"), 1); /* of three tries */
    }
    again = soft_key(TOKEN ";object=ec?pin-value=9876");
    assert_int_equal(soft->calls("C_Login"), 2);
    all_sign(); /* the keys of before, too */
    assert_int_equal(soft->calls("C_Login"), 2);
    EVP_PKEY_free(again);
}

/* slots that were renumbered: the PIN of one token never goes to another */
static void renumbered(void **state)
{
    EVP_PKEY *two =
        soft_make("P-256", "pkcs11:token=two;object=k?pin-value=2222");
    CK_TOKEN_INFO info;
    CK_SLOT_ID id;

    (void)state;
    all_sign();
    tell("do move");
    tell("do restart");
    assert_true(soft_signs(two));
    all_sign();
    tell("do move");
    tell("do sessions");
    all_sign();
    assert_true(soft_signs(two));
    tell("do move");
    tell("do finalize");
    assert_true(soft_signs(two));
    all_sign();
    tell("do move");
    for (id = 1; id <= 2; id++) {
        assert_int_equal(soft_f->C_GetTokenInfo(id, &info), CKR_OK);
        assert_int_equal(info.flags & CKF_USER_PIN_COUNT_LOW, 0);
    }
    EVP_PKEY_free(two);
}

static void keypad(void **state)
{
    EVP_PKEY *key;

    (void)state;
    tell("slot 4 label=pad protected");
    key = soft_make("P-256", "pkcs11:token=pad;object=k");
    assert_int_equal(prompts, 0);
    assert_true(soft_signs(key));
    tell("forget");
    tell("do restart");
    assert_true(soft_signs(key));
    assert_int_equal(soft->calls("C_Login"), 1);
    EVP_PKEY_free(key);
}

/* --- the end and another beginning --- */

static void unload_after(void **state)
{
    static const char *const events[] = {"do restart", "do finalize",
                                         "do sessions", "do remove=1"};
    struct world other;
    EVP_PKEY *key;
    size_t i;

    (void)state;
    EVP_PKEY_free(ec);
    EVP_PKEY_free(ec2);
    EVP_PKEY_free(rsa);
    ec = ec2 = rsa = NULL;
    for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        key = soft_key(TOKEN ";object=ec?pin-value=9876");
        assert_true(soft_signs(key));
        tell("%s", events[i]);
        EVP_PKEY_free(key);
        world_close(&soft_w);
        tell("do insert=1");
        assert_true(world_open(&soft_w, "dh"));
        key = soft_key(TOKEN ";object=ec?pin-value=9876");
        assert_true(soft_signs(key));
        tell("%s", events[i]);
        tell("do insert=1");
        assert_true(soft_signs(key)); /* and used once more before the end */
        EVP_PKEY_free(key);
        world_close(&soft_w);
        assert_true(world_open(&soft_w, "dh"));
    }
    assert_true(world_open(&other, "dh"));
    world_close(&other);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup(fn, soft_each)
    const struct CMUnitTest tests[] = {
        T(next_one_succeeds), T(never_by_the_old_handle),
        T(in_the_middle),     T(token_away),
        T(module_away),       T(key_away),
        T(renumbered),        T(keypad),
        T(pin_was_changed),   T(unload_after),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
