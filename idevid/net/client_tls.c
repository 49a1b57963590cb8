/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of a client machine: provisional or judged during the handshake. */
#include "net/client_int.h"
#include "net/tls.h"

static idv_rc keep_chain(struct idvi_client *c, X509_STORE_CTX *store)
{
    IDV_AUTO_PTR(idv_certs) chain = sk_X509_new_null();
    if (!chain)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idvi_chain_add_all(chain, X509_STORE_CTX_get0_untrusted(store)));
    if (sk_X509_num(chain) == 0)
        return idv_fail(IDV_E_FORMAT, "TLS: no certificate shown");
    if (c->peer.chain)
        return idv_fail(IDV_E_REJECT, "TLS: a second certificate shown");
    c->peer.chain = idv_steal(&chain);
    return IDV_OK;
}

static int judge(X509_STORE_CTX *store, void *client)
{
    struct idvi_client *c = client;
    c->failed = keep_chain(c, store);
    if (c->failed == IDV_OK && c->to.verify)
        c->failed = c->to.verify(c->to.verify_ctx, c->peer.chain);
    X509_STORE_CTX_set_error(store, c->failed == IDV_OK
                                        ? X509_V_OK
                                        : X509_V_ERR_APPLICATION_VERIFICATION);
    return c->failed == IDV_OK;
}

/* the callback's SSL is const, yet it is the place to change it: */
static SSL *writable(const SSL *ssl)
{
    union {
        const SSL *in;
        SSL *out;
    } same = {.in = ssl};
    return same.out;
}

/* before the ClientHello: SNI out; after the handshake: no further one */
static void shaking(const SSL *ssl, int where, int ret)
{
    struct idvi_client *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    c->progress = idv_ticks_ms();
    if (where == SSL_CB_READ_ALERT && (ret & 0xff) == SSL_AD_CLOSE_NOTIFY)
        c->goodbye = true;
    if ((where & SSL_CB_HANDSHAKE_START) && !c->shaken && !c->to.sni)
        SSL_set_tlsext_host_name(writable(ssl), NULL);
    if ((where & SSL_CB_HANDSHAKE_DONE) && !c->shaken) {
        c->ssl = writable(ssl);
        c->shaken = true;
    }
}

static idv_rc take_staple(struct idvi_client *c)
{
    const uint8_t *der = NULL;
    const long n = SSL_get_tlsext_status_ocsp_resp(c->ssl, &der);
    if (!der || n <= 0 || n > IDV_MAX_STAPLE)
        return IDV_OK;
    idv_buf_clear(&c->peer.staple);
    return idv_buf_put(&c->peer.staple, idv_bytes(der, (size_t)n));
}

idv_rc idvi_client_shaken(struct idvi_client *c)
{
    if (!c->ssl)
        return IDV_OK;
    idvi_tls_binding(c->ssl, &c->peer);
    return take_staple(c);
}

CURLcode idvi_client_ssl(CURL *easy, void *ssl_ctx, void *client)
{
    struct idvi_client *c = client;
    SSL_CTX *ctx = ssl_ctx;
    (void)easy;
    SSL_CTX_set_app_data(ctx, c);
    SSL_CTX_set_info_callback(ctx, shaking);
    SSL_CTX_set_cert_verify_callback(ctx, judge, c);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp);
    if (!c->to.key)
        return CURLE_OK;
    c->failed = idvi_tls_identity(ctx, c->to.key, c->to.chain);
    return c->failed == IDV_OK ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}
