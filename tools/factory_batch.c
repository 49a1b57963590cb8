/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many devices: a worker for each place. A device hangs, a TPM takes minutes
 * for an RSA key, a cable is pulled: whatever happens in a worker, the others
 * and the book go on; and who has seen a device fail makes no other one.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "factory_batch.h"
#include "factory_fixtures.h"
#include "factory_progress.h"

#define JOBS_MAX 256
#define SEAL_EVERY 50 /* devices */

struct crew {
    struct line *l;
    const struct batch *b;
    struct fixtures fixtures;
    struct worker *workers;
    struct progress progress;
    bool more;       /* fixtures may have another */
    uint64_t sealed; /* devices when the book was signed last */
};

/* --- what a worker says ----------------------------------------------------
 */

/* An end that will be tried again is none yet. */
static bool goes_on(const struct crew *c, const struct worker *w)
{
    return w->tries <= c->b->retries;
}

static void pass(const struct crew *c, struct idv_bytes line)
{
    if (!c->l->t->json)
        return;
    fwrite(line.p, 1, line.n, stdout);
    putchar('\n');
    fflush(stdout);
}

/* The same event under its other name. */
static void pass_retry(const struct crew *c, struct idv_json *e)
{
    IDV_AUTO(buf) line = {.max = WORKER_LINE_MAX};
    if (idv_json_set(e, "event", idv_json_new_text(idv_str("retry"))) ==
            IDV_OK &&
        idv_json_dump(e, false, &line) == IDV_OK)
        pass(c, idv_view(&line));
    idv_note_clear();
}

static void take_failure(struct crew *c, struct worker *w,
                         struct idv_bytes line, struct idv_json *e)
{
    const char *why = idv_json_text(idv_json_get(e, "why"));
    w->failed = true;
    /* only what the device did is worth another try */
    if (!why || strcmp(why, idv_factory_why_to_text(IDV_WHY_DEVICE)) != 0)
        w->tries = c->b->retries + 1;
    if (goes_on(c, w)) {
        pass_retry(c, e);
        return;
    }
    pass(c, line);
    progress_event(&c->progress, e);
}

/* It is done with this device. */
static void finish(struct crew *c, struct worker *w)
{
    const uint64_t now = c->progress.done + c->progress.failed;
    w->busy = w->asked = false;
    w->tries = 0;
    c->progress.running--;
    fixture_free(&w->fixture);
    if (now - c->sealed < SEAL_EVERY)
        return;
    line_seal(c->l);
    c->sealed = now;
}

static void take_line(struct crew *c, struct worker *w, struct idv_bytes line)
{
    IDV_AUTO_PTR(idv_json) e = NULL;
    if (!line.n || idv_json_parse(line, WORKER_LINE_MAX, &e) != IDV_OK) {
        idv_note_clear();
        return;
    }
    const char *event = idv_json_text(idv_json_get(e, "event"));
    if (!event)
        return;
    if (strcmp(event, WORKER_READY) == 0) {
        if (w->busy && w->ended)
            finish(c, w);
        return;
    }
    if (strcmp(event, WORKER_TAKEN) == 0) {
        w->taken = true;
        return;
    }
    const bool failed = strcmp(event, "failed") == 0;
    w->asked |= strcmp(event, "requested") == 0;
    w->ended |=
        failed || strcmp(event, "done") == 0 || strcmp(event, "kept") == 0;
    if (failed) {
        take_failure(c, w, line, e);
        return;
    }
    pass(c, line);
    progress_event(&c->progress, e);
}

/* --- its end ---------------------------------------------------------------
 */

/* What it did not say is said for it. */
static void tell(struct crew *c, const struct worker *w, const char *note,
                 bool again)
{
    struct device_result r = {.why = IDV_WHY_DEVICE};
    const struct device_job job = {.fixture =
                                       fixture_text(&w->fixture, FIXTURE_NAME),
                                   .order = c->b->workers.order};
    snprintf(r.note, sizeof(r.note), "%s", note);
    snprintf(r.serial_number, sizeof(r.serial_number), "%s",
             fixture_text(&w->fixture, FIXTURE_SERIAL));
    device_event(c->l, &job, again ? "retry" : "failed", &r);
    if (!again)
        progress_died(&c->progress, job.fixture, r.note);
}

static void tell_death(struct crew *c, const struct worker *w, int status,
                       bool again)
{
    char how[80];
    if (WIFSIGNALED(status))
        snprintf(how, sizeof(how), "its worker was ended by signal %d",
                 WTERMSIG(status));
    else
        snprintf(how, sizeof(how), "its worker ended with %d",
                 WEXITSTATUS(status));
    tell(c, w, how, again);
}

/* It is gone: another one tries the same device again, or has the next. */
static void end(struct crew *c, struct worker *w)
{
    const int status = worker_reap(w);
    if (!w->busy)
        return;
    const bool missed = worker_missed(w);
    const bool again = missed || ((!w->ended || w->failed) && goes_on(c, w));
    w->tries -= missed;
    if (!w->ended && !missed)
        tell_death(c, w, status, again);
    if (again && worker_give(w, &c->b->workers) == IDV_OK)
        return;
    if (again)
        tell(c, w, idv_note(), false);
    idv_note_clear();
    finish(c, w);
}

