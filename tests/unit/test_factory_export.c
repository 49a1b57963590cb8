/* SPDX-License-Identifier: Apache-2.0 */
/* What others get out of a line's book. */
#include "tests/unit/codec.h"

#include <idevid/envelope.h>
#include <idevid/export.h>

#include "tests/lib/factory_book.h"
#include "tests/lib/pki.h"

#define OWNER "b3duZXItb3duZXItb3duZXItb3du" /* 21 bytes */
/* as long as an order lets them be */
#define MODEL "Gateway 2000, the one with a name of sixty-four letters, or more"
#define CUSTOMER                                                               \
    "Example Ltd, who buys so much of it that the name is longer, too"
_Static_assert(sizeof(MODEL) == IDV_FACTORY_NAME_MAX + 1 &&
                   sizeof(CUSTOMER) == IDV_FACTORY_NAME_MAX + 1,
               "long");

static struct pki pki;

static int group_setup(void **state)
{
    (void)state;
    pki_make(&pki);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    pki_free(&pki);
    return 0;
}

static int setup(void **state)
{
    struct book *b = calloc(1, sizeof(*b));
    book_open(b);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    book_drop(*state);
    free(*state);
    return 0;
}

#define CALL(b, fn, ...) ((b)->store.fn((b)->store.self, __VA_ARGS__))

static idv_rc append(void *arg, struct idv_bytes line)
{
    return idv_buf_put(arg, line);
}

/* pki.idevid and what came with it, in this state of order L1 */
static struct idv_factory_device real_device(enum idv_factory_state s)
{
    struct idv_factory_device d = book_device(PKI_SERIAL, 1, s);
    struct idv_factory_request r = {.profile = IDV_PROFILE_TCG,
                                    .type = IDV_KEY_P256,
                                    .created_on = PKI_NOW,
                                    .challenge = {7}};
    strcpy(r.order, "L1");
    strcpy(r.serial_number, PKI_SERIAL);
    strcpy(r.station, "st1");
    OK(idv_buf_puts(&r.tcg_csr, "TCG-CSR"));
    OK(idv_buf_puts(&r.ek_public, "EK public"));
    idv_buf_clear(&d.cert);
    idv_buf_clear(&d.request);
    OK(idv_cert_to_der(pki.idevid.cert, &d.cert));
    IDV_AUTO(buf) json = {0};
    OK(idv_factory_request_to_json(&r, &json));
    struct idv_signer signer = {
        .key = pki.masa.key, .cert = pki.masa.cert, .id_data = true};
    OK(idv_envelope_seal(IDV_MEDIA_VOUCHER_CMS, idv_view(&json), &signer,
                         &d.request));
    idv_factory_request_free(&r);
    return d;
}

static void put_real(struct book *b, enum idv_factory_state s)
{
    struct idv_factory_device d = real_device(s);
    struct idv_order *o = book_order("L1", "R", 1);
    free(o->devices[0].serial_number);
    o->devices[0].serial_number = strdup(PKI_SERIAL);
    o->devices[0].owner = strdup(OWNER);
    free(o->model);
    o->model = strdup(MODEL);
    o->customer = strdup(CUSTOMER);
    OK(CALL(b, order_add, o, PKI_NOW));
    OK(CALL(b, put, &d, IDV_DEVICE_NONE, idv_factory_state_to_text(s),
            idv_str(""), PKI_NOW, NULL));
    book_order_free(o);
    idv_factory_device_free(&d);
}

static bool same_device(void *arg, const struct idv_masa_device *d)
{
    IDV_AUTO(buf) der = {0};
    OK(idv_cert_to_der(pki.idevid.cert, &der));
    assert_string_equal(d->serial_number, PKI_SERIAL);
    assert_string_equal(d->owner, OWNER);
    assert_string_equal(d->model, MODEL);
    assert_string_equal(d->customer, CUSTOMER);
    assert_string_equal(d->maker, "acme");
    assert_true(idv_bytes_eq(idv_view(&d->cert), idv_view(&der)));
    *(bool *)arg = d->standing != IDV_STANDING_NORMAL;
    return true;
}

