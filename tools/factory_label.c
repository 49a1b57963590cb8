/* SPDX-License-Identifier: Apache-2.0 */
/* label: a label for each device that is done, as pictures or as sheets. */
#include <stdio.h>
#include <string.h>

#include <cairo-pdf.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "factory_line.h"
#include "factory_people.h"
#include "factory_stream.h"
#include "label.h"

static const char *page, *grid, *margin, *dpi, *text, *font;

struct run {
    struct tool *t;
    struct line *l;
    struct label_form form;
    struct label_font *font;
    const char *text;
    uint64_t n;
    idv_rc rc;
    /* of sheets; NULL: a picture each */
    struct stream *to;
    cairo_surface_t *pdf;
    cairo_t *cr;
};

/* --- one device ----------------------------------------------------------- */

static idv_rc add_macs(const struct idv_json *list, char ***macs)
{
    for (size_t i = 0; i < idv_json_count(list); i++)
        IDV_TRY(idv_list_add(
            macs, idv_str(idv_json_text(idv_json_at(list, i, NULL)))));
    return IDV_OK;
}

static idv_rc from_order(const struct run *r,
                         const struct idv_factory_device *d, char ***macs)
{
    IDV_AUTO(buf) json = {0};
    IDV_AUTO_PTR(idv_json) o = NULL;
    bool order, found;
    IDV_TRY(r->l->store.order_device(r->l->store.self, d->order,
                                     d->serial_number, &order, &found, &json));
    if (!order || !found) /* made without one */
        return IDV_OK;
    IDV_TRY(idv_json_parse(idv_view(&json), 0, &o));
    return add_macs(idv_json_get(o, "macs"), macs);
}

static idv_rc hash_cert(const struct idv_factory_device *d, struct label *out)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_AUTO(buf) hex = {0};
    uint8_t digest[32];
    IDV_TRY(idv_cert_from_der(idv_view(&d->cert), &cert));
    IDV_TRY(idv_cert_sha256(cert, digest));
    IDV_TRY(idv_hex_from_bytes(idv_bytes(digest, sizeof(digest)), &hex));
    memcpy(out->sha256, hex.p, sizeof(out->sha256));
    return IDV_OK;
}

/* --- a picture each ------------------------------------------------------- */

static cairo_status_t png_part(void *arg, const unsigned char *p, unsigned n)
{
    struct idv_buf *b = arg;
    return idv_buf_put(b, idv_bytes(p, n)) == IDV_OK ? CAIRO_STATUS_SUCCESS
                                                     : CAIRO_STATUS_NO_MEMORY;
}

/* DIR/SERIAL.png; what is no letter, digit, dot, dash or underscore is %XX. */
static idv_rc png_path(const char *serial, struct idv_buf *out)
{
    IDV_TRY(idv_buf_putf(out, "%s/", opt.out));
    for (const char *c = serial; *c; c++) {
        const bool plain = (*c >= '0' && *c <= '9') ||
                           (*c >= 'A' && *c <= 'Z') ||
                           (*c >= 'a' && *c <= 'z') || strchr("-_", *c) ||
                           (*c == '.' && c != serial);
        if (plain)
            IDV_TRY(idv_buf_put(out, idv_bytes(c, 1)));
        else
            IDV_TRY(idv_buf_putf(out, "%%%02X", (unsigned char)*c));
    }
    return idv_buf_puts(out, ".png");
}

static idv_rc png_write(cairo_surface_t *s, const char *serial)
{
    IDV_AUTO(buf) path = {0};
    IDV_AUTO(buf) png = {.max = (size_t)64 << 20};
    IDV_TRY(png_path(serial, &path));
    if (cairo_surface_write_to_png_stream(s, png_part, &png) !=
        CAIRO_STATUS_SUCCESS)
        return idv_fail(IDV_E_NOMEM, "%s: out of memory", serial);
    return idv_fs_write((char *)path.p, idv_view(&png), 0644);
}

