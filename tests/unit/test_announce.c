/* SPDX-License-Identifier: Apache-2.0 */
/* What a registrar announces: where, in which bytes, how often. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <idevid/auto.h>

#include "net/announce_int.h"
#include "net/grasp.h"

#define OK(call) assert_int_equal(call, IDV_OK)

static struct in6_addr address(const char *text)
{
    struct in6_addr a;
    char mapped[64];
    snprintf(mapped, sizeof(mapped), "%s%s",
             strchr(text, ':') ? "" : "::ffff:", text);
    assert_int_equal(inet_pton(AF_INET6, mapped, &a), 1);
    return a;
}

/* --- bytes ---------------------------------------------------------------- */

static struct idvi_notice notice(unsigned as, const char *at, uint16_t port)
{
    return (struct idvi_notice){.as = as, .at = address(at), .port = port};
}

static void is_flood(const struct idvi_notice *n, uint32_t session,
                     const char *bytes, size_t size)
{
    IDV_AUTO(buf) out = {0};
    OK(idvi_flood_to_bytes(n, session, idvi_announce_ttl_ms(n->as, 60), &out));
    assert_int_equal(out.n, size);
    assert_memory_equal(out.p, bytes, size);
}
#define IS_FLOOD(n, session, bytes)                                            \
    is_flood(n, session, bytes, sizeof(bytes) - 1)

/* R-R-2: RFC 8995 figure 12 */
static void registrar_bytes(void **state)
{
    struct idvi_notice n =
        notice(IDV_ANNOUNCE_REGISTRAR, "fda3:79a6:f6ee:0:200:0:6400:1", 8443);
    (void)state;
    IS_FLOOD(&n, 51804321,
             "\x85\x09\x1a\x03\x16\x78\xa1"
             "\x50\xfd\xa3\x79\xa6\xf6\xee\0\0\x02\0\0\0\x64\0\0\x01"
             "\x1a\0\x02\xbf\x20\x82"
             "\x84\x71"
             "AN_join_registrar\x04\x18\xff\x67"
             "EST-TLS"
             "\x84\x18\x67"
             "\x50\xfd\xa3\x79\xa6\xf6\xee\0\0\x02\0\0\0\x64\0\0\x01"
             "\x06\x19\x20\xfb");
}

/* R-R-74: RFC 8994 figure 4 */
static void est_bytes(void **state)
{
    struct idvi_notice n =
        notice(IDV_ANNOUNCE_EST, "fd89:b714:f3db:0:200:0:6400:1", 443);
    (void)state;
    IS_FLOOD(&n, 12340815,
             "\x85\x09\x1a\x00\xbc\x4e\x4f"
             "\x50\xfd\x89\xb7\x14\xf3\xdb\0\0\x02\0\0\0\x64\0\0\x01"
             "\x1a\0\x03\x34\x50\x82"
             "\x83\x67"
             "SRV.est\x04\x18\xff"
             "\x84\x18\x67"
             "\x50\xfd\x89\xb7\x14\xf3\xdb\0\0\x02\0\0\0\x64\0\0\x01"
             "\x06\x19\x01\xbb");
}

/* RFC 8995 figure 11, and what our own pledge makes of it */
static void proxy_bytes(void **state)
{
    struct idvi_notice n = notice(IDV_ANNOUNCE_PROXY, "fe80::1", 4443);
    (void)state;
    IS_FLOOD(&n, 12340815,
             "\x85\x09\x1a\x00\xbc\x4e\x4f"
             "\x50\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
             "\x1a\0\x02\xbf\x20\x82"
             "\x84\x68"
             "AN_Proxy\x04\x01\x60"
             "\x84\x18\x67\x50\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
             "\x06\x19\x11\x5b");
    if (!idvi_grasp_built())
        return;
    IDV_AUTO(buf) out = {0};
    struct idvi_flood f;
    n.port = 20;
    OK(idvi_flood_to_bytes(&n, 7, 1, &out));
    OK(idvi_flood_from_bytes(idv_view(&out), &f));
    assert_int_equal(f.session, 7);
    assert_int_equal(f.ttl_ms, 1);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.at[0].port, 20);
    assert_true(IN6_ARE_ADDR_EQUAL(&f.at[0].address, &n.at));
}

/* --- where ---------------------------------------------------------------- */

