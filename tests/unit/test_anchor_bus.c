/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody on the bus between the anchor and its TPM, who alters each command
 * and each answer of a whole imprint, check and reset, one at a time: no anchor
 * counts that is not the TPM's, and afterwards there is what was before or what
 * was meant, never a third thing. */
#include "config.h"

#include "tests/unit/anchor_acts.h"

#include <idevid/x509.h>
#include <openssl/err.h>
#include <openssl/sha.h>

#include "provider/device/tpm2_conn.h"
#include "provider/device/tpm2_door.h"
#include "provider/device/tpm2_load.h"
#include "provider/device/tpm2_salt.h"
#include "provider/device/tpm2_template.h"
#include "tests/lib/long.h"
#include "tests/unit/bus_ways.h"

#define SRK_AT 0x81000001

static struct bus bus;
static char salt_key[96]; /* the storage root key and its Name, as pinned */

/* --- the TPM, known by its storage root key --------------------------------
 */

static void pin_srk(struct hwk_tpm *raw)
{
    TPM2B_PUBLIC t, *pub = NULL;
    TPM2B_NAME name;
    ESYS_TR tr, kept;
    ESYS_CONTEXT *esys = hwk_tpm_begin(raw);
    assert_non_null(esys);
    hwk_tpm_template_srk(&t);
    assert_true(
        hwk_tpm_create_primary(raw, TPM2_RH_OWNER, NULL, NULL, &t, &tr, NULL));
    assert_int_equal(Esys_EvictControl(esys, ESYS_TR_RH_OWNER, tr,
                                       ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                       ESYS_TR_NONE, SRK_AT, &kept),
                     0);
    assert_int_equal(Esys_ReadPublic(esys, kept, ESYS_TR_NONE, ESYS_TR_NONE,
                                     ESYS_TR_NONE, &pub, NULL, NULL),
                     0);
    assert_true(hwk_tpm_name(pub, &name));
    Esys_Free(pub);
    hwk_tpm_flush(raw, &tr);
    assert_int_equal(Esys_TR_Close(esys, &kept), 0);
    hwk_tpm_end(raw);
    int n = snprintf(salt_key, sizeof(salt_key), "0x%08x ", SRK_AT);
    for (size_t i = 0; i < name.size; i++)
        n += snprintf(salt_key + n, sizeof(salt_key) - (size_t)n, "%02x",
                      name.name[i]);
}

/* a point that is nobody's in the TPM, for forge_key */
static void own_point(uint8_t out[static 64])
{
    uint8_t point[65];
    size_t n = 0;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_non_null(key);
    assert_true(
        EVP_PKEY_get_octet_string_param(key, "pub", point, sizeof(point), &n));
    assert_int_equal(n, sizeof(point));
    memcpy(out, point + 1, 64);
    EVP_PKEY_free(key);
}

static int begin(void **arg)
{
    char sock[128];
    setenv("TSS2_LOG", "all+none", 1); /* refusals are what is asked for */
    if (setup(arg))
        return -1;
    if (!have_tpm)
        return 0;
    const struct hwk_config conf = {.tcti = tpm.tcti, .tpm_lock = tpm.lock};
    struct hwk_tpm *raw = hwk_tpm_new(&conf);
    assert_non_null(raw);
    pin_srk(raw);
    hwk_tpm_free(raw);
    snprintf(sock, sizeof(sock), "%s/sock", tpm.dir);
    if (bus_start(&bus, sock, strike))
        return -1;
    own_point(bus.talk->instead);
    bus.talk->way = WAYS;
    return 0;
}

static int end(void **arg)
{
    if (have_tpm)
        bus_stop(&bus);
    return teardown(arg);
}

/* --- acts through the bus ---------------------------------------------------
 */

static struct run_result through(enum run_act what, const char *salt)
{
    struct run r = whole();
    struct run_result out;
    r.tcti = bus.tcti;
    r.salt_key = salt;
    bus.talk->count = bus.talk->struck = 0;
    bus.talk->last = 0;
    assert_true(run_act(&r, what, &out));
    return out;
}

/* one that nobody meddles with; how many commands it was */
static unsigned listened(enum run_act what)
{
    bus.talk->way = WAYS;
    bus.talk->heard_n = 0;
    struct run_result r = through(what, salt_key);
    assert_int_equal(r.rc, IDV_OK);
    return bus.talk->count;
}

