/* SPDX-License-Identifier: Apache-2.0 */
/* A device whose domain gets new CAs: kept, verified, cut at each file. */
#include "tests/unit/codec.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <openssl/sha.h>

#include <idevid/trust.h>

#include "tests/lib/anchor_mem.h"
#include "tests/lib/pki.h"
#include "trust/rollover.h"
#include "trust/trust_priv.h"

static struct pki pki;

/* ca[0] is pki.domain_ca, which is pinned; each signs over to the next */
#define N 3
static struct pki_id ca[N], ra[N]; /* a registrar of each */
static X509 *cross[N], *back[N];

static struct pki_id issue(enum idv_cert_kind kind, const char *name,
                           const struct pki_id *issuer)
{
    const struct idv_cert_spec spec = {.kind = kind, .common_name = name};
    return pki_issue(&pki, "P-256", &spec, issuer);
}

static X509 *sign_over(const struct pki_id *to, const struct pki_id *by)
{
    const struct idv_cert_spec spec = {
        .kind = IDV_CERT_ROOT,
        .subject = X509_get_subject_name(to->cert),
        .not_before = PKI_NOW - PKI_DAY,
        .not_after = PKI_NOW + 30 * PKI_DAY,
    };
    X509 *cert = NULL;
    OK(idv_cert_issue(&spec, to->key, by->cert, by->key, &pki.env.env, &cert));
    return cert;
}

static int setup(void **state)
{
    (void)state;
    pki_make(&pki);
    ca[0] = pki.domain_ca;
    ra[0] = pki.registrar;
    for (int i = 1; i < N; i++) {
        ca[i] = issue(IDV_CERT_ROOT, "Domain CA", NULL);
        ra[i] = issue(IDV_CERT_REGISTRAR, "registrar", &ca[i]);
        cross[i] = sign_over(&ca[i], &ca[i - 1]);
        back[i] = sign_over(&ca[i - 1], &ca[i]);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 1; i < N; i++) {
        pki_id_free(&ca[i]);
        pki_id_free(&ra[i]);
        X509_free(cross[i]);
        X509_free(back[i]);
    }
    pki_free(&pki);
    return 0;
}

/* --- a device ------------------------------------------------------------- */

struct box {
    char dir[64], state[80];
    struct anchor_mem anchor;
    struct idv_trust *trust;
};

static void box_init(struct box *b)
{
    memset(b, 0, sizeof(*b));
    test_dir(b->dir);
    snprintf(b->state, sizeof(b->state), "%s/state", b->dir);
}

static void box_free(struct box *b)
{
    idv_trust_close(b->trust);
    test_dir_drop(b->dir);
    pki.env.now = PKI_NOW;
    pki.env.trusted = true;
}
#define BOX(b)                                                                 \
    __attribute__((cleanup(box_free))) struct box b;                           \
    box_init(&b)

static idv_rc reopen(struct box *b)
{
    struct idv_trust_conf conf = {
        .dir = b->state,
        .anchor = anchor_mem(&b->anchor),
        .env = &pki.env.env,
    };
    idv_trust_close(idv_steal(&b->trust));
    return idv_trust_open(&conf, &b->trust);
}

static idv_rc enroll(struct box *b, const struct pki_id *issuer,
                     STACK_OF(X509) * anchors)
{
    struct pki_id id = issue(IDV_CERT_LDEVID, "device", issuer);
    struct idv_enrollment e = {
        .ldevid = pki_stack(id.cert, NULL),
        .anchors = anchors,
        .key_uri = "tpm2:handle=0x81020001",
        .registrar = "https://registrar.example.com:8443",
    };
    idv_rc rc = idv_trust_enroll(b->trust, &e);
    idv_enrollment_free(&e);
    pki_id_free(&id);
    return rc;
}

static void imprint_by(struct box *b, X509 *cert, enum idv_pin_kind kind)
{
    struct idv_pinned p = {.kind = kind};
    OK(idv_key_fingerprint(X509_get0_pubkey(cert), p.spki_sha256));
    if (kind == IDV_PIN_CERT)
        p.cert = cert;
    OK(reopen(b));
    OK(idv_trust_imprint(b->trust, &p, idv_str("")));
}

static void join(struct box *b)
{
    imprint_by(b, ca[0].cert, IDV_PIN_CERT);
    OK(enroll(b, &ca[0], pki_stack(ca[0].cert, NULL)));
}

