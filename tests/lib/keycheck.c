/* SPDX-License-Identifier: Apache-2.0 */
/* A key of ours against the default provider's of the same public half. */
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "tests/lib/keycheck.h"

#define ROOM 2048

EVP_PKEY *default_twin(struct world *w, EVP_PKEY *key)
{
    OSSL_PARAM *params = NULL;
    EVP_PKEY *twin = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(
        w->libctx, EVP_PKEY_get0_type_name(key), "provider=default");

    assert_int_equal(EVP_PKEY_todata(key, EVP_PKEY_PUBLIC_KEY, &params), 1);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &twin, EVP_PKEY_PUBLIC_KEY, params),
                     1);
    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(twin)),
                        "default");
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return twin;
}

/* --- parameters --- */

/* one question to both, with n bytes of room, or no buffer */
static void ask(EVP_PKEY *key, EVP_PKEY *twin, const char *name, unsigned type,
                bool buffer, size_t n)
{
    uint8_t a[ROOM] = {0}, b[ROOM] = {0};
    OSSL_PARAM pa[] = {
        {name, type, buffer ? a : NULL, n, OSSL_PARAM_UNMODIFIED},
        OSSL_PARAM_END};
    OSSL_PARAM pb[] = {
        {name, type, buffer ? b : NULL, n, OSSL_PARAM_UNMODIFIED},
        OSSL_PARAM_END};
    int ra = EVP_PKEY_get_params(key, pa), rb = EVP_PKEY_get_params(twin, pb);

    /* how much room would do, the default provider does not always say */
    if (ra != rb || pa[0].return_size < pb[0].return_size ||
        (rb == 1 && pa[0].return_size != pb[0].return_size) ||
        (rb == 1 && memcmp(a, b, sizeof(a)) != 0))
        fail_msg("%s %s (%zu bytes%s): %d, %zu; default: %d, %zu",
                 EVP_PKEY_get0_type_name(key), name, n,
                 buffer ? "" : ", no buffer", ra, pa[0].return_size, rb,
                 pb[0].return_size);
    ERR_clear_error();
}

static void ask_all_sizes(EVP_PKEY *key, EVP_PKEY *twin, const OSSL_PARAM *p)
{
    static const size_t sizes[] = {0,  1,  2,  4,  8,   10,
                                   11, 32, 64, 65, 256, ROOM};
    /* OSSL_PARAM_set_int and its like look before the value they are given
     * when there is no room at all */
    bool number = p->data_type == OSSL_PARAM_INTEGER ||
                  p->data_type == OSSL_PARAM_UNSIGNED_INTEGER;
    size_t i;

    ask(key, twin, p->key, p->data_type, false, 0);
    for (i = number ? 1 : 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        ask(key, twin, p->key, p->data_type, true, sizes[i]);
}

static const OSSL_PARAM *private_ones(const OSSL_PARAM *p)
{
    static const char *const names[] = {"d", "priv", "rsa-factor",
                                        "rsa-exponent", "rsa-coefficient"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(p->key, names[i], strlen(names[i])) == 0 &&
            (strlen(names[i]) > 4 || strlen(names[i]) == strlen(p->key)))
            return p;
    return NULL;
}

static void check_params(EVP_PKEY *key, EVP_PKEY *twin)
{
    const OSSL_PARAM *ours = EVP_PKEY_gettable_params(key), *p;
    const OSSL_PARAM *theirs = EVP_PKEY_gettable_params(twin);

    for (p = theirs; p->key != NULL; p++) {
        ask_all_sizes(key, twin, p);
        if (private_ones(p) != NULL)
            continue;
        if (OSSL_PARAM_locate_const(ours, p->key) == NULL)
            fail_msg("%s: not gettable", p->key);
    }
    for (p = ours; p->key != NULL; p++)
        ask_all_sizes(key, twin, p);
}

static void check_bns(EVP_PKEY *key, EVP_PKEY *twin)
{
    static const char *const names[] = {
        "n", "e", "d", "qx", "qy", "p", "a", "b", "order", "cofactor", "pub"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        BIGNUM *x = NULL, *y = NULL;

        assert_int_equal(EVP_PKEY_get_bn_param(key, names[i], &x),
                         EVP_PKEY_get_bn_param(twin, names[i], &y));
        assert_int_equal(x == NULL, y == NULL);
        if (x != NULL)
            assert_int_equal(BN_cmp(x, y), 0);
        BN_free(x);
        BN_free(y);
    }
    ERR_clear_error();
}

/* --- what EVP says of a key --- */

static void check_names(EVP_PKEY *key, EVP_PKEY *twin)
{
    char a[80] = "", b[80] = "";
    size_t n = 0, m = 0;

    assert_int_equal(EVP_PKEY_get_bits(key), EVP_PKEY_get_bits(twin));
    assert_int_equal(EVP_PKEY_get_size(key), EVP_PKEY_get_size(twin));
    assert_int_equal(EVP_PKEY_get_security_bits(key),
                     EVP_PKEY_get_security_bits(twin));
    assert_int_equal(EVP_PKEY_get_default_digest_name(key, a, sizeof(a)),
                     EVP_PKEY_get_default_digest_name(twin, b, sizeof(b)));
    assert_string_equal(a, b);
    a[0] = b[0] = 0;
    assert_int_equal(EVP_PKEY_get_group_name(key, a, sizeof(a), &n),
                     EVP_PKEY_get_group_name(twin, b, sizeof(b), &m));
    assert_string_equal(a, b);
    assert_int_equal(n, m);
    assert_string_equal(EVP_PKEY_get0_type_name(key),
                        EVP_PKEY_get0_type_name(twin));
    assert_int_equal(EVP_PKEY_can_sign(key), EVP_PKEY_can_sign(twin));
    assert_int_equal(EVP_PKEY_get_ec_point_conv_form(key),
                     EVP_PKEY_get_ec_point_conv_form(twin));
    assert_int_equal(EVP_PKEY_get_field_type(key),
                     EVP_PKEY_get_field_type(twin));
    ERR_clear_error();
}

static void check_encoded(EVP_PKEY *key, EVP_PKEY *twin)
{
    unsigned char *a = NULL, *b = NULL;
    size_t n = EVP_PKEY_get1_encoded_public_key(key, &a);
    size_t m = EVP_PKEY_get1_encoded_public_key(twin, &b);
    int len;

    assert_int_equal(n, m);
    if (n > 0)
        assert_memory_equal(a, b, n);
    if (n > 0) /* what the device has stays */
        assert_int_equal(EVP_PKEY_set1_encoded_public_key(key, a, n), 0);
    OPENSSL_free(a);
    OPENSSL_free(b);
    a = b = NULL;
    len = i2d_PUBKEY(key, &a);
    assert_true(len > 0);
    assert_int_equal(len, i2d_PUBKEY(twin, &b));
    assert_memory_equal(a, b, (size_t)len);
    OPENSSL_free(a);
    OPENSSL_free(b);
    ERR_clear_error();
}

static bool same_as(const OSSL_PARAM *p, const OSSL_PARAM *list)
{
    const OSSL_PARAM *q = OSSL_PARAM_locate_const(list, p->key);
    BIGNUM *x = NULL, *y = NULL;
    bool same;

    if (q == NULL || q->data_type != p->data_type)
        return false;
    if (p->data_type != OSSL_PARAM_UNSIGNED_INTEGER)
        return p->data_size == q->data_size &&
               memcmp(p->data, q->data, p->data_size) == 0;
    same = OSSL_PARAM_get_BN(p, &x) && OSSL_PARAM_get_BN(q, &y) &&
           BN_cmp(x, y) == 0;
    BN_free(x);
    BN_free(y);
    return same;
}

/* the values that make up the key are the same; of what the default provider
 * adds about forms, we need not speak */
static void check_todata(EVP_PKEY *key, EVP_PKEY *twin)
{
    OSSL_PARAM *a = NULL, *b = NULL, *p;

    assert_int_equal(EVP_PKEY_todata(key, EVP_PKEY_PUBLIC_KEY, &a), 1);
    assert_int_equal(EVP_PKEY_todata(twin, EVP_PKEY_PUBLIC_KEY, &b), 1);
    for (p = a; p->key != NULL; p++)
        if (!same_as(p, b))
            fail_msg("todata: %s (%zu bytes)", p->key, p->data_size);
    OSSL_PARAM_free(a);
    OSSL_PARAM_free(b);
    a = NULL;
    assert_int_equal(EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &a), 0);
    OSSL_PARAM_free(a);
    ERR_clear_error();
}

