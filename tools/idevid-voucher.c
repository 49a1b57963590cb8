/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-voucher: looks into, judges, writes and signs vouchers. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/envelope.h>
#include <idevid/text.h>
#include <idevid/voucher.h>

#include "sealed.h"
#include "tool.h"

static struct {
    const char *anchors, *idevid, *nonce, *chain, *tls, *out, *key, *cert;
    const char *serial, *assertion, *created, *expires, *pin, *issuer, *prior;
    const char *proximity, *media, *est_domain, *more;
    bool request, no_time, id_data, sequence;
} opt;

/* --- a file in any of the forms people have ----------------------------- */

struct artifact {
    struct idv_buf der; /* the container, or empty */
    struct idv_opened opened;
    struct idv_buf plain; /* unsigned JSON, when there is no container */
    struct idv_voucher voucher;
};

static void artifact_free(struct artifact *a)
{
    idv_opened_free(&a->opened);
    idv_voucher_free(&a->voucher);
    idv_buf_free(&a->der);
    idv_buf_free(&a->plain);
}

static inline void idv_auto_artifact(struct artifact *a)
{
    artifact_free(a);
}
#define AUTO_ARTIFACT __attribute__((cleanup(idv_auto_artifact)))

static idv_rc to_der(struct artifact *a, struct idv_buf *file)
{
    struct idv_buf got = {0};
    bool sealed;
    IDV_TRY(tool_unwrap(file, &sealed, &got));
    idv_buf_move(sealed ? &a->der : &a->plain, &got);
    return IDV_OK;
}

/* A request's root differs, so try one and then the other. */
static idv_rc to_voucher(struct artifact *a)
{
    struct idv_bytes json =
        a->der.n ? idv_view(&a->opened.payload) : idv_view(&a->plain);
    const char *media = a->der.n ? a->opened.media : IDV_MEDIA_VOUCHER_CMS;
    if (idv_voucher_from(media, json, IDV_VOUCHER_REQUEST, &a->voucher) ==
        IDV_OK)
        return IDV_OK;
    bool voucher = memmem(json.p, json.n, "\"ietf-voucher:voucher\"", 22);
    if (!voucher)
        return IDV_E_FORMAT;
    idv_note_clear();
    return idv_voucher_from(media, json, IDV_VOUCHER, &a->voucher);
}

static idv_rc artifact_parse(struct artifact *a, struct idv_buf *file)
{
    IDV_TRY(to_der(a, file));
    if (a->der.n) {
        const char *media = idv_envelope_guess(idv_view(&a->der));
        if (!media)
            return idv_fail(IDV_E_FORMAT, "not a voucher container known here");
        IDV_TRY(idv_envelope_open(media, idv_view(&a->der), &a->opened));
    }
    return to_voucher(a);
}

static idv_rc artifact_read(struct artifact *a, const char *path)
{
    IDV_AUTO(buf) file = {0};
    memset(a, 0, sizeof(*a));
    IDV_TRY(tool_read(path, &file));
    idv_rc rc = artifact_parse(a, &file);
    return rc == IDV_OK ? rc : idv_fail_within(rc, "%s", path);
}

/* --- inspect ------------------------------------------------------------ */

static idv_rc put_time(struct idv_json *o, const char *name, int64_t t)
{
    char text[IDV_TIME_TEXT];
    if (t == IDV_TIME_ABSENT)
        return IDV_OK;
    IDV_TRY(idv_time_to_text(t, text));
    return tool_put_text(o, name, text);
}

static idv_rc put_bytes(struct idv_json *o, const char *name,
                        const struct idv_buf *b)
{
    if (b->n == 0)
        return IDV_OK;
    return idv_json_set(o, name, idv_json_new_base64(idv_view(b)));
}

/* For people: whose certificate it is; for scripts: the bytes. */
static idv_rc put_cert(struct idv_json *o, const char *name,
                       const struct idv_buf *der, bool json)
{
    if (json || der->n == 0)
        return put_bytes(o, name, der);
    IDV_AUTO_PTR(X509) cert = NULL;
    if (idv_cert_from_der(idv_view(der), &cert) == IDV_OK)
        return tool_put_text(o, name, idv_cert_subject(cert));
    idv_note_clear();
    return tool_put_text(o, name, "(not a certificate)");
}

