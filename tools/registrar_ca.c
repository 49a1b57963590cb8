/* SPDX-License-Identifier: Apache-2.0 */
/* A CA of the registrar's, opened as its configuration says. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "registrar_ca.h"

#define DAY (24 * 3600)

const char *const registrar_key_types[] = {
    "any", "P-256", "P-384", "P-521", "RSA-2048", "RSA-3072", NULL};
const char *const registrar_digests[] = {"any", "SHA-256", "SHA-384", "SHA-512",
                                         NULL};

idv_rc registrar_check_url(const char *value)
{
    if (strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0)
        return IDV_OK;
    return idv_fail(IDV_E_ARG, "not an http or https URL");
}

static idv_rc check_oid(struct idv_bytes text)
{
    IDV_AUTO_PTR(idv_char) s = NULL;
    IDV_TRY(idv_text_dup(text, &s));
    IDV_AUTO_PTR(ASN1_OBJECT) oid = OBJ_txt2obj(s, 1);
    ERR_clear_error();
    return oid ? IDV_OK : idv_fail(IDV_E_ARG, "'%.60s' is no OID (1.2.3)", s);
}

idv_rc registrar_check_oids(const char *value)
{
    struct idv_bytes rest = idv_str(value), piece;
    while (idv_text_next(&rest, ", \t", &piece)) {
        if (piece.n)
            IDV_TRY(check_oid(piece));
    }
    return IDV_OK;
}

/* --- names approved for single devices ------------------------------------ */

/* SERIAL is the rest of the line: it may have blanks. */
static bool split(struct idv_bytes line, struct idv_bytes *name,
                  struct idv_bytes *serial)
{
    *serial = line;
    if (!idv_text_next(serial, " \t", name))
        return false;
    *serial = idv_text_trim(*serial);
    return name->n > 0 && serial->n > 0;
}

static idv_rc read_approved(const char *path, char ***list)
{
    IDV_AUTO(buf) text = {0};
    struct idv_bytes line, name, serial;
    IDV_TRY(idv_fs_read(path, 0, &text));
    struct idv_bytes rest = idv_view(&text);
    for (int n = 1; idv_text_next(&rest, "\n", &line); n++) {
        line = idv_text_trim(line);
        if (line.n == 0 || line.p[0] == '#')
            continue;
        if (!split(line, &name, &serial))
            return idv_fail(IDV_E_ARG, "%s:%d: not NAME SERIAL", path, n);
        IDV_TRY(idv_list_add(list, line));
    }
    return IDV_OK;
}

static idv_rc find_approved(void *arg, const char *serial, char ***names)
{
    const struct registrar_ca *ca = arg;
    struct idv_bytes name, whose;
    for (size_t i = 0; ca->approved && ca->approved[i]; i++) {
        if (split(idv_str(ca->approved[i]), &name, &whose) &&
            idv_bytes_eq(whose, idv_str(serial)))
            IDV_TRY(idv_list_add(names, name));
    }
    return IDV_OK;
}

/* --- what devices are asked for ------------------------------------------- */

static void ask(struct registrar_ca *ca)
{
    static const int digests[] = {0, NID_sha256, NID_sha384, NID_sha512};
    const struct registrar_ca_conf *conf = ca->conf;
    ca->attrs = (struct idv_csrattrs){
        .has_key_type = conf->key_type > 0,
        .key_type = conf->key_type > 0 ? (enum idv_key_type)(conf->key_type - 1)
                                       : (enum idv_key_type)0,
        .challenge = conf->challenge,
        .digest_nid = digests[conf->digest],
        .as_template = conf->as_template,
    };
}

/* Unique by the CA's key, and marked as nobody's hardware address. */
static idv_rc default_acp_registrar(struct registrar_ca *ca, uint8_t out[6])
{
    IDV_AUTO(buf) id = {0};
    uint8_t hash[32];
    IDV_TRY(idv_domain_id(sk_X509_value(ca->chain, 0), &id));
    IDV_TRY(idv_sha256(idv_bytes(id.p, id.n), hash));
    memcpy(out, hash, 6);
    out[0] = (uint8_t)((out[0] & 0xfc) | 0x02);
    return IDV_OK;
}

static idv_rc acp_registrar(struct registrar_ca *ca, uint8_t out[6])
{
    IDV_AUTO(buf) raw = {.max = 6};
    if (!ca->conf->acp_registrar)
        return default_acp_registrar(ca, out);
    if (idv_hex_to_bytes(idv_str(ca->conf->acp_registrar), &raw) != IDV_OK ||
        raw.n != 6)
        return idv_fail_within(IDV_E_ARG, "acp-registrar: not 12 hex digits");
    memcpy(out, raw.p, 6);
    return IDV_OK;
}

