/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of SoftHSM2 in a directory of their own, for tests. */
#ifndef SOFTTOKEN_H
#define SOFTTOKEN_H

#include <stdbool.h>

#define SOFTTOKEN_PIN "1234"

/* Makes a store with tokens of these labels (NULL ends them), and sets
 * SOFTHSM2_CONF and HWKEY_PKCS11_MODULE. False with *missing when there is no
 * SoftHSM2 here, which is a reason to skip, and false when it fails. */
bool softtoken_up(const char *const labels[], bool *missing);
/* One more, in the same store. */
bool softtoken_add(const char *label);
/* Where things of the test may be put; removed by down. */
const char *softtoken_dir(void);
const char *softtoken_module(void);
void softtoken_down(void);

#endif
