/* SPDX-License-Identifier: Apache-2.0 */
/* Signed tree heads, and the name of the log that signs them. */
#include <string.h>

#include <openssl/err.h>

#include <idevid/auto.h>
#include <idevid/key.h>

#include "tree/item.h"
#include "tree/wire.h"
#include "x509/sign_failed.h"

#define HEAD 0x0104
#define SIGNATURE 256 /* room for one: of ECDSA P-256 72 bytes at most */

/* --- the name ------------------------------------------------------------- */

static idv_rc check_kind(EVP_PKEY *key)
{
    char group[32] = "";
    if (EVP_PKEY_is_a(key, "ED25519"))
        return IDV_OK;
    if (EVP_PKEY_is_a(key, "EC") &&
        EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
        (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0))
        return IDV_OK;
    return idv_fail(IDV_E_ARG, "log key: neither of P-256 nor of Ed25519");
}

static idv_rc hash_key(EVP_PKEY *key, uint8_t out[32])
{
    uint8_t *der = NULL;
    int n = i2d_PUBKEY(key, &der);
    bool ok =
        n > 0 && EVP_Digest(der, (size_t)n, out, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    return ok ? IDV_OK : idv_fail(IDV_E_CRYPTO, "log key");
}

/* 128 bits in digits to the base 128, the first with two bits only */
static size_t put_base128(const uint8_t v[16], uint8_t *out)
{
    size_t n = 0;
    for (int shift = 126; shift >= 0; shift -= 7) {
        unsigned digit = 0;
        for (int bit = shift + 6; bit >= shift; bit--) {
            unsigned b = bit < 128 ? v[15 - bit / 8] >> bit % 8 & 1 : 0;
            digit = digit << 1 | b;
        }
        if (n || digit || !shift)
            out[n++] = (uint8_t)(digit | (shift ? 0x80 : 0));
    }
    return n;
}

idv_rc idv_log_id(EVP_PKEY *key, struct idv_log_id *out)
{
    uint8_t v[32];
    IDV_TRY(check_kind(key));
    IDV_TRY(hash_key(key, v));
    v[6] = (uint8_t)((v[6] & 0x0f) | 0x80);
    v[8] = (uint8_t)((v[8] & 0x3f) | 0x80);
    out->p[0] = 2 * 40 + 25;
    out->n = 1 + put_base128(v, out->p + 1);
    return IDV_OK;
}

/* --- what is signed ------------------------------------------------------- */

static idv_rc put_tree_head(const struct idv_tree_head *h, struct idv_buf *out)
{
    IDV_TRY(idvi_put_uint(out, h->timestamp, 8));
    IDV_TRY(idvi_put_uint(out, h->size, 8));
    IDV_TRY(idvi_put_vector(out, 1, idv_bytes(h->root.p, sizeof(h->root.p))));
    return idvi_put_uint(out, 0, 2); /* no extensions */
}

static const EVP_MD *digest_of(EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
}

static idv_rc sign(EVP_PKEY *key, struct idv_bytes what, uint8_t *sig,
                   size_t *n)
{
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    const EVP_MD *md = digest_of(key);
    if (!ctx ||
        EVP_DigestSignInit_ex(ctx, NULL, md ? EVP_MD_get0_name(md) : NULL, NULL,
                              NULL, key, NULL) != 1 ||
        EVP_DigestSign(ctx, sig, n, what.p, what.n) != 1)
        return idvi_sign_failed(key, "tree head");
    return IDV_OK;
}

idv_rc idv_tree_head_sign(struct idv_tree_head *head, EVP_PKEY *key,
                          struct idv_buf *out)
{
    IDV_AUTO(buf) item = {.max = IDV_TREE_HEAD_MAX};
    IDV_AUTO(buf) body = {.max = IDV_TREE_HEAD_MAX};
    uint8_t sig[SIGNATURE];
    size_t n = sizeof(sig);
    IDV_TRY(idv_log_id(key, &head->log));
    IDV_TRY(put_tree_head(head, &body));
    IDV_TRY(sign(key, idv_view(&body), sig, &n));
    IDV_TRY(idvi_put_uint(&item, HEAD, 2));
    IDV_TRY(idvi_put_vector(&item, 1, idv_bytes(head->log.p, head->log.n)));
    IDV_TRY(idv_buf_put(&item, idv_view(&body)));
    IDV_TRY(idvi_put_vector(&item, 2, idv_bytes(sig, n)));
    return idv_buf_put(out, idv_view(&item));
}

/* --- what is read --------------------------------------------------------- */

struct item {
    struct idv_bytes log, body, sig;
};

static idv_rc get_tree_head(struct idv_bytes *in, struct idv_tree_head *h)
{
    struct idv_bytes extensions;
    IDV_TRY(idvi_get_uint(in, 8, &h->timestamp));
    IDV_TRY(idvi_get_uint(in, 8, &h->size));
    IDV_TRY(idvi_get_hash(in, &h->root));
    IDV_TRY(idvi_get_vector(in, 2, 0, &extensions));
    if (h->size > IDV_TREE_SIZE_MAX)
        return idv_fail(IDV_E_LIMIT, "log item: the tree is too large");
    return IDV_OK;
}

static idv_rc read_item(struct idv_bytes in, struct item *out,
                        struct idv_tree_head *h)
{
    IDV_TRY(idvi_get_type(&in, HEAD, "a signed tree head"));
    IDV_TRY(idvi_get_vector(&in, 1, 2, &out->log));
    if (out->log.n > sizeof(h->log.p))
        return idv_fail(IDV_E_FORMAT, "log item: the log's name is too long");
    memcpy(h->log.p, out->log.p, out->log.n);
    h->log.n = out->log.n;
    out->body = in;
    IDV_TRY(get_tree_head(&in, h));
    out->body.n -= in.n;
    IDV_TRY(idvi_get_vector(&in, 2, 1, &out->sig));
    return idvi_get_end(in);
}

idv_rc idv_tree_head_from_item(struct idv_bytes item, struct idv_tree_head *out)
{
    struct item i;
    struct idv_tree_head h = {.size = 0};
    IDV_TRY(read_item(item, &i, &h));
    *out = h;
    return IDV_OK;
}

static idv_rc find_key(const struct item *i, EVP_PKEY *const *keys,
                       EVP_PKEY **out)
{
    struct idv_log_id id;
    for (; *keys; keys++) {
        IDV_TRY(idv_log_id(*keys, &id));
        if (idv_bytes_eq(i->log, idv_bytes(id.p, id.n))) {
            *out = *keys;
            return IDV_OK;
        }
    }
    return idv_fail(IDV_E_REJECT, "tree head: by a key that is not known");
}

static idv_rc verify_signature(const struct item *i, EVP_PKEY *key)
{
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestVerifyInit(ctx, NULL, digest_of(key), NULL, key) != 1)
        return idv_fail(IDV_E_CRYPTO, "tree head");
    if (EVP_DigestVerify(ctx, i->sig.p, i->sig.n, i->body.p, i->body.n) == 1)
        return IDV_OK;
    ERR_clear_error();
    return idv_fail(IDV_E_REJECT, "tree head: bad signature");
}

idv_rc idv_tree_head_verify(struct idv_bytes item, EVP_PKEY *const *keys,
                            struct idv_tree_head *out)
{
    struct item i;
    struct idv_tree_head h = {.size = 0};
    EVP_PKEY *key = NULL;
    IDV_TRY(read_item(item, &i, &h));
    IDV_TRY(find_key(&i, keys, &key));
    IDV_TRY(verify_signature(&i, key));
    *out = h;
    return IDV_OK;
}
