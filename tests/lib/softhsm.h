/* SPDX-License-Identifier: Apache-2.0 */
/* SoftHSM2 with tokens of a test's own. */
#ifndef TESTS_SOFTHSM_H
#define TESTS_SOFTHSM_H

#include <stdbool.h>

/* Its PKCS#11 module; NULL where it is not installed. */
const char *softhsm_module(void);

/* From here on its tokens are in the directory tokens, which is there: says so
 * in dir/softhsm2.conf and in SOFTHSM2_CONF. */
bool softhsm_use(const char *dir, const char *tokens);

/* Makes one of that name, a word. The user's PIN is 1234, the security
 * officer's 5678. */
bool softhsm_token(const char *label);

#endif
