/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange with an HTTPS server that knows us by our certificate. */
#ifndef FACTORY_TRIP_H
#define FACTORY_TRIP_H

#include <idevid/drive.h>

struct trip_to {
    const char *name; /* "desk" or "EST", in notes */
    const struct idv_env *env;
    struct idv_url url;
    const STACK_OF(X509) * anchors; /* of the server */
    EVP_PKEY *key;
    const STACK_OF(X509) * chain;
};
/* request's path is absolute; its body is moved. reply is the caller's to free,
 * whatever happens. IDV_E_REJECT: the server is another one; IDV_E_NET,
 * IDV_E_TIMEOUT. */
idv_rc trip_go(const struct trip_to *to, struct idv_msg *request,
               struct idv_msg *reply) IDV_CHECKED;

#endif
