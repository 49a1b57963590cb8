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

/*
 * Who does what, and how it ends with each way. An outcome begins with one of
 * these words:
 *   refused     the device does not do it
 *   noticed     the device counts as tampered with at its next start
 *   shows       it works, and generation, evidence or dead keys tell of it
 *   unnoticed   it works, and nothing tells of it
 *   harmless    nothing changes
 *   none        there is no such thing here
 */
enum anchor_kind { WAY_OWNER, WAY_PLATFORM, WAY_TOKEN, WAY_SOFTWARE, WAYS };
struct anchor_threat {
    const char *attack;
    const char *ends[WAYS]; /* in the order of anchor_ways */
};
extern const struct anchor_threat anchor_threats[]; /* attack NULL ends */

#endif
