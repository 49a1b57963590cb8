/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM's identity keys in a turn: made, signing, kept. */
#include <string.h>

#include "factory/station_int.h"
#include "tpm/public.h"

void idvi_station_key_clear(struct idvi_station_key *k)
{
    EVP_PKEY_free(k->pub);
    memset(k, 0, sizeof(*k));
}

idv_rc idvi_station_make(struct idv_station *s, enum hwk_devid what,
                         enum idv_key_type type, uint32_t ek_index,
                         uint32_t handle, struct idvi_station_key *out)
{
    struct idvi_tpm_public pub;
    idvi_station_key_clear(out);
    IDV_TRY(idvi_devid_create(s->dev, what, idv_key_type_to_text(type),
                              ek_index, handle, &out->born, NULL));
    out->there = true;
    IDV_TRY(idvi_tpm_public_from_bytes(
        idv_bytes(out->born.pub, out->born.pub_n), &pub));
    return idvi_tpm_public_to_key(&pub, &out->pub);
}

void idvi_station_drop(struct idv_station *s, struct idvi_station_key *k)
{
    const bool older = *idv_note();
    if (k->there && idvi_devid_drop(s->dev, &k->born, NULL) != IDV_OK && !older)
        idv_note_clear(); /* the end of the turn takes it away */
    idvi_station_key_clear(k);
}

static bool is_kept(const struct idvi_station_key *k)
{
    return k->born.handle >> 24 == 0x81;
}

/* A key that was there before costs no making; one that is certified by its
 * creation has to be made now. */
static idv_rc load(struct idv_station *s, struct idvi_station_key *k,
                   enum hwk_devid what, uint32_t handle, bool fresh)
{
    if (k->there && (!fresh || k->born.fresh))
        return IDV_OK;
    if (k->there && !is_kept(k))
        idvi_station_drop(s, k);
    return idvi_station_make(s, what, s->c.type, 0, fresh ? 0 : handle, k);
}

idv_rc idvi_station_keys(struct idv_station *s, bool fresh)
{
    const bool maybe = s->seen.known && s->c.profile == IDV_PROFILE_TCG;
    if (idvi_station_has_iak(s))
        IDV_TRY(load(s, &s->iak, HWK_DEVID_IAK, maybe ? IDVI_STATION_IAK : 0,
                     false));
    return load(s, &s->key, HWK_DEVID_IDEVID, maybe ? IDVI_STATION_IDEVID : 0,
                fresh);
}

/* --- signing ---------------------------------------------------------------
 */

uint16_t idvi_station_hash(const struct idvi_station_key *k)
{
    return (uint16_t)(k->born.name[0] << 8 | k->born.name[1]);
}

idv_rc idvi_station_sign(struct idv_station *s, struct idv_bytes text,
                         struct idv_buf *sig)
{
    const EVP_MD *md = idvi_tpm_md(idvi_station_hash(&s->key));
    struct idvi_devid_signature made;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (!md || EVP_Digest(text.p, text.n, digest, &n, md, NULL) != 1)
        return idv_fail(IDV_E_CRYPTO, "IDevID: digest");
    IDV_TRY(idvi_devid_sign(s->dev, &s->key.born, idv_bytes(digest, n), &made,
                            NULL));
    return idv_buf_put(sig, idv_bytes(made.p, made.n));
}

/* --- staying ---------------------------------------------------------------
 */

/* what is at the handle: is it the same key? */
static idv_rc settle(struct idv_station *s, const struct idvi_station_key *k,
                     uint32_t handle)
{
    struct idvi_station_key other = {0};
    idv_rc rc =
        idvi_station_make(s, k->born.what, s->c.type, 0, handle, &other);
    if (rc == IDV_OK && !is_kept(&other))
        rc = idv_fail(IDV_E_REJECT, "handle 0x%08X has a key of somebody else",
                      handle);
    if (other.there && !is_kept(&other))
        idvi_station_drop(s, &other);
    idvi_station_key_clear(&other);
    return rc;
}

idv_rc idvi_station_stay(struct idv_station *s, struct idvi_station_key *k,
                         uint32_t handle)
{
    int why = 0;
    if (is_kept(k))
        return IDV_OK;
    const bool older = *idv_note();
    idv_rc rc = idvi_devid_keep(s->dev, &k->born, handle, &why);
    if (rc == IDV_OK || why != HWK_R_EXISTS)
        return rc;
    if (!older)
        idv_note_clear();
    return settle(s, k, handle);
}
