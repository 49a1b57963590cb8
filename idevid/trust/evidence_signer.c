/* SPDX-License-Identifier: Apache-2.0 */
/* Statements on the signer: its key, its kind, its certificate, its word. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/rsa.h>

#include "trust/evidence_priv.h"

#define OID_AIK "2.23.133.8.3"           /* tcg-kp-AIKCertificate */
#define OID_RESTRICTED "2.23.133.11.1.3" /* verifiedTPMRestricted */
#define RSA_MIN 2048
#define RSA_MAX 4096

/* --- the key --- */

static idv_rc check_strength(struct idvi_proof *p)
{
    const struct idvi_tpm_public *k = &p->signer;
    bool rsa = k->type == IDVI_TPM_RSA;
    if (rsa && (k->bits < RSA_MIN || k->bits > RSA_MAX))
        return idvi_evidence_refuse(p, IDV_EVIDENCE_WEAK_KEY,
                                    "the signer is RSA of %u bits", k->bits);
    if (!rsa && !idvi_tpm_curve_name(k->curve))
        return idvi_evidence_refuse(p, IDV_EVIDENCE_WEAK_KEY,
                                    "the signer is on the curve 0x%04x",
                                    k->curve);
    if (rsa == (k->scheme == IDVI_TPM_ECDSA) ||
        idvi_tpm_hash_size(k->hash) == 0)
        return idvi_evidence_refuse(
            p, IDV_EVIDENCE_WEAK_KEY,
            "the signer's scheme is 0x%04x with the hash 0x%04x", k->scheme,
            k->hash);
    return IDV_OK;
}

idv_rc idvi_evidence_key(struct idvi_proof *p, struct idv_evidence_statement *s)
{
    const EVP_PKEY *key = X509_get0_pubkey(p->leaf);
    ERR_clear_error();
    IDV_TRY(check_strength(p));
    if (!key || !idvi_tpm_public_is(&p->signer, key))
        return idvi_evidence_refuse(
            p, IDV_EVIDENCE_OTHER_KEY,
            "the signer's certificate '%.128s' is of another key",
            p->report.signer);
    idvi_evidence_say(s, "the certificate '%.128s' is of the signer's key",
                      p->report.signer);
    return IDV_OK;
}

/* --- what kind of key it is --- */

/* The Name that a primary key of the hierarchy has by its qualified Name. */
static idv_rc is_primary(const struct idvi_proof *p, uint32_t hierarchy,
                         bool *is)
{
    IDV_AUTO(buf) qualified = {0};
    IDV_TRY(idvi_tpm_public_qualified(&p->signer, hierarchy, &qualified));
    *is = idv_bytes_eq(idv_view(&qualified), p->anchor.signer);
    return IDV_OK;
}

