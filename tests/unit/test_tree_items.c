/* SPDX-License-Identifier: Apache-2.0 */
/* What a log shows: heads, proofs and entries in bytes, and who signed. */
#define _GNU_SOURCE
#include <string.h>

#include "tests/unit/tree.h"

#include <openssl/ec.h>

#include "idevid/tree/entry.h"
#include "idevid/tree/item.h"

static EVP_PKEY *ec, *ed, *other;

static int setup(void **state)
{
    (void)state;
    ec = EVP_EC_gen("P-256");
    other = EVP_EC_gen("P-256");
    ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return ec && ed && other ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(ec);
    EVP_PKEY_free(ed);
    EVP_PKEY_free(other);
    return 0;
}

static struct idv_tree_head some_head(void)
{
    return (struct idv_tree_head){
        .timestamp = 1700000000123, .size = 77, .root = {{9, 8, 7}}};
}

static void head_by(EVP_PKEY *key)
{
    EVP_PKEY *const keys[] = {other, ec, ed, NULL};
    EVP_PKEY *const wrong[] = {other, NULL};
    struct idv_tree_head h = some_head(), back = {.size = 0};
    IDV_AUTO(buf) item = {0};
    OK(idv_tree_head_sign(&h, key, &item));
    OK(idv_tree_head_verify(idv_view(&item), keys, &back));
    assert_true(back.timestamp == h.timestamp && back.size == h.size);
    assert_true(idv_hash_eq(&back.root, &h.root));
    FAILS(IDV_E_REJECT, "not known",
          idv_tree_head_verify(idv_view(&item), wrong, &back));
    for (size_t bit = 0; bit < item.n * 8; bit += 3) {
        item.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(idv_tree_head_verify(idv_view(&item), keys, &back),
                             IDV_OK);
        item.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t n = 0; n < item.n; n++)
        FAILS(IDV_E_FORMAT, "log item",
              idv_tree_head_from_item(idv_bytes(item.p, n), &back));
    OK(idv_buf_puts(&item, "x"));
    FAILS(IDV_E_FORMAT, "more than that",
          idv_tree_head_from_item(idv_view(&item), &back));
}

static void heads(void **state)
{
    (void)state;
    head_by(ec);
    head_by(ed);
}

static void other_kinds_of_key(void **state)
{
    IDV_AUTO_PTR(EVP_PKEY) large = EVP_EC_gen("P-384");
    struct idv_log_id id;
    (void)state;
    FAILS(IDV_E_ARG, "neither of P-256 nor of Ed25519", idv_log_id(large, &id));
}

/* an object identifier 2.25.N: OpenSSL reads it, and N has the bits of a UUID
 * of version 8 in their places */
static void names_its_key(void **state)
{
    struct idv_log_id id, again, another;
    char text[128], *hex;
    BIGNUM *n = NULL;
    (void)state;
    OK(idv_log_id(ec, &id));
    OK(idv_log_id(ec, &again));
    OK(idv_log_id(other, &another));
    assert_memory_equal(&id, &again, id.n);
    assert_true(id.n != another.n || memcmp(id.p, another.p, id.n) != 0);
    uint8_t der[130] = {6, (uint8_t)id.n};
    const uint8_t *p = der;
    memcpy(der + 2, id.p, id.n);
    IDV_AUTO_PTR(ASN1_OBJECT) oid = d2i_ASN1_OBJECT(NULL, &p, (long)id.n + 2);
    assert_non_null(oid);
    OBJ_obj2txt(text, sizeof(text), oid, 1);
    assert_memory_equal(text, "2.25.", 5);
    assert_true(BN_dec2bn(&n, text + 5) > 0);
    hex = BN_bn2hex(n);
    size_t skip = 32 - strlen(hex);
    assert_int_equal(hex[12 - skip], '8');
    assert_non_null(strchr("89AB", hex[16 - skip]));
    OPENSSL_free(hex);
    BN_free(n);
}

/* --- proofs --------------------------------------------------------------- */

