/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-anchor reset: the domain dies here. */
#include <stdio.h>

#include <idevid/auto.h>

#include "anchor.h"
#include "confirm.h"
#include "pledge_event.h"
#include "sheet.h"

static bool yes;

const struct tool_option anchor_reset_options[] = {
    {"yes", 0, NULL, "do not ask", NULL, &yes, NULL}, {0}};

/* What is lost, said before it is. */
static idv_rc what_dies(const struct state *s, struct idv_buf *out)
{
    const struct idv_enrollment *e =
        s->trust ? idv_trust_enrollment(s->trust) : NULL;
    const X509 *pin = s->trust ? idv_trust_pin(s->trust) : NULL;
    IDV_TRY(idv_buf_puts(out, "This device leaves its domain. These die:\n"));
    IDV_TRY(idv_buf_putf(out, "  the trust anchor%s%s\n", pin ? " " : "",
                         pin ? idv_cert_subject(pin) : ""));
    IDV_TRY(
        idv_buf_putf(out, "  the LDevID key %s\n", e ? e->key_uri : s->ldevid));
    if (e)
        IDV_TRY(idv_buf_putf(out, "  the LDevID %s\n",
                             idv_cert_subject(sk_X509_value(e->ldevid, 0))));
    return idv_buf_puts(out, "The IDevID stays, so that it can join again.");
}

static idv_rc confirm(const struct state *s)
{
    IDV_AUTO(buf) question = {0};
    IDV_TRY(what_dies(s, &question));
    return tool_confirm((const char *)question.p, "yes", false, "--yes");
}

idv_rc anchor_reset(struct tool *t, int argc, char **argv)
{
    AUTO_STATE struct state s = STATE_INIT;
    (void)argc;
    (void)argv;
    idv_rc rc = state_open(t, &anchor_configuration, STATE_CHANGE, &s);
    if (rc != IDV_OK && !state_tampered(&s, rc))
        return rc;
    idv_note_clear();
    if (!yes)
        IDV_TRY(confirm(&s));
    IDV_TRY(state_reset(&s));
    IDV_TRY(pledge_event(&s, "reset"));
    struct sheet out = sheet_begin(t);
    sheet_line(&out, "back to factory default; the IDevID is kept");
    sheet_json(&out, "state", idv_json_new_text(idv_str("none")));
    return sheet_end(&out);
}
