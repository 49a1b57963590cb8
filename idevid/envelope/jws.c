/* SPDX-License-Identifier: Apache-2.0 */
/* JWS in its general JSON serialization (RFC 7515 section 7.2.1), as
 * draft-ietf-anima-jws-voucher uses it: sealer, opener. */
#include <string.h>

#include <openssl/err.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/limits.h>
#include <idevid/text.h>

#include "envelope/envelope_row.h"
#include "envelope/jws.h"

/* what signed_by and names_signer need of an opened one */
struct jws {
    const struct idvi_jws_alg *alg;
    struct idv_buf input; /* protected "." payload, as it stood there */
    struct idv_buf signature;
};

/* --- sealing -------------------------------------------------------------- */

static idv_rc put_signature(struct idv_json *root, struct idv_bytes head,
                            const struct idv_buf *raw)
{
    IDV_AUTO(buf) text = {0};
    IDV_AUTO_PTR(idv_json) one = idv_json_new_object();
    IDV_AUTO_PTR(idv_json) all = idv_json_new_array();
    if (!one || !all)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_base64url_from_bytes(idv_view(raw), &text));
    IDV_TRY(idv_json_set(one, "protected", idv_json_new_text(head)));
    IDV_TRY(idv_json_set(one, "signature", idv_json_new_text(idv_view(&text))));
    IDV_TRY(idv_json_append(all, idv_steal(&one)));
    return idv_json_set(root, "signatures", idv_steal(&all));
}

static idv_rc put_json(struct idv_bytes head, struct idv_bytes payload,
                       const struct idv_buf *signature, struct idv_buf *out)
{
    IDV_AUTO(buf) json = {0};
    IDV_AUTO_PTR(idv_json) root = idv_json_new_object();
    if (!root)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_json_set(root, "payload", idv_json_new_text(payload)));
    IDV_TRY(put_signature(root, head, signature));
    IDV_TRY(idv_json_dump(root, false, &json));
    if (json.n > IDV_MAX_BODY)
        return idv_fail(IDV_E_LIMIT, "JWS: %zu bytes, at most %d", json.n,
                        IDV_MAX_BODY);
    return idv_buf_put(out, idv_view(&json));
}

static bool jws_can_sign(const EVP_PKEY *key)
{
    return idvi_jws_alg_of(key) != NULL;
}

static idv_rc jws_seal(struct idv_bytes payload, const struct idv_signer *s,
                       struct idv_buf *out)
{
    IDV_AUTO(buf) input = {0};
    IDV_AUTO(buf) signature = {0};
    const struct idvi_jws_alg *alg = idvi_jws_alg_of(s->key);
    if (!alg)
        return idv_fail(IDV_E_ARG, "JWS: signer's key type is not supported");
    if (X509_check_private_key(s->cert, s->key) != 1)
        return idv_fail(IDV_E_CRYPTO, "JWS: key is not the certificate's");
    IDV_TRY(idvi_jws_head_put(alg, s, &input));
    size_t head = input.n;
    IDV_TRY(idv_buf_puts(&input, "."));
    IDV_TRY(idv_base64url_from_bytes(payload, &input));
    IDV_TRY(idvi_jws_sign(alg, s->key, idv_view(&input), &signature));
    return put_json(idv_bytes(input.p, head),
                    idv_bytes(input.p + head + 1, input.n - head - 1),
                    &signature, out);
}

/* --- opening -------------------------------------------------------------- */

/* An object that has a member "payload" before anything is known to be
 * well-formed; unsigned vouchers are objects, too. */
static bool jws_looks_like(struct idv_bytes b)
{
    static const char member[] = "\"payload\"";
    struct idv_bytes t = idv_text_trim(b);
    size_t depth = 0;
    bool text = false;
    for (size_t i = 0; i < t.n; i++) {
        uint8_t c = t.p[i];
        if (i == 0 && c != '{')
            return false;
        if (!text && depth == 1 && t.n - i >= sizeof(member) - 1 &&
            memcmp(t.p + i, member, sizeof(member) - 1) == 0)
            return true;
        if (text && c == '\\')
            i++;
        else if (c == '"')
            text = !text;
        else if (!text && (c == '{' || c == '['))
            depth++;
        else if (!text && (c == '}' || c == ']') && depth)
            depth--;
    }
    return false;
}

