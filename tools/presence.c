/* SPDX-License-Identifier: Apache-2.0 */
/* Imprinting by somebody who stands at the device (RFC 8995 section 7.2, items
 * 3 and 4). */
#include <ctype.h>
#include <syslog.h>

#include <idevid/auto.h>
#include <idevid/codec.h>

#include "confirm.h"
#include "presence.h"

static idv_rc fingerprint(const X509 *cert, struct idv_buf *out)
{
    uint8_t hash[32];
    IDV_TRY(idv_cert_sha256(cert, hash));
    return idv_hex_from_bytes(idv_bytes(hash, sizeof(hash)), out);
}

static idv_rc confirm(const X509 *cert, const char *sha256, bool yes)
{
    IDV_AUTO(buf) question = {0};
    IDV_TRY(idv_buf_putf(&question,
                         "No voucher of the maker stands behind this. Whoever "
                         "holds the key of\n  %s\n  SHA-256 %s\nwill own this "
                         "device until it is reset. Compare the fingerprint "
                         "with what its owner\ngave you. You are at the "
                         "device itself, not on a network.",
                         idv_cert_subject(cert), sha256));
    return tool_confirm((const char *)question.p, "present", yes,
                        "--yes-i-am-present");
}

/* Whatever the level of the log: that no voucher was asked for is for those
 * who watch over the network (RFC 8995 section 7.2, its last paragraph). */
static void record_presence(const struct state *s, const X509 *cert,
                            const char *sha256)
{
    const char *subject = idv_log_value(idv_cert_subject(cert));
    idv_log(s->t->env, IDV_LOG_ERROR, "imprint-by-hand",
            "physical-presence=confirmed voucher=none pin=%s sha256=%s",
            subject, sha256);
    openlog(s->t->name, LOG_PID, LOG_AUTHPRIV);
    syslog(LOG_WARNING,
           "imprint-by-hand physical-presence=confirmed voucher=none pin=%s "
           "sha256=%s",
           subject, sha256);
    closelog();
}

static idv_rc read_certificate(const char *file, STACK_OF(X509) * *out)
{
    IDV_TRY(idv_certs_open(file, NULL, out));
    if (sk_X509_num(*out) == 1)
        return IDV_OK;
    return idv_fail(IDV_E_FORMAT,
                    "%s: %d certificates; which one is to be pinned?", file,
                    sk_X509_num(*out));
}

/* As typed by a person: blanks and colons between, capitals or not. */
static bool same_hex(const char *typed, const char *sha256)
{
    for (; *typed; typed++) {
        if (*typed == ':' || *typed == ' ')
            continue;
        if (tolower((unsigned char)*typed) != *sha256)
            return false;
        sha256++;
    }
    return *sha256 == 0;
}

idv_rc tool_presence_imprint(struct state *s, const struct tool_presence *given)
{
    IDV_AUTO_PTR(idv_certs) certs = NULL;
    IDV_AUTO(buf) sha256 = {0};
    IDV_TRY(read_certificate(given->certificate, &certs));
    struct idv_pinned pinned = {.kind = IDV_PIN_CERT,
                                .cert = sk_X509_value(certs, 0)};
    IDV_TRY(fingerprint(pinned.cert, &sha256));
    if (given->sha256 && !same_hex(given->sha256, (const char *)sha256.p))
        return idv_fail(IDV_E_REJECT,
                        "%s: its fingerprint is %s, not the one given",
                        given->certificate, (const char *)sha256.p);
    IDV_TRY(
        idv_key_fingerprint(X509_get0_pubkey(pinned.cert), pinned.spki_sha256));
    IDV_TRY(confirm(pinned.cert, (const char *)sha256.p, given->confirmed));
    IDV_TRY(idv_trust_imprint(s->trust, &pinned, idv_str("")));
    record_presence(s, pinned.cert, (const char *)sha256.p);
    return IDV_OK;
}
