/* SPDX-License-Identifier: Apache-2.0 */
/* The line's messages: what was read is written and read again the same, and
 * no request counts without a station's signature. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/factory.h>

#include "tests/fuzz/fuzz.h"

static void check_request(struct idv_bytes in)
{
    struct idv_factory_request r = {0}, again = {0};
    IDV_AUTO(buf) json = {0};
    IDV_AUTO(buf) twice = {0};
    if (idv_factory_request_from_json(in, &r) != IDV_OK) {
        PROMISE(*idv_note());
        return;
    }
    PROMISE(r.tcg_csr.n <= IDV_MAX_TCG_CSR && r.order[0] && r.station[0]);
    PROMISE(idv_factory_request_to_json(&r, &json) == IDV_OK);
    PROMISE(idv_factory_request_from_json(idv_view(&json), &again) == IDV_OK);
    PROMISE(idv_factory_request_to_json(&again, &twice) == IDV_OK);
    PROMISE(idv_bytes_eq(idv_view(&json), idv_view(&twice)));
    idv_factory_request_free(&r);
    idv_factory_request_free(&again);
}

static void check_reply(struct idv_bytes in)
{
    static const uint8_t secret[32];
    struct idv_factory_reply r = {0}, again = {0};
    IDV_AUTO(buf) json = {0};
    IDV_AUTO(buf) bag = {0};
    if (idv_factory_reply_from_json(in, &r) != IDV_OK)
        return;
    PROMISE((r.bag.n > 0) != (r.sealed.n > 0));
    PROMISE(idv_factory_reply_to_json(&r, &json) == IDV_OK);
    PROMISE(idv_factory_reply_from_json(idv_view(&json), &again) == IDV_OK);
    PROMISE(idv_factory_reply_open(&r, idv_bytes(secret, 32), &bag) != IDV_OK);
    PROMISE(bag.n == 0);
    idv_factory_reply_free(&r);
    idv_factory_reply_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct idv_factory_request r = {0};
    X509 *signer = NULL;
    idv_note_clear();
    check_request(idv_bytes(data, n));
    idv_note_clear();
    check_reply(idv_bytes(data, n));
    idv_note_clear();
    PROMISE(idv_factory_request_open(idv_bytes(data, n), NULL, false, 0, &r,
                                     &signer) != IDV_OK);
    PROMISE(*idv_note() && !signer && !r.order[0]);
    return 0;
}
