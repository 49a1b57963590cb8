/* SPDX-License-Identifier: Apache-2.0 */
/* Both ends of a connection for tests: real TLS on loopback ports that the
 * kernel chose; waiting is by events, with a limit that only a fault meets. */
#ifndef TESTS_NETTEST_H
#define TESTS_NETTEST_H

#include <pthread.h>
#include <stdatomic.h>

#include <openssl/ssl.h>

#include <idevid/drive.h>

#include "net/server.h"
#include "tests/lib/pki.h"

#define NT_LIMIT_S 20 /* something hangs */

/* --- a server of ours in a thread ----------------------------------------- */

struct nt_server {
    struct idv_server_conf conf; /* preset what differs from the default */
    struct pki *pki;
    const struct pki_id *id;      /* default: registrar */
    const STACK_OF(X509) * chain; /* default: tls_chain */
    struct idv_service service, admin;
    void (*turned_away)(void *self, const struct idv_peer *peer); /* preset */
    idv_rc (*commit)(void *self);        /* preset; with the service's */
    idv_rc (*gather)(void *self);        /* the same */
    const struct idv_server_host *hosts; /* preset, as these */
    size_t hosts_n;
    const char *const *names;
    bool names_only;
    void (*device_failed)(void *self); /* preset; with the service's self */
    struct idv_service public;         /* preset, as these */
    idv_rc (*tick)(void *self);
    int tick_ms;
    uint16_t port, front_port, public_port;
    idv_rc rc;
    char note[IDV_NOTE_MAX];
    pthread_t thread;
    int stop[2], news[2];
};
void nt_server_start(struct nt_server *s, struct pki *p,
                     const struct idv_service *service);
void nt_server_stop(struct nt_server *s); /* and joins: rc, note */

/* --- a TLS server that does as its script says ---------------------------- */

enum nt_do {
    NT_END,
    NT_ACCEPT, /* the next connection, handshake included */
    NT_READ,   /* one request: header, and body by length or chunks */
    NT_SEND,   /* text */
    NT_SPLIT,  /* text, each byte in a record of its own */
    NT_FILL,   /* count times text, or less if the client takes no more */
    NT_BYE,    /* close_notify and close */
    NT_DROP,   /* close without a word */
    NT_HANG,   /* until the client closes */
    NT_FLAG,   /* sets *flag, writes a byte to tell_fd */
    NT_GATE,   /* reads a byte from gate_fd */
    NT_PASS,   /* nothing */
    NT_SILENT, /* accept, no handshake, until the client closes */
    NT_LEAVE,  /* the port is closed: no further connection */
    NT_AGAIN,  /* handshakes anew (TLS 1.2), whatever comes of it */
};
struct nt_step {
    enum nt_do what;
    const char *text;
    int count;
};
struct nt_raw {
    uint16_t port;
    int listener, accepted, max_version;
    bool no_ems; /* refuses the extended master secret */
    bool quiet;  /* no session tickets */
    bool weak;   /* offers what is forbidden today, TLS 1.1 included */
    bool again;  /* NT_AGAIN: the client did */
    struct idv_bytes staple; /* its OCSP response, to those who ask; borrowed */
    bool asked;              /* somebody did */
    volatile int *flag;
    atomic_bool *sent; /* set by NT_FLAG, too */
    int tell_fd, gate_fd;
    struct idv_buf heard;   /* all that was read */
    uint8_t binding[32];    /* of the last connection */
    char sni[256];          /* of the last connection */
    STACK_OF(X509) * shown; /* by the client, as sent */
    SSL_CTX *ctx;
    const struct nt_step *step;
    pthread_t thread;
};
void nt_raw_start(struct nt_raw *r, const struct pki_id *id,
                  const STACK_OF(X509) * chain, const struct nt_step *steps);
void nt_raw_stop(struct nt_raw *r); /* joins; free with nt_raw_free */
void nt_raw_free(struct nt_raw *r);

/* --- a TLS client that sends what it likes -------------------------------- */

struct nt_client {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
    const char *sni;   /* for the handshake; NULL none */
    struct idv_buf in; /* read and not yet used */
};
/* id NULL: without a certificate */
bool nt_connect(struct nt_client *c, uint16_t port, const struct pki_id *id);
bool nt_connect_to(struct nt_client *c, uint16_t port, const char *sni);
bool nt_tcp(struct nt_client *c, uint16_t port); /* no TLS (yet) */
bool nt_unix(struct nt_client *c, const char *path);
bool nt_handshake(struct nt_client *c, const struct pki_id *id);
bool nt_say(struct nt_client *c, const char *text);
/* The status of the next reply, its header and body in *reply (may be NULL);
 * 0: the connection ended. */
int nt_hear(struct nt_client *c, struct idv_buf *reply, bool head);
bool nt_ended(struct nt_client *c); /* waits for it; true when clean */
void nt_close(struct nt_client *c);
int nt_get(uint16_t port, const char *path); /* one connection, one GET */

/* --- a machine that connects, makes the exchanges it has, and is done ----- */

struct nt_move {
    enum idv_verb verb;
    const char *path, *body;
};
#define NT_MOVES 8
struct nt_machine {
    struct idv_connect connect; /* first is made from move[0] */
    struct nt_move move[NT_MOVES];
    size_t n, at;
    bool refuse; /* DONE instead of the first exchange */
    struct idv_msg reply[NT_MOVES];
    struct idv_peer peer;
    idv_rc lost;
    char note[IDV_NOTE_MAX];
};
void nt_machine_init(struct nt_machine *m, uint16_t port);
void nt_machine_add(struct nt_machine *m, enum idv_verb verb, const char *path,
                    const char *body);
struct idv_machine nt_machine(struct nt_machine *m);
void nt_machine_free(struct nt_machine *m);

#endif
