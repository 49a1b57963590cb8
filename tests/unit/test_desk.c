/* SPDX-License-Identifier: Apache-2.0 */
/* The CA's side of the line: what a device gets, once, whatever happens to
 * requests, CA and desk. */
#include "tests/unit/desk.h"

#include <openssl/pem.h>

#include <idevid/codec.h>

/* --- every profile -------------------------------------------------------- */

static void chains(struct scene *s, X509 *cert)
{
    const struct idv_chain_policy p = {
        .anchors = s->pki.anchors,
        .extra = s->pki.idevid_chain,
        .check_time = true,
        .now = PKI_NOW,
    };
    OK(idv_chain_verify(cert, &p));
}

static void shows(const X509 *cert, const char *what)
{
    IDV_AUTO_PTR(BIO) out = BIO_new(BIO_s_mem());
    char *text;
    X509_print_ex(out, (X509 *)(uintptr_t)cert, XN_FLAG_RFC2253, 0);
    BIO_write(out, "", 1);
    BIO_get_mem_data(out, &text);
    if (!strstr(text, what))
        print_error("no '%s' in %s\n", what, text);
    assert_non_null(strstr(text, what));
}

static bool text_has(const X509 *cert, const char *what)
{
    IDV_AUTO_PTR(BIO) out = BIO_new(BIO_s_mem());
    char *text;
    X509_print_ex(out, (X509 *)(uintptr_t)cert, XN_FLAG_RFC2253, 0);
    BIO_write(out, "", 1);
    BIO_get_mem_data(out, &text);
    return strstr(text, what) != NULL;
}

static void is_idevid(struct scene *s, X509 *cert, const struct softtpm *t)
{
    struct idv_devid id;
    char hw[256];
    int64_t from, to;
    assert_non_null(cert);
    OK(idv_devid_from_cert(cert, &id));
    assert_string_equal(id.serial_number, SN);
    assert_string_equal(id.hw_type, IDV_OID_TPM20);
    OK(idv_ek_hw_serial(t->ek_cert, idv_view(&t->ek.pub), hw));
    assert_true(
        idv_bytes_eq(idv_bytes(id.hw_serial, id.hw_serial_n), idv_str(hw)));
    assert_true(id.has_masa_url);
    assert_string_equal(id.masa_url.host, "masa.example.com");
    OK(idv_cert_times(cert, &from, &to));
    assert_true(from <= PKI_NOW && to == IDV_NO_EXPIRY);
    shows(cert, "CN=R1");
    shows(cert, "Digital Signature");
    shows(cert, "TLS Web Client Authentication");
    chains(s, cert);
}

static void with_profile(struct scene *s, enum idv_factory_profile profile)
{
    struct idv_factory_request r;
    struct idv_factory_device d;
    bool direct = profile == IDV_PROFILE_DIRECT;
    const struct softtpm *t = &s->tpm;
    sound(s, t, profile, SN, &r);
    IDV_AUTO_PTR(idv_certs)
    bag = issued(s, t, direct ? &t->idevid : &t->iak, &r);
    X509 *cert = certificate_of(bag, t->idevid.key);
    X509 *iak = certificate_of(bag, t->iak.key);
    is_idevid(s, cert, t);
    shows(cert, IDV_OID_TPM_RESIDENCY);
    shows(cert, IDV_OID_TPM_FIXED);
    assert_false(text_has(cert, IDV_OID_TPM_RESTRICTED));
    assert_int_equal(iak == NULL, direct);
    assert_int_equal(sk_X509_num(bag), direct ? 3 : 4);
    if (iak) {
        assert_true(idv_cert_has_eku(iak, IDV_OID_AIK));
        shows(iak, "serialNumber=" SN);
        shows(iak, IDV_OID_TPM_RESTRICTED);
        chains(s, iak);
    }
    in_book(s, SN, &d);
    assert_int_equal(d.state, IDV_DEVICE_ISSUED);
    assert_int_equal(d.issue, 1);
    assert_int_equal(d.profile, profile);
    assert_string_equal(d.order, ORDER);
    assert_string_equal(d.model, "R1");
    assert_string_equal(d.station, "station-1");
    assert_int_equal(d.iak_cert.n > 0, !direct);
    assert_true(d.request.n > 0 && d.reply.n > 0);
    idv_factory_device_free(&d);
    assert_int_equal(book_entries(&s->book, "issued"), 1);
}

