/* SPDX-License-Identifier: Apache-2.0 */
/* Software keys of every type in every order of providers: wherever they land,
 * they are made, described, written and read as with the default provider
 * alone. */
#include <openssl/core_names.h>
#include <openssl/encoder.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "tests/unit/software.h"

/* --- making --- */

static int ticks;

static int tick(EVP_PKEY_CTX *ctx)
{
    (void)ctx;
    ticks++;
    return 1;
}

static int never(EVP_PKEY_CTX *ctx)
{
    (void)ctx;
    return 0;
}

static void generation(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < KINDS; i++) {
        EVP_PKEY *key = generate(w.libctx, &kinds[i]);
        char name[32];
        size_t n;

        check_owner(key);
        assert_int_equal(EVP_PKEY_get_bits(key), EVP_PKEY_get_bits(model[i]));
        assert_int_equal(EVP_PKEY_get_size(key), EVP_PKEY_get_size(model[i]));
        if (kinds[i].group != NULL) {
            assert_true(EVP_PKEY_get_group_name(key, name, sizeof(name), &n));
            assert_string_equal(name, strcmp(kinds[i].group, "P-256") == 0
                                          ? "prime256v1"
                                          : kinds[i].group);
        }
        assert_int_equal(EVP_PKEY_eq(key, model[i]), 0);
        EVP_PKEY_free(key);
    }
}

static void generation_options(void **state)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(w.libctx, "RSA", NULL);
    EVP_PKEY *key = NULL;
    BIGNUM *e = NULL;
    char mdname[32];

    (void)state;
    ticks = 0;
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_true(set(ctx, "rsa_keygen_bits", "768"));
    assert_true(set(ctx, "rsa_keygen_pubexp", "3"));
    EVP_PKEY_CTX_set_cb(ctx, tick);
    assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
    assert_true(ticks > 0);
    assert_int_equal(EVP_PKEY_get_bits(key), 768);
    assert_true(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e));
    assert_true(BN_is_word(e, 3));
    BN_free(e);
    EVP_PKEY_free(key);
    key = NULL;
    EVP_PKEY_CTX_set_cb(ctx, never); /* the application has had enough */
    assert_true(EVP_PKEY_generate(ctx, &key) <= 0);
    assert_true(EVP_PKEY_paramgen_init(ctx) <= 0); /* it has none */
    EVP_PKEY_CTX_free(ctx);
    ctx = EVP_PKEY_CTX_new_from_name(w.libctx, "EC", NULL);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_true(EVP_PKEY_CTX_ctrl_str(ctx, "rsa_keygen_bits", "1024") <= 0);
    assert_true(EVP_PKEY_generate(ctx, &key) <= 0); /* of no group */
    assert_true(set(ctx, "group", "P-257"));        /* nobody looks yet */
    assert_true(EVP_PKEY_generate(ctx, &key) <= 0);
    EVP_PKEY_CTX_free(ctx);
    key = here(6);
    assert_int_equal(
        EVP_PKEY_get_default_digest_name(key, mdname, sizeof(mdname)), 2);
    assert_string_equal(mdname, "SHA2-256");
    EVP_PKEY_free(key);
}

/* parameters first, or the key of somebody as the model, as TLS and CMS have
 * it */
static void generation_from_a_model(void **state)
{
    EVP_PKEY *params = NULL, *key = NULL, *device;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(w.libctx, "EC", NULL);
    int before;

    (void)state;
    assert_int_equal(EVP_PKEY_paramgen_init(ctx), 1);
    assert_true(set(ctx, "group", "P-384"));
    assert_int_equal(EVP_PKEY_generate(ctx, &params), 1);
    EVP_PKEY_CTX_free(ctx);
    check_owner(params);
    ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, params, NULL);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
    assert_int_equal(EVP_PKEY_parameters_eq(key, params), 1);
    assert_true(sign_verify(&w, key, "SHA384", NO_PSS));
    EVP_PKEY_free(key);
    EVP_PKEY_free(params);
    EVP_PKEY_CTX_free(ctx);
    key = NULL;
    device = open_key(&w, device_uri("ec2"), OSSL_STORE_INFO_PKEY, NULL);
    ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, device, NULL);
    before = device_calls();
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
    assert_int_equal(EVP_PKEY_parameters_eq(key, device), 1);
    assert_true(sign_verify(&w, key, "SHA512", NO_PSS));
    assert_int_equal(device_calls(), before);
    EVP_PKEY_free(key);
    EVP_PKEY_free(device);
    EVP_PKEY_CTX_free(ctx);
}

/* --- what they say --- */

