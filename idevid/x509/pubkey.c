/* SPDX-License-Identifier: Apache-2.0 */
/* The public half of a key, the name that comes of it, and the digest that goes
 * with a private one. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>

#include <idevid/key.h>

#include "x509/x509.h"

IDV_AUTO_PTR_DEFINE(X509_PUBKEY, X509_PUBKEY_free)

/* --- its bits, where they are to go --------------------------------------- */

/* takes algorithm and parameter */
static idv_rc put(X509_PUBKEY *to, ASN1_OBJECT *algorithm, int type,
                  void *parameter, struct idv_bytes bits)
{
    unsigned char *copy = OPENSSL_memdup(bits.p, bits.n);
    if (algorithm && copy &&
        X509_PUBKEY_set0_param(to, algorithm, type, parameter, copy,
                               (int)bits.n) == 1)
        return IDV_OK;
    OPENSSL_free(copy);
    ASN1_OBJECT_free(algorithm);
    return idv_fail(IDV_E_NOMEM, "out of memory");
}

/* A point on a curve with a name needs no encoder, which libcrypto searches for
 * among all that there are, each time. 0: another kind of key. */
static size_t named_point(const EVP_PKEY *key,
                          uint8_t out[static IDVI_POINT_MAX], int *curve)
{
    char form[16] = "", name[64] = "";
    OSSL_PARAM p[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_ENCODING, form,
                               sizeof(form) - 1),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name,
                               sizeof(name) - 1),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, out, IDVI_POINT_MAX),
        OSSL_PARAM_END,
    };
    bool all = EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_params(key, p) == 1 &&
               OSSL_PARAM_modified(&p[2]) &&
               strcmp(form, OSSL_PKEY_EC_ENCODING_GROUP) == 0;
    ERR_clear_error();
    *curve = OBJ_txt2nid(name);
    return all && *curve != NID_undef ? p[2].return_size : 0;
}

static idv_rc encoded(const EVP_PKEY *key, X509_PUBKEY **out)
{
    unsigned char *der = NULL;
    const int n = i2d_PUBKEY(key, &der);
    const unsigned char *p = der;
    *out = n > 0 ? d2i_X509_PUBKEY(NULL, &p, n) : NULL;
    OPENSSL_free(der);
    return *out ? IDV_OK : idv_fail(IDV_E_CRYPTO, "key: its public half");
}

idv_rc idvi_pubkey_copy(const X509_PUBKEY *from, X509_PUBKEY *to)
{
    X509_ALGOR *theirs, *ours;
    ASN1_OBJECT *algorithm;
    const unsigned char *bits;
    int n;
    X509_PUBKEY_get0_param(&algorithm, &bits, &n, &theirs, from);
    IDV_TRY(put(to, OBJ_dup(algorithm), V_ASN1_UNDEF, NULL,
                idv_bytes(bits, (size_t)n)));
    X509_PUBKEY_get0_param(NULL, NULL, NULL, &ours, to);
    return X509_ALGOR_copy(ours, theirs) == 1
               ? IDV_OK
               : idv_fail(IDV_E_NOMEM, "out of memory");
}

idv_rc idvi_pubkey_put(const EVP_PKEY *key, X509_PUBKEY *to)
{
    IDV_AUTO_PTR(X509_PUBKEY) other = NULL;
    uint8_t bytes[IDVI_POINT_MAX];
    int curve;
    struct idv_bytes point = idvi_curve_point(key, &curve);
    if (point.n == 0)
        point = idv_bytes(bytes, named_point(key, bytes, &curve));
    if (point.n)
        return put(to, OBJ_nid2obj(NID_X9_62_id_ecPublicKey), V_ASN1_OBJECT,
                   OBJ_nid2obj(curve), point);
    IDV_TRY(encoded(key, &other));
    return idvi_pubkey_copy(other, to);
}

/* --- alone ---------------------------------------------------------------- */

idv_rc idvi_spki(const EVP_PKEY *key, struct idv_buf *out)
{
    IDV_AUTO_PTR(X509_PUBKEY) bits = X509_PUBKEY_new();
    if (!bits)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idvi_pubkey_put(key, bits));
    return IDVI_PUT_DER(i2d_X509_PUBKEY, bits, out);
}

idv_rc idv_key_fingerprint(const EVP_PKEY *key, uint8_t out[static 32])
{
    IDV_AUTO(buf) spki = {0};
    IDV_TRY(idvi_spki(key, &spki));
    return idv_sha256(idv_view(&spki), out);
}

idv_rc idvi_public_half(const EVP_PKEY *key, EVP_PKEY **out)
{
    IDV_AUTO(buf) spki = {0};
    IDV_TRY(idvi_spki(key, &spki));
    const uint8_t *p = spki.p;
    EVP_PKEY *half =
        d2i_PUBKEY_ex(NULL, &p, (long)spki.n, NULL, "?provider=default");
    if (!half)
        return idv_fail(IDV_E_CRYPTO, "key: its public half");
    *out = half;
    return IDV_OK;
}

const EVP_MD *idv_digest_for(const EVP_PKEY *key)
{
    if (!EVP_PKEY_is_a(key, "EC"))
        return EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448")
                   ? NULL
                   : EVP_sha256();
    int bits = EVP_PKEY_get_bits(key);
    return bits <= 256   ? EVP_sha256()
           : bits <= 384 ? EVP_sha384()
                         : EVP_sha512();
}
