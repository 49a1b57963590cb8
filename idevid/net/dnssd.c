/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds of questions to name servers, carried by c-ares. */
#include "net/dnssd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ares.h>
#include <arpa/inet.h>
#include <sys/socket.h>

#include <idevid/auto.h>

#include "net/dns_answer.h"
#include "net/dnssd_order.h"

#define SERVICE "_brski-registrar._tcp"
#define DOMAINS_MAX 4
#define INSTANCES_MAX 8
#define PLACES_MAX 16
#define ASKS_MAX (DOMAINS_MAX + INSTANCES_MAX + 2 * IDVI_SERVERS_MAX)

struct ask {
    struct idvi_dnssd_round *round;
    uint16_t type;
    size_t server; /* A, AAAA: whose address */
    struct idvi_name name;
};

struct place {
    size_t server;
    bool v6;
    struct in6_addr address;
};

struct idvi_dnssd_round {
    const struct idv_env *env;
    ares_channel channel;
    struct ask asks[ASKS_MAX];
    struct idvi_name instances[INSTANCES_MAX];
    struct idvi_server servers[IDVI_SERVERS_MAX];
    struct place places[PLACES_MAX];
    size_t n_asks, n_instances, n_servers, n_places;
    size_t pending;
    bool unsure; /* a question was not answered */
    uint32_t ttl;
};

bool idvi_dnssd_built(void)
{
    return true;
}

/* --- one question, one answer ------------------------------------------- */

static void answered(void *arg, int status, int timeouts, unsigned char *p,
                     int n);

static void send_ask(struct idvi_dnssd_round *r, const struct idvi_name *name,
                     uint16_t type, size_t server)
{
    IDV_AUTO(buf) query = {0};
    uint16_t id;
    if (r->n_asks == ASKS_MAX)
        return;
    struct ask *a = &r->asks[r->n_asks++];
    *a = (struct ask){r, type, server, *name};
    if (idv_random(r->env, (uint8_t *)&id, sizeof(id)) != IDV_OK ||
        idvi_dns_query(name, type, id, &query) != IDV_OK) {
        r->unsure = true;
        idv_note_clear();
        return;
    }
    r->pending++;
    ares_send(r->channel, query.p, (int)query.n, answered, a);
}

static void take_instance(struct idvi_dnssd_round *r,
                          const struct idvi_name *name)
{
    if (r->n_instances == INSTANCES_MAX ||
        !idvi_name_is_instance(name, SERVICE))
        return;
    for (size_t i = 0; i < r->n_instances; i++) {
        if (idvi_name_eq(&r->instances[i], name))
            return;
    }
    r->instances[r->n_instances++] = *name;
    send_ask(r, name, ns_t_srv, 0);
}

static void take_server(struct idvi_dnssd_round *r,
                        const struct idvi_record *record)
{
    struct idvi_server *s = &r->servers[r->n_servers];
    if (r->n_servers == IDVI_SERVERS_MAX || record->port == 0 ||
        !idvi_name_is_host(&record->name, s->host, sizeof(s->host)))
        return;
    s->priority = record->priority;
    s->weight = record->weight;
    s->port = record->port;
    send_ask(r, &record->name, ns_t_aaaa, r->n_servers);
    send_ask(r, &record->name, ns_t_a, r->n_servers);
    r->n_servers++;
}

/* An address where a registrar may be; DNS knows no links, and this machine is
 * not its own registrar because a name server says so. */
static bool is_place(const struct in6_addr *a, bool v6)
{
    if (v6)
        return !IN6_IS_ADDR_UNSPECIFIED(a) && !IN6_IS_ADDR_LOOPBACK(a) &&
               !IN6_IS_ADDR_MULTICAST(a) && !IN6_IS_ADDR_LINKLOCAL(a) &&
               !IN6_IS_ADDR_V4MAPPED(a) && !IN6_IS_ADDR_V4COMPAT(a);
    const uint8_t *b = a->s6_addr;
    return b[0] != 0 && b[0] != 127 && b[0] < 224 &&
           !(b[0] == 169 && b[1] == 254);
}

static void take_place(struct idvi_dnssd_round *r, const struct ask *a,
                       const struct idvi_record *record)
{
    bool v6 = a->type == ns_t_aaaa;
    if (r->n_places == PLACES_MAX || !is_place(&record->address, v6))
        return;
    r->places[r->n_places++] = (struct place){a->server, v6, record->address};
}

