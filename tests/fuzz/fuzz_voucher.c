/* SPDX-License-Identifier: Apache-2.0 */
/* What a true maker may have signed: a payload read, written and judged. */
#include <string.h>

#include <openssl/err.h>

#include <idevid/auto.h>

#include "tests/fuzz/fuzz.h"
#include "tests/lib/pki.h"

static struct pki pki;

static void inverse(struct idv_bytes json)
{
    IDV_AUTO(voucher) v;
    IDV_AUTO(voucher) w;
    IDV_AUTO(buf) once = {0};
    IDV_AUTO(buf) twice = {0};
    idv_voucher_init(&w, IDV_VOUCHER);
    if (idv_voucher_from_json(json, IDV_VOUCHER, &v) != IDV_OK)
        return;
    PROMISE(v.serial_number[0]);
    if (v.nonce[0])
        v.expires_on = IDV_TIME_ABSENT;
    if (v.expires_on == IDV_TIME_ABSENT)
        v.last_renewal_date = IDV_TIME_ABSENT;
    PROMISE(idv_voucher_to_json(&v, &once) == IDV_OK);
    PROMISE(idv_voucher_from_json(idv_view(&once), IDV_VOUCHER, &w) == IDV_OK);
    PROMISE(idv_voucher_to_json(&w, &twice) == IDV_OK);
    PROMISE(idv_bytes_eq(idv_view(&once), idv_view(&twice)));
}

static void judge(struct idv_bytes payload)
{
    IDV_AUTO(buf) sealed = {0};
    struct idv_signer masa = {.key = pki.masa.key, .cert = pki.masa.cert};
    struct idv_voucher_claim claim = {.idevid = pki.idevid.cert,
                                      .nonce =
                                          "62a2e7693d82fcda2624de58fb6722e5",
                                      .tls_chain = pki.tls_chain};
    struct idv_voucher_policy policy = {.maker_anchors = pki.anchors};
    struct idv_pinned out;
    enum idv_verdict why;
    if (idv_envelope_seal(IDV_MEDIA_VOUCHER_CMS, payload, &masa, &sealed) !=
        IDV_OK)
        return;
    idv_note_clear();
    idv_rc rc = idv_voucher_check(IDV_MEDIA_VOUCHER_CMS, idv_view(&sealed),
                                  &claim, &policy, &out, &why);
    PROMISE((rc == IDV_OK) == (why == IDV_VERDICT_OK));
    PROMISE(rc == IDV_OK || rc == IDV_E_REJECT);
    PROMISE(rc != IDV_OK || strcmp(out.voucher.serial_number, PKI_SERIAL) == 0);
    PROMISE(why == IDV_VERDICT_OK || why >= IDV_VERDICT_CONTENT);
    idv_pinned_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!pki.anchors)
        pki_make(&pki);
    idv_note_clear();
    inverse(idv_bytes(data, n));
    judge(idv_bytes(data, n));
    PROMISE(ERR_peek_error() == 0);
    return 0;
}
