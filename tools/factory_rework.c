/* SPDX-License-Identifier: Apache-2.0 */
/* retire and wipe: devices that come back. */
#include <string.h>

#include <idevid/auto.h>

#include "confirm.h"
#include "factory.h"
#include "factory_device.h"

idv_rc factory_retire(struct tool *t, int argc, char **argv)
{
    struct line l;
    enum idv_factory_why why = IDV_WHY_NONE;
    (void)argc;
    opt.dir = argv[0];
    IDV_TRY(factory_configured());
    IDV_TRY(factory_need(opt.serial, "--serial TEXT"));
    IDV_TRY(factory_need(opt.reason, "--reason TEXT"));
    idv_rc rc = line_open_station(t, &factory_conf, &l);
    if (rc == IDV_OK)
        rc = (opt.release ? idv_factory_release : idv_factory_retire)(
            &l.store, opt.serial, factory_conf.station,
            line_operator(opt.operator_), opt.reason, t->env, &why);
    if (rc == IDV_OK) {
        line_seal(&l);
        tool_say(t, "%s: %s; the next export says so", opt.serial,
                 opt.release ? "is no device's now" : "retired");
    }
    line_close(&l);
    return rc;
}

static idv_rc wipe(struct line *l)
{
    struct device_job job;
    struct idv_station_conf conf;
    struct idv_station *s = NULL;
    struct idv_station_seen seen = {0};
    enum idv_factory_why why = IDV_WHY_NONE;
    IDV_TRY(factory_job(&job));
    device_conf(l, &job, &conf);
    IDV_TRY(idv_station_new(&conf, &s));
    idv_rc rc = idv_station_look(s, &seen, &why);
    const char *serial =
        seen.known ? seen.device.serial_number : seen.has_serial;
    if (rc == IDV_OK && opt.serial && strcmp(opt.serial, serial) != 0)
        rc = idv_fail(IDV_E_REJECT, "the device is %s, not %s",
                      *serial ? serial : "not known", opt.serial);
    idv_station_is(s, seen.device.order, serial, NULL);
    if (rc == IDV_OK)
        rc = tool_confirm("Keys and certificates of this device are taken out; "
                          "nothing brings them back.",
                          "wipe", opt.yes, "--yes");
    if (rc == IDV_OK)
        rc = idv_station_wipe(s, &why);
    if (rc == IDV_OK)
        tool_say(l->t, "%s: wiped", *serial ? serial : opt.device);
    idv_station_seen_free(&seen);
    idv_station_free(s);
    return rc;
}

idv_rc factory_wipe(struct tool *t, int argc, char **argv)
{
    struct line l;
    (void)argc;
    opt.dir = argv[0];
    IDV_TRY(factory_configured());
    IDV_TRY(factory_need(opt.device, "--device URI"));
    idv_rc rc = line_open_station(t, &factory_conf, &l);
    if (rc == IDV_OK)
        rc = wipe(&l);
    if (rc == IDV_OK)
        line_seal(&l);
    line_close(&l);
    return rc;
}

const struct tool_option factory_retire_options[] = {
    {"serial", 's', "TEXT", "the device's serial number", &opt.serial, NULL,
     NULL},
    {"reason", 0, "TEXT", "why, for the journal", &opt.reason, NULL, NULL},
    {"release", 0, NULL,
     "it was another's: serial number and device are free for each other", NULL,
     &opt.release, NULL},
    {"operator", 0, "NAME", "who works here (default: the login name)",
     &opt.operator_, NULL, NULL},
    {0}};

const struct tool_option factory_wipe_options[] = {
    {"device", 'd', "URI", "the device: tpm2: or pkcs11:token=...", &opt.device,
     NULL, NULL},
    {"serial", 's', "TEXT", "the serial number that it must have", &opt.serial,
     NULL, NULL},
    {"profile", 0, "WORD", "tcg, lean, direct or plain", &opt.profile, NULL,
     NULL},
    {"operator", 0, "NAME", "who works here (default: the login name)",
     &opt.operator_, NULL, NULL},
    {"yes", 'y', NULL, "do not ask", NULL, &opt.yes, NULL},
    {0}};
