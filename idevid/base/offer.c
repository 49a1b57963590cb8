/* SPDX-License-Identifier: Apache-2.0 */
/* The words for where an offer comes from. */
#include <idevid/offer.h>

const char *idv_origin_name(enum idv_origin origin)
{
    switch (origin) {
    case IDV_FROM_CONFIG:
        return "config";
    case IDV_FROM_GRASP:
        return "grasp";
    case IDV_FROM_MDNS:
        return "mdns";
    case IDV_FROM_DNSSD:
        return "dns-sd";
    case IDV_FROM_CLOUD:
        return "cloud";
    }
    return "unknown";
}
