/* SPDX-License-Identifier: Apache-2.0 */
/* What the desk refuses of a device, and by which name. */
#include "tests/unit/desk.h"

/* --- for what ------------------------------------------------------------- */

static void add_order(struct scene *s, struct idv_order *o)
{
    OK(s->book.store.order_add(s->book.store.self, o, PKI_NOW));
    book_order_free(o);
}

static void orders(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    enum idv_factory_why why;
    uint8_t c[32];
    struct idv_order *o = book_order("L2", "B", 1);
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    strcpy(r.order, "L9");
    is_refused(s, &r, IDV_WHY_ORDER, "order 'L9': there is none");
    sound(s, &s->tpm, IDV_PROFILE_TCG, "A-0009", &r);
    is_refused(s, &r, IDV_WHY_ORDER, "'A-0009' is not in it");
    FAILS(IDV_E_REJECT, "order 'L9'",
          idv_desk_challenge(s->desk, "L9", c, &why));
    assert_int_equal(why, IDV_WHY_ORDER);
    o->has_profile = o->has_type = true;
    o->profile = IDV_PROFILE_LEAN;
    o->type = IDV_KEY_P384;
    add_order(s, o);
    OK(idv_desk_challenge(s->desk, "L2", s->challenge, &why));
    softtpm_request(&s->tpm, IDV_PROFILE_TCG, "L2", "B-0001", s->challenge,
                    NULL, &r);
    is_refused(s, &r, IDV_WHY_ORDER, "asks for profile lean, not tcg");
    softtpm_request(&s->tpm, IDV_PROFILE_LEAN, "L2", "B-0001", s->challenge,
                    NULL, &r);
    is_refused(s, &r, IDV_WHY_ORDER, "asks for type P-384, not P-256");
}

static void challenges(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    enum idv_factory_why why;
    uint8_t made_up[32] = {1}, other[32];
    softtpm_request(&s->tpm, IDV_PROFILE_TCG, ORDER, SN, made_up, NULL, &r);
    is_refused(s, &r, IDV_WHY_CHALLENGE, "is not one of order 'L1'");
    add_order(s, book_order("L2", "B", 1));
    OK(idv_desk_challenge(s->desk, "L2", other, &why));
    softtpm_request(&s->tpm, IDV_PROFILE_TCG, ORDER, SN, other, NULL, &r);
    is_refused(s, &r, IDV_WHY_CHALLENGE, "is not one of order 'L1'");
    s->pki.env.now = PKI_NOW + PKI_DAY + 1;
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_CHALLENGE, "is 86401 s old");
    s->pki.env.now = PKI_NOW + PKI_DAY;
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    IDV_AUTO_PTR(idv_certs) bag = issued(s, &s->tpm, &s->tpm.iak, &r);
    assert_non_null(bag);
}

/* --- the request of the key ----------------------------------------------- */

/* for another challenge, order or serial number */
static void replayed(void **state)
{
    struct scene *s = *state;
    static const enum idv_factory_profile all[] = {
        IDV_PROFILE_TCG, IDV_PROFILE_LEAN, IDV_PROFILE_DIRECT};
    for (int i = 0; i < 3; i++) {
        struct idv_factory_request r;
        enum idv_factory_why why;
        uint8_t before[32];
        memcpy(before, s->challenge, 32);
        OK(idv_desk_challenge(s->desk, ORDER, s->challenge, &why));
        softtpm_request(&s->tpm, all[i], ORDER, SN, before, NULL, &r);
        memcpy(r.challenge, s->challenge, 32);
        is_refused(s, &r, IDV_WHY_NONCE, "not bound to this request");
        softtpm_request(&s->tpm, all[i], "L0", SN, s->challenge, NULL, &r);
        strcpy(r.order, ORDER);
        is_refused(s, &r, IDV_WHY_NONCE, "not bound to this request");
        sound(s, &s->tpm, all[i], SN, &r);
        strcpy(r.serial_number, SN2);
        is_refused(s, &r, IDV_WHY_REQUEST, "another serial number");
    }
}

static void replayed_attestation(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    uint8_t before[32] = {9};
    struct softtpm_attest a = {.nonce = {before, 32}};
    for (int i = 0; i < 2; i++) {
        a.creation = i == 1;
        softtpm_request(&s->tpm, i ? IDV_PROFILE_LEAN : IDV_PROFILE_TCG, ORDER,
                        SN, s->challenge, &a, &r);
        is_refused(s, &r, IDV_WHY_NONCE, "");
        a.nonce.n = 31;
    }
}

