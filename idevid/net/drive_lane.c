/* SPDX-License-Identifier: Apache-2.0 */
/* One lane: what its machine asks, done over its own connection. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>

#include "net/drive_int.h"

#define STALL_AGAIN_MS 1000

/* --- telling -------------------------------------------------------------- */

static void note_wishes(struct idvi_lane *l)
{
    struct idvi_drive *d = l->d;
    if (l->ask.alone)
        d->alone = l;
    if (l->ask.stir)
        d->stir = true;
    if (l->ask.kind == IDV_ASK_DONE)
        d->done = l;
}

/* fills l->ask with what the machine wants next; told is used up */
static idv_rc step(struct idvi_lane *l, struct idv_told *told)
{
    struct idvi_drive *d = l->d;
    idv_ask_free(&l->ask);
    idv_note_clear();
    told->at_ms = idv_ticks_ms() + d->skipped;
    idv_rc rc = d->crew->step(d->crew->self, l->number, told, &l->ask);
    idv_told_free(told);
    l->fresh = true;
    l->told_stalled = 0;
    if (rc == IDV_OK)
        note_wishes(l);
    return rc;
}

static struct idv_told new_told(enum idv_told_kind kind)
{
    struct idv_told told = {.kind = kind};
    idv_msg_init(&told.msg);
    return told;
}

idv_rc idvi_lane_tell(struct idvi_lane *l, enum idv_told_kind kind)
{
    struct idv_told told = new_told(kind);
    return step(l, &told);
}

static idv_rc tell_lost(struct idvi_lane *l, idv_rc rc)
{
    struct idv_told told = new_told(IDV_TOLD_LOST);
    told.rc = rc;
    snprintf(told.note, sizeof(told.note), "%s", idv_note());
    idvi_client_free(idv_steal(&l->client));
    idv_log(l->d->conf->env, IDV_LOG_DEBUG, "lost", "reason=%s",
            idv_log_value(told.note));
    return step(l, &told);
}

static idv_rc tell_reply(struct idvi_lane *l, struct idv_msg *reply)
{
    struct idv_told told = new_told(IDV_TOLD_REPLY);
    idv_msg_move(&told.msg, reply);
    return step(l, &told);
}

static idv_rc tell_addresses(struct idvi_lane *l)
{
    struct idv_told told = new_told(IDV_TOLD_ADDRESSES);
    idv_rc rc = idvi_client_addresses(l->client, &told);
    if (rc != IDV_OK)
        return tell_lost(l, rc);
    idvi_client_free(idv_steal(&l->client));
    return step(l, &told);
}

/* Nothing moved, and the machine may go on all the same. */
static idv_rc tell_stalled(struct idvi_lane *l, int stalled_ms)
{
    struct idvi_drive *d = l->d;
    struct idv_told told = new_told(IDV_TOLD_STALLED);
    struct idv_ask ask = {0};
    told.rc = idvi_client_no_progress(l->client);
    snprintf(told.note, sizeof(told.note), "%s", idv_note());
    idv_note_clear();
    told.stalled_ms = stalled_ms;
    told.at_ms = idv_ticks_ms() + d->skipped;
    l->told_stalled = idv_ticks_ms();
    idv_ask_free(&ask);
    idv_rc rc = d->crew->step(d->crew->self, l->number, &told, &ask);
    idv_told_free(&told);
    if (rc != IDV_OK || ask.kind == IDV_ASK_NOTHING) {
        idv_ask_free(&ask);
        return rc;
    }
    idvi_client_free(idv_steal(&l->client));
    idv_ask_free(&l->ask);
    l->ask = ask;
    l->fresh = true;
    note_wishes(l);
    return IDV_OK;
}

/* --- CONNECT -------------------------------------------------------------- */

static bool as_announced(const struct idv_msg *first, const struct idv_msg *m)
{
    return first->verb == m->verb && strcmp(first->path, m->path) == 0 &&
           strcmp(first->media, m->media) == 0 &&
           strcmp(first->accept, m->accept) == 0;
}

static idv_rc connected(void *lane, struct idv_peer *peer, struct idv_buf *body)
{
    struct idvi_lane *l = lane;
    struct idvi_drive *d = l->d;
    struct idv_told told = new_told(IDV_TOLD_CONNECTED);
    told.peer = *peer;
    peer->chain = NULL;
    peer->staple = (struct idv_buf){0};
    d->fatal = step(l, &told);
    if (d->fatal != IDV_OK)
        return d->fatal;
    if (l->ask.kind != IDV_ASK_EXCHANGE) {
        l->other = true;
        return IDV_E_STATE;
    }
    if (!as_announced(&l->first, &l->ask.msg))
        return d->fatal = idv_fail(IDV_E_ARG,
                                   "drive: first exchange is not as announced");
    l->fresh = false;
    idv_buf_move(body, &l->ask.msg.body);
    return IDV_OK;
}

