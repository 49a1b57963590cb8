/* SPDX-License-Identifier: Apache-2.0 */
/* Who makes certificates, what they return, and what goes into them. */
#include "tests/unit/desk.h"

#include <openssl/pem.h>

/* --- the CA --------------------------------------------------------------- */

static void ca_is_away(void **state)
{
    struct scene *s = *state;
    static const idv_rc ways[] = {IDV_E_DEVICE, IDV_E_NET, IDV_E_TIMEOUT,
                                  IDV_E_IO, IDV_E_STATE};
    struct idv_factory_request r;
    struct idv_factory_device d;
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        s->maker.fail = ways[i];
        sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
        is_refused(s, &r, IDV_WHY_CA, "CA: it is away");
        in_book(s, SN, &d);
        assert_int_equal(d.state, IDV_DEVICE_NONE);
        idv_factory_device_free(&d);
    }
    assert_int_equal(s->maker.calls, 5);
    assert_int_equal(book_entries(&s->book, "refused"), 0);
    s->maker.fail = IDV_OK;
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    IDV_AUTO_PTR(idv_certs) bag = issued(s, &s->tpm, &s->tpm.iak, &r);
    assert_non_null(certificate_of(bag, s->tpm.idevid.key));
}

static void ca_refuses(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    s->maker.fail = IDV_E_REJECT;
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_CERT, "CA: it is away");
}

static void other_serial(struct idv_cert_spec *s)
{
    s->serial_number = "X-1";
}

static void no_module(struct idv_cert_spec *s)
{
    s->hw_type = NULL;
}

static void more_names(struct idv_cert_spec *s)
{
    static const char *const names[] = {"host.example", NULL};
    s->names = names;
}

static void short_life(struct idv_cert_spec *s)
{
    s->not_after = PKI_NOW + PKI_DAY;
}

static void not_yet(struct idv_cert_spec *s)
{
    s->not_before = PKI_NOW + PKI_DAY;
}

static void other_masa(struct idv_cert_spec *s)
{
    s->masa_url = "other.example";
}

static void no_policies(struct idv_cert_spec *s)
{
    s->policies = NULL;
}

static void no_purposes(struct idv_cert_spec *s)
{
    s->purposes = NULL;
}

static void no_usage(struct idv_cert_spec *s)
{
    s->usage = false;
    s->purposes = NULL;
}

static void is_ca(struct idv_cert_spec *s)
{
    s->kind = IDV_CERT_CA;
}

/* what another CA returns is judged against what was asked for */
static void ca_returns_something_else(void **state)
{
    struct scene *s = *state;
    static const struct {
        void (*change)(struct idv_cert_spec *);
        const char *note;
    } rows[] = {
        {other_serial, "serialNumber is 'X-1', not '" SN "'"},
        {no_module, "lacks the subjectAltName hardwareModuleName"},
        {more_names, "subjectAltName that was not asked for"},
        {short_life, "ends at 2026-11-23T00:00:00Z"},
        {not_yet, "is not valid yet"},
        {other_masa, "its MASA URL is another"},
        {no_policies, "lacks the certificatePolicies"},
        {no_purposes, "lacks the extendedKeyUsage"},
        {is_ca, "lacks the subjectAltName hardwareModuleName"},
    };
    struct idv_factory_request r;
    struct idv_factory_device d;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        s->maker.change = rows[i].change;
        sound(s, &s->tpm, IDV_PROFILE_DIRECT, SN, &r);
        is_refused(s, &r, IDV_WHY_CERT, rows[i].note);
    }
    s->maker.change = NULL;
    s->maker.other_key = s->tpm2.idevid.key;
    sound(s, &s->tpm, IDV_PROFILE_DIRECT, SN, &r);
    is_refused(s, &r, IDV_WHY_CERT, "another key");
    s->maker.other_key = NULL;
    s->maker.other_issuer = &s->pki.rogue_ca;
    sound(s, &s->tpm, IDV_PROFILE_DIRECT, SN, &r);
    is_refused(s, &r, IDV_WHY_CERT, "chain");
    in_book(s, SN, &d);
    assert_int_equal(d.state, IDV_DEVICE_NONE);
    idv_factory_device_free(&d);
}

