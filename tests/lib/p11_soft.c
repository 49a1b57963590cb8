/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that the test's PKCS#11 module has. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/p11_soft.h"
#include "tests/lib/p11_soft_int.h"

#define SHOW __attribute__((visibility("default")))

/* what a call does: nothing when soft_enter has an answer already */
#define ENTRY(name, about, which, call)                                        \
    do {                                                                       \
        CK_RV rv = soft_enter(SOFT_##name, about, which);                      \
                                                                               \
        return rv != CKR_OK ? rv : soft_leave(SOFT_##name, call);              \
    } while (0)
#define SESSION_ENTRY(name, s, call) ENTRY(name, SOFT_BY_SESSION, s, call)
#define SLOT_ENTRY(name, id, call) ENTRY(name, SOFT_BY_SLOT, id, call)

CK_RV C_Initialize(void *args)
{
    const CK_C_INITIALIZE_ARGS *a = args;
    CK_RV rv = soft_enter(SOFT_C_Initialize, SOFT_NONE, 0);

    if (rv != CKR_OK)
        return rv;
    if (a != NULL && a->CreateMutex != NULL &&
        (a->flags & CKF_OS_LOCKING_OK) == 0)
        return soft_leave(SOFT_C_Initialize, CKR_CANT_LOCK);
    return soft_leave(SOFT_C_Initialize, soft_initialize());
}

CK_RV C_Finalize(void *reserved)
{
    ENTRY(C_Finalize, SOFT_NONE, 0,
          reserved != NULL ? CKR_ARGUMENTS_BAD : soft_finalize());
}

static CK_RV info(CK_INFO *out)
{
    static const CK_INFO what = {
        .cryptokiVersion = {2, 40},
        .manufacturerID = "idevid tests                    ",
        .libraryDescription = "keys in memory                  ",
        .libraryVersion = {1, 0}};

    if (out == NULL)
        return CKR_ARGUMENTS_BAD;
    *out = what;
    if (soft.description[0] != 0) {
        memset(out->libraryDescription, ' ', sizeof(out->libraryDescription));
        memcpy(out->libraryDescription, soft.description,
               strlen(soft.description));
    }
    return CKR_OK;
}

CK_RV C_GetInfo(CK_INFO *out)
{
    ENTRY(C_GetInfo, SOFT_NONE, 0, info(out));
}

CK_RV C_GetSlotList(CK_BBOOL present, CK_SLOT_ID *out, CK_ULONG *n)
{
    ENTRY(C_GetSlotList, SOFT_NONE, 0, soft_slot_list(present, out, n));
}

CK_RV C_GetSlotInfo(CK_SLOT_ID id, CK_SLOT_INFO *out)
{
    SLOT_ENTRY(C_GetSlotInfo, id, soft_slot_info(id, out));
}

CK_RV C_GetTokenInfo(CK_SLOT_ID id, CK_TOKEN_INFO *out)
{
    SLOT_ENTRY(C_GetTokenInfo, id, soft_token_info(id, out));
}

CK_RV C_GetMechanismList(CK_SLOT_ID id, CK_MECHANISM_TYPE *out, CK_ULONG *n)
{
    SLOT_ENTRY(C_GetMechanismList, id, soft_mechanisms(id, out, n));
}

CK_RV C_GetMechanismInfo(CK_SLOT_ID id, CK_MECHANISM_TYPE mech,
                         CK_MECHANISM_INFO *out)
{
    SLOT_ENTRY(C_GetMechanismInfo, id, soft_mechanism(id, mech, out));
}

/* --- sessions --- */

CK_RV C_OpenSession(CK_SLOT_ID id, CK_FLAGS flags, void *app, CK_NOTIFY notify,
                    CK_SESSION_HANDLE *out)
{
    CK_RV rv = soft_enter(SOFT_C_OpenSession, SOFT_BY_SLOT, id);

    (void)app;
    (void)notify;
    return rv != CKR_OK
               ? rv
               : soft_leave(SOFT_C_OpenSession, soft_open(id, flags, out));
}

CK_RV C_CloseSession(CK_SESSION_HANDLE s)
{
    SESSION_ENTRY(C_CloseSession, s, soft_close(s));
}

static CK_RV close_all(CK_SLOT_ID id)
{
    struct soft_slot *slot = soft_slot_by_id(id);

    if (slot == NULL)
        return CKR_SLOT_ID_INVALID;
    soft_end_sessions(slot);
    return CKR_OK;
}

CK_RV C_CloseAllSessions(CK_SLOT_ID id)
{
    SLOT_ENTRY(C_CloseAllSessions, id, close_all(id));
}

CK_RV C_GetSessionInfo(CK_SESSION_HANDLE s, CK_SESSION_INFO *out)
{
    SESSION_ENTRY(C_GetSessionInfo, s, soft_session_info(s, out));
}

CK_RV C_Login(CK_SESSION_HANDLE s, CK_USER_TYPE user, CK_UTF8CHAR *pin,
              CK_ULONG n)
{
    SESSION_ENTRY(C_Login, s, soft_login(s, user, pin, n));
}

CK_RV C_Logout(CK_SESSION_HANDLE s)
{
    SESSION_ENTRY(C_Logout, s, soft_logout(s));
}

/* --- objects --- */

CK_RV C_CreateObject(CK_SESSION_HANDLE s, CK_ATTRIBUTE *a, CK_ULONG n,
                     CK_OBJECT_HANDLE *out)
{
    SESSION_ENTRY(C_CreateObject, s, soft_create(s, a, n, out));
}

CK_RV C_DestroyObject(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h)
{
    SESSION_ENTRY(C_DestroyObject, s, soft_destroy(s, h));
}

CK_RV C_GetAttributeValue(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h,
                          CK_ATTRIBUTE *a, CK_ULONG n)
{
    SESSION_ENTRY(C_GetAttributeValue, s, soft_get_values(s, h, a, n));
}

CK_RV C_SetAttributeValue(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h,
                          CK_ATTRIBUTE *a, CK_ULONG n)
{
    SESSION_ENTRY(C_SetAttributeValue, s, soft_set_values(s, h, a, n));
}

CK_RV C_FindObjectsInit(CK_SESSION_HANDLE s, CK_ATTRIBUTE *a, CK_ULONG n)
{
    SESSION_ENTRY(C_FindObjectsInit, s, soft_find_init(s, a, n));
}

CK_RV C_FindObjects(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *out, CK_ULONG max,
                    CK_ULONG *n)
{
    SESSION_ENTRY(C_FindObjects, s, soft_find(s, out, max, n));
}

CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE s)
{
    SESSION_ENTRY(C_FindObjectsFinal, s, soft_find_final(s));
}

/* --- keys --- */

CK_RV C_GenerateKeyPair(CK_SESSION_HANDLE s, CK_MECHANISM *mech,
                        CK_ATTRIBUTE *pub, CK_ULONG n_pub, CK_ATTRIBUTE *priv,
                        CK_ULONG n_priv, CK_OBJECT_HANDLE *pub_h,
                        CK_OBJECT_HANDLE *priv_h)
{
    SESSION_ENTRY(
        C_GenerateKeyPair, s,
        soft_generate(s, mech, pub, n_pub, priv, n_priv, pub_h, priv_h));
}

CK_RV C_SignInit(CK_SESSION_HANDLE s, CK_MECHANISM *mech, CK_OBJECT_HANDLE key)
{
    SESSION_ENTRY(C_SignInit, s, soft_sign_init(s, mech, key));
}

CK_RV C_Sign(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG n, CK_BYTE *out,
             CK_ULONG *out_n)
{
    SESSION_ENTRY(C_Sign, s, soft_sign(s, in, n, out, out_n));
}

CK_RV C_DecryptInit(CK_SESSION_HANDLE s, CK_MECHANISM *mech,
                    CK_OBJECT_HANDLE key)
{
    SESSION_ENTRY(C_DecryptInit, s, soft_decrypt_init(s, mech, key));
}

CK_RV C_Decrypt(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG n, CK_BYTE *out,
                CK_ULONG *out_n)
{
    SESSION_ENTRY(C_Decrypt, s, soft_decrypt(s, in, n, out, out_n));
}

CK_RV C_DeriveKey(CK_SESSION_HANDLE s, CK_MECHANISM *mech, CK_OBJECT_HANDLE key,
                  CK_ATTRIBUTE *a, CK_ULONG n, CK_OBJECT_HANDLE *out)
{
    SESSION_ENTRY(C_DeriveKey, s, soft_derive(s, mech, key, a, n, out));
}

CK_RV C_GenerateRandom(CK_SESSION_HANDLE s, CK_BYTE *out, CK_ULONG n)
{
    SESSION_ENTRY(C_GenerateRandom, s,
                  soft_session(s) == NULL ? CKR_SESSION_HANDLE_INVALID
                                          : soft_random(out, n));
}

/* --- the table, and the other door --- */

SHOW CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
#define MEMBER(name) .name = name,
    static CK_FUNCTION_LIST list = {.version = {2, 40}, SOFT_FUNCTIONS(MEMBER)};
    CK_RV rv;

    soft_configure();
    rv = soft_enter(SOFT_C_GetFunctionList, SOFT_NONE, 0);
    if (rv != CKR_OK)
        return rv;
    *out = &list;
    return soft_leave(SOFT_C_GetFunctionList, CKR_OK);
}

static unsigned sessions(void)
{
    unsigned n;

    pthread_mutex_lock(&soft.lock);
    n = soft_session_count(NULL, false);
    pthread_mutex_unlock(&soft.lock);
    return n;
}

SHOW p11soft_control_fn p11soft_control;
const struct p11soft *p11soft_control(void)
{
    static const struct p11soft control = {soft_tell, soft_calls,
                                           soft_await_held, sessions};

    soft_configure();
    return &control;
}
