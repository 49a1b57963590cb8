/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM's identities made of software keys. */
#include "tests/lib/softtpm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include <idevid/auto.h>

#include "tpm/signature.h"
#include "tpm/wire.h"

#define MUST(call) pki_must((call), #call)
#define GENERATED 0xff544347u
#define ST_CERTIFY 0x8017
#define ST_CREATION 0x801a

static void must(bool ok, const char *what)
{
    pki_must(ok ? IDV_OK : IDV_E_CRYPTO, what);
}

/* --- keys ----------------------------------------------------------------- */

static bool is_rsa(enum idv_key_type type)
{
    return type == IDV_KEY_RSA2048;
}

static EVP_PKEY *generate(enum idv_key_type type)
{
    EVP_PKEY *key = is_rsa(type)           ? EVP_RSA_gen(2048)
                    : type == IDV_KEY_P384 ? EVP_EC_gen("P-384")
                                           : EVP_EC_gen("P-256");
    must(key != NULL, "key");
    return key;
}

struct numbers {
    uint8_t modulus[256], x[66], y[66];
};

static void put_number(EVP_PKEY *key, const char *name, uint8_t *to, size_t n)
{
    BIGNUM *bn = NULL;
    must(EVP_PKEY_get_bn_param(key, name, &bn) == 1 &&
             BN_bn2binpad(bn, to, (int)n) == (int)n,
         name);
    BN_free(bn);
}

static void fill_numbers(struct softtpm_key *k, struct idvi_tpm_public *p,
                         struct numbers *n)
{
    size_t size = idvi_tpm_curve_size(p->curve);
    if (p->type == IDVI_TPM_RSA) {
        put_number(k->key, OSSL_PKEY_PARAM_RSA_N, n->modulus, 256);
        p->modulus = idv_bytes(n->modulus, 256);
        return;
    }
    put_number(k->key, OSSL_PKEY_PARAM_EC_PUB_X, n->x, size);
    put_number(k->key, OSSL_PKEY_PARAM_EC_PUB_Y, n->y, size);
    p->x = idv_bytes(n->x, size);
    p->y = idv_bytes(n->y, size);
}

static void fill_scheme(struct idvi_tpm_public *p, enum idvi_devid what)
{
    bool rsa = p->type == IDVI_TPM_RSA;
    p->symmetric = p->scheme = IDVI_TPM_NULL;
    if (what == IDVI_DEVID_EK) {
        p->symmetric = IDVI_TPM_AES;
        p->sym_bits = 128;
        p->sym_mode = IDVI_TPM_CFB;
    } else if (!rsa || what == IDVI_DEVID_IAK) {
        p->scheme = rsa ? IDVI_TPM_RSASSA : IDVI_TPM_ECDSA;
        p->hash = p->name_alg;
    }
}

static uint32_t attributes(enum idvi_devid what)
{
    uint32_t all = IDVI_TPM_FIXED_TPM | IDVI_TPM_FIXED_PARENT |
                   IDVI_TPM_DATA_ORIGIN | IDVI_TPM_ADMIN_WITH_POLICY;
    switch (what) {
    case IDVI_DEVID_EK:
        return all | IDVI_TPM_RESTRICTED | IDVI_TPM_DECRYPT;
    case IDVI_DEVID_IAK:
        return all | IDVI_TPM_USER_WITH_AUTH | IDVI_TPM_RESTRICTED |
               IDVI_TPM_SIGN;
    default:
        return all | IDVI_TPM_USER_WITH_AUTH | IDVI_TPM_SIGN;
    }
}

void softtpm_key_make(struct softtpm_key *k, enum idvi_devid what,
                      enum idv_key_type type, uint32_t flip)
{
    IDV_AUTO(buf) policy = {0};
    struct numbers n;
    bool p384 = type == IDV_KEY_P384;
    struct idvi_tpm_public p = {
        .type = is_rsa(type) ? IDVI_TPM_RSA : IDVI_TPM_ECC,
        .name_alg = p384 ? IDVI_TPM_SHA384 : IDVI_TPM_SHA256,
        .attributes = attributes(what) ^ flip,
        .bits = is_rsa(type) ? 2048 : 0,
        .curve = is_rsa(type) ? 0
                 : p384       ? IDVI_TPM_P384
                              : IDVI_TPM_P256,
    };
    memset(k, 0, sizeof(*k));
    k->key = generate(type);
    fill_scheme(&p, what);
    fill_numbers(k, &p, &n);
    MUST(idvi_devid_policy(what, p.name_alg, what == IDVI_DEVID_EK, &policy));
    p.policy = idv_view(&policy);
    MUST(idvi_tpm_public_to_bytes(&p, &k->pub));
}

