/* SPDX-License-Identifier: Apache-2.0 */
/* An audit log that is told where it is (201, RFC 8995 section 5.8): the last
 * part of its path is sealed, and says whose log it is and how long. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include <idevid/codec.h>

#include "idevid/masa/masa_call.h"

#define PREFIX "/auditlog/"
#define IV 12
#define TAG 16
#define FIXED 16   /* the device's id and the end, 8 bytes each, big-endian */
#define FRESH_S 60 /* as long a copy may be shown */
#define PLAIN_MAX (FIXED + IDV_MAX_KEYID)
#define SEALED_MAX (IV + PLAIN_MAX + TAG)

/* --- the sealed part ------------------------------------------------------ */

static void put_int(uint8_t *p, int64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)((uint64_t)v >> (56 - 8 * i));
}

static int64_t get_int(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

static bool encrypt(EVP_CIPHER_CTX *ctx, const uint8_t *key,
                    struct idv_bytes plain, uint8_t *out)
{
    int n = 0;
    return EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), key, out, NULL) == 1 &&
           EVP_EncryptUpdate(ctx, out + IV, &n, plain.p, (int)plain.n) == 1 &&
           EVP_EncryptFinal_ex(ctx, out + IV + n, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG,
                               out + IV + plain.n) == 1;
}

static bool decrypt(EVP_CIPHER_CTX *ctx, const uint8_t *key,
                    const struct idv_buf *in, uint8_t *plain)
{
    int n = 0;
    return EVP_DecryptInit_ex2(ctx, EVP_aes_256_gcm(), key, in->p, NULL) == 1 &&
           EVP_DecryptUpdate(ctx, plain, &n, in->p + IV,
                             (int)(in->n - IV - TAG)) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG,
                               in->p + in->n - TAG) == 1 &&
           EVP_DecryptFinal_ex(ctx, plain + n, &n) == 1;
}

/* whose log, and that it ends after location_s */
static idv_rc seal(struct idvi_masa_call *c, struct idv_buf *text)
{
    uint8_t plain[PLAIN_MAX], sealed[SEALED_MAX];
    const size_t n = FIXED + c->device.keyid_n;
    put_int(plain, c->device.id);
    put_int(plain + 8, c->now + c->masa->conf.location_s);
    memcpy(plain + FIXED, c->device.keyid, c->device.keyid_n);
    IDV_TRY(idv_random(c->masa->env, sealed, IV));
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    const bool done = ctx && encrypt(ctx, c->masa->conf.location_key,
                                     idv_bytes(plain, n), sealed);
    EVP_CIPHER_CTX_free(ctx);
    if (!done)
        return idv_fail(IDV_E_CRYPTO, "AES-256-GCM");
    return idv_base64url_from_bytes(idv_bytes(sealed, IV + n + TAG), text);
}

static bool open_sealed(struct idvi_masa_call *c, const struct idv_buf *sealed,
                        uint8_t plain[static PLAIN_MAX])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    const bool done =
        ctx && decrypt(ctx, c->masa->conf.location_key, sealed, plain);
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    return done;
}

/* Fills the device; *end is when it ends. */
static bool unseal(struct idvi_masa_call *c, const char *text, int64_t *end)
{
    IDV_AUTO(buf) sealed = {.max = SEALED_MAX};
    uint8_t plain[PLAIN_MAX];
    idv_rc rc = idv_base64url_to_bytes(idv_str(text), &sealed);
    idv_note_clear();
    if (rc != IDV_OK || sealed.n < IV + FIXED + TAG ||
        !open_sealed(c, &sealed, plain))
        return false;
    c->device.id = get_int(plain);
    *end = get_int(plain + 8);
    c->device.keyid_n = sealed.n - IV - FIXED - TAG;
    memcpy(c->device.keyid, plain + FIXED, c->device.keyid_n);
    return *end > c->now;
}

/* --- the paths ------------------------------------------------------------ */

idv_rc idvi_masa_tell_location(struct idvi_masa_call *c)
{
    const struct idv_masa_conf *conf = &c->masa->conf;
    IDV_AUTO(buf) text = {0};
    IDV_AUTO(buf) url = {.max = sizeof(c->call->reply.location) - 1};
    IDV_TRY(seal(c, &text));
    IDV_TRY(idv_buf_putf(&url, "%s" PREFIX "%s", conf->location,
                         (const char *)text.p));
    IDV_TRY(idv_msg_reply(&c->call->reply, 201, "", idv_str("")));
    memcpy(c->call->reply.location, url.p, url.n + 1);
    return IDV_OK;
}

bool idvi_masa_is_location(const struct idvi_masa_call *c)
{
    return c->masa->conf.location &&
           strncmp(c->call->req.path, PREFIX, strlen(PREFIX)) == 0;
}

idv_rc idvi_masa_location(struct idvi_masa_call *c)
{
    int64_t end = 0;
    c->call->as = PREFIX;
    IDV_TRY(idvi_refuse_verb(&c->no, c->call, IDV_GET));
    if (!unseal(c, c->call->req.path + strlen(PREFIX), &end))
        return idvi_refuse(&c->no, 404, "location", "no log");
    IDV_TRY(idvi_masa_answer_log(c));
    end -= c->now;
    c->call->reply.max_age = end < FRESH_S ? (int)end : FRESH_S;
    return IDV_OK;
}
