/* SPDX-License-Identifier: Apache-2.0 */
/* The conversation with an IDevID in a device made of memory, each call to
 * which fails once. */
#include "tests/unit/codec.h"

#include <openssl/store.h>

#include <idevid/key.h>

#include "provider/device.h"
#include "tests/lib/backend_soft.h"
#include "tests/lib/talk.h"

static struct world world;

static EVP_PKEY *open_key(const char *uri)
{
    EVP_PKEY *key = NULL;
    OSSL_STORE_CTX *store = OSSL_STORE_open_ex(uri, NULL, "provider=hwkey",
                                               NULL, NULL, NULL, NULL, NULL);
    assert_non_null(store);
    while (!key && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        if (info && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
            key = OSSL_STORE_INFO_get1_PKEY(info);
        OSSL_STORE_INFO_free(info);
    }
    OSSL_STORE_close(store);
    assert_non_null(key);
    return key;
}

/* the IDevID of the world is now for a key in the device */
static void use_device_key(void)
{
    const struct idv_cert_spec spec = {
        .kind = IDV_CERT_IDEVID,
        .serial_number = PKI_SERIAL,
        .masa_url = PKI_MASA_URL,
        .not_before = PKI_NOW - PKI_DAY,
    };
    struct pki *pki = &world.pki;
    pki_id_free(&pki->idevid);
    pki->idevid.key = open_key("hwksoft:ec");
    OK(idv_cert_issue(&spec, pki->idevid.key, pki->maker_ca.cert,
                      pki->maker_ca.key, &pki->env.env, &pki->idevid.cert));
}

static int setup(void **state)
{
    (void)state;
    hwk_backend_for_tests = &hwk_backend_soft;
    if (idv_provider_setup(hwk_provider_init, NULL) != IDV_OK)
        return -1;
    world_make(&world);
    world.reg_conf.device_hourly = 100000;
    world_configure(&world);
    use_device_key();
    soft_reset();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_free(&world);
    return 0;
}

#define TALK(t)                                                                \
    __attribute__((cleanup(talk_free))) struct talk t;                         \
    talk_init(&t, &world)

static int calls_of_a_clean_run(void)
{
    TALK(t);
    soft_reset();
    talk_run_clean(&t);
    return soft.calls;
}

static void each_device_call_failing(void **state)
{
    (void)state;
    const int calls = calls_of_a_clean_run();
    assert_true(calls >= 1);
    for (int at = 1; at <= calls; at++) {
        TALK(t);
        soft_reset();
        soft.fail_at = at;
        const idv_rc rc = talk_run(&t);
        assert_true(rc == IDV_OK || rc == IDV_E_DEVICE || rc == IDV_E_CRYPTO);
        soft_reset();
        talk_run_clean(&t);
    }
}

/* one signature for the voucher-request, none for anything else here: TLS,
 * which takes one more for each connection, is not part of this */
static void no_more_signatures_than_needed(void **state)
{
    struct idv_device_stats before, after;
    (void)state;
    TALK(t);
    idv_device_stats(&before);
    talk_run_clean(&t);
    idv_device_stats(&after);
    assert_int_equal(after.signatures - before.signatures, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_device_call_failing),
        cmocka_unit_test(no_more_signatures_than_needed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
