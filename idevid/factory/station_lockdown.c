/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done to a device at the end. A cut is met by the order: what the TPM
 * says of itself shows what is done; a random value is in the book, escrowed,
 * before the TPM has it. Whoever finds it set and the book with an escrow knows
 * that the last one there is it, since another is only made while none is set.
 */
#include <string.h>

#include <openssl/cms.h>
#include <openssl/crypto.h>

#include <idevid/codec.h>
#include <idevid/maker.h>
#include <idevid/trust.h>

#include "factory/station_int.h"

#define RH_OWNER 0x40000001u
#define RH_LOCKOUT 0x4000000au
#define VALUE 32 /* every TPM's hierarchies take as much as SHA-256 gives */

/* --- anchors ---------------------------------------------------------------
 */

static idv_rc anchors(struct idv_station *s, const struct idv_lockdown *l)
{
    const struct idv_anchor_conf conf = {.profile = IDV_ANCHOR_PLATFORM,
                                         .approval_key = l->approval_key,
                                         .serial =
                                             s->seen.device.serial_number};
    unsigned flags = 0;
    if (s->tpm && l->anchor_counter)
        IDV_TRY(idv_owner_create(s->dev, NULL));
    if (s->tpm && l->platform_anchor)
        IDV_TRY(idv_platform_create(s->dev, &conf));
    if (!l->maker_anchors)
        return IDV_OK;
    if (!s->tpm && l->by_so)
        flags = IDV_MAKER_BY_SO;
    if (idvi_station_by_platform(s))
        flags = IDV_MAKER_BY_PLATFORM;
    return idv_maker_seal(s->dev, 0, l->maker_anchors, flags);
}

/* --- dictionary attacks ----------------------------------------------------
 */

static bool as_asked(const struct hwk_tpm_facts *f,
                     const struct idv_lockdown *l)
{
    return f->max_tries == l->max_tries && f->recovery_s == l->recovery_s;
}

static idv_rc dictionary(struct idv_station *s, const struct idv_lockdown *l)
{
    const struct hwk_lockout to = {.max_tries = l->max_tries,
                                   .recovery_s = l->recovery_s,
                                   .lockout_recovery_s = l->lockout_recovery_s};
    struct hwk_tpm_facts f;
    IDV_TRY(idvi_nv_facts(s->dev, HWK_FACTS_STATE, &f, NULL));
    if (f.lockout_auth_set)
        return as_asked(&f, l)
                   ? IDV_OK
                   : idv_fail(IDV_E_REJECT,
                              "lockdown: lockoutAuth is set, and the TPM locks "
                              "after %u wrong values, of which it forgets one "
                              "every %u s, and stands at %u: only who has "
                              "lockoutAuth can change that",
                              f.max_tries, f.recovery_s, f.lockout_counter);
    return idvi_devid_set_lockout(s->dev, &to, idv_bytes(NULL, 0), NULL);
}

idv_rc idvi_station_before_keys(struct idv_station *s)
{
    const struct idv_lockdown *l = s->c.lockdown;
    if (!s->tpm || !l || !l->da)
        return IDV_OK;
    uint64_t *before = s->counting;
    idvi_station_count(s, &s->calls.lockdown);
    idv_rc rc = dictionary(s, l);
    idvi_station_count(s, before);
    return rc;
}

/* --- random values ---------------------------------------------------------
 */

/* TPMs drop zeros at the end of a value; given back it is the first line of a
 * file (pin-source) */
static bool lasts(const uint8_t v[static VALUE])
{
    return v[VALUE - 1] != 0 && v[VALUE - 1] != '\r' && !memchr(v, '\n', VALUE);
}

static idv_rc make_value(const struct idv_station *s, uint8_t out[static VALUE])
{
    do {
        IDV_TRY(idv_random(s->c.env, out, VALUE));
    } while (!lasts(out));
    return IDV_OK;
}

static idv_rc escrow_text(const struct idv_station *s, const char *hierarchy,
                          const uint8_t value[static VALUE],
                          struct idv_buf *out)
{
    IDV_AUTO(buf) hex = {.secret = true};
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_hex_from_bytes(idv_bytes(value, VALUE), &hex));
    IDV_TRY(
        idv_json_set(o, "hierarchy", idv_json_new_text(idv_str(hierarchy))));
    IDV_TRY(
        idv_json_set(o, "serial-number",
                     idv_json_new_text(idv_str(s->seen.device.serial_number))));
    IDV_TRY(idv_json_set(o, "value", idv_json_new_text(idv_view(&hex))));
    return idv_json_dump(o, false, out);
}

static idv_rc encrypt(X509 *to, struct idv_bytes text, struct idv_buf *out)
{
    IDV_AUTO_PTR(BIO) in = BIO_new_mem_buf(text.p, (int)text.n);
    IDV_AUTO_PTR(CMS_ContentInfo) cms = NULL;
    STACK_OF(X509) *who = sk_X509_new_null();
    unsigned char *der = NULL;
    if (in && who && sk_X509_push(who, to) > 0)
        cms = CMS_encrypt(who, in, EVP_aes_256_cbc(), CMS_BINARY);
    sk_X509_free(who);
    const int n = cms ? i2d_CMS_ContentInfo(cms, &der) : 0;
    idv_rc rc = n > 0 ? idv_buf_put(out, idv_bytes(der, (size_t)n))
                      : idv_fail(IDV_E_CRYPTO,
                                 "escrow: not encrypted to its certificate");
    OPENSSL_free(der);
    return rc;
}

