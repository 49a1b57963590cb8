/* SPDX-License-Identifier: Apache-2.0 */
/* The tests' module behind the provider's back. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/rawtoken.h"

#define OK(call) assert_int_equal(call, CKR_OK)

const struct p11soft *raw_soft;
CK_FUNCTION_LIST *raw_f;
CK_BBOOL raw_yes = CK_TRUE, raw_no = CK_FALSE;

bool raw_begin(const char *const lines[])
{
    const char *top = getenv("top_builddir");
    CK_C_GetFunctionList get;
    p11soft_control_fn *control;
    char path[512];
    void *dl;

    snprintf(path, sizeof(path), "%s/.libs/p11soft.so",
             top != NULL ? top : ".");
    unsetenv("P11SOFT_CONF");
    dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (dl == NULL || setenv("HWKEY_PKCS11_MODULE", path, 1) != 0)
        return false;
    *(void **)(void *)&control = dlsym(dl, "p11soft_control");
    *(void **)(void *)&get = dlsym(dl, "C_GetFunctionList");
    raw_soft = control();
    if (get(&raw_f) != CKR_OK || raw_f->C_Initialize(NULL) != CKR_OK)
        return false;
    for (; *lines != NULL; lines++)
        if (!raw_soft->tell(*lines))
            return false;
    return true;
}

CK_SESSION_HANDLE raw_enter(CK_SLOT_ID slot, const char *pin)
{
    CK_SESSION_HANDLE s;
    CK_RV rv = CKR_OK;

    OK(raw_f->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
                            NULL, &s));
    if (pin != NULL)
        rv = raw_f->C_Login(s, CKU_USER, (CK_UTF8CHAR *)(uintptr_t)pin,
                            strlen(pin));
    assert_true(rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN);
    return s;
}

void raw_leave(CK_SESSION_HANDLE s)
{
    raw_f->C_Logout(s);
    raw_close(s);
}

void raw_close(CK_SESSION_HANDLE s)
{
    OK(raw_f->C_CloseSession(s));
}

unsigned raw_count(CK_SESSION_HANDLE s, CK_OBJECT_CLASS class,
                   const char *label, CK_OBJECT_HANDLE *h)
{
    CK_ATTRIBUTE a[2];
    CK_OBJECT_HANDLE found;
    CK_ULONG n = 0, got = 0;
    unsigned count = 0;

    if (class != (CK_OBJECT_CLASS)-1)
        a[n++] = (CK_ATTRIBUTE){CKA_CLASS, &class, sizeof(class)};
    if (label != NULL)
        a[n++] =
            (CK_ATTRIBUTE){CKA_LABEL, (void *)(uintptr_t)label, strlen(label)};
    OK(raw_f->C_FindObjectsInit(s, a, n));
    do {
        OK(raw_f->C_FindObjects(s, &found, 1, &got));
        if (got > 0 && count++ == 0 && h != NULL)
            *h = found;
    } while (got > 0);
    OK(raw_f->C_FindObjectsFinal(s));
    return count;
}

bool raw_flag(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h, CK_ATTRIBUTE_TYPE type)
{
    CK_BBOOL value = CK_FALSE;
    CK_ATTRIBUTE a = {type, &value, sizeof(value)};

    return raw_f->C_GetAttributeValue(s, h, &a, 1) == CKR_OK &&
           value != CK_FALSE;
}

void raw_wipe(CK_SESSION_HANDLE s)
{
    CK_OBJECT_HANDLE h;

    while (raw_count(s, (CK_OBJECT_CLASS)-1, NULL, &h) > 0)
        OK(raw_f->C_DestroyObject(s, h));
}

static CK_ULONG named(CK_ATTRIBUTE *a, const char *label, const char *id)
{
    CK_ULONG n = 0;

    a[n++] = (CK_ATTRIBUTE){CKA_TOKEN, &raw_yes, 1};
    if (label != NULL)
        a[n++] =
            (CK_ATTRIBUTE){CKA_LABEL, (void *)(uintptr_t)label, strlen(label)};
    if (id != NULL)
        a[n++] = (CK_ATTRIBUTE){CKA_ID, (void *)(uintptr_t)id, strlen(id)};
    return n;
}

void raw_pair(CK_SESSION_HANDLE s, const char *label, const char *id)
{
    static uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48,
                             0xce, 0x3d, 0x03, 0x01, 0x07};
    CK_MECHANISM mech = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_ATTRIBUTE pub[6], priv[6];
    CK_ULONG n = named(pub, label, id), m = named(priv, label, id);
    CK_OBJECT_HANDLE a, b;

    pub[n++] = (CK_ATTRIBUTE){CKA_EC_PARAMS, p256, sizeof(p256)};
    pub[n++] = (CK_ATTRIBUTE){CKA_PRIVATE, &raw_no, 1};
    priv[m++] = (CK_ATTRIBUTE){CKA_PRIVATE, &raw_yes, 1};
    priv[m++] = (CK_ATTRIBUTE){CKA_SIGN, &raw_yes, 1};
    OK(raw_f->C_GenerateKeyPair(s, &mech, pub, n, priv, m, &a, &b));
}

void raw_cert(CK_SESSION_HANDLE s, const char *label, const char *id,
              bool hidden, const uint8_t *der, size_t n)
{
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    CK_CERTIFICATE_TYPE type = CKC_X_509;
    CK_ATTRIBUTE a[8];
    CK_ULONG m = named(a, label, id);
    CK_OBJECT_HANDLE h;

    a[m++] = (CK_ATTRIBUTE){CKA_CLASS, &class, sizeof(class)};
    a[m++] = (CK_ATTRIBUTE){CKA_CERTIFICATE_TYPE, &type, sizeof(type)};
    a[m++] = (CK_ATTRIBUTE){CKA_PRIVATE, hidden ? &raw_yes : &raw_no, 1};
    a[m++] = (CK_ATTRIBUTE){CKA_VALUE, (void *)(uintptr_t)der, n};
    OK(raw_f->C_CreateObject(s, a, m, &h));
}
