/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: every type read, every fault named with its line. */
#include "codec.h"

#include <idevid/conf.h>

struct sample {
    char *name, *dir, *key;
    int64_t port;
    bool open;
    int clock;
    char **peers, **anchors;
};

static idv_rc no_spaces(const char *value)
{
    if (!*value)
        return idv_fail(IDV_E_ARG, "asked about a value that is not good");
    if (strchr(value, ' '))
        return idv_fail(IDV_E_ARG, "name: no blanks, please");
    return IDV_OK;
}

static const char *const clocks[] = {"auto", "trusted", "none", NULL};

static const struct idv_conf_entry entries[] = {
    {.section = "main",
     .key = "name",
     .type = IDV_CONF_TEXT,
     .offset = offsetof(struct sample, name),
     .help = "What this one is called, in a sentence that is long enough to be "
             "broken into two lines of the sample.",
     .required = true,
     .check = no_spaces},
    {.section = "main",
     .key = "dir",
     .type = IDV_CONF_PATH,
     .offset = offsetof(struct sample, dir),
     .fallback = "/var/lib/x",
     .help = "Where things are kept."},
    {.section = "main",
     .key = "key",
     .type = IDV_CONF_URI,
     .offset = offsetof(struct sample, key),
     .help = "The key."},
    {.section = "net",
     .key = "port",
     .type = IDV_CONF_INT,
     .offset = offsetof(struct sample, port),
     .fallback = "8443",
     .min = 0,
     .max = 65535,
     .help = "The port."},
    {.section = "net",
     .key = "open",
     .type = IDV_CONF_BOOL,
     .offset = offsetof(struct sample, open),
     .fallback = "yes",
     .help = "Open or not."},
    {.section = "net",
     .key = "clock",
     .type = IDV_CONF_ENUM,
     .offset = offsetof(struct sample, clock),
     .fallback = "none",
     .words = clocks,
     .help = "Which clock."},
    {.section = "net",
     .key = "peers",
     .type = IDV_CONF_LIST,
     .offset = offsetof(struct sample, peers),
     .help = "Who may call."},
    {.section = "net",
     .key = "anchors",
     .type = IDV_CONF_PATHS,
     .offset = offsetof(struct sample, anchors),
     .help = "Files."},
};
static const struct idv_conf_table table = {
    "sampled", "Configuration of sampled.", entries,
    sizeof(entries) / sizeof(*entries)};

static idv_rc parse(const char *text, struct sample *out)
{
    return idv_conf_parse(&table, "f.ini", "/etc/x", idv_str(text), out);
}

static void reads(void **state)
{
    struct sample s = {0};
    (void)state;
    OK(parse("\xef\xbb\xbf# c\n; c\n\n [ main ]\r\n name =  Bob \r\n"
             "dir=\" a b \"\nkey = pkcs11:token=x;object=y\n"
             "[net]\nport = 0\nopen = OFF\nclock = trusted\n"
             "peers = a, b c\npeers = d\nanchors = /r one.pem\n",
             &s));
    assert_string_equal(s.name, "Bob");
    assert_string_equal(s.dir, "/etc/x/ a b ");
    assert_string_equal(s.key, "pkcs11:token=x;object=y");
    assert_int_equal(s.port, 0);
    assert_false(s.open);
    assert_int_equal(s.clock, 1);
    assert_int_equal(idv_list_count(s.peers), 4);
    assert_string_equal(s.peers[3], "d");
    assert_string_equal(s.anchors[0], "/r");
    assert_string_equal(s.anchors[1], "/etc/x/one.pem");
    idv_conf_free(&table, &s);
    assert_null(s.name);
    assert_null(s.peers);
}

static void defaults(void **state)
{
    struct sample s = {0};
    (void)state;
    OK(parse("[main]\nname=x\nkey=k.pem", &s));
    assert_string_equal(s.dir, "/var/lib/x");
    assert_string_equal(s.key, "/etc/x/k.pem");
    assert_int_equal(s.port, 8443);
    assert_true(s.open);
    assert_int_equal(s.clock, 2);
    assert_null(s.peers);
    idv_conf_free(&table, &s);
}

