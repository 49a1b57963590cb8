/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge that renews its certificate. */
#include "tests/unit/codec.h"

#include "tests/unit/fakescene.h"

/* --- renewing ------------------------------------------------------------- */

static void serial_of_ldevid(struct scene *s, struct idv_buf *out)
{
    OK(idv_cert_to_der(
        sk_X509_value(idv_trust_enrollment(s->dev.trust)->ldevid, 0), out));
}

static const EVP_PKEY *renewed_as; /* key of the connection that asked */

static bool who_renews(struct fakereg *r, const char *word, bool after,
                       const struct idv_msg *req, struct idv_msg *reply)
{
    (void)req;
    (void)reply;
    if (!after && strcmp(word, "re") == 0)
        renewed_as = r->last.key;
    return false;
}

static const struct idv_enrollment *previous(const struct scene *s)
{
    return idv_trust_previous(s->dev.trust);
}

/* R-P-63, R-P-67 */
static void renewing(void **state)
{
    static const char *const none[] = {NULL};
    (void)state;
    SCENE(s);
    IDV_AUTO(buf) before = {0};
    IDV_AUTO(buf) after = {0};
    s.dev.renew = true;
    expect(&s, IDV_E_STATE, "", NONE);
    s.dev.renew = false;
    expect(&s, IDV_OK, WHOLE, ENROLLED);
    serial_of_ldevid(&s, &before);
    s.dev.renew = true;
    s.dev.conf.registrars = none; /* whoever enrolled us */
    expect(&s, IDV_OK, "C+ ca at re C+ es+", ENROLLED);
    assert_null(previous(&s));
    assert_string_equal(s.reg.last.host, "registrar.example.com");
    serial_of_ldevid(&s, &after);
    assert_false(idv_bytes_eq(idv_view(&before), idv_view(&after)));
    fakedev_reopen(&s.dev, &pki);
    assert_int_equal(fakedev_state(&s.dev), ENROLLED);
    assert_int_equal(s.dev.keys_made, 1);
}

/* R-P-67: a new key, of the type that is wanted now; the old one opens the door
 */
static void renewing_with_a_new_key(void **state)
{
    static const struct idv_csrattrs p384 = {
        .has_key_type = true,
        .key_type = IDV_KEY_P384,
    };
    (void)state;
    SCENE(s);
    expect(&s, IDV_OK, WHOLE, ENROLLED);
    const struct idv_enrollment *e = idv_trust_enrollment(s.dev.trust);
    assert_string_equal(e->key_uri, "mem:1");
    EVP_PKEY *old = s.dev.last_key;
    EVP_PKEY_up_ref(old);
    s.dev.renew = true;
    s.dev.conf.renew_key = true;
    s.reg.attrs = &p384;
    s.reg.hook = who_renews;
    expect(&s, IDV_OK, "C+ ca at re C+ es+", ENROLLED);
    assert_null(previous(&s));
    e = idv_trust_enrollment(s.dev.trust);
    EVP_PKEY *now = X509_get0_pubkey(sk_X509_value(e->ldevid, 0));
    assert_int_equal(s.dev.keys_made, 2);
    assert_string_equal(e->key_uri, "mem:2");
    assert_int_equal(EVP_PKEY_eq(now, s.dev.last_key), 1);
    assert_int_equal(EVP_PKEY_eq(now, old), 0);
    assert_ptr_equal(renewed_as, old);
    assert_ptr_equal(s.reg.last.key, s.dev.last_key);
    EVP_PKEY_free(old);
    /* lost when the new key is there already */
    EVP_PKEY_up_ref(old = s.dev.last_key);
    s.reg.lose = s.reg.events + 4;
    expect(&s, IDV_OK, "C+ ca at re L C+ re C+ es+", ENROLLED);
    assert_ptr_equal(renewed_as, old);
    assert_string_equal(idv_trust_enrollment(s.dev.trust)->key_uri, "mem:3");
    EVP_PKEY_free(old);
}

/* What renewal gave is kept beside what there was until somebody is let in with
 * it, wherever that is cut; then one of the two renews. */
