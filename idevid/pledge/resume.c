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

static enum idvi_stage due(const struct idv_pledge *p)
{
    if (p->owe_status)
        return STAGE_STATUS;
    if (!p->anchors)
        return STAGE_CACERTS;
    return p->has_attrs ? STAGE_ENROLL : STAGE_CSRATTRS;
}

static void head(const struct idv_pledge *p, enum idvi_stage stage,
                 struct idv_msg *m)
{
    m->verb = heads[stage].verb;
    strcpy(m->path, heads[stage].path);
    if (stage == STAGE_ENROLL && p->renewing)
        strcpy(m->path, IDV_PATH_SIMPLEREENROLL);
    strcpy(m->media, heads[stage].media);
    strcpy(m->accept, heads[stage].accept);
}

idv_rc idvi_domain_next(struct idv_pledge *p, struct idv_ask *ask)
{
    const enum idvi_stage stage = due(p);
    ask->kind = IDV_ASK_EXCHANGE;
    head(p, stage, &ask->msg);
    p->stage = stage;
    if (stage == STAGE_STATUS)
        return idvi_telemetry(IDV_PATH_VOUCHER_STATUS, true, "", &ask->msg);
    return stage == STAGE_ENROLL ? idvi_enroll_body(p, &ask->msg) : IDV_OK;
}

idv_rc idvi_domain_connect(struct idv_pledge *p, struct idv_ask *ask)
{
    p->stage = STAGE_RESUME;
    if (p->attrs.challenge)
        idv_buf_free(&p->csr); /* it is bound to the connection that was */
    idvi_connect(p, p->renewing ? AS_LDEVID : AS_IDEVID, false, ask);
    head(p, due(p), &ask->connect.first);
    return IDV_OK;
}

void idvi_domain_forget(struct idv_pledge *p)
{
    p->owe_status = 0;
    idv_certs_free(p->anchors);
    idv_certs_free(p->others);
    p->anchors = p->others = NULL;
    p->has_attrs = false;
    idv_csrattrs_free(&p->attrs);
    idv_buf_free(&p->csr);
}

/* The driver judged the chain during the handshake; what decides over our
 * credentials is judged here as well. */
idv_rc idvi_resumed(struct idv_pledge *p, struct idv_told *told,
                    struct idv_ask *ask)
{
    IDV_TRY(idvi_take_peer(p, told));
    IDV_TRY(idv_trust_verify_server(p->conf.trust, p->chain));
    return idvi_domain_next(p, ask);
}

/* Never back to a voucher: the next connection is one within the domain. */
idv_rc idvi_domain_lost(struct idv_pledge *p, struct idv_told *told,
                        struct idv_ask *ask)
{
    if (p->stage == STAGE_ENROLL_WAIT)
        p->clock += p->waiting;
    if (p->stage == STAGE_STATUS && p->owe_status)
        p->owe_status--;
    if (p->losses++ < MAX_LOSSES && p->stage != STAGE_RESUME) {
        idv_note_clear();
        return idvi_domain_connect(p, ask);
    }
    idvi_step *lost = idvi_attempt_lost;
    return idvi_attempt_failed(p, lost(p, told, ask), ask);
}
