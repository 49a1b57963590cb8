/* SPDX-License-Identifier: Apache-2.0 */
/* A pledge told to wait, over real connections that do not live that long. */
#include "tests/unit/codec.h"

#include "tests/lib/fakereg.h"
#include "tests/lib/nettest.h"

static struct pki pki;
static struct pki_env pledge_env;

struct scene {
    struct fakereg reg;
    struct fakedev dev;
    struct nt_server server, second;
    uint64_t connection[16]; /* of each voucher-request */
    int requests, before;    /* before: when the second server began */
    char where[64];
    const char *registrars[2], *listen[2];
    int waits;
};

static idv_rc serve(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    struct scene *s = self;
    (void)told;
    *next = IDV_NEXT_REPLY;
    if (strstr(call->req.path, "requestvoucher") && s->requests < 16)
        s->connection[s->requests++] = call->peer->connection;
    return fakereg_exchange(&s->reg, &call->req, &call->reply);
}

static void scene_init(struct scene *s, int idle_s)
{
    const struct idv_service service = {serve, s};
    memset(s, 0, sizeof(*s));
    pki_env_init(&pledge_env);
    fakereg_init(&s->reg, &pki);
    fakedev_init(&s->dev, &pki);
    s->reg.pending = 1;
    s->reg.retry_after = 3;
    s->server.conf.idle_s = idle_s;
    nt_server_start(&s->server, &pki, &service);
    snprintf(s->where, sizeof(s->where), "127.0.0.1:%u", s->server.port);
    s->registrars[0] = s->listen[0] = s->where;
    s->dev.conf.registrars = s->registrars;
}

static void scene_free(struct scene *s)
{
    nt_server_stop(s->second.port ? &s->second : &s->server);
    fakereg_free(&s->reg);
    fakedev_free(&s->dev);
}

static idv_rc join(struct scene *s, const struct idv_drive_conf *conf)
{
    struct idv_pledge *p = NULL;
    s->dev.conf.trust = s->dev.trust;
    OK(idv_pledge_new(&s->dev.conf, &pledge_env.env, &p));
    struct idv_machine machine = idv_pledge_join(p);
    idv_rc rc = idv_drive(&machine, conf);
    idv_pledge_free(p);
    return rc;
}

/* the very same request again, on another connection, and the way to its end */
static void joined_by_two(const struct scene *s)
{
    assert_int_equal(s->requests, 2);
    assert_int_equal(s->reg.same_pvr, 1);
    assert_int_equal(fakedev_state(&s->dev), IDV_TRUST_ENROLLED);
}

/* R-P-21, R-P-30: Retry-After is longer than the server keeps a connection
 * without requests */
static void test_longer_than_idle(void **state)
{
    struct scene s;
    struct idv_drive_conf conf = {.env = &pledge_env.env};
    (void)state;
    scene_init(&s, 1);
    OK(join(&s, &conf));
    joined_by_two(&s);
    assert_int_not_equal(s.connection[0], s.connection[1]);
    scene_free(&s);
}

/* R-P-20, R-P-30: and when it is not: still the same connection */
static void test_within_idle(void **state)
{
    struct scene s;
    struct idv_drive_conf conf = {.env = &pledge_env.env};
    (void)state;
    scene_init(&s, 30);
    s.reg.retry_after = 1;
    OK(join(&s, &conf));
    joined_by_two(&s);
    assert_int_equal(s.connection[0], s.connection[1]);
    scene_free(&s);
}

/* instead of waiting: the server ends, and on its port begins another */
static idv_rc replace_server(void *arg, int seconds)
{
    struct scene *s = arg;
    const struct idv_service service = {serve, s};
    (void)seconds;
    if (s->waits++)
        return idv_fail(IDV_E_STATE, "waits again");
    nt_server_stop(&s->server);
    s->before = s->requests;
    s->second.conf.listen = s->listen;
    nt_server_start(&s->second, &pki, &service);
    assert_int_equal(s->second.port, s->server.port);
    return IDV_OK;
}

/* R-P-21, R-P-30 */
static void test_restarted(void **state)
{
    struct scene s;
    struct idv_drive_conf conf = {
        .env = &pledge_env.env, .wait = replace_server, .wait_arg = &s};
    (void)state;
    scene_init(&s, 30);
    OK(join(&s, &conf));
    joined_by_two(&s);
    scene_free(&s);
}

/* R-P-21, R-S-23: somebody else answers there: nothing of the request is for
 * him */
static void test_other_certificate(void **state)
{
    struct scene s;
    struct idv_drive_conf conf = {
        .env = &pledge_env.env, .wait = replace_server, .wait_arg = &s};
    STACK_OF(X509) *chain = pki_stack(pki.rogue.cert, pki.rogue_ca.cert);
    (void)state;
    scene_init(&s, 30);
    s.second.id = &pki.rogue;
    s.second.chain = chain;
    assert_int_not_equal(join(&s, &conf), IDV_OK);
    assert_non_null(strstr(idv_note(), "changed its certificate"));
    assert_int_equal(s.requests, s.before);
    assert_int_equal(s.reg.same_pvr, 0);
    assert_int_equal(fakedev_state(&s.dev), IDV_TRUST_NONE);
    scene_free(&s);
    idv_certs_free(chain);
}

static int setup(void **state)
{
    (void)state;
    pki_make(&pki);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pki_free(&pki);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longer_than_idle),
        cmocka_unit_test(test_within_idle),
        cmocka_unit_test(test_restarted),
        cmocka_unit_test(test_other_certificate),
    };
    return cmocka_run_group_tests_name("net-wait", tests, setup, teardown);
}
