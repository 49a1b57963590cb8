/* SPDX-License-Identifier: Apache-2.0 */
/* What was asked of a new key as a public area, pure. */
#include <stdio.h>
#include <string.h>

#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_devid.h"
#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_spec.h"

static const struct {
    const char *name;
    TPM2_ALG_ID alg;
    enum hwk_key_type type;
    bool signs, hashes;
} ties[] = {
    [HWK_TIED_NOT] = {"", TPM2_ALG_NULL, 0, false, false},
    [HWK_TIED_RSASSA] = {"RSASSA", TPM2_ALG_RSASSA, HWK_KEY_RSA, true, true},
    [HWK_TIED_RSAPSS] = {"RSAPSS", TPM2_ALG_RSAPSS, HWK_KEY_RSA, true, true},
    [HWK_TIED_RSAES] = {"RSAES", TPM2_ALG_RSAES, HWK_KEY_RSA, false, false},
    [HWK_TIED_OAEP] = {"OAEP", TPM2_ALG_OAEP, HWK_KEY_RSA, false, true},
    [HWK_TIED_ECDSA] = {"ECDSA", TPM2_ALG_ECDSA, HWK_KEY_EC, true, true},
};

/* --- what it is for --- */

static int only_tokens(const struct hwk_spec *spec)
{
    const char *what = NULL;
    if (spec->extractable || spec->readable)
        what = "extractable, sensitive";
    else if (spec->always_auth)
        what = HWK_PARAM_KEY_ALWAYS_AUTH;
    return !what ||
           hwk_raise(HWK_R_UNSUPPORTED, "%s: only of keys in a token", what);
}

static int uses(const struct hwk_spec *spec, TPMA_OBJECT *out)
{
    unsigned usage = spec->usage;
    *out = 0;
    if (usage & HWK_USAGE_SIGN)
        *out |= TPMA_OBJECT_SIGN_ENCRYPT;
    if (usage & (HWK_USAGE_DECRYPT | HWK_USAGE_DERIVE))
        *out |= TPMA_OBJECT_DECRYPT;
    if (usage & HWK_USAGE_IDEVID)
        return hwk_raise(HWK_R_KEY, "usage: an IDevID is for nothing else");
    if (spec->type == HWK_KEY_RSA && (usage & HWK_USAGE_DERIVE))
        return hwk_raise(HWK_R_KEY, "usage: RSA keys derive nothing");
    return 1;
}

static int attributes(const struct hwk_spec *spec, TPMA_OBJECT *out)
{
    const struct hwk_tpm_spec *t = &spec->tpm;
    if (!uses(spec, out))
        return 0;
    if (t->auth_too && !t->policy)
        return hwk_raise(HWK_R_PARAM, "%s: there is no policy",
                         HWK_PARAM_KEY_AUTH_TOO);
    if (!spec->from)
        *out |= TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                TPMA_OBJECT_SENSITIVEDATAORIGIN;
    if (!t->policy || t->auth_too)
        *out |= TPMA_OBJECT_USERWITHAUTH;
    if (!t->lockout)
        *out |= TPMA_OBJECT_NODA;
    if (t->restricted)
        *out |= TPMA_OBJECT_RESTRICTED;
    return 1;
}

static int name(const struct hwk_tpm_spec *spec, TPMT_PUBLIC *t)
{
    enum hwk_md md = spec->name != HWK_MD_NONE ? spec->name : HWK_MD_SHA256;
    t->nameAlg = hwk_tpm_alg(md);
    return (t->nameAlg != TPM2_ALG_NULL && hwk_md_size(md) >= 32) ||
           hwk_raise(HWK_R_DIGEST, "%s: no TPM names keys by %s",
                     HWK_PARAM_KEY_NAME_DIGEST, hwk_md_name(md));
}

/* --- the scheme --- */

/* what a digest alone, or "restricted", says of the scheme */
static enum hwk_tied implied(const struct hwk_spec *spec)
{
    if (spec->type == HWK_KEY_EC)
        return HWK_TIED_ECDSA;
    return spec->usage == HWK_USAGE_SIGN ? HWK_TIED_RSASSA : HWK_TIED_OAEP;
}

static enum hwk_tied tied(const struct hwk_spec *spec)
{
    const struct hwk_tpm_spec *t = &spec->tpm;
    if (t->tied == HWK_TIED_NOT && spec->pss.only)
        return HWK_TIED_RSAPSS;
    if (t->tied == HWK_TIED_NOT && (t->restricted || t->digest != HWK_MD_NONE))
        return implied(spec);
    return t->tied;
}

