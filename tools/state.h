/* SPDX-License-Identifier: Apache-2.0 */
/* What a device's own programs begin with: device, places, lock, trust. */
#ifndef TOOL_STATE_H
#define TOOL_STATE_H

#include <idevid/trust.h>

#include "pledge_conf.h"
#include "tool.h"

struct state {
    const struct tool *t;
    const struct pledge_conf *conf;
    char key[512], cert[512], anchor[512], ldevid[512]; /* URIs */
    int lock;
    struct idv_device *dev;
    struct idv_trust *trust;
};
#define STATE_INIT                                                             \
    {                                                                          \
        .lock = -1                                                             \
    }
void state_close(struct state *s);
#define AUTO_STATE __attribute__((cleanup(state_close)))

/* The places, the device, and how it keeps the anchor; nothing is read yet, and
 * no lock taken. The anchor is the caller's to close. */
idv_rc state_anchor(struct tool *t, const struct pledge_conf *conf,
                    struct state *s, struct idv_anchor *anchor) IDV_CHECKED;

enum state_use {
    STATE_LOOK,   /* reads only: no lock, nothing is repaired */
    STATE_CHANGE, /* one program at a time */
};

/*
 * Fills the places, takes the lock, opens the device and what it belongs to.
 * IDV_E_STATE with the holder's name and process number when another program
 * is at work.
 */
idv_rc state_open(struct tool *t, const struct pledge_conf *conf,
                  enum state_use use, struct state *s) IDV_CHECKED;
/* Did state_open fail because what is there does not fit together? Then trust
 * is NULL, and state_reset takes it away all the same. */
bool state_tampered(const struct state *s, idv_rc rc);

/* Back to factory default, the LDevID key included; the IDevID stays. */
idv_rc state_reset(struct state *s) IDV_CHECKED;

#endif
