/* SPDX-License-Identifier: Apache-2.0 */
/* What every program here does the same way: verbs, errors, exit codes. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/pem.h>

#include <idevid/auto.h>
#include <idevid/fs.h>

#include "provider/device.h"
#include "tool.h"

enum tool_exit tool_exit_of(idv_rc rc)
{
    switch (rc) {
    case IDV_OK:
        return TOOL_DONE;
    case IDV_E_FORMAT:
    case IDV_E_LIMIT:
    case IDV_E_CRYPTO:
    case IDV_E_REJECT:
    case IDV_E_STATE:
        return TOOL_REFUSED;
    case IDV_E_ARG:
        return TOOL_USAGE;
    case IDV_E_DEVICE:
    case IDV_E_UNABLE:
        return TOOL_DEVICE;
    case IDV_E_NET:
    case IDV_E_TIMEOUT:
        return TOOL_NETWORK;
    case IDV_E_NOMEM:
    case IDV_E_IO:
        return TOOL_INTERNAL;
    }
    return TOOL_INTERNAL;
}

int64_t tool_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- the PIN, from a terminal only ------------------------------------------
 */

static bool pin_read(FILE *tty, char *out, size_t max, size_t *n)
{
    struct termios saved, silent;
    bool got = false;
    if (tcgetattr(fileno(tty), &saved) != 0)
        return false;
    silent = saved;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(fileno(tty), TCSAFLUSH, &silent);
    char line[256];
    if (fgets(line, sizeof(line), tty)) {
        size_t len = strcspn(line, "\r\n");
        got = line[len] != 0 && len > 0 && len <= max;
        if (got)
            memcpy(out, line, len);
        *n = got ? len : 0;
    }
    OPENSSL_cleanse(line, sizeof(line));
    tcsetattr(fileno(tty), TCSAFLUSH, &saved);
    fputc('\n', tty);
    return got;
}

static bool pin_prompt(void *arg, const char *what, char *out, size_t max,
                       size_t *n)
{
    (void)arg;
    if (!isatty(STDIN_FILENO))
        return false;
    FILE *tty = fopen("/dev/tty", "r+e");
    if (!tty)
        return false;
    fprintf(tty, "PIN of %s: ", what);
    fflush(tty);
    bool got = pin_read(tty, out, max, n);
    fclose(tty);
    return got;
}

const struct idv_pin tool_pin = {pin_prompt, NULL};

/* --- output ------------------------------------------------------------------
 */

