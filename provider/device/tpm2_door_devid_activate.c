/* SPDX-License-Identifier: Apache-2.0 */
/* What was encrypted for an EK and a key's Name: ActivateCredential. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/tpm2_authcall.h"
#include "provider/device/tpm2_door_devid.h"

struct job {
    struct hwk_tpm *tpm;
    struct hwk_tpm_born *what, *ek;
    ESYS_TR what_tr, ek_tr;
    TPM2B_ID_OBJECT credential;
    TPM2B_ENCRYPTED_SECRET secret;
};

static int sizes(struct job *j, struct hwk_view credential,
                 struct hwk_view secret)
{
    size_t a = 0, b = 0;
    return (Tss2_MU_TPM2B_ID_OBJECT_Unmarshal(credential.p, credential.n, &a,
                                              &j->credential) ==
                TSS2_RC_SUCCESS &&
            a == credential.n &&
            Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(
                secret.p, secret.n, &b, &j->secret) == TSS2_RC_SUCCESS &&
            b == secret.n) ||
           hwk_raise(HWK_R_FORMAT, "a credential is TPM2B_ID_OBJECT and "
                                   "TPM2B_ENCRYPTED_SECRET");
}

/* an EK of the high range by its empty value, which takes no command */
static int use_ek(struct job *j, ESYS_TR *session)
{
    struct hwk_tpm *tpm = j->tpm;
    if (j->ek->pub.publicArea.objectAttributes & TPMA_OBJECT_USERWITHAUTH)
        return hwk_tpm_authorize(tpm, j->ek_tr, NULL, HWK_TPM_NO_SECRET,
                                 session);
    return hwk_tpm_devid_policy(tpm, j->ek, j->ek_tr,
                                TPM2_CC_ActivateCredential, false, session) &&
           hwk_tpm_policy_authorize(tpm, j->ek_tr, NULL, HWK_TPM_NO_SECRET);
}

/*
 * What comes back is the secret: it is encrypted in the session of the first
 * authorization, which is salted with the EK itself. That of the EK carries
 * nothing and decides nothing more than that: unsalted.
 */
static int authorize(struct job *j, ESYS_TR *first, ESYS_TR *second)
{
    if (!hwk_tpm_devid_policy(j->tpm, j->what, j->what_tr,
                              TPM2_CC_ActivateCredential, true, first))
        return 0;
    hwk_tpm_policy_aside(j->tpm);
    return use_ek(j, second) &&
           hwk_tpm_aside_authorize(j->tpm, j->what_tr, HWK_TPM_SECRET_BACK);
}

/* A parameter was refused: how it was encrypted, or for whom. Some TPMs say
 * FAILURE when RSA padding is wrong; one in failure mode would not have come
 * that far. */
static bool is_of_parameter(TSS2_RC rc)
{
    return (hwk_tpm_answered(rc) && (rc & TPM2_RC_FMT1) && (rc & TPM2_RC_P)) ||
           hwk_tpm_rc_is(rc, TPM2_RC_INTEGRITY) ||
           hwk_tpm_rc_is(rc, TPM2_RC_FAILURE);
}

static int judge(const struct job *j, TSS2_RC rc)
{
    struct hwk_tpm *tpm = j->tpm;
    if (rc != TSS2_RC_SUCCESS && is_of_parameter(rc))
        return hwk_raise(HWK_R_KEY,
                         "TPM %s: the credential is not for this EK and this "
                         "key, or was altered (0x%x)",
                         tpm->name, rc);
    if (hwk_tpm_rc_is(rc, TPM2_RC_POLICY_FAIL) ||
        hwk_tpm_rc_is(rc, TPM2_RC_POLICY_CC))
        return hwk_raise(HWK_R_POLICY,
                         "TPM %s: the policy of the EK or the key is not the "
                         "TCG's",
                         tpm->name);
    return hwk_tpm_check(tpm, rc, "ActivateCredential", j->what->handle);
}

/* past ESYS, which would print that a credential is not for this key */
static TSS2_RC send(struct job *j, ESYS_TR first, ESYS_TR second,
                    TPM2B_DIGEST *got)
{
    const TPM2_HANDLE handles[] = {j->what->handle, j->ek->handle};
    const TPM2B_NAME names[] = {j->what->name, j->ek->name};
    const struct hwk_tpm_authorization by[] = {{.session = first},
                                               {.session = second}};
    struct hwk_tpm_call call;
    hwk_tpm_call_start(&call, TPM2_CC_ActivateCredential, handles, 2, false);
    hwk_tpm_call_put(&call, TPM2B_ID_OBJECT, &j->credential);
    hwk_tpm_call_put(&call, TPM2B_ENCRYPTED_SECRET, &j->secret);
    hwk_tpm_authcall_run(j->tpm, &call, names, 2, by, 2);
    hwk_tpm_call_get(&call, TPM2B_DIGEST, got);
    OPENSSL_cleanse(call.out, call.out_n);
    return call.rc;
}

static int run(struct job *j, TPM2B_DIGEST *got)
{
    struct hwk_tpm *tpm = j->tpm;
    ESYS_TR first, second;
    TSS2_RC rc;
    tpm->sessions.keep_policy = false;
    do {
        if (!authorize(j, &first, &second))
            return 0;
        rc = send(j, first, second, got);
    } while (hwk_tpm_again(tpm, rc));
    return judge(j, rc);
}

static int give(const TPM2B_DIGEST *got, uint8_t *out, size_t *n)
{
    int ok = got->size > 0 && got->size <= *n;
    if (ok) {
        memcpy(out, got->buffer, got->size);
        *n = got->size;
    }
    return ok || hwk_raise(HWK_R_ARGUMENT, "no room for the secret");
}

int hwk_tpm_devid_activate(void *state, const struct hwk_born *what,
                           const struct hwk_born *ek,
                           struct hwk_view credential, struct hwk_view secret,
                           uint8_t *out, size_t *n)
{
    struct job j = {.tpm = state};
    TPM2B_DIGEST got = {.size = 0};
    if (!sizes(&j, credential, secret) || !hwk_tpm_begin(state))
        return 0;
    j.what = hwk_tpm_born_find(state, what, &j.what_tr);
    j.ek = j.what ? hwk_tpm_born_find(state, ek, &j.ek_tr) : NULL;
    int ok = j.ek &&
             (j.ek->what == HWK_DEVID_EK ||
              hwk_raise(HWK_R_ARGUMENT, "that key is no EK")) &&
             run(&j, &got) && give(&got, out, n);
    OPENSSL_cleanse(&got, sizeof(got));
    hwk_tpm_end(state);
    return ok;
}
