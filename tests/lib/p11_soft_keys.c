/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the test's PKCS#11 module: made, imported, kept as PKCS#8. */
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "tests/lib/p11_soft_int.h"

/* --- what kind of key --- */

/* CKA_EC_PARAMS: an OID, or the curve's name in a PrintableString */
static int curve_nid(const struct soft_object *o)
{
    static const struct {
        const char *name;
        int nid;
    } names[] = {{"edwards25519", NID_ED25519},
                 {"edwards448", NID_ED448},
                 {"curve25519", NID_X25519},
                 {"curve448", NID_X448}};
    const struct soft_attr *a = soft_get(o, CKA_EC_PARAMS);
    const unsigned char *p = a != NULL ? a->p : NULL;
    ASN1_OBJECT *oid;
    size_t i;
    int nid = NID_undef;

    for (i = 0; a != NULL && i < sizeof(names) / sizeof(names[0]); i++)
        if (a->n == 2 + strlen(names[i].name) &&
            a->p[0] == V_ASN1_PRINTABLESTRING &&
            memcmp(a->p + 2, names[i].name, a->n - 2) == 0)
            return names[i].nid;
    if (a == NULL || a->n == 0 || a->p[0] != V_ASN1_OBJECT)
        return NID_undef;
    oid = d2i_ASN1_OBJECT(NULL, &p, (long)a->n);
    if (oid != NULL)
        nid = OBJ_obj2nid(oid);
    ASN1_OBJECT_free(oid);
    return nid;
}

/* the name that OpenSSL has for keys of that kind; NULL: there are none */
static const char *kind(CK_ULONG key_type, int nid)
{
    switch (key_type) {
    case CKK_RSA:
        return "RSA";
    case CKK_EC:
        return nid != NID_undef ? "EC" : NULL;
    case CKK_EC_EDWARDS:
        return nid == NID_ED25519 ? "ED25519"
                                  : (nid == NID_ED448 ? "ED448" : NULL);
    case SOFT_CKK_MONTGOMERY:
        return nid == NID_X25519 ? "X25519" : (nid == NID_X448 ? "X448" : NULL);
    default:
        return NULL;
    }
}

static CK_ULONG type_made_by(CK_MECHANISM_TYPE mech)
{
    switch (mech) {
    case CKM_RSA_PKCS_KEY_PAIR_GEN:
        return CKK_RSA;
    case CKM_EC_KEY_PAIR_GEN:
        return CKK_EC;
    case CKM_EC_EDWARDS_KEY_PAIR_GEN:
        return CKK_EC_EDWARDS;
    default:
        return SOFT_CKK_MONTGOMERY;
    }
}

/* --- a key as attributes --- */

bool soft_thaw(struct soft_object *o)
{
    const struct soft_attr *a = soft_get(o, SOFT_CKA_KEY);
    const unsigned char *p = a != NULL ? a->p : NULL;

    if (o->key == NULL && a != NULL)
        o->key = d2i_AutoPrivateKey_ex(NULL, &p, (long)a->n, soft.libctx, NULL);
    return o->key != NULL;
}

static bool freeze(struct soft_object *o, EVP_PKEY *key)
{
    PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(key);
    unsigned char *der = NULL;
    int n = p8 != NULL ? i2d_PKCS8_PRIV_KEY_INFO(p8, &der) : -1;
    bool ok = n > 0 && soft_set(o, SOFT_CKA_KEY, der, (size_t)n);

    PKCS8_PRIV_KEY_INFO_free(p8);
    OPENSSL_free(der);
    return ok;
}

static bool put_number(struct soft_object *o, CK_ATTRIBUTE_TYPE type,
                       const EVP_PKEY *key, const char *name)
{
    uint8_t bytes[1024];
    BIGNUM *bn = NULL;
    bool ok = EVP_PKEY_get_bn_param(key, name, &bn) == 1 &&
              BN_num_bytes(bn) <= (int)sizeof(bytes);

    ok = ok && soft_set(o, type, bytes, (size_t)BN_bn2bin(bn, bytes));
    BN_free(bn);
    return ok;
}

