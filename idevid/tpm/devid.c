/* SPDX-License-Identifier: Apache-2.0 */
/* TCG's templates of IDevID, IAK and EK: judged, and the first two written. */
#include <string.h>

#include <idevid/auto.h>

#include "tpm/devid.h"

#define IDENTITY                                                               \
    (IDVI_TPM_FIXED_TPM | IDVI_TPM_FIXED_PARENT | IDVI_TPM_DATA_ORIGIN |       \
     IDVI_TPM_USER_WITH_AUTH | IDVI_TPM_ADMIN_WITH_POLICY | IDVI_TPM_SIGN)
#define PARENT                                                                 \
    (IDVI_TPM_FIXED_TPM | IDVI_TPM_FIXED_PARENT | IDVI_TPM_DATA_ORIGIN |       \
     IDVI_TPM_ADMIN_WITH_POLICY | IDVI_TPM_RESTRICTED | IDVI_TPM_DECRYPT)

/* A template, as far as it says the same of all keys made from it. */
static const struct kind {
    bool ek, low;
    const char *name, *type;
    uint16_t alg, size; /* RSA: bits, ECC: TPM_ECC_CURVE */
    uint16_t name_alg, sym_bits;
} kinds[] = {
    {false, false, "H-1", "RSA-2048", IDVI_TPM_RSA, 2048, IDVI_TPM_SHA256, 0},
    {false, false, "H-2", "P-256", IDVI_TPM_ECC, IDVI_TPM_P256, IDVI_TPM_SHA256,
     0},
    {false, false, "H-3", "P-384", IDVI_TPM_ECC, IDVI_TPM_P384, IDVI_TPM_SHA384,
     0},
    {false, false, "H-4", "P-521", IDVI_TPM_ECC, IDVI_TPM_P521, IDVI_TPM_SHA512,
     0},
    {true, true, "L-1", "RSA-2048", IDVI_TPM_RSA, 2048, IDVI_TPM_SHA256, 128},
    {true, true, "L-2", "P-256", IDVI_TPM_ECC, IDVI_TPM_P256, IDVI_TPM_SHA256,
     128},
    {true, false, "H-1", "RSA-2048", IDVI_TPM_RSA, 2048, IDVI_TPM_SHA256, 128},
    {true, false, "H-2", "P-256", IDVI_TPM_ECC, IDVI_TPM_P256, IDVI_TPM_SHA256,
     128},
    {true, false, "H-3", "P-384", IDVI_TPM_ECC, IDVI_TPM_P384, IDVI_TPM_SHA384,
     256},
    {true, false, "H-4", "P-521", IDVI_TPM_ECC, IDVI_TPM_P521, IDVI_TPM_SHA512,
     256},
    {true, false, "H-6", "RSA-3072", IDVI_TPM_RSA, 3072, IDVI_TPM_SHA384, 256},
    {true, false, "H-7", "RSA-4096", IDVI_TPM_RSA, 4096, IDVI_TPM_SHA384, 256},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

static const char *const names[] = {
    [IDVI_DEVID_EK] = "EK",
    [IDVI_DEVID_IAK] = "IAK",
    [IDVI_DEVID_IDEVID] = "IDevID",
};

static uint32_t attributes_of(enum idvi_devid what, const struct kind *k)
{
    if (what == IDVI_DEVID_EK)
        return PARENT | (k->low ? 0 : IDVI_TPM_USER_WITH_AUTH);
    return IDENTITY | (what == IDVI_DEVID_IAK ? IDVI_TPM_RESTRICTED : 0);
}

/* --- judging --- */

/* Of the EKs of one size two templates exist; who may use them tells. */
static const struct kind *find(enum idvi_devid what,
                               const struct idvi_tpm_public *p)
{
    const struct kind *found = NULL;
    for (size_t i = 0; i < KINDS; i++) {
        const struct kind *k = &kinds[i];
        if (k->ek != (what == IDVI_DEVID_EK) || k->alg != p->type ||
            k->size != (p->type == IDVI_TPM_RSA ? p->bits : p->curve))
            continue;
        if (!found || !(p->attributes & IDVI_TPM_USER_WITH_AUTH) == k->low)
            found = k;
    }
    return found;
}

static idv_rc no_kind(const char *what, const struct idvi_tpm_public *p)
{
    if (p->type == IDVI_TPM_RSA)
        return idv_fail(IDV_E_REJECT,
                        "%s: of an RSA key of %u bits there is no template",
                        what, p->bits);
    return idv_fail(IDV_E_REJECT,
                    "%s: of a key on the curve 0x%04x there is no template",
                    what, p->curve);
}

static idv_rc check_attributes(const char *what, uint32_t got, uint32_t want)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } bits[] = {
        {IDVI_TPM_FIXED_TPM, "fixedTPM"},
        {IDVI_TPM_FIXED_PARENT, "fixedParent"},
        {IDVI_TPM_DATA_ORIGIN, "sensitiveDataOrigin"},
        {IDVI_TPM_RESTRICTED, "restricted"},
        {IDVI_TPM_SIGN, "sign"},
        {IDVI_TPM_DECRYPT, "decrypt"},
        {IDVI_TPM_USER_WITH_AUTH, "userWithAuth"},
        {IDVI_TPM_ADMIN_WITH_POLICY, "adminWithPolicy"},
        {IDVI_TPM_ST_CLEAR, "stClear"},
        {IDVI_TPM_NO_DA, "noDA"},
        {IDVI_TPM_ENCRYPTED_DUPLICATION, "encryptedDuplication"},
    };
    for (size_t i = 0; i < sizeof(bits) / sizeof(*bits); i++)
        if ((got ^ want) & bits[i].bit)
            return idv_fail(IDV_E_REJECT, "%s: %s is %s", what, bits[i].name,
                            got & bits[i].bit ? "set" : "clear");
    if (got != want)
        return idv_fail(IDV_E_REJECT, "%s: attributes 0x%08x, not 0x%08x", what,
                        got, want);
    return IDV_OK;
}

