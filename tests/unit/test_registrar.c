/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's requestvoucher: every refusal, what it asks, what it tells.
 */
#include "tests/unit/codec.h"

#include "tests/lib/world.h"

#define VOUCHER W_BRSKI "requestvoucher"

struct fixture {
    struct world w;
    struct idv_voucher pvr; /* tests change it and seal again */
    struct idv_buf sealed;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    world_make(&f->w);
    pki_request(&f->w.pki, &f->pvr, &f->sealed);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    idv_voucher_free(&f->pvr);
    idv_buf_free(&f->sealed);
    world_free(&f->w);
    free(f);
    return 0;
}

static void seal_by(struct fixture *f, const struct pki_id *id)
{
    idv_buf_clear(&f->sealed);
    pki_seal(&f->pvr, id, f->w.pki.idevid_chain, false, &f->sealed);
}

static int post_as(struct fixture *f, const char *media)
{
    return world_registrar(&f->w, VOUCHER, media, idv_view(&f->sealed));
}

static int post(struct fixture *f)
{
    return post_as(f, IDV_MEDIA_VOUCHER_CMS);
}

static bool says(const struct fixture *f, const char *text)
{
    return f->w.reply.body.n && strstr((char *)f->w.reply.body.p, text);
}

/* Refused for this reason, and the MASA was not bothered. */
static void refused(struct fixture *f, int status, const char *why)
{
    int before = f->w.upstreams;
    assert_int_equal(post(f), status);
    if (!world_why(&f->w, why))
        print_error("%s\n", f->w.log);
    assert_true(world_why(&f->w, why));
    assert_string_equal(f->w.reply.media, "text/plain");
    assert_int_equal(f->w.upstreams, before);
    assert_int_equal(f->w.reply.retry_after > 0,
                     status == 202 || status == 503);
}

static struct pki_id device(struct fixture *f, const char *serial,
                            int64_t not_after)
{
    struct idv_cert_spec spec = {
        .kind = IDV_CERT_IDEVID,
        .serial_number = serial,
        .common_name = "device",
        .not_before = PKI_NOW - PKI_DAY,
        .not_after = not_after,
    };
    return pki_issue(&f->w.pki, "P-256", &spec, &f->w.pki.maker_ca);
}

static void shows(struct fixture *f, const struct pki_id *id)
{
    world_peer(&f->w.pledge, id->cert, f->w.pki.maker_ca.cert, 2);
    seal_by(f, id);
}

/* --- the way it goes ------------------------------------------------------ */

static void relays(void **state) /* R-R-30, R-R-32 */
{
    struct fixture *f = *state;
    IDV_AUTO(buf) got = {0};
    IDV_AUTO(buf) rvr = {0};
    assert_int_equal(post(f), 200);
    assert_string_equal(f->w.reply.media, IDV_MEDIA_VOUCHER_CMS);
    assert_int_equal(world_state(&f->w), IDV_SESSION_VOUCHER_SENT);
    assert_null(strstr(f->w.log, "voucher-odd"));
    idv_buf_move(&got, &f->w.reply.body);
    idv_buf_move(&rvr, &f->w.upstream.body);
    assert_int_equal(world_masa(&f->w, VOUCHER, idv_view(&rvr)), 200);
    assert_true(idv_bytes_eq(idv_view(&got), idv_view(&f->w.reply.body)));
}

static void asks_masa(void **state) /* R-R-16, 19, 22 */
{
    struct fixture *f = *state;
    assert_int_equal(post(f), 200);
    assert_string_equal(f->w.upstream_host, "masa.example.com");
    assert_string_equal(f->w.upstream.path, VOUCHER);
    assert_string_equal(f->w.upstream.media, IDV_MEDIA_VOUCHER_CMS);
    assert_string_equal(f->w.upstream.accept, IDV_MEDIA_VOUCHER_CMS);
    assert_int_equal(f->w.upstream.verb, IDV_POST);
    assert_false(f->w.upstream_auth);
}

