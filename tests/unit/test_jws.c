/* SPDX-License-Identifier: Apache-2.0 */
/* JWS containers as we make them: sealed, opened, verified; cut and spoilt. */
#include "tests/unit/jws.h"

/* --- as we make them ------------------------------------------------------ */

/* a text member, base64url taken off */
static void member(const struct idv_json *of, const char *name,
                   struct idv_buf *out)
{
    const char *text = idv_json_text(idv_json_get(of, name));
    assert_non_null(text);
    idv_buf_clear(out);
    OK(idv_base64url_to_bytes(idv_str(text), out));
}

static void sealed_form(void **state)
{
    IDV_AUTO(buf) b = {0};
    IDV_AUTO(buf) part = {0};
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) x5c = {0};
    IDV_AUTO_PTR(idv_json) root = NULL;
    IDV_AUTO_PTR(idv_json) head = NULL;
    (void)state;
    seal(&pki.idevid, pki.idevid_chain, &b);
    assert_string_equal(idv_envelope_guess(idv_view(&b)), MEDIA);
    OK(idv_json_parse(idv_view(&b), 0, &root));
    assert_int_equal(idv_json_count(root), 2);
    member(root, "payload", &part);
    assert_true(idv_bytes_eq(idv_view(&part), payload));
    const struct idv_json *all = idv_json_get(root, "signatures");
    assert_int_equal(idv_json_count(all), 1);
    const struct idv_json *one = idv_json_at(all, 0, NULL);
    assert_int_equal(idv_json_count(one), 2);
    member(one, "signature", &part);
    assert_int_equal(part.n, 64);
    member(one, "protected", &part);
    OK(idv_json_parse(idv_view(&part), 0, &head));
    assert_int_equal(idv_json_count(head), 3);
    assert_string_equal(idv_json_text(idv_json_get(head, "alg")), "ES256");
    assert_string_equal(idv_json_text(idv_json_get(head, "typ")),
                        "voucher-jws+json");
    const struct idv_json *certs = idv_json_get(head, "x5c");
    assert_int_equal(idv_json_count(certs), 2);
    OK(idv_cert_to_der(pki.idevid.cert, &der));
    OK(idv_base64_from_bytes(idv_view(&der), 0, &x5c));
    assert_string_equal(idv_json_text(idv_json_at(certs, 0, NULL)),
                        (const char *)x5c.p);
}

static void opened_again(void **state)
{
    IDV_AUTO(buf) b = {0};
    IDV_AUTO(opened) o = {0};
    STACK_OF(X509) *rogue = pki_stack(pki.rogue_ca.cert, NULL);
    (void)state;
    seal(&pki.idevid, pki.idevid_chain, &b);
    OK(open_buf(&b, &o));
    assert_true(idv_bytes_eq(idv_view(&o.payload), payload));
    assert_true(o.signing_time == 0);
    assert_int_equal(sk_X509_num(o.certs), 2);
    assert_true(idv_cert_eq(o.signer, pki.idevid.cert));
    OK(verify(&o, pki.anchors));
    OK(idv_envelope_verify_key(&o, pki.idevid.key));
    FAILS(IDV_E_REJECT, "signature",
          idv_envelope_verify_key(&o, pki.rogue_idevid.key));
    FAILS(IDV_E_REJECT, "key", idv_envelope_verify_key(&o, NULL));
    FAILS(IDV_E_REJECT, "", verify(&o, rogue));
    FAILS(IDV_E_REJECT, "anchor", verify(&o, NULL));
    idv_certs_free(rogue);
}

static void has_alg(const struct idv_buf *b, const char *alg, size_t length)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    IDV_AUTO_PTR(idv_json) head = NULL;
    IDV_AUTO(buf) part = {0};
    OK(idv_json_parse(idv_view(b), 0, &root));
    const struct idv_json *one =
        idv_json_at(idv_json_get(root, "signatures"), 0, NULL);
    member(one, "signature", &part);
    assert_int_equal(part.n, length);
    member(one, "protected", &part);
    OK(idv_json_parse(idv_view(&part), 0, &head));
    assert_string_equal(idv_json_text(idv_json_get(head, "alg")), alg);
}

static void key_types(void **state)
{
    static const struct {
        const char *curve, *rsa, *alg;
        size_t length;
    } rows[] = {
        {"P-256", NULL, "ES256", 64},    {"P-384", NULL, "ES384", 96},
        {"P-521", NULL, "ES512", 132},   {NULL, "RSA", "RS256", 256},
        {NULL, "RSA-PSS", "PS256", 256},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        IDV_AUTO(buf) b = {0};
        IDV_AUTO(opened) o = {0};
        struct pki_id id =
            certified(rows[i].curve ? EVP_EC_gen(rows[i].curve)
                                    : rsa_key(rows[i].rsa, 2048));
        seal(&id, NULL, &b);
        has_alg(&b, rows[i].alg, rows[i].length);
        OK(open_buf(&b, &o));
        OK(verify(&o, pki.anchors));
        pki_id_free(&id);
    }
}

