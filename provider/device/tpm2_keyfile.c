/* SPDX-License-Identifier: Apache-2.0 */
/* The ASN.1 of files labelled TSS2 PRIVATE KEY, all pure. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>
#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_keyasn.h"
#include "provider/device/tpm2_keyfile.h"
#include "provider/err.h"

static const char *const types[] = {
    [HWK_TPM_FILE_LOADABLE] = "2.23.133.10.1.3",
    [HWK_TPM_FILE_IMPORTABLE] = "2.23.133.10.1.4",
    [HWK_TPM_FILE_SEALED] = "2.23.133.10.1.5",
};

static int wrong(const char *what)
{
    return hwk_raise(HWK_R_FORMAT, "TSS2 PRIVATE KEY: %s", what);
}

static int no_memory(void)
{
    return hwk_raise(HWK_R_MEMORY, "TSS2 PRIVATE KEY");
}

bool hwk_tpm_keyfile_parent(TPM2_HANDLE handle)
{
    return handle >> 24 == TPM2_HT_PERSISTENT || handle == TPM2_RH_OWNER ||
           handle == TPM2_RH_ENDORSEMENT || handle == TPM2_RH_PLATFORM ||
           handle == TPM2_RH_NULL;
}

/* --- reading --- */

static int get_type(const HWK_KEYASN *asn, struct hwk_tpm_keyfile *file)
{
    char oid[64] = "";
    OBJ_obj2txt(oid, sizeof(oid), asn->type, 1);
    for (int i = HWK_TPM_FILE_LOADABLE; i <= HWK_TPM_FILE_SEALED; i++)
        if (strcmp(oid, types[i]) == 0) {
            file->type = (enum hwk_tpm_file_type)i;
            return 1;
        }
    return hwk_raise(HWK_R_FORMAT, "TSS2 PRIVATE KEY: type %s is not known",
                     oid);
}

/* a handle as writers with longs of 64 and of 32 bits have it */
static int get_parent(const ASN1_INTEGER *number, TPM2_HANDLE *out)
{
    int64_t v = -1;
    bool fits =
        ASN1_INTEGER_get_int64(&v, number) && v >= INT32_MIN && v <= UINT32_MAX;
    TPM2_HANDLE handle = v == 0 ? TPM2_RH_OWNER : (TPM2_HANDLE)v;
    if (!fits)
        return wrong("its parent is no handle");
    if (!hwk_tpm_keyfile_parent(handle))
        return hwk_raise(HWK_R_FORMAT,
                         "TSS2 PRIVATE KEY: 0x%08x is no hierarchy and no "
                         "persistent handle: no parent",
                         handle);
    *out = handle;
    return 1;
}

/* what the TPM2B in string holds, which is at most max bytes */
static bool in_2b(const ASN1_OCTET_STRING *string, size_t max,
                  const uint8_t **p, size_t *n)
{
    const uint8_t *in = ASN1_STRING_get0_data(string);
    size_t size = (size_t)ASN1_STRING_length(string);
    if (size <= 2 || (size_t)(in[0] << 8 | in[1]) != size - 2 || size - 2 > max)
        return false;
    *p = in + 2;
    *n = size - 2;
    return true;
}

static int get_pub(const ASN1_OCTET_STRING *string, TPM2B_PUBLIC *out)
{
    const uint8_t *p;
    size_t n, at = 0;
    if (!in_2b(string, sizeof(TPMT_PUBLIC), &p, &n) ||
        Tss2_MU_TPM2B_PUBLIC_Unmarshal(p - 2, n + 2, &at, out) !=
            TSS2_RC_SUCCESS ||
        at != n + 2)
        return wrong("its public area is damaged");
    return 1;
}

static int get_priv(const ASN1_OCTET_STRING *string, TPM2B_PRIVATE *out)
{
    const uint8_t *p;
    size_t n;
    if (!in_2b(string, sizeof(out->buffer), &p, &n))
        return wrong("its private part is damaged");
    out->size = (UINT16)n;
    memcpy(out->buffer, p, n);
    return 1;
}

static int get_secret(const HWK_KEYASN *asn, struct hwk_tpm_keyfile *file)
{
    TPM2B_ENCRYPTED_SECRET *out = &file->secret;
    bool importable = file->type == HWK_TPM_FILE_IMPORTABLE;
    const uint8_t *p;
    size_t n;
    if (importable != (asn->secret != NULL))
        return wrong(importable ? "to be imported, and without a secret"
                                : "a secret, and not to be imported");
    if (!importable)
        return 1;
    if (!in_2b(asn->secret, sizeof(out->secret), &p, &n))
        return wrong("its secret is damaged");
    out->size = (UINT16)n;
    memcpy(out->secret, p, n);
    return 1;
}

/* NULL when there is none */
static int get_text(const ASN1_UTF8STRING *string, char **out)
{
    unsigned char *text = NULL;
    if (!string)
        return 1;
    ERR_set_mark();
    int n = ASN1_STRING_to_UTF8(&text, string);
    ERR_pop_to_mark();
    if (n < 0)
        return wrong("a text in it is not UTF-8");
    if (memchr(text, 0, (size_t)n)) {
        OPENSSL_free(text);
        return wrong("a text in it has a NUL");
    }
    *out = (char *)text;
    return 1;
}

