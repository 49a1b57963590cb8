/* SPDX-License-Identifier: Apache-2.0 */
/* Public areas of software keys, as a TPM would have them: for tests of what is
 * done without one. Attributes and schemes are written out here once more. */
#ifndef TESTS_UNIT_TPM_FORMS_H
#define TESTS_UNIT_TPM_FORMS_H

#include "tests/unit/codec.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include <idevid/codec.h>

#include "tpm/devid.h"
#include "tpm/signature.h"

struct form {
    EVP_PKEY *key;
    struct idvi_tpm_public p;
    struct idv_buf raw; /* p.raw */
    uint8_t policy[64], a[512], b[66];
};

static inline void form_free(struct form *f)
{
    EVP_PKEY_free(f->key);
    idv_buf_free(&f->raw);
}

static inline size_t form_number(const EVP_PKEY *key, const char *name,
                                 size_t size, uint8_t *out)
{
    BIGNUM *v = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &v), 1);
    assert_int_equal(BN_bn2binpad(v, out, (int)size), (int)size);
    BN_free(v);
    return size;
}

/* writes it anew, after p was changed */
static inline void form_write(struct form *f)
{
    idv_buf_clear(&f->raw);
    OK(idvi_tpm_public_to_bytes(&f->p, &f->raw));
    f->p.raw = idv_view(&f->raw);
}

static inline void form_unique(struct form *f, unsigned bits)
{
    if (f->p.type == IDVI_TPM_RSA) {
        f->p.bits = (uint16_t)bits;
        f->p.modulus = idv_bytes(
            f->a, form_number(f->key, OSSL_PKEY_PARAM_RSA_N, bits / 8, f->a));
        return;
    }
    size_t n = (bits + 7) / 8;
    f->p.curve = bits == 256   ? IDVI_TPM_P256
                 : bits == 384 ? IDVI_TPM_P384
                               : IDVI_TPM_P521;
    f->p.x =
        idv_bytes(f->a, form_number(f->key, OSSL_PKEY_PARAM_EC_PUB_X, n, f->a));
    f->p.y =
        idv_bytes(f->b, form_number(f->key, OSSL_PKEY_PARAM_EC_PUB_Y, n, f->b));
}

/* RSA keys take long to make, under valgrind above all: there is one of each
 * size, but for who asks for another. */
static inline EVP_PKEY *form_rsa(unsigned bits)
{
    static EVP_PKEY *made[8];
    EVP_PKEY **key = &made[bits / 1024];
    if (!*key)
        *key = EVP_RSA_gen(bits);
    assert_non_null(*key);
    assert_int_equal(EVP_PKEY_up_ref(*key), 1);
    return *key;
}

/* type: "P-256", "P-384", "P-521", "RSA-2048", ...; low: an EK of the low
 * range */
static inline void form_make(struct form *f, enum idvi_devid what,
                             const char *type, bool low)
{
    bool rsa = strncmp(type, "RSA-", 4) == 0, ek = what == IDVI_DEVID_EK;
    unsigned bits = (unsigned)atoi(type + (rsa ? 4 : 2));
    uint16_t hash = bits == 384 || bits == 3072 || bits == 4096
                        ? IDVI_TPM_SHA384
                    : bits == 521 ? IDVI_TPM_SHA512
                                  : IDVI_TPM_SHA256;
    struct idv_buf policy = {0};
    memset(f, 0, sizeof(*f));
    f->key = rsa ? form_rsa(bits) : EVP_EC_gen(type);
    assert_non_null(f->key);
    OK(idvi_devid_policy(what, hash, low, &policy));
    memcpy(f->policy, policy.p, policy.n);
    f->p = (struct idvi_tpm_public){
        .type = rsa ? 0x0001 : 0x0023,
        .name_alg = hash,
        .attributes = ek ? (low ? 0x000300b2 : 0x000300f2)
                         : (what == IDVI_DEVID_IAK ? 0x000500f2 : 0x000400f2),
        .policy = idv_bytes(f->policy, policy.n),
        .symmetric = ek ? 0x0006 : 0x0010,
        .sym_bits = ek ? (hash == IDVI_TPM_SHA256 ? 128 : 256) : 0,
        .sym_mode = ek ? 0x0043 : 0,
        .scheme = 0x0010,
    };
    if (!ek && (!rsa || what == IDVI_DEVID_IAK)) {
        f->p.scheme = rsa ? 0x0014 : 0x0018;
        f->p.hash = hash;
    }
    idv_buf_free(&policy);
    form_unique(f, bits);
    form_write(f);
}

/* another RSA key in its place */
static inline void form_other_rsa(struct form *f)
{
    EVP_PKEY_free(f->key);
    f->key = EVP_RSA_gen(f->p.bits);
    assert_non_null(f->key);
    form_unique(f, f->p.bits);
    form_write(f);
}

/* what libcrypto has for a signature by it; pss: RSA only */
static inline void form_sign(const struct form *f, uint16_t hash, bool pss,
                             struct idv_bytes message, struct idv_buf *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    uint8_t *p = NULL;
    size_t n = 1024;
    assert_int_equal(
        EVP_DigestSignInit(ctx, &pctx, idvi_tpm_md(hash), NULL, f->key), 1);
    if (pss)
        assert_int_equal(
            EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING), 1);
    OK(idv_buf_room(out, n, &p));
    assert_int_equal(EVP_DigestSign(ctx, p, &n, message.p, message.n), 1);
    out->n += n;
    EVP_MD_CTX_free(ctx);
}

static inline void form_unhex(const char *hex, struct idv_buf *out)
{
    OK(idv_hex_to_bytes(idv_str(hex), out));
}

#endif
