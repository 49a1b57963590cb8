/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of EST, and what they carry: trust anchors, attributes. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/est.h>

#include "tests/fuzz/fuzz.h"

static void check_round_trip(const struct idv_buf *der)
{
    IDV_AUTO(buf) body = {0};
    IDV_AUTO(buf) back = {.max = 2 * IDV_MAX_BODY};
    PROMISE(der->n > 0 && der->n <= IDV_MAX_BODY);
    PROMISE(idv_est_body_from_der(idv_view(der), &body) == IDV_OK);
    if (body.n <= IDV_MAX_BODY) {
        PROMISE(idv_est_body_to_der(idv_view(&body), &back) == IDV_OK);
        PROMISE(idv_bytes_eq(idv_view(der), idv_view(&back)));
    }
}

static void read_replies(struct idv_msg *m)
{
    IDV_AUTO_PTR(idv_certs) anchors = NULL;
    IDV_AUTO_PTR(idv_certs) others = NULL;
    struct idv_csrattrs attrs = {0};
    m->status = 200;
    strcpy(m->media, IDV_MEDIA_CERTS_ONLY);
    if (idv_est_cacerts_read(m, NULL, &anchors, &others) == IDV_OK)
        PROMISE(sk_X509_num(anchors) > 0 && others);
    else
        PROMISE(!anchors && !others);
    strcpy(m->media, IDV_MEDIA_CSRATTRS);
    idv_note_clear();
    if (idv_est_csrattrs_read(m, &attrs) == IDV_OK)
        idv_csrattrs_free(&attrs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    IDV_AUTO(buf) der = {0};
    struct idv_msg m;
    idv_note_clear();
    if (idv_est_body_to_der(idv_bytes(data, n), &der) == IDV_OK)
        check_round_trip(&der);
    else
        PROMISE(der.n == 0 && *idv_note());
    idv_note_clear();
    idv_msg_init(&m);
    if (idv_buf_put(&m.body, idv_bytes(data, n)) == IDV_OK)
        read_replies(&m);
    idv_msg_free(&m);
    return 0;
}
