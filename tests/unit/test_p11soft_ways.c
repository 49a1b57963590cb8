/* SPDX-License-Identifier: Apache-2.0 */
/* The tests' own PKCS#11 module: objects, logins, and failing as it is told. */
#include "tests/unit/p11soft_use.h"

/* --- objects --- */

static void imports(void **state)
{
    static uint8_t seed[32] = {1, 2, 3};
    static uint8_t oid[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_KEY_TYPE type = CKK_EC_EDWARDS;
    CK_ATTRIBUTE a[] = {{CKA_CLASS, &class, sizeof(class)},
                        {CKA_KEY_TYPE, &type, sizeof(type)},
                        {CKA_TOKEN, &yes, 1},
                        {CKA_PRIVATE, &yes, 1},
                        {CKA_EC_PARAMS, oid, sizeof(oid)},
                        {CKA_VALUE, seed, sizeof(seed)}};
    CK_MECHANISM mech = {CKM_EDDSA, NULL, 0};
    CK_ATTRIBUTE value = {CKA_VALUE, NULL, 0};
    EVP_PKEY *same = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL,
                                                     seed, sizeof(seed));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t sig[64], want[64];
    size_t n = sizeof(want);
    CK_OBJECT_HANDLE h;
    CK_BBOOL local;

    (void)state;
    OK(f->C_CreateObject(s, a, 6, &h));
    assert_int_equal(sign(&mech, h, "m", 1, sig, sizeof(sig)), 64);
    EVP_DigestSignInit(ctx, NULL, NULL, NULL, same);
    EVP_DigestSign(ctx, want, &n, (const uint8_t *)"m", 1);
    assert_memory_equal(sig, want, 64);
    assert_int_equal(value_of(h, CKA_LOCAL, &local, 1), 1);
    assert_false(local);
    assert_int_equal(f->C_GetAttributeValue(s, h, &value, 1),
                     CKR_ATTRIBUTE_SENSITIVE);
    OK(f->C_DestroyObject(s, h));
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(same);
}

static void permissions(void **state)
{
    CK_MECHANISM_TYPE only = CKM_RSA_PKCS_PSS;
    CK_ATTRIBUTE pss[] = {{CKA_ALLOWED_MECHANISMS, &only, sizeof(only)}};
    CK_ATTRIBUTE mute[] = {{CKA_SIGN, &no, 1}};
    CK_MECHANISM mech = {CKM_RSA_PKCS, NULL, 0};
    struct pair p = make_rsa(1024);

    (void)state;
    OK(f->C_SetAttributeValue(s, p.priv, pss, 1));
    assert_int_equal(f->C_SignInit(s, &mech, p.priv), CKR_MECHANISM_INVALID);
    OK(f->C_SetAttributeValue(s, p.priv, mute, 1));
    assert_int_equal(f->C_SignInit(s, &mech, p.priv),
                     CKR_KEY_FUNCTION_NOT_PERMITTED);
    drop(&p);
}

static size_t find_private(CK_OBJECT_HANDLE *out, size_t max)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE a = {CKA_CLASS, &class, sizeof(class)};
    CK_ULONG n = 0;

    OK(f->C_FindObjectsInit(s, &a, 1));
    OK(f->C_FindObjects(s, out, max, &n));
    OK(f->C_FindObjectsFinal(s));
    return n;
}

static void handles_are_dealt_anew(void **state)
{
    CK_MECHANISM mech = {CKM_ECDSA, NULL, 0};
    struct pair a = make_ec("EC", NID_X9_62_prime256v1);
    struct pair b = make_ec("EC", NID_X9_62_prime256v1);
    CK_OBJECT_HANDLE h[4];
    uint8_t sig[64];

    (void)state;
    assert_int_equal(find_private(h, 4), 2);
    assert_int_equal(h[0], a.priv);
    TELL("do restart");
    assert_int_equal(f->C_SignInit(s, &mech, a.priv),
                     CKR_SESSION_HANDLE_INVALID);
    log_in();
    sign(&mech, a.priv, digest, 32, sig, sizeof(sig)); /* that is b's now */
    assert_false(ecdsa_verifies(a.key, sig, 64));
    assert_true(ecdsa_verifies(b.key, sig, 64));
    assert_int_equal(find_private(h, 4), 2);
    OK(f->C_DestroyObject(s, h[0]));
    OK(f->C_DestroyObject(s, h[1]));
    EVP_PKEY_free(a.key);
    EVP_PKEY_free(b.key);
}

