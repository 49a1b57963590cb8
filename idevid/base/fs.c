/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files in and out; a reader never sees half of one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/rand.h>

#include <idevid/fs.h>
#include <idevid/limits.h>

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define AUTO_FD __attribute__((cleanup(close_fd))) int

static idv_rc io_fail(const char *path, const char *what)
{
    return idv_fail(IDV_E_IO, "%s: %s: %s", path, what, strerror(errno));
}

static idv_rc open_regular(const char *path, int *fd, struct stat *st)
{
    /* O_NONBLOCK: a FIFO is refused below instead of waited for */
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0)
        return io_fail(path, "cannot open");
    if (fstat(*fd, st) != 0)
        return io_fail(path, "cannot look at it");
    if (S_ISDIR(st->st_mode))
        return idv_fail(IDV_E_IO, "%s: is a directory", path);
    if (!S_ISREG(st->st_mode))
        return idv_fail(IDV_E_IO, "%s: is not a regular file", path);
    return IDV_OK;
}

static idv_rc read_rest(const char *path, int fd, size_t max,
                        struct idv_buf *out)
{
    size_t had = out->n;
    for (;;) {
        uint8_t *p;
        IDV_TRY(idv_buf_room(out, 4096, &p));
        ssize_t n = read(fd, p, 4096);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_fail(path, "cannot read");
        if (n == 0)
            return IDV_OK;
        out->n += (size_t)n;
        if (out->n - had > max)
            return idv_fail(IDV_E_LIMIT, "%s: more than %zu bytes", path, max);
    }
}

/* through a buffer of its own: out is untouched on failure */
static idv_rc read_fd(const char *path, int fd, size_t max, struct idv_buf *out)
{
    if (max == 0)
        max = IDV_MAX_FILE;
    struct idv_buf b = {.max = max + 2 * 4096, .secret = out->secret};
    idv_rc rc = read_rest(path, fd, max, &b);
    if (rc == IDV_OK) {
        rc = idv_buf_put(out, idv_view(&b));
        if (rc != IDV_OK)
            rc = idv_fail_within(rc, "%s", path);
    }
    idv_buf_free(&b);
    return rc;
}

idv_rc idv_fs_read(const char *path, size_t max, struct idv_buf *out)
{
    AUTO_FD fd = -1;
    struct stat st;
    IDV_TRY(open_regular(path, &fd, &st));
    return read_fd(path, fd, max, out);
}

idv_rc idv_fs_read_secret(const char *path, struct idv_buf *out)
{
    AUTO_FD fd = -1;
    struct stat st;
    IDV_TRY(open_regular(path, &fd, &st));
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return idv_fail(IDV_E_REJECT,
                        "%s: others may read or change it (mode %04o): "
                        "chmod 600 first",
                        path, (unsigned)(st.st_mode & 07777));
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return idv_fail(IDV_E_REJECT, "%s: belongs to user %u, not to us", path,
                        (unsigned)st.st_uid);
    out->secret = true;
    return read_fd(path, fd, 0, out);
}

