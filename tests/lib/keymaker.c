/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of every type in a token. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/x509.h>

#include "tests/lib/keymaker.h"

#define CKM_MONTGOMERY_GEN 0x1056UL /* Cryptoki 3.0 */

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

/* --- modules --- */

static bool load(struct maker *m, const char *path)
{
    p11soft_control_fn *control;
    CK_C_GetFunctionList get;
    void *dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (dl == NULL)
        return false;
    setenv("HWKEY_PKCS11_MODULE", path, 1);
    *(void **)(void *)&control = dlsym(dl, "p11soft_control");
    m->soft = control != NULL ? control() : NULL;
    *(void **)(void *)&get = dlsym(dl, "C_GetFunctionList");
    return get(&m->f) == CKR_OK && m->f->C_Initialize(NULL) == CKR_OK;
}

/* the first token there is, logged in */
static bool enter(struct maker *m)
{
    CK_SLOT_ID slots[8];
    CK_ULONG n = 8;
    CK_UTF8CHAR pin[] = "1234";

    CK_RV rv;

    if (m->f->C_GetSlotList(CK_TRUE, slots, &n) != CKR_OK || n == 0 ||
        m->f->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
                            NULL, &m->s) != CKR_OK)
        return false;
    rv = m->f->C_Login(m->s, CKU_USER, pin, 4);
    return rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN;
}

bool maker_soft(struct maker *m)
{
    const char *top = getenv("top_builddir");
    char path[512];

    memset(m, 0, sizeof(*m));
    unsetenv("P11SOFT_CONF");
    snprintf(path, sizeof(path), "%s/.libs/p11soft.so",
             top != NULL ? top : ".");
    return load(m, path) && enter(m);
}

static const char *softhsm(void)
{
    static const char *const paths[] = {
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
    };
    size_t i;

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (access(paths[i], R_OK) == 0)
            return paths[i];
    return NULL;
}

