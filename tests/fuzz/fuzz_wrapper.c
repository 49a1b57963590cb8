/* SPDX-License-Identifier: Apache-2.0 */
/* Files that stand for keys, and the signatures that devices give. */
#include <string.h>

#include <openssl/err.h>

#include "provider/op.h"
#include "provider/sigform.h"
#include "tests/fuzz/fuzz.h"

static void signature(const uint8_t *data, size_t n)
{
    uint8_t raw[132], der[160];
    size_t fields[] = {32, 48, 66}, i, len;

    for (i = 0; i < 3; i++) {
        len = sizeof(der);
        if (!hwk_sig_from_der(data, n, fields[i], raw) ||
            !hwk_sig_to_der(raw, fields[i], der, &len))
            continue;
        PROMISE(len == n && memcmp(der, data, n) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char uri[HWK_URI_MAX + 1], again[HWK_URI_MAX + 1];
    uint8_t der[HWK_WRAPPER_MAX];
    size_t len = sizeof(der);

    ERR_clear_error();
    if (hwk_wrapper_parse(data, n, uri)) {
        PROMISE(hwk_wrapper_build(uri, der, &len));
        PROMISE(hwk_wrapper_parse(der, len, again));
        PROMISE(strcmp(uri, again) == 0);
    } else {
        PROMISE(hwk_err_is(HWK_R_FORMAT));
    }
    signature(data, n);
    return 0;
}