static void same_values(const EVP_PKEY *a, const EVP_PKEY *b, int what)
{
    OSSL_PARAM *x = NULL, *y = NULL;
    const OSSL_PARAM *p, *q;

    assert_int_equal(EVP_PKEY_todata(a, what, &x), 1);
    assert_int_equal(EVP_PKEY_todata(b, what, &y), 1);
    for (p = y; p->key != NULL; p++) {
        q = OSSL_PARAM_locate_const(x, p->key);
        if (strcmp(p->key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS) ==
            0)
            continue; /* how it came, not what it is */
        if (q == NULL || q->data_size != p->data_size ||
            memcmp(q->data, p->data, p->data_size) != 0)
            fail_msg("%s differs", p->key);
    }
    OSSL_PARAM_free(x);
    OSSL_PARAM_free(y);
}

/* every parameter that the model can be asked for; said of an existing key */
static void same_answers(const EVP_PKEY *a, const EVP_PKEY *b, const char *name)
{
    const OSSL_PARAM *p = EVP_PKEY_gettable_params(b),
                     *all = EVP_PKEY_gettable_params(a);

    for (; p->key != NULL; p++) {
        uint8_t x[2048] = {0}, y[2048] = {0};
        size_t room = p->data_type == OSSL_PARAM_INTEGER ? sizeof(int) : 2048;
        OSSL_PARAM px[] = {{p->key, p->data_type, x, room, 0}, OSSL_PARAM_END};
        OSSL_PARAM py[] = {{p->key, p->data_type, y, room, 0}, OSSL_PARAM_END};

        px->return_size = py->return_size = OSSL_PARAM_UNMODIFIED;
        if (OSSL_PARAM_locate_const(all, p->key) == NULL)
            fail_msg("%s: nobody is told of %s", name, p->key);
        if (EVP_PKEY_get_params(a, px) != EVP_PKEY_get_params(b, py) ||
            px->return_size != py->return_size || memcmp(x, y, 2048) != 0)
            fail_msg("%s: %s differs", name, p->key);
    }
}

/* none and an empty one are the same */
static void same_lists(const EVP_PKEY *a, const EVP_PKEY *b)
{
    const OSSL_PARAM *of_a = EVP_PKEY_settable_params(a),
                     *p = EVP_PKEY_settable_params(b);

    for (; p != NULL && p->key != NULL; p++)
        if (of_a == NULL || OSSL_PARAM_locate_const(of_a, p->key) == NULL)
            fail_msg("%s: %s cannot be set", EVP_PKEY_get0_type_name(a),
                     p->key);
}

static void values(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < KINDS; i++) {
        EVP_PKEY *key = here(i), *copy = EVP_PKEY_dup(key);
        EVP_PKEY *public = from(w.libctx, model[i], EVP_PKEY_PUBLIC_KEY);
        EVP_PKEY *other = from(plain, model[i], EVP_PKEY_PUBLIC_KEY);
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);

        check_owner(key);
        check_owner(copy);
        same_values(key, model[i], EVP_PKEY_KEYPAIR);
        assert_int_equal(EVP_PKEY_eq(public, model[i]), 1);
        same_answers(public, other, kinds[i].name);
        same_answers(key, model[i], kinds[i].name);
        same_lists(key, model[i]);
        EVP_PKEY_free(key);
        same_values(copy, model[i], EVP_PKEY_KEYPAIR);
        assert_int_equal(EVP_PKEY_eq(copy, model[i]), 1);
        assert_int_equal(EVP_PKEY_eq(copy, public), 1);
        assert_int_equal(EVP_PKEY_check(ctx), 1);
        assert_int_equal(EVP_PKEY_public_check(ctx), 1);
        assert_int_equal(EVP_PKEY_private_check(ctx), 1);
        assert_int_equal(EVP_PKEY_pairwise_check(ctx), 1);
        EVP_PKEY_CTX_free(ctx);
        EVP_PKEY_free(public);
        EVP_PKEY_free(other);
        EVP_PKEY_free(copy);
    }
}

/* halves of two keys */
static void not_a_pair(void **state)
{
    EVP_PKEY *a = EVP_PKEY_Q_keygen(plain, NULL, "EC", "P-256"), *key = NULL;
    OSSL_PARAM *pa = NULL, *pb = NULL, *both, d[2];
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(w.libctx, "EC", NULL);

    (void)state;
    EVP_PKEY_todata(a, EVP_PKEY_KEYPAIR, &pa);
    EVP_PKEY_todata(model[0], EVP_PKEY_KEYPAIR, &pb);
    d[0] = *OSSL_PARAM_locate(pb, OSSL_PKEY_PARAM_PRIV_KEY);
    d[1] = OSSL_PARAM_construct_end();
    both = OSSL_PARAM_merge(pa, d);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, both), 1);
    EVP_PKEY_CTX_free(ctx);
    ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    assert_true(EVP_PKEY_pairwise_check(ctx) <= 0);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(pa);
    OSSL_PARAM_free(pb);
    OPENSSL_free(both);
    EVP_PKEY_free(key);
    EVP_PKEY_free(a);
}

