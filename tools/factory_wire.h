/* SPDX-License-Identifier: Apache-2.0 */
/* The words of station and desk over HTTPS. */
#ifndef FACTORY_WIRE_H
#define FACTORY_WIRE_H

/*
 * GET CHALLENGE/ORDER answers {"challenge":base64}; POST REQUEST takes a
 * request (CMS) and answers with its reply. What is refused is answered by
 * {"why":word,"note":text}; 503 has a Retry-After: it may pass.
 */
#define FACTORY_PATH_CHALLENGE "/factory/v1/challenge/"
#define FACTORY_PATH_REQUEST "/factory/v1/request"
#define FACTORY_MEDIA_JSON "application/json"

#endif
