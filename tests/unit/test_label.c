/* SPDX-License-Identifier: Apache-2.0 */
/* Labels: the text of a code, places on a page, dots; a file that is there
 * whole or not at all. */
#include "codec.h"

#include <signal.h>
#include <sys/resource.h>

#include "tools/factory_stream.h"
#include "tools/label.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char mac_a[] = "00:11:22:33:44:55", mac_b[] = "00:11:22:33:44:56";
static char *macs[] = {mac_a, mac_b, NULL};
static const struct label full = {.serial = "S;1%",
                                  .model = "GW",
                                  .order = "L-7",
                                  .macs = macs,
                                  .sha256 = HASH},
                          bare = {.serial = "S", .model = "", .order = ""};

/* --- the text ------------------------------------------------------------- */

static void says(const char *template_, const struct label *l, const char *want)
{
    IDV_AUTO(buf) out = {0};
    OK(label_text(template_, l, &out));
    assert_string_equal(out.p ? (char *)out.p : "", want);
}

static void text(void **state)
{
    (void)state;
    says("IDEVID:1;S={serial};M={model};H={sha256}", &full,
         "IDEVID:1;S=S%3B1%25;M=GW;H=" HASH);
    says("{order} {mac} {sha256-hex8}", &full,
         "L-7 00:11:22:33:44:55 01234567");
    says("<{model}{mac}{order}>", &bare, "<>");
    says("plain; 100%", &full, "plain; 100%");
    FAILS(IDV_E_ARG, "{sku}", label_text_check("{sku}"));
    FAILS(IDV_E_ARG, "brace", label_text_check("{serial"));
    FAILS(IDV_E_ARG, "brace", label_text_check("serial}"));
    FAILS(IDV_E_ARG, "{}", label_text_check("{}"));
    OK(label_text_check("{serial}{model}{order}{mac}{sha256}{sha256-hex8}"));
}

/* --- the page ------------------------------------------------------------- */

static void pages(void **state)
{
    struct label_form f;
    (void)state;
    OK(label_form_parse("a4", NULL, NULL, 300, NULL, &f));
    assert_int_equal(label_form_per_page(&f), 24);
    const struct label_box first = label_form_box(&f, 0),
                           last = label_form_box(&f, 23);
    assert_int_equal(first.x, 94); /* 8 mm */
    assert_int_equal(first.y, 94);
    assert_true(last.x + last.w <= 2480 - 94 && last.y + last.h <= 3507 - 94);
    for (unsigned i = 1; i < 24; i++) { /* no two overlap */
        const struct label_box a = label_form_box(&f, i - 1),
                               b = label_form_box(&f, i);
        assert_true(a.x + a.w <= b.x || a.y + a.h <= b.y);
    }
    OK(label_form_parse("62x29", NULL, NULL, 300, "600", &f));
    assert_int_equal(label_form_per_page(&f), 1);
    assert_int_equal(label_form_box(&f, 0).w, 1464);
    OK(label_form_parse("Letter", "2x5", "10.5", 203, NULL, &f));
    assert_int_equal(label_form_per_page(&f), 10);
}

static void bad_pages(void **state)
{
    static const char *const row[][4] = {
        {"A5", NULL, NULL, NULL},      {"62", NULL, NULL, NULL},
        {"62x", NULL, NULL, NULL},     {"62x29x1", NULL, NULL, NULL},
        {"nanxnan", NULL, NULL, NULL}, {"4x29", NULL, NULL, NULL},
        {"1e9x29", NULL, NULL, NULL},  {"", NULL, NULL, NULL},
        {"A4", "3", NULL, NULL},       {"A4", "0x8", NULL, NULL},
        {"A4", "2.5x8", NULL, NULL},   {"A4", "99x99", NULL, NULL},
        {"A4", NULL, "-1", NULL},      {"A4", NULL, "99", NULL},
        {"A4", NULL, "nan", NULL},     {"A4", NULL, NULL, "71"},
        {"A4", NULL, NULL, "300x"},    {"A4", NULL, NULL, "2401"}};
    struct label_form f = {.dpi = 7};
    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++)
        FAILS(IDV_E_ARG, "",
              label_form_parse(row[i][0], row[i][1], row[i][2], 300, row[i][3],
                               &f));
    assert_int_equal(f.dpi, 7);
}

static void modules(void **state)
{
    struct label_form f;
    unsigned dots = 0;
    (void)state;
    OK(label_form_parse("62x29", NULL, NULL, 300, NULL, &f));
    const struct label_box box = label_form_box(&f, 0);
    OK(label_module(&f, &box, 21, &dots));
    assert_int_equal(dots, 11); /* 320 dots for 29 */
    OK(label_module(&f, &box, 93, &dots));
    assert_int_equal(dots, 3); /* 0.254 mm */
    FAILS(IDV_E_LIMIT, "shorter text", label_module(&f, &box, 101, &dots));
    assert_int_equal(dots, 3);
}

/* --- drawing -------------------------------------------------------------- */

