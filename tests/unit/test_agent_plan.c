/* SPDX-License-Identifier: Apache-2.0 */
/* When an agent renews: by the share of the life that is over. */
#include "tests/unit/codec.h"

#include "tools/agent.h"

#define YEAR (365 * 24 * 3600LL)

/* R-P-100: with half of the life as its share, never later than that, and as
 * much as a tenth earlier for devices made alike */
static void before_half_of_the_life(void **state)
{
    (void)state;
    for (int spread = 0; spread < 256; spread++) {
        const struct agent_seen seen = {.state = IDV_TRUST_ENROLLED,
                                        .from = 1000000,
                                        .to = 1000000 + YEAR,
                                        .spread = (uint8_t)spread};
        const int64_t at = agent_renewal(&seen, 50);
        assert_in_range(at, 1000000 + YEAR * 45 / 100, 1000000 + YEAR / 2);
        assert_int_equal(agent_due(&seen, 50, at - 1), AGENT_REST);
        assert_int_equal(agent_due(&seen, 50, at), AGENT_RENEW);
        assert_int_equal(agent_next(&seen, 50, 1000001), at);
    }
}

/* CRLs: never without, when they are due, and with pauses after that */
static void crls(void **state)
{
    struct agent_seen seen = {.state = IDV_TRUST_ENROLLED};
    unsigned behind = 3;
    (void)state;
    assert_int_equal(agent_crl_next(&seen, 1000, &behind), INT64_MAX);
    assert_int_equal(behind, 0);
    seen.crl_from = 2000;
    assert_int_equal(agent_crl_next(&seen, 1000, &behind), 2000);
    assert_int_equal(agent_crl_next(&seen, 2000, &behind), 2005);
    assert_int_equal(agent_crl_next(&seen, 2005, &behind), 2015);
    behind = 1000;
    assert_int_equal(agent_crl_next(&seen, 9000, &behind), 9000 + 3600);
    seen.crl_from = 10000;
    assert_int_equal(agent_crl_next(&seen, 9000, &behind), 10000);
    assert_int_equal(behind, 0);
    seen.state = IDV_TRUST_NONE;
    assert_int_equal(agent_crl_next(&seen, 20000, &behind), INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crls),
        cmocka_unit_test(before_half_of_the_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
