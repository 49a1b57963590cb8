/* SPDX-License-Identifier: Apache-2.0 */
/* What people may ask a registrar: the rows of its admin table. */
#ifndef IDEVID_REGISTRAR_ADMIN_H
#define IDEVID_REGISTRAR_ADMIN_H

#include "idevid/admin/admin.h"
#include "idevid/registrar/cloud.h"
#include "idevid/registrar/people.h"

/* What the rows work on; all borrowed. */
struct idv_registrar_admin {
    struct idv_registrar_people people;
    struct idv_est_store issued;
    struct idv_owner_store owners;
    const struct idv_cloud_conf *cloud; /* or NULL */
    bool running; /* asked of a service, not of a store at rest */
    /* puts what only the running service knows into a status; may be NULL */
    idv_rc (*live)(void *arg, struct idv_json *out);
    void *arg;
};

/*
 * Path, members of what is asked, members of the answer:
 *   /list    {"pending": bool}          rows of serial-number, maker,
 *            decision, asked, decided
 *   /decide  {"maker", "serial-number", "decision": "approved" | "refused" |
 *            "forgotten"}               {"serial-number", "maker", "decision"}
 *   /log     {"serial-number": ""}      rows of changed, serial-number, maker,
 *            address, state, reason
 *   /show    {"serial-number"}          decisions, the newest sessions with
 *            their events and evidence, certificates, findings: each as rows of
 *            its own; 409: unknown
 *   /rule/add     {"action": "allow" | "deny" | "ask" [, "maker", "model",
 *            "serial-number": patterns, "not-before", "not-after": RFC 3339,
 *            "position", "comment"]}    {"id"}
 *   /rule/remove  {"id"}               {"id"}; 409: there is none
 *   /rule/list    {}                   rows of that, and who, date
 *   /findings     {"serial-number": ""}  rows of last, first, times, maker,
 *            serial-number, kind, detail
 *   /stored       {"serial-number": ""}  rows of fetched, maker, serial-number,
 *            media, expires-on
 *   /imprinted    {"maker", "serial-number", "allowed": bool}
 *            {"maker", "serial-number", "imprinted"}
 *   /revoke  {"serial-number": all of a device's, or "sha256": hex of one
 *            [, "reason"]}              {"revoked": n}; 409: none in force
 *   /status  {}                         {"running", "sessions": {STATE: n},
 *            "devices": {"pending", "approved", "refused"}, ...}
 */
extern const struct idv_admin_row idv_registrar_admin_rows[];

/*
 * admin_owner.c, of a cloud registrar:
 *   /owner-set     {"maker", "serial-number", "kind": "nobody" | "redirect" |
 *                  "voucher", "to", "more", "pin": base64 DER}
 *                  {"serial-number", "maker", "kind", "to"}
 *   /owner-list    {}    rows of serial-number, maker, kind, to, more, changed
 *   /owner-remove  {"maker", "serial-number"}       the same; 409: no such one
 */
idv_rc idvi_reg_admin_owner_set(void *self,
                                const struct idv_admin_call *c) IDV_CHECKED;
idv_rc idvi_reg_admin_owners(void *self,
                             const struct idv_admin_call *c) IDV_CHECKED;
idv_rc idvi_reg_admin_owner_remove(void *self,
                                   const struct idv_admin_call *c) IDV_CHECKED;

/* admin_gate.c */
idv_rc idvi_reg_admin_rule_add(void *self,
                               const struct idv_admin_call *c) IDV_CHECKED;
idv_rc idvi_reg_admin_rule_remove(void *self,
                                  const struct idv_admin_call *c) IDV_CHECKED;
idv_rc idvi_reg_admin_rule_list(void *self,
                                const struct idv_admin_call *c) IDV_CHECKED;
idv_rc idvi_reg_admin_findings(void *self,
                               const struct idv_admin_call *c) IDV_CHECKED;
idv_rc idvi_reg_admin_stored(void *self,
                             const struct idv_admin_call *c) IDV_CHECKED;
idv_rc idvi_reg_admin_imprinted(void *self,
                                const struct idv_admin_call *c) IDV_CHECKED;
idv_rc idvi_reg_put_finding(struct idv_json *o,
                            const struct idv_finding *f) IDV_CHECKED;

/* admin_show.c */
idv_rc idvi_reg_admin_show(void *self,
                           const struct idv_admin_call *c) IDV_CHECKED;
/* admin_revoke.c */
idv_rc idvi_reg_admin_revoke(void *self,
                             const struct idv_admin_call *c) IDV_CHECKED;
/* What a row of /list and of /log says. */
idv_rc idvi_reg_put_decided(struct idv_json *o,
                            const struct idv_registrar_decided *d) IDV_CHECKED;
idv_rc idvi_reg_put_session(struct idv_json *o,
                            const struct idv_session *s) IDV_CHECKED;

#endif
