/* SPDX-License-Identifier: Apache-2.0 */
/* A CA whose key is opened here, wherever it lives. */
#include <string.h>
#include <strings.h>

#include <idevid/text.h>
#include <idevid/x509.h>

#include "factory/desk_int.h"

struct local {
    char *uri;
    const struct idv_pin *pin;
    STACK_OF(X509) * chain;
    const struct idv_env *env;
    EVP_PKEY *key; /* NULL: not open */
};

static void local_free(struct local *ca)
{
    if (!ca)
        return;
    EVP_PKEY_free(ca->key);
    idv_certs_free(ca->chain);
    free(ca->uri);
    free(ca);
}

static idv_rc sign(struct local *ca, const struct idv_cert_spec *spec,
                   const EVP_PKEY *key, X509 **out)
{
    if (!ca->key)
        IDV_TRY(idv_key_open(ca->uri, ca->pin, &ca->key));
    return idv_cert_issue(spec, key, sk_X509_value(ca->chain, 0), ca->key,
                          ca->env, out);
}

static bool in_token(const struct local *ca)
{
    return strncasecmp(ca->uri, "pkcs11:", 7) == 0;
}

/* A token that was pulled and put back has to be opened anew, once; and some
 * modules find it only when they begin anew. */
static idv_rc issue(void *self, const struct idv_cert_spec *spec,
                    const EVP_PKEY *key, struct idv_bytes csr, X509 **out)
{
    struct local *ca = self;
    bool was_open = ca->key != NULL;
    (void)csr;
    idv_rc rc = sign(ca, spec, key, out);
    if (rc != IDV_E_DEVICE)
        return rc;
    EVP_PKEY_free(idv_steal(&ca->key));
    if (was_open) {
        idv_note_clear();
        rc = sign(ca, spec, key, out);
    }
    if (rc != IDV_E_DEVICE || !in_token(ca))
        return rc;
    EVP_PKEY_free(idv_steal(&ca->key));
    if (idv_tokens_again() != IDV_OK)
        return rc;
    idv_note_clear();
    return sign(ca, spec, key, out);
}

static const STACK_OF(X509) * chain(void *self)
{
    return ((struct local *)self)->chain;
}

static idv_rc fill(struct local *ca, const char *key_uri,
                   const STACK_OF(X509) * certs)
{
    if (!key_uri || sk_X509_num(certs) <= 0)
        return idv_fail(IDV_E_ARG, "CA: no key or no certificate");
    if (!idv_cert_is_ca(sk_X509_value(certs, 0)))
        return idv_fail(IDV_E_ARG, "CA: '%s' is no CA",
                        idv_cert_subject(sk_X509_value(certs, 0)));
    IDV_TRY(idv_text_dup(idv_str(key_uri), &ca->uri));
    ca->chain = idv_certs_dup(certs);
    return ca->chain ? IDV_OK : idv_fail(IDV_E_NOMEM, "out of memory");
}

idv_rc idv_desk_ca_local(const char *key_uri, const struct idv_pin *pin,
                         const STACK_OF(X509) * certs,
                         const struct idv_env *env, struct idv_desk_ca *out)
{
    struct local *ca = calloc(1, sizeof(*ca));
    if (!ca)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    ca->pin = pin;
    ca->env = env;
    idv_rc rc = fill(ca, key_uri, certs);
    if (rc == IDV_OK)
        *out = (struct idv_desk_ca){ca, issue, chain, false};
    else
        local_free(ca);
    return rc;
}

void idv_desk_ca_local_free(struct idv_desk_ca *ca)
{
    local_free(ca->self);
    memset(ca, 0, sizeof(*ca));
}