static idv_rc check_policy(enum idvi_devid what, const struct kind *k,
                           const struct idvi_tpm_public *p)
{
    IDV_AUTO(buf) want = {0};
    if (!p->policy.n)
        return idv_fail(IDV_E_REJECT, "%s: it has no authPolicy", names[what]);
    IDV_TRY(idvi_devid_policy(what, k->name_alg, k->low, &want));
    if (!idv_bytes_eq(p->policy, idv_view(&want)))
        return idv_fail(IDV_E_REJECT, "%s: authPolicy is not TCG's",
                        names[what]);
    return IDV_OK;
}

static idv_rc check_symmetric(const char *what, const struct kind *k,
                              const struct idvi_tpm_public *p)
{
    bool aes = k->sym_bits != 0;
    if (p->symmetric != (aes ? IDVI_TPM_AES : IDVI_TPM_NULL) ||
        p->sym_bits != k->sym_bits || p->sym_mode != (aes ? IDVI_TPM_CFB : 0))
        return idv_fail(IDV_E_REJECT,
                        "%s: symmetric algorithm 0x%04x of %u bits in mode "
                        "0x%04x is not TCG's",
                        what, p->symmetric, p->sym_bits, p->sym_mode);
    return IDV_OK;
}

/* what TCG's template says; 0: none */
static uint16_t scheme_of(enum idvi_devid what, const struct kind *k)
{
    if (what == IDVI_DEVID_EK)
        return IDVI_TPM_NULL;
    if (k->alg == IDVI_TPM_ECC)
        return IDVI_TPM_ECDSA;
    return what == IDVI_DEVID_IAK ? IDVI_TPM_RSASSA : IDVI_TPM_NULL;
}

static idv_rc check_scheme(enum idvi_devid what, const struct kind *k,
                           const struct idvi_tpm_public *p)
{
    uint16_t want = scheme_of(what, k);
    uint16_t hash = want == IDVI_TPM_NULL ? 0 : k->name_alg;
    if (p->scheme == want && p->hash == hash)
        return IDV_OK;
    if (what == IDVI_DEVID_IDEVID && p->scheme == IDVI_TPM_NULL)
        return IDV_OK;
    return idv_fail(IDV_E_REJECT,
                    "%s: scheme 0x%04x with hash 0x%04x is not TCG's",
                    names[what], p->scheme, p->hash);
}

