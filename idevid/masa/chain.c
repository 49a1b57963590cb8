/* SPDX-License-Identifier: Apache-2.0 */
/* A registrar's certificates: from who signed a request to the domain CA. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "idevid/masa/masa_call.h"

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
static idv_rc build(struct idvi_masa_call *c)
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
    return c->chain && sk_X509_num(c->chain) > 0
               ? IDV_OK
               : idv_fail(IDV_E_NOMEM, "out of memory");
}

static idv_rc verify(struct idvi_masa_call *c)
{
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
    return idvi_judge(&c->no, rc, 403, "chain", "bad signature");
}

/* --- verified before ------------------------------------------------------
 * A registrar sends the same certificates with each request, and time is whole
 * seconds.
 */

/* of all of them, and of which one signed */
static idv_rc name_all(const struct idvi_masa_call *c, uint8_t out[static 32])
{
    IDV_AUTO(buf) all = {0};
    const int n = sk_X509_num(c->opened.certs);
    for (int i = 0; i <= n; i++) {
        uint8_t one[32];
        IDV_TRY(idv_cert_sha256(
            i < n ? sk_X509_value(c->opened.certs, i) : c->opened.signer, one));
        IDV_TRY(idv_buf_put(&all, idv_bytes(one, sizeof(one))));
    }
    return idv_sha256(idv_view(&all), out);
}

static struct idvi_masa_chain_seen *place_of(const struct idvi_masa_call *c,
                                             const uint8_t name[static 32])
{
    return &c->masa->seen.by[name[0] % IDVI_MASA_SEEN];
}

static bool is_seen(const struct idvi_masa_call *c,
                    const uint8_t name[static 32])
{
    const struct idvi_masa_chain_seen *s = place_of(c, name);
    pthread_mutex_lock(&c->masa->seen.lock);
    const bool is = s->at == c->now && memcmp(s->name, name, 32) == 0;
    pthread_mutex_unlock(&c->masa->seen.lock);
    return is;
}

static void keep(const struct idvi_masa_call *c, const uint8_t name[static 32])
{
    struct idvi_masa_chain_seen *s = place_of(c, name);
    pthread_mutex_lock(&c->masa->seen.lock);
    memcpy(s->name, name, 32);
    s->at = c->now;
    pthread_mutex_unlock(&c->masa->seen.lock);
}

idv_rc idvi_masa_chain(struct idvi_masa_call *c)
{
    uint8_t name[32];
    IDV_TRY(name_all(c, name));
    IDV_TRY(build(c));
    if (is_seen(c, name))
        return IDV_OK;
    IDV_TRY(check_root(c));
    /* told apart from the rest, which is all one to the peer (10.4) */
    if (!idv_cert_has_eku(c->opened.signer, IDV_OID_CMC_RA))
        return idvi_refuse(&c->no, 403, "no-cmc-ra",
                           "signer is not a registrar");
    IDV_TRY(verify(c));
    keep(c, name);
    return IDV_OK;
}
