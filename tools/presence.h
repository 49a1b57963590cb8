/* SPDX-License-Identifier: Apache-2.0 */
/* Imprinting by somebody who stands at the device. */
#ifndef TOOL_PRESENCE_H
#define TOOL_PRESENCE_H

#include "state.h"

struct tool_presence {
    const char *certificate; /* file: what is to be pinned */
    const char *sha256;      /* it must have this fingerprint; NULL: any */
    bool confirmed;          /* the answer, where nobody can be asked */
};

/*
 * NONE to IMPRINTED without a voucher, after the person at the terminal has
 * compared the fingerprint and typed a word. It is one imprint, and nothing is
 * remembered that would allow another one. The record says that there was no
 * voucher (its hash is zeros), and so do the log and the system's log for
 * authorizations. IDV_E_REJECT: not confirmed, another fingerprint.
 */
idv_rc tool_presence_imprint(struct state *s,
                             const struct tool_presence *given) IDV_CHECKED;

#endif