static void request_contents(void **state) /* R-R-12, 21, 23 to 27, RT-6 */
{
    struct fixture *f = *state;
    IDV_AUTO(opened) o = {0};
    IDV_AUTO(voucher) v;
    assert_int_equal(post(f), 200);
    struct idv_chain_policy policy = {
        .anchors = f->w.pki.tls_chain, .partial = true, .eku = IDV_OID_CMC_RA};
    OK(idv_envelope_open(IDV_MEDIA_VOUCHER_CMS, idv_view(&f->w.upstream.body),
                         &o));
    OK(idv_envelope_verify(&o, &policy));
    OK(idv_voucher_from(o.media, idv_view(&o.payload), IDV_VOUCHER_REQUEST,
                        &v));
    assert_int_equal(v.assertion, IDV_ASSERT_PROXIMITY);
    assert_string_equal(v.serial_number, PKI_SERIAL);
    assert_string_equal(v.nonce, f->pvr.nonce);
    assert_true(v.created_on == PKI_NOW);
    assert_true(idv_idevid_issuer_matches(f->w.pki.idevid.cert,
                                          idv_view(&v.idevid_issuer)));
    assert_int_equal(v.idevid_issuer.p[0], 4);
    assert_int_equal(v.proximity_registrar_cert.n, 0);
    assert_true(idv_bytes_eq(idv_view(&v.prior_signed), idv_view(&f->sealed)));
    assert_int_equal(sk_X509_num(o.certs), 2);
    assert_true(idv_cert_eq(o.signer, f->w.pki.registrar.cert));
}

static void without_clock(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(opened) o = {0};
    IDV_AUTO(voucher) v;
    f->w.pki.env.trusted = false;
    assert_int_equal(post(f), 200);
    OK(idv_envelope_open(IDV_MEDIA_VOUCHER_CMS, idv_view(&f->w.upstream.body),
                         &o));
    OK(idv_voucher_from(o.media, idv_view(&o.payload), IDV_VOUCHER_REQUEST,
                        &v));
    assert_true(v.created_on == IDV_TIME_ABSENT && o.signing_time == 0);
}

static void masa_elsewhere(void **state) /* R-R-17, R-R-19 */
{
    struct fixture *f = *state;
    f->w.reg_maker.masa_url = "https://other.example.com/brand";
    f->w.reg_maker.masa_fallback = "unused.example.com";
    f->w.reg_maker.masa_client_auth = true;
    f->w.link = WORLD_LINK_LOST;
    assert_int_equal(post(f), 202);
    assert_string_equal(f->w.upstream_host, "other.example.com");
    assert_string_equal(f->w.upstream.path, "/brand/requestvoucher");
    assert_true(f->w.upstream_auth);
}

static void masa_nowhere(void **state) /* 10.1 step 8 */
{
    struct fixture *f = *state;
    struct pki_id plain = device(f, PKI_SERIAL, 0);
    shows(f, &plain);
    refused(f, 404, "no-masa");
    f->w.reg_maker.masa_fallback = "fallback.example.com";
    f->w.link = WORLD_LINK_LOST;
    assert_int_equal(post(f), 202);
    assert_string_equal(f->w.upstream_host, "fallback.example.com");
    pki_id_free(&plain);
}

static void same_again(void **state) /* R-R-31 */
{
    struct fixture *f = *state;
    IDV_AUTO(buf) first = {0};
    assert_int_equal(post(f), 200);
    idv_buf_move(&first, &f->w.reply.body);
    assert_int_equal(post(f), 200);
    assert_true(idv_bytes_eq(idv_view(&first), idv_view(&f->w.reply.body)));
    assert_int_equal(f->w.upstreams, 1);
    assert_int_equal(world_events(&f->w), 1);
}

/* --- refusals ------------------------------------------------------------- */

static void wrong_paths(void **state)
{
    struct fixture *f = *state;
    struct idv_service s = idv_registrar_service(f->w.reg);
    struct idv_bytes none = idv_str("");
    assert_int_equal(
        world_ask(&f->w, s, &f->w.pledge, IDV_GET, VOUCHER, "", none), 405);
    assert_true(world_why(&f->w, "verb"));
    assert_int_equal(world_ask(&f->w, s, &f->w.pledge, IDV_GET, "/", "", none),
                     404);
    assert_int_equal(
        world_ask(&f->w, s, &f->w.pledge, IDV_POST, VOUCHER "/more", "", none),
        404);
    assert_true(world_why(&f->w, "path"));
}

static void stranger(void **state) /* R-R-4, R-R-7 */
{
    struct fixture *f = *state;
    idv_peer_free(&f->w.pledge);
    refused(f, 403, "no-client-cert");
}

static void other_maker(void **state) /* R-R-6 */
{
    struct fixture *f = *state;
    world_peer(&f->w.pledge, f->w.pki.rogue_idevid.cert, f->w.pki.rogue_ca.cert,
               3);
    refused(f, 403, "idevid-chain");
}

