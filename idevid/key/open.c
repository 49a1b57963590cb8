/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and certificates by URI: a device's through the provider, a file's by
 * reading it. */
#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/store.h>

#include <idevid/fs.h>
#include <idevid/limits.h>
#include <idevid/text.h>
#include <idevid/x509.h>

#include "key/key.h"

IDV_AUTO_PTR_DEFINE(OSSL_STORE_CTX, OSSL_STORE_close)
IDV_AUTO_PTR_DEFINE(OSSL_STORE_INFO, OSSL_STORE_INFO_free)

bool idv_uri_is_device(const char *uri)
{
    static const char *const schemes[] = {
        "pkcs11:", "tpm2:", "handle:", "object:"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
        size_t n = strlen(schemes[i]);
        if (strncasecmp(uri, schemes[i], n) == 0)
            return true;
    }
    return false;
}

/* "file:name", "file:///name" or a path; NULL when of another scheme */
static const char *path_of(const char *uri)
{
    if (strncasecmp(uri, "file:", 5) != 0) {
        const char *colon = strchr(uri, ':'), *slash = strchr(uri, '/');
        return colon && (!slash || colon < slash) ? NULL : uri;
    }
    uri += 5;
    if (strncmp(uri, "//", 2) != 0)
        return uri;
    uri += 2;
    if (strncasecmp(uri, "localhost/", 10) == 0)
        uri += 9;
    return *uri == '/' ? uri : NULL;
}

static idv_rc read_file(const char *uri, const char **path, struct idv_buf *out)
{
    *path = path_of(uri);
    if (!*path || !**path)
        return idv_fail(IDV_E_ARG,
                        "'%s': neither a path nor a scheme that is known",
                        idvi_uri_shown(uri).text);
    return idv_fs_read(*path, 0, out);
}

/* the first private key, NULL when there is none */
static EVP_PKEY *first_key(OSSL_STORE_CTX *store)
{
    while (!OSSL_STORE_eof(store)) {
        IDV_AUTO_PTR(OSSL_STORE_INFO) info = OSSL_STORE_load(store);
        if (!info && OSSL_STORE_error(store))
            return NULL;
        if (info && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
            return OSSL_STORE_INFO_get1_PKEY(info);
    }
    return NULL;
}

/* Only hwkey's loaders: libcrypto would try a file of that name first. */
static OSSL_STORE_CTX *open_device(const char *uri, int expect,
                                   const struct idv_pin *pin)
{
    IDV_AUTO_PTR(OSSL_STORE_CTX)
    store = OSSL_STORE_open_ex(uri, NULL, IDVI_HWKEY_PROPS,
                               pin ? idvi_pin_ui() : NULL,
                               (void *)(uintptr_t)pin, NULL, NULL, NULL);
    if (!store || OSSL_STORE_expect(store, expect) != 1)
        return NULL;
    return idv_steal(&store);
}

static idv_rc key_from_device(const char *uri, const struct idv_pin *pin,
                              EVP_PKEY **out)
{
    IDV_TRY(idvi_device_begin(uri));
    IDV_AUTO_PTR(OSSL_STORE_CTX)
    store = open_device(uri, OSSL_STORE_INFO_PKEY, pin);
    EVP_PKEY *key = store ? first_key(store) : NULL;
    if (!key)
        return idvi_device_failed(uri, NULL);
    ERR_clear_error();
    *out = key;
    return IDV_OK;
}

/* a wrapper file may have led to a device, and that failed */
static idv_rc no_key(const char *path)
{
    const char *lib = ERR_lib_error_string(ERR_peek_last_error());
    if (lib && strcmp(lib, IDVI_HWKEY) == 0)
        return idvi_device_failed(path, NULL);
    ERR_clear_error();
    return idv_fail(IDV_E_FORMAT, "%s: no private key that can be read in it",
                    path);
}

static idv_rc key_from_file(const char *uri, const struct idv_pin *pin,
                            EVP_PKEY **out)
{
    IDV_AUTO(buf) text = {.secret = true};
    const char *path;
    IDV_TRY(read_file(uri, &path, &text));
    IDV_AUTO_PTR(BIO)
    bio = BIO_new_mem_buf(text.n ? (void *)text.p : &text, (int)text.n);
    if (!bio)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    ERR_clear_error();
    IDV_AUTO_PTR(OSSL_STORE_CTX)
    store =
        OSSL_STORE_attach(bio, "file", NULL, NULL, pin ? idvi_pin_ui() : NULL,
                          (void *)(uintptr_t)pin, NULL, NULL, NULL);
    if (!store || OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY) != 1)
        return idv_fail(IDV_E_CRYPTO, "%s: not opened", path);
    EVP_PKEY *key = first_key(store);
    if (!key)
        return no_key(path);
    ERR_clear_error();
    *out = key;
    return IDV_OK;
}

