/* SPDX-License-Identifier: Apache-2.0 */
/* A worker, from inside: one device after another. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <idevid/auto.h>

#include "factory.h"
#include "factory_worker.h"

/* What the devices' own commands read is not our jobs. */
static idv_rc jobs_open(FILE **out)
{
    const int jobs = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    *out = jobs >= 0 ? fdopen(jobs, "r") : NULL;
    if (*out && nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0) {
        close(nothing);
        return IDV_OK;
    }
    return idv_fail(IDV_E_IO, "jobs: %s", strerror(errno));
}

static idv_rc say(const char *event)
{
    if (printf("{\"event\":\"%s\"}\n", event) < 0 || fflush(stdout) != 0)
        return idv_fail(IDV_E_IO, "standard output: %s", strerror(errno));
    return IDV_OK;
}

static const char *said(const struct idv_json *o, enum fixture_column c)
{
    return idv_json_text(idv_json_get(o, fixture_name(c)));
}

static idv_rc make(struct line *l, struct idv_bytes text, bool *tpm)
{
    IDV_AUTO_PTR(idv_json) o = NULL;
    struct device_job job;
    struct device_result result;
    IDV_TRY(idv_json_parse(text, WORKER_LINE_MAX, &o));
    opt.fixture = said(o, FIXTURE_NAME);
    opt.device = said(o, FIXTURE_DEVICE);
    opt.serial = said(o, FIXTURE_SERIAL);
    opt.power_cycle = said(o, FIXTURE_POWER_CYCLE);
    IDV_TRY(factory_need(opt.device, "a job's device"));
    IDV_TRY(factory_job(&job));
    job.tcti = said(o, FIXTURE_TCTI);
    job.again = job.again && !idv_json_get(o, WORKER_ASKED);
    *tpm = device_is_tpm(&job);
    return device_provision(l, &job, &result);
}

/* The TPM is let go, so that nothing of it is taken for the next one, and its
 * line is free while we wait. Where a key of the station is in it, that is not
 * possible: then the next device is another process's. */
static bool may_go_on(bool tpm)
{
    if (!tpm || idv_tpm_reach(NULL) == IDV_OK)
        return true;
    idv_note_clear();
    return false;
}

static idv_rc serve(struct line *l, FILE *jobs)
{
    char *text = NULL;
    size_t room = 0;
    idv_rc rc = IDV_OK;
    bool tpm = false;
    for (int i = 0; rc == IDV_OK && i < WORKER_DEVICES && may_go_on(tpm); i++) {
        rc = say(WORKER_READY);
        const ssize_t n = rc == IDV_OK ? getline(&text, &room, jobs) : -1;
        if (n < 0)
            break;
        rc = say(WORKER_TAKEN);
        if (rc == IDV_OK)
            rc = make(l, idv_bytes(text, (size_t)n), &tpm);
    }
    free(text);
    return rc;
}

idv_rc worker_serve(struct line *l)
{
    FILE *jobs = NULL;
    idv_rc rc = jobs_open(&jobs);
    if (rc == IDV_OK)
        rc = serve(l, jobs);
    if (jobs)
        fclose(jobs);
    return rc;
}
