/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in a token and certificates beside them, made once and kept. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/fs.h>

#include "ca.h"

#define TPM_REGISTRAR 0x81020040u
#define TPM_CA_MAX 63u /* the handles after that */

bool tool_in_tpm(const char *device_uri)
{
    return strncasecmp(device_uri, "tpm2:", 5) == 0;
}

/* 0: none */
static uint32_t tpm_handle(const char *object)
{
    unsigned n = 1;
    char end;
    if (strcmp(object, "registrar") == 0)
        return TPM_REGISTRAR;
    if (strcmp(object, "domain-ca") != 0 &&
        (sscanf(object, "domain-ca-%3u%c", &n, &end) != 1 || n < 2 ||
         n > TPM_CA_MAX))
        return 0;
    return TPM_REGISTRAR + n;
}

static idv_rc tpm_uri(const char *device_uri, const char *object,
                      const char *type, char out[static 512])
{
    uint32_t handle = strcmp(type, "private") == 0 ? tpm_handle(object) : 0;
    if (device_uri[5])
        return idv_fail(IDV_E_ARG, "%s: the TPM here is tpm2:, no more",
                        device_uri);
    if (!handle)
        return idv_fail(IDV_E_ARG, "%s: a TPM has no place for %s", device_uri,
                        object);
    snprintf(out, 512, "tpm2:handle=0x%08x", (unsigned)handle);
    return IDV_OK;
}

idv_rc tool_object_uri(const char *device_uri, const char *object,
                       const char *type, char out[static 512])
{
    size_t path = strcspn(device_uri, "?");
    if (tool_in_tpm(device_uri))
        return tpm_uri(device_uri, object, type, out);
    if (strncasecmp(device_uri, "pkcs11:", 7) != 0)
        return idv_fail(IDV_E_ARG, "%s: not a pkcs11: URI", device_uri);
    const char *sep = path > 7 ? ";" : "";
    int n = snprintf(out, 512, "%.*s%sobject=%s;type=%s%s", (int)path,
                     device_uri, sep, object, type, device_uri + path);
    if (n < 0 || n >= 512)
        return idv_fail(IDV_E_LIMIT, "URI: longer than 511 bytes");
    return IDV_OK;
}

idv_rc tool_path(const char *dir, const char *name, const char *suffix,
                 char out[static 1024])
{
    int n = snprintf(out, 1024, "%s/%s%s", dir, name, suffix);
    if (n < 0 || n >= 1024)
        return idv_fail(IDV_E_ARG, "%s: path too long", dir);
    return IDV_OK;
}

idv_rc tool_key(const char *uri, enum idv_key_type type,
                enum idv_key_usage usage, EVP_PKEY **out, bool *made)
{
    idv_rc rc = idv_key_make(uri, &tool_pin, type, usage, out);
    if (made)
        *made = rc == IDV_OK;
    if (rc != IDV_E_STATE)
        return rc;
    idv_note_clear();
    return idv_key_open(uri, &tool_pin, out);
}

void tool_authority_free(struct tool_authority *a)
{
    EVP_PKEY_free(a->key);
    X509_free(a->cert);
    idv_certs_free(a->chain);
    memset(a, 0, sizeof(*a));
}

static idv_rc load(const char *path, struct tool_authority *a)
{
    IDV_AUTO(buf) pem = {0};
    IDV_TRY(idv_fs_read(path, 0, &pem));
    IDV_TRY(idv_certs_from_pem(idv_view(&pem), &a->chain));
    a->cert = sk_X509_value(a->chain, 0);
    X509_up_ref(a->cert);
    if (EVP_PKEY_eq(X509_get0_pubkey(a->cert), a->key) != 1)
        return idv_fail(IDV_E_REJECT, "%s: is for another key than the token's",
                        path);
    return IDV_OK;
}

static idv_rc issue(struct tool *t, const char *path,
                    const struct idv_cert_spec *spec,
                    const struct tool_authority *issuer,
                    struct tool_authority *a)
{
    IDV_AUTO(buf) pem = {0};
    IDV_TRY(idv_cert_issue(spec, a->key, issuer ? issuer->cert : NULL,
                           issuer ? issuer->key : a->key, t->env, &a->cert));
    a->chain = issuer ? idv_certs_dup(issuer->chain) : sk_X509_new_null();
    if (!a->chain || sk_X509_unshift(a->chain, a->cert) <= 0)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    X509_up_ref(a->cert);
    IDV_TRY(idv_certs_to_pem(a->chain, &pem));
    return idv_fs_create(path, idv_view(&pem), 0644);
}

