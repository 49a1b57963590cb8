/* SPDX-License-Identifier: Apache-2.0 */
/* Keys with policies in a software TPM, and what their policies are about. */
#ifndef TESTS_UNIT_TPM_POLICY_H
#define TESTS_UNIT_TPM_POLICY_H

#include <errno.h>

#include "provider/device/tpm2_blob.h"
#include "provider/device/tpm2_facts.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_satisfy.h"
#include "tpm_blob.h"

#define COUNTER 0x01800A00
#define RECORD 0x01800A01

/* the section of openssl.cnf, as the test has it now */
static struct {
    char name[48], value[1024];
} policy_settings[24];

static inline const char *policy_setting(void *arg, const char *name)
{
    (void)arg;
    for (size_t i = 0; i < 24; i++)
        if (strcmp(policy_settings[i].name, name) == 0)
            return policy_settings[i].value;
    return NULL;
}

/* value NULL takes it away */
static inline void policy_set(const char *name, const char *value)
{
    size_t i = 0;
    while (i < 23 && policy_settings[i].name[0] &&
           strcmp(policy_settings[i].name, name) != 0)
        i++;
    snprintf(policy_settings[i].name, sizeof(policy_settings[i].name), "%s",
             value ? name : "-");
    snprintf(policy_settings[i].value, sizeof(policy_settings[i].value), "%s",
             value ? value : "");
}

static inline int policy_setup(void **arg)
{
    if (tpm_setup(arg))
        return -1;
    tpm_cfg.get = policy_setting;
    if (tpm)
        tpm_srk();
    return 0;
}

/* nothing is left behind but sessions that are kept, and nothing on the queue
 */
static inline void policy_clean(void)
{
    if (tpm->sharing == HWK_TPM_MANAGED) {
        assert_non_null(hwk_tpm_begin(tpm));
        hwk_tpm_flush(tpm, &tpm->sessions.policy.tr);
        hwk_tpm_flush(tpm, &tpm->sessions.hmac.tr);
        hwk_tpm_end(tpm);
    }
    tpm->sharing = tpm_managed ? HWK_TPM_MANAGED : HWK_TPM_BARE;
    assert_int_equal(tpm_left_behind(), 0);
    assert_int_equal(ERR_peek_error(), 0);
}

/* text as it is now, for sessions with the hash alg */
static inline void policy_rules(const char *text, TPMI_ALG_HASH alg,
                                struct hwk_tpm_rules *out)
{
    struct hwk_tpm_policy *p = hwk_tpm_policy_parse(text);
    assert_non_null(p);
    assert_non_null(hwk_tpm_begin(tpm));
    assert_true(hwk_tpm_policy_fill(tpm, p));
    hwk_tpm_end(tpm);
    assert_true(hwk_tpm_policy_compile(p, alg, out));
    hwk_tpm_policy_free(p);
}

/* a primary signing key with that policy, and a PIN, used by the policy only */
static inline void policy_key(TPM2_HANDLE at, TPMI_ALG_HASH alg,
                              const TPM2B_DIGEST *policy, const char *pin,
                              TPMA_OBJECT more)
{
    const struct hwk_tpm_kind p256 = {TPM2_ALG_ECC, TPM2_ECC_NIST_P256, 0};
    TPM2B_SENSITIVE_CREATE sensitive = {.size = 0};
    TPM2B_PUBLIC t;
    ESYS_TR tr, kept;
    tpm_template_sign(&p256, &t);
    t.publicArea.nameAlg = alg;
    t.publicArea.objectAttributes &= ~(TPMA_OBJECT)TPMA_OBJECT_USERWITHAUTH;
    t.publicArea.objectAttributes |= more;
    t.publicArea.authPolicy = *policy;
    t.publicArea.unique.ecc.x.size = 4;
    memcpy(t.publicArea.unique.ecc.x.buffer, &at, 4);
    if (pin) {
        sensitive.sensitive.userAuth.size = (UINT16)strlen(pin);
        memcpy(sensitive.sensitive.userAuth.buffer, pin, strlen(pin));
    }
    assert_non_null(hwk_tpm_begin(tpm));
    assert_true(hwk_tpm_create_primary(tpm, TPM2_RH_OWNER, NULL, &sensitive, &t,
                                       &tr, NULL));
    assert_int_equal(Esys_EvictControl(tpm->esys, ESYS_TR_RH_OWNER, tr,
                                       ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                       ESYS_TR_NONE, at, &kept),
                     0);
    hwk_tpm_flush(tpm, &tr);
    assert_int_equal(Esys_TR_Close(tpm->esys, &kept), 0);
    hwk_tpm_end(tpm);
}

