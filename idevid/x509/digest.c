/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256: of bytes, of certificates, of who is at the other end. */
#include <pthread.h>
#include <string.h>

#include "x509/x509.h"

static EVP_MD *sha256; /* as long as the process: libcrypto's is searched for */
static int beside = -1; /* index of a certificate's, where it was kept */

static void free_digest(void *parent, void *digest, CRYPTO_EX_DATA *all,
                        int index, long l, void *p)
{
    (void)parent;
    (void)all;
    (void)index;
    (void)l;
    (void)p;
    OPENSSL_free(digest);
}

static void fetch(void)
{
    beside = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_X509, 0, NULL, NULL, NULL,
                                     free_digest);
    sha256 = EVP_MD_fetch(idv_lean_context(), "SHA256", NULL);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static int index_beside(void)
{
    pthread_once(&once, fetch);
    return beside;
}

idv_rc idv_sha256(struct idv_bytes in, uint8_t out[static 32])
{
    pthread_once(&once, fetch);
    const EVP_MD *md = sha256 ? sha256 : EVP_sha256();
    return EVP_Digest(in.n ? in.p : (const uint8_t *)"", in.n, out, NULL, md,
                      NULL) == 1
               ? IDV_OK
               : idv_fail(IDV_E_CRYPTO, "SHA-256");
}

void idvi_keep_sha256(X509 *cert, struct idv_bytes der)
{
    const int index = index_beside();
    uint8_t digest[32], *copy;
    if (index < 0 || idv_sha256(der, digest) != IDV_OK)
        return;
    copy = OPENSSL_memdup(digest, sizeof(digest));
    if (copy && X509_set_ex_data(cert, index, copy) != 1)
        OPENSSL_free(copy);
}

idv_rc idv_cert_sha256(const X509 *cert, uint8_t out[static 32])
{
    IDV_AUTO(buf) der = {0};
    const int index = index_beside();
    const uint8_t *kept = index >= 0 ? X509_get_ex_data(cert, index) : NULL;
    if (kept) {
        memcpy(out, kept, 32);
        return IDV_OK;
    }
    IDV_TRY(idv_cert_to_der(cert, &der));
    return idv_sha256(idv_view(&der), out);
}

static idv_rc of_claim(uint8_t digest[static 32])
{
    uint8_t claim[7 + 32] = "claimed";
    memcpy(claim + 7, digest, 32);
    return idv_sha256(idv_bytes(claim, sizeof(claim)), digest);
}

idv_rc idv_peer_sha256(struct idv_peer *peer, uint8_t out[static 32])
{
    if (sk_X509_num(peer->chain) <= 0)
        return idv_fail(IDV_E_ARG, "peer: it showed no certificate");
    if (!peer->has_sha256) {
        IDV_TRY(idv_cert_sha256(sk_X509_value(peer->chain, 0), peer->sha256));
        if (peer->claimed)
            IDV_TRY(of_claim(peer->sha256));
    }
    peer->has_sha256 = true;
    memcpy(out, peer->sha256, 32);
    return IDV_OK;
}
