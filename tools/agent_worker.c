/* SPDX-License-Identifier: Apache-2.0 */
/* A worker of the agent: looks at the device, does what is due, ends. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pipe2 */
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <idevid/auto.h>
#include <idevid/offer.h>

#include "agent.h"
#include "pledge_crl.h"

/* a write of so much is never mixed with another */
_Static_assert(sizeof(struct agent_news) <= 4096, "PIPE_BUF");

/* --- in the worker -------------------------------------------------------- */

static int news_out = -1;

static void tell(const struct agent_news *news)
{
    (void)!write(news_out, news, sizeof(*news)); /* else nobody listens */
}

static void tell_step(void *arg, const char *event, const char *detail)
{
    struct agent_news news = {.kind = AGENT_STEP};
    (void)arg;
    snprintf(news.event, sizeof(news.event), "%s", event);
    snprintf(news.text, sizeof(news.text), "%s", detail ? detail : "");
    tell(&news);
}

/* --- whom it tries -------------------------------------------------------- */

static idv_rc put_candidate(struct idv_json *all,
                            const struct idv_pledge_candidate *c)
{
    struct idv_json *o = idv_json_new_object();
    idv_rc rc = o ? IDV_OK : IDV_E_NOMEM;
    if (rc == IDV_OK)
        rc = tool_put_text(o, "origin", idv_origin_name(c->origin));
    if (rc == IDV_OK)
        rc = tool_put_text(o, "host", c->host);
    if (rc == IDV_OK)
        rc = tool_put_int(o, "port", c->port);
    if (rc == IDV_OK && c->address[0])
        rc = tool_put_text(o, "address", c->address);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "now",
                           c->busy      ? "tried"
                           : c->pending ? "asked to wait"
                                        : "");
    if (rc == IDV_OK)
        rc = tool_put_int(o, "tries", (uint64_t)c->tries);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "last-failure", c->reason);
    if (rc != IDV_OK) {
        idv_json_free(o);
        return rc;
    }
    return idv_json_append(all, o);
}

/* As JSON; of many those that fit. */
static idv_rc candidates(const struct idv_pledge *pledge, struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) all = idv_json_new_array();
    static struct idv_pledge_snapshot now;
    idv_pledge_snapshot(pledge, idv_ticks_ms(), &now);
    for (size_t i = 0; all && i < now.n; i++) {
        IDV_TRY(put_candidate(all, &now.candidates[i]));
        IDV_AUTO(buf) text = {0};
        IDV_TRY(idv_json_dump(all, false, &text));
        if (text.n >= sizeof(((struct agent_news *)0)->text))
            return IDV_OK;
        idv_buf_free(out);
        IDV_TRY(idv_buf_put(out, idv_view(&text)));
    }
    return all ? IDV_OK : IDV_E_NOMEM;
}

/* when they are others than before */
static void tell_candidates(void *arg, const struct idv_pledge *pledge)
{
    static char before[sizeof(((struct agent_news *)0)->text)];
    struct agent_news news = {.kind = AGENT_CANDIDATES};
    IDV_AUTO(buf) text = {0};
    (void)arg;
    if (candidates(pledge, &text) != IDV_OK || text.n == 0) {
        idv_note_clear();
        return;
    }
    memcpy(news.text, text.p, text.n);
    if (strcmp(news.text, before) == 0)
        return;
    memcpy(before, news.text, sizeof(before));
    tell(&news);
}

/* --- what it does --------------------------------------------------------- */

static idv_rc look_at_crl(const struct pledge *p, struct agent_seen *seen)
{
    struct pledge_crl crl;
    idv_rc rc = pledge_crl_look(&p->s, &crl);
    seen->crl_from = crl.refresh;
    pledge_crl_free(&crl);
    return rc;
}

static idv_rc look(const struct pledge *p, struct agent_seen *out)
{
    struct agent_seen seen = {.state = idv_trust_state(p->s.trust)};
    const struct idv_enrollment *e = idv_trust_enrollment(p->s.trust);
    uint8_t hash[32];
    if (e) {
        const X509 *leaf = sk_X509_value(e->ldevid, 0);
        IDV_TRY(idv_cert_times(leaf, &seen.from, &seen.to));
        IDV_TRY(idv_cert_sha256(leaf, hash));
        seen.spread = hash[0];
        seen.unused = idv_trust_previous(p->s.trust) != NULL;
    }
    IDV_TRY(look_at_crl(p, &seen));
    *out = seen;
    return IDV_OK;
}

