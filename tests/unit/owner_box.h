/* SPDX-License-Identifier: Apache-2.0 */
/* A device with a software TPM, for tests of profile "owner". */
#ifndef TESTS_OWNER_BOX_H
#define TESTS_OWNER_BOX_H

#include "tests/unit/codec.h"

#include <openssl/sha.h>

#include <idevid/key.h>
#include <idevid/trust.h>

#include "provider/device/tpm2_public.h"
#include "tests/lib/pki.h"
#include "tests/unit/tpm_blob.h"
#include "trust/owner.h"
#include "trust/trust_priv.h"

#define COUNTER IDV_ANCHOR_TPM2_COUNTER
#define ANCHOR IDV_ANCHOR_TPM2_INDEX

static struct pki pki;
static struct idv_device *dev; /* NULL: swtpm is not here */

static inline int setup(void **state)
{
    (void)state;
    pki_make(&pki);
    if (!swtpm_here())
        return 0;
    if (tpm_setup(state) != 0)
        return -1;
    tpm_srk(); /* as manufacturers and operating systems leave it */
    hwk_tpm_free(tpm);
    tpm = NULL;
    setenv("HWKEY_TPM_LOCK", tpm_process.lock, 1);
    const struct idv_provider_conf conf = {.tpm2_tcti = tpm_process.tcti};
    if (idv_provider_setup(hwk_provider_init, &conf) != IDV_OK ||
        idv_device_open("tpm2:", NULL, &dev) != IDV_OK)
        return -1;
    return 0;
}

static inline int teardown(void **state)
{
    pki_free(&pki);
    if (!dev)
        return 0;
    idv_device_close(dev);
    tpm_teardown(state);
    return 0;
}

/* --- a device ------------------------------------------------------------- */

struct box {
    char dir[64], state[80];
    bool observe;
    struct idv_anchor_conf conf;
    struct idv_trust *trust;
};

static const struct hwk_nv_by owner = {.handle = IDVI_RH_OWNER};

static inline void undefine(uint32_t index)
{
    struct hwk_nv nv;
    bool found;
    OK(idvi_nv_look(dev, index, &found, &nv, NULL));
    if (found)
        OK(idvi_nv_undefine(dev, &nv, &owner, NULL));
}

static inline void box_init(struct box *b)
{
    memset(b, 0, sizeof(*b));
    idv_note_clear(); /* of a test that failed, as are these */
    undefine(ANCHOR);
    undefine(COUNTER);
    test_dir(b->dir);
    snprintf(b->state, sizeof(b->state), "%s/state", b->dir);
}

static inline void box_free(struct box *b)
{
    idv_trust_close(b->trust);
    test_dir_drop(b->dir);
    undefine(ANCHOR);
    undefine(COUNTER);
}
#define BOX(b)                                                                 \
    if (!dev)                                                                  \
        skip();                                                                \
    __attribute__((cleanup(box_free))) struct box b;                           \
    box_init(&b)

static inline idv_rc reopen(struct box *b)
{
    struct idv_trust_conf conf = {
        .dir = b->state, .env = &pki.env.env, .observe = b->observe};
    idv_trust_close(idv_steal(&b->trust));
    OK(idv_anchor_open(dev, &b->conf, &conf.anchor));
    idv_rc rc = idv_trust_open(&conf, &b->trust);
    idv_anchor_close(&conf.anchor);
    return rc;
}

static inline struct idv_pinned pinned(X509 *cert)
{
    struct idv_pinned p = {.kind = IDV_PIN_CERT, .cert = cert};
    OK(idv_key_fingerprint(X509_get0_pubkey(cert), p.spki_sha256));
    SHA256((const uint8_t *)"voucher", 7, p.voucher_sha256);
    return p;
}

static inline idv_rc imprint_for(struct box *b, X509 *cert)
{
    const struct idv_pinned p = pinned(cert);
    return idv_trust_imprint(b->trust, &p, idv_str("voucher"));
}

static inline idv_rc imprint(struct box *b)
{
    return imprint_for(b, pki.domain_ca.cert);
}

