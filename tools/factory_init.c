/* SPDX-License-Identifier: Apache-2.0 */
/* init and station: a maker's authorities, and the stations of its lines. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/factory.h>
#include <idevid/fs.h>

#include "ca.h"
#include "factory.h"

#define DAY (24 * 3600)
#define CONF_NAME "factory.ini"

struct maker {
    struct tool_authority root, issuing, voucher, masa, tls;
    struct tool_authority station_ca, station, desk;
};

static inline void maker_free(struct maker *m)
{
    tool_authority_free(&m->root);
    tool_authority_free(&m->issuing);
    tool_authority_free(&m->voucher);
    tool_authority_free(&m->masa);
    tool_authority_free(&m->tls);
    tool_authority_free(&m->station_ca);
    tool_authority_free(&m->station);
    tool_authority_free(&m->desk);
}
#define AUTO_MAKER __attribute__((cleanup(maker_free)))

/* A station is known by its commonName: what it signs has to say the same. */
static idv_rc make_station(struct tool *t, const char *name,
                           const struct tool_authority *ca,
                           struct tool_authority *out)
{
    const int64_t now = idv_now(t->env);
    enum idv_key_type type = IDV_KEY_P256;
    struct idv_cert_spec spec = {
        .kind = IDV_CERT_LDEVID,
        .common_name = name,
        .organization = opt.maker,
        .not_before = now - DAY,
        .not_after = now + (int64_t)5 * 365 * DAY,
    };
    if (opt.type)
        IDV_TRY(idv_key_type_from_text(opt.type, &type));
    if (strlen(name) > IDV_FACTORY_NAME_MAX)
        return idv_fail(IDV_E_ARG, "--station: longer than %d characters",
                        IDV_FACTORY_NAME_MAX);
    return tool_authority_ensure(t, opt.token, opt.dir, "station", type, &spec,
                                 ca, out);
}

/* --- factory.ini -----------------------------------------------------------
 */

static idv_rc put_conf(struct idv_buf *out, const char *station)
{
    const char *profile = opt.profile ? opt.profile : "tcg";
    const bool plain = strcmp(profile, "plain") == 0;
    enum idv_factory_profile known;
    IDV_TRY(idv_factory_profile_from_text(profile, &known));
    IDV_TRY(idv_buf_putf(out,
                         "# The line of %s. idevid-factory --sample explains "
                         "every key.\n"
                         "[line]\nstation = %s\n",
                         opt.maker, station));
    IDV_TRY(tool_init_put_key(out, opt.token, "station-key", "station"));
    IDV_TRY(idv_buf_putf(out,
                         "station-certificate = station.pem\nprofile = %s\n\n"
                         "[desk]\n",
                         profile));
    IDV_TRY(tool_init_put_key(out, opt.token, "ca-key", "issuing-ca"));
    IDV_TRY(tool_init_put_key(out, opt.token, "key", "desk"));
    IDV_TRY(idv_buf_puts(out, "certificate = desk.pem\n"));
    if (plain)
        IDV_TRY(
            idv_buf_puts(out, "profiles = tcg, lean, direct, token, plain\n"));
    IDV_TRY(idv_buf_puts(out,
                         "# idevid-factory roots makes it, for devices with "
                         "a TPM:\n# roots = vendor-roots.json\n\n"));
    IDV_TRY(idv_buf_putf(out, "[idevid]\norganization = %s\n", opt.maker));
    const char *masa = opt.masa_url ? opt.masa_url : opt.names[0];
    return masa ? idv_buf_putf(out, "masa-url = %s\n", masa) : IDV_OK;
}

static idv_rc write_conf(struct tool *t, const char *station)
{
    IDV_AUTO(buf) text = {0};
    IDV_TRY(put_conf(&text, station));
    return tool_init_file(t, opt.dir, CONF_NAME, &text);
}

/* --- init ------------------------------------------------------------------
 */

/* Vouchers have a root of their own: nothing else of the maker's, neither a
 * device nor the MASA's server, can pass for their signer. Stations likewise:
 * no device can pass for one. */
