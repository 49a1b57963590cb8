/* SPDX-License-Identifier: Apache-2.0 */
/* One TLS connection of a client machine, never a second one. */
#ifndef IDEVID_NET_HTTP_CLIENT_H
#define IDEVID_NET_HTTP_CLIENT_H

#include <idevid/drive.h>

struct idvi_client;

/*
 * Called once the handshake is done and before anything is sent. IDV_OK: the
 * request is sent with the body put into *body. Otherwise the connection is
 * closed and idvi_client_first returns that value.
 */
typedef idv_rc idvi_connected(void *arg, struct idv_peer *peer,
                              struct idv_buf *body);

/* Takes the first message out of *to; key and chain stay borrowed. */
idv_rc idvi_client_new(struct idv_connect *to,
                       const struct idv_drive_conf *conf,
                       struct idvi_client **out) IDV_CHECKED;
void idvi_client_free(struct idvi_client *c); /* closes; NULL is fine */

/*
 * Connects and makes the first exchange, its body chunked because its length
 * is not known before the handshake; a server that answers 411 or 501 gets
 * the same bytes with a Content-Length on the same connection.
 * Errors carry "registrar host:port: what"; IDV_E_STATE: stopped.
 */
idv_rc idvi_client_first(struct idvi_client *c, idvi_connected *connected,
                         void *arg, struct idv_msg *reply) IDV_CHECKED;
/* A further exchange; IDV_E_NET once the connection is gone. */
idv_rc idvi_client_exchange(struct idvi_client *c, const struct idv_msg *req,
                            struct idv_msg *reply) IDV_CHECKED;

#endif
