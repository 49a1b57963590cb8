/* SPDX-License-Identifier: Apache-2.0 */
/* What is pinned: from the voucher into record and file, and back. */
#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

#include <idevid/auto.h>

#include "trust/trust_priv.h"

static bool hash_is(struct idv_bytes data, const uint8_t want[static 32])
{
    uint8_t got[32];
    SHA256(data.p, data.n, got);
    return memcmp(got, want, sizeof(got)) == 0;
}

static idv_rc read_file(const struct idv_trust *t, const char *name,
                        bool *found, struct idv_buf *out)
{
    char waits[64];
    snprintf(waits, sizeof(waits), IDVI_PENDING "%s", name);
    *found = false;
    if (t->pending)
        IDV_TRY(idvi_file_read(t->dir, waits, found, out));
    return *found ? IDV_OK : idvi_file_read(t->dir, name, found, out);
}

static idv_rc read_pin(struct idv_trust *t, struct idv_buf *file)
{
    bool found;
    IDV_TRY(read_file(t, IDVI_FILE_PIN, &found, file));
    if (!found)
        return idv_fail(IDV_E_REJECT, "%s is missing", IDVI_FILE_PIN);
    if (file->n != t->record.pin_length ||
        !hash_is(idv_view(file), t->record.pin_sha256))
        return idv_fail(IDV_E_REJECT, "%s is not what the record seals",
                        IDVI_FILE_PIN);
    return IDV_OK;
}

idv_rc idv_trust_voucher(const struct idv_trust *t, struct idv_voucher *out)
{
    IDV_AUTO(buf) file = {0};
    bool found;
    if (t->state == IDV_TRUST_NONE)
        return IDV_OK;
    IDV_TRY(read_file(t, IDVI_FILE_VOUCHER, &found, &file));
    return found ? idvi_voucher_read(idv_view(&file), out) : IDV_OK;
}

static idv_rc check_voucher(struct idv_trust *t)
{
    static const uint8_t none[32];
    IDV_AUTO(buf) file = {0};
    bool found;
    if (memcmp(t->record.voucher_sha256, none, sizeof(none)) == 0)
        return IDV_OK;
    IDV_TRY(read_file(t, IDVI_FILE_VOUCHER, &found, &file));
    if (!found)
        return idv_fail(IDV_E_REJECT, "the voucher is missing");
    if (t->record.flags & IDV_RECORD_CONTENT)
        return idvi_approved_voucher(t, idv_view(&file));
    if (!hash_is(idv_view(&file), t->record.voucher_sha256))
        return idv_fail(IDV_E_REJECT, "the voucher is not what the record "
                                      "seals");
    return IDV_OK;
}

idv_rc idvi_pin_load(struct idv_trust *t)
{
    IDV_AUTO(buf) file = {0};
    IDV_TRY(check_voucher(t));
    if ((t->record.flags & IDV_RECORD_KEY) && t->record.pin_length == 0)
        return IDV_OK;
    IDV_TRY(read_pin(t, &file));
    if (!(t->record.flags & IDV_RECORD_KEY))
        return idv_cert_from_der(idv_view(&file), &t->pin);
    idv_buf_move(&t->spki, &file);
    return IDV_OK;
}

void idvi_pin_forget(struct idv_trust *t)
{
    X509_free(t->pin);
    t->pin = NULL;
    idv_buf_free(&t->spki);
    memset(&t->record, 0, sizeof(t->record));
    memset(t->raw, 0, sizeof(t->raw));
}

static idv_rc pin_bytes(const struct idv_pinned *pinned, struct idv_buf *file)
{
    if (pinned->kind == IDV_PIN_CERT)
        return idv_cert_to_der(pinned->cert, file);
    if (pinned->kind == IDV_PIN_PUBK)
        return idv_buf_put(file, idv_view(&pinned->spki));
    return IDV_OK;
}

idv_rc idvi_pin_record(const struct idv_pinned *pinned,
                       struct idv_bytes voucher, const struct idv_env *env,
                       uint64_t generation, struct idv_record *record,
                       struct idv_buf *file)
{
    struct idv_record r = {.version = 1, .generation = generation};
    if (voucher.n && !hash_is(voucher, pinned->voucher_sha256))
        return idv_fail(IDV_E_ARG, "trust: not the voucher that was checked");
    IDV_TRY(pin_bytes(pinned, file));
    if (pinned->kind != IDV_PIN_CERT)
        r.flags = IDV_RECORD_KEY;
    memcpy(r.pin_sha256, pinned->spki_sha256, 32);
    if (file->n)
        SHA256(file->p, file->n, r.pin_sha256);
    r.pin_length = (uint32_t)file->n;
    if (idv_clock_trusted(env))
        r.time = (uint64_t)idv_now(env);
    if (voucher.n)
        memcpy(r.voucher_sha256, pinned->voucher_sha256, 32);
    *record = r;
    return IDV_OK;
}
