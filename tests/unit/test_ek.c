/* SPDX-License-Identifier: Apache-2.0 */
/* EK certificates and the vendors' roots: read, judged, refused by name. */
#include "codec.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <idevid/ek.h>
#include <idevid/x509.h>

#include "tests/lib/pki.h"
#include "tpm/public.h"

/* --- a vendor ------------------------------------------------------------- */

static struct {
    struct pki pki;
    struct pki_id root, ca, ek, other;
    struct idv_roots *roots;
} t;

static void add_ext(STACK_OF(X509_EXTENSION) * list, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(e);
    assert_true(sk_X509_EXTENSION_push(list, e) > 0);
}

/* a critical SAN with a directory name, as TCG wants it */
static X509_EXTENSION *tpm_san(void)
{
    static const struct {
        const char *oid, *text;
    } row[] = {{"2.23.133.2.1", "id:49465800"},
               {"2.23.133.2.2", "SLB9672"},
               {"2.23.133.2.3", "id:000F0014"}};
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    GENERAL_NAME *n = GENERAL_NAME_new();
    X509_NAME *dir = X509_NAME_new();
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(X509_NAME_add_entry_by_txt(
                             dir, row[i].oid, MBSTRING_UTF8,
                             (const unsigned char *)row[i].text, -1, -1, 0),
                         1);
    }
    n->type = GEN_DIRNAME;
    n->d.directoryName = dir;
    sk_GENERAL_NAME_push(names, n);
    X509_EXTENSION *e = X509V3_EXT_i2d(NID_subject_alt_name, 1, names);
    GENERAL_NAMES_free(names);
    assert_non_null(e);
    return e;
}

static struct pki_id make_ek(const char *eku, const struct pki_id *issuer,
                             int64_t not_after)
{
    STACK_OF(X509_EXTENSION) *extra = sk_X509_EXTENSION_new_null();
    if (eku)
        add_ext(extra, NID_ext_key_usage, eku);
    sk_X509_EXTENSION_push(extra, tpm_san());
    const struct idv_cert_spec spec = {.kind = IDV_CERT_LDEVID,
                                       .common_name = "TPM",
                                       .extra = extra,
                                       .not_before = PKI_NOW - PKI_DAY,
                                       .not_after = not_after};
    struct pki_id id = pki_issue(&t.pki, "P-256", &spec, issuer);
    sk_X509_EXTENSION_pop_free(extra, X509_EXTENSION_free);
    return id;
}

static struct pki_id make_ca(const char *name, enum idv_cert_kind kind,
                             const struct pki_id *issuer)
{
    const struct idv_cert_spec spec = {.kind = kind, .common_name = name};
    return pki_issue(&t.pki, "P-256", &spec, issuer);
}

static int setup(void **state)
{
    (void)state;
    pki_make(&t.pki);
    t.root = make_ca("Vendor Root", IDV_CERT_ROOT, NULL);
    t.ca = make_ca("Vendor EK CA", IDV_CERT_CA, &t.root);
    t.ek = make_ek("2.23.133.8.1", &t.ca, PKI_NOW + PKI_DAY);
    t.other = make_ek("2.23.133.8.1", &t.ca, PKI_NOW + PKI_DAY);
    IDV_AUTO_PTR(idv_certs) all = pki_stack(t.root.cert, t.ca.cert);
    OK(idv_roots_from_certs(all, &t.roots));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    idv_roots_free(t.roots);
    pki_id_free(&t.root);
    pki_id_free(&t.ca);
    pki_id_free(&t.ek);
    pki_id_free(&t.other);
    pki_free(&t.pki);
    return 0;
}

