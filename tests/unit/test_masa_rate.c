/* SPDX-License-Identifier: Apache-2.0 */
/* How much one registrar and one domain may ask for: what is beyond waits, and
 * nobody else does. */
#include "tests/lib/stores.h"
#include "tests/unit/masa.h"

#define HOUR 3600

/* of each registrar that asked, as a server's workers count */
static struct {
    uint8_t key[32];
    unsigned n;
} asked[4];

static unsigned count_asked(void *arg, const uint8_t key[32])
{
    (void)arg;
    for (size_t i = 0; i < 4; i++) {
        if (!asked[i].n)
            memcpy(asked[i].key, key, 32);
        if (memcmp(asked[i].key, key, 32) == 0)
            return ++asked[i].n;
    }
    fail_msg("more registrars than there are");
    return 0;
}

static int rate_setup(void **state)
{
    memset(asked, 0, sizeof(asked));
    return setup(state);
}

/* other bytes each time */
static int again(struct fixture *f)
{
    f->rvr.created_on--;
    f->w.log[0] = 0;
    seal(f);
    return send(f);
}

static void too_many(struct fixture *f, const char *why, int most_s)
{
    assert_true(world_why(&f->w, why));
    assert_string_equal(f->w.reply.media, "text/plain");
    assert_true(f->w.reply.retry_after > 0);
    assert_true(f->w.reply.retry_after <= most_s);
}

static void per_minute(struct fixture *f, int64_t most)
{
    f->w.masa_conf.registrar_minute = most;
    f->w.masa_conf.asked = count_asked;
    world_configure(&f->w);
}

/* R-M-34: whatever it is answered counts, the log as well; another registrar
 * is served all the same */
static void registrar(void **state)
{
    struct fixture *f = *state;
    per_minute(f, 3);
    assert_int_equal(again(f), 200);
    assert_int_equal(world_masa(&f->w, LOG, idv_view(&f->sealed)), 200);
    strcpy(f->rvr.serial_number, "NONE");
    assert_int_equal(again(f), 404);
    strcpy(f->rvr.serial_number, PKI_SERIAL);
    assert_int_equal(again(f), 429);
    too_many(f, "registrar-rate", 60);
    assert_int_equal(world_masa(&f->w, LOG, idv_view(&f->sealed)), 429);
    seal_by(f, &f->w.pki.rogue, f->w.pki.rogue_chain);
    assert_int_equal(send(f), 200);
    memset(asked, 0, sizeof(asked));
    assert_int_equal(again(f), 200);
}

/* as per_minute, by another maker beside the first, with the same counter */
static struct idv_masa *another_maker(struct fixture *f)
{
    struct idv_masa_conf conf = f->w.masa_conf;
    struct idv_masa *m = NULL;
    conf.tenant = "bolt";
    OK(idv_masa_new(&conf, &f->w.pki.env.env, &m));
    return m;
}

/* R-M-34: who asks one maker of a process too often is served by the other, and
 * bounded there as well */
static void of_each_maker(void **state)
{
    struct fixture *f = *state;
    per_minute(f, 2);
    struct idv_masa *first = f->w.masa, *bolt = another_maker(f);
    assert_int_equal(again(f), 200);
    assert_int_equal(again(f), 200);
    assert_int_equal(again(f), 429);
    f->w.masa = bolt;
    assert_int_equal(again(f), 200);
    assert_int_equal(again(f), 200);
    assert_int_equal(again(f), 429);
    too_many(f, "registrar-rate", 60);
    f->w.masa = first;
    assert_int_equal(again(f), 429);
    idv_masa_free(bolt);
}

/* R-M-34: what somebody else sends in its name is not counted as its own */
static void in_its_name(void **state)
{
    struct fixture *f = *state;
    per_minute(f, 1);
    for (int i = 0; i < 5; i++) {
        f->rvr.created_on--;
        seal(f);
        f->sealed.p[f->sealed.n - 1] ^= 1; /* of the signature */
        assert_int_equal(send(f), 403);
    }
    assert_int_equal(again(f), 200);
}

static void per_hour(struct fixture *f, int64_t most)
{
    f->w.masa_conf.domain_hourly = most;
    world_configure(&f->w);
}

/* R-M-34: vouchers of a domain in an hour; the same request again is none, and
 * what was refused is none */
static void domain(void **state)
{
    struct fixture *f = *state;
    per_hour(f, 2);
    strcpy(f->rvr.serial_number, "NONE");
    assert_int_equal(again(f), 404);
    strcpy(f->rvr.serial_number, PKI_SERIAL);
    assert_int_equal(again(f), 200);
    assert_int_equal(again(f), 200);
    assert_int_equal(send(f), 200);
    assert_int_equal(again(f), 429);
    too_many(f, "domain-rate", HOUR);
    assert_int_equal(world_events(&f->w), 2);
    seal_by(f, &f->w.pki.rogue, f->w.pki.rogue_chain);
    assert_int_equal(send(f), 200);
    f->w.pki.env.now += HOUR;
    assert_int_equal(again(f), 200);
}

/* R-M-34: a CA that calls itself as the domain's does not use it up */
static void namesake(void **state)
{
    struct fixture *f = *state;
    per_hour(f, 1);
    seal_by_namesake(f);
    assert_int_equal(send(f), 200);
    assert_int_equal(again(f), 200);
    assert_int_equal(again(f), 429);
}

/* R-M-34: of many at a time as well, at whatever machine, and also where one
 * has a clock that is behind */
static void exact(void **state)
{
    struct fixture *f = *state;
    struct idv_masa_store s = idv_db_masa_store(f->w.masa_db);
    struct idv_masa_issue i = {
        .device_id = 1, .date = 1, .repeat_until = 2, .quota = {{7}, 10, 2}};
    int64_t n = 0;
    bool fresh = false;
    strcpy(i.domain_id, "ZG9tYWlu");
    strcpy(i.media, IDV_MEDIA_VOUCHER_CMS);
    OK(idv_buf_puts(&i.voucher, "voucher"));
    for (int k = 0; k < 4; k++) {
        i.rvr_sha256[0] = (uint8_t)k;
        i.quota.hour = 10 - k % 2;
        if (k < 2)
            OK(s.issue_add(s.self, &i, &fresh));
        else
            FAILS(IDV_E_LIMIT, "no more vouchers",
                  s.issue_add(s.self, &i, &fresh));
    }
    assert_int_equal(world_events(&f->w), 2);
    OK(s.quota_used(s.self, &i.quota, &n));
    assert_int_equal(n, 2);
    i.quota.hour = 11;
    OK(s.quota_used(s.self, &i.quota, &n));
    assert_int_equal(n, 0);
    OK(s.issue_add(s.self, &i, &fresh));
    assert_true(fresh);
    idv_masa_issue_free(&i);
}

/* two that looked before either had it */
static idv_rc nothing_used(void *self, const struct idv_masa_quota *q,
                           int64_t *n)
{
    (void)self;
    (void)q;
    *n = 0;
    return IDV_OK;
}

static void raced(void **state)
{
    struct fixture *f = *state;
    per_hour(f, 1);
    f->w.masa_store.quota_used = nothing_used;
    assert_int_equal(again(f), 200);
    assert_int_equal(again(f), 429);
    too_many(f, "domain-rate", HOUR);
    assert_int_equal(world_events(&f->w), 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rate_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(registrar), T(of_each_maker), T(in_its_name), T(domain),
        T(namesake),  T(exact),         T(raced),
    };
    return STORES_RUN(tests);
}
