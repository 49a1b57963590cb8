/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge within the domain: EST, and certificates that will not do. */
#include "tests/unit/codec.h"

#include <openssl/objects.h>

#include "tests/unit/fakescene.h"

/* --- within the domain: EST (PT-20..22) ----------------------------------- */

static const char *bad_word;
static int bad_status;
static const char *bad_media, *bad_body;

static bool bad_answer(struct fakereg *r, const char *word, bool after,
                       const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after || strcmp(word, bad_word) != 0)
        return false;
    OK(idv_msg_reply(reply, bad_status, bad_media, idv_str(bad_body)));
    return true;
}

/* R-P-63, R-P-64 */
static void bad_answers_within_the_domain(void **state)
{
    static const struct {
        const char *word;
        int status;
        const char *media, *body;
        idv_rc rc;
        const char *log;
    } rows[] = {
        {"ca", 404, "", "", IDV_E_REJECT, "C? rv vs+ ca es-"},
        {"ca", 202, "", "", IDV_E_REJECT, "C? rv vs+ ca es-"},
        {"ca", 500, "", "", IDV_E_NET, "C? rv vs+ ca es-"},
        {"ca", 200, "text/html", "<p>", IDV_E_FORMAT, "C? rv vs+ ca es-"},
        {"ca", 200, IDV_MEDIA_PKCS7, "", IDV_E_FORMAT, "C? rv vs+ ca es-"},
        {"ca", 200, IDV_MEDIA_PKCS7, "MAA=", IDV_E_FORMAT, "C? rv vs+ ca es-"},
        {"at", 401, "", "", IDV_E_REJECT, "C? rv vs+ ca at es-"},
        {"at", 200, IDV_MEDIA_CSRATTRS, "MAI=", IDV_E_FORMAT,
         "C? rv vs+ ca at es-"},
        {"en", 403, "text/plain", "no", IDV_E_REJECT, "C? rv vs+ ca at en es-"},
        {"en", 503, "text/plain", "no", IDV_E_NET, "C? rv vs+ ca at en es-"},
        {"en", 200, IDV_MEDIA_PKCS7, "", IDV_E_FORMAT,
         "C? rv vs+ ca at en es-"},
        {"en", 200, "application/pkix-cert", "MAA=", IDV_E_FORMAT,
         "C? rv vs+ ca at en es-"},
        {"en", 307, "", "", IDV_E_REJECT, "C? rv vs+ ca at en es-"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        SCENE(s);
        bad_word = rows[i].word;
        bad_status = rows[i].status;
        bad_media = rows[i].media;
        bad_body = rows[i].body;
        s.reg.hook = bad_answer;
        expect(&s, rows[i].rc, rows[i].log, IMPRINTED);
        fakedev_reopen(&s.dev, &pki);
        s.reg.hook = NULL;
        /* R-P-64: what is imprinted never asks for another voucher */
        expect(&s, IDV_OK, RESUMED, ENROLLED);
    }
}

/* R-P-56: what telemetry is answered does not matter */
static void answers_to_telemetry_are_ignored(void **state)
{
    static const char *const words[] = {"vs", "es"};
    static const int statuses[] = {404, 500, 307};
    (void)state;
    for (int i = 0; i < 6; i++) {
        SCENE(s);
        bad_word = words[i % 2];
        bad_status = statuses[i / 2];
        bad_media = "text/html";
        bad_body = "<html>";
        s.reg.hook = bad_answer;
        expect(&s, IDV_OK, WHOLE, ENROLLED);
    }
}

/* R-P-58 */
static void csrattrs_are_obeyed(void **state)
{
    static const struct {
        enum idv_key_type type;
        int nid;
    } rows[] = {{IDV_KEY_P256, NID_X9_62_prime256v1},
                {IDV_KEY_P384, NID_secp384r1},
                {IDV_KEY_P521, NID_secp521r1}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        SCENE(s);
        char group[64];
        const struct idv_csrattrs attrs = {
            .has_key_type = true,
            .key_type = rows[i].type,
        };
        s.reg.attrs = &attrs;
        expect(&s, IDV_OK, WHOLE, ENROLLED);
        X509 *cert =
            sk_X509_value(idv_trust_enrollment(s.dev.trust)->ldevid, 0);
        EVP_PKEY_get_group_name(X509_get0_pubkey(cert), group, sizeof(group),
                                NULL);
        assert_int_equal(OBJ_txt2nid(group), rows[i].nid);
    }
}

static void challenge_of(const struct fakereg *r, struct idv_buf *out)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO_PTR(X509_REQ) req = NULL;
    IDV_AUTO_PTR(EVP_PKEY) its = NULL;
    bool found = false;
    OK(idv_est_body_to_der(idv_view(&r->csr), &der));
    OK(idv_csr_from_der(idv_view(&der), &req, &its));
    OK(idv_csr_challenge(req, &found, out));
    assert_true(found);
}

