/* SPDX-License-Identifier: Apache-2.0 */
/* What the ways of keeping the anchor are worth, in plain words. */
#include <string.h>

#include "anchor_words.h"

const struct anchor_way anchor_ways[] = {
    {"owner", "detect",
     "whatever is changed on disk or in the TPM is noticed at the next start, "
     "and an anchor that was left never comes back",
     "root can destroy the anchor or imprint anew, which shows: another "
     "generation, dead LDevID keys",
     "a TPM 2.0"},
    {"platform", "enforce",
     "the TPM itself accepts only the anchor that the maker's MASA approved, "
     "once; not even root can change or remove it",
     "nobody but the maker can help when an imprint is unwanted, except by a "
     "reset that the platform's authorization allows",
     "a TPM 2.0 whose NV indices the factory made with the platform hierarchy"},
    {"token", "detect",
     "files changed on disk, and objects that the IDevID key has not signed, "
     "are noticed at the next start",
     "who has the token's PIN can imprint anew, which shows: another "
     "generation; in a token without CKA_DESTROYABLE it does not show",
     "a PKCS#11 token"},
    {"token", "none",
     "a certificate on disk that was changed by mistake is noticed",
     "the token is files itself: who can write them can put back an old state "
     "or another anchor, unnoticed",
     "a PKCS#11 token in software"},
    {0}};

const struct anchor_way *anchor_way_of(const char *profile,
                                       const char *assurance)
{
    const struct anchor_way *found = anchor_ways;
    for (const struct anchor_way *w = anchor_ways; w->name; w++) {
        if (strcmp(w->name, profile) != 0)
            continue;
        found = w;
        if (strcmp(w->assurance, assurance) == 0)
            break;
    }
    return found;
}
