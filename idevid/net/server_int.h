/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the server half. */
#ifndef IDEVID_NET_SERVER_INT_H
#define IDEVID_NET_SERVER_INT_H

#include <signal.h>
#include <sys/queue.h>

#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <openssl/ssl.h>

#include "net/server.h"

/* --- listen.c: sockets, made before any worker ---------------------------- */

#define IDVI_PLAIN 8

/* of plain HTTP; shared by the slots */
struct idvi_plain {
    int fd[IDVI_PLAIN];
    size_t n;
};
struct idvi_sockets {
    int *fd;      /* [slots][n] */
    size_t n;     /* per slot */
    size_t slots; /* workers */
    int admin;    /* -1: none */
    struct idvi_plain monitor, public, front;
    struct idv_server_bound *bound; /* [n + monitor.n + public.n + front.n] */
};
idv_rc idvi_sockets_open(const struct idv_server_conf *conf, size_t slots,
                         struct idvi_sockets *out) IDV_CHECKED;
/* Closes those made here; removes the unix sockets. */
void idvi_sockets_close(const struct idv_server_conf *conf,
                        struct idvi_sockets *s);

struct idvi_worker;
struct idvi_upstreams;
struct idvi_exchange;
struct idvi_conn;
struct idvi_linger;

/* --- commit.c: what waits until what was done is on the disk -------------- */

struct idvi_held {
    TAILQ_ENTRY(idvi_held) link;
    const struct idv_server_host *host; /* whose commit it waits for */
    bool waits;
    bool stores; /* store is to be called before the commit */
    void (*store)(struct idvi_held *h);
    void (*go)(struct idvi_held *h, idv_rc rc); /* rc: how the commit ended */
};
/* Goes at once where nothing has to be waited for. */
void idvi_hold(struct idvi_worker *w, struct idvi_held *h);
void idvi_unhold(struct idvi_worker *w, struct idvi_held *h); /* never goes */
/* One turn of the loop; false: it is over. */
bool idvi_worker_turn(struct idvi_worker *w, int how);
/* After a turn: commits and lets go, if anything waits. More that is ready is
 * served before, for 5 ms at most. */
bool idvi_commit_turn(struct idvi_worker *w);

/* --- front.c: a reverse proxy in front ------------------------------------ */

#define IDVI_NETS 32
struct idvi_net {
    uint8_t at[16]; /* IPv4 is mapped */
    unsigned bits;
};
struct idvi_nets {
    struct idvi_net net[IDVI_NETS];
    size_t n;
};
/* "unix:/path": the path, else NULL. */
const char *idvi_front_path(const char *where);
idv_rc idvi_front_nets(const struct idv_server_front *f,
                       struct idvi_nets *out) IDV_CHECKED;
/* evhttp's; closes a connection of nobody who is trusted. */
struct bufferevent *idvi_front_accept(struct event_base *base, void *worker);
/* Is it a trusted proxy that asks? address: who it is, for the log. */
bool idvi_front_trusts(struct idvi_worker *w, struct evhttp_request *req,
                       char address[static 64]);
/* Whom the proxy says that req is of; *origin as idvi_board_origin says.
 * IDV_E_FORMAT, IDV_E_LIMIT: it says so in a way that is not ours. */
idv_rc idvi_front_peer(const struct idvi_worker *w, struct evhttp_request *req,
                       struct idv_peer *out, uint64_t *origin) IDV_CHECKED;
/* Does req have a field that only a front may send? Its name, or NULL. */
const char *idvi_front_named(struct evhttp_request *req);

/* --- front_cert.c: a client's certificate in a field of a header ---------- */

/* All of value; appended to chain. IDV_E_FORMAT, IDV_E_LIMIT. */
idv_rc idvi_front_cert(enum idv_front_form form, struct idv_bytes value,
                       STACK_OF(X509) * chain) IDV_CHECKED;
/* of Client-Cert-Chain */
idv_rc idvi_front_chain(struct idv_bytes value,
                        STACK_OF(X509) * chain) IDV_CHECKED;

/* --- worker.c: one event loop --------------------------------------------- */

