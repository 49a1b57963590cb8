/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as this project needs it: strict in, compact out. */
#ifndef IDEVID_JSON_H
#define IDEVID_JSON_H

#include <idevid/buf.h>

/* A value: object, array, string, integer, real, boolean or null. What the
 * getters return is borrowed from the value they were asked on. */
struct idv_json;

/*
 * Reads one RFC 8259 text. Refused with IDV_E_FORMAT and a note that names
 * what and where: bad UTF-8, duplicate member names, bytes after the value,
 * U+0000 in a string or name. Refused with IDV_E_LIMIT: more than max bytes
 * (0: IDV_MAX_BODY), nesting over IDV_MAX_JSON_DEPTH. *out is the caller's.
 */
idv_rc idv_json_parse(struct idv_bytes text, size_t max,
                      struct idv_json **out) IDV_CHECKED;
void idv_json_free(struct idv_json *v); /* a root; NULL is fine */

enum idv_json_type {
    IDV_JSON_NULL,
    IDV_JSON_BOOL,
    IDV_JSON_INT,
    IDV_JSON_REAL,
    IDV_JSON_STRING,
    IDV_JSON_ARRAY,
    IDV_JSON_OBJECT,
};
enum idv_json_type idv_json_type(const struct idv_json *v);

/* Member of an object, or NULL (also when v is no object or NULL). */
const struct idv_json *idv_json_get(const struct idv_json *v, const char *name);
/* Elements of an array or members of an object; 0 for anything else. */
size_t idv_json_count(const struct idv_json *v);
/* i-th element of an array or member of an object (name may be NULL), or NULL.
 * Members are counted from the first each time. */
const struct idv_json *idv_json_at(const struct idv_json *v, size_t i,
                                   const char **name);
/* NUL-terminated, no NUL inside; NULL unless v is a string. */
const char *idv_json_text(const struct idv_json *v);
/* IDV_E_FORMAT unless v is an integer / a boolean; what names it in the note.
 */
idv_rc idv_json_int(const struct idv_json *v, const char *what,
                    int64_t *out) IDV_CHECKED;
idv_rc idv_json_bool(const struct idv_json *v, const char *what,
                     bool *out) IDV_CHECKED;

/* Building. NULL means out of memory, or a text that is not UTF-8 or has
 * U+0000 (the note says which), and is passed through: idv_json_set and
 * idv_json_append take value (also on failure) and refuse a NULL one with
 * IDV_E_NOMEM. */
struct idv_json *idv_json_new_object(void);
struct idv_json *idv_json_new_array(void);
struct idv_json *idv_json_new_text(struct idv_bytes utf8);
struct idv_json *idv_json_new_base64(struct idv_bytes raw); /* RFC 4648 s. 4 */
struct idv_json *idv_json_new_int(int64_t v);
struct idv_json *idv_json_new_bool(bool v);
struct idv_json *idv_json_new_null(void);
idv_rc idv_json_set(struct idv_json *object, const char *name,
                    struct idv_json *value) IDV_CHECKED;
idv_rc idv_json_append(struct idv_json *array,
                       struct idv_json *value) IDV_CHECKED;

/* Appends the text: members in the order they were set; pretty indents by
 * two and ends with a newline. */
idv_rc idv_json_dump(const struct idv_json *v, bool pretty,
                     struct idv_buf *out) IDV_CHECKED;

#endif