static int get_step(const HWK_KEYSTEP *asn, struct hwk_tpm_step *out)
{
    size_t n = (size_t)ASN1_STRING_length(asn->params);
    int64_t code = 0;
    if (!ASN1_INTEGER_get_int64(&code, asn->code) || code <= 0 ||
        code > UINT32_MAX)
        return wrong("a policy command has no code");
    if (n > 0 &&
        !(out->params = OPENSSL_memdup(ASN1_STRING_get0_data(asn->params), n)))
        return no_memory();
    out->code = (TPM2_CC)code;
    out->n = n;
    return 1;
}

static int get_rule(const STACK_OF(HWK_KEYSTEP) * steps,
                    struct hwk_tpm_rule *out)
{
    int n = sk_HWK_KEYSTEP_num(steps);
    if (n == 0)
        return 1;
    if (n > HWK_TPM_STEPS_MAX)
        return wrong("a policy of too many commands");
    out->steps = OPENSSL_zalloc((size_t)n * sizeof(*out->steps));
    if (!out->steps)
        return no_memory();
    for (out->n = 0; out->n < (size_t)n; out->n++)
        if (!get_step(sk_HWK_KEYSTEP_value(steps, (int)out->n),
                      &out->steps[out->n]))
            return 0;
    return 1;
}

static int get_alternatives(const STACK_OF(HWK_KEYRULE) * list,
                            struct hwk_tpm_keyfile *file)
{
    int n = sk_HWK_KEYRULE_num(list);
    if (n <= 0)
        return 1;
    if (file->policy.n == 0)
        return wrong("signed policies, and no policy that takes them");
    if (n > HWK_TPM_ALTERNATIVES_MAX)
        return wrong("too many signed policies");
    file->alternatives =
        OPENSSL_zalloc((size_t)n * sizeof(*file->alternatives));
    if (!file->alternatives)
        return no_memory();
    file->alternatives_n = (size_t)n;
    for (int i = 0; i < n; i++) {
        const HWK_KEYRULE *one = sk_HWK_KEYRULE_value(list, i);
        if (!get_text(one->name, &file->alternatives[i].name) ||
            !get_rule(one->steps, &file->alternatives[i]))
            return 0;
    }
    return 1;
}

static int get_all(const HWK_KEYASN *asn, struct hwk_tpm_keyfile *file)
{
    file->empty_auth = asn->empty_auth > 0;
    file->rsa_parent = asn->rsa_parent > 0;
    return get_type(asn, file) && get_secret(asn, file) &&
           get_parent(asn->parent, &file->parent) &&
           get_pub(asn->pub, &file->pub) && get_priv(asn->priv, &file->priv) &&
           get_text(asn->description, &file->description) &&
           (!asn->policy || get_rule(asn->policy, &file->policy)) &&
           (!asn->alternatives || get_alternatives(asn->alternatives, file));
}

static HWK_KEYASN *decode(const uint8_t *der, size_t n)
{
    const unsigned char *p = der;
    if (n == 0 || n > HWK_TPM_KEYFILE_MAX) {
        wrong(n == 0 ? "empty" : "longer than any such file");
        return NULL;
    }
    ERR_set_mark();
    HWK_KEYASN *asn = d2i_HWK_KEYASN(NULL, &p, (long)n);
    ERR_pop_to_mark();
    if (asn && p == der + n)
        return asn;
    wrong(asn ? "bytes are left over" : "not the ASN.1 of a TPM's key");
    HWK_KEYASN_free(asn);
    return NULL;
}

int hwk_tpm_keyfile_parse(const uint8_t *der, size_t n,
                          struct hwk_tpm_keyfile **out)
{
    HWK_KEYASN *asn = decode(der, n);
    if (!asn)
        return 0;
    struct hwk_tpm_keyfile *file = OPENSSL_zalloc(sizeof(*file));
    int ok = file ? get_all(asn, file) : no_memory();
    HWK_KEYASN_free(asn);
    if (ok)
        *out = file;
    else
        hwk_tpm_keyfile_free(file);
    return ok;
}

void hwk_tpm_keyfile_free(struct hwk_tpm_keyfile *file)
{
    if (!file)
        return;
    hwk_tpm_rule_clear(&file->policy);
    for (size_t i = 0; i < file->alternatives_n; i++)
        hwk_tpm_rule_clear(&file->alternatives[i]);
    OPENSSL_free(file->alternatives);
    OPENSSL_free(file->description);
    OPENSSL_free(file);
}

/* --- writing --- */

static bool put_2b(ASN1_OCTET_STRING *out, const uint8_t *p, size_t n)
{
    const uint8_t size[] = {(uint8_t)(n >> 8), (uint8_t)n};
    if (!ASN1_STRING_set(out, NULL, (int)n + 2))
        return false;
    memcpy(out->data, size, 2);
    memcpy(out->data + 2, p, n);
    return true;
}

