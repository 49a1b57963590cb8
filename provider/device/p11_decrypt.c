/* SPDX-License-Identifier: Apache-2.0 */
/* Decrypting with a key of a token. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/p11.h"

struct job { /* one ciphertext */
    struct p11_ref *ref;
    CK_MECHANISM mech;
    CK_RSA_PKCS_OAEP_PARAMS oaep;
    CK_BYTE *in;
    size_t n;
    uint8_t *out;
    size_t *out_n;
    CK_RV rv;
};

static CK_BYTE *lent(const uint8_t *p)
{
    union {
        const uint8_t *c;
        CK_BYTE *p;
    } u = {p};

    return u.p;
}

static int prepare_oaep(struct job *j, const struct hwk_mech *m)
{
    CK_RSA_PKCS_PSS_PARAMS same;

    if (!p11_pss_params(m->md, m->mgf1, &same))
        return 0;
    j->oaep.hashAlg = same.hashAlg;
    j->oaep.mgf = same.mgf;
    j->oaep.source = CKZ_DATA_SPECIFIED;
    j->oaep.pSourceData = m->label_len > 0 ? lent(m->label) : NULL;
    j->oaep.ulSourceDataLen = m->label_len;
    j->mech = (CK_MECHANISM){CKM_RSA_PKCS_OAEP, &j->oaep, sizeof(j->oaep)};
    return 1;
}

static int prepare(struct job *j, const struct hwk_mech *m)
{
    if (m->pad == HWK_PAD_OAEP)
        return prepare_oaep(j, m);
    j->mech = (CK_MECHANISM){
        m->pad == HWK_PAD_PKCS1 ? CKM_RSA_PKCS : CKM_RSA_X_509, NULL, 0};
    return 1;
}

static CK_RV decrypt_in(void *arg, struct p11_ref *ref, CK_SESSION_HANDLE s,
                        CK_OBJECT_HANDLE key)
{
    struct job *j = arg;
    struct p11_module *m = ref->token->module;
    CK_ULONG n = *j->out_n;
    CK_RV rv = P11(m, C_DecryptInit, s, &j->mech, key);

    if (rv != CKR_OK) {
        /* of the mechanism, not of the ciphertext: SoftHSM on OAEP */
        if (rv == CKR_ARGUMENTS_BAD)
            rv = CKR_MECHANISM_PARAM_INVALID;
        return rv;
    }
    if (ref->always_auth)
        rv = p11_login_again(ref->token, s);
    if (rv != CKR_OK)
        return rv;
    rv = P11(m, C_Decrypt, s, j->in, j->n, j->out, &n);
    j->rv = rv;
    if (rv == CKR_OK)
        *j->out_n = n;
    return rv;
}

int p11_decrypt(void *state, hwk_ref *ref, const struct hwk_mech *mech,
                const uint8_t *in, size_t n, uint8_t *out, size_t *out_n)
{
    struct job j = {
        .ref = ref, .in = lent(in), .n = n, .out = out, .out_n = out_n};

    (void)state;
    return prepare(&j, mech) && p11_use(ref, "C_Decrypt", decrypt_in, &j);
}
