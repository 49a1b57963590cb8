/* SPDX-License-Identifier: Apache-2.0 */
/* Decryption and key agreement as the attributes of a key have it: the PIN for
 * each use, the mechanisms it may do, what it is for. With the tests' own
 * module, or with SoftHSM2 when the program's name says so. */
#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include "provider/device.h"
#include "tests/lib/keycheck.h"
#include "tests/unit/token_use.h"

#define SIZE 256
#define PRIVATE "pkcs11:object=key;type=private"

static uint8_t box[SIZE];
static const char *pin = "1234"; /* that the token has now */

/* --- keys --- */

/* made by us: for one use, with the PIN for each */
static EVP_PKEY *each_time(const char *type, const char *usage)
{
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(w.libctx, type, "provider=hwkey");
    EVP_PKEY *key = NULL;
    char uri[80];

    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    snprintf(uri, sizeof(uri), "pkcs11:object=key?pin-value=%s", pin);
    assert_true(EVP_PKEY_CTX_ctrl_str(ctx, HWK_PARAM_KEY_URI, uri) > 0);
    assert_true(EVP_PKEY_CTX_ctrl_str(ctx, HWK_PARAM_KEY_USAGE, usage) > 0);
    assert_true(EVP_PKEY_CTX_ctrl_str(ctx, HWK_PARAM_KEY_ALWAYS_AUTH, "yes") >
                0);
    assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *opened(void)
{
    EVP_PKEY *key = open_key(&w, PRIVATE, OSSL_STORE_INFO_PKEY, pin);

    assert_non_null(key);
    return key;
}

/* made by others, to do these mechanisms only */
static EVP_PKEY *limited(const struct hwk_curve *curve,
                         const CK_MECHANISM_TYPE *allowed, size_t n)
{
    struct made k;

    maker_wipe(&m);
    assert_int_equal(maker_pair(&m, curve, "k", "key", allowed, n, &k), CKR_OK);
    return open_key(&w, URI, OSSL_STORE_INFO_PKEY, NULL);
}
#define LIMITED(curve, ...)                                                    \
    limited(curve, (const CK_MECHANISM_TYPE[]){__VA_ARGS__},                   \
            sizeof((const CK_MECHANISM_TYPE[]){__VA_ARGS__}) /                 \
                sizeof(CK_MECHANISM_TYPE))

/* --- what is done with them --- */

static int cipher(EVP_PKEY *key, int pad, const char *md, bool decrypt,
                  const uint8_t *in, size_t in_n, uint8_t *out, size_t *n)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    int ok =
        (decrypt ? EVP_PKEY_decrypt_init(ctx) : EVP_PKEY_encrypt_init(ctx)) >
            0 &&
        EVP_PKEY_CTX_set_rsa_padding(ctx, pad) > 0 &&
        (md == NULL || EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, md, NULL) > 0) &&
        (decrypt ? EVP_PKEY_decrypt(ctx, out, n, in, in_n)
                 : EVP_PKEY_encrypt(ctx, out, n, in, in_n)) > 0;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static void encrypt(EVP_PKEY *key, int pad, const char *md)
{
    EVP_PKEY *twin = default_twin(&w, key);
    uint8_t text[SIZE] = {0, 'x'};
    size_t n = SIZE;

    assert_true(cipher(twin, pad, md, false, text,
                       pad == RSA_NO_PADDING ? SIZE : 2, box, &n));
    EVP_PKEY_free(twin);
}

static int decrypts(EVP_PKEY *key, int pad, const char *md)
{
    uint8_t out[SIZE];
    size_t n = sizeof(out);

    return cipher(key, pad, md, true, box, SIZE, out, &n) && out[0] == 0 &&
           out[1] == 'x';
}

static EVP_PKEY *peer_of(EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "EC")
               ? EVP_PKEY_Q_keygen(w.libctx, NULL, "EC", "P-256")
               : EVP_PKEY_Q_keygen(w.libctx, NULL, "X25519");
}

static int agree_once(EVP_PKEY *key, EVP_PKEY *peer, uint8_t out[static 32])
{
    EVP_PKEY *pub = default_twin(&w, peer);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, key, NULL);
    size_t n = 32;
    int ok = EVP_PKEY_derive_init(ctx) > 0 &&
             EVP_PKEY_derive_set_peer(ctx, pub) > 0 &&
             EVP_PKEY_derive(ctx, out, &n) > 0 && n == 32;

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(pub);
    return ok;
}

