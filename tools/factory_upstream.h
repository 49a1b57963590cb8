/* SPDX-License-Identifier: Apache-2.0 */
/* Issuing CAs elsewhere: by EST, or by files for people to carry. */
#ifndef FACTORY_UPSTREAM_H
#define FACTORY_UPSTREAM_H

#include <idevid/desk.h>

#include "factory_conf.h"

/*
 * By [desk] ca = est: a simpleenroll (RFC 7030) at est-url, shown the station's
 * certificate; 202 is waited for. By ca = files: SERIAL.csr is put into
 * csr-folder and SERIAL.pem taken from there; IDV_E_TIMEOUT while there is
 * none. chain is borrowed.
 */
idv_rc factory_upstream_open(const struct factory_conf *conf,
                             const STACK_OF(X509) * chain,
                             const struct idv_env *env,
                             struct idv_desk_ca *out) IDV_CHECKED;
void factory_upstream_free(struct idv_desk_ca *ca);

#endif
