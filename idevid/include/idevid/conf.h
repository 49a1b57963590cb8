/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: an INI file read through one table per daemon. */
#ifndef IDEVID_CONF_H
#define IDEVID_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include <idevid/buf.h>

/*
 * "[section]", "key = value", comments from '#' or ';' at the start of a line,
 * blanks around keys and values dropped, a value may be put in double quotes
 * to keep its own. Nothing is substituted. What each type fills at offset:
 */
enum idv_conf_type {
    IDV_CONF_TEXT, /* char *: as it stands, not empty */
    IDV_CONF_PATH, /* char *: relative ones count from the file's directory */
    IDV_CONF_URI,  /* char *: with a scheme ("pkcs11:") as it stands, otherwise
                      as IDV_CONF_PATH */
    IDV_CONF_INT,  /* int64_t within min .. max, decimal */
    IDV_CONF_BOOL, /* bool: yes no true false on off */
    IDV_CONF_ENUM, /* int: index into words */
    IDV_CONF_LIST, /* char **, NULL-ended: separated by commas or blanks; a
                      key given again appends */
    IDV_CONF_PATHS /* as LIST, each as IDV_CONF_PATH */
};

struct idv_conf_entry {
    const char *section, *key;
    enum idv_conf_type type;
    size_t offset;        /* of the field in the daemon's structure */
    const char *fallback; /* when absent, as text; NULL leaves the field zero */
    const char *help;     /* one sentence, for people */
    bool required;        /* to be there; of a list, something in it */
    int64_t min, max;     /* INT */
    const char *const *words; /* ENUM, NULL-ended */
    /* Further judgement of a good value, or NULL: IDV_OK, or fails with a
     * note without file and line, which are put before it. */
    idv_rc (*check)(const char *value);
};

struct idv_conf_table {
    const char *name;  /* "idevid-registrar" */
    const char *about; /* one sentence, heads the sample */
    const struct idv_conf_entry *entries;
    size_t n;
};

/*
 * Reads text into conf, a zeroed structure. IDV_E_ARG and a note "file:line:
 * ..." for an unknown section or key, a key given twice, a bad value, a
 * missing required key (line 0 is left out), bytes that are not UTF-8 text.
 * On failure conf is freed and zero again. dir is what relative paths count
 * from; "" is the working directory. A byte order mark at the start is passed
 * over.
 */
idv_rc idv_conf_parse(const struct idv_conf_table *table, const char *file,
                      const char *dir, struct idv_bytes text,
                      void *conf) IDV_CHECKED;
/* The file at path; dir is its directory. */
idv_rc idv_conf_load(const struct idv_conf_table *table, const char *path,
                     void *conf) IDV_CHECKED;
/* Puts one value into its field of conf; IDV_E_ARG with a note that names
 * neither file nor line. Lists grow, anything else replaces. */
idv_rc idv_conf_set(const struct idv_conf_entry *e, const char *dir,
                    struct idv_bytes value, void *conf) IDV_CHECKED;
/* Frees the strings and lists that the table describes and zeroes them. */
void idv_conf_free(const struct idv_conf_table *table, void *conf);

/* A whole sample file: help as comments, optional keys commented out with
 * their defaults, required ones left to fill in. */
idv_rc idv_conf_sample(const struct idv_conf_table *table,
                       struct idv_buf *out) IDV_CHECKED;
/* "[section]" and "  key  help (type; default x)" lines for --help. */
idv_rc idv_conf_help(const struct idv_conf_table *table,
                     struct idv_buf *out) IDV_CHECKED;
/* The same as an mdoc list, for the manual of the file. */
idv_rc idv_conf_mdoc(const struct idv_conf_table *table,
                     struct idv_buf *out) IDV_CHECKED;

#endif
