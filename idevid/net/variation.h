/* SPDX-License-Identifier: Apache-2.0 */
/* The words by which an announcement says which protocol it speaks. */
#ifndef IDEVID_NET_VARIATION_H
#define IDEVID_NET_VARIATION_H

#include <idevid/buf.h>

/* True for a form of BRSKI that this pledge does not speak (CMP, responder
 * mode, constrained). "", "EST-TLS" and words that nobody has registered yet
 * are worth a try: the voucher decides. */
bool idvi_variation_foreign(struct idv_bytes word);

#endif
