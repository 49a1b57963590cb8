/* SPDX-License-Identifier: Apache-2.0 */
/* The stores on each database program: shared, refused, and used by people. */
#include "tests/unit/codec.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/store.h"
#include "tests/unit/stored.h"

static void two_handles(void **state)
{
    struct stored *f = ready(state);
    struct idv_db *other = NULL;
    bool fresh = false;
    OK(add_device(f->db, "A", 1));
    OK(idv_db_open(f->place.url, &other));
    OK(issue(f->db, 1, &fresh));
    assert_true(fresh);
    OK(issue(other, 1, &fresh));
    assert_false(fresh); /* the same request: one voucher, one event */
    OK(issue(other, 2, &fresh));
    assert_true(fresh);
    assert_int_equal(events(f->db), 2);
    idv_db_close(other);
}

/* Workers that all begin at once on a store that is not there yet. */
static int worker(const char *url)
{
    struct idv_db *db = NULL;
    bool fresh = false;
    int issued = 0;
    if (idv_db_open(url, &db) != IDV_OK)
        return 100;
    if (add_device(db, "A", 1) != IDV_OK)
        return 101;
    for (int n = 1; n <= 10; n++) {
        if (issue(db, n, &fresh) != IDV_OK)
            return 102;
        issued += fresh;
    }
    idv_db_close(db);
    return issued;
}

static void many_processes(void **state)
{
    struct stored *f = ready(state);
    struct idv_db *db = NULL;
    int total = 0;
    struct place new = {0};
    place_make(&new, f->place.pg);
    for (int i = 0; i < 4; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(worker(new.url));
    }
    for (int i = 0; i < 4; i++) {
        int status = 0;
        assert_true(wait(&status) > 0 && WIFEXITED(status));
        assert_true(WEXITSTATUS(status) < 100);
        total += WEXITSTATUS(status);
    }
    assert_int_equal(total, 10);
    OK(idv_db_open(new.url, &db));
    assert_int_equal(events(db), 10);
    idv_db_close(db);
    place_drop(&new);
}

static void log_only_grows(void **state)
{
    struct stored *f = ready(state);
    bool fresh = false;
    OK(add_device(f->db, "A", 1));
    OK(issue(f->db, 1, &fresh));
    FAILS(IDV_E_STATE, "only grows",
          idvi_exec(f->db, NULL, "DELETE FROM audit_event", ""));
    FAILS(IDV_E_STATE, "only grows",
          idvi_exec(f->db, NULL, "UPDATE audit_event SET nonce = 'x'", ""));
    FAILS(IDV_E_STATE, "", idvi_exec(f->db, NULL, "DELETE FROM device", ""));
    assert_int_equal(events(f->db), 1);
}

static bool look_again(void *arg, const struct idv_masa_device *d)
{
    struct stored *f = arg;
    assert_int_equal(devices(f->db, d->serial_number), 1);
    return true;
}

static void nested(void **state) /* a callback that asks the same again */
{
    struct stored *f = ready(state);
    OK(add_device(f->db, "A", 1));
    OK(add_device(f->db, "B", 1));
    OK(idv_db_device_each(f->db, NULL, look_again, f));
    assert_int_equal(devices(f->db, NULL), 2);
}

static void odd_values(void **state) /* never trusted to fit */
{
    struct stored *f = ready(state);
    int n = 0;
    OK(add_device(f->db, "A", 1));
    OK(idvi_exec(f->db, NULL, "UPDATE device SET owner = $1", "t",
                 "0123456789012345678901234567890123456789012345678901234567890"
                 "1234567890123456789012345678901234567890"));
    FAILS(IDV_E_FORMAT, "does not fit",
          idv_db_device_each(f->db, NULL, count_device, &n));
}

/* --- devices -------------------------------------------------------------- */

static void blocks(void **state)
{
    struct stored *f = ready(state);
    OK(add_device(f->db, "A", 1));
    FAILS(IDV_E_STATE, "'B'",
          idv_db_device_stand(f->db, idv_str(""), "B", IDV_STANDING_BLOCKED,
                              "lost", &test_by));
    OK(add_device(f->db, "A", 2));
    FAILS(IDV_E_STATE, "several",
          idv_db_device_stand(f->db, idv_str(""), "A", IDV_STANDING_BLOCKED,
                              "lost", &test_by));
    uint8_t keyid[20] = {2};
    OK(idv_db_device_stand(f->db, idv_bytes(keyid, 20), "A",
                           IDV_STANDING_BLOCKED, "lost", &test_by));
}