/* what a MASA makes of the feed; returns whether the device is blocked */
static bool loads(struct book *b, struct idv_buf *feed)
{
    struct idv_db *masa = NULL;
    char path[96];
    bool fresh = false, blocked = false;
    struct idv_bytes rest = idv_view(feed), line;
    snprintf(path, sizeof(path), "%s/masa.db", b->dir);
    OK(idv_db_open(path, &masa));
    while (idv_text_next(&rest, "\n", &line)) {
        if (line.n)
            OK(idv_db_device_import(masa, line, &fresh));
    }
    OK(idv_db_device_each(masa, PKI_SERIAL, same_device, &blocked));
    idv_db_close(masa);
    return blocked;
}

static void feed(void **state)
{
    struct book *b = *state;
    IDV_AUTO(buf) out = {0};
    struct idv_export to = {append, &out};
    put_real(b, IDV_DEVICE_DONE);
    book_put(b, "A1", 5, IDV_DEVICE_REQUESTED); /* no certificate yet */
    OK(idv_export_feed(&b->store, NULL, "acme", &to));
    assert_null(strstr((char *)out.p, "\"A1\""));
    assert_non_null(strstr((char *)out.p, "\"ek-sha256\":\"545555"));
    assert_non_null(strstr((char *)out.p, "\"issue\":1"));
    assert_non_null(strstr((char *)out.p, "\"state\":\"done\"}\n"));
    assert_false(loads(b, &out));
    idv_buf_clear(&out);
    OK(idv_export_feed(&b->store, "L9", "acme", &to));
    assert_int_equal(out.n, 0);
}

/* issued to somebody who could not open the reply, say */
static void nothing_of_issued(void **state)
{
    struct book *b = *state;
    IDV_AUTO(buf) out = {0};
    const struct idv_export to = {append, &out};
    put_real(b, IDV_DEVICE_ISSUED);
    OK(idv_export_feed(&b->store, NULL, NULL, &to));
    OK(idv_export_attestations(&b->store, NULL, &to));
    assert_int_equal(out.n, 0);
}

static void feed_of_retired(void **state)
{
    struct book *b = *state;
    IDV_AUTO(buf) out = {0};
    struct idv_export to = {append, &out};
    put_real(b, IDV_DEVICE_RETIRED);
    OK(idv_export_feed(&b->store, NULL, "acme", &to));
    assert_non_null(strstr((char *)out.p, "\"retired\":true"));
    assert_true(loads(b, &out));
    assert_true(loads(b, &out)); /* and again */
    struct idv_factory_device d = real_device(IDV_DEVICE_DONE);
    OK(CALL(b, put, &d, IDV_DEVICE_RETIRED, "done", idv_str(""), PKI_NOW,
            NULL));
    idv_buf_clear(&out);
    OK(idv_export_feed(&b->store, NULL, "acme", &to));
    assert_false(loads(b, &out)); /* taken back */
    idv_factory_device_free(&d);
}

static void odd_certificate(void **state)
{
    struct book *b = *state;
    IDV_AUTO(buf) out = {0};
    struct idv_export to = {append, &out};
    book_put(b, "A1", 5, IDV_DEVICE_DONE);
    FAILS(IDV_E_FORMAT, "device 'A1'",
          idv_export_feed(&b->store, NULL, NULL, &to));
    FAILS(IDV_E_FORMAT, "device 'A1'", idv_export_csv(&b->store, NULL, &to));
}

static void attestations(void **state)
{
    struct book *b = *state;
    IDV_AUTO(buf) out = {0}, nonce_hex = {0}, request = {0};
    IDV_AUTO_PTR(idv_json) o = NULL;
    struct idv_export to = {append, &out};
    const uint8_t challenge[32] = {7};
    uint8_t nonce[32];
    put_real(b, IDV_DEVICE_DONE);
    OK(idv_export_attestations(&b->store, "L1", &to));
    OK(idv_json_parse(idv_view(&out), 0, &o));
    assert_string_equal(idv_json_text(idv_json_get(o, "tcg-csr")),
                        "VENHLUNTUg==");
    assert_string_equal(idv_json_text(idv_json_get(o, "ek-public")),
                        "RUsgcHVibGlj");
    assert_string_equal(idv_json_text(idv_json_get(o, "profile")), "tcg");
    idv_factory_nonce(challenge, "L1", PKI_SERIAL, nonce);
    OK(idv_hex_from_bytes(idv_bytes(nonce, 32), &nonce_hex));
    assert_string_equal(idv_json_text(idv_json_get(o, "nonce")),
                        (char *)nonce_hex.p);
    struct idv_factory_device d = {0};
    bool found = false;
    OK(CALL(b, find, IDV_BY_SERIAL, idv_str(PKI_SERIAL), &found, &d));
    OK(idv_base64_to_bytes(idv_str(idv_json_text(idv_json_get(o, "request"))),
                           IDV_BASE64_STRICT, &request));
    assert_true(idv_bytes_eq(idv_view(&request), idv_view(&d.request)));
    idv_factory_device_free(&d);
}

