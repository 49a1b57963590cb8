/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of a TPM, judged by OpenSSL. */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "tpm.h"

EVP_PKEY *tpm_evp(const struct hwk_pub *pub)
{
    EVP_PKEY *key = NULL;
    struct hwk_pub copy = *pub;
    struct hwk_pub_params params;
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(NULL, hwk_pub_type_name(pub), NULL);
    hwk_pub_to_params(&copy, &params);
    assert_true(EVP_PKEY_fromdata_init(ctx) > 0);
    assert_true(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params.p) >
                0);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

/* r||s as ECDSA-Sig-Value */
static int to_der(const uint8_t *sig, size_t n, uint8_t *out)
{
    ECDSA_SIG *s = ECDSA_SIG_new();
    ECDSA_SIG_set0(s, BN_bin2bn(sig, (int)n / 2, NULL),
                   BN_bin2bn(sig + n / 2, (int)n / 2, NULL));
    int len = i2d_ECDSA_SIG(s, &out);
    ECDSA_SIG_free(s);
    return len;
}

int tpm_verify(const struct hwk_pub *pub, const struct hwk_mech *mech,
               const uint8_t *digest, size_t n, const uint8_t *sig,
               size_t sig_n)
{
    uint8_t der[160];
    EVP_PKEY *key = tpm_evp(pub);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    assert_true(EVP_PKEY_verify_init(ctx) > 0);
    if (pub->type == HWK_KEY_EC) {
        assert_int_equal(sig_n, 2 * pub->curve->field);
        sig_n = (size_t)to_der(sig, sig_n, der);
        sig = der;
    } else {
        assert_true(EVP_PKEY_CTX_set_rsa_padding(
                        ctx, mech->pad == HWK_PAD_PSS ? RSA_PKCS1_PSS_PADDING
                                                      : RSA_PKCS1_PADDING) > 0);
    }
    if (mech->md != HWK_MD_NONE)
        assert_true(EVP_PKEY_CTX_set_signature_md(
                        ctx, EVP_get_digestbyname(hwk_md_name(mech->md))) > 0);
    if (mech->pad == HWK_PAD_PSS)
        assert_true(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, (int)mech->salt) > 0);
    int ok = EVP_PKEY_verify(ctx, sig, sig_n, digest, n) == 1;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    return ok;
}