void tool_say(const struct tool *t, const char *fmt, ...)
{
    if (t->json || t->quiet)
        return;
    va_list ap;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

idv_rc tool_print(struct idv_bytes text)
{
    if (fwrite(text.p, 1, text.n, stdout) != text.n || fflush(stdout) != 0)
        return idv_fail(IDV_E_IO, "standard output: %s", strerror(errno));
    return IDV_OK;
}

idv_rc tool_print_json(struct idv_json *value)
{
    IDV_AUTO(buf) text = {0};
    idv_rc rc = value ? idv_json_dump(value, false, &text)
                      : idv_fail(IDV_E_NOMEM, "out of memory");
    idv_json_free(value);
    IDV_TRY(rc);
    IDV_TRY(idv_buf_puts(&text, "\n"));
    return tool_print(idv_view(&text));
}

static idv_rc read_stdin(struct idv_buf *out)
{
    uint8_t chunk[4096];
    size_t n;
    out->max = IDV_MAX_FILE;
    while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
        IDV_TRY(idv_buf_put(out, idv_bytes(chunk, n)));
    if (ferror(stdin))
        return idv_fail(IDV_E_IO, "standard input: %s", strerror(errno));
    return IDV_OK;
}

idv_rc tool_read(const char *path, struct idv_buf *out)
{
    if (strcmp(path, "-") == 0)
        return read_stdin(out);
    return idv_fs_read(path, IDV_MAX_FILE, out);
}

idv_rc tool_write(const char *path, struct idv_bytes data)
{
    if (!path || strcmp(path, "-") == 0)
        return tool_print(data);
    return idv_fs_write(path, data, 0644);
}

/* --- options ------------------------------------------------------------ */

static const struct tool_option *find_in(const struct tool_option *o,
                                         const char *name, size_t n)
{
    for (; o && o->name; o++) {
        if (n == 0 ? o->letter == *name
                   : strlen(o->name) == n && strncmp(o->name, name, n) == 0)
            return o;
    }
    return NULL;
}

static const struct tool_option *find_option(const struct tool *t,
                                             const struct tool_verb *v,
                                             const struct tool_option *common,
                                             const char *name, size_t n)
{
    const struct tool_option *o = find_in(common, name, n);
    if (!o)
        o = find_in(t->options, name, n);
    if (!o && v)
        o = find_in(v->options, name, n);
    return o;
}

static idv_rc take_value(const struct tool_option *o, const char *value)
{
    if (o->value) {
        if (*o->value)
            return idv_fail(IDV_E_ARG, "--%s: given twice", o->name);
        *o->value = value;
        return IDV_OK;
    }
    for (size_t i = 0; i < TOOL_LIST_MAX; i++) {
        if (!o->list[i]) {
            o->list[i] = value;
            return IDV_OK;
        }
    }
    return idv_fail(IDV_E_ARG, "--%s: given more than %d times", o->name,
                    TOOL_LIST_MAX);
}

/* One argument that begins with '-'; *i moves over a separate value. */
static idv_rc take_option(const struct tool *t, const struct tool_verb *v,
                          const struct tool_option *common, int argc,
                          char **argv, int *i)
{
    const char *a = argv[*i], *eq = NULL;
    const struct tool_option *o;
    if (a[1] == '-') {
        eq = strchr(a, '=');
        o = find_option(t, v, common, a + 2,
                        eq ? (size_t)(eq - a - 2) : strlen(a + 2));
    } else {
        o = a[2] ? NULL : find_option(t, v, common, a + 1, 0);
    }
    if (!o)
        return idv_fail(IDV_E_ARG, "unknown option %s (see --help)", a);
    if (!o->arg && eq)
        return idv_fail(IDV_E_ARG, "--%s: takes no value", o->name);
    if (!o->arg) {
        *o->flag = true;
        return IDV_OK;
    }
    if (eq)
        return take_value(o, eq + 1);
    if (*i + 1 >= argc)
        return idv_fail(IDV_E_ARG, "--%s: its value is missing", o->name);
    return take_value(o, argv[++*i]);
}

/* Options out, operands moved to the front: *n of them. */
static idv_rc parse(const struct tool *t, const struct tool_verb **v,
                    const struct tool_option *common, int argc, char **argv,
                    int *n)
{
    bool only_operands = false;
    *n = 0;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (!only_operands && strcmp(a, "--") == 0) {
            only_operands = true;
        } else if (!only_operands && a[0] == '-' && a[1]) {
            IDV_TRY(take_option(t, *v, common, argc, argv, &i));
        } else if (!*v) {
            for (*v = t->verbs; (*v)->name && strcmp((*v)->name, a) != 0;)
                ++*v;
            if (!(*v)->name) {
                *v = NULL;
                return idv_fail(IDV_E_ARG, "unknown command '%s' (see --help)",
                                a);
            }
        } else {
            argv[(*n)++] = argv[i];
        }
    }
    return IDV_OK;
}

/* --- help --------------------------------------------------------------- */

static void print_options(const struct tool_option *o)
{
    for (; o && o->name; o++) {
        char left[64];
        if (!o->help)
            continue;
        int n = o->letter ? snprintf(left, sizeof(left), "-%c, --%s", o->letter,
                                     o->name)
                          : snprintf(left, sizeof(left), "    --%s", o->name);
        if (o->arg && n > 0 && (size_t)n < sizeof(left))
            snprintf(left + n, sizeof(left) - (size_t)n, " %s", o->arg);
        printf("  %-28s %s\n", left, o->help);
    }
}

static void help_verb(const struct tool *t, const struct tool_verb *v,
                      const struct tool_option *common)
{
    printf("usage: %s %s [options]%s%s\n\n%s\n", t->name, v->name,
           *v->args ? " " : "", v->args, v->help);
    if (v->options && v->options->name)
        printf("\noptions of %s:\n", v->name);
    print_options(v->options);
    printf("\noptions of every command:\n");
    print_options(t->options);
    print_options(common);
}