static void take(struct ask *a, const struct idvi_answer *answer)
{
    for (size_t i = 0; i < answer->n; i++) {
        if (a->type == ns_t_ptr)
            take_instance(a->round, &answer->at[i].name);
        else if (a->type == ns_t_srv)
            take_server(a->round, &answer->at[i]);
        else
            take_place(a->round, a, &answer->at[i]);
    }
}

static void answered(void *arg, int status, int timeouts, unsigned char *p,
                     int n)
{
    struct ask *a = arg;
    struct idvi_dnssd_round *r = a->round;
    struct idvi_answer answer;
    (void)timeouts;
    if (status == ARES_EDESTRUCTION)
        return;
    r->pending--;
    idv_rc rc = status == ARES_SUCCESS
                    ? idvi_dns_answer(idv_bytes(p, (size_t)n), &a->name,
                                      a->type, &answer)
                    : idv_fail(IDV_E_NET, "DNS: %s", ares_strerror(status));
    if (rc == IDV_OK) {
        if (answer.n > 0 && answer.ttl < r->ttl)
            r->ttl = answer.ttl;
        take(a, &answer);
        return;
    }
    r->unsure = true;
    idv_log(r->env, IDV_LOG_DEBUG, "dns-unanswered", "reason=%s",
            idv_log_value(idv_note()));
    idv_note_clear();
}

/* --- a round ------------------------------------------------------------ */

static void ask_domain(struct idvi_dnssd_round *r, const char *domain)
{
    struct idvi_name in, service;
    if (idvi_name_from_text(idv_str(domain), &in) == IDV_OK &&
        idvi_name_within(SERVICE, &in, &service) == IDV_OK)
        send_ask(r, &service, ns_t_ptr, 0);
    idv_note_clear();
}

static void ask_searched(struct idvi_dnssd_round *r)
{
    struct ares_options o;
    int mask;
    if (ares_save_options(r->channel, &o, &mask) != ARES_SUCCESS)
        return;
    for (int i = 0; i < o.ndomains && i < DOMAINS_MAX; i++)
        ask_domain(r, o.domains[i]);
    ares_destroy_options(&o);
}

static void free_round(struct idvi_dnssd_round *r)
{
    if (r)
        ares_destroy(r->channel);
    free(r);
}

static idv_rc new_round(const struct idvi_dnssd *s,
                        struct idvi_dnssd_round **out)
{
    struct ares_options o = {
        .flags = ARES_FLAG_EDNS,
        .timeout = 1500,
        .tries = 2,
        .ednspsz = IDVI_DNS_UDP,
    };
    struct idvi_dnssd_round *r = calloc(1, sizeof(*r));
    if (!r)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    r->env = s->env;
    r->ttl = IDVI_DNSSD_KEEP_S;
    int rc = ares_init_options(&r->channel, &o,
                               ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS |
                                   ARES_OPT_TRIES | ARES_OPT_EDNSPSZ);
    if (rc != ARES_SUCCESS) {
        free(r);
        return idv_fail(IDV_E_NET, "DNS: %s", ares_strerror(rc));
    }
    if (s->name_servers)
        rc = ares_set_servers_ports_csv(r->channel, s->name_servers);
    if (rc != ARES_SUCCESS) {
        free_round(r);
        return idv_fail(IDV_E_ARG, "name servers %s: %s", s->name_servers,
                        ares_strerror(rc));
    }
    *out = r;
    return IDV_OK;
}

static void begin(struct idvi_dnssd *s)
{
    if (new_round(s, &s->round) != IDV_OK) {
        idv_log_failure(s->env, "dns-sd-unable", IDV_E_NET);
        return;
    }
    if (!s->domains)
        ask_searched(s->round);
    for (size_t i = 0; s->domains && s->domains[i]; i++)
        ask_domain(s->round, s->domains[i]);
}

static void offer(const struct idvi_dnssd *s, const struct place *p,
                  int64_t until_ms)
{
    struct idv_offer o = {
        .origin = IDV_FROM_DNSSD,
        .port = s->round->servers[p->server].port,
    };
    inet_ntop(p->v6 ? AF_INET6 : AF_INET, &p->address, o.host, sizeof(o.host));
    idvi_book_put(s->book, &o, 0, until_ms);
}

