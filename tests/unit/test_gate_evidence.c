/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of the imprint, asked for and judged by the registrar. */
#include "tests/unit/enroll.h"

#include <openssl/evp.h>

#include "tests/lib/paper.h"
#include "tests/lib/stores.h"

struct proof {
    struct fixture *f;
    struct paper_pki pki;
    uint8_t pvr_sha256[32];
};

static void begin(struct proof *p, struct fixture *f,
                  enum idv_evidence_mode mode)
{
    IDV_AUTO(voucher) pvr;
    IDV_AUTO(buf) sealed = {0};
    p->f = f;
    paper_pki_make(&p->pki, "P-256", PAPER_EKU);
    f->w.reg_maker.evidence_anchors = p->pki.anchors;
    f->w.pki.env.trusted = false; /* the papers are of another day */
    f->w.reg_conf.evidence = mode;
    world_configure(&f->w);
    pki_request(&f->w.pki, &pvr, &sealed);
    assert_int_equal(
        EVP_Digest(sealed.p, sealed.n, p->pvr_sha256, NULL, EVP_sha256(), NULL),
        1);
    assert_int_equal(world_registrar(&f->w, W_BRSKI "requestvoucher",
                                     IDV_MEDIA_VOUCHER_CMS, idv_view(&sealed)),
                     200);
    assert_int_equal(report(f, "voucher_status", GOOD), 200);
}

static void end(struct proof *p)
{
    paper_pki_free(&p->pki);
}

/* what a TPM would say of an anchor that pins cert, for this request */
static void draw(struct proof *p, const X509 *pin, struct paper *paper)
{
    paper_begin(paper, &p->pki, 0);
    memcpy(paper->nonce, p->pvr_sha256, 32);
    memcpy(paper->anchor.nonce, p->pvr_sha256, 32);
    memcpy(paper->counter.nonce, p->pvr_sha256, 32);
    IDV_AUTO(buf) der = {.max = IDV_MAX_CERT};
    OK(idv_cert_to_der(pin, &der));
    paper->record.pin_length = (uint32_t)der.n;
    OK(idv_cert_sha256(pin, paper->record.pin_sha256));
    paper_seal(paper);
}

static int report_with(struct proof *p, const struct paper *paper)
{
    struct idv_evidence e = {0};
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) body = {.max = IDV_MAX_BODY};
    struct fixture *f = p->f;
    paper_evidence(paper, &e);
    OK(idv_evidence_to_der(&e, &der));
    idv_evidence_free(&e);
    OK(idv_buf_puts(&body, "{\"version\":1,\"status\":true,"
                           "\"reason-context\":{\"imprint-evidence\":\""));
    OK(idv_base64_from_bytes(idv_view(&der), 0, &body));
    OK(idv_buf_puts(&body, "\"}}"));
    return world_ask(&f->w, idv_registrar_service(f->w.reg), &f->w.member,
                     IDV_POST, W_BRSKI "enrollstatus", JSON, idv_view(&body));
}

static void kept(struct proof *p, const char *verdict)
{
    struct idv_registrar_people people =
        idv_db_registrar_people(p->f->w.reg_db);
    struct idv_kept_evidence e = {0};
    bool found = false;
    OK(people.evidence(people.self, p->pvr_sha256, &found, &e));
    assert_true(found);
    assert_string_equal(e.verdict, verdict);
}

static void test_asked_for(void **state)
{
    struct fixture *f = *state;
    struct proof p;
    begin(&p, f, IDV_EVIDENCE_OFF);
    assert_int_equal(f->w.reply.body.n, 0);
    end(&p);
    begin(&p, f, IDV_EVIDENCE_REQUEST);
    assert_string_equal(f->w.reply.media, JSON);
    assert_int_equal(f->w.reply.body.n, strlen("{\"evidence\":\"requested\"}"));
    assert_memory_equal(f->w.reply.body.p, "{\"evidence\":\"requested\"}",
                        f->w.reply.body.n);
    end(&p);
}

static void test_sound(void **state)
{
    struct fixture *f = *state;
    struct proof p;
    struct paper paper;
    begin(&p, f, IDV_EVIDENCE_REQUIRE);
    become_member(f);
    draw(&p, f->w.pki.domain_ca.cert, &paper);
    assert_int_equal(report_with(&p, &paper), 200);
    if (!strstr(f->w.log, "verdict=sound"))
        print_error("%s\n", f->w.log);
    kept(&p, "sound");
    assert_int_equal(world_state(&f->w), IDV_SESSION_ESTATUS_OK);
    end(&p);
}

/* what does not prove it fails the enrollment, where it is required */
static void test_bad(void **state)
{
    static const char *const verdicts[] = {"other-nonce", "other-pin",
                                           "unrestricted", "no-chain"};
    struct fixture *f = *state;
    for (int i = 0; i < 4; i++) {
        struct proof p;
        struct paper paper;
        begin(&p, f, IDV_EVIDENCE_REQUIRE);
        world_csr(f->key, NULL, NULL, &f->csr);
        become_member(f);
        draw(&p, i == 1 ? f->w.pki.rogue_ca.cert : f->w.pki.domain_ca.cert,
             &paper);
        if (i == 0)
            paper.nonce[0] ^= 1, paper.anchor.nonce[0] ^= 1,
                paper.counter.nonce[0] ^= 1;
        if (i == 2)
            paper.key_attributes &= ~(1u << 16);
        if (i == 3)
            f->w.reg_maker.evidence_anchors = f->w.pki.anchors;
        assert_int_equal(report_with(&p, &paper), 200);
        kept(&p, verdicts[i]);
        assert_int_equal(world_state(&f->w), IDV_SESSION_ESTATUS_FAIL);
        end(&p);
    }
}

static void test_missing(void **state)
{
    struct fixture *f = *state;
    struct proof p;
    begin(&p, f, IDV_EVIDENCE_REQUIRE);
    become_member(f);
    assert_int_equal(world_ask(&f->w, idv_registrar_service(f->w.reg),
                               &f->w.member, IDV_POST, W_BRSKI "enrollstatus",
                               JSON, idv_str(GOOD)),
                     200);
    assert_int_equal(world_state(&f->w), IDV_SESSION_ESTATUS_FAIL);
    end(&p);
    begin(&p, f, IDV_EVIDENCE_REQUEST);
    world_csr(f->key, NULL, NULL, &f->csr);
    become_member(f);
    assert_int_equal(world_ask(&f->w, idv_registrar_service(f->w.reg),
                               &f->w.member, IDV_POST, W_BRSKI "enrollstatus",
                               JSON, idv_str(GOOD)),
                     200);
    assert_int_equal(world_state(&f->w), IDV_SESSION_ESTATUS_OK);
    end(&p);
}

#define T0(f) cmocka_unit_test_setup_teardown(f, setup_bare, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T0(test_asked_for),
        T0(test_sound),
        T0(test_bad),
        T0(test_missing),
    };
    return STORES_RUN(tests);
}
