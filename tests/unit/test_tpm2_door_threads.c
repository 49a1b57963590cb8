/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads on the NV indices of a TPM and on a key in it, in turns and
 * without; and forks while one of them has its turn. */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/tpm_device.h"
#include "tests/unit/children.h"

#define EC "tpm2:handle=0x81020401"
#define OWNER 0x40000001
#define SHARED 0x01800B40  /* 8 bytes that all write */
#define COUNTER 0x01800B00 /* the first of one for each thread */
#define IS_COUNTER 0x02060012
#define IS_DATA 0x02060002
#define THREADS 8
#define ROUNDS 6

static struct world w;
static EVP_PKEY *ec;
static size_t kept; /* behind a resource manager a session stays between uses */
static const struct hwk_nv_ops *door;
static struct hwk_device *dev; /* of all of them */
static struct hwk_nv shared;
static const struct hwk_nv_by owner = {.handle = OWNER};

static struct hwk_device *opened(void)
{
    struct hwk_device *d = NULL;
    void *ctx;
    const struct hwk_device_ops *ops = world_ops(&w, &ctx);

    assert_int_equal(ops->open(ctx, "tpm2:", NULL, &d), 1);
    return d;
}

static void closed(struct hwk_device *d)
{
    void *ctx;

    world_ops(&w, &ctx)->close(d);
}

/* defined and used once: from then on its Name stays */
static void make(uint32_t index, uint32_t attributes, struct hwk_nv *nv)
{
    *nv = (struct hwk_nv){.index = index,
                          .attributes = attributes,
                          .name_alg = 0x000b,
                          .size = 8};
    assert_int_equal(door->define(dev, nv, OWNER), 1);
    assert_int_equal(
        attributes == IS_COUNTER
            ? door->increment(dev, nv, &owner)
            : door->write(dev, nv, &owner, (const uint8_t *)"begins..", 8),
        1);
    assert_int_equal(door->look(dev, index, nv), 1);
}

static int begin(void **state)
{
    void *ctx;
    int i;

    (void)state;
    if (tpm_device_up() != 0 || !world_open(&w, "dh"))
        return -1;
    door = world_ops(&w, &ctx)->nv;
    dev = opened();
    make(SHARED, IS_DATA, &shared);
    for (i = 0; i < THREADS; i++) {
        struct hwk_nv nv;

        make(COUNTER + (uint32_t)i, IS_COUNTER, &nv);
    }
    ec = make_key(&w, "EC", "P-256", 0, EC);
    kept = tpm_device_managed() ? 1 : 0;
    return ec != NULL ? 0 : -1;
}

static int end(void **state)
{
    size_t left;

    (void)state;
    EVP_PKEY_free(ec);
    closed(dev);
    world_close(&w);
    left = tpm_device_left();
    tpm_device_down();
    return left == 0 ? 0 : -1;
}

/* A test that fails does so where it is, in the middle of a turn, say. */
static int let_go(void **state)
{
    (void)state;
    door->leave(dev);
    ERR_clear_error();
    return 0;
}

static int signs(void)
{
    return sign_verify(&w, ec, "SHA256", NO_PSS);
}

/* --- threads -------------------------------------------------------------- */

struct worker {
    pthread_t id;
    int number, bad;
    struct hwk_device *own; /* NULL: it uses that of all */
};

static uint64_t value(const uint8_t raw[8])
{
    uint64_t v = 0;
    int i;

    for (i = 0; i < 8; i++)
        v = v << 8 | raw[i];
    return v;
}

static int counts(struct hwk_device *d, const struct hwk_nv *nv, uint64_t *out)
{
    uint8_t raw[8];

    if (!door->read(d, nv, raw))
        return 0;
    *out = value(raw);
    return 1;
}

/* Nobody writes in between, nor counts what is ours. */
static int in_a_turn(struct hwk_device *d, int number, int round)
{
    struct hwk_nv nv;
    uint64_t before, after;
    uint8_t mine[8], got[8];
    int ok;

    memset(mine, number * ROUNDS + round, sizeof(mine));
    if (!door->enter(d))
        return 0;
    ok = door->look(d, COUNTER + (uint32_t)number, &nv) &&
         counts(d, &nv, &before) &&
         door->write(d, &shared, &owner, mine, sizeof(mine)) &&
         door->increment(d, &nv, &owner) && signs() && counts(d, &nv, &after) &&
         after == before + 1 && door->read(d, &shared, got) &&
         memcmp(got, mine, sizeof(got)) == 0;
    door->leave(d);
    return ok;
}

static int without_one(struct hwk_device *d, int number)
{
    struct hwk_nv nv, other;
    struct hwk_tpm_facts facts;
    uint64_t before, after;
    uint8_t got[8], digest[32];

    return door->look(d, COUNTER + (uint32_t)number, &nv) &&
           counts(d, &nv, &before) && door->increment(d, &nv, &owner) &&
           door->look(d, SHARED, &other) && door->read(d, &other, got) &&
           memcmp(got, got + 1, 7) == 0 && /* whole, whoever wrote it */
           door->pcr_read(d, 1, digest) &&
           door->facts(d, HWK_FACTS_STATE | HWK_FACTS_CLOCK, &facts) &&
           signs() && counts(d, &nv, &after) && after == before + 1;
}

