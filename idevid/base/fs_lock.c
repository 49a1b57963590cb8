/* SPDX-License-Identifier: Apache-2.0 */
/* A lock between processes, gone with the one that holds it. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <idevid/fs.h>

#define NAME_MAX_SHOWN 64

static idv_rc fail(const char *path, const char *what)
{
    return idv_fail(IDV_E_IO, "%s: %s: %s", path, what, strerror(errno));
}

static idv_rc open_lock(const char *path, int *fd)
{
    struct stat st;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
               0600);
    if (*fd < 0)
        return fail(path, "cannot open");
    if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode))
        return IDV_OK;
    idv_fs_unlock(fd);
    return idv_fail(IDV_E_IO, "%s: is not a regular file", path);
}

/* What the holder wrote; it may be about to. */
static void read_holder(int fd, char out[static NAME_MAX_SHOWN])
{
    ssize_t n = pread(fd, out, NAME_MAX_SHOWN - 1, 0);
    size_t k = 0;
    while (n > 0 && k < (size_t)n && isprint((unsigned char)out[k]))
        k++;
    out[k] = 0;
    if (k == 0)
        snprintf(out, NAME_MAX_SHOWN, "another process");
}

static idv_rc write_holder(const char *path, const char *who, int fd)
{
    char text[NAME_MAX_SHOWN];
    int n = snprintf(text, sizeof(text), "%.32s, process %ld\n", who,
                     (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
        return fail(path, "cannot write");
    return IDV_OK;
}

idv_rc idv_fs_lock(const char *path, const char *who, int *out)
{
    char holder[NAME_MAX_SHOWN];
    int fd;
    idv_rc rc;
    IDV_TRY(open_lock(path, &fd));
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        rc = write_holder(path, who, fd);
    } else if (errno == EWOULDBLOCK) {
        read_holder(fd, holder);
        rc = idv_fail(IDV_E_STATE, "%s: held by %s", path, holder);
    } else {
        rc = fail(path, "cannot lock");
    }
    if (rc == IDV_OK)
        *out = fd;
    else
        close(fd);
    return rc;
}

void idv_fs_unlock(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}
