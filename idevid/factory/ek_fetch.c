/* SPDX-License-Identifier: Apache-2.0 */
/* EK certificates that are not in NV: where vendors keep them, in what form. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/ek.h>
#include <idevid/text.h>

#include "key/devid.h"
#include "tpm/public.h"

/* --- the URL -------------------------------------------------------------- */

#define EXPONENT 65537u

/* Intel: modulus and exponent, or the point's coordinates. */
static size_t intel_parts(const struct idvi_tpm_public *p,
                          const uint8_t number[8], struct idv_bytes parts[4])
{
    if (p->type == IDVI_TPM_RSA) {
        parts[0] = p->modulus;
        parts[1] = idv_bytes(number + 5, 3);
    } else {
        parts[0] = p->x;
        parts[1] = p->y;
    }
    return 2;
}

/* AMD: a word for the type, then exponent and modulus, or the coordinates. */
static size_t amd_parts(const struct idvi_tpm_public *p,
                        const uint8_t number[8], struct idv_bytes parts[4])
{
    parts[0] = idv_bytes(number, 4);
    if (p->type == IDVI_TPM_RSA) {
        parts[1] = idv_bytes(number + 4, 4);
        parts[2] = p->modulus;
    } else {
        parts[1] = p->x;
        parts[2] = p->y;
    }
    return 3;
}

static idv_rc digest_of(const struct idv_bytes *parts, size_t n,
                        uint8_t out[32])
{
    IDV_AUTO_PTR(EVP_MD_CTX) md = EVP_MD_CTX_new();
    bool good = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; i < n && good; i++)
        good = EVP_DigestUpdate(md, parts[i].p, parts[i].n) == 1;
    if (!good || EVP_DigestFinal_ex(md, out, NULL) != 1)
        return idv_fail(IDV_E_CRYPTO, "EK: SHA-256");
    return IDV_OK;
}

static idv_rc vendor_digest(const struct idvi_tpm_public *p, bool amd,
                            uint8_t out[32])
{
    const uint32_t e = p->exponent ? p->exponent : EXPONENT;
    const uint8_t type = p->type == IDVI_TPM_RSA ? 0x22 : 0x44;
    const uint8_t number[8] = {0,
                               0,
                               type,
                               type,
                               (uint8_t)(e >> 24),
                               (uint8_t)(e >> 16),
                               (uint8_t)(e >> 8),
                               (uint8_t)e};
    struct idv_bytes parts[4];
    const size_t n =
        amd ? amd_parts(p, number, parts) : intel_parts(p, number, parts);
    if (!amd && p->type == IDVI_TPM_RSA && e != EXPONENT)
        return idv_fail(IDV_E_ARG,
                        "EK: exponent %u, which the vendor does not "
                        "make",
                        (unsigned)e);
    return digest_of(parts, n, out);
}

/* base64 with the URL alphabet, its padding escaped */
static idv_rc put_intel(struct idv_bytes digest, struct idv_buf *out)
{
    IDV_AUTO(buf) text = {0};
    IDV_TRY(idv_base64_from_bytes(digest, 0, &text));
    for (size_t i = 0; i < text.n; i++) {
        const char c = (char)text.p[i];
        const char *as = c == '+' ? "-" : c == '/' ? "_" : "%3D";
        if (strchr("+/=", c))
            IDV_TRY(idv_buf_puts(out, as));
        else
            IDV_TRY(idv_buf_put(out, idv_bytes(text.p + i, 1)));
    }
    return IDV_OK;
}

static idv_rc put_vendor(const struct idvi_tpm_public *p, bool amd,
                         struct idv_buf *out)
{
    uint8_t digest[32];
    IDV_TRY(vendor_digest(p, amd, digest));
    return amd ? idv_hex_from_bytes(idv_bytes(digest, 16), out)
               : put_intel(idv_bytes(digest, sizeof(digest)), out);
}

