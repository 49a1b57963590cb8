/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation: who is on the list, when a new one is made, who may revoke; and
 * CAs by label, each with its own. */
#include "tests/lib/stores.h"
#include "tests/unit/enroll.h"

#include "idevid/admin/admin.h"
#include "idevid/registrar/admin.h"

#define HALF (3 * 24 * 3600 + 12 * 3600)

static struct idv_crl_maker maker;
static struct idv_registrar_ca label;
static struct idv_est_local_ca other_ca;

static int setup_crl(void **state)
{
    struct fixture *f;
    setup(state);
    f = *state;
    maker = (struct idv_crl_maker){
        .key = f->w.pki.domain_ca.key,
        .cert = f->w.pki.domain_ca.cert,
        .store = idv_db_crl_store(f->w.reg_db),
    };
    f->w.reg_conf.ca.crl = &maker;
    world_configure(&f->w);
    return 0;
}

static int get(struct fixture *f, const char *path)
{
    struct idv_peer none = {0};
    return world_ask(&f->w, idv_registrar_service(f->w.reg), &none, IDV_GET,
                     path, "", idv_str(""));
}

/* What is served, its signature verified. */
static X509_CRL *fetch(struct fixture *f)
{
    assert_int_equal(get(f, "/crl/ca.crl"), 200);
    assert_string_equal(f->w.reply.media, IDV_MEDIA_CRL);
    assert_true(f->w.reply.max_age >= 0 && f->w.reply.max_age <= 3600);
    const uint8_t *p = f->w.reply.body.p;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)f->w.reply.body.n);
    assert_non_null(crl);
    assert_ptr_equal(p, f->w.reply.body.p + f->w.reply.body.n);
    assert_int_equal(X509_CRL_verify(crl, f->w.pki.domain_ca.key), 1);
    return crl;
}

static int64_t number_of(const X509_CRL *crl)
{
    ASN1_INTEGER *n = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
    int64_t v = 0;
    assert_non_null(n);
    assert_int_equal(ASN1_INTEGER_get_int64(&v, n), 1);
    ASN1_INTEGER_free(n);
    return v;
}

static int rows_of(X509_CRL *crl)
{
    return sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl));
}

/* the number and the rows of the list as it is served now */
static void now_is(struct fixture *f, int64_t number, int rows)
{
    X509_CRL *crl = fetch(f);
    assert_int_equal(number_of(crl), number);
    assert_int_equal(rows_of(crl) < 0 ? 0 : rows_of(crl), rows);
    X509_CRL_free(crl);
}

static void revoke_ldevid(struct fixture *f, int reason)
{
    const struct idv_est_store *s = &f->w.reg_conf.ca.est.store;
    uint8_t hash[32];
    bool done = false;
    OK(idv_cert_sha256(f->ldevid, hash));
    OK(s->revoke(s->self, hash, reason, PKI_NOW, &done));
    assert_true(done);
    OK(s->revoke(s->self, hash, reason, PKI_NOW, &done));
    assert_false(done);
}

static void who_is_on_it(void **state)
{
    struct fixture *f = *state;
    X509_REVOKED *row = NULL;
    become_member(f);
    now_is(f, 1, 0);
    revoke_ldevid(f, idv_crl_reason_from_text("keyCompromise"));
    X509_CRL *crl = fetch(f);
    assert_int_equal(number_of(crl), 2);
    assert_int_equal(X509_CRL_get0_by_cert(crl, &row, f->ldevid), 1);
    ASN1_ENUMERATED *why =
        X509_REVOKED_get_ext_d2i(row, NID_crl_reason, NULL, NULL);
    assert_non_null(why);
    assert_int_equal(ASN1_ENUMERATED_get(why), 1);
    ASN1_ENUMERATED_free(why);
    assert_true(
        X509_CRL_get_ext_by_NID(crl, NID_authority_key_identifier, -1) >= 0);
    X509_CRL_free(crl);
    now_is(f, 2, 1); /* the same as before */
}

