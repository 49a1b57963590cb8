/* SPDX-License-Identifier: Apache-2.0 */
/* Public areas, signatures and attestations as bytes: written out by hand, read
 * and written again; cut, altered, of other kinds; and what is believed. */
#include "tests/unit/tpm_forms.h"

#include "tpm/attest.h"
#include "tpm/wire.h"

/* --- public areas --- */

/* an EK of the low range, P-256; the generator of the curve as its point */
#define GX "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
#define GY "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
#define POLICY_A                                                               \
    "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
static const char ek_p256[] = "0023000b000300b2" /* ECC SHA-256 bits */
                              "0020" POLICY_A    /* authPolicy */
                              "000600800043"     /* AES 128 CFB */
                              "0010"             /* no scheme */
                              "0003"             /* P-256 */
                              "0010"             /* no derivation */
                              "0020" GX "0020" GY;

static void as_written_by_hand(void **state)
{
    struct idvi_tpm_public p;
    IDV_AUTO(buf) raw = {0};
    IDV_AUTO(buf) back = {0};
    IDV_AUTO(buf) gx = {0};
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    (void)state;
    form_unhex(ek_p256, &raw);
    form_unhex(GX, &gx);
    OK(idvi_tpm_public_from_bytes(idv_view(&raw), &p));
    assert_int_equal(p.type, IDVI_TPM_ECC);
    assert_int_equal(p.name_alg, IDVI_TPM_SHA256);
    assert_int_equal(p.attributes, 0x000300b2);
    assert_int_equal(p.policy.n, 32);
    assert_int_equal(p.symmetric, IDVI_TPM_AES);
    assert_int_equal(p.sym_bits, 128);
    assert_int_equal(p.sym_mode, IDVI_TPM_CFB);
    assert_int_equal(p.scheme, IDVI_TPM_NULL);
    assert_int_equal(p.curve, IDVI_TPM_P256);
    assert_true(idv_bytes_eq(p.x, idv_view(&gx)));
    OK(idvi_tpm_public_to_bytes(&p, &back));
    assert_true(idv_bytes_eq(idv_view(&back), idv_view(&raw)));
    OK(idvi_tpm_public_to_key(&p, &key));
    assert_true(idvi_tpm_public_is(&p, key));
}

static void there_and_back(void **state)
{
    static const char *const types[] = {"P-256", "P-384", "P-521", "RSA-2048"};
    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        for (int what = IDVI_DEVID_EK; what <= IDVI_DEVID_IDEVID; what++) {
            struct idvi_tpm_public p;
            struct form f;
            IDV_AUTO(buf) back = {0};
            IDV_AUTO_PTR(EVP_PKEY) key = NULL;
            form_make(&f, (enum idvi_devid)what, types[i], false);
            OK(idvi_tpm_public_from_bytes(idv_view(&f.raw), &p));
            OK(idvi_tpm_public_to_bytes(&p, &back));
            assert_true(idv_bytes_eq(idv_view(&back), idv_view(&f.raw)));
            OK(idvi_tpm_public_to_key(&p, &key));
            assert_int_equal(EVP_PKEY_eq(key, f.key), 1);
            assert_true(idvi_tpm_public_is(&p, f.key));
            form_free(&f);
        }
}

static void not_another_key(void **state)
{
    static const char *const types[] = {"P-256", "P-256", "P-384", "RSA-2048",
                                        "RSA-2048"};
    enum { N = sizeof(types) / sizeof(*types) };
    struct form f[N];
    (void)state;
    for (size_t i = 0; i < N; i++)
        form_make(&f[i], IDVI_DEVID_IAK, types[i], false);
    form_other_rsa(&f[N - 1]);
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < N; k++)
            assert_int_equal(idvi_tpm_public_is(&f[i].p, f[k].key), i == k);
    for (size_t i = 0; i < N; i++)
        form_free(&f[i]);
}

