/* SPDX-License-Identifier: Apache-2.0 */
/* Vouchers asked for before their devices come (R-R-38). */
#include <stdio.h>
#include <string.h>

#include <openssl/x509v3.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "idevid/registrar/prefetch.h"

/* --- asking --------------------------------------------------------------- */

/* OCTET STRING { SEQUENCE { [0] keyIdentifier } }, each below 128 bytes */
idv_rc idv_prefetch_issuer(const X509 *ca, struct idv_buf *out)
{
    const ASN1_OCTET_STRING *ski =
        X509_get0_subject_key_id((X509 *)(uintptr_t)ca);
    int n = ski ? ASN1_STRING_length(ski) : 0;
    if (n < 1 || n > 64)
        return idv_fail(IDV_E_ARG, "'%s' has no subjectKeyIdentifier",
                        idv_cert_subject(ca));
    const uint8_t head[] = {4,    (uint8_t)(n + 4), 0x30, (uint8_t)(n + 2),
                            0x80, (uint8_t)n};
    IDV_TRY(idv_buf_put(out, idv_bytes(head, sizeof(head))));
    return idv_buf_put(out, idv_bytes(ASN1_STRING_get0_data(ski), (size_t)n));
}

/* In the form that the maker's MASA wants. */
static idv_rc put_issuer(const struct idv_prefetch *p, struct idv_buf *out)
{
    IDV_AUTO(buf) id = {0};
    struct idv_bytes value = p->idevid_issuer;
    IDV_TRY(idv_idevid_issuer_keyid(value, &id));
    if (p->maker->issuer_sequence && value.n > 2 && value.p[0] == 4)
        value = idv_bytes(value.p + 2, value.n - 2);
    return idv_buf_put(out, value);
}

static idv_rc fill(const struct idv_prefetch *p, struct idv_voucher *rvr)
{
    if (idv_clock_trusted(p->env))
        rvr->created_on = idv_now(p->env);
    IDV_TRY(idv_text_copy(rvr->serial_number, sizeof(rvr->serial_number),
                          idv_str(p->serial_number), "serial-number"));
    return put_issuer(p, &rvr->idevid_issuer);
}

static int most_of_chain(const struct idv_registrar_conf *conf)
{
    return conf->pin == IDV_PINNING_OWN      ? 1
           : conf->pin == IDV_PINNING_ISSUER ? 2
                                             : sk_X509_num(conf->chain);
}

idv_rc idv_prefetch_request(const struct idv_prefetch *p, struct idv_buf *out)
{
    IDV_AUTO(voucher) rvr;
    IDV_AUTO(buf) payload = {.max = IDV_MAX_BODY};
    IDV_AUTO_PTR(idv_certs) sent = idv_certs_dup(p->conf->chain);
    idv_voucher_init(&rvr, IDV_VOUCHER_REQUEST);
    if (!sent)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    while (sk_X509_num(sent) > most_of_chain(p->conf))
        X509_free(sk_X509_pop(sent));
    const struct idv_signer signer = {
        .key = p->conf->key,
        .cert = p->conf->cert,
        .chain = sent,
        .signing_time = idv_clock_trusted(p->env) ? idv_now(p->env) : 0,
        .id_data = p->maker->id_data,
    };
    IDV_TRY(fill(p, &rvr));
    IDV_TRY(idv_voucher_to(p->media, &rvr, &payload));
    return idv_envelope_seal(p->media, idv_view(&payload), &signer, out);
}

idv_rc idv_prefetch_url(const struct idv_registrar_maker *maker,
                        struct idv_url *out)
{
    const char *text = maker->masa_url ? maker->masa_url : maker->masa_fallback;
    if (!text)
        return idv_fail(IDV_E_ARG,
                        "maker %s: no MASA: without a device's certificate "
                        "[masa] url or fallback-url must say it",
                        maker->name);
    return idv_url_from_text(idv_str(text), out);
}

/* --- what is answered ----------------------------------------------------- */

static idv_rc check_status(const struct idv_prefetch *p,
                           const struct idv_msg *reply)
{
    struct idv_bytes body = idv_text_trim(idv_view(&reply->body));
    struct idv_bytes line = {0};
    if (reply->status == 200 && idv_media_is(reply->media, p->media) &&
        reply->body.n)
        return IDV_OK;
    (void)idv_text_next(&body, "\r\n", &line);
    if (reply->status == 200 || !idv_text_printable(line) || line.n > 200)
        line = (struct idv_bytes){0};
    return idv_fail(IDV_E_REJECT, "%s: the MASA answers %d%s%.*s",
                    p->serial_number, reply->status,
                    reply->status == 200 ? " without a voucher" : " ",
                    (int)line.n, line.n ? (const char *)line.p : "");
}

static bool pins_us(const struct idv_registrar_conf *conf,
                    const struct idv_voucher *v)
{
    bool ours = false;
    for (int i = 0; i < sk_X509_num(conf->chain) && !ours; i++) {
        IDV_AUTO(buf) der = {.max = IDV_MAX_CERT};
        ours = idv_cert_to_der(sk_X509_value(conf->chain, i), &der) == IDV_OK &&
               idv_bytes_eq(idv_view(&der), idv_view(&v->pinned_domain_cert));
    }
    return ours;
}

static idv_rc check_voucher(const struct idv_prefetch *p,
                            const struct idv_voucher *v)
{
    const char *what = NULL;
    if (strcmp(v->serial_number, p->serial_number) != 0)
        what = "of another device";
    else if (v->nonce[0])
        what = "with a nonce, for one request only";
    else if (v->expires_on != IDV_TIME_ABSENT &&
             v->expires_on <= idv_now(p->env))
        what = "that has expired";
    else if (!pins_us(p->conf, v))
        what = "that pins none of our certificates";
    return what ? idv_fail(IDV_E_REJECT, "%s: a voucher %s", p->serial_number,
                           what)
                : IDV_OK;
}

idv_rc idv_prefetch_read(const struct idv_prefetch *p, struct idv_bytes rvr,
                         const struct idv_msg *reply,
                         struct idv_stored_voucher *out)
{
    IDV_AUTO(opened) o = {0};
    IDV_AUTO(voucher) v;
    idv_voucher_init(&v, IDV_VOUCHER);
    IDV_TRY(check_status(p, reply));
    IDV_TRY(idv_envelope_open(reply->media, idv_view(&reply->body), &o));
    IDV_TRY(idv_voucher_from(o.media, idv_view(&o.payload), IDV_VOUCHER, &v));
    IDV_TRY(check_voucher(p, &v));
    snprintf(out->maker, sizeof(out->maker), "%s", p->maker->name);
    snprintf(out->serial_number, sizeof(out->serial_number), "%s",
             p->serial_number);
    snprintf(out->media, sizeof(out->media), "%s", p->media);
    out->fetched = idv_now(p->env);
    out->expires_on = v.expires_on == IDV_TIME_ABSENT ? 0 : v.expires_on;
    out->rvr.max = out->voucher.max = IDV_MAX_BODY;
    IDV_TRY(idv_buf_put(&out->rvr, rvr));
    return idv_buf_put(&out->voucher, idv_view(&reply->body));
}
