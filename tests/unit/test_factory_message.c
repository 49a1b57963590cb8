/* SPDX-License-Identifier: Apache-2.0 */
/* The line's two messages: there and back, every bound, who signed; and the
 * words beside them. */
#include "tests/unit/codec.h"

#include <idevid/codec.h>
#include <idevid/factory.h>

#include "tests/lib/pki.h"

static struct pki pki;

/* --- a request ------------------------------------------------------------ */

static void put(struct idv_buf *b, const char *text)
{
    OK(idv_buf_puts(b, text));
}

static void fill(struct idv_factory_request *r)
{
    *r = (struct idv_factory_request){
        .profile = IDV_PROFILE_LEAN,
        .type = IDV_KEY_P384,
        .order = "PO-1",
        .serial_number = "SN-7",
        .station = "station-3",
        .operator_ = "Åsa",
        .created_on = PKI_NOW,
        .rework = {1, 2, 3},
        .hw_serial = "49465800:00:01",
        .device = "IFX SLB9672 7.85",
    };
    memset(r->challenge, 0x5a, sizeof(r->challenge));
    memset(r->device_id, 0x11, sizeof(r->device_id));
    put(&r->tcg_csr, "tcg csr");
    put(&r->csr, "csr");
    put(&r->ek_cert, "certificate");
    put(&r->ek_public, "public area");
}

static bool same(const struct idv_buf *a, const struct idv_buf *b)
{
    return idv_bytes_eq(idv_view(a), idv_view(b));
}

static void is_same(const struct idv_factory_request *a,
                    const struct idv_factory_request *b)
{
    assert_int_equal(a->profile, b->profile);
    assert_int_equal(a->type, b->type);
    assert_string_equal(a->order, b->order);
    assert_string_equal(a->serial_number, b->serial_number);
    assert_string_equal(a->station, b->station);
    assert_string_equal(a->operator_, b->operator_);
    assert_string_equal(a->hw_serial, b->hw_serial);
    assert_string_equal(a->device, b->device);
    assert_int_equal(a->created_on, b->created_on);
    assert_memory_equal(a->rework, b->rework, sizeof(a->rework));
    assert_memory_equal(a->challenge, b->challenge, 32);
    assert_memory_equal(a->device_id, b->device_id, 32);
    assert_true(same(&a->tcg_csr, &b->tcg_csr) && same(&a->csr, &b->csr));
    assert_true(same(&a->ek_cert, &b->ek_cert));
    assert_true(same(&a->ek_public, &b->ek_public));
}

static void request_there_and_back(void **state)
{
    struct idv_factory_request r, back = {0};
    IDV_AUTO(buf) json = {0};
    IDV_AUTO(buf) again = {0};
    (void)state;
    fill(&r);
    OK(idv_factory_request_to_json(&r, &json));
    OK(idv_factory_request_from_json(idv_view(&json), &back));
    is_same(&r, &back);
    OK(idv_factory_request_to_json(&back, &again));
    assert_true(same(&json, &again));
    idv_factory_request_free(&r);
    idv_factory_request_free(&back);
}

static void request_may_be_short(void **state)
{
    struct idv_factory_request r = {.order = "O",
                                    .serial_number = "1",
                                    .station = "s",
                                    .challenge = {1},
                                    .created_on = 1};
    struct idv_factory_request back = {0};
    IDV_AUTO(buf) json = {0};
    (void)state;
    OK(idv_factory_request_to_json(&r, &json));
    assert_null(strstr((char *)json.p, "rework"));
    assert_null(strstr((char *)json.p, "csr"));
    OK(idv_factory_request_from_json(idv_view(&json), &back));
    is_same(&r, &back);
}

