/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA that approves what a TPM is to seal: whom, what, and whom not. */
#include "tests/unit/masa.h"

#include <idevid/approval.h>

#include "trust/approval_int.h"

/* --- a device whose TPM the maker prepared -------------------------------- */

#define GENERATION 3

static int approving(void **state)
{
    struct fixture *f;
    setup(state);
    f = *state;
    f->w.maker.approval_key = EVP_EC_gen("P-256");
    return f->w.maker.approval_key ? 0 : -1;
}

static int done(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY_free(f->w.maker.approval_key);
    f->w.maker.approval_key = NULL;
    return teardown(state);
}

/* the indices as made for this key and serial number */
static struct idv_approval_request made_for(const EVP_PKEY *key,
                                            const char *serial)
{
    struct idv_approval_request r = {.generation = GENERATION,
                                     .anchor = {.index = 0x01400a01},
                                     .counter = {.index = 0x01400a00}};
    struct idv_approval_guard guard;
    struct idv_approval_ref ref;
    struct hwk_nv nv;
    OK(idv_approval_ref(serial, &ref));
    OK(idv_approval_guard(key, &ref, &guard));
    idvi_approval_index(&guard, r.anchor.index, IDV_PLATFORM_ANCHOR_ATTRIBUTES,
                        IDV_RECORD_SIZE, &nv);
    memcpy(r.anchor.name, nv.name, sizeof(r.anchor.name));
    idvi_approval_index(&guard, r.counter.index,
                        IDV_PLATFORM_COUNTER_ATTRIBUTES, 8, &nv);
    memcpy(r.counter.name, nv.name, sizeof(r.counter.name));
    return r;
}

/* The device says so in its own request. */
static void state_json(struct fixture *f, struct idv_bytes json)
{
    struct idv_buf *said = &f->pvr.manufacturer_proprietary;
    idv_buf_clear(said);
    OK(idv_buf_put(said, json));
    idv_buf_clear(&f->rvr.prior_signed);
    pki_seal(&f->pvr, &f->w.pki.idevid, f->w.pki.idevid_chain, false,
             &f->rvr.prior_signed);
    seal(f);
}

static void state_that(struct fixture *f, const struct idv_approval_request *r)
{
    IDV_AUTO(buf) json = {0};
    OK(idv_approval_request_to_json(r, &json));
    state_json(f, idv_view(&json));
}

static struct idv_approval_request rightly(const struct fixture *f)
{
    return made_for(f->w.maker.approval_key, PKI_SERIAL);
}

/* --- who is approved ------------------------------------------------------ */

static void approves(void **state)
{
    struct fixture *f = *state;
    const struct idv_approval_request r = rightly(f);
    struct idv_approval a;
    struct idv_approval_ref ref;
    struct idv_record record;
    IDV_AUTO(voucher) v;
    bool mine = false;
    state_that(f, &r);
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    OK(idv_approval_from_json(idv_view(&v.manufacturer_proprietary), &mine,
                              &a));
    assert_true(mine);
    OK(idv_approval_ref(PKI_SERIAL, &ref));
    OK(idv_approval_record(&v, GENERATION, &record));
    OK(idv_approval_verify(&a, &r, &record, f->w.maker.approval_key, &ref));
    assert_int_equal(world_events(&f->w), 1);
}

/* A voucher, but nothing that a TPM takes. */
static void not_approved(struct fixture *f)
{
    IDV_AUTO(voucher) v;
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    assert_int_equal(v.manufacturer_proprietary.n, 0);
}

static void others_are_none_of_it(void **state)
{
    struct fixture *f = *state;
    state_json(f, idv_str("{\"profile\":\"owner\",\"generation\":\"x\"}"));
    not_approved(f);
}

static void only_from_the_device_itself(void **state)
{
    struct fixture *f = *state;
    const struct idv_approval_request r = rightly(f);
    state_that(f, &r);
    f->w.maker.idevid_anchors = NULL; /* nobody proves who said so */
    not_approved(f);
}

static void registrar_does_not_state_it(void **state)
{
    struct fixture *f = *state;
    const struct idv_approval_request r = rightly(f);
    OK(idv_approval_request_to_json(&r, &f->rvr.manufacturer_proprietary));
    seal(f);
    not_approved(f);
}

static void without_a_key_nothing_is_read(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY_free(f->w.maker.approval_key);
    f->w.maker.approval_key = NULL;
    state_json(f, idv_str("{\"profile\":\"platform\"}"));
    not_approved(f);
}

/* --- who is refused ------------------------------------------------------- */

struct seen {
    int n;
    struct idv_masa_imprint rows[8];
};

static bool see(void *arg, const struct idv_masa_imprint *i)
{
    struct seen *s = arg;
    s->rows[s->n++] = *i;
    return s->n < 8;
}

