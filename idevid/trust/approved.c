/* SPDX-License-Identifier: Apache-2.0 */
/* The maker's approval on its way from a voucher to the device. */
#include <string.h>

#include <openssl/sha.h>

#include <idevid/approval.h>
#include <idevid/auto.h>

#include "trust/trust_priv.h"

idv_rc idv_trust_statement(struct idv_trust *t, struct idv_buf *out)
{
    struct idv_approval_request r;
    if (!t->anchor.ops->statement)
        return IDV_OK;
    IDV_TRY(t->anchor.ops->statement(t->anchor.self, &r));
    return idv_approval_request_to_json(&r, out);
}

static idv_rc approve(const struct idv_anchor *anchor,
                      const struct idv_voucher *v,
                      const struct idv_record *record)
{
    struct idv_approval a;
    bool mine = false;
    idv_rc rc = idv_approval_from_json(idv_view(&v->manufacturer_proprietary),
                                       &mine, &a);
    if (rc == IDV_OK && !mine)
        return idv_fail(IDV_E_REJECT, "the voucher has no approval by the "
                                      "maker, which this device demands");
    return rc == IDV_OK ? anchor->ops->approve(anchor->self, &a, record) : rc;
}

idv_rc idvi_approved_record(struct idv_trust *t,
                            const struct idv_pinned *pinned,
                            uint64_t generation, struct idv_record *record)
{
    struct idv_record r;
    if (!t->anchor.ops->approve)
        return IDV_OK;
    IDV_TRY(idv_approval_record(&pinned->voucher, generation, &r));
    if (r.pin_length != record->pin_length ||
        memcmp(r.pin_sha256, record->pin_sha256, sizeof(r.pin_sha256)) != 0)
        return idv_fail(IDV_E_REJECT, "the voucher pins what is not in DER");
    IDV_TRY(approve(&t->anchor, &pinned->voucher, &r));
    *record = r;
    return IDV_OK;
}

idv_rc idvi_voucher_read(struct idv_bytes sealed, struct idv_voucher *out)
{
    IDV_AUTO(opened) opened = {0};
    const char *media = idv_envelope_guess(sealed);
    if (!media)
        return idv_fail(IDV_E_REJECT, "the voucher is none");
    IDV_TRY(idv_envelope_open(media, sealed, &opened));
    return idv_voucher_from(media, idv_view(&opened.payload), IDV_VOUCHER, out);
}

idv_rc idvi_approved_voucher(struct idv_trust *t, struct idv_bytes sealed)
{
    IDV_AUTO(voucher) v;
    IDV_AUTO(buf) content = {.max = IDV_MAX_BODY};
    uint8_t hash[32];
    idv_voucher_init(&v, IDV_VOUCHER);
    IDV_TRY(idvi_voucher_read(sealed, &v));
    IDV_TRY(idv_voucher_content(&v, &content));
    SHA256(content.p, content.n, hash);
    if (memcmp(hash, t->record.voucher_sha256, sizeof(hash)) != 0)
        return idv_fail(IDV_E_REJECT, "the voucher is not what the record "
                                      "seals");
    return t->anchor.ops->approve ? approve(&t->anchor, &v, &t->record)
                                  : IDV_OK;
}

/* The device's own; or, of one whose place another has taken, the voucher's. */
static idv_rc ended_record(const struct idv_anchor_seen *seen,
                           const struct idv_voucher *v, struct idv_record *out)
{
    return seen->found == IDV_ANCHOR_NOTHING
               ? idv_approval_record(v, seen->counter - 1, out)
               : idv_record_from_bytes(
                     idv_bytes(seen->record, sizeof(seen->record)), out);
}

static idv_rc approve_again(const struct idv_trust_conf *conf)
{
    IDV_AUTO(buf) file = {0};
    IDV_AUTO(voucher) v;
    struct idv_anchor_seen seen = {.found = IDV_ANCHOR_NOTHING};
    struct idv_record record;
    bool found;
    idv_voucher_init(&v, IDV_VOUCHER);
    IDV_TRY(conf->anchor.ops->read(conf->anchor.self, NULL, &seen));
    IDV_TRY(idvi_file_read(conf->dir, IDVI_FILE_VOUCHER, &found, &file));
    if (!found)
        return IDV_OK;
    IDV_TRY(idvi_voucher_read(idv_view(&file), &v));
    IDV_TRY(ended_record(&seen, &v, &record));
    return approve(&conf->anchor, &v, &record);
}

void idvi_approved_wipe(const struct idv_trust_conf *conf)
{
    if (conf->anchor.ops->approve && approve_again(conf) != IDV_OK)
        idv_note_clear(); /* reset says what it lacks */
}
