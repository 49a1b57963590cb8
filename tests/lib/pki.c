/* SPDX-License-Identifier: Apache-2.0 */
/* A maker, a device, a domain and a rogue, made anew from throw-away keys. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include <idevid/auto.h>

#include "tests/lib/pki.h"

void pki_must(idv_rc rc, const char *what)
{
    if (rc == IDV_OK)
        return;
    fprintf(stderr, "test PKI: %s: %s: %s\n", what, idv_rc_name(rc),
            idv_note());
    abort();
}

static void must(bool ok, const char *what)
{
    pki_must(ok ? IDV_OK : IDV_E_CRYPTO, what);
}

/* --- environment -------------------------------------------------------- */

static int64_t fixed_now(void *ctx)
{
    return ((struct pki_env *)ctx)->now;
}

static bool fixed_trusted(void *ctx)
{
    return ((struct pki_env *)ctx)->trusted;
}

static idv_rc true_random(void *ctx, uint8_t *p, size_t n)
{
    (void)ctx;
    return RAND_bytes(p, (int)n) == 1 ? IDV_OK
                                      : idv_fail(IDV_E_CRYPTO, "random");
}

static void keep_line(void *ctx, enum idv_level level, const char *line)
{
    struct pki_env *e = ctx;
    (void)level;
    snprintf(e->last, sizeof(e->last), "%s", line);
}

void pki_env_init(struct pki_env *e)
{
    *e = (struct pki_env){
        .env = {fixed_now, fixed_trusted, true_random, keep_line, e},
        .now = PKI_NOW,
        .trusted = true,
    };
}

/* --- certificates ------------------------------------------------------- */

struct pki_id pki_issue(struct pki *p, const char *curve,
                        const struct idv_cert_spec *spec,
                        const struct pki_id *issuer)
{
    struct idv_cert_spec s = *spec;
    struct pki_id id = {.key = EVP_EC_gen(curve)};
    must(id.key != NULL, "key");
    if (!s.not_before) {
        s.not_before = PKI_NOW - PKI_DAY;
        s.not_after = s.kind == IDV_CERT_IDEVID ? 0 : PKI_NOW + 365 * PKI_DAY;
    }
    pki_must(idv_cert_issue(&s, id.key, issuer ? issuer->cert : NULL,
                            issuer ? issuer->key : id.key, &p->env.env,
                            &id.cert),
             s.common_name ? s.common_name : "certificate");
    return id;
}

void pki_id_free(struct pki_id *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
    memset(id, 0, sizeof(*id));
}

STACK_OF(X509) * pki_stack(X509 *a, X509 *b)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    must(all && X509_up_ref(a) && sk_X509_push(all, a) > 0, "stack");
    if (b)
        must(X509_up_ref(b) && sk_X509_push(all, b) > 0, "stack");
    return all;
}

static struct pki_id simple(struct pki *p, enum idv_cert_kind kind,
                            const char *name, const struct pki_id *issuer)
{
    struct idv_cert_spec spec = {
        .kind = kind,
        .common_name = name,
        .organization = "Test",
    };
    return pki_issue(p, "P-256", &spec, issuer);
}

static struct pki_id device(struct pki *p, const struct pki_id *issuer)
{
    static const uint8_t hw_serial[] = {1, 2, 3, 4};
    struct idv_cert_spec spec = {
        .kind = IDV_CERT_IDEVID,
        .serial_number = PKI_SERIAL,
        .hw_type = IDV_OID_TPM20,
        .hw_serial = idv_bytes(hw_serial, sizeof(hw_serial)),
        .masa_url = PKI_MASA_URL,
    };
    return pki_issue(p, "P-256", &spec, issuer);
}

static void make_maker(struct pki *p)
{
    static const char *const names[] = {"localhost", "127.0.0.1", NULL};
    struct idv_cert_spec server = {
        .kind = IDV_CERT_SERVER,
        .common_name = "masa.example.com",
        .names = names,
    };
    p->maker_root = simple(p, IDV_CERT_ROOT, "Maker Root", NULL);
    p->maker_ca = simple(p, IDV_CERT_CA, "Maker CA", &p->maker_root);
    p->idevid = device(p, &p->maker_ca);
    p->masa = simple(p, IDV_CERT_SIGNER, "Maker MASA", &p->maker_root);
    p->masa_server = pki_issue(p, "P-256", &server, &p->maker_root);
    p->anchors = pki_stack(p->maker_root.cert, NULL);
    p->idevid_chain = pki_stack(p->maker_ca.cert, NULL);
}

static struct pki_id registrar(struct pki *p, const struct pki_id *ca)
{
    static const char *const names[] = {"localhost", "127.0.0.1", NULL};
    struct idv_cert_spec spec = {
        .kind = IDV_CERT_REGISTRAR,
        .common_name = "registrar.example.com",
        .names = names,
    };
    return pki_issue(p, "P-256", &spec, ca);
}

