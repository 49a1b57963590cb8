/* SPDX-License-Identifier: Apache-2.0 */
/* A pledge and a registrar by script, in memory: the stage of many tests. To
 * be included by one of them, after its own headers. */
#ifndef TESTS_UNIT_FAKESCENE_H
#define TESTS_UNIT_FAKESCENE_H

#include "tests/lib/fakereg.h"

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

struct scene {
    struct fakereg reg;
    struct fakedev dev;
    struct memdrive drive;
};

static void scene_init(struct scene *s)
{
    memset(s, 0, sizeof(*s));
    fakereg_init(&s->reg, &pki);
    fakedev_init(&s->dev, &pki);
}

static void scene_free(struct scene *s)
{
    fakereg_free(&s->reg);
    fakedev_free(&s->dev);
}
#define SCENE(s)                                                               \
    __attribute__((cleanup(scene_free))) struct scene s;                       \
    scene_init(&s)

static idv_rc join(struct scene *s)
{
    s->reg.log[0] = 0;
    return fake_join(&s->dev, &s->reg, &s->drive);
}

/* ends with rc after exactly this, in this state */
static void expect(struct scene *s, idv_rc rc, const char *log,
                   enum idv_trust_state state)
{
    idv_rc got = join(s);
    if (got != rc || strcmp(s->reg.log, log) != 0)
        print_error("%s: %s\n", s->reg.log, s->drive.note);
    assert_string_equal(s->reg.log, log);
    assert_int_equal(got, rc);
    assert_int_equal(fakedev_state(&s->dev), state);
}

#define WHOLE "C? rv vs+ ca at en C+ es+"
#define RESUMED "C= ca at en C+ es+"
#define NONE IDV_TRUST_NONE
#define IMPRINTED IDV_TRUST_IMPRINTED
#define ENROLLED IDV_TRUST_ENROLLED

typedef bool hook_fn(struct fakereg *r, const char *word, bool after,
                     const struct idv_msg *req, struct idv_msg *reply);

#endif
