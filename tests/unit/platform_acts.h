/* SPDX-License-Identifier: Apache-2.0 */
/* Profile platform on a software TPM, made as a factory does, its platform
 * hierarchy then disabled as firmware does; the maker who approves, and root
 * who asks the TPM itself. */
#ifndef TESTS_UNIT_PLATFORM_ACTS_H
#define TESTS_UNIT_PLATFORM_ACTS_H

#include "config.h"

#include "tests/unit/codec.h"

#include <sys/stat.h>

#include <openssl/sha.h>
#include <tss2/tss2_esys.h>

#include <idevid/approval.h>

#include "key/nv.h"
#include "provider/device/tpm2_conn.h"
#include "provider/device/tpm2_tcti.h"
#include "tests/lib/pki.h"
#include "tests/lib/swtpm.h"
#include "trust/anchor_platform.h"

#define ANCHOR IDV_ANCHOR_PLATFORM_INDEX
#define COUNTER IDV_ANCHOR_PLATFORM_COUNTER

static struct pki pki;
static struct swtpm tpm;
static struct hwk_config raw_conf;
static struct hwk_tpm *raw; /* another program's way to the same TPM */
static struct idv_device *device;
static EVP_PKEY *maker_key, *other_key;
static struct idv_anchor_conf conf;
static char dir[64], state_dir[80];
static struct idv_trust *trust;

static inline int setup(void **state)
{
    (void)state;
    setenv("TSS2_LOG", "all+none", 1); /* refusals are what is asked for */
    test_dir(dir);
    snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
    pki_make(&pki);
    if (!swtpm_here() || swtpm_start(&tpm) != 0)
        return 0;
    setenv("HWKEY_TPM_LOCK", tpm.lock, 1);
    const struct idv_provider_conf pc = {.tpm2_tcti = tpm.tcti};
    if (idv_provider_setup(hwk_provider_init, &pc) != IDV_OK)
        return -1;
    raw_conf = (struct hwk_config){.tcti = tpm.tcti, .tpm_lock = tpm.lock};
    raw = hwk_tpm_new(&raw_conf);
    maker_key = EVP_EC_gen("P-256");
    other_key = EVP_EC_gen("P-256");
    return raw ? 0 : -1;
}

static inline int teardown(void **state)
{
    (void)state;
    hwk_tpm_free(raw);
    EVP_PKEY_free(maker_key);
    EVP_PKEY_free(other_key);
    pki_free(&pki);
    if (device)
        idv_device_close(device);
    swtpm_stop(&tpm);
    test_dir_drop(dir);
    return 0;
}

#define need_tpm()                                                             \
    do {                                                                       \
        (void)state;                                                           \
        if (!raw)                                                              \
            skip();                                                            \
    } while (0)

/* --- what others do to the TPM -------------------------------------------- */

static inline void disable_platform(void)
{
    ESYS_CONTEXT *esys = hwk_tpm_begin(raw);
    assert_non_null(esys);
    assert_int_equal(Esys_HierarchyControl(
                         esys, ESYS_TR_RH_PLATFORM, ESYS_TR_PASSWORD,
                         ESYS_TR_NONE, ESYS_TR_NONE, TPM2_RH_PLATFORM, TPM2_NO),
                     0);
    hwk_tpm_end(raw);
}

static inline void clear_tpm(void)
{
    ESYS_CONTEXT *esys = hwk_tpm_begin(raw);
    assert_non_null(esys);
    assert_int_equal(Esys_Clear(esys, ESYS_TR_RH_LOCKOUT, ESYS_TR_PASSWORD,
                                ESYS_TR_NONE, ESYS_TR_NONE),
                     0);
    hwk_tpm_end(raw);
}

/* off and on: the platform hierarchy is enabled again */
static inline void cycle(void)
{
    assert_int_equal(swtpm_cycle(&tpm), 0);
}

static inline struct hwk_nv look(uint32_t index)
{
    struct hwk_nv nv;
    bool found;
    OK(idvi_nv_look(device, index, &found, &nv, NULL));
    assert_true(found);
    return nv;
}

/* --- the factory ---------------------------------------------------------- */

/* device, and a factory's work in it, from nothing */
static inline void made(EVP_PKEY *key)
{
    if (!device)
        OK(idv_device_open("tpm2:", NULL, &device));
    conf = (struct idv_anchor_conf){.profile = IDV_ANCHOR_PLATFORM,
                                    .approval_key = key,
                                    .serial = PKI_SERIAL};
    OK(idv_platform_create(device, &conf));
}