static int tie_fits(const struct hwk_spec *spec, enum hwk_tied tie)
{
    if (ties[tie].type != spec->type)
        return hwk_raise(HWK_R_PARAM, "scheme: %s is not of such a key",
                         ties[tie].name);
    if (ties[tie].signs != (spec->usage == HWK_USAGE_SIGN) ||
        (spec->usage & (spec->usage - 1)) != 0)
        return hwk_raise(HWK_R_PARAM,
                         "usage: a key tied to %s is for that alone",
                         ties[tie].name);
    if (spec->tpm.restricted && !ties[tie].signs)
        return hwk_raise(HWK_R_PARAM, "%s: of a key that signs",
                         HWK_PARAM_KEY_RESTRICTED);
    if (spec->pss.only != (tie == HWK_TIED_RSAPSS))
        return hwk_raise(HWK_R_PARAM, "scheme: RSAPSS and the key type "
                                      "RSA-PSS go together");
    return 1;
}

/* a TPM knows no other hash in MGF1, and its salts are as long as the digest */
static int pss_fits(const struct hwk_pss *pss, enum hwk_md md)
{
    if (pss->md != HWK_MD_NONE && pss->mgf1 != pss->md)
        return hwk_raise(HWK_R_UNSUPPORTED,
                         "RSA-PSS: a TPM's MGF1 has the digest's hash");
    if (pss->min_salt < 0 || (size_t)pss->min_salt > hwk_md_size(md))
        return hwk_raise(HWK_R_UNSUPPORTED,
                         "RSA-PSS: a TPM's salt is as long as the digest");
    return 1;
}

static int tie_digest(const struct hwk_spec *spec, TPMI_ALG_HASH *out)
{
    enum hwk_md md = spec->tpm.digest;
    if (md == HWK_MD_NONE && spec->pss.only)
        md = spec->pss.md;
    if (md == HWK_MD_NONE)
        md = spec->tpm.name != HWK_MD_NONE ? spec->tpm.name : HWK_MD_SHA256;
    if (spec->pss.only && !pss_fits(&spec->pss, md))
        return 0;
    *out = hwk_tpm_alg(md);
    return *out != TPM2_ALG_NULL ||
           hwk_raise(HWK_R_DIGEST, "digest: TPMs have no %s", hwk_md_name(md));
}

static int scheme(const struct hwk_spec *spec, TPMT_PUBLIC *t)
{
    enum hwk_tied tie = tied(spec);
    TPMI_ALG_HASH hash = TPM2_ALG_NULL;
    if (tie == HWK_TIED_NOT)
        return 1;
    if (!tie_fits(spec, tie))
        return 0;
    if (!ties[tie].hashes && spec->tpm.digest != HWK_MD_NONE)
        return hwk_raise(HWK_R_PARAM, "digest: %s has none", ties[tie].name);
    if (ties[tie].hashes && !tie_digest(spec, &hash))
        return 0;
    if (t->type == TPM2_ALG_ECC) {
        t->parameters.eccDetail.scheme.scheme = ties[tie].alg;
        t->parameters.eccDetail.scheme.details.anySig.hashAlg = hash;
    } else {
        t->parameters.rsaDetail.scheme.scheme = ties[tie].alg;
        t->parameters.rsaDetail.scheme.details.anySig.hashAlg = hash;
    }
    return 1;
}

/* --- the key itself --- */

static int kind_of(const struct hwk_spec *spec, struct hwk_tpm_kind *out)
{
    *out = (struct hwk_tpm_kind){.type = TPM2_ALG_RSA};
    if (spec->type == HWK_KEY_RSA) {
        out->bits =
            (uint16_t)(spec->from ? 8 * spec->from->pub.n_len : spec->bits);
        return 1;
    }
    out->type = TPM2_ALG_ECC;
    out->curve = hwk_tpm_curve(spec->curve);
    return (spec->type == HWK_KEY_EC && out->curve != TPM2_ECC_NONE) ||
           hwk_raise(HWK_R_KEY, "a TPM key is an RSA key, or has the curve "
                                "P-256, P-384 or P-521");
}

static int exponent(uint64_t e, TPMT_PUBLIC *t)
{
    if (e > UINT32_MAX)
        return hwk_raise(HWK_R_KEY, "e: a TPM's has 32 bits");
    t->parameters.rsaDetail.exponent = e == 65537 ? 0 : (UINT32)e;
    return 1;
}

static uint64_t exponent_of(const struct hwk_pub *pub)
{
    uint64_t e = 0;
    for (size_t i = 0; i < pub->e_len && i < sizeof(e); i++)
        e = e << 8 | pub->e[i];
    return e;
}

static int brought_rsa(const struct hwk_pub *pub, TPMT_PUBLIC *t)
{
    if (pub->n_len > sizeof(t->unique.rsa.buffer))
        return hwk_raise(HWK_R_KEY,
                         "import: a TPM's RSA key has %zu bits at "
                         "most",
                         8 * sizeof(t->unique.rsa.buffer));
    t->unique.rsa.size = (UINT16)pub->n_len;
    memcpy(t->unique.rsa.buffer, pub->n, pub->n_len);
    return exponent(exponent_of(pub), t);
}

