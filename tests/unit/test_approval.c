/* SPDX-License-Identifier: Apache-2.0 */
/* The maker's approval: record, policies and Names against values computed
 * elsewhere, the JSON forms, what is signed and what is refused. */
#include "tests/unit/codec.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <idevid/approval.h>
#include <idevid/codec.h>
#include <idevid/limits.h>

/* --- a key and a device ------------------------------------------------------
 */

#define SERIAL "SN-000123"

/* The private key 1 on P-256, whose public key is the generator: the values
 * below were computed from it by another program. */
static EVP_PKEY *generator(void)
{
    static const uint8_t one[] = {1};
    IDV_AUTO(buf) point = {0};
    EVP_PKEY *key = NULL;
    OK(idv_hex_to_bytes(
        idv_str("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898"
                "c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837"
                "bf51f5"),
        &point));
    BIGNUM *d = BN_bin2bn(one, 1, NULL);
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    assert_true(OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME,
                                                "P-256", 0) &&
                OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY,
                                                 point.p, point.n) &&
                OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, d));
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    assert_true(EVP_PKEY_fromdata_init(ctx) == 1 &&
                EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) == 1);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    BN_free(d);
    return key;
}

static const char blank_name[] =
    "000b9699394f9ff99a6d94d8fbdfec56b5e89fc3b643f22b0353875633e8fc9eeda3";
static const char used_name[] =
    "000bc786c8897b1161e1fd02cbbc7fc0c5f2b062987b1ee6f4281b6e925bd233b3ad";
static const char counter_name[] =
    "000b397e1028e3c0e2e92e02d81926dc3d0e9e04481faffa712b8b84a53794559307";

static void unhex(const char *hex, uint8_t *out, size_t n)
{
    IDV_AUTO(buf) raw = {0};
    OK(idv_hex_to_bytes(idv_str(hex), &raw));
    assert_int_equal(raw.n, n);
    memcpy(out, raw.p, n);
}

static void is_hex(const uint8_t *got, size_t n, const char *want)
{
    IDV_AUTO(buf) hex = {0};
    OK(idv_hex_from_bytes(idv_bytes(got, n), &hex));
    assert_string_equal((char *)hex.p, want);
}

struct scene {
    EVP_PKEY *key;
    struct idv_approval_ref ref;
    struct idv_approval_request request;
    struct idv_record record;
};

static void scene_free(struct scene *s)
{
    EVP_PKEY_free(s->key);
}
#define SCENE(s)                                                               \
    __attribute__((cleanup(scene_free))) struct scene s = {0};                 \
    scene_init(&s)

static void scene_init(struct scene *s)
{
    s->key = generator();
    OK(idv_approval_ref(SERIAL, &s->ref));
    s->request = (struct idv_approval_request){
        .generation = 3,
        .anchor = {.index = 0x01400a01},
        .counter = {.index = 0x01400a00},
    };
    unhex(blank_name, s->request.anchor.name, IDV_NV_NAME_SIZE);
    unhex(counter_name, s->request.counter.name, IDV_NV_NAME_SIZE);
    s->record = (struct idv_record){.version = 1,
                                    .flags = IDV_RECORD_CONTENT,
                                    .generation = 3,
                                    .time = 1795341600,
                                    .pin_length = 500};
    memset(s->record.pin_sha256, 0xa1, 32);
    memset(s->record.voucher_sha256, 0xb2, 32);
}

/* --- what both sides compute -----------------------------------------------
 */

