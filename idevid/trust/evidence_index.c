/* SPDX-License-Identifier: Apache-2.0 */
/* Statements on the two indices: what was attested, and what follows. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/sha.h>

#include "trust/evidence_priv.h"

static uint64_t big_endian(struct idv_bytes b)
{
    uint64_t v = 0;
    for (size_t i = 0; i < b.n; i++)
        v = v << 8 | b.p[i];
    return v;
}

/* --- the nonce --- */

idv_rc idvi_evidence_fresh(struct idvi_proof *p,
                           struct idv_evidence_statement *s)
{
    struct idv_bytes nonce = idv_view(&p->e->nonce);
    if (!idv_bytes_eq(p->anchor.extra, nonce))
        return idvi_evidence_refuse(p, IDV_EVIDENCE_OTHER_NONCE,
                                    "the anchor was attested for another "
                                    "nonce");
    if (!idv_bytes_eq(p->counter.extra, nonce))
        return idvi_evidence_refuse(p, IDV_EVIDENCE_OTHER_NONCE,
                                    "the counter was attested for another "
                                    "nonce");
    if (p->policy->nonce.n == 0) {
        s->standing = IDV_EVIDENCE_NOT_ASKED;
        idvi_evidence_say(s, "it may be old: no nonce of yours was given");
        return IDV_OK;
    }
    if (!idv_bytes_eq(p->policy->nonce, nonce))
        return idvi_evidence_refuse(p, IDV_EVIDENCE_OTHER_NONCE,
                                    "it was made for another nonce than "
                                    "yours");
    idvi_evidence_say(s, "both attestations were made for your nonce");
    return IDV_OK;
}

/* --- which indices --- */

static idv_rc check_name(struct idvi_proof *p, const char *what,
                         const struct hwk_nv *nv, struct idv_bytes attested,
                         uint8_t out[static 34])
{
    if (attested.n != 34 || nv->name_n != attested.n ||
        memcmp(nv->name, attested.p, attested.n) != 0)
        return idvi_evidence_refuse(
            p, IDV_EVIDENCE_OTHER_INDEX,
            "the %s's attestation is of another index than the one described",
            what);
    memcpy(out, attested.p, attested.n);
    return IDV_OK;
}

idv_rc idvi_evidence_names(struct idvi_proof *p,
                           struct idv_evidence_statement *s)
{
    IDV_TRY(check_name(p, "anchor", &p->anchor_nv, p->anchor.index,
                       p->report.anchor_name));
    IDV_TRY(check_name(p, "counter", &p->counter_nv, p->counter.index,
                       p->report.counter_name));
    idvi_evidence_say(s, "the Names that were attested are those of the two "
                         "indices as described");
    return IDV_OK;
}

static idv_rc check_place(struct idvi_proof *p, const char *what, uint32_t is,
                          uint32_t asked, uint32_t usual)
{
    uint32_t want = asked ? asked : usual;
    if (is != want)
        return idvi_evidence_refuse(p, IDV_EVIDENCE_OTHER_PLACE,
                                    "the %s is at 0x%08x, not 0x%08x", what, is,
                                    want);
    return IDV_OK;
}

idv_rc idvi_evidence_places(struct idvi_proof *p,
                            struct idv_evidence_statement *s)
{
    IDV_TRY(check_place(p, "anchor", p->anchor_nv.index,
                        p->policy->anchor_index, p->profile->anchor));
    IDV_TRY(check_place(p, "counter", p->counter_nv.index,
                        p->policy->counter_index, p->profile->counter));
    idvi_evidence_say(s, "they are at 0x%08x and 0x%08x, where they belong",
                      p->anchor_nv.index, p->counter_nv.index);
    return IDV_OK;
}

/* --- what they hold --- */

static idv_rc check_contents(struct idvi_proof *p, const char *what,
                             const struct idvi_attest *a, size_t n)
{
    if (a->offset != 0 || a->contents.n != n)
        return idvi_evidence_refuse(
            p, IDV_EVIDENCE_CUT,
            "%zu bytes of the %s were attested, from %u on, not %zu from 0",
            a->contents.n, what, a->offset, n);
    return IDV_OK;
}

idv_rc idvi_evidence_whole(struct idvi_proof *p,
                           struct idv_evidence_statement *s)
{
    IDV_TRY(check_contents(p, "anchor", &p->anchor, IDV_RECORD_SIZE));
    IDV_TRY(check_contents(p, "counter", &p->counter, 8));
    p->report.counter = big_endian(p->counter.contents);
    idvi_evidence_say(s, "the whole record and the whole counter were "
                         "attested");
    return IDV_OK;
}

static idv_rc check_index(struct idvi_proof *p, const char *what,
                          const struct hwk_nv *nv, size_t size,
                          uint32_t attributes)
{
    if (nv->attributes != attributes)
        return idvi_evidence_refuse(
            p, IDV_EVIDENCE_UNLOCKED,
            "the %s has the attributes 0x%08x, not 0x%08x", what,
            nv->attributes, attributes);
    if (nv->size != size)
        return idvi_evidence_refuse(p, IDV_EVIDENCE_UNLOCKED,
                                    "the %s has %u bytes, not %zu", what,
                                    nv->size, size);
    return IDV_OK;
}

