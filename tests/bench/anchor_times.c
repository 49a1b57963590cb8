/* SPDX-License-Identifier: Apache-2.0 */
/* Lives of a sealed anchor, ESYS's and ours in turn, side by side. */
#include <stdio.h>

#include "tests/bench/anchor.h"
#include "tests/bench/bench.h"

#define LIVES 200

enum phase { IMPRINT, CHECK, RESET, PHASES };
static const char *const names[PHASES] = {"imprint", "check", "reset"};

struct times {
    double ms[PHASES][LIVES], ratio[PHASES][LIVES];
    unsigned n;
};

/* a phase that ends here: its milliseconds, negative when it failed */
static double since(double *start, int ok)
{
    double now = bench_now(), ms = ok ? 1000 * (now - *start) : -1;

    *start = now;
    return ms;
}

static int raw_life(double ms[PHASES])
{
    double t = bench_now();

    ms[IMPRINT] = since(&t, raw_anchor_imprint());
    ms[CHECK] = since(&t, ms[IMPRINT] >= 0 && raw_anchor_check());
    ms[RESET] = since(&t, ms[CHECK] >= 0 && raw_anchor_reset());
    return ms[RESET] >= 0;
}

static int our_life(struct life *l, double ms[PHASES])
{
    struct word w;
    double t;

    if (!life_start(l) || !life_word(l, &w))
        return 0;
    t = bench_now();
    ms[IMPRINT] = since(&t, life_imprint(l, &w));
    life_word_free(&w);
    ms[CHECK] = since(&t, ms[IMPRINT] >= 0 && life_start(l));
    ms[RESET] = since(&t, ms[CHECK] >= 0 && life_reset(l));
    return ms[RESET] >= 0;
}

static int lives(const struct options *o, struct life *l, struct times *out)
{
    double raw[PHASES], ours[PHASES], end;
    unsigned p;

    if (!raw_life(raw) || !our_life(l, ours)) /* the first of all */
        return 0;
    end = bench_now() + 4 * o->seconds;
    do {
        if (!raw_life(raw) || !our_life(l, ours))
            return 0;
        for (p = 0; p < PHASES; p++) {
            out->ms[p][out->n] = ours[p];
            out->ratio[p][out->n] = ours[p] / raw[p];
        }
    } while (++out->n < LIVES && bench_now() < end);
    return 1;
}

static void report(const struct options *o, const char *where, struct times *t)
{
    char text[64];
    unsigned p;

    for (p = 0; p < PHASES; p++) {
        snprintf(text, sizeof(text), "anchor: %s, with its files", names[p]);
        report_promise(o, where, text, "ms", bench_median(t->ms[p], t->n),
                       PROMISE_NONE, false);
        snprintf(text, sizeof(text), "anchor: %s, against ESYS", names[p]);
        report_promise(o, where, text, "times", bench_median(t->ratio[p], t->n),
                       PROMISE_NONE, false);
    }
}

int bench_anchor_times(const struct options *o, const char *where)
{
    static struct times times;
    struct life l;
    int ok = life_prepare(&l);

    life_profile(&l, IDV_ANCHOR_OWNER);
    ok = ok && life_begin(&l, false);
    if (!ok)
        return 0;
    ok = raw_anchor_open() && lives(o, &l, &times) && raw_anchor_close();
    if (ok)
        report(o, where, &times);
    ok = life_clean(&l) && ok;
    life_end(&l);
    printf("\n");
    return ok;
}
