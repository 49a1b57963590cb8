/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's configuration table. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/text.h>

#include "pledge_conf.h"

static const char *const key_types[] = {"P-256",    "P-384",    "P-521",
                                        "RSA-2048", "RSA-3072", NULL};

const char *const anchor_profiles[] = {"auto", "owner", "platform", "token",
                                       NULL};
static const char *const binds[] = {"auto", "no", "yes", NULL};
static const char *const makers[] = {"if-present", "required", NULL};

/* --- [anchor]: values that are more than words -------------------------- */

static bool number(const char *text, int base, unsigned long max,
                   unsigned long *out)
{
    char *end;
    if (*text < '0' || *text > '9') /* no blank, no sign */
        return false;
    *out = strtoul(text, &end, base);
    return *end == 0 && *out <= max;
}

int anchor_cap_pcr(const char *cap)
{
    unsigned long n;
    return cap && strncmp(cap, "pcr:", 4) == 0 && number(cap + 4, 10, 23, &n)
               ? (int)n
               : -1;
}

uint32_t anchor_gate(char *const *pcrs)
{
    uint32_t bits = 0;
    unsigned long n;
    for (; pcrs && *pcrs; pcrs++) {
        if (number(*pcrs, 10, 23, &n))
            bits |= UINT32_C(1) << n;
    }
    return bits;
}

uint32_t anchor_handle(const char *text)
{
    unsigned long n;
    return text && number(text, 16, UINT32_MAX, &n) ? (uint32_t)n : 0;
}

/* PCRs 16 and 21 to 23 change without ending a policy that names them, so
 * that a session kept from before would stay good. */
static idv_rc check_pcr(const char *text)
{
    unsigned long n;
    if (!number(text, 10, 23, &n))
        return idv_fail(IDV_E_ARG, "'%.20s' is no PCR (0 to 23)", text);
    if (n == 16 || n > 20)
        return idv_fail(IDV_E_ARG,
                        "PCR %lu can be reset by anybody and ends no policy "
                        "when it changes",
                        n);
    return IDV_OK;
}

static idv_rc check_gate(const char *text)
{
    struct idv_bytes rest = idv_str(text), piece;
    char one[24];
    while (idv_text_next(&rest, ", \t", &piece)) {
        if (piece.n == 0)
            continue;
        IDV_TRY(idv_text_copy(one, sizeof(one), piece, "gate-pcrs"));
        IDV_TRY(check_pcr(one));
    }
    return IDV_OK;
}

static idv_rc check_cap(const char *text)
{
    if (strcmp(text, "reboot") == 0)
        return IDV_OK;
    if (strncmp(text, "pcr:", 4) == 0)
        return check_pcr(text + 4);
    return idv_fail(IDV_E_ARG, "'%.20s': reboot or pcr:N", text);
}

static idv_rc check_handle(const char *text)
{
    uint32_t h = anchor_handle(text);
    if (h >> 24 == 0x01)
        return IDV_OK;
    return idv_fail(IDV_E_ARG,
                    "'%.20s' is no NV index (0x01000000 to 0x01FFFFFF)", text);
}

