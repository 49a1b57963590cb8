/* SPDX-License-Identifier: Apache-2.0 */
/* TCG-CSR-IDEVID, read in any dialect, and verified. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/rsa.h>

#include <idevid/auto.h>

#include "factory/tcgcsr_layout.h"
#include "tpm/attest.h"
#include "tpm/wire.h"

#define WHAT "TCG-CSR-IDEVID: "
#define RSA_MIN 2048

IDV_AUTO_PTR_DEFINE(TCGCSR_SIG, TCGCSR_SIG_free)

/* --- the outer structure --- */

static idv_rc read_outer(struct idv_bytes raw, struct idvi_tcgcsr *c)
{
    struct idvi_wire r = {.left = raw};
    uint32_t version = idvi_wire_u32(&r), said = idvi_wire_u32(&r);
    uint32_t sig_n = idvi_wire_u32(&r);
    if (r.bad)
        return idv_fail(IDV_E_FORMAT, WHAT "cut off");
    c->form.old_version = version == TCGCSR_OLD_VERSION;
    if (version != TCGCSR_VERSION && !c->form.old_version)
        return idv_fail(IDV_E_FORMAT, WHAT "structVer is 0x%08x", version);
    if (sig_n == 0 || sig_n > TCGCSR_SIGNATURE_MAX || sig_n > r.left.n)
        return idv_fail(IDV_E_FORMAT, WHAT "sigSz is %u", sig_n);
    c->contents = idvi_wire_take(&r, r.left.n - sig_n);
    c->signature = idvi_wire_take(&r, sig_n);
    c->form.odd_size = said != c->contents.n;
    /* who writes the old version is known to get it wrong */
    if (c->form.odd_size && !c->form.old_version)
        return idv_fail(IDV_E_FORMAT,
                        WHAT "contents are said to be %u bytes, %zu are there",
                        said, c->contents.n);
    return IDV_OK;
}

/* Whether what is signed for begins as AlgorithmIdentifier does: a SEQUENCE
 * that is all of it, and one inside. */
static bool is_bare(struct idv_bytes sig)
{
    const uint8_t *p = sig.p;
    long n = 0;
    int tag = 0, class = 0;
    int how = ASN1_get_object(&p, &n, &tag, &class, (long)sig.n);
    ERR_clear_error();
    bool sequence = how == V_ASN1_CONSTRUCTED && tag == V_ASN1_SEQUENCE &&
                    p + n == sig.p + sig.n && n > 0;
    return !sequence || *p != (V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED);
}

/* --- contents --- */

/* The sizes, as they are when they begin at that place. */
struct sizes {
    size_t at;
    bool there; /* enough bytes for them */
    uint32_t n[TCGCSR_PARTS], pad;
    size_t within; /* so many parts are not too large */
    uint64_t sum;  /* of all: parts and pad */
};

static struct sizes read_sizes(struct idv_bytes contents, size_t at)
{
    struct sizes s = {.at = at};
    struct idvi_wire r = {.left = contents};
    idvi_wire_take(&r, at);
    for (size_t i = 0; i < TCGCSR_PARTS; i++) {
        s.n[i] = idvi_wire_u32(&r);
        s.within += s.n[i] <= idvi_tcgcsr_layout[i].max;
        s.sum += s.n[i];
    }
    s.pad = idvi_wire_u32(&r);
    s.within += s.pad < TCGCSR_PAD;
    s.sum += s.pad;
    s.there = !r.bad;
    return s;
}

static bool add_up(const struct sizes *s, struct idv_bytes contents)
{
    return s->there && contents.n - s->at - TCGCSR_SIZES == s->sum;
}

static idv_rc check_sizes(const struct sizes *s, struct idv_bytes contents)
{
    if (!s->there)
        return idv_fail(IDV_E_FORMAT, WHAT "cut off in its sizes");
    for (size_t i = 0; i < TCGCSR_PARTS; i++)
        if (s->n[i] > idvi_tcgcsr_layout[i].max)
            return idv_fail(IDV_E_FORMAT, WHAT "%s is %u, more than %u",
                            idvi_tcgcsr_layout[i].name, s->n[i],
                            idvi_tcgcsr_layout[i].max);
    if (s->pad >= TCGCSR_PAD)
        return idv_fail(IDV_E_FORMAT, WHAT "padSz is %u", s->pad);
    if (!add_up(s, contents))
        return idv_fail(IDV_E_FORMAT,
                        WHAT "its parts are said to be %llu bytes, %zu are "
                             "there",
                        (unsigned long long)s->sum,
                        contents.n - s->at - TCGCSR_SIZES);
    return IDV_OK;
}

