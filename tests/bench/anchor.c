/* SPDX-License-Identifier: Apache-2.0 */
/* What the sealed anchor costs: TPM commands of its life, by their names, and
 * its time against that of the same commands by ESYS. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tss2/tss2_tpm2_types.h>

#include <idevid/auto.h>
#include <idevid/evidence.h>
#include <idevid/key.h>

#include "provider/device.h"
#include "tests/bench/anchor.h"
#include "tests/bench/bench.h"
#include "tests/bench/count.h"
#include "tests/lib/paper.h"

#define LOGICAL 15
#define LISTED 7
#define CHECK (4 + 3) /* two looks and two reads, and the session's */
#define IAK "tpm2:handle=0x81020010"

/* Without the logical ones there is no seal of this kind; the others prove
 * something, or clean up: each says what for. */
static const struct {
    uint32_t code;
    const char *name, *why; /* NULL: logical */
} commands[] = {
    {TPM2_CC_NV_DefineSpace, "NV_DefineSpace", NULL},
    {TPM2_CC_NV_Write, "NV_Write", NULL},
    {TPM2_CC_NV_WriteLock, "NV_WriteLock", NULL},
    {TPM2_CC_NV_Increment, "NV_Increment", NULL},
    {TPM2_CC_StartAuthSession, "StartAuthSession for a policy", NULL},
    {TPM2_CC_PolicyRestart, "PolicyRestart", NULL},
    {TPM2_CC_PolicyNV, "PolicyNV", NULL},
    {TPM2_CC_PolicyOR, "PolicyOR", NULL},
    {TPM2_CC_PolicyPCR, "PolicyPCR", NULL},
    {TPM2_CC_PolicyCpHash, "PolicyCpHash", NULL},
    {TPM2_CC_PolicyCommandCode, "PolicyCommandCode", NULL},
    {TPM2_CC_PolicyAuthorize, "PolicyAuthorize", NULL},
    {TPM2_CC_LoadExternal, "LoadExternal", NULL},
    {TPM2_CC_VerifySignature, "VerifySignature", NULL},
    {TPM2_CC_PCR_Extend, "PCR_Extend", NULL},
    {TPM2_CC_NV_UndefineSpace, "NV_UndefineSpace", NULL},
    {TPM2_CC_NV_Certify, "NV_Certify", NULL},
    {TPM2_CC_Sign, "Sign", NULL},
    {TPM2_CC_StartAuthSession | BENCH_HMAC, "StartAuthSession for HMACs",
     "salted; what is read cannot be forged on the way"},
    {TPM2_CC_FlushContext, "FlushContext", "the end of a session or object"},
    {TPM2_CC_NV_ReadPublic, "NV_ReadPublic",
     "what is at that place, if anything"},
    {TPM2_CC_NV_Read, "NV_Read", "generation; record and fuse read back"},
    {TPM2_CC_ReadPublic, "ReadPublic",
     "whose key it is, or which one salts sessions"},
    {TPM2_CC_ReadClock, "ReadClock", "the reset count: when the cap falls"},
    {TPM2_CC_PCR_Read, "PCR_Read", "the gate as it is now"},
    {TPM2_CC_GetCapability, "GetCapability",
     "what state the TPM or its keys are in"},
    {0, "others", "not known to this table"},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static size_t row_of(uint32_t code)
{
    size_t i = 0;

    while (i < COMMANDS - 1 && commands[i].code != code)
        i++;
    return i;
}

/* --- figures -------------------------------------------------------------- */

struct figures {
    const struct options *o;
    const char *where;
    bool managed;
    uint64_t from; /* the first command that counts */
};

static void begin(struct figures *f)
{
    f->from = bench_calls();
}

static void say(const struct figures *f, const char *name, double n,
                double limit)
{
    report_promise(f->o, f->where, name, "commands", n, limit, false);
}

static void say_all(const struct figures *f, const char *name, double limit)
{
    say(f, name, (double)(bench_calls() - f->from), limit);
}

/* how many of each there were since begin; how many of them logical */
static unsigned tally(const struct figures *f, unsigned n[COMMANDS])
{
    uint64_t i, to = bench_calls();
    unsigned logical = 0;

    memset(n, 0, COMMANDS * sizeof(*n));
    for (i = f->from; i < to; i++) {
        size_t row = row_of(bench_code(i));

        n[row]++;
        logical += commands[row].why == NULL;
    }
    return logical;
}

static void list(const unsigned n[COMMANDS], bool logical)
{
    size_t i;

    for (i = 0; i < COMMANDS; i++)
        if (n[i] > 0 && (commands[i].why == NULL) == logical)
            printf("    %u %s%s%s\n", n[i], commands[i].name,
                   logical ? "" : ": ", logical ? "" : commands[i].why);
}

static void say_split(const struct figures *f, const char *name, double logical,
                      double listed)
{
    unsigned n[COMMANDS], is = tally(f, n);
    char text[64];

    snprintf(text, sizeof(text), "%s, logical", name);
    say(f, text, is, logical);
    list(n, true);
    snprintf(text, sizeof(text), "%s, besides", name);
    say(f, text, (double)(bench_calls() - f->from) - is, listed);
    list(n, false);
}

/* --- the life ------------------------------------------------------------- */

static int imprint(struct life *l, struct figures *f)
{
    struct word w;
    int ok = life_start(l) && life_word(l, &w);

    if (!ok)
        return 0;
    begin(f);
    ok = life_imprint(l, &w);
    life_word_free(&w);
    return ok;
}

/* which command of a reset ends the record, from 1 */
static double safe_after(const struct figures *f)
{
    uint64_t i = f->from, to = bench_calls();

    while (i < to && bench_code(i) != TPM2_CC_NV_Increment)
        i++;
    return (double)(i - f->from + 1);
}

static int reset(struct life *l, struct figures *f)
{
    begin(f);
    if (!life_reset(l))
        return 0;
    say(f, "anchor: reset, until it is safe", safe_after(f), 1);
    say_all(f, "anchor: reset, in all", PROMISE_NONE);
    return 1;
}

static int check(struct life *l, struct figures *f, const char *name,
                 double limit)
{
    begin(f);
    if (!life_start(l))
        return 0;
    say_all(f, name, limit);
    return 1;
}

static int sign(EVP_PKEY *key, struct figures *f)
{
    IDV_AUTO_PTR(EVP_MD_CTX) c = EVP_MD_CTX_new();
    unsigned char sig[128];
    size_t n = sizeof(sig);

    begin(f);
    return c != NULL &&
           EVP_DigestSignInit_ex(c, NULL, "SHA256", NULL, NULL, key, NULL) ==
               1 &&
           EVP_DigestSign(c, sig, &n, (const unsigned char *)"what", 4) == 1;
}

/* an LDevID key that dies with the anchor; promised behind a manager, where
 * its session outlives the signature */
static int bound_key(struct life *l, struct figures *f)
{
    IDV_AUTO(buf) policy = {0};
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    char path[1100];
    unsigned n[COMMANDS];

    snprintf(path, sizeof(path), "%s/bound.pem", l->dir);
    if (!DONE(idv_record_key_policy(idv_trust_record(l->trust),
                                    IDV_ANCHOR_TPM2_INDEX,
                                    IDV_ANCHOR_TPM2_COUNTER, &policy)) ||
        !DONE(idv_key_make_file(path, IDV_KEY_P256, (const char *)policy.p,
                                &key)))
        return 0;
    if (!sign(key, f))
        return bench_fail("bound key, the first time");
    say_all(f, "anchor: sign, bound LDevID key, the first time",
            f->managed ? 4 : PROMISE_NONE);
    if (!sign(key, f))
        return bench_fail("bound key");
    say_all(f, "anchor: sign, bound LDevID key", f->managed ? 3 : PROMISE_NONE);
    tally(f, n);
    list(n, true);
    list(n, false);
    return 1;
}

/* --- evidence ------------------------------------------------------------- */

static EVP_PKEY *restricted_key(void)
{
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(NULL, "EC", "provider=hwkey");
    EVP_PKEY *key = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_URI, (char *)(uintptr_t)IAK,
                               sizeof(IAK) - 1),
        OSSL_PARAM_utf8_string("group", (char *)(uintptr_t) "P-256", 5),
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_RESTRICTED,
                               (char *)(uintptr_t) "yes", 3),
        OSSL_PARAM_utf8_string(HWK_PARAM_KEY_SCHEME,
                               (char *)(uintptr_t) "ecdsa", 5),
        OSSL_PARAM_END};

    if (ctx == NULL || EVP_PKEY_keygen_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_params(ctx, params) != 1 ||
        EVP_PKEY_generate(ctx, &key) != 1)
        bench_fail("no restricted key");
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static int make_evidence(struct life *l, struct figures *f,
                         const struct paper_pki *signer)
{
    static const uint8_t nonce[20] = "a verifier's nonce .";
    struct idv_evidence_request request;
    struct idv_evidence e = {0};
    int ok;

    if (!DONE(idv_evidence_request_of(l->trust, &request)))
        return 0;
    request.key_uri = IAK;
    request.chain = signer->chain;
    request.nonce = idv_bytes(nonce, sizeof(nonce));
    begin(f);
    ok = DONE(idv_evidence_make(l->dev, &request, &e));
    if (ok)
        say_split(f, "anchor: evidence", PROMISE_NONE, PROMISE_NONE);
    idv_evidence_free(&e);
    return ok;
}

