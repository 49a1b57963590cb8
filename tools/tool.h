/* SPDX-License-Identifier: Apache-2.0 */
/* What every program here does the same way: options, errors, exit codes. */
#ifndef TOOL_H
#define TOOL_H

#include <stdbool.h>

#include <idevid/conf.h>
#include <idevid/env.h>
#include <idevid/json.h>
#include <idevid/key.h>
#include <idevid/limits.h>

/* Exit codes; the man pages list them. */
enum tool_exit {
    TOOL_DONE = 0,
    TOOL_REFUSED = 1,  /* verification or policy, also malformed input */
    TOOL_USAGE = 2,    /* options, configuration, unknown URI */
    TOOL_DEVICE = 3,   /* TPM or token: missing, wrong PIN, failing */
    TOOL_NETWORK = 4,  /* also a port in use */
    TOOL_INTERNAL = 5, /* a bug, no memory, no room on disk, a file error */
};
enum tool_exit tool_exit_of(idv_rc rc);

/* One option. arg NULL makes it a switch. Repeatable ones collect up to
 * TOOL_LIST_MAX values. */
#define TOOL_LIST_MAX 16
struct tool_option {
    const char *name;   /* long name without "--" */
    char letter;        /* or 0 */
    const char *arg;    /* name of its value in --help, or NULL */
    const char *help;   /* NULL: not listed */
    const char **value; /* where the value goes (borrowed from argv) */
    bool *flag;         /* switch */
    const char **list;  /* repeatable: TOOL_LIST_MAX + 1 entries, NULL-ended */
};

/* What every configuration says of the device and the clock. */
struct tool_device_conf {
    char *pkcs11_module, *tcti, *pin_file, *clock;
    char *owner_pin_file, *salt_key; /* a device's own programs */
    char *lockout_pin_file;          /* a factory */
};
#define TOOL_DEVICE_ENTRIES(struct_, member)                                   \
    {.section = "device",                                                      \
     .key = "pkcs11-module",                                                   \
     .type = IDV_CONF_PATH,                                                    \
     .offset = offsetof(struct_, member.pkcs11_module),                        \
     .help = "the PKCS#11 module"},                                            \
        {.section = "device",                                                  \
         .key = "tcti",                                                        \
         .type = IDV_CONF_TEXT,                                                \
         .offset = offsetof(struct_, member.tcti),                             \
         .help = "the TPM, as tpm2-tss names it"},                             \
        {.section = "device",                                                  \
         .key = "pin-file",                                                    \
         .type = IDV_CONF_PATH,                                                \
         .offset = offsetof(struct_, member.pin_file),                         \
         .help = "a private file with the token's PIN"},
#define TOOL_TPM_ENTRIES(struct_, member)                                      \
    {.section = "device",                                                      \
     .key = "owner-pin-file",                                                  \
     .type = IDV_CONF_PATH,                                                    \
     .offset = offsetof(struct_, member.owner_pin_file),                       \
     .help = "a private file with the value of the TPM's owner hierarchy, "    \
             "where it has one"},                                              \
        {.section = "device",                                                  \
         .key = "salt-key",                                                    \
         .type = IDV_CONF_TEXT,                                                \
         .offset = offsetof(struct_, member.salt_key),                         \
         .help = "the TPM's key, and its Name, that nobody on the bus can "    \
                 "stand in for: see hwkey-provider(7)"},
#define TOOL_CLOCK_ENTRY(struct_, member, clock_default)                       \
    {.section = "policy",                                                      \
     .key = "clock",                                                           \
     .type = IDV_CONF_TEXT,                                                    \
     .offset = offsetof(struct_, member.clock),                                \
     .fallback = clock_default,                                                \
     .help = "auto, trusted or none"},

struct tool;
/* Takes it over, for tool.configure. */
idv_rc tool_use_device_conf(struct tool *t,
                            const struct tool_device_conf *c) IDV_CHECKED;

struct tool_verb {
    const char *name;
    const char *args;                  /* "FILE ..." for --help, "" for none */
    const char *help;                  /* one line */
    int min_args, max_args;            /* max -1: any number */
    const struct tool_option *options; /* name NULL ends; may be NULL */
    idv_rc (*run)(struct tool *t, int argc, char **argv);
    bool configured; /* reads the configuration before it runs */
};

