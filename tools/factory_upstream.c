/* SPDX-License-Identifier: Apache-2.0 */
/* Issuing CAs elsewhere: by EST, or by files for people to carry. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include <idevid/auto.h>
#include <idevid/est.h>
#include <idevid/fs.h>

#include "ca.h"
#include "factory_trip.h"
#include "factory_upstream.h"

struct upstream {
    const struct factory_conf *conf;
    const STACK_OF(X509) * chain;
    const struct idv_env *env;
    struct tool_authority station; /* shown to the EST server */
    STACK_OF(X509) * anchors;
    struct trip_to to;
    char path[256];
};

static const STACK_OF(X509) * chain_of(void *self)
{
    return ((struct upstream *)self)->chain;
}

/* --- EST
 * ---------------------------------------------------------------------- */

static idv_rc est_read(const struct upstream *u, const struct idv_msg *reply,
                       const EVP_PKEY *key, X509 **out)
{
    if (reply->status == 202 || reply->status == 503)
        return idv_fail(IDV_E_TIMEOUT, "EST: %d, it wants more time",
                        reply->status);
    return idv_est_enroll_read(reply, key, u->chain, NULL,
                               idv_clock_trusted(u->env), idv_now(u->env), out);
}

static idv_rc est_issue(void *self, const struct idv_cert_spec *spec,
                        const EVP_PKEY *key, struct idv_bytes csr, X509 **out)
{
    struct upstream *u = self;
    struct idv_msg request, reply;
    (void)spec; /* the desk compares what comes with it */
    idv_msg_init(&request);
    idv_msg_init(&reply);
    request.verb = IDV_POST;
    memcpy(request.path, u->path, sizeof(request.path));
    snprintf(request.media, sizeof(request.media), IDV_MEDIA_PKCS10);
    idv_rc rc = idv_est_body_from_der(csr, &request.body);
    if (rc == IDV_OK)
        rc = trip_go(&u->to, &request, &reply);
    if (rc == IDV_OK)
        rc = est_read(u, &reply, key, out);
    idv_msg_free(&request);
    idv_msg_free(&reply);
    return rc;
}

static idv_rc est_open(struct upstream *u)
{
    const struct factory_desk_conf *c = &u->conf->desk;
    if (!c->est_url)
        return idv_fail(IDV_E_ARG, "[desk] est-url is missing: ca = est");
    IDV_TRY(idv_url_from_text(idv_str(c->est_url), &u->to.url));
    const int n =
        snprintf(u->path, sizeof(u->path),
                 "%s/.well-known/est/%s%ssimpleenroll", u->to.url.path,
                 c->est_label ? c->est_label : "", c->est_label ? "/" : "");
    if (n >= (int)sizeof(u->path))
        return idv_fail(IDV_E_ARG, "[desk] est-url: path too long");
    IDV_TRY(idv_certs_open(c->est_anchors, NULL, &u->anchors));
    IDV_TRY(idv_key_open(u->conf->station_key, &tool_pin, &u->station.key));
    IDV_TRY(idv_certs_open(u->conf->station_certificate, &tool_pin,
                           &u->station.chain));
    u->to.name = "EST";
    u->to.env = u->env;
    u->to.anchors = u->anchors;
    u->to.key = u->station.key;
    u->to.chain = u->station.chain;
    return IDV_OK;
}

/* --- files
 * --------------------------------------------------------------------- */

/* A serial number may have what a file's name must not. */
static idv_rc file_of(const struct upstream *u, const char *serial,
                      const char *suffix, char out[static 1024])
{
    char name[3 * IDV_MAX_SERIAL + 1] = "";
    size_t n = 0;
    for (const char *s = serial; *s && n + 4 < sizeof(name); s++) {
        if ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
            (*s >= '0' && *s <= '9') || *s == '-')
            name[n++] = *s;
        else
            n += (size_t)snprintf(name + n, sizeof(name) - n, "_%02x",
                                  (unsigned)(uint8_t)*s);
    }
    return tool_path(u->conf->desk.csr_folder, name, suffix, out);
}

static idv_rc csr_to_pem(struct idv_bytes csr, struct idv_buf *out)
{
    IDV_AUTO_PTR(BIO) bio = BIO_new(BIO_s_mem());
    char *text;
    size_t n = 0;
    if (!bio ||
        PEM_write_bio(bio, PEM_STRING_X509_REQ, "", csr.p, (long)csr.n) <= 0 ||
        (n = (size_t)BIO_get_mem_data(bio, &text)) == 0)
        return idv_fail(IDV_E_CRYPTO, "PEM");
    return idv_buf_put(out, idv_bytes(text, n));
}

static idv_rc take_file(const struct upstream *u, const char *path,
                        const EVP_PKEY *key, X509 **out)
{
    IDV_AUTO_PTR(idv_certs) certs = NULL;
    IDV_TRY(idv_certs_open(path, NULL, &certs));
    X509 *cert = sk_X509_value(certs, 0);
    const struct idv_chain_policy policy = {
        .anchors = u->chain, .extra = certs, .partial = true};
    if (EVP_PKEY_eq(X509_get0_pubkey(cert), key) != 1) {
        ERR_clear_error();
        return idv_fail(IDV_E_REJECT, "%s: is for another key", path);
    }
    IDV_TRY(idv_chain_verify(cert, &policy));
    X509_up_ref(cert);
    *out = cert;
    return IDV_OK;
}

static idv_rc files_issue(void *self, const struct idv_cert_spec *spec,
                          const EVP_PKEY *key, struct idv_bytes csr, X509 **out)
{
    struct upstream *u = self;
    IDV_AUTO(buf) pem = {0};
    IDV_AUTO(buf) text = {0};
    char ask[1024], wish[1024], answer[1024];
    IDV_TRY(file_of(u, spec->serial_number, ".csr", ask));
    IDV_TRY(file_of(u, spec->serial_number, ".ext", wish));
    IDV_TRY(file_of(u, spec->serial_number, ".pem", answer));
    if (idv_fs_exists(answer))
        return take_file(u, answer, key, out);
    IDV_TRY(idv_fs_mkdir(u->conf->desk.csr_folder, 0755));
    IDV_TRY(csr_to_pem(csr, &pem));
    IDV_TRY(idv_cert_extfile(spec, key, &text));
    IDV_TRY(idv_fs_write(wish, idv_view(&text), 0644));
    IDV_TRY(idv_fs_write(ask, idv_view(&pem), 0644));
    return idv_fail(IDV_E_TIMEOUT, "waits for %s, the answer to %s", answer,
                    ask);
}

/* --- either
 * --------------------------------------------------------------------- */

void factory_upstream_free(struct idv_desk_ca *ca)
{
    struct upstream *u = ca->self;
    if (!u)
        return;
    tool_authority_free(&u->station);
    idv_certs_free(u->anchors);
    free(u);
    ca->self = NULL;
}

idv_rc factory_upstream_open(const struct factory_conf *conf,
                             const STACK_OF(X509) * chain,
                             const struct idv_env *env, struct idv_desk_ca *out)
{
    const bool est = conf->desk.upstream == FACTORY_CA_EST;
    struct upstream *u = calloc(1, sizeof(*u));
    if (!u)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    u->conf = conf;
    u->chain = chain;
    u->env = env;
    *out = (struct idv_desk_ca){.self = u,
                                .issue = est ? est_issue : files_issue,
                                .chain = chain_of,
                                .needs_csr = true};
    idv_rc rc = est ? est_open(u) : IDV_OK;
    if (rc != IDV_OK)
        factory_upstream_free(out);
    return rc;
}
