/* SPDX-License-Identifier: Apache-2.0 */
/* Where strangers' certificates are read: few kinds of keys, each as libcrypto
 * reads it, and all others as none. */
#include "codec.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include <idevid/codec.h>
#include <idevid/env.h>

#include "x509/x509.h"

#define NOW 1795305600

/* --- before it is used ---------------------------------------------------- */

/* in a process of its own, which has used nothing of it yet */
static int apart(int (*what)(void))
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(what());
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int both(void)
{
    return (idv_lean_context() ? 1 : 0) + (idvi_keyless_context() ? 2 : 0);
}

static int with_fips(void)
{
    return EVP_default_properties_enable_fips(NULL, 1) == 1 ? both() : 255;
}

static int without_default(void)
{
    return OSSL_PROVIDER_load(NULL, "null") ? both() : 255;
}

/* whoever wants libcrypto otherwise has it so */
static void otherwise(void **state)
{
    (void)state;
    assert_int_equal(apart(both), 3);
    assert_int_equal(apart(with_fips), 0);
    assert_int_equal(apart(without_default), 0);
}

static int with_an_error(void)
{
    ERR_raise(ERR_LIB_USER, ERR_R_PASSED_INVALID_ARGUMENT);
    return both() == 3 && ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_USER &&
                   ERR_peek_error() == ERR_peek_last_error()
               ? 0
               : 1;
}

static void errors_of_others(void **state)
{
    (void)state;
    assert_int_equal(apart(with_an_error), 0);
}

/* --- keys ----------------------------------------------------------------- */

struct kind {
    const char *type, *name; /* of a group */
    size_t bits;
};

/* of 1024 bits, made by openssl: to find its parameters takes long */
static const char dsa[] =
    "308201ca02010002818100c04e0c71e985e338328fee1309c5dc7af7660ae7976ec0"
    "93c2a580855cb78440102a6f0ff231829d98d0f2e8b3d1548df021b1333d7fb3751e"
    "0c5df4d29b3c76d71e936865e01d03c32f11780f71e3d331202602241bea3836fa74"
    "5fd290b1cf2db258dfb6e22da44f1ff06b4a9f4aac1176a2ecde8b3722662f2de30e"
    "6ad22f021d00ed064f9c7027f0a4753102db4f67b3d3536cfe019a145ebc0cfc5bd7"
    "02818051020c05dbf911de4adc79509fde83f3cd386f25e891867772505b85c8fc83"
    "dbbc28bdd0795e30ce51c3843c3a852ec2f5baee41636d35c8febe2539786ef6c002"
    "8fbc5ee13579d25dd0a1ecf51283440aba0d3fd81bd66d6b1dbb8c7845ef7e98df91"
    "619a444b186fc2d74acb30cc1dce4ab524d0cce5630bdde583e26b3c9802818047ff"
    "21ab5398861679af3b0455c954f6361336c607899d03c03e541f430776b8f412f051"
    "b1e50bbc3fad062e207bfe849b293822b8b73692461dfa48187f6a19ed88b7142e2a"
    "41e093057396ad50c9293abca36bb52bf103aa64232ae2e4f49ac600bed0cd50b4b9"
    "1489ee6ac5bf0626ba19c31a939c981b090815ceaf61d791021c43e48bfd8c89d35a"
    "98f19ff72032c2464adf8be5922030ffb524069f";

static EVP_PKEY *ready(const char *hex)
{
    IDV_AUTO(buf) der = {0};
    OK(idv_hex_to_bytes(idv_str(hex), &der));
    const uint8_t *p = der.p;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)der.n);
    assert_non_null(key);
    return key;
}

static EVP_PKEY *generate(const struct kind *k)
{
    size_t bits = k->bits;
    EVP_PKEY *out = NULL;
    const OSSL_PARAM named[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                               (char *)(uintptr_t)k->name, 0),
        OSSL_PARAM_END};
    const OSSL_PARAM sized[] = {
        OSSL_PARAM_size_t(OSSL_PKEY_PARAM_RSA_BITS, &bits), OSSL_PARAM_END};
    if (strcmp(k->type, "DSA") == 0)
        return ready(dsa);
    IDV_AUTO_PTR(EVP_PKEY_CTX)
    ctx = EVP_PKEY_CTX_new_from_name(NULL, k->type, NULL);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    if (k->name)
        assert_int_equal(EVP_PKEY_CTX_set_params(ctx, named), 1);
    else if (bits)
        assert_int_equal(EVP_PKEY_CTX_set_params(ctx, sized), 1);
    assert_int_equal(EVP_PKEY_generate(ctx, &out), 1);
    return out;
}

