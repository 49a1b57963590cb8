/* SPDX-License-Identifier: Apache-2.0 */
/* One process, one TPM after another: each is what it is, nothing of the one
 * before is taken for it, and none is taken away from who uses it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/hwk_test.h"
#include "tests/lib/swtpm.h"

#define KEY "tpm2:handle=0x81020501"
#define INDEX "tpm2:handle=0x01800B70"

static struct swtpm first, second;
static struct world w;
static char way[sizeof(first.dir) + 8], tcti[sizeof(way) + 32];

static int reach(const char *to)
{
    void *ctx;
    const struct hwk_device_ops *ops = world_ops(&w, &ctx);

    return ops->reach(ctx, to);
}

static struct hwk_device *opened(void)
{
    struct hwk_device *d = NULL;
    void *ctx;
    const struct hwk_device_ops *ops = world_ops(&w, &ctx);

    assert_int_equal(ops->open(ctx, "tpm2:", NULL, &d), 1);
    return d;
}

static void closed(struct hwk_device *d)
{
    void *ctx;

    world_ops(&w, &ctx)->close(d);
}

static unsigned long long commands(void)
{
    return atomic_load(&hwk_counters.tpm_commands);
}

static EVP_PKEY *key_here(void)
{
    return open_key(&w, KEY, OSSL_STORE_INFO_PKEY, NULL);
}

/* way leads to that TPM */
static void lead(const struct swtpm *to)
{
    assert_true(unlink(way) == 0 || errno == ENOENT);
    assert_int_equal(symlink(to->dir, way), 0);
}

/* text in an index, read with what the process knows of the TPM */
static void put(const char *text)
{
    void *ctx;
    const struct hwk_device_ops *ops = world_ops(&w, &ctx);
    struct hwk_device *d = opened();

    assert_int_equal(
        ops->write(d, INDEX, (const uint8_t *)text, strlen(text), 0), 1);
    closed(d);
}

static void has(const char *text)
{
    void *ctx;
    const struct hwk_device_ops *ops = world_ops(&w, &ctx);
    struct hwk_device *d = opened();
    struct hwk_nv nv;
    uint8_t got[32];

    assert_int_equal(ops->nv->look(d, 0x01800B70, &nv), 1);
    assert_int_equal(nv.size, strlen(text));
    assert_int_equal(ops->nv->read(d, &nv, got), 1);
    assert_memory_equal(got, text, nv.size);
    closed(d);
}

static int begin(void **state)
{
    (void)state;
    if (swtpm_start(&first) != 0 || swtpm_start(&second) != 0)
        return -1;
    snprintf(way, sizeof(way), "%s/way", first.dir);
    snprintf(tcti, sizeof(tcti), "swtpm:path=%s/sock", way);
    setenv("HWKEY_TCTI", first.tcti, 1);
    setenv("HWKEY_TPM_LOCK", first.lock, 1);
    return world_open(&w, "dh") ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    world_close(&w);
    unlink(way);
    swtpm_stop(&first);
    swtpm_stop(&second);
    return 0;
}

/* --- */

static void before_any_use(void **state)
{
    const unsigned long long before = commands();

    (void)state;
    assert_int_equal(reach(second.tcti), 1);
    assert_int_equal(reach(NULL), 1);
    assert_int_equal(commands(), before);
    assert_null(key_here()); /* it is reached, and has none */
    assert_true(commands() > before);
}

static void two_tpms(void **state)
{
    EVP_PKEY *made = make_key(&w, "EC", "P-256", 0, KEY), *one, *other, *again;

    (void)state;
    assert_non_null(made);
    one = EVP_PKEY_dup(made); /* which counts for itself */
    EVP_PKEY_free(made);
    assert_int_equal(reach(second.tcti), 0);
    assert_int_equal(hwk_reason(), HWK_R_IN_USE);
    assert_int_equal(sign_verify(&w, one, "SHA256", NO_PSS), 1);
    uint8_t *mine = NULL, *theirs = NULL;
    int n = i2d_PUBKEY(one, &mine), m;
    EVP_PKEY_free(one);

    assert_int_equal(reach(second.tcti), 1);
    assert_null(key_here());
    other = make_key(&w, "EC", "P-256", 0, KEY);
    assert_non_null(other);
    assert_int_equal(sign_verify(&w, other, "SHA256", NO_PSS), 1);
    EVP_PKEY_free(other);

    assert_int_equal(reach(NULL), 1);
    again = key_here();
    assert_non_null(again);
    m = i2d_PUBKEY(again, &theirs);
    assert_int_equal(m, n);
    assert_memory_equal(mine, theirs, (size_t)n);
    assert_int_equal(sign_verify(&w, again, "SHA256", NO_PSS), 1);
    EVP_PKEY_free(again);
    OPENSSL_free(mine);
    OPENSSL_free(theirs);
}

static void open_device(void **state)
{
    struct hwk_device *d = opened();

    (void)state;
    assert_int_equal(reach(first.tcti), 0);
    assert_int_equal(hwk_reason(), HWK_R_IN_USE);
    closed(d);
    assert_int_equal(reach(first.tcti), 1);
}

/* what is known of sessions, keys and indices is of the TPM, not of the way */
static void same_way(void **state)
{
    EVP_PKEY *of_first, *of_second;

    (void)state;
    lead(&first);
    assert_int_equal(reach(tcti), 1);
    put("the first");
    has("the first");
    of_first = key_here();
    assert_non_null(of_first);
    EVP_PKEY_free(of_first);

    lead(&second);
    assert_int_equal(reach(tcti), 1);
    put("the second");
    has("the second");
    of_second = key_here();
    assert_non_null(of_second);
    assert_int_equal(sign_verify(&w, of_second, "SHA256", NO_PSS), 1);
    EVP_PKEY_free(of_second);

    lead(&first);
    assert_int_equal(reach(tcti), 1);
    has("the first");
    assert_int_equal(reach(NULL), 1);
}

/* closing sends what takes away what is loaded, and the next nothing */
static void costs_nothing(void **state)
{
    const unsigned long long before = commands();

    (void)state;
    assert_int_equal(reach(second.tcti), 1);
    assert_int_equal(reach(first.tcti), 1);
    assert_int_equal(commands(), before);
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_any_use), cmocka_unit_test(two_tpms),
        cmocka_unit_test(open_device),    cmocka_unit_test(same_way),
        cmocka_unit_test(costs_nothing),
    };

    if (!swtpm_here()) {
        puts("1..0 # SKIP no TPM in software");
        return 0;
    }
    patience(120);
    return cmocka_run_group_tests(tests, begin, end);
}
