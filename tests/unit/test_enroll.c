/* SPDX-License-Identifier: Apache-2.0 */
/* After the voucher: the gate of EST, certificates, members. */
#include "tests/lib/stores.h"
#include "tests/unit/enroll.h"

/* --- the gate ------------------------------------------------------------- */

static void no_voucher(void **state) /* R-R-43, RT-10 */
{
    struct fixture *f = *state;
    because(f, enroll(f), 403, "no-voucher");
    assert_int_equal(issued_count(f), 0);
}

static void no_voucher_but_pending(void **state) /* R-R-43 */
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) pvr;
    IDV_AUTO(buf) sealed = {0};
    f->w.reg_maker.admit = IDV_ADMIT_ASK;
    pki_request(&f->w.pki, &pvr, &sealed);
    assert_int_equal(world_registrar(&f->w, W_BRSKI "requestvoucher",
                                     IDV_MEDIA_VOUCHER_CMS, idv_view(&sealed)),
                     202);
    because(f, enroll(f), 403, "no-voucher");
}

static void strangers(void **state)
{
    struct fixture *f = *state;
    struct idv_peer none = {0};
    because(f, enroll_as(f, &none, IDV_PATH_SIMPLEENROLL), 403,
            "no-client-cert");
    because(f, enroll_as(f, &none, IDV_PATH_SIMPLEREENROLL), 403,
            "no-client-cert");
    world_peer(&f->w.member, f->w.pki.rogue_idevid.cert, NULL, 4);
    because(f, enroll_as(f, &f->w.member, IDV_PATH_SIMPLEENROLL), 403,
            "idevid-chain");
    because(f, reenroll(f), 403, "renew-stranger");
}

static void decided_against(void **state)
{
    struct fixture *f = *state;
    OK(idv_db_decide(f->w.reg_db, "maker", PKI_SERIAL, IDV_DECISION_REFUSED,
                     PKI_NOW));
    because(f, enroll(f), 403, "device-refused");
}

static void enrolls(void **state) /* R-R-39, R-R-43, R-R-68 */
{
    struct fixture *f = *state;
    char serial[80];
    assert_int_equal(enroll(f), 200); /* also without voucher_status */
    assert_string_equal(f->w.reply.media, IDV_MEDIA_CERTS_ONLY);
    assert_int_equal(f->w.upstreams, 1);
    assert_int_equal(world_state(&f->w), IDV_SESSION_ENROLLED);
    take_cert(f);
    X509_NAME_get_text_by_NID(X509_get_subject_name(f->ldevid),
                              NID_serialNumber, serial, sizeof(serial));
    assert_string_equal(serial, PKI_SERIAL);
    X509_NAME_get_text_by_NID(X509_get_subject_name(f->ldevid), NID_commonName,
                              serial, sizeof(serial));
    assert_string_equal(serial, PKI_SERIAL);
}

static void same_request(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(buf) first = {0};
    assert_int_equal(enroll(f), 200);
    idv_buf_move(&first, &f->w.reply.body);
    assert_int_equal(enroll(f), 200);
    assert_true(idv_bytes_eq(idv_view(&first), idv_view(&f->w.reply.body)));
    assert_int_equal(issued_count(f), 1);
    world_csr(f->key, NULL, NULL, &f->csr); /* a new one, a new certificate */
    assert_int_equal(enroll(f), 200);
    assert_int_equal(issued_count(f), 2);
}

/* CA:TRUE and foreign names in a request get nowhere. */
static void greedy_request(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(buf) der = {0};
    STACK_OF(X509_EXTENSION) *exts = sk_X509_EXTENSION_new_null();
    X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
                                             "critical,CA:TRUE");
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
                                              "DNS:registrar.example.com");
    sk_X509_EXTENSION_push(exts, ca);
    sk_X509_EXTENSION_push(exts, san);
    OK(idv_csr_make(f->key, NULL, exts, NULL, &der));
    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    idv_buf_clear(&f->csr);
    OK(idv_est_body_from_der(idv_view(&der), &f->csr));
    assert_int_equal(enroll(f), 200);
    take_cert(f);
    assert_false(idv_cert_is_ca(f->ldevid));
    assert_int_equal(X509_get_ext_by_NID(f->ldevid, NID_subject_alt_name, -1),
                     -1);
}

static void other_serial(void **state)
{
    struct fixture *f = *state;
    f->name = X509_NAME_new();
    X509_NAME_add_entry_by_txt(f->name, "serialNumber", MBSTRING_ASC,
                               (const unsigned char *)"OTHER", -1, -1, 0);
    world_csr(f->key, f->name, NULL, &f->csr);
    because(f, enroll(f), 403, "csr-serial");
    assert_int_equal(issued_count(f), 0);
}

