/* SPDX-License-Identifier: Apache-2.0 */
/* A cloud registrar: whom it knows, where it sends them. */
#include "idevid/registrar/cloud.h"
#include "tests/lib/stores.h"
#include "tests/unit/registrar.h"

struct cloud {
    struct fixture *f;
    struct idv_cloud_conf conf;
    const char *never[2];
};

static void begin(struct cloud *c, void **state)
{
    *c = (struct cloud){.f = *state};
    c->never[0] = "https://cloud.example:8443";
    c->conf = (struct idv_cloud_conf){
        .owners = idv_db_owner_store(c->f->w.reg_db),
        .key = c->f->w.pki.masa.key,
        .cert = c->f->w.pki.masa.cert,
        .retry_after_s = 77,
        .never_to = c->never,
    };
    c->f->w.reg_conf.cloud = &c->conf;
    world_configure(&c->f->w);
}

static void own(struct cloud *c, enum idv_owner_kind kind, const char *to)
{
    struct idv_owner o = {.kind = kind, .changed = PKI_NOW};
    strcpy(o.maker, "maker");
    strcpy(o.serial_number, PKI_SERIAL);
    strcpy(o.to, to);
    if (kind == IDV_OWNER_VOUCHER)
        OK(idv_cert_to_der(c->f->w.pki.domain_ca.cert, &o.pin));
    OK(idv_owner_check(&c->conf, &o));
    OK(c->conf.owners.set(c->conf.owners.self, &o));
    idv_owner_free(&o);
}

/* R-C-3 */
static void unknown_owner(void **state)
{
    struct cloud c;
    begin(&c, state);
    assert_int_equal(post(c.f), 401);
    assert_true(world_why(&c.f->w, "no-owner"));
    assert_int_equal(c.f->w.reply.retry_after, 77);
    assert_int_equal(c.f->w.upstreams, 0);
    /* told meanwhile: the same request is answered */
    own(&c, IDV_OWNER_REDIRECT, "https://owner.example");
    assert_int_equal(post(c.f), 307);
}

/* R-C-4 */
static void redirected(void **state)
{
    struct cloud c;
    begin(&c, state);
    own(&c, IDV_OWNER_REDIRECT, "owner.example:8443");
    assert_int_equal(post(c.f), 307);
    assert_string_equal(
        c.f->w.reply.location,
        "https://owner.example:8443/.well-known/brski/requestvoucher");
    own(&c, IDV_OWNER_REDIRECT, "https://other.example/a/requestvoucher");
    assert_int_equal(post(c.f), 307);
    assert_string_equal(c.f->w.reply.location,
                        "https://other.example/a/requestvoucher");
    assert_int_equal(c.f->w.upstreams, 0);
}

static void is_voucher(struct cloud *c, X509 *pin, const char *domain)
{
    const struct idv_msg *m = &c->f->w.reply;
    IDV_AUTO(opened) o = {0};
    IDV_AUTO(voucher) v;
    IDV_AUTO(buf) der = {0};
    idv_voucher_init(&v, IDV_VOUCHER);
    OK(idv_envelope_open(m->media, idv_view(&m->body), &o));
    OK(idv_envelope_verify_key(&o, c->conf.key));
    OK(idv_voucher_from(o.media, idv_view(&o.payload), IDV_VOUCHER, &v));
    OK(idv_cert_to_der(pin, &der));
    assert_true(idv_bytes_eq(idv_view(&der), idv_view(&v.pinned_domain_cert)));
    assert_string_equal(v.est_domain, domain);
    assert_string_equal(v.nonce, c->f->pvr.nonce);
    assert_string_equal(v.serial_number, PKI_SERIAL);
    assert_true(v.idevid_issuer.n > 0);
    assert_int_equal(v.assertion, IDV_ASSERT_VERIFIED);
}

/* R-C-4, R-C-6: what is pinned is what was said last */
static void by_voucher(void **state)
{
    struct cloud c;
    struct idv_buf first = {0};
    begin(&c, state);
    own(&c, IDV_OWNER_VOUCHER, "est.example:8443");
    assert_int_equal(post(c.f), 200);
    is_voucher(&c, c.f->w.pki.domain_ca.cert, "est.example:8443");
    OK(idv_buf_put(&first, idv_view(&c.f->w.reply.body)));
    assert_int_equal(post(c.f), 200); /* the same again */
    assert_true(idv_bytes_eq(idv_view(&first), idv_view(&c.f->w.reply.body)));
    idv_buf_free(&first);
    /* another server by now, and a new request */
    struct idv_owner o = {.kind = IDV_OWNER_VOUCHER};
    strcpy(o.maker, "maker");
    strcpy(o.serial_number, PKI_SERIAL);
    strcpy(o.to, "new.example");
    OK(idv_cert_to_der(c.f->w.pki.registrar.cert, &o.pin));
    OK(c.conf.owners.set(c.conf.owners.self, &o));
    idv_owner_free(&o);
    strcpy(c.f->pvr.nonce, "AAAAAAAAAAAAAAAAAAAAAA==");
    seal_by(c.f, &c.f->w.pki.idevid);
    assert_int_equal(post(c.f), 200);
    is_voucher(&c, c.f->w.pki.registrar.cert, "new.example");
}

static void no_voucher_key(void **state)
{
    struct cloud c;
    begin(&c, state);
    c.conf.key = NULL;
    own(&c, IDV_OWNER_VOUCHER, "est.example");
    assert_int_equal(post(c.f), 503);
    assert_true(world_why(&c.f->w, "no-voucher-key"));
}

