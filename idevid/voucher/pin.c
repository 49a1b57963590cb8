/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS chain against what a voucher pinned (RFC 8995 section 5.6.2). */
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <idevid/auto.h>
#include <idevid/voucher.h>

#include "voucher/pin.h"

idv_rc idvi_cert_key_sha256(const X509 *cert, uint8_t out[static 32])
{
    uint8_t *der = NULL;
    size_t len = 0;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    bool ok = n > 0 && EVP_Q_digest(NULL, "SHA256", NULL, der, (size_t)n, out,
                                    &len) == 1;
    OPENSSL_free(der);
    return ok ? IDV_OK : idv_fail(IDV_E_CRYPTO, "pin: key cannot be hashed");
}

static bool has_key(const X509 *cert, const uint8_t *sha256)
{
    uint8_t own[32];
    return idvi_cert_key_sha256(cert, own) == IDV_OK &&
           memcmp(own, sha256, sizeof(own)) == 0;
}

static idv_rc in_time(const X509 *leaf, bool check_time, int64_t now)
{
    int64_t from, until;
    if (!check_time)
        return IDV_OK;
    IDV_TRY(idv_cert_times(leaf, &from, &until));
    if (now < from || now > until)
        return idv_fail(IDV_E_REJECT,
                        "pin: registrar's certificate is out of its time");
    return IDV_OK;
}

/* the pin, and other certificates in the chain for the very same CA key */
static STACK_OF(X509) *
    anchors_of(const STACK_OF(X509) * chain, X509 *pin, const uint8_t *sha256)
{
    STACK_OF(X509) *anchors = sk_X509_new_null();
    bool ok = anchors && (!pin || sk_X509_push(anchors, pin) > 0);
    for (int i = 1; ok && i < sk_X509_num(chain); i++) {
        X509 *cert = sk_X509_value(chain, i);
        if (has_key(cert, sha256) && idv_cert_is_ca(cert))
            ok = sk_X509_push(anchors, cert) > 0;
    }
    if (ok)
        return anchors;
    sk_X509_free(anchors);
    return NULL;
}

static idv_rc leaf_alone(X509 *leaf, bool check_time, int64_t now,
                         STACK_OF(X509) * *path)
{
    IDV_TRY(in_time(leaf, check_time, now));
    IDV_AUTO_PTR(idv_certs) alone = sk_X509_new_null();
    if (!alone || !sk_X509_push(alone, leaf))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    X509_up_ref(leaf);
    *path = idv_steal(&alone);
    return IDV_OK;
}

idv_rc idvi_pin_path(const STACK_OF(X509) * tls_chain, const X509 *pin,
                     const uint8_t *spki_sha256, bool check_time, int64_t now,
                     STACK_OF(X509) * *path)
{
    *path = NULL;
    uint8_t key[32];
    if (!pin && !spki_sha256)
        return idv_fail(IDV_E_REJECT, "pin: nothing is pinned");
    if (sk_X509_num(tls_chain) <= 0)
        return idv_fail(IDV_E_REJECT, "pin: no TLS chain");
    if (pin)
        IDV_TRY(idvi_cert_key_sha256(pin, key));
    else
        memcpy(key, spki_sha256, sizeof(key));
    X509 *leaf = sk_X509_value(tls_chain, 0);
    if (has_key(leaf, key))
        return leaf_alone(leaf, check_time, now, path);
    STACK_OF(X509) *anchors =
        anchors_of(tls_chain, (X509 *)(uintptr_t)pin, key);
    if (!anchors)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    struct idv_chain_policy policy = {
        .anchors = anchors,
        .extra = tls_chain,
        .partial = true,
        .check_time = check_time,
        .now = now,
    };
    idv_rc rc = idv_chain_path(leaf, &policy, path);
    sk_X509_free(anchors);
    return rc;
}

idv_rc idv_pin_verify(const STACK_OF(X509) * tls_chain, const X509 *pin,
                      const uint8_t *spki_sha256, bool check_time, int64_t now)
{
    IDV_AUTO_PTR(idv_certs) path = NULL;
    return idvi_pin_path(tls_chain, pin, spki_sha256, check_time, now, &path);
}

static idv_rc pin_cert(const struct idv_voucher *v, struct idv_pinned *out)
{
    out->kind = IDV_PIN_CERT;
    IDV_TRY(idv_cert_from_der(idv_view(&v->pinned_domain_cert), &out->cert));
    return idvi_cert_key_sha256(out->cert, out->spki_sha256);
}

static idv_rc pin_key(const struct idv_voucher *v, struct idv_pinned *out)
{
    const uint8_t *p = v->pinned_domain_pubk.p;
    size_t n = v->pinned_domain_pubk.n, len = 0;
    out->kind = IDV_PIN_PUBK;
    IDV_AUTO_PTR(EVP_PKEY) key = d2i_PUBKEY(NULL, &p, (long)n);
    if (!key || p != v->pinned_domain_pubk.p + n) {
        ERR_clear_error();
        return idv_fail(IDV_E_FORMAT, "pin: pinned-domain-pubk is not a key");
    }
    if (EVP_Q_digest(NULL, "SHA256", NULL, v->pinned_domain_pubk.p, n,
                     out->spki_sha256, &len) != 1)
        return idv_fail(IDV_E_CRYPTO, "pin: key cannot be hashed");
    return idv_buf_put(&out->spki, idv_view(&v->pinned_domain_pubk));
}

static idv_rc pin_hash(const struct idv_voucher *v, struct idv_pinned *out)
{
    out->kind = IDV_PIN_PUBK_SHA256;
    if (v->pinned_domain_pubk_sha256.n != sizeof(out->spki_sha256))
        return idv_fail(IDV_E_FORMAT,
                        "pin: pinned-domain-pubk-sha256 has not 32 bytes");
    memcpy(out->spki_sha256, v->pinned_domain_pubk_sha256.p,
           sizeof(out->spki_sha256));
    return IDV_OK;
}

bool idvi_pin_present(const struct idv_voucher *v)
{
    if (v->pinned_domain_cert.n)
        return true;
    return !v->nonce[0] &&
           (v->pinned_domain_pubk_sha256.n || v->pinned_domain_pubk.n);
}

idv_rc idvi_pin_take(const struct idv_voucher *v, struct idv_pinned *out)
{
    if (v->nonce[0])
        return pin_cert(v, out);
    if (v->pinned_domain_pubk_sha256.n)
        return pin_hash(v, out);
    if (v->pinned_domain_pubk.n)
        return pin_key(v, out);
    return pin_cert(v, out);
}

void idv_pinned_free(struct idv_pinned *p)
{
    X509_free(p->cert);
    idv_buf_free(&p->spki);
    idv_voucher_free(&p->voucher);
    memset(p, 0, sizeof(*p));
}

idv_rc idv_authority_check(const X509 *leaf,
                           const uint8_t spki_sha256[static 32])
{
    uint8_t key[32];
    if (idv_cert_has_eku(leaf, IDV_OID_CMC_RA))
        return IDV_OK;
    IDV_TRY(idvi_cert_key_sha256(leaf, key));
    if (memcmp(key, spki_sha256, sizeof(key)) == 0)
        return IDV_OK;
    return idv_fail(IDV_E_REJECT,
                    "registrar: %s is no registration authority "
                    "(id-kp-cmcRA)",
                    idv_cert_subject(leaf));
}
