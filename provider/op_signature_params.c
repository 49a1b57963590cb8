/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of a signature: digest, padding, salt. */
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "provider/op_signature.h"
#include "provider/soft.h"

/* --- what the parameters come to --- */

static size_t resolve_salt(const struct hwk_sig *sig)
{
    bool digest =
        sig->salt == HWK_SALT_DIGEST ||
        (sig->salt == HWK_SALT_AUTO && sig->key->flags & HWK_FOUND_PSS_DIGEST);

    if (digest)
        return hwk_md_size(sig->md);
    if (sig->salt < 0) /* signing: auto is the longest */
        return hwk_mech_pss_max(&sig->key->pub, sig->md);
    return (size_t)sig->salt;
}

int hwk_sig_mech(const struct hwk_sig *sig, struct hwk_mech *out)
{
    memset(out, 0, sizeof(*out));
    out->type = sig->type;
    out->pad = sig->pad;
    out->md = sig->md;
    if (sig->pad != HWK_PAD_PSS)
        return 1;
    if (sig->md == HWK_MD_NONE)
        return hwk_raise(HWK_R_DIGEST, "PSS needs a digest");
    out->mgf1 = sig->mgf1 != HWK_MD_NONE ? sig->mgf1 : sig->md;
    out->salt = resolve_salt(sig);
    return 1;
}

/* --- setting --- */

static int md_param(const OSSL_PARAM *p, enum hwk_md *out)
{
    if (p->data_type != OSSL_PARAM_UTF8_STRING)
        return hwk_raise(HWK_R_PARAM, "%s: not a name", p->key);
    *out = hwk_md_by_name(p->data);
    if (*out == HWK_MD_NONE)
        return hwk_raise(HWK_R_DIGEST, "%s: not one of ours",
                         (const char *)p->data);
    return 1;
}

enum hwk_md hwk_sig_only_md(const struct hwk_sig *sig)
{
    if (sig->key == NULL)
        return HWK_MD_NONE;
    if (sig->key->md != HWK_MD_NONE)
        return sig->key->md;
    return sig->key->pub.pss.md;
}

int hwk_sig_set_md(struct hwk_sig *sig, enum hwk_md md)
{
    enum hwk_md only = hwk_sig_only_md(sig);

    if (only != HWK_MD_NONE && md != only)
        return hwk_raise(HWK_R_DIGEST, "%s: this key does only %s",
                         hwk_md_name(md), hwk_md_name(only));
    sig->md = md;
    return 1;
}

static int set_digest(struct hwk_sig *sig, const OSSL_PARAM *p)
{
    enum hwk_md md;

    if (p->data_type == OSSL_PARAM_UTF8_STRING && *(char *)p->data == 0)
        return 1;
    if (!md_param(p, &md))
        return 0;
    if (sig->md_fixed && md != sig->md)
        return hwk_raise(HWK_R_DIGEST, "%s: hashing has begun with %s",
                         (const char *)p->data, hwk_md_name(sig->md));
    return hwk_sig_set_md(sig, md);
}

static const struct hwk_pss *pss_of(const struct hwk_sig *sig)
{
    return sig->key != NULL && sig->key->pub.pss.only ? &sig->key->pub.pss
                                                      : NULL;
}

static int set_mgf1(struct hwk_sig *sig, const OSSL_PARAM *p)
{
    const struct hwk_pss *pss = pss_of(sig);
    enum hwk_md md;

    if (!md_param(p, &md))
        return 0;
    if (pss != NULL && pss->md != HWK_MD_NONE && md != pss->mgf1)
        return hwk_raise(HWK_R_DIGEST, "%s: this key does MGF1 only with %s",
                         hwk_md_name(md), hwk_md_name(pss->mgf1));
    sig->mgf1 = md;
    return 1;
}

static const struct {
    const char *name;
    int number;
    enum hwk_pad pad;
} pads[] = {
    {OSSL_PKEY_RSA_PAD_MODE_PKCSV15, RSA_PKCS1_PADDING, HWK_PAD_PKCS1},
    {OSSL_PKEY_RSA_PAD_MODE_PSS, RSA_PKCS1_PSS_PADDING, HWK_PAD_PSS},
    {OSSL_PKEY_RSA_PAD_MODE_NONE, RSA_NO_PADDING, HWK_PAD_NONE},
};
#define PADS (sizeof(pads) / sizeof(pads[0]))

static int set_pad(struct hwk_sig *sig, const OSSL_PARAM *p)
{
    bool text = p->data_type == OSSL_PARAM_UTF8_STRING;
    int number = 0;
    size_t i;

    if (sig->type != HWK_KEY_RSA)
        return hwk_raise(HWK_R_PADDING, "an EC key has no padding");
    if (!text && !OSSL_PARAM_get_int(p, &number))
        return hwk_raise(HWK_R_PARAM, "%s: not a padding mode", p->key);
    for (i = 0; i < PADS; i++) {
        if (text ? strcmp(p->data, pads[i].name) == 0
                 : number == pads[i].number) {
            if (pss_of(sig) != NULL && pads[i].pad != HWK_PAD_PSS)
                return hwk_raise(HWK_R_PADDING, "this key does only PSS");
            sig->pad = pads[i].pad;
            return 1;
        }
    }
    return hwk_raise(HWK_R_PADDING, "none of pkcs1, pss, none");
}

