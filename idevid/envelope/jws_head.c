/* SPDX-License-Identifier: Apache-2.0 */
/* The protected header of a JWS voucher: alg, typ and x5c, and what is not. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/limits.h>

#include "envelope/jws.h"

#define TYP "voucher-jws+json"

/* --- writing -------------------------------------------------------------- */

static idv_rc put_cert(struct idv_json *x5c, const X509 *cert)
{
    IDV_AUTO(buf) der = {0};
    IDV_TRY(idv_cert_to_der(cert, &der));
    return idv_json_append(x5c, idv_json_new_base64(idv_view(&der)));
}

static idv_rc put_certs(struct idv_json *head, const struct idv_signer *signer)
{
    IDV_AUTO_PTR(idv_json) x5c = idv_json_new_array();
    if (!x5c)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(put_cert(x5c, signer->cert));
    for (int i = 0; i < sk_X509_num(signer->chain); i++) {
        const X509 *cert = sk_X509_value(signer->chain, i);
        if (!idv_cert_eq(cert, signer->cert))
            IDV_TRY(put_cert(x5c, cert));
    }
    return idv_json_set(head, "x5c", idv_steal(&x5c));
}

idv_rc idvi_jws_head_put(const struct idvi_jws_alg *alg,
                         const struct idv_signer *signer, struct idv_buf *out)
{
    IDV_AUTO(buf) text = {0};
    IDV_AUTO_PTR(idv_json) head = idv_json_new_object();
    if (!head)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_json_set(head, "alg", idv_json_new_text(idv_str(alg->name))));
    IDV_TRY(idv_json_set(head, "typ", idv_json_new_text(idv_str(TYP))));
    IDV_TRY(put_certs(head, signer));
    IDV_TRY(idv_json_dump(head, false, &text));
    return idv_base64url_from_bytes(idv_view(&text), out);
}

/* --- reading -------------------------------------------------------------- */

static idv_rc take_alg(const struct idv_json *head,
                       const struct idvi_jws_alg **out)
{
    const char *name = idv_json_text(idv_json_get(head, "alg"));
    if (!name)
        return idv_fail(IDV_E_FORMAT, "JWS: no alg");
    *out = idvi_jws_alg(name);
    if (!*out)
        return idv_fail(IDV_E_REJECT, "JWS: algorithm '%.20s' is refused",
                        name);
    return IDV_OK;
}

static idv_rc check_typ(const struct idv_json *head)
{
    const struct idv_json *typ = idv_json_get(head, "typ");
    const char *text = idv_json_text(typ);
    if (!typ || (text && strcmp(text, TYP) == 0))
        return IDV_OK;
    return idv_fail(IDV_E_REJECT, "JWS: typ '%.40s' is not " TYP,
                    text ? text : "");
}

/* RFC 7515 section 4.1.11: there is no extension that is understood here */
static idv_rc check_crit(const struct idv_json *head)
{
    const struct idv_json *crit = idv_json_get(head, "crit");
    if (!crit)
        return IDV_OK;
    const char *first = idv_json_text(idv_json_at(crit, 0, NULL));
    return idv_fail(IDV_E_REJECT, "JWS: crit '%.40s' is not understood",
                    first ? first : "");
}

static idv_rc take_cert(const struct idv_json *text, STACK_OF(X509) * certs)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO_PTR(X509) cert = NULL;
    if (!idv_json_text(text))
        return idv_fail(IDV_E_FORMAT, "JWS: x5c holds what is no text");
    idv_rc rc = idv_base64_to_bytes(idv_str(idv_json_text(text)),
                                    IDV_BASE64_STRICT, &der);
    if (rc == IDV_OK)
        rc = idv_cert_shared(idv_view(&der), &cert);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "JWS: x5c");
    if (sk_X509_push(certs, cert) <= 0)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    (void)idv_steal(&cert);
    return IDV_OK;
}

static idv_rc take_certs(const struct idv_json *head, STACK_OF(X509) * certs)
{
    const struct idv_json *x5c = idv_json_get(head, "x5c");
    size_t n = idv_json_count(x5c);
    if (!x5c)
        return IDV_OK; /* the signer is known otherwise, or not at all */
    if (idv_json_type(x5c) != IDV_JSON_ARRAY || n == 0)
        return idv_fail(IDV_E_FORMAT, "JWS: x5c is no list of certificates");
    if (n > IDV_MAX_CHAIN)
        return idv_fail(IDV_E_LIMIT, "JWS: %zu certificates, at most %d", n,
                        IDV_MAX_CHAIN);
    for (size_t i = 0; i < n; i++)
        IDV_TRY(take_cert(idv_json_at(x5c, i, NULL), certs));
    return IDV_OK;
}

idv_rc idvi_jws_head_get(struct idv_bytes text, const struct idvi_jws_alg **alg,
                         STACK_OF(X509) * *certs)
{
    IDV_AUTO(buf) json = {0};
    IDV_AUTO_PTR(idv_json) head = NULL;
    *certs = sk_X509_new_null();
    if (!*certs)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = idv_base64url_to_bytes(text, &json);
    if (rc == IDV_OK)
        rc = idv_json_parse(idv_view(&json), 0, &head);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "JWS: protected header");
    if (idv_json_type(head) != IDV_JSON_OBJECT)
        return idv_fail(IDV_E_FORMAT, "JWS: protected header is no object");
    IDV_TRY(take_alg(head, alg));
    IDV_TRY(check_typ(head));
    IDV_TRY(check_crit(head));
    return take_certs(head, *certs);
}