static int agrees(EVP_PKEY *key)
{
    EVP_PKEY *peer = peer_of(key);
    uint8_t here[32], there[32];
    int ok = agree_once(key, peer, here);

    if (ok)
        assert_true(agree_once(peer, key, there) &&
                    memcmp(here, there, 32) == 0);
    EVP_PKEY_free(peer);
    return ok;
}

/* --- counted --- */

static unsigned calls(const char *fn)
{
    return m.soft != NULL ? m.soft->calls(fn) : 0;
}

#define TELL(line) assert_true(m.soft->tell(line))

/* the next thing fails for that reason and without a call */
#define REFUSED(reason, thing)                                                 \
    do {                                                                       \
        if (m.soft != NULL)                                                    \
            TELL("forget");                                                    \
        assert_false(thing);                                                   \
        assert_int_equal(hwk_reason(), reason);                                \
        assert_int_equal(calls(NULL), 0);                                      \
    } while (0)

/* and this succeeds with n calls */
#define DONE(n, thing)                                                         \
    do {                                                                       \
        if (m.soft != NULL)                                                    \
            TELL("forget");                                                    \
        assert_true(thing);                                                    \
        no_errors();                                                           \
        if (m.soft != NULL)                                                    \
            assert_int_equal(calls(NULL), n);                                  \
    } while (0)

/* --- the PIN for each use --- */

/* the token wants it between C_DecryptInit and C_Decrypt, and checks that */
static void pin_to_decrypt(void **state)
{
    EVP_PKEY *key;

    NEED();
    EVP_PKEY_free(each_time("RSA", "decrypt"));
    key = opened();
    encrypt(key, RSA_PKCS1_PADDING, NULL);
    DONE(3, decrypts(key, RSA_PKCS1_PADDING, NULL));
    DONE(3, decrypts(key, RSA_PKCS1_PADDING, NULL));
    encrypt(key, RSA_PKCS1_OAEP_PADDING, "SHA1");
    DONE(3, decrypts(key, RSA_PKCS1_OAEP_PADDING, "SHA1"));
    encrypt(key, RSA_NO_PADDING, NULL);
    DONE(3, decrypts(key, RSA_NO_PADDING, NULL));
    EVP_PKEY_free(key);
}

/* a digest that the token does not know, as it finds out late: then the bare
 * number, and that at once from then on */
static void pin_for_two_ways(void **state)
{
    EVP_PKEY *key;

    NEED();
    EVP_PKEY_free(each_time("RSA", "decrypt"));
    key = opened();
    encrypt(key, RSA_PKCS1_OAEP_PADDING, "SHA3-256");
    DONE(6, decrypts(key, RSA_PKCS1_OAEP_PADDING, "SHA3-256"));
    DONE(3, decrypts(key, RSA_PKCS1_OAEP_PADDING, "SHA3-256"));
    EVP_PKEY_free(key);
}

/* what is wrong with a ciphertext is not wrong with the session */
static void bad_ciphertexts(void **state)
{
    EVP_PKEY *key;
    int i;

    NEED();
    key = LIMITED(NULL, CKM_RSA_PKCS);
    encrypt(key, RSA_NO_PADDING, NULL);
    TELL("forget");
    for (i = 0; i < 4; i++) {
        assert_false(decrypts(key, RSA_PKCS1_PADDING, NULL));
        assert_int_equal(hwk_reason(), HWK_R_PKCS11);
    }
    assert_int_equal(calls(NULL), 8);
    assert_int_equal(calls("C_Decrypt"), 4);
    EVP_PKEY_free(key);
}

static void pin_to_derive(void **state)
{
    EVP_PKEY *key;

    NEED();
    EVP_PKEY_free(each_time("EC", "derive"));
    key = opened();
    DONE(3, agrees(key)); /* what most want: none for that */
    if (m.soft != NULL) {
        TELL("slot 1 derive-auth");
        DONE(5, agrees(key));
        DONE(5, agrees(key));
        assert_int_equal(calls("C_Login"), 1);
        TELL("slot 1 not-derive-auth");
    }
    EVP_PKEY_free(key);
}

