/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody on the bus between a program and its TPM: a process that hears all
 * that is said, and alters what a test tells it to. */
#ifndef TESTS_BUS_H
#define TESTS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BUS_MESSAGE_MAX 4096
#define BUS_HEARD_MAX (1u << 20)

/* Shared by the test and the process on the bus; the test writes while nothing
 * is on its way. */
struct bus_talk {
    /* what bus_alter_byte alters */
    uint32_t code; /* of the command */
    bool answer;   /* in its answer, not in itself */
    size_t at;     /* this byte ... */
    uint8_t flip;  /* ... by these bits */
    /* what bus_replace gives instead, when the command is about handle */
    uint32_t handle, asked;
    uint8_t instead[BUS_MESSAGE_MAX];
    size_t instead_n;
    /* what came of it */
    unsigned struck; /* how often something was altered */
    size_t last;     /* how long the last message of that code was */
    size_t heard_n;
    uint8_t heard[BUS_HEARD_MAX]; /* all that was said, one after the other */
};

/* Called in the process on the bus for every message, a command or its answer:
 * may change p[*n], which has room for BUS_MESSAGE_MAX. */
typedef void bus_fn(struct bus_talk *talk, bool answer, uint32_t code,
                    uint8_t *p, size_t *n);

struct bus {
    char dir[96], tcti[160]; /* the TPM through the bus */
    pid_t pid;
    struct bus_talk *talk;
};

/* Puts itself in front of the software TPM with that socket. fn NULL only
 * listens. 0, or -1 with a line on stderr. It ends with its parent. */
int bus_start(struct bus *bus, const char *socket, bus_fn *fn);
/* Ends it, by pid, and removes its directory. */
void bus_stop(struct bus *bus);

bool bus_heard(const struct bus *bus, const void *p, size_t n);

/* some of what can be done on a bus */
bus_fn bus_alter_byte; /* talk->flip at talk->at */
bus_fn bus_replace;    /* the answer to talk->code */
bus_fn bus_strip;      /* the session part of the answer to talk->code */

#endif
