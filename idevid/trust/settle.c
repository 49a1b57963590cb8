/* SPDX-License-Identifier: Apache-2.0 */
/* The state, from what the device holds and which files there are; and what
 * was cut short, ended or undone. */
#include <string.h>

#include <idevid/auto.h>

#include "trust/trust_priv.h"

/* Bytes that are wrong mean tampering; a disk or device that fails does not. */
static idv_rc tampered(idv_rc rc)
{
    char why[IDV_NOTE_MAX];
    if (rc != IDV_E_REJECT && rc != IDV_E_FORMAT && rc != IDV_E_LIMIT &&
        rc != IDV_E_ARG)
        return rc;
    strcpy(why, idv_note());
    idv_note_clear();
    return idv_fail(IDV_E_REJECT, "not imprinted, tampered: %.400s", why);
}

/* --- anchor.json ---------------------------------------------------------- */

static idv_rc read_memo(struct idv_trust *t, const char *name)
{
    IDV_AUTO(buf) file = {0};
    IDV_TRY(idvi_file_read(t->dir, name, &t->known, &file));
    if (!t->known)
        return IDV_OK;
    t->known = false;
    IDV_TRY(idvi_memo_from_json(idv_view(&file), &t->memo));
    t->known = true;
    return IDV_OK;
}

/* The one that waits, if it is one at all: files get there whole. */
static idv_rc find_memo(struct idv_trust *t)
{
    idv_rc rc = read_memo(t, IDVI_PENDING IDVI_FILE_MEMO);
    if (rc == IDV_E_IO || rc == IDV_E_NOMEM)
        return rc;
    if (rc != IDV_OK)
        idv_note_clear();
    t->pending = t->known;
    return t->pending ? IDV_OK : read_memo(t, IDVI_FILE_MEMO);
}

static bool memo_is_of_record(const struct idv_trust *t)
{
    return t->known &&
           memcmp(t->memo.record, t->seen.record, sizeof(t->seen.record)) == 0;
}

/* --- what the device holds ------------------------------------------------ */

static idv_rc look(struct idv_trust *t)
{
    memset(&t->seen, 0, sizeof(t->seen));
    IDV_TRY(t->anchor.ops->read(t->anchor.self, t->known ? &t->memo : NULL,
                                &t->seen));
    if (t->seen.found == IDV_ANCHOR_NOTHING)
        return IDV_OK;
    IDV_TRY(idv_record_from_bytes(
        idv_bytes(t->seen.record, sizeof(t->seen.record)), &t->record));
    memcpy(t->raw, t->seen.record, sizeof(t->raw));
    return IDV_OK;
}

static idv_rc drop_pending(struct idv_trust *t)
{
    t->pending = false;
    return t->observe ? IDV_OK : idvi_pending_remove(t->dir);
}

/* --- no record ------------------------------------------------------------ */

/* The counter has gone on from where the files were sealed. */
static bool reset_begun(const struct idv_trust *t)
{
    IDV_AUTO(buf) mark = {0};
    bool marked = false;
    if (t->known && t->memo.generation)
        return t->seen.counter > t->memo.generation + 1;
    return idvi_file_read(t->dir, IDVI_FILE_RESET, &marked, &mark) == IDV_OK &&
           marked;
}

static idv_rc complete_reset(struct idv_trust *t)
{
    if (!t->observe)
        return idvi_files_remove(t->dir);
    t->cut = "a reset";
    return IDV_OK;
}

static idv_rc found_ended(struct idv_trust *t)
{
    if (!t->observe)
        IDV_TRY(t->anchor.ops->reset(t->anchor.self));
    return complete_reset(t);
}

static idv_rc found_nothing(struct idv_trust *t)
{
    bool placed;
    IDV_TRY(idvi_files_placed(t->dir, &placed));
    if (placed && reset_begun(t))
        return complete_reset(t);
    if (placed)
        return tampered(idv_fail(IDV_E_REJECT,
                                 "the anchor is gone (TPM cleared, or index "
                                 "or object removed)"));
    return t->observe ? IDV_OK : idvi_files_remove(t->dir);
}

/* --- a record that is not sealed ------------------------------------------ */

static idv_rc undo(struct idv_trust *t)
{
    idv_note_clear();
    idvi_pin_forget(t);
    IDV_TRY(t->anchor.ops->discard(t->anchor.self));
    memset(&t->seen, 0, sizeof(t->seen));
    return drop_pending(t);
}

static idv_rc finish(struct idv_trust *t)
{
    const uint32_t count = t->memo.reset_count;
    IDV_AUTO(buf) json = {0};
    IDV_TRY(t->anchor.ops->finish(t->anchor.self, &t->memo));
    if (t->memo.reset_count == count)
        return IDV_OK;
    IDV_TRY(idvi_memo_to_json(&t->memo, &json));
    return idvi_file_write(t->dir, IDVI_PENDING IDVI_FILE_MEMO,
                           idv_view(&json));
}

/* IDV_E_REJECT, with or without a note: files or device do not allow it. */
static idv_rc roll_forward(struct idv_trust *t)
{
    if (!t->pending || !memo_is_of_record(t))
        return IDV_E_REJECT;
    IDV_TRY(idvi_pin_load(t));
    return finish(t);
}

