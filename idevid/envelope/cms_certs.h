/* SPDX-License-Identifier: Apache-2.0 */
/* The certificates of a SignedData, apart from the rest of it. */
#ifndef IDVI_CMS_CERTS_H
#define IDVI_CMS_CERTS_H

#include <openssl/x509.h>

#include <idevid/buf.h>

/*
 * Takes the certificates out of a ContentInfo (RFC 5652, DER): to *certs, owned
 * by the caller, by way of idv_cert_shared(), for libcrypto makes every key
 * anew, which costs as much as three signatures. *rest is the same without
 * them; what is signed does not change.
 *
 * false: cannot be done (not this form, lengths that are not definite or not
 * minimal, bytes behind it, something else than DER of an X.509 certificate
 * inside, more than IDV_MAX_CHAIN); whoever reads the whole will say why, or
 * can read it nevertheless. Nothing is judged here.
 */
bool idvi_cms_cut_certs(struct idv_bytes sealed, struct idv_buf *rest,
                        STACK_OF(X509) * *certs);

#endif
