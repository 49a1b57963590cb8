/* SPDX-License-Identifier: Apache-2.0 */
/* The store of a line: devices and whose they are, orders, challenges; the
 * file shared, full, locked, wrong. */
#include "tests/unit/codec.h"

#include <sys/wait.h>

#include "idevid/db/sqlite.h"
#include "tests/lib/factory_book.h"
#include "tests/lib/pki.h"

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

static idv_rc put(struct book *b, const struct idv_factory_device *d,
                  enum idv_factory_state from, enum idv_factory_why *why)
{
    return CALL(b, put, d, from, idv_factory_state_to_text(d->state),
                idv_str("{}"), PKI_NOW + 1, why);
}

static bool find(struct book *b, const char *serial,
                 struct idv_factory_device *out)
{
    bool found = false;
    OK(CALL(b, find, IDV_BY_SERIAL, idv_str(serial), &found, out));
    return found;
}

static bool find_hash(struct book *b, enum idv_factory_by by,
                      const uint8_t hash[32], char serial[IDV_MAX_SERIAL + 1])
{
    struct idv_factory_device d = {0};
    bool found = false;
    OK(CALL(b, find, by, idv_bytes(hash, 32), &found, &d));
    memcpy(serial, d.serial_number, sizeof(d.serial_number));
    idv_factory_device_free(&d);
    return found;
}

static bool same(const struct idv_buf *a, const struct idv_buf *b)
{
    return idv_bytes_eq(idv_view(a), idv_view(b));
}

/* --- devices -------------------------------------------------------------- */

static void puts_and_finds(void **state)
{
    struct book *b = *state;
    struct idv_factory_device d = book_device("A1", 1, IDV_DEVICE_DONE);
    struct idv_factory_device is = {0};
    char serial[IDV_MAX_SERIAL + 1];
    d.profile = IDV_PROFILE_LEAN;
    OK(idv_buf_puts(&d.escrow, "escrow"));
    OK(put(b, &d, IDV_DEVICE_NONE, NULL));
    book_again(b);
    assert_true(find(b, "A1", &is));
    assert_string_equal(is.serial_number, "A1");
    assert_string_equal(is.order, "L1");
    assert_string_equal(is.model, "R1");
    assert_string_equal(is.station, "st1");
    assert_string_equal(is.operator_, "ann");
    assert_int_equal(is.profile, IDV_PROFILE_LEAN);
    assert_int_equal(is.state, IDV_DEVICE_DONE);
    assert_int_equal(is.issue, 1);
    assert_int_equal(is.created, PKI_NOW);
    assert_true(same(&is.cert, &d.cert) && same(&is.iak_cert, &d.iak_cert) &&
                same(&is.request, &d.request) && same(&is.reply, &d.reply) &&
                same(&is.escrow, &d.escrow));
    assert_true(find_hash(b, IDV_BY_EK, d.ek, serial));
    assert_string_equal(serial, "A1");
    assert_true(find_hash(b, IDV_BY_KEY, d.key, serial));
    d.ek[0] ^= 1;
    assert_false(find_hash(b, IDV_BY_EK, d.ek, serial));
    assert_false(find_hash(b, IDV_BY_KEY, d.ek, serial));
    assert_false(find(b, "A2", &is));
    idv_factory_device_free(&is);
    idv_factory_device_free(&d);
}

static void absent_is_nobodys(void **state)
{
    struct book *b = *state;
    const uint8_t none[32] = {0};
    char serial[IDV_MAX_SERIAL + 1];
    book_put(b, "A1", 0, IDV_DEVICE_SEEN);
    book_put(b, "A2", 0, IDV_DEVICE_SEEN); /* neither has EK and key */
    assert_false(find_hash(b, IDV_BY_EK, none, serial));
    assert_false(find_hash(b, IDV_BY_KEY, none, serial));
}

