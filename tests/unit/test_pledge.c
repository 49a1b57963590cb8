/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge against a scripted registrar: the way in, and all ways out. */
#include "tests/unit/codec.h"

#include "tests/lib/fakereg.h"
#include "tests/unit/staple.h"

static struct pki pki;

static int setup(void **state)
{
    (void)state;
    pki_make(&pki);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pki_free(&pki);
    return 0;
}

struct scene {
    struct fakereg reg;
    struct fakedev dev;
    struct memdrive drive;
};

static void scene_init(struct scene *s)
{
    memset(s, 0, sizeof(*s));
    fakereg_init(&s->reg, &pki);
    fakedev_init(&s->dev, &pki);
}

static void scene_free(struct scene *s)
{
    fakereg_free(&s->reg);
    fakedev_free(&s->dev);
    pki.env.now = PKI_NOW;
    pki.env.trusted = true;
}
#define SCENE(s)                                                               \
    __attribute__((cleanup(scene_free))) struct scene s;                       \
    scene_init(&s)

static idv_rc join(struct scene *s)
{
    return fake_join(&s->dev, &s->reg, &s->drive);
}

/* joins anew after the log was cleared, on a good day */
static void join_well(struct scene *s, const char *log)
{
    s->reg.log[0] = 0;
    s->reg.hook = NULL;
    s->reg.tweak = NULL;
    s->reg.lose = 0;
    idv_rc rc = join(s);
    if (rc != IDV_OK)
        print_error("%s: %s\n", s->reg.log, s->drive.note);
    assert_int_equal(rc, IDV_OK);
    assert_string_equal(s->reg.log, log);
    assert_int_equal(fakedev_state(&s->dev), IDV_TRUST_ENROLLED);
}

#define WHOLE "C? rv vs+ ca at en C+ es+"
#define RESUMED "C= ca at en C+ es+"

/* --- the way in ----------------------------------------------------------- */

/* R-P-16, R-P-17, R-P-20, R-P-23, R-P-25, R-P-26, R-P-53, R-P-54, R-P-57,
 * R-P-58, R-P-60, R-P-62, R-P-63, R-P-65: PT-1 */
static void the_whole_way(void **state)
{
    (void)state;
    SCENE(s);
    join_well(&s, WHOLE);
    assert_string_equal(s.dev.events,
                        "connect provisional voucher imprinted voucher_status "
                        "cacerts csrattrs key enrolled enrollstatus");
    assert_string_equal((char *)s.reg.telemetry.p,
                        "{\"version\":1,\"status\":true}");
    assert_int_equal(s.dev.verdict, IDV_VERDICT_OK);
    const struct idv_enrollment *e = idv_trust_enrollment(s.dev.trust);
    assert_string_equal(e->registrar, "https://registrar.example.com:8443");
    assert_string_equal(e->key_uri, "mem:1");
    assert_true(idv_cert_eq(idv_trust_pin(s.dev.trust), pki.domain_ca.cert));
    assert_int_equal(
        X509_NAME_cmp(X509_get_subject_name(sk_X509_value(e->ldevid, 0)),
                      X509_get_subject_name(pki.idevid.cert)),
        0);
    fakedev_reopen(&s.dev, &pki);
    assert_int_equal(fakedev_state(&s.dev), IDV_TRUST_ENROLLED);
}

/* R-P-2: PT-23 */
static void an_enrolled_pledge_does_nothing(void **state)
{
    (void)state;
    SCENE(s);
    join_well(&s, WHOLE);
    fakedev_reopen(&s.dev, &pki);
    join_well(&s, "");
}

/* R-P-96, R-P-12, R-S-25: PT-24 */
static void a_reset_starts_anew(void **state)
{
    (void)state;
    SCENE(s);
    join_well(&s, WHOLE);
    OK(idv_trust_reset(s.dev.trust));
    join_well(&s, WHOLE);
    assert_int_equal(s.reg.n_nonces, 2);
    assert_string_not_equal(s.reg.nonces[0], s.reg.nonces[1]);
}

/* R-P-47: PT-4, PT-5 and PT-6: what is pinned */
static void pins_of_every_kind(void **state)
{
    (void)state;
    X509 *pins[] = {pki.registrar.cert, pki.domain_ca.cert};
    for (int i = 0; i < 2; i++) {
        SCENE(s);
        s.reg.pin = pins[i];
        join_well(&s, WHOLE);
    }
}