static void kept_in_a_file(void **state)
{
    CK_MECHANISM mech = {CKM_ECDSA, NULL, 0};
    char dir[256], line[400], path[300];
    CK_OBJECT_HANDLE h[4];
    uint8_t sig[64];
    struct pair p;

    (void)state;
    snprintf(dir, sizeof(dir), "%s/p11soft.XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/token", dir);
    snprintf(line, sizeof(line), "slot 1 file=%s", path);
    TELL(line);
    p = make_ec("EC", NID_X9_62_prime256v1);
    assert_int_equal(access(path, R_OK), 0);
    snprintf(line, sizeof(line), "slot 7 serial=0007 file=%s", path);
    TELL(line); /* the same objects, as another process would have them */
    OK(f->C_OpenSession(7, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                        &s));
    OK(f->C_Login(s, CKU_USER, pin, 4));
    assert_int_equal(find_private(h, 4), 1);
    sign(&mech, h[0], digest, 32, sig, sizeof(sig));
    assert_true(ecdsa_verifies(p.key, sig, 64));
    OK(f->C_DestroyObject(s, h[0])); /* seen at once by the first */
    OK(f->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s));
    assert_int_equal(find_private(h, 4), 0);
    TELL("slot 1 file=");
    TELL("slot 7 file= empty");
    EVP_PKEY_free(p.key);
    unlink(path);
    rmdir(dir);
}

/* --- logins --- */

static CK_FLAGS flags(void)
{
    CK_TOKEN_INFO info;

    OK(f->C_GetTokenInfo(1, &info));
    return info.flags & (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY |
                         CKF_USER_PIN_LOCKED);
}

static void pins_are_counted(void **state)
{
    CK_UTF8CHAR bad[] = "nope";

    (void)state;
    assert_int_equal(f->C_Login(s, CKU_USER, pin, 4),
                     CKR_USER_ALREADY_LOGGED_IN);
    OK(f->C_Logout(s));
    assert_int_equal(flags(), 0);
    assert_int_equal(f->C_Login(s, CKU_USER, bad, 4), CKR_PIN_INCORRECT);
    assert_int_equal(flags(), CKF_USER_PIN_COUNT_LOW);
    assert_int_equal(f->C_Login(s, CKU_USER, bad, 4), CKR_PIN_INCORRECT);
    assert_int_equal(flags(), CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY);
    assert_int_equal(f->C_Login(s, CKU_USER, bad, 4), CKR_PIN_INCORRECT);
    assert_int_equal(flags(), CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_LOCKED);
    assert_int_equal(f->C_Login(s, CKU_USER, pin, 4), CKR_PIN_LOCKED);
    TELL("slot 1 pin=4321");
    assert_int_equal(f->C_Login(s, CKU_USER, pin, 4), CKR_PIN_INCORRECT);
    TELL("slot 1 pin=1234");
    OK(f->C_Login(s, CKU_USER, pin, 4));
}

static void for_each_use(void **state)
{
    CK_MECHANISM mech = {CKM_ECDSA, NULL, 0};
    struct pair p;
    uint8_t sig[64];
    CK_ULONG n = sizeof(sig);
    CK_BYTE in[32] = {1};

    (void)state;
    TELL("slot 1 always-auth");
    p = make_ec("EC", NID_X9_62_prime256v1);
    TELL("slot 1 not-always-auth");
    assert_int_equal(f->C_Login(s, CKU_CONTEXT_SPECIFIC, pin, 4),
                     CKR_OPERATION_NOT_INITIALIZED);
    OK(f->C_SignInit(s, &mech, p.priv));
    assert_int_equal(f->C_Sign(s, in, 32, sig, &n), CKR_USER_NOT_LOGGED_IN);
    OK(f->C_SignInit(s, &mech, p.priv));
    OK(f->C_Login(s, CKU_CONTEXT_SPECIFIC, pin, 4));
    n = sizeof(sig);
    OK(f->C_Sign(s, in, 32, sig, &n));
    drop(&p);
}

/* --- what goes wrong --- */

