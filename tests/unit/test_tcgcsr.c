/* SPDX-License-Identifier: Apache-2.0 */
/* TCG-CSR-IDEVID against bytes made from the layout, in each dialect; what is
 * cut, too large, does not add up, or was altered. */
#include "tests/unit/tcgcsr_golden.h"
#include "tests/unit/tpm_forms.h"

#include "factory/tcgcsr.h"

/* the parts that all three have, and where they differ */
static const struct row {
    const char *dialect, *hex;
    struct idvi_tcgcsr_form form;
    size_t sizes; /* where those of the parts begin */
} rows[] = {
    {"tcg", golden_tcg, {0}, 12 + 12 + 32},
    {"flightctl",
     golden_flightctl,
     {.no_hash = true,
      .sized_attest_pub = true,
      .sized_signing_pub = true,
      .sized_sgn_info = true,
      .bare_signature = true,
      .odd_padding = true},
     12 + 12},
    {"go-trusted-platform",
     golden_go_trusted_platform,
     {.old_version = true,
      .no_hash = true,
      .bare_signature = true,
      .odd_padding = true,
      .odd_size = true},
     12 + 12},
};
#define ROWS (sizeof(rows) / sizeof(*rows))

static struct idv_buf golden[ROWS], idevid, iak, ca_data;

static int setup(void **state)
{
    uint8_t *p = NULL;
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        form_unhex(rows[i].hex, &golden[i]);
    form_unhex(golden_idevid, &idevid);
    form_unhex(golden_iak, &iak);
    OK(idv_buf_room(&ca_data, 32, &p));
    for (uint8_t i = 0; i < 32; i++)
        p[i] = i;
    ca_data.n = 32;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        idv_buf_free(&golden[i]);
    idv_buf_free(&idevid);
    idv_buf_free(&iak);
    idv_buf_free(&ca_data);
    return 0;
}

static struct idvi_tcgcsr_parts the_parts(void)
{
    return (struct idvi_tcgcsr_parts){
        .model = idv_str("box-2000"),
        .serial = idv_str("SN 0042"),
        .ca_data = idv_view(&ca_data),
        .ek_cert = idv_str("EKCERT"),
        .attest_pub = idv_view(&iak),
        .create_ticket = idv_str("TICKET"),
        .signing_pub = idv_view(&idevid),
        .sgn_info = idv_str("\xff"
                            "TCGATTEST"),
        .sgn_signature = idv_str("SIGNATURE"),
    };
}

static void same_parts(const struct idvi_tcgcsr_parts *a,
                       const struct idvi_tcgcsr_parts *b)
{
    const struct idv_bytes *x = (const struct idv_bytes *)a;
    const struct idv_bytes *y = (const struct idv_bytes *)b;
    assert_int_equal(sizeof(*a), 12 * sizeof(*x));
    for (size_t i = 0; i < 12; i++)
        assert_true(idv_bytes_eq(x[i], y[i]));
}

static void same_form(const struct idvi_tcgcsr_form *a,
                      const struct idvi_tcgcsr_form *b)
{
    assert_memory_equal(a, b, sizeof(*a)); /* (nothing but bool in it) */
}

/* --- what is read --- */

static void each_dialect(void **state)
{
    const struct idvi_tcgcsr_parts want = the_parts();
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        struct idvi_tcgcsr c;
        struct idvi_tpm_public signer;
        IDV_AUTO_PTR(EVP_PKEY) key = NULL;
        OK(idvi_tcgcsr_from_bytes(idv_view(&golden[i]), &c));
        same_parts(&c.parts, &want);
        same_form(&c.form, &rows[i].form);
        assert_string_equal(idvi_tcgcsr_dialect(&c.form), rows[i].dialect);
        assert_int_equal(c.hash, IDVI_TPM_SHA256);
        OK(idvi_tcgcsr_verify(&c, &signer, &key));
        assert_true(idvi_tpm_public_is(&signer, key));
        OK(idvi_tcgcsr_verify(&c, NULL, NULL));
    }
}

