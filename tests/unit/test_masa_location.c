/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA's audit logs at places that nobody can guess. */
#include "tests/lib/stores.h"
#include "tests/unit/masa.h"

#define BASE "https://masa.example.com:9443"

static int place_setup(void **state)
{
    int rc = setup(state);
    struct fixture *f = *state;
    f->w.masa_conf.location = BASE;
    f->w.masa_conf.location_s = 100;
    memset(f->w.masa_conf.location_key, 7, 32);
    world_configure(&f->w);
    seal(f);
    assert_int_equal(send(f), 200);
    return rc;
}

static int get(struct fixture *f, const char *path)
{
    return world_ask(&f->w, idv_masa_service(f->w.masa), NULL, IDV_GET, path,
                     "", idv_str(""));
}

/* where the log is said to be, without the base */
static void told(struct fixture *f, char out[static 256])
{
    assert_int_equal(world_masa(&f->w, LOG, idv_view(&f->sealed)), 201);
    assert_int_equal(f->w.reply.body.n, 0);
    assert_memory_equal(f->w.reply.location, BASE "/auditlog/",
                        strlen(BASE "/auditlog/"));
    snprintf(out, 256, "%s", f->w.reply.location + strlen(BASE));
    assert_true(strlen(out) > 40);
}

static void no_log(struct fixture *f, const char *path)
{
    assert_int_equal(get(f, path), 404);
    assert_true(world_why(&f->w, "location"));
}

static void is_there(void **state) /* R-M-25 */
{
    struct fixture *f = *state;
    struct idv_audit_log log = {0};
    char path[256];
    told(f, path);
    for (int i = 0; i < 2; i++) { /* as often as one likes */
        assert_int_equal(get(f, path), 200);
        assert_true(f->w.reply.max_age == 60);
    }
    OK(idv_audit_log_from_json(idv_view(&f->w.reply.body), &log));
    assert_int_equal(log.n, 1);
    assert_string_equal(log.events[0].nonce, f->pvr.nonce);
    assert_true(log.events[0].salted && log.keyid_n == 20);
    idv_audit_log_free(&log);
}

static void is_never_the_same(void **state) /* R-M-25 */
{
    struct fixture *f = *state;
    char one[256], two[256];
    told(f, one);
    told(f, two);
    assert_string_not_equal(one, two);
}

static void ends(void **state)
{
    struct fixture *f = *state;
    char path[256];
    told(f, path);
    f->w.pki.env.now += 99;
    assert_int_equal(get(f, path), 200);
    assert_int_equal(f->w.reply.max_age, 1);
    f->w.pki.env.now += 1;
    no_log(f, path);
}

/* each character counts, and there is none too many */
static void cannot_be_guessed(void **state) /* R-M-25 */
{
    struct fixture *f = *state;
    char path[256];
    told(f, path);
    const size_t n = strlen(path);
    for (size_t i = strlen("/auditlog/"); i < n; i++) {
        const char was = path[i];
        path[i] = was == 'A' ? 'B' : 'A';
        no_log(f, path);
        path[i] = was;
    }
    path[n] = 'A';
    path[n + 1] = 0;
    no_log(f, path);
    path[n - 4] = 0;
    no_log(f, path);
    no_log(f, "/auditlog/");
    no_log(f, "/auditlog/AAAA");
    no_log(f, "/auditlog/../auditlog/%00");
}

static void needs_the_key(void **state)
{
    struct fixture *f = *state;
    char path[256];
    told(f, path);
    f->w.masa_conf.location_key[0]++;
    world_configure(&f->w);
    no_log(f, path);
    f->w.masa_conf.location_key[0]--;
    world_configure(&f->w); /* another machine with the same key */
    assert_int_equal(get(f, path), 200);
}

static void only_to_owners(void **state) /* R-M-25 */
{
    struct fixture *f = *state;
    seal_by(f, &f->w.pki.rogue, f->w.pki.rogue_chain);
    assert_int_equal(world_masa(&f->w, LOG, idv_view(&f->sealed)), 404);
    assert_true(world_why(&f->w, "never-owner"));
    assert_string_equal(f->w.reply.location, "");
}

static void only_by_get(void **state)
{
    struct fixture *f = *state;
    char path[256];
    told(f, path);
    assert_int_equal(world_masa(&f->w, path, idv_view(&f->sealed)), 405);
}

static void not_by_default(void **state)
{
    struct fixture *f = *state;
    char path[256];
    told(f, path);
    f->w.masa_conf.location = NULL;
    world_configure(&f->w);
    assert_int_equal(get(f, path), 404);
    assert_true(world_why(&f->w, "path"));
    assert_int_equal(world_masa(&f->w, LOG, idv_view(&f->sealed)), 200);
}

#define T(f) cmocka_unit_test_setup_teardown(f, place_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(is_there),          T(is_never_the_same), T(ends),
        T(cannot_be_guessed), T(needs_the_key),     T(only_to_owners),
        T(only_by_get),       T(not_by_default),
    };
    return STORES_RUN(tests);
}
