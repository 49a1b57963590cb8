/* SPDX-License-Identifier: Apache-2.0 */
/* The line's words: profiles, reasons and what a technician does about them,
 * the nonce that all is bound to. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/factory.h>

static const char *const profiles[] = {
    [IDV_PROFILE_TCG] = "tcg",       [IDV_PROFILE_LEAN] = "lean",
    [IDV_PROFILE_DIRECT] = "direct", [IDV_PROFILE_TOKEN] = "token",
    [IDV_PROFILE_PLAIN] = "plain",
};
#define PROFILES (sizeof(profiles) / sizeof(*profiles))

idv_rc idv_factory_profile_from_text(const char *text,
                                     enum idv_factory_profile *out)
{
    for (size_t i = 0; text && i < PROFILES; i++) {
        if (strcmp(profiles[i], text) == 0) {
            *out = (enum idv_factory_profile)i;
            return IDV_OK;
        }
    }
    return idv_fail(IDV_E_ARG,
                    "profile: '%.40s' is not tcg, lean, direct, token or plain",
                    text ? text : "");
}

const char *idv_factory_profile_to_text(enum idv_factory_profile p)
{
    return (size_t)p < PROFILES ? profiles[p] : "unknown";
}

static const struct {
    const char *word, *advice;
} reasons[IDV_WHYS] = {
    [IDV_WHY_NONE] = {"none", "Nothing has to be done."},
    [IDV_WHY_REQUEST] =
        {"request",
         "Make the request again; if it is refused again, compare the versions "
         "of the software on station and desk."},
    [IDV_WHY_STATION] =
        {"station",
         "Ask the line's administrator whether this station is enrolled, and "
         "whether its certificate has expired."},
    [IDV_WHY_ORDER] =
        {"order",
         "Check order and serial number on the traveller; ask for the order to "
         "be imported at the desk."},
    [IDV_WHY_CHALLENGE] =
        {"challenge",
         "Fetch a new ticket of this order and put the device into the fixture "
         "again: requests are good for a limited time."},
    [IDV_WHY_NONCE] =
        {"nonce",
         "Put the device into the fixture again; if it is refused again, "
         "somebody sends requests of another device: tell the administrator."},
    [IDV_WHY_SIGNATURE] =
        {"signature",
         "Put the device into the fixture again; if it is refused again, set "
         "it aside: its requests are altered on the way, or its TPM fails."},
    [IDV_WHY_EK_MISSING] =
        {"ek-missing",
         "Fetch the EK certificate with idevid-factory ek-fetch, or have this "
         "EK allowed without one."},
    [IDV_WHY_EK_CHAIN] =
        {"ek-chain",
         "Have the root certificate of this TPM's vendor checked and added to "
         "the bundle of roots; do not go on without it."},
    [IDV_WHY_EK_KEY] =
        {"ek-key",
         "Set the device aside: the EK certificate in it belongs to another "
         "TPM."},
    [IDV_WHY_TEMPLATE] =
        {"template",
         "Wipe the device and provision it again with this software; keys made "
         "by other software in it are not accepted."},
    [IDV_WHY_ATTEST] =
        {"attest",
         "Put the device into the fixture again; if it is refused again, set "
         "it aside: its key is not shown to be in its TPM."},
    [IDV_WHY_DUPLICATE] =
        {"duplicate",
         "Compare the label with the device in the fixture; the note names the "
         "device that has this serial number or key already. If that one had "
         "another's label, retire --release takes it back."},
    [IDV_WHY_RETIRED] =
        {"retired",
         "Set the device aside: it was retired and gets no identity any more."},
    [IDV_WHY_CA] =
        {"ca",
         "Wait: the issuing CA does not answer, and the line goes on when it "
         "does."},
    [IDV_WHY_CERT] =
        {"cert",
         "Stop the line and tell the administrator: the CA's certificates are "
         "not what was asked for."},
    [IDV_WHY_DEVICE] =
        {"device",
         "Check contacts and power of the fixture and try again; set the "
         "device aside if it fails twice."},
    [IDV_WHY_HAS_ONE] =
        {"has-one",
         "Nothing has to be done, unless it came for rework: say --again "
         "then."},
    [IDV_WHY_ACTIVATE] =
        {"activate",
         "Make the request again with the device that is in the fixture now: "
         "the reply is for another one."},
    [IDV_WHY_STORE] =
        {"store",
         "Make room on the disk of the journal, or have it repaired, and try "
         "again: nothing was lost."},
};

const char *idv_factory_why_to_text(enum idv_factory_why w)
{
    return (size_t)w < IDV_WHYS ? reasons[w].word : "unknown";
}

const char *idv_factory_why_advice(enum idv_factory_why w)
{
    return (size_t)w < IDV_WHYS ? reasons[w].advice
                                : "Tell the line's administrator.";
}

/* SHA-256 over texts with their NUL, the last one without */
static void hash_texts(const uint8_t *raw, size_t raw_n,
                       const char *const *texts, size_t n, uint8_t out[32])
{
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; ok && i < n; i++) {
        ok = EVP_DigestUpdate(ctx, texts[i], strlen(texts[i]) + (i + 1 < n));
        if (ok && i == 0)
            ok = EVP_DigestUpdate(ctx, raw, raw_n);
    }
    if (!ok || EVP_DigestFinal_ex(ctx, out, NULL) != 1)
        memset(out, 0, 32);
}

void idv_factory_nonce(const uint8_t challenge[IDV_FACTORY_CHALLENGE],
                       const char *order, const char *serial, uint8_t out[32])
{
    const char *const texts[] = {"idevid-factory-1", order, serial};
    hash_texts(challenge, IDV_FACTORY_CHALLENGE, texts, 3, out);
}

void idv_factory_token_id(const char *maker, const char *model,
                          const char *serial, uint8_t out[32])
{
    const char *const texts[] = {"idevid-token-1", maker, model, serial};
    hash_texts(NULL, 0, texts, 4, out);
}
