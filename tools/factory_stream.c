/* SPDX-License-Identifier: Apache-2.0 */
/* A file that is written piece by piece, and is there whole or not at all. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <idevid/fs.h>

#include "factory_stream.h"

static idv_rc failed(struct stream *s)
{
    if (s->rc == IDV_OK)
        s->rc =
            idv_fail(IDV_E_IO, "%s: %s", s->path ? s->path : "standard output",
                     strerror(errno));
    return s->rc;
}

idv_rc stream_open(const char *path, mode_t mode, struct stream *out)
{
    *out = (struct stream){.path = path};
    if (!path || strcmp(path, "-") == 0) {
        out->path = NULL;
        out->f = stdout;
        return IDV_OK;
    }
    if (snprintf(out->temp, sizeof(out->temp), "%s.XXXXXX" IDV_FS_TEMP, path) >=
        (int)sizeof(out->temp))
        return idv_fail(IDV_E_ARG, "%s: path too long", path);
    const int fd = mkstemps(out->temp, (int)strlen(IDV_FS_TEMP));
    if (fd < 0)
        return failed(out);
    out->f = fdopen(fd, "w");
    if (out->f && fchmod(fd, mode) == 0)
        return IDV_OK;
    const idv_rc rc = failed(out);
    unlink(out->temp);
    if (out->f)
        fclose(out->f);
    else
        close(fd);
    return rc;
}

idv_rc stream_put(struct stream *s, struct idv_bytes piece)
{
    if (s->rc != IDV_OK)
        return s->rc;
    if (piece.n && fwrite(piece.p, 1, piece.n, s->f) != piece.n)
        return failed(s);
    return IDV_OK;
}

idv_rc stream_close(struct stream *s, idv_rc rc)
{
    if (rc == IDV_OK)
        rc = s->rc;
    if (rc == IDV_OK && fflush(s->f) != 0)
        rc = failed(s);
    if (!s->path)
        return rc;
    if (rc == IDV_OK && fsync(fileno(s->f)) != 0)
        rc = failed(s);
    if (fclose(s->f) != 0 && rc == IDV_OK)
        rc = failed(s);
    if (rc == IDV_OK)
        return idv_fs_rename(s->temp, s->path);
    unlink(s->temp);
    return rc;
}
