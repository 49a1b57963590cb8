/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256: of bytes, of certificates, of who is at the other end. */
#include <pthread.h>
#include <string.h>

#include "x509/x509.h"

static EVP_MD *sha256; /* as long as the process: libcrypto's is searched for */

static void fetch(void)
{
    sha256 = EVP_MD_fetch(idv_lean_context(), "SHA256", NULL);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

idv_rc idv_sha256(struct idv_bytes in, uint8_t out[static 32])
{
    pthread_once(&once, fetch);
    const EVP_MD *md = sha256 ? sha256 : EVP_sha256();
    return EVP_Digest(in.n ? in.p : (const uint8_t *)"", in.n, out, NULL, md,
                      NULL) == 1
               ? IDV_OK
               : idv_fail(IDV_E_CRYPTO, "SHA-256");
}

idv_rc idv_cert_sha256(const X509 *cert, uint8_t out[static 32])
{
    IDV_AUTO(buf) der = {0};
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