static void learn(enum run_act what)
{
    bus.talk->kept_n = 0;
    bus.talk->learn = true;
    listened(what);
    bus.talk->learn = false;
}

/* what was done, for a message */
static const char *done(void)
{
    static char text[160];
    snprintf(text, sizeof(text), "%s (%zu), command %u, 0x%zx",
             ways[bus.talk->way].name, bus.talk->at, bus.talk->nth,
             bus.talk->last);
    return text;
}

/* An error says whose answer it was that would not do. */
static void names_the_tpm(const struct run_result *r)
{
    static const char *const words[] = {"TPM ", "NV index", "anchor"};
    bool named = false;
    for (size_t i = 0; i < 3; i++)
        named |= strstr(r->note, words[i]) != NULL;
    if ((r->rc != IDV_E_DEVICE && r->rc != IDV_E_REJECT &&
         r->rc != IDV_E_STATE) ||
        !named)
        fail_msg("%s: %s: '%s'", done(), idv_rc_name(r->rc), r->note);
}

/* what came of it */
struct tally {
    unsigned struck, refused;
    uint32_t taken[64]; /* commands whose answers were altered, and believed */
    unsigned taken_n;
};

static void count(struct tally *t, const struct run_result *r)
{
    const uint32_t code = (uint32_t)bus.talk->last;
    t->struck++;
    t->refused += r->rc != IDV_OK;
    if (r->rc != IDV_OK ||
        (ways[bus.talk->way].fn != flip && ways[bus.talk->way].fn != forge))
        return;
    for (unsigned i = 0; i < t->taken_n; i++)
        if (t->taken[i] == code)
            return;
    if (t->taken_n < 64)
        t->taken[t->taken_n++] = code;
}

/* What a program takes for ended, and the TPM does not, stays there until it is
 * switched off. */
static void power(void)
{
    const uint32_t code = (uint32_t)bus.talk->last;
    bus_fn *const fn = ways[bus.talk->way].fn;
    if ((fn != flip && fn != forge && fn != flip_command) ||
        code == TPM2_CC_FlushContext || code == TPM2_CC_StartAuthSession)
        assert_int_equal(swtpm_cycle(&tpm), 0);
}

struct deed {
    const char *name;
    enum run_act act;
    void (*before)(void); /* makes what it starts from */
    void (*judge)(const struct run_result *r);
};

/* The nth command in one way, unless it cannot be struck so. */
static void once(const struct deed *d, unsigned way, size_t at, unsigned nth,
                 struct tally *t)
{
    struct bus_talk *talk = bus.talk;
    talk->way = WAYS;
    d->before();
    talk->at = at;
    talk->nth = nth;
    talk->way = way;
    const struct run_result r = through(d->act, salt_key);
    if (talk->struck == 0)
        return;
    if (r.rc != IDV_OK)
        names_the_tpm(&r);
    power();
    d->judge(&r);
    count(t, &r);
}

/* In a long run each command in every way and variant of it. Else one variant
 * in so many, of all one after the other. */
static bool chosen(void)
{
    static unsigned turn;
    return long_turn(&turn, 11);
}

/* Every command of it, in every way. */
static void each(const struct deed *d, struct tally *t)
{
    d->before();
    learn(d->act);
    d->before();
    const unsigned n = listened(d->act);
    for (unsigned way = 0; way < WAYS; way++)
        for (unsigned nth = 1; nth <= n; nth++)
            for (size_t at = 0; at < ways[way].variants; at++)
                if (chosen())
                    once(d, way, at, nth, t);
    bus.talk->way = WAYS;
    assert_true(t->struck >= n && t->refused > t->struck / 4);
    print_message("# %s: %u commands, %u times altered, %u times refused\n",
                  d->name, n, t->struck, t->refused);
}

/* What nobody proves: what was altered of it is believed, and comes to nothing.
 */
static const struct {
    uint32_t code;
    const char *why;
} unproved[] = {
    {TPM2_CC_FlushContext, "says no more than that it is done"},
    {TPM2_CC_ReadPublic, "the qualified name, which nobody asked for"},
    {TPM2_CC_NV_ReadPublic, "of an index that is not the platform's"},
};

