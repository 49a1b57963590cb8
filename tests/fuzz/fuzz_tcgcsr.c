/* SPDX-License-Identifier: Apache-2.0 */
/* TCG-CSR-IDEVID: what was read has the same parts when it is written and read
 * again, and lies within what was given. */
#include <string.h>

#include <idevid/auto.h>

#include "factory/tcgcsr.h"
#include "tests/fuzz/fuzz.h"

static bool within(struct idv_bytes v, struct idv_bytes all)
{
    return v.n == 0 || (v.p >= all.p && v.n <= all.n &&
                        (size_t)(v.p - all.p) <= all.n - v.n);
}

/* garbage may have sizes in front of sizes, of which reading takes one */
static bool sized_twice(const struct idvi_tcgcsr_parts *p)
{
    bool a, b;
    idvi_tpm_public_unsized(p->attest_pub, &a);
    idvi_tpm_public_unsized(p->signing_pub, &b);
    return a || b;
}

static void check_again(const struct idvi_tcgcsr *c)
{
    struct idvi_tcgcsr again;
    const struct idv_bytes *a = (const struct idv_bytes *)&c->parts;
    const struct idv_bytes *b = (const struct idv_bytes *)&again.parts;
    IDV_AUTO(buf) contents = {0};
    IDV_AUTO(buf) all = {0};
    if (sized_twice(&c->parts))
        return;
    PROMISE(idvi_tcgcsr_contents(&c->parts, c->hash, &c->form, &contents) ==
            IDV_OK);
    PROMISE(contents.n <= c->contents.n);
    PROMISE(idvi_tcgcsr_whole(idv_view(&contents), c->hash, IDVI_TPM_ECC,
                              idv_str("signature"), &c->form, &all) == IDV_OK);
    PROMISE(idvi_tcgcsr_from_bytes(idv_view(&all), &again) == IDV_OK);
    for (size_t i = 0; i < sizeof(c->parts) / sizeof(*a); i++)
        PROMISE(idv_bytes_eq(a[i], b[i]));
    PROMISE(again.form.no_hash == c->form.no_hash);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct idv_bytes in = idv_bytes(data, n);
    struct idvi_tcgcsr c;
    EVP_PKEY *key = NULL;
    idv_note_clear();
    if (idvi_tcgcsr_from_bytes(in, &c) != IDV_OK) {
        PROMISE(*idv_note());
        return 0;
    }
    const struct idv_bytes *parts = (const struct idv_bytes *)&c.parts;
    for (size_t i = 0; i < sizeof(c.parts) / sizeof(*parts); i++)
        PROMISE(within(parts[i], c.contents));
    PROMISE(within(c.contents, in) && within(c.signature, in));
    PROMISE(*idvi_tcgcsr_dialect(&c.form));
    check_again(&c);
    bool verified = idvi_tcgcsr_verify(&c, NULL, &key) == IDV_OK;
    PROMISE(verified == (key != NULL) && (verified || *idv_note()));
    EVP_PKEY_free(key);
    return 0;
}
