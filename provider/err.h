/* SPDX-License-Identifier: Apache-2.0 */
/* Failures: a reason of library "hwkey" and a text, on libcrypto's queue. */
#ifndef HWK_ERR_H
#define HWK_ERR_H

#include "provider/device.h"

/*
 * The public reasons (HWK_R_NOT_FOUND ... HWK_R_KEY) are in device.h; the
 * rest say what kind of thing went wrong, the text says which and why.
 */
enum hwk_reason {
    HWK_R_MEMORY = 32,  /* out of memory */
    HWK_R_ARGUMENT,     /* a caller's argument is impossible */
    HWK_R_CONFIG,       /* openssl.cnf or the environment is wrong */
    HWK_R_TPM,          /* a TPM said no: TSS2_RC spelt out in the text */
    HWK_R_PKCS11,       /* a token said no: CK_RV spelt out in the text */
    HWK_R_MODULE,       /* a PKCS#11 module cannot be loaded */
    HWK_R_PARAM,        /* an OSSL_PARAM is wrong or missing */
    HWK_R_DIGEST,       /* a digest is unknown or not allowed */
    HWK_R_PADDING,      /* a padding mode is unknown or not allowed */
    HWK_R_FORMAT,       /* bytes that do not parse */
    HWK_R_FILE,         /* a file cannot be read */
    HWK_R_DELEGATE,     /* the software side (private context) failed */
    HWK_R_PRIVATE,      /* private material asked of a device key */
    HWK_R_COMPARE,      /* what was written reads back differently */
    HWK_R_FAULT,        /* a fault injected by a test */
    HWK_R_PIN_UNUSABLE, /* expired, or not set yet */
};

/* Puts reason and the printf-like text on the error queue of this thread.
 * Always gives 0, so that `return hwk_raise(...)` fails. */
#define hwk_raise(reason, ...)                                                 \
    hwk_raise_at(OPENSSL_FILE, OPENSSL_LINE, __func__, (reason), __VA_ARGS__)
int hwk_raise_at(const char *file, int line, const char *func, int reason,
                 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The same without a text, for where it happens all the time. */
int hwk_raise_bare(int reason);

/* The number of library "hwkey", registered with its reasons on first use.
 * libcrypto has 128 of them, and every library context with a provider in it
 * takes one for good; tpm2-tss makes such contexts by the hundred. So it is
 * called early, and afterwards gives what an error's number has room for. */
int hwk_err_lib(void);

/* Takes the strings out again before the code that holds them goes away. */
void hwk_err_unload(void);

/* In the child of a fork: no lock of the parent's threads is held here. */
void hwk_err_forked(void);

/* Around work that others do (modules leave errors behind although all went
 * well): what is queued after hwk_mark stays when ok is 0 and goes when it is
 * not. Gives ok. */
void hwk_mark(void);
int hwk_settle(int ok);

/* True when the newest error on the queue is ours and has this reason. */
bool hwk_err_is(int reason);

#endif