static idv_rc begin_connect(struct idvi_lane *l)
{
    l->first = l->ask.connect.first;
    l->first.body = (struct idv_buf){0};
    l->other = false;
    idvi_client_free(idv_steal(&l->client));
    IDV_TRY(idvi_client_new(&l->ask.connect, l->d->conf, &l->client));
    return idvi_client_first(l->client, connected, l);
}

static idv_rc begin_lookup(struct idvi_lane *l)
{
    idvi_client_free(idv_steal(&l->client));
    IDV_TRY(idvi_client_new(&l->ask.connect, l->d->conf, &l->client));
    return idvi_client_lookup(l->client);
}

/* --- beginning ------------------------------------------------------------ */

static idv_rc begin_exchange(struct idvi_lane *l)
{
    if (l->client)
        return idvi_client_exchange(l->client, &l->ask.msg);
    return idv_fail(IDV_E_NET, "no connection to the registrar");
}

static idv_rc begin_wait(struct idvi_lane *l)
{
    const struct idv_drive_conf *f = l->d->conf;
    const int seconds = l->ask.seconds;
    if (l->ask.close)
        idvi_client_free(idv_steal(&l->client));
    l->until = INT64_MAX;
    if (seconds == IDV_FOREVER)
        return IDV_OK;
    l->until = idv_ticks_ms() + (int64_t)seconds * 1000;
    if (!f->wait)
        return IDV_OK;
    l->d->skipped += (int64_t)seconds * 1000;
    IDV_TRY(f->wait(f->wait_arg, seconds));
    return idvi_lane_tell(l, IDV_TOLD_ELAPSED);
}

idv_rc idvi_lane_begin(struct idvi_lane *l)
{
    idv_rc rc = IDV_OK;
    l->fresh = false;
    switch (l->ask.kind) {
    case IDV_ASK_CONNECT:
        rc = begin_connect(l);
        break;
    case IDV_ASK_EXCHANGE:
        rc = begin_exchange(l);
        break;
    case IDV_ASK_LOOKUP:
        rc = begin_lookup(l);
        break;
    case IDV_ASK_WAIT:
        return begin_wait(l);
    default:
        return idv_fail(IDV_E_STATE, "drive: the machine asks nothing");
    }
    return rc == IDV_OK ? IDV_OK : tell_lost(l, rc);
}

/* --- turning -------------------------------------------------------------- */

bool idvi_lane_works(const struct idvi_lane *l)
{
    return !l->over && l->ask.kind != IDV_ASK_WAIT;
}

/* an exchange ended, or the connection was given up on the way to it */
static idv_rc outcome(struct idvi_lane *l, idv_rc rc, struct idv_msg *reply)
{
    if (l->d->fatal != IDV_OK)
        return l->d->fatal;
    if (l->other) { /* l->ask is already the next one */
        l->other = false;
        idvi_client_free(idv_steal(&l->client));
        idv_note_clear();
        return IDV_OK;
    }
    if (rc != IDV_OK)
        return tell_lost(l, rc);
    return l->ask.kind == IDV_ASK_LOOKUP ? tell_addresses(l)
                                         : tell_reply(l, reply);
}

static idv_rc turn_client(struct idvi_lane *l, const struct pollfd *fds,
                          size_t n)
{
    struct idv_msg reply;
    bool ended = false;
    idv_msg_init(&reply);
    idv_rc rc =
        idvi_client_turn(l->client, fds, n, l->ask.patient, &ended, &reply);
    if (ended) {
        rc = outcome(l, rc, &reply);
        idv_msg_free(&reply);
        return rc;
    }
    const int stalled = l->ask.patient ? idvi_client_stalled(l->client) : 0;
    if (stalled && idv_ticks_ms() >= l->told_stalled + STALL_AGAIN_MS)
        return tell_stalled(l, stalled);
    return rc;
}

idv_rc idvi_lane_turn(struct idvi_lane *l, const struct pollfd *fds, size_t n)
{
    if (l->ask.kind != IDV_ASK_WAIT)
        return turn_client(l, fds, n);
    return idv_ticks_ms() >= l->until ? idvi_lane_tell(l, IDV_TOLD_ELAPSED)
                                      : IDV_OK;
}

/* when a patient machine is to be told that nothing moves */
static int64_t tell_at(const struct idvi_lane *l)
{
    const int64_t stalls = idvi_client_stalls(l->client);
    const int64_t again = l->told_stalled + STALL_AGAIN_MS;
    return again > stalls ? again : stalls;
}

int64_t idvi_lane_due(const struct idvi_lane *l)
{
    if (l->over)
        return INT64_MAX;
    if (l->ask.kind == IDV_ASK_WAIT)
        return l->until;
    const int64_t due = idvi_client_due(l->client, l->ask.patient);
    const int64_t stall = l->ask.patient ? tell_at(l) : INT64_MAX;
    return stall < due ? stall : due;
}

void idvi_lane_end(struct idvi_lane *l)
{
    idvi_client_free(idv_steal(&l->client));
    idv_ask_free(&l->ask);
    l->over = true;
    l->fresh = false;
}
