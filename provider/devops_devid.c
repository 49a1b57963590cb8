/* SPDX-License-Identifier: Apache-2.0 */
/* device.h's table of device identities: what no TPM has to be asked for is
 * checked here, the rest is the row's. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/devops.h"

/* --- arguments --- */

static int sound_key(const struct hwk_born *key)
{
    return (key->handle >> 24 == 0x80 || key->handle >> 24 == 0x81) &&
                   key->name_n > 0 && key->name_n <= sizeof(key->name)
               ? 1
               : hwk_raise(HWK_R_ARGUMENT, "that is no key of this table");
}

static int sound_nonce(size_t n)
{
    return n > 0 && n <= HWK_NONCE_MAX
               ? 1
               : hwk_raise(HWK_R_ARGUMENT, "a nonce of 1 to %d bytes",
                           HWK_NONCE_MAX);
}

static int sound_blob(const uint8_t *p, size_t n)
{
    return p != NULL && n > 2 && n <= UINT16_MAX
               ? 1
               : hwk_raise(HWK_R_ARGUMENT, "a credential");
}

/* --- the row --- */

static const struct hwk_backend_devid *row(struct hwk_device *d)
{
    const struct hwk_backend_devid *devid = hwk_slot_table(d->slot)->devid;

    if (!hwk_slot_ready(d->slot))
        return NULL;
    if (devid == NULL)
        hwk_raise(HWK_R_UNSUPPORTED,
                  "%s: device identities of that kind are a TPM's",
                  hwk_slot_table(d->slot)->name);
    return devid;
}

