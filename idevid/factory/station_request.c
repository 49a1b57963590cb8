/* SPDX-License-Identifier: Apache-2.0 */
/* The device's keys, and the request that proves them. */
#include <string.h>

#include <idevid/codec.h>

#include "factory/fields.h"
#include "factory/request.h"
#include "factory/station_int.h"

/* --- may it be asked for? --------------------------------------------------
 */

static idv_rc has_one(const struct idv_station *s, enum idv_factory_why *why)
{
    idv_rc rc =
        s->seen.has_idevid
            ? idv_fail(IDV_E_STATE,
                       "the device has an IDevID, serial number "
                       "%s: left alone",
                       s->seen.has_serial)
            : idv_fail(IDV_E_STATE, "the device has a certificate that is not "
                                    "of its key or not this maker's: left "
                                    "alone");
    return idvi_station_refuse(why, IDV_WHY_HAS_ONE, rc);
}

static idv_rc may(const struct idv_station *s, const char *serial,
                  enum idv_factory_why *why)
{
    const struct idv_factory_device *d = &s->seen.device;
    if (s->seen.known && strcmp(d->serial_number, serial) != 0)
        return idvi_station_refuse(
            why, IDV_WHY_DUPLICATE,
            idv_fail(IDV_E_REJECT, "the book has this device as %s, not %s",
                     d->serial_number, serial));
    if (s->seen.known && d->state == IDV_DEVICE_RETIRED)
        return idvi_station_refuse(
            why, IDV_WHY_RETIRED,
            idv_fail(IDV_E_REJECT, "%s was retired", serial));
    if (s->c.ek_cert_needed && idvi_station_proves(s) && !s->ek_cert)
        return idvi_station_refuse(
            why, IDV_WHY_EK_MISSING,
            idv_fail(IDV_E_REJECT, "EK certificate: the TPM has none in NV, "
                                   "and no file of it is given"));
    if ((s->seen.has_idevid || s->seen.has_other) && !s->c.again &&
        !idvi_station_halfway(s))
        return has_one(s, why);
    return IDV_OK;
}

static idv_rc serial_of(const struct idv_station *s, const char **out)
{
    *out = s->c.serial_number;
    if (!*out && s->seen.known)
        *out = s->seen.device.serial_number;
    return *out && **out ? IDV_OK
                         : idv_fail(IDV_E_ARG, "station: which serial number "
                                               "is this device to have?");
}

/* --- the proof -------------------------------------------------------------
 */

static idv_rc proof_tpm(struct idv_station *s, struct idv_factory_request *r)
{
    uint8_t nonce[32];
    idv_factory_nonce(r->challenge, r->order, r->serial_number, nonce);
    IDV_TRY(idvi_station_ek_again(s));
    IDV_TRY(idvi_station_tcg_csr(s, nonce, r->serial_number, &r->tcg_csr));
    IDV_TRY(idv_buf_put(&r->ek_public,
                        idv_bytes(s->ek.born.pub, s->ek.born.pub_n)));
    return s->c.csr_too ? idvi_station_csr(s, r->serial_number, &r->csr)
                        : IDV_OK;
}

static idv_rc proof_soft(struct idv_station *s, struct idv_factory_request *r)
{
    IDV_AUTO_PTR(X509_NAME) name = X509_NAME_new();
    if (!name || X509_NAME_add_entry_by_NID(
                     name, NID_serialNumber, MBSTRING_UTF8,
                     (const unsigned char *)r->serial_number, -1, -1, 0) != 1)
        return idv_fail(IDV_E_CRYPTO, "request: subject");
    IDV_TRY(idvi_station_soft_key(s));
    memcpy(r->device_id, s->seen.ek, sizeof(r->device_id));
    IDV_TRY(idv_text_copy(r->hw_serial, sizeof(r->hw_serial),
                          idv_str(s->info.serial), "device: serial number"));
    STACK_OF(X509_EXTENSION) *asked = NULL;
    IDV_TRY(idvi_station_asks(s, r->serial_number, s->soft, &asked));
    idv_rc rc = idv_csr_make(s->soft, name, asked, NULL, &r->csr);
    sk_X509_EXTENSION_pop_free(asked, X509_EXTENSION_free);
    return rc;
}

/* One that was cut off goes on as what it was; another one is told from it,
 * also by a desk that has a book of its own. */
static idv_rc which_rework(const struct idv_station *s,
                           uint8_t out[IDV_FACTORY_REWORK])
{
    if (idvi_station_halfway(s))
        idvi_request_rework(idv_view(&s->seen.device.request), out);
    return s->c.again && idvi_is_zero(out, IDV_FACTORY_REWORK)
               ? idv_random(s->c.env, out, IDV_FACTORY_REWORK)
               : IDV_OK;
}