static void not_an_idevid(void **state) /* no serialNumber */
{
    struct fixture *f = *state;
    struct idv_cert_spec spec = {.kind = IDV_CERT_LDEVID,
                                 .common_name = "no serial"};
    struct pki_id id = pki_issue(&f->w.pki, "P-256", &spec, &f->w.pki.maker_ca);
    world_peer(&f->w.pledge, id.cert, f->w.pki.maker_ca.cert, 3);
    refused(f, 403, "idevid");
    pki_id_free(&id);
}

static void expired_idevid(void **state) /* R-R-9, R-S-10 */
{
    struct fixture *f = *state;
    struct pki_id old = device(f, PKI_SERIAL, PKI_NOW - 3600);
    shows(f, &old);
    refused(f, 403, "idevid-chain");
    f->w.reg_maker.ignore_expiry = true;
    f->w.reg_maker.masa_fallback = PKI_MASA_URL;
    assert_int_equal(post(f), 200);
    pki_id_free(&old);
}

static void wrong_media(void **state) /* R-R-15 */
{
    struct fixture *f = *state;
    assert_int_equal(post_as(f, "application/json"), 415);
    assert_true(world_why(&f->w, "media"));
    assert_int_equal(post_as(f, ""), 415);
}

static void wrong_accept(void **state) /* R-R-15 */
{
    struct fixture *f = *state;
    struct idv_service s = idv_registrar_service(f->w.reg);
    struct idv_call call;
    enum idv_next next;
    idv_call_init(&call, &f->w.pledge);
    call.req.verb = IDV_POST;
    strcpy(call.req.path, VOUCHER);
    strcpy(call.req.media, IDV_MEDIA_VOUCHER_CMS);
    strcpy(call.req.accept, "application/voucher+cose");
    OK(idv_buf_put(&call.req.body, idv_view(&f->sealed)));
    OK(s.serve(s.self, &call, NULL, &next));
    assert_int_equal(call.reply.status, 406);
    idv_call_free(&call);
}

static void malformed(void **state)
{
    struct fixture *f = *state;
    f->sealed.n /= 2;
    refused(f, 406, "container");
    f->sealed.n = 0;
    refused(f, 406, "container");
    assert_int_equal(world_state(&f->w), -1);
}

static void signed_by_another(void **state) /* R-R-14, R-R-60 */
{
    struct fixture *f = *state;
    seal_by(f, &f->w.pki.rogue_idevid);
    refused(f, 403, "signature");
}

static void not_a_request(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    pki_voucher(&f->w.pki, &f->pvr, f->w.pki.domain_ca.cert, &v);
    idv_buf_clear(&f->sealed);
    pki_seal(&v, &f->w.pki.idevid, NULL, false, &f->sealed);
    refused(f, 406, "content");
}

static void other_serial(void **state) /* R-R-11, RT-2 */
{
    struct fixture *f = *state;
    strcpy(f->pvr.serial_number, "OTHER");
    seal_by(f, &f->w.pki.idevid);
    refused(f, 403, "serial");
}

static void not_near(struct fixture *f)
{
    seal_by(f, &f->w.pki.idevid);
    refused(f, 401, "proximity");
    assert_true(f->w.closed);
}

static void no_proximity(void **state) /* R-R-13, R-S-1, RT-1 */
{
    struct fixture *f = *state;
    idv_buf_clear(&f->pvr.proximity_registrar_cert);
    OK(idv_cert_to_der(f->w.pki.rogue.cert, &f->pvr.proximity_registrar_cert));
    not_near(f);
    idv_buf_clear(&f->pvr.proximity_registrar_cert);
    not_near(f);
    OK(idv_cert_to_der(f->w.pki.registrar.cert,
                       &f->pvr.proximity_registrar_cert));
    f->pvr.assertion = IDV_ASSERT_LOGGED;
    not_near(f);
    f->pvr.assertion = IDV_ASSERT_PROXIMITY;
    seal_by(f, &f->w.pki.idevid);
    assert_int_equal(post(f), 200);
    assert_false(f->w.closed);
}

static void not_listed(void **state) /* R-R-15, RT-3 */
{
    struct fixture *f = *state;
    f->w.reg_maker.admit = IDV_ADMIT_LISTED;
    refused(f, 404, "not-listed");
    assert_int_equal(world_state(&f->w), IDV_SESSION_REFUSED);
    OK(idv_db_decide(f->w.reg_db, "maker", PKI_SERIAL, IDV_DECISION_APPROVED,
                     PKI_NOW));
    assert_int_equal(post(f), 200);
}