static void every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t n = 0; n < golden[i].n; n++) {
            struct idvi_tcgcsr c;
            uint8_t *copy = malloc(n + 1);
            memcpy(copy, golden[i].p, n);
            FAILS(IDV_E_FORMAT, "TCG-CSR-IDEVID: ",
                  idvi_tcgcsr_from_bytes(idv_bytes(copy, n), &c));
            free(copy);
        }
}

static void bytes_behind_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        struct idvi_tcgcsr c;
        IDV_AUTO(buf) b = {0};
        OK(idv_buf_put(&b, idv_view(&golden[i])));
        OK(idv_buf_put(&b, idv_str("!")));
        FAILS(IDV_E_FORMAT, "are there",
              idvi_tcgcsr_from_bytes(idv_view(&b), &c));
    }
}

/* the number there, one more or one less; the note */
static void off_by_one(size_t row, size_t at, int by)
{
    struct idvi_tcgcsr c;
    IDV_AUTO(buf) b = {0};
    OK(idv_buf_put(&b, idv_view(&golden[row])));
    uint32_t v = (uint32_t)b.p[at + 2] << 8 | b.p[at + 3];
    v += (uint32_t)by;
    for (size_t i = 0; i < 4; i++)
        b.p[at + i] = (uint8_t)(v >> 8 * (3 - i));
    FAILS(IDV_E_FORMAT,
          "TCG-CSR-IDEVID: ", idvi_tcgcsr_from_bytes(idv_view(&b), &c));
}

static void each_number_off_by_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        for (int by = -1; by <= 1; by += 2) {
            off_by_one(i, 0, by);
            if (!rows[i].form.odd_size)
                off_by_one(i, 4, by);
            for (size_t at = 8; at < 12 + 12; at += 4)
                off_by_one(i, at, by);
            for (size_t n = 0; n < 13; n++)
                off_by_one(i, rows[i].sizes + 4 * n, by);
        }
}

static const char *const names[] = {
    "prodModelSz",   "prodSerialSz",     "prodCaDataSz",
    "bootEvntLogSz", "ekCertSz",         "attestPubSz",
    "atCreateTktSz", "atCertifyInfoSz",  "atCertifyInfoSignatureSz",
    "signingPubSz",  "sgnCertifyInfoSz", "sgnCertifyInfoSignatureSz",
    "padSz",
};

static void each_size_too_large(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t n = 0; n < sizeof(names) / sizeof(*names); n++) {
            struct idvi_tcgcsr c;
            IDV_AUTO(buf) b = {0};
            OK(idv_buf_put(&b, idv_view(&golden[i])));
            b.p[rows[i].sizes + 4 * n] = 0xff;
            FAILS(IDV_E_FORMAT, names[n],
                  idvi_tcgcsr_from_bytes(idv_view(&b), &c));
        }
}