static void check_copies(EVP_PKEY *key, EVP_PKEY *twin)
{
    EVP_PKEY *dup = EVP_PKEY_dup(key), *empty = EVP_PKEY_new();

    assert_int_equal(EVP_PKEY_eq(key, twin), 1);
    assert_int_equal(EVP_PKEY_eq(twin, key), 1);
    assert_int_equal(EVP_PKEY_parameters_eq(key, twin),
                     EVP_PKEY_parameters_eq(twin, twin));
    assert_int_equal(EVP_PKEY_parameters_eq(twin, key),
                     EVP_PKEY_parameters_eq(twin, twin));
    assert_non_null(dup);
    assert_int_equal(EVP_PKEY_eq(dup, key), 1);
    EVP_PKEY_free(dup);
    assert_int_equal(EVP_PKEY_missing_parameters(key),
                     EVP_PKEY_missing_parameters(twin));
    if (EVP_PKEY_copy_parameters(empty, twin) > 0) {
        EVP_PKEY_free(empty);
        empty = EVP_PKEY_new();
        assert_int_equal(EVP_PKEY_copy_parameters(empty, key), 1);
        assert_int_equal(EVP_PKEY_parameters_eq(empty, key),
                         EVP_PKEY_parameters_eq(twin, twin));
    }
    EVP_PKEY_free(empty);
    ERR_clear_error();
}

static char *printed(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text, *copy = NULL;
    long n;

    if (EVP_PKEY_print_public(bio, key, 0, NULL) > 0) {
        n = BIO_get_mem_data(bio, &text);
        copy = calloc(1, (size_t)n + 1); /* no NUL ends what a BIO holds */
        memcpy(copy, text, (size_t)n);
    }
    BIO_free(bio);
    return copy;
}

static void check_printed(EVP_PKEY *key, EVP_PKEY *twin)
{
    char *a = printed(key), *b = printed(twin);

    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(strstr(a, b));
    free(a);
    free(b);
}

static void check_checks(struct world *w, EVP_PKEY *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(w->libctx, key, NULL);

    assert_int_equal(EVP_PKEY_public_check(ctx), 1);
    assert_int_equal(EVP_PKEY_public_check_quick(ctx), 1);
    assert_int_equal(EVP_PKEY_pairwise_check(ctx), 1);
    assert_int_equal(EVP_PKEY_check(ctx), 1);
    EVP_PKEY_CTX_free(ctx);
}

void check_like_default(struct world *w, EVP_PKEY *key)
{
    EVP_PKEY *twin = default_twin(w, key);

    check_params(key, twin);
    check_bns(key, twin);
    check_names(key, twin);
    check_encoded(key, twin);
    check_todata(key, twin);
    check_copies(key, twin);
    check_printed(key, twin);
    check_checks(w, key);
    EVP_PKEY_free(twin);
}
