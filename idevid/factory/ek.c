/* SPDX-License-Identifier: Apache-2.0 */
/* EK certificates: read out of NV, what they say, whom they are for. */
#include <ctype.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include <idevid/auto.h>
#include <idevid/ek.h>
#include <idevid/text.h>

#include "tpm/public.h"

#define OID_MAKER "2.23.133.2.1"
#define OID_MODEL "2.23.133.2.2"
#define OID_VERSION "2.23.133.2.3"

IDV_AUTO_PTR_DEFINE(GENERAL_NAMES, GENERAL_NAMES_free)
IDV_AUTO_PTR_DEFINE(AUTHORITY_KEYID, AUTHORITY_KEYID_free)
IDV_AUTO_PTR_DEFINE(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free)

static idv_rc hex_of(struct idv_bytes raw, char *out, size_t room)
{
    IDV_AUTO(buf) hex = {0};
    IDV_TRY(idv_hex_from_bytes(raw, &hex));
    return idv_text_copy(out, room, idv_view(&hex), "EK certificate");
}

/* --- the TPM's maker, model and version, in a directory name of the SAN ----
 */

static void attribute(const X509_NAME *name, const char *oid, char *out,
                      size_t room)
{
    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        const X509_NAME_ENTRY *e = X509_NAME_get_entry(name, i);
        char have[80];
        OBJ_obj2txt(have, sizeof(have), X509_NAME_ENTRY_get_object(e), 1);
        if (strcmp(have, oid) != 0)
            continue;
        const ASN1_STRING *v = X509_NAME_ENTRY_get_data(e);
        const struct idv_bytes text =
            idv_bytes(ASN1_STRING_get0_data(v), (size_t)ASN1_STRING_length(v));
        if (text.n < room && idv_text_printable(text) &&
            !memchr(text.p, 0, text.n)) {
            memcpy(out, text.p, text.n);
            out[text.n] = 0;
        }
    }
}

static void tpm_of(const X509 *cert, struct idv_ek_info *out)
{
    IDV_AUTO_PTR(GENERAL_NAMES)
    names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
        if (n->type != GEN_DIRNAME)
            continue;
        attribute(n->d.directoryName, OID_MAKER, out->maker,
                  sizeof(out->maker));
        attribute(n->d.directoryName, OID_MODEL, out->model,
                  sizeof(out->model));
        attribute(n->d.directoryName, OID_VERSION, out->version,
                  sizeof(out->version));
    }
    ERR_clear_error();
}

idv_rc idv_ek_cert_info(const X509 *cert, struct idv_ek_info *out)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
    IDV_AUTO_PTR(AUTHORITY_KEYID)
    aki = X509_get_ext_d2i(cert, NID_authority_key_identifier, NULL, NULL);
    memset(out, 0, sizeof(*out));
    ERR_clear_error();
    tpm_of(cert, out);
    if (aki && aki->keyid)
        IDV_TRY(hex_of(idv_bytes(aki->keyid->data, (size_t)aki->keyid->length),
                       out->aki, sizeof(out->aki)));
    IDV_TRY(hex_of(idv_bytes(serial->data, (size_t)serial->length), out->serial,
                   sizeof(out->serial)));
    return idv_cert_sha256(cert, out->sha256);
}

/* --- out of NV ------------------------------------------------------------ */

/* Some vendors put a header before it: tag 0x1001, type, size (TCG PC Client
 * for TPM 1.2). Nobody's header is taken: DER begins with a SEQUENCE. */
static idv_rc der_length(struct idv_bytes raw, size_t *out)
{
    const uint8_t *p = raw.p;
    long n = 0;
    int tag, class;
    if (!raw.n || *p != 0x30)
        return idv_fail(IDV_E_FORMAT,
                        "EK certificate: NV holds %zu bytes that "
                        "are none",
                        raw.n);
    const int how = ASN1_get_object(&p, &n, &tag, &class, (long)raw.n);
    ERR_clear_error();
    if (how & 0x81 || n < 0 || (size_t)(p - raw.p) + (size_t)n > raw.n)
        return idv_fail(IDV_E_FORMAT, "EK certificate: cut off at %zu bytes",
                        raw.n);
    *out = (size_t)(p - raw.p) + (size_t)n;
    return IDV_OK;
}

idv_rc idv_ek_cert_from_nv(struct idv_bytes raw, X509 **out,
                           struct idv_ek_info *info)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    size_t n = 0;
    IDV_TRY(der_length(raw, &n));
    idv_rc rc = idv_cert_from_der(idv_bytes(raw.p, n), &cert);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "EK certificate");
    if (info) {
        IDV_TRY(idv_ek_cert_info(cert, info));
        info->padding = raw.n - n;
    }
    *out = idv_steal(&cert);
    return IDV_OK;
}

/* --- the key -------------------------------------------------------------- */

idv_rc idv_ek_cert_is_for(const X509 *cert, struct idv_bytes tpmt_public)
{
    struct idvi_tpm_public p;
    IDV_TRY(idvi_tpm_public_from_bytes(tpmt_public, &p));
    const EVP_PKEY *key = X509_get0_pubkey(cert);
    ERR_clear_error();
    if (key && idvi_tpm_public_is(&p, key))
        return IDV_OK;
    return idv_fail(IDV_E_REJECT,
                    "EK certificate is for another endorsement "
                    "key than this TPM's (%s)",
                    idv_cert_subject(cert));
}

