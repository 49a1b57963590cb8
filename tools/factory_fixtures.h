/* SPDX-License-Identifier: Apache-2.0 */
/* The fixtures of a station: what is in each, line by line. */
#ifndef FACTORY_FIXTURES_H
#define FACTORY_FIXTURES_H

#include <stdio.h>

#include <idevid/buf.h>

/* Columns of the file, in the words of its header line. */
enum fixture_column {
    FIXTURE_NAME,
    FIXTURE_DEVICE,
    FIXTURE_TCTI,     /* of that TPM */
    FIXTURE_MODULE,   /* PKCS#11 module */
    FIXTURE_PIN_FILE, /* of that token */
    FIXTURE_SERIAL,
    FIXTURE_POWER_CYCLE,
    FIXTURE_COLUMNS
};

/* "name", "device" ... */
const char *fixture_name(enum fixture_column c);

struct fixture {
    struct idv_buf column[FIXTURE_COLUMNS];
    unsigned line;
};
void fixture_free(struct fixture *f);
/* "" where there is none */
const char *fixture_text(const struct fixture *f, enum fixture_column c);

/* Reads a CSV file (RFC 4180) as its lines come: a pipe, or a terminal, says
 * with each line that a device is in a fixture. */
struct fixtures {
    FILE *file;
    const char *path;
    int order[16]; /* column of each field */
    size_t n;      /* fields in a line; 0: no header yet */
    unsigned line;
};
idv_rc fixtures_open(const char *path, struct fixtures *out) IDV_CHECKED;
void fixtures_close(struct fixtures *f);
/* *more is false at the end. IDV_E_FORMAT names file and line. */
idv_rc fixtures_next(struct fixtures *f, bool *more,
                     struct fixture *out) IDV_CHECKED;

#endif
