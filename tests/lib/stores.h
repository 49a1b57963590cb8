/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the services, each on SQLite and on a PostgreSQL server that is the
 * program's own. */
#ifndef TESTS_STORES_H
#define TESTS_STORES_H

#include <stddef.h>

struct CMUnitTest;

/* Runs them all twice; worlds that their setups make keep their rows there. The
 * half on PostgreSQL is skipped where there is none. */
int stores_run(const struct CMUnitTest *tests, size_t n);
#define STORES_RUN(tests) stores_run(tests, sizeof(tests) / sizeof(*(tests)))

#endif
