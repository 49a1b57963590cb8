/* SPDX-License-Identifier: Apache-2.0 */
/* What is to last in a real SoftHSM2 behind a shim: objects that nobody can
 * change or erase, and what its security officer writes. */
#include "config.h"

#include "tests/unit/shim_use.h"

#define SO "?pin-value=5678"
#define DATA(name) TOKEN ";object=" name ";type=data"

static const uint8_t value[] = "for ever";

static struct hwk_device *open_device(const char *uri,
                                      const struct hwk_device_ops **ops)
{
    struct hwk_device *dev = NULL;
    void *ctx;

    *ops = world_ops(&w, &ctx);
    assert_int_equal((*ops)->open(ctx, uri, NULL, &dev), 1);
    return dev;
}

static struct hwk_object_info info_of(const struct hwk_device_ops *ops,
                                      struct hwk_device *dev, const char *uri)
{
    struct hwk_object_info info;
    uint8_t back[64];
    size_t n = sizeof(back);

    assert_int_equal(ops->read(dev, uri, back, &n, &info), 1);
    assert_int_equal(n, sizeof(value));
    assert_memory_equal(back, value, n);
    return info;
}

static void kept_objects_stay(void **state)
{
    const struct hwk_device_ops *ops;
    struct hwk_object_info info;
    struct hwk_device *dev;

    NEED_TOKEN();
    dev = open_device(TOKEN PIN, &ops);
    assert_int_equal(
        ops->write(dev, DATA("kept"), value, sizeof(value),
                   HWK_WRITE_NEW | HWK_WRITE_LOCK | HWK_WRITE_KEEP),
        1);
    info = info_of(ops, dev, DATA("kept"));
    assert_true(info.kept && info.write_locked);
    assert_false(info.hidden || info.fleeting);
    assert_int_equal(ops->erase(dev, DATA("kept")), 0);
    assert_int_equal(hwk_reason(), HWK_R_PKCS11);
    info_of(ops, dev, DATA("kept"));
    assert_int_equal(ops->write(dev, DATA("plain"), value, sizeof(value), 0),
                     1);
    info = info_of(ops, dev, DATA("plain"));
    assert_false(info.kept || info.write_locked || info.hidden ||
                 info.fleeting);
    assert_int_equal(ops->erase(dev, DATA("plain")), 1);
    assert_int_equal(ERR_peek_error(), 0);
    ops->close(dev);
}

/* tokens older than 2.40 do not know the attribute */
static void kept_only_where_known(void **state)
{
    const struct hwk_device_ops *ops;
    struct hwk_device *dev;

    NEED_TOKEN();
    dev = open_device(TOKEN PIN, &ops);
    shim->not_destroyable = 1;
    assert_int_equal(ops->write(dev, DATA("old"), value, sizeof(value),
                                HWK_WRITE_NEW | HWK_WRITE_KEEP),
                     1);
    assert_false(info_of(ops, dev, DATA("old")).kept);
    shim->not_destroyable = 0;
    assert_int_equal(ops->erase(dev, DATA("old")), 1);
    assert_int_equal(ERR_peek_error(), 0);
    ops->close(dev);
}

static CK_SESSION_HANDLE raw_session(CK_FUNCTION_LIST **f)
{
    CK_C_GetFunctionList get;
    CK_SLOT_ID slots[8];
    CK_ULONG n = 8, i;
    CK_TOKEN_INFO t;
    CK_SESSION_HANDLE s = 0;

    *(void **)(void *)&get =
        dlsym(dlopen(shim_path(), RTLD_NOW), "C_GetFunctionList");
    assert_int_equal(get(f), CKR_OK);
    assert_int_equal((*f)->C_GetSlotList(CK_TRUE, slots, &n), CKR_OK);
    for (i = 0; i < n; i++)
        if ((*f)->C_GetTokenInfo(slots[i], &t) == CKR_OK &&
            memcmp(t.label, "hwkey ", 6) == 0)
            assert_int_equal((*f)->C_OpenSession(slots[i], CKF_SERIAL_SESSION,
                                                 NULL, NULL, &s),
                             CKR_OK);
    return s;
}

/* made by others: it says what it is */
static void others_are_seen_through(void **state)
{
    static CK_BBOOL no = CK_FALSE;
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE a[] = {{CKA_CLASS, &class, sizeof(class)},
                        {CKA_TOKEN, &no, 1},
                        {CKA_PRIVATE, &no, 1},
                        {CKA_LABEL, (char[]){"brief"}, 5},
                        {CKA_VALUE, (void *)(uintptr_t)value, sizeof(value)}};
    const struct hwk_device_ops *ops;
    struct hwk_object_info info;
    struct hwk_device *dev;
    CK_FUNCTION_LIST *f;
    CK_SESSION_HANDLE s;
    CK_OBJECT_HANDLE h;

    NEED_TOKEN();
    dev = open_device(TOKEN PIN, &ops);
    s = raw_session(&f);
    assert_int_equal(f->C_CreateObject(s, a, 5, &h), CKR_OK);
    info = info_of(ops, dev, DATA("brief"));
    assert_true(info.fleeting);
    assert_false(info.kept || info.hidden || info.write_locked);
    f->C_CloseSession(s);
    ops->close(dev);
}

