/* SPDX-License-Identifier: Apache-2.0 */
/* The Merkle tree: known answers, every size up to 130, and what must not pass
 * for a proof. */
#include "tests/unit/tree.h"

#include <idevid/codec.h>

#define SIZES 130

/* --- known answers: the tree of eight that Certificate Transparency uses ---
 */

static const char *const eight[] = {"",
                                    "00",
                                    "10",
                                    "2021",
                                    "3031",
                                    "40414243",
                                    "5051525354555657",
                                    "606162636465666768696a6b6c6d6e6f"};
static const char *const roots[] = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

static void is_hex(const struct idv_hash *h, const char *want)
{
    IDV_AUTO(buf) hex = {0};
    OK(idv_hex_from_bytes(idv_bytes(h->p, sizeof(h->p)), &hex));
    assert_int_equal(hex.n, 64);
    assert_memory_equal(hex.p, want, 64);
}

static void add_hex(struct wood *w, const char *hex)
{
    IDV_AUTO(buf) raw = {0};
    OK(idv_hex_to_bytes(idv_str(hex), &raw));
    wood_add(w, idv_view(&raw));
}

static void known_roots(void **state)
{
    struct wood w = {.reads = 0};
    struct idv_hash root;
    (void)state;
    for (size_t n = 0;; n++) {
        OK(idv_tree_root(&w.tree, &root));
        is_hex(&root, roots[n]);
        if (n == 8)
            break;
        add_hex(&w, eight[n]);
    }
}

static void path_is(const struct idv_tree_path *p, const char *const *want)
{
    size_t n = 0;
    for (; want[n]; n++) {
        assert_true(n < p->n);
        is_hex(&p->hash[n], want[n]);
    }
    assert_int_equal(p->n, n);
}

#define N01 "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
#define N1 "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
#define N23 "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
#define N4 "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
#define N45 "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
#define N67 "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
#define N4567 "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"

static void known_proofs(void **state)
{
    struct wood w = {.reads = 0};
    struct idv_tree_nodes nodes = wood_nodes(&w);
    struct idv_tree_path p;
    (void)state;
    for (size_t i = 0; i < 8; i++)
        add_hex(&w, eight[i]);
    OK(idv_tree_inclusion(0, 1, &nodes, &p));
    path_is(&p, (const char *[]){NULL});
    OK(idv_tree_inclusion(0, 8, &nodes, &p));
    path_is(&p, (const char *[]){N1, N23, N4567, NULL});
    OK(idv_tree_inclusion(5, 8, &nodes, &p));
    path_is(&p, (const char *[]){N4, N67, roots[4], NULL});
    OK(idv_tree_inclusion(2, 3, &nodes, &p));
    path_is(&p, (const char *[]){N01, NULL});
    OK(idv_tree_inclusion(1, 5, &nodes, &p));
    path_is(&p, (const char *[]){roots[1], N23, N4, NULL});
    OK(idv_tree_consistency(1, 1, &nodes, &p));
    path_is(&p, (const char *[]){NULL});
    OK(idv_tree_consistency(1, 8, &nodes, &p));
    path_is(&p, (const char *[]){N1, N23, N4567, NULL});
    OK(idv_tree_consistency(6, 8, &nodes, &p));
    path_is(&p, (const char *[]){N45, N67, roots[4], NULL});
    OK(idv_tree_consistency(2, 5, &nodes, &p));
    path_is(&p, (const char *[]){N23, N4, NULL});
}

/* --- every size ----------------------------------------------------------- */

static void grow(struct wood *w, size_t n)
{
    for (uint16_t i = 0; i < n; i++)
        wood_add(w, idv_bytes(&i, sizeof(i)));
}

