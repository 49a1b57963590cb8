/* SPDX-License-Identifier: Apache-2.0 */
/* Commands past ESYS in sessions that it knows too: what they share, and what
 * somebody on the bus who alters, repeats or cuts an answer gets. */
#include "config.h"

#include "bus_use.h"
#include "provider/device/tpm2_newsession.h"
#include "tpm_devid.h"

#define HEADER 10
#define AREA (HEADER + 4) /* of an answer without parameters: its sessions */
#define NONCE 32

static unsigned long long sessions(void)
{
    return atomic_load(&hwk_counters.tpm_sessions);
}

/* by hand, in an HMAC session that encrypts the value */
static int set(struct hwk_tpm *t, const char *value, size_t n)
{
    return DEVID.set_auth(t, TPM2_RH_LOCKOUT,
                          (struct hwk_view){(const uint8_t *)value, n});
}

/* by ESYS, in the same */
static int limits(struct hwk_tpm *t, const char *value)
{
    const struct hwk_lockout usual = {3, 1000, 1000};
    const struct hwk_view by = {(const uint8_t *)value, strlen(value)};
    return DEVID.set_lockout(t, &usual, &by);
}

static char value_file[160];

static const char *setting(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "pin-source.lockout") == 0 ? value_file : NULL;
}

/* the program is told that this is the value */
static void give(const char *value)
{
    snprintf(value_file, sizeof(value_file), "%s/value", tpm_process.dir);
    devid_file("value", value, strlen(value));
}

static int setup(void **state)
{
    if (tpm_setup(state))
        return -1;
    if (!tpm)
        return 0;
    tpm_cfg.get = setting;
    give("");
    return 0;
}

/* --- a session of both --- */

/* the nonces that one of them used are what the other goes on with */
static void by_turns(void **state)
{
    (void)state;
    need_tpm();
    assert_true(hwk_tpm_door.enter(tpm));
    unsigned long long before = sessions();
    assert_true(set(tpm, "first", 5));
    give("first");
    assert_true(limits(tpm, "first"));
    assert_true(limits(tpm, "first"));
    assert_true(set(tpm, "another value", 13));
    give("another value");
    assert_true(set(tpm, "third", 5));
    give("third");
    assert_true(limits(tpm, "third"));
    assert_true(set(tpm, "", 0));
    give("");
    assert_int_equal(sessions() - before, 1);
    hwk_tpm_door.leave(tpm);
    assert_int_equal(tpm_left_behind(), 0);
}

/* a TPM drops zeros at the end of a value, and makes its answer with the rest
 */
static void zeros_at_the_end(void **state)
{
    (void)state;
    need_tpm();
    assert_true(set(tpm, "ab\0\0", 4));
    give("ab");
    assert_true(limits(tpm, "ab"));
    assert_true(set(tpm, "\0\0", 2));
    give("");
    assert_true(set(tpm, "", 0));
    assert_int_equal(ERR_peek_error(), 0);
}

/* --- on the bus --- */

static uint8_t kept[BUS_MESSAGE_MAX];
static size_t kept_n;

static void put_size(uint8_t *p, size_t n)
{
    for (int i = 0; i < 4; i++)
        p[2 + i] = (uint8_t)(n >> (24 - 8 * i));
}

/* an answer of at bytes, or of more than there are */
static void cut_at(struct bus_talk *talk, bool answer, uint32_t code,
                   uint8_t *p, size_t *n)
{
    if (!answer || code != talk->code)
        return;
    talk->last = *n;
    if (talk->at == BUS_MESSAGE_MAX)
        return;
    if (talk->at > *n)
        memset(p + *n, 0, talk->at - *n);
    *n = talk->at;
    put_size(p, *n);
    talk->struck++;
}

/* the answer to the first, to all that follow */
static void replay(struct bus_talk *talk, bool answer, uint32_t code,
                   uint8_t *p, size_t *n)
{
    if (!answer || code != talk->code)
        return;
    if (kept_n == 0) {
        memcpy(kept, p, *n);
        kept_n = *n;
        return;
    }
    memcpy(p, kept, kept_n);
    *n = kept_n;
    talk->struck++;
}

/* a nonce of at bytes, cut or filled up */
static void nonce_of(struct bus_talk *talk, bool answer, uint32_t code,
                     uint8_t *p, size_t *n)
{
    const size_t from = AREA + 2, rest = *n - from - NONCE;
    if (!answer || code != talk->code || *n < from + NONCE)
        return;
    memmove(p + from + talk->at, p + from + NONCE, rest);
    p[AREA] = (uint8_t)(talk->at >> 8);
    p[AREA + 1] = (uint8_t)talk->at;
    *n = from + talk->at + rest;
    put_size(p, *n);
    talk->struck++;
}

static struct program p;

static void listen_with(bus_fn *fn)
{
    begin(&p, fn);
    p.bus.talk->code = TPM2_CC_HierarchyChangeAuth;
    p.bus.talk->answer = true;
    p.bus.talk->at = BUS_MESSAGE_MAX;
}

