/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates out of a tree of folders, one folder for each vendor. */
#ifndef FACTORY_CERTDIR_H
#define FACTORY_CERTDIR_H

#include <idevid/x509.h>

#include "tool.h"

#define CERTDIR_MAX 1024 /* certificates; what a bundle takes */

struct certdir {
    STACK_OF(X509) * certs;
    const char **vendors; /* of each, owned; NULL-ended */
    size_t files, twice, others;
};

/*
 * Reads the files that end in .pem .crt .cer .der (DER or PEM, whatever the
 * name says) below folder, in the order of their names. A vendor is called as
 * the first folder below it, what lies beside them as folder itself. The same
 * certificate again is dropped (twice); other files are left alone and counted
 * (others, named with --verbose). Links are not followed.
 * IDV_E_FORMAT, IDV_E_REJECT: such a file is no certificate, or no CA's, and is
 * named; IDV_E_LIMIT: more than CERTDIR_MAX, or folders deeper than eight.
 */
idv_rc certdir_read(const struct tool *t, const char *folder,
                    struct certdir *out) IDV_CHECKED;
void certdir_free(struct certdir *d);

#endif
