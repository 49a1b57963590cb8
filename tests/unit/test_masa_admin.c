/* SPDX-License-Identifier: Apache-2.0 */
/* What people ask of a MASA: the admin table over a real store. */
#include "tests/unit/codec.h"

#include "idevid/db/db.h"
#include "idevid/db/sql.h"
#include "idevid/masa/admin.h"
#include "tests/lib/world.h"

struct fixture {
    char dir[64], path[80];
    struct idv_db *db;
    struct idv_masa_admin rows;
    struct idv_env_system sys;
    struct idv_admin admin;
    struct idv_json *answer; /* of the last question */
    struct idv_msg reply;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    test_dir(f->dir);
    snprintf(f->path, sizeof(f->path), "%s/store.db", f->dir);
    OK(idv_db_open(f->path, &f->db));
    idv_env_system_init(&f->sys, "test");
    f->rows.people = idv_db_masa_people(f->db);
    f->rows.store = idv_db_masa_store(f->db);
    f->admin =
        (struct idv_admin){"masa", &f->sys.env, idv_masa_admin_rows, &f->rows};
    idv_msg_init(&f->reply);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    idv_json_free(f->answer);
    idv_msg_free(&f->reply);
    idv_db_close(f->db);
    test_dir_drop(f->dir);
    free(f);
    return 0;
}

/* the status; a good answer is in f->answer */
static int ask(struct fixture *f, const char *path, const char *in)
{
    idv_json_free(f->answer);
    f->answer = NULL;
    OK(idv_admin_answer(&f->admin, path, idv_str(in), "unix:uid=7", &f->reply));
    if (idv_admin_read(&f->reply, &f->answer) == IDV_OK)
        assert_int_equal(f->reply.status, 200);
    return f->reply.status;
}

static const char *cell(const struct idv_json *row, const char *name)
{
    const char *text = idv_json_text(idv_json_get(row, name));
    return text ? text : "";
}

static size_t count(struct fixture *f)
{
    return idv_json_count(idv_json_get(f->answer, "rows"));
}

static const struct idv_json *row(struct fixture *f, size_t i)
{
    return idv_json_at(idv_json_get(f->answer, "rows"), i, NULL);
}

static void add(struct fixture *f, const char *serial, uint8_t issuer)
{
    struct idv_masa_device d = {.keyid = {issuer}, .keyid_n = 20};
    bool fresh = false;
    strcpy(d.serial_number, serial);
    OK(idv_db_device_add(f->db, &d, &fresh));
    assert_true(fresh);
}

static struct idv_masa_device found(struct fixture *f, const char *serial,
                                    uint8_t issuer)
{
    struct idv_masa_device d = {0};
    uint8_t keyid[20] = {issuer};
    bool is = false;
    OK(f->rows.store.device_find(f->db, idv_bytes(keyid, 20), serial, &is, &d));
    assert_true(is);
    idv_buf_free(&d.cert);
    return d;
}

/* every device comes once, in order, also two of a serial number between which
 * a page ends */
static void test_pages(void **state)
{
    struct fixture *f = *state;
    enum { DEVICES = IDV_ADMIN_PAGE + 7 };
    char serial[16], last[64] = "", in[300] = "{}";
    size_t seen = 0;
    for (unsigned i = 0; i < DEVICES; i++) {
        snprintf(serial, sizeof(serial), "S-%03u", (i + 1) / 2);
        add(f, serial, (uint8_t)(i % 2));
    }
    for (;;) {
        assert_int_equal(ask(f, "/list", in), 200);
        for (size_t i = 0; i < count(f); i++, seen++) {
            char now[64];
            snprintf(now, sizeof(now), "%s/%s",
                     cell(row(f, i), "serial-number"),
                     cell(row(f, i), "issuer-keyid"));
            assert_true(strcmp(now, last) > 0);
            strcpy(last, now);
        }
        const struct idv_json *next = idv_json_get(f->answer, "next");
        if (!next)
            break;
        snprintf(in, sizeof(in),
                 "{\"after\":{\"serial-number\":\"%s\","
                 "\"issuer-keyid\":\"%s\"}}",
                 cell(next, "serial-number"), cell(next, "issuer-keyid"));
    }
    assert_int_equal(seen, DEVICES);
    assert_int_equal(ask(f, "/list", "{\"serial-number\":\"S-001\"}"), 200);
    assert_int_equal(count(f), 2);
}