static void policies_are_a_tpms(void **state)
{
    SCENE(s);
    struct idv_approval_guard g;
    uint8_t raw[IDV_RECORD_SIZE], p[32];
    (void)state;
    OK(idv_approval_guard(s.key, &s.ref, &g));
    is_hex(g.branches[0], 32,
           "742634fdf7c778b2f3993c7bcaefe5b3f4ff9050bca15fd7af661d6cdb449997");
    is_hex(g.branches[1], 32,
           "2f1ad58c219e0e7adad1cf47917cde71220f3d7ed1972f36abd566dd61c68988");
    is_hex(g.policy, 32,
           "38015b9669ec51fe50504a3c4c6855993cc9e45a78b633551e22144cf8724c54");
    idv_record_to_bytes(&s.record, raw);
    OK(idv_approval_policy(IDV_APPROVE_WRITE, &s.request, raw, p));
    is_hex(p, 32,
           "74ba88f20d7c783eba1852b364f49ab0b240a09dc51c5a1032ea36a089194dd9");
    OK(idv_approval_policy(IDV_APPROVE_FUSE, &s.request, raw, p));
    is_hex(p, 32,
           "9c3cc66cf7d920dbcd68b8f305f581be236033d8aa229e15823698c6c217bd81");
    OK(idv_approval_policy(IDV_APPROVE_RESET, &s.request, raw, p));
    is_hex(p, 32,
           "44e9e7c519f5ad5bacbbd8973724c2a5e804aa6593941086ccc5a1b4e84893c7");
    unhex(used_name, s.request.anchor.name, IDV_NV_NAME_SIZE);
    OK(idv_approval_policy(IDV_APPROVE_WRITE, &s.request, raw, p));
    is_hex(p, 32,
           "bc9f9b991e5438ede692c8c325736cad033cb6c9ffc1aea8fe9d1c8cb3c6a9bb");
}

static void references(void **state)
{
    struct idv_approval_ref ref;
    char longest[IDV_MAX_SERIAL + 2];
    (void)state;
    OK(idv_approval_ref(SERIAL, &ref));
    assert_int_equal(ref.n, 22);
    assert_memory_equal(ref.p, "IDTA-imprint:" SERIAL, 22);
    OK(idv_approval_ref("1234567890123456789", &ref));
    assert_int_equal(ref.n, 32);
    assert_memory_equal(ref.p, "IDTA-imprint:1234567890123456789", 32);
    OK(idv_approval_ref("12345678901234567890", &ref));
    is_hex(ref.p, ref.n,
           "c4fc967e88fc2af0c8dd794ba0b7939b6485c0739b07faa363c1c75f410e9414");
    FAILS(IDV_E_ARG, "0 characters", idv_approval_ref("", &ref));
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = 0;
    FAILS(IDV_E_ARG, "65 characters", idv_approval_ref(longest, &ref));
    longest[IDV_MAX_SERIAL] = 0;
    OK(idv_approval_ref(longest, &ref));
}

static void names_are_recomputed(void **state)
{
    SCENE(s);
    struct idv_approval_guard g, other;
    struct idv_approval_ref ref;
    struct idv_approval_request r = s.request;
    (void)state;
    OK(idv_approval_guard(s.key, &s.ref, &g));
    OK(idv_approval_check(&r, &g));
    unhex(used_name, r.anchor.name, IDV_NV_NAME_SIZE);
    OK(idv_approval_check(&r, &g)); /* a later imprint */
    OK(idv_approval_ref("SN-000124", &ref));
    OK(idv_approval_guard(s.key, &ref, &other));
    FAILS(IDV_E_REJECT, "counter's Name", idv_approval_check(&r, &other));
    r.anchor.name[33] ^= 1;
    FAILS(IDV_E_REJECT, "anchor's Name", idv_approval_check(&r, &g));
    r = s.request;
    r.anchor.index++;
    FAILS(IDV_E_REJECT, "anchor's Name", idv_approval_check(&r, &g));
    r = s.request;
    memcpy(r.counter.name, r.anchor.name, IDV_NV_NAME_SIZE);
    FAILS(IDV_E_REJECT, "counter's Name", idv_approval_check(&r, &g));
}

/* --- the record of a voucher ------------------------------------------------
 */

static void voucher_of(struct idv_voucher *v)
{
    idv_voucher_init(v, IDV_VOUCHER);
    strcpy(v->serial_number, SERIAL);
    strcpy(v->nonce, "12345678");
    v->created_on = 1795341600;
    v->assertion = IDV_ASSERT_PROXIMITY;
    OK(idv_buf_puts(&v->pinned_domain_cert, "a certificate"));
}

