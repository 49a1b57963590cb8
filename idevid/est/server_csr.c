/* SPDX-License-Identifier: Apache-2.0 */
/* A certification request as it arrives: is it what was asked for? */
#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "idevid/est/server_call.h"

X509_EXTENSION *idvi_est_san(const STACK_OF(X509_EXTENSION) * list)
{
    int i = X509v3_get_ext_by_NID(list, NID_subject_alt_name, -1);
    return i < 0 ? NULL : X509v3_get_ext(list, i);
}

idv_rc idvi_est_add_extension(STACK_OF(X509_EXTENSION) * *list,
                              X509_EXTENSION *ext)
{
    if (!X509v3_add_ext(list, ext, -1)) /* copies */
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return IDV_OK;
}

/* RFC 7030 section 4.4.1: key and signature are of no matter */
static idv_rc parse_alone(struct idv_bytes der, X509_REQ **out)
{
    const uint8_t *p = der.p;
    IDV_AUTO_PTR(X509_REQ) csr = d2i_X509_REQ(NULL, &p, (long)der.n);
    ERR_clear_error();
    if (!csr || p != der.p + der.n)
        return idv_fail(IDV_E_FORMAT, "request: not PKCS #10");
    *out = idv_steal(&csr);
    return IDV_OK;
}

static idv_rc hash_request(struct idvi_est_call *c, struct idv_bytes der)
{
    const char *scope = c->server->conf.scope;
    IDV_AUTO(buf) both = {.max = IDV_MAX_BODY + 1024};
    IDV_TRY(idv_buf_put(&both, der));
    if (scope)
        IDV_TRY(idv_buf_puts(&both, scope));
    return idv_sha256(idv_view(&both), c->csr_sha256);
}

static idv_rc decode(struct idvi_est_call *c)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_BODY};
    idv_rc rc = idv_est_body_to_der(idv_view(&c->call->req.body), &der);
    IDV_TRY(idvi_judge(&c->no, rc, 400, "csr-base64", "malformed request"));
    IDV_TRY(hash_request(c, idv_view(&der)));
    rc = c->make_key ? parse_alone(idv_view(&der), &c->csr)
                     : idv_csr_from_der(idv_view(&der), &c->csr, &c->csr_key);
    return idvi_judge(&c->no, rc, 400, "csr", "bad certification request");
}

/* R-R-42: a challenge is the base64 of this connection's binding. */
static idv_rc check_challenge(struct idvi_est_call *c)
{
    const struct idv_csrattrs *attrs = c->server->conf.attrs;
    const struct idv_peer *peer = c->call->peer;
    IDV_AUTO(buf) said = {.max = 512};
    IDV_AUTO(buf) due = {0};
    bool found = false;
    idv_rc rc = idv_csr_challenge(c->csr, &found, &said);
    IDV_TRY(idvi_judge(&c->no, rc, 400, "challenge", "bad challengePassword"));
    if (!found && attrs && attrs->challenge)
        return idvi_refuse(&c->no, 400, "no-challenge",
                           "challengePassword is missing");
    if (!found)
        return IDV_OK;
    IDV_TRY(idv_base64_from_bytes(idv_bytes(peer->binding, peer->binding_n), 0,
                                  &due));
    if (peer->binding_n == 0 ||
        !idv_bytes_eq_secret(idv_view(&said), idv_view(&due)))
        return idvi_refuse(&c->no, 403, "challenge-mismatch",
                           "request is bound to another connection");
    return IDV_OK;
}

static bool key_is(const EVP_PKEY *key, enum idv_key_type type)
{
    static const struct {
        const char *alg, *group;
        int bits;
    } rows[] = {
        [IDV_KEY_P256] = {"EC", "prime256v1", 256},
        [IDV_KEY_P384] = {"EC", "secp384r1", 384},
        [IDV_KEY_P521] = {"EC", "secp521r1", 521},
        [IDV_KEY_RSA2048] = {"RSA", NULL, 2048},
        [IDV_KEY_RSA3072] = {"RSA", NULL, 3072},
    };
    char group[64];
    size_t n = 0;
    if ((size_t)type >= sizeof(rows) / sizeof(*rows) || !key ||
        !EVP_PKEY_is_a(key, rows[type].alg) ||
        EVP_PKEY_get_bits(key) != rows[type].bits)
        return false;
    return !rows[type].group ||
           (EVP_PKEY_get_group_name(key, group, sizeof(group), &n) == 1 &&
            strcmp(group, rows[type].group) == 0);
}