static idv_rc put_word(struct idv_bytes word, const struct idvi_tpm_public *p,
                       struct idv_buf *out)
{
    char sha256[256];
    if (idv_text_eq(word, "intel") || idv_text_eq(word, "amd"))
        return put_vendor(p, idv_text_eq(word, "amd"), out);
    IDV_TRY(idv_ek_hw_serial(NULL, p->raw, sha256));
    if (idv_text_eq(word, "sha256"))
        return idv_buf_puts(out, sha256);
    if (idv_text_eq(word, "sha256-hex16"))
        return idv_buf_put(out, idv_bytes(sha256, 32));
    return idv_fail(IDV_E_ARG, "EK URL: {%.*s} is not known", (int)word.n,
                    (const char *)word.p);
}

idv_rc idv_ek_url(const char *template_, struct idv_bytes tpmt_public,
                  struct idv_buf *out)
{
    struct idvi_tpm_public p;
    IDV_AUTO(buf) url = {.max = IDV_MAX_URL};
    IDV_TRY(idvi_tpm_public_from_bytes(tpmt_public, &p));
    for (const char *s = template_; *s;) {
        const size_t n = strcspn(s, "{");
        const char *end = strchr(s + n, '}');
        IDV_TRY(idv_buf_put(&url, idv_bytes(s, n)));
        s += n;
        if (!*s)
            break;
        if (!end)
            return idv_fail(IDV_E_ARG, "EK URL: a { is not closed");
        IDV_TRY(put_word(idv_bytes(s + 1, (size_t)(end - s) - 1), &p, &url));
        s = end + 1;
    }
    return idv_buf_put(out, idv_view(&url));
}

/* --- what comes back ------------------------------------------------------ */

/* Intel escapes its base64 as if it were part of a URL. */
static idv_rc from_json(struct idv_bytes body, struct idv_buf *der)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    IDV_AUTO(buf) plain = {0};
    IDV_TRY(idv_json_parse(body, 0, &root));
    const char *text = idv_json_text(idv_json_get(root, "certificate"));
    if (!text)
        return idv_fail(IDV_E_FORMAT, "EK certificate: JSON without one");
    while (*text) {
        const size_t n = strcspn(text, "%");
        IDV_TRY(idv_buf_put(&plain, idv_bytes(text, n)));
        text += n;
        if (strncasecmp(text, "%3D", 3) == 0)
            text += 3;
        else if (*text)
            return idv_fail(IDV_E_FORMAT, "EK certificate: JSON with another "
                                          "escape than %%3D");
    }
    return idv_base64_to_bytes(idv_view(&plain), IDV_BASE64_LAX, der);
}

static idv_rc from_pem(struct idv_bytes body, X509 **out)
{
    IDV_AUTO_PTR(idv_certs) certs = NULL;
    IDV_TRY(idv_certs_from_pem(body, &certs));
    *out = sk_X509_shift(certs);
    return IDV_OK;
}

idv_rc idv_ek_cert_from_reply(struct idv_bytes body, X509 **out)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_CERT};
    const struct idv_bytes text = idv_text_trim(body);
    if (text.n && *text.p == '-')
        return from_pem(text, out);
    if (!text.n || *text.p != '{')
        return idv_ek_cert_from_nv(body, out, NULL);
    IDV_TRY(from_json(text, &der));
    return idv_ek_cert_from_nv(idv_view(&der), out, NULL);
}

/* --- the TPM's own -------------------------------------------------------- */

idv_rc idv_ek_read(struct idv_device *dev, uint32_t cert_index,
                   const char *type, struct idv_buf *tpmt_public)
{
    struct hwk_born ek;
    IDV_TRY(idvi_nv_enter(dev, NULL));
    idv_rc rc =
        idvi_devid_create(dev, HWK_DEVID_EK, type, cert_index, 0, &ek, NULL);
    idvi_nv_leave(dev);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "endorsement key");
    return idv_buf_put(tpmt_public, idv_bytes(ek.pub, ek.pub_n));
}
