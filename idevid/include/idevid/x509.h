/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, requests, chains, and what 802.1AR and BRSKI put in them. */
#ifndef IDEVID_X509_H
#define IDEVID_X509_H

#include <openssl/x509.h>

#include <idevid/buf.h>
#include <idevid/codec.h>
#include <idevid/env.h>
#include <idevid/limits.h>
#include <idevid/machine.h>

/* id-kp-cmcRA and other purposes, id-pe-masa-url, id-on-hardwareModuleName, TCG
 * hwType */
#define IDV_OID_CMC_RA "1.3.6.1.5.5.7.3.28"
#define IDV_OID_SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define IDV_OID_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
#define IDV_OID_OCSP_SIGNING "1.3.6.1.5.5.7.3.9"
#define IDV_OID_MASA_URL "1.3.6.1.5.5.7.1.32"
#define IDV_OID_HW_MODULE_NAME "1.3.6.1.5.5.7.8.4"
#define IDV_OID_TPM20 "2.23.133.1.2"
/* id-on-permanentIdentifier; of TCG: the SHA-256 of an EK certificate as that,
 * a key that attests, what an issuer saw proved of a key in a TPM */
#define IDV_OID_PERMANENT_ID "1.3.6.1.5.5.7.8.3"
#define IDV_OID_EK_SHA256 "2.23.133.12.1"
#define IDV_OID_AIK "2.23.133.8.3"
#define IDV_OID_TPM_RESIDENCY "2.23.133.11.1.1"
#define IDV_OID_TPM_FIXED "2.23.133.11.1.2"
#define IDV_OID_TPM_RESTRICTED "2.23.133.11.1.3"

/* --- certificates as bytes ------------------------------------------------ */

/* Exactly one DER certificate, nothing behind it (IDV_E_FORMAT), at most
 * IDV_MAX_CERT (IDV_E_LIMIT). */
idv_rc idv_cert_from_der(struct idv_bytes der, X509 **out) IDV_CHECKED;
/* The same, but the key in it is not looked at (X509_get0_pubkey has none),
 * which is a tenth of the work: for very many of which only the names count. */
idv_rc idv_cert_glance(struct idv_bytes der, X509 **out) IDV_CHECKED;
/* The same for who only looks at it: of these very bytes it may be one that was
 * made before and that others hold as well, which costs a thousandth. Up to 64
 * of up to 4 KiB are remembered in a process, those that are asked for again
 * longest: what strangers send once displaces at most 16 of what strangers sent
 * once. From any thread. */
idv_rc idv_cert_shared(struct idv_bytes der, X509 **out) IDV_CHECKED;
/* Certificates that came in another way, and that nobody changes: each gives
 * way to the remembered one of the same bytes, or is remembered. */
void idv_certs_share(STACK_OF(X509) * certs);
idv_rc idv_cert_to_der(const X509 *cert, struct idv_buf *out) IDV_CHECKED;
/* One or more PEM certificates in order, or one DER; at most IDV_MAX_CHAIN. */
idv_rc idv_certs_from_pem(struct idv_bytes text,
                          STACK_OF(X509) * *out) IDV_CHECKED;
idv_rc idv_certs_to_pem(const STACK_OF(X509) * certs,
                        struct idv_buf *out) IDV_CHECKED;
bool idv_cert_eq(const X509 *a, const X509 *b);               /* same DER */
bool idv_cert_same_key(const X509 *a, const X509 *b);         /* same SPKI */
bool idv_cert_has_key(const X509 *cert, const EVP_PKEY *key); /* keyless, too */
/* "CN=..., O=..." for people, cut at 255 bytes; in one of four rotating
 * per-thread buffers, never NULL */
const char *idv_cert_subject(const X509 *cert);
idv_rc idv_sha256(struct idv_bytes in, uint8_t out[static 32]) IDV_CHECKED;
idv_rc idv_cert_sha256(const X509 *cert, uint8_t out[static 32]) IDV_CHECKED;
/* Of the leaf that the other end showed, kept there; none is IDV_E_ARG. Who
 * only claims one is somebody else. Not for two threads at once. */
idv_rc idv_peer_sha256(struct idv_peer *peer,
                       uint8_t out[static 32]) IDV_CHECKED;
idv_rc idv_cert_times(const X509 *cert, int64_t *not_before,
                      int64_t *not_after) IDV_CHECKED;
