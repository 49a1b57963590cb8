/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA: the forms of requests and vouchers, and what is pinned. */
#include "config.h"

#include "tests/lib/stores.h"
#include "tests/unit/masa.h"

static int send_for(struct fixture *f, const char *accept)
{
    snprintf(f->w.accept, sizeof(f->w.accept), "%s", accept);
    return send(f);
}

/* the voucher in the answer, of this form, by the maker's key */
static void open_voucher(struct fixture *f, const char *media,
                         struct idv_voucher *v)
{
    IDV_AUTO(opened) o = {0};
    struct idv_chain_policy policy = {.anchors = f->w.pki.anchors};
    assert_string_equal(f->w.reply.media, media);
    OK(idv_envelope_open(media, idv_view(&f->w.reply.body), &o));
    OK(idv_envelope_verify(&o, &policy));
    OK(idv_voucher_from(o.media, idv_view(&o.payload), IDV_VOUCHER, v));
}

static void answered_in(struct fixture *f, const char *media)
{
    IDV_AUTO(voucher) v;
    open_voucher(f, media, &v);
    assert_string_equal(v.serial_number, PKI_SERIAL);
}

/* the pledge's request inside in this form */
static void prior_in(struct fixture *f, const char *media)
{
    idv_buf_clear(&f->rvr.prior_signed);
    pki_seal_as(media, &f->pvr, &f->w.pki.idevid, f->w.pki.idevid_chain,
                &f->rvr.prior_signed);
}

/* --- Accept (R-M-22) ------------------------------------------------------ */

static void as_accepted(void **state) /* R-M-22 */
{
    struct fixture *f = *state;
    seal(f);
    assert_int_equal(send_for(f, IDV_MEDIA_VOUCHER_JWS), 200);
    answered_in(f, IDV_MEDIA_VOUCHER_JWS);
}

static void as_the_device(void **state) /* R-M-22 */
{
    struct fixture *f = *state;
    prior_in(f, IDV_MEDIA_VOUCHER_JWS);
    seal(f);
    assert_int_equal(send_for(f, "*/*"), 200);
    answered_in(f, IDV_MEDIA_VOUCHER_JWS);
}

static void as_the_registrar(void **state) /* R-M-22 */
{
    struct fixture *f = *state;
    idv_buf_clear(&f->rvr.prior_signed);
    idv_buf_clear(&f->sealed);
    pki_seal_as(IDV_MEDIA_VOUCHER_JWS, &f->rvr, &f->w.pki.registrar,
                f->w.pki.tls_chain, &f->sealed);
    f->w.accept[0] = 0;
    struct idv_service s = idv_masa_service(f->w.masa);
    assert_int_equal(world_ask(&f->w, s, NULL, IDV_POST, VOUCHER,
                               IDV_MEDIA_VOUCHER_JWS, idv_view(&f->sealed)),
                     200);
    answered_in(f, IDV_MEDIA_VOUCHER_JWS);
}

static void not_what_is_refused(void **state) /* R-M-22 */
{
    struct fixture *f = *state;
    seal(f);
    assert_int_equal(send_for(f, IDV_MEDIA_VOUCHER_CMS ";q=0, */*"), 200);
    answered_in(f, IDV_MEDIA_VOUCHER_JWS);
}

static void none_acceptable(void **state) /* R-M-22 */
{
    struct fixture *f = *state;
    seal(f);
    assert_int_equal(send_for(f, "application/json"), 406);
    assert_true(world_why(&f->w, "accept"));
    assert_int_equal(world_events(&f->w), 0);
}

/* the voucher is there, in the form that was accepted first */
static void again_in_another_form(void **state)
{
    struct fixture *f = *state;
    seal(f);
    assert_int_equal(send_for(f, IDV_MEDIA_VOUCHER_JWS), 200);
    assert_int_equal(send_for(f, IDV_MEDIA_VOUCHER_CMS), 406);
    assert_int_equal(send_for(f, "application/*"), 200);
    answered_in(f, IDV_MEDIA_VOUCHER_JWS);
    assert_int_equal(world_events(&f->w), 1);
}

/* --- base64, older roots (R-M-3) ------------------------------------------ */

