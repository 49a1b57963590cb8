/* SPDX-License-Identifier: Apache-2.0 */
/* The provider as any program uses it: hwkey.so, keys by URI, EVP. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/store.h>
#include <openssl/x509.h>

#include "provider/device.h"
#include "tests/bench/bench.h"

int bench_fail(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    ERR_print_errors_fp(stderr);
    return 0;
}

static bool load_hwkey(OSSL_LIB_CTX *libctx)
{
    const char *modules = getenv("BENCH_MODULES");

    return modules != NULL &&
           OSSL_PROVIDER_set_default_search_path(libctx, modules) &&
           OSSL_PROVIDER_load(libctx, "hwkey") != NULL;
}

OSSL_LIB_CTX *hwkey_context(enum beside with)
{
    OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();

    if (libctx != NULL && (with != HWKEY_FIRST || load_hwkey(libctx)) &&
        OSSL_PROVIDER_load(libctx, "default") != NULL &&
        ((with != BARE && with != BARE_ALL) ||
         bare_load(libctx, with == BARE_ALL)) &&
        (with != HWKEY || load_hwkey(libctx)))
        return libctx;
    OSSL_LIB_CTX_free(libctx);
    bench_fail("no provider");
    return NULL;
}

const char *alg_label(enum alg alg)
{
    static const char *const labels[] = {"P256", "RSA2048", "ED25519"};

    return labels[alg];
}

const char *hwkey_uri(enum device device, enum alg alg)
{
    static const char *const uris[][ED25519 + 1] = {
        {NULL, NULL, NULL},
        {"pkcs11:token=bench;object=P256;type=private",
         "pkcs11:token=bench;object=RSA2048;type=private",
         "pkcs11:token=bench;object=ED25519;type=private"},
        {"tpm2:handle=0x81020001", "tpm2:handle=0x81020002", NULL}};

    return uris[device][alg];
}

EVP_PKEY *hwkey_open(OSSL_LIB_CTX *libctx, const char *uri)
{
    OSSL_STORE_CTX *store = OSSL_STORE_open_ex(uri, libctx, "provider=hwkey",
                                               NULL, NULL, NULL, NULL, NULL);
    OSSL_STORE_INFO *info = NULL;
    EVP_PKEY *key = NULL;

    if (store != NULL) {
        OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
        info = OSSL_STORE_load(store);
        OSSL_STORE_close(store);
    }
    if (info != NULL)
        key = OSSL_STORE_INFO_get1_PKEY(info);
    OSSL_STORE_INFO_free(info);
    if (key == NULL)
        bench_fail(uri);
    return key;
}

EVP_PKEY *hwkey_file(OSSL_LIB_CTX *libctx, const char *name)
{
    const char *dir = getenv("BENCH_DIR");
    char path[1024];
    BIO *in;
    EVP_PKEY *key = NULL;

    snprintf(path, sizeof(path), "%s/%s", dir != NULL ? dir : ".", name);
    in = BIO_new_file(path, "r");
    if (in != NULL)
        key = PEM_read_bio_PrivateKey_ex(in, NULL, NULL, NULL, libctx, NULL);
    BIO_free(in);
    if (key == NULL)
        bench_fail(path);
    return key;
}

EVP_PKEY *key_of(OSSL_LIB_CTX *libctx, const struct contestant *c)
{
    if (c->uri == NULL)
        return hwkey_open(libctx, hwkey_uri(c->device, c->alg));
    return strchr(c->uri, ':') != NULL ? hwkey_open(libctx, c->uri)
                                       : hwkey_file(libctx, c->uri);
}

static EVP_PKEY *generate(OSSL_LIB_CTX *libctx, enum alg alg, const char *uri)
{
    static const char *const types[] = {"EC", "RSA", "ED25519"};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(
        libctx, types[alg],
        uri != NULL ? "provider=hwkey" : "provider=default");
    char group[] = "P-256", where[128];
    size_t bits = 2048;
    OSSL_PARAM params[3], *p = params;
    EVP_PKEY *key = NULL;

    if (alg == P256)
        *p++ = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                group, 0);
    if (alg == RSA2048)
        *p++ = OSSL_PARAM_construct_size_t(OSSL_PKEY_PARAM_RSA_BITS, &bits);
    snprintf(where, sizeof(where), "%s", uri != NULL ? uri : "");
    if (uri != NULL)
        *p++ = OSSL_PARAM_construct_utf8_string(HWK_PARAM_KEY_URI, where, 0);
    *p = OSSL_PARAM_construct_end();
    if (ctx == NULL || EVP_PKEY_keygen_init(ctx) <= 0 ||
        EVP_PKEY_CTX_set_params(ctx, params) <= 0 ||
        EVP_PKEY_generate(ctx, &key) <= 0)
        bench_fail("no key could be made");
    EVP_PKEY_CTX_free(ctx);
    return key;
}

EVP_PKEY *software_key(OSSL_LIB_CTX *libctx, enum alg alg)
{
    return generate(libctx, alg, NULL);
}

int hwkey_make(enum device device, enum alg alg)
{
    OSSL_LIB_CTX *libctx = hwkey_context(HWKEY);
    EVP_PKEY *key =
        libctx != NULL ? generate(libctx, alg, hwkey_uri(device, alg)) : NULL;

    EVP_PKEY_free(key);
    return key != NULL;
}

X509 *self_signed(OSSL_LIB_CTX *libctx, EVP_PKEY *key)
{
    X509 *x = X509_new_ex(libctx, NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    X509_NAME *name = x != NULL ? X509_get_subject_name(x) : NULL;

    if (name != NULL && ctx != NULL && key != NULL &&
        X509_set_version(x, X509_VERSION_3) &&
        ASN1_INTEGER_set(X509_get_serialNumber(x), 1) &&
        X509_gmtime_adj(X509_getm_notBefore(x), -60) != NULL &&
        X509_gmtime_adj(X509_getm_notAfter(x), 86400) != NULL &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                   (const unsigned char *)"bench", -1, -1, 0) &&
        X509_set_issuer_name(x, name) && X509_set_pubkey(x, key) &&
        EVP_DigestSignInit_ex(ctx, NULL, "SHA256", libctx, NULL, key, NULL) &&
        X509_sign_ctx(x, ctx) > 0) {
        EVP_MD_CTX_free(ctx);
        return x;
    }
    EVP_MD_CTX_free(ctx);
    X509_free(x);
    bench_fail("no certificate could be made");
    return NULL;
}

/* --- signing: with a context per signature, as TLS and CMS do, with one that
 * is begun again, and with one that is kept, as a program does that signs much
 * --- */

