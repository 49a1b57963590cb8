/* SPDX-License-Identifier: Apache-2.0 */
/* What the calls for device identities refuse, by which name, and that nothing
 * is left in the TPM afterwards; by themselves and behind tpm2-abrmd. */
#include "config.h"

#include "provider/device/tpm2_ek.h"
#include "provider/device/tpm2_policy.h"
#include "tpm_devid.h"

static const uint8_t nonce[] = "what the desk asked, 32 bytes ..";
static const struct hwk_view asked = {nonce, 32};
static struct hwk_attested out;

/* --- a turn with all three keys --- */

static struct hwk_born ek, iak, idevid;

static void open_turn(void)
{
    uint32_t seen[8];
    size_t n = 8;
    assert_true(hwk_tpm_door.enter(tpm));
    assert_true(DEVID.indices(tpm, EK_FIRST, EK_LAST, seen, &n));
    ek = devid_make(HWK_DEVID_EK, NULL, EK_RSA);
    iak = devid_make(HWK_DEVID_IAK, "P-256", 0);
    idevid = devid_make(HWK_DEVID_IDEVID, "P-256", 0);
}

static void close_turn(void)
{
    hwk_tpm_door.leave(tpm);
    devid_clean();
}

static int activate(const struct hwk_born *what, const struct hwk_born *by,
                    struct hwk_view id, struct hwk_view seed)
{
    uint8_t got[64];
    size_t n = sizeof(got);
    return DEVID.activate(tpm, what, by, id, seed, got, &n);
}

/* --- credentials --- */

static void credential_of_others(void **state)
{
    (void)state;
    struct devid_credential c, other;
    uint8_t room[4];
    size_t n = sizeof(room);
    need_tpm();
    open_turn();
    devid_credential(&ek, &idevid, &c);
    door_refused(activate(&iak, &ek, c.id, c.seed), HWK_R_KEY,
                 "not for this EK and this key");
    devid_activates(&idevid, &ek, &c);
    c.blob[8 + 2 + 4]++;
    door_refused(activate(&idevid, &ek, c.id, c.seed), HWK_R_KEY, "altered");
    c.blob[8 + 2 + 4]--;
    c.blob[c.n - 1] ^= 1;
    door_refused(activate(&idevid, &ek, c.id, c.seed), HWK_R_KEY, "altered");
    c.blob[c.n - 1] ^= 1;
    c.id.n--;
    door_refused(activate(&idevid, &ek, c.id, c.seed), HWK_R_FORMAT,
                 "TPM2B_ID_OBJECT");
    c.id.n++;
    door_refused(DEVID.activate(tpm, &idevid, &ek, c.id, c.seed, room, &n),
                 HWK_R_ARGUMENT, "no room");
    assert_true(DEVID.drop(tpm, &ek));
    ek = devid_make(HWK_DEVID_EK, NULL, EK_P384);
    door_refused(activate(&idevid, &ek, c.id, c.seed), HWK_R_KEY, "not for");
    devid_credential(&ek, &idevid, &other);
    devid_activates(&idevid, &ek, &other);
    door_refused(activate(&idevid, &iak, other.id, other.seed), HWK_R_ARGUMENT,
                 "no EK");
    close_turn();
}

/* --- keys that are not for it --- */

