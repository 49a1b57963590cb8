/* SPDX-License-Identifier: Apache-2.0 */
/* What a device asks an issuing CA elsewhere for: the template's extensions,
 * which the desk holds the answer to. The device signs what it asks, so that
 * nobody puts them in on the way. */
#include <string.h>

#include <idevid/codec.h>
#include <idevid/ek.h>

#include "factory/desk_int.h"
#include "factory/station_int.h"

/* what the desk will know of it */
struct known {
    struct idvi_facts facts;
    char hw_serial[IDV_MAX_HW_SERIAL + 1];
    struct idv_buf ek_sha256;
};

static const char *text_or_none(const char *text)
{
    return text ? text : "";
}

static idv_rc ek_facts(const struct idv_station *s, struct known *k)
{
    uint8_t hash[32];
    const struct idv_bytes ek = idv_bytes(s->ek.born.pub, s->ek.born.pub_n);
    IDV_TRY(idv_ek_hw_serial(s->ek_cert, ek, k->hw_serial));
    if (!s->ek_cert)
        return IDV_OK;
    IDV_TRY(idv_cert_sha256(s->ek_cert, hash));
    return idv_hex_from_bytes(idv_bytes(hash, sizeof(hash)), &k->ek_sha256);
}

static idv_rc know(const struct idv_station *s, const char *serial,
                   struct known *k)
{
    if (idvi_station_proves(s))
        IDV_TRY(ek_facts(s, k));
    else
        IDV_TRY(idv_text_copy(k->hw_serial, sizeof(k->hw_serial),
                              idv_str(s->info.serial),
                              "device: serial number"));
    k->facts = (struct idvi_facts){
        .serial = serial,
        .order = text_or_none(s->c.order),
        .model = text_or_none(s->c.model),
        .sku = text_or_none(s->c.sku),
        .mac = text_or_none(s->c.mac),
        .hw_serial = k->hw_serial,
        .ek_sha256 = k->ek_sha256.n ? (const char *)k->ek_sha256.p : "",
    };
    return IDV_OK;
}

static idv_rc fill(const struct idv_station *s, const struct known *k,
                   const EVP_PKEY *key, STACK_OF(X509_EXTENSION) * *out)
{
    static const struct idv_desk_template none;
    const struct idv_factory_request r = {.profile = s->c.profile};
    const bool proves = idvi_station_proves(s);
    const struct idv_desk_proof proof = {.residency = proves, .fixed = proves};
    struct idvi_filled f;
    IDV_TRY(idvi_template_fill(s->c.template ? s->c.template : &none, &k->facts,
                               &r, &proof, IDV_CERT_IDEVID, &f));
    idv_rc rc = idv_cert_extensions(&f.spec, key, out);
    idvi_filled_free(&f);
    return rc;
}

idv_rc idvi_station_asks(const struct idv_station *s, const char *serial,
                         const EVP_PKEY *key, STACK_OF(X509_EXTENSION) * *out)
{
    struct known k = {0};
    if (!s->c.template && !idvi_station_proves(s)) {
        *out = NULL;
        return IDV_OK;
    }
    idv_rc rc = know(s, serial, &k);
    if (rc == IDV_OK)
        rc = fill(s, &k, key, out);
    idv_buf_free(&k.ek_sha256);
    return rc;
}
