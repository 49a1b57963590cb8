/* SPDX-License-Identifier: Apache-2.0 */
/* TPMS_ATTEST, read as the hostile input that it is, and judged. */
#include <idevid/auto.h>

#include "tpm/attest.h"
#include "tpm/wire.h"

#define GENERATED 0xff544347u /* TPM_GENERATED_VALUE */

static const struct {
    uint16_t tag; /* TPM_ST_ATTEST_ */
    enum idvi_attest_type type;
    const char *of;
} types[] = {
    {0x8014, IDVI_ATTEST_NV, "an NV index"},
    {0x8017, IDVI_ATTEST_CERTIFY, "a key"},
    {0x801a, IDVI_ATTEST_CREATION, "a key's creation"},
};
#define TYPES (sizeof(types) / sizeof(*types))

/* --- reading --- */

static const char *wanted(unsigned which)
{
    for (size_t i = 0; i < TYPES; i++)
        if (which & types[i].type)
            return types[i].of;
    return "nothing";
}

static idv_rc read_type(struct idvi_wire *r, unsigned which,
                        struct idvi_attest *a)
{
    uint16_t tag = idvi_wire_u16(r);
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].tag == tag)
            a->type = types[i].type;
    if (!r->bad && !(a->type & which))
        return idv_fail(IDV_E_FORMAT, "attestation: of type 0x%04x, not of %s",
                        tag, wanted(which));
    return IDV_OK;
}

static idv_rc read_head(struct idvi_wire *r, unsigned which,
                        struct idvi_attest *a)
{
    if (idvi_wire_u32(r) != GENERATED)
        return idv_fail(IDV_E_FORMAT, "attestation: not made by a TPM");
    IDV_TRY(read_type(r, which, a));
    a->signer = idvi_wire_sized(r);
    a->extra = idvi_wire_sized(r);
    if (!r->bad && !idvi_tpm_is_name(a->signer))
        return idv_fail(IDV_E_FORMAT, "attestation: its signer's Name is none");
    return IDV_OK;
}

static idv_rc read_clock(struct idvi_wire *r, struct idvi_attest *a)
{
    a->clock = idvi_wire_u64(r);
    a->resets = idvi_wire_u32(r);
    a->restarts = idvi_wire_u32(r);
    uint8_t safe = idvi_wire_u8(r);
    a->firmware = idvi_wire_u64(r);
    a->safe = safe == 1;
    if (safe > 1)
        return idv_fail(IDV_E_FORMAT, "attestation: clock neither safe nor "
                                      "unsafe");
    return IDV_OK;
}

static idv_rc check_name(const struct idvi_wire *r, const char *whose,
                         struct idv_bytes name)
{
    if (!r->bad && !idvi_tpm_is_name(name))
        return idv_fail(IDV_E_FORMAT, "attestation: its %s Name is none",
                        whose);
    return IDV_OK;
}

static idv_rc read_index(struct idvi_wire *r, struct idvi_attest *a)
{
    a->index = idvi_wire_sized(r);
    a->offset = idvi_wire_u16(r);
    a->contents = idvi_wire_sized(r);
    return check_name(r, "index's", a->index);
}

static idv_rc read_certify(struct idvi_wire *r, struct idvi_attest *a)
{
    a->name = idvi_wire_sized(r);
    a->qualified = idvi_wire_sized(r);
    IDV_TRY(check_name(r, "key's", a->name));
    return check_name(r, "key's qualified", a->qualified);
}

static idv_rc read_creation(struct idvi_wire *r, struct idvi_attest *a)
{
    a->name = idvi_wire_sized(r);
    a->creation = idvi_wire_sized(r);
    if (!r->bad && (a->creation.n < 32 || a->creation.n > 64))
        return idv_fail(IDV_E_FORMAT,
                        "attestation: hash of the creation of %zu bytes",
                        a->creation.n);
    return check_name(r, "key's", a->name);
}

static idv_rc read_attested(struct idvi_wire *r, struct idvi_attest *a)
{
    switch (a->type) {
    case IDVI_ATTEST_CERTIFY:
        return read_certify(r, a);
    case IDVI_ATTEST_CREATION:
        return read_creation(r, a);
    case IDVI_ATTEST_NV:
    default: /* (cut off before its type) */
        return read_index(r, a);
    }
}

