/* SPDX-License-Identifier: Apache-2.0 */
/* What desk and station look up in a request that their book keeps. */
#ifndef IDEVID_FACTORY_REQUEST_H
#define IDEVID_FACTORY_REQUEST_H

#include <idevid/factory.h>

/* Which rework a request (CMS) is of, all zero of none or when it is no
 * request. Its signature is not judged: who put it in the book did. */
void idvi_request_rework(struct idv_bytes cms, uint8_t out[IDV_FACTORY_REWORK]);

#endif
