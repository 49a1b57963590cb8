/* SPDX-License-Identifier: Apache-2.0 */
/* A desk with a book, an order and a CA that does as it is told; a station, and
 * devices of software. */
#ifndef TESTS_UNIT_DESK_H
#define TESTS_UNIT_DESK_H

#include "tests/unit/codec.h"

#include <idevid/desk.h>

#include "tests/lib/factory_book.h"
#include "tests/lib/softtpm.h"

#define ORDER "L1"
#define SN "A-0001"
#define SN2 "A-0002"

/* Issues, unless fail; changes the specification first when change is there. */
struct desk_ca {
    struct idv_desk_ca ca;
    idv_rc fail;
    void (*change)(struct idv_cert_spec *spec);
    const EVP_PKEY *other_key;
    const struct pki_id *other_issuer;
    unsigned calls;
};

struct scene {
    struct pki pki;
    struct pki_id vendor, station, other_station;
    STACK_OF(X509) * stations, *ca_chain;
    struct idv_roots *roots;
    struct book book;
    struct desk_ca maker;
    struct idv_desk_template template;
    struct idv_desk_conf conf;
    struct idv_desk *desk;
    uint8_t challenge[IDV_FACTORY_CHALLENGE];
    struct softtpm tpm, tpm2; /* P-256 */
};

static inline idv_rc desk_ca_issue(void *self, const struct idv_cert_spec *spec,
                                   const EVP_PKEY *key, struct idv_bytes csr,
                                   X509 **out);
static inline const STACK_OF(X509) * desk_ca_chain(void *self);

static struct scene *scene; /* the test's; the CA finds keys here */

static inline idv_rc desk_ca_issue(void *self, const struct idv_cert_spec *spec,
                                   const EVP_PKEY *key, struct idv_bytes csr,
                                   X509 **out)
{
    struct desk_ca *ca = self;
    struct idv_cert_spec s = *spec;
    const struct pki_id *by =
        ca->other_issuer ? ca->other_issuer : &scene->pki.maker_ca;
    (void)csr;
    ca->calls++;
    if (ca->fail)
        return idv_fail(ca->fail, "it is away");
    if (ca->change)
        ca->change(&s);
    return idv_cert_issue(&s, ca->other_key ? ca->other_key : key, by->cert,
                          by->key, &scene->pki.env.env, out);
}

static inline const STACK_OF(X509) * desk_ca_chain(void *self)
{
    (void)self;
    return scene->ca_chain;
}

static inline struct pki_id station_named(struct scene *s, const char *name)
{
    struct idv_cert_spec spec = {.kind = IDV_CERT_LDEVID, .common_name = name};
    return pki_issue(&s->pki, "P-256", &spec, &s->pki.domain_ca);
}

static inline void desk_again(struct scene *s)
{
    enum idv_factory_why why;
    idv_desk_free(s->desk);
    OK(idv_desk_new(&s->conf, &s->desk));
    OK(idv_desk_challenge(s->desk, ORDER, s->challenge, &why));
}

static inline void scene_pki(struct scene *s)
{
    struct idv_cert_spec root = {.kind = IDV_CERT_ROOT,
                                 .common_name = "A vendor of TPMs"};
    pki_make(&s->pki);
    s->vendor = pki_issue(&s->pki, "P-384", &root, NULL);
    s->station = station_named(s, "station-1");
    s->other_station = station_named(s, "station-2");
    s->stations = pki_stack(s->pki.domain_ca.cert, NULL);
    s->ca_chain = pki_stack(s->pki.maker_ca.cert, s->pki.maker_root.cert);
    IDV_AUTO_PTR(idv_certs) vendors = pki_stack(s->vendor.cert, NULL);
    OK(idv_roots_from_certs(vendors, &s->roots));
    softtpm_make(&s->tpm, IDV_KEY_P256, &s->pki, &s->vendor);
    softtpm_make(&s->tpm2, IDV_KEY_P256, &s->pki, &s->vendor);
}

