/* SPDX-License-Identifier: Apache-2.0 */
/* Registrars whose certificates name a CRL: what is known, what is waited for,
 * and how it ends where nobody says. */
#include "idevid/db/sql.h"
#include "tests/lib/stores.h"
#include "tests/unit/masa.h"

#define CRL_URL "http://crl.example.com/ca.crl"

/* a registrar of the domain whose certificate says where revocations are */
static struct pki_id named;

static int named_setup(void **state)
{
    setup(state);
    struct fixture *f = *state;
    const struct idv_cert_spec spec = {.kind = IDV_CERT_REGISTRAR,
                                       .common_name = "named.example.com",
                                       .crl_url = CRL_URL};
    named = pki_issue(&f->w.pki, "P-256", &spec, &f->w.pki.domain_ca);
    return 0;
}

static int named_teardown(void **state)
{
    pki_id_free(&named);
    return teardown(state);
}

static int again(struct fixture *f)
{
    STACK_OF(X509) *chain = pki_stack(named.cert, f->w.pki.domain_ca.cert);
    f->rvr.created_on--;
    f->w.log[0] = 0;
    seal_by(f, &named, chain);
    idv_certs_free(chain);
    return send(f);
}

static void not_now(struct fixture *f, const char *why)
{
    assert_int_equal(again(f), 503);
    assert_true(world_why(&f->w, why));
    assert_true(f->w.reply.retry_after > 0);
}

static bool noted(const struct fixture *f, const char *why)
{
    return strstr(f->w.log, "revocation-unknown") && strstr(f->w.log, why);
}

/* who looks takes it, once */
static void take(struct fixture *f, struct idv_db_look *look)
{
    bool found = false;
    IDV_AUTO(buf) der = {0};
    struct idv_db_look none = {.cert = {0}};
    OK(idv_db_look_take(f->w.masa_db, f->w.pki.env.now, &found, look));
    assert_true(found);
    OK(idv_cert_to_der(named.cert, &der));
    assert_true(idv_bytes_eq(idv_view(&der), idv_view(&look->cert)));
    OK(idv_db_look_take(f->w.masa_db, f->w.pki.env.now, &found, &none));
    assert_false(found);
    idv_db_look_free(&none);
}

static void is_found(struct fixture *f, struct idv_db_found found)
{
    struct idv_db_look look = {.cert = {0}};
    take(f, &look);
    found.detail = "";
    OK(idv_db_look_put(f->w.masa_db, &look, &found));
    idv_db_look_free(&look);
}

static struct idv_db_found good_for(const struct fixture *f, int64_t s)
{
    return (struct idv_db_found){.good_until = f->w.pki.env.now + s,
                                 .due = f->w.pki.env.now + s / 2};
}

/* R-M-5: it comes again, and is served as soon as it is known as good */
static void good(void **state)
{
    struct fixture *f = *state;
    not_now(f, "revocation-asked");
    assert_int_equal(world_events(&f->w), 0);
    is_found(f, good_for(f, 3600));
    assert_int_equal(again(f), 200);
    seal(f); /* one that names nothing waits for nothing */
    assert_int_equal(send(f), 200);
}

/* R-M-5, R-M-37: also for the log, for a voucher of before, and when nobody
 * can be asked later */
static void revoked(void **state)
{
    struct fixture *f = *state;
    not_now(f, "revocation-asked");
    is_found(f, good_for(f, 3600));
    assert_int_equal(again(f), 200);
    f->w.pki.env.now += 1800;
    is_found(f, (struct idv_db_found){.revoked = true,
                                      .due = f->w.pki.env.now + 10});
    assert_int_equal(send(f), 403);
    assert_true(world_why(&f->w, "revoked"));
    assert_int_equal(world_masa(&f->w, LOG, idv_view(&f->sealed)), 403);
    f->w.pki.env.now += 10;
    is_found(f, (struct idv_db_found){.failed = f->w.pki.env.now,
                                      .due = f->w.pki.env.now + 300});
    assert_int_equal(again(f), 403);
    assert_int_equal(world_events(&f->w), 1);
}

/* R-M-5: nobody says: it counts as good, and that is on record; what was known
 * is good for as long as it said */
static void nobody_says(void **state)
{
    struct fixture *f = *state;
    not_now(f, "revocation-asked");
    is_found(f, (struct idv_db_found){.failed = f->w.pki.env.now,
                                      .due = f->w.pki.env.now + 300});
    assert_int_equal(again(f), 200);
    assert_true(noted(f, "revocation-failed"));
    f->w.maker.policy.revocation = IDV_REVOCATION_REQUIRE;
    not_now(f, "revocation-failed");
    f->w.maker.policy.revocation = IDV_REVOCATION_NEVER;
    assert_int_equal(again(f), 200);
    assert_false(noted(f, ""));
}

/* who looks does not come to it: not waited for, unless an answer is demanded
 */