static inline void policy_key_of(TPM2_HANDLE at, const char *text,
                                 TPMI_ALG_HASH alg, const char *pin)
{
    struct hwk_tpm_rules rules;
    policy_rules(text, alg, &rules);
    policy_key(at, alg, &rules.policy, pin, 0);
    hwk_tpm_rules_clear(&rules);
}

static inline struct hwk_tpm_key *policy_open(TPM2_HANDLE at, const char *pin)
{
    struct hwk_tpm_key *key = NULL;
    assert_non_null(hwk_tpm_begin(tpm));
    struct hwk_tpm_object *o = hwk_tpm_object_open(tpm, at);
    if (o)
        key = hwk_tpm_key_new(tpm, o,
                              pin ? hwk_secret_new(pin, strlen(pin)) : NULL);
    hwk_tpm_end(tpm);
    assert_non_null(key);
    return key;
}

/* signs something new and asks OpenSSL; what is said stays on the queue */
static inline int policy_signs(struct hwk_tpm *t, struct hwk_tpm_key *key)
{
    static atomic_uint count;
    const struct hwk_mech mech = {.type = HWK_KEY_EC, .md = HWK_MD_SHA256};
    unsigned c = atomic_fetch_add(&count, 1) + 1;
    uint8_t digest[32] = {2}, sig[64];
    size_t n = sizeof(sig);
    struct hwk_pub pub;
    memcpy(digest + 1, &c, sizeof(c));
    return hwk_tpm_public(&key->object->pub, &pub) &&
           hwk_tpm_sign(t, key, &mech, digest, 32, sig, &n) &&
           tpm_verify(&pub, &mech, digest, 32, sig, n);
}

/* the newest text on the error queue has what; the queue is emptied */
static inline void policy_said(const char *what)
{
    const char *said = "";
    int flags;
    ERR_peek_last_error_data(&said, &flags);
    if (!strstr(said, what))
        fail_msg("'%s' is not in: %s", what, said);
    ERR_clear_error();
}

static inline void policy_extend(unsigned pcr, uint8_t with)
{
    TPML_DIGEST_VALUES v = {.count = 1, .digests[0].hashAlg = TPM2_ALG_SHA256};
    memset(v.digests[0].digest.sha256, with, 32);
    assert_non_null(hwk_tpm_begin(tpm));
    assert_int_equal(Esys_PCR_Extend(tpm->esys, ESYS_TR_PCR0 + pcr,
                                     ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                     ESYS_TR_NONE, &v),
                     0);
    hwk_tpm_end(tpm);
}

static inline ESYS_TR policy_index(TPM2_HANDLE index)
{
    ESYS_TR tr;
    assert_int_equal(Esys_TR_FromTPMPublic(tpm->esys, index, ESYS_TR_NONE,
                                           ESYS_TR_NONE, ESYS_TR_NONE, &tr),
                     0);
    return tr;
}

static inline void policy_count(TPM2_HANDLE index)
{
    assert_non_null(hwk_tpm_begin(tpm));
    ESYS_TR tr = policy_index(index);
    assert_int_equal(Esys_NV_Increment(tpm->esys, ESYS_TR_RH_OWNER, tr,
                                       ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                       ESYS_TR_NONE),
                     0);
    assert_int_equal(Esys_TR_Close(tpm->esys, &tr), 0);
    hwk_tpm_end(tpm);
}

