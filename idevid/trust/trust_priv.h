/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct idv_trust, for the files of this room. */
#ifndef IDEVID_TRUST_PRIV_H
#define IDEVID_TRUST_PRIV_H

#include <idevid/trust.h>

#include "trust/rollover.h"

struct idv_trust {
    char *dir;
    struct idv_anchor anchor;
    const struct idv_env *env;
    bool observe;
    enum idv_trust_state state;
    bool unsure;         /* NONE, and yet the device may hold a record */
    const char *cut;     /* see idv_trust_cut */
    bool known, pending; /* memo is of a file; of the one below pending */
    struct idv_anchor_memo memo;
    struct idv_anchor_seen seen;
    struct idv_record record; /* from IMPRINTED on, as are these: */
    uint8_t raw[IDV_RECORD_SIZE];
    X509 *pin;
    struct idv_buf spki;
    struct idvi_rollover rollover;
    struct idv_enrollment enrollment; /* ENROLLED */
    struct idv_enrollment previous;   /* likewise; ldevid NULL: none */
};

/* --- files beside the record (files.c) --- */

#define IDVI_FILE_PIN "anchor.der" /* certificate or SPKI, as pinned */
#define IDVI_FILE_VOUCHER "voucher"
#define IDVI_FILE_ROLLOVER "rollover.json"
#define IDVI_FILE_MEMO "anchor.json"
#define IDVI_FILE_ENROLLMENT "enrollment.json"
/* the one before, while nobody has used the new one */
#define IDVI_FILE_PREVIOUS "previous.json"
#define IDVI_FILE_RESET "reset" /* where no counter tells of it */
/* In there, they wait for the device to hold their record. The memo is written
 * last and leaves last: with it, all is there or in place already. */
#define IDVI_PENDING "pending/"

/* *found false and out untouched when there is no such file. */
idv_rc idvi_file_read(const char *dir, const char *name, bool *found,
                      struct idv_buf *out) IDV_CHECKED;
idv_rc idvi_file_write(const char *dir, const char *name,
                       struct idv_bytes data) IDV_CHECKED;
/* Absence is not a failure. */
idv_rc idvi_file_remove(const char *dir, const char *name) IDV_CHECKED;
/* Is any of those in place that come with a record? */
idv_rc idvi_files_placed(const char *dir, bool *placed) IDV_CHECKED;
/* All of them, those of pending too; that of the memo last, for it says of
 * which generation the rest is. Goes on after a failure and returns the first,
 * the memo still there. */
idv_rc idvi_files_remove(const char *dir) IDV_CHECKED;

/* pin and voucher may be empty: no such file. */
idv_rc idvi_pending_write(const char *dir, struct idv_bytes pin,
                          struct idv_bytes voucher,
                          const struct idv_anchor_memo *memo) IDV_CHECKED;
/* Into place, whatever of them is still there. */
idv_rc idvi_pending_move(const char *dir) IDV_CHECKED;
idv_rc idvi_pending_remove(const char *dir) IDV_CHECKED;

/* --- anchor.json (memo.c) --- */

idv_rc idvi_memo_to_json(const struct idv_anchor_memo *memo,
                         struct idv_buf *out) IDV_CHECKED;
/* IDV_E_FORMAT. The generation is that of the record. */
idv_rc idvi_memo_from_json(struct idv_bytes json,
                           struct idv_anchor_memo *out) IDV_CHECKED;

/* --- state from device and files (settle.c) --- */

/* Ends or undoes what was cut short, unless t observes. On failure t->state is
 * to be forgotten. */
idv_rc idvi_trust_load(struct idv_trust *t) IDV_CHECKED;
/* As idvi_trust_load; t->unsure says whether it failed. */
idv_rc idvi_trust_reload(struct idv_trust *t) IDV_CHECKED;
/* The device has t->seen.record, sealed; from here on so have we. */
idv_rc idvi_trust_adopt(struct idv_trust *t) IDV_CHECKED;
void idvi_trust_forget(struct idv_trust *t);

