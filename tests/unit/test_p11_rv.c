/* SPDX-License-Identifier: Apache-2.0 */
/* A module that answers every function with every return code: whatever is
 * done ends soon, well or with a reason, and all is well afterwards. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "provider/device/p11.h"
#include "tests/lib/p11_soft_fn.h"
#include "tests/lib/soft_token.h"

#define TOKEN "pkcs11:token=soft"
#define CALLS_MAX 250 /* of one operation, whatever fails in it */

static EVP_PKEY *key;
static char pin[16] = "1234";
static unsigned pins;

static const char *at(const char *what)
{
    static char uri[128];

    snprintf(uri, sizeof(uri), TOKEN "%s?pin-value=%s", what, pin);
    return uri;
}

static int begin(void **state)
{
    if (soft_begin(state) != 0)
        return -1;
    tell("slot 1 label=soft");
    tell("slot 2 label=other pin=9999");
    key = soft_make("P-256", at(";id=%01;object=k"));
    return 0;
}

static int end(void **state)
{
    EVP_PKEY_free(key);
    return soft_end(state);
}

/* --- what is done while the module fails --- */

static int sign(void)
{
    return soft_signs(key);
}

/* with everything that comes before: session, login, search */
static int recover(void)
{
    tell("do sessions");
    return soft_signs(key);
}

static int start(void)
{
    tell("do finalize");
    return soft_signs(key);
}

static int open_it(void)
{
    EVP_PKEY *k =
        open_key(&soft_w, at(";object=k"), OSSL_STORE_INFO_PKEY, NULL);
    int ok = k != NULL;

    EVP_PKEY_free(k);
    return ok;
}

static int load(void)
{
    EVP_PKEY_free(key);
    key = NULL;
    world_close(&soft_w);
    return world_open(&soft_w, "dh") && open_it();
}

static int make(void)
{
    EVP_PKEY *k = make_key(&soft_w, "EC", "P-256", 0, at(";id=%02;object=m"));
    int ok = k != NULL;

    EVP_PKEY_free(k);
    return ok;
}

static int count(void *arg, const struct hwk_object_info *o)
{
    (void)o;
    ++*(int *)arg;
    return 1;
}

static int device(void)
{
    const char *uri = TOKEN ";object=d;type=data";
    const struct hwk_device_ops *ops;
    struct hwk_device_info info;
    struct hwk_device *dev;
    uint8_t back[8];
    size_t n = sizeof(back);
    void *ctx;
    int ok, seen = 0;

    ops = world_ops(&soft_w, &ctx);
    if (!ops->open(ctx, at(""), NULL, &dev))
        return 0;
    ok = ops->info(dev, &info) && ops->list(dev, count, &seen) &&
         ops->write(dev, uri, (const uint8_t *)"data", 4, 0) &&
         ops->read(dev, uri, back, &n, NULL) && ops->erase(dev, uri);
    ops->close(dev);
    return ok;
}

/* --- and what has to hold --- */

/* what was made, half or whole, is taken away by somebody else */
static void tidy(void)
{
    CK_SESSION_HANDLE s;
    CK_OBJECT_HANDLE h[8];
    uint8_t id = 2;
    char label[] = "d";
    CK_ATTRIBUTE by_id = {CKA_ID, &id, 1}, by_label = {CKA_LABEL, label, 1};
    CK_ULONG n = 0, i;

    soft_f->C_Initialize(NULL);
    if (soft_f->C_OpenSession(1, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
                              NULL, &s) != CKR_OK)
        return;
    soft_f->C_Login(s, CKU_USER, (CK_UTF8CHAR *)pin, strlen(pin));
    soft_f->C_FindObjectsInit(s, &by_id, 1);
    soft_f->C_FindObjects(s, h, 8, &n);
    soft_f->C_FindObjectsFinal(s);
    for (i = 0; i < n; i++)
        soft_f->C_DestroyObject(s, h[i]);
    soft_f->C_FindObjectsInit(s, &by_label, 1);
    soft_f->C_FindObjects(s, h, 8, &n);
    soft_f->C_FindObjectsFinal(s);
    for (i = 0; i < n; i++)
        soft_f->C_DestroyObject(s, h[i]);
    soft_f->C_CloseSession(s);
}

static bool refuses_pin(CK_RV rv)
{
    return rv == CKR_PIN_INCORRECT || rv == CKR_PIN_INVALID ||
           rv == CKR_PIN_LEN_RANGE;
}

