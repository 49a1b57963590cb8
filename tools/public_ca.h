/* SPDX-License-Identifier: Apache-2.0 */
/* Certification authorities that everybody trusts. */
#ifndef TOOL_PUBLIC_CA_H
#define TOOL_PUBLIC_CA_H

#include <openssl/x509.h>

/* The first of these, leaf first, that this system trusts as a CA for servers
 * anywhere (SSL_CERT_FILE, or OpenSSL's file), or that such a one issued; NULL:
 * none, or the system has no such file. */
const X509 *tool_public_ca(const STACK_OF(X509) * chain);

#endif