static idv_rc write_all(const char *path, int fd, struct idv_bytes data)
{
    while (data.n) {
        ssize_t n = write(fd, data.p, data.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_fail(path, "cannot write");
        data.p += n;
        data.n -= (size_t)n;
    }
    return IDV_OK;
}

static idv_rc directory_of(const char *path, char out[static PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (n >= PATH_MAX || !*path || (slash && !slash[1]))
        return idv_fail(IDV_E_ARG, "%s: not the name of a file", path);
    if (n == 0)
        snprintf(out, PATH_MAX, "%s", slash ? "/" : ".");
    else
        snprintf(out, PATH_MAX, "%.*s", (int)n, path);
    return IDV_OK;
}

idv_rc idv_fs_sync(const char *dir)
{
    AUTO_FD fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        return io_fail(dir, "cannot sync");
    return IDV_OK;
}

static idv_rc sync_directory(const char *path)
{
    char dir[PATH_MAX];
    IDV_TRY(directory_of(path, dir));
    return idv_fs_sync(dir);
}

static idv_rc fill(const char *path, const char *temp, struct idv_bytes data,
                   mode_t mode)
{
    AUTO_FD fd =
        open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return io_fail(path, "cannot create beside it");
    IDV_TRY(write_all(path, fd, data));
    if (fchmod(fd, mode) != 0)
        return io_fail(path, "cannot set the mode");
    if (fsync(fd) != 0)
        return io_fail(path, "cannot sync");
    int closing = fd;
    fd = -1;
    if (close(closing) != 0)
        return io_fail(path, "cannot close");
    return IDV_OK;
}

/* link() refuses an existing name, rename() replaces it */
static idv_rc settle(const char *path, const char *temp, bool fresh)
{
    if (!fresh && rename(temp, path) != 0)
        return io_fail(path, "cannot replace");
    if (fresh && link(temp, path) != 0) {
        if (errno == EEXIST)
            return idv_fail(IDV_E_STATE, "%s: exists", path);
        return io_fail(path, "cannot create");
    }
    if (fresh)
        unlink(temp);
    return sync_directory(path);
}

static idv_rc put_file(const char *path, struct idv_bytes data, mode_t mode,
                       bool fresh)
{
    char temp[PATH_MAX], dir[PATH_MAX];
    uint64_t tag;
    IDV_TRY(directory_of(path, dir));
    if (RAND_bytes((unsigned char *)&tag, sizeof(tag)) != 1)
        return idv_fail(IDV_E_CRYPTO, "random bytes");
    int n = snprintf(temp, sizeof(temp), "%s.%016llx" IDV_FS_TEMP, path,
                     (unsigned long long)tag);
    if (n < 0 || (size_t)n >= sizeof(temp))
        return idv_fail(IDV_E_LIMIT, "%s: path too long", path);
    if (fresh && idv_fs_exists(path))
        return idv_fail(IDV_E_STATE, "%s: exists", path);
    idv_rc rc = fill(path, temp, data, mode);
    if (rc == IDV_OK)
        rc = settle(path, temp, fresh);
    if (rc != IDV_OK)
        unlink(temp);
    return rc;
}

idv_rc idv_fs_write(const char *path, struct idv_bytes data, mode_t mode)
{
    return put_file(path, data, mode, false);
}

idv_rc idv_fs_create(const char *path, struct idv_bytes data, mode_t mode)
{
    return put_file(path, data, mode, true);
}

static int open_append(const char *path, mode_t mode, bool *fresh)
{
    const int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK;
    int fd = open(path, flags);
    *fresh = fd < 0 && errno == ENOENT;
    return *fresh ? open(path, flags | O_CREAT | O_EXCL, mode) : fd;
}

/* as it was before */
static idv_rc take_back(const char *path, int fd, off_t size, bool fresh,
                        idv_rc rc)
{
    if ((fresh ? unlink(path) : ftruncate(fd, size)) == 0)
        return rc;
    return idv_fail_within(rc, "%s: left half written", path);
}

idv_rc idv_fs_append(const char *path, struct idv_bytes data, mode_t mode)
{
    bool fresh;
    AUTO_FD fd = open_append(path, mode, &fresh);
    if (fd < 0)
        return io_fail(path, "cannot open");
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return idv_fail(IDV_E_IO, "%s: is not a regular file", path);
    idv_rc rc = write_all(path, fd, data);
    if (rc == IDV_OK && fsync(fd) != 0)
        rc = io_fail(path, "cannot sync");
    if (rc == IDV_OK && fresh)
        rc = sync_directory(path);
    return rc == IDV_OK ? rc : take_back(path, fd, st.st_size, fresh, rc);
}

static idv_rc make_one(const char *path, mode_t mode)
{
    struct stat st;
    if (mkdir(path, mode) == 0) {
        if (chmod(path, mode) != 0)
            return io_fail(path, "cannot set the mode");
        return IDV_OK;
    }
    if (errno != EEXIST)
        return io_fail(path, "cannot make the directory");
    if (stat(path, &st) != 0)
        return io_fail(path, "cannot look at it");
    if (!S_ISDIR(st.st_mode))
        return idv_fail(IDV_E_IO, "%s: is there and is not a directory", path);
    return IDV_OK;
}

idv_rc idv_fs_mkdir(const char *path, mode_t mode)
{
    char at[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof(at))
        return idv_fail(IDV_E_ARG, "%s: not the name of a directory", path);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        memcpy(at, path, i);
        at[i] = 0;
        IDV_TRY(make_one(at, mode));
    }
    return IDV_OK;
}

bool idv_fs_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

idv_rc idv_fs_remove(const char *path)
{
    if (unlink(path) != 0 && errno != ENOENT)
        return io_fail(path, "cannot remove");
    return IDV_OK;
}

idv_rc idv_fs_rmdir(const char *path)
{
    if (rmdir(path) != 0 && errno != ENOENT)
        return io_fail(path, "cannot remove");
    return IDV_OK;
}

static bool ends_in(const char *name, const char *ending)
{
    const size_t n = strlen(name), m = strlen(ending);
    return n >= m && strcmp(name + n - m, ending) == 0;
}

idv_rc idv_fs_sweep(const char *dir, const char *ending)
{
    const struct dirent *entry;
    DIR *d = opendir(dir);
    idv_rc rc = IDV_OK;
    if (!d && errno == ENOENT)
        return IDV_OK;
    if (!d)
        return io_fail(dir, "cannot list");
    while (rc == IDV_OK && (errno = 0, entry = readdir(d)))
        if (entry->d_type != DT_DIR && ends_in(entry->d_name, ending) &&
            unlinkat(dirfd(d), entry->d_name, 0) != 0 && errno != ENOENT)
            rc = io_fail(dir, "cannot remove what is in it");
    if (rc == IDV_OK && errno)
        rc = io_fail(dir, "cannot list");
    closedir(d);
    return rc;
}

idv_rc idv_fs_rename(const char *from, const char *to)
{
    if (rename(from, to) != 0)
        return io_fail(from, "cannot rename");
    return sync_directory(to);
}