static void csv(void **state)
{
    struct book *b = *state;
    IDV_AUTO(buf) out = {0};
    struct idv_export to = {append, &out};
    struct idv_order *o = book_order("L1", "=1+1", 1);
    struct idv_factory_device d =
        book_device("=1+1-0001", 1, IDV_DEVICE_REQUESTED);
    char *macs[] = {strdup("00:11:22:33:44:55"), strdup("00:11:22:33:44:56"),
                    NULL};
    o->devices[0].macs = macs;
    o->devices[0].sku = strdup("a,\"b\"");
    OK(CALL(b, order_add, o, PKI_NOW));
    strcpy(d.operator_, "@ann");
    strcpy(d.station, "-st");
    strcpy(d.model, "+R");
    OK(CALL(b, put, &d, IDV_DEVICE_NONE, "requested", idv_str(""), 1, NULL));
    OK(idv_export_csv(&b->store, NULL, &to));
    const char *line = strchr((char *)out.p, '\n') + 1;
    assert_int_equal(
        strncmp((char *)out.p, "serial-number,order,model,sku,macs,", 35), 0);
    assert_non_null(strstr(line, "'=1+1-0001,L1,'+R,\"a,\"\"b\"\"\","
                                 "00:11:22:33:44:55 00:11:22:33:44:56,tcg,"
                                 "requested,1,5455"));
    assert_non_null(strstr(line, ",,,'-st,'@ann,2026-11-22T00:00:00Z,"
                                 "2026-11-22T00:00:00Z\r\n"));
    free(o->devices[0].sku);
    free(macs[0]);
    free(macs[1]);
    book_order_free(o);
    idv_factory_device_free(&d);
}

static idv_rc full(void *arg, struct idv_bytes line)
{
    (void)line;
    return --*(int *)arg > 0 ? IDV_OK
                             : idv_fail(IDV_E_IO, "standard output: full");
}

static void whoever_takes_it_fails(void **state)
{
    struct book *b = *state;
    int lines = 2;
    struct idv_export to = {full, &lines};
    book_put(b, "A1", 1, IDV_DEVICE_SEEN);
    book_put(b, "A2", 2, IDV_DEVICE_SEEN);
    FAILS(IDV_E_IO, "full", idv_export_csv(&b->store, NULL, &to));
    assert_int_equal(lines, 0);            /* not asked again */
    book_put(b, "A3", 3, IDV_DEVICE_SEEN); /* and the view is closed */
}

/* --- the shift ------------------------------------------------------------ */

static void some_shift(struct book *b)
{
    struct idv_factory_device d = book_device("A2", 2, IDV_DEVICE_DONE);
    book_put(b, "A1", 1, IDV_DEVICE_DONE); /* at PKI_NOW */
    d.issue = 2;
    OK(CALL(b, put, &d, IDV_DEVICE_NONE, "done", idv_str(""), PKI_NOW + 60,
            NULL));
    OK(CALL(b, note, "failed", "A3",
            idv_str("{\"why\":\"ek-chain\",\"station\":\"st1\",\"operator\":"
                    "\"bob\"}"),
            PKI_NOW + 70));
    OK(CALL(b, note, "failed", "A3", idv_str("{\"why\":\"ek-chain\"}"),
            PKI_NOW + 71));
    OK(CALL(b, note, "refused", "A3", idv_str("{}"), PKI_NOW + 72));
    OK(CALL(b, note, "turned-away", "", idv_str("{\"count\":40}"),
            PKI_NOW + 73));
    OK(idv_journal_seal(&b->store, pki.masa.key, pki.masa.cert, &pki.env.env));
    OK(CALL(b, note, "failed", "A4", idv_str("{}"), PKI_NOW + 3600));
    idv_factory_device_free(&d);
}

