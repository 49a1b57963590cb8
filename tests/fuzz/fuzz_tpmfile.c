/* SPDX-License-Identifier: Apache-2.0 */
/* What object=FILE may name: each kind is told by its bytes, or refused. */
#include <openssl/err.h>

#include "provider/device/tpm2_file.h"
#include "provider/err.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct hwk_tpm_file file;

    ERR_clear_error();
    if (n > HWK_TPM_FILE_MAX)
        return 0;
    if (!hwk_tpm_file_parse("file", data, n, &file)) {
        PROMISE(hwk_err_is(HWK_R_FORMAT));
        PROMISE(file.der == NULL);
        return 0;
    }
    PROMISE(ERR_peek_error() == 0);
    PROMISE((file.kind == HWK_TPM_FILE_KEY) == (file.der != NULL));
    PROMISE((file.kind == HWK_TPM_FILE_HANDLE) == (file.handle != 0));
    PROMISE((file.kind == HWK_TPM_FILE_CONTEXT) ==
            (file.context.savedHandle != 0));
    hwk_tpm_file_clear(&file);
    return 0;
}