static inline char *path(const struct box *b, const char *name)
{
    static char p[128];
    snprintf(p, sizeof(p), "%s/%s", b->state, name);
    return p;
}

static inline uint64_t commands(void)
{
    struct idv_device_stats s;
    idv_device_stats(&s);
    return s.tpm_commands;
}

static inline uint64_t value(void)
{
    struct idvi_owner o = {
        .dev = dev, .anchor_at = ANCHOR, .count_at = COUNTER};
    struct idvi_owner_state s;
    OK(idvi_owner_look(&o, true, &s));
    return s.value;
}

static inline void increment(void)
{
    const struct idvi_owner o = {.count_at = COUNTER};
    const struct hwk_nv nv = idvi_owner_counter(&o);
    OK(idvi_nv_increment(dev, &nv, &owner, NULL));
}

static inline void define(uint32_t index, uint32_t attributes, uint16_t size,
                          const uint8_t *policy, struct hwk_nv *out)
{
    struct hwk_nv nv = {.index = index,
                        .attributes = attributes,
                        .name_alg = IDVI_ALG_SHA256,
                        .size = size,
                        .policy_n = policy ? 32 : 0};
    if (policy)
        memcpy(nv.policy, policy, 32);
    OK(idvi_nv_define(dev, &nv, IDVI_RH_OWNER, NULL));
    *out = nv;
}

static inline bool anchor_there(void)
{
    struct hwk_nv nv;
    bool found;
    OK(idvi_nv_look(dev, ANCHOR, &found, &nv, NULL));
    return found;
}

/* --- an imprint that was cut ------------------------------------------------
 */

enum step { COUNTED, DEFINED, WRITTEN, LOCKED, FUSED, CUT_STEPS };

/* An imprint as it is, files and TPM, when the power goes after that step. */
static inline void cut_imprint(struct box *b, enum step at, uint32_t gate,
                               struct idv_anchor_memo *memo)
{
    struct idvi_owner o = {
        .dev = dev, .anchor_at = ANCHOR, .count_at = COUNTER, .gate = gate};
    const struct idv_pinned p = pinned(pki.domain_ca.cert);
    uint8_t legs[2][32];
    IDV_AUTO(buf) pin = {0};
    struct idv_anchor a = {0};
    struct idv_record r;
    OK(idv_anchor_open(dev, &(struct idv_anchor_conf){.gate = gate}, &a));
    OK(a.ops->prepare(a.self, memo));
    idv_anchor_close(&a);
    OK(idvi_pin_record(&p, idv_str("voucher"), &pki.env.env, memo->generation,
                       &r, &pin));
    idv_record_to_bytes(&r, memo->record);
    OK(idv_fs_mkdir(b->state, 0700));
    OK(idvi_pending_write(b->state, idv_view(&pin), idv_str("voucher"), memo));
    struct hwk_nv nv = idvi_owner_anchor(&o, memo, legs);
    const struct hwk_policy_step steps[] = {
        {.code = IDVI_CC_POLICY_PCR, .pcrs = gate},
        {.code = IDVI_CC_POLICY_NV,
         .handle = COUNTER,
         .operand = {memo->record + 8, 8}},
        {.code = IDVI_CC_POLICY_OR,
         .branches = {{legs[0], 32}, {legs[1], 32}},
         .branches_n = 2}};
    const size_t skipped = gate ? 0 : 1;
    const struct hwk_nv_by by = {.steps = steps + skipped, .n = 3 - skipped};
    if (at >= DEFINED)
        OK(idvi_nv_define(dev, &nv, IDVI_RH_OWNER, NULL));
    if (at >= WRITTEN)
        OK(idvi_nv_write(dev, &nv, &by, idv_bytes(memo->record, 112), NULL));
    nv.attributes |= IDVI_NV_WRITTEN;
    if (at >= LOCKED)
        OK(idvi_nv_lock(dev, &nv, &by, NULL));
    if (at >= FUSED)
        increment();
}

#endif
