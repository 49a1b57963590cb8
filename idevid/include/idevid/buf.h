/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes: a borrowed view, and an owned buffer with a hard upper bound. */
#ifndef IDEVID_BUF_H
#define IDEVID_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <idevid/err.h>

/* A borrowed view. Whoever made it keeps what it points to alive. */
struct idv_bytes {
    const uint8_t *p;
    size_t n;
};

/*
 * An owned buffer. Zero-initialised it is empty and bounded by
 * IDV_BUF_MAX_DEFAULT. Contents of a secret one are wiped when freed or
 * moved. p[n] is always a readable NUL once something was put.
 */
struct idv_buf {
    uint8_t *p;
    size_t n, cap;
    size_t max; /* upper bound of n; 0 means IDV_BUF_MAX_DEFAULT */
    bool secret;
};

#define IDV_BUF_MAX_DEFAULT ((size_t)1 << 20)

struct idv_bytes idv_bytes(const void *p, size_t n);
struct idv_bytes idv_str(const char *s); /* without the NUL; NULL is empty */
struct idv_bytes idv_view(const struct idv_buf *b);
bool idv_bytes_eq(struct idv_bytes a, struct idv_bytes b);
/* as idv_bytes_eq, in time that depends on the lengths only */
bool idv_bytes_eq_secret(struct idv_bytes a, struct idv_bytes b);

/* Appends. IDV_E_LIMIT beyond max, IDV_E_NOMEM; b is unchanged then. */
idv_rc idv_buf_put(struct idv_buf *b, struct idv_bytes add) IDV_CHECKED;
idv_rc idv_buf_puts(struct idv_buf *b, const char *s) IDV_CHECKED;
idv_rc idv_buf_putf(struct idv_buf *b, const char *fmt, ...) IDV_CHECKED
    IDV_PRINTF(2, 3);
/* Makes room for n bytes more, zeroed; *p is where they go. Fails as above.
 * Add what was written to b->n. */
idv_rc idv_buf_room(struct idv_buf *b, size_t n, uint8_t **p) IDV_CHECKED;

void idv_buf_clear(struct idv_buf *b); /* empties, keeps room, wipes secrets */
void idv_buf_free(struct idv_buf *b);  /* also safe on a zeroed one */
/* Moves: *to is freed first, *from is left empty. */
void idv_buf_move(struct idv_buf *to, struct idv_buf *from);

#endif
