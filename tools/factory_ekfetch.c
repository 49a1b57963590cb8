/* SPDX-License-Identifier: Apache-2.0 */
/* ek-fetch: the EK certificate of a TPM that has none, from its vendor or a
 * folder, into the folder that provision --ek-cert reads. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/ek.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "factory_people.h"
#include "idevid/net/fetch.h"

#define MAX_REPLY ((size_t)64 << 10)

static const char *url, *folder, *ca, *type, *ek_public, *timeout;
static bool insecure;

/* --- whose ------------------------------------------------------------------
 */

static idv_rc from_tpm(struct idv_buf *out)
{
    struct idv_device *dev = NULL;
    const char *index = factory_conf.ek_index;
    IDV_TRY(factory_need(opt.device, "--device URI (or --ek-public FILE)"));
    IDV_TRY(idv_device_open(opt.device, &tool_pin, &dev));
    idv_rc rc = idv_ek_read(
        dev, index && !type ? (uint32_t)strtoul(index, NULL, 16) : 0,
        type    ? type
        : index ? NULL
                : "RSA-2048",
        out);
    idv_device_close(dev);
    return rc;
}

/* TPM2B_PUBLIC, as tpm2-tools write it, or what is in it. */
static idv_rc from_file(struct idv_buf *out)
{
    IDV_AUTO(buf) raw = {0};
    IDV_TRY(idv_fs_read(ek_public, MAX_REPLY, &raw));
    struct idv_bytes v = idv_view(&raw);
    if (v.n > 2 && (size_t)(v.p[0] << 8 | v.p[1]) == v.n - 2)
        v = idv_bytes(v.p + 2, v.n - 2);
    return idv_buf_put(out, v);
}

/* --- from where -------------------------------------------------------------
 */

static idv_rc take(struct idv_bytes body, struct idv_bytes ek, X509 **out)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_TRY(idv_ek_cert_from_reply(body, &cert));
    IDV_TRY(idv_ek_cert_is_for(cert, ek));
    *out = idv_steal(&cert);
    return IDV_OK;
}

/* What is no certificate there, or another TPM's, is passed over. */
static idv_rc try_file(const char *name, struct idv_bytes ek, X509 **out)
{
    char path[2048];
    IDV_AUTO(buf) body = {0};
    if (snprintf(path, sizeof(path), "%s/%s", folder, name) >=
        (int)sizeof(path))
        return IDV_OK;
    if (idv_fs_read(path, MAX_REPLY, &body) != IDV_OK ||
        take(idv_view(&body), ek, out) != IDV_OK)
        idv_note_clear();
    return IDV_OK;
}

static idv_rc from_folder(struct idv_bytes ek, X509 **out)
{
    const struct dirent *e;
    idv_rc rc = IDV_OK;
    size_t n = 0;
    DIR *d = opendir(folder);
    if (!d)
        return idv_fail(IDV_E_IO, "%s: %s", folder, strerror(errno));
    while (rc == IDV_OK && !*out && (e = readdir(d))) {
        if (*e->d_name != '.') {
            rc = try_file(e->d_name, ek, out);
            n++;
        }
    }
    closedir(d);
    if (rc == IDV_OK && !*out)
        rc = idv_fail(IDV_E_REJECT,
                      "%s: none of its %zu files is this TPM's EK certificate",
                      folder, n);
    return rc;
}

/* "intel" and "amd" stand for what those vendors publish. */
static const char *template_of(const char *name)
{
    if (strcmp(name, "intel") == 0)
        return IDV_EK_URL_INTEL;
    return strcmp(name, "amd") == 0 ? IDV_EK_URL_AMD : name;
}

static idv_rc from_vendor(struct idv_bytes ek, X509 **out)
{
    IDV_AUTO(buf) at = {0};
    IDV_AUTO(buf) body = {.max = MAX_REPLY};
    int64_t seconds = 30;
    if (timeout)
        IDV_TRY(
            idv_text_to_int(idv_str(timeout), 1, 600, "--timeout", &seconds));
    IDV_TRY(idv_ek_url(template_of(url), ek, &at));
    const struct idv_fetch what = {
        .url = (const char *)at.p,
        .anchors = ca,
        .insecure_http = insecure,
        .max = MAX_REPLY,
        .timeout_ms = (int)seconds * 1000,
    };
    IDV_TRY(idv_fetch(&what, &body));
    idv_rc rc = take(idv_view(&body), ek, out);
    return rc == IDV_OK ? rc : idv_fail_within(rc, "%s", (char *)at.p);
}

