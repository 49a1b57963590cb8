/* SPDX-License-Identifier: Apache-2.0 */
/* A PKCS#11 module before the module named by P11SHIM_REAL: counts calls and
 * does what the test says through p11shim_control(). */
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

#include "tests/lib/p11_shim.h"

#define SHOW __attribute__((visibility("default")))

static CK_FUNCTION_LIST list, *real;
static struct p11shim control;

SHOW struct p11shim *p11shim_control(void);
struct p11shim *p11shim_control(void)
{
    return &control;
}

static void drop_sessions(void)
{
    CK_SLOT_ID slots[32];
    CK_ULONG i, n = 32;

    real->C_GetSlotList(CK_TRUE, slots, &n);
    for (i = 0; i < n; i++)
        real->C_CloseAllSessions(slots[i]);
}

static void restart(bool again)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

    real->C_Finalize(NULL);
    if (again)
        real->C_Initialize(&args);
}

static void lose(void)
{
    enum p11shim_loss loss = atomic_exchange(&control.loss, P11SHIM_NOTHING);

    if (loss == P11SHIM_SESSIONS)
        drop_sessions();
    else if (loss == P11SHIM_LOGOUT)
        control.rv = CKR_USER_NOT_LOGGED_IN;
    else if (loss != P11SHIM_NOTHING)
        restart(loss == P11SHIM_RESTART);
}

/* whether the call that begins is the one to be cut */
static enum p11shim_cut cut_now(void)
{
    const int n = ++control.calls;

    return n == control.cut_at ? control.cut : P11SHIM_UNCUT;
}

static bool before(enum p11shim_cut cut)
{
    if (cut == P11SHIM_KILLED)
        kill(getpid(), SIGKILL);
    return cut != P11SHIM_REFUSED;
}

static CK_RV after(enum p11shim_cut cut, CK_RV rv)
{
    if (cut == P11SHIM_KILLED_LATE)
        kill(getpid(), SIGKILL);
    return cut == P11SHIM_UNCUT ? rv : control.cut_rv;
}

/* every call is counted, and these do no more than that, unless it is cut */
#define CALL(name, parameters, arguments)                                      \
    static CK_RV count_##name parameters                                       \
    {                                                                          \
        const enum p11shim_cut cut = cut_now();                                \
        const CK_RV rv = before(cut) ? real->name arguments : CKR_OK;          \
        return after(cut, rv);                                                 \
    }
#include "tests/bench/p11calls.h"
#undef CALL

/* one injected return code, or the one of the call */
static CK_RV or_fault(void)
{
    return atomic_exchange(&control.rv, CKR_OK);
}

static CK_RV sign_init(CK_SESSION_HANDLE s, CK_MECHANISM_PTR m,
                       CK_OBJECT_HANDLE k)
{
    CK_RV rv;

    control.sign_init++;
    lose();
    rv = or_fault();
    return rv != CKR_OK ? rv : count_C_SignInit(s, m, k);
}

static CK_RV sign(CK_SESSION_HANDLE s, CK_BYTE_PTR in, CK_ULONG n,
                  CK_BYTE_PTR out, CK_ULONG_PTR out_n)
{
    control.sign++;
    return count_C_Sign(s, in, n, out, out_n);
}

static CK_RV login(CK_SESSION_HANDLE s, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin,
                   CK_ULONG n)
{
    if (user == CKU_CONTEXT_SPECIFIC) {
        control.again++;
        return control.again_rv;
    }
    control.login++;
    control.officer += user == CKU_SO;
    return count_C_Login(s, user, pin, n);
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *app,
                          CK_NOTIFY notify, CK_SESSION_HANDLE *out)
{
    control.open++;
    if (control.max_sessions > 0 &&
        control.open - control.close > control.max_sessions) {
        control.open--;
        return CKR_SESSION_COUNT;
    }
    return count_C_OpenSession(slot, flags, app, notify, out);
}

static CK_RV close_session(CK_SESSION_HANDLE s)
{
    control.close++;
    return count_C_CloseSession(s);
}

static CK_RV get_attributes(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o,
                            CK_ATTRIBUTE_PTR a, CK_ULONG n)
{
    CK_RV rv = count_C_GetAttributeValue(s, o, a, n);
    CK_ULONG i;

    for (i = 0; i < n && control.always_auth; i++)
        if (a[i].type == CKA_ALWAYS_AUTHENTICATE && a[i].pValue != NULL) {
            *(CK_BBOOL *)a[i].pValue = CK_TRUE;
            a[i].ulValueLen = sizeof(CK_BBOOL);
        }
    return rv;
}

static CK_RV finalize(void *reserved)
{
    control.finalize++;
    return count_C_Finalize(reserved);
}

static CK_RV create(CK_SESSION_HANDLE s, CK_ATTRIBUTE_PTR a, CK_ULONG n,
                    CK_OBJECT_HANDLE *o)
{
    CK_ULONG i;

    for (i = 0; i < n && control.not_destroyable; i++)
        if (a[i].type == CKA_DESTROYABLE)
            return CKR_ATTRIBUTE_TYPE_INVALID;
    for (i = 0; i < n && control.spoil; i++)
        if (a[i].type == CKA_VALUE && a[i].ulValueLen > 1)
            a[i].ulValueLen--;
    if (control.twice)
        count_C_CreateObject(s, a, n, o);
    return count_C_CreateObject(s, a, n, o);
}

static int load(void)
{
    CK_C_GetFunctionList get;
    void *dl = dlopen(getenv("P11SHIM_REAL"), RTLD_NOW | RTLD_LOCAL);

    if (dl == NULL)
        return 0;
    *(void **)(void *)&get = dlsym(dl, "C_GetFunctionList");
    if (get == NULL || get(&real) != CKR_OK)
        return 0;
    list = *real;
#define CALL(name, parameters, arguments) list.name = count_##name;
#include "tests/bench/p11calls.h"
#undef CALL
    list.C_SignInit = sign_init;
    list.C_Sign = sign;
    list.C_Login = login;
    list.C_OpenSession = open_session;
    list.C_CloseSession = close_session;
    list.C_GetAttributeValue = get_attributes;
    list.C_Finalize = finalize;
    list.C_CreateObject = create;
    list.C_GetFunctionList = C_GetFunctionList;
    return 1;
}

SHOW CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out)
{
    if (real == NULL && !load())
        return CKR_GENERAL_ERROR;
    *out = &list;
    return CKR_OK;
}
