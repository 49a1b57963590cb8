/* SPDX-License-Identifier: Apache-2.0 */
/* Between when a CRL is due and how it is made. */
#ifndef IDEVID_EST_CRL_INT_H
#define IDEVID_EST_CRL_INT_H

#include "idevid/est/crl.h"

/* Fills c->der by its other fields and what the store says. */
idv_rc idvi_crl_sign(const struct idv_crl_maker *m,
                     struct idv_crl *c) IDV_CHECKED;

#endif
