/* SPDX-License-Identifier: Apache-2.0 */
/* The key of the TPM that session secrets are encrypted to. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_load.h"
#include "provider/device/tpm2_make.h"
#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_primary.h"
#include "provider/device/tpm2_template.h"

int hwk_tpm_name(const TPM2B_PUBLIC *pub, TPM2B_NAME *out)
{
    uint8_t area[sizeof(TPMT_PUBLIC)];
    TPM2B_DIGEST digest;
    TPMI_ALG_HASH alg = pub->publicArea.nameAlg;
    size_t n = 0, at = 0;
    if (Tss2_MU_TPMT_PUBLIC_Marshal(&pub->publicArea, area, sizeof(area), &n) ||
        !hwk_tpm_hash(alg, area, n, &digest) ||
        Tss2_MU_UINT16_Marshal(alg, out->name, sizeof(out->name), &at))
        return 0;
    memcpy(out->name + at, digest.buffer, digest.size);
    out->size = (UINT16)(at + digest.size);
    return 1;
}

TPM2B_NAME hwk_tpm_handle_name(TPM2_HANDLE handle)
{
    TPM2B_NAME name = {.size = 0};
    size_t n = 0;
    Tss2_MU_UINT32_Marshal(handle, name.name, sizeof(name.name), &n);
    name.size = (UINT16)n;
    return name;
}

static const struct hwk_salt_key *pinned(const struct hwk_tpm *tpm)
{
    return tpm->cfg && tpm->cfg->salt_key.handle ? &tpm->cfg->salt_key : NULL;
}

static int expected(const struct hwk_tpm *tpm, const TPM2B_NAME *name)
{
    const struct hwk_salt_key *pin = pinned(tpm);
    if (!pin || pin->name_n == 0 ||
        (pin->name_n == name->size &&
         memcmp(pin->name, name->name, pin->name_n) == 0))
        return 1;
    return hwk_raise(HWK_R_BUS,
                     "TPM %s: the key at 0x%08x has not the Name that salt-key "
                     "gives: the TPM or the bus to it is not the expected one",
                     tpm->name, pin->handle);
}

static void tell(struct hwk_tpm *tpm, const char *which, const TPM2B_NAME *name)
{
    char hex[2 * sizeof(name->name) + 1] = "";
    const struct hwk_salt_key *pin = pinned(tpm);
    if (tpm->sessions.salt.told || (pin && pin->name_n))
        return;
    tpm->sessions.salt.told = true;
    for (size_t i = 0; i < name->size; i++)
        snprintf(hex + 2 * i, 3, "%02x", name->name[i]);
    hwk_log(HWK_LOG_INFO, "tpm-salt", "key", which, "name", hex, "pinned",
            "no: set salt-key to have the TPM itself checked");
}

/* --- persistent keys --- */

static bool will_do(const TPM2B_PUBLIC *pub)
{
    const TPMT_PUBLIC *t = &pub->publicArea;
    return (t->type == TPM2_ALG_RSA || t->type == TPM2_ALG_ECC) &&
           t->objectAttributes & TPMA_OBJECT_DECRYPT;
}

static int learn(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                 const TPM2B_PUBLIC *pub, const TPM2B_NAME *theirs,
                 struct hwk_tpm_salt_key *out)
{
    struct hwk_tpm_salt *salt = &tpm->sessions.salt;
    char which[16];
    TPM2B_NAME name;
    if (!hwk_tpm_name(pub, &name))
        return hwk_raise(HWK_R_KEY, "TPM key 0x%08x: a Name by hash 0x%04x",
                         handle, pub->publicArea.nameAlg);
    if (!expected(tpm, &name))
        return 0;
    if (name.size != theirs->size ||
        memcmp(name.name, theirs->name, name.size) != 0)
        return hwk_raise(HWK_R_BUS,
                         "TPM %s: the public area of 0x%08x was altered on "
                         "its way",
                         tpm->name, handle);
    *out = salt->known = (struct hwk_tpm_salt_key){
        .handle = handle, .pub = *pub, .passing = ESYS_TR_NONE};
    snprintf(which, sizeof(which), "0x%08x", handle);
    tell(tpm, which, &name);
    return 1;
}

/* --- a key made for the moment --- */

static int make(struct hwk_tpm *tpm, TPM2_HANDLE hierarchy, const char *which,
                struct hwk_tpm_salt_key *out)
{
    TPM2B_PUBLIC template;
    TPM2B_NAME name;
    hwk_tpm_template_default(false, &template);
    if (!hwk_tpm_create_primary(tpm, hierarchy, NULL, NULL, &template,
                                &out->passing, &out->pub))
        return 0;
    TSS2_RC rc = Esys_TR_GetTpmHandle(tpm->esys, out->passing, &out->handle);
    if (hwk_tpm_check(tpm, rc, "salt key", 0) &&
        hwk_tpm_name(&out->pub, &name) && expected(tpm, &name)) {
        tell(tpm, which, &name);
        return 1;
    }
    hwk_tpm_flush(tpm, &out->passing);
    return 0;
}

/* --- which --- */

static int configured(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                      struct hwk_tpm_salt_key *out)
{
    TPM2B_PUBLIC pub;
    TPM2B_NAME name;
    if (handle == TPM2_RH_OWNER)
        return make(tpm, TPM2_RH_OWNER, "owner", out);
    if (!hwk_tpm_ask_public(tpm, handle, &pub, &name))
        return hwk_err_is(HWK_R_NOT_FOUND)
                   ? hwk_raise(HWK_R_NOT_FOUND,
                               "TPM %s: no key at 0x%08x, which salt-key names",
                               tpm->name, handle)
                   : 0;
    if (!will_do(&pub))
        return hwk_raise(HWK_R_KEY, "TPM %s: salt-key 0x%08x does not decrypt",
                         tpm->name, handle);
    return learn(tpm, handle, &pub, &name, out);
}

static int usual(struct hwk_tpm *tpm, struct hwk_tpm_salt_key *out)
{
    struct hwk_tpm_salt *salt = &tpm->sessions.salt;
    TPM2B_PUBLIC pub;
    TPM2B_NAME name;
    if (salt->absent)
        return make(tpm, TPM2_RH_NULL, "null", out);
    ERR_set_mark();
    int there = hwk_tpm_ask_public(tpm, HWK_TPM_SRK, &pub, &name);
    if (!there && !hwk_err_is(HWK_R_NOT_FOUND)) {
        ERR_clear_last_mark();
        return 0;
    }
    ERR_pop_to_mark();
    salt->absent = !there || !will_do(&pub);
    return salt->absent ? make(tpm, TPM2_RH_NULL, "null", out)
                        : learn(tpm, HWK_TPM_SRK, &pub, &name, out);
}

int hwk_tpm_salt_open(struct hwk_tpm *tpm, struct hwk_tpm_salt_key *out)
{
    const struct hwk_salt_key *pin = pinned(tpm);
    const struct hwk_tpm_salt *salt = &tpm->sessions.salt;
    *out = (struct hwk_tpm_salt_key){.passing = ESYS_TR_NONE};
    if (!pin && salt->lent.handle)
        *out = salt->lent;
    else if (salt->known.handle)
        *out = salt->known;
    else
        return pin ? configured(tpm, pin->handle, out) : usual(tpm, out);
    return 1;
}

void hwk_tpm_salt_close(struct hwk_tpm *tpm, struct hwk_tpm_salt_key *key)
{
    hwk_tpm_flush(tpm, &key->passing);
}