static bool digest_is(const X509_REQ *csr, int nid)
{
    int digest = NID_undef;
    return OBJ_find_sigid_algs(X509_REQ_get_signature_nid(csr), &digest,
                               NULL) == 1 &&
           digest == nid;
}

static bool has_extension(const STACK_OF(X509_EXTENSION) * list,
                          X509_EXTENSION *want)
{
    int i = X509v3_get_ext_by_OBJ(list, X509_EXTENSION_get_object(want), -1);
    return i >= 0 && ASN1_OCTET_STRING_cmp(
                         X509_EXTENSION_get_data(X509v3_get_ext(list, i)),
                         X509_EXTENSION_get_data(want)) == 0;
}

static bool has_all(X509_REQ *csr, const STACK_OF(X509_EXTENSION) * wanted)
{
    STACK_OF(X509_EXTENSION) *have = X509_REQ_get_extensions(csr);
    bool all = true;
    for (int i = 0; i < sk_X509_EXTENSION_num(wanted) && all; i++)
        all = has_extension(have, sk_X509_EXTENSION_value(wanted, i));
    sk_X509_EXTENSION_pop_free(have, X509_EXTENSION_free);
    return all;
}

static idv_rc check_extensions(struct idvi_est_call *c,
                               const struct idv_csrattrs *a)
{
    return has_all(c->csr, a->extensions)
               ? IDV_OK
               : idvi_refuse(&c->no, 400, "csr-extensions",
                             "an extension of csrattrs is missing");
}

/* R-R-41 */
static idv_rc check_attrs(struct idvi_est_call *c)
{
    const struct idv_csrattrs *a = c->server->conf.attrs;
    if (!a)
        return IDV_OK;
    if (c->make_key)
        return check_extensions(c, a);
    if (a->has_key_type && !key_is(c->csr_key, a->key_type))
        return idvi_refuse(&c->no, 400, "csr-key-type",
                           "key type differs from csrattrs");
    if (a->digest_nid && !digest_is(c->csr, a->digest_nid))
        return idvi_refuse(&c->no, 400, "csr-digest",
                           "signature digest differs from csrattrs");
    return check_extensions(c, a);
}

/* what its requests are told apart by */
static idv_rc take_client(struct idvi_est_call *c)
{
    const char *user = c->server->conf.user;
    IDV_AUTO(buf) who = {0};
    if (c->call->peer && sk_X509_num(c->call->peer->chain) > 0) {
        c->client = sk_X509_value(c->call->peer->chain, 0);
        return idv_peer_sha256(c->call->peer, c->client_sha256);
    }
    if (!user)
        return idvi_refuse(&c->no, 403, "no-client-cert",
                           "client certificate required");
    IDV_TRY(idv_buf_putf(&who, "user:%s", user));
    return idv_sha256(idv_view(&who), c->client_sha256);
}

idv_rc idvi_est_read_csr(struct idvi_est_call *c)
{
    const struct idv_msg *req = &c->call->req;
    IDV_TRY(idvi_refuse_verb(&c->no, c->call, IDV_POST));
    if (!idv_media_is(req->media, IDV_MEDIA_PKCS10))
        return idvi_refuse(&c->no, 415, "media", "unsupported media type");
    if (!idv_accepts(req->accept,
                     c->make_key ? "multipart/mixed" : IDV_MEDIA_PKCS7))
        return idvi_refuse(&c->no, 406, "accept", "not acceptable");
    IDV_TRY(take_client(c));
    IDV_TRY(decode(c));
    IDV_TRY(check_challenge(c));
    return check_attrs(c);
}
