/* SPDX-License-Identifier: Apache-2.0 */
/* The self test: the identity as its owner will find it, signing, read back and
 * verified; and the end of the line. */
#include <string.h>

#include "factory/station_int.h"

/* --- what is in the device -------------------------------------------------
 */

static idv_rc absent(const char *what)
{
    return idv_fail(IDV_E_REJECT, "the device has no %s certificate", what);
}

static idv_rc unlocked(const char *what)
{
    return idv_fail(IDV_E_REJECT,
                    "the %s certificate in the device can be written over",
                    what);
}

static idv_rc read_nv(struct idv_station *s, uint32_t index, const char *what,
                      struct idv_buf *der)
{
    bool found, locked = false;
    IDV_TRY(idvi_station_nv_get(s, index, &found, &locked, der));
    if (!found)
        return absent(what);
    return locked || !idvi_station_locks(s) ? IDV_OK : unlocked(what);
}

static idv_rc read_idevid(struct idv_station *s, struct idv_buf *der)
{
    struct idv_object o = {0};
    bool found = false;
    if (idvi_station_proves(s))
        return read_nv(s, IDVI_STATION_IDEVID_CERT, "IDevID", der);
    IDV_TRY(idv_device_inspect(s->dev, s->cert_uri, &found, &o, der));
    if (!found)
        return absent("IDevID");
    return o.write_locked || !idvi_station_locks(s) ? IDV_OK
                                                    : unlocked("IDevID");
}

/* --- is it what the book has? ----------------------------------------------
 */

static idv_rc is_booked(const struct idv_buf *booked, const struct idv_buf *der,
                        const char *what)
{
    if (booked->n == 0 || idv_bytes_eq(idv_view(booked), idv_view(der)))
        return IDV_OK;
    return idv_fail(IDV_E_REJECT,
                    "the %s certificate in the device is not the one in the "
                    "book",
                    what);
}

static idv_rc check_cert(struct idv_station *s, const struct idv_buf *der,
                         const struct idv_buf *booked, const char *what,
                         X509 **out)
{
    char serial[IDV_MAX_SERIAL + 1];
    const char *wanted =
        s->seen.known ? s->seen.device.serial_number : s->c.serial_number;
    IDV_TRY(is_booked(booked, der, what));
    IDV_TRY(idv_cert_from_der(idv_view(der), out));
    IDV_TRY(idvi_station_serial(*out, wanted, serial));
    return idvi_station_chain(s, *out, s->c.chain);
}

/* opened anew each time: as whoever comes next does it */
static idv_rc sign_with(struct idv_station *s, const X509 *cert)
{
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    IDV_TRY(idv_key_open(s->key_uri, s->c.pin, &key));
    return idvi_station_prove(s, key, cert);
}

static idv_rc test_idevid(struct idv_station *s)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_TRY(read_idevid(s, &der));
    IDV_TRY(check_cert(s, &der, &s->seen.device.cert, "IDevID", &cert));
    return sign_with(s, cert);
}

/* An IAK signs what a TPM says only; that its certificate is for the key at its
 * handle is what there is to see. */
static idv_rc test_iak(struct idv_station *s)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO_PTR(X509) cert = NULL;
    struct idvi_station_key iak = {0};
    if (s->c.profile != IDV_PROFILE_TCG)
        return IDV_OK;
    IDV_TRY(read_nv(s, IDVI_STATION_IAK_CERT, "IAK", &der));
    IDV_TRY(check_cert(s, &der, &s->seen.device.iak_cert, "IAK", &cert));
    idv_rc rc = idvi_station_make(s, HWK_DEVID_IAK, s->c.type, 0,
                                  IDVI_STATION_IAK, &iak);
    if (rc == IDV_OK && EVP_PKEY_eq(iak.pub, X509_get0_pubkey(cert)) != 1)
        rc = idv_fail(IDV_E_REJECT, "the IAK is not the certificate's");
    if (rc == IDV_OK && iak.born.fresh)
        rc = idv_fail(IDV_E_REJECT, "the IAK is not at handle 0x%08X",
                      IDVI_STATION_IAK);
    if (iak.born.fresh)
        idvi_station_drop(s, &iak);
    idvi_station_key_clear(&iak);
    return rc;
}

idv_rc idvi_station_test(struct idv_station *s, enum idv_factory_why *why)
{
    idvi_station_count(s, &s->calls.self_test);
    idv_rc rc = test_idevid(s);
    if (rc == IDV_OK)
        rc = test_iak(s);
    if (rc == IDV_OK)
        rc = idvi_station_locked_down(s);
    if (rc == IDV_E_REJECT || rc == IDV_E_FORMAT)
        *why = IDV_WHY_CERT;
    return rc;
}

/* The keys of the look go: the test is to find its own, and TPMs have room for
 * three. */
static idv_rc without_keys(struct idv_station *s, enum idv_factory_why *why)
{
    idv_station_rest(s);
    return idvi_station_begin(s, why);
}

/* --- the end of the line ---------------------------------------------------
 */

static idv_rc finish(struct idv_station *s, enum idv_factory_why *why)
{
    struct idv_factory_device *d = &s->seen.device;
    IDV_TRY(without_keys(s, why));
    IDV_TRY(idvi_station_row(s, why));
    const enum idv_factory_state from = d->state;
    if (!s->seen.known ||
        (from != IDV_DEVICE_INSTALLED && from != IDV_DEVICE_DONE))
        return idv_fail(IDV_E_STATE, "the book does not have the device's "
                                     "identity as installed");
    idvi_station_count(s, &s->calls.lockdown);
    IDV_TRY(idvi_station_lockdown(s, why));
    IDV_TRY(idvi_station_test(s, why));
    if (from == IDV_DEVICE_DONE)
        return IDV_OK;
    d->state = IDV_DEVICE_DONE;
    d->changed = idv_now(s->c.env);
    return idvi_station_put(s, d, from, "done", why);
}

idv_rc idv_station_finish(struct idv_station *s, enum idv_factory_why *why)
{
    idv_rc rc = idvi_station_begin(s, why);
    if (rc == IDV_OK)
        rc = finish(s, why);
    idv_station_rest(s);
    idvi_station_count(s, NULL);
    return idvi_station_said(rc, why);
}

static idv_rc verify(struct idv_station *s, enum idv_factory_why *why)
{
    if (s->seen.known && s->seen.device.state == IDV_DEVICE_RETIRED)
        return idvi_station_refuse(why, IDV_WHY_RETIRED,
                                   idv_fail(IDV_E_REJECT, "%s was retired",
                                            s->seen.device.serial_number));
    IDV_TRY(without_keys(s, why));
    return idvi_station_test(s, why);
}

idv_rc idv_station_verify(struct idv_station *s, enum idv_factory_why *why)
{
    idv_rc rc = idvi_station_begin(s, why);
    if (rc == IDV_OK)
        rc = verify(s, why);
    idv_station_rest(s);
    idvi_station_count(s, NULL);
    return idvi_station_said(rc, why);
}
