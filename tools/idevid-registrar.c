/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-registrar: the owner's end, admits devices and lets them enroll. */
#include "registrar.h"

struct registrar_conf registrar_conf;
struct registrar_options registrar_opt;

static const struct tool_option init_options[] = {
    {"device", 0, "URI",
     "where the keys are: the owner's token (pkcs11:token=...) or TPM (tpm2:)",
     &registrar_opt.token, NULL, NULL},
    {"token", 0, "URI", "the same", &registrar_opt.token, NULL, NULL},
    {"accept-loss", 0, NULL, "a CA in a TPM, which dies with the mainboard",
     NULL, &registrar_opt.accept_loss, NULL},
    {"domain", 0, "NAME", "the domain's name", &registrar_opt.domain, NULL,
     NULL},
    {"name", 0, "HOST",
     "a name or address of the registrar (repeatable; default loopback)", NULL,
     NULL, registrar_opt.names},
    {"maker", 0, "FILE",
     "a maker's file, for registrar.ini (absolute; repeatable)", NULL, NULL,
     registrar_opt.makers},
    {"type", 0, "TYPE", "P-256 (default), P-384, RSA-2048, RSA-3072",
     &registrar_opt.type, NULL, NULL},
    {0}};

static const struct tool_option rollover_options[] = {
    {"device", 0, "URI",
     "where the keys are: the owner's token (pkcs11:token=...) or TPM (tpm2:)",
     &registrar_opt.token, NULL, NULL},
    {"token", 0, "URI", "the same", &registrar_opt.token, NULL, NULL},
    {"accept-loss", 0, NULL, "a CA in a TPM, which dies with the mainboard",
     NULL, &registrar_opt.accept_loss, NULL},
    {"type", 0, "TYPE", "P-256 (default), P-384, RSA-2048, RSA-3072",
     &registrar_opt.type, NULL, NULL},
    {0}};

static const struct tool_option list_options[] = {
    {"pending", 0, NULL, "only those that wait for a decision", NULL,
     &registrar_opt.pending, NULL},
    {"findings", 0, NULL, "what was odd about devices and makers instead", NULL,
     &registrar_opt.findings, NULL},
    {"stored", 0, NULL, "vouchers that prefetch had instead", NULL,
     &registrar_opt.stored, NULL},
    {0}};

static const struct tool_option approve_options[] = {
    {"maker", 0, "NAME", "the maker (not needed where there is one only)",
     &registrar_opt.maker, NULL, NULL},
    {"imprinted", 0, NULL,
     "they were imprinted elsewhere and may enroll without a voucher", NULL,
     &registrar_opt.imprinted, NULL},
    {0}};

static const struct tool_option rule_options[] = {
    {"maker", 0, "PATTERN", "of this maker (* and ?; default: any)",
     &registrar_opt.maker, NULL, NULL},
    {"model", 0, "PATTERN", "of this model", &registrar_opt.model, NULL, NULL},
    {"serial", 0, "PATTERN", "with this serial number", &registrar_opt.serial,
     NULL, NULL},
    {"from", 0, "TIME", "from then on (RFC 3339)", &registrar_opt.from, NULL,
     NULL},
    {"until", 0, "TIME", "until then", &registrar_opt.until, NULL, NULL},
    {"position", 0, "N", "its place, the lowest first (default: the last)",
     &registrar_opt.position, NULL, NULL},
    {"comment", 0, "TEXT", "for people", &registrar_opt.comment, NULL, NULL},
    {0}};

static const struct tool_option prefetch_options[] = {
    {"issuer", 0, "FILE", "the CA that issued the devices' certificates",
     &registrar_opt.issuer, NULL, NULL},
    {"file", 0, "FILE",
     "more devices: serial numbers, or lines of a factory's export",
     &registrar_opt.file, NULL, NULL},
    {"jws", 0, NULL, "vouchers as JWS (default: CMS)", NULL, &registrar_opt.jws,
     NULL},
    {0}};

static const struct tool_option maker_options[] = {
    {"maker", 0, "NAME", "the maker (not needed where there is one only)",
     &registrar_opt.maker, NULL, NULL},
    {0}};

static const struct tool_option revoke_options[] = {
    {"certificate", 0, "FILE", "this one alone (PEM)",
     &registrar_opt.certificate, NULL, NULL},
    {"reason", 0, "REASON", "as RFC 5280 writes it: keyCompromise, superseded",
     &registrar_opt.reason, NULL, NULL},
    {0}};

