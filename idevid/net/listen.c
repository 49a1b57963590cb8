/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets: one per address and worker, and the admin socket. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "net/server_int.h"

#define BACKLOG 511

static idv_rc on(int fd, int level, int option)
{
    int one = 1;
    if (setsockopt(fd, level, option, &one, sizeof(one)) != 0)
        return idv_fail(IDV_E_NET, "socket option %d: %s", option,
                        strerror(errno));
    return IDV_OK;
}

/*
 * The first socket of an address is bound alone, so that a port in use is
 * found out; only then is it opened for the sockets of the other workers.
 */
static int bind_one(const struct addrinfo *a, bool first)
{
    int fd =
        socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    bool good = on(fd, SOL_SOCKET, SO_REUSEADDR) == IDV_OK &&
                on(fd, IPPROTO_TCP, TCP_NODELAY) == IDV_OK;
    if (good && a->ai_family == AF_INET6)
        good = on(fd, IPPROTO_IPV6, IPV6_V6ONLY) == IDV_OK;
    if (good && !first)
        good = on(fd, SOL_SOCKET, SO_REUSEPORT) == IDV_OK;
    if (good)
        good = bind(fd, a->ai_addr, a->ai_addrlen) == 0;
    if (good && first)
        good = on(fd, SOL_SOCKET, SO_REUSEPORT) == IDV_OK;
    if (good)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static idv_rc cannot(const struct idv_server_conf *conf, const char *where)
{
    return idv_fail(IDV_E_NET, "%s: cannot listen on %s: %s", conf->name, where,
                    strerror(errno));
}

static idv_rc describe(int fd, struct idv_server_bound *out)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof(a);
    char port[8];
    int64_t number;
    if (getsockname(fd, (struct sockaddr *)&a, &n) != 0 ||
        getnameinfo((struct sockaddr *)&a, n, out->host, sizeof(out->host),
                    port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return idv_fail(IDV_E_NET, "a listening socket has no address");
    IDV_TRY(idv_text_to_int(idv_str(port), 0, 65535, "port", &number));
    out->port = (uint16_t)number;
    return IDV_OK;
}

/* room for one more address in every slot: [slot][address] */
static idv_rc widen(struct idvi_sockets *s)
{
    int *fd = malloc((s->n + 1) * s->slots * sizeof(*fd));
    struct idv_server_bound *bound =
        realloc(s->bound, (s->n + 1) * sizeof(*bound));
    if (bound)
        s->bound = bound;
    if (!fd || !bound) {
        free(fd);
        return idv_fail(IDV_E_NOMEM, "out of memory");
    }
    for (size_t slot = 0; slot < s->slots; slot++) {
        if (s->n)
            memcpy(fd + slot * (s->n + 1), s->fd + slot * s->n,
                   s->n * sizeof(*fd));
        fd[slot * (s->n + 1) + s->n] = -1;
    }
    memset(&bound[s->n], 0, sizeof(*bound));
    free(s->fd);
    s->fd = fd;
    s->n++;
    return IDV_OK;
}

static idv_rc add_address(const struct idv_server_conf *conf,
                          struct idvi_sockets *s, const char *where,
                          const struct addrinfo *a)
{
    struct sockaddr_storage actual;
    struct addrinfo same = *a;
    socklen_t n = sizeof(actual);
    IDV_TRY(widen(s));
    for (size_t slot = 0; slot < s->slots; slot++) {
        int fd = bind_one(slot ? &same : a, slot == 0);
        if (fd < 0)
            return cannot(conf, where);
        s->fd[slot * s->n + s->n - 1] = fd;
        if (getsockname(fd, (struct sockaddr *)&actual, &n) != 0)
            return cannot(conf, where);
        same.ai_addr = (struct sockaddr *)&actual; /* port 0 is known now */
    }
    for (size_t slot = 0; slot < s->slots; slot++) {
        if (listen(s->fd[slot * s->n + s->n - 1], BACKLOG) != 0)
            return cannot(conf, where);
    }
    return describe(s->fd[s->n - 1], &s->bound[s->n - 1]);
}

/* "host:port" or "[v6]:port" */
static idv_rc split(const char *where, char *host, size_t room, char port[6])
{
    const char *colon = strrchr(where, ':');
    size_t n = colon ? (size_t)(colon - where) : 0;
    int64_t number;
    bool bracket = n > 1 && where[0] == '[' && where[n - 1] == ']';
    if (n == 0 || (!bracket && memchr(where, ':', n)))
        return idv_fail(IDV_E_ARG, "listen: '%s' is not host:port", where);
    struct idv_bytes h =
        bracket ? idv_bytes(where + 1, n - 2) : idv_bytes(where, n);
    IDV_TRY(idv_text_copy(host, room, h, "listen"));
    IDV_TRY(
        idv_text_to_int(idv_str(colon + 1), 0, 65535, "listen: port", &number));
    snprintf(port, 6, "%u", (unsigned)number & 0xffff);
    return IDV_OK;
}

/* of plain HTTP: the socket, and its row of bound */
static idv_rc keep(const struct idv_server_conf *conf, struct idvi_sockets *s,
                   struct idvi_plain *to, const char *where, int fd,
                   struct idv_server_bound **row)
{
    if (fd < 0)
        return cannot(conf, where);
    if (to->n == IDVI_PLAIN) {
        close(fd);
        return idv_fail(IDV_E_ARG, "%s: more than %d addresses of plain HTTP",
                        conf->name, IDVI_PLAIN);
    }
    to->fd[to->n++] = fd;
    size_t n = s->n + s->monitor.n + s->public.n + s->front.n;
    struct idv_server_bound *bound = realloc(s->bound, n * sizeof(*bound));
    if (!bound)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    s->bound = bound;
    *row = &bound[n - 1];
    **row = (struct idv_server_bound){.monitor = to == &s->monitor,
                                      .public = to == &s->public,
                                      .front = to == &s->front};
    return listen(fd, BACKLOG) == 0 ? IDV_OK : cannot(conf, where);
}

static idv_rc add_monitor(const struct idv_server_conf *conf,
                          struct idvi_sockets *s, const char *where,
                          const struct addrinfo *a)
{
    struct idv_server_bound *row;
    IDV_TRY(keep(conf, s, &s->monitor, where, bind_one(a, true), &row));
    return describe(s->monitor.fd[s->monitor.n - 1], row);
}

static idv_rc add_public(const struct idv_server_conf *conf,
                         struct idvi_sockets *s, const char *where,
                         const struct addrinfo *a)
{
    struct idv_server_bound *row;
    IDV_TRY(keep(conf, s, &s->public, where, bind_one(a, true), &row));
    return describe(s->public.fd[s->public.n - 1], row);
}

static idv_rc add_front(const struct idv_server_conf *conf,
                        struct idvi_sockets *s, const char *where,
                        const struct addrinfo *a)
{
    struct idv_server_bound *row;
    IDV_TRY(keep(conf, s, &s->front, where, bind_one(a, true), &row));
    return describe(s->front.fd[s->front.n - 1], row);
}

static idv_rc add(const struct idv_server_conf *conf, struct idvi_sockets *s,
                  const char *where,
                  idv_rc (*one)(const struct idv_server_conf *conf,
                                struct idvi_sockets *s, const char *where,
                                const struct addrinfo *a))
{
    char host[256], port[6];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    IDV_TRY(split(where, host, sizeof(host), port));
    int e = getaddrinfo(host, port, &hints, &list);
    if (e != 0)
        return idv_fail(IDV_E_ARG, "%s: cannot listen on %s: %s", conf->name,
                        where, gai_strerror(e));
    idv_rc rc = IDV_OK;
    for (struct addrinfo *a = list; a && rc == IDV_OK; a = a->ai_next)
        rc = one(conf, s, where, a);
    freeaddrinfo(list);
    return rc;
}

static idv_rc add_inherited(struct idvi_sockets *s, int fd)
{
    IDV_TRY(widen(s));
    for (size_t slot = 0; slot < s->slots; slot++)
        s->fd[slot * s->n + s->n - 1] = fd;
    if (evutil_make_socket_nonblocking(fd) != 0)
        return idv_fail(IDV_E_NET, "inherited socket %d: %s", fd,
                        strerror(errno));
    IDV_TRY(on(fd, IPPROTO_TCP, TCP_NODELAY));
    return describe(fd, &s->bound[s->n - 1]);
}

static idv_rc unix_address(const char *path, struct sockaddr_un *out)
{
    memset(out, 0, sizeof(*out));
    out->sun_family = AF_UNIX;
    return idv_text_copy(out->sun_path, sizeof(out->sun_path), idv_str(path),
                         "unix socket");
}

static bool answers(const struct sockaddr_un *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes =
        fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0;
    if (fd >= 0)
        close(fd);
    return yes;
}

/* (chown before chmod: never open to the group it had before) */
static int open_to_group(const char *path, gid_t gid)
{
    if (chown(path, (uid_t)-1, gid) != 0)
        return -1;
    return chmod(path, 0660);
}

static idv_rc open_unix(const struct idv_server_conf *conf, const char *path,
                        gid_t gid, int *out)
{
    struct sockaddr_un a;
    IDV_TRY(unix_address(path, &a));
    if (answers(&a)) {
        errno = EADDRINUSE;
        return cannot(conf, path);
    }
    unlink(path); /* left by a dead process, or not there */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return cannot(conf, path);
    *out = fd;
    /* on Linux the mode of the socket's inode becomes that of the file */
    if (fchmod(fd, 0600) != 0 ||
        bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        (gid && open_to_group(path, gid) != 0) || listen(fd, BACKLOG) != 0)
        return cannot(conf, path);
    return IDV_OK;
}

static idv_rc open_front(const struct idv_server_conf *conf,
                         struct idvi_sockets *s, const char *where)
{
    const char *path = idvi_front_path(where);
    struct idv_server_bound *row;
    int fd = -1;
    if (!path)
        return add(conf, s, where, add_front);
    idv_rc rc = open_unix(conf, path, conf->front.gid, &fd);
    if (rc != IDV_OK && fd >= 0)
        close(fd);
    IDV_TRY(rc);
    IDV_TRY(keep(conf, s, &s->front, where, fd, &row));
    return idv_text_copy(row->host, sizeof(row->host), idv_str(where), "front");
}

static idv_rc open_all(const struct idv_server_conf *conf,
                       struct idvi_sockets *s)
{
    for (size_t i = 0; i < conf->inherited_n; i++)
        IDV_TRY(add_inherited(s, conf->inherited[i]));
    for (size_t i = 0; conf->listen && conf->listen[i]; i++)
        IDV_TRY(add(conf, s, conf->listen[i], add_address));
    if (s->n == 0 && !(conf->front.listen && conf->front.listen[0]))
        return idv_fail(IDV_E_ARG, "%s: no address to listen on", conf->name);
    for (size_t i = 0; conf->monitor && conf->monitor[i]; i++)
        IDV_TRY(add(conf, s, conf->monitor[i], add_monitor));
    for (size_t i = 0; conf->public && conf->public[i]; i++)
        IDV_TRY(add(conf, s, conf->public[i], add_public));
    for (size_t i = 0; conf->front.listen && conf->front.listen[i]; i++)
        IDV_TRY(open_front(conf, s, conf->front.listen[i]));
    return conf->admin_path
               ? open_unix(conf, conf->admin_path, conf->admin_gid, &s->admin)
               : IDV_OK;
}

idv_rc idvi_sockets_open(const struct idv_server_conf *conf, size_t slots,
                         struct idvi_sockets *out)
{
    *out = (struct idvi_sockets){.slots = slots, .admin = -1};
    idv_rc rc = open_all(conf, out);
    if (rc != IDV_OK)
        idvi_sockets_close(conf, out);
    return rc;
}

static void close_front(const struct idvi_sockets *s)
{
    for (size_t i = 0; i < s->front.n; i++) {
        const char *path = idvi_front_path(
            s->bound[s->n + s->monitor.n + s->public.n + i].host);
        close(s->front.fd[i]);
        if (path)
            unlink(path);
    }
}

void idvi_sockets_close(const struct idv_server_conf *conf,
                        struct idvi_sockets *s)
{
    for (size_t slot = 0; slot < s->slots; slot++) {
        for (size_t i = conf->inherited_n; i < s->n; i++) {
            if (s->fd[slot * s->n + i] >= 0)
                close(s->fd[slot * s->n + i]);
        }
    }
    for (size_t i = 0; i < s->monitor.n; i++)
        close(s->monitor.fd[i]);
    for (size_t i = 0; i < s->public.n; i++)
        close(s->public.fd[i]);
    close_front(s);
    if (s->admin >= 0) {
        close(s->admin);
        unlink(conf->admin_path);
    }
    free(s->fd);
    free(s->bound);
    *s = (struct idvi_sockets){.admin = -1};
}
