/* SPDX-License-Identifier: Apache-2.0 */
/* JWS containers as others may make them: what is read all the same, and what
 * is refused. */
#include "tests/unit/jws.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>

/* --- as others may make them ---------------------------------------------- */

/* What is signed, and the JSON around it. */
struct odd {
    const char *head;   /* @1: the MASA's certificate */
    const char *around; /* @1 payload, @2 protected, @3 signature */
};
#define GENERAL                                                                \
    "\"payload\":\"@1\",\"signatures\":[{\"protected\":\"@2\","                \
    "\"signature\":\"@3\"}]}"

static void put_x5c(const X509 *cert, struct idv_buf *out)
{
    IDV_AUTO(buf) der = {0};
    OK(idv_cert_to_der(cert, &der));
    OK(idv_base64_from_bytes(idv_view(&der), 0, out));
}

static void put_es256(EVP_PKEY *key, struct idv_bytes input, bool high,
                      struct idv_buf *raw)
{
    uint8_t der[80], *to;
    size_t n = sizeof(der);
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, der, &n, input.p, input.n), 1);
    const uint8_t *p = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
    BIGNUM *order = NULL, *s = BN_dup(ECDSA_SIG_get0_s(sig));
    assert_int_equal(
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_ORDER, &order), 1);
    BIGNUM *other = BN_dup(order);
    assert_int_equal(BN_sub(other, order, s), 1);
    if (high == (BN_cmp(other, s) > 0))
        BN_swap(other, s);
    OK(idv_buf_room(raw, 64, &to));
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), to, 32), 32);
    assert_int_equal(BN_bn2binpad(s, to + 32, 32), 32);
    raw->n += 64;
    BN_free(s);
    BN_free(other);
    BN_free(order);
    ECDSA_SIG_free(sig);
}

/* text with @1, @2, @3 replaced */
static void expand(const char *text, const struct idv_buf *const by[],
                   struct idv_buf *out)
{
    for (const char *p = text; *p; p++) {
        if (*p == '@')
            OK(idv_buf_put(out, idv_view(by[*++p - '1'])));
        else
            OK(idv_buf_put(out, idv_bytes(p, 1)));
    }
}

static void make_odd(const struct odd *odd, bool high, struct idv_buf *out)
{
    IDV_AUTO(buf) x5c = {0};
    IDV_AUTO(buf) head = {0};
    IDV_AUTO(buf) head64 = {0};
    IDV_AUTO(buf) body64 = {0};
    IDV_AUTO(buf) input = {0};
    IDV_AUTO(buf) raw = {0};
    IDV_AUTO(buf) sig64 = {0};
    put_x5c(pki.masa.cert, &x5c);
    expand(odd->head, (const struct idv_buf *[]){&x5c}, &head);
    OK(idv_base64url_from_bytes(idv_view(&head), &head64));
    OK(idv_base64url_from_bytes(payload, &body64));
    OK(idv_buf_putf(&input, "%s.%s", head64.p, body64.p));
    put_es256(pki.masa.key, idv_view(&input), high, &raw);
    OK(idv_base64url_from_bytes(idv_view(&raw), &sig64));
    expand(odd->around ? odd->around : "{" GENERAL,
           (const struct idv_buf *[]){&body64, &head64, &sig64}, out);
}

#define X5C "\"x5c\":[\"@1\"]"
#define ES256 "{\"alg\":\"ES256\"," X5C "}"

/* unknown members of any of the three objects are ignored, order and blanks
 * are free, typ may be absent; s may be the greater of the two */