static void subject_pattern(void **state)
{
    struct fixture *f = *state;
    char text[256];
    f->w.reg_conf.ca.profile.subject =
        "O=Example\\, Inc., OU=devices, CN=dev-{serial}.example.com";
    world_configure(&f->w);
    assert_int_equal(enroll(f), 200);
    take_cert(f);
    X509_NAME_get_text_by_NID(X509_get_subject_name(f->ldevid),
                              NID_organizationName, text, sizeof(text));
    assert_string_equal(text, "Example, Inc.");
    X509_NAME_get_text_by_NID(X509_get_subject_name(f->ldevid), NID_commonName,
                              text, sizeof(text));
    assert_string_equal(text, "dev-" PKI_SERIAL ".example.com");
}

static void bad_pattern(void **state)
{
    struct fixture *f = *state;
    struct idv_registrar *r = NULL;
    f->w.reg_conf.ca.profile.subject = "nonsense";
    FAILS(IDV_E_ARG, "TYPE=value",
          idv_registrar_new(&f->w.reg_conf, &f->w.pki.env.env, &r));
    f->w.reg_conf.ca.profile.subject = "C=toolong";
    FAILS(IDV_E_ARG, "cannot be set",
          idv_registrar_new(&f->w.reg_conf, &f->w.pki.env.env, &r));
}

/* --- members -------------------------------------------------------------- */

static int member_reports(struct fixture *f, const char *body)
{
    return world_ask(&f->w, idv_registrar_service(f->w.reg), &f->w.member,
                     IDV_POST, W_BRSKI "enrollstatus", JSON, idv_str(body));
}

static void reports_enrolled(void **state) /* R-R-47, RT-19 */
{
    struct fixture *f = *state;
    become_member(f);
    assert_int_equal(report(f, "enrollstatus", GOOD), 200); /* by IDevID */
    assert_non_null(strstr(f->w.log, "cert-matches=0"));
    assert_int_equal(world_state(&f->w), IDV_SESSION_ENROLLED);
    assert_int_equal(member_reports(f, GOOD), 200);
    assert_non_null(strstr(f->w.log, "cert-matches=1"));
    assert_int_equal(world_state(&f->w), IDV_SESSION_ESTATUS_OK);
}

static void reports_failure(void **state)
{
    struct fixture *f = *state;
    become_member(f);
    assert_int_equal(report(f, "enrollstatus", BAD), 200);
    assert_int_equal(world_state(&f->w), IDV_SESSION_ESTATUS_FAIL);
    world_csr(f->key, NULL, NULL, &f->csr);
    assert_int_equal(enroll(f), 200); /* may try again */
}

static void renews(void **state) /* R-R-44 */
{
    struct fixture *f = *state;
    become_member(f);
    world_csr(f->key, f->name, NULL, &f->csr);
    assert_int_equal(reenroll(f), 200);
    X509 *old = f->ldevid;
    f->ldevid = NULL;
    take_cert(f);
    assert_int_equal(X509_NAME_cmp(X509_get_subject_name(old),
                                   X509_get_subject_name(f->ldevid)),
                     0);
    assert_false(idv_cert_eq(old, f->ldevid));
    X509_free(old);
    /* and reports by the new one, whose chain of custody is two long */
    world_peer(&f->w.member, f->ldevid, NULL, 8);
    assert_int_equal(member_reports(f, GOOD), 200);
}

/* refused after it came: nothing is issued to it any more */
static void renews_not_when_refused(void **state)
{
    struct fixture *f = *state;
    become_member(f);
    OK(idv_db_decide(f->w.reg_db, "maker", PKI_SERIAL, IDV_DECISION_REFUSED,
                     PKI_NOW));
    world_csr(f->key, f->name, NULL, &f->csr);
    because(f, reenroll(f), 403, "device-refused");
    because(f, enroll_as(f, &f->w.member, IDV_PATH_SIMPLEENROLL), 403,
            "device-refused");
    because(f, enroll(f), 403, "device-refused");
    OK(idv_db_decide(f->w.reg_db, "maker", PKI_SERIAL, IDV_DECISION_APPROVED,
                     PKI_NOW));
    assert_int_equal(reenroll(f), 200);
}

static void renews_not_otherwise(void **state) /* R-R-44 */
{
    struct fixture *f = *state;
    become_member(f);
    world_csr(f->key, NULL, NULL, &f->csr);
    because(f, reenroll(f), 400, "renew-subject");
    because(f, enroll_as(f, &f->w.pledge, IDV_PATH_SIMPLEREENROLL), 403,
            "renew-stranger");
}

