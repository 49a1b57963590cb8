/* SPDX-License-Identifier: Apache-2.0 */
/* The EST server by itself: types, csrattrs, channel binding, proxies. */
#include "tests/unit/codec.h"

#include <openssl/x509v3.h>

#include "tests/lib/stores.h"
#include "tests/lib/world.h"

struct fixture {
    struct world w;
    struct idv_est_server_conf conf;
    struct idv_csrattrs attrs;
    struct idv_est_server *est;
    EVP_PKEY *key;
    X509_NAME *name;
    struct idv_buf csr;
    X509 *cert;
    int refuse; /* admit's answer, 0 grants */
};

static idv_rc admit(void *arg, struct idv_peer *peer,
                    struct idv_est_verdict *out)
{
    struct fixture *f = arg;
    (void)peer;
    out->status = f->refuse;
    out->retry_after = f->refuse == 202 ? 9 : -1;
    out->reason = "not today";
    out->grant.subject = f->refuse ? NULL : X509_NAME_dup(f->name);
    return IDV_OK;
}

static void start(struct fixture *f)
{
    idv_est_server_free(f->est);
    f->est = NULL;
    OK(idv_est_server_new(&f->conf, &f->w.pki.env.env, &f->est));
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    world_make(&f->w);
    f->conf = f->w.reg_conf.ca.est;
    f->conf.admit = admit;
    f->conf.arg = f;
    f->key = EVP_EC_gen("P-256");
    f->name = X509_NAME_new();
    X509_NAME_add_entry_by_txt(f->name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"thing", -1, -1, 0);
    world_csr(f->key, f->name, NULL, &f->csr);
    start(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    idv_est_server_free(f->est);
    idv_csrattrs_free(&f->attrs);
    EVP_PKEY_free(f->key);
    X509_NAME_free(f->name);
    X509_free(f->cert);
    idv_buf_free(&f->csr);
    world_free(&f->w);
    free(f);
    return 0;
}

static int ask(struct fixture *f, struct idv_peer *peer, enum idv_verb verb,
               const char *path, const char *media)
{
    return world_ask(&f->w, idv_est_server_service(f->est), peer, verb, path,
                     media, verb == IDV_GET ? idv_str("") : idv_view(&f->csr));
}

static int enroll(struct fixture *f)
{
    return ask(f, &f->w.pledge, IDV_POST, IDV_PATH_SIMPLEENROLL,
               IDV_MEDIA_PKCS10);
}

static void because(struct fixture *f, int got, int status, const char *why)
{
    if (got != status || !world_why(&f->w, why))
        print_error("%s\n", f->w.log);
    assert_int_equal(got, status);
    assert_true(world_why(&f->w, why));
    assert_string_equal(f->w.reply.media, "text/plain");
}

static void take_cert(struct fixture *f)
{
    X509_free(f->cert);
    f->cert = NULL;
    OK(idv_est_enroll_read(&f->w.reply, f->key, f->w.ca.chain, NULL, true,
                           PKI_NOW, &f->cert));
}

/* --- without a certificate ------------------------------------------------ */

static void cacerts(void **state) /* R-R-39, R-R-46 */
{
    struct fixture *f = *state;
    STACK_OF(X509) *anchors = NULL, *others = NULL;
    assert_int_equal(ask(f, NULL, IDV_GET, IDV_PATH_CACERTS, ""), 200);
    assert_string_equal(f->w.reply.media, IDV_MEDIA_CERTS_ONLY);
    OK(idv_est_cacerts_read(&f->w.reply, f->w.pki.domain_ca.cert, &anchors,
                            &others));
    assert_int_equal(sk_X509_num(anchors), 1);
    idv_certs_free(anchors);
    idv_certs_free(others);
    assert_int_equal(ask(f, NULL, IDV_POST, IDV_PATH_CACERTS, ""), 405);
}

static void csrattrs(void **state)
{
    struct fixture *f = *state;
    struct idv_csrattrs got = {0};
    assert_int_equal(ask(f, NULL, IDV_GET, IDV_PATH_CSRATTRS, ""), 204);
    assert_int_equal(f->w.reply.body.n, 0);
    f->attrs.has_key_type = true;
    f->attrs.key_type = IDV_KEY_P384;
    f->attrs.challenge = true;
    f->conf.attrs = &f->attrs;
    start(f);
    assert_int_equal(ask(f, NULL, IDV_GET, IDV_PATH_CSRATTRS, ""), 200);
    assert_string_equal(f->w.reply.media, IDV_MEDIA_CSRATTRS);
    OK(idv_est_csrattrs_read(&f->w.reply, &got));
    assert_true(got.challenge && got.has_key_type &&
                got.key_type == IDV_KEY_P384);
    idv_csrattrs_free(&got);
}

static void not_served(void **state)
{
    struct fixture *f = *state;
    because(f,
            ask(f, &f->w.pledge, IDV_POST, "/.well-known/est/fullcmc",
                IDV_MEDIA_PKCS7),
            501, "fullcmc");
    because(f,
            ask(f, &f->w.pledge, IDV_POST, "/.well-known/est/serverkeygen",
                IDV_MEDIA_PKCS10),
            404, "path");
}

/* --- the request ---------------------------------------------------------- */

static void wrong_types(void **state)
{
    struct fixture *f = *state;
    because(f,
            ask(f, &f->w.pledge, IDV_POST, IDV_PATH_SIMPLEENROLL, "text/plain"),
            415, "media");
    because(f, ask(f, &f->w.pledge, IDV_GET, IDV_PATH_SIMPLEENROLL, ""), 405,
            "verb");
    because(f, ask(f, NULL, IDV_POST, IDV_PATH_SIMPLEENROLL, IDV_MEDIA_PKCS10),
            403, "no-client-cert");
}

static void bad_requests(void **state) /* R-R-45, R-R-46 */
{
    struct fixture *f = *state;
    f->csr.p[0] = '!';
    because(f, enroll(f), 400, "csr-base64");
    idv_buf_clear(&f->csr);
    OK(idv_buf_puts(&f->csr, "AAAA"));
    because(f, enroll(f), 400, "csr");
    idv_buf_clear(&f->csr);
    because(f, enroll(f), 400, "csr-base64");
}

static void bad_signature(void **state) /* R-R-41 */
{
    struct fixture *f = *state;
    IDV_AUTO(buf) der = {0};
    OK(idv_csr_make(f->key, f->name, NULL, NULL, &der));
    der.p[der.n - 1] ^= 1;
    idv_buf_clear(&f->csr);
    OK(idv_est_body_from_der(idv_view(&der), &f->csr));
    because(f, enroll(f), 400, "csr");
}

static void csr_of(struct fixture *f, EVP_PKEY *key)
{
    IDV_AUTO(buf) der = {0};
    assert_non_null(key);
    OK(idv_csr_make(key, f->name, NULL, NULL, &der));
    EVP_PKEY_free(key);
    idv_buf_clear(&f->csr);
    OK(idv_est_body_from_der(idv_view(&der), &f->csr));
}

static void weak_keys(void **state) /* R-R-75 */
{
    struct fixture *f = *state;
    csr_of(f, EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024));
    because(f, enroll(f), 400, "csr");
    csr_of(f, EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp224r1"));
    because(f, enroll(f), 400, "csr");
    csr_of(f, EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048));
    assert_int_equal(enroll(f), 200);
    csr_of(f, EVP_PKEY_Q_keygen(NULL, NULL, "EC", "prime256v1"));
    assert_int_equal(enroll(f), 200);
}