static STACK_OF(X509) * list(X509 *a, X509 *b, X509 *c)
{
    STACK_OF(X509) *all = pki_stack(a, b);
    if (c) {
        sk_X509_push(all, c);
        X509_up_ref(c);
    }
    return all;
}

/* as idv_est_cacerts_read sorts what the registrar of ca[i] delivers */
static idv_rc cacerts(struct box *b, int i, int *rollovers, int *left)
{
    STACK_OF(X509) *anchors = list(ca[i].cert, ca[i - 1].cert, NULL);
    STACK_OF(X509) *others = list(cross[i], back[i], NULL);
    idv_rc rc = idv_trust_cacerts(b->trust, anchors, others, rollovers);
    *left = sk_X509_num(anchors);
    idv_certs_free(anchors);
    idv_certs_free(others);
    return rc;
}

static void roll(struct box *b, int i)
{
    int rollovers = 0, left = 0;
    OK(cacerts(b, i, &rollovers, &left));
    assert_int_equal(rollovers, 1);
    assert_int_equal(left, 2);
}

/* the registrar under ca[i], who shows its own CA only */
static idv_rc serves(struct box *b, int i)
{
    STACK_OF(X509) *chain = list(ra[i].cert, ca[i].cert, NULL);
    idv_rc rc = idv_trust_verify_server(b->trust, chain);
    idv_certs_free(chain);
    return rc;
}

static bool has_file(const struct box *b, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", b->state, name);
    return idv_fs_exists(path);
}

/* --- what leads on -------------------------------------------------------- */

static void a_new_ca_is_kept_without_a_new_imprint(void **state)
{
    (void)state;
    BOX(b);
    int rollovers = -1, left;
    join(&b);
    FAILS(IDV_E_REJECT, "", serves(&b, 1));
    roll(&b, 1);
    OK(serves(&b, 1));
    OK(reopen(&b));
    OK(serves(&b, 1));
    OK(serves(&b, 0));
    FAILS(IDV_E_REJECT, "", serves(&b, 2));
    FAILS(IDV_E_REJECT, "", idv_trust_verify_server(b.trust, pki.rogue_chain));
    OK(cacerts(&b, 1, &rollovers, &left));
    assert_int_equal(rollovers, 0);
    OK(enroll(&b, &ca[1], pki_stack(ca[1].cert, NULL)));
    OK(reopen(&b));
    assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_ENROLLED);
    OK(idv_trust_reset(b.trust));
    assert_false(has_file(&b, "rollover.json"));
}

static void and_the_next_one(void **state)
{
    (void)state;
    BOX(b);
    join(&b);
    roll(&b, 1);
    OK(reopen(&b));
    roll(&b, 2); /* the pinned CA is not among what is delivered now */
    OK(reopen(&b));
    for (int i = 0; i < N; i++)
        OK(serves(&b, i));
}

static void before_it_is_enrolled_too(void **state)
{
    (void)state;
    BOX(b);
    imprint_by(&b, ca[0].cert, IDV_PIN_CERT);
    roll(&b, 1);
    OK(reopen(&b));
    assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_IMPRINTED);
    OK(serves(&b, 1));
}

static void links_that_are_over_were_judged_when_they_came(void **state)
{
    (void)state;
    BOX(b);
    int rollovers = -1, left;
    join(&b);
    pki.env.now = PKI_NOW + 31 * PKI_DAY; /* too late */
    OK(cacerts(&b, 1, &rollovers, &left));
    assert_int_equal(rollovers, 0);
    assert_int_equal(left, 1);
    FAILS(IDV_E_REJECT, "", serves(&b, 1));
    pki.env.now = PKI_NOW;
    roll(&b, 1);
    for (int clock = 0; clock < 2; clock++) {
        pki.env.trusted = clock;
        pki.env.now = PKI_NOW + 31 * PKI_DAY;
        OK(reopen(&b));
        OK(serves(&b, 1));
    }
    pki.env.now = PKI_NOW + 400 * PKI_DAY;
    OK(reopen(&b));
    FAILS(IDV_E_REJECT, "expired", serves(&b, 1));
    pki.env.trusted = false;
    OK(serves(&b, 1));
}

/* --- what does not -------------------------------------------------------- */