/* R-P-22: names go into SNI, addresses do not */
static void server_names(void **state)
{
    static const struct {
        const char *registrar, *host;
        bool sni;
    } rows[] = {
        {"registrar.example.com", "registrar.example.com", true},
        {"192.0.2.1:8443", "192.0.2.1", false},
        {"[2001:db8::1]:8443", "2001:db8::1", false},
        {"[fe80::1%eth0]:8443", "fe80::1%eth0", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        SCENE(s);
        const char *const list[] = {rows[i].registrar, NULL};
        s.dev.conf.registrars = list;
        join_well(&s, WHOLE);
        assert_string_equal(s.reg.last.host, rows[i].host);
        assert_int_equal(s.reg.last.port, i ? 8443 : 443);
        assert_int_equal(s.reg.last.sni, rows[i].sni);
    }
}

static void registrars_that_are_none(void **state)
{
    static const char *const bad[] = {"",    "http://a",     "a/path",
                                      "a:0", "[fe80::1%]:1", "[fe80::1%eth0"};
    (void)state;
    SCENE(s);
    s.dev.conf.trust = s.dev.trust;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const char *const list[] = {bad[i], NULL};
        struct idv_pledge *p = NULL;
        s.dev.conf.registrars = list;
        assert_int_not_equal(idv_pledge_new(&s.dev.conf, &pki.env.env, &p),
                             IDV_OK);
        assert_null(p);
        idv_note_clear();
    }
    s.dev.conf.registrars = NULL;
    assert_int_equal(join(&s), IDV_E_ARG);
    assert_string_equal(s.reg.log, "");
}

/* --- vouchers refused (PT-7..12, PT-19, PT-32) ---------------------------- */

static void other_serial(struct fakereg *r, struct idv_voucher *v)
{
    (void)r;
    strcpy(v->serial_number, "SOMEONE-ELSE");
}
static void other_nonce(struct fakereg *r, struct idv_voucher *v)
{
    (void)r;
    v->nonce[0] ^= 1;
}
static void expired_nonceless(struct fakereg *r, struct idv_voucher *v)
{
    v->nonce[0] = 0;
    v->expires_on = r->pki->env.now - 1;
}
static void from_the_future(struct fakereg *r, struct idv_voucher *v)
{
    v->created_on = r->pki->env.now + 3600;
}
static void other_issuer(struct fakereg *r, struct idv_voucher *v)
{
    OK(idv_idevid_issuer(r->pki->rogue_idevid.cert, false, &v->idevid_issuer));
}
static void no_pin(struct fakereg *r, struct idv_voucher *v)
{
    (void)r;
    idv_buf_clear(&v->pinned_domain_cert);
}
static void rogue_pin(struct fakereg *r, struct idv_voucher *v)
{
    idv_buf_clear(&v->pinned_domain_cert);
    OK(idv_cert_to_der(r->pki->rogue_ca.cert, &v->pinned_domain_cert));
}
static void unreadable_pin(struct fakereg *r, struct idv_voucher *v)
{
    (void)r;
    idv_buf_clear(&v->pinned_domain_cert);
    OK(idv_buf_puts(&v->pinned_domain_cert, "no certificate"));
}
static void only_logged(struct fakereg *r, struct idv_voucher *v)
{
    (void)r;
    v->assertion = IDV_ASSERT_LOGGED;
}
static void revocation_wanted(struct fakereg *r, struct idv_voucher *v)
{
    (void)r;
    v->revocation_checks = 1;
}

static bool wrong_media(struct fakereg *r, const char *word, bool after,
                        const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after && strcmp(word, "rv") == 0)
        strcpy(reply->media, "application/voucher-jws+json");
    return false;
}
static bool spoilt(struct fakereg *r, const char *word, bool after,
                   const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after && strcmp(word, "rv") == 0)
        reply->body.p[reply->body.n - 3] ^= 1;
    return false;
}
static bool empty(struct fakereg *r, const char *word, bool after,
                  const struct idv_msg *req, struct idv_msg *reply)
{
    (void)r, (void)req;
    if (after && strcmp(word, "rv") == 0)
        idv_buf_clear(&reply->body);
    return false;
}
static bool oversized(struct fakereg *r, const char *word, bool after,
                      const struct idv_msg *req, struct idv_msg *reply)
{
    static const uint8_t zeroes[4096];
    (void)r, (void)req;
    reply->body.max = 2 * IDV_MAX_BODY;
    while (after && strcmp(word, "rv") == 0 && reply->body.n < IDV_MAX_BODY)
        OK(idv_buf_put(&reply->body, idv_bytes(zeroes, sizeof(zeroes))));
    return false;
}

/* R-P-18, R-P-35, R-P-36, R-P-37, R-P-38, R-P-40, R-P-43, R-P-44, R-P-46,
 * R-P-47, R-P-48, R-P-50, R-P-53, R-P-55, R-S-2, R-S-8, R-S-9, R-S-26 */
