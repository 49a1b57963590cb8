/* SPDX-License-Identifier: Apache-2.0 */
/* What of the registrar's configuration does not go together. */
#include <idevid/codec.h>
#include <idevid/text.h>

#include "idevid/net/announce.h"
#include "registrar_conf.h"

static bool announces(const struct registrar_conf *c)
{
    return c->announce_grasp || c->announce_mdns || c->announce_est;
}

static idv_rc check_announce(const struct registrar_conf *c)
{
    if (announces(c) && idv_list_count(c->announce_on) == 0)
        return idv_fail(IDV_E_ARG, "announce.interfaces: where is not said");
    if (c->announce_est && c->cloud)
        return idv_fail(IDV_E_ARG,
                        "announce.est: a cloud registrar has no EST");
    if (c->announce_mdns && !idv_announce_mdns_built())
        return idv_fail(IDV_E_ARG, "announce.mdns: built without avahi");
    return IDV_OK;
}

static idv_rc check_cloud(const struct registrar_conf *c)
{
    struct idv_url url;
    if (!c->cloud_key != !c->cloud_cert)
        return idv_fail(IDV_E_ARG, "cloud.voucher-key and voucher-certificate "
                                   "go together");
    for (char **u = c->cloud_never_to; u && *u; u++)
        IDV_TRY(idv_url_from_text(idv_str(*u), &url));
    return IDV_OK;
}

/* A proxy has the connection that a request would be bound to. */
idv_rc registrar_check_binding(const struct registrar_conf *c,
                               const struct registrar_ca_conf *ca)
{
    if (c->service.front_listen && ca->challenge)
        return idv_fail(IDV_E_ARG,
                        "est.channel-binding: not with front.listen: behind a "
                        "proxy no request can be bound to its connection");
    return IDV_OK;
}

static idv_rc check_front(const struct registrar_conf *c)
{
    IDV_TRY(service_check_front(&c->service));
    if (!c->service.front_listen)
        return IDV_OK;
    IDV_TRY(registrar_check_binding(c, &c->ca));
    if (!c->service.listen && announces(c))
        return idv_fail(IDV_E_ARG, "announce: server.listen is empty, and a "
                                   "proxy in front is not announced");
    return IDV_OK;
}

idv_rc registrar_check_conf(const void *conf)
{
    const struct registrar_conf *c = conf;
    IDV_TRY(check_front(c));
    IDV_TRY(check_announce(c));
    return c->cloud ? check_cloud(c) : registrar_ca_check(&c->ca);
}
