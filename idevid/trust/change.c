/* SPDX-License-Identifier: Apache-2.0 */
/* NONE to IMPRINTED to ENROLLED, and back: the device decides. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/fs.h>

#include "trust/trust_priv.h"

static idv_rc check_acts(const struct idv_trust *t)
{
    if (t->observe)
        return idv_fail(IDV_E_STATE, "trust: opened to be looked at only");
    return IDV_OK;
}

/* What the device holds after a failure, of which rc and note are returned. */
static idv_rc ask_again(struct idv_trust *t, idv_rc rc)
{
    char why[IDV_NOTE_MAX];
    strcpy(why, idv_note());
    idv_note_clear();
    if (idvi_trust_reload(t) != IDV_OK)
        idv_note_clear(); /* t->unsure says it */
    return idv_fail(rc, "%s", why);
}

/* --- imprint -------------------------------------------------------------- */

static idv_rc write_files(const struct idv_trust *t, struct idv_bytes pin,
                          struct idv_bytes voucher,
                          const struct idv_anchor_memo *memo)
{
    IDV_TRY(idvi_files_remove(t->dir));
    idv_rc rc = idvi_pending_write(t->dir, pin, voucher, memo);
    if (rc != IDV_OK && idvi_pending_remove(t->dir) != IDV_OK)
        idv_log(t->env, IDV_LOG_WARN, "trust-remains", "dir=%s",
                idv_log_value(t->dir));
    return rc;
}

/* It may have the record after all, or enough of it to go on from. */
static idv_rc recover(struct idv_trust *t, const struct idv_anchor_memo *memo,
                      idv_rc rc)
{
    rc = ask_again(t, rc);
    if (t->state == IDV_TRUST_NONE ||
        memcmp(t->raw, memo->record, sizeof(t->raw)) != 0)
        return rc;
    idv_note_clear();
    return IDV_OK;
}

static idv_rc take(struct idv_trust *t, const struct idv_anchor_memo *memo,
                   const struct idv_record *record)
{
    t->memo = *memo;
    t->known = t->pending = true;
    t->record = *record;
    memcpy(t->raw, memo->record, sizeof(t->raw));
    idv_rc rc = idvi_trust_adopt(t);
    t->unsure = rc != IDV_OK;
    if (t->unsure)
        idvi_trust_forget(t);
    return rc;
}

/* asked: what the device has may be another state than ours. */
static idv_rc seal(struct idv_trust *t, const struct idv_pinned *pinned,
                   struct idv_bytes voucher, struct idv_anchor_memo *memo,
                   struct idv_record *record, bool *asked)
{
    IDV_AUTO(buf) file = {0};
    idv_rc rc = t->anchor.ops->prepare(t->anchor.self, memo);
    *asked = rc == IDV_E_STATE; /* somebody imprinted since we looked */
    IDV_TRY(rc);
    IDV_TRY(idvi_pin_record(pinned, voucher, t->env, memo->generation, record,
                            &file));
    IDV_TRY(idvi_approved_record(t, pinned, memo->generation, record));
    idv_record_to_bytes(record, memo->record);
    memcpy(memo->registrar, pinned->registrar, sizeof(memo->registrar));
    IDV_TRY(write_files(t, idv_view(&file), voucher, memo));
    *asked = true;
    return t->anchor.ops->write(t->anchor.self, memo, &t->seen);
}

/* In one turn at the device: nobody comes between, and nothing but files is
 * waited for. */
static idv_rc seal_in_turn(struct idv_trust *t, const struct idv_pinned *pinned,
                           struct idv_bytes voucher,
                           struct idv_anchor_memo *memo,
                           struct idv_record *record, bool *asked)
{
    const struct idv_anchor_ops *ops = t->anchor.ops;
    if (ops->enter)
        IDV_TRY(ops->enter(t->anchor.self));
    idv_rc rc = seal(t, pinned, voucher, memo, record, asked);
    if (ops->leave)
        ops->leave(t->anchor.self);
    return rc;
}

idv_rc idv_trust_imprint(struct idv_trust *t, const struct idv_pinned *pinned,
                         struct idv_bytes voucher)
{
    struct idv_anchor_memo memo = {0};
    struct idv_record record;
    bool asked = false;
    IDV_TRY(check_acts(t));
    if (t->state != IDV_TRUST_NONE)
        return idv_fail(IDV_E_STATE, "trust: imprinted already");
    idv_rc rc = seal_in_turn(t, pinned, voucher, &memo, &record, &asked);
    if (rc == IDV_OK)
        return take(t, &memo, &record);
    return asked ? recover(t, &memo, rc) : rc;
}

