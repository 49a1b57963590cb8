/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge on its detours: waits, redirects, losses, EST, resuming. */
#include "tests/unit/codec.h"

#include <openssl/objects.h>

#include "tests/lib/fakereg.h"

static struct pki pki;

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

struct scene {
    struct fakereg reg;
    struct fakedev dev;
    struct memdrive drive;
};

static void scene_init(struct scene *s)
{
    memset(s, 0, sizeof(*s));
    fakereg_init(&s->reg, &pki);
    fakedev_init(&s->dev, &pki);
}

static void scene_free(struct scene *s)
{
    fakereg_free(&s->reg);
    fakedev_free(&s->dev);
}
#define SCENE(s)                                                               \
    __attribute__((cleanup(scene_free))) struct scene s;                       \
    scene_init(&s)

static idv_rc join(struct scene *s)
{
    s->reg.log[0] = 0;
    return fake_join(&s->dev, &s->reg, &s->drive);
}

/* ends with rc after exactly this, in this state */
static void expect(struct scene *s, idv_rc rc, const char *log,
                   enum idv_trust_state state)
{
    idv_rc got = join(s);
    if (got != rc || strcmp(s->reg.log, log) != 0)
        print_error("%s: %s\n", s->reg.log, s->drive.note);
    assert_string_equal(s->reg.log, log);
    assert_int_equal(got, rc);
    assert_int_equal(fakedev_state(&s->dev), state);
}

#define WHOLE "C? rv vs+ ca at en C+ es+"
#define RESUMED "C= ca at en C+ es+"
#define NONE IDV_TRUST_NONE
#define IMPRINTED IDV_TRUST_IMPRINTED
#define ENROLLED IDV_TRUST_ENROLLED

typedef bool hook_fn(struct fakereg *r, const char *word, bool after,
                     const struct idv_msg *req, struct idv_msg *reply);

/* --- 202 (PT-14, PT-15) --------------------------------------------------- */

/* R-P-29, R-P-30 */
static void the_registrar_takes_its_time(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.pending = 3;
    expect(&s, IDV_OK, "C? rv W5 rv W5 rv W5 rv vs+ ca at en C+ es+", ENROLLED);
    assert_int_equal(s.reg.same_pvr, 3);
}

/* R-P-29, R-S-11 */
static void retry_after_is_bounded(void **state)
{
    static const struct {
        int said, done;
    } rows[] = {{999999, 60}, {61, 60}, {60, 60}, {-1, 60}, {0, 1}, {7, 7}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        SCENE(s);
        s.reg.pending = 2;
        s.reg.retry_after = rows[i].said;
        assert_int_equal(join(&s), IDV_OK);
        assert_int_equal(s.reg.longest_wait, rows[i].done);
        assert_int_equal(s.reg.waited, 2 * rows[i].done);
    }
}

/* R-P-31 */
static void four_days_and_no_more(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.pending = 100000;
    s.reg.retry_after = 60;
    s.drive.max_steps = 100000;
    assert_int_equal(join(&s), IDV_E_TIMEOUT);
    assert_int_equal(s.reg.waited, IDV_MAX_PENDING);
    assert_int_equal(s.reg.same_pvr, IDV_MAX_PENDING / 60);
    assert_int_equal(fakedev_state(&s.dev), NONE);
}

/* R-P-21, R-P-30: the registrar closes between two of the same requests */
static void waiting_over_lost_connections(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.pending = 2;
    s.reg.lose = 3; /* C? rv (202) rv */
    expect(&s, IDV_OK, "C? rv W5 rv L C? rv W5 rv vs+ ca at en C+ es+",
           ENROLLED);
    assert_int_equal(s.reg.same_pvr, 3);
    assert_string_equal(s.reg.nonces[0], s.reg.nonces[1]);
}

static bool enroll_pending(struct fakereg *r, const char *word, bool after,
                           const struct idv_msg *req, struct idv_msg *reply)
{
    (void)req;
    if (after || strcmp(word, "en") != 0 || r->same_csr >= 2)
        return false;
    OK(idv_msg_refuse(reply, 202, "not yet"));
    reply->retry_after = 70;
    return true;
}

static void enrollment_takes_its_time(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.hook = enroll_pending;
    expect(&s, IDV_OK, "C? rv vs+ ca at en W60 en W60 en C+ es+", ENROLLED);
    assert_int_equal(s.reg.same_csr, 2);
    assert_int_equal(s.dev.keys_made, 1);
}

static bool enroll_for_ever(struct fakereg *r, const char *word, bool after,
                            const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after || strcmp(word, "en") != 0)
        return false;
    OK(idv_msg_refuse(reply, 202, "not yet"));
    return true;
}

