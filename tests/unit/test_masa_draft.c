/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA as the draft of 2016 has it: audit tokens, and the log of them. */
#include "tests/lib/stores.h"
#include "tests/unit/masa.h"

#define EST "/.well-known/est/"
#define TOKEN EST "requestaudittoken"
#define OLD_LOG EST "requestMASAlog"
#define PKCS7 "application/pkcs7-mime"
#define ASKS                                                                   \
    "{\"nonce\":\"0011223344556677\",\"serialnumber\":\"" PKI_SERIAL "\"}"

static int setup_on(void **state)
{
    setup(state);
    struct fixture *f = *state;
    f->w.masa_conf.draft_era = true;
    world_configure(&f->w);
    return 0;
}

static void says_by(struct fixture *f, const char *json,
                    const struct pki_id *id, const STACK_OF(X509) * chain)
{
    struct idv_signer s = {
        .key = id->key, .cert = id->cert, .chain = chain, .id_data = true};
    idv_buf_clear(&f->sealed);
    OK(idv_envelope_seal(IDV_MEDIA_VOUCHER_CMS, idv_str(json), &s, &f->sealed));
}

static void says(struct fixture *f, const char *json)
{
    says_by(f, json, &f->w.pki.registrar, f->w.pki.tls_chain);
}

static int ask_as(struct fixture *f, enum idv_verb verb, const char *path,
                  const char *media)
{
    struct idv_peer peer = {.address = "192.0.2.99"};
    return world_ask(&f->w, idv_masa_service(f->w.masa), &peer, verb, path,
                     media, idv_view(&f->sealed));
}

static int ask(struct fixture *f, const char *path)
{
    return ask_as(f, IDV_POST, path, PKCS7);
}

/* no token, for this reason, and nothing was logged */
static void none(struct fixture *f, int status, const char *why)
{
    assert_int_equal(ask(f, TOKEN), status);
    assert_true(world_why(&f->w, why));
    assert_string_equal(f->w.reply.media, "text/plain");
    assert_int_equal(world_events(&f->w), 0);
}

/* as that draft wants it: SHA-1 of the CA's key */
static void domain_of(const struct pki_id *ca, char out[static 64])
{
    uint8_t hash[20];
    assert_int_equal(X509_pubkey_digest(ca->cert, EVP_sha1(), hash, NULL), 1);
    assert_int_equal(EVP_EncodeBlock((uint8_t *)out, hash, sizeof(hash)), 28);
}

static void body_is(const struct idv_buf *body, const char *before,
                    const struct pki_id *ca, const char *after)
{
    char domain[64], want[400];
    domain_of(ca, domain);
    snprintf(want, sizeof(want), "%s%s%s", before, domain, after);
    assert_string_equal((const char *)body->p, want);
}

/* --- off ------------------------------------------------------------------ */

static void off(void **state)
{
    struct fixture *f = *state;
    says(f, ASKS);
    none(f, 404, "path");
    assert_int_equal(ask(f, OLD_LOG), 404);
    assert_int_equal(ask_as(f, IDV_GET, TOKEN, ""), 404);
    assert_int_equal(ask_as(f, IDV_GET, OLD_LOG, ""), 404);
}

/* --- tokens --------------------------------------------------------------- */

static void is_token(struct fixture *f)
{
    IDV_AUTO(opened) o = {0};
    struct idv_chain_policy policy = {
        .anchors = f->w.pki.anchors, .check_time = true, .now = PKI_NOW};
    assert_string_equal(f->w.reply.media, PKCS7);
    OK(idv_envelope_open(IDV_MEDIA_VOUCHER_CMS, idv_view(&f->w.reply.body),
                         &o));
    OK(idv_envelope_verify(&o, &policy));
    body_is(&o.payload,
            "{\"nonce\":\"0011223344556677\",\"serialnumber\":\"" PKI_SERIAL
            "\",\"domainID\":\"",
            &f->w.pki.domain_ca, "\"}");
}

/* R-M-4, R-M-15, R-M-20: logged as a voucher */
static void token(void **state)
{
    struct fixture *f = *state;
    says(f, ASKS);
    assert_int_equal(ask(f, TOKEN), 200);
    is_token(f);
    assert_int_equal(world_events(&f->w), 1);
}

