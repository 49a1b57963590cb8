/* SPDX-License-Identifier: Apache-2.0 */
/* Floods: what is taken from one is a place on the link; else nothing is. */
#include <string.h>

#include "net/grasp.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct idvi_flood none;
    struct idvi_flood f = none;
    idv_note_clear();
    if (idvi_flood_from_bytes(idv_bytes(data, n), &f) != IDV_OK) {
        PROMISE(memcmp(&f, &none, sizeof(f)) == 0);
        PROMISE(*idv_note());
        return 0;
    }
    PROMISE(n <= IDVI_GRASP_MAX && f.n > 0 && f.n <= IDVI_FLOOD_MAX);
    for (size_t i = 0; i < f.n; i++) {
        PROMISE(IN6_IS_ADDR_LINKLOCAL(&f.at[i].address));
        PROMISE(f.at[i].port != 0);
    }
    return 0;
}
