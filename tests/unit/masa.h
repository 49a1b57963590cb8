/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the MASA share: requests of a registrar, and the answers.
 */
#ifndef TESTS_MASA_H
#define TESTS_MASA_H

#include "tests/unit/codec.h"

#include "tests/lib/world.h"
#include "tests/unit/by.h"

#define VOUCHER W_BRSKI "requestvoucher"
#define LOG W_BRSKI "requestauditlog"

struct fixture {
    struct world w;
    struct idv_voucher pvr; /* what the pledge said */
    struct idv_voucher rvr; /* what the registrar will say; tests change it */
    struct idv_buf prior, sealed;
};

static inline void fill_rvr(struct fixture *f)
{
    struct idv_voucher *v = &f->rvr;
    idv_voucher_init(v, IDV_VOUCHER_REQUEST);
    v->assertion = IDV_ASSERT_PROXIMITY;
    v->created_on = f->w.pki.env.now;
    strcpy(v->serial_number, PKI_SERIAL);
    strcpy(v->nonce, f->pvr.nonce);
    pki_must(idv_idevid_issuer(f->w.pki.idevid.cert, false, &v->idevid_issuer),
             "issuer");
    pki_must(idv_buf_put(&v->prior_signed, idv_view(&f->prior)), "prior");
}

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    world_make(&f->w);
    pki_request(&f->w.pki, &f->pvr, &f->prior);
    fill_rvr(f);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    idv_voucher_free(&f->pvr);
    idv_voucher_free(&f->rvr);
    idv_buf_free(&f->prior);
    idv_buf_free(&f->sealed);
    world_free(&f->w);
    free(f);
    return 0;
}

static inline void seal_by(struct fixture *f, const struct pki_id *id,
                           const STACK_OF(X509) * chain)
{
    idv_buf_clear(&f->sealed);
    pki_seal(&f->rvr, id, chain, false, &f->sealed);
}

static inline void seal(struct fixture *f)
{
    seal_by(f, &f->w.pki.registrar, f->w.pki.tls_chain);
}

static inline int send(struct fixture *f)
{
    return world_masa(&f->w, VOUCHER, idv_view(&f->sealed));
}

/* Refused with this status for this reason, and nothing was logged. */
static inline void refused(struct fixture *f, int status, const char *why)
{
    assert_int_equal(send(f), status);
    assert_true(world_why(&f->w, why));
    assert_string_equal(f->w.reply.media, "text/plain");
    assert_true(f->w.reply.body.n > 1 && f->w.reply.body.n < 80);
    assert_int_equal(world_events(&f->w), 0);
}

static inline void read_voucher(struct fixture *f, struct idv_voucher *v)
{
    IDV_AUTO(opened) o = {0};
    struct idv_chain_policy policy = {
        .anchors = f->w.pki.anchors, .check_time = true, .now = PKI_NOW};
    assert_string_equal(f->w.reply.media, IDV_MEDIA_VOUCHER_CMS);
    assert_int_equal(idv_envelope_open(IDV_MEDIA_VOUCHER_CMS,
                                       idv_view(&f->w.reply.body), &o),
                     IDV_OK);
    assert_int_equal(idv_envelope_verify(&o, &policy), IDV_OK);
    assert_int_equal(
        idv_voucher_from(o.media, idv_view(&o.payload), IDV_VOUCHER, v),
        IDV_OK);
}

static inline void pinned_is(const struct idv_voucher *v, const X509 *cert)
{
    IDV_AUTO(buf) der = {0};
    pki_must(idv_cert_to_der(cert, &der), "der");
    assert_true(idv_bytes_eq(idv_view(&der), idv_view(&v->pinned_domain_cert)));
}

static inline void know_domain(struct fixture *f, bool nonceless, bool blocked)
{
    struct idv_masa_registrar r = {"Example", nonceless, blocked};
    pki_must(idv_db_registrar_set(f->w.masa_db, f->w.pki.domain_ca.cert, &r),
             "registrar");
}

/* A registrar under a CA of its own that calls itself what the domain's CA is
 * called: the same subjectKeyIdentifier, which may be any bytes. */
static inline void seal_by_namesake(struct fixture *f)
{
    X509 *real = f->w.pki.domain_ca.cert;
    int at = X509_get_ext_by_NID(real, NID_subject_key_identifier, -1);
    STACK_OF(X509_EXTENSION) *ski = sk_X509_EXTENSION_new_null();
    sk_X509_EXTENSION_push(ski, X509_get_ext(real, at));
    struct idv_cert_spec root = {
        .kind = IDV_CERT_ROOT, .common_name = "Domain CA", .extra = ski};
    struct idv_cert_spec leaf = {.kind = IDV_CERT_REGISTRAR,
                                 .common_name = "registrar.example.com"};
    struct pki_id ca = pki_issue(&f->w.pki, "P-256", &root, NULL);
    struct pki_id id = pki_issue(&f->w.pki, "P-256", &leaf, &ca);
    STACK_OF(X509) *chain = pki_stack(id.cert, ca.cert);
    seal_by(f, &id, chain);
    idv_certs_free(chain);
    pki_id_free(&id);
    pki_id_free(&ca);
    sk_X509_EXTENSION_free(ski);
}

static inline void sell_to_domain(struct fixture *f)
{
    IDV_AUTO(buf) id = {0};
    IDV_AUTO(buf) text = {0};
    pki_must(idv_domain_id(f->w.pki.domain_ca.cert, &id), "id");
    pki_must(idv_base64_from_bytes(idv_view(&id), 0, &text), "text");
    pki_must(idv_db_device_owner(f->w.masa_db, idv_str(""), PKI_SERIAL,
                                 (const char *)text.p, &test_by),
             "owner");
}

static inline void drop_nonce(struct fixture *f)
{
    f->rvr.nonce[0] = 0;
    idv_buf_clear(&f->rvr.prior_signed);
}

#endif
