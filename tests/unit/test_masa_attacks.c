/* SPDX-License-Identifier: Apache-2.0 */
/* A thousand requests to a MASA that somebody changed on their way, or that a
 * registrar made up: whoever gets a voucher asked for just that one. */
#include "config.h"

#include "tests/unit/container.h"
#include "tests/unit/masa_attacks.h"

#define FLIPS 600
#define PRIOR_FLIPS 300

static bool ask(struct fixture *f)
{
    return ask_as(f, IDV_MEDIA_VOUCHER_CMS);
}

/* --- bits of the container ------------------------------------------------ */

/* R-M-4: what is signed is as it was signed */
static void test_bits(void **state)
{
    struct fixture *f = *state;
    struct place fixed[PLACES];
    IDV_AUTO(buf) whole = {0};
    unsigned in = 0, kept_out = 0;
    begin(f);
    seal(f);
    const size_t n = signed_places(&f->sealed, fixed), bits = f->sealed.n * 8;
    OK(idv_buf_put(&whole, idv_view(&f->sealed)));
    for (size_t i = 0; i < FLIPS; i++) {
        const size_t bit = bits * i / FLIPS;
        const bool held = within(bit / 8, fixed, n);
        flip(&f->sealed, bit);
        const bool taken = ask(f);
        if (taken && held && !same_in_der(&f->sealed, &whole))
            fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
        in += taken;
        kept_out += !taken && held;
        flip(&f->sealed, bit);
    }
    assert_true(ask(f));
    assert_true(kept_out > FLIPS / 10 && in < FLIPS / 2);
}

static void test_cuts_and_more(void **state)
{
    struct fixture *f = *state;
    begin(f);
    seal(f);
    const size_t n = f->sealed.n;
    for (size_t i = 0; i < 100; i++) { /* every cut is one too many */
        f->sealed.n = n * i / 100;
        assert_false(ask(f));
    }
    f->sealed.n = n;
    OK(idv_buf_put(&f->sealed, idv_bytes("", 1)));
    assert_false(ask(f));
    f->sealed.n = n;
    assert_true(ask(f));
}

/* R-M-9: and so is the device's own inside, whoever has signed around it */
static void test_prior_bits(void **state)
{
    struct fixture *f = *state;
    struct place fixed[PLACES];
    IDV_AUTO(buf) whole = {0};
    unsigned kept_out = 0;
    begin(f);
    struct idv_buf *prior = &f->rvr.prior_signed;
    const size_t n = signed_places(prior, fixed), bits = prior->n * 8;
    OK(idv_buf_put(&whole, idv_view(prior)));
    for (size_t i = 0; i < PRIOR_FLIPS; i++) {
        const size_t bit = bits * i / PRIOR_FLIPS;
        const bool held = within(bit / 8, fixed, n);
        flip(prior, bit);
        seal(f);
        const bool taken = ask(f);
        if (taken && held && !same_in_der(prior, &whole))
            fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
        kept_out += !taken && held;
        flip(prior, bit);
    }
    assert_true(kept_out > PRIOR_FLIPS / 10);
}

/* --- texts that a registrar signed ---------------------------------------- */

/* R-M-11, R-M-12: whatever it says, no other device, nonce, pin or assertion
 * comes of it */
static void test_texts(void **state)
{
    struct fixture *f = *state;
    begin(f);
    spoil_texts(f, IDV_MEDIA_VOUCHER_CMS);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_bits),
        T(test_cuts_and_more),
        T(test_prior_bits),
        T(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
