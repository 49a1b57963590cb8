/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates in a TPM's NV (TCG's places): defined with SHA-256 of the bytes
 * as authPolicy, which no command can satisfy, so that what was cut half-way
 * shows; written; locked for ever where that is asked for.
 */
#include <string.h>

#include <openssl/sha.h>

#include "factory/station_int.h"

#define PLATFORM                                                               \
    (IDVI_NV_PPWRITE | IDVI_NV_PPREAD | IDVI_NV_OWNERREAD | IDVI_NV_AUTHREAD | \
     IDVI_NV_NO_DA | IDVI_NV_PLATFORMCREATE)
#define OWNER                                                                  \
    (IDVI_NV_OWNERWRITE | IDVI_NV_OWNERREAD | IDVI_NV_AUTHREAD | IDVI_NV_NO_DA)
#define STATE (IDVI_NV_WRITTEN | IDVI_NV_WRITELOCKED)
#define OPTIONS (IDVI_NV_WRITEDEFINE | IDVI_NV_WRITEALL)

static struct hwk_nv wanted(const struct idv_station *s, uint32_t index,
                            struct idv_bytes der)
{
    struct hwk_nv nv = {.index = index,
                        .attributes =
                            idvi_station_by_platform(s) ? PLATFORM : OWNER,
                        .name_alg = IDVI_ALG_SHA256,
                        .size = (uint16_t)der.n,
                        .policy_n = SHA256_DIGEST_LENGTH};
    if (idvi_station_locks(s))
        nv.attributes |= IDVI_NV_WRITEDEFINE;
    SHA256(der.p, der.n, nv.policy);
    return nv;
}

static struct hwk_nv_by by(const struct hwk_nv *nv)
{
    return (struct hwk_nv_by){.handle = nv->attributes & IDVI_NV_PLATFORMCREATE
                                            ? IDVI_RH_PLATFORM
                                            : IDVI_RH_OWNER};
}

static bool same(const struct hwk_nv *nv, const struct hwk_nv *want)
{
    return (nv->attributes & ~STATE) == want->attributes &&
           nv->size == want->size && nv->policy_n == want->policy_n &&
           memcmp(nv->policy, want->policy, want->policy_n) == 0;
}

/* made by a station, or by the provider's own way of writing certificates */
static bool ours(const struct hwk_nv *nv)
{
    const uint32_t is = nv->attributes & ~(STATE | OPTIONS);
    return (is == PLATFORM || is == OWNER) &&
           nv->policy_n == SHA256_DIGEST_LENGTH;
}

/* All that is in it; *whole: and it is what the index was made for. Nobody has
 * to vouch for the bytes: a certificate is compared with one that we have, or
 * its chain and its key are verified. */
static idv_rc content(struct idv_station *s, const struct hwk_nv *nv,
                      bool *whole, struct idv_buf *out)
{
    uint8_t *p, digest[SHA256_DIGEST_LENGTH];
    bool found = false;
    *whole = false;
    if (nv->size == 0 || !(nv->attributes & IDVI_NV_WRITTEN))
        return IDV_OK;
    IDV_TRY(idv_buf_room(out, nv->size, &p));
    IDV_TRY(idvi_nv_peek(s->dev, nv, &found, p, NULL));
    if (!found)
        return IDV_OK;
    SHA256(p, nv->size, digest);
    *whole = !ours(nv) || memcmp(digest, nv->policy, sizeof(digest)) == 0;
    out->n += nv->size;
    return IDV_OK;
}

static idv_rc lock(struct idv_station *s, const struct hwk_nv *nv)
{
    const struct hwk_nv_by who = by(nv);
    if (!idvi_station_locks(s) || nv->attributes & IDVI_NV_WRITELOCKED)
        return IDV_OK;
    uint64_t *before = s->counting;
    idvi_station_count(s, &s->calls.locks);
    idv_rc rc = idvi_nv_lock(s->dev, nv, &who, NULL);
    idvi_station_count(s, before);
    return rc;
}

