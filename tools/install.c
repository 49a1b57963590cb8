/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate that was issued elsewhere, into the device that has the key. */
#include <idevid/auto.h>
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
