/* SPDX-License-Identifier: Apache-2.0 */
/* Where the server listens and to whom, and how it ends. */
#include "config.h"

#include <grp.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/net_service.h"

/* --- beginning and end ---------------------------------------------------- */

static void refused_to_listen(const char *where, idv_rc rc, const char *note)
{
    const char *const listen[] = {where, NULL};
    struct nt_server s = {.conf.listen = listen};
    nt_server_start(&s, &pki, &service);
    nt_server_stop(&s);
    assert_int_equal(s.rc, rc);
    if (!strstr(s.note, note))
        fail_msg("%s: %s", where, s.note);
}

static void test_listen(void **state)
{
    struct nt_server s = {0};
    char where[64], note[128];
    (void)state;
    nt_server_start(&s, &pki, &service);
    snprintf(where, sizeof(where), "127.0.0.1:%u", s.port);
    snprintf(note, sizeof(note),
             "server: cannot listen on %s: Address already in use", where);
    refused_to_listen(where, IDV_E_NET, note);
    assert_int_equal(nt_get(s.port, "/still"), 200);
    nt_server_stop(&s);
    refused_to_listen("8443", IDV_E_ARG, "not host:port");
    refused_to_listen("::1:8443", IDV_E_ARG, "not host:port");
    refused_to_listen("127.0.0.1:70000", IDV_E_ARG, "port");
    refused_to_listen("127.0.0.1:x", IDV_E_ARG, "port");
    refused_to_listen("no.such.name.invalid:1", IDV_E_ARG, "cannot listen");
}

/* a server on host and a drive to it; skipped where there is no such host */
static void over_v6(const char *host)
{
    char where[96], field[120];
    const char *const listen[] = {where, NULL};
    struct nt_server s = {.conf.listen = listen};
    struct idv_drive_conf c = {.env = &client_env.env};
    struct nt_machine m;
    snprintf(where, sizeof(where), "[%s]:0", host);
    nt_server_start(&s, &pki, &service);
    if (!s.port) {
        nt_server_stop(&s);
        assert_int_equal(s.rc, IDV_E_NET);
        skip();
    }
    nt_machine_init(&m, s.port);
    strcpy(m.connect.host, host);
    nt_machine_add(&m, IDV_POST, "/echo", "hello");
    nt_machine_add(&m, IDV_GET, "/peer", NULL);
    struct idv_machine machine = nt_machine(&m);
    idv_note_clear();
    if (idv_drive(&machine, &c) != IDV_OK)
        fail_msg("%s: %s", host, m.note);
    assert_string_equal((char *)m.reply[0].body.p, "hello");
    assert_string_equal(m.peer.address, host);
    snprintf(field, sizeof(field), " %s ", host);
    assert_non_null(strstr((char *)m.reply[1].body.p, field));
    nt_machine_free(&m);
    nt_server_stop(&s);
    assert_int_equal(s.rc, IDV_OK);
}

static void test_v6(void **state)
{
    (void)state;
    over_v6("::1");
}

/* a link-local address of this machine, with its zone */
static void test_v6_zone(void **state)
{
    struct ifaddrs *all = NULL;
    char host[64] = "";
    (void)state;
    assert_int_equal(getifaddrs(&all), 0);
    for (const struct ifaddrs *i = all; i && !host[0]; i = i->ifa_next) {
        const struct sockaddr_in6 *a = (const void *)i->ifa_addr;
        if (a && a->sin6_family == AF_INET6 &&
            IN6_IS_ADDR_LINKLOCAL(&a->sin6_addr) &&
            getnameinfo((const void *)a, sizeof(*a), host, sizeof(host), NULL,
                        0, NI_NUMERICHOST) != 0)
            host[0] = 0;
    }
    freeifaddrs(all);
    if (!host[0])
        skip();
    assert_non_null(strchr(host, '%'));
    over_v6(host);
}

static void test_inherited(void **state)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct nt_server s = {.conf.inherited = &fd, .conf.inherited_n = 1};
    const char *const none[] = {NULL};
    (void)state;
    assert_int_equal(listen(fd, 8), 0);
    s.conf.listen = none;
    nt_server_start(&s, &pki, &service);
    assert_int_equal(nt_get(s.port, "/in"), 200);
    nt_server_stop(&s);
    assert_int_equal(close(fd), 0); /* still ours */
}

