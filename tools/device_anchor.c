/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-device show: the trust anchor, as the device alone tells it. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/trust.h>

#include "anchor_words.h"
#include "device_anchor.h"

/* What is in the device; why says what does not fit together. */
struct anchored {
    const char *profile, *assurance;
    bool sealed;
    struct idv_record record;
    char why[IDV_NOTE_MAX];
};

static idv_rc judge(struct anchored *a, const struct idv_anchor_seen *seen,
                    idv_rc rc)
{
    if (rc == IDV_OK && seen->found == IDV_ANCHOR_SEALED) {
        rc = idv_record_from_bytes(
            idv_bytes(seen->record, sizeof(seen->record)), &a->record);
        a->sealed = rc == IDV_OK;
    }
    if (rc != IDV_E_REJECT && rc != IDV_E_FORMAT)
        return rc;
    strcpy(a->why, idv_note());
    idv_note_clear();
    return IDV_OK;
}

static idv_rc look(struct idv_device *dev, const char *uri, struct anchored *a)
{
    const struct idv_anchor_conf conf = {.uri = uri};
    struct idv_anchor_seen seen = {0};
    struct idv_anchor anchor = {0};
    IDV_TRY(idv_anchor_open(dev, &conf, &anchor));
    a->profile = anchor.ops->profile;
    a->assurance = anchor.ops->assurance;
    idv_rc rc = anchor.ops->read(anchor.self, NULL, &seen);
    idv_anchor_close(&anchor);
    return judge(a, &seen, rc);
}

/* --- for scripts ---------------------------------------------------------- */

/* Takes o. */
static idv_rc set_if(struct idv_json *root, const char *name,
                     struct idv_json *o, idv_rc rc)
{
    if (rc == IDV_OK)
        return idv_json_set(root, name, o);
    idv_json_free(o);
    return rc;
}

static idv_rc record_json(const struct idv_record *r, struct idv_json *root)
{
    IDV_AUTO(buf) hex = {0};
    char time[IDV_TIME_TEXT] = "";
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = idv_hex_from_bytes(idv_bytes(r->pin_sha256, 32), &hex);
    if (rc == IDV_OK && r->time)
        rc = idv_time_to_text((int64_t)r->time, time);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "imprinted", time);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "pin-sha256", (const char *)hex.p);
    if (rc == IDV_OK)
        rc = tool_put_int(o, "generation", r->generation);
    return set_if(root, "anchor", o, rc);
}

static idv_rc profile_json(const struct anchored *a,
                           const struct anchor_way *way, struct idv_json *root)
{
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = tool_put_text(o, "profile", a->profile);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "assurance", a->assurance);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "protects", way->protects);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "stops-at", way->stops_at);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "fault", a->why);
    return set_if(root, "anchor-profile", o, rc);
}

/* --- for people ----------------------------------------------------------- */

static idv_rc record_line(const struct idv_record *r)
{
    IDV_AUTO(buf) hex = {0};
    char time[IDV_TIME_TEXT] = "(no clock)";
    IDV_TRY(idv_hex_from_bytes(idv_bytes(r->pin_sha256, 32), &hex));
    if (r->time)
        IDV_TRY(idv_time_to_text((int64_t)r->time, time));
    printf("trust anchor: imprinted %s, generation %llu,\n  pin SHA-256 %s\n",
           time, (unsigned long long)r->generation, (const char *)hex.p);
    return IDV_OK;
}

static idv_rc lines(const struct anchored *a, const struct anchor_way *way)
{
    if (a->sealed)
        IDV_TRY(record_line(&a->record));
    else if (*a->why)
        printf("trust anchor: TAMPERED, %s\n", a->why);
    else
        printf("trust anchor: none\n");
    printf("  profile    %s (%s)\n  protects   %s\n  stops at   %s\n",
           a->profile, a->assurance, way->protects, way->stops_at);
    return IDV_OK;
}

idv_rc device_anchor(const struct tool *t, struct idv_device *dev,
                     const char *uri, struct idv_json *root)
{
    struct anchored a = {0};
    IDV_TRY(look(dev, uri, &a));
    const struct anchor_way *way = anchor_way_of(a.profile, a.assurance);
    if (!root)
        return t->quiet ? IDV_OK : lines(&a, way);
    if (a.sealed)
        IDV_TRY(record_json(&a.record, root));
    return profile_json(&a, way, root);
}
