/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a service over HTTPS: worker processes, deadlines, upstream requests. */
#ifndef IDEVID_NET_SERVER_H
#define IDEVID_NET_SERVER_H

#include <sys/types.h>

#include <idevid/env.h>
#include <idevid/machine.h>

#include "net/board.h"

/*
 * One of several that a worker is, each by names of its own. Who asks for one
 * of these in TLS (SNI) is shown this certificate, and what he then asks, by
 * the same name in Host, is answered by this service. All borrowed.
 */
struct idv_server_host {
    const char *const *names; /* of DNS, NULL end; case does not matter */
    const char *label; /* "tenant=NAME", on lines logged of its requests; NULL
                          none */
    EVP_PKEY *key;
    const STACK_OF(X509) * chain; /* leaf first */
    struct idv_service service;
    /* as the worker's, which has to have one then, for these calls alone; NULL:
     * the worker's. self is the one below. */
    idv_rc (*commit)(void *self);
    void *self;
};

/*
 * What one worker process serves. Made in the worker after fork, because
 * device contexts and database handles must not cross a fork. Key, chain and
 * services stay valid until free is called.
 */
struct idv_server_worker {
    EVP_PKEY *key;                /* of the TLS server; borrowed */
    const STACK_OF(X509) * chain; /* leaf first; borrowed */
    struct idv_service service;
    /* Who else it is. A request is refused with 421 where Host is not of the
     * same of them as the name in the handshake was; from a front Host decides.
     * No name, and one that nobody has, is the worker's own; with names_only
     * only those in names are, and others fail in the handshake. */
    const struct idv_server_host *hosts;
    size_t hosts_n;
    const char *const *names; /* NULL end */
    bool names_only;
    struct idv_service admin;   /* with idv_server_conf.admin_path only */
    struct idv_service monitor; /* with idv_server_conf.monitor only */
    struct idv_service public;  /* with idv_server_conf.public only */
    /* What is to be done without being asked, each tick_ms, the first time
     * after one of them, but a second at most. A failure is logged. NULL: none.
     * self is the one below. */
    idv_rc (*tick)(void *self);
    int tick_ms;
    /* told when a request was refused before service saw it, too long or no
     * HTTP; once a connection, which ends. self is service's. May be NULL. */
    void (*turned_away)(void *self, const struct idv_peer *peer);
    /* told when the key of the TLS server is a device's and has not signed, or
     * a service or tick has failed with IDV_E_DEVICE; out of their calls. self
     * is the one below. May be NULL. */
    void (*device_failed)(void *self);
    /* What the calls since the last commit did, and has to last, is on disk
     * when it returns IDV_OK. Before that none of them is answered and nothing
     * of theirs goes upstream; where it fails they are answered 503. Called
     * when the loop has nothing else to do, and 5 ms after the first of them at
     * the latest. NULL: that is so when serve returns. self is the one below.
     */
    idv_rc (*commit)(void *self);
    /* Before it: what is written from here to there is written together. It is
     * told to calls that said STORE, which none may where this is NULL. */
    idv_rc (*gather)(void *self);
    void (*free)(void *self); /* at the end of the worker; may be NULL */
    void *self;
};

/* Where a server listens, for ready(): numeric host without brackets. */
struct idv_server_bound {
    char host[128]; /* of a unix socket: "unix:/path", port 0 */
    uint16_t port;
    bool monitor; /* of idv_server_conf.monitor; these come after all others */
    bool public;  /* of idv_server_conf.public; then these */
    bool front;   /* of idv_server_conf.front; these come last */
};

/* How a reverse proxy hands on the certificate that a client showed. */
enum idv_front_form {
    /* RFC 9440: Client-Cert, one byte sequence (:base64 of DER:), and
     * Client-Cert-Chain, a list of them, the issuer of it first */
    IDV_FRONT_CLIENT_CERT,
    /* X-SSL-Client-Cert: one PEM certificate, URL-encoded, as nginx has it in
     * $ssl_client_escaped_cert */
    IDV_FRONT_ESCAPED_PEM,
};

