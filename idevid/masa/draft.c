/* SPDX-License-Identifier: Apache-2.0 */
/* What was before vouchers: the requests, audit tokens and logs of
 * draft-ietf-anima-bootstrapping-keyinfra-02. */
#include <string.h>

#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <idevid/codec.h>
#include <idevid/json.h>
#include <idevid/text.h>

#include "idevid/masa/masa_call.h"
#include "idevid/masa/people.h"

/* --- the request ---------------------------------------------------------- */

bool idvi_masa_is_draft_media(const char *media)
{
    return idv_media_is(media, IDVI_MASA_TOKEN) ||
           idv_media_is(media, "application/auditnonce");
}

/* No more than these, so that nothing is a voucher-request as well. */
static idv_rc check_members(const struct idv_json *said)
{
    static const char *const known[] = {"nonce", "serialnumber",
                                        "OwnershipValidation"};
    const char *name = NULL;
    if (idv_json_type(said) != IDV_JSON_OBJECT)
        return idv_fail(IDV_E_FORMAT, "audit token request: no object");
    for (size_t i = 0; idv_json_at(said, i, &name); i++) {
        size_t k = 0;
        while (k < 3 && strcmp(name, known[k]) != 0)
            k++;
        if (k == 3)
            return idv_fail(IDV_E_FORMAT,
                            "audit token request: unknown member '%.40s'",
                            name);
    }
    return IDV_OK;
}

static idv_rc take_text(const struct idv_json *said, const char *name,
                        char *out, size_t n)
{
    const struct idv_json *value = idv_json_get(said, name);
    const char *text = idv_json_text(value);
    if (!value)
        return IDV_OK;
    if (!text)
        return idv_fail(IDV_E_FORMAT, "audit token request: %s is no text",
                        name);
    return idv_text_copy(out, n, idv_str(text), name);
}

/* The writer of voucher-requests judges it: the fault is the sender's. */
static idv_rc check_content(const struct idv_voucher *v)
{
    IDV_AUTO(buf) unused = {.max = IDV_MAX_BODY};
    idv_rc rc = idv_voucher_to_json(v, &unused);
    return rc == IDV_E_ARG
               ? idv_fail(IDV_E_FORMAT, "audit token request: malformed")
               : rc;
}

idv_rc idvi_masa_read_draft(struct idv_bytes payload, struct idv_voucher *out)
{
    IDV_AUTO_PTR(idv_json) said = NULL;
    IDV_TRY(idv_json_parse(payload, 0, &said));
    IDV_TRY(check_members(said));
    IDV_TRY(take_text(said, "serialnumber", out->serial_number,
                      sizeof(out->serial_number)));
    IDV_TRY(take_text(said, "nonce", out->nonce, sizeof(out->nonce)));
    return check_content(out);
}

/* --- may it be answered --------------------------------------------------- */

static X509 *farthest(const struct idvi_masa_call *c)
{
    return sk_X509_value(c->chain, sk_X509_num(c->chain) - 1);
}

static bool has_domain_ca(const struct idvi_masa_call *c)
{
    X509 *ca = farthest(c);
    return idv_cert_is_ca(ca) && X509_check_issued(ca, ca) == X509_V_OK;
}

idv_rc idvi_masa_check_draft(struct idvi_masa_call *c)
{
    if (!c->draft)
        return IDV_OK;
    if (!c->rvr.nonce[0])
        return idvi_refuse(&c->no, 403, "token-nonceless",
                           "no audit token without nonce");
    if (c->policy.pin != IDV_PIN_FARTHEST)
        return idvi_refuse(&c->no, 403, "token-pin",
                           "no audit tokens for this device");
    if (!has_domain_ca(c))
        return idvi_refuse(&c->no, 403, "no-domain-ca",
                           "the domain CA's certificate is missing");
    return IDV_OK;
}

/* --- the token ------------------------------------------------------------ */

static idv_rc domain_of(const X509 *ca, struct idv_buf *text)
{
    uint8_t hash[SHA_DIGEST_LENGTH];
    if (X509_pubkey_digest(ca, EVP_sha1(), hash, NULL) != 1)
        return idv_fail(IDV_E_CRYPTO, "domain CA: digest of its key");
    return idv_base64_from_bytes(idv_bytes(hash, sizeof(hash)), 0, text);
}

idv_rc idvi_masa_put_token(const struct idvi_masa_call *c,
                           const struct idv_voucher *v, struct idv_buf *out)
{
    IDV_AUTO(buf) domain = {0};
    IDV_AUTO_PTR(idv_json) token = idv_json_new_object();
    IDV_TRY(domain_of(c->pin, &domain));
    IDV_TRY(idv_json_set(token, "nonce", idv_json_new_text(idv_str(v->nonce))));
    IDV_TRY(idv_json_set(token, "serialnumber",
                         idv_json_new_text(idv_str(v->serial_number))));
    IDV_TRY(
        idv_json_set(token, "domainID", idv_json_new_text(idv_view(&domain))));
    return idv_json_dump(token, false, out);
}

/* --- the log -------------------------------------------------------------- */

/* Its own CA as a token has it: the log has the subjectKeyIdentifier, which
 * may be another hash. */
struct own {
    struct idv_buf ours, theirs;
};

static idv_rc find_own(const struct idvi_masa_call *c, struct own *own)
{
    idv_rc rc = idv_domain_id_proven(farthest(c), &own->ours);
    if (rc == IDV_E_REJECT) {
        idv_note_clear();
        return IDV_OK;
    }
    IDV_TRY(rc);
    return domain_of(farthest(c), &own->theirs);
}

static idv_rc put_event(struct idv_json *events, const struct own *own,
                        const struct idv_audit_event *e)
{
    IDV_AUTO_PTR(idv_json) to = idv_json_new_object();
    struct idv_bytes domain = idv_str(e->domain_id);
    char date[IDV_TIME_TEXT];
    if (own->theirs.n && idv_bytes_eq(domain, idv_view(&own->ours)))
        domain = idv_view(&own->theirs);
    IDV_TRY(idv_time_to_text(e->date, date));
    IDV_TRY(idv_json_set(to, "date", idv_json_new_text(idv_str(date))));
    IDV_TRY(idv_json_set(to, "domainID", idv_json_new_text(domain)));
    IDV_TRY(idv_json_set(to, "nonce",
                         e->nonce[0] ? idv_json_new_text(idv_str(e->nonce))
                                     : idv_json_new_null()));
    return idv_json_append(events, idv_steal(&to));
}

static idv_rc write_log(const struct own *own, const struct idv_audit_log *log,
                        struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) root = idv_json_new_object();
    IDV_AUTO_PTR(idv_json) events = idv_json_new_array();
    if (!root || !events)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (size_t i = 0; i < log->n; i++)
        IDV_TRY(put_event(events, own, &log->events[i]));
    IDV_TRY(idv_json_set(root, "log", idv_steal(&events)));
    return idv_json_dump(root, false, out);
}

idv_rc idvi_masa_put_draft_log(struct idvi_masa_call *c,
                               const struct idv_audit_log *log,
                               struct idv_buf *out)
{
    struct own own = {0};
    idv_rc rc = log->arbitrary ? idv_fail(IDV_E_LIMIT, "audit log: not whole")
                               : find_own(c, &own);
    if (rc == IDV_OK)
        rc = write_log(&own, log, out);
    idv_buf_free(&own.ours);
    idv_buf_free(&own.theirs);
    return idvi_judge(&c->no, rc, 403, "log-not-whole",
                      "the log is too long for this form");
}
