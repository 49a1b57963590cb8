/* SPDX-License-Identifier: Apache-2.0 */
/* When the agent does something: pure. */
#include "agent.h"

#define FIRST_PAUSE 5
#define LONGEST_PAUSE 3600

/* percent of the life, less the spread; no overflow for any two times */
static int64_t part_of(const struct agent_seen *seen, int64_t share)
{
    const int64_t life = seen->to > seen->from ? seen->to - seen->from : 0;
    const int64_t part = life / 100 * share + life % 100 * share / 100;
    return part - part / 10 / 256 * seen->spread;
}

int64_t agent_renewal(const struct agent_seen *seen, int64_t share)
{
    return seen->from + part_of(seen, share);
}

enum agent_due agent_due(const struct agent_seen *seen, int64_t share,
                         int64_t now)
{
    if (seen->state != IDV_TRUST_ENROLLED)
        return AGENT_JOIN;
    return now >= agent_renewal(seen, share) ? AGENT_RENEW : AGENT_REST;
}

int64_t agent_next(const struct agent_seen *seen, int64_t share, int64_t now)
{
    return now < seen->from ? now + part_of(seen, share)
                            : agent_renewal(seen, share);
}

int64_t agent_crl_next(const struct agent_seen *seen, int64_t now,
                       unsigned *behind)
{
    if (seen->state != IDV_TRUST_ENROLLED || !seen->crl_from) {
        *behind = 0;
        return INT64_MAX;
    }
    if (seen->crl_from > now) {
        *behind = 0;
        return seen->crl_from;
    }
    return now + agent_pause((*behind)++);
}

int64_t agent_pause(unsigned failures)
{
    const int64_t pause =
        failures < 10 ? (int64_t)FIRST_PAUSE << failures : LONGEST_PAUSE;
    return pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE;
}
