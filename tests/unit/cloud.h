/* SPDX-License-Identifier: Apache-2.0 */
/* A device, a cloud registrar, and where that sends it, as a script. */
#ifndef TESTS_CLOUD_H
#define TESTS_CLOUD_H

#include "tests/unit/codec.h"

#include <idevid/fs.h>

#include "tests/lib/fakereg.h"
#include "tests/unit/staple.h"

#define CLOUD "cloud.maker.example"
#define VAR "var.example"
#define OWNER "registrar.example.com"
#define EST "est.owner.example"

/* the Implicit TA set, and who is there; owner and domain are those of pki */
static struct pki pki;
static struct pki_id web_ca, cloud_id, var_id, est_id;
static STACK_OF(X509) * web_anchors, *cloud_chain, *var_chain, *est_chain;

static inline struct pki_id server(enum idv_cert_kind kind, const char *name,
                                   const struct pki_id *ca,
                                   STACK_OF(X509) * *chain)
{
    const char *const names[] = {name, NULL};
    const struct idv_cert_spec spec = {
        .kind = kind, .common_name = name, .names = names};
    struct pki_id id = pki_issue(&pki, "P-256", &spec, ca);
    *chain = pki_stack(id.cert, ca->cert);
    return id;
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
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
    int checks;              /* domain-cert-revocation-checks */
    struct idv_bytes staple; /* of the EST server */
} play;

static const STACK_OF(X509) * own_chain(const char *host)
{
    return strcmp(host, CLOUD) == 0 ? cloud_chain
           : strcmp(host, VAR) == 0 ? var_chain
           : strcmp(host, EST) == 0 ? est_chain
                                    : pki.tls_chain;
}

static inline void meet(struct fakereg *r, const struct idv_connect *c)
{
    const size_t n = strlen(play.hosts);
    snprintf(play.hosts + n, sizeof(play.hosts) - n, "%s%s", n ? " " : "",
             c->host);
    assert_true(c->sni);
    r->chain = own_chain(c->host);
    r->staple = strcmp(c->host, EST) == 0 ? play.staple : idv_str("");
    for (int i = 0; i < 4 && play.shown[i].host; i++)
        if (strcmp(play.shown[i].host, c->host) == 0)
            r->chain = play.shown[i].chain;
}

static inline bool answer(struct fakereg *r, const char *word, bool after,
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

static inline void tweak(struct fakereg *r, struct idv_voucher *v)
{
    (void)r;
    snprintf(v->est_domain, sizeof(v->est_domain), "%s",
             play.est_domain ? play.est_domain : "");
    v->revocation_checks = play.checks;
    snprintf(v->additional_configuration_url,
             sizeof(v->additional_configuration_url), "%s",
             play.more ? play.more : "");
}

struct scene {
    struct fakereg reg;
    struct fakedev dev;
    struct memdrive drive;
};

static inline void scene_init(struct scene *s)
{
    static const char *const none[] = {NULL};
    memset(s, 0, sizeof(*s));
    memset(&play, 0, sizeof(play));
    play.status = 307;
    play.checks = -1;
    fakereg_init(&s->reg, &pki);
    fakedev_init(&s->dev, &pki);
    s->reg.meet = meet;
    s->reg.hook = answer;
    s->reg.tweak = tweak;
    s->dev.conf.registrars = none;
    s->dev.conf.cloud = "https://" CLOUD "/requestvoucher";
    s->dev.conf.cloud_anchors = web_anchors;
}

static inline void scene_free(struct scene *s)
{
    fakereg_free(&s->reg);
    fakedev_free(&s->dev);
}
#define SCENE(s)                                                               \
    __attribute__((cleanup(scene_free))) struct scene s;                       \
    scene_init(&s)

/* ends with rc after exactly this, having been there, in this state */
static inline void expect(struct scene *s, idv_rc rc, const char *log,
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

static inline void note_has(const struct scene *s, const char *part)
{
    if (!strstr(s->drive.note, part))
        print_error("'%s' lacks '%s'\n", s->drive.note, part);
    assert_non_null(strstr(s->drive.note, part));
}

/* no nonce came twice */
static inline void nonces_differ(const struct scene *s)
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

#endif