static void other_words(void **state)
{
    static const struct {
        size_t at;
        uint8_t v;
        const char *says;
    } wrong[] = {
        {0, 2, "structVer is 0x02000100"},
        {8, 1, "sigSz"},
        {12, 1, "structVer of its contents"},
        {12 + 7, 0x04, "hashAlgoId is 0x4"},
        {12 + 7, 0x0c, "hashSz is 32"},
        {12 + 12, 0x00, "its hash is another"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct idvi_tcgcsr c;
        IDV_AUTO(buf) b = {0};
        OK(idv_buf_put(&b, idv_view(&golden[0])));
        assert_int_not_equal(b.p[wrong[i].at], wrong[i].v);
        b.p[wrong[i].at] = wrong[i].v;
        FAILS(IDV_E_FORMAT, wrong[i].says,
              idvi_tcgcsr_from_bytes(idv_view(&b), &c));
    }
}

static void refused_by_its_size(void **state)
{
    struct idvi_tcgcsr c;
    uint8_t *huge = calloc(1, 16 << 20);
    (void)state;
    FAILS(IDV_E_LIMIT, "16777216 bytes, more than",
          idvi_tcgcsr_from_bytes(idv_bytes(huge, 16 << 20), &c));
    FAILS(IDV_E_LIMIT, "bytes, more than",
          idvi_tcgcsr_from_bytes(idv_bytes(huge, IDV_MAX_TCG_CSR + 1), &c));
    FAILS(IDV_E_FORMAT, "structVer",
          idvi_tcgcsr_from_bytes(idv_bytes(huge, IDV_MAX_TCG_CSR), &c));
    free(huge);
}

/* --- what is believed --- */

/* nothing that was signed, nor the signature, can be another by one bit; what
 * is not signed is the outer header: in the old version the size of contents,
 * which nobody reads there */
static void every_byte_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t at = 0; at < golden[i].n; at++) {
            struct idvi_tcgcsr c;
            IDV_AUTO(buf) b = {0};
            if (rows[i].form.odd_size && at >= 4 && at < 8)
                continue;
            OK(idv_buf_put(&b, idv_view(&golden[i])));
            b.p[at] ^= 0x80;
            idv_note_clear();
            assert_true(idvi_tcgcsr_from_bytes(idv_view(&b), &c) != IDV_OK ||
                        idvi_tcgcsr_verify(&c, NULL, NULL) != IDV_OK);
            assert_true(*idv_note());
        }
    idv_note_clear();
}

/* one part's byte given to the next: all adds up */
static void a_byte_moved_over(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        struct idvi_tcgcsr c;
        IDV_AUTO(buf) b = {0};
        OK(idv_buf_put(&b, idv_view(&golden[i])));
        b.p[rows[i].sizes + 3]++;
        b.p[rows[i].sizes + 7]--;
        if (!rows[i].form.no_hash) {
            FAILS(IDV_E_FORMAT, "its hash is another",
                  idvi_tcgcsr_from_bytes(idv_view(&b), &c));
            continue;
        }
        OK(idvi_tcgcsr_from_bytes(idv_view(&b), &c));
        assert_int_equal(c.parts.model.n, 9);
        FAILS(IDV_E_REJECT, "not that of signingPub",
              idvi_tcgcsr_verify(&c, NULL, NULL));
    }
}

static void another_key_or_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        struct idvi_tcgcsr c;
        OK(idvi_tcgcsr_from_bytes(idv_view(&golden[i]), &c));
        c.parts.signing_pub = idv_view(&iak);
        FAILS(IDV_E_REJECT, "not that of signingPub",
              idvi_tcgcsr_verify(&c, NULL, NULL));
        c.parts.signing_pub = idv_str("");
        FAILS(IDV_E_FORMAT, "signingPub: public area",
              idvi_tcgcsr_verify(&c, NULL, NULL));
    }
}

/* --- what is written --- */

/* the first of the golden ones is the writer's own, to the byte */
static void ours_is_the_specification(void **state)
{
    const struct idvi_tcgcsr_parts parts = the_parts();
    struct idvi_tcgcsr c;
    IDV_AUTO(buf) contents = {0};
    IDV_AUTO(buf) all = {0};
    (void)state;
    OK(idvi_tcgcsr_from_bytes(idv_view(&golden[0]), &c));
    OK(idvi_tcgcsr_contents(&parts, IDVI_TPM_SHA256, NULL, &contents));
    assert_true(idv_bytes_eq(idv_view(&contents), c.contents));
    /* SEQUENCE, SEQUENCE of 12, BIT STRING and its first byte */
    struct idv_bytes der =
        idv_bytes(c.signature.p + 2 + 12 + 3, c.signature.n - 2 - 12 - 3);
    OK(idvi_tcgcsr_whole(idv_view(&contents), IDVI_TPM_SHA256, IDVI_TPM_ECC,
                         der, NULL, &all));
    assert_true(idv_bytes_eq(idv_view(&all), idv_view(&golden[0])));
}