static void tell(struct idvi_dnssd *s, int64_t now_ms)
{
    const struct idvi_dnssd_round *r = s->round;
    size_t order[IDVI_SERVERS_MAX];
    int64_t until_ms = now_ms + (int64_t)r->ttl * 1000;
    idvi_servers_order(r->servers, r->n_servers, s->env, order);
    idvi_book_begin(s->book, IDV_FROM_DNSSD);
    for (size_t i = 0; i < r->n_servers; i++) {
        for (size_t j = 0; j < r->n_places; j++) {
            if (r->places[j].server == order[i])
                offer(s, &r->places[j], until_ms);
        }
    }
    idvi_book_end(s->book, IDV_FROM_DNSSD, r->unsure ? now_ms : IDVI_NEVER);
}

/* after everything that may have been the last answer, or no question at all */
static void end_if_over(struct idvi_dnssd *s, int64_t now_ms)
{
    if (s->round && s->round->pending > 0)
        return;
    if (s->round)
        tell(s, now_ms);
    free_round(idv_steal(&s->round));
    s->due_ms = now_ms + s->pause_ms;
    s->pause_ms = s->pause_ms < IDVI_DNSSD_MOST_MS / 2 ? 2 * s->pause_ms
                                                       : IDVI_DNSSD_MOST_MS;
}

/* --- in time ------------------------------------------------------------ */

idv_rc idvi_dnssd_init(struct idvi_dnssd *s)
{
    struct idvi_dnssd_round *trial = NULL;
    struct idvi_name name;
    for (size_t i = 0; s->domains && s->domains[i]; i++) {
        if (i == DOMAINS_MAX ||
            idvi_name_from_text(idv_str(s->domains[i]), &name) != IDV_OK)
            return idv_fail_within(IDV_E_ARG, "%s", s->domains[i]);
    }
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return idv_fail(IDV_E_NOMEM, "DNS: no c-ares");
    idv_rc rc = s->name_servers ? new_round(s, &trial) : IDV_OK;
    free_round(trial);
    if (rc != IDV_OK)
        ares_library_cleanup();
    s->round = NULL;
    s->pause_ms = IDVI_DNSSD_FIRST_MS;
    s->due_ms = idv_ticks_ms();
    return rc;
}

void idvi_dnssd_free(struct idvi_dnssd *s)
{
    free_round(idv_steal(&s->round));
    ares_library_cleanup();
}

void idvi_dnssd_anew(struct idvi_dnssd *s, int64_t now_ms)
{
    free_round(idv_steal(&s->round)); /* it may have begun without a network */
    s->pause_ms = IDVI_DNSSD_FIRST_MS;
    s->due_ms = now_ms;
}

size_t idvi_dnssd_fds(const struct idvi_dnssd *s, struct pollfd *out,
                      size_t max)
{
    ares_socket_t fds[ARES_GETSOCK_MAXNUM];
    size_t n = 0;
    if (!s->round)
        return 0;
    /* (what c-ares has for these shifts into the sign) */
    unsigned bits =
        (unsigned)ares_getsock(s->round->channel, fds, ARES_GETSOCK_MAXNUM);
    for (int i = 0; i < ARES_GETSOCK_MAXNUM && n < max; i++) {
        short events = 0;
        if (bits >> i & 1)
            events |= POLLIN;
        if (bits >> (i + ARES_GETSOCK_MAXNUM) & 1)
            events |= POLLOUT;
        if (events)
            out[n++] = (struct pollfd){.fd = fds[i], .events = events};
    }
    return n;
}

int64_t idvi_dnssd_due(const struct idvi_dnssd *s, int64_t now_ms)
{
    struct timeval tv;
    if (!s->round)
        return s->due_ms;
    if (!ares_timeout(s->round->channel, NULL, &tv))
        return IDVI_NEVER;
    return now_ms + tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000;
}

void idvi_dnssd_ready(struct idvi_dnssd *s, const struct pollfd *fds, size_t n,
                      int64_t now_ms)
{
    struct pollfd ours[ARES_GETSOCK_MAXNUM];
    if (!s->round && s->due_ms > now_ms)
        return;
    if (!s->round)
        begin(s);
    size_t m = idvi_dnssd_fds(s, ours, ARES_GETSOCK_MAXNUM);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < m; j++) {
            if (fds[i].fd == ours[j].fd && fds[i].revents)
                ares_process_fd(
                    s->round->channel,
                    fds[i].revents & ~POLLOUT ? fds[i].fd : ARES_SOCKET_BAD,
                    fds[i].revents & POLLOUT ? fds[i].fd : ARES_SOCKET_BAD);
        }
    }
    if (s->round)
        ares_process_fd(s->round->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    end_if_over(s, now_ms);
}