/* TPMT_PUBLIC of an EC key, as an EK of the low range has it */
static void public_of(const EVP_PKEY *key, struct idv_buf *out)
{
    static const uint8_t policy[32] = {0x83, 0x71};
    uint8_t point[65];
    size_t n;
    assert_int_equal(EVP_PKEY_get_octet_string_param(key, "encoded-pub-key",
                                                     point, sizeof(point), &n),
                     1);
    assert_int_equal(n, 65);
    const struct idvi_tpm_public p = {
        .type = IDVI_TPM_ECC,
        .name_alg = IDVI_TPM_SHA256,
        .attributes = IDVI_TPM_FIXED_TPM | IDVI_TPM_FIXED_PARENT |
                      IDVI_TPM_DATA_ORIGIN | IDVI_TPM_ADMIN_WITH_POLICY |
                      IDVI_TPM_RESTRICTED | IDVI_TPM_DECRYPT,
        .policy = idv_bytes(policy, sizeof(policy)),
        .symmetric = IDVI_TPM_AES,
        .sym_bits = 128,
        .sym_mode = IDVI_TPM_CFB,
        .scheme = IDVI_TPM_NULL,
        .curve = IDVI_TPM_P256,
        .x = idv_bytes(point + 1, 32),
        .y = idv_bytes(point + 33, 32),
    };
    OK(idvi_tpm_public_to_bytes(&p, out));
}

/* --- out of NV ------------------------------------------------------------ */

static void padded(void **state)
{
    static const char *const tails[] = {"", "\xff\xff\xff", "junk", "\x30\x82"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        IDV_AUTO(buf) nv = {0};
        IDV_AUTO_PTR(X509) cert = NULL;
        struct idv_ek_info info;
        OK(idv_cert_to_der(t.ek.cert, &nv));
        OK(idv_buf_puts(&nv, tails[i]));
        if (i == 0)
            OK(idv_buf_put(&nv, idv_bytes("\0\0\0\0", 4)));
        OK(idv_ek_cert_from_nv(idv_view(&nv), &cert, &info));
        assert_true(idv_cert_eq(cert, t.ek.cert));
        assert_int_equal(info.padding, i ? strlen(tails[i]) : 4);
    }
}

static void not_a_cert(void **state)
{
    IDV_AUTO(buf) nv = {0};
    X509 *cert = NULL;
    uint8_t junk[64] = {0};
    (void)state;
    OK(idv_cert_to_der(t.ek.cert, &nv));
    for (size_t n = 0; n < nv.n; n += n < 8 ? 1 : 37)
        FAILS(IDV_E_FORMAT, "EK certificate",
              idv_ek_cert_from_nv(idv_bytes(nv.p, n), &cert, NULL));
    FAILS(IDV_E_FORMAT, "64 bytes that are none",
          idv_ek_cert_from_nv(idv_bytes(junk, sizeof(junk)), &cert, NULL));
    memcpy(junk, "\x30\x80", 2); /* indefinite length */
    FAILS(IDV_E_FORMAT, "EK certificate",
          idv_ek_cert_from_nv(idv_bytes(junk, sizeof(junk)), &cert, NULL));
    memcpy(junk, "\x30\x03\x02\x01\x05", 5); /* DER, and no certificate */
    FAILS(IDV_E_FORMAT, "EK certificate",
          idv_ek_cert_from_nv(idv_bytes(junk, sizeof(junk)), &cert, NULL));
    assert_null(cert);
}

static void what_it_says(void **state)
{
    struct idv_ek_info info;
    IDV_AUTO(buf) pub = {0};
    char hw[256], expect[300];
    (void)state;
    OK(idv_ek_cert_info(t.ek.cert, &info));
    assert_string_equal(info.maker, "id:49465800");
    assert_string_equal(info.model, "SLB9672");
    assert_string_equal(info.version, "id:000F0014");
    assert_int_equal(strlen(info.aki), 40);
    public_of(t.ek.key, &pub);
    OK(idv_ek_hw_serial(t.ek.cert, idv_view(&pub), hw));
    snprintf(expect, sizeof(expect), "49465800:%s:%s", info.aki, info.serial);
    assert_string_equal(hw, expect);
}

static void without_certificate(void **state)
{
    IDV_AUTO(buf) pub = {0};
    IDV_AUTO(buf) hex = {0};
    uint8_t digest[32];
    char hw[256];
    (void)state;
    public_of(t.ek.key, &pub);
    OK(idv_ek_hw_serial(NULL, idv_view(&pub), hw));
    OK(idv_key_fingerprint(t.ek.key, digest));
    OK(idv_hex_from_bytes(idv_bytes(digest, 32), &hex));
    assert_string_equal(hw, (char *)hex.p);
}