static void written_by_the_officer(void **state)
{
    const struct hwk_device_ops *ops;
    struct hwk_device *dev;
    EVP_PKEY *key;

    NEED_TOKEN();
    dev = open_device(TOKEN SO, &ops);
    assert_int_equal(ops->write(dev, DATA("so"), value, sizeof(value),
                                HWK_WRITE_NEW | HWK_WRITE_LOCK | HWK_WRITE_SO),
                     1);
    assert_true(info_of(ops, dev, DATA("so")).write_locked);
    ops->close(dev);
    /* and the user logs in as before, also one who was in already */
    key = make_key(&w, "EC", "P-256", 0, TOKEN ";object=k" PIN);
    assert_int_equal(sign_verify(&w, key, "SHA256", NO_PSS), 1);
    dev = open_device(TOKEN SO, &ops);
    assert_int_equal(ops->write(dev, DATA("so2"), value, sizeof(value),
                                HWK_WRITE_NEW | HWK_WRITE_SO),
                     1);
    ops->close(dev);
    assert_int_equal(sign_verify(&w, key, "SHA256", NO_PSS), 1);
    EVP_PKEY_free(key);
    dev = open_device(TOKEN PIN, &ops);
    assert_int_equal(ops->erase(dev, DATA("so")), 1); /* a user may */
    ops->close(dev);
    assert_int_equal(ERR_peek_error(), 0);
}

static void officer_refused(void **state)
{
    const struct hwk_device_ops *ops;
    struct hwk_device *dev;
    CK_FUNCTION_LIST *f;
    CK_SESSION_HANDLE s;

    NEED_TOKEN();
    dev = open_device(TOKEN "?pin-value=8765", &ops);
    assert_int_equal(
        ops->write(dev, DATA("no"), value, sizeof(value), HWK_WRITE_SO), 0);
    assert_int_equal(hwk_reason(), HWK_R_PIN_INCORRECT);
    assert_int_equal(
        ops->write(dev, DATA("no"), value, sizeof(value), HWK_WRITE_SO), 0);
    assert_int_equal(hwk_reason(), HWK_R_PIN_INCORRECT);
    assert_int_equal(shim->officer, 1); /* not tried twice */
    ops->close(dev);
    dev = open_device(TOKEN SO, &ops);
    s = raw_session(&f); /* somebody else reads */
    assert_int_equal(
        ops->write(dev, DATA("no"), value, sizeof(value), HWK_WRITE_SO), 0);
    assert_int_equal(hwk_reason(), HWK_R_PKCS11);
    f->C_CloseSession(s);
    assert_int_equal(
        ops->write(dev, DATA("yes"), value, sizeof(value), HWK_WRITE_SO), 1);
    ops->close(dev);
}

/* with a PIN at hand, too */
static void nobody_logs_in_to_look(void **state)
{
    const struct hwk_device_ops *ops;
    struct hwk_object_info info;
    struct hwk_device *dev;
    uint8_t back[64];
    size_t n = sizeof(back);

    NEED_TOKEN();
    dev = open_device("pkcs11:token=other" PIN, &ops);
    assert_int_equal(ops->read(dev, "pkcs11:token=other;object=none;type=data",
                               back, &n, &info),
                     0);
    assert_int_equal(hwk_reason(), HWK_R_NOT_FOUND);
    assert_int_equal(shim->login, 0);
    assert_int_equal(ops->read(dev, "pkcs11:token=other;object=none;type=data",
                               back, &n, NULL),
                     0);
    assert_int_equal(hwk_reason(), HWK_R_NOT_FOUND);
    assert_int_equal(shim->login, 1); /* it might be a private one */
    ops->close(dev);
}

/* SoftHSM2 has none, and says so without an error of another kind */
static void no_counter(void **state)
{
    const struct hwk_device_ops *ops;
    struct hwk_device *dev;
    uint64_t v = 7;
    bool reset;

    NEED_TOKEN();
    dev = open_device(TOKEN, &ops);
    assert_int_equal(ops->count(dev, &v, &reset), 0);
    assert_int_equal(hwk_reason(), HWK_R_NOT_FOUND);
    assert_int_equal(v, 7);
    ops->close(dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(kept_objects_stay, each),
        cmocka_unit_test_setup(kept_only_where_known, each),
        cmocka_unit_test_setup(others_are_seen_through, each),
        cmocka_unit_test_setup(written_by_the_officer, each),
        cmocka_unit_test_setup(officer_refused, each),
        cmocka_unit_test_setup(nobody_logs_in_to_look, each),
        cmocka_unit_test_setup(no_counter, each),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