static bool put_pub(ASN1_OCTET_STRING *out, const TPM2B_PUBLIC *pub)
{
    uint8_t p[sizeof(*pub)];
    size_t n = 0;
    return Tss2_MU_TPM2B_PUBLIC_Marshal(pub, p, sizeof(p), &n) ==
               TSS2_RC_SUCCESS &&
           ASN1_STRING_set(out, p, (int)n);
}

static bool put_text(ASN1_UTF8STRING **out, const char *text)
{
    return !text || ((*out = ASN1_UTF8STRING_new()) &&
                     ASN1_STRING_set(*out, text, (int)strlen(text)));
}

static bool put_step(STACK_OF(HWK_KEYSTEP) * out,
                     const struct hwk_tpm_step *step)
{
    HWK_KEYSTEP *asn = HWK_KEYSTEP_new();
    if (asn && ASN1_INTEGER_set_uint64(asn->code, step->code) &&
        ASN1_STRING_set(asn->params,
                        step->n > 0 ? (const void *)step->params : "",
                        (int)step->n) &&
        sk_HWK_KEYSTEP_push(out, asn) > 0)
        return true;
    HWK_KEYSTEP_free(asn);
    return false;
}

static bool put_rule(STACK_OF(HWK_KEYSTEP) * *out,
                     const struct hwk_tpm_rule *rule)
{
    if (!*out && !(*out = sk_HWK_KEYSTEP_new_null()))
        return false;
    for (size_t i = 0; i < rule->n; i++)
        if (!put_step(*out, &rule->steps[i]))
            return false;
    return true;
}

static bool put_alternative(STACK_OF(HWK_KEYRULE) * out,
                            const struct hwk_tpm_rule *rule)
{
    HWK_KEYRULE *asn = HWK_KEYRULE_new();
    if (asn && put_text(&asn->name, rule->name) &&
        put_rule(&asn->steps, rule) && sk_HWK_KEYRULE_push(out, asn) > 0)
        return true;
    HWK_KEYRULE_free(asn);
    return false;
}

static bool put_policies(HWK_KEYASN *asn, const struct hwk_tpm_keyfile *file)
{
    if (file->policy.n > 0 && !put_rule(&asn->policy, &file->policy))
        return false;
    if (file->alternatives_n > 0 &&
        !(asn->alternatives = sk_HWK_KEYRULE_new_null()))
        return false;
    for (size_t i = 0; i < file->alternatives_n; i++)
        if (!put_alternative(asn->alternatives, &file->alternatives[i]))
            return false;
    return true;
}

static bool put_type(HWK_KEYASN *asn, enum hwk_tpm_file_type type)
{
    ASN1_OBJECT_free(asn->type);
    asn->type = OBJ_txt2obj(types[type], 1);
    return asn->type != NULL;
}

static bool put_secret(HWK_KEYASN *asn, const TPM2B_ENCRYPTED_SECRET *secret)
{
    return secret->size == 0 ||
           ((asn->secret = ASN1_OCTET_STRING_new()) &&
            put_2b(asn->secret, secret->secret, secret->size));
}

static bool put_all(HWK_KEYASN *asn, const struct hwk_tpm_keyfile *file)
{
    /* said when false, too: tpm2-openssl 1.1 takes silence for true */
    asn->empty_auth = file->empty_auth ? 0xff : 0;
    asn->rsa_parent = file->rsa_parent ? 0xff : -1;
    return put_type(asn, file->type) && put_policies(asn, file) &&
           put_secret(asn, &file->secret) &&
           put_text(&asn->description, file->description) &&
           ASN1_INTEGER_set_uint64(asn->parent, file->parent) &&
           put_pub(asn->pub, &file->pub) &&
           put_2b(asn->priv, file->priv.buffer, file->priv.size);
}

static bool writable(const struct hwk_tpm_keyfile *file)
{
    return file->type >= HWK_TPM_FILE_LOADABLE &&
           file->type <= HWK_TPM_FILE_SEALED &&
           (file->type == HWK_TPM_FILE_IMPORTABLE) == (file->secret.size > 0) &&
           hwk_tpm_keyfile_parent(file->parent) && file->priv.size > 0 &&
           file->policy.n <= HWK_TPM_STEPS_MAX &&
           file->alternatives_n <= HWK_TPM_ALTERNATIVES_MAX &&
           (file->alternatives_n == 0 || file->policy.n > 0);
}

int hwk_tpm_keyfile_encode(const struct hwk_tpm_keyfile *file, uint8_t **der,
                           size_t *n)
{
    unsigned char *p = NULL;
    if (!writable(file))
        return wrong("no file holds that");
    HWK_KEYASN *asn = HWK_KEYASN_new();
    int size = asn && put_all(asn, file) ? i2d_HWK_KEYASN(asn, &p) : -1;
    HWK_KEYASN_free(asn);
    if (size < 0)
        return no_memory();
    if (size > HWK_TPM_KEYFILE_MAX) {
        OPENSSL_free(p);
        return wrong("too long for a file");
    }
    *der = p;
    *n = (size_t)size;
    return 1;
}
