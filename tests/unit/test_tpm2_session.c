/* SPDX-License-Identifier: Apache-2.0 */
/* What sessions cost and how long they live: without a resource manager one
 * command, behind tpm2-abrmd (in the program's name) as long as the line. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "provider/device/tpm2_caps.h"
#include "provider/device/tpm2_object.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_template.h"
#include "tests/lib/abrmd.h"
#include "tpm.h"

#define NONE3 ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE
#define SRK_AT 0x81000001
#define PIN_AT 0x81020301
#define OPEN_AT 0x81020302
#define RSA_AT 0x81020303

static struct abrmd device;
static bool managed;
static struct hwk_config cfg; /* of t */
static struct hwk_tpm *t;     /* the program that uses it */

static const uint8_t digest[32] = "a digest of thirty-two bytes ...";

/* --- the TPM and what is in it --- */

static void keep(TPM2_HANDLE at, const struct hwk_spec *spec, const char *pin)
{
    struct hwk_tpm_key *key = tpm_make(at, spec, pin);
    assert_non_null(key);
    hwk_tpm_key_free(tpm, key);
}

static void keep_srk(bool rsa)
{
    TPM2B_PUBLIC template;
    ESYS_TR tr, kept, session;
    assert_non_null(hwk_tpm_begin(tpm));
    hwk_tpm_template_default(rsa, &template);
    struct hwk_tpm_object *o =
        hwk_tpm_object_primary(tpm, TPM2_RH_OWNER, NULL, &template);
    assert_non_null(o);
    assert_true(hwk_tpm_object_tr(tpm, o, &tr));
    assert_true(hwk_tpm_authorize(tpm, ESYS_TR_RH_OWNER, NULL,
                                  HWK_TPM_NO_SECRET, &session));
    assert_int_equal(Esys_EvictControl(tpm->esys, ESYS_TR_RH_OWNER, tr, session,
                                       ESYS_TR_NONE, ESYS_TR_NONE, SRK_AT,
                                       &kept),
                     0);
    assert_false(hwk_tpm_again(tpm, 0));
    Esys_TR_Close(tpm->esys, &kept);
    hwk_tpm_object_close(tpm, o);
    hwk_tpm_end(tpm);
}

static void sign_with(struct hwk_tpm *by, struct hwk_tpm_key *key, int ok)
{
    const struct hwk_mech mech = {.type = HWK_KEY_EC, .md = HWK_MD_SHA256};
    struct hwk_pub pub;
    uint8_t sig[64];
    size_t n = sizeof(sig);
    assert_int_equal(hwk_tpm_sign(by, key, &mech, digest, 32, sig, &n), ok);
    if (!ok)
        return;
    assert_true(hwk_tpm_public(&key->object->pub, &pub));
    assert_true(tpm_verify(&pub, &mech, digest, 32, sig, n));
}

static struct hwk_tpm_key *open_key(struct hwk_tpm *by, TPM2_HANDLE at,
                                    const char *query)
{
    char uri[96];
    struct hwk_found f;
    snprintf(uri, sizeof(uri), "tpm2:handle=0x%08x%s", at, query);
    assert_true(tpm_find_in(by, uri, HWK_WANT_PRIVATE, &f));
    assert_non_null(f.ref);
    return f.ref;
}

static int setup(void **arg)
{
    const struct hwk_spec ec = tpm_ec(256, HWK_USAGE_SIGN);
    const struct hwk_spec rsa = tpm_rsa(2048, HWK_USAGE_DECRYPT);
    (void)arg;
    if (managed ? !abrmd_here() : !swtpm_here())
        return 0;
    if (managed ? abrmd_start(&device) : swtpm_start(&device.tpm))
        return -1;
    tpm_cfg =
        (struct hwk_config){.tcti = managed ? device.tcti : device.tpm.tcti,
                            .tpm_lock = device.tpm.lock};
    assert_non_null(tpm = hwk_tpm_new(&tpm_cfg));
    assert_int_equal(tpm->sharing == HWK_TPM_MANAGED, managed);
    keep(PIN_AT, &ec, "1234");
    keep(OPEN_AT, &ec, NULL);
    keep(RSA_AT, &rsa, NULL);
    /* an algorithm is tested before its first use: asked twice then */
    struct hwk_tpm_key *key = open_key(tpm, PIN_AT, "?pin-value=1234");
    sign_with(tpm, key, 1);
    hwk_tpm_key_free(tpm, key);
    return 0;
}

