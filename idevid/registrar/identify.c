/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks: the TLS client certificate, judged. */
#include <string.h>

#include "idevid/registrar/registrar_call.h"

static idv_rc take_leaf(struct idvi_reg_call *c)
{
    struct idv_peer *peer = c->call->peer;
    if (!peer || sk_X509_num(peer->chain) <= 0)
        return idvi_refuse(&c->no, 403, "no-client-cert",
                           "client certificate required");
    c->leaf = sk_X509_value(peer->chain, 0);
    return idv_peer_sha256(peer, c->leaf_sha256);
}

/* One connection shows one chain, and time is whole seconds. */
static void recall_maker(struct idvi_reg_call *c)
{
    struct idvi_made *m = &c->reg->made;
    uint64_t connection = c->call->peer->connection;
    size_t at = connection % IDVI_MADE;
    pthread_mutex_lock(&m->lock);
    if (connection && m->by[at].connection == connection &&
        m->by[at].at == c->now &&
        memcmp(m->by[at].leaf_sha256, c->leaf_sha256, 32) == 0)
        c->maker = m->by[at].maker;
    pthread_mutex_unlock(&m->lock);
}

static void keep_maker(struct idvi_reg_call *c,
                       const struct idv_registrar_maker *maker)
{
    struct idvi_made *m = &c->reg->made;
    size_t at = c->call->peer->connection % IDVI_MADE;
    pthread_mutex_lock(&m->lock);
    m->by[at].connection = c->call->peer->connection;
    memcpy(m->by[at].leaf_sha256, c->leaf_sha256, 32);
    m->by[at].at = c->now;
    m->by[at].maker = maker;
    pthread_mutex_unlock(&m->lock);
}

static bool made_by(struct idvi_reg_call *c,
                    const struct idv_registrar_maker *maker)
{
    struct idv_chain_policy policy = {
        .anchors = maker->anchors,
        .extra = c->call->peer->chain,
        .partial = true,
        .check_time = idv_clock_trusted(c->reg->env),
        .now = c->now,
        .ignore_leaf_expiry = maker->ignore_expiry,
    };
    if (idv_chain_verify(c->leaf, &policy) != IDV_OK)
        return false;
    keep_maker(c, maker);
    return true;
}

/* R-R-7: where nobody else can reach us, a claim may do. It still has the
 * certificate's key, which the request must be signed with. */
static void take_unproven(struct idvi_reg_call *c)
{
    for (size_t i = 0; i < c->reg->conf.n_makers && !c->maker; i++) {
        if (c->reg->conf.makers[i].unauthenticated)
            c->maker = &c->reg->conf.makers[i];
    }
    if (c->maker)
        idvi_reg_reduced(c, "unauthenticated-devices");
}

/* A certificate of a known maker is to be shown: the request may be another's,
 * said again. What is left out of that to be taken for less is somebody else's
 * (idv_peer_sha256). */
static idv_rc find_claimed(struct idvi_reg_call *c)
{
    for (size_t i = 0; i < c->reg->conf.n_makers; i++) {
        if (made_by(c, &c->reg->conf.makers[i]))
            return idvi_refuse(&c->no, 403, "idevid-not-shown",
                               "an IDevID is to be shown in TLS");
    }
    take_unproven(c);
    return c->maker ? IDV_OK
                    : idvi_refuse(&c->no, 403, "no-client-cert",
                                  "client certificate required");
}

static idv_rc find_maker(struct idvi_reg_call *c)
{
    if (c->call->peer->claimed)
        return find_claimed(c);
    recall_maker(c);
    if (c->maker)
        return IDV_OK;
    for (size_t i = 0; i < c->reg->conf.n_makers && !c->maker; i++) {
        if (made_by(c, &c->reg->conf.makers[i]))
            c->maker = &c->reg->conf.makers[i];
    }
    if (!c->maker && c->reg->conf.unauthenticated)
        take_unproven(c);
    if (!c->maker)
        return idvi_refuse(&c->no, 403, "idevid-chain",
                           "manufacturer is not accepted here");
    idv_note_clear();
    return IDV_OK;
}

idv_rc idvi_reg_identify(struct idvi_reg_call *c)
{
    IDV_TRY(take_leaf(c));
    IDV_TRY(find_maker(c));
    return idvi_judge(&c->no, idvi_reg_device_of(c->leaf, c->maker, &c->id),
                      403, "idevid", "device certificate is not an IDevID");
}

idv_rc idvi_reg_recognise(struct idvi_reg_call *c)
{
    const struct idv_peer *peer = c->call->peer;
    bool member = false;
    if (!peer || sk_X509_num(peer->chain) <= 0)
        return IDV_OK;
    IDV_TRY(idvi_reg_ldevid(c, &member));
    if (member)
        return IDV_OK;
    idv_rc rc = idvi_reg_identify(c);
    if (rc == IDV_E_REJECT && c->no.status) {
        memset(&c->no, 0, sizeof(c->no));
        c->maker = NULL;
        rc = IDV_OK;
    }
    return rc;
}

static idv_rc issued_by(struct idvi_reg_call *c,
                        const struct idv_registrar_ca *ca, bool *found)
{
    struct idv_est_server *est = NULL;
    IDV_TRY(idv_est_server_new(&ca->est, c->reg->env, &est));
    idv_rc rc = idv_est_server_ldevid(est, c->leaf, c->call->peer->chain,
                                      c->renewal, found, &c->issued);
    idv_est_server_free(est);
    return rc;
}

/* Any of our CAs makes members. */
idv_rc idvi_reg_ldevid(struct idvi_reg_call *c, bool *found)
{
    const struct idv_registrar_conf *conf = &c->reg->conf;
    *found = false;
    IDV_TRY(take_leaf(c));
    if (c->call->peer->claimed)
        return IDV_OK;
    IDV_TRY(issued_by(c, &conf->ca, found));
    for (size_t i = 0; i < conf->n_labels && !*found; i++)
        IDV_TRY(issued_by(c, &conf->labels[i], found));
    return IDV_OK;
}