static void profile_tcg(void **state)
{
    with_profile(*state, IDV_PROFILE_TCG);
}

static void profile_lean(void **state)
{
    with_profile(*state, IDV_PROFILE_LEAN);
}

static void profile_direct(void **state)
{
    with_profile(*state, IDV_PROFILE_DIRECT);
}

static void other_types(void **state)
{
    struct scene *s = *state;
    static const enum idv_key_type types[] = {IDV_KEY_P384, IDV_KEY_RSA2048};
    static const char *const serials[] = {SN, SN2};
    for (int i = 0; i < 2; i++) {
        struct softtpm t;
        struct idv_factory_request r;
        softtpm_make(&t, types[i], &s->pki, &s->vendor);
        sound(s, &t, IDV_PROFILE_TCG, serials[i], &r);
        IDV_AUTO_PTR(idv_certs) bag = issued(s, &t, &t.iak, &r);
        assert_non_null(certificate_of(bag, t.idevid.key));
        softtpm_free(&t);
    }
}

/* --- tokens --------------------------------------------------------------- */

static void token_request(struct scene *s, EVP_PKEY *key,
                          enum idv_factory_profile profile, const char *serial,
                          struct idv_factory_request *r)
{
    *r = (struct idv_factory_request){.profile = profile,
                                      .type = IDV_KEY_P256,
                                      .order = ORDER,
                                      .station = "station-1",
                                      .created_on = PKI_NOW,
                                      .hw_serial = "0001"};
    snprintf(r->serial_number, sizeof(r->serial_number), "%s", serial);
    memcpy(r->challenge, s->challenge, sizeof(r->challenge));
    idv_factory_token_id("SoftHSM", "v2", "0001", r->device_id);
    OK(idv_csr_make(key, NULL, NULL, NULL, &r->csr));
}

static void profile_token(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    struct idv_devid id;
    IDV_AUTO_PTR(EVP_PKEY) key = EVP_EC_gen("P-256");
    s->template.hw_type = "1.3.6.1.4.1.99999.1";
    token_request(s, key, IDV_PROFILE_TOKEN, SN, &r);
    IDV_AUTO_PTR(idv_certs) bag = issued(s, NULL, NULL, &r);
    X509 *cert = certificate_of(bag, key);
    assert_non_null(cert);
    OK(idv_devid_from_cert(cert, &id));
    assert_string_equal(id.hw_type, s->template.hw_type);
    assert_memory_equal(id.hw_serial, "0001", 4);
    assert_false(text_has(cert, IDV_OID_TPM_RESIDENCY));
}

static void profile_plain(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    IDV_AUTO_PTR(EVP_PKEY) key = EVP_EC_gen("P-256");
    token_request(s, key, IDV_PROFILE_PLAIN, SN, &r);
    s->conf.roots = NULL;
    desk_again(s);
    memcpy(r.challenge, s->challenge, sizeof(r.challenge));
    IDV_AUTO_PTR(idv_certs) bag = issued(s, NULL, NULL, &r);
    assert_false(text_has(certificate_of(bag, key), IDV_OID_TPM_RESIDENCY));
}

static void token_with_nonce(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    uint8_t nonce[32];
    IDV_AUTO(buf) hex = {0};
    IDV_AUTO_PTR(EVP_PKEY) key = EVP_EC_gen("P-256");
    token_request(s, key, IDV_PROFILE_TOKEN, SN, &r);
    idv_buf_clear(&r.csr);
    OK(idv_csr_make(key, NULL, NULL, "another", &r.csr));
    is_refused(s, &r, IDV_WHY_NONCE, "challengePassword");
    token_request(s, key, IDV_PROFILE_TOKEN, SN, &r);
    idv_factory_nonce(r.challenge, ORDER, SN, nonce);
    OK(idv_hex_from_bytes(idv_bytes(nonce, 32), &hex));
    idv_buf_clear(&r.csr);
    OK(idv_csr_make(key, NULL, NULL, (char *)hex.p, &r.csr));
    IDV_AUTO_PTR(idv_certs) bag = issued(s, NULL, NULL, &r);
    assert_non_null(certificate_of(bag, key));
}

