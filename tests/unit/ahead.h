/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the gate share: a voucher that was had before its device
 * came. */
#ifndef TESTS_AHEAD_H
#define TESTS_AHEAD_H

#include "tests/unit/enroll.h"

#include "idevid/registrar/prefetch.h"

static inline struct idv_prefetch ahead(struct fixture *f,
                                        struct idv_buf *issuer)
{
    OK(idv_prefetch_issuer(f->w.pki.maker_ca.cert, issuer));
    return (struct idv_prefetch){
        .conf = &f->w.reg_conf,
        .maker = &f->w.reg_maker,
        .serial_number = PKI_SERIAL,
        .idevid_issuer = idv_view(issuer),
        .media = IDV_MEDIA_VOUCHER_CMS,
        .env = &f->w.pki.env.env,
    };
}

/* asks the MASA as the program does, and keeps what comes */
static inline void prefetch_until(struct fixture *f, int64_t end)
{
    IDV_AUTO(buf) issuer = {0};
    IDV_AUTO(buf) rvr = {.max = IDV_MAX_BODY};
    struct idv_stored_voucher v = {0};
    struct idv_registrar_people p = idv_db_registrar_people(f->w.reg_db);
    struct idv_masa_registrar known = {.name = "us", .nonceless = true};
    struct idv_prefetch what = ahead(f, &issuer);
    OK(idv_db_registrar_set(f->w.masa_db, f->w.pki.registrar.cert, &known));
    OK(idv_prefetch_request(&what, &rvr));
    assert_int_equal(
        world_masa(&f->w, W_BRSKI "requestvoucher", idv_view(&rvr)), 200);
    OK(idv_prefetch_read(&what, idv_view(&rvr), &f->w.reply, &v));
    assert_true(v.expires_on > PKI_NOW);
    if (end)
        v.expires_on = end;
    OK(p.stored_add(p.self, &v));
    idv_stored_voucher_free(&v);
}

static inline void prefetch(struct fixture *f)
{
    prefetch_until(f, 0);
}

#endif