static void goes_on(void **state)
{
    struct book *b = *state;
    struct idv_factory_device d = book_device("A1", 1, IDV_DEVICE_REQUESTED);
    struct idv_factory_device is = {0};
    enum idv_factory_why why = IDV_WHY_CA;
    OK(put(b, &d, IDV_DEVICE_NONE, &why));
    assert_int_equal(why, IDV_WHY_NONE);
    FAILS(IDV_E_STATE, "'A1' is in state requested, not none",
          put(b, &d, IDV_DEVICE_NONE, &why));
    assert_int_equal(why, IDV_WHY_NONE);
    d.state = IDV_DEVICE_ISSUED;
    FAILS(IDV_E_STATE, "in state requested, not seen",
          put(b, &d, IDV_DEVICE_SEEN, &why));
    OK(put(b, &d, IDV_DEVICE_REQUESTED, &why));
    assert_true(find(b, "A1", &is));
    assert_int_equal(is.state, IDV_DEVICE_ISSUED);
    assert_int_equal(book_entries(b, NULL), 2);
    idv_factory_device_free(&is);
    strcpy(d.serial_number, "A9");
    memset(d.ek, 9, 32);
    memset(d.key, 8, 32);
    FAILS(IDV_E_STATE, "in state none, not issued",
          put(b, &d, IDV_DEVICE_ISSUED, &why));
    idv_factory_device_free(&d);
}

static void duplicates(void **state)
{
    struct book *b = *state;
    struct idv_factory_device d = book_device("B1", 2, IDV_DEVICE_SEEN);
    enum idv_factory_why why = IDV_WHY_NONE;
    book_put(b, "A1", 1, IDV_DEVICE_DONE);
    strcpy(d.order, "L2");
    struct idv_factory_device a = book_device("A1", 1, IDV_DEVICE_DONE);
    memcpy(d.ek, a.ek, 32);
    FAILS(IDV_E_REJECT,
          "the EK of device 'B1' (order 'L2') is that of device 'A1' (order "
          "'L1', done)",
          put(b, &d, IDV_DEVICE_NONE, &why));
    assert_int_equal(why, IDV_WHY_DUPLICATE);
    memset(d.ek, 3, 32);
    memcpy(d.key, a.key, 32);
    FAILS(IDV_E_REJECT, "the key of device 'B1'",
          put(b, &d, IDV_DEVICE_NONE, &why));
    assert_int_equal(why, IDV_WHY_DUPLICATE);
    memset(d.key, 4, 32);
    strcpy(d.serial_number, "A1");
    FAILS(IDV_E_REJECT, "serial number 'A1' (order 'L2') is that of the device",
          put(b, &d, IDV_DEVICE_NONE, &why));
    assert_int_equal(why, IDV_WHY_DUPLICATE);
    memset(d.ek, 0, 32); /* nor without one */
    FAILS(IDV_E_REJECT, "serial number 'A1'",
          put(b, &d, IDV_DEVICE_DONE, &why));
    assert_int_equal(book_entries(b, NULL), 1); /* nothing came of it */
    idv_factory_device_free(&a);
    idv_factory_device_free(&d);
}

static void retired_counts(void **state)
{
    struct book *b = *state;
    enum idv_factory_why why = IDV_WHY_NONE;
    struct idv_factory_device d = book_device("A1", 1, IDV_DEVICE_WIPED);
    book_put(b, "A1", 1, IDV_DEVICE_DONE);
    OK(put(b, &d, IDV_DEVICE_DONE, &why));
    strcpy(d.serial_number, "A2");
    d.state = IDV_DEVICE_SEEN;
    FAILS(IDV_E_REJECT, "'A1' (order 'L1', wiped)",
          put(b, &d, IDV_DEVICE_NONE, &why));
    strcpy(d.serial_number, "A1"); /* its own again */
    d.issue = 2;
    OK(put(b, &d, IDV_DEVICE_WIPED, &why));
    idv_factory_device_free(&d);
}

