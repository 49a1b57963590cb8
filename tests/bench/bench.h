/* SPDX-License-Identifier: Apache-2.0 */
/* What is measured, and how: contestants do the same thing in several ways, in
 * interleaved rounds; the first of a group is the floor of its ratios. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

#define BENCH_PIN "1234"
#define BENCH_ERROR 1 /* exit code of a child that could not measure */

enum device { SOFTWARE, TOKEN, TPM };
enum alg { P256, RSA2048 };

/* One way of doing something. open prepares, op does it once; both give 1, or
 * 0 after a line on stderr. A process opens a contestant once and just ends:
 * nothing is closed. */
struct contestant {
    const char *name;
    int (*open)(struct contestant *c);
    int (*op)(struct contestant *c);
    enum device device;
    enum alg alg;
    bool hwkey; /* the provider is loaded too */
    void *state;
};

#define GROUP_MAX 3
struct group {
    const char *name;
    struct contestant c[GROUP_MAX]; /* ended by one without a name */
    const char *delay_ms;           /* added to each TPM command; NULL none */
    bool cold;                      /* each operation in a process of its own */
    bool counts; /* instructions too, when valgrind is there */
};

/* What came out; negative: not known or of no meaning. */
struct result {
    double per_s, ratio, calls, instructions, more_instructions;
    long peak_kib;
};

/* options of the run */
struct options {
    double seconds;   /* per measurement */
    const char *json; /* file for JSON lines, NULL none */
    const char *self; /* this program */
};

/* --- measure.c, children.c --- */

double bench_now(void); /* seconds */
int bench_group(const struct options *o, const struct group *g, unsigned index,
                struct result out[GROUP_MAX]);
/* Measures in this process; out has per_s and ratio. */
int bench_rounds(const struct options *o, struct group *g,
                 struct result out[GROUP_MAX]);
double bench_median(double *v, unsigned n); /* sorts v */
/* Instructions of one operation by callgrind, negative without valgrind. */
double bench_instructions(const struct options *o, unsigned group, unsigned c);

/* Calls to devices by this process so far. */
uint64_t bench_calls(void);

/* --- report.c --- */

void report_head(void);
void report_group(const struct options *o, const struct group *g,
                  const struct result r[GROUP_MAX]);
/* text: what idevid-pledge --json join printed */
int report_join(const struct options *o, const char *name, const char *text);

/* --- hwkey.c --- */

struct hwkey {
    OSSL_LIB_CTX *libctx;
    EVP_PKEY *key;
};

int bench_fail(const char *what); /* says it and libcrypto's queue; 0 */
OSSL_LIB_CTX *hwkey_context(bool with_hwkey);
const char *hwkey_uri(enum device device, enum alg alg);
EVP_PKEY *hwkey_open(OSSL_LIB_CTX *libctx, const char *uri);
int hwkey_make(enum device device, enum alg alg); /* in the device */
EVP_PKEY *software_key(OSSL_LIB_CTX *libctx, enum alg alg);
X509 *self_signed(OSSL_LIB_CTX *libctx, EVP_PKEY *key);

extern const struct group bench_groups[];
extern const unsigned bench_group_count;

/* --- contestants --- */

int hwkey_sign_open(struct contestant *c), hwkey_sign(struct contestant *c);
int hwkey_kept_open(struct contestant *c);
int hwkey_kept_sign(struct contestant *c);
int raw_token_open(struct contestant *c), raw_token_sign(struct contestant *c);
int raw_tpm_open(struct contestant *c), raw_tpm_sign(struct contestant *c);
int raw_token_load(struct contestant *c), raw_tpm_load(struct contestant *c);
int tls_open(struct contestant *c), tls_handshake(struct contestant *c);
int parse_open(struct contestant *c), parse_cert(struct contestant *c);
int parse_make(enum alg alg); /* the certificate, in $BENCH_DIR */
int load_nothing(struct contestant *c), load_provider(struct contestant *c);
int load_open(struct contestant *c), load_key(struct contestant *c);

#endif
