/* SPDX-License-Identifier: Apache-2.0 */
/* Users of EST by password: who they are, what they get, how often they try. */
#include "tests/lib/stores.h"
#include "tests/unit/enroll.h"

#define DAY ((int64_t)24 * 3600)

static struct idv_registrar_users users;
static int checks;

static idv_rc check(void *arg, const char *user, const char *password, bool *ok)
{
    (void)arg;
    checks++;
    *ok = strcmp(user, "alice") == 0 && strcmp(password, "se:cret") == 0;
    return IDV_OK;
}

static int setup_users(void **state)
{
    struct fixture *f;
    setup_bare(state);
    f = *state;
    checks = 0;
    users = (struct idv_registrar_users){.check = check,
                                         .subject = "CN={serial}, OU=users"};
    f->w.reg_conf.ca.users = &users;
    world_configure(&f->w);
    return 0;
}

/* POST with "NAME:PASSWORD", or with no Authorization at all (NULL). */
static int ask(struct fixture *f, struct idv_peer *peer, const char *path,
               const char *pair)
{
    struct idv_service s = idv_registrar_service(f->w.reg);
    struct idv_call call;
    enum idv_next next = IDV_NEXT_UPSTREAM;
    IDV_AUTO(buf) text = {0};
    f->w.log[0] = 0;
    idv_call_init(&call, peer);
    call.req.verb = IDV_POST;
    strcpy(call.req.path, path);
    strcpy(call.req.media, IDV_MEDIA_PKCS10);
    OK(idv_buf_put(&call.req.body, idv_view(&f->csr)));
    if (pair) {
        OK(idv_base64_from_bytes(idv_str(pair), 0, &text));
        snprintf(call.req.authorization, sizeof(call.req.authorization),
                 "Basic %s", (char *)text.p);
    }
    OK(s.serve(s.self, &call, NULL, &next));
    idv_msg_free(&f->w.reply);
    idv_msg_move(&f->w.reply, &call.reply);
    idv_call_free(&call);
    return f->w.reply.status;
}

static int user(struct fixture *f, const char *pair)
{
    struct idv_peer none = {.address = "192.0.2.7"};
    return ask(f, &none, IDV_PATH_SIMPLEENROLL, pair);
}

static void asked_for_a_password(void **state)
{
    static const char *const wrong[] = {"alice", "alice:wrong", "bob:se:cret",
                                        ":", "Alice:se:cret"};
    struct fixture *f = *state;
    because(f, user(f, NULL), 401, "no-password");
    assert_memory_equal(f->w.reply.authenticate, "Basic realm=", 12);
    users.tries = 100;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_int_equal(user(f, wrong[i]), 401);
    assert_null(strstr(f->w.log, "se:cret"));
    assert_int_equal(issued_count(f), 0);
}

/* The certificate is the template's: no serial number, a short life. */
static void by_password(void **state)
{
    struct fixture *f = *state;
    int64_t from = 0, to = 0;
    char text[64];
    assert_int_equal(user(f, "alice:se:cret"), 200);
    assert_null(strstr(f->w.log, "se:cret"));
    take_cert(f);
    X509_NAME *name = X509_get_subject_name(f->ldevid);
    X509_NAME_get_text_by_NID(name, NID_commonName, text, sizeof(text));
    assert_string_equal(text, "alice");
    assert_int_equal(X509_NAME_get_index_by_NID(name, NID_serialNumber, -1),
                     -1);
    OK(idv_cert_times(f->ldevid, &from, &to));
    assert_true(to <= PKI_NOW + 30 * DAY);
    /* the same request, the same certificate */
    X509 *first = f->ldevid;
    f->ldevid = NULL;
    assert_int_equal(user(f, "alice:se:cret"), 200);
    take_cert(f);
    assert_true(idv_cert_eq(first, f->ldevid));
    X509_free(first);
    /* a device's serial number is not for users */
    f->name = X509_NAME_new();
    X509_NAME_add_entry_by_txt(f->name, "serialNumber", MBSTRING_ASC,
                               (const unsigned char *)PKI_SERIAL, -1, -1, 0);
    world_csr(f->key, f->name, NULL, &f->csr);
    because(f, user(f, "alice:se:cret"), 403, "csr-serial");
}

