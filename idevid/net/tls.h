/* SPDX-License-Identifier: Apache-2.0 */
/* What both halves do with TLS; inline, because they are linked apart. */
#ifndef IDEVID_NET_TLS_H
#define IDEVID_NET_TLS_H

#include <openssl/ssl.h>

#include <idevid/auto.h>
#include <idevid/machine.h>

/* Own certificate, chain and key; each is up-referenced. */
static inline idv_rc idvi_tls_identity(SSL_CTX *ctx, EVP_PKEY *key,
                                       const STACK_OF(X509) * chain)
{
    if (sk_X509_num(chain) < 1)
        return idv_fail(IDV_E_ARG, "TLS: a key without a certificate");
    if (SSL_CTX_use_certificate(ctx, sk_X509_value(chain, 0)) != 1 ||
        SSL_CTX_use_PrivateKey(ctx, key) != 1)
        return idv_fail(IDV_E_CRYPTO, "TLS: own certificate or key");
    for (int i = 1; i < sk_X509_num(chain); i++) {
        if (SSL_CTX_add1_chain_cert(ctx, sk_X509_value(chain, i)) != 1)
            return idv_fail(IDV_E_CRYPTO, "TLS: own chain");
    }
    return IDV_OK;
}

/*
 * What RFC 7030 section 3.5 binds an enrollment to. TLS 1.2: tls-unique (RFC
 * 5929), the first Finished message of the handshake, which is the client's
 * unless a session was resumed; there is no other handshake, for nobody here
 * renegotiates. Only with the extended master secret: without it there is no
 * binding that a man in the middle could not make equal, then none. TLS 1.3:
 * tls-exporter (RFC 9266), 32 bytes of EXPORTER-Channel-Binding with an empty
 * context.
 */
static inline void idvi_tls_binding(SSL *ssl, struct idv_peer *peer)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    const size_t room = sizeof(peer->binding);
    peer->binding_n = 0;
    if (SSL_version(ssl) < TLS1_3_VERSION) {
        if (SSL_get_extms_support(ssl) != 1)
            return;
        const bool ours = SSL_is_server(ssl) == SSL_session_reused(ssl);
        const size_t n = ours ? SSL_get_finished(ssl, peer->binding, room)
                              : SSL_get_peer_finished(ssl, peer->binding, room);
        peer->binding_n = n <= room ? n : 0;
    } else if (SSL_export_keying_material(ssl, peer->binding, 32, label,
                                          sizeof(label) - 1,
                                          (const uint8_t *)"", 0, 1) == 1) {
        peer->binding_n = 32;
    }
}

/* Adds a reference to cert to chain. */
static inline idv_rc idvi_chain_add(STACK_OF(X509) * chain, X509 *cert)
{
    if (sk_X509_num(chain) >= IDV_MAX_CHAIN)
        return idv_fail(IDV_E_LIMIT, "TLS: more than %d certificates shown",
                        IDV_MAX_CHAIN);
    if (!sk_X509_push(chain, cert))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    X509_up_ref(cert);
    return IDV_OK;
}

/* Appends references to all of certs (may be NULL). */
static inline idv_rc idvi_chain_add_all(STACK_OF(X509) * chain,
                                        const STACK_OF(X509) * certs)
{
    for (int i = 0; i < sk_X509_num(certs); i++)
        IDV_TRY(idvi_chain_add(chain, sk_X509_value(certs, i)));
    return IDV_OK;
}

#endif
