/* SPDX-License-Identifier: Apache-2.0 */
/* A registrar's request: who signed it, what it says, which device it means. */
#include <string.h>

#include "idevid/masa/masa_call.h"

#define AHEAD_S 600 /* clocks differ by this much at most */

static idv_rc check_media(struct idvi_masa_call *c)
{
    const char *media = c->call->req.media;
    if (c->draft ? !idvi_masa_is_draft_media(media)
                 : !idv_envelope_known(media))
        return idvi_refuse(&c->no, 415, "media", "unsupported media type");
    return IDV_OK;
}

static idv_rc open_container(struct idvi_masa_call *c)
{
    const struct idv_msg *req = &c->call->req;
    idv_rc rc = idvi_carried_take(&c->request, &req->body);
    IDV_TRY(idvi_judge(&c->no, rc, 400, "base64", "malformed request"));
    IDV_TRY(idv_sha256(c->request.bytes, c->rvr_sha256));
    rc = idv_envelope_open(c->draft ? IDV_MEDIA_VOUCHER_CMS : req->media,
                           c->request.bytes, &c->opened);
    IDV_TRY(idvi_judge(&c->no, rc, 400, "container", "malformed request"));
    if (!c->opened.signer)
        return idvi_refuse(&c->no, 403, "no-signer-cert",
                           "no signer certificate");
    return IDV_OK;
}

/* --- who signed it -------------------------------------------------------- */

static idv_rc verify_signer(struct idvi_masa_call *c)
{
    IDV_TRY(idvi_masa_chain(c));
    idv_rc rc = idv_envelope_verify_signature(&c->opened, NULL);
    return idvi_judge(&c->no, rc, 403, "signature", "bad signature");
}

/* The most specific certificate that is known decides. */
static idv_rc look_up_registrar(struct idvi_masa_call *c)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    bool found = false;
    for (int i = 0; i < sk_X509_num(c->chain) && !found; i++) {
        uint8_t hash[32];
        IDV_TRY(idv_cert_sha256(sk_X509_value(c->chain, i), hash));
        IDV_TRY(
            store->registrar_find(store->self, hash, &found, &c->registrar));
    }
    c->registrar_known = found;
    if (c->registrar.blocked)
        return idvi_refuse(&c->no, 403, "registrar-blocked",
                           "registrar is not served");
    return IDV_OK;
}

/* --- the content ---------------------------------------------------------- */

static idv_rc read_content(struct idvi_masa_call *c)
{
    struct idv_bytes said = idv_view(&c->opened.payload);
    idv_rc rc = c->draft ? idvi_masa_read_draft(said, &c->rvr)
                         : idv_voucher_from(c->opened.media, said,
                                            IDV_VOUCHER_REQUEST, &c->rvr);
    return idvi_judge(&c->no, rc, 400, "content", "malformed request");
}

static idv_rc check_age(struct idvi_masa_call *c)
{
    int64_t t = c->rvr.created_on;
    if (t == IDV_TIME_ABSENT || !idv_clock_trusted(c->masa->env))
        return IDV_OK;
    if (t > c->now + AHEAD_S || t < c->now - c->masa->conf.max_age_s)
        return idvi_refuse(&c->no, 403, "stale", "stale request");
    return IDV_OK;
}

static const struct idv_masa_maker *maker_of(const struct idvi_masa_call *c)
{
    const struct idv_masa_conf *conf = &c->masa->conf;
    for (size_t i = 0; i < conf->n_makers; i++) {
        if (strcmp(conf->makers[i].name, c->device.maker) == 0)
            return &conf->makers[i];
    }
    return c->device.maker[0] ? NULL : &conf->makers[0];
}

static idv_rc find_device(struct idvi_masa_call *c)
{
    const struct idv_masa_store *store = c->masa->conf.store;
    IDV_AUTO(buf) keyid = {0};
    bool found = false;
    if (c->rvr.idevid_issuer.n) {
        idv_rc rc =
            idv_idevid_issuer_keyid(idv_view(&c->rvr.idevid_issuer), &keyid);
        IDV_TRY(idvi_judge(&c->no, rc, 400, "idevid-issuer",
                           "malformed idevid-issuer"));
    }
    IDV_TRY(store->device_find(store->self, idv_view(&keyid),
                               c->rvr.serial_number, &found, &c->device));
    if (!found)
        return idvi_refuse(&c->no, 404, "device-unknown", "unknown device");
    c->maker = maker_of(c);
    if (!c->maker)
        return idvi_refuse(&c->no, 404, "maker-unknown", "unknown device");
    return idvi_masa_read_policy(c);
}

/* --- what follows from the chain ------------------------------------------ */

static idv_rc choose_pin(struct idvi_masa_call *c)
{
    IDV_AUTO(buf) id = {0};
    IDV_AUTO(buf) text = {0};
    c->pin = idvi_masa_pin_of(c);
    IDV_TRY(idv_domain_id(c->pin, &id));
    IDV_TRY(idv_base64_from_bytes(idv_view(&id), 0, &text));
    if (text.n >= sizeof(c->domain_id))
        return idvi_refuse(&c->no, 403, "domain-id",
                           "subject key identifier too long");
    memcpy(c->domain_id, text.p, text.n + 1);
    return IDV_OK;
}

idv_rc idvi_masa_open(struct idvi_masa_call *c)
{
    IDV_TRY(check_media(c));
    IDV_TRY(open_container(c));
    IDV_TRY(verify_signer(c));
    IDV_TRY(idvi_masa_limit_registrar(c));
    IDV_TRY(look_up_registrar(c));
    IDV_TRY(read_content(c));
    IDV_TRY(check_age(c));
    IDV_TRY(find_device(c));
    IDV_TRY(idvi_masa_check_revocation(c));
    return choose_pin(c);
}
