/* SPDX-License-Identifier: Apache-2.0 */
/* What is in the fixture: which device, what the book has of it, and whether it
 * has an identity already. */
#include <stdio.h>
#include <string.h>

#include <idevid/ek.h>

#include "factory/station_int.h"

#define LISTED 128

/* --- certificates ----------------------------------------------------------
 */

idv_rc idvi_station_serial(const X509 *cert, const char *wanted,
                           char out[static IDV_MAX_SERIAL + 1])
{
    const X509_NAME *name = X509_get_subject_name(cert);
    const int at = X509_NAME_get_index_by_NID(name, NID_serialNumber, -1);
    const ASN1_STRING *text =
        at < 0 ? NULL : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    if (!text || X509_NAME_get_index_by_NID(name, NID_serialNumber, at) >= 0)
        return idv_fail(IDV_E_REJECT, "certificate: not one serialNumber");
    IDV_TRY(idv_text_copy(out, IDV_MAX_SERIAL + 1,
                          idv_bytes(ASN1_STRING_get0_data(text),
                                    (size_t)ASN1_STRING_length(text)),
                          "certificate: serialNumber"));
    if (wanted && strcmp(out, wanted) != 0)
        return idv_fail(IDV_E_REJECT,
                        "certificate: for the serial number %s, "
                        "not %s",
                        out, wanted);
    return IDV_OK;
}

idv_rc idvi_station_chain(const struct idv_station *s, X509 *cert,
                          const STACK_OF(X509) * extra)
{
    const struct idv_chain_policy policy = {.anchors = s->c.anchors,
                                            .extra = extra,
                                            .check_time =
                                                idv_clock_trusted(s->c.env),
                                            .now = idv_now(s->c.env),
                                            .partial = true};
    return idv_chain_verify(cert, &policy);
}

static idv_rc verify(const X509 *cert, const EVP_MD *md, struct idv_bytes text,
                     struct idv_bytes sig)
{
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    EVP_PKEY *key = X509_get0_pubkey(cert);
    if (!ctx || !key || EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) != 1)
        return idv_fail(IDV_E_CRYPTO, "certificate: its key");
    if (EVP_DigestVerify(ctx, sig.p, sig.n, text.p, text.n) != 1)
        return idv_fail(IDV_E_REJECT,
                        "certificate: the device does not have its key");
    return IDV_OK;
}

idv_rc idvi_station_prove(const struct idv_station *s, EVP_PKEY *key,
                          const X509 *cert)
{
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    uint8_t text[32], sig[1024];
    size_t n = sizeof(sig);
    const EVP_MD *md = idv_digest_for(key);
    IDV_TRY(idv_random(s->c.env, text, sizeof(text)));
    if (!ctx || EVP_DigestSignInit(ctx, NULL, md, NULL, key) != 1 ||
        EVP_DigestSign(ctx, sig, &n, text, sizeof(text)) != 1)
        return idv_fail(IDV_E_DEVICE, "IDevID: the key does not sign");
    return verify(cert, md, idv_bytes(text, sizeof(text)), idv_bytes(sig, n));
}

/* by the key of this turn. A look changes nothing, so the dictionary-attack
 * parameters may not be set yet, and power lost now counts as one wrong try:
 * only of a device that has a certificate of its key, which no station leaves
 * before they are set, and one that the TPM forgets in its recovery time. */
static idv_rc prove_loaded(struct idv_station *s, const X509 *cert)
{
    IDV_AUTO(buf) sig = {0};
    uint8_t text[32];
    IDV_TRY(idv_random(s->c.env, text, sizeof(text)));
    IDV_TRY(idvi_station_sign(s, idv_bytes(text, sizeof(text)), &sig));
    return verify(cert, idv_digest_for(s->key.pub),
                  idv_bytes(text, sizeof(text)), idv_view(&sig));
}

/* --- the identity that it may have -----------------------------------------
 */

static bool is_for(const EVP_PKEY *key, const X509 *cert)
{
    const EVP_PKEY *theirs = X509_get0_pubkey(cert);
    return key && theirs && EVP_PKEY_eq(key, theirs) == 1;
}

/* Does the device have the certificate's key? Only what is the device's failure
 * is one. */
static idv_rc has_key(struct idv_station *s, const X509 *cert, bool *out)
{
    idv_rc rc;
    bool found;
    *out = false;
    if (idvi_station_proves(s)) {
        IDV_TRY(idvi_station_keys(s, false));
        if (!is_for(s->key.pub, cert))
            return IDV_OK;
        rc = prove_loaded(s, cert);
    } else {
        IDV_TRY(idvi_station_soft_open(s, &found));
        if (!found || !is_for(s->soft, cert))
            return IDV_OK;
        rc = idvi_station_prove(s, s->soft, cert);
    }
    *out = rc == IDV_OK;
    return rc == IDV_E_REJECT ? IDV_OK : rc;
}

/* a certificate that is not valid for us is there all the same */
static idv_rc judge(struct idv_station *s, X509 *cert, bool *valid)
{
    const bool older = *idv_note();
    IDV_TRY(has_key(s, cert, valid));
    if (!*valid)
        return IDV_OK;
    /* issuing CAs that are not among the anchors: the book's own row has it */
    *valid = idvi_station_chain(s, cert, s->c.chain) == IDV_OK &&
             idvi_station_serial(cert, NULL, s->seen.has_serial) == IDV_OK;
    if (!*valid && !older)
        idv_note_clear();
    return IDV_OK;
}

static idv_rc read_cert(struct idv_station *s, bool *found, struct idv_buf *der)
{
    bool locked;
    if (idvi_station_proves(s))
        return idvi_station_nv_get(s, IDVI_STATION_IDEVID_CERT, found, &locked,
                                   der);
    return idv_device_read(s->dev, s->cert_uri, found, der);
}

