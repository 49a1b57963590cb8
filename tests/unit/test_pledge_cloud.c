/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge and the cloud: whom it believes, where it is sent, and what it
 * never says there. */
#include "tests/unit/cloud.h"

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
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
