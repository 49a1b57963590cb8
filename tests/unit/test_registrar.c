/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar: every refusal of requestvoucher, what it asks the MASA. */
#include "tests/lib/stores.h"
#include "tests/unit/registrar.h"

/* --- the way it goes ------------------------------------------------------ */

static void relays(void **state) /* R-R-30 */
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

/* R-R-12, R-R-21, R-R-23, R-R-24, R-R-25, R-R-26, R-R-27, RT-6 */
static void request_contents(void **state)
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

static void older_masa(void **state) /* per-maker forms */
{
    static const uint8_t anima[] = {0x86, 0x48, 0x86, 0xf7, 0x0d,
                                    1,    9,    0x10, 1,    0x28};
    struct fixture *f = *state;
    IDV_AUTO(opened) o = {0};
    IDV_AUTO(voucher) v;
    f->w.reg_maker.id_data = true;
    f->w.reg_maker.issuer_sequence = true;
    assert_int_equal(post(f), 200);
    struct idv_bytes sent = idv_view(&f->w.upstream.body);
    OK(idv_envelope_open(IDV_MEDIA_VOUCHER_CMS, sent, &o));
    OK(idv_voucher_from(o.media, idv_view(&o.payload), IDV_VOUCHER_REQUEST,
                        &v));
    assert_int_equal(v.idevid_issuer.p[0], 0x30);
    for (size_t i = 0; i + sizeof(anima) <= sent.n; i++)
        assert_memory_not_equal(sent.p + i, anima, sizeof(anima));
}

/* R-R-27: the MASA sees no more of the chain than it shall pin */
static void pinned_by_choice(void **state)
{
    static const int certs[] = {2, 2, 1}; /* chain, issuer, own */
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        IDV_AUTO(opened) o = {0};
        f->w.reg_conf.pin = (enum idv_pinning)i;
        world_configure(&f->w);
        idv_voucher_free(&f->pvr);
        idv_buf_clear(&f->sealed);
        pki_request(&f->w.pki, &f->pvr, &f->sealed);
        assert_int_equal(post(f), 200);
        OK(idv_envelope_open(IDV_MEDIA_VOUCHER_CMS,
                             idv_view(&f->w.upstream.body), &o));
        assert_int_equal(sk_X509_num(o.certs), certs[i]);
    }
}

/* deployed pledges: base64 in, base64 out; the MASA gets what was signed */
static void in_base64(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(buf) binary = {0};
    IDV_AUTO(buf) text = {0};
    IDV_AUTO(buf) voucher = {0};
    IDV_AUTO(opened) o = {0};
    IDV_AUTO(voucher) v;
    idv_buf_move(&binary, &f->sealed);
    OK(idv_base64_from_bytes(idv_view(&binary), 76, &f->sealed));
    assert_int_equal(post(f), 200);
    idv_buf_move(&text, &f->w.reply.body);
    OK(idv_base64_to_bytes(idv_view(&text), IDV_BASE64_LAX, &voucher));
    OK(idv_envelope_open(IDV_MEDIA_VOUCHER_CMS, idv_view(&voucher), &o));
    idv_opened_free(&o);
    OK(idv_envelope_open(IDV_MEDIA_VOUCHER_CMS, idv_view(&f->w.upstream.body),
                         &o));
    OK(idv_voucher_from(o.media, idv_view(&o.payload), IDV_VOUCHER_REQUEST,
                        &v));
    assert_true(idv_bytes_eq(idv_view(&v.prior_signed), idv_view(&binary)));
    assert_int_equal(post(f), 200); /* once more, from the ledger */
    assert_true(idv_bytes_eq(idv_view(&text), idv_view(&f->w.reply.body)));
    idv_buf_clear(&f->sealed);
    OK(idv_buf_puts(&f->sealed, "====")); /* of those letters, and nothing */
    refused(f, 406, "base64");
}

