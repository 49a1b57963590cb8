/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-registrar init, rollover: the domain's keys. */
#include <idevid/auto.h>
#include <idevid/fs.h>

#include "ca.h"
#include "registrar.h"
#include "rollover.h"

#define CONF_NAME "registrar.ini"

static idv_rc put_identity(struct idv_buf *out, const char *section,
                           const char *name)
{
    IDV_TRY(idv_buf_putf(out, "[%s]\n", section));
    IDV_TRY(tool_init_put_key(out, registrar_opt.token, "key", name));
    return idv_buf_putf(out, "certificate = %s.pem\n", name);
}

static idv_rc put_makers(struct idv_buf *out)
{
    const char *const *m = registrar_opt.makers;
    if (!*m)
        return idv_buf_puts(out, "# for each maker a file, "
                                 "idevid-registrar --maker-sample:\n"
                                 "# makers = acme.ini\n");
    IDV_TRY(idv_buf_puts(out, "makers = "));
    for (size_t i = 0; m[i]; i++)
        IDV_TRY(idv_buf_putf(out, "%s%s", i ? ", " : "", m[i]));
    return idv_buf_puts(out, "\n");
}

static idv_rc put_conf(struct idv_buf *out)
{
    IDV_TRY(idv_buf_putf(out,
                         "# The registrar of %s. idevid-registrar --sample "
                         "explains every key.\n"
                         "[server]\nlisten = 127.0.0.1:8443\n\n",
                         registrar_opt.domain));
    IDV_TRY(put_identity(out, "registrar", "registrar"));
    IDV_TRY(put_makers(out));
    IDV_TRY(idv_buf_puts(out, "\n"));
    IDV_TRY(put_identity(out, "ca", "domain-ca"));
    return idv_buf_puts(out, "\n[store]\ndatabase = registrar.db\n");
}

static idv_rc write_conf(struct tool *t, const char *dir)
{
    IDV_AUTO(buf) text = {0};
    IDV_TRY(put_conf(&text));
    return tool_init_file(t, dir, CONF_NAME, &text);
}

/* a file that a configuration in dir names is found from there */
static idv_rc check_makers(void)
{
    for (const char *const *m = registrar_opt.makers; *m; m++) {
        struct maker_conf c = {0};
        if (**m != '/')
            return idv_fail(IDV_E_ARG, "init: --maker %s is not absolute", *m);
        IDV_TRY(idv_conf_load(&maker_table, *m, &c));
        idv_conf_free(&maker_table, &c);
    }
    return IDV_OK;
}

/* Its devices would have to be imprinted again, each one. */
static idv_rc check_loss(const char *verb)
{
    if (!tool_in_tpm(registrar_opt.token) || registrar_opt.accept_loss)
        return IDV_OK;
    return idv_fail(IDV_E_ARG,
                    "%s: a CA's key in a TPM has no copy and dies with the "
                    "mainboard, and with it the domain: --accept-loss if that "
                    "may be",
                    verb);
}

idv_rc registrar_init(struct tool *t, int argc, char **argv)
{
    struct tool_authority ca = {0}, registrar = {0};
    (void)argc;
    if (!registrar_opt.token || !registrar_opt.domain)
        return idv_fail(IDV_E_ARG, "init: --device URI and --domain NAME are "
                                   "needed");
    IDV_TRY(check_loss("init"));
    IDV_TRY(check_makers());
    IDV_TRY(idv_fs_mkdir(argv[0], 0755));
    const struct tool_init in = {.token_uri = registrar_opt.token,
                                 .dir = argv[0],
                                 .organization = registrar_opt.domain,
                                 .type = registrar_opt.type,
                                 .names = registrar_opt.names};
    idv_rc rc = tool_init_authority(t, &in, "domain-ca", "Domain CA",
                                    IDV_CERT_ROOT, 20, NULL, &ca);
    if (rc == IDV_OK)
        rc = tool_init_authority(t, &in, "registrar", "Registrar",
                                 IDV_CERT_REGISTRAR, 5, &ca, &registrar);
    if (rc == IDV_OK)
        rc = write_conf(t, argv[0]);
    tool_authority_free(&ca);
    tool_authority_free(&registrar);
    return rc;
}

idv_rc registrar_rollover(struct tool *t, int argc, char **argv)
{
    (void)argc;
    if (!registrar_opt.token)
        return idv_fail(IDV_E_ARG, "rollover: --device URI is needed");
    IDV_TRY(check_loss("rollover"));
    return tool_rollover(t, registrar_opt.token, argv[0], registrar_opt.type);
}