/* one place of the proof turned, one hash too few or too many */
static void spoilt(const struct wood *w, uint64_t i, uint64_t n,
                   const struct idv_tree_path *p, const struct idv_hash *root)
{
    struct idv_tree_path bad = *p;
    if (p->n) {
        bad.hash[i % p->n].p[n % 32] ^= 1;
        assert_int_equal(
            idv_tree_verify_inclusion(&w->leaf[i], i, n, &bad, root),
            IDV_E_REJECT);
        bad = *p;
        bad.n--;
        FAILS(IDV_E_REJECT, "",
              idv_tree_verify_inclusion(&w->leaf[i], i, n, &bad, root));
    }
    bad = *p;
    bad.hash[bad.n++] = *root;
    FAILS(IDV_E_REJECT, "too long",
          idv_tree_verify_inclusion(&w->leaf[i], i, n, &bad, root));
    FAILS(IDV_E_REJECT, "beyond",
          idv_tree_verify_inclusion(&w->leaf[i], n, n, p, root));
    if (n > 1)
        FAILS(
            IDV_E_REJECT, "",
            idv_tree_verify_inclusion(&w->leaf[i], i ? i - 1 : 1, n, p, root));
}

static void every_inclusion(void **state)
{
    struct wood w = {.reads = 0};
    struct idv_tree_nodes nodes = wood_nodes(&w);
    (void)state;
    grow(&w, SIZES);
    for (uint64_t n = 1; n <= SIZES; n++) {
        struct idv_hash root = wood_mth(&w, 0, n), had;
        struct idv_tree then;
        OK(idv_tree_load(n, &nodes, &then));
        OK(idv_tree_root(&then, &had));
        assert_true(idv_hash_eq(&root, &had));
        for (uint64_t i = 0; i < n; i++) {
            struct idv_tree_path p;
            w.reads = 0;
            OK(idv_tree_inclusion(i, n, &nodes, &p));
            assert_true(w.reads <= 1);
            OK(idv_tree_verify_inclusion(&w.leaf[i], i, n, &p, &root));
            spoilt(&w, i, n, &p, &root);
        }
    }
}

static void spoilt_growth(uint64_t m, const struct idv_hash *a, uint64_t n,
                          const struct idv_hash *b,
                          const struct idv_tree_path *p)
{
    struct idv_tree_path bad = *p;
    FAILS(IDV_E_REJECT, "", idv_tree_verify_consistency(m, b, n, a, p));
    if (p->n) {
        bad.hash[m % p->n].p[n % 32] ^= 1;
        FAILS(IDV_E_REJECT, "", idv_tree_verify_consistency(m, a, n, b, &bad));
        bad = *p;
        bad.n--;
        FAILS(IDV_E_REJECT, "", idv_tree_verify_consistency(m, a, n, b, &bad));
    }
    bad = *p;
    bad.hash[bad.n++] = *a;
    FAILS(IDV_E_REJECT, "too long",
          idv_tree_verify_consistency(m, a, n, b, &bad));
}

static void every_consistency(void **state)
{
    struct wood w = {.reads = 0};
    struct idv_tree_nodes nodes = wood_nodes(&w);
    struct idv_hash root[SIZES + 1];
    (void)state;
    grow(&w, SIZES);
    for (uint64_t n = 1; n <= SIZES; n++)
        root[n] = wood_mth(&w, 0, n);
    for (uint64_t n = 1; n <= SIZES; n++) {
        for (uint64_t m = 1; m <= n; m++) {
            struct idv_tree_path p;
            OK(idv_tree_consistency(m, n, &nodes, &p));
            OK(idv_tree_verify_consistency(m, &root[m], n, &root[n], &p));
            if (m < n)
                spoilt_growth(m, &root[m], n, &root[n], &p);
        }
    }
}

/* --- edges ---------------------------------------------------------------- */

/* two leaves that change places, one that is changed, one that is left out:
 * nothing of an old tree fits the new one */
