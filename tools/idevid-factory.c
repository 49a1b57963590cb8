/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-factory: a maker's keys, and an IDevID for each device. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "ca.h"
#include "install.h"
#include "tool.h"

#define RECORDS "devices.jsonl"

static struct {
    const char *dir, *token, *maker, *names[TOOL_LIST_MAX + 1], *type;
    const char *device, *serial, *model, *masa_url, *hw_type, *hw_serial;
    const char *key_uri, *cert_uri, *out, *index;
    bool lock, replace, platform, so, remove;
} opt;

static idv_rc need(const char *value, const char *option)
{
    if (value)
        return IDV_OK;
    return idv_fail(IDV_E_ARG, "%s is missing", option);
}

static idv_rc key_type(enum idv_key_type *type)
{
    *type = IDV_KEY_P256;
    return opt.type ? idv_key_type_from_text(opt.type, type) : IDV_OK;
}

/* --- init: the maker's authorities -------------------------------------- */

struct maker {
    struct tool_authority root, issuing, voucher, masa, tls;
};

static inline void maker_free(struct maker *m)
{
    tool_authority_free(&m->root);
    tool_authority_free(&m->issuing);
    tool_authority_free(&m->voucher);
    tool_authority_free(&m->masa);
    tool_authority_free(&m->tls);
}
#define AUTO_MAKER __attribute__((cleanup(maker_free)))

static idv_rc write_anchors(const struct tool_authority *a, const char *name)
{
    IDV_AUTO(buf) pem = {0};
    char path[1024];
    IDV_TRY(tool_path(opt.dir, name, ".pem", path));
    IDV_TRY(idv_certs_to_pem(a->chain, &pem));
    return idv_fs_write(path, idv_view(&pem), 0644);
}

/* Vouchers have a root of their own: nothing else of the maker's, neither a
 * device nor the MASA's server, can pass for their signer. */
static idv_rc init(struct tool *t, int argc, char **argv)
{
    AUTO_MAKER struct maker m = {0};
    (void)argc;
    opt.dir = argv[0];
    IDV_TRY(need(opt.token, "--token URI"));
    IDV_TRY(need(opt.maker, "--maker NAME"));
    IDV_TRY(idv_fs_mkdir(opt.dir, 0755));
    const struct tool_init in = {.token_uri = opt.token,
                                 .dir = opt.dir,
                                 .organization = opt.maker,
                                 .type = opt.type,
                                 .names = opt.names};
    IDV_TRY(tool_init_authority(t, &in, "root-ca", "Root CA", IDV_CERT_ROOT, 40,
                                NULL, &m.root));
    IDV_TRY(tool_init_authority(t, &in, "issuing-ca", "Issuing CA", IDV_CERT_CA,
                                30, &m.root, &m.issuing));
    IDV_TRY(tool_init_authority(t, &in, "voucher-ca", "Voucher CA",
                                IDV_CERT_ROOT, 40, NULL, &m.voucher));
    IDV_TRY(tool_init_authority(t, &in, "masa", "Voucher Signer",
                                IDV_CERT_SIGNER, 10, &m.voucher, &m.masa));
    IDV_TRY(tool_init_authority(t, &in, "masa-tls", "MASA", IDV_CERT_SERVER, 2,
                                &m.root, &m.tls));
    IDV_TRY(write_anchors(&m.root, "anchors"));
    IDV_TRY(write_anchors(&m.voucher, "voucher-anchors"));
    tool_say(t, "for owners   %s/anchors.pem", opt.dir);
    tool_say(t, "for devices  %s/voucher-anchors.pem", opt.dir);
    return IDV_OK;
}

/* --- where an identity lives in a device -------------------------------- */

struct place {
    char key[512], cert[512];
};

static idv_rc place_given(struct place *p)
{
    if (opt.key_uri)
        IDV_TRY(idv_text_copy(p->key, sizeof(p->key), idv_str(opt.key_uri),
                              "--key-uri"));
    if (opt.cert_uri)
        IDV_TRY(idv_text_copy(p->cert, sizeof(p->cert), idv_str(opt.cert_uri),
                              "--cert-uri"));
    return IDV_OK;
}