static void cut_anywhere(void **state)
{
    static const char *const types[] = {"P-256", "RSA-2048"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct idvi_tpm_public p;
        struct form f;
        form_make(&f, IDVI_DEVID_EK, types[i], true);
        for (size_t n = 0; n < f.raw.n; n++) {
            uint8_t *copy = malloc(n + 1);
            memcpy(copy, f.raw.p, n);
            FAILS(IDV_E_FORMAT, "public area: ",
                  idvi_tpm_public_from_bytes(idv_bytes(copy, n), &p));
            free(copy);
        }
        OK(idv_buf_put(&f.raw, idv_str("!")));
        FAILS(IDV_E_FORMAT, "public area: bytes after it",
              idvi_tpm_public_from_bytes(idv_view(&f.raw), &p));
        form_free(&f);
    }
}

/* one word of the area above, another one in its place */
static void other_words(void **state)
{
    static const struct {
        size_t at;
        const char *v, *says;
    } wrong[] = {
        {0, "0008", "neither RSA nor ECC"},
        {2, "0004", "Names by 0x0004"},
        {8, "001f", "authPolicy of 31 bytes"},
        {42, "0013", "symmetric algorithm 0x0013 is unknown"},
        {48, "0019", "scheme 0x0019 is unknown"},
        {52, "0020", "a derivation 0x0020"},
        {54, "0021", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct idvi_tpm_public p;
        IDV_AUTO(buf) raw = {0};
        IDV_AUTO(buf) v = {0};
        form_unhex(ek_p256, &raw);
        form_unhex(wrong[i].v, &v);
        memcpy(raw.p + wrong[i].at, v.p, v.n);
        FAILS(IDV_E_FORMAT, wrong[i].says,
              idvi_tpm_public_from_bytes(idv_view(&raw), &p));
    }
}

static void no_key(const struct form *f, const char *says)
{
    EVP_PKEY *key = NULL;
    FAILS(IDV_E_FORMAT, says, idvi_tpm_public_to_key(&f->p, &key));
    assert_null(key);
}

static void keys_that_are_none(void **state)
{
    struct form f;
    struct idvi_tpm_public was;
    (void)state;
    form_make(&f, IDVI_DEVID_IAK, "P-256", false);
    was = f.p;
    f.b[31] ^= 1;
    no_key(&f, "not on its curve");
    f.b[31] ^= 1;
    f.p.x.n = 0;
    no_key(&f, "not on its curve");
    f.p = was;
    f.p.y.n = 67;
    no_key(&f, "not on its curve");
    f.p = was;
    f.p.curve = 0x0020;
    no_key(&f, "on the curve 0x0020");
    form_free(&f);
    form_make(&f, IDVI_DEVID_IAK, "RSA-2048", false);
    f.p.exponent = 4;
    no_key(&f, "the exponent is 4");
    f.p.exponent = 0;
    f.a[255] ^= 1;
    no_key(&f, "no modulus of 2048 bits");
    f.a[255] ^= 1;
    f.a[0] ^= 0x80;
    no_key(&f, "no modulus of 2048 bits");
    f.a[0] ^= 0x80;
    f.p.bits = 2040;
    no_key(&f, "no modulus of 2040 bits");
    form_free(&f);
}

/* leading zeros of a coordinate may be left out; a size may be in front */
static void other_ways_to_say_it(void **state)
{
    static const uint8_t zeros[34];
    struct form f;
    bool sized = true;
    IDV_AUTO(buf) b = {0};
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    (void)state;
    form_make(&f, IDVI_DEVID_IAK, "P-521", false);
    struct idv_bytes bare = idv_view(&f.raw);
    assert_true(idv_bytes_eq(idvi_tpm_public_unsized(bare, &sized), bare));
    assert_false(sized);
    OK(idvi_wire_put_sized(&b, bare));
    assert_true(
        idv_bytes_eq(idvi_tpm_public_unsized(idv_view(&b), &sized), bare));
    assert_true(sized);
    idvi_tpm_public_unsized(idv_bytes(zeros, 2), &sized);
    assert_false(sized);
    while (f.p.x.n && f.p.x.p[0] == 0)
        f.p.x = idv_bytes(f.p.x.p + 1, f.p.x.n - 1);
    OK(idvi_tpm_public_to_key(&f.p, &key));
    assert_int_equal(EVP_PKEY_eq(key, f.key), 1);
    form_free(&f);
}

/* --- signatures --- */

static void signature_by_hand(void **state)
{
    struct idvi_tpm_signature s;
    IDV_AUTO(buf) raw = {0};
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) want = {0};
    (void)state;
    form_unhex("0018000b00030080ff000201ff", &raw);
    OK(idvi_tpm_signature_from_bytes(idv_view(&raw), &s));
    assert_int_equal(s.scheme, IDVI_TPM_ECDSA);
    assert_int_equal(s.hash, IDVI_TPM_SHA256);
    OK(idvi_tpm_signature_to_evp(&s, &der));
    form_unhex("3009"
               "02030080ff"
               "020201ff",
               &want);
    assert_true(idv_bytes_eq(idv_view(&der), idv_view(&want)));
    for (size_t n = 0; n < raw.n; n++)
        FAILS(IDV_E_FORMAT, "signature: ",
              idvi_tpm_signature_from_bytes(idv_bytes(raw.p, n), &s));
    OK(idv_buf_put(&raw, idv_str("!")));
    FAILS(IDV_E_FORMAT, "bytes after it",
          idvi_tpm_signature_from_bytes(idv_view(&raw), &s));
}

