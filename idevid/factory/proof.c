/* SPDX-License-Identifier: Apache-2.0 */
/* What a request proves of the key that is to be certified. */
#include <string.h>

#include <idevid/codec.h>
#include <idevid/text.h>
#include <idevid/x509.h>

#include "factory/desk_int.h"
#include "factory/fields.h"

void idv_desk_proof_free(struct idv_desk_proof *p)
{
    EVP_PKEY_free(p->key);
    EVP_PKEY_free(p->iak);
    X509_free(p->ek_cert);
    idv_buf_free(&p->ek_public);
    idv_buf_free(&p->activated_name);
    memset(p, 0, sizeof(*p));
}

/* --- PKCS#10 -------------------------------------------------------------- */

static bool is_type(const EVP_PKEY *key, enum idv_key_type type)
{
    const bool rsa = EVP_PKEY_is_a(key, "RSA");
    const int bits = EVP_PKEY_get_bits(key);
    switch (type) {
    case IDV_KEY_RSA2048:
        return rsa && bits == 2048;
    case IDV_KEY_RSA3072:
        return rsa && bits == 3072;
    case IDV_KEY_P384:
        return EVP_PKEY_is_a(key, "EC") && bits == 384;
    case IDV_KEY_P521:
        return EVP_PKEY_is_a(key, "EC") && bits == 521;
    default:
        return EVP_PKEY_is_a(key, "EC") && bits == 256;
    }
}

/* A serial number in the subject is not taken from there, but must be right. */
static idv_rc judge_subject(const X509_REQ *req,
                            const struct idv_factory_request *r)
{
    const X509_NAME *name = X509_REQ_get_subject_name(req);
    int i = X509_NAME_get_index_by_NID(name, NID_serialNumber, -1);
    if (i < 0)
        return IDV_OK;
    const ASN1_STRING *v =
        X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i));
    if (idv_bytes_eq(
            idv_bytes(ASN1_STRING_get0_data(v), (size_t)ASN1_STRING_length(v)),
            idv_str(r->serial_number)))
        return IDV_OK;
    return idv_fail(IDV_E_REJECT,
                    "PKCS#10: is for another serial number than "
                    "'%s'",
                    r->serial_number);
}

/* A challengePassword binds a request to this one; who has none leaves that to
 * the station's signature. */
static idv_rc judge_challenge(const X509_REQ *req,
                              const struct idv_factory_request *r)
{
    IDV_AUTO(buf) got = {0};
    IDV_AUTO(buf) hex = {0};
    uint8_t nonce[32];
    bool found = false;
    IDV_TRY(idv_csr_challenge(req, &found, &got));
    if (!found)
        return IDV_OK;
    idv_factory_nonce(r->challenge, r->order, r->serial_number, nonce);
    IDV_TRY(idv_hex_from_bytes(idv_bytes(nonce, sizeof(nonce)), &hex));
    if (idv_bytes_eq(idv_view(&got), idv_view(&hex)))
        return IDV_OK;
    return idv_fail(IDV_E_REJECT,
                    "PKCS#10: its challengePassword is for another request");
}

static enum idv_factory_why why_of_csr(idv_rc rc)
{
    return rc == IDV_E_REJECT ? IDV_WHY_SIGNATURE : IDV_WHY_REQUEST;
}

static idv_rc judge_csr(const struct idv_factory_request *r, EVP_PKEY **key,
                        enum idv_factory_why *why)
{
    IDV_AUTO_PTR(X509_REQ) req = NULL;
    IDV_AUTO_PTR(EVP_PKEY) its = NULL;
    idv_rc rc = idv_csr_from_der(idv_view(&r->csr), &req, &its);
    IDV_TRY(idvi_because(why, why_of_csr(rc), rc));
    IDV_TRY(idvi_because(why, IDV_WHY_REQUEST, judge_subject(req, r)));
    IDV_TRY(idvi_because(why, IDV_WHY_NONCE, judge_challenge(req, r)));
    *key = idv_steal(&its);
    return IDV_OK;
}

/* --- token and plain: what the station says ------------------------------- */

static idv_rc judge_said(const struct idv_factory_request *r,
                         struct idv_desk_proof *p, enum idv_factory_why *why)
{
    *why = IDV_WHY_REQUEST;
    if (r->csr.n == 0)
        return idv_fail(IDV_E_FORMAT, "request: no PKCS#10 in it");
    if (idvi_is_zero(r->device_id, sizeof(r->device_id)))
        return idv_fail(IDV_E_FORMAT,
                        "request: which device it is is not said");
    IDV_TRY(judge_csr(r, &p->key, why));
    *why = IDV_WHY_TEMPLATE;
    if (!is_type(p->key, r->type))
        return idv_fail(IDV_E_REJECT, "PKCS#10: its key is no %s key",
                        idv_key_type_to_text(r->type));
    memcpy(p->ek_id, r->device_id, sizeof(p->ek_id));
    return IDV_OK;
}

/* a TPM's PKCS#10, for CAs that want one: of the key that was proved */
static idv_rc judge_beside(const struct idv_factory_request *r,
                           const struct idv_desk_proof *p,
                           enum idv_factory_why *why)
{
    IDV_AUTO_PTR(EVP_PKEY) its = NULL;
    if (r->csr.n == 0)
        return IDV_OK;
    IDV_TRY(judge_csr(r, &its, why));
    *why = IDV_WHY_SIGNATURE;
    if (EVP_PKEY_eq(its, p->key) != 1)
        return idv_fail(IDV_E_REJECT,
                        "PKCS#10: is of another key than the TCG-CSR-IDEVID");
    return IDV_OK;
}

/* --- all ------------------------------------------------------------------ */

static bool has_tpm_proof(enum idv_factory_profile p)
{
    return p == IDV_PROFILE_TCG || p == IDV_PROFILE_LEAN ||
           p == IDV_PROFILE_DIRECT;
}

static idv_rc judge(const struct idv_desk_conf *conf,
                    const struct idv_factory_request *r,
                    struct idv_desk_proof *p, enum idv_factory_why *why)
{
    if (has_tpm_proof(r->profile)) {
        IDV_TRY(idvi_judge_tpm(conf, r, p, why));
        IDV_TRY(judge_beside(r, p, why));
    } else {
        IDV_TRY(judge_said(r, p, why));
    }
    *why = IDV_WHY_REQUEST;
    return idv_key_fingerprint(p->key, p->key_id);
}

idv_rc idv_desk_judge(const struct idv_desk_conf *conf,
                      const struct idv_factory_request *r,
                      struct idv_desk_proof *out, enum idv_factory_why *why)
{
    struct idv_desk_proof p = {0};
    idv_rc rc = judge(conf, r, &p, why);
    if (rc == IDV_OK) {
        *out = p;
        *why = IDV_WHY_NONE;
    } else {
        idv_desk_proof_free(&p);
    }
    return rc;
}
