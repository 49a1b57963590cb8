/* SPDX-License-Identifier: Apache-2.0 */
/* What it takes until there is a provider, and until there is a key. */
#include "tests/bench/bench.h"

int load_nothing(struct contestant *c)
{
    (void)c;
    return 1;
}

int load_provider(struct contestant *c)
{
    return hwkey_context(c->with) != NULL;
}

int load_open(struct contestant *c)
{
    c->state = hwkey_context(HWKEY);
    return c->state != NULL;
}

int load_key(struct contestant *c)
{
    return hwkey_open(c->state, hwkey_uri(c->device, c->alg)) != NULL;
}