/* the value stays empty, whatever becomes of it; and what is wrong there locks
 * nobody out */
static int asks(void)
{
    return DEVID.set_auth(p.tpm, TPM2_RH_ENDORSEMENT,
                          (struct hwk_view){NULL, 0});
}

static void refused(int ok, size_t at)
{
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    if (ok || reason != HWK_R_BUS)
        fail_msg("%zu: %s (%s)", at, ok ? "accepted" : "not named",
                 ERR_reason_error_string(ERR_peek_last_error()));
    assert_int_equal(p.bus.talk->struck, 1);
    p.bus.talk->struck = 0;
    ERR_clear_error();
}

static void altered_answer(void **state)
{
    (void)state;
    need_tpm();
    listen_with(bus_alter_byte);
    assert_true(asks());
    size_t n = p.bus.talk->last;
    assert_int_equal(n, AREA + 2 + NONCE + 1 + 2 + NONCE);
    for (size_t at = HEADER; at < n; at++) {
        p.bus.talk->at = at;
        p.bus.talk->flip = (uint8_t)(1u << at % 8);
        refused(asks(), at);
    }
    p.bus.talk->at = BUS_MESSAGE_MAX;
    assert_true(asks());
    stop(&p);
    assert_int_equal(tpm_left_behind(), 0);
}

static void altered_command(void **state)
{
    (void)state;
    need_tpm();
    listen_with(bus_alter_byte);
    p.bus.talk->answer = false;
    assert_true(asks());
    size_t n = p.bus.talk->last;
    /* not of the handle: the value of another hierarchy would count */
    for (size_t at = HEADER + 4; at < n; at += 3) {
        p.bus.talk->at = at;
        p.bus.talk->flip = (uint8_t)(1u << at % 8);
        p.bus.talk->struck = 0;
        anew(&p); /* a value that was refused is not tried again */
        int ok = asks();
        assert_true(p.bus.talk->struck > 0);
        if (ok)
            fail_msg("byte %zu of %zu: accepted", at, n);
        ERR_clear_error();
    }
    stop(&p);
    assert_int_equal(tpm_left_behind(), 0);
}

static void cut_answer(void **state)
{
    (void)state;
    need_tpm();
    listen_with(cut_at);
    assert_true(asks());
    size_t n = p.bus.talk->last;
    for (size_t at = HEADER; at < n + 8; at++)
        if (at != n) {
            p.bus.talk->at = at;
            refused(asks(), at);
        }
    stop(&p);
    assert_int_equal(tpm_left_behind(), 0);
}

static void without_sessions(void **state)
{
    (void)state;
    need_tpm();
    listen_with(bus_strip);
    refused(asks(), 0);
    stop(&p);
}

/* of the same session, to the very same command */
static void replayed_answer(void **state)
{
    (void)state;
    need_tpm();
    listen_with(replay);
    assert_true(hwk_tpm_door.enter(p.tpm));
    unsigned long long before = sessions();
    assert_true(asks());
    refused(asks(), 1);
    assert_int_equal(sessions() - before, 1);
    hwk_tpm_door.leave(p.tpm);
    stop(&p);
}

static void nonces_of_other_sizes(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 16, NONCE - 1, NONCE + 1, 64, 65, 0x1000};
    need_tpm();
    listen_with(nonce_of);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        if (sizes[i] + AREA > BUS_MESSAGE_MAX / 2)
            continue;
        p.bus.talk->at = sizes[i];
        refused(asks(), sizes[i]);
    }
    stop(&p);
    assert_int_equal(tpm_left_behind(), 0);
}

/* the start of a session carries no HMAC: what is altered there shows in the
 * first command, or is no session at all */
static void altered_start(void **state)
{
    (void)state;
    need_tpm();
    listen_with(bus_alter_byte);
    p.bus.talk->code = TPM2_CC_StartAuthSession;
    assert_true(asks());
    size_t n = p.bus.talk->last;
    assert_int_equal(n, HEADER + 4 + 2 + NONCE);
    for (size_t at = HEADER; at < n; at++) {
        p.bus.talk->at = at;
        p.bus.talk->flip = at == HEADER ? 1 : (uint8_t)(1u << at % 8);
        p.bus.talk->struck = 0;
        anew(&p);
        int ok = asks();
        assert_true(p.bus.talk->struck > 0);
        if (ok)
            fail_msg("byte %zu of %zu: accepted", at, n);
        ERR_clear_error();
    }
    stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_turns),
        cmocka_unit_test(zeros_at_the_end),
        cmocka_unit_test(altered_answer),
        cmocka_unit_test(altered_command),
        cmocka_unit_test(cut_answer),
        cmocka_unit_test(without_sessions),
        cmocka_unit_test(replayed_answer),
        cmocka_unit_test(nonces_of_other_sizes),
        cmocka_unit_test(altered_start),
    };
    return cmocka_run_group_tests(tests, setup, tpm_teardown);
}