static idv_rc find_hierarchy(struct idvi_proof *p)
{
    static const struct {
        uint32_t handle;
        const char *name;
        bool plain; /* Part 1, 36.7: elsewhere some values are disguised */
    } rows[] = {
        {IDVI_TPM_RH_ENDORSEMENT, "endorsement", true},
        {IDVI_TPM_RH_OWNER, "owner", false},
        {IDVI_TPM_RH_PLATFORM, "platform", true},
        {IDVI_TPM_RH_NULL, "null", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        bool is = false;
        IDV_TRY(is_primary(p, rows[i].handle, &is));
        if (!is)
            continue;
        snprintf(p->report.hierarchy, sizeof(p->report.hierarchy), "%s",
                 rows[i].name);
        p->report.plain = rows[i].plain;
    }
    return IDV_OK;
}

idv_rc idvi_evidence_kind(struct idvi_proof *p,
                          struct idv_evidence_statement *s)
{
    static const struct {
        uint32_t bit;
        const char *lacks;
    } rows[] = {
        {IDVI_TPM_RESTRICTED, "not restricted: it signs whatever it is given"},
        {IDVI_TPM_FIXED_TPM, "not fixed to its TPM"},
        {IDVI_TPM_FIXED_PARENT, "not fixed to its parent"},
        {IDVI_TPM_DATA_ORIGIN, "not made by its TPM"},
        {IDVI_TPM_SIGN, "not for signatures"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (!(p->signer.attributes & rows[i].bit))
            return idvi_evidence_refuse(p, IDV_EVIDENCE_UNRESTRICTED,
                                        "the signer is %s", rows[i].lacks);
    }
    if (p->signer.attributes & IDVI_TPM_DECRYPT ||
        p->signer.symmetric != IDVI_TPM_NULL)
        return idvi_evidence_refuse(p, IDV_EVIDENCE_UNRESTRICTED,
                                    "the signer is for decryption, too");
    IDV_TRY(find_hierarchy(p));
    if (p->report.hierarchy[0])
        idvi_evidence_say(s,
                          "the signer is restricted, fixed to the TPM that "
                          "made it, and a primary key of the %s hierarchy",
                          p->report.hierarchy);
    else
        idvi_evidence_say(s, "the signer is restricted and fixed to the TPM "
                             "that made it, by its public area, for which "
                             "only its certificate stands");
    return IDV_OK;
}

/* --- what its certificate says --- */

static bool has_policy(X509 *cert, const char *oid)
{
    CERTIFICATEPOLICIES *all =
        X509_get_ext_d2i(cert, NID_certificate_policies, NULL, NULL);
    IDV_AUTO_PTR(ASN1_OBJECT) want = OBJ_txt2obj(oid, 1);
    bool found = false;
    for (int i = 0; want && i < sk_POLICYINFO_num(all); i++)
        found |= OBJ_cmp(sk_POLICYINFO_value(all, i)->policyid, want) == 0;
    CERTIFICATEPOLICIES_free(all);
    ERR_clear_error();
    return found;
}

idv_rc idvi_evidence_certified(struct idvi_proof *p,
                               struct idv_evidence_statement *s)
{
    struct idv_evidence_report *r = &p->report;
    r->says_eku = idv_cert_has_eku(p->leaf, OID_AIK);
    r->says_policy = has_policy(p->leaf, OID_RESTRICTED);
    if (idv_cert_is_ca(p->leaf) ||
        !(X509_get_key_usage(p->leaf) & KU_DIGITAL_SIGNATURE))
        return idvi_evidence_refuse(p, IDV_EVIDENCE_UNCERTIFIED,
                                    "the signer's certificate is not one for "
                                    "digital signatures");
    if (!r->says_eku && !r->says_policy)
        return idvi_evidence_refuse(
            p, IDV_EVIDENCE_UNCERTIFIED,
            "the signer's certificate does not say that it is a restricted key "
            "of a TPM (neither key usage %s nor policy %s)",
            OID_AIK, OID_RESTRICTED);
    idvi_evidence_say(s,
                      "the certificate says that it is a restricted key of a "
                      "TPM (%s%s%s)",
                      r->says_eku ? "key usage " OID_AIK : "",
                      r->says_eku && r->says_policy ? ", " : "",
                      r->says_policy ? "policy " OID_RESTRICTED : "");
    return IDV_OK;
}

static idv_rc no_anchors(struct idv_evidence_statement *s)
{
    s->standing = IDV_EVIDENCE_NOT_ASKED;
    idvi_evidence_say(s, "the signer's certificate was not checked: no "
                         "certificate of who certifies TPM keys was given");
    return IDV_OK;
}

idv_rc idvi_evidence_chain(struct idvi_proof *p,
                           struct idv_evidence_statement *s)
{
    struct idv_chain_policy policy = {
        .anchors = p->policy->anchors,
        .extra = p->e->chain,
        .partial = true,
        .check_time = p->policy->check_time,
        .now = p->policy->now,
    };
    if (sk_X509_num(policy.anchors) <= 0)
        return no_anchors(s);
    idv_note_clear();
    idv_rc rc = idv_chain_verify(p->leaf, &policy);
    if (rc == IDV_E_REJECT) {
        char why[IDV_EVIDENCE_TEXT];
        snprintf(why, sizeof(why), "%s", idv_note());
        idv_note_clear();
        return idvi_evidence_refuse(p, IDV_EVIDENCE_NO_CHAIN,
                                    "the signer's certificate: %s", why);
    }
    idvi_evidence_say(s, "the signer's certificate leads to one of yours%s",
                      policy.check_time ? ""
                                        : " (its validity period was not "
                                          "looked at)");
    return rc;
}

/* --- its signatures --- */

static int begin(EVP_MD_CTX *ctx, const struct idvi_tpm_public *k,
                 EVP_PKEY *key)
{
    EVP_PKEY_CTX *pctx = NULL;
    const EVP_MD *md = idvi_tpm_md(k->hash);
    if (EVP_DigestVerifyInit(ctx, &pctx, md, NULL, key) != 1)
        return 0;
    if (k->scheme != IDVI_TPM_RSAPSS || EVP_PKEY_is_a(key, "RSA-PSS"))
        return 1; /* (a certificate for PSS alone says how by itself) */
    return EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_AUTO) == 1;
}

static idv_rc check_signature(struct idvi_proof *p, const char *of,
                              const struct idv_evidence_item *item)
{
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    if (!ctx)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    int ok = begin(ctx, &p->signer, X509_get0_pubkey(p->leaf)) == 1 &&
             EVP_DigestVerify(ctx, item->signature.p, item->signature.n,
                              item->attest.p, item->attest.n) == 1;
    ERR_clear_error();
    if (!ok)
        return idvi_evidence_refuse(p, IDV_EVIDENCE_BAD_SIGNATURE,
                                    "the signature over the attestation of the "
                                    "%s is not the signer's",
                                    of);
    return IDV_OK;
}

idv_rc idvi_evidence_signed(struct idvi_proof *p,
                            struct idv_evidence_statement *s)
{
    IDV_TRY(check_signature(p, "anchor", &p->e->anchor));
    IDV_TRY(check_signature(p, "counter", &p->e->counter));
    if (!idv_bytes_eq(p->anchor.signer, p->counter.signer))
        return idvi_evidence_refuse(p, IDV_EVIDENCE_BAD_SIGNATURE,
                                    "the attestations name two signers");
    idvi_evidence_say(s, "the signer signed both attestations");
    return IDV_OK;
}