static void when_a_new_one_is_made(void **state)
{
    struct fixture *f = *state;
    now_is(f, 1, 0);
    f->w.pki.env.now = PKI_NOW + HALF - 1;
    now_is(f, 1, 0);
    f->w.pki.env.now = PKI_NOW + HALF;
    now_is(f, 2, 0);
    f->w.pki.env.now = PKI_NOW; /* a clock that went back */
    now_is(f, 3, 0);
}

/* While another makes it the old one is served, as long as it lives; one that
 * died is waited for a minute. */
static void one_makes_it(void **state)
{
    struct fixture *f = *state;
    uint8_t ca[32];
    bool mine = false;
    OK(idv_cert_sha256(maker.cert, ca));
    OK(maker.store.claim(maker.store.self, ca, PKI_NOW, PKI_NOW - 60, &mine));
    assert_true(mine);
    because(f, get(f, "/crl/ca.crl"), 503, "crl-busy");
    assert_int_equal(f->w.reply.retry_after, 5);
    f->w.pki.env.now = PKI_NOW + 61;
    now_is(f, 1, 0);
    const int64_t later = PKI_NOW + 61 + HALF;
    f->w.pki.env.now = later;
    OK(maker.store.claim(maker.store.self, ca, later, later - 60, &mine));
    assert_true(mine);
    now_is(f, 1, 0);
    OK(maker.store.claim(maker.store.self, ca, later, later - 60, &mine));
    assert_false(mine);
    f->w.pki.env.now = later + 61;
    now_is(f, 2, 0);
}

/* nobody else's: another CA's certificates are on another list */
static void of_another_ca(void **state)
{
    struct fixture *f = *state;
    become_member(f);
    revoke_ldevid(f, 0);
    maker.cert = f->w.pki.maker_ca.cert;
    maker.key = f->w.pki.maker_ca.key;
    assert_int_equal(get(f, "/crl/ca.crl"), 200);
    const uint8_t *p = f->w.reply.body.p;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)f->w.reply.body.n);
    assert_true(rows_of(crl) <= 0);
    X509_CRL_free(crl);
}

static void not_served(void **state)
{
    static const char *const paths[] = {"/crl/", "/crl/ca", "/crl/other.crl",
                                        "/crl/ca.crl/", "/crl/../ca.crl"};
    struct fixture *f = *state;
    struct idv_peer none = {0};
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
        because(f, get(f, paths[i]), 404, "crl");
    because(f,
            world_ask(&f->w, idv_registrar_service(f->w.reg), &none, IDV_POST,
                      "/crl/ca.crl", "", idv_str("")),
            405, "verb");
    f->w.reg_conf.ca.crl = NULL;
    world_configure(&f->w);
    because(f, get(f, "/crl/ca.crl"), 404, "crl");
}

/* an hour at most, then until nextUpdate where nobody answers; its date is one
 * when its second is over */
static void how_long_it_is_kept(void **state)
{
    struct fixture *f = *state;
    const struct idv_msg *m = &f->w.reply;
    maker.lifetime_s = 10000;
    now_is(f, 1, 0);
    assert_true(m->max_age == 3600 && m->stale == 6400 && m->modified == -1);
    f->w.pki.env.now = PKI_NOW + 4000;
    now_is(f, 1, 0);
    assert_true(m->max_age == 1000 && m->stale == 5000);
    assert_true(m->modified == PKI_NOW + 1);
    f->w.pki.env.now = PKI_NOW + 5000;
    now_is(f, 2, 0);
    assert_true(m->max_age == 3600 && m->modified == -1);
}

static void reasons(void **state)
{
    (void)state;
    assert_int_equal(idv_crl_reason_from_text("superseded"), 4);
    assert_int_equal(idv_crl_reason_from_text("certificateHold"), -1);
    assert_int_equal(idv_crl_reason_from_text("removeFromCRL"), -1);
    assert_int_equal(idv_crl_reason_from_text(""), -1);
    assert_string_equal(idv_crl_reason_to_text(9), "privilegeWithdrawn");
    assert_string_equal(idv_crl_reason_to_text(6), "unspecified");
    assert_string_equal(idv_crl_reason_to_text(99), "unspecified");
}

