/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's own certificates: those it serves with, and those that could
 * be better. */
#include "tests/unit/registrar.h"

#include <openssl/x509v3.h>

#include "idevid/registrar/cloud.h"

#define RA "1.3.6.1.5.5.7.3.28"

static void take_out(X509 *cert, int nid)
{
    X509_EXTENSION_free(
        X509_delete_ext(cert, X509_get_ext_by_NID(cert, nid, -1)));
}

static void put_usages(X509 *cert, const char *usages)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage,
                                            (char *)(uintptr_t)usages);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(cert, e, -1), 1);
    X509_EXTENSION_free(e);
}

/* of the registrar's key, issued by its domain; usages NULL: none */
static X509 *certify(struct fixture *f, const char *usages)
{
    const struct pki_id *ca = &f->w.pki.domain_ca;
    X509 *cert = NULL;
    const struct idv_cert_spec spec = {
        .kind = IDV_CERT_REGISTRAR,
        .common_name = "its own",
        .not_before = PKI_NOW - PKI_DAY,
        .not_after = PKI_NOW + PKI_DAY,
    };
    OK(idv_cert_issue(&spec, f->w.pki.registrar.key, ca->cert, ca->key,
                      &f->w.pki.env.env, &cert));
    take_out(cert, NID_ext_key_usage);
    if (usages)
        put_usages(cert, usages);
    assert_true(X509_sign(cert, ca->key, EVP_sha256()) > 0);
    return cert;
}

/* with that certificate, and f's configuration otherwise */
static idv_rc begin(struct fixture *f, X509 *cert)
{
    struct idv_registrar_conf conf = f->w.reg_conf;
    IDV_AUTO_PTR(idv_certs) chain = pki_stack(cert, f->w.pki.domain_ca.cert);
    struct idv_registrar *r = NULL;
    conf.cert = cert;
    conf.chain = chain;
    f->w.log[0] = 0;
    idv_rc rc = idv_registrar_new(&conf, &f->w.pki.env.env, &r);
    idv_registrar_free(r);
    return rc;
}

static void begins(struct fixture *f, const char *usages)
{
    IDV_AUTO_PTR(X509) cert = certify(f, usages);
    OK(begin(f, cert));
}

static void begins_not(struct fixture *f, const char *usages, const char *lacks)
{
    IDV_AUTO_PTR(X509) cert = certify(f, usages);
    FAILS(IDV_E_ARG, lacks, begin(f, cert));
}

static void authority(void **state) /* R-R-48, R-R-21 */
{
    struct fixture *f = *state;
    begins(f, RA ",serverAuth,clientAuth");
    begins(f, RA ",serverAuth");
    begins_not(f, NULL, "cmcRA");
    begins_not(f, "serverAuth,clientAuth", "cmcRA");
    begins_not(f, "anyExtendedKeyUsage", "cmcRA");
    begins_not(f, RA, "serverAuth");
    begins_not(f, RA ",clientAuth", "serverAuth");
}

/* who shows it to others is a client */
static void client(void **state) /* R-R-48 */
{
    static struct idv_registrar_ca label;
    static const struct idv_est_forward other;
    struct fixture *f = *state;
    f->w.reg_maker.masa_client_auth = true;
    begins_not(f, RA ",serverAuth", "clientAuth");
    begins(f, RA ",serverAuth,clientAuth");
    f->w.reg_maker.masa_client_auth = false;
    label = f->w.reg_conf.ca;
    label.label = "plant";
    f->w.reg_conf.labels = &label;
    f->w.reg_conf.n_labels = 1;
    begins(f, RA ",serverAuth");
    label.est.ca.forward = &other;
    begins_not(f, RA ",serverAuth", "clientAuth");
    f->w.reg_conf.n_labels = 0;
    f->w.reg_conf.ca.est.ca.forward = &other;
    begins_not(f, RA ",serverAuth", "clientAuth");
    begins(f, RA ",serverAuth,clientAuth");
}

/* a proxy's, of the same key, is a server's of this authority */
static void in_front(void **state) /* R-R-48 */
{
    struct fixture *f = *state;
    static const struct {
        const char *usages, *lacks;
    } rows[] = {{"serverAuth", "in front lacks the extended key usage cmcRA"},
                {RA, "in front lacks the extended key usage serverAuth"},
                {RA ",serverAuth", NULL}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        IDV_AUTO_PTR(X509) front = certify(f, rows[i].usages);
        f->w.reg_conf.front_cert = front;
        if (rows[i].lacks)
            begins_not(f, RA ",serverAuth", rows[i].lacks);
        else
            begins(f, RA ",serverAuth");
        f->w.reg_conf.front_cert = NULL;
    }
}

/* whose certificate devices judge by its name */
static void of_a_cloud(void **state)
{
    static const struct idv_cloud_conf cloud;
    struct fixture *f = *state;
    f->w.reg_conf.cloud = &cloud;
    begins(f, "serverAuth");
    assert_null(strstr(f->w.log, "no-key-identifier"));
}

static int told(const struct fixture *f)
{
    int n = 0;
    for (const char *p = f->w.log; (p = strstr(p, "no-key-identifier")); p++)
        n++;
    return n;
}

/* it serves without, and says so: of its own, of what vouchers pin, of the one
 * in front; and of nothing that no MASA sees */
static void key_identifier(void **state) /* R-R-49 */
{
    struct fixture *f = *state;
    const struct pki_id *ca = &f->w.pki.domain_ca;
    IDV_AUTO_PTR(X509) cert = certify(f, RA ",serverAuth");
    OK(begin(f, cert));
    assert_int_equal(told(f), 0);
    take_out(cert, NID_subject_key_identifier);
    assert_true(X509_sign(cert, ca->key, EVP_sha256()) > 0);
    OK(begin(f, cert));
    assert_int_equal(told(f), 1);
    assert_non_null(strstr(f->w.log, "its own"));
    f->w.reg_conf.front_cert = cert;
    OK(begin(f, cert));
    assert_int_equal(told(f), 2);
    take_out(ca->cert, NID_subject_key_identifier);
    assert_true(X509_sign(ca->cert, ca->key, EVP_sha256()) > 0);
    OK(begin(f, cert));
    assert_int_equal(told(f), 3);
    f->w.reg_conf.pin = IDV_PINNING_OWN;
    OK(begin(f, cert));
    assert_int_equal(told(f), 2);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(authority), T(client), T(in_front), T(of_a_cloud), T(key_identifier),
    };
    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
