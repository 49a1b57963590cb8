/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge whose connections break, and that goes on where it was. */
#include "tests/unit/codec.h"

#include "tests/unit/fakescene.h"

/* --- losses (protocol 1.4) ------------------------------------------------ */

static void lost_at_every_step(void **state)
{
    static const struct {
        idv_rc rc;
        const char *before, *after; /* lost before or after it was served */
        enum idv_trust_state state;
    } rows[] = {
        {IDV_E_NET, "C? L", "C? L", NONE},
        {IDV_OK, "C? rv L " WHOLE, "C? rv L " WHOLE, ENROLLED},
        {IDV_OK, "C? rv vs+ L C= vs+ ca at en C+ es+",
         "C? rv vs+ L C= vs+ ca at en C+ es+", ENROLLED},
        {IDV_OK, "C? rv vs+ ca L " RESUMED, "C? rv vs+ ca L " RESUMED,
         ENROLLED},
        {IDV_OK, "C? rv vs+ ca at L C= at en C+ es+",
         "C? rv vs+ ca at L C= at en C+ es+", ENROLLED},
        {IDV_OK, "C? rv vs+ ca at en L C= en C+ es+",
         "C? rv vs+ ca at en L C= en C+ es+", ENROLLED},
        {IDV_OK, "C? rv vs+ ca at en C+ L", "C? rv vs+ ca at en C+ L",
         ENROLLED},
        {IDV_OK, WHOLE " L", WHOLE " L", ENROLLED},
    };
    (void)state;
    for (int i = 0; i < (int)(sizeof(rows) / sizeof(*rows)); i++) {
        for (int after = 0; after < 2; after++) {
            SCENE(s);
            s.reg.lose = i + 1;
            s.reg.lose_after = after;
            expect(&s, rows[i].rc, after ? rows[i].after : rows[i].before,
                   rows[i].state);
            assert_int_equal(s.reg.same_pvr, i == 1);
            assert_int_equal(s.reg.same_csr, i == 5);
            assert_true(s.reg.vouchers <= 2);
        }
    }
}

static bool lose_always(struct fakereg *r, const char *word, bool after,
                        const struct idv_msg *req, struct idv_msg *reply)
{
    (void)word, (void)req, (void)reply;
    if (!after)
        r->lose = r->events + 1; /* the next one as well */
    return false;
}

static void a_registrar_that_always_breaks(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.hook = lose_always;
    s.reg.lose = 2;
    s.reg.lose_after = true;
    assert_int_equal(join(&s), IDV_E_NET);
    assert_string_equal(s.reg.log, "C? rv L C? L");
    assert_int_equal(fakedev_state(&s.dev), NONE);
}

/* every answer is followed by a closed connection */
static bool one_answer_each(struct fakereg *r, const char *word, bool after,
                            const struct idv_msg *req, struct idv_msg *reply)
{
    static int answers;
    (void)req, (void)reply;
    if (strcmp(word, "rv") == 0)
        answers = 0;
    if (after)
        answers++;
    r->lose = after ? r->events + 1 : 0;
    return false;
}

/* R-P-21 */
static void a_registrar_without_persistent_connections(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.hook = one_answer_each;
    expect(&s, IDV_OK,
           "C? rv vs+ L C= vs+ ca L C= ca at L C= at en L C= en C+ L",
           ENROLLED);
}

/* R-P-21, R-S-23: the rogue is sent nothing that names another's certificate */
static void another_certificate_after_a_loss(void **state)
{
    (void)state;
    for (int after = 0; after < 2; after++) {
        SCENE(s);
        s.reg.next_chain = pki.rogue_chain;
        s.reg.lose = 2;
        s.reg.lose_after = after;
        expect(&s, IDV_E_REJECT, "C? rv L C?", NONE);
        assert_non_null(strstr(s.drive.note, "changed its certificate"));
    }
}

/* R-P-64: after the imprint strangers get nothing, not even a request */
static void strangers_after_the_imprint(void **state)
{
    static const char *const logs[] = {
        "C? rv vs+ L C=",
        "C? rv vs+ ca L C=",
        "C? rv vs+ ca at L C=",
        "C? rv vs+ ca at en L C=",
    };
    (void)state;
    for (int i = 0; i < 4; i++) {
        SCENE(s);
        s.reg.next_chain = pki.rogue_chain;
        s.reg.lose = 3 + i;
        expect(&s, IDV_E_REJECT, logs[i], IMPRINTED);
        s.reg.next_chain = NULL;
        s.reg.lose = 0;
        expect(&s, IDV_E_REJECT, "C=", IMPRINTED);
        s.reg.chain = pki.tls_chain;
        expect(&s, IDV_OK, RESUMED, ENROLLED);
    }
}

static bool swap_at_the_end(struct fakereg *r, const char *word, bool after,
                            const struct idv_msg *req, struct idv_msg *reply)
{
    (void)req, (void)reply;
    if (after && strcmp(word, "en") == 0)
        r->chain = r->pki->rogue_chain;
    return false;
}

/* R-P-64: the LDevID is shown to none but the domain; we are enrolled all the
 * same */
static void a_stranger_at_the_report(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.hook = swap_at_the_end;
    expect(&s, IDV_OK, "C? rv vs+ ca at en C+", ENROLLED);
}

/* --- resuming ------------------------------------------------------------- */

static bool no_enrolling(struct fakereg *r, const char *word, bool after,
                         const struct idv_msg *req, struct idv_msg *reply)
{
    (void)req;
    if (after || strcmp(word, "en") != 0 || r->waited > 20)
        return false;
    OK(idv_msg_refuse(reply, 503, "later"));
    return true;
}

/* R-P-49 */
static void retries_within_one_run_resume(void **state)
{
    (void)state;
    SCENE(s);
    s.dev.conf.attempts = 0;
    s.reg.hook = no_enrolling;
    expect(&s, IDV_OK,
           "C? rv vs+ ca at en es- X5 C= ca at en es- X10 C= ca at en es- X20 "
           "C= ca at en C+ es+",
           ENROLLED);
    assert_int_equal(s.reg.vouchers, 1);
    assert_int_equal(s.dev.keys_made, 1);
}

/* written in full before it is told; the next start has nothing to do */
static void a_disk_that_fails_at_the_end(void **state)
{
    (void)state;
    SCENE(s);
    char away[192], file[128];
    snprintf(file, sizeof(file), "%s/enrollment.json", s.dev.dir);
    snprintf(away, sizeof(away), "mkdir -p '%s/x'", file);
    s.dev.keys_fail = true;
    expect(&s, IDV_E_DEVICE, "C? rv vs+ ca at es-", IMPRINTED);
    s.dev.keys_fail = false;
    assert_int_equal(system(away), 0); /* it cannot be replaced */
    expect(&s, IDV_E_IO, "C= ca at en es-", IMPRINTED);
    snprintf(away, sizeof(away), "rm -r '%s'", file);
    assert_int_equal(system(away), 0);
    expect(&s, IDV_OK, RESUMED, ENROLLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_at_every_step),
        cmocka_unit_test(a_registrar_that_always_breaks),
        cmocka_unit_test(a_registrar_without_persistent_connections),
        cmocka_unit_test(another_certificate_after_a_loss),
        cmocka_unit_test(strangers_after_the_imprint),
        cmocka_unit_test(a_stranger_at_the_report),
        cmocka_unit_test(retries_within_one_run_resume),
        cmocka_unit_test(a_disk_that_fails_at_the_end),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
