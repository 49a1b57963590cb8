/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces that csrattrs and its template have in common. */
#ifndef IDEVID_EST_CSRATTRS_H
#define IDEVID_EST_CSRATTRS_H

#include <idevid/est.h>

#include "x509/tlv.h"

/* What is not understood is left out, never an error. */
void idvi_attrs_curve(struct idv_bytes oid, struct idv_csrattrs *a);
void idvi_attrs_rsa_bits(long bits, struct idv_csrattrs *a);
/* Extensions, a DER SEQUENCE; only the first list that parses counts. */
idv_rc idvi_attrs_extensions(struct idv_bytes der,
                             struct idv_csrattrs *a) IDV_CHECKED;
bool idvi_attrs_is_template(struct idv_bytes oid);
/* CertificationRequestInfoTemplate (RFC 9908): *understood false and a
 * untouched when it is not one. */
idv_rc idvi_attrs_template(struct idv_bytes der, struct idv_csrattrs *a,
                           bool *understood) IDV_CHECKED;
/* The same as an attribute of csrattrs, appended. */
idv_rc idvi_attrs_put_template(struct idv_buf *out,
                               const struct idv_csrattrs *a) IDV_CHECKED;

/* Attribute: SEQUENCE { OBJECT IDENTIFIER, SET { value } }. */
idv_rc idvi_attrs_put(struct idv_buf *out, int nid,
                      struct idv_bytes value) IDV_CHECKED;
/* extensionRequest of all that there are; nothing if there are none. */
idv_rc idvi_attrs_put_extensions(struct idv_buf *out,
                                 const STACK_OF(X509_EXTENSION) *
                                     list) IDV_CHECKED;
/* How a type is told: its curve, or NID_undef and the bits of RSA's modulus.
 * IDV_E_ARG: no such type. */
idv_rc idvi_attrs_type(enum idv_key_type type, int *curve,
                       long *bits) IDV_CHECKED;

#endif
