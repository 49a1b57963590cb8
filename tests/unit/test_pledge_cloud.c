/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge and the cloud: whom it believes, where it is sent, and what it
 * never says there. */
#include "tests/unit/codec.h"

#include <idevid/fs.h>

#include "tests/lib/fakereg.h"

#define CLOUD "cloud.maker.example"
#define VAR "var.example"
#define OWNER "registrar.example.com"
#define EST "est.owner.example"

/* the Implicit TA set, and who is there; owner and domain are those of pki */
static struct pki pki;
static struct pki_id web_ca, cloud_id, var_id, est_id;
static STACK_OF(X509) * web_anchors, *cloud_chain, *var_chain, *est_chain;

static struct pki_id server(enum idv_cert_kind kind, const char *name,
                            const struct pki_id *ca, STACK_OF(X509) * *chain)
{
    const char *const names[] = {name, NULL};
    const struct idv_cert_spec spec = {
        .kind = kind, .common_name = name, .names = names};
    struct pki_id id = pki_issue(&pki, "P-256", &spec, ca);
    *chain = pki_stack(id.cert, ca->cert);
    return id;
}

static int setup(void **state)
{
    const struct idv_cert_spec root = {.kind = IDV_CERT_ROOT,
                                       .common_name = "Implicit TA"};
    (void)state;
    pki_make(&pki);
    web_ca = pki_issue(&pki, "P-256", &root, NULL);
    web_anchors = pki_stack(web_ca.cert, NULL);
    cloud_id = server(IDV_CERT_SERVER, CLOUD, &web_ca, &cloud_chain);
    var_id = server(IDV_CERT_SERVER, VAR, &web_ca, &var_chain);
    est_id = server(IDV_CERT_REGISTRAR, EST, &pki.domain_ca, &est_chain);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pki_id_free(&web_ca);
    pki_id_free(&cloud_id);
    pki_id_free(&var_id);
    pki_id_free(&est_id);
    idv_certs_free(web_anchors);
    idv_certs_free(cloud_chain);
    idv_certs_free(var_chain);
    idv_certs_free(est_chain);
    pki_free(&pki);
    return 0;
}

/* --- a script ------------------------------------------------------------- */

static struct {
    char hosts[1024]; /* connected to, a blank between */
    struct {
        const char *host;
        const STACK_OF(X509) * chain;
    } shown[4];         /* instead of their own */
    const char *to[64]; /* Location of the n-th answer; NULL: no more */
    int at, status;
    int refusal; /* of who is at refuser */
    const char *refuser;
    int retry_after;
    const char *est_domain, *more;
} play;

static const STACK_OF(X509) * own_chain(const char *host)
{
    return strcmp(host, CLOUD) == 0 ? cloud_chain
           : strcmp(host, VAR) == 0 ? var_chain
           : strcmp(host, EST) == 0 ? est_chain
                                    : pki.tls_chain;
}

static void meet(struct fakereg *r, const struct idv_connect *c)
{
    const size_t n = strlen(play.hosts);
    snprintf(play.hosts + n, sizeof(play.hosts) - n, "%s%s", n ? " " : "",
             c->host);
    assert_true(c->sni);
    r->chain = own_chain(c->host);
    for (int i = 0; i < 4 && play.shown[i].host; i++)
        if (strcmp(play.shown[i].host, c->host) == 0)
            r->chain = play.shown[i].chain;
}

static bool answer(struct fakereg *r, const char *word, bool after,
                   const struct idv_msg *req, struct idv_msg *reply)
{
    (void)req;
    if (after || strcmp(word, "rv") != 0)
        return false;
    if (play.refusal && strcmp(r->last.host, play.refuser) == 0) {
        OK(idv_msg_refuse(reply, play.refusal, "no"));
        reply->retry_after = play.retry_after;
        return true;
    }
    if (!play.to[play.at])
        return false;
    OK(idv_msg_reply(reply, play.status, "", idv_str("")));
    strcpy(reply->location, play.to[play.at++]);
    return true;
}

