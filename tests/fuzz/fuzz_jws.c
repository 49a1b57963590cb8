/* SPDX-License-Identifier: Apache-2.0 */
/* A JWS from outside, and a protected header in one: opens or not, never
 * verifies for strangers. */
#include <string.h>

#include <openssl/err.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/envelope.h>

#include "tests/fuzz/fuzz.h"
#include "tests/lib/pki.h"

size_t fuzz_places = 64; /* several openings, each with a signature */

static struct pki pki;

static void opened(struct idv_bytes sealed)
{
    IDV_AUTO(opened) o = {0};
    struct idv_chain_policy policy = {.anchors = pki.anchors,
                                      .extra = pki.idevid_chain};
    idv_note_clear();
    if (idv_envelope_open(IDV_MEDIA_VOUCHER_JWS, sealed, &o) != IDV_OK) {
        PROMISE(idv_note()[0] && !o.native && !o.certs && !o.payload.p);
        return;
    }
    const char *guess = idv_envelope_guess(sealed);
    PROMISE(guess && strcmp(guess, IDV_MEDIA_VOUCHER_JWS) == 0);
    PROMISE(o.payload.n > 0 && sk_X509_num(o.certs) <= IDV_MAX_CHAIN);
    PROMISE(o.signing_time == 0);
    PROMISE((o.signer != NULL) == (sk_X509_num(o.certs) > 0));
    PROMISE(idv_envelope_verify_key(&o, pki.idevid.key) != IDV_OK);
    PROMISE(idv_envelope_verify(&o, &policy) != IDV_OK);
    policy.anchors = NULL;
    PROMISE(idv_envelope_verify(&o, &policy) != IDV_OK);
}

/* the header, with a signature of a length that most algorithms have */
static void head(struct idv_bytes text)
{
    static const uint8_t zeros[256];
    IDV_AUTO(buf) all = {0};
    static const size_t lengths[] = {64, 96, 132, 256};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        idv_buf_clear(&all);
        PROMISE(idv_buf_puts(&all, "{\"payload\":\"e30\",\"signatures\":[{"
                                   "\"protected\":\"") == IDV_OK);
        PROMISE(idv_base64url_from_bytes(text, &all) == IDV_OK);
        PROMISE(idv_buf_puts(&all, "\",\"signature\":\"") == IDV_OK);
        PROMISE(idv_base64url_from_bytes(idv_bytes(zeros, lengths[i]), &all) ==
                IDV_OK);
        PROMISE(idv_buf_puts(&all, "\"}]}") == IDV_OK);
        opened(idv_view(&all));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!pki.anchors)
        pki_make(&pki);
    if (n > IDV_MAX_BODY / 2)
        return 0;
    opened(idv_bytes(data, n));
    head(idv_bytes(data, n));
    PROMISE(ERR_peek_error() == 0);
    return 0;
}
