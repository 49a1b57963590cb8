/* SPDX-License-Identifier: Apache-2.0 */
/* Two tokens with one label: a PIN is never sent to the other one, the serial
 * number tells them apart, also when their slots change places. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/raw_use.h"

#define LABEL "pkcs11:token=twin"
#define FIRST "pkcs11:token=twin;serial=0001"
#define SECOND "pkcs11:token=twin;serial=0002"
#define PIN1 "?pin-value=1111"
#define PIN2 "?pin-value=2222"

/* asked by LeakSanitizer: what the parent has open is no leak of a child */
static int is_child;
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return is_child;
}

static int begin_twins(void **state)
{
    static const char *const slots[] = {
        "slot 1 label=twin serial=0001 pin=1111",
        "slot 2 label=twin serial=0002 pin=2222", NULL};

    (void)state;
    return begin_with(slots) ? 0 : -1;
}

/* where the token with the serial number is by now */
static CK_SLOT_ID slot_of(const char *serial)
{
    CK_TOKEN_INFO info;
    CK_SLOT_ID id;

    for (id = 1; id <= 2; id++)
        if (raw_f->C_GetTokenInfo(id, &info) == CKR_OK &&
            memcmp(info.serialNumber, serial, 4) == 0)
            return id;
    fail_msg("%s is nowhere", serial);
    return 0;
}

static void wipe(const char *serial, const char *pin)
{
    CK_SESSION_HANDLE s = raw_enter(slot_of(serial), pin);

    raw_wipe(s);
    raw_leave(s);
}

/* both empty, and a provider that has not logged in */
static int each_twin(void **state)
{
    (void)state;
    world_close(&w);
    TELL("forget");
    raw_f->C_Initialize(NULL); /* it may have ended with the provider */
    TELL("slot 1 pin=1111");
    TELL("slot 2 pin=2222");
    wipe("0001", "1111");
    wipe("0002", "2222");
    ERR_clear_error();
    prompts = 0;
    return world_open(&w, "dh") ? 0 : -1;
}

static void put(const char *serial, const char *pin, const char *id)
{
    CK_SESSION_HANDLE s = raw_enter(slot_of(serial), pin);

    raw_pair(s, "k", id);
    raw_leave(s);
}

/* no token has seen a wrong PIN */
static void nothing_wrong(void)
{
    CK_TOKEN_INFO info;
    CK_SLOT_ID id;

    for (id = 1; id <= 2; id++) {
        assert_int_equal(raw_f->C_GetTokenInfo(id, &info), CKR_OK);
        assert_int_equal(info.flags &
                             (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY |
                              CKF_USER_PIN_LOCKED),
                         0);
    }
}

static EVP_PKEY *opened(const char *uri)
{
    return open_key(&w, uri, OSSL_STORE_INFO_PKEY, NULL);
}

static void refused(const char *uri, int reason)
{
    TELL("forget");
    assert_null(opened(uri));
    assert_int_equal(hwk_reason(), reason);
    assert_int_equal(raw_soft->calls("C_Login"), 0);
    nothing_wrong();
}

static void signs(EVP_PKEY *key)
{
    assert_non_null(key);
    assert_true(sign_verify(&w, key, "SHA256", NO_PSS));
    assert_int_equal(ERR_peek_error(), 0);
}

/* --- which one --- */

/* it shows its public half: that is where the PIN goes */
static void one_has_it(void **state)
{
    EVP_PKEY *key, *same;

    (void)state;
    put("0002", "2222", "7");
    key = opened(LABEL ";id=7" PIN2);
    signs(key);
    nothing_wrong();
    same = opened(SECOND ";object=k" PIN2);
    assert_int_equal(EVP_PKEY_eq(key, same), 1);
    EVP_PKEY_free(same);
    EVP_PKEY_free(key);
    assert_null(opened(FIRST ";id=7" PIN1));
    ERR_clear_error();
    nothing_wrong();
}

static void both_have_it(void **state)
{
    EVP_PKEY *first, *second;

    (void)state;
    put("0001", "1111", "7");
    put("0002", "2222", "7");
    refused(LABEL ";id=7" PIN1, HWK_R_BAD_URI);
    refused(LABEL ";id=7" PIN2, HWK_R_BAD_URI);
    refused("pkcs11:id=7" PIN2, HWK_R_BAD_URI);
    first = opened(FIRST ";id=7" PIN1);
    second = opened(SECOND ";id=7" PIN2);
    signs(first);
    signs(second);
    assert_int_not_equal(EVP_PKEY_eq(first, second), 1);
    nothing_wrong();
    EVP_PKEY_free(first);
    EVP_PKEY_free(second);
}

