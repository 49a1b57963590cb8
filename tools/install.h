/* SPDX-License-Identifier: Apache-2.0 */
/* What a device is given at the factory besides its IDevID: a certificate that
 * was issued elsewhere, the hash of its maker's trust anchors. */
#ifndef INSTALL_H
#define INSTALL_H

#include "tool.h"

struct tool_install {
    const char *file;     /* PEM or DER, one certificate */
    const char *cert_uri; /* where to */
    const char *key_uri;  /* whose it must be; NULL: nobody looks */
    bool replace;         /* one that is there already */
    bool lock;            /* IDV_WRITE_LOCK */
};

/* IDV_E_REJECT: the key at key_uri is not that of the certificate; IDV_E_STATE:
 * there is one already. */
idv_rc tool_install(struct tool *t, const struct tool_install *in) IDV_CHECKED;

struct tool_seal {
    const char *file;   /* PEM: the maker's trust anchors for vouchers */
    const char *device; /* its URI */
    const char *index;  /* of a TPM, as text; NULL: where it is looked for */
    bool platform, so;  /* by a TPM's platform, by a token's officer */
};

/* idv_maker_seal; says what was written. */
idv_rc tool_seal(struct tool *t, const struct tool_seal *in) IDV_CHECKED;

struct tool_platform {
    const char *file;   /* PEM: the maker's public key for approvals */
    const char *device; /* its URI: a TPM */
    const char *serial; /* as in the IDevID */
    /* NV indices of anchor and counter, as text; NULL: where it is looked for
     */
    const char *index, *counter;
    bool remove; /* idv_platform_delete instead */
};

/* idv_platform_create. */
idv_rc tool_platform(struct tool *t,
                     const struct tool_platform *in) IDV_CHECKED;

#endif