static void tweak(struct fakereg *r, struct idv_voucher *v)
{
    (void)r;
    snprintf(v->est_domain, sizeof(v->est_domain), "%s",
             play.est_domain ? play.est_domain : "");
    snprintf(v->additional_configuration_url,
             sizeof(v->additional_configuration_url), "%s",
             play.more ? play.more : "");
}

struct scene {
    struct fakereg reg;
    struct fakedev dev;
    struct memdrive drive;
};

static void scene_init(struct scene *s)
{
    static const char *const none[] = {NULL};
    memset(s, 0, sizeof(*s));
    memset(&play, 0, sizeof(play));
    play.status = 307;
    fakereg_init(&s->reg, &pki);
    fakedev_init(&s->dev, &pki);
    s->reg.meet = meet;
    s->reg.hook = answer;
    s->reg.tweak = tweak;
    s->dev.conf.registrars = none;
    s->dev.conf.cloud = "https://" CLOUD "/requestvoucher";
    s->dev.conf.cloud_anchors = web_anchors;
}

static void scene_free(struct scene *s)
{
    fakereg_free(&s->reg);
    fakedev_free(&s->dev);
}
#define SCENE(s)                                                               \
    __attribute__((cleanup(scene_free))) struct scene s;                       \
    scene_init(&s)

/* ends with rc after exactly this, having been there, in this state */
static void expect(struct scene *s, idv_rc rc, const char *log,
                   const char *hosts, enum idv_trust_state state)
{
    s->reg.log[0] = play.hosts[0] = 0;
    idv_rc got = fake_join(&s->dev, &s->reg, &s->drive);
    if (got != rc || strcmp(s->reg.log, log) != 0)
        print_error("%s (%s): %s\n", s->reg.log, play.hosts, s->drive.note);
    assert_string_equal(s->reg.log, log);
    assert_string_equal(play.hosts, hosts);
    assert_int_equal(got, rc);
    assert_int_equal(fakedev_state(&s->dev), state);
    idv_note_clear();
}

static void note_has(const struct scene *s, const char *part)
{
    if (!strstr(s->drive.note, part))
        print_error("'%s' lacks '%s'\n", s->drive.note, part);
    assert_non_null(strstr(s->drive.note, part));
}

/* no nonce came twice */
static void nonces_differ(const struct scene *s)
{
    for (int i = 0; i < s->reg.n_nonces; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(s->reg.nonces[i], s->reg.nonces[j]);
    assert_int_equal(s->reg.same_pvr, 0);
}

#define NONE IDV_TRUST_NONE
#define IMPRINTED IDV_TRUST_IMPRINTED
#define ENROLLED IDV_TRUST_ENROLLED
#define SENT_ON "C= rv C? rv vs+ ca at en C+ es+"
#define BY_EST "C= rv C= ca at en C+ es+"

/* --- TLS to the cloud, R-P-89 --------------------------------------------- */

/* R-P-89: nothing is said to whom the Implicit TA set does not vouch for, by
 * that name, as a server */
static void never_provisional(void **state)
{
    STACK_OF(X509) *client = NULL;
    struct pki_id ldevid = server(IDV_CERT_LDEVID, CLOUD, &web_ca, &client);
    const STACK_OF(X509) *
        bad[] = {pki.tls_chain, pki.rogue_chain, var_chain, client};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        SCENE(s);
        play.shown[0].host = CLOUD;
        play.shown[0].chain = bad[i];
        play.est_domain = EST;
        expect(&s, IDV_E_REJECT, "C=", CLOUD, NONE);
        assert_int_equal(s.reg.n_nonces, 0);
    }
    idv_certs_free(client);
    pki_id_free(&ldevid);
}

/* R-P-89 */
static void its_times(void **state)
{
    const char *const names[] = {CLOUD, NULL};
    const struct idv_cert_spec spec = {.kind = IDV_CERT_SERVER,
                                       .common_name = "old",
                                       .names = names,
                                       .not_before = PKI_NOW - 9,
                                       .not_after = PKI_NOW - 1};
    struct pki_id old = pki_issue(&pki, "P-256", &spec, &web_ca);
    STACK_OF(X509) *chain = pki_stack(old.cert, NULL);
    (void)state;
    for (int trusted = 0; trusted < 2; trusted++) {
        SCENE(s);
        pki.env.trusted = trusted;
        play.shown[0].host = CLOUD;
        play.shown[0].chain = chain;
        play.est_domain = EST;
        if (trusted)
            expect(&s, IDV_E_REJECT, "C=", CLOUD, NONE);
        else
            expect(&s, IDV_OK, BY_EST, CLOUD " " EST " " EST, ENROLLED);
    }
    pki.env.trusted = true;
    idv_certs_free(chain);
    pki_id_free(&old);
}

