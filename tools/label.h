/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of devices: what is on one, where it is on a page, how it is drawn. */
#ifndef LABEL_H
#define LABEL_H

#include <cairo.h>

#include <idevid/journal.h>

#include "tool.h"

/* --- what is on one ------------------------------------------------------- */

/* Borrowed text; "" absent. */
struct label {
    const char *serial, *model, *order;
    char *const *macs; /* NULL-ended; NULL none */
    char sha256[65];   /* of the IDevID certificate, hex */
};

/* The text of the QR code: template with {serial} {model} {order} {mac} (the
 * first) {sha256} {sha256-hex8}; ; and % within a value are written %3B and
 * %25, so that a reader can take it apart. IDV_E_ARG: an unknown word. */
idv_rc label_text(const char *template_, const struct label *label,
                  struct idv_buf *out) IDV_CHECKED;
/* label NULL: only whether it is a template. */
idv_rc label_text_check(const char *template_) IDV_CHECKED;

/* --- where it is ---------------------------------------------------------- */

struct label_form {
    double page_w, page_h, margin; /* mm */
    unsigned columns, rows;
    unsigned dpi;
};
/* page: "A4", "Letter" or "WxH" in mm; grid "CxR"; margin in mm, NULL: of A4
 * 3x8 and 8, of Letter 3x10 and 8, else 1x1 and 0. dpi NULL: dots. IDV_E_ARG.
 */
idv_rc label_form_parse(const char *page, const char *grid, const char *margin,
                        int64_t dots, const char *dpi,
                        struct label_form *out) IDV_CHECKED;

/* One label's place on its page, in dots of that dpi, whole. */
struct label_box {
    unsigned x, y, w, h;
};
unsigned label_form_per_page(const struct label_form *f);
struct label_box label_form_box(const struct label_form *f, unsigned i);

/* The QR code's place in a box: dots of a module, whole, with a quiet zone of
 * four modules. IDV_E_LIMIT: modules smaller than a quarter of a millimetre. */
#define LABEL_QUIET 4
idv_rc label_module(const struct label_form *f, const struct label_box *box,
                    unsigned modules, unsigned *dots) IDV_CHECKED;

/* --- drawing -------------------------------------------------------------- */

/* A font: a file (a path with a /) or a family's name. IDV_E_IO: no such file,
 * or not a font; IDV_E_ARG: no such family here. */
struct label_font;
idv_rc label_font_open(const char *name, struct label_font **out) IDV_CHECKED;
void label_font_free(struct label_font *f);

/* Draws it; units of cr are dots of f->dpi. IDV_E_LIMIT: something does not fit
 * and is named; IDV_E_ARG: a character that the font does not have. */
idv_rc label_draw(cairo_t *cr, const struct label_form *f, unsigned place,
                  const struct label_font *font, const struct label *label,
                  struct idv_bytes text) IDV_CHECKED;

#endif
