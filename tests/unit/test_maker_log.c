/* SPDX-License-Identifier: Apache-2.0 */
/* The maker's transparency log, looked at by the registrar: the voucher's entry
 * is in it, it only grew, and what follows when it is not so. */
#include "tests/unit/enroll.h"

#include <openssl/ec.h>

struct logged {
    struct fixture f;
    EVP_PKEY *key, *keys[2];
};

static int prepare(void **state)
{
    struct logged *l = calloc(1, sizeof(*l));
    struct fixture *f = &l->f;
    world_make(&f->w);
    f->key = EVP_EC_gen("P-256");
    world_csr(f->key, NULL, NULL, &f->csr);
    l->key = EVP_EC_gen("P-256");
    l->keys[0] = l->key;
    f->w.masa_conf.log_key = l->key;
    f->w.reg_maker.log = IDV_MAKER_LOG_REQUIRED;
    f->w.reg_maker.log_keys = l->keys;
    world_configure(&f->w);
    get_voucher(f);
    *state = f;
    return 0;
}

static int finish(void **state)
{
    struct logged *l = *state;
    EVP_PKEY_free(l->f.key);
    idv_buf_free(&l->f.csr);
    world_free(&l->f.w);
    EVP_PKEY_free(l->key);
    free(l);
    return 0;
}

static void configure(struct fixture *f, enum idv_maker_log how)
{
    f->w.reg_maker.log = how;
    world_configure(&f->w);
}

/* --- findings ------------------------------------------------------------- */

static bool look(void *arg, int64_t number, const struct idv_finding *f)
{
    (void)number;
    if (strcmp(f->kind, "log") == 0)
        memcpy(arg, f, sizeof(*f));
    return true;
}

static void found(struct fixture *f, const char *part)
{
    struct idv_registrar_people p = idv_db_registrar_people(f->w.reg_db);
    struct idv_finding seen = {.kind = ""};
    OK(p.findings(p.self, NULL, 0, 100, look, &seen));
    if (!part) {
        assert_string_equal(seen.kind, "");
        return;
    }
    if (!strstr(seen.detail, part))
        print_error("'%s' lacks '%s'\n", seen.detail, part);
    assert_non_null(strstr(seen.detail, part));
    assert_string_equal(seen.serial_number, "");
}

/* what is wrong is found, and matters where the log is required */
static void is_bad(struct fixture *f, const char *part)
{
    assert_int_equal(report(f, "voucher_status", GOOD), 200);
    assert_int_equal(world_state(&f->w), IDV_SESSION_LOG_BAD);
    found(f, part);
    because(f, enroll(f), 403, "log-bad");
}

static uint64_t kept(struct fixture *f)
{
    struct idv_registrar_store s = idv_db_registrar_store(f->w.reg_db);
    struct idv_tree_head h = {.size = 0};
    IDV_AUTO(buf) item = {0};
    bool there = false;
    OK(s.log_head(s.self, f->w.reg_maker.name, &there, &item));
    if (there)
        OK(idv_tree_head_from_item(idv_view(&item), &h));
    return h.size;
}

static void keep(struct fixture *f, uint64_t size)
{
    struct idv_registrar_store s = idv_db_registrar_store(f->w.reg_db);
    struct idv_tree_head h = {.timestamp = 1, .size = size, .root = {{1}}};
    IDV_AUTO(buf) item = {0};
    OK(idv_tree_head_sign(&h, f->w.masa_conf.log_key, &item));
    OK(s.log_head_keep(s.self, f->w.reg_maker.name, size, idv_view(&item)));
}

/* --- all is well ---------------------------------------------------------- */

static void proves(void **state) /* R-R-36, R-R-37 */
{
    struct fixture *f = *state;
    assert_int_equal(report(f, "voucher_status", GOOD), 200);
    assert_int_equal(world_state(&f->w), IDV_SESSION_LOG_OK);
    assert_int_equal(f->w.upstreams, 2);
    assert_non_null(strstr(f->w.upstream.path, "/log/v1/get-all-by-hash/"));
    assert_int_equal(kept(f), 1);
    found(f, NULL);
    get_voucher(f); /* of the same device, later */
    assert_int_equal(report(f, "voucher_status", GOOD), 200);
    assert_int_equal(world_state(&f->w), IDV_SESSION_LOG_OK);
    assert_int_equal(kept(f), 2);
    found(f, NULL);
}

static void not_asked(void **state)
{
    struct fixture *f = *state;
    configure(f, IDV_MAKER_LOG_OFF);
    assert_int_equal(report(f, "voucher_status", GOOD), 200);
    assert_int_equal(world_state(&f->w), IDV_SESSION_LOG_OK);
    assert_int_equal(f->w.upstreams, 1);
    assert_int_equal(kept(f), 0);
}

/* --- all is not ----------------------------------------------------------- */

static void by_another_key(void **state)
{
    struct fixture *f = *state;
    f->w.masa_conf.log_key = f->w.pki.rogue.key;
    world_configure(&f->w);
    is_bad(f, "by a key that is not known");
    assert_int_equal(kept(f), 0);
}

static void became_smaller(void **state)
{
    struct fixture *f = *state;
    keep(f, 5);
    is_bad(f, "it has 1 entries and had 5 before");
    assert_int_equal(kept(f), 5);
}

static void became_another(void **state)
{
    struct fixture *f = *state;
    keep(f, 1);
    is_bad(f, "of one size differ");
}

static void past_changed(void **state)
{
    struct fixture *f = *state;
    keep(f, 1);
    get_voucher(f); /* two entries there */
    is_bad(f, "does not begin with it");
    assert_int_equal(kept(f), 1);
}

static void shows_no_log(void **state)
{
    struct fixture *f = *state;
    f->w.masa_conf.log_key = NULL;
    world_configure(&f->w);
    is_bad(f, "the voucher's entry is not in it");
}

static void only_found(void **state)
{
    struct fixture *f = *state;
    keep(f, 5);
    configure(f, IDV_MAKER_LOG_ON);
    assert_int_equal(report(f, "voucher_status", GOOD), 200);
    assert_int_equal(world_state(&f->w), IDV_SESSION_LOG_OK);
    found(f, "it has 1 entries and had 5 before");
    assert_int_equal(enroll(f), 200);
}

/* of a maker without a tree: events have no salts */
static void without_salts(void **state)
{
    struct fixture *f = *state;
    struct idv_audit_log log;
    IDV_AUTO(buf) json = {0};
    assert_int_equal(report(f, "voucher_status", BAD), 200);
    get_voucher(f);
    configure(f, IDV_MAKER_LOG_OFF);
    OK(idv_audit_log_from_json(idv_str("{\"version\":1,\"events\":[]}"), &log));
    OK(idv_audit_log_to_json(&log, &json));
    OK(idv_buf_put(&json, idv_bytes("", 1)));
    configure(f, IDV_MAKER_LOG_REQUIRED);
    world_can(&f->w, 200, JSON, (const char *)json.p);
    is_bad(f, "is not in the device's history");
    idv_audit_log_free(&log);
}

#define T(f) cmocka_unit_test_setup_teardown(f, prepare, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(proves),         T(not_asked),      T(by_another_key),
        T(became_smaller), T(became_another), T(past_changed),
        T(shows_no_log),   T(only_found),     T(without_salts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