static void configuration(void **state)
{
    static const struct {
        const char *cloud;
        bool anchors;
        idv_rc rc;
    } rows[] = {
        {"https://" CLOUD, true, IDV_OK},
        {CLOUD ":8443", true, IDV_OK},
        {"http://" CLOUD, true, IDV_E_FORMAT},
        {"https://" CLOUD "/?a", true, IDV_E_FORMAT},
        {"https://" CLOUD, false, IDV_E_ARG},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        SCENE(s);
        struct idv_pledge *p = NULL;
        s.dev.conf.trust = s.dev.trust;
        s.dev.conf.cloud = rows[i].cloud;
        if (!rows[i].anchors)
            s.dev.conf.cloud_anchors = NULL;
        assert_int_equal(idv_pledge_new(&s.dev.conf, &pki.env.env, &p),
                         rows[i].rc);
        idv_pledge_free(p);
        idv_note_clear();
    }
}

/* a cloud that was offered, without anchors to believe it by */
static void offered(void **state)
{
    SCENE(s);
    struct idv_offer o = {.origin = IDV_FROM_CLOUD, .port = 443};
    struct idv_pledge *p = NULL;
    (void)state;
    strcpy(o.host, CLOUD);
    s.dev.conf.trust = s.dev.trust;
    s.dev.conf.cloud = NULL;
    s.dev.conf.cloud_anchors = NULL;
    OK(idv_pledge_new(&s.dev.conf, &pki.env.env, &p));
    OK(idv_pledge_offer(p, &o));
    struct idv_machine m = idv_pledge_join(p);
    struct idv_told told = {.kind = IDV_TOLD_START};
    struct idv_ask ask = {0};
    OK(m.step(m.self, &told, &ask));
    assert_int_equal(ask.kind, IDV_ASK_CONNECT);
    assert_non_null(ask.connect.verify);
    FAILS(IDV_E_REJECT, "",
          ask.connect.verify(ask.connect.verify_ctx, cloud_chain));
    idv_ask_free(&ask);
    idv_pledge_free(p);
}

/* --- sent on, R-P-90 ------------------------------------------------------ */

/* R-P-90, R-P-34: to the owner's registrar, which is provisional then; a
 * request with a nonce of its own goes to each */
static void sent_on(void **state)
{
    SCENE(s);
    (void)state;
    play.to[0] = "https://" OWNER ":8443";
    expect(&s, IDV_OK, SENT_ON, CLOUD " " OWNER " " OWNER, ENROLLED);
    nonces_differ(&s);
}

/* R-P-90: by one that is validated as well */
static void sent_on_twice(void **state)
{
    SCENE(s);
    (void)state;
    play.to[0] = "https://" VAR "/rv";
    play.to[1] = "https://" OWNER ":8443";
    expect(&s, IDV_OK, "C= rv C? rv C? rv vs+ ca at en C+ es+",
           CLOUD " " VAR " " OWNER " " OWNER, ENROLLED);
    nonces_differ(&s);
}

/* R-P-90: a provisional one has no say in where we go */
static void sent_on_by_the_provisional(void **state)
{
    SCENE(s);
    (void)state;
    play.to[0] = "https://" OWNER ":8443";
    play.to[1] = "https://" VAR "/rv";
    expect(&s, IDV_E_REJECT, "C= rv C? rv", CLOUD " " OWNER, NONE);
    note_has(&s, "provisional");
}

