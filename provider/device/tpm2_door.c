/* SPDX-License-Identifier: Apache-2.0 */
/* struct hwk_nv_ops of device.h, of a TPM. */
#include <string.h>

#include "provider/device/tpm2_caps.h"
#include "provider/device/tpm2_door.h"
#include "provider/device/tpm2_find.h"
#include "provider/device/tpm2_nvcommand.h"

static int enter(void *state)
{
    return hwk_tpm_enter(state);
}

static void leave(void *state)
{
    hwk_tpm_leave(state);
}

static int look(void *state, uint32_t index, struct hwk_nv *out)
{
    TPMS_NV_PUBLIC pub;
    if (!hwk_tpm_begin(state))
        return 0;
    int ok = hwk_tpm_nv_ask(state, index, &pub) && hwk_tpm_nv_from(&pub, out);
    hwk_tpm_end(state);
    return ok;
}

/* --- reading --- */

/* who may: the index by its empty value, its owner, the platform */
static TPM2_HANDLE reader(const TPMS_NV_PUBLIC *pub)
{
    if (pub->attributes & TPMA_NV_AUTHREAD)
        return 0;
    return pub->attributes & TPMA_NV_OWNERREAD ? TPM2_RH_OWNER
                                               : TPM2_RH_PLATFORM;
}

static int no(const struct hwk_tpm_index *ix, int reason, const char *why)
{
    return hwk_raise(reason, "TPM %s: NV index 0x%08x %s", ix->tpm->name,
                     ix->pub.nvIndex, why);
}

static int readable(const struct hwk_tpm_index *ix)
{
    const TPMA_NV some = TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD | TPMA_NV_PPREAD;
    const struct hwk_config *cfg = ix->tpm->cfg;
    if (cfg && cfg->tpm_sessions == HWK_PROTECT_NEVER)
        return no(ix, HWK_R_UNSUPPORTED,
                  "is only read in a session that proves what comes back: "
                  "tpm-sessions = never forbids that");
    if (!(ix->pub.attributes & TPMA_NV_WRITTEN))
        return no(ix, HWK_R_NOT_FOUND, "was never written");
    return ix->pub.attributes & some
               ? 1
               : no(ix, HWK_R_UNSUPPORTED, "can be read by its policy only");
}

static int read_piece(struct hwk_tpm_index *ix, struct hwk_tpm_by *by,
                      uint8_t *out, size_t n, size_t at)
{
    struct hwk_tpm *tpm = ix->tpm;
    TPM2B_MAX_NV_BUFFER *got = NULL;
    ESYS_TR session, who = ix->tr;
    TSS2_RC rc;
    if (by->hierarchy)
        hwk_tpm_hierarchy(by->hierarchy, &who);
    do {
        if (!hwk_tpm_authorize(tpm, who, by->auth, HWK_TPM_SECRET_BACK,
                               &session))
            return 0;
        rc = Esys_NV_Read(tpm->esys, who, ix->tr, session, ESYS_TR_NONE,
                          ESYS_TR_NONE, (UINT16)n, (UINT16)at, &got);
    } while (hwk_tpm_again(tpm, rc));
    if (rc != TSS2_RC_SUCCESS && hwk_tpm_reason(rc) == HWK_R_PIN_INCORRECT)
        return hwk_tpm_index_denied(ix, by->hierarchy, by->auth);
    if (!hwk_tpm_check(tpm, rc, "NV_Read", ix->pub.nvIndex))
        return 0;
    int ok = got->size == n ? 1
                            : no(ix, HWK_R_BUS,
                                 "gave another number of bytes "
                                 "than was asked for");
    if (ok)
        memcpy(out, got->buffer, n);
    Esys_Free(got);
    return ok;
}

static int read_all(struct hwk_tpm_index *ix, struct hwk_tpm_by *by, bool last,
                    uint8_t *out)
{
    size_t size = ix->pub.dataSize, most;
    if (!readable(ix) || !hwk_tpm_index_may(ix, by->hierarchy, by->auth) ||
        !hwk_tpm_nv_most(ix->tpm, size, &most))
        return 0;
    for (size_t at = 0, n; at < size; at += n) {
        n = size - at < most ? size - at : most;
        if (last && at + n == size)
            hwk_tpm_sessions_last(ix->tpm);
        if (!read_piece(ix, by, out + at, n, at))
            return 0;
    }
    return 1;
}

/* --- an index and who authorises what is done to it --- */

struct job {
    struct hwk_tpm_index ix;
    struct hwk_tpm_by by;
};

static int open_job(struct hwk_tpm *tpm, const struct hwk_nv *nv,
                    struct job *job)
{
    TPM2B_NV_PUBLIC pub;
    int ok = hwk_tpm_nv_to(nv, &pub) &&
             hwk_tpm_index_take(tpm, &pub.nvPublic, &job->ix);
    job->ix.single = true;
    return ok;
}