static void changes(void **state)
{
    EVP_PKEY *key = here(0), *peer = EVP_PKEY_new(), *copy;
    uint8_t short_point[33], point[65], *to = NULL;
    size_t n;

    (void)state;
    assert_int_equal(EVP_PKEY_set_utf8_string_param(
                         key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                         OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_COMPRESSED),
                     1);
    assert_int_equal(
        EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY,
                                        short_point, sizeof(short_point), &n),
        1);
    assert_int_equal(n, sizeof(short_point));
    copy = EVP_PKEY_dup(key);
    assert_true(EVP_PKEY_get_octet_string_param(
        copy, OSSL_PKEY_PARAM_PUB_KEY, short_point, sizeof(short_point), &n));
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    EVP_PKEY_free(copy);
    /* as TLS does with the share of a peer */
    assert_int_equal(EVP_PKEY_copy_parameters(peer, key), 1);
    assert_int_equal(
        EVP_PKEY_set1_encoded_public_key(peer, short_point, sizeof(point)), 0);
    assert_int_equal(EVP_PKEY_set1_encoded_public_key(peer, short_point,
                                                      sizeof(short_point)),
                     1);
    assert_int_equal(EVP_PKEY_eq(peer, key), 1);
    n = EVP_PKEY_get1_encoded_public_key(peer, &to);
    assert_true(n == sizeof(point) || n == sizeof(short_point));
    to[n - 1] ^= 1; /* no point of the curve, if not compressed */
    if (n == sizeof(point))
        assert_int_equal(EVP_PKEY_set1_encoded_public_key(peer, to, n), 0);
    OPENSSL_free(to);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(key);
}

/* --- files --- */

static size_t encode(EVP_PKEY *key, int what, const char *type,
                     const char *structure, const char *cipher, uint8_t **out)
{
    OSSL_ENCODER_CTX *ctx =
        OSSL_ENCODER_CTX_new_for_pkey(key, what, type, structure, NULL);
    size_t n = 0;

    *out = NULL;
    assert_non_null(ctx);
    if (cipher != NULL) {
        assert_int_equal(OSSL_ENCODER_CTX_set_cipher(ctx, cipher, NULL), 1);
        assert_int_equal(OSSL_ENCODER_CTX_set_passphrase(
                             ctx, (const unsigned char *)"secret", 6),
                         1);
    }
    if (!OSSL_ENCODER_to_data(ctx, out, &n))
        n = 0;
    OSSL_ENCODER_CTX_free(ctx);
    return n;
}

static void same_form(EVP_PKEY *key, EVP_PKEY *of, int what, const char *type,
                      const char *structure)
{
    uint8_t *a, *b;
    size_t n = encode(key, what, type, structure, NULL, &a);
    size_t m = encode(of, what, type, structure, NULL, &b);

    if (n != m || (n > 0 && memcmp(a, b, n) != 0))
        fail_msg("%s as %s %s differs", EVP_PKEY_get0_type_name(of), type,
                 structure != NULL ? structure : "");
    OPENSSL_free(a);
    OPENSSL_free(b);
}

static void encrypted(EVP_PKEY *key, EVP_PKEY *of, const char *structure)
{
    char secret[] = "secret";
    EVP_PKEY *back;
    uint8_t *pem;
    size_t n =
        encode(key, EVP_PKEY_KEYPAIR, "PEM", structure, "AES-256-CBC", &pem);
    BIO *in = BIO_new_mem_buf(pem, (int)n);

    assert_true(n > 0);
    assert_memory_equal(pem, "-----BEGIN ENCRYPTED PRIVATE KEY-----", 37);
    back = PEM_read_bio_PrivateKey_ex(in, NULL, NULL, secret, plain, NULL);
    assert_non_null(back);
    assert_int_equal(EVP_PKEY_eq(back, of), 1);
    EVP_PKEY_free(back);
    BIO_free(in);
    OPENSSL_free(pem);
}

