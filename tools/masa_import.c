/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-masa import: what a factory exports, into the store. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "masa.h"

static idv_rc import_lines(struct idv_db *db, const char *file,
                           struct idv_bytes text, unsigned *fresh,
                           unsigned *known)
{
    struct idv_bytes line;
    for (unsigned n = 1; idv_text_next(&text, "\n", &line); n++) {
        bool is_new = false;
        if (idv_text_trim(line).n == 0)
            continue;
        idv_rc rc = idv_db_device_import(db, idv_text_trim(line), &is_new);
        if (rc != IDV_OK)
            return idv_fail_within(rc, "%s:%u", file, n);
        ++*(is_new ? fresh : known);
    }
    return IDV_OK;
}

idv_rc masa_import(struct tool *t, int argc, char **argv)
{
    AUTO_DB struct idv_db *db = NULL;
    unsigned fresh = 0, known = 0;
    IDV_TRY(idv_db_open(masa_conf.service.database, &db));
    for (int i = 0; i < argc; i++) {
        IDV_AUTO(buf) text = {0};
        text.max = (size_t)1 << 30;
        IDV_TRY(strcmp(argv[i], "-") == 0
                    ? tool_read(argv[i], &text)
                    : idv_fs_read(argv[i], text.max, &text));
        IDV_TRY(import_lines(db, argv[i], idv_view(&text), &fresh, &known));
    }
    tool_say(t, "%u devices added, %u known already", fresh, known);
    return IDV_OK;
}
