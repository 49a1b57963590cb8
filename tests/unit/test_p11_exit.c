/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a process, or of what it loaded, in every order: no crash, no
 * deadlock, and a module that is touched after its end would abort. On the
 * tests' own module, and by the name test_p11_exit_softhsm on SoftHSM2. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "tests/lib/p11_plugin.h"
#include "tests/lib/p11_soft.h"
#include "tests/lib/softhsm.h"

#define URI "pkcs11:token=soft;object=k?pin-value=1234"

/* asked by LeakSanitizer: what a child leaves open on purpose is no leak */
static int is_child;
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return is_child;
}

static char libs[400], dir[300];
static void *plugin;
static plugin_begin_fn *begin_in;
static plugin_sign_fn *sign_in;
static plugin_make_fn *make_in;
static plugin_end_fn *free_key, *unload;

/* --- a token with a key, in a file that children read --- */

static bool load_plugin(void);

/* by a process of its own, as everything here */
static int make_key(void)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(load_plugin() && make_in(libs, URI) ? 0 : 1);
    waitpid(pid, &status, 0);
    return status;
}

/* a file in dir, and the variable that names it */
static bool configure(const char *name, const char *variable, const char *text)
{
    char path[500];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    if (f == NULL)
        return false;
    fputs(text, f);
    setenv(variable, path, 1);
    return fclose(f) == 0;
}

static bool own_module(void)
{
    char text[500], path[500];

    snprintf(path, sizeof(path), "%s/p11soft.so", libs);
    setenv("HWKEY_PKCS11_MODULE", path, 1);
    snprintf(text, sizeof(text), "slot 1 label=soft file=%s/token\n", dir);
    return configure("conf", "P11SOFT_CONF", text);
}

static bool softhsm(void)
{
    const char *module = softhsm_module();

    if (module == NULL)
        return false;
    setenv("HWKEY_PKCS11_MODULE", module, 1);
    return softhsm_use(dir, dir) && softhsm_token("soft");
}

static bool on_softhsm;

static int begin(void **state)
{
    const char *top = getenv("top_builddir");

    (void)state;
    snprintf(libs, sizeof(libs), "%s/.libs", top != NULL ? top : ".");
    snprintf(dir, sizeof(dir), "%s/hwkexit.XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    if (mkdtemp(dir) == NULL)
        return -1;
    setenv("OPENSSL_CONF", "/dev/null", 1);
    return (on_softhsm ? softhsm() : own_module()) ? make_key() : -1;
}

static int end(void **state)
{
    char command[400];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

/* --- what happens at the end; in a child --- */

static bool load_plugin(void)
{
    char path[500];

    snprintf(path, sizeof(path), "%s/p11plugin.so", libs);
    plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (plugin == NULL)
        return false;
    *(void **)(void *)&begin_in = dlsym(plugin, "plugin_begin");
    *(void **)(void *)&sign_in = dlsym(plugin, "plugin_sign");
    *(void **)(void *)&make_in = dlsym(plugin, "plugin_make");
    *(void **)(void *)&free_key = dlsym(plugin, "plugin_free_key");
    *(void **)(void *)&unload = dlsym(plugin, "plugin_unload");
    return begin_in != NULL && sign_in != NULL && make_in != NULL &&
           free_key != NULL && unload != NULL;
}

static void free_at_exit(void)
{
    free_key();
}

static void sign_at_exit(void)
{
    if (!sign_in())
        _exit(3);
}

/* the module may have ended: no signature, an error, no crash */
static void sign_too_late(void)
{
    if (sign_in() || ERR_peek_error() == 0)
        _exit(4);
    ERR_clear_error();
}

static void keys_open(void)
{
    exit(0);
}

static void freed_first(void)
{
    free_key();
    exit(0);
}

static void cleanup(void)
{
    free_key();
    OPENSSL_cleanup();
    exit(0);
}

static void cleanup_with_key(void)
{
    OPENSSL_cleanup();
    exit(0);
}

static void unloaded(void)
{
    free_key();
    unload();
    exit(0);
}

static void unloaded_with_key(void)
{
    unload();
    free_key();
    exit(0);
}

static void freed_in_handler(void)
{
    atexit(free_at_exit);
    exit(0);
}

static void signs_in_handler(void)
{
    atexit(sign_at_exit);
    exit(0);
}

static void plugin_closed(void)
{
    dlclose(plugin);
    exit(0);
}

static void plugin_unloads_and_closes(void)
{
    free_key();
    unload();
    dlclose(plugin);
    exit(0);
}

static void end_early(void)
{
    _exit(0);
}

static void *exits(void *arg)
{
    (void)arg;
    exit(0);
}

static void in_a_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, exits, NULL) == 0)
        pthread_join(thread, NULL);
}

