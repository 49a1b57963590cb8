/* SPDX-License-Identifier: Apache-2.0 */
/* Work orders: what is read, what is refused, and how that is named. */
#include "codec.h"

#include <idevid/order.h>

static inline void order_auto(struct idv_order **o)
{
    idv_order_free(*o);
}
#define ORDER(name)                                                            \
    __attribute__((cleanup(order_auto))) struct idv_order *name = NULL

#define OWNER "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA="

static void csv(void **state)
{
    ORDER(o);
    (void)state;
    OK(idv_order_parse(
        idv_str("\xef\xbb\xbf#order: WO-4711\r\n#model: Gate \"5\"\r\n"
                "#profile: lean\r\n#type: P-384\r\n\r\n"
                "serial-number,sku,mac,mac,owner\r\n"
                "GT-1,\"a,\"\"b\"\"\",00-11-22-33-44-55 001122334456,,\r\n"
                "GT-2,,0011223344556677,02:00:00:00:00:01," OWNER "\n"),
        &o));
    assert_string_equal(o->id, "WO-4711");
    assert_string_equal(o->model, "Gate \"5\"");
    assert_null(o->sku);
    assert_true(o->has_profile && o->profile == IDV_PROFILE_LEAN);
    assert_true(o->has_type && o->type == IDV_KEY_P384);
    assert_int_equal(o->n, 2);
    assert_string_equal(o->devices[0].sku, "a,\"b\"");
    assert_string_equal(o->devices[0].macs[0], "00:11:22:33:44:55");
    assert_string_equal(o->devices[0].macs[1], "00:11:22:33:44:56");
    assert_null(o->devices[0].macs[2]);
    assert_null(o->devices[0].owner);
    assert_string_equal(o->devices[1].macs[0], "00:11:22:33:44:55:66:77");
    assert_string_equal(o->devices[1].owner, OWNER);
    assert_null(o->devices[1].sku);
}

static void json(void **state)
{
    ORDER(o);
    ORDER(again);
    IDV_AUTO(buf) text = {0};
    IDV_AUTO(buf) twice = {0};
    const char *in =
        "{\"order\":\"WO-1\",\"sku\":\"S\",\"customer\":\"C\",\"devices\":["
        "{\"serial-number\":\"A 1\",\"macs\":[\"00:11:22:33:44:55\"]},"
        "{\"serial-number\":\"A 2\",\"model\":\"M\",\"owner\":\"" OWNER "\"}]}";
    (void)state;
    OK(idv_order_parse(idv_str(in), &o));
    OK(idv_order_to_json(o, &text));
    assert_string_equal((char *)text.p, in);
    OK(idv_order_parse(idv_view(&text), &again));
    OK(idv_order_to_json(again, &twice));
    assert_string_equal((char *)text.p, (char *)twice.p);
}

static void same_from_both(void **state)
{
    ORDER(a);
    ORDER(b);
    IDV_AUTO(buf) x = {0};
    IDV_AUTO(buf) y = {0};
    (void)state;
    OK(idv_order_parse(
        idv_str("#order: W\nserial-number,mac\nS,001122334455\n"), &a));
    OK(idv_order_parse(
        idv_str("{\"devices\":[{\"macs\":[\"00-11-22-33-44-55\"],"
                "\"serial-number\":\"S\"}],\"order\":\"W\"}"),
        &b));
    OK(idv_order_to_json(a, &x));
    OK(idv_order_to_json(b, &y));
    assert_string_equal((char *)x.p, (char *)y.p);
}

static void patterns(void **state)
{
    ORDER(o);
    ORDER(p);
    (void)state;
    OK(idv_order_parse(
        idv_str("{\"order\":\"W\",\"pattern\":\"AB-{0098..0101}/x\"}"), &o));
    assert_int_equal(o->n, 4);
    assert_string_equal(o->devices[0].serial_number, "AB-0098/x");
    assert_string_equal(o->devices[3].serial_number, "AB-0101/x");
    OK(idv_order_parse(idv_str("#order: W\n#pattern: {9..11}\n"), &p));
    assert_int_equal(p->n, 3);
    assert_string_equal(p->devices[0].serial_number, "9");
    assert_string_equal(p->devices[2].serial_number, "11");
}

