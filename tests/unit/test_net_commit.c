/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing that a call leads to leaves the server before it is committed. */
#include "tests/unit/codec.h"

#include <stdatomic.h>

#include "tests/lib/nettest.h"

#define CLIENTS 6

static struct pki pki;

struct desk {
    struct nt_server server;
    struct nt_raw raw;
    atomic_uint served, told, commits, covered; /* covered: served and safe */
    atomic_uint gathers, stored;
    atomic_bool fails, gather_fails;
    bool upstream, stores, gathered;
};

/* first ready, then stored between gather and commit */
static idv_rc serve_store(struct desk *d, struct idv_call *call,
                          const struct idv_told *told, enum idv_next *next)
{
    char text[16];
    *next = told ? IDV_NEXT_REPLY : IDV_NEXT_STORE;
    assert_int_equal(call->may_store, !told);
    if (!told)
        return IDV_OK;
    assert_int_equal(told->kind, IDV_TOLD_STORE);
    assert_true(d->gathered);
    d->stored++;
    if (strcmp(call->req.path, "/bad") == 0)
        return idv_fail(IDV_E_STATE, "not this one");
    snprintf(text, sizeof(text), "%u", ++d->served);
    return idv_msg_reply(&call->reply, 200, "text/plain", idv_str(text));
}

static idv_rc serve(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    struct desk *d = self;
    char text[16];
    if (d->stores)
        return serve_store(d, call, told, next);
    *next = d->upstream && !told ? IDV_NEXT_UPSTREAM : IDV_NEXT_REPLY;
    if (told)
        d->told++;
    if (*next == IDV_NEXT_UPSTREAM) {
        struct idv_upstream *u = &call->up;
        u->url.port = d->raw.port;
        u->anchors = pki.anchors;
        u->timeout_s = 10;
        strcpy(u->url.host, "localhost");
        strcpy(u->msg.path, "/masa");
    }
    snprintf(text, sizeof(text), "%u", ++d->served);
    return idv_msg_reply(&call->reply, 200, "text/plain", idv_str(text));
}

static idv_rc commit(void *self)
{
    struct desk *d = self;
    d->commits++;
    d->gathered = false;
    if (d->fails)
        return idv_fail(IDV_E_IO, "store: the disk is gone");
    d->covered = d->served;
    return IDV_OK;
}

static idv_rc gather(void *self)
{
    struct desk *d = self;
    assert_false(d->gathered);
    d->gathers++;
    if (d->gather_fails)
        return idv_fail(IDV_E_IO, "store: another one has it");
    d->gathered = true;
    return IDV_OK;
}

static void desk_start(struct desk *d)
{
    const struct idv_service service = {serve, d};
    d->server.commit = commit;
    d->server.gather = d->stores ? gather : NULL;
    nt_server_start(&d->server, &pki, &service);
}

static void desk_stop(struct desk *d)
{
    nt_server_stop(&d->server);
    assert_int_equal(d->server.rc, IDV_OK);
}

#define GET "GET /x HTTP/1.1\r\nHost: x\r\n\r\n"

/* what the call was given as its number, when its answer came */
static unsigned number_of(const struct idv_buf *reply)
{
    const char *body = strstr((const char *)reply->p, "\r\n\r\n");
    assert_non_null(body);
    return (unsigned)strtoul(body + 4, NULL, 10);
}

static void hear_committed(struct desk *d, struct nt_client *c)
{
    IDV_AUTO(buf) reply = {0};
    assert_int_equal(nt_hear(c, &reply, false), 200);
    assert_true(number_of(&reply) >= 1);
    assert_true(d->covered >= number_of(&reply));
}

static void answers_after(void **state)
{
    struct desk d = {0};
    struct nt_client c[CLIENTS];
    (void)state;
    desk_start(&d);
    for (int i = 0; i < CLIENTS; i++)
        assert_true(nt_connect(&c[i], d.server.port, NULL));
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < CLIENTS; i++)
            assert_true(nt_say(&c[i], GET));
        for (int i = 0; i < CLIENTS; i++)
            hear_committed(&d, &c[i]);
    }
    for (int i = 0; i < CLIENTS; i++)
        nt_close(&c[i]);
    desk_stop(&d);
    assert_int_equal(d.served, 5 * CLIENTS);
    assert_true(d.commits >= 5 && d.commits <= d.served);
}

/* none of them is answered as if it had been done */
static void all_refused(void **state)
{
    struct desk d = {.fails = true};
    struct nt_client c[CLIENTS];
    (void)state;
    desk_start(&d);
    for (int i = 0; i < CLIENTS; i++)
        assert_true(nt_connect(&c[i], d.server.port, NULL));
    for (int i = 0; i < CLIENTS; i++)
        assert_true(nt_say(&c[i], GET));
    for (int i = 0; i < CLIENTS; i++) {
        IDV_AUTO(buf) reply = {0};
        assert_int_equal(nt_hear(&c[i], &reply, false), 503);
        assert_non_null(strstr((char *)reply.p, "Retry-After: "));
        nt_close(&c[i]);
    }
    d.fails = false;
    assert_true(nt_connect(&c[0], d.server.port, NULL));
    assert_true(nt_say(&c[0], GET));
    hear_committed(&d, &c[0]);
    nt_close(&c[0]);
    desk_stop(&d);
}

