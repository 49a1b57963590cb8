/* SPDX-License-Identifier: Apache-2.0 */
/* A device whose trust anchor is sealed in the TPM that the environment names:
 * what is done with it, to be counted and timed. */
#ifndef BENCH_ANCHOR_H
#define BENCH_ANCHOR_H

#include <idevid/trust.h>

#include "tests/lib/pki.h"

/* an idv_rc: 1, or 0 after a line on stderr */
#define DONE(call) life_done(call, #call)
int life_done(idv_rc rc, const char *what);

struct life {
    struct pki pki;
    struct idv_device *dev;
    char dir[1024];
    struct idv_anchor_conf conf;
    EVP_PKEY *maker; /* who approves, where that is asked for */
    struct idv_trust *trust;
};

/* People and files; no device yet. */
int life_prepare(struct life *l);
/* Once in a process. counted: by way of $TCTICOUNT. */
int life_begin(struct life *l, bool counted);
void life_profile(struct life *l, enum idv_anchor_profile profile);
int life_factory(struct life *l); /* its part, where the profile has one */
int life_start(struct life *l);   /* as at every start of a program */
int life_reset(struct life *l);
int life_clean(struct life *l); /* nothing is left in the TPM */
void life_end(struct life *l);

/* What comes from the network, before the TPM is asked to seal it. */
struct word {
    struct idv_pinned pinned;
    struct idv_buf sealed;
};
int life_word(struct life *l, struct word *w); /* the state is NONE */
int life_imprint(struct life *l, const struct word *w);
void life_word_free(struct word *w);

/* --- anchor_raw.c: the commands of profile owner by ESYS --- */

int raw_anchor_open(void);
int raw_anchor_imprint(void), raw_anchor_check(void), raw_anchor_reset(void);
int raw_anchor_close(void); /* its indices are gone, too */

#endif