static void *work(void *arg)
{
    struct worker *me = arg;
    struct hwk_device *d = me->own != NULL ? me->own : dev;
    int i;

    for (i = 0; i < ROUNDS; i++)
        me->bad += (i + me->number) % 2 == 0 ? !in_a_turn(d, me->number, i)
                                             : !without_one(d, me->number);
    if (me->bad > 0)
        ERR_print_errors_fp(stderr);
    return NULL;
}

static void all_at_once(void **state)
{
    static const uint8_t begins[8];
    struct worker all[THREADS];
    int i;

    (void)state;
    assert_int_equal(door->write(dev, &shared, &owner, begins, 8), 1);
    for (i = 0; i < THREADS; i++) {
        all[i] =
            (struct worker){.number = i, .own = i % 2 == 0 ? opened() : NULL};
        assert_int_equal(pthread_create(&all[i].id, NULL, work, &all[i]), 0);
    }
    for (i = 0; i < THREADS; i++)
        pthread_join(all[i].id, NULL);
    for (i = 0; i < THREADS; i++) {
        closed(all[i].own);
        assert_int_equal(all[i].bad, 0);
    }
    assert_true(signs());
}

/* --- forks ---------------------------------------------------------------- */

static const uint8_t half[8] = "half....", whole[8] = "whole...";

/* The turn is not the child's: it waits for its own, as any process does, and
 * where it leaves the other's, nothing happens. Behind a resource manager
 * processes do not wait. */
static int uses(int fd)
{
    uint8_t got[8];

    door->leave(dev);
    if (write(fd, "w", 1) != 1 || !door->read(dev, &shared, got))
        return 1;
    if (memcmp(got, whole, 8) != 0 && !tpm_device_managed())
        return 2;
    if (!signs() || !door->enter(dev))
        return 3;
    if (!door->read(dev, &shared, got) || !signs())
        return 4;
    door->leave(dev);
    return ERR_peek_error() == 0 ? 0 : 5;
}

static int ends(int fd)
{
    (void)fd;
    return 0;
}

static int unloads(int fd)
{
    (void)fd;
    closed(dev);
    EVP_PKEY_free(ec);
    world_close(&w);
    return 0;
}

static void waits(struct child *c)
{
    char said;

    assert_int_equal(read(c->fd, &said, 1), 1);
}

static void write_both(void)
{
    assert_int_equal(door->write(dev, &shared, &owner, half, 8), 1);
    assert_int_equal(door->write(dev, &shared, &owner, whole, 8), 1);
}

static void fork_in_own_turn(void **state)
{
    static int (*const ways[])(int) = {ends, unloads};
    struct child c;
    size_t i;

    (void)state;
    assert_int_equal(door->enter(dev), 1);
    assert_int_equal(door->look(dev, SHARED, &shared), 1);
    for (i = 0; i < 2; i++) { /* neither ends the turn */
        c = spawn(ways[i]);
        assert_ended_well(&c);
    }
    c = spawn(uses);
    waits(&c);
    write_both();
    assert_true(signs());
    door->leave(dev);
    assert_ended_well(&c);
    assert_true(signs());
    assert_int_equal(tpm_device_left(), kept);
}

static sem_t within, go;
static int bad;

static void *holds(void *arg)
{
    (void)arg;
    if (!door->enter(dev)) {
        bad++;
        sem_post(&within);
        return NULL;
    }
    sem_post(&within);
    sem_wait(&go);
    bad += !door->write(dev, &shared, &owner, half, 8) ||
           !door->write(dev, &shared, &owner, whole, 8);
    door->leave(dev);
    return NULL;
}

/* by a thread that has no turn, while another has */
static void fork_in_turn_of_another(void **state)
{
    pthread_t id;
    struct child c;

    (void)state;
    sem_init(&within, 0, 0);
    sem_init(&go, 0, 0);
    assert_int_equal(pthread_create(&id, NULL, holds, NULL), 0);
    sem_wait(&within);
    c = spawn(uses);
    waits(&c);
    sem_post(&go);
    pthread_join(id, NULL);
    assert_int_equal(bad, 0);
    assert_ended_well(&c);
    assert_true(signs());
    assert_int_equal(tpm_device_left(), kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(all_at_once, let_go),
        cmocka_unit_test_teardown(fork_in_own_turn, let_go),
        cmocka_unit_test_teardown(fork_in_turn_of_another, let_go),
    };

    if (!tpm_device_here()) {
        puts("1..0 # SKIP no TPM in software");
        return 0;
    }
    patience(600);
    return cmocka_run_group_tests(tests, begin, end);
}
