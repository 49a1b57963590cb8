/* SPDX-License-Identifier: Apache-2.0 */
/* What device identity keys sign, and what is signed of them. */
#include <string.h>

#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_attested.h"
#include "provider/device/tpm2_authcall.h"
#include "provider/device/tpm2_door_devid.h"
#include "provider/device/tpm2_policy.h"

/* --- signatures --- */

static int signs(const struct hwk_tpm_born *b, struct hwk_view digest)
{
    const TPMT_PUBLIC *t = &b->pub.publicArea;
    if (t->objectAttributes & TPMA_OBJECT_RESTRICTED ||
        !(t->objectAttributes & TPMA_OBJECT_SIGN_ENCRYPT))
        return hwk_raise(HWK_R_KEY, "that key signs no digest of others: an "
                                    "IDevID does");
    return digest.n == hwk_md_size(hwk_tpm_md(t->nameAlg)) ||
           hwk_raise(HWK_R_ARGUMENT,
                     "a digest of %zu bytes, by the hash that names the key it "
                     "would have %zu",
                     digest.n, hwk_md_size(hwk_tpm_md(t->nameAlg)));
}

static int sign(struct hwk_tpm *tpm, const struct hwk_tpm_born *b, ESYS_TR tr,
                struct hwk_view digest, TPMT_SIGNATURE **sig)
{
    const TPMT_TK_HASHCHECK no_ticket = {.tag = TPM2_ST_HASHCHECK,
                                         .hierarchy = TPM2_RH_NULL};
    const TPMT_PUBLIC *t = &b->pub.publicArea;
    TPMT_SIG_SCHEME scheme = {
        .scheme = t->type == TPM2_ALG_ECC ? TPM2_ALG_ECDSA : TPM2_ALG_RSASSA};
    TPM2B_DIGEST in = {.size = (UINT16)digest.n};
    ESYS_TR session;
    TSS2_RC rc;
    scheme.details.any.hashAlg = t->nameAlg;
    memcpy(in.buffer, digest.p, digest.n);
    do {
        if (!hwk_tpm_authorize(tpm, tr, NULL, HWK_TPM_NO_SECRET, &session))
            return 0;
        rc = Esys_Sign(tpm->esys, tr, session, ESYS_TR_NONE, ESYS_TR_NONE, &in,
                       &scheme, &no_ticket, sig);
    } while (hwk_tpm_again(tpm, rc));
    return hwk_tpm_check(tpm, rc, "Sign", b->handle);
}

int hwk_tpm_devid_sign(void *state, const struct hwk_born *key,
                       struct hwk_view digest, struct hwk_attested *out)
{
    struct hwk_tpm *tpm = state;
    TPMT_SIGNATURE *sig = NULL;
    ESYS_TR tr;
    if (!hwk_tpm_begin(tpm))
        return 0;
    struct hwk_tpm_born *b = hwk_tpm_born_find(tpm, key, &tr);
    int ok = b && signs(b, digest) && sign(tpm, b, tr, digest, &sig);
    if (ok && !hwk_tpm_attest_signature(&b->pub.publicArea, sig, out->sig,
                                        &out->sig_n))
        ok = hwk_raise(HWK_R_BUS,
                       "TPM %s: Sign: no signature of that key came "
                       "back",
                       tpm->name);
    Esys_Free(sig);
    hwk_tpm_end(tpm);
    if (ok)
        hwk_count(signatures);
    return ok;
}

/* --- attestations --- */

struct proof {
    struct hwk_tpm *tpm;
    const char *command;
    struct hwk_tpm_born *what, *by;
    ESYS_TR what_tr, by_tr;
    struct hwk_view nonce;
    TPM2B_DATA qualifying;
    TPM2B_ATTEST attest;
    TPMT_SIGNATURE sig;
};

/* a key that signs what it is told could be told to sign any such structure */
static int restricted(const struct hwk_tpm_born *by)
{
    const TPMA_OBJECT need = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT;
    return (by->pub.publicArea.objectAttributes & need) == need ||
           hwk_raise(HWK_R_KEY,
                     "only a restricted signing key attests: an IAK");
}

