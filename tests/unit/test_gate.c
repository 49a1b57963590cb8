/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's gate: rules, vouchers had ahead, imprints made elsewhere,
 * modes of less security, findings. */
#include "tests/lib/stores.h"
#include "tests/unit/ahead.h"

/* --- rules ---------------------------------------------------------------- */

static int64_t add_rule(struct fixture *f, struct idv_rule r)
{
    struct idv_registrar_people p = idv_db_registrar_people(f->w.reg_db);
    int64_t id = 0;
    OK(p.rule_add(p.self, &r, &id));
    return id;
}

static int ask_voucher(struct fixture *f)
{
    IDV_AUTO(voucher) pvr;
    IDV_AUTO(buf) sealed = {0};
    pki_request(&f->w.pki, &pvr, &sealed);
    return world_registrar(&f->w, W_BRSKI "requestvoucher",
                           IDV_MEDIA_VOUCHER_CMS, idv_view(&sealed));
}

/* R-R-15: the first rule about a device counts, unless a person decided */
static void test_rules(void **state)
{
    struct fixture *f = *state;
    f->w.reg_maker.admit = IDV_ADMIT_LISTED;
    because(f, ask_voucher(f), 404, "not-listed");
    int64_t ask = add_rule(f, (struct idv_rule){.action = IDV_RULE_ASK});
    because(f, ask_voucher(f), 202, "pending");
    int64_t deny =
        add_rule(f, (struct idv_rule){.action = IDV_RULE_DENY, .position = 5});
    because(f, ask_voucher(f), 404, "rule-denied");
    add_rule(f, (struct idv_rule){.action = IDV_RULE_ALLOW,
                                  .position = 1,
                                  .maker = "ma?er",
                                  .serial_number = "JADA*9"});
    assert_int_equal(ask_voucher(f), 200);
    assert_non_null(strstr(f->w.log, "admitted device=JADA123456789"));
    assert_non_null(strstr(f->w.log, "by=rule rule="));
    OK(idv_db_decide(f->w.reg_db, "maker", PKI_SERIAL, IDV_DECISION_REFUSED,
                     PKI_NOW));
    because(f, ask_voucher(f), 404, "device-refused");
    (void)ask;
    (void)deny;
}

/* a rule that came after the voucher keeps a device out, a word on it lets it
 * in again */
static void test_rule_enroll(void **state)
{
    struct fixture *f = *state;
    get_voucher(f);
    add_rule(f, (struct idv_rule){.action = IDV_RULE_DENY,
                                  .serial_number = "JADA*"});
    because(f, enroll(f), 403, "rule-denied");
    OK(idv_db_decide(f->w.reg_db, "maker", PKI_SERIAL, IDV_DECISION_APPROVED,
                     PKI_NOW));
    assert_int_equal(enroll(f), 200);
}

static void test_rule_windows(void **state)
{
    struct fixture *f = *state;
    f->w.reg_maker.admit = IDV_ADMIT_LISTED;
    int64_t now = PKI_NOW;
    add_rule(f, (struct idv_rule){.action = IDV_RULE_ALLOW,
                                  .not_before = now + 100,
                                  .not_after = now + 200});
    because(f, ask_voucher(f), 404, "not-listed");
    f->w.pki.env.now = now + 100;
    assert_int_equal(ask_voucher(f), 200);
    f->w.pki.env.now = now + 201;
    because(f, ask_voucher(f), 404, "not-listed");
}

