/* SPDX-License-Identifier: Apache-2.0 */
/* A station with a token: made there, never to leave, and the same line. */
#include "tests/unit/codec.h"

#include "tests/lib/softhsm.h"
#include "tests/lib/station_run.h"

static struct station_line line;
static bool have_token;

static int setup(void **arg)
{
    char tokens[80];
    (void)arg;
    station_line_open(&line);
    snprintf(tokens, sizeof(tokens), "%s/tokens", line.dir);
    have_token = softhsm_module() != NULL;
    if (!have_token)
        return 0;
    OK(idv_fs_mkdir(tokens, 0700));
    assert_true(softhsm_use(line.dir, tokens));
    setenv("HWKEY_PKCS11_MODULE", softhsm_module(), 1);
    line.conf.profile = IDV_PROFILE_TOKEN;
    return 0;
}

static int teardown(void **arg)
{
    (void)arg;
    station_line_close(&line);
    return 0;
}

#define need_token()                                                           \
    do {                                                                       \
        if (!have_token)                                                       \
            skip();                                                            \
    } while (0)

static struct station_result succeeds(enum station_act act)
{
    struct station_result r;
    assert_true(station_run(&line, act, &r));
    if (r.rc != IDV_OK)
        print_error("act %d: %s: %s\n", act, idv_rc_name(r.rc), r.note);
    assert_int_equal(r.rc, IDV_OK);
    return r;
}

static void refused(enum station_act act, enum idv_factory_why why,
                    const char *part)
{
    struct station_result r;
    assert_true(station_run(&line, act, &r));
    if (r.why != why || !strstr(r.note, part))
        print_error("act %d: %s, %s: %s\n", act, idv_rc_name(r.rc),
                    idv_factory_why_to_text(r.why), r.note);
    assert_int_not_equal(r.rc, IDV_OK);
    assert_int_equal(r.why, why);
    assert_non_null(strstr(r.note, part));
}

static void next_token(const char *label, const char *serial,
                       enum idv_key_type type)
{
    static char uri[80];
    assert_true(softhsm_token(label));
    snprintf(uri, sizeof(uri), "pkcs11:token=%s?pin-value=1234", label);
    line.conf.device = uri;
    line.conf.serial_number = serial;
    line.conf.type = type;
    line.conf.again = false;
    line.conf.lockdown = NULL;
}

static void whole(const char *label, const char *serial, enum idv_key_type type)
{
    next_token(label, serial, type);
    line.lockdown = (struct idv_lockdown){.lock_certs = true,
                                          .maker_anchors = line.pki.anchors};
    line.conf.lockdown = &line.lockdown;
    struct station_result r = succeeds(STATION_LOOK);
    assert_false(r.known || r.has_idevid || r.has_other);
    succeeds(STATION_PROVISION);
    r = succeeds(STATION_LOOK);
    assert_true(r.known && r.has_idevid && !r.has_other);
    assert_int_equal(r.state, IDV_DEVICE_DONE);
    assert_string_equal(r.has_serial, serial);
    refused(STATION_REQUEST, IDV_WHY_HAS_ONE, "left alone");
    succeeds(STATION_VERIFY);
}

static void types(void **arg)
{
    (void)arg;
    need_token();
    whole("one", "TK-0001", IDV_KEY_P256);
    whole("two", "TK-0002", IDV_KEY_P384);
    whole("three", "TK-0003", IDV_KEY_RSA2048);
}

/* request, reply and install as on a stick: each a process of its own */
static void stick(void **arg)
{
    (void)arg;
    need_token();
    next_token("stick", "TK-0010", IDV_KEY_P256);
    succeeds(STATION_REQUEST);
    succeeds(STATION_REPEAT);
    succeeds(STATION_ISSUE);
    succeeds(STATION_INSTALL);
    refused(STATION_INSTALL, IDV_WHY_STORE, "waits for no reply");
    succeeds(STATION_FINISH);
    succeeds(STATION_VERIFY);
    succeeds(STATION_RETIRE);
    refused(STATION_VERIFY, IDV_WHY_RETIRED, "retired");
}

/* what a CA gives back that was not asked for */
static void bad_replies(void **arg)
{
    (void)arg;
    need_token();
    next_token("bad", "TK-0020", IDV_KEY_P256);
    succeeds(STATION_REQUEST);
    line.desk.wrong_key = true;
    succeeds(STATION_ISSUE);
    refused(STATION_INSTALL, IDV_WHY_CERT, "no certificate for this device");
    line.desk.wrong_key = false;
    line.desk.serial = "TK-0001";
    succeeds(STATION_ISSUE);
    refused(STATION_INSTALL, IDV_WHY_CERT, "for the serial number TK-0001");
    line.desk.serial = NULL;
    line.desk.wrong_ca = true;
    succeeds(STATION_ISSUE);
    refused(STATION_INSTALL, IDV_WHY_CERT, "IDevID");
    line.desk.wrong_ca = false;
    succeeds(STATION_PROVISION);
}

static void wiped(void **arg)
{
    (void)arg;
    need_token();
    next_token("wiped", "TK-0030", IDV_KEY_P256);
    succeeds(STATION_PROVISION);
    succeeds(STATION_WIPE);
    struct station_result r = succeeds(STATION_LOOK);
    assert_true(r.known && !r.has_idevid && !r.has_other);
    assert_int_equal(r.state, IDV_DEVICE_WIPED);
    line.conf.serial_number = "TK-0031";
    refused(STATION_REQUEST, IDV_WHY_DUPLICATE, "TK-0030");
    line.conf.serial_number = "TK-0030";
    succeeds(STATION_PROVISION);
}

/* The maker's anchors are the security officer's to write, with his PIN. */
static bool officer_there;

static bool officer(void *ctx, const char *what, char *out, size_t max,
                    size_t *n)
{
    (void)ctx;
    const bool his = strstr(what, "security officer") != NULL;
    if (max < 4 || (his && !officer_there))
        return false;
    memcpy(out, his ? "5678" : "1234", *n = 4);
    return true;
}

static void by_its_officer(void **arg)
{
    static const struct idv_pin pin = {officer, NULL};
    (void)arg;
    need_token();
    next_token("officer", "TK-0040", IDV_KEY_P256);
    line.lockdown =
        (struct idv_lockdown){.maker_anchors = line.pki.anchors, .by_so = true};
    line.conf.lockdown = &line.lockdown;
    line.conf.pin = &pin;
    line.conf.device = "pkcs11:token=officer"; /* a PIN in it would be his */
    officer_there = false;
    refused(STATION_PROVISION, IDV_WHY_DEVICE, "");
    assert_int_equal(succeeds(STATION_LOOK).state, IDV_DEVICE_INSTALLED);
    officer_there = true;
    succeeds(STATION_PROVISION);
    officer_there = false; /* who verifies needs him no more */
    succeeds(STATION_VERIFY);
    line.conf.pin = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types),          cmocka_unit_test(stick),
        cmocka_unit_test(bad_replies),    cmocka_unit_test(wiped),
        cmocka_unit_test(by_its_officer),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