static void request_needs(void **state)
{
    struct idv_factory_request r;
    IDV_AUTO(buf) json = {0};
    (void)state;
    fill(&r);
    r.order[0] = '\0';
    FAILS(IDV_E_ARG, "no order", idv_factory_request_to_json(&r, &json));
    strcpy(r.order, "a\nb");
    FAILS(IDV_E_ARG, "order is no text",
          idv_factory_request_to_json(&r, &json));
    strcpy(r.order, "ab");
    memset(r.challenge, 0, 32);
    FAILS(IDV_E_ARG, "no challenge", idv_factory_request_to_json(&r, &json));
    assert_int_equal(json.n, 0);
    idv_factory_request_free(&r);
}

#define C32 "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define HEAD                                                                   \
    "{\"profile\":\"tcg\",\"type\":\"P-256\",\"created-on\":"                  \
    "\"2026-11-22T00:00:00Z\","
#define NAMES "\"order\":\"O\",\"serial-number\":\"S\",\"station\":\"T\","
#define BODY NAMES "\"challenge\":\"" C32 "\""

static void refused(idv_rc rc, const char *part, const char *json)
{
    struct idv_factory_request r = {.order = "untouched"};
    FAILS(rc, part, idv_factory_request_from_json(idv_str(json), &r));
    assert_string_equal(r.order, "untouched");
}

static void request_is_judged(void **state)
{
    struct idv_factory_request r = {0};
    (void)state;
    OK(idv_factory_request_from_json(idv_str(HEAD BODY ",\"unknown\":[1]}"),
                                     &r));
    idv_factory_request_free(&r);
    refused(IDV_E_FORMAT, "request", "[]");
    refused(IDV_E_FORMAT, "request", "");
    refused(IDV_E_FORMAT, "duplicate", HEAD BODY ",\"order\":\"P\"}");
    refused(IDV_E_FORMAT, "profile", "{\"profile\":\"other\"," BODY "}");
    refused(IDV_E_FORMAT, "profile", "{" BODY "}");
    refused(IDV_E_FORMAT, "type", "{\"profile\":\"tcg\",\"type\":7," BODY "}");
    refused(
        IDV_E_FORMAT, "created-on",
        "{\"profile\":\"tcg\",\"type\":\"P-256\",\"created-on\":\"now\"," BODY
        "}");
    refused(IDV_E_FORMAT, "rework of 3 bytes",
            HEAD BODY ",\"rework\":\"AAAA\"}");
    refused(IDV_E_FORMAT, "no challenge",
            HEAD "\"order\":\"O\","
                 "\"serial-number\":\"S\",\"station\":\"T\"}");
    refused(IDV_E_FORMAT, "challenge of 3 bytes",
            HEAD NAMES "\"challenge\":\"AAAA\"}");
    refused(IDV_E_FORMAT, "challenge is not base64",
            HEAD NAMES "\"challenge\":\"!\"}");
    refused(IDV_E_FORMAT, "order is not a string",
            HEAD "\"order\":1,\"challenge\":\"" C32 "\"}");
    refused(IDV_E_FORMAT, "control", HEAD BODY ",\"operator\":\"a\\u0007\"}");
    refused(IDV_E_LIMIT, "operator of 65 bytes",
            HEAD BODY ",\"operator\":\"0123456789012345678901234567890123456789"
                      "0123456789012345678901234\"}");
}

static void request_is_bounded(void **state)
{
    struct idv_factory_request r;
    IDV_AUTO(buf) json = {0};
    uint8_t *more;
    (void)state;
    fill(&r);
    OK(idv_buf_room(&r.tcg_csr, IDV_MAX_TCG_CSR, &more));
    r.tcg_csr.n = IDV_MAX_TCG_CSR;
    OK(idv_factory_request_to_json(&r, &json));
    r.tcg_csr.n++;
    idv_buf_clear(&json);
    FAILS(IDV_E_ARG, "tcg-csr of more", idv_factory_request_to_json(&r, &json));
    idv_factory_request_free(&r);

    put(&json, HEAD BODY ",\"ek-public\":\"");
    for (int i = 0; i < 400; i++)
        put(&json, "AAAA");
    put(&json, "\"}");
    refused(IDV_E_LIMIT, "ek-public of more", (char *)json.p);
    idv_buf_clear(&json);
    OK(idv_buf_room(&json, 70000, &more));
    memset(more, ' ', 70000);
    json.n = 70000;
    FAILS(IDV_E_LIMIT, "request",
          idv_factory_request_from_json(idv_view(&json), &r));
}