/* R-P-90, R-S-12 */
static void circles(void **state)
{
    static const char *const to[][4] = {
        {"https://" CLOUD "/requestvoucher"},
        {"/requestvoucher"},
        {"https://" VAR "/rv", "https://" CLOUD "/requestvoucher"},
        {"https://" VAR "/rv", "https://VAR.example:443/rv"},
        {"https://" VAR "/rv", "/rw", "/rv"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(to) / sizeof(*to); i++) {
        SCENE(s);
        memcpy(play.to, to[i], sizeof(to[i]));
        s.reg.log[0] = 0;
        assert_int_equal(fake_join(&s.dev, &s.reg, &s.drive), IDV_E_REJECT);
        note_has(&s, "circle");
        assert_int_equal(fakedev_state(&s.dev), NONE);
    }
}

/* R-P-90: dozens of hops are fine, and there is an end to them */
static void hops(void **state)
{
    static char places[64][64];
    (void)state;
    for (int n = 36; n <= 37; n++) {
        SCENE(s);
        for (int i = 0; i < n; i++) {
            snprintf(places[i], sizeof(places[i]), "https://%s/%d", VAR, i);
            play.to[i] = places[i];
        }
        play.est_domain = EST;
        idv_rc rc = fake_join(&s.dev, &s.reg, &s.drive);
        assert_int_equal(rc, n == 36 ? IDV_OK : IDV_E_LIMIT);
        assert_int_equal(play.at, n);
        if (n > 36)
            note_has(&s, "36 times");
    }
}

/* R-P-33: what is not 307 goes by the rule of RFC 8995 */
static void other_redirects(void **state)
{
    (void)state;
    for (int status = 301; status <= 308; status++) {
        SCENE(s);
        play.status = status;
        play.to[0] = "https://" VAR "/rv";
        play.to[1] = "https://" OWNER ":8443";
        idv_rc rc = fake_join(&s.dev, &s.reg, &s.drive);
        assert_int_equal(rc, status == 307 ? IDV_OK : IDV_E_REJECT);
        assert_string_equal(play.hosts, status == 307 ? CLOUD " " VAR " " OWNER
                                                              " " OWNER
                                        : status == 308 ? CLOUD " " VAR
                                                        : CLOUD);
    }
}

/* --- refused, R-P-93 ------------------------------------------------------ */

/* R-P-93: 401 says when to come again; not too late, and not in a hurry */
static void owner_unknown(void **state)
{
    static const struct {
        int retry_after;
        const char *log;
    } rows[] = {
        {1800, "C= rv X1800 C= rv X1800 C= rv"},
        {999999, "C= rv X3600 C= rv X3600 C= rv"},
        {1, "C= rv X5 C= rv X10 C= rv"},
        {-1, "C= rv X86400 C= rv X86400 C= rv"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        SCENE(s);
        s.dev.conf.attempts = 3;
        play.refuser = CLOUD;
        play.refusal = 401;
        play.retry_after = rows[i].retry_after;
        expect(&s, IDV_E_REJECT, rows[i].log, CLOUD " " CLOUD " " CLOUD, NONE);
        note_has(&s, "owner is not known");
        nonces_differ(&s);
    }
}

/* R-P-93: whatever fails on the way, it begins again where it was provisioned
 */
static void begins_again(void **state)
{
    (void)state;
    for (int status = 400; status <= 503; status += status == 404 ? 99 : 4) {
        SCENE(s);
        s.dev.conf.attempts = 2;
        play.to[0] = "https://" VAR "/rv";
        play.to[1] = "https://" VAR "/rv";
        play.refuser = VAR;
        play.refusal = status;
        play.retry_after = -1;
        s.reg.log[0] = 0;
        assert_int_not_equal(fake_join(&s.dev, &s.reg, &s.drive), IDV_OK);
        assert_string_equal(s.reg.log, "C= rv C? rv X5 C= rv C? rv");
        assert_string_equal(play.hosts, CLOUD " " VAR " " CLOUD " " VAR);
        assert_int_equal(fakedev_state(&s.dev), NONE);
    }
}

/* --- est-domain, R-P-92 --------------------------------------------------- */

/* R-P-92: the pinned domain's EST server, by its name */
static void est_domain(void **state)
{
    static const char *const forms[] = {EST, EST ":443", "https://" EST,
                                        "https://" EST "/"};
    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        SCENE(s);
        play.est_domain = forms[i];
        play.more = "https://owner.example/more?a=1";
        expect(&s, IDV_OK, BY_EST, CLOUD " " EST " " EST, ENROLLED);
        assert_non_null(strstr(s.dev.events, "est-domain"));
        assert_non_null(strstr(s.dev.events, "additional-configuration-url"));
    }
}

/* R-P-92, R-P-91: when it is not validated it is dropped: nothing was sent,
 * nothing is imprinted, and the next try begins at the cloud */
static void est_domain_refused(void **state)
{
    STACK_OF(X509) *other = NULL, *no_ra = NULL;
    struct pki_id named =
        server(IDV_CERT_REGISTRAR, "other.example", &pki.domain_ca, &other);
    struct pki_id server_only =
        server(IDV_CERT_SERVER, EST, &pki.domain_ca, &no_ra);
    const STACK_OF(X509) * bad[] = {pki.rogue_chain, cloud_chain, other, no_ra};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        SCENE(s);
        s.dev.conf.attempts = 2;
        play.est_domain = EST;
        play.shown[0].host = EST;
        play.shown[0].chain = bad[i];
        expect(&s, IDV_E_REJECT,
               "C= rv C= X5 C= rv C=", CLOUD " " EST " " CLOUD " " EST, NONE);
        nonces_differ(&s);
        assert_int_equal(s.dev.keys_made, 0);
    }
    idv_certs_free(other);
    idv_certs_free(no_ra);
    pki_id_free(&named);
    pki_id_free(&server_only);
}

