/* SPDX-License-Identifier: Apache-2.0 */
/* A library that was built without libcbor. */
#include "net/grasp.h"

bool idvi_grasp_built(void)
{
    return false;
}

idv_rc idvi_flood_from_bytes(struct idv_bytes datagram, struct idvi_flood *out)
{
    (void)datagram, (void)out;
    return idv_fail(IDV_E_ARG, "GRASP: built without libcbor");
}