static void enrollment_four_days(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.hook = enroll_for_ever;
    s.drive.max_steps = 100000;
    assert_int_equal(join(&s), IDV_E_TIMEOUT);
    assert_int_equal(s.reg.waited, IDV_MAX_PENDING);
    assert_int_equal(fakedev_state(&s.dev), IMPRINTED);
    assert_string_equal((char *)s.reg.telemetry.p,
                        "{\"version\":1,\"status\":false,\"reason\":"
                        "\"enrollment failed\"}");
}

/* --- redirects (PT-16) ---------------------------------------------------- */

static const char *const *route; /* Location of the n-th request, NULL: none */
static int route_at, route_status;

static bool redirecting(struct fakereg *r, const char *word, bool after,
                        const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after || strcmp(word, "rv") != 0 || !route[route_at])
        return false;
    OK(idv_msg_reply(reply, route_status, "", idv_str("")));
    strcpy(reply->location, route[route_at++]);
    return true;
}

/* R-P-33, R-P-34, R-S-12 */
static void redirects(void **state)
{
    static const struct {
        const char *route[6];
        int status;
        idv_rc rc;
        const char *log, *host;
    } rows[] = {
        {{"https://b.example:9000/.well-known/brski/requestvoucher"},
         307,
         IDV_OK,
         "C? rv C? rv vs+ ca at en C+ es+",
         "b.example"},
        {{"https://b.example:9000"},
         308,
         IDV_OK,
         "C? rv C? rv vs+ ca at en C+ es+",
         "b.example"},
        {{"https://b.example", "/other", "/third"},
         307,
         IDV_OK,
         "C? rv C? rv rv rv vs+ ca at en C+ es+",
         "b.example"},
        {{"/elsewhere"},
         307,
         IDV_OK,
         "C? rv rv vs+ ca at en C+ es+",
         "registrar.example.com"},
        {{"https://registrar.example.com:8443/x"},
         307,
         IDV_OK,
         "C? rv rv vs+ ca at en C+ es+",
         "registrar.example.com"},
        {{"https://b.example", "https://c.example"},
         307,
         IDV_E_REJECT,
         "C? rv C? rv",
         "b.example"},
        {{"https://b.example", "https://registrar.example.com:8443"},
         307,
         IDV_E_REJECT,
         "C? rv C? rv",
         "b.example"},
        {{"https://registrar.example.com:8443"},
         307,
         IDV_E_REJECT,
         "C? rv",
         "registrar.example.com"},
        {{"/a", "/b", "/a", "/b", "/a"},
         307,
         IDV_E_REJECT,
         "C? rv rv rv rv",
         "registrar.example.com"},
        {{"http://b.example"}, 307, IDV_E_REJECT, "C? rv", NULL},
        {{"//b.example/x"}, 307, IDV_E_REJECT, "C? rv", NULL},
        {{"ftp://b.example"}, 308, IDV_E_REJECT, "C? rv", NULL},
        {{""}, 307, IDV_E_REJECT, "C? rv", NULL},
        {{"https://u@b.example"}, 307, IDV_E_FORMAT, "C? rv", NULL},
        {{"https://b.example"}, 302, IDV_E_REJECT, "C? rv", NULL},
        {{"https://b.example"}, 303, IDV_E_REJECT, "C? rv", NULL},
        {{"https://b.example"}, 301, IDV_E_REJECT, "C? rv", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        SCENE(s);
        route = rows[i].route;
        route_at = 0;
        route_status = rows[i].status;
        s.reg.hook = redirecting;
        expect(&s, rows[i].rc, rows[i].log,
               rows[i].rc == IDV_OK ? ENROLLED : NONE);
        if (rows[i].host)
            assert_string_equal(s.reg.last.host, rows[i].host);
        /* a request names the certificate of its own connection */
        if (strstr(rows[i].log, "C? rv C? rv vs"))
            assert_int_equal(s.reg.same_pvr, 0);
    }
}

/* --- refused -------------------------------------------------------------- */

static int refusal;

static bool refusing(struct fakereg *r, const char *word, bool after,
                     const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after || strcmp(word, "rv") != 0)
        return false;
    OK(idv_msg_refuse(reply, refusal, "you\x01 are\nnot welcome"));
    return true;
}