static struct pki pki;

static void put_base64(struct idv_buf *out, struct idv_bytes raw)
{
    pki_must(idv_base64_from_bytes(raw, 0, out), "base64");
}

static void export_line(struct idv_buf *out, const char *serial, bool json)
{
    IDV_AUTO(buf) issuer = {0};
    IDV_AUTO(buf) cert = {0};
    IDV_AUTO(buf) issuer64 = {0};
    IDV_AUTO(buf) cert64 = {0};
    pki_must(idv_idevid_issuer(pki.idevid.cert, false, &issuer), "issuer");
    pki_must(idv_cert_to_der(pki.idevid.cert, &cert), "der");
    put_base64(&issuer64, idv_view(&issuer));
    put_base64(&cert64, idv_view(&cert));
    idv_buf_clear(out);
    pki_must(idv_buf_putf(out,
                          json ? "{\"serial-number\":\"%s\","
                                 "\"idevid-issuer\":\"%s\","
                                 "\"certificate\":\"%s\",\"new\":1}\n"
                               : "\"%s\",%s,%s\r\n",
                          serial, (char *)issuer64.p, (char *)cert64.p),
             "line");
}

static bool keep_device(void *arg, const struct idv_masa_device *d)
{
    struct idv_masa_device *to = arg;
    pki_must(idv_buf_put(&to->cert, idv_view(&d->cert)), "keep");
    strcpy(to->serial_number, d->serial_number);
    to->keyid_n = d->keyid_n;
    return true;
}

static void imports(void **state)
{
    struct stored *f = ready(state);
    IDV_AUTO(buf) line = {0};
    struct idv_masa_device d = {0};
    bool fresh = false;
    for (int json = 0; json <= 1; json++) {
        export_line(&line, PKI_SERIAL, json);
        OK(idv_db_device_import(f->db, idv_view(&line), &fresh));
        assert_int_equal(fresh, !json);
    }
    assert_int_equal(devices(f->db, PKI_SERIAL), 1);
    OK(idv_db_device_each(f->db, NULL, keep_device, &d));
    assert_string_equal(d.serial_number, PKI_SERIAL);
    assert_int_equal(d.keyid_n, 20);
    assert_true(d.cert.n > 100);
    idv_masa_device_free(&d);
}

static void imports_not(void **state)
{
    static const struct {
        const char *line, *part;
    } rows[] = {
        {"", "no serial-number"},
        {"A", "no idevid-issuer"},
        {"A,!!", "base64"},
        {"A,AAAA", ""},
        {"\"A,BBgw", "quote"},
        {"\"A\"x,BBgw", "after a quote"},
        {"A,b,c,d,e,f,g,h,i,j,k,l", "more than"},
        {"{\"serial-number\":1}", "not a text"},
        {"{\"serial-number\":\"A\",\"serial-number\":\"B\"}", ""},
        {"{", ""},
    };
    struct stored *f = ready(state);
    IDV_AUTO(buf) line = {0};
    bool fresh = false;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        FAILS(IDV_E_FORMAT, rows[i].part,
              idv_db_device_import(f->db, idv_str(rows[i].line), &fresh));
    export_line(&line, "OTHER", true);
    FAILS(IDV_E_FORMAT, "is that of '" PKI_SERIAL "'",
          idv_db_device_import(f->db, idv_view(&line), &fresh));
    assert_int_equal(devices(f->db, NULL), 0);
}

/* --- the registrar's side ------------------------------------------------- */

static bool keep_decision(void *arg, const struct idv_db_decision *d)
{
    *(struct idv_db_decision *)arg = *d;
    return true;
}

static void decisions(void **state)
{
    struct stored *f = ready(state);
    struct idv_registrar_store s = idv_db_registrar_store(f->db);
    struct idv_db_decision seen = {0};
    enum idv_decision d;
    OK(s.decision(s.self, "m", "A", false, 1, &d));
    assert_int_equal(d, IDV_DECISION_NONE);
    OK(s.decision(s.self, "m", "A", true, 2, &d));
    assert_int_equal(d, IDV_DECISION_PENDING);
    OK(idv_db_decision_each(f->db, IDV_DECISION_PENDING, keep_decision, &seen));
    assert_string_equal(seen.serial_number, "A");
    assert_true(seen.asked == 2 && seen.decided == 0);
    OK(idv_db_decide(f->db, "m", "A", IDV_DECISION_APPROVED, 3));
    OK(s.decision(s.self, "m", "A", true, 4, &d));
    assert_int_equal(d, IDV_DECISION_APPROVED);
    OK(s.decision(s.self, "other", "A", false, 4, &d));
    assert_int_equal(d, IDV_DECISION_NONE);
    OK(idv_db_decide(f->db, "m", "A", IDV_DECISION_NONE, 5));
    OK(s.decision(s.self, "m", "A", false, 6, &d));
    assert_int_equal(d, IDV_DECISION_NONE);
}

