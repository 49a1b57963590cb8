/* SPDX-License-Identifier: Apache-2.0 */
/* Every function of Cryptoki 2.40 as CALL(name, (parameters), (arguments)),
 * to be included where CALL says what becomes of each; C_GetFunctionList is no
 * call to a device. */
CALL(C_Initialize, (void *a), (a))
CALL(C_Finalize, (void *a), (a))
CALL(C_GetInfo, (CK_INFO * a), (a))
CALL(C_GetSlotList, (CK_BYTE a, CK_SLOT_ID *b, CK_ULONG *c), (a, b, c))
CALL(C_GetSlotInfo, (CK_SLOT_ID a, CK_SLOT_INFO *b), (a, b))
CALL(C_GetTokenInfo, (CK_SLOT_ID a, CK_TOKEN_INFO *b), (a, b))
CALL(C_GetMechanismList, (CK_SLOT_ID a, CK_MECHANISM_TYPE *b, CK_ULONG *c),
     (a, b, c))
CALL(C_GetMechanismInfo,
     (CK_SLOT_ID a, CK_MECHANISM_TYPE b, CK_MECHANISM_INFO *c), (a, b, c))
CALL(C_InitToken, (CK_SLOT_ID a, CK_BYTE *b, CK_ULONG c, CK_BYTE *d),
     (a, b, c, d))
CALL(C_InitPIN, (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c), (a, b, c))
CALL(C_SetPIN,
     (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c, CK_BYTE *d, CK_ULONG e),
     (a, b, c, d, e))
CALL(C_OpenSession,
     (CK_SLOT_ID a, CK_FLAGS b, void *c, CK_NOTIFY d, CK_SESSION_HANDLE *e),
     (a, b, c, d, e))
CALL(C_CloseSession, (CK_SESSION_HANDLE a), (a))
CALL(C_CloseAllSessions, (CK_SLOT_ID a), (a))
CALL(C_GetSessionInfo, (CK_SESSION_HANDLE a, CK_SESSION_INFO *b), (a, b))
CALL(C_GetOperationState, (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG *c),
     (a, b, c))
CALL(C_SetOperationState,
     (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c, CK_OBJECT_HANDLE d,
      CK_OBJECT_HANDLE e),
     (a, b, c, d, e))
CALL(C_Login, (CK_SESSION_HANDLE a, CK_USER_TYPE b, CK_BYTE *c, CK_ULONG d),
     (a, b, c, d))
CALL(C_Logout, (CK_SESSION_HANDLE a), (a))
CALL(C_CreateObject,
     (CK_SESSION_HANDLE a, CK_ATTRIBUTE *b, CK_ULONG c, CK_OBJECT_HANDLE *d),
     (a, b, c, d))
CALL(C_CopyObject,
     (CK_SESSION_HANDLE a, CK_OBJECT_HANDLE b, CK_ATTRIBUTE *c, CK_ULONG d,
      CK_OBJECT_HANDLE *e),
     (a, b, c, d, e))
CALL(C_DestroyObject, (CK_SESSION_HANDLE a, CK_OBJECT_HANDLE b), (a, b))
CALL(C_GetObjectSize, (CK_SESSION_HANDLE a, CK_OBJECT_HANDLE b, CK_ULONG *c),
     (a, b, c))
CALL(C_GetAttributeValue,
     (CK_SESSION_HANDLE a, CK_OBJECT_HANDLE b, CK_ATTRIBUTE *c, CK_ULONG d),
     (a, b, c, d))
CALL(C_SetAttributeValue,
     (CK_SESSION_HANDLE a, CK_OBJECT_HANDLE b, CK_ATTRIBUTE *c, CK_ULONG d),
     (a, b, c, d))
CALL(C_FindObjectsInit, (CK_SESSION_HANDLE a, CK_ATTRIBUTE *b, CK_ULONG c),
     (a, b, c))
CALL(C_FindObjects,
     (CK_SESSION_HANDLE a, CK_OBJECT_HANDLE *b, CK_ULONG c, CK_ULONG *d),
     (a, b, c, d))
CALL(C_FindObjectsFinal, (CK_SESSION_HANDLE a), (a))
CALL(C_EncryptInit, (CK_SESSION_HANDLE a, CK_MECHANISM *b, CK_OBJECT_HANDLE c),
     (a, b, c))
CALL(C_Encrypt,
     (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c, CK_BYTE *d, CK_ULONG *e),
     (a, b, c, d, e))
CALL(C_EncryptUpdate,
     (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c, CK_BYTE *d, CK_ULONG *e),
     (a, b, c, d, e))
CALL(C_EncryptFinal, (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG *c), (a, b, c))
CALL(C_DecryptInit, (CK_SESSION_HANDLE a, CK_MECHANISM *b, CK_OBJECT_HANDLE c),
     (a, b, c))
