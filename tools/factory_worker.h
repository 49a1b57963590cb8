/* SPDX-License-Identifier: Apache-2.0 */
/* A worker: another process of this program that makes one device after
 * another. */
#ifndef FACTORY_WORKER_H
#define FACTORY_WORKER_H

#include <sys/types.h>

#include "factory_device.h"
#include "factory_fixtures.h"

/*
 * Jobs go to its standard input, an object in a line, with the names of the
 * fixture's columns, and WORKER_ASKED for one that was cut off when its request
 * was made: with --again it would be made yet another time. The events of
 * device_event come back, and besides {"event":"ready"} whenever it waits for a
 * job, and {"event":"taken"} when it has read one, before it looks at the
 * device. It ends with its input, after a device that failed, and when it has
 * made WORKER_DEVICES.
 */
#define WORKER_DEVICES 500
#define WORKER_LINE_MAX 65536
#define WORKER_READY "ready"
#define WORKER_TAKEN "taken"
#define WORKER_ASKED "asked"

struct worker {
    pid_t pid;                   /* 0: there is none */
    int in, out;                 /* its standard input and output */
    struct idv_buf module, pins; /* what it was begun with */
    struct idv_buf line;         /* of its output, not whole yet */
    struct fixture fixture;      /* of the job */
    int64_t tries;               /* of the job */
    bool asked;                  /* of the job: the book has its request */
    bool busy;                   /* it has a job */
    bool waited;                 /* it was there before it got it */
    bool taken;                  /* it has read it */
    bool ended;                  /* told the end of it: done, kept, failed */
    bool failed;                 /* and that was failed */
};

/* What all of a batch are begun with. */
struct worker_conf {
    const char *dir, *conf_path, *order, *operator_;
    const char *const *pass; /* options handed on as they are, NULL-ended */
};

/* Whether it is there, has nothing to do, and serves that fixture: its PKCS#11
 * module and PIN file are the process's. */
bool worker_fits(const struct worker *w, const struct fixture *f);
/* Gives it w->fixture, and begins it where it is not there. */
idv_rc worker_give(struct worker *w, const struct worker_conf *c) IDV_CHECKED;
/* Whether it ended while it waited: the device of the job it was given since
 * was not touched. */
bool worker_missed(const struct worker *w);
/* Takes what it says. *line: the next whole line, borrowed until the next call
 * of this; NULL: none yet. False: it says no more; worker_reap then. */
bool worker_hear(struct worker *w);
bool worker_line(struct worker *w, struct idv_buf *line);
/* The status of its end, as waitpid has it. */
int worker_reap(struct worker *w);
/* Lets one without a job end; one that does not is killed after a while. */
void worker_dismiss(struct worker *w);
void worker_free(struct worker *w);

/* The other side, `provision --worker`: until its input ends. */
idv_rc worker_serve(struct line *l) IDV_CHECKED;

#endif