static int set_salt(struct hwk_sig *sig, const OSSL_PARAM *p)
{
    const struct hwk_pss *pss = pss_of(sig);
    long salt = 0;
    int number = 0;
    char *end = NULL;

    if (p->data_type != OSSL_PARAM_UTF8_STRING) {
        if (!OSSL_PARAM_get_int(p, &number))
            return hwk_raise(HWK_R_PARAM, "%s: not a number", p->key);
        salt = number;
    } else if (strcmp(p->data, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0) {
        salt = HWK_SALT_DIGEST;
    } else if (strcmp(p->data, OSSL_PKEY_RSA_PSS_SALT_LEN_MAX) == 0) {
        salt = HWK_SALT_MAX;
    } else if (strcmp(p->data, OSSL_PKEY_RSA_PSS_SALT_LEN_AUTO) == 0) {
        salt = HWK_SALT_AUTO;
    } else {
        salt = strtol(p->data, &end, 10);
        if (end == p->data || *end != 0)
            return hwk_raise(HWK_R_PARAM, "%s: not a salt length", p->key);
    }
    if (salt < HWK_SALT_MAX || salt > HWK_RSA_MAX)
        return hwk_raise(HWK_R_PADDING, "PSS salt of %ld bytes", salt);
    if (pss != NULL && salt >= 0 && salt < pss->min_salt)
        return hwk_raise(HWK_R_PADDING,
                         "PSS salt of %ld bytes: this key wants %d", salt,
                         pss->min_salt);
    sig->salt = (int)salt;
    return 1;
}

static const struct {
    const char *name;
    int (*set)(struct hwk_sig *sig, const OSSL_PARAM *p);
} settable[] = {
    {OSSL_SIGNATURE_PARAM_DIGEST, set_digest},
    {OSSL_SIGNATURE_PARAM_PAD_MODE, set_pad},
    {OSSL_SIGNATURE_PARAM_MGF1_DIGEST, set_mgf1},
    {OSSL_SIGNATURE_PARAM_PSS_SALTLEN, set_salt},
};

int hwk_sig_set_params(void *ctx, const OSSL_PARAM params[])
{
    const struct hwk_sig *sig = ctx;
    size_t i;

    if (sig->soft != NULL)
        return hwk_soft_ctx_set(sig->soft, params);

    if (params == NULL)
        return 1;
    for (i = 0; i < sizeof(settable) / sizeof(settable[0]); i++) {
        const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, settable[i].name);

        if (p != NULL && !settable[i].set(ctx, p))
            return 0;
    }
    return 1;
}

static const OSSL_PARAM list[] = {
    OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PROPERTIES, NULL, 0),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_PROPERTIES, NULL, 0),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
    OSSL_PARAM_END};

const OSSL_PARAM *hwk_sig_settable(void *ctx, void *core)
{
    const struct hwk_sig *sig = ctx;

    (void)core;
    return sig != NULL && sig->soft != NULL
               ? EVP_PKEY_CTX_settable_params(sig->soft)
               : list + 1;
}

const OSSL_PARAM *hwk_sig_gettable(void *ctx, void *core)
{
    const struct hwk_sig *sig = ctx;

    (void)core;
    return sig != NULL && sig->soft != NULL
               ? EVP_PKEY_CTX_gettable_params(sig->soft)
               : list;
}

/* --- getting --- */

static int get_algid(const struct hwk_sig *sig, OSSL_PARAM *p)
{
    uint8_t der[256];
    size_t n = sizeof(der);
    struct hwk_mech mech;

    return hwk_sig_mech(sig, &mech) && hwk_mech_algid(&mech, der, &n) &&
           OSSL_PARAM_set_octet_string(p, der, n);
}

static int get_md(OSSL_PARAM *p, enum hwk_md md)
{
    return OSSL_PARAM_set_utf8_string(p,
                                      md == HWK_MD_NONE ? "" : hwk_md_name(md));
}

static int get_pad(const struct hwk_sig *sig, OSSL_PARAM *p)
{
    size_t i;

    for (i = 0; i < PADS; i++)
        if (pads[i].pad == sig->pad)
            return p->data_type == OSSL_PARAM_INTEGER
                       ? OSSL_PARAM_set_int(p, pads[i].number)
                       : OSSL_PARAM_set_utf8_string(p, pads[i].name);
    return 0;
}

static int get_salt(const struct hwk_sig *sig, OSSL_PARAM *p)
{
    static const char *const names[] = {OSSL_PKEY_RSA_PSS_SALT_LEN_MAX,
                                        OSSL_PKEY_RSA_PSS_SALT_LEN_AUTO,
                                        OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST};
    char number[16];

    if (p->data_type == OSSL_PARAM_INTEGER)
        return OSSL_PARAM_set_int(p, sig->salt);
    if (sig->salt < 0)
        return OSSL_PARAM_set_utf8_string(p, names[sig->salt - HWK_SALT_MAX]);
    snprintf(number, sizeof(number), "%d", sig->salt);
    return OSSL_PARAM_set_utf8_string(p, number);
}

int hwk_sig_get_params(void *ctx, OSSL_PARAM params[])
{
    const struct hwk_sig *sig = ctx;
    OSSL_PARAM *p;

    if (sig->soft != NULL)
        return EVP_PKEY_CTX_get_params(sig->soft, params) > 0;
    p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
    if (p != NULL && !get_algid(sig, p))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_DIGEST);
    if (p != NULL && !get_md(p, sig->md))
        return 0;
    if (sig->type != HWK_KEY_RSA)
        return 1;
    p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
    if (p != NULL && !get_pad(sig, p))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST);
    if (p != NULL && !get_md(p, sig->mgf1 != HWK_MD_NONE ? sig->mgf1 : sig->md))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
    return p == NULL || get_salt(sig, p);
}
