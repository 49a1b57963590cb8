/* SPDX-License-Identifier: Apache-2.0 */
/* Upper bounds on everything that comes from outside, in one place. */
#ifndef IDEVID_LIMITS_H
#define IDEVID_LIMITS_H

#define IDV_MAX_BODY (64 * 1024)   /* an HTTP body, a container, a voucher */
#define IDV_MAX_JSON_DEPTH 16      /* nested objects and arrays */
#define IDV_MAX_CHAIN 10           /* certificates in a chain or a container */
#define IDV_MAX_CERT (16 * 1024)   /* DER bytes of one certificate */
#define IDV_MAX_STAPLE (16 * 1024) /* DER bytes of a stapled OCSP response */
#define IDV_MAX_SERIAL 64          /* X520SerialNumber, as X.520 bounds it */
#define IDV_MAX_HW_SERIAL 255      /* hwSerialNum of RFC 4108 */
#define IDV_MIN_NONCE 8            /* decoded bytes, RFC 8366 */
#define IDV_MAX_NONCE 32           /* decoded bytes, RFC 8366 */
#define IDV_MAX_NONCE_TEXT 128     /* a JSON nonce as an opaque string */
#define IDV_MAX_PROPRIETARY 8192   /* bytes of manufacturer-proprietary */
#define IDV_MAX_URL 1024           /* a URL, a Location, a MASA URL */
#define IDV_MAX_REASON 512         /* telemetry reason kept and logged */
#define IDV_MAX_STATUS_ANSWER 1024 /* bytes of an answer to voucher_status */
#define IDV_MAX_REPORTED (32 * 1024) /* DER bytes of evidence in a report */
#define IDV_MAX_KEYID 64             /* key identifier of an IDevID's issuer */
#define IDV_MAX_AUDIT_EVENTS 1024    /* events read of one audit log */
#define IDV_MAX_RETRY_AFTER 60       /* seconds a pledge waits, RFC 8995 5.6 */
#define IDV_MAX_PENDING (4 * 24 * 3600) /* seconds in 202, RFC 8995 5.6 */
#define IDV_MAX_BUSY_WAIT 3600     /* seconds a pledge waits after 429 or 503 */
#define IDV_MAX_BUSY (24 * 3600)   /* seconds with nothing but such answers */
#define IDV_MAX_LANES 8            /* attempts of a pledge side by side */
#define IDV_MAX_CANDIDATES 32      /* registrars and proxies it remembers */
#define IDV_MAX_ADDRESSES 16       /* of one name */
#define IDV_MAX_FILE (1024 * 1024) /* a file read whole */

#endif
