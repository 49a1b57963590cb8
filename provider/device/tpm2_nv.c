/* SPDX-License-Identifier: Apache-2.0 */
/* NV indices: read, write once, erase. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_call.h"
#include "provider/device/tpm2_caps.h"
#include "provider/device/tpm2_evict.h"
#include "provider/device/tpm2_find.h"
#include "provider/device/tpm2_nv.h"
#include "provider/device/tpm2_nvcommand.h"
#include "provider/device/tpm2_nvdata.h"
#include "provider/device/tpm2_object.h"

void hwk_tpm_nv_clear(struct hwk_tpm_nv *nv)
{
    OPENSSL_free(nv->data);
    nv->data = NULL;
    nv->n = 0;
}

static int not_found(const struct hwk_tpm *tpm, TPM2_HANDLE index,
                     const char *why)
{
    return hwk_raise(HWK_R_NOT_FOUND, "TPM %s: NV index 0x%08x %s", tpm->name,
                     index, why);
}

/* the bytes of an index that was written; 0 with a reason */
static int fetch(struct hwk_tpm_index *ix, const struct hwk_tpm_nv_how *how,
                 struct hwk_tpm_nv *out)
{
    if (how && how->careful && !hwk_tpm_index_harmless(ix))
        return hwk_raise(HWK_R_PIN_MISSING,
                         "NV index 0x%08x may have an authorization value",
                         ix->pub.nvIndex);
    out->n = ix->pub.dataSize;
    out->data = OPENSSL_malloc(out->n + 1);
    if (!out->data)
        return hwk_raise(HWK_R_MEMORY, "NV index");
    if (hwk_tpm_index_read(ix, how ? how->auth : NULL, out->data)) {
        if (hwk_tpm_nv_whole(&ix->pub, out->data, out->n))
            return 1;
        not_found(ix->tpm, ix->pub.nvIndex, "was not written to its end");
    }
    hwk_tpm_nv_clear(out);
    return 0;
}

static void classify(struct hwk_tpm_nv *nv)
{
    TPM2_NT nt = hwk_tpm_nv_type(nv->pub.attributes);
    nv->type = nt == TPM2_NT_COUNTER ? HWK_OBJ_COUNTER : HWK_OBJ_DATA;
    if (nt == TPM2_NT_ORDINARY && nv->data)
        nv->type = hwk_tpm_nv_content(nv->data, &nv->n);
}

int hwk_tpm_nv_bytes(struct hwk_tpm *tpm, TPM2_HANDLE index,
                     const struct hwk_tpm_nv_how *how, struct hwk_tpm_nv *out)
{
    struct hwk_tpm_index ix;
    memset(out, 0, sizeof(*out));
    if (!hwk_tpm_begin(tpm))
        return 0;
    int ok = hwk_tpm_index_open(tpm, index, &ix) && fetch(&ix, how, out);
    out->pub = ix.pub;
    hwk_tpm_index_close(&ix);
    hwk_tpm_end(tpm);
    return ok;
}

int hwk_tpm_nv_read(struct hwk_tpm *tpm, TPM2_HANDLE index,
                    const struct hwk_tpm_nv_how *how, struct hwk_tpm_nv *out)
{
    if (!hwk_tpm_nv_bytes(tpm, index, how, out))
        return 0;
    classify(out);
    return 1;
}

/* what an index does not show is no error, unless the line broke: the mark of
 * before is settled, 0 when it did */
static int line_is_sound(const struct hwk_tpm *tpm)
{
    if (tpm->broken)
        ERR_clear_last_mark();
    else
        ERR_pop_to_mark();
    return !tpm->broken;
}

int hwk_tpm_nv_look(struct hwk_tpm *tpm, TPM2_HANDLE index,
                    struct hwk_tpm_nv *out)
{
    static const struct hwk_tpm_nv_how how = {.careful = true};
    struct hwk_tpm_index ix;
    memset(out, 0, sizeof(*out));
    int ok = hwk_tpm_index_open(tpm, index, &ix);
    out->pub = ix.pub;
    ERR_set_mark();
    if (ok && !fetch(&ix, &how, out))
        out->data = NULL;
    ok = line_is_sound(tpm) && ok;
    hwk_tpm_index_close(&ix);
    if (ok)
        classify(out);
    return ok;
}

/* by its hierarchy; an index with a policy for that is not ours to remove */
static int undefine(struct hwk_tpm_index *ix)
{
    struct hwk_tpm_by by;
    int ok = hwk_tpm_by_hierarchy(ix->tpm,
                                  ix->pub.attributes & TPMA_NV_PLATFORMCREATE
                                      ? TPM2_RH_PLATFORM
                                      : TPM2_RH_OWNER,
                                  &by) &&
             hwk_tpm_index_undefine(ix, &by);
    hwk_tpm_by_clear(&by);
    return ok;
}

