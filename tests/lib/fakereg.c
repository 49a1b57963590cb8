/* SPDX-License-Identifier: Apache-2.0 */
/* A registrar and its MASA as a script: good unless a test says otherwise. */
#include "tests/unit/codec.h"

#include "tests/lib/fakereg.h"

void fakereg_init(struct fakereg *r, struct pki *pki)
{
    memset(r, 0, sizeof(*r));
    r->pki = pki;
    r->chain = pki->tls_chain;
    r->signer = &pki->masa;
    r->pin = pki->domain_ca.cert;
    r->issuer = &pki->domain_ca;
    r->retry_after = 5;
}

void fakereg_free(struct fakereg *r)
{
    idv_buf_free(&r->pvr);
    idv_buf_free(&r->csr);
    idv_buf_free(&r->telemetry);
}

static void note_event(struct fakereg *r, const char *word)
{
    const size_t n = strlen(r->log);
    if (n + strlen(word) + 2 < sizeof(r->log))
        snprintf(r->log + n, sizeof(r->log) - n, "%s%s", n ? " " : "", word);
}

/* --- the other end ------------------------------------------------------ */

static bool lost(struct fakereg *r)
{
    return ++r->events == r->lose;
}

static idv_rc lose(struct fakereg *r)
{
    note_event(r, "L");
    if (r->next_chain)
        r->chain = r->next_chain;
    return idv_fail(IDV_E_NET, "the connection broke");
}

static idv_rc on_connect(void *arg, const struct idv_connect *c,
                         struct idv_peer *peer)
{
    struct fakereg *r = arg;
    const bool ldevid = c->key != r->pki->idevid.key;
    r->last = *c;
    if (r->meet)
        r->meet(r, c);
    note_event(r, !c->verify ? "C?" : ldevid ? "C+" : "C=");
    if (lost(r))
        return lose(r);
    assert_non_null(c->key);
    assert_int_equal(X509_check_private_key(sk_X509_value(c->chain, 0), c->key),
                     1);
    peer->chain = idv_certs_dup(r->chain);
    if (r->staple.n)
        OK(idv_buf_put(&peer->staple, r->staple));
    peer->connection = (uint64_t)r->events;
    memset(peer->binding, 0x40 + r->events, 32);
    peer->binding_n = 32;
    return IDV_OK;
}

static void remember(struct idv_buf *last, const struct idv_buf *now, int *same)
{
    if (last->n && idv_bytes_eq(idv_view(last), idv_view(now)))
        (*same)++;
    idv_buf_clear(last);
    OK(idv_buf_put(last, idv_view(now)));
}

/* opens the request, as a registrar and a MASA would, and answers it */
static void do_voucher(struct fakereg *r, const struct idv_msg *req,
                       struct idv_msg *reply)
{
    IDV_AUTO(opened) opened = {0};
    IDV_AUTO(voucher) request, voucher;
    IDV_AUTO(buf) sealed = {0};
    IDV_AUTO(buf) leaf = {0};
    idv_voucher_init(&voucher, IDV_VOUCHER);
    idv_voucher_init(&request, IDV_VOUCHER_REQUEST);
    OK(idv_envelope_open(req->media, idv_view(&req->body), &opened));
    OK(idv_envelope_verify_key(&opened, r->pki->idevid.key));
    OK(idv_voucher_from(req->media, idv_view(&opened.payload),
                        IDV_VOUCHER_REQUEST, &request));
    OK(idv_cert_to_der(sk_X509_value(r->chain, 0), &leaf));
    assert_true(idv_bytes_eq(idv_view(&request.proximity_registrar_cert),
                             idv_view(&leaf)));
    assert_int_equal(request.assertion, IDV_ASSERT_PROXIMITY);
    assert_string_equal(request.serial_number, PKI_SERIAL);
    assert_int_equal(request.created_on != IDV_TIME_ABSENT,
                     r->pki->env.trusted);
    strcpy(r->nonces[r->n_nonces++ % 16], request.nonce);
    if (r->pending-- > 0) {
        OK(idv_msg_refuse(reply, 202, "ask again"));
        reply->retry_after = r->retry_after;
        return;
    }
    pki_voucher(r->pki, &request, r->pin, &voucher);
    if (r->tweak)
        r->tweak(r, &voucher);
    pki_seal(&voucher, r->signer, NULL, false, &sealed);
    r->vouchers++;
    OK(idv_msg_reply(reply, 200, req->media, idv_view(&sealed)));
}

static void reply_certs(struct idv_msg *reply, const STACK_OF(X509) * certs)
{
    IDV_AUTO(buf) bag = {0};
    IDV_AUTO(buf) body = {0};
    OK(idv_certbag_to_der(certs, &bag));
    OK(idv_est_body_from_der(idv_view(&bag), &body));
    OK(idv_msg_reply(reply, 200, IDV_MEDIA_CERTS_ONLY, idv_view(&body)));
}

