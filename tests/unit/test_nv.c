/* SPDX-License-Identifier: Apache-2.0 */
/* NV indices as the library asks for them: what it hands to the provider's
 * table and makes of its answers, the table being one of our own; and what a
 * token says to each. */
#include "tests/unit/codec.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#include "key/nv.h"
#include "provider/err.h"
#include "tests/lib/softhsm.h"

#define INDEX 0x01801234
#define NAMED "tpm2:handle=0x01801234"
#define DEVICE "tpm2:"
#define OWNER 0x40000001

static char dir[64];
static bool have_token;

/* --- a provider's table of our own ---------------------------------------- */

static struct {
    const char *call; /* the last that was made */
    int reason;       /* what it fails with; 0: it succeeds */
    bool silent;      /* it fails and does not say why */
    int left;
} door;
static char it; /* stands for the provider's device */

static int answers(const char *call, struct hwk_device *dev)
{
    assert_ptr_equal(dev, (struct hwk_device *)&it);
    assert_int_equal(ERR_peek_error(), 0); /* what was there is gone */
    door.call = call;
    if (door.silent)
        return 0;
    return door.reason ? hwk_raise(door.reason, "%s said no", call) : 1;
}

static const struct hwk_nv nv = {.index = INDEX, .size = 5};
static const struct hwk_nv_by by = {.handle = OWNER};
static const uint8_t digest[32] = {9, 8, 7};

static int door_enter(struct hwk_device *dev)
{
    return answers("enter", dev);
}

static void door_leave(struct hwk_device *dev)
{
    assert_ptr_equal(dev, (struct hwk_device *)&it);
    door.left++;
}

static int door_look(struct hwk_device *dev, uint32_t index, struct hwk_nv *out)
{
    assert_int_equal(index, INDEX);
    if (!answers("look", dev))
        return 0;
    *out = nv;
    return 1;
}

static int door_read(struct hwk_device *dev, const struct hwk_nv *index,
                     uint8_t *out)
{
    assert_ptr_equal(index, &nv);
    if (!answers("read", dev))
        return 0;
    memcpy(out, "value", 5);
    return 1;
}

static int door_define(struct hwk_device *dev, const struct hwk_nv *index,
                       uint32_t hierarchy)
{
    assert_ptr_equal(index, &nv);
    assert_int_equal(hierarchy, OWNER);
    return answers("define", dev);
}

static int door_write(struct hwk_device *dev, const struct hwk_nv *index,
                      const struct hwk_nv_by *who, const uint8_t *data,
                      size_t n)
{
    assert_ptr_equal(index, &nv);
    assert_ptr_equal(who, &by);
    assert_int_equal(n, 5);
    assert_memory_equal(data, "bytes", 5);
    return answers("write", dev);
}

