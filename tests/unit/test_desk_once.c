/* SPDX-License-Identifier: Apache-2.0 */
/* One device, one identity: whatever is asked again, or by others, and whatever
 * happens to the book. */
#include "tests/unit/desk.h"

/* --- once ----------------------------------------------------------------- */

static void same_certificates(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    struct idv_factory_device d;
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    IDV_AUTO_PTR(idv_certs) one = issued(s, &s->tpm, &s->tpm.iak, &r);
    /* another challenge, another run of the desk */
    desk_again(s);
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    IDV_AUTO_PTR(idv_certs) two = issued(s, &s->tpm, &s->tpm.iak, &r);
    assert_true(idv_cert_eq(certificate_of(one, s->tpm.idevid.key),
                            certificate_of(two, s->tpm.idevid.key)));
    assert_true(idv_cert_eq(certificate_of(one, s->tpm.iak.key),
                            certificate_of(two, s->tpm.iak.key)));
    assert_int_equal(s->maker.calls, 2); /* IDevID and IAK, once */
    assert_int_equal(book_entries(&s->book, "issued"), 1);
    assert_int_equal(book_entries(&s->book, "repeated"), 1);
    in_book(s, SN, &d);
    assert_int_equal(d.issue, 1);
    idv_factory_device_free(&d);
}

/* the very bytes again, as from a stick that is put in twice */
static void same_request(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    enum idv_factory_why why;
    IDV_AUTO(buf) cms = {0};
    IDV_AUTO(buf) one = {0};
    IDV_AUTO(buf) two = {0};
    sound(s, &s->tpm, IDV_PROFILE_LEAN, SN, &r);
    OK(idv_factory_request_seal(&r, s->station.key, s->station.cert, NULL,
                                &cms));
    idv_factory_request_free(&r);
    OK(idv_desk_issue(s->desk, idv_view(&cms), NULL, &one, &why));
    OK(idv_desk_issue(s->desk, idv_view(&cms), NULL, &two, &why));
    IDV_AUTO_PTR(idv_certs)
    a = unpacked(s, &s->tpm, &s->tpm.iak, idv_view(&one));
    IDV_AUTO_PTR(idv_certs)
    b = unpacked(s, &s->tpm, &s->tpm.iak, idv_view(&two));
    assert_true(idv_cert_eq(certificate_of(a, s->tpm.idevid.key),
                            certificate_of(b, s->tpm.idevid.key)));
    assert_int_equal(s->maker.calls, 2);
}

/* the IDevID that a request of that rework gets, 0 of none */
static X509 *reworked(struct scene *s, uint8_t which)
{
    struct idv_factory_request r;
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    r.rework[3] = which;
    IDV_AUTO_PTR(idv_certs) bag = issued(s, &s->tpm, &s->tpm.iak, &r);
    X509 *cert = certificate_of(bag, s->tpm.idevid.key);
    assert_non_null(cert);
    assert_true(X509_up_ref(cert));
    return cert;
}

static void is_issue(struct scene *s, unsigned n)
{
    struct idv_factory_device d;
    in_book(s, SN, &d);
    assert_int_equal(d.issue, n);
    idv_factory_device_free(&d);
}

/* each rework is one more identity, however often it is asked for, and whether
 * or not the desk hears what became of it */
static void rework(void **state)
{
    struct scene *s = *state;
    IDV_AUTO_PTR(X509) one = reworked(s, 0);
    IDV_AUTO_PTR(X509) two = reworked(s, 1);
    assert_false(idv_cert_eq(one, two));
    is_issue(s, 2);
    /* cut off and asked again: that one */
    IDV_AUTO_PTR(X509) same = reworked(s, 1);
    assert_true(idv_cert_eq(two, same));
    set_state(s, SN, IDV_DEVICE_DONE);
    IDV_AUTO_PTR(X509) late = reworked(s, 1);
    assert_true(idv_cert_eq(two, late));
    /* who wants no other gets what there is */
    IDV_AUTO_PTR(X509) as_is = reworked(s, 0);
    assert_true(idv_cert_eq(two, as_is));
    IDV_AUTO_PTR(X509) three = reworked(s, 2);
    IDV_AUTO_PTR(X509) four = reworked(s, 3);
    assert_false(idv_cert_eq(two, three));
    assert_false(idv_cert_eq(three, four));
    is_issue(s, 4);
    assert_int_equal(book_entries(&s->book, "issued"), 4);
    assert_int_equal(book_entries(&s->book, "repeated"), 3);
}