/* --- the CMS -------------------------------------------------------------- */

static struct pki_id station(const char *name, const struct pki_id *issuer)
{
    struct idv_cert_spec spec = {.kind = IDV_CERT_LDEVID, .common_name = name};
    return pki_issue(&pki, "P-256", &spec, issuer);
}

static void sealed(const struct pki_id *id, struct idv_buf *cms)
{
    struct idv_factory_request r;
    fill(&r);
    OK(idv_factory_request_seal(&r, id->key, id->cert, NULL, cms));
    idv_factory_request_free(&r);
}

static void opens(struct idv_buf *cms, const STACK_OF(X509) * anchors,
                  const struct pki_id *by)
{
    struct idv_factory_request r, back = {0};
    IDV_AUTO_PTR(X509) signer = NULL;
    fill(&r);
    OK(idv_factory_request_open(idv_view(cms), anchors, true, PKI_NOW, &back,
                                &signer));
    assert_true(idv_cert_eq(signer, by->cert));
    is_same(&r, &back);
    idv_factory_request_free(&r);
    idv_factory_request_free(&back);
}

static void station_signs(void **state)
{
    struct pki_id id = station("station-3", &pki.domain_ca);
    IDV_AUTO_PTR(idv_certs) anchors = pki_stack(pki.domain_ca.cert, NULL);
    IDV_AUTO_PTR(idv_certs) itself = pki_stack(id.cert, NULL);
    IDV_AUTO(buf) cms = {0};
    struct idv_factory_request r = {0};
    (void)state;
    sealed(&id, &cms);
    opens(&cms, anchors, &id);
    opens(&cms, itself, &id);
    FAILS(IDV_E_REJECT, "request",
          idv_factory_request_open(idv_view(&cms), pki.anchors, true, PKI_NOW,
                                   &r, NULL));
    FAILS(IDV_E_REJECT, "expired",
          idv_factory_request_open(idv_view(&cms), anchors, true,
                                   PKI_NOW + 500 * (int64_t)PKI_DAY, &r, NULL));
    FAILS(IDV_E_REJECT, "anchor",
          idv_factory_request_open(idv_view(&cms), NULL, true, PKI_NOW, &r,
                                   NULL));
    assert_int_equal(r.order[0], 0);
    pki_id_free(&id);
}

static void another_station_is_named(void **state)
{
    struct pki_id id = station("station-4", &pki.domain_ca);
    IDV_AUTO_PTR(idv_certs) anchors = pki_stack(pki.domain_ca.cert, NULL);
    IDV_AUTO(buf) cms = {0};
    struct idv_factory_request r = {0};
    (void)state;
    sealed(&id, &cms);
    FAILS(IDV_E_REJECT, "says station 'station-3'",
          idv_factory_request_open(idv_view(&cms), anchors, true, PKI_NOW, &r,
                                   NULL));
    pki_id_free(&id);
}

/* a bit turned anywhere: refused, or (in a certificate's signature, say, that
 * nobody looks at when it is the anchor) the same request */
static void altered_cms(void **state)
{
    struct pki_id id = station("station-3", &pki.domain_ca);
    IDV_AUTO_PTR(idv_certs) anchors = pki_stack(pki.domain_ca.cert, NULL);
    IDV_AUTO(buf) cms = {0};
    (void)state;
    sealed(&id, &cms);
    for (size_t i = 0; i < cms.n; i += 3) {
        struct idv_factory_request r, back = {0};
        cms.p[i] ^= 4;
        if (idv_factory_request_open(idv_view(&cms), anchors, true, PKI_NOW,
                                     &back, NULL) == IDV_OK) {
            fill(&r);
            is_same(&r, &back);
            idv_factory_request_free(&r);
            idv_factory_request_free(&back);
        } else {
            assert_true(*idv_note());
        }
        idv_note_clear();
        cms.p[i] ^= 4;
    }
    pki_id_free(&id);
}

