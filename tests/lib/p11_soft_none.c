/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that the test's PKCS#11 module has not; they fail as they are
 * told to, all the same. */
#include "tests/lib/p11_soft_int.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

typedef CK_SESSION_HANDLE H;
typedef CK_ULONG N, *NP;
typedef CK_BYTE *B;

/* those that begin with a session */
#define NONE(name, args)                                                       \
    CK_RV name args                                                            \
    {                                                                          \
        CK_RV rv = soft_enter(SOFT_##name, SOFT_BY_SESSION, s);                \
                                                                               \
        return rv != CKR_OK                                                    \
                   ? rv                                                        \
                   : soft_leave(SOFT_##name, CKR_FUNCTION_NOT_SUPPORTED);      \
    }

NONE(C_InitPIN, (H s, B pin, N n))
NONE(C_SetPIN, (H s, B old, N old_n, B pin, N n))
NONE(C_GetOperationState, (H s, B out, NP n))
NONE(C_SetOperationState,
     (H s, B in, N n, CK_OBJECT_HANDLE a, CK_OBJECT_HANDLE b))
NONE(C_CopyObject,
     (H s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *a, N n, CK_OBJECT_HANDLE *out))
NONE(C_GetObjectSize, (H s, CK_OBJECT_HANDLE o, NP n))
NONE(C_EncryptInit, (H s, CK_MECHANISM *m, CK_OBJECT_HANDLE k))
NONE(C_Encrypt, (H s, B in, N n, B out, NP out_n))
NONE(C_EncryptUpdate, (H s, B in, N n, B out, NP out_n))
NONE(C_EncryptFinal, (H s, B out, NP out_n))
NONE(C_DecryptUpdate, (H s, B in, N n, B out, NP out_n))
NONE(C_DecryptFinal, (H s, B out, NP out_n))
NONE(C_DigestInit, (H s, CK_MECHANISM *m))
NONE(C_Digest, (H s, B in, N n, B out, NP out_n))
NONE(C_DigestUpdate, (H s, B in, N n))
NONE(C_DigestKey, (H s, CK_OBJECT_HANDLE k))
NONE(C_DigestFinal, (H s, B out, NP out_n))
NONE(C_SignUpdate, (H s, B in, N n))
NONE(C_SignFinal, (H s, B out, NP out_n))
NONE(C_SignRecoverInit, (H s, CK_MECHANISM *m, CK_OBJECT_HANDLE k))
NONE(C_SignRecover, (H s, B in, N n, B out, NP out_n))
NONE(C_VerifyInit, (H s, CK_MECHANISM *m, CK_OBJECT_HANDLE k))
NONE(C_Verify, (H s, B in, N n, B sig, N sig_n))
NONE(C_VerifyUpdate, (H s, B in, N n))
NONE(C_VerifyFinal, (H s, B sig, N sig_n))
NONE(C_VerifyRecoverInit, (H s, CK_MECHANISM *m, CK_OBJECT_HANDLE k))
NONE(C_VerifyRecover, (H s, B sig, N sig_n, B out, NP out_n))
NONE(C_DigestEncryptUpdate, (H s, B in, N n, B out, NP out_n))
NONE(C_DecryptDigestUpdate, (H s, B in, N n, B out, NP out_n))
NONE(C_SignEncryptUpdate, (H s, B in, N n, B out, NP out_n))
NONE(C_DecryptVerifyUpdate, (H s, B in, N n, B out, NP out_n))
NONE(C_GenerateKey,
     (H s, CK_MECHANISM *m, CK_ATTRIBUTE *a, N n, CK_OBJECT_HANDLE *out))
NONE(C_WrapKey, (H s, CK_MECHANISM *m, CK_OBJECT_HANDLE w, CK_OBJECT_HANDLE k,
                 B out, NP out_n))
NONE(C_UnwrapKey, (H s, CK_MECHANISM *m, CK_OBJECT_HANDLE w, B in, N in_n,
                   CK_ATTRIBUTE *a, N n, CK_OBJECT_HANDLE *out))
NONE(C_SeedRandom, (H s, B in, N n))
NONE(C_GetFunctionStatus, (H s))
NONE(C_CancelFunction, (H s))

CK_RV C_InitToken(CK_SLOT_ID slot, B pin, N n, B label)
{
    CK_RV rv = soft_enter(SOFT_C_InitToken, SOFT_BY_SLOT, slot);

    return rv != CKR_OK
               ? rv
               : soft_leave(SOFT_C_InitToken, CKR_FUNCTION_NOT_SUPPORTED);
}

CK_RV C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved)
{
    CK_RV rv = soft_enter(SOFT_C_WaitForSlotEvent, SOFT_NONE, 0);

    return rv != CKR_OK ? rv
                        : soft_leave(SOFT_C_WaitForSlotEvent,
                                     CKR_FUNCTION_NOT_SUPPORTED);
}
