/* SPDX-License-Identifier: Apache-2.0 */
/* The variations of BRSKI that are not ours. */
#include "net/variation.h"

#include <idevid/text.h>

bool idvi_variation_foreign(struct idv_bytes word)
{
    static const char *const foreign[] = {
        "cmp", "prm-jose", "rrm-cose", "prm", "cose", "scep",
    };
    for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++) {
        if (idv_text_eq_nocase(word, foreign[i]))
            return true;
    }
    return false;
}