/*
 * A reverse proxy in front, which ends TLS for us: it asks clients for a
 * certificate, without judging it, and tells each request's in a header field,
 * or that there was none by leaving it out; and the client's address as the
 * last of X-Forwarded-For. It speaks plain HTTP/1.1 with us, so that the way
 * between has to be this machine or a network that is only theirs. What it says
 * is believed of a trusted proxy alone, here alone; where clients have their
 * own TLS such fields mean nothing.
 *
 * Whose certificate and address they are is judged anew for every request: a
 * connection of the proxy has those of many clients.
 */
struct idv_server_front {
    /* as idv_server_conf.listen, or "unix:/path"; NULL: no front */
    const char *const *listen;
    /* who it is on TCP: "127.0.0.1", "192.0.2.0/24", "2001:db8::/64"; NULL end
     */
    const char *const *proxies;
    gid_t gid; /* on unix sockets: root, our user, and members (0: none) */
    enum idv_front_form form;
};
/* IDV_E_ARG: addresses that are none, TCP without a proxy. */
idv_rc idv_server_front_check(const struct idv_server_front *f) IDV_CHECKED;

/* A process beside the workers, which has no keys and serves nobody. */
struct idv_server_aside {
    const char *name; /* in the log */
    /* Its life, in the new process; SIGTERM has its default meaning there. One
     * that returns, or dies, is begun again with back-off. */
    idv_rc (*run)(void *arg, const struct idv_server_bound *bound, size_t n);
    /* asked before it is begun; NULL: always */
    bool (*wanted)(void *arg);
    void *arg;
};

struct idv_server_conf {
    const char *name; /* "registrar": begins notes and names the log events */
    const struct idv_env *env;

    /* "127.0.0.1:8443", "[::1]:8443", "localhost:0"; NULL end. Port 0 takes
     * any free one. A name listens on all its addresses. Link-local ones have
     * their zone ("[fe80::1%eth0]:8443"). None at all only with a front. */
    const char *const *listen;
    /* listening sockets handed in (socket activation); then listen may be
     * NULL. They are shared by the workers, not closed at the end. */
    const int *inherited;
    size_t inherited_n;
    /* a unix socket on which workers answer plain HTTP with their admin
     * service, to root, to the user who runs the service, and with admin_gid
     * (0: none) to members of that group, as the kernel tells them; others get
     * 403. NULL: none. A socket left by a dead process is replaced, one that
     * answers is not (IDV_E_NET). */
    const char *admin_path;
    gid_t admin_gid;
    /* addresses as in listen, NULL end, on which workers answer anybody's
     * plain HTTP with their monitor service; NULL none. For loopback or a
     * network of the operator's: these connections are not limited. */
    const char *const *monitor;
    /* the same for everybody, with their public service: what is public and
     * signed. One request a connection, all over in 30 s; of more than 64 at a
     * worker the oldest gives way. */
    const char *const *public;
    struct idv_server_front front;
    /* shared by the workers, for who wants to know how they are; NULL: the
     * server's own */
    struct idv_board *board;

    /* ask clients for a certificate: none is accepted, and of any that comes
     * the handshake proves only that the client has its key. Chains are the
     * service's to judge (idv_call.peer). */
    bool ask_client_cert;

    /*
     * Limits; 0 means what is in brackets. max_connections is one worker's:
     * when it is full the connection that showed least gives way to a new one
     * (one that never sent a byte, then one whose handshake or first request is
     * not there, then one that is idle, those with a client certificate last;
     * the oldest of them); where all are at work more wait in the kernel's
     * backlog. The others are of all workers together.
     */
    unsigned max_connections; /* [256] */
    /* [64] of one IPv4 address or IPv6 /64; more take the place of one of
     * theirs that shows less, as above, or are closed at once. Behind a front
     * requests at a time; more get 429. */
    unsigned max_per_address;
    /* [600] requests of one client certificate, in a minute; more get 429 */
    unsigned max_per_minute;
    int request_s;   /* [10] handshake and request; request; reply taken */
    int idle_s;      /* [15] between requests */
    size_t max_body; /* [IDV_MAX_BODY] 413 beyond, and the rest thrown away */
    unsigned max_upstream; /* [64] beyond: the service is told LOST, LIMIT */
    int drain_s; /* [3] for answers and upstreams in progress when stopping */

