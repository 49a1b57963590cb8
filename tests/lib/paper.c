/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM on paper: evidence with a software key, every value as one likes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <idevid/approval.h>
#include <idevid/auto.h>
#include <idevid/x509.h>

#include "tests/lib/paper.h"

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "paper: %s: %s\n", what, idv_note());
    abort();
}

/* --- certificates --- */

static X509_EXTENSION *eku(void)
{
    X509_EXTENSION *e =
        X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, "2.23.133.8.3");
    must(e != NULL, "key usage");
    return e;
}

static X509_EXTENSION *policies(void)
{
    CERTIFICATEPOLICIES *all = sk_POLICYINFO_new_null();
    POLICYINFO *one = POLICYINFO_new();
    must(one && sk_POLICYINFO_push(all, one) > 0, "policy");
    one->policyid = OBJ_txt2obj("2.23.133.11.1.3", 1);
    X509_EXTENSION *e = X509V3_EXT_i2d(NID_certificate_policies, 0, all);
    must(e != NULL, "policies");
    CERTIFICATEPOLICIES_free(all);
    return e;
}

static X509 *issue(enum idv_cert_kind kind, const char *name, EVP_PKEY *key,
                   const X509 *issuer, EVP_PKEY *issuer_key,
                   const STACK_OF(X509_EXTENSION) * extra)
{
    struct idv_env_system sys;
    struct idv_cert_spec spec = {
        .kind = kind,
        .common_name = name,
        .organization = "Paper",
        .not_before = PAPER_NOW - 86400,
        .not_after = PAPER_NOW + 365 * 86400,
        .extra = extra,
    };
    X509 *cert = NULL;
    idv_env_system_init(&sys, "paper");
    must(idv_cert_issue(&spec, key, issuer, issuer_key, &sys.env, &cert) ==
             IDV_OK,
         name);
    return cert;
}

static STACK_OF(X509) * stack_of(X509 *cert)
{
    STACK_OF(X509) *s = sk_X509_new_null();
    must(s && X509_up_ref(cert) && sk_X509_push(s, cert) > 0, "stack");
    return s;
}

void paper_pki_make_for(struct paper_pki *p, EVP_PKEY *key, int says)
{
    STACK_OF(X509_EXTENSION) *extra = sk_X509_EXTENSION_new_null();
    if (says & PAPER_EKU)
        sk_X509_EXTENSION_push(extra, eku());
    if (says & PAPER_POLICY)
        sk_X509_EXTENSION_push(extra, policies());
    p->ca_key = EVP_EC_gen("P-256");
    p->key = key;
    must(p->ca_key && p->key, "key");
    p->ca = issue(IDV_CERT_ROOT, "TPM CA", p->ca_key, NULL, p->ca_key, NULL);
    p->cert = issue(IDV_CERT_SIGNER, "IAK", p->key, p->ca, p->ca_key, extra);
    p->chain = stack_of(p->cert);
    p->anchors = stack_of(p->ca);
    sk_X509_EXTENSION_pop_free(extra, X509_EXTENSION_free);
}

void paper_pki_make(struct paper_pki *p, const char *algorithm, int says)
{
    EVP_PKEY *key = strncmp(algorithm, "RSA ", 4) == 0
                        ? EVP_RSA_gen((unsigned)atoi(algorithm + 4))
                        : EVP_EC_gen(algorithm);
    paper_pki_make_for(p, key, says);
}

void paper_pki_free(struct paper_pki *p)
{
    sk_X509_pop_free(p->chain, X509_free);
    sk_X509_pop_free(p->anchors, X509_free);
    X509_free(p->cert);
    X509_free(p->ca);
    EVP_PKEY_free(p->key);
    EVP_PKEY_free(p->ca_key);
    memset(p, 0, sizeof(*p));
}

/* --- bytes --- */

static void put(struct idv_buf *b, const void *p, size_t n)
{
    must(idv_buf_put(b, idv_bytes(p, n)) == IDV_OK, "put");
}

