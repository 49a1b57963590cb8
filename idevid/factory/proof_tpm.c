/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM's proof: whose endorsement key it is, what keys it made, what it says
 * of them. All of it counts only once the credential was activated. */
#include <string.h>

#include <idevid/x509.h>

#include "factory/desk_int.h"
#include "factory/fields.h"
#include "factory/tcgcsr.h"
#include "tpm/attest.h"
#include "tpm/credential.h"
#include "tpm/devid.h"

/* what was read of one request; views into it */
struct reading {
    struct idvi_tcgcsr csr;
    struct idvi_tpm_public idevid, iak, ek;
    uint8_t nonce[32];
};

/* --- the request itself --------------------------------------------------- */

static idv_rc judge_bound(const struct idv_factory_request *r,
                          struct reading *t, enum idv_factory_why *why)
{
    const struct idvi_tcgcsr_parts *parts = &t->csr.parts;
    *why = IDV_WHY_REQUEST;
    if (!idv_bytes_eq(parts->serial, idv_str(r->serial_number)))
        return idv_fail(IDV_E_REJECT,
                        "TCG-CSR-IDEVID: is for another serial number than "
                        "'%s'",
                        r->serial_number);
    *why = IDV_WHY_NONCE;
    idv_factory_nonce(r->challenge, r->order, r->serial_number, t->nonce);
    if (idvi_is_zero(t->nonce, sizeof(t->nonce)))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (!idv_bytes_eq(parts->ca_data, idv_bytes(t->nonce, sizeof(t->nonce))))
        return idv_fail(IDV_E_REJECT,
                        "TCG-CSR-IDEVID: is not bound to this request");
    return IDV_OK;
}

static enum idv_factory_why why_of_signature(idv_rc rc)
{
    return rc == IDV_E_FORMAT ? IDV_WHY_TEMPLATE : IDV_WHY_SIGNATURE;
}

static idv_rc judge_csr(const struct idv_factory_request *r, struct reading *t,
                        struct idv_desk_proof *p, enum idv_factory_why *why)
{
    *why = IDV_WHY_REQUEST;
    if (r->tcg_csr.n == 0)
        return idv_fail(IDV_E_FORMAT, "request: no TCG-CSR-IDEVID in it");
    IDV_TRY(idvi_tcgcsr_from_bytes(idv_view(&r->tcg_csr), &t->csr));
    p->dialect = idvi_tcgcsr_dialect(&t->csr.form);
    idv_rc rc = idvi_tcgcsr_verify(&t->csr, &t->idevid, &p->key);
    IDV_TRY(idvi_because(why, why_of_signature(rc), rc));
    return judge_bound(r, t, why);
}

/* --- the endorsement key -------------------------------------------------- */

static idv_rc read_ek(const struct idv_factory_request *r, struct reading *t,
                      struct idv_desk_proof *p, enum idv_factory_why *why)
{
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    bool sized;
    *why = IDV_WHY_REQUEST;
    if (r->ek_public.n == 0)
        return idv_fail(IDV_E_FORMAT, "request: no public area of the EK");
    IDV_TRY(idv_buf_put(&p->ek_public, idvi_tpm_public_unsized(
                                           idv_view(&r->ek_public), &sized)));
    IDV_TRY(idvi_tpm_public_from_bytes(idv_view(&p->ek_public), &t->ek));
    IDV_TRY(idvi_tpm_public_to_key(&t->ek, &key));
    return idv_key_fingerprint(key, p->ek_id);
}

static bool is_allowed(const struct idv_desk_conf *conf, const uint8_t id[32])
{
    for (size_t i = 0; conf->without_ek_cert && i < conf->ek_allowed_n; i++) {
        if (memcmp(conf->ek_allowed[i], id, 32) == 0)
            return true;
    }
    return false;
}

static idv_rc find_ek_cert(const struct idv_desk_conf *conf,
                           const struct idv_factory_request *r,
                           const struct reading *t, struct idv_desk_proof *p)
{
    struct idv_bytes inside = t->csr.parts.ek_cert;
    struct idv_bytes beside = idv_view(&r->ek_cert);
    if (inside.n == 0 && beside.n == 0 && is_allowed(conf, p->ek_id))
        return IDV_OK;
    if (inside.n == 0 && beside.n == 0)
        return idv_fail(IDV_E_REJECT, "EK certificate: there is none");
    /* what the TPM's own key signed comes first */
    return idv_ek_cert_from_nv(inside.n ? inside : beside, &p->ek_cert, &p->ek);
}

