/* SPDX-License-Identifier: Apache-2.0 */
/* What the test's PKCS#11 module says of its slots, tokens and mechanisms. */
#include <string.h>

#include "tests/lib/p11_soft_int.h"

#define PUT(to, from) put(to, sizeof(to), from)
static void put(CK_UTF8CHAR *to, size_t max, const char *from)
{
    size_t n = strlen(from);

    memset(to, ' ', max);
    memcpy(to, from, n < max ? n : max);
}

CK_RV soft_slot_list(CK_BBOOL present, CK_SLOT_ID *out, CK_ULONG *n)
{
    const struct soft_slot *slot;
    CK_ULONG room, got = 0;

    if (n == NULL)
        return CKR_ARGUMENTS_BAD;
    room = out != NULL ? *n : 0;
    for (slot = soft.slots; slot != NULL; slot = slot->next) {
        if (present && slot->empty)
            continue;
        if (got < room)
            out[got] = slot->id;
        got++;
    }
    *n = got;
    return out != NULL && got > room ? CKR_BUFFER_TOO_SMALL : CKR_OK;
}

CK_RV soft_slot_info(CK_SLOT_ID id, CK_SLOT_INFO *out)
{
    const struct soft_slot *slot = soft_slot_by_id(id);

    if (slot == NULL)
        return CKR_SLOT_ID_INVALID;
    if (out == NULL)
        return CKR_ARGUMENTS_BAD;
    memset(out, 0, sizeof(*out));
    PUT(out->slotDescription, "slot in memory");
    PUT(out->manufacturerID, slot->maker);
    out->flags = CKF_REMOVABLE_DEVICE | (slot->empty ? 0 : CKF_TOKEN_PRESENT);
    return CKR_OK;
}

static CK_FLAGS token_flags(const struct soft_slot *slot)
{
    CK_FLAGS f = CKF_RNG | CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED;

    if (!slot->no_login)
        f |= CKF_LOGIN_REQUIRED;
    if (slot->protected)
        f |= CKF_PROTECTED_AUTHENTICATION_PATH;
    if (slot->wrong > 0)
        f |= CKF_USER_PIN_COUNT_LOW;
    if (slot->wrong + 1 == slot->tries)
        f |= CKF_USER_PIN_FINAL_TRY;
    if (slot->wrong >= slot->tries)
        f |= CKF_USER_PIN_LOCKED;
    return f;
}

CK_RV soft_token_info(CK_SLOT_ID id, CK_TOKEN_INFO *out)
{
    const struct soft_slot *slot = soft_slot_by_id(id);

    if (slot == NULL)
        return CKR_SLOT_ID_INVALID;
    if (slot->empty)
        return CKR_TOKEN_NOT_PRESENT;
    if (out == NULL)
        return CKR_ARGUMENTS_BAD;
    memset(out, 0, sizeof(*out));
    PUT(out->label, slot->label);
    PUT(out->manufacturerID, slot->maker);
    PUT(out->model, slot->model);
    PUT(out->serialNumber, slot->serial);
    PUT(out->utcTime, "");
    out->flags = token_flags(slot);
    out->ulMaxSessionCount = out->ulMaxRwSessionCount = slot->max_sessions;
    out->ulSessionCount = soft_session_count(slot, false);
    out->ulRwSessionCount = soft_session_count(slot, true);
    out->ulMaxPinLen = sizeof(slot->pin) - 1;
    out->ulMinPinLen = 1;
    out->ulTotalPublicMemory = out->ulFreePublicMemory =
        out->ulTotalPrivateMemory = out->ulFreePrivateMemory =
            CK_UNAVAILABLE_INFORMATION;
    return CKR_OK;
}

/* --- mechanisms --- */

#define EC_FLAGS (CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS)
static const struct {
    CK_MECHANISM_TYPE type;
    CK_MECHANISM_INFO info;
} mechanisms[] = {
    {CKM_RSA_PKCS_KEY_PAIR_GEN, {1024, 8192, CKF_GENERATE_KEY_PAIR}},
    {CKM_RSA_PKCS, {1024, 8192, CKF_SIGN | CKF_DECRYPT}},
    {CKM_RSA_X_509, {1024, 8192, CKF_SIGN | CKF_DECRYPT}},
    {CKM_RSA_PKCS_PSS, {1024, 8192, CKF_SIGN}},
    {CKM_RSA_PKCS_OAEP, {1024, 8192, CKF_DECRYPT}},
    {CKM_EC_KEY_PAIR_GEN, {112, 521, CKF_GENERATE_KEY_PAIR | EC_FLAGS}},
    {CKM_ECDSA, {112, 521, CKF_SIGN | EC_FLAGS}},
    {CKM_ECDH1_DERIVE, {112, 521, CKF_DERIVE | EC_FLAGS}},
    {CKM_EC_EDWARDS_KEY_PAIR_GEN, {255, 448, CKF_GENERATE_KEY_PAIR}},
    {CKM_EDDSA, {255, 448, CKF_SIGN}},
    {SOFT_CKM_MONTGOMERY_GEN, {255, 448, CKF_GENERATE_KEY_PAIR}},
};
#define MECHANISMS (sizeof(mechanisms) / sizeof(mechanisms[0]))

static bool without(const struct soft_slot *slot, CK_MECHANISM_TYPE mech)
{
    size_t i;

    for (i = 0; i < slot->n_without; i++)
        if (slot->without[i] == mech)
            return true;
    return false;
}

static const CK_MECHANISM_INFO *find(const struct soft_slot *slot,
                                     CK_MECHANISM_TYPE mech)
{
    size_t i;

    for (i = 0; i < MECHANISMS; i++)
        if (mechanisms[i].type == mech && !without(slot, mech))
            return &mechanisms[i].info;
    return NULL;
}

CK_RV soft_mechanisms(CK_SLOT_ID id, CK_MECHANISM_TYPE *out, CK_ULONG *n)
{
    const struct soft_slot *slot = soft_slot_by_id(id);
    CK_ULONG room, got = 0;
    size_t i;

    if (slot == NULL)
        return CKR_SLOT_ID_INVALID;
    if (slot->empty)
        return CKR_TOKEN_NOT_PRESENT;
    if (n == NULL)
        return CKR_ARGUMENTS_BAD;
    room = out != NULL ? *n : 0;
    for (i = 0; i < MECHANISMS; i++) {
        if (without(slot, mechanisms[i].type))
            continue;
        if (got < room)
            out[got] = mechanisms[i].type;
        got++;
    }
    *n = got;
    return out != NULL && got > room ? CKR_BUFFER_TOO_SMALL : CKR_OK;
}

CK_RV soft_mechanism(CK_SLOT_ID id, CK_MECHANISM_TYPE mech,
                     CK_MECHANISM_INFO *out)
{
    const struct soft_slot *slot = soft_slot_by_id(id);
    const CK_MECHANISM_INFO *info;

    if (slot == NULL)
        return CKR_SLOT_ID_INVALID;
    if (slot->empty)
        return CKR_TOKEN_NOT_PRESENT;
    info = find(slot, mech);
    if (info == NULL)
        return CKR_MECHANISM_INVALID;
    if (out == NULL)
        return CKR_ARGUMENTS_BAD;
    *out = *info;
    return CKR_OK;
}

bool soft_has(const struct soft_slot *slot, CK_MECHANISM_TYPE mech,
              CK_FLAGS use)
{
    const CK_MECHANISM_INFO *info = find(slot, mech);

    return info != NULL && (info->flags & use) != 0;
}