static void help(const struct tool *t, const struct tool_verb *v,
                 const struct tool_option *common)
{
    if (v) {
        help_verb(t, v, common);
        return;
    }
    printf("usage: %s COMMAND [options]\n\n%s\n\ncommands:\n", t->name,
           t->about);
    for (v = t->verbs; v->name; v++) {
        char left[64];
        snprintf(left, sizeof(left), "%s %s", v->name, v->args);
        printf("  %-28s %s\n", left, v->help);
    }
    printf("\noptions of every command (%s COMMAND --help has its own):\n",
           t->name);
    print_options(t->options);
    print_options(common);
    if (t->environment)
        printf("\nenvironment:\n%s", t->environment);
    printf("\nexit codes: 0 done, 1 refused, 2 usage or configuration, "
           "3 device,\n4 network, 5 internal or out of resources\n");
}

/* --- running ------------------------------------------------------------ */

static int end(const struct tool *t, idv_rc rc)
{
    if (rc == IDV_OK) {
        if (fflush(stdout) == 0 && !ferror(stdout))
            return (int)t->exit;
        rc = idv_fail(IDV_E_IO, "standard output: %s", strerror(errno));
    }
    const char *note = idv_note();
    fprintf(stderr, "%s: %s\n", t->name, *note ? note : idv_rc_name(rc));
    return t->exit != TOOL_DONE ? (int)t->exit : (int)tool_exit_of(rc);
}

static idv_rc check_arity(const struct tool_verb *v, int n)
{
    if (n < v->min_args)
        return idv_fail(IDV_E_ARG, "%s: %s is missing (see %s --help)", v->name,
                        v->args, v->name);
    if (v->max_args >= 0 && n > v->max_args)
        return idv_fail(IDV_E_ARG, "%s: too many arguments (see %s --help)",
                        v->name, v->name);
    return IDV_OK;
}

/* The configuration of the directory that argv begins with. */
static idv_rc find_conf(struct tool *t, int n, char **argv)
{
    static char path[1024];
    struct stat st;
    if (t->conf_path || !t->conf_in_dir || n < 1 || stat(argv[0], &st) != 0 ||
        !S_ISDIR(st.st_mode))
        return IDV_OK;
    if (snprintf(path, sizeof(path), "%s/%s", argv[0], t->conf_in_dir) >=
        (int)sizeof(path))
        return idv_fail(IDV_E_ARG, "%s: path too long", argv[0]);
    t->conf_path = path;
    return IDV_OK;
}

idv_rc tool_read_conf(const struct tool *t, void *conf)
{
    IDV_TRY(idv_conf_load(t->conf_table, t->conf_path, conf));
    idv_rc rc = t->check ? t->check(conf) : IDV_OK;
    if (rc != IDV_OK)
        idv_conf_free(t->conf_table, conf);
    return rc;
}

static idv_rc load_conf(struct tool *t, int n, char **argv)
{
    if (!t->conf_table)
        return IDV_OK;
    IDV_TRY(find_conf(t, n, argv));
    if (!t->conf_path)
        return IDV_OK;
    IDV_TRY(tool_read_conf(t, t->conf));
    return t->configure ? t->configure(t) : IDV_OK;
}

idv_rc tool_reload(struct tool *t, size_t size)
{
    void *next = calloc(1, size);
    if (!next)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = tool_read_conf(t, next);
    if (rc == IDV_OK) {
        idv_conf_free(t->conf_table, t->conf);
        memcpy(t->conf, next, size);
        rc = t->configure ? t->configure(t) : IDV_OK;
    }
    free(next);
    return rc;
}

idv_rc tool_open_provider(struct tool *t)
{
    return idv_provider_setup(hwk_provider_init, &t->provider);
}

static idv_rc print_table(const struct idv_conf_table *table,
                          idv_rc (*as)(const struct idv_conf_table *,
                                       struct idv_buf *))
{
    IDV_AUTO(buf) text = {0};
    IDV_TRY(as(table, &text));
    return tool_print(idv_view(&text));
}

static void begin(struct tool *t)
{
    idv_env_system_init(&t->sys, t->name);
    t->sys.level = t->verbose ? IDV_LOG_DEBUG : IDV_LOG_ERROR;
    t->env = &t->sys.env;
}

static idv_rc run_verb(struct tool *t, const struct tool_verb *v, int n,
                       char **argv)
{
    IDV_TRY(check_arity(v, n));
    begin(t);
    if (v->configured)
        IDV_TRY(load_conf(t, n, argv));
    if (!t->deviceless || strcmp(t->deviceless, v->name) != 0)
        IDV_TRY(tool_open_provider(t));
    return v->run(t, n, argv);
}