/* --- who revokes ---------------------------------------------------------- */

static int member_reports(struct fixture *f, const char *body)
{
    return world_ask(&f->w, idv_registrar_service(f->w.reg), &f->w.member,
                     IDV_POST, W_BRSKI "enrollstatus", JSON, idv_str(body));
}

/* R-R-44: what was revoked renews nothing. */
static void bad_status_revokes(void **state)
{
    struct fixture *f = *state;
    become_member(f);
    assert_int_equal(member_reports(f, BAD), 200);
    now_is(f, 1, 0); /* it is policy, not a rule */
    f->w.reg_conf.ca.revoke_unused = true;
    world_configure(&f->w);
    assert_int_equal(member_reports(f, BAD), 200);
    now_is(f, 2, 1);
    world_csr(f->key, f->name, NULL, &f->csr);
    because(f, reenroll(f), 403, "renew-stranger");
}

/* by its IDevID: the last one that it got */
static void bad_status_by_idevid(void **state)
{
    struct fixture *f = *state;
    X509_REVOKED *row = NULL;
    f->w.reg_conf.ca.revoke_unused = true;
    world_configure(&f->w);
    become_member(f);
    X509 *first = X509_dup(f->ldevid);
    world_csr(f->key, NULL, NULL, &f->csr);
    assert_int_equal(enroll(f), 200);
    take_cert(f);
    assert_int_equal(report(f, "enrollstatus", BAD), 200);
    X509_CRL *crl = fetch(f);
    assert_int_equal(X509_CRL_get0_by_cert(crl, &row, first), 0);
    assert_int_equal(X509_CRL_get0_by_cert(crl, &row, f->ldevid), 1);
    X509_CRL_free(crl);
    X509_free(first);
    /* and the same request gets another one, not the revoked */
    assert_int_equal(enroll(f), 200);
    first = f->ldevid;
    f->ldevid = NULL;
    take_cert(f);
    assert_false(idv_cert_eq(first, f->ldevid));
    X509_free(first);
}

static int tell(struct fixture *f, const char *json)
{
    struct idv_registrar_admin rows = {.people =
                                           idv_db_registrar_people(f->w.reg_db),
                                       .issued = idv_db_est_store(f->w.reg_db)};
    const struct idv_admin a = {"registrar", &f->w.pki.env.env,
                                idv_registrar_admin_rows, &rows};
    idv_msg_free(&f->w.reply);
    OK(idv_admin_answer(&a, "/revoke", idv_str(json), "unix:uid=0",
                        &f->w.reply));
    return f->w.reply.status;
}

