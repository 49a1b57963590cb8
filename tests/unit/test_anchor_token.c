/* SPDX-License-Identifier: Apache-2.0 */
/* The profile "token": its life, and what is forged, copied, doubled or put
 * back behind its back, in a module made of memory. */
#include "tests/unit/codec.h"

#include <idevid/key.h>
#include <idevid/trust.h>
#include <idevid/x509.h>

#include "provider/device.h"
#include "tests/lib/pki.h"
#include "tests/lib/rawtoken.h"
#include "trust/token_object.h"

#define UNIT "pkcs11:token=unit"
#define RECORD "idevid-anchor"

static struct pki pki;
static struct idv_device *device;
static struct idv_anchor anchor;
static EVP_PKEY *stranger, *own;

static bool answer(void *arg, const char *what, char *out, size_t max,
                   size_t *n)
{
    (void)arg, (void)what;
    assert_true(max >= 4);
    memcpy(out, "1234", *n = 4);
    return true;
}
static const struct idv_pin pin = {answer, NULL};

static void store_cert(void)
{
    const struct idv_cert_spec spec = {
        .kind = IDV_CERT_IDEVID,
        .serial_number = PKI_SERIAL,
        .not_before = PKI_NOW - PKI_DAY,
    };
    IDV_AUTO(buf) der = {0};
    IDV_AUTO_PTR(X509) cert = NULL;
    OK(idv_cert_issue(&spec, own, pki.maker_ca.cert, pki.maker_ca.key,
                      &pki.env.env, &cert));
    OK(idv_cert_to_der(cert, &der));
    OK(idv_device_write(device, UNIT ";object=idevid;id=%01;type=cert",
                        idv_view(&der), 0));
}

static int setup(void **state)
{
    static const char *const lines[] = {"slot 1 label=unit", NULL};
    (void)state;
    unsetenv("HWKEY_PIN");
    unsetenv("HWKEY_PIN_FILE");
    if (!raw_begin(lines) ||
        idv_provider_setup(hwk_provider_init, NULL) != IDV_OK)
        return -1;
    pki_make(&pki);
    stranger = EVP_PKEY_Q_keygen(NULL, "provider=default", "EC", "P-256");
    OK(idv_key_make(UNIT ";object=idevid;id=%01", &pin, IDV_KEY_P256,
                    IDV_KEY_SIGN, &own));
    OK(idv_device_open(UNIT, &pin, &device));
    store_cert();
    OK(idv_anchor_open(device, NULL, &anchor));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    idv_anchor_close(&anchor);
    idv_device_close(device);
    EVP_PKEY_free(own);
    EVP_PKEY_free(stranger);
    pki_free(&pki);
    return 0;
}

/* --- behind its back ------------------------------------------------------ */

/* a token that was never used; only the test can make it one */
static int afresh(void **state)
{
    static const CK_OBJECT_CLASS classes[] = {CKO_DATA, CKO_HW_FEATURE};
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    CK_OBJECT_HANDLE h;
    (void)state;
    TELL("module destroys-all");
    for (size_t i = 0; i < 2; i++) {
        while (raw_count(s, classes[i], NULL, &h))
            assert_int_equal(raw_f->C_DestroyObject(s, h), CKR_OK);
    }
    TELL("module not-destroys-all");
    TELL("forget");
    raw_close(s);
    return 0;
}

struct made {
    bool session, private, modifiable;
};
static const struct made as_it_should = {false, false, false};

static CK_SESSION_HANDLE session; /* of objects that go with it */

static void put(const char *label, struct idv_bytes value, struct made how)
{
    static CK_OBJECT_CLASS class = CKO_DATA;
    CK_BBOOL token = !how.session, private = how.private,
             modifiable = how.modifiable;
    char name[64];
    uint8_t bytes[2048];
    CK_OBJECT_HANDLE h;
    snprintf(name, sizeof(name), "%s", label);
    memcpy(bytes, value.p, value.n);
    CK_ATTRIBUTE a[] = {
        {CKA_CLASS, &class, sizeof(class)}, {CKA_TOKEN, &token, 1},
        {CKA_PRIVATE, &private, 1},         {CKA_MODIFIABLE, &modifiable, 1},
        {CKA_LABEL, name, strlen(name)},    {CKA_VALUE, bytes, value.n}};
    session = raw_enter(1, RAW_PIN);
    assert_int_equal(raw_f->C_CreateObject(session, a, 6, &h), CKR_OK);
    if (!how.session)
        raw_close(session);
}