static void record_follows_from_the_voucher(void **state)
{
    IDV_AUTO(voucher) v;
    IDV_AUTO(buf) content = {0};
    uint8_t hash[32];
    struct idv_record r, again;
    (void)state;
    voucher_of(&v);
    OK(idv_approval_record(&v, 7, &r));
    OK(idv_voucher_content(&v, &content));
    SHA256(content.p, content.n, hash);
    assert_memory_equal(r.voucher_sha256, hash, 32);
    SHA256((const uint8_t *)"a certificate", 13, hash);
    assert_memory_equal(r.pin_sha256, hash, 32);
    assert_true(r.generation == 7 && r.time == 1795341600);
    assert_true(r.version == 1 && r.pin_length == 13);
    assert_int_equal(r.flags, IDV_RECORD_CONTENT);
    /* the approval itself changes nothing, all else does */
    OK(idv_buf_puts(&v.manufacturer_proprietary, "an approval"));
    OK(idv_approval_record(&v, 7, &again));
    assert_memory_equal(&r, &again, sizeof(r));
    strcpy(v.nonce, "12345679");
    OK(idv_approval_record(&v, 7, &again));
    assert_memory_not_equal(r.voucher_sha256, again.voucher_sha256, 32);
}

static void record_by_what_is_pinned(void **state)
{
    IDV_AUTO(voucher) v;
    struct idv_record r;
    uint8_t hash[32];
    (void)state;
    voucher_of(&v);
    OK(idv_buf_puts(&v.pinned_domain_pubk, "key"));
    memset(hash, 'h', 32);
    OK(idv_buf_put(&v.pinned_domain_pubk_sha256, idv_bytes(hash, 32)));
    OK(idv_approval_record(&v, 7, &r));
    assert_int_equal(r.flags, IDV_RECORD_CONTENT);
    idv_buf_free(&v.pinned_domain_cert);
    OK(idv_approval_record(&v, 7, &r));
    assert_int_equal(r.flags, IDV_RECORD_CONTENT | IDV_RECORD_KEY);
    assert_int_equal(r.pin_length, 3);
    idv_buf_free(&v.pinned_domain_pubk);
    OK(idv_approval_record(&v, 7, &r));
    assert_int_equal(r.pin_length, 0);
    assert_memory_equal(r.pin_sha256, hash, 32);
    idv_buf_free(&v.pinned_domain_pubk_sha256);
    FAILS(IDV_E_REJECT, "pins nothing", idv_approval_record(&v, 7, &r));
    OK(idv_buf_puts(&v.pinned_domain_cert, "a certificate"));
    v.created_on = -1;
    FAILS(IDV_E_REJECT, "when", idv_approval_record(&v, 7, &r));
    v.created_on = IDV_TIME_ABSENT;
    FAILS(IDV_E_REJECT, "when", idv_approval_record(&v, 7, &r));
}

/* --- JSON ------------------------------------------------------------------
 */

#define REQUEST(generation, index, name, rest)                                 \
    "{\"profile\":\"platform\",\"generation\":" generation                     \
    ",\"anchor\":{\"index\":\"" index "\",\"name\":\"" name "\"}" rest "}"
#define NAME64                                                                 \
    "9699394f9ff99a6d94d8fbdfec56b5e89fc3b643f22b0353875633e8fc9eeda3"
#define COUNTER                                                                \
    ",\"counter\":{\"index\":\"01400a00\",\"name\":\"000b397e1028e3c0e2e92e"   \
    "02d81926dc3d0e9e04481faffa712b8b84a53794559307\"}"

