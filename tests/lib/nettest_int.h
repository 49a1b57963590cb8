/* SPDX-License-Identifier: Apache-2.0 */
/* What both hostile ends of a connection share. */
#ifndef TESTS_NETTEST_INT_H
#define TESTS_NETTEST_INT_H

#include "tests/lib/nettest.h"

/* Ends the test, and says what it was that is not so. */
void nt_must(bool good, const char *what);

/* Takes any certificate; shows id's and the rest of chain (NULL ok). */
SSL_CTX *nt_context(const SSL_METHOD *method, const struct pki_id *id,
                    const STACK_OF(X509) * chain);
/* Nothing is waited for longer than NT_LIMIT_S. */
void nt_limit(int fd);
/* Reads until a whole message is at the start of in (head: its header is); its
 * length, 0 at the end. ssl NULL: plain. */
size_t nt_read_message(SSL *ssl, int fd, struct idv_buf *in, bool head);
/* The first n bytes of in are gone. */
void nt_used(struct idv_buf *in, size_t n);

#endif
