/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the lower rooms share: expectations on classes, scratch
 * directories, public vectors. */
#ifndef TESTS_CODEC_H
#define TESTS_CODEC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <idevid/auto.h>
#include <idevid/fs.h>
#include <idevid/text.h>

/* the call succeeds; prints the note if not */
#define OK(call)                                                               \
    do {                                                                       \
        idv_rc ok_ = (call);                                                   \
        if (ok_ != IDV_OK)                                                     \
            print_error("%s: %s: %s\n", #call, idv_rc_name(ok_), idv_note());  \
        assert_int_equal(ok_, IDV_OK);                                         \
    } while (0)

/* the call fails with this class and a note that contains part */
#define FAILS(rc, part, call)                                                  \
    do {                                                                       \
        idv_note_clear();                                                      \
        assert_int_equal((call), (rc));                                        \
        if (!strstr(idv_note(), (part)))                                       \
            print_error("%s: '%s' lacks '%s'\n", #call, idv_note(), (part));   \
        assert_non_null(strstr(idv_note(), (part)));                           \
        idv_note_clear();                                                      \
    } while (0)

/* a private directory, made at once, removed by test_dir_drop */
static inline void test_dir(char out[static 64])
{
    snprintf(out, 64, "/tmp/idevid-unit-XXXXXX");
    assert_non_null(mkdtemp(out));
}

static inline void test_dir_drop(const char *dir)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    assert_int_equal(system(command), 0);
}

/* a public vector's bytes; skips the test when there are none here */
static inline void test_vector(const char *name, struct idv_buf *out)
{
    char path[512];
    const char *dir = getenv("IDEVID_VECTORS");
    if (!dir || !*dir)
        skip();
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    OK(idv_fs_read(path, 0, out));
}

#endif