/* R-P-92: a server that is itself pinned needs no name */
static void est_server_pinned(void **state)
{
    SCENE(s);
    (void)state;
    play.est_domain = EST;
    play.shown[0].host = EST;
    play.shown[0].chain = pki.tls_chain;
    s.reg.pin = pki.registrar.cert;
    expect(&s, IDV_OK, BY_EST, CLOUD " " EST " " EST, ENROLLED);
}

/* The cloud's voucher without an est-domain is for nobody; the cloud is
 * told, and asked for nothing more */
static void without_est_domain(void **state)
{
    SCENE(s);
    (void)state;
    s.reg.pin = web_ca.cert;
    expect(&s, IDV_E_REJECT, "C= rv vs-", CLOUD, NONE);
    note_has(&s, "est-domain");
}

static void est_domain_malformed(void **state)
{
    static const char *const bad[] = {"https://" EST "/path", "http://" EST,
                                      "https://u@" EST, ":"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        SCENE(s);
        play.est_domain = bad[i];
        s.reg.log[0] = 0;
        assert_int_not_equal(fake_join(&s.dev, &s.reg, &s.drive), IDV_OK);
        assert_string_equal(s.reg.log, "C= rv vs-");
        assert_int_equal(fakedev_state(&s.dev), NONE);
    }
}

/* The leaf counts on a validated connection alone: a provisional one is judged
 * by the pin. */
static void est_domain_of_the_provisional(void **state)
{
    SCENE(s);
    (void)state;
    play.to[0] = "https://" OWNER ":8443";
    play.est_domain = EST;
    play.shown[0].host = OWNER;
    play.shown[0].chain = pki.rogue_chain;
    expect(&s, IDV_E_REJECT, "C= rv C? rv vs-", CLOUD " " OWNER, NONE);
    assert_int_equal(s.dev.verdict, IDV_VERDICT_CHAIN);
}

/* R-P-91: the cloud registrar is asked for no csrattrs, be it the EST server
 * as well */
static void no_csrattrs_for_the_cloud(void **state)
{
    SCENE(s);
    (void)state;
    play.est_domain = CLOUD;
    s.reg.pin = cloud_id.cert;
    s.reg.issuer = &web_ca;
    (void)fake_join(&s.dev, &s.reg, &s.drive);
    assert_non_null(strstr(s.reg.log, "C= rv C= ca"));
    assert_null(strstr(s.reg.log, "at"));
}

/* R-P-69: power lost between imprint and certificate: on with the server that
 * the voucher names, by pin and by name */
