/* SPDX-License-Identifier: Apache-2.0 */
/* Devices that come back: another identity, and all that lockdown left taken
 * away, before the desk that a maker has. */
#include "tests/unit/codec.h"

#include <openssl/cms.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <idevid/codec.h>
#include <idevid/envelope.h>

#include "tests/lib/softhsm.h"
#include "tests/lib/station_desk.h"

static struct station_line line;

#define need_tpm()                                                             \
    do {                                                                       \
        if (!swtpm_here() || !swtpm_vendor_here())                             \
            skip();                                                            \
    } while (0)

#define need_token()                                                           \
    do {                                                                       \
        if (!softhsm_module())                                                 \
            skip();                                                            \
    } while (0)

static int begin(void **arg)
{
    (void)arg;
    station_line_open(&line);
    return 0;
}

static int end(void **arg)
{
    (void)arg;
    station_line_close(&line);
    return 0;
}

static void succeeds(enum station_act act)
{
    struct station_result r;
    assert_true(station_run(&line, act, &r));
    if (r.rc != IDV_OK)
        print_error("act %d: %s: %s\n", act, idv_rc_name(r.rc), r.note);
    assert_int_equal(r.rc, IDV_OK);
    assert_string_equal(r.note, "");
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

static void booked(struct idv_factory_device *d)
{
    bool found = false;
    memset(d, 0, sizeof(*d));
    book_again(&line.book);
    OK(line.book.store.find(line.book.store.self, IDV_BY_SERIAL,
                            idv_str(line.conf.serial_number), &found, d));
    assert_true(found);
}

static void with_tpm(enum idv_factory_profile profile, bool shares)
{
    assert_true(station_line_tpm(&line));
    line.conf.profile = profile;
    station_desk(&line, shares);
}

static void with_token(bool shares)
{
    char tokens[80];
    snprintf(tokens, sizeof(tokens), "%s/tokens", line.dir);
    OK(idv_fs_mkdir(tokens, 0700));
    assert_true(softhsm_use(line.dir, tokens));
    assert_true(softhsm_token("one"));
    setenv("HWKEY_PKCS11_MODULE", softhsm_module(), 1);
    line.conf.profile = IDV_PROFILE_TOKEN;
    line.conf.device = "pkcs11:token=one?pin-value=1234";
    station_desk(&line, shares);
}

/* --- another identity ------------------------------------------------------
 */

/* verify compares what is in the device with the book */
static void once_more(void)
{
    struct idv_factory_device first, second;
    succeeds(STATION_PROVISION);
    booked(&first);
    assert_int_equal(first.issue, 1);
    refused(STATION_REQUEST, IDV_WHY_HAS_ONE, "left alone");
    line.conf.again = true;
    succeeds(STATION_PROVISION);
    line.conf.again = false;
    if (line.tpm.pid)
        assert_int_equal(swtpm_cycle(&line.tpm), 0);
    succeeds(STATION_VERIFY);
    booked(&second);
    assert_int_equal(second.issue, 2);
    assert_int_equal(second.state, IDV_DEVICE_DONE);
    assert_memory_equal(first.ek, second.ek, 32);
    assert_false(idv_bytes_eq(idv_view(&first.cert), idv_view(&second.cert)));
    if (first.iak_cert.n)
        assert_false(idv_bytes_eq(idv_view(&first.iak_cert),
                                  idv_view(&second.iak_cert)));
    refused(STATION_REQUEST, IDV_WHY_HAS_ONE, "left alone");
    idv_factory_device_free(&first);
    idv_factory_device_free(&second);
}

static void tpm_again(enum idv_factory_profile profile, bool shares,
                      bool owner_nv)
{
    line.lockdown = (struct idv_lockdown){.lock_certs = true};
    line.conf.lockdown = &line.lockdown;
    line.conf.owner_nv = owner_nv;
    with_tpm(profile, shares);
    once_more();
}

static void tpm_one_book(void **arg)
{
    (void)arg;
    need_tpm();
    tpm_again(IDV_PROFILE_TCG, true, false);
}

static void tpm_two_books(void **arg)
{
    (void)arg;
    need_tpm();
    tpm_again(IDV_PROFILE_TCG, false, true);
}

static void lean_two_books(void **arg)
{
    (void)arg;
    need_tpm();
    tpm_again(IDV_PROFILE_LEAN, false, false);
}

static void direct_one_book(void **arg)
{
    (void)arg;
    need_tpm();
    tpm_again(IDV_PROFILE_DIRECT, true, true);
}

static void token_again(bool shares)
{
    line.lockdown = (struct idv_lockdown){.lock_certs = true};
    line.conf.lockdown = &line.lockdown;
    with_token(shares);
    once_more();
}

static void token_one_book(void **arg)
{
    (void)arg;
    need_token();
    token_again(true);
}

static void token_two_books(void **arg)
{
    (void)arg;
    need_token();
    token_again(false);
}

/* --- cut off, and asked for twice ------------------------------------------
 */

/* how many the desk, which has a book of its own, made for the device */
static unsigned issues(void)
{
    struct idv_factory_device d = {0};
    struct idv_db *db = NULL;
    bool found = false;
    char path[96];
    snprintf(path, sizeof(path), "%s/desk.db", line.dir);
    OK(idv_db_open_factory(path, &db));
    const struct idv_factory_store store = idv_db_factory_store(db);
    OK(store.find(store.self, IDV_BY_SERIAL, idv_str(line.conf.serial_number),
                  &found, &d));
    assert_true(found);
    const unsigned n = d.issue;
    idv_factory_device_free(&d);
    idv_db_close(db);
    return n;
}

static bool is_another(struct idv_buf *last)
{
    struct idv_factory_device d;
    booked(&d);
    const bool same = idv_bytes_eq(idv_view(&d.cert), idv_view(last));
    idv_buf_free(last);
    idv_buf_move(last, &d.cert);
    idv_factory_device_free(&d);
    return !same;
}

/* A rework is one more identity: not the same as the day's last, and not the
 * old one because it was cut off. */
static void reworks(void)
{
    IDV_AUTO(buf) cert = {0};
    succeeds(STATION_PROVISION);
    assert_true(is_another(&cert));
    for (unsigned n = 2; n <= 3; n++) {
        line.conf.again = true;
        succeeds(STATION_PROVISION);
        assert_true(is_another(&cert));
        assert_int_equal(issues(), n);
    }
    succeeds(STATION_REQUEST);
    line.conf.again = false;
    succeeds(STATION_PROVISION);
    assert_true(is_another(&cert));
    assert_int_equal(issues(), 4);
    line.conf.again = true;
    succeeds(STATION_REQUEST);
    succeeds(STATION_ISSUE);
    succeeds(STATION_PROVISION);
    assert_true(is_another(&cert));
    assert_int_equal(issues(), 5);
}

static void tpm_reworks(void **arg)
{
    (void)arg;
    need_tpm();
    with_tpm(IDV_PROFILE_LEAN, false);
    reworks();
}

static void token_reworks(void **arg)
{
    (void)arg;
    need_token();
    with_token(false);
    reworks();
}

/* --- for a CA that wants a request of the key -------------------------------
 */

static X509_REQ *request_of_key(EVP_PKEY **key)
{
    IDV_AUTO(buf) cms = {0};
    IDV_AUTO(opened) o = {0};
    struct idv_factory_request r = {0};
    X509_REQ *req = NULL;
    char path[96];
    snprintf(path, sizeof(path), "%s/request", line.dir);
    OK(idv_fs_read(path, 0, &cms));
    OK(idv_envelope_open(IDV_MEDIA_VOUCHER_CMS, idv_view(&cms), &o));
    OK(idv_factory_request_from_json(idv_view(&o.payload), &r));
    if (r.csr.n)
        OK(idv_csr_from_der(idv_view(&r.csr), &req, key));
    idv_factory_request_free(&r);
    return req;
}

/* signed by the IDevID, with what the device knows of itself */
static void request_beside(enum idv_key_type type)
{
    struct idv_factory_device d;
    uint8_t id[32];
    EVP_PKEY *key = NULL;
    line.conf.type = type;
    line.conf.csr_too = true;
    succeeds(STATION_REQUEST);
    X509_REQ *req = request_of_key(&key);
    assert_non_null(req);
    assert_int_equal(X509_REQ_verify(req, key), 1);
    booked(&d);
    OK(idv_key_fingerprint(key, id));
    assert_memory_equal(id, d.key, 32);
    STACK_OF(X509_EXTENSION) *asked = X509_REQ_get_extensions(req);
    assert_int_equal(sk_X509_EXTENSION_num(asked), 2);
    assert_true(X509v3_get_ext_by_NID(asked, NID_subject_alt_name, -1) >= 0);
    assert_true(X509v3_get_ext_by_NID(asked, NID_key_usage, -1) >= 0);
    sk_X509_EXTENSION_pop_free(asked, X509_EXTENSION_free);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
    idv_factory_device_free(&d);
    succeeds(STATION_PROVISION); /* our own desk takes it as well */
}

static void csr_too(void **arg)
{
    (void)arg;
    need_tpm();
    with_tpm(IDV_PROFILE_TCG, false);
    request_beside(IDV_KEY_P256);
}

static void csr_too_rsa(void **arg)
{
    (void)arg;
    need_tpm();
    with_tpm(IDV_PROFILE_DIRECT, true);
    request_beside(IDV_KEY_RSA2048);
}

/* --- taken for another ------------------------------------------------------
 */

/* a label that was another's: the number and the device are free again */
static void mistaken(void **arg)
{
    struct idv_factory_device d;
    (void)arg;
    need_token();
    with_token(true);
    assert_true(softhsm_token("two"));
    const char *const one = line.conf.device,
                      *const two = "pkcs11:token=two?pin-value=1234";
    succeeds(STATION_PROVISION);
    line.conf.device = two;
    refused(STATION_REQUEST, IDV_WHY_DUPLICATE, "AB-0001");
    succeeds(STATION_RELEASE);
    refused(STATION_RELEASE, IDV_WHY_STORE, "released before");
    refused(STATION_RETIRE, IDV_WHY_STORE, "released before");
    booked(&d);
    assert_int_equal(d.state, IDV_DEVICE_RELEASED);
    assert_true(d.cert.n > 0);
    idv_factory_device_free(&d);
    succeeds(STATION_PROVISION);
    booked(&d);
    assert_int_equal(d.state, IDV_DEVICE_DONE);
    assert_int_equal(d.issue, 1);
    idv_factory_device_free(&d);
    line.conf.device = one;
    line.conf.serial_number = "AB-0002";
    refused(STATION_REQUEST, IDV_WHY_HAS_ONE, "AB-0001");
    line.conf.again = true;
    succeeds(STATION_PROVISION);
    line.conf.again = false;
    succeeds(STATION_VERIFY);
    /* and each is the other's no more */
    line.conf.serial_number = "AB-0001";
    refused(STATION_REQUEST, IDV_WHY_DUPLICATE, "AB-0002");
}

/* --- all of it taken away ---------------------------------------------------
 */

/* the newest value of that hierarchy in escrow, as a file of its own */
static void give_back(const char *hierarchy, char path[static 96])
{
    struct idv_factory_device d;
    IDV_AUTO(buf) value = {0};
    IDV_AUTO(buf) want = {0};
    booked(&d);
    OK(idv_buf_putf(&want, "{\"hierarchy\":\"%s\"", hierarchy));
    OK(idv_buf_put(&want, idv_bytes((const uint8_t *)"", 1)));
    const unsigned char *p = d.escrow.p, *last = p + d.escrow.n;
    while (p < last) {
        char text[512] = "";
        CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, last - p);
        BIO *out = BIO_new(BIO_s_mem());
        assert_int_equal(CMS_decrypt(cms, line.pki.domain_ca.key,
                                     line.pki.domain_ca.cert, NULL, out, 0),
                         1);
        assert_true(BIO_read(out, text, sizeof(text) - 1) > 64);
        BIO_free(out);
        CMS_ContentInfo_free(cms);
        const char *hex = strstr(text, "\"value\":\"");
        if (!strstr(text, (const char *)want.p))
            continue;
        assert_non_null(hex);
        idv_buf_clear(&value);
        OK(idv_hex_to_bytes(
            idv_bytes((const uint8_t *)hex + strlen("\"value\":\""), 64),
            &value));
    }
    idv_factory_device_free(&d);
    assert_int_equal(value.n, 32);
    snprintf(path, 96, "%s/%s-value", line.dir, hierarchy);
    OK(idv_fs_write(path, idv_view(&value), 0600));
}