static void any_loss(EVP_PKEY *key, int (*use)(EVP_PKEY *key))
{
    static const char *const losses[] = {"do sessions", "do logout",
                                         "do restart", "on C_Login sessions"};
    size_t i;

    for (i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
        TELL("forget");
        TELL(losses[i]);
        assert_true(use(key));
        no_errors();
    }
}

static int decrypts_pkcs1(EVP_PKEY *key)
{
    return decrypts(key, RSA_PKCS1_PADDING, NULL);
}

static void losses(void **state)
{
    EVP_PKEY *key;

    NEED();
    EVP_PKEY_free(each_time("RSA", "decrypt"));
    key = opened();
    encrypt(key, RSA_PKCS1_PADDING, NULL);
    any_loss(key, decrypts_pkcs1);
    EVP_PKEY_free(key);
    maker_wipe(&m);
    EVP_PKEY_free(each_time("EC", "derive"));
    key = opened();
    any_loss(key, agrees);
    TELL("slot 1 derive-auth");
    any_loss(key, agrees);
    TELL("slot 1 not-derive-auth");
    EVP_PKEY_free(key);
}

/* Somebody gives the token another PIN: of its tries, one is spent. */
static void wrong_once(EVP_PKEY *key, int (*use)(EVP_PKEY *key),
                       const char *other)
{
    CK_TOKEN_INFO info;
    char line[80];

    assert_true(use(key));
    snprintf(line, sizeof(line), "slot 1 pin=%s tries=3", other);
    TELL(line);
    TELL("forget");
    assert_false(use(key));
    assert_int_equal(hwk_reason(), HWK_R_PIN_INCORRECT);
    assert_int_equal(calls("C_Login"), 1);
    assert_int_equal(calls("C_Decrypt"), 0);
    assert_int_equal(m.f->C_GetTokenInfo(1, &info), CKR_OK);
    assert_int_equal(info.flags & CKF_USER_PIN_FINAL_TRY, 0);
    assert_false(use(key));
    assert_int_equal(hwk_reason(), HWK_R_PIN_INCORRECT);
    assert_int_equal(calls("C_Login"), 1);
    pin = other; /* the one of before is known to be wrong from now on */
    EVP_PKEY_free(key);
    world_close(&w);
    assert_true(world_open(&w, "dh"));
}

static void wrong_pin_to_decrypt(void **state)
{
    EVP_PKEY *key;

    NEED();
    EVP_PKEY_free(each_time("RSA", "decrypt"));
    key = opened();
    encrypt(key, RSA_PKCS1_PADDING, NULL);
    wrong_once(key, decrypts_pkcs1, "5678");
}

static void wrong_pin_to_derive(void **state)
{
    EVP_PKEY *key;

    NEED();
    EVP_PKEY_free(each_time("EC", "derive"));
    key = opened();
    TELL("slot 1 derive-auth");
    wrong_once(key, agrees, "4321");
    TELL("slot 1 not-derive-auth");
}

/* --- the mechanisms it may do --- */

static void rsa_mechanisms(void **state)
{
    EVP_PKEY *key;

    NEED();
    key = LIMITED(NULL, CKM_RSA_PKCS);
    encrypt(key, RSA_PKCS1_PADDING, NULL);
    DONE(2, decrypts(key, RSA_PKCS1_PADDING, NULL));
    REFUSED(HWK_R_PADDING, decrypts(key, RSA_NO_PADDING, NULL));
    encrypt(key, RSA_PKCS1_OAEP_PADDING, "SHA1");
    REFUSED(HWK_R_PADDING, decrypts(key, RSA_PKCS1_OAEP_PADDING, "SHA1"));
    EVP_PKEY_free(key);
    key = LIMITED(NULL, CKM_RSA_PKCS_OAEP);
    encrypt(key, RSA_PKCS1_OAEP_PADDING, "SHA1");
    DONE(2, decrypts(key, RSA_PKCS1_OAEP_PADDING, "SHA1"));
    encrypt(key, RSA_PKCS1_PADDING, NULL);
    REFUSED(HWK_R_PADDING, decrypts(key, RSA_PKCS1_PADDING, NULL));
    REFUSED(HWK_R_PADDING, decrypts(key, RSA_PKCS1_WITH_TLS_PADDING, NULL));
    EVP_PKEY_free(key);
    /* from the bare number comes all of it */
    key = LIMITED(NULL, CKM_RSA_X_509);
    encrypt(key, RSA_PKCS1_OAEP_PADDING, "SHA256");
    DONE(2, decrypts(key, RSA_PKCS1_OAEP_PADDING, "SHA256"));
    encrypt(key, RSA_PKCS1_PADDING, NULL);
    DONE(2, decrypts(key, RSA_PKCS1_PADDING, NULL));
    EVP_PKEY_free(key);
    key = LIMITED(NULL, CKM_SHA256_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS);
    encrypt(key, RSA_PKCS1_PADDING, NULL);
    REFUSED(HWK_R_PADDING, decrypts(key, RSA_PKCS1_PADDING, NULL));
    EVP_PKEY_free(key);
}

