/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-anchor verify-evidence: what a proof proves, without any TPM. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/evidence.h>

#include "anchor.h"

static const char *nonce, *ca, *pin, *approval, *serial, *anchor, *counter;
static bool no_time;

const struct tool_option anchor_verify_evidence_options[] = {
    {"nonce", 0, "HEX", "what you sent the device", &nonce, NULL, NULL},
    {"ca", 0, "FILE", "who certifies keys of TPMs (PEM)", &ca, NULL, NULL},
    {"pin", 0, "FILE",
     "the certificate or public key that should be pinned (PEM or DER)", &pin,
     NULL, NULL},
    {"approval-key", 0, "FILE",
     "profile platform: the maker's public key for approvals (PEM or DER)",
     &approval, NULL, NULL},
    {"serial", 0, "TEXT", "profile platform: whose approval", &serial, NULL,
     NULL},
    {"anchor", 0, "HANDLE", "the anchor's NV index (default: the profile's)",
     &anchor, NULL, NULL},
    {"counter", 0, "HANDLE", "the counter's NV index (default: the profile's)",
     &counter, NULL, NULL},
    {"no-time", 0, NULL, "do not judge validity periods", NULL, &no_time, NULL},
    {0}};

/* --- what the verifier knows --- */

struct known {
    struct idv_buf nonce, pin;
    STACK_OF(X509) * anchors;
    EVP_PKEY *approval;
    struct idv_evidence_policy policy;
};

static void known_free(struct known *k)
{
    idv_buf_free(&k->nonce);
    idv_buf_free(&k->pin);
    sk_X509_pop_free(k->anchors, X509_free);
    EVP_PKEY_free(k->approval);
}
#define AUTO_KNOWN __attribute__((cleanup(known_free)))

/* A certificate or public key in a file, as DER: what is in its PEM, or all. */
static idv_rc read_der(const char *path, struct idv_buf *out)
{
    IDV_AUTO(buf) file = {0};
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long n = 0;
    IDV_TRY(tool_read(path, &file));
    IDV_AUTO_PTR(BIO) bio = BIO_new_mem_buf(file.p, (int)file.n);
    if (!bio || PEM_read_bio(bio, &name, &header, &der, &n) != 1) {
        ERR_clear_error();
        return idv_buf_put(out, idv_view(&file));
    }
    bool fine = strcmp(name, PEM_STRING_X509) == 0 ||
                strcmp(name, PEM_STRING_PUBLIC) == 0;
    idv_rc rc =
        fine ? idv_buf_put(out, idv_bytes(der, (size_t)n))
             : idv_fail(IDV_E_FORMAT,
                        "%s: neither a certificate nor a public key", path);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    return rc;
}

static idv_rc read_approval(struct known *k)
{
    IDV_AUTO(buf) der = {0};
    IDV_TRY(read_der(approval, &der));
    const unsigned char *p = der.p;
    k->approval = d2i_PUBKEY(NULL, &p, (long)der.n);
    ERR_clear_error();
    if (!k->approval)
        return idv_fail(IDV_E_FORMAT, "%s: no public key", approval);
    k->policy.approval_key = k->approval;
    return IDV_OK;
}

static idv_rc read_ca(struct known *k)
{
    IDV_AUTO(buf) file = {0};
    IDV_TRY(tool_read(ca, &file));
    idv_rc rc = idv_certs_from_pem(idv_view(&file), &k->anchors);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "%s", ca);
    k->policy.anchors = k->anchors;
    return IDV_OK;
}

static idv_rc read_nonce(struct known *k)
{
    if (idv_hex_to_bytes(idv_str(nonce), &k->nonce) != IDV_OK ||
        k->nonce.n == 0) {
        idv_note_clear();
        return idv_fail(IDV_E_ARG, "--nonce: not bytes in hexadecimal");
    }
    k->policy.nonce = idv_view(&k->nonce);
    return IDV_OK;
}

static idv_rc read_handle(const char *name, const char *text, uint32_t *out)
{
    char *end = NULL;
    if (!text)
        return IDV_OK;
    unsigned long v = strtoul(text, &end, 16);
    if (*end || end == text || v >> 24 != 0x01)
        return idv_fail(IDV_E_ARG, "--%s: '%.32s' is no NV index (0x01...)",
                        name, text);
    *out = (uint32_t)v;
    return IDV_OK;
}

static idv_rc gather(const struct tool *t, struct known *k)
{
    struct idv_evidence_policy *p = &k->policy;
    if (nonce)
        IDV_TRY(read_nonce(k));
    if (ca)
        IDV_TRY(read_ca(k));
    if (pin)
        IDV_TRY(read_der(pin, &k->pin));
    if (approval)
        IDV_TRY(read_approval(k));
    IDV_TRY(read_handle("anchor", anchor, &p->anchor_index));
    IDV_TRY(read_handle("counter", counter, &p->counter_index));
    p->pin = idv_view(&k->pin);
    p->serial_number = serial;
    p->check_time = !no_time && idv_clock_trusted(t->env);
    p->now = p->check_time ? idv_now(t->env) : 0;
    return IDV_OK;
}

/* --- what is said --- */

static idv_rc print_report(const struct tool *t,
                           const struct idv_evidence_report *r)
{
    IDV_AUTO(buf) text = {0};
    struct idv_json *json = NULL;
    if (t->json) {
        IDV_TRY(idv_evidence_report_to_json(r, &json));
        return tool_print_json(json);
    }
    if (t->quiet)
        return IDV_OK;
    IDV_TRY(idv_evidence_report_to_text(r, &text));
    return tool_print(idv_view(&text));
}

static idv_rc verify(const struct tool *t, const struct idv_evidence *e,
                     const struct known *k)
{
    struct idv_evidence_report report;
    char why[IDV_NOTE_MAX];
    idv_rc rc = idv_evidence_verify(e, &k->policy, &report);
    if (rc != IDV_OK && rc != IDV_E_REJECT)
        return rc;
    strcpy(why, idv_note());
    idv_note_clear();
    IDV_TRY(print_report(t, &report));
    return rc == IDV_OK ? rc : idv_fail(rc, "%s", why);
}

idv_rc anchor_verify_evidence(struct tool *t, int argc, char **argv)
{
    AUTO_KNOWN struct known k = {0};
    IDV_AUTO(buf) file = {0};
    struct idv_evidence e = {0};
    (void)argc;
    IDV_TRY(gather(t, &k));
    IDV_TRY(tool_read(argv[0], &file));
    idv_rc rc = idv_evidence_from_bytes(idv_view(&file), &e);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "%s", argv[0]);
    rc = verify(t, &e, &k);
    idv_evidence_free(&e);
    return rc;
}
