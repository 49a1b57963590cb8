/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge at the EST server that a cloud's voucher names: whom it believes,
 * and where it goes on after a restart. */
#include "tests/unit/cloud.h"

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

/* R-P-46, R-P-92: whether it is revoked is asked of the server that is pinned,
 * not of the cloud registrar that the voucher came from */
static void est_domain_revoked(void **state)
{
    static const struct {
        int checks, status; /* -1: nothing stapled */
        bool joins;
        const char *why;
    } rows[] = {
        {1, V_OCSP_CERTSTATUS_GOOD, true, NULL},
        {1, V_OCSP_CERTSTATUS_REVOKED, false, "is revoked"},
        {1, -1, false, "no OCSP response stapled"},
        {-1, V_OCSP_CERTSTATUS_REVOKED, false, "is revoked"},
        {-1, -1, true, NULL},
        {0, V_OCSP_CERTSTATUS_REVOKED, true, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct staple m = staple_good(&pki);
        IDV_AUTO(buf) der = {0};
        SCENE(s);
        m.cert = est_id.cert;
        m.status = rows[i].status;
        if (m.status >= 0)
            staple_make(&m, &der);
        play.staple = idv_view(&der);
        play.checks = rows[i].checks;
        play.est_domain = EST;
        if (rows[i].joins) {
            expect(&s, IDV_OK, BY_EST, CLOUD " " EST " " EST, ENROLLED);
        } else {
            expect(&s, IDV_E_REJECT, "C= rv C=", CLOUD " " EST, NONE);
            note_has(&s, rows[i].why);
        }
    }
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
        cmocka_unit_test(est_domain),
        cmocka_unit_test(est_domain_refused),
        cmocka_unit_test(est_domain_revoked),
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