/* 3.4: a request bound to a connection is made anew for the next one, with
 * the same key */
static void the_channel_is_bound(void **state)
{
    (void)state;
    SCENE(s);
    const struct idv_csrattrs attrs = {.challenge = true};
    IDV_AUTO(buf) raw = {0};
    IDV_AUTO(buf) want = {0};
    IDV_AUTO(buf) got = {0};
    uint8_t binding[32];
    s.reg.attrs = &attrs;
    s.reg.lose = 6;
    expect(&s, IDV_OK, "C? rv vs+ ca at en L C= en C+ es+", ENROLLED);
    assert_int_equal(s.reg.same_csr, 0);
    assert_int_equal(s.dev.keys_made, 1);
    memset(binding, 0x40 + 7, sizeof(binding)); /* the 7th event */
    OK(idv_base64_from_bytes(idv_bytes(binding, 32), 0, &want));
    challenge_of(&s.reg, &got);
    assert_true(idv_bytes_eq(idv_view(&got), idv_view(&want)));
}

/* --- certificates that will not do ---------------------------------------- */

static struct pki_id other;

static bool issue_other(struct fakereg *r, const char *word, bool after,
                        const struct idv_msg *req, struct idv_msg *reply)
{
    IDV_AUTO(buf) bag = {0};
    IDV_AUTO(buf) body = {0};
    (void)r, (void)req;
    if (!after || strcmp(word, "en") != 0)
        return false;
    STACK_OF(X509) *certs = pki_stack(other.cert, NULL);
    OK(idv_certbag_to_der(certs, &bag));
    OK(idv_est_body_from_der(idv_view(&bag), &body));
    OK(idv_msg_reply(reply, 200, IDV_MEDIA_PKCS7, idv_view(&body)));
    idv_certs_free(certs);
    return false;
}

static void certificates_of_others(void **state)
{
    const struct idv_cert_spec spec = {
        .kind = IDV_CERT_LDEVID,
        .serial_number = PKI_SERIAL,
    };
    (void)state;
    SCENE(s);
    other = pki_issue(&pki, "P-256", &spec, &pki.domain_ca);
    s.reg.hook = issue_other;
    expect(&s, IDV_E_REJECT, "C? rv vs+ ca at en es-", IMPRINTED);
    assert_non_null(strstr(s.drive.note, "another key"));
    s.reg.hook = NULL;
    s.reg.cacerts = pki.tls_chain; /* the domain's, and an issuer that is not */
    s.reg.issuer = &pki.rogue_ca;
    expect(&s, IDV_E_REJECT, "C= ca at en es-", IMPRINTED);
    s.reg.issuer = &pki.domain_ca;
    s.reg.cacerts = NULL;
    expect(&s, IDV_OK, RESUMED, ENROLLED);
    pki_id_free(&other);
}

/* R-P-57 */
static void trust_anchors_of_others(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.cacerts = pki.rogue_chain;
    expect(&s, IDV_E_REJECT, "C? rv vs+ ca es-", IMPRINTED);
    s.reg.cacerts = NULL;
    expect(&s, IDV_OK, RESUMED, ENROLLED);
}

/* R-P-57: an issuing CA below the root: its certificate goes with the LDevID */
static void a_domain_with_an_issuing_ca(void **state)
{
    const struct idv_cert_spec spec = {
        .kind = IDV_CERT_CA,
        .common_name = "Issuing",
    };
    (void)state;
    for (int pin = 0; pin < 2; pin++) {
        SCENE(s);
        struct pki_id ca = pki_issue(&pki, "P-256", &spec, &pki.domain_ca);
        STACK_OF(X509) *both = pki_stack(ca.cert, pki.domain_ca.cert);
        s.reg.issuer = &ca;
        s.reg.cacerts = both;
        if (pin)
            s.reg.pin = pki.registrar.cert;
        expect(&s, IDV_OK, WHOLE, ENROLLED);
        const struct idv_enrollment *e = idv_trust_enrollment(s.dev.trust);
        assert_int_equal(sk_X509_num(e->ldevid), 2);
        assert_int_equal(sk_X509_num(e->anchors), 1);
        fakedev_reopen(&s.dev, &pki);
        assert_int_equal(fakedev_state(&s.dev), ENROLLED);
        idv_certs_free(both);
        pki_id_free(&ca);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_answers_within_the_domain),
        cmocka_unit_test(answers_to_telemetry_are_ignored),
        cmocka_unit_test(csrattrs_are_obeyed),
        cmocka_unit_test(the_channel_is_bound),
        cmocka_unit_test(certificates_of_others),
        cmocka_unit_test(trust_anchors_of_others),
        cmocka_unit_test(a_domain_with_an_issuing_ca),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