void softtpm_key_free(struct softtpm_key *k)
{
    EVP_PKEY_free(k->key);
    idv_buf_free(&k->pub);
    memset(k, 0, sizeof(*k));
}

void softtpm_make(struct softtpm *t, enum idv_key_type type, struct pki *pki,
                  const struct pki_id *vendor)
{
    struct idv_cert_spec spec = {.kind = IDV_CERT_SIGNER,
                                 .common_name = "EK of a soft TPM"};
    memset(t, 0, sizeof(*t));
    t->type = type;
    softtpm_key_make(&t->ek, IDVI_DEVID_EK,
                     is_rsa(type) ? IDV_KEY_RSA2048 : IDV_KEY_P256, 0);
    softtpm_key_make(&t->iak, IDVI_DEVID_IAK, type, 0);
    softtpm_key_make(&t->idevid, IDVI_DEVID_IDEVID, type, 0);
    MUST(idv_cert_issue(&spec, t->ek.key, vendor->cert, vendor->key,
                        &pki->env.env, &t->ek_cert));
}

void softtpm_free(struct softtpm *t)
{
    softtpm_key_free(&t->ek);
    softtpm_key_free(&t->iak);
    softtpm_key_free(&t->idevid);
    X509_free(t->ek_cert);
    memset(t, 0, sizeof(*t));
}

static struct idvi_tpm_public parsed(const struct softtpm_key *k)
{
    struct idvi_tpm_public p;
    MUST(idvi_tpm_public_from_bytes(idv_view(&k->pub), &p));
    return p;
}

/* --- signatures ----------------------------------------------------------- */

static void sign(const struct softtpm_key *k, struct idv_bytes message,
                 struct idv_buf *der)
{
    struct idvi_tpm_public p = parsed(k);
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    uint8_t *to;
    size_t n = 512;
    MUST(idv_buf_room(der, n, &to));
    must(EVP_DigestSignInit(ctx, NULL, idvi_tpm_md(p.name_alg), NULL, k->key) ==
                 1 &&
             EVP_DigestSign(ctx, to, &n, message.p, message.n) == 1,
         "signature");
    der->n += n;
}

static void put_name(const struct softtpm_key *k, struct idv_buf *out)
{
    IDV_AUTO(buf) name = {0};
    struct idvi_tpm_public p = parsed(k);
    MUST(idvi_tpm_public_name(&p, &name));
    MUST(idvi_wire_put_sized(out, idv_view(&name)));
}

static void put_qualified(const struct softtpm_key *k, uint32_t hierarchy,
                          struct idv_buf *out)
{
    IDV_AUTO(buf) name = {0};
    struct idvi_tpm_public p = parsed(k);
    MUST(idvi_tpm_public_qualified(
        &p, hierarchy ? hierarchy : IDVI_TPM_RH_ENDORSEMENT, &name));
    MUST(idvi_wire_put_sized(out, idv_view(&name)));
}

/* clock, resets, restarts, safe, firmware */
static const uint8_t clock_info[25] = {0, 0, 0, 0, 0, 0, 1, 0, 0,
                                       0, 0, 3, 0, 0, 0, 0, 1};

static void put_attest(const struct softtpm_attest *a,
                       const struct softtpm_key *key,
                       const struct softtpm_key *by, struct idv_buf *out)
{
    uint8_t creation[32] = {0xcc};
    MUST(idvi_wire_put32(out, a->magic ? a->magic : GENERATED));
    MUST(idvi_wire_put16(out, a->creation ? ST_CREATION : ST_CERTIFY));
    put_qualified(by, a->hierarchy, out);
    MUST(idvi_wire_put_sized(out, a->nonce));
    MUST(idv_buf_put(out, idv_bytes(clock_info, sizeof(clock_info))));
    put_name(key, out);
    if (a->creation)
        MUST(idvi_wire_put_sized(out, idv_bytes(creation, 32)));
    else
        put_qualified(key, 0, out);
}

