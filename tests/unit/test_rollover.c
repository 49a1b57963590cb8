/* SPDX-License-Identifier: Apache-2.0 */
/* From the pinned CA to the newest: what leads on, and what does not. */
#include "tests/unit/codec.h"

#include "tests/lib/pki.h"
#include "trust/rollover.h"

#define N 4

static struct pki pki;
static struct pki_id ca[N]; /* ca[0] is pinned */
static X509 *cross[N];      /* ca[i], signed by ca[i - 1] */
static X509 *back[N];       /* ca[i - 1], signed by ca[i] */
static const uint8_t record[IDV_RECORD_SIZE] = {1, 2, 3};

static struct idv_cert_spec ca_spec(void)
{
    return (struct idv_cert_spec){
        .kind = IDV_CERT_ROOT,
        .common_name = "Domain CA",
        .not_before = PKI_NOW - PKI_DAY,
        .not_after = PKI_NOW + 100 * PKI_DAY,
    };
}

static X509 *sign_over(const struct idv_cert_spec *spec,
                       const struct pki_id *subject, const struct pki_id *by)
{
    X509 *cert = NULL;
    OK(idv_cert_issue(spec, subject->key, by->cert, by->key, &pki.env.env,
                      &cert));
    return cert;
}

static int setup(void **state)
{
    const struct idv_cert_spec spec = ca_spec();
    (void)state;
    pki_make(&pki);
    for (int i = 0; i < N; i++) {
        ca[i] = pki_issue(&pki, "P-256", &spec, NULL);
        if (i == 0)
            continue;
        cross[i] = sign_over(&spec, &ca[i], &ca[i - 1]);
        back[i] = sign_over(&spec, &ca[i - 1], &ca[i]);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++) {
        pki_id_free(&ca[i]);
        X509_free(cross[i]);
        X509_free(back[i]);
    }
    pki_free(&pki);
    return 0;
}

static void free_rollover(struct idvi_rollover *r)
{
    idvi_rollover_free(r);
}
#define ROLLOVER(r)                                                            \
    __attribute__((cleanup(free_rollover))) struct idvi_rollover r = {0}

static int learn(struct idvi_rollover *r, X509 *pin, X509 *a, X509 *b)
{
    STACK_OF(X509) *certs = pki_stack(a, b);
    int added = -1;
    OK(idvi_rollover_learn(r, pin, certs, NULL, true, PKI_NOW, &added));
    idv_certs_free(certs);
    return added;
}

static void forge(struct idvi_rollover *r, X509 *x, X509 *root)
{
    if (!r->crosses) {
        r->crosses = sk_X509_new_null();
        r->roots = sk_X509_new_null();
    }
    X509_up_ref(x);
    X509_up_ref(root);
    sk_X509_push(r->crosses, x);
    sk_X509_push(r->roots, root);
}

/* what EST delivers, in the worst order */
static STACK_OF(X509) * delivered(int from, int to)
{
    STACK_OF(X509) *certs = sk_X509_new_null();
    for (int i = to; i > from; i--) {
        sk_X509_push(certs, back[i]);
        X509_up_ref(back[i]);
        sk_X509_push(certs, ca[i].cert);
        X509_up_ref(ca[i].cert);
        sk_X509_push(certs, cross[i]);
        X509_up_ref(cross[i]);
    }
    sk_X509_push(certs, ca[from].cert);
    X509_up_ref(ca[from].cert);
    return certs;
}

/* --- what leads on -------------------------------------------------------- */

static void one_step_and_then_the_next(void **state)
{
    (void)state;
    ROLLOVER(r);
    for (int i = 1; i < N; i++) {
        STACK_OF(X509) *certs = delivered(i - 1, i);
        int added = 0;
        OK(idvi_rollover_learn(&r, ca[0].cert, NULL, certs, true, PKI_NOW,
                               &added));
        assert_int_equal(added, 1);
        OK(idvi_rollover_learn(&r, ca[0].cert, certs, certs, true, PKI_NOW,
                               &added));
        assert_int_equal(added, 0);
        idv_certs_free(certs);
        assert_int_equal(idvi_rollover_count(&r), i);
        OK(idvi_rollover_check(&r, ca[0].cert));
    }
    for (int i = 0; i < N; i++)
        assert_true(idvi_rollover_knows(&r, ca[0].cert, ca[i].cert));
    assert_false(idvi_rollover_knows(&r, ca[0].cert, pki.rogue_ca.cert));
}

static void several_steps_at_once(void **state)
{
    (void)state;
    ROLLOVER(r);
    STACK_OF(X509) *certs = delivered(0, N - 1);
    int added = 0;
    OK(idvi_rollover_learn(&r, ca[0].cert, certs, NULL, false, 0, &added));
    assert_int_equal(added, N - 1);
    OK(idvi_rollover_check(&r, ca[0].cert));
    idv_certs_free(certs);
}