#define BY(call)                                                               \
    static int door_##call(struct hwk_device *dev, const struct hwk_nv *index, \
                           const struct hwk_nv_by *who)                        \
    {                                                                          \
        assert_ptr_equal(index, &nv);                                          \
        assert_ptr_equal(who, &by);                                            \
        return answers(#call, dev);                                            \
    }
BY(undefine)
BY(lock)
BY(increment)

static int put(uint8_t *out, size_t *n, size_t room, const char *what)
{
    assert_int_equal(*n, room);
    *n = strlen(what);
    memcpy(out, what, *n);
    return 1;
}

static int door_certify(struct hwk_device *dev, const char *key_uri,
                        const struct hwk_nv *index, const uint8_t *nonce,
                        size_t n, uint8_t *attest, size_t *attest_n,
                        uint8_t *sig, size_t *sig_n, uint8_t *pub,
                        size_t *pub_n)
{
    assert_string_equal(key_uri, "tpm2:handle=0x81010002");
    assert_ptr_equal(index, &nv);
    assert_int_equal(n, 5);
    assert_memory_equal(nonce, "nonce", 5);
    put(attest, attest_n, HWK_ATTEST_MAX, "attest");
    put(sig, sig_n, HWK_ATTEST_SIGNATURE_MAX, "sig");
    put(pub, pub_n, HWK_ATTEST_PUBLIC_MAX, "public");
    return answers("certify", dev);
}

static int door_pcr_read(struct hwk_device *dev, uint32_t pcrs, uint8_t out[32])
{
    assert_int_equal(pcrs, 0x81);
    if (!answers("pcr_read", dev))
        return 0;
    memcpy(out, digest, 32);
    return 1;
}

static int door_pcr_extend(struct hwk_device *dev, unsigned pcr,
                           const uint8_t value[32])
{
    assert_int_equal(pcr, 12);
    assert_memory_equal(value, digest, 32);
    return answers("pcr_extend", dev);
}

static int door_facts(struct hwk_device *dev, unsigned what,
                      struct hwk_tpm_facts *out)
{
    assert_int_equal(what, HWK_FACTS_CLOCK);
    if (!answers("facts", dev))
        return 0;
    *out = (struct hwk_tpm_facts){.reset_count = 77};
    return 1;
}

static const struct hwk_nv_ops door_ops = {
    .enter = door_enter,
    .leave = door_leave,
    .look = door_look,
    .read = door_read,
    .define = door_define,
    .undefine = door_undefine,
    .write = door_write,
    .lock = door_lock,
    .increment = door_increment,
    .certify = door_certify,
    .pcr_read = door_pcr_read,
    .pcr_extend = door_pcr_extend,
    .facts = door_facts,
};

static int door_open(void *ctx, const char *uri,
                     const struct hwk_pin_source *pin, struct hwk_device **out)
{
    (void)ctx;
    (void)uri;
    (void)pin;
    *out = (struct hwk_device *)&it;
    return 1;
}

static void door_close(struct hwk_device *dev)
{
    assert_ptr_equal(dev, (struct hwk_device *)&it);
}

static const struct hwk_device_ops with_indices = {
    .version = HWK_DEVICE_OPS_VERSION,
    .open = door_open,
    .close = door_close,
    .nv = &door_ops,
};
static const struct hwk_device_ops without_indices = {
    .version = HWK_DEVICE_OPS_VERSION,
    .open = door_open,
    .close = door_close,
};

/* --- the provider that has it --------------------------------------------- */

static const struct hwk_device_ops *instead; /* NULL: its own */
static OSSL_FUNC_provider_get_params_fn *own_params;

static int get_params(void *ctx, OSSL_PARAM params[])
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, HWK_PARAM_DEVICE_OPS);
    if (!own_params(ctx, params))
        return 0;
    return !p || !instead ||
           OSSL_PARAM_set_octet_ptr(p, instead, sizeof(*instead));
}

/* The real one, so that errors are its own. */
static int init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                const OSSL_DISPATCH **out, void **ctx)
{
    static OSSL_DISPATCH all[16];
    const OSSL_DISPATCH *own;
    if (!hwk_provider_init(handle, in, &own, ctx))
        return 0;
    for (size_t i = 0; own[i].function_id; i++) {
        assert_true(i < 15);
        all[i] = own[i];
        if (own[i].function_id == OSSL_FUNC_PROVIDER_GET_PARAMS) {
            own_params = OSSL_FUNC_provider_get_params(&own[i]);
            all[i].function = (void (*)(void))get_params;
        }
    }
    *out = all;
    return own_params != NULL;
}

static int setup(void **state)
{
    (void)state;
    test_dir(dir);
    unsetenv("HWKEY_PKCS11_MODULE");
    have_token =
        softhsm_module() && softhsm_use(dir, dir) && softhsm_token("unit");
    const struct idv_provider_conf conf = {
        .pkcs11_module = have_token ? softhsm_module() : NULL};
    return idv_provider_setup(init, &conf) == IDV_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    test_dir_drop(dir);
    return 0;
}

static struct idv_device *opened(const struct hwk_device_ops *ops,
                                 const char *uri)
{
    struct idv_device *dev = NULL;
    instead = ops;
    memset(&door, 0, sizeof(door));
    OK(idv_device_open(uri, NULL, &dev));
    return dev;
}

/* --- what the library asks ------------------------------------------------ */

/* outputs, marked so that it shows who wrote there */
static struct {
    struct hwk_nv nv;
    bool found;
    uint8_t data[5], pcrs[32];
    struct idvi_nv_proof proof;
    struct hwk_tpm_facts facts;
} got, before;

