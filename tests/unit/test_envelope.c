/* SPDX-License-Identifier: Apache-2.0 */
/* CMS containers: sealing, opening, verifying, and what is refused. */
#include "tests/unit/codec.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include <idevid/envelope.h>

#include "envelope/cms_certs.h"
#include "tests/lib/pki.h"

#define MEDIA IDV_MEDIA_VOUCHER_CMS
#define ANIMA "1.2.840.113549.1.9.16.1.40"

static struct pki pki;
static const struct idv_bytes payload = {(const uint8_t *)"{\"a\":1}", 7};

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

static void seal(const struct pki_id *id, const STACK_OF(X509) * chain,
                 int64_t t, bool id_data, struct idv_buf *out)
{
    struct idv_signer signer = {id->key, id->cert, chain, t, id_data};
    OK(idv_envelope_seal(MEDIA, payload, &signer, out));
}

static idv_rc open_buf(const struct idv_buf *b, struct idv_opened *o)
{
    return idv_envelope_open(MEDIA, idv_view(b), o);
}

static idv_rc verify(const struct idv_opened *o, STACK_OF(X509) * anchors,
                     STACK_OF(X509) * extra)
{
    struct idv_chain_policy policy = {
        .anchors = anchors,
        .extra = extra,
        .check_time = true,
        .now = PKI_NOW,
    };
    return idv_envelope_verify(o, &policy);
}

/* "openssl cms" reads what is sealed as anyone would */
static int version_of(const struct idv_buf *b)
{
    const uint8_t *p = b->p;
    static const uint8_t version[] = {0x02, 0x01};
    for (size_t i = 0; i + 3 < 40; i++)
        if (memcmp(p + i, version, 2) == 0)
            return p[i + 2];
    return -1;
}

static void sealed_form(void **state)
{
    (void)state;
    for (int id_data = 0; id_data < 2; id_data++) {
        IDV_AUTO(buf) b = {0};
        IDV_AUTO(opened) o = {0};
        seal(&pki.idevid, pki.idevid_chain, PKI_NOW, id_data, &b);
        assert_int_equal(version_of(&b), id_data ? 1 : 3);
        assert_string_equal(idv_envelope_guess(idv_view(&b)), MEDIA);
        OK(open_buf(&b, &o));
        assert_true(idv_bytes_eq(idv_view(&o.payload), payload));
        assert_true(o.signing_time == PKI_NOW);
        assert_int_equal(sk_X509_num(o.certs), 2);
        assert_true(idv_cert_eq(o.signer, pki.idevid.cert));
        OK(verify(&o, pki.anchors, NULL));
        OK(idv_envelope_verify_key(&o, pki.idevid.key));
        uint8_t *der = NULL;
        const uint8_t *p = b.p;
        CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)b.n);
        int n = i2d_CMS_ContentInfo(cms, &der);
        CMS_ContentInfo_free(cms);
        assert_true(idv_bytes_eq(idv_bytes(der, (size_t)n), idv_view(&b)));
        OPENSSL_free(der);
    }
}

static bool same_certs(const STACK_OF(X509) * a, const STACK_OF(X509) * b)
{
    if (sk_X509_num(a) != sk_X509_num(b))
        return false;
    for (int i = 0; i < sk_X509_num(a); i++) {
        if (!idv_cert_eq(sk_X509_value(a, i), sk_X509_value(b, i)))
            return false;
    }
    return true;
}

/* What is cut libcrypto reads as well, with the same certificates in it, and
 * without them it is the same. */
static bool cut_agrees(struct idv_bytes sealed)
{
    IDV_AUTO(buf) rest = {0};
    IDV_AUTO_PTR(idv_certs) cut = NULL;
    const uint8_t *p = sealed.p, *q;
    if (!idvi_cms_cut_certs(sealed, &rest, &cut))
        return false;
    IDV_AUTO_PTR(CMS_ContentInfo)
    whole = d2i_CMS_ContentInfo(NULL, &p, (long)sealed.n);
    q = rest.p;
    IDV_AUTO_PTR(CMS_ContentInfo)
    apart = d2i_CMS_ContentInfo(NULL, &q, (long)rest.n);
    ERR_clear_error();
    assert_int_equal(whole == NULL, apart == NULL);
    if (!whole)
        return true;
    STACK_OF(X509) *all = CMS_get1_certs(whole);
    assert_true(same_certs(all, cut));
    sk_X509_pop_free(all, X509_free);
    assert_null(CMS_get1_certs(apart));
    for (int i = 0; i < sk_X509_num(cut); i++)
        assert_int_equal(CMS_add1_cert(apart, sk_X509_value(cut, i)), 1);
    uint8_t *a = NULL, *b = NULL;
    int n = i2d_CMS_ContentInfo(whole, &a), m = i2d_CMS_ContentInfo(apart, &b);
    assert_true(idv_bytes_eq(idv_bytes(a, (size_t)n), idv_bytes(b, (size_t)m)));
    OPENSSL_free(a);
    OPENSSL_free(b);
    return true;
}

