/* SPDX-License-Identifier: Apache-2.0 */
/* PINs that a device refused: never tried again by this process, by those that
 * it forks or by what forked it. */
#ifndef HWK_BADPIN_H
#define HWK_BADPIN_H

#include "provider/env.h"

/* Makes the memory that processes share; what is forked before has its own.
 * Any number of times. */
void hwk_badpin_share(void);

/* device is any number that tells devices apart. A PIN counts as one of a
 * device, not of a URI. The oldest are forgotten after some dozens. */
bool hwk_badpin_known(uint64_t device, const struct hwk_secret *pin);
void hwk_badpin_add(uint64_t device, const struct hwk_secret *pin);

#endif