static idv_rc identity(struct idv_station *s)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO_PTR(X509) cert = NULL;
    bool found = false, valid = false;
    const bool older = *idv_note();
    IDV_TRY(read_cert(s, &found, &der));
    if (!found)
        return IDV_OK;
    if (idv_cert_from_der(idv_view(&der), &cert) == IDV_OK)
        IDV_TRY(judge(s, cert, &valid));
    else if (!older)
        idv_note_clear();
    s->seen.has_idevid = valid;
    s->seen.has_other = !valid;
    return IDV_OK;
}

/* --- which device ----------------------------------------------------------
 */

/* A TPM's certificate says what it is; another one is asked. */
static idv_rc describe(struct idv_station *s)
{
    struct idv_ek_info ek = {.maker = ""};
    const struct idv_device_info *i = &s->info;
    if (s->ek_cert && idv_ek_cert_info(s->ek_cert, &ek) == IDV_OK) {
        snprintf(s->seen.text, sizeof(s->seen.text), "%s %s %s", ek.maker,
                 ek.model, ek.version);
        return IDV_OK;
    }
    if (s->tpm)
        IDV_TRY(idv_device_info(s->dev, &s->info));
    snprintf(s->seen.text, sizeof(s->seen.text), "%.30s %.30s%s%.20s%s%.30s",
             i->maker, i->model, *i->firmware ? " " : "", i->firmware,
             *i->serial ? " " : "", i->serial);
    return IDV_OK;
}

static void list(struct idv_station *s, const uint32_t *listed, size_t n)
{
    s->free_idevid = s->free_iak = true;
    for (size_t i = 0; i < n; i++) {
        s->free_idevid =
            s->free_idevid && listed[i] != IDVI_STATION_IDEVID_CERT;
        s->free_iak = s->free_iak && listed[i] != IDVI_STATION_IAK_CERT;
    }
}

static idv_rc look_tpm(struct idv_station *s, enum idv_factory_why *why)
{
    uint32_t listed[LISTED];
    size_t n = LISTED;
    IDV_TRY(
        idvi_devid_indices(s->dev, 0x01C00000, 0x01CFFFFF, listed, &n, NULL));
    IDV_TRY(idvi_station_ek(s, listed, n, why));
    IDV_TRY(idv_key_fingerprint(s->ek.pub, s->seen.ek));
    IDV_TRY(idvi_station_row(s, why));
    list(s, listed, n);
    return s->free_idevid && idvi_station_proves(s) ? IDV_OK : identity(s);
}

static idv_rc look_token(struct idv_station *s, enum idv_factory_why *why)
{
    IDV_TRY(idv_device_info(s->dev, &s->info));
    idv_factory_token_id(s->info.maker, s->info.model, s->info.serial,
                         s->seen.ek);
    IDV_TRY(idvi_station_row(s, why));
    return identity(s);
}

idv_rc idvi_station_row(struct idv_station *s, enum idv_factory_why *why)
{
    struct idv_factory_device d = {0};
    bool found = false;
    idv_rc rc =
        s->c.store->find(s->c.store->self, IDV_BY_EK,
                         idv_bytes(s->seen.ek, sizeof(s->seen.ek)), &found, &d);
    if (rc != IDV_OK) {
        idv_factory_device_free(&d);
        return idvi_station_refuse(why, IDV_WHY_STORE, rc);
    }
    idv_factory_device_free(&s->seen.device);
    s->seen.device = d;
    s->seen.known = found;
    return IDV_OK;
}

bool idvi_station_halfway(const struct idv_station *s)
{
    const enum idv_factory_state at = s->seen.device.state;
    return s->seen.known &&
           (at == IDV_DEVICE_REQUESTED || at == IDV_DEVICE_ISSUED);
}

idv_rc idvi_station_look(struct idv_station *s, enum idv_factory_why *why)
{
    idvi_station_count(s, &s->calls.look);
    idv_station_seen_free(&s->seen);
    X509_free(s->ek_cert);
    s->ek_cert = NULL;
    IDV_TRY(s->tpm ? look_tpm(s, why) : look_token(s, why));
    IDV_TRY(describe(s));
    s->looked = true;
    return IDV_OK;
}

/* --- for the caller --------------------------------------------------------
 */

static idv_rc copy_buf(const struct idv_buf *from, struct idv_buf *to)
{
    *to = (struct idv_buf){.max = from->max, .secret = from->secret};
    return from->n ? idv_buf_put(to, idv_view(from)) : IDV_OK;
}

static idv_rc copy(const struct idv_station_seen *from,
                   struct idv_station_seen *to)
{
    const struct idv_factory_device *d = &from->device;
    *to = *from;
    idv_rc rc[] = {copy_buf(&d->cert, &to->device.cert),
                   copy_buf(&d->iak_cert, &to->device.iak_cert),
                   copy_buf(&d->request, &to->device.request),
                   copy_buf(&d->reply, &to->device.reply),
                   copy_buf(&d->escrow, &to->device.escrow)};
    for (size_t i = 0; i < sizeof(rc) / sizeof(*rc); i++) {
        if (rc[i] != IDV_OK) {
            idv_station_seen_free(to);
            return rc[i];
        }
    }
    return IDV_OK;
}

idv_rc idv_station_look(struct idv_station *s, struct idv_station_seen *out,
                        enum idv_factory_why *why)
{
    s->looked = false;
    idv_rc rc = idvi_station_begin(s, why);
    if (rc == IDV_OK)
        rc = copy(&s->seen, out);
    idvi_station_count(s, NULL);
    return idvi_station_said(rc, why);
}