static idv_rc png_label(struct run *r, const struct label *label,
                        struct idv_bytes code)
{
    const struct label_box box = label_form_box(&r->form, 0);
    cairo_surface_t *s = cairo_image_surface_create(
        CAIRO_FORMAT_RGB24, (int)(box.x * 2 + box.w), (int)(box.y * 2 + box.h));
    cairo_t *cr = cairo_create(s);
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_paint(cr);
    idv_rc rc = label_draw(cr, &r->form, 0, r->font, label, code);
    cairo_destroy(cr);
    cairo_surface_flush(s);
    if (rc == IDV_OK)
        rc = png_write(s, label->serial);
    cairo_surface_destroy(s);
    return rc;
}

/* --- sheets --------------------------------------------------------------- */

static cairo_status_t pdf_part(void *arg, const unsigned char *p, unsigned n)
{
    return stream_put(arg, idv_bytes(p, n)) == IDV_OK
               ? CAIRO_STATUS_SUCCESS
               : CAIRO_STATUS_WRITE_ERROR;
}

#define POINTS(mm) ((mm)*72 / 25.4)

static idv_rc pdf_open(struct run *r, struct stream *to)
{
    IDV_TRY(stream_open(opt.out, 0644, to));
    r->to = to;
    r->pdf = cairo_pdf_surface_create_for_stream(
        pdf_part, to, POINTS(r->form.page_w), POINTS(r->form.page_h));
    cairo_pdf_surface_set_metadata(r->pdf, CAIRO_PDF_METADATA_TITLE,
                                   "Device labels");
    r->cr = cairo_create(r->pdf);
    cairo_scale(r->cr, 72.0 / r->form.dpi, 72.0 / r->form.dpi);
    return IDV_OK;
}

static idv_rc pdf_label(struct run *r, const struct label *label,
                        struct idv_bytes code)
{
    const unsigned place = (unsigned)(r->n % label_form_per_page(&r->form));
    if (r->n && !place)
        cairo_show_page(r->cr);
    idv_rc rc = label_draw(r->cr, &r->form, place, r->font, label, code);
    return r->to->rc != IDV_OK ? r->to->rc : rc;
}

static idv_rc pdf_close(struct run *r, idv_rc rc)
{
    cairo_destroy(r->cr);
    cairo_surface_finish(r->pdf);
    const cairo_status_t status = cairo_surface_status(r->pdf);
    cairo_surface_destroy(r->pdf);
    if (rc == IDV_OK)
        rc = r->to->rc;
    if (rc == IDV_OK && status != CAIRO_STATUS_SUCCESS)
        rc = idv_fail(IDV_E_IO, "%s: %s", opt.out,
                      cairo_status_to_string(status));
    return stream_close(r->to, rc);
}

/* --- all of them ---------------------------------------------------------- */

static idv_rc one(struct run *r, const struct idv_factory_device *d)
{
    char **macs = NULL;
    IDV_AUTO(buf) code = {0};
    struct label label = {
        .serial = d->serial_number, .model = d->model, .order = d->order};
    idv_rc rc = from_order(r, d, &macs);
    label.macs = macs;
    if (rc == IDV_OK)
        rc = hash_cert(d, &label);
    if (rc == IDV_OK)
        rc = label_text(r->text, &label, &code);
    if (rc == IDV_OK)
        rc = r->to ? pdf_label(r, &label, idv_view(&code))
                   : png_label(r, &label, idv_view(&code));
    idv_list_free(macs);
    r->n += rc == IDV_OK;
    return rc;
}

static bool each(void *arg, const struct idv_factory_device *d)
{
    struct run *r = arg;
    if (d->state == IDV_DEVICE_DONE)
        r->rc = one(r, d);
    return r->rc == IDV_OK;
}

