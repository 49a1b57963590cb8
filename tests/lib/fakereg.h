/* SPDX-License-Identifier: Apache-2.0 */
/* A registrar and its MASA as a script: good unless a test says otherwise. */
#ifndef TESTS_FAKEREG_H
#define TESTS_FAKEREG_H

#include <idevid/est.h>
#include <idevid/pledge.h>

#include "tests/lib/anchor_mem.h"
#include "tests/lib/memdrive.h"
#include "tests/lib/pki.h"

/*
 * What happened, one word each: "C?" a provisional connection, "C=" a verified
 * one with the IDevID, "C+" with the LDevID, "rv" "vs+" "vs-" "ca" "at" "en"
 * "es+" "es-" the requests, "L" lost, "W5" a wait, "X5" one without a
 * connection.
 */
struct fakereg {
    struct pki *pki;

    /* what it is and does */
    const STACK_OF(X509) * chain;
    struct idv_bytes staple;     /* to its chain; borrowed */
    const struct pki_id *signer; /* of vouchers */
    X509 *pin;
    const struct pki_id *issuer; /* of LDevIDs */
    const STACK_OF(X509) * cacerts;
    const struct idv_csrattrs *attrs; /* NULL: 404 */
    /* Changes a voucher before it is signed; NULL ok. */
    void (*tweak)(struct fakereg *r, struct idv_voucher *v);
    /* May answer instead of the script (true), or change what the script
     * answered (after: true). */
    bool (*hook)(struct fakereg *r, const char *word, bool after,
                 const struct idv_msg *req, struct idv_msg *reply);
    /* Looks at who is connected to and may change the chain; NULL ok. */
    void (*meet)(struct fakereg *r, const struct idv_connect *c);
    int lose;        /* the exchange or connection (from 1) that is lost */
    bool lose_after; /* it was served, the answer is lost */
    const STACK_OF(X509) * next_chain; /* shown after a loss; NULL: as before */
    int pending;                       /* so many 202 at first */
    int retry_after;

    /* what it saw */
    char log[4096];
    int events, vouchers, certificates;
    struct idv_connect last; /* texts and pointers of the last CONNECT */
    struct idv_buf pvr;      /* the last request's bytes */
    int same_pvr;            /* times the very same came again */
    char nonces[16][IDV_MAX_NONCE_TEXT + 1];
    int n_nonces;
    struct idv_buf csr, telemetry;
    int same_csr;
    int64_t waited;
    int longest_wait;
};
void fakereg_init(struct fakereg *r, struct pki *pki);
void fakereg_free(struct fakereg *r);
/* One connection or request, for a server of its own. */
idv_rc fakereg_connect(struct fakereg *r, const struct idv_connect *c,
                       struct idv_peer *peer);
idv_rc fakereg_exchange(struct fakereg *r, struct idv_msg *req,
                        struct idv_msg *reply);

/* A device: state directory, anchor, IDevID, and the pledge in it. */
struct fakedev {
    char dir[64];
    struct anchor_mem anchor;
    struct idv_device *device; /* keeps the anchor instead; NULL: none */
    struct idv_trust *trust;
    STACK_OF(X509) * chain; /* IDevID and its CA */
    struct idv_pledge_conf conf;
    int keys_made;
    EVP_PKEY *last_key, *earlier_key; /* mem:N, mem:N-1 */
    bool keys_fail;
    bool renew;        /* instead of joining */
    bool again;        /* likewise: enroll with the IDevID */
    char events[2048]; /* progress, a blank between */
    enum idv_verdict verdict;
};
void fakedev_init(struct fakedev *d, struct pki *pki);
void fakedev_free(struct fakedev *d);
/* opens the trust anew, as after a restart */
void fakedev_reopen(struct fakedev *d, struct pki *pki);
enum idv_trust_state fakedev_state(const struct fakedev *d);

/* Joins; returns what it ended with, note in drive (NULL ok). */
idv_rc fake_join(struct fakedev *d, struct fakereg *r, struct memdrive *drive);

#endif
