/* SPDX-License-Identifier: Apache-2.0 */
/* subjectAltName from a specification. */
#ifndef IDVI_ALTNAME_H
#define IDVI_ALTNAME_H

#include "x509/x509.h"

/* May be empty. IDV_E_ARG names what is no name, OID or serial. */
idv_rc idvi_alt_names(const struct idv_cert_spec *spec,
                      GENERAL_NAMES **out) IDV_CHECKED;

#endif