/* The certificate of a TPM's proof is not had in the clear, by the same key
 * without the proof. */
static void proof_is_not_dodged(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    struct idv_factory_device d;
    sound(s, &s->tpm, IDV_PROFILE_DIRECT, SN, &r);
    IDV_AUTO_PTR(idv_certs) one = issued(s, &s->tpm, &s->tpm.idevid, &r);
    in_book(s, SN, &d);
    token_request(s, s->tpm.idevid.key, IDV_PROFILE_PLAIN, SN, &r);
    memcpy(r.device_id, d.ek, 32);
    is_refused(s, &r, IDV_WHY_HAS_ONE, "another key or proof");
    token_request(s, s->tpm.idevid.key, IDV_PROFILE_PLAIN, SN, &r);
    memcpy(r.device_id, d.ek, 32);
    r.rework[0] = 1;
    IDV_AUTO_PTR(idv_certs) two = issued(s, NULL, NULL, &r);
    assert_false(text_has(certificate_of(two, s->tpm.idevid.key),
                          IDV_OID_TPM_RESIDENCY));
    idv_factory_device_free(&d);
}

/* --- one device, one identity --------------------------------------------- */

static void make_one(struct scene *s, const struct softtpm *t,
                     const char *serial)
{
    struct idv_factory_request r;
    sound(s, t, IDV_PROFILE_TCG, serial, &r);
    IDV_AUTO_PTR(idv_certs) bag = issued(s, t, &t->iak, &r);
    assert_non_null(bag);
}

static void duplicates(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    struct softtpm t = s->tpm2, same = s->tpm;
    make_one(s, &s->tpm, SN);
    sound(s, &s->tpm2, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_DUPLICATE, "another endorsement key or token");
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN2, &r);
    is_refused(s, &r, IDV_WHY_DUPLICATE, "is that of '" SN "' of order 'L1'");
    same.idevid = s->tpm2.idevid; /* one TPM with another key */
    sound(s, &same, IDV_PROFILE_TCG, SN2, &r);
    is_refused(s, &r, IDV_WHY_DUPLICATE,
               "its endorsement key or token is that of '" SN "'");
    t.idevid = s->tpm.idevid; /* one key in two TPMs */
    sound(s, &t, IDV_PROFILE_TCG, SN2, &r);
    is_refused(s, &r, IDV_WHY_DUPLICATE, "its key is that of '" SN "'");
    /* and saying again does not help */
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN2, &r);
    r.rework[0] = 1;
    is_refused(s, &r, IDV_WHY_DUPLICATE, "is that of '" SN "'");
    assert_int_equal(s->maker.calls, 2);
    make_one(s, &s->tpm2, SN2);
    assert_int_equal(book_entries(&s->book, "issued"), 2);
}

static void other_key_of_the_device(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    struct softtpm t = s->tpm;
    struct softtpm_key own;
    make_one(s, &s->tpm, SN);
    softtpm_key_make(&own, IDVI_DEVID_IDEVID, IDV_KEY_P256, 0);
    t.idevid = own;
    sound(s, &t, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_HAS_ONE, "is of no rework");
    sound(s, &s->tpm, IDV_PROFILE_LEAN, SN, &r);
    is_refused(s, &r, IDV_WHY_HAS_ONE, "is of no rework");
    sound(s, &t, IDV_PROFILE_TCG, SN, &r);
    r.rework[0] = 1;
    IDV_AUTO_PTR(idv_certs) bag = issued(s, &t, &t.iak, &r);
    assert_non_null(certificate_of(bag, own.key));
    softtpm_key_free(&own);
}

static void retired(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    make_one(s, &s->tpm, SN);
    set_state(s, SN, IDV_DEVICE_RETIRED);
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_RETIRED, "'" SN "': was retired");
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    r.rework[0] = 1;
    is_refused(s, &r, IDV_WHY_RETIRED, "was retired");
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN2, &r);
    is_refused(s, &r, IDV_WHY_RETIRED, "was retired as '" SN "'");
}

