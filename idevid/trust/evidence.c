/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence as bytes: DER, and PEM around it. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include <idevid/evidence.h>
#include <idevid/text.h>

#include "trust/evidence_asn.h"

#define VERSION 1
#define PCRS ((1u << 24) - 1)
#define PARTS 8

/* An OCTET STRING, where it is kept, and its bounds. */
struct part {
    const char *name;
    const struct idv_buf *value;
    ASN1_OCTET_STRING *asn;
    size_t min, max;
};

/* The bounds are those of the TPM's structures: TPMS_NV_PUBLIC with names up to
 * SHA-512, an attestation of 112 bytes, keys and signatures up to RSA 4096. */
static void list_parts(const struct idv_evidence *e, const IDVI_EVIDENCE *a,
                       struct part out[static PARTS])
{
    const struct part parts[PARTS] = {
        {"nonce", &e->nonce, a->nonce, IDV_MIN_NONCE, IDV_MAX_NONCE},
        {"anchor's index", &e->anchor.index, a->anchor->index, 14, 78},
        {"anchor's attestation", &e->anchor.attest, a->anchor->attest, 64, 512},
        {"anchor's signature", &e->anchor.signature, a->anchor->signature, 8,
         512},
        {"counter's index", &e->counter.index, a->counter->index, 14, 78},
        {"counter's attestation", &e->counter.attest, a->counter->attest, 64,
         512},
        {"counter's signature", &e->counter.signature, a->counter->signature, 8,
         512},
        {"signer's public area", &e->signer, a->signer, 24, 640},
    };
    memcpy(out, parts, sizeof(parts));
}

static idv_rc check_profile(idv_rc rc, struct idv_bytes text)
{
    bool fine = text.n > 0 && text.n < sizeof((struct idv_evidence){0}.profile);
    for (size_t i = 0; fine && i < text.n; i++)
        fine = text.p[i] >= 'a' && text.p[i] <= 'z';
    return fine ? IDV_OK : idv_fail(rc, "evidence: profile is no word");
}

static idv_rc check_gate(idv_rc rc, uint64_t pcrs)
{
    if (pcrs == 0 || pcrs & ~(uint64_t)PCRS)
        return idv_fail(rc, "evidence: gate has no PCR, or one above 23");
    return IDV_OK;
}

static idv_rc check_chain(idv_rc rc, const STACK_OF(X509) * chain)
{
    int n = sk_X509_num(chain);
    if (n < 1 || n > IDV_MAX_CHAIN)
        return idv_fail(rc, "evidence: not 1 to %d certificates",
                        IDV_MAX_CHAIN);
    for (int i = 0; i < n; i++) {
        if (i2d_X509(sk_X509_value(chain, i), NULL) > IDV_MAX_CERT)
            return idv_fail(rc, "evidence: a certificate of more than %d bytes",
                            IDV_MAX_CERT);
    }
    return IDV_OK;
}

static idv_rc check_size(idv_rc rc, const struct part *part, size_t n)
{
    if (n < part->min || n > part->max)
        return idv_fail(rc, "evidence: %s of %zu bytes, not %zu to %zu",
                        part->name, n, part->min, part->max);
    return IDV_OK;
}

void idv_evidence_free(struct idv_evidence *e)
{
    struct idv_buf *all[] = {&e->nonce,         &e->anchor.index,
                             &e->anchor.attest, &e->counter.attest,
                             &e->counter.index, &e->anchor.signature,
                             &e->signer,        &e->counter.signature};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        idv_buf_free(all[i]);
    sk_X509_pop_free(e->chain, X509_free);
    memset(e, 0, sizeof(*e));
}

/* --- writing --- */

static idv_rc put_parts(const struct idv_evidence *e, const IDVI_EVIDENCE *a)
{
    struct part parts[PARTS];
    list_parts(e, a, parts);
    for (size_t i = 0; i < PARTS; i++) {
        const struct idv_buf *b = parts[i].value;
        IDV_TRY(check_size(IDV_E_ARG, &parts[i], b->n));
        if (ASN1_OCTET_STRING_set(parts[i].asn, b->p, (int)b->n) != 1)
            return idv_fail(IDV_E_NOMEM, "out of memory");
    }
    return IDV_OK;
}

