/* SPDX-License-Identifier: Apache-2.0 */
/* The provider with the PKCS#11 module made of memory. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/soft_token.h"

const struct p11soft *soft;
CK_FUNCTION_LIST *soft_f;
struct world soft_w;

int soft_begin(void **state)
{
    p11soft_control_fn *control;
    CK_C_GetFunctionList get;
    const char *top = getenv("top_builddir");
    char path[512];
    void *dl;

    (void)state;
    snprintf(path, sizeof(path), "%s/.libs/p11soft.so",
             top != NULL ? top : ".");
    unsetenv("P11SOFT_CONF");
    setenv("HWKEY_PKCS11_MODULE", path, 1);
    dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (dl == NULL)
        return -1;
    *(void **)(void *)&control = dlsym(dl, "p11soft_control");
    *(void **)(void *)&get = dlsym(dl, "C_GetFunctionList");
    soft = control();
    return get(&soft_f) == CKR_OK && world_open(&soft_w, "dh") ? 0 : -1;
}

int soft_end(void **state)
{
    (void)state;
    world_close(&soft_w);
    return 0;
}

int soft_each(void **state)
{
    (void)state;
    tell("forget");
    ERR_clear_error();
    prompts = 0;
    return 0;
}

void tell(const char *fmt, ...)
{
    char line[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (!soft->tell(line))
        fail_msg("the module does not understand '%s'", line);
}

EVP_PKEY *soft_key(const char *uri)
{
    EVP_PKEY *key = open_key(&soft_w, uri, OSSL_STORE_INFO_PKEY, NULL);

    if (key == NULL)
        ERR_print_errors_fp(stderr);
    assert_non_null(key);
    return key;
}

EVP_PKEY *soft_make(const char *type, const char *uri)
{
    bool rsa = strcmp(type, "RSA") == 0;
    EVP_PKEY *key =
        make_key(&soft_w, rsa ? "RSA" : "EC", rsa ? NULL : type, 2048, uri);

    if (key == NULL)
        ERR_print_errors_fp(stderr);
    assert_non_null(key);
    return key;
}

int soft_signs(EVP_PKEY *key)
{
    int ok = sign_verify(&soft_w, key, "SHA256", NO_PSS);

    if (ok)
        assert_int_equal(ERR_peek_error(), 0);
    return ok;
}

CK_SESSION_HANDLE soft_foreign(CK_SLOT_ID slot)
{
    CK_SESSION_HANDLE h = 0;

    assert_int_equal(
        soft_f->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &h),
        CKR_OK);
    return h;
}