static void put_be(struct idv_buf *b, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)(v >> (8 * (n - 1 - i)));
        put(b, &c, 1);
    }
}

static void put_sized(struct idv_buf *b, const void *p, size_t n)
{
    put_be(b, n, 2);
    put(b, p, n);
}

/* replaces b by its digest */
static void digest(struct idv_buf *b)
{
    uint8_t md[32];
    SHA256(b->p, b->n, md);
    idv_buf_clear(b);
    put(b, md, sizeof(md));
}

static const EVP_MD *md_of(uint16_t alg)
{
    return alg == 0x000d   ? EVP_sha512()
           : alg == 0x000c ? EVP_sha384()
                           : EVP_sha256();
}

/* alg || H(b) in place of b */
static void name_of(uint16_t alg, struct idv_buf *b)
{
    uint8_t md[64];
    unsigned n = 0;
    must(EVP_Digest(b->p, b->n, md, &n, md_of(alg), NULL) == 1, "digest");
    idv_buf_clear(b);
    put_be(b, alg, 2);
    put(b, md, n);
}

static void put_index(const struct paper_index *x, struct idv_buf *out)
{
    put_be(out, x->index, 4);
    put_be(out, x->name_alg, 2);
    put_be(out, x->attributes, 4);
    put_sized(out, x->policy, x->policy_n);
    put_be(out, x->size, 2);
}

/* --- the policy of an anchor of the profile owner --- */

#define POLICY_NV 0x149
#define POLICY_PCR 0x17f
#define POLICY_OR 0x171

static void pcr_leg(const struct paper *p, struct idv_buf *session)
{
    put_be(session, POLICY_PCR, 4);
    put_be(session, 1, 4); /* TPML_PCR_SELECTION */
    put_be(session, 0x000b, 2);
    put_be(session, 3, 1);
    for (unsigned i = 0; i < 3; i++)
        put_be(session, p->gate_pcrs >> (8 * i) & 0xff, 1);
    put(session, p->gate_digest, 32);
    digest(session);
}

static void nv_leg(const struct paper *p, struct idv_buf *session)
{
    IDV_AUTO(buf) args = {0};
    IDV_AUTO(buf) name = {0};
    put_be(&args, p->record.generation, 8);
    put_be(&args, 0, 2); /* offset */
    put_be(&args, 0, 2); /* TPM_EO_EQ */
    digest(&args);
    put_index(&p->counter_index, &name);
    name_of(p->counter_index.name_alg, &name);
    put_be(session, POLICY_NV, 4);
    put(session, args.p, args.n);
    put(session, name.p, name.n);
    digest(session);
}

static void put_policy(struct paper *p)
{
    static const uint8_t zero[32];
    IDV_AUTO(buf) leg = {0};
    IDV_AUTO(buf) all = {0};
    uint8_t record[32];
    SHA256(p->anchor.contents, IDV_RECORD_SIZE, record);
    put(&leg, zero, 32);
    if (p->gated)
        pcr_leg(p, &leg);
    nv_leg(p, &leg);
    put(&all, zero, 32);
    put_be(&all, POLICY_OR, 4);
    put(&all, leg.p, leg.n);
    put(&all, record, 32);
    digest(&all);
    memcpy(p->anchor_index.policy, all.p, 32);
    p->anchor_index.policy_n = 32;
}

void paper_seal(struct paper *p)
{
    IDV_AUTO(buf) counter = {0};
    idv_record_to_bytes(&p->record, p->anchor.contents);
    p->anchor.contents_n = IDV_RECORD_SIZE;
    put_be(&counter, p->count, 8);
    memcpy(p->counter.contents, counter.p, 8);
    p->counter.contents_n = 8;
    if (strcmp(p->profile, "owner") == 0)
        put_policy(p);
}

/* --- as it should be --- */

