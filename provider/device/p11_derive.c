/* SPDX-License-Identifier: Apache-2.0 */
/* ECDH with a key of a token: the secret is made there, read out and removed.
 */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/p11.h"

struct job {
    CK_ECDH1_DERIVE_PARAMS params;
    uint8_t peer[3 + HWK_POINT_MAX]; /* as an OCTET STRING; bare behind that */
    size_t bare, n;
    size_t field;
    uint8_t *out;
    size_t *out_n;
};

static CK_RV derive_with(struct job *j, struct p11_module *m,
                         CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key,
                         bool with_len, CK_OBJECT_HANDLE *secret)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ULONG len = j->field;
    CK_MECHANISM mech = {CKM_ECDH1_DERIVE, &j->params, sizeof(j->params)};
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof(class)},
        {CKA_KEY_TYPE, &type, sizeof(type)},
        {CKA_TOKEN, &no, sizeof(no)},
        {CKA_SENSITIVE, &no, sizeof(no)},
        {CKA_EXTRACTABLE, &yes, sizeof(yes)},
        {CKA_VALUE_LEN, &len, sizeof(len)},
    };
    CK_ULONG n = sizeof(template) / sizeof(template[0]);

    return P11(m, C_DeriveKey, s, &mech, key, template, with_len ? n : n - 1,
               secret);
}

static bool of_template(CK_RV rv)
{
    return rv == CKR_TEMPLATE_INCONSISTENT || rv == CKR_ATTRIBUTE_READ_ONLY ||
           rv == CKR_ATTRIBUTE_TYPE_INVALID;
}

/* SoftHSM2 takes a bare point for a wrapped one when its second byte is the
 * length that a wrapped one would have there, once in 256 times */
static bool of_point(CK_RV rv)
{
    return rv == CKR_MECHANISM_PARAM_INVALID || rv == CKR_DATA_LEN_RANGE ||
           rv == CKR_ARGUMENTS_BAD || rv == CKR_GENERAL_ERROR;
}

/* Tokens differ in whether they want the length, and how the point is
 * written. */
static CK_RV derive_any(struct job *j, struct p11_module *m,
                        CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key,
                        CK_OBJECT_HANDLE *secret)
{
    CK_RV rv;

    j->params = (CK_ECDH1_DERIVE_PARAMS){CKD_NULL, 0, NULL, j->n - j->bare,
                                         j->peer + j->bare};
    rv = derive_with(j, m, s, key, true, secret);
    if (of_template(rv))
        rv = derive_with(j, m, s, key, false, secret);
    if (!of_point(rv))
        return rv;
    j->params.pPublicData = j->peer;
    j->params.ulPublicDataLen = j->n;
    return derive_with(j, m, s, key, true, secret);
}

/* a token that drops zeros in front gives fewer bytes */
static CK_RV take(struct job *j, struct p11_module *m, CK_SESSION_HANDLE s,
                  CK_OBJECT_HANDLE secret)
{
    uint8_t value[HWK_FIELD_MAX];
    CK_ATTRIBUTE a = {CKA_VALUE, value, sizeof(value)};
    CK_RV rv = P11(m, C_GetAttributeValue, s, secret, &a, 1);

    if (rv == CKR_OK && (a.ulValueLen > j->field || a.ulValueLen == 0))
        rv = CKR_ATTRIBUTE_VALUE_INVALID;
    if (rv == CKR_OK) {
        memset(j->out, 0, j->field);
        memcpy(j->out + j->field - a.ulValueLen, value, a.ulValueLen);
        *j->out_n = j->field;
    }
    OPENSSL_cleanse(value, sizeof(value));
    return rv;
}

/* The PIN for each use belongs to an operation that was begun, and deriving
 * begins none: most tokens do not want it, some before. Those that never do
 * have lost their login. */
static CK_RV login_before(struct p11_token *t, CK_SESSION_HANDLE s)
{
    CK_RV rv = p11_login_again(t, s);

    return rv == CKR_OPERATION_NOT_INITIALIZED ? CKR_USER_NOT_LOGGED_IN : rv;
}

static CK_RV derive_in(void *arg, struct p11_ref *ref, CK_SESSION_HANDLE s,
                       CK_OBJECT_HANDLE key)
{
    struct p11_module *m = ref->token->module;
    struct job *j = arg;
    CK_OBJECT_HANDLE secret = CK_INVALID_HANDLE;
    CK_RV rv = derive_any(j, m, s, key, &secret);

    if (rv == CKR_USER_NOT_LOGGED_IN && ref->always_auth) {
        rv = login_before(ref->token, s);
        if (rv == CKR_OK)
            rv = derive_any(j, m, s, key, &secret);
    }
    if (rv != CKR_OK)
        return rv;
    rv = take(j, m, s, secret);
    P11(m, C_DestroyObject, s, secret);
    return rv;
}

int p11_derive(void *state, hwk_ref *key, const uint8_t *peer, size_t n,
               uint8_t *out, size_t *out_n)
{
    const struct p11_ref *ref = key;
    struct job j = {.field = ref->pub.curve->field, .out = out, .out_n = out_n};

    (void)state;
    if (n > HWK_POINT_MAX || *out_n < j.field)
        return hwk_raise(HWK_R_ARGUMENT, "a point of %zu bytes", n);
    j.peer[j.bare++] = 4; /* OCTET STRING */
    if (n > 127)
        j.peer[j.bare++] = 0x81;
    j.peer[j.bare++] = (uint8_t)n;
    memcpy(j.peer + j.bare, peer, n);
    j.n = j.bare + n;
    return p11_use(key, "C_DeriveKey", derive_in, &j);
}
