/* SPDX-License-Identifier: Apache-2.0 */
/* Approvals signed by the maker, and looked at by the device. */
#include <string.h>

#include <openssl/err.h>

#include <idevid/auto.h>

#include "trust/approval_int.h"
#include "x509/x509.h"

static const char *const words[] = {"write", "fuse", "reset"};

/* what a signature is over, before SHA-256 */
struct approved {
    uint8_t p[IDVI_DIGEST + IDV_APPROVAL_REF_MAX];
    size_t n;
};

static idv_rc approved(enum idv_approval_step step,
                       const struct idv_approval_request *r,
                       const uint8_t record[static IDV_RECORD_SIZE],
                       const struct idv_approval_ref *ref, struct approved *out)
{
    IDV_TRY(idv_approval_policy(step, r, record, out->p));
    memcpy(out->p + IDVI_DIGEST, ref->p, ref->n);
    out->n = IDVI_DIGEST + ref->n;
    return IDV_OK;
}

static struct idv_approval_signature *slot(struct idv_approval *a, int step)
{
    return step == IDV_APPROVE_WRITE  ? &a->write
           : step == IDV_APPROVE_FUSE ? &a->fuse
                                      : &a->reset;
}

static idv_rc sign(EVP_PKEY *key, const struct approved *m,
                   struct idv_approval_signature *out)
{
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    out->n = sizeof(out->p);
    if (!ctx)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    if (EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) !=
            1 ||
        EVP_DigestSign(ctx, out->p, &out->n, m->p, m->n) != 1)
        return idvi_sign_failed(key, "approval");
    return IDV_OK;
}

static idv_rc same_generation(uint64_t a, uint64_t b, const char *what,
                              idv_rc rc)
{
    if (a == b)
        return IDV_OK;
    return idv_fail(rc, "approval: %s of generation %llu, not %llu", what,
                    (unsigned long long)a, (unsigned long long)b);
}

idv_rc idv_approval_sign(const struct idv_approval_request *r,
                         const struct idv_record *record, EVP_PKEY *key,
                         const struct idv_approval_ref *ref,
                         struct idv_approval *out)
{
    struct idv_approval a = {.generation = r->generation};
    struct idv_approval_guard guard;
    uint8_t raw[IDV_RECORD_SIZE];
    IDV_TRY(same_generation(record->generation, r->generation, "a record",
                            IDV_E_ARG));
    IDV_TRY(idv_approval_guard(key, ref, &guard));
    IDV_TRY(idv_approval_check(r, &guard));
    idv_record_to_bytes(record, raw);
    for (int step = IDV_APPROVE_WRITE; step <= IDV_APPROVE_RESET; step++) {
        struct approved m;
        IDV_TRY(approved((enum idv_approval_step)step, r, raw, ref, &m));
        IDV_TRY(sign(key, &m, slot(&a, step)));
    }
    *out = a;
    return IDV_OK;
}

static idv_rc verify(EVP_PKEY *key, const struct approved *m,
                     const struct idv_approval_signature *s, const char *what)
{
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    if (!ctx)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    ERR_set_mark();
    const bool good =
        EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, "?provider=default",
                                key, NULL) == 1 &&
        EVP_DigestVerify(ctx, s->p, s->n, m->p, m->n) == 1;
    ERR_pop_to_mark();
    if (good)
        return IDV_OK;
    return idv_fail(IDV_E_REJECT,
                    "approval: the %s is not signed for this by the maker's "
                    "approval key",
                    what);
}

idv_rc idvi_approval_verify(const struct idv_approval *a,
                            const struct idv_approval_request *r,
                            const struct idv_record *record, EVP_PKEY *key,
                            const struct idv_approval_ref *ref, bool to_write)
{
    struct idv_approval copy = *a;
    uint8_t raw[IDV_RECORD_SIZE];
    IDV_TRY(same_generation(a->generation, r->generation, "signed for one",
                            IDV_E_REJECT));
    IDV_TRY(same_generation(record->generation, r->generation, "a record",
                            IDV_E_REJECT));
    idv_record_to_bytes(record, raw);
    for (int step = to_write ? IDV_APPROVE_WRITE : IDV_APPROVE_FUSE;
         step <= IDV_APPROVE_RESET; step++) {
        struct approved m;
        IDV_TRY(approved((enum idv_approval_step)step, r, raw, ref, &m));
        IDV_TRY(verify(key, &m, slot(&copy, step), words[step]));
    }
    return IDV_OK;
}

idv_rc idv_approval_verify(const struct idv_approval *a,
                           const struct idv_approval_request *r,
                           const struct idv_record *record, EVP_PKEY *key,
                           const struct idv_approval_ref *ref)
{
    return idvi_approval_verify(a, r, record, key, ref, true);
}