static bool put_point(struct soft_object *o, const EVP_PKEY *key)
{
    uint8_t raw[256], der[3 + 256];
    size_t n = sizeof(raw), head;

    if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, raw,
                                        sizeof(raw), &n) != 1)
        return false;
    if (o->slot->bare_point)
        return soft_set(o, CKA_EC_POINT, raw, n);
    head = n < 128 ? 2 : 3;
    der[0] = V_ASN1_OCTET_STRING;
    der[1] = head == 2 ? (uint8_t)n : 0x81;
    der[2] = (uint8_t)n;
    memcpy(der + head, raw, n);
    return soft_set(o, CKA_EC_POINT, der, head + n);
}

/* a private key shows its modulus, but not its point */
static bool put_public(struct soft_object *o, const EVP_PKEY *key, bool private)
{
    if (EVP_PKEY_is_a(key, "RSA"))
        return put_number(o, CKA_MODULUS, key, OSSL_PKEY_PARAM_RSA_N) &&
               put_number(o, CKA_PUBLIC_EXPONENT, key, OSSL_PKEY_PARAM_RSA_E);
    return private || put_point(o, key);
}

static bool private_defaults(struct soft_object *o, CK_ULONG type, bool local)
{
    bool ok =
        soft_default_bool(o, CKA_SENSITIVE, true) &&
        soft_default_bool(o, CKA_EXTRACTABLE, false) &&
        soft_default_bool(o, CKA_SIGN, type != SOFT_CKK_MONTGOMERY) &&
        soft_default_bool(o, CKA_DECRYPT, type == CKK_RSA) &&
        soft_default_bool(o, CKA_DERIVE, type == SOFT_CKK_MONTGOMERY) &&
        soft_default_bool(o, CKA_ALWAYS_AUTHENTICATE, o->slot->always_auth);

    return ok && soft_set_bool(o, CKA_LOCAL, local) &&
           soft_set_bool(o, CKA_ALWAYS_SENSITIVE,
                         local && soft_true(o, CKA_SENSITIVE)) &&
           soft_set_bool(o, CKA_NEVER_EXTRACTABLE,
                         local && !soft_true(o, CKA_EXTRACTABLE));
}

/* --- making --- */

/* CKA_PUBLIC_EXPONENT of the template; there need not be one */
static bool set_exponent(EVP_PKEY_CTX *ctx, const uint8_t *e, size_t n)
{
    BIGNUM *bn = BN_bin2bn(e, (int)n, NULL);
    bool ok = bn != NULL &&
              (n == 0 || EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, bn) == 1);

    BN_free(bn);
    return ok;
}

