/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA's keys: which of several signs, and vouchers without nonce that are
 * renewed. */
#include "tests/lib/stores.h"
#include "tests/unit/masa.h"

struct keys {
    struct fixture *f;
    struct pki_id id[2];
    struct idv_masa_signer signers[3]; /* the world's, then those */
    STACK_OF(X509) * generation[2];    /* issuers: the device's, others' */
};

static int keys_setup(void **state)
{
    struct keys *k = calloc(1, sizeof(*k));
    struct idv_cert_spec spec = {.kind = IDV_CERT_SIGNER,
                                 .common_name = "next"};
    setup((void **)&k->f);
    k->signers[0] = k->f->w.signer;
    for (int i = 0; i < 2; i++) {
        k->id[i] =
            pki_issue(&k->f->w.pki, "P-256", &spec, &k->f->w.pki.maker_root);
        k->signers[i + 1].key = k->id[i].key;
        k->signers[i + 1].cert = k->id[i].cert;
    }
    k->generation[0] = pki_stack(k->f->w.pki.maker_ca.cert, NULL);
    k->generation[1] = pki_stack(k->f->w.pki.rogue_ca.cert, NULL);
    k->f->w.maker.signers = k->signers;
    k->f->w.maker.n_signers = 3;
    *state = k;
    return 0;
}

static int keys_teardown(void **state)
{
    struct keys *k = *state;
    void *f = k->f;
    for (int i = 0; i < 2; i++) {
        pki_id_free(&k->id[i]);
        idv_certs_free(k->generation[i]);
    }
    free(k);
    return teardown(&f);
}

/* a request of its own, as registrars send them */
static int ask(struct keys *k, bool nonced)
{
    struct fixture *f = k->f;
    if (!nonced)
        drop_nonce(f);
    seal(f);
    return send(f);
}

static void signed_by(struct keys *k, int signer)
{
    IDV_AUTO(opened) o = {0};
    assert_int_equal(idv_envelope_open(IDV_MEDIA_VOUCHER_CMS,
                                       idv_view(&k->f->w.reply.body), &o),
                     IDV_OK);
    assert_non_null(o.signer);
    assert_true(idv_cert_eq(o.signer, k->signers[signer].cert));
}

static void voucher_by(struct keys *k, bool nonced, int signer)
{
    assert_int_equal(ask(k, nonced), 200);
    signed_by(k, signer);
}

static void nobody_signs(struct keys *k, bool nonced)
{
    int before = world_events(&k->f->w);
    assert_int_equal(ask(k, nonced), 503);
    assert_true(world_why(&k->f->w, "no-signer"));
    assert_int_equal(world_events(&k->f->w), before);
}

/* --- which key ------------------------------------------------------------ */

static void first_of_equals(void **state)
{
    voucher_by(*state, true, 0);
}

static void nonceless_by_its_own(void **state) /* R-M-28 */
{
    struct keys *k = *state;
    k->signers[2].use = IDV_MASA_NONCELESS;
    know_domain(k->f, true, false);
    voucher_by(k, true, 0);
    voucher_by(k, false, 2);
}

static void nonced_only(void **state) /* R-M-28 */
{
    struct keys *k = *state;
    for (int i = 0; i < 3; i++)
        k->signers[i].use = IDV_MASA_NONCED;
    know_domain(k->f, true, false);
    voucher_by(k, true, 0);
    nobody_signs(k, false);
}

/* the key for them is over: no other is instead */
static void nonceless_key_over(void **state) /* R-M-28 */
{
    struct keys *k = *state;
    k->signers[2].use = IDV_MASA_NONCELESS;
    k->signers[2].until = PKI_NOW;
    know_domain(k->f, true, false);
    nobody_signs(k, false);
}

/* the next key begins while the one before may still sign, and goes on alone */
static void rolls_over(void **state) /* R-M-29 */
{
    struct keys *k = *state;
    k->signers[0].until = PKI_NOW + 20;
    k->signers[1].from = PKI_NOW + 10;
    k->signers[2].from = PKI_NOW + 30;
    voucher_by(k, true, 0);
    k->f->w.pki.env.now = PKI_NOW + 10;
    k->f->rvr.created_on++;
    voucher_by(k, true, 1);
    k->f->w.pki.env.now = PKI_NOW + 30;
    k->f->rvr.created_on++;
    voucher_by(k, true, 2);
}

static void window_is_over(void **state)
{
    struct keys *k = *state;
    for (int i = 0; i < 3; i++)
        k->signers[i].until = PKI_NOW;
    nobody_signs(k, true);
}