static void write_one(const struct form *f, uint16_t hash, bool pss,
                      const struct idvi_tcgcsr_form *form, struct idv_buf *out)
{
    struct idvi_tcgcsr_parts parts = the_parts();
    IDV_AUTO(buf) contents = {0};
    IDV_AUTO(buf) sig = {0};
    parts.signing_pub = idv_view(&f->raw);
    OK(idvi_tcgcsr_contents(&parts, hash, form, &contents));
    form_sign(f, hash, pss, idv_view(&contents), &sig);
    OK(idvi_tcgcsr_whole(idv_view(&contents), hash, f->p.type, idv_view(&sig),
                         form, out));
}

static void again(const struct form *f, uint16_t hash,
                  const struct idvi_tcgcsr_form *form)
{
    struct idvi_tcgcsr c;
    IDV_AUTO(buf) b = {0};
    struct idvi_tcgcsr_parts want = the_parts();
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    want.signing_pub = idv_view(&f->raw);
    write_one(f, hash, false, form, &b);
    OK(idvi_tcgcsr_from_bytes(idv_view(&b), &c));
    same_parts(&c.parts, &want);
    same_form(&c.form, form);
    OK(idvi_tcgcsr_verify(&c, NULL, &key));
    assert_int_equal(EVP_PKEY_eq(key, f->key), 1);
}

static void keys_and_forms(void **state)
{
    static const char *const types[] = {"P-256", "P-384", "P-521", "RSA-2048"};
    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        struct form f;
        form_make(&f, IDVI_DEVID_IDEVID, types[i], false);
        for (size_t r = 0; r < ROWS; r++)
            again(&f, f.p.name_alg, &rows[r].form);
        form_free(&f);
    }
}

static void words_for_forms(void **state)
{
    static const struct {
        struct idvi_tcgcsr_form form;
        const char *dialect;
    } words[] = {
        {{.sized_attest_pub = true}, "tcg-variant"},
        {{.bare_signature = true}, "tcg-variant"},
        {{.old_version = true}, "mixed"},
        {{.no_hash = true}, "mixed"},
    };
    struct form f;
    (void)state;
    form_make(&f, IDVI_DEVID_IDEVID, "P-256", false);
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        again(&f, IDVI_TPM_SHA256, &words[i].form);
        assert_string_equal(idvi_tcgcsr_dialect(&words[i].form),
                            words[i].dialect);
    }
    form_free(&f);
}

/* written by f with hash in form, read, and refused */
static void refused(const struct form *f, uint16_t hash,
                    const struct idvi_tcgcsr_form *form, const char *says)
{
    struct idvi_tcgcsr c;
    IDV_AUTO(buf) b = {0};
    write_one(f, hash, false, form, &b);
    OK(idvi_tcgcsr_from_bytes(idv_view(&b), &c));
    FAILS(IDV_E_REJECT, says, idvi_tcgcsr_verify(&c, NULL, NULL));
}

static void weak_or_other_algorithms(void **state)
{
    static const struct idvi_tcgcsr_form bare = {.bare_signature = true};
    struct form f;
    (void)state;
    form_make(&f, IDVI_DEVID_IDEVID, "RSA-1024", false);
    refused(&f, IDVI_TPM_SHA256, NULL, "signed by RSA of 1024 bits");
    form_free(&f);
    form_make(&f, IDVI_DEVID_IDEVID, "P-384", false);
    refused(&f, IDVI_TPM_SHA256, NULL, "hashAlgoId is 0x000b, the key signs");
    f.p.scheme = IDVI_TPM_RSASSA;
    form_write(&f);
    refused(&f, IDVI_TPM_SHA384, NULL, "the key signs by scheme 0x0014");
    form_free(&f);
    form_make(&f, IDVI_DEVID_IDEVID, "RSA-2048", false);
    f.p.scheme = IDVI_TPM_RSAPSS;
    f.p.hash = IDVI_TPM_SHA256;
    form_write(&f);
    refused(&f, IDVI_TPM_SHA256, NULL, "by another algorithm");
    refused(&f, IDVI_TPM_SHA256, &bare, "not that of signingPub");
    form_free(&f);
}

