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
static struct idvi_made_one *place_of(const struct idvi_reg_call *c)
{
    return &c->reg->made.by[c->call->peer->connection % IDVI_MADE];
}

static bool recall(struct idvi_reg_call *c)
{
    struct idvi_made *m = &c->reg->made;
    const struct idvi_made_one *one = place_of(c);
    const uint64_t connection = c->call->peer->connection;
    if (!connection || c->call->peer->claimed)
        return false;
    pthread_mutex_lock(&m->lock);
    const bool same = one->connection == connection && one->at == c->now &&
                      memcmp(one->leaf_sha256, c->leaf_sha256, 32) == 0;
    if (same) {
        c->maker = one->maker;
        c->id = one->id;
    }
    pthread_mutex_unlock(&m->lock);
    return same;
}

static void keep(struct idvi_reg_call *c)
{
    struct idvi_made *m = &c->reg->made;
    struct idvi_made_one *one = place_of(c);
    if (c->call->peer->claimed)
        return;
    pthread_mutex_lock(&m->lock);
    one->connection = c->call->peer->connection;
    memcpy(one->leaf_sha256, c->leaf_sha256, 32);
    one->at = c->now;
    one->maker = c->maker;
    one->id = c->id;
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
    return idv_chain_verify(c->leaf, &policy) == IDV_OK;
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
    if (recall(c))
        return IDV_OK;
    IDV_TRY(find_maker(c));
    IDV_TRY(idvi_judge(&c->no, idvi_reg_device_of(c->leaf, c->maker, &c->id),
                       403, "idevid", "device certificate is not an IDevID"));
    keep(c);
    return IDV_OK;
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