static idv_rc place_find(struct place *p)
{
    if (strncasecmp(opt.device, "pkcs11:", 7) == 0) {
        IDV_TRY(tool_object_uri(opt.device, "idevid", "private", p->key));
        IDV_TRY(tool_object_uri(opt.device, "idevid", "cert", p->cert));
        return place_given(p);
    }
    if (!idv_uri_is_device(opt.device))
        return idv_fail(IDV_E_ARG, "--device: '%s' is no device URI",
                        opt.device);
    snprintf(p->key, sizeof(p->key), "tpm2:handle=0x81020000");
    snprintf(p->cert, sizeof(p->cert), "tpm2:handle=0x01C90200");
    return place_given(p);
}

/* The certificate that is stored already, or NULL. */
static idv_rc stored_cert(struct idv_device *dev, const struct place *p,
                          X509 **out)
{
    IDV_AUTO(buf) der = {0};
    bool found = false;
    IDV_TRY(idv_device_read(dev, p->cert, &found, &der));
    return found ? idv_cert_from_der(idv_view(&der), out) : IDV_OK;
}

/* --- records: one JSON line per device, what the MASA is told ----------- */

static idv_rc record_json(const X509 *cert, struct idv_json *o)
{
    struct idv_devid id;
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) issuer = {0};
    IDV_TRY(idv_devid_from_cert(cert, &id));
    IDV_TRY(idv_cert_to_der(cert, &der));
    IDV_TRY(idv_idevid_issuer(cert, false, &issuer));
    IDV_TRY(idv_json_set(o, "serial-number",
                         idv_json_new_text(idv_str(id.serial_number))));
    IDV_TRY(idv_json_set(o, "idevid-issuer",
                         idv_json_new_base64(idv_view(&issuer))));
    return idv_json_set(o, "certificate", idv_json_new_base64(idv_view(&der)));
}

/* Is there a line for this serial number? Its certificate must be this one. */
static idv_rc record_known(struct idv_bytes all, const char *serial,
                           const X509 *cert, bool *known)
{
    struct idv_bytes line;
    *known = false;
    while (idv_text_next(&all, "\n", &line)) {
        IDV_AUTO(buf) der = {0};
        IDV_AUTO_PTR(X509) other = NULL;
        struct idv_json *o = NULL;
        if (idv_text_trim(line).n == 0)
            continue;
        IDV_TRY(idv_json_parse(line, 0, &o));
        const char *s = idv_json_text(idv_json_get(o, "serial-number"));
        const char *c = idv_json_text(idv_json_get(o, "certificate"));
        bool same = s && c && strcmp(s, serial) == 0;
        idv_rc rc =
            same ? idv_base64_to_bytes(idv_str(c), IDV_BASE64_STRICT, &der)
                 : IDV_OK;
        idv_json_free(o);
        if (rc == IDV_OK && same)
            rc = idv_cert_from_der(idv_view(&der), &other);
        IDV_TRY(rc);
        if (!same)
            continue;
        if (!cert || !idv_cert_same_key(other, cert))
            return idv_fail(IDV_E_REJECT,
                            "serial number %s: another device has it", serial);
        *known = true;
    }
    return IDV_OK;
}

static idv_rc records_read(struct idv_buf *all)
{
    char path[1024];
    IDV_TRY(tool_path(opt.dir, RECORDS, "", path));
    if (!idv_fs_exists(path))
        return IDV_OK;
    return idv_fs_read(path, (size_t)1 << 30, all);
}

static idv_rc record_add(const X509 *cert)
{
    IDV_AUTO(buf) line = {0};
    char path[1024];
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = record_json(cert, o);
    if (rc == IDV_OK)
        rc = idv_json_dump(o, false, &line);
    idv_json_free(o);
    IDV_TRY(rc);
    IDV_TRY(idv_buf_puts(&line, "\n"));
    IDV_TRY(tool_path(opt.dir, RECORDS, "", path));
    return idv_fs_append(path, idv_view(&line), 0644);
}

/* --- provision: one device ---------------------------------------------- */

/* hwSerialNum: as given, else the serial number's characters. */
static struct idv_bytes hw_serial(void)
{
    return idv_str(opt.hw_serial ? opt.hw_serial : opt.serial);
}