static idv_rc put_leaves(struct idv_json *o, const struct idv_voucher *v,
                         bool json)
{
    IDV_TRY(tool_put_text(
        o, "kind", v->kind == IDV_VOUCHER ? "voucher" : "voucher-request"));
    IDV_TRY(tool_put_text(o, "serial-number", v->serial_number));
    IDV_TRY(tool_put_text(o, "assertion", idv_assertion_to_text(v->assertion)));
    IDV_TRY(tool_put_text(o, "nonce", v->nonce));
    IDV_TRY(put_time(o, "created-on", v->created_on));
    IDV_TRY(put_time(o, "expires-on", v->expires_on));
    IDV_TRY(put_time(o, "last-renewal-date", v->last_renewal_date));
    IDV_TRY(put_bytes(o, "idevid-issuer", &v->idevid_issuer));
    IDV_TRY(put_cert(o, "pinned-domain-cert", &v->pinned_domain_cert, json));
    IDV_TRY(put_bytes(o, "pinned-domain-pubk", &v->pinned_domain_pubk));
    IDV_TRY(put_bytes(o, "pinned-domain-pubk-sha256",
                      &v->pinned_domain_pubk_sha256));
    IDV_TRY(put_cert(o, "proximity-registrar-cert",
                     &v->proximity_registrar_cert, json));
    if (v->revocation_checks >= 0)
        IDV_TRY(idv_json_set(o, "domain-cert-revocation-checks",
                             idv_json_new_bool(v->revocation_checks == 1)));
    IDV_TRY(tool_put_text(o, "est-domain", v->est_domain));
    return tool_put_text(o, "additional-configuration-url",
                         v->additional_configuration_url);
}

static idv_rc put_envelope(struct idv_json *o, const struct artifact *a)
{
    if (a->der.n == 0)
        return tool_put_text(o, "signed", "no");
    IDV_TRY(tool_put_text(o, "media", a->opened.media));
    if (a->opened.signer)
        IDV_TRY(tool_put_text(o, "signer", idv_cert_subject(a->opened.signer)));
    IDV_TRY(put_time(o, "signing-time",
                     a->opened.signing_time ? a->opened.signing_time
                                            : IDV_TIME_ABSENT));
    struct idv_json *certs = idv_json_new_array();
    idv_rc rc = certs ? IDV_OK : IDV_E_NOMEM;
    for (int i = 0; rc == IDV_OK && i < sk_X509_num(a->opened.certs); i++)
        rc = idv_json_append(certs, idv_json_new_text(idv_str(idv_cert_subject(
                                        sk_X509_value(a->opened.certs, i)))));
    if (rc != IDV_OK) {
        idv_json_free(certs);
        return idv_fail(rc, "out of memory");
    }
    return idv_json_set(o, "certificates", certs);
}

static idv_rc describe(const struct artifact *a, bool json, int depth,
                       struct idv_json **out);

/* The request inside a registrar's request, itself described. */
static idv_rc put_prior(struct idv_json *o, const struct idv_voucher *v,
                        bool json, int depth)
{
    if (v->prior_signed.n == 0)
        return IDV_OK;
    AUTO_ARTIFACT struct artifact prior = {0};
    IDV_AUTO(buf) copy = {0};
    struct idv_json *inner = NULL;
    IDV_TRY(idv_buf_put(&copy, idv_view(&v->prior_signed)));
    if (depth >= 3 || artifact_parse(&prior, &copy) != IDV_OK ||
        describe(&prior, json, depth + 1, &inner) != IDV_OK) {
        idv_note_clear();
        return put_bytes(o, "prior-signed-voucher-request", &v->prior_signed);
    }
    return idv_json_set(o, "prior-signed-voucher-request", inner);
}

static idv_rc describe(const struct artifact *a, bool json, int depth,
                       struct idv_json **out)
{
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = put_leaves(o, &a->voucher, json);
    if (rc == IDV_OK)
        rc = put_envelope(o, a);
    if (rc == IDV_OK)
        rc = put_prior(o, &a->voucher, json, depth);
    if (rc != IDV_OK) {
        idv_json_free(o);
        return rc;
    }
    *out = o;
    return IDV_OK;
}