static void keys_of_another_use(void **state)
{
    (void)state;
    static const uint8_t digest[48] = {1};
    const struct hwk_view d32 = {digest, 32}, d48 = {digest, 48};
    struct hwk_born gone;
    need_tpm();
    open_turn();
    door_refused(DEVID.sign(tpm, &iak, d32, &out), HWK_R_KEY, "an IDevID does");
    door_refused(DEVID.sign(tpm, &ek, d32, &out), HWK_R_KEY, "an IDevID does");
    door_refused(DEVID.sign(tpm, &idevid, d48, &out), HWK_R_ARGUMENT,
                 "48 bytes");
    door_refused(DEVID.certify(tpm, &iak, &idevid, asked, &out), HWK_R_KEY,
                 "restricted");
    door_refused(DEVID.certify_creation(tpm, &iak, &idevid, asked, &out),
                 HWK_R_KEY, "restricted");
    gone = idevid;
    assert_true(DEVID.drop(tpm, &idevid));
    door_refused(DEVID.sign(tpm, &gone, d32, &out), HWK_R_ARGUMENT,
                 "not loaded in this turn");
    gone = iak;
    hwk_tpm_door.leave(tpm);
    door_refused(DEVID.certify(tpm, &gone, &gone, asked, &out),
                 HWK_R_UNSUPPORTED, "between enter and leave");
    door_refused(DEVID.create(tpm, HWK_DEVID_IDEVID, "P-256", 0, 0, &gone),
                 HWK_R_UNSUPPORTED, "between enter and leave");
    assert_true(hwk_tpm_door.enter(tpm));
    door_refused(DEVID.certify(tpm, &gone, &gone, asked, &out), HWK_R_ARGUMENT,
                 "not loaded in this turn");
    door_refused(DEVID.create(tpm, HWK_DEVID_IAK, "P-224", 0, 0, &gone),
                 HWK_R_UNSUPPORTED, "P-224");
    door_refused(DEVID.create(tpm, HWK_DEVID_EK, NULL, 0x01c00008, 0, &gone),
                 HWK_R_UNSUPPORTED, "0x01c00008");
    close_turn();
}

/* --- keys that stay --- */

#define AT 0x81020000

static void keys_that_stay(void **state)
{
    (void)state;
    struct hwk_born found, another;
    struct devid_credential c;
    need_tpm();
    open_turn();
    assert_true(DEVID.keep(tpm, &idevid, AT));
    door_refused(DEVID.keep(tpm, &iak, AT), HWK_R_EXISTS, "0x81020000");
    door_refused(DEVID.keep(tpm, &iak, 0x81800000), HWK_R_ARGUMENT, "owner");
    assert_true(DEVID.drop(tpm, &idevid));
    assert_true(DEVID.create(tpm, HWK_DEVID_IDEVID, "P-256", 0, AT, &found));
    assert_false(found.fresh);
    assert_int_equal(found.handle, AT);
    assert_memory_equal(found.name, idevid.name, idevid.name_n);
    door_refused(DEVID.keep(tpm, &found, AT + 1), HWK_R_ARGUMENT, "already");
    door_refused(DEVID.certify_creation(tpm, &found, &iak, asked, &out),
                 HWK_R_ARGUMENT, "made in this turn");
    assert_true(DEVID.certify(tpm, &found, &iak, asked, &out));
    devid_signed(&iak, out.attest, out.attest_n, out.sig, out.sig_n);
    devid_credential(&ek, &found, &c);
    devid_activates(&found, &ek, &c);
    /* of another kind: what is there is left alone */
    assert_true(DEVID.drop(tpm, &iak));
    assert_true(DEVID.create(tpm, HWK_DEVID_IDEVID, "P-384", 0, AT, &another));
    assert_true(another.fresh);
    hwk_tpm_door.leave(tpm);
    assert_true(DEVID.keep(tpm, NULL, AT));
    door_refused(DEVID.keep(tpm, NULL, AT), HWK_R_NOT_FOUND, "0x81020000");
    devid_clean();
}

/* --- values of hierarchies --- */

static char value_file[160];

static const char *setting(void *arg, const char *name)
{
    return strcmp(name, arg) == 0 ? value_file : NULL;
}

/* pin-source.NAME gives value; NULL: nothing does */
static void configure(const char *name, const char *value)
{
    static char known[64];
    snprintf(value_file, sizeof(value_file), "%s/value", tpm_process.dir);
    if (value)
        devid_file("value", value, strlen(value));
    snprintf(known, sizeof(known), "pin-source.%s", name);
    tpm_cfg.get = value ? setting : NULL;
    tpm_cfg.get_arg = known;
}