static void resumed(void **state)
{
    SCENE(s);
    (void)state;
    play.est_domain = EST;
    s.dev.keys_fail = true;
    assert_int_equal(fake_join(&s.dev, &s.reg, &s.drive), IDV_E_DEVICE);
    assert_int_equal(fakedev_state(&s.dev), IMPRINTED);
    s.dev.keys_fail = false;
    fakedev_reopen(&s.dev, &pki);
    expect(&s, IDV_OK, "C= ca at en C+ es+", EST " " EST, ENROLLED);
}

/* power lost on the way, at the owner's registrar that the cloud sent it to */
static void imprinted_at_the_owner(struct scene *s)
{
    play.to[0] = "https://" OWNER ":8443/.well-known/brski/requestvoucher";
    s->dev.keys_fail = true;
    assert_int_equal(fake_join(&s->dev, &s->reg, &s->drive), IDV_E_DEVICE);
    assert_int_equal(fakedev_state(&s->dev), IMPRINTED);
    s->dev.keys_fail = false;
}

/* R-P-69, R-P-90: on with the registrar that it was redirected to */
static void resumed_where_it_was_sent(void **state)
{
    SCENE(s);
    (void)state;
    imprinted_at_the_owner(&s);
    fakedev_reopen(&s.dev, &pki);
    expect(&s, IDV_OK, "C= ca at en C+ es+", OWNER " " OWNER, ENROLLED);
}

/* another address in the file: one that is none, and a stranger's, who shows
 * what is not of the domain */
static void sent_there_by_a_file(void **state)
{
    static const char *const places[] = {"https://[[[:1", "nowhere at all",
                                         "https://" CLOUD};
    char path[128];
    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        SCENE(s);
        IDV_AUTO(buf) file = {0};
        IDV_AUTO(buf) other = {0};
        imprinted_at_the_owner(&s);
        snprintf(path, sizeof(path), "%s/anchor.json", s.dev.dir);
        OK(idv_fs_read(path, 0, &file));
        char *at = strstr((char *)file.p, "https://" OWNER);
        assert_non_null(at);
        OK(idv_buf_put(&other,
                       idv_bytes(file.p, (size_t)(at - (char *)file.p))));
        OK(idv_buf_puts(&other, places[i]));
        OK(idv_buf_puts(&other, strchr(at, '"')));
        OK(idv_fs_write(path, idv_view(&other), 0600));
        fakedev_reopen(&s.dev, &pki);
        assert_int_equal(fakedev_state(&s.dev), IMPRINTED);
        assert_true(fake_join(&s.dev, &s.reg, &s.drive) != IDV_OK);
        assert_int_equal(fakedev_state(&s.dev), IMPRINTED);
        assert_null(strstr(s.reg.log, " en"));
    }
}

/* local registrars come first; the cloud is for when they are not ours */
static void last_in_order(void **state)
{
    static const char *const local[] = {"registrar.example.com:8443", NULL};
    SCENE(s);
    (void)state;
    s.dev.conf.registrars = local;
    play.refuser = OWNER;
    play.refusal = 404;
    play.est_domain = EST;
    expect(&s, IDV_OK, "C? rv X3 " BY_EST, OWNER " " CLOUD " " EST " " EST,
           ENROLLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_provisional),
        cmocka_unit_test(its_times),
        cmocka_unit_test(configuration),
        cmocka_unit_test(offered),
        cmocka_unit_test(sent_on),
        cmocka_unit_test(sent_on_twice),
        cmocka_unit_test(sent_on_by_the_provisional),
        cmocka_unit_test(circles),
        cmocka_unit_test(hops),
        cmocka_unit_test(other_redirects),
        cmocka_unit_test(owner_unknown),
        cmocka_unit_test(begins_again),
        cmocka_unit_test(est_domain),
        cmocka_unit_test(est_domain_refused),
        cmocka_unit_test(est_server_pinned),
        cmocka_unit_test(without_est_domain),
        cmocka_unit_test(est_domain_malformed),
        cmocka_unit_test(est_domain_of_the_provisional),
        cmocka_unit_test(no_csrattrs_for_the_cloud),
        cmocka_unit_test(resumed),
        cmocka_unit_test(resumed_where_it_was_sent),
        cmocka_unit_test(sent_there_by_a_file),
        cmocka_unit_test(last_in_order),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
