/* SPDX-License-Identifier: Apache-2.0 */
/* What the ways of keeping the anchor are worth, in plain words. */
#ifndef TOOL_ANCHOR_WORDS_H
#define TOOL_ANCHOR_WORDS_H

/* A way of keeping it. The manual says the same, idevid-anchor(8). */
struct anchor_way {
    const char *name;      /* "owner", "platform", "token" */
    const char *assurance; /* what it may claim at most */
    const char *protects;  /* against what, one sentence */
    const char *stops_at;  /* where that ends, one sentence */
    const char *needs;     /* what the device must have */
};
extern const struct anchor_way anchor_ways[]; /* name NULL ends */

/* That of the profile and what it gives in this device ("none", "detect",
 * "enforce"): a token in software is told apart by it. Never NULL. */
const struct anchor_way *anchor_way_of(const char *profile,
                                       const char *assurance);

#endif