/* "id:49465800" becomes "49465800", of other makers' words nothing is left */
static const char *maker_code(const struct idv_ek_info *info)
{
    const char *code = info->maker;
    if (strncasecmp(code, "id:", 3) == 0)
        code += 3;
    if (strlen(code) != 8)
        return "00000000";
    for (const char *c = code; *c; c++) {
        if (!isxdigit((unsigned char)*c))
            return "00000000";
    }
    return code;
}

static idv_rc key_digest(struct idv_bytes tpmt_public, char out[static 256])
{
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    struct idvi_tpm_public p;
    uint8_t digest[32];
    IDV_TRY(idvi_tpm_public_from_bytes(tpmt_public, &p));
    IDV_TRY(idvi_tpm_public_to_key(&p, &key));
    IDV_TRY(idv_key_fingerprint(key, digest));
    return hex_of(idv_bytes(digest, sizeof(digest)), out, 256);
}

idv_rc idv_ek_hw_serial(const X509 *cert, struct idv_bytes tpmt_public,
                        char out[static 256])
{
    struct idv_ek_info info;
    if (!cert)
        return key_digest(tpmt_public, out);
    IDV_TRY(idv_ek_cert_info(cert, &info));
    const int n = snprintf(out, 256, "%s:%s:%s", maker_code(&info), info.aki,
                           info.serial);
    return n > 0 && n < 256
               ? IDV_OK
               : idv_fail(IDV_E_LIMIT,
                          "EK certificate: serial number too long");
}

/* --- the vendor ----------------------------------------------------------- */

#define OID_EK_CERTIFICATE "2.23.133.8.1"

static idv_rc is_ek_cert(const X509 *cert)
{
    IDV_AUTO_PTR(EXTENDED_KEY_USAGE)
    eku = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
    ERR_clear_error();
    if (idv_cert_is_ca(cert))
        return idv_fail(IDV_E_REJECT, "EK certificate: it is a CA's (%s)",
                        idv_cert_subject(cert));
    if (eku && !idv_cert_has_eku(cert, OID_EK_CERTIFICATE))
        return idv_fail(IDV_E_REJECT,
                        "EK certificate: its extended key usage is another "
                        "(%s)",
                        idv_cert_subject(cert));
    return IDV_OK;
}

static idv_rc all_intermediates(const STACK_OF(X509) * a,
                                const STACK_OF(X509) * b, STACK_OF(X509) * *out)
{
    IDV_AUTO_PTR(idv_certs) all = b ? idv_certs_dup(b) : sk_X509_new_null();
    if (!all)
        return idv_fail(IDV_E_NOMEM, "EK certificate");
    for (int i = 0; i < sk_X509_num(a); i++) {
        if (!X509_up_ref(sk_X509_value(a, i)) ||
            sk_X509_push(all, sk_X509_value(a, i)) <= 0)
            return idv_fail(IDV_E_NOMEM, "EK certificate");
    }
    *out = idv_steal(&all);
    return IDV_OK;
}

/* The end of the path that can be walked: whose issuer is it that lacks? */
static const X509 *last_known(const X509 *cert, const STACK_OF(X509) * extra)
{
    for (int depth = 0; depth < IDV_MAX_CHAIN; depth++) {
        const X509 *up = NULL;
        for (int i = 0; !up && i < sk_X509_num(extra); i++) {
            X509 *c = sk_X509_value(extra, i);
            if (c != cert && X509_NAME_cmp(X509_get_subject_name(c),
                                           X509_get_issuer_name(cert)) == 0)
                up = c;
        }
        if (!up)
            break;
        cert = up;
    }
    return cert;
}

static bool knows(const struct idv_roots *roots, const X509_NAME *name)
{
    const STACK_OF(X509) *all = idv_roots_anchors(roots);
    for (int i = 0; i < sk_X509_num(all); i++) {
        if (X509_NAME_cmp(X509_get_subject_name(sk_X509_value(all, i)), name) ==
            0)
            return true;
    }
    return false;
}

idv_rc idv_ek_cert_verify(X509 *cert, const STACK_OF(X509) * intermediates,
                          const struct idv_roots *roots, bool check_time,
                          int64_t now)
{
    IDV_AUTO_PTR(idv_certs) extra = NULL;
    IDV_TRY(is_ek_cert(cert));
    IDV_TRY(all_intermediates(idv_roots_intermediates(roots), intermediates,
                              &extra));
    const X509 *last = last_known(cert, extra);
    if (!knows(roots, X509_get_issuer_name(last))) {
        char issuer[256] = "";
        X509_NAME_oneline(X509_get_issuer_name(last), issuer, sizeof(issuer));
        return idv_fail(IDV_E_REJECT,
                        "EK certificate is signed by no known vendor root: ask "
                        "for the certificate of %s and import it into the "
                        "bundle of vendor roots",
                        issuer);
    }
    const struct idv_chain_policy policy = {
        .anchors = idv_roots_anchors(roots),
        .extra = extra,
        .partial = true,
        .check_time = check_time,
        .now = now,
    };
    idv_rc rc = idv_chain_verify(cert, &policy);
    return rc == IDV_OK ? rc : idv_fail_within(rc, "EK certificate");
}
