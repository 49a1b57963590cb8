/* SPDX-License-Identifier: Apache-2.0 */
/* Searching in a store: what is asked for, and whether an object has it. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/store.h>

#include "provider/op_store.h"

static int take_name(X509_NAME **out, const OSSL_PARAM *p)
{
    const unsigned char *der = p->data;
    X509_NAME *name;

    name = p->data_type == OSSL_PARAM_OCTET_STRING
               ? d2i_X509_NAME(NULL, &der, (long)p->data_size)
               : NULL;
    if (name == NULL)
        return hwk_raise(HWK_R_PARAM, "%s: not the DER of a name", p->key);
    X509_NAME_free(*out);
    *out = name;
    return 1;
}

int hwk_criteria_set(struct hwk_criteria *c, const OSSL_PARAM params[])
{
    const OSSL_PARAM *p;

    p = OSSL_PARAM_locate_const(params, OSSL_STORE_PARAM_SUBJECT);
    if (p != NULL && !take_name(&c->subject, p))
        return 0;
    p = OSSL_PARAM_locate_const(params, OSSL_STORE_PARAM_ISSUER);
    if (p != NULL && !take_name(&c->issuer, p))
        return 0;
    p = OSSL_PARAM_locate_const(params, OSSL_STORE_PARAM_SERIAL);
    if (p != NULL && !OSSL_PARAM_get_BN(p, &c->serial))
        return hwk_raise(HWK_R_PARAM, "%s: not a number", p->key);
    p = OSSL_PARAM_locate_const(params, OSSL_STORE_PARAM_ALIAS);
    if (p != NULL) {
        OPENSSL_free(c->alias);
        c->alias = NULL;
        if (!OSSL_PARAM_get_utf8_string(p, &c->alias, 0))
            return hwk_raise(HWK_R_PARAM, "%s: not a string", p->key);
    }
    if (OSSL_PARAM_locate_const(params, OSSL_STORE_PARAM_FINGERPRINT) != NULL)
        return hwk_raise(HWK_R_UNSUPPORTED, "search by fingerprint");
    return 1;
}

void hwk_criteria_clear(struct hwk_criteria *c)
{
    X509_NAME_free(c->subject);
    X509_NAME_free(c->issuer);
    BN_free(c->serial);
    OPENSSL_free(c->alias);
    memset(c, 0, sizeof(*c));
}

bool hwk_criteria_only_certs(const struct hwk_criteria *c)
{
    return c->subject != NULL || c->issuer != NULL || c->serial != NULL;
}

static bool serial_is(const X509 *cert, const BIGNUM *want)
{
    BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    bool same = serial != NULL && BN_cmp(serial, want) == 0;

    BN_free(serial);
    return same;
}

static bool cert_fits(const struct hwk_criteria *c,
                      const struct hwk_found *found)
{
    const unsigned char *der = found->der;
    X509 *cert = d2i_X509(NULL, &der, (long)found->der_len);
    bool fits = cert != NULL &&
                (c->subject == NULL ||
                 X509_NAME_cmp(X509_get_subject_name(cert), c->subject) == 0) &&
                (c->issuer == NULL ||
                 X509_NAME_cmp(X509_get_issuer_name(cert), c->issuer) == 0) &&
                (c->serial == NULL || serial_is(cert, c->serial));

    X509_free(cert);
    return fits;
}

bool hwk_criteria_fit(const struct hwk_criteria *c,
                      const struct hwk_found *found)
{
    if (c->alias != NULL && strcmp(c->alias, found->label) != 0)
        return false;
    if (!hwk_criteria_only_certs(c))
        return true;
    return found->type == HWK_OBJ_CERT && cert_fits(c, found);
}