void softtpm_certify(const struct softtpm *t, const struct softtpm_attest *a,
                     struct idv_buf *info, struct idv_buf *sig)
{
    const struct softtpm_key *by = a->by ? a->by : &t->iak;
    const struct softtpm_key *signer = a->signer ? a->signer : by;
    struct idvi_tpm_public p = parsed(by);
    IDV_AUTO(buf) der = {0};
    put_attest(a, a->key ? a->key : &t->idevid, by, info);
    sign(signer, idv_view(info), &der);
    MUST(idvi_tpm_signature_to_bytes(&p, idv_view(&der), sig));
    if (a->spoilt)
        info->p[info->n - 1] ^= 1;
}

void softtpm_csr(const struct idvi_tcgcsr_parts *parts,
                 const struct softtpm_key *signer, struct idv_buf *out)
{
    struct idvi_tpm_public p = parsed(signer);
    IDV_AUTO(buf) contents = {0};
    IDV_AUTO(buf) der = {0};
    MUST(idvi_tcgcsr_contents(parts, p.name_alg, NULL, &contents));
    sign(signer, idv_view(&contents), &der);
    MUST(idvi_tcgcsr_whole(idv_view(&contents), p.name_alg, p.type,
                           idv_view(&der), NULL, out));
}

/* --- a request ------------------------------------------------------------ */

static void head(struct idv_factory_request *r,
                 enum idv_factory_profile profile, const char *order,
                 const char *serial, const uint8_t *challenge)
{
    memset(r, 0, sizeof(*r));
    r->profile = profile;
    r->created_on = PKI_NOW;
    snprintf(r->order, sizeof(r->order), "%s", order);
    snprintf(r->serial_number, sizeof(r->serial_number), "%s", serial);
    snprintf(r->station, sizeof(r->station), "station-1");
    snprintf(r->operator_, sizeof(r->operator_), "op");
    snprintf(r->device, sizeof(r->device), "a soft TPM");
    memcpy(r->challenge, challenge, IDV_FACTORY_CHALLENGE);
}

void softtpm_request(const struct softtpm *t, enum idv_factory_profile profile,
                     const char *order, const char *serial,
                     const uint8_t challenge[IDV_FACTORY_CHALLENGE],
                     const struct softtpm_attest *attest,
                     struct idv_factory_request *out)
{
    uint8_t nonce[32];
    struct softtpm_attest a = {0};
    IDV_AUTO(buf) ek = {0};
    IDV_AUTO(buf) info = {0};
    IDV_AUTO(buf) sig = {0};
    struct idvi_tcgcsr_parts parts = {.model = idv_str("M"),
                                      .serial = idv_str(serial),
                                      .ca_data = idv_bytes(nonce, 32),
                                      .signing_pub = idv_view(&t->idevid.pub)};
    head(out, profile, order, serial, challenge);
    out->type = t->type;
    idv_factory_nonce(challenge, order, serial, nonce);
    if (t->ek_cert)
        MUST(idv_cert_to_der(t->ek_cert, &ek));
    parts.ek_cert = idv_view(&ek);
    if (profile != IDV_PROFILE_DIRECT) {
        if (attest)
            a = *attest;
        else
            a.creation = profile == IDV_PROFILE_LEAN;
        if (a.nonce.n == 0)
            a.nonce = idv_bytes(nonce, 32);
        softtpm_certify(t, &a, &info, &sig);
        parts.attest_pub = idv_view(&t->iak.pub);
        parts.sgn_info = idv_view(&info);
        parts.sgn_signature = idv_view(&sig);
    }
    softtpm_csr(&parts, &t->idevid, &out->tcg_csr);
    MUST(idv_buf_put(&out->ek_public, idv_view(&t->ek.pub)));
}

/* --- activation (Part 1, 24.4 and annexes B.10.4, C.6.4), SHA-256 ----------
 */

static void hmac(struct idv_bytes key, struct idv_bytes text, uint8_t out[32])
{
    size_t n = 32;
    must(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key.p, key.n, text.p,
                   text.n, out, 32, &n) != NULL,
         "HMAC");
}

static void kdfa(const uint8_t seed[32], const char *label,
                 struct idv_bytes context, uint32_t bits, uint8_t out[32])
{
    IDV_AUTO(buf) text = {0};
    MUST(idvi_wire_put32(&text, 1));
    MUST(idv_buf_put(&text, idv_bytes(label, strlen(label) + 1)));
    MUST(idv_buf_put(&text, context));
    MUST(idvi_wire_put32(&text, bits));
    hmac(idv_bytes(seed, 32), idv_view(&text), out);
}

