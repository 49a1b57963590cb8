/* SPDX-License-Identifier: Apache-2.0 */
/* Unicast DNS-SD against name servers of its own: rounds, liars. */
#include "tests/unit/dns_message.h"

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
