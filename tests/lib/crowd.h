/* SPDX-License-Identifier: Apache-2.0 */
/* A crowd of devices, good ones and others, in front of a real registrar. */
#ifndef TESTS_CROWD_H
#define TESTS_CROWD_H

#include <stdatomic.h>

#include <openssl/ssl.h>

#include <idevid/env.h>
#include <idevid/voucher.h>

#define CROWD_MAX 4096 /* devices */
#define CROWD_AT 4     /* machines */

struct crowd_device { /* or a registrar */
    EVP_PKEY *key;
    X509 *cert;
    X509 *ca; /* issued it; NULL: as crowd's devices */
};

struct crowd {
    const char *dir;
    struct crowd_at {
        char host[64];
        char port[8];
    } at[CROWD_AT]; /* each connection is to the next one */
    unsigned at_n;
    struct crowd_device *device;
    unsigned devices;
    X509 *maker_ca; /* issued them */
    struct crowd_device registrar;
    struct idv_env_system sys;
};

/* crowd_make.c: a maker, n devices, a domain; keys in files. DIR gets
 * anchors.pem, masa.pem, masa-tls.pem, domain-ca.pem, registrar.pem, a .key
 * beside each, devices.jsonl for the MASA, device.N.pem and .key. */
void crowd_make(const char *dir, unsigned n);
void crowd_open(struct crowd *c, const char *dir);
/* "HOST:PORT", or several with commas between */
void crowd_where(struct crowd *c, const char *host_ports);

/* the domain's registrar, into c->registrar */
void crowd_registrar(struct crowd *c);

/* crowd_seal.c: a request of that device for whom it found; and what the
 * registrar makes of one for itself. */
void crowd_pvr(const struct crowd *c, const struct crowd_device *d,
               const X509 *registrar, struct idv_buf *sealed);
void crowd_rvr(const struct crowd *c, const struct crowd_device *d,
               struct idv_buf *sealed);

/* crowd_talk.c: one connection. false after a line in *why. */
struct crowd_conn {
    int fd;
    SSL *ssl;
    const char *why; /* what was wrong, static */
    unsigned requests;
};
SSL_CTX *crowd_ctx(const struct crowd *c, const struct crowd_device *d);
bool crowd_tcp(const struct crowd *c, struct crowd_conn *conn);
bool crowd_connect(const struct crowd *c, SSL_CTX *ctx,
                   struct crowd_conn *conn);
/* The status, with the body in *reply; 0: no answer. close: "Connection". */
int crowd_post(struct crowd_conn *conn, const char *path, const char *media,
               struct idv_bytes body, bool close, struct idv_buf *reply);
void crowd_close(struct crowd_conn *conn);

/* crowd_answer.c: a line more in DIR/answers, the SHA-256 of the certificate
 * that was answered. */
void crowd_answered(const struct crowd *c, struct idv_bytes body);

void crowd_must(idv_rc rc, const char *what);
_Noreturn void crowd_die(const char *what);

#endif