static idv_rc end_or_undo(struct idv_trust *t)
{
    idv_rc rc = roll_forward(t);
    if (rc == IDV_E_REJECT || rc == IDV_E_FORMAT || rc == IDV_E_LIMIT)
        return undo(t);
    IDV_TRY(rc);
    idvi_pin_forget(t);
    IDV_TRY(tampered(look(t)));
    if (t->seen.found != IDV_ANCHOR_SEALED)
        return idv_fail(IDV_E_DEVICE, "anchor: sealed, and yet it is not");
    return idvi_trust_adopt(t);
}

static idv_rc found_unfinished(struct idv_trust *t)
{
    bool placed;
    IDV_TRY(idvi_files_placed(t->dir, &placed));
    if (placed)
        return tampered(idv_fail(IDV_E_REJECT,
                                 "the device holds a record that was never "
                                 "sealed, but files of one that was"));
    if (t->observe) {
        t->cut = "an imprint";
        return IDV_OK;
    }
    return end_or_undo(t);
}

/* --- a record that is ----------------------------------------------------- */

static idv_rc load_one(struct idv_trust *t, const char *name,
                       struct idv_enrollment *out, bool *found)
{
    IDV_AUTO(buf) file = {0};
    IDV_TRY(idvi_file_read(t->dir, name, found, &file));
    if (!*found)
        return IDV_OK;
    IDV_TRY(idvi_bundle_from_json(idv_view(&file), t->raw, out));
    return idvi_enrollment_check(out, t->pin, &t->rollover);
}

static idv_rc load_enrollment(struct idv_trust *t)
{
    bool found;
    IDV_TRY(load_one(t, IDVI_FILE_ENROLLMENT, &t->enrollment, &found));
    if (!found)
        return IDV_OK;
    IDV_TRY(load_one(t, IDVI_FILE_PREVIOUS, &t->previous, &found));
    t->state = IDV_TRUST_ENROLLED;
    return IDV_OK;
}

static idv_rc check_memo(const struct idv_trust *t)
{
    if (!t->known)
        return idv_fail(IDV_E_REJECT, "%s is missing", IDVI_FILE_MEMO);
    if (!memo_is_of_record(t))
        return idv_fail(IDV_E_REJECT, "%s is of another record",
                        IDVI_FILE_MEMO);
    return IDV_OK;
}

idv_rc idvi_trust_adopt(struct idv_trust *t)
{
    IDV_TRY(tampered(check_memo(t)));
    if (t->pending && !t->observe) {
        IDV_TRY(idvi_pending_move(t->dir));
        t->pending = false;
    }
    IDV_TRY(tampered(idvi_pin_load(t)));
    t->state = IDV_TRUST_IMPRINTED;
    IDV_TRY(tampered(idvi_rollover_load(t)));
    return tampered(load_enrollment(t));
}

/* What waits is of another record: so this one was judged without what is known
 * of itself, and is again. */
static idv_rc judge_anew(struct idv_trust *t)
{
    IDV_TRY(drop_pending(t));
    IDV_TRY(read_memo(t, IDVI_FILE_MEMO));
    IDV_TRY(look(t));
    return t->seen.found == IDV_ANCHOR_SEALED
               ? IDV_OK
               : idv_fail(IDV_E_DEVICE, "anchor: sealed, and then not");
}

static idv_rc found_sealed(struct idv_trust *t)
{
    if (!t->pending)
        IDV_TRY(drop_pending(t)); /* what is no file of ours */
    else if (!memo_is_of_record(t))
        IDV_TRY(tampered(judge_anew(t)));
    else if (!t->observe)
        IDV_TRY(finish(t));
    if (!t->observe) /* of one that the device did not come to */
        IDV_TRY(idvi_file_remove(t->dir, IDVI_FILE_RESET));
    return idvi_trust_adopt(t);
}

idv_rc idvi_trust_load(struct idv_trust *t)
{
    static idv_rc (*const go_on[])(struct idv_trust *) = {
        [IDV_ANCHOR_NOTHING] = found_nothing,
        [IDV_ANCHOR_UNFINISHED] = found_unfinished,
        [IDV_ANCHOR_SEALED] = found_sealed,
        [IDV_ANCHOR_ENDED] = found_ended,
    };
    IDV_TRY(tampered(find_memo(t)));
    IDV_TRY(tampered(look(t)));
    return go_on[t->seen.found](t);
}

idv_rc idvi_trust_reload(struct idv_trust *t)
{
    idvi_trust_forget(t);
    idv_rc rc = idvi_trust_load(t);
    t->unsure = rc != IDV_OK;
    if (t->unsure)
        idvi_trust_forget(t);
    return rc;
}

void idvi_trust_forget(struct idv_trust *t)
{
    idvi_pin_forget(t);
    idvi_rollover_free(&t->rollover);
    idv_enrollment_free(&t->enrollment);
    idv_enrollment_free(&t->previous);
    memset(&t->memo, 0, sizeof(t->memo));
    t->known = t->pending = false;
    t->cut = NULL;
    t->state = IDV_TRUST_NONE;
}
