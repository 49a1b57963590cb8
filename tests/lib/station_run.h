/* SPDX-License-Identifier: Apache-2.0 */
/* Stations, each a process of its own with the same device, book and desk,
 * which can be made to end, or to fail, at any of their steps. */
#ifndef TESTS_STATION_RUN_H
#define TESTS_STATION_RUN_H

#include <idevid/station.h>

#include "tests/lib/factory_book.h"
#include "tests/lib/minidesk.h"
#include "tests/lib/swtpm.h"

#define STATION_NAME "Maker MASA" /* pki.masa signs for it */

enum station_act {
    STATION_LOOK,
    STATION_REQUEST, /* leaves it in dir/request */
    STATION_REPEAT,  /* the same, from the book */
    STATION_ISSUE,   /* the desk's part: dir/request to dir/reply */
    STATION_INSTALL, /* of dir/reply */
    STATION_FINISH,
    STATION_PROVISION, /* from wherever the device is to the end */
    STATION_VERIFY,
    STATION_WIPE,
    STATION_RETIRE,
    STATION_RELEASE, /* of the serial number */
};

/* what a run is cut at */
enum station_step {
    STATION_SENDS,   /* a command is about to be sent to the TPM */
    STATION_ANSWERS, /* it was executed, the answer is on its way */
    STATION_READS,   /* the book is about to be asked */
    STATION_WRITES,  /* ... written */
    STATION_WRITTEN, /* it was written */
    STATION_STEPS
};

enum station_end { STATION_DIES, STATION_FAILS };

struct station_result {
    idv_rc rc;
    enum idv_factory_why why;
    char note[IDV_NOTE_MAX];
    struct idv_station_calls calls;
    enum idv_factory_state state; /* as looked at */
    bool known, has_idevid, has_other;
    char has_serial[IDV_MAX_SERIAL + 1], text[128];
    uint8_t ek[32];
    int steps[STATION_STEPS];
    bool struck, died;
};

struct station_line {
    struct pki pki;
    struct book book;
    struct swtpm tpm;
    char dir[64];
    struct idv_station_conf conf; /* signer, book and so on are filled in */
    struct idv_lockdown lockdown; /* used when conf.lockdown is set to it */
    struct minidesk desk;
    /* another desk, called in a process of its own; NULL: the one above */
    idv_rc (*issue)(const struct station_line *l, struct idv_bytes request,
                    struct idv_buf *reply);
    uint8_t challenge[IDV_FACTORY_CHALLENGE]; /* what requests are made over */
    const char *lockout_pin, *owner_pin; /* files: values of the hierarchies */
    enum station_step kind;
    enum station_end end;
    int at; /* 0: nowhere */
};

/* PKI, book and directories; no device yet. */
void station_line_open(struct station_line *l);
void station_line_close(struct station_line *l);
/* The device is as new: another TPM of the same vendor; the book is kept. */
bool station_line_tpm(struct station_line *l);

/* Runs it to its end; false: it ended otherwise than it was made to. */
bool station_run(struct station_line *l, enum station_act act,
                 struct station_result *out);

#endif
