/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-anchor show and check: what is sealed, and whether it is so still. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/envelope.h>
#include <idevid/fs.h>

#include "anchor.h"
#include "anchor_words.h"
#include "ca.h"
#include "ldevid.h"
#include "sheet.h"

/* --- rows ----------------------------------------------------------------- */

static idv_rc open_voucher(const struct state *s, struct idv_voucher *out)
{
    IDV_AUTO(buf) file = {0};
    struct idv_opened opened = {0};
    char path[1024];
    IDV_TRY(tool_path(s->conf->directory, "voucher", "", path));
    IDV_TRY(idv_fs_read(path, 0, &file));
    const char *media = idv_envelope_guess(idv_view(&file));
    if (!media)
        return idv_fail(IDV_E_FORMAT, "%s: of no known container", path);
    idv_rc rc = idv_envelope_open(media, idv_view(&file), &opened);
    if (rc == IDV_OK)
        rc = idv_voucher_from(media, idv_view(&opened.payload), IDV_VOUCHER,
                              out);
    idv_opened_free(&opened);
    return rc;
}

/* The hash in the record has been compared when trust was opened. */
static void put_voucher(struct sheet *o, const struct state *s)
{
    static const uint8_t none[32];
    const struct idv_record *r = idv_trust_record(s->trust);
    IDV_AUTO(voucher) v = {0};
    if (memcmp(r->voucher_sha256, none, sizeof(none)) == 0) {
        sheet_text(o, "voucher", "none: imprinted by hand");
        return;
    }
    sheet_hex(o, "voucher-sha256", idv_bytes(r->voucher_sha256, 32));
    if (open_voucher(s, &v) != IDV_OK) {
        idv_note_clear();
        return;
    }
    sheet_textf(o, "voucher", "for %s, assertion %s, %s", v.serial_number,
                v.assertion == IDV_ASSERT_NONE
                    ? "logged"
                    : idv_assertion_to_text(v.assertion),
                v.nonce[0] ? "with a nonce" : "without a nonce");
    if (v.created_on != IDV_TIME_ABSENT)
        sheet_time(o, "created-on", v.created_on);
}

static void put_pin(struct sheet *o, const struct state *s)
{
    const struct idv_record *r = idv_trust_record(s->trust);
    if (idv_trust_pin(s->trust))
        sheet_text(o, "pin", idv_cert_subject(idv_trust_pin(s->trust)));
    else
        sheet_text(o, "pin", "a public key");
    sheet_hex(o, "pin-sha256", idv_bytes(r->pin_sha256, 32));
    if (r->time)
        sheet_time(o, "imprinted", (int64_t)r->time);
    put_voucher(o, s);
}

/* What was begun before the seal, a session with its policy fulfilled, say,
 * may go on until the cap. */
static void put_seal(struct sheet *o, const struct state *s)
{
    bool capped = false;
    if (idv_trust_generation(s->trust))
        sheet_int(o, "generation", idv_trust_generation(s->trust));
    sheet_failed(o, idv_trust_capped(s->trust, &capped));
    sheet_bool(o, "capped", capped,
               "yes: nothing begun before the seal goes on",
               "no: not before the next start of the TPM");
}

/* The domain's CAs since the pin, each signed over by the one before it. */
static void put_successors(struct sheet *o, const struct state *s)
{
    const STACK_OF(X509) *cas = idv_trust_successors(s->trust);
    struct idv_json *array = s->t->json ? idv_json_new_array() : NULL;
    for (int i = 0; i < sk_X509_num(cas); i++) {
        const char *subject = idv_cert_subject(sk_X509_value(cas, i));
        if (array)
            sheet_failed(
                o, idv_json_append(array, idv_json_new_text(idv_str(subject))));
        else
            sheet_text(o, "signed over", subject);
    }
    sheet_json(o, "successors", array);
}

static void put_ldevid(struct sheet *o, const struct state *s)
{
    const struct idv_enrollment *e = idv_trust_enrollment(s->trust);
    if (!e)
        return;
    sheet_text(o, "ldevid", idv_cert_subject(sk_X509_value(e->ldevid, 0)));
    sheet_text(o, "ldevid-key", e->key_uri);
    sheet_bool(o, "bound", ldevid_is_bound(e->key_uri),
               "yes: that key dies with the anchor", "no");
}

