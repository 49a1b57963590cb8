/* SPDX-License-Identifier: Apache-2.0 */
/* What a certificate is to have, for issuers that are somebody else. */
#include <string.h>

#include <idevid/codec.h>

#include "x509/x509.h"

/* --- extensions ----------------------------------------------------------- */

/* an unsigned certificate, of which only this is wanted */
static idv_rc draft(const struct idv_cert_spec *spec, const EVP_PKEY *key,
                    X509 **out)
{
    IDV_AUTO_PTR(X509) cert = X509_new();
    IDV_AUTO_PTR(X509_NAME) subject = NULL;
    IDV_TRY(idvi_subject(spec, &subject));
    if (!cert)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idvi_pubkey_put(key, X509_get_X509_PUBKEY(cert)));
    IDV_TRY(idvi_extensions(spec, subject, NULL, cert));
    *out = idv_steal(&cert);
    return IDV_OK;
}

static bool is_asked(const X509_EXTENSION *ext)
{
    const ASN1_OBJECT *name =
        X509_EXTENSION_get_object((X509_EXTENSION *)(uintptr_t)ext);
    return OBJ_obj2nid(name) != NID_subject_key_identifier;
}

idv_rc idv_cert_extensions(const struct idv_cert_spec *spec,
                           const EVP_PKEY *key, STACK_OF(X509_EXTENSION) * *out)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    STACK_OF(X509_EXTENSION) *all = sk_X509_EXTENSION_new_null();
    idv_rc rc =
        all ? draft(spec, key, &cert) : idv_fail(IDV_E_NOMEM, "out of memory");
    for (int i = 0; rc == IDV_OK && i < X509_get_ext_count(cert); i++) {
        const X509_EXTENSION *ext = X509_get_ext(cert, i);
        if (is_asked(ext) &&
            !X509v3_add_ext(&all, (X509_EXTENSION *)(uintptr_t)ext, -1))
            rc = idv_fail(IDV_E_NOMEM, "out of memory");
    }
    if (rc == IDV_OK)
        *out = all;
    else
        sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
    return rc;
}

/* --- as a file for openssl(1) --------------------------------------------- */

static idv_rc put_subject(const struct idv_cert_spec *spec, struct idv_buf *out)
{
    IDV_AUTO_PTR(X509_NAME) subject = NULL;
    IDV_AUTO_PTR(BIO) bio = BIO_new(BIO_s_mem());
    char *text;
    IDV_TRY(idvi_subject(spec, &subject));
    if (!bio || X509_NAME_print_ex(bio, subject, 0, XN_FLAG_RFC2253) < 0)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    const long n = BIO_get_mem_data(bio, &text);
    IDV_TRY(idv_buf_puts(out, "# subject: "));
    IDV_TRY(idv_buf_put(out, idv_bytes(text, (size_t)n)));
    return idv_buf_puts(out, "\n");
}

static idv_rc put_end(const struct idv_cert_spec *spec, struct idv_buf *out)
{
    char time[IDV_TIME_TEXT];
    IDV_TRY(idv_time_to_text(spec->not_after ? spec->not_after : IDV_NO_EXPIRY,
                             time));
    return idv_buf_putf(out, "# ends: %s\n", time);
}

static idv_rc put_extension(X509_EXTENSION *ext, struct idv_buf *out)
{
    char oid[128];
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(ext);
    const ASN1_OBJECT *name = X509_EXTENSION_get_object(ext);
    const int nid = OBJ_obj2nid(name);
    if (OBJ_obj2txt(oid, sizeof(oid), name, 1) <= 0)
        return idv_fail(IDV_E_CRYPTO, "extension: its OID");
    if (nid != NID_undef)
        IDV_TRY(idv_buf_putf(out, "# %s\n", OBJ_nid2ln(nid)));
    IDV_TRY(idv_buf_putf(out, "%s = %sDER:", oid,
                         X509_EXTENSION_get_critical(ext) ? "critical," : ""));
    IDV_TRY(idv_hex_from_bytes(idv_bytes(ASN1_STRING_get0_data(value),
                                         (size_t)ASN1_STRING_length(value)),
                               out));
    return idv_buf_puts(out, "\n");
}

idv_rc idv_cert_extfile(const struct idv_cert_spec *spec, const EVP_PKEY *key,
                        struct idv_buf *out)
{
    STACK_OF(X509_EXTENSION) *all = NULL;
    IDV_TRY(put_subject(spec, out));
    IDV_TRY(put_end(spec, out));
    IDV_TRY(idv_buf_puts(out, "authorityKeyIdentifier = keyid\n"));
    IDV_TRY(idv_cert_extensions(spec, key, &all));
    idv_rc rc = IDV_OK;
    for (int i = 0; rc == IDV_OK && i < sk_X509_EXTENSION_num(all); i++)
        rc = put_extension(sk_X509_EXTENSION_value(all, i), out);
    sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
    return rc;
}