static int set(uint32_t hierarchy, const char *value)
{
    return DEVID.set_auth(
        tpm, hierarchy,
        (struct hwk_view){(const uint8_t *)value, strlen(value)});
}

/* refused once, and then without a command */
#define REFUSED_ONCE(call, says)                                               \
    do {                                                                       \
        door_refused((call), HWK_R_AUTH, says);                                \
        unsigned long long before_ = tpm_commands();                           \
        door_refused((call), HWK_R_AUTH, says);                                \
        assert_int_equal(tpm_commands(), before_);                             \
    } while (0)

static void endorsement_has_a_value(void **state)
{
    (void)state;
    struct hwk_born b;
    struct devid_credential c;
    need_tpm();
    assert_true(set(TPM2_RH_ENDORSEMENT, "e-value"));
    assert_true(hwk_tpm_door.enter(tpm));
    REFUSED_ONCE(DEVID.create(tpm, HWK_DEVID_IAK, "P-256", 0, 0, &b),
                 "pin-source.endorsement");
    hwk_tpm_door.leave(tpm);
    configure("endorsement", "wrong");
    assert_true(hwk_tpm_door.enter(tpm));
    REFUSED_ONCE(DEVID.create(tpm, HWK_DEVID_IAK, "P-256", 0, 0, &b),
                 "pin-source.endorsement");
    hwk_tpm_door.leave(tpm);
    configure("endorsement", "e-value");
    open_turn();
    assert_true(DEVID.certify(tpm, &idevid, &iak, asked, &out));
    devid_credential(&ek, &iak, &c);
    devid_activates(&iak, &ek, &c);
    /* what a policy needs it for, too */
    configure("endorsement", "wrong");
    door_refused(DEVID.certify(tpm, &idevid, &iak, asked, &out), HWK_R_AUTH,
                 "secret(endorsement)");
    configure("endorsement", "e-value");
    hwk_tpm_door.leave(tpm);
    assert_true(set(TPM2_RH_ENDORSEMENT, ""));
    configure("endorsement", NULL);
    devid_clean();
}

static void owner_has_a_value(void **state)
{
    (void)state;
    need_tpm();
    assert_true(set(TPM2_RH_OWNER, "o-value"));
    configure("owner", "o-value");
    open_turn();
    assert_true(DEVID.keep(tpm, &idevid, AT));
    door_refused(DEVID.keep(tpm, &iak, AT), HWK_R_EXISTS, "0x81020000");
    configure("owner", NULL);
    REFUSED_ONCE(DEVID.keep(tpm, &iak, AT + 1), "pin-source.owner");
    hwk_tpm_door.leave(tpm);
    configure("owner", "o-value");
    assert_true(DEVID.keep(tpm, NULL, AT));
    door_refused(DEVID.keep(tpm, NULL, AT), HWK_R_NOT_FOUND, "0x81020000");
    assert_true(set(TPM2_RH_OWNER, ""));
    configure("owner", NULL);
    devid_clean();
}

static void lockout_has_a_value(void **state)
{
    (void)state;
    const struct hwk_lockout to = {31, 600, 86400}, back = {3, 1000, 1000};
    const struct hwk_view right = {(const uint8_t *)"l-value", 7};
    struct hwk_tpm_facts facts;
    need_tpm();
    assert_true(DEVID.set_lockout(tpm, &to, NULL));
    assert_true(set(TPM2_RH_LOCKOUT, "l-value"));
    assert_true(hwk_tpm_door.facts(tpm, HWK_FACTS_STATE, &facts));
    assert_true(facts.lockout_auth_set);
    assert_int_equal(facts.max_tries, 31);
    assert_int_equal(facts.recovery_s, 600);
    assert_true(DEVID.set_lockout(tpm, &back, &right));
    assert_true(hwk_tpm_door.facts(tpm, HWK_FACTS_STATE, &facts));
    assert_int_equal(facts.max_tries, 3);
    configure("lockout", "l-value");
    assert_true(DEVID.set_lockout(tpm, &to, NULL));
    assert_true(set(TPM2_RH_LOCKOUT, ""));
    configure("lockout", NULL);
    assert_true(hwk_tpm_door.facts(tpm, HWK_FACTS_STATE, &facts));
    assert_false(facts.lockout_auth_set);
    door_refused(set(TPM2_RH_NULL, "x"), HWK_R_ARGUMENT, "null");
    devid_clean();
    tpm_cfg.tpm_sessions = HWK_PROTECT_NEVER;
    door_refused(set(TPM2_RH_LOCKOUT, "x"), HWK_R_UNSUPPORTED, "encrypts");
    tpm_cfg.tpm_sessions = HWK_PROTECT_AUTO;
    devid_clean();
}