static inline int drop(void **state)
{
    (void)state;
    if (!raw)
        return 0;
    hwk_tpm_set_fault(NULL, NULL);
    idv_trust_close(idv_steal(&trust));
    cycle();
    OK(idv_platform_delete(device, &conf));
    test_dir_drop(dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    idv_note_clear();
    return 0;
}

static inline void delivered(EVP_PKEY *key)
{
    made(key);
    disable_platform();
}

/* what a start finds */
static inline idv_rc start(void)
{
    struct idv_trust_conf tc = {.dir = state_dir, .env = &pki.env.env};
    idv_trust_close(idv_steal(&trust));
    IDV_TRY(idv_anchor_open(device, &conf, &tc.anchor));
    idv_rc rc = idv_trust_open(&tc, &trust);
    if (rc != IDV_OK)
        idv_anchor_close(&tc.anchor);
    return rc;
}

static inline idv_rc wipe(void)
{
    struct idv_trust_conf tc = {.dir = state_dir, .env = &pki.env.env};
    IDV_TRY(idv_anchor_open(device, &conf, &tc.anchor));
    idv_rc rc = idv_trust_wipe(&tc);
    idv_anchor_close(&tc.anchor);
    return rc;
}

static inline void is_state(enum idv_trust_state want)
{
    OK(start());
    assert_int_equal(idv_trust_state(trust), want);
}

/* --- the maker ------------------------------------------------------------ */

static inline struct idv_approval_request statement(void)
{
    IDV_AUTO(buf) json = {0};
    struct idv_approval_request r;
    bool mine = false;
    OK(idv_trust_statement(trust, &json));
    OK(idv_approval_request_from_json(idv_view(&json), &mine, &r));
    assert_true(mine);
    return r;
}

struct answer {
    struct idv_pinned pinned;
    struct idv_buf sealed;
    struct idv_record record;
    struct idv_approval approval;
};
static inline void answer_free(struct answer *a)
{
    idv_pinned_free(&a->pinned);
    idv_buf_free(&a->sealed);
}
#define ANSWER(a) __attribute__((cleanup(answer_free))) struct answer a = {0}

static inline void pin(struct answer *a, X509 *cert)
{
    struct idv_voucher *v = &a->pinned.voucher;
    idv_voucher_init(v, IDV_VOUCHER);
    v->assertion = IDV_ASSERT_PROXIMITY;
    v->created_on = PKI_NOW;
    strcpy(v->serial_number, PKI_SERIAL);
    strcpy(v->nonce, "bm9uY2Utbm9uY2U=");
    OK(idv_cert_to_der(cert, &v->pinned_domain_cert));
    a->pinned.kind = IDV_PIN_CERT;
    X509_up_ref(cert);
    a->pinned.cert = cert;
    OK(idv_key_fingerprint(X509_get0_pubkey(cert), a->pinned.spki_sha256));
}

/* the voucher as it comes over the network */
static inline void seal(struct answer *a)
{
    pki_seal(&a->pinned.voucher, &pki.masa, NULL, false, &a->sealed);
    SHA256(a->sealed.p, a->sealed.n, a->pinned.voucher_sha256);
}

static inline void put_approval(struct answer *a)
{
    idv_buf_free(&a->pinned.voucher.manufacturer_proprietary);
    OK(idv_approval_to_json(&a->approval,
                            &a->pinned.voucher.manufacturer_proprietary));
}

/* what the maker answers to the request r of this device */
static inline void approve(struct answer *a, X509 *cert,
                           const struct idv_approval_request *r, EVP_PKEY *key)
{
    struct idv_approval_ref ref;
    pin(a, cert);
    OK(idv_approval_ref(PKI_SERIAL, &ref));
    OK(idv_approval_record(&a->pinned.voucher, r->generation, &a->record));
    OK(idv_approval_sign(r, &a->record, key, &ref, &a->approval));
    put_approval(a);
    seal(a);
}

static inline void approve_this(struct answer *a, X509 *cert, EVP_PKEY *key)
{
    const struct idv_approval_request r = statement();
    approve(a, cert, &r, key);
}

static inline idv_rc imprint(const struct answer *a)
{
    return idv_trust_imprint(trust, &a->pinned, idv_view(&a->sealed));
}

static inline void imprinted(struct answer *a, X509 *cert)
{
    OK(start());
    approve_this(a, cert, maker_key);
    OK(imprint(a));
    assert_int_equal(idv_trust_state(trust), IDV_TRUST_IMPRINTED);
}

/* --- root ----------------------------------------------------------------- */

/* Root, who has no use for our checks, asks the TPM itself. */
struct root {
    struct idvi_platform *p;
    struct idvi_platform_seen seen;
    struct idv_approval_request request;
};
static inline void root_in(struct root *x)
{
    x->p = calloc(1, sizeof(*x->p));
    OK(idvi_platform_init(x->p, device, &conf));
    OK(idvi_platform_look(x->p, true, &x->seen));
    x->request = (struct idv_approval_request){.generation = x->seen.value};
    x->request.anchor.index = ANCHOR;
    x->request.counter.index = COUNTER;
    memcpy(x->request.anchor.name, x->seen.anchor.name, 34);
    memcpy(x->request.counter.name, x->seen.counter.name, 34);
}
static inline void root_out(struct root *x)
{
    idvi_platform_free(x->p);
}
static inline void root_has(struct root *x, const struct answer *a)
{
    x->p->approval = a->approval;
    x->p->record = a->record;
    x->p->approved = true;
}
static inline idv_rc root_tries(struct root *x, enum idv_approval_step step)
{
    idv_rc rc = idvi_platform_step(x->p, &x->seen, step);
    idv_note_clear();
    return rc;
}

/* nothing was written, and nothing is imprinted */
static inline void still_blank(uint64_t generation)
{
    is_state(IDV_TRUST_NONE);
    assert_int_equal(look(ANCHOR).attributes, IDV_PLATFORM_ANCHOR_ATTRIBUTES);
    assert_true(statement().generation == generation);
}

#define TEST(f) cmocka_unit_test_teardown(f, drop)

#endif
