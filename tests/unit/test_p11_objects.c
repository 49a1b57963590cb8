/* SPDX-License-Identifier: Apache-2.0 */
/* What else a real SoftHSM2 behind a shim holds: certificates, data, and the
 * list of all of it. */
#include "config.h"

#include <openssl/x509.h>

#include "tests/unit/shim_use.h"

static int begin_with_keys(void **state)
{
    EVP_PKEY *ec, *rsa;

    if (begin(state) != 0)
        return -1;
    if (shim == NULL)
        return 0;
    ec = make_key(&w, "EC", "P-256", 0, TOKEN ";object=ec" PIN);
    rsa = make_key(&w, "RSA", NULL, 2048, TOKEN ";object=rsa" PIN);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
    return ec != NULL && rsa != NULL ? 0 : -1;
}

static size_t cert_der(uint8_t *out, size_t max)
{
    EVP_PKEY *key = key_at(TOKEN ";object=ec" PIN);
    X509 *x = self_cert(&w, key);
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der);

    assert_true(n > 0 && (size_t)n <= max);
    memcpy(out, der, (size_t)n);
    OPENSSL_free(der);
    X509_free(x);
    EVP_PKEY_free(key);
    return (size_t)n;
}

static void certificates(void **state)
{
    const struct hwk_device_ops *ops;
    const char *uri = TOKEN ";object=ec;id=%01;type=cert";
    struct hwk_object_info info;
    struct hwk_device *dev;
    uint8_t der[2048], back[2048];
    size_t n, m = sizeof(back);
    void *ctx;
    X509 *x;

    NEED_TOKEN();
    n = cert_der(der, sizeof(der));
    ops = world_ops(&w, &ctx);
    assert_int_equal(ops->open(ctx, TOKEN PIN, NULL, &dev), 1);
    assert_int_equal(ops->read(dev, uri, back, &m, NULL), 0);
    assert_int_equal(hwk_reason(), HWK_R_NOT_FOUND);
    assert_int_equal(ops->write(dev, uri, der, n, HWK_WRITE_NEW), 1);
    m = 0;
    assert_int_equal(ops->read(dev, uri, NULL, &m, NULL), 1);
    assert_int_equal(m, n);
    assert_int_equal(ops->read(dev, uri, back, &m, &info), 1);
    assert_memory_equal(der, back, n);
    assert_int_equal(info.type, HWK_OBJ_CERT);
    assert_false(info.write_locked);
    assert_int_equal(ops->write(dev, uri, der, n, HWK_WRITE_NEW), 0);
    assert_int_equal(hwk_reason(), HWK_R_EXISTS);
    assert_int_equal(ops->write(dev, uri, der, n, 0), 1);
    assert_int_equal(ops->write(dev, uri, der, n - 1, 0), 0);
    assert_int_equal(hwk_reason(), HWK_R_FORMAT);
    x = open_cert(&w, uri);
    assert_non_null(x);
    X509_free(x);
    assert_int_equal(ops->erase(dev, uri), 1);
    assert_int_equal(ops->erase(dev, uri), 0);
    assert_int_equal(hwk_reason(), HWK_R_NOT_FOUND);
    ops->close(dev);
}

