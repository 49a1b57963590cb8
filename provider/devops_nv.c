/* SPDX-License-Identifier: Apache-2.0 */
/* device.h's table of NV indices: what no TPM has to be asked for is checked
 * here, the rest is the row's. */
#include <string.h>

#include <openssl/crypto.h>

#include "provider/devops.h"

#define PCRS 24

/* --- arguments --- */

static int sound_nv(const struct hwk_nv *nv)
{
    return nv->size > 0 && nv->policy_n <= sizeof(nv->policy) &&
                   nv->index >> 24 == 1
               ? 1
               : hwk_raise(HWK_R_ARGUMENT, "NV index 0x%08x: its public area",
                           nv->index);
}

static bool sound_view(const struct hwk_view *v)
{
    return v->n == 0 || v->p != NULL;
}

static bool sound_step(const struct hwk_policy_step *s)
{
    size_t i;
    bool ok = sound_view(&s->operand) && sound_view(&s->key) &&
              sound_view(&s->ref) && sound_view(&s->signature) &&
              s->branches_n <= sizeof(s->branches) / sizeof(s->branches[0]);

    for (i = 0; ok && i < s->branches_n; i++)
        ok = sound_view(&s->branches[i]);
    return ok;
}

static int sound_by(const struct hwk_nv_by *by)
{
    size_t i;

    if (by->n > HWK_NV_STEPS || (by->n > 0 && by->steps == NULL))
        return hwk_raise(HWK_R_ARGUMENT, "a policy of 1 to %d steps",
                         HWK_NV_STEPS);
    for (i = 0; i < by->n; i++)
        if (!sound_step(&by->steps[i]))
            return hwk_raise(HWK_R_ARGUMENT, "step %zu of the policy", i + 1);
    return 1;
}

/* --- the row --- */

static const struct hwk_backend_nv *row(struct hwk_device *d)
{
    const struct hwk_backend_nv *nv = hwk_slot_table(d->slot)->nv;

    if (!hwk_slot_ready(d->slot))
        return NULL;
    if (nv == NULL)
        hwk_raise(HWK_R_UNSUPPORTED, "%s: NV indices are a TPM's",
                  hwk_slot_table(d->slot)->name);
    return nv;
}

