/* SPDX-License-Identifier: Apache-2.0 */
/* NONE, IMPRINTED, ENROLLED: the device decides, the files prove. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "trust/trust_priv.h"

const char *idv_trust_state_to_text(enum idv_trust_state s)
{
    static const char *const words[] = {"none", "imprinted", "enrolled"};
    return (unsigned)s < 3 ? words[s] : "unknown";
}

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

static idv_rc read_record(struct idv_trust *t, bool *found)
{
    IDV_AUTO(buf) raw = {0};
    IDV_TRY(t->anchor.ops->read(t->anchor.self, found, &raw));
    if (!*found)
        return IDV_OK;
    IDV_TRY(tampered(idv_record_from_bytes(idv_view(&raw), &t->record)));
    memcpy(t->raw, raw.p, sizeof(t->raw));
    return IDV_OK;
}

static idv_rc load_enrollment(struct idv_trust *t)
{
    IDV_AUTO(buf) file = {0};
    bool found;
    IDV_TRY(idvi_file_read(t->dir, IDVI_FILE_ENROLLMENT, &found, &file));
    if (!found)
        return IDV_OK;
    IDV_TRY(idvi_bundle_from_json(idv_view(&file), t->raw, &t->enrollment));
    IDV_TRY(idvi_enrollment_check(&t->enrollment, t->pin, &t->rollover));
    t->state = IDV_TRUST_ENROLLED;
    return IDV_OK;
}

static idv_rc load(struct idv_trust *t)
{
    bool found = false;
    IDV_TRY(read_record(t, &found));
    if (!found)
        return idvi_files_remove(t->dir);
    IDV_TRY(tampered(idvi_pin_load(t)));
    t->state = IDV_TRUST_IMPRINTED;
    IDV_TRY(tampered(idvi_rollover_load(t)));
    return tampered(load_enrollment(t));
}

static void forget(struct idv_trust *t)
{
    idvi_pin_forget(t);
    idvi_rollover_free(&t->rollover);
    idv_enrollment_free(&t->enrollment);
    t->state = IDV_TRUST_NONE;
}

idv_rc idv_trust_open(struct idv_trust_conf *conf, struct idv_trust **out)
{
    struct idv_trust *t = calloc(1, sizeof(*t));
    if (!t)
        return idv_fail(IDV_E_NOMEM, "trust");
    t->anchor = conf->anchor;
    t->env = conf->env;
    idv_rc rc = idv_text_dup(idv_str(conf->dir), &t->dir);
    if (rc == IDV_OK)
        rc = idv_fs_mkdir(conf->dir, 0700);
    if (rc == IDV_OK)
        rc = load(t);
    if (rc != IDV_OK) {
        t->anchor = (struct idv_anchor){0};
        idv_trust_close(t);
        return rc;
    }
    conf->anchor = (struct idv_anchor){0};
    *out = t;
    return IDV_OK;
}

void idv_trust_close(struct idv_trust *t)
{
    if (!t)
        return;
    forget(t);
    idv_anchor_close(&t->anchor);
    free(t->dir);
    free(t);
}

enum idv_trust_state idv_trust_state(const struct idv_trust *t)
{
    return t->state;
}

const char *idv_trust_assurance(const struct idv_trust *t)
{
    return t->anchor.ops->assurance;
}

const struct idv_record *idv_trust_record(const struct idv_trust *t)
{
    return t->state == IDV_TRUST_NONE ? NULL : &t->record;
}

const X509 *idv_trust_pin(const struct idv_trust *t)
{
    return t->pin;
}

struct idv_bytes idv_trust_pin_spki(const struct idv_trust *t)
{
    return idv_view(&t->spki);
}

const struct idv_enrollment *idv_trust_enrollment(const struct idv_trust *t)
{
    return t->state == IDV_TRUST_ENROLLED ? &t->enrollment : NULL;
}

/* --- changes -------------------------------------------------------------- */

static idv_rc reload(struct idv_trust *t)
{
    forget(t);
    idv_rc rc = load(t);
    t->unsure = rc != IDV_OK;
    if (t->unsure)
        forget(t);
    return rc;
}

bool idv_trust_unsure(const struct idv_trust *t)
{
    return t->unsure;
}

idv_rc idv_trust_settle(struct idv_trust *t)
{
    return t->unsure ? reload(t) : IDV_OK;
}