/* R-M-35: the one that is meant, with its reason, and no other */
static void test_block(void **state)
{
    struct fixture *f = *state;
    char keyid[41] = "0100000000000000000000000000000000000000", in[300];
    add(f, "TWIN", 0);
    add(f, "TWIN", 1);
    assert_int_equal(
        ask(f, "/stand",
            "{\"serial-number\":\"TWIN\",\"standing\":\"blocked\"}"),
        409);
    assert_int_equal(found(f, "TWIN", 0).standing, IDV_STANDING_NORMAL);
    snprintf(in, sizeof(in),
             "{\"serial-number\":\"TWIN\",\"issuer-keyid\":\"%s\","
             "\"standing\":\"stolen\",\"reason\":\"lost\"}",
             keyid);
    assert_int_equal(ask(f, "/stand", in), 200);
    assert_string_equal(cell(f->answer, "reason"), "lost");
    assert_int_equal(found(f, "TWIN", 0).standing, IDV_STANDING_NORMAL);
    assert_int_equal(found(f, "TWIN", 1).standing, IDV_STANDING_STOLEN);
    assert_int_equal(ask(f, "/show", "{\"serial-number\":\"TWIN\"}"), 200);
    const struct idv_json *devices = idv_json_get(f->answer, "devices");
    assert_int_equal(idv_json_count(devices), 2);
    assert_string_equal(cell(idv_json_at(devices, 1, NULL), "reason"), "lost");
    assert_int_equal(ask(f, "/show", "{\"serial-number\":\"NONE\"}"), 409);
    assert_int_equal(ask(f, "/stand",
                         "{\"serial-number\":\"TWIN\","
                         "\"standing\":\"blocked\","
                         "\"issuer-keyid\":\"xyz\"}"),
                     400);
    assert_int_equal(ask(f, "/stand",
                         "{\"serial-number\":\"TWIN\","
                         "\"standing\":\"lost\"}"),
                     400);
}

static void stands(struct fixture *f, const char *word, const char *reason)
{
    char in[200];
    snprintf(in, sizeof(in),
             "{\"serial-number\":\"D-1\",\"standing\":\"%s\","
             "\"reason\":\"%s\"}",
             word, reason);
    assert_int_equal(ask(f, "/stand", in), 200);
}

static void change(struct fixture *f, size_t i, const char *what,
                   const char *detail)
{
    const struct idv_json *d =
        idv_json_at(idv_json_get(f->answer, "devices"), 0, NULL);
    const struct idv_json *c = idv_json_at(idv_json_get(d, "changes"), i, NULL);
    assert_string_equal(cell(c, "what"), what);
    assert_string_equal(cell(c, "detail"), detail);
    assert_string_equal(cell(c, "who"), "unix:uid=7");
    assert_int_equal(strlen(cell(c, "date")), 20);
}

/* R-M-35: who said what and when stays; the same again is nothing new */
static void test_history(void **state)
{
    struct fixture *f = *state;
    add(f, "D-1", 0);
    stands(f, "stolen", "from the yard");
    stands(f, "stolen", "from the yard");
    stands(f, "normal", "found");
    stands(f, "end-of-life", "");
    assert_int_equal(ask(f, "/show", "{\"serial-number\":\"D-1\"}"), 200);
    change(f, 0, "stolen", "from the yard");
    change(f, 1, "normal", "found");
    change(f, 2, "end-of-life", "");
    FAILS(IDV_E_STATE, "only grows",
          idvi_exec(f->db, NULL, "DELETE FROM device_change", ""));
    assert_string_equal(found(f, "D-1", 0).reason, "");
}

static void say_cert(struct idv_buf *in, const char *more, const X509 *cert)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) text = {0};
    OK(idv_cert_to_der(cert, &der));
    OK(idv_base64_from_bytes(idv_view(&der), 0, &text));
    idv_buf_clear(in);
    OK(idv_buf_putf(in, "{%s\"certificate\":\"%s\"}", more,
                    (const char *)text.p));
}

