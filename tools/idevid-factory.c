/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-factory: a maker's keys, and an IDevID for each device. */
#include <stdlib.h>
#include <string.h>

#include "factory.h"
#include "factory_people.h"
#include "install.h"

struct factory_opt opt;
struct factory_conf factory_conf;

idv_rc factory_need(const char *value, const char *option)
{
    if (value)
        return IDV_OK;
    return idv_fail(IDV_E_ARG, "%s is missing", option);
}

/* Options stand for what the file says, for one run. */
static void prefer(char **to, const char *option)
{
    if (option) {
        free(*to);
        *to = strdup(option);
    }
}

idv_rc factory_configured(void)
{
    struct factory_template_conf *i = &factory_conf.idevid;
    if (!factory_conf.station)
        return idv_fail(IDV_E_ARG,
                        "%s: there is no factory.ini (run init "
                        "first)",
                        opt.dir);
    prefer(&i->organization, opt.maker);
    prefer(&i->masa_url, opt.masa_url);
    prefer(&i->hw_type, opt.hw_type);
    prefer(&i->hw_serial, opt.hw_serial);
    factory_conf.lockdown.lock_certificates |= opt.lock;
    return IDV_OK;
}

/* --- a certificate, the maker's anchors, a platform's: one device -----------
 */

static idv_rc install(struct tool *t, int argc, char **argv)
{
    const struct tool_install in = {argv[0], opt.cert_uri, opt.key_uri,
                                    opt.replace, opt.lock};
    opt.dir = argv[0];
    if (argc == 2)
        return factory_install_reply(t, argv[1]);
    IDV_TRY(factory_need(opt.cert_uri, "--cert-uri URI"));
    return tool_install(t, &in);
}

static idv_rc seal(struct tool *t, int argc, char **argv)
{
    (void)argc;
    IDV_TRY(factory_need(opt.device, "--device URI"));
    const struct tool_seal in = {argv[0], opt.device, opt.index, opt.platform,
                                 opt.so};
    return tool_seal(t, &in);
}

static idv_rc anchor(struct tool *t, int argc, char **argv)
{
    (void)argc;
    IDV_TRY(factory_need(opt.device, "--device URI"));
    IDV_TRY(factory_need(opt.serial, "--serial NUMBER"));
    const struct tool_platform in = {argv[0],   opt.device,  opt.serial,
                                     opt.index, opt.counter, opt.remove};
    return tool_platform(t, &in);
}

static const struct tool_option install_options[] = {
    {"device", 'd', "URI", "of a reply: the device, tpm2: or pkcs11:token=...",
     &opt.device, NULL, NULL},
    {"serial", 's', "TEXT", "of a reply: its serial number", &opt.serial, NULL,
     NULL},
    {"operator", 0, "NAME", "who works here (default: the login name)",
     &opt.operator_, NULL, NULL},
    {"cert-uri", 0, "URI", "of a certificate: where it goes", &opt.cert_uri,
     NULL, NULL},
    {"key-uri", 0, "URI", "the key that it must belong to", &opt.key_uri, NULL,
     NULL},
    {"replace", 0, NULL, "replace the one that is there", NULL, &opt.replace,
     NULL},
    {"lock", 0, NULL, "lock the stored certificate against writing", NULL,
     &opt.lock, NULL},
    {0}};

static const struct tool_option anchor_options[] = {
    {"device", 'd', "URI", "the device: tpm2:", &opt.device, NULL, NULL},
    {"serial", 's', "NUMBER", "its serial number", &opt.serial, NULL, NULL},
    {"index", 0, "INDEX", "NV index of the anchor (default 0x01400A01)",
     &opt.index, NULL, NULL},
    {"counter", 0, "INDEX", "NV index of its counter (default 0x01400A00)",
     &opt.counter, NULL, NULL},
    {"remove", 0, NULL, "take it away again", NULL, &opt.remove, NULL},
    {0}};

static const struct tool_option seal_options[] = {
    {"device", 'd', "URI", "the device: tpm2: or pkcs11:token=...", &opt.device,
     NULL, NULL},
    {"platform", 0, NULL, "by the platform hierarchy of a TPM", NULL,
     &opt.platform, NULL},
    {"so", 0, NULL, "by the security officer of a token", NULL, &opt.so, NULL},
    {"index", 0, "INDEX",
     "NV index of a TPM (default 0x01800A02, of the platform 0x01400A02)",
     &opt.index, NULL, NULL},
    {0}};

/* --- all of them ------------------------------------------------------------
 */

static const struct tool_verb verbs[] = {
    {"init", "DIR", "make a maker: CAs, voucher signer, MASA server, station",
     1, 1, factory_init_options, factory_init, false},
    {"station", "DIR", "make another station, or certify its request", 1, 1,
     factory_station_options, factory_station, false},
    {"order", "DIR FILE", "take a work order into the journal", 2, 2,
     factory_order_options, factory_order, true},
    {"ca", "DIR", "serve stations: judge requests, issue certificates", 1, 1,
     factory_ca_options, factory_ca, true},
    {"provision", "DIR", "give devices their IDevID", 1, 1,
     factory_provision_options, factory_provision, true},
    {"request", "DIR TICKET", "ask for a device's IDevID, as a file", 2, 2,
     factory_request_options, factory_request, true},
    {"issue", "DIR FILE ...", "answer requests that are files", 2, -1,
     factory_issue_options, factory_issue, true},
    {"install", "DIR REPLY | FILE",
     "bring an answer, or a certificate, into "
     "a device",
     1, 2, install_options, install, true},
    {"verify", "DIR", "check the IDevID in a device, or the journal", 1, 1,
     factory_verify_options, factory_verify, true},
    {"export", "DIR", "what was made: for the MASA, auditors, the ERP", 1, 1,
     factory_export_options, factory_export, true},
    {"label", "DIR", "labels of devices, with a QR code", 1, 1,
     factory_label_options, factory_label, true},
    {"retire", "DIR", "an identity is not to be trusted any more", 1, 1,
     factory_retire_options, factory_retire, true},
    {"wipe", "DIR", "take keys and certificates out of a device", 1, 1,
     factory_wipe_options, factory_wipe, true},
    {"roots", "DIR make FOLDER | show FILE",
     "the TPM vendors' roots as one signed file", 3, 3, factory_roots_options,
     factory_roots, true},
    {"ek-fetch", "DIR", "the EK certificate of a TPM that has none", 1, 1,
     factory_ek_fetch_options, factory_ek_fetch, true},
    {"seal", "FILE", "let a device remember its maker's trust anchors", 1, 1,
     seal_options, seal, false},
    {"anchor", "FILE", "make an anchor that takes what a key approved", 1, 1,
     anchor_options, anchor, false},
    {0}};

int main(int argc, char **argv)
{
    static const struct tool_option none[] = {{0}};
    static struct tool t = {
        .name = "idevid-factory",
        .about = "Makes a manufacturer's keys and gives devices their IDevID "
                 "(IEEE 802.1AR).",
        .verbs = verbs,
        .options = none,
        .environment = TOOL_DEVICE_ENVIRONMENT,
        .conf_table = &factory_table,
        .conf_in_dir = "factory.ini",
        .conf = &factory_conf,
    };
    return tool_main(&t, argc, argv);
}