static void flag_ignored(void **state)
{
    struct fixture *f = *state;
    says(f, "{\"OwnershipValidation\":true,\"nonce\":\"0011223344556677\","
            "\"serialnumber\":\"" PKI_SERIAL "\"}");
    assert_int_equal(ask_as(f, IDV_POST, TOKEN, "application/auditnonce"), 200);
    is_token(f);
}

/* R-M-20: the same again is no other token, and no other event */
static void replayed(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(buf) first = {0};
    says(f, ASKS);
    assert_int_equal(ask(f, TOKEN), 200);
    idv_buf_move(&first, &f->w.reply.body);
    f->w.pki.env.now += 3600;
    assert_int_equal(ask(f, TOKEN), 200);
    assert_true(idv_bytes_eq(idv_view(&first), idv_view(&f->w.reply.body)));
    assert_int_equal(world_events(&f->w), 1);
    assert_int_equal(send(f), 400); /* nor a voucher */
    assert_true(world_why(&f->w, "content"));
    assert_int_equal(world_events(&f->w), 1);
}

static void wrong_forms(void **state) /* R-M-3, R-M-22 */
{
    struct fixture *f = *state;
    says(f, ASKS);
    assert_int_equal(ask_as(f, IDV_GET, TOKEN, ""), 405);
    assert_int_equal(ask_as(f, IDV_POST, TOKEN, IDV_MEDIA_VOUCHER_CMS), 415);
    assert_int_equal(ask_as(f, IDV_POST, TOKEN, "application/json"), 415);
    assert_int_equal(ask_as(f, IDV_POST, VOUCHER, PKCS7), 415);
    strcpy(f->w.accept, IDV_MEDIA_VOUCHER_CMS);
    none(f, 406, "accept");
    strcpy(f->w.accept, PKCS7);
    f->w.maker.policy.form = IDV_FORM_JWS;
    none(f, 406, "accept");
}

static void garbage(void **state)
{
    static const char *const bad[] = {
        " ",
        "[]",
        "{}",
        "{\"nonce\":\"0011223344556677\"}",
        "{\"nonce\":\"x\",\"serialnumber\":7}",
        "{\"nonce\":1,\"serialnumber\":\"" PKI_SERIAL "\"}",
        "{\"nonce\":null,\"serialnumber\":\"" PKI_SERIAL "\"}",
        "{\"nonce\":\"a\\u0001\",\"serialnumber\":\"" PKI_SERIAL "\"}",
        "{\"nonce\":\"x\",\"serialnumber\":\"" PKI_SERIAL "\",\"a\":1}",
        "{\"nonce\":\"x\",\"nonce\":\"y\",\"serialnumber\":\"" PKI_SERIAL "\"}",
        "{\"ietf-voucher-request:voucher\":{\"nonce\":\"x\","
        "\"serial-number\":\"" PKI_SERIAL "\"}}",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        says(f, bad[i]);
        none(f, 400, "content");
    }
    says(f, ASKS);
    f->sealed.n /= 2;
    none(f, 400, "container");
    idv_buf_clear(&f->sealed);
    OK(idv_buf_puts(&f->sealed, ASKS)); /* as a pledge would say it */
    none(f, 400, "container");
}

static void long_texts(void **state)
{
    struct fixture *f = *state;
    char json[1200];
    snprintf(json, sizeof(json),
             "{\"nonce\":\"%0500d\",\"serialnumber\":\"" PKI_SERIAL "\"}", 0);
    says(f, json);
    none(f, 400, "content");
    snprintf(json, sizeof(json),
             "{\"nonce\":\"x\",\"serialnumber\":\"%0500d\"}", 0);
    says(f, json);
    none(f, 400, "content");
}

static void not_signed_well(void **state) /* R-M-4, R-M-24 */
{
    struct fixture *f = *state;
    says_by(f, ASKS, &f->w.pki.idevid, f->w.pki.idevid_chain);
    none(f, 403, "no-cmc-ra");
    says(f, ASKS);
    size_t at = 0;
    while (memcmp(f->sealed.p + at, "00112233", 8) != 0)
        at++;
    f->sealed.p[at] ^= 1;
    none(f, 403, "signature");
}

