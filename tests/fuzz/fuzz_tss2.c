/* SPDX-License-Identifier: Apache-2.0 */
/* Key files of TPMs: what is read is written the same again. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "provider/device/tpm2_keyfile.h"
#include "provider/err.h"
#include "tests/fuzz/fuzz.h"

static void write_again(const struct hwk_tpm_keyfile *file)
{
    struct hwk_tpm_keyfile *again;
    uint8_t *der, *same;
    size_t n, m;

    PROMISE(hwk_tpm_keyfile_parent(file->parent));
    PROMISE(hwk_tpm_keyfile_encode(file, &der, &n));
    PROMISE(hwk_tpm_keyfile_parse(der, n, &again));
    PROMISE(memcmp(&file->priv, &again->priv, sizeof(file->priv)) == 0);
    PROMISE(memcmp(&file->pub, &again->pub, sizeof(file->pub)) == 0);
    PROMISE(hwk_tpm_keyfile_encode(again, &same, &m));
    PROMISE(n == m && memcmp(der, same, n) == 0);
    OPENSSL_free(der);
    OPENSSL_free(same);
    hwk_tpm_keyfile_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct hwk_tpm_keyfile *file;

    ERR_clear_error();
    if (!hwk_tpm_keyfile_parse(data, n, &file)) {
        PROMISE(hwk_err_is(HWK_R_FORMAT));
        return 0;
    }
    PROMISE(ERR_peek_error() == 0);
    write_again(file);
    hwk_tpm_keyfile_free(file);
    return 0;
}