/* Has the extended key usage (dotted OID)? No EKU extension: absent. */
bool idv_cert_has_eku(const X509 *cert, const char *oid);
bool idv_cert_is_ca(const X509 *cert);
/* up-refs; NULL: out of memory */
STACK_OF(X509) * idv_certs_dup(const STACK_OF(X509) * certs);

/* certs-only PKCS#7 (RFC 5652 degenerate SignedData), DER, as EST carries. */
idv_rc idv_certbag_to_der(const STACK_OF(X509) * certs,
                          struct idv_buf *out) IDV_CHECKED;
/* The same of certificates that are DER already, one behind the other; they are
 * not looked at. */
idv_rc idv_certbag_wrap(struct idv_bytes certs,
                        struct idv_buf *out) IDV_CHECKED;
idv_rc idv_certbag_from_der(struct idv_bytes der,
                            STACK_OF(X509) * *out) IDV_CHECKED;

/* --- what an IDevID says -------------------------------------------------- */

struct idv_devid {
    char serial_number[IDV_MAX_SERIAL + 1]; /* X520SerialNumber; "" absent */
    char hw_type[64];                       /* dotted OID; "" absent */
    uint8_t hw_serial[IDV_MAX_HW_SERIAL];
    size_t hw_serial_n;
    bool has_masa_url;
    struct idv_url masa_url;
};
/*
 * IDV_E_REJECT: no serialNumber, or more than one, or longer than
 * IDV_MAX_SERIAL, or with control characters. IDV_E_FORMAT: a MASA URL or
 * hardwareModuleName that is there and malformed (named). The serial is copied
 * unchanged, whatever the string type.
 */
idv_rc idv_devid_from_cert(const X509 *cert, struct idv_devid *out) IDV_CHECKED;
/* The same for makers that put the serial number elsewhere: that of the subject
 * is not looked at, and "" in out. */
idv_rc idv_devid_without_serial(const X509 *cert,
                                struct idv_devid *out) IDV_CHECKED;

/*
 * idevid-issuer (RFC 8366 section 5.3): the AKI extension's value
 * as OCTET STRING TLV, or synthesised from SHA-1 of the certificate's own key.
 * sequence_only leaves out the outer 04 TLV for makers that want that.
 */
idv_rc idv_idevid_issuer(const X509 *idevid, bool sequence_only,
                         struct idv_buf *out) IDV_CHECKED;
/* Does an idevid-issuer value in any of its three forms name this cert's
 * issuer key? */
bool idv_idevid_issuer_matches(const X509 *idevid, struct idv_bytes value);
/* keyIdentifier (20 bytes as a rule) inside any of the three forms. */
idv_rc idv_idevid_issuer_keyid(struct idv_bytes value,
                               struct idv_buf *out) IDV_CHECKED;

/* domainID (RFC 8995 5.8.2): SKI value, else SHA-256 of the SPKI; raw. */
idv_rc idv_domain_id(const X509 *cert, struct idv_buf *out) IDV_CHECKED;
/* Is it a hash of the key? A subjectKeyIdentifier may be any bytes, so that a
 * domainID alone says nothing about who holds the key. */
bool idv_domain_id_is_proven(const X509 *cert);
/* IDV_E_FORMAT, with a note that names it: text is no base64 of 20 to 64 bytes,
 * which a hash of a key has. */
idv_rc idv_domain_id_check(struct idv_bytes text) IDV_CHECKED;

/* --- chains --------------------------------------------------------------- */

struct idv_chain_policy {
    const STACK_OF(X509) * anchors; /* trust anchors; empty refuses all */
    const STACK_OF(X509) * extra;   /* untrusted, to build the path; NULL ok */
    bool partial;    /* an anchor need not be self-signed (a pin) */
    bool check_time; /* false: no clock, validity periods are not judged */
    int64_t now;     /* judged at, when check_time */
    bool ignore_leaf_expiry; /* the leaf's notAfter only */
    const char *eku; /* required of the leaf, dotted OID; NULL none. Purpose
                        checks of libcrypto are off: EKUs are ours to judge */
};
/* A signature-verified path from leaf to an anchor, or IDV_E_REJECT with the
 * certificate and the reason named. Signatures with SHA-1 and RSA keys below
 * 2048 bits are refused too, paths of more than IDV_MAX_CHAIN as well. */
