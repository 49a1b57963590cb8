/* SPDX-License-Identifier: Apache-2.0 */
/* DNS answers: names, records, their order; and what is refused. */
#include "tests/unit/dns_message.h"

/* --- names and answers -------------------------------------------------- */

static struct idvi_name name_of(const char *text)
{
    struct idvi_name n;
    OK(idvi_name_from_text(idv_str(text), &n));
    return n;
}

static idv_rc read_answer(const struct message *m, const char *of,
                          uint16_t type, struct idvi_answer *out)
{
    struct idvi_name n = name_of(of);
    return idvi_dns_answer(idv_bytes(m->p, m->n), &n, type, out);
}

static void names(void **state)
{
    static const char *const bad[] = {
        "",
        ".",
        "a..b",
        ".a",
        "a b",
        "a\\.b",
        "caf\xc3\xa9",
        "0123456789012345678901234567890123456789012345678901234567890123"};
    struct idvi_name n = name_of("Example.org."), in;
    char text[256], four[5] = "";
    (void)state;
    assert_int_equal(n.n, 13);
    assert_memory_equal(n.wire, "\7Example\3org", 13);
    in = name_of("example.ORG");
    assert_true(idvi_name_eq(&n, &in));
    assert_true(idvi_name_is_host(&n, text, sizeof(text)));
    assert_string_equal(text, "Example.org");
    assert_false(idvi_name_is_host(&n, four, sizeof(four)));
    OK(idvi_name_within(SERVICE, &n, &in));
    assert_false(idvi_name_is_host(&in, text, sizeof(text)));
    assert_false(idvi_name_is_instance(&in, SERVICE));
    OK(idvi_name_within("x." SERVICE, &n, &in));
    assert_true(idvi_name_is_instance(&in, SERVICE));
    assert_false(idvi_name_is_instance(&in, "_http._tcp"));
    in = name_of("x." SERVICE);
    assert_false(idvi_name_is_instance(&in, SERVICE));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        FAILS(IDV_E_FORMAT, "DNS", idvi_name_from_text(idv_str(bad[i]), &n));
    char longest[300];
    for (size_t i = 0; i < sizeof(longest); i++)
        longest[i] = i % 10 == 9 ? '.' : 'a';
    OK(idvi_name_from_text(idv_bytes(longest, 253), &n));
    assert_int_equal(n.n, 255);
    FAILS(IDV_E_FORMAT, "DNS",
          idvi_name_from_text(idv_bytes(longest, 254 + 1), &n));
    FAILS(IDV_E_FORMAT, "too long", idvi_name_within("a", &n, &in));
}

static void answers(void **state)
{
    struct message m;
    struct idvi_answer a;
    (void)state;
    begin(&m, 0);
    add_srv(&m, "a|example", 1, 2, 8443, "r|example");
    add_srv(&m, "b|example", 0, 0, 1, "other|example");
    add_srv(&m, "A|EXAMPLE", 3, 4, 8444, "");
    OK(read_answer(&m, "a.example", ns_t_srv, &a));
    assert_int_equal(a.n, 2);
    assert_int_equal(a.ttl, 300);
    assert_int_equal(a.at[0].priority, 1);
    assert_int_equal(a.at[0].weight, 2);
    assert_int_equal(a.at[0].port, 8443);
    assert_int_equal(a.at[1].name.n, 1); /* the root: not to be had */
    begin(&m, 0);
    add_name(&m, "a|example", ns_t_cname, 7, "b|example");
    add_name(&m, "b|example", ns_t_cname, 9, "c|example");
    add_address(&m, "a|example", "192.0.2.9");
    add_address(&m, "c|example", "192.0.2.1");
    OK(read_answer(&m, "a.example", ns_t_a, &a));
    assert_int_equal(a.n, 1);
    assert_int_equal(a.ttl, 7);
    assert_int_equal(a.at[0].address.s6_addr[3], 1);
    begin(&m, ns_r_nxdomain);
    OK(read_answer(&m, "a.example", ns_t_aaaa, &a));
    assert_int_equal(a.n, 0);
}

static void answers_refused(void **state)
{
    struct message m;
    struct idvi_answer a;
    size_t length;
    (void)state;
    begin(&m, ns_r_servfail);
    FAILS(IDV_E_NET, "error 2", read_answer(&m, "a.example", ns_t_a, &a));
    begin(&m, 0);
    m.p[2] = 1; /* a question */
    FAILS(IDV_E_FORMAT, "broken", read_answer(&m, "a.example", ns_t_a, &a));
    m.n = 11;
    FAILS(IDV_E_FORMAT, "broken", read_answer(&m, "a.example", ns_t_a, &a));
    begin(&m, 0);
    add_name(&m, "a|example", ns_t_cname, 7, "b|example");
    add_name(&m, "b|example", ns_t_cname, 7, "a|example");
    FAILS(IDV_E_LIMIT, "loop", read_answer(&m, "a.example", ns_t_a, &a));
    begin(&m, 0);
    begin_record(&m, "a|example", ns_t_a, 1, &length);
    put(&m, "\1\2\3", 3);
    end_record(&m, length);
    FAILS(IDV_E_FORMAT, "broken", read_answer(&m, "a.example", ns_t_a, &a));
    begin(&m, 0);
    begin_record(&m, "a|example", ns_t_ptr, 1, &length);
    put(&m, "\xc0\x0c", 2); /* the name that it is of: fine */
    end_record(&m, length);
    OK(read_answer(&m, "a.example", ns_t_ptr, &a));
    m.p[m.n - 1] = (uint8_t)(m.n - 2); /* itself */
    FAILS(IDV_E_FORMAT, "broken", read_answer(&m, "a.example", ns_t_ptr, &a));
    begin(&m, 0);
    for (int i = 0; i < 100; i++)
        add_address(&m, "a|example", "192.0.2.1");
    OK(read_answer(&m, "a.example", ns_t_a, &a));
    assert_int_equal(a.n, IDVI_DNS_RECORDS);
}

/* --- order -------------------------------------------------------------- */

static idv_rc lots(void *ctx, uint8_t *p, size_t n)
{
    uint32_t lot = *(uint32_t *)ctx;
    for (size_t i = 0; i + 4 <= n; i += 4)
        memcpy(p + i, &lot, 4);
    return IDV_OK;
}

static void priorities_and_weights(void **state)
{
    const struct idvi_server s[] = {
        {.priority = 9, .weight = 0},
        {.priority = 1, .weight = 0},
        {.priority = 1, .weight = 9},
        {.priority = 0, .weight = 5},
    };
    uint32_t lot;
    const struct idv_env env = {.random = lots, .ctx = &lot};
    size_t order[IDVI_SERVERS_MAX], first = 0;
    (void)state;
    for (lot = 0; lot < 11; lot++) { /* weights are counted one higher */
        idvi_servers_order(s, 4, &env, order);
        assert_int_equal(order[0], 3);
        assert_int_equal(order[3], 0);
        assert_int_equal(order[1] + order[2], 3);
        first += order[1] == 1;
    }
    assert_int_equal(first, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(answers),
        cmocka_unit_test(answers_refused),
        cmocka_unit_test(priorities_and_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
