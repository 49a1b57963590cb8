/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-anchor: what this device belongs to, and nothing else. */
#include "anchor.h"

struct pledge_conf anchor_configuration;

static const struct tool_verb verbs[] = {
    {"show", "", "the trust anchor, how it is kept, and against whom", 0, 0,
     NULL, anchor_show, true},
    {"check", "", "is the device imprinted, and all as it was sealed?", 0, 0,
     NULL, anchor_check, true},
    {"imprint", "", "seal a trust anchor, by a voucher or by hand", 0, 0,
     anchor_imprint_options, anchor_imprint, true},
    {"reset", "", "back to factory default; the IDevID stays", 0, 0,
     anchor_reset_options, anchor_reset, true},
    {"profile", "", "how the anchor is kept, and what other ways need", 0, 0,
     anchor_profile_options, anchor_profile, true},
    {"evidence", "", "have the TPM prove it to somebody else", 0, 0,
     anchor_evidence_options, anchor_evidence, true},
    {"verify-evidence", "FILE", "what does such a proof prove?", 1, 1,
     anchor_verify_evidence_options, anchor_verify_evidence, false},
    {0}};

static idv_rc configure(struct tool *t)
{
    return tool_use_device_conf(t, &anchor_configuration.device);
}

int main(int argc, char **argv)
{
    static const struct tool_option none[] = {{0}};
    static struct tool t = {
        .name = "idevid-anchor",
        .about = "Keeps the trust anchor of this device: sealed, provable, "
                 "gone in one command.",
        .verbs = verbs,
        .options = none,
        .environment = TOOL_DEVICE_ENVIRONMENT,
        .conf_table = &pledge_table,
        .conf_path = "/etc/idevid/pledge.ini",
        .conf = &anchor_configuration,
        .configure = configure,
    };
    return tool_main(&t, argc, argv);
}
