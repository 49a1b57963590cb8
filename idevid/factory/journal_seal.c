/* SPDX-License-Identifier: Apache-2.0 */
/* A batch: what was added is read once more and signed. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/envelope.h>

#include "factory/journal_int.h"

idv_rc idvi_batch_text(const struct idv_journal_batch *b, struct idv_buf *out)
{
    IDV_TRY(idv_buf_puts(out, "{\"hash\":\""));
    IDV_TRY(idv_hex_from_bytes(idv_bytes(b->hash, 32), out));
    return idv_buf_putf(out, "\",\"seq\":%llu,\"time\":%lld}",
                        (unsigned long long)b->seq, (long long)b->time);
}

idv_rc idvi_journal_link(const struct idv_journal_entry *e, uint64_t seq,
                         uint8_t previous[static 32])
{
    uint8_t hash[32];
    if (e->seq != seq)
        return idv_fail(IDV_E_REJECT, "entry %llu is missing",
                        (unsigned long long)seq);
    if (memcmp(e->previous, previous, 32) != 0)
        return idv_fail(IDV_E_REJECT,
                        "entry %llu does not follow the one before it",
                        (unsigned long long)seq);
    IDV_TRY(idv_journal_hash(e, hash));
    if (memcmp(e->hash, hash, 32) != 0)
        return idv_fail(IDV_E_REJECT, "entry %llu was changed",
                        (unsigned long long)seq);
    memcpy(previous, hash, 32);
    return IDV_OK;
}

/* --- what is to be signed ------------------------------------------------- */

struct look {
    uint64_t seq;
    uint8_t hash[32];
    idv_rc rc;
};

static bool next_entry(void *arg, const struct idv_journal_entry *e)
{
    struct look *l = arg;
    l->rc = idvi_journal_link(e, l->seq + 1, l->hash);
    if (l->rc != IDV_OK)
        return false;
    l->seq++;
    return true;
}

static idv_rc read_new(const struct idv_factory_store *s,
                       struct idv_journal_batch *last, struct look *l)
{
    bool found = false;
    IDV_TRY(s->batch_last(s->self, &found, last));
    l->seq = last->seq;
    memcpy(l->hash, last->hash, 32);
    IDV_TRY(s->each_entry(s->self, l->seq + 1, next_entry, l));
    return l->rc == IDV_OK ? IDV_OK
                           : idv_fail_within(l->rc, "journal: not sealed");
}

static idv_rc read_in_view(const struct idv_factory_store *s,
                           struct idv_journal_batch *last, struct look *l)
{
    IDV_TRY(s->view(s->self, true));
    idv_rc rc = read_new(s, last, l);
    idv_rc closed = s->view(s->self, false);
    return rc != IDV_OK ? rc : closed;
}

/* --- signing -------------------------------------------------------------- */

static idv_rc sign(struct idv_journal_batch *b, EVP_PKEY *key, X509 *cert)
{
    IDV_AUTO(buf) text = {0};
    struct idv_signer signer = {
        .key = key, .cert = cert, .signing_time = b->time, .id_data = true};
    IDV_TRY(idvi_batch_text(b, &text));
    return idv_envelope_seal(IDV_MEDIA_VOUCHER_CMS, idv_view(&text), &signer,
                             &b->cms);
}

static idv_rc add(const struct idv_factory_store *s,
                  const struct idv_journal_batch *b)
{
    idv_rc rc = s->batch_add(s->self, b);
    if (rc != IDV_E_STATE)
        return rc;
    idv_note_clear(); /* another process was first */
    return IDV_OK;
}

idv_rc idv_journal_seal(const struct idv_factory_store *store, EVP_PKEY *key,
                        X509 *cert, const struct idv_env *env)
{
    struct idv_journal_batch last = {0};
    struct look l = {0};
    idv_rc rc = read_in_view(store, &last, &l);
    idv_buf_free(&last.cms);
    if (rc != IDV_OK || l.seq == last.seq)
        return rc;
    struct idv_journal_batch b = {.seq = l.seq, .time = idv_now(env)};
    memcpy(b.hash, l.hash, 32);
    rc = sign(&b, key, cert);
    if (rc == IDV_OK)
        rc = add(store, &b);
    idv_buf_free(&b.cms);
    return rc;
}
