/* SPDX-License-Identifier: Apache-2.0 */
/* Files that stand for a key on a device: wrappers of a URI, ours and the one
 * that is called PKCS#11 PROVIDER URI, and the TSS2 private key. */
#ifndef HWK_KEYFILE_H
#define HWK_KEYFILE_H

#include "provider/op.h"

enum hwk_keyfile_kind {
    HWK_FILE_URI = 1, /* HWKEY URI */
    HWK_FILE_URI_P11, /* PKCS#11 PROVIDER URI */
    HWK_FILE_TSS2,    /* TSS2 PRIVATE KEY */
};

/* What stands in the BEGIN line. */
const char *hwk_keyfile_label(enum hwk_keyfile_kind kind);

struct hwk_keyfile {
    enum hwk_keyfile_kind kind;
    uint8_t *der; /* OPENSSL_malloc'ed */
    size_t n;
};

/* The next thing in a text of PEM, whatever stands before it. 1; 0 when it is
 * not one of ours (nothing is raised then); -1 with HWK_R_FORMAT when it is
 * and does not decode. */
int hwk_keyfile_read(struct hwk_core *core, OSSL_CORE_BIO *in,
                     struct hwk_keyfile *out);

/* The same of DER, which is not ours unless its first bytes say so. */
int hwk_keyfile_read_der(struct hwk_core *core, OSSL_CORE_BIO *in,
                         struct hwk_keyfile *out);
/* What DER is by its first bytes, 64 at least or all: 0 when it is not ours. */
enum hwk_keyfile_kind hwk_keyfile_known(const uint8_t *der, size_t n);

/* The key that it stands for. NULL with a reason: also when its URI names
 * something that is no private key, or more than one. */
struct hwk_key *hwk_keyfile_key(struct hwk_core *core,
                                const struct hwk_keyfile *file,
                                const struct hwk_pin_source *prompt);

#endif
