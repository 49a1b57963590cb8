/* SPDX-License-Identifier: Apache-2.0 */
/* Ten registrars of which one is right, and nine are each wrong in their way:
 * the pledge finds it, and none of the others keeps it. */
#include "tests/unit/worst.h"

#include <arpa/inet.h>
#include <sys/socket.h>

/* --- nine that are wrong -------------------------------------------------- */

static const struct nt_step silent[] = {
    {.what = NT_SILENT}, {.what = NT_LEAVE}, {.what = NT_END}};
static const struct nt_step mute[] = {{.what = NT_ACCEPT},
                                      {.what = NT_LEAVE},
                                      {.what = NT_READ},
                                      {.what = NT_HANG},
                                      {.what = NT_END}};
static const struct nt_step half[] = {
    {.what = NT_ACCEPT},
    {.what = NT_LEAVE},
    {.what = NT_READ},
    {.what = NT_SEND,
     .text = "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n0\x80"},
    {.what = NT_HANG},
    {.what = NT_END}};
static const struct nt_step garbage[] = {
    {.what = NT_ACCEPT},
    {.what = NT_LEAVE},
    {.what = NT_READ},
    {.what = NT_FILL, .text = "no HTTP at all\r\n", .count = 1 << 14},
    {.what = NT_BYE},
    {.what = NT_END}};
static const struct nt_step *const scripts[] = {silent, mute, half, garbage};
#define SCRIPTS 4

static bool refuses(struct fakereg *r, const char *word, bool after,
                    const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after || strcmp(word, "rv") != 0)
        return false;
    OK(idv_msg_refuse(reply, 403, "not here"));
    return true;
}
static bool never(struct fakereg *r, const char *word, bool after,
                  const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after || strcmp(word, "rv") != 0)
        return false;
    OK(idv_msg_refuse(reply, 202, "not yet"));
    reply->retry_after = 999999;
    return true;
}
static bool circles(struct fakereg *r, const char *word, bool after,
                    const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after || strcmp(word, "rv") != 0)
        return false;
    OK(idv_msg_reply(reply, 307, "", idv_str("")));
    strcpy(reply->location, IDV_PATH_REQUESTVOUCHER);
    return true;
}
static void foreign_voucher(struct worst *w)
{
    w->reg.signer = &pki.rogue_masa;
}
/* between the pledge and a registrar that is asked for it */
static void in_the_middle(struct worst *w)
{
    w->reg.chain = pki.rogue_chain;
    w->server.id = &pki.rogue;
    w->server.chain = pki.rogue_chain;
}
static void says_no(struct worst *w)
{
    w->reg.hook = refuses;
}
static void says_later(struct worst *w)
{
    w->reg.hook = never;
}
static void sends_around(struct worst *w)
{
    w->reg.hook = circles;
}
static void (*const manners[])(struct worst *) = {
    foreign_voucher, in_the_middle, says_no, says_later, sends_around};
#define MANNERS 5

/* --- all ten -------------------------------------------------------------- */

#define ALL (SCRIPTS + MANNERS + 1)

struct crowd {
    struct nt_raw raw[SCRIPTS];
    struct worst wrong[MANNERS];
    char where[ALL][64];
    const char *list[ALL + 1];
};

static void start(struct worst *w)
{
    const struct idv_service service = {worst_serve, w};
    nt_server_start(&w->server, &pki, &service);
    worst_to(w, w->server.port);
}

static void crowd_gather(struct crowd *c, const struct worst *right)
{
    memset(c, 0, sizeof(*c));
    for (int i = 0; i < SCRIPTS; i++) {
        nt_raw_start(&c->raw[i], &pki.registrar, pki.tls_chain, scripts[i]);
        snprintf(c->where[i], sizeof(c->where[i]), "127.0.0.1:%u",
                 c->raw[i].port);
    }
    for (int i = 0; i < MANNERS; i++) {
        worst_device(&c->wrong[i]);
        manners[i](&c->wrong[i]);
        start(&c->wrong[i]);
        strcpy(c->where[SCRIPTS + i], c->wrong[i].where);
    }
    strcpy(c->where[ALL - 1], right->where);
    for (int i = 0; i < ALL; i++)
        c->list[i] = c->where[i];
}

