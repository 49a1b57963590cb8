/* SPDX-License-Identifier: Apache-2.0 */
/* roots: the TPM vendors' roots as one signed file, made and shown. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/ek.h>
#include <idevid/envelope.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "ca.h"
#include "factory.h"
#include "factory_certdir.h"
#include "factory_people.h"

#define BUNDLE_MAX ((size_t)8 << 20)

static const char *number_text, *key_uri, *cert_uri, *anchors;

/* --- make ----------------------------------------------------------------- */

/* An expired root still vouches for a chip that was made in its time; whether
 * that is enough is ek-check-time's to say. */
static size_t name_expired(const struct tool *t, const STACK_OF(X509) * certs)
{
    const int64_t now = idv_now(t->env);
    size_t n = 0;
    for (int i = 0; i < sk_X509_num(certs); i++) {
        int64_t from, to;
        if (idv_cert_times(sk_X509_value(certs, i), &from, &to) != IDV_OK ||
            to >= now)
            continue;
        char when[IDV_TIME_TEXT] = "?";
        if (idv_time_to_text(to, when) != IDV_OK)
            idv_note_clear();
        fprintf(stderr, "%s: expired on %s: %s\n", t->name, when,
                idv_cert_subject(sk_X509_value(certs, i)));
        n++;
    }
    return n;
}

/* The station's own key, or another's who answers for the list. */
static idv_rc open_signer(struct tool_authority *a)
{
    if (!key_uri != !cert_uri)
        return idv_fail(IDV_E_ARG, "--key and --cert belong together");
    const char *key = key_uri ? key_uri : factory_conf.station_key;
    const char *cert = cert_uri ? cert_uri : factory_conf.station_certificate;
    IDV_TRY(factory_need(key, "--key URI (or factory.ini)"));
    IDV_TRY(idv_key_open(key, &tool_pin, &a->key));
    IDV_TRY(idv_cert_open(cert, &tool_pin, &a->cert));
    if (EVP_PKEY_eq(X509_get0_pubkey(a->cert), a->key) != 1)
        return idv_fail(IDV_E_REJECT, "%s: is not the certificate of %s", cert,
                        key);
    return IDV_OK;
}

static idv_rc write_bundle(struct tool *t, const struct certdir *d,
                           uint64_t number)
{
    IDV_AUTO(buf) out = {.max = BUNDLE_MAX};
    struct tool_authority signer = {0};
    idv_rc rc = open_signer(&signer);
    if (rc == IDV_OK)
        rc = idv_roots_make(number, d->certs, d->vendors, signer.key,
                            signer.cert, t->env, &out);
    tool_authority_free(&signer);
    return rc == IDV_OK ? tool_write(opt.out, idv_view(&out)) : rc;
}

static idv_rc make(struct tool *t, const char *folder)
{
    struct certdir d;
    int64_t number;
    IDV_TRY(factory_need(number_text, "--number NUMBER"));
    IDV_TRY(factory_need(opt.out, "--out FILE"));
    IDV_TRY(idv_text_to_int(idv_str(number_text), 1, INT64_MAX, "--number",
                            &number));
    IDV_TRY(certdir_read(t, folder, &d));
    const size_t expired = name_expired(t, d.certs);
    idv_rc rc = write_bundle(t, &d, (uint64_t)number);
    if (rc == IDV_OK && strcmp(opt.out, "-") != 0)
        tool_say(t,
                 "%s: version %lld, %d certificates of %zu files; %zu there "
                 "twice, %zu expired, %zu other files left alone",
                 opt.out, (long long)number, sk_X509_num(d.certs), d.files,
                 d.twice, expired, d.others);
    certdir_free(&d);
    return rc;
}

/* --- show ----------------------------------------------------------------- */

static idv_rc put_cert(struct idv_json *o, const X509 *cert)
{
    char from_text[IDV_TIME_TEXT], to_text[IDV_TIME_TEXT];
    uint8_t digest[32];
    int64_t from, to;
    IDV_AUTO(buf) hex = {0};
    IDV_TRY(idv_cert_times(cert, &from, &to));
    IDV_TRY(idv_time_to_text(from, from_text));
    IDV_TRY(idv_time_to_text(to, to_text));
    IDV_TRY(idv_cert_sha256(cert, digest));
    IDV_TRY(idv_hex_from_bytes(idv_bytes(digest, sizeof(digest)), &hex));
    IDV_TRY(tool_put_text(o, "subject", idv_cert_subject(cert)));
    IDV_TRY(tool_put_text(o, "not-before", from_text));
    IDV_TRY(tool_put_text(o, "not-after", to_text));
    return tool_put_text(o, "sha256", (const char *)hex.p);
}

