/* SPDX-License-Identifier: Apache-2.0 */
/* The floor of a token: its Cryptoki module, called directly. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ecdsa.h>
#include <p11-kit/pkcs11.h>

#include "tests/bench/bench.h"

#define SLOTS 16

static struct {
    CK_FUNCTION_LIST *f;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    EVP_MD *md;
} raw;

static int done(CK_RV rv, const char *what)
{
    if (rv == CKR_OK)
        return 1;
    fprintf(stderr, "bench: %s: 0x%lx\n", what, rv);
    return 0;
}
#define TRY(name, ...)                                                         \
    do {                                                                       \
        if (!done(raw.f->name(__VA_ARGS__), #name))                            \
            return 0;                                                          \
    } while (0)

static int load_module(void)
{
    CK_C_GetFunctionList get = NULL;
    const char *path = getenv("HWKEY_PKCS11_MODULE");
    void *dl = path != NULL ? dlopen(path, RTLD_NOW) : NULL;

    if (dl != NULL)
        *(void **)(void *)&get = dlsym(dl, "C_GetFunctionList");
    return get != NULL && done(get(&raw.f), "C_GetFunctionList");
}

static int initialize(void)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    CK_RV rv = raw.f->C_Initialize(&args);

    return rv == CKR_CRYPTOKI_ALREADY_INITIALIZED || done(rv, "C_Initialize");
}

static int find_slot(CK_SLOT_ID *out)
{
    CK_SLOT_ID slots[SLOTS];
    CK_TOKEN_INFO info;
    CK_ULONG i, n = SLOTS;

    TRY(C_GetSlotList, CK_TRUE, slots, &n);
    for (i = 0; i < n; i++) {
        TRY(C_GetTokenInfo, slots[i], &info);
        if (memcmp(info.label, "bench ", 6) == 0) {
            *out = slots[i];
            return 1;
        }
    }
    return bench_fail("no token named bench");
}

static int login(CK_SLOT_ID slot)
{
    CK_UTF8CHAR pin[] = BENCH_PIN;
    CK_RV rv;

    TRY(C_OpenSession, slot, CKF_SERIAL_SESSION, NULL, NULL, &raw.session);
    rv = raw.f->C_Login(raw.session, CKU_USER, pin, sizeof(pin) - 1);
    return rv == CKR_USER_ALREADY_LOGGED_IN || done(rv, "C_Login");
}

static int find_key(enum alg alg)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    char label[16];
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
                        {CKA_LABEL, label, strlen(alg_label(alg))}};
    CK_ULONG n = 0;

    snprintf(label, sizeof(label), "%s", alg_label(alg));
    TRY(C_FindObjectsInit, raw.session, t, 2);
    TRY(C_FindObjects, raw.session, &raw.key, 1, &n);
    TRY(C_FindObjectsFinal, raw.session);
    return n == 1 || bench_fail("no key in the token");
}

int raw_token_open(struct contestant *c)
{
    raw.md = EVP_MD_fetch(NULL, "SHA256", NULL);
    return raw.md != NULL && load_module() && raw_token_load(c);
}

int raw_token_load(struct contestant *c)
{
    CK_SLOT_ID slot = 0;

    return (raw.f != NULL || load_module()) && initialize() &&
           find_slot(&slot) && login(slot) && find_key(c->alg);
}

/* r and s side by side, as a Cryptoki module gives them, in DER */
static int to_der(const CK_BYTE *rs, CK_ULONG n, unsigned char *der,
                  size_t *der_n)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(rs, (int)n / 2, NULL);
    BIGNUM *s = BN_bin2bn(rs + n / 2, (int)n / 2, NULL);
    int len = ECDSA_SIG_set0(sig, r, s) ? i2d_ECDSA_SIG(sig, &der) : 0;

    ECDSA_SIG_free(sig);
    *der_n = len > 0 ? (size_t)len : 0;
    return len > 0;
}

/* C_SignInit and C_Sign; *sig_n is the room on entry */
static int sign(CK_MECHANISM_TYPE type, const CK_BYTE *in, size_t n,
                unsigned char *sig, size_t *sig_n)
{
    union {
        const CK_BYTE *c;
        CK_BYTE *p;
    } lent = {in};
    CK_MECHANISM mech = {.mechanism = type};
    CK_ULONG room = *sig_n;

    TRY(C_SignInit, raw.session, &mech, raw.key);
    TRY(C_Sign, raw.session, lent.p, n, sig, &room);
    *sig_n = room;
    return 1;
}

int raw_token_signature(enum alg alg, const unsigned char *message, size_t n,
                        unsigned char *sig, size_t *sig_n)
{
    CK_BYTE info[51] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60,
                        0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
                        0x01, 0x05, 0x00, 0x04, 0x20};
    CK_BYTE rs[512];
    size_t rs_n = sizeof(rs);

    if (alg == ED25519)
        return sign(CKM_EDDSA, message, n, sig, sig_n);
    if (!EVP_Digest(message, n, info + 19, NULL, raw.md, NULL))
        return bench_fail("no digest");
    if (alg == RSA2048)
        return sign(CKM_RSA_PKCS, info, sizeof(info), sig, sig_n);
    return sign(CKM_ECDSA, info + 19, 32, rs, &rs_n) &&
           to_der(rs, rs_n, sig, sig_n);
}

int raw_token_sign(struct contestant *c)
{
    unsigned char sig[512];
    size_t n, sig_n = sizeof(sig);
    const unsigned char *message = message_of(c, &n);

    return raw_token_signature(c->alg, message, n, sig, &sig_n);
}