static void put_signed(const char *label, const struct idvi_token_object *o,
                       EVP_PKEY *key, struct made how)
{
    IDV_AUTO(buf) raw = {0};
    OK(idvi_token_object_make(o, key, &raw));
    put(label, idv_view(&raw), how);
}

static void copy_of(const char *label, struct idv_buf *out)
{
    char uri[128];
    bool found;
    snprintf(uri, sizeof(uri), "pkcs11:object=%s;type=data", label);
    OK(idv_device_read(device, uri, &found, out));
    assert_true(found);
}

/* --- what the anchor does ------------------------------------------------- */

static void fill(uint8_t out[static IDV_RECORD_SIZE], uint64_t generation,
                 uint32_t mark)
{
    const struct idv_record r = {
        .version = 1, .generation = generation, .pin_length = mark};
    idv_record_to_bytes(&r, out);
}

static void imprint(uint64_t generation, uint32_t mark)
{
    struct idv_anchor_memo memo = {0};
    struct idv_anchor_seen seen = {0};
    OK(anchor.ops->prepare(anchor.self, &memo));
    assert_int_equal(memo.generation, generation);
    assert_string_equal(memo.profile, "token");
    fill(memo.record, generation, mark);
    OK(anchor.ops->write(anchor.self, &memo, &seen));
    assert_int_equal(seen.found, IDV_ANCHOR_SEALED);
    assert_int_equal(seen.counter, generation + 1);
}

static void is(enum idv_anchor_found found, uint64_t counter, uint32_t mark)
{
    struct idv_anchor_seen seen = {0};
    struct idv_record r;
    OK(anchor.ops->read(anchor.self, NULL, &seen));
    assert_int_equal(seen.found, found);
    assert_int_equal(seen.counter, counter);
    if (found == IDV_ANCHOR_NOTHING)
        return;
    OK(idv_record_from_bytes(idv_bytes(seen.record, sizeof(seen.record)), &r));
    assert_int_equal(r.pin_length, mark);
}

static void tampered(const char *why)
{
    struct idv_anchor_seen seen = {0};
    FAILS(IDV_E_REJECT, why, anchor.ops->read(anchor.self, NULL, &seen));
}

/* --- life ----------------------------------------------------------------- */

static void destroy_fails(const char *label)
{
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    CK_OBJECT_HANDLE h;
    assert_int_equal(raw_count(s, CKO_DATA, label, &h), 1);
    assert_false(raw_flag(s, h, CKA_MODIFIABLE));
    assert_false(raw_flag(s, h, CKA_PRIVATE));
    assert_int_equal(raw_f->C_DestroyObject(s, h), CKR_ACTION_PROHIBITED);
    raw_close(s);
}

static void life(void **state)
{
    struct idv_anchor_memo memo = {0};
    (void)state;
    assert_string_equal(anchor.ops->assurance, "detect"); /* no SoftHSM */
    is(IDV_ANCHOR_NOTHING, 2, 0);
    OK(anchor.ops->reset(anchor.self)); /* absence is no failure */
    is(IDV_ANCHOR_NOTHING, 2, 0);
    for (uint32_t g = 1; g <= 3; g++) {
        imprint(g, 100 + g);
        is(IDV_ANCHOR_SEALED, g + 1, 100 + g);
        FAILS(IDV_E_STATE, "already", anchor.ops->prepare(anchor.self, &memo));
        OK(anchor.ops->discard(anchor.self));
        is(IDV_ANCHOR_SEALED, g + 1, 100 + g);
        OK(anchor.ops->reset(anchor.self));
        is(IDV_ANCHOR_NOTHING, g + 2, 0);
    }
    destroy_fails(RECORD);
    destroy_fails(RECORD ".2");
    destroy_fails(RECORD ".2.end");
}

/* --- forged --------------------------------------------------------------- */

static struct idvi_token_object object(enum idvi_token_kind kind,
                                       uint64_t number)
{
    struct idvi_token_object o = {.kind = kind, .number = number};
    fill(o.record, number + 1, 66);
    return o;
}

static void of_another_key(void **state)
{
    const struct idvi_token_object o = object(IDVI_TOKEN_RECORD, 0);
    (void)state;
    put_signed(RECORD, &o, stranger, as_it_should);
    tampered("key has not signed it");
}