static void refused_by_name(void **state) /* R-R-15 */
{
    struct fixture *f = *state;
    OK(idv_db_decide(f->w.reg_db, "maker", PKI_SERIAL, IDV_DECISION_REFUSED,
                     PKI_NOW));
    refused(f, 404, "device-refused");
    assert_int_equal(world_state(&f->w), IDV_SESSION_REFUSED);
}

static void pending(void **state) /* R-R-31, RT-4 */
{
    struct fixture *f = *state;
    f->w.reg_maker.admit = IDV_ADMIT_ASK;
    refused(f, 202, "pending");
    refused(f, 202, "pending");
    assert_int_equal(world_state(&f->w), IDV_SESSION_PENDING);
    OK(idv_db_decide(f->w.reg_db, "maker", PKI_SERIAL, IDV_DECISION_APPROVED,
                     PKI_NOW));
    assert_int_equal(post(f), 200);
    assert_int_equal(f->w.upstreams, 1);
}

static void pending_refused(void **state)
{
    struct fixture *f = *state;
    f->w.reg_maker.admit = IDV_ADMIT_ASK;
    refused(f, 202, "pending");
    OK(idv_db_decide(f->w.reg_db, "maker", PKI_SERIAL, IDV_DECISION_REFUSED,
                     PKI_NOW));
    refused(f, 404, "device-refused");
}

static void too_often(void **state) /* R-R-67 */
{
    struct fixture *f = *state;
    f->w.reg_conf.device_hourly = 2;
    world_configure(&f->w);
    f->w.reg_maker.admit = IDV_ADMIT_ASK;
    for (int i = 0; i < 2; i++) {
        refused(f, 202, "pending");
        idv_voucher_free(&f->pvr);
        idv_buf_clear(&f->sealed);
        pki_request(&f->w.pki, &f->pvr, &f->sealed);
    }
    refused(f, 503, "rate");
    f->w.pki.env.now += 3601;
    refused(f, 202, "pending");
}

/* --- what the MASA says --------------------------------------------------- */

/* The pledge comes again and gets its voucher by the same signed request. */
static void recovers(struct fixture *f)
{
    IDV_AUTO(buf) asked = {0};
    idv_buf_move(&asked, &f->w.upstream.body);
    f->w.link = WORLD_LINK_MASA;
    refused(f, 202, "masa-later");
    f->w.pki.env.now += 3600;
    assert_int_equal(post(f), 200);
    assert_true(idv_bytes_eq(idv_view(&asked), idv_view(&f->w.upstream.body)));
    assert_int_equal(world_events(&f->w), 1);
}

static void masa_lost(void **state) /* 10.1 step 10, RT-5 */
{
    struct fixture *f = *state;
    f->w.link = WORLD_LINK_LOST;
    assert_int_equal(post(f), 202);
    assert_true(world_why(&f->w, "masa-lost"));
    assert_int_equal(f->w.reply.retry_after, 30);
    recovers(f);
}

static void masa_waits(void **state)
{
    struct fixture *f = *state;
    world_can(&f->w, 202, "", "");
    f->w.canned.retry_after = 17;
    assert_int_equal(post(f), 202);
    assert_true(world_why(&f->w, "masa-pending"));
    assert_int_equal(f->w.reply.retry_after, 17);
    recovers(f);
}

static void masa_down(void **state)
{
    struct fixture *f = *state;
    world_can(&f->w, 500, "text/html", "<html>");
    assert_int_equal(post(f), 202);
    assert_true(world_why(&f->w, "masa-down"));
    recovers(f);
}

static void masa_unauthorized(void **state) /* R-R-20 */
{
    struct fixture *f = *state;
    world_can(&f->w, 401, "text/plain", "who are you");
    assert_int_equal(post(f), 503);
    assert_non_null(strstr(f->w.log, "masa-trouble"));
    recovers(f);
}

