/* SPDX-License-Identifier: Apache-2.0 */
/* The table of digests. */
#include <strings.h>

#include <openssl/objects.h>

#include "provider/md.h"

/* DigestInfo before the digest: AlgorithmIdentifier with NULL, RFC 8017 */
#define PREFIX(last, size)                                                     \
    (const uint8_t[]){0x30, 0x11 + (size), 0x30, 0x0d, 0x06,  0x09, 0x60,      \
                      0x86, 0x48,          0x01, 0x65, 0x03,  0x04, 0x02,      \
                      last, 0x05,          0x00, 0x04, (size)},                \
        19
#define PREFIX_SHA1                                                            \
    (const uint8_t[]){0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e,          \
                      0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14},               \
        15

static const struct {
    const char *name;
    size_t size;
    const uint8_t *prefix;
    size_t prefix_len;
    int nid, nid_ecdsa, nid_rsa;
} digests[HWK_MD_COUNT] = {
    [HWK_MD_SHA1] = {"SHA1", 20, PREFIX_SHA1, NID_sha1, NID_ecdsa_with_SHA1,
                     NID_sha1WithRSAEncryption},
    [HWK_MD_SHA224] = {"SHA2-224", 28, PREFIX(4, 28), NID_sha224,
                       NID_ecdsa_with_SHA224, NID_sha224WithRSAEncryption},
    [HWK_MD_SHA256] = {"SHA2-256", 32, PREFIX(1, 32), NID_sha256,
                       NID_ecdsa_with_SHA256, NID_sha256WithRSAEncryption},
    [HWK_MD_SHA384] = {"SHA2-384", 48, PREFIX(2, 48), NID_sha384,
                       NID_ecdsa_with_SHA384, NID_sha384WithRSAEncryption},
    [HWK_MD_SHA512] = {"SHA2-512", 64, PREFIX(3, 64), NID_sha512,
                       NID_ecdsa_with_SHA512, NID_sha512WithRSAEncryption},
    [HWK_MD_SHA512_224] = {"SHA2-512/224", 28, PREFIX(5, 28), NID_sha512_224,
                           NID_undef, NID_sha512_224WithRSAEncryption},
    [HWK_MD_SHA512_256] = {"SHA2-512/256", 32, PREFIX(6, 32), NID_sha512_256,
                           NID_undef, NID_sha512_256WithRSAEncryption},
    [HWK_MD_SHA3_224] = {"SHA3-224", 28, PREFIX(7, 28), NID_sha3_224,
                         NID_ecdsa_with_SHA3_224, NID_RSA_SHA3_224},
    [HWK_MD_SHA3_256] = {"SHA3-256", 32, PREFIX(8, 32), NID_sha3_256,
                         NID_ecdsa_with_SHA3_256, NID_RSA_SHA3_256},
    [HWK_MD_SHA3_384] = {"SHA3-384", 48, PREFIX(9, 48), NID_sha3_384,
                         NID_ecdsa_with_SHA3_384, NID_RSA_SHA3_384},
    [HWK_MD_SHA3_512] = {"SHA3-512", 64, PREFIX(10, 64), NID_sha3_512,
                         NID_ecdsa_with_SHA3_512, NID_RSA_SHA3_512},
    [HWK_MD_MD5_SHA1] = {"MD5-SHA1", 36, NULL, 0, NID_undef, NID_undef,
                         NID_undef},
};

/* Every name but OIDs that libcrypto has for them, the usual ones first: each
 * signature begins with a look here. */
static const struct {
    const char *name;
    enum hwk_md md;
} names[] = {
    {"SHA256", HWK_MD_SHA256},
    {"SHA2-256", HWK_MD_SHA256},
    {"SHA384", HWK_MD_SHA384},
    {"SHA2-384", HWK_MD_SHA384},
    {"SHA512", HWK_MD_SHA512},
    {"SHA2-512", HWK_MD_SHA512},
    {"SHA1", HWK_MD_SHA1},
    {"SHA224", HWK_MD_SHA224},
    {"SHA2-224", HWK_MD_SHA224},
    {"SHA3-224", HWK_MD_SHA3_224},
    {"SHA3-256", HWK_MD_SHA3_256},
    {"SHA3-384", HWK_MD_SHA3_384},
    {"SHA3-512", HWK_MD_SHA3_512},
    {"SHA512-224", HWK_MD_SHA512_224},
    {"SHA2-512/224", HWK_MD_SHA512_224},
    {"SHA512-256", HWK_MD_SHA512_256},
    {"SHA2-512/256", HWK_MD_SHA512_256},
    {"MD5-SHA1", HWK_MD_MD5_SHA1},
    {"SHA-1", HWK_MD_SHA1},
    {"SSL3-SHA1", HWK_MD_SHA1},
    {"SHA-224", HWK_MD_SHA224},
    {"SHA-256", HWK_MD_SHA256},
    {"SHA-384", HWK_MD_SHA384},
    {"SHA-512", HWK_MD_SHA512},
    {"SHA-512/224", HWK_MD_SHA512_224},
    {"SHA-512/256", HWK_MD_SHA512_256},
};

static enum hwk_md by_nid(int nid)
{
    int md;

    for (md = 1; md < HWK_MD_COUNT; md++)
        if (nid != NID_undef && digests[md].nid == nid)
            return (enum hwk_md)md;
    return HWK_MD_NONE;
}

enum hwk_md hwk_md_by_name(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcasecmp(name, names[i].name) == 0)
            return names[i].md;
    return *name >= '0' && *name <= '9' ? by_nid(OBJ_txt2nid(name))
                                        : HWK_MD_NONE;
}

const char *hwk_md_name(enum hwk_md md)
{
    return digests[md].name;
}

size_t hwk_md_size(enum hwk_md md)
{
    return digests[md].size;
}

int hwk_md_nid(enum hwk_md md)
{
    return digests[md].nid;
}

int hwk_md_nid_ecdsa(enum hwk_md md)
{
    return digests[md].nid_ecdsa;
}

int hwk_md_nid_rsa(enum hwk_md md)
{
    return digests[md].nid_rsa;
}

const uint8_t *hwk_md_prefix(enum hwk_md md, size_t *n)
{
    *n = digests[md].prefix_len;
    return digests[md].prefix;
}
