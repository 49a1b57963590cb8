/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence by this device: two attestations, in one turn at its TPM. */
#include <string.h>

#include "key/key.h"
#include "key/nv.h"
#include "trust/evidence_priv.h"

idv_rc idv_evidence_request_of(const struct idv_trust *t,
                               struct idv_evidence_request *out)
{
    const struct idv_anchor_memo *memo = idv_trust_memo(t);
    const struct idv_anchor_seen *seen = idv_trust_seen(t);
    const char *cut = idv_trust_cut(t);
    if (idv_trust_state(t) == IDV_TRUST_NONE)
        return idv_fail(IDV_E_STATE, "evidence: not imprinted%s%s%s",
                        cut ? ": " : "", cut ? cut : "",
                        cut ? " was cut short" : "");
    *out = (struct idv_evidence_request){
        .profile = idv_trust_profile(t),
        .anchor = seen->anchor.index,
        .counter = seen->count.index,
        .gate_pcrs = memo->pcrs,
        .gate_digest = memo->pcr_digest,
    };
    return IDV_OK;
}

static idv_rc unavailable(const char *why)
{
    return idv_fail(IDV_E_UNABLE, "evidence: unavailable: %s", why);
}

static idv_rc check_request(struct idv_device *dev,
                            const struct idv_evidence_request *r)
{
    if (!idvi_device_is_tpm(dev))
        return unavailable("a token attests nothing");
    if (!r->profile || !idvi_evidence_profile(r->profile))
        return unavailable("the anchor's profile has none");
    if (!r->key_uri)
        return unavailable("no restricted key (iak) is configured");
    if (sk_X509_num(r->chain) < 1)
        return unavailable("no certificate of the restricted key (iak-"
                           "certificate) is configured");
    if (r->nonce.n < IDV_MIN_NONCE || r->nonce.n > IDV_MAX_NONCE)
        return idv_fail(IDV_E_ARG,
                        "evidence: a nonce of %zu bytes, not %d to "
                        "%d",
                        r->nonce.n, IDV_MIN_NONCE, IDV_MAX_NONCE);
    return IDV_OK;
}

/* --- at the TPM --- */

static idv_rc put_proof(const struct hwk_nv *nv,
                        const struct idvi_nv_proof *proof,
                        struct idv_evidence_item *item)
{
    uint8_t index[IDVI_NV_PUBLIC_MAX];
    size_t n = idvi_nv_to_bytes(nv, index);
    IDV_TRY(idv_buf_put(&item->index, idv_bytes(index, n)));
    IDV_TRY(
        idv_buf_put(&item->attest, idv_bytes(proof->attest, proof->attest_n)));
    return idv_buf_put(&item->signature, idv_bytes(proof->sig, proof->sig_n));
}

static idv_rc refused(idv_rc rc, int why)
{
    char text[IDV_NOTE_MAX];
    if (why != HWK_R_KEY && why != HWK_R_UNSUPPORTED)
        return rc;
    snprintf(text, sizeof(text), "%.400s", idv_note());
    idv_note_clear();
    return unavailable(text);
}

static idv_rc attest(struct idv_device *dev,
                     const struct idv_evidence_request *r, uint32_t index,
                     struct idv_evidence_item *item, struct idv_buf *signer)
{
    struct idvi_nv_proof proof;
    struct hwk_nv nv;
    bool found;
    int why = 0;
    IDV_TRY(idvi_nv_look(dev, index, &found, &nv, &why));
    if (!found || !(nv.attributes & IDVI_NV_WRITTEN))
        return idv_fail(IDV_E_STATE,
                        "evidence: no anchor is sealed: nothing "
                        "is at 0x%08x",
                        index);
    idv_rc rc = idvi_nv_certify(dev, r->key_uri, &nv, r->nonce, &proof, &why);
    if (rc != IDV_OK)
        return refused(rc, why);
    idv_buf_clear(signer);
    IDV_TRY(idv_buf_put(signer, idv_bytes(proof.pub, proof.pub_n)));
    return put_proof(&nv, &proof, item);
}

/* The counter last: it stands as it says after the anchor was attested. */
static idv_rc attest_both(struct idv_device *dev,
                          const struct idv_evidence_request *r,
                          struct idv_evidence *e)
{
    int why = 0;
    idv_rc rc = idvi_nv_enter(dev, &why);
    if (rc != IDV_OK)
        return refused(rc, why);
    rc = attest(dev, r, r->anchor, &e->anchor, &e->signer);
    if (rc == IDV_OK)
        rc = attest(dev, r, r->counter, &e->counter, &e->signer);
    idvi_nv_leave(dev);
    return rc;
}

/* --- the rest --- */

static idv_rc put_rest(const struct idv_evidence_request *r,
                       struct idv_evidence *e)
{
    snprintf(e->profile, sizeof(e->profile), "%s", r->profile);
    e->gated = r->gate_pcrs != 0;
    e->gate_pcrs = r->gate_pcrs;
    if (e->gated)
        memcpy(e->gate_digest, r->gate_digest, sizeof(e->gate_digest));
    e->chain = idv_certs_dup(r->chain);
    if (!e->chain)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return idv_buf_put(&e->nonce, r->nonce);
}

/* A verifier's look, without a root: more than incomplete it cannot be. */
static idv_rc look_at(const struct idv_evidence *e,
                      const struct idv_evidence_request *r)
{
    const struct idv_evidence_policy policy = {
        .nonce = r->nonce,
        .anchor_index = r->anchor,
        .counter_index = r->counter,
    };
    struct idv_evidence_report report;
    idv_rc rc = idv_evidence_verify(e, &policy, &report);
    if (rc != IDV_E_REJECT)
        return rc;
    if (report.verdict == IDV_EVIDENCE_INCOMPLETE) {
        idv_note_clear();
        return IDV_OK;
    }
    if (report.verdict != IDV_EVIDENCE_UNCERTIFIED)
        return rc;
    idv_note_clear();
    return unavailable(report.facts[IDV_EVIDENCE_CERTIFIED].text);
}

static idv_rc make(struct idv_device *dev, const struct idv_evidence_request *r,
                   struct idv_evidence *e)
{
    IDV_TRY(check_request(dev, r));
    IDV_TRY(attest_both(dev, r, e));
    IDV_TRY(put_rest(r, e));
    return look_at(e, r);
}

idv_rc idv_evidence_make(struct idv_device *dev,
                         const struct idv_evidence_request *request,
                         struct idv_evidence *out)
{
    struct idv_evidence e = {0};
    idv_rc rc = make(dev, request, &e);
    if (rc != IDV_OK) {
        idv_evidence_free(&e);
        return rc;
    }
    *out = e;
    return IDV_OK;
}