static void test_rule_model(void **state)
{
    struct fixture *f = *state;
    struct idv_cert_spec spec = {.kind = IDV_CERT_IDEVID,
                                 .serial_number = PKI_SERIAL,
                                 .common_name = "Gateway 7",
                                 .organizational_unit = "Routers"};
    struct pki_id id = pki_issue(&f->w.pki, "P-256", &spec, &f->w.pki.maker_ca);
    IDV_AUTO(buf) sealed = {0};
    IDV_AUTO(voucher) pvr;
    pki_request(&f->w.pki, &pvr, &sealed);
    idv_buf_clear(&sealed);
    pki_seal(&pvr, &id, NULL, false, &sealed);
    world_peer(&f->w.pledge, id.cert, f->w.pki.maker_ca.cert, 2);
    f->w.reg_maker.admit = IDV_ADMIT_LISTED;
    f->w.link = WORLD_LINK_LOST;
    f->w.reg_maker.masa_fallback = PKI_MASA_URL;
    int64_t one = add_rule(
        f, (struct idv_rule){.action = IDV_RULE_DENY, .model = "Gateway *"});
    assert_true(one > 0);
    because(f,
            world_registrar(&f->w, W_BRSKI "requestvoucher",
                            IDV_MEDIA_VOUCHER_CMS, idv_view(&sealed)),
            404, "rule-denied");
    f->w.reg_maker.model_field = IDV_MODEL_UNIT;
    because(f,
            world_registrar(&f->w, W_BRSKI "requestvoucher",
                            IDV_MEDIA_VOUCHER_CMS, idv_view(&sealed)),
            404, "not-listed");
    add_rule(f, (struct idv_rule){.action = IDV_RULE_ASK, .model = "Rout*"});
    because(f,
            world_registrar(&f->w, W_BRSKI "requestvoucher",
                            IDV_MEDIA_VOUCHER_CMS, idv_view(&sealed)),
            202, "pending");
    pki_id_free(&id);
}

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool fits;
    } rows[] = {
        {"", "", true},           {"", "x", true},        {"*", "", true},
        {"*", "abc", true},       {"a*c", "abc", true},   {"a*c", "ac", true},
        {"a*c", "acb", false},    {"?", "", false},       {"?", "ab", false},
        {"a?c", "abc", true},     {"ab", "abc", false},   {"abc", "ab", false},
        {"*b*b", "ababc", false}, {"*b*b", "abab", true}, {"A*", "a1", false},
        {"[a]", "a", false},      {"\\*", "*", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct idv_rule r = {0};
        strcpy(r.serial_number, rows[i].pattern);
        if (idv_rule_matches(&r, "m", "", rows[i].text, 1) != rows[i].fits)
            fail_msg("%s on %s", rows[i].pattern, rows[i].text);
    }
    struct idv_rule slow = {0}; /* no pattern takes long */
    memset(slow.serial_number, '*', IDV_MAX_PATTERN);
    for (int i = 1; i < IDV_MAX_PATTERN; i += 2)
        slow.serial_number[i] = 'a';
    assert_false(idv_rule_matches(
        &slow, "m", "", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 1));
}

/* --- findings ------------------------------------------------------------- */

struct looking {
    const char *kind, *detail;
    int64_t times;
};

static bool look(void *arg, int64_t number, const struct idv_finding *found)
{
    struct looking *l = arg;
    (void)number;
    if (strcmp(found->kind, l->kind) == 0 && strstr(found->detail, l->detail))
        l->times = found->times;
    return true;
}

static int64_t found(struct fixture *f, const char *kind, const char *detail)
{
    struct idv_registrar_people p = idv_db_registrar_people(f->w.reg_db);
    struct looking l = {kind, detail, 0};
    OK(p.findings(p.self, NULL, 0, 100, look, &l));
    return l.times;
}

/* R-R-20: those who run it learn that a MASA does not know them */
static void test_masa_unauthorized(void **state)
{
    struct fixture *f = *state;
    for (int i = 1; i <= 2; i++) {
        world_can(&f->w, 401, "text/plain", "who");
        assert_int_equal(ask_voucher(f), 503);
        assert_int_equal(found(f, "masa-unauthorized", "masa.example.com"), i);
    }
}

/* R-R-33 */
static void test_status_oddities(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask_voucher(f), 200);
    f->w.upstreams = 0;
    assert_int_equal(
        report(f, "voucher_status",
               "{\"version\":2,\"status\":true,\"colour\":\"red\"}"),
        200);
    assert_int_equal(found(f, "status-version", "version 2"), 1);
    assert_non_null(strstr(f->w.log, "status-unknown-member"));
    assert_non_null(strstr(f->w.log, "name=colour"));
}