static void add_link(struct idvi_links_table *t, const char *name, bool running,
                     const char *const *at)
{
    struct idvi_link *l = &t->at[t->n++];
    l->index = (unsigned)t->n;
    snprintf(l->name, sizeof(l->name), "%s", name);
    l->running = running;
    for (; *at; at++)
        l->at[l->at_n++] = address(*at);
}

static struct idvi_links_table links(void)
{
    struct idvi_links_table t = {.n = 0};
    static const char *const one[] = {"192.0.2.1", "2001:db8::1", "fd00::1",
                                      "fe80::1", NULL};
    static const char *const two[] = {"fe80::2", NULL};
    static const char *const down[] = {"fe80::3", "fd00::3", NULL};
    add_link(&t, "eth0", true, one);
    add_link(&t, "eth1", true, two);
    add_link(&t, "eth2", false, down);
    add_link(&t, "other", true, one);
    return t;
}

static const char *const as_letter[] = {[IDV_ANNOUNCE_REGISTRAR] = "r",
                                        [IDV_ANNOUNCE_PROXY] = "p",
                                        [IDV_ANNOUNCE_EST] = "e"};

/* as "r eth0 2001:db8::1 8443, ..." */
static void is_plan(const struct idvi_notices *n, const char *expected)
{
    char text[1024] = "", at[INET6_ADDRSTRLEN];
    for (size_t i = 0; i < n->n; i++) {
        size_t used = strlen(text);
        inet_ntop(AF_INET6, &n->at[i].at, at, sizeof(at));
        snprintf(text + used, sizeof(text) - used, "%s%s %s %s %u",
                 i ? ", " : "", as_letter[n->at[i].as], n->at[i].interface, at,
                 n->at[i].port);
    }
    assert_string_equal(text, expected);
}

static char name[3][5] = {"eth0", "eth1", "eth2"};
static char *names[] = {name[0], name[1], name[2], NULL};

static void plan_grasp(unsigned as, const char *host, const char *expected)
{
    struct idv_announce a = {.interfaces = names, .grasp = as};
    struct idv_server_bound b = {.port = 8443};
    struct idvi_links_table t = links();
    struct idvi_notices n;
    snprintf(b.host, sizeof(b.host), "%s", host);
    idvi_announce_plan_grasp(&a, &t, &b, 1, &n);
    is_plan(&n, expected);
}

/* R-R-2: with an address that is good from afar */
static void registrar_place(void **state)
{
    (void)state;
    plan_grasp(IDV_ANNOUNCE_REGISTRAR, "::", "r eth0 2001:db8::1 8443");
    plan_grasp(IDV_ANNOUNCE_REGISTRAR, "fd00::1", "r eth0 fd00::1 8443");
    plan_grasp(IDV_ANNOUNCE_REGISTRAR, "fe80::1%eth0", "");
    plan_grasp(IDV_ANNOUNCE_REGISTRAR, "fd00::3", "");
    plan_grasp(IDV_ANNOUNCE_REGISTRAR, "0.0.0.0", "");
    plan_grasp(IDV_ANNOUNCE_REGISTRAR, "::1", "");
    plan_grasp(0, "::", "");
}

static void proxy_place(void **state)
{
    (void)state;
    plan_grasp(IDV_ANNOUNCE_PROXY,
               "::", "p eth0 fe80::1 8443, p eth1 fe80::2 8443");
    plan_grasp(IDV_ANNOUNCE_PROXY, "fe80::2%eth1", "p eth1 fe80::2 8443");
    plan_grasp(IDV_ANNOUNCE_PROXY, "fe80::2%eth0", "");
    plan_grasp(IDV_ANNOUNCE_PROXY, "fd00::1", "");
    plan_grasp(3, "::",
               "r eth0 2001:db8::1 8443, p eth0 fe80::1 8443, "
               "p eth1 fe80::2 8443");
}

/* R-R-74: where a registrar is, and by GRASP alone */
static void est_place(void **state)
{
    struct idv_announce a = {.interfaces = names, .mdns = IDV_ANNOUNCE_EST};
    struct idv_server_bound b = {.host = "::", .port = 8443};
    struct idvi_links_table t = links();
    struct idvi_notices n;
    (void)state;
    plan_grasp(IDV_ANNOUNCE_EST, "::", "e eth0 2001:db8::1 8443");
    plan_grasp(IDV_ANNOUNCE_EST, "fe80::1%eth0", "");
    plan_grasp(IDV_ANNOUNCE_EST | IDV_ANNOUNCE_REGISTRAR, "fd00::1",
               "r eth0 fd00::1 8443, e eth0 fd00::1 8443");
    idvi_announce_plan_mdns(&a, &t, &b, 1, &n);
    is_plan(&n, "");
}

