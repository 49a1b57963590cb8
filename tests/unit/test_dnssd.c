/* SPDX-License-Identifier: Apache-2.0 */
/* Unicast DNS-SD: names and answers, order, rounds against a name server that
 * says what it is told to say. */
#include "codec.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <idevid/discover.h>

#include "net/dns_answer.h"
#include "net/dnssd.h"
#include "net/dnssd_order.h"

#define SERVICE "_brski-registrar._tcp"

/* --- messages ----------------------------------------------------------- */

struct message {
    uint8_t p[4096];
    size_t n;
};

static void put(struct message *m, const void *p, size_t n)
{
    assert_true(n <= sizeof(m->p) - m->n);
    memcpy(m->p + m->n, p, n);
    m->n += n;
}

static void put16(struct message *m, unsigned v)
{
    put(m, (const uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static const char *asked = ""; /* in a reply: the name at its place 12 */

/* labels parted by '|', which a name cannot have */
static void put_name(struct message *m, const char *name)
{
    while (*name) {
        size_t n = strcspn(name, "|");
        put(m, &(uint8_t){(uint8_t)n}, 1);
        put(m, name, n);
        name += n + (name[n] == '|');
    }
    put(m, "", 1);
}

static void begin(struct message *m, unsigned rcode)
{
    static const uint8_t head[12] = {0x12, 0x34, 0x81, 0x80};
    m->n = 0;
    put(m, head, sizeof(head));
    m->p[3] |= (uint8_t)rcode;
}

/* a record of the answer: what it is of, and what it says */
static void begin_record(struct message *m, const char *owner, unsigned type,
                         uint32_t ttl, size_t *length)
{
    if (strcmp(owner, asked) == 0)
        put16(m, 0xc00c);
    else
        put_name(m, owner);
    put16(m, type);
    put16(m, ns_c_in);
    put16(m, ttl >> 16);
    put16(m, ttl & 0xffff);
    *length = m->n;
    put16(m, 0);
    m->p[7]++;
}

static void end_record(struct message *m, size_t length)
{
    m->p[length] = (uint8_t)((m->n - length - 2) >> 8);
    m->p[length + 1] = (uint8_t)(m->n - length - 2);
}

static void add_name(struct message *m, const char *owner, unsigned type,
                     uint32_t ttl, const char *name)
{
    size_t length;
    begin_record(m, owner, type, ttl, &length);
    put_name(m, name);
    end_record(m, length);
}

static void add_srv(struct message *m, const char *owner, unsigned priority,
                    unsigned weight, unsigned port, const char *host)
{
    size_t length;
    begin_record(m, owner, ns_t_srv, 300, &length);
    put16(m, priority);
    put16(m, weight);
    put16(m, port);
    put_name(m, host);
    end_record(m, length);
}

static void add_address(struct message *m, const char *owner, const char *text)
{
    uint8_t a[16];
    size_t length;
    bool v6 = strchr(text, ':');
    assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, text, a), 1);
    begin_record(m, owner, v6 ? ns_t_aaaa : ns_t_a, 120, &length);
    put(m, a, v6 ? 16 : 4);
    end_record(m, length);
}

/* --- names and answers -------------------------------------------------- */

static struct idvi_name name_of(const char *text)
{
    struct idvi_name n;
    OK(idvi_name_from_text(idv_str(text), &n));
    return n;
}

static idv_rc read_answer(const struct message *m, const char *of,
                          uint16_t type, struct idvi_answer *out)
{
    struct idvi_name n = name_of(of);
    return idvi_dns_answer(idv_bytes(m->p, m->n), &n, type, out);
}

static void names(void **state)
{
    static const char *const bad[] = {
        "",
        ".",
        "a..b",
        ".a",
        "a b",
        "a\\.b",
        "caf\xc3\xa9",
        "0123456789012345678901234567890123456789012345678901234567890123"};
    struct idvi_name n = name_of("Example.org."), in;
    char text[256], four[5] = "";
    (void)state;
    assert_int_equal(n.n, 13);
    assert_memory_equal(n.wire, "\7Example\3org", 13);
    in = name_of("example.ORG");
    assert_true(idvi_name_eq(&n, &in));
    assert_true(idvi_name_is_host(&n, text, sizeof(text)));
    assert_string_equal(text, "Example.org");
    assert_false(idvi_name_is_host(&n, four, sizeof(four)));
    OK(idvi_name_within(SERVICE, &n, &in));
    assert_false(idvi_name_is_host(&in, text, sizeof(text)));
    assert_false(idvi_name_is_instance(&in, SERVICE));
    OK(idvi_name_within("x." SERVICE, &n, &in));
    assert_true(idvi_name_is_instance(&in, SERVICE));
    assert_false(idvi_name_is_instance(&in, "_http._tcp"));
    in = name_of("x." SERVICE);
    assert_false(idvi_name_is_instance(&in, SERVICE));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        FAILS(IDV_E_FORMAT, "DNS", idvi_name_from_text(idv_str(bad[i]), &n));
    char longest[300];
    for (size_t i = 0; i < sizeof(longest); i++)
        longest[i] = i % 10 == 9 ? '.' : 'a';
    OK(idvi_name_from_text(idv_bytes(longest, 253), &n));
    assert_int_equal(n.n, 255);
    FAILS(IDV_E_FORMAT, "DNS",
          idvi_name_from_text(idv_bytes(longest, 254 + 1), &n));
    FAILS(IDV_E_FORMAT, "too long", idvi_name_within("a", &n, &in));
}

static void answers(void **state)
{
    struct message m;
    struct idvi_answer a;
    (void)state;
    begin(&m, 0);
    add_srv(&m, "a|example", 1, 2, 8443, "r|example");
    add_srv(&m, "b|example", 0, 0, 1, "other|example");
    add_srv(&m, "A|EXAMPLE", 3, 4, 8444, "");
    OK(read_answer(&m, "a.example", ns_t_srv, &a));
    assert_int_equal(a.n, 2);
    assert_int_equal(a.ttl, 300);
    assert_int_equal(a.at[0].priority, 1);
    assert_int_equal(a.at[0].weight, 2);
    assert_int_equal(a.at[0].port, 8443);
    assert_int_equal(a.at[1].name.n, 1); /* the root: not to be had */
    begin(&m, 0);
    add_name(&m, "a|example", ns_t_cname, 7, "b|example");
    add_name(&m, "b|example", ns_t_cname, 9, "c|example");
    add_address(&m, "a|example", "192.0.2.9");
    add_address(&m, "c|example", "192.0.2.1");
    OK(read_answer(&m, "a.example", ns_t_a, &a));
    assert_int_equal(a.n, 1);
    assert_int_equal(a.ttl, 7);
    assert_int_equal(a.at[0].address.s6_addr[3], 1);
    begin(&m, ns_r_nxdomain);
    OK(read_answer(&m, "a.example", ns_t_aaaa, &a));
    assert_int_equal(a.n, 0);
}

static void answers_refused(void **state)
{
    struct message m;
    struct idvi_answer a;
    size_t length;
    (void)state;
    begin(&m, ns_r_servfail);
    FAILS(IDV_E_NET, "error 2", read_answer(&m, "a.example", ns_t_a, &a));
    begin(&m, 0);
    m.p[2] = 1; /* a question */
    FAILS(IDV_E_FORMAT, "broken", read_answer(&m, "a.example", ns_t_a, &a));
    m.n = 11;
    FAILS(IDV_E_FORMAT, "broken", read_answer(&m, "a.example", ns_t_a, &a));
    begin(&m, 0);
    add_name(&m, "a|example", ns_t_cname, 7, "b|example");
    add_name(&m, "b|example", ns_t_cname, 7, "a|example");
    FAILS(IDV_E_LIMIT, "loop", read_answer(&m, "a.example", ns_t_a, &a));
    begin(&m, 0);
    begin_record(&m, "a|example", ns_t_a, 1, &length);
    put(&m, "\1\2\3", 3);
    end_record(&m, length);
    FAILS(IDV_E_FORMAT, "broken", read_answer(&m, "a.example", ns_t_a, &a));
    begin(&m, 0);
    begin_record(&m, "a|example", ns_t_ptr, 1, &length);
    put(&m, "\xc0\x0c", 2); /* the name that it is of: fine */
    end_record(&m, length);
    OK(read_answer(&m, "a.example", ns_t_ptr, &a));
    m.p[m.n - 1] = (uint8_t)(m.n - 2); /* itself */
    FAILS(IDV_E_FORMAT, "broken", read_answer(&m, "a.example", ns_t_ptr, &a));
    begin(&m, 0);
    for (int i = 0; i < 100; i++)
        add_address(&m, "a|example", "192.0.2.1");
    OK(read_answer(&m, "a.example", ns_t_a, &a));
    assert_int_equal(a.n, IDVI_DNS_RECORDS);
}

/* --- order -------------------------------------------------------------- */

static idv_rc lots(void *ctx, uint8_t *p, size_t n)
{
    uint32_t lot = *(uint32_t *)ctx;
    for (size_t i = 0; i + 4 <= n; i += 4)
        memcpy(p + i, &lot, 4);
    return IDV_OK;
}

static void priorities_and_weights(void **state)
{
    const struct idvi_server s[] = {
        {.priority = 9, .weight = 0},
        {.priority = 1, .weight = 0},
        {.priority = 1, .weight = 9},
        {.priority = 0, .weight = 5},
    };
    uint32_t lot;
    const struct idv_env env = {.random = lots, .ctx = &lot};
    size_t order[IDVI_SERVERS_MAX], first = 0;
    (void)state;
    for (lot = 0; lot < 11; lot++) { /* weights are counted one higher */
        idvi_servers_order(s, 4, &env, order);
        assert_int_equal(order[0], 3);
        assert_int_equal(order[3], 0);
        assert_int_equal(order[1] + order[2], 3);
        first += order[1] == 1;
    }
    assert_int_equal(first, 1);
}

/* --- rounds ------------------------------------------------------------- */

struct server {
    int fd;
    char address[64];
    void (*answer)(struct server *s, const char *name, unsigned type,
                   struct message *reply);
    int asked;
    const char *host; /* what the script says */
};

struct rounds {
    struct server server;
    struct idv_env_system sys;
    struct idvi_book book;
    struct idvi_dnssd dnssd;
    char log[64][128]; /* "+ host port", "- host port" */
    size_t n;
    int64_t now_ms;
};

static void tell(void *arg, const struct idv_offer *o)
{
    struct rounds *r = arg;
    assert_int_equal(o->origin, IDV_FROM_DNSSD);
    assert_true(r->n < 64);
    snprintf(r->log[r->n++], 128, "%c %.100s %u", o->gone ? '-' : '+', o->host,
             o->port);
}

static void server_open(struct server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof(a);
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
    snprintf(s->address, sizeof(s->address), "127.0.0.1:%u", ntohs(a.sin_port));
}

/* the question's labels, parted by '|' */
static size_t question(const uint8_t *p, char text[static 256])
{
    size_t at = 12, to = 0;
    while (p[at]) {
        memcpy(text + to, p + at + 1, p[at]);
        to += p[at];
        at += (size_t)p[at] + 1;
        text[to++] = '|';
    }
    text[to ? to - 1 : 0] = '\0';
    return at + 5;
}

static void serve(struct server *s)
{
    uint8_t ask[512] = {0};
    char name[256];
    struct sockaddr_in from;
    socklen_t n = sizeof(from);
    struct message m;
    ssize_t got =
        recvfrom(s->fd, ask, sizeof(ask) - 1, 0, (struct sockaddr *)&from, &n);
    assert_true(got > 17);
    s->asked++;
    size_t end = question(ask, name);
    assert_int_equal(got, end + 11); /* and EDNS */
    begin(&m, 0);
    memcpy(m.p, ask, 2);
    m.p[5] = 1;
    put(&m, ask + 12, end - 12);
    asked = name;
    s->answer(s, name, (unsigned)ask[end - 4] << 8 | ask[end - 3], &m);
    asked = "";
    assert_int_equal(sendto(s->fd, m.p, m.n, 0, (struct sockaddr *)&from, n),
                     m.n);
}

/* until the round is over */
static void one_round(struct rounds *r)
{
    do {
        struct pollfd p[20] = {{.fd = r->server.fd, .events = POLLIN}};
        size_t n = idvi_dnssd_fds(&r->dnssd, p + 1, 19) + 1;
        assert_true(poll(p, n, r->dnssd.round ? 100 : 0) >= 0);
        if (p[0].revents)
            serve(&r->server);
        idvi_dnssd_ready(&r->dnssd, p + 1, n - 1, r->now_ms);
    } while (r->dnssd.round);
}

static char *example[] = {(char *)(uintptr_t) "example.org", NULL};

static void rounds_begin(struct rounds *r,
                         void (*answer)(struct server *, const char *, unsigned,
                                        struct message *))
{
    memset(r, 0, sizeof(*r));
    idv_env_system_init(&r->sys, NULL);
    r->book.tell = tell;
    r->book.arg = r;
    server_open(&r->server);
    r->server.answer = answer;
    r->dnssd.env = &r->sys.env;
    r->dnssd.book = &r->book;
    r->dnssd.domains = example;
    r->dnssd.name_servers = r->server.address;
    OK(idvi_dnssd_init(&r->dnssd));
    r->now_ms = idv_ticks_ms();
}

static void rounds_end(struct rounds *r)
{
    idvi_dnssd_free(&r->dnssd);
    close(r->server.fd);
}

static void two_registrars(struct server *s, const char *name, unsigned type,
                           struct message *m)
{
    (void)s;
    if (type == ns_t_ptr) {
        assert_string_equal(name, "_brski-registrar|_tcp|example|org");
        add_name(m, name, type, 60,
                 "B. Reg\xc3\xad|_brski-registrar|_tcp|"
                 "example|org");
        add_name(m, name, type, 60, "a|_brski-registrar|_tcp|example|org");
        add_name(m, name, type, 60, "A|_brski-registrar|_TCP|example|org");
    } else if (type == ns_t_srv && *name == 'B') {
        add_srv(m, name, 20, 0, 8444, "b|example|org");
    } else if (type == ns_t_srv) {
        add_srv(m, name, 10, 0, 8443, "a|example|org");
    } else if (type == ns_t_a) {
        add_address(m, name, *name == 'a' ? "192.0.2.1" : "192.0.2.2");
    } else if (*name == 'a') {
        add_address(m, name, "2001:db8::1");
    }
}

static void finds(void **state)
{
    static struct rounds r;
    (void)state;
    rounds_begin(&r, two_registrars);
    one_round(&r);
    assert_int_equal(r.server.asked, 1 + 2 + 4);
    assert_int_equal(r.n, 3);
    /* (which family's answer comes first is not ours to say) */
    bool v6_first = r.log[0][2] == '2';
    assert_string_equal(r.log[!v6_first], "+ 2001:db8::1 8443");
    assert_string_equal(r.log[v6_first], "+ 192.0.2.1 8443");
    assert_string_equal(r.log[2], "+ 192.0.2.2 8444");
    rounds_end(&r);
}

/* R-P-6 */
static void backs_off(void **state)
{
    static struct rounds r;
    int64_t pause = IDVI_DNSSD_FIRST_MS;
    (void)state;
    rounds_begin(&r, two_registrars);
    for (int i = 0; i < 16; i++) {
        one_round(&r);
        assert_true(idvi_dnssd_due(&r.dnssd, r.now_ms) == r.now_ms + pause);
        int before = r.server.asked;
        r.now_ms += pause - 1;
        one_round(&r); /* not due */
        assert_int_equal(r.server.asked, before);
        r.now_ms++;
        pause = pause * 2 < IDVI_DNSSD_MOST_MS ? pause * 2 : IDVI_DNSSD_MOST_MS;
    }
    assert_true(pause == 3600 * 1000);
    assert_int_equal(r.n, 3); /* told once */
    /* a link comes up */
    one_round(&r);
    idvi_dnssd_anew(&r.dnssd, r.now_ms);
    assert_true(idvi_dnssd_due(&r.dnssd, r.now_ms) == r.now_ms);
    one_round(&r);
    assert_true(idvi_dnssd_due(&r.dnssd, r.now_ms) ==
                r.now_ms + IDVI_DNSSD_FIRST_MS);
    rounds_end(&r);
}

static void one_registrar(struct server *s, const char *name, unsigned type,
                          struct message *m)
{
    if (!s->host)
        m->p[3] |= ns_r_nxdomain;
    else if (type == ns_t_ptr)
        add_name(m, name, type, 60, "a|_brski-registrar|_tcp|example|org");
    else if (type == ns_t_srv)
        add_srv(m, name, 0, 0, 8443, "a|example|org");
    else if (type == ns_t_a)
        add_address(m, name, s->host);
}

static void refuse_all(struct server *s, const char *name, unsigned type,
                       struct message *m)
{
    (void)s, (void)name, (void)type;
    m->p[3] |= ns_r_servfail;
}

static void changes(void **state)
{
    static struct rounds r;
    (void)state;
    rounds_begin(&r, one_registrar);
    r.server.host = "192.0.2.1";
    one_round(&r);
    r.now_ms += IDVI_DNSSD_FIRST_MS;
    r.server.host = "192.0.2.2";
    one_round(&r);
    assert_int_equal(r.n, 3);
    assert_string_equal(r.log[1], "+ 192.0.2.2 8443");
    assert_string_equal(r.log[2], "- 192.0.2.1 8443");
    /* without an answer it stays while its 60 s last (the shortest TTL) */
    r.server.answer = refuse_all;
    r.now_ms += 59 * 1000;
    one_round(&r);
    assert_int_equal(r.n, 3);
    r.now_ms += 60 * 1000;
    one_round(&r);
    assert_string_equal(r.log[3], "- 192.0.2.2 8443");
    /* and what the domain says it has not is gone at once */
    r.server.answer = one_registrar;
    r.now_ms += 3600 * 1000;
    one_round(&r);
    r.server.host = NULL;
    r.now_ms += 3600 * 1000;
    one_round(&r);
    assert_int_equal(r.n, 6);
    assert_string_equal(r.log[5], "- 192.0.2.2 8443");
    rounds_end(&r);
}

/* everything a liar can think of, and one true word */
static void lies(struct server *s, const char *name, unsigned type,
                 struct message *m)
{
    static const char *const no[] = {"0.0.0.0",         "127.0.0.1",
                                     "224.0.0.1",       "169.254.1.1",
                                     "255.255.255.255", "192.0.2.1"};
    static const char *const no6[] = {
        "::",          "::1",        "ff02::1", "fe80::1", "::ffff:192.0.2.3",
        "::192.0.2.4", "2001:db8::1"};
    (void)s;
    if (type == ns_t_ptr) {
        add_name(m, name, type, 60, "x|_http|_tcp|example|org");
        add_name(m, name, type, 60, name);
        add_name(m, name, type, 60, "");
        add_name(m, "elsewhere", type, 60,
                 "e|_brski-registrar|_tcp|example|org");
        for (char i = 'a'; i < 'm'; i++) {
            char instance[64];
            snprintf(instance, sizeof(instance),
                     "%c|_brski-registrar|_tcp|example|org", i);
            add_name(m, name, type, 60, instance);
        }
    } else if (type == ns_t_srv && *name == 'a') {
        add_srv(m, name, 0, 0, 8443, "");
        add_srv(m, name, 0, 0, 0, "a|example|org");
        add_srv(m, name, 0, 0, 8443, "-a|example");
        add_srv(m, name, 0, 0, 8443, "a b|example");
        add_srv(m, name, 0, 0, 8443, "a;reboot|example");
        add_srv(m, name, 0, 0, 8443, "true|example|org");
    } else if (type == ns_t_srv) {
        add_name(m, name, ns_t_cname, 5, name);
    } else if (type == ns_t_a) {
        for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
            add_address(m, name, no[i]);
    } else if (type == ns_t_aaaa) {
        for (size_t i = 0; i < sizeof(no6) / sizeof(*no6); i++)
            add_address(m, name, no6[i]);
    }
}

static void liars_are_bounded(void **state)
{
    static struct rounds r;
    (void)state;
    rounds_begin(&r, lies);
    one_round(&r);
    assert_int_equal(r.server.asked, 1 + 8 + 2);
    assert_int_equal(r.n, 2);
    bool v6_first = r.log[0][2] == '2';
    assert_string_equal(r.log[!v6_first], "+ 2001:db8::1 8443");
    assert_string_equal(r.log[v6_first], "+ 192.0.2.1 8443");
    rounds_end(&r);
}

static void wrong_words(void **state)
{
    static char *bad[] = {(char *)(uintptr_t) "a..b", NULL};
    struct idvi_dnssd s = {.domains = bad};
    (void)state;
    FAILS(IDV_E_ARG, "a..b", idvi_dnssd_init(&s));
    s = (struct idvi_dnssd){.domains = example, .name_servers = "nonsense!"};
    FAILS(IDV_E_ARG, "nonsense!", idvi_dnssd_init(&s));
}

/* --- the whole ---------------------------------------------------------- */

static void on_offer(void *arg, const struct idv_offer *o)
{
    (void)o;
    ++*(int *)arg;
}

/* R-P-5 */
static void beside_others(void **state)
{
    static struct server s;
    static const char *const domains[] = {"example.org", NULL};
    struct idv_env_system sys;
    struct idv_discovery *d = NULL;
    int offers = 0;
    (void)state;
    idv_env_system_init(&sys, NULL);
    server_open(&s);
    s.answer = two_registrars;
    const struct idv_discovery_conf conf = {
        .env = &sys.env,
        .methods = IDV_DISCOVER_DNSSD,
        .domains = domains,
        .name_servers = s.address,
        .offer = on_offer,
        .arg = &offers,
    };
    OK(idv_discovery_new(&conf, &d));
    const struct idv_watch *w = idv_discovery_watch(d);
    while (offers < 3) {
        struct pollfd p[25] = {{.fd = s.fd, .events = POLLIN}};
        size_t n = w->fds(w->self, p + 1, 24);
        assert_true(poll(p, n + 1, w->timeout_ms(w->self)) >= 0);
        if (p[0].revents)
            serve(&s);
        OK(w->ready(w->self, p + 1, n));
    }
    /* nothing more to do for seconds */
    assert_true(w->timeout_ms(w->self) > 1000);
    idv_discovery_free(d);
    close(s.fd);
}

static void discovery_refused(void **state)
{
    struct idv_env_system sys;
    struct idv_discovery *d = NULL;
    struct idv_discovery_conf conf = {.env = &sys.env};
    static const char *const bad[] = {"a b", NULL};
    (void)state;
    idv_env_system_init(&sys, NULL);
    FAILS(IDV_E_ARG, "nobody", idv_discovery_new(&conf, &d));
    conf.offer = on_offer;
    conf.methods = 1 << 5;
    FAILS(IDV_E_ARG, "no such method", idv_discovery_new(&conf, &d));
    conf.methods = IDV_DISCOVER_DNSSD;
    conf.domains = bad;
    FAILS(IDV_E_ARG, "a b", idv_discovery_new(&conf, &d));
    assert_null(d);
    idv_discovery_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(answers),
        cmocka_unit_test(answers_refused),
        cmocka_unit_test(priorities_and_weights),
        cmocka_unit_test(finds),
        cmocka_unit_test(backs_off),
        cmocka_unit_test(changes),
        cmocka_unit_test(liars_are_bounded),
        cmocka_unit_test(wrong_words),
        cmocka_unit_test(beside_others),
        cmocka_unit_test(discovery_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
