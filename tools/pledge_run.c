/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-pledge run: the agent. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/fs.h>

#include "agent.h"
#include "notify.h"

struct agent {
    struct tool *t;
    struct agent_wait wait;
    struct agent_worker worker;
    struct agent_state state;
    bool ready;    /* said so */
    bool stopping; /* as soon as the worker has ended */
    bool again;    /* look once more when the worker has ended */
    bool over;
    idv_rc rc; /* how it ended */
};

/* --- saying it ------------------------------------------------------------ */

static void write_state(const struct agent *a)
{
    if (agent_state_write(pledge_configuration.agent_state, &a->state) ==
        IDV_OK)
        return;
    idv_log(a->t->env, IDV_LOG_WARN, "state-file", "reason=%s",
            idv_log_value(idv_note()));
    idv_note_clear();
}

static void say(struct agent *a)
{
    char text[IDV_NOTE_MAX + 128], time[IDV_TIME_TEXT] = "";
    const struct agent_state *s = &a->state;
    if (s->next && idv_time_to_text(s->next, time) != IDV_OK)
        idv_note_clear();
    snprintf(text, sizeof(text), "%sSTATUS=%s%s%s%s%s%s%s",
             a->ready ? "" : "READY=1\n", s->stage, *s->step ? ": " : "",
             s->step, *s->detail ? ", " : "", s->detail,
             *time ? ", next at " : "", time);
    a->ready = true;
    tool_notify(text);
    write_state(a);
}

static void log_state(const struct agent *a, const struct agent_seen *now)
{
    const struct agent_state *s = &a->state;
    if (s->known && s->seen.state == now->state && s->seen.to == now->to)
        return;
    char until[IDV_TIME_TEXT] = "-";
    if (now->state == IDV_TRUST_ENROLLED &&
        idv_time_to_text(now->to, until) != IDV_OK)
        idv_note_clear();
    idv_log(a->t->env, IDV_LOG_INFO, "state", "was=%s is=%s until=%s",
            s->known ? idv_trust_state_to_text(s->seen.state) : "unknown",
            idv_trust_state_to_text(now->state), until);
}

/* --- one thing after the other -------------------------------------------- */

static idv_rc work(struct agent *a)
{
    a->again = false;
    a->state.stage = "working";
    a->state.next = 0;
    IDV_TRY(agent_wait_until(&a->wait, 0));
    return agent_worker_start(a->t, &a->worker);
}

static idv_rc sleep_until(struct agent *a, const char *stage, int64_t at)
{
    a->state.stage = stage;
    a->state.next = at;
    a->state.step[0] = a->state.detail[0] = 0;
    if (a->state.failures == 0)
        idv_json_free(idv_steal(&a->state.candidates));
    IDV_TRY(agent_wait_until(&a->wait, at));
    say(a);
    return IDV_OK;
}

static idv_rc rest(struct agent *a)
{
    const int64_t now = idv_now(a->t->env);
    const int64_t next =
        agent_next(&a->state.seen, pledge_configuration.renew_share, now);
    const int64_t crl =
        agent_crl_next(&a->state.seen, now, &a->state.crl_behind);
    a->state.failures = 0;
    return sleep_until(a, "resting", crl < next ? crl : next);
}

/* What is there does not fit together, or cannot be so as configured: that
 * ends only by somebody's hand. */
static bool hopeless(const struct agent_news *news)
{
    return news->tampered || news->rc == IDV_E_ARG;
}

static idv_rc failed(struct agent *a, const struct agent_news *news)
{
    struct agent_state *s = &a->state;
    idv_log(a->t->env, hopeless(news) ? IDV_LOG_ERROR : IDV_LOG_WARN, "failed",
            "class=%s reason=%s", idv_rc_name(news->rc),
            idv_log_value(news->text));
    snprintf(s->failure, sizeof(s->failure), "%.*s",
             (int)sizeof(s->failure) - 1, news->text);
    s->failed_at = idv_now(a->t->env);
    if (hopeless(news)) {
        a->over = true;
        a->rc = idv_fail(news->rc, "%s", news->text);
        return IDV_OK;
    }
    const int64_t pause = agent_pause(s->failures);
    s->failures++;
    return sleep_until(a, "waiting", s->failed_at + pause);
}

