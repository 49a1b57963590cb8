/* SPDX-License-Identifier: Apache-2.0 */
/* The making of device identities in a TPM: provider/device.h's table, with our
 * errors. */
#include <string.h>

#include <openssl/err.h>

#include "key/devid.h"
#include "key/key.h"

/* what the provider said of a call, where a note names handle (0: none) */
static idv_rc said(struct idv_device *dev, int ok, uint32_t handle, int *why)
{
    char name[64];
    if (why)
        *why = 0;
    if (ok)
        return IDV_OK;
    snprintf(name, sizeof(name), "tpm2:handle=0x%08x", handle);
    return idvi_device_failed(handle ? name : idvi_device_uri(dev), why);
}

static const struct hwk_devid_ops *begin(struct idv_device *dev,
                                         struct hwk_device **out)
{
    ERR_clear_error();
    *out = idvi_device_door(dev);
    return idvi_device_ops(dev)->devid;
}

#define ASK(handle, call, ...)                                                 \
    do {                                                                       \
        struct hwk_device *d_;                                                 \
        const struct hwk_devid_ops *ops_ = begin(dev, &d_);                    \
        return said(dev, ops_->call(d_, ##__VA_ARGS__), (handle), why);        \
    } while (0)

idv_rc idvi_devid_create(struct idv_device *dev, enum hwk_devid what,
                         const char *type, uint32_t cert_index, uint32_t handle,
                         struct hwk_born *out, int *why)
{
    ASK(0, create, what, type, cert_index, handle, out);
}

idv_rc idvi_devid_sign(struct idv_device *dev, const struct hwk_born *key,
                       struct idv_bytes digest,
                       struct idvi_devid_signature *out, int *why)
{
    out->n = sizeof(out->p);
    ASK(0, sign, key, digest.p, digest.n, out->p, &out->n);
}

static void room(const struct hwk_born *by, struct idvi_nv_proof *out)
{
    out->attest_n = sizeof(out->attest);
    out->sig_n = sizeof(out->sig);
    memcpy(out->pub, by->pub, by->pub_n);
    out->pub_n = by->pub_n;
}

idv_rc idvi_devid_certify(struct idv_device *dev, const struct hwk_born *what,
                          const struct hwk_born *by, struct idv_bytes nonce,
                          struct idvi_nv_proof *out, int *why)
{
    room(by, out);
    ASK(0, certify, what, by, nonce.p, nonce.n, out->attest, &out->attest_n,
        out->sig, &out->sig_n);
}

idv_rc idvi_devid_certify_creation(struct idv_device *dev,
                                   const struct hwk_born *what,
                                   const struct hwk_born *by,
                                   struct idv_bytes nonce,
                                   struct idvi_nv_proof *out, int *why)
{
    room(by, out);
    ASK(0, certify_creation, what, by, nonce.p, nonce.n, out->attest,
        &out->attest_n, out->sig, &out->sig_n);
}

idv_rc idvi_devid_activate(struct idv_device *dev, const struct hwk_born *what,
                           const struct hwk_born *ek,
                           struct idv_bytes credential, struct idv_bytes secret,
                           struct idvi_devid_secret *out, int *why)
{
    out->n = sizeof(out->p);
    ASK(0, activate, what, ek, credential.p, credential.n, secret.p, secret.n,
        out->p, &out->n);
}

idv_rc idvi_devid_keep(struct idv_device *dev, const struct hwk_born *key,
                       uint32_t handle, int *why)
{
    ASK(handle, keep, key, handle);
}

idv_rc idvi_devid_drop(struct idv_device *dev, struct hwk_born *key, int *why)
{
    ASK(0, drop, key);
}

idv_rc idvi_devid_set_auth(struct idv_device *dev, uint32_t hierarchy,
                           struct idv_bytes value, int *why)
{
    ASK(0, set_auth, hierarchy, value.p, value.n);
}

idv_rc idvi_devid_set_lockout(struct idv_device *dev,
                              const struct hwk_lockout *to,
                              struct idv_bytes value, int *why)
{
    ASK(0, set_lockout, to, value.p, value.n);
}

idv_rc idvi_devid_indices(struct idv_device *dev, uint32_t from, uint32_t to,
                          uint32_t *out, size_t *n, int *why)
{
    ASK(0, indices, from, to, out, n);
}