/* --- ready first, stored later ----------------------------------------------
 */

static void begin_call(struct fixture *f, struct idv_call *call)
{
    idv_call_init(call, &f->w.pledge);
    call->may_store = true;
    call->req.verb = IDV_POST;
    strcpy(call->req.path, IDV_PATH_SIMPLEENROLL);
    strcpy(call->req.media, IDV_MEDIA_PKCS10);
    OK(idv_buf_put(&call->req.body, idv_view(&f->csr)));
}

static void say(struct fixture *f, struct idv_call *call, enum idv_next due)
{
    struct idv_service s = idv_est_server_service(f->est);
    enum idv_next next = IDV_NEXT_REPLY;
    OK(s.serve(s.self, call, NULL, &next));
    assert_int_equal(next, due);
}

static void store(struct fixture *f, struct idv_call *call, int status)
{
    enum idv_next next = IDV_NEXT_STORE;
    OK(world_store(&f->w, idv_est_server_service(f->est), call, &next));
    assert_int_equal(next, IDV_NEXT_REPLY);
    assert_int_equal(call->reply.status, status);
}

static bool count(void *n, const struct idv_issued *i)
{
    (void)i;
    ++*(int *)n;
    return true;
}

static int certificates(struct fixture *f)
{
    int n = 0;
    OK(idv_db_issued_each(f->w.reg_db, NULL, count, &n));
    return n;
}