static int teardown(void **arg)
{
    (void)arg;
    hwk_tpm_set_fault(NULL, NULL);
    hwk_tpm_free(tpm);
    abrmd_stop(&device);
    return 0;
}

static void begin(enum hwk_protect protect)
{
    cfg = tpm_cfg;
    cfg.tpm_sessions = protect;
    assert_non_null(t = hwk_tpm_new(&cfg));
}

/* transient objects and sessions, loaded or saved, of anybody but tpm */
static size_t in_the_tpm(void)
{
    static const TPM2_HANDLE ranges[] = {HWK_TPM_TRANSIENT, HWK_TPM_SESSIONS,
                                         TPM2_ACTIVE_SESSION_FIRST};
    char lock[200];
    size_t n = 0;
    hwk_tpm_free(tpm);
    snprintf(lock, sizeof(lock), "%s.look", device.tpm.lock);
    const struct hwk_config past = {.tcti = device.tpm.tcti, .tpm_lock = lock};
    struct hwk_tpm *direct = hwk_tpm_new(&past);
    assert_non_null(hwk_tpm_begin(direct));
    for (size_t i = 0; i < 3; i++)
        assert_true(hwk_tpm_handles(direct, ranges[i], tpm_count_one, &n));
    hwk_tpm_end(direct);
    hwk_tpm_free(direct);
    assert_non_null(tpm = hwk_tpm_new(&tpm_cfg));
    return n;
}

static size_t others; /* what a manager that was ended has left there */

static void end(void)
{
    hwk_tpm_free(t);
    t = NULL;
    ERR_clear_error();
    /* the manager hears of the end of a line a moment later */
    for (int i = 0; managed && i < 5000 && in_the_tpm() > others; i++)
        poll(NULL, 0, 1);
    assert_int_equal(in_the_tpm(), others);
}

/* --- what they cost --- */

static void costs(TPM2_HANDLE at, const char *query, unsigned first,
                  unsigned later)
{
    struct hwk_tpm_key *key = open_key(t, at, query);
    for (int i = 0; i < 3; i++) {
        unsigned long long before = tpm_commands();
        sign_with(t, key, 1);
        assert_int_equal(tpm_commands() - before, i == 0 ? first : later);
    }
    hwk_tpm_key_free(t, key);
}

static void without_srk(void **arg)
{
    (void)arg;
    need_tpm();
    begin(HWK_PROTECT_AUTO);
    costs(OPEN_AT, "", 1, 1);
    assert_int_equal(t->sessions.hmac.tr, ESYS_TR_NONE);
    /* ReadPublic, CreatePrimary, StartAuthSession, FlushContext, Sign */
    costs(PIN_AT, "?pin-value=1234", 5, managed ? 1 : 4);
    costs(OPEN_AT, "", 1, 1);
    end();
}

static void with_srk(void **arg)
{
    (void)arg;
    need_tpm();
    keep_srk(false);
    begin(HWK_PROTECT_AUTO);
    /* ReadPublic, StartAuthSession, Sign */
    costs(PIN_AT, "?pin-value=1234", 3, managed ? 1 : 2);
    costs(OPEN_AT, "", 1, 1);
    end();
    begin(HWK_PROTECT_ALWAYS);
    costs(OPEN_AT, "", 3, managed ? 1 : 2);
    end();
    begin(HWK_PROTECT_NEVER);
    costs(PIN_AT, "?pin-value=1234", 1, 1);
    end();
}

/* a secret result takes a session, whatever the key's auth value */
static void secret_result(void **arg)
{
    const struct hwk_mech mech = {.type = HWK_KEY_RSA, .pad = HWK_PAD_NONE};
    uint8_t block[256] = {0}, out[256];
    size_t n;
    (void)arg;
    need_tpm();
    block[255] = 2;
    begin(HWK_PROTECT_AUTO);
    struct hwk_tpm_key *key = open_key(t, RSA_AT, "");
    for (int i = 0; i < 3; i++) {
        unsigned long long before = tpm_commands();
        n = sizeof(out);
        assert_true(hwk_tpm_decrypt(t, key, &mech, block, 256, out, &n));
        assert_int_equal(tpm_commands() - before, i == 0 ? 3 : managed ? 1 : 2);
    }
    hwk_tpm_key_free(t, key);
    end();
}

