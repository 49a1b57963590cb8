/* SPDX-License-Identifier: Apache-2.0 */
/* What a device's own programs begin with: device, places, lock, trust. */
#ifndef TOOL_STATE_H
#define TOOL_STATE_H

#include <idevid/trust.h>

#include "pledge_conf.h"
#include "tool.h"

#define STATE_CRL "crl.pem" /* in the directory: of the domain, as fetched */

struct state {
    const struct tool *t;
    const struct pledge_conf *conf;
    char key[512], cert[512], anchor[512], ldevid[512]; /* URIs */
    char ldevid_other[512]; /* where a renewal's new key is made; "": nowhere */
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

enum state_use {
    STATE_LOOK,   /* reads only: no lock, nothing is repaired */
    STATE_CHANGE, /* one program at a time */
};

/* Fills the places, takes the lock (or not, by use), opens the device. */
idv_rc state_begin(struct tool *t, const struct pledge_conf *conf,
                   enum state_use use, struct state *s) IDV_CHECKED;
/* The IDevID key. Where nobody configured one, a TPM may have it at its handle
 * or make it again out of TCG's template: s->key says which. */
idv_rc state_idevid(struct state *s, EVP_PKEY **out) IDV_CHECKED;
/* After that: how the device keeps the anchor; nothing is read. The caller's to
 * close. */
idv_rc state_anchor(const struct state *s, struct idv_anchor *out) IDV_CHECKED;
/*
 * The same, and opens what the device belongs to.
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
