/* SPDX-License-Identifier: Apache-2.0 */
/* The TCG's templates of device identity keys, in the dialects that the world
 * writes them in: all pure. */
#include <stdio.h>
#include <string.h>

#include "provider/device/tpm2_devid.h"
#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_public.h"

/* fixedTPM fixedParent sensitiveDataOrigin userWithAuth adminWithPolicy sign */
#define ATTRIBUTES                                                             \
    (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |                          \
     TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |              \
     TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_SIGN_ENCRYPT)

static const struct {
    const char *name;
    struct hwk_tpm_kind kind;
    TPMI_ALG_HASH hash;
} kinds[] = {
    {"H-2", {TPM2_ALG_ECC, TPM2_ECC_NIST_P256, 0}, TPM2_ALG_SHA256},
    {"H-3", {TPM2_ALG_ECC, TPM2_ECC_NIST_P384, 0}, TPM2_ALG_SHA384},
    {"H-4", {TPM2_ALG_ECC, TPM2_ECC_NIST_P521, 0}, TPM2_ALG_SHA512},
    {"H-1", {TPM2_ALG_RSA, TPM2_ECC_NONE, 2048}, TPM2_ALG_SHA256},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

/* of the second half of unique */
enum second { EMPTY, REPEATED, SPLIT };

static const struct {
    const char *name;
    enum second y;
    bool no_scheme;
} dialects[] = {
    {"swtpm", EMPTY, false},          {"keylime", REPEATED, false},
    {"wolftpm", SPLIT, false},        {"swtpm-null", EMPTY, true},
    {"keylime-null", REPEATED, true}, {"wolftpm-null", SPLIT, true},
};
#define DIALECTS (sizeof(dialects) / sizeof(*dialects))

/* no dialects of RSA keys, and a restricted key's scheme is never left open */
static bool exists(const struct hwk_tpm_devid *d)
{
    if (kinds[d->kind].kind.type == TPM2_ALG_RSA)
        return d->dialect == 0;
    return d->purpose == HWK_TPM_IDEVID || !dialects[d->dialect].no_scheme;
}

int hwk_tpm_devid_nth(enum hwk_tpm_name purpose, size_t i,
                      struct hwk_tpm_devid *out)
{
    struct hwk_tpm_devid d = {.purpose = purpose};
    for (d.kind = 0; d.kind < KINDS; d.kind++)
        for (d.dialect = 0; d.dialect < DIALECTS; d.dialect++)
            if (exists(&d) && i-- == 0) {
                *out = d;
                return 1;
            }
    return 0;
}

void hwk_tpm_devid_name(const struct hwk_tpm_devid *d,
                        char out[static HWK_TPM_DEVID_NAME_MAX])
{
    bool rsa = kinds[d->kind].kind.type == TPM2_ALG_RSA;
    snprintf(out, HWK_TPM_DEVID_NAME_MAX, "%s%s%s", kinds[d->kind].name,
             rsa ? "" : "/", rsa ? "" : dialects[d->dialect].name);
}

bool hwk_tpm_devid_is(const struct hwk_tpm_devid *d, const char *text)
{
    char name[HWK_TPM_DEVID_NAME_MAX];
    hwk_tpm_devid_name(d, name);
    return strcmp(text, name) == 0 || strcmp(text, kinds[d->kind].name) == 0;
}

bool hwk_tpm_devid_known(const char *text)
{
    struct hwk_tpm_devid d;
    for (size_t i = 0; hwk_tpm_devid_nth(HWK_TPM_IDEVID, i, &d); i++)
        if (hwk_tpm_devid_is(&d, text))
            return true;
    return false;
}

bool hwk_tpm_devid_like(const struct hwk_tpm_devid *d,
                        const struct hwk_pub *pub)
{
    const struct hwk_tpm_kind *kind = &kinds[d->kind].kind;
    if (kind->type == TPM2_ALG_RSA)
        return pub->type == HWK_KEY_RSA && hwk_pub_bits(pub) == kind->bits;
    return pub->type == HWK_KEY_EC &&
           pub->curve == hwk_tpm_curve_facts(kind->curve);
}

static void put(uint8_t *out, UINT16 *size, const char *text, size_t n)
{
    memcpy(out, text, n);
    *size = (UINT16)n;
}

static void put_unique(const struct hwk_tpm_devid *d, TPMT_PUBLIC *t)
{
    const char *text = d->purpose == HWK_TPM_IDEVID ? "IDEVID" : "IAK";
    TPMS_ECC_POINT *q = &t->unique.ecc;
    size_t n = strlen(text), half = n / 2;
    enum second y = dialects[d->dialect].y;
    if (t->type == TPM2_ALG_RSA) {
        put(t->unique.rsa.buffer, &t->unique.rsa.size, text, n);
        return;
    }
    put(q->x.buffer, &q->x.size, text, y == SPLIT ? half : n);
    if (y == REPEATED)
        put(q->y.buffer, &q->y.size, text, n);
    else if (y == SPLIT)
        put(q->y.buffer, &q->y.size, text + half, half);
}

static void put_scheme(const struct hwk_tpm_devid *d, TPMI_ALG_HASH hash,
                       TPMT_PUBLIC *t)
{
    if (t->type == TPM2_ALG_RSA && d->purpose == HWK_TPM_IAK) {
        t->parameters.rsaDetail.scheme.scheme = TPM2_ALG_RSASSA;
        t->parameters.rsaDetail.scheme.details.rsassa.hashAlg = hash;
    } else if (t->type == TPM2_ALG_ECC && !dialects[d->dialect].no_scheme) {
        t->parameters.eccDetail.scheme.scheme = TPM2_ALG_ECDSA;
        t->parameters.eccDetail.scheme.details.ecdsa.hashAlg = hash;
    }
}

int hwk_tpm_devid_template(const struct hwk_tpm_devid *d, TPM2B_PUBLIC *out)
{
    TPMI_ALG_HASH hash = kinds[d->kind].hash;
    TPMT_PUBLIC *t = &out->publicArea;
    hwk_tpm_template_plain(&kinds[d->kind].kind, out);
    t->nameAlg = hash;
    t->objectAttributes = ATTRIBUTES;
    if (d->purpose == HWK_TPM_IAK)
        t->objectAttributes |= TPMA_OBJECT_RESTRICTED;
    put_unique(d, t);
    put_scheme(d, hash, t);
    return hwk_tpm_policy_devid(hash, d->purpose, NULL, &t->authPolicy);
}

int hwk_tpm_devid_own(enum hwk_tpm_name purpose,
                      const struct hwk_tpm_kind *kind, TPM2B_PUBLIC *out)
{
    for (unsigned i = 0; i < KINDS; i++) {
        const struct hwk_tpm_devid d = {.purpose = purpose, .kind = i};
        const struct hwk_tpm_kind *k = &kinds[i].kind;
        if (k->type == kind->type && k->curve == kind->curve &&
            k->bits == kind->bits)
            return hwk_tpm_devid_template(&d, out);
    }
    return 0;
}
