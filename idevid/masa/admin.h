/* SPDX-License-Identifier: Apache-2.0 */
/* What people may ask a MASA: the rows of its admin table. */
#ifndef IDEVID_MASA_ADMIN_H
#define IDEVID_MASA_ADMIN_H

#include "idevid/admin/admin.h"
#include "idevid/masa/people.h"

/* What the rows work on; all borrowed. */
struct idv_masa_admin {
    struct idv_masa_people people;
    struct idv_masa_store store;
    const struct idv_masa_policy *policy; /* as configured; NULL: not known */
    bool running; /* asked of a service, not of a store at rest */
    /* puts what only the program knows into a status; may be NULL */
    idv_rc (*live)(void *arg, struct idv_json *out);
    void *arg;
};

/*
 * Path, members of what is asked, members of the answer; "issuer-keyid", in
 * hexadecimal, is needed only where several issuers have a device of that
 * serial number (409 without):
 *   /list       {"serial-number": ""}   rows of serial-number, issuer-keyid,
 *               maker, model, customer, owner, standing, blocked, reason
 *   /show       {"serial-number"}       {"devices": such rows, each with
 *               "registered": is its certificate here, "policy": what
 *               holds for it, rows of setting, value, from, "changes": what was
 *               said of it, rows of date, who, what, detail, "generations":
 *               rows of date, generation, domainID, back, "events": the
 *               newest, oldest first, "earlier": n of those left out}; 409:
 *               none
 *   /stand      {"serial-number" [, "issuer-keyid"], "standing": its word
 *               [, "reason"]}           the same
 *   /owner      {"serial-number" [, "issuer-keyid"] [, "certificate": base64
 *               DER of the domain CA; without it nobody knows]}
 *               {"serial-number", "owner", "subject"}; 403: who else could
 *               take its domainID for his own
 *   /registrar  {"certificate": base64 DER [, "name"], "nonceless": bool,
 *               "blocked": bool}        {"name", "nonceless", "blocked"}
 *   /registrars {}                      rows of sha256, name, nonceless,
 *               blocked
 *   /policy     {"of": "model", "customer" or "device", "subject": its name or
 *               serial number [, "issuer-keyid"], "set": {setting: value, ""
 *               for what is taken back}}   as /policies
 *   /policies   {"of", "subject" [, "issuer-keyid"]}: {"rows": of, subject,
 *               setting, value, "changes": rows of date, who, what, detail};
 *               {}: rows of all, in pages
 *   /status     {}   {"running", "log": {"entries", and of the last signed
 *               head "head-entries", "head-date"}, ...}
 *   /origins    {"certificate" of a domain CA or registrar as it is pinned
 *               [, "forget": true]}: rows of network, first-seen; what is
 *               forgotten is learnt anew
 *   /log        {"serial-number": ""}   rows of serial-number, date, domainID,
 *               nonce, assertion
 */
extern const struct idv_admin_row idv_masa_admin_rows[];

/* admin_change.c */
idv_rc idvi_masa_admin_stand(void *self,
                             const struct idv_admin_call *c) IDV_CHECKED;
idv_rc idvi_masa_admin_owner(void *self,
                             const struct idv_admin_call *c) IDV_CHECKED;
idv_rc idvi_masa_admin_registrar(void *self,
                                 const struct idv_admin_call *c) IDV_CHECKED;

idv_rc idvi_masa_admin_origins(void *self,
                               const struct idv_admin_call *c) IDV_CHECKED;
/* admin_policy.c */
idv_rc idvi_masa_admin_policy(void *self,
                              const struct idv_admin_call *c) IDV_CHECKED;
idv_rc idvi_masa_admin_policies(void *self,
                                const struct idv_admin_call *c) IDV_CHECKED;
/* "policy": what holds for the device, and where it is from. */
idv_rc idvi_masa_put_policy(const struct idv_masa_admin *a,
                            const struct idv_masa_device *d,
                            struct idv_json *o) IDV_CHECKED;

/* admin.c: rows of date, who, what, detail, as `changes` reads them into rows
 */
#define IDVI_MASA_SHOWN 50
struct idvi_masa_changes {
    struct idv_json *rows;
    idv_rc rc;
};
bool idvi_masa_change_each(void *arg, const struct idv_masa_change *c);

#endif