/* both were ready before one was stored: that one stands, for both */
static void first_stands(void **state)
{
    struct fixture *f = *state;
    struct idv_call a, b, c;
    begin_call(f, &a);
    begin_call(f, &b);
    begin_call(f, &c);
    say(f, &a, IDV_NEXT_STORE);
    say(f, &b, IDV_NEXT_STORE);
    assert_int_equal(certificates(f), 0);
    store(f, &a, 200);
    store(f, &b, 200);
    assert_true(idv_bytes_eq(idv_view(&a.reply.body), idv_view(&b.reply.body)));
    say(f, &c, IDV_NEXT_REPLY); /* nothing is left to store */
    assert_true(idv_bytes_eq(idv_view(&a.reply.body), idv_view(&c.reply.body)));
    assert_int_equal(certificates(f), 1);
    idv_call_free(&a);
    idv_call_free(&b);
    idv_call_free(&c);
}

/* its connection is gone: nothing was stored, nothing is left */
static void never_stored(void **state)
{
    struct fixture *f = *state;
    struct idv_call a;
    begin_call(f, &a);
    say(f, &a, IDV_NEXT_STORE);
    idv_call_free(&a);
    assert_int_equal(certificates(f), 0);
}

static void stored_at_once(void **state)
{
    struct fixture *f = *state;
    f->w.at_once = true;
    assert_int_equal(enroll(f), 200);
    assert_int_equal(certificates(f), 1);
}

static void base64_forms(void **state) /* RT-12 */
{
    struct fixture *f = *state;
    IDV_AUTO(buf) der = {0};
    OK(idv_csr_make(f->key, f->name, NULL, NULL, &der));
    for (size_t columns = 0; columns <= 64; columns += 64) {
        idv_buf_clear(&f->csr);
        OK(idv_base64_from_bytes(idv_view(&der), columns, &f->csr));
        assert_int_equal(enroll(f), 200);
    }
}

static void wrong_key(void **state) /* RT-11 */
{
    struct fixture *f = *state;
    f->attrs.has_key_type = true;
    f->attrs.key_type = IDV_KEY_P384;
    f->conf.attrs = &f->attrs;
    start(f);
    because(f, enroll(f), 400, "csr-key-type");
    f->attrs.key_type = IDV_KEY_RSA3072;
    because(f, enroll(f), 400, "csr-key-type");
    f->attrs.key_type = IDV_KEY_P256;
    f->attrs.digest_nid = NID_sha512;
    because(f, enroll(f), 400, "csr-digest");
    f->attrs.digest_nid = NID_sha256;
    assert_int_equal(enroll(f), 200);
}

