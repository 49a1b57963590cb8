/* SPDX-License-Identifier: Apache-2.0 */
/* Mechanisms of signatures: their numbers, and what CKA_ALLOWED_MECHANISMS
 * leaves a key. */
#include <string.h>

#include "provider/device/p11.h"

/* Cryptoki 3.0, unknown to the headers of 2.40 */
#define SHA3_256 0x2b0UL
#define SHA3_224 0x2b5UL
#define SHA3_384 0x2c0UL
#define SHA3_512 0x2d0UL
#define MGF1_SHA3_224 6UL
#define MGF1_SHA3_256 7UL
#define MGF1_SHA3_384 8UL
#define MGF1_SHA3_512 9UL

/* of a digest: the mechanism that hashes, the generator of masks, and the
 * mechanisms that hash and sign; 0: there is none */
static const struct {
    CK_MECHANISM_TYPE hash;
    CK_ULONG mgf;
    CK_MECHANISM_TYPE pkcs1, pss, ecdsa;
} hashes[HWK_MD_COUNT] = {
    [HWK_MD_SHA1] = {CKM_SHA_1, CKG_MGF1_SHA1, CKM_SHA1_RSA_PKCS,
                     CKM_SHA1_RSA_PKCS_PSS, CKM_ECDSA_SHA1},
    [HWK_MD_SHA224] = {CKM_SHA224, CKG_MGF1_SHA224, CKM_SHA224_RSA_PKCS,
                       CKM_SHA224_RSA_PKCS_PSS, CKM_ECDSA_SHA224},
    [HWK_MD_SHA256] = {CKM_SHA256, CKG_MGF1_SHA256, CKM_SHA256_RSA_PKCS,
                       CKM_SHA256_RSA_PKCS_PSS, CKM_ECDSA_SHA256},
    [HWK_MD_SHA384] = {CKM_SHA384, CKG_MGF1_SHA384, CKM_SHA384_RSA_PKCS,
                       CKM_SHA384_RSA_PKCS_PSS, CKM_ECDSA_SHA384},
    [HWK_MD_SHA512] = {CKM_SHA512, CKG_MGF1_SHA512, CKM_SHA512_RSA_PKCS,
                       CKM_SHA512_RSA_PKCS_PSS, CKM_ECDSA_SHA512},
    [HWK_MD_SHA3_224] = {SHA3_224, MGF1_SHA3_224, 0x66, 0x67, 0x1047},
    [HWK_MD_SHA3_256] = {SHA3_256, MGF1_SHA3_256, 0x60, 0x63, 0x1048},
    [HWK_MD_SHA3_384] = {SHA3_384, MGF1_SHA3_384, 0x61, 0x64, 0x1049},
    [HWK_MD_SHA3_512] = {SHA3_512, MGF1_SHA3_512, 0x62, 0x65, 0x104a},
};

int p11_pss_params(enum hwk_md md, enum hwk_md mgf1,
                   CK_RSA_PKCS_PSS_PARAMS *out)
{
    if (hashes[md].hash == 0 || hashes[mgf1].mgf == 0)
        return hwk_raise(HWK_R_UNSUPPORTED, "PSS with %s: not in PKCS#11",
                         hwk_md_name(hashes[md].hash == 0 ? md : mgf1));
    out->hashAlg = hashes[md].hash;
    out->mgf = hashes[mgf1].mgf;
    return 1;
}

CK_MECHANISM_TYPE p11_hashing(const struct hwk_mech *mech)
{
    switch (mech->pad) {
    case HWK_PAD_PKCS1:
        return hashes[mech->md].pkcs1;
    case HWK_PAD_PSS:
        return hashes[mech->md].pss;
    default:
        return mech->type == HWK_KEY_EC ? hashes[mech->md].ecdsa : 0;
    }
}

/* --- CKA_ALLOWED_MECHANISMS --- */

static void allow_hashing(struct hwk_limits *l, CK_MECHANISM_TYPE type)
{
    int md;

    for (md = 1; md < HWK_MD_COUNT; md++) {
        if (type == hashes[md].pkcs1)
            l->hashing[HWK_PAD_PKCS1] |= 1u << md;
        else if (type == hashes[md].pss)
            l->hashing[HWK_PAD_PSS] |= 1u << md;
        else if (type == hashes[md].ecdsa)
            l->hashing[HWK_PAD_NONE] |= 1u << md;
    }
}

void p11_limits(const CK_MECHANISM_TYPE *list, size_t n, struct hwk_limits *out)
{
    size_t i;

    memset(out, 0, sizeof(*out));
    out->limited = n > 0;
    for (i = 0; i < n; i++) {
        switch (list[i]) {
        case CKM_RSA_PKCS:
            out->plain[HWK_PAD_PKCS1] = true;
            break;
        case CKM_RSA_PKCS_PSS:
            out->plain[HWK_PAD_PSS] = true;
            break;
        case CKM_RSA_PKCS_OAEP:
            out->plain[HWK_PAD_OAEP] = true;
            break;
        case CKM_RSA_X_509:
        case CKM_ECDSA:
        case CKM_EDDSA:
            out->plain[HWK_PAD_NONE] = true;
            break;
        case CKM_ECDH1_DERIVE:
            out->derive = true;
            break;
        default:
            if (list[i] != 0)
                allow_hashing(out, list[i]);
        }
    }
}

/* PSS and nothing else; with one mechanism that hashes, its digest alone */
bool p11_limited_to_pss(const struct hwk_limits *l, struct hwk_pss *out)
{
    unsigned mds = l->hashing[HWK_PAD_PSS];
    int md;

    if (!l->limited || l->plain[HWK_PAD_NONE] || l->plain[HWK_PAD_PKCS1] ||
        l->plain[HWK_PAD_OAEP] || l->hashing[HWK_PAD_PKCS1] != 0 ||
        (!l->plain[HWK_PAD_PSS] && mds == 0))
        return false;
    memset(out, 0, sizeof(*out));
    out->only = true;
    for (md = 1; md < HWK_MD_COUNT; md++) {
        if (mds == 1u << md) {
            out->md = out->mgf1 = (enum hwk_md)md;
            out->min_salt = (int)hwk_md_size(out->md);
        }
    }
    return true;
}