/* hwType: as given; a TPM's is known. */
static const char *hw_type(void)
{
    bool token = strncasecmp(opt.device, "pkcs11:", 7) == 0;
    return opt.hw_type || token ? opt.hw_type : IDV_OID_TPM20;
}

static idv_rc issue_idevid(struct tool *t, EVP_PKEY *key, X509 **out)
{
    AUTO_MAKER struct maker m = {0};
    IDV_TRY(tool_authority_open(opt.token, opt.dir, "issuing-ca", &m.issuing));
    const char *org = opt.maker;
    struct idv_cert_spec spec = {
        .kind = IDV_CERT_IDEVID,
        .common_name = opt.model,
        .organization = org,
        .serial_number = opt.serial,
        .hw_type = hw_type(),
        .hw_serial = hw_serial(),
        .masa_url = opt.masa_url,
        .not_before = idv_now(t->env),
    };
    return idv_cert_issue(&spec, key, m.issuing.cert, m.issuing.key, t->env,
                          out);
}

static idv_rc check_serial(const X509 *cert)
{
    struct idv_devid id;
    IDV_TRY(idv_devid_from_cert(cert, &id));
    if (strcmp(id.serial_number, opt.serial) != 0)
        return idv_fail(IDV_E_REJECT,
                        "the device already is %s, not %s; nothing was changed",
                        id.serial_number, opt.serial);
    return IDV_OK;
}

/* Key, certificate, storage, record: each step is skipped when it was done,
 * so that a run cut anywhere is finished by the next. */
static idv_rc provision_open(struct tool *t, struct idv_device *dev,
                             const struct place *p, X509 **cert, bool *fresh)
{
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    IDV_AUTO(buf) der = {0};
    enum idv_key_type type;
    IDV_TRY(key_type(&type));
    IDV_TRY(stored_cert(dev, p, cert));
    if (*cert)
        IDV_TRY(check_serial(*cert));
    IDV_TRY(tool_key(p->key, type, IDV_KEY_IDEVID, &key, NULL));
    *fresh = !*cert;
    if (*cert)
        return tool_prove_key(key, *cert, t->env);
    IDV_TRY(issue_idevid(t, key, cert));
    IDV_TRY(idv_cert_to_der(*cert, &der));
    return idv_device_write(dev, p->cert, idv_view(&der),
                            IDV_WRITE_NEW | (opt.lock ? IDV_WRITE_LOCK : 0));
}

static idv_rc provision_report(struct tool *t, const struct place *p,
                               const X509 *cert, bool fresh)
{
    struct idv_device_stats s;
    idv_device_stats(&s);
    if (!t->json) {
        tool_say(t, "%s: %s (%llu device calls)\n  key %s\n  certificate %s",
                 opt.serial, fresh ? "IDevID made" : "has its IDevID already",
                 (unsigned long long)(s.tpm_commands + s.pkcs11_calls), p->key,
                 p->cert);
        return IDV_OK;
    }
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = record_json(cert, o);
    if (rc == IDV_OK)
        rc = tool_put_bool(o, "made", fresh);
    if (rc == IDV_OK)
        rc = tool_put_int(o, "tpm-commands", s.tpm_commands);
    if (rc == IDV_OK)
        rc = tool_put_int(o, "pkcs11-calls", s.pkcs11_calls);
    return tool_print_put(o, rc);
}

static idv_rc provision(struct tool *t, int argc, char **argv)
{
    struct place p = {0};
    struct idv_device *dev = NULL;
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_AUTO(buf) records = {0};
    bool fresh = false, known = false;
    (void)argc;
    opt.dir = argv[0];
    IDV_TRY(need(opt.token, "--token URI"));
    IDV_TRY(need(opt.device, "--device URI"));
    IDV_TRY(need(opt.serial, "--serial TEXT"));
    IDV_TRY(place_find(&p));
    records.max = (size_t)1 << 30;
    IDV_TRY(records_read(&records));
    IDV_TRY(idv_device_open(opt.device, &tool_pin, &dev));
    X509 *there = NULL;
    idv_rc rc = stored_cert(dev, &p, &there);
    if (rc == IDV_OK)
        rc = record_known(idv_view(&records), opt.serial, there, &known);
    X509_free(there);
    if (rc == IDV_OK)
        rc = provision_open(t, dev, &p, &cert, &fresh);
    idv_device_close(dev);
    IDV_TRY(rc);
    if (!known)
        IDV_TRY(record_add(cert));
    return provision_report(t, &p, cert, fresh);
}

