/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of requestvoucher share: requests of a pledge, refusals. */
#ifndef TESTS_REGISTRAR_H
#define TESTS_REGISTRAR_H

#include "tests/unit/codec.h"

#include "tests/lib/world.h"

#define VOUCHER W_BRSKI "requestvoucher"

struct fixture {
    struct world w;
    struct idv_voucher pvr; /* tests change it and seal again */
    struct idv_buf sealed;
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    world_make(&f->w);
    pki_request(&f->w.pki, &f->pvr, &f->sealed);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    idv_voucher_free(&f->pvr);
    idv_buf_free(&f->sealed);
    world_free(&f->w);
    free(f);
    return 0;
}

static inline void seal_by(struct fixture *f, const struct pki_id *id)
{
    idv_buf_clear(&f->sealed);
    pki_seal(&f->pvr, id, f->w.pki.idevid_chain, false, &f->sealed);
}

static inline int post_as(struct fixture *f, const char *media)
{
    return world_registrar(&f->w, VOUCHER, media, idv_view(&f->sealed));
}

static inline int post(struct fixture *f)
{
    return post_as(f, IDV_MEDIA_VOUCHER_CMS);
}

static inline bool says(const struct fixture *f, const char *text)
{
    return f->w.reply.body.n && strstr((char *)f->w.reply.body.p, text);
}

/* Refused for this reason, and the MASA was not bothered. */
static inline void refused(struct fixture *f, int status, const char *why)
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

static inline struct pki_id device(struct fixture *f, const char *serial,
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

static inline void shows(struct fixture *f, const struct pki_id *id)
{
    world_peer(&f->w.pledge, id->cert, f->w.pki.maker_ca.cert, 2);
    seal_by(f, id);
}

#endif
