/* SPDX-License-Identifier: Apache-2.0 */
/* serverkeygen: a key made here, and the answer that carries it (RFC 7030
 * section 4.4). */
#include <string.h>

#include <openssl/pem.h>

#include "idevid/est/server_call.h"

#define BOUNDARY_BYTES 16

IDV_AUTO_PTR_DEFINE(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)

/* --- the key -------------------------------------------------------------- */

static EVP_PKEY *new_key(enum idv_key_type type)
{
    static const char in[] = "?provider=default";
    switch (type) {
    case IDV_KEY_P256:
        return EVP_PKEY_Q_keygen(NULL, in, "EC", "P-256");
    case IDV_KEY_P384:
        return EVP_PKEY_Q_keygen(NULL, in, "EC", "P-384");
    case IDV_KEY_P521:
        return EVP_PKEY_Q_keygen(NULL, in, "EC", "P-521");
    case IDV_KEY_RSA2048:
        return EVP_PKEY_Q_keygen(NULL, in, "RSA", (size_t)2048);
    case IDV_KEY_RSA3072:
        return EVP_PKEY_Q_keygen(NULL, in, "RSA", (size_t)3072);
    default:
        return NULL;
    }
}

/* Each has its own key, so the same request is never answered by what it got
 * before: that key is gone. */
static idv_rc tell_apart(struct idvi_est_call *c)
{
    uint8_t both[64];
    memcpy(both, c->csr_sha256, 32);
    IDV_TRY(idv_key_fingerprint(c->made, both + 32));
    return idv_sha256(idv_bytes(both, sizeof(both)), c->csr_sha256);
}

idv_rc idvi_est_make_key(struct idvi_est_call *c)
{
    const struct idv_csrattrs *a = c->server->conf.attrs;
    X509 *to = NULL;
    IDV_TRY(idvi_est_key_recipient(c, &to));
    c->made = new_key(a && a->has_key_type ? a->key_type : IDV_KEY_P256);
    if (!c->made)
        return idv_fail(IDV_E_CRYPTO, "serverkeygen: no key");
    return tell_apart(c);
}

/* --- the answer ----------------------------------------------------------- */

static idv_rc to_pkcs8(const EVP_PKEY *key, struct idv_buf *out)
{
    IDV_AUTO_PTR(PKCS8_PRIV_KEY_INFO) info = EVP_PKEY2PKCS8(key);
    uint8_t *to = NULL;
    int n = info ? i2d_PKCS8_PRIV_KEY_INFO(info, NULL) : 0;
    if (n <= 0)
        return idv_fail(IDV_E_CRYPTO, "serverkeygen: PKCS #8");
    IDV_TRY(idv_buf_room(out, (size_t)n, &to));
    out->n += (size_t)i2d_PKCS8_PRIV_KEY_INFO(info, &to);
    return IDV_OK;
}

static idv_rc put_part(struct idv_buf *out, const char *boundary,
                       const char *media, struct idv_bytes der)
{
    IDV_AUTO(buf) text = {.max = IDV_MAX_BODY, .secret = true};
    IDV_TRY(idv_base64_from_bytes(der, 64, &text));
    IDV_TRY(idv_buf_putf(out,
                         "--%s\r\nContent-Type: %s\r\n"
                         "Content-Transfer-Encoding: base64\r\n\r\n",
                         boundary, media));
    IDV_TRY(idv_buf_put(out, idv_view(&text)));
    return idv_buf_puts(out, "\r\n");
}

static idv_rc put_key(struct idvi_est_call *c, const char *boundary,
                      struct idv_buf *out)
{
    IDV_AUTO(buf) pkcs8 = {.max = IDV_MAX_BODY, .secret = true};
    IDV_AUTO(buf) sealed = {.max = IDV_MAX_BODY};
    X509 *to = NULL;
    IDV_TRY(to_pkcs8(c->made, &pkcs8));
    IDV_TRY(idvi_est_key_recipient(c, &to));
    if (!to)
        return put_part(out, boundary, "application/pkcs8", idv_view(&pkcs8));
    IDV_TRY(idvi_est_encrypt_key(c, idv_view(&pkcs8), to, &sealed));
    return put_part(out, boundary,
                    "application/pkcs7-mime; "
                    "smime-type=server-generated-key",
                    idv_view(&sealed));
}

static idv_rc put_cert(const X509 *cert, const char *boundary,
                       struct idv_buf *out)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_BODY};
    IDV_AUTO_PTR(idv_certs) bag = sk_X509_new_null();
    if (!bag ||
        !X509_add_cert(bag, (X509 *)(uintptr_t)cert, X509_ADD_FLAG_UP_REF))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_certbag_to_der(bag, &der));
    return put_part(out, boundary, IDV_MEDIA_CERTS_ONLY, idv_view(&der));
}

static idv_rc make_boundary(const struct idv_env *env, struct idv_buf *out)
{
    uint8_t raw[BOUNDARY_BYTES];
    IDV_TRY(idv_random(env, raw, sizeof(raw)));
    return idv_hex_from_bytes(idv_bytes(raw, sizeof(raw)), out);
}

idv_rc idvi_est_answer_key(struct idvi_est_call *c, const X509 *cert)
{
    IDV_AUTO(buf) text = {0};
    IDV_AUTO(buf) media = {0};
    struct idv_msg *m = &c->call->reply;
    IDV_TRY(make_boundary(c->server->env, &text));
    const char *boundary = (const char *)text.p;
    IDV_TRY(idv_buf_putf(&media, "multipart/mixed; boundary=%s", boundary));
    IDV_TRY(idv_msg_reply(m, 200, (const char *)media.p, idv_str("")));
    m->body.secret = true;
    IDV_TRY(put_key(c, boundary, &m->body));
    IDV_TRY(put_cert(cert, boundary, &m->body));
    return idv_buf_putf(&m->body, "--%s--\r\n", boundary);
}
