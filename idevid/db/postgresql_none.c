/* SPDX-License-Identifier: Apache-2.0 */
/* Where libpq is not there: no PostgreSQL. */
#include "idevid/db/driver.h"

const struct idvi_driver *const idvi_postgresql_driver = NULL;