/* it was another device: both are free, and only so */
static void released(void **state)
{
    struct book *b = *state;
    char serial[IDV_MAX_SERIAL + 1];
    enum idv_factory_why why = IDV_WHY_NONE;
    struct idv_order *o = book_order("L1", "R", 2);
    struct idv_factory_device d = book_device("R1", 1, IDV_DEVICE_RELEASED);
    uint8_t key[32];
    OK(CALL(b, order_add, o, PKI_NOW));
    strcpy(d.serial_number, o->devices[0].serial_number);
    book_put(b, d.serial_number, 1, IDV_DEVICE_DONE);
    FAILS(IDV_E_ARG, "released with its EK", put(b, &d, IDV_DEVICE_DONE, &why));
    memcpy(key, d.key, 32);
    memset(d.ek, 0, 32);
    memset(d.key, 0, 32);
    FAILS(IDV_E_STATE, "in state done", put(b, &d, IDV_DEVICE_SEEN, &why));
    assert_true(find_hash(b, IDV_BY_KEY, key, serial));
    OK(put(b, &d, IDV_DEVICE_DONE, &why));
    assert_false(find_hash(b, IDV_BY_KEY, key, serial));
    OK(CALL(b, order_next, "L1", "f1", PKI_NOW, PKI_NOW + 9, serial));
    assert_string_equal(serial, d.serial_number);
    book_put(b, o->devices[1].serial_number, 1, IDV_DEVICE_DONE);
    book_put(b, d.serial_number, 2, IDV_DEVICE_DONE);
    idv_factory_device_free(&d);
    book_order_free(o);
}

static void old_keys_stay(void **state)
{
    struct book *b = *state;
    char serial[IDV_MAX_SERIAL + 1];
    enum idv_factory_why why = IDV_WHY_NONE;
    struct idv_factory_device d = book_device("A1", 1, IDV_DEVICE_DONE);
    uint8_t old[32];
    OK(put(b, &d, IDV_DEVICE_NONE, &why));
    memcpy(old, d.key, 32);
    memset(d.key, 7, 32);
    d.issue = 2;
    OK(put(b, &d, IDV_DEVICE_DONE, &why));
    assert_true(find_hash(b, IDV_BY_KEY, old, serial));
    assert_string_equal(serial, "A1");
    strcpy(d.serial_number, "A2");
    memset(d.ek, 8, 32);
    memcpy(d.key, old, 32);
    FAILS(IDV_E_REJECT, "the key of device 'A2'",
          put(b, &d, IDV_DEVICE_NONE, &why));
    idv_factory_device_free(&d);
}

static void ek_may_come_later(void **state)
{
    struct book *b = *state;
    struct idv_factory_device d = book_device("A1", 0, IDV_DEVICE_SEEN);
    OK(put(b, &d, IDV_DEVICE_NONE, NULL));
    memset(d.ek, 5, 32);
    OK(put(b, &d, IDV_DEVICE_SEEN, NULL));
    memset(d.ek, 6, 32);
    FAILS(IDV_E_REJECT, "0505050505050505", put(b, &d, IDV_DEVICE_SEEN, NULL));
    idv_factory_device_free(&d);
}

static void odd_arguments(void **state)
{
    struct book *b = *state;
    struct idv_factory_device d = book_device("", 1, IDV_DEVICE_SEEN);
    FAILS(IDV_E_ARG, "without a serial", put(b, &d, IDV_DEVICE_NONE, NULL));
    strcpy(d.serial_number, "A1");
    FAILS(IDV_E_ARG, "no JSON object",
          CALL(b, put, &d, IDV_DEVICE_NONE, "seen", idv_str("[1]"), 1, NULL));
    FAILS(IDV_E_ARG, "device of its own",
          CALL(b, put, &d, IDV_DEVICE_NONE, "seen", idv_str("{\"device\":1}"),
               1, NULL));
    FAILS(IDV_E_ARG, "no integer",
          CALL(b, note, "x", "", idv_str("{\"n\":1.5}"), 1));
    FAILS(IDV_E_LIMIT, "kind of entry",
          CALL(b, note, "0123456789012345678901234567890x", "", idv_str("{}"),
               1));
    d.state = IDV_DEVICE_NONE;
    FAILS(IDV_E_ARG, "state 0", put(b, &d, IDV_DEVICE_NONE, NULL));
    assert_int_equal(book_entries(b, NULL), 0);
    idv_factory_device_free(&d);
}

