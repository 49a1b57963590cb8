/* SPDX-License-Identifier: Apache-2.0 */
/* The profile "token" in a real SoftHSM2: refused or killed at every Cryptoki
 * call of imprint and reset, and then always as before or as wanted; and its
 * files put back, which nobody notices. */
#include "tests/unit/codec.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>

#include <openssl/sha.h>

#include <idevid/key.h>
#include <idevid/trust.h>
#include <idevid/x509.h>

#include "provider/device.h"
#include "tests/lib/p11_shim.h"
#include "tests/lib/pki.h"
#include "tests/lib/softhsm.h"

#define UNIT "pkcs11:token=unit"
#define CALLS_MAX 400 /* of one operation */

static struct pki pki;
static char dir[64];
static bool have;

/* asked by LeakSanitizer: children end in the middle of what they do */
static int is_child;
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return is_child;
}

/* --- files ---------------------------------------------------------------- */

#define SHELL(...)                                                             \
    do {                                                                       \
        char command_[512];                                                    \
        snprintf(command_, sizeof(command_), __VA_ARGS__);                     \
        assert_int_equal(system(command_), 0);                                 \
    } while (0)

/* token and state directory together: what a backup of the disk has */
static void save(const char *name)
{
    SHELL("rm -rf '%s/%s' && cp -a '%s/now' '%s/%s'", dir, name, dir, dir,
          name);
}

static void restore(const char *name)
{
    SHELL("rm -rf '%s/now' && cp -a '%s/%s' '%s/now'", dir, dir, name, dir);
}

/* --- a process that uses the token ---------------------------------------- */

struct use {
    struct p11shim *shim;
    struct idv_device *device;
    struct idv_trust *trust;
};

static bool answer(void *arg, const char *what, char *out, size_t max,
                   size_t *n)
{
    (void)arg, (void)what, (void)max;
    memcpy(out, "1234", *n = 4);
    return true;
}
static const struct idv_pin pin = {answer, NULL};

static idv_rc begin(struct use *u)
{
    char path[256];
    p11shim_control_fn *control;
    const char *top = getenv("top_builddir");
    snprintf(path, sizeof(path), "%s/.libs/p11shim.so", top ? top : ".");
    const struct idv_provider_conf conf = {.pkcs11_module = path};
    void *dl = dlopen(path, RTLD_NOW);
    if (!dl)
        return IDV_E_IO;
    *(void **)(void *)&control = dlsym(dl, "p11shim_control");
    u->shim = control();
    IDV_TRY(idv_provider_setup(hwk_provider_init, &conf));
    return idv_device_open(UNIT, &pin, &u->device);
}

static idv_rc open_trust(struct use *u)
{
    char state[96];
    snprintf(state, sizeof(state), "%s/now/state", dir);
    struct idv_trust_conf conf = {.dir = state, .env = &pki.env.env};
    IDV_TRY(idv_anchor_open(u->device, NULL, &conf.anchor));
    return idv_trust_open(&conf, &u->trust);
}

static idv_rc imprint(struct use *u, X509 *cert)
{
    struct idv_pinned p = {.kind = IDV_PIN_CERT, .cert = cert};
    IDV_TRY(idv_key_fingerprint(X509_get0_pubkey(cert), p.spki_sha256));
    SHA256((const uint8_t *)"voucher", 7, p.voucher_sha256);
    return idv_trust_imprint(u->trust, &p, idv_str("voucher"));
}

static idv_rc imprint_now(struct use *u)
{
    return imprint(u, pki.domain_ca.cert);
}

static idv_rc reset_now(struct use *u)
{
    return idv_trust_reset(u->trust);
}

/* what a child says by its exit code */
enum said {
    SAID_DONE,
    SAID_FAILED,     /* the operation, in peace */
    SAID_NOT_CUT,    /* it has not so many calls */
    SAID_NONE = 10,  /* and an imprint went well then */
    SAID_IMPRINTED,  /* as wanted, and a reset went well then */
    SAID_OTHER,      /* imprinted otherwise */
    SAID_WRONG = 20, /* it cannot even be opened */
    SAID_STUCK,      /* opened, and it does not go on */
    SAID_UNSURE,     /* a success that is none */
    SAID_KILLED = 99,
};