/* --- when they are lost --- */

/* somebody flushed it */
static void flushed(void **arg)
{
    TPM2_HANDLE handle;
    (void)arg;
    need_tpm();
    begin(HWK_PROTECT_AUTO);
    struct hwk_tpm_key *key = open_key(t, PIN_AT, "?pin-value=1234");
    sign_with(t, key, 1);
    assert_non_null(hwk_tpm_begin(t));
    assert_int_equal(
        Esys_TR_GetTpmHandle(t->esys, t->sessions.hmac.tr, &handle), 0);
    assert_int_equal(hwk_tpm_tcti_flush(t->tcti, handle), 0);
    hwk_tpm_end(t);
    sign_with(t, key, 1);
    unsigned long long before = tpm_commands();
    sign_with(t, key, 1);
    assert_int_equal(tpm_commands() - before, 1);
    hwk_tpm_key_free(t, key);
    end();
}

struct fault {
    TPM2_CC code;
    TSS2_RC rc;
    int times, seen;
};

static TSS2_RC refuse(void *arg, bool sent, TPM2_CC code)
{
    struct fault *f = arg;
    if (sent || code != f->code)
        return 0;
    f->seen++;
    return f->times-- > 0 ? f->rc : 0;
}

static void lost(void **arg)
{
    static const TSS2_RC codes[] = {TPM2_RC_REFERENCE_S0,
                                    TPM2_RC_HANDLE | TPM2_RC_S | TPM2_RC_1,
                                    TPM2_RC_CONTEXT_GAP};
    (void)arg;
    need_tpm();
    begin(HWK_PROTECT_AUTO);
    struct hwk_tpm_key *key = open_key(t, PIN_AT, "?pin-value=1234");
    for (size_t i = 0; i < 3; i++) {
        struct fault f = {TPM2_CC_Sign, codes[i], 1, 0};
        hwk_tpm_set_fault(refuse, &f);
        sign_with(t, key, 1);
        assert_int_equal(f.seen, 2);
    }
    hwk_tpm_set_fault(NULL, NULL);
    sign_with(t, key, 1);
    hwk_tpm_key_free(t, key);
    end();
}

/* the manager, or the TPM itself, was started again */
static void restarted(void **arg)
{
    (void)arg;
    need_tpm();
    begin(HWK_PROTECT_AUTO);
    struct hwk_tpm_key *key = open_key(t, PIN_AT, "?pin-value=1234");
    sign_with(t, key, 1);
    assert_int_equal(managed ? abrmd_cycle(&device) : swtpm_cycle(&device.tpm),
                     0);
    others = in_the_tpm();
    sign_with(t, key, 1);
    unsigned long long before = tpm_commands();
    sign_with(t, key, 1);
    assert_int_equal(tpm_commands() - before, managed ? 1 : 2);
    hwk_tpm_key_free(t, key);
    end();
}

/* again and again: not for ever, and not the PIN's fault */
static void lost_for_good(void **arg)
{
    struct fault f = {TPM2_CC_Sign, TPM2_RC_HANDLE | TPM2_RC_S | TPM2_RC_1, 99,
                      0};
    (void)arg;
    need_tpm();
    begin(HWK_PROTECT_AUTO);
    struct hwk_tpm_key *key = open_key(t, PIN_AT, "?pin-value=1234");
    hwk_tpm_set_fault(refuse, &f);
    sign_with(t, key, 0);
    assert_int_not_equal(tpm_reason(), HWK_R_PIN_INCORRECT);
    assert_in_range(f.seen, 2, 3);
    hwk_tpm_set_fault(NULL, NULL);
    sign_with(t, key, 1);
    hwk_tpm_key_free(t, key);
    end();
}

