/* SPDX-License-Identifier: Apache-2.0 */
/* OCSP responses that show a certificate good, and all that do not. */
#include "codec.h"

#include "tests/unit/staple.h"

static struct pki pki;

static int setup(void **state)
{
    (void)state;
    pki_make(&pki);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pki_free(&pki);
    return 0;
}

static idv_rc check(struct idv_bytes der, bool clock, int64_t now,
                    bool *revoked)
{
    *revoked = true;
    idv_note_clear();
    return idv_ocsp_check(der, pki.registrar.cert, pki.domain_ca.cert, clock,
                          now, revoked);
}

/* of s: with a clock, and without one */
static void expect(const struct staple *s, bool with, bool without)
{
    IDV_AUTO(buf) der = {0};
    bool revoked;
    staple_make(s, &der);
    for (int clock = 0; clock < 2; clock++) {
        idv_rc rc = check(idv_view(&der), clock, PKI_NOW, &revoked);
        if (rc != ((clock ? with : without) ? IDV_OK : IDV_E_REJECT))
            fail_msg("%s clock: %s", clock ? "with" : "without", idv_note());
        assert_int_equal(revoked, s->status == V_OCSP_CERTSTATUS_REVOKED &&
                                      s->cert == pki.registrar.cert);
        assert_int_equal(idv_note()[0] == 0, rc == IDV_OK);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void good(void **state)
{
    struct staple s = staple_good(&pki);
    (void)state;
    expect(&s, true, true);
    s.names = EVP_sha256();
    s.digest = EVP_sha384();
    expect(&s, true, true);
}

static void other_status(void **state)
{
    struct staple s = staple_good(&pki);
    (void)state;
    s.status = V_OCSP_CERTSTATUS_UNKNOWN;
    expect(&s, false, false);
    s.status = V_OCSP_CERTSTATUS_REVOKED;
    expect(&s, false, false);
    s.until = PKI_NOW - PKI_DAY; /* not good again for that */
    expect(&s, false, false);
}

static void other_certificate(void **state)
{
    struct staple s = staple_good(&pki);
    struct idv_cert_spec sibling = {.kind = IDV_CERT_REGISTRAR,
                                    .common_name = "sibling"};
    struct pki_id other = pki_issue(&pki, "P-256", &sibling, &pki.domain_ca);
    (void)state;
    s.cert = other.cert;
    expect(&s, false, false);
    s.status = V_OCSP_CERTSTATUS_REVOKED;
    expect(&s, false, false);
    /* the number is the same, the issuer is not */
    s = staple_good(&pki);
    s.issuer = pki.rogue_ca.cert;
    expect(&s, false, false);
    pki_id_free(&other);
}

/* one response with several answers: revoked outweighs good */
static void several(void **state)
{
    struct idv_cert_spec sibling = {.kind = IDV_CERT_REGISTRAR,
                                    .common_name = "sibling"};
    struct pki_id other = pki_issue(&pki, "P-256", &sibling, &pki.domain_ca);
    (void)state;
    for (int last = 0; last < 2; last++) {
        IDV_AUTO(buf) der = {0};
        OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
        struct staple s = staple_good(&pki), t = s;
        bool revoked;
        t.cert = other.cert;
        t.status = V_OCSP_CERTSTATUS_REVOKED;
        staple_answer(basic, &t);
        staple_answer(basic, &s);
        s.until = PKI_NOW - 1;
        staple_answer(basic, &s);
        t.cert = pki.registrar.cert;
        if (last)
            staple_answer(basic, &t);
        staple_seal(basic, &s, &der);
        assert_int_equal(check(idv_view(&der), true, PKI_NOW, &revoked),
                         last ? IDV_E_REJECT : IDV_OK);
        assert_int_equal(revoked, last);
    }
    pki_id_free(&other);
}

/* whoever else signs, its word of revocation does not count either */
static void not_said_by(const struct pki_id *by, bool clock_only)
{
    struct staple s = staple_good(&pki);
    bool revoked;
    s.by = by;
    expect(&s, false, clock_only);
    if (clock_only)
        return;
    IDV_AUTO(buf) der = {0};
    s.status = V_OCSP_CERTSTATUS_REVOKED;
    staple_make(&s, &der);
    FAILS(IDV_E_REJECT, "OCSP", check(idv_view(&der), true, PKI_NOW, &revoked));
    assert_false(revoked);
}

static void other_signer(void **state)
{
    struct pki_id same_name = {.key = pki.rogue_ca.key};
    (void)state;
    not_said_by(&pki.rogue_ca, false);
    not_said_by(&pki.registrar, false);
    /* the issuer's very certificate but for the key */
    same_name.cert = X509_dup(pki.domain_ca.cert);
    X509_set_pubkey(same_name.cert, same_name.key);
    assert_true(X509_sign(same_name.cert, same_name.key, EVP_sha256()) > 0);
    not_said_by(&same_name, false);
    X509_free(same_name.cert);
}

static struct pki_id delegate(const char *purpose, int64_t until,
                              const struct pki_id *by)
{
    const char *const purposes[] = {purpose, NULL};
    struct idv_cert_spec spec = {.kind = IDV_CERT_SIGNER,
                                 .common_name = "responder",
                                 .purposes = purpose ? purposes : NULL,
                                 .not_before = PKI_NOW - PKI_DAY,
                                 .not_after = until};
    return pki_issue(&pki, "P-256", &spec, by);
}

static void delegates(void **state)
{
    static const char purpose[] = IDV_OID_OCSP_SIGNING;
    const int64_t end = PKI_NOW + PKI_DAY;
    struct staple s = staple_good(&pki);
    struct pki_id made = delegate(purpose, end, &pki.domain_ca);
    struct pki_id plain = delegate(NULL, end, &pki.domain_ca);
    struct pki_id other = delegate(IDV_OID_CMC_RA, end, &pki.domain_ca);
    struct pki_id rogue = delegate(purpose, end, &pki.rogue_ca);
    struct pki_id old = delegate(purpose, PKI_NOW - 1, &pki.domain_ca);
    (void)state;
    s.by = &made;
    expect(&s, true, true);
    s.status = V_OCSP_CERTSTATUS_REVOKED;
    expect(&s, false, false);
    not_said_by(&plain, false);
    not_said_by(&other, false);
    not_said_by(&rogue, false);
    not_said_by(&old, true);
    pki_id_free(&made);
    pki_id_free(&plain);
    pki_id_free(&other);
    pki_id_free(&rogue);
    pki_id_free(&old);
}

/* a registrar that its CA made a responder, for whatever reason */
static void own_word(void **state)
{
    static const char *const purposes[] = {IDV_OID_OCSP_SIGNING, NULL};
    struct idv_cert_spec spec = {.kind = IDV_CERT_REGISTRAR,
                                 .common_name = "both",
                                 .purposes = purposes};
    struct pki_id both = pki_issue(&pki, "P-256", &spec, &pki.domain_ca);
    struct staple s = staple_good(&pki);
    IDV_AUTO(buf) der = {0};
    bool revoked;
    (void)state;
    s.by = &both;
    expect(&s, true, true);
    s.cert = both.cert;
    staple_make(&s, &der);
    FAILS(IDV_E_REJECT, "itself",
          idv_ocsp_check(idv_view(&der), both.cert, pki.domain_ca.cert, false,
                         0, &revoked));
    pki_id_free(&both);
}

static void weak_digest(void **state)
{
    struct staple s = staple_good(&pki);
    (void)state;
    s.digest = EVP_sha1();
    expect(&s, false, false);
}

static void times(void **state)
{
    struct staple s = staple_good(&pki);
    (void)state;
    s.until = PKI_NOW;
    expect(&s, true, true);
    s.until = PKI_NOW - 1;
    expect(&s, false, true);
    s.until = 0; /* says nothing: for a day */
    s.from = PKI_NOW - PKI_DAY;
    expect(&s, true, true);
    s.from--;
    expect(&s, false, true);
    s.until = PKI_NOW + 2 * PKI_DAY;
    s.from = PKI_NOW + 600; /* its clock may be ahead */
    expect(&s, true, true);
    s.from++;
    expect(&s, false, true);
}

static void critical_extensions(void **state)
{
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *ext =
        X509_EXTENSION_create_by_NID(NULL, NID_netscape_comment, 1, value);
    (void)state;
    for (int where = 0; where < 2; where++) {
        IDV_AUTO(buf) der = {0};
        struct staple s = staple_good(&pki);
        OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
        bool revoked;
        staple_answer(basic, &s);
        assert_int_equal(
            where ? OCSP_BASICRESP_add_ext(basic, ext, -1)
                  : OCSP_SINGLERESP_add_ext(OCSP_resp_get0(basic, 0), ext, -1),
            1);
        staple_seal(basic, &s, &der);
        FAILS(IDV_E_REJECT, "critical",
              check(idv_view(&der), false, 0, &revoked));
    }
    X509_EXTENSION_free(ext);
    ASN1_OCTET_STRING_free(value);
}

/* each prefix, each bit, more behind, nothing, no answer, too large */
static void garbage(void **state)
{
    struct staple s = staple_good(&pki);
    IDV_AUTO(buf) der = {0};
    bool revoked;
    (void)state;
    staple_make(&s, &der);
    for (size_t n = 0; n < der.n; n++)
        FAILS(IDV_E_REJECT, "OCSP",
              check(idv_bytes(der.p, n), false, 0, &revoked));
    for (size_t i = 0; i < der.n * 8; i += 7) {
        der.p[i / 8] ^= (uint8_t)(1u << i % 8);
        (void)!check(idv_view(&der), true, PKI_NOW, &revoked);
        assert_false(revoked);
        assert_int_equal(ERR_peek_error(), 0);
        der.p[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    assert_int_equal(check(idv_view(&der), true, PKI_NOW, &revoked), IDV_OK);
    OK(idv_buf_puts(&der, "x"));
    FAILS(IDV_E_REJECT, "OCSP", check(idv_view(&der), false, 0, &revoked));
    FAILS(IDV_E_REJECT, "trylater",
          check(idv_bytes("\x30\x03\x0a\x01\x03", 5), false, 0, &revoked));
    uint8_t *large = test_calloc(1, IDV_MAX_STAPLE + 1);
    FAILS(IDV_E_REJECT, "OCSP",
          check(idv_bytes(large, IDV_MAX_STAPLE), false, 0, &revoked));
    FAILS(IDV_E_LIMIT, "OCSP",
          check(idv_bytes(large, IDV_MAX_STAPLE + 1), false, 0, &revoked));
    test_free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good),
        cmocka_unit_test(other_status),
        cmocka_unit_test(other_certificate),
        cmocka_unit_test(several),
        cmocka_unit_test(other_signer),
        cmocka_unit_test(delegates),
        cmocka_unit_test(own_word),
        cmocka_unit_test(weak_digest),
        cmocka_unit_test(times),
        cmocka_unit_test(critical_extensions),
        cmocka_unit_test(garbage),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