static void claims(void **state)
{
    struct stored *f = ready(state);
    struct idv_registrar_store s = idv_db_registrar_store(f->db);
    struct idv_session session = {.state = IDV_SESSION_PVR_OK, .changed = 10};
    bool yes = false;
    OK(s.session_add(s.self, &session, &yes));
    assert_true(yes);
    OK(s.session_add(s.self, &session, &yes));
    assert_false(yes);
    OK(s.session_claim(s.self, session.pvr_sha256, 20, 5, false, &yes));
    assert_true(yes);
    OK(s.session_claim(s.self, session.pvr_sha256, 21, 5, false, &yes));
    assert_false(yes);
    OK(s.session_claim(s.self, session.pvr_sha256, 21, 5, true, &yes));
    assert_true(yes); /* whose own it is */
    OK(s.session_claim(s.self, session.pvr_sha256, 50, 22, false, &yes));
    assert_true(yes); /* that claim is stale */
    OK(s.session_update(s.self, &session, IDV_SESSION_PVR_OK, &yes));
    assert_false(yes);
    OK(s.session_update(s.self, &session, IDV_SESSION_MASA_WAIT, &yes));
    assert_true(yes);
}

/* a process that claims it at that time and waits to be killed */
static pid_t claimer(const char *url, const uint8_t key[32], int64_t now)
{
    int fd[2];
    char byte = 0;
    assert_int_equal(pipe(fd), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct idv_db *db = NULL;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        bool yes = idv_db_open(url, &db) == IDV_OK;
        struct idv_registrar_store s = idv_db_registrar_store(db);
        yes = yes &&
              s.session_claim(s.self, key, now, 0, false, &yes) == IDV_OK &&
              yes;
        if (yes && write(fd[1], &byte, 1) == 1)
            pause();
        _exit(1);
    }
    close(fd[1]);
    assert_true(pid > 0 && read(fd[0], &byte, 1) == 1);
    close(fd[0]);
    return pid;
}

