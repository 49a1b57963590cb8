/* SPDX-License-Identifier: Apache-2.0 */
/* What a maker approves: the record of a voucher, and policies for a TPM. */
#include <string.h>

#include <openssl/sha.h>

#include <idevid/approval.h>
#include <idevid/auto.h>
#include <idevid/limits.h>

#include "trust/approval_int.h"

#define REF_BEGIN "IDTA-imprint:"

/* --- the record ----------------------------------------------------------- */

static idv_rc put_pin(const struct idv_voucher *v, struct idv_record *r)
{
    const struct idv_buf *pin = &v->pinned_domain_cert;
    if (!pin->n) {
        r->flags |= IDV_RECORD_KEY;
        pin = &v->pinned_domain_pubk;
    }
    if (pin->n) {
        r->pin_length = (uint32_t)pin->n;
        SHA256(pin->p, pin->n, r->pin_sha256);
        return IDV_OK;
    }
    pin = &v->pinned_domain_pubk_sha256;
    if (pin->n != sizeof(r->pin_sha256))
        return idv_fail(IDV_E_REJECT, "approval: the voucher pins nothing");
    memcpy(r->pin_sha256, pin->p, pin->n);
    return IDV_OK;
}

idv_rc idv_approval_record(const struct idv_voucher *v, uint64_t generation,
                           struct idv_record *out)
{
    IDV_AUTO(buf) content = {.max = IDV_MAX_BODY};
    struct idv_record r = {.version = 1,
                           .flags = IDV_RECORD_CONTENT,
                           .generation = generation,
                           .time = (uint64_t)v->created_on};
    if (v->created_on == IDV_TIME_ABSENT || v->created_on < 0)
        return idv_fail(IDV_E_REJECT, "approval: the voucher does not say "
                                      "when it was made");
    IDV_TRY(put_pin(v, &r));
    IDV_TRY(idv_voucher_content(v, &content));
    SHA256(content.p, content.n, r.voucher_sha256);
    *out = r;
    return IDV_OK;
}

idv_rc idv_approval_ref(const char *serial, struct idv_approval_ref *out)
{
    char text[sizeof(REF_BEGIN) + IDV_MAX_SERIAL];
    const size_t n = strlen(serial);
    if (n < 1 || n > IDV_MAX_SERIAL)
        return idv_fail(IDV_E_ARG,
                        "approval: a serial number of %zu characters", n);
    out->n = (size_t)snprintf(text, sizeof(text), REF_BEGIN "%s", serial);
    memset(out->p, 0, sizeof(out->p));
    if (out->n <= sizeof(out->p)) {
        memcpy(out->p, text, out->n);
        return IDV_OK;
    }
    SHA256((const uint8_t *)text, out->n, out->p);
    out->n = sizeof(out->p);
    return IDV_OK;
}

/* --- policies ------------------------------------------------------------- */

void idvi_approval_counter(uint64_t value, uint8_t out[static 8])
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
}

uint64_t idvi_approval_value(enum idv_approval_step step, uint64_t generation)
{
    return step == IDV_APPROVE_RESET ? generation + 1 : generation;
}

idv_rc idv_approval_policy(enum idv_approval_step step,
                           const struct idv_approval_request *r,
                           const uint8_t record[static IDV_RECORD_SIZE],
                           uint8_t out[static 32])
{
    uint8_t p[IDVI_DIGEST] = {0}, cphash[IDVI_DIGEST], value[8];
    idvi_approval_counter(idvi_approval_value(step, r->generation), value);
    idvi_policy_nv(p, r->counter.name, idv_bytes(value, sizeof(value)), 0,
                   IDVI_EO_EQ);
    if (step == IDV_APPROVE_WRITE) {
        IDV_TRY(idvi_nv_write_cphash(
            r->anchor.name, idv_bytes(record, IDV_RECORD_SIZE), 0, cphash));
        idvi_policy_cphash(p, cphash);
    } else {
        idvi_policy_command(p, IDVI_CC_NV_INCREMENT);
    }
    memcpy(out, p, sizeof(p));
    return IDV_OK;
}

/* --- the two indices ------------------------------------------------------ */

void idvi_approval_index(const struct idv_approval_guard *guard, uint32_t index,
                         uint32_t attributes, uint16_t size, struct hwk_nv *out)
{
    *out = (struct hwk_nv){.index = index,
                           .attributes = attributes,
                           .name_alg = IDVI_ALG_SHA256,
                           .size = size,
                           .policy_n = sizeof(guard->policy)};
    memcpy(out->policy, guard->policy, sizeof(guard->policy));
    idvi_nv_name(out);
}

static bool is_named(const struct idv_anchor_index *i,
                     const struct idv_approval_guard *guard,
                     uint32_t attributes, uint16_t size)
{
    struct hwk_nv nv;
    idvi_approval_index(guard, i->index, attributes, size, &nv);
    return memcmp(nv.name, i->name, sizeof(i->name)) == 0;
}

idv_rc idv_approval_check(const struct idv_approval_request *r,
                          const struct idv_approval_guard *guard)
{
    const uint32_t blank = IDV_PLATFORM_ANCHOR_ATTRIBUTES;
    if (!is_named(&r->counter, guard, IDV_PLATFORM_COUNTER_ATTRIBUTES, 8))
        return idv_fail(IDV_E_REJECT, "approval: the counter's Name is not of "
                                      "one made for this key and device");
    if (!is_named(&r->anchor, guard, blank, IDV_RECORD_SIZE) &&
        !is_named(&r->anchor, guard, blank | IDV_NV_WRITTEN, IDV_RECORD_SIZE))
        return idv_fail(IDV_E_REJECT, "approval: the anchor's Name is not of "
                                      "one made for this key and device");
    return IDV_OK;
}