/* --- what others' programs see of it --- */

static int another_credential(void)
{
    struct devid_credential c;
    devid_credential(&ek, &idevid, &c);
    return activate(&iak, &ek, c.id, c.seed);
}

static int another_place(void)
{
    return DEVID.keep(tpm, &iak, AT);
}

static int no_place(void)
{
    return DEVID.keep(tpm, NULL, AT + 1);
}

/* by the value that the owner has no more */
static int another_value(void)
{
    configure("owner", "no value of his");
    int ok = set(TPM2_RH_OWNER, "x");
    configure("owner", "o-value");
    return ok;
}

/* refused, and nothing on stderr: ESYS would print it there */
static void in_silence(int (*call)(void))
{
    char path[160];
    snprintf(path, sizeof(path), "%s/stderr", tpm_process.dir);
    int kept = dup(STDERR_FILENO);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(kept >= 0 && file >= 0);
    assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
    int ok = call();
    off_t n = lseek(file, 0, SEEK_END);
    assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    close(kept);
    close(file);
    assert_false(ok);
    assert_true(tpm_reason() != 0);
    assert_int_equal(n, 0);
}

static void refusals_are_not_printed(void **state)
{
    (void)state;
    need_tpm();
    open_turn();
    assert_true(DEVID.keep(tpm, &idevid, AT));
    in_silence(another_credential);
    in_silence(another_place);
    in_silence(no_place);
    assert_true(set(TPM2_RH_OWNER, "o-value"));
    configure("owner", "o-value");
    in_silence(another_place); /* in a session */
    in_silence(another_value);
    hwk_tpm_door.leave(tpm);
    in_silence(no_place);
    assert_true(DEVID.keep(tpm, NULL, AT));
    assert_true(set(TPM2_RH_OWNER, ""));
    configure("owner", NULL);
    devid_clean();
}

/* --- cut lines --- */

static unsigned at, calls;
static bool after;

/* the line breaks before or after the at-th command */
static TSS2_RC cut(void *arg, bool sent, TPM2_CC code)
{
    (void)arg;
    (void)code;
    if (sent == after && ++calls == at)
        return TSS2_TCTI_RC_IO_ERROR;
    return TSS2_RC_SUCCESS;
}

static int whole(const struct devid_credential *c)
{
    struct hwk_born e, a, d;
    uint8_t got[64];
    size_t n = sizeof(got);
    if (!hwk_tpm_door.enter(tpm))
        return 0;
    int ok = DEVID.create(tpm, HWK_DEVID_EK, NULL, EK_RSA, 0, &e) &&
             DEVID.create(tpm, HWK_DEVID_IAK, "P-256", 0, 0, &a) &&
             DEVID.create(tpm, HWK_DEVID_IDEVID, "P-256", 0, 0, &d) &&
             DEVID.certify(tpm, &d, &a, asked, &out) &&
             DEVID.activate(tpm, &d, &e, c->id, c->seed, got, &n);
    hwk_tpm_door.leave(tpm);
    return ok;
}