static idv_rc hash_is(const struct idvi_tcgcsr *c, size_t n, bool *is)
{
    uint8_t got[64];
    struct idv_bytes all = c->contents;
    const uint8_t *after = all.p + TCGCSR_HEAD + n;
    IDV_TRY(idvi_tcgcsr_hash(c->hash, idv_bytes(after, all.n - TCGCSR_HEAD - n),
                             got));
    *is = memcmp(got, all.p + TCGCSR_HEAD, n) == 0;
    return IDV_OK;
}

/*
 * Where the sizes begin: behind the hash, or at once where it is left out
 * though its size is said. They have to add up, and a hash that is there has to
 * be right. When nothing fits, what looks more like sizes is complained of.
 */
static idv_rc find_sizes(struct idvi_tcgcsr *c, size_t hash_n,
                         struct sizes *out)
{
    struct sizes with = read_sizes(c->contents, TCGCSR_HEAD + hash_n);
    struct sizes without = read_sizes(c->contents, TCGCSR_HEAD);
    bool right = false, with_fits = hash_n && add_up(&with, c->contents);
    if (with_fits)
        IDV_TRY(hash_is(c, hash_n, &right));
    c->form.no_hash = !right && (add_up(&without, c->contents) || hash_n == 0 ||
                                 (!with_fits && without.within > with.within));
    *out = c->form.no_hash ? without : with;
    IDV_TRY(check_sizes(out, c->contents));
    if (!c->form.no_hash && !right)
        return idv_fail(IDV_E_FORMAT, WHAT "its hash is another");
    return IDV_OK;
}

static idv_rc read_head(struct idvi_tcgcsr *c, size_t *hash_n)
{
    struct idvi_wire r = {.left = c->contents};
    uint32_t version = idvi_wire_u32(&r), alg = idvi_wire_u32(&r);
    uint32_t n = idvi_wire_u32(&r);
    if (r.bad)
        return idv_fail(IDV_E_FORMAT, WHAT "contents are cut off");
    if (version != TCGCSR_CONTENTS_VERSION)
        return idv_fail(IDV_E_FORMAT,
                        WHAT "structVer of its contents is "
                             "0x%08x",
                        version);
    *hash_n = alg <= UINT16_MAX ? idvi_tpm_hash_size((uint16_t)alg) : 0;
    if (*hash_n == 0)
        return idv_fail(IDV_E_FORMAT, WHAT "hashAlgoId is 0x%x", alg);
    if (n != 0 && n != *hash_n)
        return idv_fail(IDV_E_FORMAT,
                        WHAT "hashSz is %u, the hash 0x%x has "
                             "%zu",
                        n, alg, *hash_n);
    c->hash = (uint16_t)alg;
    *hash_n = n;
    return IDV_OK;
}

static struct idv_bytes unsized(size_t i, struct idv_bytes v, bool *sized)
{
    bool info = idvi_tcgcsr_layout[i].sized ==
                    offsetof(struct idvi_tcgcsr_form, sized_at_info) ||
                idvi_tcgcsr_layout[i].sized ==
                    offsetof(struct idvi_tcgcsr_form, sized_sgn_info);
    return info ? idvi_attest_unsized(v, sized)
                : idvi_tpm_public_unsized(v, sized);
}

static void take_parts(struct idvi_tcgcsr *c, const struct sizes *s)
{
    struct idvi_wire r = {.left = c->contents};
    idvi_wire_take(&r, s->at + TCGCSR_SIZES);
    for (size_t i = 0; i < TCGCSR_PARTS; i++) {
        size_t flag = idvi_tcgcsr_layout[i].sized;
        struct idv_bytes v = idvi_wire_take(&r, s->n[i]);
        if (flag)
            v = unsized(i, v, (bool *)((char *)&c->form + flag));
        *idvi_tcgcsr_at(&c->parts, i) = v;
    }
}

