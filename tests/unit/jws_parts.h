/* SPDX-License-Identifier: Apache-2.0 */
/* A JWS taken apart and put together in other ways, signed or not. */
#ifndef TESTS_JWS_PARTS_H
#define TESTS_JWS_PARTS_H

#include "tests/unit/codec.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>

#include <idevid/codec.h>
#include <idevid/x509.h>

#include "tests/lib/pki.h"

/* base64url, as it stands there */
struct jws_parts {
    struct idv_buf head, payload, signature;
};

static inline void jws_parts_free(struct jws_parts *p)
{
    idv_buf_free(&p->head);
    idv_buf_free(&p->payload);
    idv_buf_free(&p->signature);
}
#define JWS_PARTS_AUTO __attribute__((cleanup(jws_parts_free)))

static inline void jws_part(const struct idv_json *of, const char *name,
                            struct idv_buf *out)
{
    const char *text = idv_json_text(idv_json_get(of, name));
    assert_non_null(text);
    idv_buf_clear(out);
    OK(idv_buf_puts(out, text));
}

static inline void jws_take(struct idv_bytes sealed, struct jws_parts *out)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    OK(idv_json_parse(sealed, 0, &root));
    const struct idv_json *one =
        idv_json_at(idv_json_get(root, "signatures"), 0, NULL);
    jws_part(root, "payload", &out->payload);
    jws_part(one, "protected", &out->head);
    jws_part(one, "signature", &out->signature);
}

static inline void jws_encode(struct idv_bytes raw, struct idv_buf *out)
{
    idv_buf_clear(out);
    OK(idv_base64url_from_bytes(raw, out));
}

/* r and s in 32 octets each, of a key of P-256 */
static inline void jws_put_r_s(const ECDSA_SIG *sig, struct idv_buf *out)
{
    uint8_t raw[64];
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32), 32);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32), 32);
    jws_encode(idv_bytes(raw, sizeof(raw)), out);
}

/* ES256 over what head and payload are now, whatever they say */
static inline void jws_sign(struct jws_parts *p, EVP_PKEY *key)
{
    IDV_AUTO(buf) input = {0};
    uint8_t der[128];
    const uint8_t *at = der;
    size_t n = sizeof(der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    OK(idv_buf_putf(&input, "%s.%s", (char *)p->head.p, (char *)p->payload.p));
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, der, &n, input.p, input.n), 1);
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)n);
    assert_non_null(sig);
    jws_put_r_s(sig, &p->signature);
    ECDSA_SIG_free(sig);
    EVP_MD_CTX_free(ctx);
}

/* the other s of two that are right for one r */
static inline void jws_other_s(const struct idv_buf *signature,
                               struct idv_buf *out)
{
    IDV_AUTO(buf) raw = {0};
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    ECDSA_SIG *sig = ECDSA_SIG_new();
    OK(idv_base64url_to_bytes(idv_view(signature), &raw));
    assert_int_equal(raw.n, 64);
    BIGNUM *r = BN_bin2bn(raw.p, 32, NULL),
           *s = BN_bin2bn(raw.p + 32, 32, NULL);
    assert_int_equal(BN_sub(s, EC_GROUP_get0_order(group), s), 1);
    assert_int_equal(ECDSA_SIG_set0(sig, r, s), 1);
    jws_put_r_s(sig, out);
    ECDSA_SIG_free(sig);
    EC_GROUP_free(group);
}

/* "x5c" of these, and what else a header says: HEAD is put before it */
static inline void jws_head(const char *head, const STACK_OF(X509) * x5c,
                            struct idv_buf *out)
{
    IDV_AUTO(buf) text = {0};
    OK(idv_buf_putf(&text, "{%s", head));
    for (int i = 0; i < sk_X509_num(x5c); i++) {
        IDV_AUTO(buf) der = {0};
        OK(idv_cert_to_der(sk_X509_value(x5c, i), &der));
        OK(idv_buf_puts(&text, i ? ",\"" : ",\"x5c\":[\""));
        OK(idv_base64_from_bytes(idv_view(&der), 0, &text));
        OK(idv_buf_puts(&text, "\""));
    }
    OK(idv_buf_puts(&text, sk_X509_num(x5c) > 0 ? "]}" : "}"));
    jws_encode(idv_view(&text), out);
}

/*
 * A text with marks: @H head, @P payload, @S signature; @h, @p, @s those of
 * another; @E payload, its first character written as \u00XX; @Z signature with
 * its other s.
 */
static inline void jws_fill(const char *pattern, const struct jws_parts *it,
                            const struct jws_parts *other, struct idv_buf *out)
{
    IDV_AUTO(buf) escaped = {0};
    IDV_AUTO(buf) s = {0};
    OK(idv_buf_putf(&escaped, "\\u%04x%s", it->payload.p[0],
                    (char *)it->payload.p + 1));
    jws_other_s(&it->signature, &s);
    const struct idv_buf *const texts[] = {
        &it->head,       &it->payload,      &it->signature, &other->head,
        &other->payload, &other->signature, &escaped,       &s};
    static const char marks[] = "HPShpsEZ";
    idv_buf_clear(out);
    for (const char *at = pattern; *at; at++) {
        if (*at != '@') {
            OK(idv_buf_put(out, idv_bytes(at, 1)));
            continue;
        }
        const char *mark = strchr(marks, *++at);
        assert_true(mark && *mark);
        OK(idv_buf_put(out, idv_view(texts[mark - marks])));
    }
}

#endif