static void lock_down(bool owner)
{
    line.lockdown = (struct idv_lockdown){.lockout_auth = true,
                                          .owner_auth = owner,
                                          .platform_anchor = owner,
                                          .approval_key = line.pki.masa.key,
                                          .maker_anchors = line.pki.anchors,
                                          .escrow = line.pki.domain_ca.cert};
    line.conf.lockdown = &line.lockdown;
}

/* what had been set is not: another line can set its own */
static void is_as_new(void)
{
    struct idv_factory_device d;
    line.lockout_pin = line.owner_pin = NULL;
    booked(&d);
    assert_int_equal(d.state, IDV_DEVICE_WIPED);
    assert_int_equal(d.escrow.n, 0);
    idv_factory_device_free(&d);
    book_drop(&line.book);
    book_open(&line.book);
    line.issue = NULL;
    succeeds(STATION_PROVISION);
}

/* what a file's first line cannot give back, until it is asked once more */
static idv_rc unlucky(void *ctx, uint8_t *p, size_t n)
{
    static const uint8_t *last;
    (void)ctx;
    if (RAND_bytes(p, (int)n) != 1)
        return IDV_E_CRYPTO;
    if (n == 32 && p != last)
        p[7] = '\n';
    last = p == last ? NULL : p;
    return IDV_OK;
}

