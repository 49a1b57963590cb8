/* SPDX-License-Identifier: Apache-2.0 */
/* Keys made inside a device, and their names. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>

#include "provider/device.h"

#include "key/key.h"

#define PIN_MAX 256
#define URI_MAX 4096

static const struct {
    const char *name;      /* ours */
    const char *algorithm; /* of the key management */
    const char *group;     /* EC */
    size_t bits;           /* RSA */
} types[] = {
    [IDV_KEY_P256] = {"P-256", "EC", "P-256", 0},
    [IDV_KEY_P384] = {"P-384", "EC", "P-384", 0},
    [IDV_KEY_P521] = {"P-521", "EC", "P-521", 0},
    [IDV_KEY_RSA2048] = {"RSA-2048", "RSA", NULL, 2048},
    [IDV_KEY_RSA3072] = {"RSA-3072", "RSA", NULL, 3072},
};
#define N_TYPES (sizeof(types) / sizeof(*types))

idv_rc idv_key_type_from_text(const char *text, enum idv_key_type *out)
{
    for (size_t i = 0; i < N_TYPES; i++) {
        if (strcmp(text, types[i].name) == 0) {
            *out = (enum idv_key_type)i;
            return IDV_OK;
        }
    }
    return idv_fail(IDV_E_ARG,
                    "key type: '%.40s' is none of P-256, P-384, P-521, "
                    "RSA-2048, RSA-3072",
                    text);
}

const char *idv_key_type_to_text(enum idv_key_type type)
{
    return (size_t)type < N_TYPES ? types[type].name : "unknown";
}

static char *writable(const char *s)
{
    return (char *)(uintptr_t)s; /* OSSL_PARAM wants it so, and reads only */
}

static EVP_PKEY *generate(const char *uri, enum idv_key_type type,
                          enum idv_key_usage usage)
{
    const char *word = usage == IDV_KEY_IDEVID ? "idevid" : "sign";
    size_t bits = types[type].bits;
    OSSL_PARAM params[4], *p = params;
    EVP_PKEY *key = NULL;
    *p++ =
        OSSL_PARAM_construct_utf8_string(HWK_PARAM_KEY_URI, writable(uri), 0);
    *p++ = OSSL_PARAM_construct_utf8_string(HWK_PARAM_KEY_USAGE, writable(word),
                                            0);
    *p++ = types[type].group
               ? OSSL_PARAM_construct_utf8_string(
                     OSSL_PKEY_PARAM_GROUP_NAME, writable(types[type].group), 0)
               : OSSL_PARAM_construct_size_t(OSSL_PKEY_PARAM_RSA_BITS, &bits);
    *p = OSSL_PARAM_construct_end();
    IDV_AUTO_PTR(EVP_PKEY_CTX)
    ctx = EVP_PKEY_CTX_new_from_name(NULL, types[type].algorithm,
                                     IDVI_HWKEY_PROPS);
    if (!ctx || EVP_PKEY_keygen_init(ctx) <= 0 ||
        EVP_PKEY_CTX_set_params(ctx, params) <= 0 ||
        EVP_PKEY_generate(ctx, &key) <= 0)
        return NULL;
    return key;
}

/* generation has no prompt of its own: the PIN goes along in the URI */
static idv_rc add_pin(const char *uri, const struct idv_pin *pin,
                      struct idv_buf *out)
{
    IDV_AUTO(buf) text = {.max = PIN_MAX, .secret = true};
    size_t n = 0;
    uint8_t *p;
    IDV_TRY(idv_buf_room(&text, PIN_MAX, &p));
    if (!pin->get(pin->arg, uri, (char *)p, PIN_MAX, &n) || n > PIN_MAX)
        return idv_fail(IDV_E_DEVICE, "%s: nobody gave a PIN",
                        idvi_uri_shown(uri).text);
    IDV_TRY(
        idv_buf_putf(out, "%s%cpin-value=", uri, strchr(uri, '?') ? '&' : '?'));
    for (size_t i = 0; i < n; i++)
        IDV_TRY(idv_buf_putf(out, "%%%02x", p[i]));
    return IDV_OK;
}

static idv_rc try_make(const char *uri, enum idv_key_type type,
                       enum idv_key_usage usage, int *reason, EVP_PKEY **out)
{
    *out = generate(uri, type, usage);
    if (!*out)
        return idvi_device_failed(uri, reason);
    ERR_clear_error();
    return IDV_OK;
}

idv_rc idv_key_make(const char *uri, const struct idv_pin *pin,
                    enum idv_key_type type, enum idv_key_usage usage,
                    EVP_PKEY **out)
{
    IDV_AUTO(buf) with_pin = {.max = URI_MAX, .secret = true};
    EVP_PKEY *key = NULL;
    int reason = 0;
    if (!idv_uri_is_device(uri) || (size_t)type >= N_TYPES)
        return idv_fail(IDV_E_ARG, "key: made in devices only, not in '%s'",
                        idvi_uri_shown(uri).text);
    IDV_TRY(idvi_device_begin(uri));
    idv_rc rc = try_make(uri, type, usage, &reason, &key);
    if (rc != IDV_OK && reason == HWK_R_PIN_MISSING && pin && pin->get) {
        idv_note_clear();
        IDV_TRY(add_pin(uri, pin, &with_pin));
        rc = try_make((char *)with_pin.p, type, usage, NULL, &key);
    }
    if (rc == IDV_OK)
        *out = key;
    return rc;
}

idv_rc idv_key_fingerprint(const EVP_PKEY *key, uint8_t out[static 32])
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(key, &der);
    int ok =
        n > 0 && EVP_Digest(der, (size_t)n, out, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    return ok ? IDV_OK : idv_fail(IDV_E_CRYPTO, "key: fingerprint");
}