static inline void scene_conf(struct scene *s)
{
    s->maker.ca =
        (struct idv_desk_ca){&s->maker, desk_ca_issue, desk_ca_chain, false};
    s->template = (struct idv_desk_template){
        .organization = "Maker",
        .masa_url = "masa.example.com:9443",
        .permanent_identifier = true,
        .residency_policies = true,
        .eku_client_auth = true,
    };
    s->conf = (struct idv_desk_conf){
        .store = &s->book.store,
        .ca = &s->maker.ca,
        .idevid = &s->template,
        .stations = s->stations,
        .roots = s->roots,
        .profiles = 0x1f,
        .env = &s->pki.env.env,
    };
}

static int scene_begin(void **state)
{
    scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    scene_pki(scene);
    *state = scene;
    return 0;
}

static int scene_end(void **state)
{
    struct scene *s = *state;
    softtpm_free(&s->tpm);
    softtpm_free(&s->tpm2);
    idv_roots_free(s->roots);
    idv_certs_free(s->stations);
    idv_certs_free(s->ca_chain);
    pki_id_free(&s->vendor);
    pki_id_free(&s->station);
    pki_id_free(&s->other_station);
    pki_free(&s->pki);
    free(s);
    return 0;
}

/* a book of its own for each test */
static int desk_begin(void **state)
{
    struct scene *s = *state;
    struct idv_order *o = book_order(ORDER, "A", 3);
    memset(&s->maker, 0, sizeof(s->maker));
    s->pki.env.now = PKI_NOW;
    book_open(&s->book);
    OK(s->book.store.order_add(s->book.store.self, o, PKI_NOW));
    book_order_free(o);
    scene_conf(s);
    desk_again(s);
    return 0;
}

static int desk_end(void **state)
{
    struct scene *s = *state;
    idv_desk_free(s->desk);
    s->desk = NULL;
    book_drop(&s->book);
    return 0;
}
#define DESK_TEST(f) cmocka_unit_test_setup_teardown(f, desk_begin, desk_end)

/* --- what a station does -------------------------------------------------- */

/* sends r, frees it; the reply's bytes */
static inline idv_rc sent(struct scene *s, struct idv_factory_request *r,
                          struct idv_buf *reply, enum idv_factory_why *why)
{
    IDV_AUTO(buf) cms = {0};
    OK(idv_factory_request_seal(r, s->station.key, s->station.cert, NULL,
                                &cms));
    idv_factory_request_free(r);
    const struct idv_desk_peer peer = {"192.0.2.1", s->station.cert};
    return idv_desk_issue(s->desk, idv_view(&cms), &peer, reply, why);
}

static inline void sound(struct scene *s, const struct softtpm *t,
                         enum idv_factory_profile profile, const char *serial,
                         struct idv_factory_request *r)
{
    softtpm_request(t, profile, ORDER, serial, s->challenge, NULL, r);
}

static inline void is_refused(struct scene *s, struct idv_factory_request *r,
                              enum idv_factory_why expected, const char *part)
{
    enum idv_factory_why why = IDV_WHY_NONE;
    IDV_AUTO(buf) reply = {0};
    idv_note_clear();
    assert_int_not_equal(sent(s, r, &reply, &why), IDV_OK);
    if (why != expected || !strstr(idv_note(), part))
        print_error("'%s' because '%s', not '%s' because '%s'\n", idv_note(),
                    idv_factory_why_to_text(why), part,
                    idv_factory_why_to_text(expected));
    assert_int_equal(why, expected);
    assert_non_null(strstr(idv_note(), part));
    assert_int_equal(reply.n, 0);
    idv_note_clear();
}

static inline bool is_certificate(const X509 *cert, const EVP_PKEY *key)
{
    return EVP_PKEY_eq(X509_get0_pubkey(cert), key) == 1;
}

/* out of a bag: the certificate of that key, NULL when there is none */
static inline X509 *certificate_of(const STACK_OF(X509) * bag,
                                   const EVP_PKEY *key)
{
    for (int i = 0; i < sk_X509_num(bag); i++)
        if (is_certificate(sk_X509_value(bag, i), key))
            return sk_X509_value(bag, i);
    return NULL;
}