static void attest_begin(const struct paper *p, struct paper_attest *a)
{
    a->magic = 0xff544347;
    a->type = 0x8014;
    memcpy(a->nonce, p->nonce, sizeof(p->nonce));
    a->nonce_n = sizeof(p->nonce);
    a->clock = 123456;
    a->resets = 7;
    a->restarts = 2;
    a->safe = 1;
    a->firmware = 0x2023010100000001;
    a->hierarchy = 0x4000000b;
}

void paper_begin(struct paper *p, const struct paper_pki *pki,
                 uint32_t gate_pcrs)
{
    bool rsa = EVP_PKEY_is_a(pki->key, "RSA");
    memset(p, 0, sizeof(*p));
    p->pki = pki;
    snprintf(p->profile, sizeof(p->profile), "owner");
    memset(p->nonce, 0x5e, sizeof(p->nonce));
    p->record = (struct idv_record){.version = 1,
                                    .generation = 4,
                                    .time = PAPER_NOW - 60,
                                    .pin_length = 500};
    memset(p->record.pin_sha256, 0xa1, 32);
    memset(p->record.voucher_sha256, 0xb2, 32);
    p->count = 5;
    p->anchor_index =
        (struct paper_index){0x01800a01, 0x22063808, 0x000b, 112, {0}, 0};
    p->counter_index =
        (struct paper_index){0x01800a00, 0x22060012, 0x000b, 8, {0}, 0};
    attest_begin(p, &p->anchor);
    attest_begin(p, &p->counter);
    p->counter.clock += 20;
    p->gated = gate_pcrs != 0;
    p->gate_pcrs = gate_pcrs;
    memset(p->gate_digest, 0xc3, 32);
    p->key_attributes = 0x00050472; /* restricted, sign, noDA, ... */
    p->key_scheme = rsa ? 0x0014 : 0x0018;
    p->key_hash = 0x000b;
    p->key_name_alg = 0x000b;
    paper_seal(p);
}

static void guard(struct paper_index *x, const uint8_t policy[static 32])
{
    memcpy(x->policy, policy, 32);
    x->policy_n = 32;
}

void paper_begin_platform(struct paper *p, const struct paper_pki *pki,
                          const EVP_PKEY *key, const char *serial)
{
    struct idv_approval_ref ref;
    struct idv_approval_guard g;
    must(idv_approval_ref(serial, &ref) == IDV_OK &&
             idv_approval_guard(key, &ref, &g) == IDV_OK,
         "guard");
    paper_begin(p, pki, 0);
    snprintf(p->profile, sizeof(p->profile), "platform");
    p->anchor_index.index = 0x01400a01;
    p->anchor_index.attributes = 0x62071408;
    p->counter_index.index = 0x01400a00;
    p->counter_index.attributes = 0x62070419;
    guard(&p->anchor_index, g.policy);
    guard(&p->counter_index, g.policy);
}

/* --- what a TPM would make of it --- */

static void put_number(const EVP_PKEY *key, const char *name, size_t n,
                       struct idv_buf *out)
{
    BIGNUM *bn = NULL;
    uint8_t raw[512];
    must(EVP_PKEY_get_bn_param(key, name, &bn) == 1 &&
             BN_bn2binpad(bn, raw, (int)n) > 0,
         "number");
    put_sized(out, raw, n);
    BN_free(bn);
}

static void put_rsa(const EVP_PKEY *key, struct idv_buf *out)
{
    put_be(out, (uint64_t)EVP_PKEY_get_bits(key), 2);
    put_be(out, 0, 4);
    put_number(key, OSSL_PKEY_PARAM_RSA_N, (size_t)EVP_PKEY_get_size(key), out);
}

static void put_ec(const EVP_PKEY *key, struct idv_buf *out)
{
    int bits = EVP_PKEY_get_bits(key);
    size_t n = ((size_t)bits + 7) / 8;
    put_be(out, bits == 521 ? 5 : bits == 384 ? 4 : 3, 2);
    put_be(out, 0x0010, 2);
    put_number(key, OSSL_PKEY_PARAM_EC_PUB_X, n, out);
    put_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, n, out);
}

