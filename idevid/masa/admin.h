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
};

/*
 * Path, members of what is asked, members of the answer; "issuer-keyid", in
 * hexadecimal, is needed only where several issuers have a device of that
 * serial number (409 without):
 *   /list       {"serial-number": ""}   rows of serial-number, issuer-keyid,
 *               maker, model, customer, owner, standing, blocked, reason
 *   /show       {"serial-number"}       {"devices": such rows, each with
 *               "registered": is its certificate here, "changes": what was
 *               said of it, rows of date, who, what, detail, "events": the
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

#endif
