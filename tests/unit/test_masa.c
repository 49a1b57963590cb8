/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA: every refusal, and what is in a voucher. */
#include "tests/lib/stores.h"
#include "tests/unit/masa.h"

/* --- what is issued ------------------------------------------------------- */

/* R-M-4, R-M-8, R-M-10, R-M-14, R-M-15, R-M-19, R-M-20: to a registrar that
 * nobody has heard of */
static void issues(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    seal(f);
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    assert_string_equal(v.serial_number, PKI_SERIAL);
    assert_string_equal(v.nonce, f->pvr.nonce);
    assert_int_equal(v.assertion, IDV_ASSERT_PROXIMITY);
    assert_true(v.created_on == PKI_NOW && v.expires_on == IDV_TIME_ABSENT);
    assert_int_equal(v.idevid_issuer.n, 0);
    assert_int_equal(v.prior_signed.n, 0);
    pinned_is(&v, f->w.pki.domain_ca.cert);
    assert_int_equal(world_events(&f->w), 1);
}

static void pins_registrar(void **state) /* R-M-14 */
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    f->w.maker.policy.pin = IDV_PIN_REGISTRAR;
    seal(f);
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    pinned_is(&v, f->w.pki.registrar.cert);
}

static void names_issuer(void **state) /* R-M-18, R-S-9 */
{
    struct fixture *f = *state;
    struct idv_masa_device d = {.keyid = {9}, .keyid_n = 20};
    IDV_AUTO(voucher) v;
    IDV_AUTO(buf) want = {0};
    bool fresh = false;
    strcpy(d.serial_number, PKI_SERIAL);
    pki_must(idv_db_device_add(f->w.masa_db, &d, &fresh), "device");
    seal(f);
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    pki_must(idv_idevid_issuer(f->w.pki.idevid.cert, false, &want), "issuer");
    assert_true(idv_bytes_eq(idv_view(&want), idv_view(&v.idevid_issuer)));
}

static void issuer_as_sequence(void **state)
{
    struct fixture *f = *state;
    struct idv_masa_device d = {.keyid = {9}, .keyid_n = 20};
    IDV_AUTO(voucher) v;
    bool fresh = false;
    strcpy(d.serial_number, PKI_SERIAL);
    pki_must(idv_db_device_add(f->w.masa_db, &d, &fresh), "device");
    f->w.maker.issuer_sequence = true;
    f->w.maker.id_data = true;
    seal(f);
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    assert_int_equal(v.idevid_issuer.p[0], 0x30);
    assert_true(idv_idevid_issuer_matches(f->w.pki.idevid.cert,
                                          idv_view(&v.idevid_issuer)));
}

static void logged_only(void **state) /* R-M-10, R-M-12: RVR's word is none */
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    idv_buf_clear(&f->rvr.prior_signed);
    f->rvr.assertion = IDV_ASSERT_VERIFIED;
    seal(f);
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    assert_int_equal(v.assertion, IDV_ASSERT_LOGGED);
}

static void no_proximity_for_rogue(void **state) /* R-S-1, R-S-3, R-M-10 */
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    seal_by(f, &f->w.pki.rogue, f->w.pki.rogue_chain);
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    assert_int_equal(v.assertion, IDV_ASSERT_LOGGED);
    pinned_is(&v, f->w.pki.rogue_ca.cert);
}

