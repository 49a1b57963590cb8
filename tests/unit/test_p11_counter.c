/* SPDX-License-Identifier: Apache-2.0 */
/* The monotonic counter that a token may have. */
#include "tests/lib/soft_token.h"

static struct hwk_device *dev;
static const struct hwk_device_ops *ops;

static int begin(void **state)
{
    void *ctx;

    if (soft_begin(state) != 0)
        return -1;
    ops = world_ops(&soft_w, &ctx);
    return ops->open(ctx, "pkcs11:token=soft", NULL, &dev) == 1 ? 0 : -1;
}

static int end(void **state)
{
    ops->close(dev);
    return soft_end(state);
}

static void goes_on(void **state)
{
    uint64_t a = 0, b = 0;
    bool reset = true;

    (void)state;
    assert_int_equal(ops->count(dev, &a, &reset), 0);
    assert_int_equal(hwk_reason(), HWK_R_NOT_FOUND);
    tell("slot 1 counter=0x1122334455");
    assert_int_equal(ops->count(dev, &a, &reset), 1);
    assert_int_equal(ops->count(dev, &b, &reset), 1);
    assert_true(a > 0x1122334455 && b > a);
    assert_false(reset);
    assert_int_equal(ERR_peek_error(), 0);
}

/* it is nobody's object: a list of all does not have it */
static int none(void *arg, const struct hwk_object_info *o)
{
    (void)arg, (void)o;
    fail();
    return 0;
}

static void is_no_object(void **state)
{
    (void)state;
    tell("slot 1 counter=5");
    assert_int_equal(ops->list(dev, none, NULL), 1);
}

static void failures(void **state)
{
    static const char *const calls[] = {"C_FindObjectsInit", "C_FindObjects",
                                        "C_GetAttributeValue"};
    uint64_t v = 7;
    bool reset;
    size_t i;

    (void)state;
    tell("slot 1 counter=5");
    for (i = 0; i < 3; i++) {
        tell("on %s rv=0x30", calls[i]); /* CKR_DEVICE_ERROR */
        assert_int_equal(ops->count(dev, &v, &reset), 0);
        assert_int_equal(hwk_reason(), HWK_R_PKCS11);
        assert_int_equal(v, 7);
        tell("forget");
    }
    tell("on C_FindObjectsInit rv=0x12"); /* ATTRIBUTE_TYPE_INVALID */
    assert_int_equal(ops->count(dev, &v, &reset), 0);
    assert_int_equal(hwk_reason(), HWK_R_NOT_FOUND);
    assert_int_equal(ops->count(dev, &v, &reset), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(goes_on, soft_each),
        cmocka_unit_test_setup(is_no_object, soft_each),
        cmocka_unit_test_setup(failures, soft_each),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