    /*
     * Worker processes; 0: one per core. A dead one is restarted with
     * back-off. in_process: no worker processes, signals are left alone and
     * the service runs in the caller's thread until stop_fd says so.
     */
    unsigned workers;
    bool in_process;
    int stop_fd; /* > 0: stop when it is readable or closed at its other end */

    /* fills *worker in a new worker process; whatever it notes when it fails
     * is the note of idv_server_run if that was the first start */
    idv_rc (*make)(void *arg, struct idv_server_worker *worker);
    /* SIGHUP, in the supervising process: read the configuration again. On
     * IDV_OK each worker is replaced by a newly made one that takes over
     * before the old one has drained; otherwise the failure is logged and
     * everything goes on as it was. NULL: replace without asking. */
    idv_rc (*reload)(void *arg);
    /* the end of that: every worker is a new one and all before them have
     * ended, so that whatever is asked from now on is answered by what was
     * read; or it goes on as it was. NULL ok */
    void (*reloaded)(void *arg);
    /* once, when every worker has been made and listens */
    void (*ready)(void *arg, const struct idv_server_bound *bound, size_t n);
    /* begun when that was said, anew after a reload; not in_process. They end
     * with the server: by SIGTERM, and with it when it is killed. */
    const struct idv_server_aside *asides;
    size_t asides_n;
    /* for tests: each worker started, also restarted ones; may be NULL */
    void (*started)(void *arg, unsigned slot, int pid);
    void *arg;
};

/*
 * Listens, serves, and returns IDV_OK after SIGTERM or SIGINT (or stop_fd),
 * when all workers have drained. SIGTERM, SIGINT, SIGHUP and SIGCHLD belong
 * to it meanwhile; they are as before afterwards.
 *
 * TLS 1.2 and 1.3, no tickets, no resumption, no renegotiation. HTTP/1.1 and
 * 1.0; GET, HEAD and POST. Refused with 400 and a close before the service
 * sees them: a Transfer-Encoding other than exactly "chunked", one together
 * with Content-Length, two of either, a length that is not digits, no Host or
 * two, a header name that is not a token, a path that is not absolute. From a
 * front also: fields of a client's certificate twice, of both forms, or that
 * are not exactly a certificate; no address. Somebody there who is no trusted
 * proxy gets 403, on TCP nothing. With hosts, 421 and a close where a request
 * is for another one than its connection.
 *
 * IDV_E_NET: "registrar: cannot listen on 127.0.0.1:8443: Address already in
 * use"; IDV_E_ARG: an address that cannot be understood; otherwise what make
 * returned at the first start.
 */
idv_rc idv_server_run(const struct idv_server_conf *conf) IDV_CHECKED;

/*
 * One request elsewhere, waited for: what the services ask upstream, on the
 * same terms (see <idevid/machine.h>). The body of what is moved; reply is
 * initialised by the caller.
 */
idv_rc idv_upstream_once(struct idv_upstream *what, const struct idv_env *env,
                         struct idv_msg *reply) IDV_CHECKED;

/*
 * One request over a unix socket to the admin service of a running server;
 * reply is initialised by the caller. IDV_E_NET when nobody listens there,
 * IDV_E_TIMEOUT after timeout_s (0: 30).
 */
idv_rc idv_admin_exchange(const char *socket_path, const struct idv_msg *req,
                          int timeout_s, struct idv_msg *reply) IDV_CHECKED;

#endif