static void cut(void **state)
{
    IDV_AUTO(buf) b = {0};
    IDV_AUTO(buf) rest = {0};
    STACK_OF(X509) *none = NULL;
    (void)state;
    seal(&pki.idevid, pki.idevid_chain, PKI_NOW, false, &b);
    assert_true(cut_agrees(idv_view(&b)));
    for (size_t i = 0; i < b.n; i++) { /* spoilt, and cut off */
        assert_false(idvi_cms_cut_certs(idv_bytes(b.p, i), &rest, &none));
        b.p[i] ^= 0x21;
        (void)cut_agrees(idv_view(&b));
        b.p[i] ^= 0x21;
    }
    OK(idv_buf_put(&b, idv_str("x")));
    assert_false(idvi_cms_cut_certs(idv_view(&b), &rest, &none));
    assert_int_equal(rest.n, 0);
    assert_null(none);
}

/* an independent reader agrees, S/MIME capabilities and all */
static void libcrypto_agrees(void **state)
{
    IDV_AUTO(buf) b = {0};
    (void)state;
    seal(&pki.registrar, pki.tls_chain, PKI_NOW, false, &b);
    const uint8_t *p = b.p;
    IDV_AUTO_PTR(CMS_ContentInfo)
    cms = d2i_CMS_ContentInfo(NULL, &p, (long)b.n);
    IDV_AUTO_PTR(X509_STORE) store = X509_STORE_new();
    X509_STORE_add_cert(store, pki.domain_ca.cert);
    X509_STORE_set_purpose(store, X509_PURPOSE_ANY);
    X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), PKI_NOW);
    assert_int_equal(CMS_verify(cms, NULL, store, NULL, NULL, CMS_BINARY), 1);
    CMS_SignerInfo *si = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
    assert_int_equal(CMS_signed_get_attr_count(si), 3);
    assert_int_equal(CMS_unsigned_get_attr_count(si), -1);
}

/* R-P-27: no time where no clock is trusted */
static void no_signing_time(void **state)
{
    IDV_AUTO(buf) b = {0};
    IDV_AUTO(opened) o = {0};
    (void)state;
    seal(&pki.idevid, NULL, 0, false, &b);
    OK(open_buf(&b, &o));
    assert_true(o.signing_time == 0);
    OK(idv_envelope_verify_key(&o, pki.idevid.key));
}

static void key_types(void **state)
{
    static const struct {
        const char *curve;
        int digest;
    } rows[] = {{"P-256", NID_sha256},
                {"P-384", NID_sha384},
                {"P-521", NID_sha512},
                {NULL, NID_sha256}};
    struct idv_cert_spec spec = {.kind = IDV_CERT_SIGNER, .common_name = "k"};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct pki_id id = {0};
        IDV_AUTO(buf) b = {0};
        IDV_AUTO(opened) o = {0};
        const char *curve = rows[i].curve ? rows[i].curve : "P-256";
        id = pki_issue(&pki, curve, &spec, &pki.maker_root);
        if (!rows[i].curve) {
            X509_free(id.cert);
            EVP_PKEY_free(id.key);
            id.key = EVP_RSA_gen(2048);
            spec.not_before = PKI_NOW - 1;
            spec.not_after = PKI_NOW + 1;
            OK(idv_cert_issue(&spec, id.key, pki.maker_root.cert,
                              pki.maker_root.key, &pki.env.env, &id.cert));
        }
        seal(&id, NULL, PKI_NOW, false, &b);
        OK(open_buf(&b, &o));
        OK(verify(&o, pki.anchors, NULL));
        X509_ALGOR *md = NULL;
        CMS_SignerInfo_get0_algs(
            sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(o.native), 0), NULL,
            NULL, &md, NULL);
        const ASN1_OBJECT *oid = NULL;
        X509_ALGOR_get0(&oid, NULL, NULL, md);
        assert_int_equal(OBJ_obj2nid(oid), rows[i].digest);
        pki_id_free(&id);
    }
}

