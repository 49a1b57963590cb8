/* SPDX-License-Identifier: Apache-2.0 */
/* A record in a token, or its end, as bytes with a signature. */
#include <string.h>

#include <openssl/evp.h>

#include <idevid/auto.h>

#include "trust/token_object.h"

#define VERSION 1
static const uint8_t magic[4] = {'I', 'D', 'T', 'O'};
/* nothing else that this key signs begins so: neither TLS nor CMS */
static const char context[24] = "idevid anchor in a token";

static void put_be(uint8_t *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static uint64_t get_be(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

struct signed_bytes {
    uint8_t context[sizeof(context)], head[IDVI_TOKEN_HEAD];
};

static void fill(const struct idvi_token_object *o, struct signed_bytes *out)
{
    uint8_t *p = out->head;
    memset(out, 0, sizeof(*out));
    memcpy(out->context, context, sizeof(context));
    memcpy(p, magic, sizeof(magic));
    put_be(p + 4, VERSION, 2);
    put_be(p + 6, (uint64_t)o->kind, 2);
    put_be(p + 8, o->number, 8);
    put_be(p + 16, o->flags, 4);
    put_be(p + 24, o->counter, 8);
    memcpy(p + 32, o->record, sizeof(o->record));
}

/* NULL: EdDSA, which hashes by itself */
static const char *digest_for(const EVP_PKEY *key)
{
    const int bits = EVP_PKEY_get_bits(key);
    if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
        return NULL;
    if (EVP_PKEY_is_a(key, "RSA") || bits <= 256)
        return "SHA256";
    return bits <= 384 ? "SHA384" : "SHA512";
}

idv_rc idvi_token_object_make(const struct idvi_token_object *o, EVP_PKEY *key,
                              struct idv_buf *out)
{
    IDV_AUTO_PTR(EVP_MD_CTX) md = EVP_MD_CTX_new();
    struct signed_bytes b;
    uint8_t sig[IDVI_TOKEN_SIGNATURE_MAX];
    size_t n = sizeof(sig);
    fill(o, &b);
    if (!md ||
        EVP_DigestSignInit_ex(md, NULL, digest_for(key), NULL, NULL, key,
                              NULL) != 1 ||
        EVP_DigestSign(md, sig, &n, (const uint8_t *)&b, sizeof(b)) != 1)
        return idv_fail(IDV_E_DEVICE, "anchor: the IDevID key does not sign");
    IDV_TRY(idv_buf_put(out, idv_bytes(b.head, sizeof(b.head))));
    return idv_buf_put(out, idv_bytes(sig, n));
}

static idv_rc parse(struct idv_bytes raw, struct idvi_token_object *out)
{
    const uint8_t *p = raw.p;
    if (raw.n == IDV_RECORD_SIZE && memcmp(p, "IDTA", 4) == 0)
        return idv_fail(IDV_E_REJECT, "it is a bare record, as an earlier "
                                      "version wrote it: nobody signed it");
    if (raw.n <= IDVI_TOKEN_HEAD ||
        raw.n > IDVI_TOKEN_HEAD + IDVI_TOKEN_SIGNATURE_MAX)
        return idv_fail(IDV_E_REJECT, "it is %zu bytes long", raw.n);
    if (memcmp(p, magic, sizeof(magic)) != 0)
        return idv_fail(IDV_E_REJECT, "it does not begin with IDTO");
    if (get_be(p + 4, 2) != VERSION)
        return idv_fail(IDV_E_REJECT, "its version %u is unknown",
                        (unsigned)get_be(p + 4, 2));
    out->kind = (enum idvi_token_kind)get_be(p + 6, 2);
    out->number = get_be(p + 8, 8);
    out->flags = (uint32_t)get_be(p + 16, 4);
    out->counter = get_be(p + 24, 8);
    memcpy(out->record, p + 32, sizeof(out->record));
    if (out->flags & ~IDVI_TOKEN_COUNTER || get_be(p + 20, 4) != 0)
        return idv_fail(IDV_E_REJECT, "it has unknown flags");
    return IDV_OK;
}

static idv_rc verify(struct idv_bytes raw, EVP_PKEY *key)
{
    IDV_AUTO_PTR(EVP_MD_CTX) md = EVP_MD_CTX_new();
    struct signed_bytes b;
    memcpy(b.context, context, sizeof(context));
    memcpy(b.head, raw.p, sizeof(b.head));
    if (!md || EVP_DigestVerifyInit_ex(md, NULL, digest_for(key), NULL, NULL,
                                       key, NULL) != 1)
        return idv_fail(IDV_E_CRYPTO, "anchor: its signature");
    if (EVP_DigestVerify(md, raw.p + IDVI_TOKEN_HEAD, raw.n - IDVI_TOKEN_HEAD,
                         (const uint8_t *)&b, sizeof(b)) != 1)
        return idv_fail(IDV_E_REJECT,
                        "this device's IDevID key has not signed it");
    return IDV_OK;
}

idv_rc idvi_token_object_check(struct idv_bytes raw, enum idvi_token_kind kind,
                               uint64_t number, EVP_PKEY *key,
                               struct idvi_token_object *out)
{
    struct idvi_token_object o;
    IDV_TRY(parse(raw, &o));
    IDV_TRY(verify(raw, key));
    if (o.kind != kind || o.number != number)
        return idv_fail(IDV_E_REJECT, "it is a copy of another one of this "
                                      "device");
    *out = o;
    return IDV_OK;
}
