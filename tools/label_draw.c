/* SPDX-License-Identifier: Apache-2.0 */
/* A label by cairo: a QR code at the left, text beside it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cairo-ft.h>
#include <fontconfig/fontconfig.h>
#include <qrencode.h>

#include <idevid/auto.h>

#include "label.h"

#define LINES_MAX 24
#define POINTS_MIN 4.0
#define POINTS_MAX 9.0

/* --- the font ------------------------------------------------------------- */

struct label_font {
    FT_Library library;
    FT_Face face;
    cairo_font_face_t *cairo;
    char name[256];
};

void label_font_free(struct label_font *f)
{
    if (!f)
        return;
    if (f->cairo)
        cairo_font_face_destroy(f->cairo);
    if (f->face)
        FT_Done_Face(f->face);
    if (f->library)
        FT_Done_FreeType(f->library);
    free(f);
}

/* fontconfig always has something; only the family that was asked for will do
 */
static idv_rc find_family(const char *family, char path[static 1024])
{
    FcResult result;
    FcChar8 *file = NULL, *got = NULL;
    FcPattern *want = FcNameParse((const FcChar8 *)family), *found = NULL;
    FcChar8 *asked = NULL;
    if (want && FcConfigSubstitute(NULL, want, FcMatchPattern)) {
        FcDefaultSubstitute(want);
        found = FcFontMatch(NULL, want, &result);
    }
    const bool good = found &&
                      FcPatternGetString(want, FC_FAMILY, 0, &asked) == 0 &&
                      FcPatternGetString(found, FC_FAMILY, 0, &got) == 0 &&
                      FcStrCmpIgnoreCase(asked, got) == 0 &&
                      FcPatternGetString(found, FC_FILE, 0, &file) == 0 &&
                      snprintf(path, 1024, "%s", (char *)file) < 1024;
    if (found)
        FcPatternDestroy(found);
    if (want)
        FcPatternDestroy(want);
    return good ? IDV_OK
                : idv_fail(IDV_E_ARG, "font: no family '%s' here", family);
}

static idv_rc font_load(const char *path, struct label_font *f)
{
    if (FT_Init_FreeType(&f->library) != 0)
        return idv_fail(IDV_E_NOMEM, "font: FreeType");
    if (FT_New_Face(f->library, path, 0, &f->face) != 0)
        return idv_fail(IDV_E_IO, "font: %s: cannot be read as a font", path);
    f->cairo = cairo_ft_font_face_create_for_ft_face(f->face, 0);
    if (cairo_font_face_status(f->cairo) != CAIRO_STATUS_SUCCESS)
        return idv_fail(IDV_E_NOMEM, "font: cairo");
    return IDV_OK;
}

idv_rc label_font_open(const char *name, struct label_font **out)
{
    char path[1024];
    if (strchr(name, '/')) {
        if (snprintf(path, sizeof(path), "%s", name) >= (int)sizeof(path))
            return idv_fail(IDV_E_ARG, "font: path too long");
    } else {
        IDV_TRY(find_family(name, path));
    }
    struct label_font *f = calloc(1, sizeof(*f));
    if (!f)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    snprintf(f->name, sizeof(f->name), "%s", name);
    idv_rc rc = font_load(path, f);
    if (rc == IDV_OK)
        *out = f;
    else
        label_font_free(f);
    return rc;
}

/* --- text ----------------------------------------------------------------- */

struct lines {
    char text[LINES_MAX][128];
    unsigned n;
};

static idv_rc IDV_PRINTF(3, 4)
    add(struct lines *l, const char *value, const char *fmt, ...)
{
    va_list args;
    if (!value || !*value)
        return IDV_OK;
    if (l->n == LINES_MAX)
        return idv_fail(IDV_E_LIMIT, "label: more than %d lines", LINES_MAX);
    va_start(args, fmt);
    const int n = vsnprintf(l->text[l->n], sizeof(l->text[0]), fmt, args);
    va_end(args);
    if (n >= (int)sizeof(l->text[0]))
        return idv_fail(IDV_E_LIMIT, "label: '%s' does not fit", value);
    l->n++;
    return IDV_OK;
}

static idv_rc lines_of(const struct label *label, struct lines *l)
{
    l->n = 0;
    IDV_TRY(add(l, label->model, "%s", label->model));
    for (char *const *m = label->macs; m && *m; m++)
        IDV_TRY(add(l, *m, "%s", *m));
    IDV_TRY(add(l, label->order, "Order %s", label->order));
    return add(l, label->sha256, "ID %.8s", label->sha256);
}

/* Every character is in the font: an empty box on a label helps nobody. */
static idv_rc check_glyphs(cairo_t *cr, const struct label_font *font,
                           const char *text)
{
    cairo_glyph_t *glyphs = NULL;
    int n = 0;
    bool all = true;
    if (cairo_scaled_font_text_to_glyphs(cairo_get_scaled_font(cr), 0, 0, text,
                                         (int)strlen(text), &glyphs, &n, NULL,
                                         NULL, NULL) != CAIRO_STATUS_SUCCESS)
        return idv_fail(IDV_E_FORMAT, "label: '%s' is no UTF-8", text);
    for (int i = 0; i < n; i++)
        all = all && glyphs[i].index != 0;
    cairo_glyph_free(glyphs);
    return all ? IDV_OK
               : idv_fail(IDV_E_ARG, "label: font %s lacks a character of '%s'",
                          font->name, text);
}

