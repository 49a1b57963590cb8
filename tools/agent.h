/* SPDX-License-Identifier: Apache-2.0 */
/* The agent: idevid-pledge run, which joins, renews, and sleeps in between. */
#ifndef TOOL_AGENT_H
#define TOOL_AGENT_H

#include <sys/types.h>

#include "pledge.h"

/*
 * The agent itself opens neither the device nor the network: for each thing to
 * do it forks a worker, which takes the lock on the state directory, looks at
 * the device, does what is due and ends. So between two such moments others may
 * use the device, nothing of it is in memory, and whatever a worker meets, it
 * leaves no trace in the process that lives on.
 */

/* --- when (agent_plan.c): pure -------------------------------------------- */

/* What a worker found at its end. */
struct agent_seen {
    enum idv_trust_state state;
    int64_t from, to; /* the LDevID's validity; ENROLLED */
    uint8_t spread;   /* differs between devices, not between looks */
    bool unused;      /* nobody was let in with it yet, after a renewal */
    int64_t
        crl_from; /* when the CRLs that it names are due; 0: it names none */
};

/*
 * When renewal is due: share percent of the life from..to, and up to a tenth of
 * that earlier, by spread, so that not all devices of a domain come at once.
 * RFC 8994 section 6.2.5.2 wants it before half of the life is over.
 */
int64_t agent_renewal(const struct agent_seen *seen, int64_t share);

enum agent_due { AGENT_REST, AGENT_JOIN, AGENT_RENEW };
/* What is due now. A clock that is before the LDevID was issued says nothing:
 * nothing is due then. */
enum agent_due agent_due(const struct agent_seen *seen, int64_t share,
                         int64_t now);
/* When to look again: at the renewal, or, with a clock that says nothing, when
 * share percent of a life has passed from now. */
int64_t agent_next(const struct agent_seen *seen, int64_t share, int64_t now);
/* When to fetch CRLs again, at now that was just tried: when they are due, or,
 * when what was to be had is not newer, after a pause that grows with *behind,
 * the times in a row that this was so. INT64_MAX: never. */
int64_t agent_crl_next(const struct agent_seen *seen, int64_t now,
                       unsigned *behind);
/* Seconds to wait after so many failures in a row: 5 at first, doubled each
 * time, an hour at most (RFC 8995 section 4.1). */
int64_t agent_pause(unsigned failures);

/* --- a worker (agent_worker.c) -------------------------------------------- */

/* What it tells while it works, and when it has ended. */
struct agent_news {
    enum {
        AGENT_STEP,       /* event and text, as of pledge_progress */
        AGENT_CANDIDATES, /* text: registrars that it knows, as JSON */
        AGENT_ENDED,      /* all the rest; text: why it failed */
    } kind;
    idv_rc rc;
    bool tampered;   /* what is there does not fit together */
    bool seen_known; /* seen is filled */
    struct agent_seen seen;
    char event[32];
    char text[3500];
};

struct agent_worker {
    pid_t pid; /* 0: none */
    int news;  /* readable when there is news; -1 */
};
#define AGENT_WORKER_INIT                                                      \
    {                                                                          \
        .news = -1                                                             \
    }
idv_rc agent_worker_start(struct tool *t, struct agent_worker *w) IDV_CHECKED;
/* The next piece of news; the one that says it ended has been waited for, also
 * of a worker that was killed. */
void agent_worker_read(struct agent_worker *w, struct agent_news *out);
/* Asks it to end. */
void agent_worker_stop(const struct agent_worker *w);

/* --- waiting (agent_wait.c) ----------------------------------------------- */

struct agent_wait {
    int signals, timer, files;
    int watchdog_ms; /* -1: none */
};
#define AGENT_WAIT_INIT                                                        \
    {                                                                          \
        .signals = -1, .timer = -1, .files = -1, .watchdog_ms = -1             \
    }
struct agent_woken {
    bool stop, reload; /* signals */
    bool due;          /* the moment has come, or the clock was set */
    bool changed;      /* somebody else changed the state directory */
    bool news;
};
/* Signals are blocked from here on. */
idv_rc agent_wait_open(struct agent_wait *w, const char *directory) IDV_CHECKED;
void agent_wait_close(struct agent_wait *w);
/* From now on changes of that directory count. */
idv_rc agent_wait_files(struct agent_wait *w,
                        const char *directory) IDV_CHECKED;
/* Wakes at this second of the clock, whoever sets it meanwhile; 0: never. */
idv_rc agent_wait_until(struct agent_wait *w, int64_t at) IDV_CHECKED;
/* Sleeps until something happens; nothing wakes it for nothing, but a watchdog
 * that wants to be told. news is a worker's, or -1. */
idv_rc agent_wait(struct agent_wait *w, int news,
                  struct agent_woken *out) IDV_CHECKED;
/* Forgets what was changed until now. */
void agent_wait_forget(struct agent_wait *w);
/* In a worker: signals arrive again. */
void agent_wait_child(void);

/* --- the state file (agent_state.c) --------------------------------------- */

struct agent_state {
    const char *stage; /* "starting", "working", "resting", "waiting" */
    bool known;
    struct agent_seen seen;
    char step[32], detail[IDV_NOTE_MAX]; /* of the work at hand */
    struct idv_json *candidates;         /* likewise; NULL: none */
    int64_t next;                        /* when something is done; 0 */
    unsigned failures;                   /* in a row */
    unsigned crl_behind;        /* times in a row that none was newer */
    char failure[IDV_NOTE_MAX]; /* the last one */
    int64_t failed_at;
};
idv_rc agent_state_write(const char *path,
                         const struct agent_state *s) IDV_CHECKED;
/* What is in the file of an agent that lives, as it stands; NULL: none does. */
idv_rc agent_state_read(const char *path, struct idv_json **out) IDV_CHECKED;

#endif
