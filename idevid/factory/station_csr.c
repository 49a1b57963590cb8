/* SPDX-License-Identifier: Apache-2.0 */
/* What a TPM's IDevID asks for: TCG-CSR-IDEVID, and PKCS#10 beside it. */
#include <string.h>

#include <idevid/ek.h>

#include "factory/station_int.h"
#include "factory/tcgcsr.h"
#include "tpm/public.h"
#include "tpm/signature.h"

/* --- TCG-CSR-IDEVID --------------------------------------------------------
 */

static struct idv_bytes public_of(const struct idvi_station_key *k)
{
    return idv_bytes(k->born.pub, k->born.pub_n);
}

/* The IAK says that the IDevID is in its TPM: by TPM2_Certify, or of a key made
 * just now by TPM2_CertifyCreation, which needs nobody's leave. */
static idv_rc attest(struct idv_station *s, const uint8_t nonce[32],
                     struct idv_buf *info, struct idv_buf *sig)
{
    struct idvi_nv_proof p;
    struct idvi_tpm_public by;
    const struct idv_bytes n = idv_bytes(nonce, 32);
    if (s->c.profile == IDV_PROFILE_TCG)
        IDV_TRY(idvi_devid_certify(s->dev, &s->key.born, &s->iak.born, n, &p,
                                   NULL));
    else
        IDV_TRY(idvi_devid_certify_creation(s->dev, &s->key.born, &s->iak.born,
                                            n, &p, NULL));
    IDV_TRY(idvi_tpm_public_from_bytes(public_of(&s->iak), &by));
    IDV_TRY(idv_buf_put(info, idv_bytes(p.attest, p.attest_n)));
    return idvi_tpm_signature_to_bytes(&by, idv_bytes(p.sig, p.sig_n), sig);
}

static idv_rc whole(struct idv_station *s,
                    const struct idvi_tcgcsr_parts *parts, struct idv_buf *out)
{
    IDV_AUTO(buf) contents = {0};
    IDV_AUTO(buf) sig = {0};
    const uint16_t hash = idvi_station_hash(&s->key);
    const uint16_t type =
        s->c.type == IDV_KEY_RSA2048 ? IDVI_TPM_RSA : IDVI_TPM_ECC;
    IDV_TRY(idvi_tcgcsr_contents(parts, hash, NULL, &contents));
    IDV_TRY(idvi_station_sign(s, idv_view(&contents), &sig));
    return idvi_tcgcsr_whole(idv_view(&contents), hash, type, idv_view(&sig),
                             NULL, out);
}

idv_rc idvi_station_tcg_csr(struct idv_station *s, const uint8_t nonce[32],
                            const char *serial, struct idv_buf *out)
{
    IDV_AUTO(buf) ek = {0};
    IDV_AUTO(buf) info = {0};
    IDV_AUTO(buf) sig = {0};
    struct idvi_tcgcsr_parts parts = {.model = idv_str(s->c.model),
                                      .serial = idv_str(serial),
                                      .ca_data = idv_bytes(nonce, 32)};
    IDV_TRY(idvi_station_keys(s, s->c.profile == IDV_PROFILE_LEAN));
    if (s->ek_cert)
        IDV_TRY(idv_cert_to_der(s->ek_cert, &ek));
    parts.ek_cert = idv_view(&ek);
    parts.signing_pub = public_of(&s->key);
    if (idvi_station_has_iak(s)) {
        IDV_TRY(attest(s, nonce, &info, &sig));
        parts.attest_pub = public_of(&s->iak);
        parts.sgn_info = idv_view(&info);
        parts.sgn_signature = idv_view(&sig);
        parts.create_ticket =
            idv_bytes(s->iak.born.ticket, s->iak.born.ticket_n);
    }
    return whole(s, &parts, out);
}

/* --- PKCS#10 ---------------------------------------------------------------
 */

IDV_AUTO_PTR_DEFINE(X509_ALGOR, X509_ALGOR_free)
IDV_AUTO_PTR_DEFINE(ASN1_BIT_STRING, ASN1_BIT_STRING_free)

static idv_rc failed(void)
{
    return idv_fail(IDV_E_CRYPTO, "IDevID: PKCS#10");
}

static int algorithm(const struct idv_station *s)
{
    if (s->c.type == IDV_KEY_RSA2048)
        return NID_sha256WithRSAEncryption;
    return s->c.type == IDV_KEY_P384 ? NID_ecdsa_with_SHA384
                                     : NID_ecdsa_with_SHA256;
}

static idv_rc ask_for(const struct idv_station *s, X509_REQ *req,
                      const char *serial)
{
    STACK_OF(X509_EXTENSION) *all = NULL;
    IDV_TRY(idvi_station_asks(s, serial, s->key.pub, &all));
    const bool taken = X509_REQ_add_extensions(req, all) == 1;
    sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
    return taken ? IDV_OK : failed();
}

static idv_rc fill(const struct idv_station *s, X509_REQ *req,
                   const char *serial)
{
    IDV_AUTO_PTR(X509_NAME) name = X509_NAME_new();
    IDV_AUTO_PTR(X509_ALGOR) alg = X509_ALGOR_new();
    const bool rsa = s->c.type == IDV_KEY_RSA2048;
    if (!name || !alg ||
        X509_NAME_add_entry_by_NID(name, NID_serialNumber, MBSTRING_UTF8,
                                   (const unsigned char *)serial, -1, -1,
                                   0) != 1 ||
        X509_REQ_set_version(req, 0) != 1 ||
        X509_REQ_set_subject_name(req, name) != 1 ||
        X509_REQ_set_pubkey(req, s->key.pub) != 1 ||
        X509_ALGOR_set0(alg, OBJ_nid2obj(algorithm(s)),
                        rsa ? V_ASN1_NULL : V_ASN1_UNDEF, NULL) != 1 ||
        X509_REQ_set1_signature_algo(req, alg) != 1)
        return failed();
    return ask_for(s, req, serial);
}

static idv_rc sign(struct idv_station *s, X509_REQ *req)
{
    IDV_AUTO(buf) sig = {0};
    IDV_AUTO_PTR(ASN1_BIT_STRING) bits = ASN1_BIT_STRING_new();
    unsigned char *tbs = NULL;
    const int n = i2d_re_X509_REQ_tbs(req, &tbs);
    idv_rc rc = n > 0 && bits
                    ? idvi_station_sign(s, idv_bytes(tbs, (size_t)n), &sig)
                    : failed();
    OPENSSL_free(tbs);
    IDV_TRY(rc);
    if (ASN1_BIT_STRING_set(bits, sig.p, (int)sig.n) != 1)
        return failed();
    bits->flags &= ~(ASN1_STRING_FLAG_BITS_LEFT | 7);
    bits->flags |= ASN1_STRING_FLAG_BITS_LEFT;
    X509_REQ_set0_signature(req, idv_steal(&bits));
    return IDV_OK;
}

idv_rc idvi_station_csr(struct idv_station *s, const char *serial,
                        struct idv_buf *out)
{
    IDV_AUTO_PTR(X509_REQ) req = X509_REQ_new();
    unsigned char *der = NULL;
    if (!req)
        return failed();
    IDV_TRY(fill(s, req, serial));
    IDV_TRY(sign(s, req));
    const int n = i2d_X509_REQ(req, &der);
    idv_rc rc = n > 0 ? idv_buf_put(out, idv_bytes(der, (size_t)n)) : failed();
    OPENSSL_free(der);
    return rc;
}
