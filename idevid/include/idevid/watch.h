/* SPDX-License-Identifier: Apache-2.0 */
/* Something that waits on descriptors beside others, in anybody's poll(2). */
#ifndef IDEVID_WATCH_H
#define IDEVID_WATCH_H

#include <poll.h>

#include <idevid/err.h>

/*
 * fds fills out with what to wait for, at most max entries, and returns how
 * many there are; they may differ after each ready. timeout_ms is in how many
 * milliseconds ready must be called though no descriptor is; -1: not before
 * one is. ready does what is due, given the entries as poll left them (some,
 * all or none of them ready; never blocks).
 */
struct idv_watch {
    size_t (*fds)(void *self, struct pollfd *out, size_t max);
    int (*timeout_ms)(void *self);
    idv_rc (*ready)(void *self, const struct pollfd *fds, size_t n);
    void *self;
};

#endif
