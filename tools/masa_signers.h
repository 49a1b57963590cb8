/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that sign vouchers: that of the configuration, and further files. */
#ifndef TOOL_MASA_SIGNERS_H
#define TOOL_MASA_SIGNERS_H

#include <stddef.h>

#include "idevid/masa/masa.h"
#include "tool.h"

/* [signer], of either. */
struct masa_signer_conf {
    char *key, *cert, *devices, *from, *until;
    int use; /* enum idv_masa_use */
};
extern const char *const masa_signer_uses[];
idv_rc masa_check_time(const char *value) IDV_CHECKED;
#define MASA_SIGNER_ENTRIES(struct_, member)                                   \
    {.section = "signer",                                                      \
     .key = "key",                                                             \
     .type = IDV_CONF_URI,                                                     \
     .offset = offsetof(struct_, member.key),                                  \
     .required = true,                                                         \
     .help = "private key that signs vouchers (URI)"},                         \
        {.section = "signer",                                                  \
         .key = "certificate",                                                 \
         .type = IDV_CONF_URI,                                                 \
         .offset = offsetof(struct_, member.cert),                             \
         .required = true,                                                     \
         .help = "its certificate and chain; devices must trust its root"},    \
        {.section = "signer",                                                  \
         .key = "use",                                                         \
         .type = IDV_CONF_ENUM,                                                \
         .offset = offsetof(struct_, member.use),                              \
         .fallback = "any",                                                    \
         .words = masa_signer_uses,                                            \
         .help = "which vouchers it signs; where a key is only for those "     \
                 "without a nonce, no other signs these"},                     \
        {.section = "signer",                                                  \
         .key = "devices",                                                     \
         .type = IDV_CONF_PATH,                                                \
         .offset = offsetof(struct_, member.devices),                          \
         .help = "issuers of the IDevIDs (PEM) of those devices that trust "   \
                 "its root; all devices if not given"},                        \
        {.section = "signer",                                                  \
         .key = "from",                                                        \
         .type = IDV_CONF_TEXT,                                                \
         .offset = offsetof(struct_, member.from),                             \
         .check = masa_check_time,                                             \
         .help = "it signs from this time on, as 2026-11-22T10:00:00Z; of "    \
                 "several keys the latest signs"},                             \
        {.section = "signer",                                                  \
         .key = "until",                                                       \
         .type = IDV_CONF_TEXT,                                                \
         .offset = offsetof(struct_, member.until),                            \
         .check = masa_check_time,                                             \
         .help = "it does not sign any more from this time on"},

/* All of them, opened. */
struct masa_signers {
    struct masa_signer *all;
    struct idv_masa_signer *table; /* of all, for the role */
    size_t n;
};
/* Cleared by the caller, also when it fails. A file that cannot be used is
 * named. */
idv_rc masa_signers_open(struct masa_signers *s,
                         const struct masa_signer_conf *first,
                         char **files) IDV_CHECKED;
/* What a running service may have, but no new configuration: certificates that
 * are over, chains that do not belong together. */
idv_rc masa_signers_check(const struct masa_signers *s,
                          int64_t now) IDV_CHECKED;
void masa_signers_clear(struct masa_signers *s);

#endif
