/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-anchor evidence: the TPM proves the anchor to somebody else. */
#include <idevid/auto.h>
#include <idevid/codec.h>

#include "anchor.h"
#include "evidence.h"
#include "sheet.h"

static const char *nonce, *iak, *certificate, *out_file;

const struct tool_option anchor_evidence_options[] = {
    {"nonce", 0, "HEX", "what the verifier sent, 8 to 32 bytes", &nonce, NULL,
     NULL},
    {"iak", 0, "URI", "the restricted key that signs (default: iak)", &iak,
     NULL, NULL},
    {"iak-certificate", 0, "FILE",
     "its certificates, a file or URI (default: iak-certificate)", &certificate,
     NULL, NULL},
    {"out", 'o', "FILE", "where to (default: standard output)", &out_file, NULL,
     NULL},
    {0}};

static idv_rc as_json(const struct tool *t, const struct idv_evidence *e)
{
    IDV_AUTO(buf) der = {0};
    IDV_TRY(idv_evidence_to_der(e, &der));
    struct sheet o = sheet_begin(t);
    sheet_text(&o, "profile", e->profile);
    sheet_hex(&o, "nonce", idv_view(&e->nonce));
    sheet_json(&o, "evidence", idv_json_new_base64(idv_view(&der)));
    return sheet_end(&o);
}

static idv_rc put_out(const struct tool *t, const struct idv_evidence *e)
{
    IDV_AUTO(buf) pem = {0};
    if (t->json && !out_file)
        return as_json(t, e);
    IDV_TRY(idv_evidence_to_pem(e, &pem));
    IDV_TRY(tool_write(out_file, idv_view(&pem)));
    return t->json ? as_json(t, e) : IDV_OK;
}

idv_rc anchor_evidence(struct tool *t, int argc, char **argv)
{
    AUTO_STATE struct state s = STATE_INIT;
    IDV_AUTO(buf) raw = {.max = IDV_MAX_NONCE};
    struct idv_evidence e = {0};
    (void)argc;
    (void)argv;
    if (!nonce)
        return idv_fail(IDV_E_ARG, "--nonce is missing: a proof without one "
                                   "may be old");
    if (idv_hex_to_bytes(idv_str(nonce), &raw) != IDV_OK) {
        idv_note_clear();
        return idv_fail(IDV_E_ARG, "--nonce: not 8 to 32 bytes in hexadecimal");
    }
    IDV_TRY(state_open(t, &anchor_configuration, STATE_LOOK, &s));
    IDV_TRY(tool_evidence(&s, iak, certificate, idv_view(&raw), &e));
    idv_rc rc = put_out(t, &e);
    idv_evidence_free(&e);
    return rc;
}
