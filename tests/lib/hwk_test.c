/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the provider share. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <openssl/ui.h>
#include <openssl/x509.h>

#include "provider/device.h"
#include "tests/lib/hwk_test.h"

atomic_int prompts;
static __thread const char *answer;

static int load_config(struct world *w, const char *providers)
{
    char name[40]; /* other programs run beside this one */
    FILE *f;
    int ok;

    snprintf(name, sizeof(name), "world.%ld.cnf", (long)getpid());
    f = fopen(name, "w");
    if (f == NULL)
        return 0;
    fprintf(f,
            "openssl_conf = init\n[init]\nproviders = providers\n"
            "[providers]\n%s\n[plain]\nactivate = 1\n"
            "[with]\nactivate = 1\n"
            "[without]\nactivate = 1\nload-default = no\n",
            providers);
    fclose(f);
    ok = OSSL_LIB_CTX_load_config(w->libctx, name);
    remove(name);
    return ok;
}

static int world_load(struct world *w, char what)
{
    switch (what) {
    case 'd':
        w->def = OSSL_PROVIDER_load(w->libctx, "default");
        return w->def != NULL;
    case 'b':
        w->base = OSSL_PROVIDER_load(w->libctx, "base");
        return w->base != NULL;
    case '?':
        return EVP_set_default_properties(w->libctx, "?provider=hwkey");
    case 'c':
        if (!load_config(w, "default = plain\nhwkey = with"))
            return 0;
        break;
    case 'o':
        if (!load_config(w, "hwkey = without"))
            return 0;
        break;
    }
    w->ours = OSSL_PROVIDER_load(w->libctx, "hwkey");
    return w->ours != NULL;
}

int world_open(struct world *w, const char *order)
{
    memset(w, 0, sizeof(*w));
    w->libctx = OSSL_LIB_CTX_new();
    if (w->libctx == NULL ||
        !OSSL_PROVIDER_add_builtin(w->libctx, "hwkey", hwk_provider_init))
        return 0;
    for (; *order != 0; order++)
        if (!world_load(w, *order))
            return 0;
    return w->ours != NULL;
}

void world_close(struct world *w)
{
    if (w->ours != NULL)
        OSSL_PROVIDER_unload(w->ours);
    if (w->def != NULL)
        OSSL_PROVIDER_unload(w->def);
    if (w->base != NULL)
        OSSL_PROVIDER_unload(w->base);
    OSSL_LIB_CTX_free(w->libctx);
    memset(w, 0, sizeof(*w));
}

const struct hwk_device_ops *world_ops(struct world *w, void **ctx)
{
    void *ops = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_ptr(HWK_PARAM_DEVICE_OPS, &ops, 0),
        OSSL_PARAM_construct_octet_ptr(HWK_PARAM_DEVICE_CTX, ctx, 0),
        OSSL_PARAM_construct_end()};

    return OSSL_PROVIDER_get_params(w->ours, params) ? ops : NULL;
}

/* --- opening ------------------------------------------------------------ */

static int ui_read(UI *ui, UI_STRING *s)
{
    if (UI_get_string_type(s) != UIT_PROMPT)
        return 1;
    prompts++;
    return answer != NULL && UI_set_result(ui, s, answer) == 0;
}

static OSSL_STORE_INFO *open_info(struct world *w, const char *uri, int type)
{
    UI_METHOD *ui = UI_create_method("test");
    OSSL_STORE_CTX *store;
    OSSL_STORE_INFO *info = NULL;

    UI_method_set_reader(ui, ui_read);
    store = OSSL_STORE_open_ex(uri, w->libctx, "provider=hwkey", ui, NULL, NULL,
                               NULL, NULL);
    if (store != NULL) {
        OSSL_STORE_expect(store, type);
        while (info == NULL && !OSSL_STORE_eof(store))
            info = OSSL_STORE_load(store);
        OSSL_STORE_close(store);
    }
    UI_destroy_method(ui);
    return info;
}

EVP_PKEY *open_key(struct world *w, const char *uri, int type, const char *pin)
{
    OSSL_STORE_INFO *info;
    EVP_PKEY *key = NULL;

    answer = pin;
    info = open_info(w, uri, type);
    if (info != NULL)
        key = type == OSSL_STORE_INFO_PUBKEY ? OSSL_STORE_INFO_get1_PUBKEY(info)
                                             : OSSL_STORE_INFO_get1_PKEY(info);
    OSSL_STORE_INFO_free(info);
    return key;
}

X509 *open_cert(struct world *w, const char *uri)
{
    OSSL_STORE_INFO *info = open_info(w, uri, OSSL_STORE_INFO_CERT);
    X509 *x = info != NULL ? OSSL_STORE_INFO_get1_CERT(info) : NULL;

    OSSL_STORE_INFO_free(info);
    return x;
}