static void strangers_are_left_out(void **state)
{
    (void)state;
    BOX(b);
    int n = -1;
    join(&b);
    STACK_OF(X509) *mixed = list(pki.rogue_ca.cert, ca[0].cert, ca[1].cert);
    OK(idv_trust_cacerts(b.trust, mixed, NULL, &n));
    assert_int_equal(sk_X509_num(mixed), 1);
    assert_true(idv_cert_eq(sk_X509_value(mixed, 0), ca[0].cert));
    idv_certs_free(mixed);
    STACK_OF(X509) *strange = list(pki.rogue_ca.cert, NULL, NULL);
    FAILS(IDV_E_REJECT, "not of the pinned domain",
          idv_trust_cacerts(b.trust, strange, NULL, &n));
    idv_certs_free(strange);
    assert_false(has_file(&b, "rollover.json"));
}

/* what an enrollment file says is not what the pin answers for */
static void an_enrollment_that_brings_strangers(void **state)
{
    (void)state;
    BOX(b);
    join(&b);
    OK(enroll(&b, &ca[0], list(ca[0].cert, pki.rogue_ca.cert, ca[1].cert)));
    OK(reopen(&b));
    OK(serves(&b, 0));
    FAILS(IDV_E_REJECT, "", idv_trust_verify_server(b.trust, pki.rogue_chain));
    FAILS(IDV_E_REJECT, "", serves(&b, 1));
}

static void put_rollover(const struct box *b, X509 *x, X509 *root,
                         const uint8_t *record)
{
    IDV_AUTO(buf) json = {.max = IDV_MAX_FILE};
    struct idvi_rollover r = {pki_stack(x, NULL), pki_stack(root, NULL)};
    OK(idvi_rollover_to_json(&r, record, &json));
    OK(idvi_file_write(b->state, IDVI_FILE_ROLLOVER, idv_view(&json)));
    idvi_rollover_free(&r);
}

static void a_file_that_does_not_lead_from_the_pin(void **state)
{
    (void)state;
    BOX(b);
    uint8_t other[IDV_RECORD_SIZE] = {0};
    join(&b);
    X509 *forged = sign_over(&ca[1], &pki.rogue_ca);
    put_rollover(&b, forged, ca[1].cert, b.anchor.record);
    FAILS(IDV_E_REJECT, "tampered: rollover: link 1", reopen(&b));
    put_rollover(&b, cross[2], ca[2].cert, b.anchor.record);
    FAILS(IDV_E_REJECT, "tampered: rollover: link 1", reopen(&b));
    put_rollover(&b, cross[1], pki.rogue_ca.cert, b.anchor.record);
    FAILS(IDV_E_REJECT, "tampered: rollover: link 1", reopen(&b));
    put_rollover(&b, cross[1], ca[1].cert, other);
    FAILS(IDV_E_REJECT, "tampered: rollover: of another imprint", reopen(&b));
    OK(idvi_file_write(b.state, IDVI_FILE_ROLLOVER, idv_str("{}")));
    FAILS(IDV_E_REJECT, "tampered", reopen(&b));
    put_rollover(&b, cross[1], ca[1].cert, b.anchor.record);
    OK(reopen(&b));
    X509_free(forged);
}

static void who_is_no_ca_signs_over_to_nobody(void **state)
{
    (void)state;
    static const struct {
        enum idv_pin_kind kind;
        const char *why;
    } rows[] = {
        {IDV_PIN_CERT, "an end entity"},
        {IDV_PIN_PUBK_SHA256, "a key"},
    };
    for (size_t i = 0; i < 2; i++) {
        BOX(b);
        int n = -1;
        imprint_by(&b, ra[0].cert, rows[i].kind);
        STACK_OF(X509) *strange = list(pki.rogue_ca.cert, NULL, NULL);
        if (rows[i].kind == IDV_PIN_CERT)
            FAILS(IDV_E_REJECT, "not of the pinned domain",
                  idv_trust_cacerts(b.trust, strange, NULL, &n));
        idv_certs_free(strange);
        STACK_OF(X509) *first = list(ca[0].cert, NULL, NULL);
        OK(idv_trust_cacerts(b.trust, first, NULL, &n));
        assert_int_equal(sk_X509_num(first), 1);
        OK(enroll(&b, &ca[0], first));
        STACK_OF(X509) *both = list(ca[0].cert, ca[1].cert, NULL);
        STACK_OF(X509) *others = list(cross[1], back[1], NULL);
        OK(idv_trust_cacerts(b.trust, both, others, &n));
        assert_int_equal(n, 0);
        assert_int_equal(sk_X509_num(both), 1);
        STACK_OF(X509) *new = list(ca[1].cert, NULL, NULL);
        FAILS(IDV_E_REJECT, rows[i].why,
              idv_trust_cacerts(b.trust, new, others, &n));
        assert_false(has_file(&b, "rollover.json"));
        FAILS(IDV_E_REJECT, "", serves(&b, 1));
        OK(serves(&b, 0));
        idv_certs_free(both);
        idv_certs_free(others);
        idv_certs_free(new);
    }
}