static int run(int (*what)(struct use *u, int k), int k)
{
    struct use u = {0};
    int status;
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        is_child = 1;
        signal(SIGSEGV, SIG_DFL);
        _exit(what(&u, k));
    }
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return SAID_KILLED;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* --- what they do --------------------------------------------------------- */

static int make_device(struct use *u, int k)
{
    const struct idv_cert_spec spec = {
        .kind = IDV_CERT_IDEVID,
        .serial_number = PKI_SERIAL,
        .not_before = PKI_NOW - PKI_DAY,
    };
    IDV_AUTO(buf) der = {0};
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;
    (void)k;
    if (begin(u) != IDV_OK ||
        idv_key_make(UNIT ";object=idevid;id=%01", &pin, IDV_KEY_P256,
                     IDV_KEY_SIGN, &key) != IDV_OK ||
        idv_cert_issue(&spec, key, pki.maker_ca.cert, pki.maker_ca.key,
                       &pki.env.env, &cert) != IDV_OK ||
        idv_cert_to_der(cert, &der) != IDV_OK ||
        idv_device_write(u->device, UNIT ";object=idevid;id=%01;type=cert",
                         idv_view(&der), 0) != IDV_OK) {
        fprintf(stderr, "# %s\n", idv_note());
        return SAID_FAILED;
    }
    return SAID_DONE;
}

static struct {
    idv_rc (*op)(struct use *u);
    enum p11shim_cut cut;
    unsigned long rv;
} now;

/* the operation, cut at its k-th call; 0: not */
static int operate(struct use *u, int k)
{
    if (begin(u) != IDV_OK || open_trust(u) != IDV_OK)
        return SAID_WRONG;
    const int before = u->shim->calls;
    u->shim->cut = now.cut;
    u->shim->cut_rv = now.rv;
    u->shim->cut_at = k ? before + k : 0;
    const idv_rc rc = now.op(u);
    if (u->shim->calls - before < k)
        return SAID_NOT_CUT;
    if (rc == IDV_OK && idv_trust_unsure(u->trust))
        return SAID_UNSURE;
    return rc == IDV_OK ? SAID_DONE : SAID_FAILED;
}

/* The next process: what it finds, and whether life goes on. */
static int resume(struct use *u, int k)
{
    (void)k;
    if (begin(u) != IDV_OK || open_trust(u) != IDV_OK) {
        fprintf(stderr, "# %s\n", idv_note());
        return SAID_WRONG;
    }
    if (idv_trust_state(u->trust) == IDV_TRUST_NONE)
        return imprint_now(u) == IDV_OK ? SAID_NONE : SAID_STUCK;
    if (X509_cmp(idv_trust_pin(u->trust), pki.domain_ca.cert) != 0)
        return SAID_OTHER;
    return idv_trust_reset(u->trust) == IDV_OK ? SAID_IMPRINTED : SAID_STUCK;
}

/* only looks */
static int observe(struct use *u, int generation)
{
    if (begin(u) != IDV_OK || open_trust(u) != IDV_OK)
        return SAID_WRONG;
    if (idv_trust_state(u->trust) == IDV_TRUST_NONE)
        return SAID_NONE;
    if (strcmp(idv_trust_assurance(u->trust), "none") != 0 ||
        idv_trust_generation(u->trust) != (uint64_t)generation)
        return SAID_WRONG;
    return X509_cmp(idv_trust_pin(u->trust), pki.domain_ca.cert) == 0
               ? SAID_IMPRINTED
               : SAID_OTHER;
}

static idv_rc imprint_maker(struct use *u) /* another owner */
{
    return imprint(u, pki.maker_ca.cert);
}

/* --- set-up --------------------------------------------------------------- */

static int setup(void **state)
{
    char tokens[96];
    (void)state;
    test_dir(dir);
    unsetenv("HWKEY_PIN");
    unsetenv("HWKEY_PIN_FILE");
    if (!softhsm_module())
        return 0;
    pki_make(&pki);
    snprintf(tokens, sizeof(tokens), "%s/now/token", dir);
    SHELL("mkdir -p '%s'", tokens);
    assert_true(softhsm_use(dir, tokens) && softhsm_token("unit"));
    setenv("P11SHIM_REAL", softhsm_module(), 1);
    assert_int_equal(run(make_device, 0), SAID_DONE);
    save("fresh");
    now.op = imprint_now;
    assert_int_equal(run(operate, 0), SAID_DONE);
    save("sealed");
    have = true;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (have)
        pki_free(&pki);
    SHELL("rm -rf '%s'", dir);
    return 0;
}

