/* SPDX-License-Identifier: Apache-2.0 */
/* The book's words and the hash that chains its entries. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/journal.h>

static const char *const states[] = {
    [IDV_DEVICE_NONE] = "none",           [IDV_DEVICE_SEEN] = "seen",
    [IDV_DEVICE_REQUESTED] = "requested", [IDV_DEVICE_ISSUED] = "issued",
    [IDV_DEVICE_INSTALLED] = "installed", [IDV_DEVICE_DONE] = "done",
    [IDV_DEVICE_RETIRED] = "retired",     [IDV_DEVICE_WIPED] = "wiped",
    [IDV_DEVICE_RELEASED] = "released",
};

const char *idv_factory_state_to_text(enum idv_factory_state s)
{
    size_t i = (size_t)s;
    return i < sizeof(states) / sizeof(*states) ? states[i] : "?";
}

void idv_factory_device_free(struct idv_factory_device *d)
{
    idv_buf_free(&d->cert);
    idv_buf_free(&d->iak_cert);
    idv_buf_free(&d->request);
    idv_buf_free(&d->reply);
    idv_buf_free(&d->escrow);
}

void idv_journal_entry_free(struct idv_journal_entry *e)
{
    idv_buf_free(&e->body);
}

static bool add_u64(EVP_MD_CTX *ctx, uint64_t v)
{
    uint8_t b[8];
    for (int i = 7; i >= 0; i--, v >>= 8)
        b[i] = (uint8_t)v;
    return EVP_DigestUpdate(ctx, b, sizeof(b)) == 1;
}

static bool add_text(EVP_MD_CTX *ctx, const char *text) /* with its NUL */
{
    return EVP_DigestUpdate(ctx, text, strlen(text) + 1) == 1;
}

idv_rc idv_journal_hash(const struct idv_journal_entry *e,
                        uint8_t out[static 32])
{
    uint8_t body[32], hash[32];
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    bool ok =
        ctx &&
        EVP_Digest(e->body.p, e->body.n, body, NULL, EVP_sha256(), NULL) == 1 &&
        EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
        EVP_DigestUpdate(ctx, e->previous, 32) == 1 && add_u64(ctx, e->seq) &&
        add_u64(ctx, (uint64_t)e->time) && add_text(ctx, e->kind) &&
        add_text(ctx, e->serial_number) &&
        EVP_DigestUpdate(ctx, body, 32) == 1 &&
        EVP_DigestFinal_ex(ctx, hash, NULL) == 1;
    if (!ok)
        return idv_fail(IDV_E_CRYPTO, "journal: SHA-256 failed");
    memcpy(out, hash, 32);
    return IDV_OK;
}
