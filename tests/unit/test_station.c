/* SPDX-License-Identifier: Apache-2.0 */
/* A station with a software TPM as its vendor ships it: every profile and type
 * of key, across processes, and what is refused. */
#include "tests/unit/codec.h"

#include "tests/lib/long.h"
#include "tests/lib/station_run.h"

static struct station_line line;
static bool have_tpm;

static int setup(void **arg)
{
    (void)arg;
    station_line_open(&line);
    have_tpm = swtpm_here() && swtpm_vendor_here();
    return have_tpm && !station_line_tpm(&line) ? -1 : 0;
}

static int teardown(void **arg)
{
    (void)arg;
    station_line_close(&line);
    return 0;
}

#define need_tpm()                                                             \
    do {                                                                       \
        if (!have_tpm)                                                         \
            skip();                                                            \
    } while (0)

static struct station_result succeeds(enum station_act act)
{
    struct station_result r;
    assert_true(station_run(&line, act, &r));
    if (r.rc != IDV_OK)
        print_error("act %d: %s: %s\n", act, idv_rc_name(r.rc), r.note);
    assert_int_equal(r.rc, IDV_OK);
    assert_int_equal(r.why, IDV_WHY_NONE);
    assert_string_equal(r.note, "");
    return r;
}

static void refused(enum station_act act, idv_rc rc, enum idv_factory_why why,
                    const char *part)
{
    struct station_result r;
    assert_true(station_run(&line, act, &r));
    if (r.rc != rc || r.why != why || !strstr(r.note, part))
        print_error("act %d: %s, %s: %s\n", act, idv_rc_name(r.rc),
                    idv_factory_why_to_text(r.why), r.note);
    assert_int_equal(r.rc, rc);
    assert_int_equal(r.why, why);
    assert_non_null(strstr(r.note, part));
}

/* another TPM, another device */
static void next_device(enum idv_factory_profile profile,
                        enum idv_key_type type)
{
    static char serial[16];
    static int n;
    assert_true(station_line_tpm(&line));
    snprintf(serial, sizeof(serial), "AB-%04d", ++n);
    line.conf.serial_number = serial;
    line.conf.profile = profile;
    line.conf.type = type;
    line.conf.again = false;
    line.conf.lockdown = NULL;
    line.lockdown = (struct idv_lockdown){0};
    line.desk = (struct minidesk){.pki = &line.pki, .dir = line.dir};
}

static void say(const struct station_result *r)
{
    print_message("# %s %s: look %u, request %u, install %u, locks %u, "
                  "lockdown %u, self test %u\n",
                  idv_factory_profile_to_text(line.conf.profile),
                  idv_key_type_to_text(line.conf.type), (unsigned)r->calls.look,
                  (unsigned)r->calls.request, (unsigned)r->calls.install,
                  (unsigned)r->calls.locks, (unsigned)r->calls.lockdown,
                  (unsigned)r->calls.self_test);
}

static void whole(enum idv_factory_profile profile, enum idv_key_type type)
{
    next_device(profile, type);
    struct station_result r = succeeds(STATION_LOOK);
    assert_false(r.known || r.has_idevid || r.has_other);
    r = succeeds(STATION_PROVISION);
    say(&r);
    r = succeeds(STATION_LOOK);
    assert_true(r.known && r.has_idevid && !r.has_other);
    assert_string_equal(r.has_serial, line.conf.serial_number);
    assert_int_equal(r.state, IDV_DEVICE_DONE);
    assert_int_equal(swtpm_cycle(&line.tpm), 0);
    succeeds(STATION_VERIFY);
    refused(STATION_REQUEST, IDV_E_STATE, IDV_WHY_HAS_ONE, "left alone");
}

/* each profile with each type of key in a long run, else with one, and each
 * type with one */
static void profiles(void **arg)
{
    static const enum idv_key_type types[] = {IDV_KEY_P384, IDV_KEY_RSA2048,
                                              IDV_KEY_P256};
    (void)arg;
    need_tpm();
    for (int p = IDV_PROFILE_TCG; p <= IDV_PROFILE_PLAIN; p++)
        for (int t = 0; t < 3 && p != IDV_PROFILE_TOKEN; t++)
            if (t == p % 3 || long_run())
                whole((enum idv_factory_profile)p, types[t]);
}

/* --- what it costs ---------------------------------------------------------
 */

static void fresh_book(void)
{
    book_drop(&line.book);
    book_open(&line.book);
}

/* Each algorithm's first use since the TPM was started may cost one more. */
static void costs(enum idv_factory_profile profile, unsigned most)
{
    next_device(profile, IDV_KEY_P256);
    succeeds(STATION_PROVISION);
    succeeds(STATION_WIPE);
    fresh_book();
    struct station_result r = succeeds(STATION_PROVISION);
    const unsigned n =
        (unsigned)(r.calls.look + r.calls.request + r.calls.install);
    say(&r);
    print_message("# %s: %u commands\n", idv_factory_profile_to_text(profile),
                  n);
    assert_true(n <= most);
}

static void commands(void **arg)
{
    (void)arg;
    need_tpm();
    costs(IDV_PROFILE_TCG, 30);
    costs(IDV_PROFILE_LEAN, 20);
    costs(IDV_PROFILE_DIRECT, 17);
}

/* --- request, reply and install, each a process of its own ------------------
 */