static idv_rc make_all(struct tool *t, const struct tool_init *in,
                       struct maker *m)
{
    IDV_TRY(tool_init_authority(t, in, "root-ca", "Root CA", IDV_CERT_ROOT, 40,
                                NULL, &m->root));
    IDV_TRY(tool_init_authority(t, in, "issuing-ca", "Issuing CA", IDV_CERT_CA,
                                30, &m->root, &m->issuing));
    IDV_TRY(tool_init_authority(t, in, "voucher-ca", "Voucher CA",
                                IDV_CERT_ROOT, 40, NULL, &m->voucher));
    IDV_TRY(tool_init_authority(t, in, "masa", "Voucher Signer",
                                IDV_CERT_SIGNER, 10, &m->voucher, &m->masa));
    IDV_TRY(tool_init_authority(t, in, "masa-tls", "MASA", IDV_CERT_SERVER, 2,
                                &m->root, &m->tls));
    IDV_TRY(tool_init_authority(t, in, "station-ca", "Station CA",
                                IDV_CERT_ROOT, 20, NULL, &m->station_ca));
    return tool_init_authority(t, in, "desk", "Desk", IDV_CERT_SERVER, 5,
                               &m->root, &m->desk);
}

static idv_rc init(struct tool *t, struct maker *m)
{
    const char *station = opt.station ? opt.station : "station-1";
    const struct tool_init in = {.token_uri = opt.token,
                                 .dir = opt.dir,
                                 .organization = opt.maker,
                                 .type = opt.type,
                                 .names = opt.names};
    IDV_TRY(make_all(t, &in, m));
    IDV_TRY(make_station(t, station, &m->station_ca, &m->station));
    IDV_TRY(tool_init_anchors(&m->root, opt.dir, "anchors"));
    IDV_TRY(tool_init_anchors(&m->voucher, opt.dir, "voucher-anchors"));
    IDV_TRY(tool_init_anchors(&m->station_ca, opt.dir, "station-anchors"));
    IDV_TRY(write_conf(t, station));
    tool_say(t, "for owners   %s/anchors.pem", opt.dir);
    tool_say(t, "for devices  %s/voucher-anchors.pem", opt.dir);
    tool_say(t, "the line     %s/" CONF_NAME, opt.dir);
    return IDV_OK;
}

idv_rc factory_init(struct tool *t, int argc, char **argv)
{
    AUTO_MAKER struct maker m = {0};
    (void)argc;
    opt.dir = argv[0];
    IDV_TRY(factory_need(opt.token, "--token URI"));
    IDV_TRY(factory_need(opt.maker, "--maker NAME"));
    IDV_TRY(idv_fs_mkdir(opt.dir, 0755));
    return init(t, &m);
}

/* --- station: another machine's ----------------------------------------------
 */

/* There: its key, a request, and a configuration that names the desk. */
static idv_rc put_station_conf(struct idv_buf *out)
{
    IDV_TRY(idv_buf_putf(out,
                         "# A station. idevid-factory --sample explains every "
                         "key.\n[line]\nstation = %s\n",
                         opt.station));
    IDV_TRY(tool_init_put_key(out, opt.token, "station-key", "station"));
    IDV_TRY(idv_buf_puts(out, "station-certificate = station.pem\n\n"));
    if (opt.desk)
        IDV_TRY(idv_buf_putf(out, "[desk]\nurl = %s\n", opt.desk));
    return IDV_OK;
}

static idv_rc station_request(struct tool *t)
{
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) text = {0};
    char uri[512], path[1024];
    enum idv_key_type type = IDV_KEY_P256;
    IDV_TRY(idv_fs_mkdir(opt.dir, 0755));
    IDV_TRY(tool_object_uri(opt.token, "station", "private", uri));
    if (opt.type)
        IDV_TRY(idv_key_type_from_text(opt.type, &type));
    IDV_TRY(tool_key(uri, type, IDV_KEY_SIGN, &key, NULL));
    IDV_TRY(idv_csr_make(key, NULL, NULL, NULL, &der));
    IDV_TRY(tool_path(opt.dir, "station", ".csr", path));
    IDV_TRY(idv_fs_write(path, idv_view(&der), 0644));
    tool_say(t, "request      %s: to the machine that has the station CA",
             path);
    IDV_TRY(tool_path(opt.dir, CONF_NAME, "", path));
    if (idv_fs_exists(path))
        return IDV_OK;
    IDV_TRY(put_station_conf(&text));
    return idv_fs_create(path, idv_view(&text), 0644);
}

