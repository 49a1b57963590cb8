/* SPDX-License-Identifier: Apache-2.0 */
/* A reply as JSON, and its certificates sealed to the device. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/kdf.h>

#include <idevid/auto.h>
#include <idevid/factory.h>

#include "factory/fields.h"

#define WHAT "reply"
#define TEXT(member, name)                                                     \
    {                                                                          \
        name, IDVI_FIELD_TEXT, offsetof(struct idv_factory_reply, member),     \
            sizeof(((struct idv_factory_reply *)0)->member) - 1, true          \
    }
#define FIXED(member, name, needed)                                            \
    {                                                                          \
        name, IDVI_FIELD_FIXED, offsetof(struct idv_factory_reply, member),    \
            sizeof(((struct idv_factory_reply *)0)->member), needed            \
    }
#define BYTES(member, name, max)                                               \
    {                                                                          \
        name, IDVI_FIELD_BYTES, offsetof(struct idv_factory_reply, member),    \
            max, false                                                         \
    }

#define MAX_CREDENTIAL 512 /* 2 + 2 + 64 + 2 + 64 */
#define MAX_SECRET 1024    /* RSA-4096 has 514 bytes */
#define MAX_BAG (40 * 1024)

static const struct idvi_field fields[] = {
    TEXT(order, "order"),
    TEXT(serial_number, "serial-number"),
    FIXED(request_sha256, "request", true),
    BYTES(credential, "credential", MAX_CREDENTIAL),
    BYTES(secret, "secret", MAX_SECRET),
    BYTES(sealed, "sealed", MAX_BAG + 28),
    BYTES(bag, "certificates", MAX_BAG),
    FIXED(next_challenge, "next-challenge", false),
};
#define FIELDS (sizeof(fields) / sizeof(*fields))

void idv_factory_reply_free(struct idv_factory_reply *r)
{
    idv_buf_free(&r->credential);
    idv_buf_free(&r->secret);
    idv_buf_free(&r->sealed);
    idv_buf_free(&r->bag);
    memset(r, 0, sizeof(*r));
}

/* --- JSON ----------------------------------------------------------------- */

/* either sealed, with what opens it, or in the clear */
static idv_rc judge_forms(const struct idv_factory_reply *r, idv_rc rc)
{
    bool sealed = r->sealed.n > 0 && r->credential.n > 0 && r->secret.n > 0;
    bool any = r->sealed.n > 0 || r->credential.n > 0 || r->secret.n > 0;
    if (any ? sealed && r->bag.n == 0 : r->bag.n > 0)
        return IDV_OK;
    return idv_fail(rc, WHAT ": certificates neither sealed nor in the clear");
}

idv_rc idv_factory_reply_to_json(const struct idv_factory_reply *r,
                                 struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    const char *profile = idv_factory_profile_to_text(r->profile);
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(judge_forms(r, IDV_E_ARG));
    IDV_TRY(idv_json_set(o, "profile", idv_json_new_text(idv_str(profile))));
    IDV_TRY(idvi_fields_put(fields, FIELDS - !r->has_next, r, WHAT, o));
    return idv_json_dump(o, false, out);
}

static idv_rc read_all(struct idv_bytes json, struct idv_factory_reply *r)
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    IDV_TRY(idvi_object_parse(json, WHAT, &o));
    const char *profile = idv_json_text(idv_json_get(o, "profile"));
    if (idv_factory_profile_from_text(profile, &r->profile) != IDV_OK)
        return idv_fail_within(IDV_E_FORMAT, WHAT);
    IDV_TRY(idvi_fields_get(fields, FIELDS, o, WHAT, r));
    r->has_next = !idvi_is_zero(r->next_challenge, IDV_FACTORY_CHALLENGE);
    return judge_forms(r, IDV_E_FORMAT);
}

idv_rc idv_factory_reply_from_json(struct idv_bytes json,
                                   struct idv_factory_reply *out)
{
    struct idv_factory_reply r = {0};
    idv_rc rc = read_all(json, &r);
    if (rc == IDV_OK)
        *out = r;
    else
        idv_factory_reply_free(&r);
    return rc;
}

/* --- sealed to the device ------------------------------------------------- */

#define KEY 32
#define IV 12
#define TAG 16