static void done(struct hwk_tpm *tpm, struct job *job)
{
    hwk_tpm_index_close(&job->ix);
    hwk_tpm_by_clear(&job->by);
    hwk_tpm_end(tpm);
}

static int start(struct hwk_tpm *tpm, struct job *job)
{
    memset(job, 0, sizeof(*job));
    job->ix.tpm = tpm;
    job->ix.tr = ESYS_TR_NONE;
    return hwk_tpm_begin(tpm) != NULL;
}

/* a session that was started for a turn need not outlive its last read */
static int read_index(struct hwk_tpm *state, const struct hwk_nv *nv, bool last,
                      uint8_t *out)
{
    struct job job;
    if (!start(state, &job))
        return 0;
    int ok = open_job(state, nv, &job);
    TPM2_HANDLE who = reader(&job.ix.pub);
    ok = ok && (who == 0 || hwk_tpm_by_hierarchy(state, who, &job.by)) &&
         read_all(&job.ix, &job.by, last, out);
    done(state, &job);
    return ok;
}

static int read(void *state, const struct hwk_nv *nv, uint8_t *out)
{
    return read_index(state, nv, false, out);
}

static int read_last(void *state, const struct hwk_nv *nv, uint8_t *out)
{
    return read_index(state, nv, true, out);
}

static int define(void *state, const struct hwk_nv *nv, uint32_t hierarchy)
{
    struct job job;
    TPM2B_NV_PUBLIC pub;
    if (!start(state, &job))
        return 0;
    hwk_tpm_devid_forget(state);
    job.ix.single = true;
    int ok = hwk_tpm_nv_to(nv, &pub) &&
             hwk_tpm_by_hierarchy(state, hierarchy, &job.by) &&
             hwk_tpm_index_define(state, &pub, &job.by, &job.ix);
    done(state, &job);
    return ok;
}

static int begin_change(struct hwk_tpm *tpm, const struct hwk_nv *nv,
                        const struct hwk_nv_by *by, struct job *job)
{
    if (!start(tpm, job))
        return 0;
    hwk_tpm_devid_forget(tpm);
    if (open_job(tpm, nv, job) && hwk_tpm_by_from(tpm, nv, by, &job->by))
        return 1;
    done(tpm, job);
    return 0;
}

static int undefine(void *state, const struct hwk_nv *nv,
                    const struct hwk_nv_by *by)
{
    struct job job;
    if (!begin_change(state, nv, by, &job))
        return 0;
    int ok = hwk_tpm_index_undefine(&job.ix, &job.by);
    done(state, &job);
    return ok;
}

/* what the first bytes begin is there when all of it is */
static int write_pieces(struct job *job, const uint8_t *data, size_t n)
{
    size_t most = n;
    if (job->by.hierarchy && !hwk_tpm_nv_most(job->ix.tpm, n, &most))
        return 0;
    for (size_t i = (n + most - 1) / most; i-- > 0;) {
        size_t at = i * most, part = n - at < most ? n - at : most;
        if (!hwk_tpm_index_write(&job->ix, &job->by, data + at, part, at))
            return 0;
        job->ix.pub.attributes |= TPMA_NV_WRITTEN;
    }
    return 1;
}

static int write(void *state, const struct hwk_nv *nv,
                 const struct hwk_nv_by *by, const uint8_t *data, size_t n)
{
    struct job job;
    if (!begin_change(state, nv, by, &job))
        return 0;
    int ok = n == 0 ? hwk_raise(HWK_R_ARGUMENT, "NV index: nothing to write")
                    : write_pieces(&job, data, n);
    done(state, &job);
    return ok;
}

static int lock(void *state, const struct hwk_nv *nv,
                const struct hwk_nv_by *by)
{
    struct job job;
    if (!begin_change(state, nv, by, &job))
        return 0;
    int ok = hwk_tpm_index_lock(&job.ix, &job.by);
    done(state, &job);
    return ok;
}

static int increment(void *state, const struct hwk_nv *nv,
                     const struct hwk_nv_by *by)
{
    struct job job;
    if (!begin_change(state, nv, by, &job))
        return 0;
    int ok = hwk_tpm_index_increment(&job.ix, &job.by);
    done(state, &job);
    return ok;
}

const struct hwk_backend_nv hwk_tpm_door = {
    .enter = enter,
    .leave = leave,
    .look = look,
    .read = read,
    .read_last = read_last,
    .peek = hwk_tpm_door_peek,
    .define = define,
    .undefine = undefine,
    .write = write,
    .lock = lock,
    .increment = increment,
    .certify = hwk_tpm_door_certify,
    .pcr_read = hwk_tpm_door_pcr_read,
    .pcr_extend = hwk_tpm_door_pcr_extend,
    .facts = hwk_tpm_door_facts,
};
