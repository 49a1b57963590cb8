/* SPDX-License-Identifier: Apache-2.0 */
/* One EST request on its way through the server's steps. */
#ifndef IDEVID_EST_SERVER_CALL_H
#define IDEVID_EST_SERVER_CALL_H

#include <idevid/auto.h>

#include "idevid/base/refuse.h"
#include "idevid/est/server.h"

struct idv_est_server {
    struct idv_est_server_conf conf;
    const struct idv_env *env;
};

struct idvi_est_call {
    struct idv_est_server *server;
    struct idv_call *call;
    struct idvi_refusal no;
    int64_t now;
    X509 *client; /* borrowed from the peer */
    uint8_t client_sha256[32], csr_sha256[32];
    X509_REQ *csr;
    EVP_PKEY *csr_key;       /* its own; NULL when one is to be made */
    bool make_key;           /* serverkeygen */
    EVP_PKEY *made;          /* the key that was */
    bool again;              /* simplereenroll */
    struct idv_told *told;   /* what another CA answered, NULL: not asked yet */
    bool asked;              /* call->up is to be done */
    struct idv_issued fresh; /* made, and not in the store yet */
    bool ready;              /* to be put there */
    struct idv_est_grant grant;
};

/* simpleenroll and simplereenroll, whole. */
idv_rc idvi_est_enroll(struct idvi_est_call *c) IDV_CHECKED;
idv_rc idvi_est_reenroll(struct idvi_est_call *c) IDV_CHECKED;

idv_rc idvi_est_serverkeygen(struct idvi_est_call *c) IDV_CHECKED;

/* keygen.c: makes the key, as csrattrs ask for it; and answers with it. */
idv_rc idvi_est_make_key(struct idvi_est_call *c) IDV_CHECKED;
idv_rc idvi_est_answer_key(struct idvi_est_call *c,
                           const X509 *cert) IDV_CHECKED;
/* keycrypt.c: for whom the key is to be encrypted: *to NULL nobody, borrowed;
 * and how. */
idv_rc idvi_est_key_recipient(struct idvi_est_call *c, X509 **to) IDV_CHECKED;
idv_rc idvi_est_encrypt_key(struct idvi_est_call *c, struct idv_bytes pkcs8,
                            X509 *to, struct idv_buf *out) IDV_CHECKED;

/* forward.c: asks the other CA, and takes its answer: a certificate, or
 * refused. */
idv_rc idvi_est_forward(struct idvi_est_call *c) IDV_CHECKED;
idv_rc idvi_est_take(struct idvi_est_call *c, struct idv_buf *cert) IDV_CHECKED;

/* What the certificate is to be for. */
const EVP_PKEY *idvi_est_key(const struct idvi_est_call *c);

/* The request: base64, PKCS#10, its signature, channel binding, and what
 * csrattrs asked for. Fills csr and csr_sha256. */
idv_rc idvi_est_read_csr(struct idvi_est_call *c) IDV_CHECKED;
idv_rc idvi_est_name_sha256(const X509_NAME *name,
                            uint8_t out[static 32]) IDV_CHECKED;
/* Issues for the grant, stores, answers; the same request again gets what it
 * got. */
idv_rc idvi_est_issue(struct idvi_est_call *c) IDV_CHECKED;
/* The rest of it, when the call was ready. */
idv_rc idvi_est_keep(struct idvi_est_call *c) IDV_CHECKED;
/* R-R-44: the certificate being renewed, whose names become the grant. */
idv_rc idvi_est_renewal(struct idvi_est_call *c) IDV_CHECKED;

/* The same names, in whatever order; NULL is none. */
bool idvi_est_same_names(X509_EXTENSION *a, X509_EXTENSION *b);
/* The subjectAltName of a list of extensions, or NULL. */
X509_EXTENSION *idvi_est_san(const STACK_OF(X509_EXTENSION) * list);
idv_rc idvi_est_add_extension(STACK_OF(X509_EXTENSION) * *list,
                              X509_EXTENSION *ext) IDV_CHECKED;

#endif