static int compare(struct hwk_tpm_index *ix, const uint8_t *data, size_t n)
{
    uint8_t *back = OPENSSL_malloc(n);
    if (!back)
        return hwk_raise(HWK_R_MEMORY, "NV index");
    int ok = hwk_tpm_index_read(ix, NULL, back);
    if (ok && memcmp(back, data, n) != 0)
        ok = hwk_raise(HWK_R_COMPARE, "NV index 0x%08x", ix->pub.nvIndex);
    OPENSSL_free(back);
    return ok;
}

/* the first bytes last: what other programs look at is there when all is */
static int fill(struct hwk_tpm_index *ix, struct hwk_tpm_by *by,
                const uint8_t *data, size_t n)
{
    size_t chunk;
    if (!hwk_tpm_nv_most(ix->tpm, n, &chunk))
        return 0;
    for (size_t i = (n + chunk - 1) / chunk; i-- > 0;) {
        size_t at = i * chunk, part = n - at < chunk ? n - at : chunk;
        if (!hwk_tpm_index_write(ix, by, data + at, part, at))
            return 0;
    }
    ix->pub.attributes |= TPMA_NV_WRITTEN;
    return 1;
}

/* what is at the index now, seen by one who wants to write data there */
enum standing { FAILED, FREE, REPLACEABLE, TAKEN, UNLOCKED, DONE };

/* counters, PIN indices, what only a policy may write: never replaced */
static bool plain(const TPMS_NV_PUBLIC *pub)
{
    return hwk_tpm_nv_type(pub->attributes) == TPM2_NT_ORDINARY &&
           pub->attributes & (TPMA_NV_OWNERWRITE | TPMA_NV_AUTHWRITE) &&
           !(pub->attributes & TPMA_NV_WRITELOCKED);
}

static enum standing judge(const TPMS_NV_PUBLIC *pub, bool whole, bool same,
                           unsigned flags)
{
    bool lock = flags & HWK_WRITE_LOCK, fresh = flags & HWK_WRITE_NEW;
    bool locked = pub->attributes & TPMA_NV_WRITELOCKED;
    same = same && hwk_tpm_nv_ours(pub);
    if (same && lock && !locked && pub->attributes & TPMA_NV_WRITEDEFINE)
        return UNLOCKED;
    if (same && lock == locked && !fresh)
        return DONE;
    return plain(pub) && !(whole && fresh) ? REPLACEABLE : TAKEN;
}

static enum standing stand(struct hwk_tpm_index *ix, const uint8_t *data,
                           size_t n, unsigned flags)
{
    struct hwk_tpm_nv now = {.data = NULL};
    ERR_set_mark();
    bool whole = fetch(ix, NULL, &now);
    bool absent = !whole && hwk_err_is(HWK_R_NOT_FOUND);
    bool same = whole && now.n == n && memcmp(now.data, data, n) == 0;
    hwk_tpm_nv_clear(&now);
    if (!whole && !absent && ix->tpm->broken) {
        ERR_clear_last_mark();
        return FAILED;
    }
    ERR_pop_to_mark();
    return judge(&ix->pub, !absent, same, flags);
}

static int make_room(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                     struct hwk_tpm_index *ix, const uint8_t *data, size_t n,
                     unsigned flags, enum standing *standing)
{
    ERR_set_mark();
    *standing = hwk_tpm_index_open(tpm, handle, ix) ? TAKEN
                : hwk_err_is(HWK_R_NOT_FOUND)       ? FREE
                                                    : FAILED;
    if (*standing == FREE)
        ERR_pop_to_mark();
    else
        ERR_clear_last_mark();
    if (*standing != TAKEN)
        return *standing == FREE;
    switch (*standing = stand(ix, data, n, flags)) {
    case TAKEN:
        return hwk_raise(
            HWK_R_EXISTS, "TPM %s: NV index 0x%08x is %s", tpm->name, handle,
            plain(&ix->pub) ? "in use" : "protected: erase it first");
    case REPLACEABLE:
        return undefine(ix);
    default:
        return *standing != FAILED;
    }
}

static int template_for(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                        const uint8_t *data, size_t n, unsigned flags,
                        TPM2B_NV_PUBLIC *out)
{
    size_t most;
    if (!hwk_tpm_nv_most(tpm, n, &most))
        return 0;
    if (n > 0 && (!tpm->nv_max || n <= tpm->nv_max) &&
        hwk_tpm_nv_template(handle, data, n, flags & HWK_WRITE_LOCK, most, out))
        return 1;
    return hwk_raise(HWK_R_ARGUMENT,
                     "an NV index of this TPM holds 1 to %zu bytes, not %zu",
                     tpm->nv_max, n);
}

/* Past ESYS, which would print that there is one; where that takes no session.
 * False with rc TPM2_RC_NV_DEFINED, or SUCCESS: not tried. */