#define EVENT(domain, nonce)                                                   \
    "{\"date\":\"2026-01-01T00:00:00Z\",\"domainID\":\"%s\","                  \
    "\"nonce\":" nonce ",\"assertion\":\"logged\"}"

static void own_log(struct fixture *f, int version, const char *nonce)
{
    IDV_AUTO(buf) id = {0};
    IDV_AUTO(buf) text = {0};
    char log[512];
    OK(idv_domain_id(f->w.pki.domain_ca.cert, &id));
    OK(idv_base64_from_bytes(idv_view(&id), 0, &text));
    snprintf(log, sizeof(log),
             "{\"version\":%d,\"events\":[{\"date\":\"2026-01-01T00:00:00Z\","
             "\"domainID\":\"%.*s\",\"nonce\":%s,\"assertion\":\"logged\"}]}",
             version, (int)text.n, (const char *)text.p, nonce);
    world_can(&f->w, 200, JSON, log);
    assert_int_equal(report(f, "voucher_status", GOOD), 200);
}

/* R-R-37: what was had in our name, and not by us */
static void test_own_history(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask_voucher(f), 200);
    own_log(f, 1, "\"not-one-of-ours\"");
    assert_int_equal(found(f, "history", "own-event-unknown not-one-of-ours"),
                     1);
    assert_int_equal(found(f, "history", "own-voucher-missing"), 1);
    assert_int_equal(world_state(&f->w), IDV_SESSION_LOG_OK);
    f->w.link = WORLD_LINK_MASA;
    assert_int_equal(ask_voucher(f), 200);
    own_log(f, 1, "null");
    assert_int_equal(found(f, "history", "own-nonceless-unknown"), 1);
}

#define QUOTED (IDV_MAX_NONCE_TEXT + 3)

static bool keep_nonce(void *arg, const struct idv_session *s)
{
    snprintf(arg, QUOTED, "\"%s\"", s->nonce);
    return false;
}

/* R-R-37: an event of ours stays ours when its request was let go */
static void test_own_history_let_go(void **state)
{
    struct fixture *f = *state;
    struct idv_db_retention keep = {.finished = PKI_NOW + 1};
    char nonce[QUOTED];
    uint64_t gone = 0;
    assert_int_equal(ask_voucher(f), 200);
    OK(idv_db_session_each(f->w.reg_db, PKI_SERIAL, keep_nonce, nonce));
    OK(idv_db_prune(f->w.reg_db, &keep, UINT64_MAX, &gone));
    assert_int_equal(gone, 1);
    assert_int_equal(world_state(&f->w), -1);
    assert_int_equal(ask_voucher(f), 200);
    own_log(f, 1, nonce);
    assert_int_equal(found(f, "history", "own-event-unknown"), 0);
    f->w.link = WORLD_LINK_MASA;
    assert_int_equal(ask_voucher(f), 200);
    own_log(f, 1, "\"not-one-of-ours\"");
    assert_int_equal(found(f, "history", "own-event-unknown"), 1);
}

/* R-R-35 */
static void test_later_version(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask_voucher(f), 200);
    own_log(f, 2, "\"x\"");
    assert_int_equal(found(f, "audit-version", "version 2"), 1);
    assert_int_equal(world_state(&f->w), IDV_SESSION_LOG_OK);
    f->w.reg_conf.refuse_new_logs = true;
    world_configure(&f->w);
    f->w.link = WORLD_LINK_MASA;
    assert_int_equal(ask_voucher(f), 200);
    own_log(f, 2, "\"x\"");
    assert_int_equal(world_state(&f->w), IDV_SESSION_LOG_BAD);
    because(f, enroll(f), 403, "log-bad");
}

/* R-R-68: on another connection the log is asked for once more */
static void test_lost_connection(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask_voucher(f), 200);
    assert_int_equal(report(f, "voucher_status", GOOD), 200);
    assert_int_equal(world_state(&f->w), IDV_SESSION_LOG_OK);
    f->w.upstreams = 0;
    world_peer(&f->w.pledge, f->w.pki.idevid.cert, f->w.pki.maker_ca.cert, 9);
    world_can(&f->w, 200, JSON,
              "{\"version\":1,\"events\":[{\"date\":\"2026-01-01T00:00:00Z\","
              "\"domainID\":\"Zm9yZWlnbg==\",\"nonce\":\"x\"}]}");
    because(f, enroll(f), 403, "log-bad");
    assert_int_equal(f->w.upstreams, 1);
    assert_int_equal(issued_count(f), 0);
}