static void cut_anywhere(void **state)
{
    (void)state;
    struct devid_credential c;
    need_tpm();
    open_turn();
    devid_credential(&ek, &idevid, &c);
    close_turn();
    for (int i = 0; i < 2; i++) {
        after = i;
        bool struck = true;
        for (at = 1; struck; at++) {
            assert_true(at < 64);
            calls = 0;
            hwk_tpm_set_fault(cut, NULL);
            int ok = whole(&c);
            struck = calls >= at;
            hwk_tpm_set_fault(NULL, NULL);
            assert_true(ok || struck);
            ERR_clear_error();
            devid_clean();
            assert_true(whole(&c));
            devid_clean();
        }
        assert_true(at > 20);
    }
}

/* --- in lockout --- */

static void in_lockout(void **state)
{
    (void)state;
    static const uint8_t digest[32] = {1};
    const struct hwk_lockout none = {0, 1000, 1000}, usual = {3, 1000, 1000};
    need_tpm();
    open_turn();
    assert_true(DEVID.set_lockout(tpm, &none, NULL));
    door_refused(DEVID.sign(tpm, &idevid, (struct hwk_view){digest, 32}, &out),
                 HWK_R_LOCKOUT, "lockout");
    door_refused(DEVID.certify_creation(tpm, &idevid, &iak, asked, &out),
                 HWK_R_LOCKOUT, "lockout");
    assert_true(DEVID.set_lockout(tpm, &usual, NULL));
    assert_true(DEVID.sign(tpm, &idevid, (struct hwk_view){digest, 32}, &out));
    close_turn();
}

/* --- indices --- */

static void indices(void **state)
{
    (void)state;
    uint32_t seen[2] = {0};
    size_t n = 2;
    need_tpm();
    assert_true(DEVID.indices(tpm, EK_RSA, EK_P384, seen, &n));
    assert_int_equal(n, 2);
    assert_int_equal(seen[0], EK_RSA);
    assert_int_equal(seen[1], EK_P384);
    assert_true(DEVID.indices(tpm, EK_RSA + 1, EK_P384, seen, &n));
    assert_int_equal(n, 1);
    door_refused(DEVID.indices(tpm, EK_FIRST, EK_LAST, seen, &n),
                 HWK_R_ARGUMENT, "more than 1");
    n = 2;
    assert_true(DEVID.indices(tpm, EK_P384 + 1, EK_LAST, seen, &n));
    assert_int_equal(n, 0);
    devid_clean();
}

/* --- templates of a TPM's own --- */

#define TEMPLATE_AT 0x01c00017 /* of the high range's P-384 */
#define NONCE_AT 0x01c00003    /* of the low range's RSA */
#define HELD                                                                   \
    (IDVI_NV_PPWRITE | IDVI_NV_PPREAD | IDVI_NV_OWNERREAD | IDVI_NV_AUTHREAD | \
     IDVI_NV_NO_DA | IDVI_NV_PLATFORMCREATE)

static void held(uint32_t index, const uint8_t *p, size_t n)
{
    struct hwk_nv nv = door_define(door_nv(index, HELD, (uint16_t)n, NULL));
    assert_true(hwk_tpm_door.write(tpm, &nv, &door_platform, p, n));
}

static struct hwk_born made_from(uint32_t cert)
{
    assert_true(hwk_tpm_door.enter(tpm));
    struct hwk_born b = devid_make(HWK_DEVID_EK, NULL, cert);
    hwk_tpm_door.leave(tpm);
    return b;
}

