/* SPDX-License-Identifier: Apache-2.0 */
/* A software TPM of a test's own behind its resource manager. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/abrmd.h"

#define PATIENCE_MS 10000
#define TCTI "tabrmd:bus_type=session"

bool abrmd_here(void)
{
    const char *path = getenv("PATH");
    char more[4096];
    /* where daemons are, and not everybody looks */
    snprintf(more, sizeof(more), "%s:/usr/sbin:/sbin",
             path ? path : "/usr/bin");
    setenv("PATH", more, 1);
    return swtpm_here() && program_here("dbus-daemon") &&
           program_here("tpm2-abrmd") && program_here("tpm2_getrandom");
}

/* in a child that is silent and ends with its parent */
static pid_t run(const char *const argv[])
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static int write_conf(const struct abrmd *a, const char *file)
{
    FILE *f = fopen(file, "w");
    if (!f)
        return -1;
    fprintf(f,
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus "
            "Configuration 1.0//EN\" \"http://www.freedesktop.org/standards/"
            "dbus/1.0/busconfig.dtd\">\n"
            "<busconfig><type>session</type>"
            "<listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>"
            "<policy context=\"default\"><allow send_destination=\"*\"/>"
            "<allow receive_sender=\"*\"/><allow own=\"*\"/><allow "
            "user=\"*\"/></policy>"
            "</busconfig>\n",
            a->tpm.dir);
    return fclose(f);
}

static bool ended(pid_t *pid)
{
    if (*pid > 0 && waitpid(*pid, NULL, WNOHANG) == *pid)
        *pid = 0;
    return *pid <= 0;
}

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool bus_answers(const struct abrmd *a)
{
    return socket_answers(a->tpm.dir, "bus");
}

/* as long as who it is waited for is there */
static int await(struct abrmd *a, pid_t *who,
                 bool (*ready)(const struct abrmd *a))
{
    long end = now_ms() + PATIENCE_MS;
    while (!ended(who) && now_ms() < end) {
        if (ready(a))
            return 0;
        poll(NULL, 0, 10);
    }
    return -1;
}

/* asked by another process: what GLib leaves in one is not for a test */
static bool manager_answers(const struct abrmd *a)
{
    (void)a;
    int status = -1;
    pid_t pid =
        run((const char *const[]){"timeout", "5", "tpm2_getrandom", "-Q", "-T",
                                  TCTI, "-o", "/dev/null", "8", NULL});
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static int bus_up(struct abrmd *a)
{
    char file[128], option[160], address[160];
    snprintf(file, sizeof(file), "%s/bus.conf", a->tpm.dir);
    snprintf(option, sizeof(option), "--config-file=%s", file);
    snprintf(address, sizeof(address), "unix:path=%s/bus", a->tpm.dir);
    if (write_conf(a, file) || setenv("DBUS_SESSION_BUS_ADDRESS", address, 1))
        return -1;
    a->bus =
        run((const char *const[]){"dbus-daemon", option, "--nofork", NULL});
    return await(a, &a->bus, bus_answers);
}

static int manager_up(struct abrmd *a)
{
    char option[200];
    snprintf(option, sizeof(option), "--tcti=%s", a->tpm.tcti);
    a->manager = run((const char *const[]){
        "tpm2-abrmd", "--session", option, "--max-connections=100",
        geteuid() == 0 ? "--allow-root" : NULL, NULL});
    return await(a, &a->manager, manager_answers);
}

static int start(struct abrmd *a, bool vendor, const char *ca)
{
    memset(a, 0, sizeof(*a));
    snprintf(a->tcti, sizeof(a->tcti), TCTI);
    if ((vendor ? swtpm_start_vendor(&a->tpm, ca) : swtpm_start(&a->tpm)) ==
            0 &&
        bus_up(a) == 0 && manager_up(a) == 0)
        return 0;
    fprintf(stderr, "tpm2-abrmd does not answer in %s\n", a->tpm.dir);
    abrmd_stop(a);
    return -1;
}

int abrmd_start(struct abrmd *a)
{
    return start(a, false, NULL);
}

int abrmd_start_vendor(struct abrmd *a, const char *ca)
{
    return start(a, true, ca);
}

static void end(pid_t *pid)
{
    if (*pid <= 0)
        return;
    kill(*pid, SIGTERM);
    waitpid(*pid, NULL, 0);
    *pid = 0;
}

int abrmd_cycle(struct abrmd *a)
{
    end(&a->manager);
    return manager_up(a);
}

void abrmd_stop(struct abrmd *a)
{
    end(&a->manager);
    end(&a->bus);
    swtpm_stop(&a->tpm);
}
