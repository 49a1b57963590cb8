/* SPDX-License-Identifier: Apache-2.0 */
/* What a device that was judged gets: certificates, once, sealed to it. */
#include <string.h>

#include <openssl/evp.h>

#include <idevid/json.h>
#include <idevid/x509.h>

#include "factory/desk_int.h"
#include "tpm/credential.h"

#define ACTIVATION 32 /* no EK's nameAlg digests to less */

/* --- the reply ------------------------------------------------------------ */

/* sealed to the TPM that made the proof; nobody else opens it */
static idv_rc seal(struct idv_desk *d, const struct idv_desk_proof *proof,
                   struct idv_bytes bag, struct idv_factory_reply *reply)
{
    struct idvi_tpm_public ek;
    uint8_t secret[ACTIVATION];
    struct idv_bytes s = idv_bytes(secret, sizeof(secret));
    IDV_TRY(idvi_tpm_public_from_bytes(idv_view(&proof->ek_public), &ek));
    IDV_TRY(idv_random(d->conf.env, secret, sizeof(secret)));
    idv_rc rc =
        idvi_credential_make(&ek, idv_view(&proof->activated_name), s,
                             d->conf.env, &reply->credential, &reply->secret);
    if (rc == IDV_OK)
        rc = idv_factory_reply_seal(reply, s, bag, d->conf.env);
    OPENSSL_cleanse(secret, sizeof(secret));
    return rc;
}

static idv_rc fill_reply(struct idv_desk *d,
                         const struct idv_factory_request *r,
                         const struct idv_desk_proof *proof,
                         struct idv_bytes request, const struct idvi_made *m,
                         struct idv_factory_reply *reply)
{
    IDV_AUTO(buf) bag = {0};
    reply->profile = r->profile;
    memcpy(reply->order, r->order, sizeof(reply->order));
    memcpy(reply->serial_number, r->serial_number,
           sizeof(reply->serial_number));
    if (EVP_Digest(request.p, request.n, reply->request_sha256, NULL,
                   EVP_sha256(), NULL) != 1)
        return idv_fail(IDV_E_CRYPTO, "reply: SHA-256");
    IDV_TRY(idvi_certs_bag(&d->conf, m, &bag));
    if (proof->residency)
        return seal(d, proof, idv_view(&bag), reply);
    idv_buf_move(&reply->bag, &bag);
    return IDV_OK;
}

static idv_rc make_reply(struct idv_desk *d,
                         const struct idv_factory_request *r,
                         const struct idv_desk_proof *proof,
                         struct idv_bytes request, const struct idvi_made *m,
                         struct idv_buf *out, enum idv_factory_why *why)
{
    struct idv_factory_reply reply = {.has_next = true};
    idv_rc rc = idvi_challenge_make(d, r->order, reply.next_challenge, why);
    if (rc == IDV_OK)
        rc = idvi_because(why, IDV_WHY_CERT,
                          fill_reply(d, r, proof, request, m, &reply));
    if (rc == IDV_OK)
        rc = idvi_because(why, IDV_WHY_CERT,
                          idv_factory_reply_to_json(&reply, out));
    idv_factory_reply_free(&reply);
    return rc;
}

/* --- once more, or anew --------------------------------------------------- */

void idvi_passage_free(struct idvi_passage *p)
{
    idv_factory_request_free(&p->r);
    idv_desk_proof_free(&p->proof);
    idv_buf_free(&p->device_json);
    idvi_case_free(&p->book);
    idvi_made_free(&p->made);
    idv_buf_free(&p->reply);
}

static idv_rc put_word(struct idv_json *o, const char *name, const char *text)
{
    return *text ? idv_json_set(o, name, idv_json_new_text(idv_str(text)))
                 : IDV_OK;
}

idv_rc idvi_desk_body(const struct idvi_passage *p, const char *why,
                      const char *text, struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(put_word(o, "order", p->r.order));
    IDV_TRY(put_word(o, "station", p->r.station));
    IDV_TRY(put_word(o, "operator", p->r.operator_));
    IDV_TRY(put_word(o, "dialect", p->proof.dialect ? p->proof.dialect : ""));
    IDV_TRY(put_word(o, "hardware", p->r.device));
    IDV_TRY(put_word(o, "why", why));
    IDV_TRY(put_word(o, "text", text));
    return idv_json_dump(o, false, out);
}

