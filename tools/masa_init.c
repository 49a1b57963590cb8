/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-masa init: a maker's keys, and what its devices and registrars need to
 * know of them. */
#include <stdio.h>
#include <stdlib.h>

#include <idevid/auto.h>
#include <idevid/fs.h>

#include "ca.h"
#include "masa.h"

#define CONF_NAME "masa.ini"
#define SIGNER_NAME "nonceless.ini"
#define REGISTRARS "for-registrars"

/* vouchers have a root of their own: no server can pass for their signer */
struct authorities {
    struct tool_authority root, signer, nonceless, tls_root, tls;
    EVP_PKEY *log;
};

static inline void authorities_free(struct authorities *a)
{
    tool_authority_free(&a->root);
    tool_authority_free(&a->signer);
    tool_authority_free(&a->nonceless);
    tool_authority_free(&a->tls_root);
    tool_authority_free(&a->tls);
    EVP_PKEY_free(a->log);
}
#define AUTO_AUTHORITIES __attribute__((cleanup(authorities_free)))

/* --- keys ----------------------------------------------------------------- */

static idv_rc make_log_key(struct tool *t, EVP_PKEY **out)
{
    char uri[512];
    bool made = false;
    IDV_TRY(tool_object_uri(masa_opt.token, "masa-log", "private", uri));
    IDV_TRY(tool_key(uri, IDV_KEY_P256, IDV_KEY_SIGN, out, &made));
    tool_say(t, "%-12s %s", "masa-log", made ? "made" : "kept");
    return IDV_OK;
}

static idv_rc make_all(struct tool *t, const struct tool_init *in,
                       struct authorities *a)
{
    IDV_TRY(tool_init_authority(t, in, "voucher-ca", "Voucher CA",
                                IDV_CERT_ROOT, 40, NULL, &a->root));
    IDV_TRY(tool_init_authority(t, in, "masa", "Voucher Signer",
                                IDV_CERT_SIGNER, 10, &a->root, &a->signer));
    IDV_TRY(tool_init_authority(t, in, "masa-nonceless", "Nonceless Signer",
                                IDV_CERT_SIGNER, 10, &a->root, &a->nonceless));
    IDV_TRY(tool_init_authority(t, in, "masa-ca", "MASA CA", IDV_CERT_ROOT, 20,
                                NULL, &a->tls_root));
    IDV_TRY(tool_init_authority(t, in, "masa-tls", "MASA", IDV_CERT_SERVER, 2,
                                &a->tls_root, &a->tls));
    return make_log_key(t, &a->log);
}

/* --- files ---------------------------------------------------------------- */

/* all of --anchors in one; read before anything is made */
static idv_rc read_anchors(struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_certs) all = sk_X509_new_null();
    if (!all)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (const char *const *f = masa_opt.anchors; *f; f++) {
        IDV_AUTO_PTR(idv_certs) some = NULL;
        IDV_TRY(idv_certs_open(*f, NULL, &some));
        if (X509_add_certs(all, some, X509_ADD_FLAG_UP_REF) != 1)
            return idv_fail(IDV_E_NOMEM, "out of memory");
    }
    return idv_certs_to_pem(all, out);
}

/* a service has no environment: what this one was told is kept */
static idv_rc put_device(struct idv_buf *out)
{
    const char *module = getenv("HWKEY_PKCS11_MODULE");
    const char *pin = getenv("HWKEY_PIN_FILE");
    IDV_TRY(idv_buf_puts(out, "\n[device]\n"));
    if (module && *module == '/')
        IDV_TRY(idv_buf_putf(out, "pkcs11-module = %s\n", module));
    if (pin && *pin == '/')
        IDV_TRY(idv_buf_putf(out, "pin-file = %s\n", pin));
    return IDV_OK;
}

/* a tenant's token has a PIN of its own */
static idv_rc put_key(struct idv_buf *out, const char *key, const char *object)
{
    const char *pin = masa_opt.tenant ? getenv("HWKEY_PIN_FILE") : NULL;
    char uri[512];
    IDV_TRY(tool_object_uri(masa_opt.token, object, "private", uri));
    IDV_TRY(idv_buf_putf(out, "%s = %s", key, uri));
    if (pin && *pin == '/')
        IDV_TRY(idv_buf_putf(out, "?pin-source=file:%s", pin));
    return idv_buf_puts(out, "\n");
}

static idv_rc put_signer(struct idv_buf *out, const char *name)
{
    IDV_TRY(idv_buf_puts(out, "[signer]\n"));
    IDV_TRY(put_key(out, "key", name));
    return idv_buf_putf(out, "certificate = %s.pem\n", name);
}