static void mdns_place(void **state)
{
    struct idv_announce a = {.interfaces = names, .mdns = 3};
    struct idv_server_bound b[] = {{.host = "0.0.0.0", .port = 8443},
                                   {.host = "::", .port = 8444}};
    struct idvi_links_table t = links();
    struct idvi_notices n, more;
    (void)state;
    idvi_announce_plan_mdns(&a, &t, b, 2, &n);
    is_plan(&n, "r eth0 ::ffff:192.0.2.1 8443, p eth0 ::ffff:192.0.2.1 8443, "
                "r eth0 2001:db8::1 8444, p eth0 2001:db8::1 8444, "
                "r eth1 fe80::2 8444, p eth1 fe80::2 8444");
    assert_true(idvi_notices_same(&n, &n));
    more = n;
    more.at[5].port++;
    assert_false(idvi_notices_same(&n, &more));
    more.n = 5;
    assert_false(idvi_notices_same(&n, &more));
    strcpy(b[0].host, "192.0.2.1");
    strcpy(b[1].host, "127.0.0.1");
    a.mdns = IDV_ANNOUNCE_PROXY;
    idvi_announce_plan_mdns(&a, &t, b, 2, &n);
    is_plan(&n, "p eth0 ::ffff:192.0.2.1 8443");
    b[0].front = true; /* others are asked there than devices */
    idvi_announce_plan_mdns(&a, &t, b, 2, &n);
    is_plan(&n, "");
    b[0].front = false;
    b[0].monitor = true;
    idvi_announce_plan_mdns(&a, &t, b, 2, &n);
    is_plan(&n, "");
    b[0].monitor = false;
    b[0].public = true;
    idvi_announce_plan_mdns(&a, &t, b, 2, &n);
    is_plan(&n, "");
}

/* however much is listened on: bounded */
static void many_places(void **state)
{
    struct idv_announce a = {.interfaces = names, .mdns = 3};
    static struct idv_server_bound b[200];
    struct idvi_links_table t = links();
    struct idvi_notices n;
    (void)state;
    for (size_t i = 0; i < 200; i++)
        b[i] = (struct idv_server_bound){.host = "::",
                                         .port = (uint16_t)(1000 + i)};
    idvi_announce_plan_mdns(&a, &t, b, 200, &n);
    assert_int_equal(n.n, IDVI_NOTICES_MAX);
}

/* --- when ----------------------------------------------------------------- */

/* R-R-3 */
static void period(void **state)
{
    (void)state;
    assert_int_equal(idvi_announce_next_ms(5000, 6000, 60, false), 65000);
    assert_int_equal(idvi_announce_next_ms(5000, 6000, 90, false), 95000);
    assert_int_equal(idvi_announce_next_ms(5000, 6000, 1, false), 65000);
    /* something new is said at once, but not again and again */
    assert_int_equal(idvi_announce_next_ms(5000, 9000, 60, true), 9000);
    assert_int_equal(idvi_announce_next_ms(5000, 5100, 60, true), 6000);
}

/* some may be missed before what was announced is gone: R-R-74 */
static void holds(void **state)
{
    (void)state;
    assert_int_equal(idvi_announce_ttl_ms(IDV_ANNOUNCE_EST, 60), 210000);
    assert_int_equal(idvi_announce_ttl_ms(IDV_ANNOUNCE_EST, 300), 1050000);
    assert_int_equal(idvi_announce_ttl_ms(IDV_ANNOUNCE_PROXY, 60), 180000);
    assert_int_equal(idvi_announce_ttl_ms(IDV_ANNOUNCE_REGISTRAR, 300), 900000);
    assert_int_equal(idvi_announce_ttl_ms(IDV_ANNOUNCE_REGISTRAR, 1), 180000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registrar_bytes), cmocka_unit_test(proxy_bytes),
        cmocka_unit_test(registrar_place), cmocka_unit_test(proxy_place),
        cmocka_unit_test(mdns_place),      cmocka_unit_test(many_places),
        cmocka_unit_test(period),          cmocka_unit_test(est_bytes),
        cmocka_unit_test(est_place),       cmocka_unit_test(holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
