/* SPDX-License-Identifier: Apache-2.0 */
/* Files: whole or not at all, and nothing left behind. */
#include "codec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[64], path[128];

/* in the place of libc's: what was synced, and a failure on demand */
static int synced_files, synced_directories;
static bool sync_fails;
int fsync(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    *(S_ISDIR(st.st_mode) ? &synced_directories : &synced_files) += 1;
    if (sync_fails && S_ISDIR(st.st_mode)) {
        errno = EIO;
        return -1;
    }
    return 0;
}

static int setup(void **state)
{
    (void)state;
    test_dir(dir);
    snprintf(path, sizeof(path), "%s/file", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_dir_drop(dir);
    return 0;
}

static size_t entries(void)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void expect(const char *text)
{
    IDV_AUTO(buf) b = {0};
    OK(idv_fs_read(path, 0, &b));
    assert_true(idv_bytes_eq(idv_view(&b), idv_str(text)));
}

static mode_t mode_of(const char *name)
{
    struct stat st;
    assert_int_equal(stat(name, &st), 0);
    return st.st_mode & 07777;
}

static void write_read(void **state)
{
    (void)state;
    mode_t old = umask(077);
    OK(idv_fs_write(path, idv_str("one"), 0644));
    umask(old);
    assert_int_equal(mode_of(path), 0644);
    expect("one");
    OK(idv_fs_write(path, idv_str("two"), 0600));
    assert_int_equal(mode_of(path), 0600);
    expect("two");
    OK(idv_fs_write(path, idv_bytes(NULL, 0), 0600));
    expect("");
    assert_int_equal(entries(), 1);
}

static void bounds(void **state)
{
    IDV_AUTO(buf) b = {0};
    char big[5000];
    (void)state;
    memset(big, 'x', sizeof(big));
    OK(idv_fs_write(path, idv_bytes(big, sizeof(big)), 0600));
    OK(idv_fs_read(path, sizeof(big), &b));
    assert_int_equal(b.n, sizeof(big));
    FAILS(IDV_E_LIMIT, "more than 4999 bytes",
          idv_fs_read(path, sizeof(big) - 1, &b));
    assert_int_equal(b.n, sizeof(big));
    assert_int_equal(truncate(path, 1024 * 1024), 0);
    idv_buf_clear(&b);
    OK(idv_fs_read(path, 0, &b));
    assert_int_equal(truncate(path, 1024 * 1024 + 1), 0);
    FAILS(IDV_E_LIMIT, "file: more than", idv_fs_read(path, 0, &b));
    IDV_AUTO(buf) small = {.max = 3};
    OK(idv_fs_write(path, idv_str("four"), 0600));
    FAILS(IDV_E_LIMIT, "file: buffer: more than 3",
          idv_fs_read(path, 0, &small));
}

static void read_refuses(void **state)
{
    IDV_AUTO(buf) b = {0};
    (void)state;
    FAILS(IDV_E_IO, "No such file", idv_fs_read(path, 0, &b));
    FAILS(IDV_E_IO, "is a directory", idv_fs_read(dir, 0, &b));
    FAILS(IDV_E_IO, "not a regular file", idv_fs_read("/dev/zero", 0, &b));
    assert_int_equal(mkfifo(path, 0600), 0);
    FAILS(IDV_E_IO, "not a regular file", idv_fs_read(path, 0, &b));
    FAILS(IDV_E_IO, "", idv_fs_append(path, idv_str("x"), 0600));
}

static void secrets(void **state)
{
    static const mode_t loose[] = {0640, 0604, 0660, 0644, 0601};
    IDV_AUTO(buf) b = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(loose) / sizeof(*loose); i++) {
        OK(idv_fs_write(path, idv_str("pin"), loose[i]));
        FAILS(IDV_E_REJECT, "chmod 600", idv_fs_read_secret(path, &b));
    }
    OK(idv_fs_write(path, idv_str("pin"), 0400));
    OK(idv_fs_read_secret(path, &b));
    assert_true(b.secret);
    assert_string_equal((char *)b.p, "pin");
}

