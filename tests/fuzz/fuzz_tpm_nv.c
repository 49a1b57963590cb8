/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM's answers to what is done with NV indices through device.h. */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_tpm.h"

#define NV (hwk_backend_tpm2.nv)
#define COUNTER 0x01800A00
#define RECORD 0x01800A01
#define OWNER 0x40000001
#define PLATFORM 0x4000000C
#define SHA256 0x000b

static const uint8_t one[8] = {0, 0, 0, 0, 0, 0, 0, 1};
static const uint8_t digest[32] = {7};
static const uint8_t other[32] = {8};

/* PolicyNV, PolicyPCR, PolicyOR, PolicyCommandCode, PolicyCpHash, PolicySecret:
 * nothing that an index has, but each is executed */
static const struct hwk_policy_step steps[] = {
    {.code = 0x149, .handle = COUNTER, .operand = {one, 8}, .op = 7},
    {.code = 0x17f, .pcrs = 1u << 16},
    {.code = 0x151, .handle = PLATFORM},
    {.code = 0x16c, .command = 0x137},
    {.code = 0x16e, .operand = {digest, 32}},
    {.code = 0x171, .branches = {{digest, 32}, {other, 32}}, .branches_n = 2}};
static const struct hwk_nv_by owner = {.handle = OWNER};
static const struct hwk_nv_by policy = {.steps = steps, .n = 5};
static const struct hwk_nv_by branches = {.steps = steps + 5, .n = 1};

static struct hwk_nv index_of(uint32_t index, uint32_t attributes, uint16_t n)
{
    return (struct hwk_nv){.index = index,
                           .attributes = attributes,
                           .name_alg = SHA256,
                           .size = n};
}

/* what the TPM says that it is; otherwise as it was */
static void look(void *state, struct hwk_nv *nv)
{
    struct hwk_nv seen;

    if (!fuzz_said(NV->look(state, nv->index, &seen)))
        return;
    PROMISE(seen.index == nv->index);
    PROMISE(seen.policy_n <= sizeof(seen.policy));
    PROMISE(seen.name_n > 2 && seen.name_n <= sizeof(seen.name));
    *nv = seen;
}

static void read_it(void *state, const struct hwk_nv *nv)
{
    static uint8_t out[65536];

    fuzz_said(NV->read(state, nv, out));
    fuzz_said(NV->read_last(state, nv, out));
    fuzz_said(NV->peek(state, nv, out));
}

static void certify(const struct hwk_config *cfg, void *state,
                    const struct hwk_nv *nv, const char *text)
{
    static struct hwk_attested out;
    struct hwk_uri uri;

    PROMISE(hwk_uri_parse(text, &uri));
    const struct hwk_pin_ask ask = {.cfg = cfg, .uri = &uri};
    if (fuzz_said(NV->certify(state, &uri, &ask, nv,
                              (struct hwk_view){digest, 32}, &out))) {
        PROMISE(out.attest_n <= sizeof(out.attest));
        PROMISE(out.sig_n <= sizeof(out.sig));
        PROMISE(out.pub_n <= sizeof(out.pub));
        PROMISE(memcmp(out.attest, "\xffTCG", 4) == 0);
    }
    hwk_uri_clear(&uri);
}

static void counter(const struct hwk_config *cfg, void *state)
{
    struct hwk_nv nv = index_of(COUNTER, 0x02060012, 8);

    fuzz_said(NV->define(state, &nv, OWNER));
    look(state, &nv);
    fuzz_said(NV->increment(state, &nv, &owner));
    look(state, &nv);
    if (fuzz_said(NV->enter(state))) {
        read_it(state, &nv);
        read_it(state, &nv);
        NV->leave(state);
    }
    certify(cfg, state, &nv, "tpm2:handle=0x81010001");
    certify(cfg, state, &nv, "tpm2:handle=0x81010001?pin-value=1234");
}

static void record(void *state)
{
    struct hwk_nv nv = index_of(RECORD, 0x0206300a, 112);
    static const uint8_t data[112] = {1, 2, 3};

    nv.policy_n = 32;
    fuzz_said(NV->define(state, &nv, OWNER));
    look(state, &nv);
    fuzz_said(NV->write(state, &nv, &policy, data, sizeof(data)));
    fuzz_said(NV->write(state, &nv, &branches, data, sizeof(data)));
    fuzz_said(NV->write(state, &nv, &owner, data, sizeof(data)));
    look(state, &nv);
    fuzz_said(NV->lock(state, &nv, &owner));
    look(state, &nv);
    read_it(state, &nv);
    fuzz_said(NV->undefine(state, &nv, &owner));
}

void fuzz_tpm_nv(const struct hwk_config *cfg, void *state)
{
    struct hwk_tpm_facts facts;
    struct hwk_nv nv = index_of(COUNTER, 0x02060012, 8);
    uint8_t out[32];

    fuzz_said(NV->facts(state, HWK_FACTS_STATE | HWK_FACTS_CLOCK, &facts));
    fuzz_said(NV->pcr_read(state, 0x00ffffff, out));
    fuzz_said(NV->pcr_extend(state, 16, digest));
    counter(cfg, state);
    record(state);
    fuzz_said(NV->undefine(state, &nv, &owner));
}
