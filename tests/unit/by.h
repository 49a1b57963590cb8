/* SPDX-License-Identifier: Apache-2.0 */
/* Who says it, in tests. */
#ifndef TESTS_BY_H
#define TESTS_BY_H

#include "idevid/masa/people.h"

static const struct idv_masa_by test_by = {"test", 1};

#endif
