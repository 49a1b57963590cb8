/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's configuration table. */
#include <stddef.h>
#include <string.h>

#include <idevid/codec.h>
#include <idevid/discover.h>
#include <idevid/text.h>
#include <idevid/voucher.h>

#include "pledge_conf.h"

static const char *const key_types[] = {"P-256",    "P-384",    "P-521",
                                        "RSA-2048", "RSA-3072", NULL};

static const char *const evidence_when[] = {"asked", "always", "never", NULL};
const char *const anchor_profiles[] = {"auto", "owner", "platform", "token",
                                       NULL};
const char *const voucher_forms[] = {"cms", "jws", NULL};
static const char *const binds[] = {"auto", "no", "yes", NULL};
static const char *const makers[] = {"if-present", "required", NULL};
static const char *const renewed_keys[] = {"auto", "same", "new", NULL};

static const struct {
    const char *name;
    unsigned methods;
} find_words[] = {{"grasp", IDV_DISCOVER_GRASP},
                  {"mdns", IDV_DISCOVER_MDNS},
                  {"dns-sd", IDV_DISCOVER_DNSSD},
                  {"none", 0}};

idv_rc find_method(const char *word, unsigned *methods)
{
    for (size_t i = 0; i < sizeof(find_words) / sizeof(*find_words); i++) {
        if (strcmp(word, find_words[i].name) == 0) {
            *methods |= find_words[i].methods;
            return IDV_OK;
        }
    }
    return idv_fail(IDV_E_ARG, "%s: not grasp, mdns, dns-sd or none", word);
}

/* of a list, each word */
static idv_rc check_words(const char *text, idv_rc (*check)(const char *word))
{
    struct idv_bytes rest = idv_str(text), piece;
    char word[64];
    while (idv_text_next(&rest, ", \t", &piece)) {
        if (piece.n == 0)
            continue;
        if (idv_text_copy(word, sizeof(word), piece, "word") != IDV_OK)
            return IDV_E_ARG;
        IDV_TRY(check(word));
    }
    return IDV_OK;
}

static idv_rc is_assertion(const char *word)
{
    enum idv_assertion a;
    return idv_assertion_from_text(word, &a) == IDV_OK ? IDV_OK : IDV_E_ARG;
}

static idv_rc policy_check_assertions(const char *text)
{
    return check_words(text, is_assertion);
}

unsigned policy_assertions(char *const *words)
{
    unsigned bits = 0;
    enum idv_assertion a;
    for (; words && *words; words++) {
        if (idv_assertion_from_text(*words, &a) == IDV_OK)
            bits |= 1u << a;
    }
    return bits;
}

static idv_rc cloud_check_uri(const char *text)
{
    struct idv_url url;
    return idv_url_from_text(idv_str(text), &url) == IDV_OK ? IDV_OK
                                                            : IDV_E_ARG;
}

static idv_rc is_method(const char *word)
{
    unsigned methods = 0;
    return find_method(word, &methods);
}

static idv_rc find_check_method(const char *text)
{
    return check_words(text, is_method);
}

/* ROW(section, key, type, field, help, what else) */
#define ROW(section_, key_, type_, field_, help_, ...)                         \
    {                                                                          \
        .section = section_, .key = key_, .type = IDV_CONF_##type_,            \
        .offset = offsetof(struct pledge_conf, field_), .help = help_,         \
        __VA_ARGS__                                                            \
    }
#define FALLBACK(text) .fallback = text
#define WORDS(list, text) .words = list, .fallback = text
#define RANGE(from, to, text) .min = from, .max = to, .fallback = text

