/* SPDX-License-Identifier: Apache-2.0 */
/* What an index holds, signed by the TPM: NV_Certify. */
#include <string.h>

#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_door.h"
#include "provider/device/tpm2_find.h"
#include "provider/device/tpm2_nvcommand.h"
#include "provider/device/tpm2_public.h"
#include "provider/sigform.h"

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
    size_t at = 0;
    const TPMS_NV_CERTIFY_INFO *nv = &a.attested.nv;
    memset(&a, 0, sizeof(a));
    if (got->size > sizeof(got->attestationData) ||
        got->size > HWK_ATTEST_MAX ||
        Tss2_MU_TPMS_ATTEST_Unmarshal(got->attestationData, got->size, &at,
                                      &a) != TSS2_RC_SUCCESS ||
        at != got->size)
        return no(ix->tpm, "no attestation came back");
    if (!hwk_tpm_nv_name(&ix->pub, &name))
        return 0;
    if (a.magic != TPM2_GENERATED_VALUE || a.type != TPM2_ST_ATTEST_NV)
        return no(ix->tpm, "an attestation of something else came back");
    if (a.extraData.size != nonce.n ||
        memcmp(a.extraData.buffer, nonce.p, nonce.n) != 0)
        return no(ix->tpm, "an attestation for another nonce came back");
    if (nv->indexName.size != name.size ||
        memcmp(nv->indexName.name, name.name, name.size) != 0 ||
        nv->offset != 0 || nv->nvContents.size != ix->pub.dataSize)
        return no(ix->tpm, "an attestation of another index came back");
    return 1;
}

static bool take_ecdsa(const TPMT_PUBLIC *key, const TPMT_SIGNATURE *s,
                       struct hwk_attested *out)
{
    const struct hwk_curve *c =
        hwk_tpm_curve_facts(key->parameters.eccDetail.curveID);
    const TPMS_SIGNATURE_ECDSA *e = &s->signature.ecdsa;
    uint8_t raw[2 * HWK_FIELD_MAX];
    out->sig_n = sizeof(out->sig);
    return c && s->sigAlg == TPM2_ALG_ECDSA &&
           hwk_tpm_align(e->signatureR.buffer, e->signatureR.size, raw,
                         c->order) &&
           hwk_tpm_align(e->signatureS.buffer, e->signatureS.size,
                         raw + c->order, c->order) &&
           hwk_sig_to_der(raw, c->order, out->sig, &out->sig_n);
}

static bool take_rsa(const TPMT_PUBLIC *key, const TPMT_SIGNATURE *s,
                     struct hwk_attested *out)
{
    const TPM2B_PUBLIC_KEY_RSA *r = &s->signature.rsassa.sig;
    out->sig_n = key->unique.rsa.size;
    return (s->sigAlg == TPM2_ALG_RSASSA || s->sigAlg == TPM2_ALG_RSAPSS) &&
           r->size == out->sig_n && out->sig_n <= sizeof(out->sig) &&
           hwk_tpm_align(r->buffer, r->size, out->sig, out->sig_n);
}

static int take_out(struct hwk_tpm *tpm, const TPMT_PUBLIC *key,
                    const TPM2B_ATTEST *attest, const TPMT_SIGNATURE *sig,
                    struct hwk_attested *out)
{
    out->attest_n = attest->size;
    memcpy(out->attest, attest->attestationData, attest->size);
    out->pub_n = 0;
    if (Tss2_MU_TPMT_PUBLIC_Marshal(key, out->pub, sizeof(out->pub),
                                    &out->pub_n) != TSS2_RC_SUCCESS)
        return hwk_raise(HWK_R_KEY, "the key's public area is too long");
    return (key->type == TPM2_ALG_ECC ? take_ecdsa(key, sig, out)
                                      : take_rsa(key, sig, out)) ||
           no(tpm, "no signature of that key came back");
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
    int ok = send(tpm, key, pub, &qualifying, &attest, &sig) &&
             check_attest(&ix, nonce, attest) &&
             take_out(tpm, &key->object->pub.publicArea, attest, sig, out);
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