static void stick(void **arg)
{
    (void)arg;
    need_tpm();
    next_device(IDV_PROFILE_TCG, IDV_KEY_P256);
    succeeds(STATION_REQUEST);
    succeeds(STATION_REPEAT);
    succeeds(STATION_ISSUE);
    assert_int_equal(swtpm_cycle(&line.tpm), 0);
    line.desk.for_other_ek = true;
    succeeds(STATION_ISSUE);
    refused(STATION_INSTALL, IDV_E_DEVICE, IDV_WHY_ACTIVATE, "");
    line.desk.for_other_ek = false;
    line.desk.wrong_ca = true;
    succeeds(STATION_ISSUE);
    refused(STATION_INSTALL, IDV_E_REJECT, IDV_WHY_CERT, "IDevID");
    line.desk.wrong_ca = false;
    line.desk.serial = "AB-9999";
    succeeds(STATION_ISSUE);
    refused(STATION_INSTALL, IDV_E_REJECT, IDV_WHY_CERT, "AB-9999");
    line.desk.serial = NULL;
    succeeds(STATION_ISSUE);
    succeeds(STATION_INSTALL);
    succeeds(STATION_FINISH);
    succeeds(STATION_VERIFY);
}

/* the serial number is another device's, the reply as well */
static void other_device(void **arg)
{
    (void)arg;
    need_tpm();
    next_device(IDV_PROFILE_DIRECT, IDV_KEY_P256);
    succeeds(STATION_REQUEST);
    succeeds(STATION_ISSUE);
    assert_true(station_line_tpm(&line));
    refused(STATION_INSTALL, IDV_E_STATE, IDV_WHY_STORE, "waits for no reply");
    refused(STATION_REQUEST, IDV_E_REJECT, IDV_WHY_DUPLICATE,
            line.conf.serial_number);
}

/* The book would know it by another EK than the one that has a certificate. */
static void ek_cert_needed(void **arg)
{
    (void)arg;
    need_tpm();
    next_device(IDV_PROFILE_DIRECT, IDV_KEY_P256);
    swtpm_stop(&line.tpm);
    assert_int_equal(swtpm_start(&line.tpm), 0); /* of no vendor */
    line.conf.ek_cert_needed = true;
    refused(STATION_REQUEST, IDV_E_REJECT, IDV_WHY_EK_MISSING,
            "the TPM has none in NV");
    line.conf.ek_cert_needed = false;
    succeeds(STATION_REQUEST);
}

/* --- random values and their escrow ------------------------------------------
 */

static void row(struct idv_factory_device *d)
{
    bool found = false;
    book_again(&line.book);
    OK(line.book.store.find(line.book.store.self, IDV_BY_SERIAL,
                            idv_str(line.conf.serial_number), &found, d));
    assert_true(found);
}

/* how many are in escrow; the last one must open and be for this device */
static int escrowed(void)
{
    struct idv_factory_device d = {0};
    char text[512] = "";
    int n = 0;
    row(&d);
    const unsigned char *p = d.escrow.p, *end = p + d.escrow.n;
    while (p < end) {
        CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, end - p);
        BIO *out = BIO_new(BIO_s_mem());
        assert_non_null(cms);
        assert_int_equal(CMS_decrypt(cms, line.pki.domain_ca.key,
                                     line.pki.domain_ca.cert, NULL, out, 0),
                         1);
        assert_true(BIO_read(out, text, sizeof(text) - 1) > 64);
        BIO_free(out);
        CMS_ContentInfo_free(cms);
        n++;
    }
    assert_non_null(strstr(text, line.conf.serial_number));
    assert_non_null(strstr(text, "{\"hierarchy\":\"lockout\""));
    idv_factory_device_free(&d);
    return n;
}

static void lock_with_escrow(void)
{
    next_device(IDV_PROFILE_TCG, IDV_KEY_P256);
    line.lockdown = (struct idv_lockdown){.da = true,
                                          .max_tries = 31,
                                          .recovery_s = 600,
                                          .lockout_recovery_s = 86400,
                                          .lockout_auth = true,
                                          .escrow = line.pki.domain_ca.cert};
    line.conf.lockdown = &line.lockdown;
}

/* entries: requested, installed, escrowed, done */
static void cut_at(enum station_step kind, int n)
{
    struct station_result r;
    line.kind = kind;
    line.end = STATION_DIES;
    line.at = n;
    assert_true(station_run(&line, STATION_PROVISION, &r));
    line.at = 0;
    assert_true(r.died);
}

static void values(void **arg)
{
    (void)arg;
    need_tpm();
    lock_with_escrow();
    succeeds(STATION_PROVISION);
    assert_int_equal(escrowed(), 1);
    succeeds(STATION_FINISH);
    assert_int_equal(escrowed(), 1);
    lock_with_escrow();
    cut_at(STATION_WRITTEN, 3); /* escrowed, and not yet set */
    succeeds(STATION_PROVISION);
    assert_int_equal(escrowed(), 2);
    lock_with_escrow();
    cut_at(STATION_WRITES, 4); /* set */
    succeeds(STATION_PROVISION);
    assert_int_equal(escrowed(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profiles), cmocka_unit_test(commands),
        cmocka_unit_test(stick),    cmocka_unit_test(other_device),
        cmocka_unit_test(values),   cmocka_unit_test(ek_cert_needed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