static void do_cacerts(struct fakereg *r, struct idv_msg *reply)
{
    STACK_OF(X509) *own = pki_stack(r->issuer->cert, NULL);
    reply_certs(reply, r->cacerts ? r->cacerts : own);
    idv_certs_free(own);
}

static void do_csrattrs(struct fakereg *r, struct idv_msg *reply)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) body = {0};
    if (!r->attrs) {
        OK(idv_msg_refuse(reply, 404, "none"));
        return;
    }
    OK(idv_csrattrs_to_der(r->attrs, &der));
    OK(idv_est_body_from_der(idv_view(&der), &body));
    OK(idv_msg_reply(reply, 200, IDV_MEDIA_CSRATTRS, idv_view(&body)));
}

static void do_enroll(struct fakereg *r, const struct idv_msg *req,
                      struct idv_msg *reply)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO_PTR(X509_REQ) csr = NULL;
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    IDV_AUTO_PTR(X509) cert = NULL;
    OK(idv_est_body_to_der(idv_view(&req->body), &der));
    OK(idv_csr_from_der(idv_view(&der), &csr, &key));
    const struct idv_cert_spec spec = {
        .kind = IDV_CERT_LDEVID,
        .subject = X509_REQ_get_subject_name(csr),
        .not_before = PKI_NOW - PKI_DAY,
        .not_after = PKI_NOW + PKI_DAY,
    };
    OK(idv_cert_issue(&spec, key, r->issuer->cert, r->issuer->key,
                      &r->pki->env.env, &cert));
    STACK_OF(X509) *bag = pki_stack(cert, NULL);
    reply_certs(reply, bag);
    idv_certs_free(bag);
    r->certificates++;
}

static const char *word_of(const struct idv_msg *m)
{
    static const struct {
        enum idv_verb verb;
        const char *path, *word;
    } words[] = {
        {IDV_POST, IDV_PATH_REQUESTVOUCHER, "rv"},
        {IDV_POST, IDV_PATH_VOUCHER_STATUS, "vs"},
        {IDV_GET, IDV_PATH_CACERTS, "ca"},
        {IDV_GET, IDV_PATH_CSRATTRS, "at"},
        {IDV_POST, IDV_PATH_SIMPLEENROLL, "en"},
        {IDV_POST, IDV_PATH_SIMPLEREENROLL, "re"},
        {IDV_POST, IDV_PATH_ENROLLSTATUS, "es"},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (m->verb == words[i].verb && strcmp(m->path, words[i].path) == 0)
            return words[i].word;
    }
    return "rv"; /* a path we were redirected to */
}

/* version and status, a reason when it failed, never more */
static const char *read_status(struct fakereg *r, const char *word,
                               const struct idv_msg *req)
{
    struct idv_telemetry t;
    assert_string_equal(req->media, "application/json");
    OK(idv_telemetry_from_json(idv_view(&req->body), &t));
    idv_buf_clear(&r->telemetry);
    OK(idv_buf_put(&r->telemetry, idv_view(&req->body)));
    assert_int_equal(t.version, 1);
    assert_int_equal(t.status, t.reason[0] == 0);
    if (word[0] == 'v')
        return t.status ? "vs+" : "vs-";
    return t.status ? "es+" : "es-";
}

static void serve(struct fakereg *r, const char *word,
                  const struct idv_msg *req, struct idv_msg *reply)
{
    if (r->hook && r->hook(r, word, false, req, reply))
        return;
    if (strcmp(word, "rv") == 0)
        do_voucher(r, req, reply);
    else if (strcmp(word, "ca") == 0)
        do_cacerts(r, reply);
    else if (strcmp(word, "at") == 0)
        do_csrattrs(r, reply);
    else if (strcmp(word, "en") == 0 || strcmp(word, "re") == 0)
        do_enroll(r, req, reply);
    else
        OK(idv_msg_reply(reply, 200, "", idv_str("")));
    if (r->hook)
        r->hook(r, word, true, req, reply);
}

static idv_rc on_exchange(void *arg, struct idv_msg *req, struct idv_msg *reply)
{
    struct fakereg *r = arg;
    const char *word = word_of(req);
    if (strcmp(word, "rv") == 0)
        remember(&r->pvr, &req->body, &r->same_pvr);
    if (strcmp(word, "en") == 0)
        remember(&r->csr, &req->body, &r->same_csr);
    if (word[1] == 's')
        word = read_status(r, word, req);
    /* nothing else goes over a provisional connection */
    if (!r->last.verify && !strstr(r->log, "vs+"))
        assert_true(strcmp(word, "rv") == 0 || word[0] == 'v');
    note_event(r, word);
    const bool lose_it = lost(r);
    if (lose_it && !r->lose_after)
        return lose(r);
    serve(r, word, req, reply);
    return lose_it ? lose(r) : IDV_OK;
}

idv_rc fakereg_connect(struct fakereg *r, const struct idv_connect *c,
                       struct idv_peer *peer)
{
    return on_connect(r, c, peer);
}

