/* SPDX-License-Identifier: Apache-2.0 */
/* What a device is given at the factory besides its IDevID: a certificate that
 * was issued elsewhere, the hash of its maker's trust anchors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/maker.h>
#include <idevid/trust.h>
#include <idevid/x509.h>

#include "ca.h"
#include "install.h"

static idv_rc read_one(const char *file, X509 **out)
{
    IDV_AUTO_PTR(idv_certs) certs = NULL;
    if (idv_uri_is_device(file))
        return idv_fail(IDV_E_ARG, "%s: is no file", file);
    IDV_TRY(idv_certs_open(file, NULL, &certs));
    if (sk_X509_num(certs) != 1)
        return idv_fail(IDV_E_ARG, "%s: %d certificates, where one is stored",
                        file, sk_X509_num(certs));
    *out = sk_X509_shift(certs);
    return IDV_OK;
}

static idv_rc is_its_key(struct tool *t, const char *uri, X509 *cert)
{
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    IDV_TRY(idv_key_open(uri, &tool_pin, &key));
    return tool_prove_key(key, cert, t->env);
}

idv_rc tool_install(struct tool *t, const struct tool_install *in)
{
    unsigned flags =
        (in->replace ? 0 : IDV_WRITE_NEW) | (in->lock ? IDV_WRITE_LOCK : 0);
    IDV_AUTO(buf) der = {0};
    IDV_AUTO_PTR(X509) cert = NULL;
    struct idv_device *dev = NULL;
    if (!idv_uri_is_device(in->cert_uri))
        return idv_fail(IDV_E_ARG, "--cert-uri: names no device");
    IDV_TRY(read_one(in->file, &cert));
    if (in->key_uri)
        IDV_TRY(is_its_key(t, in->key_uri, cert));
    IDV_TRY(idv_cert_to_der(cert, &der));
    IDV_TRY(idv_device_open(in->cert_uri, &tool_pin, &dev));
    idv_rc rc = idv_device_write(dev, in->cert_uri, idv_view(&der), flags);
    idv_device_close(dev);
    if (rc == IDV_OK)
        tool_say(t, "stored: %s", idv_cert_subject(cert));
    return rc;
}

/* --- the maker's trust anchors -------------------------------------------- */

/* 0: not given */
static idv_rc nv_index(const char *option, const char *text, uint32_t *out)
{
    char *end;
    *out = 0;
    if (!text)
        return IDV_OK;
    const unsigned long n = strtoul(text, &end, 16);
    if (end == text || *end || n < 0x01000000 || n > 0x01ffffff)
        return idv_fail(IDV_E_ARG, "%s: '%s' is no NV index (0x01...)", option,
                        text);
    *out = (uint32_t)n;
    return IDV_OK;
}

static idv_rc report(struct tool *t, const STACK_OF(X509) * certs,
                     const char *where)
{
    struct idv_maker m;
    IDV_AUTO(buf) hex = {0};
    IDV_TRY(idv_maker_from_certs(certs, &m));
    IDV_TRY(idv_hex_from_bytes(idv_bytes(m.sha256, 32), &hex));
    if (!t->json) {
        tool_say(t, "%u of the maker's anchors, SHA-256 %s, in %s", m.count,
                 (const char *)hex.p, where);
        return IDV_OK;
    }
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = tool_put_int(o, "certificates", m.count);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "sha256", (const char *)hex.p);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "where", where);
    return tool_print_put(o, rc);
}

idv_rc tool_seal(struct tool *t, const struct tool_seal *in)
{
    const unsigned flags = (in->platform ? IDV_MAKER_BY_PLATFORM : 0) |
                           (in->so ? IDV_MAKER_BY_SO : 0);
    IDV_AUTO_PTR(idv_certs) certs = NULL;
    struct idv_device *dev = NULL;
    char where[96] = "";
    uint32_t index;
    bool sealed;
    if (!idv_uri_is_device(in->device))
        return idv_fail(IDV_E_ARG, "--device: '%s' is no device URI",
                        in->device);
    IDV_TRY(nv_index("--index", in->index, &index));
    IDV_TRY(idv_certs_open(in->file, NULL, &certs));
    IDV_TRY(idv_device_open(in->device, &tool_pin, &dev));
    idv_rc rc = idv_maker_seal(dev, index, certs, flags);
    if (rc == IDV_OK)
        rc = idv_maker_check(dev, index, certs, &sealed, where);
    idv_device_close(dev);
    return rc == IDV_OK ? report(t, certs, where) : rc;
}

idv_rc tool_platform(struct tool *t, const struct tool_platform *in)
{
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    struct idv_device *dev = NULL;
    uint32_t index, counter;
    char uri[32];
    IDV_TRY(nv_index("--index", in->index, &index));
    IDV_TRY(nv_index("--counter", in->counter, &counter));
    snprintf(uri, sizeof(uri), "tpm2:handle=0x%08X", index);
    IDV_TRY(tool_public_key(in->file, &key));
    IDV_TRY(idv_device_open(in->device, &tool_pin, &dev));
    const struct idv_anchor_conf conf = {.profile = IDV_ANCHOR_PLATFORM,
                                         .uri = index ? uri : NULL,
                                         .counter = counter,
                                         .approval_key = key,
                                         .serial = in->serial};
    idv_rc rc = in->remove ? idv_platform_delete(dev, &conf)
                           : idv_platform_create(dev, &conf);
    idv_device_close(dev);
    if (rc == IDV_OK)
        tool_say(t, "%s: %s", in->serial,
                 in->remove ? "its anchor is gone"
                            : "its anchor takes what the maker approves");
    return rc;
}
