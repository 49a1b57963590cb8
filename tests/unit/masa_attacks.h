/* SPDX-License-Identifier: Apache-2.0 */
/* A MASA that is asked with what somebody made or changed: whoever gets a
 * voucher asked for just that one. */
#ifndef TESTS_MASA_ATTACKS_H
#define TESTS_MASA_ATTACKS_H

#include "tests/unit/masa.h"

/* places in a text: a nonce has some of them in the longest form, too */
#define TEXTS 900

/* nothing is too often */
static inline void begin(struct fixture *f)
{
    idv_masa_free(f->w.masa);
    f->w.maker.policy.device_hourly = 1000000;
    f->w.masa_conf.registrar_minute = 1000000;
    f->w.masa_conf.domain_hourly = 1000000;
    pki_must(idv_masa_new(&f->w.masa_conf, &f->w.pki.env.env, &f->w.masa),
             "masa");
}

/* (what is not signed is which certificates come along; of the farthest the
 * key is what the others prove) */
static inline bool pins_the_domain(const struct fixture *f,
                                   const struct idv_voucher *v)
{
    const struct pki *p = &f->w.pki;
    IDV_AUTO_PTR(X509) pin = NULL;
    OK(idv_cert_from_der(idv_view(&v->pinned_domain_cert), &pin));
    return idv_cert_same_key(pin, p->domain_ca.cert) ||
           idv_cert_same_key(pin, p->registrar.cert);
}

/* the voucher in the answer, of whatever form, by the maker's key */
static inline void answered(const struct fixture *f, struct idv_voucher *v)
{
    const struct idv_msg *r = &f->w.reply;
    IDV_AUTO(opened) o = {0};
    struct idv_chain_policy policy = {
        .anchors = f->w.pki.anchors, .check_time = true, .now = PKI_NOW};
    OK(idv_envelope_open(r->media, idv_view(&r->body), &o));
    OK(idv_envelope_verify(&o, &policy));
    OK(idv_voucher_from(o.media, idv_view(&o.payload), IDV_VOUCHER, v));
}

/* A voucher is for this device and nonce, pins this domain, claims no more than
 * was proven, and has its entry; all else is refused, and leaves none. */
static inline bool judged(struct fixture *f, int status, int before)
{
    const int more = world_events(&f->w) - before;
    if (status != 200) {
        if (status < 400 || status >= 500 || more)
            fail_msg("%d, %d events: %s", status, more, f->w.log);
        return false;
    }
    IDV_AUTO(voucher) v;
    idv_voucher_init(&v, IDV_VOUCHER);
    answered(f, &v);
    assert_string_equal(v.serial_number, PKI_SERIAL);
    assert_string_equal(v.nonce, f->pvr.nonce);
    assert_true(pins_the_domain(f, &v));
    assert_true(v.assertion == IDV_ASSERT_PROXIMITY ||
                v.assertion == IDV_ASSERT_LOGGED);
    assert_true(more <= 1);
    return true;
}

/* Asks with what is sealed, which is said to be of this form: was it taken? */
static inline bool ask_as(struct fixture *f, const char *media)
{
    struct idv_peer peer = {.address = "192.0.2.99"};
    const int before = world_events(&f->w);
    return judged(f,
                  world_ask(&f->w, idv_masa_service(f->w.masa), &peer, IDV_POST,
                            VOUCHER, media, idv_view(&f->sealed)),
                  before);
}

/* the text of a request, sealed by the registrar in this form */
static inline void seal_text(struct fixture *f, const char *media,
                             struct idv_bytes text)
{
    struct idv_signer s = {.key = f->w.pki.registrar.key,
                           .cert = f->w.pki.registrar.cert,
                           .chain = f->w.pki.tls_chain};
    idv_buf_clear(&f->sealed);
    OK(idv_envelope_seal(media, text, &s, &f->sealed));
}

/* Odd characters at TEXTS places of the request's text, each signed: some are
 * taken, by what judged says, and less than half of them. */
static inline void spoil_texts(struct fixture *f, const char *media)
{
    static const char odd[] = "\"{}[]:,\\0 -.eE\x80\xff\n";
    IDV_AUTO(buf) text = {.max = IDV_MAX_BODY};
    unsigned in = 0;
    OK(idv_voucher_to(media, &f->rvr, &text));
    for (size_t i = 0; i < TEXTS; i++) {
        const size_t at = text.n * i / TEXTS;
        const uint8_t was = text.p[at];
        text.p[at] = (uint8_t)odd[i % (sizeof(odd) - 1)];
        seal_text(f, media, idv_view(&text));
        in += ask_as(f, media);
        text.p[at] = was;
    }
    seal_text(f, media, idv_view(&text));
    assert_true(ask_as(f, media));
    assert_true(in < TEXTS / 2);
}

#endif