void pki_make(struct pki *p)
{
    memset(p, 0, sizeof(*p));
    pki_env_init(&p->env);
    make_maker(p);
    p->domain_ca = simple(p, IDV_CERT_ROOT, "Domain CA", NULL);
    p->registrar = registrar(p, &p->domain_ca);
    p->tls_chain = pki_stack(p->registrar.cert, p->domain_ca.cert);
    p->rogue_ca = simple(p, IDV_CERT_ROOT, "Rogue CA", NULL);
    p->rogue = registrar(p, &p->rogue_ca);
    p->rogue_masa = simple(p, IDV_CERT_SIGNER, "Rogue MASA", &p->rogue_ca);
    p->rogue_idevid = device(p, &p->rogue_ca);
    p->rogue_chain = pki_stack(p->rogue.cert, p->rogue_ca.cert);
}

void pki_free(struct pki *p)
{
    struct pki_id *ids[] = {
        &p->maker_root, &p->maker_ca,     &p->idevid,      &p->masa,
        &p->domain_ca,  &p->registrar,    &p->rogue_ca,    &p->rogue,
        &p->rogue_masa, &p->rogue_idevid, &p->masa_server,
    };
    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
        pki_id_free(ids[i]);
    idv_certs_free(p->anchors);
    idv_certs_free(p->idevid_chain);
    idv_certs_free(p->tls_chain);
    idv_certs_free(p->rogue_chain);
    memset(p, 0, sizeof(*p));
}

/* --- messages ----------------------------------------------------------- */

static void seal_as(const char *media, const struct idv_voucher *v,
                    const struct pki_id *id, const STACK_OF(X509) * chain,
                    bool id_data, struct idv_buf *sealed)
{
    IDV_AUTO(buf) json = {0};
    struct idv_signer signer = {
        .key = id->key,
        .cert = id->cert,
        .chain = chain,
        .signing_time = PKI_NOW,
        .id_data = id_data,
    };
    pki_must(idv_voucher_to_json(v, &json), "payload");
    pki_must(idv_envelope_seal(media, idv_view(&json), &signer, sealed),
             "seal");
}

void pki_seal_as(const char *media, const struct idv_voucher *v,
                 const struct pki_id *id, const STACK_OF(X509) * chain,
                 struct idv_buf *sealed)
{
    seal_as(media, v, id, chain, false, sealed);
}

void pki_seal(const struct idv_voucher *v, const struct pki_id *id,
              const STACK_OF(X509) * chain, bool id_data,
              struct idv_buf *sealed)
{
    seal_as(IDV_MEDIA_VOUCHER_CMS, v, id, chain, id_data, sealed);
}

void pki_spki(const X509 *cert, struct idv_buf *key, struct idv_buf *hash)
{
    uint8_t *der = NULL, sha256[32];
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    idv_buf_clear(key);
    idv_buf_clear(hash);
    must(n > 0 &&
             EVP_Digest(der, (size_t)n, sha256, NULL, EVP_sha256(), NULL) == 1,
         "key");
    pki_must(idv_buf_put(key, idv_bytes(der, (size_t)n)), "key");
    pki_must(idv_buf_put(hash, idv_bytes(sha256, sizeof(sha256))), "hash");
    OPENSSL_free(der);
}

void pki_request(struct pki *p, struct idv_voucher *v, struct idv_buf *sealed)
{
    pki_must(
        idv_request_build(p->idevid.cert, p->registrar.cert, &p->env.env, v),
        "request");
    pki_seal(v, &p->idevid, p->idevid_chain, false, sealed);
}

static void copy(char *to, size_t max, const char *from)
{
    must(strlen(from) < max, "copy");
    memcpy(to, from, strlen(from) + 1);
}

static void fill_rvr(struct pki *p, const struct idv_voucher *pvr,
                     struct idv_bytes prior, struct idv_voucher *v)
{
    idv_voucher_init(v, IDV_VOUCHER_REQUEST);
    v->assertion = pvr->assertion;
    v->created_on = p->env.now;
    copy(v->serial_number, sizeof(v->serial_number), pvr->serial_number);
    copy(v->nonce, sizeof(v->nonce), pvr->nonce);
    pki_must(idv_idevid_issuer(p->idevid.cert, false, &v->idevid_issuer),
             "idevid-issuer");
    pki_must(idv_buf_put(&v->prior_signed, prior), "prior");
}

void pki_rvr_as(const char *media, struct pki *p, const struct idv_voucher *pvr,
                struct idv_bytes prior, struct idv_buf *sealed)
{
    IDV_AUTO(voucher) v;
    fill_rvr(p, pvr, prior, &v);
    pki_seal_as(media, &v, &p->registrar, p->tls_chain, sealed);
}

void pki_rvr(struct pki *p, const struct idv_voucher *pvr,
             struct idv_bytes prior, bool id_data, struct idv_buf *sealed)
{
    IDV_AUTO(voucher) v;
    fill_rvr(p, pvr, prior, &v);
    pki_seal(&v, &p->registrar, p->tls_chain, id_data, sealed);
}

void pki_voucher(struct pki *p, const struct idv_voucher *request,
                 const X509 *pin, struct idv_voucher *out)
{
    idv_voucher_init(out, IDV_VOUCHER);
    out->assertion = IDV_ASSERT_PROXIMITY;
    out->created_on = p->env.now;
    copy(out->serial_number, sizeof(out->serial_number),
         request->serial_number);
    copy(out->nonce, sizeof(out->nonce), request->nonce);
    pki_must(idv_cert_to_der(pin, &out->pinned_domain_cert), "pin");
}
