/* SPDX-License-Identifier: Apache-2.0 */
/* Members of a message as a table: written and read by the same rows. */
#ifndef IDEVID_FACTORY_FIELDS_H
#define IDEVID_FACTORY_FIELDS_H

#include <idevid/buf.h>
#include <idevid/json.h>

enum idvi_field_kind {
    IDVI_FIELD_TEXT,  /* char[max + 1]; "" absent */
    IDVI_FIELD_FIXED, /* uint8_t[max], base64; all zero absent */
    IDVI_FIELD_BYTES, /* struct idv_buf, base64; empty absent */
};

struct idvi_field {
    const char *name;
    enum idvi_field_kind kind;
    size_t at, max; /* offset in the structure, bytes at most */
    bool needed;
};

/* Sets the members that are there. IDV_E_ARG, and what in the note, for one
 * that is needed and absent, too long, or no text. */
idv_rc idvi_fields_put(const struct idvi_field *fields, size_t n,
                       const void *from, const char *what,
                       struct idv_json *object) IDV_CHECKED;
/* Reads them into a zeroed structure, whose buffers are the caller's to free
 * on failure too. IDV_E_FORMAT: absent and needed, of another type, control
 * characters, no base64; IDV_E_LIMIT: too long. Other members are passed over.
 */
idv_rc idvi_fields_get(const struct idvi_field *fields, size_t n,
                       const struct idv_json *object, const char *what,
                       void *to) IDV_CHECKED;

bool idvi_is_zero(const uint8_t *p, size_t n);

/* One JSON object of at most IDV_MAX_BODY bytes. */
idv_rc idvi_object_parse(struct idv_bytes json, const char *what,
                         struct idv_json **out) IDV_CHECKED;

#endif