static void to_base64(struct fixture *f)
{
    IDV_AUTO(buf) binary = {0};
    idv_buf_move(&binary, &f->sealed);
    OK(idv_base64_from_bytes(idv_view(&binary), 76, &f->sealed));
}

static void in_base64(void **state) /* R-M-3 */
{
    struct fixture *f = *state;
    IDV_AUTO(buf) text = {0};
    IDV_AUTO(buf) raw = {0};
    seal(f);
    to_base64(f);
    assert_int_equal(send(f), 200);
    OK(idv_base64_to_bytes(idv_view(&f->w.reply.body), IDV_BASE64_LAX, &raw));
    idv_buf_move(&f->w.reply.body, &raw);
    answered_in(f, IDV_MEDIA_VOUCHER_CMS);
    assert_int_equal(world_masa(&f->w, LOG, idv_view(&f->sealed)), 200);
    assert_string_equal(f->w.reply.media, "application/json");
}

/* one request, however it was carried: one voucher */
static void base64_and_raw(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(buf) first = {0};
    seal(f);
    assert_int_equal(send(f), 200);
    idv_buf_move(&first, &f->w.reply.body);
    to_base64(f);
    assert_int_equal(send(f), 200);
    IDV_AUTO(buf) raw = {0};
    OK(idv_base64_to_bytes(idv_view(&f->w.reply.body), IDV_BASE64_LAX, &raw));
    assert_true(idv_bytes_eq(idv_view(&first), idv_view(&raw)));
    assert_int_equal(world_events(&f->w), 1);
}

static void bad_base64(void **state)
{
    struct fixture *f = *state;
    OK(idv_buf_puts(&f->sealed, "MIIB=AAA"));
    refused(f, 400, "base64");
}

static void seal_json(struct fixture *f, const char *json)
{
    struct idv_signer s = {.key = f->w.pki.registrar.key,
                           .cert = f->w.pki.registrar.cert,
                           .chain = f->w.pki.tls_chain};
    idv_buf_clear(&f->sealed);
    OK(idv_envelope_seal(IDV_MEDIA_VOUCHER_CMS, idv_str(json), &s, &f->sealed));
}

static void older_root(void **state) /* R-M-3 */
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    seal_json(f, "{\"ietf-voucher:voucher\":{\"nonce\":\"abc\","
                 "\"serial-number\":\"" PKI_SERIAL "\"}}");
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    assert_string_equal(v.nonce, "abc");
}

/* R-M-13: what only vouchers say is not looked at, however well it is said */
static void leaves_of_vouchers(void **state)
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) json = {0};
    OK(idv_cert_to_der(f->w.pki.rogue_ca.cert, &der));
    OK(idv_buf_puts(&json,
                    "{\"ietf-voucher-request:voucher\":{"
                    "\"serial-number\":\"" PKI_SERIAL "\",\"nonce\":\"abc\","
                    "\"expires-on\":\"2036-01-01T00:00:00Z\","
                    "\"last-renewal-date\":\"2037-01-01T00:00:00Z\","
                    "\"domain-cert-revocation-checks\":true,"
                    "\"pinned-domain-cert\":\""));
    OK(idv_base64_from_bytes(idv_view(&der), 0, &json));
    OK(idv_buf_puts(&json, "\"}}"));
    seal_json(f, (const char *)json.p);
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    pinned_is(&v, f->w.pki.domain_ca.cert);
    assert_true(v.expires_on == IDV_TIME_ABSENT);
    assert_true(v.last_renewal_date == IDV_TIME_ABSENT);
    assert_null(memmem(f->w.reply.body.p, f->w.reply.body.n, "revocation", 10));
}

static void unknown_root(void **state)
{
    struct fixture *f = *state;
    seal_json(f, "{\"voucher\":{\"serial-number\":\"" PKI_SERIAL "\"}}");
    refused(f, 400, "content");
}

/* --- pins (R-M-14) -------------------------------------------------------- */

/* a registrar below a CA below the domain's */
static void seal_deep(struct fixture *f, struct pki_id *sub, struct pki_id *reg)
{
    struct idv_cert_spec ca = {.kind = IDV_CERT_CA, .common_name = "Sub CA"};
    struct idv_cert_spec leaf = {.kind = IDV_CERT_REGISTRAR,
                                 .common_name = "registrar.example.com"};
    *sub = pki_issue(&f->w.pki, "P-256", &ca, &f->w.pki.domain_ca);
    *reg = pki_issue(&f->w.pki, "P-256", &leaf, sub);
    STACK_OF(X509) *chain = pki_stack(sub->cert, f->w.pki.domain_ca.cert);
    idv_buf_clear(&f->rvr.prior_signed);
    seal_by(f, reg, chain);
    idv_certs_free(chain);
}