/* a pledge that names a key instead of a certificate, or its hash */
static void near_by_key(void **state) /* R-M-10 */
{
    struct fixture *f = *state;
    const X509 *seen[] = {f->w.pki.registrar.cert, f->w.pki.domain_ca.cert,
                          f->w.pki.rogue.cert};
    IDV_AUTO(buf) unused = {0};
    idv_buf_clear(&f->pvr.proximity_registrar_cert);
    for (int i = 0; i < 6; i++) {
        IDV_AUTO(voucher) v;
        struct idv_buf *key = &f->pvr.proximity_registrar_pubk,
                       *hash = &f->pvr.proximity_registrar_pubk_sha256;
        pki_spki(seen[i / 2], i & 1 ? &unused : key, i & 1 ? hash : &unused);
        idv_buf_clear(i & 1 ? key : hash);
        idv_buf_clear(&f->rvr.prior_signed);
        pki_seal(&f->pvr, &f->w.pki.idevid, f->w.pki.idevid_chain, false,
                 &f->rvr.prior_signed);
        seal(f);
        assert_int_equal(send(f), 200);
        read_voucher(f, &v);
        assert_int_equal(v.assertion,
                         i < 4 ? IDV_ASSERT_PROXIMITY : IDV_ASSERT_LOGGED);
    }
}

static void no_proof_no_proximity(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    f->w.maker.idevid_anchors = NULL;
    seal(f);
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    assert_int_equal(v.assertion, IDV_ASSERT_LOGGED);
}

static void owner_verified(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    sell_to_domain(f);
    seal(f);
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    assert_int_equal(v.assertion, IDV_ASSERT_VERIFIED);
}

static void registered_cert(void **state) /* R-M-9 by the inventory */
{
    struct fixture *f = *state;
    struct idv_masa_device d = {0};
    IDV_AUTO(voucher) v;
    bool found = false, fresh = true;
    pki_must(
        idv_db_masa_store(f->w.masa_db)
            .device_find(f->w.masa_db, idv_str(""), PKI_SERIAL, &found, &d),
        "find");
    pki_must(idv_cert_to_der(f->w.pki.idevid.cert, &d.cert), "der");
    pki_must(idv_db_device_add(f->w.masa_db, &d, &fresh), "add");
    idv_masa_device_free(&d);
    assert_false(fresh);
    f->w.maker.idevid_anchors = NULL;
    seal(f);
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    assert_int_equal(v.assertion, IDV_ASSERT_PROXIMITY);
}

/* --- nonceless ------------------------------------------------------------ */

static void nonceless_refused(void **state) /* R-M-7 */
{
    struct fixture *f = *state;
    drop_nonce(f);
    seal(f);
    refused(f, 403, "nonceless");
    know_domain(f, false, false);
    refused(f, 403, "nonceless");
}

static void nonceless_issued(void **state) /* R-M-7, R-M-16 */
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    drop_nonce(f);
    know_domain(f, true, false);
    seal(f);
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    assert_string_equal(v.nonce, "");
    assert_true(v.expires_on == PKI_NOW + 20 * 60);
}

static void nonceless_capped(void **state) /* R-M-17 */
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    drop_nonce(f);
    know_domain(f, true, false);
    f->w.maker.policy.nonceless_minutes = 100 * 365 * 24 * 60;
    seal(f);
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    assert_true(v.expires_on == PKI_NOW + 365 * PKI_DAY);
}

/* a registrar of a CA, which end then, each by itself */
static int64_t expiry_below(struct fixture *f, int64_t ca_s, int64_t leaf_s)
{
    const struct idv_cert_spec root = {.kind = IDV_CERT_ROOT,
                                       .common_name = "Brief CA"};
    const struct idv_cert_spec leaf = {.kind = IDV_CERT_REGISTRAR,
                                       .common_name = "registrar.example.com",
                                       .not_before = PKI_NOW - PKI_DAY,
                                       .not_after = PKI_NOW + leaf_s};
    struct pki_id ca = pki_issue(&f->w.pki, "P-256", &root, NULL);
    struct pki_id id = pki_issue(&f->w.pki, "P-256", &leaf, &ca);
    struct idv_masa_registrar r = {"Brief", true, false};
    STACK_OF(X509) *chain = pki_stack(id.cert, ca.cert);
    IDV_AUTO(voucher) v;
    ASN1_TIME_set(X509_getm_notAfter(ca.cert), PKI_NOW + ca_s);
    assert_true(X509_sign(ca.cert, ca.key, EVP_sha256()) > 0);
    pki_must(idv_db_registrar_set(f->w.masa_db, ca.cert, &r), "registrar");
    seal_by(f, &id, chain);
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    idv_certs_free(chain);
    pki_id_free(&id);
    pki_id_free(&ca);
    return v.expires_on - PKI_NOW;
}