static void late(void **state)
{
    struct fixture *f = *state;
    not_now(f, "revocation-asked");
    f->w.pki.env.now += 14;
    not_now(f, "revocation-asked");
    f->w.pki.env.now += 1;
    assert_int_equal(again(f), 200);
    assert_true(noted(f, "revocation-late"));
    f->w.maker.policy.revocation = IDV_REVOCATION_REQUIRE;
    not_now(f, "revocation-late");
}

/* R-M-5: what is over is asked again, and not believed meanwhile */
static void over(void **state)
{
    struct fixture *f = *state;
    not_now(f, "revocation-asked");
    is_found(f, good_for(f, 3600));
    f->w.pki.env.now += 3601;
    not_now(f, "revocation-asked");
    is_found(f, good_for(f, 3600));
    assert_int_equal(again(f), 200);
    f->w.pki.env.now += 1800; /* it is time; what is known holds */
    is_found(f, (struct idv_db_found){.failed = f->w.pki.env.now,
                                      .due = f->w.pki.env.now + 300});
    assert_int_equal(again(f), 200);
    assert_false(noted(f, ""));
}

/* R-M-5: without its issuer no list can be judged */
static void no_issuer(void **state)
{
    struct fixture *f = *state;
    idv_buf_clear(&f->rvr.prior_signed);
    seal_by(f, &named, NULL);
    assert_int_equal(send(f), 200);
    assert_true(noted(f, "revocation-issuer"));
    f->w.maker.policy.revocation = IDV_REVOCATION_REQUIRE;
    f->rvr.created_on--;
    seal_by(f, &named, NULL);
    assert_int_equal(send(f), 503);
    assert_true(world_why(&f->w, "revocation-issuer"));
}

/* R-M-16: nor is a voucher without nonce good when that is over; where nobody
 * is asked, nothing is known that could be over */
static void nonceless_until_then(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int64_t known_s;
        int revocation;
        int64_t life_s;
    } rows[] = {{3600, IDV_REVOCATION_IF_NAMED, 20 * 60},
                {600, IDV_REVOCATION_IF_NAMED, 600},
                {600, IDV_REVOCATION_REQUIRE, 600},
                {600, IDV_REVOCATION_NEVER, 20 * 60}};
    know_domain(f, true, false);
    drop_nonce(f);
    not_now(f, "revocation-asked");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        IDV_AUTO(voucher) v;
        OK(idvi_exec(f->w.masa_db, NULL,
                     "UPDATE cert_status SET good_until = $1", "i",
                     f->w.pki.env.now + rows[i].known_s));
        f->w.maker.policy.revocation = rows[i].revocation;
        assert_int_equal(again(f), 200);
        read_voucher(f, &v);
        assert_true(v.expires_on == f->w.pki.env.now + rows[i].life_s);
    }
}

/* strangers cannot have the service ask for them without end */
static void crowd(void **state)
{
    struct fixture *f = *state;
    uint8_t hash[32] = {0};
    OK(idvi_begin(f->w.masa_db));
    for (unsigned i = 0; i < 1000; i++) {
        memcpy(hash, &i, sizeof(i));
        OK(idvi_exec(f->w.masa_db, NULL,
                     "INSERT INTO cert_status (cert_sha256, cert, issuer,"
                     " wanted, asked, due, good_until, failed, revoked, detail)"
                     " VALUES ($1, $2, $2, 1, 1, 1, 0, 0, 0, '')",
                     "hb", hash, idv_bytes("x", 1)));
    }
    OK(idvi_end(f->w.masa_db, IDV_OK));
    assert_int_equal(again(f), 200);
    assert_true(noted(f, "revocation-crowd"));
    f->w.maker.policy.revocation = IDV_REVOCATION_REQUIRE;
    not_now(f, "revocation-crowd");
}

/* what nobody needs is forgotten; what is needed now and then is not */
static void forgotten(void **state)
{
    struct fixture *f = *state;
    not_now(f, "revocation-asked");
    is_found(f, good_for(f, 100 * PKI_DAY));
    OK(idv_db_look_prune(f->w.masa_db, PKI_NOW + 29 * PKI_DAY));
    assert_int_equal(again(f), 200);
    OK(idv_db_look_prune(f->w.masa_db, PKI_NOW + 31 * PKI_DAY));
    not_now(f, "revocation-asked");
}

/* a device that nobody knows is no reason to ask */
static void unknown_device(void **state)
{
    struct fixture *f = *state;
    struct idv_db_look none = {.cert = {0}};
    bool found = false;
    strcpy(f->rvr.serial_number, "NONE");
    assert_int_equal(again(f), 404);
    OK(idv_db_look_take(f->w.masa_db, f->w.pki.env.now, &found, &none));
    assert_false(found);
    idv_db_look_free(&none);
}

#define T(f) cmocka_unit_test_setup_teardown(f, named_setup, named_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(good),           T(revoked),
        T(nobody_says),    T(late),
        T(over),           T(no_issuer),
        T(unknown_device), T(crowd),
        T(forgotten),      T(nonceless_until_then),
    };
    return STORES_RUN(tests);
}