static void pins_each(void **state) /* R-M-14 */
{
    struct fixture *f = *state;
    struct pki_id sub, reg;
    seal_deep(f, &sub, &reg);
    const struct {
        enum idv_pin_choice pin;
        const X509 *cert;
    } rows[] = {{IDV_PIN_FARTHEST, f->w.pki.domain_ca.cert},
                {IDV_PIN_ISSUER, sub.cert},
                {IDV_PIN_REGISTRAR, reg.cert}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        IDV_AUTO(voucher) v;
        f->w.maker.policy.pin = rows[i].pin;
        STACK_OF(X509) *chain = pki_stack(sub.cert, f->w.pki.domain_ca.cert);
        seal_by(f, &reg, chain);
        idv_certs_free(chain);
        assert_int_equal(send(f), 200);
        read_voucher(f, &v);
        pinned_is(&v, rows[i].cert);
    }
    pki_id_free(&sub);
    pki_id_free(&reg);
}

static void pins_key(void **state) /* R-M-14 */
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    IDV_AUTO(buf) key = {0};
    IDV_AUTO(buf) hash = {0};
    f->w.maker.policy.pin = IDV_PIN_REGISTRAR_KEY;
    seal(f);
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    pki_spki(f->w.pki.registrar.cert, &key, &hash);
    assert_true(idv_bytes_eq(idv_view(&key), idv_view(&v.pinned_domain_pubk)));
    assert_int_equal(v.pinned_domain_cert.n, 0);
}

static void pins_alone(void **state) /* no issuer is there */
{
    struct fixture *f = *state;
    IDV_AUTO(voucher) v;
    f->w.maker.policy.pin = IDV_PIN_ISSUER;
    idv_buf_clear(&f->rvr.prior_signed);
    seal_by(f, &f->w.pki.registrar, NULL);
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    pinned_is(&v, f->w.pki.registrar.cert);
}

/* R-M-22: a key that signs one form only; the other is not to be had, which is
 * nobody's failure */
static void one_form_key(void **state)
{
    struct fixture *f = *state;
    const struct idv_cert_spec spec = {.kind = IDV_CERT_SIGNER,
                                       .common_name = "Voucher Signer"};
    struct pki_id id =
        pki_issue(&f->w.pki, "brainpoolP256r1", &spec, &f->w.pki.maker_ca);
    f->w.signer.key = id.key;
    f->w.signer.cert = id.cert;
    world_configure(&f->w);
    seal(f);
    assert_int_equal(send(f), 200);
    assert_string_equal(f->w.reply.media, IDV_MEDIA_VOUCHER_CMS);
    f->rvr.created_on--;
    seal(f);
    assert_int_equal(send_for(f, IDV_MEDIA_VOUCHER_JWS), 406);
    assert_true(world_why(&f->w, "accept"));
    pki_id_free(&id);
}

/* one that signs no form is told when the service begins */
static void no_form_key(void **state)
{
    struct fixture *f = *state;
    struct idv_masa *m = NULL;
    X509 *cert = X509_dup(f->w.pki.masa.cert);
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_true(X509_set_pubkey(cert, key) == 1);
    f->w.signer.key = key;
    f->w.signer.cert = cert;
    FAILS(IDV_E_ARG, "signs no vouchers",
          idv_masa_new(&f->w.masa_conf, &f->w.pki.env.env, &m));
    X509_free(cert);
    EVP_PKEY_free(key);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(as_accepted),         T(as_the_device),      T(as_the_registrar),
        T(not_what_is_refused), T(none_acceptable),    T(again_in_another_form),
        T(in_base64),           T(base64_and_raw),     T(bad_base64),
        T(older_root),          T(leaves_of_vouchers), T(unknown_root),
        T(pins_each),           T(pins_key),           T(pins_alone),
        T(one_form_key),        T(no_form_key),
    };
    return STORES_RUN(tests);
}
