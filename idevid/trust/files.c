/* SPDX-License-Identifier: Apache-2.0 */
/* The files beside the record. */
#include <stdio.h>

#include <idevid/auto.h>
#include <idevid/fs.h>
#include <idevid/limits.h>

#include "trust/trust_priv.h"

#define COUNT(names) (sizeof(names) / sizeof(*(names)))

/* in the order in which they go into place */
static const char *const with_record[] = {IDVI_FILE_PIN, IDVI_FILE_VOUCHER,
                                          IDVI_FILE_MEMO};

static idv_rc path_of(const char *dir, const char *in, const char *name,
                      struct idv_buf *path)
{
    return idv_buf_putf(path, "%s/%s%s", dir, in, name);
}

static const char *text(const struct idv_buf *path)
{
    return (const char *)path->p;
}

idv_rc idvi_file_read(const char *dir, const char *name, bool *found,
                      struct idv_buf *out)
{
    IDV_AUTO(buf) path = {0};
    IDV_TRY(path_of(dir, "", name, &path));
    *found = idv_fs_exists(text(&path));
    if (!*found)
        return IDV_OK;
    return idv_fs_read(text(&path), IDV_MAX_FILE, out);
}

idv_rc idvi_file_write(const char *dir, const char *name, struct idv_bytes data)
{
    IDV_AUTO(buf) path = {0};
    IDV_TRY(path_of(dir, "", name, &path));
    return idv_fs_write(text(&path), data, 0600);
}

idv_rc idvi_files_placed(const char *dir, bool *placed)
{
    bool any = false;
    for (size_t i = 0; i < COUNT(with_record); i++) {
        IDV_AUTO(buf) path = {0};
        IDV_TRY(path_of(dir, "", with_record[i], &path));
        any = any || idv_fs_exists(text(&path));
    }
    *placed = any;
    return IDV_OK;
}

idv_rc idvi_file_remove(const char *dir, const char *name)
{
    IDV_AUTO(buf) path = {0};
    IDV_TRY(path_of(dir, "", name, &path));
    return idv_fs_remove(text(&path));
}

/* --- pending -------------------------------------------------------------- */

static idv_rc pending_directory(const char *dir, bool make)
{
    IDV_AUTO(buf) path = {0};
    IDV_TRY(path_of(dir, IDVI_PENDING, ".", &path));
    path.p[path.n - 2] = 0; /* without "/." */
    if (make)
        return idv_fs_mkdir(text(&path), 0700);
    IDV_TRY(idv_fs_sweep(text(&path), "")); /* half files of who was killed */
    return idv_fs_rmdir(text(&path));
}

idv_rc idvi_pending_write(const char *dir, struct idv_bytes pin,
                          struct idv_bytes voucher,
                          const struct idv_anchor_memo *memo)
{
    IDV_AUTO(buf) json = {0};
    IDV_TRY(idvi_memo_to_json(memo, &json));
    IDV_TRY(idv_fs_sync(dir)); /* what was removed stays so; and it is there */
    IDV_TRY(pending_directory(dir, true));
    if (pin.n)
        IDV_TRY(idvi_file_write(dir, IDVI_PENDING IDVI_FILE_PIN, pin));
    if (voucher.n)
        IDV_TRY(idvi_file_write(dir, IDVI_PENDING IDVI_FILE_VOUCHER, voucher));
    IDV_TRY(idvi_file_write(dir, IDVI_PENDING IDVI_FILE_MEMO, idv_view(&json)));
    return idv_fs_sync(dir);
}

static idv_rc move_one(const char *dir, const char *name)
{
    IDV_AUTO(buf) from = {0};
    IDV_AUTO(buf) to = {0};
    IDV_TRY(path_of(dir, IDVI_PENDING, name, &from));
    IDV_TRY(path_of(dir, "", name, &to));
    return idv_fs_exists(text(&from)) ? idv_fs_rename(text(&from), text(&to))
                                      : IDV_OK;
}

idv_rc idvi_pending_move(const char *dir)
{
    for (size_t i = 0; i < COUNT(with_record); i++)
        IDV_TRY(move_one(dir, with_record[i]));
    return pending_directory(dir, false);
}

/* without the memo the rest is nothing, so that goes first */
idv_rc idvi_pending_remove(const char *dir)
{
    for (size_t i = COUNT(with_record); i-- > 0;) {
        IDV_AUTO(buf) path = {0};
        IDV_TRY(path_of(dir, IDVI_PENDING, with_record[i], &path));
        IDV_TRY(idv_fs_remove(text(&path)));
    }
    return pending_directory(dir, false);
}

/* --- all of them ---------------------------------------------------------- */

idv_rc idvi_files_remove(const char *dir)
{
    static const char *const names[] = {
        IDVI_FILE_PREVIOUS, IDVI_FILE_ENROLLMENT, IDVI_FILE_ROLLOVER,
        IDVI_FILE_VOUCHER, IDVI_FILE_PIN};
    idv_rc first = idvi_pending_remove(dir);
    if (first == IDV_OK)
        first = idv_fs_sweep(dir, IDV_FS_TEMP);
    for (size_t i = 0; i < COUNT(names); i++) {
        idv_rc rc = idvi_file_remove(dir, names[i]);
        if (first == IDV_OK)
            first = rc;
    }
    IDV_TRY(first);
    if (!idv_fs_exists(dir))
        return IDV_OK;
    IDV_TRY(idv_fs_sync(dir));
    IDV_TRY(idvi_file_remove(dir, IDVI_FILE_MEMO));
    return idvi_file_remove(dir, IDVI_FILE_RESET);
}