static void accepts(void **state)
{
    static const struct odd good[] = {
        {ES256, NULL},
        {"{\"typ\":\"voucher-jws+json\"," X5C ",\"alg\":\"ES256\"}", NULL},
        {" { \"alg\" : \"ES256\" ,\n\"kid\":\"x\",\"new\":{\"a\":[1]},"
         "\"jku\":\"https://other.example\"," X5C "}\n",
         NULL},
        {ES256,
         "\n{ \"signatures\" : [ { \"signature\":\"@3\", \"new\":1,\n"
         "\"protected\":\"@2\" } ], \"other\":null, \"payload\":\"@1\"}\n"},
    };
    (void)state;
    for (size_t i = 0; i < 2 * sizeof(good) / sizeof(*good); i++) {
        IDV_AUTO(buf) b = {0};
        IDV_AUTO(opened) o = {0};
        make_odd(&good[i / 2], i % 2, &b);
        assert_string_equal(idv_envelope_guess(idv_view(&b)), MEDIA);
        OK(open_buf(&b, &o));
        assert_true(idv_bytes_eq(idv_view(&o.payload), payload));
        OK(verify(&o, pki.anchors));
    }
}

struct refusal {
    struct odd odd;
    idv_rc rc;
    const char *note;
};

static void refuse_all(const struct refusal *bad, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        IDV_AUTO(buf) b = {0};
        IDV_AUTO(opened) o = {0};
        make_odd(&bad[i].odd, false, &b);
        FAILS(bad[i].rc, bad[i].note, open_buf(&b, &o));
        assert_null(o.native);
        assert_null(o.certs);
    }
}
#define REFUSE_ALL(bad) refuse_all(bad, sizeof(bad) / sizeof(*(bad)))

/* R-S-19: what the signed header asks for */
static void refuses_headers(void **state)
{
    static const struct refusal bad[] = {
        {{"{\"alg\":\"none\"," X5C "}", NULL}, IDV_E_REJECT, "'none'"},
        {{"{\"alg\":\"HS256\"," X5C "}", NULL}, IDV_E_REJECT, "'HS256'"},
        {{"{\"alg\":\"RS1\"," X5C "}", NULL}, IDV_E_REJECT, "'RS1'"},
        {{"{\"alg\":\"es256\"," X5C "}", NULL}, IDV_E_REJECT, "'es256'"},
        {{"{\"alg\":\"ES256K\"," X5C "}", NULL}, IDV_E_REJECT, "'ES256K'"},
        {{"{\"alg\":256," X5C "}", NULL}, IDV_E_FORMAT, "no alg"},
        {{"{" X5C "}", NULL}, IDV_E_FORMAT, "no alg"},
        {{"{\"alg\":\"ES256\",\"typ\":\"JWT\"," X5C "}", NULL},
         IDV_E_REJECT,
         "typ 'JWT'"},
        {{"{\"alg\":\"ES256\",\"typ\":1," X5C "}", NULL}, IDV_E_REJECT, "typ"},
        {{"{\"alg\":\"ES256\",\"crit\":[\"b64\"],\"b64\":false," X5C "}", NULL},
         IDV_E_REJECT,
         "crit 'b64'"},
        {{"{\"alg\":\"ES256\",\"crit\":[]," X5C "}", NULL},
         IDV_E_REJECT,
         "crit"},
        {{"[\"ES256\",\"@1\"]", NULL}, IDV_E_FORMAT, "no object"},
        {{"\"@1\"", NULL}, IDV_E_FORMAT, "no object"},
        {{"{\"alg\":\"ES256\"," X5C, NULL}, IDV_E_FORMAT, "protected header"},
        {{ES256 "x", NULL}, IDV_E_FORMAT, "protected header"},
    };
    (void)state;
    REFUSE_ALL(bad);
}

/* R-S-16, R-P-94 */
static void refuses_json(void **state)
{
    static const struct refusal bad[] = {
        {{"{\"alg\":\"ES256\",\"alg\":\"none\"," X5C "}", NULL},
         IDV_E_FORMAT,
         "duplicate"},
        {{"{\"alg\":\"ES256\",\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]," X5C "}",
          NULL},
         IDV_E_LIMIT,
         "deeper"},
        {{ES256, "{\"payload\":\"\"," GENERAL}, IDV_E_FORMAT, "JWS"},
        {{ES256, "{" GENERAL "x"}, IDV_E_FORMAT, "JWS"},
        {{ES256, "{" GENERAL "{" GENERAL}, IDV_E_FORMAT, "JWS"},
        {{ES256, "[{" GENERAL "]"}, IDV_E_FORMAT, "general"},
        {{ES256, "@2.@1.@3"}, IDV_E_FORMAT, "general"},
        {{ES256, "{\"x\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]," GENERAL},
         IDV_E_LIMIT,
         "deeper"},
    };
    (void)state;
    REFUSE_ALL(bad);
}