idv_rc tool_authority_ensure(struct tool *t, const char *token_uri,
                             const char *dir, const char *name,
                             enum idv_key_type type, struct idv_cert_spec *spec,
                             const struct tool_authority *issuer,
                             struct tool_authority *out)
{
    char uri[512], path[1024];
    bool made = false;
    IDV_TRY(tool_object_uri(token_uri, name, "private", uri));
    IDV_TRY(tool_path(dir, name, ".pem", path));
    IDV_TRY(tool_key(uri, type, IDV_KEY_SIGN, &out->key, &made));
    if (idv_fs_exists(path)) {
        IDV_TRY(load(path, out));
        tool_say(t, "%-12s kept: %s", name, idv_cert_subject(out->cert));
        return IDV_OK;
    }
    IDV_TRY(issue(t, path, spec, issuer, out));
    tool_say(t, "%-12s %s: %s", name, made ? "made" : "certified",
             idv_cert_subject(out->cert));
    return IDV_OK;
}

#define DAY (24 * 3600)

idv_rc tool_init_authority(struct tool *t, const struct tool_init *init,
                           const char *name, const char *title,
                           enum idv_cert_kind kind, int years,
                           const struct tool_authority *issuer,
                           struct tool_authority *out)
{
    static const char *const loopback[] = {"localhost", "127.0.0.1", "::1",
                                           NULL};
    enum idv_key_type type = IDV_KEY_P256;
    char cn[65];
    if (init->type)
        IDV_TRY(idv_key_type_from_text(init->type, &type));
    int n = snprintf(cn, sizeof(cn), "%s %s", init->organization, title);
    if (n < 0 || n > 64)
        return idv_fail(IDV_E_ARG, "'%s': longer than %zu characters",
                        init->organization, 63 - strlen(title));
    int64_t now = idv_now(t->env);
    struct idv_cert_spec spec = {
        .kind = kind,
        .common_name = cn,
        .organization = init->organization,
        .not_before = now - DAY,
        .not_after = now + (int64_t)years * 365 * DAY,
    };
    if (kind == IDV_CERT_SERVER || kind == IDV_CERT_REGISTRAR)
        spec.names = init->names && init->names[0] ? init->names : loopback;
    return tool_authority_ensure(t, init->token_uri, init->dir, name, type,
                                 &spec, issuer, out);
}

idv_rc tool_init_file(struct tool *t, const char *dir, const char *name,
                      const struct idv_buf *text)
{
    char path[1024];
    IDV_TRY(tool_path(dir, name, "", path));
    bool kept = idv_fs_exists(path);
    if (!kept)
        IDV_TRY(idv_fs_create(path, idv_view(text), 0644));
    tool_say(t, "%-12s %s", name, kept ? "kept" : "made");
    return IDV_OK;
}

idv_rc tool_init_anchors(const struct tool_authority *a, const char *dir,
                         const char *name)
{
    IDV_AUTO(buf) pem = {0};
    IDV_AUTO_PTR(idv_certs) root = sk_X509_new_null();
    X509 *last = sk_X509_value(a->chain, sk_X509_num(a->chain) - 1);
    char path[1024];
    if (!root || sk_X509_push(root, last) <= 0)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    X509_up_ref(last);
    IDV_TRY(tool_path(dir, name, ".pem", path));
    IDV_TRY(idv_certs_to_pem(root, &pem));
    return idv_fs_write(path, idv_view(&pem), 0644);
}

idv_rc tool_init_put_key(struct idv_buf *out, const char *token_uri,
                         const char *key, const char *object)
{
    char uri[512];
    IDV_TRY(tool_object_uri(token_uri, object, "private", uri));
    return idv_buf_putf(out, "%s = %s\n", key, uri);
}

idv_rc tool_authority_open(const char *token_uri, const char *dir,
                           const char *name, struct tool_authority *out)
{
    char uri[512], path[1024];
    IDV_TRY(tool_object_uri(token_uri, name, "private", uri));
    IDV_TRY(tool_path(dir, name, ".pem", path));
    if (!idv_fs_exists(path))
        return idv_fail(IDV_E_IO, "%s: there is none (run init first)", path);
    IDV_TRY(idv_key_open(uri, &tool_pin, &out->key));
    return load(path, out);
}

idv_rc tool_prove_key(EVP_PKEY *key, const X509 *cert,
                      const struct idv_env *env)
{
    IDV_AUTO_PTR(EVP_MD_CTX) sign = EVP_MD_CTX_new();
    IDV_AUTO_PTR(EVP_MD_CTX) verify = EVP_MD_CTX_new();
    uint8_t challenge[32], sig[1024];
    size_t n = sizeof(sig);
    IDV_TRY(idv_random(env, challenge, sizeof(challenge)));
    if (!sign || !verify ||
        EVP_DigestSignInit_ex(sign, NULL, "SHA256", NULL, NULL, key, NULL) !=
            1 ||
        EVP_DigestSign(sign, sig, &n, challenge, sizeof(challenge)) != 1)
        return idv_fail(IDV_E_DEVICE, "the device does not sign");
    if (EVP_DigestVerifyInit_ex(verify, NULL, "SHA256", NULL, NULL,
                                X509_get0_pubkey(cert), NULL) != 1 ||
        EVP_DigestVerify(verify, sig, n, challenge, sizeof(challenge)) != 1)
        return idv_fail(IDV_E_REJECT,
                        "the key in the device is not the certificate's (%s)",
                        idv_cert_subject(cert));
    return IDV_OK;
}