static void cert_is_over(void **state)
{
    struct keys *k = *state;
    struct idv_cert_spec spec = {.kind = IDV_CERT_SIGNER,
                                 .common_name = "over",
                                 .not_before = PKI_NOW - PKI_DAY,
                                 .not_after = PKI_NOW - 1};
    struct pki_id over =
        pki_issue(&k->f->w.pki, "P-256", &spec, &k->f->w.pki.maker_root);
    k->signers[0].key = over.key;
    k->signers[0].cert = over.cert;
    voucher_by(k, true, 1);
    k->f->w.pki.env.trusted = false; /* nobody knows that it is */
    k->f->rvr.created_on++;
    voucher_by(k, true, 0);
    pki_id_free(&over);
}

static void by_generation(void **state) /* what the device trusts */
{
    struct keys *k = *state;
    k->signers[1].devices = k->generation[0];
    k->signers[2].devices = k->generation[1];
    k->signers[2].from = 1; /* it would be later */
    voucher_by(k, true, 1);
}

/* The key for such vouchers signs them for all who know it. */
static void kind_before_generation(void **state) /* R-M-28 */
{
    struct keys *k = *state;
    k->signers[1].devices = k->generation[0];
    k->signers[2].use = IDV_MASA_NONCELESS;
    know_domain(k->f, true, false);
    voucher_by(k, true, 1);
    voucher_by(k, false, 2);
}

static void other_generations_only(void **state)
{
    struct keys *k = *state;
    for (int i = 0; i < 3; i++)
        k->signers[i].devices = k->generation[1];
    nobody_signs(k, true);
}

static void bad_signers(void **state)
{
    struct keys *k = *state;
    struct fixture *f = k->f;
    struct idv_masa *m = NULL;
    STACK_OF(X509) *nameless = pki_stack(f->w.pki.idevid.cert, NULL);
    k->signers[2].devices = nameless; /* without an identifier of its key */
    assert_int_equal(idv_masa_new(&f->w.masa_conf, &f->w.pki.env.env, &m),
                     IDV_E_ARG);
    assert_non_null(strstr(idv_note(), "no subject key identifier"));
    idv_note_clear();
    k->signers[2].devices = NULL;
    k->signers[2].key = k->id[0].key;
    assert_int_equal(idv_masa_new(&f->w.masa_conf, &f->w.pki.env.env, &m),
                     IDV_E_ARG);
    assert_non_null(strstr(idv_note(), "differ"));
    idv_note_clear();
    f->w.maker.n_signers = 0;
    assert_int_equal(idv_masa_new(&f->w.masa_conf, &f->w.pki.env.env, &m),
                     IDV_E_ARG);
    idv_note_clear();
    idv_certs_free(nameless);
}

/* --- renewal -------------------------------------------------------------- */

#define RENEWAL (100 * PKI_DAY)

/* a nonceless request, some time later */
static int again(struct keys *k, int64_t after)
{
    struct fixture *f = k->f;
    f->w.pki.env.now = f->rvr.created_on = PKI_NOW + after;
    drop_nonce(f);
    seal(f);
    return send(f);
}

/* The registrar was named, had one, and is not named any more; the domain's CA
 * never was. */
static void had_one(struct keys *k)
{
    struct fixture *f = k->f;
    struct idv_masa_registrar r = {"Example", true, false};
    k->f->w.maker.policy.renewal_days = RENEWAL / PKI_DAY;
    pki_must(idv_db_registrar_set(f->w.masa_db, f->w.pki.registrar.cert, &r),
             "registrar");
    assert_int_equal(again(k, 0), 200);
}

/* another registrar of the same domain */
static void seal_by_next(struct keys *k)
{
    struct fixture *f = k->f;
    struct idv_cert_spec leaf = {.kind = IDV_CERT_REGISTRAR,
                                 .common_name = "next.example.com"};
    struct pki_id id =
        pki_issue(&f->w.pki, "P-256", &leaf, &f->w.pki.domain_ca);
    STACK_OF(X509) *chain = pki_stack(id.cert, f->w.pki.domain_ca.cert);
    seal_by(f, &id, chain);
    idv_certs_free(chain);
    pki_id_free(&id);
}

static int next_asks(struct keys *k, int64_t after)
{
    struct fixture *f = k->f;
    f->w.pki.env.now = f->rvr.created_on = PKI_NOW + after;
    drop_nonce(f);
    seal_by_next(k);
    return send(f);
}

