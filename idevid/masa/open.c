/* SPDX-License-Identifier: Apache-2.0 */
/* A registrar's request: who signed it, what it says, which device it means. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "idevid/masa/masa_call.h"

#define AHEAD_S 600 /* clocks differ by this much at most */

static idv_rc check_media(struct idvi_masa_call *c)
{
    if (!idv_envelope_known(c->call->req.media))
        return idvi_refuse(&c->no, 415, "media", "unsupported media type");
    return IDV_OK;
}

static idv_rc open_container(struct idvi_masa_call *c)
{
    const struct idv_msg *req = &c->call->req;
    idv_rc rc = idvi_carried_take(&c->request, &req->body);
    IDV_TRY(idvi_judge(&c->no, rc, 400, "base64", "malformed request"));
    IDV_TRY(idv_sha256(c->request.bytes, c->rvr_sha256));
    rc = idv_envelope_open(req->media, c->request.bytes, &c->opened);
    IDV_TRY(idvi_judge(&c->no, rc, 400, "container", "malformed request"));
    if (!c->opened.signer)
        return idvi_refuse(&c->no, 403, "no-signer-cert",
                           "no signer certificate");
    return IDV_OK;
}

/* --- the chain ------------------------------------------------------------ */

static bool is_used(const idv_certs *chain, X509 *cert)
{
    bool used = false;
    for (int i = 0; i < sk_X509_num(chain) && !used; i++)
        used = idv_cert_eq(sk_X509_value(chain, i), cert);
    return used;
}

/* by what certificates say of themselves */
static bool may_issue(const idv_certs *chain, X509 *issuer, X509 *cert)
{
    return X509_check_issued(issuer, cert) == X509_V_OK &&
           idv_cert_is_ca(issuer) && !is_used(chain, issuer);
}

static X509 *signer_among(const idv_certs *certs, const idv_certs *chain,
                          X509 *cert)
{
    for (int i = 0; i < sk_X509_num(certs); i++) {
        X509 *at = sk_X509_value(certs, i);
        if (may_issue(chain, at, cert) &&
            X509_verify(cert, X509_get0_pubkey(at)) == 1)
            return at;
    }
    return NULL;
}

/* A signature is looked at only where several could have made it, or it may be
 * the certificate's own: the chain is verified as a whole, once. */
static X509 *find_issuer(const idv_certs *certs, const idv_certs *chain,
                         X509 *cert)
{
    X509 *one = NULL;
    int n = 0;
    for (int i = 0; i < sk_X509_num(certs); i++) {
        if (!may_issue(chain, sk_X509_value(certs, i), cert))
            continue;
        one = sk_X509_value(certs, i);
        n++;
    }
    if (n == 1 && X509_check_issued(cert, cert) != X509_V_OK)
        return one;
    return n ? signer_among(certs, chain, cert) : NULL;
}

static X509 *farthest(const struct idvi_masa_call *c)
{
    return sk_X509_value(c->chain, sk_X509_num(c->chain) - 1);
}

static bool has_ca(const idv_certs *certs)
{
    bool found = false;
    for (int i = 0; i < sk_X509_num(certs) && !found; i++)
        found = idv_cert_is_ca(sk_X509_value(certs, i));
    return found;
}

/* What will be pinned is whole, as far as that can be told: libcrypto does not
 * look at the signature of a trust anchor, and a CA that was damaged too much
 * to be the signer's is not to leave us pinning the signer instead. A CA under
 * another that is not here cannot be asked about. */
static bool is_whole(const struct idvi_masa_call *c, X509 *root)
{
    switch (X509_check_issued(root, root)) {
    case X509_V_ERR_SUBJECT_ISSUER_MISMATCH:
    case X509_V_ERR_AKID_SKID_MISMATCH:
    case X509_V_ERR_AKID_ISSUER_SERIAL_MISMATCH: /* of another */
        return sk_X509_num(c->chain) > 1 || !has_ca(c->opened.certs);
    default:
        return X509_verify(root, X509_get0_pubkey(root)) == 1;
    }
}

static idv_rc check_root(struct idvi_masa_call *c)
{
    const bool whole = is_whole(c, farthest(c));
    ERR_clear_error();
    if (whole)
        return IDV_OK;
    return idvi_refuse(&c->no, 403, "chain-root",
                       "the domain CA's certificate is damaged");
}

/* From the signer as far as the certificates inside lead: the last one is a
 * domain CA nobody need have heard of (R-M-4). */
static idv_rc build_chain(struct idvi_masa_call *c)
{
    X509 *at = c->opened.signer;
    c->chain = sk_X509_new_null();
    while (c->chain && at && sk_X509_num(c->chain) < IDV_MAX_CHAIN) {
        if (!X509_add_cert(c->chain, at, X509_ADD_FLAG_UP_REF))
            return idv_fail(IDV_E_NOMEM, "out of memory");
        at = find_issuer(c->opened.certs, c->chain, at);
    }
    idv_note_clear();
    ERR_clear_error(); /* of candidates that were none */
    if (!c->chain || sk_X509_num(c->chain) == 0)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return check_root(c);
}

