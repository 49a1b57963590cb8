/* SPDX-License-Identifier: Apache-2.0 */
/* A program that uses the TPM of a test through somebody on the bus. */
#ifndef TESTS_UNIT_BUS_USE_H
#define TESTS_UNIT_BUS_USE_H

#include "tests/lib/bus.h"
#include "tpm.h"

struct program {
    struct bus bus;
    struct hwk_config cfg;
    struct hwk_tpm *tpm;
};

static inline void begin(struct program *p, bus_fn *fn)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/sock", tpm_process.dir);
    assert_int_equal(bus_start(&p->bus, path, fn), 0);
    p->cfg =
        (struct hwk_config){.tcti = p->bus.tcti, .tpm_lock = tpm_process.lock};
    assert_non_null(p->tpm = hwk_tpm_new(&p->cfg));
}

/* the program, started anew; the bus stays */
static inline void anew(struct program *p)
{
    hwk_tpm_free(p->tpm);
    assert_non_null(p->tpm = hwk_tpm_new(&p->cfg));
    ERR_clear_error();
}

static inline void stop(struct program *p)
{
    hwk_tpm_free(p->tpm);
    bus_stop(&p->bus);
    ERR_clear_error();
}

#endif
