/* SPDX-License-Identifier: Apache-2.0 */
/* The reply: activated, judged, written into the device. */
#include <string.h>

#include <openssl/crypto.h>

#include "factory/station_int.h"

struct certs {
    STACK_OF(X509) * all;
    X509 *idevid, *iak; /* borrowed from all; NULL: none */
};

/* --- opening ---------------------------------------------------------------
 */

static idv_rc is_ours(const struct idv_station *s,
                      const struct idv_factory_reply *r)
{
    const struct idv_factory_device *d = &s->seen.device;
    if (r->profile != s->c.profile)
        return idv_fail(IDV_E_REJECT, "reply: for the profile %s",
                        idv_factory_profile_to_text(r->profile));
    if (strcmp(r->serial_number, d->serial_number) != 0)
        return idv_fail(IDV_E_REJECT, "reply: for %s, and this is %s",
                        r->serial_number, d->serial_number);
    if (strcmp(r->order, d->order) != 0)
        return idv_fail(IDV_E_REJECT, "reply: for the order %s, not %s",
                        r->order, d->order);
    return IDV_OK;
}

/* which key the credential is bound to */
static const struct idvi_station_key *activated(const struct idv_station *s)
{
    return idvi_station_has_iak(s) ? &s->iak : &s->key;
}

/* a TPM2B_ structure and nothing else */
static bool framed(const struct idv_buf *b)
{
    return b->n >= 2 && ((size_t)b->p[0] << 8 | b->p[1]) == b->n - 2;
}

/* A TPM that lost its power on the way is one thing, a credential that is not
 * for it another. */
static idv_rc activate(struct idv_station *s, const struct idv_factory_reply *r,
                       struct idv_buf *bag, enum idv_factory_why *why)
{
    struct idvi_devid_secret secret = {.n = 0};
    int reason;
    if (!framed(&r->credential) || !framed(&r->secret))
        return idvi_station_refuse(
            why, IDV_WHY_ACTIVATE,
            idv_fail(IDV_E_FORMAT, "reply: its credential is none"));
    IDV_TRY(idvi_station_ek_again(s));
    IDV_TRY(idvi_station_keys(s, false));
    idv_rc rc = idvi_devid_activate(s->dev, &activated(s)->born, &s->ek.born,
                                    idv_view(&r->credential),
                                    idv_view(&r->secret), &secret, &reason);
    if (rc != IDV_OK)
        return reason == HWK_R_KEY
                   ? idvi_station_refuse(why, IDV_WHY_ACTIVATE, rc)
                   : rc;
    rc = idv_factory_reply_open(r, idv_bytes(secret.p, secret.n), bag);
    OPENSSL_cleanse(&secret, sizeof(secret));
    return rc == IDV_OK ? rc : idvi_station_refuse(why, IDV_WHY_ACTIVATE, rc);
}

static idv_rc open_bag(struct idv_station *s, const struct idv_factory_reply *r,
                       struct certs *out, enum idv_factory_why *why)
{
    IDV_AUTO(buf) bag = {.max = IDV_MAX_BODY};
    IDV_TRY(idvi_station_proves(s) ? activate(s, r, &bag, why)
                                   : idv_buf_put(&bag, idv_view(&r->bag)));
    return idv_certbag_from_der(idv_view(&bag), &out->all);
}

/* --- judging ---------------------------------------------------------------
 */

static X509 *of_key(const struct certs *c, const EVP_PKEY *key)
{
    for (int i = 0; i < sk_X509_num(c->all); i++) {
        X509 *cert = sk_X509_value(c->all, i);
        const EVP_PKEY *its = X509_get0_pubkey(cert);
        if (its && EVP_PKEY_eq(its, key) == 1)
            return cert;
    }
    return NULL;
}

static idv_rc check_one(struct idv_station *s, const struct certs *c,
                        X509 *cert, const char *what)
{
    char serial[IDV_MAX_SERIAL + 1];
    if (!cert)
        return idv_fail(IDV_E_REJECT,
                        "reply: no certificate for this device's "
                        "%s",
                        what);
    if (idv_cert_is_ca(cert))
        return idv_fail(IDV_E_REJECT, "reply: the %s certificate is a CA's",
                        what);
    IDV_TRY(idvi_station_serial(cert, s->seen.device.serial_number, serial));
    idv_rc rc = idvi_station_chain(s, cert, c->all);
    return rc == IDV_OK ? rc : idv_fail_within(rc, "%s", what);
}

static idv_rc check(struct idv_station *s, struct certs *c)
{
    if (!idvi_station_proves(s))
        IDV_TRY(idvi_station_soft_key(s));
    c->idevid = of_key(c, idvi_station_proves(s) ? s->key.pub : s->soft);
    IDV_TRY(check_one(s, c, c->idevid, "IDevID"));
    if (!idvi_station_has_iak(s))
        return IDV_OK;
    c->iak = of_key(c, s->iak.pub);
    return check_one(s, c, c->iak, "IAK");
}