static void mark(bool found)
{
    memset(&got, 0x5a, sizeof(got));
    got.found = found;
    before = got;
}

#define CALL(name, ...)                                                        \
    static idv_rc ask_##name(struct idv_device *dev, int *why)                 \
    {                                                                          \
        return idvi_nv_##name(dev, ##__VA_ARGS__, why);                        \
    }
CALL(enter)
CALL(look, INDEX, &got.found, &got.nv)
CALL(read, &nv, &got.found, got.data)
CALL(define, &nv, OWNER)
CALL(undefine, &nv, &by)
CALL(write, &nv, &by, idv_str("bytes"))
CALL(lock, &nv, &by)
CALL(increment, &nv, &by)
CALL(certify, "tpm2:handle=0x81010002", &nv, idv_str("nonce"), &got.proof)
CALL(pcr_read, 0x81, got.pcrs)
CALL(pcr_extend, 12, digest)
CALL(facts, HWK_FACTS_CLOCK, &got.facts)

static const struct ask {
    const char *name;
    idv_rc (*ask)(struct idv_device *dev, int *why);
    const char *about; /* whom a note names */
} asks[] = {
#define ASK(name, about)                                                       \
    {                                                                          \
#name, ask_##name, about                                               \
    }
    ASK(enter, DEVICE),    ASK(look, NAMED),        ASK(read, NAMED),
    ASK(define, NAMED),    ASK(undefine, NAMED),    ASK(write, NAMED),
    ASK(lock, NAMED),      ASK(increment, NAMED),   ASK(certify, NAMED),
    ASK(pcr_read, DEVICE), ASK(pcr_extend, DEVICE), ASK(facts, DEVICE),
};
#define ASKS (sizeof(asks) / sizeof(*asks))

static void handed_on_and_back(void **state)
{
    struct idv_device *dev = opened(&with_indices, DEVICE);
    (void)state;
    mark(false);
    for (size_t i = 0; i < ASKS; i++) {
        int why = -1;
        ERR_raise(ERR_LIB_USER, 1); /* somebody else's */
        OK(asks[i].ask(dev, &why));
        OK(asks[i].ask(dev, NULL));
        assert_string_equal(door.call, asks[i].name);
        assert_int_equal(why, 0);
        assert_int_equal(ERR_peek_error(), 0);
    }
    assert_true(got.found);
    assert_memory_equal(&got.nv, &nv, sizeof(nv));
    assert_memory_equal(got.data, "value", 5);
    assert_memory_equal(got.pcrs, digest, 32);
    assert_int_equal(got.facts.reset_count, 77);
    assert_int_equal(got.proof.attest_n, 6);
    assert_memory_equal(got.proof.attest, "attest", 6);
    assert_int_equal(got.proof.sig_n, 3);
    assert_memory_equal(got.proof.sig, "sig", 3);
    assert_int_equal(got.proof.pub_n, 6);
    assert_memory_equal(got.proof.pub, "public", 6);
    assert_int_equal(door.left, 0);
    idvi_nv_leave(dev);
    assert_int_equal(door.left, 1);
    idv_device_close(dev);
}

/* --- failures ------------------------------------------------------------- */

static const struct {
    int reason, why;
    idv_rc rc;
} failures[] = {
    {HWK_R_NO_DEVICE, HWK_R_NO_DEVICE, IDV_E_DEVICE},
    {HWK_R_BAD_URI, HWK_R_BAD_URI, IDV_E_ARG},
    {HWK_R_EXISTS, HWK_R_EXISTS, IDV_E_STATE},
    {HWK_R_LOCKOUT, HWK_R_LOCKOUT, IDV_E_DEVICE},
    {HWK_R_NV_FULL, HWK_R_NV_FULL, IDV_E_DEVICE},
    {HWK_R_POLICY, HWK_R_POLICY, IDV_E_DEVICE},
    {HWK_R_AUTH, HWK_R_AUTH, IDV_E_DEVICE},
    {HWK_R_BUS, HWK_R_BUS, IDV_E_DEVICE},
    {HWK_R_UNSUPPORTED, HWK_R_UNSUPPORTED, IDV_E_DEVICE},
    {HWK_R_KEY, HWK_R_KEY, IDV_E_DEVICE},
    {HWK_R_TPM, 0, IDV_E_DEVICE}, /* not for others to act upon */
    {HWK_R_MEMORY, 0, IDV_E_DEVICE},
};

