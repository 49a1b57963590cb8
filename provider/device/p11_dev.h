/* SPDX-License-Identifier: Apache-2.0 */
/* A token as device.h has it: what p11_data.c and p11_write.c share. */
#ifndef HWK_P11_DEV_H
#define HWK_P11_DEV_H

#include "provider/device/p11.h"

struct p11_dev {
    struct p11_state *st;
    struct p11_token *t;
    struct hwk_uri uri; /* the token's, without a PIN */
    const struct hwk_pin_source *prompt;
    struct hwk_secret *pin; /* what the URI gave */
};

/* Logs in as p11_login, with the PIN of uri (may be NULL), of the device's own
 * URI, or asked for. */
int p11_dev_login(struct p11_dev *d, const struct hwk_uri *uri);

/* The class that uri's type= names, and that it names one object. */
int p11_class_of(const struct hwk_uri *uri, CK_OBJECT_CLASS *out);
int p11_named(const struct hwk_uri *uri);
/* Raises HWK_R_NOT_FOUND. */
int p11_missing(const struct hwk_uri *uri);

/* --- p11_lasting.c --- */
/* Fills in what out says of tokens only, as the object has it now. */
CK_RV p11_lasting(struct p11_token *t, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h,
                  struct hwk_object_info *out);
/* The token's monotonic counter, as device.h has it. */
int p11_dev_count(void *state, void *dev, uint64_t *value, bool *was_reset);

/* --- p11_so.c --- */
/* A session for reading and writing of the security officer, whose PIN is that
 * of uri, of the device's own URI, or asked for (never the user's of the
 * configuration or the environment); tried once. Cryptoki wants it to be the
 * only login: idle sessions of ours are closed for it, and a token in use by
 * others in this process is HWK_R_PKCS11. p11_so_end also ends the login. */
int p11_so_begin(struct p11_dev *d, const struct hwk_uri *uri,
                 struct p11_session *out);
void p11_so_end(struct p11_token *t, struct p11_session *s);

#endif
