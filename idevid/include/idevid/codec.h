/* SPDX-License-Identifier: Apache-2.0 */
/* base64, hexadecimal, CSV, time, URL: text forms and their exact inverses. */
#ifndef IDEVID_CODEC_H
#define IDEVID_CODEC_H

#include <idevid/buf.h>

/* Appends RFC 4648 section 4 text with padding; columns > 0 breaks lines with
 * LF after so many characters and ends the last one with LF. */
idv_rc idv_base64_from_bytes(struct idv_bytes raw, size_t columns,
                             struct idv_buf *out) IDV_CHECKED;

enum idv_base64_form {
    IDV_BASE64_STRICT, /* section 4 alphabet, padded, nothing else */
    IDV_BASE64_LAX,    /* also blanks, CR, LF, the URL alphabet, no padding,
                          unused bits that are not zero */
};
/* Appends the bytes. IDV_E_FORMAT on anything the form does not allow. */
idv_rc idv_base64_to_bytes(struct idv_bytes text, enum idv_base64_form form,
                           struct idv_buf *out) IDV_CHECKED;

/* Appends RFC 4648 section 5 text without padding (RFC 7515 section 2), and
 * back: every text but the one that the writer makes is IDV_E_FORMAT. */
idv_rc idv_base64url_from_bytes(struct idv_bytes raw,
                                struct idv_buf *out) IDV_CHECKED;
idv_rc idv_base64url_to_bytes(struct idv_bytes text,
                              struct idv_buf *out) IDV_CHECKED;

idv_rc idv_hex_from_bytes(struct idv_bytes raw,
                          struct idv_buf *out) IDV_CHECKED; /* lower case */
idv_rc idv_hex_to_bytes(struct idv_bytes text,
                        struct idv_buf *out) IDV_CHECKED; /* either case */

/*
 * The next field of a line of CSV (RFC 4180), appended to out: what is within
 * quotes, or else trimmed; *line is left behind it and its comma. *more says
 * whether another one follows. IDV_E_FORMAT: a quote that is not closed (a
 * field has no line break here), text behind one.
 */
idv_rc idv_csv_next(struct idv_bytes *line, struct idv_buf *out,
                    bool *more) IDV_CHECKED;
/* Appends a field, in quotes where it needs them. */
idv_rc idv_csv_put(struct idv_buf *out, struct idv_bytes field) IDV_CHECKED;

/* "2026-11-22T10:00:00Z": 20 characters and a NUL. Years 0001-9999, IDV_E_ARG
 * outside them. */
#define IDV_TIME_TEXT 21
idv_rc idv_time_to_text(int64_t t, char out[static IDV_TIME_TEXT]) IDV_CHECKED;
/* RFC 3339 with any offset and fraction (dropped), a leap second as the one
 * that follows; IDV_E_FORMAT otherwise. */
idv_rc idv_time_from_text(struct idv_bytes text, int64_t *out) IDV_CHECKED;

/* An https URL or authority, parsed. host has no brackets around IPv6. */
struct idv_url {
    char host[256];
    uint16_t port;  /* 443 unless given */
    char path[512]; /* "" or begins with "/"; no trailing "/" */
};
/*
 * Accepts "host", "host:port", "[v6]:port", "https://..." with a path.
 * IDV_E_FORMAT: empty, other schemes (http is refused by name), userinfo,
 * query, fragment, port 0 or above 65535, characters outside RFC 3986,
 * non-ASCII; IDV_E_LIMIT: longer than IDV_MAX_URL, or a host or path that does
 * not fit.
 */
idv_rc idv_url_from_text(struct idv_bytes text,
                         struct idv_url *out) IDV_CHECKED;
/* "https://host[:port]path", brackets put back, port left out when 443. */
idv_rc idv_url_to_text(const struct idv_url *url,
                       struct idv_buf *out) IDV_CHECKED;
/* same scheme (https), host (case-insensitive) and port: one web origin */
bool idv_url_same_origin(const struct idv_url *a, const struct idv_url *b);

#endif
