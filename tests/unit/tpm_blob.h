/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of a software TPM that are not persistent: blobs made for a test. */
#ifndef TESTS_UNIT_TPM_BLOB_H
#define TESTS_UNIT_TPM_BLOB_H

#include "provider/device/tpm2_load.h"
#include "provider/device/tpm2_template.h"
#include "tpm.h"

#define TPM_SRK_AT 0x81000001

struct tpm_blob {
    struct hwk_tpm_parent parent;
    TPM2B_PUBLIC pub;
    TPM2B_PRIVATE priv;
};

/* a P-256 signing key under parent, made by a plain ESYS Create */
static inline void tpm_blob_make_with(const struct hwk_tpm_parent *parent,
                                      const TPM2B_SENSITIVE_CREATE *sensitive,
                                      struct tpm_blob *out)
{
    const struct hwk_tpm_kind p256 = {TPM2_ALG_ECC, TPM2_ECC_NIST_P256, 0};
    const TPM2B_DATA outside = {.size = 0};
    const TPML_PCR_SELECTION none = {.count = 0};
    TPM2B_PUBLIC t, *pub = NULL;
    TPM2B_PRIVATE *priv = NULL;
    ESYS_TR under;
    ESYS_CONTEXT *esys = hwk_tpm_begin(tpm);
    struct hwk_tpm_object *srk = NULL;
    bool primary = parent->handle >> 24 != TPM2_HT_PERSISTENT;
    assert_non_null(esys);
    if (primary) {
        hwk_tpm_template_default(parent->rsa, &t);
        assert_true(hwk_tpm_create_primary(tpm, parent->handle, parent->auth,
                                           NULL, &t, &under, NULL));
    } else {
        srk = hwk_tpm_object_open(tpm, parent->handle);
        assert_non_null(srk);
        assert_true(hwk_tpm_object_tr(tpm, srk, &under));
    }
    tpm_template_sign(&p256, &t);
    assert_int_equal(Esys_Create(esys, under, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                 ESYS_TR_NONE, sensitive, &t, &outside, &none,
                                 &priv, &pub, NULL, NULL, NULL),
                     0);
    *out = (struct tpm_blob){*parent, *pub, *priv};
    Esys_Free(pub);
    Esys_Free(priv);
    if (primary)
        hwk_tpm_flush(tpm, &under);
    else
        hwk_tpm_object_close(tpm, srk);
    hwk_tpm_end(tpm);
}

static inline void tpm_blob_make(const struct hwk_tpm_parent *parent,
                                 struct tpm_blob *out)
{
    const TPM2B_SENSITIVE_CREATE sensitive = {.size = 0};
    tpm_blob_make_with(parent, &sensitive, out);
}

/* the storage root key, persistent, once */
static inline void tpm_srk(void)
{
    TPM2B_PUBLIC t;
    ESYS_TR tr, kept;
    ESYS_CONTEXT *esys = hwk_tpm_begin(tpm);
    assert_non_null(esys);
    hwk_tpm_template_srk(&t);
    assert_true(
        hwk_tpm_create_primary(tpm, TPM2_RH_OWNER, NULL, NULL, &t, &tr, NULL));
    assert_int_equal(Esys_EvictControl(esys, ESYS_TR_RH_OWNER, tr,
                                       ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                       ESYS_TR_NONE, TPM_SRK_AT, &kept),
                     0);
    hwk_tpm_flush(tpm, &tr);
    assert_int_equal(Esys_TR_Close(esys, &kept), 0);
    hwk_tpm_end(tpm);
}

static inline struct hwk_tpm_key *tpm_blob_open(struct hwk_tpm *t,
                                                const struct tpm_blob *b)
{
    struct hwk_tpm_key *key = NULL;
    if (!hwk_tpm_begin(t))
        return NULL;
    struct hwk_tpm_object *o =
        hwk_tpm_object_blob(t, &b->parent, &b->pub, &b->priv);
    if (o)
        key = hwk_tpm_key_new(t, o, NULL);
    hwk_tpm_end(t);
    return key;
}

/* signs something new and asks OpenSSL: 1 when both went well */
static inline int tpm_signs(struct hwk_tpm *t, struct hwk_tpm_key *key)
{
    static atomic_uint count;
    const struct hwk_mech mech = {.type = HWK_KEY_EC, .md = HWK_MD_SHA256};
    unsigned c = atomic_fetch_add(&count, 1) + 1;
    uint8_t digest[32] = {1}, sig[64];
    size_t n = sizeof(sig);
    struct hwk_pub pub;
    memcpy(digest + 1, &c, sizeof(c));
    int ok = hwk_tpm_public(&key->object->pub, &pub) &&
             hwk_tpm_sign(t, key, &mech, digest, 32, sig, &n) &&
             tpm_verify(&pub, &mech, digest, 32, sig, n);
    if (!ok)
        ERR_print_errors_fp(stderr);
    return ok;
}

#endif