static void end_of_another_key(void **state)
{
    const struct idvi_token_object o = object(IDVI_TOKEN_END, 0);
    (void)state;
    imprint(1, 1);
    put_signed(RECORD ".0.end", &o, stranger, as_it_should);
    tampered("key has not signed it");
    OK(anchor.ops->reset(anchor.self)); /* takes it away for the true one */
    is(IDV_ANCHOR_NOTHING, 3, 0);
}

static void attributes(void **state)
{
    const struct idvi_token_object o = object(IDVI_TOKEN_RECORD, 0);
    (void)state;
    put_signed(RECORD, &o, own, as_it_should);
    is(IDV_ANCHOR_SEALED, 2, 66);
    afresh(NULL);
    put_signed(RECORD, &o, own, (struct made){.modifiable = true});
    tampered("can be modified");
    afresh(NULL);
    put_signed(RECORD, &o, own, (struct made){.private = true});
    tampered("is private");
    afresh(NULL);
    put_signed(RECORD, &o, own, (struct made){.session = true});
    tampered("none of the token");
    raw_close(session);
    is(IDV_ANCHOR_NOTHING, 2, 0);
}

static void two_of_that_name(void **state)
{
    IDV_AUTO(buf) raw = {0};
    (void)state;
    imprint(1, 1);
    copy_of(RECORD, &raw);
    put(RECORD, idv_view(&raw), as_it_should);
    tampered("2 objects are named so");
    OK(anchor.ops->reset(anchor.self));
    imprint(2, 2);
    is(IDV_ANCHOR_SEALED, 3, 2);
}

static void copies_in_other_places(void **state)
{
    IDV_AUTO(buf) record = {0};
    IDV_AUTO(buf) end = {0};
    (void)state;
    imprint(1, 1);
    copy_of(RECORD, &record);
    OK(anchor.ops->reset(anchor.self));
    copy_of(RECORD ".0.end", &end);
    put(RECORD ".1", idv_view(&record), as_it_should); /* the old owner again */
    tampered("a copy of another");
    afresh(NULL);
    put(RECORD ".0.end", idv_view(&record), as_it_should);
    tampered("a copy of another");
    afresh(NULL);
    put(RECORD, idv_view(&end), as_it_should);
    tampered("a copy of another");
}

static void of_another_generation(void **state)
{
    struct idvi_token_object o = object(IDVI_TOKEN_RECORD, 0);
    (void)state;
    fill(o.record, 7, 66);
    put_signed(RECORD, &o, own, as_it_should);
    tampered("generation 7 in the place of 1");
}

static void every_byte_counts(void **state)
{
    const struct idvi_token_object o = object(IDVI_TOKEN_RECORD, 0);
    IDV_AUTO(buf) raw = {0};
    struct idvi_token_object back;
    (void)state;
    OK(idvi_token_object_make(&o, own, &raw));
    OK(idvi_token_object_check(idv_view(&raw), IDVI_TOKEN_RECORD, 0, own,
                               &back));
    assert_memory_equal(back.record, o.record, sizeof(back.record));
    for (size_t i = 0; i < raw.n; i++) {
        raw.p[i] ^= 0x10;
        assert_int_equal(idvi_token_object_check(
                             idv_view(&raw), IDVI_TOKEN_RECORD, 0, own, &back),
                         IDV_E_REJECT);
        raw.p[i] ^= 0x10;
    }
    for (size_t n = 0; n < raw.n; n++)
        assert_int_equal(idvi_token_object_check(idv_bytes(raw.p, n),
                                                 IDVI_TOKEN_RECORD, 0, own,
                                                 &back),
                         IDV_E_REJECT);
    idv_note_clear();
}

static void too_long(void **state)
{
    static const uint8_t long_one[IDVI_TOKEN_HEAD + 1025] = "IDTO";
    (void)state;
    put(RECORD, idv_bytes(long_one, sizeof(long_one)), as_it_should);
    tampered("1169 bytes long");
    OK(anchor.ops->reset(anchor.self));
    imprint(2, 2);
}

