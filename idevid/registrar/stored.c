/* SPDX-License-Identifier: Apache-2.0 */
/* Vouchers had ahead, and devices that were imprinted where we were not
 * (RFC 8995 sections 5.6 and 7.3, R-R-32, R-R-38). */
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "idevid/registrar/registrar_call.h"

void idv_stored_voucher_free(struct idv_stored_voucher *v)
{
    idv_buf_free(&v->rvr);
    idv_buf_free(&v->voucher);
    memset(v, 0, sizeof(*v));
}

static void auto_stored(struct idv_stored_voucher *v)
{
    idv_stored_voucher_free(v);
}
#define AUTO_STORED __attribute__((cleanup(auto_stored)))

/* The request that it was had by comes along: the MASA knows that one, gives
 * the log for it, and has it there without a nonce. */
static void take(struct idv_session *s, struct idv_stored_voucher *v)
{
    idv_buf_free(&s->rvr);
    idv_buf_free(&s->voucher);
    idv_buf_move(&s->rvr, &v->rvr);
    idv_buf_move(&s->voucher, &v->voucher);
    memcpy(s->media, v->media, sizeof(s->media));
    s->nonce[0] = 0;
    s->not_before = 0;
}

idv_rc idvi_reg_use_stored(struct idvi_reg_call *c, bool *done)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    AUTO_STORED struct idv_stored_voucher v = {0};
    bool found = false;
    *done = false;
    if (c->maker->stored == IDV_STORED_NEVER ||
        c->session.state != IDV_SESSION_PVR_OK)
        return IDV_OK;
    IDV_TRY(store->stored_get(store->self, c->maker->name, c->id.serial_number,
                              c->session.media, c->now, &found, &v));
    if (!found)
        return IDV_OK;
    take(&c->session, &v);
    IDV_TRY(idvi_reg_session_move(c, IDV_SESSION_VOUCHER_SENT));
    *done = c->session.voucher.n > 0;
    if (*done)
        idvi_reg_reduced(c, "stored-vouchers");
    return IDV_OK;
}

/* --- imprinted elsewhere -------------------------------------------------- */

/* There was no request to make the session's key of; the device is one. */
static idv_rc key_of(const struct idvi_reg_call *c, uint8_t out[static 32])
{
    static const char what[] = "imprinted elsewhere";
    uint8_t text[sizeof(what) + 32];
    memcpy(text, what, sizeof(what));
    memcpy(text + sizeof(what), c->leaf_sha256, 32);
    return idv_sha256(idv_bytes(text, sizeof(text)), out);
}

static idv_rc begin(struct idvi_reg_call *c, enum idv_session_state state)
{
    struct idv_session *s = &c->session;
    IDV_TRY(key_of(c, s->pvr_sha256));
    memcpy(s->idevid_sha256, c->leaf_sha256, sizeof(s->idevid_sha256));
    s->state = state;
    s->created = s->changed = c->now;
    snprintf(s->maker, sizeof(s->maker), "%s", c->maker->name);
    snprintf(s->serial_number, sizeof(s->serial_number), "%s",
             c->id.serial_number);
    snprintf(s->address, sizeof(s->address), "%s", c->call->peer->address);
    return IDV_OK;
}

/* Kept, or what another worker kept meanwhile. */
static idv_rc keep(struct idvi_reg_call *c)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    bool fresh = false, found = false;
    uint8_t key[32];
    memcpy(key, c->session.pvr_sha256, sizeof(key));
    memcpy(c->pvr_sha256, key, sizeof(key));
    IDV_TRY(store->session_add(store->self, &c->session, &fresh));
    if (fresh)
        return IDV_OK;
    idv_session_free(&c->session);
    IDV_TRY(store->session_get(store->self, key, &found, &c->session));
    return found ? IDV_OK : idv_fail(IDV_E_STATE, "registrar: session is gone");
}

/* A person's word: there is no request of ours, hence no log to ask for. */
static idv_rc adopt_approved(struct idvi_reg_call *c, bool *done)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    IDV_TRY(store->imprinted(store->self, c->maker->name, c->id.serial_number,
                             done));
    if (!*done)
        return IDV_OK;
    idv_session_free(&c->session);
    IDV_TRY(begin(c, IDV_SESSION_LOG_OK));
    snprintf(c->session.reason, sizeof(c->session.reason),
             "imprinted elsewhere, as approved");
    idvi_reg_reduced(c, "imprinted-elsewhere");
    return keep(c);
}

/* The voucher that we had for it is the one that it was given by hand. */
static idv_rc adopt_stored(struct idvi_reg_call *c, bool *done)
{
    const struct idv_registrar_store *store = c->reg->conf.store;
    AUTO_STORED struct idv_stored_voucher v = {0};
    if (c->maker->stored == IDV_STORED_NEVER)
        return IDV_OK;
    IDV_TRY(store->stored_get(store->self, c->maker->name, c->id.serial_number,
                              "", 0, done, &v));
    if (!*done)
        return IDV_OK;
    idv_session_free(&c->session);
    IDV_TRY(begin(c, IDV_SESSION_VOUCHER_SENT));
    take(&c->session, &v);
    idvi_reg_reduced(c, "stored-vouchers");
    return keep(c);
}

idv_rc idvi_reg_adopt(struct idvi_reg_call *c, bool *done)
{
    *done = false;
    IDV_TRY(adopt_approved(c, done));
    return *done ? IDV_OK : adopt_stored(c, done);
}
