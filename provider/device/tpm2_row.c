/* SPDX-License-Identifier: Apache-2.0 */
/* The TPM's row in the table of backend.h. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/tpm2_blob.h"
#include "provider/device/tpm2_door.h"
#include "provider/device/tpm2_door_devid.h"
#include "provider/device/tpm2_find.h"
#include "provider/device/tpm2_list.h"
#include "provider/device/tpm2_make.h"

static const enum hwk_scheme schemes[] = {HWK_SCHEME_TPM2, 0};

static int row_open(const struct hwk_config *cfg, void **state)
{
    struct hwk_tpm *tpm = hwk_tpm_new(cfg);
    if (!tpm)
        return 0;
    *state = tpm;
    return 1;
}

/* also when the process ends: what is loaded is flushed then, see tpm2_idle.h
 */
static void row_close(void *state, bool exiting)
{
    (void)exiting;
    hwk_tpm_free(state);
}

static void row_forked(void *state)
{
    hwk_tpm_forked(state);
}

static int row_renew(void *state)
{
    return hwk_tpm_renew(state);
}

static int row_find(void *state, const struct hwk_uri *uri, unsigned want,
                    const struct hwk_pin_ask *pin, hwk_found_fn *each,
                    void *arg)
{
    return hwk_tpm_find(state, uri, want, pin, each, arg);
}

static int row_load_blob(void *state, const uint8_t *der, size_t n,
                         const struct hwk_pin_ask *pin, hwk_found_fn *each,
                         void *arg)
{
    return hwk_tpm_find_blob(state, der, n, "", HWK_WANT_PRIVATE, pin, each,
                             arg) >= 0;
}

static int row_blob(void *state, hwk_ref *ref, uint8_t **der, size_t *n)
{
    const struct hwk_tpm_key *key = ref;
    (void)state;
    *der = NULL;
    return !key->file || hwk_tpm_keyfile_encode(key->file, der, n);
}

static int row_make(void *state, const struct hwk_uri *uri,
                    const struct hwk_spec *spec, const struct hwk_pin_ask *pin,
                    struct hwk_found *out)
{
    struct hwk_secret *auth = NULL, *parent_auth = NULL;
    struct hwk_tpm_key *key = NULL;
    struct hwk_spec asked = *spec;
    if ((spec->tpm.auth || hwk_tpm_ask_auth(uri, pin, uri->handle, &auth)) &&
        (spec->tpm.parent_auth ||
         hwk_pin_get_parent(pin, "a new TPM key", &parent_auth))) {
        if (parent_auth)
            asked.tpm.parent_auth = parent_auth;
        key = hwk_tpm_make(state, uri, &asked, auth);
    }
    hwk_secret_free(parent_auth);
    hwk_secret_free(auth);
    return key && hwk_tpm_found_key(state, key, out);
}

static int row_sign(void *state, hwk_ref *ref, const struct hwk_mech *mech,
                    const uint8_t *in, size_t n, uint8_t *sig, size_t *sig_n)
{
    return hwk_tpm_sign(state, ref, mech, in, n, sig, sig_n);
}

static int row_decrypt(void *state, hwk_ref *ref, const struct hwk_mech *mech,
                       const uint8_t *in, size_t n, uint8_t *out, size_t *out_n)
{
    return hwk_tpm_decrypt(state, ref, mech, in, n, out, out_n);
}

static int row_derive(void *state, hwk_ref *ref, const uint8_t *peer, size_t n,
                      uint8_t *out, size_t *out_n)
{
    return hwk_tpm_derive(state, ref, peer, n, out, out_n);
}

static int row_random(void *state, const struct hwk_uri *uri, uint8_t *out,
                      size_t n)
{
    (void)uri; /* there is but one */
    return hwk_tpm_random(state, out, n);
}

static void row_release(void *state, hwk_ref *ref)
{
    hwk_tpm_key_free(state, ref);
}

/* --- device.h: the device is the state itself --- */

