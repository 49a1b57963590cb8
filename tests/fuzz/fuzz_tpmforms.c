/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM's public areas, attestations and signatures: what was read is written
 * the same, to the byte; what passes for an EK gets a credential. */
#include <string.h>

#include <idevid/auto.h>

#include "tests/fuzz/fuzz.h"
#include "tpm/attest.h"
#include "tpm/credential.h"
#include "tpm/devid.h"

static void check_ek(const struct idvi_tpm_public *p)
{
    struct idv_env_system sys;
    struct idvi_devid_found found;
    EVP_PKEY *key = NULL;
    IDV_AUTO(buf) name = {0};
    IDV_AUTO(buf) a = {0};
    IDV_AUTO(buf) b = {0};
    if (idvi_devid_check(IDVI_DEVID_EK, p, &found) != IDV_OK)
        return;
    idv_env_system_init(&sys, NULL);
    bool good = idvi_tpm_public_to_key(p, &key) == IDV_OK;
    PROMISE(good == (key != NULL));
    PROMISE(idvi_tpm_public_name(p, &name) == IDV_OK);
    idv_rc rc = idvi_credential_make(p, idv_view(&name), idv_str("secret"),
                                     &sys.env, &a, &b);
    PROMISE(rc == (good ? IDV_OK : IDV_E_REJECT));
    PROMISE(good == (a.n > 0) && good == (b.n > 0));
    EVP_PKEY_free(key);
}

static void check_public(struct idv_bytes in)
{
    struct idvi_tpm_public p;
    struct idvi_devid_found found;
    IDV_AUTO(buf) back = {0};
    idv_note_clear();
    if (idvi_tpm_public_from_bytes(in, &p) != IDV_OK) {
        PROMISE(*idv_note());
        return;
    }
    PROMISE(idvi_tpm_public_to_bytes(&p, &back) == IDV_OK);
    PROMISE(idv_bytes_eq(idv_view(&back), in));
    /* one thing at most: the three exclude each other */
    int is = 0;
    for (int what = IDVI_DEVID_EK; what <= IDVI_DEVID_IDEVID; what++)
        is += idvi_devid_check((enum idvi_devid)what, &p, &found) == IDV_OK;
    PROMISE(is <= 1);
    check_ek(&p);
}

static void check_attest(struct idv_bytes in)
{
    struct idvi_attest a;
    idv_note_clear();
    if (idvi_attest_from_bytes(in, 7, &a) != IDV_OK) {
        PROMISE(*idv_note());
        return;
    }
    PROMISE(idvi_tpm_is_name(a.signer));
    PROMISE(a.type == IDVI_ATTEST_NV ? idvi_tpm_is_name(a.index)
                                     : idvi_tpm_is_name(a.name));
}

static void check_signature(struct idv_bytes in)
{
    struct idvi_tpm_signature s;
    IDV_AUTO(buf) evp = {0};
    idv_note_clear();
    if (idvi_tpm_signature_from_bytes(in, &s) != IDV_OK) {
        PROMISE(*idv_note());
        return;
    }
    PROMISE(idvi_tpm_signature_to_evp(&s, &evp) == IDV_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct idv_bytes in = idv_bytes(data, n);
    check_public(in);
    check_attest(in);
    check_signature(in);
    return 0;
}