static const struct tool_option crl_options[] = {
    {"label", 0, "LABEL", "of the CA with that label", &registrar_opt.label,
     NULL, NULL},
    {"out", 0, "FILE", "in DER to a file; otherwise in PEM to the output",
     &registrar_opt.out, NULL, NULL},
    {"again", 0, NULL, "a new one, though the last one would do", NULL,
     &registrar_opt.again, NULL},
    {0}};

static const struct tool_option export_options[] = {
    {"since", 0, "DATE", "from then on (2026-01-31 or 2026-01-31T12:00:00Z)",
     &registrar_opt.since, NULL, NULL},
    {"until", 0, "DATE", "before then", &registrar_opt.until, NULL, NULL},
    {"format", 0, "FORMAT", "json (default; a line a row) or csv",
     &registrar_opt.format, NULL, NULL},
    {0}};

static const struct tool_option owner_options[] = {
    {"to", 0, "URL", "set: the owner's registrar", &registrar_opt.to, NULL,
     NULL},
    {"est-domain", 0, "HOST", "set: the owner's EST server, by a voucher",
     &registrar_opt.est_domain, NULL, NULL},
    {"pin", 0, "FILE", "set: the certificate that the voucher pins",
     &registrar_opt.pin_cert, NULL, NULL},
    {"more", 0, "URL", "set: where more is configured", &registrar_opt.more,
     NULL, NULL},
    {"nobody", 0, NULL, "set: the device is not known here", NULL,
     &registrar_opt.nobody, NULL},
    {"maker", 0, "NAME", "the maker (not needed where there is one only)",
     &registrar_opt.maker, NULL, NULL},
    {0}};

static const struct tool_verb verbs[] = {
    {"run", "", "serve until told to stop", 0, 0, NULL, registrar_run, true},
    {"init", "DIR",
     "make the domain CA, the registrar's key, and registrar.ini", 1, 1,
     init_options, registrar_init, false},
    {"rollover", "DIR", "make a new domain CA that the present one signs for",
     1, 1, rollover_options, registrar_rollover, false},
    {"list", "", "devices that asked, and what was decided", 0, 0, list_options,
     registrar_list, true},
    {"approve", "SERIAL ...", "let these devices in", 1, -1, approve_options,
     registrar_approve, true},
    {"deny", "SERIAL ...", "keep these devices out", 1, -1, maker_options,
     registrar_deny, true},
    {"refuse", "SERIAL ...", "the same as deny", 1, -1, maker_options,
     registrar_deny, true},
    {"rule", "add allow|deny|ask | list | remove N",
     "who is let in, where nobody decided on the device", 1, 2, rule_options,
     registrar_rule, true},
    {"prefetch", "MAKER [SERIAL ...]",
     "have vouchers for devices before they come", 1, -1, prefetch_options,
     registrar_prefetch, true},
    {"show", "SERIAL", "all that is known of a device", 1, 1, NULL,
     registrar_show, true},
    {"log", "[SERIAL]", "how far each device came, newest first", 0, 1, NULL,
     registrar_log, true},
    {"revoke", "[SERIAL]", "take certificates back: all of a device's, or one",
     0, 1, revoke_options, registrar_revoke, true},
    {"crl", "", "the list of revoked certificates", 0, 0, crl_options,
     registrar_crl, true},
    {"export", "", "the ledger: decisions, devices, reports, certificates", 0,
     0, export_options, registrar_export, true},
    {"prune", "", "let go what the configuration does not keep any longer", 0,
     0, NULL, registrar_prune, true},
    {"backup", "FILE", "copy the database as it is now", 1, 1, NULL,
     registrar_backup, true},
    {"owner", "list | set SERIAL ... | remove SERIAL ...",
     "whose devices are, for a cloud registrar", 1, -1, owner_options,
     registrar_owner, true},
    {"status", "", "how the service and its devices stand", 0, 0, NULL,
     registrar_status, true},
    {0}};

static idv_rc configure(struct tool *t)
{
    return tool_use_device_conf(t, &registrar_conf.device);
}

int main(int argc, char **argv)
{
    static const struct tool_option none[] = {{0}};
    static struct tool t = {
        .name = "idevid-registrar",
        .about =
            "The owner's registrar: admits devices, gets their vouchers from "
            "the maker and\nlets them enroll (RFC 8995, RFC 7030). Other verbs "
            "ask "
            "the running service\non its admin socket, or the database when "
            "none runs.",
        .verbs = verbs,
        .options = none,
        .environment = TOOL_DEVICE_ENVIRONMENT,
        .conf_table = &registrar_table,
        .maker_table = &maker_table,
        .conf_path = "/etc/idevid/registrar.ini",
        .conf = &registrar_conf,
        .check = registrar_check_conf,
        .configure = configure,
        .probe = registrar_probe,
    };
    return tool_main(&t, argc, argv);
}