/* no room for a session: one of ours that nobody needs now makes some */
static void no_room(void **arg)
{
    struct fault f = {TPM2_CC_StartAuthSession, TPM2_RC_SESSION_MEMORY, 1, 0};
    ESYS_TR policy;
    (void)arg;
    need_tpm();
    begin(HWK_PROTECT_AUTO);
    struct hwk_tpm_key *key = open_key(t, PIN_AT, "?pin-value=1234");
    sign_with(t, key, 1);
    hwk_tpm_set_fault(refuse, &f);
    assert_non_null(hwk_tpm_begin(t));
    /* the salt key is looked at anew, or one that we keep goes */
    assert_true(hwk_tpm_policy_session(t, TPM2_ALG_SHA256, true, &policy));
    assert_int_equal(f.seen, 2);
    assert_int_equal(t->sessions.hmac.tr, ESYS_TR_NONE);
    hwk_tpm_end(t);
    f = (struct fault){TPM2_CC_StartAuthSession, TPM2_RC_SESSION_MEMORY, 9, 0};
    assert_non_null(hwk_tpm_begin(t));
    ESYS_TR session;
    assert_false(hwk_tpm_authorize(t, ESYS_TR_RH_NULL, NULL,
                                   HWK_TPM_SECRET_SENT, &session));
    assert_true(f.seen <= 2);
    hwk_tpm_end(t);
    const char *data;
    ERR_peek_last_error_all(NULL, NULL, NULL, &data, NULL);
    assert_non_null(strstr(data, "slots for sessions"));
    hwk_tpm_set_fault(NULL, NULL);
    sign_with(t, key, 1);
    hwk_tpm_key_free(t, key);
    end();
}

/* tpm2-abrmd gives each of its clients four */
static void limit(void **arg)
{
    const TPMT_SYM_DEF none = {.algorithm = TPM2_ALG_NULL};
    ESYS_TR other[3], policy;
    (void)arg;
    need_tpm();
    begin(HWK_PROTECT_AUTO);
    struct hwk_tpm_key *key = open_key(t, PIN_AT, "?pin-value=1234");
    sign_with(t, key, 1);
    ESYS_CONTEXT *esys = hwk_tpm_begin(t);
    assert_non_null(esys);
    for (int i = 0; i < 3; i++)
        assert_int_equal(Esys_StartAuthSession(esys, ESYS_TR_NONE, ESYS_TR_NONE,
                                               NONE3, NULL, TPM2_SE_HMAC, &none,
                                               TPM2_ALG_SHA256, &other[i]),
                         0);
    assert_true(hwk_tpm_policy_session(t, TPM2_ALG_SHA256, true, &policy));
    assert_ptr_equal(t->esys, esys);
    hwk_tpm_end(t);
    sign_with(t, key, 1);
    hwk_tpm_key_free(t, key);
    end();
}

/* --- with others --- */

/* what was refused leaves the session as it was */
static void wrong_pin(void **arg)
{
    (void)arg;
    need_tpm();
    begin(HWK_PROTECT_AUTO);
    struct hwk_tpm_key *right = open_key(t, PIN_AT, "?pin-value=1234");
    struct hwk_tpm_key *wrong = open_key(t, PIN_AT, "?pin-value=12345");
    sign_with(t, right, 1);
    sign_with(t, wrong, 0);
    assert_int_equal(tpm_reason(), HWK_R_PIN_INCORRECT);
    unsigned long long before = tpm_commands();
    sign_with(t, right, 1);
    assert_int_equal(tpm_commands() - before, managed ? 1 : 2);
    hwk_tpm_key_free(t, right);
    hwk_tpm_key_free(t, wrong);
    end();
}