static void report(void **state)
{
    struct book *b = *state;
    struct idv_report r;
    some_shift(b);
    OK(idv_report_make(&b->store, PKI_NOW, PKI_NOW + 3600, &r));
    assert_int_equal(r.done, 2);
    assert_int_equal(r.rework, 1);
    assert_int_equal(r.failed, 2);
    assert_int_equal(r.refused, 1);
    assert_int_equal(r.per_hour_x10, 20);
    assert_int_equal(r.n_whys, 2);
    assert_string_equal(r.whys[0].name, "ek-chain");
    assert_int_equal(r.whys[0].n, 2);
    assert_string_equal(r.whys[1].name, "unknown");
    assert_int_equal(r.n_people, 3);
    assert_string_equal(r.people[0].name, "st1/ann");
    assert_int_equal(r.people[0].n, 2);
    assert_string_equal(r.people[1].name, "st1/bob");
    assert_int_equal(r.people[1].failed, 1);
    assert_int_equal(r.turned_away, 40);
    assert_int_equal(r.sealed_seq, 6);
    assert_int_equal(r.head_seq, 7);
    OK(idv_report_make(&b->store, PKI_NOW + 1, PKI_NOW + 61, &r));
    assert_int_equal(r.done, 1);
    assert_int_equal(r.failed, 0);
    FAILS(IDV_E_ARG, "before it begins", idv_report_make(&b->store, 5, 5, &r));
}

static void report_told(void **state)
{
    struct book *b = *state;
    IDV_AUTO(buf) text = {0}, json = {0};
    IDV_AUTO_PTR(idv_json) o = NULL;
    struct idv_report r;
    int64_t n = 0;
    some_shift(b);
    OK(idv_report_make(&b->store, PKI_NOW, PKI_NOW + 3600, &r));
    OK(idv_report_to_text(&r, &text));
    const char *t = (char *)text.p;
    assert_non_null(strstr(t, "2026-11-22T00:00:00Z to 2026-11-22T01:00:00Z, "
                              "2.0 an hour\n"));
    assert_non_null(strstr(t, "done 2 (rework 1), failed 2, refused 1, "
                              "retired 0, wiped 0, turned away 40\n"));
    assert_non_null(strstr(t, "because of ek-chain"));
    assert_non_null(strstr(t, "sealed 2026-11-22T00:00:00Z up to entry 6 "));
    assert_non_null(strstr(t, ", 1 entries since\n"));
    OK(idv_report_to_json(&r, &json));
    OK(idv_json_parse(idv_view(&json), 0, &o));
    OK(idv_json_int(idv_json_get(o, "sealed-seq"), "seq", &n));
    assert_int_equal(n, 6);
    assert_int_equal(idv_json_count(idv_json_get(o, "people")), 3);
}

static void many_people(void **state)
{
    struct book *b = *state;
    struct idv_report r;
    char body[64];
    for (int i = 0; i < 70; i++) {
        snprintf(body, sizeof(body), "{\"why\":\"w%d\"}", i);
        OK(CALL(b, note, "failed", "", idv_str(body), PKI_NOW));
    }
    OK(idv_report_make(&b->store, PKI_NOW, PKI_NOW + 1, &r));
    assert_int_equal(r.n_whys, IDV_REPORT_ROWS);
    assert_string_equal(r.whys[IDV_REPORT_ROWS - 1].name, "others");
    assert_int_equal(r.whys[IDV_REPORT_ROWS - 1].n, 70 - IDV_REPORT_ROWS + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(feed, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_of_issued, setup, teardown),
        cmocka_unit_test_setup_teardown(feed_of_retired, setup, teardown),
        cmocka_unit_test_setup_teardown(odd_certificate, setup, teardown),
        cmocka_unit_test_setup_teardown(attestations, setup, teardown),
        cmocka_unit_test_setup_teardown(csv, setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_takes_it_fails, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(report, setup, teardown),
        cmocka_unit_test_setup_teardown(report_told, setup, teardown),
        cmocka_unit_test_setup_teardown(many_people, setup, teardown),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
