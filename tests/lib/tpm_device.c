/* SPDX-License-Identifier: Apache-2.0 */
/* The TPM of a program of tests. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "provider/device/tpm2_caps.h"
#include "tests/lib/abrmd.h"
#include "tests/lib/tpm_device.h"

static struct abrmd device; /* of which bus and manager may not run */

bool tpm_device_wanted(void)
{
    return strstr(program_invocation_short_name, "tpm") || tpm_device_managed();
}

bool tpm_device_managed(void)
{
    return strstr(program_invocation_short_name, "abrmd");
}

bool tpm_device_here(void)
{
    return tpm_device_managed() ? abrmd_here() : swtpm_here();
}

int tpm_device_up(void)
{
    bool managed = tpm_device_managed();
    if (managed ? abrmd_start(&device) : swtpm_start(&device.tpm))
        return -1;
    setenv("HWKEY_TCTI", managed ? device.tcti : device.tpm.tcti, 1);
    setenv("HWKEY_TPM_LOCK", device.tpm.lock, 1);
    return 0;
}

void tpm_device_down(void)
{
    abrmd_stop(&device);
}

static int count_one(void *arg, TPM2_HANDLE handle)
{
    (void)handle;
    ++*(size_t *)arg;
    return 1;
}

size_t tpm_device_left(void)
{
    static const TPM2_HANDLE ranges[] = {HWK_TPM_TRANSIENT, HWK_TPM_SESSIONS,
                                         TPM2_ACTIVE_SESSION_FIRST};
    char lock[sizeof(device.tpm.lock) + 8];
    /* not the lock of those who use it: who takes that tidies up first */
    snprintf(lock, sizeof(lock), "%s.look", device.tpm.lock);
    const struct hwk_config cfg = {.tcti = device.tpm.tcti, .tpm_lock = lock};
    struct hwk_tpm *tpm = hwk_tpm_new(&cfg);
    size_t n = 0;
    if (!tpm || !hwk_tpm_begin(tpm)) {
        hwk_tpm_free(tpm);
        return (size_t)-1;
    }
    for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
        if (!hwk_tpm_handles(tpm, ranges[i], count_one, &n))
            n++;
    hwk_tpm_end(tpm);
    hwk_tpm_free(tpm);
    return n;
}

unsigned long long tpm_device_commands(void)
{
    return atomic_load(&hwk_counters.tpm_commands);
}