/* what versions before the signature wrote: refused, named, and reset */
static void of_an_earlier_version(void **state)
{
    uint8_t bare[IDV_RECORD_SIZE];
    struct idv_anchor_memo memo = {0};
    (void)state;
    fill(bare, 1, 1);
    put(RECORD, idv_bytes(bare, sizeof(bare)), as_it_should);
    tampered("a bare record, as an earlier version wrote it");
    FAILS(IDV_E_REJECT, "nobody signed it",
          anchor.ops->prepare(anchor.self, &memo));
    OK(anchor.ops->reset(anchor.self));
    is(IDV_ANCHOR_NOTHING, 3, 0);
    imprint(2, 2);
    is(IDV_ANCHOR_SEALED, 3, 2);
}

/* --- monotonic ------------------------------------------------------------ */

static void counter(void **state)
{
    CK_SESSION_HANDLE s;
    CK_OBJECT_CLASS class = CKO_HW_FEATURE;
    CK_ATTRIBUTE a = {CKA_CLASS, &class, sizeof(class)};
    CK_OBJECT_HANDLE h;
    CK_ULONG n;
    (void)state;
    TELL("slot 1 counter=100");
    imprint(1, 1);
    is(IDV_ANCHOR_SEALED, 2, 1);
    is(IDV_ANCHOR_SEALED, 2, 1);
    TELL("slot 1 counter=100"); /* read as at the imprint */
    tampered("counter is behind");
    TELL("slot 1 counter=1000");
    is(IDV_ANCHOR_SEALED, 2, 1);
    s = raw_enter(1, RAW_PIN);
    assert_int_equal(raw_f->C_FindObjectsInit(s, &a, 1), CKR_OK);
    assert_int_equal(raw_f->C_FindObjects(s, &h, 1, &n), CKR_OK);
    raw_f->C_FindObjectsFinal(s);
    TELL("module destroys-all");
    assert_int_equal(raw_f->C_DestroyObject(s, h), CKR_OK);
    TELL("module not-destroys-all");
    raw_close(s);
    tampered("has lost its monotonic counter");
}

/* --- a token that lets everything be erased ------------------------------- */

#define IGNORANT() TELL("on C_CreateObject rv=0x12") /* of CKA_DESTROYABLE */

static void without_destroyable(void **state)
{
    CK_SESSION_HANDLE s;
    CK_OBJECT_HANDLE h;
    IDV_AUTO(buf) record = {0};
    (void)state;
    IGNORANT();
    imprint(1, 1);
    is(IDV_ANCHOR_SEALED, 2, 1);
    copy_of(RECORD, &record);
    IGNORANT();
    OK(anchor.ops->reset(anchor.self));
    is(IDV_ANCHOR_NOTHING, 3, 0);
    s = raw_enter(1, RAW_PIN);
    assert_int_equal(raw_count(s, CKO_DATA, RECORD, NULL), 0); /* tidied up */
    /* the limit of such a token: its user brings the old record back */
    assert_int_equal(raw_count(s, CKO_DATA, RECORD ".0.end", &h), 1);
    assert_int_equal(raw_f->C_DestroyObject(s, h), CKR_OK);
    raw_close(s);
    put(RECORD, idv_view(&record), as_it_should);
    is(IDV_ANCHOR_SEALED, 2, 1);
}

/* --- many ends ------------------------------------------------------------ */

static void lives(uint32_t from, uint32_t to)
{
    for (uint32_t g = from; g <= to; g++) {
        imprint(g, 100 + g);
        OK(anchor.ops->reset(anchor.self));
    }
}

static unsigned calls_of_a_read(uint64_t counter)
{
    TELL("forget");
    is(IDV_ANCHOR_NOTHING, counter, 0);
    return raw_soft->calls(NULL);
}

/* twice as many ends are two looks more, at most */
static void found_by_halving(void **state)
{
    unsigned of_one, of_ten, of_sixty;
    (void)state;
    lives(1, 1);
    of_one = calls_of_a_read(3);
    lives(2, 10);
    of_ten = calls_of_a_read(12);
    lives(11, 60);
    of_sixty = calls_of_a_read(62);
    print_message("# calls after 1, 10, 60 resets: %u, %u, %u\n", of_one,
                  of_ten, of_sixty);
    assert_true(of_ten <= of_one * 4);
    assert_true(of_sixty <= of_ten * 2);
}