/* Nobody may have imprinted since we looked; if so, that is what holds. */
static idv_rc check_vacant(struct idv_trust *t)
{
    IDV_AUTO(buf) raw = {0};
    bool found = false;
    if (t->state != IDV_TRUST_NONE)
        return idv_fail(IDV_E_STATE, "trust: imprinted already");
    IDV_TRY(t->anchor.ops->read(t->anchor.self, &found, &raw));
    if (!found)
        return IDV_OK;
    IDV_TRY(reload(t));
    return idv_fail(IDV_E_STATE, "trust: the device holds a record already");
}

static idv_rc write_files(const struct idv_trust *t, struct idv_bytes pin,
                          struct idv_bytes voucher)
{
    IDV_TRY(idvi_files_remove(t->dir));
    if (pin.n)
        IDV_TRY(idvi_file_write(t->dir, IDVI_FILE_PIN, pin));
    if (voucher.n)
        IDV_TRY(idvi_file_write(t->dir, IDVI_FILE_VOUCHER, voucher));
    return IDV_OK;
}

/* After a failed write the device is asked what it holds. Files stay when it
 * cannot say: should the record be there, they belong to it. */
static idv_rc settle(struct idv_trust *t, struct idv_bytes record, idv_rc rc)
{
    IDV_AUTO(buf) raw = {0};
    bool found = true;
    t->unsure = t->anchor.ops->read(t->anchor.self, &found, &raw) != IDV_OK;
    if (t->unsure)
        return rc;
    if (found && idv_bytes_eq(idv_view(&raw), record)) {
        idv_note_clear();
        return IDV_OK;
    }
    if (!found && idvi_files_remove(t->dir) != IDV_OK)
        idv_log(t->env, IDV_LOG_WARN, "trust-remains", "dir=%s",
                idv_log_value(t->dir));
    return rc;
}

static idv_rc seal(struct idv_trust *t, struct idv_bytes record)
{
    idv_rc rc = t->anchor.ops->write(t->anchor.self, record);
    return rc == IDV_OK ? IDV_OK : settle(t, record, rc);
}

/* The device has it; from here on so have we. */
static idv_rc adopt(struct idv_trust *t, const struct idv_record *record,
                    const uint8_t raw[static IDV_RECORD_SIZE])
{
    t->record = *record;
    memcpy(t->raw, raw, sizeof(t->raw));
    idv_rc rc = idvi_pin_load(t);
    t->unsure = rc != IDV_OK;
    if (t->unsure)
        forget(t);
    else
        t->state = IDV_TRUST_IMPRINTED;
    return rc;
}

idv_rc idv_trust_imprint(struct idv_trust *t, const struct idv_pinned *pinned,
                         struct idv_bytes voucher)
{
    IDV_AUTO(buf) file = {0};
    struct idv_record record;
    uint8_t raw[IDV_RECORD_SIZE];
    IDV_TRY(check_vacant(t));
    IDV_TRY(idvi_pin_record(pinned, voucher, t->env, &record, &file));
    idv_record_to_bytes(&record, raw);
    idv_rc rc = write_files(t, idv_view(&file), voucher);
    if (rc == IDV_OK)
        rc = seal(t, idv_bytes(raw, sizeof(raw)));
    else if (idvi_files_remove(t->dir) != IDV_OK)
        return rc;
    return rc == IDV_OK ? adopt(t, &record, raw) : rc;
}

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

idv_rc idv_trust_enroll(struct idv_trust *t, const struct idv_enrollment *e)
{
    IDV_AUTO(buf) json = {0};
    struct idv_enrollment copy;
    if (t->state == IDV_TRUST_NONE)
        return idv_fail(IDV_E_STATE, "trust: not imprinted");
    IDV_TRY(idvi_enrollment_check(e, t->pin, &t->rollover));
    IDV_TRY(idvi_bundle_to_json(e, t->raw, &json));
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

idv_rc idv_trust_reset(struct idv_trust *t)
{
    IDV_TRY(t->anchor.ops->reset(t->anchor.self));
    forget(t);
    t->unsure = false;
    return idvi_files_remove(t->dir);
}

idv_rc idv_trust_wipe(const struct idv_trust_conf *conf)
{
    IDV_TRY(conf->anchor.ops->reset(conf->anchor.self));
    return idvi_files_remove(conf->dir);
}
