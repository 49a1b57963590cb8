/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody on the bus can do to one command about the anchor, or to its
 * answer. */
#ifndef TESTS_UNIT_BUS_WAYS_H
#define TESTS_UNIT_BUS_WAYS_H

#include <string.h>

#include <tss2/tss2_mu.h>

#include <idevid/trust.h>

#include "provider/device/tpm2_nvpublic.h"
#include "provider/device/tpm2_salt.h"
#include "tests/lib/bus.h"
#include "trust/owner.h"

#define HEADER 10
#define COUNTER IDV_ANCHOR_TPM2_COUNTER
#define ANCHOR IDV_ANCHOR_TPM2_INDEX

/* --- messages --------------------------------------------------------------
 */

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* a header, which says no more than that */
static void say_only(uint32_t rc, uint8_t *p, size_t *n)
{
    memcpy(p, (uint8_t[2]){0x80, 0x01}, 2);
    put32(p + 2, HEADER);
    put32(p + 6, rc);
    *n = HEADER;
}

/* --- what can be done to them ----------------------------------------------
 */

/* One byte of an answer: its code, its parameters, its sessions. */
static void flip(struct bus_talk *talk, bool answer, uint32_t code, uint8_t *p,
                 size_t *n)
{
    (void)code;
    const size_t at = talk->at == 0 ? 9 : HEADER + talk->at * (*n - HEADER) / 8;
    if (!answer || at >= *n)
        return;
    p[at] ^= (uint8_t)(1u << talk->at % 8);
    talk->struck++;
}

/* The same of a command: its handles, its sessions, its parameters. */
static void flip_command(struct bus_talk *talk, bool answer, uint32_t code,
                         uint8_t *p, size_t *n)
{
    (void)code;
    const size_t at = HEADER + talk->at * (*n - HEADER) / 8;
    if (answer || at >= *n)
        return;
    p[at] ^= (uint8_t)(1u << talk->at % 8);
    talk->struck++;
}

/* An index that holds a sealed anchor, or a counter, where there is none; what
 * there is as if it were locked, or not. */
static void forge_index(struct bus_talk *talk, uint8_t *p, size_t *n)
{
    TPM2B_NV_PUBLIC pub = {.size = 0};
    TPM2B_NAME name;
    const bool counts = talk->asked == COUNTER;
    size_t at = HEADER, size = 2;
    if (get32(p + 6) == 0) {
        Tss2_MU_TPM2B_NV_PUBLIC_Unmarshal(p, *n, &at, &pub);
        pub.nvPublic.attributes ^= TPMA_NV_WRITELOCKED;
        pub.size = 0;
    } else {
        pub.nvPublic = (TPMS_NV_PUBLIC){
            .nvIndex = talk->asked,
            .nameAlg = TPM2_ALG_SHA256,
            .attributes = TPMA_NV_WRITTEN |
                          (counts ? IDVI_OWNER_COUNTER
                                  : IDVI_OWNER_ANCHOR | TPMA_NV_WRITELOCKED),
            .authPolicy.size = counts ? 0 : 32,
            .dataSize = counts ? 8 : IDV_RECORD_SIZE};
    }
    if (!hwk_tpm_nv_name(&pub.nvPublic, &name))
        return;
    say_only(0, p, n);
    at = HEADER;
    Tss2_MU_TPM2B_NV_PUBLIC_Marshal(&pub, p, BUS_MESSAGE_MAX, &at);
    Tss2_MU_TPM2B_NAME_Marshal(&name, p, BUS_MESSAGE_MAX, &at);
    Tss2_MU_UINT32_Marshal((UINT32)at, p, BUS_MESSAGE_MAX, &size);
    *n = at;
    talk->struck++;
}

/* A key of his own where the salt key is, with the Name that belongs to it. */
static void forge_key(struct bus_talk *talk, uint8_t *p, size_t *n)
{
    TPM2B_PUBLIC pub = {.size = 0};
    TPM2B_NAME name;
    size_t at = HEADER, size = 2;
    if (get32(p + 6) != 0 ||
        Tss2_MU_TPM2B_PUBLIC_Unmarshal(p, *n, &at, &pub) != 0)
        return;
    memcpy(pub.publicArea.unique.ecc.x.buffer, talk->instead, 32);
    memcpy(pub.publicArea.unique.ecc.y.buffer, talk->instead + 32, 32);
    pub.size = 0;
    if (!hwk_tpm_name(&pub, &name))
        return;
    at = HEADER;
    Tss2_MU_TPM2B_PUBLIC_Marshal(&pub, p, BUS_MESSAGE_MAX, &at);
    for (int i = 0; i < 2; i++)
        Tss2_MU_TPM2B_NAME_Marshal(&name, p, BUS_MESSAGE_MAX, &at);
    Tss2_MU_UINT32_Marshal((UINT32)at, p, BUS_MESSAGE_MAX, &size);
    *n = at;
    talk->struck++;
}

/* Another record or counter, in the clear, with no session to prove it. */
static void forge_content(struct bus_talk *talk, uint8_t *p, size_t *n)
{
    const size_t size = get32(p + 6) == 0 && p[1] == 2 ? get32(p + HEADER) : 0;
    if (size < 2 || size > *n - HEADER - 4)
        return;
    memmove(p + HEADER, p + HEADER + 4, size);
    memset(p + HEADER + 2, 0, size - 2);
    p[HEADER + size - 1] = 9;
    p[1] = 1;
    *n = HEADER + size;
    put32(p + 2, (uint32_t)*n);
    talk->struck++;
}