/* what the device gets out of a reply; the caller's */
static inline STACK_OF(X509) *
    unpacked(struct scene *s, const struct softtpm *t,
             const struct softtpm_key *key, struct idv_bytes json)
{
    struct idv_factory_reply r = {0};
    IDV_AUTO(buf) secret = {0};
    IDV_AUTO(buf) bag = {0};
    STACK_OF(X509) *certs = NULL;
    OK(idv_factory_reply_from_json(json, &r));
    assert_true(r.has_next);
    memcpy(s->challenge, r.next_challenge, sizeof(s->challenge));
    if (t) {
        assert_true(softtpm_activate(t, key, &r, &secret));
        OK(idv_factory_reply_open(&r, idv_view(&secret), &bag));
    } else {
        idv_buf_move(&bag, &r.bag);
    }
    OK(idv_certbag_from_der(idv_view(&bag), &certs));
    idv_factory_reply_free(&r);
    return certs;
}

/* sends r, frees it; what the device gets */
static inline STACK_OF(X509) * issued(struct scene *s, const struct softtpm *t,
                                      const struct softtpm_key *key,
                                      struct idv_factory_request *r)
{
    enum idv_factory_why why;
    IDV_AUTO(buf) reply = {0};
    OK(sent(s, r, &reply, &why));
    assert_int_equal(why, IDV_WHY_NONE);
    return unpacked(s, t, key, idv_view(&reply));
}

/* the device of that serial number as the book has it */
static inline void in_book(struct scene *s, const char *serial,
                           struct idv_factory_device *out)
{
    bool found = false;
    memset(out, 0, sizeof(*out));
    OK(s->book.store.find(s->book.store.self, IDV_BY_SERIAL, idv_str(serial),
                          &found, out));
    if (!found)
        out->state = IDV_DEVICE_NONE;
}

static inline void set_state(struct scene *s, const char *serial,
                             enum idv_factory_state to)
{
    struct idv_factory_device d;
    enum idv_factory_why why;
    in_book(s, serial, &d);
    enum idv_factory_state from = d.state;
    d.state = to;
    OK(s->book.store.put(s->book.store.self, &d, from, "changed",
                         idv_bytes(NULL, 0), PKI_NOW, &why));
    idv_factory_device_free(&d);
}

static inline void shows(const X509 *cert, const char *what)
{
    IDV_AUTO_PTR(BIO) out = BIO_new(BIO_s_mem());
    char *text;
    X509_print_ex(out, (X509 *)(uintptr_t)cert, XN_FLAG_RFC2253, 0);
    BIO_write(out, "", 1);
    BIO_get_mem_data(out, &text);
    if (!strstr(text, what))
        print_error("no '%s' in %s\n", what, text);
    assert_non_null(strstr(text, what));
}

static inline bool text_has(const X509 *cert, const char *what)
{
    IDV_AUTO_PTR(BIO) out = BIO_new(BIO_s_mem());
    char *text;
    X509_print_ex(out, (X509 *)(uintptr_t)cert, XN_FLAG_RFC2253, 0);
    BIO_write(out, "", 1);
    BIO_get_mem_data(out, &text);
    return strstr(text, what) != NULL;
}

static inline void token_request(struct scene *s, EVP_PKEY *key,
                                 enum idv_factory_profile profile,
                                 const char *serial,
                                 struct idv_factory_request *r)
{
    *r = (struct idv_factory_request){.profile = profile,
                                      .type = IDV_KEY_P256,
                                      .order = ORDER,
                                      .station = "station-1",
                                      .created_on = PKI_NOW,
                                      .hw_serial = "0001"};
    snprintf(r->serial_number, sizeof(r->serial_number), "%s", serial);
    memcpy(r->challenge, s->challenge, sizeof(r->challenge));
    idv_factory_token_id("SoftHSM", "v2", "0001", r->device_id);
    OK(idv_csr_make(key, NULL, NULL, NULL, &r->csr));
}

#endif