/* a child's is its own, and the parent's stays good */
static void forked(void **arg)
{
    int status;
    (void)arg;
    need_tpm();
    begin(HWK_PROTECT_AUTO);
    struct hwk_tpm_key *key = open_key(t, PIN_AT, "?pin-value=1234");
    sign_with(t, key, 1);
    pid_t pid = fork();
    if (pid == 0) {
        hwk_tpm_forked(t);
        if (!hwk_tpm_renew(t))
            _exit(1);
        sign_with(t, key, 1);
        sign_with(t, key, 1);
        hwk_tpm_key_free(t, key);
        hwk_tpm_free(t);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    unsigned long long before = tpm_commands();
    sign_with(t, key, 1);
    assert_int_equal(tpm_commands() - before, managed ? 1 : 2);
    hwk_tpm_key_free(t, key);
    end();
}

static TSS2_RC die(void *arg, bool sent, TPM2_CC code)
{
    if (!sent && code == *(const TPM2_CC *)arg)
        _exit(7);
    return 0;
}

/* in the middle of it: the next to come finds what was left */
static void killed(void **arg)
{
    static const TPM2_CC at[] = {TPM2_CC_StartAuthSession, TPM2_CC_Sign,
                                 TPM2_CC_PolicyAuthValue};
    ESYS_TR session;
    int status;
    (void)arg;
    need_tpm();
    for (size_t i = 0; i < 3; i++) {
        begin(HWK_PROTECT_AUTO);
        pid_t pid = fork();
        if (pid == 0) {
            TPM2_CC code = at[i];
            struct hwk_tpm_key *key = open_key(t, PIN_AT, "?pin-value=1234");
            hwk_tpm_set_fault(die, &code);
            if (code == TPM2_CC_PolicyAuthValue && hwk_tpm_begin(t) &&
                hwk_tpm_policy_session(t, TPM2_ALG_SHA256, true, &session))
                Esys_PolicyAuthValue(t->esys, session, NONE3);
            sign_with(t, key, 1);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), 7);
        struct hwk_tpm_key *key = open_key(t, PIN_AT, "?pin-value=1234");
        sign_with(t, key, 1);
        hwk_tpm_key_free(t, key);
        end();
    }
}

/* another key is where the one was that we remember */
static void another_srk(void **arg)
{
    (void)arg;
    need_tpm();
    begin(HWK_PROTECT_AUTO);
    struct hwk_tpm_key *key = open_key(t, PIN_AT, "?pin-value=1234");
    sign_with(t, key, 1);
    for (int rsa = 1; rsa >= 0; rsa--) {
        assert_true(hwk_tpm_erase(tpm, SRK_AT));
        keep_srk(rsa);
        assert_non_null(hwk_tpm_begin(t));
        if (t->sessions.hmac.tr != ESYS_TR_NONE)
            hwk_tpm_flush(t, &t->sessions.hmac.tr);
        hwk_tpm_end(t);
        sign_with(t, key, 1);
        unsigned long long before = tpm_commands();
        sign_with(t, key, 1);
        assert_int_equal(tpm_commands() - before, managed ? 1 : 2);
    }
    hwk_tpm_key_free(t, key);
    end();
}

/* --- policy sessions --- */

/* a primary key for which PolicyAuthValue has to be satisfied */
static struct hwk_tpm_object *policy_key(void)
{
    static const uint8_t policy[] = {
        /* H(0... || TPM_CC_PolicyAuthValue) */
        0x8f, 0xcd, 0x21, 0x69, 0xab, 0x92, 0x69, 0x4e, 0x0c, 0x63, 0x3f,
        0x1a, 0xb7, 0x72, 0x84, 0x2b, 0x82, 0x41, 0xbb, 0xc2, 0x02, 0x88,
        0x98, 0x1f, 0xc7, 0xac, 0x1e, 0xdd, 0xc1, 0xfd, 0xdb, 0x0e};
    const struct hwk_tpm_kind kind = {TPM2_ALG_ECC, TPM2_ECC_NIST_P256, 0};
    TPM2B_PUBLIC template;
    tpm_template_sign(&kind, &template);
    template.publicArea.objectAttributes &=
        ~(TPMA_OBJECT)TPMA_OBJECT_USERWITHAUTH;
    template.publicArea.authPolicy.size = sizeof(policy);
    memcpy(template.publicArea.authPolicy.buffer, policy, sizeof(policy));
    return hwk_tpm_object_primary(t, TPM2_RH_OWNER, NULL, &template);
}