static void no_signatures(void **state)
{
    static const struct {
        const char *hex, *says;
    } wrong[] = {
        {"0005000b0000", "scheme 0x0005 is unknown"},
        {"0014000400024141", "hash 0x0004 is unknown"},
        {"0010", "scheme 0x0010"},
    };
    struct idvi_tpm_signature s;
    IDV_AUTO(buf) longer = {0};
    uint8_t *p = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        IDV_AUTO(buf) raw = {0};
        form_unhex(wrong[i].hex, &raw);
        FAILS(IDV_E_FORMAT, wrong[i].says,
              idvi_tpm_signature_from_bytes(idv_view(&raw), &s));
    }
    form_unhex("0018000b0043", &longer);
    OK(idv_buf_room(&longer, 67 + 2, &p));
    longer.n += 67 + 2;
    FAILS(IDV_E_FORMAT, "longer than any curve's",
          idvi_tpm_signature_from_bytes(idv_view(&longer), &s));
}

static void tpm_signature(const struct form *f, struct idv_bytes message,
                          struct idv_buf *out)
{
    IDV_AUTO(buf) sig = {0};
    form_sign(f, f->p.name_alg, f->p.scheme == IDVI_TPM_RSAPSS, message, &sig);
    OK(idvi_tpm_signature_to_bytes(&f->p, idv_view(&sig), out));
}

static void verified(const char *type, uint16_t scheme)
{
    struct form f, other;
    struct idvi_tpm_signature s;
    IDV_AUTO(buf) raw = {0};
    form_make(&f, IDVI_DEVID_IAK, type, false);
    form_make(&other, IDVI_DEVID_IAK, type, false);
    if (other.p.type == IDVI_TPM_RSA)
        form_other_rsa(&other);
    f.p.scheme = other.p.scheme = scheme;
    f.p.hash = other.p.hash = scheme == IDVI_TPM_NULL ? 0 : f.p.name_alg;
    tpm_signature(&f, idv_str("message"), &raw);
    OK(idvi_tpm_signature_from_bytes(idv_view(&raw), &s));
    OK(idvi_tpm_signature_verify(&s, &f.p, idv_str("message")));
    FAILS(IDV_E_REJECT, "not the key's",
          idvi_tpm_signature_verify(&s, &f.p, idv_str("massage")));
    FAILS(IDV_E_REJECT, "not the key's",
          idvi_tpm_signature_verify(&s, &other.p, idv_str("message")));
    s.hash = s.hash == IDVI_TPM_SHA512 ? IDVI_TPM_SHA256 : IDVI_TPM_SHA512;
    FAILS(IDV_E_REJECT, "not the key's",
          idvi_tpm_signature_verify(&s, &f.p, idv_str("message")));
    form_free(&f);
    form_free(&other);
}

