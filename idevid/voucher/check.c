/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's judgement of a voucher: a list of steps, one reason each. */
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <idevid/auto.h>
#include <idevid/voucher.h>

#include "voucher/pin.h"
#include "voucher/revocation.h"

#define SKEW 600 /* seconds that another's clock may be ahead */

static const char *const verdicts[IDV_VERDICT_COUNT] = {
    [IDV_VERDICT_OK] = "ok",
    [IDV_VERDICT_FORMAT] = "format",
    [IDV_VERDICT_SIGNATURE] = "signature-invalid",
    [IDV_VERDICT_SIGNER] = "signer-unknown",
    [IDV_VERDICT_CONTENT] = "content-invalid",
    [IDV_VERDICT_SERIAL] = "serial-mismatch",
    [IDV_VERDICT_ISSUER] = "issuer-mismatch",
    [IDV_VERDICT_NONCE] = "nonce-mismatch",
    [IDV_VERDICT_NONCELESS] = "nonceless",
    [IDV_VERDICT_EXPIRED] = "expired",
    [IDV_VERDICT_TIME] = "from-the-future",
    [IDV_VERDICT_ASSERTION] = "assertion-refused",
    [IDV_VERDICT_NO_PIN] = "nothing-pinned",
    [IDV_VERDICT_PIN] = "pin-invalid",
    [IDV_VERDICT_CHAIN] = "registrar-not-pinned",
    [IDV_VERDICT_REVOKED] = "revocation-not-shown-good",
};

const char *idv_verdict_to_text(enum idv_verdict v)
{
    return (unsigned)v < IDV_VERDICT_COUNT ? verdicts[v] : "unknown";
}

struct judge {
    const char *media;
    struct idv_bytes sealed;
    const struct idv_voucher_claim *claim;
    const struct idv_voucher_policy *policy;
    struct idv_opened opened;
    struct idv_pinned pinned;
    STACK_OF(X509) * path; /* of the registrar to the pin; NULL: not judged */
    enum idv_verdict why;
};

static idv_rc refuse(struct judge *j, enum idv_verdict why, const char *note)
{
    j->why = why;
    return idv_fail(IDV_E_REJECT, "%s", note);
}

/* rc of a call whose failure means why */
static idv_rc judge_rc(struct judge *j, idv_rc rc, enum idv_verdict why)
{
    if (rc == IDV_OK || rc == IDV_E_NOMEM)
        return rc;
    j->why = why;
    return idv_fail_within(IDV_E_REJECT, "voucher refused, %s",
                           idv_verdict_to_text(why));
}

static idv_rc step_format(struct judge *j)
{
    return judge_rc(j, idv_envelope_open(j->media, j->sealed, &j->opened),
                    IDV_VERDICT_FORMAT);
}

static idv_rc step_signature(struct judge *j)
{
    if (!j->opened.signer)
        return refuse(j, IDV_VERDICT_SIGNER,
                      "voucher: signer's certificate is not inside");
    return judge_rc(j, idv_envelope_verify_signature(&j->opened, NULL),
                    IDV_VERDICT_SIGNATURE);
}

static bool is_built_in(const struct judge *j)
{
    for (int i = 0; i < sk_X509_num(j->policy->maker_anchors); i++) {
        if (idv_cert_eq(sk_X509_value(j->policy->maker_anchors, i),
                        j->opened.signer))
            return true;
    }
    return false;
}

/* A maker's root stands above its devices, too: none of them may speak for it.
 * Every IDevID has a serialNumber (802.1AR section 8.6). */
static bool is_device(const X509 *cert)
{
    return X509_NAME_get_index_by_NID(X509_get_subject_name(cert),
                                      NID_serialNumber, -1) >= 0;
}

static idv_rc step_signer(struct judge *j)
{
    struct idv_chain_policy policy = {
        .anchors = j->policy->maker_anchors,
        .partial =
            true, /* an issuing CA or the signer itself may be built in */
        .check_time = j->policy->clock_trusted,
        .now = j->policy->now,
    };
    IDV_TRY(judge_rc(j, idv_envelope_verify_chain(&j->opened, &policy),
                     IDV_VERDICT_SIGNER));
    if (is_device(j->opened.signer) && !is_built_in(j))
        return refuse(j, IDV_VERDICT_SIGNER,
                      "voucher: signed by a device of the maker's");
    return IDV_OK;
}

static idv_rc step_content(struct judge *j)
{
    return judge_rc(j,
                    idv_voucher_from(j->media, idv_view(&j->opened.payload),
                                     IDV_VOUCHER, &j->pinned.voucher),
                    IDV_VERDICT_CONTENT);
}

static idv_rc step_serial(struct judge *j)
{
    struct idv_devid own;
    IDV_TRY(judge_rc(j, idv_devid_from_cert(j->claim->idevid, &own),
                     IDV_VERDICT_SERIAL));
    if (strcmp(j->pinned.voucher.serial_number, own.serial_number) != 0)
        return refuse(j, IDV_VERDICT_SERIAL,
                      "voucher: serial-number is that of another device");
    return IDV_OK;
}

static idv_rc step_issuer(struct judge *j)
{
    const struct idv_buf *issuer = &j->pinned.voucher.idevid_issuer;
    if (issuer->n &&
        !idv_idevid_issuer_matches(j->claim->idevid, idv_view(issuer)))
        return refuse(j, IDV_VERDICT_ISSUER,
                      "voucher: idevid-issuer is another maker's");
    return IDV_OK;
}