static void a_new_name_is_the_owners_to_choose(void **state)
{
    (void)state;
    ROLLOVER(r);
    struct idv_cert_spec spec = ca_spec();
    spec.common_name = "Domain CA G2";
    struct pki_id g2 = pki_issue(&pki, "P-384", &spec, NULL);
    X509 *over = sign_over(&spec, &g2, &ca[0]);
    assert_int_equal(learn(&r, ca[0].cert, over, g2.cert), 1);
    OK(idvi_rollover_check(&r, ca[0].cert));
    X509_free(over);
    pki_id_free(&g2);
}

/* --- what does not -------------------------------------------------------- */

static void nothing_is_signed_over_to_strangers(void **state)
{
    (void)state;
    ROLLOVER(r);
    const struct idv_cert_spec spec = ca_spec();
    X509 *mimic = sign_over(&spec, &ca[0], &pki.rogue_ca);
    X509 *self = sign_over(&spec, &ca[2], &ca[3]);
    assert_int_equal(learn(&r, ca[0].cert, pki.rogue_ca.cert, NULL), 0);
    assert_int_equal(learn(&r, ca[0].cert, pki.rogue_ca.cert, mimic), 0);
    assert_int_equal(learn(&r, ca[0].cert, ca[1].cert, back[1]), 0);
    assert_int_equal(learn(&r, ca[0].cert, cross[1], ca[2].cert), 0);
    assert_int_equal(learn(&r, ca[0].cert, cross[1], NULL), 0);
    assert_int_equal(learn(&r, ca[0].cert, cross[2], ca[2].cert), 0);
    assert_int_equal(learn(&r, ca[0].cert, self, ca[2].cert), 0);
    assert_int_equal(idvi_rollover_count(&r), 0);
    X509_free(mimic);
    X509_free(self);
}

/* CAs under the old one are no new ones, nor are members */
static void authorities_with_limits(void **state)
{
    (void)state;
    ROLLOVER(r);
    struct idv_cert_spec spec = ca_spec();
    spec.kind = IDV_CERT_CA;
    X509 *limited = sign_over(&spec, &ca[1], &ca[0]);
    assert_int_equal(learn(&r, ca[0].cert, limited, ca[1].cert), 0);
    forge(&r, limited, ca[1].cert);
    FAILS(IDV_E_REJECT, "limits", idvi_rollover_check(&r, ca[0].cert));
    X509_free(limited);
    ROLLOVER(s);
    spec.kind = IDV_CERT_REGISTRAR;
    X509 *member = sign_over(&spec, &ca[1], &ca[0]);
    assert_int_equal(learn(&s, ca[0].cert, member, ca[1].cert), 0);
    X509_free(member);
}

static X509 *with_extension(const char *name, const char *value)
{
    struct idv_cert_spec spec = ca_spec();
    STACK_OF(X509_EXTENSION) *extra = sk_X509_EXTENSION_new_null();
    X509_EXTENSION *e = X509V3_EXT_conf(NULL, NULL, name, value);
    assert_non_null(e);
    sk_X509_EXTENSION_push(extra, e);
    spec.extra = extra;
    X509 *cert = sign_over(&spec, &ca[1], &ca[0]);
    sk_X509_EXTENSION_pop_free(extra, X509_EXTENSION_free);
    return cert;
}

static void authorities_for_some_names(void **state)
{
    (void)state;
    ROLLOVER(r);
    X509 *limited = with_extension("nameConstraints", "permitted;DNS:a.net");
    assert_int_equal(learn(&r, ca[0].cert, limited, ca[1].cert), 0);
    X509_free(limited);
}

static void what_is_over_is_not_learnt(void **state)
{
    (void)state;
    ROLLOVER(r);
    STACK_OF(X509) *certs = delivered(0, 1);
    int added = -1;
    OK(idvi_rollover_learn(&r, ca[0].cert, certs, NULL, true,
                           PKI_NOW + 101 * PKI_DAY, &added));
    assert_int_equal(added, 0);
    OK(idvi_rollover_learn(&r, ca[0].cert, certs, NULL, true,
                           PKI_NOW - 2 * PKI_DAY, &added));
    assert_int_equal(added, 0);
    OK(idvi_rollover_learn(&r, ca[0].cert, certs, NULL, false, 0, &added));
    assert_int_equal(added, 1);
    idv_certs_free(certs);
}

static void only_a_ca_rolls_over(void **state)
{
    (void)state;
    ROLLOVER(r);
    assert_false(idvi_rollover_possible(NULL));
    assert_false(idvi_rollover_possible(pki.registrar.cert));
    assert_int_equal(learn(&r, NULL, cross[1], ca[1].cert), 0);
    assert_int_equal(learn(&r, pki.registrar.cert, cross[1], ca[1].cert), 0);
    forge(&r, cross[1], ca[1].cert);
    FAILS(IDV_E_REJECT, "no CA", idvi_rollover_check(&r, NULL));
    FAILS(IDV_E_REJECT, "no CA", idvi_rollover_check(&r, pki.registrar.cert));
}