static EVP_PKEY *make(CK_ULONG type, int nid, CK_ULONG bits, const uint8_t *e,
                      size_t e_n)
{
    const char *name = kind(type, nid);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(soft.libctx, name, NULL);
    EVP_PKEY *key = NULL;
    bool ok = ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1;

    if (ok && type == CKK_RSA)
        ok = EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits) == 1 &&
             set_exponent(ctx, e, e_n);
    else if (ok && type == CKK_EC)
        ok = EVP_PKEY_CTX_set_group_name(ctx, OBJ_nid2sn(nid)) == 1;
    if (!ok || EVP_PKEY_generate(ctx, &key) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static CK_RV complete_pair(struct soft_object *pub, struct soft_object *priv,
                           CK_ULONG type, CK_MECHANISM_TYPE mech,
                           const EVP_PKEY *key)
{
    const struct soft_attr *params = soft_get(pub, CKA_EC_PARAMS);
    bool ok = soft_set_ulong(pub, CKA_CLASS, CKO_PUBLIC_KEY) &&
              soft_set_ulong(priv, CKA_CLASS, CKO_PRIVATE_KEY) &&
              soft_set_ulong(pub, CKA_KEY_TYPE, type) &&
              soft_set_ulong(priv, CKA_KEY_TYPE, type) &&
              soft_set_ulong(priv, CKA_KEY_GEN_MECHANISM, mech) &&
              soft_set_bool(pub, CKA_LOCAL, true);

    if (ok && params != NULL)
        ok = soft_set(priv, CKA_EC_PARAMS, params->p, params->n);
    return ok && put_public(pub, key, false) && put_public(priv, key, true) &&
                   private_defaults(priv, type, true)
               ? CKR_OK
               : CKR_HOST_MEMORY;
}

static CK_RV make_pair(CK_SESSION_HANDLE sh, CK_MECHANISM_TYPE mech,
                       struct soft_object *pub, struct soft_object *priv)
{
    CK_ULONG type = type_made_by(mech);
    CK_ULONG bits = soft_ulong(pub, CKA_MODULUS_BITS);
    const struct soft_attr *a = soft_get(pub, CKA_PUBLIC_EXPONENT);
    size_t e_n = a != NULL && a->n <= 8 ? a->n : 0;
    int nid = curve_nid(pub);
    uint8_t e[8] = {0};
    EVP_PKEY *key;
    CK_RV rv;

    if (e_n > 0)
        memcpy(e, a->p, e_n);
    if (type == CKK_RSA && bits == CK_UNAVAILABLE_INFORMATION)
        return CKR_TEMPLATE_INCOMPLETE;
    if (type == CKK_RSA && (bits < 1024 || bits > 8192))
        return CKR_KEY_SIZE_RANGE;
    if (kind(type, nid) == NULL)
        return soft_get(pub, CKA_EC_PARAMS) == NULL ? CKR_TEMPLATE_INCOMPLETE
                                                    : CKR_CURVE_NOT_SUPPORTED;
    pthread_mutex_unlock(&soft.lock);
    key = make(type, nid, bits, e, e_n);
    pthread_mutex_lock(&soft.lock);
    if (soft_session(sh) == NULL)
        rv = CKR_SESSION_HANDLE_INVALID;
    else if (key == NULL)
        rv = CKR_CURVE_NOT_SUPPORTED;
    else
        rv = complete_pair(pub, priv, type, mech, key);
    if (rv == CKR_OK && !freeze(priv, key))
        rv = CKR_FUNCTION_FAILED;
    EVP_PKEY_free(key);
    return rv;
}

CK_RV soft_generate(CK_SESSION_HANDLE sh, const CK_MECHANISM *mech,
                    const CK_ATTRIBUTE *pub_a, CK_ULONG n_pub,
                    const CK_ATTRIBUTE *priv_a, CK_ULONG n_priv,
                    CK_OBJECT_HANDLE *pub_h, CK_OBJECT_HANDLE *priv_h)
{
    struct soft_session *s = soft_session(sh);
    struct soft_object *pub, *priv;
    CK_RV rv = CKR_HOST_MEMORY;

    if (s == NULL)
        return CKR_SESSION_HANDLE_INVALID;
    if (mech == NULL || pub_h == NULL || priv_h == NULL)
        return CKR_ARGUMENTS_BAD;
    if (!soft_has(s->slot, mech->mechanism, CKF_GENERATE_KEY_PAIR))
        return CKR_MECHANISM_INVALID;
    pub = soft_object_new(s, pub_a, n_pub);
    priv = soft_object_new(s, priv_a, n_priv);
    if (pub != NULL && priv != NULL) {
        rv = soft_may_add(s, pub);
        rv = rv == CKR_OK ? soft_may_add(s, priv) : rv;
        rv = rv == CKR_OK ? make_pair(sh, mech->mechanism, pub, priv) : rv;
    }
    if (rv != CKR_OK) {
        soft_object_free(pub);
        soft_object_free(priv);
        return rv;
    }
    s = soft_session(sh);
    *pub_h = soft_add(s, pub);
    *priv_h = soft_add(s, priv);
    return CKR_OK;
}

/* --- importing --- */

static bool add_number(OSSL_PARAM_BLD *bld, const char *name,
                       const struct soft_attr *a, BIGNUM **bn)
{
    if (a == NULL || a->n == 0)
        return true;
    *bn = BN_bin2bn(a->p, (int)a->n, NULL);
    return *bn != NULL && OSSL_PARAM_BLD_push_BN(bld, name, *bn) == 1;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *bld)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(soft.libctx, type, NULL);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY *key = NULL;

    if (ctx == NULL || params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
        key = NULL;
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *import_rsa(const struct soft_object *o)
{
    static const struct {
        CK_ATTRIBUTE_TYPE type;
        const char *name;
    } parts[8] = {{CKA_MODULUS, OSSL_PKEY_PARAM_RSA_N},
                  {CKA_PUBLIC_EXPONENT, OSSL_PKEY_PARAM_RSA_E},
                  {CKA_PRIVATE_EXPONENT, OSSL_PKEY_PARAM_RSA_D},
                  {CKA_PRIME_1, OSSL_PKEY_PARAM_RSA_FACTOR1},
                  {CKA_PRIME_2, OSSL_PKEY_PARAM_RSA_FACTOR2},
                  {CKA_EXPONENT_1, OSSL_PKEY_PARAM_RSA_EXPONENT1},
                  {CKA_EXPONENT_2, OSSL_PKEY_PARAM_RSA_EXPONENT2},
                  {CKA_COEFFICIENT, OSSL_PKEY_PARAM_RSA_COEFFICIENT1}};
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    BIGNUM *bn[8] = {NULL};
    EVP_PKEY *key = NULL;
    bool ok = true;
    int i;

    for (i = 0; i < 8 && ok; i++)
        ok = add_number(bld, parts[i].name, soft_get(o, parts[i].type), &bn[i]);
    if (ok)
        key = from_params("RSA", bld);
    for (i = 0; i < 8; i++)
        BN_clear_free(bn[i]);
    OSSL_PARAM_BLD_free(bld);
    return key;
}

/* the public point is reckoned: only the number is imported */
static EVP_PKEY *import_ec(const struct soft_attr *value, int nid)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name_ex(soft.libctx, NULL, nid);
    EC_POINT *point = group != NULL ? EC_POINT_new(group) : NULL;
    BIGNUM *d = BN_bin2bn(value->p, (int)value->n, NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    uint8_t pub[256];
    size_t n = 0;
    EVP_PKEY *key = NULL;

    if (point != NULL && EC_POINT_mul(group, point, d, NULL, NULL, NULL) == 1)
        n = EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, pub,
                               sizeof(pub), NULL);
    if (n > 0 &&
        OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
                                        OBJ_nid2sn(nid), 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, pub,
                                         n) == 1 &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, d) == 1)
        key = from_params("EC", bld);
    OSSL_PARAM_BLD_free(bld);
    BN_clear_free(d);
    EC_POINT_free(point);
    EC_GROUP_free(group);
    return key;
}