static int evidence(struct life *l, struct figures *f)
{
    struct paper_pki signer;
    EVP_PKEY *key = restricted_key();
    int ok;

    if (key == NULL)
        return 0;
    paper_pki_make_for(&signer, key, PAPER_EKU);
    ok = make_evidence(l, f, &signer);
    paper_pki_free(&signer);
    return DONE(idv_device_erase(l->dev, IAK)) && ok;
}

/* --- both profiles -------------------------------------------------------- */

static int owner_first(struct life *l, struct figures *f)
{
    if (!imprint(l, f))
        return 0;
    if (bench_calls() == f->from)
        return bench_fail("no command was counted");
    say_split(f, "anchor: first imprint", LOGICAL, LISTED);
    return life_reset(l);
}

static int owner_imprint(struct life *l, struct figures *f)
{
    if (!imprint(l, f))
        return 0;
    say_split(f, "anchor: imprint", LOGICAL, LISTED);
    return 1;
}

/* with a PCR that gates it and one that caps it */
static int owner_gated(struct life *l, struct figures *f)
{
    const struct idv_anchor_conf plain = l->conf;
    int ok;

    l->conf.gate = 1u << 7;
    l->conf.cap = 1u << 14;
    ok = imprint(l, f);
    if (ok)
        say_split(f, "anchor: gated imprint", LOGICAL, LISTED);
    l->conf = plain;
    return ok && life_reset(l);
}

