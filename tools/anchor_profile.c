/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-anchor profile: how the anchor is kept, and what other ways need. */
#include <idevid/auto.h>

#include "anchor.h"
#include "anchor_words.h"
#include "sheet.h"

static idv_rc other_json(const struct anchor_way *w, struct idv_json *array)
{
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = tool_put_text(o, "profile", w->name);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "assurance", w->assurance);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "needs", w->needs);
    if (rc == IDV_OK)
        return idv_json_append(array, o);
    idv_json_free(o);
    return rc;
}

static void others_json(struct sheet *s, const struct anchor_way *mine)
{
    struct idv_json *array = idv_json_new_array();
    for (const struct anchor_way *w = anchor_ways; w->name; w++) {
        if (w != mine)
            sheet_failed(s, other_json(w, array));
    }
    sheet_json(s, "others", array);
}

static void others_lines(struct sheet *s, const struct anchor_way *mine)
{
    sheet_line(s, "others");
    for (const struct anchor_way *w = anchor_ways; w->name; w++) {
        if (w != mine)
            sheet_linef(s, "  %-10s needs %s (%s)", w->name, w->needs,
                        w->assurance);
    }
}

/* --- --threats -------------------------------------------------------------
 */

static bool threats;

const struct tool_option anchor_profile_options[] = {
    {"threats", 0, NULL, "who does what, and how it ends in this device", NULL,
     &threats, NULL},
    {0}};

static idv_rc threat_json(const struct anchor_threat *a, size_t way,
                          struct idv_json *array)
{
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = tool_put_text(o, "attack", a->attack);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "outcome", a->ends[way]);
    if (rc == IDV_OK)
        return idv_json_append(array, o);
    idv_json_free(o);
    return rc;
}

static void put_threats(struct sheet *s, size_t way)
{
    struct idv_json *array = s->o ? idv_json_new_array() : NULL;
    for (const struct anchor_threat *a = anchor_threats; a->attack; a++) {
        if (s->o)
            sheet_failed(s, threat_json(a, way, array));
        else
            sheet_linef(s, "\n%s:\n  %s", a->attack, a->ends[way]);
    }
    sheet_json(s, "threats", array);
}

idv_rc anchor_profile(struct tool *t, int argc, char **argv)
{
    AUTO_STATE struct state s = STATE_INIT;
    struct idv_anchor anchor = {0};
    (void)argc;
    (void)argv;
    IDV_TRY(state_begin(t, &anchor_configuration, STATE_LOOK, &s));
    IDV_TRY(state_anchor(&s, &anchor));
    const char *assurance = anchor.ops->assurance;
    const struct anchor_way *way =
        anchor_way_of(anchor.ops->profile, assurance);
    idv_anchor_close(&anchor);
    struct sheet o = sheet_begin(t);
    sheet_text(&o, "profile", way->name);
    sheet_text(&o, "assurance", assurance);
    sheet_text(&o, "protects", way->protects);
    sheet_text(&o, "stops-at", way->stops_at);
    if (threats)
        put_threats(&o, (size_t)(way - anchor_ways));
    else if (t->json)
        others_json(&o, way);
    else
        others_lines(&o, way);
    return sheet_end(&o);
}