static void end(pid_t pid)
{
    siginfo_t info;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

/* A claim is over with the process that has it: at once, also before anybody
 * has waited for that. One of a program that does not say so is not. */
static void claims_die(void **state)
{
    struct stored *f = ready(state);
    struct idv_registrar_store s = idv_db_registrar_store(f->db);
    struct idv_session session = {.state = IDV_SESSION_PVR_OK, .changed = 10};
    bool yes = false;
    OK(s.session_add(s.self, &session, &yes));
    pid_t first = claimer(f->place.url, session.pvr_sha256, 20);
    OK(s.session_claim(s.self, session.pvr_sha256, 21, 5, false, &yes));
    assert_false(yes);
    end(first);
    pid_t second = claimer(f->place.url, session.pvr_sha256, 22);
    assert_int_equal(waitpid(first, NULL, 0), first);
    OK(s.session_claim(s.self, session.pvr_sha256, 23, 5, false, &yes));
    assert_false(yes); /* the second one's */
    OK(s.session_claim(s.self, session.pvr_sha256, 23, 5, true, &yes));
    assert_false(yes); /* not ours */
    end(second);
    assert_int_equal(waitpid(second, NULL, 0), second);
    OK(s.session_get(s.self, session.pvr_sha256, &yes, &session));
    session.changed = 24;
    OK(s.session_update(s.self, &session, IDV_SESSION_MASA_WAIT, &yes));
    assert_true(yes); /* as one that knows nothing of claimers claims */
    OK(s.session_claim(s.self, session.pvr_sha256, 25, 5, false, &yes));
    assert_false(yes);
    OK(s.session_claim(s.self, session.pvr_sha256, 50, 25, false, &yes));
    assert_true(yes);
    idv_session_free(&session);
}

static void prunes(void **state)
{
    struct stored *f = ready(state);
    struct idv_registrar_store s = idv_db_registrar_store(f->db);
    struct idv_session a = {.changed = 10}, b = a, asked = a;
    bool fresh;
    uint64_t n = 0;
    b.pvr_sha256[0] = 1;
    OK(idv_buf_puts(&b.voucher, "v"));
    OK(s.session_add(s.self, &a, &fresh));
    OK(s.session_add(s.self, &b, &fresh));
    asked.pvr_sha256[0] = 2;
    OK(idv_buf_puts(&asked.rvr, "r"));
    strcpy(asked.maker, "m");
    strcpy(asked.serial_number, "A");
    strcpy(asked.nonce, "n");
    OK(s.session_add(s.self, &asked, &fresh));
    OK(add_device(f->db, "A", 1));
    OK(issue(f->db, 1, &fresh)); /* repeatable until 200 */
    struct idv_db_retention keep = {.unfinished = 100};
    OK(idv_db_prune(f->db, &keep, UINT64_MAX, &n));
    assert_int_equal(n, 1); /* the session that no MASA was asked for */
    keep.unfinished = 300;
    OK(idv_db_prune(f->db, &keep, UINT64_MAX, &n));
    assert_int_equal(n, 1); /* what was repeatable */
    keep = (struct idv_db_retention){.finished = 10};
    OK(idv_db_prune(f->db, &keep, UINT64_MAX, &n));
    assert_int_equal(n, 0);
    keep.finished = 11;
    OK(idv_db_prune(f->db, &keep, UINT64_MAX, &n));
    assert_int_equal(n, 2); /* the other sessions */
    OK(s.own_forgotten(s.self, "m", "A", "n", &fresh));
    assert_true(fresh); /* the one that a MASA was asked with */
    OK(s.own_forgotten(s.self, "mA", "", "n", &fresh));
    assert_false(fresh);
    OK(s.own_forgotten(s.self, "m", "A", "", &fresh));
    assert_false(fresh);
    assert_int_equal(events(f->db), 1);
    idv_session_free(&b);
    idv_session_free(&asked);
}

/* --- many at once --------------------------------------------------------- */

#define CROWD 8

/* says what body returns, and lives on until the parent has heard everybody */
static _Noreturn void be_one(const char *url, int i, const int say[2],
                             const int wait_for[2],
                             int (*body)(struct idv_db *db, int i))
{
    struct idv_db *db = NULL;
    close(wait_for[1]);
    idv_rc rc = idv_db_open(url, &db);
    uint8_t n = (uint8_t)(rc == IDV_OK ? body(db, i) : 255);
    if (n > 199)
        print_error("%s\n", idv_note());
    idv_db_close(db);
    bool said = write(say[1], &n, 1) == 1;
    _exit(said && read(wait_for[0], &n, 1) == 0 ? 0 : 1);
}

/* runs body in so many processes; the sum of what they return (below 200) */
static int crowd(const char *url, int (*body)(struct idv_db *db, int i))
{
    int total = 0, say[2], end[2];
    assert_true(pipe(say) == 0 && pipe(end) == 0);
    for (int i = 0; i < CROWD; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            be_one(url, i, say, end, body);
    }
    close(say[1]);
    close(end[0]);
    for (int i = 0; i < CROWD; i++) {
        uint8_t n = 0;
        assert_int_equal(read(say[0], &n, 1), 1);
        assert_true(n < 200);
        total += n;
    }
    close(say[0]);
    close(end[1]);
    for (int i = 0; i < CROWD; i++) {
        int status = 0;
        assert_true(wait(&status) > 0 && WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    return total;
}

static int same_request(struct idv_db *db, int i)
{
    int issued = 0;
    (void)i;
    if (idv_db_batch(db) != IDV_OK)
        return 255;
    for (int n = 0; n < 125; n++) {
        bool fresh = false;
        if (issue(db, 1, &fresh) != IDV_OK || idv_db_commit(db) != IDV_OK)
            return 254;
        issued += fresh;
    }
    return issued;
}

/* the same request a thousand times at once: one voucher and one entry */
static void one_voucher(void **state)
{
    struct stored *f = ready(state);
    OK(add_device(f->db, "A", 1));
    assert_int_equal(crowd(f->place.url, same_request), 1);
    assert_int_equal(events(f->db), 1);
}

#define SESSIONS 100

static int claim_all(struct idv_db *db, int i)
{
    struct idv_registrar_store s = idv_db_registrar_store(db);
    int claimed = 0;
    for (int n = 0; n < SESSIONS; n++) {
        uint8_t key[32] = {(uint8_t)((n + i * 13) % SESSIONS)};
        bool mine = false;
        if (s.session_claim(s.self, key, 20, 5, false, &mine) != IDV_OK)
            return 254;
        claimed += mine;
    }
    return claimed;
}

/* each session's MASA is asked by one worker, and none is left out */
static void one_asks(void **state)
{
    struct stored *f = ready(state);
    struct idv_registrar_store s = idv_db_registrar_store(f->db);
    for (int n = 0; n < SESSIONS; n++) {
        struct idv_session session = {.state = IDV_SESSION_PVR_OK,
                                      .pvr_sha256 = {(uint8_t)n}};
        bool fresh = false;
        OK(s.session_add(s.self, &session, &fresh));
    }
    assert_int_equal(crowd(f->place.url, claim_all), SESSIONS);
}

static idv_rc certify(struct idv_db *db, uint8_t csr, uint8_t cert, bool *fresh)
{
    struct idv_est_store s = idv_db_est_store(db);
    struct idv_issued i = {.csr_sha256 = {csr},
                           .cert_sha256 = {csr, cert},
                           .issued = 10,
                           .not_after = 20};
    return s.add(s.self, &i, fresh);
}

static int enroll_all(struct idv_db *db, int i)
{
    int fresh_n = 0;
    for (int n = 0; n < 20; n++) {
        bool fresh = false;
        if (certify(db, (uint8_t)n, (uint8_t)i, &fresh) != IDV_OK)
            return 254;
        fresh_n += fresh;
    }
    return fresh_n;
}

/* a request enrolled by several at once has one certificate */
static void one_certificate(void **state)
{
    struct stored *f = ready(state);
    assert_int_equal(crowd(f->place.url, enroll_all), 20);
}

/* All machines on a database show one certificate; a newer one takes over, and
 * the one before it has no way back. */
static void shown(void **state)
{
    struct stored *f = ready(state);
    static const int64_t begins[] = {0, 0, 10, -10};
    struct pki_id id[4];
    struct idv_db *other = NULL;
    bool fresh = false;
    OK(idv_db_open(f->place.url, &other));
    for (size_t i = 0; i < 4; i++) {
        struct idv_cert_spec spec = {.kind = IDV_CERT_REGISTRAR,
                                     .common_name = "registrar",
                                     .not_before = PKI_NOW + begins[i],
                                     .not_after = PKI_NOW + PKI_DAY};
        id[i] = pki_issue(&pki, "P-256", &spec, &pki.domain_ca);
    }
    OK(idv_db_may_show(f->db, "registrar", id[2].cert)); /* a look alone */
    OK(idv_db_shown(f->db, "registrar", id[0].cert, &fresh));
    assert_true(fresh);
    OK(idv_db_may_show(other, "registrar", id[0].cert));
    OK(idv_db_may_show(other, "registrar", id[2].cert));
    OK(idv_db_shown(other, "registrar", id[0].cert, &fresh));
    assert_false(fresh);
    for (size_t i = 1; i < 4; i += 2) { /* as old, and older */
        assert_int_equal(idv_db_shown(other, "registrar", id[i].cert, &fresh),
                         IDV_E_STATE);
        assert_non_null(strstr(idv_note(), "nor newer"));
        FAILS(IDV_E_STATE, "nor newer",
              idv_db_may_show(other, "registrar", id[i].cert));
    }
    OK(idv_db_shown(other, "registrar", id[2].cert, &fresh));
    assert_true(fresh);
    assert_int_equal(idv_db_shown(f->db, "registrar", id[0].cert, &fresh),
                     IDV_E_STATE);
    idv_note_clear();
    OK(idv_db_shown(f->db, "registrar", id[2].cert, &fresh));
    assert_false(fresh);
    OK(idv_db_shown(f->db, "other", id[0].cert, &fresh)); /* a role each */
    assert_true(fresh);
    for (size_t i = 0; i < 4; i++)
        pki_id_free(&id[i]);
    idv_db_close(other);
}

#define T(f) ON_BOTH(f, struct stored)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(two_handles), T(many_processes), T(log_only_grows),  T(nested),
        T(odd_values),  T(blocks),         T(imports),         T(imports_not),
        T(decisions),   T(claims),         T(claims_die),      T(prunes),
        T(one_voucher), T(one_asks),       T(one_certificate), T(shown),
    };
    pki_make(&pki);
    int failed = STORED_RUN(tests);
    pki_free(&pki);
    return failed;
}
