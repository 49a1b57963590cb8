/* SPDX-License-Identifier: Apache-2.0 */
/* A device made of memory: keys by name (hwksoft:NAME), faults by number. */
#ifndef BACKEND_SOFT_H
#define BACKEND_SOFT_H

#include "provider/backend.h"

/*
 * Set hwk_backend_for_tests = &hwk_backend_soft before the provider is loaded.
 * Keys "ec", "ec384", "ec521", "rsa" are there from the start; "EC?pin" style
 * protection: a key whose name begins with "pin-" wants the PIN "1234".
 */
extern const struct hwk_backend hwk_backend_soft;

struct soft_control {
    int calls;   /* device calls since soft_reset */
    int fail_at; /* the call that fails, from 1; 0: none */
    int opened, closed, forked, renewed;
    int refs;     /* keys handed out and not released */
    int asked;    /* PINs asked for */
    bool message; /* keys want messages, SHA-256 only */
};
extern struct soft_control soft;
void soft_reset(void);

#endif
