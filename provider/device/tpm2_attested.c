/* SPDX-License-Identifier: Apache-2.0 */
/* What a TPM attests to, as device.h gives it: all pure. */
#include <string.h>

#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_attested.h"
#include "provider/device/tpm2_public.h"
#include "provider/sigform.h"

static int no(const struct hwk_tpm *tpm, const char *what, const char *why)
{
    return hwk_raise(HWK_R_BUS, "TPM %s: %s: %s", tpm->name, what, why);
}

int hwk_tpm_attest_read(const struct hwk_tpm *tpm, const char *what,
                        const TPM2B_ATTEST *got, TPM2_ST type,
                        struct hwk_view nonce, TPMS_ATTEST *out)
{
    size_t at = 0;
    memset(out, 0, sizeof(*out));
    if (got->size > sizeof(got->attestationData) ||
        got->size > HWK_ATTEST_MAX ||
        Tss2_MU_TPMS_ATTEST_Unmarshal(got->attestationData, got->size, &at,
                                      out) != TSS2_RC_SUCCESS ||
        at != got->size)
        return no(tpm, what, "no attestation came back");
    if (out->magic != TPM2_GENERATED_VALUE || out->type != type)
        return no(tpm, what, "an attestation of something else came back");
    if (out->extraData.size != nonce.n ||
        memcmp(out->extraData.buffer, nonce.p, nonce.n) != 0)
        return no(tpm, what, "an attestation for another nonce came back");
    return 1;
}

static bool take_ecdsa(const TPMT_PUBLIC *key, const TPMT_SIGNATURE *s,
                       uint8_t *out, size_t *n)
{
    const struct hwk_curve *c =
        hwk_tpm_curve_facts(key->parameters.eccDetail.curveID);
    const TPMS_SIGNATURE_ECDSA *e = &s->signature.ecdsa;
    uint8_t raw[2 * HWK_FIELD_MAX];
    *n = HWK_ATTEST_SIGNATURE_MAX;
    return c && s->sigAlg == TPM2_ALG_ECDSA &&
           hwk_tpm_align(e->signatureR.buffer, e->signatureR.size, raw,
                         c->order) &&
           hwk_tpm_align(e->signatureS.buffer, e->signatureS.size,
                         raw + c->order, c->order) &&
           hwk_sig_to_der(raw, c->order, out, n);
}

static bool take_rsa(const TPMT_PUBLIC *key, const TPMT_SIGNATURE *s,
                     uint8_t *out, size_t *n)
{
    const TPM2B_PUBLIC_KEY_RSA *r = &s->signature.rsassa.sig;
    *n = key->unique.rsa.size;
    return (s->sigAlg == TPM2_ALG_RSASSA || s->sigAlg == TPM2_ALG_RSAPSS) &&
           r->size == *n && *n <= HWK_ATTEST_SIGNATURE_MAX &&
           hwk_tpm_align(r->buffer, r->size, out, *n);
}

bool hwk_tpm_attest_signature(const TPMT_PUBLIC *key, const TPMT_SIGNATURE *sig,
                              uint8_t out[static HWK_ATTEST_SIGNATURE_MAX],
                              size_t *n)
{
    return key->type == TPM2_ALG_ECC ? take_ecdsa(key, sig, out, n)
                                     : take_rsa(key, sig, out, n);
}

int hwk_tpm_attest_take(const struct hwk_tpm *tpm, const char *what,
                        const TPMT_PUBLIC *key, const TPM2B_ATTEST *attest,
                        const TPMT_SIGNATURE *sig, struct hwk_attested *out)
{
    out->attest_n = attest->size;
    memcpy(out->attest, attest->attestationData, attest->size);
    out->pub_n = 0;
    if (Tss2_MU_TPMT_PUBLIC_Marshal(key, out->pub, sizeof(out->pub),
                                    &out->pub_n) != TSS2_RC_SUCCESS)
        return hwk_raise(HWK_R_KEY, "the key's public area is too long");
    return hwk_tpm_attest_signature(key, sig, out->sig, &out->sig_n) ||
           no(tpm, what, "no signature of that key came back");
}