/* the policy satisfied and used: what it cost, 0 when it failed */
static unsigned long long by_policy(struct hwk_tpm_object *o,
                                    const struct hwk_secret *auth)
{
    const TPM2B_DIGEST d = {.size = 32};
    const TPMT_SIG_SCHEME scheme = {.scheme = TPM2_ALG_ECDSA,
                                    .details.ecdsa.hashAlg = TPM2_ALG_SHA256};
    const TPMT_TK_HASHCHECK ticket = {.tag = TPM2_ST_HASHCHECK,
                                      .hierarchy = TPM2_RH_NULL};
    TPMT_SIGNATURE *sig = NULL;
    ESYS_TR tr, session;
    TSS2_RC rc;
    assert_non_null(hwk_tpm_begin(t));
    assert_true(hwk_tpm_object_tr(t, o, &tr));
    unsigned long long before = tpm_commands();
    do {
        assert_true(hwk_tpm_policy_session(t, TPM2_ALG_SHA256, true, &session));
        rc = Esys_PolicyAuthValue(t->esys, session, NONE3);
        if (rc == 0 && hwk_tpm_policy_authorize(t, tr, auth, 0))
            rc = Esys_Sign(t->esys, tr, session, ESYS_TR_NONE, ESYS_TR_NONE, &d,
                           &scheme, &ticket, &sig);
    } while (hwk_tpm_again(t, rc));
    unsigned long long n = tpm_commands() - before;
    hwk_tpm_end(t);
    Esys_Free(sig);
    return rc == 0 ? n : 0;
}

static void policies(void **arg)
{
    struct hwk_secret *wrong = hwk_secret_new("wrong", 5);
    TPM2_HANDLE handle;
    ESYS_TR session;
    (void)arg;
    need_tpm();
    begin(HWK_PROTECT_AUTO);
    assert_non_null(hwk_tpm_begin(t));
    struct hwk_tpm_object *o = policy_key();
    assert_non_null(o);
    hwk_tpm_end(t);
    /* ReadPublic of the salt key, StartAuthSession, PolicyAuthValue, Sign */
    assert_int_equal(by_policy(o, NULL), 4);
    assert_int_equal(by_policy(o, NULL), managed ? 2 : 3);
    assert_int_equal(by_policy(o, wrong), 0);
    /* after a failure PolicyRestart */
    assert_int_equal(by_policy(o, NULL), 3);
    assert_int_equal(by_policy(o, NULL), managed ? 2 : 3);
    /* begun and given up */
    assert_non_null(hwk_tpm_begin(t));
    assert_true(hwk_tpm_policy_session(t, TPM2_ALG_SHA256, true, &session));
    assert_int_equal(Esys_PolicyAuthValue(t->esys, session, NONE3), 0);
    hwk_tpm_end(t);
    assert_int_equal(by_policy(o, NULL), 3);
    /* another digest is another session */
    assert_non_null(hwk_tpm_begin(t));
    assert_true(hwk_tpm_policy_session(t, TPM2_ALG_SHA384, true, &session));
    assert_int_equal(t->sessions.policy.alg, TPM2_ALG_SHA384);
    hwk_tpm_end(t);
    assert_true(by_policy(o, NULL) > 0);
    if (managed) { /* lost */
        assert_non_null(hwk_tpm_begin(t));
        assert_int_equal(
            Esys_TR_GetTpmHandle(t->esys, t->sessions.policy.tr, &handle), 0);
        assert_int_equal(hwk_tpm_tcti_flush(t->tcti, handle), 0);
        hwk_tpm_end(t);
        assert_true(by_policy(o, NULL) > 0);
    }
    assert_non_null(hwk_tpm_begin(t));
    hwk_tpm_object_close(t, o);
    hwk_tpm_end(t);
    hwk_secret_free(wrong);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_srk),
        cmocka_unit_test(with_srk),
        cmocka_unit_test(secret_result),
        cmocka_unit_test(lost),
        cmocka_unit_test(lost_for_good),
        cmocka_unit_test(restarted),
        cmocka_unit_test(no_room),
        cmocka_unit_test(wrong_pin),
        cmocka_unit_test(forked),
        cmocka_unit_test(killed),
        cmocka_unit_test(another_srk),
        cmocka_unit_test(policies),
        /* of sessions that are kept */
        cmocka_unit_test(flushed),
        cmocka_unit_test(limit),
    };
    size_t n = sizeof(tests) / sizeof(*tests);
    managed = strstr(program_invocation_short_name, "abrmd") != NULL;
    return _cmocka_run_group_tests("tests", tests, managed ? n : n - 2, setup,
                                   teardown);
}