static void curve_mechanisms(void **state)
{
    static const char *const names[] = {"P-256", "X25519"};
    size_t i;

    NEED();
    for (i = 0; i < (softhsm ? 1 : 2); i++) {
        const struct hwk_curve *c = hwk_curve_by_name(names[i]);
        EVP_PKEY *key = LIMITED(c, CKM_ECDSA, CKM_ECDSA_SHA256);

        REFUSED(HWK_R_KEY, agrees(key));
        EVP_PKEY_free(key);
        key = LIMITED(c, CKM_ECDH1_DERIVE);
        DONE(3, agrees(key));
        if (i == 0)
            REFUSED(HWK_R_PADDING, sign_verify(&w, key, "SHA256", NO_PSS));
        EVP_PKEY_free(key);
    }
}

/* --- what it is for --- */

static void not_to_decrypt(void **state)
{
    CK_BBOOL no = CK_FALSE;
    struct made k;
    EVP_PKEY *key;

    NEED();
    assert_int_equal(maker_pair(&m, NULL, "k", "key", NULL, 0, &k), CKR_OK);
    assert_int_equal(maker_set(&m, k.priv, CKA_DECRYPT, &no, 1), CKR_OK);
    key = open_key(&w, URI, OSSL_STORE_INFO_PKEY, NULL);
    encrypt(key, RSA_PKCS1_PADDING, NULL);
    REFUSED(HWK_R_KEY, decrypts(key, RSA_PKCS1_PADDING, NULL));
    REFUSED(HWK_R_KEY, decrypts(key, RSA_NO_PADDING, NULL));
    REFUSED(HWK_R_KEY, decrypts(key, RSA_PKCS1_WITH_TLS_PADDING, NULL));
    encrypt(key, RSA_PKCS1_OAEP_PADDING, "SHA256");
    REFUSED(HWK_R_KEY, decrypts(key, RSA_PKCS1_OAEP_PADDING, "SHA256"));
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    EVP_PKEY_free(key);
}

static void not_to_derive(void **state)
{
    static const char *const names[] = {"P-256", "X25519"};
    CK_BBOOL no = CK_FALSE;
    struct made k;
    EVP_PKEY *key;
    size_t i;

    NEED();
    for (i = 0; i < (softhsm ? 1 : 2); i++) {
        maker_wipe(&m);
        assert_int_equal(maker_pair(&m, hwk_curve_by_name(names[i]), "k", "key",
                                    NULL, 0, &k),
                         CKR_OK);
        assert_int_equal(maker_set(&m, k.priv, CKA_DERIVE, &no, 1), CKR_OK);
        key = open_key(&w, URI, OSSL_STORE_INFO_PKEY, NULL);
        REFUSED(HWK_R_KEY, agrees(key));
        EVP_PKEY_free(key);
    }
}

int main(int argc, char **argv)
{
#define T(fn) cmocka_unit_test_setup(fn, each)
    const struct CMUnitTest tests[] = {
        T(pin_to_decrypt),       T(pin_to_derive),       T(rsa_mechanisms),
        T(curve_mechanisms),     T(not_to_decrypt),      T(not_to_derive),
        T(pin_for_two_ways),     T(bad_ciphertexts),     T(losses),
        T(wrong_pin_to_decrypt), T(wrong_pin_to_derive),
    };

    (void)argc;
    return RUN(argv, tests, 5);
}
