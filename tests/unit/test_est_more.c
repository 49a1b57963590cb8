/* SPDX-License-Identifier: Apache-2.0 */
/* EST beyond what pledges need: keys made by the server, another CA asked. */
#include "tests/lib/stores.h"
#include "tests/unit/enroll.h"

#include <openssl/cms.h>
#include <openssl/pem.h>

#include "idevid/est/profile.h"

#define KEYGEN "/.well-known/est/serverkeygen"

static int post(struct fixture *f, struct idv_peer *peer, const char *path,
                const char *media)
{
    return world_ask(&f->w, idv_registrar_service(f->w.reg), peer, IDV_POST,
                     path, media, idv_view(&f->csr));
}

static int keygen(struct fixture *f, struct idv_peer *peer)
{
    return post(f, peer, KEYGEN, IDV_MEDIA_PKCS10);
}

static void full_cmc(void **state)
{
    struct fixture *f = *state;
    because(f,
            post(f, &f->w.pledge, "/.well-known/est/fullcmc", IDV_MEDIA_PKCS7),
            501, "fullcmc");
}

/* --- serverkeygen --------------------------------------------------------- */

/* The n-th part's content; its type must be media. */
static void part(struct fixture *f, int n, const char *media,
                 struct idv_buf *out)
{
    char boundary[64] = "--";
    const char *eq = strstr(f->w.reply.media, "boundary=");
    const char *p = (const char *)f->w.reply.body.p;
    assert_non_null(eq);
    snprintf(boundary + 2, sizeof(boundary) - 2, "%s", eq + 9);
    for (int i = 0; i <= n; i++) {
        p = strstr(p, boundary);
        assert_non_null(p);
        p += strlen(boundary);
    }
    const char *type = strstr(p, "Content-Type: ");
    assert_non_null(type);
    assert_memory_equal(type + 14, media, strlen(media));
    const char *body = strstr(p, "\r\n\r\n");
    const char *end = body ? strstr(body, boundary) : NULL;
    assert_non_null(end);
    OK(idv_est_body_to_der(idv_bytes(body + 4, (size_t)(end - body - 4)), out));
}

static EVP_PKEY *key_from(const struct idv_buf *pkcs8)
{
    const uint8_t *p = pkcs8->p;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)pkcs8->n);
    assert_non_null(key);
    return key;
}

/* The key and its certificate belong together, and not to the request. */
static void take_pair(struct fixture *f, EVP_PKEY *key)
{
    IDV_AUTO(buf) der = {0};
    STACK_OF(X509) *certs = NULL;
    part(f, 1, IDV_MEDIA_CERTS_ONLY, &der);
    OK(idv_certbag_from_der(idv_view(&der), &certs));
    assert_int_equal(sk_X509_num(certs), 1);
    assert_int_equal(
        EVP_PKEY_eq(X509_get0_pubkey(sk_X509_value(certs, 0)), key), 1);
    assert_int_equal(EVP_PKEY_eq(f->key, key), 0);
    X509_free(f->ldevid);
    f->ldevid = sk_X509_pop(certs);
    idv_certs_free(certs);
}

static void use_keygen(struct fixture *f)
{
    f->w.reg_conf.ca.est.server_keys = true;
    world_configure(&f->w);
}

static void no_keys_by_default(void **state)
{
    struct fixture *f = *state;
    because(f, keygen(f, &f->w.pledge), 404, "path");
}

/* R-R-43 */
static void keys_are_behind_the_gate(void **state)
{
    struct fixture *f = *state;
    struct idv_peer none = {0};
    use_keygen(f);
    because(f, keygen(f, &f->w.pledge), 403, "no-voucher");
    because(f, keygen(f, &none), 403, "no-client-cert");
}

