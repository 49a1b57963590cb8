/* SPDX-License-Identifier: Apache-2.0 */
/* A maker's CA as small as it can be, for tests of the other side: it believes
 * every request, and gives a device with the same key the same certificates. */
#ifndef TESTS_MINIDESK_H
#define TESTS_MINIDESK_H

#include <idevid/factory.h>

#include "tests/lib/pki.h"

struct minidesk {
    struct pki *pki;    /* maker_ca issues; pki.masa signs as station */
    const char *dir;    /* what was issued is kept there */
    const char *serial; /* instead of the one that is asked for; NULL */
    bool wrong_key, wrong_ca, for_other_ek;
};
idv_rc minidesk_issue(const struct minidesk *d, struct idv_bytes request,
                      struct idv_buf *reply) IDV_CHECKED;

#endif