idv_rc idv_key_open(const char *uri, const struct idv_pin *pin, EVP_PKEY **out)
{
    if (idv_uri_is_device(uri))
        return key_from_device(uri, pin, out);
    return key_from_file(uri, pin, out);
}

/* through DER: a certificate of the store would do its arithmetic with the
 * property query of the store, in the device's provider */
static idv_rc keep_cert(OSSL_STORE_INFO *info, idv_certs *certs)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO_PTR(X509) cert = NULL;
    if (OSSL_STORE_INFO_get_type(info) != OSSL_STORE_INFO_CERT)
        return IDV_OK;
    if (sk_X509_num(certs) >= IDV_MAX_CHAIN)
        return idv_fail(IDV_E_LIMIT, "more than %d certificates",
                        IDV_MAX_CHAIN);
    IDV_TRY(idv_cert_to_der(OSSL_STORE_INFO_get0_CERT(info), &der));
    IDV_TRY(idv_cert_from_der(idv_view(&der), &cert));
    if (sk_X509_push(certs, cert) <= 0)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    cert = NULL;
    return IDV_OK;
}

static idv_rc certs_from_device(const char *uri, const struct idv_pin *pin,
                                idv_certs *certs)
{
    IDV_TRY(idvi_device_begin(uri));
    IDV_AUTO_PTR(OSSL_STORE_CTX)
    store = open_device(uri, OSSL_STORE_INFO_CERT, pin);
    while (store && !OSSL_STORE_eof(store)) {
        IDV_AUTO_PTR(OSSL_STORE_INFO) info = OSSL_STORE_load(store);
        if (!info && OSSL_STORE_error(store))
            return idvi_device_failed(uri, NULL);
        if (info)
            IDV_TRY(keep_cert(info, certs));
    }
    if (sk_X509_num(certs) == 0)
        return idvi_device_failed(uri, NULL);
    ERR_clear_error();
    return IDV_OK;
}

static bool issued_another(idv_certs *certs, int who)
{
    for (int i = 0; i < sk_X509_num(certs); i++) {
        if (i != who && X509_check_issued(sk_X509_value(certs, who),
                                          sk_X509_value(certs, i)) == X509_V_OK)
            return true;
    }
    return false;
}

/* tokens list in any order: who issued none of the others goes first */
static void leaf_first(idv_certs *certs)
{
    for (int i = 0; i < sk_X509_num(certs); i++) {
        if (issued_another(certs, i))
            continue;
        X509 *leaf = sk_X509_delete(certs, i);
        sk_X509_unshift(certs, leaf);
        return;
    }
}

idv_rc idv_certs_open(const char *uri, const struct idv_pin *pin,
                      STACK_OF(X509) * *out)
{
    if (idv_uri_is_device(uri)) {
        IDV_AUTO_PTR(idv_certs) certs = sk_X509_new_null();
        if (!certs)
            return idv_fail(IDV_E_NOMEM, "out of memory");
        IDV_TRY(certs_from_device(uri, pin, certs));
        leaf_first(certs);
        *out = idv_steal(&certs);
        return IDV_OK;
    }
    IDV_AUTO(buf) text = {.secret = true};
    const char *path;
    IDV_TRY(read_file(uri, &path, &text));
    idv_rc rc = idv_certs_from_pem(idv_view(&text), out);
    return rc == IDV_OK ? rc : idv_fail_within(rc, "%s", path);
}

idv_rc idv_cert_open(const char *uri, const struct idv_pin *pin, X509 **out)
{
    IDV_AUTO_PTR(idv_certs) certs = NULL;
    IDV_TRY(idv_certs_open(uri, pin, &certs));
    *out = sk_X509_shift(certs);
    return IDV_OK;
}
