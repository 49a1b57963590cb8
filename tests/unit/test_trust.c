/* SPDX-License-Identifier: Apache-2.0 */
/* The seal: record, imprint, enrollment, reset; each step cut or failing. */
#include "tests/unit/codec.h"

#include <sys/stat.h>

#include <openssl/sha.h>

#include <idevid/codec.h>
#include <idevid/trust.h>

#include "tests/lib/anchor_mem.h"
#include "tests/lib/pki.h"
#include "trust/trust_priv.h"

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

/* --- record --------------------------------------------------------------- */

static const char vector[] =
    "49445441000100000000000000000003000000006b02bd20"
    "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
    "000001f4"
    "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"
    "0000000000000000000000000000000000000000";

static void record_is_as_published(void **state)
{
    struct idv_record r = {
        .version = 1,
        .generation = 3,
        .time = 1795341600,
        .pin_length = 500,
    };
    uint8_t raw[IDV_RECORD_SIZE];
    IDV_AUTO(buf) hex = {0};
    struct idv_record back;
    uint8_t again[IDV_RECORD_SIZE];
    (void)state;
    memset(r.pin_sha256, 0xa1, 32);
    memset(r.voucher_sha256, 0xb2, 32);
    idv_record_to_bytes(&r, raw);
    OK(idv_hex_from_bytes(idv_bytes(raw, sizeof(raw)), &hex));
    assert_string_equal((char *)hex.p, vector);
    OK(idv_record_from_bytes(idv_bytes(raw, sizeof(raw)), &back));
    assert_true(back.generation == 3 && back.pin_length == 500);
    idv_record_to_bytes(&back, again);
    assert_memory_equal(again, raw, sizeof(raw));
}

static void record_refuses_what_is_not(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        const char *why;
    } rows[] = {
        {0, 'X', "IDTA"}, {5, 2, "version"},   {7, 4, "flags"},
        {6, 1, "flags"},  {92, 1, "reserved"}, {111, 1, "reserved"},
    };
    IDV_AUTO(buf) raw = {0};
    struct idv_record r;
    (void)state;
    OK(idv_hex_to_bytes(idv_str(vector), &raw));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const uint8_t good = raw.p[rows[i].at];
        raw.p[rows[i].at] = rows[i].value;
        FAILS(IDV_E_FORMAT, rows[i].why,
              idv_record_from_bytes(idv_view(&raw), &r));
        raw.p[rows[i].at] = good;
    }
    for (size_t n = 0; n < raw.n; n++)
        FAILS(IDV_E_FORMAT, "bytes",
              idv_record_from_bytes(idv_bytes(raw.p, n), &r));
    OK(idv_buf_puts(&raw, "x"));
    FAILS(IDV_E_FORMAT, "bytes", idv_record_from_bytes(idv_view(&raw), &r));
}

/* --- a device with a directory -------------------------------------------- */

struct box {
    char dir[64], state[80];
    bool observe;
    struct anchor_mem anchor;
    struct idv_trust *trust;
};

static const char voucher[] = "the sealed voucher";

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
}
#define BOX(b)                                                                 \
    __attribute__((cleanup(box_free))) struct box b;                           \
    box_init(&b)

/* what a restart finds */
static idv_rc reopen(struct box *b)
{
    struct idv_trust_conf conf = {
        .dir = b->state,
        .anchor = anchor_mem(&b->anchor),
        .env = &pki.env.env,
        .observe = b->observe,
    };
    idv_trust_close(idv_steal(&b->trust));
    return idv_trust_open(&conf, &b->trust);
}

static char *path(const struct box *b, const char *name)
{
    static char p[128];
    snprintf(p, sizeof(p), "%s/%s", b->state, name);
    return p;
}

static struct idv_pinned pinned_cert(X509 *cert)
{
    struct idv_pinned p = {.kind = IDV_PIN_CERT, .cert = cert};
    OK(idv_key_fingerprint(X509_get0_pubkey(cert), p.spki_sha256));
    SHA256((const uint8_t *)voucher, strlen(voucher), p.voucher_sha256);
    return p;
}