static const struct idv_conf_entry entries[] = {
    ROW("device", "uri", TEXT, uri, "the device: tpm2: or pkcs11:token=NAME",
        FALLBACK("tpm2:")),
    TOOL_DEVICE_ENTRIES(struct pledge_conf, device)
        TOOL_TPM_ENTRIES(struct pledge_conf, device)

            ROW("idevid", "key", URI, key,
                "the IDevID key (default: by the device, as idevid-factory "
                "leaves it)"),
    ROW("idevid", "certificate", URI, certificate,
        "its certificate (default: likewise)"),
    ROW("idevid", "chain", PATH, chain,
        "intermediate CA certificates to send along (PEM)"),
    ROW("idevid", "anchors", PATH, anchors,
        "the maker's trust anchors for vouchers (PEM)", .required = true),

    ROW("voucher", "form", ENUM, voucher_form,
        "the form to ask in; a voucher may come in any of them",
        WORDS(voucher_forms, "cms")),

    ROW("trust", "directory", PATH, directory,
        "where certificates of the domain are kept",
        FALLBACK("/var/lib/idevid/pledge")),
    ROW("trust", "anchor", URI, anchor_object,
        "where the device keeps the trust anchor record (default: by the "
        "device)"),

    ROW("anchor", "profile", ENUM, anchor.profile,
        "how it is kept; auto: platform where its NV indices are, owner on "
        "other TPMs, token on tokens",
        WORDS(anchor_profiles, "auto")),
    ROW("anchor", "cap", TEXT, anchor.cap,
        "what ends sessions kept from before the imprint: reboot, or pcr:N to "
        "extend that PCR at once",
        FALLBACK("reboot"), .check = anchor_check_cap),
    ROW("anchor", "gate-pcrs", LIST, anchor.gate_pcrs,
        "PCRs that must not change during an imprint (owner)",
        .check = anchor_check_gate),
    ROW("anchor", "bind-ldevid", ENUM, anchor.bind_ldevid,
        "LDevID keys that die with the anchor; auto: on a TPM",
        WORDS(binds, "auto")),
    ROW("anchor", "index", TEXT, anchor.index,
        "the NV index of the record (default: by the profile, 0x01800A01 or "
        "0x01400A01)",
        .check = anchor_check_handle),
    ROW("anchor", "counter", TEXT, anchor.counter,
        "the NV index of the generation (default: 0x01800A00 or 0x01400A00)",
        .check = anchor_check_handle),
    ROW("anchor", "maker-index", TEXT, anchor.maker_index,
        "the NV index of the hash of the maker's trust anchors (default: "
        "0x01800A02 or 0x01400A02)",
        .check = anchor_check_handle),
    ROW("anchor", "maker-anchors", ENUM, anchor.maker_anchors,
        "whether that hash must be in the device", WORDS(makers, "if-present")),
    ROW("anchor", "approval-key", PATH, anchor.approval_key,
        "the maker's public key for approvals, as the factory had it (PEM; "
        "platform)"),
    ROW("anchor", "iak", URI, anchor.iak,
        "the restricted key that signs evidence (default: tpm2:iak)"),
    ROW("anchor", "iak-certificate", URI, anchor.iak_certificate,
        "its certificates (default: in the TPM, if they are there)"),

    ROW("ldevid", "key", URI, ldevid_key,
        "where the LDevID key is made (default: by the device)"),
    ROW("ldevid", "type", ENUM, key_type,
        "its type, unless the registrar asks for another",
        WORDS(key_types, "P-256")),

    ROW("enroll", "key", ENUM, renewed_key,
        "renewals ask for a certificate of the same key or of a new one; auto: "
        "a new one where it is bound to the anchor",
        WORDS(renewed_keys, "auto")),
    ROW("enroll", "output", PATH, output,
        "a directory for files that other programs use (default: none)"),
    ROW("enroll", "group", TEXT, group,
        "the group that may read its key file, and so use the key (default: "
        "root alone)"),
    ROW("enroll", "crl-seconds", INT, crl_seconds,
        "how long each place that has a CRL for these files may take to send "
        "it, no more than 4 MiB",
        RANGE(1, 300, "10")),

    ROW("renew", "share", INT, renew_share,
        "renewal begins when this share of the LDevID's life is over, in "
        "percent, or up to a tenth of that earlier",
        RANGE(1, 95, "50")),

    ROW("hooks", "directory", PATH, hooks,
        "programs to run after each change of what the device belongs to",
        FALLBACK("/etc/idevid/hooks.d")),
    ROW("hooks", "seconds", INT, hook_seconds, "how long each of them may take",
        RANGE(1, 3600, "60")),

    ROW("agent", "state-file", PATH, agent_state,
        "where the agent says how far it is",
        FALLBACK("/run/idevid/pledge.json")),

    ROW("network", "registrar", LIST, registrars,
        "registrars to try, HOST:PORT"),

    ROW("cloud", "uri", TEXT, cloud,
        "the maker's cloud registrar, https://HOST[:PORT][/PATH], tried after "
        "all others (default: none)",
        .check = cloud_check_uri),
    ROW("cloud", "anchors", TEXT, cloud_anchors,
        "whose certificates it may have, and whom it sends to (PEM); system: "
        "whom this system trusts"),

    ROW("discovery", "method", LIST, find.methods,
        "how to look for others: grasp, mdns, dns-sd, none (default: all, or "
        "none if registrars are named)",
        .check = find_check_method),
    ROW("discovery", "interface", LIST, find.interfaces,
        "where to listen (default: all)"),
    ROW("discovery", "domain", LIST, find.domains,
        "domains to ask the name server about (default: those of "
        "resolv.conf)"),
    ROW("discovery", "link-registrars", BOOL, find.registrars,
        "registrars that announce themselves on the link by mDNS too, not "
        "join proxies only",
        FALLBACK("no")),
    ROW("discovery", "patience", INT, find.patience,
        "seconds that join waits for somebody to be found",
        RANGE(1, 1000000, "60")),

    ROW("pledge", "evidence", ENUM, evidence,
        "when the report of a join carries the TPM's proof of the imprint: if "
        "the registrar asks for it, or anyway",
        WORDS(evidence_when, "asked")),

    TOOL_CLOCK_ENTRY(struct pledge_conf, device, "auto")
        ROW("policy", "refuse-nonceless", BOOL, refuse_nonceless,
            "refuse vouchers without a nonce", FALLBACK("no")),
    ROW("policy", "presence", BOOL, presence,
        "whether who stands at the device may imprint it without a voucher",
        FALLBACK("no")),
    ROW("policy", "refuse-assertions", LIST, refuse_assertions,
        "assertions whose vouchers are refused: verified, logged, proximity, "
        "agent-proximity; one without any counts as logged",
        .check = policy_check_assertions),
    ROW("policy", "attempts", INT, attempts,
        "rounds over the registrars before join gives up; 0: for ever",
        RANGE(0, 1000000, "3")),
};
const struct idv_conf_table pledge_table = {
    "idevid-pledge", "The pledge: a device that joins its owner's domain.",
    entries, sizeof(entries) / sizeof(*entries)};
