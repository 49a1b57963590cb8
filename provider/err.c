/* SPDX-License-Identifier: Apache-2.0 */
/* The library "hwkey" on libcrypto's error queue, its reasons in words. */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include <openssl/err.h>

#include "provider/err.h"
#include "provider/log.h"

static ERR_STRING_DATA strings[] = {
    {ERR_PACK(0, 0, HWK_R_NOT_FOUND), "no such object"},
    {ERR_PACK(0, 0, HWK_R_NO_DEVICE), "no such device"},
    {ERR_PACK(0, 0, HWK_R_PIN_INCORRECT), "PIN incorrect"},
    {ERR_PACK(0, 0, HWK_R_PIN_LOCKED), "PIN locked"},
    {ERR_PACK(0, 0, HWK_R_PIN_MISSING), "PIN needed"},
    {ERR_PACK(0, 0, HWK_R_BAD_URI), "bad URI"},
    {ERR_PACK(0, 0, HWK_R_EXISTS), "object exists"},
    {ERR_PACK(0, 0, HWK_R_LOCKOUT), "TPM in lockout"},
    {ERR_PACK(0, 0, HWK_R_NV_FULL), "no room for an NV index"},
    {ERR_PACK(0, 0, HWK_R_POLICY), "policy not satisfied"},
    {ERR_PACK(0, 0, HWK_R_AUTH), "authorization value wrong"},
    {ERR_PACK(0, 0, HWK_R_MEMORY), "out of memory"},
    {ERR_PACK(0, 0, HWK_R_ARGUMENT), "bad argument"},
    {ERR_PACK(0, 0, HWK_R_CONFIG), "bad configuration"},
    {ERR_PACK(0, 0, HWK_R_UNSUPPORTED), "not supported by this device"},
    {ERR_PACK(0, 0, HWK_R_TPM), "TPM error"},
    {ERR_PACK(0, 0, HWK_R_PKCS11), "token error"},
    {ERR_PACK(0, 0, HWK_R_MODULE), "PKCS#11 module"},
    {ERR_PACK(0, 0, HWK_R_KEY), "unusable key"},
    {ERR_PACK(0, 0, HWK_R_IN_USE), "in use"},
    {ERR_PACK(0, 0, HWK_R_PARAM), "bad parameter"},
    {ERR_PACK(0, 0, HWK_R_DIGEST), "digest not allowed"},
    {ERR_PACK(0, 0, HWK_R_PADDING), "padding not allowed"},
    {ERR_PACK(0, 0, HWK_R_FORMAT), "bad format"},
    {ERR_PACK(0, 0, HWK_R_FILE), "file"},
    {ERR_PACK(0, 0, HWK_R_DELEGATE), "software side failed"},
    {ERR_PACK(0, 0, HWK_R_PRIVATE), "the private key stays in its device"},
    {ERR_PACK(0, 0, HWK_R_COMPARE), "reads back differently"},
    {ERR_PACK(0, 0, HWK_R_FAULT), "injected fault"},
    {ERR_PACK(0, 0, HWK_R_PIN_UNUSABLE), "PIN not usable"},
    {ERR_PACK(0, 0, HWK_R_BUS), "the TPM or its bus is not to be trusted"},
    {0, NULL},
};
static ERR_STRING_DATA name[] = {{0, "hwkey"}, {0, NULL}};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int lib;
static atomic_bool loaded;

int hwk_err_lib(void)
{
    int number = lib;

    if (atomic_load(&loaded))
        return number;
    pthread_mutex_lock(&lock);
    if (lib == 0)
        lib = ERR_get_next_error_library() & 0xff;
    if (!loaded) {
        name[0].error = ERR_PACK(lib, 0, 0);
        ERR_load_strings(lib, strings);
        ERR_load_strings(lib, name);
        loaded = true;
    }
    number = lib;
    pthread_mutex_unlock(&lock);
    return number;
}

void hwk_err_unload(void)
{
    pthread_mutex_lock(&lock);
    if (loaded) {
        ERR_unload_strings(lib, strings);
        ERR_unload_strings(lib, name);
    }
    loaded = false;
    pthread_mutex_unlock(&lock);
}

/* who held it may have been within: what is not loaded is loaded again */
void hwk_err_forked(void)
{
    pthread_mutex_init(&lock, NULL);
}

static const char *reason_text(int reason)
{
    size_t i;

    for (i = 0; strings[i].string != NULL; i++)
        if (ERR_GET_REASON(strings[i].error) == reason)
            return strings[i].string;
    return "unknown";
}

static void log_error(int reason, const char *fmt, va_list args)
{
    char text[512];

    vsnprintf(text, sizeof(text), fmt, args);
    hwk_log_line("error", "reason", reason_text(reason), "text", text,
                 (const char *)NULL);
}

int hwk_raise_at(const char *file, int line, const char *func, int reason,
                 const char *fmt, ...)
{
    va_list args;

    if (hwk_log_on(HWK_LOG_ERROR)) {
        va_start(args, fmt);
        log_error(reason, fmt, args);
        va_end(args);
    }
    ERR_new();
    ERR_set_debug(file, line, func);
    va_start(args, fmt);
    ERR_vset_error(hwk_err_lib(), reason, fmt, args);
    va_end(args);
    return 0;
}

int hwk_raise_bare(int reason)
{
    ERR_new();
    ERR_set_error(hwk_err_lib(), reason, NULL);
    return 0;
}

void hwk_mark(void)
{
    ERR_set_mark();
}

int hwk_settle(int ok)
{
    if (ok)
        ERR_pop_to_mark();
    else
        ERR_clear_last_mark();
    return ok;
}

bool hwk_err_is(int reason)
{
    unsigned long e = ERR_peek_last_error();

    return ERR_GET_LIB(e) == hwk_err_lib() && ERR_GET_REASON(e) == reason;
}
