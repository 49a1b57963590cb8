/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces that csrattrs and its template have in common. */
#ifndef IDEVID_EST_CSRATTRS_H
#define IDEVID_EST_CSRATTRS_H

#include <idevid/est.h>

#include "est/tlv.h"

/* What is not understood is left out, never an error. */
void idvi_attrs_curve(struct idv_bytes oid, struct idv_csrattrs *a);
void idvi_attrs_rsa_bits(long bits, struct idv_csrattrs *a);
/* Extensions, a DER SEQUENCE; only the first list that parses counts. */
idv_rc idvi_attrs_extensions(struct idv_bytes der,
                             struct idv_csrattrs *a) IDV_CHECKED;
/* CertificationRequestInfoTemplate (RFC 9908): *understood false and a
 * untouched when it is not one. */
idv_rc idvi_attrs_template(struct idv_bytes der, struct idv_csrattrs *a,
                           bool *understood) IDV_CHECKED;

#endif
