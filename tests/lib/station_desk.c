/* SPDX-License-Identifier: Apache-2.0 */
/* The desk that a maker has, each time opened anew. */
#include <stdio.h>
#include <string.h>

#include <openssl/pem.h>

#include <idevid/auto.h>
#include <idevid/desk.h>
#include <idevid/ek.h>
#include <idevid/fs.h>

#include "tests/lib/pki.h"
#include "tests/lib/station_desk.h"

static char book[96];

/* --- what it is made of ----------------------------------------------------
 */

struct parts {
    struct idv_db *db;
    struct idv_factory_store store;
    struct idv_desk_ca ca;
    struct idv_roots *roots;
    struct idv_desk *desk;
};

static void parts_free(struct parts *p)
{
    idv_desk_free(p->desk);
    idv_roots_free(p->roots);
    if (p->ca.self)
        idv_desk_ca_local_free(&p->ca);
    idv_db_close(p->db);
}

/* the vendor's of the TPM that is there now */
static idv_rc add(const struct station_line *l, const char *name,
                  STACK_OF(X509) * to)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", l->tpm.dir, name);
    IDV_TRY(idv_cert_open(path, NULL, &cert));
    if (sk_X509_push(to, cert) < 1)
        return IDV_E_NOMEM;
    cert = NULL;
    return IDV_OK;
}

static idv_rc vendor(const struct station_line *l, struct idv_roots **out)
{
    IDV_AUTO_PTR(idv_certs) certs = sk_X509_new_null();
    IDV_TRY(add(l, "swtpm-localca-rootca-cert.pem", certs));
    IDV_TRY(add(l, "issuercert.pem", certs));
    return idv_roots_from_certs(certs, out);
}

static idv_rc open_ca(const struct station_line *l, struct idv_desk_ca *out)
{
    IDV_AUTO_PTR(idv_certs)
    chain = pki_stack(l->pki.maker_ca.cert, l->pki.maker_root.cert);
    char path[96];
    snprintf(path, sizeof(path), "%s/maker-ca.pem", l->dir);
    return idv_desk_ca_local(path, NULL, chain, &l->pki.env.env, out);
}

static idv_rc open_desk(const struct station_line *l, struct parts *p)
{
    static const struct idv_desk_template idevid = {.organization = "Maker",
                                                    .masa_url = PKI_MASA_URL,
                                                    .permanent_identifier =
                                                        true,
                                                    .residency_policies = true};
    IDV_TRY(idv_db_open_factory(book, &p->db));
    p->store = idv_db_factory_store(p->db);
    IDV_TRY(open_ca(l, &p->ca));
    if (l->tpm.pid)
        IDV_TRY(vendor(l, &p->roots));
    const struct idv_desk_conf conf = {.store = &p->store,
                                       .ca = &p->ca,
                                       .idevid = &idevid,
                                       .stations = l->pki.anchors,
                                       .roots = p->roots,
                                       .profiles = 0x1f,
                                       .env = &l->pki.env.env};
    return idv_desk_new(&conf, &p->desk);
}

static idv_rc issue(const struct station_line *l, struct idv_bytes request,
                    struct idv_buf *reply)
{
    struct parts p = {0};
    enum idv_factory_why why;
    idv_rc rc = open_desk(l, &p);
    if (rc == IDV_OK)
        rc = idv_desk_issue(p.desk, request, NULL, reply, &why);
    parts_free(&p);
    return rc;
}

/* --- its beginning ---------------------------------------------------------
 */

static idv_rc write_key(const struct station_line *l)
{
    IDV_AUTO_PTR(BIO) out = BIO_new(BIO_s_mem());
    char path[96], *p;
    if (!out || PEM_write_bio_PrivateKey(out, l->pki.maker_ca.key, NULL, NULL,
                                         0, NULL, NULL) != 1)
        return IDV_E_CRYPTO;
    const long n = BIO_get_mem_data(out, &p);
    snprintf(path, sizeof(path), "%s/maker-ca.pem", l->dir);
    return idv_fs_write(path, idv_bytes((uint8_t *)p, (size_t)n), 0600);
}

/* the order, and a challenge of it */
static idv_rc begin(struct station_line *l, struct parts *p)
{
    enum idv_factory_why why;
    struct idv_order *o = book_order("L1", "AB", STATION_DEVICES);
    IDV_TRY(open_desk(l, p));
    idv_rc rc = p->store.order_add(p->store.self, o, PKI_NOW);
    book_order_free(o);
    return rc == IDV_OK ? idv_desk_challenge(p->desk, "L1", l->challenge, &why)
                        : rc;
}

void station_desk(struct station_line *l, bool shares)
{
    struct parts p = {0};
    if (shares)
        snprintf(book, sizeof(book), "%s", l->book.path);
    else
        snprintf(book, sizeof(book), "%s/desk.db", l->dir);
    pki_must(write_key(l), "the CA's key");
    pki_must(begin(l, &p), "desk");
    parts_free(&p);
    l->issue = issue;
}
