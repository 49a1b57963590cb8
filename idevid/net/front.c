/* SPDX-License-Identifier: Apache-2.0 */
/* A reverse proxy in front: whom we believe, and of whom a request is then. */
#include "config.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "net/server_int.h"

static const char cert_name[] = "Client-Cert",
                  chain_name[] = "Client-Cert-Chain",
                  pem_name[] = "X-SSL-Client-Cert",
                  from_name[] = "X-Forwarded-For";

const char *idvi_front_path(const char *where)
{
    return strncmp(where, "unix:", 5) == 0 ? where + 5 : NULL;
}

/* --- networks ------------------------------------------------------------- */

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

/* the address, IPv4 as it is mapped; bits: of what it has */
static bool read_address(const char *text, uint8_t at[static 16],
                         unsigned *bits)
{
    *bits = 128;
    if (inet_pton(AF_INET6, text, at) == 1)
        return true;
    memcpy(at, mapped, sizeof(mapped));
    *bits = 32;
    return inet_pton(AF_INET, text, at + sizeof(mapped)) == 1;
}

static idv_rc read_net(const char *text, struct idvi_net *out)
{
    char host[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    unsigned all;
    if (n >= sizeof(host) || !n)
        return idv_fail(IDV_E_ARG, "'%s' is not an address or network", text);
    memcpy(host, text, n);
    host[n] = 0;
    if (!read_address(host, out->at, &all))
        return idv_fail(IDV_E_ARG, "'%s' is not an address or network", text);
    int64_t bits = all;
    if (slash)
        IDV_TRY(idv_text_to_int(idv_str(slash + 1), 0, all, "network", &bits));
    out->bits = (unsigned)bits + 128 - all;
    return IDV_OK;
}

idv_rc idvi_front_nets(const struct idv_server_front *f, struct idvi_nets *out)
{
    *out = (struct idvi_nets){.n = 0};
    for (size_t i = 0; f->proxies && f->proxies[i]; i++) {
        if (out->n == IDVI_NETS)
            return idv_fail(IDV_E_ARG, "front: more than %d proxies",
                            IDVI_NETS);
        idv_rc rc = read_net(f->proxies[i], &out->net[out->n++]);
        if (rc != IDV_OK)
            return idv_fail_within(rc, "front: proxies");
    }
    return IDV_OK;
}

idv_rc idv_server_front_check(const struct idv_server_front *f)
{
    struct idvi_nets nets;
    IDV_TRY(idvi_front_nets(f, &nets));
    for (size_t i = 0; f->listen && f->listen[i]; i++) {
        const char *path = idvi_front_path(f->listen[i]);
        if (path && *path != '/')
            return idv_fail(IDV_E_ARG, "front: '%s' is not unix:/PATH",
                            f->listen[i]);
        if (!path && !nets.n)
            return idv_fail(IDV_E_ARG,
                            "front: on %s no proxy is trusted: proxies is "
                            "empty",
                            f->listen[i]);
    }
    return IDV_OK;
}

static bool is_in(const struct idvi_net *net, const uint8_t at[static 16])
{
    const unsigned whole = net->bits / 8, rest = net->bits % 8;
    const uint8_t mask = (uint8_t)(0xff00 >> rest);
    return memcmp(net->at, at, whole) == 0 &&
           (!rest || !((net->at[whole] ^ at[whole]) & mask));
}

static void address_of(const struct sockaddr_storage *a, uint8_t at[static 16])
{
    if (a->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)a;
        memcpy(at, &in6->sin6_addr, 16);
        return;
    }
    const struct sockaddr_in *in = (const void *)a;
    memcpy(at, mapped, sizeof(mapped));
    memcpy(at + sizeof(mapped), &in->sin_addr, 4);
}

/* --- who asks ------------------------------------------------------------- */

static bool trusts_local(const struct idvi_worker *w, int fd,
                         char address[static 64])
{
    struct idvi_local_peer who;
    bool good = idvi_local_peer(fd, w->conf->front.gid, &who);
    snprintf(address, 64, "unix:uid=%u", who.uid);
    return good;
}

static bool trusts(const struct idvi_worker *w, int fd, char address[static 64])
{
    struct sockaddr_storage a = {.ss_family = AF_UNSPEC};
    socklen_t n = sizeof(a);
    uint8_t at[16];
    strcpy(address, "?");
    if (fd < 0 || getpeername(fd, (struct sockaddr *)&a, &n) != 0)
        return false;
    if (a.ss_family == AF_UNIX)
        return trusts_local(w, fd, address);
    if (a.ss_family != AF_INET && a.ss_family != AF_INET6)
        return false;
    if (getnameinfo((struct sockaddr *)&a, n, address, 64, NULL, 0,
                    NI_NUMERICHOST) != 0)
        strcpy(address, "?");
    address_of(&a, at);
    for (size_t i = 0; i < w->proxies.n; i++) {
        if (is_in(&w->proxies.net[i], at))
            return true;
    }
    return false;
}

static bool admits(struct idvi_worker *w, int fd, char address[static 64])
{
    bool good = trusts(w, fd, address);
    if (!good && strcmp(address, "?") != 0) /* else it was cut off before */
        idv_log(w->conf->env, idvi_worker_warns(w), "front-refused", "peer=%s",
                address);
    return good;
}

bool idvi_front_trusts(struct idvi_worker *w, struct evhttp_request *req,
                       char address[static 64])
{
    struct evhttp_connection *c = evhttp_request_get_connection(req);
    struct bufferevent *bev = c ? evhttp_connection_get_bufferevent(c) : NULL;
    return bev && admits(w, bufferevent_getfd(bev), address);
}