static void keys_refused(void **state)
{
    EVP_PKEY *keys[] = {
        EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
        EVP_EC_gen("P-224"),
        EVP_EC_gen("secp256k1"),
        EVP_EC_gen("brainpoolP256r1"),
        rsa_key("RSA", 1024),
    };
    IDV_AUTO(buf) b = {0};
    IDV_AUTO(buf) big = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        const struct idv_signer s = {.key = keys[i], .cert = pki.masa.cert};
        assert_non_null(keys[i]);
        FAILS(IDV_E_ARG, "key type", idv_envelope_seal(MEDIA, payload, &s, &b));
        EVP_PKEY_free(keys[i]);
    }
    const struct idv_signer other = {.key = pki.rogue.key,
                                     .cert = pki.masa.cert};
    FAILS(IDV_E_CRYPTO, "certificate's",
          idv_envelope_seal(MEDIA, payload, &other, &b));
    const struct idv_signer s = {.key = pki.masa.key, .cert = pki.masa.cert};
    uint8_t *room;
    OK(idv_buf_room(&big, IDV_MAX_BODY, &room));
    memset(room, 'x', IDV_MAX_BODY);
    big.n = IDV_MAX_BODY;
    FAILS(IDV_E_LIMIT, "at most",
          idv_envelope_seal(MEDIA, idv_view(&big), &s, &b));
    assert_int_equal(b.n, 0);
}

static void too_many_certs(void **state)
{
    (void)state;
    for (int n = IDV_MAX_CHAIN; n <= IDV_MAX_CHAIN + 1; n++) {
        IDV_AUTO(buf) b = {0};
        IDV_AUTO(opened) o = {0};
        STACK_OF(X509) *chain = sk_X509_new_null();
        for (int i = 1; i < n; i++) {
            X509_up_ref(pki.maker_ca.cert);
            sk_X509_push(chain, pki.maker_ca.cert);
        }
        seal(&pki.masa, chain, &b);
        if (n <= IDV_MAX_CHAIN)
            OK(open_buf(&b, &o));
        else
            FAILS(IDV_E_LIMIT, "11 certificates", open_buf(&b, &o));
        idv_certs_free(chain);
    }
}

static idv_rc whole(struct idv_bytes b)
{
    IDV_AUTO(opened) o = {0};
    IDV_TRY(idv_envelope_open(MEDIA, b, &o));
    return verify(&o, pki.anchors);
}

static void cut_and_spoilt(void **state)
{
    IDV_AUTO(buf) b = {0};
    (void)state;
    seal(&pki.masa, NULL, &b);
    OK(whole(idv_view(&b)));
    for (size_t n = 0; n < b.n; n++)
        FAILS(IDV_E_FORMAT, "JWS", whole(idv_bytes(b.p, n)));
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= (uint8_t)(1u << (i % 8));
        assert_int_not_equal(whole(idv_view(&b)), IDV_OK);
        idv_note_clear();
        b.p[i] ^= (uint8_t)(1u << (i % 8));
    }
    OK(whole(idv_view(&b)));
    uint8_t *room;
    OK(idv_buf_room(&b, IDV_MAX_BODY, &room));
    memset(room, ' ', IDV_MAX_BODY);
    OK(whole(idv_bytes(b.p, IDV_MAX_BODY)));
    FAILS(IDV_E_LIMIT, "65537", whole(idv_bytes(b.p, IDV_MAX_BODY + 1)));
}

static void forms(void **state)
{
    IDV_AUTO(buf) accept = {0};
    enum idv_encoding encoding;
    (void)state;
    assert_true(idv_envelope_known("application/voucher-JWS+json; v=1"));
    OK(idv_envelope_encoding(MEDIA, &encoding));
    assert_int_equal(encoding, IDV_ENC_JSON);
    assert_string_equal(idv_envelope_media("jws"), MEDIA);
    assert_string_equal(idv_envelope_media("cms"), IDV_MEDIA_VOUCHER_CMS);
    assert_null(idv_envelope_media("CMS"));
    OK(idv_envelope_accept(MEDIA, &accept));
    assert_string_equal((const char *)accept.p,
                        MEDIA ", " IDV_MEDIA_VOUCHER_CMS);
    FAILS(IDV_E_ARG, "media", idv_envelope_accept("text/plain", &accept));
    assert_null(idv_envelope_guess(
        idv_str("{\"ietf-voucher:voucher\":{\"payload\":1}}")));
    assert_null(idv_envelope_guess(idv_str("{\"a\":\"\\\"payload\\\"\"}")));
    assert_null(idv_envelope_guess(idv_str("[\"payload\"]")));
    assert_null(idv_envelope_guess(idv_str("{")));
    assert_null(idv_envelope_guess(idv_str("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_form),    cmocka_unit_test(opened_again),
        cmocka_unit_test(key_types),      cmocka_unit_test(keys_refused),
        cmocka_unit_test(too_many_certs), cmocka_unit_test(cut_and_spoilt),
        cmocka_unit_test(forms),
    };
    return cmocka_run_group_tests(tests, jws_setup, jws_teardown);
}