/* --- less security, by switches ------------------------------------------- */

/* R-R-7, R-R-8 */
static void test_unauthenticated(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) pvr;
    IDV_AUTO(buf) sealed = {0};
    pki_request(&f->w.pki, &pvr, &sealed);
    idv_buf_clear(&sealed);
    pki_seal(&pvr, &f->w.pki.rogue_idevid, NULL, false, &sealed);
    world_peer(&f->w.pledge, f->w.pki.rogue_idevid.cert, NULL, 3);
    for (int i = 0; i < 4; i++) { /* neither switch alone */
        f->w.reg_maker.unauthenticated = i & 1;
        f->w.reg_conf.unauthenticated = i & 2;
        f->w.log[0] = 0;
        world_configure(&f->w);
        assert_int_equal(strstr(f->w.log, "mode=unauthenticated-devices "
                                          "at=start") != NULL,
                         (i & 2) != 0);
        int status = world_registrar(&f->w, W_BRSKI "requestvoucher",
                                     IDV_MEDIA_VOUCHER_CMS, idv_view(&sealed));
        if (i < 3) {
            because(f, status, 403, "idevid-chain");
            continue;
        }
        assert_int_not_equal(status, 403);
        assert_non_null(strstr(f->w.log, "reduced-security "
                                         "mode=unauthenticated-devices"));
    }
}

/* --- vouchers had ahead --------------------------------------------------- */

/* R-R-38, R-R-32: used when the MASA is away, and only if that is allowed */
static void test_stored_when_down(void **state)
{
    struct fixture *f = *state;
    prefetch(f);
    f->w.link = WORLD_LINK_LOST;
    because(f, ask_voucher(f), 202, "masa-lost");
    f->w.reg_maker.stored = IDV_STORED_WHEN_DOWN;
    assert_int_equal(ask_voucher(f), 200);
    assert_non_null(
        strstr(f->w.log, "reduced-security mode=stored-vouchers device="));
    assert_int_equal(world_state(&f->w), IDV_SESSION_VOUCHER_SENT);
    f->w.link = WORLD_LINK_MASA; /* the log is had by the request of then */
    assert_int_equal(report(f, "voucher_status", GOOD), 200);
    assert_int_equal(world_state(&f->w), IDV_SESSION_LOG_OK);
    assert_int_equal(found(f, "history", "own-"), 0);
    assert_int_equal(enroll(f), 200);
}

static void test_stored_first(void **state)
{
    struct fixture *f = *state;
    prefetch_until(f, PKI_NOW + 100);
    f->w.reg_maker.stored = IDV_STORED_FIRST;
    f->w.upstreams = 0;
    assert_int_equal(ask_voucher(f), 200);
    assert_int_equal(f->w.upstreams, 0);
    f->w.pki.env.now = PKI_NOW + 100; /* that one has expired */
    f->w.link = WORLD_LINK_LOST;
    because(f, ask_voucher(f), 202, "masa-lost");
}