static void statuses_of_requestvoucher(void **state)
{
    static const struct {
        int status;
        idv_rc rc;
    } rows[] = {
        {400, IDV_E_REJECT}, {401, IDV_E_REJECT}, {403, IDV_E_REJECT},
        {404, IDV_E_REJECT}, {406, IDV_E_REJECT}, {415, IDV_E_REJECT},
        {500, IDV_E_NET},    {503, IDV_E_NET},    {204, IDV_E_REJECT},
        {100, IDV_E_REJECT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        SCENE(s);
        refusal = rows[i].status;
        s.reg.hook = refusing;
        expect(&s, rows[i].rc, "C? rv", NONE);
        assert_non_null(strstr(s.drive.note, "you? are"));
        assert_null(strstr(s.drive.note, "welcome"));
    }
}

/* --- several registrars (PT-17) ------------------------------------------- */

static bool first_three_refuse(struct fakereg *r, const char *word, bool after,
                               const struct idv_msg *req, struct idv_msg *reply)
{
    (void)req;
    if (after || strcmp(word, "rv") != 0 || r->waited >= 6)
        return false;
    OK(idv_msg_refuse(reply, 404, "no"));
    return true;
}

/* R-P-8, R-P-49 */
static void the_next_one_is_tried(void **state)
{
    static const char *const list[] = {"a.example", "b.example", "c.example",
                                       NULL};
    (void)state;
    SCENE(s);
    s.dev.conf.registrars = list;
    s.reg.hook = first_three_refuse;
    expect(&s, IDV_OK, "C? rv X3 C? rv X3 " WHOLE, ENROLLED);
    assert_string_equal(s.reg.last.host, "c.example");
}

/* R-P-9, R-P-49 */
static void pauses_double(void **state)
{
    (void)state;
    SCENE(s);
    s.dev.conf.attempts = 5;
    refusal = 404;
    s.reg.hook = refusing;
    expect(&s, IDV_E_REJECT, "C? rv X5 C? rv X10 C? rv X20 C? rv X40 C? rv",
           NONE);
}

/* R-P-9 */
static void pauses_end_at_an_hour(void **state)
{
    (void)state;
    SCENE(s);
    s.dev.conf.attempts = 14;
    refusal = 404;
    s.reg.hook = refusing;
    assert_int_equal(join(&s), IDV_E_REJECT);
    assert_non_null(strstr(s.reg.log, "X2560 C? rv X3600 C? rv X3600"));
    assert_null(strstr(s.reg.log, "X5120"));
}

/* R-P-49 */
static void rounds_are_counted(void **state)
{
    static const char *const list[] = {"a.example", "b.example", NULL};
    (void)state;
    SCENE(s);
    s.dev.conf.registrars = list;
    s.dev.conf.attempts = 2;
    refusal = 404;
    s.reg.hook = refusing;
    expect(&s, IDV_E_REJECT, "C? rv X3 C? rv X3 C? rv X3 C? rv", NONE);
}

static bool refuse_four(struct fakereg *r, const char *word, bool after,
                        const struct idv_msg *req, struct idv_msg *reply)
{
    (void)req;
    if (strcmp(word, "rv") == 0 && after && r->n_nonces < 5)
        idv_buf_clear(&reply->body);
    return false;
}

/* R-P-12 */
static void a_nonce_for_each_attempt(void **state)
{
    (void)state;
    SCENE(s);
    s.dev.conf.attempts = 0;
    s.reg.hook = refuse_four;
    assert_int_equal(join(&s), IDV_OK);
    assert_int_equal(s.reg.n_nonces, 5);
    for (int i = 0; i < 5; i++) {
        assert_true(strlen(s.reg.nonces[i]) >= 22);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(s.reg.nonces[i], s.reg.nonces[j]);
    }
}

/* --- losses (protocol 1.4) ------------------------------------------------ */

static void lost_at_every_step(void **state)
{
    static const struct {
        idv_rc rc;
        const char *before, *after; /* lost before or after it was served */
        enum idv_trust_state state;
    } rows[] = {
        {IDV_E_NET, "C? L", "C? L", NONE},
        {IDV_OK, "C? rv L " WHOLE, "C? rv L " WHOLE, ENROLLED},
        {IDV_OK, "C? rv vs+ L C= vs+ ca at en C+ es+",
         "C? rv vs+ L C= vs+ ca at en C+ es+", ENROLLED},
        {IDV_OK, "C? rv vs+ ca L " RESUMED, "C? rv vs+ ca L " RESUMED,
         ENROLLED},
        {IDV_OK, "C? rv vs+ ca at L C= at en C+ es+",
         "C? rv vs+ ca at L C= at en C+ es+", ENROLLED},
        {IDV_OK, "C? rv vs+ ca at en L C= en C+ es+",
         "C? rv vs+ ca at en L C= en C+ es+", ENROLLED},
        {IDV_OK, "C? rv vs+ ca at en C+ L", "C? rv vs+ ca at en C+ L",
         ENROLLED},
        {IDV_OK, WHOLE " L", WHOLE " L", ENROLLED},
    };
    (void)state;
    for (int i = 0; i < (int)(sizeof(rows) / sizeof(*rows)); i++) {
        for (int after = 0; after < 2; after++) {
            SCENE(s);
            s.reg.lose = i + 1;
            s.reg.lose_after = after;
            expect(&s, rows[i].rc, after ? rows[i].after : rows[i].before,
                   rows[i].state);
            assert_int_equal(s.reg.same_pvr, i == 1);
            assert_int_equal(s.reg.same_csr, i == 5);
            assert_true(s.reg.vouchers <= 2);
        }
    }
}

static bool lose_always(struct fakereg *r, const char *word, bool after,
                        const struct idv_msg *req, struct idv_msg *reply)
{
    (void)word, (void)req, (void)reply;
    if (!after)
        r->lose = r->events + 1; /* the next one as well */
    return false;
}

static void a_registrar_that_always_breaks(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.hook = lose_always;
    s.reg.lose = 2;
    s.reg.lose_after = true;
    assert_int_equal(join(&s), IDV_E_NET);
    assert_string_equal(s.reg.log, "C? rv L C? L");
    assert_int_equal(fakedev_state(&s.dev), NONE);
}

/* every answer is followed by a closed connection */
static bool one_answer_each(struct fakereg *r, const char *word, bool after,
                            const struct idv_msg *req, struct idv_msg *reply)
{
    static int answers;
    (void)req, (void)reply;
    if (strcmp(word, "rv") == 0)
        answers = 0;
    if (after)
        answers++;
    r->lose = after ? r->events + 1 : 0;
    return false;
}

/* R-P-21 */
static void a_registrar_without_persistent_connections(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.hook = one_answer_each;
    expect(&s, IDV_OK,
           "C? rv vs+ L C= vs+ ca L C= ca at L C= at en L C= en C+ L",
           ENROLLED);
}

/* R-P-21, R-S-23: the rogue is sent nothing that names another's certificate */
static void another_certificate_after_a_loss(void **state)
{
    (void)state;
    for (int after = 0; after < 2; after++) {
        SCENE(s);
        s.reg.next_chain = pki.rogue_chain;
        s.reg.lose = 2;
        s.reg.lose_after = after;
        expect(&s, IDV_E_REJECT, "C? rv L C?", NONE);
        assert_non_null(strstr(s.drive.note, "changed its certificate"));
    }
}

/* R-P-64: after the imprint strangers get nothing, not even a request */
static void strangers_after_the_imprint(void **state)
{
    static const char *const logs[] = {
        "C? rv vs+ L C=",
        "C? rv vs+ ca L C=",
        "C? rv vs+ ca at L C=",
        "C? rv vs+ ca at en L C=",
    };
    (void)state;
    for (int i = 0; i < 4; i++) {
        SCENE(s);
        s.reg.next_chain = pki.rogue_chain;
        s.reg.lose = 3 + i;
        expect(&s, IDV_E_REJECT, logs[i], IMPRINTED);
        s.reg.next_chain = NULL;
        s.reg.lose = 0;
        expect(&s, IDV_E_REJECT, "C=", IMPRINTED);
        s.reg.chain = pki.tls_chain;
        expect(&s, IDV_OK, RESUMED, ENROLLED);
    }
}

static bool swap_at_the_end(struct fakereg *r, const char *word, bool after,
                            const struct idv_msg *req, struct idv_msg *reply)
{
    (void)req, (void)reply;
    if (after && strcmp(word, "en") == 0)
        r->chain = r->pki->rogue_chain;
    return false;
}

/* R-P-64: the LDevID is shown to none but the domain; we are enrolled all the
 * same */
static void a_stranger_at_the_report(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.hook = swap_at_the_end;
    expect(&s, IDV_OK, "C? rv vs+ ca at en C+", ENROLLED);
}

/* --- within the domain: EST (PT-20..22) ----------------------------------- */

static const char *bad_word;
static int bad_status;
static const char *bad_media, *bad_body;

static bool bad_answer(struct fakereg *r, const char *word, bool after,
                       const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after || strcmp(word, bad_word) != 0)
        return false;
    OK(idv_msg_reply(reply, bad_status, bad_media, idv_str(bad_body)));
    return true;
}

