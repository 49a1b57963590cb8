/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vendors' roots: a versioned bundle, signed by who answers for it. A CMS
 * is signed over {"version":N,"created-on":time,"certificates":n,"sha256":hex}
 * and stands beside the certificates, of which there may be many:
 *   {"idevid-roots":{"manifest":base64,"certificates":[{"vendor":text,
 *    "certificate":base64}...]}}
 * sha256 is over vendor, 00, SHA-256 of the DER of each in their order.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include <idevid/auto.h>
#include <idevid/ek.h>
#include <idevid/envelope.h>
#include <idevid/json.h>
#include <idevid/text.h>

#define MAX_ROOTS 1024
#define MAX_BUNDLE ((size_t)8 << 20)

struct idv_roots {
    uint64_t version;
    STACK_OF(X509) * anchors, *intermediates;
};

typedef struct idv_roots idv_roots;
IDV_AUTO_PTR_DEFINE(idv_roots, idv_roots_free)

void idv_roots_free(struct idv_roots *r)
{
    if (!r)
        return;
    idv_certs_free(r->anchors);
    idv_certs_free(r->intermediates);
    free(r);
}

uint64_t idv_roots_version(const struct idv_roots *r)
{
    return r->version;
}

size_t idv_roots_count(const struct idv_roots *r)
{
    return (size_t)sk_X509_num(r->anchors);
}

const STACK_OF(X509) * idv_roots_anchors(const struct idv_roots *r)
{
    return r ? r->anchors : NULL;
}

const STACK_OF(X509) * idv_roots_intermediates(const struct idv_roots *r)
{
    return r ? r->intermediates : NULL;
}

static struct idv_roots *roots_new(void)
{
    struct idv_roots *r = calloc(1, sizeof(*r));
    if (r) {
        r->anchors = sk_X509_new_null();
        r->intermediates = sk_X509_new_null();
    }
    if (r && r->anchors && r->intermediates)
        return r;
    idv_roots_free(r);
    (void)idv_fail(IDV_E_NOMEM, "vendor roots");
    return NULL;
}

/* Which of both it is, it says itself. cert is taken over when it succeeds. */
static idv_rc roots_add(struct idv_roots *r, X509 *cert)
{
    const int n = sk_X509_num(r->anchors) + sk_X509_num(r->intermediates);
    if (n == MAX_ROOTS)
        return idv_fail(IDV_E_LIMIT, "vendor roots: more than %d certificates",
                        MAX_ROOTS);
    if (!idv_cert_is_ca(cert))
        return idv_fail(IDV_E_REJECT, "vendor roots: '%s' is no CA's",
                        idv_cert_subject(cert));
    const bool self = X509_NAME_cmp(X509_get_subject_name(cert),
                                    X509_get_issuer_name(cert)) == 0;
    if (sk_X509_push(self ? r->anchors : r->intermediates, cert) <= 0)
        return idv_fail(IDV_E_NOMEM, "vendor roots");
    return IDV_OK;
}

idv_rc idv_roots_from_certs(const STACK_OF(X509) * certs,
                            struct idv_roots **out)
{
    IDV_AUTO_PTR(idv_roots) r = roots_new();
    if (!r)
        return IDV_E_NOMEM;
    for (int i = 0; i < sk_X509_num(certs); i++) {
        X509 *cert = sk_X509_value(certs, i);
        IDV_TRY(roots_add(r, cert));
        X509_up_ref(cert);
    }
    *out = idv_steal(&r);
    return IDV_OK;
}

/* --- what is signed ------------------------------------------------------- */

static idv_rc sum_add(EVP_MD_CTX *md, const char *vendor, const X509 *cert)
{
    uint8_t digest[32];
    IDV_TRY(idv_cert_sha256(cert, digest));
    if (EVP_DigestUpdate(md, vendor, strlen(vendor) + 1) != 1 ||
        EVP_DigestUpdate(md, digest, sizeof(digest)) != 1)
        return idv_fail(IDV_E_CRYPTO, "vendor roots: SHA-256");
    return IDV_OK;
}

static idv_rc sum_begin(EVP_MD_CTX *md)
{
    if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
        return idv_fail(IDV_E_NOMEM, "vendor roots");
    return IDV_OK;
}

