/* SPDX-License-Identifier: Apache-2.0 */
/* The files of further makers: what they are called, and that each has what is
 * its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "masa_tenant.h"

static const char name_characters[] = "abcdefghijklmnopqrstuvwxyz"
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789-_";

/* --- files ---------------------------------------------------------------- */

static bool is_name(const char *name, size_t n)
{
    return n > 0 && n <= MASA_TENANT_NAME_MAX &&
           strspn(name, name_characters) == n;
}

idv_rc masa_tenant_check(const char *name)
{
    if (is_name(name, strlen(name)))
        return IDV_OK;
    return idv_fail(IDV_E_ARG,
                    "--tenant: up to %d letters, digits, '-' and '_', not "
                    "'%.40s'",
                    MASA_TENANT_NAME_MAX, name);
}

static idv_rc name_of(const char *path, char out[MASA_TENANT_NAME_MAX + 1])
{
    static const char end[] = ".ini";
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const size_t n = strcspn(name, ".");
    if (!is_name(name, n) || strcmp(name + n, end) != 0)
        return idv_fail(IDV_E_ARG,
                        "server.tenants: %s is not NAME.ini, NAME of up to %d "
                        "letters, digits, '-' and '_'",
                        path, MASA_TENANT_NAME_MAX);
    memcpy(out, name, n);
    out[n] = 0;
    return IDV_OK;
}

/* one file by whatever way it is named; a URL, or one that is not there yet,
 * as it stands */
static bool same_database(const char *a, const char *b)
{
    char *ra = realpath(a, NULL), *rb = realpath(b, NULL);
    const bool same = strcmp(ra ? ra : a, rb ? rb : b) == 0;
    free(ra);
    free(rb);
    return same;
}

static idv_rc check_apart(const struct masa_tenants *t, size_t i,
                          const struct masa_conf *first)
{
    const struct masa_tenant *one = &t->all[i];
    const char *own = one->conf.service.database;
    if (same_database(own, first->service.database))
        return idv_fail(IDV_E_ARG,
                        "tenant %s: its database %s is that of the first maker",
                        one->name, own);
    for (size_t k = 0; k < i; k++) {
        const struct masa_tenant *other = &t->all[k];
        if (strcmp(other->name, one->name) == 0)
            return idv_fail(IDV_E_ARG, "server.tenants: two are called %s",
                            one->name);
        if (same_database(own, other->conf.service.database))
            return idv_fail(IDV_E_ARG,
                            "tenant %s: its database %s is that of tenant %s",
                            one->name, own, other->name);
    }
    return IDV_OK;
}

idv_rc masa_tenants_load(const struct masa_conf *first,
                         struct masa_tenants *out)
{
    const size_t n = idv_list_count(first->tenants);
    *out = (struct masa_tenants){.n = 0};
    out->all = calloc(n + 1, sizeof(*out->all));
    if (!out->all)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct masa_tenant *t = &out->all[i];
        IDV_TRY(name_of(first->tenants[i], t->name));
        snprintf(t->label, sizeof(t->label), "tenant=%s", t->name);
        IDV_TRY(
            idv_conf_load(masa_tenant_table(), first->tenants[i], &t->conf));
        out->n++;
        IDV_TRY(check_apart(out, i, first));
    }
    return IDV_OK;
}

void masa_tenants_clear(struct masa_tenants *t)
{
    for (size_t i = 0; i < t->n; i++)
        idv_conf_free(masa_tenant_table(), &t->all[i].conf);
    free(t->all);
    *t = (struct masa_tenants){.n = 0};
}

/* --- names ---------------------------------------------------------------- */

static idv_rc check_named(const struct masa_conf *c, X509 *cert)
{
    for (char **n = c->names; *n; n++) {
        if (X509_check_host(cert, *n, 0, 0, NULL) != 1)
            return idv_fail(IDV_E_ARG, "server.names: %s is not for %s",
                            c->tls_cert, *n);
    }
    return IDV_OK;
}

static idv_rc add_name(char **names, size_t *n, const char *name, size_t len)
{
    names[*n] = strndup(name, len);
    return names[*n] && ++*n ? IDV_OK : idv_fail(IDV_E_NOMEM, "out of memory");
}

/* those of the certificate; "*.x" has no name of its own */
static idv_rc add_shown(char **names, const GENERAL_NAMES *alt, size_t *n)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(alt); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(alt, i);
        const char *name =
            g->type == GEN_DNS
                ? (const char *)ASN1_STRING_get0_data(g->d.dNSName)
                : NULL;
        const size_t len = name ? (size_t)ASN1_STRING_length(g->d.dNSName) : 0;
        if (len && *name != '*' && strlen(name) == len)
            IDV_TRY(add_name(names, n, name, len));
    }
    return IDV_OK;
}

static idv_rc take_names(const struct masa_conf *c, const GENERAL_NAMES *alt,
                         char **names)
{
    size_t n = 0;
    for (char **given = c->names; given && *given; given++)
        IDV_TRY(add_name(names, &n, *given, strlen(*given)));
    return n ? IDV_OK : add_shown(names, alt, &n);
}

static idv_rc collect(const struct masa_conf *c, X509 *cert, char ***out)
{
    GENERAL_NAMES *alt =
        X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    const size_t most =
        idv_list_count(c->names) + (size_t)(alt ? sk_GENERAL_NAME_num(alt) : 0);
    *out = calloc(most + 1, sizeof(**out));
    idv_rc rc = *out ? take_names(c, alt, *out)
                     : idv_fail(IDV_E_NOMEM, "out of memory");
    GENERAL_NAMES_free(alt);
    return rc;
}

idv_rc masa_names(const struct masa_conf *c, X509 *cert, bool needed,
                  char ***out)
{
    char **names = NULL;
    if (c->names)
        IDV_TRY(check_named(c, cert));
    idv_rc rc = collect(c, cert, &names);
    if (rc == IDV_OK && needed && !*names)
        rc = idv_fail(IDV_E_ARG,
                      "server.names: there is none, nor in %s: nobody could "
                      "ask for it",
                      c->tls_cert);
    if (rc == IDV_OK)
        *out = names;
    else
        masa_names_free(names);
    return rc;
}

void masa_names_free(char **names)
{
    for (size_t i = 0; names && names[i]; i++)
        free(names[i]);
    free(names);
}

/* --- of one verb ---------------------------------------------------------- */

static struct masa_tenants loaded;
static const struct masa_tenant *chosen;

idv_rc masa_choose(void)
{
    if (!masa_opt.tenant)
        return IDV_OK;
    masa_tenants_clear(&loaded);
    IDV_TRY(masa_tenants_load(&masa_conf, &loaded));
    for (size_t i = 0; i < loaded.n; i++) {
        if (strcmp(loaded.all[i].name, masa_opt.tenant) == 0) {
            chosen = &loaded.all[i];
            return IDV_OK;
        }
    }
    return idv_fail(IDV_E_ARG, "--tenant: server.tenants has no %s.ini",
                    masa_opt.tenant);
}

const struct masa_conf *masa_maker(void)
{
    return chosen ? &chosen->conf : &masa_conf;
}

void masa_unchoose(void)
{
    chosen = NULL;
    masa_tenants_clear(&loaded);
}