static void keys_are_made(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(buf) first = {0};
    IDV_AUTO(buf) second = {0};
    use_keygen(f);
    assert_int_equal(keygen(f, &f->w.pledge), 200);
    part(f, 0, "application/pkcs8", &first);
    EVP_PKEY *key = key_from(&first);
    take_pair(f, key);
    EVP_PKEY_free(key);
    /* once more: another key, for that one is gone; none is in the log */
    assert_int_equal(keygen(f, &f->w.pledge), 200);
    part(f, 0, "application/pkcs8", &second);
    assert_false(idv_bytes_eq(idv_view(&first), idv_view(&second)));
    assert_int_equal(issued_count(f), 2);
    assert_null(strstr(f->w.log, "pkcs8"));
}

/* RFC 7030 section 4.4.1: the request's key and signature do not count. */
static void signature_is_ignored(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(buf) der = {0};
    OK(idv_csr_make(f->key, NULL, NULL, NULL, &der));
    der.p[der.n - 1] ^= 1;
    idv_buf_clear(&f->csr);
    OK(idv_est_body_from_der(idv_view(&der), &f->csr));
    use_keygen(f);
    assert_int_equal(keygen(f, &f->w.pledge), 200);
    because(f, enroll(f), 400, "csr");
}

static void csr_with(struct fixture *f, const char *oid,
                     const ASN1_OCTET_STRING *id)
{
    X509_REQ *req = X509_REQ_new();
    uint8_t *der = NULL;
    X509_REQ_set_pubkey(req, f->key);
    assert_int_equal(X509_REQ_add1_attr_by_txt(req, oid, V_ASN1_OCTET_STRING,
                                               ASN1_STRING_get0_data(id),
                                               ASN1_STRING_length(id)),
                     1);
    assert_true(X509_REQ_sign(req, f->key, EVP_sha256()) > 0);
    int n = i2d_X509_REQ(req, &der);
    idv_buf_clear(&f->csr);
    OK(idv_est_body_from_der(idv_bytes(der, (size_t)n), &f->csr));
    OPENSSL_free(der);
    X509_REQ_free(req);
}

/* Encrypted for the key of the client's certificate, signed by the registrar.
 */
static void keys_are_encrypted(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(buf) sealed = {0};
    IDV_AUTO(buf) pkcs8 = {0};
    char *text = NULL;
    use_keygen(f);
    become_member(f);
    X509 *mine = X509_dup(f->ldevid);
    csr_with(f, "1.2.840.113549.1.9.16.2.54", X509_get0_subject_key_id(mine));
    assert_int_equal(keygen(f, &f->w.member), 200);
    part(f, 0, "application/pkcs7-mime; smime-type=server-generated-key",
         &sealed);
    const uint8_t *p = sealed.p;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)sealed.n);
    BIO *out = BIO_new(BIO_s_mem());
    assert_non_null(cms);
    assert_int_equal(CMS_decrypt(cms, f->key, mine, NULL, out, 0), 1);
    CMS_ContentInfo_free(cms);
    long n = BIO_get_mem_data(out, &text);
    p = (const uint8_t *)text;
    cms = d2i_CMS_ContentInfo(NULL, &p, n);
    assert_non_null(cms);
    BIO *key_out = BIO_new(BIO_s_mem());
    X509_STORE *store = X509_STORE_new();
    X509_STORE_add_cert(store, f->w.pki.domain_ca.cert);
    assert_int_equal(CMS_verify(cms, NULL, store, NULL, key_out,
                                CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY),
                     1);
    n = BIO_get_mem_data(key_out, &text);
    OK(idv_buf_put(&pkcs8, idv_bytes(text, (size_t)n)));
    EVP_PKEY *key = key_from(&pkcs8);
    take_pair(f, key);
    EVP_PKEY_free(key);
    X509_STORE_free(store);
    BIO_free(out);
    BIO_free(key_out);
    CMS_ContentInfo_free(cms);
    X509_free(mine);
}

static void for_a_key_that_is_not_there(void **state)
{
    struct fixture *f = *state;
    ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(id, (const uint8_t *)"01234567890123456789", 20);
    use_keygen(f);
    become_member(f);
    csr_with(f, "1.2.840.113549.1.9.16.2.54", id);
    because(f, keygen(f, &f->w.member), 400, "decrypt-key");
    csr_with(f, "1.2.840.113549.1.9.16.2.37", id);
    because(f, keygen(f, &f->w.member), 400, "decrypt-key");
    ASN1_OCTET_STRING_free(id);
    assert_int_equal(issued_count(f), 1);
}

