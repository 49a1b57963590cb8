/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates had made by a CA, and judged before anybody gets them. */
#include <string.h>

#include <idevid/codec.h>
#include <idevid/json.h>
#include <idevid/x509.h>

#include "factory/desk_int.h"

#define BACKDATE_S 300 /* clocks of those who look at it differ */

void idvi_made_free(struct idvi_made *m)
{
    X509_free(m->idevid);
    X509_free(m->iak);
    memset(m, 0, sizeof(*m));
}

/* --- what is known of the device ------------------------------------------ */

static const char *text_or_none(const struct idv_json *o, const char *name)
{
    const char *text = idv_json_text(idv_json_get(o, name));
    return text ? text : "";
}

static const char *first_mac(const struct idv_json *o)
{
    const char *text =
        idv_json_text(idv_json_at(idv_json_get(o, "macs"), 0, NULL));
    return text ? text : "";
}

static idv_rc hw_serial_of(const struct idv_factory_request *r,
                           const struct idv_desk_proof *proof,
                           char out[static IDV_MAX_HW_SERIAL + 1])
{
    if (proof->residency)
        return idv_ek_hw_serial(proof->ek_cert, idv_view(&proof->ek_public),
                                out);
    memcpy(out, r->hw_serial, sizeof(r->hw_serial));
    return IDV_OK;
}

/* facts with what they borrow */
struct known {
    struct idvi_facts facts;
    char hw_serial[IDV_MAX_HW_SERIAL + 1];
    struct idv_buf ek_sha256;
};

static idv_rc know(const struct idv_factory_request *r,
                   const struct idv_desk_proof *proof,
                   const struct idv_json *order, struct known *k)
{
    IDV_TRY(hw_serial_of(r, proof, k->hw_serial));
    if (proof->ek_cert)
        IDV_TRY(
            idv_hex_from_bytes(idv_bytes(proof->ek.sha256, 32), &k->ek_sha256));
    k->facts = (struct idvi_facts){
        .serial = r->serial_number,
        .order = r->order,
        .model = text_or_none(order, "model"),
        .sku = text_or_none(order, "sku"),
        .mac = first_mac(order),
        .hw_serial = k->hw_serial,
        .ek_sha256 = proof->ek_cert ? (const char *)k->ek_sha256.p : "",
    };
    return IDV_OK;
}

/* --- one certificate ------------------------------------------------------ */

static const struct idv_desk_ca *ca_for(const struct idv_desk_conf *conf,
                                        enum idv_cert_kind kind)
{
    return kind == IDV_CERT_IAK && conf->iak_ca ? conf->iak_ca : conf->ca;
}

static enum idv_factory_why why_of_issue(idv_rc rc)
{
    switch (rc) {
    case IDV_E_DEVICE:
    case IDV_E_NET:
    case IDV_E_TIMEOUT:
    case IDV_E_IO:
    case IDV_E_STATE:
        return IDV_WHY_CA;
    default:
        return IDV_WHY_CERT;
    }
}

static idv_rc judge_made(const struct idv_desk_conf *conf,
                         const struct idv_desk_ca *ca,
                         const struct idv_cert_spec *spec, const EVP_PKEY *key,
                         X509 *cert)
{
    const STACK_OF(X509) *chain = ca->chain(ca->self);
    const struct idv_chain_policy policy = {
        .anchors = chain,
        .partial = true, /* the issuing CA itself */
        .check_time = idv_clock_trusted(conf->env),
        .now = idv_now(conf->env),
    };
    if (!cert)
        return idv_fail(IDV_E_REJECT, "certificate: the CA returned none");
    IDV_TRY(idv_cert_matches(cert, spec, key, idv_now(conf->env)));
    return idv_chain_verify(cert, &policy);
}

static idv_rc make_one(const struct idv_desk_conf *conf,
                       struct idv_cert_spec *spec, const EVP_PKEY *key,
                       struct idv_bytes csr, X509 **out,
                       enum idv_factory_why *why)
{
    const struct idv_desk_ca *ca = ca_for(conf, spec->kind);
    IDV_AUTO_PTR(X509) cert = NULL;
    spec->not_before = idv_now(conf->env) - BACKDATE_S;
    idv_rc rc = ca->issue(ca->self, spec, key, csr, &cert);
    if (rc != IDV_OK)
        rc = idv_fail_within(rc, "CA");
    IDV_TRY(idvi_because(why, why_of_issue(rc), rc));
    IDV_TRY(
        idvi_because(why, IDV_WHY_CERT, judge_made(conf, ca, spec, key, cert)));
    *out = idv_steal(&cert);
    return IDV_OK;
}

