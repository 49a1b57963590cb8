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
                 const TPM2B_PUBLIC *pub, const TPM2B_NAME *theirs)
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
    salt->known = true;
    salt->handle = handle;
    salt->pub = *pub;
    salt->name = name;
    snprintf(which, sizeof(which), "0x%08x", handle);
    tell(tpm, which, &name);
    return 1;
}

/* the very public area that was checked, and a handle that nobody else has */
static int take(struct hwk_tpm *tpm, ESYS_TR *tr)
{
    const struct hwk_tpm_salt *salt = &tpm->sessions.salt;
    return hwk_tpm_check(
        tpm,
        hwk_tpm_primary_tell(tpm, salt->handle, &salt->pub, &salt->name, tr),
        "salt key", salt->handle);
}

/* --- a key made for the moment --- */

static int make(struct hwk_tpm *tpm, TPM2_HANDLE hierarchy, const char *which,
                ESYS_TR *tr)
{
    TPM2B_PUBLIC template, pub;
    TPM2B_NAME name;
    hwk_tpm_template_default(false, &template);
    if (!hwk_tpm_create_primary(tpm, hierarchy, NULL, NULL, &template, tr,
                                &pub))
        return 0;
    tpm->sessions.salt.passing = true;
    if (hwk_tpm_name(&pub, &name) && expected(tpm, &name)) {
        tell(tpm, which, &name);
        return 1;
    }
    hwk_tpm_flush(tpm, tr);
    return 0;
}

/* --- which --- */

static int configured(struct hwk_tpm *tpm, TPM2_HANDLE handle, ESYS_TR *tr)
{
    TPM2B_PUBLIC pub;
    TPM2B_NAME name;
    if (handle == TPM2_RH_OWNER)
        return make(tpm, TPM2_RH_OWNER, "owner", tr);
    if (!hwk_tpm_ask_public(tpm, handle, &pub, &name))
        return hwk_err_is(HWK_R_NOT_FOUND)
                   ? hwk_raise(HWK_R_NOT_FOUND,
                               "TPM %s: no key at 0x%08x, which salt-key names",
                               tpm->name, handle)
                   : 0;
    if (!will_do(&pub))
        return hwk_raise(HWK_R_KEY, "TPM %s: salt-key 0x%08x does not decrypt",
                         tpm->name, handle);
    return learn(tpm, handle, &pub, &name) && take(tpm, tr);
}

static int usual(struct hwk_tpm *tpm, ESYS_TR *tr)
{
    struct hwk_tpm_salt *salt = &tpm->sessions.salt;
    TPM2B_PUBLIC pub;
    TPM2B_NAME name;
    if (salt->absent)
        return make(tpm, TPM2_RH_NULL, "null", tr);
    ERR_set_mark();
    int there = hwk_tpm_ask_public(tpm, HWK_TPM_SRK, &pub, &name);
    if (!there && !hwk_err_is(HWK_R_NOT_FOUND)) {
        ERR_clear_last_mark();
        return 0;
    }
    ERR_pop_to_mark();
    salt->absent = !there || !will_do(&pub);
    return salt->absent ? make(tpm, TPM2_RH_NULL, "null", tr)
                        : learn(tpm, HWK_TPM_SRK, &pub, &name) && take(tpm, tr);
}

int hwk_tpm_salt_open(struct hwk_tpm *tpm, ESYS_TR *tr)
{
    const struct hwk_salt_key *pin = pinned(tpm);
    *tr = ESYS_TR_NONE;
    tpm->sessions.salt.passing = false;
    if (!pin && tpm->sessions.salt.lent != ESYS_TR_NONE) {
        *tr = tpm->sessions.salt.lent;
        return 1;
    }
    if (tpm->sessions.salt.known)
        return take(tpm, tr);
    return pin ? configured(tpm, pin->handle, tr) : usual(tpm, tr);
}

void hwk_tpm_salt_close(struct hwk_tpm *tpm, ESYS_TR *tr)
{
    if (*tr == ESYS_TR_NONE)
        return;
    if (tpm->sessions.salt.passing)
        hwk_tpm_flush(tpm, tr);
    else if (*tr != tpm->sessions.salt.lent)
        Esys_TR_Close(tpm->esys, tr);
    *tr = ESYS_TR_NONE;
}