/* the root that requests had before RFC 8995 named theirs */
static void older_root(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(buf) json = {0};
    IDV_AUTO(buf) older = {0};
    static const char name[] = "ietf-voucher-request:";
    OK(idv_voucher_to_json(&f->pvr, &json));
    OK(idv_buf_puts(&json, ""));
    char *at = strstr((char *)json.p, name);
    OK(idv_buf_put(&older, idv_bytes(json.p, (size_t)(at - (char *)json.p))));
    OK(idv_buf_puts(&older, "ietf-voucher:"));
    OK(idv_buf_puts(&older, at + strlen(name)));
    struct idv_signer s = {.key = f->w.pki.idevid.key,
                           .cert = f->w.pki.idevid.cert,
                           .chain = f->w.pki.idevid_chain};
    idv_buf_clear(&f->sealed);
    OK(idv_envelope_seal(IDV_MEDIA_VOUCHER_CMS, idv_view(&older), &s,
                         &f->sealed));
    assert_int_equal(post(f), 200);
    IDV_AUTO(opened) o = {0};
    OK(idv_envelope_open(IDV_MEDIA_VOUCHER_CMS, idv_view(&f->w.upstream.body),
                         &o));
    OK(idv_buf_puts(&o.payload, ""));
    assert_non_null(strstr((char *)o.payload.p, name)); /* strict itself */
}