static void another_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
}

/* the child goes by its handlers; the parent is not disturbed */
static void a_child_first(void)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        exit(0);
    if (waitpid(pid, &status, 0) != pid || status != 0 || !sign_in())
        _exit(5);
    free_key();
    exit(0);
}

static void a_child_signs(void)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        exit(sign_in() ? 0 : 1);
    if (waitpid(pid, &status, 0) != pid || status != 0 || !sign_in())
        _exit(6);
    exit(0);
}

static const struct {
    const char *name;
    void (*end)(void);
    void (*handler)(void); /* registered before the providers come */
} ways[] = {
    {"keys open", keys_open, NULL},
    {"keys freed", freed_first, NULL},
    {"OPENSSL_cleanup", cleanup, NULL},
    {"OPENSSL_cleanup with a key", cleanup_with_key, NULL},
    {"unloaded", unloaded, NULL},
    {"unloaded before the key", unloaded_with_key, NULL},
    {"freed in a handler", freed_in_handler, NULL},
    {"freed in an early handler", keys_open, free_at_exit},
    {"used in a handler", signs_in_handler, NULL},
    {"used in an early handler", keys_open, sign_too_late},
    {"plugin closed", plugin_closed, NULL},
    {"plugin unloads and is closed", plugin_unloads_and_closes, NULL},
    {"_exit", end_early, NULL},
    {"exit in a thread", in_a_thread, NULL},
    {"another program", another_program, NULL},
    {"a child first", a_child_first, NULL},
    {"a child signs first", a_child_signs, NULL},
};

static int child_that(void (*go)(void), void (*handler)(void),
                      const char *order, int own_context)
{
    is_child = 1;
    signal(SIGSEGV, SIG_DFL); /* cmocka would go on with the next test */
    signal(SIGBUS, SIG_DFL);
    alarm(60 * (getenv("IDEVID_PATIENCE")
                    ? 20
                    : 1)); /* a deadlock ends as SIGALRM */
    /* its own handler comes first, and so last */
    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL);
    if (!load_plugin())
        return 100;
    if (handler != NULL)
        atexit(handler);
    if (!begin_in(order, libs, URI, own_context)) {
        ERR_print_errors_fp(stderr);
        return 101;
    }
    go();
    return 102;
}

#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* the status of its process */
static int run(size_t way, const char *order, int own_context)
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0)
        _exit(child_that(ways[way].end, ways[way].handler, order, own_context));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void in_order(const char *order, int own_context)
{
    size_t i;

    for (i = 0; i < WAYS; i++) {
        int status = run(i, order, own_context);

        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail_msg("%s, %s: %s %d", order, ways[i].name,
                     WIFSIGNALED(status) ? "signal" : "exit code",
                     WIFSIGNALED(status) ? WTERMSIG(status)
                                         : WEXITSTATUS(status));
    }
}

static void default_first(void **state)
{
    (void)state;
    in_order("dh", 0);
}

static void default_last(void **state)
{
    (void)state;
    in_order("hd", 0);
}

static void default_first_own_context(void **state)
{
    (void)state;
    in_order("dh", 1);
}

static void default_last_own_context(void **state)
{
    (void)state;
    in_order("hd", 1);
}