/* --- cut ------------------------------------------------------------------ */

/* The n-th call that changes something on disk is the last of its process. */
static int calls_left = -1;

static void count_call(void)
{
    if (calls_left > 0 && --calls_left == 0)
        _exit(7);
}

int __real_open(const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *p, size_t n);
int __real_fchmod(int fd, mode_t mode);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __real_unlink(const char *path);
int __wrap_open(const char *path, int flags, ...);
ssize_t __wrap_write(int fd, const void *p, size_t n);
int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_unlink(const char *path);

int __wrap_open(const char *path, int flags, ...)
{
    int fd = __real_open(path, flags, 0600);
    if (flags & O_CREAT)
        count_call();
    return fd;
}

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
    ssize_t done;
    if (calls_left == 1) /* half of it */
        n = n / 2 + 1;
    done = __real_write(fd, p, n);
    count_call();
    return done;
}

#define WRAP(call, args, pass)                                                 \
    int __wrap_##call args                                                     \
    {                                                                          \
        int rc = __real_##call pass;                                           \
        count_call();                                                          \
        return rc;                                                             \
    }
WRAP(fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(fsync, (int fd), (fd))
WRAP(rename, (const char *from, const char *to), (from, to))
WRAP(unlink, (const char *path), (path))

/* whether what runs was cut at its n-th call */
static bool cut_at(int n, void (*run)(struct box *b), struct box *b)
{
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        calls_left = n;
        run(b);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 7);
    return WEXITSTATUS(status) == 7;
}

static void run_roll(struct box *b)
{
    roll(b, 1);
}

static void run_both(struct box *b)
{
    roll(b, 1);
    OK(enroll(b, &ca[1], pki_stack(ca[1].cert, NULL)));
}

static bool by_new_ca(const struct box *b)
{
    const struct idv_enrollment *e = idv_trust_enrollment(b->trust);
    return idv_cert_same_key(sk_X509_value(e->anchors, 0), ca[1].cert);
}

static void cut_at_each_file_operation(void **state)
{
    (void)state;
    bool done = false, old = false, kept = false;
    for (int n = 1; !done; n++) {
        BOX(b);
        join(&b);
        done = !cut_at(n, run_roll, &b);
        OK(reopen(&b));
        const bool now = serves(&b, 1) == IDV_OK;
        idv_note_clear();
        assert_int_equal(now, has_file(&b, "rollover.json"));
        OK(serves(&b, 0));
        old = old || !now;
        kept = kept || now;
        assert_true(now || !done);
        int rollovers = -1, left;
        OK(cacerts(&b, 1, &rollovers, &left));
        assert_int_equal(rollovers, !now);
        OK(serves(&b, 1));
    }
    assert_true(old && kept);
}

static void cut_between_the_ca_and_the_new_certificate(void **state)
{
    (void)state;
    bool done = false;
    int states = 0;
    for (int n = 1; !done; n++) {
        BOX(b);
        join(&b);
        done = !cut_at(n, run_both, &b);
        OK(reopen(&b));
        assert_int_equal(idv_trust_state(b.trust), IDV_TRUST_ENROLLED);
        const bool rolled = serves(&b, 1) == IDV_OK;
        idv_note_clear();
        /* a certificate under a CA that is not known is none of ours */
        assert_true(rolled || !by_new_ca(&b));
        states |= 1 << (rolled + by_new_ca(&b));
        OK(serves(&b, 0));
    }
    assert_int_equal(states, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_ca_is_kept_without_a_new_imprint),
        cmocka_unit_test(and_the_next_one),
        cmocka_unit_test(before_it_is_enrolled_too),
        cmocka_unit_test(links_that_are_over_were_judged_when_they_came),
        cmocka_unit_test(strangers_are_left_out),
        cmocka_unit_test(an_enrollment_that_brings_strangers),
        cmocka_unit_test(a_file_that_does_not_lead_from_the_pin),
        cmocka_unit_test(who_is_no_ca_signs_over_to_nobody),
        cmocka_unit_test(cut_at_each_file_operation),
        cmocka_unit_test(cut_between_the_ca_and_the_new_certificate),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