/* --- another CA ----------------------------------------------------------- */

static struct idv_est_forward forward;
static struct idv_est_ca local;

static int setup_forward(void **state)
{
    struct fixture *f;
    setup(state);
    f = *state;
    forward = (struct idv_est_forward){
        .anchors = f->w.ca.chain,
        .key = f->w.pki.registrar.key,
        .chain = f->w.pki.tls_chain,
    };
    OK(idv_url_from_text(idv_str("https://ca.example:8443"), &forward.url));
    local = f->w.reg_conf.ca.est.ca;
    f->w.reg_conf.ca.est.ca.issue = NULL;
    f->w.reg_conf.ca.est.ca.forward = &forward;
    world_configure(&f->w);
    assert_int_equal(report(f, "voucher_status", GOOD), 200);
    f->w.upstreams = 0;
    return 0;
}

/* What the other CA answers: a certificate for that key, with those names. */
static void can_cert(struct fixture *f, const EVP_PKEY *key, const char *san)
{
    struct idv_est_grant g = {0};
    IDV_AUTO(buf) cert = {0};
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) text = {0};
    OK(idv_est_subject("CN={serial}", PKI_SERIAL, true, &g.subject));
    if (san) {
        g.extensions = sk_X509_EXTENSION_new_null();
        sk_X509_EXTENSION_push(
            g.extensions,
            X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san));
    }
    OK(local.issue(local.self, &g, key, &cert));
    OK(idv_certbag_wrap(idv_view(&cert), &der));
    OK(idv_est_body_from_der(idv_view(&der), &text));
    world_can(&f->w, 200, IDV_MEDIA_CERTS_ONLY, (const char *)text.p);
    f->w.link = WORLD_LINK_CANNED;
    idv_est_grant_free(&g);
}

static void passed_on(void **state)
{
    struct fixture *f = *state;
    can_cert(f, f->key, NULL);
    assert_int_equal(enroll(f), 200);
    take_cert(f);
    assert_int_equal(f->w.upstreams, 1);
    assert_string_equal(f->w.upstream.path, IDV_PATH_SIMPLEENROLL);
    assert_string_equal(f->w.upstream_host, "ca.example");
    assert_true(f->w.upstream_auth);
    assert_true(idv_bytes_eq(idv_view(&f->w.upstream.body), idv_view(&f->csr)));
    assert_int_equal(world_state(&f->w), IDV_SESSION_ENROLLED);
    /* the same request: the same certificate, and nobody is asked */
    assert_int_equal(enroll(f), 200);
    assert_int_equal(f->w.upstreams, 1);
    assert_int_equal(issued_count(f), 1);
    /* renewal is passed on as one */
    world_peer(&f->w.member, f->ldevid, NULL, 7);
    f->name = X509_NAME_dup(X509_get_subject_name(f->ldevid));
    world_csr(f->key, f->name, NULL, &f->csr);
    can_cert(f, f->key, NULL);
    assert_int_equal(reenroll(f), 200);
    assert_string_equal(f->w.upstream.path, IDV_PATH_SIMPLEREENROLL);
}