static void not_renewed(struct keys *k, int64_t after)
{
    assert_int_equal(next_asks(k, after), 403);
    assert_true(world_why(&k->f->w, "nonceless"));
}

static void renewed(void **state) /* R-M-21 */
{
    struct keys *k = *state;
    IDV_AUTO(voucher) first;
    IDV_AUTO(voucher) v;
    had_one(k);
    read_voucher(k->f, &first);
    assert_true(first.last_renewal_date == PKI_NOW + RENEWAL);
    assert_int_equal(next_asks(k, 10 * PKI_DAY), 200);
    read_voucher(k->f, &v);
    assert_true(v.expires_on == PKI_NOW + 10 * PKI_DAY + 20 * 60);
    assert_true(v.last_renewal_date == PKI_NOW + RENEWAL);
    assert_int_equal(world_events(&k->f->w), 2);
}

static void not_by_default(void **state)
{
    struct keys *k = *state;
    IDV_AUTO(voucher) v;
    had_one(k);
    k->f->w.maker.policy.renewal_days = 0;
    not_renewed(k, PKI_DAY);
    know_domain(k->f, true, false);
    assert_int_equal(again(k, PKI_DAY), 200);
    read_voucher(k->f, &v);
    assert_true(v.last_renewal_date == IDV_TIME_ABSENT);
}

static void not_for_ever(void **state) /* R-M-21 */
{
    struct keys *k = *state;
    had_one(k);
    assert_int_equal(next_asks(k, RENEWAL), 200);
    not_renewed(k, RENEWAL + 1);
}

static void not_after_nonced(void **state)
{
    struct keys *k = *state;
    k->f->w.maker.policy.renewal_days = RENEWAL / PKI_DAY;
    assert_int_equal(ask(k, true), 200);
    not_renewed(k, 10);
}

static void right_withdrawn(void **state) /* R-M-21 */
{
    struct keys *k = *state;
    had_one(k);
    know_domain(k->f, false, false);
    not_renewed(k, 10);
}

static void not_after_another_owner(void **state) /* R-M-21 */
{
    struct keys *k = *state;
    struct fixture *f = k->f;
    had_one(k);
    seal_by(f, &f->w.pki.rogue, f->w.pki.rogue_chain);
    f->rvr.nonce[0] = 'x';
    idv_buf_clear(&f->rvr.prior_signed);
    seal_by(f, &f->w.pki.rogue, f->w.pki.rogue_chain);
    assert_int_equal(send(f), 200);
    f->rvr.nonce[0] = 0;
    not_renewed(k, 10);
}

static void not_by_name_only(void **state) /* R-M-21 */
{
    struct keys *k = *state;
    had_one(k);
    k->f->w.pki.env.now = k->f->rvr.created_on = PKI_NOW + 10;
    drop_nonce(k->f);
    seal_by_namesake(k->f);
    assert_int_equal(send(k->f), 403);
    assert_true(world_why(&k->f->w, "nonceless"));
}

static void not_beyond_the_signer(void **state) /* R-M-16 */
{
    struct keys *k = *state;
    struct idv_cert_spec spec = {.kind = IDV_CERT_SIGNER,
                                 .common_name = "soon over",
                                 .not_before = PKI_NOW - PKI_DAY,
                                 .not_after = PKI_NOW + 60};
    struct pki_id soon =
        pki_issue(&k->f->w.pki, "P-256", &spec, &k->f->w.pki.maker_root);
    IDV_AUTO(voucher) v;
    k->signers[0].key = soon.key;
    k->signers[0].cert = soon.cert;
    know_domain(k->f, true, false);
    assert_int_equal(again(k, 0), 200);
    read_voucher(k->f, &v);
    assert_true(v.expires_on == PKI_NOW + 60);
    pki_id_free(&soon);
}

#define T(f) cmocka_unit_test_setup_teardown(f, keys_setup, keys_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(first_of_equals),
        T(nonceless_by_its_own),
        T(nonced_only),
        T(nonceless_key_over),
        T(rolls_over),
        T(window_is_over),
        T(cert_is_over),
        T(by_generation),
        T(kind_before_generation),
        T(other_generations_only),
        T(bad_signers),
        T(renewed),
        T(not_by_default),
        T(not_for_ever),
        T(not_after_nonced),
        T(right_withdrawn),
        T(not_after_another_owner),
        T(not_by_name_only),
        T(not_beyond_the_signer),
    };
    return STORES_RUN(tests);
}
