/* SPDX-License-Identifier: Apache-2.0 */
/* JWS containers in tests: sealed, opened, verified; and keys of all kinds. */
#ifndef TESTS_JWS_H
#define TESTS_JWS_H

#include "tests/unit/codec.h"

#include <openssl/rsa.h>

#include <idevid/codec.h>
#include <idevid/envelope.h>

#include "tests/lib/pki.h"

#define MEDIA IDV_MEDIA_VOUCHER_JWS

static struct pki pki;
static const struct idv_bytes payload = {(const uint8_t *)"{\"a\":1}", 7};

static inline int jws_setup(void **state)
{
    (void)state;
    pki_make(&pki);
    return 0;
}

static inline int jws_teardown(void **state)
{
    (void)state;
    pki_free(&pki);
    return 0;
}

static inline void seal(const struct pki_id *id, const STACK_OF(X509) * chain,
                        struct idv_buf *out)
{
    const struct idv_signer signer = {.key = id->key, .cert = id->cert, chain};
    OK(idv_envelope_seal(MEDIA, payload, &signer, out));
}

static inline idv_rc open_buf(const struct idv_buf *b, struct idv_opened *o)
{
    return idv_envelope_open(MEDIA, idv_view(b), o);
}

static inline idv_rc verify(const struct idv_opened *o,
                            STACK_OF(X509) * anchors)
{
    struct idv_chain_policy policy = {
        .anchors = anchors,
        .check_time = true,
        .now = PKI_NOW,
    };
    return idv_envelope_verify(o, &policy);
}

static inline EVP_PKEY *rsa_key(const char *type, unsigned bits)
{
    EVP_PKEY *key = NULL;
    IDV_AUTO_PTR(EVP_PKEY_CTX)
    ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits), 1);
    assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
    return key;
}

/* a certificate of the maker's root for key, which is taken */
static inline struct pki_id certified(EVP_PKEY *key)
{
    struct pki_id id = {.key = key};
    const struct idv_cert_spec spec = {.kind = IDV_CERT_SIGNER,
                                       .common_name = "k",
                                       .not_before = PKI_NOW - 1,
                                       .not_after = PKI_NOW + 1};
    assert_non_null(key);
    OK(idv_cert_issue(&spec, key, pki.maker_root.cert, pki.maker_root.key,
                      &pki.env.env, &id.cert));
    return id;
}

#endif