static void its_answers(void **state)
{
    static const struct {
        int theirs, ours;
        const char *why;
    } rows[] = {
        {202, 202, "ca-later"},   {503, 503, "ca-later"},
        {500, 503, "ca-failed"},  {401, 503, "ca-failed"},
        {400, 403, "ca-refused"}, {403, 403, "ca-refused"},
        {404, 403, "ca-refused"}, {302, 403, "ca-refused"},
    };
    struct fixture *f = *state;
    f->w.link = WORLD_LINK_CANNED;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        world_can(&f->w, rows[i].theirs, "text/plain", "no");
        f->w.canned.retry_after = 17;
        because(f, enroll(f), rows[i].ours, rows[i].why);
        if (rows[i].theirs == 202)
            assert_int_equal(f->w.reply.retry_after, 17);
    }
    world_can(&f->w, 200, "text/html", "<html>");
    because(f, enroll(f), 503, "ca-certificate");
    world_can(&f->w, 200, IDV_MEDIA_CERTS_ONLY, "");
    because(f, enroll(f), 503, "ca-certificate");
    f->w.link = WORLD_LINK_LOST;
    because(f, enroll(f), 503, "ca-lost");
    assert_int_equal(issued_count(f), 0);
    can_cert(f, f->key, NULL); /* and each time it was asked again */
    assert_int_equal(enroll(f), 200);
    assert_int_equal(f->w.upstreams, 12);
    assert_int_equal(issued_count(f), 1);
}

/* A CA that makes something else is not believed. */
static void its_certificates(void **state)
{
    struct fixture *f = *state;
    can_cert(f, f->w.pki.registrar.key, NULL);
    because(f, enroll(f), 503, "ca-certificate");
    can_cert(f, f->key, "DNS:registrar.example");
    because(f, enroll(f), 503, "ca-names");
    assert_int_equal(issued_count(f), 0);
}

/* What was not granted is not passed on. */
static void greedy_requests(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(buf) der = {0};
    can_cert(f, f->key, NULL);
    f->name = X509_NAME_new();
    X509_NAME_add_entry_by_txt(f->name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"registrar", -1, -1, 0);
    world_csr(f->key, f->name, NULL, &f->csr);
    because(f, enroll(f), 403, "csr-subject");
    static const char *const exts[][2] = {
        {"subjectAltName", "DNS:registrar.example"},
        {"basicConstraints", "CA:TRUE"}};
    static const char *const why[] = {"csr-names", "csr-more"};
    for (int i = 0; i < 2; i++) {
        STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
        sk_X509_EXTENSION_push(
            list, X509V3_EXT_conf(NULL, NULL, exts[i][0], exts[i][1]));
        idv_buf_clear(&der);
        OK(idv_csr_make(f->key, NULL, list, NULL, &der));
        sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
        idv_buf_clear(&f->csr);
        OK(idv_est_body_from_der(idv_view(&der), &f->csr));
        because(f, enroll(f), 403, why[i]);
    }
    assert_int_equal(f->w.upstreams, 0);
}

/* Two of the same at once: one is asked about, the other waits. */
static void one_at_a_time(void **state)
{
    struct fixture *f = *state;
    const struct idv_est_store *s = &f->w.reg_conf.ca.est.store;
    IDV_AUTO(buf) der = {0};
    uint8_t client[32], csr[32];
    bool mine = false;
    OK(idv_est_body_to_der(idv_view(&f->csr), &der));
    EVP_Digest(der.p, der.n, csr, NULL, EVP_sha256(), NULL);
    OK(idv_cert_sha256(f->w.pki.idevid.cert, client));
    OK(s->order(s->self, client, csr, PKI_NOW, PKI_NOW - 30, &mine));
    assert_true(mine);
    can_cert(f, f->key, NULL);
    because(f, enroll(f), 202, "ca-asked");
    assert_int_equal(f->w.upstreams, 0);
    f->w.pki.env.now = PKI_NOW + 31; /* that one is dead */
    assert_int_equal(enroll(f), 200);
    assert_int_equal(f->w.upstreams, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define T0(f) cmocka_unit_test_setup_teardown(f, setup_bare, teardown)
#define TF(f) cmocka_unit_test_setup_teardown(f, setup_forward, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(full_cmc),
        T(no_keys_by_default),
        T0(keys_are_behind_the_gate),
        T(keys_are_made),
        T(signature_is_ignored),
        T(keys_are_encrypted),
        T(for_a_key_that_is_not_there),
        TF(passed_on),
        TF(its_answers),
        TF(its_certificates),
        TF(greedy_requests),
        TF(one_at_a_time),
    };
    return STORES_RUN(tests);
}
