/* SPDX-License-Identifier: Apache-2.0 */
/* The lock file of a TPM: turns, records, owners; no TPM is needed. */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "provider/device/tpm2_lock.h"
#include "provider/device/tpm2_registry.h"
#include "provider/err.h"

static char dir[] = "/tmp/hwkey-lock-XXXXXX", path[64], other[64];

static int setup(void **arg)
{
    (void)arg;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/lock", dir);
    snprintf(other, sizeof(other), "%s/link", dir);
    return 0;
}

static int teardown(void **arg)
{
    (void)arg;
    unlink(path);
    unlink(other);
    return rmdir(dir);
}

static int turn(void)
{
    int fd = -1;
    assert_true(hwk_tpm_lock(path, "x", &fd));
    assert_true(fd >= 0);
    return fd;
}

static void refused(const char *where)
{
    int fd = -1;
    assert_false(hwk_tpm_lock(where, "x", &fd));
    assert_int_equal(fd, -1);
    assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), HWK_R_FILE);
    ERR_clear_error();
}

static void turns(void **arg)
{
    (void)arg;
    int fd = turn();
    int another = open(path, O_RDWR);
    assert_int_equal(flock(another, LOCK_EX | LOCK_NB), -1);
    hwk_tpm_unlock(fd, true);
    assert_int_equal(flock(another, LOCK_EX | LOCK_NB), 0);
    assert_int_not_equal(fcntl(fd, F_GETFD), -1);
    close(another);
    close(fd);
    fd = turn();
    hwk_tpm_unlock(fd, false);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(symlink(path, other), 0);
    refused(other);
    unlink(other);
    assert_int_equal(link(path, other), 0);
    refused(other);
    unlink(other);
    refused("/nonexistent/l");
}

/* a child that a thread forks meanwhile has nothing of the turn */
static void child_of_turn(void **arg)
{
    int status = 1;
    (void)arg;
    int fd = turn();
    pid_t pid = fork();
    if (pid == 0) {
        close(fd); /* as hwk_tpm_forked does */
        int mine = -1;
        _exit(!hwk_tpm_lock(path, "x", &mine));
    }
    hwk_tpm_unlock(fd, false);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* --- the queue --- */

static atomic_int order;

static void *waiter(void *arg)
{
    int fd = turn();
    *(int *)arg = atomic_fetch_add(&order, 1) + 1;
    hwk_tpm_unlock(fd, false);
    return NULL;
}

static bool somebody_waits(int fd)
{
    struct flock place = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x8000, .l_len = 1};
    return fcntl(fd, F_OFD_GETLK, &place) == 0 && place.l_type != F_UNLCK;
}

/* who comes back at once comes after who was waiting */
static void fair(void **arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        pthread_t t;
        int first = 0, second = 0;
        int fd = turn();
        atomic_store(&order, 0);
        pthread_create(&t, NULL, waiter, &first);
        while (!somebody_waits(fd))
            poll(NULL, 0, 1);
        hwk_tpm_unlock(fd, false);
        waiter(&second);
        pthread_join(t, NULL);
        assert_int_equal(first, 1);
        assert_int_equal(second, 2);
    }
}

/* --- records --- */

static void records(void **arg)
{
    struct hwk_tpm_registry a = {.mark = true}, b;
    (void)arg;
    int fd = turn();
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_true(hwk_tpm_registry_read(fd, &b));
    assert_false(b.mark);
    assert_int_equal(b.n, 0);
    for (uint32_t i = 0; i < HWK_TPM_RECORDS; i++) {
        const struct hwk_tpm_record r = {0x80000000 + i, i + 1, 1000 + i};
        assert_true(hwk_tpm_registry_add(&a, &r));
    }
    assert_false(hwk_tpm_registry_add(&a, &a.at[0]));
    assert_int_equal(hwk_tpm_registry_handle(&a, 0x80000003), 3);
    assert_int_equal(hwk_tpm_registry_handle(&a, 0x80001003), a.n);
    assert_int_equal(hwk_tpm_registry_cookie(&a, 1063), 63);
    assert_int_equal(hwk_tpm_registry_cookie(&a, 1064), a.n);
    hwk_tpm_registry_strike(&a, 3);
    assert_int_equal(a.n, HWK_TPM_RECORDS - 1);
    assert_int_equal(a.at[3].handle, 0x80000004);
    hwk_tpm_registry_strike(&a, a.n - 1);
    assert_true(hwk_tpm_registry_write(fd, &a));
    assert_true(hwk_tpm_registry_read(fd, &b));
    assert_true(b.mark);
    assert_int_equal(b.n, a.n);
    assert_memory_equal(a.at, b.at, a.n * sizeof(a.at[0]));
    hwk_tpm_unlock(fd, false);
}

