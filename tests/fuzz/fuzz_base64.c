/* SPDX-License-Identifier: Apache-2.0 */
/* base64 and hexadecimal: strict text comes back byte for byte. */
#include <idevid/auto.h>
#include <idevid/codec.h>

#include "tests/fuzz/fuzz.h"

static void strict(struct idv_bytes text)
{
    IDV_AUTO(buf) raw = {0};
    IDV_AUTO(buf) back = {0};
    IDV_AUTO(buf) lax = {0};
    if (idv_base64_to_bytes(text, IDV_BASE64_STRICT, &raw) != IDV_OK)
        return;
    PROMISE(idv_base64_from_bytes(idv_view(&raw), 0, &back) == IDV_OK);
    PROMISE(idv_bytes_eq(idv_view(&back), text));
    PROMISE(idv_base64_to_bytes(text, IDV_BASE64_LAX, &lax) == IDV_OK);
    PROMISE(idv_bytes_eq(idv_view(&raw), idv_view(&lax)));
}

static void lax(struct idv_bytes text)
{
    IDV_AUTO(buf) raw = {0};
    IDV_AUTO(buf) lines = {0};
    IDV_AUTO(buf) again = {0};
    if (idv_base64_to_bytes(text, IDV_BASE64_LAX, &raw) != IDV_OK)
        return;
    PROMISE(idv_base64_from_bytes(idv_view(&raw), 64, &lines) == IDV_OK);
    PROMISE(idv_base64_to_bytes(idv_view(&lines), IDV_BASE64_LAX, &again) ==
            IDV_OK);
    PROMISE(idv_bytes_eq(idv_view(&raw), idv_view(&again)));
}

static void hex(struct idv_bytes text)
{
    IDV_AUTO(buf) raw = {0};
    IDV_AUTO(buf) back = {0};
    IDV_AUTO(buf) again = {0};
    if (idv_hex_to_bytes(text, &raw) != IDV_OK)
        return;
    PROMISE(idv_hex_from_bytes(idv_view(&raw), &back) == IDV_OK);
    PROMISE(idv_hex_to_bytes(idv_view(&back), &again) == IDV_OK);
    PROMISE(idv_bytes_eq(idv_view(&raw), idv_view(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 100000)
        return 0;
    idv_note_clear();
    strict(idv_bytes(data, n));
    lax(idv_bytes(data, n));
    hex(idv_bytes(data, n));
    return 0;
}
