/* SPDX-License-Identifier: Apache-2.0 */
/* Signing with a key of a token. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/p11.h"

struct eddsa_params { /* CK_EDDSA_PARAMS of Cryptoki 3.0 */
    CK_BBOOL ph;
    CK_ULONG context_len;
    CK_BYTE *context;
};

struct job { /* one signature */
    struct p11_ref *ref;
    CK_MECHANISM mech;
    union {
        CK_RSA_PKCS_PSS_PARAMS pss;
        struct eddsa_params eddsa;
    } params;
    CK_BYTE *tbs; /* what C_Sign gets: lent, or in room */
    size_t tbs_n;
    uint8_t room[HWK_RSA_MAX];
    uint8_t *sig;
    size_t *sig_n;
    CK_RV rv;
};

/* --- mechanisms --- */

static CK_BYTE *lent(const uint8_t *p)
{
    union {
        const uint8_t *c;
        CK_BYTE *p;
    } u = {p};

    return u.p;
}

static void with_params(struct job *j, CK_MECHANISM_TYPE type, void *params,
                        size_t n)
{
    j->mech = (CK_MECHANISM){type, params, n};
}

static int prepare_pss(struct job *j, const struct hwk_mech *m,
                       CK_MECHANISM_TYPE type)
{
    j->params.pss.sLen = m->salt;
    with_params(j, type, &j->params.pss, sizeof(j->params.pss));
    return p11_pss_params(m->md, m->mgf1, &j->params.pss);
}

/* Ed25519 as it was before Cryptoki 3.0 wants none; all others do */
static int prepare_eddsa(struct job *j, const struct hwk_mech *m)
{
    struct eddsa_params *p = &j->params.eddsa;

    p->ph = m->prehash ? CK_TRUE : CK_FALSE;
    p->context_len = m->context_len;
    p->context = m->context_len > 0 ? lent(m->context) : NULL;
    if (m->with_context || m->prehash)
        with_params(j, CKM_EDDSA, p, sizeof(*p));
    else
        with_params(j, CKM_EDDSA, NULL, 0);
    return 1;
}

/* the token hashes: a key that may not sign digests made elsewhere */
static int prepare_hashing(struct job *j, const struct hwk_mech *m)
{
    CK_MECHANISM_TYPE type = p11_hashing(m);

    if (type == 0)
        return hwk_raise(HWK_R_UNSUPPORTED, "%s: hashed in no mechanism",
                         hwk_md_name(m->md));
    if (m->pad == HWK_PAD_PSS)
        return prepare_pss(j, m, type);
    with_params(j, type, NULL, 0);
    return 1;
}

static int prepare_pkcs1(struct job *j, const struct hwk_mech *m,
                         const uint8_t *in, size_t n)
{
    with_params(j, CKM_RSA_PKCS, NULL, 0);
    j->tbs = j->room;
    j->tbs_n = sizeof(j->room);
    return hwk_mech_pkcs1(m, in, n, j->room, &j->tbs_n);
}

static int prepare(struct job *j, const struct hwk_mech *m, const uint8_t *in,
                   size_t n)
{
    const struct hwk_curve *curve = j->ref->pub.curve;

    j->tbs = lent(in);
    j->tbs_n = n;
    if (m->type == HWK_KEY_ED)
        return prepare_eddsa(j, m);
    if (m->message)
        return prepare_hashing(j, m);
    if (m->pad == HWK_PAD_PKCS1)
        return prepare_pkcs1(j, m, in, n);
    if (m->pad == HWK_PAD_PSS)
        return prepare_pss(j, m, CKM_RSA_PKCS_PSS);
    if (m->type == HWK_KEY_EC && n > curve->order)
        j->tbs_n = curve->order;
    with_params(j, m->type == HWK_KEY_EC ? CKM_ECDSA : CKM_RSA_X_509, NULL, 0);
    return 1;
}

/* --- signing --- */

static CK_RV sign_in(void *arg, struct p11_ref *ref, CK_SESSION_HANDLE s,
                     CK_OBJECT_HANDLE key)
{
    struct job *j = arg;
    struct p11_module *m = ref->token->module;
    CK_ULONG n = *j->sig_n;
    CK_RV rv;

    hwk_mark();
    rv = P11_MARKED(m, C_SignInit, s, &j->mech, key);
    if (rv == CKR_OK && !ref->always_auth)
        rv = P11_MARKED(m, C_Sign, s, j->tbs, j->tbs_n, j->sig, &n);
    hwk_settle(1);
    if (rv == CKR_OK && ref->always_auth)
        rv = p11_login_again(ref->token, s);
    if (rv == CKR_OK && ref->always_auth)
        rv = P11(m, C_Sign, s, j->tbs, j->tbs_n, j->sig, &n);
    if (rv == CKR_OK)
        *j->sig_n = n;
    return j->rv = rv;
}

/* what the code alone does not say */
static int refused(const struct job *j, const struct hwk_mech *m)
{
    const struct p11_token *t = j->ref->token;

    switch (j->rv) {
    case CKR_MECHANISM_INVALID:
    case CKR_MECHANISM_PARAM_INVALID:
        break;
    case CKR_ARGUMENTS_BAD: /* so say some that do not know the digest */
    case CKR_DATA_LEN_RANGE:
        if (j->mech.pParameter != NULL)
            break;
        return 0;
    default:
        return 0;
    }
    if (m->type == HWK_KEY_ED)
        return hwk_raise(HWK_R_UNSUPPORTED,
                         "token '%s' makes no EdDSA signature%s%s", t->label,
                         m->prehash ? " with prehashing" : "",
                         m->context_len > 0 ? " with a context" : "");
    if (m->pad == HWK_PAD_PSS)
        return hwk_raise(HWK_R_UNSUPPORTED,
                         "token '%s' makes no PSS signature with %s, MGF1 with "
                         "%s and a salt of %zu bytes",
                         t->label, hwk_md_name(m->md), hwk_md_name(m->mgf1),
                         m->salt);
    return hwk_raise(HWK_R_UNSUPPORTED, "token '%s' makes no such signature",
                     t->label);
}

int p11_sign(void *state, hwk_ref *key, const struct hwk_mech *mech,
             const uint8_t *in, size_t n, uint8_t *sig, size_t *sig_n)
{
    struct job j;

    (void)state;
    j.ref = key;
    j.sig = sig;
    j.sig_n = sig_n;
    j.rv = CKR_OK;
    return prepare(&j, mech, in, n) &&
           (p11_use(key, "C_Sign", sign_in, &j) || refused(&j, mech));
}