/* When the clock came to be set while it worked, or work was interrupted, the
 * next look finds out. */
static idv_rc ended(struct agent *a, const struct agent_news *news)
{
    agent_wait_forget(&a->wait);
    if (news->seen_known) {
        log_state(a, &news->seen);
        a->state.seen = news->seen;
        a->state.known = true;
    }
    if (a->stopping) {
        a->over = true;
        return IDV_OK;
    }
    if (a->again)
        return work(a);
    return news->rc == IDV_OK ? rest(a) : failed(a, news);
}

static void take_candidates(struct agent *a, const char *text)
{
    struct idv_json *all = NULL;
    if (idv_json_parse(idv_str(text), 0, &all) != IDV_OK)
        idv_note_clear();
    idv_json_free(a->state.candidates);
    a->state.candidates = all;
}

static idv_rc hear(struct agent *a)
{
    struct agent_news news;
    agent_worker_read(&a->worker, &news);
    if (news.kind == AGENT_ENDED)
        return ended(a, &news);
    if (news.kind == AGENT_CANDIDATES) {
        take_candidates(a, news.text);
        write_state(a);
        return IDV_OK;
    }
    snprintf(a->state.step, sizeof(a->state.step), "%s", news.event);
    snprintf(a->state.detail, sizeof(a->state.detail), "%.*s",
             (int)sizeof(a->state.detail) - 1, news.text);
    say(a);
    return IDV_OK;
}

/* --- what wakes it -------------------------------------------------------- */

static void reload(struct agent *a)
{
    tool_notify_reloading();
    idv_rc rc = tool_reload(a->t, sizeof(struct pledge_conf));
    if (rc == IDV_OK)
        rc = agent_wait_files(&a->wait, pledge_configuration.directory);
    if (rc == IDV_OK)
        idv_log(a->t->env, IDV_LOG_INFO, "configuration", "file=%s",
                idv_log_value(a->t->conf_path));
    else
        idv_log_failure(a->t->env, "configuration-kept", rc);
    tool_notify("READY=1");
}

static idv_rc act(struct agent *a, const struct agent_woken *w)
{
    const bool busy = a->worker.pid > 0;
    if (w->stop) {
        a->stopping = true;
        tool_notify("STOPPING=1");
    }
    if (w->reload)
        reload(a);
    a->again = a->again || w->reload;
    if (busy && (w->stop || w->reload))
        agent_worker_stop(&a->worker);
    if (busy)
        return w->news ? hear(a) : IDV_OK;
    a->over = a->stopping;
    if (!a->over && (w->reload || w->due || w->changed))
        return work(a);
    return IDV_OK;
}

static idv_rc serve(struct agent *a)
{
    struct agent_woken woken;
    IDV_TRY(idv_fs_mkdir(pledge_configuration.directory, 0700));
    IDV_TRY(agent_wait_open(&a->wait, pledge_configuration.directory));
    IDV_TRY(work(a));
    while (!a->over) {
        IDV_TRY(agent_wait(&a->wait, a->worker.news, &woken));
        IDV_TRY(act(a, &woken));
    }
    return a->rc;
}

idv_rc pledge_run(struct tool *t, int argc, char **argv)
{
    struct agent a = {.t = t,
                      .wait = AGENT_WAIT_INIT,
                      .worker = AGENT_WORKER_INIT,
                      .state.stage = "starting"};
    (void)argc;
    (void)argv;
    if (!t->quiet && !t->verbose)
        t->sys.level = IDV_LOG_INFO;
    idv_rc rc = serve(&a);
    unlink(pledge_configuration.agent_state); /* its process is over anyway */
    if (!a.stopping)
        tool_notify("STOPPING=1");
    agent_wait_close(&a.wait);
    idv_json_free(a.state.candidates);
    return rc;
}