static void bad_pkcs10(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    IDV_AUTO_PTR(EVP_PKEY) key = EVP_EC_gen("P-256");
    IDV_AUTO_PTR(X509_NAME) name = X509_NAME_new();
    token_request(s, key, IDV_PROFILE_TOKEN, SN, &r);
    r.csr.p[r.csr.n - 1] ^= 1;
    is_refused(s, &r, IDV_WHY_SIGNATURE, "request");
    token_request(s, key, IDV_PROFILE_TOKEN, SN, &r);
    r.csr.n--;
    is_refused(s, &r, IDV_WHY_REQUEST, "PKCS#10");
    token_request(s, key, IDV_PROFILE_TOKEN, SN, &r);
    idv_buf_free(&r.csr);
    is_refused(s, &r, IDV_WHY_REQUEST, "no PKCS#10");
    token_request(s, key, IDV_PROFILE_TOKEN, SN, &r);
    memset(r.device_id, 0, 32);
    is_refused(s, &r, IDV_WHY_REQUEST, "which device");
    token_request(s, key, IDV_PROFILE_TOKEN, SN, &r);
    r.type = IDV_KEY_P384;
    is_refused(s, &r, IDV_WHY_TEMPLATE, "no P-384 key");
    assert_int_equal(X509_NAME_add_entry_by_NID(name, NID_serialNumber,
                                                MBSTRING_ASC,
                                                (const uint8_t *)"Z", 1, -1, 0),
                     1);
    token_request(s, key, IDV_PROFILE_TOKEN, SN, &r);
    idv_buf_clear(&r.csr);
    OK(idv_csr_make(key, name, NULL, NULL, &r.csr));
    is_refused(s, &r, IDV_WHY_REQUEST, "another serial number");
    assert_int_equal(s->maker.calls, 0);
}

/* --- once ----------------------------------------------------------------- */

static void same_certificates(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    struct idv_factory_device d;
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    IDV_AUTO_PTR(idv_certs) one = issued(s, &s->tpm, &s->tpm.iak, &r);
    /* another challenge, another run of the desk */
    desk_again(s);
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    IDV_AUTO_PTR(idv_certs) two = issued(s, &s->tpm, &s->tpm.iak, &r);
    assert_true(idv_cert_eq(certificate_of(one, s->tpm.idevid.key),
                            certificate_of(two, s->tpm.idevid.key)));
    assert_true(idv_cert_eq(certificate_of(one, s->tpm.iak.key),
                            certificate_of(two, s->tpm.iak.key)));
    assert_int_equal(s->maker.calls, 2); /* IDevID and IAK, once */
    assert_int_equal(book_entries(&s->book, "issued"), 1);
    assert_int_equal(book_entries(&s->book, "repeated"), 1);
    in_book(s, SN, &d);
    assert_int_equal(d.issue, 1);
    idv_factory_device_free(&d);
}

/* the very bytes again, as from a stick that is put in twice */
static void same_request(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    enum idv_factory_why why;
    IDV_AUTO(buf) cms = {0};
    IDV_AUTO(buf) one = {0};
    IDV_AUTO(buf) two = {0};
    sound(s, &s->tpm, IDV_PROFILE_LEAN, SN, &r);
    OK(idv_factory_request_seal(&r, s->station.key, s->station.cert, NULL,
                                &cms));
    idv_factory_request_free(&r);
    OK(idv_desk_issue(s->desk, idv_view(&cms), NULL, &one, &why));
    OK(idv_desk_issue(s->desk, idv_view(&cms), NULL, &two, &why));
    IDV_AUTO_PTR(idv_certs)
    a = unpacked(s, &s->tpm, &s->tpm.iak, idv_view(&one));
    IDV_AUTO_PTR(idv_certs)
    b = unpacked(s, &s->tpm, &s->tpm.iak, idv_view(&two));
    assert_true(idv_cert_eq(certificate_of(a, s->tpm.idevid.key),
                            certificate_of(b, s->tpm.idevid.key)));
    assert_int_equal(s->maker.calls, 2);
}

static void set_state(struct scene *s, const char *serial,
                      enum idv_factory_state to)
{
    struct idv_factory_device d;
    enum idv_factory_why why;
    in_book(s, serial, &d);
    enum idv_factory_state from = d.state;
    d.state = to;
    OK(s->book.store.put(s->book.store.self, &d, from, "changed",
                         idv_bytes(NULL, 0), PKI_NOW, &why));
    idv_factory_device_free(&d);
}