static void fails(struct idv_device *dev, const struct ask *a, idv_rc rc,
                  int reason, const char *said)
{
    int why = -1;
    for (int found = 0; found < 2; found++) {
        mark(found);
        FAILS(rc, said, a->ask(dev, &why));
        assert_int_equal(why, reason);
        FAILS(rc, a->about, a->ask(dev, NULL));
        assert_int_equal(ERR_peek_error(), 0);
        assert_int_equal(got.found, found);
        assert_memory_equal(&got.nv, &before.nv, sizeof(got.nv));
        assert_memory_equal(got.data, before.data, sizeof(got.data));
        assert_memory_equal(got.pcrs, before.pcrs, sizeof(got.pcrs));
        assert_memory_equal(&got.proof, &before.proof, sizeof(got.proof));
        assert_memory_equal(&got.facts, &before.facts, sizeof(got.facts));
    }
}

static void each_failure_is_named(void **state)
{
    struct idv_device *dev = opened(&with_indices, DEVICE);
    (void)state;
    for (size_t i = 0; i < ASKS; i++) {
        char said[64];
        snprintf(said, sizeof(said), "%s said no", asks[i].name);
        for (size_t k = 0; k < sizeof(failures) / sizeof(*failures); k++) {
            door.reason = failures[k].reason;
            fails(dev, &asks[i], failures[k].rc, failures[k].why, said);
        }
    }
    idv_device_close(dev);
}

static void failure_without_a_word(void **state)
{
    struct idv_device *dev = opened(&with_indices, DEVICE);
    (void)state;
    door.silent = true;
    for (size_t i = 0; i < ASKS; i++)
        fails(dev, &asks[i], IDV_E_DEVICE, 0, "nothing found");
    idv_device_close(dev);
}

/* Absence is what look and read answer; for the others it is a failure. */
static void absence(void **state)
{
    struct idv_device *dev = opened(&with_indices, DEVICE);
    int why = -1;
    (void)state;
    door.reason = HWK_R_NOT_FOUND;
    for (size_t i = 0; i < ASKS; i++) {
        const bool asks_for_it = i == 1 || i == 2;
        mark(true);
        if (!asks_for_it) {
            fails(dev, &asks[i], IDV_E_DEVICE, HWK_R_NOT_FOUND, "said no");
            continue;
        }
        OK(asks[i].ask(dev, &why));
        assert_int_equal(why, 0);
        assert_false(got.found);
        assert_memory_equal(&got.nv, &before.nv, sizeof(got.nv));
        assert_memory_equal(got.data, before.data, sizeof(got.data));
        assert_int_equal(ERR_peek_error(), 0);
        assert_string_equal(idv_note(), ""); /* no failure, no note */
        (void)!idv_fail(IDV_E_STATE, "what went wrong before");
        OK(asks[i].ask(dev, NULL));
        assert_string_equal(idv_note(), "what went wrong before");
        idv_note_clear();
    }
    idv_device_close(dev);
}

/* --- who has none --------------------------------------------------------- */

/* Each of them says so, the device named or the index. */
static void unsupported(struct idv_device *dev, const char *device,
                        const char *said)
{
    for (size_t i = 0; i < ASKS; i++) {
        struct ask a = asks[i];
        if (device)
            a.about = device;
        fails(dev, &a, IDV_E_DEVICE, HWK_R_UNSUPPORTED, said);
    }
    idv_device_close(dev);
}

static void provider_without(void **state)
{
    (void)state;
    unsupported(opened(&without_indices, DEVICE), DEVICE,
                "the provider knows no NV indices");
}

static void token_has_none(void **state)
{
    (void)state;
    if (!have_token)
        skip();
    unsupported(opened(NULL, "pkcs11:token=unit"),
                "pkcs11:", "not supported by this device");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handed_on_and_back),
        cmocka_unit_test(each_failure_is_named),
        cmocka_unit_test(failure_without_a_word),
        cmocka_unit_test(absence),
        cmocka_unit_test(provider_without),
        cmocka_unit_test(token_has_none),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
