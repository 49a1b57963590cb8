/* SPDX-License-Identifier: Apache-2.0 */
/* Signing with a key: as its device does it, or, where that has not the RSA
 * padding, with the bare number, padded here. */
#include <openssl/err.h>

#include "provider/key.h"
#include "provider/rsapad.h"

static int on_device(struct hwk_key *key, const struct hwk_mech *mech,
                     const uint8_t *in, size_t n, uint8_t *sig, size_t *sig_n)
{
    const struct hwk_backend *t;

    if (!hwk_limits_check(&key->limits, mech) || !hwk_slot_ready(key->slot))
        return 0;
    t = hwk_slot_table(key->slot);
    hwk_mark();
    if (!hwk_settle(t->sign(hwk_slot_state(key->slot), key->ref, mech, in, n,
                            sig, sig_n)))
        return 0;
    hwk_count(signatures);
    return 1;
}

/* --- padding --- */

/* A key that is for PSS alone, or that its device does not let sign bare
 * numbers, is left at that. */
static bool may_pad(const struct hwk_key *key, const struct hwk_mech *mech)
{
    const struct hwk_limits *l = &key->limits;

    return mech->type == HWK_KEY_RSA && mech->pad != HWK_PAD_NONE &&
           !mech->message && !key->pub.pss.only &&
           (!l->limited || l->plain[HWK_PAD_NONE]);
}

/* padding, digests and salt in one number that is not 0 */
static unsigned coded(const struct hwk_mech *m)
{
    return (unsigned)m->pad | (unsigned)m->md << 4 | (unsigned)m->mgf1 << 8 |
           (unsigned)m->salt << 12;
}

static int padded_here(struct hwk_key *key, const struct hwk_mech *mech,
                       const uint8_t *in, size_t n, uint8_t *sig, size_t *sig_n)
{
    const struct hwk_mech bare = {.type = HWK_KEY_RSA, .pad = HWK_PAD_NONE};
    uint8_t em[HWK_RSA_MAX];

    return hwk_rsa_pad(key->core, mech, &key->pub, in, n, em) &&
           on_device(key, &bare, em, key->pub.n_len, sig, sig_n);
}

static bool cannot(void)
{
    return hwk_err_is(HWK_R_UNSUPPORTED) || hwk_err_is(HWK_R_PADDING);
}

/* After a refusal, which is on the queue and stays there when this fails. */
static int instead(struct hwk_key *key, const struct hwk_mech *mech,
                   const uint8_t *in, size_t n, uint8_t *sig, size_t *sig_n)
{
    int ok;

    ERR_set_mark();
    ok = padded_here(key, mech, in, n, sig, sig_n);
    if (ok)
        atomic_store(&key->refused, coded(mech));
    if (ok || cannot()) /* of the two refusals, the first says more */
        ERR_pop_to_mark();
    else
        ERR_clear_last_mark();
    return ok;
}

int hwk_key_sign(struct hwk_key *key, const struct hwk_mech *mech,
                 const uint8_t *in, size_t n, uint8_t *sig, size_t *sig_n)
{
    int ok;

    if (key->ref == NULL)
        return hwk_raise(HWK_R_KEY, "there is no private key to sign with");
    if ((key->flags & HWK_FOUND_NO_SIGN) != 0)
        return hwk_raise(HWK_R_KEY, "%s: not a signing key", hwk_key_name(key));
    if (!hwk_mech_check(mech, &key->pub, n))
        return 0;
    if (!may_pad(key, mech))
        return on_device(key, mech, in, n, sig, sig_n);
    if (atomic_load(&key->refused) == coded(mech))
        return padded_here(key, mech, in, n, sig, sig_n);
    hwk_mark();
    ok = on_device(key, mech, in, n, sig, sig_n);
    if (!ok && cannot())
        ok = instead(key, mech, in, n, sig, sig_n);
    return hwk_settle(ok);
}
