/* SPDX-License-Identifier: Apache-2.0 */
/* Names and values: lines for people, one JSON object for scripts. */
#ifndef TOOL_SHEET_H
#define TOOL_SHEET_H

#include "tool.h"

/* Rows are printed as they come, or collected where --json was given. The
 * first failure is kept, and rows after it do nothing: only the end is
 * checked. */
struct sheet {
    const struct tool *t;
    struct idv_json *o; /* NULL without --json */
    idv_rc rc;
};
struct sheet sheet_begin(const struct tool *t);
/* NULL and "" leave the row out. */
void sheet_text(struct sheet *s, const char *name, const char *value);
void sheet_textf(struct sheet *s, const char *name, const char *fmt, ...)
    IDV_PRINTF(3, 4);
/* as lower-case hexadecimal digits */
void sheet_hex(struct sheet *s, const char *name, struct idv_bytes value);
/* seconds since 1970, as RFC 3339 text */
void sheet_time(struct sheet *s, const char *name, int64_t value);
void sheet_int(struct sheet *s, const char *name, uint64_t value);
/* for people: one of the two texts; for scripts: the truth */
void sheet_bool(struct sheet *s, const char *name, bool value, const char *yes,
                const char *no);
/* Only for people: a line of its own. */
void sheet_line(struct sheet *s, const char *line);
void sheet_linef(struct sheet *s, const char *fmt, ...) IDV_PRINTF(2, 3);
/* Only for scripts: takes value. */
void sheet_json(struct sheet *s, const char *name, struct idv_json *value);
/* What went wrong in computing a row. */
void sheet_failed(struct sheet *s, idv_rc rc);
/* Prints what was collected; frees it in any case. */
idv_rc sheet_end(struct sheet *s) IDV_CHECKED;

#endif
