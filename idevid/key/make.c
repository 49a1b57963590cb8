/* SPDX-License-Identifier: Apache-2.0 */
/* Keys made inside a device, and their places. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <idevid/fs.h>

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

/* what is made: usage or policy, the other is NULL */
struct order {
    const char *uri;
    enum idv_key_type type;
    const char *usage, *policy;
};

static void fill(const struct order *o, size_t *bits, OSSL_PARAM params[5])
{
    OSSL_PARAM *p = params;
    *p++ = OSSL_PARAM_construct_utf8_string(HWK_PARAM_KEY_URI, writable(o->uri),
                                            0);
    if (o->usage)
        *p++ = OSSL_PARAM_construct_utf8_string(HWK_PARAM_KEY_USAGE,
                                                writable(o->usage), 0);
    if (o->policy)
        *p++ = OSSL_PARAM_construct_utf8_string(HWK_PARAM_KEY_POLICY,
                                                writable(o->policy), 0);
    *bits = types[o->type].bits;
    *p++ = *bits ? OSSL_PARAM_construct_size_t(OSSL_PKEY_PARAM_RSA_BITS, bits)
                 : OSSL_PARAM_construct_utf8_string(
                       OSSL_PKEY_PARAM_GROUP_NAME,
                       writable(types[o->type].group), 0);
    *p = OSSL_PARAM_construct_end();
}

static EVP_PKEY *generate(const struct order *o)
{
    OSSL_PARAM params[5];
    EVP_PKEY *key = NULL;
    size_t bits;
    fill(o, &bits, params);
    IDV_AUTO_PTR(EVP_PKEY_CTX)
    ctx = EVP_PKEY_CTX_new_from_name(NULL, types[o->type].algorithm,
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

static idv_rc try_make(const struct order *order, int *reason, EVP_PKEY **out)
{
    *out = generate(order);
    if (!*out)
        return idvi_device_failed(order->uri, reason);
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
    struct order order = {uri, type, "sign", NULL};
    if (usage == IDV_KEY_IDEVID)
        order.usage = "idevid";
    IDV_TRY(idvi_device_begin(uri));
    idv_rc rc = try_make(&order, &reason, &key);
    if (rc != IDV_OK && reason == HWK_R_PIN_MISSING && pin && pin->get) {
        idv_note_clear();
        IDV_TRY(add_pin(uri, pin, &with_pin));
        order.uri = (char *)with_pin.p;
        rc = try_make(&order, NULL, &key);
    }
    if (rc == IDV_OK)
        *out = key;
    return rc;
}

/* --- keys in files -------------------------------------------------------- */

static idv_rc to_file(EVP_PKEY *key, const char *path)
{
    IDV_AUTO_PTR(BIO) out = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (!out ||
        PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) != 1)
        return idvi_device_failed(path, NULL);
    long n = BIO_get_mem_data(out, &text);
    return idv_fs_write(path, idv_bytes(text, (size_t)n), 0600);
}

idv_rc idv_key_make_file(const char *path, enum idv_key_type type,
                         const char *policy, EVP_PKEY **out)
{
    const struct order order = {"tpm2:", type, NULL, policy};
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    if ((size_t)type >= N_TYPES)
        return idv_fail(IDV_E_ARG, "key: no such type");
    IDV_TRY(idvi_device_begin(order.uri));
    IDV_TRY(try_make(&order, NULL, &key));
    IDV_TRY(to_file(key, path));
    *out = idv_steal(&key);
    return IDV_OK;
}

idv_rc idv_key_file_uri(const char *path, char out[static IDV_KEY_URI_SIZE])
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    IDV_AUTO(buf) uri = {.max = IDV_KEY_URI_SIZE - 1};
    idv_rc rc = idv_buf_puts(&uri, "tpm2:object=");
    for (const char *c = path; rc == IDV_OK && *c; c++)
        rc = strchr(plain, *c) ? idv_buf_putf(&uri, "%c", *c)
                               : idv_buf_putf(&uri, "%%%02x", (uint8_t)*c);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "%s: as a URI", path);
    memcpy(out, uri.p, uri.n);
    out[uri.n] = 0;
    return IDV_OK;
}
