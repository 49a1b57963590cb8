/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the provider share: loading it, opening, signing. */
#ifndef HWK_TEST_H
#define HWK_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/store.h>

#include "provider/backend.h"

/* A library context with the provider built in; order says what is loaded and
 * when: 'd' default, 'h' ours, 'b' base; '?' makes "?provider=hwkey" what is
 * asked for by default; 'c' is an openssl.cnf with default and ours in it, 'o'
 * one with ours alone, which does not load the default. */
struct world {
    OSSL_LIB_CTX *libctx;
    OSSL_PROVIDER *def, *ours, *base;
};
int world_open(struct world *w, const char *order);
void world_close(struct world *w);

/* device.h's table of the provider in w */
const struct hwk_device_ops *world_ops(struct world *w, void **ctx);

/* The first object of the type (OSSL_STORE_INFO_*) at uri, as OSSL_STORE has
 * it; NULL with what is on the error queue. pin answers the prompt. */
EVP_PKEY *open_key(struct world *w, const char *uri, int type, const char *pin);
X509 *open_cert(struct world *w, const char *uri);
extern atomic_int prompts; /* how often the prompt was asked */

/* Signs msg; NULL digest: the key's default. pss: RSA-PSS with this salt (-4:
 * PKCS#1). Gives the length, 0 on failure. */
#define NO_PSS (-4)
size_t sign_msg(struct world *w, EVP_PKEY *key, const char *md, int pss,
                const void *msg, size_t n, uint8_t *sig, size_t room);
/* Verifies with the default provider and nothing else. */
int verify_msg(EVP_PKEY *key, const char *md, int pss, const void *msg,
               size_t n, const uint8_t *sig, size_t sig_n);
/* both */
int sign_verify(struct world *w, EVP_PKEY *key, const char *md, int pss);

/* Makes a key with the provider; group or bits. */
EVP_PKEY *make_key(struct world *w, const char *type, const char *group,
                   size_t bits, const char *uri);

/* A certificate for the key, signed by itself. */
X509 *self_cert(struct world *w, EVP_PKEY *key);

/* Whoever waits for ever ends by SIGALRM, after so many seconds;
 * IDEVID_PATIENCE times as many where that is set, as under valgrind. */
void patience(unsigned seconds);

/* The newest reason of library "hwkey" on the queue (it is emptied), or 0. */
int hwk_reason(void);

/* How many errors on the queue (it is emptied) are not of library "hwkey". */
unsigned hwk_foreign_errors(void);

#endif