IDV_AUTO_PTR_DEFINE(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
IDV_AUTO_PTR_DEFINE(EVP_KDF, EVP_KDF_free)
IDV_AUTO_PTR_DEFINE(EVP_KDF_CTX, EVP_KDF_CTX_free)

/* HKDF-SHA256 without salt: an activation secret may have any length */
static idv_rc derive(struct idv_bytes activation, uint8_t key[KEY])
{
    static char label[] = "idevid-factory-reply-1", md[] = "SHA256";
    IDV_AUTO_PTR(EVP_KDF) kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    IDV_AUTO_PTR(EVP_KDF_CTX) ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, md, sizeof(md) - 1),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY,
                                (void *)(uintptr_t)activation.p, activation.n),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_INFO, label, sizeof(label) - 1),
        OSSL_PARAM_END,
    };
    if (activation.n < 16 || activation.n > 64)
        return idv_fail(IDV_E_ARG, WHAT ": an activation secret of %zu bytes",
                        activation.n);
    if (!ctx || EVP_KDF_derive(ctx, key, KEY, params) != 1)
        return idv_fail(IDV_E_CRYPTO, WHAT ": its key");
    return IDV_OK;
}

static bool cipher_begin(EVP_CIPHER_CTX *ctx, const uint8_t key[KEY],
                         const uint8_t iv[IV],
                         const struct idv_factory_reply *r, int encrypt)
{
    int n;
    return EVP_CipherInit_ex2(ctx, EVP_aes_256_gcm(), key, iv, encrypt, NULL) ==
               1 &&
           EVP_CipherUpdate(ctx, NULL, &n, r->credential.p,
                            (int)r->credential.n) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &n, r->secret.p, (int)r->secret.n) == 1;
}

static idv_rc encrypt(const struct idv_factory_reply *r, const uint8_t key[KEY],
                      struct idv_bytes bag, uint8_t *to)
{
    IDV_AUTO_PTR(EVP_CIPHER_CTX) ctx = EVP_CIPHER_CTX_new();
    int n = 0, rest = 0;
    bool ok = ctx && cipher_begin(ctx, key, to, r, 1) &&
              EVP_CipherUpdate(ctx, to + IV, &n, bag.p, (int)bag.n) == 1 &&
              EVP_CipherFinal_ex(ctx, to + IV + n, &rest) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG,
                                  to + IV + bag.n) == 1;
    return ok ? IDV_OK : idv_fail(IDV_E_CRYPTO, WHAT ": not sealed");
}

idv_rc idv_factory_reply_seal(struct idv_factory_reply *r,
                              struct idv_bytes activation, struct idv_bytes bag,
                              const struct idv_env *env)
{
    uint8_t key[KEY], *to;
    IDV_AUTO(buf) sealed = {.max = MAX_BAG + IV + TAG};
    if (bag.n == 0 || bag.n > MAX_BAG)
        return idv_fail(IDV_E_ARG, WHAT ": certificates of %zu bytes", bag.n);
    IDV_TRY(idv_buf_room(&sealed, IV + bag.n + TAG, &to));
    IDV_TRY(idv_random(env, to, IV));
    idv_rc rc = derive(activation, key);
    if (rc == IDV_OK)
        rc = encrypt(r, key, bag, to);
    OPENSSL_cleanse(key, sizeof(key));
    IDV_TRY(rc);
    sealed.n = IV + bag.n + TAG;
    idv_buf_move(&r->sealed, &sealed);
    return IDV_OK;
}

static idv_rc decrypt(const struct idv_factory_reply *r, const uint8_t key[KEY],
                      uint8_t *to)
{
    IDV_AUTO_PTR(EVP_CIPHER_CTX) ctx = EVP_CIPHER_CTX_new();
    int n = 0, rest = 0, text = (int)(r->sealed.n - IV - TAG);
    uint8_t *from = r->sealed.p;
    bool ok = ctx && cipher_begin(ctx, key, from, r, 0) &&
              EVP_CipherUpdate(ctx, to, &n, from + IV, text) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG,
                                  from + IV + text) == 1;
    if (!ok)
        return idv_fail(IDV_E_CRYPTO, WHAT ": not opened");
    if (EVP_CipherFinal_ex(ctx, to + n, &rest) != 1)
        return idv_fail(IDV_E_REJECT,
                        WHAT ": sealed to another device, or altered");
    return IDV_OK;
}

idv_rc idv_factory_reply_open(const struct idv_factory_reply *r,
                              struct idv_bytes activation, struct idv_buf *bag)
{
    uint8_t key[KEY], *to;
    IDV_AUTO(buf) plain = {.max = MAX_BAG, .secret = true};
    if (r->sealed.n <= IV + TAG || r->sealed.n > MAX_BAG + IV + TAG)
        return idv_fail(IDV_E_FORMAT, WHAT ": %zu sealed bytes", r->sealed.n);
    size_t n = r->sealed.n - IV - TAG;
    IDV_TRY(idv_buf_room(&plain, n, &to));
    idv_rc rc = derive(activation, key);
    if (rc == IDV_OK)
        rc = decrypt(r, key, to);
    OPENSSL_cleanse(key, sizeof(key));
    IDV_TRY(rc);
    plain.n = n;
    return idv_buf_put(bag, idv_view(&plain));
}