idv_rc idvi_evidence_locked(struct idvi_proof *p,
                            struct idv_evidence_statement *s)
{
    IDV_TRY(check_index(p, "anchor", &p->anchor_nv, IDV_RECORD_SIZE,
                        p->profile->anchor_attributes));
    IDV_TRY(check_index(p, "counter", &p->counter_nv, 8,
                        p->profile->counter_attributes));
    idvi_evidence_say(s,
                      "their attributes are exactly those of a sealed anchor "
                      "of the profile '%s'",
                      p->profile->name);
    return IDV_OK;
}

idv_rc idvi_evidence_record(struct idvi_proof *p,
                            struct idv_evidence_statement *s)
{
    idv_note_clear();
    idv_rc rc = idv_record_from_bytes(p->anchor.contents, &p->report.record);
    if (rc == IDV_E_FORMAT) {
        char why[IDV_EVIDENCE_TEXT];
        snprintf(why, sizeof(why), "%s", idv_note());
        idv_note_clear();
        return idvi_evidence_refuse(p, IDV_EVIDENCE_BAD_RECORD, "%s", why);
    }
    idvi_evidence_say(s, "the anchor holds a seal record of generation %llu",
                      (unsigned long long)p->report.record.generation);
    return rc;
}

/* --- the fuse, and the time --- */

idv_rc idvi_evidence_fused(struct idvi_proof *p,
                           struct idv_evidence_statement *s)
{
    uint64_t g = p->report.record.generation;
    unsigned long long at = p->report.counter, of = g;
    if (p->report.counter > g && p->report.counter - g > 1)
        return idvi_evidence_refuse(p, IDV_EVIDENCE_RESET,
                                    "reset since: the counter is at %llu, the "
                                    "anchor of generation %llu is dead",
                                    at, of);
    if (p->report.counter <= g)
        return idvi_evidence_refuse(p, IDV_EVIDENCE_NOT_FUSED,
                                    "not fused: the counter is at %llu, the "
                                    "generation is %llu",
                                    at, of);
    idvi_evidence_say(s,
                      "the counter is at %llu: generation %llu is the last one "
                      "and can never be written again",
                      at, of);
    return IDV_OK;
}

idv_rc idvi_evidence_boot(struct idvi_proof *p,
                          struct idv_evidence_statement *s)
{
    const struct idvi_attest *a = &p->anchor, *c = &p->counter;
    struct idv_evidence_report *r = &p->report;
    if (a->resets != c->resets || a->restarts != c->restarts)
        return idvi_evidence_refuse(p, IDV_EVIDENCE_TWO_BOOTS,
                                    "the TPM was restarted between the two "
                                    "attestations");
    if (c->clock < a->clock)
        return idvi_evidence_refuse(p, IDV_EVIDENCE_TWO_BOOTS,
                                    "the TPM's clock goes back between the two "
                                    "attestations");
    if (a->firmware != c->firmware)
        return idvi_evidence_refuse(p, IDV_EVIDENCE_TWO_BOOTS,
                                    "the two attestations are of two "
                                    "firmwares");
    r->clock = c->clock;
    r->resets = c->resets;
    r->restarts = c->restarts;
    r->firmware = c->firmware;
    r->safe = a->safe && c->safe;
    idvi_evidence_say(s,
                      "both were attested in one run of the TPM (its clock "
                      "is %s)",
                      r->safe ? "safe" : "not safe: it may have been greater");
    return IDV_OK;
}

/* --- what is pinned --- */

static bool hash_is(struct idv_bytes data, const uint8_t want[static 32])
{
    uint8_t got[32];
    SHA256(data.p, data.n, got);
    return memcmp(got, want, sizeof(got)) == 0;
}

/* A record of a key is also true to a certificate of that key. */
static bool pin_is(const struct idv_record *r, struct idv_bytes pin)
{
    const uint8_t *p = pin.p;
    if (hash_is(pin, r->pin_sha256))
        return r->pin_length == 0 || r->pin_length == pin.n;
    if (!(r->flags & IDV_RECORD_KEY))
        return false;
    IDV_AUTO_PTR(X509) cert = NULL;
    uint8_t *spki = NULL;
    if (pin.n <= IDV_MAX_CERT)
        cert = d2i_X509(NULL, &p, (long)pin.n);
    int n = cert ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki) : 0;
    bool is = n > 0 && hash_is(idv_bytes(spki, (size_t)n), r->pin_sha256);
    OPENSSL_free(spki);
    ERR_clear_error();
    return is;
}

idv_rc idvi_evidence_pin(struct idvi_proof *p, struct idv_evidence_statement *s)
{
    const struct idv_record *r = &p->report.record;
    const uint8_t *hash = p->policy->pin_sha256;
    const char *kind = r->flags & IDV_RECORD_KEY ? "key" : "certificate";
    if (!hash && p->policy->pin.n == 0) {
        s->standing = IDV_EVIDENCE_NOT_ASKED;
        idvi_evidence_say(s, "whose %s is pinned was not asked", kind);
        return IDV_OK;
    }
    if ((hash && memcmp(hash, r->pin_sha256, 32) != 0) ||
        (p->policy->pin.n && !pin_is(r, p->policy->pin)))
        return idvi_evidence_refuse(p, IDV_EVIDENCE_OTHER_PIN,
                                    "another %s is pinned than the one "
                                    "expected",
                                    kind);
    idvi_evidence_say(s, "the %s that was expected is pinned", kind);
    return IDV_OK;
}
