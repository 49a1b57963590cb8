/* SPDX-License-Identifier: Apache-2.0 */
/* Endorsement keys: their certificates, and the vendors' roots. */
#ifndef IDEVID_EK_H
#define IDEVID_EK_H

#include <idevid/factory.h>
#include <idevid/x509.h>

/* What an EK certificate says of its TPM (TCG EK Credential Profile). */
struct idv_ek_info {
    char maker[16], model[64], version[32]; /* "id:49465800", ...; "" absent */
    char aki[129], serial[129];             /* hex */
    uint8_t sha256[32];                     /* of the certificate */
    size_t padding; /* bytes found behind the certificate */
};
/* Reads one certificate out of what NV holds: bytes behind it (zeros, ff, or
 * others, counted) are no part of it. IDV_E_FORMAT. */
idv_rc idv_ek_cert_from_nv(struct idv_bytes raw, X509 **out,
                           struct idv_ek_info *info) IDV_CHECKED;
idv_rc idv_ek_cert_info(const X509 *cert, struct idv_ek_info *out) IDV_CHECKED;

/* Chains to the vendors' roots: critical SANs are tolerated, purposes are EK
 * certificate or absent, time judged when check_time. IDV_E_REJECT names the
 * issuer that is missing: "EK certificate is signed by no known vendor root:
 * issuer CN=...; ask for ...". */
struct idv_roots;
idv_rc idv_ek_cert_verify(X509 *cert, const STACK_OF(X509) * intermediates,
                          const struct idv_roots *roots, bool check_time,
                          int64_t now) IDV_CHECKED;
/* The certificate is for that key: SubjectPublicKeyInfo of TPMT_PUBLIC. */
idv_rc idv_ek_cert_is_for(const X509 *cert,
                          struct idv_bytes tpmt_public) IDV_CHECKED;
/* hwSerialNum of an IDevID by TCG: "<maker code hex>:<AKI hex>:<serial hex>",
 * or, without a certificate (NULL), hex SHA-256 of the EK's public key;
 * permanentIdentifier: hex SHA-256 of the certificate. */
idv_rc idv_ek_hw_serial(const X509 *cert, struct idv_bytes tpmt_public,
                        char out[static 256]) IDV_CHECKED;

/*
 * Where a vendor keeps the certificate of a TPM that has none in NV: template
 * with {sha256} (hex, of the SubjectPublicKeyInfo), {sha256-hex16} (its first
 * 16 bytes), {intel} and {amd} (those vendors' own hashes of the key, as their
 * URLs have them). IDV_E_ARG: an unknown word in braces, a brace not closed.
 */
#define IDV_EK_URL_INTEL "https://ekop.intel.com/ekcertservice/{intel}"
#define IDV_EK_URL_AMD "https://ftpm.amd.com/pki/aia/{amd}"
idv_rc idv_ek_url(const char *template_, struct idv_bytes tpmt_public,
                  struct idv_buf *out) IDV_CHECKED;
/* The certificate in what a vendor's server or a file has: DER, with or without
 * bytes behind it, PEM, or Intel's JSON {"certificate":base64}. IDV_E_FORMAT.
 */
idv_rc idv_ek_cert_from_reply(struct idv_bytes body, X509 **out) IDV_CHECKED;
/* TPMT_PUBLIC of the EK of a TPM (appended): of an NV index of certificates,
 * its template beside it, or of a type ("P-256", ...; cert_index 0) by TCG's
 * low range. Nothing is kept in the TPM. IDV_E_DEVICE. */
struct idv_device;
idv_rc idv_ek_read(struct idv_device *dev, uint32_t cert_index,
                   const char *type, struct idv_buf *tpmt_public) IDV_CHECKED;

/*
 * A bundle of vendor roots and intermediates: JSON with the certificates, each
 * with its source, and a manifest (version, hash over all) signed by the maker.
 * IDV_E_REJECT: not signed under anchors, altered, or of a version lower than
 * min_version, the one that was used before.
 */
idv_rc idv_roots_open(struct idv_bytes bundle, const STACK_OF(X509) * anchors,
                      uint64_t min_version, struct idv_roots **out) IDV_CHECKED;
/* Certificates of files, for lines without a bundle: not signed, version 0. */
idv_rc idv_roots_from_certs(const STACK_OF(X509) * certs,
                            struct idv_roots **out) IDV_CHECKED;
void idv_roots_free(struct idv_roots *r);
uint64_t idv_roots_version(const struct idv_roots *r);
size_t idv_roots_count(const struct idv_roots *r);
const STACK_OF(X509) * idv_roots_anchors(const struct idv_roots *r);
const STACK_OF(X509) * idv_roots_intermediates(const struct idv_roots *r);
/* vendor names a source for each certificate; self-issued ones are roots */
idv_rc idv_roots_make(uint64_t version, const STACK_OF(X509) * certs,
                      const char *const *vendors, EVP_PKEY *key, X509 *cert,
                      const struct idv_env *env,
                      struct idv_buf *out) IDV_CHECKED;

#endif