static void wanted_extensions(void **state) /* RT-11 */
{
    struct fixture *f = *state;
    IDV_AUTO(buf) der = {0};
    STACK_OF(X509_EXTENSION) *exts = sk_X509_EXTENSION_new_null();
    sk_X509_EXTENSION_push(exts,
                           X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
                                               "DNS:a.example.com"));
    f->attrs.extensions = exts;
    f->conf.attrs = &f->attrs;
    start(f);
    because(f, enroll(f), 400, "csr-extensions");
    OK(idv_csr_make(f->key, f->name, exts, NULL, &der));
    idv_buf_clear(&f->csr);
    OK(idv_est_body_from_der(idv_view(&der), &f->csr));
    assert_int_equal(enroll(f), 200);
    take_cert(f);
    assert_true(X509_get_ext_by_NID(f->cert, NID_subject_alt_name, -1) >= 0);
}

static void binding(void **state) /* R-R-42 */
{
    struct fixture *f = *state;
    IDV_AUTO(buf) text = {0};
    OK(idv_base64_from_bytes(
        idv_bytes(f->w.pledge.binding, f->w.pledge.binding_n), 0, &text));
    f->attrs.challenge = true;
    f->conf.attrs = &f->attrs;
    start(f);
    because(f, enroll(f), 400, "no-challenge");
    world_csr(f->key, f->name, "AAAA", &f->csr);
    because(f, enroll(f), 403, "challenge-mismatch");
    world_csr(f->key, f->name, (const char *)text.p, &f->csr);
    f->w.pledge.binding[31] ^= 1; /* another connection */
    because(f, enroll(f), 403, "challenge-mismatch");
    f->w.pledge.binding[31] ^= 1;
    assert_int_equal(enroll(f), 200);
    f->w.pledge.binding_n = 0; /* no binding known: nothing can match */
    because(f, enroll(f), 403, "challenge-mismatch");
}

static void our_client_binds(void **state) /* both halves agree */
{
    struct fixture *f = *state;
    struct idv_msg req;
    idv_msg_init(&req);
    f->attrs.challenge = true;
    f->conf.attrs = &f->attrs;
    start(f);
    OK(idv_est_enroll_write(
        f->key, f->name, &f->attrs,
        idv_bytes(f->w.pledge.binding, f->w.pledge.binding_n), false, &req));
    idv_buf_move(&f->csr, &req.body);
    assert_string_equal(req.path, IDV_PATH_SIMPLEENROLL);
    assert_int_equal(enroll(f), 200);
    idv_msg_free(&req);
}

/* --- admission ------------------------------------------------------------ */

static void not_admitted(void **state)
{
    struct fixture *f = *state;
    f->refuse = 403;
    because(f, enroll(f), 403, "not today");
    f->refuse = 202;
    assert_int_equal(enroll(f), 202);
    assert_int_equal(f->w.reply.retry_after, 9);
    f->conf.admit = NULL;
    start(f);
    because(f, enroll(f), 403, "no-admission");
}

static idv_rc no_ca(void *self, const struct idv_est_grant *grant,
                    const EVP_PKEY *key, struct idv_buf *out)
{
    (void)self;
    (void)grant;
    (void)key;
    (void)out;
    return idv_fail(IDV_E_REJECT, "CA: no");
}

static idv_rc other_ca(void *self, const struct idv_est_grant *grant,
                       const EVP_PKEY *key, struct idv_buf *out)
{
    struct idv_est_local_ca *ca = self;
    (void)key;
    return idv_est_local_ca(ca).issue(ca, grant, ca->key, out);
}

static idv_rc ca_of_cas(void *self, const struct idv_est_grant *grant,
                        const EVP_PKEY *key, struct idv_buf *out)
{
    const struct idv_est_local_ca *ca = self;
    const struct idv_cert_spec spec = {.kind = IDV_CERT_CA,
                                       .subject = grant->subject};
    return idv_cert_issue_der(&spec, key, ca->cert, ca->key, ca->env, out);
}