/* R-P-63, R-P-64 */
static void bad_answers_within_the_domain(void **state)
{
    static const struct {
        const char *word;
        int status;
        const char *media, *body;
        idv_rc rc;
        const char *log;
    } rows[] = {
        {"ca", 404, "", "", IDV_E_REJECT, "C? rv vs+ ca es-"},
        {"ca", 202, "", "", IDV_E_REJECT, "C? rv vs+ ca es-"},
        {"ca", 500, "", "", IDV_E_NET, "C? rv vs+ ca es-"},
        {"ca", 200, "text/html", "<p>", IDV_E_FORMAT, "C? rv vs+ ca es-"},
        {"ca", 200, IDV_MEDIA_PKCS7, "", IDV_E_FORMAT, "C? rv vs+ ca es-"},
        {"ca", 200, IDV_MEDIA_PKCS7, "MAA=", IDV_E_FORMAT, "C? rv vs+ ca es-"},
        {"at", 401, "", "", IDV_E_REJECT, "C? rv vs+ ca at es-"},
        {"at", 200, IDV_MEDIA_CSRATTRS, "MAI=", IDV_E_FORMAT,
         "C? rv vs+ ca at es-"},
        {"en", 403, "text/plain", "no", IDV_E_REJECT, "C? rv vs+ ca at en es-"},
        {"en", 503, "text/plain", "no", IDV_E_NET, "C? rv vs+ ca at en es-"},
        {"en", 200, IDV_MEDIA_PKCS7, "", IDV_E_FORMAT,
         "C? rv vs+ ca at en es-"},
        {"en", 200, "application/pkix-cert", "MAA=", IDV_E_FORMAT,
         "C? rv vs+ ca at en es-"},
        {"en", 307, "", "", IDV_E_REJECT, "C? rv vs+ ca at en es-"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        SCENE(s);
        bad_word = rows[i].word;
        bad_status = rows[i].status;
        bad_media = rows[i].media;
        bad_body = rows[i].body;
        s.reg.hook = bad_answer;
        expect(&s, rows[i].rc, rows[i].log, IMPRINTED);
        fakedev_reopen(&s.dev, &pki);
        s.reg.hook = NULL;
        /* R-P-64: what is imprinted never asks for another voucher */
        expect(&s, IDV_OK, RESUMED, ENROLLED);
    }
}

/* R-P-56: what telemetry is answered does not matter */
static void answers_to_telemetry_are_ignored(void **state)
{
    static const char *const words[] = {"vs", "es"};
    static const int statuses[] = {404, 500, 307};
    (void)state;
    for (int i = 0; i < 6; i++) {
        SCENE(s);
        bad_word = words[i % 2];
        bad_status = statuses[i / 2];
        bad_media = "text/html";
        bad_body = "<html>";
        s.reg.hook = bad_answer;
        expect(&s, IDV_OK, WHOLE, ENROLLED);
    }
}

/* R-P-58 */
static void csrattrs_are_obeyed(void **state)
{
    static const struct {
        enum idv_key_type type;
        int nid;
    } rows[] = {{IDV_KEY_P256, NID_X9_62_prime256v1},
                {IDV_KEY_P384, NID_secp384r1},
                {IDV_KEY_P521, NID_secp521r1}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        SCENE(s);
        char group[64];
        const struct idv_csrattrs attrs = {
            .has_key_type = true,
            .key_type = rows[i].type,
        };
        s.reg.attrs = &attrs;
        expect(&s, IDV_OK, WHOLE, ENROLLED);
        X509 *cert =
            sk_X509_value(idv_trust_enrollment(s.dev.trust)->ldevid, 0);
        EVP_PKEY_get_group_name(X509_get0_pubkey(cert), group, sizeof(group),
                                NULL);
        assert_int_equal(OBJ_txt2nid(group), rows[i].nid);
    }
}

static void challenge_of(const struct fakereg *r, struct idv_buf *out)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO_PTR(X509_REQ) req = NULL;
    bool found = false;
    OK(idv_est_body_to_der(idv_view(&r->csr), &der));
    OK(idv_csr_from_der(idv_view(&der), &req));
    OK(idv_csr_challenge(req, &found, out));
    assert_true(found);
}

