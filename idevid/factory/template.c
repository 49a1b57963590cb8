/* SPDX-License-Identifier: Apache-2.0 */
/* The maker's template of certificates: its texts, and what they become. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>

#include <idevid/codec.h>
#include <idevid/text.h>
#include <idevid/x509.h>

#include "factory/desk_int.h"

/* --- texts with {placeholders} -------------------------------------------- */

static const struct {
    const char *name;
    size_t at;
} placeholders[] = {
    {"serial", offsetof(struct idvi_facts, serial)},
    {"order", offsetof(struct idvi_facts, order)},
    {"model", offsetof(struct idvi_facts, model)},
    {"sku", offsetof(struct idvi_facts, sku)},
    {"mac", offsetof(struct idvi_facts, mac)},
    {"hw-serial", offsetof(struct idvi_facts, hw_serial)},
    {"ek-sha256", offsetof(struct idvi_facts, ek_sha256)},
};
#define PLACEHOLDERS (sizeof(placeholders) / sizeof(*placeholders))

static const char *value_of(const struct idvi_facts *facts,
                            struct idv_bytes name, bool *known)
{
    for (size_t i = 0; i < PLACEHOLDERS; i++) {
        *known = idv_text_eq(name, placeholders[i].name);
        if (*known)
            return facts ? *(const char *const *)(const void
                                                      *)((const char *)facts +
                                                         placeholders[i].at)
                         : "";
    }
    return NULL;
}

/* facts NULL: only looked at */
static idv_rc put_value(const char *field, struct idv_bytes name,
                        const struct idvi_facts *facts, struct idv_buf *out)
{
    bool known = false;
    const char *v = value_of(facts, name, &known);
    if (!known)
        return idv_fail(IDV_E_ARG, "template: %s: {%.*s} is no placeholder",
                        field, (int)name.n, (const char *)name.p);
    if (facts && (!v || !*v))
        return idv_fail(IDV_E_REJECT,
                        "template: %s asks for {%.*s}, and nothing says it",
                        field, (int)name.n, (const char *)name.p);
    return facts ? idv_buf_puts(out, v) : IDV_OK;
}

static idv_rc expand(const char *field, const char *text,
                     const struct idvi_facts *facts, struct idv_buf *out)
{
    while (*text) {
        size_t n = strcspn(text, "{}");
        IDV_TRY(idv_buf_put(out, idv_bytes(text, n)));
        text += n;
        if (!*text)
            break;
        n = strcspn(text + 1, "{}");
        if (*text != '{' || text[1 + n] != '}')
            return idv_fail(IDV_E_ARG,
                            "template: %s: a brace without its other", field);
        IDV_TRY(put_value(field, idv_bytes(text + 1, n), facts, out));
        text += n + 2;
    }
    return IDV_OK;
}

/* --- judged once ---------------------------------------------------------- */

static idv_rc check_text(const char *field, const char *text)
{
    IDV_AUTO(buf) none = {0};
    if (!text)
        return IDV_OK;
    if (!*text || !idv_text_printable(idv_str(text)))
        return idv_fail(IDV_E_ARG, "template: %s is no text", field);
    return expand(field, text, NULL, &none);
}

static idv_rc check_oid(const char *field, const char *text)
{
    IDV_AUTO_PTR(ASN1_OBJECT) oid = text ? OBJ_txt2obj(text, 1) : NULL;
    ERR_clear_error();
    if (text && !oid)
        return idv_fail(IDV_E_ARG, "template: %s: '%.60s' is no dotted OID",
                        field, text);
    return IDV_OK;
}

static idv_rc check_policies(const struct idv_desk_template *t)
{
    size_t n = 0;
    for (; t->policies && t->policies[n]; n++)
        IDV_TRY(check_oid("policies", t->policies[n]));
    if (n > IDVI_TEMPLATE_POLICIES)
        return idv_fail(IDV_E_LIMIT, "template: %zu policies, at most %d", n,
                        IDVI_TEMPLATE_POLICIES);
    return IDV_OK;
}

static idv_rc check_masa_url(const char *text)
{
    struct idv_url url;
    if (!text || strchr(text, '{'))
        return IDV_OK;
    if (idv_url_from_text(idv_str(text), &url) != IDV_OK)
        return idv_fail_within(IDV_E_ARG, "template: masa-url");
    return IDV_OK;
}

idv_rc idvi_template_check(const struct idv_desk_template *t, int64_t now)
{
    IDV_TRY(check_text("common-name", t->common_name));
    IDV_TRY(check_text("organization", t->organization));
    IDV_TRY(check_text("organizational-unit", t->organizational_unit));
    IDV_TRY(check_text("country", t->country));
    IDV_TRY(check_text("masa-url", t->masa_url));
    IDV_TRY(check_text("hw-serial", t->hw_serial));
    IDV_TRY(check_text("crl-url", t->crl_url));
    IDV_TRY(check_text("aia-url", t->aia_url));
    IDV_TRY(check_masa_url(t->masa_url));
    IDV_TRY(check_oid("hw-type", t->hw_type));
    IDV_TRY(check_policies(t));
    if (t->not_after && t->not_after <= now)
        return idv_fail(IDV_E_ARG, "template: not-after has passed");
    return IDV_OK;
}

