/* SPDX-License-Identifier: Apache-2.0 */
/* A maker's CA as small as it can be. */
#include <string.h>

#include <openssl/sha.h>

#include <idevid/auto.h>
#include <idevid/fs.h>

#include "factory/tcgcsr.h"
#include "tests/lib/minidesk.h"
#include "tpm/credential.h"

/* whom a request is of */
struct asked {
    EVP_PKEY *key, *iak;
    struct idv_buf name; /* that the credential is bound to */
};

static void asked_free(struct asked *a)
{
    EVP_PKEY_free(a->key);
    EVP_PKEY_free(a->iak);
    idv_buf_free(&a->name);
}

static idv_rc read_tcg(const struct idv_factory_request *r, struct asked *a)
{
    struct idvi_tcgcsr csr;
    struct idvi_tpm_public key, iak;
    IDV_TRY(idvi_tcgcsr_from_bytes(idv_view(&r->tcg_csr), &csr));
    IDV_TRY(idvi_tcgcsr_verify(&csr, &key, &a->key));
    if (csr.parts.attest_pub.n == 0)
        return idvi_tpm_public_name(&key, &a->name);
    IDV_TRY(idvi_tpm_public_from_bytes(csr.parts.attest_pub, &iak));
    IDV_TRY(idvi_tpm_public_to_key(&iak, &a->iak));
    return idvi_tpm_public_name(&iak, &a->name);
}

static idv_rc read_csr(const struct idv_factory_request *r, struct asked *a)
{
    IDV_AUTO_PTR(X509_REQ) req = NULL;
    return idv_csr_from_der(idv_view(&r->csr), &req, &a->key);
}

static idv_rc issue(const struct minidesk *d, const char *serial,
                    enum idv_cert_kind kind, EVP_PKEY *key, X509 **out)
{
    const struct pki_id *ca =
        d->wrong_ca ? &d->pki->rogue_ca : &d->pki->maker_ca;
    const struct idv_cert_spec spec = {
        .kind = kind,
        .serial_number = d->serial ? d->serial : serial,
        .common_name = "Model",
        .masa_url = kind == IDV_CERT_IDEVID ? PKI_MASA_URL : NULL};
    if (d->wrong_key)
        key = d->pki->rogue.key;
    return idv_cert_issue(&spec, key, ca->cert, ca->key, &d->pki->env.env, out);
}

static idv_rc make_bag(const struct minidesk *d, const char *serial,
                       struct asked *a, struct idv_buf *bag)
{
    IDV_AUTO_PTR(X509) idevid = NULL;
    IDV_AUTO_PTR(X509) iak = NULL;
    IDV_AUTO_PTR(idv_certs) all = NULL;
    IDV_TRY(issue(d, serial, IDV_CERT_IDEVID, a->key, &idevid));
    if (a->iak)
        IDV_TRY(issue(d, serial, IDV_CERT_IAK, a->iak, &iak));
    all = pki_stack(idevid, d->pki->maker_ca.cert);
    if (iak && (X509_up_ref(iak) != 1 || sk_X509_push(all, iak) < 1))
        return IDV_E_NOMEM;
    return idv_certbag_to_der(all, bag);
}

/* once made, it is the same for ever */
static idv_rc bag_of(const struct minidesk *d, const char *serial,
                     struct asked *a, struct idv_buf *bag)
{
    char path[160];
    uint8_t id[32];
    IDV_TRY(idv_key_fingerprint(a->key, id));
    snprintf(path, sizeof(path), "%s/issued-%s-%02x%02x%02x%02x%02x", d->dir,
             serial, id[0], id[1], id[2], id[3], a->iak != NULL);
    const bool honest = !d->serial && !d->wrong_key && !d->wrong_ca;
    if (honest && idv_fs_exists(path))
        return idv_fs_read(path, 0, bag);
    IDV_TRY(make_bag(d, serial, a, bag));
    return honest ? idv_fs_write(path, idv_view(bag), 0600) : IDV_OK;
}

static idv_rc seal(const struct minidesk *d,
                   const struct idv_factory_request *in, struct asked *a,
                   struct idv_bytes bag, struct idv_factory_reply *r)
{
    struct idvi_tpm_public ek;
    uint8_t secret[32];
    if (d->for_other_ek)
        a->name.p[a->name.n - 1] ^= 1;
    IDV_TRY(idvi_tpm_public_from_bytes(idv_view(&in->ek_public), &ek));
    IDV_TRY(idv_random(&d->pki->env.env, secret, sizeof(secret)));
    IDV_TRY(idvi_credential_make(&ek, idv_view(&a->name),
                                 idv_bytes(secret, sizeof(secret)),
                                 &d->pki->env.env, &r->credential, &r->secret));
    return idv_factory_reply_seal(r, idv_bytes(secret, sizeof(secret)), bag,
                                  &d->pki->env.env);
}

static idv_rc answer(const struct minidesk *d,
                     const struct idv_factory_request *in, struct asked *a,
                     struct idv_factory_reply *r)
{
    IDV_AUTO(buf) bag = {0};
    const bool tcg = in->tcg_csr.n > 0;
    IDV_TRY(tcg ? read_tcg(in, a) : read_csr(in, a));
    IDV_TRY(bag_of(d, in->serial_number, a, &bag));
    r->profile = in->profile;
    memcpy(r->order, in->order, sizeof(r->order));
    memcpy(r->serial_number, in->serial_number, sizeof(r->serial_number));
    return tcg ? seal(d, in, a, idv_view(&bag), r)
               : idv_buf_put(&r->bag, idv_view(&bag));
}

idv_rc minidesk_issue(const struct minidesk *d, struct idv_bytes request,
                      struct idv_buf *reply)
{
    struct idv_factory_request in = {0};
    struct idv_factory_reply out = {0};
    struct asked a = {0};
    IDV_AUTO_PTR(idv_certs) anchors = pki_stack(d->pki->masa.cert, NULL);
    idv_rc rc = idv_factory_request_open(request, anchors, false, 0, &in, NULL);
    if (rc == IDV_OK)
        rc = answer(d, &in, &a, &out);
    SHA256(request.p, request.n, out.request_sha256);
    if (rc == IDV_OK)
        rc = idv_factory_reply_to_json(&out, reply);
    asked_free(&a);
    idv_factory_reply_free(&out);
    idv_factory_request_free(&in);
    return rc;
}
