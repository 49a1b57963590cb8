/* SPDX-License-Identifier: Apache-2.0 */
/* A PKCS#11 module before the one that P11TALLY_REAL names: adds a byte to the
 * file P11TALLY_FILE for each signature, so that the size of that file is the
 * number of signatures of all processes that share it. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

#define SHOW __attribute__((visibility("default")))

static CK_FUNCTION_LIST list, *real;
static int tally = -1;

static CK_RV count_C_Sign(CK_SESSION_HANDLE session, CK_BYTE *data,
                          CK_ULONG data_len, CK_BYTE *sig, CK_ULONG *sig_len)
{
    CK_RV rv = real->C_Sign(session, data, data_len, sig, sig_len);

    if (rv == CKR_OK && sig != NULL && write(tally, ".", 1) != 1)
        return CKR_DEVICE_MEMORY;
    return rv;
}

static int load(void)
{
    CK_C_GetFunctionList get;
    const char *path = getenv("P11TALLY_REAL"), *file = getenv("P11TALLY_FILE");
    void *dl = path != NULL ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;

    if (dl == NULL || file == NULL)
        return 0;
    tally = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    *(void **)(void *)&get = dlsym(dl, "C_GetFunctionList");
    if (tally < 0 || get == NULL || get(&real) != CKR_OK)
        return 0;
    list = *real;
    list.C_Sign = count_C_Sign;
    list.C_GetFunctionList = C_GetFunctionList;
    return 1;
}

SHOW CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out)
{
    if (list.C_Sign == NULL && !load())
        return CKR_GENERAL_ERROR;
    *out = &list;
    return CKR_OK;
}
