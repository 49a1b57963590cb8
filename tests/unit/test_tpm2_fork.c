/* SPDX-License-Identifier: Apache-2.0 */
/* Forks of who uses a TPM: before, after and in the middle of use; children
 * that end in every way disturb nobody, and leave nothing in the TPM. */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "provider/device/tpm2_tcti.h"
#include "tests/lib/tpm_device.h"
#include "tests/unit/children.h"

#define EC "tpm2:handle=0x81020301"
#define RSA_ "tpm2:handle=0x81020302"
#define CHILDREN 8
#define TIMES 10
#define THREADS 4

static struct world w;
static EVP_PKEY *ec, *rsa;

static EVP_PKEY *opened(const char *uri)
{
    return open_key(&w, uri, OSSL_STORE_INFO_PKEY, NULL);
}

static int signs(EVP_PKEY *key)
{
    return sign_verify(&w, key, "SHA256", NO_PSS);
}

/* one command, and none for what a child did */
static void signs_as_before(EVP_PKEY *key)
{
    unsigned long long before = tpm_device_commands();

    assert_true(signs(key));
    assert_int_equal(tpm_device_commands() - before, 1);
}

static int begin(void **state)
{
    (void)state;
    if (tpm_device_up() != 0 || !world_open(&w, "dh"))
        return -1;
    ec = make_key(&w, "EC", "P-256", 0, EC);
    rsa = make_key(&w, "RSA", NULL, 2048, RSA_);
    return ec != NULL && rsa != NULL && signs(ec) && signs(rsa) ? 0 : -1;
}

static int end(void **state)
{
    size_t left;

    (void)state;
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
    world_close(&w);
    left = tpm_device_left();
    tpm_device_down();
    return left == 0 ? 0 : -1;
}

/* --- children --- */

static int uses_inherited(int fd)
{
    return signs_to(&w, ec, fd) && ERR_peek_error() == 0 ? 0 : 1;
}

static int opens_own(int fd)
{
    EVP_PKEY *own = opened(RSA_);
    int ok = own != NULL && signs_to(&w, own, fd);

    EVP_PKEY_free(own);
    return ok ? 0 : 1;
}

static int grandchild(int fd)
{
    struct child c;
    int ok;

    if (!signs_to(&w, ec, fd))
        return 1;
    c = spawn(uses_inherited);
    ok = verified_from(ec, c.fd);
    return status_of(&c) == 0 && ok ? 0 : 1;
}

/* --- when --- */

static void after_use(void **state)
{
    struct child c;

    (void)state;
    signs_as_before(ec);
    c = spawn(uses_inherited);
    assert_true(verified_from(ec, c.fd));
    assert_ended_well(&c);
    c = spawn(opens_own);
    assert_true(verified_from(rsa, c.fd));
    assert_ended_well(&c);
    c = spawn(grandchild);
    assert_true(verified_from(ec, c.fd));
    assert_ended_well(&c);
    signs_as_before(ec);
}

static void before_use(void **state)
{
    struct child c;

    (void)state;
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
    world_close(&w);
    assert_true(world_open(&w, "dh"));
    ec = rsa = NULL;
    c = spawn(opens_own); /* the parent has done nothing yet */
    ec = opened(EC);
    rsa = opened(RSA_);
    assert_true(signs(ec));
    assert_true(verified_from(rsa, c.fd));
    assert_ended_well(&c);
    signs_as_before(ec);
}

/* --- how a child ends --- */

static int exits(int fd)
{
    if (!signs_to(&w, ec, fd))
        return 1;
    exit(0); /* with all handlers, keys and provider still open */
}

static int unloads(int fd)
{
    int ok = signs_to(&w, ec, fd);

    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
    world_close(&w);
    return ok ? 0 : 1;
}

static int unloads_unused(int fd)
{
    unsigned long long before = tpm_device_commands();

    (void)fd;
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
    world_close(&w);
    return tpm_device_commands() == before ? 0 : 1;
}

static int execs(int fd)
{
    (void)fd;
    execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
    return 1;
}

static TSS2_RC kill_it(void *arg, bool sent, TPM2_CC command)
{
    if (command == TPM2_CC_Sign && sent == *(bool *)arg)
        raise(SIGKILL);
    return TSS2_RC_SUCCESS;
}

/* before its command was sent, or before it has the answer */
static int killed_before(int fd)
{
    bool after = false;

    hwk_tpm_set_fault(kill_it, &after);
    signs_to(&w, ec, fd);
    return 1;
}

static int killed_after(int fd)
{
    bool after = true;

    hwk_tpm_set_fault(kill_it, &after);
    signs_to(&w, ec, fd);
    return 1;
}

static void ends(void **state)
{
    static int (*const ways[])(int) = {exits, unloads,       unloads_unused,
                                       execs, killed_before, killed_after};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct child c;

        signs_as_before(ec);
        c = spawn(ways[i]);
        if (ways[i] == killed_before || ways[i] == killed_after)
            assert_killed(&c);
        else
            assert_ended_well(&c);
        signs_as_before(ec);
        signs_as_before(rsa);
        assert_int_equal(tpm_device_left(), 0);
    }
}

