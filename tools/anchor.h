/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of idevid-anchor, a file each. */
#ifndef TOOL_ANCHOR_H
#define TOOL_ANCHOR_H

#include "state.h"
#include "tool.h"

extern struct pledge_conf anchor_configuration;

typedef idv_rc anchor_verb(struct tool *t, int argc, char **argv);
anchor_verb anchor_show, anchor_check, anchor_imprint, anchor_reset,
    anchor_profile, anchor_evidence, anchor_verify_evidence;
/* The state of an open device, as show prints it. */
idv_rc anchor_print(const struct state *s) IDV_CHECKED;
extern const struct tool_option anchor_imprint_options[],
    anchor_reset_options[], anchor_profile_options[], anchor_evidence_options[],
    anchor_verify_evidence_options[];

#endif
