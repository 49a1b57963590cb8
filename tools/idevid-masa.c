/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-masa: the manufacturer's authority that signs vouchers. */
#include "masa.h"
#include "masa_verify.h"

struct masa_options masa_opt;

static idv_rc backup(struct tool *t, int argc, char **argv)
{
    (void)argc;
    return service_backup(t, masa_maker()->service.database, argv[0]);
}

static const struct tool_option init_options[] = {
    {"device", 0, "URI", "where the keys are: a token (pkcs11:token=...)",
     &masa_opt.token, NULL, NULL},
    {"maker", 0, "NAME", "the maker's name", &masa_opt.maker, NULL, NULL},
    {"anchors", 0, "FILE",
     "issuers of its IDevIDs (PEM; repeatable), as idevid-factory made them",
     NULL, NULL, masa_opt.anchors},
    {"name", 0, "HOST",
     "a name or address of the MASA (repeatable; default loopback)", NULL, NULL,
     masa_opt.names},
    {"type", 0, "TYPE", "P-256 (default), P-384, RSA-2048, RSA-3072",
     &masa_opt.type, NULL, NULL},
    {0}};

static const struct tool_option rollover_options[] = {
    {"device", 0, "URI", "where the keys are, as for init", &masa_opt.token,
     NULL, NULL},
    {"from", 0, "TIME", "when it begins to sign (default: now)", &masa_opt.from,
     NULL, NULL},
    {"name", 0, "HOST",
     "of a server: its names or addresses (repeatable; default loopback)", NULL,
     NULL, masa_opt.names},
    {"type", 0, "TYPE", "P-256 (default), P-384, RSA-2048, RSA-3072",
     &masa_opt.type, NULL, NULL},
    {0}};

static const struct tool_option standing_options[] = {
    {"reason", 0, "TEXT", "why; kept with the device", &masa_opt.reason, NULL,
     NULL},
    {"issuer", 0, "HEX",
     "of which issuer's devices, where several have one of "
     "that number (issuer-keyid of list)",
     &masa_opt.issuer, NULL, NULL},
    {0}};

static const struct tool_option device_options[] = {
    {"issuer", 0, "HEX",
     "of which issuer's devices, where several have one of "
     "that number (issuer-keyid of list)",
     &masa_opt.issuer, NULL, NULL},
    {0}};

static const struct tool_option restore_options[] = {
    {"older", 0, NULL, "also a copy that lacks entries of the log", NULL,
     &masa_opt.older, NULL},
    {0}};

static const struct tool_option registrar_options[] = {
    {"name", 0, "TEXT", "how to call it (default: its subject)", &masa_opt.name,
     NULL, NULL},
    {"nonceless", 0, NULL, "it may have vouchers without nonce", NULL,
     &masa_opt.nonceless, NULL},
    {"blocked", 0, NULL, "it gets no voucher at all", NULL, &masa_opt.blocked,
     NULL},
    {0}};

static const struct tool_verb verbs[] = {
    {"run", "", "serve until told to stop", 0, 0, NULL, masa_run, true},
    {"init", "DIR", "make the keys, masa.ini, and what registrars need", 1, 1,
     init_options, masa_init, false},
    {"rollover", "DIR voucher | nonceless | server",
     "make the next key of this kind, beside the present one", 2, 2,
     rollover_options, masa_rollover, false},
    {"import", "FILE ...", "register devices (what idevid-factory exports)", 1,
     -1, NULL, masa_import, true},
    {"sales", "FILE ...", "whom devices were sold to", 1, -1, NULL, masa_sales,
     true},
    {"export", "", "all devices, a line each, as import takes them", 0, 0, NULL,
     masa_export, true},
    {"list", "[SERIAL]", "registered devices", 0, 1, NULL, masa_list, true},
    {"device", "list | show SERIAL", "the same; all that is known of one", 1, 2,
     NULL, masa_device, true},
    {"log", "[SERIAL]", "the audit log: every voucher issued", 0, 1, NULL,
     masa_log, true},
    {"log-key", "", "print the public key of the log (PEM)", 0, 0, NULL,
     masa_log_key, true},
    {"verify-log", "[URL]",
     "has the log of a MASA only grown, and is it what its tree says", 0, 1,
     masa_verify_options, masa_verify_log, false},
    {"block", "SERIAL", "issue no voucher for this device", 1, 1,
     standing_options, masa_block, true},
    {"unblock", "SERIAL", "issue vouchers for it again, whatever it was", 1, 1,
     standing_options, masa_unblock, true},
    {"stolen", "SERIAL", "the same as block, and the registrar hears of it", 1,
     1, standing_options, masa_stolen, true},
    {"transfer", "SERIAL",
     "its owner gives it away: no voucher until the next one claims it", 1, 1,
     standing_options, masa_transfer, true},
    {"retire", "SERIAL", "it is taken out of service", 1, 1, standing_options,
     masa_retire, true},
    {"eol", "SERIAL", "its maker looks after it no longer", 1, 1,
     standing_options, masa_eol, true},
    {"owner", "claim SERIAL CERT | forget SERIAL",
     "the domain CA it was sold to: others get no voucher", 1, 3,
     device_options, masa_owner, true},
    {"origin", "show CERT | forget CERT",
     "the networks that a domain comes from (where origin in [policy] keeps "
     "them)",
     2, 2, NULL, masa_origin, true},
    {"policy",
     "list | show OF NAME | set OF NAME SETTING=VALUE ... | clear OF NAME "
     "SETTING ...",
     "what holds for the devices of a model or customer, or for a device (OF)",
     1, -1, device_options, masa_policy, true},
    {"status", "", "how the service, its keys and its log stand", 0, 0, NULL,
     masa_status, true},
    {"backup", "FILE", "copy the database as it is now", 1, 1, NULL, backup,
     true},
    {"restore", "FILE", "put such a copy in the place of the database", 1, 1,
     restore_options, masa_restore, true},
    {"registrar", "CERT | list",
     "name a registrar or domain CA and what it may", 1, 1, registrar_options,
     masa_registrar, true},
    {0}};

static idv_rc configure(struct tool *t)
{
    IDV_TRY(tool_use_device_conf(t, &masa_conf.device));
    return masa_choose();
}

int main(int argc, char **argv)
{
    static const struct tool_option options[] = {
        {"tenant", 0, "NAME",
         "of which maker, where NAME.ini is one of several (tenants of "
         "[server])",
         &masa_opt.tenant, NULL, NULL},
        {0}};
    static struct tool t = {
        .name = "idevid-masa",
        .about = "The manufacturer's authority: signs vouchers and keeps the "
                 "log of them\n(RFC 8995). Other verbs ask the running "
                 "service\non its admin socket, or the database when none "
                 "runs.",
        .verbs = verbs,
        .options = options,
        .environment = TOOL_DEVICE_ENVIRONMENT,
        .conf_table = &masa_table,
        .conf_path = "/etc/idevid/masa.ini",
        .conf = &masa_conf,
        .check = masa_check_conf,
        .configure = configure,
        .probe = masa_probe,
    };
    int code = tool_main(&t, argc, argv);
    masa_unchoose();
    return code;
}