/* R-R-38: what is no voucher for us is not kept */
static void test_prefetch_refuses(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(buf) issuer = {0};
    struct idv_stored_voucher v = {0};
    struct idv_prefetch what = ahead(f, &issuer);
    IDV_AUTO(voucher) pvr;
    IDV_AUTO(buf) sealed = {0};
    pki_request(&f->w.pki, &pvr, &sealed);
    static const char *const words[] = {"with a nonce", "another device",
                                        "pins none", "has expired"};
    for (int i = 0; i < 4; i++) {
        IDV_AUTO(voucher) voucher;
        IDV_AUTO(buf) bytes = {0};
        struct idv_msg reply;
        pki_voucher(&f->w.pki, &pvr,
                    i == 2 ? f->w.pki.rogue_ca.cert : f->w.pki.domain_ca.cert,
                    &voucher);
        if (i > 0)
            voucher.nonce[0] = 0;
        if (i > 0)
            voucher.expires_on = i == 3 ? PKI_NOW - 1 : PKI_NOW + 100;
        if (i == 1)
            strcpy(voucher.serial_number, "OTHER");
        pki_seal(&voucher, &f->w.pki.masa, NULL, false, &bytes);
        idv_msg_init(&reply);
        OK(idv_msg_reply(&reply, 200, IDV_MEDIA_VOUCHER_CMS, idv_view(&bytes)));
        FAILS(IDV_E_REJECT, words[i],
              idv_prefetch_read(&what, idv_str("rvr"), &reply, &v));
        idv_msg_free(&reply);
    }
    struct idv_msg no;
    idv_msg_init(&no);
    OK(idv_msg_refuse(&no, 404, "no such device"));
    FAILS(IDV_E_REJECT, "404 no such device",
          idv_prefetch_read(&what, idv_str("rvr"), &no, &v));
    idv_msg_free(&no);
    idv_stored_voucher_free(&v);
}

/* --- imprinted elsewhere -------------------------------------------------- */

/* R-R-43: without a voucher only by a person's word on this very device */
static void test_imprinted(void **state)
{
    struct fixture *f = *state;
    struct idv_registrar_people p = idv_db_registrar_people(f->w.reg_db);
    because(f, enroll(f), 403, "no-voucher");
    OK(p.imprint(p.self, "maker", "ANOTHER", true, "test", PKI_NOW));
    because(f, enroll(f), 403, "no-voucher");
    OK(p.imprint(p.self, "maker", PKI_SERIAL, true, "test", PKI_NOW));
    OK(idv_db_decide(f->w.reg_db, "maker", PKI_SERIAL, IDV_DECISION_REFUSED,
                     PKI_NOW));
    because(f, enroll(f), 403, "device-refused");
    OK(idv_db_decide(f->w.reg_db, "maker", PKI_SERIAL, IDV_DECISION_APPROVED,
                     PKI_NOW));
    f->w.upstreams = 0;
    assert_int_equal(enroll(f), 200);
    assert_int_equal(f->w.upstreams, 0);
    assert_non_null(strstr(f->w.log, "mode=imprinted-elsewhere"));
    assert_int_equal(world_state(&f->w), IDV_SESSION_ENROLLED);
    take_cert(f);
    world_peer(&f->w.member, f->ldevid, NULL, 7);
    assert_int_equal(world_ask(&f->w, idv_registrar_service(f->w.reg),
                               &f->w.member, IDV_POST, W_BRSKI "enrollstatus",
                               JSON, idv_str(GOOD)),
                     200);
    assert_int_equal(world_state(&f->w), IDV_SESSION_ESTATUS_OK);
}

/* the voucher that it was imprinted with by file is the one we had for it */
static void test_imprinted_with_stored(void **state)
{
    struct fixture *f = *state;
    prefetch(f);
    because(f, enroll(f), 403, "no-voucher");
    f->w.reg_maker.stored = IDV_STORED_WHEN_DOWN;
    f->w.upstreams = 0;
    assert_int_equal(enroll(f), 200);
    assert_int_equal(f->w.upstreams, 1); /* its log was judged */
    assert_int_equal(world_state(&f->w), IDV_SESSION_ENROLLED);
}

#define T0(f) cmocka_unit_test_setup_teardown(f, setup_bare, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T0(test_rules),
        T0(test_rule_enroll),
        T0(test_rule_windows),
        T0(test_rule_model),
        T0(test_patterns),
        T0(test_masa_unauthorized),
        T0(test_status_oddities),
        T0(test_own_history),
        T0(test_own_history_let_go),
        T0(test_later_version),
        T0(test_lost_connection),
        T0(test_unauthenticated),
        T0(test_stored_when_down),
        T0(test_stored_first),
        T0(test_prefetch_refuses),
        T0(test_imprinted),
        T0(test_imprinted_with_stored),
    };
    return STORES_RUN(tests);
}