static idv_rc step_nonceless(struct judge *j)
{
    if (j->policy->refuse_nonceless)
        return refuse(j, IDV_VERDICT_NONCELESS,
                      "voucher: no nonce, which policy forbids");
    if (j->policy->clock_trusted &&
        j->pinned.voucher.expires_on == IDV_TIME_ABSENT)
        return refuse(j, IDV_VERDICT_NONCELESS,
                      "voucher: neither nonce nor expires-on");
    return IDV_OK;
}

static idv_rc step_nonce(struct judge *j)
{
    const char *nonce = j->pinned.voucher.nonce;
    if (!nonce[0])
        return step_nonceless(j);
    if (j->claim->offline)
        return refuse(j, IDV_VERDICT_NONCE,
                      "voucher: has a nonce, but there was no request");
    if (!j->claim->nonce || strcmp(nonce, j->claim->nonce) != 0)
        return refuse(j, IDV_VERDICT_NONCE,
                      "voucher: nonce differs from the one requested");
    return IDV_OK;
}

/* RFC 8995 section 2.6.1; the registrar's times are judged with its chain */
static idv_rc step_times(struct judge *j)
{
    const struct idv_voucher *v = &j->pinned.voucher;
    int64_t now = j->policy->now;
    if (!j->policy->clock_trusted)
        return IDV_OK;
    if (v->expires_on != IDV_TIME_ABSENT && now > v->expires_on)
        return refuse(j, IDV_VERDICT_EXPIRED, "voucher: expires-on is past");
    if (v->created_on != IDV_TIME_ABSENT && v->created_on > now + SKEW)
        return refuse(j, IDV_VERDICT_TIME,
                      "voucher: created-on is in the future");
    if (j->opened.signing_time > now + SKEW)
        return refuse(j, IDV_VERDICT_TIME,
                      "voucher: signing time is in the future");
    return IDV_OK;
}

static idv_rc step_assertion(struct judge *j)
{
    enum idv_assertion a = j->pinned.voucher.assertion;
    if (a == IDV_ASSERT_NONE)
        a = IDV_ASSERT_LOGGED;
    if (j->policy->refused_assertions & (1u << a))
        return refuse(j, IDV_VERDICT_ASSERTION,
                      "voucher: assertion is refused by policy");
    return IDV_OK;
}

static idv_rc step_pin(struct judge *j)
{
    if (!idvi_pin_present(&j->pinned.voucher))
        return refuse(j, IDV_VERDICT_NO_PIN, "voucher: nothing is pinned");
    return judge_rc(j, idvi_pin_take(&j->pinned.voucher, &j->pinned),
                    IDV_VERDICT_PIN);
}

static idv_rc step_chain(struct judge *j)
{
    if (j->claim->offline ||
        (j->claim->elsewhere && j->pinned.voucher.est_domain[0]))
        return IDV_OK;
    idv_rc rc = idvi_pin_path(j->claim->tls_chain, j->pinned.cert,
                              j->pinned.spki_sha256, j->policy->clock_trusted,
                              j->policy->now, &j->path);
    return judge_rc(j, rc, IDV_VERDICT_CHAIN);
}

/* of a server that is not met yet it is the caller's, as step 10 is */
static idv_rc step_revocation(struct judge *j)
{
    const struct idvi_shown shown = {
        .path = j->path,
        .chain = j->claim->tls_chain,
        .pin = j->pinned.cert,
        .staple = j->claim->staple,
        .check_time = j->policy->clock_trusted,
        .now = j->policy->now,
    };
    const struct idv_voucher *v = &j->pinned.voucher;
    if (j->claim->elsewhere && v->est_domain[0])
        return IDV_OK;
    return judge_rc(j,
                    idvi_revocation(v->revocation_checks,
                                    j->claim->revocation_good, &shown),
                    IDV_VERDICT_REVOKED);
}

/* in the order of RFC 8995 section 5.6.1 */
static idv_rc (*const steps[])(struct judge *) = {
    step_format,    step_signature, step_signer, step_content,
    step_serial,    step_issuer,    step_nonce,  step_times,
    step_assertion, step_pin,       step_chain,  step_revocation,
};

static idv_rc run(struct judge *j)
{
    size_t len = 0;
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
        IDV_TRY(steps[i](j));
    if (EVP_Q_digest(NULL, "SHA256", NULL, j->sealed.p, j->sealed.n,
                     j->pinned.voucher_sha256, &len) != 1)
        return idv_fail(IDV_E_CRYPTO, "voucher: cannot be hashed");
    return IDV_OK;
}

idv_rc idv_voucher_check(const char *media, struct idv_bytes sealed,
                         const struct idv_voucher_claim *claim,
                         const struct idv_voucher_policy *policy,
                         struct idv_pinned *out, enum idv_verdict *why)
{
    struct judge j = {
        .media = media,
        .sealed = sealed,
        .claim = claim,
        .policy = policy,
    };
    memset(out, 0, sizeof(*out));
    *why = IDV_VERDICT_FORMAT;
    if (!claim->idevid)
        return idv_fail(IDV_E_ARG, "voucher: checked without an IDevID");
    idv_voucher_init(&j.pinned.voucher, IDV_VOUCHER);
    idv_rc rc = run(&j);
    *why = rc != IDV_OK && j.why == IDV_VERDICT_OK ? IDV_VERDICT_FORMAT : j.why;
    idv_opened_free(&j.opened);
    idv_certs_free(j.path);
    if (rc == IDV_OK)
        *out = j.pinned;
    else
        idv_pinned_free(&j.pinned);
    return rc;
}