idv_rc idvi_attest_from_bytes(struct idv_bytes raw, unsigned which,
                              struct idvi_attest *out)
{
    struct idvi_wire r = {.left = raw};
    struct idvi_attest a = {0};
    IDV_TRY(read_head(&r, which, &a));
    IDV_TRY(read_clock(&r, &a));
    IDV_TRY(read_attested(&r, &a));
    IDV_TRY(idvi_wire_end(&r, "attestation"));
    *out = a;
    return IDV_OK;
}

struct idv_bytes idvi_attest_unsized(struct idv_bytes raw, bool *sized)
{
    struct idvi_wire r = {.left = raw};
    struct idv_bytes in = idvi_wire_sized(&r);
    bool is = !r.bad && r.left.n == 0;
    struct idvi_wire inner = {.left = in};
    is = is && idvi_wire_u32(&inner) == GENERATED;
    if (sized)
        *sized = is;
    return is ? in : raw;
}

/* --- judging one of a key --- */

static idv_rc check_key(const struct idvi_attest *a,
                        const struct idvi_tpm_public *key)
{
    IDV_AUTO(buf) name = {0};
    IDV_AUTO(buf) qualified = {0};
    IDV_TRY(idvi_tpm_public_name(key, &name));
    if (!idv_bytes_eq(idv_view(&name), a->name))
        return idv_fail(IDV_E_REJECT, "attestation: it is of another key");
    if (a->type != IDVI_ATTEST_CERTIFY)
        return IDV_OK;
    IDV_TRY(
        idvi_tpm_public_qualified(key, IDVI_TPM_RH_ENDORSEMENT, &qualified));
    if (!idv_bytes_eq(idv_view(&qualified), a->qualified))
        return idv_fail(IDV_E_REJECT, "attestation: the key is no primary key "
                                      "of the endorsement hierarchy");
    return IDV_OK;
}

static idv_rc check_signer(const struct idvi_attest *a,
                           const struct idvi_tpm_public *by)
{
    IDV_AUTO(buf) qualified = {0};
    IDV_TRY(idvi_tpm_public_qualified(by, IDVI_TPM_RH_ENDORSEMENT, &qualified));
    if (!idv_bytes_eq(idv_view(&qualified), a->signer))
        return idv_fail(IDV_E_REJECT,
                        "attestation: its signer is another key, or no primary "
                        "key of the endorsement hierarchy");
    return IDV_OK;
}

static idv_rc check_nonce(const struct idvi_attest *a, struct idv_bytes nonce)
{
    if (!nonce.n)
        return idv_fail(IDV_E_ARG, "attestation: to be checked against no "
                                   "nonce");
    if (!idv_bytes_eq(a->extra, nonce))
        return idv_fail(IDV_E_REJECT, "attestation: it is over another nonce");
    return IDV_OK;
}

idv_rc idvi_attest_check(struct idv_bytes attest, struct idv_bytes signature,
                         unsigned which, const struct idvi_tpm_public *key,
                         const struct idvi_tpm_public *by,
                         struct idv_bytes nonce, struct idvi_attest *out,
                         enum idvi_attest_fault *fault)
{
    enum idvi_attest_fault ignored;
    struct idvi_tpm_signature sig;
    struct idvi_attest a;
    fault = fault ? fault : &ignored;
    *fault = IDVI_ATTEST_MALFORMED;
    IDV_TRY(idvi_attest_from_bytes(
        attest, which & (IDVI_ATTEST_CERTIFY | IDVI_ATTEST_CREATION), &a));
    IDV_TRY(idvi_tpm_signature_from_bytes(signature, &sig));
    *fault = IDVI_ATTEST_SIGNATURE;
    IDV_TRY(idvi_tpm_signature_verify(&sig, by, attest));
    *fault = IDVI_ATTEST_OTHER_SIGNER;
    IDV_TRY(check_signer(&a, by));
    *fault = IDVI_ATTEST_OTHER_KEY;
    IDV_TRY(check_key(&a, key));
    *fault = IDVI_ATTEST_OTHER_NONCE;
    IDV_TRY(check_nonce(&a, nonce));
    *fault = IDVI_ATTEST_SOUND;
    if (out)
        *out = a;
    return IDV_OK;
}