/* success leaves the error queue as it was */
#define ASK(d, call, ...)                                                      \
    do {                                                                       \
        const struct hwk_backend_devid *devid_ = row(d);                       \
        if (devid_ == NULL)                                                    \
            return 0;                                                          \
        hwk_mark();                                                            \
        return hwk_settle(                                                     \
            devid_->call(hwk_slot_state((d)->slot), ##__VA_ARGS__));           \
    } while (0)

static int devid_create(struct hwk_device *d, enum hwk_devid what,
                        const char *type, uint32_t cert_index, uint32_t handle,
                        struct hwk_born *out)
{
    if (type == NULL && (what != HWK_DEVID_EK || cert_index == 0))
        return hwk_raise(HWK_R_ARGUMENT, "a key's type is missing");
    if (handle != 0 && handle >> 24 != 0x81)
        return hwk_raise(HWK_R_ARGUMENT, "a key is found at 0x81......");
    ASK(d, create, what, type, cert_index, handle, out);
}

static int devid_keep(struct hwk_device *d, const struct hwk_born *key,
                      uint32_t handle)
{
    if (key != NULL && !sound_key(key))
        return 0;
    ASK(d, keep, key, handle);
}

static int ask_drop(struct hwk_device *d, const struct hwk_born *key)
{
    ASK(d, drop, key);
}

static int devid_drop(struct hwk_device *d, struct hwk_born *key)
{
    if (!sound_key(key) || !ask_drop(d, key))
        return 0;
    key->handle = 0;
    return 1;
}

static int devid_set_auth(struct hwk_device *d, uint32_t hierarchy,
                          const uint8_t *value, size_t n)
{
    if (n > 0 && value == NULL)
        return hwk_raise(HWK_R_ARGUMENT, "the value is missing");
    ASK(d, set_auth, hierarchy, (struct hwk_view){value, n});
}

static int devid_set_lockout(struct hwk_device *d, const struct hwk_lockout *to,
                             const uint8_t *value, size_t n)
{
    const struct hwk_view given = {value, n};

    ASK(d, set_lockout, to, value != NULL ? &given : NULL);
}

static int devid_indices(struct hwk_device *d, uint32_t from, uint32_t to,
                         uint32_t *out, size_t *n)
{
    if (from >> 24 != 1 || to >> 24 != 1 || from > to)
        return hwk_raise(HWK_R_ARGUMENT,
                         "0x%08x to 0x%08x is no range of NV indices", from,
                         to);
    ASK(d, indices, from, to, out, n);
}

static int ask_activate(struct hwk_device *d, const struct hwk_born *what,
                        const struct hwk_born *ek, struct hwk_view credential,
                        struct hwk_view secret, uint8_t *out, size_t *n)
{
    ASK(d, activate, what, ek, credential, secret, out, n);
}

static int devid_activate(struct hwk_device *d, const struct hwk_born *what,
                          const struct hwk_born *ek, const uint8_t *credential,
                          size_t credential_n, const uint8_t *secret,
                          size_t secret_n, uint8_t *out, size_t *n)
{
    return sound_key(what) && sound_key(ek) &&
           sound_blob(credential, credential_n) &&
           sound_blob(secret, secret_n) &&
           ask_activate(d, what, ek,
                        (struct hwk_view){credential, credential_n},
                        (struct hwk_view){secret, secret_n}, out, n);
}

/* --- what is signed --- */

static int ask_sign(struct hwk_device *d, const struct hwk_born *key,
                    struct hwk_view digest, struct hwk_attested *out)
{
    ASK(d, sign, key, digest, out);
}

static int ask_certify(struct hwk_device *d, const struct hwk_born *what,
                       const struct hwk_born *by, struct hwk_view nonce,
                       struct hwk_attested *out)
{
    ASK(d, certify, what, by, nonce, out);
}

static int ask_certify_creation(struct hwk_device *d,
                                const struct hwk_born *what,
                                const struct hwk_born *by,
                                struct hwk_view nonce, struct hwk_attested *out)
{
    ASK(d, certify_creation, what, by, nonce, out);
}

static struct hwk_attested *room(void)
{
    struct hwk_attested *got = OPENSSL_zalloc(sizeof(*got));

    if (got == NULL)
        hwk_raise(HWK_R_MEMORY, "signature");
    return got;
}

static int devid_sign(struct hwk_device *d, const struct hwk_born *key,
                      const uint8_t *digest, size_t n, uint8_t *sig,
                      size_t *sig_n)
{
    struct hwk_attested *got = sound_key(key) ? room() : NULL;
    int ok = got != NULL &&
             ask_sign(d, key, (struct hwk_view){digest, n}, got) &&
             hwk_hand_over(got->sig, got->sig_n, sig, sig_n);

    OPENSSL_free(got);
    return ok;
}

typedef int certify_fn(struct hwk_device *d, const struct hwk_born *what,
                       const struct hwk_born *by, struct hwk_view nonce,
                       struct hwk_attested *out);

static int prove(struct hwk_device *d, certify_fn *fn,
                 const struct hwk_born *what, const struct hwk_born *by,
                 struct hwk_view nonce, uint8_t *attest, size_t *attest_n,
                 uint8_t *sig, size_t *sig_n)
{
    struct hwk_attested *got =
        sound_key(what) && sound_key(by) && sound_nonce(nonce.n) ? room()
                                                                 : NULL;
    int ok = got != NULL && fn(d, what, by, nonce, got) &&
             hwk_hand_over(got->attest, got->attest_n, attest, attest_n) &&
             hwk_hand_over(got->sig, got->sig_n, sig, sig_n);

    OPENSSL_free(got);
    return ok;
}

static int devid_certify(struct hwk_device *d, const struct hwk_born *what,
                         const struct hwk_born *by, const uint8_t *nonce,
                         size_t n, uint8_t *attest, size_t *attest_n,
                         uint8_t *sig, size_t *sig_n)
{
    return prove(d, ask_certify, what, by, (struct hwk_view){nonce, n}, attest,
                 attest_n, sig, sig_n);
}

static int devid_certify_creation(struct hwk_device *d,
                                  const struct hwk_born *what,
                                  const struct hwk_born *by,
                                  const uint8_t *nonce, size_t n,
                                  uint8_t *attest, size_t *attest_n,
                                  uint8_t *sig, size_t *sig_n)
{
    return prove(d, ask_certify_creation, what, by, (struct hwk_view){nonce, n},
                 attest, attest_n, sig, sig_n);
}

const struct hwk_devid_ops hwk_devid_ops_table = {
    devid_create,      devid_sign,    devid_certify, devid_certify_creation,
    devid_activate,    devid_keep,    devid_drop,    devid_set_auth,
    devid_set_lockout, devid_indices,
};
