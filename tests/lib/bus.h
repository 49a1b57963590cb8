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
#define BUS_KEPT_MAX 1024
#define BUS_KEPT_N 128

/* an answer of an earlier time */
struct bus_kept {
    uint32_t code, asked;
    size_t n;
    uint8_t p[BUS_KEPT_MAX];
};

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
    /* commands, counted by who sets it to 0, and what a test makes of them */
    unsigned count, nth, way;
    uint32_t always[2];
    bool twice; /* set for a command: it is sent, and then once more */
    bool learn; /* answers are kept */
    struct bus_kept kept[BUS_KEPT_N];
    unsigned kept_n;
    /* what came of it */
    unsigned struck; /* how often something was altered */
    size_t last;     /* how long the last message of that code was */
    uint8_t command[BUS_MESSAGE_MAX]; /* the last one, as it was sent */
    size_t command_n;
    size_t heard_n;
    uint8_t heard[BUS_HEARD_MAX]; /* all that was said, one after the other */
};

/* Called in the process on the bus for every message, a command or its answer:
 * may change p[*n], which has room for BUS_MESSAGE_MAX. A command made of no
 * bytes does not get to the TPM; it is then called for an answer of none, which
 * it can make one of. An answer of no bytes cuts the line. */
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
/* "It is done" to talk->code, which the TPM is never told, in the name of a
 * session whose key is nobody's secret: with the HMAC that an empty key makes.
 * For commands with two handles, one session and no results. */
bus_fn bus_pretend;
bus_fn bus_strip; /* the session part of the answer to talk->code */

#endif