/* 1 between begin and end; 0 with a reason and nothing to end */
static int start(struct proof *p, const struct hwk_born *what,
                 const struct hwk_born *by)
{
    if (!hwk_tpm_begin(p->tpm))
        return 0;
    p->qualifying.size = (UINT16)p->nonce.n;
    memcpy(p->qualifying.buffer, p->nonce.p, p->nonce.n);
    p->what = hwk_tpm_born_find(p->tpm, what, &p->what_tr);
    p->by = p->what ? hwk_tpm_born_find(p->tpm, by, &p->by_tr) : NULL;
    if (p->by && restricted(p->by))
        return 1;
    hwk_tpm_end(p->tpm);
    return 0;
}

static int finish(struct proof *p, int ok)
{
    hwk_tpm_end(p->tpm);
    return ok;
}

/* past ESYS, which makes a library context for each sum of a session */
static TSS2_RC run(struct proof *p, struct hwk_tpm_call *call,
                   const TPM2B_NAME names[static 2],
                   const struct hwk_tpm_authorization *by, size_t n)
{
    hwk_tpm_authcall_run(p->tpm, call, names, 2, by, n);
    memset(&p->attest, 0, sizeof(p->attest));
    memset(&p->sig, 0, sizeof(p->sig));
    hwk_tpm_call_get(call, TPM2B_ATTEST, &p->attest);
    hwk_tpm_call_get(call, TPMT_SIGNATURE, &p->sig);
    return call->rc;
}

/* the Name of a primary key of the endorsement hierarchy together with that */
static int qualified(const struct hwk_tpm_born *b, TPM2B_NAME *out)
{
    TPMI_ALG_HASH alg = b->pub.publicArea.nameAlg;
    uint8_t p[4 + sizeof(b->name.name)];
    TPM2B_DIGEST d;
    size_t n = 0, at = 0;
    Tss2_MU_UINT32_Marshal(TPM2_RH_ENDORSEMENT, p, sizeof(p), &n);
    memcpy(p + n, b->name.name, b->name.size);
    if (!hwk_tpm_hash(alg, p, n + b->name.size, &d))
        return hwk_raise(HWK_R_DIGEST, "hash 0x%04x", alg);
    Tss2_MU_UINT16_Marshal(alg, out->name, sizeof(out->name), &at);
    memcpy(out->name + at, d.buffer, d.size);
    out->size = (UINT16)(at + d.size);
    return 1;
}

static bool same(const TPM2B_NAME *a, const TPM2B_NAME *b)
{
    return a->size == b->size && memcmp(a->name, b->name, a->size) == 0;
}

static int of_another(const struct proof *p)
{
    return hwk_raise(HWK_R_BUS,
                     "TPM %s: %s: an attestation of another key came back",
                     p->tpm->name, p->command);
}

static int check_signer(const struct proof *p, const TPMS_ATTEST *a)
{
    TPM2B_NAME by;
    return qualified(p->by, &by) &&
           (same(&a->qualifiedSigner, &by) ||
            hwk_raise(HWK_R_BUS,
                      "TPM %s: %s: an attestation by another key came back",
                      p->tpm->name, p->command));
}

static int take(struct proof *p, struct hwk_attested *out)
{
    return hwk_tpm_attest_take(p->tpm, p->command, &p->by->pub.publicArea,
                               &p->attest, &p->sig, out);
}

/* --- Certify --- */

static int check_certified(const struct proof *p)
{
    TPMS_ATTEST a;
    TPM2B_NAME qn;
    if (!hwk_tpm_attest_read(p->tpm, p->command, &p->attest,
                             TPM2_ST_ATTEST_CERTIFY, p->nonce, &a) ||
        !qualified(p->what, &qn))
        return 0;
    return same(&a.attested.certify.name, &p->what->name) &&
                   same(&a.attested.certify.qualifiedName, &qn)
               ? check_signer(p, &a)
               : of_another(p);
}

static int policy_failed(const struct hwk_tpm *tpm, TSS2_RC rc)
{
    return (hwk_tpm_rc_is(rc, TPM2_RC_POLICY_FAIL) ||
            hwk_tpm_rc_is(rc, TPM2_RC_POLICY_CC)) &&
           !hwk_raise(HWK_R_POLICY,
                      "TPM %s: the policy of the key is not the TCG's",
                      tpm->name);
}

