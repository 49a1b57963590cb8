/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that satisfy policies. */
#ifndef HWK_TPM2_SATISFY_INT_H
#define HWK_TPM2_SATISFY_INT_H

#include "provider/device/tpm2_rule_text.h"
#include "provider/device/tpm2_satisfy.h"

#define HWK_TPM_WHY_MAX 512

/* What the state keeps for all keys; a pointer to it is in struct hwk_tpm. */
struct hwk_tpm_policies {
    bool read; /* signer was */
    struct hwk_tpm_signer *signer;
};
/* NULL without memory. */
struct hwk_tpm_policies *hwk_tpm_policies(struct hwk_tpm *tpm);

/* A ticket for PolicyAuthorize, which costs three commands: kept. */
struct hwk_tpm_approval {
    TPM2B_DIGEST policy; /* what was approved; size 0: nothing yet */
    TPM2B_NAME name;
    TPMT_TK_VERIFIED ticket;
};

#define HWK_TPM_ASKED 3

struct hwk_tpm_guard {
    TPMI_ALG_HASH alg;
    char from[64];               /* where the ways come from, for messages */
    struct hwk_tpm_policy *text; /* of the configuration; NULL: of a file */
    struct hwk_tpm_rules own;    /* compiled from it */
    const struct hwk_tpm_rule **ways; /* in own or in the key file */
    size_t n;
    size_t last;                      /* 1 + the way that did; 0: none yet */
    TPM2_HANDLE owner_reads;          /* an index that the owner reads */
    struct hwk_tpm_approval approval; /* the last one */
    struct {
        TPM2_HANDLE handle;        /* a hierarchy; 0: none */
        struct hwk_secret *secret; /* what somebody typed */
    } asked[HWK_TPM_ASKED];
    bool pcrs;          /* the way in use has PolicyPCR */
    bool proves_auth;   /* one of them has PolicyAuthValue, or the session is to
                           be salted for another reason */
    TPM2B_DIGEST given; /* what PolicyAuthorize approves, where nobody can
                           compute it; size 0: the TPM is asked */
};

bool hwk_tpm_proves_auth(const struct hwk_tpm_rule *way);

/* How a step or a way ended. */
enum hwk_tpm_outcome {
    HWK_TPM_SATISFIED,
    HWK_TPM_REFUSED, /* why says so */
    HWK_TPM_LOST,    /* there is no such session any more */
    HWK_TPM_RAISED,  /* nothing will do: a reason is on the queue */
};

struct hwk_tpm_signer;

/* One way on its way. */
struct hwk_tpm_run {
    struct hwk_tpm *tpm;
    struct hwk_tpm_guard *guard;
    const struct hwk_tpm_key *key;
    struct hwk_tpm_use *use;
    bool started, begun; /* there is a session; with something in it */
    bool denied;         /* PolicySecret: the value was wrong */
    TPM2_HANDLE handle;  /* of use->session */
    TPM2B_DIGEST digest; /* so far, size 0: not known */
    char why[HWK_TPM_WHY_MAX];
};

/* One of run->guard's ways is satisfied in run->use->session afterwards. False:
 * why says of each what it lacks, or, *stop, a reason is on the queue. */
bool hwk_tpm_satisfy(struct hwk_tpm_run *run, bool *stop);

/* Whether term can be satisfied at all, without asking the TPM: false with why
 * filled. */
bool hwk_tpm_step_possible(struct hwk_tpm_run *run,
                           const struct hwk_tpm_term *term);

/* Runs term's commands in the session. */
enum hwk_tpm_outcome hwk_tpm_step_run(struct hwk_tpm_run *run,
                                      const struct hwk_tpm_term *term);

/* Its parts in other files, and the keys that sign. */
enum hwk_tpm_outcome hwk_tpm_step_signed(struct hwk_tpm_run *run,
                                         const struct hwk_tpm_term *term);
enum hwk_tpm_outcome hwk_tpm_step_authorize(struct hwk_tpm_run *run,
                                            const struct hwk_tpm_term *term);
const struct hwk_tpm_signer *hwk_tpm_step_signer(struct hwk_tpm_run *run);

/* A hierarchy's name and ESYS handle; NULL for something else. */
const char *hwk_tpm_hierarchy(TPM2_HANDLE handle, ESYS_TR *tr);

/* The auth value of an object that a policy asks for: of pin-source.NAME, or
 * what was asked for; *out NULL: an empty one. The caller frees it. */
int hwk_tpm_guard_secret(const struct hwk_tpm *tpm,
                         const struct hwk_tpm_guard *guard, TPM2_HANDLE handle,
                         struct hwk_secret **out);

/* What a command's rc means. */
enum hwk_tpm_outcome hwk_tpm_step_outcome(struct hwk_tpm_run *run,
                                          const struct hwk_tpm_term *term,
                                          TSS2_RC rc);

/* Fills why with what is not as term wants it: the TPM gave rc. It reads what
 * it needs to say more than that. */
void hwk_tpm_step_why(struct hwk_tpm_run *run, const struct hwk_tpm_term *term,
                      TSS2_RC rc);

/* Appends to why. */
void hwk_tpm_why(struct hwk_tpm_run *run, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
