/* SPDX-License-Identifier: Apache-2.0 */
/* S9: a new certificate for the names that the LDevID has, and for its key or
 * a new one. */
#include <string.h>

#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "pledge/pledge_priv.h"

static const X509 *present(const struct idv_pledge *p)
{
    return sk_X509_value(idv_trust_enrollment(p->conf.trust)->ldevid, 0);
}

/* no registrar configured: the one that knows us */
static idv_rc need_candidate(struct idv_pledge *p,
                             const struct idv_enrollment *e)
{
    if (p->n > 0)
        return IDV_OK;
    IDV_TRY(idv_url_from_text(idv_str(e->registrar), &p->candidates[0].url));
    p->n = 1;
    return IDV_OK;
}

/* A new key that an earlier attempt asked for a certificate with stays. */
static idv_rc choose_key(struct idv_pledge *p, const char *present_uri)
{
    if (!p->conf.renew_key || strcmp(p->key_uri, present_uri) == 0) {
        EVP_PKEY_free(idv_steal(&p->key));
        p->key_uri[0] = 0;
    }
    if (p->conf.renew_key)
        return IDV_OK;
    if (EVP_PKEY_up_ref(p->member_key) != 1)
        return idv_fail(IDV_E_NOMEM, "renew");
    p->key = p->member_key;
    return idv_text_copy(p->key_uri, sizeof(p->key_uri), idv_str(present_uri),
                         "renew");
}

idv_rc idvi_renew_start(struct idv_pledge *p)
{
    const struct idv_enrollment *e = idv_trust_enrollment(p->conf.trust);
    if (!e)
        return idv_fail(IDV_E_STATE, "pledge: not enrolled");
    if (!p->conf.open_key)
        return idv_fail(IDV_E_ARG, "pledge: no way to open the LDevID's key");
    IDV_TRY(need_candidate(p, e));
    EVP_PKEY_free(idv_steal(&p->member_key));
    IDV_TRY(p->conf.open_key(p->conf.key_arg, e->key_uri, &p->member_key));
    return choose_key(p, e->key_uri);
}

/* --- the request ---------------------------------------------------------- */

static idv_rc check_type(const struct idv_pledge *p)
{
    const bool rsa = EVP_PKEY_is_a(p->key, "RSA") == 1;
    static const struct {
        bool rsa;
        int bits;
    } types[] = {
        [IDV_KEY_P256] = {false, 256},    [IDV_KEY_P384] = {false, 384},
        [IDV_KEY_P521] = {false, 521},    [IDV_KEY_RSA2048] = {true, 2048},
        [IDV_KEY_RSA3072] = {true, 3072},
    };
    if (!p->attrs.has_key_type ||
        (types[p->attrs.key_type].rsa == rsa &&
         types[p->attrs.key_type].bits == EVP_PKEY_get_bits(p->key)))
        return IDV_OK;
    return idv_fail(IDV_E_REJECT, "renew: the domain wants a key of type %s",
                    idv_key_type_to_text(p->attrs.key_type));
}

/* RFC 7030 section 4.2.2: subject and subjectAltName as they are */
static idv_rc keep_names(struct idv_pledge *p)
{
    STACK_OF(X509_EXTENSION) **list = &p->attrs.extensions;
    int at = X509_get_ext_by_NID(present(p), NID_subject_alt_name, -1);
    while (X509v3_get_ext_by_NID(*list, NID_subject_alt_name, -1) >= 0)
        X509_EXTENSION_free(sk_X509_EXTENSION_delete(
            *list, X509v3_get_ext_by_NID(*list, NID_subject_alt_name, -1)));
    if (at >= 0 && !X509v3_add_ext(list, X509_get_ext(present(p), at), -1))
        return idv_fail(IDV_E_CRYPTO, "renew: subjectAltName");
    return IDV_OK;
}

idv_rc idvi_renew_body(struct idv_pledge *p, struct idv_msg *m)
{
    IDV_TRY(p->conf.renew_key ? idvi_need_key(p) : check_type(p));
    IDV_TRY(keep_names(p));
    return idv_est_enroll_write(p->key, X509_get_subject_name(present(p)),
                                &p->attrs, idv_bytes(p->binding, p->binding_n),
                                true, m);
}
