/* SPDX-License-Identifier: Apache-2.0 */
/* The fixtures of a station, line by line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/text.h>

#include "factory_fixtures.h"

static const char *const names[FIXTURE_COLUMNS] = {
    [FIXTURE_NAME] = "name",
    [FIXTURE_DEVICE] = "device",
    [FIXTURE_TCTI] = "tcti",
    [FIXTURE_MODULE] = "pkcs11-module",
    [FIXTURE_PIN_FILE] = "pin-file",
    [FIXTURE_SERIAL] = "serial-number",
    [FIXTURE_POWER_CYCLE] = "power-cycle",
};

const char *fixture_name(enum fixture_column c)
{
    return names[c];
}

void fixture_free(struct fixture *f)
{
    for (int i = 0; i < FIXTURE_COLUMNS; i++)
        idv_buf_free(&f->column[i]);
}

const char *fixture_text(const struct fixture *f, enum fixture_column c)
{
    return f->column[c].p ? (const char *)f->column[c].p : "";
}

idv_rc fixtures_open(const char *path, struct fixtures *out)
{
    *out = (struct fixtures){.path = path};
    out->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!out->file)
        return idv_fail(IDV_E_IO, "%s: %s", path, strerror(errno));
    setvbuf(out->file, NULL, _IONBF, 0); /* what poll says is what there is */
    return IDV_OK;
}

void fixtures_close(struct fixtures *f)
{
    if (f->file && f->file != stdin)
        fclose(f->file);
    f->file = NULL;
}

static idv_rc header(struct fixtures *f, struct idv_bytes line)
{
    const size_t room = sizeof(f->order) / sizeof(*f->order);
    bool more = true, device = false;
    while (more) {
        IDV_AUTO(buf) name = {.max = 64};
        int c = 0;
        IDV_TRY(idv_csv_next(&line, &name, &more));
        while (c < FIXTURE_COLUMNS && !idv_text_eq(idv_view(&name), names[c]))
            c++;
        if (c == FIXTURE_COLUMNS || f->n == room)
            return idv_fail(IDV_E_FORMAT, "no column is called '%.40s'",
                            name.p ? (const char *)name.p : "");
        for (size_t i = 0; i < f->n; i++) {
            if (f->order[i] == c)
                return idv_fail(IDV_E_FORMAT, "column %s twice", names[c]);
        }
        f->order[f->n++] = c;
        device |= c == FIXTURE_DEVICE;
    }
    return device ? IDV_OK : idv_fail(IDV_E_FORMAT, "no column device");
}

static idv_rc fields(const struct fixtures *f, struct idv_bytes line,
                     struct fixture *out)
{
    bool more = true;
    for (size_t i = 0; i < f->n; i++) {
        struct idv_buf *to = &out->column[f->order[i]];
        if (!more)
            return idv_fail(IDV_E_FORMAT, "fields end before column %s",
                            names[f->order[i]]);
        IDV_TRY(idv_csv_next(&line, to, &more));
    }
    if (more)
        return idv_fail(IDV_E_FORMAT, "more fields than columns");
    for (int i = 0; i < FIXTURE_COLUMNS; i++) {
        if (!idv_text_printable(idv_view(&out->column[i])))
            return idv_fail(IDV_E_FORMAT, "%s has control characters",
                            names[i]);
    }
    return *fixture_text(out, FIXTURE_DEVICE)
               ? IDV_OK
               : idv_fail(IDV_E_FORMAT, "no device");
}

/* *got: out was filled. */
static idv_rc take(struct fixtures *f, struct idv_bytes line,
                   struct fixture *out, bool *got)
{
    line = idv_text_trim(line);
    *got = false;
    if (!line.n || *line.p == '#')
        return IDV_OK;
    if (!f->n)
        return header(f, line);
    *got = true;
    out->line = f->line;
    return fields(f, line, out);
}

idv_rc fixtures_next(struct fixtures *f, bool *more, struct fixture *out)
{
    char *text = NULL;
    size_t room = 0;
    idv_rc rc = IDV_OK;
    *more = false;
    while (rc == IDV_OK && !*more) {
        errno = 0;
        const ssize_t n = getline(&text, &room, f->file);
        if (n < 0) {
            if (ferror(f->file))
                rc = idv_fail(IDV_E_IO, "%s: %s", f->path, strerror(errno));
            break;
        }
        f->line++;
        rc = take(f, idv_bytes(text, (size_t)n), out, more);
        if (rc != IDV_OK)
            rc = idv_fail_within(rc, "%s:%u", f->path, f->line);
    }
    free(text);
    if (rc != IDV_OK || !*more)
        fixture_free(out);
    return rc;
}