/* R-C-2: a device that is not known, a request that is none */
static void not_known(void **state)
{
    struct cloud c;
    begin(&c, state);
    own(&c, IDV_OWNER_NOBODY, "");
    refused(c.f, 404, "owner-nobody");
    OK(idv_db_decide(c.f->w.reg_db, "maker", PKI_SERIAL, IDV_DECISION_REFUSED,
                     PKI_NOW));
    own(&c, IDV_OWNER_REDIRECT, "https://owner.example");
    refused(c.f, 404, "device-refused");
    world_peer(&c.f->w.pledge, c.f->w.pki.registrar.cert, NULL, 3);
    refused(c.f, 404, "idevid-chain");
}

/* R-C-2 */
static void malformed(void **state)
{
    struct cloud c;
    begin(&c, state);
    own(&c, IDV_OWNER_REDIRECT, "https://owner.example");
    c.f->sealed.n /= 2;
    refused(c.f, 400, "container");
    strcpy(c.f->pvr.serial_number, "OTHER");
    seal_by(c.f, &c.f->w.pki.idevid);
    refused(c.f, 403, "serial");
}

/* R-C-2: overload is told as such */
static void too_many(void **state)
{
    struct cloud c;
    begin(&c, state);
    c.f->w.reg_conf.device_hourly = 1;
    world_configure(&c.f->w);
    own(&c, IDV_OWNER_REDIRECT, "https://owner.example");
    assert_int_equal(post(c.f), 307);
    strcpy(c.f->pvr.nonce, "AAAAAAAAAAAAAAAAAAAAAA==");
    seal_by(c.f, &c.f->w.pki.idevid);
    refused(c.f, 503, "rate");
}

/* R-C-1 */
static void without_certificate(void **state)
{
    struct cloud c;
    begin(&c, state);
    own(&c, IDV_OWNER_REDIRECT, "https://owner.example");
    idv_peer_free(&c.f->w.pledge);
    refused(c.f, 403, "no-client-cert");
}

/* a request to another one, taken along */
static void to_another(void **state)
{
    struct cloud c;
    begin(&c, state);
    own(&c, IDV_OWNER_REDIRECT, "https://owner.example");
    idv_buf_clear(&c.f->pvr.proximity_registrar_cert);
    OK(idv_cert_to_der(c.f->w.pki.domain_ca.cert,
                       &c.f->pvr.proximity_registrar_cert));
    seal_by(c.f, &c.f->w.pki.idevid);
    refused(c.f, 403, "proximity");
}

/* R-C-5 */
static void enrolls_nobody(void **state)
{
    struct cloud c;
    static const char *const paths[] = {
        "/.well-known/est/csrattrs", "/.well-known/est/cacerts",
        "/.well-known/est/simpleenroll", W_BRSKI "enrollstatus"};
    begin(&c, state);
    own(&c, IDV_OWNER_REDIRECT, "https://owner.example");
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(world_registrar(&c.f->w, paths[i], "", idv_str("")),
                         404);
        assert_int_equal(world_ask(&c.f->w, idv_registrar_service(c.f->w.reg),
                                   &c.f->w.pledge, IDV_GET, paths[i], "",
                                   idv_str("")),
                         404);
    }
}

static void told_status(void **state)
{
    struct cloud c;
    const char *good = "{\"version\":1,\"status\":true}";
    begin(&c, state);
    own(&c, IDV_OWNER_VOUCHER, "est.example");
    assert_int_equal(world_registrar(&c.f->w, W_BRSKI "voucher_status",
                                     "application/json", idv_str(good)),
                     404);
    assert_int_equal(post(c.f), 200);
    assert_int_equal(world_registrar(&c.f->w, W_BRSKI "voucher_status",
                                     "application/json", idv_str(good)),
                     200);
    assert_int_equal(world_state(&c.f->w), IDV_SESSION_VSTATUS_OK);
}

/* R-C-8 */
static void never_back(void **state)
{
    struct cloud c;
    struct idv_owner o = {.kind = IDV_OWNER_REDIRECT};
    begin(&c, state);
    own(&c, IDV_OWNER_REDIRECT, "https://owner.example");
    strcpy(o.to, "https://CLOUD.example:8443/somewhere");
    assert_int_equal(idv_owner_check(&c.conf, &o), IDV_E_ARG);
    c.never[0] = "https://owner.example:443";
    refused(c.f, 404, "sent-back");
}

static void wrong_owners(void **state)
{
    struct idv_owner o = {.kind = IDV_OWNER_REDIRECT};
    (void)state;
    strcpy(o.to, "http://owner.example");
    assert_int_not_equal(idv_owner_check(NULL, &o), IDV_OK);
    o.to[0] = 0;
    assert_int_not_equal(idv_owner_check(NULL, &o), IDV_OK);
    o.kind = IDV_OWNER_VOUCHER;
    strcpy(o.to, "est.example");
    assert_int_equal(idv_owner_check(NULL, &o), IDV_E_ARG);
    OK(idv_buf_put(&o.pin, idv_str("no certificate")));
    assert_int_not_equal(idv_owner_check(NULL, &o), IDV_OK);
    strcpy(o.to, "https://est.example/path");
    assert_int_equal(idv_owner_check(NULL, &o), IDV_E_ARG);
    idv_owner_free(&o);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unknown_owner),  TEST(redirected),          TEST(by_voucher),
        TEST(no_voucher_key), TEST(not_known),           TEST(malformed),
        TEST(too_many),       TEST(without_certificate), TEST(to_another),
        TEST(enrolls_nobody), TEST(told_status),         TEST(never_back),
        TEST(wrong_owners),
    };
    return STORES_RUN(tests);
}
