/* SPDX-License-Identifier: Apache-2.0 */
/* A file that is written piece by piece, and is there whole or not at all. */
#ifndef FACTORY_STREAM_H
#define FACTORY_STREAM_H

#include <stdio.h>
#include <sys/types.h>

#include "tool.h"

struct stream {
    FILE *f;
    const char *path; /* borrowed; NULL: standard output */
    char temp[1024];
    idv_rc rc; /* of the first piece that failed */
};

/* path NULL or "-": standard output, which is not whole when it fails. */
idv_rc stream_open(const char *path, mode_t mode,
                   struct stream *out) IDV_CHECKED;
/* IDV_E_IO: the disk is full, and stays so for what follows. */
idv_rc stream_put(struct stream *s, struct idv_bytes piece) IDV_CHECKED;
/* Ends it: in its place, synced, when rc, which it returns, and all pieces were
 * good; otherwise it leaves nothing. */
idv_rc stream_close(struct stream *s, idv_rc rc) IDV_CHECKED;

#endif
