/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-pledge: brings this device into its owner's domain. */
#include "pledge.h"

struct pledge_conf pledge_configuration;

static const struct tool_verb verbs[] = {
    {"join", "", "get a voucher, imprint and enroll; nothing if enrolled", 0, 0,
     pledge_join_options, pledge_join, true},
    {"imprint", "", "without a voucher, by who stands at the device", 0, 0,
     pledge_imprint_options, pledge_imprint, true},
    {"run", "", "the agent: join when it can, renew when it is time", 0, 0,
     NULL, pledge_run, true},
    {"renew", "", "get a new certificate, before the present one ends", 0, 0,
     pledge_renew_options, pledge_renew, true},
    {"status", "", "what this device belongs to", 0, 0, pledge_status_options,
     pledge_status, true},
    {"reset", "", "leave the domain: back to factory default", 0, 0, NULL,
     pledge_reset, true},
    {"discover", "", "show who could be asked, as they are found", 0, 0,
     pledge_discover_options, pledge_discover, false},
    {0}};

static idv_rc configure(struct tool *t)
{
    return tool_use_device_conf(t, &pledge_configuration.device);
}

int main(int argc, char **argv)
{
    static const struct tool_option none[] = {{0}};
    static struct tool t = {
        .name = "idevid-pledge",
        .about = "Brings this device into its owner's domain (BRSKI, RFC "
                 "8995).",
        .verbs = verbs,
        .options = none,
        .environment = TOOL_DEVICE_ENVIRONMENT,
        .deviceless = "run",
        .conf_table = &pledge_table,
        .conf_path = "/etc/idevid/pledge.ini",
        .conf = &pledge_configuration,
        .configure = configure,
    };
    return tool_main(&t, argc, argv);
}
