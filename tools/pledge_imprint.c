/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-pledge imprint, and join with a voucher from a file: no network. */
#include <unistd.h>

#include <idevid/auto.h>

#include "pledge.h"
#include "presence.h"
#include "sealed.h"

/* --- by a person (RFC 8995 section 7.2) ----------------------------------- */

static struct {
    const char *certificate, *fingerprint;
} opt;

const struct tool_option pledge_imprint_options[] = {
    {"certificate", 0, "FILE", "what to pin (PEM or DER)", &opt.certificate,
     NULL, NULL},
    {"fingerprint", 0, "SHA256", "its fingerprint, as its owner gave it to you",
     &opt.fingerprint, NULL, NULL},
    {0}};

static idv_rc check_presence(const struct tool *t)
{
    if (!opt.certificate || !opt.fingerprint)
        return idv_fail(IDV_E_ARG, "imprint: --certificate FILE and "
                                   "--fingerprint SHA256");
    if (!pledge_configuration.presence)
        return idv_fail(IDV_E_REJECT,
                        "imprint: not allowed here: policy.presence = no in %s",
                        t->conf_path);
    if (geteuid() != 0)
        return idv_fail(IDV_E_REJECT, "imprint: only root may do that");
    if (!isatty(STDIN_FILENO))
        return idv_fail(IDV_E_REJECT, "imprint: needs somebody at a terminal");
    return IDV_OK;
}

idv_rc pledge_imprint(struct tool *t, int argc, char **argv)
{
    AUTO_PLEDGE struct pledge p = PLEDGE_INIT;
    const struct tool_presence given = {.certificate = opt.certificate,
                                        .sha256 = opt.fingerprint};
    (void)argc;
    (void)argv;
    IDV_TRY(check_presence(t));
    IDV_TRY(pledge_start(&p, t, STATE_CHANGE));
    if (idv_trust_state(p.s.trust) != IDV_TRUST_NONE)
        return idv_fail(IDV_E_STATE, "imprinted already: reset comes first");
    IDV_TRY(tool_presence_imprint(&p.s, &given));
    tool_say(t, "imprinted without a voucher; join enrolls it");
    return IDV_OK;
}

/* --- by a voucher from a file --------------------------------------------- */

static idv_rc read_voucher(const char *file, struct idv_buf *der,
                           const char **media)
{
    IDV_AUTO(buf) bytes = {0};
    bool sealed = false;
    IDV_TRY(tool_read(file, &bytes));
    IDV_TRY(tool_unwrap(&bytes, &sealed, der));
    if (!sealed)
        return idv_fail(IDV_E_REJECT, "is not signed");
    *media = idv_envelope_guess(idv_view(der));
    return *media
               ? IDV_OK
               : idv_fail(IDV_E_FORMAT, "not a voucher container known here");
}

static idv_rc judge(const struct pledge *p, const char *media,
                    struct idv_bytes sealed, struct idv_pinned *out)
{
    enum idv_verdict why = IDV_VERDICT_OK;
    const struct idv_voucher_claim claim = {
        .idevid = sk_X509_value(p->chain, 0), .offline = true};
    const struct idv_voucher_policy policy = {
        .maker_anchors = p->anchors,
        .clock_trusted = idv_clock_trusted(p->t->env),
        .now = idv_now(p->t->env),
        .refuse_nonceless = pledge_configuration.refuse_nonceless,
    };
    idv_rc rc = idv_voucher_check(media, sealed, &claim, &policy, out, &why);
    return rc == IDV_E_REJECT
               ? idv_fail_within(rc, "%s", idv_verdict_to_text(why))
               : rc;
}

static idv_rc imprint(struct pledge *p, const char *file)
{
    IDV_AUTO(buf) der = {0};
    struct idv_pinned pinned = {0};
    const char *media = NULL;
    IDV_TRY(read_voucher(file, &der, &media));
    idv_rc rc = judge(p, media, idv_view(&der), &pinned);
    if (rc == IDV_OK)
        rc = idv_trust_imprint(p->s.trust, &pinned, idv_view(&der));
    idv_pinned_free(&pinned);
    return rc;
}

idv_rc pledge_offline(struct pledge *p, const char *file)
{
    if (idv_trust_state(p->s.trust) != IDV_TRUST_NONE)
        return idv_fail(IDV_E_STATE, "imprinted already: reset comes first");
    IDV_TRY(pledge_identity(p));
    idv_rc rc = imprint(p, file);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "%s", file);
    pledge_progress(p, "imprinted", "by a voucher from a file");
    return IDV_OK;
}