static void nonceless_within_all(void **state) /* R-M-16, R-M-17 */
{
    struct fixture *f = *state;
    drop_nonce(f);
    assert_int_equal(expiry_below(f, PKI_DAY, 600), 600);
    assert_int_equal(expiry_below(f, 500, PKI_DAY), 500);
    assert_int_equal(expiry_below(f, PKI_DAY, PKI_DAY), 20 * 60);
}

/* --- refusals ------------------------------------------------------------- */

static void wrong_types(void **state) /* R-M-3, R-M-22, R-M-27 */
{
    struct fixture *f = *state;
    struct idv_service s = idv_masa_service(f->w.masa);
    struct idv_bytes none = idv_str("");
    assert_int_equal(
        world_ask(&f->w, s, NULL, IDV_POST, VOUCHER, "application/json", none),
        415);
    assert_int_equal(world_ask(&f->w, s, NULL, IDV_GET, VOUCHER, "", none),
                     405);
    assert_int_equal(world_ask(&f->w, s, NULL, IDV_GET,
                               "/.well-known/est/cacerts", "", none),
                     404);
    assert_true(world_why(&f->w, "path"));
}

static void wrong_accept(void **state) /* R-M-22 */
{
    struct fixture *f = *state;
    struct idv_service s = idv_masa_service(f->w.masa);
    struct idv_call call;
    enum idv_next next;
    seal(f);
    idv_call_init(&call, NULL);
    call.req.verb = IDV_POST;
    strcpy(call.req.path, VOUCHER);
    strcpy(call.req.media, IDV_MEDIA_VOUCHER_CMS);
    strcpy(call.req.accept, "application/voucher+cose");
    pki_must(idv_buf_put(&call.req.body, idv_view(&f->sealed)), "body");
    assert_int_equal(s.serve(s.self, &call, NULL, &next), IDV_OK);
    assert_int_equal(call.reply.status, 406);
    idv_call_free(&call);
}

static void malformed(void **state)
{
    struct fixture *f = *state;
    pki_must(idv_buf_puts(&f->sealed, "?"), "put");
    refused(f, 400, "container");
    seal(f);
    f->sealed.n /= 2;
    refused(f, 400, "container");
    idv_buf_clear(&f->sealed);
    refused(f, 400, "container");
}

static void not_a_request(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    pki_voucher(&f->w.pki, &f->pvr, f->w.pki.domain_ca.cert, &v);
    pki_seal(&v, &f->w.pki.registrar, f->w.pki.tls_chain, false, &f->sealed);
    refused(f, 400, "content");
}

static void tampered(void **state) /* R-M-4, R-M-23, R-M-24 */
{
    struct fixture *f = *state;
    seal(f);
    size_t at = 0, n = strlen(PKI_SERIAL);
    while (at + n < f->sealed.n && memcmp(f->sealed.p + at, PKI_SERIAL, n))
        at++;
    f->sealed.p[at] ^= 1;
    refused(f, 403, "signature");
}

static void blocked_registrar(void **state)
{
    struct fixture *f = *state;
    know_domain(f, true, true);
    seal(f);
    refused(f, 403, "registrar-blocked");
}

static void stale(void **state) /* R-M-24 */
{
    struct fixture *f = *state;
    f->rvr.created_on = PKI_NOW - 5 * PKI_DAY;
    seal(f);
    refused(f, 403, "stale");
    f->rvr.created_on = PKI_NOW + 3600;
    seal(f);
    refused(f, 403, "stale");
    f->w.pki.env.trusted = false; /* no clock, no judgement */
    assert_int_equal(send(f), 200);
}