/* success leaves the error queue as it was */
#define ASK(d, call, ...)                                                      \
    do {                                                                       \
        const struct hwk_backend_nv *nv_ = row(d);                             \
        if (nv_ == NULL)                                                       \
            return 0;                                                          \
        hwk_mark();                                                            \
        return hwk_settle(                                                     \
            nv_->call(hwk_slot_state((d)->slot), ##__VA_ARGS__));              \
    } while (0)

static int nv_enter(struct hwk_device *d)
{
    ASK(d, enter);
}

static void nv_leave(struct hwk_device *d)
{
    const struct hwk_backend_nv *nv = hwk_slot_table(d->slot)->nv;

    if (nv != NULL)
        nv->leave(hwk_slot_state(d->slot));
}

static int nv_look(struct hwk_device *d, uint32_t index, struct hwk_nv *out)
{
    if (index >> 24 != 1)
        return hwk_raise(HWK_R_ARGUMENT, "0x%08x is no NV index", index);
    ASK(d, look, index, out);
}

static int nv_read(struct hwk_device *d, const struct hwk_nv *nv, uint8_t *out)
{
    if (!sound_nv(nv))
        return 0;
    ASK(d, read, nv, out);
}

static int nv_read_last(struct hwk_device *d, const struct hwk_nv *nv,
                        uint8_t *out)
{
    if (!sound_nv(nv))
        return 0;
    ASK(d, read_last, nv, out);
}

static int nv_peek(struct hwk_device *d, const struct hwk_nv *nv, uint8_t *out)
{
    if (!sound_nv(nv))
        return 0;
    ASK(d, peek, nv, out);
}

static int nv_define(struct hwk_device *d, const struct hwk_nv *nv,
                     uint32_t hierarchy)
{
    if (!sound_nv(nv))
        return 0;
    ASK(d, define, nv, hierarchy);
}

static int nv_undefine(struct hwk_device *d, const struct hwk_nv *nv,
                       const struct hwk_nv_by *by)
{
    if (!sound_nv(nv) || !sound_by(by))
        return 0;
    ASK(d, undefine, nv, by);
}

static int nv_write(struct hwk_device *d, const struct hwk_nv *nv,
                    const struct hwk_nv_by *by, const uint8_t *data, size_t n)
{
    if (!sound_nv(nv) || !sound_by(by))
        return 0;
    if (n == 0 || n > nv->size)
        return hwk_raise(HWK_R_ARGUMENT, "NV index 0x%08x holds 1 to %u bytes",
                         nv->index, nv->size);
    ASK(d, write, nv, by, data, n);
}

static int nv_lock(struct hwk_device *d, const struct hwk_nv *nv,
                   const struct hwk_nv_by *by)
{
    if (!sound_nv(nv) || !sound_by(by))
        return 0;
    ASK(d, lock, nv, by);
}

static int nv_increment(struct hwk_device *d, const struct hwk_nv *nv,
                        const struct hwk_nv_by *by)
{
    if (!sound_nv(nv) || !sound_by(by))
        return 0;
    ASK(d, increment, nv, by);
}

static int nv_pcr_read(struct hwk_device *d, uint32_t pcrs, uint8_t out[32])
{
    if (pcrs == 0 || pcrs >> PCRS != 0)
        return hwk_raise(HWK_R_ARGUMENT, "PCRs 0x%08x", pcrs);
    ASK(d, pcr_read, pcrs, out);
}

static int nv_pcr_extend(struct hwk_device *d, unsigned pcr,
                         const uint8_t digest[32])
{
    if (pcr >= PCRS)
        return hwk_raise(HWK_R_ARGUMENT, "PCR %u", pcr);
    ASK(d, pcr_extend, pcr, digest);
}

static int nv_facts(struct hwk_device *d, unsigned what,
                    struct hwk_tpm_facts *out)
{
    ASK(d, facts, what, out);
}

/* --- certify --- */

static int ask_certify(struct hwk_device *d, const struct hwk_uri *uri,
                       const struct hwk_nv *nv, struct hwk_view nonce,
                       struct hwk_attested *out)
{
    const struct hwk_pin_ask ask = {d->cfg, uri,
                                    d->prompt.get != NULL ? &d->prompt : NULL};

    if (!hwk_table_serves(hwk_slot_table(d->slot), uri->scheme))
        return hwk_raise(HWK_R_BAD_URI, "of another kind of device");
    ASK(d, certify, uri, &ask, nv, nonce, out);
}

int hwk_hand_over(const uint8_t *from, size_t n, uint8_t *to, size_t *room)
{
    if (n > *room)
        return hwk_raise(HWK_R_ARGUMENT, "no room for %zu bytes", n);
    memcpy(to, from, n);
    *room = n;
    return 1;
}

static int nv_certify(struct hwk_device *d, const char *key_uri,
                      const struct hwk_nv *nv, const uint8_t *nonce, size_t n,
                      uint8_t *attest, size_t *attest_n, uint8_t *sig,
                      size_t *sig_n, uint8_t *pub, size_t *pub_n)
{
    struct hwk_attested *got;
    struct hwk_uri uri;
    int ok;

    if (n == 0 || n > HWK_NONCE_MAX)
        return hwk_raise(HWK_R_ARGUMENT, "a nonce of 1 to %d bytes",
                         HWK_NONCE_MAX);
    if (!sound_nv(nv) || row(d) == NULL || !hwk_uri_parse(key_uri, &uri))
        return 0;
    got = OPENSSL_zalloc(sizeof(*got));
    ok = got != NULL
             ? ask_certify(d, &uri, nv, (struct hwk_view){nonce, n}, got)
             : hwk_raise(HWK_R_MEMORY, "evidence");
    hwk_uri_clear(&uri);
    ok = ok && hwk_hand_over(got->attest, got->attest_n, attest, attest_n) &&
         hwk_hand_over(got->sig, got->sig_n, sig, sig_n) &&
         hwk_hand_over(got->pub, got->pub_n, pub, pub_n);
    OPENSSL_free(got);
    return ok;
}

const struct hwk_nv_ops hwk_nv_ops_table = {
    nv_enter,     nv_leave,   nv_look,     nv_read,       nv_read_last,
    nv_peek,      nv_define,  nv_undefine, nv_write,      nv_lock,
    nv_increment, nv_certify, nv_pcr_read, nv_pcr_extend, nv_facts,
};
