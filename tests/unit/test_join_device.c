/* SPDX-License-Identifier: Apache-2.0 */
/* Joining with identity, anchor and LDevID key in a TPM and in a token. */
#include "tests/unit/codec.h"

#include <idevid/key.h>

#include "provider/device.h"
#include "tests/lib/fakereg.h"
#include "tests/lib/softhsm.h"
#include "tests/lib/swtpm.h"

static struct pki pki;
static struct swtpm tpm;
static char dir[64];
static bool have_tpm, have_token;

static bool answer(void *arg, const char *what, char *out, size_t max,
                   size_t *n)
{
    (void)arg, (void)what;
    assert_true(max >= 4);
    memcpy(out, "1234", *n = 4);
    return true;
}
static const struct idv_pin pin = {answer, NULL};

static int setup(void **state)
{
    (void)state;
    test_dir(dir);
    unsetenv("HWKEY_PIN");
    unsetenv("HWKEY_PIN_FILE");
    const char *module = softhsm_module();
    have_token = module && softhsm_use(dir, dir) && softhsm_token("unit");
    have_tpm = swtpm_here() && swtpm_start(&tpm) == 0;
    if (have_tpm)
        setenv("HWKEY_TPM_LOCK", tpm.lock, 1);
    const struct idv_provider_conf conf = {
        .pkcs11_module = have_token ? module : NULL,
        .tpm2_tcti = have_tpm ? tpm.tcti : NULL,
    };
    if (idv_provider_setup(hwk_provider_init, &conf) != IDV_OK)
        return -1;
    pki_make(&pki);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pki_free(&pki);
    if (have_tpm)
        swtpm_stop(&tpm);
    test_dir_drop(dir);
    return 0;
}

/* --- the two kinds of devices --------------------------------------------- */

struct kind {
    const char *device, *idevid, *ldevid, *anchor, *assurance;
};

static const struct kind tpm_kind = {
    .device = "tpm2:",
    .idevid = "tpm2:handle=0x81020000",
    .ldevid = "tpm2:handle=0x8102000%d",
    .anchor = IDV_ANCHOR_TPM2_URI,
    .assurance = "detect",
};

static const struct kind token_kind = {
    .device = "pkcs11:token=unit",
    .idevid = "pkcs11:token=unit;object=idevid;id=%%01",
    .ldevid = "pkcs11:token=unit;object=ldevid%d;id=%%1%d",
    .anchor = IDV_ANCHOR_P11_URI,
    .assurance = "none", /* SoftHSM is a file */
};

static const struct kind *kind;

static idv_rc make_key(void *arg, enum idv_key_type type, EVP_PKEY **key,
                       char uri[static 512])
{
    struct fakedev *d = arg;
    const int n = ++d->keys_made;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(uri, 512, kind->ldevid, n, n);
#pragma GCC diagnostic pop
    return idv_key_make(uri, &pin, type, IDV_KEY_SIGN, key);
}

static void make_idevid(void)
{
    const struct idv_cert_spec spec = {
        .kind = IDV_CERT_IDEVID,
        .serial_number = PKI_SERIAL,
        .not_before = PKI_NOW - PKI_DAY,
    };
    const bool token = kind == &token_kind;
    pki_id_free(&pki.idevid);
    OK(idv_key_make(token ? "pkcs11:token=unit;object=idevid;id=%01"
                          : kind->idevid,
                    &pin, IDV_KEY_P256, IDV_KEY_SIGN, &pki.idevid.key));
    OK(idv_cert_issue(&spec, pki.idevid.key, pki.maker_ca.cert,
                      pki.maker_ca.key, &pki.env.env, &pki.idevid.cert));
}

/* beside the key, for who judges by it what the key has signed */
static void store_idevid(struct idv_device *device)
{
    IDV_AUTO(buf) der = {0};
    OK(idv_cert_to_der(pki.idevid.cert, &der));
    OK(idv_device_write(device,
                        "pkcs11:token=unit;object=idevid;id=%01;type=cert",
                        idv_view(&der), 0));
}

static void begin(struct fakedev *d, const struct kind *k)
{
    struct idv_device *device = NULL;
    kind = k;
    make_idevid();
    OK(idv_device_open(k->device, &pin, &device));
    if (k == &token_kind)
        store_idevid(device);
    fakedev_init(d, &pki);
    d->device = device;
    fakedev_reopen(d, &pki);
    d->conf.make_key = make_key;
}