static double width_of(cairo_t *cr, const char *text)
{
    cairo_text_extents_t e;
    cairo_text_extents(cr, text, &e);
    return e.x_advance > e.width + e.x_bearing ? e.x_advance
                                               : e.width + e.x_bearing;
}

/* The largest size up to most at which text is not wider than room; dots. */
static idv_rc fit(cairo_t *cr, const struct label_font *font, const char *text,
                  double room, double most, double least, double *out)
{
    cairo_set_font_size(cr, most);
    IDV_TRY(check_glyphs(cr, font, text));
    const double w = width_of(cr, text);
    const double size = w > room ? most * room / w : most;
    if (size < least)
        return idv_fail(IDV_E_LIMIT, "label: '%s' does not fit", text);
    if (size < *out)
        *out = size;
    return IDV_OK;
}

static void put_text(cairo_t *cr, double x, double y, double size,
                     const char *text)
{
    cairo_set_font_size(cr, size);
    cairo_move_to(cr, x, y);
    cairo_show_text(cr, text);
}

/* The serial number takes the upper part, the rest shares what is below. */
static idv_rc draw_text(cairo_t *cr, const struct label_form *f,
                        const struct label_font *font,
                        const struct label *label, struct label_box area)
{
    struct lines l;
    const double least = POINTS_MIN * f->dpi / 72;
    double big = area.h, small = POINTS_MAX * f->dpi / 72;
    IDV_TRY(lines_of(label, &l));
    cairo_set_font_face(cr, font->cairo);
    IDV_TRY(fit(cr, font, label->serial, area.w, area.h * 0.3, least, &big));
    const double step = (area.h - 1.25 * big) / (l.n ? l.n : 1);
    for (unsigned i = 0; i < l.n; i++)
        IDV_TRY(fit(cr, font, l.text[i], area.w,
                    step / 1.2 < small ? step / 1.2 : small, least, &small));
    put_text(cr, area.x, area.y + big, big, label->serial);
    for (unsigned i = 0; i < l.n; i++)
        put_text(cr, area.x, area.y + 1.25 * big + (i + 0.8) * small * 1.2,
                 small, l.text[i]);
    return IDV_OK;
}

/* --- the code ------------------------------------------------------------- */

static idv_rc encode(struct idv_bytes text, QRcode **out)
{
    if (!text.n || memchr(text.p, 0, text.n))
        return idv_fail(IDV_E_ARG, "label: a code without text");
    *out = QRcode_encodeData((int)text.n, text.p, 0, QR_ECLEVEL_M);
    if (*out)
        return IDV_OK;
    return errno == ERANGE ? idv_fail(IDV_E_LIMIT,
                                      "label: %zu bytes are more than a QR "
                                      "code takes",
                                      text.n)
                           : idv_fail(IDV_E_NOMEM, "label: QR code");
}

/* Runs of dark modules, a rectangle each: whole dots, no seams. */
static void draw_modules(cairo_t *cr, const QRcode *qr, unsigned x, unsigned y,
                         unsigned dots)
{
    const unsigned n = (unsigned)qr->width;
    cairo_save(cr);
    cairo_set_antialias(cr, CAIRO_ANTIALIAS_NONE);
    for (unsigned row = 0; row < n; row++) {
        for (unsigned from = 0; from < n;) {
            unsigned to = from;
            while (to < n && qr->data[row * n + to] & 1)
                to++;
            if (to > from)
                cairo_rectangle(cr, x + from * dots, y + row * dots,
                                (to - from) * dots, dots);
            from = to + 1;
        }
    }
    cairo_fill(cr);
    cairo_restore(cr);
}

/* *side: with its quiet zone */
static idv_rc draw_code(cairo_t *cr, const struct label_form *f,
                        const struct label_box *box, struct idv_bytes text,
                        unsigned *side)
{
    QRcode *qr = NULL;
    unsigned dots = 0;
    IDV_TRY(encode(text, &qr));
    idv_rc rc = label_module(f, box, (unsigned)qr->width, &dots);
    if (rc == IDV_OK) {
        *side = dots * ((unsigned)qr->width + 2 * LABEL_QUIET);
        draw_modules(cr, qr, box->x + LABEL_QUIET * dots,
                     box->y + (box->h - *side) / 2 + LABEL_QUIET * dots, dots);
    }
    QRcode_free(qr);
    return rc;
}

idv_rc label_draw(cairo_t *cr, const struct label_form *f, unsigned place,
                  const struct label_font *font, const struct label *label,
                  struct idv_bytes text)
{
    const struct label_box box = label_form_box(f, place);
    unsigned side = 0;
    cairo_set_source_rgb(cr, 0, 0, 0);
    idv_rc rc = draw_code(cr, f, &box, text, &side);
    if (rc == IDV_OK) {
        const unsigned edge = (unsigned)(f->dpi / 20);
        const struct label_box area = {box.x + side, box.y + edge,
                                       box.w - side - edge, box.h - 2 * edge};
        rc = draw_text(cr, f, font, label, area);
    }
    if (rc != IDV_OK)
        return idv_fail_within(rc, "%s", label->serial);
    return cairo_status(cr) == CAIRO_STATUS_SUCCESS
               ? IDV_OK
               : idv_fail(IDV_E_IO, "label: %s",
                          cairo_status_to_string(cairo_status(cr)));
}
