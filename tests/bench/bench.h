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
enum alg { P256, RSA2048, ED25519 };

/* what is loaded beside the default provider, HWKEY_FIRST before it */
enum beside { NOTHING, BARE, BARE_ALL, HWKEY, HWKEY_FIRST };

/* One way of doing something. open prepares, op does it once; both give 1, or
 * 0 after a line on stderr. A process opens a contestant once and just ends:
 * nothing is closed. */
struct contestant {
    const char *name;
    int (*open)(struct contestant *c);
    int (*op)(struct contestant *c);
    enum device device;
    enum alg alg;
    enum beside with;
    size_t message;  /* bytes to sign; 0: a short text (the group's) */
    bool in_thread;  /* instructions are counted in a thread of its own, where
                        memory is dearer */
    const char *uri; /* of the key, or a file in $BENCH_DIR; NULL: by alg */
    void *state;
};

#define GROUP_MAX 7
struct group {
    const char *name;
    struct contestant c[GROUP_MAX]; /* ended by one without a name */
    const char *delay_ms;           /* added to each TPM command; NULL none */
    size_t message;  /* bytes that its contestants sign; 0: a short text */
    bool cold;       /* each operation in a process of its own */
    unsigned counts; /* over so many operations instructions are counted too,
                        when valgrind is there; 0: they are not */
};

/* What came out; negative: not known or of no meaning. bytes are those that a
 * token was given to sign or to hash. */
struct result {
    double per_s, ratio, calls, bytes, instructions, more_instructions;
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
/* Calls of one operation, in a process of its own: the very first one, or those
 * that come later. */
int bench_calls_of(const struct options *o, const struct contestant *c,
                   bool first, double *calls);
/* Measures in this process; out has per_s and ratio. */
int bench_rounds(const struct options *o, struct group *g,
                 struct result out[GROUP_MAX]);
double bench_median(double *v, unsigned n); /* sorts v */
/* Instructions of one operation by callgrind, negative without valgrind. */
double bench_instructions(const struct options *o, unsigned group, unsigned c);

/* Calls to devices by this process so far; bytes given to a token. */
uint64_t bench_calls(void);
uint64_t bench_bytes(void);
/* TPM_CC of the i-th command that this process sent, see count.h. */
uint32_t bench_code(uint64_t i);

/* --- report.c --- */

void report_head(void);
void report_group(const struct options *o, const struct group *g,
                  const struct result r[GROUP_MAX]);
/* text: what idevid-pledge --json join printed */
int report_join(const struct options *o, const char *name, const char *text);
/* A figure against what is promised: at most that, or at least. where: how the
 * TPM is reached. */
#define PROMISE_NONE (-1.0) /* nothing is */
void report_promise(const struct options *o, const char *where,
                    const char *name, const char *unit, double figure,
                    double limit, bool at_least);

/* --- targets.c --- */

/* What the project promises, and whether these results keep it. */
void report_targets(const struct options *o,
                    const struct result all[][GROUP_MAX]);

/* --- tpm.c --- */

/* What the project promises of TPMs, measured on the one that the environment
 * names; where says how it is reached. */
int bench_tpm(const struct options *o, const char *where, bool managed);

/* --- anchor.c --- */

/* What the sealed anchor costs on the TPM that the environment names. */
int bench_anchor(const struct options *o, const char *where, bool managed);
/* The time it takes, against the same commands by ESYS (anchor_raw.c). */
int bench_anchor_times(const struct options *o, const char *where);

/* --- voucher.c --- */

/* A pledge with a software key, from its connection to its imprint; in:
 * registrar, key, chain, maker's anchors, state directory. */
int bench_voucher(char **in);

/* --- desk.c --- */

/* How many requests of devices the CA's side of a line judges. */
int bench_desk(const struct options *o);

/* --- hwkey.c --- */

struct hwkey {
    OSSL_LIB_CTX *libctx;
    EVP_PKEY *key;
    EVP_MD_CTX *again; /* of sign_again */
};

int bench_fail(const char *what); /* says it and libcrypto's queue; 0 */
OSSL_LIB_CTX *hwkey_context(enum beside with);
const char *alg_label(enum alg alg); /* of its key in the token */
const char *hwkey_uri(enum device device, enum alg alg);
EVP_PKEY *hwkey_open(OSSL_LIB_CTX *libctx, const char *uri);
EVP_PKEY *hwkey_file(OSSL_LIB_CTX *libctx, const char *name);
EVP_PKEY *key_of(OSSL_LIB_CTX *libctx, const struct contestant *c);
int hwkey_make(enum device device, enum alg alg); /* in the device */
EVP_PKEY *software_key(OSSL_LIB_CTX *libctx, enum alg alg);
X509 *self_signed(OSSL_LIB_CTX *libctx, EVP_PKEY *key);
const unsigned char *message_of(const struct contestant *c, size_t *n);

/* --- bare.c: a provider with the same types of key that does nothing but what
 * the floor does: the share of libcrypto in what a provider costs --- */

/* all: as many types of keys as hwkey has, and a decoder of PEM */
int bare_load(OSSL_LIB_CTX *libctx, bool all);
EVP_PKEY *bare_key(OSSL_LIB_CTX *libctx);

/* --- groups.c --- */

extern const struct group bench_groups[];
extern const unsigned bench_group_count;

/* --- contestants --- */

int sign_open(struct contestant *c), sign_once(struct contestant *c);
int sign_again_open(struct contestant *c), sign_again(struct contestant *c);
int bare_open(struct contestant *c);
int hwkey_kept_open(struct contestant *c);
int hwkey_kept_sign(struct contestant *c);
int raw_token_open(struct contestant *c), raw_token_sign(struct contestant *c);
/* signs, in DER when it is ECDSA; *sig_n is the room on entry */
int raw_token_signature(enum alg alg, const unsigned char *message, size_t n,
                        unsigned char *sig, size_t *sig_n);
int raw_tpm_open(struct contestant *c), raw_tpm_sign(struct contestant *c);
int raw_token_load(struct contestant *c), raw_tpm_load(struct contestant *c);
int tls_open(struct contestant *c), tls_handshake(struct contestant *c);
int parse_open(struct contestant *c), parse_cert(struct contestant *c);
int parse_make(enum alg alg); /* the certificate, in $BENCH_DIR */
int load_nothing(struct contestant *c), load_provider(struct contestant *c);
int load_open(struct contestant *c), load_key(struct contestant *c);
int load_unload(struct contestant *c), open_close(struct contestant *c);
int csr_sign(struct contestant *c), cms_open(struct contestant *c);
int cms_sign(struct contestant *c);

#endif
