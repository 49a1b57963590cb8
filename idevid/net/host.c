/* SPDX-License-Identifier: Apache-2.0 */
/* One worker that is several: each has its names, its certificate and its
 * service. */
#include <stdlib.h>
#include <string.h>

#include <event2/http.h>

#include <idevid/text.h>
#include <idevid/x509.h>

#include "net/server_int.h"
#include "net/tls.h"

/* --- names ---------------------------------------------------------------- */

/* a dot at the end says that it is whole, as here all are */
static bool has(const char *const *names, struct idv_bytes name)
{
    if (name.n && name.p[name.n - 1] == '.')
        name.n--;
    for (; names && *names; names++) {
        if (idv_text_eq_nocase(name, *names))
            return true;
    }
    return false;
}

/* false: nobody's that is served */
static bool find(const struct idvi_worker *w, const char *name,
                 const struct idv_server_host **out)
{
    const struct idv_server_worker *made = &w->made;
    *out = NULL;
    for (size_t i = 0; name && i < made->hosts_n; i++) {
        if (!has(made->hosts[i].names, idv_str(name)))
            continue;
        *out = &made->hosts[i];
        return true;
    }
    return !made->names_only || (name && has(made->names, idv_str(name)));
}

bool idvi_host_asked(struct idvi_worker *w, struct evhttp_request *req,
                     const struct idvi_conn *c,
                     const struct idv_server_host **out)
{
    const char *name = evhttp_request_get_host(req);
    if (c && !name) { /* HTTP/1.0 */
        *out = c->host;
        return true;
    }
    return find(w, name, out) && (!c || *out == c->host);
}

/* --- TLS ------------------------------------------------------------------ */

/* any certificate will do: the handshake proves the key, services judge */
static int accept_any(X509_STORE_CTX *store, void *arg)
{
    (void)arg;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

static idv_rc prepare(const struct idvi_worker *w, SSL_CTX *ctx)
{
    if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_num_tickets(ctx, 0) != 1)
        return idv_fail(IDV_E_CRYPTO, "TLS");
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                 SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_max_cert_list(ctx, 64 * 1024);
    SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
    SSL_CTX_set_client_hello_cb(ctx, idvi_conn_hello, NULL);
    SSL_CTX_set_info_callback(ctx, idvi_conn_info);
    if (w->conf->ask_client_cert)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return IDV_OK;
}

/* before a certificate is chosen: whose? */
static int on_name(SSL *ssl, int *alert, void *worker)
{
    struct idvi_worker *w = worker;
    struct idvi_conn *c = idvi_conn_of_tls(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const struct idv_server_host *host = NULL;
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    if (!c || !find(w, name, &host))
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    c->host = host;
    if (host && !SSL_set_SSL_CTX(ssl, w->host_tls[host - w->made.hosts])) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return name ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static idv_rc open_one(const struct idvi_worker *w, EVP_PKEY *key,
                       const STACK_OF(X509) * chain, SSL_CTX **out)
{
    *out = SSL_CTX_new_ex(idv_lean_context(), NULL, TLS_server_method());
    IDV_TRY(prepare(w, *out));
    return idvi_tls_identity(*out, key, chain);
}

idv_rc idvi_hosts_open(struct idvi_worker *w)
{
    const struct idv_server_worker *made = &w->made;
    IDV_TRY(open_one(w, made->key, made->chain, &w->tls));
    if (!made->hosts_n && !made->names_only)
        return IDV_OK;
    SSL_CTX_set_tlsext_servername_callback(w->tls, on_name);
    SSL_CTX_set_tlsext_servername_arg(w->tls, w);
    w->host_tls = calloc(made->hosts_n + 1, sizeof(SSL_CTX *));
    if (!w->host_tls)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (size_t i = 0; i < made->hosts_n; i++) {
        const struct idv_server_host *h = &made->hosts[i];
        idv_rc rc = open_one(w, h->key, h->chain, &w->host_tls[i]);
        if (rc != IDV_OK)
            return idv_fail_within(rc, "%s", h->label ? h->label : "host");
    }
    return IDV_OK;
}

void idvi_hosts_close(struct idvi_worker *w)
{
    for (size_t i = 0; w->host_tls && i < w->made.hosts_n; i++)
        SSL_CTX_free(w->host_tls[i]);
    free(w->host_tls);
    SSL_CTX_free(w->tls);
}