/* whose a device is follows from the certificate; nothing else is taken */
static void test_owner(void **state)
{
    struct fixture *f = *state;
    struct pki p;
    IDV_AUTO(buf) in = {0};
    IDV_AUTO(buf) raw = {0};
    IDV_AUTO(buf) id = {0};
    pki_make(&p);
    add(f, "D-1", 0);
    OK(idv_domain_id(p.domain_ca.cert, &raw));
    OK(idv_base64_from_bytes(idv_view(&raw), 0, &id));
    say_cert(&in, "\"serial-number\":\"D-1\",", p.domain_ca.cert);
    assert_int_equal(ask(f, "/owner", (const char *)in.p), 200);
    assert_string_equal(found(f, "D-1", 0).owner, (const char *)id.p);
    assert_int_equal(ask(f, "/owner",
                         "{\"serial-number\":\"D-1\","
                         "\"certificate\":\"AAAA\"}"),
                     400);
    assert_string_equal(found(f, "D-1", 0).owner, (const char *)id.p);
    assert_int_equal(ask(f, "/owner", "{\"serial-number\":\"D-1\"}"), 200);
    assert_string_equal(found(f, "D-1", 0).owner, "");
    say_cert(&in, "\"name\":\"Us\",\"nonceless\":true,", p.domain_ca.cert);
    assert_int_equal(ask(f, "/registrar", (const char *)in.p), 200);
    assert_int_equal(ask(f, "/registrars", "{}"), 200);
    assert_int_equal(count(f), 1);
    assert_string_equal(cell(row(f, 0), "name"), "Us");
    assert_int_equal(ask(f, "/registrar", "{\"name\":\"Us\"}"), 400);
    pki_free(&p);
}

/* --- policies ------------------------------------------------------------- */

static void setting_is(struct fixture *f, const char *setting,
                       const char *value, const char *from)
{
    const struct idv_json *d =
        idv_json_at(idv_json_get(f->answer, "devices"), 0, NULL);
    const struct idv_json *rows = idv_json_get(d, "policy");
    for (size_t i = 0; i < idv_json_count(rows); i++) {
        const struct idv_json *p = idv_json_at(rows, i, NULL);
        if (strcmp(cell(p, "setting"), setting) != 0)
            continue;
        assert_string_equal(cell(p, "value"), value);
        assert_string_equal(cell(p, "from"), from);
        return;
    }
    fail_msg("%s is not shown", setting);
}

/* what holds for a device, and where each value is from */
static void test_policy(void **state)
{
    struct fixture *f = *state;
    const struct idv_masa_policy configured = {
        .claim = true, .device_hourly = 60, .nonceless_minutes = 20};
    f->rows.policy = &configured;
    add(f, "D-1", 0);
    OK(idvi_exec(f->db, NULL, "UPDATE device SET model = 'M', customer = 'C'",
                 ""));
    assert_int_equal(ask(f, "/policy",
                         "{\"of\":\"model\",\"subject\":\"M\",\"set\":"
                         "{\"proximity\":\"ON\",\"pin\":\"issuer\"}}"),
                     200);
    assert_int_equal(count(f), 2);
    assert_string_equal(cell(row(f, 1), "value"), "yes");
    assert_int_equal(ask(f, "/policy",
                         "{\"of\":\"device\",\"subject\":\"D-1\","
                         "\"set\":{\"pin\":\"registrar\"}}"),
                     200);
    assert_int_equal(ask(f, "/show", "{\"serial-number\":\"D-1\"}"), 200);
    setting_is(f, "proximity", "yes", "model M");
    setting_is(f, "pin", "registrar", "device D-1");
    setting_is(f, "claim", "yes", "configuration");
    setting_is(f, "nonceless", "named", "configuration");
    assert_int_equal(ask(f, "/policies", "{}"), 200);
    assert_int_equal(count(f), 3);
    f->rows.policy = NULL;
}

