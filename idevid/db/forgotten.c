/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions that are too old go; that they were ours is known for ever. */
#include "idevid/db/forgotten.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <idevid/auto.h>
#include <idevid/voucher.h>

#include "idevid/db/rows.h"

#define MOST 500 /* of a transaction */

/* each with its NUL, so that none is the beginning of the next */
static idv_rc digest_of(const char *maker, const char *serial,
                        const char *nonce, uint8_t out[static 32])
{
    IDV_AUTO(buf) text = {0};
    const char *parts[] = {maker, serial, nonce};
    for (size_t i = 0; i < 3; i++)
        IDV_TRY(idv_buf_put(&text, idv_bytes(parts[i], strlen(parts[i]) + 1)));
    return idv_sha256(idv_bytes(text.p, text.n), out);
}

struct gone {
    int64_t id;
    bool asked; /* with a nonce, or nobody could tell */
    uint8_t digest[32];
};

struct forgetting {
    int64_t before;
    unsigned n;
    struct gone at[MOST];
};

static idv_rc read_one(struct idvi_query *q, struct gone *g)
{
    struct idv_session s = {0};
    IDV_TRY(idvi_query_get(q, "itttf", &g->id, s.maker, sizeof(s.maker),
                           s.serial_number, sizeof(s.serial_number), s.nonce,
                           sizeof(s.nonce), &g->asked));
    g->asked = g->asked && s.nonce[0];
    return digest_of(s.maker, s.serial_number, s.nonce, g->digest);
}

static idv_rc look(struct idv_db *db, struct forgetting *f)
{
    IDVI_QUERY(q);
    IDV_TRY(idvi_query(db, &q,
                       "SELECT id, maker, serial_number, nonce,"
                       " length(rvr) > 0 FROM session WHERE changed < $1"
                       " ORDER BY changed, id LIMIT $2",
                       "ii", f->before, (int64_t)MOST));
    for (f->n = 0; f->n < MOST; f->n++) {
        bool row = false;
        IDV_TRY(idvi_query_next(&q, &row));
        if (!row)
            return IDV_OK;
        IDV_TRY(read_one(&q, &f->at[f->n]));
    }
    return IDV_OK;
}

static idv_rc let_go(struct idv_db *db, const struct gone *g)
{
    if (g->asked)
        IDV_TRY(idvi_exec(db, NULL,
                          "INSERT INTO forgotten (digest) VALUES ($1)"
                          " ON CONFLICT (digest) DO NOTHING",
                          "h", g->digest));
    return idvi_exec(db, NULL, "DELETE FROM session WHERE id = $1", "i", g->id);
}

static idv_rc forget(struct idv_db *db, void *arg)
{
    struct forgetting *f = arg;
    IDV_TRY(look(db, f));
    for (unsigned i = 0; i < f->n; i++)
        IDV_TRY(let_go(db, &f->at[i]));
    return IDV_OK;
}

idv_rc idvi_sessions_forget(struct idv_db *db, int64_t before, unsigned *n)
{
    struct forgetting *f = calloc(1, sizeof(*f));
    if (!f)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    f->before = before;
    idv_rc rc = idvi_within(db, forget, f);
    *n = rc == IDV_OK ? f->n : 0;
    free(f);
    return rc;
}

idv_rc idvi_own_forgotten(void *self, const char *maker, const char *serial,
                          const char *nonce, bool *known)
{
    IDVI_QUERY(q);
    uint8_t digest[32];
    IDV_TRY(digest_of(maker, serial, nonce, digest));
    IDV_TRY(idvi_query(self, &q,
                       "SELECT digest FROM forgotten"
                       " WHERE digest = $1",
                       "h", digest));
    return idvi_query_next(&q, known);
}