static bool next_serial(void *arg, const struct idv_factory_device *d)
{
    char *all = arg;
    strcat(all, d->serial_number);
    strcat(all, d->cert.n ? "+ " : "- ");
    return strcmp(d->serial_number, "B1") != 0;
}

static void walks(void **state)
{
    struct book *b = *state;
    char all[64] = "";
    book_put(b, "C1", 1, IDV_DEVICE_SEEN);
    book_put(b, "A1", 2, IDV_DEVICE_DONE);
    book_put(b, "B1", 3, IDV_DEVICE_SEEN);
    OK(CALL(b, each_device, NULL, next_serial, all));
    assert_string_equal(all, "A1+ B1- ");
    *all = 0;
    OK(CALL(b, each_device, "L2", next_serial, all));
    assert_string_equal(all, "");
    OK(CALL(b, each_device, "L1", next_serial, all));
    assert_string_equal(all, "A1+ B1- ");
}

/* --- entries -------------------------------------------------------------- */

static bool copy_body(void *arg, const struct idv_journal_entry *e)
{
    struct idv_buf *out = arg;
    OK(idv_buf_putf(out, "%llu %lld %s '%s' ", (unsigned long long)e->seq,
                    (long long)e->time, e->kind, e->serial_number));
    OK(idv_buf_put(out, idv_view(&e->body)));
    OK(idv_buf_puts(out, "\n"));
    return true;
}

static void bodies_are_canonical(void **state)
{
    struct book *b = *state;
    IDV_AUTO(buf) text = {0};
    OK(CALL(b, note, "failed", "A1",
            idv_str("{ \"why\":\"ek-chain\", \"b\": [1, {\"z\":null,\"a\":"
                    "true}], \"\\u00e4\":\"\\u0001\\/\" , \"a\":-5 }"),
            77));
    OK(CALL(b, note, "start", NULL, idv_str(""), 78));
    OK(CALL(b, each_entry, 0, copy_body, &text));
    assert_string_equal((char *)text.p,
                        "1 77 failed 'A1' {\"a\":-5,\"b\":[1,{\"a\":true,\"z\":"
                        "null}],\"why\":\"ek-chain\",\"\xc3\xa4\":\"\\u0001/"
                        "\"}\n2 78 start '' {}\n");
}

static void entry_tells_the_row(void **state)
{
    struct book *b = *state;
    IDV_AUTO(buf) text = {0};
    struct idv_factory_device d = book_device("A1", 1, IDV_DEVICE_REQUESTED);
    OK(CALL(b, put, &d, IDV_DEVICE_NONE, "requested", idv_str("{\"why\":\"\"}"),
            5, NULL));
    OK(CALL(b, each_entry, 1, copy_body, &text));
    const char *is = (char *)text.p;
    assert_non_null(strstr(is, "1 5 requested 'A1' {\"device\":{\"changed\":"));
    assert_non_null(strstr(is, "\"operator\":\"ann\",\"order\":\"L1\","
                               "\"profile\":\"tcg\",\"request\":\""));
    assert_non_null(strstr(is, "\"serial-number\":\"A1\",\"state\":"
                               "\"requested\",\"station\":\"st1\"}"));
    assert_null(strstr(is, "certificate"));
    idv_factory_device_free(&d);
}

static void finds_by_time(void **state)
{
    struct book *b = *state;
    uint64_t seq = 9;
    OK(CALL(b, seq_since, 0, &seq));
    assert_int_equal(seq, 0);
    OK(CALL(b, note, "a", "", idv_str(""), 100));
    OK(CALL(b, note, "b", "", idv_str(""), 200));
    OK(CALL(b, note, "c", "", idv_str(""), 150)); /* a clock set back */
    OK(CALL(b, seq_since, 101, &seq));
    assert_int_equal(seq, 2);
    OK(CALL(b, seq_since, 201, &seq));
    assert_int_equal(seq, 0);
}