static void crowd_leave(struct crowd *c)
{
    for (int i = 0; i < SCRIPTS; i++) {
        struct nt_client nobody; /* for one that nobody came to */
        nt_tcp(&nobody, c->raw[i].port);
        nt_close(&nobody);
        nt_raw_stop(&c->raw[i]);
        nt_raw_free(&c->raw[i]);
    }
    for (int i = 0; i < MANNERS; i++)
        worst_free(&c->wrong[i]);
}

static void join_crew(struct worst *w, size_t lanes)
{
    struct idv_pledge *p = NULL;
    w->dev.conf.trust = w->dev.trust;
    w->dev.conf.lanes = lanes;
    w->dev.conf.attempts = 0;
    w->dev.conf.pace.spacing_s = -1;
    w->conf.connect_s = w->conf.stall_s = 2;
    OK(idv_pledge_new(&w->dev.conf, &pledge_env.env, &p));
    struct idv_crew crew = idv_pledge_join_crew(p);
    w->rc = idv_drive_crew(&crew, &w->conf);
    snprintf(w->note, sizeof(w->note), "%s", idv_note());
    idv_pledge_free(p);
}

static void one_of_ten(size_t lanes)
{
    struct crowd c;
    WORST(w);
    crowd_gather(&c, &w);
    w.dev.conf.registrars = c.list;
    join_crew(&w, lanes);
    if (w.rc != IDV_OK)
        print_error("%s\n", w.note);
    assert_int_equal(w.rc, IDV_OK);
    assert_int_equal(fakedev_state(&w.dev), IDV_TRUST_ENROLLED);
    worst_whole(&w);
    assert_int_equal(w.reg.vouchers, 1);
    for (int i = 0; i < MANNERS; i++) {
        /* nothing but a request and a refusal, and no nonce of another's */
        assert_int_equal(c.wrong[i].reg.certificates, 0);
        assert_null(strstr(c.wrong[i].reg.log, "vs+"));
        for (int n = 0; n < c.wrong[i].reg.n_nonces && n < 16; n++)
            assert_string_not_equal(c.wrong[i].reg.nonces[n], w.reg.nonces[0]);
    }
    crowd_leave(&c);
}

/* R-P-8, R-P-12, R-P-14, R-P-97 */
static void side_by_side(void **state)
{
    (void)state;
    one_of_ten(3);
}

/* R-P-8, R-P-12, R-P-14: with room for one connection */
static void one_after_the_other(void **state)
{
    (void)state;
    one_of_ten(1);
}

/* --- a registrar besieged by others ----------------------------------------
 */

#define CROWD 300

/* from the neighbour's address; closed again by who has enough of it */
static int besiege(uint16_t port)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to = from;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(port);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* R-S-13: hundreds of connections that say nothing; the device gets through */
static void in_a_crowd(void **state)
{
    const struct idv_service service = {worst_serve, NULL};
    int fds[CROWD];
    (void)state;
    WORST_DEVICE(w);
    struct idv_service its = service;
    its.self = &w;
    w.server.conf.max_connections = 64;
    w.server.conf.max_per_address = 16;
    nt_server_start(&w.server, &pki, &its);
    worst_to(&w, w.server.port);
    for (int i = 0; i < CROWD; i++)
        fds[i] = besiege(w.server.port);
    worst_joins(&w);
    for (int i = 0; i < CROWD; i++)
        close(fds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(side_by_side),
        cmocka_unit_test(one_after_the_other),
        cmocka_unit_test(in_a_crowd),
    };
    return cmocka_run_group_tests_name("worst-many", tests, worst_setup,
                                       worst_teardown);
}
