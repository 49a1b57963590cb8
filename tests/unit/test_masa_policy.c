/* SPDX-License-Identifier: Apache-2.0 */
/* What was set for models, customers and devices decides which vouchers there
 * are, and how they are. */
#include "idevid/db/sql.h"
#include "idevid/masa/policy.h"
#include "tests/lib/stores.h"
#include "tests/unit/masa.h"

#define MODEL "Gateway 2000"
#define CUSTOMER "Example Ltd"

/* the device of the fixture is of this model, and was sold to that one */
static int policy_setup(void **state)
{
    setup(state);
    struct fixture *f = *state;
    pki_must(idvi_exec(f->w.masa_db, NULL,
                       "UPDATE device SET model = $1, customer = $2", "tt",
                       MODEL, CUSTOMER),
             "model");
    return 0;
}

static idv_rc say(struct fixture *f, enum idv_policy_of of, const char *name,
                  const char *setting, const char *value)
{
    struct idv_masa_people p = idv_db_masa_people(f->w.masa_db);
    const struct idv_masa_subject s = {.of = of, .name = name};
    struct idv_masa_term t = {.of = of};
    snprintf(t.setting, sizeof(t.setting), "%s", setting);
    snprintf(t.value, sizeof(t.value), "%s", value);
    return p.policy_set(p.self, &s, &t, 1, &test_by);
}

static void of_model(struct fixture *f, const char *setting, const char *value)
{
    OK(say(f, IDV_POLICY_MODEL, MODEL, setting, value));
}

static void of_customer(struct fixture *f, const char *setting,
                        const char *value)
{
    OK(say(f, IDV_POLICY_CUSTOMER, CUSTOMER, setting, value));
}

static void of_device(struct fixture *f, const char *setting, const char *value)
{
    OK(say(f, IDV_POLICY_DEVICE, PKI_SERIAL, setting, value));
}

/* other bytes each time */
static int again(struct fixture *f)
{
    f->rvr.created_on--;
    f->w.log[0] = 0;
    seal(f);
    return send(f);
}

static void not_again(struct fixture *f, const char *why)
{
    assert_int_equal(again(f), 403);
    assert_true(world_why(&f->w, why));
}

/* R-M-10: no proof of the pledge's, no voucher; as soon as it is set */
static void proximity(void **state)
{
    struct fixture *f = *state;
    of_model(f, "proximity", "yes");
    assert_int_equal(again(f), 200);
    seal_by(f, &f->w.pki.rogue, f->w.pki.rogue_chain);
    assert_int_equal(send(f), 403);
    assert_true(world_why(&f->w, "no-proximity"));
    idv_buf_clear(&f->rvr.prior_signed);
    not_again(f, "no-proximity");
    sell_to_domain(f); /* who owns it has to be near as well */
    not_again(f, "no-proximity");
    assert_int_equal(world_events(&f->w), 1);
}

/* R-M-10: nothing to verify the pledge's request with is no proof */
static void unproven(void **state)
{
    struct fixture *f = *state;
    of_model(f, "proximity", "yes");
    f->w.maker.idevid_anchors = NULL;
    seal(f);
    refused(f, 403, "no-proximity");
}

/* R-M-35 */
static void claim(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    of_customer(f, "claim", "yes");
    seal(f);
    refused(f, 403, "unclaimed");
    sell_to_domain(f);
    assert_int_equal(again(f), 200);
    read_voucher(f, &v);
    assert_int_equal(v.assertion, IDV_ASSERT_VERIFIED);
}

/* the device before its customer before its model before the configuration;
 * another model's, customer's or device's is not its own */
static void precedence(void **state)
{
    struct fixture *f = *state;
    f->w.maker.policy.claim = true;
    not_again(f, "unclaimed");
    of_model(f, "claim", "no");
    assert_int_equal(again(f), 200);
    of_customer(f, "claim", "yes");
    not_again(f, "unclaimed");
    of_device(f, "claim", "no");
    assert_int_equal(again(f), 200);
    of_device(f, "claim", "");
    not_again(f, "unclaimed");
    of_customer(f, "claim", "");
    assert_int_equal(again(f), 200);
    OK(say(f, IDV_POLICY_MODEL, CUSTOMER, "claim", "yes"));
    OK(say(f, IDV_POLICY_CUSTOMER, MODEL, "claim", "yes"));
    OK(say(f, IDV_POLICY_MODEL, PKI_SERIAL, "claim", "yes"));
    assert_int_equal(again(f), 200);
}