idv_rc idv_chain_verify(X509 *leaf,
                        const struct idv_chain_policy *policy) IDV_CHECKED;
/* As idv_chain_verify; *path is what was found, leaf first, anchor last. */
idv_rc idv_chain_path(X509 *leaf, const struct idv_chain_policy *policy,
                      STACK_OF(X509) * *path) IDV_CHECKED;

/* Whether there may be one, by the names of issuers: no proof, but cheap.
 * false: idv_chain_verify would refuse. */
bool idv_chain_may_lead(const X509 *leaf,
                        const struct idv_chain_policy *policy);

/*
 * An OCSP response, DER, about cert, which issuer issued: IDV_OK means good.
 * It is signed by issuer, or by whom issuer directly gave a certificate with
 * id-kp-OCSPSigning; with check_time it is of its time, and without nextUpdate
 * at most a day old. Pure: nothing is fetched, and the delegate's own
 * revocation is not looked at. IDV_E_REJECT names the fault; *revoked is true
 * only if cert is said to be, by one who may say it, at whatever time.
 * IDV_E_LIMIT: over IDV_MAX_STAPLE.
 */
idv_rc idv_ocsp_check(struct idv_bytes response, X509 *cert, X509 *issuer,
                      bool check_time, int64_t now, bool *revoked) IDV_CHECKED;

/* --- making --------------------------------------------------------------- */

enum idv_cert_kind {
    IDV_CERT_ROOT,      /* self-issued CA, pathlen unlimited */
    IDV_CERT_CA,        /* issuing CA, pathlen 0 */
    IDV_CERT_IDEVID,    /* serialNumber, hardwareModuleName, MASA URL */
    IDV_CERT_REGISTRAR, /* cmcRA + serverAuth + clientAuth, SKI */
    IDV_CERT_SIGNER,    /* MASA voucher signer: digitalSignature, SKI */
    IDV_CERT_SERVER,    /* TLS server with DNS or IP names */
    IDV_CERT_LDEVID,    /* end entity: digitalSignature, clientAuth */
    IDV_CERT_IAK,       /* serialNumber, a TPM's attestation key */
};

#define IDV_NO_EXPIRY 253402300799 /* 99991231235959Z, RFC 5280 4.1.2.5 */

/* What to put into a certificate; strings borrowed, NULL leaves out. */
struct idv_cert_spec {
    enum idv_cert_kind kind;
    const X509_NAME *subject; /* whole subject, or NULL and: */
    const char *common_name;
    const char *organization, *organizational_unit;
    const char *country;         /* two letters */
    const char *serial_number;   /* X520SerialNumber, at most 64 */
    const char *const *names;    /* SAN: DNS names and IP literals, NULL end */
    const char *hw_type;         /* IDEVID: dotted OID */
    struct idv_bytes hw_serial;  /* IDEVID: at most IDV_MAX_HW_SERIAL bytes */
    const char *permanent_id;    /* IDEVID, IAK: SHA-256 of the EK's certificate
                                    in hex, assigned by TCG's OID for it */
    const char *masa_url;        /* IDEVID: as given, IA5String */
    bool usage;                  /* IDEVID: with keyUsage digitalSignature */
    const char *const *policies; /* OIDs of certificatePolicies, NULL end */
    const char *const *purposes; /* EKUs beside the kind's, NULL end */
    const char *crl_url, *aia_url; /* http(s): CRL, the issuer's certificate */
    const STACK_OF(X509_EXTENSION) * extra; /* approved ones, copied as are */
    int64_t not_before, not_after;          /* 0: now of env; 99991231235959Z */
};
/* The digest to sign with: SHA-256, SHA-384 for P-384, SHA-512 for P-521, NULL
 * for keys that bring their own (Ed25519). */
const EVP_MD *idv_digest_for(const EVP_PKEY *key);

/*
 * Signs a certificate for public_key. issuer NULL: self-signed with
 * issuer_key. Serial numbers are 159 random bits, positive. An issuer with a
 * shorter life caps not_after (except IDEVID and IAK, as asked). An extension
 * in extra takes the place of the kind's own of that name; only the public half
 * of public_key is put in. IDV_E_ARG names the field that is out of bounds, or
 * an issuer that is no CA or not issuer_key's; IDV_E_DEVICE: the device would
 * not sign.
 */