static idv_rc one_serial(struct run *r)
{
    struct idv_factory_device d = {0};
    bool found;
    IDV_TRY(r->l->store.find(r->l->store.self, IDV_BY_SERIAL,
                             idv_str(opt.serial), &found, &d));
    idv_rc rc;
    if (!found)
        rc = idv_fail(IDV_E_REJECT, "%s: not in the journal", opt.serial);
    else if (d.state != IDV_DEVICE_DONE)
        rc = idv_fail(IDV_E_REJECT, "%s: is %s, not done: no label", opt.serial,
                      idv_factory_state_to_text(d.state));
    else
        rc = one(r, &d);
    idv_factory_device_free(&d);
    return rc;
}

static idv_rc all(struct run *r)
{
    if (opt.serial)
        return one_serial(r);
    IDV_TRY(r->l->store.each_device(r->l->store.self, opt.order, each, r));
    if (r->rc == IDV_OK && !r->n)
        return idv_fail(IDV_E_REJECT, "no device%s%s is done: no label",
                        opt.order ? " of order " : "",
                        opt.order ? opt.order : "");
    return r->rc;
}

static bool is_pdf(void)
{
    const size_t n = strlen(opt.out);
    return n > 4 && strcasecmp(opt.out + n - 4, ".pdf") == 0;
}

static idv_rc print(struct run *r)
{
    struct stream to;
    if (!is_pdf()) {
        IDV_TRY(idv_fs_mkdir(opt.out, 0755));
        return all(r);
    }
    IDV_TRY(pdf_open(r, &to));
    return pdf_close(r, all(r));
}

static idv_rc prepare(struct run *r)
{
    const struct factory_label_conf *c = &factory_conf.label;
    /* who names another page has another grid in mind */
    const bool mine = page && strcmp(page, c->page) != 0;
    r->text = text ? text : c->text;
    IDV_TRY(factory_need(opt.out, "--out FILE.pdf or FOLDER"));
    IDV_TRY(label_text_check(r->text));
    IDV_TRY(label_form_parse(
        page ? page : c->page, grid || mine ? grid : c->grid,
        margin || mine ? margin : c->margin, c->dpi, dpi, &r->form));
    if (!is_pdf() && label_form_per_page(&r->form) != 1)
        return idv_fail(IDV_E_ARG, "a picture has one label: --grid and sheets "
                                   "are for a PDF");
    return label_font_open(font ? font : c->font, &r->font);
}

idv_rc factory_label(struct tool *t, int argc, char **argv)
{
    struct line l;
    struct run r = {.t = t, .l = &l};
    (void)argc;
    opt.dir = argv[0];
    IDV_TRY(factory_configured());
    IDV_TRY(prepare(&r));
    idv_rc rc = line_open_book(t, &factory_conf, &l);
    if (rc == IDV_OK)
        rc = print(&r);
    if (rc == IDV_OK)
        tool_say(t, "%s: %llu labels", opt.out, (unsigned long long)r.n);
    line_close(&l);
    label_font_free(r.font);
    return rc;
}

const struct tool_option factory_label_options[] = {
    {"out", 'o', "PATH", "FILE.pdf, or a folder that gets SERIAL.png", &opt.out,
     NULL, NULL},
    {"order", 0, "ID", "the devices of this order (default: all)", &opt.order,
     NULL, NULL},
    {"serial", 's', "TEXT", "this device alone", &opt.serial, NULL, NULL},
    {"page", 0, "SIZE", "A4, Letter, or WxH in mm ", &page, NULL, NULL},
    {"grid", 0, "CxR", "labels on a page (A4 3x8, Letter 3x10, else 1x1)",
     &grid, NULL, NULL},
    {"margin", 0, "MM", "around a page (sheets 8, else 0)", &margin, NULL,
     NULL},
    {"dpi", 0, "N", "of the printer ", &dpi, NULL, NULL},
    {"text", 0, "TEXT",
     "of the QR code, with {serial} {model} {order} {mac} "
     "{sha256} {sha256-hex8}",
     &text, NULL, NULL},
    {"font", 0, "NAME", "a family or a file ", &font, NULL, NULL},
    {0}};