static const struct nt_step never[] = {{.what = NT_ACCEPT}, {.what = NT_END}};

/* nobody upstream hears of a claim that may not last */
static void not_upstream(void **state)
{
    struct desk d = {.fails = true, .upstream = true};
    struct nt_client c;
    IDV_AUTO(buf) reply = {0};
    (void)state;
    nt_raw_start(&d.raw, &pki.masa_server, NULL, never);
    desk_start(&d);
    assert_true(nt_connect(&c, d.server.port, NULL));
    assert_true(nt_say(&c, GET));
    assert_int_equal(nt_hear(&c, &reply, false), 503);
    nt_close(&c);
    desk_stop(&d);
    assert_int_equal(d.told, 0);
    /* the first who came there is this test */
    assert_true(nt_connect(&c, d.raw.port, NULL));
    nt_close(&c);
    nt_raw_stop(&d.raw);
    assert_int_equal(d.raw.heard.n, 0);
    nt_raw_free(&d.raw);
}

static const struct nt_step answer[] = {
    {.what = NT_ACCEPT},
    {.what = NT_READ},
    {.what = NT_SEND,
     .text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"},
    {.what = NT_HANG},
    {.what = NT_END}};

static void upstream_after(void **state)
{
    struct desk d = {.upstream = true};
    struct nt_client c;
    (void)state;
    nt_raw_start(&d.raw, &pki.masa_server, NULL, answer);
    desk_start(&d);
    assert_true(nt_connect(&c, d.server.port, NULL));
    assert_true(nt_say(&c, GET));
    hear_committed(&d, &c);
    nt_close(&c);
    desk_stop(&d);
    nt_raw_stop(&d.raw);
    nt_raw_free(&d.raw);
    assert_int_equal(d.told, 1);
    assert_int_equal(d.commits, 2); /* before it goes up, and before it answers
                                     */
}

/* the client has gone meanwhile: what it asked is let go with the rest */
static void gone_meanwhile(void **state)
{
    struct desk d = {0};
    struct nt_client c;
    (void)state;
    desk_start(&d);
    for (int i = 0; i < 20; i++) {
        assert_true(nt_connect(&c, d.server.port, NULL));
        assert_true(nt_say(&c, GET));
        nt_close(&c);
    }
    assert_true(nt_connect(&c, d.server.port, NULL));
    assert_true(nt_say(&c, GET));
    hear_committed(&d, &c);
    nt_close(&c);
    desk_stop(&d);
}

/* --- what is stored together ------------------------------------------------
 */

static int ask(struct nt_client *c, const char *path)
{
    IDV_AUTO(buf) reply = {0};
    char text[64];
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    assert_true(nt_say(c, text));
    return nt_hear(c, &reply, false);
}

static void stored_together(void **state)
{
    struct desk d = {.stores = true};
    struct nt_client c[CLIENTS];
    (void)state;
    desk_start(&d);
    for (int i = 0; i < CLIENTS; i++)
        assert_true(nt_connect(&c[i], d.server.port, NULL));
    for (int i = 0; i < CLIENTS; i++)
        assert_true(nt_say(&c[i], GET));
    for (int i = 0; i < CLIENTS; i++) {
        hear_committed(&d, &c[i]);
        nt_close(&c[i]);
    }
    desk_stop(&d);
    assert_int_equal(d.stored, CLIENTS);
    assert_int_equal(d.gathers, d.commits);
}

/* only the one that could not be stored is told so */
static void one_not_stored(void **state)
{
    struct desk d = {.stores = true};
    struct nt_client good, bad;
    IDV_AUTO(buf) reply = {0};
    (void)state;
    desk_start(&d);
    assert_true(nt_connect(&good, d.server.port, NULL));
    assert_true(nt_connect(&bad, d.server.port, NULL));
    assert_true(nt_say(&good, GET));
    assert_int_equal(ask(&bad, "/bad"), 500);
    hear_committed(&d, &good);
    nt_close(&bad);
    nt_close(&good);
    desk_stop(&d);
}

static void none_stored(void **state)
{
    struct desk d = {.stores = true, .gather_fails = true};
    struct nt_client c;
    (void)state;
    desk_start(&d);
    assert_true(nt_connect(&c, d.server.port, NULL));
    assert_int_equal(ask(&c, "/x"), 503);
    nt_close(&c);
    assert_int_equal(d.stored, 0);
    assert_int_equal(d.commits, 0);
    d.gather_fails = false;
    d.fails = true; /* stored, and not committed */
    assert_true(nt_connect(&c, d.server.port, NULL));
    assert_int_equal(ask(&c, "/x"), 503);
    nt_close(&c);
    assert_int_equal(d.stored, 1);
    d.fails = false;
    assert_true(nt_connect(&c, d.server.port, NULL));
    assert_int_equal(ask(&c, "/x"), 200);
    nt_close(&c);
    desk_stop(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_after),  cmocka_unit_test(all_refused),
        cmocka_unit_test(not_upstream),   cmocka_unit_test(upstream_after),
        cmocka_unit_test(gone_meanwhile), cmocka_unit_test(stored_together),
        cmocka_unit_test(one_not_stored), cmocka_unit_test(none_stored),
    };
    pki_make(&pki);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pki_free(&pki);
    return failed;
}