static void whose_key(void **state)
{
    IDV_AUTO(buf) mine = {0};
    IDV_AUTO(buf) other = {0};
    (void)state;
    public_of(t.ek.key, &mine);
    public_of(t.other.key, &other);
    OK(idv_ek_cert_is_for(t.ek.cert, idv_view(&mine)));
    FAILS(IDV_E_REJECT, "for another endorsement key",
          idv_ek_cert_is_for(t.ek.cert, idv_view(&other)));
    FAILS(IDV_E_FORMAT, "", idv_ek_cert_is_for(t.ek.cert, idv_str("no key")));
}

/* --- the vendor ----------------------------------------------------------- */

static void chains(void **state)
{
    (void)state;
    OK(idv_ek_cert_verify(t.ek.cert, NULL, t.roots, true, PKI_NOW));
    struct pki_id plain = make_ek(NULL, &t.root, PKI_NOW + PKI_DAY);
    /* LDEVID's own EKU stands where none was given: another one */
    FAILS(IDV_E_REJECT, "extended key usage is another",
          idv_ek_cert_verify(plain.cert, NULL, t.roots, true, PKI_NOW));
    pki_id_free(&plain);
    FAILS(IDV_E_REJECT, "a CA's",
          idv_ek_cert_verify(t.ca.cert, NULL, t.roots, true, PKI_NOW));
}

static void expired(void **state)
{
    (void)state;
    FAILS(IDV_E_REJECT, "expired",
          idv_ek_cert_verify(t.ek.cert, NULL, t.roots, true,
                             PKI_NOW + 2 * PKI_DAY));
    OK(idv_ek_cert_verify(t.ek.cert, NULL, t.roots, false,
                          PKI_NOW + 2 * PKI_DAY));
}

static void intermediate_beside(void **state)
{
    IDV_AUTO_PTR(idv_certs) root = pki_stack(t.root.cert, NULL);
    IDV_AUTO_PTR(idv_certs) ca = pki_stack(t.ca.cert, NULL);
    struct idv_roots *only = NULL;
    (void)state;
    OK(idv_roots_from_certs(root, &only));
    FAILS(IDV_E_REJECT, "ask for the certificate of /CN=Vendor EK CA",
          idv_ek_cert_verify(t.ek.cert, NULL, only, true, PKI_NOW));
    OK(idv_ek_cert_verify(t.ek.cert, ca, only, true, PKI_NOW));
    idv_roots_free(only);
}

static void unknown_vendor(void **state)
{
    struct pki_id root = make_ca("Vendor Root", IDV_CERT_ROOT, NULL);
    struct pki_id far = make_ca("Far Root", IDV_CERT_ROOT, NULL);
    struct pki_id fake = make_ek("2.23.133.8.1", &root, PKI_NOW + PKI_DAY);
    struct pki_id alien = make_ek("2.23.133.8.1", &far, PKI_NOW + PKI_DAY);
    (void)state;
    /* of the same name, and yet not the same */
    FAILS(IDV_E_REJECT, "EK certificate: chain",
          idv_ek_cert_verify(fake.cert, NULL, t.roots, true, PKI_NOW));
    FAILS(IDV_E_REJECT,
          "no known vendor root: ask for the certificate of "
          "/CN=Far Root",
          idv_ek_cert_verify(alien.cert, NULL, t.roots, true, PKI_NOW));
    FAILS(IDV_E_REJECT, "no known vendor root",
          idv_ek_cert_verify(t.ek.cert, NULL, NULL, true, PKI_NOW));
    pki_id_free(&root);
    pki_id_free(&far);
    pki_id_free(&fake);
    pki_id_free(&alien);
}

/* --- the bundle ----------------------------------------------------------- */

static const char *const vendors[] = {"Vendor, 2026-11", "Vendor's site"};

static void bundle(uint64_t version, const struct pki_id *signer,
                   struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_certs) all = pki_stack(t.root.cert, t.ca.cert);
    OK(idv_roots_make(version, all, vendors, signer->key, signer->cert,
                      &t.pki.env.env, out));
}