static idv_rc show_cert(struct tool *t, const struct idv_json *v)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_CERT};
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    const char *vendor = idv_json_text(idv_json_get(v, "vendor"));
    IDV_TRY(idv_base64_to_bytes(
        idv_str(idv_json_text(idv_json_get(v, "certificate"))),
        IDV_BASE64_STRICT, &der));
    IDV_TRY(idv_cert_from_der(idv_view(&der), &cert));
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(tool_put_text(o, "vendor", vendor));
    IDV_TRY(put_cert(o, cert));
    if (t->json)
        return tool_print_json(idv_steal(&o));
    tool_say(t, "%-16s %s\n    %s to %s\n    SHA-256 %s", vendor,
             idv_cert_subject(cert),
             idv_json_text(idv_json_get(o, "not-before")),
             idv_json_text(idv_json_get(o, "not-after")),
             idv_json_text(idv_json_get(o, "sha256")));
    return IDV_OK;
}

/* The bundle was verified: who signed is who the envelope names. */
static idv_rc show_head(struct tool *t, const struct idv_json *bundle,
                        const struct idv_roots *roots)
{
    IDV_AUTO(buf) der = {.max = IDV_MAX_BODY};
    IDV_AUTO(opened) cms = {0};
    const unsigned long long number = idv_roots_version(roots);
    IDV_TRY(idv_base64_to_bytes(
        idv_str(idv_json_text(idv_json_get(bundle, "manifest"))),
        IDV_BASE64_STRICT, &der));
    IDV_TRY(idv_envelope_open(IDV_MEDIA_VOUCHER_CMS, idv_view(&der), &cms));
    const char *by = cms.signer ? idv_cert_subject(cms.signer) : "?";
    if (!t->json) {
        tool_say(t, "version %llu, signed by %s; %zu roots, %d intermediates",
                 number, by, idv_roots_count(roots),
                 sk_X509_num(idv_roots_intermediates(roots)));
        return IDV_OK;
    }
    struct idv_json *o = idv_json_new_object();
    idv_rc rc =
        o ? tool_put_int(o, "version", number) : idv_fail(IDV_E_NOMEM, "JSON");
    if (rc == IDV_OK)
        rc = tool_put_text(o, "signer", by);
    if (rc == IDV_OK)
        rc = tool_put_int(o, "roots", idv_roots_count(roots));
    return tool_print_put(o, rc);
}

static idv_rc show_opened(struct tool *t, struct idv_bytes text,
                          const struct idv_roots *roots)
{
    IDV_AUTO_PTR(idv_json) root = NULL;
    IDV_TRY(idv_json_parse(text, BUNDLE_MAX, &root));
    const struct idv_json *bundle = idv_json_get(root, "idevid-roots");
    const struct idv_json *list = idv_json_get(bundle, "certificates");
    IDV_TRY(show_head(t, bundle, roots));
    for (size_t i = 0; i < idv_json_count(list); i++)
        IDV_TRY(show_cert(t, idv_json_at(list, i, NULL)));
    return IDV_OK;
}

static idv_rc show(struct tool *t, const char *file)
{
    IDV_AUTO(buf) text = {.max = BUNDLE_MAX};
    IDV_AUTO_PTR(idv_certs) under = NULL;
    struct idv_roots *roots = NULL;
    const char *path = anchors ? anchors : factory_conf.desk.roots_anchors;
    IDV_TRY(factory_need(path, "--anchors FILE (or factory.ini)"));
    IDV_TRY(idv_certs_open(path, NULL, &under));
    IDV_TRY(idv_fs_read(file, BUNDLE_MAX, &text));
    idv_rc rc = idv_roots_open(idv_view(&text), under, 0, &roots);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "%s", file);
    rc = show_opened(t, idv_view(&text), roots);
    idv_roots_free(roots);
    return rc;
}

idv_rc factory_roots(struct tool *t, int argc, char **argv)
{
    (void)argc;
    opt.dir = argv[0];
    if (strcmp(argv[1], "make") == 0)
        return make(t, argv[2]);
    if (strcmp(argv[1], "show") == 0)
        return show(t, argv[2]);
    return idv_fail(IDV_E_ARG, "roots: '%s' is neither make nor show", argv[1]);
}

const struct tool_option factory_roots_options[] = {
    {"number", 0, "NUMBER", "make: its version; desks refuse lower ones",
     &number_text, NULL, NULL},
    {"out", 'o', "FILE", "make: where it goes", &opt.out, NULL, NULL},
    {"key", 0, "URI", "make: who signs (default: the station)", &key_uri, NULL,
     NULL},
    {"cert", 0, "URI", "make: its certificate", &cert_uri, NULL, NULL},
    {"anchors", 0, "FILE", "show: who may have signed (default: roots-anchors)",
     &anchors, NULL, NULL},
    {0}};