static idv_rc put_gate(const struct idv_evidence *e, IDVI_EVIDENCE *a)
{
    if (!e->gated)
        return IDV_OK;
    IDV_TRY(check_gate(IDV_E_ARG, e->gate_pcrs));
    a->gate = IDVI_EVGATE_new();
    if (!a->gate || ASN1_INTEGER_set_uint64(a->gate->pcrs, e->gate_pcrs) != 1 ||
        ASN1_OCTET_STRING_set(a->gate->digest, e->gate_digest, 32) != 1)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return IDV_OK;
}

static idv_rc put_chain(const struct idv_evidence *e, IDVI_EVIDENCE *a)
{
    IDV_TRY(check_chain(IDV_E_ARG, e->chain));
    sk_X509_free(a->chain);
    a->chain = idv_certs_dup(e->chain);
    return a->chain ? IDV_OK : idv_fail(IDV_E_NOMEM, "out of memory");
}

static idv_rc to_asn(const struct idv_evidence *e, IDVI_EVIDENCE **out)
{
    IDV_AUTO_PTR(IDVI_EVIDENCE) a = IDVI_EVIDENCE_new();
    size_t n = strnlen(e->profile, sizeof(e->profile));
    IDV_TRY(check_profile(IDV_E_ARG, idv_bytes(e->profile, n)));
    if (!a || ASN1_INTEGER_set_uint64(a->version, VERSION) != 1 ||
        ASN1_STRING_set(a->profile, e->profile, (int)n) != 1)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(put_parts(e, a));
    IDV_TRY(put_gate(e, a));
    IDV_TRY(put_chain(e, a));
    *out = idv_steal(&a);
    return IDV_OK;
}

static idv_rc put_der(const IDVI_EVIDENCE *a, struct idv_buf *out)
{
    int n = i2d_IDVI_EVIDENCE(a, NULL);
    uint8_t *p = NULL;
    if (n <= 0)
        return idv_fail(IDV_E_CRYPTO, "evidence: not encoded");
    IDV_TRY(idv_buf_room(out, (size_t)n, &p));
    out->n += (size_t)i2d_IDVI_EVIDENCE(a, &p);
    return IDV_OK;
}

idv_rc idv_evidence_to_der(const struct idv_evidence *e, struct idv_buf *out)
{
    IDV_AUTO_PTR(IDVI_EVIDENCE) a = NULL;
    IDV_AUTO(buf) der = {.max = IDV_EVIDENCE_MAX};
    IDV_TRY(to_asn(e, &a));
    IDV_TRY(put_der(a, &der));
    return idv_buf_put(out, idv_view(&der));
}

idv_rc idv_evidence_to_pem(const struct idv_evidence *e, struct idv_buf *out)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) text = {0};
    IDV_TRY(idv_evidence_to_der(e, &der));
    IDV_TRY(idv_base64_from_bytes(idv_view(&der), 64, &text));
    return idv_buf_putf(out,
                        "-----BEGIN " IDV_EVIDENCE_PEM "-----\n%s"
                        "-----END " IDV_EVIDENCE_PEM "-----\n",
                        (const char *)text.p);
}

/* --- reading --- */

static idv_rc take_parts(const IDVI_EVIDENCE *a, struct idv_evidence *e)
{
    struct part parts[PARTS];
    list_parts(e, a, parts);
    for (size_t i = 0; i < PARTS; i++) {
        struct idv_bytes v =
            idv_bytes(ASN1_STRING_get0_data(parts[i].asn),
                      (size_t)ASN1_STRING_length(parts[i].asn));
        IDV_TRY(check_size(IDV_E_FORMAT, &parts[i], v.n));
        IDV_TRY(idv_buf_put((struct idv_buf *)(uintptr_t)parts[i].value, v));
    }
    return IDV_OK;
}

static idv_rc take_number(const ASN1_INTEGER *a, uint64_t *out)
{
    int ok = ASN1_INTEGER_get_uint64(out, a);
    ERR_clear_error();
    return ok == 1 ? IDV_OK : idv_fail(IDV_E_FORMAT, "evidence: no number");
}