static int brought(const struct hwk_pub *pub, TPMT_PUBLIC *t)
{
    if (t->type == TPM2_ALG_RSA)
        return brought_rsa(pub, t);
    size_t n = pub->curve->field;
    TPMS_ECC_POINT *q = &t->unique.ecc;
    if (pub->point_len != 1 + 2 * n || n > sizeof(q->x.buffer))
        return hwk_raise(HWK_R_KEY, "import: not a point");
    q->x.size = q->y.size = (UINT16)n;
    memcpy(q->x.buffer, pub->point + 1, n);
    memcpy(q->y.buffer, pub->point + 1 + n, n);
    return 1;
}

/* the TCG's template is as it is, or it makes another key */
static int idevid(const struct hwk_spec *spec, const struct hwk_tpm_kind *kind,
                  TPM2B_PUBLIC *out)
{
    const struct hwk_tpm_spec *t = &spec->tpm;
    if (t->name != HWK_MD_NONE || t->tied != HWK_TIED_NOT ||
        t->digest != HWK_MD_NONE || t->restricted || t->lockout || t->policy ||
        spec->from || spec->pss.only ||
        (spec->exponent != 0 && spec->exponent != 65537))
        return hwk_raise(HWK_R_KEY, "usage: an IDevID is what the TCG's "
                                    "template makes it");
    return hwk_tpm_devid_own(HWK_TPM_IDEVID, kind, out) ||
           hwk_raise(HWK_R_KEY, "the TCG has no IDevID of this kind: RSA "
                                "2048, P-256, P-384 or P-521");
}

int hwk_tpm_spec_public(const struct hwk_spec *spec, TPM2B_PUBLIC *out)
{
    struct hwk_tpm_kind kind;
    TPM2B_PUBLIC pub;
    TPMT_PUBLIC *t = &pub.publicArea;
    if (!only_tokens(spec) || !kind_of(spec, &kind))
        return 0;
    if (spec->usage == HWK_USAGE_IDEVID)
        return idevid(spec, &kind, out);
    hwk_tpm_template_plain(&kind, &pub);
    if (!attributes(spec, &t->objectAttributes) || !name(&spec->tpm, t) ||
        !scheme(spec, t) ||
        (t->type == TPM2_ALG_RSA && !exponent(spec->exponent, t)) ||
        (spec->from && !brought(&spec->from->pub, t)))
        return 0;
    *out = pub;
    return 1;
}

/* without the key: what is left is the same before and after */
static size_t without_key(const TPM2B_PUBLIC *pub, uint8_t *out, size_t max)
{
    TPMT_PUBLIC t = pub->publicArea;
    size_t n = 0;
    memset(&t.unique, 0, sizeof(t.unique));
    if (t.type == TPM2_ALG_RSA && t.parameters.rsaDetail.exponent == 65537)
        t.parameters.rsaDetail.exponent = 0;
    return Tss2_MU_TPMT_PUBLIC_Marshal(&t, out, max, &n) ? 0 : n;
}

bool hwk_tpm_spec_made(const TPM2B_PUBLIC *template, const TPM2B_PUBLIC *made)
{
    uint8_t a[sizeof(TPMT_PUBLIC)], b[sizeof(TPMT_PUBLIC)];
    size_t n = without_key(template, a, sizeof(a));
    return n > 0 && without_key(made, b, sizeof(b)) == n && !memcmp(a, b, n);
}

void hwk_tpm_spec_text(const TPM2B_PUBLIC *pub,
                       char out[static HWK_TPM_SPEC_TEXT_MAX])
{
    const TPMT_PUBLIC *t = &pub->publicArea;
    const struct hwk_curve *c =
        hwk_tpm_curve_facts(t->parameters.eccDetail.curveID);
    enum hwk_md md = hwk_tpm_md(hwk_tpm_scheme_hash(pub));
    TPM2_ALG_ID alg = hwk_tpm_scheme(pub);
    size_t i = sizeof(ties) / sizeof(*ties) - 1;
    size_t n = (size_t)(t->type == TPM2_ALG_ECC
                            ? snprintf(out, 24, "EC %s", c ? c->nist : "?")
                            : snprintf(out, 24, "RSA %u",
                                       t->parameters.rsaDetail.keyBits));
    if (t->type == TPM2_ALG_RSA && t->parameters.rsaDetail.exponent != 0)
        n += (size_t)snprintf(out + n, 20, ", e = %u",
                              t->parameters.rsaDetail.exponent);
    while (i > 0 && ties[i].alg != alg)
        i--;
    if (i > 0)
        n += (size_t)snprintf(out + n, 16, ", %s", ties[i].name);
    if (i > 0 && md != HWK_MD_NONE)
        snprintf(out + n, 24, " with %s", hwk_md_name(md));
}