static void proofs(void **state)
{
    struct wood w = {.reads = 0};
    struct idv_tree_nodes nodes = wood_nodes(&w);
    struct idv_tree_head old = some_head(), head = some_head(), elsewhere;
    struct idv_inclusion in = {.size = 100, .index = 42}, in2;
    struct idv_consistency con = {.first = 60, .second = 100}, con2;
    IDV_AUTO(buf) a = {0};
    IDV_AUTO(buf) b = {0};
    (void)state;
    for (uint8_t i = 0; i < 100; i++)
        wood_add(&w, idv_bytes(&i, 1));
    old.size = 60;
    old.root = wood_mth(&w, 0, 60);
    head.size = 100;
    head.root = wood_mth(&w, 0, 100);
    OK(idv_log_id(ec, &head.log));
    in.log = con.log = head.log;
    OK(idv_tree_inclusion(42, 100, &nodes, &in.path));
    OK(idv_tree_consistency(60, 100, &nodes, &con.path));
    OK(idv_inclusion_to_item(&in, &a));
    OK(idv_consistency_to_item(&con, &b));
    OK(idv_inclusion_from_item(idv_view(&a), &in2));
    OK(idv_consistency_from_item(idv_view(&b), &con2));
    OK(idv_inclusion_check(&in2, &w.leaf[42], &head));
    OK(idv_consistency_check(&con2, &old, &head));
    FAILS(IDV_E_REJECT, "not in it",
          idv_inclusion_check(&in2, &w.leaf[41], &head));
    elsewhere = head;
    elsewhere.log.p[3] ^= 1;
    FAILS(IDV_E_REJECT, "another tree",
          idv_inclusion_check(&in2, &w.leaf[42], &elsewhere));
    FAILS(IDV_E_REJECT, "other trees",
          idv_consistency_check(&con2, &old, &elsewhere));
    old.size = 59;
    FAILS(IDV_E_REJECT, "other trees",
          idv_consistency_check(&con2, &old, &head));
    FAILS(IDV_E_FORMAT, "not a consistency",
          idv_consistency_from_item(idv_view(&a), &con2));
    for (size_t n = 0; n < a.n; n++)
        FAILS(IDV_E_FORMAT, "",
              idv_inclusion_from_item(idv_bytes(a.p, n), &in2));
}

/* --- entries -------------------------------------------------------------- */

static void entries(void **state) /* R-M-39 */
{
    uint8_t salt[IDV_AUDIT_SALT] = {1, 2, 3}, keyid[] = {4, 5};
    struct idv_log_entry e = {.event = {.date = 1700000000}}, back;
    struct idv_hash h, again;
    IDV_AUTO(buf) item = {0};
    (void)state;
    strcpy(e.event.domain_id, "ZG9tYWlu");
    strcpy(e.event.nonce, "bm9uY2U=");
    e.event.assertion = IDV_ASSERT_PROXIMITY;
    OK(idv_log_commit(salt, idv_bytes(keyid, 2), "JADA123456789",
                      &e.commitment));
    OK(idv_log_entry_to_item(&e, &item));
    OK(idv_log_entry_from_item(idv_view(&item), &back));
    assert_true(back.event.date == e.event.date);
    assert_string_equal(back.event.domain_id, e.event.domain_id);
    assert_string_equal(back.event.nonce, e.event.nonce);
    assert_int_equal(back.event.assertion, e.event.assertion);
    assert_true(idv_hash_eq(&back.commitment, &e.commitment));
    OK(idv_log_entry_hash(&e, &h));
    OK(idv_log_entry_hash(&back, &again));
    assert_true(idv_hash_eq(&h, &again));
    assert_null(memmem(item.p, item.n, "JADA", 4));
    for (size_t n = 0; n < item.n; n++)
        FAILS(IDV_E_FORMAT, "log item",
              idv_log_entry_from_item(idv_bytes(item.p, n), &back));
    e.event.date = -1;
    FAILS(IDV_E_ARG, "before 1970", idv_log_entry_hash(&e, &h));
}

/* other salt, other issuer, or the border between the two moved */
static void commitments(void **state)
{
    uint8_t salt[IDV_AUDIT_SALT] = {1}, other_salt[IDV_AUDIT_SALT] = {2};
    struct idv_hash a, b;
    (void)state;
    OK(idv_log_commit(salt, idv_str("AB"), "C1", &a));
    OK(idv_log_commit(other_salt, idv_str("AB"), "C1", &b));
    assert_false(idv_hash_eq(&a, &b));
    OK(idv_log_commit(salt, idv_str("A"), "BC1", &b));
    assert_false(idv_hash_eq(&a, &b));
    OK(idv_log_commit(salt, idv_str("AC"), "C1", &b));
    assert_false(idv_hash_eq(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads),         cmocka_unit_test(other_kinds_of_key),
        cmocka_unit_test(names_its_key), cmocka_unit_test(proofs),
        cmocka_unit_test(entries),       cmocka_unit_test(commitments),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
