/* SPDX-License-Identifier: Apache-2.0 */
/* Vouchers asked for before their devices come (RFC 8995 section 7.3). */
#ifndef IDEVID_REGISTRAR_PREFETCH_H
#define IDEVID_REGISTRAR_PREFETCH_H

#include "idevid/registrar/registrar.h"

struct idv_prefetch {
    const struct idv_registrar_conf *conf;   /* key, cert, chain, pin */
    const struct idv_registrar_maker *maker; /* forms of its MASA */
    const char *serial_number;
    struct idv_bytes idevid_issuer; /* of the IDevID, in any of its forms */
    const char *media;              /* what the device understands */
    const struct idv_env *env;
};

/* idevid-issuer as IDevIDs have it that this CA issued: of its key identifier.
 */
idv_rc idv_prefetch_issuer(const X509 *ca, struct idv_buf *out) IDV_CHECKED;

/* The request: neither nonce nor a pledge's request in it. IDV_E_ARG: the
 * serial number, the issuer or the media type is none. */
idv_rc idv_prefetch_request(const struct idv_prefetch *p,
                            struct idv_buf *out) IDV_CHECKED;

/* The base URL of the MASA: of the maker's entry, there is no IDevID to say
 * another. IDV_E_ARG: it has none. */
idv_rc idv_prefetch_url(const struct idv_registrar_maker *maker,
                        struct idv_url *out) IDV_CHECKED;

/*
 * What the MASA answered to rvr, judged and put into *out, which is the
 * caller's to free. IDV_E_REJECT (named): another status, another device, a
 * nonce in it, expired, or no pin of ours; IDV_E_FORMAT: not a voucher.
 */
idv_rc idv_prefetch_read(const struct idv_prefetch *p, struct idv_bytes rvr,
                         const struct idv_msg *reply,
                         struct idv_stored_voucher *out) IDV_CHECKED;

#endif