static idv_rc fill(struct idv_station *s, const char *serial,
                   const uint8_t *challenge, struct idv_factory_request *r)
{
    r->profile = s->c.profile;
    r->type = s->c.type;
    r->created_on = idv_now(s->c.env);
    IDV_TRY(which_rework(s, r->rework));
    memcpy(r->challenge, challenge, sizeof(r->challenge));
    IDV_TRY(idv_text_copy(r->order, sizeof(r->order), idv_str(s->c.order),
                          "order"));
    IDV_TRY(idv_text_copy(r->serial_number, sizeof(r->serial_number),
                          idv_str(serial), "serial number"));
    IDV_TRY(idv_text_copy(r->station, sizeof(r->station), idv_str(s->c.station),
                          "station"));
    IDV_TRY(idv_text_copy(r->operator_, sizeof(r->operator_),
                          idv_str(s->c.operator_), "operator"));
    memcpy(r->device, s->seen.text, sizeof(r->device));
    return idvi_station_proves(s) ? proof_tpm(s, r) : proof_soft(s, r);
}

/* --- the book --------------------------------------------------------------
 */

static const EVP_PKEY *key_of(const struct idv_station *s)
{
    return idvi_station_proves(s) ? s->key.pub : s->soft;
}

/* not of what the book has the device for */
static bool is_another(const struct idv_factory_device *d,
                       const struct idv_factory_request *r)
{
    uint8_t was[IDV_FACTORY_REWORK];
    idvi_request_rework(idv_view(&d->request), was);
    return !idvi_is_zero(r->rework, sizeof(r->rework)) &&
           memcmp(was, r->rework, sizeof(was)) != 0;
}

/* What it is to be. A device that is half-way stays what it was; one that has
 * an identity, or was wiped, begins another when it is told to. */
static idv_rc plan(struct idv_station *s, const struct idv_factory_request *r,
                   struct idv_factory_device *d)
{
    const enum idv_factory_state from = d->state;
    const bool another = is_another(d, r);
    if (d->issue == 0 || from == IDV_DEVICE_WIPED ||
        (another && from >= IDV_DEVICE_ISSUED && from <= IDV_DEVICE_DONE)) {
        d->issue++;
        idv_buf_clear(&d->cert);
        idv_buf_clear(&d->iak_cert);
        idv_buf_clear(&d->reply);
    }
    d->state = from == IDV_DEVICE_ISSUED && !another ? IDV_DEVICE_ISSUED
                                                     : IDV_DEVICE_REQUESTED;
    d->profile = s->c.profile;
    memcpy(d->ek, s->seen.ek, sizeof(d->ek));
    memcpy(d->order, r->order, sizeof(d->order));
    memcpy(d->serial_number, r->serial_number, sizeof(d->serial_number));
    memcpy(d->station, r->station, sizeof(d->station));
    memcpy(d->operator_, r->operator_, sizeof(d->operator_));
    d->changed = r->created_on;
    if (!d->created)
        d->created = r->created_on;
    if (s->c.model)
        IDV_TRY(idv_text_copy(d->model, sizeof(d->model), idv_str(s->c.model),
                              "model"));
    return idv_key_fingerprint(key_of(s), d->key);
}

static idv_rc note_row(struct idv_station *s,
                       const struct idv_factory_request *r,
                       struct idv_bytes cms, enum idv_factory_why *why)
{
    struct idv_factory_device *d = &s->seen.device;
    const enum idv_factory_state from = d->state;
    IDV_TRY(plan(s, r, d));
    idv_buf_clear(&d->request);
    IDV_TRY(idv_buf_put(&d->request, cms));
    IDV_TRY(idvi_station_put(s, d, from, "requested", why));
    s->seen.known = true;
    return IDV_OK;
}

/* --- both ------------------------------------------------------------------
 */

static idv_rc make(struct idv_station *s, const uint8_t *challenge,
                   struct idv_buf *out, enum idv_factory_why *why)
{
    struct idv_factory_request r = {0};
    IDV_AUTO(buf) cms = {.max = IDV_MAX_BODY};
    const char *serial;
    IDV_TRY(serial_of(s, &serial));
    IDV_TRY(may(s, serial, why));
    IDV_TRY(idvi_station_before_keys(s));
    idv_rc rc = fill(s, serial, challenge, &r);
    if (rc == IDV_OK)
        rc = idv_factory_request_seal(&r, s->c.signer, s->c.signer_cert,
                                      s->c.signer_chain, &cms);
    if (rc == IDV_OK)
        rc = note_row(s, &r, idv_view(&cms), why);
    idv_factory_request_free(&r);
    IDV_TRY(rc);
    return idv_buf_put(out, idv_view(&cms));
}

static idv_rc repeat(struct idv_station *s, struct idv_buf *out,
                     enum idv_factory_why *why)
{
    const struct idv_factory_device *d = &s->seen.device;
    if (!idvi_station_halfway(s) || d->request.n == 0)
        return idvi_station_refuse(
            why, IDV_WHY_STORE,
            idv_fail(IDV_E_STATE, "the book has no request of this device"));
    return idv_buf_put(out, idv_view(&d->request));
}

idv_rc idv_station_request(struct idv_station *s,
                           const uint8_t challenge[IDV_FACTORY_CHALLENGE],
                           struct idv_buf *request, enum idv_factory_why *why)
{
    if (!s->c.signer || !s->c.signer_cert)
        return idv_fail(IDV_E_ARG, "station: a request needs its signer");
    idv_rc rc = idvi_station_begin(s, why);
    idvi_station_count(s, &s->calls.request);
    if (rc == IDV_OK)
        rc = challenge ? make(s, challenge, request, why)
                       : repeat(s, request, why);
    idvi_station_count(s, NULL);
    return idvi_station_said(rc, why);
}
