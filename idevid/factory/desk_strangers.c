/* SPDX-License-Identifier: Apache-2.0 */
/* Who was turned away before anything was known of a device: in the book, but
 * not so often that the book grows by it. */
#include <string.h>

#include <idevid/json.h>
#include <idevid/x509.h>

#include "factory/desk_int.h"

#define HOUR_S 3600

/* --- an entry ------------------------------------------------------------- */

static idv_rc body_of(const struct idvi_stranger *s, uint64_t n,
                      struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    const char *why = idv_factory_why_to_text(s->why);
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_json_set(o, "count", idv_json_new_int((int64_t)n)));
    IDV_TRY(idv_json_set(o, "peer", idv_json_new_text(idv_str(s->address))));
    if (*s->subject)
        IDV_TRY(
            idv_json_set(o, "subject", idv_json_new_text(idv_str(s->subject))));
    IDV_TRY(idv_json_set(o, "text", idv_json_new_text(idv_str(s->text))));
    IDV_TRY(idv_json_set(o, "why", idv_json_new_text(idv_str(why))));
    return idv_json_dump(o, false, out);
}

static void note(struct idv_desk *d, const struct idvi_stranger *s, uint64_t n)
{
    const struct idv_factory_store *store = d->conf.store;
    IDV_AUTO(buf) body = {0};
    if (body_of(s, n, &body) != IDV_OK ||
        store->note(store->self, "turned-away", "", idv_view(&body),
                    idv_now(d->conf.env)) != IDV_OK)
        idv_log_failure(d->conf.env, "desk.refusal-not-kept", IDV_E_IO);
    idv_note_clear();
}

/* --- an hour of them ------------------------------------------------------ */

void idvi_strangers_close(struct idv_desk *d)
{
    struct idvi_strangers *all = &d->strangers;
    for (size_t i = 0; i < all->n; i++) {
        if (all->row[i].more)
            note(d, &all->row[i], all->row[i].more);
    }
    all->n = 0;
}

static void next_hour(struct idv_desk *d)
{
    const int64_t now = idv_now(d->conf.env);
    if (now >= d->strangers.since && now - d->strangers.since < HOUR_S)
        return;
    idvi_strangers_close(d);
    d->strangers.since = now;
}

/* *fresh: the first time within the hour */
static struct idvi_stranger *row_of(struct idvi_strangers *all,
                                    const char *address, bool *fresh)
{
    *fresh = false;
    for (size_t i = 0; i < all->n; i++) {
        if (strcmp(all->row[i].address, address) == 0)
            return &all->row[i];
    }
    if (all->n == IDVI_STRANGERS)
        return &all->row[IDVI_STRANGERS - 1];
    struct idvi_stranger *s = &all->row[all->n++];
    memset(s, 0, sizeof(*s));
    (void)snprintf(s->address, sizeof(s->address), "%s",
                   all->n == IDVI_STRANGERS ? "others" : address);
    *fresh = true;
    return s;
}

void idv_desk_turned_away(struct idv_desk *d, const struct idv_desk_peer *peer,
                          enum idv_factory_why why)
{
    char text[IDV_NOTE_MAX];
    bool fresh;
    (void)snprintf(text, sizeof(text), "%s", idv_note());
    idv_note_clear();
    next_hour(d);
    struct idvi_stranger *s =
        row_of(&d->strangers, peer ? peer->address : "file", &fresh);
    s->why = why;
    (void)snprintf(s->text, sizeof(s->text), "%s", text);
    (void)snprintf(s->subject, sizeof(s->subject), "%s",
                   peer && peer->cert ? idv_cert_subject(peer->cert) : "");
    if (fresh)
        note(d, s, 1);
    else
        s->more++;
    if (*text)
        (void)idv_fail(IDV_E_REJECT, "%s", text);
}