static idv_rc take_gate(const IDVI_EVIDENCE *a, struct idv_evidence *e)
{
    uint64_t pcrs;
    if (!a->gate)
        return IDV_OK;
    IDV_TRY(take_number(a->gate->pcrs, &pcrs));
    IDV_TRY(check_gate(IDV_E_FORMAT, pcrs));
    if (ASN1_STRING_length(a->gate->digest) != sizeof(e->gate_digest))
        return idv_fail(IDV_E_FORMAT, "evidence: gate's digest is not of 32 "
                                      "bytes");
    memcpy(e->gate_digest, ASN1_STRING_get0_data(a->gate->digest), 32);
    e->gate_pcrs = (uint32_t)pcrs;
    e->gated = true;
    return IDV_OK;
}

static idv_rc from_asn(IDVI_EVIDENCE *a, struct idv_evidence *e)
{
    struct idv_bytes profile =
        idv_bytes(ASN1_STRING_get0_data(a->profile),
                  (size_t)ASN1_STRING_length(a->profile));
    uint64_t version;
    IDV_TRY(take_number(a->version, &version));
    if (version != VERSION)
        return idv_fail(IDV_E_FORMAT, "evidence: version %llu is unknown",
                        (unsigned long long)version);
    IDV_TRY(check_profile(IDV_E_FORMAT, profile));
    memcpy(e->profile, profile.p, profile.n);
    IDV_TRY(take_parts(a, e));
    IDV_TRY(take_gate(a, e));
    IDV_TRY(check_chain(IDV_E_FORMAT, a->chain));
    e->chain = idv_steal(&a->chain);
    return IDV_OK;
}

/* Nothing may differ from what would be written, so that there is one file for
 * one evidence: BER, and bytes behind it, are refused. */
static idv_rc parse_der(struct idv_bytes der, IDVI_EVIDENCE **out)
{
    const uint8_t *p = der.p;
    IDV_AUTO(buf) again = {0};
    IDV_AUTO_PTR(IDVI_EVIDENCE)
    a = der.n ? d2i_IDVI_EVIDENCE(NULL, &p, (long)der.n) : NULL;
    ERR_clear_error();
    if (!a)
        return idv_fail(IDV_E_FORMAT, "evidence: not DER of it, or cut off");
    IDV_TRY(put_der(a, &again));
    if (!idv_bytes_eq(idv_view(&again), der))
        return idv_fail(IDV_E_FORMAT, "evidence: not DER, or bytes after it");
    *out = idv_steal(&a);
    return IDV_OK;
}

static idv_rc from_der(struct idv_bytes der, struct idv_evidence *out)
{
    IDV_AUTO_PTR(IDVI_EVIDENCE) a = NULL;
    struct idv_evidence e = {0};
    if (der.n > IDV_EVIDENCE_MAX)
        return idv_fail(IDV_E_LIMIT, "evidence: more than %d bytes",
                        IDV_EVIDENCE_MAX);
    IDV_TRY(parse_der(der, &a));
    idv_rc rc = from_asn(a, &e);
    if (rc != IDV_OK) {
        idv_evidence_free(&e);
        return rc;
    }
    *out = e;
    return IDV_OK;
}

static bool cut_front(struct idv_bytes *text, const char *what)
{
    size_t n = strlen(what);
    if (text->n < n || memcmp(text->p, what, n) != 0)
        return false;
    *text = idv_bytes(text->p + n, text->n - n);
    return true;
}

static bool cut_back(struct idv_bytes *text, const char *what)
{
    size_t n = strlen(what);
    if (text->n < n || memcmp(text->p + text->n - n, what, n) != 0)
        return false;
    text->n -= n;
    return true;
}

idv_rc idv_evidence_from_bytes(struct idv_bytes file, struct idv_evidence *out)
{
    IDV_AUTO(buf) der = {0};
    struct idv_bytes text = idv_text_trim(file);
    if (file.n > 2 * IDV_EVIDENCE_MAX)
        return idv_fail(IDV_E_LIMIT, "evidence: more than %d bytes",
                        IDV_EVIDENCE_MAX);
    if (!cut_front(&text, "-----BEGIN " IDV_EVIDENCE_PEM "-----"))
        return from_der(file, out);
    if (!cut_back(&text, "-----END " IDV_EVIDENCE_PEM "-----"))
        return idv_fail(IDV_E_FORMAT, "evidence: no end of its PEM");
    IDV_TRY(idv_base64_to_bytes(text, IDV_BASE64_LAX, &der));
    return from_der(idv_view(&der), out);
}
