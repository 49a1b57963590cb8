/* SPDX-License-Identifier: Apache-2.0 */
/* The CA's side of the line: what a device of each kind gets. */
#include "tests/unit/desk.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        DESK_TEST(profile_tcg),      DESK_TEST(profile_lean),
        DESK_TEST(profile_direct),   DESK_TEST(other_types),
        DESK_TEST(profile_token),    DESK_TEST(profile_plain),
        DESK_TEST(token_with_nonce), DESK_TEST(bad_pkcs10),
    };
    return cmocka_run_group_tests_name("desk", tests, scene_begin, scene_end);
}
