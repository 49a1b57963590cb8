/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of a key to be made. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "provider/op_gen.h"

int hwk_gen_unfit(struct hwk_gen *gen, int reason, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(gen->unfit_text, sizeof(gen->unfit_text), fmt, args);
    va_end(args);
    gen->unfit = reason;
    return gen->uri == NULL || hwk_raise(reason, "%s", gen->unfit_text);
}

static int set_group(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    const struct hwk_curve *curve = p->data_type == OSSL_PARAM_UTF8_STRING
                                        ? hwk_curve_by_name(p->data)
                                        : NULL;

    if (curve == NULL || curve->type != gen->spec.type)
        return hwk_gen_unfit(gen, HWK_R_PARAM, "group: not a curve of ours");
    gen->spec.curve = curve;
    return 1;
}

static int set_bits(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    size_t bits;

    if (!OSSL_PARAM_get_size_t(p, &bits) || bits < 1024 ||
        bits > 8 * HWK_RSA_MAX)
        return hwk_gen_unfit(gen, HWK_R_PARAM, "bits: not between 1024 and %d",
                             8 * HWK_RSA_MAX);
    gen->spec.bits = (unsigned)bits;
    return 1;
}

static int set_exponent(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    uint64_t e;

    if (!OSSL_PARAM_get_uint64(p, &e) || e < 3 || (e & 1) == 0)
        return hwk_gen_unfit(gen, HWK_R_PARAM,
                             "e: not an odd number from 3 on");
    gen->spec.exponent = e;
    return 1;
}

int hwk_gen_string(const OSSL_PARAM *p, size_t max, char **out)
{
    if (p->data_type != OSSL_PARAM_UTF8_STRING || p->data_size > max)
        return hwk_raise(HWK_R_PARAM, "%s: not a string of %zu bytes at most",
                         p->key, max);
    OPENSSL_free(*out);
    *out = OPENSSL_strndup(p->data, p->data_size > 0 ? p->data_size : max);
    return *out != NULL || hwk_raise(HWK_R_MEMORY, "%s", p->key);
}

static int set_uri(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    if (gen->uri != NULL)
        OPENSSL_cleanse(gen->uri, strlen(gen->uri));
    return hwk_gen_string(p, HWK_URI_MAX, &gen->uri);
}

static int set_file(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    return hwk_gen_string(p, HWK_URI_MAX, &gen->file);
}

/* "sign", "sign+decrypt" */
static int set_usage(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    static const struct {
        const char *name;
        unsigned bit;
    } names[] = {{"sign", HWK_USAGE_SIGN},
                 {"decrypt", HWK_USAGE_DECRYPT},
                 {"derive", HWK_USAGE_DERIVE},
                 {"idevid", HWK_USAGE_IDEVID}};
    const char *s = p->data_type == OSSL_PARAM_UTF8_STRING ? p->data : "";
    unsigned usage = 0, bit;
    size_t i, n;

    do {
        n = strcspn(s, "+,");
        for (i = bit = 0; i < sizeof(names) / sizeof(names[0]); i++)
            if (strlen(names[i].name) == n && strncmp(s, names[i].name, n) == 0)
                bit = names[i].bit;
        if (bit == 0)
            return hwk_raise(HWK_R_PARAM,
                             "usage: none of sign, decrypt, derive, idevid, or "
                             "several with '+' between");
        usage |= bit;
        s += n;
    } while (*s++ != 0);
    gen->spec.usage = usage;
    return 1;
}

int hwk_gen_yesno(const OSSL_PARAM *p, bool *out)
{
    static const char *const words[] = {"no",    "yes",  "off", "on",
                                        "false", "true", "0",   "1"};
    size_t i;
    int v;

    if (p->data_type != OSSL_PARAM_UTF8_STRING) {
        if (!OSSL_PARAM_get_int(p, &v))
            return hwk_raise(HWK_R_PARAM, "%s: not yes or no", p->key);
        *out = v != 0;
        return 1;
    }
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(p->data, words[i]) == 0) {
            *out = i % 2 == 1;
            return 1;
        }
    return hwk_raise(HWK_R_PARAM, "%s: not yes or no", p->key);
}

static int set_token(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    bool token = true;
    int ok = hwk_gen_yesno(p, &token);

    gen->spec.session = !token;
    return ok;
}

static int set_extractable(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    return hwk_gen_yesno(p, &gen->spec.extractable);
}

static int set_sensitive(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    bool sensitive = true;
    int ok = hwk_gen_yesno(p, &sensitive);

    gen->spec.readable = !sensitive;
    return ok;
}

static int set_always_auth(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    return hwk_gen_yesno(p, &gen->spec.always_auth);
}

/* --- of keys for PSS only --- */

static int set_primes(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    size_t n;

    return (OSSL_PARAM_get_size_t(p, &n) && n == 2) ||
           hwk_gen_unfit(gen, HWK_R_PARAM, "primes: two, and no others");
}

int hwk_gen_digest(struct hwk_gen *gen, const OSSL_PARAM *p, enum hwk_md *out)
{
    *out = p->data_type == OSSL_PARAM_UTF8_STRING ? hwk_md_by_name(p->data)
                                                  : HWK_MD_NONE;
    return *out != HWK_MD_NONE ||
           hwk_gen_unfit(gen, HWK_R_DIGEST, "%s: no digest of ours", p->key);
}

