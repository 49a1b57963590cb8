/* SPDX-License-Identifier: Apache-2.0 */
/* Signed containers: bytes and a key to signed bytes, and back. */
#ifndef IDEVID_ENVELOPE_H
#define IDEVID_ENVELOPE_H

#include <openssl/x509.h>

#include <idevid/buf.h>
#include <idevid/x509.h>

/* Formats, one row of a table each; COSE comes as a further row. */
#define IDV_MEDIA_VOUCHER_CMS "application/voucher-cms+json"
#define IDV_MEDIA_VOUCHER_JWS "application/voucher-jws+json"

/* How a payload inside the container is encoded. */
enum idv_encoding { IDV_ENC_JSON, IDV_ENC_CBOR };

/* True when media (parameters after ';' and case ignored) has a row. */
bool idv_envelope_known(const char *media);
idv_rc idv_envelope_encoding(const char *media,
                             enum idv_encoding *out) IDV_CHECKED;
/* The media type of a form's short name, "cms" or "jws"; NULL: there is none.
 */
const char *idv_envelope_media(const char *form);
/* Appends every media type, first in front, as an Accept header has them. */
idv_rc idv_envelope_accept(const char *first, struct idv_buf *out) IDV_CHECKED;
/* Guesses the media type of a file's bytes; NULL if none fits. */
const char *idv_envelope_guess(struct idv_bytes sealed);

struct idv_signer {
    EVP_PKEY *key;
    X509 *cert;
    const STACK_OF(X509) * chain; /* put in beside cert; NULL for none */
    int64_t signing_time;         /* CMS; 0 leaves the attribute out */
    bool id_data; /* CMS: eContentType id-data (version 1) as the published
                     samples have it, for makers that ask for it */
};
/* Is it of a type and size that signs this form? */
bool idv_envelope_can_seal(const char *media, const EVP_PKEY *key);
/* Appends the container. One private-key operation. IDV_E_ARG: unknown media,
 * no key or certificate, a key that cannot sign (RSA below 2048 bits, curves
 * below 256), an empty payload; IDV_E_DEVICE: the device would not sign;
 * IDV_E_CRYPTO: key and certificate do not belong together; IDV_E_LIMIT: over
 * IDV_MAX_BODY. */
idv_rc idv_envelope_seal(const char *media, struct idv_bytes payload,
                         const struct idv_signer *signer,
                         struct idv_buf *out) IDV_CHECKED;

/* An opened container. Nothing in it is verified until idv_envelope_verify*
 * said so. */
struct idv_opened {
    const char *media;
    struct idv_buf payload;
    STACK_OF(X509) * certs; /* all that were in it, signer's among them */
    X509 *signer;           /* borrowed from certs, or NULL if not inside */
    int64_t signing_time;   /* 0 if absent */
    void *native;           /* the format's own object */
};
/*
 * Parses at most IDV_MAX_BODY bytes. IDV_E_FORMAT: not the format, trailing
 * bytes, no content (detached), no signer; IDV_E_REJECT: more than one signer,
 * and what is below; IDV_E_LIMIT: too long, more than IDV_MAX_CHAIN
 * certificates; IDV_E_ARG: unknown media.
 *
 * CMS: DER or BER, any version. IDV_E_REJECT: a digest other than SHA-256,
 * -384, -512 or a signature algorithm that does not go with it, no signed
 * attributes and a content type that is not id-data, a signed content type
 * that is not the content's, one that is neither id-ct-animaJSONVoucher nor
 * id-data.
 *
 * JWS: the general JSON serialization alone. IDV_E_FORMAT: the compact or the
 * flattened one, a member twice, base64url that is padded or otherwise not in
 * its one form, r and s not of full length; IDV_E_REJECT: an alg other than
 * ES256, ES384, ES512, RS256, PS256, a typ other than voucher-jws+json, any
 * crit, a header that is not signed.
 */
idv_rc idv_envelope_open(const char *media, struct idv_bytes sealed,
                         struct idv_opened *out) IDV_CHECKED;
void idv_opened_free(struct idv_opened *o); /* zeroed is fine */

/* The signature is by this key (say, that of the TLS client certificate);
 * certificates inside are not looked at. */
idv_rc idv_envelope_verify_key(const struct idv_opened *o,
                               const EVP_PKEY *key) IDV_CHECKED;
/* The signature is by a certificate inside (or in policy->extra) that chains
 * to policy->anchors; policy->extra is extended by the certificates inside.
 * Without anchors it refuses. The same as the two below, one after the other.
 */
idv_rc idv_envelope_verify(const struct idv_opened *o,
                           const struct idv_chain_policy *policy) IDV_CHECKED;
/* The signature is by the certificate that the container names as signer,
 * found inside or in extra (NULL ok): it proves nothing about who that is. */
idv_rc idv_envelope_verify_signature(const struct idv_opened *o,
                                     const STACK_OF(X509) * extra) IDV_CHECKED;
/* That certificate chains to policy->anchors: nothing about the signature. */
idv_rc
idv_envelope_verify_chain(const struct idv_opened *o,
                          const struct idv_chain_policy *policy) IDV_CHECKED;

static inline void idv_auto_opened(struct idv_opened *o)
{
    idv_opened_free(o);
}

#endif