static void forge(struct bus_talk *talk, bool answer, uint32_t code, uint8_t *p,
                  size_t *n)
{
    if (!answer)
        return;
    if (code == TPM2_CC_NV_ReadPublic)
        forge_index(talk, p, n);
    else if (code == TPM2_CC_ReadPublic)
        forge_key(talk, p, n);
    else if (code == TPM2_CC_NV_Read)
        forge_content(talk, p, n);
}

/* What is defined is something that its owner may write. */
static void forge_command(struct bus_talk *talk, bool answer, uint32_t code,
                          uint8_t *p, size_t *n)
{
    if (answer || code != TPM2_CC_NV_DefineSpace || *n < HEADER + 8)
        return;
    const size_t at = HEADER + 8 + get32(p + HEADER + 4) + 2 + 2 + 4 + 2;
    if (at + 4 > *n)
        return;
    put32(p + at, get32(p + at) | TPMA_NV_OWNERWRITE);
    talk->struck++;
}

/* The answer of an earlier time to the same question. */
static void older(struct bus_talk *talk, bool answer, uint32_t code, uint8_t *p,
                  size_t *n)
{
    for (unsigned i = talk->kept_n; answer && i-- > 0;) {
        const struct bus_kept *k = &talk->kept[i];
        if (k->code != code || k->asked != talk->asked)
            continue;
        memcpy(p, k->p, *n = k->n);
        talk->struck++;
        return;
    }
}

static void withhold(struct bus_talk *talk, bool answer, size_t *n)
{
    (void)talk;
    if (!answer)
        *n = 0;
}

/* The same, and the TPM was not asked. */
static void older_withheld(struct bus_talk *talk, bool answer, uint32_t code,
                           uint8_t *p, size_t *n)
{
    withhold(talk, answer, n);
    older(talk, answer, code, p, n);
}

/* "It is done", with no session, with one of an empty value, or with one whose
 * key everybody knows. */
static void pretend(struct bus_talk *talk, bool answer, uint32_t code,
                    uint8_t *p, size_t *n)
{
    withhold(talk, answer, n);
    if (talk->at == 2) {
        talk->code = code;
        talk->handle = talk->asked;
        bus_pretend(talk, answer, code, p, n);
        return;
    }
    if (!answer)
        return;
    say_only(0, p, n);
    if (talk->at == 1) {
        *n = HEADER + 9;
        memset(p + HEADER, 0, 9);
        p[1] = 2;
        p[5] = (uint8_t)*n;
    }
    talk->struck++;
}

/* A refusal: that it failed, that there is no such thing, that a session's
 * HMAC was wrong; what was asked is done all the same, or not. */
static void refuse(struct bus_talk *talk, bool answer, uint32_t code,
                   uint8_t *p, size_t *n)
{
    static const uint32_t all[] = {TPM2_RC_FAILURE, TPM2_RC_HANDLE + TPM2_RC_1,
                                   TPM2_RC_AUTH_FAIL + TPM2_RC_S + TPM2_RC_1};
    (void)code;
    if (talk->at % 2)
        withhold(talk, answer, n);
    if (!answer || talk->at >= 6)
        return;
    say_only(all[talk->at / 2], p, n);
    talk->struck++;
}

/* The line is cut before the TPM has it, or after. */
static void cut(struct bus_talk *talk, bool answer, uint32_t code, uint8_t *p,
                size_t *n)
{
    (void)code;
    (void)p;
    if (talk->at > 1 || answer != (talk->at == 1)) {
        if (answer && talk->at == 0)
            *n = 0;
        return;
    }
    *n = 0;
    talk->struck++;
}

/* The TPM is asked twice. */
static void twice(struct bus_talk *talk, bool answer, uint32_t code, uint8_t *p,
                  size_t *n)
{
    (void)code;
    (void)p;
    (void)n;
    if (answer)
        return;
    talk->twice = true;
    talk->struck++;
}

static const struct way {
    const char *name;
    bus_fn *fn;
    size_t variants;
} ways[] = {{"a byte of the answer", flip, 8},
            {"a byte of the command", flip_command, 8},
            {"a forged answer", forge, 1},
            {"a forged command", forge_command, 1},
            {"an older answer", older, 1},
            {"an older answer, the command withheld", older_withheld, 1},
            {"success, the command withheld", pretend, 3},
            {"a refusal", refuse, 6},
            {"the line is cut", cut, 2},
            {"the command twice", twice, 1}};
#define WAYS (sizeof(ways) / sizeof(*ways))

/* Strikes at the nth command, or, 0, at every one of talk->always. */
static void strike(struct bus_talk *talk, bool answer, uint32_t code,
                   uint8_t *p, size_t *n)
{
    const bool meant = talk->nth
                           ? talk->count == talk->nth
                           : code == talk->always[0] || code == talk->always[1];
    if (talk->way >= WAYS || !meant)
        return;
    if (!answer)
        talk->last = code;
    ways[talk->way].fn(talk, answer, code, p, n);
}

#endif
