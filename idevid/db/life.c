/* SPDX-License-Identifier: Apache-2.0 */
/* Processes by name, from /proc. */
#include "config.h" /* GNU extensions */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "idevid/db/life.h"

/* what of a name is the same for all that run here */
static bool here(char *out, size_t max)
{
    char boot[40] = "", space[40];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, boot, sizeof(boot) - 1);
    if (fd >= 0)
        close(fd);
    ssize_t m = readlink("/proc/self/ns/pid", space, sizeof(space) - 1);
    if (n <= 0 || m <= 0)
        return false;
    boot[strcspn(boot, "\n")] = 0;
    space[m] = 0;
    return snprintf(out, max, "%s %s ", boot, space) < (int)max;
}

/* state and start of a process, of /proc/PID/stat (proc(5)): the third and the
 * twenty-second field, behind a name in brackets that may hold anything */
static bool look(intmax_t pid, char *state, uint64_t *start)
{
    char path[48], text[1024];
    snprintf(path, sizeof(path), "/proc/%" PRIdMAX "/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *at = strrchr(text, ')');
    return at && sscanf(at + 1,
                        " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
                        " %*s %*s %*s %*s %*s %*s %" SCNu64,
                        state, start) == 2;
}

void idvi_life_self(char out[static IDVI_LIFE_MAX])
{
    char place[96], state;
    uint64_t start;
    intmax_t pid = getpid();
    out[0] = 0;
    if (here(place, sizeof(place)) && look(pid, &state, &start))
        snprintf(out, IDVI_LIFE_MAX, "%s%" PRIdMAX " %" PRIu64, place, pid,
                 start);
}

bool idvi_life_over(const char *life)
{
    char place[96], state;
    intmax_t pid;
    uint64_t began, start;
    if (!here(place, sizeof(place)) ||
        strncmp(life, place, strlen(place)) != 0 ||
        sscanf(life + strlen(place), "%" SCNdMAX " %" SCNu64, &pid, &began) !=
            2 ||
        pid <= 0)
        return false;
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH)
        return true;
    return look(pid, &state, &start) &&
           (start != began || state == 'Z' || state == 'X');
}
