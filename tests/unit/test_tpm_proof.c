/* SPDX-License-Identifier: Apache-2.0 */
/* A device's proof, end to end: keys of a TPM made by the provider, judged,
 * certified, requested for in TCG's form and activated, by what knows no TPM.
 */
#include "tests/unit/tpm_forms.h"

#include <idevid/key.h>

#include "factory/tcgcsr.h"
#include "key/devid.h"
#include "key/nv.h"
#include "provider/device.h"
#include "tests/lib/swtpm.h"
#include "tpm/attest.h"
#include "tpm/credential.h"

static struct swtpm tpm;
static struct idv_device *dev;
static struct idv_env_system sys;
static const uint8_t nonce[32] = "what the desk gave for this one.";

static int setup(void **state)
{
    (void)state;
    idv_env_system_init(&sys, NULL);
    if (!swtpm_here())
        return 0;
    if (swtpm_start(&tpm) != 0)
        return -1;
    setenv("HWKEY_TPM_LOCK", tpm.lock, 1);
    const struct idv_provider_conf conf = {.tpm2_tcti = tpm.tcti};
    return idv_provider_setup(hwk_provider_init, &conf) == IDV_OK &&
                   idv_device_open("tpm2:", NULL, &dev) == IDV_OK
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    if (!dev)
        return 0;
    idv_device_close(dev);
    swtpm_stop(&tpm);
    return 0;
}

/* a device in its fixture, within one turn */
struct device {
    struct hwk_born ek, iak, idevid;
    struct idvi_tpm_public ek_pub, iak_pub, idevid_pub;
};

static void look(enum idvi_devid what, const struct hwk_born *b,
                 const char *type, struct idvi_tpm_public *out)
{
    struct idvi_devid_found found;
    IDV_AUTO(buf) name = {0};
    OK(idvi_tpm_public_from_bytes(idv_bytes(b->pub, b->pub_n), out));
    OK(idvi_devid_check(what, out, &found));
    assert_string_equal(found.type, type);
    assert_false(found.no_scheme);
    OK(idvi_tpm_public_name(out, &name));
    assert_true(idv_bytes_eq(idv_view(&name), idv_bytes(b->name, b->name_n)));
}

static void make(struct device *d, const char *type)
{
    OK(idvi_devid_create(dev, HWK_DEVID_EK, type, 0, 0, &d->ek, NULL));
    OK(idvi_devid_create(dev, HWK_DEVID_IAK, type, 0, 0, &d->iak, NULL));
    OK(idvi_devid_create(dev, HWK_DEVID_IDEVID, type, 0, 0, &d->idevid, NULL));
    look(IDVI_DEVID_EK, &d->ek, type, &d->ek_pub);
    look(IDVI_DEVID_IAK, &d->iak, type, &d->iak_pub);
    look(IDVI_DEVID_IDEVID, &d->idevid, type, &d->idevid_pub);
}

struct attested {
    struct idvi_nv_proof raw;
    struct idv_buf sig; /* TPMT_SIGNATURE */
};

static void attest(const struct device *d, bool creation, struct attested *a)
{
    struct idv_bytes n = idv_bytes(nonce, sizeof(nonce));
    memset(a, 0, sizeof(*a));
    if (creation)
        OK(idvi_devid_certify_creation(dev, &d->idevid, &d->iak, n, &a->raw,
                                       NULL));
    else
        OK(idvi_devid_certify(dev, &d->idevid, &d->iak, n, &a->raw, NULL));
    OK(idvi_tpm_signature_to_bytes(
        &d->iak_pub, idv_bytes(a->raw.sig, a->raw.sig_n), &a->sig));
}

static struct idv_bytes info(const struct attested *a)
{
    return idv_bytes(a->raw.attest, a->raw.attest_n);
}

/* what each of the two attestations says, and what it does not */
static void attested(const struct device *d, bool creation)
{
    const unsigned type = creation ? IDVI_ATTEST_CREATION : IDVI_ATTEST_CERTIFY;
    struct idv_bytes n = idv_bytes(nonce, sizeof(nonce));
    struct idvi_attest got;
    enum idvi_attest_fault fault;
    struct attested a;
    attest(d, creation, &a);
    OK(idvi_attest_check(info(&a), idv_view(&a.sig), type, &d->idevid_pub,
                         &d->iak_pub, n, &got, &fault));
    assert_int_equal(fault, IDVI_ATTEST_SOUND);
    assert_int_equal(got.type, type);
    if (creation)
        assert_true(idv_bytes_eq(
            got.creation, idv_bytes(d->idevid.creation, d->idevid.creation_n)));
    FAILS(IDV_E_REJECT, "another nonce",
          idvi_attest_check(info(&a), idv_view(&a.sig), type, &d->idevid_pub,
                            &d->iak_pub, idv_bytes(nonce, 31), NULL, &fault));
    assert_int_equal(fault, IDVI_ATTEST_OTHER_NONCE);
    FAILS(IDV_E_REJECT, "of another key",
          idvi_attest_check(info(&a), idv_view(&a.sig), type, &d->iak_pub,
                            &d->iak_pub, n, NULL, &fault));
    assert_int_equal(fault, IDVI_ATTEST_OTHER_KEY);
    FAILS(IDV_E_FORMAT, "of type",
          idvi_attest_check(info(&a), idv_view(&a.sig), type ^ 6,
                            &d->idevid_pub, &d->iak_pub, n, NULL, &fault));
    assert_int_equal(fault, IDVI_ATTEST_MALFORMED);
    idv_buf_free(&a.sig);
}