static void files(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < KINDS; i++) {
        EVP_PKEY *key = here(i), *of = model[i];

        same_form(key, of, EVP_PKEY_KEYPAIR, "DER", "PrivateKeyInfo");
        same_form(key, of, EVP_PKEY_KEYPAIR, "PEM", "PrivateKeyInfo");
        same_form(key, of, EVP_PKEY_PUBLIC_KEY, "DER", "SubjectPublicKeyInfo");
        same_form(key, of, EVP_PKEY_PUBLIC_KEY, "PEM", "SubjectPublicKeyInfo");
        same_form(key, of, EVP_PKEY_KEYPAIR, "TEXT", NULL);
        same_form(key, of, EVP_PKEY_PUBLIC_KEY, "TEXT", NULL);
        if (kinds[i].group != NULL || kinds[i].decrypts) {
            same_form(key, of, EVP_PKEY_KEYPAIR, "DER", "type-specific");
            same_form(key, of, EVP_PKEY_KEYPAIR, "PEM", "type-specific");
        }
        if (strcmp(order, BASE_ONLY) != 0) { /* it has no ciphers */
            encrypted(key, of, "PrivateKeyInfo");
            encrypted(key, of, "EncryptedPrivateKeyInfo");
        }
        EVP_PKEY_free(key);
    }
}

/* the public half is not in the file, and takes a digest of the process */
static bool unreadable(const struct kind *k)
{
    return strcmp(order, BASE_ONLY) == 0 && strncmp(k->type, "ED", 2) == 0;
}

static void reading(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < KINDS; i++) {
        BIO *pem = BIO_new(BIO_s_mem());
        unsigned char *der = NULL;
        const unsigned char *p;
        EVP_PKEY *key;
        int n;

        assert_int_equal(
            PEM_write_bio_PrivateKey(pem, model[i], NULL, NULL, 0, NULL, NULL),
            1);
        key = PEM_read_bio_PrivateKey_ex(pem, NULL, NULL, NULL, w.libctx, NULL);
        if (unreadable(&kinds[i])) {
            assert_null(key);
            assert_int_not_equal(ERR_peek_error(), 0);
            ERR_clear_error();
            BIO_free(pem);
            continue;
        }
        if (key == NULL)
            fail_msg("%s is not read", kinds[i].name);
        same_values(key, model[i], EVP_PKEY_KEYPAIR);
        n = i2d_PrivateKey(key, &der);
        EVP_PKEY_free(key);
        p = der;
        key = d2i_AutoPrivateKey_ex(NULL, &p, n, w.libctx, NULL);
        assert_non_null(key);
        assert_int_equal(EVP_PKEY_eq(key, model[i]), 1);
        assert_int_equal(device_calls(), 0);
        OPENSSL_free(der);
        EVP_PKEY_free(key);
        BIO_free(pem);
    }
}
/* --- what is a device's --- */

static void devices_keep_theirs(void **state)
{
    static const char *const names[] = {"ec", "rsa", "ed25519", "x25519"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *uri = device_uri(names[i]);
        EVP_PKEY *key, *copy;
        OSSL_PARAM *values_of = NULL;
        BIGNUM *d = NULL;
        uint8_t *out;

        if (uri == NULL)
            continue;
        key = open_key(&w, uri, OSSL_STORE_INFO_PKEY, NULL);
        copy = EVP_PKEY_dup(key);
        assert_int_equal(EVP_PKEY_todata(copy, EVP_PKEY_KEYPAIR, &values_of),
                         0);
        assert_int_equal(
            encode(copy, EVP_PKEY_KEYPAIR, "DER", "PrivateKeyInfo", NULL, &out),
            0);
        assert_int_equal(
            EVP_PKEY_get_bn_param(copy, OSSL_PKEY_PARAM_PRIV_KEY, &d), 0);
        if (EVP_PKEY_settable_params(copy) != NULL)
            assert_int_equal(EVP_PKEY_set1_encoded_public_key(
                                 copy, (const unsigned char *)"x", 1),
                             0);
        assert_int_equal(EVP_PKEY_todata(copy, EVP_PKEY_PUBLIC_KEY, &values_of),
                         1);
        OSSL_PARAM_free(values_of);
        EVP_PKEY_free(copy);
        EVP_PKEY_free(key);
    }
}

#define ORDER(o)                                                               \
    T(o, generation), T(o, generation_options), T(o, generation_from_a_model), \
        T(o, values), T(o, not_a_pair), T(o, changes), T(o, files),            \
        T(o, reading), T(o, devices_keep_theirs)

int main(void)
{
    const struct CMUnitTest tests[] = {EVERY_ORDER(ORDER), ORDER(BASE_ONLY)};

    NEED_DEVICE();
    return cmocka_run_group_tests(tests, make_models, drop_models);
}