static void renewing_keeps_the_pair_that_works(void **state)
{
    (void)state;
    SCENE(s);
    expect(&s, IDV_OK, WHOLE, ENROLLED);
    EVP_PKEY *old = s.dev.last_key;
    EVP_PKEY_up_ref(old);
    s.dev.renew = true;
    s.dev.conf.renew_key = true;
    s.reg.hook = who_renews;
    s.reg.lose = s.reg.events + 5; /* the new one is refused in TLS */
    expect(&s, IDV_OK, "C+ ca at re C+ L", ENROLLED);
    assert_non_null(previous(&s));
    assert_string_equal(previous(&s)->key_uri, "mem:1");
    fakedev_reopen(&s.dev, &pki);
    assert_string_equal(previous(&s)->key_uri, "mem:1");
    assert_string_equal(idv_trust_enrollment(s.dev.trust)->key_uri, "mem:2");
    /* with the old one; the new one of that works */
    s.dev.conf.renew_previous = true;
    expect(&s, IDV_OK, "C+ ca at re C+ es+", ENROLLED);
    assert_ptr_equal(renewed_as, old);
    assert_null(previous(&s));
    assert_string_equal(idv_trust_enrollment(s.dev.trust)->key_uri, "mem:3");
    EVP_PKEY_free(old);
}

/* an answer to anything over a connection with it is proof enough */
static void renewing_with_it_is_a_use(void **state)
{
    (void)state;
    SCENE(s);
    expect(&s, IDV_OK, WHOLE, ENROLLED);
    s.dev.renew = true;
    s.reg.lose = s.reg.events + 6; /* the report */
    expect(&s, IDV_OK, "C+ ca at re C+ es+ L", ENROLLED);
    assert_non_null(previous(&s));
    s.reg.lose = s.reg.events + 3; /* after cacerts, and no more then */
    s.reg.hook = NULL;
    s.dev.conf.attempts = 1;
    (void)!join(&s);
    assert_null(previous(&s));
}

/* R-P-99 */
static void enrolling_again_within_the_domain(void **state)
{
    (void)state;
    SCENE(s);
    IDV_AUTO(buf) before = {0};
    IDV_AUTO(buf) after = {0};
    s.dev.again = true;
    expect(&s, IDV_E_STATE, "", NONE);
    s.dev.again = false;
    expect(&s, IDV_OK, WHOLE, ENROLLED);
    serial_of_ldevid(&s, &before);
    s.dev.again = true;
    expect(&s, IDV_OK, RESUMED, ENROLLED);
    serial_of_ldevid(&s, &after);
    assert_false(idv_bytes_eq(idv_view(&before), idv_view(&after)));
    assert_int_equal(s.reg.vouchers, 1); /* no other way into another domain */
}

static bool refuse_renewal(struct fakereg *r, const char *word, bool after,
                           const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after || strcmp(word, "re") != 0)
        return false;
    OK(idv_msg_refuse(reply, 403, "no"));
    return true;
}

/* R-P-67: whatever happens, the present certificate stays */
static void renewing_fails(void **state)
{
    static const struct idv_csrattrs p384 = {
        .has_key_type = true,
        .key_type = IDV_KEY_P384,
    };
    IDV_AUTO(buf) before = {0};
    (void)state;
    SCENE(s);
    expect(&s, IDV_OK, WHOLE, ENROLLED);
    serial_of_ldevid(&s, &before);
    s.dev.renew = true;
    s.reg.attrs = &p384;
    expect(&s, IDV_E_REJECT, "C+ ca at", ENROLLED);
    s.reg.attrs = NULL;
    s.reg.chain = pki.rogue_chain;
    expect(&s, IDV_E_REJECT, "C+", ENROLLED);
    s.reg.chain = pki.tls_chain;
    s.dev.keys_fail = true;
    expect(&s, IDV_E_DEVICE, "", ENROLLED);
    s.dev.keys_fail = false;
    s.reg.hook = refuse_renewal;
    expect(&s, IDV_E_REJECT, "C+ ca at re", ENROLLED);
    IDV_AUTO(buf) after = {0};
    serial_of_ldevid(&s, &after);
    assert_true(idv_bytes_eq(idv_view(&before), idv_view(&after)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renewing),
        cmocka_unit_test(renewing_with_a_new_key),
        cmocka_unit_test(renewing_keeps_the_pair_that_works),
        cmocka_unit_test(renewing_with_it_is_a_use),
        cmocka_unit_test(enrolling_again_within_the_domain),
        cmocka_unit_test(renewing_fails),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
