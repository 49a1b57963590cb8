/* SPDX-License-Identifier: Apache-2.0 */
/* A line that breaks, one connection at a time, in a thread of its own. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/badline.h"

enum { DRIP_MS = 40 };

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "badline: %s failed\n", what);
    abort();
}

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static int tcp(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0, "socket");
    return fd;
}

/* a RST instead of a FIN */
static void reset(int fd)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static bool send_all(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* the test is over */
static bool ended(struct badline *l, int ms)
{
    struct pollfd p = {l->stop[0], POLLIN, 0};
    return poll(&p, 1, ms) > 0;
}

/* until the client is gone; what it says is of no interest */
static void stall(struct badline *l, int client)
{
    uint8_t part[4096];
    struct pollfd p[] = {{client, POLLIN, 0}, {l->stop[0], POLLIN, 0}};
    while (poll(p, 2, -1) > 0 && !p[1].revents) {
        if (recv(client, part, sizeof(part), 0) <= 0)
            return;
    }
}

static bool drip(struct badline *l, int client, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (ended(l, DRIP_MS) || !send_all(client, p + i, 1))
            return false;
    }
    return true;
}

/* what the server said after the place was reached; false: the end */
static bool strike(struct badline *l, int client, uint8_t *p, size_t n)
{
    const bool first = !atomic_exchange(&l->struck, true);
    switch (l->fault) {
    case BADLINE_FLIP:
        p[0] ^= first ? 4 : 0;
        return send_all(client, p, n);
    case BADLINE_DRIP:
        return drip(l, client, p, n);
    case BADLINE_STALL:
        stall(l, client);
        return false;
    case BADLINE_STRIKE:
        l->on_strike(l->arg);
        return false;
    case BADLINE_RESET:
        reset(client);
        return false;
    default:
        return false;
    }
}

static bool goes_on(const struct badline *l)
{
    return l->fault == BADLINE_FLIP || l->fault == BADLINE_DRIP;
}

static bool pass_down(struct badline *l, int server, int client)
{
    uint8_t part[16384];
    ssize_t got = recv(server, part, sizeof(part), 0);
    if (got <= 0)
        return false;
    size_t n = (size_t)got, before = 0;
    const bool over = l->struck && !goes_on(l);
    const size_t passed = atomic_fetch_add(&l->passed, n);
    if (l->fault == BADLINE_GOOD || over || passed + n <= l->at)
        return send_all(client, part, n);
    if (passed < l->at)
        before = l->at - passed;
    return send_all(client, part, before) &&
           strike(l, client, part + before, n - before);
}

static bool pass_up(int client, int server)
{
    uint8_t part[16384];
    ssize_t got = recv(client, part, sizeof(part), 0);
    return got > 0 && send_all(server, part, (size_t)got);
}

static void carry(struct badline *l, int client, int server)
{
    struct pollfd p[] = {
        {client, POLLIN, 0}, {server, POLLIN, 0}, {l->stop[0], POLLIN, 0}};
    while (poll(p, 3, -1) > 0 && !p[2].revents) {
        if (p[1].revents && !pass_down(l, server, client))
            return;
        if (p[0].revents && !pass_up(client, server))
            return;
    }
}

static void one_connection(struct badline *l, int client)
{
    struct sockaddr_in to = loopback(l->server);
    int server = tcp();
    l->connections++;
    if (!(l->lasts && l->struck) &&
        connect(server, (struct sockaddr *)&to, sizeof(to)) == 0)
        carry(l, client, server);
    close(server);
    close(client);
}

static void *serve(void *arg)
{
    struct badline *l = arg;
    struct pollfd p[] = {{l->listener, POLLIN, 0}, {l->stop[0], POLLIN, 0}};
    while (poll(p, 2, -1) > 0 && !p[1].revents) {
        int client = accept(l->listener, NULL, NULL);
        if (client >= 0)
            one_connection(l, client);
    }
    return NULL;
}

void badline_start(struct badline *l, uint16_t server)
{
    struct sockaddr_in a = loopback(0);
    socklen_t n = sizeof(a);
    l->server = server;
    l->listener = tcp();
    must(bind(l->listener, (struct sockaddr *)&a, n) == 0 &&
             listen(l->listener, 8) == 0 &&
             getsockname(l->listener, (struct sockaddr *)&a, &n) == 0 &&
             pipe(l->stop) == 0,
         "listen");
    l->port = ntohs(a.sin_port);
    must(pthread_create(&l->thread, NULL, serve, l) == 0, "thread");
}

void badline_stop(struct badline *l)
{
    close(l->stop[1]);
    pthread_join(l->thread, NULL);
    close(l->stop[0]);
    close(l->listener);
}