/* libcrypto names RSA signatures otherwise than we do; PSS is fine too */
static void rsa_of_others(void **state)
{
    struct idv_cert_spec spec = {.kind = IDV_CERT_SIGNER,
                                 .common_name = "r",
                                 .not_before = PKI_NOW - 1,
                                 .not_after = PKI_NOW + 1};
    IDV_AUTO_PTR(EVP_PKEY) key = EVP_RSA_gen(2048);
    IDV_AUTO_PTR(X509) cert = NULL;
    (void)state;
    OK(idv_cert_issue(&spec, key, pki.maker_root.cert, pki.maker_root.key,
                      &pki.env.env, &cert));
    for (int pss = 0; pss < 2; pss++) {
        unsigned flags = CMS_BINARY | CMS_PARTIAL | (pss ? CMS_KEY_PARAM : 0);
        IDV_AUTO_PTR(BIO) in = BIO_new_mem_buf(payload.p, (int)payload.n);
        IDV_AUTO_PTR(CMS_ContentInfo)
        cms = CMS_sign(NULL, NULL, NULL, in, CMS_BINARY | CMS_PARTIAL);
        CMS_SignerInfo *si = CMS_add1_signer(cms, cert, key, NULL, flags);
        IDV_AUTO(opened) o = {0};
        uint8_t *der = NULL;
        if (pss)
            assert_int_equal(
                EVP_PKEY_CTX_set_rsa_padding(CMS_SignerInfo_get0_pkey_ctx(si),
                                             RSA_PKCS1_PSS_PADDING),
                1);
        assert_int_equal(CMS_final(cms, in, NULL, CMS_BINARY), 1);
        int n = i2d_CMS_ContentInfo(cms, &der);
        OK(idv_envelope_open(MEDIA, idv_bytes(der, (size_t)n), &o));
        OPENSSL_free(der);
        OK(verify(&o, pki.anchors, NULL));
        FAILS(IDV_E_REJECT, "signature",
              idv_envelope_verify_key(&o, pki.masa.key));
    }
}

static void keys_refused(void **state)
{
    EVP_PKEY *keys[] = {EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
                        EVP_EC_gen("P-224"), EVP_RSA_gen(1024)};
    IDV_AUTO(buf) b = {0};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct idv_signer signer = {keys[i], pki.masa.cert, NULL, 0, false};
        FAILS(IDV_E_ARG, "key type",
              idv_envelope_seal(MEDIA, payload, &signer, &b));
        EVP_PKEY_free(keys[i]);
    }
    IDV_AUTO(buf) big = {0};
    struct idv_signer signer = {pki.masa.key, pki.masa.cert, NULL, 0, false};
    uint8_t *room;
    OK(idv_buf_room(&big, IDV_MAX_BODY, &room));
    memset(room, 'x', IDV_MAX_BODY);
    big.n = IDV_MAX_BODY;
    FAILS(IDV_E_LIMIT, "at most",
          idv_envelope_seal(MEDIA, idv_view(&big), &signer, &b));
    assert_int_equal(idv_buf_puts(&big, "x"), IDV_OK);
    FAILS(IDV_E_LIMIT, "payload of 65537 bytes",
          idv_envelope_seal(MEDIA, idv_view(&big), &signer, &b));
    assert_int_equal(b.n, 0);
}

static void wrong_key(void **state)
{
    IDV_AUTO(buf) b = {0};
    IDV_AUTO(opened) o = {0};
    (void)state;
    seal(&pki.idevid, pki.idevid_chain, PKI_NOW, false, &b);
    OK(open_buf(&b, &o));
    FAILS(IDV_E_REJECT, "signature",
          idv_envelope_verify_key(&o, pki.rogue_idevid.key));
    FAILS(IDV_E_REJECT, "key", idv_envelope_verify_key(&o, NULL));
    OK(idv_envelope_verify_key(&o, pki.idevid.key));
    OK(idv_envelope_verify_key(&o, X509_get0_pubkey(pki.idevid.cert)));
}

