/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a TPM, and what the TPM is. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "provider/device/tpm2_list.h"
#include "provider/device/tpm2_object.h"
#include "provider/device/tpm2_public.h"

#define HANDLES_MAX 1024

/* four bytes of text from a property, without what cannot be printed */
static void put_text(char *out, size_t max, UINT32 value)
{
    size_t at = strlen(out);
    for (int shift = 24; shift >= 0 && at + 1 < max; shift -= 8) {
        char c = (char)(value >> shift);
        if (c > ' ' && c <= '~')
            out[at++] = c;
    }
    out[at] = 0;
}

void hwk_tpm_describe(const struct hwk_tpm_properties *fixed,
                      const struct hwk_tpm_properties *var,
                      struct hwk_device_info *out)
{
    static const TPM2_PT vendor[] = {
        TPM2_PT_VENDOR_STRING_1, TPM2_PT_VENDOR_STRING_2,
        TPM2_PT_VENDOR_STRING_3, TPM2_PT_VENDOR_STRING_4};
    UINT32 v1 = hwk_tpm_property(fixed, TPM2_PT_FIRMWARE_VERSION_1);
    UINT32 v2 = hwk_tpm_property(fixed, TPM2_PT_FIRMWARE_VERSION_2);
    memset(out, 0, sizeof(*out));
    out->kind = HWK_DEVICE_TPM2;
    put_text(out->maker, sizeof(out->maker),
             hwk_tpm_property(fixed, TPM2_PT_MANUFACTURER));
    for (size_t i = 0; i < 4; i++)
        put_text(out->model, sizeof(out->model),
                 hwk_tpm_property(fixed, vendor[i]));
    snprintf(out->firmware, sizeof(out->firmware), "%u.%u.%u.%u", v1 >> 16,
             v1 & 0xffff, v2 >> 16, v2 & 0xffff);
    out->in_lockout =
        hwk_tpm_property(var, TPM2_PT_PERMANENT) & TPMA_PERMANENT_INLOCKOUT;
    out->nv_max = hwk_tpm_property(fixed, TPM2_PT_NV_INDEX_MAX);
}

int hwk_tpm_info(struct hwk_tpm *tpm, struct hwk_device_info *out)
{
    struct hwk_tpm_properties fixed, var;
    if (!hwk_tpm_begin(tpm))
        return 0;
    int ok = hwk_tpm_properties(tpm, TPM2_PT_FIXED, &fixed) &&
             hwk_tpm_properties(tpm, TPM2_PT_VAR, &var);
    hwk_tpm_end(tpm);
    if (ok)
        hwk_tpm_describe(&fixed, &var, out);
    return ok;
}

struct handles {
    TPM2_HANDLE *p;
    size_t n;
};

static int collect(void *arg, TPM2_HANDLE handle)
{
    struct handles *h = arg;
    if (h->n == HANDLES_MAX)
        return 0;
    h->p[h->n++] = handle;
    return 1;
}

int hwk_tpm_all_handles(struct hwk_tpm *tpm, TPM2_HANDLE **out, size_t *n)
{
    struct handles h = {OPENSSL_malloc(HANDLES_MAX * sizeof(TPM2_HANDLE)), 0};
    if (!h.p)
        return hwk_raise(HWK_R_MEMORY, "TPM handles");
    int ok = hwk_tpm_begin(tpm) != NULL;
    if (ok) {
        ok = hwk_tpm_handles(tpm, HWK_TPM_PERSISTENT, collect, &h) &&
             hwk_tpm_handles(tpm, HWK_TPM_NV, collect, &h);
        hwk_tpm_end(tpm);
    }
    if (!ok) {
        OPENSSL_free(h.p);
        return 0;
    }
    *out = h.p;
    *n = h.n;
    return 1;
}

static void name_it(TPM2_HANDLE handle, struct hwk_object_info *out)
{
    static const struct {
        TPM2_HANDLE handle;
        const char *label;
    } known[] = {
        {0x81000001, "storage root key"},
        {0x81020000, "IDevID"},
        {0x81020001, "IAK"},
        {0x81010001, "EK RSA"},
        {0x01C00002, "EK certificate, RSA 2048"},
        {0x01C0000A, "EK certificate, EC P-256"},
        {0x01C00016, "EK certificate, EC P-384"},
        {0x01C0001C, "EK certificate, RSA 3072"},
        {0x01C90100, "IAK certificate"},
        {0x01C90200, "IDevID certificate"},
    };
    snprintf(out->uri, sizeof(out->uri), "tpm2:handle=0x%08x", handle);
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (known[i].handle == handle)
            snprintf(out->label, sizeof(out->label), "%s", known[i].label);
}

void hwk_tpm_describe_key(TPM2_HANDLE handle, const TPM2B_PUBLIC *pub,
                          struct hwk_object_info *out)
{
    const TPMA_OBJECT born =
        TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_SENSITIVEDATAORIGIN;
    struct hwk_pub key;
    memset(out, 0, sizeof(*out));
    name_it(handle, out);
    out->type = HWK_OBJ_PRIVATE;
    out->attributes = pub->publicArea.objectAttributes;
    out->never_extractable = (out->attributes & born) == born;
    ERR_set_mark();
    if (hwk_tpm_public(pub, &key))
        hwk_pub_describe(&key, out->algorithm, sizeof(out->algorithm));
    ERR_pop_to_mark();
}

void hwk_tpm_describe_nv(const struct hwk_tpm_nv *nv,
                         struct hwk_object_info *out)
{
    memset(out, 0, sizeof(*out));
    name_it(nv->pub.nvIndex, out);
    out->type = nv->type;
    out->size = nv->data ? nv->n : nv->pub.dataSize;
    out->attributes = nv->pub.attributes;
    out->write_locked = nv->pub.attributes & TPMA_NV_WRITELOCKED;
}

static int look_key(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                    struct hwk_object_info *out)
{
    TPM2B_PUBLIC pub;
    TPM2B_NAME name;
    if (!hwk_tpm_ask_public(tpm, handle, &pub, &name))
        return 0;
    hwk_tpm_describe_key(handle, &pub, out);
    return 1;
}

static int look_nv(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                   struct hwk_object_info *out)
{
    struct hwk_tpm_nv nv;
    if (!hwk_tpm_nv_look(tpm, handle, &nv))
        return 0;
    hwk_tpm_describe_nv(&nv, out);
    hwk_tpm_nv_clear(&nv);
    return 1;
}

/* 1 seen, 0 with a reason; an object that went meanwhile is *gone */
static int look(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                struct hwk_object_info *out, bool *gone)
{
    if (!hwk_tpm_begin(tpm))
        return 0;
    ERR_set_mark();
    int ok = handle >> 24 == TPM2_HT_PERSISTENT ? look_key(tpm, handle, out)
                                                : look_nv(tpm, handle, out);
    hwk_tpm_end(tpm);
    *gone = !ok && hwk_err_is(HWK_R_NOT_FOUND);
    if (*gone)
        ERR_pop_to_mark();
    else
        ERR_clear_last_mark();
    return ok || *gone;
}

int hwk_tpm_list(struct hwk_tpm *tpm, hwk_tpm_each *each, void *arg)
{
    TPM2_HANDLE *handles;
    size_t n;
    struct hwk_object_info info;
    if (!hwk_tpm_all_handles(tpm, &handles, &n))
        return 0;
    int ok = 1;
    bool gone = false;
    for (size_t i = 0; ok && i < n; i++) {
        ok = look(tpm, handles[i], &info, &gone);
        if (ok && !gone && !each(arg, &info))
            break;
    }
    OPENSSL_free(handles);
    return ok;
}
