/* SPDX-License-Identifier: Apache-2.0 */
/* A container from outside: opens or not, never verifies for strangers. */
#include <openssl/err.h>

#include <idevid/auto.h>
#include <idevid/envelope.h>

#include "tests/fuzz/fuzz.h"
#include "tests/lib/pki.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct pki pki;
    IDV_AUTO(opened) o = {0};
    struct idv_chain_policy policy = {0};
    if (!pki.anchors)
        pki_make(&pki);
    policy.anchors = pki.anchors;
    policy.extra = pki.idevid_chain;
    idv_note_clear();
    (void)idv_envelope_guess(idv_bytes(data, n));
    if (idv_envelope_open(IDV_MEDIA_VOUCHER_CMS, idv_bytes(data, n), &o) !=
        IDV_OK) {
        PROMISE(idv_note()[0] && !o.native && !o.certs && !o.payload.p);
    } else {
        PROMISE(o.payload.n > 0 && sk_X509_num(o.certs) <= IDV_MAX_CHAIN);
        PROMISE(idv_envelope_verify_key(&o, pki.idevid.key) != IDV_OK);
        PROMISE(idv_envelope_verify(&o, &policy) != IDV_OK);
        policy.anchors = NULL;
        PROMISE(idv_envelope_verify(&o, &policy) != IDV_OK);
    }
    PROMISE(ERR_peek_error() == 0);
    return 0;
}