static idv_rc imprint(struct box *b)
{
    const struct idv_pinned p = pinned_cert(pki.domain_ca.cert);
    return idv_trust_imprint(b->trust, &p, idv_str(voucher));
}

static struct pki_id ldevid(const struct pki_id *ca)
{
    const struct idv_cert_spec spec = {
        .kind = IDV_CERT_LDEVID,
        .serial_number = PKI_SERIAL,
    };
    return pki_issue(&pki, "P-256", &spec, ca);
}

static idv_rc enroll_with(struct box *b, const struct pki_id *issuer,
                          const struct pki_id *anchor)
{
    struct pki_id id = ldevid(issuer);
    struct idv_enrollment e = {
        .ldevid = pki_stack(id.cert, NULL),
        .anchors = pki_stack(anchor->cert, NULL),
        .key_uri = "tpm2:handle=0x81020001",
        .registrar = "https://registrar.example.com:8443",
    };
    idv_rc rc = idv_trust_enroll(b->trust, &e);
    idv_enrollment_free(&e);
    pki_id_free(&id);
    return rc;
}

static idv_rc enroll(struct box *b)
{
    return enroll_with(b, &pki.domain_ca, &pki.domain_ca);
}

static enum idv_trust_state state_of(const struct box *b)
{
    return idv_trust_state(b->trust);
}