/* Here: a certificate for that request. */
static idv_rc station_certify(struct tool *t)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) pem = {0};
    IDV_AUTO_PTR(X509_REQ) req = NULL;
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    IDV_AUTO_PTR(idv_certs) chain = NULL;
    X509 *cert = NULL;
    AUTO_MAKER struct maker m = {0};
    const struct idv_cert_spec spec = {
        .kind = IDV_CERT_LDEVID,
        .common_name = opt.station,
        .not_before = idv_now(t->env) - DAY,
        .not_after = idv_now(t->env) + (int64_t)5 * 365 * DAY,
    };
    IDV_TRY(idv_fs_read(opt.csr, 0, &der));
    IDV_TRY(idv_csr_from_der(idv_view(&der), &req, &key));
    IDV_TRY(
        tool_authority_open(opt.token, opt.dir, "station-ca", &m.station_ca));
    IDV_TRY(idv_cert_issue(&spec, key, m.station_ca.cert, m.station_ca.key,
                           t->env, &cert));
    chain = idv_certs_dup(m.station_ca.chain);
    if (!chain || sk_X509_unshift(chain, cert) <= 0) {
        X509_free(cert);
        return idv_fail(IDV_E_NOMEM, "out of memory");
    }
    IDV_TRY(idv_certs_to_pem(chain, &pem));
    return tool_write(opt.out, idv_view(&pem));
}

idv_rc factory_station(struct tool *t, int argc, char **argv)
{
    (void)argc;
    opt.dir = argv[0];
    IDV_TRY(factory_need(opt.token, "--token URI"));
    IDV_TRY(factory_need(opt.station, "--station NAME"));
    if (strlen(opt.station) > IDV_FACTORY_NAME_MAX)
        return idv_fail(IDV_E_ARG, "--station: longer than %d characters",
                        IDV_FACTORY_NAME_MAX);
    return opt.csr ? station_certify(t) : station_request(t);
}

/* --- options ----------------------------------------------------------------
 */

const struct tool_option factory_init_options[] = {
    {"token", 0, "URI", "the maker's token (pkcs11:token=...)", &opt.token,
     NULL, NULL},
    {"maker", 0, "NAME", "organization in the certificates", &opt.maker, NULL,
     NULL},
    {"name", 0, "HOST",
     "a name or address of the MASA's server (repeatable; default loopback)",
     NULL, NULL, opt.names},
    {"type", 0, "TYPE", "P-256 (default), P-384, RSA-2048, RSA-3072", &opt.type,
     NULL, NULL},
    {"station", 0, "NAME", "of this machine's station (default station-1)",
     &opt.station, NULL, NULL},
    {"profile", 0, "WORD",
     "of devices with a TPM: tcg (default), lean, direct, plain", &opt.profile,
     NULL, NULL},
    {"masa-url", 0, "URL", "MASA URL in IDevIDs (default: the first --name)",
     &opt.masa_url, NULL, NULL},
    {0}};

const struct tool_option factory_station_options[] = {
    {"token", 0, "URI", "the station's token; with --csr the maker's",
     &opt.token, NULL, NULL},
    {"station", 0, "NAME", "its name", &opt.station, NULL, NULL},
    {"desk", 0, "URL", "where its desk is, for factory.ini", &opt.desk, NULL,
     NULL},
    {"csr", 0, "FILE", "certify this request of a station", &opt.csr, NULL,
     NULL},
    {"out", 'o', "FILE",
     "where the certificate goes (default: standard output)", &opt.out, NULL,
     NULL},
    {"type", 0, "TYPE", "P-256 (default), P-384, RSA-2048, RSA-3072", &opt.type,
     NULL, NULL},
    {0}};