static idv_rc need_text(const struct idv_json *of, const char *name,
                        struct idv_bytes *out)
{
    const char *text = idv_json_text(idv_json_get(of, name));
    if (!text || !*text)
        return idv_fail(IDV_E_FORMAT, "JWS: no %s", name);
    *out = idv_str(text);
    return IDV_OK;
}

/* Others would read the flattened form of one that is both (RFC 7515 section
 * 7.2.2); nothing unsigned is asked for beside what is signed. */
static idv_rc the_signature(const struct idv_json *root,
                            const struct idv_json **out)
{
    const struct idv_json *all = idv_json_get(root, "signatures");
    size_t n = idv_json_count(all);
    if (idv_json_get(root, "signature") || idv_json_get(root, "protected") ||
        idv_json_get(root, "header"))
        return idv_fail(IDV_E_FORMAT, "JWS: flattened, not the general form");
    if (idv_json_type(all) != IDV_JSON_ARRAY || n == 0)
        return idv_fail(IDV_E_FORMAT, "JWS: no signer");
    if (n > 1)
        return idv_fail(IDV_E_REJECT, "JWS: %zu signers, one is wanted", n);
    *out = idv_json_at(all, 0, NULL);
    if (idv_json_get(*out, "header"))
        return idv_fail(IDV_E_REJECT, "JWS: a header that is not signed");
    return IDV_OK;
}

static idv_rc take_base64url(struct idv_bytes text, const char *what,
                             struct idv_buf *out)
{
    idv_rc rc = idv_base64url_to_bytes(text, out);
    return rc == IDV_OK ? rc : idv_fail_within(rc, "JWS: %s", what);
}

static idv_rc take(const struct idv_json *root, struct jws *j,
                   struct idv_opened *out)
{
    const struct idv_json *one = NULL;
    struct idv_bytes payload, head, signature;
    IDV_TRY(the_signature(root, &one));
    IDV_TRY(need_text(root, "payload", &payload));
    IDV_TRY(need_text(one, "protected", &head));
    IDV_TRY(need_text(one, "signature", &signature));
    IDV_TRY(idvi_jws_head_get(head, &j->alg, &out->certs));
    IDV_TRY(take_base64url(signature, "signature", &j->signature));
    IDV_TRY(idvi_jws_check_length(j->alg, idv_view(&j->signature)));
    IDV_TRY(idv_buf_put(&j->input, head));
    IDV_TRY(idv_buf_puts(&j->input, "."));
    IDV_TRY(idv_buf_put(&j->input, payload));
    return take_base64url(payload, "payload", &out->payload);
}

static idv_rc jws_open(struct idv_bytes sealed, struct idv_opened *out)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    struct idv_bytes text = idv_text_trim(sealed);
    if (text.n == 0 || text.p[0] != '{')
        return idv_fail(IDV_E_FORMAT, "JWS: not the general JSON form");
    idv_rc rc = idv_json_parse(text, 0, &root);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "JWS");
    struct jws *j = calloc(1, sizeof(*j));
    if (!j)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    out->native = j;
    return take(root, j, out);
}

/* RFC 7515 section 4.1.6: the first one has the key that signed */
static bool jws_names_signer(const struct idv_opened *o, const X509 *cert)
{
    return sk_X509_num(o->certs) > 0 &&
           idv_cert_eq(sk_X509_value(o->certs, 0), cert);
}

static idv_rc jws_signed_by(const struct idv_opened *o, const EVP_PKEY *key)
{
    const struct jws *j = o->native;
    return idvi_jws_verify(j->alg, key, idv_view(&j->input),
                           idv_view(&j->signature));
}

static void jws_free(void *native)
{
    struct jws *j = native;
    idv_buf_free(&j->input);
    idv_buf_free(&j->signature);
    free(j);
}

const struct idvi_envelope_row idvi_jws_row = {
    .media = IDV_MEDIA_VOUCHER_JWS,
    .form = "jws",
    .encoding = IDV_ENC_JSON,
    .can_sign = jws_can_sign,
    .looks_like = jws_looks_like,
    .seal = jws_seal,
    .open = jws_open,
    .names_signer = jws_names_signer,
    .signed_by = jws_signed_by,
    .free_native = jws_free,
};