static void edits_show(void **state)
{
    struct wood honest = {.reads = 0}, other = {.reads = 0};
    (void)state;
    grow(&honest, 100);
    for (int kind = 0; kind < 3; kind++) {
        memset(&other, 0, sizeof(other));
        for (uint16_t i = 0; i < 120; i++) {
            uint16_t v = i;
            if (kind == 0 && (i == 20 || i == 77))
                v = 97 - i;
            if (kind == 1 && i == 99)
                v = 500;
            if (kind == 2 && i > 3)
                v = i + 1;
            wood_add(&other, idv_bytes(&v, sizeof(v)));
        }
        struct idv_tree_nodes nodes = wood_nodes(&other);
        struct idv_hash old, now;
        struct idv_tree_path p;
        OK(idv_tree_root(&honest.tree, &old));
        OK(idv_tree_root(&other.tree, &now));
        OK(idv_tree_consistency(100, 120, &nodes, &p));
        FAILS(IDV_E_REJECT, "was there before has changed",
              idv_tree_verify_consistency(100, &old, 120, &now, &p));
    }
}

static void edges(void **state)
{
    struct wood w = {.reads = 0};
    struct idv_tree_nodes nodes = wood_nodes(&w);
    struct idv_hash made[IDV_TREE_LEVELS], a = {{1}}, b = {{2}};
    struct idv_tree full = {.size = IDV_TREE_SIZE_MAX};
    struct idv_tree_path p;
    size_t n = 0;
    (void)state;
    grow(&w, 3);
    FAILS(IDV_E_ARG, "no leaf 3", idv_tree_inclusion(3, 3, &nodes, &p));
    FAILS(IDV_E_ARG, "do not begin", idv_tree_consistency(4, 3, &nodes, &p));
    FAILS(IDV_E_STATE, "no such node", idv_tree_inclusion(0, 4, &nodes, &p));
    FAILS(IDV_E_LIMIT, "too large",
          idv_tree_inclusion(0, UINT64_MAX, &nodes, &p));
    FAILS(IDV_E_LIMIT, "full", idv_tree_append(&full, &a, made, &n));
    OK(idv_tree_consistency(0, 3, &nodes, &p));
    assert_int_equal(p.n, 0);
    OK(idv_tree_verify_consistency(0, &a, 3, &b, &p));
    OK(idv_tree_verify_consistency(3, &a, 3, &a, &p));
    FAILS(IDV_E_REJECT, "of one size differ",
          idv_tree_verify_consistency(3, &a, 3, &b, &p));
    FAILS(IDV_E_REJECT, "smaller",
          idv_tree_verify_consistency(4, &a, 3, &b, &p));
    FAILS(IDV_E_REJECT, "is empty",
          idv_tree_verify_consistency(2, &a, 3, &b, &p));
}

/* the deepest paths that fit: of the largest tree, whose nodes are all alike */
static idv_rc any(void *arg, const struct idv_tree_node *which, size_t n,
                  struct idv_hash *out)
{
    (void)arg;
    for (size_t i = 0; i < n; i++)
        out[i] = (struct idv_hash){{(uint8_t)which[i].level}};
    return IDV_OK;
}

static void deep(void **state)
{
    struct idv_tree_nodes nodes = {any, NULL};
    struct idv_tree_path p;
    uint64_t n = IDV_TREE_SIZE_MAX - 1;
    (void)state;
    for (int shift = 0; shift < 62; shift++) {
        OK(idv_tree_inclusion(n >> 1, n >> shift << shift, &nodes, &p));
        OK(idv_tree_inclusion(0, IDV_TREE_SIZE_MAX, &nodes, &p));
        assert_int_equal(p.n, 62);
        OK(idv_tree_consistency((n >> shift) - 1, n, &nodes, &p));
        assert_true(p.n <= IDV_TREE_PATH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_roots),
        cmocka_unit_test(known_proofs),
        cmocka_unit_test(every_inclusion),
        cmocka_unit_test(edits_show),
        cmocka_unit_test(every_consistency),
        cmocka_unit_test(edges),
        cmocka_unit_test(deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
