/* SPDX-License-Identifier: Apache-2.0 */
/* A device made of memory, for tests without a device and for faults. */
#include <string.h>

#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "provider/sigform.h"
#include "tests/lib/backend_soft.h"

#define KEYS 32

struct soft_key {
    char name[64];
    EVP_PKEY *pkey;
};

struct soft_state {
    OSSL_LIB_CTX *libctx;
    OSSL_PROVIDER *provider;
    struct soft_key key[KEYS];
    size_t n;
    const struct hwk_config *cfg;
};

struct soft_control soft;

void soft_reset(void)
{
    memset(&soft, 0, sizeof(soft));
}

/* every function that would touch a device begins with this */
static int device_call(const char *what)
{
    if (++soft.calls == soft.fail_at)
        return hwk_raise(HWK_R_FAULT, "%s: call %d", what, soft.calls);
    return 1;
}

static EVP_PKEY *generate(struct soft_state *st, const struct hwk_spec *spec)
{
    switch (spec->type) {
    case HWK_KEY_EC:
        return EVP_PKEY_Q_keygen(st->libctx, NULL, "EC", spec->curve->name);
    case HWK_KEY_RSA:
        return EVP_PKEY_Q_keygen(st->libctx, NULL, "RSA", (size_t)spec->bits);
    default:
        return EVP_PKEY_Q_keygen(st->libctx, NULL, spec->curve->name);
    }
}

/* takes pkey */
static int add(struct soft_state *st, const char *name, EVP_PKEY *pkey)
{
    struct soft_key *k = &st->key[st->n];

    if (pkey == NULL)
        return hwk_raise(HWK_R_DELEGATE, "soft: key");
    if (st->n == KEYS) {
        EVP_PKEY_free(pkey);
        return hwk_raise(HWK_R_MEMORY, "soft: full");
    }
    snprintf(k->name, sizeof(k->name), "%s", name);
    k->pkey = pkey;
    st->n++;
    return 1;
}

#define RESIDENT 16

/* The device's own RSA keys are made once in a process: to search for primes
 * whenever the device is opened takes longer than all else, tenfold under
 * valgrind. */
static EVP_PKEY *resident(struct soft_state *st, const struct hwk_spec *spec,
                          size_t i)
{
    static struct {
        unsigned char der[1536];
        int n;
    } rsa[RESIDENT];
    const unsigned char *from = rsa[i].der;
    unsigned char *to = rsa[i].der;
    EVP_PKEY *made;

    if (rsa[i].n > 0)
        return d2i_PrivateKey_ex(EVP_PKEY_RSA, NULL, &from, rsa[i].n,
                                 st->libctx, NULL);
    made = generate(st, spec);
    if (made != NULL && spec->type == HWK_KEY_RSA &&
        i2d_PrivateKey(made, NULL) <= (int)sizeof(rsa[i].der))
        rsa[i].n = i2d_PrivateKey(made, &to);
    return made;
}

static int soft_open(const struct hwk_config *cfg, void **out)
{
    static const struct {
        const char *name, *curve; /* NULL: RSA */
    } names[] = {{"ec", "P-256"},
                 {"ec384", "P-384"},
                 {"ec521", "P-521"},
                 {"eck1", "secp256k1"},
                 {"ecbp", "brainpoolP384r1"},
                 {"rsa", NULL},
                 {"rsa-pss", NULL},
                 {"rsa-pss-sha256", NULL},
                 {"ed25519", "ED25519"},
                 {"ed448", "ED448"},
                 {"x25519", "X25519"},
                 {"x448", "X448"},
                 {"pin-ec", "P-256"}};
    _Static_assert(sizeof(names) / sizeof(names[0]) <= RESIDENT, "names");
    struct soft_state *st;
    size_t i;

    if (!device_call("open"))
        return 0;
    st = OPENSSL_zalloc(sizeof(*st));
    st->cfg = cfg;
    st->libctx = OSSL_LIB_CTX_new();
    st->provider = OSSL_PROVIDER_load(st->libctx, "default");
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct hwk_spec spec = {
            .type = HWK_KEY_RSA, .bits = 2048, .usage = HWK_USAGE_SIGN};

        if (names[i].curve != NULL) {
            spec.curve = hwk_curve_by_name(names[i].curve);
            spec.type = spec.curve->type;
        }
        if (!add(st, names[i].name, resident(st, &spec, i)))
            return 0;
    }
    soft.opened++;
    *out = st;
    return 1;
}

static void soft_close(void *state, bool exiting)
{
    struct soft_state *st = state;
    size_t i;

    (void)exiting;
    for (i = 0; i < st->n; i++)
        EVP_PKEY_free(st->key[i].pkey);
    OSSL_PROVIDER_unload(st->provider);
    OSSL_LIB_CTX_free(st->libctx);
    OPENSSL_free(st);
    soft.closed++;
}