static void too_long_a_cms(void **state)
{
    const size_t n = (size_t)16 << 20;
    uint8_t *all = calloc(1, n);
    struct idv_factory_request r = {0};
    (void)state;
    assert_non_null(all);
    FAILS(IDV_E_LIMIT, "16777216 bytes",
          idv_factory_request_open(idv_bytes(all, n), pki.anchors, true,
                                   PKI_NOW, &r, NULL));
    free(all);
}

/* --- a reply -------------------------------------------------------------- */

static const uint8_t secret[32] = {7, 7, 7};

static void reply(struct idv_factory_reply *r)
{
    *r = (struct idv_factory_reply){.profile = IDV_PROFILE_TCG,
                                    .order = "PO-1",
                                    .serial_number = "SN-7",
                                    .request_sha256 = {9},
                                    .next_challenge = {3},
                                    .has_next = true};
    put(&r->credential, "credential");
    put(&r->secret, "secret");
}

static void reply_sealed_and_opened(void **state)
{
    struct idv_factory_reply r, back = {0};
    IDV_AUTO(buf) json = {0};
    IDV_AUTO(buf) bag = {0};
    (void)state;
    reply(&r);
    OK(idv_factory_reply_seal(&r, idv_bytes(secret, 32), idv_str("the bag"),
                              &pki.env.env));
    OK(idv_factory_reply_to_json(&r, &json));
    OK(idv_factory_reply_from_json(idv_view(&json), &back));
    assert_int_equal(back.profile, IDV_PROFILE_TCG);
    assert_string_equal(back.serial_number, "SN-7");
    assert_memory_equal(back.request_sha256, r.request_sha256, 32);
    assert_true(back.has_next);
    assert_memory_equal(back.next_challenge, r.next_challenge, 32);
    OK(idv_factory_reply_open(&back, idv_bytes(secret, 32), &bag));
    assert_true(idv_bytes_eq(idv_view(&bag), idv_str("the bag")));
    idv_factory_reply_free(&r);
    idv_factory_reply_free(&back);
}

static void reply_opens_to_its_device_only(void **state)
{
    struct idv_factory_reply r;
    uint8_t other[32] = {7, 7, 8};
    IDV_AUTO(buf) bag = {0};
    struct idv_buf *parts[] = {&r.credential, &r.secret, &r.sealed};
    (void)state;
    reply(&r);
    OK(idv_factory_reply_seal(&r, idv_bytes(secret, 32), idv_str("the bag"),
                              &pki.env.env));
    FAILS(IDV_E_REJECT, "another device",
          idv_factory_reply_open(&r, idv_bytes(other, 32), &bag));
    FAILS(IDV_E_REJECT, "another device",
          idv_factory_reply_open(&r, idv_bytes(secret, 31), &bag));
    FAILS(IDV_E_ARG, "15 bytes",
          idv_factory_reply_open(&r, idv_bytes(secret, 15), &bag));
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; i < parts[k]->n; i++) {
            parts[k]->p[i] ^= 1;
            FAILS(IDV_E_REJECT, "altered",
                  idv_factory_reply_open(&r, idv_bytes(secret, 32), &bag));
            parts[k]->p[i] ^= 1;
        }
    }
    r.sealed.n = 28;
    FAILS(IDV_E_FORMAT, "28 sealed bytes",
          idv_factory_reply_open(&r, idv_bytes(secret, 32), &bag));
    assert_int_equal(bag.n, 0);
    idv_factory_reply_free(&r);
}

