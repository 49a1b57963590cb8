/* SPDX-License-Identifier: Apache-2.0 */
/* A PKCS#11 module before the one that P11CUT_REAL names. Beside it, so that
 * each copy has its own, may lie the files plan (see cut.h) and, with the label
 * of a token: away, it is not in its slot while that file is there; gone, the
 * same, and its sessions are, too; broken, it does not sign. slow: so many
 * milliseconds are the least that a signature takes. */
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>
#include <poll.h>
#include <stdlib.h>

#include <p11-kit/pkcs11.h>

#include "tests/lib/cut.h"

#define SHOW __attribute__((visibility("default")))

static CK_FUNCTION_LIST list, *real;
static struct cut cut;

#define CALL(name, parameters, arguments)                                      \
    static CK_RV cut_##name parameters                                         \
    {                                                                          \
        CK_RV rv;                                                              \
                                                                               \
        cut_before(&cut);                                                      \
        rv = real->name arguments;                                             \
        cut_after(&cut);                                                       \
        return rv;                                                             \
    }
#include "tests/bench/p11calls.h"
#undef CALL

static char beside[400]; /* the directory of this module */

static void find_directory(void)
{
    Dl_info here;
    const char *slash;

    if (dladdr(&list, &here) == 0 ||
        (slash = strrchr(here.dli_fname, '/')) == NULL)
        return;
    snprintf(beside, sizeof(beside), "%.*s", (int)(slash - here.dli_fname),
             here.dli_fname);
}

static void read_plan(void)
{
    char plan[sizeof(beside) + 8];

    snprintf(plan, sizeof(plan), "%s/plan", beside);
    cut_read(&cut, plan);
}

/* --- a token that is away --- */

static int label_in(const char *file, char label[33])
{
    char path[sizeof(beside) + 8];
    FILE *f;
    int there;

    snprintf(path, sizeof(path), "%s/%s", beside, file);
    f = fopen(path, "re");
    if (f == NULL)
        return 0;
    there = fscanf(f, "%32[^\n]", label) == 1;
    fclose(f);
    return there;
}

static int is_in(const char *file, CK_SLOT_ID slot)
{
    CK_TOKEN_INFO info;
    char label[33];
    size_t n;

    if (!label_in(file, label) || real->C_GetTokenInfo(slot, &info) != CKR_OK)
        return 0;
    n = strlen(label);
    return memcmp(info.label, label, n) == 0 &&
           (n == sizeof(info.label) || info.label[n] == ' ');
}

static int is_away(CK_SLOT_ID slot)
{
    return is_in("away", slot) || is_in("gone", slot);
}

static CK_RV away_C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    return is_away(slot) ? CKR_TOKEN_NOT_PRESENT
                         : cut_C_GetTokenInfo(slot, info);
}

static CK_RV away_C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *arg,
                                CK_NOTIFY notify, CK_SESSION_HANDLE *out)
{
    return is_away(slot) ? CKR_TOKEN_NOT_PRESENT
                         : cut_C_OpenSession(slot, flags, arg, notify, out);
}

static CK_RV away_C_SignInit(CK_SESSION_HANDLE s, CK_MECHANISM *m,
                             CK_OBJECT_HANDLE key)
{
    CK_SESSION_INFO info;

    if (real->C_GetSessionInfo(s, &info) != CKR_OK)
        return cut_C_SignInit(s, m, key);
    if (is_in("gone", info.slotID))
        real->C_CloseAllSessions(info.slotID);
    if (is_away(info.slotID))
        return CKR_DEVICE_REMOVED;
    return is_in("broken", info.slotID) ? CKR_DEVICE_ERROR
                                        : cut_C_SignInit(s, m, key);
}

static CK_RV away_C_Sign(CK_SESSION_HANDLE s, CK_BYTE_PTR data, CK_ULONG n,
                         CK_BYTE_PTR signature, CK_ULONG_PTR room)
{
    char ms[33];

    if (signature != NULL && label_in("slow", ms))
        poll(NULL, 0, atoi(ms));
    return cut_C_Sign(s, data, n, signature, room);
}

/* "NUMBER erase": killed as so many objects have been destroyed */
static CK_RV away_C_DestroyObject(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o)
{
    static unsigned long erased;
    CK_RV rv = cut_C_DestroyObject(s, o);

    erased++;
    if (strcmp(cut.how, "erase") == 0) {
        cut.calls = erased;
        if (cut_strikes(&cut, "erase"))
            kill(getpid(), SIGKILL);
    }
    return rv;
}

static int load(void)
{
    CK_C_GetFunctionList get;
    const char *path = getenv("P11CUT_REAL");
    void *dl = path != NULL ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;

    if (dl == NULL)
        return 0;
    *(void **)(void *)&get = dlsym(dl, "C_GetFunctionList");
    if (get == NULL || get(&real) != CKR_OK)
        return 0;
    list = *real;
#define CALL(name, parameters, arguments) list.name = cut_##name;
#include "tests/bench/p11calls.h"
#undef CALL
    list.C_GetTokenInfo = away_C_GetTokenInfo;
    list.C_OpenSession = away_C_OpenSession;
    list.C_SignInit = away_C_SignInit;
    list.C_Sign = away_C_Sign;
    list.C_DestroyObject = away_C_DestroyObject;
    list.C_GetFunctionList = C_GetFunctionList;
    find_directory();
    read_plan();
    return 1;
}

SHOW CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out)
{
    if (real == NULL && !load())
        return CKR_GENERAL_ERROR;
    *out = &list;
    return CKR_OK;
}
