/* SPDX-License-Identifier: Apache-2.0 */
/* What a service tells machines: GET /metrics and GET /health. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/key.h>
#include <idevid/x509.h>

#include "service.h"

#define TRUST_MS 5000 /* so long a key that signed is taken to sign */
#define LOOK_MS 1000
#define METRICS "text/plain; version=0.0.4"

static idv_rc metrics(const struct service_monitor *m, struct idv_msg *reply)
{
    IDV_AUTO(buf) text = {.max = IDV_MAX_BODY};
    IDV_TRY(idv_meter_print(m->service->meter, m->service->board, &text));
    return idv_msg_reply(reply, 200, METRICS, idv_view(&text));
}

/* --- health --------------------------------------------------------------- */

static idv_rc check_workers(const struct service_monitor *m)
{
    struct idv_board_sum sum;
    idv_board_sum(m->service->board, &sum);
    if (sum.ready >= sum.workers)
        return IDV_OK;
    return idv_fail(IDV_E_STATE, "workers: %u of %u serve", sum.ready,
                    sum.workers);
}

/* (modules like SoftHSM see a token that comes back only as they begin) */
void service_token_again(struct service_monitor *m)
{
    const int64_t now = idv_ticks_ms();
    for (size_t i = 0; i < m->parts; i++)
        m->part[i].signed_at = 0;
    if (now < m->look_at)
        return;
    m->look_at = now + LOOK_MS;
    if (idv_tokens_again() != IDV_OK)
        return; /* the next try says what is wrong */
}

/* signs something, so that a token that is gone is found out */
static idv_rc check_key(struct service_part *m)
{
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    uint8_t text[32] = {0}, signature[1024];
    size_t n = sizeof(signature);
    if (m->signed_at && idv_ticks_ms() - m->signed_at < TRUST_MS)
        return IDV_OK;
    m->signed_at = 0;
    if (!ctx ||
        EVP_DigestSignInit(ctx, NULL, idv_digest_for(m->key), NULL, m->key) !=
            1 ||
        EVP_DigestSign(ctx, signature, &n, text, sizeof(text)) != 1)
        return idv_fail(IDV_E_DEVICE, "key: does not sign");
    m->signed_at = idv_ticks_ms();
    return IDV_OK;
}

static idv_rc check_parts_own(struct service_part *p)
{
    idv_rc rc = p->db ? idv_db_ping(p->db) : IDV_OK;
    if (rc != IDV_OK)
        return idv_fail_within(rc, "database");
    IDV_TRY(check_key(p));
    return p->check ? p->check(p->arg) : IDV_OK;
}

static idv_rc check_part(struct service_part *p)
{
    idv_rc rc = check_parts_own(p);
    return rc == IDV_OK || !p->name ? rc
                                    : idv_fail_within(rc, "tenant %s", p->name);
}

static idv_rc check(struct service_monitor *m)
{
    IDV_TRY(check_workers(m));
    idv_rc rc = IDV_OK;
    for (size_t i = 0; i < m->parts && rc == IDV_OK; i++)
        rc = check_part(&m->part[i]);
    if (rc == IDV_E_DEVICE)
        service_token_again(m);
    return rc;
}

static idv_rc put_health(idv_rc rc, struct idv_buf *text)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    char why[IDV_NOTE_MAX];
    snprintf(why, sizeof(why), "%s", idv_note());
    idv_note_clear();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(tool_put_text(o, "status", rc == IDV_OK ? "good" : "failing"));
    IDV_TRY(tool_put_text(o, "reason", why));
    return idv_json_dump(o, false, text);
}

static idv_rc health(struct service_monitor *m, struct idv_msg *reply)
{
    IDV_AUTO(buf) text = {.max = IDV_MAX_BODY};
    idv_rc rc = check(m);
    IDV_TRY(put_health(rc, &text));
    return idv_msg_reply(reply, rc == IDV_OK ? 200 : 503, "application/json",
                         idv_view(&text));
}

/* --- the service ---------------------------------------------------------- */

static idv_rc serve(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    (void)told;
    *next = IDV_NEXT_REPLY;
    idv_note_clear();
    if (call->req.verb != IDV_GET)
        return idv_msg_refuse(&call->reply, 405, "method not allowed");
    if (strcmp(call->req.path, "/metrics") == 0)
        return metrics(self, &call->reply);
    if (strcmp(call->req.path, "/health") == 0)
        return health(self, &call->reply);
    return idv_msg_refuse(&call->reply, 404, "not found");
}

struct idv_service service_monitor(struct service_monitor *m)
{
    return (struct idv_service){serve, m};
}
