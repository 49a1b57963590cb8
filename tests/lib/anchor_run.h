/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that act on the anchor in a software TPM, each a process of its
 * own, which can be made to end, or to fail, at any of its steps. */
#ifndef TESTS_ANCHOR_RUN_H
#define TESTS_ANCHOR_RUN_H

#include <idevid/trust.h>

#include "tests/lib/pki.h"
#include "tests/lib/swtpm.h"

/* what a program does once it has opened the device */
enum run_act {
    RUN_OBSERVE, /* opens the state to look at it only */
    RUN_OPEN,    /* opens it as one who may act */
    RUN_IMPRINT, /* opens it and imprints on run.pki's domain */
    RUN_ENROLL,  /* opens it and enrolls */
    RUN_RESET,   /* opens it and resets */
    RUN_WIPE,    /* resets without opening */
    RUN_FORGET,  /* undefines the counter, as the TPM's owner can */
};

/* Its steps, counted from the act proper on, opening the state not among them
 * unless that is the act. */
enum run_step {
    RUN_SENDS,   /* a command is about to be sent to the TPM */
    RUN_ANSWERS, /* the TPM has executed it, the answer is still on its way */
    RUN_FILES,   /* something on disk is about to be changed */
    RUN_STEPS
};

/* what happens at the n-th step (from 1; 0: nothing does) of that kind */
enum run_end {
    RUN_DIES, /* the process is gone; of a write, half is done */
    RUN_FAILS /* the line to the TPM is broken, once; the disk is full, once */
};

struct run_result {
    idv_rc rc; /* of the act */
    char note[IDV_NOTE_MAX];
    bool opened, unsure, pinned; /* pinned: run.pki's domain, and no other */
    enum idv_trust_state state;  /* afterwards, if it was opened */
    uint64_t generation;
    char cut[32];         /* what an observer says was cut short */
    int steps[RUN_STEPS]; /* that there were, until it ended */
    bool struck;          /* the step that was meant came */
    bool died;            /* nothing of the above is known but the steps */
};

struct run {
    struct pki *pki;
    struct swtpm *tpm;
    const char *tcti;     /* NULL: tpm's own */
    const char *salt_key; /* whom the TPM is known by; NULL: it is not */
    const char *dir;      /* the state directory */
    struct idv_anchor_conf anchor;
    enum run_step kind;
    enum run_end end;
    int at;
};

/* Runs such a program to its end. false: it came to another end than it was
 * made to (a signal), and stderr says which. */
bool run_act(const struct run *run, enum run_act act, struct run_result *out);

/* SHA-256 over all that an act could have changed: names and bytes of files
 * below dir, public areas and bytes of the indices at 0x01800A00 to A02. Not
 * how many answers the TPM has given, nor its clock. */
bool run_snapshot(const struct run *run, uint8_t out[32]);

#endif