static void round_trip(void **state)
{
    IDV_AUTO(buf) text = {0};
    struct idv_roots *r = NULL;
    (void)state;
    bundle(7, &t.pki.masa, &text);
    OK(idv_roots_open(idv_view(&text), t.pki.anchors, 7, &r));
    assert_int_equal(idv_roots_version(r), 7);
    assert_int_equal(idv_roots_count(r), 1);
    assert_int_equal(sk_X509_num(idv_roots_intermediates(r)), 1);
    OK(idv_ek_cert_verify(t.ek.cert, NULL, r, true, PKI_NOW));
    idv_roots_free(r);
}

static void older_or_foreign(void **state)
{
    IDV_AUTO(buf) text = {0};
    IDV_AUTO(buf) rogue = {0};
    struct idv_roots *r = NULL;
    (void)state;
    bundle(7, &t.pki.masa, &text);
    bundle(8, &t.pki.rogue_masa, &rogue);
    FAILS(IDV_E_REJECT, "version 7, and version 8 was used before",
          idv_roots_open(idv_view(&text), t.pki.anchors, 8, &r));
    FAILS(IDV_E_REJECT, "chain",
          idv_roots_open(idv_view(&rogue), t.pki.anchors, 0, &r));
    assert_null(r);
}

static void not_to_be_made(void **state)
{
    IDV_AUTO_PTR(idv_certs) leaf = pki_stack(t.root.cert, t.ek.cert);
    IDV_AUTO_PTR(idv_certs) no_root = pki_stack(t.ca.cert, NULL);
    IDV_AUTO(buf) out = {0};
    (void)state;
    FAILS(IDV_E_REJECT, "is no CA's",
          idv_roots_make(1, leaf, vendors, t.pki.masa.key, t.pki.masa.cert,
                         &t.pki.env.env, &out));
    FAILS(IDV_E_ARG, "no root among them",
          idv_roots_make(1, no_root, vendors, t.pki.masa.key, t.pki.masa.cert,
                         &t.pki.env.env, &out));
    FAILS(IDV_E_ARG, "version 0",
          idv_roots_make(0, leaf, vendors, t.pki.masa.key, t.pki.masa.cert,
                         &t.pki.env.env, &out));
    assert_int_equal(out.n, 0);
}

/* an altered bundle is refused, or says the same */
static void altered(void **state)
{
    IDV_AUTO(buf) text = {0};
    unsigned same = 0;
    (void)state;
    bundle(7, &t.pki.masa, &text);
    for (size_t i = 0; i < text.n; i += 3) {
        struct idv_roots *r = NULL;
        const uint8_t was = text.p[i];
        text.p[i] ^= (uint8_t)(1u << (i % 7));
        idv_note_clear();
        if (idv_roots_open(idv_view(&text), t.pki.anchors, 0, &r) == IDV_OK) {
            same++;
            assert_int_equal(idv_roots_version(r), 7);
            assert_true(idv_cert_eq(sk_X509_value(idv_roots_anchors(r), 0),
                                    t.root.cert));
        } else {
            assert_true(*idv_note());
        }
        idv_roots_free(r);
        text.p[i] = was;
    }
    idv_note_clear();
    assert_true(same < text.n / 10); /* blanks between members only */
}

static void cut(void **state)
{
    IDV_AUTO(buf) text = {0};
    struct idv_roots *r = NULL;
    (void)state;
    bundle(7, &t.pki.masa, &text);
    for (size_t n = 0; n + 1 < text.n; n += 13) {
        idv_note_clear();
        assert_true(idv_roots_open(idv_bytes(text.p, n), t.pki.anchors, 0,
                                   &r) != IDV_OK);
        assert_true(*idv_note());
        assert_null(r);
    }
    idv_note_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(padded),
        cmocka_unit_test(not_a_cert),
        cmocka_unit_test(what_it_says),
        cmocka_unit_test(without_certificate),
        cmocka_unit_test(whose_key),
        cmocka_unit_test(chains),
        cmocka_unit_test(expired),
        cmocka_unit_test(intermediate_beside),
        cmocka_unit_test(unknown_vendor),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(older_or_foreign),
        cmocka_unit_test(not_to_be_made),
        cmocka_unit_test(altered),
        cmocka_unit_test(cut),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
