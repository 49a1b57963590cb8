/* SPDX-License-Identifier: Apache-2.0 */
/* A line's book on a directory of its own, for whoever needs a store. */
#ifndef TESTS_FACTORY_BOOK_H
#define TESTS_FACTORY_BOOK_H

#include "idevid/db/db.h"

/* book_open(&b) ... b.store.put(b.store.self, ...) ... book_drop(&b); whatever
 * fails ends the program with a message. */
struct book {
    char dir[64], path[80];
    struct idv_db *db;
    struct idv_factory_store store;
};
void book_open(struct book *b);
/* closes the file and opens it again, as the next run of a program does */
void book_again(struct book *b);
void book_drop(struct book *b); /* closed, the directory removed */

/* A device in state s of order "L1", its EK and key made up from n (0: absent),
 * "cert N" for its certificate, "request N" ... ; the caller frees it. */
struct idv_factory_device book_device(const char *serial, unsigned n,
                                      enum idv_factory_state s);
/* Puts it as a new row, from IDV_DEVICE_NONE, with kind and no members. */
void book_put(struct book *b, const char *serial, unsigned n,
              enum idv_factory_state s);
/* An order "id" of n devices "PREFIX-0001" ..., freed by book_order_free. */
struct idv_order *book_order(const char *id, const char *prefix, size_t n);
void book_order_free(struct idv_order *o);
/* Entries of this kind (NULL: all). */
unsigned book_entries(struct book *b, const char *kind);

#endif