static void only_grows(void **state)
{
    struct book *b = *state;
    static const char *const edits[] = {
        "DELETE FROM entry",
        "UPDATE entry SET kind = 'x'",
        "DELETE FROM document",
        "UPDATE document SET data = x'00'",
        "DELETE FROM claim",
        "UPDATE claim SET serial_number = 'A1'",
        "DELETE FROM device",
        "INSERT INTO entry SELECT seq + 2, time, kind, serial_number, body,"
        " previous, hash FROM entry",
        NULL};
    book_put(b, "A1", 1, IDV_DEVICE_DONE);
    for (const char *const *e = edits; *e; e++)
        assert_int_equal(idvi_exec(b->db, NULL, *e, ""), IDV_E_STATE);
    assert_int_equal(book_entries(b, NULL), 1);
    idv_note_clear();
}

/* --- orders and challenges ------------------------------------------------ */

static void order_once(void **state)
{
    struct book *b = *state;
    struct idv_order *o = book_order("L1", "R", 3);
    struct idv_order *p = book_order("L2", "R", 1);
    OK(CALL(b, order_add, o, 1));
    OK(CALL(b, order_add, o, 2));
    assert_int_equal(book_entries(b, "order"), 1);
    FAILS(IDV_E_REJECT, "order 'L2': serial number 'R-0001' is in order 'L1'",
          CALL(b, order_add, p, 3));
    o->n = 2;
    FAILS(IDV_E_REJECT, "order 'L1' is there already, with other contents",
          CALL(b, order_add, o, 3));
    assert_int_equal(book_entries(b, NULL), 1);
    book_order_free(p);
    p = book_order("L3", "Q", 1);
    book_put(b, "Q-0001", 1, IDV_DEVICE_SEEN); /* in L1, without being in it */
    FAILS(IDV_E_REJECT, "'Q-0001' was made in order 'L1'",
          CALL(b, order_add, p, 3));
    o->n = 3;
    book_order_free(o);
    book_order_free(p);
}

static void order_tells(void **state)
{
    struct book *b = *state;
    IDV_AUTO(buf) json = {0};
    bool order = false, found = false;
    struct idv_order *o = book_order("L1", "R", 2);
    o->devices[1].owner = strdup("b3duZXI=");
    OK(CALL(b, order_add, o, 1));
    OK(CALL(b, order_device, "L1", "R-0002", &order, &found, &json));
    assert_true(order && found);
    assert_string_equal((char *)json.p,
                        "{\"model\":\"R1\",\"order\":\"L1\",\"owner\":"
                        "\"b3duZXI=\",\"serial-number\":\"R-0002\"}");
    OK(CALL(b, order_device, "L1", "R-0003", &order, &found, &json));
    assert_true(order && !found);
    OK(CALL(b, order_device, "L2", "R-0001", &order, &found, &json));
    assert_true(!order && !found);
    OK(CALL(b, order_device, NULL, "R-0001", &order, &found, &json));
    assert_true(found);
    book_order_free(o);
}

/* lines have the form that bodies have */
static void order_lines(void **state)
{
    struct book *b = *state;
    IDV_AUTO(buf) json = {0}, canonical = {0};
    bool order = false, found = false;
    char *macs[] = {strdup("00:11:22:33:44:55"), strdup("00:11:22:33:44:56"),
                    NULL};
    struct idv_order *o = book_order("L1", "R", 1);
    o->sku = strdup("S-1");
    o->customer = strdup("\xc3\x84pfel \"& co\"");
    o->has_profile = o->has_type = true;
    o->profile = IDV_PROFILE_LEAN;
    o->type = IDV_KEY_P384;
    o->devices[0].macs = macs;
    OK(CALL(b, order_add, o, 1));
    OK(CALL(b, order_device, "L1", "R-0001", &order, &found, &json));
    assert_string_equal(
        (char *)json.p,
        "{\"customer\":\"\xc3\x84pfel \\\"& co\\\"\",\"macs\":["
        "\"00:11:22:33:44:55\",\"00:11:22:33:44:56\"],\"model\":\"R1\","
        "\"order\":\"L1\",\"profile\":\"lean\",\"serial-number\":"
        "\"R-0001\",\"sku\":\"S-1\",\"type\":\"P-384\"}");
    OK(idv_journal_body(idv_view(&json), NULL, &canonical));
    assert_true(same(&json, &canonical));
    free(o->sku);
    free(macs[0]);
    free(macs[1]);
    book_order_free(o);
}

