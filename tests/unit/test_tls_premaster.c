/* SPDX-License-Identifier: Apache-2.0 */
/* TLS 1.2 with RSA key exchange and a token's key: whatever is wrong with a
 * premaster secret, a server goes on as if nothing were, and says in the end
 * what it says to every client that has another one. With the tests' own
 * module, or with SoftHSM2 when the program's name says so. */
#include <openssl/rsa.h>
#include <openssl/ssl.h>

#include "tests/lib/keycheck.h"
#include "tests/unit/token_use.h"

#define SIZE 256
#define RECORD 5 /* bytes of a record's head */
#define KEY_EXCHANGE 16
#define QUIET 0xff /* no alert */

/* --- the two ends, and what is between --- */

struct pair {
    SSL_CTX *server_ctx, *client_ctx;
    SSL *server, *client;
    BIO *to_server, *to_client;
};

static void ends(struct pair *p, EVP_PKEY *key, const char *suite)
{
    X509 *x = self_cert(&w, key);

    p->server_ctx = SSL_CTX_new_ex(w.libctx, NULL, TLS_server_method());
    p->client_ctx = SSL_CTX_new_ex(w.libctx, NULL, TLS_client_method());
    SSL_CTX_set_max_proto_version(p->client_ctx, TLS1_2_VERSION);
    assert_int_equal(SSL_CTX_set_cipher_list(p->client_ctx, suite), 1);
    assert_int_equal(SSL_CTX_use_certificate(p->server_ctx, x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(p->server_ctx, key), 1);
    X509_free(x);
    p->server = SSL_new(p->server_ctx);
    p->client = SSL_new(p->client_ctx);
    p->to_server = BIO_new(BIO_s_mem());
    p->to_client = BIO_new(BIO_s_mem());
    BIO_up_ref(p->to_server);
    BIO_up_ref(p->to_client);
    SSL_set_bio(p->server, p->to_server, p->to_client);
    SSL_set_bio(p->client, p->to_client, p->to_server);
    SSL_set_accept_state(p->server);
    SSL_set_connect_state(p->client);
}

static void part(struct pair *p)
{
    SSL_free(p->server);
    SSL_free(p->client);
    SSL_CTX_free(p->server_ctx);
    SSL_CTX_free(p->client_ctx);
    ERR_clear_error();
}

static int waits(SSL *ssl)
{
    int r = SSL_do_handshake(ssl);

    return r <= 0 && SSL_get_error(ssl, r) == SSL_ERROR_WANT_READ;
}

/* --- premaster secrets --- */

enum wrong {
    NOTHING, /* the client's own */
    ANOTHER, /* well-formed, but not the client's */
    FIRST_BYTE,
    BLOCK_TYPE,
    ZERO_EARLY,
    ZERO_LATE,
    NO_ZERO,
    VERSION,
    VERSION_OLD,
    SHORT,
    LONG,
    EMPTY,
    NOISE, /* not even a block */
    KINDS,
    TOO_LARGE = KINDS, /* than the modulus, which everybody sees */
};

static void spoil(enum wrong how, uint8_t em[static SIZE])
{
    size_t n = how == SHORT ? 47 : how == LONG ? 49 : how == EMPTY ? 0 : 48;

    memset(em, 0x5a, SIZE);
    em[0] = how == FIRST_BYTE ? 1 : 0;
    em[1] = how == BLOCK_TYPE ? 1 : 2;
    if (how != NO_ZERO)
        em[SIZE - n - 1] = 0;
    if (how == ZERO_EARLY)
        em[5] = 0;
    if (how == ZERO_LATE)
        em[SIZE - 50] = 0;
    if (n >= 2) {
        em[SIZE - n] = how == VERSION ? 2 : 3;
        em[SIZE - n + 1] = how == VERSION_OLD ? 2 : 3;
    }
    if (how == NOISE)
        memset(em, 0x33, SIZE);
}

static void encrypt(EVP_PKEY *key, enum wrong how, uint8_t out[static SIZE])
{
    EVP_PKEY *twin = default_twin(&w, key);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w.libctx, twin, NULL);
    uint8_t em[SIZE];
    size_t n = SIZE;

    spoil(how, em);
    assert_int_equal(EVP_PKEY_encrypt_init(ctx), 1);
    assert_true(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) > 0);
    assert_int_equal(EVP_PKEY_encrypt(ctx, out, &n, em, SIZE), 1);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(twin);
    if (how == TOO_LARGE)
        memset(out, 0xff, SIZE);
}

/* --- one handshake --- */

/* the client's second flight: its key exchange in plain, and the rest */
static size_t flight(struct pair *p, uint8_t *out, size_t room)
{
    int n;

    assert_true(waits(p->client));
    assert_true(waits(p->server));
    assert_true(waits(p->client));
    n = BIO_read(p->to_server, out, (int)room);
    assert_true(n > RECORD + 6 + SIZE);
    assert_int_equal(out[0], SSL3_RT_HANDSHAKE);
    assert_int_equal(out[RECORD], KEY_EXCHANGE);
    return (size_t)n;
}

