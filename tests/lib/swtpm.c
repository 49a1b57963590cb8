/* SPDX-License-Identifier: Apache-2.0 */
/* A software TPM of a test's own: its directory, its sockets, its process. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "swtpm.h"

#define PATIENCE_MS 10000

bool program_here(const char *name)
{
    const char *path = getenv("PATH");
    char file[512];
    while (path && *path) {
        size_t n = strcspn(path, ":");
        snprintf(file, sizeof(file), "%.*s/%s", (int)n, path, name);
        if (access(file, X_OK) == 0)
            return true;
        path += n + (path[n] == ':');
    }
    return false;
}

bool swtpm_here(void)
{
    return program_here("swtpm");
}

static void become(const struct swtpm *t)
{
    char state[128], server[160], ctrl[160];
    snprintf(state, sizeof(state), "dir=%s", t->dir);
    snprintf(server, sizeof(server), "type=unixio,path=%s/sock", t->dir);
    snprintf(ctrl, sizeof(ctrl), "type=unixio,path=%s/sock.ctrl", t->dir);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state,
           "--server", server, "--ctrl", ctrl, "--flags",
           "not-need-init,startup-clear", "--seccomp", "action=none",
           (char *)NULL);
    _exit(127);
}

bool socket_answers(const char *dir, const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", dir, name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static int launch(struct swtpm *t)
{
    t->pid = fork();
    if (t->pid == 0)
        become(t);
    for (int ms = 0; t->pid > 0 && ms < PATIENCE_MS; ms++) {
        if (socket_answers(t->dir, "sock"))
            return 0;
        if (waitpid(t->pid, NULL, WNOHANG) == t->pid) {
            t->pid = 0;
            break;
        }
        poll(NULL, 0, 1);
    }
    fprintf(stderr, "swtpm does not answer in %s\n", t->dir);
    return -1;
}

static void end(struct swtpm *t)
{
    if (t->pid <= 0)
        return;
    kill(t->pid, SIGTERM);
    waitpid(t->pid, NULL, 0);
    t->pid = 0;
}

static int make_dir(struct swtpm *t)
{
    const char *tmp = getenv("TMPDIR");
    memset(t, 0, sizeof(*t));
    /* sockets' paths are short: a long TMPDIR will not do */
    snprintf(t->dir, sizeof(t->dir), "%s/swtpm-XXXXXX",
             tmp && strlen(tmp) < 60 ? tmp : "/tmp");
    if (!mkdtemp(t->dir)) {
        perror(t->dir);
        return -1;
    }
    snprintf(t->tcti, sizeof(t->tcti), "swtpm:path=%s/sock", t->dir);
    snprintf(t->lock, sizeof(t->lock), "%s/lock", t->dir);
    return 0;
}

int swtpm_start(struct swtpm *t)
{
    return make_dir(t) ? -1 : launch(t);
}

bool swtpm_vendor_here(void)
{
    return swtpm_here() && program_here("swtpm_setup") &&
           program_here("swtpm_localca");
}

int swtpm_start_vendor(struct swtpm *t, const char *ca)
{
    const char *top = getenv("top_srcdir");
    char script[512];
    int status = -1;
    snprintf(script, sizeof(script), "%s/tests/lib/tpm_vendor.sh",
             top ? top : ".");
    if (make_dir(t))
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("sh", "sh", script, t->dir, ca ? ca : t->dir, (char *)NULL);
        _exit(127);
    }
    if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0)
        return launch(t);
    fprintf(stderr, "no TPM of a vendor in %s\n", t->dir);
    return -1;
}

int swtpm_cycle(struct swtpm *t)
{
    end(t);
    return launch(t);
}

void swtpm_stop(struct swtpm *t)
{
    char file[384];
    end(t);
    DIR *d = t->dir[0] ? opendir(t->dir) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(file, sizeof(file), "%s/%s", t->dir, e->d_name);
        unlink(file);
    }
    if (d)
        closedir(d);
    if (t->dir[0])
        rmdir(t->dir);
    t->dir[0] = 0;
}