/* the IDevID that a request of that rework gets, 0 of none */
static X509 *reworked(struct scene *s, uint8_t which)
{
    struct idv_factory_request r;
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    r.rework[3] = which;
    IDV_AUTO_PTR(idv_certs) bag = issued(s, &s->tpm, &s->tpm.iak, &r);
    X509 *cert = certificate_of(bag, s->tpm.idevid.key);
    assert_non_null(cert);
    assert_true(X509_up_ref(cert));
    return cert;
}

static void is_issue(struct scene *s, unsigned n)
{
    struct idv_factory_device d;
    in_book(s, SN, &d);
    assert_int_equal(d.issue, n);
    idv_factory_device_free(&d);
}

/* each rework is one more identity, however often it is asked for, and whether
 * or not the desk hears what became of it */
static void rework(void **state)
{
    struct scene *s = *state;
    IDV_AUTO_PTR(X509) one = reworked(s, 0);
    IDV_AUTO_PTR(X509) two = reworked(s, 1);
    assert_false(idv_cert_eq(one, two));
    is_issue(s, 2);
    /* cut off and asked again: that one */
    IDV_AUTO_PTR(X509) same = reworked(s, 1);
    assert_true(idv_cert_eq(two, same));
    set_state(s, SN, IDV_DEVICE_DONE);
    IDV_AUTO_PTR(X509) late = reworked(s, 1);
    assert_true(idv_cert_eq(two, late));
    /* who wants no other gets what there is */
    IDV_AUTO_PTR(X509) as_is = reworked(s, 0);
    assert_true(idv_cert_eq(two, as_is));
    IDV_AUTO_PTR(X509) three = reworked(s, 2);
    IDV_AUTO_PTR(X509) four = reworked(s, 3);
    assert_false(idv_cert_eq(two, three));
    assert_false(idv_cert_eq(three, four));
    is_issue(s, 4);
    assert_int_equal(book_entries(&s->book, "issued"), 4);
    assert_int_equal(book_entries(&s->book, "repeated"), 3);
}

/* The certificate of a TPM's proof is not had in the clear, by the same key
 * without the proof. */
static void proof_is_not_dodged(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    struct idv_factory_device d;
    sound(s, &s->tpm, IDV_PROFILE_DIRECT, SN, &r);
    IDV_AUTO_PTR(idv_certs) one = issued(s, &s->tpm, &s->tpm.idevid, &r);
    in_book(s, SN, &d);
    token_request(s, s->tpm.idevid.key, IDV_PROFILE_PLAIN, SN, &r);
    memcpy(r.device_id, d.ek, 32);
    is_refused(s, &r, IDV_WHY_HAS_ONE, "another key or proof");
    token_request(s, s->tpm.idevid.key, IDV_PROFILE_PLAIN, SN, &r);
    memcpy(r.device_id, d.ek, 32);
    r.rework[0] = 1;
    IDV_AUTO_PTR(idv_certs) two = issued(s, NULL, NULL, &r);
    assert_false(text_has(certificate_of(two, s->tpm.idevid.key),
                          IDV_OID_TPM_RESIDENCY));
    idv_factory_device_free(&d);
}

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
        {no_module, "lacks a subjectAltName"},
        {more_names, "subjectAltName that was not asked for"},
        {short_life, "ends at 2026-11-23T00:00:00Z"},
        {not_yet, "is not valid yet"},
        {other_masa, "MASA URL"},
        {no_policies, "policies"},
        {no_purposes, "extended key usages"},
        {is_ca, "lacks a subjectAltName"},
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
        DESK_TEST(profile_tcg),
        DESK_TEST(profile_lean),
        DESK_TEST(profile_direct),
        DESK_TEST(other_types),
        DESK_TEST(profile_token),
        DESK_TEST(profile_plain),
        DESK_TEST(token_with_nonce),
        DESK_TEST(bad_pkcs10),
        DESK_TEST(same_certificates),
        DESK_TEST(same_request),
        DESK_TEST(rework),
        DESK_TEST(proof_is_not_dodged),
        DESK_TEST(ca_is_away),
        DESK_TEST(ca_refuses),
        DESK_TEST(ca_returns_something_else),
        DESK_TEST(certificate_by_itself),
        DESK_TEST(ca_that_wants_pkcs10),
        DESK_TEST(own_ca_of_iaks),
        DESK_TEST(local_ca),
        DESK_TEST(template_is_judged),
        DESK_TEST(template_is_filled),
        DESK_TEST(placeholder_without_value),
    };
    return cmocka_run_group_tests_name("desk", tests, scene_begin, scene_end);
}