static idv_rc check_unique(const char *what, const struct idvi_tpm_public *p)
{
    size_t n = idvi_tpm_curve_size(p->curve);
    if (p->type == IDVI_TPM_RSA && p->exponent != 0)
        return idv_fail(IDV_E_REJECT, "%s: exponent %u is not TCG's", what,
                        p->exponent);
    if (p->type == IDVI_TPM_ECC && (p->x.n != n || p->y.n != n))
        return idv_fail(IDV_E_REJECT,
                        "%s: unique of %zu and %zu bytes is no key's", what,
                        p->x.n, p->y.n);
    return IDV_OK;
}

idv_rc idvi_devid_check(enum idvi_devid what, const struct idvi_tpm_public *pub,
                        struct idvi_devid_found *out)
{
    const char *name = names[what];
    const struct kind *k = find(what, pub);
    if (!k)
        return no_kind(name, pub);
    IDV_TRY(check_attributes(name, pub->attributes, attributes_of(what, k)));
    if (pub->name_alg != k->name_alg)
        return idv_fail(IDV_E_REJECT, "%s: nameAlg is 0x%04x, not 0x%04x", name,
                        pub->name_alg, k->name_alg);
    IDV_TRY(check_policy(what, k, pub));
    IDV_TRY(check_symmetric(name, k, pub));
    IDV_TRY(check_scheme(what, k, pub));
    IDV_TRY(check_unique(name, pub));
    out->kind = k->name;
    out->type = k->type;
    out->no_scheme =
        pub->type == IDVI_TPM_ECC && pub->scheme != scheme_of(what, k);
    return IDV_OK;
}

/* --- templates --- */

static const struct dialect {
    const char *name;
    enum { EMPTY, REPEATED, SPLIT } y;
    bool no_scheme;
} dialects[] = {
    {"swtpm", EMPTY, false},          {"keylime", REPEATED, false},
    {"wolftpm", SPLIT, false},        {"swtpm-null", EMPTY, true},
    {"keylime-null", REPEATED, true}, {"wolftpm-null", SPLIT, true},
};

static const struct dialect *find_dialect(const char *name)
{
    if (!name)
        return &dialects[0];
    for (size_t i = 0; i < sizeof(dialects) / sizeof(*dialects); i++)
        if (strcmp(dialects[i].name, name) == 0)
            return &dialects[i];
    return NULL;
}

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < KINDS; i++)
        if (!kinds[i].ek && strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

/* whoever splits "IAK" in two loses its last letter */
static void set_unique(const struct dialect *d, const char *text,
                       struct idvi_tpm_public *p)
{
    struct idv_bytes all = idv_str(text);
    size_t half = all.n / 2;
    if (p->type == IDVI_TPM_RSA) {
        p->modulus = all;
        return;
    }
    p->x = d->y == SPLIT ? idv_bytes(all.p, half) : all;
    if (d->y == REPEATED)
        p->y = all;
    else if (d->y == SPLIT)
        p->y = idv_bytes(all.p + half, half);
}

idv_rc idvi_devid_template(enum idvi_devid what, const char *kind,
                           const char *dialect, struct idv_buf *out)
{
    const struct kind *k = find_kind(kind);
    const struct dialect *d = find_dialect(dialect);
    bool rsa = k && k->alg == IDVI_TPM_RSA, idevid = what == IDVI_DEVID_IDEVID;
    IDV_AUTO(buf) policy = {0};
    if (!k || !d || what == IDVI_DEVID_EK || (rsa && d != dialects) ||
        (!idevid && d->no_scheme))
        return idv_fail(IDV_E_ARG, "%s: no template %s/%s", names[what], kind,
                        dialect ? dialect : dialects[0].name);
    IDV_TRY(idvi_devid_policy(what, k->name_alg, false, &policy));
    struct idvi_tpm_public p = {
        .type = k->alg,
        .name_alg = k->name_alg,
        .attributes = attributes_of(what, k),
        .policy = idv_view(&policy),
        .symmetric = IDVI_TPM_NULL,
        .scheme = d->no_scheme ? IDVI_TPM_NULL : scheme_of(what, k),
        .hash = k->name_alg,
    };
    *(rsa ? &p.bits : &p.curve) = k->size;
    set_unique(d, idevid ? "IDEVID" : "IAK", &p);
    return idvi_tpm_public_to_bytes(&p, out);
}