/* the serializations that are not the general one, and what stands unsigned */
static void refuses_shapes(void **state)
{
#define SIGNATURE "{\"protected\":\"@2\",\"signature\":\"@3\"}"
    static const struct refusal bad[] = {
        {{ES256, "{\"payload\":\"@1\",\"protected\":\"@2\","
                 "\"signature\":\"@3\"}"},
         IDV_E_FORMAT,
         "flattened"},
        {{ES256, "{\"payload\":\"@1\",\"signatures\":[" SIGNATURE "],"
                 "\"signature\":\"@3\"}"},
         IDV_E_FORMAT,
         "flattened"},
        {{ES256, "{\"payload\":\"@1\",\"header\":{\"alg\":\"none\"},"
                 "\"signatures\":[" SIGNATURE "]}"},
         IDV_E_FORMAT,
         "flattened"},
        {{ES256, "{\"payload\":\"@1\",\"signatures\":[{\"header\":{},"
                 "\"protected\":\"@2\",\"signature\":\"@3\"}]}"},
         IDV_E_REJECT,
         "not signed"},
        {{ES256,
          "{\"payload\":\"@1\",\"signatures\":[" SIGNATURE "," SIGNATURE "]}"},
         IDV_E_REJECT,
         "2 signers"},
        {{ES256, "{\"payload\":\"@1\",\"signatures\":[]}"},
         IDV_E_FORMAT,
         "no signer"},
        {{ES256, "{\"payload\":\"@1\",\"signatures\":" SIGNATURE "}"},
         IDV_E_FORMAT,
         "no signer"},
        {{ES256, "{\"payload\":\"@1\"}"}, IDV_E_FORMAT, "no signer"},
        {{ES256, "{\"payload\":\"@1\",\"signatures\":[7]}"},
         IDV_E_FORMAT,
         "no protected"},
        {{ES256, "{\"payload\":\"@1\",\"signatures\":[{\"signature\":"
                 "\"@3\"}]}"},
         IDV_E_FORMAT,
         "no protected"},
        {{ES256, "{\"payload\":\"@1\",\"signatures\":[{\"protected\":"
                 "\"@2\"}]}"},
         IDV_E_FORMAT,
         "no signature"},
        {{ES256, "{\"signatures\":[" SIGNATURE "]}"},
         IDV_E_FORMAT,
         "no payload"},
        {{ES256, "{\"payload\":\"\",\"signatures\":[" SIGNATURE "]}"},
         IDV_E_FORMAT,
         "no payload"},
        {{ES256, "{\"payload\":{\"a\":1},\"signatures\":[" SIGNATURE "]}"},
         IDV_E_FORMAT,
         "no payload"},
    };
    (void)state;
    REFUSE_ALL(bad);
}

/* one text for the same bytes; nothing blank, padded or of the other alphabet
 * (payload: eyJhIjoxfQ, whose last character has four bits to spare) */
static void refuses_base64url(void **state)
{
#define TAIL "\",\"signatures\":[" SIGNATURE "]}"
    static const struct refusal bad[] = {
        {{ES256, "{\"payload\":\"@1==" TAIL}, IDV_E_FORMAT, "payload"},
        {{ES256, "{\"payload\":\"@1\\n" TAIL}, IDV_E_FORMAT, "payload"},
        {{ES256, "{\"payload\":\" @1" TAIL}, IDV_E_FORMAT, "payload"},
        {{ES256, "{\"payload\":\"eyJhIjoxfR" TAIL}, IDV_E_FORMAT, "payload"},
        {{ES256, "{\"payload\":\"eyJhIjo+fQ" TAIL}, IDV_E_FORMAT, "payload"},
        {{ES256, "{\"payload\":\"eyJhIjo/fQ" TAIL}, IDV_E_FORMAT, "payload"},
        {{ES256, "{\"payload\":\"eyJhIjoxf" TAIL}, IDV_E_FORMAT, "payload"},
        {{ES256, "{\"payload\":\"@1\",\"signatures\":[{\"protected\":"
                 "\"@2=\",\"signature\":\"@3\"}]}"},
         IDV_E_FORMAT,
         "protected header"},
        {{ES256, "{\"payload\":\"@1\",\"signatures\":[{\"protected\":"
                 "\"@2\",\"signature\":\"@3==\"}]}"},
         IDV_E_FORMAT,
         "signature"},
    };
    (void)state;
    REFUSE_ALL(bad);
}