/* cmcRA is told apart from the rest, which is all one to the peer (10.4). */
static idv_rc verify_signer(struct idvi_masa_call *c)
{
    if (!idv_cert_has_eku(c->opened.signer, IDV_OID_CMC_RA))
        return idvi_refuse(&c->no, 403, "no-cmc-ra",
                           "signer is not a registrar");
    IDV_AUTO_PTR(idv_certs) anchors = sk_X509_new_null();
    if (!anchors || !X509_add_cert(anchors, farthest(c), X509_ADD_FLAG_UP_REF))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    struct idv_chain_policy policy = {
        .anchors = anchors,
        .extra = c->opened.certs,
        .partial = true,
        .check_time = idv_clock_trusted(c->masa->env),
        .now = c->now,
        .eku = IDV_OID_CMC_RA,
    };
    idv_rc rc = idv_envelope_verify_chain(&c->opened, &policy);
    IDV_TRY(idvi_judge(&c->no, rc, 403, "chain", "bad signature"));
    rc = idv_envelope_verify_signature(&c->opened, NULL);
    return idvi_judge(&c->no, rc, 403, "signature", "bad signature");
}

/* The most specific certificate that is known decides. */
static idv_rc look_up_registrar(struct idvi_masa_call *c)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    bool found = false;
    for (int i = 0; i < sk_X509_num(c->chain) && !found; i++) {
        uint8_t hash[32];
        IDV_TRY(idv_cert_sha256(sk_X509_value(c->chain, i), hash));
        IDV_TRY(
            store->registrar_find(store->self, hash, &found, &c->registrar));
    }
    c->registrar_known = found;
    if (c->registrar.blocked)
        return idvi_refuse(&c->no, 403, "registrar-blocked",
                           "registrar is not served");
    return IDV_OK;
}

/* --- the content ---------------------------------------------------------- */

static idv_rc read_content(struct idvi_masa_call *c)
{
    idv_rc rc = idv_voucher_from(c->opened.media, idv_view(&c->opened.payload),
                                 IDV_VOUCHER_REQUEST, &c->rvr);
    return idvi_judge(&c->no, rc, 400, "content", "malformed request");
}

static idv_rc check_age(struct idvi_masa_call *c)
{
    int64_t t = c->rvr.created_on;
    if (t == IDV_TIME_ABSENT || !idv_clock_trusted(c->masa->env))
        return IDV_OK;
    if (t > c->now + AHEAD_S || t < c->now - c->masa->conf.max_age_s)
        return idvi_refuse(&c->no, 403, "stale", "stale request");
    return IDV_OK;
}

static const struct idv_masa_maker *maker_of(const struct idvi_masa_call *c)
{
    const struct idv_masa_conf *conf = &c->masa->conf;
    for (size_t i = 0; i < conf->n_makers; i++) {
        if (strcmp(conf->makers[i].name, c->device.maker) == 0)
            return &conf->makers[i];
    }
    return c->device.maker[0] ? NULL : &conf->makers[0];
}

static idv_rc find_device(struct idvi_masa_call *c)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    IDV_AUTO(buf) keyid = {0};
    bool found = false;
    if (c->rvr.idevid_issuer.n) {
        idv_rc rc =
            idv_idevid_issuer_keyid(idv_view(&c->rvr.idevid_issuer), &keyid);
        IDV_TRY(idvi_judge(&c->no, rc, 400, "idevid-issuer",
                           "malformed idevid-issuer"));
    }
    IDV_TRY(store->device_find(store->self, idv_view(&keyid),
                               c->rvr.serial_number, &found, &c->device));
    if (!found)
        return idvi_refuse(&c->no, 404, "device-unknown", "unknown device");
    c->maker = maker_of(c);
    if (!c->maker)
        return idvi_refuse(&c->no, 404, "maker-unknown", "unknown device");
    return idvi_masa_read_policy(c);
}

/* --- what follows from the chain ------------------------------------------ */

static idv_rc choose_pin(struct idvi_masa_call *c)
{
    IDV_AUTO(buf) id = {0};
    IDV_AUTO(buf) text = {0};
    c->pin = idvi_masa_pin_of(c);
    IDV_TRY(idv_domain_id(c->pin, &id));
    IDV_TRY(idv_base64_from_bytes(idv_view(&id), 0, &text));
    if (text.n >= sizeof(c->domain_id))
        return idvi_refuse(&c->no, 403, "domain-id",
                           "subject key identifier too long");
    memcpy(c->domain_id, text.p, text.n + 1);
    return IDV_OK;
}

idv_rc idvi_masa_open(struct idvi_masa_call *c)
{
    IDV_TRY(check_media(c));
    IDV_TRY(open_container(c));
    IDV_TRY(build_chain(c));
    IDV_TRY(verify_signer(c));
    IDV_TRY(idvi_masa_limit_registrar(c));
    IDV_TRY(look_up_registrar(c));
    IDV_TRY(read_content(c));
    IDV_TRY(check_age(c));
    IDV_TRY(find_device(c));
    return choose_pin(c);
}
