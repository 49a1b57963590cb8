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
 * Begins to connect and the first exchange, its body chunked because its length
 * is not known before the handshake; a server that answers 411 or 501 gets the
 * same bytes with a Content-Length on the same connection.
 */
idv_rc idvi_client_first(struct idvi_client *c, idvi_connected *connected,
                         void *arg) IDV_CHECKED;
/* Instead of a connection: the addresses of the name, with a reply that is
 * empty; idvi_client_addresses has them then. */
idv_rc idvi_client_lookup(struct idvi_client *c) IDV_CHECKED;
idv_rc idvi_client_addresses(const struct idvi_client *c,
                             struct idv_told *told) IDV_CHECKED;
/* Begins a further exchange; req is taken. */
idv_rc idvi_client_exchange(struct idvi_client *c,
                            struct idv_msg *req) IDV_CHECKED;

#define IDVI_CLIENT_FDS 8
/* What to wait for while an exchange runs: descriptors, and until when at most
 * (ticks; INT64_MAX: none runs). out has IDVI_CLIENT_FDS places. */
size_t idvi_client_fds(const struct idvi_client *c, struct pollfd *out);
int64_t idvi_client_due(const struct idvi_client *c, bool patient);
/*
 * Does what can be done without waiting; fds as poll left them. *done: the
 * exchange ended, with the reply, or with an error that says "registrar
 * host:port: what" (IDV_E_NET once the connection is gone). patient: standing
 * still is no such error.
 */
idv_rc idvi_client_turn(struct idvi_client *c, const struct pollfd *fds,
                        size_t n, bool patient, bool *done,
                        struct idv_msg *reply) IDV_CHECKED;
/* Since when, in ticks, it stands still for too long, or will. */
int64_t idvi_client_stalls(const struct idvi_client *c);
/* For how many ms nothing moved, if that is too long; else 0. And the error
 * that this is. */
int idvi_client_stalled(const struct idvi_client *c);
idv_rc idvi_client_no_progress(const struct idvi_client *c);

#endif
