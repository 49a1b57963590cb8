/* SPDX-License-Identifier: Apache-2.0 */
/* What others get out of a line's book, line by line: the memory needed does
 * not grow with the number of devices, and all is of one moment. */
#ifndef IDEVID_EXPORT_H
#define IDEVID_EXPORT_H

#include <idevid/journal.h>

/* Takes one line with its end; what it returns but IDV_OK ends the export and
 * is the export's result. */
struct idv_export {
    idv_rc (*line)(void *arg, struct idv_bytes line);
    void *arg;
};

/* In each: order NULL is all orders. Devices come by serial number. */

/*
 * The registration feed of the MASA (idevid-masa import): a JSON object for
 * each device that has its identity (installed, or later; one that was issued
 * and never arrived is not told): "certificate" (base64), "customer" (the
 * order's), "ek-sha256" (hex; absent if unknown), "idevid-issuer" (base64),
 * "issue", "maker" (when given), "model", "order", "owner" (the order's hint),
 * "retired" (true of
 * retired and wiped ones, which the MASA then blocks), "serial-number",
 * "state". It has the newest identity of each.
 */
idv_rc idv_export_feed(const struct idv_factory_store *store, const char *order,
                       const char *maker,
                       const struct idv_export *to) IDV_CHECKED;
/*
 * All that a verifier of other make needs to judge where a device's key is: as
 * the feed, with "iak-certificate", "profile", the "request" as it was received
 * (the CMS by the station, base64) and what is in it: "challenge", "nonce"
 * (hex: the extraData and prodCaData that are due, idv_factory_nonce),
 * "tcg-csr", "csr", "ek-certificate", "ek-public" (base64). IDV_E_FORMAT: a
 * request that cannot be read; the note names the device.
 */
idv_rc idv_export_attestations(const struct idv_factory_store *store,
                               const char *order,
                               const struct idv_export *to) IDV_CHECKED;
/*
 * CSV (RFC 4180, CR LF, a header line) of every device: serial-number, order,
 * model, sku, macs (blank between), profile, state, issue, ek-sha256,
 * certificate-serial (hex), certificate-sha256, station, operator, created,
 * changed. A field that begins with = + - @, tab or CR, which a spreadsheet
 * would compute, gets a ' in front.
 */
idv_rc idv_export_csv(const struct idv_factory_store *store, const char *order,
                      const struct idv_export *to) IDV_CHECKED;

/* --- what happened in a shift --------------------------------------------- */

#define IDV_REPORT_ROWS 64

struct idv_report_row {
    char name[2 * IDV_FACTORY_NAME_MAX + 2];
    uint64_t n, failed;
};
struct idv_report {
    int64_t from, to;         /* from <= time < to */
    uint64_t issued, done;    /* entries of that kind */
    uint64_t rework;          /* of done: not the first identity */
    uint64_t failed, refused; /* attempts, not devices */
    uint64_t retired, wiped;
    uint64_t turned_away;  /* before a device was known */
    uint64_t per_hour_x10; /* done in an hour, times ten; of issued where
                              none is done (a desk's book) */
    /* n by "why" of failed and refused; by "station/operator" done and failed;
       more than fit are counted in the last row, "others" */
    struct idv_report_row whys[IDV_REPORT_ROWS], people[IDV_REPORT_ROWS];
    size_t n_whys, n_people;
    /* the whole book, not the shift: what keeps a truncation from passing */
    uint64_t sealed_seq, head_seq;
    int64_t sealed_time; /* 0: never */
    uint8_t sealed_hash[32];
};
idv_rc idv_report_make(const struct idv_factory_store *store, int64_t from,
                       int64_t to, struct idv_report *out) IDV_CHECKED;
/* For people, and as one JSON object in a line. */
idv_rc idv_report_to_text(const struct idv_report *r,
                          struct idv_buf *out) IDV_CHECKED;
idv_rc idv_report_to_json(const struct idv_report *r,
                          struct idv_buf *out) IDV_CHECKED;

#endif