/* a file size limit stands in for a full disk */
static void full_disk(void **state)
{
    struct rlimit old, small = {.rlim_cur = 10};
    char big[4096] = {0};
    (void)state;
    OK(idv_fs_write(path, idv_str("old"), 0600));
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    idv_note_clear();
    idv_rc put = idv_fs_write(path, idv_bytes(big, sizeof(big)), 0600);
    idv_rc add = idv_fs_append(path, idv_bytes(big, sizeof(big)), 0600);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(put, IDV_E_IO);
    assert_int_equal(add, IDV_E_IO);
    assert_non_null(strstr(idv_note(), "cannot write"));
    expect("old");
    assert_int_equal(entries(), 1);
    assert_int_equal(unlink(path), 0);
    setrlimit(RLIMIT_FSIZE, &small);
    idv_note_clear();
    add = idv_fs_append(path, idv_bytes(big, sizeof(big)), 0600);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(add, IDV_E_IO);
    assert_int_equal(entries(), 0); /* no empty file either */
}

static void write_refuses(void **state)
{
    char under[160];
    (void)state;
    OK(idv_fs_write(path, idv_str("x"), 0600));
    snprintf(under, sizeof(under), "%s/under", path);
    FAILS(IDV_E_IO, "Not a directory", idv_fs_write(under, idv_str("y"), 0600));
    FAILS(IDV_E_IO, "cannot replace", idv_fs_write(dir, idv_str("y"), 0600));
    FAILS(IDV_E_ARG, "name of a file", idv_fs_write("", idv_str("y"), 0600));
    FAILS(IDV_E_ARG, "name of a file", idv_fs_write("/", idv_str("y"), 0600));
    expect("x");
    assert_int_equal(entries(), 1);
}

