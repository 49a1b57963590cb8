/* SPDX-License-Identifier: Apache-2.0 */
/* A PKCS#11 module before the one that P11COUNT_REAL names: counts calls. */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include <p11-kit/pkcs11.h>

#include "tests/bench/count.h"

#define SHOW __attribute__((visibility("default")))

static CK_FUNCTION_LIST list, *real;
static atomic_uint_least64_t calls, bytes;

SHOW count_fn bench_count, bench_bytes;
uint64_t bench_count(void)
{
    return calls;
}

uint64_t bench_bytes(void)
{
    return bytes;
}

#define CALL(name, parameters, arguments)                                      \
    static CK_RV count_##name parameters                                       \
    {                                                                          \
        calls++;                                                               \
        return real->name arguments;                                           \
    }
#include "tests/bench/p11calls.h"
#undef CALL

/* what is to be signed or hashed is measured too */
#define GIVEN(name, parameters, arguments)                                     \
    static CK_RV given_##name parameters                                       \
    {                                                                          \
        bytes += n;                                                            \
        return count_##name arguments;                                         \
    }
#define WHOLE                                                                  \
    (CK_SESSION_HANDLE s, CK_BYTE * in, CK_ULONG n, CK_BYTE * out,             \
     CK_ULONG * out_n)
#define PART (CK_SESSION_HANDLE s, CK_BYTE * in, CK_ULONG n)
GIVEN(C_Sign, WHOLE, (s, in, n, out, out_n))
GIVEN(C_SignUpdate, PART, (s, in, n))
GIVEN(C_Digest, WHOLE, (s, in, n, out, out_n))
GIVEN(C_DigestUpdate, PART, (s, in, n))

static int load(void)
{
    CK_C_GetFunctionList get;
    const char *path = getenv("P11COUNT_REAL");
    void *dl = path != NULL ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;

    if (dl == NULL)
        return 0;
    *(void **)(void *)&get = dlsym(dl, "C_GetFunctionList");
    if (get == NULL || get(&real) != CKR_OK)
        return 0;
    list = *real;
#define CALL(name, parameters, arguments) list.name = count_##name;
#include "tests/bench/p11calls.h"
#undef CALL
    list.C_Sign = given_C_Sign;
    list.C_SignUpdate = given_C_SignUpdate;
    list.C_Digest = given_C_Digest;
    list.C_DigestUpdate = given_C_DigestUpdate;
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
