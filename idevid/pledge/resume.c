/* SPDX-License-Identifier: Apache-2.0 */
/* The way through the domain: what is due next, also after a loss. */
#include <string.h>

#include <idevid/auto.h>

#include "pledge/pledge_priv.h"

#define MAX_LOSSES 2 /* connections in a row without an answer between */

static const struct {
    enum idv_verb verb;
    const char *path, *media, *accept;
} heads[STAGE_COUNT] = {
    [STAGE_STATUS] = {IDV_POST, IDV_PATH_VOUCHER_STATUS, "application/json",
                      ""},
    [STAGE_CACERTS] = {IDV_GET, IDV_PATH_CACERTS, "", IDV_MEDIA_PKCS7},
    [STAGE_CSRATTRS] = {IDV_GET, IDV_PATH_CSRATTRS, "", IDV_MEDIA_CSRATTRS},
    [STAGE_ENROLL] = {IDV_POST, IDV_PATH_SIMPLEENROLL, IDV_MEDIA_PKCS10,
                      IDV_MEDIA_PKCS7},
};

static enum idvi_stage due(const struct idvi_attempt *a)
{
    if (a->owe_status)
        return STAGE_STATUS;
    if (!a->anchors)
        return STAGE_CACERTS;
    return a->has_attrs ? STAGE_ENROLL : STAGE_CSRATTRS;
}

static void head(const struct idvi_attempt *a, enum idvi_stage stage,
                 struct idv_msg *m)
{
    m->verb = heads[stage].verb;
    strcpy(m->path, heads[stage].path);
    if (stage == STAGE_ENROLL && a->p->renewing)
        strcpy(m->path, IDV_PATH_SIMPLEREENROLL);
    strcpy(m->media, heads[stage].media);
    strcpy(m->accept, heads[stage].accept);
}

idv_rc idvi_domain_next(struct idvi_attempt *a, struct idv_ask *ask)
{
    const enum idvi_stage stage = due(a);
    ask->kind = IDV_ASK_EXCHANGE;
    head(a, stage, &ask->msg);
    idvi_stage(a, stage);
    if (stage == STAGE_STATUS)
        return idvi_telemetry(IDV_PATH_VOUCHER_STATUS, true, "", idv_str(""),
                              &ask->msg);
    return stage == STAGE_ENROLL ? idvi_enroll_body(a, &ask->msg) : IDV_OK;
}

idv_rc idvi_domain_hold(struct idvi_attempt *a, int seconds,
                        struct idv_ask *ask)
{
    return idvi_wait(a, STAGE_DOMAIN_WAIT, seconds, ask);
}

idv_rc idvi_domain_again(struct idvi_attempt *a, struct idv_told *told,
                         struct idv_ask *ask)
{
    (void)told;
    return idvi_domain_next(a, ask);
}

idv_rc idvi_domain_connect(struct idvi_attempt *a, struct idv_ask *ask)
{
    idvi_stage(a, STAGE_RESUME);
    if (a->attrs.challenge)
        idv_buf_free(&a->csr); /* it is bound to the connection that was */
    idvi_connect(a, a->p->renewing ? AS_MEMBER : AS_IDEVID, false, ask);
    head(a, due(a), &ask->connect.first);
    return IDV_OK;
}

void idvi_domain_forget(struct idvi_attempt *a)
{
    a->owe_status = 0;
    idv_certs_free(a->anchors);
    idv_certs_free(a->others);
    a->anchors = a->others = NULL;
    a->has_attrs = false;
    idv_csrattrs_free(&a->attrs);
    idv_buf_free(&a->csr);
}

/* The driver judged the chain during the handshake; what decides over our
 * credentials is judged here as well. */
idv_rc idvi_resumed(struct idvi_attempt *a, struct idv_told *told,
                    struct idv_ask *ask)
{
    IDV_TRY(idvi_take_peer(a, told));
    IDV_TRY(idv_trust_verify_server(a->p->conf.trust, a->chain));
    return idvi_domain_next(a, ask);
}

/* Never back to a voucher: the next connection is one within the domain. */
idv_rc idvi_domain_lost(struct idvi_attempt *a, struct idv_told *told,
                        struct idv_ask *ask)
{
    if (a->stage == STAGE_STATUS && a->owe_status)
        a->owe_status--;
    if (a->losses++ < MAX_LOSSES && a->stage != STAGE_RESUME) {
        idv_note_clear();
        return idvi_domain_connect(a, ask);
    }
    idvi_step *lost = idvi_attempt_lost;
    return idvi_attempt_failed(a, lost(a, told, ask), ask);
}