struct idvi_worker {
    const struct idv_server_conf *conf; /* limits filled in */
    struct idv_server_worker made;
    struct event_base *base;
    SSL_CTX *tls, **host_tls; /* of each of made.hosts */
    struct evhttp *http, *admin, *monitor, *public, *front;
    struct evconnlistener *plain[4 * IDVI_PLAIN]; /* of these but http */
    size_t plains;
    struct idvi_nets proxies;
    unsigned unsent; /* replies on connections of plain HTTP */
    int row;         /* on the board */
    uint32_t id;
    unsigned requests; /* so far: with id, a name for each */
    unsigned busy;     /* those of clients that are not answered */
    struct evconnlistener **listener;
    size_t listeners;
    struct bufferevent *spare; /* the next connection: never without */
    LIST_HEAD(, idvi_conn) conns;
    LIST_HEAD(, idvi_exchange) exchanges;
    TAILQ_HEAD(, idvi_linger) lingering; /* the oldest first */
    TAILQ_HEAD(, idvi_held) held;        /* what waits for the commit */
    int64_t held_since;                  /* ticks, the first of them */
    unsigned held_n;                     /* so many came */
    unsigned live, lingering_n;
    TAILQ_HEAD(, idvi_public) publics; /* the oldest first */
    unsigned publics_n;
    int64_t said_over; /* when an address was said to have too many */
    bool draining, paused;
    bool device_failed; /* and made was not told yet */
    struct event *ev_stop, *ev_term, *ev_drain, *ev_resume, *ev_tick;
    struct idvi_held ticked;
    struct idvi_upstreams *upstreams;
};

/* Serves on the sockets of slot until told to stop. started(arg) is called
 * once everything is made. */
idv_rc idvi_worker_run(const struct idv_server_conf *conf,
                       const struct idvi_sockets *sockets, size_t slot,
                       void (*started)(void *arg), void *arg) IDV_CHECKED;
/* Accept or let wait in the backlog, by the number of connections; where it
 * is full, makes room if some can give way. */
void idvi_worker_gate(struct idvi_worker *w);
/* A flood does not fill the log: one is shown in a second, all are counted. */
enum idv_level idvi_worker_warns(struct idvi_worker *w);

/* --- host.c: who is asked ------------------------------------------------- */

/* TLS of the worker and of each of its hosts */
idv_rc idvi_hosts_open(struct idvi_worker *w) IDV_CHECKED;
void idvi_hosts_close(struct idvi_worker *w);
/* *out NULL: the worker itself. false: it is not for him whom the connection
 * (NULL: of a front) is with. */
bool idvi_host_asked(struct idvi_worker *w, struct evhttp_request *req,
                     const struct idvi_conn *c,
                     const struct idv_server_host **out);

/* --- shed.c: who gives way ------------------------------------------------ */

/* Closes the connection that shows least, of that origin or (NULL) of any;
 * false: none can. c (NULL ok) is the one that comes. */
bool idvi_shed(struct idvi_worker *w, const uint64_t *origin,
               const struct idvi_conn *c);
bool idvi_can_shed(struct idvi_worker *w); /* of any origin */

/* --- supervise.c: worker processes ---------------------------------------- */

idv_rc idvi_supervise(const struct idv_server_conf *conf,
                      const struct idvi_sockets *sockets) IDV_CHECKED;

/* --- aside.c: processes beside the workers -------------------------------- */

struct idvi_aside {
    pid_t pid; /* 0: none */
    int64_t since, retry_at;
    int backoff_ms;
};
struct idvi_asides {
    const struct idv_server_conf *conf;
    const struct idvi_sockets *sockets;
    const sigset_t *mask; /* what its processes block */
    struct idvi_aside *at;
    bool stopping;
};
idv_rc
idvi_asides_init(struct idvi_asides *s) IDV_CHECKED; /* the rest is set */
void idvi_asides_free(struct idvi_asides *s);
/* Begins those that are due; when the next one is (INT64_MAX: none). */
void idvi_asides_begin(struct idvi_asides *s);
int64_t idvi_asides_due(const struct idvi_asides *s);
void idvi_asides_reap(struct idvi_asides *s);
void idvi_asides_renew(struct idvi_asides *s); /* each begins anew */
void idvi_asides_stop(struct idvi_asides *s, int signal);
bool idvi_asides_left(const struct idvi_asides *s);

/* --- conn.c: one TLS connection ------------------------------------------- */

enum idvi_phase { IDVI_SPARE, IDVI_READING, IDVI_SERVING, IDVI_IDLE };

