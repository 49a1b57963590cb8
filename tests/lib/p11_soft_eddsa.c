/* SPDX-License-Identifier: Apache-2.0 */
/* EdDSA with a context or prehashing (RFC 8032), which OpenSSL 3.0 has not:
 * over plain numbers, slow, and for tests only. */
#include <string.h>

#include <openssl/bn.h>

#include "tests/lib/p11_soft_int.h"

#define MAX 57 /* bytes of a number or point */

struct curve {
    const char *type, *p, *a, *d, *x, *y, *order; /* numbers in hexadecimal */
    const char *hash, *dom;
    size_t n, prehash_n;
};

static const struct curve curves[] = {
    {"ED25519",
     "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed", "-1",
     "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3",
     "216936d3cd6e53fec0a4e231fdd6dc5c692cc7609525a7b2c9562d608f25d51a",
     "6666666666666666666666666666666666666666666666666666666666666658",
     "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed",
     "SHA512", "SigEd25519 no Ed25519 collisions", 32, 64},
    {"ED448",
     "fffffffffffffffffffffffffffffffffffffffffffffffffffffffe"
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
     "1", "-98a9",
     "4f1970c66bed0ded221d15a622bf36da9e146570470f1767ea6de324"
     "a3d3a46412ae1af72ab66511433b80e18b00938e2626a82bc70cc05e",
     "693f46716eb6bc248876203756c9c7624bea73736ca3984087789c1e"
     "05a0c2d73ad3ff1ce67c39c4fdbd132c4ed7c8ad9808795bf230fa14",
     "3fffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "7cca23e9c44edb49aed63690216cc2728dc58f552378c292ab5844f3",
     "SHAKE256", "SigEd448", 57, 64},
};

/* one signature; its numbers live in the frame of bn */
struct work {
    const struct curve *c;
    const struct soft_eddsa_params *params;
    BN_CTX *bn;
    BIGNUM *p, *a, *d, *order;
    bool ok;
};

struct point {
    BIGNUM *x, *y;
};

static BIGNUM *number(struct work *w, const char *hex)
{
    BIGNUM *n = BN_CTX_get(w->bn);

    w->ok = w->ok && n != NULL && BN_hex2bn(&n, hex) > 0;
    return n;
}

/* --- points --- */

/* r = (x1 y2 + y1 x2) / (1 + t), (y1 y2 - a x1 x2) / (1 - t),
 * t = d x1 x2 y1 y2; r may be one of them */
static bool add(struct work *w, struct point *r, const struct point *s,
                const struct point *q)
{
    BIGNUM *x, *y, *xx, *yy, *t;
    bool ok;

    BN_CTX_start(w->bn);
    x = BN_CTX_get(w->bn);
    y = BN_CTX_get(w->bn);
    xx = BN_CTX_get(w->bn);
    yy = BN_CTX_get(w->bn);
    t = BN_CTX_get(w->bn);
    ok = t != NULL && BN_mod_mul(x, s->x, q->y, w->p, w->bn) &&
         BN_mod_mul(y, s->y, q->x, w->p, w->bn) &&
         BN_mod_add(x, x, y, w->p, w->bn) &&
         BN_mod_mul(xx, s->x, q->x, w->p, w->bn) &&
         BN_mod_mul(yy, s->y, q->y, w->p, w->bn) &&
         BN_mod_mul(t, xx, yy, w->p, w->bn) &&
         BN_mod_mul(t, t, w->d, w->p, w->bn) &&
         BN_mod_mul(xx, xx, w->a, w->p, w->bn) &&
         BN_mod_sub(y, yy, xx, w->p, w->bn) &&
         BN_mod_add(xx, BN_value_one(), t, w->p, w->bn) &&
         BN_mod_sub(yy, BN_value_one(), t, w->p, w->bn) &&
         BN_mod_inverse(xx, xx, w->p, w->bn) != NULL &&
         BN_mod_inverse(yy, yy, w->p, w->bn) != NULL &&
         BN_mod_mul(r->x, x, xx, w->p, w->bn) &&
         BN_mod_mul(r->y, y, yy, w->p, w->bn);
    BN_CTX_end(w->bn);
    return ok;
}

/* the base point times k */
static bool multiply(struct work *w, struct point *r, const BIGNUM *k)
{
    struct point base = {number(w, w->c->x), number(w, w->c->y)};
    int i;

    w->ok = w->ok && BN_set_word(r->x, 0) && BN_set_word(r->y, 1);
    for (i = BN_num_bits(k) - 1; i >= 0 && w->ok; i--) {
        w->ok = add(w, r, r, r);
        if (w->ok && BN_is_bit_set(k, i))
            w->ok = add(w, r, r, &base);
    }
    return w->ok;
}