static void unknown_device(void **state) /* R-M-24 */
{
    struct fixture *f = *state;
    strcpy(f->rvr.serial_number, "NOBODY");
    seal(f);
    refused(f, 404, "device-unknown");
}

/* R-M-36: there is no voucher for whoever holds it */
static void no_bearer(void **state)
{
    static const char *const any[] = {"*", "%", "_", "SN-*", PKI_SERIAL "*"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(any) / sizeof(*any); i++) {
        strcpy(f->rvr.serial_number, any[i]);
        seal(f);
        refused(f, 404, "device-unknown");
    }
}

static void other_issuer(void **state) /* R-S-9 */
{
    struct fixture *f = *state;
    idv_buf_clear(&f->rvr.idevid_issuer);
    pki_must(idv_idevid_issuer(f->w.pki.rogue_idevid.cert, false,
                               &f->rvr.idevid_issuer),
             "issuer");
    seal(f);
    refused(f, 404, "device-unknown");
}

static void blocked_device(void **state) /* R-M-35 */
{
    struct fixture *f = *state;
    seal(f);
    pki_must(idv_db_device_stand(f->w.masa_db, idv_str(""), PKI_SERIAL,
                                 IDV_STANDING_BLOCKED, "recalled", &test_by),
             "block");
    refused(f, 403, "device-blocked");
}

static void stand(struct fixture *f, enum idv_standing s, const char *reason)
{
    pki_must(idv_db_device_stand(f->w.masa_db, idv_str(""), PKI_SERIAL, s,
                                 reason, &test_by),
             "stand");
}

/* R-M-35: each says what it is, and only the maker's log says why */
static void not_in_good_standing(void **state)
{
    static const struct {
        enum idv_standing standing;
        const char *why, *text;
    } rows[] = {
        {IDV_STANDING_BLOCKED, "device-blocked", "is blocked"},
        {IDV_STANDING_STOLEN, "device-stolen", "reported stolen"},
        {IDV_STANDING_TRANSFERRED, "device-transferred", "has to claim it"},
        {IDV_STANDING_RETIRED, "device-retired", "is retired"},
        {IDV_STANDING_END_OF_LIFE, "device-end-of-life", "end of its life"},
    };
    struct fixture *f = *state;
    seal(f);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        stand(f, rows[i].standing, "case 4711");
        refused(f, 403, rows[i].why);
        assert_non_null(strstr((char *)f->w.reply.body.p, rows[i].text));
        assert_null(strstr((char *)f->w.reply.body.p, "4711"));
        assert_non_null(strstr(f->w.log, "case 4711"));
    }
    stand(f, IDV_STANDING_NORMAL, "");
    assert_int_equal(send(f), 200);
}

static void reason_told(void **state) /* R-M-35 */
{
    struct fixture *f = *state;
    f->w.masa_conf.tell_reason = true;
    world_configure(&f->w);
    seal(f);
    stand(f, IDV_STANDING_STOLEN, "case 4711");
    refused(f, 403, "device-stolen");
    assert_non_null(
        strstr((char *)f->w.reply.body.p, "reported stolen: case 4711"));
}

/* R-M-35: the next owner's claim, and the log is the same as ever */
static void given_away(void **state)
{
    struct fixture *f = *state;
    sell_to_domain(f);
    seal(f);
    assert_int_equal(send(f), 200);
    stand(f, IDV_STANDING_TRANSFERRED, "resold");
    f->rvr.created_on++;
    seal(f);
    assert_int_equal(send(f), 403);
    assert_true(world_why(&f->w, "device-transferred"));
    sell_to_domain(f);
    assert_int_equal(send(f), 200);
    assert_int_equal(world_events(&f->w), 2);
}