static void each_reason_for_refusal(void **state)
{
    const struct {
        void (*tweak)(struct fakereg *, struct idv_voucher *);
        bool (*hook)(struct fakereg *, const char *, bool,
                     const struct idv_msg *, struct idv_msg *);
        const struct pki_id *signer;
        enum idv_verdict verdict;
    } rows[] = {
        {other_serial, NULL, NULL, IDV_VERDICT_SERIAL},
        {other_nonce, NULL, NULL, IDV_VERDICT_NONCE},
        {expired_nonceless, NULL, NULL, IDV_VERDICT_EXPIRED},
        {from_the_future, NULL, NULL, IDV_VERDICT_TIME},
        {other_issuer, NULL, NULL, IDV_VERDICT_ISSUER},
        {no_pin, NULL, NULL, IDV_VERDICT_NO_PIN},
        {rogue_pin, NULL, NULL, IDV_VERDICT_CHAIN},
        {unreadable_pin, NULL, NULL, IDV_VERDICT_PIN},
        {only_logged, NULL, NULL, IDV_VERDICT_ASSERTION},
        {revocation_wanted, NULL, NULL, IDV_VERDICT_REVOKED},
        {NULL, NULL, &pki.rogue_masa, IDV_VERDICT_SIGNER},
        {NULL, wrong_media, NULL, IDV_VERDICT_FORMAT},
        {NULL, spoilt, NULL, IDV_VERDICT_SIGNATURE},
        {NULL, empty, NULL, IDV_VERDICT_FORMAT},
        {NULL, oversized, NULL, IDV_VERDICT_FORMAT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        SCENE(s);
        s.dev.conf.policy.refused_assertions = 1u << IDV_ASSERT_LOGGED;
        s.reg.tweak = rows[i].tweak;
        s.reg.hook = rows[i].hook;
        if (rows[i].signer)
            s.reg.signer = rows[i].signer;
        assert_int_equal(join(&s), IDV_E_REJECT);
        if (s.dev.verdict != rows[i].verdict)
            fail_msg("row %zu: %s: %s", i, idv_verdict_to_text(s.dev.verdict),
                     s.drive.note);
        assert_string_equal(s.reg.log, "C? rv vs-");
        /* R-P-55, R-S-26: the same words whatever it was */
        assert_string_equal((char *)s.reg.telemetry.p,
                            "{\"version\":1,\"status\":false,\"reason\":"
                            "\"voucher not accepted\"}");
        assert_int_equal(fakedev_state(&s.dev), IDV_TRUST_NONE);
        assert_false(s.dev.anchor.found);
        s.reg.signer = &pki.masa;
        join_well(&s, WHOLE);
    }
}

/* R-P-46 */
static void revocation_stapled(void **state)
{
    (void)state;
    for (int revoked = 0; revoked < 2; revoked++) {
        SCENE(s);
        IDV_AUTO(buf) der = {0};
        struct staple m = staple_good(&pki);
        if (revoked)
            m.status = V_OCSP_CERTSTATUS_REVOKED;
        staple_make(&m, &der);
        s.reg.staple = idv_view(&der);
        s.reg.tweak = revoked ? NULL : revocation_wanted;
        if (!revoked) {
            join_well(&s, WHOLE);
            continue;
        }
        assert_int_equal(join(&s), IDV_E_REJECT);
        assert_int_equal(s.dev.verdict, IDV_VERDICT_REVOKED);
        assert_string_equal(s.reg.log, "C? rv vs-");
        assert_int_equal(fakedev_state(&s.dev), IDV_TRUST_NONE);
    }
}

/* PT-11 */
static void nonceless(struct fakereg *r, struct idv_voucher *v)
{
    v->nonce[0] = 0;
    v->expires_on = r->pki->env.now + PKI_DAY;
}

/* R-P-39 */
static void nonceless_by_policy(void **state)
{
    (void)state;
    for (int refuse = 0; refuse < 2; refuse++) {
        SCENE(s);
        s.reg.tweak = nonceless;
        s.dev.conf.policy.refuse_nonceless = refuse;
        assert_int_equal(join(&s), refuse ? IDV_E_REJECT : IDV_OK);
        assert_int_equal(s.dev.verdict,
                         refuse ? IDV_VERDICT_NONCELESS : IDV_VERDICT_OK);
    }
}

/* R-P-27, R-P-42: PT-10 */
static void without_a_clock_times_do_not_matter(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.tweak = expired_nonceless;
    pki.env.trusted = false;
    assert_int_equal(join(&s), IDV_OK);
    assert_int_equal(idv_trust_record(s.dev.trust)->time, 0);
}

/* R-P-17, R-P-48, R-S-1: a rogue in the middle has the voucher of the real one
 */
static void a_rogue_in_the_middle(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.chain = pki.rogue_chain;
    assert_int_equal(join(&s), IDV_E_REJECT);
    assert_int_equal(s.dev.verdict, IDV_VERDICT_CHAIN);
    assert_string_equal(s.reg.log, "C? rv vs-");
    assert_int_equal(fakedev_state(&s.dev), IDV_TRUST_NONE);
}

/* R-P-64: a device of the same domain is no registrar */
static void a_member_of_the_domain_as_registrar(void **state)
{
    (void)state;
    SCENE(s);
    const struct idv_cert_spec spec = {
        .kind = IDV_CERT_LDEVID,
        .serial_number = "OTHER",
    };
    struct pki_id member = pki_issue(&pki, "P-256", &spec, &pki.domain_ca);
    STACK_OF(X509) *chain = pki_stack(member.cert, pki.domain_ca.cert);
    s.reg.chain = chain;
    assert_int_equal(join(&s), IDV_E_REJECT);
    assert_string_equal(s.reg.log, "C? rv vs-");
    assert_non_null(strstr(s.drive.note, "cmcRA"));
    assert_int_equal(fakedev_state(&s.dev), IDV_TRUST_NONE);
    s.reg.pin = member.cert; /* unless that very one is pinned */
    join_well(&s, WHOLE);
    idv_certs_free(chain);
    pki_id_free(&member);
}

/* a forged chain is not taken for one, even provisionally */
static void a_chain_that_is_not_signed(void **state)
{
    (void)state;
    SCENE(s);
    X509 *leaf = X509_dup(pki.registrar.cert);
    const ASN1_BIT_STRING *sig;
    X509_get0_signature(&sig, NULL, leaf);
    sig->data[sig->length - 1] ^= 1;
    STACK_OF(X509) *chain = pki_stack(leaf, pki.domain_ca.cert);
    s.reg.chain = chain;
    assert_int_equal(join(&s), IDV_E_REJECT);
    assert_string_equal(s.reg.log, "C?");
    idv_certs_free(chain);
    X509_free(leaf);
}

static void no_certificate_at_all(void **state)
{
    (void)state;
    SCENE(s);
    s.reg.chain = NULL;
    assert_int_equal(join(&s), IDV_E_REJECT);
    assert_string_equal(s.reg.log, "C?");
}

/* --- a device that fails -------------------------------------------------- */

static void the_anchor_cannot_be_written(void **state)
{
    (void)state;
    SCENE(s);
    s.dev.anchor.calls = 0;
    s.dev.anchor.fail_at = 2;
    assert_int_equal(join(&s), IDV_E_DEVICE);
    assert_string_equal(s.reg.log, "C? rv vs-");
    assert_int_equal(fakedev_state(&s.dev), IDV_TRUST_NONE);
    s.dev.anchor.fail_at = 0;
    join_well(&s, WHOLE);
}

static void the_key_cannot_be_made(void **state)
{
    (void)state;
    SCENE(s);
    s.dev.keys_fail = true;
    assert_int_equal(join(&s), IDV_E_DEVICE);
    assert_string_equal(s.reg.log, "C? rv vs+ ca at es-");
    assert_string_equal((char *)s.reg.telemetry.p,
                        "{\"version\":1,\"status\":false,\"reason\":"
                        "\"enrollment failed\"}");
    assert_int_equal(fakedev_state(&s.dev), IDV_TRUST_IMPRINTED);
    s.dev.keys_fail = false;
    join_well(&s, RESUMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_way),
        cmocka_unit_test(an_enrolled_pledge_does_nothing),
        cmocka_unit_test(a_reset_starts_anew),
        cmocka_unit_test(pins_of_every_kind),
        cmocka_unit_test(server_names),
        cmocka_unit_test(registrars_that_are_none),
        cmocka_unit_test(each_reason_for_refusal),
        cmocka_unit_test(revocation_stapled),
        cmocka_unit_test(nonceless_by_policy),
        cmocka_unit_test(without_a_clock_times_do_not_matter),
        cmocka_unit_test(a_rogue_in_the_middle),
        cmocka_unit_test(a_member_of_the_domain_as_registrar),
        cmocka_unit_test(a_chain_that_is_not_signed),
        cmocka_unit_test(no_certificate_at_all),
        cmocka_unit_test(the_anchor_cannot_be_written),
        cmocka_unit_test(the_key_cannot_be_made),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
