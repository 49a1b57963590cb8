/* SPDX-License-Identifier: Apache-2.0 */
/* A voucher and all it is judged by, good as made, to be spoilt by a test. */
#ifndef TESTS_SCENE_H
#define TESTS_SCENE_H

#include "tests/unit/codec.h"

#include <idevid/voucher.h>

#include "tests/lib/pki.h"

static struct pki pki;
static const char *sealed_as; /* media type of the vouchers judged */

/* What is asked, what is answered, what it is judged by: good as made. */
struct scene {
    struct idv_voucher request, voucher;
    struct idv_voucher_claim claim;
    struct idv_voucher_policy policy;
    struct pki_id *signer;
    struct idv_buf sealed; /* made from voucher unless already filled */
};

static inline int setup(void **state)
{
    (void)state;
    pki_make(&pki);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    pki_free(&pki);
    return 0;
}

static inline void scene_init(struct scene *s)
{
    IDV_AUTO(buf) sealed = {0};
    memset(s, 0, sizeof(*s));
    pki_request(&pki, &s->request, &sealed);
    pki_voucher(&pki, &s->request, pki.domain_ca.cert, &s->voucher);
    s->claim.idevid = pki.idevid.cert;
    s->claim.nonce = s->request.nonce;
    s->claim.tls_chain = pki.tls_chain;
    s->policy.maker_anchors = pki.anchors;
    s->policy.clock_trusted = true;
    s->policy.now = PKI_NOW;
    s->signer = &pki.masa;
}

static inline void scene_free(struct scene *s)
{
    idv_voucher_free(&s->request);
    idv_voucher_free(&s->voucher);
    idv_buf_free(&s->sealed);
}

#define SCENE(s)                                                               \
    __attribute__((cleanup(scene_free))) struct scene s;                       \
    scene_init(&s)

static inline enum idv_verdict
judge_bytes(const struct scene *s, struct idv_bytes b, struct idv_pinned *out)
{
    enum idv_verdict why = IDV_VERDICT_COUNT;
    idv_note_clear();
    idv_rc rc =
        idv_voucher_check(sealed_as, b, &s->claim, &s->policy, out, &why);
    assert_int_equal(rc, why == IDV_VERDICT_OK ? IDV_OK : IDV_E_REJECT);
    assert_int_equal(idv_note()[0] == 0, why == IDV_VERDICT_OK);
    if (why != IDV_VERDICT_OK)
        assert_true(!out->cert && !out->spki.p && !out->voucher.nonce[0]);
    return why;
}

static inline enum idv_verdict judge_into(struct scene *s,
                                          struct idv_pinned *out)
{
    if (s->sealed.n == 0)
        pki_seal_as(sealed_as, &s->voucher, s->signer, NULL, &s->sealed);
    return judge_bytes(s, idv_view(&s->sealed), out);
}

static inline enum idv_verdict judge(struct scene *s)
{
    struct idv_pinned out;
    enum idv_verdict why = judge_into(s, &out);
    idv_pinned_free(&out);
    return why;
}

#define VERDICT(v, s)                                                          \
    do {                                                                       \
        enum idv_verdict got_ = judge(s);                                      \
        if (got_ != (v))                                                       \
            print_error("%s: %s\n", idv_verdict_to_text(got_), idv_note());    \
        assert_int_equal(got_, (v));                                           \
    } while (0)

static inline void make_nonceless(struct scene *s)
{
    s->voucher.nonce[0] = 0;
    s->voucher.expires_on = PKI_NOW + PKI_DAY;
}

static inline int in_cms(void **state)
{
    (void)state;
    sealed_as = IDV_MEDIA_VOUCHER_CMS;
    return 0;
}

static inline int in_jws(void **state)
{
    (void)state;
    sealed_as = IDV_MEDIA_VOUCHER_JWS;
    return 0;
}

/* a case in each form; what only one of them has, in that one */
#define IN_CMS(f)                                                              \
    {                                                                          \
#f, f, in_cms, NULL, NULL                                              \
    }
#define IN_JWS(f)                                                              \
    {                                                                          \
#f " (JWS)", f, in_jws, NULL, NULL                                     \
    }
#define CASE(f) IN_CMS(f), IN_JWS(f)

#endif