static void sold_elsewhere(void **state) /* R-M-35 */
{
    struct fixture *f = *state;
    seal(f);
    pki_must(idv_db_device_owner(f->w.masa_db, idv_str(""), PKI_SERIAL,
                                 "c29tZWJvZHkgZWxzZQ==", &test_by),
             "owner");
    refused(f, 403, "other-owner");
}

static void owner_by_name_only(void **state)
{
    struct fixture *f = *state;
    sell_to_domain(f);
    seal_by_namesake(f);
    refused(f, 403, "other-owner");
}

static void prior_of_other_maker(void **state) /* R-M-9 */
{
    struct fixture *f = *state;
    idv_buf_clear(&f->rvr.prior_signed);
    pki_seal(&f->pvr, &f->w.pki.rogue_idevid, f->w.pki.rogue_chain, false,
             &f->rvr.prior_signed);
    seal(f);
    refused(f, 403, "prior-signature");
}

static void prior_of_other_device(void **state) /* R-S-6 */
{
    struct fixture *f = *state;
    struct idv_cert_spec spec = {.kind = IDV_CERT_IDEVID,
                                 .serial_number = "OTHER"};
    struct pki_id other =
        pki_issue(&f->w.pki, "P-256", &spec, &f->w.pki.maker_ca);
    idv_buf_clear(&f->rvr.prior_signed);
    pki_seal(&f->pvr, &other, f->w.pki.idevid_chain, false,
             &f->rvr.prior_signed);
    seal(f);
    refused(f, 403, "prior-signer");
    pki_id_free(&other);
}

static void prior_serial(void **state) /* R-S-6 */
{
    struct fixture *f = *state;
    strcpy(f->pvr.serial_number, "OTHER");
    idv_buf_clear(&f->rvr.prior_signed);
    pki_seal(&f->pvr, &f->w.pki.idevid, f->w.pki.idevid_chain, false,
             &f->rvr.prior_signed);
    seal(f);
    refused(f, 403, "prior-serial");
}

static void prior_nonce(void **state) /* R-M-11, R-S-7 */
{
    struct fixture *f = *state;
    strcpy(f->rvr.nonce, "AAAAAAAAAAAAAAAAAAAAAA==");
    seal(f);
    refused(f, 403, "prior-nonce");
}

static void prior_garbage(void **state)
{
    struct fixture *f = *state;
    idv_buf_clear(&f->rvr.prior_signed);
    pki_must(idv_buf_puts(&f->rvr.prior_signed, "garbage"), "put");
    seal(f);
    refused(f, 403, "prior-container");
}

static void prior_not_a_request(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    pki_voucher(&f->w.pki, &f->pvr, f->w.pki.domain_ca.cert, &v);
    idv_buf_clear(&f->rvr.prior_signed);
    pki_seal(&v, &f->w.pki.idevid, f->w.pki.idevid_chain, false,
             &f->rvr.prior_signed);
    seal(f);
    refused(f, 403, "prior-content");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(issues),
        T(pins_registrar),
        T(names_issuer),
        T(issuer_as_sequence),
        T(logged_only),
        T(no_proximity_for_rogue),
        T(near_by_key),
        T(no_proof_no_proximity),
        T(owner_verified),
        T(registered_cert),
        T(nonceless_refused),
        T(nonceless_issued),
        T(nonceless_capped),
        T(nonceless_within_all),
        T(wrong_types),
        T(wrong_accept),
        T(malformed),
        T(not_a_request),
        T(tampered),
        T(blocked_registrar),
        T(stale),
        T(unknown_device),
        T(no_bearer),
        T(other_issuer),
        T(blocked_device),
        T(not_in_good_standing),
        T(reason_told),
        T(given_away),
        T(sold_elsewhere),
        T(owner_by_name_only),
        T(prior_of_other_maker),
        T(prior_of_other_device),
        T(prior_serial),
        T(prior_nonce),
        T(prior_garbage),
        T(prior_not_a_request),
    };
    return STORES_RUN(tests);
}