/* --- another CA ----------------------------------------------------------- */

idv_rc registrar_check_upstream(const char *value)
{
    struct idv_url url;
    return idv_url_from_text(idv_str(value), &url);
}

static idv_rc open_upstream(struct registrar_ca *ca)
{
    const struct registrar_ca_conf *conf = ca->conf;
    IDV_TRY(idv_url_from_text(idv_str(conf->upstream), &ca->forward.url));
    if (conf->upstream_anchors)
        IDV_TRY(idv_certs_open(conf->upstream_anchors, NULL,
                               &ca->upstream_anchors));
    ca->forward.anchors = ca->upstream_anchors;
    return IDV_OK;
}

/* --- opened --------------------------------------------------------------- */

idv_rc registrar_ca_check(const struct registrar_ca_conf *conf)
{
    if (!conf->key == !conf->upstream)
        return idv_fail(IDV_E_ARG, "ca: one of key and upstream is needed");
    if (!conf->cert)
        return idv_fail(IDV_E_ARG, "ca: certificate is needed");
    return IDV_OK;
}

idv_rc registrar_ca_open(struct registrar_ca *ca,
                         const struct registrar_ca_conf *conf,
                         const struct idv_env *env)
{
    ca->conf = conf;
    IDV_TRY(registrar_ca_check(conf));
    IDV_TRY(idv_certs_open(conf->cert, &tool_pin, &ca->chain));
    IDV_TRY(conf->upstream ? open_upstream(ca)
                           : idv_key_open(conf->key, &tool_pin, &ca->key));
    IDV_TRY(idv_est_ca_check(ca->chain, ca->key));
    if (conf->approved)
        IDV_TRY(read_approved(conf->approved, &ca->approved));
    if (conf->users)
        IDV_TRY(registrar_passwords_open(conf->users, &ca->passwords));
    ask(ca);
    ca->local = (struct idv_est_local_ca){
        .key = ca->key,
        .cert = sk_X509_value(ca->chain, 0),
        .chain = ca->chain,
        .lifetime_s = conf->lifetime_days * DAY,
        .servers = conf->servers,
        .purposes = (const char *const *)conf->purposes,
        .policies = (const char *const *)conf->policies,
        .crl_url = conf->crl_url,
        .aia_url = conf->aia_url,
        .env = env,
    };
    return IDV_OK;
}

idv_rc registrar_ca_use(struct registrar_ca *ca, struct idv_db *db,
                        const struct registrar_identity *us,
                        struct idv_registrar_ca *out)
{
    const struct registrar_ca_conf *conf = ca->conf;
    ca->crl = (struct idv_crl_maker){
        .key = ca->key,
        .cert = sk_X509_value(ca->chain, 0),
        .store = idv_db_crl_store(db),
        .lifetime_s = conf->crl_days * DAY,
    };
    ca->users = (struct idv_registrar_users){
        .check = registrar_passwords_check,
        .arg = &ca->passwords,
        .subject = conf->users_subject,
        .lifetime_s = conf->users_days * DAY,
    };
    *out = (struct idv_registrar_ca){
        .est = {.ca = idv_est_local_ca(&ca->local),
                .store = idv_db_est_store(db),
                .attrs = &ca->attrs,
                .renew_by_ra = conf->renew_by_ra,
                .renew_expired_s = conf->renew_expired_days * DAY,
                .server_keys = conf->server_keys},
        .profile = {.subject = conf->subject,
                    .names = (const char *const *)conf->names,
                    .approved = find_approved,
                    .arg = ca,
                    .acp_domain = conf->acp_domain,
                    .acp_rsub = conf->acp_rsub},
        .crl = conf->upstream ? NULL : &ca->crl,
        .users = conf->users ? &ca->users : NULL,
        .revoke_unused = conf->revoke_unused,
    };
    ca->forward.key = us->key;
    ca->forward.chain = us->chain;
    if (conf->upstream) {
        out->est.ca.issue = NULL;
        out->est.ca.forward = &ca->forward;
    }
    return acp_registrar(ca, out->profile.acp_registrar);
}

void registrar_ca_clear(struct registrar_ca *ca)
{
    EVP_PKEY_free(ca->key);
    idv_certs_free(ca->chain);
    idv_certs_free(ca->upstream_anchors);
    idv_list_free(ca->approved);
    registrar_passwords_clear(&ca->passwords);
    memset(ca, 0, sizeof(*ca));
}