static void no_domain_ca(void **state)
{
    struct fixture *f = *state;
    says_by(f, ASKS, &f->w.pki.registrar, NULL);
    none(f, 403, "no-domain-ca");
}

static void unknown_device(void **state) /* R-M-24 */
{
    struct fixture *f = *state;
    says(f, "{\"nonce\":\"x\",\"serialnumber\":\"NOBODY\"}");
    none(f, 404, "device-unknown");
}

/* R-M-16: a token has no end, so that one without nonce would be for ever */
static void nonceless(void **state)
{
    struct fixture *f = *state;
    know_domain(f, true, false);
    says(f, "{\"serialnumber\":\"" PKI_SERIAL "\"}");
    none(f, 403, "token-nonceless");
    says(f, "{\"nonce\":\"\",\"serialnumber\":\"" PKI_SERIAL "\"}");
    none(f, 403, "token-nonceless");
}

/* R-M-14: a token names the domain CA, and is not where less is pinned */
static void narrower_pin(void **state)
{
    struct fixture *f = *state;
    f->w.maker.policy.pin = IDV_PIN_REGISTRAR;
    says(f, ASKS);
    none(f, 403, "token-pin");
}

static void others_device(void **state)
{
    struct fixture *f = *state;
    sell_to_domain(f);
    says_by(f, ASKS, &f->w.pki.rogue, f->w.pki.rogue_chain);
    none(f, 403, "other-owner");
    says(f, ASKS);
    assert_int_equal(ask(f, TOKEN), 200);
}

static void without_proximity(void **state)
{
    struct fixture *f = *state;
    f->w.maker.policy.proximity = true;
    says(f, ASKS);
    none(f, 403, "no-proximity");
}

static void blocked(void **state) /* R-M-35 */
{
    struct fixture *f = *state;
    says(f, ASKS);
    know_domain(f, true, true);
    none(f, 403, "registrar-blocked");
    know_domain(f, true, false);
    pki_must(idv_db_device_stand(f->w.masa_db, idv_str(""), PKI_SERIAL,
                                 IDV_STANDING_BLOCKED, "recalled", &test_by),
             "block");
    none(f, 403, "device-blocked");
}

static void flooded(void **state) /* R-M-34 */
{
    struct fixture *f = *state;
    f->w.maker.policy.device_hourly = 1;
    world_configure(&f->w);
    says(f, ASKS);
    assert_int_equal(ask(f, TOKEN), 200);
    says(f, "{\"nonce\":\"2\",\"serialnumber\":\"" PKI_SERIAL "\"}");
    assert_int_equal(ask(f, TOKEN), 503);
    assert_true(world_why(&f->w, "rate"));
}

/* --- the log -------------------------------------------------------------- */

static void log_is(struct fixture *f, const char *nonce)
{
    char before[100], after[100], date[IDV_TIME_TEXT];
    OK(idv_time_to_text(PKI_NOW, date));
    snprintf(before, sizeof(before),
             "{\"log\":[{\"date\":\"%s\",\"domainID\":\"", date);
    snprintf(after, sizeof(after), "\",\"nonce\":%s}]}", nonce);
    assert_int_equal(ask(f, OLD_LOG), 200);
    assert_string_equal(f->w.reply.media, "application/json");
    body_is(&f->w.reply.body, before, &f->w.pki.domain_ca, after);
}

/* R-M-25: at once, wherever logs are else */
static void log_for_owner(void **state)
{
    struct fixture *f = *state;
    f->w.masa_conf.location = "https://masa.example.com";
    world_configure(&f->w);
    says(f, ASKS);
    assert_int_equal(ask(f, OLD_LOG), 404);
    assert_true(world_why(&f->w, "never-owner"));
    assert_int_equal(ask(f, TOKEN), 200);
    log_is(f, "\"0011223344556677\"");
}