const unsigned char *message_of(const struct contestant *c, size_t *n)
{
    static const unsigned char text[] = "a message to be signed";
    static unsigned char *large;

    *n = c->message > 0 ? c->message : sizeof(text);
    if (c->message > 0 && large == NULL)
        large = OPENSSL_zalloc(c->message);
    return c->message > 0 ? large : text;
}

struct kept {
    EVP_MD *md;
    EVP_PKEY_CTX *ctx;
};

int sign_open(struct contestant *c)
{
    static struct hwkey all[HWKEY_FIRST + 1];
    struct hwkey *h = &all[c->with];

    h->libctx = hwkey_context(c->with);
    if (h->libctx == NULL)
        return 0;
    h->key = c->with == BARE         ? bare_key(h->libctx)
             : c->device == SOFTWARE ? software_key(h->libctx, c->alg)
                                     : key_of(h->libctx, c);
    c->state = h;
    return h->key != NULL;
}

int bare_open(struct contestant *c)
{
    return raw_token_open(c) && sign_open(c);
}

static int sign_in(EVP_MD_CTX *ctx, struct contestant *c)
{
    struct hwkey *h = c->state;
    unsigned char sig[512];
    size_t n, sig_n = sizeof(sig);
    const unsigned char *message = message_of(c, &n);

    return (ctx != NULL &&
            EVP_DigestSignInit_ex(ctx, NULL,
                                  c->alg == ED25519 ? NULL : "SHA256",
                                  h->libctx, NULL, h->key, NULL) == 1 &&
            EVP_DigestSign(ctx, sig, &sig_n, message, n) == 1) ||
           bench_fail("no signature");
}

int sign_once(struct contestant *c)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = sign_in(ctx, c);

    EVP_MD_CTX_free(ctx);
    return ok;
}

int sign_again_open(struct contestant *c)
{
    struct hwkey *h;

    if (!sign_open(c))
        return 0;
    h = c->state;
    h->again = EVP_MD_CTX_new();
    return h->again != NULL;
}

int sign_again(struct contestant *c)
{
    struct hwkey *h = c->state;

    return sign_in(h->again, c);
}

int hwkey_kept_open(struct contestant *c)
{
    static struct kept k;
    struct hwkey *h;

    if (!sign_open(c))
        return 0;
    h = c->state;
    k.md = EVP_MD_fetch(h->libctx, "SHA256", NULL);
    k.ctx = EVP_PKEY_CTX_new_from_pkey(h->libctx, h->key, NULL);
    c->state = &k;
    return (k.md != NULL && k.ctx != NULL && EVP_PKEY_sign_init(k.ctx) > 0 &&
            EVP_PKEY_CTX_set_signature_md(k.ctx, k.md) > 0) ||
           bench_fail("no context to sign in");
}

int hwkey_kept_sign(struct contestant *c)
{
    struct kept *k = c->state;
    unsigned char digest[32], sig[512];
    size_t n, sig_n = sizeof(sig);
    const unsigned char *message = message_of(c, &n);

    return (EVP_Digest(message, n, digest, NULL, k->md, NULL) &&
            EVP_PKEY_sign(k->ctx, sig, &sig_n, digest, sizeof(digest)) > 0) ||
           bench_fail("no signature");
}