static void fails_when_told(void **state)
{
    CK_SLOT_ID ids[4];
    CK_ULONG n = 4;

    (void)state;
    assert_int_equal(soft->calls("C_GetSlotList"), 0);
    TELL("on C_GetSlotList nth=2 times=2 rv=0x30");
    TELL("on C_CloseSession slot=9 times=0 rv=0x30");
    OK(f->C_GetSlotList(CK_TRUE, ids, &n));
    assert_int_equal(f->C_GetSlotList(CK_TRUE, ids, &n), CKR_DEVICE_ERROR);
    assert_int_equal(f->C_GetSlotList(CK_TRUE, ids, &n), CKR_DEVICE_ERROR);
    OK(f->C_GetSlotList(CK_TRUE, ids, &n));
    assert_int_equal(soft->calls("C_GetSlotList"), 4);
    assert_int_equal(n, 1);
    TELL("on C_Verify rv=0x6"); /* also what it has not */
    assert_int_equal(f->C_Verify(s, NULL, 0, NULL, 0), CKR_FUNCTION_FAILED);
    TELL("on C_CloseSession late=0x30");
    assert_int_equal(f->C_CloseSession(s), CKR_DEVICE_ERROR);
    assert_int_equal(f->C_CloseSession(s), CKR_SESSION_HANDLE_INVALID);
    assert_false(soft->tell("on C_Nothing rv=1"));
    assert_false(soft->tell("on C_Sign"));
    assert_false(soft->tell("do rv=1"));
    assert_false(soft->tell("slot one"));
    assert_false(soft->tell("what"));
}

static void tokens_come_and_go(void **state)
{
    CK_SLOT_ID ids[4];
    CK_SESSION_INFO info;
    CK_TOKEN_INFO token;
    CK_ULONG n = 4;

    (void)state;
    TELL("slot 2 label=two");
    OK(f->C_GetSlotList(CK_TRUE, ids, &n));
    assert_int_equal(n, 2);
    TELL("do remove=1");
    assert_int_equal(f->C_GetSessionInfo(s, &info), CKR_SESSION_HANDLE_INVALID);
    assert_int_equal(f->C_GetTokenInfo(1, &token), CKR_TOKEN_NOT_PRESENT);
    OK(f->C_GetSlotList(CK_TRUE, ids, &n));
    assert_int_equal(n, 1);
    TELL("do insert=1");
    TELL("do move");
    OK(f->C_GetTokenInfo(1, &token));
    assert_memory_equal(token.label, "two ", 4);
    TELL("do move");
    TELL("slot 2 empty");
    TELL("do finalize");
    assert_int_equal(f->C_GetTokenInfo(1, &token),
                     CKR_CRYPTOKI_NOT_INITIALIZED);
    OK(f->C_Initialize(NULL));
}

static void *waits(void *arg)
{
    CK_SESSION_INFO info;

    *(CK_RV *)arg = f->C_GetSessionInfo(s, &info);
    return NULL;
}

static void holds(void **state)
{
    CK_RV rv = CKR_GENERAL_ERROR;
    CK_SLOT_INFO info;
    pthread_t id;

    (void)state;
    TELL("on C_GetSessionInfo hold");
    pthread_create(&id, NULL, waits, &rv);
    soft->await_held(1);
    OK(f->C_GetSlotInfo(1, &info)); /* others go on */
    assert_int_equal(rv, CKR_GENERAL_ERROR);
    TELL("release");
    pthread_join(id, NULL);
    OK(rv);
}

static int child(void)
{
    CK_SESSION_INFO info;

    if (f->C_GetSessionInfo(s, &info) != CKR_CRYPTOKI_NOT_INITIALIZED ||
        f->C_Initialize(NULL) != CKR_OK ||
        f->C_GetSessionInfo(s, &info) != CKR_SESSION_HANDLE_INVALID)
        return 1;
    return 0;
}

static int used_after_its_end(void)
{
    touch_at_exit = true;
    exit(0);
}

static int killed_within(void)
{
    CK_SESSION_INFO info;

    soft->tell("on C_GetSessionInfo kill");
    return (int)f->C_GetSessionInfo(s, &info);
}

static int end_of(int (*in_child)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(in_child());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void processes(void **state)
{
    CK_SESSION_INFO info;
    int status = end_of(child);

    (void)state;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    OK(f->C_GetSessionInfo(s, &info));
    status = end_of(used_after_its_end);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    status = end_of(killed_within);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, each, after)
    const struct CMUnitTest tests[] = {
        T(imports),         T(permissions),        T(handles_are_dealt_anew),
        T(kept_in_a_file),  T(pins_are_counted),   T(for_each_use),
        T(fails_when_told), T(tokens_come_and_go), T(holds),
        T(processes),
    };

    return cmocka_run_group_tests(tests, begin, NULL);
}