struct idvi_conn {
    LIST_ENTRY(idvi_conn) link;
    struct idvi_worker *worker;
    SSL *ssl; /* NULL once closed */
    struct bufferevent *bev;
    struct event *timer;
    enum idvi_phase phase;
    const struct idv_server_host *host; /* by SNI; NULL: the worker itself */
    bool checked, over;                 /* address counted; too many of it */
    bool shed;  /* gives way: closed, as soon as evhttp sees it */
    bool heard; /* it has sent something */
    uint64_t origin;
    int64_t began;
    bool armed;       /* the timer is for a deadline */
    bool known;       /* peer filled */
    bool turned_away; /* the service was told */
    int linger;       /* the socket once more, for idvi_linger; -1 */
    struct idv_peer peer;
    unsigned refs; /* the SSL and each exchange */
};
/* A connection that waits for its socket; NULL: out of memory. */
struct bufferevent *idvi_conn_spare(struct idvi_worker *w);
struct idvi_conn *idvi_conn_of(struct evhttp_connection *c);
struct idvi_conn *idvi_conn_of_tls(const SSL *ssl);
void idvi_conn_serving(struct idvi_conn *c);  /* request read: no deadline */
void idvi_conn_replying(struct idvi_conn *c); /* reply must be taken */
/* reply taken: close_notify if last, else wait for the next request */
void idvi_conn_replied(struct idvi_conn *c, bool last);
idv_rc idvi_conn_peer(struct idvi_conn *c) IDV_CHECKED; /* fills peer */
/* a request of it is refused before the service saw it */
void idvi_conn_turned_away(struct idvi_conn *c);
void idvi_conn_shut(struct idvi_conn *c); /* politely, from outside */
/* the worker ends: shut, unless a request is there or on its way */
void idvi_conn_dismiss(struct idvi_conn *c);
void idvi_conn_unref(struct idvi_conn *c);
/* libssl's, before anything is signed for a client */
int idvi_conn_hello(SSL *ssl, int *alert, void *arg);
/* libssl's, of each alert: a key that does not sign is seen here only */
void idvi_conn_info(const SSL *ssl, int where, int alert);
uint64_t idvi_conn_number(void); /* another each time */
/* evhttp's; never NULL */
struct bufferevent *idvi_conn_accept(struct event_base *base, void *worker);

/* --- linger.c: the end of a connection ------------------------------------ */

/* Takes fd, ends its sending half, and closes it when the other end does, or
 * after 2 s or 16 MiB more of what nobody wants. */
void idvi_linger(struct idvi_worker *w, int fd);
void idvi_linger_end(struct idvi_worker *w); /* closes all */

/* --- public.c: connections of those who need no TLS ----------------------- */

/* evhttp's; NULL: out of memory, and evhttp makes one itself */
struct bufferevent *idvi_public_accept(struct event_base *base, void *worker);
void idvi_public_end(struct idvi_worker *w); /* closes all; after evhttp */

/* --- tick.c: what is done without being asked ----------------------------- */

idv_rc idvi_tick_start(struct idvi_worker *w) IDV_CHECKED;

/* --- http_server.c, http_frame.c: requests -------------------------------- */

void idvi_http_serve(struct evhttp_request *req, void *worker);
void idvi_http_serve_admin(struct evhttp_request *req, void *worker);
void idvi_http_serve_monitor(struct evhttp_request *req, void *worker);
void idvi_http_serve_front(struct evhttp_request *req, void *worker);
void idvi_http_serve_public(struct evhttp_request *req, void *worker);
void idvi_http_abandon(struct idvi_worker *w); /* all exchanges */
/* NULL, or why a request's framing is not ours to serve (see server.h). */
const char *idvi_http_misframed(struct evhttp_request *req);
/* Fills msg; *status and the note say what to answer otherwise. */
idv_rc idvi_http_to_msg(struct evhttp_request *req, struct idv_msg *msg,
                        size_t max_body, int *status) IDV_CHECKED;

/* --- http_kept.c: caches -------------------------------------------------- */

/* Says of a reply with a max_age for how long, and names it by its bytes and
 * date; got: to a GET. It becomes 304 where the client has it. */
void idvi_http_kept(struct evhttp_request *req, bool got, struct idv_msg *m);

/* --- http_answer.c: replies ----------------------------------------------- */

/*
 * Sends m as the reply to req, which is evhttp's afterwards, and tells its
 * connection before and once it is all sent. head: m's body stays here, its
 * length is told. last: the connection ends with it, as it does where the
 * client said so, or the worker is draining. evhttp adds the date alone.
 */
void idvi_http_answer(struct idvi_worker *w, struct evhttp_request *req,
                      const struct idv_msg *m, bool head, bool last);
/* A status alone, where there is no memory for more; the connection ends, and
 * is told nothing. */
void idvi_http_answer_bare(struct evhttp_request *req, int status);

/* --- local_peer.c: who is at the other end of a unix socket --------------- */

struct idvi_local_peer {
    unsigned uid, gid;
};
/* Root, this process's user, or of that group (0: no group), by the kernel's
 * word; *out is filled also when it is somebody else. */
bool idvi_local_peer(int fd, gid_t group, struct idvi_local_peer *out);

/* --- upstream.c: requests of the service ---------------------------------- */

typedef void idvi_upstream_done(void *arg, struct idv_told *told);

idv_rc idvi_upstreams_new(struct event_base *base,
                          const struct idv_server_conf *conf,
                          struct idvi_upstreams **out) IDV_CHECKED;
/* Unfinished ones end without a word. */
void idvi_upstreams_free(struct idvi_upstreams *u);
/* done is called later with REPLY or LOST, never before this returns. */
idv_rc idvi_upstream_start(struct idvi_upstreams *u, struct idv_upstream *what,
                           idvi_upstream_done *done, void *arg) IDV_CHECKED;

#endif