static void print_value(const char *name, const struct idv_json *v, int indent)
{
    const char *text = idv_json_text(v);
    printf("%*s%-*s ", indent, "", 30 - indent, name);
    if (text)
        printf("%s\n", text);
    else if (idv_json_type(v) == IDV_JSON_BOOL) {
        bool b = false;
        puts(idv_json_bool(v, name, &b) == IDV_OK && b ? "true" : "false");
    } else {
        putchar('\n');
    }
    for (size_t i = 0; i < idv_json_count(v); i++) {
        const char *member = NULL;
        const struct idv_json *e = idv_json_at(v, i, &member);
        print_value(member ? member : "-", e, indent + 2);
    }
}

static idv_rc inspect(struct tool *t, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        AUTO_ARTIFACT struct artifact a = {0};
        struct idv_json *o = NULL;
        IDV_TRY(artifact_read(&a, argv[i]));
        IDV_TRY(describe(&a, t->json, 0, &o));
        if (t->json) {
            IDV_TRY(tool_print_json(o));
            continue;
        }
        if (argc > 1)
            printf("%s%s:\n", i ? "\n" : "", argv[i]);
        for (size_t m = 0; m < idv_json_count(o); m++) {
            const char *name = NULL;
            const struct idv_json *v = idv_json_at(o, m, &name);
            print_value(name, v, 0);
        }
        idv_json_free(o);
    }
    return IDV_OK;
}

/* --- verify ------------------------------------------------------------- */

static idv_rc verify_report(struct tool *t, const char *path,
                            const char *verdict, idv_rc rc)
{
    if (!t->json) {
        if (rc == IDV_OK)
            tool_say(t, "%s: %s", path, verdict);
        return rc;
    }
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc put = tool_put_text(o, "file", path);
    if (put == IDV_OK)
        put = tool_put_text(o, "verdict", verdict);
    if (put == IDV_OK && rc != IDV_OK)
        put = tool_put_text(o, "reason", idv_note());
    if (put != IDV_OK) {
        idv_json_free(o);
        return put;
    }
    IDV_TRY(tool_print_json(o));
    return rc;
}

/* As the pledge judges: signer, serial, issuer, nonce, times, pin. */
static idv_rc verify_as_pledge(struct tool *t, const struct artifact *a,
                               const char *path, const STACK_OF(X509) * anchors)
{
    IDV_AUTO_PTR(X509) idevid = NULL;
    IDV_AUTO_PTR(idv_certs) tls = NULL;
    IDV_TRY(idv_cert_open(opt.idevid, &tool_pin, &idevid));
    if (!opt.tls)
        return idv_fail(IDV_E_ARG, "--idevid needs --tls-chain as well");
    IDV_TRY(idv_certs_open(opt.tls, &tool_pin, &tls));
    struct idv_voucher_claim claim = {.idevid = idevid,
                                      .nonce = opt.nonce ? opt.nonce : "",
                                      .tls_chain = tls};
    struct idv_voucher_policy policy = {
        .maker_anchors = anchors,
        .clock_trusted = !opt.no_time,
        .now = idv_now(t->env),
    };
    struct idv_pinned pinned = {0};
    enum idv_verdict why = IDV_VERDICT_OK;
    idv_rc rc = idv_voucher_check(a->opened.media, idv_view(&a->der), &claim,
                                  &policy, &pinned, &why);
    idv_pinned_free(&pinned);
    return verify_report(
        t, path, rc == IDV_OK ? "accepted" : idv_verdict_to_text(why), rc);
}

static idv_rc verify_one(struct tool *t, const char *path,
                         const STACK_OF(X509) * anchors)
{
    AUTO_ARTIFACT struct artifact a = {0};
    IDV_TRY(artifact_read(&a, path));
    if (a.der.n == 0)
        return idv_fail(IDV_E_REJECT, "%s: is not signed", path);
    if (opt.idevid)
        return verify_as_pledge(t, &a, path, anchors);
    struct idv_chain_policy policy = {.anchors = anchors,
                                      .partial = true,
                                      .check_time = !opt.no_time,
                                      .now = idv_now(t->env)};
    idv_rc rc = idv_envelope_verify(&a.opened, &policy);
    return verify_report(t, path, rc == IDV_OK ? "signature ok" : "refused",
                         rc);
}