static idv_rc write_whole(struct idv_station *s, struct hwk_nv *nv,
                          struct idv_bytes der)
{
    const struct hwk_nv_by who = by(nv);
    IDV_TRY(idvi_nv_write(s->dev, nv, &who, der, NULL));
    nv->attributes |= IDVI_NV_WRITTEN;
    return lock(s, nv);
}

/* defined before, for these very bytes */
static idv_rc go_on(struct idv_station *s, struct hwk_nv *nv,
                    struct idv_bytes der)
{
    IDV_AUTO(buf) now = {0};
    bool whole;
    IDV_TRY(content(s, nv, &whole, &now));
    if (whole)
        return lock(s, nv);
    if (nv->attributes & IDVI_NV_WRITELOCKED)
        return idv_fail(IDV_E_REJECT, "NV index 0x%08X: locked half-written",
                        nv->index);
    return write_whole(s, nv, der);
}

/* another one is there: one that was cut is no loss */
static idv_rc make_room(struct idv_station *s, const struct hwk_nv *nv,
                        bool replace)
{
    const struct hwk_nv_by who = by(nv);
    IDV_AUTO(buf) now = {0};
    bool whole = true;
    if (!replace && ours(nv))
        IDV_TRY(content(s, nv, &whole, &now));
    if (whole && !replace)
        return idv_fail(IDV_E_REJECT,
                        "NV index 0x%08X holds something else: nothing was "
                        "changed",
                        nv->index);
    return idvi_nv_undefine(s->dev, nv, &who, NULL);
}

/* what the look knows need not be asked */
static idv_rc look(struct idv_station *s, uint32_t index, bool *found,
                   struct hwk_nv *nv)
{
    bool *is_free =
        index == IDVI_STATION_IAK_CERT ? &s->free_iak : &s->free_idevid;
    *found = false;
    if (!*is_free)
        return idvi_nv_look(s->dev, index, found, nv, NULL);
    *is_free = false;
    return IDV_OK;
}

idv_rc idvi_station_nv_put(struct idv_station *s, uint32_t index,
                           struct idv_bytes der, bool replace)
{
    struct hwk_nv want, nv;
    bool found;
    if (der.n == 0 || der.n > IDV_MAX_CERT)
        return idv_fail(IDV_E_LIMIT, "a certificate of %zu bytes", der.n);
    want = wanted(s, index, der);
    IDV_TRY(look(s, index, &found, &nv));
    if (found && same(&nv, &want))
        return go_on(s, &nv, der);
    if (found)
        IDV_TRY(make_room(s, &nv, replace));
    IDV_TRY(idvi_nv_define(s->dev, &want, by(&want).handle, NULL));
    return write_whole(s, &want, der);
}

idv_rc idvi_station_nv_get(struct idv_station *s, uint32_t index, bool *found,
                           bool *locked, struct idv_buf *der)
{
    struct hwk_nv nv;
    bool whole = false;
    IDV_TRY(idvi_nv_look(s->dev, index, found, &nv, NULL));
    if (!*found)
        return IDV_OK;
    IDV_TRY(content(s, &nv, &whole, der));
    *found = whole;
    *locked = nv.attributes & IDVI_NV_WRITELOCKED &&
              nv.attributes & IDVI_NV_WRITEDEFINE;
    return IDV_OK;
}

idv_rc idvi_station_nv_drop(struct idv_station *s, uint32_t index)
{
    struct hwk_nv nv;
    bool found;
    IDV_TRY(idvi_nv_look(s->dev, index, &found, &nv, NULL));
    if (!found)
        return IDV_OK;
    const struct hwk_nv_by who = by(&nv);
    if (nv.attributes & (IDVI_NV_TYPE | IDVI_NV_POLICY_DELETE))
        return idv_fail(IDV_E_REJECT,
                        "NV index 0x%08X was made by somebody else "
                        "(attributes 0x%08X): left alone",
                        index, nv.attributes);
    return idvi_nv_undefine(s->dev, &nv, &who, NULL);
}
