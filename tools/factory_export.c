/* SPDX-License-Identifier: Apache-2.0 */
/* export: what was made, for the MASA, auditors, the ERP, the shift. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/export.h>
#include <idevid/fs.h>

#include "factory.h"
#include "factory_line.h"

/* Lines go to a new file that takes the place of the old one when it is whole,
 * or to standard output. */
struct sink {
    FILE *file;
    char path[1024];
};

static idv_rc sink_failed(const struct sink *s)
{
    return idv_fail(IDV_E_IO, "%s: %s", *s->path ? s->path : "standard output",
                    strerror(errno));
}

static idv_rc sink_open(const char *out, struct sink *s)
{
    *s = (struct sink){.file = stdout};
    if (!out || strcmp(out, "-") == 0)
        return IDV_OK;
    if (snprintf(s->path, sizeof(s->path), "%s" IDV_FS_TEMP, out) >=
        (int)sizeof(s->path))
        return idv_fail(IDV_E_ARG, "%s: path too long", out);
    s->file = fopen(s->path, "we");
    return s->file ? IDV_OK : sink_failed(s);
}

static idv_rc sink_line(void *arg, struct idv_bytes line)
{
    const struct sink *s = arg;
    return fwrite(line.p, 1, line.n, s->file) == line.n ? IDV_OK
                                                        : sink_failed(s);
}

static idv_rc sink_close(struct sink *s, const char *out, idv_rc rc)
{
    if (!s->file)
        return rc;
    if (fflush(s->file) != 0 && rc == IDV_OK)
        rc = sink_failed(s);
    if (s->file == stdout)
        return rc;
    if (fclose(s->file) != 0 && rc == IDV_OK)
        rc = sink_failed(s);
    if (rc == IDV_OK)
        return idv_fs_rename(s->path, out);
    if (idv_fs_remove(s->path) != IDV_OK)
        return rc; /* the first note stands */
    return rc;
}

/* --- the shift --------------------------------------------------------------
 */

static idv_rc moment(const char *text, int64_t otherwise, int64_t *out)
{
    *out = otherwise;
    return text ? idv_time_from_text(idv_str(text), out) : IDV_OK;
}

#define SHIFT_S (8 * 3600)

static idv_rc report(struct line *l, const struct idv_export *to)
{
    struct idv_report r;
    IDV_AUTO(buf) text = {0};
    int64_t from, until;
    IDV_TRY(moment(opt.to, idv_now(l->t->env) + 1, &until));
    IDV_TRY(moment(opt.from, until - SHIFT_S, &from));
    IDV_TRY(idv_report_make(&l->store, from, until, &r));
    IDV_TRY(l->t->json ? idv_report_to_json(&r, &text)
                       : idv_report_to_text(&r, &text));
    return to->line(to->arg, idv_view(&text));
}

static idv_rc head(struct line *l, const struct idv_export *to)
{
    struct idv_journal_head h;
    IDV_AUTO(buf) text = {0};
    IDV_TRY(idv_journal_head(&l->store, l->t->env, &h));
    IDV_TRY(idv_journal_head_to_json(&h, &text));
    return to->line(to->arg, idv_view(&text));
}

static idv_rc write_all(struct line *l, const struct idv_export *to)
{
    if (!opt.format || strcmp(opt.format, "feed") == 0)
        return idv_export_feed(&l->store, opt.order, opt.maker, to);
    if (strcmp(opt.format, "attestations") == 0)
        return idv_export_attestations(&l->store, opt.order, to);
    if (strcmp(opt.format, "csv") == 0)
        return idv_export_csv(&l->store, opt.order, to);
    if (strcmp(opt.format, "report") == 0)
        return report(l, to);
    if (strcmp(opt.format, "head") == 0)
        return head(l, to);
    return idv_fail(IDV_E_ARG,
                    "--format: '%s' is not feed, attestations, csv, "
                    "report or head",
                    opt.format);
}

idv_rc factory_export(struct tool *t, int argc, char **argv)
{
    struct line l;
    struct sink s = {0};
    const struct idv_export to = {sink_line, &s};
    (void)argc;
    opt.dir = argv[0];
    IDV_TRY(factory_configured());
    idv_rc rc = line_open_book(t, &factory_conf, &l);
    if (rc == IDV_OK)
        rc = sink_open(opt.out, &s);
    if (rc == IDV_OK)
        rc = sink_close(&s, opt.out, write_all(&l, &to));
    line_close(&l);
    return rc;
}

const struct tool_option factory_export_options[] = {
    {"format", 0, "WORD",
     "feed (default: for idevid-masa import), attestations, csv, report, head",
     &opt.format, NULL, NULL},
    {"order", 0, "ID", "of this order only", &opt.order, NULL, NULL},
    {"maker", 0, "NAME", "of a feed: the brand, where the MASA has several",
     &opt.maker, NULL, NULL},
    {"from", 0, "TIME",
     "of a report: its beginning (RFC 3339; default 8 hours "
     "before its end)",
     &opt.from, NULL, NULL},
    {"to", 0, "TIME", "of a report: its end (default: now)", &opt.to, NULL,
     NULL},
    {"out", 'o', "FILE", "where to (default: standard output)", &opt.out, NULL,
     NULL},
    {0}};