static void ca_refuses(void **state)
{
    struct fixture *f = *state;
    f->conf.ca.issue = no_ca;
    start(f);
    because(f, enroll(f), 403, "ca-refused");
    f->conf.ca.issue = other_ca; /* issues for a key nobody asked about */
    start(f);
    assert_int_equal(enroll(f), -IDV_E_STATE);
    f->conf.ca.issue = ca_of_cas; /* what was asked, and more power */
    start(f);
    assert_int_equal(enroll(f), -IDV_E_STATE);
}

static void is_none(X509 *cert, X509 *above, const EVP_PKEY *key,
                    const char *why)
{
    IDV_AUTO_PTR(idv_certs) chain = pki_stack(cert, above);
    FAILS(IDV_E_ARG, why, idv_est_ca_check(chain, key));
}

/* which has the key of a CA's certificate, and the root above it */
static void is_a_ca(void **state)
{
    struct fixture *f = *state;
    const struct pki *p = &f->w.pki;
    X509 *ca = p->maker_ca.cert, *root = p->maker_root.cert;
    IDV_AUTO_PTR(idv_certs) whole = pki_stack(ca, root);
    OK(idv_est_ca_check(whole, p->maker_ca.key));
    OK(idv_est_ca_check(whole, NULL)); /* it is elsewhere */
    FAILS(IDV_E_ARG, "no CA's", idv_est_ca_check(NULL, NULL));
    is_none(p->idevid.cert, ca, p->idevid.key, "no CA's");
    is_none(ca, root, p->maker_root.key, "differ");
    is_none(ca, NULL, p->maker_ca.key, "none signed itself");
    is_none(ca, p->rogue_ca.cert, p->maker_ca.key, "up to a root");
}

/* --- renewal through a proxy ---------------------------------------------- */

static void proxy_renews(void **state) /* lessons 15: policy, not a rule */
{
    struct fixture *f = *state;
    struct idv_peer proxy = {0};
    assert_int_equal(enroll(f), 200);
    take_cert(f);
    world_peer(&proxy, f->w.pki.registrar.cert, f->w.pki.domain_ca.cert, 9);
    because(f,
            ask(f, &proxy, IDV_POST, IDV_PATH_SIMPLEREENROLL, IDV_MEDIA_PKCS10),
            403, "renew-stranger");
    f->conf.renew_by_ra = true;
    start(f);
    assert_int_equal(
        ask(f, &proxy, IDV_POST, IDV_PATH_SIMPLEREENROLL, IDV_MEDIA_PKCS10),
        200);
    X509_NAME_add_entry_by_txt(f->name, "O", MBSTRING_ASC,
                               (const unsigned char *)"other", -1, -1, 0);
    world_csr(f->key, f->name, NULL, &f->csr);
    because(f,
            ask(f, &proxy, IDV_POST, IDV_PATH_SIMPLEREENROLL, IDV_MEDIA_PKCS10),
            403, "renew-stranger");
    world_peer(&proxy, f->w.pki.rogue.cert, f->w.pki.rogue_ca.cert, 9);
    because(f,
            ask(f, &proxy, IDV_POST, IDV_PATH_SIMPLEREENROLL, IDV_MEDIA_PKCS10),
            403, "renew-stranger");
    idv_peer_free(&proxy);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(cacerts),           T(csrattrs),     T(not_served),
        T(wrong_types),       T(bad_requests), T(bad_signature),
        T(weak_keys),         T(first_stands), T(never_stored),
        T(stored_at_once),    T(base64_forms), T(wrong_key),
        T(wanted_extensions), T(binding),      T(our_client_binds),
        T(not_admitted),      T(ca_refuses),   T(proxy_renews),
        T(is_a_ca),
    };
    return STORES_RUN(tests);
}