CALL(C_Decrypt,
     (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c, CK_BYTE *d, CK_ULONG *e),
     (a, b, c, d, e))
CALL(C_DecryptUpdate,
     (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c, CK_BYTE *d, CK_ULONG *e),
     (a, b, c, d, e))
CALL(C_DecryptFinal, (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG *c), (a, b, c))
CALL(C_DigestInit, (CK_SESSION_HANDLE a, CK_MECHANISM *b), (a, b))
CALL(C_Digest,
     (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c, CK_BYTE *d, CK_ULONG *e),
     (a, b, c, d, e))
CALL(C_DigestUpdate, (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c), (a, b, c))
CALL(C_DigestKey, (CK_SESSION_HANDLE a, CK_OBJECT_HANDLE b), (a, b))
CALL(C_DigestFinal, (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG *c), (a, b, c))
CALL(C_SignInit, (CK_SESSION_HANDLE a, CK_MECHANISM *b, CK_OBJECT_HANDLE c),
     (a, b, c))
CALL(C_Sign,
     (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c, CK_BYTE *d, CK_ULONG *e),
     (a, b, c, d, e))
CALL(C_SignUpdate, (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c), (a, b, c))
CALL(C_SignFinal, (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG *c), (a, b, c))
CALL(C_SignRecoverInit,
     (CK_SESSION_HANDLE a, CK_MECHANISM *b, CK_OBJECT_HANDLE c), (a, b, c))
CALL(C_SignRecover,
     (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c, CK_BYTE *d, CK_ULONG *e),
     (a, b, c, d, e))
CALL(C_VerifyInit, (CK_SESSION_HANDLE a, CK_MECHANISM *b, CK_OBJECT_HANDLE c),
     (a, b, c))
CALL(C_Verify,
     (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c, CK_BYTE *d, CK_ULONG e),
     (a, b, c, d, e))
CALL(C_VerifyUpdate, (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c), (a, b, c))
CALL(C_VerifyFinal, (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c), (a, b, c))
CALL(C_VerifyRecoverInit,
     (CK_SESSION_HANDLE a, CK_MECHANISM *b, CK_OBJECT_HANDLE c), (a, b, c))
CALL(C_VerifyRecover,
     (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c, CK_BYTE *d, CK_ULONG *e),
     (a, b, c, d, e))
CALL(C_DigestEncryptUpdate,
     (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c, CK_BYTE *d, CK_ULONG *e),
     (a, b, c, d, e))
CALL(C_DecryptDigestUpdate,
     (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c, CK_BYTE *d, CK_ULONG *e),
     (a, b, c, d, e))
CALL(C_SignEncryptUpdate,
     (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c, CK_BYTE *d, CK_ULONG *e),
     (a, b, c, d, e))
CALL(C_DecryptVerifyUpdate,
     (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c, CK_BYTE *d, CK_ULONG *e),
     (a, b, c, d, e))
CALL(C_GenerateKey,
     (CK_SESSION_HANDLE a, CK_MECHANISM *b, CK_ATTRIBUTE *c, CK_ULONG d,
      CK_OBJECT_HANDLE *e),
     (a, b, c, d, e))
CALL(C_GenerateKeyPair,
     (CK_SESSION_HANDLE a, CK_MECHANISM *b, CK_ATTRIBUTE *c, CK_ULONG d,
      CK_ATTRIBUTE *e, CK_ULONG f, CK_OBJECT_HANDLE *g, CK_OBJECT_HANDLE *h),
     (a, b, c, d, e, f, g, h))
CALL(C_WrapKey,
     (CK_SESSION_HANDLE a, CK_MECHANISM *b, CK_OBJECT_HANDLE c,
      CK_OBJECT_HANDLE d, CK_BYTE *e, CK_ULONG *f),
     (a, b, c, d, e, f))
CALL(C_UnwrapKey,
     (CK_SESSION_HANDLE a, CK_MECHANISM *b, CK_OBJECT_HANDLE c, CK_BYTE *d,
      CK_ULONG e, CK_ATTRIBUTE *f, CK_ULONG g, CK_OBJECT_HANDLE *h),
     (a, b, c, d, e, f, g, h))
CALL(C_DeriveKey,
     (CK_SESSION_HANDLE a, CK_MECHANISM *b, CK_OBJECT_HANDLE c, CK_ATTRIBUTE *d,
      CK_ULONG e, CK_OBJECT_HANDLE *f),
     (a, b, c, d, e, f))
CALL(C_SeedRandom, (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c), (a, b, c))
CALL(C_GenerateRandom, (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c), (a, b, c))
CALL(C_GetFunctionStatus, (CK_SESSION_HANDLE a), (a))
CALL(C_CancelFunction, (CK_SESSION_HANDLE a), (a))
CALL(C_WaitForSlotEvent, (CK_FLAGS a, CK_SLOT_ID *b, void *c), (a, b, c))
