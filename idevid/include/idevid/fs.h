/* SPDX-License-Identifier: Apache-2.0 */
/* Files: read whole, written whole or not at all. */
#ifndef IDEVID_FS_H
#define IDEVID_FS_H

#include <stdbool.h>
#include <sys/types.h>

#include <idevid/buf.h>

/* Notes name the path and the system's reason. */

/*
 * Appends the whole regular file to out. IDV_E_LIMIT: over max bytes (0:
 * IDV_MAX_FILE), or more than out takes; IDV_E_IO: absent, unreadable, a
 * directory, a device.
 */
idv_rc idv_fs_read(const char *path, size_t max,
                   struct idv_buf *out) IDV_CHECKED;

/* As idv_fs_read, for keys and PINs: out is made secret, and a file that group
 * or others may read or write, or that belongs to a user who is neither this
 * one nor root, is refused with IDV_E_REJECT. */
idv_rc idv_fs_read_secret(const char *path, struct idv_buf *out) IDV_CHECKED;

/*
 * Replaces path by data: a new file in the same directory, synced, renamed,
 * directory synced. On any failure (disk full, say) what was there before is
 * untouched and no temporary file is left; only when the last step, syncing the
 * directory, fails is the new file in place already. mode is exact, whatever
 * the umask.
 */
idv_rc idv_fs_write(const char *path, struct idv_bytes data,
                    mode_t mode) IDV_CHECKED;

/* As idv_fs_write, but refuses with IDV_E_STATE when path exists; of two that
 * try at once, one succeeds. */
idv_rc idv_fs_create(const char *path, struct idv_bytes data,
                     mode_t mode) IDV_CHECKED;

/* Appends in one write and syncs; makes the file with mode (less the umask) if
 * it is not there, and syncs its directory then. What failed is cut off again,
 * a new file removed; one writer at a time. */
idv_rc idv_fs_append(const char *path, struct idv_bytes data,
                     mode_t mode) IDV_CHECKED;

/* Makes the directory, missing parents as well, with this mode. One that is
 * there already stays as it is; anything else of that name is IDV_E_IO. */
idv_rc idv_fs_mkdir(const char *path, mode_t mode) IDV_CHECKED;

bool idv_fs_exists(const char *path); /* anything of that name */
/* Removes a file; absence is not a failure. */
idv_rc idv_fs_remove(const char *path) IDV_CHECKED;
/* Removes an empty directory; absence is not a failure. */
idv_rc idv_fs_rmdir(const char *path) IDV_CHECKED;
/* Removes the files of a directory whose names end so ("": all of them); there
 * are none where it is absent. What a killed idv_fs_write leaves behind ends in
 * IDV_FS_TEMP. */
#define IDV_FS_TEMP ".tmp"
idv_rc idv_fs_sweep(const char *dir, const char *ending) IDV_CHECKED;
/* Renames a file to a name in the same file system, replacing what is there,
 * and syncs the directory it comes to. */
idv_rc idv_fs_rename(const char *from, const char *to) IDV_CHECKED;
/* What was made, renamed or removed in the directory stays so from here on,
 * whatever happens to the power. */
idv_rc idv_fs_sync(const char *dir) IDV_CHECKED;

/*
 * Takes the lock that the file at path stands for (made 0600 if it is not
 * there, and left there), at once or not at all: IDV_E_STATE when it is held,
 * by another process or by this one, and the note names the holder by who and
 * process number. It is held until idv_fs_unlock or the end of the process,
 * however that comes; *fd is closed on exec.
 */
idv_rc idv_fs_lock(const char *path, const char *who, int *fd) IDV_CHECKED;
void idv_fs_unlock(int *fd); /* -1 is fine; leaves -1 */

#endif