static void refuses_x5c(void **state)
{
    static const struct refusal bad[] = {
        {{"{\"alg\":\"ES256\",\"x5c\":\"@1\"}", NULL}, IDV_E_FORMAT, "x5c"},
        {{"{\"alg\":\"ES256\",\"x5c\":[],\"y\":\"@1\"}", NULL},
         IDV_E_FORMAT,
         "x5c"},
        {{"{\"alg\":\"ES256\",\"x5c\":[\"@1\",7]}", NULL}, IDV_E_FORMAT, "x5c"},
        {{"{\"alg\":\"ES256\",\"x5c\":[\"@1\",\"\"]}", NULL},
         IDV_E_FORMAT,
         "x5c"},
        {{"{\"alg\":\"ES256\",\"x5c\":[\"@1\",\"MAA_\"]}", NULL},
         IDV_E_FORMAT,
         "x5c"},
        {{"{\"alg\":\"ES256\",\"x5c\":[\"@1\\n\"]}", NULL},
         IDV_E_FORMAT,
         "x5c"},
        {{"{\"alg\":\"ES256\",\"x5c\":[\"@1\",\"MAAA\"]}", NULL},
         IDV_E_FORMAT,
         "x5c"},
    };
    (void)state;
    REFUSE_ALL(bad);
}

/* R-S-21: r and s in full, nothing more */
static void refuses_lengths(void **state)
{
    static const size_t lengths[] = {0, 1, 32, 63, 65, 70, 71, 72, 96, 132};
    static const char *const algs[] = {"ES256", "RS256"};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof(lengths) / sizeof(*lengths); i++) {
        IDV_AUTO(buf) b = {0};
        IDV_AUTO(buf) raw = {0};
        IDV_AUTO(buf) sig = {0};
        IDV_AUTO(opened) o = {0};
        char head[64], around[512];
        uint8_t *room;
        OK(idv_buf_room(&raw, lengths[i / 2], &room));
        memset(room, 1, lengths[i / 2]);
        raw.n = lengths[i / 2];
        OK(idv_base64url_from_bytes(idv_view(&raw), &sig));
        snprintf(head, sizeof(head), "{\"alg\":\"%s\"," X5C "}", algs[i % 2]);
        snprintf(around, sizeof(around),
                 "{\"payload\":\"@1\",\"signatures\":[{\"protected\":"
                 "\"@2\",\"signature\":\"%s\"}]}",
                 (const char *)sig.p);
        make_odd(&(struct odd){head, around}, false, &b);
        FAILS(IDV_E_FORMAT, "signature", open_buf(&b, &o));
    }
}

/* zero is no r, and no s; whatever the length */
static void refuses_zero(void **state)
{
    (void)state;
    for (int half = 0; half < 2; half++) {
        IDV_AUTO(buf) b = {0};
        IDV_AUTO(buf) sig = {0};
        IDV_AUTO(opened) o = {0};
        uint8_t raw[64] = {0};
        char around[512];
        raw[half * 32 + 31] = 1;
        OK(idv_base64url_from_bytes(idv_bytes(raw, 64), &sig));
        snprintf(around, sizeof(around),
                 "{\"payload\":\"@1\",\"signatures\":[{\"protected\":"
                 "\"@2\",\"signature\":\"%s\"}]}",
                 (const char *)sig.p);
        make_odd(&(struct odd){ES256, around}, false, &b);
        OK(open_buf(&b, &o));
        FAILS(IDV_E_REJECT, "signature", verify(&o, pki.anchors));
    }
}

