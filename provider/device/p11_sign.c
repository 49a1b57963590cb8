/* SPDX-License-Identifier: Apache-2.0 */
/* Signing with a key of a token. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/p11.h"

/* --- mechanisms --- */

struct job { /* one signature */
    struct p11_ref *ref;
    CK_MECHANISM mech;
    CK_RSA_PKCS_PSS_PARAMS pss;
    uint8_t tbs[HWK_RSA_MAX];
    size_t tbs_n;
    uint8_t *sig;
    size_t *sig_n;
};

static const struct {
    CK_MECHANISM_TYPE hash;
    CK_ULONG mgf;
} hashes[HWK_MD_COUNT] = {
    [HWK_MD_SHA1] = {CKM_SHA_1, CKG_MGF1_SHA1},
    [HWK_MD_SHA224] = {CKM_SHA224, CKG_MGF1_SHA224},
    [HWK_MD_SHA256] = {CKM_SHA256, CKG_MGF1_SHA256},
    [HWK_MD_SHA384] = {CKM_SHA384, CKG_MGF1_SHA384},
    [HWK_MD_SHA512] = {CKM_SHA512, CKG_MGF1_SHA512},
};

static int take(struct job *j, const uint8_t *in, size_t n)
{
    if (n > sizeof(j->tbs))
        return hwk_raise(HWK_R_ARGUMENT, "%zu bytes to sign", n);
    memcpy(j->tbs, in, n);
    j->tbs_n = n;
    return 1;
}

static int prepare_pss(struct job *j, const struct hwk_mech *m)
{
    if (hashes[m->md].hash == 0 || hashes[m->mgf1].mgf == 0)
        return hwk_raise(HWK_R_UNSUPPORTED, "PSS with %s", hwk_md_name(m->md));
    j->pss.hashAlg = hashes[m->md].hash;
    j->pss.mgf = hashes[m->mgf1].mgf;
    j->pss.sLen = m->salt;
    j->mech.mechanism = CKM_RSA_PKCS_PSS;
    j->mech.pParameter = &j->pss;
    j->mech.ulParameterLen = sizeof(j->pss);
    return 1;
}

static int prepare(struct job *j, const struct hwk_mech *m, const uint8_t *in,
                   size_t n)
{
    const struct hwk_curve *curve = j->ref->pub.curve;

    memset(&j->mech, 0, sizeof(j->mech));
    if (m->type == HWK_KEY_EC) {
        j->mech.mechanism = CKM_ECDSA;
        return take(j, in, n > curve->order ? curve->order : n);
    }
    switch (m->pad) {
    case HWK_PAD_PKCS1:
        j->mech.mechanism = CKM_RSA_PKCS;
        j->tbs_n = sizeof(j->tbs);
        return hwk_mech_pkcs1(m, in, n, j->tbs, &j->tbs_n);
    case HWK_PAD_PSS:
        return prepare_pss(j, m) && take(j, in, n);
    default:
        j->mech.mechanism = CKM_RSA_X_509;
        return take(j, in, n);
    }
}

/* --- signing --- */

static CK_RV sign_in(void *arg, struct p11_ref *ref, CK_SESSION_HANDLE s,
                     CK_OBJECT_HANDLE key)
{
    struct job *j = arg;
    struct p11_module *m = ref->token->module;
    CK_ULONG n = *j->sig_n;
    CK_RV rv = P11(m, C_SignInit, s, &j->mech, key);

    if (rv == CKR_OK && ref->always_auth)
        rv = p11_login_again(ref->token, s);
    if (rv == CKR_OK)
        rv = P11(m, C_Sign, s, j->tbs, j->tbs_n, j->sig, &n);
    if (rv == CKR_OK)
        *j->sig_n = n;
    return rv;
}

int p11_sign(void *state, hwk_ref *key, const struct hwk_mech *mech,
             const uint8_t *in, size_t n, uint8_t *sig, size_t *sig_n)
{
    struct job j = {.ref = key, .sig = sig, .sig_n = sig_n};

    (void)state;
    return prepare(&j, mech, in, n) && p11_use(key, "C_Sign", sign_in, &j);
}