static void signatures(void **state)
{
    (void)state;
    verified("P-256", IDVI_TPM_ECDSA);
    verified("P-384", IDVI_TPM_ECDSA);
    verified("P-521", IDVI_TPM_NULL);
    verified("RSA-2048", IDVI_TPM_RSASSA);
    verified("RSA-2048", IDVI_TPM_RSAPSS);
    verified("RSA-2048", IDVI_TPM_NULL);
}

static void by_another_scheme(void **state)
{
    struct form f;
    struct idvi_tpm_signature s;
    IDV_AUTO(buf) raw = {0};
    IDV_AUTO(buf) weak = {0};
    (void)state;
    form_make(&f, IDVI_DEVID_IAK, "RSA-2048", false);
    tpm_signature(&f, idv_str("message"), &raw);
    OK(idvi_tpm_signature_from_bytes(idv_view(&raw), &s));
    f.p.scheme = IDVI_TPM_RSAPSS;
    FAILS(IDV_E_REJECT, "scheme 0x0014 with hash 0x000b is not the key's",
          idvi_tpm_signature_verify(&s, &f.p, idv_str("message")));
    f.p.scheme = IDVI_TPM_RSASSA;
    s.scheme = IDVI_TPM_ECDSA;
    FAILS(IDV_E_REJECT, "scheme 0x0018",
          idvi_tpm_signature_verify(&s, &f.p, idv_str("message")));
    form_free(&f);
    form_make(&f, IDVI_DEVID_IAK, "RSA-1024", false);
    tpm_signature(&f, idv_str("message"), &weak);
    OK(idvi_tpm_signature_from_bytes(idv_view(&weak), &s));
    FAILS(IDV_E_REJECT, "by RSA of 1024 bits",
          idvi_tpm_signature_verify(&s, &f.p, idv_str("message")));
    form_free(&f);
}

/* --- attestations --- */

#define NAME "000b" POLICY_A
static const char certify[] = "ff544347"         /* TPM_GENERATED */
                              "8017"             /* certify */
                              "0022" NAME        /* signer */
                              "00036e6f6e"       /* extraData "non" */
                              "0000000000000102" /* clock */
                              "00000003"
                              "00000004"         /* resets, restarts */
                              "01"               /* safe */
                              "0000000000000005" /* firmware */
                              "0022" NAME        /* name */
                              "0022" NAME;       /* qualified */

static void attestation_by_hand(void **state)
{
    struct idvi_attest a;
    IDV_AUTO(buf) raw = {0};
    (void)state;
    form_unhex(certify, &raw);
    OK(idvi_attest_from_bytes(idv_view(&raw), IDVI_ATTEST_CERTIFY, &a));
    assert_int_equal(a.type, IDVI_ATTEST_CERTIFY);
    assert_true(idv_bytes_eq(a.extra, idv_str("non")));
    assert_int_equal(a.clock, 0x102);
    assert_int_equal(a.resets, 3);
    assert_int_equal(a.restarts, 4);
    assert_int_equal(a.firmware, 5);
    assert_true(a.safe);
    assert_ptr_equal(a.name.p, raw.p + raw.n - 34 - 36);
    assert_ptr_equal(a.qualified.p, raw.p + raw.n - 34);
    FAILS(IDV_E_FORMAT, "of type 0x8017, not of an NV index",
          idvi_attest_from_bytes(idv_view(&raw), IDVI_ATTEST_NV, &a));
    raw.p[5] = 0x1a; /* of a creation: what was a Name is too long for a hash */
    OK(idvi_attest_from_bytes(idv_view(&raw),
                              IDVI_ATTEST_CERTIFY | IDVI_ATTEST_CREATION, &a));
    assert_int_equal(a.type, IDVI_ATTEST_CREATION);
    assert_int_equal(a.creation.n, 34);
    FAILS(IDV_E_FORMAT, "of type 0x801a, not of a key",
          idvi_attest_from_bytes(idv_view(&raw), IDVI_ATTEST_CERTIFY, &a));
}