static idv_rc draw(const struct label *l, struct idv_bytes code,
                   cairo_surface_t **out)
{
    struct label_form f;
    struct label_font *font;
    OK(label_form_parse("62x29", NULL, NULL, 300, NULL, &f));
    OK(label_font_open("DejaVu Sans", &font));
    *out = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 732, 342);
    cairo_t *cr = cairo_create(*out);
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_paint(cr);
    idv_rc rc = label_draw(cr, &f, 0, font, l, code);
    cairo_destroy(cr);
    label_font_free(font);
    cairo_surface_flush(*out);
    return rc;
}

/* Each module of 11 dots is all dark or all light, and so is what is around. */
static void whole_dots(void **state)
{
    cairo_surface_t *s;
    unsigned dark = 0;
    (void)state;
    OK(draw(&full, idv_str("x"), &s));
    const uint8_t *p = cairo_image_surface_get_data(s);
    const int stride = cairo_image_surface_get_stride(s);
    const unsigned top = (342 - 319) / 2;
    for (unsigned y = 0; y < 319; y++) {
        for (unsigned x = 0; x < 319; x++) {
            const uint8_t v = p[(top + y) * (unsigned)stride + 4 * x],
                          of = p[(top + y / 11 * 11) * (unsigned)stride +
                                 4 * (x / 11 * 11)];
            const bool quiet = x < 44 || x >= 275 || y < 44 || y >= 275;
            assert_int_equal(v, of);
            assert_true(v == 0xff || (v == 0 && !quiet));
            dark += v == 0;
        }
    }
    assert_true(dark > 18000 && dark < 35000); /* about half of 53361 */
    cairo_surface_destroy(s);
}

static void not_drawn(void **state)
{
    static const char han[] = "\xe5\xba\x8f\xe5\x88\x97"; /* not in DejaVu */
    struct label l = full;
    char *many[20];
    cairo_surface_t *s;
    (void)state;
    FAILS(IDV_E_ARG, "without text", draw(&l, idv_str(""), &s));
    cairo_surface_destroy(s);
    FAILS(IDV_E_ARG, "without text", draw(&l, idv_bytes("a\0b", 3), &s));
    cairo_surface_destroy(s);
    l.serial = han;
    FAILS(IDV_E_ARG, "lacks a character", draw(&l, idv_str("x"), &s));
    cairo_surface_destroy(s);
    l.serial = "\xff";
    FAILS(IDV_E_FORMAT, "UTF-8", draw(&l, idv_str("x"), &s));
    cairo_surface_destroy(s);
    l = full;
    for (size_t i = 0; i < 19; i++)
        many[i] = macs[0];
    many[19] = NULL;
    l.macs = many;
    FAILS(IDV_E_LIMIT, "does not fit", draw(&l, idv_str("x"), &s));
    cairo_surface_destroy(s);
}

/* --- the file ------------------------------------------------------------- */

static size_t files_in(const char *dir)
{
    char command[128];
    unsigned n = 99;
    snprintf(command, sizeof(command), "ls -A '%s' | wc -l", dir);
    FILE *f = popen(command, "r");
    assert_int_equal(fscanf(f, "%u", &n), 1);
    pclose(f);
    return n;
}

static void whole_or_not(void **state)
{
    char dir[64], path[80];
    struct stream s;
    IDV_AUTO(buf) got = {0};
    (void)state;
    test_dir(dir);
    snprintf(path, sizeof(path), "%s/x", dir);
    OK(stream_open(path, 0640, &s));
    OK(stream_put(&s, idv_str("one ")));
    assert_false(idv_fs_exists(path));
    OK(stream_put(&s, idv_str("two")));
    OK(stream_close(&s, IDV_OK));
    OK(stream_open(path, 0640, &s));
    OK(stream_put(&s, idv_str("three")));
    FAILS(IDV_E_REJECT, "", stream_close(&s, IDV_E_REJECT));
    OK(idv_fs_read(path, 0, &got));
    assert_string_equal((char *)got.p, "one two");
    assert_int_equal(files_in(dir), 1);
    FAILS(IDV_E_IO, "none/x", stream_open("/none/x", 0644, &s));
    test_dir_drop(dir);
}

static void full_disk(void **state)
{
    static uint8_t piece[8192];
    char dir[64], path[80];
    struct stream s;
    struct rlimit before, few;
    (void)state;
    test_dir(dir);
    snprintf(path, sizeof(path), "%s/x", dir);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    few = before;
    few.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
    OK(stream_open(path, 0644, &s));
    FAILS(IDV_E_IO, "too large",
          stream_put(&s, idv_bytes(piece, sizeof(piece))));
    FAILS(IDV_E_IO, "", stream_put(&s, idv_str("more")));
    FAILS(IDV_E_IO, "", stream_close(&s, IDV_OK));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(files_in(dir), 0);
    test_dir_drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text),         cmocka_unit_test(pages),
        cmocka_unit_test(bad_pages),    cmocka_unit_test(modules),
        cmocka_unit_test(whole_dots),   cmocka_unit_test(not_drawn),
        cmocka_unit_test(whole_or_not), cmocka_unit_test(full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