/* a device of no known model is not of the model "" */
static void nameless(void **state)
{
    struct fixture *f = *state;
    struct idv_masa_store s = idv_db_masa_store(f->w.masa_db);
    of_model(f, "claim", "yes");
    of_customer(f, "claim", "yes");
    OK(idvi_exec(f->w.masa_db, NULL,
                 "UPDATE device SET model = '', customer = ''", ""));
    assert_int_equal(again(f), 200);
    assert_non_null(s.policy_each);
}

static void nonceless_for(struct fixture *f, const char *who, int status)
{
    of_model(f, "nonceless", who);
    f->w.log[0] = 0;
    assert_int_equal(again(f), status);
    assert_true(status == 200 || world_why(&f->w, "nonceless"));
}

/* R-M-7, R-M-21: nobody, those who are named, or the owner as well */
static void nonceless(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    drop_nonce(f);
    nonceless_for(f, "owner", 403); /* whose it is nobody knows */
    sell_to_domain(f);
    nonceless_for(f, "named", 403);
    nonceless_for(f, "owner", 200);
    know_domain(f, true, false);
    nonceless_for(f, "never", 403);
    nonceless_for(f, "named", 200);
    know_domain(f, false, false); /* named, and not entitled */
    nonceless_for(f, "owner", 403);
    know_domain(f, true, false);
    of_device(f, "nonceless-minutes", "90");
    of_model(f, "nonceless-minutes", "5");
    nonceless_for(f, "named", 200);
    read_voucher(f, &v);
    assert_true(v.expires_on == PKI_NOW + 90 * 60);
}

/* R-M-7: the owner by a key of its own, not by the same name */
static void nonceless_namesake(void **state)
{
    struct fixture *f = *state;
    drop_nonce(f);
    sell_to_domain(f);
    of_model(f, "nonceless", "owner");
    seal_by_namesake(f);
    refused(f, 403, "nonceless");
}

/* R-M-14, R-M-25: another pin from now on; the domain reads its log still, and
 * the device is its own still */
static void pin(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    sell_to_domain(f);
    assert_int_equal(again(f), 200);
    of_model(f, "pin", "registrar");
    f->rvr.created_on--;
    seal(f);
    assert_int_equal(world_masa(&f->w, LOG, idv_view(&f->sealed)), 200);
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    pinned_is(&v, f->w.pki.registrar.cert);
    assert_int_equal(v.assertion, IDV_ASSERT_VERIFIED);
}

/* R-M-35: never is more pinned than was claimed */
static void narrow_claim(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(buf) id = {0};
    OK(idv_domain_id_proven(f->w.pki.registrar.cert, &id));
    OK(idv_db_device_owner(f->w.masa_db, idv_str(""), PKI_SERIAL,
                           (const char *)id.p, &test_by));
    seal(f);
    refused(f, 403, "other-owner");
    of_model(f, "pin", "registrar-key");
    assert_int_equal(again(f), 200);
}

/* R-M-22 */
static void form(void **state)
{
    struct fixture *f = *state;
    of_model(f, "form", "jws");
    assert_int_equal(again(f), 200);
    assert_string_equal(f->w.reply.media, IDV_MEDIA_VOUCHER_JWS);
    of_device(f, "form", "cms");
    assert_int_equal(again(f), 200);
    assert_string_equal(f->w.reply.media, IDV_MEDIA_VOUCHER_CMS);
}

/* R-M-34 */
static void hourly(void **state)
{
    struct fixture *f = *state;
    idv_buf_clear(&f->rvr.prior_signed);
    of_customer(f, "device-hourly", "2");
    assert_int_equal(again(f), 200);
    assert_int_equal(again(f), 200);
    assert_int_equal(again(f), 503);
    assert_true(world_why(&f->w, "rate"));
    of_device(f, "device-hourly", "3");
    assert_int_equal(again(f), 200);
    assert_int_equal(again(f), 503);
}