/* R-P-69, R-P-96 */
static void whole_life_survives_restarts(void **state)
{
    (void)state;
    BOX(b);
    struct stat st;
    OK(reopen(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_NONE);
    assert_null(idv_trust_record(b.trust));
    assert_int_equal(stat(b.state, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    OK(imprint(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
    OK(reopen(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
    assert_true(idv_cert_eq(idv_trust_pin(b.trust), pki.domain_ca.cert));
    assert_int_equal(idv_trust_record(b.trust)->time, PKI_NOW);
    OK(enroll(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_ENROLLED);
    OK(reopen(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_ENROLLED);
    assert_string_equal(idv_trust_enrollment(b.trust)->key_uri,
                        "tpm2:handle=0x81020001");
    OK(enroll(&b));
    OK(idv_trust_reset(b.trust));
    assert_int_equal(state_of(&b), IDV_TRUST_NONE);
    assert_false(b.anchor.found != IDV_ANCHOR_NOTHING ||
                 idv_fs_exists(path(&b, "anchor.der")) ||
                 idv_fs_exists(path(&b, "enrollment.json")) ||
                 idv_fs_exists(path(&b, "voucher")));
    OK(reopen(&b));
    OK(imprint(&b));
}

static void states_are_gone_through_in_order(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    FAILS(IDV_E_STATE, "not imprinted", enroll(&b));
    OK(imprint(&b));
    FAILS(IDV_E_STATE, "imprinted already", imprint(&b));
}

static void another_voucher_than_the_one_checked(void **state)
{
    (void)state;
    BOX(b);
    const struct idv_pinned p = pinned_cert(pki.domain_ca.cert);
    OK(reopen(&b));
    FAILS(IDV_E_ARG, "voucher",
          idv_trust_imprint(b.trust, &p, idv_str("another")));
    assert_int_equal(state_of(&b), IDV_TRUST_NONE);
}

/* a pinned key, and only its hash */
static void keys_are_pinned_too(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        BOX(b);
        struct idv_pinned p = pinned_cert(pki.domain_ca.cert);
        uint8_t *der = NULL;
        int n = i2d_PUBKEY(X509_get0_pubkey(p.cert), &der);
        p.cert = NULL;
        p.kind = whole ? IDV_PIN_PUBK : IDV_PIN_PUBK_SHA256;
        if (whole)
            OK(idv_buf_put(&p.spki, idv_bytes(der, (size_t)n)));
        OK(reopen(&b));
        OK(idv_trust_imprint(b.trust, &p, idv_str(voucher)));
        OK(reopen(&b));
        assert_null(idv_trust_pin(b.trust));
        assert_int_equal(idv_trust_pin_spki(b.trust).n, whole ? n : 0);
        assert_int_equal(idv_trust_record(b.trust)->flags, IDV_RECORD_KEY);
        assert_memory_equal(idv_trust_record(b.trust)->pin_sha256,
                            p.spki_sha256, 32);
        OK(idv_trust_verify_server(b.trust, pki.tls_chain));
        FAILS(IDV_E_REJECT, "",
              idv_trust_verify_server(b.trust, pki.rogue_chain));
        idv_buf_free(&p.spki);
        OPENSSL_free(der);
    }
}

/* --- tampering ------------------------------------------------------------ */

static void spoil(const struct box *b, const char *name)
{
    IDV_AUTO(buf) file = {0};
    OK(idv_fs_read(path(b, name), 0, &file));
    file.p[file.n / 2] ^= 0x20;
    OK(idv_fs_write(path(b, name), idv_view(&file), 0600));
}

static void tampering_is_seen(void **state)
{
    static const char *const names[] = {"anchor.der", "voucher",
                                        "enrollment.json", "anchor.json"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        BOX(b);
        OK(reopen(&b));
        OK(imprint(&b));
        OK(enroll(&b));
        spoil(&b, names[i]);
        FAILS(IDV_E_REJECT, "not imprinted, tampered: ", reopen(&b));
        /* the way out of it */
        struct idv_trust_conf conf = {
            .dir = b.state,
            .anchor = anchor_mem(&b.anchor),
            .env = &pki.env.env,
        };
        OK(idv_trust_wipe(&conf));
        OK(reopen(&b));
        assert_int_equal(state_of(&b), IDV_TRUST_NONE);
    }
}

static void a_record_without_its_files(void **state)
{
    (void)state;
    static const char *const names[] = {"voucher", "anchor.der", "anchor.json"};
    for (int i = 0; i < 3; i++) {
        BOX(b);
        OK(reopen(&b));
        OK(imprint(&b));
        OK(idv_fs_remove(path(&b, names[i])));
        FAILS(IDV_E_REJECT, "is missing", reopen(&b));
    }
}

static void another_certificate_in_its_place(void **state)
{
    (void)state;
    BOX(b);
    IDV_AUTO(buf) der = {0};
    OK(reopen(&b));
    OK(imprint(&b));
    OK(idv_cert_to_der(pki.rogue_ca.cert, &der));
    OK(idv_fs_write(path(&b, "anchor.der"), idv_view(&der), 0600));
    FAILS(IDV_E_REJECT, "tampered", reopen(&b));
}

static void a_spoilt_record(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    for (size_t i = 0; i < IDV_RECORD_SIZE; i++) {
        b.anchor.record[i] ^= 0x80;
        FAILS(IDV_E_REJECT, "tampered", reopen(&b));
        b.anchor.record[i] ^= 0x80;
    }
    OK(reopen(&b));
}

/* an enrollment of an earlier imprint put back */
static void an_enrollment_of_another_imprint(void **state)
{
    (void)state;
    BOX(b);
    IDV_AUTO(buf) old = {0};
    OK(reopen(&b));
    OK(imprint(&b));
    OK(enroll(&b));
    OK(idv_fs_read(path(&b, "enrollment.json"), 0, &old));
    OK(idv_trust_reset(b.trust));
    pki.env.now++;
    OK(imprint(&b));
    pki.env.now--;
    OK(idv_fs_write(path(&b, "enrollment.json"), idv_view(&old), 0600));
    FAILS(IDV_E_REJECT, "another imprint", reopen(&b));
}

static void enrollments_of_strangers(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    FAILS(IDV_E_REJECT, "", enroll_with(&b, &pki.rogue_ca, &pki.domain_ca));
    FAILS(IDV_E_REJECT, "domain",
          enroll_with(&b, &pki.rogue_ca, &pki.rogue_ca));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
    OK(reopen(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
}

/* --- failures ------------------------------------------------------------- */

/* --- cut short ------------------------------------------------------------ */

static bool placed(const struct box *b)
{
    return idv_fs_exists(path(b, "anchor.der")) &&
           idv_fs_exists(path(b, "voucher")) &&
           idv_fs_exists(path(b, "anchor.json")) &&
           !idv_fs_exists(path(b, "pending"));
}

static bool empty(const struct box *b)
{
    return !idv_fs_exists(path(b, "anchor.der")) &&
           !idv_fs_exists(path(b, "voucher")) &&
           !idv_fs_exists(path(b, "anchor.json")) &&
           !idv_fs_exists(path(b, "enrollment.json")) &&
           !idv_fs_exists(path(b, "reset")) &&
           !idv_fs_exists(path(b, "pending"));
}

/* to or from below pending, as an imprint that was cut leaves it */
static void shift(const struct box *b, const char *name, bool back)
{
    char in[128], out[128];
    snprintf(in, sizeof(in), "%s", path(b, "pending"));
    OK(idv_fs_mkdir(in, 0700));
    snprintf(in, sizeof(in), "%s/pending/%s", b->state, name);
    snprintf(out, sizeof(out), "%s", path(b, name));
    OK(back ? idv_fs_rename(in, out) : idv_fs_rename(out, in));
}

static void all_pending(const struct box *b)
{
    shift(b, "anchor.der", false);
    shift(b, "voucher", false);
    shift(b, "anchor.json", false);
}

/* reopened by one who only looks: NONE, nothing changes */
static void observed(struct box *b, enum idv_trust_state state, const char *cut)
{
    b->observe = true;
    OK(reopen(b));
    assert_int_equal(state_of(b), state);
    if (cut)
        assert_string_equal(idv_trust_cut(b->trust), cut);
    else
        assert_null(idv_trust_cut(b->trust));
    FAILS(IDV_E_STATE, "looked at", imprint(b));
    FAILS(IDV_E_STATE, "looked at", enroll(b));
    FAILS(IDV_E_STATE, "looked at", idv_trust_reset(b->trust));
    b->observe = false;
}

/* the power went before the device had anything */
static void remains_of_a_cut_imprint_go_away(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    all_pending(&b);
    b.anchor.found = IDV_ANCHOR_NOTHING;
    observed(&b, IDV_TRUST_NONE, NULL);
    assert_true(idv_fs_exists(path(&b, "pending/voucher")));
    OK(reopen(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_NONE);
    assert_true(empty(&b));
}

/* the record is sealed; its files went into place up to the n-th */
static void sealed_before_the_files_are_in_place(void **state)
{
    static const char *const names[] = {"anchor.der", "voucher", "anchor.json"};
    (void)state;
    for (int done = 0; done < 3; done++) {
        BOX(b);
        b.anchor.counter = 7;
        OK(reopen(&b));
        OK(imprint(&b));
        all_pending(&b);
        for (int i = 0; i < done; i++)
            shift(&b, names[i], true);
        b.anchor.resets = 5;
        observed(&b, IDV_TRUST_IMPRINTED, NULL);
        assert_int_equal(b.anchor.finished, 0);
        OK(reopen(&b));
        assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
        assert_true(placed(&b));
        assert_int_equal(b.anchor.finished, 1);
        assert_int_equal(idv_trust_memo(b.trust)->reset_count, 5);
        OK(reopen(&b));
        assert_int_equal(b.anchor.finished, 1);
        assert_int_equal(idv_trust_memo(b.trust)->reset_count, 5);
    }
}

/* written and not sealed: brought to its end with its files, undone without */
static void a_record_that_is_not_sealed(void **state)
{
    static const char *const spoilt[] = {NULL, "anchor.der", "voucher",
                                         "anchor.json", "stuck"};
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        BOX(b);
        b.anchor.counter = 7;
        OK(reopen(&b));
        OK(imprint(&b));
        all_pending(&b);
        b.anchor.found = IDV_ANCHOR_UNFINISHED;
        b.anchor.counter = 7;
        b.anchor.stuck = i == 4;
        if (i >= 1 && i <= 3) {
            char name[64];
            snprintf(name, sizeof(name), "pending/%s", spoilt[i]);
            spoil(&b, name);
        }
        observed(&b, IDV_TRUST_NONE, "an imprint");
        assert_int_equal(b.anchor.found, IDV_ANCHOR_UNFINISHED);
        OK(reopen(&b));
        assert_int_equal(b.anchor.found,
                         i ? IDV_ANCHOR_NOTHING : IDV_ANCHOR_SEALED);
        assert_int_equal(state_of(&b),
                         i ? IDV_TRUST_NONE : IDV_TRUST_IMPRINTED);
        assert_true(i ? empty(&b) : placed(&b));
        assert_int_equal(b.anchor.counter, i ? 7 : 8);
        b.anchor.stuck = false;
        if (i)
            OK(imprint(&b));
        assert_int_equal(idv_trust_generation(b.trust), 7);
    }
}

/* what began in this process goes on in it */
static void a_write_that_stops_half_way(void **state)
{
    (void)state;
    for (int stuck = 0; stuck < 2; stuck++) {
        BOX(b);
        b.anchor.counter = 3;
        b.anchor.half = true;
        b.anchor.stuck = stuck;
        OK(reopen(&b));
        if (stuck)
            FAILS(IDV_E_DEVICE, "failed", imprint(&b));
        else
            OK(imprint(&b));
        assert_false(idv_trust_unsure(b.trust));
        assert_int_equal(state_of(&b),
                         stuck ? IDV_TRUST_NONE : IDV_TRUST_IMPRINTED);
        assert_true(stuck ? empty(&b) : placed(&b));
    }
}

/* files of another record are no help */
static void pending_files_of_another_record(void **state)
{
    (void)state;
    for (int sealed = 0; sealed < 2; sealed++) {
        BOX(b);
        IDV_AUTO(buf) old = {0};
        b.anchor.counter = 7;
        OK(reopen(&b));
        OK(imprint(&b));
        OK(idv_fs_read(path(&b, "anchor.json"), 0, &old));
        OK(idv_trust_reset(b.trust));
        OK(imprint(&b));
        assert_int_equal(idv_trust_generation(b.trust), 9);
        if (!sealed)
            all_pending(&b);
        OK(idv_fs_mkdir(path(&b, "pending"), 0700));
        OK(idv_fs_write(path(&b, "pending/anchor.json"), idv_view(&old), 0600));
        if (!sealed) {
            b.anchor.found = IDV_ANCHOR_UNFINISHED;
            b.anchor.counter = 9;
        }
        OK(reopen(&b));
        assert_int_equal(state_of(&b),
                         sealed ? IDV_TRUST_IMPRINTED : IDV_TRUST_NONE);
        assert_true(sealed ? placed(&b) : empty(&b));
        assert_int_equal(b.anchor.counter, sealed ? 10 : 9);
    }
}

static void an_anchor_that_is_gone(void **state)
{
    static const uint64_t counters[] = {0, 7, 8, 9, 100};
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        BOX(b);
        b.anchor.counter = 7;
        OK(reopen(&b));
        OK(imprint(&b));
        OK(enroll(&b));
        b.anchor.found = IDV_ANCHOR_NOTHING;
        b.anchor.counter = counters[i];
        OK(idv_fs_write(path(&b, "reset"), idv_str(""), 0600)); /* of no use */
        const bool reset = counters[i] > 8;
        b.observe = true;
        if (reset)
            observed(&b, IDV_TRUST_NONE, "a reset");
        else
            FAILS(IDV_E_REJECT, "tampered: the anchor is gone", reopen(&b));
        b.observe = false;
        assert_true(idv_fs_exists(path(&b, "anchor.der")));
        if (!reset) {
            FAILS(IDV_E_REJECT, "tampered: the anchor is gone", reopen(&b));
            continue;
        }
        OK(reopen(&b));
        assert_int_equal(state_of(&b), IDV_TRUST_NONE);
        assert_true(empty(&b));
    }
}

/* the counter went on and the record is still there */
static void a_reset_that_was_cut(void **state)
{
    (void)state;
    BOX(b);
    b.anchor.counter = 7;
    OK(reopen(&b));
    OK(imprint(&b));
    OK(enroll(&b));
    b.anchor.found = IDV_ANCHOR_ENDED;
    b.anchor.counter = 9;
    observed(&b, IDV_TRUST_NONE, "a reset");
    assert_int_equal(b.anchor.found, IDV_ANCHOR_ENDED);
    OK(reopen(&b));
    assert_int_equal(b.anchor.found, IDV_ANCHOR_NOTHING);
    assert_int_equal(b.anchor.counter, 9);
    assert_true(empty(&b));
    OK(imprint(&b));
    assert_int_equal(idv_trust_generation(b.trust), 9);
}

/* without a counter a file says so, but only once the record is gone */
static void a_reset_without_a_counter(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    b.anchor.calls = 0;
    b.anchor.fail_at = 1;
    FAILS(IDV_E_DEVICE, "failed", idv_trust_reset(b.trust));
    b.anchor.fail_at = 0;
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
    assert_false(idv_fs_exists(path(&b, "reset")));
    OK(idv_fs_write(path(&b, "reset"), idv_str(""), 0600));
    b.anchor.found = IDV_ANCHOR_NOTHING;
    observed(&b, IDV_TRUST_NONE, "a reset");
    OK(reopen(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_NONE);
    assert_true(empty(&b));
}

static void an_unsealed_record_beside_sealed_files(void **state)
{
    (void)state;
    BOX(b);
    b.anchor.counter = 7;
    OK(reopen(&b));
    OK(imprint(&b));
    b.anchor.found = IDV_ANCHOR_UNFINISHED;
    FAILS(IDV_E_REJECT, "never sealed", reopen(&b));
}

/* what is written down beside the record */
static void the_memo(void **state)
{
    struct idv_anchor_memo memo = {.profile = "owner",
                                   .cap = "pcr:14",
                                   .reset_count = 4000000000u,
                                   .pcrs = 1u << 7 | 1u << 23},
                           back;
    IDV_AUTO(buf) json = {0};
    IDV_AUTO(buf) raw = {0};
    (void)state;
    OK(idv_hex_to_bytes(idv_str(vector), &raw));
    memcpy(memo.record, raw.p, raw.n);
    memset(memo.pcr_digest, 0x5a, 32);
    memo.generation = 3;
    OK(idvi_memo_to_json(&memo, &json));
    OK(idvi_memo_from_json(idv_view(&json), &back));
    assert_memory_equal(&back, &memo, sizeof(memo));
    for (size_t n = 0; n + 1 < json.n; n++) {
        assert_int_not_equal(idvi_memo_from_json(idv_bytes(json.p, n), &back),
                             IDV_OK);
        idv_note_clear();
    }
    FAILS(IDV_E_FORMAT, "anchor.json",
          idvi_memo_from_json(idv_str("{\"version\":2}"), &back));
}

/* --- failures of a device ------------------------------------------------- */

/* Whatever call of the device fails, once or from then on, before or after it
 * took effect: NONE or IMPRINTED, the same after a restart, and the next try
 * succeeds. */
static void each_device_call_failing(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        for (int at = 1; at <= 6; at++) {
            BOX(b);
            OK(reopen(&b));
            b.anchor.after = variant & 1;
            b.anchor.dead = variant & 2;
            b.anchor.calls = 0;
            b.anchor.fail_at = at;
            idv_rc rc = imprint(&b);
            assert_int_equal(rc == IDV_OK, state_of(&b) == IDV_TRUST_IMPRINTED);
            assert_int_equal(rc == IDV_OK, idv_note()[0] == 0);
            idv_note_clear();
            b.anchor.fail_at = 0;
            OK(reopen(&b));
            assert_int_equal(state_of(&b) == IDV_TRUST_IMPRINTED,
                             b.anchor.found == IDV_ANCHOR_SEALED);
            if (rc == IDV_OK)
                assert_int_equal(b.anchor.found, IDV_ANCHOR_SEALED);
            if (b.anchor.found == IDV_ANCHOR_NOTHING)
                OK(imprint(&b));
            assert_true(
                idv_cert_eq(idv_trust_pin(b.trust), pki.domain_ca.cert));
        }
    }
}

static void a_record_that_came_from_elsewhere(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    b.anchor.after = true;
    b.anchor.dead = true;
    b.anchor.calls = 0;
    b.anchor.fail_at = 2; /* sealed, but nobody can say so */
    FAILS(IDV_E_DEVICE, "failed", imprint(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_NONE);
    assert_true(idv_trust_unsure(b.trust));
    FAILS(IDV_E_DEVICE, "failed", idv_trust_settle(b.trust));
    assert_true(idv_trust_unsure(b.trust));
    b.anchor.fail_at = 0;
    OK(idv_trust_settle(b.trust));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
    assert_false(idv_trust_unsure(b.trust));
    FAILS(IDV_E_STATE, "already", imprint(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
}

/* the record is in the device, but what belongs to it is out of reach */
static void a_disk_that_fails_after_the_record(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        BOX(b);
        char away[128];
        snprintf(away, sizeof(away), "%s/away", b.dir);
        OK(reopen(&b));
        b.anchor.from = b.state;
        b.anchor.to = away;
        assert_int_not_equal(imprint(&b), IDV_OK);
        idv_note_clear();
        assert_int_equal(b.anchor.found, IDV_ANCHOR_SEALED);
        assert_int_equal(state_of(&b), IDV_TRUST_NONE);
        assert_true(idv_trust_unsure(b.trust));
        assert_int_not_equal(idv_trust_settle(b.trust), IDV_OK);
        idv_note_clear();
        assert_true(idv_trust_unsure(b.trust));
        assert_int_equal(rename(away, b.state), 0);
        OK(reset ? idv_trust_reset(b.trust) : idv_trust_settle(b.trust));
        assert_false(idv_trust_unsure(b.trust));
        assert_int_equal(state_of(&b),
                         reset ? IDV_TRUST_NONE : IDV_TRUST_IMPRINTED);
    }
}

/* the directory cannot be written: the state stays what it was */
static void a_disk_that_fails(void **state)
{
    (void)state;
    BOX(b);
    char away[128];
    OK(reopen(&b));
    snprintf(away, sizeof(away), "%s/away", b.dir);
    assert_int_equal(rename(b.state, away), 0);
    assert_int_not_equal(imprint(&b), IDV_OK);
    idv_note_clear();
    assert_int_equal(state_of(&b), IDV_TRUST_NONE);
    assert_int_equal(b.anchor.found, IDV_ANCHOR_NOTHING);
    assert_int_equal(rename(away, b.state), 0);
    OK(imprint(&b));
    assert_int_equal(rename(b.state, away), 0);
    assert_int_not_equal(enroll(&b), IDV_OK);
    idv_note_clear();
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
    assert_int_equal(rename(away, b.state), 0);
    OK(reopen(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
    OK(enroll(&b));
}

static void a_device_that_fails_at_reset(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    b.anchor.calls = 0;
    b.anchor.fail_at = 1;
    FAILS(IDV_E_DEVICE, "failed", idv_trust_reset(b.trust));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
    b.anchor.fail_at = 0;
    OK(reopen(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
    OK(idv_trust_reset(b.trust));
}

static void a_device_that_cannot_be_read(void **state)
{
    (void)state;
    BOX(b);
    OK(reopen(&b));
    OK(imprint(&b));
    b.anchor.calls = 0;
    b.anchor.fail_at = 1;
    FAILS(IDV_E_DEVICE, "failed", reopen(&b));
    assert_true(idv_fs_exists(path(&b, "anchor.der")));
    b.anchor.fail_at = 0;
    OK(reopen(&b));
    assert_int_equal(state_of(&b), IDV_TRUST_IMPRINTED);
}

/* --- servers of the domain ------------------------------------------------ */

/* R-P-64 */
static void servers_of_the_domain(void **state)
{
    (void)state;
    BOX(b);
    struct pki_id member = ldevid(&pki.domain_ca);
    STACK_OF(X509) *chain = pki_stack(member.cert, pki.domain_ca.cert);
    OK(reopen(&b));
    FAILS(IDV_E_STATE, "pinned",
          idv_trust_verify_server(b.trust, pki.tls_chain));
    OK(imprint(&b));
    OK(idv_trust_verify_server(b.trust, pki.tls_chain));
    FAILS(IDV_E_REJECT, "cmcRA", idv_trust_verify_server(b.trust, chain));
    FAILS(IDV_E_REJECT, "", idv_trust_verify_server(b.trust, pki.rogue_chain));
    FAILS(IDV_E_REJECT, "", idv_trust_verify_server(b.trust, NULL));
    pki.env.now += 400 * PKI_DAY;
    FAILS(IDV_E_REJECT, "", idv_trust_verify_server(b.trust, pki.tls_chain));
    pki.env.trusted = false;
    OK(idv_trust_verify_server(b.trust, pki.tls_chain));
    pki.env.trusted = true;
    pki.env.now = PKI_NOW;
    idv_certs_free(chain);
    pki_id_free(&member);
}

static void trust_anchors_follow_the_pin(void **state)
{
    (void)state;
    const struct idv_cert_spec self = {
        .kind = IDV_CERT_REGISTRAR,
        .common_name = "self",
    };
    STACK_OF(X509) *domain = pki_stack(pki.domain_ca.cert, NULL);
    STACK_OF(X509) *rogue = pki_stack(pki.rogue_ca.cert, NULL);
    struct pki_id alone = pki_issue(&pki, "P-256", &self, NULL);
    OK(idv_trust_anchors_follow(domain, NULL, pki.domain_ca.cert));
    OK(idv_trust_anchors_follow(domain, NULL, pki.registrar.cert));
    OK(idv_trust_anchors_follow(domain, NULL, NULL));
    OK(idv_trust_anchors_follow(domain, NULL, alone.cert));
    FAILS(IDV_E_REJECT, "domain",
          idv_trust_anchors_follow(rogue, NULL, pki.domain_ca.cert));
    FAILS(IDV_E_REJECT, "domain",
          idv_trust_anchors_follow(rogue, NULL, pki.registrar.cert));
    OK(idv_trust_anchors_follow(pki.idevid_chain, NULL, pki.maker_root.cert));
    idv_certs_free(domain);
    idv_certs_free(rogue);
    pki_id_free(&alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_is_as_published),
        cmocka_unit_test(record_refuses_what_is_not),
        cmocka_unit_test(whole_life_survives_restarts),
        cmocka_unit_test(states_are_gone_through_in_order),
        cmocka_unit_test(another_voucher_than_the_one_checked),
        cmocka_unit_test(keys_are_pinned_too),
        cmocka_unit_test(tampering_is_seen),
        cmocka_unit_test(a_record_without_its_files),
        cmocka_unit_test(another_certificate_in_its_place),
        cmocka_unit_test(a_spoilt_record),
        cmocka_unit_test(an_enrollment_of_another_imprint),
        cmocka_unit_test(enrollments_of_strangers),
        cmocka_unit_test(remains_of_a_cut_imprint_go_away),
        cmocka_unit_test(sealed_before_the_files_are_in_place),
        cmocka_unit_test(a_record_that_is_not_sealed),
        cmocka_unit_test(a_write_that_stops_half_way),
        cmocka_unit_test(pending_files_of_another_record),
        cmocka_unit_test(an_anchor_that_is_gone),
        cmocka_unit_test(a_reset_that_was_cut),
        cmocka_unit_test(a_reset_without_a_counter),
        cmocka_unit_test(an_unsealed_record_beside_sealed_files),
        cmocka_unit_test(the_memo),
        cmocka_unit_test(each_device_call_failing),
        cmocka_unit_test(a_record_that_came_from_elsewhere),
        cmocka_unit_test(a_disk_that_fails),
        cmocka_unit_test(a_disk_that_fails_after_the_record),
        cmocka_unit_test(a_device_that_fails_at_reset),
        cmocka_unit_test(a_device_that_cannot_be_read),
        cmocka_unit_test(servers_of_the_domain),
        cmocka_unit_test(trust_anchors_follow_the_pin),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