/* 3.4: a request bound to a connection is made anew for the next one, with
 * the same key */
static void the_channel_is_bound(void **state)
{
    (void)state;
    SCENE(s);
    const struct idv_csrattrs attrs = {.challenge = true};
    IDV_AUTO(buf) raw = {0};
    IDV_AUTO(buf) want = {0};
    IDV_AUTO(buf) got = {0};
    uint8_t binding[32];
    s.reg.attrs = &attrs;
    s.reg.lose = 6;
    expect(&s, IDV_OK, "C? rv vs+ ca at en L C= en C+ es+", ENROLLED);
    assert_int_equal(s.reg.same_csr, 0);
    assert_int_equal(s.dev.keys_made, 1);
    memset(binding, 0x40 + 7, sizeof(binding)); /* the 7th event */
    OK(idv_base64_from_bytes(idv_bytes(binding, 32), 0, &want));
    challenge_of(&s.reg, &got);
    assert_true(idv_bytes_eq(idv_view(&got), idv_view(&want)));
}

/* --- certificates that will not do ---------------------------------------- */

static struct pki_id other;

static bool issue_other(struct fakereg *r, const char *word, bool after,
                        const struct idv_msg *req, struct idv_msg *reply)
{
    IDV_AUTO(buf) bag = {0};
    IDV_AUTO(buf) body = {0};
    (void)r, (void)req;
    if (!after || strcmp(word, "en") != 0)
        return false;
    STACK_OF(X509) *certs = pki_stack(other.cert, NULL);
    OK(idv_certbag_to_der(certs, &bag));
    OK(idv_est_body_from_der(idv_view(&bag), &body));
    OK(idv_msg_reply(reply, 200, IDV_MEDIA_PKCS7, idv_view(&body)));
    idv_certs_free(certs);
    return false;
}

