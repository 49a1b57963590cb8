/* SPDX-License-Identifier: Apache-2.0 */
/* Small things done to strings that libc leaves easy to get wrong. */
#ifndef IDEVID_TEXT_H
#define IDEVID_TEXT_H

#include <idevid/buf.h>

/* Copies text whole with a NUL into room bytes, or fails with IDV_E_LIMIT (or
 * IDV_E_FORMAT: a NUL inside) and a note that begins with what; never cuts. */
idv_rc idv_text_copy(char *to, size_t room, struct idv_bytes text,
                     const char *what) IDV_CHECKED;
/* A malloc'ed copy; IDV_E_FORMAT for a NUL inside. */
idv_rc idv_text_dup(struct idv_bytes text, char **out) IDV_CHECKED;

struct idv_bytes idv_text_trim(struct idv_bytes text); /* blank, tab, CR, LF */
/* The next piece of *rest up to one of the characters of stops (consumed),
 * which may be empty; false when nothing is left. */
bool idv_text_next(struct idv_bytes *rest, const char *stops,
                   struct idv_bytes *piece);

/* ASCII only, whatever the locale. */
bool idv_text_eq(struct idv_bytes a, const char *b);
bool idv_text_eq_nocase(struct idv_bytes a, const char *b);

/* A decimal integer with optional '-', nothing around it, in min .. max;
 * IDV_E_ARG otherwise, with a note that begins with what. */
idv_rc idv_text_to_int(struct idv_bytes text, int64_t min, int64_t max,
                       const char *what, int64_t *out) IDV_CHECKED;

/* True when the bytes are UTF-8 (RFC 3629) without control characters. */
bool idv_text_printable(struct idv_bytes text);

/* NULL-ended list of malloc'ed strings. NULL is the empty list. */
idv_rc idv_list_add(char ***list, struct idv_bytes text) IDV_CHECKED;
size_t idv_list_count(char *const *list);
void idv_list_free(char **list);

#endif
