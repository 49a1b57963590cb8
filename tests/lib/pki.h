/* SPDX-License-Identifier: Apache-2.0 */
/* A maker, a device, a domain and a rogue, made anew from throw-away keys. */
#ifndef TESTS_PKI_H
#define TESTS_PKI_H

#include <idevid/env.h>
#include <idevid/voucher.h>

#define PKI_NOW 1795305600 /* 2026-11-22T00:00:00Z */
#define PKI_DAY 86400
#define PKI_SERIAL "JADA123456789"
#define PKI_MASA_URL "masa.example.com:9443"

/* a clock that stands still, true randomness, the last log line */
struct pki_env {
    struct idv_env env; /* its ctx is this struct: do not move it */
    int64_t now;
    bool trusted;
    char last[1024];
};
void pki_env_init(struct pki_env *e);

struct pki_id {
    EVP_PKEY *key;
    X509 *cert;
};

/*
 *  maker_root ── maker_ca ── idevid (PKI_SERIAL, PKI_MASA_URL)
 *             ├─ masa (signs vouchers)
 *             └─ masa_server (TLS, "localhost", "127.0.0.1")
 *  domain_ca ─── registrar (cmcRA, serverAuth, clientAuth, SKI)
 *  rogue_ca ──── rogue (as registrar), rogue_masa, rogue_idevid (the same
 *                serial number from another maker)
 */
struct pki {
    struct pki_env env;
    struct pki_id maker_root, maker_ca, idevid, masa, masa_server;
    struct pki_id domain_ca, registrar;
    struct pki_id rogue_ca, rogue, rogue_masa, rogue_idevid;
    STACK_OF(X509) * anchors;      /* maker_root */
    STACK_OF(X509) * idevid_chain; /* maker_ca */
    STACK_OF(X509) * tls_chain;    /* registrar, domain_ca */
    STACK_OF(X509) * rogue_chain;  /* rogue, rogue_ca */
};

/* Whatever fails here ends the program with a message. */
void pki_make(struct pki *p);
void pki_free(struct pki *p);

/* A certificate of its own key of this curve ("P-256"); issuer NULL: of
 * itself. Times default to a year around PKI_NOW. */
struct pki_id pki_issue(struct pki *p, const char *curve,
                        const struct idv_cert_spec *spec,
                        const struct pki_id *issuer);
void pki_id_free(struct pki_id *id);

/* borrowed certificates, up to the first NULL, as a stack that owns them */
STACK_OF(X509) * pki_stack(X509 *a, X509 *b);

/* The public key of cert, DER, and its SHA-256, in place of what is there. */
void pki_spki(const X509 *cert, struct idv_buf *key, struct idv_buf *hash);

/* A request of p->idevid towards p->registrar, sealed; v is left filled. */
void pki_request(struct pki *p, struct idv_voucher *v, struct idv_buf *sealed);
/* The registrar's request around it, sealed; as CMS, or as media. */
void pki_rvr_as(const char *media, struct pki *p, const struct idv_voucher *pvr,
                struct idv_bytes prior, struct idv_buf *sealed);
void pki_rvr(struct pki *p, const struct idv_voucher *pvr,
             struct idv_bytes prior, bool id_data, struct idv_buf *sealed);
/* The answer to it that masa would sign, pinning pin; not yet sealed. */
void pki_voucher(struct pki *p, const struct idv_voucher *request,
                 const X509 *pin, struct idv_voucher *out);
/* Seals v with id's key, chain beside it (NULL ok); as CMS, or as media. */
void pki_seal_as(const char *media, const struct idv_voucher *v,
                 const struct pki_id *id, const STACK_OF(X509) * chain,
                 struct idv_buf *sealed);
void pki_seal(const struct idv_voucher *v, const struct pki_id *id,
              const STACK_OF(X509) * chain, bool id_data,
              struct idv_buf *sealed);

/* ends the program unless rc is IDV_OK */
void pki_must(idv_rc rc, const char *what);

#endif