/* judged by itself: what no specification of ours says */
static void certificate_by_itself(void **state)
{
    struct scene *s = *state;
    struct idv_cert_spec spec = {
        .kind = IDV_CERT_IDEVID, .serial_number = SN, .usage = true};
    struct pki_id *ca = &s->pki.maker_ca;
    IDV_AUTO_PTR(X509) cert = NULL;
    OK(idv_cert_issue(&spec, s->tpm.idevid.key, ca->cert, ca->key,
                      &s->pki.env.env, &cert));
    OK(idv_cert_matches(cert, &spec, s->tpm.idevid.key, PKI_NOW));
    ASN1_INTEGER_set_int64(X509_get_serialNumber(cert), 12345);
    FAILS(IDV_E_REJECT, "number has 14 bits",
          idv_cert_matches(cert, &spec, s->tpm.idevid.key, PKI_NOW));
    X509_free(idv_steal(&cert));
    no_usage(&spec);
    OK(idv_cert_issue(&spec, s->tpm.idevid.key, ca->cert, ca->key,
                      &s->pki.env.env, &cert));
    OK(idv_cert_matches(cert, &spec, s->tpm.idevid.key, PKI_NOW));
}

/* a certificate with this in the place of its own */
static void refuses_extension(struct scene *s, int nid, const char *value,
                              const char *note)
{
    struct idv_cert_spec spec = {
        .kind = IDV_CERT_IDEVID, .serial_number = SN, .usage = true};
    STACK_OF(X509_EXTENSION) *extra = NULL;
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    IDV_AUTO_PTR(X509) cert = NULL;
    assert_non_null(X509v3_add_ext(&extra, e, -1));
    spec.extra = extra;
    OK(idv_cert_issue(&spec, s->tpm.idevid.key, s->pki.maker_ca.cert,
                      s->pki.maker_ca.key, &s->pki.env.env, &cert));
    spec.extra = NULL;
    FAILS(IDV_E_REJECT, note,
          idv_cert_matches(cert, &spec, s->tpm.idevid.key, PKI_NOW));
    X509_EXTENSION_free(e);
    sk_X509_EXTENSION_pop_free(extra, X509_EXTENSION_free);
}

/* what a device's certificate is never good for, and always */
static void certificate_of_another_use(void **state)
{
    struct scene *s = *state;
    refuses_extension(s, NID_basic_constraints, "critical,CA:TRUE",
                      "is a CA's");
    refuses_extension(s, NID_key_usage, "critical,digitalSignature,keyCertSign",
                      "is a CA's");
    refuses_extension(s, NID_key_usage, "critical,keyAgreement",
                      "its key may not sign");
}

static void ca_that_wants_pkcs10(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    s->maker.ca.needs_csr = true;
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_REQUEST, "the CA wants one");
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    OK(idv_csr_make(s->tpm2.idevid.key, NULL, NULL, NULL, &r.csr));
    is_refused(s, &r, IDV_WHY_SIGNATURE, "another key than the TCG-CSR");
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    OK(idv_csr_make(s->tpm.idevid.key, NULL, NULL, NULL, &r.csr));
    IDV_AUTO_PTR(idv_certs) bag = issued(s, &s->tpm, &s->tpm.iak, &r);
    assert_non_null(certificate_of(bag, s->tpm.idevid.key));
    assert_null(certificate_of(bag, s->tpm.iak.key));
}

static void own_ca_of_iaks(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    struct desk_ca iaks = {0};
    iaks.ca = (struct idv_desk_ca){&iaks, desk_ca_issue, desk_ca_chain, false};
    s->maker.ca.needs_csr = true;
    s->conf.iak_ca = &iaks.ca;
    desk_again(s);
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    OK(idv_csr_make(s->tpm.idevid.key, NULL, NULL, NULL, &r.csr));
    IDV_AUTO_PTR(idv_certs) bag = issued(s, &s->tpm, &s->tpm.iak, &r);
    assert_non_null(certificate_of(bag, s->tpm.iak.key));
    assert_int_equal(iaks.calls, 1);
    assert_int_equal(s->maker.calls, 1);
}

