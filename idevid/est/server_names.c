/* SPDX-License-Identifier: Apache-2.0 */
/* Are two lists of names the same? */
#include <openssl/err.h>

#include "idevid/est/server_call.h"

IDV_AUTO_PTR_DEFINE(GENERAL_NAMES, GENERAL_NAMES_free)

static GENERAL_NAMES *names_of(X509_EXTENSION *ext)
{
    GENERAL_NAMES *names = ext ? X509V3_EXT_d2i(ext) : NULL;
    ERR_clear_error();
    return names;
}

/* once each, so that a name said twice does not stand for two */
static bool take(GENERAL_NAMES *from, GENERAL_NAME *name)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(from); i++) {
        if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(from, i), name) != 0)
            continue;
        GENERAL_NAME_free(sk_GENERAL_NAME_delete(from, i));
        return true;
    }
    return false;
}

bool idvi_est_same_names(X509_EXTENSION *a, X509_EXTENSION *b)
{
    if (!a || !b)
        return !a && !b;
    IDV_AUTO_PTR(GENERAL_NAMES) one = names_of(a);
    IDV_AUTO_PTR(GENERAL_NAMES) other = names_of(b);
    if (!one || !other ||
        sk_GENERAL_NAME_num(one) != sk_GENERAL_NAME_num(other))
        return false;
    for (int i = 0; i < sk_GENERAL_NAME_num(one); i++) {
        if (!take(other, sk_GENERAL_NAME_value(one, i)))
            return false;
    }
    return true;
}
