/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: the class in the return value, the story in a note. */
#ifndef IDEVID_ERR_H
#define IDEVID_ERR_H

#include <stddef.h>

/*
 * Classes of failure. Who detects one, notes it with idv_fail(); who passes
 * it on stays silent; who decides (tool, daemon, driver) reads the note with
 * idv_note(), logs it once and clears it.
 */
enum idv_rc {
    IDV_OK = 0,
    IDV_E_NOMEM,   /* out of memory */
    IDV_E_ARG,     /* the caller broke the contract, or a bad option/URI */
    IDV_E_FORMAT,  /* bytes from outside are not what they should be */
    IDV_E_LIMIT,   /* well-formed but over a documented bound */
    IDV_E_CRYPTO,  /* libcrypto failed; its error queue is in the note */
    IDV_E_REJECT,  /* understood and refused: verification or policy */
    IDV_E_IO,      /* file or database */
    IDV_E_NET,     /* a socket, TLS, or the other end: gone or broken */
    IDV_E_TIMEOUT, /* a deadline passed */
    IDV_E_STATE,   /* not now: the object is in the wrong state */
    IDV_E_DEVICE,  /* TPM or token: missing, locked, wrong PIN, failing */
    IDV_E_UNABLE,  /* this device, as it is set up, has no means for it */
};

#define IDV_CHECKED __attribute__((warn_unused_result))
#define IDV_PRINTF(f, a) __attribute__((format(printf, f, a)))

typedef enum idv_rc idv_rc;

#define IDV_NOTE_MAX 512 /* bytes of a note, with its NUL */

/*
 * Notes why something failed and returns rc, so that
 * `return idv_fail(IDV_E_FORMAT, "voucher: no serial-number");` is one line.
 * The first note of a thread stays until idv_note_clear(): a caller with a
 * vaguer story cannot overwrite it. IDV_E_CRYPTO and IDV_E_DEVICE append
 * libcrypto's error queue to the note that they make, and empty the queue also
 * when an older note stands. Form: "what: what was wrong", no key material.
 */
idv_rc idv_fail(idv_rc rc, const char *fmt, ...) IDV_PRINTF(2, 3);

/*
 * For who passes a failure on and knows more of where it happened, say file and
 * line: puts the formatted context (cut at half a note) and ": " before the
 * note, or before rc's name if there is none. Returns rc.
 */
idv_rc idv_fail_within(idv_rc rc, const char *fmt, ...) IDV_PRINTF(2, 3);

/* The note of this thread; "" if there is none. Never NULL. */
const char *idv_note(void);

/* Forgets the note of this thread. */
void idv_note_clear(void);

/* "format", "refused", ...: a word for the class, for logs. Never NULL. */
const char *idv_rc_name(idv_rc rc);

/* Returns from the calling function unless call gave IDV_OK. */
#define IDV_TRY(call)                                                          \
    do {                                                                       \
        idv_rc idv_try_ = (call);                                              \
        if (idv_try_ != IDV_OK)                                                \
            return idv_try_;                                                   \
    } while (0)

#endif