/* How the device keeps it; also of one that cannot be opened. */
static void put_way(struct sheet *o, const char *profile, const char *assurance)
{
    const struct anchor_way *way = anchor_way_of(profile, assurance);
    sheet_text(o, "profile", profile);
    sheet_text(o, "assurance", assurance);
    sheet_text(o, "protects", way->protects);
    sheet_text(o, "stops-at", way->stops_at);
}

static void put_facts(struct sheet *o, struct idv_device *dev)
{
    struct idv_device_info info = {0};
    struct idv_tpm_facts f = {0};
    sheet_failed(o, idv_device_info(dev, &info));
    if (!info.tpm) {
        sheet_bool(o, "pin-locked", info.in_lockout, "yes", "no");
        return;
    }
    sheet_failed(o, idv_tpm_facts(dev, &f));
    sheet_bool(o, "owner-value", f.owner_value_set, "set", "empty");
    sheet_bool(o, "in-lockout", f.in_lockout,
               "yes: keys that count wrong values are of no use", "no");
    sheet_textf(o, "failures", "%u of %u, one is forgotten in %u seconds",
                f.failures, f.max_failures, f.recovery_s);
}

idv_rc anchor_print(const struct state *s)
{
    struct sheet o = sheet_begin(s->t);
    sheet_text(&o, "state", idv_trust_state_to_text(idv_trust_state(s->trust)));
    if (idv_trust_cut(s->trust))
        sheet_textf(&o, "cut-short",
                    "%s was cut short; the next command that "
                    "changes something brings it to its end",
                    idv_trust_cut(s->trust));
    put_way(&o, idv_trust_profile(s->trust), idv_trust_assurance(s->trust));
    if (idv_trust_record(s->trust)) {
        put_seal(&o, s);
        put_pin(&o, s);
        put_successors(&o, s);
    }
    put_ldevid(&o, s);
    put_facts(&o, s->dev);
    return sheet_end(&o);
}

/* What does not fit together is shown as well as it can be. */
static idv_rc print_tampered(const struct state *s, idv_rc rc)
{
    char why[IDV_NOTE_MAX];
    struct idv_anchor anchor = {0};
    strcpy(why, idv_note());
    idv_note_clear();
    struct sheet o = sheet_begin(s->t);
    sheet_text(&o, "state", "tampered");
    sheet_text(&o, "reason", why);
    IDV_TRY(state_anchor(s, &anchor));
    put_way(&o, anchor.ops->profile, anchor.ops->assurance);
    idv_anchor_close(&anchor);
    put_facts(&o, s->dev);
    IDV_TRY(sheet_end(&o));
    return idv_fail(rc, "%s", why);
}

/* --- the verbs ------------------------------------------------------------ */

idv_rc anchor_show(struct tool *t, int argc, char **argv)
{
    AUTO_STATE struct state s = STATE_INIT;
    (void)argc;
    (void)argv;
    idv_rc rc = state_open(t, &anchor_configuration, STATE_LOOK, &s);
    if (state_tampered(&s, rc))
        return print_tampered(&s, rc);
    IDV_TRY(rc);
    return anchor_print(&s);
}

static idv_rc verdict(struct tool *t, const char *word, idv_rc rc)
{
    char why[IDV_NOTE_MAX];
    struct sheet o = sheet_begin(t);
    strcpy(why, rc == IDV_OK ? "" : idv_note());
    if (t->json) {
        idv_note_clear();
        sheet_text(&o, "result", word);
        sheet_text(&o, "reason", why);
    } else if (rc == IDV_OK) {
        sheet_line(&o, "imprinted, and as it was sealed");
    }
    IDV_TRY(sheet_end(&o));
    return rc == IDV_OK ? rc : idv_fail(rc, "%s", why);
}

idv_rc anchor_check(struct tool *t, int argc, char **argv)
{
    AUTO_STATE struct state s = STATE_INIT;
    (void)argc;
    (void)argv;
    idv_rc rc = state_open(t, &anchor_configuration, STATE_LOOK, &s);
    if (state_tampered(&s, rc))
        return verdict(t, "tampered", rc);
    IDV_TRY(rc);
    if (idv_trust_cut(s.trust))
        return verdict(t, "none",
                       idv_fail(IDV_E_STATE, "not imprinted: %s was cut short",
                                idv_trust_cut(s.trust)));
    if (idv_trust_state(s.trust) == IDV_TRUST_NONE)
        return verdict(t, "none", idv_fail(IDV_E_STATE, "not imprinted"));
    return verdict(t, "sealed", IDV_OK);
}