static void renews_names(void **state) /* R-R-44: SAN */
{
    struct fixture *f = *state;
    IDV_AUTO(buf) der = {0};
    become_member(f);
    STACK_OF(X509_EXTENSION) *exts = sk_X509_EXTENSION_new_null();
    sk_X509_EXTENSION_push(exts,
                           X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
                                               "DNS:more.example.com"));
    OK(idv_csr_make(f->key, f->name, exts, NULL, &der));
    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    idv_buf_clear(&f->csr);
    OK(idv_est_body_from_der(idv_view(&der), &f->csr));
    because(f, reenroll(f), 400, "renew-san");
}

static bool take_hash(void *arg, const struct idv_issued *i)
{
    memcpy(arg, i->cert_sha256, 32);
    return true;
}

static void revoked(void **state)
{
    struct fixture *f = *state;
    uint8_t hash[32];
    bool found = false;
    become_member(f);
    OK(idv_db_issued_each(f->w.reg_db, PKI_SERIAL, take_hash, hash));
    const struct idv_est_store *s = &f->w.reg_conf.ca.est.store;
    OK(s->revoke(s->self, hash, 1, PKI_NOW, &found));
    assert_true(found);
    world_csr(f->key, f->name, NULL, &f->csr);
    because(f, reenroll(f), 403, "renew-stranger");
    because(f, member_reports(f, GOOD), 403, "idevid-chain");
}

static void member_enrolls(void **state) /* R-R-43: holding an LDevID */
{
    struct fixture *f = *state;
    become_member(f);
    world_csr(f->key, f->name, NULL, &f->csr);
    assert_int_equal(enroll_as(f, &f->w.member, IDV_PATH_SIMPLEENROLL), 200);
    take_cert(f);
    assert_int_equal(X509_NAME_cmp(f->name, X509_get_subject_name(f->ldevid)),
                     0);
}

static void expired_member(void **state)
{
    struct fixture *f = *state;
    become_member(f);
    f->w.pki.env.now += 300 * PKI_DAY;
    world_csr(f->key, f->name, NULL, &f->csr);
    assert_int_equal(reenroll(f), 200);
    f->w.pki.env.now += 300 * PKI_DAY;
    because(f, reenroll(f), 403, "renew-stranger");
}

/* R-R-73: as long as that is forgiven, and for nothing but renewal */
static void renews_late(void **state)
{
    struct fixture *f = *state;
    f->w.ca.lifetime_s = 30 * PKI_DAY;
    f->w.reg_conf.ca.est.renew_expired_s = 10 * PKI_DAY;
    world_configure(&f->w);
    become_member(f);
    f->w.pki.env.now += (30 + 9) * PKI_DAY;
    world_csr(f->key, f->name, NULL, &f->csr);
    because(f, enroll_as(f, &f->w.member, IDV_PATH_SIMPLEENROLL), 403,
            "idevid-chain");
    because(f, member_reports(f, GOOD), 403, "idevid-chain");
    assert_int_equal(reenroll(f), 200);
    assert_non_null(strstr(f->w.log, "renewal-late"));
    f->w.pki.env.now += 2 * PKI_DAY;
    because(f, reenroll(f), 403, "renew-stranger");
}

/* --- a store that fails --------------------------------------------------- */

/* Whatever call fails: no certificate is given that is not on record, and the
 * same request gets one, and only one, in the end. */
static void store_fails(void **state)
{
    struct fixture *f = *state;
    int n, reached = 0;
    f->w.reg_conf.device_hourly = 1000;
    world_configure(&f->w);
    for (n = 1; !reached; n++) {
        int before = issued_count(f);
        world_csr(f->key, NULL, NULL, &f->csr);
        f->w.calls = 0;
        f->w.fail = (n + 1) / 2;
        f->w.after = n % 2;
        int status = enroll(f);
        reached = f->w.calls < f->w.fail;
        assert_true(reached ? status == 200
                            : status == -IDV_E_IO || status == 202);
        f->w.fail = 0;
        assert_int_equal(enroll(f), 200);
        assert_int_equal(issued_count(f), before + 1);
        assert_int_equal(world_state(&f->w), IDV_SESSION_ENROLLED);
        get_voucher(f); /* from the beginning */
    }
    assert_true(n > 15);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define T0(f) cmocka_unit_test_setup_teardown(f, setup_bare, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T0(no_voucher),
        T0(no_voucher_but_pending),
        T(strangers),
        T(decided_against),
        T(enrolls),
        T(same_request),
        T(greedy_request),
        T(other_serial),
        T(subject_pattern),
        T(bad_pattern),
        T(reports_enrolled),
        T(reports_failure),
        T(renews),
        T(renews_not_otherwise),
        T(renews_not_when_refused),
        T(renews_names),
        T(revoked),
        T(member_enrolls),
        T(expired_member),
        T(renews_late),
        T(store_fails),
    };
    return STORES_RUN(tests);
}