static void people_revoke(void **state)
{
    static const char *const wrong[] = {
        "{}",
        "{\"serial-number\":\"x\",\"sha256\":\"00\"}",
        "{\"sha256\":\"00\"}",
        "{\"serial-number\":\"x\",\"reason\":\"certificateHold\"}",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_int_equal(tell(f, wrong[i]), 400);
    assert_int_equal(tell(f, "{\"serial-number\":\"nobody\"}"), 409);
    become_member(f);
    world_csr(f->key, NULL, NULL, &f->csr);
    assert_int_equal(enroll(f), 200);
    assert_int_equal(tell(f, "{\"serial-number\":\"" PKI_SERIAL
                             "\",\"reason\":\"superseded\"}"),
                     200);
    assert_non_null(strstr((char *)f->w.reply.body.p, "2"));
    now_is(f, 1, 2);
    assert_int_equal(tell(f, "{\"serial-number\":\"" PKI_SERIAL "\"}"), 409);
}

/* --- labels --------------------------------------------------------------- */

static void add_label(struct fixture *f, const char *name)
{
    other_ca = (struct idv_est_local_ca){
        .key = f->w.pki.maker_ca.key,
        .cert = f->w.pki.maker_ca.cert,
        .chain = pki_stack(f->w.pki.maker_ca.cert, NULL),
        .env = &f->w.pki.env.env,
    };
    label = f->w.reg_conf.ca;
    label.label = name;
    label.est.ca = idv_est_local_ca(&other_ca);
    label.profile.subject = "OU=labelled, CN={serial}";
    label.crl = NULL;
    f->w.reg_conf.labels = &label;
    f->w.reg_conf.n_labels = 1;
}

static void end_label(void)
{
    idv_certs_free((STACK_OF(X509) *)(uintptr_t)other_ca.chain);
}

static bool issued_by(struct fixture *f, X509 *ca)
{
    IDV_AUTO_PTR(idv_certs) anchors = pki_stack(ca, NULL);
    X509_free(f->ldevid);
    f->ldevid = NULL;
    bool is = idv_est_enroll_read(&f->w.reply, f->key, anchors, NULL, true,
                                  PKI_NOW, &f->ldevid) == IDV_OK;
    idv_note_clear();
    return is;
}

/* R-R-39: each label has its CA and template, and the gate before both */
static void labels(void **state)
{
    struct fixture *f = *state;
    struct idv_peer none = {0};
    add_label(f, "plant-2");
    world_configure(&f->w);
    assert_int_equal(
        enroll_as(f, &f->w.pledge, "/.well-known/est/plant-2/simpleenroll"),
        200);
    assert_true(issued_by(f, f->w.pki.maker_ca.cert));
    assert_true(X509_NAME_get_index_by_NID(X509_get_subject_name(f->ldevid),
                                           NID_organizationalUnitName,
                                           -1) >= 0);
    /* renewed by the CA that it is of, and by no other */
    world_peer(&f->w.member, f->ldevid, NULL, 7);
    f->name = X509_NAME_dup(X509_get_subject_name(f->ldevid));
    world_csr(f->key, f->name, NULL, &f->csr);
    because(f, reenroll(f), 403, "renew-stranger");
    assert_int_equal(
        enroll_as(f, &f->w.member, "/.well-known/est/plant-2/simplereenroll"),
        200);
    assert_int_equal(member_reports(f, GOOD), 200);
    assert_non_null(strstr(f->w.log, "cert-matches=1"));
    because(f, enroll_as(f, &none, "/.well-known/est/plant-2/simpleenroll"),
            403, "no-client-cert");
    world_csr(f->key, NULL, NULL, &f->csr);
    assert_int_equal(enroll(f), 200);
    assert_true(issued_by(f, f->w.pki.domain_ca.cert));
    /* the same request to the other is another */
    assert_int_equal(
        enroll_as(f, &f->w.pledge, "/.well-known/est/plant-2/simpleenroll"),
        200);
    assert_true(issued_by(f, f->w.pki.maker_ca.cert));
    end_label();
}

static void labels_that_are_none(void **state)
{
    static const char *const bad[] = {
        "cacerts", "simpleenroll", "", "a/b", "a b", "..", "serverkeygen"};
    static const char *const paths[] = {
        "/.well-known/est/other/cacerts", "/.well-known/est//cacerts",
        "/.well-known/est/plant-2/x/cacerts", "/.well-known/est/plant/cacerts"};
    struct fixture *f = *state;
    struct idv_registrar *r = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        add_label(f, bad[i]);
        FAILS(IDV_E_ARG, "label",
              idv_registrar_new(&f->w.reg_conf, &f->w.pki.env.env, &r));
        end_label();
    }
    add_label(f, "plant-2");
    world_configure(&f->w);
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
        assert_int_equal(get(f, paths[i]), 404);
    assert_int_equal(get(f, "/.well-known/est/plant-2/cacerts"), 200);
    end_label();
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup_crl, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(who_is_on_it),
        T(when_a_new_one_is_made),
        T(one_makes_it),
        T(of_another_ca),
        T(how_long_it_is_kept),
        T(not_served),
        cmocka_unit_test(reasons),
        T(bad_status_revokes),
        T(bad_status_by_idevid),
        T(people_revoke),
        T(labels),
        T(labels_that_are_none),
    };
    return STORES_RUN(tests);
}