static void put_signer(const struct paper *p, struct idv_buf *out)
{
    bool rsa = EVP_PKEY_is_a(p->pki->key, "RSA");
    put_be(out, rsa ? 0x0001 : 0x0023, 2);
    put_be(out, p->key_name_alg, 2);
    put_be(out, p->key_attributes, 4);
    put_sized(out, NULL, 0);
    put_be(out, 0x0010, 2);
    put_be(out, p->key_scheme, 2);
    if (p->key_scheme != 0x0010)
        put_be(out, p->key_hash, 2);
    if (rsa)
        put_rsa(p->pki->key, out);
    else
        put_ec(p->pki->key, out);
}

static void put_qualified(const struct paper *p, uint32_t hierarchy,
                          struct idv_buf *out)
{
    IDV_AUTO(buf) name = {0};
    IDV_AUTO(buf) all = {0};
    put_signer(p, &name);
    name_of(p->key_name_alg, &name);
    put_be(&all, hierarchy, 4);
    put(&all, name.p, name.n);
    name_of(p->key_name_alg, &all);
    put_sized(out, all.p, all.n);
}

static void put_attest(const struct paper *p, const struct paper_attest *a,
                       const struct paper_index *index, struct idv_buf *out)
{
    IDV_AUTO(buf) name = {0};
    put_index(index, &name);
    name_of(a->name_alg ? a->name_alg : index->name_alg, &name);
    name.p[name.n - 1] ^= a->other_name;
    put_be(out, a->magic, 4);
    put_be(out, a->type, 2);
    put_qualified(p, a->hierarchy, out);
    put_sized(out, a->nonce, a->nonce_n);
    put_be(out, a->clock, 8);
    put_be(out, a->resets, 4);
    put_be(out, a->restarts, 4);
    put_be(out, a->safe, 1);
    put_be(out, a->firmware, 8);
    put_sized(out, name.p, name.n);
    put_be(out, a->offset, 2);
    put_sized(out, a->contents, a->contents_n);
    if (a->longer)
        put_be(out, 0, 1);
}

static void sign(const struct paper *p, struct idv_bytes data,
                 struct idv_buf *out)
{
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    uint8_t sig[512];
    size_t n = sizeof(sig);
    must(EVP_DigestSignInit(ctx, &pctx, md_of(p->key_hash), NULL,
                            p->pki->key) == 1,
         "sign");
    if (p->key_scheme == 0x0016)
        must(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1,
             "PSS");
    must(EVP_DigestSign(ctx, sig, &n, data.p, data.n) == 1, "sign");
    put(out, sig, n);
}

static void make_item(const struct paper *p, const struct paper_attest *a,
                      const struct paper_index *index,
                      struct idv_evidence_item *out)
{
    put_index(index, &out->index);
    put_attest(p, a, index, &out->attest);
    struct idv_bytes what = idv_view(&out->attest);
    if (a->spoilt)
        what.n--;
    sign(p, what, &out->signature);
}

void paper_evidence(const struct paper *p, struct idv_evidence *out)
{
    memset(out, 0, sizeof(*out));
    snprintf(out->profile, sizeof(out->profile), "%s", p->profile);
    put(&out->nonce, p->nonce, sizeof(p->nonce));
    make_item(p, &p->anchor, &p->anchor_index, &out->anchor);
    make_item(p, &p->counter, &p->counter_index, &out->counter);
    out->gated = p->gated;
    out->gate_pcrs = p->gate_pcrs;
    memcpy(out->gate_digest, p->gate_digest, 32);
    put_signer(p, &out->signer);
    out->chain = idv_certs_dup(p->pki->chain);
    must(out->chain != NULL, "chain");
}