static void pss_when_bare(void **state)
{
    static const struct idvi_tcgcsr_form bare = {.bare_signature = true};
    struct idvi_tcgcsr c;
    IDV_AUTO(buf) b = {0};
    struct form f;
    (void)state;
    form_make(&f, IDVI_DEVID_IDEVID, "RSA-2048", false);
    f.p.scheme = IDVI_TPM_RSAPSS;
    f.p.hash = IDVI_TPM_SHA256;
    form_write(&f);
    write_one(&f, IDVI_TPM_SHA256, true, &bare, &b);
    OK(idvi_tcgcsr_from_bytes(idv_view(&b), &c));
    OK(idvi_tcgcsr_verify(&c, NULL, NULL));
    form_free(&f);
}

/* the algorithm inside says another hash than hashAlgoId */
static void another_algorithm_inside(void **state)
{
    struct idvi_tcgcsr c;
    IDV_AUTO(buf) b = {0};
    (void)state;
    OK(idv_buf_put(&b, idv_view(&golden[0])));
    OK(idvi_tcgcsr_from_bytes(idv_view(&b), &c));
    b.p[b.n - c.signature.n + 2 + 11]++; /* ecdsa-with-SHA256: ...4.3.2 */
    OK(idvi_tcgcsr_from_bytes(idv_view(&b), &c));
    FAILS(IDV_E_REJECT, "by another algorithm",
          idvi_tcgcsr_verify(&c, NULL, NULL));
}

static void too_large_to_write(void **state)
{
    static const uint8_t much[IDV_MAX_TCG_CSR];
    struct idvi_tcgcsr_parts parts = the_parts();
    IDV_AUTO(buf) b = {0};
    (void)state;
    parts.model = idv_bytes(much, 257);
    FAILS(IDV_E_LIMIT, "prodModelSz is 257, more than 256",
          idvi_tcgcsr_contents(&parts, IDVI_TPM_SHA256, NULL, &b));
    parts = the_parts();
    parts.event_log = idv_bytes(much, sizeof(much) - 100);
    FAILS(IDV_E_LIMIT, "",
          idvi_tcgcsr_contents(&parts, IDVI_TPM_SHA256, NULL, &b));
    parts = the_parts();
    FAILS(IDV_E_ARG, "hash 0x0004",
          idvi_tcgcsr_contents(&parts, 0x0004, NULL, &b));
    FAILS(IDV_E_ARG, "signature of 0 bytes",
          idvi_tcgcsr_whole(idv_view(&golden[0]), IDVI_TPM_SHA256, IDVI_TPM_ECC,
                            idv_str(""), NULL, &b));
    assert_int_equal(b.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_dialect),
        cmocka_unit_test(every_cut),
        cmocka_unit_test(bytes_behind_it),
        cmocka_unit_test(each_number_off_by_one),
        cmocka_unit_test(each_size_too_large),
        cmocka_unit_test(other_words),
        cmocka_unit_test(refused_by_its_size),
        cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(a_byte_moved_over),
        cmocka_unit_test(another_key_or_none),
        cmocka_unit_test(ours_is_the_specification),
        cmocka_unit_test(keys_and_forms),
        cmocka_unit_test(words_for_forms),
        cmocka_unit_test(weak_or_other_algorithms),
        cmocka_unit_test(pss_when_bare),
        cmocka_unit_test(another_algorithm_inside),
        cmocka_unit_test(too_large_to_write),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