static void take_away(const char *label)
{
    CK_SESSION_HANDLE s = raw_enter(1, RAW_PIN);
    CK_OBJECT_HANDLE h;
    TELL("module destroys-all");
    assert_int_equal(raw_count(s, CKO_DATA, label, &h), 1);
    assert_int_equal(raw_f->C_DestroyObject(s, h), CKR_OK);
    TELL("module not-destroys-all");
    raw_close(s);
}

/* true, or named: never a record of an earlier owner, though it is there */
static bool seen_whole(uint64_t counter, uint32_t mark)
{
    struct idv_anchor_seen seen = {0};
    if (anchor.ops->read(anchor.self, NULL, &seen) == IDV_OK) {
        is(mark ? IDV_ANCHOR_SEALED : IDV_ANCHOR_NOTHING, counter, mark);
        return true;
    }
    tampered("was removed: later ones are there");
    return false;
}

/* each end in its turn, with a record after the last and without */
static void an_end_removed(void **state)
{
    unsigned named = 0;
    for (unsigned n = 0; n < 18; n++) {
        const uint32_t mark = n % 2 ? 77 : 0;
        char label[64];
        bool whole;
        afresh(state);
        lives(1, 9);
        if (mark)
            imprint(10, mark);
        snprintf(label, sizeof(label), RECORD ".%u.end", n / 2);
        take_away(label);
        if (n == 16) { /* the last, and nothing behind it: the limit */
            is(IDV_ANCHOR_SEALED, 10, 109);
            continue;
        }
        whole = seen_whole(11, mark);
        named += !whole;
        OK(anchor.ops->reset(anchor.self));
        is(IDV_ANCHOR_NOTHING, whole && !mark ? 11 : 12, 0);
    }
    assert_in_range(named, 5, 17);
}

/* of as many that the search lands low, all but one behind it gone */
static void ends_removed_behind_a_record(void **state)
{
    (void)state;
    lives(1, 5);
    imprint(6, 77);
    take_away(RECORD ".4.end");
    tampered("the end of record 4 was removed");
    OK(anchor.ops->reset(anchor.self));
    is(IDV_ANCHOR_NOTHING, 8, 0);
    imprint(7, 78);
    is(IDV_ANCHOR_SEALED, 8, 78);
}

/* where the search looks, behind the last: the true number counts */
static void forged_ahead(void **state)
{
    const struct idvi_token_object o = object(IDVI_TOKEN_END, 3);
    (void)state;
    lives(1, 2);
    imprint(3, 3);
    put_signed(RECORD ".3.end", &o, stranger, as_it_should);
    tampered("key has not signed it");
    OK(anchor.ops->reset(anchor.self));
    is(IDV_ANCHOR_NOTHING, 5, 0);
    imprint(4, 4);
    is(IDV_ANCHOR_SEALED, 5, 4);
}

/* two of one end: both go, and the true one comes back */
static void an_end_doubled(void **state)
{
    IDV_AUTO(buf) raw = {0};
    (void)state;
    IGNORANT();
    imprint(1, 1);
    IGNORANT();
    OK(anchor.ops->reset(anchor.self));
    copy_of(RECORD ".0.end", &raw);
    put(RECORD ".0.end", idv_view(&raw), as_it_should);
    tampered("2 objects are named so");
    OK(anchor.ops->reset(anchor.self));
    is(IDV_ANCHOR_NOTHING, 3, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(life, afresh),
        cmocka_unit_test_setup(of_another_key, afresh),
        cmocka_unit_test_setup(end_of_another_key, afresh),
        cmocka_unit_test_setup(attributes, afresh),
        cmocka_unit_test_setup(two_of_that_name, afresh),
        cmocka_unit_test_setup(copies_in_other_places, afresh),
        cmocka_unit_test_setup(of_another_generation, afresh),
        cmocka_unit_test_setup(every_byte_counts, afresh),
        cmocka_unit_test_setup(too_long, afresh),
        cmocka_unit_test_setup(of_an_earlier_version, afresh),
        cmocka_unit_test_setup(counter, afresh),
        cmocka_unit_test_setup(without_destroyable, afresh),
        cmocka_unit_test_setup(found_by_halving, afresh),
        cmocka_unit_test_setup(an_end_removed, afresh),
        cmocka_unit_test_setup(ends_removed_behind_a_record, afresh),
        cmocka_unit_test_setup(forged_ahead, afresh),
        cmocka_unit_test_setup(an_end_doubled, afresh),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
