/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: who we are, whom we believe, what we keep of them. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <idevid/auto.h>

#include "pledge/pledge_priv.h"

void idvi_connect(struct idvi_attempt *a, enum idvi_as as, bool provisional,
                  struct idv_ask *ask)
{
    struct idv_connect *c = &ask->connect;
    ask->kind = IDV_ASK_CONNECT;
    memcpy(c->host, a->at.host, sizeof(c->host));
    c->port = a->at.port;
    c->sni = idvi_is_name(a->at.host);
    memcpy(c->address, a->address, sizeof(c->address));
    c->key = a->p->conf.idevid_key;
    c->chain = a->p->conf.idevid_chain;
    if (as == AS_MEMBER) {
        c->key = a->p->member_key;
        c->chain = idvi_member(a)->ldevid;
    } else if (as == AS_NEW) {
        c->key = a->p->key;
        c->chain = idv_trust_enrollment(a->p->conf.trust)->ldevid;
    }
    if (!provisional) {
        c->verify =
            a->cloud.est ? idvi_cloud_verify_est : idv_trust_verify_server;
        c->verify_ctx = a->cloud.est ? (void *)a : a->p->conf.trust;
    }
}

idv_rc idvi_take_peer(struct idvi_attempt *a, struct idv_told *told)
{
    struct idv_peer *peer = &told->peer;
    if (sk_X509_num(peer->chain) < 1)
        return idv_fail(IDV_E_REJECT, "registrar: showed no certificate");
    if (sk_X509_num(peer->chain) > IDV_MAX_CHAIN)
        return idv_fail(IDV_E_LIMIT, "registrar: a chain of %d certificates",
                        sk_X509_num(peer->chain));
    idv_certs_free(a->chain);
    a->chain = idv_steal(&peer->chain);
    idv_buf_move(&a->staple, &peer->staple);
    a->binding_n = peer->binding_n;
    memcpy(a->binding, peer->binding, sizeof(a->binding));
    return IDV_OK;
}

static bool signed_by(X509 *cert, X509 *issuer)
{
    if (X509_check_issued(issuer, cert) != X509_V_OK)
        return true; /* not said to be */
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    bool good = key && X509_verify(cert, key) == 1;
    ERR_clear_error();
    return good;
}

idv_rc idvi_chain_consistent(const STACK_OF(X509) * chain)
{
    const int n = sk_X509_num(chain);
    for (int i = 0; i < n; i++) {
        X509 *cert = sk_X509_value(chain, i);
        if (!signed_by(cert, cert) ||
            (i + 1 < n && !signed_by(cert, sk_X509_value(chain, i + 1))))
            return idv_fail(IDV_E_REJECT,
                            "registrar: %s is not signed by the "
                            "issuer shown with it",
                            idv_cert_subject(cert));
    }
    return IDV_OK;
}