static TSS2_RC send_certify(struct proof *p, ESYS_TR policy, ESYS_TR session)
{
    const TPM2_HANDLE handles[] = {p->what->handle, p->by->handle};
    const TPM2B_NAME names[] = {p->what->name, p->by->name};
    const struct hwk_tpm_authorization by[] = {{.session = policy},
                                               {.session = session}};
    struct hwk_tpm_call call;
    hwk_tpm_call_start(&call, TPM2_CC_Certify, handles, 2, false);
    hwk_tpm_call_put(&call, TPM2B_DATA, &p->qualifying);
    hwk_tpm_call_put(&call, UINT16, TPM2_ALG_NULL); /* the key's own scheme */
    return run(p, &call, names, by, 2);
}

/* An attestation is signed and no secret: the session is salted for the
 * activation that follows, which takes it over where the policy's hash is the
 * same and spares a StartAuthSession. */
static int certify(struct proof *p)
{
    struct hwk_tpm *tpm = p->tpm;
    ESYS_TR policy, session;
    TSS2_RC rc;
    tpm->sessions.keep_policy = true;
    do {
        if (!hwk_tpm_devid_policy(tpm, p->what, p->what_tr, TPM2_CC_Certify,
                                  true, &policy) ||
            !hwk_tpm_policy_authorize(tpm, p->what_tr, NULL,
                                      HWK_TPM_NO_SECRET) ||
            !hwk_tpm_authorize_also(tpm, p->by_tr, NULL, &session))
            return 0;
        rc = send_certify(p, policy, session);
    } while (hwk_tpm_again(tpm, rc));
    return !policy_failed(tpm, rc) &&
           hwk_tpm_check(tpm, rc, p->command, p->what->handle);
}

int hwk_tpm_devid_certify(void *state, const struct hwk_born *what,
                          const struct hwk_born *by, struct hwk_view nonce,
                          struct hwk_attested *out)
{
    struct proof p = {.tpm = state, .command = "Certify", .nonce = nonce};
    if (!start(&p, what, by))
        return 0;
    return finish(&p, certify(&p) && check_certified(&p) && take(&p, out));
}

/* --- CertifyCreation --- */

static int check_created(const struct proof *p)
{
    TPMS_ATTEST a;
    const TPMS_CREATION_INFO *c = &a.attested.creation;
    const TPM2B_DIGEST *want = &p->what->creation;
    if (!hwk_tpm_attest_read(p->tpm, p->command, &p->attest,
                             TPM2_ST_ATTEST_CREATION, p->nonce, &a))
        return 0;
    return same(&c->objectName, &p->what->name) &&
                   c->creationHash.size == want->size &&
                   memcmp(c->creationHash.buffer, want->buffer, want->size) == 0
               ? check_signer(p, &a)
               : of_another(p);
}

static TSS2_RC send_creation(struct proof *p, ESYS_TR session)
{
    const TPM2_HANDLE handles[] = {p->by->handle, p->what->handle};
    const TPM2B_NAME names[] = {p->by->name, p->what->name};
    const struct hwk_tpm_authorization by = {.session = session};
    struct hwk_tpm_call call;
    hwk_tpm_call_start(&call, TPM2_CC_CertifyCreation, handles, 2, false);
    hwk_tpm_call_put(&call, TPM2B_DATA, &p->qualifying);
    hwk_tpm_call_put(&call, TPM2B_DIGEST, &p->what->creation);
    hwk_tpm_call_put(&call, UINT16, TPM2_ALG_NULL);
    hwk_tpm_call_put(&call, TPMT_TK_CREATION, &p->what->ticket);
    return run(p, &call, names, &by, 1);
}

static int certify_creation(struct proof *p)
{
    struct hwk_tpm *tpm = p->tpm;
    ESYS_TR session;
    TSS2_RC rc;
    if (p->what->object)
        return hwk_raise(HWK_R_ARGUMENT,
                         "only a key that was made in this turn has a birth "
                         "that is attested");
    do {
        if (!hwk_tpm_authorize(tpm, p->by_tr, NULL, HWK_TPM_NO_SECRET,
                               &session))
            return 0;
        rc = send_creation(p, session);
    } while (hwk_tpm_again(tpm, rc));
    return hwk_tpm_check(tpm, rc, p->command, p->what->handle);
}

int hwk_tpm_devid_certify_creation(void *state, const struct hwk_born *what,
                                   const struct hwk_born *by,
                                   struct hwk_view nonce,
                                   struct hwk_attested *out)
{
    struct proof p = {
        .tpm = state, .command = "CertifyCreation", .nonce = nonce};
    if (!start(&p, what, by))
        return 0;
    return finish(&p,
                  certify_creation(&p) && check_created(&p) && take(&p, out));
}
