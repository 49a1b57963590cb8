/* SPDX-License-Identifier: Apache-2.0 */
/* Labels on pages: sizes, places, the text of their codes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "label.h"

#define MM_PER_INCH 25.4
#define MODULE_MIN_MM 0.25
#define PADDING_MM 1.0

/* --- the text ------------------------------------------------------------- */

static const char *value_of(struct idv_bytes word, const struct label *l,
                            char hex8[9])
{
    if (idv_text_eq(word, "serial"))
        return l->serial;
    if (idv_text_eq(word, "model"))
        return l->model;
    if (idv_text_eq(word, "order"))
        return l->order;
    if (idv_text_eq(word, "mac"))
        return l->macs && l->macs[0] ? l->macs[0] : "";
    if (idv_text_eq(word, "sha256"))
        return l->sha256;
    if (!idv_text_eq(word, "sha256-hex8"))
        return NULL;
    memcpy(hex8, l->sha256, 8);
    hex8[8] = 0;
    return hex8;
}

static idv_rc put_escaped(struct idv_buf *out, const char *value)
{
    while (*value) {
        const size_t n = strcspn(value, ";%");
        IDV_TRY(idv_buf_put(out, idv_bytes(value, n)));
        value += n;
        if (*value)
            IDV_TRY(idv_buf_puts(out, *value++ == ';' ? "%3B" : "%25"));
    }
    return IDV_OK;
}

static idv_rc put_word(struct idv_bytes word, const struct label *l,
                       struct idv_buf *out)
{
    char hex8[9];
    const char *value = value_of(word, l, hex8);
    if (!value)
        return idv_fail(IDV_E_ARG, "label text: {%.*s} is not known",
                        (int)word.n, (const char *)word.p);
    return put_escaped(out, value);
}

idv_rc label_text(const char *template_, const struct label *label,
                  struct idv_buf *out)
{
    for (const char *s = template_; *s;) {
        const size_t n = strcspn(s, "{}");
        IDV_TRY(idv_buf_put(out, idv_bytes(s, n)));
        s += n;
        if (!*s)
            break;
        const char *end = strchr(s, '}');
        if (*s != '{' || !end)
            return idv_fail(IDV_E_ARG, "label text: a brace without its other");
        IDV_TRY(put_word(idv_bytes(s + 1, (size_t)(end - s) - 1), label, out));
        s = end + 1;
    }
    return IDV_OK;
}

idv_rc label_text_check(const char *template_)
{
    IDV_AUTO(buf) out = {0};
    const struct label none = {.serial = "", .model = "", .order = ""};
    return label_text(template_, &none, &out);
}

/* --- sizes ---------------------------------------------------------------- */

/* "AxB", both in min .. max */
static bool two_numbers(const char *text, double min, double max, double *a,
                        double *b)
{
    char *end;
    *a = strtod(text, &end);
    if (end == text || (*end != 'x' && *end != 'X'))
        return false;
    const char *second = end + 1;
    *b = strtod(second, &end);
    return end != second && !*end && *a >= min && *a <= max && *b >= min &&
           *b <= max;
}

static idv_rc page_parse(const char *page, struct label_form *out)
{
    static const struct {
        const char *name;
        struct label_form form;
    } row[] = {{"A4", {210, 297, 8, 3, 8, 0}},
               {"Letter", {215.9, 279.4, 8, 3, 10, 0}}};
    *out = (struct label_form){0, 0, 0, 1, 1, 0};
    for (size_t i = 0; i < 2; i++) {
        if (strcasecmp(page, row[i].name) == 0) {
            *out = row[i].form;
            return IDV_OK;
        }
    }
    if (two_numbers(page, 5, 2000, &out->page_w, &out->page_h))
        return IDV_OK;
    return idv_fail(IDV_E_ARG,
                    "page: '%s' is not A4, Letter or WIDTHxHEIGHT in mm", page);
}

static idv_rc number(const char *what, const char *text, double min, double max,
                     double *out)
{
    char *end;
    const double v = strtod(text, &end);
    if (end == text || *end || !(v >= min && v <= max))
        return idv_fail(IDV_E_ARG, "%s: '%s' is not in %g to %g", what, text,
                        min, max);
    *out = v;
    return IDV_OK;
}

static unsigned dots(const struct label_form *f, double mm)
{
    return (unsigned)floor(mm * f->dpi / MM_PER_INCH);
}

idv_rc label_form_parse(const char *page, const char *grid, const char *margin,
                        int64_t given, const char *dpi, struct label_form *out)
{
    struct label_form f;
    double a, b, d = (double)given;
    IDV_TRY(page_parse(page, &f));
    if (grid) {
        if (!two_numbers(grid, 1, 100, &a, &b) || floor(a) != a ||
            floor(b) != b)
            return idv_fail(IDV_E_ARG, "grid: '%s' is not COLUMNSxROWS", grid);
        f.columns = (unsigned)a;
        f.rows = (unsigned)b;
    }
    if (margin)
        IDV_TRY(number("margin", margin, 0, 100, &f.margin));
    if (dpi)
        IDV_TRY(number("dpi", dpi, 72, 2400, &d));
    f.dpi = (unsigned)d;
    if (f.page_w - 2 * f.margin < 5.0 * f.columns ||
        f.page_h - 2 * f.margin < 5.0 * f.rows)
        return idv_fail(IDV_E_ARG, "label: less than 5 mm are left for one");
    *out = f;
    return IDV_OK;
}

unsigned label_form_per_page(const struct label_form *f)
{
    return f->columns * f->rows;
}

struct label_box label_form_box(const struct label_form *f, unsigned i)
{
    const double w = (f->page_w - 2 * f->margin) / f->columns,
                 h = (f->page_h - 2 * f->margin) / f->rows;
    return (struct label_box){
        .x = dots(f, f->margin + w * (i % f->columns)),
        .y = dots(f, f->margin + h * (i / f->columns)),
        .w = dots(f, w),
        .h = dots(f, h),
    };
}

idv_rc label_module(const struct label_form *f, const struct label_box *box,
                    unsigned modules, unsigned *out)
{
    const unsigned pad = dots(f, PADDING_MM);
    const unsigned half = box->w / 2,
                   high = box->h > 2 * pad ? box->h - 2 * pad : 0;
    const unsigned n = modules + 2 * LABEL_QUIET;
    const unsigned side = half < high ? half : high;
    const double mm = side / n * MM_PER_INCH / f->dpi;
    if (mm < MODULE_MIN_MM)
        return idv_fail(IDV_E_LIMIT,
                        "label: a code of %u modules needs %.1f mm, and has "
                        "%.1f mm: shorter text or larger labels",
                        modules, n * MODULE_MIN_MM,
                        side * MM_PER_INCH / f->dpi);
    *out = side / n;
    return IDV_OK;
}