static void reply_forms(void **state)
{
    struct idv_factory_reply r, back = {0};
    IDV_AUTO(buf) json = {0};
    (void)state;
    reply(&r);
    FAILS(IDV_E_ARG, "neither sealed", idv_factory_reply_to_json(&r, &json));
    put(&r.bag, "bag");
    FAILS(IDV_E_ARG, "neither sealed", idv_factory_reply_to_json(&r, &json));
    idv_buf_free(&r.credential);
    idv_buf_free(&r.secret);
    r.has_next = false;
    OK(idv_factory_reply_to_json(&r, &json));
    OK(idv_factory_reply_from_json(idv_view(&json), &back));
    assert_false(back.has_next);
    assert_true(same(&r.bag, &back.bag));
    idv_factory_reply_free(&r);
    idv_factory_reply_free(&back);
    FAILS(IDV_E_FORMAT, "neither sealed",
          idv_factory_reply_from_json(
              idv_str("{\"profile\":\"tcg\",\"order\":\"O\","
                      "\"serial-number\":\"S\",\"request\":\"" C32 "\"}"),
              &back));
}

/* --- words ---------------------------------------------------------------- */

static void nonce_and_token(void **state)
{
    /* printf 'idevid-factory-1\0%s' 32 times 5a, 'PO-1\0SN-7' | sha256sum */
    static const char nonce_hex[] =
        "7d20579deeb80fb1b1da5d98b6a1d94167289c4e47975beeb5b240c29cef947d";
    static const char token_hex[] =
        "0766920802b230511e11efba19d1db3e3270a90c9a43f1b8b9a720dd95319cb8";
    uint8_t challenge[32], out[32];
    IDV_AUTO(buf) hex = {0};
    (void)state;
    memset(challenge, 0x5a, 32);
    idv_factory_nonce(challenge, "PO-1", "SN-7", out);
    OK(idv_hex_from_bytes(idv_bytes(out, 32), &hex));
    assert_string_equal((char *)hex.p, nonce_hex);
    idv_buf_clear(&hex);
    idv_factory_token_id("SoftHSM", "v2", "0001", out);
    OK(idv_hex_from_bytes(idv_bytes(out, 32), &hex));
    assert_string_equal((char *)hex.p, token_hex);
}

static void words(void **state)
{
    enum idv_factory_profile p;
    (void)state;
    for (int i = 0; i <= IDV_PROFILE_PLAIN; i++) {
        OK(idv_factory_profile_from_text(
            idv_factory_profile_to_text((enum idv_factory_profile)i), &p));
        assert_int_equal(p, i);
    }
    FAILS(IDV_E_ARG, "'TCG'", idv_factory_profile_from_text("TCG", &p));
    FAILS(IDV_E_ARG, "profile", idv_factory_profile_from_text(NULL, &p));
    for (int i = 0; i < IDV_WHYS; i++) {
        const char *advice = idv_factory_why_advice((enum idv_factory_why)i);
        const char *word = idv_factory_why_to_text((enum idv_factory_why)i);
        assert_true(strlen(advice) > 20 && advice[strlen(advice) - 1] == '.');
        for (int k = 0; k < i; k++)
            assert_string_not_equal(
                word, idv_factory_why_to_text((enum idv_factory_why)k));
    }
}

static int begin(void **state)
{
    (void)state;
    pki_make(&pki);
    return 0;
}

static int end(void **state)
{
    (void)state;
    pki_free(&pki);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_there_and_back),
        cmocka_unit_test(request_may_be_short),
        cmocka_unit_test(request_needs),
        cmocka_unit_test(request_is_judged),
        cmocka_unit_test(request_is_bounded),
        cmocka_unit_test(station_signs),
        cmocka_unit_test(another_station_is_named),
        cmocka_unit_test(altered_cms),
        cmocka_unit_test(too_long_a_cms),
        cmocka_unit_test(reply_sealed_and_opened),
        cmocka_unit_test(reply_opens_to_its_device_only),
        cmocka_unit_test(reply_forms),
        cmocka_unit_test(nonce_and_token),
        cmocka_unit_test(words),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
