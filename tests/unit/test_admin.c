/* SPDX-License-Identifier: Apache-2.0 */
/* What people ask of a registrar: the admin table over a real store. */
#include "tests/unit/codec.h"

#include "idevid/db/db.h"
#include "idevid/registrar/admin.h"
#include "tests/lib/stores.h"
#include "tests/lib/world.h"

struct fixture {
    char dir[64], path[80], logged[512];
    struct idv_db *db;
    struct idv_registrar_admin rows;
    struct idv_env_system sys;
    struct idv_admin admin;
    struct idv_json *answer; /* of the last question */
    struct idv_msg reply;
};

static void keep_log(void *ctx, enum idv_level level, const char *line)
{
    struct fixture *f =
        (struct fixture *)(void *)((char *)ctx - offsetof(struct fixture, sys));
    if (level <= IDV_LOG_INFO)
        snprintf(f->logged, sizeof(f->logged), "%s", line);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    test_dir(f->dir);
    snprintf(f->path, sizeof(f->path), "%s/store.db", f->dir);
    OK(idv_db_open(f->path, &f->db));
    idv_env_system_init(&f->sys, "test");
    f->sys.env.log = keep_log;
    f->rows.people = idv_db_registrar_people(f->db);
    f->admin = (struct idv_admin){"registrar", &f->sys.env,
                                  idv_registrar_admin_rows, &f->rows};
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
    f->logged[0] = 0;
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

static const struct idv_json *row(struct fixture *f, size_t i)
{
    return idv_json_at(idv_json_get(f->answer, "rows"), i, NULL);
}

static void decide(struct fixture *f, const char *serial, const char *word)
{
    char in[200];
    snprintf(in, sizeof(in),
             "{\"maker\":\"acme\",\"serial-number\":\"%s\","
             "\"decision\":\"%s\"}",
             serial, word);
    assert_int_equal(ask(f, "/decide", in), 200);
    assert_string_equal(cell(f->answer, "decision"), word);
}

static void test_decisions(void **state)
{
    struct fixture *f = *state;
    decide(f, "B-1", "approved");
    assert_non_null(strstr(f->logged, "admin role=registrar path=/decide "
                                      "who=\"unix:uid=7\" status=200"));
    assert_non_null(strstr(f->logged, "B-1"));
    decide(f, "A-1", "refused");
    assert_int_equal(ask(f, "/list", ""), 200);
    assert_string_equal(f->logged, ""); /* a look is not news */
    assert_int_equal(idv_json_count(idv_json_get(f->answer, "rows")), 2);
    assert_string_equal(cell(row(f, 0), "serial-number"), "A-1");
    assert_string_equal(cell(row(f, 0), "decision"), "refused");
    assert_string_equal(cell(row(f, 1), "decision"), "approved");
    assert_int_equal(strlen(cell(row(f, 1), "decided")), 20);
    assert_string_equal(cell(row(f, 1), "asked"), "");
    decide(f, "A-1", "forgotten");
    assert_int_equal(ask(f, "/list", "{}"), 200);
    assert_int_equal(idv_json_count(idv_json_get(f->answer, "rows")), 1);
    assert_int_equal(ask(f, "/list", "{\"pending\":true}"), 200);
    assert_int_equal(idv_json_count(idv_json_get(f->answer, "rows")), 0);
}

static struct idv_session session(unsigned i)
{
    struct idv_session s = {.state = IDV_SESSION_VOUCHER_SENT,
                            .created = 1000 + i,
                            .changed = 1000 + i};
    memcpy(s.pvr_sha256, &i, sizeof(i));
    snprintf(s.serial_number, sizeof(s.serial_number), "S-%u", i % 2);
    strcpy(s.maker, "acme");
    strcpy(s.address, "192.0.2.7");
    return s;
}

static void add_sessions(struct fixture *f, unsigned n)
{
    struct idv_registrar_store store = idv_db_registrar_store(f->db);
    for (unsigned i = 0; i < n; i++) {
        struct idv_session s = session(i);
        bool fresh = false;
        OK(store.session_add(store.self, &s, &fresh));
        assert_true(fresh);
    }
}

/* every row comes once, newest first, and each page fits */
static void test_pages(void **state)
{
    struct fixture *f = *state;
    enum { ROWS = 2 * IDV_ADMIN_PAGE + 20 };
    unsigned seen = 0;
    int64_t after = 0;
    add_sessions(f, ROWS);
    for (unsigned pages = 0;; pages++) {
        char in[64], last[40] = "9";
        snprintf(in, sizeof(in), "{\"after\":%lld}", (long long)after);
        assert_int_equal(ask(f, "/log", in), 200);
        size_t n = idv_json_count(idv_json_get(f->answer, "rows"));
        for (size_t i = 0; i < n; i++) {
            assert_true(strcmp(cell(row(f, i), "changed"), last) < 0);
            snprintf(last, sizeof(last), "%s", cell(row(f, i), "changed"));
        }
        seen += (unsigned)n;
        const struct idv_json *next = idv_json_get(f->answer, "next");
        if (!next) {
            assert_int_equal(pages, 2);
            break;
        }
        assert_int_equal(n, IDV_ADMIN_PAGE);
        OK(idv_json_int(next, "next", &after));
    }
    assert_int_equal(seen, ROWS);
    assert_int_equal(ask(f, "/log", "{\"serial-number\":\"S-1\"}"), 200);
    for (size_t i = 0; i < IDV_ADMIN_PAGE; i++)
        assert_string_equal(cell(row(f, i), "serial-number"), "S-1");
}

static void test_pages_of_decisions(void **state)
{
    struct fixture *f = *state;
    char serial[16];
    for (unsigned i = 0; i < IDV_ADMIN_PAGE + 1; i++) {
        snprintf(serial, sizeof(serial), "D-%03u", i);
        decide(f, serial, "approved");
    }
    assert_int_equal(ask(f, "/list", ""), 200);
    const struct idv_json *next = idv_json_get(f->answer, "next");
    assert_string_equal(cell(next, "serial-number"), "D-049");
    assert_int_equal(ask(f, "/list",
                         "{\"after\":{\"maker\":\"acme\","
                         "\"serial-number\":\"D-049\"}}"),
                     200);
    assert_int_equal(idv_json_count(idv_json_get(f->answer, "rows")), 1);
    assert_string_equal(cell(row(f, 0), "serial-number"), "D-050");
    assert_null(idv_json_get(f->answer, "next"));
}

static void test_show(void **state)
{
    struct fixture *f = *state;
    struct idv_registrar_store store = idv_db_registrar_store(f->db);
    struct idv_status_event e = {.date = 5000,
                                 .kind = "voucher_status",
                                 .status = true,
                                 .reason = "",
                                 .detail = ""};
    add_sessions(f, 3);
    decide(f, "S-0", "approved");
    OK(store.status_add(store.self, &e)); /* of the first, number 0 */
    assert_int_equal(ask(f, "/show", "{\"serial-number\":\"S-0\"}"), 200);
    const struct idv_json *sessions = idv_json_get(f->answer, "sessions");
    assert_int_equal(idv_json_count(sessions), 2);
    const struct idv_json *events =
        idv_json_get(idv_json_at(sessions, 1, NULL), "events");
    assert_string_equal(cell(idv_json_at(events, 0, NULL), "kind"),
                        "voucher_status");
    assert_string_equal(cell(idv_json_at(events, 0, NULL), "status"), "good");
    assert_int_equal(idv_json_count(idv_json_get(f->answer, "decisions")), 1);
    assert_int_equal(idv_json_count(idv_json_get(f->answer, "certificates")),
                     0);
    assert_int_equal(ask(f, "/show", "{\"serial-number\":\"X\"}"), 409);
}

static int64_t number(const struct idv_json *o, const char *name)
{
    int64_t n = -1;
    OK(idv_json_int(idv_json_get(o, name), name, &n));
    return n;
}

static void test_status(void **state)
{
    struct fixture *f = *state;
    bool running = true;
    add_sessions(f, 3);
    decide(f, "S-0", "refused");
    assert_int_equal(ask(f, "/status", ""), 200);
    OK(idv_json_bool(idv_json_get(f->answer, "running"), "running", &running));
    assert_false(running);
    assert_int_equal(
        number(idv_json_get(f->answer, "sessions"), "voucher-sent"), 3);
    assert_int_equal(number(idv_json_get(f->answer, "devices"), "refused"), 1);
    assert_int_equal(number(idv_json_get(f->answer, "devices"), "pending"), 0);
}

static void test_wrong(void **state)
{
    static const struct {
        const char *path, *in;
    } wrong[] = {
        {"/nothing", ""},
        {"", ""},
        {"/list", "[]"},
        {"/list", "{"},
        {"/list", "{\"pending\":1}"},
        {"/log", "{\"after\":\"1\"}"},
        {"/log", "{\"serial-number\":1}"},
        {"/show", "{}"},
        {"/decide", "{\"serial-number\":\"S\",\"decision\":\"approved\"}"},
        {"/decide", "{\"maker\":\"acme\",\"decision\":\"approved\"}"},
        {"/decide", "{\"maker\":\"acme\",\"serial-number\":\"S\"}"},
        {"/decide", "{\"maker\":\"acme\",\"serial-number\":\"S\","
                    "\"decision\":\"maybe\"}"},
        {"/decide",
         "{\"maker\":\"acme\",\"decision\":\"approved\",\"serial-number\":"
         "\"0123456789012345678901234567890123456789012345678901234567890"
         "12345\"}"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        if (ask(f, wrong[i].path, wrong[i].in) != 400)
            fail_msg("%s %s", wrong[i].path, wrong[i].in);
        assert_null(f->answer);
        assert_true(strlen(idv_note()) > 3);
        assert_non_null(strstr(f->logged, "status=400"));
        idv_note_clear();
    }
    assert_int_equal(ask(f, "/list", ""), 200);
    assert_int_equal(idv_json_count(idv_json_get(f->answer, "rows")), 0);
}

/* the class of a failure arrives with the asker */
static idv_rc fails(void *self, const struct idv_admin_call *c)
{
    (void)c;
    return idv_fail(*(idv_rc *)self, "so it is");
}

static void test_classes(void **state)
{
    static const struct idv_admin_row rows[] = {{"/x", fails, false}, {0}};
    struct fixture *f = *state;
    idv_rc rc = IDV_E_NOMEM;
    const struct idv_admin a = {"test", &f->sys.env, rows, &rc};
    for (; rc <= IDV_E_UNABLE; rc++) {
        OK(idv_admin_answer(&a, "/x", idv_str(""), "me", &f->reply));
        assert_true(f->reply.status >= 400);
        FAILS(rc, "so it is", idv_admin_read(&f->reply, &f->answer));
    }
    OK(idv_msg_reply(&f->reply, 403, "", idv_str("")));
    FAILS(IDV_E_REJECT, "403", idv_admin_read(&f->reply, &f->answer));
}

static void test_service(void **state)
{
    struct fixture *f = *state;
    struct idv_service s = idv_admin_service(&f->admin);
    struct idv_peer peer = {.address = "unix:uid=0"};
    struct idv_call call;
    enum idv_next next = IDV_NEXT_UPSTREAM;
    idv_call_init(&call, &peer);
    strcpy(call.req.path, "/status");
    OK(s.serve(s.self, &call, NULL, &next));
    assert_int_equal(call.reply.status, 405);
    call.req.verb = IDV_POST;
    OK(s.serve(s.self, &call, NULL, &next));
    assert_int_equal(next, IDV_NEXT_REPLY);
    assert_int_equal(call.reply.status, 200);
    assert_string_equal(call.reply.media, "application/json");
    idv_call_free(&call);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_decisions), CASE(test_pages),   CASE(test_pages_of_decisions),
        CASE(test_show),      CASE(test_status),  CASE(test_wrong),
        CASE(test_classes),   CASE(test_service),
    };
    return STORES_RUN(tests);
}
