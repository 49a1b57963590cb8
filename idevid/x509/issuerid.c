/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-issuer and domainID: who issued a device, whose a domain is. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/sha.h>

#include "x509/x509.h"

/* SEQUENCE { [0] SHA-1 of the key bits }, as rule 2 wants it */
static idv_rc synthesise(const X509 *cert, struct idv_buf *out)
{
    uint8_t value[4 + SHA_DIGEST_LENGTH] = {0x30, 2 + SHA_DIGEST_LENGTH, 0x80,
                                            SHA_DIGEST_LENGTH};
    if (X509_pubkey_digest(cert, EVP_sha1(), value + 4, NULL) != 1)
        return idv_fail(IDV_E_CRYPTO, "IDevID: digest of its key");
    return idv_buf_put(out, idv_bytes(value, sizeof(value)));
}

static AUTHORITY_KEYID *parse_aki(struct idv_bytes der)
{
    const uint8_t *p = der.p;
    AUTHORITY_KEYID *aki =
        der.n ? d2i_AUTHORITY_KEYID(NULL, &p, (long)der.n) : NULL;
    ERR_clear_error();
    if (aki && (size_t)(p - der.p) == der.n)
        return aki;
    AUTHORITY_KEYID_free(aki);
    return NULL;
}

/* the SEQUENCE, from the extension or made up */
static idv_rc issuer_value(const X509 *cert, struct idv_buf *out)
{
    int i = X509_get_ext_by_NID(cert, NID_authority_key_identifier, -1);
    if (i < 0)
        return synthesise(cert, out);
    const ASN1_OCTET_STRING *data =
        X509_EXTENSION_get_data(X509_get_ext(cert, i));
    struct idv_bytes der = idv_bytes(ASN1_STRING_get0_data(data),
                                     (size_t)ASN1_STRING_length(data));
    IDV_AUTO_PTR(AUTHORITY_KEYID) aki = parse_aki(der);
    if (!aki)
        return idv_fail(IDV_E_FORMAT,
                        "IDevID: malformed authorityKeyIdentifier");
    return idv_buf_put(out, der);
}

idv_rc idv_idevid_issuer(const X509 *idevid, bool sequence_only,
                         struct idv_buf *out)
{
    IDV_AUTO(buf) value = {0};
    IDV_TRY(issuer_value(idevid, &value));
    if (sequence_only)
        return idv_buf_put(out, idv_view(&value));
    IDV_AUTO_PTR(ASN1_OCTET_STRING) octets = ASN1_OCTET_STRING_new();
    if (!octets || ASN1_OCTET_STRING_set(octets, value.p, (int)value.n) != 1)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return IDVI_PUT_DER(i2d_ASN1_OCTET_STRING, octets, out);
}

/* what is inside when value is one OCTET STRING, else value itself */
static ASN1_OCTET_STRING *unwrap(struct idv_bytes *value)
{
    const uint8_t *p = value->p;
    ASN1_OCTET_STRING *octets =
        value->n ? d2i_ASN1_OCTET_STRING(NULL, &p, (long)value->n) : NULL;
    ERR_clear_error();
    if (octets && (size_t)(p - value->p) == value->n) {
        *value = idv_bytes(ASN1_STRING_get0_data(octets),
                           (size_t)ASN1_STRING_length(octets));
        return octets;
    }
    ASN1_OCTET_STRING_free(octets);
    return NULL;
}

idv_rc idv_idevid_issuer_keyid(struct idv_bytes value, struct idv_buf *out)
{
    IDV_AUTO_PTR(ASN1_OCTET_STRING) outer = unwrap(&value);
    IDV_AUTO_PTR(AUTHORITY_KEYID) aki = parse_aki(value);
    if (aki && aki->keyid && ASN1_STRING_length(aki->keyid) > 0)
        return idv_buf_put(out,
                           idv_bytes(ASN1_STRING_get0_data(aki->keyid),
                                     (size_t)ASN1_STRING_length(aki->keyid)));
    if (!aki && value.n == SHA_DIGEST_LENGTH)
        return idv_buf_put(out, value);
    return idv_fail(IDV_E_FORMAT, "idevid-issuer: no key identifier in it");
}

