/* SPDX-License-Identifier: Apache-2.0 */
/* The rows that change: whose a device is, who is served. */
#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/text.h>
#include <idevid/x509.h>

#include "idevid/masa/admin.h"

/* "serial-number", and "issuer-keyid" where it was said */
static idv_rc which(const struct idv_json *in, const char **serial,
                    struct idv_buf *keyid)
{
    const char *hex = "";
    IDV_TRY(idv_admin_need(in, "serial-number", serial));
    IDV_TRY(idv_admin_text(in, "issuer-keyid", &hex));
    idv_rc rc = idv_hex_to_bytes(idv_str(hex), keyid);
    return rc == IDV_OK ? rc : idv_fail_within(rc, "issuer-keyid");
}

/* *out NULL: none was said */
static idv_rc certificate(const struct idv_json *in, X509 **out)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_CERT};
    const char *text = "";
    IDV_TRY(idv_admin_text(in, "certificate", &text));
    if (!*text)
        return IDV_OK;
    idv_rc rc = idv_base64_to_bytes(idv_str(text), IDV_BASE64_LAX, &der);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "certificate");
    return idv_cert_from_der(idv_view(&der), out);
}

/* --- block ---------------------------------------------------------------- */

idv_rc idvi_masa_admin_block(void *self, const struct idv_admin_call *c)
{
    const struct idv_masa_admin *a = self;
    IDV_AUTO(buf) keyid = {.max = IDV_MAX_KEYID};
    struct idv_masa_device fits;
    const char *serial = "", *reason = "";
    bool blocked = false;
    IDV_TRY(which(c->in, &serial, &keyid));
    IDV_TRY(idv_admin_text(c->in, "reason", &reason));
    IDV_TRY(idv_admin_bool(c->in, "blocked", &blocked));
    IDV_TRY(idv_text_copy(fits.reason, sizeof(fits.reason), idv_str(reason),
                          "reason"));
    IDV_TRY(a->people.block(a->people.self, idv_view(&keyid), serial, blocked,
                            reason));
    IDV_TRY(idv_admin_put_text(c->out, "serial-number", serial));
    IDV_TRY(idv_admin_put_bool(c->out, "blocked", blocked));
    return idv_admin_put_text(c->out, "reason", blocked ? reason : "");
}

/* --- owner ---------------------------------------------------------------- */

static idv_rc domain_of(const X509 *cert, struct idv_buf *out)
{
    IDV_AUTO(buf) raw = {0};
    if (!idv_domain_id_is_proven(cert))
        return idv_fail(IDV_E_REJECT,
                        "%s: its subjectKeyIdentifier is no hash of its key, "
                        "so that others could take it for their own",
                        idv_cert_subject(cert));
    IDV_TRY(idv_domain_id(cert, &raw));
    return idv_base64_from_bytes(idv_view(&raw), 0, out);
}

idv_rc idvi_masa_admin_owner(void *self, const struct idv_admin_call *c)
{
    const struct idv_masa_admin *a = self;
    IDV_AUTO(buf) keyid = {.max = IDV_MAX_KEYID};
    IDV_AUTO(buf) id = {.max = IDV_MAX_DOMAIN_ID - 1};
    IDV_AUTO_PTR(X509) cert = NULL;
    const char *serial = "";
    IDV_TRY(which(c->in, &serial, &keyid));
    IDV_TRY(certificate(c->in, &cert));
    if (cert)
        IDV_TRY(domain_of(cert, &id));
    const char *domain = id.n ? (const char *)id.p : "";
    IDV_TRY(a->people.own(a->people.self, idv_view(&keyid), serial, domain));
    IDV_TRY(idv_admin_put_text(c->out, "serial-number", serial));
    IDV_TRY(idv_admin_put_text(c->out, "owner", domain));
    return idv_admin_put_text(c->out, "subject",
                              cert ? idv_cert_subject(cert) : "");
}

/* --- registrar ------------------------------------------------------------ */

static idv_rc registrar_from(const struct idv_json *in, const X509 *cert,
                             struct idv_masa_registrar *r)
{
    const char *name = "";
    IDV_TRY(idv_admin_text(in, "name", &name));
    IDV_TRY(idv_text_copy(r->name, sizeof(r->name),
                          idv_str(*name ? name : idv_cert_subject(cert)),
                          "name"));
    IDV_TRY(idv_admin_bool(in, "nonceless", &r->nonceless));
    return idv_admin_bool(in, "blocked", &r->blocked);
}

idv_rc idvi_masa_admin_registrar(void *self, const struct idv_admin_call *c)
{
    const struct idv_masa_admin *a = self;
    IDV_AUTO_PTR(X509) cert = NULL;
    struct idv_masa_registrar r = {.nonceless = false};
    IDV_TRY(certificate(c->in, &cert));
    if (!cert)
        return idv_fail(IDV_E_ARG, "certificate is missing");
    IDV_TRY(registrar_from(c->in, cert, &r));
    IDV_TRY(a->people.registrar_set(a->people.self, cert, &r));
    IDV_TRY(idv_admin_put_text(c->out, "name", r.name));
    IDV_TRY(idv_admin_put_bool(c->out, "nonceless", r.nonceless));
    return idv_admin_put_bool(c->out, "blocked", r.blocked);
}