static idv_rc verify(struct tool *t, int argc, char **argv)
{
    IDV_AUTO_PTR(idv_certs) anchors = NULL;
    if (!opt.anchors)
        return idv_fail(IDV_E_ARG, "verify: --anchors FILE is missing");
    IDV_TRY(idv_certs_open(opt.anchors, &tool_pin, &anchors));
    for (int i = 0; i < argc; i++)
        IDV_TRY(verify_one(t, argv[i], anchors));
    return IDV_OK;
}

/* --- make --------------------------------------------------------------- */

static idv_rc set_time(const char *text, int64_t *to)
{
    if (!text)
        return IDV_OK;
    idv_rc rc = idv_time_from_text(idv_str(text), to);
    return rc == IDV_E_FORMAT ? IDV_E_ARG : rc;
}

static idv_rc set_cert(const char *uri, struct idv_buf *to)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    if (!uri)
        return IDV_OK;
    IDV_TRY(idv_cert_open(uri, &tool_pin, &cert));
    return idv_cert_to_der(cert, to);
}

static idv_rc make_leaves(struct idv_voucher *v)
{
    if (opt.assertion)
        IDV_TRY(idv_assertion_from_text(opt.assertion, &v->assertion));
    if (opt.nonce)
        IDV_TRY(idv_text_copy(v->nonce, sizeof(v->nonce), idv_str(opt.nonce),
                              "--nonce"));
    IDV_TRY(set_time(opt.created, &v->created_on));
    IDV_TRY(set_time(opt.expires, &v->expires_on));
    IDV_TRY(set_cert(opt.pin, &v->pinned_domain_cert));
    IDV_TRY(set_cert(opt.proximity, &v->proximity_registrar_cert));
    if (opt.est_domain)
        IDV_TRY(idv_text_copy(v->est_domain, sizeof(v->est_domain),
                              idv_str(opt.est_domain), "--est-domain"));
    if (opt.more)
        IDV_TRY(idv_text_copy(v->additional_configuration_url,
                              sizeof(v->additional_configuration_url),
                              idv_str(opt.more), "--configuration-url"));
    if (opt.prior)
        IDV_TRY(tool_read(opt.prior, &v->prior_signed));
    if (!opt.issuer)
        return IDV_OK;
    IDV_AUTO_PTR(X509) idevid = NULL;
    IDV_TRY(idv_cert_open(opt.issuer, &tool_pin, &idevid));
    return idv_idevid_issuer(idevid, opt.sequence, &v->idevid_issuer);
}

static idv_rc make(struct tool *t, int argc, char **argv)
{
    IDV_AUTO(voucher) v;
    IDV_AUTO(buf) json = {0};
    (void)t;
    (void)argc;
    (void)argv;
    idv_voucher_init(&v, opt.request ? IDV_VOUCHER_REQUEST : IDV_VOUCHER);
    if (!opt.serial)
        return idv_fail(IDV_E_ARG, "make: --serial is missing");
    IDV_TRY(idv_text_copy(v.serial_number, sizeof(v.serial_number),
                          idv_str(opt.serial), "--serial"));
    IDV_TRY(make_leaves(&v));
    IDV_TRY(idv_voucher_to_json(&v, &json));
    return tool_write(opt.out, idv_view(&json));
}

/* "jws" or a media type; what is neither, the library refuses by name. */
static const char *form_of(const char *text)
{
    const char *media = idv_envelope_media(text ? text : "cms");
    return media ? media : text;
}

/* --- sign --------------------------------------------------------------- */

static idv_rc sign(struct tool *t, int argc, char **argv)
{
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    IDV_AUTO_PTR(idv_certs) certs = NULL;
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_AUTO(buf) sealed = {0};
    AUTO_ARTIFACT struct artifact a = {0};
    (void)argc;
    if (!opt.key || !opt.cert)
        return idv_fail(IDV_E_ARG, "sign: --key and --cert are needed");
    IDV_TRY(artifact_read(&a, argv[0]));
    if (a.der.n)
        return idv_fail(IDV_E_REJECT, "%s: is signed already", argv[0]);
    IDV_TRY(idv_certs_open(opt.cert, &tool_pin, &certs));
    cert = sk_X509_shift(certs);
    IDV_TRY(idv_key_open(opt.key, &tool_pin, &key));
    struct idv_signer signer = {.key = key,
                                .cert = cert,
                                .chain = certs,
                                .signing_time =
                                    opt.no_time ? 0 : idv_now(t->env),
                                .id_data = opt.id_data};
    IDV_TRY(idv_envelope_seal(form_of(opt.media), idv_view(&a.plain), &signer,
                              &sealed));
    return tool_write(opt.out, idv_view(&sealed));
}