/* R-R-10: another field of the IDevID, as its maker's entry says */
static void serial_elsewhere(void **state)
{
    struct fixture *f = *state;
    struct idv_cert_spec spec = {
        .kind = IDV_CERT_IDEVID,
        .serial_number = "not-this-one",
        .common_name = "by-name",
        .hw_type = "1.3.6.1.4.1.32473.1",
        .hw_serial = idv_str("by-hardware"),
        .masa_url = PKI_MASA_URL,
    };
    struct pki_id id = pki_issue(&f->w.pki, "P-256", &spec, &f->w.pki.maker_ca);
    f->w.link = WORLD_LINK_LOST;
    strcpy(f->pvr.serial_number, "by-hardware");
    shows(f, &id);
    refused(f, 403, "serial");
    f->w.reg_maker.serial_field = IDV_SERIAL_HARDWARE;
    world_configure(&f->w);
    assert_int_equal(post(f), 202);
    assert_true(world_why(&f->w, "masa-lost"));
    strcpy(f->pvr.serial_number, "by-name");
    shows(f, &id);
    refused(f, 403, "serial");
    f->w.reg_maker.serial_field = IDV_SERIAL_COMMON_NAME;
    world_configure(&f->w);
    assert_int_equal(post(f), 202);
    shows(f, &f->w.pki.idevid);
    f->w.reg_maker.serial_field = IDV_SERIAL_HARDWARE;
    pki_id_free(&id);
    spec.hw_type = NULL;
    id = pki_issue(&f->w.pki, "P-256", &spec, &f->w.pki.maker_ca);
    shows(f, &id);
    refused(f, 403, "idevid");
    pki_id_free(&id);
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

static void stranger(void **state) /* R-R-7 */
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

/* by its key alone, or the hash of that; all that is said has to be so */
static void near_by_key(void **state) /* R-R-13 */
{
    struct fixture *f = *state;
    struct idv_buf *cert = &f->pvr.proximity_registrar_cert,
                   *key = &f->pvr.proximity_registrar_pubk,
                   *hash = &f->pvr.proximity_registrar_pubk_sha256;
    IDV_AUTO(buf) other = {0};
    for (int i = 0; i < 2; i++) {
        pki_spki(f->w.pki.rogue.cert, key, hash);
        idv_buf_clear(i ? key : hash);
        not_near(f); /* beside the right certificate */
        pki_spki(f->w.pki.registrar.cert, i ? &other : key, i ? hash : &other);
        idv_buf_clear(cert);
        seal_by(f, &f->w.pki.idevid);
        assert_int_equal(post(f), 200);
        pki_spki(f->w.pki.rogue.cert, i ? &other : key, i ? hash : &other);
        not_near(f);
        OK(idv_cert_to_der(f->w.pki.registrar.cert, cert));
    }
    idv_buf_clear(hash);
    OK(idv_buf_puts(hash, "short"));
    not_near(f);
}

/* another certificate of the registrar's key (or of key), as CA issues it */
static X509 *in_front(struct fixture *f, EVP_PKEY *key, enum idv_cert_kind kind,
                      const struct pki_id *ca)
{
    X509 *cert = NULL;
    struct idv_cert_spec spec = {
        .kind = kind,
        .common_name = "in front",
        .not_before = PKI_NOW - PKI_DAY,
        .not_after = PKI_NOW + PKI_DAY,
    };
    OK(idv_cert_issue(&spec, key ? key : f->w.pki.registrar.key, ca->cert,
                      ca->key, &f->w.pki.env.env, &cert));
    return cert;
}

/* a device says which certificate it saw: a proxy's, where it has one */
static void behind_front(void **state) /* R-R-13 */
{
    struct fixture *f = *state;
    X509 *front = in_front(f, NULL, IDV_CERT_REGISTRAR, &f->w.pki.domain_ca);
    f->w.pledge.fronted = true;
    assert_int_equal(post(f), 200); /* the registrar's own, in front, too */
    f->w.reg_conf.front_cert = front;
    world_configure(&f->w);
    not_near(f);
    idv_buf_clear(&f->pvr.proximity_registrar_cert);
    OK(idv_cert_to_der(front, &f->pvr.proximity_registrar_cert));
    f->w.pledge.fronted = false;
    not_near(f); /* not seen on a connection of the registrar's own */
    f->w.pledge.fronted = true;
    seal_by(f, &f->w.pki.idevid);
    assert_int_equal(post(f), 200); /* R-M-10: and the MASA believes it */
    f->w.reg_conf.front_cert = NULL;
    X509_free(front);
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

/* --- configuration ------------------------------------------------------- */

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
    static const struct {
        bool key, rogue;
        enum idv_cert_kind kind;
        enum idv_pinning pin;
        const char *why;
    } fronts[] = {
        {true, false, IDV_CERT_REGISTRAR, IDV_PINNING_CHAIN, "another key"},
        {false, false, IDV_CERT_CA, IDV_PINNING_CHAIN, "cmcRA"},
        {false, true, IDV_CERT_REGISTRAR, IDV_PINNING_CHAIN, "vouchers pin"},
        {false, true, IDV_CERT_REGISTRAR, IDV_PINNING_ISSUER, "vouchers pin"},
        {false, false, IDV_CERT_REGISTRAR, IDV_PINNING_OWN, "vouchers pin"},
    };
    for (size_t i = 0; i < sizeof(fronts) / sizeof(*fronts); i++) {
        X509 *front = in_front(
            f, fronts[i].key ? f->w.pki.rogue.key : NULL, fronts[i].kind,
            fronts[i].rogue ? &f->w.pki.rogue_ca : &f->w.pki.domain_ca);
        f->w.reg_conf.front_cert = front;
        f->w.reg_conf.pin = fronts[i].pin;
        new_fails(f, fronts[i].why);
        X509_free(front);
        f->w.reg_conf = good;
    }
    f->w.reg_conf.ca.est.ca.issue = NULL;
    new_fails(f, "CA");
    f->w.reg_conf = good;
    f->w.reg_maker.anchors = NULL;
    new_fails(f, "maker");
    f->w.reg_maker.anchors = f->w.pki.anchors;
    f->w.reg_maker.masa_user = "one:two";
    f->w.reg_maker.masa_password = "three";
    new_fails(f, "password");
    f->w.reg_maker.masa_user = NULL;
    new_fails(f, "password");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(relays),          T(request_contents),  T(without_clock),
        T(older_masa),      T(same_again),        T(pinned_by_choice),
        T(in_base64),       T(older_root),        T(serial_elsewhere),
        T(wrong_paths),     T(stranger),          T(other_maker),
        T(not_an_idevid),   T(expired_idevid),    T(wrong_media),
        T(wrong_accept),    T(malformed),         T(signed_by_another),
        T(not_a_request),   T(other_serial),      T(no_proximity),
        T(near_by_key),     T(behind_front),      T(not_listed),
        T(refused_by_name), T(pending),           T(pending_refused),
        T(too_often),       T(bad_configuration),
    };
    return STORES_RUN(tests);
}
