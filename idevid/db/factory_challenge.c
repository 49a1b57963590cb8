/* SPDX-License-Identifier: Apache-2.0 */
/* Challenges of a line's book: a row leads to the entry that has it. */
#include <idevid/codec.h>

#include "idevid/db/factory_store.h"

/* what the entry's body is, to the byte */
static idv_rc body_of(const char *order,
                      const uint8_t challenge[IDV_FACTORY_CHALLENGE],
                      struct idv_buf *out)
{
    IDV_AUTO(buf) hex = {0}, text = {0};
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(
        idv_hex_from_bytes(idv_bytes(challenge, IDV_FACTORY_CHALLENGE), &hex));
    IDV_TRY(idv_json_set(o, "challenge", idv_json_new_text(idv_view(&hex))));
    IDV_TRY(idv_json_set(o, "order", idv_json_new_text(idv_str(order))));
    IDV_TRY(idv_json_dump(o, false, &text));
    return idv_journal_body(idv_view(&text), NULL, out);
}

static idv_rc add(struct idv_db *db, const uint8_t *challenge,
                  struct idv_bytes body, int64_t now)
{
    uint64_t seq = 0;
    IDV_TRY(idvi_entry_add(db, "challenge", "", body, now, &seq));
    return idvi_exec(
        db, NULL, "INSERT INTO challenge (challenge, seq) VALUES ($1, $2)",
        "bi", idv_bytes(challenge, IDV_FACTORY_CHALLENGE), (int64_t)seq);
}

idv_rc
idvi_factory_challenge_add(void *self, const char *order,
                           const uint8_t challenge[IDV_FACTORY_CHALLENGE],
                           int64_t now)
{
    IDV_AUTO(buf) body = {0};
    IDV_TRY(body_of(order, challenge, &body));
    IDV_TRY(idvi_begin(self));
    return idvi_end(self, add(self, challenge, idv_view(&body), now));
}

idv_rc
idvi_factory_challenge_find(void *self, const char *order,
                            const uint8_t challenge[IDV_FACTORY_CHALLENGE],
                            bool *found, int64_t *made)
{
    IDVI_QUERY(q);
    IDV_AUTO(buf) body = {0};
    *found = false;
    IDV_TRY(body_of(order, challenge, &body));
    IDV_TRY(idvi_query(self, &q,
                       "SELECT e.time FROM challenge c"
                       " JOIN entry e ON e.seq = c.seq"
                       " WHERE c.challenge = $1 AND e.kind = 'challenge'"
                       " AND e.body = CAST($2 AS TEXT)",
                       "bb", idv_bytes(challenge, IDV_FACTORY_CHALLENGE),
                       idv_view(&body)));
    IDV_TRY(idvi_query_next(&q, found));
    return *found ? idvi_query_get(&q, "i", made) : IDV_OK;
}