static idv_rc sum_end(EVP_MD_CTX *md, struct idv_buf *hex)
{
    uint8_t digest[32];
    if (EVP_DigestFinal_ex(md, digest, NULL) != 1)
        return idv_fail(IDV_E_CRYPTO, "vendor roots: SHA-256");
    return idv_hex_from_bytes(idv_bytes(digest, sizeof(digest)), hex);
}

/* --- reading -------------------------------------------------------------- */

struct manifest {
    int64_t version, certificates;
    char sha256[65];
};

static idv_rc manifest_read(struct idv_bytes json, struct manifest *out)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    IDV_TRY(idv_json_parse(json, 0, &root));
    IDV_TRY(idv_json_int(idv_json_get(root, "version"), "vendor roots: version",
                         &out->version));
    IDV_TRY(idv_json_int(idv_json_get(root, "certificates"),
                         "vendor roots: certificates", &out->certificates));
    const char *hex = idv_json_text(idv_json_get(root, "sha256"));
    if (out->version < 1 || !hex || strlen(hex) != 64)
        return idv_fail(IDV_E_FORMAT, "vendor roots: no version or sha256");
    memcpy(out->sha256, hex, 65);
    return IDV_OK;
}

static idv_rc manifest_open(const struct idv_json *o,
                            const STACK_OF(X509) * anchors,
                            struct manifest *out)
{
    IDV_AUTO(opened) cms = {0};
    IDV_AUTO(buf) der = {.max = IDV_MAX_BODY};
    const char *text = idv_json_text(idv_json_get(o, "manifest"));
    const struct idv_chain_policy policy = {.anchors = anchors};
    if (!text)
        return idv_fail(IDV_E_FORMAT, "vendor roots: no manifest");
    IDV_TRY(idv_base64_to_bytes(idv_str(text), IDV_BASE64_STRICT, &der));
    IDV_TRY(idv_envelope_open(IDV_MEDIA_VOUCHER_CMS, idv_view(&der), &cms));
    IDV_TRY(idv_envelope_verify(&cms, &policy));
    return manifest_read(idv_view(&cms.payload), out);
}

static idv_rc cert_read(const struct idv_json *v, struct idv_roots *r,
                        EVP_MD_CTX *md)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_CERT};
    IDV_AUTO_PTR(X509) cert = NULL;
    const char *vendor = idv_json_text(idv_json_get(v, "vendor"));
    const char *text = idv_json_text(idv_json_get(v, "certificate"));
    if (!vendor || !text)
        return idv_fail(IDV_E_FORMAT, "vendor roots: no vendor or certificate");
    IDV_TRY(idv_base64_to_bytes(idv_str(text), IDV_BASE64_STRICT, &der));
    IDV_TRY(idv_cert_from_der(idv_view(&der), &cert));
    IDV_TRY(sum_add(md, vendor, cert));
    IDV_TRY(roots_add(r, cert));
    (void)idv_steal(&cert);
    return IDV_OK;
}

static idv_rc certs_read(const struct idv_json *list, const struct manifest *m,
                         struct idv_roots *r)
{
    IDV_AUTO_PTR(EVP_MD_CTX) md = EVP_MD_CTX_new();
    IDV_AUTO(buf) hex = {0};
    IDV_TRY(sum_begin(md));
    for (size_t i = 0; i < idv_json_count(list); i++) {
        idv_rc rc = cert_read(idv_json_at(list, i, NULL), r, md);
        if (rc != IDV_OK)
            return idv_fail_within(rc, "certificate %zu", i + 1);
    }
    IDV_TRY(sum_end(md, &hex));
    if ((size_t)m->certificates != idv_json_count(list) ||
        !idv_text_eq(idv_view(&hex), m->sha256))
        return idv_fail(IDV_E_REJECT, "vendor roots: the certificates are not "
                                      "those that were signed");
    return IDV_OK;
}

idv_rc idv_roots_open(struct idv_bytes bundle, const STACK_OF(X509) * anchors,
                      uint64_t min_version, struct idv_roots **out)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    IDV_AUTO_PTR(idv_roots) r = roots_new();
    struct manifest m;
    if (!r)
        return IDV_E_NOMEM;
    IDV_TRY(idv_json_parse(bundle, MAX_BUNDLE, &root));
    const struct idv_json *o = idv_json_get(root, "idevid-roots");
    if (!o)
        return idv_fail(IDV_E_FORMAT, "vendor roots: no idevid-roots");
    IDV_TRY(manifest_open(o, anchors, &m));
    if ((uint64_t)m.version < min_version)
        return idv_fail(IDV_E_REJECT,
                        "vendor roots: version %lld, and version %llu was used "
                        "before",
                        (long long)m.version, (unsigned long long)min_version);
    IDV_TRY(certs_read(idv_json_get(o, "certificates"), &m, r));
    r->version = (uint64_t)m.version;
    *out = idv_steal(&r);
    return IDV_OK;
}

