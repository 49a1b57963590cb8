/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate that was issued elsewhere, into the device that has the key. */
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

#endif