static void believes_nothing_else(const struct tally *t)
{
    const size_t n = sizeof(unproved) / sizeof(*unproved);
    for (unsigned i = 0; i < t->taken_n; i++) {
        size_t j = 0;
        while (j < n && unproved[j].code != t->taken[i])
            j++;
        if (j == n)
            fail_msg("the answer to 0x%x was altered, and taken", t->taken[i]);
        print_message("# altered and taken: 0x%x (%s)\n", t->taken[i],
                      unproved[j].why);
    }
}

/* --- the check at start ------------------------------------------------------
 */

static uint64_t generation;

static void sealed(void)
{
    if (generation && act(RUN_OBSERVE).generation == generation)
        return;
    succeeds(RUN_WIPE);
    generation = succeeds(RUN_IMPRINT).generation;
}

/* It is the TPM's anchor that was found, or none; nothing has changed. */
static void found_it_or_nothing(const struct run_result *r)
{
    if (r->rc == IDV_OK && (r->state != IDV_TRUST_IMPRINTED || !r->pinned ||
                            r->generation != generation))
        fail_msg("%s: believed (%s)", done(),
                 idv_trust_state_to_text(r->state));
    if (!imprinted() || act(RUN_OBSERVE).generation != generation)
        fail_msg("%s: it is no more as it was", done());
}

static const struct deed check = {"check", RUN_OPEN, sealed,
                                  found_it_or_nothing};

static void checks(void **arg)
{
    struct tally t = {0};
    (void)arg;
    need_tpm();
    each(&check, &t);
    believes_nothing_else(&t);
}

/* --- imprint
 * ------------------------------------------------------------------ */

/* Root takes away whatever is at both places, and the files. */
static void blank(void)
{
    const struct hwk_config conf = {.tcti = tpm.tcti, .tpm_lock = tpm.lock};
    const struct hwk_nv_by owner = {.handle = TPM2_RH_OWNER};
    static const uint32_t places[] = {COUNTER, ANCHOR};
    struct hwk_tpm *raw = hwk_tpm_new(&conf);
    struct hwk_nv nv;
    assert_non_null(raw);
    for (size_t i = 0; i < 2; i++)
        if (hwk_tpm_door.look(raw, places[i], &nv))
            assert_true(hwk_tpm_door.undefine(raw, &nv, &owner));
    hwk_tpm_free(raw);
    ERR_clear_error();
    test_dir_drop(state);
    generation = 0;
}

/* What was altered on its way to be defined is none of ours, and is named. */
static bool is_no_anchor(void)
{
    struct run_result seen = act(RUN_OPEN);
    if (seen.rc == IDV_OK)
        return false;
    if (seen.rc != IDV_E_REJECT || !strstr(seen.note, "NV index 0x01800A0") ||
        bus.talk->last != TPM2_CC_NV_DefineSpace)
        fail_msg("%s: left behind: %s: %s", done(), idv_rc_name(seen.rc),
                 seen.note);
    return true;
}

/* A failure is looked into, and may turn out to have been none. */
static void none_or_meant(const struct run_result *r)
{
    const bool said = r->opened && r->state != IDV_TRUST_NONE;
    const bool is = !is_no_anchor() && imprinted();
    if (r->opened && !r->unsure && said != is)
        fail_msg("%s: said %s, is %s", done(), said ? "imprinted" : "none",
                 is ? "imprinted" : "none");
    if (r->rc == IDV_OK && (!is || !r->pinned))
        fail_msg("%s: believed", done());
}

static const struct deed imprint = {"imprint", RUN_IMPRINT, blank,
                                    none_or_meant};

static void imprints(void **arg)
{
    struct tally t = {0};
    (void)arg;
    need_tpm();
    each(&imprint, &t);
}

/* --- reset
 * --------------------------------------------------------------------
 */

static void gone_or_as_it_was(const struct run_result *r)
{
    const bool is = imprinted();
    if (r->rc == IDV_OK && is)
        fail_msg("%s: said to be gone, is there", done());
}

static const struct deed reset = {"reset", RUN_RESET, sealed,
                                  gone_or_as_it_was};

static void resets(void **arg)
{
    struct tally t = {0};
    (void)arg;
    need_tpm();
    each(&reset, &t);
}

/* --- always, and for good ---------------------------------------------------
 */

static void always(bus_fn *fn, uint32_t one, uint32_t other)
{
    struct bus_talk *talk = bus.talk;
    unsigned way = 0;
    while (ways[way].fn != fn)
        way++;
    talk->nth = 0;
    talk->at = 0;
    talk->always[0] = one;
    talk->always[1] = other;
    talk->way = way;
}