static void wiped(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    struct idv_factory_device d;
    make_one(s, &s->tpm, SN);
    set_state(s, SN, IDV_DEVICE_WIPED);
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN2, &r);
    is_refused(s, &r, IDV_WHY_DUPLICATE, "is that of '" SN "'");
    make_one(s, &s->tpm, SN);
    in_book(s, SN, &d);
    assert_int_equal(d.issue, 2);
    assert_int_equal(d.state, IDV_DEVICE_ISSUED);
    idv_factory_device_free(&d);
}

/* --- the book ------------------------------------------------------------- */

static unsigned lost_puts;
static idv_rc (*true_put)(void *, const struct idv_factory_device *,
                          enum idv_factory_state, const char *,
                          struct idv_bytes, int64_t, enum idv_factory_why *);

static idv_rc full_disk(void *self, const struct idv_factory_device *d,
                        enum idv_factory_state from, const char *kind,
                        struct idv_bytes body, int64_t now,
                        enum idv_factory_why *why)
{
    if (lost_puts == 0)
        return true_put(self, d, from, kind, body, now, why);
    lost_puts--;
    *why = IDV_WHY_STORE;
    return idv_fail(IDV_E_IO, "store: disk full");
}

/* The CA made certificates which the book could not take, as when the desk is
 * killed between: nobody gets them, and the device gets others. */
static void issued_and_not_recorded(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    struct idv_factory_store store = s->book.store;
    true_put = store.put;
    store.put = full_disk;
    lost_puts = 1;
    s->conf.store = &store;
    desk_again(s);
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_STORE, "disk full");
    assert_int_equal(s->maker.calls, 2);
    assert_int_equal(book_entries(&s->book, "issued"), 0);
    make_one(s, &s->tpm, SN);
    assert_int_equal(s->maker.calls, 4);
    assert_int_equal(book_entries(&s->book, "issued"), 1);
}

static struct idv_desk *rival;
static struct idv_buf rival_reply;

/* another desk on the same book is faster, just before we write */
static idv_rc outrun(void *self, const struct idv_factory_device *d,
                     enum idv_factory_state from, const char *kind,
                     struct idv_bytes body, int64_t now,
                     enum idv_factory_why *why)
{
    if (rival) {
        struct idv_desk *r = rival;
        rival = NULL;
        OK(idv_desk_issue(r, idv_view(&d->request), NULL, &rival_reply, why));
    }
    return true_put(self, d, from, kind, body, now, why);
}

static void two_desks(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    struct idv_desk *other = NULL;
    struct idv_factory_store store = s->book.store;
    OK(idv_desk_new(&s->conf, &other));
    true_put = store.put;
    store.put = outrun;
    s->conf.store = &store;
    desk_again(s);
    rival = other;
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    IDV_AUTO_PTR(idv_certs) ours = issued(s, &s->tpm, &s->tpm.iak, &r);
    IDV_AUTO_PTR(idv_certs)
    theirs = unpacked(s, &s->tpm, &s->tpm.iak, idv_view(&rival_reply));
    assert_true(idv_cert_eq(certificate_of(ours, s->tpm.idevid.key),
                            certificate_of(theirs, s->tpm.idevid.key)));
    assert_int_equal(book_entries(&s->book, "issued"), 1);
    idv_buf_free(&rival_reply);
    idv_desk_free(other);
}

static idv_rc no_find(void *self, enum idv_factory_by by, struct idv_bytes what,
                      bool *found, struct idv_factory_device *out)
{
    (void)self;
    (void)by;
    (void)what;
    (void)found;
    (void)out;
    return idv_fail(IDV_E_FORMAT, "store: damaged");
}

static void damaged_book(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    struct idv_factory_store store = s->book.store;
    store.find = no_find;
    s->conf.store = &store;
    desk_again(s);
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_STORE, "damaged");
    assert_int_equal(s->maker.calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DESK_TEST(same_certificates),
        DESK_TEST(same_request),
        DESK_TEST(rework),
        DESK_TEST(proof_is_not_dodged),
        DESK_TEST(duplicates),
        DESK_TEST(other_key_of_the_device),
        DESK_TEST(retired),
        DESK_TEST(wiped),
        DESK_TEST(issued_and_not_recorded),
        DESK_TEST(two_desks),
        DESK_TEST(damaged_book),
    };
    return cmocka_run_group_tests_name("desk-once", tests, scene_begin,
                                       scene_end);
}
