/* SPDX-License-Identifier: Apache-2.0 */
/* URLs: what is read is written and read the same again. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct idv_url url, again;
    IDV_AUTO(buf) text = {0};
    idv_note_clear();
    if (idv_url_from_text(idv_bytes(data, n), &url) != IDV_OK)
        return 0;
    PROMISE(url.host[0] && url.port);
    PROMISE(idv_url_to_text(&url, &text) == IDV_OK);
    /* "https://" is added to what was a bare authority of full length */
    if (text.n > 1024)
        return 0;
    PROMISE(idv_url_from_text(idv_view(&text), &again) == IDV_OK);
    PROMISE(strcmp(url.host, again.host) == 0);
    PROMISE(strcmp(url.path, again.path) == 0);
    PROMISE(idv_url_same_origin(&url, &again));
    return 0;
}
