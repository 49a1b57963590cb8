/* SPDX-License-Identifier: Apache-2.0 */
/* Digests: their names, sizes and how they are written into signatures. */
#ifndef HWK_MD_H
#define HWK_MD_H

#include <stddef.h>
#include <stdint.h>

enum hwk_md {
    HWK_MD_NONE = 0,
    HWK_MD_SHA1,
    HWK_MD_SHA224,
    HWK_MD_SHA256,
    HWK_MD_SHA384,
    HWK_MD_SHA512,
    HWK_MD_SHA512_224,
    HWK_MD_SHA512_256,
    HWK_MD_SHA3_224,
    HWK_MD_SHA3_256,
    HWK_MD_SHA3_384,
    HWK_MD_SHA3_512,
    HWK_MD_MD5_SHA1, /* TLS 1.1 with RSA: 36 bytes, no DigestInfo */
    HWK_MD_COUNT
};

#define HWK_MD_DEFAULT "SHA256" /* as the default provider has it */

/* Digests by OpenSSL name or any of its aliases (NONE when unknown), their
 * names ("SHA2-256"), sizes, libcrypto's numbers of the digest and of ECDSA and
 * RSA PKCS#1 signatures with it (NID_undef: there is no such thing), and DER
 * DigestInfo prefixes (n 0 when there is none). */
enum hwk_md hwk_md_by_name(const char *name);
const char *hwk_md_name(enum hwk_md md);
size_t hwk_md_size(enum hwk_md md);
int hwk_md_nid(enum hwk_md md);
int hwk_md_nid_ecdsa(enum hwk_md md);
int hwk_md_nid_rsa(enum hwk_md md);
const uint8_t *hwk_md_prefix(enum hwk_md md, size_t *n);

#endif