/* --- writing: what says that all is there comes last ------------------------
 */

static idv_rc write_tpm(struct idv_station *s, struct idv_bytes idevid,
                        struct idv_bytes iak)
{
    /* what is there is an earlier one of this device, or was told to go */
    const bool replace = s->c.again || s->seen.has_idevid;
    const bool iak_too = s->c.profile == IDV_PROFILE_TCG;
    if (iak_too)
        IDV_TRY(idvi_station_stay(s, &s->iak, IDVI_STATION_IAK));
    if (idvi_station_keeps(s))
        IDV_TRY(idvi_station_stay(s, &s->key, IDVI_STATION_IDEVID));
    if (iak_too)
        IDV_TRY(idvi_station_nv_put(s, IDVI_STATION_IAK_CERT, iak, replace));
    return idvi_station_nv_put(s, IDVI_STATION_IDEVID_CERT, idevid, replace);
}

static idv_rc write_soft(struct idv_station *s, struct idv_bytes idevid)
{
    const unsigned lock = idvi_station_locks(s) ? IDV_WRITE_LOCK : 0;
    IDV_AUTO(buf) now = {0};
    struct idv_object o = {0};
    bool found = false;
    IDV_TRY(idv_device_inspect(s->dev, s->cert_uri, &found, &o, &now));
    if (found && idv_bytes_eq(idv_view(&now), idevid) &&
        (o.write_locked || !lock))
        return IDV_OK;
    if (found && !s->c.again && !s->seen.has_idevid &&
        !idv_bytes_eq(idv_view(&now), idevid))
        return idv_fail(IDV_E_REJECT,
                        "%s holds something else: nothing was "
                        "changed",
                        s->cert_uri);
    if (found && o.write_locked)
        IDV_TRY(idv_device_erase(s->dev, s->cert_uri));
    return idv_device_write(s->dev, s->cert_uri, idevid, lock);
}

static idv_rc keep(struct idv_buf *to, const X509 *cert)
{
    idv_buf_clear(to);
    return cert ? idv_cert_to_der(cert, to) : IDV_OK;
}

static idv_rc store(struct idv_station *s, struct certs *c,
                    struct idv_bytes reply, enum idv_factory_why *why)
{
    struct idv_factory_device *d = &s->seen.device;
    const enum idv_factory_state from = d->state;
    IDV_TRY(keep(&d->cert, c->idevid));
    IDV_TRY(keep(&d->iak_cert, c->iak));
    idv_buf_clear(&d->reply);
    IDV_TRY(idv_buf_put(&d->reply, reply));
    idv_rc rc = idvi_station_proves(s)
                    ? write_tpm(s, idv_view(&d->cert), idv_view(&d->iak_cert))
                    : write_soft(s, idv_view(&d->cert));
    IDV_TRY(rc);
    s->seen.has_idevid = true;
    s->seen.has_other = false;
    d->state = IDV_DEVICE_INSTALLED;
    d->changed = idv_now(s->c.env);
    return idvi_station_put(s, d, from, "installed", why);
}

/* --- all of it -------------------------------------------------------------
 */

/* The desk may keep the same book, and have moved the row on. */
static idv_rc row_again(struct idv_station *s, enum idv_factory_why *why)
{
    IDV_TRY(idvi_station_row(s, why));
    if (idvi_station_halfway(s))
        return IDV_OK;
    return idvi_station_refuse(
        why, IDV_WHY_STORE,
        idv_fail(IDV_E_STATE, "the book waits for no reply for this device"));
}

static idv_rc install(struct idv_station *s, struct idv_bytes raw,
                      enum idv_factory_why *why)
{
    struct idv_factory_reply r = {0};
    struct certs c = {0};
    IDV_TRY(row_again(s, why));
    idv_rc rc = idv_factory_reply_from_json(raw, &r);
    if (rc == IDV_OK)
        rc = is_ours(s, &r);
    if (rc != IDV_OK)
        *why = IDV_WHY_ACTIVATE;
    if (rc == IDV_OK)
        rc = open_bag(s, &r, &c, why);
    if (rc == IDV_OK) {
        rc = check(s, &c);
        if (rc == IDV_E_REJECT)
            *why = IDV_WHY_CERT;
    }
    if (rc == IDV_OK)
        rc = store(s, &c, raw, why);
    idv_certs_free(c.all);
    idv_factory_reply_free(&r);
    return rc;
}

idv_rc idv_station_install(struct idv_station *s, struct idv_bytes reply,
                           enum idv_factory_why *why)
{
    idv_rc rc = idvi_station_begin(s, why);
    idvi_station_count(s, &s->calls.install);
    if (rc == IDV_OK)
        rc = install(s, reply, why);
    /* what is loaded goes: from here on keys are found as owners find them */
    idv_station_rest(s);
    idvi_station_count(s, NULL);
    return idvi_station_said(rc, why);
}