static void hear(struct crew *c, struct worker *w)
{
    IDV_AUTO(buf) line = {.max = WORKER_LINE_MAX};
    const bool there = worker_hear(w);
    while (worker_line(w, &line))
        take_line(c, w, idv_view(&line));
    if (!there)
        end(c, w);
}

/* --- all of them ------------------------------------------------------------
 */

/* One that has nothing to do and is as the fixture wants it, else an empty
 * place, else one that has to go. There is one. */
static struct worker *choose(struct crew *c, const struct fixture *f)
{
    struct worker *empty = NULL, *other = NULL;
    for (int64_t i = 0; i < c->b->jobs; i++) {
        struct worker *w = &c->workers[i];
        if (worker_fits(w, f))
            return w;
        if (!w->pid)
            empty = w;
        else if (!w->busy)
            other = w;
    }
    if (empty)
        return empty;
    worker_dismiss(other);
    return other;
}

static idv_rc next_device(struct crew *c)
{
    struct fixture next = {0};
    IDV_TRY(fixtures_next(&c->fixtures, &c->more, &next));
    if (!c->more)
        return IDV_OK;
    struct worker *w = choose(c, &next);
    w->fixture = next;
    w->tries = 0;
    idv_rc rc = worker_give(w, &c->b->workers);
    if (rc == IDV_OK)
        c->progress.running++;
    else
        fixture_free(&w->fixture);
    return rc;
}

static bool has_place(const struct crew *c)
{
    return c->progress.running < (uint64_t)c->b->jobs;
}

/* Waits until a worker says something, or, while there is a place for it, the
 * fixtures have another line. */
static idv_rc listen_once(struct crew *c)
{
    struct pollfd fds[JOBS_MAX + 1];
    struct worker *of[JOBS_MAX];
    const bool asks = c->more && has_place(c);
    nfds_t n = 0;
    for (int64_t i = 0; i < c->b->jobs; i++) {
        if (c->workers[i].pid) {
            of[n] = &c->workers[i];
            fds[n] = (struct pollfd){.fd = of[n]->out, .events = POLLIN};
            n++;
        }
    }
    if (asks)
        fds[n] =
            (struct pollfd){.fd = fileno(c->fixtures.file), .events = POLLIN};
    if (poll(fds, n + asks, 1000) < 0)
        return errno == EINTR ? IDV_OK
                              : idv_fail(IDV_E_IO, "poll: %s", strerror(errno));
    for (nfds_t i = 0; i < n; i++) {
        if (fds[i].revents)
            hear(c, of[i]);
    }
    return asks && fds[n].revents ? next_device(c) : IDV_OK;
}

static idv_rc work(struct crew *c)
{
    while (c->more || c->progress.running) {
        IDV_TRY(listen_once(c));
        progress_draw(&c->progress);
    }
    return IDV_OK;
}

/* What was begun is brought to its end, whatever stops us. */
static void let_end(struct crew *c)
{
    c->more = false;
    while (c->progress.running) {
        if (listen_once(c) != IDV_OK)
            break;
    }
}

static idv_rc run(struct crew *c)
{
    idv_rc rc = work(c);
    if (rc != IDV_OK)
        let_end(c);
    progress_end(&c->progress);
    line_seal(c->l);
    if (rc != IDV_OK || !c->progress.failed)
        return rc;
    return idv_fail(IDV_E_REJECT, "%llu devices failed",
                    (unsigned long long)c->progress.failed);
}

/* A file is read through before anything is begun: what is wrong in it is told
 * at once, and how many devices there are is known. 0: they come as they come.
 */
static idv_rc count_devices(const char *path, uint64_t *out)
{
    struct fixtures f;
    struct stat st;
    bool more = true;
    *out = 0;
    if (strcmp(path, "-") == 0 || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return IDV_OK;
    IDV_TRY(fixtures_open(path, &f));
    idv_rc rc = IDV_OK;
    while (rc == IDV_OK && more) {
        struct fixture one = {0};
        rc = fixtures_next(&f, &more, &one);
        *out += rc == IDV_OK && more;
        fixture_free(&one);
    }
    fixtures_close(&f);
    return rc;
}

idv_rc batch_run(struct line *l, const struct batch *b)
{
    struct crew c = {.l = l, .b = b, .more = true};
    uint64_t total;
    if (b->jobs < 1 || b->jobs > JOBS_MAX)
        return idv_fail(IDV_E_ARG, "--jobs: 1 to %d", JOBS_MAX);
    IDV_TRY(count_devices(b->fixtures, &total));
    IDV_TRY(fixtures_open(b->fixtures, &c.fixtures));
    c.workers = calloc((size_t)b->jobs, sizeof(*c.workers));
    if (!c.workers) {
        fixtures_close(&c.fixtures);
        return idv_fail(IDV_E_NOMEM, "out of memory");
    }
    progress_begin(&c.progress, l->t, b->workers.order, total);
    idv_rc rc = run(&c);
    for (int64_t i = 0; i < b->jobs; i++)
        worker_free(&c.workers[i]);
    free(c.workers);
    fixtures_close(&c.fixtures);
    return rc;
}