static void attestation_cut(void **state)
{
    static const uint8_t types[] = {0x17, 0x1a};
    (void)state;
    for (size_t i = 0; i < sizeof(types); i++) {
        struct idvi_attest a;
        IDV_AUTO(buf) raw = {0};
        form_unhex(certify, &raw);
        raw.p[5] = types[i];
        for (size_t n = 0; n < raw.n; n++) {
            uint8_t *copy = malloc(n + 1);
            memcpy(copy, raw.p, n);
            FAILS(IDV_E_FORMAT, "attestation: ",
                  idvi_attest_from_bytes(idv_bytes(copy, n), 7, &a));
            free(copy);
        }
        OK(idv_buf_put(&raw, idv_str("!")));
        FAILS(IDV_E_FORMAT, "bytes after it",
              idvi_attest_from_bytes(idv_view(&raw), 7, &a));
    }
}

static void no_attestations(void **state)
{
    static const struct {
        size_t at;
        uint8_t v;
        const char *says;
    } wrong[] = {
        {0, 0xfe, "not made by a TPM"},
        {5, 0x18, "of type 0x8018"},
        {9, 0x04, "its signer's Name is none"},
        {63, 0x02, "neither safe nor unsafe"},
        {75, 0x04, "its key's Name is none"},
        {111, 0x04, "its key's qualified Name is none"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct idvi_attest a;
        IDV_AUTO(buf) raw = {0};
        form_unhex(certify, &raw);
        raw.p[wrong[i].at] = wrong[i].v;
        FAILS(IDV_E_FORMAT, wrong[i].says,
              idvi_attest_from_bytes(idv_view(&raw), 7, &a));
    }
}

/* --- what is believed --- */

static void put(struct idv_buf *out, const char *hex)
{
    form_unhex(hex, out);
}

/* as a TPM says it of key, by: its qualified Name in that hierarchy */
static void say(const struct form *key, const struct form *by,
                uint32_t key_under, uint32_t by_under, struct idv_buf *out)
{
    IDV_AUTO(buf) name = {0};
    IDV_AUTO(buf) qualified = {0};
    IDV_AUTO(buf) signer = {0};
    OK(idvi_tpm_public_name(&key->p, &name));
    OK(idvi_tpm_public_qualified(&key->p, key_under, &qualified));
    OK(idvi_tpm_public_qualified(&by->p, by_under, &signer));
    put(out, "ff5443478017");
    OK(idvi_wire_put_sized(out, idv_view(&signer)));
    OK(idvi_wire_put_sized(out, idv_str("nonce")));
    put(out, "00000000000000000000000000000000010000000000000000");
    OK(idvi_wire_put_sized(out, idv_view(&name)));
    OK(idvi_wire_put_sized(out, idv_view(&qualified)));
}

static const uint32_t endorsement = IDVI_TPM_RH_ENDORSEMENT;

/* what is wrong with it when all else is right */
static void judged(const struct form *key, const struct form *by,
                   uint32_t key_under, uint32_t by_under, const char *nonce,
                   const struct form *signer, enum idvi_attest_fault want)
{
    struct idvi_attest out;
    enum idvi_attest_fault fault;
    IDV_AUTO(buf) attest = {0};
    IDV_AUTO(buf) sig = {0};
    say(key, by, key_under, by_under, &attest);
    tpm_signature(signer, idv_view(&attest), &sig);
    idv_note_clear();
    idv_rc rc = idvi_attest_check(idv_view(&attest), idv_view(&sig),
                                  IDVI_ATTEST_CERTIFY, &key->p, &by->p,
                                  idv_str(nonce), &out, &fault);
    assert_int_equal(fault, want);
    assert_int_equal(rc, want == IDVI_ATTEST_SOUND ? IDV_OK : IDV_E_REJECT);
    assert_int_equal(*idv_note() != 0, want != IDVI_ATTEST_SOUND);
    idv_note_clear();
}

static void what_is_believed(void **state)
{
    struct form key, other, by, another;
    (void)state;
    form_make(&key, IDVI_DEVID_IDEVID, "P-256", false);
    form_make(&other, IDVI_DEVID_IDEVID, "P-256", false);
    form_make(&by, IDVI_DEVID_IAK, "P-384", false);
    form_make(&another, IDVI_DEVID_IAK, "P-384", false);
    judged(&key, &by, endorsement, endorsement, "nonce", &by,
           IDVI_ATTEST_SOUND);
    judged(&key, &by, endorsement, endorsement, "other", &by,
           IDVI_ATTEST_OTHER_NONCE);
    judged(&key, &by, IDVI_TPM_RH_OWNER, endorsement, "nonce", &by,
           IDVI_ATTEST_OTHER_KEY);
    judged(&key, &by, endorsement, IDVI_TPM_RH_NULL, "nonce", &by,
           IDVI_ATTEST_OTHER_SIGNER);
    judged(&key, &by, endorsement, endorsement, "nonce", &another,
           IDVI_ATTEST_SIGNATURE);
    form_free(&key);
    form_free(&other);
    form_free(&by);
    form_free(&another);
}

static void of_another_key_or_no_nonce(void **state)
{
    struct form key, other, by;
    enum idvi_attest_fault fault;
    IDV_AUTO(buf) attest = {0};
    IDV_AUTO(buf) sig = {0};
    (void)state;
    form_make(&key, IDVI_DEVID_IDEVID, "P-256", false);
    form_make(&other, IDVI_DEVID_IDEVID, "P-256", false);
    form_make(&by, IDVI_DEVID_IAK, "P-256", false);
    say(&key, &by, endorsement, endorsement, &attest);
    tpm_signature(&by, idv_view(&attest), &sig);
    FAILS(IDV_E_REJECT, "of another key",
          idvi_attest_check(idv_view(&attest), idv_view(&sig),
                            IDVI_ATTEST_CERTIFY, &other.p, &by.p,
                            idv_str("nonce"), NULL, &fault));
    assert_int_equal(fault, IDVI_ATTEST_OTHER_KEY);
    FAILS(IDV_E_ARG, "no nonce",
          idvi_attest_check(idv_view(&attest), idv_view(&sig),
                            IDVI_ATTEST_CERTIFY, &key.p, &by.p, idv_str(""),
                            NULL, NULL));
    FAILS(IDV_E_FORMAT, "signature: ",
          idvi_attest_check(idv_view(&attest), idv_str("none"),
                            IDVI_ATTEST_CERTIFY, &key.p, &by.p,
                            idv_str("nonce"), NULL, &fault));
    assert_int_equal(fault, IDVI_ATTEST_MALFORMED);
    form_free(&key);
    form_free(&other);
    form_free(&by);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_written_by_hand),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(not_another_key),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(other_words),
        cmocka_unit_test(keys_that_are_none),
        cmocka_unit_test(other_ways_to_say_it),
        cmocka_unit_test(signature_by_hand),
        cmocka_unit_test(no_signatures),
        cmocka_unit_test(signatures),
        cmocka_unit_test(by_another_scheme),
        cmocka_unit_test(attestation_by_hand),
        cmocka_unit_test(attestation_cut),
        cmocka_unit_test(no_attestations),
        cmocka_unit_test(what_is_believed),
        cmocka_unit_test(of_another_key_or_no_nonce),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
