/* SPDX-License-Identifier: Apache-2.0 */
/* NV indices of a TPM: provider/device.h's table, with our errors. */
#include <openssl/err.h>

#include "key/key.h"
#include "key/nv.h"

/* what the provider said of a call, where a note names index (0: none) */
static idv_rc said(struct idv_device *dev, int ok, uint32_t index, int *why)
{
    char name[64];
    if (why)
        *why = 0;
    if (ok)
        return IDV_OK;
    snprintf(name, sizeof(name), "tpm2:handle=0x%08x", index);
    return idvi_device_failed(index ? name : idvi_device_uri(dev), why);
}

static idv_rc has_none(struct idv_device *dev, int *why)
{
    if (why)
        *why = HWK_R_UNSUPPORTED;
    return idv_fail(IDV_E_DEVICE, "%s: the provider knows no NV indices",
                    idvi_uri_shown(idvi_device_uri(dev)).text);
}

/* absence is an answer, not a failure: an older note stays, ours goes */
static idv_rc found_or(struct idv_device *dev, int ok, uint32_t index,
                       bool *found, int *why)
{
    int reason;
    const bool older = *idv_note();
    idv_rc rc = said(dev, ok, index, &reason);
    if (rc != IDV_OK && reason == HWK_R_NOT_FOUND) {
        if (!older)
            idv_note_clear();
        rc = IDV_OK;
    }
    if (rc == IDV_OK)
        *found = ok;
    if (why)
        *why = rc == IDV_OK ? 0 : reason;
    return rc;
}

static const struct hwk_nv_ops *begin(struct idv_device *dev,
                                      struct hwk_device **out)
{
    ERR_clear_error();
    *out = idvi_device_door(dev);
    return idvi_device_ops(dev)->nv;
}

#define ASK(index, call, ...)                                                  \
    do {                                                                       \
        struct hwk_device *d_;                                                 \
        const struct hwk_nv_ops *ops_ = begin(dev, &d_);                       \
        return !ops_ ? has_none(dev, why)                                      \
                     : said(dev, ops_->call(d_, ##__VA_ARGS__), (index), why); \
    } while (0)

idv_rc idvi_nv_enter(struct idv_device *dev, int *why)
{
    ASK(0, enter);
}

void idvi_nv_leave(struct idv_device *dev)
{
    idvi_device_ops(dev)->nv->leave(idvi_device_door(dev));
}

idv_rc idvi_nv_look(struct idv_device *dev, uint32_t index, bool *found,
                    struct hwk_nv *out, int *why)
{
    struct hwk_device *d;
    const struct hwk_nv_ops *ops = begin(dev, &d);
    if (!ops)
        return has_none(dev, why);
    return found_or(dev, ops->look(d, index, out), index, found, why);
}

idv_rc idvi_nv_read(struct idv_device *dev, const struct hwk_nv *nv,
                    bool *found, uint8_t *out, int *why)
{
    struct hwk_device *d;
    const struct hwk_nv_ops *ops = begin(dev, &d);
    if (!ops)
        return has_none(dev, why);
    return found_or(dev, ops->read(d, nv, out), nv->index, found, why);
}

idv_rc idvi_nv_read_last(struct idv_device *dev, const struct hwk_nv *nv,
                         bool *found, uint8_t *out, int *why)
{
    struct hwk_device *d;
    const struct hwk_nv_ops *ops = begin(dev, &d);
    return found_or(dev, ops->read_last(d, nv, out), nv->index, found, why);
}

idv_rc idvi_nv_peek(struct idv_device *dev, const struct hwk_nv *nv,
                    bool *found, uint8_t *out, int *why)
{
    struct hwk_device *d;
    const struct hwk_nv_ops *ops = begin(dev, &d);
    if (!ops)
        return has_none(dev, why);
    return found_or(dev, ops->peek(d, nv, out), nv->index, found, why);
}

idv_rc idvi_nv_define(struct idv_device *dev, const struct hwk_nv *nv,
                      uint32_t hierarchy, int *why)
{
    ASK(nv->index, define, nv, hierarchy);
}

idv_rc idvi_nv_undefine(struct idv_device *dev, const struct hwk_nv *nv,
                        const struct hwk_nv_by *by, int *why)
{
    ASK(nv->index, undefine, nv, by);
}

idv_rc idvi_nv_write(struct idv_device *dev, const struct hwk_nv *nv,
                     const struct hwk_nv_by *by, struct idv_bytes data,
                     int *why)
{
    ASK(nv->index, write, nv, by, data.p, data.n);
}

idv_rc idvi_nv_lock(struct idv_device *dev, const struct hwk_nv *nv,
                    const struct hwk_nv_by *by, int *why)
{
    ASK(nv->index, lock, nv, by);
}

idv_rc idvi_nv_increment(struct idv_device *dev, const struct hwk_nv *nv,
                         const struct hwk_nv_by *by, int *why)
{
    ASK(nv->index, increment, nv, by);
}

static idv_rc certify(struct idv_device *dev, const char *key_uri,
                      const struct hwk_nv *nv, struct idv_bytes nonce,
                      struct idvi_nv_proof *out, int *why)
{
    out->attest_n = sizeof(out->attest);
    out->sig_n = sizeof(out->sig);
    out->pub_n = sizeof(out->pub);
    ASK(nv->index, certify, key_uri, nv, nonce.p, nonce.n, out->attest,
        &out->attest_n, out->sig, &out->sig_n, out->pub, &out->pub_n);
}

idv_rc idvi_nv_certify(struct idv_device *dev, const char *key_uri,
                       const struct hwk_nv *nv, struct idv_bytes nonce,
                       struct idvi_nv_proof *out, int *why)
{
    struct idvi_nv_proof proof;
    IDV_TRY(certify(dev, key_uri, nv, nonce, &proof, why));
    *out = proof;
    return IDV_OK;
}

idv_rc idvi_nv_pcr_read(struct idv_device *dev, uint32_t pcrs,
                        uint8_t out[static 32], int *why)
{
    ASK(0, pcr_read, pcrs, out);
}

idv_rc idvi_nv_pcr_extend(struct idv_device *dev, unsigned pcr,
                          const uint8_t digest[static 32], int *why)
{
    ASK(0, pcr_extend, pcr, digest);
}

idv_rc idvi_nv_facts(struct idv_device *dev, unsigned what,
                     struct hwk_tpm_facts *out, int *why)
{
    ASK(0, facts, what, out);
}
