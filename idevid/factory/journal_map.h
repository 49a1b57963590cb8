/* SPDX-License-Identifier: Apache-2.0 */
/* What the entries say each device and order is: a hash by name. */
#ifndef IDEVID_FACTORY_JOURNAL_MAP_H
#define IDEVID_FACTORY_JOURNAL_MAP_H

#include <idevid/buf.h>

struct idvi_slot {
    uint8_t id[16]; /* zeros: free */
    uint8_t hash[32];
};
struct idvi_map {
    struct idvi_slot *slots;
    size_t room, used;
};

/* The slot of a name of this kind ('d' device, 'o' order), NULL: none yet. */
idv_rc idvi_map_find(const struct idvi_map *m, char kind, const char *name,
                     struct idvi_slot **out) IDV_CHECKED;
/* The name has this hash from now on. */
idv_rc idvi_map_set(struct idvi_map *m, char kind, const char *name,
                    const uint8_t hash[static 32]) IDV_CHECKED;
void idvi_map_free(struct idvi_map *m);

#endif
