/* SPDX-License-Identifier: Apache-2.0 */
/* A pledge with several lanes among scripted registrars. */
#ifndef TESTS_LANES_H
#define TESTS_LANES_H

#include "tests/unit/codec.h"

#include "tests/lib/memcrew.h"

static struct pki pki;

#define LANES_ENDS 12

struct scene {
    struct fakedev dev;
    struct fakereg regs[LANES_ENDS];
    struct memcrew_end ends[LANES_ENDS];
    char names[LANES_ENDS][40];
    const char *list[LANES_ENDS + 1]; /* as configured */
    struct memcrew crew;
    struct idv_pledge *p;
};

/* n registrars r0 r1 ..., all good, each answering at once */
static void scene_init(struct scene *s, size_t n)
{
    memset(s, 0, sizeof(*s));
    fakedev_init(&s->dev, &pki);
    for (size_t i = 0; i < n; i++) {
        fakereg_init(&s->regs[i], &pki);
        snprintf(s->names[i], sizeof(s->names[i]), "r%zu.example.com", i);
        s->list[i] = s->names[i];
        s->ends[i] = (struct memcrew_end){s->names[i], &s->regs[i], 10, 10, 0};
    }
    s->crew.ends = s->ends;
    s->crew.n_ends = n;
    s->dev.conf.registrars = s->list;
    s->dev.conf.attempts = 0;
}

static void scene_free(struct scene *s)
{
    memcrew_end(&s->crew);
    idv_pledge_free(s->p);
    for (size_t i = 0; i < s->crew.n_ends; i++)
        fakereg_free(&s->regs[i]);
    fakedev_free(&s->dev);
    pki.env.now = PKI_NOW;
    pki.env.trusted = true;
}
#define SCENE(s, n)                                                            \
    __attribute__((cleanup(scene_free))) struct scene s;                       \
    scene_init(&s, n)

static void begin(struct scene *s)
{
    s->dev.conf.trust = s->dev.trust;
    OK(idv_pledge_new(&s->dev.conf, &pki.env.env, &s->p));
    memcrew_begin(&s->crew, idv_pledge_join_crew(s->p));
}

static void run_until(struct scene *s, int64_t ms)
{
    s->crew.until_ms = ms;
    memcrew_run(&s->crew);
}

__attribute__((unused)) static void join(struct scene *s)
{
    begin(s);
    memcrew_run(&s->crew);
    if (!s->crew.done || s->crew.rc != IDV_OK)
        print_error("%s\n", s->crew.note);
    assert_true(s->crew.done);
    assert_int_equal(s->crew.rc, IDV_OK);
    assert_int_equal(fakedev_state(&s->dev), IDV_TRUST_ENROLLED);
}

/* host of the i-th connection, and when it was begun */
__attribute__((unused)) static void begun(const struct scene *s, size_t i,
                                          const char *host, int64_t at_ms)
{
    assert_true(i < s->crew.n_begun);
    assert_string_equal(s->crew.begun[i].host, host);
    assert_int_equal(s->crew.begun[i].at_ms, at_ms);
}

__attribute__((unused)) static void snapshot(const struct scene *s,
                                             struct idv_pledge_snapshot *out)
{
    idv_pledge_snapshot(s->p, s->crew.now_ms, out);
}

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

#endif