idv_rc idvi_tcgcsr_from_bytes(struct idv_bytes raw, struct idvi_tcgcsr *out)
{
    struct idvi_tcgcsr c = {0};
    struct sizes sizes;
    size_t hash_n = 0;
    if (raw.n > IDV_MAX_TCG_CSR)
        return idv_fail(IDV_E_LIMIT, WHAT "%zu bytes, more than %d", raw.n,
                        IDV_MAX_TCG_CSR);
    IDV_TRY(read_outer(raw, &c));
    IDV_TRY(read_head(&c, &hash_n));
    IDV_TRY(find_sizes(&c, hash_n, &sizes));
    take_parts(&c, &sizes);
    c.form.bare_signature = is_bare(c.signature);
    c.form.odd_padding = c.contents.n % TCGCSR_PAD != 0;
    *out = c;
    return IDV_OK;
}

/* --- its signature --- */

static idv_rc check_algorithm(const struct idvi_tcgcsr *c,
                              const struct idvi_tpm_public *k)
{
    bool open = k->scheme == IDVI_TPM_NULL;
    if (k->type == IDVI_TPM_RSA && k->bits < RSA_MIN)
        return idv_fail(IDV_E_REJECT, WHAT "signed by RSA of %u bits", k->bits);
    if (!open && ((k->type == IDVI_TPM_RSA) == (k->scheme == IDVI_TPM_ECDSA) ||
                  k->hash != c->hash))
        return idv_fail(IDV_E_REJECT,
                        WHAT "hashAlgoId is 0x%04x, the key signs by scheme "
                             "0x%04x with hash 0x%04x",
                        c->hash, k->scheme, k->hash);
    return IDV_OK;
}

/* what is inside, when its algorithm is that of key and hash */
static idv_rc unwrap(const struct idvi_tcgcsr *c,
                     const struct idvi_tpm_public *k, struct idv_buf *out)
{
    const uint8_t *p = c->signature.p;
    const ASN1_OBJECT *oid = NULL;
    IDV_AUTO_PTR(TCGCSR_SIG)
    sig = d2i_TCGCSR_SIG(NULL, &p, (long)c->signature.n);
    ERR_clear_error();
    if (!sig || p != c->signature.p + c->signature.n)
        return idv_fail(IDV_E_REJECT, WHAT "its signature is no DER");
    X509_ALGOR_get0(&oid, NULL, NULL, sig->algorithm);
    if (OBJ_obj2nid(oid) != idvi_tcgcsr_sigid(k->type, c->hash) ||
        k->scheme == IDVI_TPM_RSAPSS)
        return idv_fail(IDV_E_REJECT,
                        WHAT "its signature is by another algorithm than the "
                             "key's with hashAlgoId");
    return idv_buf_put(out, idv_bytes(ASN1_STRING_get0_data(sig->value),
                                      (size_t)ASN1_STRING_length(sig->value)));
}

static int begin(EVP_MD_CTX *ctx, const struct idvi_tcgcsr *c, bool pss,
                 EVP_PKEY *key)
{
    EVP_PKEY_CTX *pctx = NULL;
    if (EVP_DigestVerifyInit(ctx, &pctx, idvi_tpm_md(c->hash), NULL, key) != 1)
        return 0;
    return !pss ||
           (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_AUTO) == 1);
}

static idv_rc check_signature(const struct idvi_tcgcsr *c,
                              const struct idvi_tpm_public *k, EVP_PKEY *key)
{
    IDV_AUTO(buf) sig = {0};
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    IDV_TRY(c->form.bare_signature ? idv_buf_put(&sig, c->signature)
                                   : unwrap(c, k, &sig));
    if (!ctx)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    int ok =
        begin(ctx, c, k->scheme == IDVI_TPM_RSAPSS, key) == 1 &&
        EVP_DigestVerify(ctx, sig.p, sig.n, c->contents.p, c->contents.n) == 1;
    ERR_clear_error();
    return ok ? IDV_OK
              : idv_fail(IDV_E_REJECT,
                         WHAT "its signature is not that of signingPub");
}

idv_rc idvi_tcgcsr_verify(const struct idvi_tcgcsr *csr,
                          struct idvi_tpm_public *signer, EVP_PKEY **key)
{
    struct idvi_tpm_public k;
    IDV_AUTO_PTR(EVP_PKEY) pkey = NULL;
    idv_rc rc = idvi_tpm_public_from_bytes(csr->parts.signing_pub, &k);
    rc = rc ? rc : idvi_tpm_public_to_key(&k, &pkey);
    if (rc != IDV_OK)
        return idv_fail_within(rc, WHAT "signingPub");
    IDV_TRY(check_algorithm(csr, &k));
    IDV_TRY(check_signature(csr, &k, pkey));
    if (signer)
        *signer = k;
    if (key)
        *key = idv_steal(&pkey);
    return IDV_OK;
}