static void wiped_lockout(void **arg)
{
    char path[96];
    (void)arg;
    need_tpm();
    lock_down(false);
    line.pki.env.env.random = unlucky;
    with_tpm(IDV_PROFILE_TCG, true);
    succeeds(STATION_PROVISION);
    /* without it, nothing is taken out, and no try is spent: the right value is
     * good at once */
    refused(STATION_WIPE, IDV_WHY_STATION, "lockout-pin-file");
    succeeds(STATION_VERIFY);
    give_back("lockout", path);
    line.lockout_pin = path;
    succeeds(STATION_WIPE);
    is_as_new();
}

static void wiped_both(void **arg)
{
    char lockout[96], owner[96];
    (void)arg;
    need_tpm();
    lock_down(true);
    with_tpm(IDV_PROFILE_TCG, false);
    succeeds(STATION_PROVISION);
    assert_int_equal(swtpm_cycle(&line.tpm), 0);
    succeeds(STATION_VERIFY);
    refused(STATION_WIPE, IDV_WHY_STATION, "owner-pin-file");
    give_back("lockout", lockout);
    give_back("owner", owner);
    line.lockout_pin = lockout;
    line.owner_pin = owner;
    succeeds(STATION_WIPE);
    is_as_new();
}

/* --- before keys are used ---------------------------------------------------
 */