idv_rc idv_cert_issue(const struct idv_cert_spec *spec,
                      const EVP_PKEY *public_key, const X509 *issuer,
                      EVP_PKEY *issuer_key, const struct idv_env *env,
                      X509 **out) IDV_CHECKED;
/* The same, appended as DER: for who only sends it, in half the time. */
idv_rc idv_cert_issue_der(const struct idv_cert_spec *spec,
                          const EVP_PKEY *public_key, const X509 *issuer,
                          EVP_PKEY *issuer_key, const struct idv_env *env,
                          struct idv_buf *out) IDV_CHECKED;

/*
 * Where the parts of a certificate are, for who has only its DER, made here or
 * read before: found, not judged. All borrowed from der. IDV_E_FORMAT: they are
 * not there.
 */
struct idv_cert_outline {
    struct idv_bytes subject, spki; /* DER, with tag and length */
    int64_t not_after;
    bool ca; /* basicConstraints say so */
};
idv_rc idv_cert_outline(struct idv_bytes der,
                        struct idv_cert_outline *out) IDV_CHECKED;
/* Whether that is the key; however it is written. */
bool idv_spki_is_of(struct idv_bytes spki, const EVP_PKEY *key);

/*
 * Whether a certificate that somebody else made is what spec (IDEVID or IAK,
 * with a serial_number) asks for: that key, a number of 64 to 160 bits, the
 * subject's serialNumber, exactly the alternative names, MASA URL, policies and
 * purposes, an end entity's whose key may sign, the same end, begun by now. The
 * rest is the issuer's to say. IDV_E_REJECT names what differs; who signed it
 * is for idv_chain_verify.
 */
idv_rc idv_cert_matches(const X509 *cert, const struct idv_cert_spec *spec,
                        const EVP_PKEY *key, int64_t now) IDV_CHECKED;

/*
 * For an issuer that is somebody else: the extensions that spec says, but those
 * that name keys (*out the caller's), and a file with them as openssl x509 and
 * openssl ca read it (-extfile), appended: each by its OID and DER, comments
 * with the subject and the end.
 */
idv_rc idv_cert_extensions(const struct idv_cert_spec *spec,
                           const EVP_PKEY *key,
                           STACK_OF(X509_EXTENSION) * *out) IDV_CHECKED;
idv_rc idv_cert_extfile(const struct idv_cert_spec *spec, const EVP_PKEY *key,
                        struct idv_buf *out) IDV_CHECKED;

/*
 * Where a service reads what strangers send: a library context with the default
 * provider's algorithms, whose keys are read three times as fast, because it
 * has keys of RSA, EC, Ed25519, Ed448 and those that TLS agrees on keys with
 * alone (X25519, X448), and decoders and encoders of SubjectPublicKeyInfo in
 * DER. A certificate with another kind of key has none in it. Keys of other
 * contexts can be used in it. Made once in a process, by the first call (which
 * reads libcrypto's configuration), never freed. NULL, which is libcrypto's
 * own, where it cannot be made, or would not be what is configured: libcrypto
 * is without its default provider, or with fips=yes. From any thread.
 */
OSSL_LIB_CTX *idv_lean_context(void);

/* A PKCS#10 request, DER. subject and extensions may be NULL; challenge is a
 * challengePassword (1 to 255 bytes of text, else IDV_E_ARG) or NULL. */
idv_rc idv_csr_make(EVP_PKEY *key, const X509_NAME *subject,
                    const STACK_OF(X509_EXTENSION) * extensions,
                    const char *challenge, struct idv_buf *out) IDV_CHECKED;
/* Parses exactly one request and verifies its own signature (IDV_E_REJECT). Its
 * key comes beside it: X509_REQ_get0_pubkey() may have none.
 * RSA below 2048 or above 8192 bits, curves below 256 bits or without a name,
 * and other algorithms than RSA, EC, Ed25519, Ed448 are refused (IDV_E_REJECT).
 */
idv_rc idv_csr_from_der(struct idv_bytes der, X509_REQ **out,
                        EVP_PKEY **key) IDV_CHECKED;
/* challengePassword as bytes; *found false when there is none. */
idv_rc idv_csr_challenge(const X509_REQ *req, bool *found,
                         struct idv_buf *out) IDV_CHECKED;

#endif