/* --- signing ------------------------------------------------------------ */

static int padding(EVP_PKEY_CTX *ctx, int pss)
{
    return pss == NO_PSS ||
           (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, pss) > 0);
}

size_t sign_msg(struct world *w, EVP_PKEY *key, const char *md, int pss,
                const void *msg, size_t n, uint8_t *sig, size_t room)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    size_t len = room;
    int ok = EVP_DigestSignInit_ex(ctx, &pctx, md, w->libctx, NULL, key,
                                   NULL) == 1 &&
             padding(pctx, pss) && EVP_DigestSign(ctx, sig, &len, msg, n) == 1;

    EVP_MD_CTX_free(ctx);
    return ok ? len : 0;
}

/* a context with the default provider only, for all that is verified */
static OSSL_LIB_CTX *soft_ctx;

static void make_soft_ctx(void)
{
    soft_ctx = OSSL_LIB_CTX_new();
    OSSL_PROVIDER_load(soft_ctx, "default");
}

int verify_msg(EVP_PKEY *key, const char *md, int pss, const void *msg,
               size_t n, const uint8_t *sig, size_t sig_n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key, &der), ok = 0;
    const unsigned char *p = der;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    EVP_PKEY *pub;

    pthread_once(&once, make_soft_ctx);
    pub = len > 0 ? d2i_PUBKEY_ex(NULL, &p, len, soft_ctx, NULL) : NULL;
    if (pub != NULL)
        ok = EVP_DigestVerifyInit_ex(ctx, &pctx, md, soft_ctx, NULL, pub,
                                     NULL) == 1 &&
             padding(pctx, pss) &&
             EVP_DigestVerify(ctx, sig, sig_n, msg, n) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pub);
    OPENSSL_free(der);
    return ok;
}

int sign_verify(struct world *w, EVP_PKEY *key, const char *md, int pss)
{
    static const char msg[] = "what is to be signed";
    uint8_t sig[HWK_SIG_MAX];
    size_t n = sign_msg(w, key, md, pss, msg, sizeof(msg), sig, sizeof(sig));

    return n > 0 && verify_msg(key, md, pss, msg, sizeof(msg), sig, n);
}

EVP_PKEY *make_key(struct world *w, const char *type, const char *group,
                   size_t bits, const char *uri)
{
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(w->libctx, type, "provider=hwkey");
    OSSL_PARAM params[3], *p = params;
    EVP_PKEY *key = NULL;

    *p++ = OSSL_PARAM_construct_utf8_string(HWK_PARAM_KEY_URI,
                                            (char *)(uintptr_t)uri, 0);
    if (group != NULL)
        *p++ = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                (char *)(uintptr_t)group, 0);
    else
        *p++ = OSSL_PARAM_construct_size_t(OSSL_PKEY_PARAM_RSA_BITS, &bits);
    *p = OSSL_PARAM_construct_end();
    if (ctx == NULL || EVP_PKEY_keygen_init(ctx) <= 0 ||
        EVP_PKEY_CTX_set_params(ctx, params) <= 0 ||
        EVP_PKEY_generate(ctx, &key) <= 0)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

X509 *self_cert(struct world *w, EVP_PKEY *key)
{
    X509 *x = X509_new_ex(w->libctx, NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    X509_NAME *name = X509_get_subject_name(x);
    bool ed = EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");
    int ok;

    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"test", -1, -1, 0);
    ok = X509_set_issuer_name(x, name) && X509_set_pubkey(x, key) &&
         EVP_DigestSignInit_ex(ctx, NULL, ed ? NULL : "SHA256", w->libctx, NULL,
                               key, NULL) == 1 &&
         X509_sign_ctx(x, ctx) > 0;
    EVP_MD_CTX_free(ctx);
    if (ok)
        return x;
    X509_free(x);
    return NULL;
}

int hwk_reason(void)
{
    unsigned long e;
    int reason = 0;

    while ((e = ERR_get_error()) != 0)
        if (ERR_GET_LIB(e) == hwk_err_lib())
            reason = ERR_GET_REASON(e);
    return reason;
}

unsigned hwk_foreign_errors(void)
{
    unsigned long e;
    unsigned n = 0;

    while ((e = ERR_get_error()) != 0)
        n += ERR_GET_LIB(e) != hwk_err_lib();
    return n;
}

void patience(unsigned seconds)
{
    const char *times = getenv("IDEVID_PATIENCE");

    alarm(seconds * (times ? (unsigned)atoi(times) : 1));
}
