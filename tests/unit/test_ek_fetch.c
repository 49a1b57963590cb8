/* SPDX-License-Identifier: Apache-2.0 */
/* EK certificates that are elsewhere: their URLs, and what comes back. */
#include "codec.h"

#include <idevid/codec.h>
#include <idevid/ek.h>
#include <idevid/x509.h>

#include "tests/lib/pki.h"
#include "tpm/public.h"

static struct {
    struct pki pki;
    struct pki_id ca;
    struct idv_buf der;
} t;

static int setup(void **state)
{
    (void)state;
    const struct idv_cert_spec spec = {.kind = IDV_CERT_ROOT,
                                       .common_name = "EK"};
    pki_make(&t.pki);
    t.ca = pki_issue(&t.pki, "P-256", &spec, NULL);
    OK(idv_cert_to_der(t.ca.cert, &t.der));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    idv_buf_free(&t.der);
    pki_id_free(&t.ca);
    pki_free(&t.pki);
    return 0;
}

/* --- URLs ----------------------------------------------------------------- */

/* the generator of P-256 */
static const uint8_t gx[] = {0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47,
                             0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
                             0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0,
                             0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96},
                     gy[] = {0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b,
                             0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16,
                             0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce,
                             0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};

static struct idvi_tpm_public an_ek(uint16_t type)
{
    return (struct idvi_tpm_public){
        .type = type,
        .name_alg = IDVI_TPM_SHA256,
        .attributes = IDVI_TPM_RESTRICTED | IDVI_TPM_DECRYPT,
        .symmetric = IDVI_TPM_AES,
        .sym_bits = 128,
        .sym_mode = IDVI_TPM_CFB,
        .scheme = IDVI_TPM_NULL,
    };
}

static void ecc(struct idv_buf *out)
{
    struct idvi_tpm_public p = an_ek(IDVI_TPM_ECC);
    p.curve = IDVI_TPM_P256;
    p.x = idv_bytes(gx, sizeof(gx));
    p.y = idv_bytes(gy, sizeof(gy));
    OK(idvi_tpm_public_to_bytes(&p, out));
}

static void rsa(uint32_t exponent, struct idv_buf *out)
{
    uint8_t modulus[256];
    struct idvi_tpm_public p = an_ek(IDVI_TPM_RSA);
    memset(modulus, 0xc1, sizeof(modulus));
    p.bits = 2048;
    p.exponent = exponent;
    p.modulus = idv_bytes(modulus, sizeof(modulus));
    OK(idvi_tpm_public_to_bytes(&p, out));
}

static void is_url(const struct idv_buf *ek, const char *template_,
                   const char *want)
{
    IDV_AUTO(buf) url = {0};
    OK(idv_ek_url(template_, idv_view(ek), &url));
    assert_string_equal((char *)url.p, want);
}

/* Digests computed by other means than these. */
static void vendors(void **state)
{
    (void)state;
    IDV_AUTO(buf) ec = {0};
    IDV_AUTO(buf) zero = {0};
    IDV_AUTO(buf) said = {0};
    ecc(&ec);
    rsa(0, &zero);
    rsa(65537, &said);
    is_url(&ec, IDV_EK_URL_INTEL,
           "https://ekop.intel.com/ekcertservice/"
           "2HXbfe8jIjauxzjGsLs-gBQvXQ_Y9N8k_tbu9cu1DZ8%3D");
    is_url(&ec, IDV_EK_URL_AMD,
           "https://ftpm.amd.com/pki/aia/c219640910f33a1bab03d226c217634c");
    is_url(&zero, "{intel}", "HU0uKxAquSK429kOimGfV8ltinQpzJGeOMcufe_p4e8%3D");
    is_url(&said, "{intel}", "HU0uKxAquSK429kOimGfV8ltinQpzJGeOMcufe_p4e8%3D");
    is_url(&zero, "{amd}", "0863d213cf1e867b0bb67120cb32c991");
    is_url(&said, "{amd}", "0863d213cf1e867b0bb67120cb32c991");
}

static void own_template(void **state)
{
    (void)state;
    IDV_AUTO(buf) ek = {0};
    ecc(&ek);
    is_url(&ek, "https://h/{sha256-hex16}?x={sha256}&",
           "https://h/5cd252fb0ce8932436faf8ccd1040981?x=5cd252fb0ce8932436faf8"
           "ccd1040981b89ee4ad6b9fe9e2a2b7e71aacb27cd3&");
    is_url(&ek, "https://h/plain", "https://h/plain");
    is_url(&ek, "", "");
}

