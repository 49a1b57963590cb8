/* SPDX-License-Identifier: Apache-2.0 */
/* Who has shown no certificate, and is taken at his word where that is allowed.
 */
#include "tests/lib/stores.h"
#include "tests/unit/ahead.h"

static int ask_as(struct fixture *f, struct idv_peer *peer,
                  const struct pki_id *signer, const STACK_OF(X509) * chain)
{
    IDV_AUTO(voucher) pvr;
    IDV_AUTO(buf) sealed = {0};
    pki_request(&f->w.pki, &pvr, &sealed);
    idv_buf_clear(&sealed);
    pki_seal(&pvr, signer, chain, false, &sealed);
    return world_ask(&f->w, idv_registrar_service(f->w.reg), peer, IDV_POST,
                     W_BRSKI "requestvoucher", IDV_MEDIA_VOUCHER_CMS,
                     idv_view(&sealed));
}

/* R-R-7, R-R-8: who shows nothing in TLS; the voucher was had ahead */
static void test_nothing_shown(void **state)
{
    struct fixture *f = *state;
    struct pki *p = &f->w.pki;
    struct idv_peer none = {.connection = 5};
    prefetch(f);
    f->w.reg_maker.stored = IDV_STORED_FIRST;
    for (int i = 0; i < 4; i++) { /* neither switch alone */
        f->w.reg_maker.unauthenticated = i & 1;
        f->w.reg_conf.unauthenticated = i & 2;
        world_configure(&f->w);
        none.fronted = i == 3; /* nor where nobody knows the connection */
        because(f, ask_as(f, &none, &p->rogue_idevid, NULL), 403,
                "no-client-cert");
        idv_peer_free(&none);
        none = (struct idv_peer){.connection = 5};
    }
    f->w.log[0] = 0;
    assert_int_equal(ask_as(f, &none, &p->rogue_idevid, NULL), 200);
    assert_non_null(strstr(f->w.log, "reduced-security "
                                     "mode=unauthenticated-devices device="));
    /* by this connection it enrolls, and by no other */
    struct idv_peer other = {.connection = 6};
    because(f, enroll_as(f, &other, IDV_PATH_SIMPLEENROLL), 403,
            "no-client-cert");
    because(f, enroll_as(f, &none, IDV_PATH_SIMPLEREENROLL), 403,
            "no-client-cert");
    assert_int_equal(enroll_as(f, &none, IDV_PATH_SIMPLEENROLL), 200);
    idv_peer_free(&none);
}

/* what a device said before, said again by somebody else, is not that device */
static void test_said_again(void **state)
{
    struct fixture *f = *state;
    struct pki *p = &f->w.pki;
    struct idv_peer none = {.connection = 5};
    f->w.reg_maker.unauthenticated = f->w.reg_conf.unauthenticated = true;
    world_configure(&f->w);
    for (int i = 0; i < 2; i++) /* nor when it is said at once again */
        because(f, ask_as(f, &none, &p->idevid, p->idevid_chain), 403,
                "idevid-not-shown");
    because(f, enroll_as(f, &none, IDV_PATH_SIMPLEENROLL), 403,
            "idevid-not-shown");
    because(f, enroll_as(f, &none, IDV_PATH_SIMPLEREENROLL), 403,
            "no-client-cert");
    idv_peer_free(&none);
    /* with less beside it, it is somebody else who has that number */
    get_voucher(f);
    assert_int_equal(report(f, "voucher_status", GOOD), 200);
    assert_int_equal(world_state(&f->w), IDV_SESSION_LOG_OK);
    none.chain = pki_stack(p->idevid.cert, NULL);
    none.claimed = true;
    because(f, enroll_as(f, &none, IDV_PATH_SIMPLEENROLL), 403, "no-voucher");
    idv_peer_free(&none);
    none = (struct idv_peer){.connection = 7};
    IDV_AUTO(voucher) pvr;
    IDV_AUTO(buf) bare = {0};
    pki_request(p, &pvr, &bare);
    idv_buf_clear(&bare);
    pki_seal(&pvr, &p->idevid, NULL, false, &bare);
    because(f,
            world_registrar(&f->w, W_BRSKI "requestvoucher",
                            IDV_MEDIA_VOUCHER_CMS, idv_view(&bare)),
            403, "masa-refused"); /* which misses the certificates, too */
    because(f,
            world_ask(&f->w, idv_registrar_service(f->w.reg), &none, IDV_POST,
                      W_BRSKI "requestvoucher", IDV_MEDIA_VOUCHER_CMS,
                      idv_view(&bare)),
            403, "request-of-another");
    idv_peer_free(&none);
    none = (struct idv_peer){.connection = 8};
    /* a member's certificate counts in TLS alone, too */
    get_voucher(f);
    become_member(f);
    struct pki_id member = {.key = f->key, .cert = f->ldevid};
    because(f, ask_as(f, &none, &member, NULL), 404, "no-masa");
    because(f, enroll_as(f, &none, IDV_PATH_SIMPLEREENROLL), 403,
            "no-client-cert");
    idv_peer_free(&none);
}

#define T0(f) cmocka_unit_test_setup_teardown(f, setup_bare, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T0(test_nothing_shown),
        T0(test_said_again),
    };
    return STORES_RUN(tests);
}