static idv_rc judge_ek(const struct idv_desk_conf *conf,
                       const struct idv_factory_request *r, struct reading *t,
                       struct idv_desk_proof *p, enum idv_factory_why *why)
{
    struct idvi_devid_found found;
    bool time = conf->ek_check_time && idv_clock_trusted(conf->env);
    IDV_TRY(read_ek(r, t, p, why));
    IDV_TRY(idvi_because(why, IDV_WHY_EK_MISSING, find_ek_cert(conf, r, t, p)));
    if (p->ek_cert) {
        IDV_TRY(idvi_because(why, IDV_WHY_EK_CHAIN,
                             idv_ek_cert_verify(p->ek_cert, NULL, conf->roots,
                                                time, idv_now(conf->env))));
        IDV_TRY(idvi_because(
            why, IDV_WHY_EK_KEY,
            idv_ek_cert_is_for(p->ek_cert, idv_view(&p->ek_public))));
    }
    return idvi_because(why, IDV_WHY_TEMPLATE,
                        idvi_devid_check(IDVI_DEVID_EK, &t->ek, &found));
}

/* --- the keys ------------------------------------------------------------- */

static idv_rc judge_idevid(const struct idv_factory_request *r,
                           struct reading *t, enum idv_factory_why *why)
{
    struct idvi_devid_found found;
    const char *type = idv_key_type_to_text(r->type);
    *why = IDV_WHY_TEMPLATE;
    IDV_TRY(idvi_devid_check(IDVI_DEVID_IDEVID, &t->idevid, &found));
    if (strcmp(found.type, type) != 0)
        return idv_fail(IDV_E_REJECT, "IDevID: is a key of %s, not of %s",
                        found.type, type);
    return IDV_OK;
}

static idv_rc judge_iak(struct reading *t, struct idv_desk_proof *p,
                        enum idv_factory_why *why)
{
    struct idvi_devid_found found;
    *why = IDV_WHY_TEMPLATE;
    if (t->csr.parts.attest_pub.n == 0)
        return idv_fail(IDV_E_REJECT, "IAK: no public area of it");
    IDV_TRY(idvi_tpm_public_from_bytes(t->csr.parts.attest_pub, &t->iak));
    IDV_TRY(idvi_devid_check(IDVI_DEVID_IAK, &t->iak, &found));
    return idvi_tpm_public_to_key(&t->iak, &p->iak);
}

static idv_rc judge_attest(const struct idv_factory_request *r,
                           struct reading *t, enum idv_factory_why *why)
{
    enum idvi_attest_fault fault = IDVI_ATTEST_SOUND;
    unsigned type = r->profile == IDV_PROFILE_TCG ? IDVI_ATTEST_CERTIFY
                                                  : IDVI_ATTEST_CREATION;
    idv_rc rc = idvi_attest_check(
        t->csr.parts.sgn_info, t->csr.parts.sgn_signature, type, &t->idevid,
        &t->iak, idv_bytes(t->nonce, sizeof(t->nonce)), NULL, &fault);
    return idvi_because(
        why, fault == IDVI_ATTEST_OTHER_NONCE ? IDV_WHY_NONCE : IDV_WHY_ATTEST,
        rc);
}

/* direct: nothing that would have to be judged */
static idv_rc judge_bare(const struct reading *t, enum idv_factory_why *why)
{
    const struct idvi_tcgcsr_parts *parts = &t->csr.parts;
    *why = IDV_WHY_REQUEST;
    if (parts->attest_pub.n || parts->sgn_info.n || parts->at_info.n)
        return idv_fail(IDV_E_FORMAT,
                        "TCG-CSR-IDEVID: an attestation with profile direct");
    return IDV_OK;
}

static idv_rc judge_keys(const struct idv_factory_request *r, struct reading *t,
                         struct idv_desk_proof *p, enum idv_factory_why *why)
{
    bool direct = r->profile == IDV_PROFILE_DIRECT;
    IDV_TRY(judge_idevid(r, t, why));
    if (direct) {
        IDV_TRY(judge_bare(t, why));
    } else {
        IDV_TRY(judge_iak(t, p, why));
        IDV_TRY(judge_attest(r, t, why));
    }
    IDV_TRY(idvi_tpm_public_name(direct ? &t->idevid : &t->iak,
                                 &p->activated_name));
    p->residency = true;
    p->fixed = t->idevid.attributes & IDVI_TPM_FIXED_TPM;
    p->restricted = !direct && t->iak.attributes & IDVI_TPM_RESTRICTED;
    return IDV_OK;
}

idv_rc idvi_judge_tpm(const struct idv_desk_conf *conf,
                      const struct idv_factory_request *r,
                      struct idv_desk_proof *p, enum idv_factory_why *why)
{
    struct reading t = {0};
    *why = IDV_WHY_REQUEST;
    if (!conf->roots)
        return idv_fail(IDV_E_REJECT,
                        "profile %s: this desk knows no vendor roots",
                        idv_factory_profile_to_text(r->profile));
    IDV_TRY(judge_csr(r, &t, p, why));
    IDV_TRY(judge_ek(conf, r, &t, p, why));
    return judge_keys(r, &t, p, why);
}
