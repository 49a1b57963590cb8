/* SPDX-License-Identifier: Apache-2.0 */
/* What a story wants of a module that no command line asks for: losses in the
 * process that uses it, threads, random bytes, EdDSA with parameters. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/store.h>
#include <p11-kit/pkcs11.h>

#define SLOTS 16
#define THREADS 4

static const char usage[] =
    "usage: modways sessions|restart|threads|random URI\n"
    "       modways eddsa URI INSTANCE CONTEXT\n"
    "\n"
    "sessions  the key at URI signs; all sessions of the module are closed\n"
    "          behind it; it signs again\n"
    "restart   the same with C_Finalize\n"
    "threads   it signs in threads, several times in each\n"
    "random    the token gives random bytes\n"
    "eddsa     an Edwards key signs with these parameters\n"
    "\n"
    "The module is that of HWKEY_PKCS11_MODULE, what is done behind its back "
    "is\n"
    "done to that of MODWAYS_MODULE if there is one. Ends with 0, or says on\n"
    "standard error what failed.\n";

static EVP_PKEY *open_it(const char *uri)
{
    OSSL_STORE_CTX *store = OSSL_STORE_open(uri, NULL, NULL, NULL, NULL);
    OSSL_STORE_INFO *info = NULL;
    EVP_PKEY *key = NULL;

    if (store != NULL && OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY))
        info = OSSL_STORE_load(store);
    if (info != NULL)
        key = OSSL_STORE_INFO_get1_PKEY(info);
    OSSL_STORE_INFO_free(info);
    OSSL_STORE_close(store);
    return key;
}

/* --- signing --- */

static int signs(EVP_PKEY *key)
{
    static const unsigned char text[] = "said";
    unsigned char sig[1024];
    size_t n = sizeof(sig);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok =
        EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) > 0 &&
        EVP_DigestSign(ctx, sig, &n, text, sizeof(text)) > 0 &&
        EVP_MD_CTX_reset(ctx) &&
        EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) >
            0 &&
        EVP_DigestVerify(ctx, sig, n, text, sizeof(text)) == 1;

    EVP_MD_CTX_free(ctx);
    return ok;
}

static void *sign_in_thread(void *key)
{
    int i, ok = 1;

    for (i = 0; i < 5 && ok; i++)
        ok = signs(key);
    if (!ok)
        ERR_print_errors_fp(stderr);
    return ok ? key : NULL;
}

static int in_threads(EVP_PKEY *key)
{
    pthread_t id[THREADS];
    void *good;
    int i, ok = 1;

    for (i = 0; i < THREADS; i++)
        pthread_create(&id[i], NULL, sign_in_thread, key);
    for (i = 0; i < THREADS; i++) {
        pthread_join(id[i], &good);
        ok = ok && good != NULL;
    }
    return ok;
}

/* --- behind its back --- */

static CK_FUNCTION_LIST *module(void)
{
    const char *behind = getenv("MODWAYS_MODULE"),
               *path = behind != NULL ? behind : getenv("HWKEY_PKCS11_MODULE");
    CK_C_GetFunctionList get;
    CK_FUNCTION_LIST *f;
    void *dl = dlopen(path != NULL ? path : "", RTLD_NOW | RTLD_LOCAL);

    if (dl == NULL)
        return NULL;
    *(void **)(void *)&get = dlsym(dl, "C_GetFunctionList");
    return get != NULL && get(&f) == CKR_OK ? f : NULL;
}

static int close_sessions(CK_FUNCTION_LIST *f)
{
    CK_SLOT_ID slots[SLOTS];
    CK_ULONG i, n = SLOTS;

    if (f->C_GetSlotList(CK_TRUE, slots, &n) != CKR_OK)
        return 0;
    for (i = 0; i < n; i++)
        f->C_CloseAllSessions(slots[i]);
    return 1;
}

static int after_a_loss(EVP_PKEY *key, int restart)
{
    CK_FUNCTION_LIST *f = module();
    int i;

    if (f == NULL || !signs(key))
        return 0;
    for (i = 0; i < 2; i++) {
        if (restart ? f->C_Finalize(NULL) != CKR_OK : !close_sessions(f))
            return 0;
        if (!signs(key))
            return 0;
    }
    return 1;
}

/* --- the rest --- */

static int random_bytes(char *uri)
{
    EVP_RAND *rand = EVP_RAND_fetch(NULL, "HWKEY-RAND", NULL);
    EVP_RAND_CTX *ctx = EVP_RAND_CTX_new(rand, NULL);
    unsigned char a[32] = {0}, b[32] = {0};
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("uri", uri, 0),
                           OSSL_PARAM_construct_end()};
    int ok = ctx != NULL &&
             EVP_RAND_instantiate(ctx, 256, 0, NULL, 0, params) == 1 &&
             EVP_RAND_generate(ctx, a, sizeof(a), 0, 0, NULL, 0) == 1 &&
             EVP_RAND_generate(ctx, b, sizeof(b), 0, 0, NULL, 0) == 1 &&
             memcmp(a, b, sizeof(a)) != 0;

    EVP_RAND_CTX_free(ctx);
    EVP_RAND_free(rand);
    return ok;
}

/* The length of a signature, 0: none. OpenSSL 3.0 cannot verify one with
 * parameters. */
static size_t edwards(EVP_PKEY *key, char *instance, char *context,
                      unsigned char sig[128])
{
    OSSL_PARAM params[3], *p = params;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    size_t n = 128;

    if (instance != NULL)
        *p++ = OSSL_PARAM_construct_utf8_string("instance", instance, 0);
    if (context != NULL && *context != 0)
        *p++ = OSSL_PARAM_construct_octet_string("context-string", context,
                                                 strlen(context));
    *p = OSSL_PARAM_construct_end();
    if (EVP_DigestSignInit_ex(ctx, &pctx, NULL, NULL, NULL, key, NULL) <= 0 ||
        EVP_PKEY_CTX_set_params(pctx, params) <= 0 ||
        EVP_DigestSign(ctx, sig, &n, (const unsigned char *)"x", 1) <= 0)
        n = 0;
    EVP_MD_CTX_free(ctx);
    return n;
}

/* not the signature without them, and the same again */
static int with_parameters(EVP_PKEY *key, char *instance, char *context)
{
    unsigned char a[128], b[128], plain[128];
    size_t n = edwards(key, instance, context, a);

    return n > 0 && edwards(key, instance, context, b) == n &&
           edwards(key, NULL, NULL, plain) == n && memcmp(a, b, n) == 0 &&
           memcmp(a, plain, n) != 0;
}

int main(int argc, char **argv)
{
    const char *way = argc > 2 ? argv[1] : "";
    EVP_PKEY *key = NULL;
    int ok = 0;

    if (strcmp(way, "random") == 0)
        ok = random_bytes(argv[2]);
    else if (argc > 2 && (key = open_it(argv[2])) != NULL)
        ok = strcmp(way, "threads") == 0    ? in_threads(key)
             : strcmp(way, "sessions") == 0 ? after_a_loss(key, 0)
             : strcmp(way, "restart") == 0  ? after_a_loss(key, 1)
             : strcmp(way, "eddsa") == 0 && argc == 5
                 ? with_parameters(key, argv[3], argv[4])
                 : (fputs(usage, stderr), 0);
    else if (argc < 3)
        fputs(usage, stderr);
    else if (ERR_peek_error() == 0)
        fputs("answer: there is no such key\n", stderr);
    EVP_PKEY_free(key);
    if (!ok)
        ERR_print_errors_fp(stderr);
    return !ok;
}