static void template_is_read(void **state)
{
    (void)state;
    TPM2B_PUBLIC t;
    struct hwk_born b, usual, mine;
    uint8_t p[sizeof(t)];
    size_t n = 0;
    need_tpm();
    usual = made_from(EK_P384);
    devid_is_cert(&usual, EK_P384);
    assert_true(hwk_tpm_ek_template(hwk_tpm_ek_at(EK_P384), NULL, 0, &t));
    t.publicArea.unique.ecc.x.size = 3;
    memcpy(t.publicArea.unique.ecc.x.buffer, "own", 3);
    assert_int_equal(
        Tss2_MU_TPMT_PUBLIC_Marshal(&t.publicArea, p, sizeof(p), &n), 0);
    held(TEMPLATE_AT, p, n);
    mine = made_from(EK_P384);
    assert_memory_not_equal(mine.name, usual.name, usual.name_n);
    door_remove(TEMPLATE_AT);
    /* a key that leaves its TPM is no endorsement key */
    p[7] &= (uint8_t)~TPMA_OBJECT_FIXEDTPM;
    held(TEMPLATE_AT, p, n);
    assert_true(hwk_tpm_door.enter(tpm));
    door_refused(DEVID.create(tpm, HWK_DEVID_EK, NULL, EK_P384, 0, &b),
                 HWK_R_FORMAT, "0x01c00017");
    hwk_tpm_door.leave(tpm);
    door_remove(TEMPLATE_AT);
    held(TEMPLATE_AT, (const uint8_t *)"none at all", 11);
    assert_true(hwk_tpm_door.enter(tpm));
    door_refused(DEVID.create(tpm, HWK_DEVID_EK, NULL, EK_P384, 0, &b),
                 HWK_R_FORMAT, "0x01c00017");
    hwk_tpm_door.leave(tpm);
    door_remove(TEMPLATE_AT);
    devid_clean();
}

static void nonce_is_read(void **state)
{
    (void)state;
    uint8_t p[257] = "a nonce";
    struct hwk_born b, usual, mine;
    need_tpm();
    usual = made_from(EK_RSA);
    held(NONCE_AT, p, 8);
    mine = made_from(EK_RSA);
    assert_memory_not_equal(mine.name, usual.name, usual.name_n);
    door_remove(NONCE_AT);
    held(NONCE_AT, p, sizeof(p));
    assert_true(hwk_tpm_door.enter(tpm));
    door_refused(DEVID.create(tpm, HWK_DEVID_EK, NULL, EK_RSA, 0, &b),
                 HWK_R_FORMAT, "0x01c00003");
    hwk_tpm_door.leave(tpm);
    door_remove(NONCE_AT);
    b = made_from(EK_RSA);
    assert_memory_equal(b.name, usual.name, usual.name_n);
    devid_clean();
}

/* PolicyA and PolicyB as the EK Credential Profile prints them */
static void policies_of_eks(void **state)
{
    (void)state;
    static const uint8_t b256[] = {
        0xca, 0x3d, 0x0a, 0x99, 0xa2, 0xb9, 0x39, 0x06, 0xf7, 0xa3, 0x34,
        0x24, 0x14, 0xef, 0xcf, 0xb3, 0xa3, 0x85, 0xd4, 0x4c, 0xd1, 0xfd,
        0x45, 0x90, 0x89, 0xd1, 0x9b, 0x50, 0x71, 0xc0, 0xb7, 0xa0};
    static const uint8_t a256[] = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84};
    TPM2B_DIGEST d;
    assert_true(hwk_tpm_policy_ek(TPM2_ALG_SHA256, true, NULL, &d));
    assert_int_equal(d.size, sizeof(b256));
    assert_memory_equal(d.buffer, b256, sizeof(b256));
    assert_true(hwk_tpm_policy_ek(TPM2_ALG_SHA256, false, NULL, &d));
    assert_memory_equal(d.buffer, a256, sizeof(a256));
    assert_false(hwk_tpm_policy_ek(TPM2_ALG_SHA1, true, NULL, &d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_of_eks),
        cmocka_unit_test(credential_of_others),
        cmocka_unit_test(keys_of_another_use),
        cmocka_unit_test(keys_that_stay),
        cmocka_unit_test(endorsement_has_a_value),
        cmocka_unit_test(owner_has_a_value),
        cmocka_unit_test(lockout_has_a_value),
        cmocka_unit_test(refusals_are_not_printed),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(in_lockout),
        cmocka_unit_test(indices),
        cmocka_unit_test(template_is_read),
        cmocka_unit_test(nonce_is_read),
    };
    return cmocka_run_group_tests(tests, devid_setup, tpm_teardown);
}
