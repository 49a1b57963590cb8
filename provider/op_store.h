/* SPDX-License-Identifier: Apache-2.0 */
/* What a search of OSSL_STORE asks for, and what has it. */
#ifndef HWK_OP_STORE_H
#define HWK_OP_STORE_H

#include <openssl/bn.h>
#include <openssl/x509.h>

#include "provider/op.h"

/* OSSL_STORE_find: by subject, by issuer and serial number, by label. */
struct hwk_criteria {
    X509_NAME *subject, *issuer;
    BIGNUM *serial;
    char *alias;
};

/* Takes what params have of them. 0 with HWK_R_PARAM; HWK_R_UNSUPPORTED for a
 * fingerprint, which no device knows of its keys. */
int hwk_criteria_set(struct hwk_criteria *c, const OSSL_PARAM params[]);
void hwk_criteria_clear(struct hwk_criteria *c);

/* Only certificates have a subject, an issuer and a serial number. */
bool hwk_criteria_only_certs(const struct hwk_criteria *c);
bool hwk_criteria_fit(const struct hwk_criteria *c,
                      const struct hwk_found *found);

#endif