/* R-P-35: only the anchors given; none given refuses */
static void wrong_anchor(void **state)
{
    IDV_AUTO(buf) b = {0};
    IDV_AUTO(opened) o = {0};
    STACK_OF(X509) *rogue = pki_stack(pki.rogue_ca.cert, NULL);
    STACK_OF(X509) *none = sk_X509_new_null();
    (void)state;
    seal(&pki.masa, NULL, PKI_NOW, false, &b);
    OK(open_buf(&b, &o));
    OK(verify(&o, pki.anchors, NULL));
    OK(idv_envelope_verify_signature(&o, NULL));
    FAILS(IDV_E_REJECT, "", verify(&o, rogue, NULL));
    FAILS(IDV_E_REJECT, "anchor", verify(&o, NULL, NULL));
    FAILS(IDV_E_REJECT, "anchor", verify(&o, none, NULL));
    FAILS(IDV_E_REJECT, "anchor", verify(&o, none, pki.anchors));
    idv_certs_free(rogue);
    sk_X509_free(none);
}

/* --- containers that others would make ------------------------------------ */

struct odd {
    const char *type; /* NULL: id-data */
    unsigned flags;   /* of CMS_sign and CMS_add1_signer */
    const EVP_MD *md;
    int signers;
    bool indefinite;
};

static void make_odd(const struct odd *odd, struct idv_buf *out)
{
    IDV_AUTO_PTR(BIO) in = BIO_new_mem_buf(payload.p, (int)payload.n);
    IDV_AUTO_PTR(BIO) mem = BIO_new(BIO_s_mem());
    unsigned flags = odd->flags | CMS_PARTIAL | CMS_BINARY;
    IDV_AUTO_PTR(CMS_ContentInfo)
    cms = CMS_sign(NULL, NULL, NULL, NULL,
                   flags | (odd->indefinite ? CMS_STREAM : 0));
    IDV_AUTO_PTR(ASN1_OBJECT)
    type = odd->type ? OBJ_txt2obj(odd->type, 1) : NULL;
    if (type)
        assert_int_equal(CMS_set1_eContentType(cms, type), 1);
    for (int i = 0; i < odd->signers; i++) {
        struct pki_id *id = i ? &pki.idevid : &pki.masa;
        assert_non_null(
            CMS_add1_signer(cms, id->cert, id->key, odd->md, flags));
    }
    if (odd->indefinite) {
        assert_int_equal(
            i2d_CMS_bio_stream(mem, cms, in, (int)flags | CMS_STREAM), 1);
    } else if (odd->signers == 0) {
        assert_int_equal(CMS_set_detached(cms, 0), 1);
        assert_int_equal(ASN1_OCTET_STRING_set(*CMS_get0_content(cms),
                                               payload.p, (int)payload.n),
                         1);
        assert_int_equal(i2d_CMS_bio(mem, cms), 1);
    } else {
        assert_int_equal(CMS_final(cms, in, NULL, flags), 1);
        assert_int_equal(i2d_CMS_bio(mem, cms), 1);
    }
    char *p = NULL;
    long n = BIO_get_mem_data(mem, &p);
    OK(idv_buf_put(out, idv_bytes(p, (size_t)n)));
}