static void refused_template(void **state)
{
    (void)state;
    char text[IDV_MAX_URL + 2];
    IDV_AUTO(buf) ek = {0};
    IDV_AUTO(buf) odd = {0};
    IDV_AUTO(buf) out = {0};
    ecc(&ek);
    rsa(3, &odd);
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    FAILS(IDV_E_ARG, "{serial}", idv_ek_url("{serial}", idv_view(&ek), &out));
    FAILS(IDV_E_ARG, "{}", idv_ek_url("a{}", idv_view(&ek), &out));
    FAILS(IDV_E_ARG, "not closed", idv_ek_url("a{amd", idv_view(&ek), &out));
    FAILS(IDV_E_LIMIT, "", idv_ek_url(text, idv_view(&ek), &out));
    FAILS(IDV_E_ARG, "exponent", idv_ek_url("{intel}", idv_view(&odd), &out));
    FAILS(IDV_E_FORMAT, "", idv_ek_url("x", idv_bytes("x", 1), &out));
    assert_int_equal(out.n, 0);
}

/* --- replies -------------------------------------------------------------- */

static void is_it(const struct idv_buf *body)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    OK(idv_ek_cert_from_reply(idv_view(body), &cert));
    assert_true(idv_cert_eq(cert, t.ca.cert));
}

static void plain_replies(void **state)
{
    (void)state;
    IDV_AUTO(buf) padded = {0};
    IDV_AUTO(buf) pem = {0};
    IDV_AUTO_PTR(idv_certs) certs = sk_X509_new_null();
    is_it(&t.der);
    OK(idv_buf_put(&padded, idv_view(&t.der)));
    OK(idv_buf_put(&padded, idv_bytes("\xff\xff\xff", 3)));
    is_it(&padded);
    X509_up_ref(t.ca.cert);
    sk_X509_push(certs, t.ca.cert);
    OK(idv_buf_puts(&pem, "\r\n"));
    OK(idv_certs_to_pem(certs, &pem));
    is_it(&pem);
}

/* As Intel writes it: the URL alphabet, padding escaped. */
static void intel_reply(void **state)
{
    (void)state;
    IDV_AUTO(buf) text = {0};
    IDV_AUTO(buf) json = {0};
    IDV_AUTO(buf) padded = {0};
    OK(idv_buf_put(&padded, idv_view(&t.der)));
    while (padded.n % 3 != 1)
        OK(idv_buf_put(&padded, idv_bytes("", 1)));
    OK(idv_base64_from_bytes(idv_view(&padded), 0, &text));
    OK(idv_buf_puts(&json, "{\"pubhash\":\"x\",\"certificate\":\""));
    for (size_t i = 0; i < text.n; i++) {
        const char c = (char)text.p[i];
        OK(idv_buf_putf(&json, "%.*s", c == '=' ? 3 : 1,
                        c == '='   ? "%3D"
                        : c == '+' ? "-"
                        : c == '/' ? "_"
                                   : &c));
    }
    assert_non_null(strstr((char *)json.p, "%3D%3D"));
    OK(idv_buf_puts(&json, "\"}"));
    is_it(&json);
}

static void junk_replies(void **state)
{
    (void)state;
    static const char *const junk[] = {
        "",
        "<html>no</html>",
        "{}",
        "{\"certificate\":1}",
        "{\"certificate\":\"%41\"}",
        "{\"certificate\":\"MA==\"}",
        "{",
        "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"};
    for (size_t i = 0; i < sizeof(junk) / sizeof(*junk); i++) {
        X509 *cert = NULL;
        FAILS(IDV_E_FORMAT, "",
              idv_ek_cert_from_reply(idv_str(junk[i]), &cert));
        assert_null(cert);
    }
    for (size_t n = 0; n < t.der.n; n++) {
        X509 *cert = NULL;
        FAILS(IDV_E_FORMAT, "",
              idv_ek_cert_from_reply(idv_bytes(t.der.p, n), &cert));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vendors),          cmocka_unit_test(own_template),
        cmocka_unit_test(refused_template), cmocka_unit_test(plain_replies),
        cmocka_unit_test(intel_reply),      cmocka_unit_test(junk_replies),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
