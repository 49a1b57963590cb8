/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: the names that a CA gives, and how devices are told of them. */
#include "tests/lib/stores.h"
#include "tests/unit/enroll.h"

#include "idevid/est/profile.h"

#define ACP                                                                    \
    "otherName:1.3.6.1.5.5.7.8.10;IA5:"                                        \
    "fd89b714f3db00000200000064000002+area51.research@acp.example.com"

static const char *const dns[] = {"{serial}.devices.example",
                                  "dev-{serial}.example", NULL};

/* --- in the ACP (RFC 8994) ------------------------------------------------ */

/* The routing subdomain of the RFC's example has the hash of its example. */
static void acp_name(void **state)
{
    struct idv_est_profile p = {.acp_domain = "acp.example.com",
                                .acp_rsub = "area51.Research",
                                .acp_registrar = {2, 0, 0, 0, 0x64, 0}};
    IDV_AUTO(buf) name = {0};
    (void)state;
    OK(idv_est_acp_name(&p, 1, &name));
    assert_string_equal(
        (char *)name.p,
        "fd89b714f3db00000200000064000002+area51.Research@acp.example.com");
    idv_buf_clear(&name);
    p.acp_rsub = NULL;
    OK(idv_est_acp_name(&p, 0x7fff, &name));
    assert_memory_equal(name.p + 12, "0000020000006400fffe@acp", 24);
    FAILS(IDV_E_LIMIT, "no more", idv_est_acp_name(&p, 0x8000, &name));
    FAILS(IDV_E_LIMIT, "no more", idv_est_acp_name(&p, 0, &name));
}

/* --- what cannot be a name ------------------------------------------------ */

static void bad_templates(void **state)
{
    static const char *const names[][2] = {
        {"*.example", NULL},  {"a..example", NULL},  {".example", NULL},
        {"a.example.", NULL}, {"a b.example", NULL}, {"", NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const struct idv_est_profile p = {.names = names[i]};
        FAILS(IDV_E_ARG, "not a DNS name", idv_est_profile_check(&p));
    }
    const struct idv_est_profile rows[] = {
        {.acp_domain = "acp example"},
        {.acp_domain = "acp.example", .acp_rsub = "@"},
        {.acp_rsub = "area51"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        FAILS(IDV_E_ARG, "ACP", idv_est_profile_check(&rows[i]));
    const struct idv_est_profile good = {.names = dns,
                                         .acp_domain = "acp.example"};
    OK(idv_est_profile_check(&good));
}

/* a serial number must not make more of a name than its place in it */
static void serials_in_names(void **state)
{
    static const char *const bad[] = {"A B", "A.*", "PID:1", "\xc3\xa4", ""};
    static const char *const only[] = {"{serial}", NULL};
    const struct idv_est_profile p = {.names = only, .subject = "CN=x"};
    struct idv_est_grant g = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        FAILS(IDV_E_REJECT, "DNS", idv_est_profile_grant(&p, bad[i], 0, &g));
        assert_null(g.subject);
    }
}

/* --- from csrattrs into the certificate ----------------------------------- */

static int ask_attrs(struct fixture *f, struct idv_peer *peer,
                     struct idv_csrattrs *out)
{
    int status = world_ask(&f->w, idv_registrar_service(f->w.reg), peer,
                           IDV_GET, IDV_PATH_CSRATTRS, "", idv_str(""));
    if (status == 200)
        OK(idv_est_csrattrs_read(&f->w.reply, out));
    return status;
}

static void request(struct fixture *f, const X509_NAME *name,
                    const struct idv_csrattrs *a)
{
    IDV_AUTO(buf) der = {0};
    OK(idv_csr_make(f->key, name, a->extensions, NULL, &der));
    idv_buf_clear(&f->csr);
    OK(idv_est_body_from_der(idv_view(&der), &f->csr));
}

/* The alternative names, as openssl has them. */
static void names_are(const STACK_OF(X509_EXTENSION) * list, const char *want)
{
    int i = X509v3_get_ext_by_NID(list, NID_subject_alt_name, -1);
    assert_true(i >= 0);
    X509_EXTENSION *due =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, want);
    assert_non_null(due);
    assert_int_equal(
        ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(due),
                              X509_EXTENSION_get_data(X509v3_get_ext(list, i))),
        0);
    X509_EXTENSION_free(due);
}

static void use_names(struct fixture *f)
{
    f->w.reg_conf.ca.profile = (struct idv_est_profile){
        .names = dns,
        .acp_domain = "acp.example.com",
        .acp_rsub = "area51.research",
        .acp_registrar = {2, 0, 0, 0, 0x64, 0},
    };
    world_configure(&f->w);
}

/* R-R-40, R-R-41: a device is told its names, a request without them is
 * refused, the certificate has them, and a renewal keeps them. */
