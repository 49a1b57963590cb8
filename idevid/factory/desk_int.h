/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the desk share. */
#ifndef IDEVID_FACTORY_DESK_INT_H
#define IDEVID_FACTORY_DESK_INT_H

#include <idevid/auto.h>
#include <idevid/desk.h>

/* Notes the reason beside the failure that is passed on. */
static inline idv_rc idvi_because(enum idv_factory_why *why,
                                  enum idv_factory_why reason, idv_rc rc)
{
    if (rc != IDV_OK)
        *why = reason;
    return rc;
}
/* The proof of a TPM's profiles: all of it but the request's PKCS#10. */
idv_rc idvi_judge_tpm(const struct idv_desk_conf *conf,
                      const struct idv_factory_request *r,
                      struct idv_desk_proof *p,
                      enum idv_factory_why *why) IDV_CHECKED;

/* --- template.c --- */

/* What placeholders stand for; "" absent. */
struct idvi_facts {
    const char *serial, *order, *model, *sku, *mac, *hw_serial, *ek_sha256;
};
/* IDV_E_ARG names the field: an unknown placeholder, a brace without its other,
 * control characters, no OID, no URL, a time that has passed. */
idv_rc idvi_template_check(const struct idv_desk_template *t,
                           int64_t now) IDV_CHECKED;

#define IDVI_TEMPLATE_POLICIES 16 /* of a template, at most */

/* A specification with all that it borrows. */
struct idvi_filled {
    struct idv_cert_spec spec;
    struct idv_buf common_name, organization, organizational_unit, country,
        masa_url, hw_serial, permanent_id, crl_url, aia_url;
    const char *policies[IDVI_TEMPLATE_POLICIES + 4];
    const char *purposes[2];
};
void idvi_filled_free(struct idvi_filled *f);
/* kind IDEVID or IAK, for proof. IDV_E_REJECT names the field whose placeholder
 * stands for nothing. facts and t are borrowed by *out. */
idv_rc idvi_template_fill(const struct idv_desk_template *t,
                          const struct idvi_facts *facts,
                          const struct idv_factory_request *r,
                          const struct idv_desk_proof *proof,
                          enum idv_cert_kind kind,
                          struct idvi_filled *out) IDV_CHECKED;

/* --- desk_certs.c --- */

struct idvi_made {
    X509 *idevid, *iak; /* iak NULL: none */
};
void idvi_made_free(struct idvi_made *m);
/* Has them made, and takes nothing that was not asked for. device_json: what
 * the order says of the device. */
idv_rc idvi_certs_make(const struct idv_desk_conf *conf,
                       const struct idv_factory_request *r,
                       const struct idv_desk_proof *proof,
                       struct idv_bytes device_json, struct idvi_made *out,
                       enum idv_factory_why *why) IDV_CHECKED;
/* What travels: them and the CAs' chains. */
idv_rc idvi_certs_bag(const struct idv_desk_conf *conf,
                      const struct idvi_made *m,
                      struct idv_buf *out) IDV_CHECKED;

/* --- desk_book.c --- */

/* What the book has of the device, and what follows. */
struct idvi_case {
    struct idv_factory_device row; /* as it was; state NONE: not there */
    bool repeat;                   /* its certificates are given once more */
};
void idvi_case_free(struct idvi_case *c);
idv_rc idvi_case_find(const struct idv_desk_conf *conf,
                      const struct idv_factory_request *r,
                      const struct idv_desk_proof *proof, struct idvi_case *out,
                      enum idv_factory_why *why) IDV_CHECKED;
/* Of the store's own failures IDV_WHY_STORE. */
idv_rc idvi_store_because(enum idv_factory_why *why, idv_rc rc);

/* --- desk_strangers.c --- */

#define IDVI_STRANGERS 33 /* of one hour; the last row is all others */

struct idvi_stranger {
    char address[64], subject[256], text[IDV_NOTE_MAX];
    enum idv_factory_why why;
    uint64_t more; /* that have no entry yet; why and text are of the last */
};
struct idvi_strangers {
    int64_t since;
    size_t n;
    struct idvi_stranger row[IDVI_STRANGERS];
};

struct idv_desk {
    struct idv_desk_conf conf;
    int64_t lifetime; /* of a challenge, seconds */
    struct idvi_strangers strangers;
};
/* Entries for those that have none yet. */
void idvi_strangers_close(struct idv_desk *d);

/* --- desk.c, desk_give.c --- */

/* one request on its way through */
struct idvi_passage {
    struct idv_factory_request r;
    struct idv_desk_proof proof;
    struct idv_buf device_json;
    struct idvi_case book;
    struct idvi_made made;
    struct idv_buf reply;
};
void idvi_passage_free(struct idvi_passage *p);

idv_rc idvi_challenge_make(struct idv_desk *d, const char *order,
                           uint8_t out[IDV_FACTORY_CHALLENGE],
                           enum idv_factory_why *why) IDV_CHECKED;
/* Of a request that was judged: certificates, the reply, the book. */
idv_rc idvi_desk_give(struct idv_desk *d, struct idvi_passage *p,
                      struct idv_bytes request,
                      enum idv_factory_why *why) IDV_CHECKED;
/* An entry's members; why and text "" absent. */
idv_rc idvi_desk_body(const struct idvi_passage *p, const char *why,
                      const char *text, struct idv_buf *out) IDV_CHECKED;

#endif