static bool rsa_seed(const struct softtpm *t, struct idv_bytes secret,
                     uint8_t seed[32])
{
    struct idvi_wire w = {.left = secret};
    struct idv_bytes c = idvi_wire_sized(&w);
    uint8_t out[256];
    size_t n = sizeof(out);
    IDV_AUTO_PTR(EVP_PKEY_CTX) ctx = EVP_PKEY_CTX_new(t->ek.key, NULL);
    void *label = OPENSSL_memdup("IDENTITY", 9);
    bool ok = EVP_PKEY_decrypt_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
              EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1 &&
              EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, label, 9) == 1 &&
              EVP_PKEY_decrypt(ctx, out, &n, c.p, c.n) == 1 && n == 32;
    if (ok)
        memcpy(seed, out, 32);
    return ok;
}

static EVP_PKEY *peer_of(struct idv_bytes x, struct idv_bytes y)
{
    uint8_t point[65] = {4};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    memcpy(point + 1, x.p, 32);
    memcpy(point + 33, y.p, 32);
    must(key && EVP_PKEY_set1_encoded_public_key(key, point, 65) == 1, "peer");
    return key;
}

static bool ecc_seed(const struct softtpm *t, struct idv_bytes secret,
                     uint8_t seed[32])
{
    struct idvi_wire w = {.left = secret};
    struct idvi_tpm_public ek = parsed(&t->ek);
    uint8_t z[32];
    size_t n = sizeof(z);
    IDV_AUTO(buf) text = {0};
    (void)idvi_wire_u16(&w);
    struct idv_bytes x = idvi_wire_sized(&w), y = idvi_wire_sized(&w);
    if (w.bad || x.n != 32 || y.n != 32)
        return false;
    IDV_AUTO_PTR(EVP_PKEY) peer = peer_of(x, y);
    IDV_AUTO_PTR(EVP_PKEY_CTX) ctx = EVP_PKEY_CTX_new(t->ek.key, NULL);
    must(EVP_PKEY_derive_init(ctx) == 1 &&
             EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
             EVP_PKEY_derive(ctx, z, &n) == 1,
         "agreement");
    MUST(idvi_wire_put32(&text, 1));
    MUST(idv_buf_put(&text, idv_bytes(z, n)));
    MUST(idv_buf_put(&text, idv_bytes("IDENTITY", 9)));
    MUST(idv_buf_put(&text, x));
    MUST(idv_buf_put(&text, ek.x));
    return EVP_Digest(text.p, text.n, seed, NULL, EVP_sha256(), NULL) == 1;
}

static void decrypt(const uint8_t key[32], struct idv_bytes in,
                    struct idv_buf *out)
{
    static const uint8_t iv[16];
    uint8_t *to;
    int n = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    MUST(idv_buf_room(out, in.n, &to));
    must(EVP_DecryptInit_ex(ctx, EVP_aes_128_cfb128(), NULL, key, iv) == 1 &&
             EVP_DecryptUpdate(ctx, to, &n, in.p, (int)in.n) == 1,
         "AES");
    out->n += (size_t)n;
    EVP_CIPHER_CTX_free(ctx);
}

bool softtpm_activate(const struct softtpm *t, const struct softtpm_key *key,
                      const struct idv_factory_reply *r, struct idv_buf *out)
{
    uint8_t seed[32], k[32], mac[32];
    struct idvi_tpm_public p = parsed(key);
    struct idvi_wire w = {.left = idv_view(&r->credential)};
    IDV_AUTO(buf) name = {0};
    IDV_AUTO(buf) text = {0};
    IDV_AUTO(buf) plain = {0};
    if (!(is_rsa(t->type) ? rsa_seed : ecc_seed)(t, idv_view(&r->secret), seed))
        return false;
    (void)idvi_wire_u16(&w);
    struct idv_bytes said = idvi_wire_sized(&w);
    MUST(idvi_tpm_public_name(&p, &name));
    MUST(idv_buf_put(&text, w.left));
    MUST(idv_buf_put(&text, idv_view(&name)));
    kdfa(seed, "INTEGRITY", idv_bytes(NULL, 0), 256, k);
    hmac(idv_bytes(k, 32), idv_view(&text), mac);
    if (w.bad || !idv_bytes_eq(said, idv_bytes(mac, 32)))
        return false;
    kdfa(seed, "STORAGE", idv_view(&name), 128, k);
    decrypt(k, w.left, &plain);
    struct idvi_wire in = {.left = idv_view(&plain)};
    MUST(idv_buf_put(out, idvi_wire_sized(&in)));
    return !in.bad && in.left.n == 0;
}