static idv_rc fill_and_make(const struct idv_desk_conf *conf,
                            const struct idv_factory_request *r,
                            const struct idv_desk_proof *proof,
                            const struct idvi_facts *facts,
                            enum idv_cert_kind kind, X509 **out,
                            enum idv_factory_why *why)
{
    struct idvi_filled f;
    bool iak = kind == IDV_CERT_IAK;
    *why = IDV_WHY_ORDER;
    IDV_TRY(idvi_template_fill(conf->idevid, facts, r, proof, kind, &f));
    idv_rc rc =
        make_one(conf, &f.spec, iak ? proof->iak : proof->key,
                 iak ? idv_bytes(NULL, 0) : idv_view(&r->csr), out, why);
    idvi_filled_free(&f);
    return rc;
}

/* --- all of a device ------------------------------------------------------ */

/* A restricted key signs no PKCS#10: a CA that wants one cannot certify it. */
static bool wants_iak(const struct idv_desk_conf *conf,
                      const struct idv_desk_proof *proof)
{
    return proof->iak && !ca_for(conf, IDV_CERT_IAK)->needs_csr;
}

static idv_rc make_all(const struct idv_desk_conf *conf,
                       const struct idv_factory_request *r,
                       const struct idv_desk_proof *proof,
                       const struct idvi_facts *facts, struct idvi_made *m,
                       enum idv_factory_why *why)
{
    *why = IDV_WHY_REQUEST;
    if (conf->ca->needs_csr && r->csr.n == 0)
        return idv_fail(IDV_E_REJECT,
                        "request: no PKCS#10 in it, and the CA wants one: the "
                        "station is to send it (csr = yes)");
    IDV_TRY(
        fill_and_make(conf, r, proof, facts, IDV_CERT_IDEVID, &m->idevid, why));
    if (wants_iak(conf, proof))
        IDV_TRY(
            fill_and_make(conf, r, proof, facts, IDV_CERT_IAK, &m->iak, why));
    return IDV_OK;
}

idv_rc idvi_certs_make(const struct idv_desk_conf *conf,
                       const struct idv_factory_request *r,
                       const struct idv_desk_proof *proof,
                       struct idv_bytes device_json, struct idvi_made *out,
                       enum idv_factory_why *why)
{
    IDV_AUTO_PTR(idv_json) order = NULL;
    struct known k = {0};
    *why = IDV_WHY_STORE;
    IDV_TRY(idv_json_parse(device_json, 0, &order));
    idv_rc rc = know(r, proof, order, &k);
    if (rc == IDV_OK)
        rc = make_all(conf, r, proof, &k.facts, out, why);
    idv_buf_free(&k.ek_sha256);
    if (rc != IDV_OK)
        idvi_made_free(out);
    return rc;
}

/* --- what travels --------------------------------------------------------- */

static idv_rc add(STACK_OF(X509) * all, X509 *cert)
{
    for (int i = 0; i < sk_X509_num(all); i++) {
        if (idv_cert_eq(sk_X509_value(all, i), cert))
            return IDV_OK;
    }
    if (X509_up_ref(cert) != 1 || sk_X509_push(all, cert) <= 0)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    return IDV_OK;
}

static idv_rc add_chain(STACK_OF(X509) * all, const struct idv_desk_ca *ca)
{
    const STACK_OF(X509) *chain = ca->chain(ca->self);
    for (int i = 0; i < sk_X509_num(chain); i++)
        IDV_TRY(add(all, sk_X509_value(chain, i)));
    return IDV_OK;
}

idv_rc idvi_certs_bag(const struct idv_desk_conf *conf,
                      const struct idvi_made *m, struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_certs) all = sk_X509_new_null();
    if (!all)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(add(all, m->idevid));
    if (m->iak)
        IDV_TRY(add(all, m->iak));
    IDV_TRY(add_chain(all, conf->ca));
    if (m->iak)
        IDV_TRY(add_chain(all, ca_for(conf, IDV_CERT_IAK)));
    return idv_certbag_to_der(all, out);
}
