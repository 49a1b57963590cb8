/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes of a token. */
#include "provider/device/p11.h"

#define AT_ONCE 1024 /* some tokens give no more */

static CK_RV fill(struct p11_token *t, CK_SESSION_HANDLE s, uint8_t *out,
                  size_t n)
{
    CK_RV rv = CKR_OK;

    while (n > 0 && rv == CKR_OK) {
        size_t some = n < AT_ONCE ? n : AT_ONCE;

        rv = P11(t->module, C_GenerateRandom, s, out, some);
        out += some;
        n -= some;
    }
    return rv;
}

int p11_random(void *state, const struct hwk_uri *uri, uint8_t *out, size_t n)
{
    struct p11_token *t[1];
    struct p11_session s;
    CK_RV rv = CKR_OK;
    int tries;

    if (p11_tokens(state, uri, t, 1) < 1)
        return 0;
    for (tries = 0; tries < 2; tries++) {
        if (!p11_session_get(t[0], false, &s))
            return 0;
        rv = fill(t[0], s.h, out, n);
        if (p11_lost(rv))
            p11_token_lost(t[0], s.epoch, rv);
        p11_session_put(t[0], &s, false, rv != CKR_OK);
        if (rv == CKR_OK)
            return 1;
        if (!p11_lost(rv))
            break;
    }
    return p11_raise("C_GenerateRandom", rv);
}