bool maker_softhsm(struct maker *m)
{
    char path[300];
    FILE *f;

    memset(m, 0, sizeof(*m));
    if (softhsm() == NULL)
        return false;
    snprintf(m->dir, sizeof(m->dir), "%s/hwkmaker.XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    if (mkdtemp(m->dir) == NULL)
        return false;
    snprintf(path, sizeof(path), "%s/softhsm2.conf", m->dir);
    f = fopen(path, "w");
    fprintf(f,
            "directories.tokendir = %s\nobjectstore.backend = file\n"
            "log.level = ERROR\n",
            m->dir);
    fclose(f);
    setenv("SOFTHSM2_CONF", path, 1);
    return system("softhsm2-util --init-token --free --label hwkey --pin 1234 "
                  "--so-pin 5678 >/dev/null 2>&1") == 0 &&
           load(m, softhsm()) && enter(m);
}

void maker_end(struct maker *m)
{
    char command[300];

    if (m->f != NULL)
        m->f->C_CloseSession(m->s);
    snprintf(command, sizeof(command), "rm -rf '%s'", m->dir);
    if (m->dir[0] != 0 && system(command) != 0)
        fprintf(stderr, "%s stays\n", m->dir);
}

/* --- objects --- */

static CK_ULONG named(CK_ATTRIBUTE *a, const char *id, const char *label)
{
    CK_ULONG n = 0;

    a[n++] = (CK_ATTRIBUTE){CKA_TOKEN, &yes, 1};
    if (id != NULL)
        a[n++] = (CK_ATTRIBUTE){CKA_ID, (void *)(uintptr_t)id, strlen(id)};
    if (label != NULL)
        a[n++] =
            (CK_ATTRIBUTE){CKA_LABEL, (void *)(uintptr_t)label, strlen(label)};
    return n;
}

static CK_MECHANISM_TYPE generation(const struct hwk_curve *curve)
{
    if (curve == NULL)
        return CKM_RSA_PKCS_KEY_PAIR_GEN;
    return curve->type == HWK_KEY_EC   ? CKM_EC_KEY_PAIR_GEN
           : curve->type == HWK_KEY_ED ? CKM_EC_EDWARDS_KEY_PAIR_GEN
                                       : CKM_MONTGOMERY_GEN;
}

CK_RV maker_pair(struct maker *m, const struct hwk_curve *curve, const char *id,
                 const char *label, const CK_MECHANISM_TYPE *allowed, size_t n,
                 struct made *out)
{
    static CK_ULONG bits = 2048;
    static uint8_t f4[] = {1, 0, 1};
    CK_MECHANISM mech = {generation(curve), NULL, 0};
    bool signs = curve == NULL || curve->type != HWK_KEY_X;
    CK_ATTRIBUTE pub[8], priv[10];
    CK_ULONG a = named(pub, id, label), b = named(priv, id, label);

    if (curve == NULL) {
        pub[a++] = (CK_ATTRIBUTE){CKA_MODULUS_BITS, &bits, sizeof(bits)};
        pub[a++] = (CK_ATTRIBUTE){CKA_PUBLIC_EXPONENT, f4, sizeof(f4)};
        priv[b++] = (CK_ATTRIBUTE){CKA_DECRYPT, &yes, 1};
    } else {
        pub[a++] = (CK_ATTRIBUTE){CKA_EC_PARAMS, (void *)(uintptr_t)curve->oid,
                                  curve->oid_len};
    }
    pub[a++] = (CK_ATTRIBUTE){CKA_PRIVATE, &no, 1};
    priv[b++] = (CK_ATTRIBUTE){CKA_PRIVATE, &yes, 1};
    priv[b++] = (CK_ATTRIBUTE){CKA_SIGN, signs ? &yes : &no, 1};
    if (curve != NULL && curve->type != HWK_KEY_ED)
        priv[b++] = (CK_ATTRIBUTE){CKA_DERIVE, &yes, 1};
    if (n > 0)
        priv[b++] =
            (CK_ATTRIBUTE){CKA_ALLOWED_MECHANISMS, (void *)(uintptr_t)allowed,
                           n * sizeof(*allowed)};
    return m->f->C_GenerateKeyPair(m->s, &mech, pub, a, priv, b, &out->pub,
                                   &out->priv);
}

CK_OBJECT_HANDLE maker_cert(struct maker *m, const char *id, const char *label,
                            X509 *x)
{
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    CK_CERTIFICATE_TYPE type = CKC_X_509;
    unsigned char *der = NULL, *subject = NULL;
    int n = i2d_X509(x, &der);
    int n_subject = i2d_X509_NAME(X509_get_subject_name(x), &subject);
    CK_ATTRIBUTE a[8];
    CK_ULONG k = named(a, id, label);
    CK_OBJECT_HANDLE h = 0;

    a[k++] = (CK_ATTRIBUTE){CKA_CLASS, &class, sizeof(class)};
    a[k++] = (CK_ATTRIBUTE){CKA_CERTIFICATE_TYPE, &type, sizeof(type)};
    a[k++] = (CK_ATTRIBUTE){CKA_SUBJECT, subject, (CK_ULONG)n_subject};
    a[k++] = (CK_ATTRIBUTE){CKA_PRIVATE, &no, 1};
    a[k++] = (CK_ATTRIBUTE){CKA_VALUE, der, (CK_ULONG)n};
    assert_int_equal(m->f->C_CreateObject(m->s, a, k, &h), CKR_OK);
    OPENSSL_free(der);
    OPENSSL_free(subject);
    return h;
}

CK_RV maker_set(struct maker *m, CK_OBJECT_HANDLE h, CK_ATTRIBUTE_TYPE type,
                const void *p, size_t n)
{
    CK_ATTRIBUTE a = {type, (void *)(uintptr_t)p, n};

    return m->f->C_SetAttributeValue(m->s, h, &a, 1);
}

void maker_wipe(struct maker *m)
{
    CK_OBJECT_HANDLE h[64];
    CK_ULONG n, i;

    if (m->f->C_FindObjectsInit(m->s, NULL, 0) != CKR_OK) {
        m->f->C_Initialize(NULL); /* the session was lost, or all of them */
        assert_true(enter(m));
        assert_int_equal(m->f->C_FindObjectsInit(m->s, NULL, 0), CKR_OK);
    }
    m->f->C_FindObjects(m->s, h, 64, &n);
    m->f->C_FindObjectsFinal(m->s);
    for (i = 0; i < n; i++)
        m->f->C_DestroyObject(m->s, h[i]);
}
