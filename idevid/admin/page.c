/* SPDX-License-Identifier: Apache-2.0 */
/* Answers in pages. */
#include "idevid/admin/page.h"

idv_rc idvi_admin_page_begin(struct idvi_admin_page *p)
{
    *p = (struct idvi_admin_page){.rows = idv_json_new_array()};
    return p->rows ? IDV_OK : idv_fail(IDV_E_NOMEM, "out of memory");
}

idv_rc idvi_admin_page_end(struct idvi_admin_page *p, idv_rc rc,
                           struct idv_json *out)
{
    idv_rc put = idv_json_set(out, "rows", p->rows);
    if (put == IDV_OK && p->n == IDV_ADMIN_PAGE)
        put = idv_json_set(out, "next", p->next);
    else
        idv_json_free(p->next);
    return rc != IDV_OK ? rc : p->rc != IDV_OK ? p->rc : put;
}

bool idvi_admin_page_add(struct idvi_admin_page *p, struct idv_json *o,
                         idv_rc rc)
{
    p->rc = rc;
    if (rc != IDV_OK)
        idv_json_free(o);
    else
        p->rc = idv_json_append(p->rows, o);
    p->n++;
    return p->rc == IDV_OK;
}

idv_rc idvi_admin_page_after(struct idvi_admin_page *p, const char *maker,
                             const char *serial)
{
    idv_json_free(p->next);
    p->next = idv_json_new_object();
    if (!p->next)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_admin_put_text(p->next, "maker", maker));
    return idv_admin_put_text(p->next, "serial-number", serial);
}
