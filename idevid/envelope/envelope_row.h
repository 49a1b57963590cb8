/* SPDX-License-Identifier: Apache-2.0 */
/* One row per container format: what envelope.c asks of cms.c and its twins. */
#ifndef IDEVID_ENVELOPE_ROW_H
#define IDEVID_ENVELOPE_ROW_H

#include <idevid/envelope.h>

struct idvi_envelope_row {
    const char *media;
    const char *form; /* its word in configurations: "cms" */
    enum idv_encoding encoding;
    bool (*can_sign)(const EVP_PKEY *key);
    bool (*looks_like)(struct idv_bytes sealed);
    idv_rc (*seal)(struct idv_bytes payload, const struct idv_signer *signer,
                   struct idv_buf *out) IDV_CHECKED;
    /* fills all but media; what it filled is freed by the caller on failure */
    idv_rc (*open)(struct idv_bytes sealed, struct idv_opened *out) IDV_CHECKED;
    bool (*names_signer)(const struct idv_opened *o, const X509 *cert);
    /* signature over payload and all that is signed beside it */
    idv_rc (*signed_by)(const struct idv_opened *o,
                        const EVP_PKEY *key) IDV_CHECKED;
    void (*free_native)(void *native);
};

extern const struct idvi_envelope_row idvi_cms_row;
extern const struct idvi_envelope_row idvi_jws_row;

#endif
