/* SPDX-License-Identifier: Apache-2.0 */
/* What stands for the maker's anchors, in a TPM: an index whose Name commits
 * to it, of the platform or of the owner. */
#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

#include "key/nv.h"
#include "trust/maker.h"
#include "tpm/nvpolicy.h"

#define LOCKED                                                                 \
    (IDVI_NV_WRITEDEFINE | IDVI_NV_WRITELOCKED | IDVI_NV_WRITTEN |             \
     IDVI_NV_WRITEALL)
/* nobody writes it by a policy: authPolicy is there for the Name alone */
#define PLATFORM                                                               \
    (IDVI_NV_PPWRITE | IDVI_NV_PPREAD | IDVI_NV_OWNERREAD | IDVI_NV_AUTHREAD | \
     IDVI_NV_NO_DA | IDVI_NV_WRITEDEFINE | IDVI_NV_WRITEALL |                  \
     IDVI_NV_PLATFORMCREATE)

static idv_rc wrong(const struct hwk_nv *nv, const char *what)
{
    return idv_fail(IDV_E_REJECT, "maker's anchors: NV index 0x%08X %s",
                    nv->index, what);
}

static bool commits(const struct hwk_nv *nv, const uint8_t *raw)
{
    uint8_t d[32];
    SHA256(raw, IDV_MAKER_SIZE, d);
    return nv->policy_n == 32 && memcmp(nv->policy, d, 32) == 0;
}

static idv_rc check_public(const struct hwk_nv *nv)
{
    if (nv->attributes & IDVI_NV_TYPE || nv->size != IDV_MAKER_SIZE)
        return wrong(nv, "is not 40 bytes of data");
    if (nv->index == IDV_MAKER_PLATFORM_INDEX &&
        !(nv->attributes & IDVI_NV_PLATFORMCREATE))
        return wrong(nv, "was not made by the platform");
    if ((nv->attributes & LOCKED) != LOCKED)
        return wrong(nv, "is not written and locked for ever");
    return IDV_OK;
}

static idv_rc read_one(struct idv_device *dev, uint32_t index,
                       struct idvi_maker_seen *out)
{
    struct hwk_nv nv;
    struct idv_maker m;
    uint8_t raw[IDV_MAKER_SIZE];
    bool found;
    IDV_TRY(idvi_nv_look(dev, index, &found, &nv, NULL));
    if (!found)
        return IDV_OK;
    IDV_TRY(check_public(&nv));
    IDV_TRY(idvi_nv_read_last(dev, &nv, &found, raw, NULL));
    if (!found)
        return wrong(&nv, "went away");
    if (!commits(&nv, raw))
        return wrong(&nv, "does not commit to its content");
    if (idv_maker_from_bytes(idv_bytes(raw, sizeof(raw)), &m) != IDV_OK)
        return idv_fail_within(IDV_E_REJECT, "NV index 0x%08X", index);
    memcpy(out->raw, raw, sizeof(raw));
    snprintf(out->where, sizeof(out->where), "tpm2:handle=0x%08X", index);
    out->found = true;
    return IDV_OK;
}

idv_rc idvi_maker_tpm_read(struct idv_device *dev, uint32_t index,
                           struct idvi_maker_seen *out)
{
    IDV_TRY(idvi_nv_enter(dev, NULL));
    idv_rc rc = read_one(dev, index ? index : IDV_MAKER_PLATFORM_INDEX, out);
    if (rc == IDV_OK && !out->found && !index)
        rc = read_one(dev, IDV_MAKER_OWNER_INDEX, out);
    idvi_nv_leave(dev);
    return rc;
}

/* --- writing by the owner ------------------------------------------------- */

static idv_rc write_owner(struct idv_device *dev, uint32_t index,
                          const uint8_t raw[static IDV_MAKER_SIZE])
{
    char uri[32];
    snprintf(uri, sizeof(uri), "tpm2:handle=0x%08X", index);
    return idv_device_write(dev, uri, idv_bytes(raw, IDV_MAKER_SIZE),
                            IDV_WRITE_NEW | IDV_WRITE_LOCK);
}

/* --- writing by the platform ---------------------------------------------- */

static const struct hwk_nv_by platform = {.handle = IDVI_RH_PLATFORM};

static struct hwk_nv template(uint32_t index, const uint8_t *raw)
{
    struct hwk_nv nv = {.index = index,
                        .attributes = PLATFORM,
                        .name_alg = IDVI_ALG_SHA256,
                        .size = IDV_MAKER_SIZE,
                        .policy_n = 32};
    SHA256(raw, IDV_MAKER_SIZE, nv.policy);
    return nv;
}

static bool same_public(const struct hwk_nv *nv, const struct hwk_nv *want)
{
    return (nv->attributes & ~IDVI_NV_WRITTEN) == want->attributes &&
           nv->size == want->size && nv->policy_n == want->policy_n &&
           memcmp(nv->policy, want->policy, want->policy_n) == 0;
}

/* What a cut run of this very write left goes on; anything else is not ours to
 * touch. */
static idv_rc begun(struct idv_device *dev, const struct hwk_nv *want,
                    struct hwk_nv *nv, bool *found)
{
    IDV_TRY(idvi_nv_look(dev, want->index, found, nv, NULL));
    if (*found && !same_public(nv, want))
        return idv_fail(IDV_E_STATE, "NV index 0x%08X is in use", want->index);
    return IDV_OK;
}

static idv_rc look_again(struct idv_device *dev, struct hwk_nv *nv)
{
    bool found;
    IDV_TRY(idvi_nv_look(dev, nv->index, &found, nv, NULL));
    return found
               ? IDV_OK
               : idv_fail(IDV_E_DEVICE, "NV index 0x%08X went away", nv->index);
}

static idv_rc write_platform(struct idv_device *dev, uint32_t index,
                             const uint8_t raw[static IDV_MAKER_SIZE])
{
    const struct hwk_nv want = template(index, raw);
    struct hwk_nv nv;
    bool found;
    IDV_TRY(begun(dev, &want, &nv, &found));
    if (!found) {
        IDV_TRY(idvi_nv_define(dev, &want, IDVI_RH_PLATFORM, NULL));
        nv.index = index;
        IDV_TRY(look_again(dev, &nv));
    }
    if (!(nv.attributes & IDVI_NV_WRITTEN)) {
        IDV_TRY(idvi_nv_write(dev, &nv, &platform,
                              idv_bytes(raw, IDV_MAKER_SIZE), NULL));
        IDV_TRY(look_again(dev, &nv));
    }
    return idvi_nv_lock(dev, &nv, &platform, NULL);
}

idv_rc idvi_maker_tpm_write(struct idv_device *dev, uint32_t index,
                            const uint8_t raw[static IDV_MAKER_SIZE],
                            bool by_platform)
{
    if (by_platform)
        return write_platform(dev, index ? index : IDV_MAKER_PLATFORM_INDEX,
                              raw);
    return write_owner(dev, index ? index : IDV_MAKER_OWNER_INDEX, raw);
}