static int owner_check(struct life *l, struct figures *f)
{
    return check(l, f, "anchor: check at start", CHECK);
}

static int owner_life(struct life *l, struct figures *f)
{
    l->conf.profile = IDV_ANCHOR_AUTO;
    return check(l, f, "anchor: check at start, profile by the device",
                 CHECK) &&
           bound_key(l, f) && evidence(l, f) && reset(l, f);
}

/* The first time is not of interest. */
static int platform_first(struct life *l, struct figures *f)
{
    return life_factory(l) && imprint(l, f) && life_reset(l);
}

static int platform_imprint(struct life *l, struct figures *f)
{
    if (!imprint(l, f))
        return 0;
    say_split(f, "anchor, platform: imprint", PROMISE_NONE, LISTED);
    return 1;
}

static int platform_check(struct life *l, struct figures *f)
{
    return check(l, f, "anchor, platform: check at start", CHECK) &&
           life_reset(l);
}

static int clean(struct life *l, struct figures *f)
{
    (void)f;
    return life_clean(l);
}

/* Each part of a life is a program's first: no session is kept from before. */
typedef int part_fn(struct life *l, struct figures *f);
static int in_program(part_fn *part, struct life *l, struct figures *f)
{
    int status = 0;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        int ok = life_begin(l, true) && part(l, f);

        idv_device_close(l->dev); /* a manager is told */
        fflush(NULL);
        _exit(ok ? 0 : BENCH_ERROR);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static int in_programs(part_fn *const *parts, size_t n, struct life *l,
                       struct figures *f)
{
    size_t i;
    int ok = 1;

    for (i = 0; ok && i < n; i++)
        ok = in_program(parts[i], l, f);
    return in_program(clean, l, f) && ok;
}

int bench_anchor(const struct options *o, const char *where, bool managed)
{
    static part_fn *const owner[] = {owner_first, owner_gated, owner_imprint,
                                     owner_check, owner_life};
    static part_fn *const platform[] = {platform_first, platform_imprint,
                                        platform_check};
    struct figures f = {.o = o, .where = where, .managed = managed};
    struct life l;
    int ok = life_prepare(&l);

    printf("sealed anchor, %-37s %12s %8s\n", where, "measured", "promised");
    life_profile(&l, IDV_ANCHOR_OWNER);
    ok = ok && in_programs(owner, 5, &l, &f);
    life_profile(&l, IDV_ANCHOR_PLATFORM);
    ok = ok && in_programs(platform, 3, &l, &f);
    life_end(&l);
    printf("\n");
    return ok;
}