/* key certified by that of by, which is a CA's */
static void certify(EVP_PKEY *key, EVP_PKEY *by, bool ca, struct idv_buf *der)
{
    IDV_AUTO_PTR(X509) cert = X509_new();
    IDV_AUTO_PTR(BASIC_CONSTRAINTS) bc = BASIC_CONSTRAINTS_new();
    X509_NAME *name = X509_get_subject_name(cert);
    bc->ca = ca ? 0xff : 0;
    assert_int_equal(X509_set_version(cert, X509_VERSION_3), 1);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), ca ? 1 : 2);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const uint8_t *)"CA", -1, -1,
                                                0),
                     1);
    assert_int_equal(X509_set_issuer_name(cert, name), 1);
    if (!ca)
        assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                    (const uint8_t *)"leaf", -1,
                                                    -1, 0),
                         1);
    ASN1_TIME_set(X509_getm_notBefore(cert), NOW - 1);
    ASN1_TIME_set(X509_getm_notAfter(cert), NOW + 1);
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    assert_int_equal(X509_add1_ext_i2d(cert, NID_basic_constraints, bc, 1, 0),
                     1);
    assert_true(X509_sign(cert, by, EVP_sha256()) > 0);
    OK(idv_cert_to_der(cert, der));
}

static X509 *by_stranger(struct idv_bytes der)
{
    X509 *cert = NULL;
    OK(idv_cert_shared(der, &cert));
    assert_int_equal(ERR_peek_error(), 0);
    return cert;
}

static bool is_lean(const EVP_PKEY *key)
{
    return strcmp(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)),
                  "idevid-lean") == 0;
}

static void reads(const struct kind *k, EVP_PKEY *ca)
{
    IDV_AUTO_PTR(EVP_PKEY) key = generate(k);
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) spki = {0};
    uint8_t *its = NULL;
    certify(key, ca, false, &der);
    IDV_AUTO_PTR(X509) cert = by_stranger(idv_view(&der));
    EVP_PKEY *read = X509_get0_pubkey(cert);
    assert_non_null(read);
    assert_true(is_lean(read));
    assert_int_equal(EVP_PKEY_eq(read, key), 1);
    /* and writes */
    OK(IDVI_PUT_DER(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(cert), &spki));
    const int n = i2d_PUBKEY(read, &its);
    assert_true(n > 0 &&
                idv_bytes_eq(idv_view(&spki), idv_bytes(its, (size_t)n)));
    OPENSSL_free(its);
}

static void kinds_of_devices(void **state)
{
    static const struct kind kinds[] = {
        {"RSA", NULL, 1024},  {"RSA-PSS", NULL, 1024},
        {"EC", "P-256", 0},   {"EC", "P-384", 0},
        {"EC", "P-521", 0},   {"EC", "brainpoolP256r1", 0},
        {"ED25519", NULL, 0}, {"ED448", NULL, 0},
        {"X25519", NULL, 0},  {"X448", NULL, 0},
    };
    IDV_AUTO_PTR(EVP_PKEY) ca = EVP_EC_gen("P-256");
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        reads(&kinds[i], ca);
}

/* the certificate is one, its key is none, and nothing is verified by it */
static void has_no_key(const struct kind *k, EVP_PKEY *ca)
{
    IDV_AUTO_PTR(EVP_PKEY) key = generate(k);
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) again = {0};
    certify(key, ca, false, &der);
    IDV_AUTO_PTR(X509) cert = by_stranger(idv_view(&der));
    assert_null(X509_get0_pubkey(cert));
    assert_null(idvi_curve_key(X509_get_X509_PUBKEY(cert)));
    assert_true(idv_cert_same_key(cert, cert));
    assert_false(idv_cert_has_key(cert, ca));
    OK(idv_cert_to_der(cert, &again));
    assert_true(idv_bytes_eq(idv_view(&der), idv_view(&again)));
    ERR_clear_error();
}

static void other_kinds(void **state)
{
    static const struct kind kinds[] = {
        {"DSA", NULL, 0}, {"DH", "ffdhe2048", 0}, {"SM2", NULL, 0}};
    IDV_AUTO_PTR(EVP_PKEY) ca = EVP_EC_gen("P-256");
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        has_no_key(&kinds[i], ca);
}

static idv_rc verify(const struct idv_buf *leaf, const struct idv_buf *ca)
{
    IDV_AUTO_PTR(X509) cert = by_stranger(idv_view(leaf));
    IDV_AUTO_PTR(idv_certs) anchors = sk_X509_new_null();
    X509 *anchor = by_stranger(idv_view(ca));
    struct idv_chain_policy policy = {
        .anchors = anchors, .check_time = true, .now = NOW};
    assert_true(sk_X509_push(anchors, anchor) > 0);
    return idv_chain_verify(cert, &policy);
}