/* the token said that this PIN is wrong: it is not to be used again */
static void new_pin(void)
{
    EVP_PKEY_free(key);
    snprintf(pin, sizeof(pin), "%u", 5000 + ++pins);
    tell("slot 1 pin=%s", pin);
    key = NULL;
}

/* an object without attributes, or one that goes meanwhile, is not there */
static bool hides(enum soft_fn fn, CK_RV rv)
{
    return fn == SOFT_C_GetAttributeValue &&
           (rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID ||
            rv == CKR_BUFFER_TOO_SMALL || rv == CKR_OBJECT_HANDLE_INVALID);
}

static void check(const char *what, enum soft_fn fn, const char *name, CK_RV rv,
                  int ok)
{
    bool login = fn == SOFT_C_Login && refuses_pin(rv);

    if (ok && ERR_peek_error() != 0)
        fail_msg("%s, %s %s: errors after success", what, name,
                 p11_rv_name(rv));
    if (!ok && hwk_reason() == 0 && !hides(fn, rv))
        fail_msg("%s, %s %s: fails without a reason", what, name,
                 p11_rv_name(rv));
    ERR_clear_error();
    if (soft->calls(NULL) > CALLS_MAX)
        fail_msg("%s, %s %s: %u calls", what, name, p11_rv_name(rv),
                 soft->calls(NULL));
    if (login && soft->calls("C_Login") > 1)
        fail_msg("%s, %s: tried %u times", what, p11_rv_name(rv),
                 soft->calls("C_Login"));
}

static void well_again(const char *what, const char *name, CK_RV rv)
{
    tell("forget");
    tidy();
    if (key == NULL)
        key = open_key(&soft_w, at(";object=k"), OSSL_STORE_INFO_PKEY, NULL);
    if (key == NULL || !soft_signs(key)) {
        ERR_print_errors_fp(stderr);
        fail_msg("%s, %s %s: broken ever after", what, name, p11_rv_name(rv));
    }
}

#define NAME(name) #name,
static const char *const names[] = {SOFT_FUNCTIONS(NAME)};

static void with(const char *what, int (*run)(void), enum soft_fn fn, CK_RV rv,
                 const char *how)
{
    int ok;

    tell("forget");
    ERR_clear_error();
    tell("on %s %s=0x%lx", names[fn], how, rv);
    ok = run();
    check(what, fn, names[fn], rv, ok);
    if (fn == SOFT_C_Login && refuses_pin(rv))
        new_pin();
    well_again(what, names[fn], rv);
}

/* which functions does it call at all? */
static void every(const char *what, int (*run)(void))
{
    bool used[SOFT_FN_COUNT];
    CK_RV rv;
    int fn;

    tell("forget");
    run();
    for (fn = 0; fn < SOFT_FN_COUNT; fn++)
        used[fn] = soft->calls(names[fn]) > 0;
    well_again(what, "nothing", CKR_OK);
    for (fn = 0; fn < SOFT_FN_COUNT; fn++)
        for (rv = 1; used[fn] && rv <= 0x201; rv++) {
            if (rv < 0x201 && strncmp(p11_rv_name(rv), "CKR_", 4) != 0)
                continue;
            if (rv == 0x201)
                rv = CKR_VENDOR_DEFINED | 7;
            with(what, run, (enum soft_fn)fn, rv, "rv");
            with(what, run, (enum soft_fn)fn, rv, "times=0 rv");
            if (fn != SOFT_C_Login) /* there is no PIN left to find out */
                with(what, run, (enum soft_fn)fn, rv, "late");
        }
}

#define EVERY(name)                                                            \
    static void every_##name(void **state)                                     \
    {                                                                          \
        (void)state;                                                           \
        every(#name, name);                                                    \
    }
EVERY(sign)
EVERY(recover)
EVERY(start)
EVERY(open_it)
EVERY(load)
EVERY(make)
EVERY(device)

int main(void)
{
#define T(fn) cmocka_unit_test_setup(fn, soft_each)
    const struct CMUnitTest tests[] = {
        T(every_sign), T(every_recover), T(every_start),  T(every_open_it),
        T(every_load), T(every_make),    T(every_device),
    };

    patience(600); /* nothing of this may wait for ever */
    return cmocka_run_group_tests(tests, begin, end);
}
