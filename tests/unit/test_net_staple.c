/* SPDX-License-Identifier: Apache-2.0 */
/* OCSP responses that a server staples to its certificate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <idevid/auto.h>

#include "tests/lib/nettest.h"
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

static const struct nt_step one_reply[] = {
    {.what = NT_ACCEPT},
    {.what = NT_READ},
    {.what = NT_SEND, .text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
    {.what = NT_HANG},
    {.what = NT_END}};

/* what is known of a server that staples this, if anything; as ever but for
 * that */
static void expect_from(int version, struct idv_bytes stapled,
                        struct idv_bytes known)
{
    for (int v = version; v <= TLS1_3_VERSION; v++) {
        struct nt_raw r = {.staple = stapled, .max_version = v};
        struct nt_machine m;
        const struct idv_drive_conf conf = {
            .env = &pki.env.env, .connect_s = 10, .exchange_s = 10};
        nt_raw_start(&r, &pki.registrar, pki.tls_chain, one_reply);
        nt_machine_init(&m, r.port);
        nt_machine_add(&m, IDV_POST, "/first", "hello");
        m.connect.key = pki.idevid.key;
        STACK_OF(X509) *chain = pki_stack(pki.idevid.cert, pki.maker_ca.cert);
        m.connect.chain = chain;
        struct idv_machine machine = nt_machine(&m);
        idv_note_clear();
        pki_must(idv_drive(&machine, &conf), "drive");
        nt_raw_stop(&r);
        assert_true(r.asked);
        assert_int_equal(m.reply[0].status, 200);
        assert_int_equal(sk_X509_num(m.peer.chain), 2);
        assert_true(m.peer.binding_n > 0);
        assert_true(idv_bytes_eq(idv_view(&m.peer.staple), known));
        nt_raw_free(&r);
        nt_machine_free(&m);
        idv_certs_free(chain);
    }
}

static void expect(struct idv_bytes stapled, struct idv_bytes known)
{
    expect_from(TLS1_2_VERSION, stapled, known);
}

/* R-P-46 */
static void stapled(void **state)
{
    struct staple s = staple_good(&pki);
    IDV_AUTO(buf) der = {0};
    (void)state;
    staple_make(&s, &der);
    expect(idv_view(&der), idv_view(&der));
    expect(idv_str("garbage"), idv_str("garbage")); /* judged elsewhere */
}

static void nothing_stapled(void **state)
{
    (void)state;
    expect((struct idv_bytes){0}, (struct idv_bytes){0});
}

/* TLS 1.2 has no room for more than 16 KiB with its header; 1.3 has */
static void large(void **state)
{
    uint8_t *der = test_calloc(1, IDV_MAX_STAPLE + 1);
    (void)state;
    expect(idv_bytes(der, IDV_MAX_STAPLE - 4),
           idv_bytes(der, IDV_MAX_STAPLE - 4));
    expect_from(TLS1_3_VERSION, idv_bytes(der, IDV_MAX_STAPLE),
                idv_bytes(der, IDV_MAX_STAPLE));
    expect_from(TLS1_3_VERSION, idv_bytes(der, IDV_MAX_STAPLE + 1),
                (struct idv_bytes){0});
    test_free(der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stapled),
        cmocka_unit_test(nothing_stapled),
        cmocka_unit_test(large),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
