/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing a certificate of a software key: what the provider costs others. */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/x509.h>

#include "tests/bench/bench.h"

struct parsed {
    OSSL_LIB_CTX *libctx;
    unsigned char der[4096];
    size_t n;
};

static FILE *file_of(enum alg alg, const char *mode)
{
    const char *dir = getenv("BENCH_DIR");
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s.der", dir != NULL ? dir : ".",
             alg_label(alg));
    return fopen(path, mode);
}

int parse_make(enum alg alg)
{
    OSSL_LIB_CTX *libctx = hwkey_context(NOTHING);
    EVP_PKEY *key = libctx != NULL ? software_key(libctx, alg) : NULL;
    X509 *cert = key != NULL ? self_signed(libctx, key) : NULL;
    FILE *f = file_of(alg, "wb");
    int ok = cert != NULL && f != NULL && i2d_X509_fp(f, cert);

    if (f != NULL && fclose(f) != 0)
        ok = 0;
    X509_free(cert);
    EVP_PKEY_free(key);
    return ok || bench_fail("no certificate to be parsed");
}

int parse_open(struct contestant *c)
{
    static struct parsed all[HWKEY + 1];
    struct parsed *p = &all[c->with];
    FILE *f = file_of(c->alg, "rb");

    if (f == NULL)
        return bench_fail("no certificate to be parsed");
    p->n = fread(p->der, 1, sizeof(p->der), f);
    fclose(f);
    p->libctx = hwkey_context(c->with);
    c->state = p;
    return p->n > 0 && p->libctx != NULL;
}

/* with its key, which OpenSSL decodes when it is first asked for */
int parse_cert(struct contestant *c)
{
    struct parsed *p = c->state;
    const unsigned char *der = p->der;
    X509 *cert = X509_new_ex(p->libctx, NULL);
    int ok = cert != NULL && d2i_X509(&cert, &der, (long)p->n) != NULL &&
             X509_get0_pubkey(cert) != NULL;

    X509_free(cert);
    return ok || bench_fail("no certificate");
}