static int set_pss_md(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    struct hwk_pss *pss = &gen->spec.pss;

    if (!hwk_gen_digest(gen, p, &pss->md))
        return 0;
    if (pss->mgf1 == HWK_MD_NONE)
        pss->mgf1 = pss->md;
    return 1;
}

/* of other keys it is what ties one in a TPM */
static int set_digest(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    return gen->spec.pss.only ? set_pss_md(gen, p) : hwk_gen_tpm_digest(gen, p);
}

static int set_pss_mgf1(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    return hwk_gen_digest(gen, p, &gen->spec.pss.mgf1);
}

static int set_pss_salt(struct hwk_gen *gen, const OSSL_PARAM *p)
{
    int salt;

    if (!OSSL_PARAM_get_int(p, &salt) || salt < 0 || salt > HWK_RSA_MAX)
        return hwk_gen_unfit(gen, HWK_R_PARAM,
                             "saltlen: not a number of bytes");
    gen->spec.pss.min_salt = (unsigned)salt;
    return 1;
}

/* --- all of them --- */

static unsigned kind(const struct hwk_spec *spec)
{
    if (spec->type == HWK_KEY_RSA)
        return spec->pss.only ? HWK_GEN_OF_RSA | HWK_GEN_OF_PSS
                              : HWK_GEN_OF_RSA;
    return spec->type == HWK_KEY_EC ? HWK_GEN_OF_EC : HWK_GEN_OF_CURVE;
}

static const struct hwk_gen_option general[] = {
    {HWK_PARAM_KEY_URI, HWK_GEN_OF_ANY, set_uri}, /* first: see hwk_gen_unfit */
    {OSSL_PKEY_PARAM_GROUP_NAME, HWK_GEN_OF_EC | HWK_GEN_OF_CURVE, set_group},
    {OSSL_PKEY_PARAM_RSA_BITS, HWK_GEN_OF_RSA, set_bits},
    {OSSL_PKEY_PARAM_RSA_PRIMES, HWK_GEN_OF_RSA, set_primes},
    {OSSL_PKEY_PARAM_RSA_E, HWK_GEN_OF_RSA, set_exponent},
    {OSSL_PKEY_PARAM_RSA_DIGEST, HWK_GEN_OF_EC | HWK_GEN_OF_RSA, set_digest},
    {OSSL_PKEY_PARAM_MGF1_DIGEST, HWK_GEN_OF_PSS, set_pss_mgf1},
    {OSSL_PKEY_PARAM_RSA_PSS_SALTLEN, HWK_GEN_OF_PSS, set_pss_salt},
    {HWK_PARAM_KEY_USAGE, HWK_GEN_OF_ANY | HWK_GEN_OF_DEVICE, set_usage},
    {HWK_PARAM_KEY_TOKEN, HWK_GEN_OF_ANY | HWK_GEN_OF_DEVICE, set_token},
    {HWK_PARAM_KEY_EXTRACTABLE, HWK_GEN_OF_ANY | HWK_GEN_OF_DEVICE,
     set_extractable},
    {HWK_PARAM_KEY_SENSITIVE, HWK_GEN_OF_ANY | HWK_GEN_OF_DEVICE,
     set_sensitive},
    {HWK_PARAM_KEY_ALWAYS_AUTH, HWK_GEN_OF_ANY | HWK_GEN_OF_DEVICE,
     set_always_auth},
    {HWK_PARAM_KEY_IMPORT, HWK_GEN_OF_ANY | HWK_GEN_OF_DEVICE, set_file},
    {NULL, 0, NULL},
};
static const struct hwk_gen_option *const known[] = {general,
                                                     hwk_gen_tpm_options};

const char *hwk_gen_device_said(const OSSL_PARAM params[])
{
    const struct hwk_gen_option *o;
    size_t i;

    for (i = 0; params != NULL && i < 2; i++)
        for (o = known[i]; o->name != NULL; o++)
            if ((o->of & HWK_GEN_OF_DEVICE) != 0 &&
                OSSL_PARAM_locate_const(params, o->name) != NULL)
                return o->name;
    return NULL;
}

static int set_known(struct hwk_gen *gen, const struct hwk_gen_option *o,
                     const OSSL_PARAM params[])
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, o->name);

    if (p == NULL)
        return 1;
    if ((o->of & HWK_GEN_OF_TPM) != 0)
        gen->spec.tpm.said = o->name;
    if ((o->of & kind(&gen->spec)) != 0)
        return o->set(gen, p);
    return hwk_gen_unfit(gen, HWK_R_PARAM, "%s: not of such a key", p->key);
}

/* the default provider passes over what is ours */
static int set_soft(struct hwk_gen *gen, const OSSL_PARAM params[])
{
    union {
        const OSSL_PARAM *c;
        OSSL_PARAM *p;
    } lent = {params};

    return EVP_PKEY_CTX_set_params(gen->soft, lent.p) > 0;
}

int hwk_gen_set_params(void *ctx, const OSSL_PARAM params[])
{
    const char *said = hwk_gen_device_said(params);
    const struct hwk_gen_option *o;
    struct hwk_gen *gen = ctx;
    size_t i;

    if (said != NULL)
        gen->device_said = said;
    for (i = 0; params != NULL && i < 2; i++)
        for (o = known[i]; o->name != NULL; o++)
            if (!set_known(gen, o, params))
                return 0;
    return params == NULL || gen->uri != NULL || gen->spec.tpm.said != NULL ||
           set_soft(gen, params);
}