/* Only a device that waits for its reply: nothing of the end was done. */
static void tries(void **arg)
{
    struct station_result r;
    (void)arg;
    need_tpm();
    assert_true(station_line_tpm(&line));
    line.lockdown = (struct idv_lockdown){.da = true,
                                          .max_tries = 29,
                                          .recovery_s = 601,
                                          .lockout_recovery_s = 602};
    line.conf.lockdown = &line.lockdown;
    assert_true(station_run(&line, STATION_REQUEST, &r));
    assert_int_equal(r.rc, IDV_OK);
    assert_true(r.calls.lockdown > 0);
    succeeds(STATION_ISSUE);
    succeeds(STATION_INSTALL);
    succeeds(STATION_VERIFY);
    line.lockdown.max_tries = 28;
    refused(STATION_VERIFY, IDV_WHY_CERT, "dictionary-attack parameters");
}

/* a value of the owner's alone would only lock out its own anchor */
static void owner_alone(void **arg)
{
    (void)arg;
    need_tpm();
    lock_down(true);
    line.lockdown.platform_anchor = false;
    assert_true(station_line_tpm(&line));
    refused(STATION_LOOK, IDV_WHY_NONE, "needs the anchor of profile platform");
}

#define LINE_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINE_TEST(tpm_one_book),   LINE_TEST(tpm_two_books),
        LINE_TEST(lean_two_books), LINE_TEST(direct_one_book),
        LINE_TEST(token_one_book), LINE_TEST(token_two_books),
        LINE_TEST(csr_too),        LINE_TEST(csr_too_rsa),
        LINE_TEST(mistaken),       LINE_TEST(tpm_reworks),
        LINE_TEST(token_reworks),  LINE_TEST(wiped_lockout),
        LINE_TEST(wiped_both),     LINE_TEST(owner_alone),
        LINE_TEST(tries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