static void find_any(void **state)
{
    ORDER(o);
    char serial[16];
    (void)state;
    OK(idv_order_parse(idv_str("#order: W\n#pattern: S{1..1500}\n"), &o));
    for (unsigned i = 1; i <= 1500; i++) {
        snprintf(serial, sizeof(serial), "S%u", i);
        assert_ptr_equal(idv_order_find(o, serial), &o->devices[i - 1]);
    }
    assert_null(idv_order_find(o, "S0"));
    assert_null(idv_order_find(o, "S1501"));
    assert_null(idv_order_find(o, ""));
}

static void refused(void **state)
{
    static const struct {
        const char *text, *note;
        idv_rc rc;
    } row[] = {
        {"", "no id", IDV_E_FORMAT},
        {"#order: W\n", "no devices", IDV_E_FORMAT},
        {"serial-number\nS\n", "no id", IDV_E_FORMAT},
        {"#order: W\n#order: V\n", "line 2: order: its id twice", IDV_E_FORMAT},
        {"#order: ../W\n", "'.', '_', '-'", IDV_E_FORMAT},
        {"#order: .W\n", "'.', '_', '-'", IDV_E_FORMAT},
        {"#order: W\n#colour: red\n", "line 2: order: 'colour'", IDV_E_FORMAT},
        {"#order W\n", "line 1: order: not '#name: value'", IDV_E_FORMAT},
        {"#order: W\n#profile: best\n", "best", IDV_E_ARG},
        {"#order: W\n#type: P-257\n", "P-257", IDV_E_ARG},
        {"#order: W\nserial,mac\n", "line 2: order: no column serial-number",
         IDV_E_FORMAT},
        {"#order: W\nserial-number,colour\nS,red\n", "line 3: order: 'colour'",
         IDV_E_FORMAT},
        {"#order: W\nserial-number,sku,sku\n", "column sku twice",
         IDV_E_FORMAT},
        {"#order: W\nserial-number,sku\nS\n", "line 3: order: fields end",
         IDV_E_FORMAT},
        {"#order: W\nserial-number\nS,T\n", "line 3: order: more fields",
         IDV_E_FORMAT},
        {"#order: W\nserial-number,sku\n,T\n", "line 3: order: no serial",
         IDV_E_FORMAT},
        {"#order: W\nserial-number\n\"S\n", "line 3: a quote", IDV_E_FORMAT},
        {"#order: W\nserial-number\nS_1\n", "character 2 cannot be",
         IDV_E_FORMAT},
        {"#order: W\nserial-number\n\" S\"\n", "blanks around", IDV_E_FORMAT},
        {"#order: W\nserial-number\nS\xc3\xa4\n", "cannot be in one",
         IDV_E_FORMAT},
        {"#order: W\nserial-number\nS1\nS2\nS1\n",
         "serial number S1 twice, devices 1 and 3", IDV_E_REJECT},
        {"#order: "
         "W\nserial-number,mac\nS1,001122334455\nS2,00:11:22:33:44:55\n",
         "MAC address 00:11:22:33:44:55 twice, S1 and S2", IDV_E_REJECT},
        {"#order: W\nserial-number,mac,mac\nS1,001122334455,001122334455\n",
         "MAC address", IDV_E_REJECT},
        {"#order: W\nserial-number,mac\nS1,0011223344\n", "is no MAC",
         IDV_E_FORMAT},
        {"#order: W\nserial-number,mac\nS1,00:11:22:33:44:5\n", "is no MAC",
         IDV_E_FORMAT},
        {"#order: W\nserial-number,mac\nS1,00:11:22:33:44:55:\n", "is no MAC",
         IDV_E_FORMAT},
        {"#order: W\nserial-number,mac\nS1,00:11-22:33:44:55\n", "is no MAC",
         IDV_E_FORMAT},
        {"#order: W\nserial-number,mac\nS1,01:00:5e:00:00:01\n", "a group's",
         IDV_E_FORMAT},
        {"#order: W\nserial-number,owner\nS1,me\n", "no domainID",
         IDV_E_FORMAT},
        {"#order: W\n#pattern: S{1..}\n", "pattern", IDV_E_ARG},
        {"#order: W\n#pattern: S{2..1}\n", "pattern", IDV_E_ARG},
        {"#order: W\n#pattern: S1..2\n", "TEXT{FROM..TO}TEXT", IDV_E_FORMAT},
        {"#order: W\n#pattern: S{1..1000001}\n", "1000000 devices",
         IDV_E_LIMIT},
        {"#order: W\n#pattern: S{1..2}\nserial-number\n", "beside a pattern",
         IDV_E_FORMAT},
        {"{\"order\":\"W\",\"devices\":[],\"pattern\":\"S{1..2}\"}",
         "beside a pattern", IDV_E_FORMAT},
        {"{\"order\":\"W\",\"devices\":[{\"sku\":\"S\"}]}",
         "device 1 has no serial-number", IDV_E_FORMAT},
        {"{\"order\":\"W\",\"devices\":[{\"serial-number\":1}]}",
         "device 1: order: serial-number is not a text", IDV_E_FORMAT},
        {"{\"order\":\"W\",\"devices\":[{\"serial-number\":\"S\",\"x\":\"\"}]}",
         "'x' is nothing", IDV_E_FORMAT},
        {"{\"order\":\"W\",\"devices\":{}}", "devices is not a list",
         IDV_E_FORMAT},
        {"{\"order\":\"W\",\"order\":\"W\"}", "", IDV_E_FORMAT},
        {"{\"order\":\"W\",\"devices\":[7]}", "device 1: order: not an object",
         IDV_E_FORMAT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
        struct idv_order *o = NULL;
        FAILS(row[i].rc, row[i].note,
              idv_order_parse(idv_str(row[i].text), &o));
        assert_null(o);
    }
}

static void long_ones(void **state)
{
    IDV_AUTO(buf) text = {0};
    struct idv_order *o = NULL;
    char serial[70];
    (void)state;
    memset(serial, 'S', 65);
    serial[65] = 0;
    OK(idv_buf_putf(&text, "#order: W\nserial-number\n%s\n", serial));
    FAILS(IDV_E_LIMIT, "65 characters, 64 fit",
          idv_order_parse(idv_view(&text), &o));
    idv_buf_clear(&text);
    OK(idv_buf_puts(&text, "#order: W\nserial-number,mac\nS,"));
    for (unsigned i = 0; i < IDV_ORDER_MACS + 1; i++)
        OK(idv_buf_putf(&text, "0200000000%02x ", i));
    FAILS(IDV_E_LIMIT, "MAC addresses of one device",
          idv_order_parse(idv_view(&text), &o));
}

/* whatever is cut off or altered: an order or a note, never anything else */
static void altered(void **state)
{
    static const char text[] =
        "#order: WO-1\n#model: M\nserial-number,mac,owner\n"
        "S1,001122334455,\nS2,\"02:00:00:00:00:01\"," OWNER "\n";
    (void)state;
    for (size_t n = 0; n < sizeof(text); n++) {
        for (unsigned bit = 0; bit < 9; bit++) {
            char copy[sizeof(text)];
            ORDER(o);
            memcpy(copy, text, sizeof(text));
            if (bit < 8)
                copy[n] ^= (char)(1u << bit);
            idv_note_clear();
            idv_rc rc = idv_order_parse(
                idv_bytes(copy, bit < 8 ? sizeof(text) - 1 : n), &o);
            assert_true((rc == IDV_OK) == (o != NULL));
            assert_true(rc == IDV_OK || *idv_note());
        }
    }
    idv_note_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv),       cmocka_unit_test(json),
        cmocka_unit_test(patterns),  cmocka_unit_test(same_from_both),
        cmocka_unit_test(find_any),  cmocka_unit_test(refused),
        cmocka_unit_test(long_ones), cmocka_unit_test(altered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
