/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates that were there before: these very bytes, or none. */
#include "codec.h"

#include <pthread.h>

#include <idevid/env.h>
#include <idevid/x509.h>

static struct idv_env_system sys;
static struct idv_buf der; /* a certificate */

static int make_cert(void **state)
{
    IDV_AUTO_PTR(EVP_PKEY) key = EVP_EC_gen("P-256");
    IDV_AUTO_PTR(X509) cert = NULL;
    const struct idv_cert_spec spec = {.kind = IDV_CERT_ROOT,
                                       .common_name = "Shared"};
    (void)state;
    idv_env_system_init(&sys, "test");
    return idv_cert_issue(&spec, key, NULL, key, &sys.env, &cert) != IDV_OK ||
           idv_cert_to_der(cert, &der) != IDV_OK;
}

static int free_cert(void **state)
{
    (void)state;
    idv_buf_free(&der);
    return 0;
}

/* the same but for its signature, another one for each n */
static void variant(unsigned n, struct idv_buf *out)
{
    idv_buf_clear(out);
    OK(idv_buf_put(out, idv_view(&der)));
    for (unsigned i = 0; i < sizeof(n); i++)
        out->p[out->n - 1 - i] ^= (uint8_t)(n >> 8 * i);
}

static X509 *get(const struct idv_buf *b)
{
    X509 *cert = NULL;
    OK(idv_cert_shared(idv_view(b), &cert));
    return cert;
}

/* what was given has those bytes */
static bool has(const X509 *cert, const struct idv_buf *b)
{
    IDV_AUTO(buf) its = {0};
    OK(idv_cert_to_der(cert, &its));
    return idv_bytes_eq(idv_view(&its), idv_view(b));
}

static void the_same(void **state)
{
    IDV_AUTO_PTR(X509) a = get(&der);
    IDV_AUTO_PTR(X509) b = get(&der);
    (void)state;
    assert_ptr_equal(a, b);
    assert_true(has(a, &der));
}

/* never another's: each byte counts */
static void not_another(void **state)
{
    IDV_AUTO(buf) other = {0};
    IDV_AUTO_PTR(X509) mine = get(&der);
    (void)state;
    for (size_t i = 0; i < der.n; i++) {
        X509 *cert = NULL;
        idv_buf_clear(&other);
        OK(idv_buf_put(&other, idv_view(&der)));
        other.p[i] ^= 1;
        if (idv_cert_shared(idv_view(&other), &cert) == IDV_OK) {
            assert_ptr_not_equal(cert, mine);
            assert_true(has(cert, &other));
        }
        X509_free(cert);
        idv_note_clear();
    }
    FAILS(IDV_E_FORMAT, "certificate",
          idv_cert_shared(idv_bytes(der.p, der.n - 1), &(X509 *){NULL}));
}

/* what strangers send once, or even twice, displaces nothing that is in use */
static void flood(void **state)
{
    IDV_AUTO(buf) other = {0};
    IDV_AUTO_PTR(X509) mine = get(&der);
    X509_free(get(&der));
    (void)state;
    for (unsigned i = 1; i < 300; i++) {
        variant(i, &other);
        X509_free(get(&other));
        if (i % 4 == 0) { /* an honest one meanwhile */
            IDV_AUTO_PTR(X509) again = get(&der);
            assert_ptr_equal(again, mine);
        }
    }
    for (unsigned i = 1000; i < 2000; i++) {
        variant(i, &other);
        X509_free(get(&other));
    }
    IDV_AUTO_PTR(X509) again = get(&der);
    assert_ptr_equal(again, mine);
}

/* those of a connection give way to the one that is there */
static void shared(void **state)
{
    IDV_AUTO_PTR(X509) mine = get(&der);
    IDV_AUTO_PTR(idv_certs) certs = sk_X509_new_null();
    IDV_AUTO(buf) other = {0};
    X509 *a = NULL, *b = NULL;
    (void)state;
    variant(77777, &other);
    OK(idv_cert_from_der(idv_view(&der), &a));
    OK(idv_cert_from_der(idv_view(&other), &b));
    sk_X509_push(certs, a);
    sk_X509_push(certs, b);
    idv_certs_share(certs);
    assert_ptr_equal(sk_X509_value(certs, 0), mine);
    assert_ptr_equal(sk_X509_value(certs, 1), b);
    IDV_AUTO_PTR(X509) found = get(&other);
    assert_ptr_equal(found, b);
    idv_certs_share(NULL);
}

static void *ask(void *from)
{
    IDV_AUTO(buf) other = {0};
    for (unsigned i = 0; i < 300; i++) {
        variant(*(unsigned *)from + i % 90, &other);
        IDV_AUTO_PTR(X509) cert = get(&other);
        assert_true(has(cert, &other));
    }
    return NULL;
}

static void threads(void **state)
{
    unsigned from[] = {5000, 5030, 5060};
    pthread_t t[3];
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&t[i], NULL, ask, &from[i]), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same), cmocka_unit_test(not_another),
        cmocka_unit_test(flood),    cmocka_unit_test(shared),
        cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests_name("shared", tests, make_cert, free_cert);
}