static void create_once(void **state)
{
    (void)state;
    OK(idv_fs_create(path, idv_str("one"), 0600));
    FAILS(IDV_E_STATE, "exists", idv_fs_create(path, idv_str("two"), 0600));
    expect("one");
    assert_int_equal(entries(), 1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/nonexistent/target", path), 0);
    FAILS(IDV_E_STATE, "exists", idv_fs_create(path, idv_str("two"), 0600));
}

static void appends(void **state)
{
    (void)state;
    synced_files = synced_directories = 0;
    sync_fails = true;
    idv_rc rc = idv_fs_append(path, idv_str("a\n"), 0640);
    sync_fails = false;
    assert_int_equal(rc, IDV_E_IO);
    idv_note_clear();
    assert_int_equal(entries(), 0);
    OK(idv_fs_append(path, idv_str("a\n"), 0640));
    assert_int_equal(synced_directories, 2);
    OK(idv_fs_append(path, idv_str("b\n"), 0640));
    assert_int_equal(synced_directories, 2);
    assert_int_equal(synced_files, 3);
    expect("a\nb\n");
}

static void directories(void **state)
{
    char deep[160];
    (void)state;
    snprintf(deep, sizeof(deep), "%s/a/b/", dir);
    OK(idv_fs_mkdir(deep, 0700));
    OK(idv_fs_mkdir(deep, 0755));
    assert_int_equal(mode_of(deep), 0700);
    OK(idv_fs_write(path, idv_str("x"), 0600));
    FAILS(IDV_E_IO, "not a directory", idv_fs_mkdir(path, 0700));
    FAILS(IDV_E_ARG, "", idv_fs_mkdir("", 0700));
}

static void removes(void **state)
{
    (void)state;
    OK(idv_fs_remove(path));
    OK(idv_fs_write(path, idv_str("x"), 0600));
    assert_true(idv_fs_exists(path));
    OK(idv_fs_remove(path));
    assert_false(idv_fs_exists(path));
    FAILS(IDV_E_IO, "cannot remove", idv_fs_remove(dir));
}

static void sweeps(void **state)
{
    char other[160], deep[160];
    (void)state;
    snprintf(other, sizeof(other), "%s.0123456789abcdef" IDV_FS_TEMP, path);
    snprintf(deep, sizeof(deep), "%s/deep" IDV_FS_TEMP, dir);
    OK(idv_fs_write(path, idv_str("kept"), 0600));
    OK(idv_fs_write(other, idv_str("half"), 0600));
    OK(idv_fs_mkdir(deep, 0700));
    OK(idv_fs_sweep(dir, IDV_FS_TEMP));
    assert_false(idv_fs_exists(other));
    assert_true(idv_fs_exists(path) && idv_fs_exists(deep));
    OK(idv_fs_rmdir(deep));
    OK(idv_fs_sweep(dir, ""));
    assert_false(idv_fs_exists(path));
    OK(idv_fs_sweep(deep, ""));
    OK(idv_fs_write(path, idv_str("x"), 0600));
    FAILS(IDV_E_IO, "cannot list", idv_fs_sweep(path, ""));
}

/* --- locks --- */

static void locks_once(void **state)
{
    char mine[64];
    int one = -1, two = -1;
    (void)state;
    OK(idv_fs_lock(path, "first", &one));
    assert_int_equal(mode_of(path), 0600);
    snprintf(mine, sizeof(mine), "held by first, process %ld", (long)getpid());
    FAILS(IDV_E_STATE, mine, idv_fs_lock(path, "second", &two));
    assert_int_equal(two, -1);
    idv_fs_unlock(&one);
    assert_int_equal(one, -1);
    OK(idv_fs_lock(path, "second", &two));
    snprintf(mine, sizeof(mine), "held by second, process %ld", (long)getpid());
    FAILS(IDV_E_STATE, mine, idv_fs_lock(path, "first", &one));
    idv_fs_unlock(&two);
    idv_fs_unlock(&two);
}

/* Killed: nothing has to be cleared away. */
static void lock_of_the_killed(void **state)
{
    int ready[2], life[2], status, fd = -1;
    char byte, note[64];
    (void)state;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(life), 0);
    pid_t child = fork();
    if (child == 0) {
        close(life[1]); /* ends with us, if we fail before the kill */
        if (idv_fs_lock(path, "child", &fd) != IDV_OK ||
            write(ready[1], "x", 1) != 1)
            _exit(1);
        _exit(read(life[0], &byte, 1) != 0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    snprintf(note, sizeof(note), "child, process %ld", (long)child);
    FAILS(IDV_E_STATE, note, idv_fs_lock(path, "parent", &fd));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    OK(idv_fs_lock(path, "parent", &fd));
    idv_fs_unlock(&fd);
    close(ready[0]);
    close(ready[1]);
    close(life[0]);
    close(life[1]);
}

static void lock_refuses(void **state)
{
    char other[160];
    int fd = -1;
    (void)state;
    FAILS(IDV_E_IO, "cannot open", idv_fs_lock(dir, "x", &fd));
    snprintf(other, sizeof(other), "%s/link", dir);
    OK(idv_fs_write(path, idv_str("kept"), 0600));
    assert_int_equal(symlink(path, other), 0);
    FAILS(IDV_E_IO, "cannot open", idv_fs_lock(other, "x", &fd));
    expect("kept");
    assert_int_equal(unlink(other), 0);
    assert_int_equal(mkfifo(other, 0600), 0);
    FAILS(IDV_E_IO, "regular", idv_fs_lock(other, "x", &fd));
    assert_int_equal(fd, -1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(write_read),   T(bounds),     T(read_refuses),
        T(secrets),      T(full_disk),  T(write_refuses),
        T(create_once),  T(appends),    T(directories),
        T(removes),      T(locks_once), T(lock_of_the_killed),
        T(lock_refuses), T(sweeps),
    };
    return cmocka_run_group_tests_name("fs", tests, NULL, NULL);
}
