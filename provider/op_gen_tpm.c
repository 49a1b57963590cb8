/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of a key to be made in a TPM. */
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "provider/op_gen.h"

#define AUTH_FILE_MAX 4096

static const char *text(const OSSL_PARAM *p)
{
    return p->data_type == OSSL_PARAM_UTF8_STRING ? p->data : "";
}

/* --- the parent --- */

static int set_parent(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    int ok = p->data_type == OSSL_PARAM_UTF8_STRING
                 ? hwk_uri_parent(p->data, &gen->parent)
                 : OSSL_PARAM_get_uint32(p, &gen->parent) ||
                       hwk_raise(HWK_R_PARAM, "parent: not a handle");

    gen->has_parent = ok;
    return ok;
}

static int set_parent_type(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    bool rsa = strcasecmp(text(p), "rsa") == 0;

    if (!rsa && strcasecmp(text(p), "ecc") != 0)
        return hwk_raise(HWK_R_PARAM, "%s: ecc or rsa", p->key);
    gen->spec.tpm.rsa_parent = rsa;
    return 1;
}

/* --- auth values, as tpm2-tools takes them --- */

static int auth_of_file(const char *path, struct hwk_secret **out)
{
    uint8_t *p;
    size_t n, used;

    if (!hwk_file_read(path, AUTH_FILE_MAX, &p, &n))
        return 0;
    used = n > 0 && p[n - 1] == '\n' ? n - 1 : n;
    *out = used <= HWK_PIN_MAX ? hwk_secret_new(p, used) : NULL;
    OPENSSL_clear_free(p, n);
    return *out != NULL ||
           hwk_raise(HWK_R_FILE, "%s: longer than an auth value can be", path);
}

static int auth_of_hex(const char *key, const char *hex,
                       struct hwk_secret **out)
{
    uint8_t value[HWK_PIN_MAX];
    size_t n = 0;
    int ok = OPENSSL_hexstr2buf_ex(value, sizeof(value), &n, hex, 0);

    if (ok)
        *out = hwk_secret_new(value, n);
    OPENSSL_cleanse(value, sizeof(value));
    return (ok && *out != NULL) ||
           hwk_raise(HWK_R_PARAM, "%s: not hexadecimal digits", key);
}

static int auth_of_text(const char *key, const char *s, struct hwk_secret **out)
{
    if (strlen(s) > HWK_PIN_MAX)
        return hwk_raise(HWK_R_PARAM, "%s: longer than an auth value can be",
                         key);
    *out = hwk_secret_new(s, strlen(s));
    return *out != NULL || hwk_raise(HWK_R_MEMORY, "%s", key);
}

static int set_auth(const OSSL_PARAM *p, struct hwk_secret **out)
{
    const char *s = text(p);

    if (p->data_type != OSSL_PARAM_UTF8_STRING)
        return hwk_raise(HWK_R_PARAM, "%s: not a string", p->key);
    hwk_secret_free(*out);
    *out = NULL;
    if (strncmp(s, "file:", 5) == 0)
        return auth_of_file(s + 5, out);
    if (strncmp(s, "hex:", 4) == 0)
        return auth_of_hex(p->key, s + 4, out);
    return auth_of_text(p->key, strncmp(s, "str:", 4) == 0 ? s + 4 : s, out);
}

static int set_user_auth(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    return set_auth(p, &gen->auth);
}

static int set_parent_auth(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    return set_auth(p, &gen->parent_auth);
}

static int set_hierarchy_auth(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    return set_auth(p, &gen->hierarchy_auth);
}

/* --- the key --- */

static int set_name_digest(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    return hwk_gen_digest(gen, p, &gen->spec.tpm.name);
}

static int set_policy(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    int ok = hwk_gen_string(p, HWK_URI_MAX, &gen->policy);

    gen->spec.tpm.policy = ok ? gen->policy : NULL;
    return ok;
}

static int set_auth_too(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    return hwk_gen_yesno(p, &gen->spec.tpm.auth_too);
}

static int set_noda(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    bool noda = true;
    int ok = hwk_gen_yesno(p, &noda);

    gen->spec.tpm.lockout = !noda;
    return ok;
}

static int set_restricted(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    return hwk_gen_yesno(p, &gen->spec.tpm.restricted);
}

static int set_scheme(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    static const struct {
        const char *name;
        enum hwk_tied tied;
    } names[] = {{"rsassa", HWK_TIED_RSASSA},
                 {"rsapss", HWK_TIED_RSAPSS},
                 {"rsaes", HWK_TIED_RSAES},
                 {"oaep", HWK_TIED_OAEP},
                 {"ecdsa", HWK_TIED_ECDSA}};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcasecmp(text(p), names[i].name) == 0) {
            gen->spec.tpm.tied = names[i].tied;
            return 1;
        }
    return hwk_raise(HWK_R_PARAM,
                     "%s: none of rsassa, rsapss, rsaes, oaep, ecdsa", p->key);
}

int hwk_gen_tpm_digest(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    gen->device_said = gen->spec.tpm.said = OSSL_PKEY_PARAM_RSA_DIGEST;
    return hwk_gen_digest(gen, p, &gen->spec.tpm.digest);
}

/* --- all of them --- */

#define OF (HWK_GEN_OF_EC | HWK_GEN_OF_RSA | HWK_GEN_OF_DEVICE | HWK_GEN_OF_TPM)
const struct hwk_gen_option hwk_gen_tpm_options[] = {
    {HWK_PARAM_KEY_PARENT, OF, set_parent},
    {HWK_PARAM_KEY_PARENT_TYPE, OF, set_parent_type},
    {HWK_PARAM_KEY_PARENT_AUTH, OF, set_parent_auth},
    {HWK_PARAM_KEY_HIERARCHY_AUTH, OF, set_hierarchy_auth},
    {HWK_PARAM_KEY_USER_AUTH, OF, set_user_auth},
    {HWK_PARAM_KEY_NAME_DIGEST, OF, set_name_digest},
    {HWK_PARAM_KEY_POLICY, OF, set_policy},
    {HWK_PARAM_KEY_AUTH_TOO, OF, set_auth_too},
    {HWK_PARAM_KEY_NODA, OF, set_noda},
    {HWK_PARAM_KEY_RESTRICTED, OF, set_restricted},
    {HWK_PARAM_KEY_SCHEME, OF, set_scheme},
    {NULL, 0, NULL},
};

int hwk_gen_tpm_settle(struct hwk_gen *gen, struct hwk_uri *uri)
{
    struct hwk_tpm_spec *t = &gen->spec.tpm;

    if (t->said != NULL && uri->scheme != HWK_SCHEME_TPM2)
        return hwk_raise(HWK_R_UNSUPPORTED, "%s: only of keys in a TPM",
                         t->said);
    if (gen->has_parent && uri->has_parent && uri->parent != gen->parent)
        return hwk_raise(HWK_R_PARAM, "parent: the URI names another");
    if (gen->has_parent) {
        uri->has_parent = true;
        uri->parent = gen->parent;
    }
    t->auth = gen->auth;
    t->parent_auth = gen->parent_auth;
    t->hierarchy_auth = gen->hierarchy_auth;
    return 1;
}

void hwk_gen_tpm_free(struct hwk_gen *gen)
{
    OPENSSL_free(gen->policy);
    hwk_secret_free(gen->auth);
    hwk_secret_free(gen->parent_auth);
    hwk_secret_free(gen->hierarchy_auth);
}