static void altered(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    struct softtpm mixed = s->tpm;
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    size_t n = r.tcg_csr.n;
    idv_factory_request_free(&r);
    /* a bit anywhere, but in the outer version, of which there are two and
     * which says nothing: never taken */
    for (size_t i = 4; i < n; i += 37) {
        enum idv_factory_why why = IDV_WHY_NONE;
        IDV_AUTO(buf) reply = {0};
        sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
        if (i < r.tcg_csr.n)
            r.tcg_csr.p[i] ^= 1;
        assert_int_not_equal(sent(s, &r, &reply, &why), IDV_OK);
        assert_true(why != IDV_WHY_NONE && *idv_note());
        idv_note_clear();
    }
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    r.tcg_csr.n--;
    is_refused(s, &r, IDV_WHY_REQUEST, "TCG-CSR-IDEVID");
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    idv_buf_free(&r.tcg_csr);
    is_refused(s, &r, IDV_WHY_REQUEST, "no TCG-CSR-IDEVID");
    /* signed with another key than it is for */
    mixed.idevid.key = s->tpm2.idevid.key;
    sound(s, &mixed, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_SIGNATURE, "");
    assert_int_equal(s->maker.calls, 0);
}

/* --- the endorsement key -------------------------------------------------- */

static void ek_certificates(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    struct softtpm t = s->tpm;
    struct idv_cert_spec root = {.kind = IDV_CERT_ROOT, .common_name = "V2"};
    struct idv_cert_spec ek = {.kind = IDV_CERT_SIGNER, .common_name = "EK"};
    t.ek_cert = NULL;
    sound(s, &t, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_EK_MISSING, "there is none");
    sound(s, &t, IDV_PROFILE_TCG, SN, &r);
    OK(idv_buf_puts(&r.ek_cert, "garbage"));
    is_refused(s, &r, IDV_WHY_EK_MISSING, "EK certificate");
    /* somebody else's */
    t.ek_cert = s->tpm2.ek_cert;
    sound(s, &t, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_EK_KEY, "another endorsement key");
    /* of a vendor whom nobody knows */
    struct pki_id v2 = pki_issue(&s->pki, "P-256", &root, NULL);
    OK(idv_cert_issue(&ek, t.ek.key, v2.cert, v2.key, &s->pki.env.env,
                      &t.ek_cert));
    sound(s, &t, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_EK_CHAIN, "V2");
    X509_free(t.ek_cert);
    pki_id_free(&v2);
    /* beside the request will do */
    t.ek_cert = NULL;
    sound(s, &t, IDV_PROFILE_TCG, SN, &r);
    OK(idv_cert_to_der(s->tpm.ek_cert, &r.ek_cert));
    OK(idv_buf_puts(&r.ek_cert, "padding"));
    IDV_AUTO_PTR(idv_certs) bag = issued(s, &t, &t.iak, &r);
    assert_non_null(certificate_of(bag, t.idevid.key));
}

static void ek_expired(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    struct softtpm t = s->tpm;
    struct idv_cert_spec ek = {.kind = IDV_CERT_SIGNER,
                               .common_name = "EK",
                               .not_before = PKI_NOW - 3 * PKI_DAY,
                               .not_after = PKI_NOW - PKI_DAY};
    OK(idv_cert_issue(&ek, t.ek.key, s->vendor.cert, s->vendor.key,
                      &s->pki.env.env, &t.ek_cert));
    s->conf.ek_check_time = true;
    desk_again(s);
    sound(s, &t, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_EK_CHAIN, "expired");
    s->conf.ek_check_time = false;
    desk_again(s);
    sound(s, &t, IDV_PROFILE_TCG, SN, &r);
    IDV_AUTO_PTR(idv_certs) bag = issued(s, &t, &t.iak, &r);
    assert_non_null(bag);
    X509_free(t.ek_cert);
}

static void ek_without_certificate(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    struct softtpm t = s->tpm;
    struct idv_devid id;
    uint8_t allowed[1][32];
    t.ek_cert = NULL;
    OK(idv_key_fingerprint(s->tpm2.ek.key, allowed[0]));
    s->conf.without_ek_cert = true;
    s->conf.ek_allowed = (const uint8_t(*)[32])allowed;
    s->conf.ek_allowed_n = 1;
    desk_again(s);
    sound(s, &t, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_EK_MISSING, "there is none");
    OK(idv_key_fingerprint(s->tpm.ek.key, allowed[0]));
    sound(s, &t, IDV_PROFILE_TCG, SN, &r);
    IDV_AUTO_PTR(idv_certs) bag = issued(s, &t, &t.iak, &r);
    OK(idv_devid_from_cert(certificate_of(bag, t.idevid.key), &id));
    assert_int_equal(id.hw_serial_n, 64); /* hex SHA-256 of the EK */
}

/* Keys of one TPM with the EK of another: judged sound, and then nobody can
 * open what comes of it. */
static void another_tpms_ek(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    struct idv_factory_reply reply = {0};
    struct softtpm t = s->tpm;
    enum idv_factory_why why;
    IDV_AUTO(buf) json = {0};
    IDV_AUTO(buf) secret = {0};
    t.ek = s->tpm2.ek;
    t.ek_cert = s->tpm2.ek_cert;
    sound(s, &t, IDV_PROFILE_TCG, SN, &r);
    OK(sent(s, &r, &json, &why));
    OK(idv_factory_reply_from_json(idv_view(&json), &reply));
    assert_int_equal(reply.bag.n, 0);
    assert_false(softtpm_activate(&s->tpm, &s->tpm.iak, &reply, &secret));
    assert_false(softtpm_activate(&s->tpm2, &s->tpm2.iak, &reply, &secret));
    assert_false(softtpm_activate(&s->tpm2, &s->tpm2.idevid, &reply, &secret));
    idv_factory_reply_free(&reply);
}