/* renewed by the certificate, and no longer than that template allows */
static void user_renews(void **state)
{
    struct fixture *f = *state;
    int64_t from = 0, to = 0;
    assert_int_equal(user(f, "alice:se:cret"), 200);
    take_cert(f);
    world_peer(&f->w.member, f->ldevid, NULL, 7);
    f->name = X509_NAME_dup(X509_get_subject_name(f->ldevid));
    world_csr(f->key, f->name, NULL, &f->csr);
    assert_int_equal(reenroll(f), 200);
    take_cert(f);
    OK(idv_cert_times(f->ldevid, &from, &to));
    assert_true(to <= PKI_NOW + 30 * DAY);
    f->w.reg_conf.ca.users = NULL;
    world_configure(&f->w);
    because(f, reenroll(f), 403, "no-users");
}

/* R-R-43: a password opens no door for who shows a certificate. */
static void not_for_devices(void **state)
{
    struct fixture *f = *state;
    because(f, ask(f, &f->w.pledge, IDV_PATH_SIMPLEENROLL, "alice:se:cret"),
            403, "no-voucher");
    world_peer(&f->w.member, f->w.pki.rogue_idevid.cert, NULL, 4);
    because(f, ask(f, &f->w.member, IDV_PATH_SIMPLEENROLL, "alice:se:cret"),
            403, "idevid-chain");
    struct idv_peer none = {0};
    because(f, ask(f, &none, IDV_PATH_SIMPLEREENROLL, "alice:se:cret"), 403,
            "no-client-cert");
    assert_int_equal(checks, 0);
}

static void not_without_users(void **state)
{
    struct fixture *f = *state;
    f->w.reg_conf.ca.users = NULL;
    world_configure(&f->w);
    because(f, user(f, "alice:se:cret"), 403, "no-client-cert");
}

/* R-R-67: five wrong ones in a minute; then nobody looks at the password. */
static void not_too_often(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(user(f, "alice:se:cret"), 200);
    checks = 0;
    for (int i = 0; i < 5; i++)
        because(f, user(f, "alice:wrong"), 401, "password");
    because(f, user(f, "alice:se:cret"), 503, "password-rate");
    assert_int_equal(f->w.reply.retry_after, 60);
    assert_int_equal(checks, 5);
    f->w.pki.env.now += 60;
    assert_int_equal(user(f, "alice:se:cret"), 200);
}

static void other_forms(void **state)
{
    static const char *const fields[] = {"Bearer YWxpY2U6c2U6Y3JldA==",
                                         "Basic",
                                         "Basic ",
                                         "Basic !",
                                         "Basic YWxpY2U=",
                                         "Basic YWxpY2U6AA==",
                                         "basicYWxpY2U6c2U6Y3JldA=="};
    struct fixture *f = *state;
    struct idv_service s = idv_registrar_service(f->w.reg);
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        struct idv_peer none = {0};
        struct idv_call call;
        enum idv_next next = IDV_NEXT_UPSTREAM;
        idv_call_init(&call, &none);
        call.req.verb = IDV_POST;
        strcpy(call.req.path, IDV_PATH_SIMPLEENROLL);
        strcpy(call.req.authorization, fields[i]);
        OK(s.serve(s.self, &call, NULL, &next));
        assert_int_equal(call.reply.status, 401);
        idv_call_free(&call);
    }
    assert_int_equal(checks, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup_users, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(asked_for_a_password), T(by_password),       T(user_renews),
        T(not_for_devices),      T(not_without_users), T(not_too_often),
        T(other_forms),
    };
    return STORES_RUN(tests);
}