static void log_null(void **state) /* R-M-26: of a voucher without nonce */
{
    struct fixture *f = *state;
    drop_nonce(f);
    know_domain(f, true, false);
    seal(f);
    assert_int_equal(send(f), 200);
    says(f, "{\"serialnumber\":\"" PKI_SERIAL "\"}");
    log_is(f, "null");
}

static void log_not_for_others(void **state) /* R-M-25 */
{
    struct fixture *f = *state;
    says(f, ASKS);
    assert_int_equal(ask(f, TOKEN), 200);
    says_by(f, ASKS, &f->w.pki.rogue, f->w.pki.rogue_chain);
    assert_int_equal(ask(f, OLD_LOG), 404);
    assert_true(world_why(&f->w, "never-owner"));
    says(f, "{\"nonce\":\"x\",\"serialnumber\":\"NOBODY\"}");
    assert_int_equal(ask(f, OLD_LOG), 404);
    assert_true(world_why(&f->w, "device-unknown"));
}

/* it says nothing of who asks */
static void log_not_by_get(void **state)
{
    struct fixture *f = *state;
    says(f, ASKS);
    assert_int_equal(ask(f, TOKEN), 200);
    assert_int_equal(ask_as(f, IDV_GET, OLD_LOG, PKCS7), 405);
    idv_buf_clear(&f->sealed);
    assert_int_equal(ask(f, OLD_LOG), 400);
    assert_true(world_why(&f->w, "container"));
}

/* by a CA whose subjectKeyIdentifier is another hash of its key */
static void log_of_other_hash(void **state)
{
    struct fixture *f = *state;
    struct idv_cert_spec root = {.kind = IDV_CERT_ROOT, .common_name = "CA"};
    struct idv_cert_spec leaf = {.kind = IDV_CERT_REGISTRAR,
                                 .common_name = "registrar.example.com"};
    struct pki_id ca = pki_issue(&f->w.pki, "P-256", &root, NULL);
    struct pki_id id = pki_issue(&f->w.pki, "P-256", &leaf, &ca);
    int at = X509_get_ext_by_NID(ca.cert, NID_subject_key_identifier, -1);
    X509_EXTENSION_free(X509_delete_ext(ca.cert, at));
    assert_true(X509_sign(ca.cert, ca.key, EVP_sha256()) > 0);
    STACK_OF(X509) *chain = pki_stack(id.cert, ca.cert);
    char domain[64];
    domain_of(&ca, domain);
    says_by(f, ASKS, &id, chain);
    assert_int_equal(ask(f, TOKEN), 200);
    assert_int_equal(ask(f, OLD_LOG), 200);
    assert_non_null(strstr((const char *)f->w.reply.body.p, domain));
    idv_certs_free(chain);
    pki_id_free(&id);
    pki_id_free(&ca);
}

static idv_rc (*read_all)(void *self, int64_t device_id,
                          struct idv_audit_log *out);

static idv_rc read_some(void *self, int64_t device_id,
                        struct idv_audit_log *out)
{
    out->arbitrary = 1;
    return read_all(self, device_id, out);
}

/* R-M-26: there is no place to say that some is left out */
static void log_not_whole(void **state)
{
    struct fixture *f = *state;
    struct idv_masa_store store = *f->w.masa_conf.store;
    says(f, ASKS);
    assert_int_equal(ask(f, TOKEN), 200);
    read_all = store.log_read;
    store.log_read = read_some;
    f->w.masa_conf.store = &store;
    world_configure(&f->w);
    assert_int_equal(ask(f, OLD_LOG), 403);
    assert_true(world_why(&f->w, "log-not-whole"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup_on, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(off, setup, teardown),
        T(token),
        T(flag_ignored),
        T(replayed),
        T(wrong_forms),
        T(garbage),
        T(long_texts),
        T(not_signed_well),
        T(no_domain_ca),
        T(unknown_device),
        T(nonceless),
        T(narrower_pin),
        T(others_device),
        T(without_proximity),
        T(blocked),
        T(flooded),
        T(log_for_owner),
        T(log_null),
        T(log_not_for_others),
        T(log_not_by_get),
        T(log_of_other_hash),
        T(log_not_whole),
    };
    return STORES_RUN(tests);
}