static void soft_forked(void *state)
{
    (void)state;
    soft.forked++;
}

static int soft_renew(void *state)
{
    (void)state;
    soft.renewed++;
    return device_call("renew");
}

static int to_pub(EVP_PKEY *pkey, struct hwk_pub *out)
{
    OSSL_PARAM *params = NULL;
    struct hwk_pub kind = {
        .curve = hwk_curve_by_name(EVP_PKEY_get0_type_name(pkey))};
    int ok;

    kind.type = kind.curve != NULL          ? kind.curve->type
                : EVP_PKEY_is_a(pkey, "EC") ? HWK_KEY_EC
                                            : HWK_KEY_RSA;
    ok = EVP_PKEY_todata(pkey, EVP_PKEY_PUBLIC_KEY, &params) &&
         hwk_pub_from_params(out, &kind, params);

    OSSL_PARAM_free(params);
    return ok;
}

static int check_pin(const struct hwk_pin_ask *pin, const char *name)
{
    struct hwk_secret *secret = NULL;
    int ok;

    if (strncmp(name, "pin-", 4) != 0)
        return 1;
    soft.asked++;
    if (!hwk_pin_get(pin, name, &secret))
        return 0;
    ok = secret->n == 4 && memcmp(secret->p, "1234", 4) == 0;
    hwk_secret_free(secret);
    return ok || hwk_raise(HWK_R_PIN_INCORRECT, "%s", name);
}

static void describe(struct soft_key *k, struct hwk_found *out, bool private)
{
    memset(out, 0, sizeof(*out));
    out->type = private ? HWK_OBJ_PRIVATE : HWK_OBJ_PUBLIC;
    snprintf(out->uri, sizeof(out->uri), "hwksoft:%s", k->name);
    snprintf(out->label, sizeof(out->label), "%s", k->name);
    if (soft.message) {
        out->flags = HWK_FOUND_MESSAGE;
        out->md = HWK_MD_SHA256;
    }
    if (private) {
        EVP_PKEY_up_ref(k->pkey);
        out->ref = k->pkey;
        soft.refs++;
    }
}

static void soft_release(void *state, hwk_ref *ref)
{
    (void)state;
    EVP_PKEY_free(ref);
    soft.refs--;
}

static int hand_over(struct soft_state *st, struct soft_key *k, bool private,
                     hwk_found_fn *each, void *arg)
{
    struct hwk_found found;
    int r;

    describe(k, &found, private);
    r = to_pub(k->pkey, &found.pub) ? 1 : -1;
    if (strncmp(k->name, "rsa-pss", 7) == 0)
        found.pub.pss.only = true;
    if (strcmp(k->name, "rsa-pss-sha256") == 0)
        found.pub.pss =
            (struct hwk_pss){true, HWK_MD_SHA256, HWK_MD_SHA256, 32};
    if (r > 0)
        r = each(arg, &found);
    if (found.ref != NULL)
        soft_release(st, found.ref);
    return r;
}

/* a certificate that the key signed itself */
static int hand_cert(struct soft_key *k, hwk_found_fn *each, void *arg)
{
    X509 *x = X509_new();
    struct hwk_found found;
    unsigned char *der = NULL;
    int n, r;

    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, k->pkey);
    X509_sign(x, k->pkey, EVP_sha256());
    describe(k, &found, false);
    found.type = HWK_OBJ_CERT;
    n = i2d_X509(x, &der);
    X509_free(x);
    found.der = der;
    found.der_len = (size_t)n;
    r = n > 0 ? each(arg, &found) : -1;
    OPENSSL_free(der);
    return r;
}

static int soft_find(void *state, const struct hwk_uri *uri, unsigned want,
                     const struct hwk_pin_ask *pin, hwk_found_fn *each,
                     void *arg)
{
    struct soft_state *st = state;
    const char *name = (const char *)uri->path.p;
    size_t i;
    int r = 1;

    if (!device_call("find"))
        return 0;
    for (i = 0; i < st->n && r > 0; i++) {
        if (strcmp(st->key[i].name, name) != 0)
            continue;
        if ((want & HWK_WANT_PRIVATE) != 0) {
            if (!check_pin(pin, name))
                return 0;
            r = hand_over(st, &st->key[i], true, each, arg);
        } else if ((want & HWK_WANT_PUBLIC) != 0) {
            r = hand_over(st, &st->key[i], false, each, arg);
        }
        if ((want & HWK_WANT_CERT) != 0 && r > 0)
            r = hand_cert(&st->key[i], each, arg);
    }
    return r >= 0;
}

static int soft_make(void *state, const struct hwk_uri *uri,
                     const struct hwk_spec *spec, const struct hwk_pin_ask *pin,
                     struct hwk_found *out)
{
    struct soft_state *st = state;
    size_t i;