static void names_all_the_way(void **state)
{
    static const char all[] = ACP ",DNS:" PKI_SERIAL ".devices.example"
                                  ",DNS:dev-" PKI_SERIAL ".example";
    struct fixture *f = *state;
    struct idv_csrattrs a = {0};
    use_names(f);
    because(f, enroll(f), 400, "csr-names");
    assert_int_equal(issued_count(f), 0);
    assert_int_equal(ask_attrs(f, &f->w.pledge, &a), 200);
    names_are(a.extensions, all);
    request(f, NULL, &a);
    idv_csrattrs_free(&a);
    become_member(f);
    names_are(X509_get0_extensions(f->ldevid), all);

    assert_int_equal(ask_attrs(f, &f->w.member, &a), 200);
    names_are(a.extensions, all);
    world_csr(f->key, f->name, NULL, &f->csr);
    because(f, reenroll(f), 400, "renew-san");
    because(f, enroll_as(f, &f->w.member, IDV_PATH_SIMPLEENROLL), 400,
            "csr-names");
    request(f, f->name, &a);
    idv_csrattrs_free(&a);
    assert_int_equal(reenroll(f), 200);
    take_cert(f);
    names_are(X509_get0_extensions(f->ldevid), all);
}

/* the order of names, and what else a request has, are of no matter */
static void order_of_names(void **state)
{
    struct fixture *f = *state;
    struct idv_csrattrs a = {0};
    use_names(f);
    f->w.reg_conf.ca.profile.acp_domain = f->w.reg_conf.ca.profile.acp_rsub =
        NULL;
    world_configure(&f->w);
    a.extensions = sk_X509_EXTENSION_new_null();
    sk_X509_EXTENSION_push(a.extensions,
                           X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
                                               "critical,DNS:dev-" PKI_SERIAL
                                               ".example,DNS:" PKI_SERIAL
                                               ".devices.example"));
    request(f, NULL, &a);
    assert_int_equal(enroll(f), 200);
    sk_X509_EXTENSION_pop_free(a.extensions, X509_EXTENSION_free);
    a.extensions = sk_X509_EXTENSION_new_null();
    sk_X509_EXTENSION_push(
        a.extensions, X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
                                          "DNS:dev-" PKI_SERIAL ".example,"
                                          "DNS:dev-" PKI_SERIAL ".example"));
    request(f, NULL, &a);
    idv_csrattrs_free(&a);
    because(f, enroll(f), 400, "csr-names");
}

/* nobody is told names who has no voucher, and no number is used up */
static void names_are_not_for_all(void **state)
{
    struct fixture *f = *state;
    struct idv_csrattrs a = {0};
    struct idv_peer none = {0};
    int64_t n = 0;
    use_names(f);
    assert_int_equal(ask_attrs(f, &f->w.pledge, &a), 204);
    assert_int_equal(ask_attrs(f, &none, &a), 204);
    world_peer(&f->w.member, f->w.pki.rogue_idevid.cert, NULL, 4);
    assert_int_equal(ask_attrs(f, &f->w.member, &a), 204);
    const struct idv_est_store *s = &f->w.reg_conf.ca.est.store;
    OK(s->number(s->self, "maker/other", &n));
    assert_int_equal(n, 1);
    OK(s->number(s->self, "maker/another", &n));
    assert_int_equal(n, 2);
    OK(s->number(s->self, "maker/other", &n));
    assert_int_equal(n, 1);
}

static idv_rc one_more(void *arg, const char *serial, char ***names)
{
    assert_string_equal(serial, PKI_SERIAL);
    return idv_list_add(names, idv_str(arg));
}

static void approved_names(void **state)
{
    static char good[] = "printer.example", bad[] = "no name";
    struct fixture *f = *state;
    struct idv_csrattrs a = {0};
    f->w.reg_conf.ca.profile.approved = one_more;
    f->w.reg_conf.ca.profile.arg = good;
    world_configure(&f->w);
    assert_int_equal(ask_attrs(f, &f->w.pledge, &a), 200);
    names_are(a.extensions, "DNS:printer.example");
    request(f, NULL, &a);
    idv_csrattrs_free(&a);
    assert_int_equal(enroll(f), 200);
    f->w.reg_conf.ca.profile.arg = bad;
    world_configure(&f->w);
    because(f, ask_attrs(f, &f->w.pledge, &a), 403, "no-name");
    because(f, enroll(f), 403, "no name can be given to this device");
}

/* --- terms ---------------------------------------------------------------- */

static void terms_of_certificates(void **state)
{
    static const char *const purposes[] = {"1.3.6.1.5.5.7.3.17", NULL};
    static const char *const policies[] = {"2.999.5", NULL};
    struct fixture *f = *state;
    f->w.ca.purposes = purposes;
    f->w.ca.policies = policies;
    f->w.ca.servers = true;
    f->w.ca.crl_url = "http://crl.example/ca.crl";
    f->w.ca.aia_url = "http://crl.example/ca.cer";
    become_member(f);
    assert_true(idv_cert_has_eku(f->ldevid, IDV_OID_CLIENT_AUTH));
    assert_true(idv_cert_has_eku(f->ldevid, IDV_OID_SERVER_AUTH));
    assert_true(idv_cert_has_eku(f->ldevid, purposes[0]));
    const int nids[] = {NID_certificate_policies, NID_crl_distribution_points,
                        NID_info_access};
    for (int i = 0; i < 3; i++)
        assert_true(X509_get_ext_by_NID(f->ldevid, nids[i], -1) >= 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define T0(f) cmocka_unit_test_setup_teardown(f, setup_bare, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acp_name),
        cmocka_unit_test(bad_templates),
        cmocka_unit_test(serials_in_names),
        T(names_all_the_way),
        T(order_of_names),
        T0(names_are_not_for_all),
        T(approved_names),
        T(terms_of_certificates),
    };
    return STORES_RUN(tests);
}