/* what the server has said: an alert, or QUIET */
static int alert(struct pair *p)
{
    uint8_t out[64];
    int n = BIO_read(p->to_client, out, sizeof(out));

    if (n <= 0)
        return QUIET;
    assert_int_equal(n, RECORD + 2);
    assert_int_equal(out[0], SSL3_RT_ALERT);
    return out[RECORD + 1];
}

struct outcome {
    int at_key_exchange, at_finished, finished;
};

static struct outcome handshake(EVP_PKEY *key, const char *suite,
                                enum wrong how)
{
    struct outcome o = {QUIET, QUIET, 0};
    uint8_t out[4096];
    size_t n, head = RECORD + 6 + SIZE; /* both lengths, and the ciphertext */
    struct pair p;

    ends(&p, key, suite);
    n = flight(&p, out, sizeof(out));
    if (how != NOTHING)
        encrypt(key, how, out + RECORD + 6);
    BIO_write(p.to_server, out, (int)head);
    (void)waits(p.server);
    o.at_key_exchange = alert(&p);
    if (o.at_key_exchange == QUIET) {
        BIO_write(p.to_server, out + head, (int)(n - head));
        o.finished = SSL_do_handshake(p.server) == 1;
        o.at_finished = o.finished ? QUIET : alert(&p);
    }
    part(&p);
    return o;
}

/* --- the tests --- */

static const char *const suites[] = {"AES128-SHA", "AES256-SHA256",
                                     "AES128-GCM-SHA256"};

/* as with a key of the default provider, whatever is wrong */
static void no_oracle(EVP_PKEY *key)
{
    EVP_PKEY *soft = EVP_PKEY_Q_keygen(w.libctx, "provider=default", "RSA",
                                       (size_t)8 * SIZE);
    size_t i;
    int how;

    for (i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
        for (how = NOTHING; how <= TOO_LARGE; how++) {
            struct outcome a = handshake(key, suites[i], (enum wrong)how);
            struct outcome b = handshake(soft, suites[i], (enum wrong)how);

            if (memcmp(&a, &b, sizeof(a)) != 0)
                fail_msg("%s, wrong in way %d: alerts %d, %d; default: %d, %d",
                         suites[i], how, a.at_key_exchange, a.at_finished,
                         b.at_key_exchange, b.at_finished);
            assert_int_equal(a.finished, how == NOTHING);
            if (how == TOO_LARGE)
                continue;
            assert_int_equal(a.at_key_exchange, QUIET);
            if (how != NOTHING)
                assert_int_equal(a.at_finished, SSL_AD_BAD_RECORD_MAC);
        }
    EVP_PKEY_free(soft);
}

static EVP_PKEY *made(const CK_MECHANISM_TYPE *allowed, size_t n)
{
    struct made k;
    EVP_PKEY *key;

    assert_int_equal(maker_pair(&m, NULL, "k", "key", allowed, n, &k), CKR_OK);
    key = open_key(&w, URI, OSSL_STORE_INFO_PKEY, NULL);
    assert_non_null(key);
    return key;
}

static void from_the_bare_number(void **state)
{
    EVP_PKEY *key;

    NEED();
    key = made(NULL, 0);
    no_oracle(key);
    EVP_PKEY_free(key);
}

static void taken_off_by_the_token(void **state)
{
    static const CK_MECHANISM_TYPE only[] = {CKM_RSA_PKCS, CKM_RSA_PKCS_PSS};
    EVP_PKEY *key;

    NEED();
    key = made(only, 2);
    no_oracle(key);
    EVP_PKEY_free(key);
}

/* each costs the token the same calls */
static void same_calls(void **state)
{
    static const CK_MECHANISM_TYPE only[] = {CKM_RSA_PKCS, CKM_RSA_PKCS_PSS};
    size_t i;
    int how;

    NEED();
    for (i = 0; i < 2; i++) {
        EVP_PKEY *key;
        unsigned calls;

        maker_wipe(&m);
        key = made(only, 2 * i);
        (void)handshake(key, suites[0], NOTHING); /* whatever comes once */
        assert_true(m.soft->tell("forget"));
        (void)handshake(key, suites[0], ANOTHER);
        calls = m.soft->calls(NULL);
        for (how = FIRST_BYTE; how < KINDS; how++) {
            assert_true(m.soft->tell("forget"));
            (void)handshake(key, suites[0], (enum wrong)how);
            assert_int_equal(m.soft->calls(NULL), calls);
            assert_int_equal(m.soft->calls("C_Decrypt"), 1);
        }
        EVP_PKEY_free(key);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(from_the_bare_number, each),
        cmocka_unit_test_setup(taken_off_by_the_token, each),
        cmocka_unit_test_setup(same_calls, each),
    };

    (void)argc;
    return RUN(argv, tests, 1);
}