static void authorities(void **state)
{
    static const struct kind kind = {"DSA", NULL, 0};
    IDV_AUTO_PTR(EVP_PKEY) leaf = EVP_EC_gen("P-256");
    IDV_AUTO_PTR(EVP_PKEY) ec = EVP_EC_gen("P-384");
    IDV_AUTO_PTR(EVP_PKEY) other = generate(&kind);
    IDV_AUTO(buf) below = {0};
    IDV_AUTO(buf) above = {0};
    (void)state;
    certify(leaf, ec, false, &below);
    certify(ec, ec, true, &above);
    OK(verify(&below, &above));
    idv_buf_clear(&below);
    idv_buf_clear(&above);
    certify(leaf, other, false, &below);
    certify(other, other, true, &above);
    FAILS(IDV_E_REJECT, "", verify(&below, &above));
    assert_int_equal(ERR_peek_error(), 0);
}

/* --- keys of points ------------------------------------------------------- */

/* what is beside a key is its own: not its copy's, which may be given another
 * point */
static void copies(void **state)
{
    IDV_AUTO_PTR(EVP_PKEY) key = EVP_EC_gen("P-256");
    IDV_AUTO_PTR(EVP_PKEY) other = EVP_EC_gen("P-256");
    IDV_AUTO_PTR(X509) cert = X509_new();
    IDV_AUTO(buf) a = {0};
    IDV_AUTO(buf) b = {0};
    uint8_t *point = NULL;
    int nid = 0;
    (void)state;
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    IDV_AUTO_PTR(EVP_PKEY) read = idvi_curve_key(X509_get_X509_PUBKEY(cert));
    assert_int_equal(idvi_curve_point(read, &nid).n, 65);
    IDV_AUTO_PTR(EVP_PKEY) copy = EVP_PKEY_dup(read);
    assert_int_equal(EVP_PKEY_eq(copy, key), 1);
    const size_t n = EVP_PKEY_get1_encoded_public_key(other, &point);
    assert_int_equal(EVP_PKEY_set1_encoded_public_key(copy, point, n), 1);
    OPENSSL_free(point);
    OK(idvi_spki(copy, &a));
    OK(idvi_spki(other, &b));
    assert_true(idv_bytes_eq(idv_view(&a), idv_view(&b)));
}

/* --- threads and processes ------------------------------------------------ */

static struct idv_buf certs[3];

static void *read_some(void *unused)
{
    (void)unused;
    for (int i = 0; i < 60; i++) {
        const uint8_t *p = certs[i % 3].p;
        IDV_AUTO_PTR(X509) cert = X509_new_ex(idv_lean_context(), NULL);
        assert_non_null(d2i_X509(&cert, &p, (long)certs[i % 3].n));
        IDV_AUTO_PTR(EVP_PKEY) copy = EVP_PKEY_dup(X509_get0_pubkey(cert));
        assert_int_equal(EVP_PKEY_eq(copy, X509_get0_pubkey(cert)), 1);
    }
    return NULL;
}

static void threads(void **state)
{
    static const struct kind kinds[] = {
        {"RSA", NULL, 1024}, {"EC", "P-256", 0}, {"ED25519", NULL, 0}};
    IDV_AUTO_PTR(EVP_PKEY) ca = EVP_EC_gen("P-256");
    pthread_t t[4];
    (void)state;
    for (int i = 0; i < 3; i++) {
        IDV_AUTO_PTR(EVP_PKEY) key = generate(&kinds[i]);
        certify(key, ca, false, &certs[i]);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, read_some, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < 3; i++)
        idv_buf_free(&certs[i]);
}

/* TLS has its randomness from there: no two processes have the same */
static void children(void **state)
{
    uint8_t ours[32], theirs[32];
    int pipes[2], status = 0;
    (void)state;
    assert_int_equal(RAND_bytes_ex(idv_lean_context(), ours, 32, 0), 1);
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(RAND_bytes_ex(idv_lean_context(), theirs, 32, 0) == 1 &&
                      write(pipes[1], theirs, 32) == 32
                  ? 0
                  : 1);
    assert_int_equal(RAND_bytes_ex(idv_lean_context(), ours, 32, 0), 1);
    assert_int_equal(read(pipes[0], theirs, 32), 32);
    assert_true(waitpid(pid, &status, 0) == pid && status == 0);
    assert_memory_not_equal(ours, theirs, 32);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(otherwise), /* first: nothing is made yet */
        cmocka_unit_test(errors_of_others), cmocka_unit_test(kinds_of_devices),
        cmocka_unit_test(other_kinds),      cmocka_unit_test(authorities),
        cmocka_unit_test(copies),           cmocka_unit_test(threads),
        cmocka_unit_test(children),
    };
    return cmocka_run_group_tests_name("lean", tests, NULL, NULL);
}
