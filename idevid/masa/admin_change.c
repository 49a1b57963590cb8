/* SPDX-License-Identifier: Apache-2.0 */
/* The rows that change: whose a device is, who is served. */
#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/text.h>
#include <idevid/x509.h>

#include "idevid/masa/admin.h"
#include "idevid/masa/masa_call.h"

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

static struct idv_masa_by by(const struct idv_admin_call *c)
{
    return (struct idv_masa_by){c->who, c->now};
}

/* --- how it stands -------------------------------------------------------- */

idv_rc idvi_masa_admin_stand(void *self, const struct idv_admin_call *c)
{
    const struct idv_masa_admin *a = self;
    IDV_AUTO(buf) keyid = {.max = IDV_MAX_KEYID};
    struct idv_masa_device fits;
    const struct idv_masa_by said = by(c);
    const char *serial = "", *reason = "", *word = "";
    enum idv_standing standing = IDV_STANDING_NORMAL;
    IDV_TRY(which(c->in, &serial, &keyid));
    IDV_TRY(idv_admin_text(c->in, "reason", &reason));
    IDV_TRY(idv_admin_need(c->in, "standing", &word));
    IDV_TRY(idv_standing_from_text(word, &standing));
    IDV_TRY(idv_text_copy(fits.reason, sizeof(fits.reason), idv_str(reason),
                          "reason"));
    IDV_TRY(a->people.stand(a->people.self, idv_view(&keyid), serial, standing,
                            reason, &said));
    IDV_TRY(idv_admin_put_text(c->out, "serial-number", serial));
    IDV_TRY(idv_admin_put_text(c->out, "standing", word));
    return idv_admin_put_text(c->out, "reason",
                              standing == IDV_STANDING_NORMAL ? "" : reason);
}

/* --- owner ---------------------------------------------------------------- */

idv_rc idvi_masa_admin_owner(void *self, const struct idv_admin_call *c)
{
    const struct idv_masa_admin *a = self;
    IDV_AUTO(buf) keyid = {.max = IDV_MAX_KEYID};
    IDV_AUTO(buf) id = {.max = IDV_MAX_DOMAIN_ID - 1};
    IDV_AUTO_PTR(X509) cert = NULL;
    const struct idv_masa_by said = by(c);
    const char *serial = "";
    IDV_TRY(which(c->in, &serial, &keyid));
    IDV_TRY(certificate(c->in, &cert));
    if (cert)
        IDV_TRY(idv_domain_id_proven(cert, &id));
    const char *domain = id.n ? (const char *)id.p : "";
    IDV_TRY(
        a->people.own(a->people.self, idv_view(&keyid), serial, domain, &said));
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

/* --- where it comes from -------------------------------------------------- */

static idv_rc put_origin(struct idv_json *o, int64_t first_seen,
                         const char *network)
{
    IDV_TRY(idv_admin_put_text(o, "network", network));
    return idv_admin_put_time(o, "first-seen", first_seen);
}

static bool origin_each(void *arg, int64_t first_seen, const char *network)
{
    struct idvi_masa_changes *s = arg;
    struct idv_json *o = idv_json_new_object();
    s->rc = o ? put_origin(o, first_seen, network)
              : idv_fail(IDV_E_NOMEM, "out of memory");
    if (s->rc == IDV_OK)
        s->rc = idv_json_append(s->rows, o);
    else
        idv_json_free(o);
    return s->rc == IDV_OK;
}

static idv_rc key_from(const struct idv_json *in, uint8_t sha256[static 32])
{
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_TRY(certificate(in, &cert));
    if (!cert)
        return idv_fail(IDV_E_ARG, "certificate is missing");
    return idvi_masa_key_of(cert, sha256);
}

idv_rc idvi_masa_admin_origins(void *self, const struct idv_admin_call *c)
{
    const struct idv_masa_admin *a = self;
    IDV_AUTO_PTR(idv_json) rows = idv_json_new_array();
    struct idvi_masa_changes s = {rows, IDV_OK};
    uint8_t key[32];
    bool forget = false;
    if (!rows)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(key_from(c->in, key));
    IDV_TRY(idv_admin_bool(c->in, "forget", &forget));
    if (forget)
        IDV_TRY(a->people.origins_forget(a->people.self, key));
    IDV_TRY(a->people.origins(a->people.self, key, origin_each, &s));
    IDV_TRY(s.rc);
    return idv_json_set(c->out, "rows", idv_steal(&rows));
}
