/* SPDX-License-Identifier: Apache-2.0 */
/* Several processes sign with one key at the same time: each child of a fork
 * with the key that its parent has opened, and the parent, before, meanwhile
 * and after. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/store.h>

#define CHILDREN 32

static const char usage[] =
    "usage: forks URI CHILDREN SIGNATURES\n"
    "\n"
    "The key at URI, of what openssl.cnf has, signs SIGNATURES times in each\n"
    "process. Ends with 0 when each signature was good; says on standard "
    "error\n"
    "why one was not.\n";

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

static int sign_once(EVP_PKEY *key, const unsigned char *text, size_t n)
{
    unsigned char sig[1024];
    size_t len = sizeof(sig);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok =
        EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) > 0 &&
        EVP_DigestSign(ctx, sig, &len, text, n) > 0 && EVP_MD_CTX_reset(ctx) &&
        EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) >
            0 &&
        EVP_DigestVerify(ctx, sig, len, text, n) == 1;

    EVP_MD_CTX_free(ctx);
    return ok;
}

static int sign_all(EVP_PKEY *key, int times)
{
    pid_t me = getpid();
    int i, bad = 0;

    for (i = 0; i < times; i++)
        if (!sign_once(key, (const unsigned char *)&me, sizeof(me)) && !bad++)
            ERR_print_errors_fp(stderr);
    return bad;
}

/* how many of them ended badly */
static int wait_for(const pid_t *pids, int n)
{
    int i, status, bad = 0;

    for (i = 0; i < n; i++)
        if (waitpid(pids[i], &status, 0) != pids[i] || status != 0)
            bad++;
    return bad;
}

int main(int argc, char **argv)
{
    int children = argc == 4 ? atoi(argv[2]) : 0, times, i, bad;
    pid_t pids[CHILDREN];
    EVP_PKEY *key;

    if (children < 1 || children > CHILDREN || (times = atoi(argv[3])) < 1) {
        fputs(usage, stderr);
        return 2;
    }
    key = open_it(argv[1]);
    if (key == NULL) {
        ERR_print_errors_fp(stderr);
        return 2;
    }
    bad = sign_all(key, 1);
    for (i = 0; i < children; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            _exit(sign_all(key, times) != 0);
    }
    bad += sign_all(key, times);
    bad += wait_for(pids, children);
    bad += sign_all(key, 1);
    EVP_PKEY_free(key);
    if (bad > 0)
        fprintf(stderr, "forks: %d failures\n", bad);
    return bad > 0;
}