#define NEED()                                                                 \
    do {                                                                       \
        (void)state;                                                           \
        if (!have)                                                             \
            skip();                                                            \
    } while (0)

/* --- cut ------------------------------------------------------------------ */

/* old and new are what resume says of the state before and after */
static int cut_at(const char *from, int k, enum said old, enum said new)
{
    restore(from);
    const int said = run(operate, k);
    if (said == SAID_NOT_CUT)
        return said;
    if (said != SAID_DONE && said != SAID_FAILED && said != SAID_KILLED)
        fail_msg("call %d: the process said %d", k, said);
    const int found = run(resume, 0);
    if (found != (int)new && (said == SAID_DONE || found != (int)old))
        fail_msg("call %d: %d, and then %d", k, said, found);
    return said;
}

static void cut_everywhere(idv_rc (*op)(struct use *), const char *from,
                           enum p11shim_cut cut, enum said old, enum said new)
{
    int k, n = 0;
    now.op = op;
    now.cut = cut;
    /* CKR_FUNCTION_FAILED ends it; after CKR_DEVICE_ERROR it is tried again */
    now.rv = cut == P11SHIM_LATE ? 0x30 : 0x06;
    for (k = 1; k < CALLS_MAX; k++) {
        const int said = cut_at(from, k, old, new);
        if (said == SAID_NOT_CUT)
            break;
        n += said == SAID_KILLED || said == SAID_FAILED;
    }
    assert_in_range(k, 10, CALLS_MAX - 1);
    print_message("# %d calls, %d of them stopped it\n", k - 1, n);
    now.cut = P11SHIM_UNCUT;
}

#define CUT(name, op, from, cut, old, new)                                     \
    static void name(void **state)                                             \
    {                                                                          \
        NEED();                                                                \
        cut_everywhere(op, from, cut, old, new);                               \
    }
CUT(imprint_killed, imprint_now, "fresh", P11SHIM_KILLED, SAID_NONE,
    SAID_IMPRINTED)
CUT(imprint_refused, imprint_now, "fresh", P11SHIM_REFUSED, SAID_NONE,
    SAID_IMPRINTED)
CUT(imprint_answer_lost, imprint_now, "fresh", P11SHIM_LATE, SAID_NONE,
    SAID_IMPRINTED)
CUT(reset_killed, reset_now, "sealed", P11SHIM_KILLED, SAID_IMPRINTED,
    SAID_NONE)
CUT(reset_refused, reset_now, "sealed", P11SHIM_REFUSED, SAID_IMPRINTED,
    SAID_NONE)
CUT(reset_answer_lost, reset_now, "sealed", P11SHIM_LATE, SAID_IMPRINTED,
    SAID_NONE)

/* --- put back ------------------------------------------------------------- */

/* The limit of a token that is files, as the manual has it: with the disk of
 * before, an owner of before is back, and nothing says so. */
static void files_put_back(void **state)
{
    NEED();
    restore("sealed");
    assert_int_equal(run(observe, 1), SAID_IMPRINTED);
    now.op = reset_now;
    assert_int_equal(run(operate, 0), SAID_DONE);
    assert_int_equal(run(observe, 0), SAID_NONE);
    now.op = imprint_maker;
    assert_int_equal(run(operate, 0), SAID_DONE);
    assert_int_equal(run(observe, 2), SAID_OTHER);
    save("second");
    restore("sealed");
    assert_int_equal(run(observe, 1), SAID_IMPRINTED);
    /* of one directory alone it is noticed, whichever it is */
    SHELL("rm -rf '%s/now/state' && cp -a '%s/second/state' '%s/now/state'",
          dir, dir, dir);
    assert_int_equal(run(observe, 1), SAID_WRONG);
    restore("second");
    SHELL("rm -rf '%s/now/state' && cp -a '%s/sealed/state' '%s/now/state'",
          dir, dir, dir);
    assert_int_equal(run(observe, 2), SAID_WRONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imprint_killed),
        cmocka_unit_test(imprint_refused),
        cmocka_unit_test(imprint_answer_lost),
        cmocka_unit_test(reset_killed),
        cmocka_unit_test(reset_refused),
        cmocka_unit_test(reset_answer_lost),
        cmocka_unit_test(files_put_back),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