/* --- all at the same time --- */

/* the key is another one in every other process */
static int many(int fd)
{
    int i;

    for (i = 0; i < TIMES; i++)
        if (!signs(getpid() % 2 == 0 ? ec : rsa))
            return 1;
    return write(fd, "x", 1) == 1 && ERR_peek_error() == 0 ? 0 : 1;
}

static void all_at_once(void **state)
{
    struct child c[CHILDREN];
    int i;

    (void)state;
    signs_as_before(ec);
    for (i = 0; i < CHILDREN; i++) {
        c[i] = spawn(many);
        assert_true(signs(rsa));
    }
    for (i = 0; i < TIMES; i++)
        assert_true(signs(ec));
    for (i = 0; i < CHILDREN; i++)
        assert_ended_well(&c[i]);
    signs_as_before(ec);
    assert_int_equal(tpm_device_left(), 0);
}

/* --- keys that are not kept in the TPM: loaded while they are open --- */

static EVP_PKEY *loaded[2];

static int many_loaded(int fd)
{
    int i;

    for (i = 0; i < TIMES; i++)
        if (!signs(loaded[i % 2]))
            return 1;
    return write(fd, "x", 1) == 1 && ERR_peek_error() == 0 ? 0 : 1;
}

static int killed_loaded(int fd)
{
    bool after = true;

    hwk_tpm_set_fault(kill_it, &after);
    signs_to(&w, loaded[0], fd);
    return 1;
}

/* more processes than there are slots, each with both */
static void loaded_keys(void **state)
{
    struct child c[CHILDREN];
    int i;

    (void)state;
    for (i = 0; i < 2; i++) {
        loaded[i] = make_key(&w, "EC", "P-256", 0, "tpm2:");
        assert_non_null(loaded[i]);
        assert_true(signs(loaded[i]));
    }
    for (i = 0; i < CHILDREN; i++)
        c[i] = spawn(i == 3 ? killed_loaded : many_loaded);
    for (i = 0; i < TIMES; i++)
        assert_true(signs(loaded[i % 2]));
    for (i = 0; i < CHILDREN; i++)
        if (i == 3)
            assert_killed(&c[i]);
        else
            assert_ended_well(&c[i]);
    for (i = 0; i < 2; i++) {
        assert_true(signs(loaded[i]));
        signs_as_before(loaded[i]);
    }
    for (i = 0; i < 2; i++)
        EVP_PKEY_free(loaded[i]);
    assert_true(signs(ec));
    assert_int_equal(tpm_device_left(), 0);
}

/* --- while others sign --- */

static sem_t within, go;
static atomic_int held;

/* one thread is with the TPM, the others wait for it */
static TSS2_RC hold(void *arg, bool sent, TPM2_CC command)
{
    if (command == TPM2_CC_Sign && sent == *(bool *)arg &&
        atomic_fetch_add(&held, 1) == 0) {
        sem_post(&within);
        sem_wait(&go);
    }
    return TSS2_RC_SUCCESS;
}

struct worker {
    pthread_t id;
    int bad;
};

static void *work(void *arg)
{
    struct worker *me = arg;
    int i;

    for (i = 0; i < TIMES; i++)
        me->bad += !signs(i % 2 == 0 ? ec : rsa);
    return NULL;
}

static int not_held(int fd)
{
    hwk_tpm_set_fault(NULL, NULL);
    return uses_inherited(fd);
}

/* A thread is in the middle of a command, with all locks that this takes; the
 * others wait for their first signature, nowhere in libcrypto. */
static void fork_within(bool sent)
{
    struct worker workers[THREADS];
    struct child c[2];
    int i;

    sem_init(&within, 0, 0);
    sem_init(&go, 0, 0);
    atomic_store(&held, 0);
    hwk_tpm_set_fault(hold, &sent);
    workers[0] = (struct worker){.bad = 0};
    pthread_create(&workers[0].id, NULL, work, &workers[0]);
    sem_wait(&within);
    c[0] = spawn(not_held);
    c[1] = spawn(execs);
    sem_post(&go);
    for (i = 1; i < THREADS; i++) {
        workers[i] = (struct worker){.bad = 0};
        pthread_create(&workers[i].id, NULL, work, &workers[i]);
    }
    assert_true(verified_from(ec, c[0].fd));
    assert_ended_well(&c[0]);
    assert_ended_well(&c[1]);
    for (i = 0; i < THREADS; i++) {
        pthread_join(workers[i].id, NULL);
        assert_int_equal(workers[i].bad, 0);
    }
    hwk_tpm_set_fault(NULL, NULL);
    signs_as_before(ec);
    assert_int_equal(tpm_device_left(), 0);
}

static void while_others_sign(void **state)
{
    (void)state;
    fork_within(false);
    fork_within(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_use),   cmocka_unit_test(before_use),
        cmocka_unit_test(ends),        cmocka_unit_test(all_at_once),
        cmocka_unit_test(loaded_keys), cmocka_unit_test(while_others_sign),
    };

    if (!tpm_device_here()) {
        puts("1..0 # SKIP no TPM in software");
        return 0;
    }
    patience(600);
    return cmocka_run_group_tests(tests, begin, end);
}