/* What a later program set may be what keeps a voucher from somebody. */
static void unknown(void **state)
{
    struct fixture *f = *state;
    of_model(f, "moon-phase", "full");
    seal(f);
    refused(f, 503, "policy");
    of_model(f, "moon-phase", "");
    of_model(f, "pin", "moon");
    refused(f, 503, "policy");
}

/* --- what is kept --------------------------------------------------------- */

static bool count_change(void *arg, const struct idv_masa_change *c)
{
    int *n = arg;
    assert_string_equal(c->who, "test");
    assert_string_equal(c->what, "claim");
    assert_string_equal(c->detail, *n == 2 ? "" : *n == 1 ? "no" : "yes");
    ++*n;
    return true;
}

/* who said what stays; the same again is nothing new */
static void history(void **state)
{
    struct fixture *f = *state;
    struct idv_masa_people p = idv_db_masa_people(f->w.masa_db);
    const struct idv_masa_subject s = {.of = IDV_POLICY_MODEL, .name = MODEL};
    int n = 0;
    of_model(f, "claim", "yes");
    of_model(f, "claim", "yes");
    of_model(f, "claim", "no");
    of_model(f, "claim", "");
    of_model(f, "claim", "");
    of_device(f, "claim", "yes");
    OK(p.policy_changes(p.self, &s, 10, count_change, &n));
    assert_int_equal(n, 3);
    FAILS(IDV_E_STATE, "only grows",
          idvi_exec(f->w.masa_db, NULL, "DELETE FROM policy_change", ""));
    FAILS(IDV_E_STATE, "none",
          say(f, IDV_POLICY_DEVICE, "NONE", "claim", "yes"));
}

struct twins {
    struct idv_masa_term last;
    int n;
};

static bool one_only(void *arg, const struct idv_masa_term *t)
{
    struct twins *w = arg;
    w->last = *t;
    w->n++;
    return true;
}

/* R-S-9: two devices of one number are two subjects, also in pages of one */
static void twins(void **state)
{
    struct fixture *f = *state;
    struct idv_masa_people p = idv_db_masa_people(f->w.masa_db);
    const struct idv_masa_subject every = {.name = ""};
    struct idv_masa_device d = {.keyid = {9}, .keyid_n = 20};
    struct twins w = {.n = 0};
    bool fresh = false;
    strcpy(d.serial_number, PKI_SERIAL);
    OK(idv_db_device_add(f->w.masa_db, &d, &fresh));
    FAILS(IDV_E_STATE, "several",
          say(f, IDV_POLICY_DEVICE, PKI_SERIAL, "claim", "yes"));
    struct idv_masa_subject s = {IDV_POLICY_DEVICE, PKI_SERIAL,
                                 idv_bytes(d.keyid, 20)};
    struct idv_masa_term t = {.setting = "claim", .value = "yes"};
    OK(p.policy_set(p.self, &s, &t, 1, &test_by));
    assert_int_equal(again(f), 200);
    s.keyid = idv_bytes("", 0);
    OK(idvi_exec(f->w.masa_db, NULL,
                 "INSERT INTO policy (kind, subject, device_id, setting, value)"
                 " SELECT 3, serial_number, id, 'claim', 'no' FROM device"
                 " WHERE id NOT IN (SELECT device_id FROM policy)",
                 ""));
    OK(p.policies(p.self, &every, NULL, 1, one_only, &w));
    OK(p.policies(p.self, &every, &w.last, 1, one_only, &w));
    assert_int_equal(w.n, 2);
    OK(p.policies(p.self, &every, &w.last, 1, one_only, &w));
    assert_int_equal(w.n, 2);
}

#define T(f) cmocka_unit_test_setup_teardown(f, policy_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(proximity),  T(unproven),     T(claim),
        T(precedence), T(nameless),     T(pin),
        T(nonceless),  T(form),         T(nonceless_namesake),
        T(hourly),     T(unknown),      T(history),
        T(twins),      T(narrow_claim),
    };
    return STORES_RUN(tests);
}
