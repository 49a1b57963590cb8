/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of fuzz_tpm. */
#ifndef TESTS_FUZZ_TPM_H
#define TESTS_FUZZ_TPM_H

#include "provider/backend.h"

/* what came back is 1 and no error, or 0 and one: gives it, empties the queue
 */
int fuzz_said(int ok);

/* the calls of device.h on NV indices, one after the other */
void fuzz_tpm_nv(const struct hwk_config *cfg, void *state);

#endif