static bool define_at_once(struct hwk_tpm *tpm, const TPM2B_NV_PUBLIC *pub,
                           const struct hwk_tpm_by *by, TSS2_RC *rc)
{
    static const TPM2_HANDLE owner = TPM2_RH_OWNER;
    const TPM2B_AUTH empty = {.size = 0};
    struct hwk_tpm_call call;
    *rc = TSS2_RC_SUCCESS;
    if (!hwk_tpm_plain(tpm, by->auth))
        return false;
    hwk_tpm_call_start(&call, TPM2_CC_NV_DefineSpace, &owner, 1, true);
    hwk_tpm_call_put(&call, TPM2B_DIGEST, &empty);
    hwk_tpm_call_put(&call, TPM2B_NV_PUBLIC, pub);
    *rc = hwk_tpm_call_run(tpm, &call);
    return *rc == TSS2_RC_SUCCESS;
}

/* what is there was looked at */
static int define(struct hwk_tpm *tpm, const TPM2B_NV_PUBLIC *pub,
                  struct hwk_tpm_index *ix, struct hwk_tpm_by *by,
                  const uint8_t *data, size_t n, unsigned flags,
                  enum standing *standing)
{
    TSS2_RC rc;
    *standing = FREE;
    ix->tpm = tpm;
    if ((flags & HWK_WRITE_NEW) && (flags & HWK_WRITE_BLIND)) {
        if (!hwk_tpm_index_may(ix, by->hierarchy, by->auth))
            return 0;
        if (define_at_once(tpm, pub, by, &rc))
            return hwk_tpm_index_take(tpm, &pub->nvPublic, ix);
        if (rc != TSS2_RC_SUCCESS && !hwk_tpm_rc_is(rc, TPM2_RC_NV_DEFINED))
            return hwk_tpm_index_defined(tpm, pub, by, rc, ix);
    }
    if (!make_room(tpm, pub->nvPublic.nvIndex, ix, data, n, flags, standing))
        return 0;
    return *standing == DONE || *standing == UNLOCKED ||
           hwk_tpm_index_define(tpm, pub, by, ix);
}

static int store(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                 struct hwk_tpm_index *ix, struct hwk_tpm_by *by,
                 const uint8_t *data, size_t n, unsigned flags)
{
    TPM2B_NV_PUBLIC pub;
    enum standing standing;
    if (!template_for(tpm, handle, data, n, flags, &pub) ||
        !define(tpm, &pub, ix, by, data, n, flags, &standing))
        return 0;
    if (standing == DONE)
        return 1;
    if (standing != UNLOCKED &&
        !(fill(ix, by, data, n) &&
          (flags & HWK_WRITE_BLIND || compare(ix, data, n))))
        return 0;
    return !(flags & HWK_WRITE_LOCK) || hwk_tpm_index_lock(ix, by);
}

int hwk_tpm_nv_write(struct hwk_tpm *tpm, TPM2_HANDLE index,
                     const uint8_t *data, size_t n, unsigned flags)
{
    struct hwk_tpm_index ix = {.tr = ESYS_TR_NONE};
    struct hwk_tpm_by owner;
    if (!hwk_tpm_begin(tpm))
        return 0;
    hwk_tpm_devid_forget(tpm);
    int ok = hwk_tpm_by_hierarchy(tpm, TPM2_RH_OWNER, &owner) &&
             store(tpm, index, &ix, &owner, data, n, flags);
    hwk_tpm_by_clear(&owner);
    hwk_tpm_index_close(&ix);
    hwk_tpm_end(tpm);
    return ok;
}

static int evict(struct hwk_tpm *tpm, TPM2_HANDLE handle)
{
    TPM2_HANDLE by = handle >= HWK_TPM_PLATFORM_PERSISTENT ? TPM2_RH_PLATFORM
                                                           : TPM2_RH_OWNER;
    TPM2B_PUBLIC pub;
    TPM2B_NAME name;
    TSS2_RC rc;
    hwk_tpm_object_forget(tpm, handle);
    return hwk_tpm_ask_public(tpm, handle, &pub, &name) &&
           hwk_tpm_evict(tpm, by, NULL, handle, &name, handle, &rc) &&
           hwk_tpm_check(tpm, rc, "EvictControl", handle);
}

int hwk_tpm_erase(struct hwk_tpm *tpm, TPM2_HANDLE handle)
{
    struct hwk_tpm_index ix = {.tr = ESYS_TR_NONE};
    if (!hwk_tpm_begin(tpm))
        return 0;
    hwk_tpm_devid_forget(tpm);
    int ok = handle >> 24 == TPM2_HT_PERSISTENT
                 ? evict(tpm, handle)
                 : hwk_tpm_index_open(tpm, handle, &ix) && undefine(&ix);
    hwk_tpm_index_close(&ix);
    hwk_tpm_end(tpm);
    return ok;
}