static struct seen seen(struct fixture *f)
{
    struct idv_masa_people p = idv_db_masa_people(f->w.masa_db);
    struct seen s = {.n = 0};
    OK(p.imprints(p.self, 1, 8, see, &s));
    return s;
}

static int at_generation(struct fixture *f, uint64_t generation)
{
    struct idv_approval_request r = rightly(f);
    r.generation = generation;
    f->rvr.created_on--;
    state_that(f, &r);
    f->w.log[0] = 0;
    seal(f);
    return send(f);
}

/* what a device proves to be at is kept, once; that it went back is noticed,
 * and by whom */
static void generation_kept(void **state)
{
    struct fixture *f = *state;
    static const uint64_t at[] = {3, 3, 5, 3, 7};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(at_generation(f, at[i]), 200);
        assert_true(!strstr(f->w.log, "generation-back") == (i != 3));
    }
    struct seen s = seen(f);
    assert_int_equal(s.n, 4);
    for (int i = 0; i < 4; i++) {
        assert_true(s.rows[i].generation == at[i + (i > 0)]);
        assert_true(s.rows[i].back == (i == 2));
    }
}

/* what a registrar says of the device is nothing that the device proves */
static void generation_of_others(void **state)
{
    struct fixture *f = *state;
    const struct idv_approval_request r = rightly(f);
    OK(idv_approval_request_to_json(&r, &f->rvr.manufacturer_proprietary));
    seal(f);
    assert_int_equal(send(f), 200);
    assert_int_equal(seen(f).n, 0);
}

/* the statement of r with its generation, a bare 3, in another form */
static void state_generation(struct fixture *f, const char *generation)
{
    static const char is[] = "\"generation\":3";
    const struct idv_approval_request r = rightly(f);
    IDV_AUTO(buf) json = {0};
    IDV_AUTO(buf) other = {0};
    OK(idv_approval_request_to_json(&r, &json));
    const char *text = (const char *)json.p, *at = strstr(text, is);
    assert_non_null(at);
    OK(idv_buf_putf(&other, "%.*s%s%s", (int)(at - text), text, generation,
                    at + strlen(is)));
    state_json(f, idv_view(&other));
}

static void generation_in_another_form(void **state)
{
    static const char *const forms[] = {
        "\"generation\":\"3\"", "\"generation\":\"0000000000000003\"",
        "\"generation\":3.5",   "\"generation\":0",
        "\"generation\":-3",    "\"generation\":9007199254740992",
        "\"generation\":null",  "\"value\":3",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        state_generation(f, forms[i]);
        refused(f, 403, "approval-request");
    }
    state_generation(f, "\"generation\":3"); /* that was all */
    assert_int_equal(send(f), 200);
}

static void malformed_statement(void **state)
{
    struct fixture *f = *state;
    struct idv_approval_request r = rightly(f);
    state_json(f, idv_str("{\"profile\":\"platform\"}"));
    refused(f, 403, "approval-request");
    state_json(f, idv_str("{\"profile\":\"platform\",\"generation\":3}"));
    refused(f, 403, "approval-request");
    r.counter.index = r.anchor.index;
    state_that(f, &r);
    refused(f, 403, "approval-request");
    r = rightly(f);
    r.anchor.index = 0x81000001; /* a key's place */
    state_that(f, &r);
    refused(f, 403, "approval-request");
    r = rightly(f);
    r.anchor.name[1] = 0x0c; /* not by SHA-256 */
    state_that(f, &r);
    refused(f, 403, "approval-request");
}

static void foreign_names(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *another = EVP_EC_gen("P-256");
    const struct idv_approval_request theirs = made_for(another, PKI_SERIAL);
    const struct idv_approval_request other =
        made_for(f->w.maker.approval_key, "OTHER");
    struct idv_approval_request r = rightly(f);
    EVP_PKEY_free(another);
    state_that(f, &theirs); /* another key lets it be written */
    refused(f, 403, "approval");
    state_that(f, &other); /* another device's */
    refused(f, 403, "approval");
    r.anchor = other.anchor;
    state_that(f, &r);
    refused(f, 403, "approval");
    r = rightly(f);
    r.counter = other.counter;
    state_that(f, &r);
    refused(f, 403, "approval");
    r = rightly(f);
    r.anchor.index++; /* the right Name for another place */
    state_that(f, &r);
    refused(f, 403, "approval");
}

#define T(f) cmocka_unit_test_setup_teardown(f, approving, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(approves),
        T(others_are_none_of_it),
        T(only_from_the_device_itself),
        T(registrar_does_not_state_it),
        T(generation_kept),
        T(generation_of_others),
        T(without_a_key_nothing_is_read),
        T(generation_in_another_form),
        T(malformed_statement),
        T(foreign_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
