/* SPDX-License-Identifier: Apache-2.0 */
/* Which connection gives way when there are too many: the one that shows
 * least, the oldest of these. Idle sockets cost nothing, so whoever opens
 * hundreds of them must not keep out who comes to do something. */
#include <sys/socket.h>

#include "net/server_int.h"

#define GRACE_MS 200 /* of those that began: may yet show more */

/* How much a connection shows; those at work never give way. */
enum shown { NOTHING, BEGUN, STRANGER, HALF, CLIENT, AT_WORK };

static bool has_cert(const struct idvi_conn *c)
{
    return SSL_get0_peer_certificate(c->ssl) != NULL;
}

static bool has_sent(const struct idvi_conn *c)
{
    OSSL_HANDSHAKE_STATE s = SSL_get_state(c->ssl);
    return s != TLS_ST_BEFORE && s != TLS_ST_SW_HELLO_REQ;
}

static enum shown shows(const struct idvi_conn *c)
{
    if (!c->ssl || c->shed || c->phase == IDVI_SERVING)
        return AT_WORK;
    if (!SSL_is_init_finished(c->ssl))
        return c->heard || has_sent(c) ? BEGUN : NOTHING;
    if (!has_cert(c))
        return STRANGER;
    return c->phase == IDVI_READING ? HALF : CLIENT;
}

/* what it sent may not have been read yet */
static bool is_silent(struct idvi_conn *c)
{
    char byte;
    c->heard = recv(SSL_get_fd(c->ssl), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
    return !c->heard;
}

static bool fits(const struct idvi_conn *o, const uint64_t *origin,
                 const struct idvi_conn *c, int64_t now)
{
    enum shown s = shows(o);
    return o != c && s != AT_WORK &&
           (s == NOTHING || now - o->began >= GRACE_MS) &&
           (!origin || (o->checked && o->origin == *origin));
}

static struct idvi_conn *least(struct idvi_worker *w, const uint64_t *origin,
                               const struct idvi_conn *c)
{
    struct idvi_conn *o, *found = NULL;
    int64_t now = idv_ticks_ms();
    LIST_FOREACH(o, &w->conns, link) /* the newest first */
    {
        if (fits(o, origin, c, now) && (!found || shows(o) <= shows(found)))
            found = o;
    }
    return found;
}

bool idvi_can_shed(struct idvi_worker *w)
{
    return least(w, NULL, NULL) != NULL;
}

bool idvi_shed(struct idvi_worker *w, const uint64_t *origin,
               const struct idvi_conn *c)
{
    struct idvi_conn *o = least(w, origin, c);
    while (o && shows(o) == NOTHING && !is_silent(o))
        o = least(w, origin, c); /* each is looked at once */
    if (!o)
        return false;
    idv_log(w->conf->env, IDV_LOG_DEBUG, "connection-shed", "peer=%s shows=%d",
            o->peer.address, (int)shows(o));
    o->shed = true;
    shutdown(SSL_get_fd(o->ssl), SHUT_RDWR);
    return true;
}