/* --- enrollment ----------------------------------------------------------- */

static idv_rc copy_enrollment(const struct idv_enrollment *from,
                              struct idv_enrollment *to)
{
    *to = *from;
    to->ldevid = idv_certs_dup(from->ldevid);
    to->anchors = idv_certs_dup(from->anchors);
    to->others = idv_certs_dup(from->others);
    if (to->ldevid && to->anchors && (to->others || !from->others))
        return IDV_OK;
    idv_enrollment_free(to);
    return idv_fail(IDV_E_NOMEM, "enrollment");
}

/* First in a file of its own, so that one of the two is there whenever this is
 * cut. One that was never used is not kept instead of one that was. */
static idv_rc keep_previous(struct idv_trust *t)
{
    IDV_AUTO(buf) json = {0};
    struct idv_enrollment copy;
    if (t->state != IDV_TRUST_ENROLLED || t->previous.ldevid)
        return IDV_OK;
    IDV_TRY(idvi_bundle_to_json(&t->enrollment, t->raw, &json));
    IDV_TRY(copy_enrollment(&t->enrollment, &copy));
    idv_rc rc = idvi_file_write(t->dir, IDVI_FILE_PREVIOUS, idv_view(&json));
    if (rc == IDV_OK)
        t->previous = copy;
    else
        idv_enrollment_free(&copy);
    return rc;
}

const struct idv_enrollment *idv_trust_previous(const struct idv_trust *t)
{
    return t->state == IDV_TRUST_ENROLLED && t->previous.ldevid ? &t->previous
                                                                : NULL;
}

idv_rc idv_trust_confirm(struct idv_trust *t)
{
    IDV_TRY(check_acts(t));
    if (!t->previous.ldevid)
        return IDV_OK;
    IDV_TRY(idvi_file_remove(t->dir, IDVI_FILE_PREVIOUS));
    IDV_TRY(idv_fs_sync(t->dir));
    idv_enrollment_free(&t->previous);
    return IDV_OK;
}

idv_rc idv_trust_enroll(struct idv_trust *t, const struct idv_enrollment *e)
{
    IDV_AUTO(buf) json = {0};
    struct idv_enrollment copy;
    IDV_TRY(check_acts(t));
    if (t->state == IDV_TRUST_NONE)
        return idv_fail(IDV_E_STATE, "trust: not imprinted");
    IDV_TRY(idvi_enrollment_check(e, t->pin, &t->rollover));
    IDV_TRY(idvi_bundle_to_json(e, t->raw, &json));
    IDV_TRY(keep_previous(t));
    IDV_TRY(copy_enrollment(e, &copy));
    idv_rc rc = idvi_file_write(t->dir, IDVI_FILE_ENROLLMENT, idv_view(&json));
    if (rc != IDV_OK) {
        idv_enrollment_free(&copy);
        return rc;
    }
    idv_enrollment_free(&t->enrollment);
    t->enrollment = copy;
    t->state = IDV_TRUST_ENROLLED;
    return IDV_OK;
}

/* --- reset ---------------------------------------------------------------- */

/* Files without a record are a reset that was cut short where the counter went
 * on; where there is none, a file has to say it. */
static idv_rc mark_reset(const struct idv_trust *t)
{
    return t->seen.counter
               ? IDV_OK
               : idvi_file_write(t->dir, IDVI_FILE_RESET, idv_bytes(NULL, 0));
}

idv_rc idv_trust_reset(struct idv_trust *t)
{
    IDV_TRY(check_acts(t));
    IDV_TRY(mark_reset(t));
    idv_rc rc = t->anchor.ops->reset(t->anchor.self);
    if (rc != IDV_OK) {
        rc = ask_again(t, rc);
        if (t->unsure || t->state != IDV_TRUST_NONE)
            return rc;
        idv_note_clear();
        return IDV_OK;
    }
    idvi_trust_forget(t);
    memset(&t->seen, 0, sizeof(t->seen));
    t->unsure = false;
    return idvi_files_remove(t->dir);
}

idv_rc idv_trust_wipe(const struct idv_trust_conf *conf)
{
    idvi_approved_wipe(conf);
    IDV_TRY(conf->anchor.ops->reset(conf->anchor.self));
    return idvi_files_remove(conf->dir);
}

/* --- not knowing ---------------------------------------------------------- */

bool idv_trust_unsure(const struct idv_trust *t)
{
    return t->unsure;
}

idv_rc idv_trust_settle(struct idv_trust *t)
{
    return t->unsure ? idvi_trust_reload(t) : IDV_OK;
}
