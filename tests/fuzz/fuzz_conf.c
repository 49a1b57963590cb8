/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration file: read whole into its structure, or nothing kept. */
#include <stddef.h>
#include <string.h>

#include <idevid/conf.h>

#include "tests/fuzz/fuzz.h"

struct sample {
    char *text, *path;
    int64_t number;
    bool yes;
    int word;
    char **list;
};

static const char *const words[] = {"one", "two", NULL};

#define FIELD(f, t)                                                            \
    .section = "s", .key = #f, .type = (t),                                    \
    .offset = offsetof(struct sample, f), .help = "Help."
static const struct idv_conf_entry entries[] = {
    {FIELD(text, IDV_CONF_TEXT), .required = true},
    {FIELD(path, IDV_CONF_URI)},
    {FIELD(number, IDV_CONF_INT), .min = -5, .max = 70000, .fallback = "1"},
    {FIELD(yes, IDV_CONF_BOOL)},
    {FIELD(word, IDV_CONF_ENUM), .words = words},
    {FIELD(list, IDV_CONF_LIST)},
};
static const struct idv_conf_table table = {"fuzz", "Fuzz.", entries, 6};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct sample s, zero;
    memset(&s, 0, sizeof(s));
    memset(&zero, 0, sizeof(zero));
    idv_note_clear();
    if (idv_conf_parse(&table, "f", "d", idv_bytes(data, n), &s) == IDV_OK) {
        PROMISE(s.text && *s.text);
        PROMISE(s.number >= -5 && s.number <= 70000);
        PROMISE(s.word == 0 || s.word == 1);
        idv_conf_free(&table, &s);
    }
    PROMISE(memcmp(&s, &zero, sizeof(s)) == 0);
    return 0;
}
