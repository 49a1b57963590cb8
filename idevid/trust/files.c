/* SPDX-License-Identifier: Apache-2.0 */
/* The files beside the record. */
#include <stdio.h>

#include <idevid/auto.h>
#include <idevid/fs.h>
#include <idevid/limits.h>

#include "trust/trust_priv.h"

static idv_rc path_of(const char *dir, const char *name, struct idv_buf *path)
{
    return idv_buf_putf(path, "%s/%s", dir, name);
}

idv_rc idvi_file_read(const char *dir, const char *name, bool *found,
                      struct idv_buf *out)
{
    IDV_AUTO(buf) path = {0};
    IDV_TRY(path_of(dir, name, &path));
    *found = idv_fs_exists((const char *)path.p);
    if (!*found)
        return IDV_OK;
    return idv_fs_read((const char *)path.p, IDV_MAX_FILE, out);
}

idv_rc idvi_file_write(const char *dir, const char *name, struct idv_bytes data)
{
    IDV_AUTO(buf) path = {0};
    IDV_TRY(path_of(dir, name, &path));
    return idv_fs_write((const char *)path.p, data, 0600);
}

idv_rc idvi_files_remove(const char *dir)
{
    static const char *const names[] = {IDVI_FILE_ENROLLMENT,
                                        IDVI_FILE_ROLLOVER, IDVI_FILE_VOUCHER,
                                        IDVI_FILE_PIN};
    idv_rc first = IDV_OK;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        IDV_AUTO(buf) path = {0};
        idv_rc rc = path_of(dir, names[i], &path);
        if (rc == IDV_OK)
            rc = idv_fs_remove((const char *)path.p);
        if (first == IDV_OK)
            first = rc;
    }
    return first;
}
