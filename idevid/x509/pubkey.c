/* SPDX-License-Identifier: Apache-2.0 */
/* The public half of a key, and the digest that goes with a private one. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/provider.h>

#include "x509/x509.h"

idv_rc idvi_spki(const EVP_PKEY *key, struct idv_buf *out)
{
    return IDVI_PUT_DER(i2d_PUBKEY, key, out);
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
    if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
        return NULL;
    if (!EVP_PKEY_is_a(key, "EC"))
        return EVP_sha256();
    int bits = EVP_PKEY_get_bits(key);
    return bits <= 256   ? EVP_sha256()
           : bits <= 384 ? EVP_sha384()
                         : EVP_sha512();
}

idv_rc idvi_sign_failed(const EVP_PKEY *key, const char *what)
{
    const OSSL_PROVIDER *provider = EVP_PKEY_get0_provider(key);
    const char *name = provider ? OSSL_PROVIDER_get0_name(provider) : "";
    return idv_fail(strcmp(name, "hwkey") == 0 ? IDV_E_DEVICE : IDV_E_CRYPTO,
                    "%s: not signed", what);
}