static void data_objects(void **state)
{
    const struct hwk_device_ops *ops;
    const char *uri = TOKEN ";object=anchor;type=data";
    struct hwk_object_info info;
    struct hwk_device *dev;
    uint8_t back[64];
    size_t m = sizeof(back);
    void *ctx;

    NEED_TOKEN();
    ops = world_ops(&w, &ctx);
    assert_int_equal(ops->open(ctx, TOKEN PIN, NULL, &dev), 1);
    assert_int_equal(
        ops->write(dev, uri, (const uint8_t *)"one", 3, HWK_WRITE_NEW), 1);
    assert_int_equal(
        ops->write(dev, uri, (const uint8_t *)"two2", 4, HWK_WRITE_LOCK), 1);
    assert_int_equal(ops->read(dev, uri, back, &m, &info), 1);
    assert_int_equal(m, 4);
    assert_memory_equal(back, "two2", 4);
    assert_true(info.write_locked);
    assert_int_equal(ops->write(dev, uri, (const uint8_t *)"three", 5, 0), 0);
    assert_int_equal(hwk_reason(), HWK_R_EXISTS);
    m = 3;
    assert_int_equal(ops->read(dev, uri, back, &m, NULL), 0);
    assert_int_equal(hwk_reason(), HWK_R_ARGUMENT);
    assert_int_equal(ops->erase(dev, uri), 1);
    shim->spoil = 1;
    assert_int_equal(ops->write(dev, uri, (const uint8_t *)"four", 4, 0), 0);
    assert_int_equal(hwk_reason(), HWK_R_COMPARE);
    shim->spoil = 0;
    m = sizeof(back);
    assert_int_equal(ops->read(dev, uri, back, &m, NULL), 0);
    assert_int_equal(hwk_reason(), HWK_R_NOT_FOUND);
    assert_int_equal(ops->read(dev, TOKEN ";object=x", back, &m, NULL), 0);
    assert_int_equal(hwk_reason(), HWK_R_BAD_URI);
    shim->twice = 1; /* which of two is the record? */
    assert_int_equal(ops->write(dev, uri, (const uint8_t *)"five", 4, 0), 1);
    shim->twice = 0;
    assert_int_equal(ops->read(dev, uri, back, &m, NULL), 0);
    assert_int_equal(hwk_reason(), HWK_R_BAD_URI);
    assert_int_equal(ops->erase(dev, uri), 1);
    assert_int_equal(ops->read(dev, uri, back, &m, NULL), 0);
    assert_int_equal(hwk_reason(), HWK_R_NOT_FOUND);
    ops->close(dev);
}

struct listing {
    int private, public, cert, data, stop_after;
    bool extractable;
};

static int count(void *arg, const struct hwk_object_info *o)
{
    struct listing *l = arg;

    l->private += o->type == HWK_OBJ_PRIVATE;
    l->public += o->type == HWK_OBJ_PUBLIC;
    l->cert += o->type == HWK_OBJ_CERT;
    l->data += o->type == HWK_OBJ_DATA;
    if (o->type == HWK_OBJ_PRIVATE && !o->never_extractable)
        l->extractable = true;
    assert_null(strstr(o->uri, "pin-"));
    return l->stop_after == 0 || --l->stop_after > 0;
}

static void info_and_list(void **state)
{
    const struct hwk_device_ops *ops;
    struct hwk_device_info info;
    struct listing l = {0}, one = {.stop_after = 1};
    struct hwk_device *dev;
    void *ctx;

    NEED_TOKEN();
    ops = world_ops(&w, &ctx);
    assert_int_equal(ops->open(ctx, "pkcs11:", NULL, &dev), 0);
    assert_int_equal(hwk_reason(), HWK_R_BAD_URI); /* two fit */
    assert_int_equal(ops->open(ctx, TOKEN PIN, NULL, &dev), 1);
    assert_int_equal(ops->info(dev, &info), 1);
    assert_int_equal(info.kind, HWK_DEVICE_PKCS11);
    assert_string_equal(info.label, "hwkey");
    assert_int_equal(strlen(info.serial), 16);
    assert_false(info.in_lockout);
    assert_int_equal(ops->list(dev, count, &l), 1);
    assert_int_equal(l.private, 2);
    assert_int_equal(l.public, 0); /* each has its private half */
    assert_int_equal(l.cert + l.data, 0);
    assert_false(l.extractable);
    assert_int_equal(ops->list(dev, count, &one), 1);
    assert_int_equal(one.private, 1);
    ops->close(dev);
}

#define T(fn) cmocka_unit_test_setup(fn, each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(certificates),
        T(data_objects),
        T(info_and_list),
    };

    return cmocka_run_group_tests(tests, begin_with_keys, end);
}