/* --- what is pinned (pin.c) --- */

/* Fills t->pin or t->spki from the files, checked against t->record; with
 * t->pending from those that wait, where they still do. */
idv_rc idvi_pin_load(struct idv_trust *t) IDV_CHECKED;
/* The record for pinned, and the bytes of its file (empty: only a hash). */
idv_rc idvi_pin_record(const struct idv_pinned *pinned,
                       struct idv_bytes voucher, const struct idv_env *env,
                       uint64_t generation, struct idv_record *record,
                       struct idv_buf *file) IDV_CHECKED;
void idvi_pin_forget(struct idv_trust *t);

/* --- the maker's approval (approved.c) --- */

/* Where the device demands one: *record becomes the one that the maker
 * approved, and the device knows its approval. IDV_E_REJECT: there is none in
 * the voucher, or not for this; IDV_E_FORMAT. */
idv_rc idvi_approved_record(struct idv_trust *t,
                            const struct idv_pinned *pinned,
                            uint64_t generation,
                            struct idv_record *record) IDV_CHECKED;
/* A sealed voucher's leaves; nothing of it is verified. */
idv_rc idvi_voucher_read(struct idv_bytes sealed,
                         struct idv_voucher *out) IDV_CHECKED;
/* Is this the voucher of t->record, by its content? Its approval is handed to
 * the device again. */
idv_rc idvi_approved_voucher(struct idv_trust *t,
                             struct idv_bytes sealed) IDV_CHECKED;

/* The device gets the approval of its record, if it is in a file still. */
void idvi_approved_wipe(const struct idv_trust_conf *conf);

/* --- certificates in a file that names the record (certsfile.c) --- */

struct idv_json;
/* A new object with a version and the record's hash in it. */
idv_rc idvi_json_begin(const uint8_t record[static IDV_RECORD_SIZE],
                       struct idv_json **out) IDV_CHECKED;
idv_rc idvi_json_put_certs(struct idv_json *to, const char *name,
                           const STACK_OF(X509) * certs) IDV_CHECKED;
/* IDV_E_FORMAT, or IDV_E_REJECT when it is of another record; what is for the
 * notes, here and below. */
idv_rc
idvi_json_check(const struct idv_json *root, const char *what,
                const uint8_t record[static IDV_RECORD_SIZE]) IDV_CHECKED;
idv_rc idvi_json_certs(const struct idv_json *from, const char *what,
                       const char *name, STACK_OF(X509) * *out) IDV_CHECKED;

/* --- enrollment as one file (bundle.c) --- */

idv_rc idvi_bundle_to_json(const struct idv_enrollment *e,
                           const uint8_t record[static IDV_RECORD_SIZE],
                           struct idv_buf *out) IDV_CHECKED;
/* IDV_E_FORMAT, or IDV_E_REJECT when it is of another record. */
idv_rc idvi_bundle_from_json(struct idv_bytes json,
                             const uint8_t record[static IDV_RECORD_SIZE],
                             struct idv_enrollment *out) IDV_CHECKED;
/* The chain leads to the anchors, which belong to the pin. */
idv_rc idvi_enrollment_check(const struct idv_enrollment *e, const X509 *pin,
                             const struct idvi_rollover *r) IDV_CHECKED;

/* --- the CAs that the pin led to (rollover_file.c) --- */

/* Fills t->rollover from its file, if there is one, and checks it. */
idv_rc idvi_rollover_load(struct idv_trust *t) IDV_CHECKED;
/* The file, then t->rollover; next is taken when it succeeds. */
idv_rc idvi_rollover_store(struct idv_trust *t,
                           struct idvi_rollover *next) IDV_CHECKED;

/* --- who belongs to the domain (follow.c) --- */

/* idv_trust_anchors_follow, also by way of the CAs that the pin led to. */
idv_rc idvi_anchors_follow(const STACK_OF(X509) * anchors,
                           const STACK_OF(X509) * others, const X509 *pin,
                           const struct idvi_rollover *r) IDV_CHECKED;

#endif
