/* SPDX-License-Identifier: Apache-2.0 */
/* The debug log: silent unless asked for, whole when asked for, without
 * secrets always. */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "provider/log.h"
#include "tests/lib/soft_token.h"

#define PIN "hush-4711-pin"
#define WRONG "hush-0815-pin"
#define KEY "pkcs11:token=talk;object=k?pin-value=" PIN

static char dir[256], path[300], text[1 << 20];

/* --- a log of its own for each case --- */

static struct world log_w; /* the provider that writes it */

static void start(const char *level)
{
    char value[320];

    unlink(path);
    snprintf(value, sizeof(value), "%s%s", path, level);
    setenv("HWKEY_DEBUG", value, 1);
    assert_true(world_open(&log_w, "dh"));
    unsetenv("HWKEY_DEBUG");
}

/* ends it and gives its text; "" when there is no file */
static const char *finish(void)
{
    FILE *f;
    size_t n;

    if (log_w.libctx != NULL)
        world_close(&log_w);
    f = fopen(path, "r");
    n = f != NULL ? fread(text, 1, sizeof(text) - 1, f) : 0;
    text[n] = 0;
    if (f != NULL)
        fclose(f);
    return text;
}

static unsigned count(const char *what)
{
    const char *p = text;
    unsigned n = 0;

    while ((p = strstr(p, what)) != NULL) {
        n++;
        p += strlen(what);
    }
    return n;
}

static int begin(void **state)
{
    EVP_PKEY *key;

    snprintf(dir, sizeof(dir), "%s/hwklog.XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    if (soft_begin(state) != 0 || mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/log", dir);
    tell("slot 1 label=talk pin=" PIN " tries=9");
    key = soft_make("P-256", KEY);
    EVP_PKEY_free(key);
    return 0;
}

static int end(void **state)
{
    char command[300];

    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command) + soft_end(state);
}

static int after(void **state)
{
    (void)state;
    finish();
    return 0;
}

/* everything that has to do with PINs, and some signatures */
static void use(void)
{
    EVP_PKEY *key = soft_key(KEY);

    assert_true(soft_signs(key));
    tell("do sessions");
    assert_true(soft_signs(key));
    EVP_PKEY_free(key);
    key = open_key(&soft_w, "pkcs11:token=talk;object=k?pin-value=" WRONG,
                   OSSL_STORE_INFO_PKEY, NULL);
    assert_null(key);
    ERR_clear_error();
}

/* --- cases --- */

/* runs fn with what it prints in a file, and gives the file's length */
static long printed(void (*fn)(void))
{
    char out[320];
    int keep[2], fd, i;
    struct stat st;

    snprintf(out, sizeof(out), "%s/out", dir);
    fd = open(out, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd > 2);
    fflush(NULL);
    for (i = 0; i < 2; i++) {
        keep[i] = dup(i + 1);
        dup2(fd, i + 1);
    }
    fn();
    fflush(NULL);
    for (i = 0; i < 2; i++) {
        dup2(keep[i], i + 1);
        close(keep[i]);
    }
    assert_int_equal(fstat(fd, &st), 0);
    close(fd);
    return (long)st.st_size;
}

static void silent_by_default(void **state)
{
    (void)state;
    assert_int_equal(printed(use), 0);
    assert_string_equal(finish(), "");
}

static void with_a_file(void)
{
    start(":calls");
    use();
    finish();
}