static void test_stop_with_idle(void **state)
{
    struct nt_server s = {.conf.drain_s = 1};
    struct nt_client idle, silent;
    (void)state;
    nt_server_start(&s, &pki, &service);
    assert_true(nt_connect(&idle, s.port, NULL));
    assert_true(nt_say(&idle, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(nt_hear(&idle, NULL, false), 200);
    assert_true(nt_tcp(&silent, s.port));
    nt_server_stop(&s);
    assert_int_equal(s.rc, IDV_OK);
    assert_true(nt_ended(&idle));
    nt_close(&idle);
    nt_close(&silent);
}

static int entered[2], gate[2];

/* the first byte of gate[] lets one that asked for /hold go on, and with it the
 * loop that serves it */
static idv_rc hold(void *self, struct idv_call *call, struct idv_told *told,
                   enum idv_next *next)
{
    char c = 0;
    if (strcmp(call->req.path, "/hold") == 0) {
        assert_int_equal(write(entered[1], &c, 1), 1);
        assert_int_equal(read(gate[0], &c, 1), 1);
    }
    return serve(self, call, told, next);
}

/* what was on its way to an idle connection when the end came is answered */
static void test_stop_with_request(void **state)
{
    const struct idv_service holding = {hold, NULL};
    struct nt_server s = {0};
    struct nt_client kept, busy;
    IDV_AUTO(buf) r = {0};
    char c = 0;
    (void)state;
    assert_true(pipe(entered) == 0 && pipe(gate) == 0);
    nt_server_start(&s, &pki, &holding);
    assert_true(nt_connect(&kept, s.port, NULL));
    assert_true(nt_say(&kept, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(nt_hear(&kept, NULL, false), 200);
    assert_true(nt_connect(&busy, s.port, NULL));
    assert_true(nt_say(&busy, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(read(entered[0], &c, 1), 1);
    assert_int_equal(dup2(entered[0], s.stop[1]), s.stop[1]); /* says stop */
    assert_true(nt_say(&kept, "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(write(gate[1], &c, 1), 1);
    assert_int_equal(nt_hear(&busy, NULL, false), 200);
    assert_int_equal(nt_hear(&kept, &r, false), 200);
    assert_non_null(strstr((char *)r.p, "Connection: close\r\n"));
    assert_true(nt_ended(&kept));
    nt_close(&kept);
    nt_close(&busy);
    nt_server_stop(&s);
    assert_int_equal(s.rc, IDV_OK);
    for (int i = 0; i < 2; i++)
        assert_true(close(entered[i]) == 0 && close(gate[i]) == 0);
}

/* --- the admin socket ----------------------------------------------------- */

static idv_rc admin(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    (void)self;
    (void)told;
    *next = IDV_NEXT_REPLY;
    return idv_msg_reply(&call->reply, 200, "application/json",
                         call->req.body.n ? idv_view(&call->req.body)
                                          : idv_str(call->peer->address));
}

/* asks as that user; the status, or that there was no answer */
static int admin_as(const char *path, uid_t uid, gid_t gid)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct idv_msg req, reply;
        idv_msg_init(&req);
        idv_msg_init(&reply);
        if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
            setresuid(uid, uid, uid) != 0)
            _exit(1);
        strcpy(req.path, "/list");
        if (idv_admin_exchange(path, &req, NT_LIMIT_S, &reply) != IDV_OK)
            _exit(2);
        _exit(reply.status / 100 * 10 + reply.status % 100);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_admin_for_whom(void **state)
{
    struct nt_server s = {.admin = {admin, NULL}};
    char dir[] = "/tmp/idevid-admin.XXXXXX", path[64];
    struct stat st;
    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can be somebody else */
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chmod(dir, 0755), 0);
    snprintf(path, sizeof(path), "%s/admin.sock", dir);
    s.conf.admin_path = path;
    s.conf.admin_gid = 54321;
    nt_server_start(&s, &pki, &service);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_int_equal(st.st_gid, 54321);
    assert_int_equal(admin_as(path, 0, 0), 20);
    assert_int_equal(admin_as(path, 65534, 54321), 20);
    assert_int_equal(admin_as(path, 65534, 65534), 2);
    /* not by the file's mode alone */
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(admin_as(path, 65534, 65534), 43);
    nt_server_stop(&s);
    rmdir(dir);
}

static void test_admin(void **state)
{
    char dir[] = "/tmp/idevid-net-XXXXXX", path[64], who[32];
    struct nt_server s = {.admin = {admin, NULL}};
    struct idv_msg req, reply;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/admin.sock", dir);
    snprintf(who, sizeof(who), "unix:uid=%u", (unsigned)getuid());
    s.conf.admin_path = path;
    idv_msg_init(&req);
    idv_msg_init(&reply);
    strcpy(req.path, "/status");
    assert_int_equal(idv_admin_exchange(path, &req, 5, &reply), IDV_E_NET);
    assert_non_null(strstr(idv_note(), "admin socket"));
    idv_note_clear();
    nt_server_start(&s, &pki, &service);
    assert_int_equal(idv_admin_exchange(path, &req, 5, &reply), IDV_OK);
    assert_int_equal(reply.status, 200);
    assert_string_equal((char *)reply.body.p, who);
    req.verb = IDV_POST;
    assert_int_equal(idv_buf_puts(&req.body, "{}"), IDV_OK);
    assert_int_equal(idv_admin_exchange(path, &req, 5, &reply), IDV_OK);
    assert_string_equal((char *)reply.body.p, "{}");
    struct nt_server second = {.conf.admin_path = path};
    nt_server_start(&second, &pki, &service);
    nt_server_stop(&second);
    assert_int_equal(second.rc, IDV_E_NET);
    assert_non_null(strstr(second.note, "in use"));
    nt_server_stop(&s);
    assert_int_equal(access(path, F_OK), -1);
    idv_msg_free(&req);
    idv_msg_free(&reply);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listen),
        cmocka_unit_test(test_v6),
        cmocka_unit_test(test_v6_zone),
        cmocka_unit_test(test_inherited),
        cmocka_unit_test(test_stop_with_idle),
        cmocka_unit_test(test_stop_with_request),
        cmocka_unit_test(test_admin_for_whom),
        cmocka_unit_test(test_admin),
    };
    return cmocka_run_group_tests_name("net-begin", tests, setup, teardown);
}