/* before anything else: what is due besides may fail for days */
static idv_rc refresh_crl(struct pledge *p, const struct agent_seen *seen)
{
    bool changed;
    if (!seen->crl_from || idv_now(p->t->env) < seen->crl_from)
        return IDV_OK;
    IDV_TRY(pledge_fetch_crl(p, &changed));
    return changed ? pledge_event(&p->s, "crl") : IDV_OK;
}

static idv_rc do_what_is_due(struct pledge *p, const struct agent_seen *seen)
{
    const struct pledge_work join = {.job = PLEDGE_JOIN};
    const struct pledge_work renew = {.job = PLEDGE_RENEW, .attempts = 1};
    const struct idv_env *env = p->t->env;
    IDV_TRY(refresh_crl(p, seen));
    if (seen->unused) /* what renewal gave was refused, or nobody was there */
        return pledge_work(p, &renew);
    switch (agent_due(seen, pledge_configuration.renew_share, idv_now(env))) {
    case AGENT_JOIN:
        return pledge_work(p, &join);
    case AGENT_RENEW:
        return pledge_work(p, &renew);
    case AGENT_REST:
        break;
    }
    return pledge_output(&p->s);
}

static idv_rc work(struct pledge *p, struct tool *t, struct agent_news *end)
{
    p->watch = tell_step;
    p->look = tell_candidates;
    idv_rc rc = pledge_start(p, t, STATE_CHANGE);
    end->tampered = state_tampered(&p->s, rc);
    if (rc == IDV_OK)
        rc = look(p, &end->seen);
    if (rc == IDV_OK)
        rc = do_what_is_due(p, &end->seen);
    if (rc != IDV_OK)
        snprintf(end->text, sizeof(end->text), "%s", idv_note());
    idv_note_clear();
    end->seen_known = p->s.trust && look(p, &end->seen) == IDV_OK;
    return rc;
}

/* What is told at the end is told while the lock is held: what changes after
 * it is somebody else's doing. */
static void be_worker(struct tool *t)
{
    AUTO_PLEDGE struct pledge p = PLEDGE_INIT;
    struct agent_news end = {.kind = AGENT_ENDED};
    t->quiet = true;
    t->json = false;
    end.rc = tool_open_provider(t);
    if (end.rc == IDV_OK)
        end.rc = work(&p, t, &end);
    else
        snprintf(end.text, sizeof(end.text), "%s", idv_note());
    tell(&end);
}

/* --- in the agent --------------------------------------------------------- */

idv_rc agent_worker_start(struct tool *t, struct agent_worker *w)
{
    int pipe_[2];
    const pid_t agent = getpid();
    fflush(NULL);
    if (pipe2(pipe_, O_CLOEXEC) != 0)
        return idv_fail(IDV_E_IO, "pipe: %s", strerror(errno));
    w->pid = fork();
    if (w->pid == 0) {
        close(pipe_[0]);
        news_out = pipe_[1];
        pledge_catch_signals();
        agent_wait_child();
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* none outlives the agent */
        if (getppid() == agent)
            be_worker(t);
        exit(0);
    }
    close(pipe_[1]);
    if (w->pid < 0) {
        w->pid = 0;
        close(pipe_[0]);
        return idv_fail(IDV_E_IO, "fork: %s", strerror(errno));
    }
    w->news = pipe_[0];
    return IDV_OK;
}

void agent_worker_stop(const struct agent_worker *w)
{
    if (w->pid > 0)
        kill(w->pid, SIGTERM);
}

static int reap(struct agent_worker *w)
{
    int status = 0;
    close(w->news);
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    *w = (struct agent_worker)AGENT_WORKER_INIT;
    return status;
}

void agent_worker_read(struct agent_worker *w, struct agent_news *out)
{
    ssize_t n;
    do {
        n = read(w->news, out, sizeof(*out));
    } while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof(*out)) {
        if (out->kind == AGENT_ENDED)
            (void)reap(w);
        return;
    }
    const int status = reap(w);
    *out = (struct agent_news){.kind = AGENT_ENDED, .rc = IDV_E_IO};
    snprintf(out->text, sizeof(out->text), "the worker ended by %s %d",
             WIFSIGNALED(status) ? "signal" : "code",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}
