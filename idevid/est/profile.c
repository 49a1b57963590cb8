/* SPDX-License-Identifier: Apache-2.0 */
/* A template's names for one device. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "idevid/est/profile.h"

IDV_AUTO_PTR_DEFINE(GENERAL_NAMES, GENERAL_NAMES_free)
IDV_AUTO_PTR_DEFINE(GENERAL_NAME, GENERAL_NAME_free)
IDV_AUTO_PTR_DEFINE(ASN1_IA5STRING, ASN1_IA5STRING_free)
IDV_AUTO_PTR_DEFINE(ASN1_TYPE, ASN1_TYPE_free)

static idv_rc no_memory(void)
{
    return idv_fail(IDV_E_NOMEM, "out of memory");
}

/* --- DNS names ------------------------------------------------------------ */

static bool is_label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Labels of 1 to 63 letters, digits and hyphens; no wildcard. */
static bool is_dns_name(struct idv_bytes name)
{
    size_t label = 0;
    if (name.n == 0 || name.n > 253)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        const char c = (char)name.p[i];
        if (c == '.' ? label == 0 : (!is_label_char(c) || ++label > 63))
            return false;
        if (c == '.')
            label = 0;
    }
    return label > 0;
}

static idv_rc make_ia5(struct idv_bytes text, ASN1_IA5STRING **out)
{
    IDV_AUTO_PTR(ASN1_IA5STRING) s = ASN1_IA5STRING_new();
    if (!s || ASN1_STRING_set(s, text.p, (int)text.n) != 1)
        return no_memory();
    *out = idv_steal(&s);
    return IDV_OK;
}

static idv_rc push(GENERAL_NAMES *all, GENERAL_NAME **name)
{
    if (sk_GENERAL_NAME_push(all, *name) <= 0)
        return no_memory();
    *name = NULL;
    return IDV_OK;
}

static idv_rc add_dns(GENERAL_NAMES *all, struct idv_bytes text)
{
    IDV_AUTO_PTR(GENERAL_NAME) name = GENERAL_NAME_new();
    IDV_AUTO_PTR(ASN1_IA5STRING) value = NULL;
    if (!is_dns_name(text))
        return idv_fail(IDV_E_REJECT, "'%.*s': not a DNS name",
                        (int)(text.n < 100 ? text.n : 100),
                        (const char *)text.p);
    if (!name)
        return no_memory();
    IDV_TRY(make_ia5(text, &value));
    GENERAL_NAME_set0_value(name, GEN_DNS, idv_steal(&value));
    return push(all, &name);
}

static idv_rc add_patterns(const struct idv_est_profile *p, const char *serial,
                           GENERAL_NAMES *all)
{
    IDV_AUTO(buf) name = {.max = 1024};
    for (size_t i = 0; p->names && p->names[i]; i++) {
        idv_buf_clear(&name);
        IDV_TRY(idvi_est_fill(p->names[i], serial, &name));
        IDV_TRY(add_dns(all, idv_view(&name)));
    }
    return IDV_OK;
}

static idv_rc add_approved(const struct idv_est_profile *p, const char *serial,
                           GENERAL_NAMES *all)
{
    char **list = NULL;
    idv_rc rc = p->approved ? p->approved(p->arg, serial, &list) : IDV_OK;
    for (size_t i = 0; rc == IDV_OK && list && list[i]; i++)
        rc = add_dns(all, idv_str(list[i]));
    idv_list_free(list);
    return rc;
}

/* --- the name in the ACP -------------------------------------------------- */

static idv_rc add_acp(const struct idv_est_profile *p, int64_t number,
                      GENERAL_NAMES *all)
{
    IDV_AUTO(buf) text = {.max = 1024};
    IDV_AUTO_PTR(ASN1_IA5STRING) ia5 = NULL;
    IDV_AUTO_PTR(ASN1_TYPE) value = ASN1_TYPE_new();
    IDV_AUTO_PTR(ASN1_OBJECT) type = OBJ_txt2obj(IDV_OID_ACP_NODE_NAME, 1);
    IDV_AUTO_PTR(GENERAL_NAME) name = GENERAL_NAME_new();
    if (!value || !type || !name)
        return no_memory();
    IDV_TRY(idv_est_acp_name(p, number, &text));
    IDV_TRY(make_ia5(idv_view(&text), &ia5));
    ASN1_TYPE_set(value, V_ASN1_IA5STRING, idv_steal(&ia5));
    if (GENERAL_NAME_set0_othername(name, type, value) != 1)
        return no_memory();
    type = NULL;
    value = NULL;
    return push(all, &name);
}

/* --- all of them ---------------------------------------------------------- */

static idv_rc make_names(const struct idv_est_profile *p, const char *serial,
                         int64_t number, GENERAL_NAMES *all)
{
    if (p->acp_domain)
        IDV_TRY(add_acp(p, number, all));
    IDV_TRY(add_patterns(p, serial, all));
    return add_approved(p, serial, all);
}

static idv_rc put_san(GENERAL_NAMES *all, struct idv_est_grant *g)
{
    if (sk_GENERAL_NAME_num(all) == 0)
        return IDV_OK;
    if (X509V3_add1_i2d(&g->extensions, NID_subject_alt_name, all, 0,
                        X509V3_ADD_APPEND) != 1)
        return idv_fail(IDV_E_CRYPTO, "subjectAltName");
    return IDV_OK;
}

idv_rc idv_est_profile_grant(const struct idv_est_profile *p,
                             const char *serial, int64_t number,
                             struct idv_est_grant *g)
{
    IDV_AUTO_PTR(GENERAL_NAMES) all = GENERAL_NAMES_new();
    if (!all)
        return no_memory();
    IDV_TRY(make_names(p, serial, number, all));
    IDV_TRY(idv_est_subject(p->subject, serial, true, &g->subject));
    return put_san(all, g);
}

static idv_rc check_acp(const struct idv_est_profile *p)
{
    const char *const parts[] = {p->acp_domain, p->acp_rsub};
    for (size_t i = 0; i < 2; i++) {
        if (parts[i] && !is_dns_name(idv_str(parts[i])))
            return idv_fail(IDV_E_ARG, "ACP: '%.100s' is no domain", parts[i]);
    }
    return p->acp_rsub && !p->acp_domain
               ? idv_fail(IDV_E_ARG, "ACP: a routing subdomain of no domain")
               : IDV_OK;
}

idv_rc idv_est_profile_check(const struct idv_est_profile *p)
{
    struct idv_est_profile try = *p;
    struct idv_est_grant g = {0};
    try.approved = NULL;
    IDV_TRY(check_acp(p));
    idv_rc rc = idv_est_profile_grant(&try, "0", 1, &g);
    idv_est_grant_free(&g);
    return rc == IDV_E_REJECT ? idv_fail_within(IDV_E_ARG, "template") : rc;
}