static void certificates_of_others(void **state)
{
    const struct idv_cert_spec spec = {
        .kind = IDV_CERT_LDEVID,
        .serial_number = PKI_SERIAL,
    };
    (void)state;
    SCENE(s);
    other = pki_issue(&pki, "P-256", &spec, &pki.domain_ca);
    s.reg.hook = issue_other;
    expect(&s, IDV_E_REJECT, "C? rv vs+ ca at en es-", IMPRINTED);
    assert_non_null(strstr(s.drive.note, "another key"));
    s.reg.hook = NULL;
    s.reg.cacerts = pki.tls_chain; /* the domain's, and an issuer that is not */
    s.reg.issuer = &pki.rogue_ca;
    expect(&s, IDV_E_REJECT, "C= ca at en es-", IMPRINTED);
    s.reg.issuer = &pki.domain_ca;
    s.reg.cacerts = NULL;
    expect(&s, IDV_OK, RESUMED, ENROLLED);
    pki_id_free(&other);
}

/* R-P-57 */
static void trust_anchors_of_others(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.cacerts = pki.rogue_chain;
    expect(&s, IDV_E_REJECT, "C? rv vs+ ca es-", IMPRINTED);
    s.reg.cacerts = NULL;
    expect(&s, IDV_OK, RESUMED, ENROLLED);
}

/* R-P-57: an issuing CA below the root: its certificate goes with the LDevID */
static void a_domain_with_an_issuing_ca(void **state)
{
    const struct idv_cert_spec spec = {
        .kind = IDV_CERT_CA,
        .common_name = "Issuing",
    };
    (void)state;
    for (int pin = 0; pin < 2; pin++) {
        SCENE(s);
        struct pki_id ca = pki_issue(&pki, "P-256", &spec, &pki.domain_ca);
        STACK_OF(X509) *both = pki_stack(ca.cert, pki.domain_ca.cert);
        s.reg.issuer = &ca;
        s.reg.cacerts = both;
        if (pin)
            s.reg.pin = pki.registrar.cert;
        expect(&s, IDV_OK, WHOLE, ENROLLED);
        const struct idv_enrollment *e = idv_trust_enrollment(s.dev.trust);
        assert_int_equal(sk_X509_num(e->ldevid), 2);
        assert_int_equal(sk_X509_num(e->anchors), 1);
        fakedev_reopen(&s.dev, &pki);
        assert_int_equal(fakedev_state(&s.dev), ENROLLED);
        idv_certs_free(both);
        pki_id_free(&ca);
    }
}

/* --- resuming ------------------------------------------------------------- */

static bool no_enrolling(struct fakereg *r, const char *word, bool after,
                         const struct idv_msg *req, struct idv_msg *reply)
{
    (void)req;
    if (after || strcmp(word, "en") != 0 || r->waited > 20)
        return false;
    OK(idv_msg_refuse(reply, 503, "later"));
    return true;
}

/* R-P-49 */
static void retries_within_one_run_resume(void **state)
{
    (void)state;
    SCENE(s);
    s.dev.conf.attempts = 0;
    s.reg.hook = no_enrolling;
    expect(&s, IDV_OK,
           "C? rv vs+ ca at en es- X5 C= ca at en es- X10 C= ca at en es- X20 "
           "C= ca at en C+ es+",
           ENROLLED);
    assert_int_equal(s.reg.vouchers, 1);
    assert_int_equal(s.dev.keys_made, 1);
}

/* a redirected pledge comes back to where it was imprinted */
static void retries_go_where_the_imprint_was(void **state)
{
    static const char *const way[] = {"https://b.example:9000", NULL};
    (void)state;
    SCENE(s);
    route = way;
    route_at = 0;
    route_status = 307;
    s.dev.conf.attempts = 2;
    s.dev.anchor.calls = 0;
    s.reg.hook = redirecting;
    s.dev.keys_fail = true;
    expect(&s, IDV_E_DEVICE, "C? rv C? rv vs+ ca at es- X5 C= ca at es-",
           IMPRINTED);
    assert_string_equal(s.reg.last.host, "b.example");
}

/* written in full before it is told; the next start has nothing to do */
static void a_disk_that_fails_at_the_end(void **state)
{
    (void)state;
    SCENE(s);
    char away[192], file[128];
    snprintf(file, sizeof(file), "%s/enrollment.json", s.dev.dir);
    snprintf(away, sizeof(away), "mkdir -p '%s/x'", file);
    s.dev.keys_fail = true;
    expect(&s, IDV_E_DEVICE, "C? rv vs+ ca at es-", IMPRINTED);
    s.dev.keys_fail = false;
    assert_int_equal(system(away), 0); /* it cannot be replaced */
    expect(&s, IDV_E_IO, "C= ca at en es-", IMPRINTED);
    snprintf(away, sizeof(away), "rm -r '%s'", file);
    assert_int_equal(system(away), 0);
    expect(&s, IDV_OK, RESUMED, ENROLLED);
}

/* --- renewing ------------------------------------------------------------- */

static void serial_of_ldevid(struct scene *s, struct idv_buf *out)
{
    OK(idv_cert_to_der(
        sk_X509_value(idv_trust_enrollment(s->dev.trust)->ldevid, 0), out));
}

