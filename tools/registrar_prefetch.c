/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-registrar prefetch: vouchers for devices that have not come yet. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/fs.h>
#include <idevid/json.h>
#include <idevid/text.h>

#include "idevid/registrar/prefetch.h"
#include "registrar.h"
#include "registrar_maker.h"

#define MAX_LIST (64 * 1024 * 1024) /* bytes of a file with devices */

struct prefetch {
    struct tool *tool;
    struct registrar_maker files;
    struct idv_registrar_maker maker;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
    struct idv_registrar_conf conf;
    struct idv_buf issuer; /* of --issuer; empty: the list must say it */
    struct idv_db *db;
    unsigned had, refused;
};

/* --- what it takes -------------------------------------------------------- */

static idv_rc take_issuer(struct prefetch *p)
{
    IDV_AUTO_PTR(idv_certs) ca = NULL;
    if (!registrar_opt.issuer)
        return IDV_OK;
    IDV_TRY(idv_certs_open(registrar_opt.issuer, NULL, &ca));
    return idv_prefetch_issuer(sk_X509_value(ca, 0), &p->issuer);
}

static idv_rc open_all(struct prefetch *p, const char *maker)
{
    IDV_TRY(registrar_maker_find(maker, &p->files, &p->maker));
    IDV_TRY(take_issuer(p));
    IDV_TRY(idv_certs_open(registrar_conf.cert, &tool_pin, &p->chain));
    IDV_TRY(idv_key_open(registrar_conf.key, &tool_pin, &p->key));
    IDV_TRY(idv_db_open(registrar_conf.service.database, &p->db));
    p->conf = (struct idv_registrar_conf){
        .key = p->key,
        .cert = sk_X509_value(p->chain, 0),
        .chain = p->chain,
        .pin = (enum idv_pinning)registrar_conf.pin,
    };
    return IDV_OK;
}

static void close_all(struct prefetch *p)
{
    registrar_maker_free(&p->files);
    EVP_PKEY_free(p->key);
    idv_certs_free(p->chain);
    idv_buf_free(&p->issuer);
    idv_db_close(p->db);
}

/* --- one device ----------------------------------------------------------- */

static idv_rc exchange(const struct prefetch *p, const struct idv_prefetch *of,
                       struct idv_bytes rvr, struct idv_msg *reply)
{
    struct idv_upstream up = {
        .anchors = p->maker.masa_anchors,
        .key = p->maker.masa_client_auth ? p->key : NULL,
        .chain = p->maker.masa_client_auth ? p->chain : NULL,
        .user = p->maker.masa_user,
        .password = p->maker.masa_password,
        .digest = p->maker.masa_digest,
        .timeout_s = (int)registrar_conf.masa_timeout,
    };
    idv_msg_init(&up.msg);
    up.msg.verb = IDV_POST;
    IDV_TRY(idv_prefetch_url(&p->maker, &up.url));
    snprintf(up.msg.media, sizeof(up.msg.media), "%s", of->media);
    snprintf(up.msg.accept, sizeof(up.msg.accept), "%s", of->media);
    int n = snprintf(up.msg.path, sizeof(up.msg.path), "%s/requestvoucher",
                     up.url.path[0] ? up.url.path : "/.well-known/brski");
    if (n >= (int)sizeof(up.msg.path))
        return idv_fail(IDV_E_ARG, "maker %s: path of its MASA is too long",
                        p->maker.name);
    idv_rc rc = idv_buf_put(&up.msg.body, rvr);
    if (rc == IDV_OK)
        rc = idv_upstream_once(&up, p->tool->env, reply);
    idv_msg_free(&up.msg);
    return rc;
}

static idv_rc had(struct prefetch *p, const struct idv_stored_voucher *v)
{
    char until[IDV_TIME_TEXT] = "";
    struct idv_registrar_people people = idv_db_registrar_people(p->db);
    IDV_TRY(people.stored_add(people.self, v));
    if (v->expires_on)
        IDV_TRY(idv_time_to_text(v->expires_on, until));
    p->had++;
    if (!p->tool->json) {
        tool_say(p->tool, "%s: voucher until %s", v->serial_number,
                 *until ? until : "ever");
        return IDV_OK;
    }
    struct idv_json *o = idv_json_new_object();
    idv_rc rc = o ? tool_put_text(o, "serial-number", v->serial_number)
                  : idv_fail(IDV_E_NOMEM, "out of memory");
    if (rc == IDV_OK && *until)
        rc = tool_put_text(o, "expires-on", until);
    return tool_print_put(o, rc);
}