/* an index: a counter (n 8, data NULL), or data[n]; attributes say who reads */
static inline void policy_define(TPM2_HANDLE index, const uint8_t *data,
                                 UINT16 n, TPMA_NV attributes)
{
    TPM2B_NV_PUBLIC pub = {.nvPublic = {.nvIndex = index,
                                        .nameAlg = TPM2_ALG_SHA256,
                                        .attributes = attributes |
                                                      TPMA_NV_OWNERWRITE |
                                                      TPMA_NV_NO_DA,
                                        .dataSize = n}};
    const TPM2B_AUTH empty = {.size = 0};
    TPM2B_MAX_NV_BUFFER bytes = {.size = n};
    ESYS_TR tr;
    if (!data)
        pub.nvPublic.attributes |= TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT;
    assert_non_null(hwk_tpm_begin(tpm));
    assert_int_equal(Esys_NV_DefineSpace(tpm->esys, ESYS_TR_RH_OWNER,
                                         ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                         ESYS_TR_NONE, &empty, &pub, &tr),
                     0);
    if (data) {
        memcpy(bytes.buffer, data, n);
        assert_int_equal(Esys_NV_Write(tpm->esys, ESYS_TR_RH_OWNER, tr,
                                       ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                       ESYS_TR_NONE, &bytes, 0),
                         0);
    }
    assert_int_equal(Esys_TR_Close(tpm->esys, &tr), 0);
    hwk_tpm_end(tpm);
    if (!data)
        policy_count(index);
}

/* a key under the storage root key, used by that policy only, but for more */
static inline void policy_blob(const TPM2B_DIGEST *policy, TPMA_OBJECT more,
                               struct tpm_blob *out)
{
    const struct hwk_tpm_kind p256 = {TPM2_ALG_ECC, TPM2_ECC_NIST_P256, 0};
    const TPM2B_SENSITIVE_CREATE sensitive = {.size = 0};
    const TPM2B_DATA outside = {.size = 0};
    const TPML_PCR_SELECTION none = {.count = 0};
    TPM2B_PUBLIC t, *pub = NULL;
    TPM2B_PRIVATE *priv = NULL;
    ESYS_TR under;
    tpm_template_sign(&p256, &t);
    t.publicArea.objectAttributes &= ~(TPMA_OBJECT)TPMA_OBJECT_USERWITHAUTH;
    t.publicArea.objectAttributes |= more;
    t.publicArea.authPolicy = *policy;
    assert_non_null(hwk_tpm_begin(tpm));
    struct hwk_tpm_object *srk = hwk_tpm_object_open(tpm, TPM_SRK_AT);
    assert_non_null(srk);
    assert_true(hwk_tpm_object_tr(tpm, srk, &under));
    assert_int_equal(Esys_Create(tpm->esys, under, ESYS_TR_PASSWORD,
                                 ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &t,
                                 &outside, &none, &priv, &pub, NULL, NULL,
                                 NULL),
                     0);
    *out = (struct tpm_blob){{.handle = TPM_SRK_AT}, *pub, *priv};
    Esys_Free(pub);
    Esys_Free(priv);
    hwk_tpm_object_close(tpm, srk);
    hwk_tpm_end(tpm);
}

/* the key in a file that has these rules: the first one as its policy */
static inline struct hwk_tpm_key *policy_file(const struct tpm_blob *b,
                                              struct hwk_tpm_rules *rules)
{
    struct hwk_tpm_keyfile f = {.type = HWK_TPM_FILE_LOADABLE,
                                .empty_auth = true,
                                .policy = rules->list[0],
                                .alternatives = rules->list + 1,
                                .alternatives_n = rules->n - 1,
                                .parent = TPM_SRK_AT,
                                .pub = b->pub,
                                .priv = b->priv};
    struct hwk_found found = {.ref = NULL};
    struct hwk_uri uri = {.scheme = HWK_SCHEME_TPM2};
    const struct hwk_pin_ask ask = {.cfg = &tpm_cfg, .uri = &uri};
    uint8_t *der = NULL;
    size_t n = 0;
    assert_true(hwk_tpm_keyfile_encode(&f, &der, &n));
    assert_int_not_equal(hwk_tpm_find_blob(tpm, der, n, "", HWK_WANT_PRIVATE,
                                           &ask, tpm_keep, &found),
                         -1);
    OPENSSL_free(der);
    assert_non_null(found.ref);
    return found.ref;
}

static inline void policy_write(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

#endif
