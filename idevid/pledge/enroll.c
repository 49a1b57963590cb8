/* SPDX-License-Identifier: Apache-2.0 */
/* S5 to S7: trust anchors, what a request must have, a certificate. */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <idevid/auto.h>

#include "pledge/pledge_priv.h"

idv_rc idvi_cacerts(struct idvi_attempt *a, struct idv_told *told,
                    struct idv_ask *ask)
{
    IDV_AUTO_PTR(idv_certs) anchors = NULL;
    IDV_AUTO_PTR(idv_certs) others = NULL;
    int rollovers = 0;
    IDV_TRY(idvi_member_answered(a));
    IDV_TRY(idv_est_cacerts_read(&told->msg, idv_trust_pin(a->p->conf.trust),
                                 &anchors, &others));
    IDV_TRY(idv_trust_cacerts(a->p->conf.trust, anchors, others, &rollovers));
    a->anchors = idv_steal(&anchors);
    a->others = idv_steal(&others);
    if (rollovers)
        idvi_say(a, "rollover", "the domain's CA signed over to a new one");
    idvi_say(a, "cacerts", idv_cert_subject(sk_X509_value(a->anchors, 0)));
    a->losses = 0;
    return idvi_domain_next(a, ask);
}

idv_rc idvi_csrattrs(struct idvi_attempt *a, struct idv_told *told,
                     struct idv_ask *ask)
{
    IDV_TRY(idv_est_csrattrs_read(&told->msg, &a->attrs));
    idvi_say(a, "csrattrs",
             a->attrs.has_key_type ? idv_key_type_to_text(a->attrs.key_type)
                                   : "any key type");
    a->has_attrs = true;
    a->losses = 0;
    a->pending = false;
    return idvi_domain_next(a, ask);
}

/* --- request -------------------------------------------------------------- */

idv_rc idvi_need_key(struct idvi_attempt *a)
{
    enum idv_key_type type = a->p->conf.key_type;
    if (a->attrs.has_key_type)
        type = a->attrs.key_type;
    if (a->p->key && a->p->key_type == type)
        return IDV_OK;
    EVP_PKEY_free(a->p->key);
    a->p->key = NULL;
    a->p->key_uri[0] = 0;
    IDV_TRY(a->p->conf.make_key(a->p->conf.key_arg, type, &a->p->key,
                                a->p->key_uri));
    a->p->key_type = type;
    idvi_say(a, "key", a->p->key_uri);
    return IDV_OK;
}

static idv_rc first_body(struct idvi_attempt *a, struct idv_msg *m)
{
    IDV_TRY(idvi_need_key(a));
    return idv_est_enroll_write(
        a->p->key, X509_get_subject_name(idvi_idevid(a)), &a->attrs,
        idv_bytes(a->binding, a->binding_n), false, m);
}

idv_rc idvi_enroll_body(struct idvi_attempt *a, struct idv_msg *m)
{
    if (a->csr.n)
        return idv_buf_put(&m->body, idv_view(&a->csr));
    IDV_TRY(a->p->renewing ? idvi_renew_body(a, m) : first_body(a, m));
    a->csr.max = IDV_MAX_BODY;
    return idv_buf_put(&a->csr, idv_view(&m->body));
}

/* --- certificate ---------------------------------------------------------- */

static X509 *issuer_in(X509 *cert, const STACK_OF(X509) * among)
{
    for (int i = 0; i < sk_X509_num(among); i++) {
        X509 *ca = sk_X509_value(among, i);
        EVP_PKEY *key = X509_get0_pubkey(ca);
        if (key && X509_check_issued(ca, cert) == X509_V_OK &&
            X509_verify(cert, key) == 1)
            return ca;
    }
    ERR_clear_error();
    return NULL;
}

/* CAs that signed for each other go round in circles but for this */
static bool under_root(X509 *cert, const STACK_OF(X509) * anchors)
{
    for (int i = 0; i < sk_X509_num(anchors); i++) {
        X509 *ca = sk_X509_value(anchors, i);
        EVP_PKEY *key = X509_get0_pubkey(ca);
        if (key && X509_self_signed(ca, 0) == 1 &&
            X509_check_issued(ca, cert) == X509_V_OK &&
            X509_verify(cert, key) == 1)
            return true;
    }
    ERR_clear_error();
    return false;
}

/* What servers outside may need beside the certificate: the intermediates. */
static idv_rc extend_chain(const struct idvi_attempt *a, STACK_OF(X509) * chain)
{
    while (sk_X509_num(chain) < IDV_MAX_CHAIN) {
        X509 *last = sk_X509_value(chain, sk_X509_num(chain) - 1);
        if (under_root(last, a->anchors))
            return IDV_OK;
        X509 *ca = issuer_in(last, a->others);
        if (!ca)
            ca = issuer_in(last, a->anchors);
        if (!ca)
            return IDV_OK;
        if (!sk_X509_push(chain, ca))
            return idv_fail(IDV_E_NOMEM, "enroll");
        X509_up_ref(ca);
    }
    return idv_fail(IDV_E_LIMIT, "enroll: the chain is too long");
}

static idv_rc store(struct idvi_attempt *a, STACK_OF(X509) * chain)
{
    struct idv_enrollment e = {
        .ldevid = chain,
        .anchors = a->anchors,
        .others = a->others,
    };
    memcpy(e.key_uri, a->p->key_uri, sizeof(e.key_uri));
    IDV_TRY(idvi_registrar_write(&a->at, e.registrar));
    return idv_trust_enroll(a->p->conf.trust, &e);
}

static idv_rc take_certificate(struct idvi_attempt *a,
                               const struct idv_msg *reply)
{
    IDV_AUTO_PTR(idv_certs) chain = sk_X509_new_null();
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_TRY(idv_est_enroll_read(reply, a->p->key, a->anchors, a->others,
                                idv_clock_trusted(a->p->env),
                                idv_now(a->p->env), &cert));
    if (!chain || !sk_X509_push(chain, cert))
        return idv_fail(IDV_E_NOMEM, "enroll");
    idv_steal(&cert);
    IDV_TRY(extend_chain(a, chain));
    IDV_TRY(store(a, chain));
    idvi_say(a, "enrolled", idv_cert_subject(sk_X509_value(chain, 0)));
    return IDV_OK;
}

idv_rc idvi_enroll(struct idvi_attempt *a, struct idv_told *told,
                   struct idv_ask *ask)
{
    int seconds;
    if (told->msg.status == 202) {
        IDV_TRY(idvi_pending(a, &told->msg, &seconds));
        idvi_say(a, "pending", "the registrar has not issued yet");
        return idvi_domain_hold(a, seconds, ask);
    }
    if (told->msg.status != 200)
        return idvi_refused("enroll", &told->msg);
    IDV_TRY(take_certificate(a, &told->msg));
    return idvi_report_connect(a, ask);
}