/* any byte changed, cut anywhere, longer: as a mark, and no record */
static void spoilt(void **arg)
{
    const struct hwk_tpm_record r = {0x80000001, 7, 99};
    struct hwk_tpm_registry reg = {.mark = false}, b;
    uint8_t bytes[2048] = {0};
    (void)arg;
    int fd = turn();
    hwk_tpm_registry_add(&reg, &r);
    assert_true(hwk_tpm_registry_write(fd, &reg));
    ssize_t n = pread(fd, bytes, sizeof(bytes), 0);
    assert_true(n > 0 && n < (ssize_t)sizeof(bytes));
    for (ssize_t i = 0; i < n; i++) {
        uint8_t bad = bytes[i] ^ 0x10;
        assert_int_equal(pwrite(fd, &bad, 1, i), 1);
        assert_true(hwk_tpm_registry_read(fd, &b));
        assert_true(b.mark);
        assert_int_equal(b.n, 0);
        assert_int_equal(pwrite(fd, &bytes[i], 1, i), 1);
    }
    for (ssize_t i = n + 1; i-- > 0;) {
        assert_int_equal(ftruncate(fd, i), 0);
        assert_true(hwk_tpm_registry_read(fd, &b));
        assert_int_equal(b.mark, i != 0 && i != n);
        assert_int_equal(b.n, i == n);
    }
    assert_int_equal(pwrite(fd, bytes, (size_t)n + 1, 0), n + 1);
    assert_true(hwk_tpm_registry_read(fd, &b));
    assert_true(b.mark);
    assert_true(hwk_tpm_registry_write(fd, &reg)); /* heals it */
    assert_true(hwk_tpm_registry_read(fd, &b));
    assert_false(b.mark);
    hwk_tpm_unlock(fd, false);
}

/* sums that are right over records that nobody here would write */
static void impossible(void **arg)
{
    static const struct hwk_tpm_record bad[] = {{0x81000001, 1, 1},
                                                {0x40000001, 1, 1},
                                                {0x02000001, 1, 1},
                                                {0x80000001, 0, 1}};
    (void)arg;
    int fd = turn();
    for (size_t i = 0; i < 4; i++) {
        struct hwk_tpm_registry reg = {.mark = false}, b;
        hwk_tpm_registry_add(&reg, &bad[i]);
        assert_true(hwk_tpm_registry_write(fd, &reg));
        assert_true(hwk_tpm_registry_read(fd, &b));
        assert_true(b.mark);
        assert_int_equal(b.n, 0);
    }
    hwk_tpm_unlock(fd, false);
}

/* --- owners --- */

static void owners(void **arg)
{
    const struct hwk_tpm_record r = {0x80000001, 1, 99};
    struct hwk_tpm_registry reg = {.mark = false};
    int status = 1;
    (void)arg;
    int a = open(path, O_RDWR | O_CLOEXEC), b = open(path, O_RDWR | O_CLOEXEC);
    int look = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(hwk_tpm_owner_new(a, &reg), 1);
    assert_int_equal(hwk_tpm_owner_new(b, &reg), 2);
    assert_true(hwk_tpm_owner_lives(look, 1));
    assert_true(hwk_tpm_owner_lives(look, 2));
    assert_false(hwk_tpm_owner_lives(look, 3));
    int unrelated = open(path, O_RDWR); /* POSIX locks would go with this */
    close(unrelated);
    assert_true(hwk_tpm_owner_lives(look, 1));
    close(a);
    assert_false(hwk_tpm_owner_lives(look, 1));
    hwk_tpm_registry_add(&reg, &r); /* dead, but its key is still there */
    a = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(hwk_tpm_owner_new(a, &reg), 3);
    pid_t pid = fork();
    if (pid == 0) {
        close(a);
        close(b);
        _exit(!hwk_tpm_owner_lives(look, 2) || !hwk_tpm_owner_lives(look, 3));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(a);
    close(b);
    assert_false(hwk_tpm_owner_lives(look, 2));
    close(look);
    assert_int_not_equal(hwk_tpm_cookie(), hwk_tpm_cookie());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns),  cmocka_unit_test(child_of_turn),
        cmocka_unit_test(fair),   cmocka_unit_test(records),
        cmocka_unit_test(spoilt), cmocka_unit_test(impossible),
        cmocka_unit_test(owners),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
