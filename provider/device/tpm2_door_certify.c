/* SPDX-License-Identifier: Apache-2.0 */
/* What an index holds, signed by the TPM: NV_Certify. */
#include <string.h>

#include "provider/device/tpm2_attested.h"
#include "provider/device/tpm2_door.h"
#include "provider/device/tpm2_find.h"
#include "provider/device/tpm2_nvcommand.h"

/* --- the key --- */

static int keep(void *arg, struct hwk_found *found)
{
    struct hwk_tpm_key **key = arg;
    *key = found->ref;
    found->ref = NULL;
    return 0;
}

/* a key that signs what it is told could be told to sign any such structure */
static int restricted(const struct hwk_tpm_key *key)
{
    const TPMA_OBJECT need = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT;
    return (key->object->pub.publicArea.objectAttributes & need) == need
               ? 1
               : hwk_raise(HWK_R_KEY,
                           "TPM key %s is not a restricted signing key: what "
                           "it signs proves nothing",
                           key->object->called);
}

static struct hwk_tpm_key *find_key(struct hwk_tpm *tpm,
                                    const struct hwk_uri *uri,
                                    const struct hwk_pin_ask *pin)
{
    struct hwk_tpm_key *key = NULL;
    if (!hwk_tpm_find(tpm, uri, HWK_WANT_PRIVATE, pin, keep, &key))
        return NULL;
    if (!key) {
        hwk_raise(HWK_R_NOT_FOUND, "TPM %s: no such key to certify with",
                  tpm->name);
        return NULL;
    }
    if (restricted(key))
        return key;
    hwk_tpm_key_free(tpm, key);
    return NULL;
}

/* --- what came back --- */

static int no(const struct hwk_tpm *tpm, const char *why)
{
    return hwk_raise(HWK_R_BUS, "TPM %s: NV_Certify: %s", tpm->name, why);
}

static int check_attest(const struct hwk_tpm_index *ix, struct hwk_view nonce,
                        const TPM2B_ATTEST *got)
{
    TPMS_ATTEST a;
    TPM2B_NAME name;
    const TPMS_NV_CERTIFY_INFO *nv = &a.attested.nv;
    if (!hwk_tpm_attest_read(ix->tpm, "NV_Certify", got, TPM2_ST_ATTEST_NV,
                             nonce, &a) ||
        !hwk_tpm_nv_name(&ix->pub, &name))
        return 0;
    if (nv->indexName.size != name.size ||
        memcmp(nv->indexName.name, name.name, name.size) != 0 ||
        nv->offset != 0 || nv->nvContents.size != ix->pub.dataSize)
        return no(ix->tpm, "an attestation of another index came back");
    return 1;
}

/* --- the command --- */

/* who reads the index, by an empty value: itself, else its hierarchy */
static int reader(const struct hwk_tpm_index *ix, ESYS_TR *who)
{
    TPMA_NV a = ix->pub.attributes;
    *who = a & TPMA_NV_AUTHREAD    ? ix->tr
           : a & TPMA_NV_OWNERREAD ? ESYS_TR_RH_OWNER
                                   : ESYS_TR_RH_PLATFORM;
    if (!(a & TPMA_NV_WRITTEN))
        return hwk_raise(HWK_R_NOT_FOUND, "NV index 0x%08x was never written",
                         ix->pub.nvIndex);
    return 1;
}

/* its own ESYS context may be built anew on the way: so is the index's handle
 */
static int send(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                const TPMS_NV_PUBLIC *pub, const TPM2B_DATA *nonce,
                TPM2B_ATTEST **attest, TPMT_SIGNATURE **sig)
{
    const TPMT_SIG_SCHEME own = {.scheme = TPM2_ALG_NULL};
    struct hwk_tpm_use use = {.code = TPM2_CC_NV_Certify};
    struct hwk_tpm_index ix = {.tpm = tpm, .tr = ESYS_TR_NONE};
    ESYS_TR who;
    TSS2_RC rc;
    if (!hwk_tpm_key_use(tpm, key, &use))
        return 0;
    do {
        hwk_tpm_index_close(&ix);
        if (!hwk_tpm_index_take(tpm, pub, &ix) || !reader(&ix, &who)) {
            tpm->told = true;
            rc = TSS2_ESYS_RC_BAD_VALUE;
            break;
        }
        rc = Esys_NV_Certify(tpm->esys, use.tr, who, ix.tr, use.session,
                             ESYS_TR_PASSWORD, ESYS_TR_NONE, nonce, &own,
                             pub->dataSize, 0, attest, sig);
    } while (hwk_tpm_key_again(tpm, key, &use, rc));
    if (rc != TSS2_RC_SUCCESS && hwk_tpm_reason(rc) == HWK_R_PIN_INCORRECT &&
        tpm->sessions.shielded && !hwk_tpm_index_prove(&ix))
        tpm->told = true; /* it is not the key's value that is wrong */
    hwk_tpm_index_close(&ix);
    return hwk_tpm_key_done(tpm, key, rc, "NV_Certify");
}

static int certify(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                   const TPMS_NV_PUBLIC *pub, struct hwk_view nonce,
                   struct hwk_attested *out)
{
    const struct hwk_tpm_index ix = {.tpm = tpm, .pub = *pub};
    TPM2B_DATA qualifying = {.size = (UINT16)nonce.n};
    TPM2B_ATTEST *attest = NULL;
    TPMT_SIGNATURE *sig = NULL;
    memcpy(qualifying.buffer, nonce.p, nonce.n);
    int ok =
        send(tpm, key, pub, &qualifying, &attest, &sig) &&
        check_attest(&ix, nonce, attest) &&
        hwk_tpm_attest_take(tpm, "NV_Certify", &key->object->pub.publicArea,
                            attest, sig, out);
    Esys_Free(attest);
    Esys_Free(sig);
    return ok;
}

int hwk_tpm_door_certify(void *state, const struct hwk_uri *uri,
                         const struct hwk_pin_ask *pin, const struct hwk_nv *nv,
                         struct hwk_view nonce, struct hwk_attested *out)
{
    TPM2B_NV_PUBLIC pub;
    if (!hwk_tpm_nv_to(nv, &pub))
        return 0;
    struct hwk_tpm_key *key = find_key(state, uri, pin);
    int ok = key && certify(state, key, &pub.nvPublic, nonce, out);
    hwk_tpm_key_free(state, key);
    return ok;
}
