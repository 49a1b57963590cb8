/* SPDX-License-Identifier: Apache-2.0 */
/* One holder at a time of a TPM that has no resource manager. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "provider/device/tpm2_lock.h"
#include "provider/device/tpm2_policy.h"
#include "provider/err.h"

#define PATH_MAX_HERE 512
#define PAUSE_MS 16
#define QUEUE_AT 0x8000 /* a byte behind what is written */

/* A plain file, never through a link. Who creates it gives the group what mode
 * says, whatever the umask: all who share a TPM must be able to take turns. */
static int open_safely(const char *path, mode_t mode)
{
    struct stat st;
    int fd =
        open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, mode);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1) {
        if (st.st_uid == geteuid() && (st.st_mode & 0777) != mode &&
            fchmod(fd, mode) != 0)
            errno = 0; /* then as it is */
        return fd;
    }
    close(fd);
    errno = EINVAL;
    return -1;
}

/* "DIR/hwkey-tpm-0123456789abcdef[-UID].lock" */
static int name_in(char out[PATH_MAX_HERE], const char *dir, const char *tcti,
                   bool shared)
{
    TPM2B_DIGEST id;
    char uid[24] = "";
    if (!dir || dir[0] != '/' ||
        !hwk_tpm_hash(TPM2_ALG_SHA256, (const uint8_t *)tcti, strlen(tcti),
                      &id))
        return 0;
    if (shared)
        snprintf(uid, sizeof(uid), "-%lu", (unsigned long)geteuid());
    const uint8_t *b = id.buffer;
    int n = snprintf(out, PATH_MAX_HERE,
                     "%s/hwkey-tpm-%02x%02x%02x%02x%02x%02x%02x%02x%s.lock",
                     dir, b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], uid);
    return n > 0 && n < PATH_MAX_HERE;
}

/* who prepared the file for us could hold it for ever, or take it away */
static int if_ours(int fd)
{
    struct stat st;
    if (fd < 0 || (fstat(fd, &st) == 0 && st.st_uid == geteuid()))
        return fd;
    close(fd);
    errno = EPERM;
    return -1;
}

/* *there: the file exists, so that another place would be no lock at all */
static int try_in(const char *dir, const char *tcti, bool shared, mode_t mode,
                  bool *there)
{
    char path[PATH_MAX_HERE];
    struct stat st;
    if (*there || !name_in(path, dir, tcti, shared))
        return -1;
    int fd = open_safely(path, mode), error;
    if (shared)
        fd = if_ours(fd);
    error = errno;
    *there = fd < 0 && lstat(path, &st) == 0;
    errno = error;
    return fd;
}

static int open_default(const char *tcti)
{
    bool there = false;
    int fd = try_in("/run/idevid", tcti, false, 0660, &there);
    if (fd < 0)
        fd =
            try_in(secure_getenv("XDG_RUNTIME_DIR"), tcti, false, 0600, &there);
    if (fd < 0)
        fd = try_in("/tmp", tcti, true, 0600, &there);
    return fd;
}

/* The queue is one place long: who stands in it is the only one that waits for
 * the turn itself, so that who comes back at once comes behind it. It is looked
 * at now and then: valgrind does not know that waiting for such a lock may take
 * long, and lets no other thread run. */
static int queue(int fd, short type)
{
    struct flock place = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = QUEUE_AT, .l_len = 1};
    for (int pause = 1; fcntl(fd, F_OFD_SETLK, &place) != 0;
         pause = pause < PAUSE_MS ? pause * 2 : PAUSE_MS) {
        if (errno != EINTR && errno != EAGAIN && errno != EACCES)
            return 0;
        poll(NULL, 0, pause);
    }
    return 1;
}

static int wait_turn(int fd)
{
    if (!queue(fd, F_WRLCK))
        return 0;
    while (flock(fd, LOCK_EX) != 0)
        if (errno != EINTR)
            return 0;
    return queue(fd, F_UNLCK);
}

int hwk_tpm_lock(const char *path, const char *tcti, int *turn)
{
    *turn = path ? open_safely(path, 0660) : open_default(tcti);
    if (*turn >= 0 && wait_turn(*turn))
        return 1;
    hwk_raise(HWK_R_FILE, "lock file of TPM %s%s%s: %s", tcti, path ? ", " : "",
              path ? path : "", strerror(errno));
    if (*turn >= 0)
        close(*turn);
    *turn = -1;
    return 0;
}

/* unlocked by name, not by closing: a child may hold the same description */
void hwk_tpm_unlock(int fd, bool keep)
{
    flock(fd, LOCK_UN);
    if (!keep)
        close(fd);
}
