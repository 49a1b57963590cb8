/* SPDX-License-Identifier: Apache-2.0 */
/* The floor of a TPM: ESYS, called directly with a password session. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tss2/tss2_esys.h>
#include <tss2/tss2_tctildr.h>

#include "tests/bench/bench.h"

static struct {
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
    ESYS_TR key;
    EVP_MD *md;
} raw;

static int done(TSS2_RC rc, const char *what)
{
    if (rc == TSS2_RC_SUCCESS)
        return 1;
    fprintf(stderr, "bench: %s: 0x%x\n", what, rc);
    return 0;
}

int raw_tpm_load(struct contestant *c)
{
    const char *uri = hwkey_uri(TPM, c->alg);
    TPM2_HANDLE handle = (TPM2_HANDLE)strtoul(strchr(uri, '=') + 1, NULL, 16);

    return done(Tss2_TctiLdr_Initialize(getenv("HWKEY_TCTI"), &raw.tcti),
                "TCTI") &&
           done(Esys_Initialize(&raw.esys, raw.tcti, NULL),
                "Esys_Initialize") &&
           done(Esys_TR_FromTPMPublic(raw.esys, handle, ESYS_TR_NONE,
                                      ESYS_TR_NONE, ESYS_TR_NONE, &raw.key),
                "Esys_TR_FromTPMPublic");
}

int raw_tpm_open(struct contestant *c)
{
    raw.md = EVP_MD_fetch(NULL, "SHA256", NULL);
    return raw.md != NULL && raw_tpm_load(c);
}

int raw_tpm_sign(struct contestant *c)
{
    static const unsigned char message[] = "a message to be signed";
    const TPMT_SIG_SCHEME scheme = {.scheme = c->alg == P256 ? TPM2_ALG_ECDSA
                                                             : TPM2_ALG_RSASSA,
                                    .details.any.hashAlg = TPM2_ALG_SHA256};
    const TPMT_TK_HASHCHECK ticket = {.tag = TPM2_ST_HASHCHECK,
                                      .hierarchy = TPM2_RH_NULL};
    TPM2B_DIGEST digest = {.size = 32};
    TPMT_SIGNATURE *sig = NULL;

    if (!EVP_Digest(message, sizeof(message), digest.buffer, NULL, raw.md,
                    NULL))
        return bench_fail("no digest");
    if (!done(Esys_Sign(raw.esys, raw.key, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                        ESYS_TR_NONE, &digest, &scheme, &ticket, &sig),
              "Esys_Sign"))
        return 0;
    Esys_Free(sig);
    return 1;
}