static void request_as_published(void **state)
{
    SCENE(s);
    IDV_AUTO(buf) json = {0};
    struct idv_approval_request back;
    bool mine = false;
    (void)state;
    OK(idv_approval_request_to_json(&s.request, &json));
    assert_string_equal((char *)json.p,
                        REQUEST("3", "01400a01", "000b" NAME64, COUNTER));
    memset(&back, 0, sizeof(back));
    OK(idv_approval_request_from_json(idv_view(&json), &mine, &back));
    assert_true(mine);
    assert_true(back.generation == 3);
    assert_true(back.anchor.index == s.request.anchor.index &&
                back.counter.index == s.request.counter.index);
    assert_memory_equal(back.anchor.name, s.request.anchor.name, 34);
    assert_memory_equal(back.counter.name, s.request.counter.name, 34);
    s.request.generation = 0;
    FAILS(IDV_E_ARG, "generation",
          idv_approval_request_to_json(&s.request, &json));
    s.request.generation = IDV_MAX_GENERATION + 1;
    FAILS(IDV_E_ARG, "generation",
          idv_approval_request_to_json(&s.request, &json));
}

static void request_refuses(void **state)
{
    static const struct {
        const char *json, *why;
    } rows[] = {
        {"{\"profile\":\"platform\"}", "generation"},
        {REQUEST("0", "01400a01", "000b" NAME64, COUNTER), "generation 0"},
        {REQUEST("-1", "01400a01", "000b" NAME64, COUNTER), "generation -1"},
        {REQUEST("9007199254740992", "01400a01", "000b" NAME64, COUNTER),
         "generation"},
        {REQUEST("\"3\"", "01400a01", "000b" NAME64, COUNTER), "generation"},
        {REQUEST("3", "01400a", "000b" NAME64, COUNTER), "anchor's index"},
        {REQUEST("3", "01400a0101", "000b" NAME64, COUNTER), "anchor's index"},
        {REQUEST("3", "0x400a01", "000b" NAME64, COUNTER), "anchor's index"},
        {REQUEST("3", "81000001", "000b" NAME64, COUNTER), "none of NV"},
        {REQUEST("3", "00ffffff", "000b" NAME64, COUNTER), "none of NV"},
        {REQUEST("3", "02000000", "000b" NAME64, COUNTER), "none of NV"},
        {REQUEST("3", "01400a01", "000c" NAME64, COUNTER), "SHA-256"},
        {REQUEST("3", "01400a01", "010b" NAME64, COUNTER), "SHA-256"},
        {REQUEST("3", "01400a01", NAME64, COUNTER), "anchor's name"},
        {REQUEST("3", "01400a01", "000b00" NAME64, COUNTER), "anchor's name"},
        {REQUEST("3", "01400a01", "", COUNTER), "anchor's name"},
        {REQUEST("3", "01400a01", "000b" NAME64, ""), "counter's index"},
        {REQUEST("3", "01400a01", "000b" NAME64, ",\"counter\":[]"),
         "counter's index"},
        {REQUEST("3", "01400a00", "000b" NAME64, COUNTER), "one index"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct idv_approval_request r;
        bool mine = false;
        FAILS(IDV_E_FORMAT, rows[i].why,
              idv_approval_request_from_json(idv_str(rows[i].json), &mine, &r));
    }
}

/* other makers and profiles may put there what they like */
static void others_are_left_alone(void **state)
{
    static const char *const theirs[] = {
        "",
        "\x01\x02",
        "17",
        "[]",
        "{}",
        "{\"profile\":\"owner\"}",
        "{\"profile\":1}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(theirs) / sizeof(*theirs); i++) {
        struct idv_approval_request r;
        struct idv_approval a;
        bool mine = true;
        OK(idv_approval_request_from_json(idv_str(theirs[i]), &mine, &r));
        assert_false(mine);
        mine = true;
        OK(idv_approval_from_json(idv_str(theirs[i]), &mine, &a));
        assert_false(mine);
        assert_int_equal(idv_note()[0], 0);
    }
}

static void approval_as_published(void **state)
{
    struct idv_approval a = {.generation = 7}, back;
    IDV_AUTO(buf) json = {0};
    bool mine = false;
    (void)state;
    FAILS(IDV_E_ARG, "write has 0 bytes", idv_approval_to_json(&a, &json));
    a.write.n = sizeof(a.write.p);
    memset(a.write.p, 0xaa, a.write.n);
    memcpy(a.fuse.p, "fus", a.fuse.n = 3);
    memcpy(a.reset.p, "r", a.reset.n = 1);
    OK(idv_approval_to_json(&a, &json));
    assert_non_null(strstr((char *)json.p,
                           "{\"profile\":\"platform\",\"generation\":7,"
                           "\"write\":\"qqqq"));
    assert_non_null(
        strstr((char *)json.p, ",\"fuse\":\"ZnVz\",\"reset\":\"cg==\"}"));
    OK(idv_approval_from_json(idv_view(&json), &mine, &back));
    assert_true(mine && back.generation == 7);
    assert_int_equal(back.write.n, sizeof(a.write.p));
    assert_memory_equal(back.write.p, a.write.p, a.write.n);
    assert_int_equal(back.fuse.n, 3);
    assert_int_equal(back.reset.n, 1);
}

static void approval_refuses(void **state)
{
#define APPROVAL(members) "{\"profile\":\"platform\"" members "}"
    static const struct {
        const char *json, *why;
    } rows[] = {
        {APPROVAL(""), "generation"},
        {APPROVAL(",\"generation\":1"), "write"},
        {APPROVAL(",\"generation\":1,\"write\":1"), "write"},
        {APPROVAL(",\"generation\":1,\"write\":\"\""), "write"},
        {APPROVAL(",\"generation\":1,\"write\":\"Zg\""), "write"},
        {APPROVAL(",\"generation\":1,\"write\":\"Zg==\""), "fuse"},
        {APPROVAL(",\"generation\":1,\"write\":\"Zg==\",\"fuse\":\"Zg==\""),
         "reset"},
    };
    IDV_AUTO(buf) big = {0};
    struct idv_approval a;
    bool mine;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        FAILS(IDV_E_FORMAT, rows[i].why,
              idv_approval_from_json(idv_str(rows[i].json), &mine, &a));
    OK(idv_buf_putf(&big, APPROVAL(",\"generation\":1,\"write\":\"%0684d\""),
                    0)); /* 513 bytes */
    FAILS(IDV_E_FORMAT, "1 to 512",
          idv_approval_from_json(idv_view(&big), &mine, &a));
}

/* --- signing ---------------------------------------------------------------
 */

/* the Names of indices made for this key */
static void name_for(struct scene *s, struct idv_approval_request *r)
{
    struct idv_approval_guard g;
    const struct {
        struct idv_anchor_index *i;
        uint32_t attributes;
        uint16_t size;
    } rows[] = {
        {&r->anchor, IDV_PLATFORM_ANCHOR_ATTRIBUTES, IDV_RECORD_SIZE},
        {&r->counter, IDV_PLATFORM_COUNTER_ATTRIBUTES, 8},
    };
    OK(idv_approval_guard(s->key, &s->ref, &g));
    for (int k = 0; k < 2; k++) {
        const uint32_t i = rows[k].i->index, a = rows[k].attributes;
        uint8_t p[14 + 32] = {(uint8_t)(i >> 24),
                              (uint8_t)(i >> 16),
                              (uint8_t)(i >> 8),
                              (uint8_t)i,
                              0x00,
                              0x0b,
                              (uint8_t)(a >> 24),
                              (uint8_t)(a >> 16),
                              (uint8_t)(a >> 8),
                              (uint8_t)a,
                              0,
                              32};
        memcpy(p + 12, g.policy, 32);
        p[45] = (uint8_t)rows[k].size;
        rows[k].i->name[1] = 0x0b;
        SHA256(p, sizeof(p), rows[k].i->name + 2);
    }
}

static void sign_and_verify(EVP_PKEY *key)
{
    SCENE(s);
    struct idv_approval a;
    EVP_PKEY_free(s.key);
    s.key = key;
    name_for(&s, &s.request);
    OK(idv_approval_sign(&s.request, &s.record, s.key, &s.ref, &a));
    assert_true(a.generation == 3);
    OK(idv_approval_verify(&a, &s.request, &s.record, s.key, &s.ref));
}

static void keys_of_all_kinds(void **state)
{
    (void)state;
    sign_and_verify(generator());
    sign_and_verify(EVP_EC_gen("P-256"));
    sign_and_verify(EVP_EC_gen("P-384"));
    sign_and_verify(EVP_RSA_gen(2048));
}

static void keys_that_no_tpm_takes(void **state)
{
    SCENE(s);
    struct idv_approval a;
    (void)state;
    EVP_PKEY *bad[] = {EVP_EC_gen("P-521"), EVP_EC_gen("secp256k1"),
                       EVP_RSA_gen(1024),
                       EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_non_null(bad[i]);
        FAILS(IDV_E_ARG, "approval key",
              idv_approval_sign(&s.request, &s.record, bad[i], &s.ref, &a));
        EVP_PKEY_free(bad[i]);
    }
}

static void maker_signs_only_what_fits(void **state)
{
    SCENE(s);
    struct idv_approval a;
    (void)state;
    s.record.generation = 4;
    FAILS(IDV_E_ARG, "generation 4, not 3",
          idv_approval_sign(&s.request, &s.record, s.key, &s.ref, &a));
    s.record.generation = 3;
    s.request.anchor.name[5] ^= 1;
    FAILS(IDV_E_REJECT, "anchor's Name",
          idv_approval_sign(&s.request, &s.record, s.key, &s.ref, &a));
}

static void device_verifies(void **state)
{
    SCENE(s);
    struct idv_approval a, b;
    struct scene t = s;
    (void)state;
    OK(idv_approval_sign(&s.request, &s.record, s.key, &s.ref, &a));
#define VERIFY(a, t)                                                           \
    idv_approval_verify(&a, &t.request, &t.record, t.key, &t.ref)
    OK(VERIFY(a, t));
    t.record.pin_sha256[0] ^= 1; /* another content */
    FAILS(IDV_E_REJECT, "the write", VERIFY(a, t));
    t = s;
    t.request.generation = t.record.generation = 5; /* a later time */
    FAILS(IDV_E_REJECT, "generation 3, not 5", VERIFY(a, t));
    b = a;
    b.generation = 5; /* and said to be of it */
    FAILS(IDV_E_REJECT, "the write", VERIFY(b, t));
    t = s;
    unhex(used_name, t.request.anchor.name, IDV_NV_NAME_SIZE);
    FAILS(IDV_E_REJECT, "the write", VERIFY(a, t));
    t = s;
    OK(idv_approval_ref("SN-000124", &t.ref)); /* another device */
    FAILS(IDV_E_REJECT, "the write", VERIFY(a, t));
    t = s;
    t.key = EVP_EC_gen("P-256"); /* another maker */
    FAILS(IDV_E_REJECT, "the write", VERIFY(a, t));
    EVP_PKEY_free(t.key);
    b = a;
    b.fuse = a.reset;
    FAILS(IDV_E_REJECT, "the fuse", VERIFY(b, s));
    b = a;
    b.reset = a.fuse;
    FAILS(IDV_E_REJECT, "the reset", VERIFY(b, s));
    b = a;
    b.reset.p[b.reset.n - 1] ^= 1;
    FAILS(IDV_E_REJECT, "the reset", VERIFY(b, s));
    b.reset.n = 0;
    FAILS(IDV_E_REJECT, "the reset", VERIFY(b, s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_are_a_tpms),
        cmocka_unit_test(references),
        cmocka_unit_test(names_are_recomputed),
        cmocka_unit_test(record_follows_from_the_voucher),
        cmocka_unit_test(record_by_what_is_pinned),
        cmocka_unit_test(request_as_published),
        cmocka_unit_test(request_refuses),
        cmocka_unit_test(others_are_left_alone),
        cmocka_unit_test(approval_as_published),
        cmocka_unit_test(approval_refuses),
        cmocka_unit_test(keys_of_all_kinds),
        cmocka_unit_test(keys_that_no_tpm_takes),
        cmocka_unit_test(maker_signs_only_what_fits),
        cmocka_unit_test(device_verifies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