/* --- at once, on TCP ------------------------------------------------------ */

struct arrival {
    struct idvi_worker *worker;
    struct bufferevent *bev;
};

static bool is_local(int fd)
{
    struct sockaddr_storage a = {.ss_family = AF_UNSPEC};
    socklen_t n = sizeof(a);
    return getpeername(fd, (struct sockaddr *)&a, &n) == 0 &&
           a.ss_family == AF_UNIX;
}

/* evhttp has given it its socket: strangers are not read, and hold none of ours
 * (on a unix socket the file's mode has kept them out, and 403 says why) */
static void arrived(evutil_socket_t none, short what, void *arg)
{
    struct arrival *a = arg;
    char address[64];
    int fd = bufferevent_getfd(a->bev);
    (void)none;
    (void)what;
    if (fd >= 0 && !is_local(fd) && !admits(a->worker, fd, address))
        shutdown(fd, SHUT_RDWR);
    bufferevent_decref(a->bev);
    free(a);
}

struct bufferevent *idvi_front_accept(struct event_base *base, void *worker)
{
    struct bufferevent *bev =
        bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    struct arrival *a = bev ? malloc(sizeof(*a)) : NULL;
    struct timeval now = {0};
    if (!a)
        return bev; /* judged when it asks */
    *a = (struct arrival){worker, bev};
    bufferevent_incref(bev);
    if (event_base_once(base, -1, EV_TIMEOUT, arrived, a, &now) != 0) {
        bufferevent_decref(bev);
        free(a);
    }
    return bev;
}

/* --- of whom -------------------------------------------------------------- */

/* the fields that say so; n: how often they are there */
struct said {
    const char *cert, *pem, *chain, *from;
    unsigned certs, pems, chains;
};

static void look_at(struct said *s, const char *key, const char *value)
{
    const struct idv_bytes name = idv_str(key);
    if (idv_text_eq_nocase(name, cert_name)) {
        s->cert = value;
        s->certs++;
    } else if (idv_text_eq_nocase(name, pem_name)) {
        s->pem = value;
        s->pems++;
    } else if (idv_text_eq_nocase(name, chain_name)) {
        s->chain = value;
        s->chains++;
    } else if (idv_text_eq_nocase(name, from_name))
        s->from = value; /* the last: what the proxy added */
}

static void look(struct evhttp_request *req, struct said *out)
{
    const struct evkeyval *h;
    *out = (struct said){.certs = 0};
    TAILQ_FOREACH(h, evhttp_request_get_input_headers(req), next)
    look_at(out, h->key, h->value);
}

const char *idvi_front_named(struct evhttp_request *req)
{
    struct said s;
    look(req, &s);
    if (s.cert)
        return cert_name;
    return s.pem ? pem_name : s.chain ? chain_name : NULL;
}

/* A proxy that lets through what a client sent would be seen here, too. */
static idv_rc check(const struct said *s, enum idv_front_form form)
{
    const bool escaped = form == IDV_FRONT_ESCAPED_PEM;
    if (escaped ? s->cert || s->chain : s->pem != NULL)
        return idv_fail(IDV_E_FORMAT, "%s is not from this proxy",
                        escaped ? s->cert ? cert_name : chain_name : pem_name);
    if (s->certs > 1 || s->pems > 1 || s->chains > 1)
        return idv_fail(IDV_E_FORMAT, "more than one %s",
                        s->pems > 1    ? pem_name
                        : s->certs > 1 ? cert_name
                                       : chain_name);
    if (s->chain && !s->cert)
        return idv_fail(IDV_E_FORMAT, "%s without %s", chain_name, cert_name);
    return IDV_OK;
}

static idv_rc take_chain(const struct said *s, enum idv_front_form form,
                         struct idv_peer *out)
{
    const char *leaf = s->cert ? s->cert : s->pem;
    IDV_AUTO_PTR(idv_certs) chain = NULL;
    if (!leaf)
        return IDV_OK;
    chain = sk_X509_new_null();
    if (!chain)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idvi_front_cert(form, idv_str(leaf), chain));
    if (s->chain)
        IDV_TRY(idvi_front_chain(idv_str(s->chain), chain));
    out->chain = idv_steal(&chain);
    return IDV_OK;
}

static idv_rc take_address(const char *from, struct idv_peer *out,
                           uint64_t *origin)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST,
                             .ai_socktype = SOCK_STREAM},
                    *a = NULL;
    char address[sizeof(out->address)];
    const char *comma = from ? strrchr(from, ',') : NULL;
    if (!from)
        return idv_fail(IDV_E_FORMAT, "%s is missing", from_name);
    IDV_TRY(idv_text_copy(address, sizeof(address),
                          idv_text_trim(idv_str(comma ? comma + 1 : from)),
                          from_name));
    if (!*address || getaddrinfo(address, NULL, &hints, &a) != 0)
        return idv_fail(IDV_E_FORMAT, "%s does not end in an address",
                        from_name);
    *origin = idvi_board_origin(a->ai_addr);
    freeaddrinfo(a);
    strcpy(out->address, address);
    return IDV_OK;
}

idv_rc idvi_front_peer(const struct idvi_worker *w, struct evhttp_request *req,
                       struct idv_peer *out, uint64_t *origin)
{
    const enum idv_front_form form = w->conf->front.form;
    struct said s;
    look(req, &s);
    out->fronted = true;
    out->connection = idvi_conn_number();
    IDV_TRY(take_address(s.from, out, origin));
    IDV_TRY(check(&s, form));
    return take_chain(&s, form, out);
}