/* Nothing of what is wrong in part is taken. */
static void test_policy_refused(void **state)
{
    static const struct {
        const char *in;
        int status;
    } rows[] = {
        {"{\"of\":\"model\",\"subject\":\"M\"}", 400},
        {"{\"of\":\"model\",\"subject\":\"M\",\"set\":{}}", 400},
        {"{\"of\":\"model\",\"subject\":\"M\",\"set\":[\"x\"]}", 400},
        {"{\"of\":\"brand\",\"subject\":\"M\",\"set\":{\"pin\":\"issuer\"}}",
         400},
        {"{\"of\":\"model\",\"subject\":\"\",\"set\":{\"pin\":\"issuer\"}}",
         400},
        {"{\"of\":\"model\",\"subject\":\"M\",\"set\":{\"claim\":\"yes\","
         "\"pin\":\"all\"}}",
         400},
        {"{\"of\":\"model\",\"subject\":\"M\",\"set\":{\"claim\":\"yes\","
         "\"moon\":\"full\"}}",
         400},
        {"{\"of\":\"model\",\"subject\":\"M\",\"set\":{\"claim\":true}}", 400},
        {"{\"of\":\"device\",\"subject\":\"D-1\",\"set\":{\"claim\":\"yes\"}}",
         409},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_int_equal(ask(f, "/policy", rows[i].in), rows[i].status);
        assert_int_equal(ask(f, "/policies", "{}"), 200);
        assert_int_equal(count(f), 0);
    }
}

/* pages of all, one after the other */
static void test_policy_pages(void **state)
{
    struct fixture *f = *state;
    enum { MODELS = IDV_ADMIN_PAGE + 3 };
    char in[200];
    for (int i = 0; i < MODELS; i++) {
        snprintf(in, sizeof(in),
                 "{\"of\":\"model\",\"subject\":\"M-%02d\","
                 "\"set\":{\"claim\":\"yes\"}}",
                 i);
        assert_int_equal(ask(f, "/policy", in), 200);
    }
    assert_int_equal(ask(f, "/policies", "{}"), 200);
    assert_int_equal(count(f), IDV_ADMIN_PAGE);
    snprintf(in, sizeof(in), "M-%02d", IDV_ADMIN_PAGE - 1);
    const struct idv_json *next = idv_json_get(f->answer, "next");
    assert_string_equal(cell(next, "subject"), in);
    snprintf(in, sizeof(in),
             "{\"after\":{\"of\":\"model\",\"subject\":\"M-%02d\","
             "\"setting\":\"claim\",\"device\":0}}",
             IDV_ADMIN_PAGE - 1);
    assert_int_equal(ask(f, "/policies", in), 200);
    assert_int_equal(count(f), 3);
    assert_string_equal(cell(row(f, 2), "subject"), "M-52");
}

static char last_line[2048];

static void keep_line(void *ctx, enum idv_level level, const char *line)
{
    (void)ctx;
    (void)level;
    snprintf(last_line, sizeof(last_line), "%s", line);
}

/* what went wrong before is not told of what went well */
static void test_clean_log(void **state)
{
    struct fixture *f = *state;
    add(f, "D-1", 0);
    f->sys.env.log = keep_line;
    (void)!idv_fail(IDV_E_STATE, "of before");
    stands(f, "blocked", "");
    assert_non_null(strstr(last_line, "status=200"));
    assert_null(strstr(last_line, "of before"));
    assert_int_equal(ask(f, "/stand", "{}"), 400);
    assert_non_null(strstr(last_line, "serial-number is missing"));
}

static idv_rc live(void *arg, struct idv_json *out)
{
    return idv_admin_put_text(out, "version", arg);
}

/* size and last head of the log, and what the program has to say */
static void test_status(void **state)
{
    struct fixture *f = *state;
    static char version[] = "1.2";
    int64_t n = -1;
    assert_int_equal(ask(f, "/status", ""), 200);
    OK(idv_json_int(idv_json_get(idv_json_get(f->answer, "log"), "entries"),
                    "entries", &n));
    assert_int_equal(n, 0);
    assert_null(idv_json_get(f->answer, "version"));
    f->rows.live = live;
    f->rows.arg = version;
    f->rows.running = true;
    assert_int_equal(ask(f, "/status", ""), 200);
    assert_string_equal(cell(f->answer, "version"), "1.2");
    bool running = false;
    OK(idv_json_bool(idv_json_get(f->answer, "running"), "running", &running));
    assert_true(running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_block, setup, teardown),
        cmocka_unit_test_setup_teardown(test_history, setup, teardown),
        cmocka_unit_test_setup_teardown(test_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(test_policy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_policy_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_policy_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clean_log, setup, teardown),
        cmocka_unit_test_setup_teardown(test_status, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