static idv_rc fill_row(struct idv_desk *d, struct idvi_passage *p,
                       struct idv_bytes request, struct idv_factory_device *row)
{
    IDV_AUTO_PTR(idv_json) device = NULL;
    IDV_TRY(idv_json_parse(idv_view(&p->device_json), 0, &device));
    const char *model = idv_json_text(idv_json_get(device, "model"));
    row->profile = p->r.profile;
    row->state = IDV_DEVICE_ISSUED;
    if (row->cert.n || !row->issue) /* a station that shares the book counted */
        row->issue++;
    row->changed = idv_now(d->conf.env);
    if (!row->created)
        row->created = row->changed;
    snprintf(row->serial_number, sizeof(row->serial_number), "%s",
             p->r.serial_number);
    snprintf(row->order, sizeof(row->order), "%s", p->r.order);
    snprintf(row->model, sizeof(row->model), "%s", model ? model : "");
    snprintf(row->station, sizeof(row->station), "%s", p->r.station);
    snprintf(row->operator_, sizeof(row->operator_), "%s", p->r.operator_);
    memcpy(row->ek, p->proof.ek_id, 32);
    memcpy(row->key, p->proof.key_id, 32);
    idv_buf_free(&row->cert);
    idv_buf_free(&row->iak_cert);
    idv_buf_free(&row->request);
    idv_buf_free(&row->reply);
    IDV_TRY(idv_cert_to_der(p->made.idevid, &row->cert));
    if (p->made.iak)
        IDV_TRY(idv_cert_to_der(p->made.iak, &row->iak_cert));
    IDV_TRY(idv_buf_put(&row->request, request));
    return idv_buf_put(&row->reply, idv_view(&p->reply));
}

static idv_rc record(struct idv_desk *d, struct idvi_passage *p,
                     struct idv_bytes request, enum idv_factory_why *why)
{
    const struct idv_factory_store *s = d->conf.store;
    struct idv_factory_device *row = &p->book.row;
    enum idv_factory_state from = row->state;
    IDV_AUTO(buf) body = {0};
    *why = IDV_WHY_STORE;
    IDV_TRY(idvi_desk_body(p, "", "", &body));
    IDV_TRY(fill_row(d, p, request, row));
    return s->put(s->self, row, from, "issued", idv_view(&body), row->changed,
                  why);
}

static idv_rc give_again(struct idv_desk *d, struct idvi_passage *p,
                         struct idv_bytes request, enum idv_factory_why *why)
{
    const struct idv_factory_store *s = d->conf.store;
    const struct idv_factory_device *row = &p->book.row;
    IDV_AUTO(buf) body = {0};
    *why = IDV_WHY_STORE;
    IDV_TRY(idv_cert_from_der(idv_view(&row->cert), &p->made.idevid));
    if (row->iak_cert.n)
        IDV_TRY(idv_cert_from_der(idv_view(&row->iak_cert), &p->made.iak));
    IDV_TRY(make_reply(d, &p->r, &p->proof, request, &p->made, &p->reply, why));
    *why = IDV_WHY_STORE;
    IDV_TRY(idvi_desk_body(p, "", "", &body));
    return s->note(s->self, "repeated", p->r.serial_number, idv_view(&body),
                   idv_now(d->conf.env));
}

static idv_rc give_new(struct idv_desk *d, struct idvi_passage *p,
                       struct idv_bytes request, enum idv_factory_why *why)
{
    IDV_TRY(idvi_certs_make(&d->conf, &p->r, &p->proof,
                            idv_view(&p->device_json), &p->made, why));
    IDV_TRY(make_reply(d, &p->r, &p->proof, request, &p->made, &p->reply, why));
    return record(d, p, request, why);
}

/* What another process recorded of the device meanwhile is given as it is. */
idv_rc idvi_desk_give(struct idv_desk *d, struct idvi_passage *p,
                      struct idv_bytes request, enum idv_factory_why *why)
{
    idv_rc rc = IDV_E_STATE;
    for (int i = 0; i < 3 && rc == IDV_E_STATE; i++) {
        idv_note_clear();
        idvi_case_free(&p->book);
        idvi_made_free(&p->made);
        idv_buf_clear(&p->reply);
        IDV_TRY(idvi_case_find(&d->conf, &p->r, &p->proof, &p->book, why));
        rc = p->book.repeat ? give_again(d, p, request, why)
                            : give_new(d, p, request, why);
        if (rc == IDV_E_STATE && *why == IDV_WHY_CA)
            break; /* the CA's, not the book's */
    }
    return rc;
}
