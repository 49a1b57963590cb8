/* SPDX-License-Identifier: Apache-2.0 */
/* The seal record: 112 bytes that the device keeps. */
#include <string.h>

#include <idevid/trust.h>

/*
 * Test vector. version 1, flags 0, generation 3, time 1795341600
 * (2026-11-22T10:00:00Z), pin 32 times a1, length 500, voucher 32 times b2:
 *   49445441 0001 0000 0000000000000003 000000006b02bd20
 *   a1 (32 times) 000001f4 b2 (32 times) 00 (20 times)
 */

#define VERSION 1
static const uint8_t magic[4] = {'I', 'D', 'T', 'A'};

static void put_be(uint8_t *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static uint64_t get_be(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

void idv_record_to_bytes(const struct idv_record *r,
                         uint8_t out[static IDV_RECORD_SIZE])
{
    memset(out, 0, IDV_RECORD_SIZE);
    memcpy(out, magic, sizeof(magic));
    put_be(out + 4, r->version, 2);
    put_be(out + 6, r->flags, 2);
    put_be(out + 8, r->generation, 8);
    put_be(out + 16, r->time, 8);
    memcpy(out + 24, r->pin_sha256, 32);
    put_be(out + 56, r->pin_length, 4);
    memcpy(out + 60, r->voucher_sha256, 32);
}

#define POLICY_BYTES 56 /* as much as a TPM compares: magic to pin's hash */

idv_rc idv_record_key_policy(const struct idv_record *r, uint32_t index,
                             uint32_t counter, struct idv_buf *out)
{
    uint8_t raw[IDV_RECORD_SIZE];
    if (r->generation == 0)
        return idv_fail(IDV_E_ARG, "record: without a generation");
    idv_record_to_bytes(r, raw);
    IDV_TRY(idv_buf_putf(out, "nv(0x%08x == ", (unsigned)index));
    IDV_TRY(idv_hex_from_bytes(idv_bytes(raw, POLICY_BYTES), out));
    return idv_buf_putf(out, ") & nv(0x%08x == count:%llu)", (unsigned)counter,
                        (unsigned long long)r->generation + 1);
}

static idv_rc check(struct idv_bytes raw)
{
    static const uint8_t zero[20];
    if (raw.n != IDV_RECORD_SIZE)
        return idv_fail(IDV_E_FORMAT, "record: %zu bytes, not %d", raw.n,
                        IDV_RECORD_SIZE);
    if (memcmp(raw.p, magic, sizeof(magic)) != 0)
        return idv_fail(IDV_E_FORMAT, "record: does not begin with IDTA");
    if (get_be(raw.p + 4, 2) != VERSION)
        return idv_fail(IDV_E_FORMAT, "record: version %u is unknown",
                        (unsigned)get_be(raw.p + 4, 2));
    if (get_be(raw.p + 6, 2) & ~(uint64_t)(IDV_RECORD_KEY | IDV_RECORD_CONTENT))
        return idv_fail(IDV_E_FORMAT, "record: unknown flags");
    if (memcmp(raw.p + 92, zero, sizeof(zero)) != 0)
        return idv_fail(IDV_E_FORMAT, "record: reserved bytes are not zero");
    return IDV_OK;
}

idv_rc idv_record_from_bytes(struct idv_bytes raw, struct idv_record *out)
{
    IDV_TRY(check(raw));
    out->version = (uint16_t)get_be(raw.p + 4, 2);
    out->flags = (uint16_t)get_be(raw.p + 6, 2);
    out->generation = get_be(raw.p + 8, 8);
    out->time = get_be(raw.p + 16, 8);
    memcpy(out->pin_sha256, raw.p + 24, 32);
    out->pin_length = (uint32_t)get_be(raw.p + 56, 4);
    memcpy(out->voucher_sha256, raw.p + 60, 32);
    return IDV_OK;
}