/* R-R-72: any version, either way of naming the signer, BER on input */
static void accepts(void **state)
{
    const struct odd good[] = {
        {ANIMA, 0, NULL, 1, false},
        {NULL, 0, NULL, 1, false},
        {NULL, CMS_NOATTR, NULL, 1, false},
        {ANIMA, CMS_USE_KEYID, NULL, 1, false},
        {NULL, CMS_USE_KEYID | CMS_NOSMIMECAP, EVP_sha512(), 1, false},
        {ANIMA, 0, EVP_sha384(), 1, true},
        {NULL, CMS_NOATTR, NULL, 1, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        IDV_AUTO(buf) b = {0};
        IDV_AUTO(opened) o = {0};
        make_odd(&good[i], &b);
        assert_string_equal(idv_envelope_guess(idv_view(&b)), MEDIA);
        OK(open_buf(&b, &o));
        assert_true(idv_bytes_eq(idv_view(&o.payload), payload));
        assert_non_null(o.signer);
        OK(verify(&o, pki.anchors, NULL));
        FAILS(IDV_E_REJECT, "signature",
              idv_envelope_verify_key(&o, pki.idevid.key));
    }
}

/* R-S-17, R-S-18 */
static void refuses(void **state)
{
    const struct {
        struct odd odd;
        idv_rc rc;
        const char *note;
    } bad[] = {
        {{ANIMA, CMS_NOATTR, NULL, 1, false}, IDV_E_REJECT, "attributes"},
        {{"1.2.3", 0, NULL, 1, false}, IDV_E_REJECT, "type"},
        {{ANIMA, 0, NULL, 2, false}, IDV_E_REJECT, "signers"},
        {{ANIMA, 0, NULL, 0, false}, IDV_E_FORMAT, "no signer"},
        {{NULL, CMS_DETACHED, NULL, 1, false}, IDV_E_FORMAT, "content"},
        {{ANIMA, 0, EVP_sha1(), 1, false}, IDV_E_REJECT, "digest"},
        {{ANIMA, 0, EVP_sha224(), 1, false}, IDV_E_REJECT, "digest"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        IDV_AUTO(buf) b = {0};
        IDV_AUTO(opened) o = {0};
        make_odd(&bad[i].odd, &b);
        FAILS(bad[i].rc, bad[i].note, open_buf(&b, &o));
        assert_null(o.native);
    }
}

/* the type around the content is not signed: the attribute must agree */
static void type_exchanged(void **state)
{
    IDV_AUTO(buf) b = {0};
    IDV_AUTO(buf) other = {0};
    IDV_AUTO(opened) o = {0};
    IDV_AUTO_PTR(ASN1_OBJECT) type = OBJ_txt2obj(ANIMA, 1);
    uint8_t *der = NULL;
    (void)state;
    seal(&pki.masa, NULL, 0, true, &b);
    OK(open_buf(&b, &o));
    assert_int_equal(CMS_set1_eContentType(o.native, type), 1);
    int n = i2d_CMS_ContentInfo(o.native, &der);
    OK(idv_buf_put(&other, idv_bytes(der, (size_t)n)));
    OPENSSL_free(der);
    idv_opened_free(&o);
    FAILS(IDV_E_REJECT, "signed content type", open_buf(&other, &o));
}

/* the signer's certificate may come from elsewhere, never from nowhere */
static void signer_outside(void **state)
{
    struct odd odd = {ANIMA, CMS_NOCERTS, NULL, 1, false};
    STACK_OF(X509) *extra = pki_stack(pki.idevid.cert, pki.masa.cert);
    IDV_AUTO(buf) b = {0};
    IDV_AUTO(opened) o = {0};
    (void)state;
    make_odd(&odd, &b);
    OK(open_buf(&b, &o));
    assert_null(o.signer);
    assert_int_equal(sk_X509_num(o.certs), 0);
    FAILS(IDV_E_REJECT, "signer", verify(&o, pki.anchors, NULL));
    FAILS(IDV_E_REJECT, "signer", idv_envelope_verify_signature(&o, NULL));
    OK(verify(&o, pki.anchors, extra));
    OK(idv_envelope_verify_key(&o, pki.masa.key));
    idv_certs_free(extra);
}

static void not_cms(void **state)
{
    IDV_AUTO(buf) b = {0};
    IDV_AUTO(buf) big = {0};
    IDV_AUTO(opened) o = {0};
    (void)state;
    FAILS(IDV_E_FORMAT, "CMS", open_buf(&b, &o));
    OK(idv_buf_puts(&b, "{\"payload\":\"\"}"));
    FAILS(IDV_E_FORMAT, "CMS", open_buf(&b, &o));
    assert_string_equal(idv_envelope_guess(idv_view(&b)),
                        IDV_MEDIA_VOUCHER_JWS);
    idv_buf_clear(&b);
    OK(idv_cert_to_der(pki.masa.cert, &b));
    FAILS(IDV_E_FORMAT, "CMS", open_buf(&b, &o));
    idv_buf_clear(&b);
    OK(idv_certbag_to_der(pki.anchors, &b));
    FAILS(IDV_E_FORMAT, "content", open_buf(&b, &o));
    uint8_t *room;
    OK(idv_buf_room(&big, IDV_MAX_BODY + 1, &room));
    big.n = IDV_MAX_BODY + 1;
    FAILS(IDV_E_LIMIT, "65537", open_buf(&big, &o));
    FAILS(IDV_E_ARG, "media",
          idv_envelope_open("text/plain", idv_view(&b), &o));
    FAILS(IDV_E_ARG, "media", idv_envelope_open(NULL, idv_view(&b), &o));
}

static void too_many_certs(void **state)
{
    IDV_AUTO(opened) o = {0};
    (void)state;
    for (int n = IDV_MAX_CHAIN - 1; n <= IDV_MAX_CHAIN; n++) {
        IDV_AUTO(buf) b = {0};
        STACK_OF(X509) *many = sk_X509_new_null();
        for (int i = 0; i < n; i++) {
            struct idv_cert_spec spec = {.kind = IDV_CERT_ROOT,
                                         .common_name = "one of many"};
            struct pki_id id = pki_issue(&pki, "P-256", &spec, NULL);
            sk_X509_push(many, id.cert);
            EVP_PKEY_free(id.key);
        }
        seal(&pki.masa, many, 0, false, &b);
        if (n < IDV_MAX_CHAIN) {
            OK(open_buf(&b, &o));
            idv_opened_free(&o);
        } else {
            FAILS(IDV_E_LIMIT, "certificates", open_buf(&b, &o));
        }
        idv_certs_free(many);
    }
}

static idv_rc whole(struct idv_bytes b)
{
    IDV_AUTO(opened) o = {0};
    IDV_TRY(idv_envelope_open(MEDIA, b, &o));
    IDV_TRY(verify(&o, pki.anchors, NULL));
    return idv_bytes_eq(idv_view(&o.payload), payload) ? IDV_OK : IDV_E_STATE;
}

static void cut_and_trailing(void **state)
{
    IDV_AUTO(buf) b = {0};
    (void)state;
    seal(&pki.idevid, pki.idevid_chain, PKI_NOW, false, &b);
    OK(whole(idv_view(&b)));
    for (size_t n = 0; n < b.n; n++)
        FAILS(IDV_E_FORMAT, "CMS", whole(idv_bytes(b.p, n)));
    OK(idv_buf_put(&b, idv_bytes("\n", 1)));
    FAILS(IDV_E_FORMAT, "behind", whole(idv_view(&b)));
}

/* a flip may hide in what nobody signs, but never changes what is read */
static void flips_never_change_payload(void **state)
{
    IDV_AUTO(buf) b = {0};
    (void)state;
    seal(&pki.masa, NULL, PKI_NOW, false, &b);
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= (uint8_t)(1u << (i % 8));
        assert_int_not_equal(whole(idv_view(&b)), IDV_E_STATE);
        idv_note_clear();
        b.p[i] ^= (uint8_t)(1u << (i % 8));
    }
    OK(whole(idv_view(&b)));
}

static void rows(void **state)
{
    enum idv_encoding encoding;
    IDV_AUTO(buf) b = {0};
    struct idv_signer none = {0};
    (void)state;
    assert_true(idv_envelope_known(MEDIA));
    assert_true(idv_envelope_known("Application/Voucher-CMS+JSON; x=y"));
    assert_false(idv_envelope_known("application/voucher-cms+jso"));
    assert_false(idv_envelope_known("application/voucher-cms+jsonx"));
    assert_false(idv_envelope_known(NULL));
    OK(idv_envelope_encoding(MEDIA, &encoding));
    assert_int_equal(encoding, IDV_ENC_JSON);
    FAILS(IDV_E_ARG, "media", idv_envelope_encoding("", &encoding));
    FAILS(IDV_E_ARG, "key", idv_envelope_seal(MEDIA, payload, &none, &b));
    struct idv_signer signer = {pki.masa.key, pki.masa.cert, NULL, 0, false};
    FAILS(IDV_E_ARG, "payload",
          idv_envelope_seal(MEDIA, idv_str(""), &signer, &b));
    struct idv_signer other = {pki.rogue.key, pki.masa.cert, NULL, 0, false};
    FAILS(IDV_E_CRYPTO, "made", idv_envelope_seal(MEDIA, payload, &other, &b));
    assert_int_equal(b.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_form),
        cmocka_unit_test(cut),
        cmocka_unit_test(libcrypto_agrees),
        cmocka_unit_test(no_signing_time),
        cmocka_unit_test(key_types),
        cmocka_unit_test(rsa_of_others),
        cmocka_unit_test(keys_refused),
        cmocka_unit_test(wrong_key),
        cmocka_unit_test(wrong_anchor),
        cmocka_unit_test(accepts),
        cmocka_unit_test(refuses),
        cmocka_unit_test(type_exchanged),
        cmocka_unit_test(signer_outside),
        cmocka_unit_test(not_cms),
        cmocka_unit_test(too_many_certs),
        cmocka_unit_test(cut_and_trailing),
        cmocka_unit_test(flips_never_change_payload),
        cmocka_unit_test(rows),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
