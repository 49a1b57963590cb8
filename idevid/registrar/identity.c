/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's own certificates: what they must be, and what they should. */
#include "idevid/registrar/registrar_call.h"

/* --- a chain -------------------------------------------------------------- */

int idvi_reg_pinned(const struct idv_registrar_conf *conf)
{
    if (conf->pin == IDV_PINNING_CHAIN)
        return sk_X509_num(conf->chain) - 1;
    return conf->pin == IDV_PINNING_ISSUER ? 1 : 0;
}

/* below the one at index of the chain */
static idv_rc check_below(const struct idv_registrar_conf *conf, X509 *cert,
                          int index)
{
    IDV_AUTO_PTR(idv_certs) anchors = sk_X509_new_null();
    if (!anchors || !X509_add_cert(anchors, sk_X509_value(conf->chain, index),
                                   X509_ADD_FLAG_UP_REF))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    struct idv_chain_policy policy = {
        .anchors = anchors, .extra = conf->chain, .partial = true};
    return idv_chain_verify(cert, &policy);
}

static idv_rc check_chain(const struct idv_registrar_conf *conf)
{
    int n = sk_X509_num(conf->chain);
    if (n <= 0 || !idv_cert_eq(sk_X509_value(conf->chain, 0), conf->cert))
        return idv_fail(IDV_E_ARG, "registrar: the chain does not begin with "
                                   "its certificate");
    if (check_below(conf, conf->cert, n - 1) == IDV_OK)
        return IDV_OK;
    return idv_fail(IDV_E_ARG, "registrar: the chain does not verify");
}

/* --- what it may be used for (R-R-48) ------------------------------------- */

static idv_rc need(const X509 *cert, const char *which, const char *oid,
                   const char *name)
{
    return idv_cert_has_eku(cert, oid)
               ? IDV_OK
               : idv_fail(IDV_E_ARG,
                          "registrar: %s lacks the extended key usage %s",
                          which, name);
}

/* A cloud registrar's is a web server's, which devices judge. */
static idv_rc check_authority(const struct idv_registrar_conf *conf,
                              const X509 *cert, const char *which)
{
    if (conf->cloud)
        return IDV_OK;
    IDV_TRY(need(cert, which, IDV_OID_CMC_RA, "cmcRA"));
    return need(cert, which, IDV_OID_SERVER_AUTH, "serverAuth");
}

static bool is_client(const struct idv_registrar_conf *conf)
{
    bool is = conf->ca.est.ca.forward != NULL;
    for (size_t i = 0; i < conf->n_labels; i++)
        is = is || conf->labels[i].est.ca.forward;
    for (size_t i = 0; i < conf->n_makers; i++)
        is = is || conf->makers[i].masa_client_auth;
    return is;
}

static idv_rc check_client(const struct idv_registrar_conf *conf)
{
    if (conf->cloud || !is_client(conf))
        return IDV_OK;
    return need(conf->cert,
                "its certificate, which it shows to a MASA or another CA,",
                IDV_OID_CLIENT_AUTH, "clientAuth");
}

/* --- all of it ------------------------------------------------------------ */

/* A MASA takes a device to be near a registrar that signs with the key that the
 * device saw (R-M-10); with what vouchers pin a device verifies whom it talked
 * to. */
static idv_rc check_front(const struct idv_registrar_conf *conf)
{
    X509 *front = conf->front_cert;
    if (!front)
        return IDV_OK;
    if (!idv_cert_same_key(front, conf->cert))
        return idv_fail(IDV_E_ARG,
                        "registrar: the certificate in front has another key "
                        "than requests are signed with, and no MASA would "
                        "believe that a device is near");
    IDV_TRY(check_authority(conf, front, "the certificate in front"));
    if (idvi_reg_pinned(conf) >= sk_X509_num(conf->chain) ||
        check_below(conf, front, idvi_reg_pinned(conf)) == IDV_OK)
        return IDV_OK;
    idv_note_clear();
    return idv_fail(IDV_E_ARG, "registrar: the certificate in front does "
                               "not verify by what vouchers pin");
}

idv_rc idvi_reg_check_identity(const struct idv_registrar_conf *conf)
{
    if (!conf->key || !conf->cert || !conf->store)
        return idv_fail(IDV_E_ARG, "registrar: no key, certificate or store");
    if (EVP_PKEY_eq(X509_get0_pubkey(conf->cert), conf->key) != 1)
        return idv_fail(IDV_E_ARG, "registrar: key and certificate differ");
    IDV_TRY(check_authority(conf, conf->cert, "its certificate"));
    IDV_TRY(check_client(conf));
    IDV_TRY(check_chain(conf));
    return check_front(conf);
}

/* --- what it should have (R-R-49) ----------------------------------------- */

static void tell(const struct idv_registrar *r, const X509 *cert)
{
    if (X509_get_ext_by_NID(cert, NID_subject_key_identifier, -1) >= 0)
        return;
    idv_log(r->env, IDV_LOG_WARN, "no-key-identifier",
            "certificate=%s why=\"a subject key identifier names the domain in "
            "audit logs, and the hash of its key does without\"",
            idv_log_value(idv_cert_subject(cert)));
}

void idvi_reg_tell_identity(const struct idv_registrar *r)
{
    for (int i = 0; i < sk_X509_num(r->sent) && !r->conf.cloud; i++)
        tell(r, sk_X509_value(r->sent, i));
    if (r->conf.front_cert && !r->conf.cloud)
        tell(r, r->conf.front_cert);
}
