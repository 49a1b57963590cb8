/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces and their addresses. An event says only that something changed:
 * what there is now is asked for anew, so that a lost one does no harm. */
#include "net/links.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* --- what the kernel answers -------------------------------------------- */

static struct idvi_link *find(struct idvi_links_table *t, unsigned index)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->at[i].index == index)
            return &t->at[i];
    }
    return NULL;
}

static bool can_be_used(unsigned flags)
{
    const unsigned all = IFF_UP | IFF_RUNNING | IFF_MULTICAST;
    return (flags & all) == all && !(flags & IFF_LOOPBACK);
}

static void take_link(struct idvi_links_table *t, struct nlmsghdr *m)
{
    struct ifinfomsg *info = NLMSG_DATA(m);
    int n = (int)(m->nlmsg_len - NLMSG_LENGTH(sizeof(*info)));
    if (t->n == IDVI_LINKS_MAX || find(t, (unsigned)info->ifi_index))
        return;
    struct idvi_link link = {
        .index = (unsigned)info->ifi_index,
        .running = can_be_used(info->ifi_flags),
    };
    for (struct rtattr *a = IFLA_RTA(info); RTA_OK(a, n); a = RTA_NEXT(a, n)) {
        if (a->rta_type == IFLA_IFNAME && RTA_PAYLOAD(a) > 0 &&
            RTA_PAYLOAD(a) <= sizeof(link.name))
            memcpy(link.name, RTA_DATA(a), RTA_PAYLOAD(a) - 1);
    }
    if (*link.name)
        t->at[t->n++] = link;
}

/* (optimistic ones are still being probed too, but may be used: RFC 4429) */
static bool is_usable(unsigned flags)
{
    return !(flags & IFA_F_DADFAILED) &&
           (!(flags & IFA_F_TENTATIVE) || (flags & IFA_F_OPTIMISTIC));
}

static void keep(struct idvi_link *link, int family, const struct rtattr *a)
{
    struct in6_addr *to = &link->at[link->at_n];
    size_t n = family == AF_INET6 ? 16 : 4;
    if (!a || RTA_PAYLOAD(a) != n || link->at_n == IDVI_LINK_ADDRESSES)
        return;
    memset(to, 0, sizeof(*to));
    if (n == 4)
        to->s6_addr[10] = to->s6_addr[11] = 0xff;
    memcpy(to->s6_addr + 16 - n, RTA_DATA(a), n);
    link->at_n++;
}

static void take_address(struct idvi_links_table *t, struct nlmsghdr *m)
{
    struct ifaddrmsg *info = NLMSG_DATA(m);
    int n = (int)(m->nlmsg_len - NLMSG_LENGTH(sizeof(*info)));
    struct idvi_link *link = find(t, info->ifa_index);
    unsigned flags = info->ifa_flags;
    const struct rtattr *address = NULL, *local = NULL;
    for (struct rtattr *a = IFA_RTA(info); RTA_OK(a, n); a = RTA_NEXT(a, n)) {
        if (a->rta_type == IFA_FLAGS && RTA_PAYLOAD(a) == sizeof(flags))
            memcpy(&flags, RTA_DATA(a), sizeof(flags));
        else if (a->rta_type == IFA_ADDRESS)
            address = a;
        else if (a->rta_type == IFA_LOCAL) /* address is its peer's then */
            local = a;
    }
    if (!link || !is_usable(flags))
        return;
    if (info->ifa_family == AF_INET6 && info->ifa_scope == RT_SCOPE_LINK)
        link->local6 = true;
    else if (info->ifa_family == AF_INET || info->ifa_family == AF_INET6)
        link->other = true;
    else
        return;
    if (!(flags & (IFA_F_TEMPORARY | IFA_F_DEPRECATED)))
        keep(link, info->ifa_family, local ? local : address);
}

bool idvi_links_take(struct idvi_links_table *t, struct idv_bytes answer)
{
    struct nlmsghdr *m = (struct nlmsghdr *)(uintptr_t)answer.p;
    size_t n = answer.n;
    for (; NLMSG_OK(m, n); m = NLMSG_NEXT(m, n)) {
        if (m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR)
            return true;
        if (m->nlmsg_type == RTM_NEWLINK &&
            m->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifinfomsg)))
            take_link(t, m);
        else if (m->nlmsg_type == RTM_NEWADDR &&
                 m->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifaddrmsg)))
            take_address(t, m);
    }
    return false;
}

/* --- asking ------------------------------------------------------------- */

static int open_socket(unsigned groups)
{
    struct sockaddr_nl me = {.nl_family = AF_NETLINK, .nl_groups = groups};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    NETLINK_ROUTE);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&me, sizeof(me)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The kernel has each piece of an answer ready when it is asked for: nothing
 * waits here. */
static idv_rc dump(int fd, unsigned short type, struct idvi_links_table *t)
{
    struct {
        struct nlmsghdr head;
        struct rtgenmsg what;
    } ask = {{.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)),
              .nlmsg_type = type,
              .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
             {.rtgen_family = AF_UNSPEC}};
    uint8_t piece[16384] __attribute__((aligned(NLMSG_ALIGNTO)));
    if (send(fd, &ask, ask.head.nlmsg_len, 0) < 0)
        return idv_fail(IDV_E_NET, "netlink: %s", strerror(errno));
    for (;;) {
        ssize_t n = recv(fd, piece, sizeof(piece), 0);
        if (n <= 0)
            return idv_fail(IDV_E_NET, "netlink: %s",
                            n == 0 ? "closed" : strerror(errno));
        if (idvi_links_take(t, idv_bytes(piece, (size_t)n)))
            return IDV_OK;
    }
}

static idv_rc look(struct idvi_links_table *t)
{
    int fd = open_socket(0);
    if (fd < 0)
        return idv_fail(IDV_E_NET, "netlink: %s", strerror(errno));
    idv_rc rc = dump(fd, RTM_GETLINK, t);
    if (rc == IDV_OK)
        rc = dump(fd, RTM_GETADDR, t);
    close(fd);
    return rc;
}

static bool same(const struct idvi_link *a, const struct idvi_link *b)
{
    return a->running == b->running && a->local6 == b->local6 &&
           a->other == b->other && strcmp(a->name, b->name) == 0;
}

idv_rc idvi_links_look(struct idvi_links *l, idvi_link_changed *changed,
                       void *arg)
{
    struct idvi_links_table was = l->now, is = {.n = 0};
    IDV_TRY(look(&is));
    l->now = is;
    for (size_t i = 0; i < was.n; i++) {
        if (!find(&is, was.at[i].index))
            changed(arg, &was.at[i], NULL);
    }
    for (size_t i = 0; i < is.n; i++) {
        const struct idvi_link *before = find(&was, is.at[i].index);
        if (!before || !same(before, &is.at[i]))
            changed(arg, before, &is.at[i]);
    }
    return IDV_OK;
}

idv_rc idvi_links_ready(struct idvi_links *l, idvi_link_changed *changed,
                        void *arg)
{
    uint8_t event[4096];
    bool any = false;
    for (int i = 0; i < 64; i++) { /* (a storm goes on another time) */
        if (recv(l->fd, event, sizeof(event), 0) < 0 && errno != ENOBUFS)
            break;
        any = true;
    }
    return any ? idvi_links_look(l, changed, arg) : IDV_OK;
}

idv_rc idvi_links_open(struct idvi_links *l)
{
    l->now.n = 0;
    l->fd = open_socket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
    if (l->fd < 0)
        return idv_fail(IDV_E_NET, "netlink: %s", strerror(errno));
    return IDV_OK;
}

void idvi_links_close(struct idvi_links *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}