struct tool {
    const char *name;
    const char *about;                 /* one line */
    const struct tool_verb *verbs;     /* name NULL ends */
    const struct tool_option *options; /* for all verbs; name NULL ends */
    const char *environment;           /* text for --help, or NULL */
    const char *deviceless; /* a verb that opens no device itself, or NULL */
    /* programs with a configuration file: its table, default path, the
     * structure it fills, and what to take over from it before a verb runs */
    const struct idv_conf_table *conf_table;  /* or NULL */
    const struct idv_conf_table *maker_table; /* a file per maker, or NULL */
    const char *conf_path;
    /* or, with conf_path NULL, the file's name in the directory that is a
     * verb's first argument; one whose argument is no directory has none */
    const char *conf_in_dir;
    void *conf;
    /* what the table cannot say of a configuration; --test asks it, too */
    idv_rc (*check)(const void *conf);
    idv_rc (*configure)(struct tool *t);
    /* what run --test does beside reading the configuration; may be NULL */
    idv_rc (*probe)(struct tool *t);
    /* filled by tool_main: */
    struct idv_env_system sys;
    const struct idv_env *env;
    struct idv_provider_conf provider;
    bool json, quiet, verbose;
    enum tool_exit exit; /* a verb may set it beside returning IDV_OK */
};

/* The devices' provider as the configuration has it: done before a verb runs,
 * unless it is t->deviceless. */
idv_rc tool_open_provider(struct tool *t) IDV_CHECKED;
/* Reads and checks the configuration into conf, a zeroed structure. */
idv_rc tool_read_conf(const struct tool *t, void *conf) IDV_CHECKED;
/* Reads the configuration again; what there was stays if it is wrong. The
 * size is that of t->conf. */
idv_rc tool_reload(struct tool *t, size_t size) IDV_CHECKED;

/* Parses, runs the verb, prints one line for a failure, returns the code. */
int tool_main(struct tool *t, int argc, char **argv);

/* For struct tool.environment of programs that open devices. */
#define TOOL_DEVICE_ENVIRONMENT                                                \
    "  HWKEY_PKCS11_MODULE  the PKCS#11 module to load (a path)\n"             \
    "  HWKEY_TCTI           the TPM, as tpm2-tss names it\n"                   \
    "  HWKEY_PIN_FILE       a file with the PIN in its first line\n"

/* Prompts on the terminal; refuses without one. */
extern const struct idv_pin tool_pin;

/* Standard output: a line for people (not with --json or --quiet), a JSON
 * value in one line (value is freed). A full disk is an error. */
void tool_say(const struct tool *t, const char *fmt, ...) IDV_PRINTF(2, 3);
idv_rc tool_print_json(struct idv_json *value) IDV_CHECKED;
idv_rc tool_print(struct idv_bytes text) IDV_CHECKED;

/* A member of an object being built; empty text is left out. */
idv_rc tool_put_text(struct idv_json *o, const char *name,
                     const char *text) IDV_CHECKED;
idv_rc tool_put_int(struct idv_json *o, const char *name,
                    uint64_t v) IDV_CHECKED;
idv_rc tool_put_bool(struct idv_json *o, const char *name, bool v) IDV_CHECKED;
/* Prints o if what was put into it went well (rc); frees it either way. */
idv_rc tool_print_put(struct idv_json *o, idv_rc rc) IDV_CHECKED;

/* Reads a file, "-" is standard input. */
idv_rc tool_read(const char *path, struct idv_buf *out) IDV_CHECKED;
/* Writes a file whole or not at all; NULL or "-" is standard output. */
idv_rc tool_write(const char *path, struct idv_bytes data) IDV_CHECKED;

/* Milliseconds of a monotonic clock. */
int64_t tool_ms(void);

/* A public key in PEM. IDV_E_IO, IDV_E_FORMAT. */
idv_rc tool_public_key(const char *file, EVP_PKEY **out) IDV_CHECKED;

#endif