static const EVP_PKEY *renewed_as; /* key of the connection that asked */

static bool who_renews(struct fakereg *r, const char *word, bool after,
                       const struct idv_msg *req, struct idv_msg *reply)
{
    (void)req;
    (void)reply;
    if (!after && strcmp(word, "re") == 0)
        renewed_as = r->last.key;
    return false;
}

static const struct idv_enrollment *previous(const struct scene *s)
{
    return idv_trust_previous(s->dev.trust);
}

/* R-P-63, R-P-67 */
static void renewing(void **state)
{
    static const char *const none[] = {NULL};
    (void)state;
    SCENE(s);
    IDV_AUTO(buf) before = {0};
    IDV_AUTO(buf) after = {0};
    s.dev.renew = true;
    expect(&s, IDV_E_STATE, "", NONE);
    s.dev.renew = false;
    expect(&s, IDV_OK, WHOLE, ENROLLED);
    serial_of_ldevid(&s, &before);
    s.dev.renew = true;
    s.dev.conf.registrars = none; /* whoever enrolled us */
    expect(&s, IDV_OK, "C+ ca at re C+ es+", ENROLLED);
    assert_null(previous(&s));
    assert_string_equal(s.reg.last.host, "registrar.example.com");
    serial_of_ldevid(&s, &after);
    assert_false(idv_bytes_eq(idv_view(&before), idv_view(&after)));
    fakedev_reopen(&s.dev, &pki);
    assert_int_equal(fakedev_state(&s.dev), ENROLLED);
    assert_int_equal(s.dev.keys_made, 1);
}

/* R-P-67: a new key, of the type that is wanted now; the old one opens the door
 */
static void renewing_with_a_new_key(void **state)
{
    static const struct idv_csrattrs p384 = {
        .has_key_type = true,
        .key_type = IDV_KEY_P384,
    };
    (void)state;
    SCENE(s);
    expect(&s, IDV_OK, WHOLE, ENROLLED);
    const struct idv_enrollment *e = idv_trust_enrollment(s.dev.trust);
    assert_string_equal(e->key_uri, "mem:1");
    EVP_PKEY *old = s.dev.last_key;
    EVP_PKEY_up_ref(old);
    s.dev.renew = true;
    s.dev.conf.renew_key = true;
    s.reg.attrs = &p384;
    s.reg.hook = who_renews;
    expect(&s, IDV_OK, "C+ ca at re C+ es+", ENROLLED);
    assert_null(previous(&s));
    e = idv_trust_enrollment(s.dev.trust);
    EVP_PKEY *now = X509_get0_pubkey(sk_X509_value(e->ldevid, 0));
    assert_int_equal(s.dev.keys_made, 2);
    assert_string_equal(e->key_uri, "mem:2");
    assert_int_equal(EVP_PKEY_eq(now, s.dev.last_key), 1);
    assert_int_equal(EVP_PKEY_eq(now, old), 0);
    assert_ptr_equal(renewed_as, old);
    assert_ptr_equal(s.reg.last.key, s.dev.last_key);
    EVP_PKEY_free(old);
    /* lost when the new key is there already */
    EVP_PKEY_up_ref(old = s.dev.last_key);
    s.reg.lose = s.reg.events + 4;
    expect(&s, IDV_OK, "C+ ca at re L C+ re C+ es+", ENROLLED);
    assert_ptr_equal(renewed_as, old);
    assert_string_equal(idv_trust_enrollment(s.dev.trust)->key_uri, "mem:3");
    EVP_PKEY_free(old);
}

/* What renewal gave is kept beside what there was until somebody is let in with
 * it, wherever that is cut; then one of the two renews. */
static void renewing_keeps_the_pair_that_works(void **state)
{
    (void)state;
    SCENE(s);
    expect(&s, IDV_OK, WHOLE, ENROLLED);
    EVP_PKEY *old = s.dev.last_key;
    EVP_PKEY_up_ref(old);
    s.dev.renew = true;
    s.dev.conf.renew_key = true;
    s.reg.hook = who_renews;
    s.reg.lose = s.reg.events + 5; /* the new one is refused in TLS */
    expect(&s, IDV_OK, "C+ ca at re C+ L", ENROLLED);
    assert_non_null(previous(&s));
    assert_string_equal(previous(&s)->key_uri, "mem:1");
    fakedev_reopen(&s.dev, &pki);
    assert_string_equal(previous(&s)->key_uri, "mem:1");
    assert_string_equal(idv_trust_enrollment(s.dev.trust)->key_uri, "mem:2");
    /* with the old one; the new one of that works */
    s.dev.conf.renew_previous = true;
    expect(&s, IDV_OK, "C+ ca at re C+ es+", ENROLLED);
    assert_ptr_equal(renewed_as, old);
    assert_null(previous(&s));
    assert_string_equal(idv_trust_enrollment(s.dev.trust)->key_uri, "mem:3");
    EVP_PKEY_free(old);
}