static void to_the_file_only(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(printed(with_a_file), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(st.st_size > 1000);
}

static void to_stderr(void)
{
    setenv("HWKEY_DEBUG", "stderr:info", 1);
    assert_true(world_open(&log_w, "dh"));
    unsetenv("HWKEY_DEBUG");
    use();
    world_close(&log_w);
}

static void to_stderr_by_name(void **state)
{
    (void)state;
    assert_true(printed(to_stderr) > 100);
    assert_int_equal(access("stderr", F_OK), -1);
}

static void levels(void **state)
{
    (void)state;
    start(":error");
    use();
    finish();
    assert_true(count("error ") > 0);
    assert_int_equal(count("login "), 0);
    start("");
    use();
    finish();
    assert_true(count("login ") > 0 && count("lost ") > 0);
    assert_int_equal(count("call "), 0);
}

static void every_call(void **state)
{
    static const char *const functions[] = {
        "C_SignInit",        "C_Sign",  "C_OpenSession",
        "C_FindObjectsInit", "C_Login", "C_GetAttributeValue"};
    char fn[64];
    size_t i;

    (void)state;
    start(":calls");
    tell("forget");
    use();
    finish();
    for (i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        snprintf(fn, sizeof(fn), " fn=%s ", functions[i]);
        assert_true(count(fn) > 0);
        assert_int_equal(count(fn), soft->calls(functions[i]));
    }
    assert_true(count("rv=CKR_SESSION_HANDLE_INVALID code=0xb3") > 0);
}

static void form(void **state)
{
    char *line, *rest = NULL, who[64];
    regex_t re;

    (void)state;
    start(":calls");
    use();
    finish();
    snprintf(who, sizeof(who), " pid=%ld tid=%ld ", (long)getpid(),
             (long)getpid());
    assert_int_equal(
        regcomp(&re,
                "^[a-z]+ time=[0-9-]{10}T[0-9:.]{12}Z pid=[0-9]+ "
                "tid=[0-9]+( [a-z-]+=([^ \"]+|\"([^\"\\]|\\\\x..)*\"))+$",
                REG_EXTENDED | REG_NOSUB),
        0);
    for (line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (regexec(&re, line, 0, NULL, 0) != 0)
            print_error("not a line of the log: %s\n", line);
        assert_int_equal(regexec(&re, line, 0, NULL, 0), 0);
        assert_non_null(strstr(line, who));
    }
    regfree(&re);
}

static void no_secrets(void **state)
{
    char file[300], uri[512];
    FILE *f;

    (void)state;
    start(":calls");
    use();
    snprintf(file, sizeof(file), "%s/pin", dir);
    f = fopen(file, "w");
    fprintf(f, "%s\n", "hush-2222-pin");
    fclose(f);
    chmod(file, 0644);
    snprintf(uri, sizeof(uri), "pkcs11:token=file;object=k?pin-source=%s",
             file);
    tell("slot 3 label=file pin=hush-2222-pin");
    assert_null(open_key(&soft_w, uri, OSSL_STORE_INFO_PKEY, NULL));
    tell("slot 4 label=typed pin=hush-3333-pin");
    assert_null(open_key(&soft_w, "pkcs11:token=typed;object=k",
                         OSSL_STORE_INFO_PKEY, "hush-3333-pin"));
    assert_null(open_key(&soft_w, "pkcs11:token=talk;pin-valu=hush",
                         OSSL_STORE_INFO_PKEY, NULL));
    finish();
    ERR_clear_error();
    assert_true(count("login ") > 2);
    assert_int_equal(count("others can read it"), 1);
    assert_int_equal(count("hush"), 0);
    assert_int_equal(count("4711") + count("0815"), 0);
}

static void labels_make_no_lines(void **state)
{
    (void)state;
    tell("slot 2 label=two%%0Alogin%%22%%5C pin=1");
    start(":info");
    assert_null(open_key(&soft_w,
                         "pkcs11:token=two%0Alogin%22%5C;object=x?pin-value=2",
                         OSSL_STORE_INFO_PKEY, NULL));
    ERR_clear_error();
    finish();
    assert_int_equal(count("\nlogin\""), 0);
    assert_true(count("token=\"two\\x0alogin\\x22\\x5c\"") > 0);
}

/* --- the life of the file --- */

static int log_fd(void)
{
    struct stat want, is;
    int fd;

    assert_int_equal(stat(path, &want), 0);
    for (fd = 3; fd < 256; fd++)
        if (fstat(fd, &is) == 0 && is.st_ino == want.st_ino &&
            is.st_dev == want.st_dev)
            return fd;
    return -1;
}

/* a daemon that closes all, and whose next file gets the number */
static void not_into_a_stranger(void **state)
{
    char other[320];
    struct stat st;
    int fd;

    (void)state;
    snprintf(other, sizeof(other), "%s/other", dir);
    start(":info");
    fd = log_fd();
    assert_true(fd > 2);
    close(fd);
    assert_int_equal(open(other, O_RDWR | O_CREAT, 0600), fd);
    use();
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 0);
    assert_true(log_fd() > 2); /* it goes on in its own */
    finish();
    assert_true(count("login ") > 0);
    assert_int_equal(close(fd), 0); /* nobody closed it for us */
}

static void no_place_no_log(void **state)
{
    char value[320];

    (void)state;
    snprintf(value, sizeof(value), "%s/nowhere/log:calls", dir);
    setenv("HWKEY_DEBUG", value, 1);
    assert_true(world_open(&log_w, "dh"));
    unsetenv("HWKEY_DEBUG");
    assert_int_equal(ERR_peek_error(), 0);
    use();
}

static void *chatter(void *arg)
{
    int i;

    for (i = 0; i < 500; i++)
        hwk_log(HWK_LOG_INFO, "chatter", "who", (const char *)arg, "what",
                "a line that is long enough to be torn if it could be");
    return NULL;
}

static void lines_stay_whole(void **state)
{
    static char names[3][2] = {"a", "b", "c"};
    pthread_t id[3];
    int i, status;
    pid_t pid;

    (void)state;
    start(":info");
    pid = fork();
    for (i = 0; i < 3; i++)
        pthread_create(&id[i], NULL, chatter, names[i]);
    for (i = 0; i < 3; i++)
        pthread_join(id[i], NULL);
    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    finish();
    assert_int_equal(count("\nchatter time="), 3000);
    assert_int_equal(count("if it could be\"\n"), 3000);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, soft_each, after)
    const struct CMUnitTest tests[] = {
        CASE(silent_by_default),   CASE(to_the_file_only),
        CASE(to_stderr_by_name),   CASE(levels),
        CASE(every_call),          CASE(form),
        CASE(no_secrets),          CASE(labels_make_no_lines),
        CASE(not_into_a_stranger), CASE(no_place_no_log),
        CASE(lines_stay_whole),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