/* a key in a file, opened when it is needed */
static void local_ca(void **state)
{
    struct scene *s = *state;
    char dir[64], path[128];
    struct idv_factory_request r;
    struct idv_desk_ca ca;
    IDV_AUTO_PTR(BIO) out = BIO_new(BIO_s_mem());
    char *pem;
    test_dir(dir);
    snprintf(path, sizeof(path), "%s/ca.pem", dir);
    FAILS(IDV_E_ARG, "no key",
          idv_desk_ca_local(path, NULL, NULL, &s->pki.env.env, &ca));
    IDV_AUTO_PTR(idv_certs) leaf = pki_stack(s->station.cert, NULL);
    FAILS(IDV_E_ARG, "is no CA",
          idv_desk_ca_local(path, NULL, leaf, &s->pki.env.env, &ca));
    OK(idv_desk_ca_local(path, NULL, s->ca_chain, &s->pki.env.env, &ca));
    s->conf.ca = &ca;
    desk_again(s);
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_CA, "CA");
    assert_int_equal(PEM_write_bio_PrivateKey(out, s->pki.maker_ca.key, NULL,
                                              NULL, 0, NULL, NULL),
                     1);
    long n = BIO_get_mem_data(out, &pem);
    OK(idv_fs_write(path, idv_bytes(pem, (size_t)n), 0600));
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    IDV_AUTO_PTR(idv_certs) bag = issued(s, &s->tpm, &s->tpm.iak, &r);
    assert_non_null(certificate_of(bag, s->tpm.idevid.key));
    idv_desk_ca_local_free(&ca);
    test_dir_drop(dir);
}

/* --- the template --------------------------------------------------------- */

static void template_is_judged(void **state)
{
    struct scene *s = *state;
    struct idv_desk *d = NULL;
    struct idv_desk_template good = s->template;
    static const char *const bad_oids[] = {"1.2.3", "x", NULL};
#define NO(part)                                                               \
    FAILS(IDV_E_ARG, part, idv_desk_new(&s->conf, &d));                        \
    s->template = good
    s->template.common_name = "{modell}";
    NO("common-name: {modell} is no placeholder");
    s->template.organization = "a{serial";
    NO("organization: a brace");
    s->template.organizational_unit = "a}";
    NO("organizational-unit: a brace");
    s->template.country = "";
    NO("country is no text");
    s->template.hw_serial = "{{serial}}";
    NO("hw-serial: a brace");
    s->template.crl_url = "a\nb";
    NO("crl-url is no text");
    s->template.masa_url = "http://x";
    NO("masa-url");
    s->template.hw_type = "tpm";
    NO("hw-type");
    s->template.policies = bad_oids;
    NO("policies: 'x'");
    s->template.not_after = PKI_NOW - 1;
    NO("not-after");
    s->conf.stations = NULL;
    NO("no station");
    assert_null(d);
}

static void template_is_filled(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    static const char *const policies[] = {"1.3.6.1.4.1.99999.7", NULL};
    s->template.common_name = "{model} {serial}";
    s->template.organizational_unit = "{order}";
    s->template.country = "SE";
    s->template.policies = policies;
    s->template.crl_url = "http://ca.example/{model}.crl";
    s->template.aia_url = "http://ca.example/ca.cer";
    s->template.hw_serial = "{ek-sha256}";
    s->template.not_after = PKI_NOW + 1000 * (int64_t)PKI_DAY;
    desk_again(s);
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    IDV_AUTO_PTR(idv_certs) bag = issued(s, &s->tpm, &s->tpm.iak, &r);
    X509 *cert = certificate_of(bag, s->tpm.idevid.key);
    shows(cert, "CN=R1 " SN);
    shows(cert, "OU=" ORDER);
    shows(cert, "C=SE");
    shows(cert, "1.3.6.1.4.1.99999.7");
    shows(cert, "URI:http://ca.example/R1.crl");
    shows(cert, "URI:http://ca.example/ca.cer");
    shows(cert, "Not After : Aug 18 00:00:00 2029 GMT");
}

static void placeholder_without_value(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    s->template.organizational_unit = "{sku}";
    desk_again(s);
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_ORDER, "organizational-unit asks for {sku}");
    s->template.organizational_unit = NULL;
    s->template.common_name = "0123456789012345678901234567890123456789"
                              "0123456789 {serial} {serial} {order}";
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_CERT, "common name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DESK_TEST(ca_is_away),
        DESK_TEST(ca_refuses),
        DESK_TEST(ca_returns_something_else),
        DESK_TEST(certificate_by_itself),
        DESK_TEST(certificate_of_another_use),
        DESK_TEST(ca_that_wants_pkcs10),
        DESK_TEST(own_ca_of_iaks),
        DESK_TEST(local_ca),
        DESK_TEST(template_is_judged),
        DESK_TEST(template_is_filled),
        DESK_TEST(placeholder_without_value),
    };
    return cmocka_run_group_tests_name("desk-ca", tests, scene_begin,
                                       scene_end);
}
