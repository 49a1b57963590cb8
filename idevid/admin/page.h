/* SPDX-License-Identifier: Apache-2.0 */
/* An answer that comes in pages, being filled (idevid/admin/admin.h). */
#ifndef IDEVID_ADMIN_PAGE_H
#define IDEVID_ADMIN_PAGE_H

#include "idevid/admin/admin.h"

struct idvi_admin_page {
    struct idv_json *rows, *next;
    unsigned n;
    idv_rc rc;
};

idv_rc idvi_admin_page_begin(struct idvi_admin_page *p) IDV_CHECKED;
/* Puts it into out; rc: of the listing that filled it. */
idv_rc idvi_admin_page_end(struct idvi_admin_page *p, idv_rc rc,
                           struct idv_json *out) IDV_CHECKED;
/* Appends o (taken) if what was put into it went well; whether to go on. */
bool idvi_admin_page_add(struct idvi_admin_page *p, struct idv_json *o,
                         idv_rc rc);
/* The next page goes on after this device. */
idv_rc idvi_admin_page_after(struct idvi_admin_page *p, const char *maker,
                             const char *serial) IDV_CHECKED;

#endif