static EVP_PKEY *import(const struct soft_object *o, CK_ULONG type)
{
    const struct soft_attr *value = soft_get(o, CKA_VALUE);
    int nid = curve_nid(o);

    if (type == CKK_RSA)
        return import_rsa(o);
    if (value == NULL || kind(type, nid) == NULL)
        return NULL;
    if (type == CKK_EC)
        return import_ec(value, nid);
    return EVP_PKEY_new_raw_private_key_ex(soft.libctx, kind(type, nid), NULL,
                                           value->p, value->n);
}

/* keys of other types lie there and do nothing */
static bool is_known(CK_ULONG type)
{
    return type == CKK_RSA || type == CKK_EC || type == CKK_EC_EDWARDS ||
           type == SOFT_CKK_MONTGOMERY || type == CK_UNAVAILABLE_INFORMATION;
}

static CK_RV import_private(struct soft_object *o)
{
    CK_ULONG type = soft_ulong(o, CKA_KEY_TYPE);
    EVP_PKEY *key = is_known(type) ? import(o, type) : NULL;
    bool ok = key != NULL && freeze(o, key) && put_public(o, key, true) &&
              private_defaults(o, type, false);

    EVP_PKEY_free(key);
    return ok || !is_known(type) ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}

CK_RV soft_create(CK_SESSION_HANDLE sh, const CK_ATTRIBUTE *a, CK_ULONG n,
                  CK_OBJECT_HANDLE *out)
{
    struct soft_session *s = soft_session(sh);
    struct soft_object *o;
    CK_RV rv;

    if (s == NULL)
        return CKR_SESSION_HANDLE_INVALID;
    if (out == NULL || (a == NULL && n > 0))
        return CKR_ARGUMENTS_BAD;
    o = soft_object_new(s, a, n);
    if (o == NULL)
        return CKR_HOST_MEMORY;
    rv = soft_may_add(s, o);
    if (rv == CKR_OK && soft_get(o, CKA_CLASS) == NULL)
        rv = CKR_TEMPLATE_INCOMPLETE;
    if (rv == CKR_OK && soft_ulong(o, CKA_CLASS) == CKO_PRIVATE_KEY)
        rv = import_private(o);
    if (rv == CKR_OK)
        *out = soft_add(s, o);
    else
        soft_object_free(o);
    return rv;
}