static idv_rc escrow(struct idv_station *s, const char *hierarchy,
                     const uint8_t value[static VALUE],
                     enum idv_factory_why *why)
{
    IDV_AUTO(buf) text = {.secret = true};
    struct idv_factory_device *d = &s->seen.device;
    IDV_TRY(escrow_text(s, hierarchy, value, &text));
    IDV_TRY(encrypt(s->c.lockdown->escrow, idv_view(&text), &d->escrow));
    d->changed = idv_now(s->c.env);
    return idvi_station_put(s, d, d->state, "escrowed", why);
}

static idv_rc set_random(struct idv_station *s, uint32_t hierarchy,
                         const char *name, enum idv_factory_why *why)
{
    uint8_t value[VALUE];
    idv_rc rc = make_value(s, value);
    if (rc == IDV_OK)
        rc = escrow(s, name, value, why);
    if (rc == IDV_OK)
        rc = idvi_devid_set_auth(s->dev, hierarchy, idv_bytes(value, VALUE),
                                 NULL);
    OPENSSL_cleanse(value, sizeof(value));
    return rc;
}

static idv_rc value(struct idv_station *s, bool is_set, uint32_t hierarchy,
                    const char *name, enum idv_factory_why *why)
{
    if (!is_set)
        return set_random(s, hierarchy, name, why);
    if (s->seen.device.escrow.n > 0)
        return IDV_OK;
    return idv_fail(IDV_E_REJECT,
                    "lockdown: the TPM's hierarchy %s has a value that this "
                    "line did not set: clear the TPM first",
                    name);
}

static idv_rc values(struct idv_station *s, const struct idv_lockdown *l,
                     enum idv_factory_why *why)
{
    struct hwk_tpm_facts f;
    if (!l->owner_auth && !l->lockout_auth)
        return IDV_OK;
    IDV_TRY(idvi_nv_facts(s->dev, HWK_FACTS_STATE, &f, NULL));
    if (l->owner_auth)
        IDV_TRY(value(s, f.owner_auth_set, RH_OWNER, "owner", why));
    return l->lockout_auth
               ? value(s, f.lockout_auth_set, RH_LOCKOUT, "lockout", why)
               : IDV_OK;
}

idv_rc idvi_station_lockdown(struct idv_station *s, enum idv_factory_why *why)
{
    const struct idv_lockdown *l = s->c.lockdown;
    if (!l)
        return IDV_OK;
    IDV_TRY(anchors(s, l));
    if (!s->tpm)
        return IDV_OK;
    if (l->da)
        IDV_TRY(dictionary(s, l));
    return values(s, l, why);
}

/* --- is it so? -------------------------------------------------------------
 */

static idv_rc missing(const char *what)
{
    return idv_fail(IDV_E_REJECT, "lockdown: %s", what);
}

static idv_rc facts_hold(struct idv_station *s, const struct idv_lockdown *l)
{
    struct hwk_tpm_facts f;
    if (!l->da && !l->owner_auth && !l->lockout_auth)
        return IDV_OK;
    IDV_TRY(idvi_nv_facts(s->dev, HWK_FACTS_STATE, &f, NULL));
    if (l->da && !as_asked(&f, l))
        return missing("the dictionary-attack parameters are others");
    if (l->lockout_auth && !f.lockout_auth_set)
        return missing("lockoutAuth is not set");
    if (l->owner_auth && !f.owner_auth_set)
        return missing("ownerAuth is not set");
    return IDV_OK;
}

static idv_rc index_holds(struct idv_station *s, uint32_t index,
                          const char *what)
{
    struct hwk_nv nv;
    bool found;
    IDV_TRY(idvi_nv_look(s->dev, index, &found, &nv, NULL));
    return found ? IDV_OK : missing(what);
}

idv_rc idvi_station_locked_down(struct idv_station *s)
{
    const struct idv_lockdown *l = s->c.lockdown;
    char where[96];
    bool sealed;
    if (!l)
        return IDV_OK;
    if (l->maker_anchors) {
        IDV_TRY(idv_maker_check(s->dev, 0, l->maker_anchors, &sealed, where));
        if (!sealed)
            return missing("the maker's anchors are not sealed");
    }
    if (!s->tpm)
        return IDV_OK;
    if (l->anchor_counter)
        IDV_TRY(index_holds(s, IDV_ANCHOR_TPM2_COUNTER,
                            "there is no counter for the anchor"));
    if (l->platform_anchor)
        IDV_TRY(index_holds(s, IDV_ANCHOR_PLATFORM_INDEX,
                            "there is no anchor of profile platform"));
    return facts_hold(s, l);
}