idv_rc fakereg_exchange(struct fakereg *r, struct idv_msg *req,
                        struct idv_msg *reply)
{
    return on_exchange(r, req, reply);
}

static void on_wait(void *arg, int seconds, bool close)
{
    struct fakereg *r = arg;
    char word[32];
    snprintf(word, sizeof(word), "%c%d", close ? 'X' : 'W', seconds);
    note_event(r, word);
    r->waited += seconds;
    if (!close && seconds > r->longest_wait)
        r->longest_wait = seconds;
}

/* --- the device --------------------------------------------------------- */

static idv_rc make_key(void *arg, enum idv_key_type type, EVP_PKEY **key,
                       char uri[static 512])
{
    static const char *const curves[] = {"P-256", "P-384", "P-521"};
    struct fakedev *d = arg;
    if (d->keys_fail)
        return idv_fail(IDV_E_DEVICE, "key: the device is full");
    *key = type <= IDV_KEY_P521 ? EVP_EC_gen(curves[type]) : EVP_RSA_gen(2048);
    assert_non_null(*key);
    EVP_PKEY_free(d->earlier_key);
    d->earlier_key = d->last_key;
    EVP_PKEY_up_ref(d->last_key = *key);
    snprintf(uri, 512, "mem:%d", ++d->keys_made);
    return IDV_OK;
}

static idv_rc open_key(void *arg, const char *uri, EVP_PKEY **key)
{
    struct fakedev *d = arg;
    char last[32], earlier[32];
    snprintf(last, sizeof(last), "mem:%d", d->keys_made);
    snprintf(earlier, sizeof(earlier), "mem:%d", d->keys_made - 1);
    if (strcmp(uri, earlier) != 0)
        assert_string_equal(uri, last);
    if (d->keys_fail)
        return idv_fail(IDV_E_DEVICE, "key: the device is away");
    *key = strcmp(uri, last) == 0 ? d->last_key : d->earlier_key;
    EVP_PKEY_up_ref(*key);
    return IDV_OK;
}

static void progress(void *arg, const char *event, const char *detail)
{
    struct fakedev *d = arg;
    const size_t n = strlen(d->events);
    assert_non_null(detail);
    if (n + strlen(event) + 2 < sizeof(d->events))
        snprintf(d->events + n, sizeof(d->events) - n, "%s%s", n ? " " : "",
                 event);
}

/* in memory if there is such a place: what is written here is synced often */
static void scratch(char out[static 64])
{
    snprintf(out, 64, "/dev/shm/idevid-unit-XXXXXX");
    if (!mkdtemp(out))
        test_dir(out);
}

void fakedev_init(struct fakedev *d, struct pki *pki)
{
    static const char *const registrars[] = {"registrar.example.com:8443",
                                             NULL};
    memset(d, 0, sizeof(*d));
    scratch(d->dir);
    d->chain = pki_stack(pki->idevid.cert, pki->maker_ca.cert);
    fakedev_reopen(d, pki);
    d->conf = (struct idv_pledge_conf){
        .idevid_key = pki->idevid.key,
        .idevid_chain = d->chain,
        .policy = {.maker_anchors = pki->anchors},
        .registrars = registrars,
        .make_key = make_key,
        .open_key = open_key,
        .key_arg = d,
        .progress = progress,
        .progress_arg = d,
        .attempts = 1,
    };
}

void fakedev_free(struct fakedev *d)
{
    idv_trust_close(d->trust);
    idv_certs_free(d->chain);
    EVP_PKEY_free(d->last_key);
    EVP_PKEY_free(d->earlier_key);
    test_dir_drop(d->dir);
}

void fakedev_reopen(struct fakedev *d, struct pki *pki)
{
    struct idv_trust_conf conf = {
        .dir = d->dir,
        .anchor = anchor_mem(&d->anchor),
        .env = &pki->env.env,
    };
    if (d->device)
        OK(idv_anchor_open(d->device, NULL, &conf.anchor));
    idv_trust_close(idv_steal(&d->trust));
    OK(idv_trust_open(&conf, &d->trust));
}

enum idv_trust_state fakedev_state(const struct fakedev *d)
{
    return idv_trust_state(d->trust);
}

idv_rc fake_join(struct fakedev *d, struct fakereg *r, struct memdrive *drive)
{
    struct memdrive own = {0};
    struct idv_pledge *p = NULL;
    if (!drive)
        drive = &own;
    drive->connect = on_connect;
    drive->exchange = on_exchange;
    drive->wait = on_wait;
    drive->arg = r;
    d->conf.trust = d->trust;
    OK(idv_pledge_new(&d->conf, &r->pki->env.env, &p));
    memdrive_run(drive, d->renew   ? idv_pledge_renew(p)
                        : d->again ? idv_pledge_reenroll(p)
                                   : idv_pledge_join(p));
    d->verdict = idv_pledge_verdict(p);
    idv_pledge_free(p);
    return drive->rc;
}