struct asked {
    bool help, version, test, sample, maker_sample, mdoc;
};

/* run --test: also what run would open */
static idv_rc test(struct tool *t, const struct tool_verb *v)
{
    IDV_TRY(tool_read_conf(t, t->conf));
    if (v && strcmp(v->name, "run") == 0 && t->probe) {
        begin(t);
        if (!t->verbose && !t->quiet) /* what run would warn of */
            t->sys.level = IDV_LOG_WARN;
        IDV_TRY(t->configure ? t->configure(t) : IDV_OK);
        IDV_TRY(tool_open_provider(t));
        IDV_TRY(t->probe(t));
    }
    tool_say(t, "%s: in order", t->conf_path);
    return IDV_OK;
}

/* What is answered without running a verb; *done says that it was. */
static idv_rc answer(struct tool *t, const struct asked *asked,
                     const struct tool_verb *v,
                     const struct tool_option *common, bool *done)
{
    *done = true;
    if (asked->version)
        printf("%s %s\n", t->name, PACKAGE_VERSION);
    else if (asked->help)
        help(t, v, common);
    else if (asked->sample)
        return print_table(t->conf_table, idv_conf_sample);
    else if (asked->maker_sample)
        return print_table(t->maker_table, idv_conf_sample);
    else if (asked->mdoc) {
        IDV_TRY(print_table(t->conf_table, idv_conf_mdoc));
        return t->maker_table ? print_table(t->maker_table, idv_conf_mdoc)
                              : IDV_OK;
    } else if (asked->test) {
        if (!t->conf_path)
            return idv_fail(IDV_E_ARG, "--test: --conf FILE is missing");
        IDV_TRY(test(t, v));
    } else
        *done = false;
    return IDV_OK;
}

int tool_main(struct tool *t, int argc, char **argv)
{
    struct asked asked = {0};
    const char *conf_path = NULL;
    const struct tool_option common[] = {
        {"json", 0, NULL, "print JSON, for scripts", NULL, &t->json, NULL},
        {"quiet", 'q', NULL, "print errors only", NULL, &t->quiet, NULL},
        {"verbose", 'v', NULL, "log what happens", NULL, &t->verbose, NULL},
        {"help", 'h', NULL, "this text", NULL, &asked.help, NULL},
        {"version", 0, NULL, "the version", NULL, &asked.version, NULL},
        {t->conf_table ? "conf" : NULL, 'c', "FILE", "the configuration file",
         &conf_path, NULL, NULL},
        {"test", 't', NULL, "check the configuration and exit", NULL,
         &asked.test, NULL},
        {"sample", 0, NULL, "print a sample configuration and exit", NULL,
         &asked.sample, NULL},
        {"mdoc", 0, NULL, NULL, NULL, &asked.mdoc, NULL}, /* for the manual */
        {t->maker_table ? "maker-sample" : NULL, 0, NULL,
         "print a sample file of a maker and exit", NULL, &asked.maker_sample,
         NULL},
        {0}};
    const struct tool_verb *v = NULL;
    int n = 0;
    bool done = false;
    signal(SIGPIPE, SIG_IGN);
    setenv("TSS2_LOG", "all+NONE", 0); /* what went wrong is said by us */
    idv_rc rc = parse(t, &v, common, argc, argv, &n);
    if (conf_path)
        t->conf_path = conf_path;
    if (rc == IDV_OK)
        rc = answer(t, &asked, v, common, &done);
    if (rc == IDV_OK && !done && !v)
        rc = idv_fail(IDV_E_ARG, "a command is missing (see --help)");
    if (rc == IDV_OK && !done)
        rc = run_verb(t, v, n, argv);
    if (t->conf_table)
        idv_conf_free(t->conf_table, t->conf);
    return end(t, rc);
}

idv_rc tool_public_key(const char *file, EVP_PKEY **out)
{
    IDV_AUTO(buf) pem = {0};
    IDV_TRY(idv_fs_read(file, 0, &pem));
    IDV_AUTO_PTR(BIO) bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    if (!key)
        return idv_fail(IDV_E_FORMAT, "%s: no public key in PEM", file);
    *out = key;
    return IDV_OK;
}
