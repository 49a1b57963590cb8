/* SPDX-License-Identifier: Apache-2.0 */
/* What the book has of a device, and whether it gets an identity. */
#include <string.h>

#include <idevid/x509.h>

#include "factory/desk_int.h"
#include "factory/fields.h"
#include "factory/request.h"

void idvi_case_free(struct idvi_case *c)
{
    idv_factory_device_free(&c->row);
    memset(c, 0, sizeof(*c));
}

idv_rc idvi_store_because(enum idv_factory_why *why, idv_rc rc)
{
    if (rc != IDV_OK)
        *why = IDV_WHY_STORE;
    return rc;
}

/* --- other devices -------------------------------------------------------- */

/* whether the hash is another device's; row is of that one then */
static idv_rc find_other(const struct idv_desk_conf *conf,
                         enum idv_factory_by by, const uint8_t hash[32],
                         const char *serial, bool *other,
                         struct idv_factory_device *row)
{
    bool found = false;
    IDV_TRY(conf->store->find(conf->store->self, by, idv_bytes(hash, 32),
                              &found, row));
    *other = found && strcmp(row->serial_number, serial) != 0;
    return IDV_OK;
}

static idv_rc refuse_other(const struct idv_desk_conf *conf,
                           enum idv_factory_by by, const uint8_t hash[32],
                           const struct idv_factory_request *r,
                           enum idv_factory_why *why)
{
    struct idv_factory_device row = {0};
    bool other = false;
    IDV_TRY(idvi_store_because(
        why, find_other(conf, by, hash, r->serial_number, &other, &row)));
    idv_rc rc = IDV_OK;
    if (other && row.state == IDV_DEVICE_RETIRED) {
        *why = IDV_WHY_RETIRED;
        rc = idv_fail(IDV_E_REJECT,
                      "device '%s': was retired as '%s' of order '%s'",
                      r->serial_number, row.serial_number, row.order);
    } else if (other) {
        *why = IDV_WHY_DUPLICATE;
        rc = idv_fail(IDV_E_REJECT,
                      "device '%s': its %s is that of '%s' of order '%s'",
                      r->serial_number,
                      by == IDV_BY_EK ? "endorsement key or token" : "key",
                      row.serial_number, row.order);
    }
    idv_factory_device_free(&row);
    return rc;
}

/* --- this device ---------------------------------------------------------- */

static bool has_identity(const struct idv_factory_device *row)
{
    return row->state == IDV_DEVICE_ISSUED ||
           row->state == IDV_DEVICE_INSTALLED || row->state == IDV_DEVICE_DONE;
}

static bool is_of(const struct idv_buf *der, const EVP_PKEY *key)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    if (!key || der->n == 0)
        return der->n == 0;
    bool same = idv_cert_from_der(idv_view(der), &cert) == IDV_OK &&
                EVP_PKEY_eq(X509_get0_pubkey(cert), key) == 1;
    idv_note_clear();
    return same;
}

/* The same device with the same keys, proved the same way. */
static bool is_same(const struct idv_factory_device *row,
                    const struct idv_factory_request *r,
                    const struct idv_desk_proof *proof)
{
    return row->cert.n > 0 && row->profile == r->profile &&
           memcmp(row->key, proof->key_id, 32) == 0 &&
           memcmp(row->ek, proof->ek_id, 32) == 0 &&
           is_of(&row->iak_cert, proof->iak);
}

/* The rework that the book's certificates were made for comes again: it gets
 * those, not yet others. */
static bool is_retry(const struct idv_factory_device *row,
                     const struct idv_factory_request *r)
{
    uint8_t was[IDV_FACTORY_REWORK];
    idvi_request_rework(idv_view(&row->request), was);
    return memcmp(was, r->rework, sizeof(was)) == 0;
}

static idv_rc judge_owner(const struct idv_factory_device *row,
                          const struct idv_factory_request *r,
                          const struct idv_desk_proof *proof,
                          enum idv_factory_why *why)
{
    if (row->state == IDV_DEVICE_RETIRED) {
        *why = IDV_WHY_RETIRED;
        return idv_fail(IDV_E_REJECT, "device '%s': was retired",
                        r->serial_number);
    }
    if (!idvi_is_zero(row->ek, 32) && memcmp(row->ek, proof->ek_id, 32) != 0) {
        *why = IDV_WHY_DUPLICATE;
        return idv_fail(IDV_E_REJECT,
                        "device '%s': the serial number is that of a device "
                        "with another endorsement key or token",
                        r->serial_number);
    }
    return IDV_OK;
}

static idv_rc settle(const struct idv_factory_request *r,
                     const struct idv_desk_proof *proof, struct idvi_case *c,
                     enum idv_factory_why *why)
{
    const struct idv_factory_device *row = &c->row;
    IDV_TRY(judge_owner(row, r, proof, why));
    if (!has_identity(row))
        return IDV_OK;
    bool same = is_same(row, r, proof);
    if (!idvi_is_zero(r->rework, sizeof(r->rework))) {
        c->repeat = same && is_retry(row, r);
        return IDV_OK;
    }
    c->repeat = same;
    if (same)
        return IDV_OK;
    *why = IDV_WHY_HAS_ONE;
    return idv_fail(IDV_E_REJECT,
                    "device '%s': has an identity with another key or proof, "
                    "and the request is of no rework",
                    r->serial_number);
}

static idv_rc find(const struct idv_desk_conf *conf,
                   const struct idv_factory_request *r,
                   const struct idv_desk_proof *proof, struct idvi_case *c,
                   enum idv_factory_why *why)
{
    bool found = false;
    IDV_TRY(idvi_store_because(
        why, conf->store->find(conf->store->self, IDV_BY_SERIAL,
                               idv_str(r->serial_number), &found, &c->row)));
    IDV_TRY(refuse_other(conf, IDV_BY_EK, proof->ek_id, r, why));
    IDV_TRY(refuse_other(conf, IDV_BY_KEY, proof->key_id, r, why));
    if (found && c->row.state == IDV_DEVICE_RELEASED) {
        idvi_case_free(c); /* as if it had never been a device's */
        found = false;
    }
    return found ? settle(r, proof, c, why) : IDV_OK;
}

idv_rc idvi_case_find(const struct idv_desk_conf *conf,
                      const struct idv_factory_request *r,
                      const struct idv_desk_proof *proof, struct idvi_case *out,
                      enum idv_factory_why *why)
{
    memset(out, 0, sizeof(*out));
    idv_rc rc = find(conf, r, proof, out, why);
    if (rc != IDV_OK)
        idvi_case_free(out);
    return rc;
}