/* --- verify, export ----------------------------------------------------- */

static idv_rc verify_cert(struct tool *t, X509 *cert)
{
    IDV_AUTO_PTR(idv_certs) anchors = NULL;
    IDV_AUTO_PTR(idv_certs) issuing = NULL;
    char path[1024];
    IDV_TRY(tool_path(opt.dir, "anchors", ".pem", path));
    IDV_TRY(idv_certs_open(path, NULL, &anchors));
    IDV_TRY(tool_path(opt.dir, "issuing-ca", ".pem", path));
    IDV_TRY(idv_certs_open(path, NULL, &issuing));
    struct idv_chain_policy policy = {.anchors = anchors,
                                      .extra = issuing,
                                      .check_time = true,
                                      .now = idv_now(t->env)};
    return idv_chain_verify(cert, &policy);
}

static idv_rc verify(struct tool *t, int argc, char **argv)
{
    struct place p = {0};
    struct idv_devid id;
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    (void)argc;
    opt.dir = argv[0];
    IDV_TRY(need(opt.device, "--device URI"));
    IDV_TRY(place_find(&p));
    IDV_TRY(idv_cert_open(p.cert, &tool_pin, &cert));
    IDV_TRY(verify_cert(t, cert));
    IDV_TRY(idv_devid_from_cert(cert, &id));
    IDV_TRY(idv_key_open(p.key, &tool_pin, &key));
    IDV_TRY(tool_prove_key(key, cert, t->env));
    tool_say(t, "%s: key and certificate belong together and to this maker",
             id.serial_number);
    return IDV_OK;
}

static idv_rc export(struct tool *t, int argc, char **argv)
{
    IDV_AUTO(buf) all = {0};
    (void)t;
    (void)argc;
    opt.dir = argv[0];
    all.max = (size_t)1 << 30;
    IDV_TRY(records_read(&all));
    return tool_write(opt.out, idv_view(&all));
}

static idv_rc install(struct tool *t, int argc, char **argv)
{
    const struct tool_install in = {argv[0], opt.cert_uri, opt.key_uri,
                                    opt.replace, opt.lock};
    (void)argc;
    IDV_TRY(need(opt.cert_uri, "--cert-uri URI"));
    return tool_install(t, &in);
}

static idv_rc seal(struct tool *t, int argc, char **argv)
{
    (void)argc;
    IDV_TRY(need(opt.device, "--device URI"));
    const struct tool_seal in = {argv[0], opt.device, opt.index, opt.platform,
                                 opt.so};
    return tool_seal(t, &in);
}

/* --- tables ------------------------------------------------------------- */

static const struct tool_option init_options[] = {
    {"token", 0, "URI", "the maker's token (pkcs11:token=...)", &opt.token,
     NULL, NULL},
    {"maker", 0, "NAME", "organization in the certificates", &opt.maker, NULL,
     NULL},
    {"name", 0, "HOST",
     "a name or address of the MASA's server (repeatable; default loopback)",
     NULL, NULL, opt.names},
    {"type", 0, "TYPE", "P-256 (default), P-384, RSA-2048, RSA-3072", &opt.type,
     NULL, NULL},
    {0}};

static const struct tool_option provision_options[] = {
    {"token", 0, "URI", "the maker's token (pkcs11:token=...)", &opt.token,
     NULL, NULL},
    {"device", 'd', "URI", "the device: tpm2: or pkcs11:token=...", &opt.device,
     NULL, NULL},
    {"serial", 's', "TEXT", "the device's serial number", &opt.serial, NULL,
     NULL},
    {"model", 0, "TEXT", "commonName of the IDevID", &opt.model, NULL, NULL},
    {"maker", 0, "NAME", "organization of the IDevID", &opt.maker, NULL, NULL},
    {"masa-url", 0, "URL", "MASA URL, or authority, in the IDevID",
     &opt.masa_url, NULL, NULL},
    {"hw-type", 0, "OID", "hwType (a TPM has its own)", &opt.hw_type, NULL,
     NULL},
    {"hw-serial", 0, "TEXT", "hwSerialNum (default: the serial number)",
     &opt.hw_serial, NULL, NULL},
    {"type", 0, "TYPE", "P-256 (default), P-384, RSA-2048", &opt.type, NULL,
     NULL},
    {"key-uri", 0, "URI", "where the key goes in the device", &opt.key_uri,
     NULL, NULL},
    {"cert-uri", 0, "URI", "where the certificate goes", &opt.cert_uri, NULL,
     NULL},
    {"lock", 0, NULL, "lock the stored certificate against writing", NULL,
     &opt.lock, NULL},
    {0}};

