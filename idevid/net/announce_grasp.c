/* SPDX-License-Identifier: Apache-2.0 */
/* The process that floods. It only ever sends: its socket is never read. */
#include "config.h" /* GNU extensions */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <idevid/auto.h>

#include "net/announce_int.h"
#include "net/grasp.h"

struct flooder {
    const struct idv_announce *a;
    const struct idv_server_bound *bound;
    size_t n;
    struct idvi_links links;
    int fd, signals;
    struct idvi_notices now;
    int64_t last_ms, next_ms;
};

/* --- sending -------------------------------------------------------------- */

static idv_rc send_one(const struct flooder *f, const struct idvi_notice *n,
                       uint32_t ttl_ms)
{
    IDV_AUTO(buf) flood = {.max = IDVI_GRASP_MAX};
    struct sockaddr_in6 to = {.sin6_family = AF_INET6,
                              .sin6_port = htons(IDVI_GRASP_PORT),
                              .sin6_scope_id = n->link};
    uint32_t session;
    inet_pton(AF_INET6, IDVI_GRASP_GROUP, &to.sin6_addr);
    IDV_TRY(idv_random(f->a->env, (uint8_t *)&session, sizeof(session)));
    IDV_TRY(idvi_flood_to_bytes(n, session, ttl_ms, &flood));
    if (sendto(f->fd, flood.p, flood.n, MSG_DONTWAIT, (struct sockaddr *)&to,
               sizeof(to)) < 0)
        return idv_fail(IDV_E_NET, "flood on %s: %s", n->interface,
                        strerror(errno));
    return IDV_OK;
}

/* last: takes them back */
static void flood(struct flooder *f, bool last)
{
    for (size_t i = 0; i < f->now.n; i++) {
        const struct idvi_notice *n = &f->now.at[i];
        uint32_t ttl_ms =
            last ? 1 : idvi_announce_ttl_ms(n->as, f->a->period_s);
        idv_rc rc = send_one(f, n, ttl_ms);
        if (rc != IDV_OK)
            idv_log_failure(f->a->env, "announce-failed", rc);
    }
    f->last_ms = idv_ticks_ms();
    f->next_ms =
        idvi_announce_next_ms(f->last_ms, f->last_ms, f->a->period_s, false);
}

/* --- what there is to say ------------------------------------------------- */

static const char *as_text(unsigned as)
{
    return as == IDV_ANNOUNCE_PROXY ? "proxy"
           : as == IDV_ANNOUNCE_EST ? "est"
                                    : "registrar";
}

static void log_notices(const struct flooder *f)
{
    char text[INET6_ADDRSTRLEN];
    if (f->now.n == 0)
        idv_log(f->a->env, IDV_LOG_WARN, "announce-nothing",
                "by=grasp reason=%s",
                idv_log_value("no address of these interfaces is served"));
    for (size_t i = 0; i < f->now.n; i++) {
        const struct idvi_notice *n = &f->now.at[i];
        inet_ntop(AF_INET6, &n->at, text, sizeof(text));
        idv_log(f->a->env, IDV_LOG_INFO, "announce",
                "by=grasp as=%s interface=%s address=%s port=%u",
                as_text(n->as), n->interface, text, n->port);
    }
}

static void changed(void *arg, const struct idvi_link *was,
                    const struct idvi_link *is)
{
    (void)arg, (void)was, (void)is; /* addresses count, too: see renew */
}

static void renew(struct flooder *f, bool first)
{
    struct idvi_notices is;
    idvi_announce_plan_grasp(f->a, &f->links.now, f->bound, f->n, &is);
    if (!first && idvi_notices_same(&is, &f->now))
        return;
    f->now = is;
    log_notices(f);
    f->next_ms = first ? idv_ticks_ms()
                       : idvi_announce_next_ms(f->last_ms, idv_ticks_ms(),
                                               f->a->period_s, true);
}

/* --- life ----------------------------------------------------------------- */

static idv_rc wait_for_news(struct flooder *f, bool *end)
{
    struct pollfd p[] = {{f->signals, POLLIN, 0}, {f->links.fd, POLLIN, 0}};
    int64_t left = f->next_ms - idv_ticks_ms();
    if (poll(p, 2, left < 0 ? 0 : (int)left) < 0 && errno != EINTR)
        return idv_fail(IDV_E_IO, "poll: %s", strerror(errno));
    *end = p[0].revents != 0;
    if (p[1].revents) {
        IDV_TRY(idvi_links_ready(&f->links, changed, f));
        renew(f, false);
    }
    return IDV_OK;
}

static idv_rc run(struct flooder *f)
{
    bool end = false;
    IDV_TRY(idvi_links_look(&f->links, changed, f));
    renew(f, true);
    while (!end) {
        if (idv_ticks_ms() >= f->next_ms)
            flood(f, false);
        IDV_TRY(wait_for_news(f, &end));
    }
    flood(f, true);
    return IDV_OK;
}

static idv_rc open_all(struct flooder *f)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    f->signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
    f->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (f->signals < 0 || f->fd < 0)
        return idv_fail(IDV_E_IO, "GRASP: %s", strerror(errno));
    return idvi_links_open(&f->links);
}

idv_rc idv_announce_grasp(void *announce, const struct idv_server_bound *bound,
                          size_t n)
{
    struct flooder f = {.a = announce,
                        .bound = bound,
                        .n = n,
                        .links.fd = -1,
                        .fd = -1,
                        .signals = -1};
    idv_rc rc = open_all(&f);
    if (rc == IDV_OK)
        rc = run(&f);
    idvi_links_close(&f.links);
    if (f.fd >= 0)
        close(f.fd);
    if (f.signals >= 0)
        close(f.signals);
    return rc;
}
