/* SPDX-License-Identifier: Apache-2.0 */
/* Certification authorities that everybody trusts. */
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include <idevid/auto.h>
#include <idevid/x509.h>

#include "public_ca.h"

#define MAX_ROOTS 1024 /* systems have some 150 */

static const char *path(void)
{
    const char *given = getenv(X509_get_default_cert_file_env());
    return given && *given ? given : X509_get_default_cert_file();
}

static bool is_public(X509 *cert, X509 *root)
{
    EVP_PKEY *key = X509_get0_pubkey(root);
    if (idv_cert_eq(cert, root))
        return true;
    return key && X509_check_issued(root, cert) == X509_V_OK &&
           X509_verify(cert, key) == 1;
}

/* the leaf itself is nobody's CA, whoever issued it */
static const X509 *first_below(const STACK_OF(X509) * chain, X509 *root)
{
    for (int i = 1; i < sk_X509_num(chain); i++) {
        if (is_public(sk_X509_value(chain, i), root))
            return sk_X509_value(chain, i);
    }
    return NULL;
}

const X509 *tool_public_ca(const STACK_OF(X509) * chain)
{
    const X509 *found = NULL;
    IDV_AUTO_PTR(BIO) in = BIO_new_file(path(), "r");
    for (int i = 0; in && !found && i < MAX_ROOTS; i++) {
        IDV_AUTO_PTR(X509) root = PEM_read_bio_X509(in, NULL, NULL, NULL);
        if (!root)
            break;
        found = first_below(chain, root);
    }
    ERR_clear_error(); /* no file, or its end */
    return found;
}