static void masa_refuses(void **state)
{
    static const int statuses[] = {403, 404, 406, 415};
    struct fixture *f = *state;
    for (size_t i = 0; i < 4; i++) {
        idv_voucher_free(&f->pvr);
        idv_buf_clear(&f->sealed);
        pki_request(&f->w.pki, &f->pvr, &f->sealed);
        world_can(&f->w, statuses[i], "text/plain", "no such device\nmore");
        f->w.upstreams = 0;
        assert_int_equal(post(f), statuses[i]);
        assert_true(world_why(&f->w, "masa-refused"));
        assert_true(says(f, "no such device\n") && !says(f, "more"));
        f->w.link = WORLD_LINK_MASA;
        assert_int_equal(post(f), statuses[i]); /* the same outcome */
        assert_true(says(f, "no such device\n"));
        assert_int_equal(f->w.upstreams, 1);
    }
}

static void masa_refuses_rudely(void **state)
{
    struct fixture *f = *state;
    world_can(&f->w, 403, "text/html", "\x01\x02\xff");
    assert_int_equal(post(f), 403);
    assert_true(says(f, "refused by the manufacturer"));
}

static void masa_nonsense(void **state) /* lessons: upstream status x body */
{
    static const struct {
        int status;
        const char *media, *body, *why;
    } rows[] = {
        {200, IDV_MEDIA_VOUCHER_CMS, "", "masa-not-a-voucher"},
        {200, "text/html", "<html>", "masa-not-a-voucher"},
        {200, "", "x", "masa-not-a-voucher"},
        {400, "text/plain", "no", "masa-status"},
        {204, "", "", "masa-status"},
        {302, "", "", "masa-status"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        world_can(&f->w, rows[i].status, rows[i].media, rows[i].body);
        assert_int_equal(post(f), 502);
        assert_true(world_why(&f->w, rows[i].why));
        f->w.pki.env.now += 3600;
    }
    f->w.link = WORLD_LINK_MASA;
    assert_int_equal(post(f), 200);
}

static void odd_voucher(void **state) /* 10.1 step 11: relayed, but noted */
{
    struct fixture *f = *state;
    world_can(&f->w, 200, IDV_MEDIA_VOUCHER_CMS, "opaque");
    assert_int_equal(post(f), 200);
    assert_true(says(f, "opaque"));
    assert_non_null(strstr(f->w.log, "voucher-odd what=unreadable"));
}

static void odd_pin(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    IDV_AUTO(buf) sealed = {0};
    pki_voucher(&f->w.pki, &f->pvr, f->w.pki.rogue_ca.cert, &v);
    pki_seal(&v, &f->w.pki.masa, NULL, false, &sealed);
    world_can(&f->w, 200, IDV_MEDIA_VOUCHER_CMS, "");
    idv_buf_move(&f->w.canned.body, &sealed);
    assert_int_equal(post(f), 200);
    assert_non_null(strstr(f->w.log, "voucher-odd what=pin"));
}

/* --- two at a time, and a store that fails -------------------------------- */

static void open_call(struct fixture *f, struct idv_call *call)
{
    idv_call_init(call, &f->w.pledge);
    call->req.verb = IDV_POST;
    strcpy(call->req.path, VOUCHER);
    strcpy(call->req.media, IDV_MEDIA_VOUCHER_CMS);
    OK(idv_buf_put(&call->req.body, idv_view(&f->sealed)));
}

static void interleaved(void **state) /* R-R-31: one question at a time */
{
    struct fixture *f = *state;
    struct idv_service s = idv_registrar_service(f->w.reg);
    struct idv_call first;
    struct idv_told told;
    enum idv_next next;
    memset(&told, 0, sizeof(told));
    open_call(f, &first);
    OK(s.serve(s.self, &first, NULL, &next));
    assert_int_equal(next, IDV_NEXT_UPSTREAM);
    refused(f, 202, "masa-asked"); /* the same pledge, impatient */
    world_upstream(&f->w, &first.up, &told);
    OK(s.serve(s.self, &first, &told, &next));
    assert_int_equal(next, IDV_NEXT_REPLY);
    assert_int_equal(first.reply.status, 200);
    assert_int_equal(post(f), 200);
    assert_true(
        idv_bytes_eq(idv_view(&first.reply.body), idv_view(&f->w.reply.body)));
    assert_int_equal(f->w.upstreams, 1);
    idv_told_free(&told);
    idv_call_free(&first);
}

static void two_pledges(void **state)
{
    struct fixture *f = *state;
    struct idv_service s = idv_registrar_service(f->w.reg);
    struct idv_call calls[2];
    struct idv_told told;
    enum idv_next next;
    memset(&told, 0, sizeof(told));
    for (int i = 0; i < 2; i++) {
        idv_voucher_free(&f->pvr);
        idv_buf_clear(&f->sealed);
        pki_request(&f->w.pki, &f->pvr, &f->sealed);
        open_call(f, &calls[i]);
        OK(s.serve(s.self, &calls[i], NULL, &next));
        assert_int_equal(next, IDV_NEXT_UPSTREAM);
    }
    for (int i = 0; i < 2; i++) {
        world_upstream(&f->w, &calls[i].up, &told);
        OK(s.serve(s.self, &calls[i], &told, &next));
        assert_int_equal(calls[i].reply.status, 200);
        assert_null(strstr(f->w.log, "voucher-odd"));
    }
    assert_int_equal(world_events(&f->w), 2);
    idv_told_free(&told);
    idv_call_free(&calls[0]);
    idv_call_free(&calls[1]);
}

static void abandoned(void **state) /* the worker that asked died */
{
    struct fixture *f = *state;
    struct idv_service s = idv_registrar_service(f->w.reg);
    struct idv_call call;
    enum idv_next next;
    open_call(f, &call);
    OK(s.serve(s.self, &call, NULL, &next));
    idv_call_free(&call);
    refused(f, 202, "masa-asked");
    f->w.pki.env.now += 60;
    assert_int_equal(post(f), 200);
}

/* Whatever store call fails, in the MASA or here: no voucher is given that is
 * not on record, and the pledge that comes again gets it. */
static void store_fails(void **state)
{
    struct fixture *f = *state;
    int n, reached = 0;
    for (n = 1; !reached; n++) {
        idv_voucher_free(&f->pvr);
        idv_buf_clear(&f->sealed);
        pki_request(&f->w.pki, &f->pvr, &f->sealed);
        int before = world_events(&f->w);
        f->w.calls = 0;
        f->w.fail = (n + 1) / 2;
        f->w.after = n % 2;
        int status = post(f);
        reached = f->w.calls < f->w.fail;
        assert_int_equal(status == 200, reached);
        assert_true(reached || status == -IDV_E_IO || status == 202);
        f->w.fail = 0;
        f->w.pki.env.now += 3600;
        assert_int_equal(post(f), 200);
        assert_int_equal(world_state(&f->w), IDV_SESSION_VOUCHER_SENT);
        assert_int_equal(world_events(&f->w), before + 1);
    }
    assert_true(n > 15);
}

static void new_fails(struct fixture *f, const char *part)
{
    struct idv_registrar *r = NULL;
    FAILS(IDV_E_ARG, part,
          idv_registrar_new(&f->w.reg_conf, &f->w.pki.env.env, &r));
}

static void bad_configuration(void **state) /* R-R-21, R-R-29 */
{
    struct fixture *f = *state;
    struct idv_registrar_conf good = f->w.reg_conf;
    f->w.reg_conf.key = f->w.pki.rogue.key;
    new_fails(f, "differ");
    f->w.reg_conf = good;
    f->w.reg_conf.chain = f->w.pki.rogue_chain;
    new_fails(f, "chain");
    f->w.reg_conf = good;
    f->w.reg_conf.key = f->w.pki.domain_ca.key;
    f->w.reg_conf.cert = f->w.pki.domain_ca.cert;
    new_fails(f, "cmcRA");
    f->w.reg_conf = good;
    f->w.reg_conf.est.ca.issue = NULL;
    new_fails(f, "CA");
    f->w.reg_conf = good;
    f->w.reg_maker.anchors = NULL;
    new_fails(f, "maker");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(relays),           T(asks_masa),
        T(request_contents), T(without_clock),
        T(masa_elsewhere),   T(masa_nowhere),
        T(same_again),       T(wrong_paths),
        T(stranger),         T(other_maker),
        T(not_an_idevid),    T(expired_idevid),
        T(wrong_media),      T(wrong_accept),
        T(malformed),        T(signed_by_another),
        T(not_a_request),    T(other_serial),
        T(no_proximity),     T(not_listed),
        T(refused_by_name),  T(pending),
        T(pending_refused),  T(too_often),
        T(masa_lost),        T(masa_waits),
        T(masa_down),        T(masa_unauthorized),
        T(masa_refuses),     T(masa_refuses_rudely),
        T(masa_nonsense),    T(odd_voucher),
        T(odd_pin),          T(interleaved),
        T(two_pledges),      T(abandoned),
        T(store_fails),      T(bad_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
