/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-anchor imprint: by a voucher and a TLS chain, or by hand. */
#include <idevid/auto.h>

#include "anchor.h"
#include "makers.h"
#include "presence.h"
#include "sealed.h"
#include "sheet.h"

static struct {
    const char *voucher, *tls, *nonce, *media, *cert;
    bool present, yes;
} opt;

const struct tool_option anchor_imprint_options[] = {
    {"voucher", 0, "FILE", "the voucher, as the registrar delivered it",
     &opt.voucher, NULL, NULL},
    {"tls-chain", 0, "FILE", "what that registrar showed in TLS (PEM)",
     &opt.tls, NULL, NULL},
    {"nonce", 0, "TEXT",
     "of the voucher-request; without it only a voucher "
     "without one",
     &opt.nonce, NULL, NULL},
    {"media-type", 0, "TYPE", "of the voucher (default: by its first bytes)",
     &opt.media, NULL, NULL},
    {"certificate", 0, "FILE", "no voucher: this certificate (PEM or DER)",
     &opt.cert, NULL, NULL},
    {"physical-presence", 0, NULL, "with --certificate: you stand beside it",
     NULL, &opt.present, NULL},
    {"yes-i-am-present", 0, NULL, "the answer, where nobody can be asked", NULL,
     &opt.yes, NULL},
    {0}};

/* --- by a voucher: as the pledge judges it ------------------------------- */

static idv_rc read_voucher(struct idv_buf *der, const char **media)
{
    IDV_AUTO(buf) file = {0};
    bool sealed = false;
    IDV_TRY(tool_read(opt.voucher, &file));
    idv_rc rc = tool_unwrap(&file, &sealed, der);
    if (rc == IDV_OK && !sealed)
        rc = idv_fail(IDV_E_REJECT, "is not signed");
    *media = opt.media ? opt.media : idv_envelope_guess(idv_view(der));
    if (rc == IDV_OK && !*media)
        rc = idv_fail(IDV_E_FORMAT, "not a voucher container known here");
    return rc == IDV_OK ? rc : idv_fail_within(rc, "%s", opt.voucher);
}

static idv_rc judge(const struct state *s, const char *media,
                    struct idv_bytes sealed, struct idv_pinned *out)
{
    IDV_AUTO_PTR(idv_certs) makers = NULL;
    IDV_AUTO_PTR(idv_certs) chain = NULL;
    IDV_AUTO_PTR(X509) idevid = NULL;
    enum idv_verdict why = IDV_VERDICT_OK;
    IDV_TRY(tool_makers(s, &makers));
    IDV_TRY(idv_certs_open(opt.tls, NULL, &chain));
    IDV_TRY(idv_cert_open(s->cert, &tool_pin, &idevid));
    const struct idv_voucher_claim claim = {
        .idevid = idevid,
        .nonce = opt.nonce ? opt.nonce : "",
        .tls_chain = chain,
    };
    const struct idv_voucher_policy policy = {
        .maker_anchors = makers,
        .clock_trusted = idv_clock_trusted(s->t->env),
        .now = idv_now(s->t->env),
        .refuse_nonceless = s->conf->refuse_nonceless,
    };
    idv_rc rc = idv_voucher_check(media, sealed, &claim, &policy, out, &why);
    if (rc == IDV_E_REJECT)
        return idv_fail_within(rc, "%s: %s", opt.voucher,
                               idv_verdict_to_text(why));
    if (rc == IDV_OK)
        rc = idv_authority_check(sk_X509_value(chain, 0), out->spki_sha256);
    return rc;
}

static idv_rc by_voucher(struct state *s)
{
    IDV_AUTO(buf) der = {0};
    struct idv_pinned pinned = {0};
    const char *media;
    IDV_TRY(read_voucher(&der, &media));
    idv_rc rc = judge(s, media, idv_view(&der), &pinned);
    if (rc == IDV_OK)
        rc = idv_trust_imprint(s->trust, &pinned, idv_view(&der));
    idv_pinned_free(&pinned);
    return rc;
}

static idv_rc by_hand(struct state *s)
{
    const struct tool_presence given = {.certificate = opt.cert,
                                        .confirmed = opt.yes};
    return tool_presence_imprint(s, &given);
}

/* --- which --------------------------------------------------------------- */

static idv_rc check_options(void)
{
    if (!opt.voucher == !opt.cert)
        return idv_fail(IDV_E_ARG, "imprint: --voucher FILE with --tls-chain "
                                   "FILE, or --certificate FILE");
    if (opt.voucher && !opt.tls)
        return idv_fail(IDV_E_ARG, "imprint: --voucher needs --tls-chain FILE");
    if (opt.voucher && (opt.present || opt.yes))
        return idv_fail(IDV_E_ARG, "imprint: a voucher needs no presence");
    if (opt.cert && (opt.tls || opt.nonce || opt.media))
        return idv_fail(IDV_E_ARG, "imprint: --certificate is without a "
                                   "voucher: no --tls-chain, no --nonce");
    if (opt.cert && !opt.present)
        return idv_fail(IDV_E_REJECT,
                        "imprint: a certificate without a voucher is taken "
                        "only from who stands at the device and says so "
                        "(--physical-presence)");
    return IDV_OK;
}

idv_rc anchor_imprint(struct tool *t, int argc, char **argv)
{
    AUTO_STATE struct state s = STATE_INIT;
    (void)argc;
    (void)argv;
    IDV_TRY(check_options());
    IDV_TRY(state_open(t, &anchor_configuration, STATE_CHANGE, &s));
    if (idv_trust_state(s.trust) != IDV_TRUST_NONE)
        return idv_fail(IDV_E_STATE, "imprinted already; idevid-anchor reset "
                                     "comes first");
    IDV_TRY(opt.voucher ? by_voucher(&s) : by_hand(&s));
    return anchor_print(&s);
}