/* RFC 7518 section 3.4: an algorithm has its curve, an RSA key its bits */
static void algorithm_and_key(void **state)
{
    static const char *const algs[] = {"ES384", "ES512", "RS256", "PS256"};
    struct pki_id small = certified(rsa_key("RSA", 2048));
    IDV_AUTO_PTR(EVP_PKEY) weak = rsa_key("RSA", 1024);
    IDV_AUTO_PTR(EVP_PKEY) koblitz = EVP_EC_gen("secp256k1");
    IDV_AUTO(buf) b = {0};
    IDV_AUTO(opened) o = {0};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        IDV_AUTO(buf) named = {0};
        IDV_AUTO(opened) other = {0};
        char head[64];
        snprintf(head, sizeof(head), "{\"alg\":\"%s\"," X5C "}", algs[i]);
        make_odd(&(struct odd){head, NULL}, false, &named);
        FAILS(IDV_E_FORMAT, algs[i], open_buf(&named, &other));
    }
    make_odd(&(struct odd){ES256, NULL}, false, &b);
    OK(open_buf(&b, &o));
    OK(idv_envelope_verify_key(&o, pki.masa.key));
    FAILS(IDV_E_REJECT, "ES256 does not", idv_envelope_verify_key(&o, koblitz));
    FAILS(IDV_E_REJECT, "ES256 does not",
          idv_envelope_verify_key(&o, small.key));
    idv_opened_free(&o);
    idv_buf_clear(&b);
    seal(&small, NULL, &b);
    OK(open_buf(&b, &o));
    OK(idv_envelope_verify_key(&o, small.key));
    FAILS(IDV_E_REJECT, "RS256 does not", idv_envelope_verify_key(&o, weak));
    FAILS(IDV_E_REJECT, "RS256 does not",
          idv_envelope_verify_key(&o, pki.masa.key));
    pki_id_free(&small);
}

/* without x5c, the key must come from elsewhere (a TLS client's, say) */
static void signer_outside(void **state)
{
    IDV_AUTO(buf) b = {0};
    IDV_AUTO(opened) o = {0};
    (void)state;
    make_odd(&(struct odd){"{\"alg\":\"ES256\",\"kid\":\"@1\"}", NULL}, false,
             &b);
    OK(open_buf(&b, &o));
    assert_null(o.signer);
    OK(idv_envelope_verify_key(&o, pki.masa.key));
    FAILS(IDV_E_REJECT, "signer", verify(&o, pki.anchors));
    FAILS(IDV_E_REJECT, "signer",
          idv_envelope_verify_signature(&o, pki.anchors));
}

/* the first certificate is the signer's, and no other */
static void signer_first(void **state)
{
    IDV_AUTO(buf) b = {0};
    IDV_AUTO(buf) x5c = {0};
    IDV_AUTO(opened) o = {0};
    char head[8192];
    (void)state;
    put_x5c(pki.maker_root.cert, &x5c);
    snprintf(head, sizeof(head), "{\"alg\":\"ES256\",\"x5c\":[\"%s\",\"@1\"]}",
             (const char *)x5c.p);
    make_odd(&(struct odd){head, NULL}, false, &b);
    OK(open_buf(&b, &o));
    FAILS(IDV_E_REJECT, "signature", verify(&o, pki.anchors));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts),           cmocka_unit_test(refuses_headers),
        cmocka_unit_test(refuses_json),      cmocka_unit_test(refuses_shapes),
        cmocka_unit_test(refuses_base64url), cmocka_unit_test(refuses_x5c),
        cmocka_unit_test(refuses_lengths),   cmocka_unit_test(refuses_zero),
        cmocka_unit_test(algorithm_and_key), cmocka_unit_test(signer_outside),
        cmocka_unit_test(signer_first),
    };
    return cmocka_run_group_tests(tests, jws_setup, jws_teardown);
}