/* --- tables ------------------------------------------------------------- */

static const struct tool_option verify_options[] = {
    {"anchors", 'a', "FILE", "the maker's trust anchors (PEM or URI)",
     &opt.anchors, NULL, NULL},
    {"idevid", 0, "URI", "judge as the pledge with this IDevID certificate",
     &opt.idevid, NULL, NULL},
    {"tls-chain", 0, "FILE", "the registrar's TLS chain, leaf first", &opt.tls,
     NULL, NULL},
    {"nonce", 0, "TEXT", "the nonce of the pledge's request", &opt.nonce, NULL,
     NULL},
    {"no-time", 0, NULL, "there is no trusted clock", NULL, &opt.no_time, NULL},
    {0}};

static const struct tool_option make_options[] = {
    {"request", 0, NULL, "a voucher-request instead of a voucher", NULL,
     &opt.request, NULL},
    {"serial", 's', "TEXT", "serial-number", &opt.serial, NULL, NULL},
    {"assertion", 0, "WORD", "verified, logged, proximity, agent-proximity",
     &opt.assertion, NULL, NULL},
    {"nonce", 0, "TEXT", "nonce, as it stands", &opt.nonce, NULL, NULL},
    {"created-on", 0, "TIME", "RFC 3339", &opt.created, NULL, NULL},
    {"expires-on", 0, "TIME", "RFC 3339", &opt.expires, NULL, NULL},
    {"pin", 0, "URI", "pinned-domain-cert", &opt.pin, NULL, NULL},
    {"proximity", 0, "URI", "proximity-registrar-cert", &opt.proximity, NULL,
     NULL},
    {"idevid-issuer-of", 0, "URI", "idevid-issuer of this IDevID certificate",
     &opt.issuer, NULL, NULL},
    {"issuer-sequence", 0, NULL, "idevid-issuer without the outer OCTET STRING",
     NULL, &opt.sequence, NULL},
    {"est-domain", 0, "NAME", "est-domain, where to enroll", &opt.est_domain,
     NULL, NULL},
    {"configuration-url", 0, "URL", "additional-configuration-url", &opt.more,
     NULL, NULL},
    {"prior", 0, "FILE", "prior-signed-voucher-request", &opt.prior, NULL,
     NULL},
    {"out", 'o', "FILE", "where to (default: standard output)", &opt.out, NULL,
     NULL},
    {0}};

static const struct tool_option sign_options[] = {
    {"key", 'k', "URI", "the signer's private key", &opt.key, NULL, NULL},
    {"cert", 'c', "URI", "its certificate, and the chain to put in", &opt.cert,
     NULL, NULL},
    {"no-time", 0, NULL, "leave signingTime out", NULL, &opt.no_time, NULL},
    {"id-data", 0, NULL, "content type id-data, as older makers want it", NULL,
     &opt.id_data, NULL},
    {"media", 0, "FORM", "the form: cms (default), jws, or a media type",
     &opt.media, NULL, NULL},
    {"out", 'o', "FILE", "where to (default: standard output)", &opt.out, NULL,
     NULL},
    {0}};

static const struct tool_verb verbs[] = {
    {"inspect", "FILE ...", "show what is in vouchers and voucher-requests", 1,
     -1, NULL, inspect, false},
    {"verify", "FILE ...", "verify signatures, or judge as a pledge does", 1,
     -1, verify_options, verify, false},
    {"make", "", "write an unsigned voucher or voucher-request", 0, 0,
     make_options, make, false},
    {"sign", "FILE", "sign what make wrote", 1, 1, sign_options, sign, false},
    {0}};

int main(int argc, char **argv)
{
    static const struct tool_option none[] = {{0}};
    static struct tool t = {
        .name = "idevid-voucher",
        .about = "Looks into, judges, writes and signs vouchers (RFC 8366).",
        .verbs = verbs,
        .options = none,
    };
    return tool_main(&t, argc, argv);
}
