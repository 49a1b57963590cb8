/* SPDX-License-Identifier: Apache-2.0 */
/* TPM keys of every type, as others make them: tied to a scheme or not,
 * restricted, for two things at once. The device is a TPM by itself or, when
 * the program's name says so, behind tpm2-abrmd. */
#ifndef TPM_TYPES_H
#define TPM_TYPES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "provider/device/tpm2_load.h"
#include "provider/device/tpm2_template.h"
#include "tests/lib/keycheck.h"
#include "tests/lib/tpm_device.h"

/* what a key may do */
#define SIGN 1u
#define DECRYPT 2u
#define RESTRICTED 4u

struct made_key {
    TPM2_HANDLE at;
    TPMI_ALG_PUBLIC type;
    unsigned size; /* bits, or a TPM's curve */
    unsigned use;
    TPM2_ALG_ID scheme, hash; /* TPM2_ALG_NULL: it is tied to none */
};

#define KEY_URI(number) "tpm2:handle=0x810201" #number

static struct world w;

static void describe_key(const struct made_key *k, TPM2B_PUBLIC *out)
{
    TPMT_PUBLIC *t = &out->publicArea;

    hwk_tpm_template_plain(
        &(struct hwk_tpm_kind){
            k->type, k->type == TPM2_ALG_ECC ? (TPMI_ECC_CURVE)k->size : 0,
            k->type == TPM2_ALG_RSA ? (uint16_t)k->size : 0},
        out);
    t->objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                          TPMA_OBJECT_SENSITIVEDATAORIGIN |
                          TPMA_OBJECT_USERWITHAUTH |
                          (k->use & SIGN ? TPMA_OBJECT_SIGN_ENCRYPT : 0) |
                          (k->use & DECRYPT ? TPMA_OBJECT_DECRYPT : 0) |
                          (k->use & RESTRICTED ? TPMA_OBJECT_RESTRICTED : 0);
    if (k->type == TPM2_ALG_ECC) {
        t->parameters.eccDetail.scheme.scheme = k->scheme;
        t->parameters.eccDetail.scheme.details.ecdsa.hashAlg = k->hash;
        t->unique.ecc.x.size = 1; /* each one another key */
        t->unique.ecc.x.buffer[0] = (uint8_t)k->at;
    } else {
        t->parameters.rsaDetail.scheme.scheme = k->scheme;
        t->parameters.rsaDetail.scheme.details.anySig.hashAlg = k->hash;
        t->unique.rsa.size = 1;
        t->unique.rsa.buffer[0] = (uint8_t)k->at;
    }
}

/* A primary key of the owner's hierarchy, persistent. */
static int make_one(struct hwk_tpm *tpm, const struct made_key *k)
{
    TPM2B_PUBLIC template;
    ESYS_TR tr = ESYS_TR_NONE, kept = ESYS_TR_NONE;
    TSS2_RC rc;

    describe_key(k, &template);
    if (hwk_tpm_begin(tpm) == NULL)
        return 0;
    if (!hwk_tpm_create_primary(tpm, TPM2_RH_OWNER, NULL, NULL, &template, &tr,
                                NULL)) {
        hwk_tpm_end(tpm);
        return 0;
    }
    rc = Esys_EvictControl(tpm->esys, ESYS_TR_RH_OWNER, tr, ESYS_TR_PASSWORD,
                           ESYS_TR_NONE, ESYS_TR_NONE, k->at, &kept);
    hwk_tpm_flush(tpm, &tr);
    if (kept != ESYS_TR_NONE)
        Esys_TR_Close(tpm->esys, &kept);
    hwk_tpm_end(tpm);
    return rc == TSS2_RC_SUCCESS;
}

/* In a group's setup: a TPM with these keys, and a world. */
static int begin_with(const struct made_key *keys, size_t n)
{
    struct hwk_config cfg = {0};
    struct hwk_tpm *tpm;
    size_t i;
    int ok = 1;

    if (tpm_device_up() != 0)
        return -1;
    cfg.tcti = getenv("HWKEY_TCTI");
    cfg.tpm_lock = getenv("HWKEY_TPM_LOCK");
    tpm = hwk_tpm_new(&cfg);
    for (i = 0; ok && i < n; i++)
        ok = make_one(tpm, &keys[i]);
    hwk_tpm_free(tpm);
    if (!ok)
        ERR_print_errors_fp(stderr);
    return ok && world_open(&w, "dh") ? 0 : -1;
}

static int end_all(void **state)
{
    bool clean = false;
    int i;

    (void)state;
    world_close(&w);
    /* a resource manager flushes when it sees that we are gone */
    for (i = 0; i < 100 && !clean; i++)
        clean = tpm_device_left() == 0;
    tpm_device_down();
    return clean ? 0 : -1;
}

static EVP_PKEY *open_at(const char *uri)
{
    EVP_PKEY *key = open_key(&w, uri, OSSL_STORE_INFO_PKEY, NULL);

    if (key == NULL)
        ERR_print_errors_fp(stderr);
    assert_non_null(key);
    return key;
}

/* commands since the last call */
static unsigned commands(void)
{
    static unsigned long long before;
    unsigned long long now = tpm_device_commands();
    unsigned n = (unsigned)(now - before);

    before = now;
    return n;
}

/* the newest error is of that reason, and has the words in its text */
static void said(int reason, const char *words)
{
    const char *data = "";

    ERR_peek_last_error_data(&data, NULL);
    if (words != NULL && strstr(data, words) == NULL)
        fail_msg("%s, without: %s", data, words);
    assert_int_equal(hwk_reason(), reason);
}

#endif