static void conf_at_the_end(const char *action)
{
    char text[500];

    snprintf(text, sizeof(text),
             "slot 1 label=soft file=%s/token\non C_Finalize %s\n", dir,
             action);
    assert_true(configure("conf", "P11SOFT_CONF", text));
}

/* A module that crashes at its end is left in peace by a process that ends;
 * only who frees the library context ends it. */
static void bad_end(void **state)
{
    size_t i;
    int own;

    (void)state;
    conf_at_the_end("kill");
    for (i = 0; i < WAYS; i++)
        for (own = 0; own < 2; own++) {
            bool ends = own == 1 && (ways[i].end == unloaded ||
                                     ways[i].end == plugin_unloads_and_closes);
            int status = run(i, "dh", own);

            if (ends ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL
                     : status != 0)
                fail_msg("%s: status %#x", ways[i].name, (unsigned)status);
        }
}

/* --- a module that does not come back from its end --- */

static const struct p11soft *soft;

static void control_module(void)
{
    p11soft_control_fn *control;
    char path[500];

    snprintf(path, sizeof(path), "%s/p11soft.so", libs);
    *(void **)(void *)&control =
        dlsym(dlopen(path, RTLD_NOW | RTLD_LOCAL), "p11soft_control");
    soft = control();
}

static bool alone(void)
{
    DIR *d = opendir("/proc/self/task");
    struct dirent *e;
    int n = 0;

    while ((e = readdir(d)) != NULL)
        n += e->d_name[0] != '.';
    closedir(d);
    return n == 1;
}

/* the module comes back when the provider is gone from the process */
static void hangs_and_returns(void)
{
    free_key();
    unload();
    dlclose(plugin);
    soft->await_held(1); /* it is still there */
    soft->tell("release");
    while (!alone())
        sched_yield();
    exit(0);
}

/* used again: an error meanwhile, and as ever afterwards */
static void hangs_and_is_used(void)
{
    free_key();
    unload();
    if (begin_in("dh", libs, URI, 1))
        _exit(7);
    if (strstr(ERR_reason_error_string(ERR_peek_last_error()), "module") ==
        NULL)
        _exit(8);
    soft->tell("release");
    while (!alone())
        sched_yield();
    unload();
    soft->tell("forget");
    if (!begin_in("dh", libs, URI, 1) || !sign_in())
        _exit(9);
    exit(0);
}

static void *unload_it(void *arg)
{
    free_key();
    unload();
    return arg;
}

/* who exits does not wait for it */
static void hangs_in_a_thread(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, unload_it, NULL);
    soft->await_held(1);
    exit(0);
}

static void hangs(void **state)
{
    static const struct {
        const char *name;
        void (*end)(void);
    } t[] = {
        {"nothing more", unloaded},
        {"the plugin closed", plugin_unloads_and_closes},
        {"it returns", hangs_and_returns},
        {"it is used again", hangs_and_is_used},
        {"in a thread", hangs_in_a_thread},
    };
    size_t i;

    (void)state;
    conf_at_the_end("hold");
    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        int status;
        pid_t pid;

        fflush(NULL);
        pid = fork();
        if (pid == 0) {
            control_module();
            _exit(child_that(t[i].end, NULL, "dh", 1));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0)
            fail_msg("%s: status %#x", t[i].name, (unsigned)status);
    }
}

#define EVERYWHERE                                                             \
    cmocka_unit_test(default_first), cmocka_unit_test(default_last),           \
        cmocka_unit_test(default_first_own_context),                           \
        cmocka_unit_test(default_last_own_context)

int main(int argc, char **argv)
{
    const struct CMUnitTest real[] = {EVERYWHERE};
    const struct CMUnitTest ours[] = {EVERYWHERE, cmocka_unit_test(bad_end),
                                      cmocka_unit_test(hangs)};

    on_softhsm = argc > 0 && strstr(argv[0], "_softhsm") != NULL;
    if (on_softhsm)
        return cmocka_run_group_tests(real, begin, end);
    return cmocka_run_group_tests(ours, begin, end);
}