static void end(struct fakedev *d)
{
    struct idv_device *device = d->device;
    fakedev_free(d);
    idv_device_close(device);
}

static bool locked_record(void *arg, const struct idv_object *o)
{
    if (o->type == IDV_OBJ_DATA &&
        (o->size == IDV_RECORD_SIZE || strcmp(o->label, "idevid-anchor") == 0))
        *(int *)arg += o->write_locked ? 1 : 100;
    return true;
}

/* --- the story ------------------------------------------------------------ */

static void join(struct fakedev *d, const char *log)
{
    struct fakereg r;
    struct memdrive drive = {0};
    fakereg_init(&r, &pki);
    if (fake_join(d, &r, &drive) != IDV_OK)
        print_error("%s: %s\n", r.log, drive.note);
    assert_int_equal(drive.rc, IDV_OK);
    assert_string_equal(r.log, log);
    fakereg_free(&r);
}

static void tell_story(const struct kind *k)
{
    struct fakedev d;
    int locked = 0;
    begin(&d, k);
    assert_int_equal(fakedev_state(&d), IDV_TRUST_NONE);
    join(&d, "C? rv vs+ ca at en C+ es+");
    assert_string_equal(idv_trust_assurance(d.trust), k->assurance);
    OK(idv_device_list(d.device, locked_record, &locked));
    assert_int_equal(locked, 1); /* there, and nobody can write it */
    fakedev_reopen(&d, &pki);
    assert_int_equal(fakedev_state(&d), IDV_TRUST_ENROLLED);
    join(&d, "");
    OK(idv_trust_reset(d.trust));
    fakedev_reopen(&d, &pki);
    assert_int_equal(fakedev_state(&d), IDV_TRUST_NONE);
    join(&d, "C? rv vs+ ca at en C+ es+");
    OK(idv_trust_reset(d.trust));
    end(&d);
}

static void in_a_tpm(void **state)
{
    (void)state;
    if (!have_tpm)
        skip();
    tell_story(&tpm_kind);
}

static void in_a_token(void **state)
{
    (void)state;
    if (!have_token)
        skip();
    tell_story(&token_kind);
}

/* --- the anchor by itself ------------------------------------------------- */

static void write_once(const char *uri)
{
    struct idv_anchor_memo memo = {0};
    struct idv_anchor_seen seen = {0};
    struct idv_device *device = NULL;
    struct idv_anchor anchor = {0};
    OK(idv_device_open(uri, &pin, &device));
    OK(idv_anchor_open(device, NULL, &anchor));
    OK(anchor.ops->read(anchor.self, NULL, &seen));
    assert_int_equal(seen.found, IDV_ANCHOR_NOTHING);
    OK(anchor.ops->reset(anchor.self));
    for (uint8_t i = 1; i < 3; i++) {
        const struct idv_record r = {.version = 1, .pin_length = i};
        OK(anchor.ops->prepare(anchor.self, &memo));
        struct idv_record of = r;
        of.generation = memo.generation;
        idv_record_to_bytes(&of, memo.record);
        OK(anchor.ops->write(anchor.self, &memo, &seen));
        assert_int_equal(seen.found, IDV_ANCHOR_SEALED);
        FAILS(IDV_E_STATE, "already", anchor.ops->prepare(anchor.self, &memo));
        memset(&seen, 0, sizeof(seen));
        OK(anchor.ops->read(anchor.self, &memo, &seen));
        assert_int_equal(seen.found, IDV_ANCHOR_SEALED);
        assert_memory_equal(seen.record, memo.record, sizeof(seen.record));
        OK(anchor.ops->reset(anchor.self));
    }
    idv_anchor_close(&anchor);
    idv_device_close(device);
}

static void records_are_written_once(void **state)
{
    (void)state;
    if (!have_tpm && !have_token)
        skip();
    if (have_tpm)
        write_once(tpm_kind.device);
    if (have_token)
        write_once(token_kind.device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_a_tpm), cmocka_unit_test(in_a_token),
        cmocka_unit_test(records_are_written_once), /* with that IDevID */
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