/* His own key where the salt key is: he would know every session's. */
static void another_salt_key(void **arg)
{
    (void)arg;
    need_tpm();
    sealed();
    always(forge, TPM2_CC_ReadPublic, TPM2_CC_ReadPublic);
    struct run_result r = through(RUN_OPEN, salt_key);
    assert_true(bus.talk->struck > 0);
    assert_int_equal(r.rc, IDV_E_DEVICE);
    assert_non_null(strstr(r.note, "salt-key"));
    bus.talk->way = WAYS;
    found_it_or_nothing(&r);
    blank();
    always(forge, TPM2_CC_ReadPublic, TPM2_CC_ReadPublic);
    r = through(RUN_IMPRINT, salt_key);
    assert_int_equal(r.rc, IDV_E_DEVICE);
    assert_non_null(strstr(r.note, "salt-key"));
    bus.talk->way = WAYS;
    assert_false(imprinted());
}

/* What there is is denied: the files tell. */
static void denied(void **arg)
{
    (void)arg;
    need_tpm();
    sealed();
    always(refuse, TPM2_CC_NV_ReadPublic, TPM2_CC_NV_ReadPublic);
    bus.talk->at = 2; /* there is no such index */
    struct run_result r = through(RUN_OPEN, salt_key);
    assert_int_equal(r.rc, IDV_E_REJECT);
    assert_non_null(strstr(r.note, "tampered: the anchor is gone"));
    bus.talk->way = WAYS;
    found_it_or_nothing(&r);
}

/* What the TPM says of its resets is shown, and decides nothing. */
static void facts_made_up(void **arg)
{
    (void)arg;
    need_tpm();
    for (size_t at = 1; at < 8; at++) {
        blank();
        always(flip, TPM2_CC_ReadClock, TPM2_CC_ReadClock);
        bus.talk->at = at;
        struct run_result r = through(RUN_IMPRINT, salt_key);
        assert_true(bus.talk->struck > 0);
        if (r.rc != IDV_OK)
            names_the_tpm(&r);
        none_or_meant(&r);
    }
    bus.talk->way = WAYS;
}

/* A reset that the TPM is never told of: who resets is deceived, and the next
 * start is not. */
static void reset_kept_from_the_tpm(void **arg)
{
    (void)arg;
    need_tpm();
    sealed();
    learn(RUN_RESET);
    sealed();
    always(older_withheld, TPM2_CC_NV_Increment, TPM2_CC_NV_UndefineSpace);
    struct run_result r = through(RUN_RESET, salt_key);
    assert_true(bus.talk->struck > 1);
    assert_int_equal(r.rc, IDV_OK);
    bus.talk->way = WAYS;
    r = act(RUN_OPEN);
    assert_int_equal(r.rc, IDV_E_REJECT);
    assert_non_null(strstr(r.note, "tampered"));
    succeeds(RUN_WIPE);
    assert_false(imprinted());
    generation = 0;
}

/* --- who only listens --------------------------------------------------------
 */

/* Nothing of the record, which says whose the device is. */
static void record_is_not_heard(void **arg)
{
    static const enum run_act acts[] = {RUN_IMPRINT, RUN_OPEN};
    static const char voucher[] = "the sealed voucher";
    static const uint8_t counter[] = {0x01, 0x80, 0x0A, 0x00};
    uint8_t pin[32], sealed_voucher[32];
    (void)arg;
    need_tpm();
    IDV_AUTO(buf) cert = {0};
    OK(idv_cert_to_der(pki.domain_ca.cert, &cert));
    SHA256(cert.p, cert.n, pin);
    SHA256((const uint8_t *)voucher, strlen(voucher), sealed_voucher);
    blank();
    for (size_t i = 0; i < 2; i++) {
        listened(acts[i]);
        assert_true(bus_heard(&bus, counter, sizeof(counter)));
        assert_false(bus_heard(&bus, "IDTA", 4));
        assert_false(bus_heard(&bus, pin, sizeof(pin)));
        assert_false(bus_heard(&bus, sealed_voucher, sizeof(sealed_voucher)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_is_not_heard),
        cmocka_unit_test(another_salt_key),
        cmocka_unit_test(denied),
        cmocka_unit_test(facts_made_up),
        cmocka_unit_test(reset_kept_from_the_tpm),
        cmocka_unit_test(checks),
        cmocka_unit_test(imprints),
        cmocka_unit_test(resets),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