#define AT(field) .offset = offsetof(struct pledge_conf, field)
static const struct idv_conf_entry entries[] = {
    {.section = "device",
     .key = "uri",
     .type = IDV_CONF_TEXT,
     AT(uri),
     .fallback = "tpm2:",
     .help = "the device: tpm2: or pkcs11:token=NAME"},
    TOOL_DEVICE_ENTRIES(struct pledge_conf, device)
        TOOL_TPM_ENTRIES(struct pledge_conf, device){
            .section = "idevid",
            .key = "key",
            .type = IDV_CONF_URI,
            AT(key),
            .help = "the IDevID key (default: by the device, as idevid-factory "
                    "leaves it)"},
    {.section = "idevid",
     .key = "certificate",
     .type = IDV_CONF_URI,
     AT(certificate),
     .help = "its certificate (default: likewise)"},
    {.section = "idevid",
     .key = "chain",
     .type = IDV_CONF_PATH,
     AT(chain),
     .help = "intermediate CA certificates to send along (PEM)"},
    {.section = "idevid",
     .key = "anchors",
     .type = IDV_CONF_PATH,
     AT(anchors),
     .required = true,
     .help = "the maker's trust anchors for vouchers (PEM)"},
    {.section = "trust",
     .key = "directory",
     .type = IDV_CONF_PATH,
     AT(directory),
     .fallback = "/var/lib/idevid/pledge",
     .help = "where certificates of the domain are kept"},
    {.section = "trust",
     .key = "anchor",
     .type = IDV_CONF_URI,
     AT(anchor_object),
     .help = "where the device keeps the trust anchor record (default: by the "
             "device)"},
    {.section = "anchor",
     .key = "profile",
     .type = IDV_CONF_ENUM,
     AT(anchor.profile),
     .fallback = "auto",
     .words = anchor_profiles,
     .help = "how it is kept; auto: platform where its NV indices are, owner "
             "on other TPMs, token on tokens"},
    {.section = "anchor",
     .key = "cap",
     .type = IDV_CONF_TEXT,
     AT(anchor.cap),
     .fallback = "reboot",
     .check = check_cap,
     .help = "what ends sessions kept from before the imprint: reboot, or "
             "pcr:N to extend that PCR at once"},
    {.section = "anchor",
     .key = "gate-pcrs",
     .type = IDV_CONF_LIST,
     AT(anchor.gate_pcrs),
     .check = check_gate,
     .help = "PCRs that must not change during an imprint (owner)"},
    {.section = "anchor",
     .key = "bind-ldevid",
     .type = IDV_CONF_ENUM,
     AT(anchor.bind_ldevid),
     .fallback = "auto",
     .words = binds,
     .help = "LDevID keys that die with the anchor; auto: on a TPM"},
    {.section = "anchor",
     .key = "index",
     .type = IDV_CONF_TEXT,
     AT(anchor.index),
     .check = check_handle,
     .help = "the NV index of the record (default: by the profile, 0x01800A01 "
             "or 0x01400A01)"},
    {.section = "anchor",
     .key = "counter",
     .type = IDV_CONF_TEXT,
     AT(anchor.counter),
     .check = check_handle,
     .help = "the NV index of the generation (default: 0x01800A00 or "
             "0x01400A00)"},
    {.section = "anchor",
     .key = "maker-index",
     .type = IDV_CONF_TEXT,
     AT(anchor.maker_index),
     .check = check_handle,
     .help = "the NV index of the hash of the maker's trust anchors (default: "
             "0x01800A02 or 0x01400A02)"},
    {.section = "anchor",
     .key = "maker-anchors",
     .type = IDV_CONF_ENUM,
     AT(anchor.maker_anchors),
     .fallback = "if-present",
     .words = makers,
     .help = "whether that hash must be in the device"},
    {.section = "anchor",
     .key = "approval-key",
     .type = IDV_CONF_PATH,
     AT(anchor.approval_key),
     .help = "the maker's public key for approvals, as the factory had it "
             "(PEM; platform)"},
    {.section = "anchor",
     .key = "iak",
     .type = IDV_CONF_URI,
     AT(anchor.iak),
     .help = "the restricted key that signs evidence (default: tpm2:iak)"},
    {.section = "anchor",
     .key = "iak-certificate",
     .type = IDV_CONF_URI,
     AT(anchor.iak_certificate),
     .help = "its certificates (default: in the TPM, if they are there)"},
    {.section = "ldevid",
     .key = "key",
     .type = IDV_CONF_URI,
     AT(ldevid_key),
     .help = "where the LDevID key is made (default: by the device)"},
    {.section = "ldevid",
     .key = "type",
     .type = IDV_CONF_ENUM,
     AT(key_type),
     .fallback = "P-256",
     .words = key_types,
     .help = "its type, unless the registrar asks for another"},
    {.section = "network",
     .key = "registrar",
     .type = IDV_CONF_LIST,
     AT(registrars),
     .help = "registrars to try, HOST:PORT"},
    TOOL_CLOCK_ENTRY(struct pledge_conf, device,
                     "auto"){.section = "policy",
                             .key = "refuse-nonceless",
                             .type = IDV_CONF_BOOL,
                             AT(refuse_nonceless),
                             .fallback = "no",
                             .help = "refuse vouchers without a nonce"},
    {.section = "policy",
     .key = "attempts",
     .type = IDV_CONF_INT,
     AT(attempts),
     .fallback = "3",
     .min = 0,
     .max = 1000000,
     .help = "rounds over the registrars before join gives up; 0: for ever"},
};
const struct idv_conf_table pledge_table = {
    "idevid-pledge", "The pledge: a device that joins its owner's domain.",
    entries, sizeof(entries) / sizeof(*entries)};
