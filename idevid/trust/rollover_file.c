/* SPDX-License-Identifier: Apache-2.0 */
/* The CAs that the pinned one led to, as a file beside the record. */
#include <idevid/auto.h>
#include <idevid/json.h>

#include "trust/rollover.h"
#include "trust/trust_priv.h"

/* {"version":1,"record":hex,"crosses":[base64...],"roots":[base64...]} */

#define WHAT "rollover"

idv_rc idvi_rollover_to_json(const struct idvi_rollover *r,
                             const uint8_t record[static IDV_RECORD_SIZE],
                             struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    IDV_TRY(idvi_json_begin(record, &root));
    IDV_TRY(idvi_json_put_certs(root, "crosses", r->crosses));
    IDV_TRY(idvi_json_put_certs(root, "roots", r->roots));
    return idv_json_dump(root, true, out);
}

static idv_rc read_all(const struct idv_json *root, struct idvi_rollover *r)
{
    IDV_TRY(idvi_json_certs(root, WHAT, "crosses", &r->crosses));
    IDV_TRY(idvi_json_certs(root, WHAT, "roots", &r->roots));
    const int n = sk_X509_num(r->roots);
    if (n != sk_X509_num(r->crosses) || n < 1 || n > IDVI_ROLLOVER_MAX)
        return idv_fail(IDV_E_FORMAT, WHAT ": %d roots and %d that sign over",
                        n, sk_X509_num(r->crosses));
    return IDV_OK;
}

idv_rc idvi_rollover_from_json(struct idv_bytes json,
                               const uint8_t record[static IDV_RECORD_SIZE],
                               struct idvi_rollover *out)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    struct idvi_rollover r = {0};
    IDV_TRY(idv_json_parse(json, IDV_MAX_FILE, &root));
    IDV_TRY(idvi_json_check(root, WHAT, record));
    idv_rc rc = read_all(root, &r);
    if (rc == IDV_OK)
        *out = r;
    else
        idvi_rollover_free(&r);
    return rc;
}

idv_rc idvi_rollover_load(struct idv_trust *t)
{
    IDV_AUTO(buf) file = {0};
    bool found;
    IDV_TRY(idvi_file_read(t->dir, IDVI_FILE_ROLLOVER, &found, &file));
    if (!found)
        return IDV_OK;
    IDV_TRY(idvi_rollover_from_json(idv_view(&file), t->raw, &t->rollover));
    return idvi_rollover_check(&t->rollover, t->pin);
}

idv_rc idvi_rollover_store(struct idv_trust *t, struct idvi_rollover *next)
{
    IDV_AUTO(buf) json = {.max = IDV_MAX_FILE};
    IDV_TRY(idvi_rollover_to_json(next, t->raw, &json));
    IDV_TRY(idvi_file_write(t->dir, IDVI_FILE_ROLLOVER, idv_view(&json)));
    idvi_rollover_free(&t->rollover);
    t->rollover = *next;
    *next = (struct idvi_rollover){0};
    return IDV_OK;
}
