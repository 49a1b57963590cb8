/* SPDX-License-Identifier: Apache-2.0 */
/* S9: a new certificate for the names that the LDevID has, and for its key or
 * a new one. */
#include <string.h>

#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "pledge/pledge_priv.h"

const struct idv_enrollment *idvi_member(const struct idvi_attempt *a)
{
    const struct idv_trust *t = a->p->conf.trust;
    const struct idv_enrollment *before = idv_trust_previous(t);
    return a->p->conf.renew_previous && before ? before
                                               : idv_trust_enrollment(t);
}

static const X509 *present(const struct idvi_attempt *a)
{
    return sk_X509_value(idvi_member(a)->ldevid, 0);
}

idv_rc idvi_member_answered(struct idvi_attempt *a)
{
    struct idv_trust *t = a->p->conf.trust;
    if (!a->p->renewing || idvi_member(a) != idv_trust_enrollment(t))
        return IDV_OK;
    return idv_trust_confirm(t);
}

/* no registrar configured: the one that knows us */
static idv_rc need_candidate(struct idvi_attempt *a,
                             const struct idv_enrollment *e)
{
    struct idv_url url;
    int64_t when;
    if (idvi_candidate_first(a->p, &when))
        return IDV_OK;
    IDV_TRY(idvi_registrar_read(e->registrar, &url));
    return idvi_candidate_add(a->p, &url, IDV_FROM_CONFIG);
}

/* A new key that an earlier attempt asked for a certificate with stays. */
static idv_rc choose_key(struct idvi_attempt *a, const char *present_uri)
{
    if (!a->p->conf.renew_key || strcmp(a->p->key_uri, present_uri) == 0) {
        EVP_PKEY_free(idv_steal(&a->p->key));
        a->p->key_uri[0] = 0;
    }
    if (a->p->conf.renew_key)
        return IDV_OK;
    if (EVP_PKEY_up_ref(a->p->member_key) != 1)
        return idv_fail(IDV_E_NOMEM, "renew");
    a->p->key = a->p->member_key;
    return idv_text_copy(a->p->key_uri, sizeof(a->p->key_uri),
                         idv_str(present_uri), "renew");
}

idv_rc idvi_renew_start(struct idvi_attempt *a)
{
    const struct idv_enrollment *e = idvi_member(a);
    if (!e)
        return idv_fail(IDV_E_STATE, "pledge: not enrolled");
    IDV_TRY(need_candidate(a, e));
    if (a->p->again)
        return IDV_OK;
    if (!a->p->conf.open_key)
        return idv_fail(IDV_E_ARG, "pledge: no way to open the LDevID's key");
    EVP_PKEY_free(idv_steal(&a->p->member_key));
    IDV_TRY(
        a->p->conf.open_key(a->p->conf.key_arg, e->key_uri, &a->p->member_key));
    return choose_key(a, e->key_uri);
}

/* --- the request ---------------------------------------------------------- */

static idv_rc check_type(const struct idvi_attempt *a)
{
    const bool rsa = EVP_PKEY_is_a(a->p->key, "RSA") == 1;
    static const struct {
        bool rsa;
        int bits;
    } types[] = {
        [IDV_KEY_P256] = {false, 256},    [IDV_KEY_P384] = {false, 384},
        [IDV_KEY_P521] = {false, 521},    [IDV_KEY_RSA2048] = {true, 2048},
        [IDV_KEY_RSA3072] = {true, 3072},
    };
    if (!a->attrs.has_key_type ||
        (types[a->attrs.key_type].rsa == rsa &&
         types[a->attrs.key_type].bits == EVP_PKEY_get_bits(a->p->key)))
        return IDV_OK;
    return idv_fail(IDV_E_REJECT, "renew: the domain wants a key of type %s",
                    idv_key_type_to_text(a->attrs.key_type));
}

/* RFC 7030 section 4.2.2: subject and subjectAltName as they are */
static idv_rc keep_names(struct idvi_attempt *a)
{
    STACK_OF(X509_EXTENSION) **list = &a->attrs.extensions;
    int at = X509_get_ext_by_NID(present(a), NID_subject_alt_name, -1);
    while (X509v3_get_ext_by_NID(*list, NID_subject_alt_name, -1) >= 0)
        X509_EXTENSION_free(sk_X509_EXTENSION_delete(
            *list, X509v3_get_ext_by_NID(*list, NID_subject_alt_name, -1)));
    if (at >= 0 && !X509v3_add_ext(list, X509_get_ext(present(a), at), -1))
        return idv_fail(IDV_E_CRYPTO, "renew: subjectAltName");
    return IDV_OK;
}

idv_rc idvi_renew_body(struct idvi_attempt *a, struct idv_msg *m)
{
    IDV_TRY(a->p->conf.renew_key ? idvi_need_key(a) : check_type(a));
    IDV_TRY(keep_names(a));
    return idv_est_enroll_write(a->p->key, X509_get_subject_name(present(a)),
                                &a->attrs, idv_bytes(a->binding, a->binding_n),
                                true, m);
}