    (void)pin;
    if (!device_call("make"))
        return 0;
    for (i = 0; i < st->n; i++)
        if (strcmp(st->key[i].name, (const char *)uri->path.p) == 0)
            return hwk_raise(HWK_R_EXISTS, "%s", st->key[i].name);
    if (!add(st, (const char *)uri->path.p, generate(st, spec)))
        return 0;
    describe(&st->key[st->n - 1], out, true);
    return to_pub(st->key[st->n - 1].pkey, &out->pub);
}

static const char *soft_md(enum hwk_md md, size_t n)
{
    if (md != HWK_MD_NONE)
        return hwk_md_name(md);
    return n == 32 ? "SHA256" : n == 48 ? "SHA384" : "SHA512";
}

static int soft_padding(EVP_PKEY_CTX *ctx, const struct hwk_mech *mech)
{
    OSSL_LIB_CTX *libctx = EVP_PKEY_CTX_get0_libctx(ctx);
    EVP_MD *mgf1;
    int ok;

    if (mech->type == HWK_KEY_EC)
        return 1;
    if (mech->pad == HWK_PAD_PKCS1)
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0;
    if (mech->pad == HWK_PAD_NONE)
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) > 0;
    mgf1 = EVP_MD_fetch(libctx, hwk_md_name(mech->mgf1), NULL);
    ok = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, mgf1) > 0 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, (int)mech->salt) > 0;
    EVP_MD_free(mgf1);
    return ok;
}

static int soft_raw(struct soft_state *st, EVP_PKEY *pkey,
                    const struct hwk_mech *mech, const uint8_t *in, size_t n,
                    uint8_t *out, size_t *out_n)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(st->libctx, pkey, NULL);
    EVP_MD *md = mech->type == HWK_KEY_RSA && mech->md == HWK_MD_NONE
                     ? NULL
                     : EVP_MD_fetch(st->libctx, soft_md(mech->md, n), NULL);
    int ok = EVP_PKEY_sign_init(ctx) > 0 &&
             (md == NULL || mech->type == HWK_KEY_EC ||
              EVP_PKEY_CTX_set_signature_md(ctx, md) > 0) &&
             soft_padding(ctx, mech) &&
             EVP_PKEY_sign(ctx, out, out_n, in, n) > 0;

    EVP_MD_free(md);
    EVP_PKEY_CTX_free(ctx);
    return ok || hwk_raise(HWK_R_DELEGATE, "soft: sign");
}

static int soft_eddsa(struct soft_state *st, EVP_PKEY *pkey,
                      const struct hwk_mech *mech, const uint8_t *in, size_t n,
                      uint8_t *sig, size_t *sig_n)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok;

    if (mech->prehash || mech->context_len > 0) {
        EVP_MD_CTX_free(ctx);
        return hwk_raise(HWK_R_UNSUPPORTED, "soft: only the plain EdDSA");
    }
    ok = EVP_DigestSignInit_ex(ctx, NULL, NULL, st->libctx, NULL, pkey, NULL) >
             0 &&
         EVP_DigestSign(ctx, sig, sig_n, in, n) > 0;
    EVP_MD_CTX_free(ctx);
    return ok || hwk_raise(HWK_R_DELEGATE, "soft: sign");
}

static int soft_sign(void *state, hwk_ref *ref, const struct hwk_mech *mech,
                     const uint8_t *in, size_t n, uint8_t *sig, size_t *sig_n)
{
    uint8_t digest[EVP_MAX_MD_SIZE], der[160];
    size_t digest_n, der_n = sizeof(der);
    struct hwk_pub pub;

    if (!device_call("sign") || !to_pub(ref, &pub))
        return 0;
    if (mech->type == HWK_KEY_ED)
        return soft_eddsa(state, ref, mech, in, n, sig, sig_n);
    if (mech->message) {
        if (!EVP_Q_digest(((struct soft_state *)state)->libctx,
                          hwk_md_name(mech->md), NULL, in, n, digest,
                          &digest_n))
            return 0;
        in = digest;
        n = digest_n;
    }
    if (mech->type == HWK_KEY_RSA)
        return soft_raw(state, ref, mech, in, n, sig, sig_n);
    *sig_n = 2 * pub.curve->order;
    return soft_raw(state, ref, mech, in, n, der, &der_n) &&
           hwk_sig_from_der(der, der_n, pub.curve->order, sig);
}

static const enum hwk_scheme soft_schemes[] = {HWK_SCHEME_SOFT, 0};

const struct hwk_backend hwk_backend_soft = {
    .name = "soft",
    .schemes = soft_schemes,
    .open = soft_open,
    .close = soft_close,
    .forked = soft_forked,
    .renew = soft_renew,
    .find = soft_find,
    .make = soft_make,
    .sign = soft_sign,
    .release = soft_release,
};