/* what a tenant has no part in is left out */
static idv_rc put_conf(struct idv_buf *out)
{
    IDV_TRY(idv_buf_putf(out,
                         "# The MASA of %s. idevid-masa --sample explains "
                         "every key.\n"
                         "[server]\n",
                         masa_opt.maker));
    if (!masa_opt.tenant)
        IDV_TRY(idv_buf_puts(out, "listen = 127.0.0.1:9443\n"));
    IDV_TRY(put_key(out, "key", "masa-tls"));
    IDV_TRY(idv_buf_puts(out, "certificate = masa-tls.pem\n\n"));
    IDV_TRY(put_signer(out, "masa"));
    IDV_TRY(idv_buf_putf(out,
                         "also = " SIGNER_NAME "\n\n[maker]\nname = %s\n"
                         "idevid-anchors = " REGISTRARS "/idevid-anchors.pem\n"
                         "\n[log]\n",
                         masa_opt.maker));
    IDV_TRY(put_key(out, "key", "masa-log"));
    IDV_TRY(idv_buf_puts(out, "\n[store]\ndatabase = masa.db\n"));
    return masa_opt.tenant ? IDV_OK : put_device(out);
}

static const char *conf_name(void)
{
    static char name[64] = CONF_NAME;
    if (masa_opt.tenant)
        snprintf(name, sizeof(name), "%s.ini", masa_opt.tenant);
    return name;
}

static idv_rc write_confs(struct tool *t, const char *dir)
{
    IDV_AUTO(buf) signer = {0};
    IDV_AUTO(buf) conf = {0};
    IDV_TRY(put_signer(&signer, "masa-nonceless"));
    IDV_TRY(idv_buf_puts(&signer, "use = nonceless\n"));
    IDV_TRY(tool_init_file(t, dir, SIGNER_NAME, &signer));
    IDV_TRY(put_conf(&conf));
    return tool_init_file(t, dir, conf_name(), &conf);
}

static idv_rc write_maker(struct tool *t, const char *dir)
{
    IDV_AUTO(buf) text = {0};
    IDV_TRY(idv_buf_putf(&text,
                         "# Devices of %s. idevid-registrar --maker-sample "
                         "explains every key.\n"
                         "[maker]\nname = %s\n"
                         "idevid-anchors = idevid-anchors.pem\n\n"
                         "[masa]\nanchors = masa-anchors.pem\n"
                         "log = on\nlog-keys = log-key.pem\n",
                         masa_opt.maker, masa_opt.maker));
    return tool_init_file(t, dir, "maker.ini", &text);
}

/* The folder that goes to those who run registrars: nothing secret is in it. */
static idv_rc write_registrars(struct tool *t, const char *dir,
                               const struct authorities *a,
                               const struct idv_buf *anchors)
{
    IDV_AUTO(buf) log = {0};
    char path[1024];
    IDV_TRY(masa_log_key_pem(a->log, &log));
    IDV_TRY(tool_path(dir, "log-key.pem", "", path));
    IDV_TRY(idv_fs_write(path, idv_view(&log), 0644));
    IDV_TRY(tool_init_anchors(&a->tls, dir, "masa-anchors"));
    IDV_TRY(tool_init_file(t, dir, "idevid-anchors.pem", anchors));
    return write_maker(t, dir);
}

/* --- init ----------------------------------------------------------------- */

static idv_rc init(struct tool *t, const char *dir, struct authorities *a)
{
    const struct tool_init in = {.token_uri = masa_opt.token,
                                 .dir = dir,
                                 .organization = masa_opt.maker,
                                 .type = masa_opt.type,
                                 .names = masa_opt.names};
    IDV_AUTO(buf) anchors = {0};
    char registrars[1024];
    IDV_TRY(read_anchors(&anchors));
    IDV_TRY(tool_path(dir, REGISTRARS, "", registrars));
    IDV_TRY(idv_fs_mkdir(dir, 0755));
    IDV_TRY(idv_fs_mkdir(registrars, 0755));
    IDV_TRY(make_all(t, &in, a));
    IDV_TRY(tool_init_anchors(&a->signer, dir, "voucher-anchors"));
    IDV_TRY(write_registrars(t, registrars, a, &anchors));
    IDV_TRY(write_confs(t, dir));
    tool_say(t, "for owners   %s", registrars);
    tool_say(t, "for devices  %s/voucher-anchors.pem", dir);
    tool_say(t, "%-12s %s/%s", masa_opt.tenant ? "its file" : "the service",
             dir, conf_name());
    return IDV_OK;
}

idv_rc masa_init(struct tool *t, int argc, char **argv)
{
    AUTO_AUTHORITIES struct authorities a = {0};
    (void)argc;
    if (!masa_opt.token || !masa_opt.maker || !masa_opt.anchors[0])
        return idv_fail(IDV_E_ARG, "init: --device URI, --maker NAME and "
                                   "--anchors FILE are needed");
    if (masa_opt.tenant)
        IDV_TRY(masa_tenant_check(masa_opt.tenant));
    return init(t, argv[0], &a);
}