static bool encode(const struct work *w, const struct point *at, uint8_t *out)
{
    if (BN_bn2lebinpad(at->y, out, (int)w->c->n) < 0)
        return false;
    if (BN_is_odd(at->x))
        out[w->c->n - 1] |= 0x80;
    return true;
}

/* --- hashes --- */

struct part {
    const uint8_t *p;
    size_t n;
};

static bool hash(const struct work *w, const struct part *parts, size_t count,
                 uint8_t *out, size_t n)
{
    EVP_MD *md = EVP_MD_fetch(soft.libctx, w->c->hash, NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = EVP_DigestInit_ex2(ctx, md, NULL) == 1;
    size_t i;

    for (i = 0; i < count && ok; i++)
        ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
    if ((EVP_MD_get_flags(md) & EVP_MD_FLAG_XOF) != 0)
        ok = ok && EVP_DigestFinalXOF(ctx, out, n) == 1;
    else
        ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_MD_free(md);
    return ok;
}

/* H(dom || a || b || c) as a number below the order */
static bool hash_number(struct work *w, BIGNUM *out, struct part a,
                        struct part b, struct part c)
{
    const struct soft_eddsa_params *ep = w->params;
    uint8_t head[2] = {ep->prehash ? 1 : 0, (uint8_t)ep->context_n};
    uint8_t digest[2 * MAX];
    struct part parts[] = {{(const uint8_t *)w->c->dom, strlen(w->c->dom)},
                           {head, 2},
                           {ep->context, ep->context_n},
                           a,
                           b,
                           c};

    return hash(w, parts, 6, digest, 2 * w->c->n) &&
           BN_lebin2bn(digest, (int)(2 * w->c->n), out) != NULL &&
           BN_mod(out, out, w->order, w->bn);
}

/* --- RFC 8032, 5.1.6 and 5.2.6 --- */

static void clamp(const struct curve *c, uint8_t *h)
{
    if (c->n == 32) {
        h[0] &= 0xf8;
        h[31] = (uint8_t)((h[31] & 0x7f) | 0x40);
    } else {
        h[0] &= 0xfc;
        h[55] |= 0x80;
        h[56] = 0;
    }
}

static bool sign(struct work *w, EVP_PKEY *key, struct part msg, uint8_t *sig)
{
    uint8_t seed[MAX], pub[MAX], h[2 * MAX];
    size_t n = w->c->n, seed_n = n, pub_n = n;
    struct part whole = {seed, n};
    struct point r = {BN_CTX_get(w->bn), BN_CTX_get(w->bn)};
    BIGNUM *s = BN_CTX_get(w->bn), *k = BN_CTX_get(w->bn),
           *nonce = BN_CTX_get(w->bn);

    if (nonce == NULL ||
        EVP_PKEY_get_raw_private_key(key, seed, &seed_n) != 1 ||
        EVP_PKEY_get_raw_public_key(key, pub, &pub_n) != 1 ||
        !hash(w, &whole, 1, h, 2 * n))
        return false;
    clamp(w->c, h);
    return BN_lebin2bn(h, (int)n, s) != NULL &&
           hash_number(w, nonce, (struct part){h + n, n}, msg,
                       (struct part){NULL, 0}) &&
           multiply(w, &r, nonce) && encode(w, &r, sig) &&
           hash_number(w, k, (struct part){sig, n}, (struct part){pub, n},
                       msg) &&
           BN_mod_mul(s, s, k, w->order, w->bn) &&
           BN_mod_add(s, s, nonce, w->order, w->bn) &&
           BN_bn2lebinpad(s, sig + n, (int)n) >= 0;
}

bool soft_eddsa(EVP_PKEY *key, const struct soft_eddsa_params *params,
                const uint8_t *in, size_t n, uint8_t *sig, size_t *sig_n)
{
    struct work w = {.c = &curves[EVP_PKEY_is_a(key, "ED448") ? 1 : 0],
                     .params = params,
                     .bn = BN_CTX_new_ex(soft.libctx),
                     .ok = true};
    struct part msg = {in, n};
    uint8_t digest[64];

    if (w.bn == NULL || params->context_n > 255)
        return false;
    BN_CTX_start(w.bn);
    w.p = number(&w, w.c->p);
    w.a = number(&w, w.c->a);
    w.d = number(&w, w.c->d);
    w.order = number(&w, w.c->order);
    if (w.ok && params->prehash) {
        w.ok = hash(&w, &msg, 1, digest, sizeof(digest));
        msg = (struct part){digest, sizeof(digest)};
    }
    w.ok = w.ok && sign(&w, key, msg, sig);
    BN_CTX_end(w.bn);
    BN_CTX_free(w.bn);
    *sig_n = 2 * w.c->n;
    return w.ok;
}
