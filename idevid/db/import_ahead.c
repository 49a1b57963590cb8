/* SPDX-License-Identifier: Apache-2.0 */
/* Reading takes as long as storing: both are done at once. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include <idevid/text.h>

#include "idevid/db/import.h"

struct idvi_ahead {
    const struct idvi_import *kind;
    const struct idv_db_import *from;
    struct idvi_lines set[2];
    struct idvi_lines *ready, *coming; /* with the caller, and being read */
    uint64_t read;                     /* lines so far, blank ones too */
    /* A line that cannot be read: what was before it comes first. */
    struct idv_bytes bad;
    bool more, wrong;
    pthread_t thread;
    bool running;
    idv_rc rc; /* of what is coming */
    char note[IDV_NOTE_MAX];
};

/* --- lines ---------------------------------------------------------------- */

static void forget(struct idvi_lines *l)
{
    for (size_t i = 0; i < l->n; i++)
        idv_masa_device_free(&l->line[i].device);
    l->n = 0;
}

static idv_rc take(struct idvi_ahead *a, struct idv_bytes text)
{
    struct idvi_lines *l = a->coming;
    struct idvi_line *line = &l->line[l->n];
    *line = (struct idvi_line){.word = IDVI_SILENT};
    idv_rc rc = a->kind->read(text, line);
    if (rc == IDV_OK)
        l->number[l->n++] = a->read;
    else
        idv_masa_device_free(&line->device);
    return rc;
}

static idv_rc gather(struct idvi_ahead *a)
{
    while (a->coming->n < IDVI_LINES && a->more && !a->wrong) {
        struct idv_bytes text = {0};
        IDV_TRY(a->from->next(a->from->arg, &text, &a->more));
        if (!a->more)
            return IDV_OK;
        a->read++;
        text = idv_text_trim(text);
        if (!text.n || take(a, text) == IDV_OK)
            continue;
        a->wrong = true; /* why is asked again when its turn comes */
        a->bad = text;
        idv_note_clear();
    }
    return IDV_OK;
}

static idv_rc say_wrong(struct idvi_ahead *a)
{
    struct idvi_line line = {.word = IDVI_SILENT};
    idv_rc rc = a->kind->read(a->bad, &line);
    idv_masa_device_free(&line.device);
    return idv_fail_within(rc, "line %llu", (unsigned long long)a->read);
}

/* --- in a thread ---------------------------------------------------------- */

static void *run(void *ahead)
{
    struct idvi_ahead *a = ahead;
    a->rc = gather(a);
    snprintf(a->note, sizeof(a->note), "%s", idv_note());
    return NULL;
}

static void start(struct idvi_ahead *a)
{
    sigset_t all, before;
    forget(a->coming);
    a->rc = IDV_OK;
    a->note[0] = 0;
    if (!a->more || a->wrong)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    a->running = pthread_create(&a->thread, NULL, run, a) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!a->running)
        run(a);
}

static void join(struct idvi_ahead *a)
{
    if (a->running)
        pthread_join(a->thread, NULL);
    a->running = false;
}

/* --- for who stores them -------------------------------------------------- */

idv_rc idvi_ahead_new(const struct idvi_import *kind,
                      const struct idv_db_import *from, struct idvi_ahead **out)
{
    struct idvi_ahead *a = calloc(1, sizeof(*a));
    if (!a)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    a->kind = kind;
    a->from = from;
    a->ready = &a->set[0];
    a->coming = &a->set[1];
    a->more = true;
    *out = a;
    for (size_t i = 0; i < 2; i++) {
        a->set[i].line = calloc(IDVI_LINES, sizeof(*a->set[i].line));
        a->set[i].number = calloc(IDVI_LINES, sizeof(*a->set[i].number));
        if (!a->set[i].line || !a->set[i].number)
            return idv_fail(IDV_E_NOMEM, "out of memory");
    }
    start(a);
    return IDV_OK;
}

idv_rc idvi_ahead_next(struct idvi_ahead *a, const struct idvi_lines **out)
{
    struct idvi_lines *done = a->ready;
    join(a);
    if (a->rc != IDV_OK)
        return idv_fail(a->rc, "%s", a->note);
    a->ready = a->coming;
    a->coming = done;
    *out = a->ready;
    if (!a->ready->n && a->wrong)
        return say_wrong(a);
    start(a);
    return IDV_OK;
}

void idvi_ahead_free(struct idvi_ahead *a)
{
    if (!a)
        return;
    join(a);
    for (size_t i = 0; i < 2; i++) {
        forget(&a->set[i]);
        free(a->set[i].line);
        free(a->set[i].number);
    }
    free(a);
}