/* the PIN of the one does not log in to the other, which says so once */
static void pin_of_the_other(void **state)
{
    (void)state;
    put("0001", "1111", "7");
    put("0002", "2222", "7");
    refused("pkcs11:token=twin;serial=0003;id=7" PIN1, HWK_R_NO_DEVICE);
    TELL("forget");
    assert_null(opened(FIRST ";id=7?pin-value=9999"));
    assert_int_equal(hwk_reason(), HWK_R_PIN_INCORRECT);
    assert_int_equal(raw_soft->calls("C_Login"), 1);
}

/* nowhere does the public half show: no guess */
static void hidden_in_both(void **state)
{
    static const char *const serials[] = {"0001", "0002"};
    static const char *const pins[] = {"1111", "2222"};
    int i;

    (void)state;
    for (i = 0; i < 2; i++) {
        CK_SESSION_HANDLE s = raw_enter(slot_of(serials[i]), pins[i]);
        CK_OBJECT_HANDLE h = 0;

        raw_pair(s, "k", "7");
        raw_count(s, CKO_PUBLIC_KEY, "k", &h);
        assert_int_equal(raw_f->C_DestroyObject(s, h), CKR_OK);
        raw_leave(s);
    }
    refused(LABEL ";id=7" PIN1, HWK_R_BAD_URI);
    refused(LABEL ";id=7" PIN2, HWK_R_BAD_URI);
}

/* --- places change --- */

static void places_change(void **state)
{
    static const char *const also[] = {"do restart", "do finalize",
                                       "do sessions", "do logout"};
    EVP_PKEY *first, *second;
    size_t i;

    (void)state;
    put("0001", "1111", "7");
    put("0002", "2222", "7");
    first = opened(FIRST ";id=7" PIN1);
    second = opened(SECOND ";id=7" PIN2);
    for (i = 0; i < sizeof(also) / sizeof(also[0]); i++) {
        EVP_PKEY *again;

        TELL("do move");
        TELL(also[i]);
        signs(i % 2 == 0 ? first : second);
        signs(first);
        signs(second);
        again = opened(SECOND ";id=7" PIN2);
        assert_int_equal(EVP_PKEY_eq(again, second), 1);
        EVP_PKEY_free(again);
        nothing_wrong();
    }
    EVP_PKEY_free(first);
    EVP_PKEY_free(second);
}

/* --- in children --- */

static int child(EVP_PKEY *first, EVP_PKEY *second)
{
    CK_TOKEN_INFO info;
    CK_SLOT_ID id;
    EVP_PKEY *again;

    is_child = 1;
    signal(SIGSEGV, SIG_DFL); /* cmocka would go on with the next test */
    alarm(60);
    if (!sign_verify(&w, second, "SHA256", NO_PSS) ||
        !sign_verify(&w, first, "SHA256", NO_PSS))
        return 1;
    again = opened(FIRST ";id=7" PIN1);
    if (again == NULL || EVP_PKEY_eq(again, first) != 1)
        return 2;
    for (id = 1; id <= 2; id++)
        if (raw_f->C_GetTokenInfo(id, &info) != CKR_OK ||
            (info.flags & CKF_USER_PIN_COUNT_LOW) != 0)
            return 3;
    return 0;
}

static void move_after_a_fork(void **state)
{
    EVP_PKEY *first, *second;
    int i, status;
    pid_t pid;

    (void)state;
    put("0001", "1111", "7");
    put("0002", "2222", "7");
    first = opened(FIRST ";id=7" PIN1);
    second = opened(SECOND ";id=7" PIN2);
    signs(first);
    signs(second);
    TELL("do move-on-fork");
    for (i = 0; i < 2; i++) {
        fflush(NULL);
        pid = fork();
        if (pid == 0)
            _exit(child(first, second));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        signs(first);
        signs(second);
        nothing_wrong();
    }
    EVP_PKEY_free(first);
    EVP_PKEY_free(second);
}

#define T(test) cmocka_unit_test_setup(test, each_twin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_has_it),    T(both_have_it),      T(hidden_in_both),
        T(places_change), T(move_after_a_fork), T(pin_of_the_other),
    };

    return cmocka_run_group_tests(tests, begin_twins, end);
}