static void a_chain_is_judged_link_by_link(void **state)
{
    (void)state;
    static const struct {
        int cross, root;
        const char *why;
    } rows[] = {
        {1, 1, NULL},     /* the first one */
        {3, 3, "link 2"}, /* one left out */
        {1, 1, "link 2"}, /* the same again */
        {2, 3, "link 2"}, /* another's root */
        {2, 2, NULL},
    };
    ROLLOVER(r);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        forge(&r, cross[rows[i].cross], ca[rows[i].root].cert);
        if (!rows[i].why) {
            OK(idvi_rollover_check(&r, ca[0].cert));
            continue;
        }
        FAILS(IDV_E_REJECT, rows[i].why, idvi_rollover_check(&r, ca[0].cert));
        X509_free(sk_X509_pop(r.crosses));
        X509_free(sk_X509_pop(r.roots));
    }
    forge(&r, back[1], ca[0].cert);
    FAILS(IDV_E_REJECT, "before", idvi_rollover_check(&r, ca[0].cert));
    FAILS(IDV_E_REJECT, "link 1", idvi_rollover_check(&r, pki.domain_ca.cert));
}

static void there_is_an_end_to_it(void **state)
{
    (void)state;
    ROLLOVER(r);
    const struct idv_cert_spec spec = ca_spec();
    struct pki_id now = pki_issue(&pki, "P-256", &spec, NULL);
    X509 *pin = now.cert;
    X509_up_ref(pin);
    for (int i = 0; i <= IDVI_ROLLOVER_MAX; i++) {
        struct pki_id next = pki_issue(&pki, "P-256", &spec, NULL);
        X509 *over = sign_over(&spec, &next, &now);
        STACK_OF(X509) *certs = pki_stack(over, next.cert);
        int added = 0;
        if (i < IDVI_ROLLOVER_MAX)
            OK(idvi_rollover_learn(&r, pin, certs, NULL, false, 0, &added));
        else
            FAILS(IDV_E_LIMIT, "imprint again",
                  idvi_rollover_learn(&r, pin, certs, NULL, false, 0, &added));
        idv_certs_free(certs);
        X509_free(over);
        pki_id_free(&now);
        now = next;
    }
    assert_int_equal(idvi_rollover_count(&r), IDVI_ROLLOVER_MAX);
    pki_id_free(&now);
    X509_free(pin);
}

/* --- as a file ------------------------------------------------------------ */

static void comes_back_from_its_file(void **state)
{
    (void)state;
    ROLLOVER(r);
    ROLLOVER(s);
    IDV_AUTO(buf) json = {.max = IDV_MAX_FILE};
    IDV_AUTO(buf) again = {.max = IDV_MAX_FILE};
    const uint8_t other[IDV_RECORD_SIZE] = {3, 2, 1};
    forge(&r, cross[1], ca[1].cert);
    forge(&r, cross[2], ca[2].cert);
    OK(idvi_rollover_to_json(&r, record, &json));
    FAILS(IDV_E_REJECT, "of another imprint",
          idvi_rollover_from_json(idv_view(&json), other, &s));
    OK(idvi_rollover_from_json(idv_view(&json), record, &s));
    OK(idvi_rollover_check(&s, ca[0].cert));
    OK(idvi_rollover_to_json(&s, record, &again));
    assert_true(idv_bytes_eq(idv_view(&json), idv_view(&again)));
    for (size_t n = 0; n < json.n; n += 7) {
        ROLLOVER(t);
        assert_int_not_equal(
            idvi_rollover_from_json(idv_bytes(json.p, n), record, &t), IDV_OK);
        idv_note_clear();
    }
}

static void a_file_that_does_not_add_up(void **state)
{
    (void)state;
    ROLLOVER(r);
    ROLLOVER(s);
    IDV_AUTO(buf) json = {.max = IDV_MAX_FILE};
    forge(&r, cross[1], ca[1].cert);
    X509_free(sk_X509_pop(r.crosses));
    OK(idvi_rollover_to_json(&r, record, &json));
    FAILS(IDV_E_FORMAT, "1 roots",
          idvi_rollover_from_json(idv_view(&json), record, &s));
    assert_null(s.roots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_step_and_then_the_next),
        cmocka_unit_test(several_steps_at_once),
        cmocka_unit_test(a_new_name_is_the_owners_to_choose),
        cmocka_unit_test(nothing_is_signed_over_to_strangers),
        cmocka_unit_test(authorities_with_limits),
        cmocka_unit_test(authorities_for_some_names),
        cmocka_unit_test(what_is_over_is_not_learnt),
        cmocka_unit_test(only_a_ca_rolls_over),
        cmocka_unit_test(a_chain_is_judged_link_by_link),
        cmocka_unit_test(there_is_an_end_to_it),
        cmocka_unit_test(comes_back_from_its_file),
        cmocka_unit_test(a_file_that_does_not_add_up),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