static void sign(const struct device *d, const struct idv_buf *contents,
                 struct idvi_devid_signature *out)
{
    uint8_t digest[64];
    unsigned n = 0;
    assert_int_equal(EVP_Digest(contents->p, contents->n, digest, &n,
                                idvi_tpm_md(d->idevid_pub.name_alg), NULL),
                     1);
    OK(idvi_devid_sign(dev, &d->idevid, idv_bytes(digest, n), out, NULL));
}

/* the request that the device signs, read by who gets it */
static void requested(const struct device *d)
{
    const uint16_t hash = d->idevid_pub.name_alg;
    struct attested a;
    struct idvi_devid_signature sig;
    struct idvi_tcgcsr c;
    struct idvi_tpm_public signer;
    IDV_AUTO(buf) contents = {0};
    IDV_AUTO(buf) all = {0};
    attest(d, false, &a);
    const struct idvi_tcgcsr_parts parts = {
        .serial = idv_str("SN-1"),
        .ca_data = idv_bytes(nonce, sizeof(nonce)),
        .attest_pub = d->iak_pub.raw,
        .create_ticket = idv_bytes(d->iak.ticket, d->iak.ticket_n),
        .signing_pub = d->idevid_pub.raw,
        .sgn_info = info(&a),
        .sgn_signature = idv_view(&a.sig),
    };
    OK(idvi_tcgcsr_contents(&parts, hash, NULL, &contents));
    sign(d, &contents, &sig);
    OK(idvi_tcgcsr_whole(idv_view(&contents), hash, d->idevid_pub.type,
                         idv_bytes(sig.p, sig.n), NULL, &all));
    OK(idvi_tcgcsr_from_bytes(idv_view(&all), &c));
    assert_string_equal(idvi_tcgcsr_dialect(&c.form), "tcg");
    OK(idvi_tcgcsr_verify(&c, &signer, NULL));
    assert_true(idv_bytes_eq(signer.raw, d->idevid_pub.raw));
    OK(idvi_attest_check(c.parts.sgn_info, c.parts.sgn_signature,
                         IDVI_ATTEST_CERTIFY, &signer, &d->iak_pub,
                         c.parts.ca_data, NULL, NULL));
    idv_buf_free(&a.sig);
}

static void activated(const struct device *d, const struct hwk_born *what)
{
    struct idv_bytes secret = idv_str("0123456789abcdef0123456789abcdef");
    struct idvi_devid_secret got;
    IDV_AUTO(buf) a = {0};
    IDV_AUTO(buf) b = {0};
    OK(idvi_credential_make(&d->ek_pub, idv_bytes(what->name, what->name_n),
                            secret, &sys.env, &a, &b));
    OK(idvi_devid_activate(dev, what, &d->ek, idv_view(&a), idv_view(&b), &got,
                           NULL));
    assert_true(idv_bytes_eq(secret, idv_bytes(got.p, got.n)));
}

static void whole(const char *type)
{
    struct device *d = calloc(1, sizeof(*d));
    OK(idvi_nv_enter(dev, NULL));
    make(d, type);
    attested(d, false);
    attested(d, true);
    requested(d);
    activated(d, &d->iak);
    activated(d, &d->idevid);
    idvi_nv_leave(dev);
    free(d);
}

#define need_tpm()                                                             \
    do {                                                                       \
        if (!dev)                                                              \
            skip();                                                            \
    } while (0)

static void p256(void **state)
{
    (void)state;
    need_tpm();
    whole("P-256");
}

static void p384(void **state)
{
    (void)state;
    need_tpm();
    whole("P-384");
}

static void rsa(void **state)
{
    (void)state;
    need_tpm();
    whole("RSA-2048");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p256),
        cmocka_unit_test(p384),
        cmocka_unit_test(rsa),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
