/* SPDX-License-Identifier: Apache-2.0 */
/* A key to be made: what was said of it so far. */
#ifndef HWK_OP_GEN_H
#define HWK_OP_GEN_H

#include "provider/op.h"

struct hwk_gen {
    struct hwk_core *core;
    struct hwk_spec spec;
    char *uri;  /* may hold a PIN: wiped */
    char *file; /* import */
    bool params_only;
};

#endif