static idv_rc fetch(struct prefetch *p, const char *serial,
                    struct idv_bytes issuer)
{
    const struct idv_prefetch of = {
        .conf = &p->conf,
        .maker = &p->maker,
        .serial_number = serial,
        .idevid_issuer = issuer,
        .media =
            registrar_opt.jws ? IDV_MEDIA_VOUCHER_JWS : IDV_MEDIA_VOUCHER_CMS,
        .env = p->tool->env,
    };
    IDV_AUTO(buf) rvr = {.max = IDV_MAX_BODY};
    struct idv_stored_voucher v = {0};
    struct idv_msg reply;
    if (issuer.n == 0)
        return idv_fail(IDV_E_ARG,
                        "%s: who issued its certificate is not "
                        "known: --issuer FILE, or a list that says "
                        "idevid-issuer",
                        serial);
    IDV_TRY(idv_prefetch_request(&of, &rvr));
    idv_msg_init(&reply);
    idv_rc rc = exchange(p, &of, idv_view(&rvr), &reply);
    if (rc == IDV_OK)
        rc = idv_prefetch_read(&of, idv_view(&rvr), &reply, &v);
    if (rc == IDV_OK)
        rc = had(p, &v);
    idv_stored_voucher_free(&v);
    idv_msg_free(&reply);
    return rc;
}

/* What is refused for one device says nothing about the next. */
static idv_rc try_one(struct prefetch *p, const char *serial,
                      struct idv_bytes issuer)
{
    idv_rc rc = fetch(p, serial, issuer);
    if (rc != IDV_E_REJECT && rc != IDV_E_FORMAT)
        return rc;
    p->refused++;
    fprintf(stderr, "%s: %s\n", p->tool->name, idv_note());
    idv_note_clear();
    return IDV_OK;
}

/* --- a list of them ------------------------------------------------------- */

/* A line of a factory's export: {"serial-number", "idevid-issuer", ...}. */
static idv_rc from_json(struct prefetch *p, struct idv_bytes line)
{
    IDV_AUTO_PTR(idv_json) v = NULL;
    IDV_AUTO(buf) issuer = {0};
    IDV_TRY(idv_json_parse(line, 0, &v));
    const char *serial = idv_json_text(idv_json_get(v, "serial-number"));
    const char *by = idv_json_text(idv_json_get(v, "idevid-issuer"));
    if (!serial)
        return idv_fail(IDV_E_FORMAT, "no serial-number");
    if (by)
        IDV_TRY(idv_base64_to_bytes(idv_str(by), IDV_BASE64_STRICT, &issuer));
    return try_one(p, serial, idv_view(by ? &issuer : &p->issuer));
}

/* serial-number[,idevid-issuer] */
static idv_rc from_csv(struct prefetch *p, struct idv_bytes line)
{
    IDV_AUTO(buf) serial = {.max = IDV_MAX_SERIAL + 1};
    IDV_AUTO(buf) by = {.max = 4096};
    IDV_AUTO(buf) issuer = {0};
    bool more = false;
    IDV_TRY(idv_csv_next(&line, &serial, &more));
    IDV_TRY(idv_buf_put(&serial, idv_bytes("", 1)));
    if (more)
        IDV_TRY(idv_csv_next(&line, &by, &more));
    if (by.n)
        IDV_TRY(idv_base64_to_bytes(idv_view(&by), IDV_BASE64_STRICT, &issuer));
    return try_one(p, (const char *)serial.p,
                   idv_view(by.n ? &issuer : &p->issuer));
}

static idv_rc from_file(struct prefetch *p, const char *path)
{
    IDV_AUTO(buf) file = {.max = MAX_LIST};
    struct idv_bytes rest, line = {0};
    IDV_TRY(idv_fs_read(path, MAX_LIST, &file));
    rest = idv_view(&file);
    for (unsigned n = 1; idv_text_next(&rest, "\n", &line); n++) {
        line = idv_text_trim(line);
        if (line.n == 0 || line.p[0] == '#')
            continue;
        idv_rc rc = line.p[0] == '{' ? from_json(p, line) : from_csv(p, line);
        if (rc != IDV_OK)
            return idv_fail_within(rc, "%s:%u", path, n);
    }
    return IDV_OK;
}

static idv_rc all(struct prefetch *p, int argc, char **argv)
{
    IDV_TRY(open_all(p, argv[0]));
    for (int i = 1; i < argc; i++)
        IDV_TRY(try_one(p, argv[i], idv_view(&p->issuer)));
    if (registrar_opt.file)
        IDV_TRY(from_file(p, registrar_opt.file));
    if (p->refused)
        return idv_fail(IDV_E_REJECT, "%u of %u devices: no voucher",
                        p->refused, p->refused + p->had);
    return IDV_OK;
}

idv_rc registrar_prefetch(struct tool *t, int argc, char **argv)
{
    struct prefetch p = {.tool = t};
    if (argc < 2 && !registrar_opt.file)
        return idv_fail(IDV_E_ARG, "prefetch: serial numbers or --file FILE "
                                   "are needed");
    idv_rc rc = all(&p, argc, argv);
    close_all(&p);
    return rc;
}
