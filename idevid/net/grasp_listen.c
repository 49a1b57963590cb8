/* SPDX-License-Identifier: Apache-2.0 */
/* One socket for all links; floods become offers. */
#include "config.h" /* GNU extensions */

#include "net/grasp_listen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#define AT_ONCE 32 /* datagrams per turn */

void idvi_grasp_init(struct idvi_grasp *g, const struct idv_env *env,
                     struct idvi_book *book)
{
    *g = (struct idvi_grasp){.env = env, .book = book, .fd = -1};
}

void idvi_grasp_free(struct idvi_grasp *g)
{
    if (g->fd >= 0)
        close(g->fd);
    g->fd = -1;
    g->n = 0;
}

/* --- links -------------------------------------------------------------- */

static bool set(int fd, int name, int value)
{
    return setsockopt(fd, IPPROTO_IPV6, name, &value, sizeof(value)) == 0;
}

/* Others on this machine may listen too. Groups that they joined are not ours
 * (IPV6_MULTICAST_ALL). */
static int open_socket(void)
{
    const int on = 1;
    struct sockaddr_in6 me = {
        .sin6_family = AF_INET6,
        .sin6_port = htons(IDVI_GRASP_PORT),
        .sin6_addr = IN6ADDR_ANY_INIT,
    };
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        set(fd, IPV6_V6ONLY, 1) && set(fd, IPV6_RECVPKTINFO, 1) &&
        set(fd, IPV6_MULTICAST_ALL, 0) &&
        bind(fd, (struct sockaddr *)&me, sizeof(me)) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static void cannot(const struct idvi_grasp *g, const char *interface)
{
    idv_log(g->env, IDV_LOG_WARN, "grasp-deaf", "interface=%s reason=%s",
            interface, idv_log_value(strerror(errno)));
}

void idvi_grasp_join(struct idvi_grasp *g, const struct idvi_link *link)
{
    struct ipv6_mreq group = {.ipv6mr_interface = link->index};
    if (g->n == IDVI_LINKS_MAX)
        return;
    if (g->fd < 0 && (g->fd = open_socket()) < 0) {
        cannot(g, link->name);
        return;
    }
    inet_pton(AF_INET6, IDVI_GRASP_GROUP, &group.ipv6mr_multiaddr);
    if (setsockopt(g->fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group,
                   sizeof(group)) != 0 &&
        errno != EADDRINUSE) { /* a member already */
        cannot(g, link->name);
        return;
    }
    g->joined[g->n] = link->index;
    snprintf(g->names[g->n++], IF_NAMESIZE, "%s", link->name);
    idv_log(g->env, IDV_LOG_DEBUG, "grasp-listening", "interface=%s",
            link->name);
}

static size_t find(const struct idvi_grasp *g, unsigned link)
{
    size_t i = 0;
    while (i < g->n && g->joined[i] != link)
        i++;
    return i;
}

void idvi_grasp_leave(struct idvi_grasp *g, unsigned index)
{
    struct ipv6_mreq group = {.ipv6mr_interface = index};
    size_t i = find(g, index);
    if (i == g->n)
        return;
    inet_pton(AF_INET6, IDVI_GRASP_GROUP, &group.ipv6mr_multiaddr);
    /* (fails when the interface is no more) */
    (void)setsockopt(g->fd, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &group,
                     sizeof(group));
    g->n--;
    g->joined[i] = g->joined[g->n];
    memcpy(g->names[i], g->names[g->n], IF_NAMESIZE);
    idvi_book_drop_link(g->book, IDV_FROM_GRASP, index);
}

/* --- floods ------------------------------------------------------------- */

static int64_t until(uint32_t ttl_ms, int64_t now_ms)
{
    int64_t ttl = ttl_ms;
    if (ttl == 0 || ttl > IDVI_FLOOD_MOST_MS)
        ttl = IDVI_FLOOD_MOST_MS;
    if (ttl < IDVI_FLOOD_LEAST_MS)
        ttl = IDVI_FLOOD_LEAST_MS;
    return now_ms + ttl;
}

static void offer(struct idvi_grasp *g, const struct in6_addr *address,
                  uint16_t port, size_t link, int64_t until_ms)
{
    struct idv_offer o = {.origin = IDV_FROM_GRASP, .port = port};
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, address, text, sizeof(text));
    snprintf(o.host, sizeof(o.host), "%s%%%s", text, g->names[link]);
    idvi_book_put(g->book, &o, g->joined[link], until_ms);
}

void idvi_grasp_heard(struct idvi_grasp *g, struct idv_bytes datagram,
                      const struct in6_addr *source, unsigned link,
                      int64_t now_ms)
{
    struct idvi_flood flood;
    size_t at = find(g, link);
    if (at == g->n || !IN6_IS_ADDR_LINKLOCAL(source))
        return;
    if (idvi_flood_from_bytes(datagram, &flood) != IDV_OK) {
        idv_log(g->env, IDV_LOG_DEBUG, "grasp-ignored",
                "interface=%s reason=%s", g->names[at],
                idv_log_value(idv_note()));
        idv_note_clear();
        return;
    }
    for (size_t i = 0; i < flood.n; i++)
        offer(g, &flood.at[i].address, flood.at[i].port, at,
              until(flood.ttl_ms, now_ms));
}

/* --- the socket --------------------------------------------------------- */

/* the interface by which a datagram to the group came; 0: not to the group */
static unsigned arrival(struct msghdr *m)
{
    struct in6_addr group;
    struct in6_pktinfo info;
    inet_pton(AF_INET6, IDVI_GRASP_GROUP, &group);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_PKTINFO)
            continue;
        memcpy(&info, CMSG_DATA(c), sizeof(info));
        return IN6_ARE_ADDR_EQUAL(&info.ipi6_addr, &group) ? info.ipi6_ifindex
                                                           : 0;
    }
    return 0;
}

static bool receive(struct idvi_grasp *g, int64_t now_ms)
{
    uint8_t data[IDVI_GRASP_MAX + 1]; /* one more shows that it is too long */
    union {
        struct cmsghdr head;
        uint8_t room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    } control;
    struct sockaddr_in6 from = {0};
    struct iovec io = {.iov_base = data, .iov_len = sizeof(data)};
    struct msghdr m = {
        .msg_name = &from,
        .msg_namelen = sizeof(from),
        .msg_iov = &io,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    ssize_t n = recvmsg(g->fd, &m, 0);
    if (n < 0)
        return false;
    unsigned link = arrival(&m);
    if (link)
        idvi_grasp_heard(g, idv_bytes(data, (size_t)n), &from.sin6_addr, link,
                         now_ms);
    return true;
}

void idvi_grasp_ready(struct idvi_grasp *g, int64_t now_ms)
{
    for (int i = 0; i < AT_ONCE && g->fd >= 0 && receive(g, now_ms); i++)
        ;
    if (idvi_book_due(g->book, IDV_FROM_GRASP) > now_ms)
        return;
    idvi_book_begin(g->book, IDV_FROM_GRASP);
    idvi_book_end(g->book, IDV_FROM_GRASP, now_ms);
}