static const struct tool_option verify_options[] = {
    {"device", 'd', "URI", "the device: tpm2: or pkcs11:token=...", &opt.device,
     NULL, NULL},
    {"key-uri", 0, "URI", "where the key is in the device", &opt.key_uri, NULL,
     NULL},
    {"cert-uri", 0, "URI", "where the certificate is", &opt.cert_uri, NULL,
     NULL},
    {0}};

static const struct tool_option install_options[] = {
    {"cert-uri", 0, "URI", "where the certificate goes", &opt.cert_uri, NULL,
     NULL},
    {"key-uri", 0, "URI", "the key that it must belong to", &opt.key_uri, NULL,
     NULL},
    {"replace", 0, NULL, "replace the one that is there", NULL, &opt.replace,
     NULL},
    {"lock", 0, NULL, "lock the stored certificate against writing", NULL,
     &opt.lock, NULL},
    {0}};

static idv_rc anchor(struct tool *t, int argc, char **argv)
{
    (void)argc;
    IDV_TRY(need(opt.device, "--device URI"));
    IDV_TRY(need(opt.serial, "--serial NUMBER"));
    return tool_platform(t, &(struct tool_platform){argv[0], opt.device,
                                                    opt.serial, opt.remove});
}
static const struct tool_option anchor_options[] = {
    {"device", 'd', "URI", "the device: tpm2:", &opt.device, NULL, NULL},
    {"serial", 's', "NUMBER", "its serial number", &opt.serial, NULL, NULL},
    {"remove", 0, NULL, "take it away again", NULL, &opt.remove, NULL},
    {0}};

static const struct tool_option seal_options[] = {
    {"device", 'd', "URI", "the device: tpm2: or pkcs11:token=...", &opt.device,
     NULL, NULL},
    {"platform", 0, NULL, "by the platform hierarchy of a TPM", NULL,
     &opt.platform, NULL},
    {"so", 0, NULL, "by the security officer of a token", NULL, &opt.so, NULL},
    {"index", 0, "INDEX",
     "NV index of a TPM (default 0x01800A02, of the platform 0x01400A02)",
     &opt.index, NULL, NULL},
    {0}};

static const struct tool_option export_options[] = {
    {"out", 'o', "FILE", "where to (default: standard output)", &opt.out, NULL,
     NULL},
    {0}};

static const struct tool_verb verbs[] = {
    {"init", "DIR", "make a maker: CAs, voucher signer, MASA server", 1, 1,
     init_options, init, false},
    {"provision", "DIR", "give one device its IDevID", 1, 1, provision_options,
     provision, false},
    {"install", "FILE", "store a certificate in a device", 1, 1,
     install_options, install, false},
    {"seal", "FILE", "let a device remember its maker's trust anchors", 1, 1,
     seal_options, seal, false},
    {"anchor", "FILE", "make an anchor that takes what a key approved", 1, 1,
     anchor_options, anchor, false},
    {"verify", "DIR", "check the IDevID in a device", 1, 1, verify_options,
     verify, false},
    {"export", "DIR", "print the device records, for idevid-masa import", 1, 1,
     export_options, export, false},
    {0}};

int main(int argc, char **argv)
{
    static const struct tool_option none[] = {{0}};
    static struct tool t = {
        .name = "idevid-factory",
        .about = "Makes a manufacturer's keys and gives devices their IDevID "
                 "(IEEE 802.1AR).",
        .verbs = verbs,
        .options = none,
        .environment = TOOL_DEVICE_ENVIRONMENT,
    };
    return tool_main(&t, argc, argv);
}