/* --- templates ------------------------------------------------------------ */

static void templates(void **state)
{
    struct scene *s = *state;
    static const struct {
        enum idvi_devid what;
        uint32_t flip;
        const char *note;
    } rows[] = {
        {IDVI_DEVID_IDEVID, IDVI_TPM_FIXED_TPM, "IDevID: fixedTPM is clear"},
        {IDVI_DEVID_IDEVID, IDVI_TPM_DATA_ORIGIN, "sensitiveDataOrigin"},
        {IDVI_DEVID_IDEVID, IDVI_TPM_NO_DA, "IDevID: noDA is set"},
        {IDVI_DEVID_IAK, IDVI_TPM_RESTRICTED, "IAK: restricted is clear"},
        {IDVI_DEVID_IAK, IDVI_TPM_FIXED_PARENT, "IAK: fixedParent is clear"},
        {IDVI_DEVID_EK, IDVI_TPM_FIXED_TPM, "EK: fixedTPM is clear"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct idv_factory_request r;
        struct softtpm t = s->tpm;
        struct softtpm_key *k = rows[i].what == IDVI_DEVID_EK    ? &t.ek
                                : rows[i].what == IDVI_DEVID_IAK ? &t.iak
                                                                 : &t.idevid;
        struct softtpm_key own;
        softtpm_key_make(&own, rows[i].what, IDV_KEY_P256, rows[i].flip);
        *k = own;
        struct idv_cert_spec ek = {.kind = IDV_CERT_SIGNER,
                                   .common_name = "EK"};
        OK(idv_cert_issue(&ek, t.ek.key, s->vendor.cert, s->vendor.key,
                          &s->pki.env.env, &t.ek_cert));
        sound(s, &t, IDV_PROFILE_TCG, SN, &r);
        is_refused(s, &r, IDV_WHY_TEMPLATE, rows[i].note);
        X509_free(t.ek_cert);
        softtpm_key_free(&own);
    }
}

static void other_keys(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    struct softtpm t = s->tpm;
    sound(s, &t, IDV_PROFILE_TCG, SN, &r);
    r.type = IDV_KEY_P384;
    is_refused(s, &r, IDV_WHY_TEMPLATE, "key of P-256, not of P-384");
    /* an EK that would be IDevID, an IDevID that would attest */
    t.idevid = s->tpm.iak;
    sound(s, &t, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_TEMPLATE, "IDevID: restricted is set");
    t = s->tpm;
    t.iak = s->tpm2.idevid;
    sound(s, &t, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_TEMPLATE, "IAK: restricted is clear");
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    idv_buf_free(&r.ek_public);
    is_refused(s, &r, IDV_WHY_REQUEST, "no public area of the EK");
}

/* --- attestations --------------------------------------------------------- */

static void attestations(void **state)
{
    struct scene *s = *state;
    const struct softtpm_attest rows[] = {
        {.magic = 0xff544348},    {.hierarchy = IDVI_TPM_RH_OWNER},
        {.key = &s->tpm2.idevid}, {.key = &s->tpm.iak},
        {.by = &s->tpm2.iak},     {.signer = &s->tpm2.iak},
        {.spoilt = true},         {.creation = true}, /* of the profile lean */
    };
    struct idv_factory_request r;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct softtpm_attest a = rows[i];
        softtpm_request(&s->tpm, IDV_PROFILE_TCG, ORDER, SN, s->challenge, &a,
                        &r);
        is_refused(s, &r, IDV_WHY_ATTEST, "");
        if (i + 1 < sizeof(rows) / sizeof(*rows))
            a.creation = true;
        else
            a.creation = false;
        softtpm_request(&s->tpm, IDV_PROFILE_LEAN, ORDER, SN, s->challenge, &a,
                        &r);
        is_refused(s, &r, IDV_WHY_ATTEST, "");
    }
    /* what one profile needs the other must not have */
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    r.profile = IDV_PROFILE_DIRECT;
    is_refused(s, &r, IDV_WHY_REQUEST, "attestation with profile direct");
    sound(s, &s->tpm, IDV_PROFILE_DIRECT, SN, &r);
    r.profile = IDV_PROFILE_TCG;
    is_refused(s, &r, IDV_WHY_TEMPLATE, "IAK: no public area");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DESK_TEST(orders),          DESK_TEST(challenges),
        DESK_TEST(replayed),        DESK_TEST(replayed_attestation),
        DESK_TEST(altered),         DESK_TEST(ek_certificates),
        DESK_TEST(ek_expired),      DESK_TEST(ek_without_certificate),
        DESK_TEST(another_tpms_ek), DESK_TEST(templates),
        DESK_TEST(other_keys),      DESK_TEST(attestations),
    };
    return cmocka_run_group_tests_name("desk-attacks", tests, scene_begin,
                                       scene_end);
}