/* --- making --------------------------------------------------------------- */

static idv_rc cert_put(struct idv_json *list, const char *vendor,
                       const X509 *cert)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO_PTR(idv_json) v = idv_json_new_object();
    IDV_TRY(idv_cert_to_der(cert, &der));
    if (!v)
        return idv_fail(IDV_E_NOMEM, "vendor roots");
    IDV_TRY(idv_json_set(v, "vendor", idv_json_new_text(idv_str(vendor))));
    IDV_TRY(
        idv_json_set(v, "certificate", idv_json_new_base64(idv_view(&der))));
    return idv_json_append(list, idv_steal(&v));
}

static idv_rc manifest_sign(uint64_t version, size_t n,
                            const struct idv_buf *hex,
                            const struct idv_signer *signer,
                            struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) m = idv_json_new_object();
    IDV_AUTO(buf) text = {0};
    char when[IDV_TIME_TEXT];
    if (!m)
        return idv_fail(IDV_E_NOMEM, "vendor roots");
    IDV_TRY(idv_time_to_text(signer->signing_time, when));
    IDV_TRY(idv_json_set(m, "version", idv_json_new_int((int64_t)version)));
    IDV_TRY(idv_json_set(m, "created-on", idv_json_new_text(idv_str(when))));
    IDV_TRY(idv_json_set(m, "certificates", idv_json_new_int((int64_t)n)));
    IDV_TRY(idv_json_set(m, "sha256", idv_json_new_text(idv_view(hex))));
    IDV_TRY(idv_json_dump(m, false, &text));
    return idv_envelope_seal(IDV_MEDIA_VOUCHER_CMS, idv_view(&text), signer,
                             out);
}

static idv_rc certs_put(const STACK_OF(X509) * certs,
                        const char *const *vendors, struct idv_json *o,
                        struct idv_buf *hex)
{
    IDV_AUTO_PTR(EVP_MD_CTX) md = EVP_MD_CTX_new();
    IDV_AUTO_PTR(idv_json) list = idv_json_new_array();
    IDV_TRY(sum_begin(md));
    if (!list)
        return idv_fail(IDV_E_NOMEM, "vendor roots");
    for (int i = 0; i < sk_X509_num(certs); i++) {
        IDV_TRY(sum_add(md, vendors[i], sk_X509_value(certs, i)));
        IDV_TRY(cert_put(list, vendors[i], sk_X509_value(certs, i)));
    }
    IDV_TRY(sum_end(md, hex));
    return idv_json_set(o, "certificates", idv_steal(&list));
}

idv_rc idv_roots_make(uint64_t version, const STACK_OF(X509) * certs,
                      const char *const *vendors, EVP_PKEY *key, X509 *cert,
                      const struct idv_env *env, struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_roots) check = NULL;
    IDV_AUTO_PTR(idv_json) root = idv_json_new_object();
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    IDV_AUTO(buf) hex = {0};
    IDV_AUTO(buf) cms = {0};
    const struct idv_signer signer = {.key = key,
                                      .cert = cert,
                                      .signing_time = idv_now(env),
                                      .id_data = true};
    if (!root || !o)
        return idv_fail(IDV_E_NOMEM, "vendor roots");
    if (version < 1 || version > INT64_MAX)
        return idv_fail(IDV_E_ARG, "vendor roots: version %llu",
                        (unsigned long long)version);
    IDV_TRY(idv_roots_from_certs(certs, &check));
    if (!idv_roots_count(check))
        return idv_fail(IDV_E_ARG, "vendor roots: no root among them");
    IDV_TRY(certs_put(certs, vendors, o, &hex));
    IDV_TRY(manifest_sign(version, (size_t)sk_X509_num(certs), &hex, &signer,
                          &cms));
    IDV_TRY(idv_json_set(o, "manifest", idv_json_new_base64(idv_view(&cms))));
    IDV_TRY(idv_json_set(root, "idevid-roots", idv_steal(&o)));
    return idv_json_dump(root, true, out);
}
