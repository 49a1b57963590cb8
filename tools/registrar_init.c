/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-registrar init, rollover: the domain's keys. */
#include <idevid/fs.h>

#include "ca.h"
#include "registrar.h"
#include "rollover.h"

idv_rc registrar_init(struct tool *t, int argc, char **argv)
{
    struct tool_authority ca = {0}, registrar = {0};
    (void)argc;
    if (!registrar_opt.token || !registrar_opt.domain)
        return idv_fail(IDV_E_ARG, "init: --token URI and --domain NAME are "
                                   "needed");
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
    tool_authority_free(&ca);
    tool_authority_free(&registrar);
    return rc;
}

idv_rc registrar_rollover(struct tool *t, int argc, char **argv)
{
    (void)argc;
    if (!registrar_opt.token)
        return idv_fail(IDV_E_ARG, "rollover: --token URI is needed");
    return tool_rollover(t, registrar_opt.token, argv[0], registrar_opt.type);
}