/* --- whereto ----------------------------------------------------------------
 */

static idv_rc keep(struct tool *t, struct idv_bytes ek, const X509 *cert)
{
    char name[256];
    IDV_AUTO(buf) path = {0};
    IDV_AUTO(buf) der = {0};
    struct idv_ek_info info;
    IDV_TRY(idv_ek_cert_info(cert, &info));
    IDV_TRY(idv_ek_hw_serial(NULL, ek, name));
    IDV_TRY(idv_cert_to_der(cert, &der));
    IDV_TRY(idv_fs_mkdir(opt.out, 0755));
    IDV_TRY(idv_buf_putf(&path, "%s/%s.der", opt.out, name));
    IDV_TRY(idv_fs_write((char *)path.p, idv_view(&der), 0644));
    if (!t->json) {
        tool_say(t, "%s: of %s%s%s", (char *)path.p,
                 *info.maker ? info.maker : "an unnamed vendor",
                 *info.model ? ", " : "", info.model);
        return IDV_OK;
    }
    struct idv_json *o = idv_json_new_object();
    idv_rc rc = o ? tool_put_text(o, "file", (char *)path.p)
                  : idv_fail(IDV_E_NOMEM, "out of memory");
    if (rc == IDV_OK)
        rc = tool_put_text(o, "ek-sha256", name);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "maker", info.maker);
    return tool_print_put(o, rc);
}

static idv_rc check(void)
{
    IDV_TRY(factory_need(opt.out, "--out FOLDER"));
    if (!url == !folder)
        return idv_fail(IDV_E_ARG, "one of --url and --folder says where from");
    if (folder && (ca || insecure || timeout))
        return idv_fail(IDV_E_ARG,
                        "--ca, --timeout and --insecure-http are of --url");
    if (ek_public && (opt.device || type))
        return idv_fail(IDV_E_ARG,
                        "--ek-public stands for --device and --type");
    return IDV_OK;
}

idv_rc factory_ek_fetch(struct tool *t, int argc, char **argv)
{
    IDV_AUTO(buf) ek = {0};
    IDV_AUTO_PTR(X509) cert = NULL;
    (void)argc;
    opt.dir = argv[0];
    IDV_TRY(check());
    IDV_TRY(ek_public ? from_file(&ek) : from_tpm(&ek));
    IDV_TRY(url ? from_vendor(idv_view(&ek), &cert)
                : from_folder(idv_view(&ek), &cert));
    return keep(t, idv_view(&ek), cert);
}

const struct tool_option factory_ek_fetch_options[] = {
    {"device", 'd', "URI", "the device: tpm2:", &opt.device, NULL, NULL},
    {"type", 0, "TYPE", "of its EK (default: that of ek-index, or RSA-2048)",
     &type, NULL, NULL},
    {"ek-public", 0, "FILE", "or its EK's public area in a file", &ek_public,
     NULL, NULL},
    {"url", 0, "URL",
     "intel, amd, or a URL with {sha256} {sha256-hex16} {intel} {amd}", &url,
     NULL, NULL},
    {"folder", 0, "FOLDER", "or a folder that the vendor gave", &folder, NULL,
     NULL},
    {"out", 'o', "FOLDER", "that of provision --ek-cert", &opt.out, NULL, NULL},
    {"ca", 0, "FILE", "trust anchors of the server (default: the system's)",
     &ca, NULL, NULL},
    {"timeout", 0, "SECONDS", "for all of it (default 30)", &timeout, NULL,
     NULL},
    {"insecure-http", 0, NULL,
     "take http: too; the certificate's chain still "
     "says whose it is",
     NULL, &insecure, NULL},
    {0}};