static void refuses(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"[main]\nname=x\n[nets]\n", "f.ini:3: unknown section [nets]"},
        {"[main]\nnames=x\n", "f.ini:2: unknown key 'names' in [main]"},
        {"[net]\nname=x\n", "f.ini:2: unknown key 'name' in [net]"},
        {"[main]\nname=x\n\nname=y\n", "f.ini:4: 'name' given again, first in "
                                       "line 2"},
        {"[main]\n", "f.ini: no 'name' in [main]"},
        {"", "f.ini: no 'name' in [main]"},
        {"name=x\n", "f.ini:1: 'name' before any [section]"},
        {"[main\n", "f.ini:1: '['"},
        {"[main]\nname\n", "f.ini:2: neither"},
        {"[main]\nname=\n", "f.ini:2: name: is empty"},
        {"[main]\nname=\"x\n", "f.ini:2: quote"},
        {"[main]\nname=\"\n", "f.ini:2: quote"},
        {"[main]\nname=a b\n", "f.ini:2: name: no blanks"},
        {"[main]\nname=a\x01\n", "f.ini:2: not UTF-8"},
        {"[main]\nname=a\xff\n", "f.ini:2: not UTF-8"},
        {"[net]\nport=65536\n", "f.ini:2: port: not a whole number from 0"},
        {"[net]\nport=8443x\n", "f.ini:2: port"},
        {"[net]\nport=\n", "f.ini:2: port"},
        {"[net]\nopen=maybe\n", "f.ini:2: open: neither yes nor no"},
        {"[net]\nclock=sun\n",
         "f.ini:2: clock: 'sun' is none of: auto, trusted, none"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct sample s = {0}, zero = {0};
        FAILS(IDV_E_ARG, bad[i].why, parse(bad[i].text, &s));
        assert_memory_equal(&s, &zero, sizeof(s));
    }
    struct sample s = {0};
    FAILS(IDV_E_ARG, "f.ini:2",
          idv_conf_parse(&table, "f.ini", "",
                         idv_bytes("[main]\nname=a\0b", 15), &s));
}

static void required_lists_hold_something(void **state)
{
    static const struct idv_conf_entry one[] = {
        {.section = "net",
         .key = "peers",
         .type = IDV_CONF_LIST,
         .offset = offsetof(struct sample, peers),
         .help = "Who may call.",
         .required = true}};
    static const struct idv_conf_table need = {"needed", "Peers.", one, 1};
    static const char *const empty[] = {
        "[net]\npeers =\n", "[net]\npeers = , ,\n", "[net]\npeers = \"\"\n"};
    struct sample s = {0};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        FAILS(IDV_E_ARG, "f.ini:2: peers: is empty",
              idv_conf_parse(&need, "f.ini", "", idv_str(empty[i]), &s));
    OK(idv_conf_parse(&need, "f.ini", "", idv_str("[net]\npeers=a\npeers=\n"),
                      &s));
    assert_int_equal(idv_list_count(s.peers), 1);
    idv_conf_free(&need, &s);
    OK(parse("[main]\nname=x\n[net]\npeers =\n", &s));
    assert_null(s.peers);
    idv_conf_free(&table, &s);
}

static void loads(void **state)
{
    char dir[64], path[128], want[160];
    struct sample s = {0};
    (void)state;
    test_dir(dir);
    snprintf(path, sizeof(path), "%s/a.ini", dir);
    OK(idv_fs_write(path, idv_str("[main]\nname=x\ndir=d\n"), 0644));
    OK(idv_conf_load(&table, path, &s));
    snprintf(want, sizeof(want), "%s/d", dir);
    assert_string_equal(s.dir, want);
    idv_conf_free(&table, &s);
    FAILS(IDV_E_IO, "cannot open", idv_conf_load(&table, "/nowhere/x", &s));
    test_dir_drop(dir);
}

/* the sample is a valid file once its required key is filled in */
static void prints(void **state)
{
    IDV_AUTO(buf) text = {0};
    IDV_AUTO(buf) filled = {0};
    struct sample s = {0};
    (void)state;
    OK(idv_conf_sample(&table, &text));
    assert_non_null(strstr((char *)text.p, "\n#port = 8443\n"));
    assert_non_null(strstr((char *)text.p, "(number, 0 to 65535)"));
    char *at = strstr((char *)text.p, "\nname =");
    assert_non_null(at);
    size_t n = (size_t)(at - (char *)text.p) + 7;
    OK(idv_buf_put(&filled, idv_bytes(text.p, n)));
    OK(idv_buf_puts(&filled, " x"));
    OK(idv_buf_puts(&filled, (char *)text.p + n));
    OK(parse((char *)filled.p, &s));
    idv_conf_free(&table, &s);
    for (char *l = strtok((char *)text.p, "\n"); l; l = strtok(NULL, "\n"))
        assert_true(strlen(l) <= 80);
    idv_buf_clear(&filled);
    OK(idv_conf_help(&table, &filled));
    assert_non_null(strstr((char *)filled.p, "one of auto, trusted, none; "
                                             "default none"));
    idv_buf_clear(&filled);
    OK(idv_conf_mdoc(&table, &filled));
    assert_non_null(strstr((char *)filled.p, ".It Ic port\n"));
}

static void prints_whole_or_nothing(void **state)
{
    static idv_rc (*const print[])(const struct idv_conf_table *,
                                   struct idv_buf *) = {
        idv_conf_sample, idv_conf_help, idv_conf_mdoc};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        IDV_AUTO(buf) small = {.max = 200};
        OK(idv_buf_puts(&small, "x"));
        FAILS(IDV_E_LIMIT, "more than", print[i](&table, &small));
        assert_string_equal((char *)small.p, "x");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(defaults),
        cmocka_unit_test(refuses),
        cmocka_unit_test(loads),
        cmocka_unit_test(prints),
        cmocka_unit_test(required_lists_hold_something),
        cmocka_unit_test(prints_whole_or_nothing),
    };
    return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