static int dev_open(void *state, const struct hwk_uri *uri,
                    const struct hwk_pin_ask *pin, void **dev)
{
    (void)uri;
    (void)pin;
    if (!hwk_tpm_begin(state))
        return 0;
    hwk_tpm_end(state);
    *dev = state;
    return 1;
}

static void dev_close(void *state, void *dev)
{
    (void)state;
    (void)dev;
}

static int dev_info(void *state, void *dev, struct hwk_device_info *out)
{
    (void)dev;
    return hwk_tpm_info(state, out);
}

static int dev_list(void *state, void *dev,
                    int (*each)(void *arg, const struct hwk_object_info *),
                    void *arg)
{
    (void)dev;
    return hwk_tpm_list(state, each, arg);
}

static int nv_index(const struct hwk_uri *uri, TPM2_HANDLE *out)
{
    if (!hwk_tpm_uri_handle(uri, out))
        return 0;
    return *out >> 24 == TPM2_HT_NV_INDEX
               ? 1
               : hwk_raise(HWK_R_BAD_URI, "tpm2: NV index handle=0x01... "
                                          "expected");
}

static int dev_read(void *state, void *dev, const struct hwk_uri *uri,
                    uint8_t *out, size_t *n, struct hwk_object_info *info)
{
    struct hwk_tpm_nv nv;
    struct hwk_secret *auth = NULL;
    TPM2_HANDLE index;
    const struct hwk_tpm *tpm = state;
    const struct hwk_pin_ask pin = {.cfg = tpm->cfg, .uri = uri};
    (void)dev;
    if (!nv_index(uri, &index) || !hwk_tpm_ask_auth(uri, &pin, index, &auth))
        return 0;
    const struct hwk_tpm_nv_how how = {.auth = auth};
    int ok = hwk_tpm_nv_read(state, index, &how, &nv);
    hwk_secret_free(auth);
    if (!ok)
        return 0;
    ok = !out || nv.n <= *n;
    if (ok && out)
        memcpy(out, nv.data, nv.n);
    if (ok)
        *n = nv.n;
    else
        hwk_raise(HWK_R_ARGUMENT, "no room for %zu bytes", nv.n);
    if (ok && info)
        hwk_tpm_describe_nv(&nv, info);
    hwk_tpm_nv_clear(&nv);
    return ok;
}

static int dev_write(void *state, void *dev, const struct hwk_uri *uri,
                     const uint8_t *data, size_t n, unsigned flags)
{
    TPM2_HANDLE index;
    (void)dev;
    if (flags & ~(HWK_WRITE_NEW | HWK_WRITE_LOCK | HWK_WRITE_BLIND))
        return hwk_raise(HWK_R_UNSUPPORTED, "that is for tokens");
    return nv_index(uri, &index) &&
           hwk_tpm_nv_write(state, index, data, n, flags);
}

static int dev_erase(void *state, void *dev, const struct hwk_uri *uri)
{
    TPM2_HANDLE handle;
    (void)dev;
    if (!hwk_tpm_uri_handle(uri, &handle))
        return 0;
    return handle ? hwk_tpm_erase(state, handle)
                  : hwk_raise(HWK_R_BAD_URI, "tpm2: a handle= to erase");
}

const struct hwk_backend hwk_backend_tpm2 = {
    .name = "tpm2",
    .schemes = schemes,
    .open = row_open,
    .close = row_close,
    .forked = row_forked,
    .renew = row_renew,
    .find = row_find,
    .load_blob = row_load_blob,
    .blob = row_blob,
    .make = row_make,
    .sign = row_sign,
    .decrypt = row_decrypt,
    .derive = row_derive,
    .random = row_random,
    .release = row_release,
    .dev_open = dev_open,
    .dev_close = dev_close,
    .dev_info = dev_info,
    .dev_list = dev_list,
    .dev_read = dev_read,
    .dev_write = dev_write,
    .dev_erase = dev_erase,
    .nv = &hwk_tpm_door,
    .devid = &hwk_tpm_door_devid,
};