/* an answer to anything over a connection with it is proof enough */
static void renewing_with_it_is_a_use(void **state)
{
    (void)state;
    SCENE(s);
    expect(&s, IDV_OK, WHOLE, ENROLLED);
    s.dev.renew = true;
    s.reg.lose = s.reg.events + 6; /* the report */
    expect(&s, IDV_OK, "C+ ca at re C+ es+ L", ENROLLED);
    assert_non_null(previous(&s));
    s.reg.lose = s.reg.events + 3; /* after cacerts, and no more then */
    s.reg.hook = NULL;
    s.dev.conf.attempts = 1;
    (void)!join(&s);
    assert_null(previous(&s));
}

/* R-P-99 */
static void enrolling_again_within_the_domain(void **state)
{
    (void)state;
    SCENE(s);
    IDV_AUTO(buf) before = {0};
    IDV_AUTO(buf) after = {0};
    s.dev.again = true;
    expect(&s, IDV_E_STATE, "", NONE);
    s.dev.again = false;
    expect(&s, IDV_OK, WHOLE, ENROLLED);
    serial_of_ldevid(&s, &before);
    s.dev.again = true;
    expect(&s, IDV_OK, RESUMED, ENROLLED);
    serial_of_ldevid(&s, &after);
    assert_false(idv_bytes_eq(idv_view(&before), idv_view(&after)));
    assert_int_equal(s.reg.vouchers, 1); /* no other way into another domain */
}

/* R-P-67: whatever happens, the present certificate stays */
static void renewing_fails(void **state)
{
    static const struct idv_csrattrs p384 = {
        .has_key_type = true,
        .key_type = IDV_KEY_P384,
    };
    IDV_AUTO(buf) before = {0};
    (void)state;
    SCENE(s);
    expect(&s, IDV_OK, WHOLE, ENROLLED);
    serial_of_ldevid(&s, &before);
    s.dev.renew = true;
    s.reg.attrs = &p384;
    expect(&s, IDV_E_REJECT, "C+ ca at", ENROLLED);
    s.reg.attrs = NULL;
    s.reg.chain = pki.rogue_chain;
    expect(&s, IDV_E_REJECT, "C+", ENROLLED);
    s.reg.chain = pki.tls_chain;
    s.dev.keys_fail = true;
    expect(&s, IDV_E_DEVICE, "", ENROLLED);
    s.dev.keys_fail = false;
    bad_word = "re";
    bad_status = 403;
    bad_media = "text/plain";
    bad_body = "no";
    s.reg.hook = bad_answer;
    expect(&s, IDV_E_REJECT, "C+ ca at re", ENROLLED);
    IDV_AUTO(buf) after = {0};
    serial_of_ldevid(&s, &after);
    assert_true(idv_bytes_eq(idv_view(&before), idv_view(&after)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_registrar_takes_its_time),
        cmocka_unit_test(retry_after_is_bounded),
        cmocka_unit_test(four_days_and_no_more),
        cmocka_unit_test(waiting_over_lost_connections),
        cmocka_unit_test(enrollment_takes_its_time),
        cmocka_unit_test(enrollment_four_days),
        cmocka_unit_test(redirects),
        cmocka_unit_test(statuses_of_requestvoucher),
        cmocka_unit_test(the_next_one_is_tried),
        cmocka_unit_test(pauses_double),
        cmocka_unit_test(pauses_end_at_an_hour),
        cmocka_unit_test(rounds_are_counted),
        cmocka_unit_test(a_nonce_for_each_attempt),
        cmocka_unit_test(lost_at_every_step),
        cmocka_unit_test(a_registrar_that_always_breaks),
        cmocka_unit_test(a_registrar_without_persistent_connections),
        cmocka_unit_test(another_certificate_after_a_loss),
        cmocka_unit_test(strangers_after_the_imprint),
        cmocka_unit_test(a_stranger_at_the_report),
        cmocka_unit_test(bad_answers_within_the_domain),
        cmocka_unit_test(answers_to_telemetry_are_ignored),
        cmocka_unit_test(csrattrs_are_obeyed),
        cmocka_unit_test(the_channel_is_bound),
        cmocka_unit_test(certificates_of_others),
        cmocka_unit_test(trust_anchors_of_others),
        cmocka_unit_test(a_domain_with_an_issuing_ca),
        cmocka_unit_test(retries_within_one_run_resume),
        cmocka_unit_test(retries_go_where_the_imprint_was),
        cmocka_unit_test(a_disk_that_fails_at_the_end),
        cmocka_unit_test(renewing),
        cmocka_unit_test(renewing_with_a_new_key),
        cmocka_unit_test(renewing_keeps_the_pair_that_works),
        cmocka_unit_test(renewing_with_it_is_a_use),
        cmocka_unit_test(enrolling_again_within_the_domain),
        cmocka_unit_test(renewing_fails),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
