/* SPDX-License-Identifier: Apache-2.0 */
/* Text with files that stand for keys: what is not ours is left alone, what is
 * ours decodes or is refused with a reason. */
#include <string.h>

#include <openssl/err.h>

#include "provider/keyfile.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t *at;
static size_t left;

static int gets_from_memory(OSSL_CORE_BIO *bio, char *line, int max)
{
    int n = 0;

    (void)bio;
    while (n < max - 1 && left > 0) {
        line[n++] = (char)*at++;
        left--;
        if (line[n - 1] == '\n')
            break;
    }
    line[n] = 0;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct hwk_core core = {.bio_gets = gets_from_memory};
    struct hwk_keyfile file;
    int r;

    at = data;
    left = n;
    ERR_clear_error();
    do {
        r = hwk_keyfile_read(&core, NULL, &file);
        PROMISE(r >= 0 ? ERR_peek_error() == 0 : hwk_err_is(HWK_R_FORMAT));
        if (r > 0) {
            PROMISE(file.n > 0);
            OPENSSL_free(file.der);
        }
    } while (r > 0);
    return 0;
}