bool idv_idevid_issuer_matches(const X509 *idevid, struct idv_bytes value)
{
    IDV_AUTO(buf) own = {0};
    IDV_AUTO(buf) own_id = {0};
    IDV_AUTO(buf) id = {0};
    IDV_AUTO_PTR(ASN1_OCTET_STRING) outer = NULL;
    if (issuer_value(idevid, &own) != IDV_OK)
        return false;
    if (idv_idevid_issuer_keyid(idv_view(&own), &own_id) == IDV_OK &&
        idv_idevid_issuer_keyid(value, &id) == IDV_OK)
        return idv_bytes_eq(idv_view(&own_id), idv_view(&id));
    /* neither has a key identifier: issuer and serial must be the same */
    outer = unwrap(&value);
    return idv_bytes_eq(idv_view(&own), value);
}

static idv_rc read_ski(const X509 *cert, bool *found, struct idv_buf *out)
{
    int how;
    IDV_AUTO_PTR(ASN1_OCTET_STRING)
    ski = X509_get_ext_d2i(cert, NID_subject_key_identifier, &how, NULL);
    ERR_clear_error();
    *found = ski != NULL;
    if (!ski && how == -1)
        return IDV_OK;
    if (!ski || ASN1_STRING_length(ski) == 0)
        return idv_fail(IDV_E_FORMAT,
                        "certificate: malformed subjectKeyIdentifier");
    return idv_buf_put(out, idv_bytes(ASN1_STRING_get0_data(ski),
                                      (size_t)ASN1_STRING_length(ski)));
}

idv_rc idv_domain_id(const X509 *cert, struct idv_buf *out)
{
    IDV_AUTO(buf) spki = {0};
    uint8_t hash[SHA256_DIGEST_LENGTH];
    bool found;
    IDV_TRY(read_ski(cert, &found, out));
    if (found)
        return IDV_OK;
    IDV_TRY(IDVI_PUT_DER(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(cert), &spki));
    IDV_TRY(idv_sha256(idv_bytes(spki.p, spki.n), hash));
    return idv_buf_put(out, idv_bytes(hash, sizeof(hash)));
}

idv_rc idv_domain_id_check(struct idv_bytes text)
{
    IDV_AUTO(buf) raw = {0};
    if (idv_base64_to_bytes(text, IDV_BASE64_STRICT, &raw) == IDV_OK &&
        raw.n >= SHA_DIGEST_LENGTH && raw.n <= SHA512_DIGEST_LENGTH)
        return IDV_OK;
    idv_note_clear();
    return idv_fail(IDV_E_FORMAT, "'%.*s' is no domainID (base64)",
                    text.n > 100 ? 100 : (int)text.n, (const char *)text.p);
}

static bool begins(struct idv_bytes key, const EVP_MD *md, struct idv_bytes id)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    return EVP_Digest(key.p, key.n, hash, &n, md, NULL) == 1 &&
           id.n >= SHA_DIGEST_LENGTH && id.n <= n &&
           memcmp(hash, id.p, id.n) == 0;
}

/* the ways of RFC 5280 4.2.1.2 (1) and of RFC 7093 section 2 */
static bool is_hash_of_key(struct idv_bytes id, const X509 *cert)
{
    const EVP_MD *ways[] = {EVP_sha1(), EVP_sha256(), EVP_sha384(),
                            EVP_sha512()};
    IDV_AUTO(buf) spki = {0};
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(cert);
    if (!bits || IDVI_PUT_DER(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(cert),
                              &spki) != IDV_OK)
        return false;
    struct idv_bytes key = idv_bytes(bits->data, (size_t)bits->length);
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        if (begins(key, ways[i], id) || begins(idv_view(&spki), ways[i], id))
            return true;
    }
    return false;
}

bool idv_domain_id_is_proven(const X509 *cert)
{
    IDV_AUTO(buf) ski = {0};
    bool found = false;
    bool good = read_ski(cert, &found, &ski) == IDV_OK &&
                (!found || is_hash_of_key(idv_view(&ski), cert));
    idv_note_clear();
    return good;
}

idv_rc idvi_key_id(const X509 *cert, struct idv_buf *out)
{
    uint8_t hash[SHA_DIGEST_LENGTH];
    bool found;
    IDV_TRY(read_ski(cert, &found, out));
    if (found)
        return IDV_OK;
    if (X509_pubkey_digest(cert, EVP_sha1(), hash, NULL) != 1)
        return idv_fail(IDV_E_CRYPTO, "certificate: digest of its key");
    return idv_buf_put(out, idv_bytes(hash, sizeof(hash)));
}