static void other_order(void **state)
{
    struct book *b = *state;
    struct idv_order *o = book_order("L2", "R", 2);
    struct idv_factory_device d = book_device("R-0001", 1, IDV_DEVICE_SEEN);
    enum idv_factory_why why = IDV_WHY_NONE;
    OK(CALL(b, order_add, o, 1));
    FAILS(IDV_E_REJECT, "'R-0001' is in order 'L2', not in 'L1'",
          put(b, &d, IDV_DEVICE_NONE, &why));
    assert_int_equal(why, IDV_WHY_ORDER);
    idv_factory_device_free(&d);
    book_order_free(o);
}

static void next_ones(void **state)
{
    struct book *b = *state;
    char s[IDV_MAX_SERIAL + 1];
    struct idv_order *o = book_order("L1", "R", 3);
    OK(CALL(b, order_add, o, 1));
    FAILS(IDV_E_STATE, "no order 'L9'",
          CALL(b, order_next, "L9", "f", 1, 9, s));
    OK(CALL(b, order_next, "L1", "f1", 100, 200, s));
    assert_string_equal(s, "R-0001");
    OK(CALL(b, order_next, "L1", "f2", 100, 200, s));
    assert_string_equal(s, "R-0002");
    OK(CALL(b, order_next, "L1", "f1", 150, 250, s)); /* came again */
    assert_string_equal(s, "R-0001");
    OK(CALL(b, order_next, "L1", "f3", 200, 300, s)); /* f2's is over */
    assert_string_equal(s, "R-0002");
    OK(CALL(b, order_next, "L1", "f2", 201, 300, s));
    assert_string_equal(s, "R-0003");
    OK(CALL(b, order_next, "L1", "f4", 201, 300, s));
    assert_string_equal(s, "");
    book_put(b, "R-0001", 1, IDV_DEVICE_SEEN);
    OK(CALL(b, order_next, "L1", "f1", 202, 300, s));
    assert_string_equal(s, ""); /* its own is made, the others are held */
    OK(CALL(b, order_next, "L1", "f1", 300, 400, s));
    assert_string_equal(s, "R-0002");
    book_order_free(o);
}

static void challenges(void **state)
{
    struct book *b = *state;
    const uint8_t c[32] = {1}, other[32] = {2};
    bool found = true;
    int64_t made = 0;
    OK(CALL(b, challenge_add, "L1", c, 55));
    OK(CALL(b, challenge_find, "L1", other, &found, &made));
    assert_false(found);
    OK(CALL(b, challenge_find, "L2", c, &found, &made));
    assert_false(found);
    OK(CALL(b, challenge_find, "L1", c, &found, &made));
    assert_true(found);
    assert_int_equal(made, 55);
    /* a row that leads to an entry of something else is none */
    OK(idvi_exec(b->db, NULL, "INSERT INTO challenge VALUES ($1, 1)", "h",
                 other));
    OK(CALL(b, challenge_find, "L1", other, &found, &made));
    assert_false(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(puts_and_finds, setup, teardown),
        cmocka_unit_test_setup_teardown(absent_is_nobodys, setup, teardown),
        cmocka_unit_test_setup_teardown(goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(duplicates, setup, teardown),
        cmocka_unit_test_setup_teardown(retired_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(released, setup, teardown),
        cmocka_unit_test_setup_teardown(old_keys_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(ek_may_come_later, setup, teardown),
        cmocka_unit_test_setup_teardown(odd_arguments, setup, teardown),
        cmocka_unit_test_setup_teardown(walks, setup, teardown),
        cmocka_unit_test_setup_teardown(bodies_are_canonical, setup, teardown),
        cmocka_unit_test_setup_teardown(entry_tells_the_row, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_by_time, setup, teardown),
        cmocka_unit_test_setup_teardown(only_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(order_once, setup, teardown),
        cmocka_unit_test_setup_teardown(order_tells, setup, teardown),
        cmocka_unit_test_setup_teardown(order_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(other_order, setup, teardown),
        cmocka_unit_test_setup_teardown(next_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(challenges, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
