/* SPDX-License-Identifier: Apache-2.0 */
/* A private key in a TPM as the provider holds it, and what it can do. */
#ifndef HWK_TPM2_KEY_H
#define HWK_TPM2_KEY_H

#include <stdatomic.h>

#include "provider/device/tpm2_keyfile.h"
#include "provider/device/tpm2_object.h"

struct hwk_tpm_guard;

/* The hwk_ref of this row. */
struct hwk_tpm_key {
    struct hwk_tpm_object *object;
    struct hwk_secret *auth; /* NULL: empty */
    atomic_bool refused;     /* auth is known to be wrong: not tried again */
    atomic_bool proven;      /* the TPM took it once */
    struct hwk_tpm_keyfile *file; /* what it is in, with its policy; NULL: the
                                     key is at its handle. Set by who made the
                                     key, before anybody else has it. */
    struct hwk_tpm_guard *guard;  /* tpm2_satisfy.h; NULL: not known yet, or its
                                     auth value is enough */
    bool judged;                  /* guard is what it is */
    bool again;                   /* the command was tried once more */
};

/* Takes object and auth (NULL is fine), also when it fails. Call it between
 * begin and end. NULL with a reason. */
struct hwk_tpm_key *hwk_tpm_key_new(struct hwk_tpm *tpm,
                                    struct hwk_tpm_object *object,
                                    struct hwk_secret *auth);
/* Not between begin and end. */
void hwk_tpm_key_free(struct hwk_tpm *tpm, struct hwk_tpm_key *key);

/* What a key is used for, and with what. */
struct hwk_tpm_use {
    TPM2_CC code;        /* of the command */
    unsigned secret;     /* HWK_TPM_SECRET_* of it */
    ESYS_TR tr, session; /* the key, and what authorises the command */
    bool changed;        /* a PCR did, once */
    bool reopened;       /* what was lost was looked for once */
};

/*
 * begin, then use->tr and use->session for the command that use names: the
 * key's auth value authorises it, or a session in which its policy is
 * satisfied. NULL with a reason. hwk_tpm_key_again is told what the command
 * gave; when it is true the command is to be sent once more, with what is in
 * use now, tpm->esys too: a session was lost (see hwk_tpm_again), or the key,
 * or the line, or a PCR was extended meanwhile. An auth value that may be
 * wrong, and counts then, is not sent twice.
 * hwk_tpm_key_done ends it and judges rc: 1, or 0 with a reason; a refused auth
 * value is remembered.
 */
ESYS_CONTEXT *hwk_tpm_key_use(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                              struct hwk_tpm_use *use);
bool hwk_tpm_key_again(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                       struct hwk_tpm_use *use, TSS2_RC rc);
int hwk_tpm_key_done(struct hwk_tpm *tpm, struct hwk_tpm_key *key, TSS2_RC rc,
                     const char *what);

/* alg's digest of p[n], made by the TPM, with its ticket that says so; between
 * begin and end. One command up to 1024 bytes, else two and one per 1024. */
TSS2_RC hwk_tpm_ticket(struct hwk_tpm *tpm, TPMI_ALG_HASH alg, const uint8_t *p,
                       size_t n, TPM2B_DIGEST *digest,
                       TPMT_TK_HASHCHECK *ticket);

/* As in backend.h; one command each, whatever the digest, but for restricted
 * keys, which sign what hwk_tpm_ticket hashed. */
int hwk_tpm_sign(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                 const struct hwk_mech *mech, const uint8_t *in, size_t n,
                 uint8_t *sig, size_t *sig_n);
int hwk_tpm_decrypt(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                    const struct hwk_mech *mech, const uint8_t *in, size_t n,
                    uint8_t *out, size_t *out_n);
int hwk_tpm_derive(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                   const uint8_t *peer, size_t n, uint8_t *out, size_t *out_n);
int hwk_tpm_random(struct hwk_tpm *tpm, uint8_t *out, size_t n);

/* RSA's private operation on a block as long as the modulus, out the same
 * length: for keys that hwk_tpm_can_raw.
 * What comes out is a signature: no secret. */
bool hwk_tpm_can_raw(const struct hwk_tpm_key *key);
int hwk_tpm_raw(struct hwk_tpm *tpm, struct hwk_tpm_key *key,
                const uint8_t *block, uint8_t *out, size_t n);

#endif
