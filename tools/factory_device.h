/* SPDX-License-Identifier: Apache-2.0 */
/* One device in a fixture, from whatever state it is in to its end. */
#ifndef FACTORY_DEVICE_H
#define FACTORY_DEVICE_H

#include "factory_line.h"

/* What is to be done. Strings borrowed, NULL absent. */
struct device_job {
    const char *fixture; /* for people and line software */
    const char *device;  /* tpm2: or pkcs11:token=... */
    const char *tcti;    /* how that TPM is reached; NULL: as configured */
    const char *order;   /* in the book; NULL: the order "single" */
    const char *serial;  /* NULL: the next of the order, or the device's own */
    const char *model;   /* where no order says it */
    const char *operator_;
    const char *key_uri, *cert_uri, *ek_cert;
    const char *power_cycle; /* command, or NULL */
    int profile, type;       /* -1: the order's, else the configuration's */
    bool again;
    bool owner_nv;
    int64_t wait_s; /* for a desk or CA that does not answer */
};

enum device_end {
    DEVICE_DONE,
    DEVICE_KEPT, /* it had its identity already */
    DEVICE_FAILED,
};

/* How it went. */
struct device_result {
    enum device_end end;
    enum idv_factory_why why;
    char serial_number[IDV_MAX_SERIAL + 1];
    char text[128]; /* maker, model, firmware */
    char note[IDV_NOTE_MAX];
    struct idv_station_calls calls;
    unsigned trips;
    int64_t ms, cpu_us; /* of this process */
};

bool device_is_tpm(const struct device_job *job);

/* Events are told as they happen (--json: an object in a line). The return
 * value is that of what failed, for the exit code. */
idv_rc device_provision(struct line *l, const struct device_job *job,
                        struct device_result *out) IDV_CHECKED;

/* A job's station; serial may be set in *conf until the first request. */
void device_conf(const struct line *l, const struct device_job *job,
                 struct idv_station_conf *conf);

/* What the order's line says of the device, for what the station asks; line is
 * borrowed as long as the station is used, NULL: nothing. */
void device_has(struct idv_station *s, const struct idv_json *line);

/* A line of JSON: {"event":..,"time":..,"fixture":..,"serial-number":..,...};
 * note and why only where there is something to say. For people nothing. */
void device_event(const struct line *l, const struct device_job *job,
                  const char *event, const struct device_result *r);

/* Runs a command, without a shell: words between blanks, quotes keep them
 * together. IDV_E_ARG, IDV_E_IO: its exit status is not 0. */
idv_rc device_command(const char *command) IDV_CHECKED;

#endif
