/* SPDX-License-Identifier: Apache-2.0 */
/* URIs of keys: parsed or refused with a reason, and written the same again. */
#include <string.h>

#include <openssl/err.h>

#include "provider/err.h"
#include "provider/uri.h"
#include "tests/fuzz/fuzz.h"

static void same(const struct hwk_str *a, const struct hwk_str *b)
{
    PROMISE((a->p == NULL) == (b->p == NULL) && a->n == b->n);
    PROMISE(a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
}

static void write_and_read(const struct hwk_uri *uri)
{
    char text[3 * HWK_URI_MAX + 64] = "pkcs11:";
    struct hwk_uri again;

    if (uri->token.p != NULL)
        PROMISE(hwk_uri_put(text, sizeof(text), "token", uri->token.p,
                            uri->token.n, false));
    if (uri->id.p != NULL)
        PROMISE(
            hwk_uri_put(text, sizeof(text), "id", uri->id.p, uri->id.n, true));
    if (strlen(text) > HWK_URI_MAX)
        return;
    PROMISE(hwk_uri_parse(text, &again));
    same(&uri->token, &again.token);
    same(&uri->id, &again.id);
    hwk_uri_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char text[HWK_URI_MAX + 2];
    struct hwk_uri uri, copy;

    if (n >= sizeof(text))
        return 0;
    if (n > 0)
        memcpy(text, data, n);
    text[n] = 0;
    ERR_clear_error();
    if (!hwk_uri_parse(text, &uri)) {
        PROMISE(hwk_err_is(HWK_R_BAD_URI));
        PROMISE(uri.token.p == NULL && uri.pin_value.p == NULL);
        return 0;
    }
    PROMISE(ERR_peek_error() == 0);
    PROMISE(hwk_uri_copy(&uri, &copy));
    PROMISE(copy.pin_value.p == NULL && copy.pin_source.p == NULL);
    same(&uri.object, &copy.object);
    if (uri.scheme == HWK_SCHEME_PKCS11)
        write_and_read(&uri);
    hwk_uri_clear(&copy);
    hwk_uri_clear(&uri);
    return 0;
}