/* --- filled for a device -------------------------------------------------- */

void idvi_filled_free(struct idvi_filled *f)
{
    struct idv_buf *all[] = {
        &f->common_name,  &f->organization, &f->organizational_unit,
        &f->country,      &f->masa_url,     &f->hw_serial,
        &f->permanent_id, &f->crl_url,      &f->aia_url,
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        idv_buf_free(all[i]);
}

static idv_rc fill_text(const char *field, const char *text,
                        const struct idvi_facts *facts, struct idv_buf *own,
                        const char **out)
{
    if (!text)
        return IDV_OK;
    IDV_TRY(expand(field, text, facts, own));
    *out = (const char *)own->p;
    return IDV_OK;
}

static idv_rc fill_texts(const struct idv_desk_template *t,
                         const struct idvi_facts *facts, struct idvi_filled *f)
{
    struct idv_cert_spec *s = &f->spec;
    const char *name = t->common_name  ? t->common_name
                       : *facts->model ? "{model}"
                                       : NULL;
    IDV_TRY(fill_text("common-name", name, facts, &f->common_name,
                      &s->common_name));
    IDV_TRY(fill_text("organization", t->organization, facts, &f->organization,
                      &s->organization));
    IDV_TRY(fill_text("organizational-unit", t->organizational_unit, facts,
                      &f->organizational_unit, &s->organizational_unit));
    IDV_TRY(fill_text("country", t->country, facts, &f->country, &s->country));
    IDV_TRY(fill_text("crl-url", t->crl_url, facts, &f->crl_url, &s->crl_url));
    return fill_text("aia-url", t->aia_url, facts, &f->aia_url, &s->aia_url);
}

static bool is_token(const struct idv_factory_request *r)
{
    return r->profile == IDV_PROFILE_TOKEN;
}

/* hardwareModuleName: of a TPM always, of a token when the maker has a type for
 * it; what says nothing of itself (plain) has the serial number */
static idv_rc fill_module(const struct idv_desk_template *t,
                          const struct idvi_facts *facts,
                          const struct idv_factory_request *r,
                          struct idvi_filled *f)
{
    const char *type = t->hw_type    ? t->hw_type
                       : is_token(r) ? NULL
                                     : IDV_OID_TPM20;
    if (!type)
        return IDV_OK;
    IDV_TRY(expand("hw-serial",
                   t->hw_serial        ? t->hw_serial
                   : *facts->hw_serial ? "{hw-serial}"
                                       : "{serial}",
                   facts, &f->hw_serial));
    f->spec.hw_type = type;
    f->spec.hw_serial = idv_view(&f->hw_serial);
    return IDV_OK;
}

static void fill_policies(const struct idv_desk_template *t,
                          const struct idv_desk_proof *proof,
                          enum idv_cert_kind kind, struct idvi_filled *f)
{
    size_t n = 0;
    bool ours = t->residency_policies && proof->residency;
    for (; t->policies && t->policies[n] && n < IDVI_TEMPLATE_POLICIES; n++)
        f->policies[n] = t->policies[n];
    if (ours)
        f->policies[n++] = IDV_OID_TPM_RESIDENCY;
    if (ours && proof->fixed)
        f->policies[n++] = IDV_OID_TPM_FIXED;
    if (ours && proof->restricted && kind == IDV_CERT_IAK)
        f->policies[n++] = IDV_OID_TPM_RESTRICTED;
    f->policies[n] = NULL;
    f->spec.policies = f->policies;
    f->purposes[0] = kind == IDV_CERT_IDEVID && t->eku_client_auth
                         ? IDV_OID_CLIENT_AUTH
                         : NULL;
    f->spec.purposes = f->purposes;
}

static idv_rc fill(const struct idv_desk_template *t,
                   const struct idvi_facts *facts,
                   const struct idv_factory_request *r,
                   const struct idv_desk_proof *proof, struct idvi_filled *f)
{
    IDV_TRY(fill_texts(t, facts, f));
    if (f->spec.kind == IDV_CERT_IDEVID) {
        IDV_TRY(fill_text("masa-url", t->masa_url, facts, &f->masa_url,
                          &f->spec.masa_url));
        IDV_TRY(fill_module(t, facts, r, f));
    }
    if (t->permanent_identifier && *facts->ek_sha256)
        IDV_TRY(fill_text("permanent-identifier", "{ek-sha256}", facts,
                          &f->permanent_id, &f->spec.permanent_id));
    fill_policies(t, proof, f->spec.kind, f);
    return IDV_OK;
}

idv_rc idvi_template_fill(const struct idv_desk_template *t,
                          const struct idvi_facts *facts,
                          const struct idv_factory_request *r,
                          const struct idv_desk_proof *proof,
                          enum idv_cert_kind kind, struct idvi_filled *out)
{
    memset(out, 0, sizeof(*out));
    out->spec = (struct idv_cert_spec){
        .kind = kind,
        .serial_number = facts->serial,
        .usage = true,
        .not_after = t->not_after ? t->not_after : IDV_NO_EXPIRY,
    };
    idv_rc rc = fill(t, facts, r, proof, out);
    if (rc != IDV_OK)
        idvi_filled_free(out);
    return rc;
}
