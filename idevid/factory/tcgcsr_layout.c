/* SPDX-License-Identifier: Apache-2.0 */
/* TCG-CSR-IDEVID: its parts in order, its signature, who writes it how. */
#include <stddef.h>

#include <openssl/asn1t.h>
#include <openssl/objects.h>

#include "factory/tcgcsr_layout.h"

#define PUBLIC_MAX 1024
#define ATTEST_MAX 2560
#define CA_DATA_MAX (16 * 1024) /* a PKCS#10 of some */

#define PART(name, field, max)                                                 \
    {                                                                          \
        name "Sz", offsetof(struct idvi_tcgcsr_parts, field), max, 0           \
    }
/* (what is first in the form is no flag of a part, so that 0 is free) */
#define SIZED(name, field, max, flag)                                          \
    {                                                                          \
        name "Sz", offsetof(struct idvi_tcgcsr_parts, field), max,             \
            offsetof(struct idvi_tcgcsr_form, flag)                            \
    }

const struct idvi_tcgcsr_part idvi_tcgcsr_layout[TCGCSR_PARTS] = {
    PART("prodModel", model, 256),
    PART("prodSerial", serial, 256),
    PART("prodCaData", ca_data, CA_DATA_MAX),
    PART("bootEvntLog", event_log, IDV_MAX_TCG_CSR),
    PART("ekCert", ek_cert, IDV_MAX_CERT),
    SIZED("attestPub", attest_pub, PUBLIC_MAX, sized_attest_pub),
    PART("atCreateTkt", create_ticket, 512),
    SIZED("atCertifyInfo", at_info, ATTEST_MAX, sized_at_info),
    PART("atCertifyInfoSignature", at_signature, TCGCSR_SIGNATURE_MAX),
    SIZED("signingPub", signing_pub, PUBLIC_MAX, sized_signing_pub),
    SIZED("sgnCertifyInfo", sgn_info, ATTEST_MAX, sized_sgn_info),
    PART("sgnCertifyInfoSignature", sgn_signature, TCGCSR_SIGNATURE_MAX),
};

ASN1_SEQUENCE(TCGCSR_SIG) =
    {
        ASN1_SIMPLE(TCGCSR_SIG, algorithm, X509_ALGOR),
        ASN1_SIMPLE(TCGCSR_SIG, value, ASN1_BIT_STRING),
} ASN1_SEQUENCE_END(TCGCSR_SIG)

        IMPLEMENT_ASN1_FUNCTIONS(TCGCSR_SIG)

            int idvi_tcgcsr_sigid(uint16_t type, uint16_t hash)
{
    int nid = NID_undef;
    OBJ_find_sigid_by_algs(&nid, EVP_MD_get_type(idvi_tpm_md(hash)),
                           type == IDVI_TPM_RSA ? NID_rsaEncryption
                                                : NID_X9_62_id_ecPublicKey);
    return nid;
}

idv_rc idvi_tcgcsr_hash(uint16_t hash, struct idv_bytes v,
                        uint8_t out[static 64])
{
    if (EVP_Digest(v.p, v.n, out, NULL, idvi_tpm_md(hash), NULL) != 1)
        return idv_fail(IDV_E_CRYPTO, "TCG-CSR-IDEVID: a hash of it");
    return IDV_OK;
}

const char *idvi_tcgcsr_dialect(const struct idvi_tcgcsr_form *f)
{
    bool parts = f->sized_attest_pub || f->sized_signing_pub ||
                 f->sized_at_info || f->sized_sgn_info;
    if (f->no_hash && f->bare_signature)
        return f->old_version ? "go-trusted-platform" : "flightctl";
    if (f->old_version || f->no_hash)
        return "mixed";
    return parts || f->bare_signature || f->odd_padding ? "tcg-variant" : "tcg";
}
