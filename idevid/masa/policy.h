/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of a policy: one table for what a configuration says, and for
 * what people say of models, customers and devices. */
#ifndef IDEVID_MASA_POLICY_H
#define IDEVID_MASA_POLICY_H

#include <stddef.h>

#include <idevid/conf.h>

#include "idevid/masa/masa.h"

extern const char *const idv_masa_pins[], *const idv_masa_forms[],
                                              *const idv_masa_nonceless_words[],
                                                  *const idv_masa_revocations[],
                                                      *const idv_masa_origins[];

/* Section [policy] of a configuration whose struct_ has a policy as member. */
#define IDV_MASA_POLICY_ENTRIES(struct_, member)                               \
    {.section = "policy",                                                      \
     .key = "proximity",                                                       \
     .type = IDV_CONF_BOOL,                                                    \
     .offset = offsetof(struct_, member.proximity),                            \
     .fallback = "no",                                                         \
     .help = "vouchers only where the pledge's own request proves that it "    \
             "sees this registrar"},                                           \
        {.section = "policy",                                                  \
         .key = "claim",                                                       \
         .type = IDV_CONF_BOOL,                                                \
         .offset = offsetof(struct_, member.claim),                            \
         .fallback = "no",                                                     \
         .help = "vouchers only for the domain that has claimed the device"},  \
        {.section = "policy",                                                  \
         .key = "device-hourly",                                               \
         .type = IDV_CONF_INT,                                                 \
         .offset = offsetof(struct_, member.device_hourly),                    \
         .fallback = "60",                                                     \
         .min = 1,                                                             \
         .max = 1000000,                                                       \
         .help = "vouchers of one device in an hour without evidence of "      \
                 "proximity or ownership; more must wait"},                    \
        {.section = "policy",                                                  \
         .key = "pin",                                                         \
         .type = IDV_CONF_ENUM,                                                \
         .offset = offsetof(struct_, member.pin),                              \
         .fallback = "farthest",                                               \
         .words = idv_masa_pins,                                               \
         .help = "what a voucher pins: the farthest certificate of the "       \
                 "request, the registrar's own, that of its issuer, or the "   \
                 "public key of the registrar"},                               \
        {.section = "policy",                                                  \
         .key = "form",                                                        \
         .type = IDV_CONF_ENUM,                                                \
         .offset = offsetof(struct_, member.form),                             \
         .fallback = "device",                                                 \
         .words = idv_masa_forms,                                              \
         .help = "the form of vouchers: as the device's own request, or else " \
                 "the registrar's; or always this one"},                       \
        {.section = "policy",                                                  \
         .key = "nonceless",                                                   \
         .type = IDV_CONF_ENUM,                                                \
         .offset = offsetof(struct_, member.nonceless),                        \
         .fallback = "named",                                                  \
         .words = idv_masa_nonceless_words,                                    \
         .help = "who gets vouchers without nonce: registrars that are named " \
                 "for it; nobody; or these and the domain that owns the "      \
                 "device"},                                                    \
        {.section = "policy",                                                  \
         .key = "nonceless-minutes",                                           \
         .type = IDV_CONF_INT,                                                 \
         .offset = offsetof(struct_, member.nonceless_minutes),                \
         .fallback = "20",                                                     \
         .min = 1,                                                             \
         .max = 525600,                                                        \
         .help = "life of a voucher without nonce"},                           \
        {.section = "policy",                                                  \
         .key = "renewal-days",                                                \
         .type = IDV_CONF_INT,                                                 \
         .offset = offsetof(struct_, member.renewal_days),                     \
         .fallback = "0",                                                      \
         .min = 0,                                                             \
         .max = 36500,                                                         \
         .help = "a domain that had a voucher without nonce gets it renewed "  \
                 "so long, also when it is not named for it, unless another "  \
                 "had the device since; 0: never"},                            \
        {.section = "policy",                                                  \
         .key = "revocation",                                                  \
         .type = IDV_CONF_ENUM,                                                \
         .offset = offsetof(struct_, member.revocation),                       \
         .fallback = "if-named",                                               \
         .words = idv_masa_revocations,                                        \
         .help =                                                               \
             "is a registrar's certificate revoked: asked where it names "     \
             "a CRL or OCSP, and without an answer it counts as good; the "    \
             "same, and without an answer it gets no voucher; or not "         \
             "asked"},                                                         \
        {.section = "policy",                                                  \
         .key = "origin",                                                      \
         .type = IDV_CONF_ENUM,                                                \
         .offset = offsetof(struct_, member.origin),                           \
         .fallback = "any",                                                    \
         .words = idv_masa_origins,                                            \
         .help = "where domains that nobody knows may come from: anywhere; "   \
                 "the same, and a new network is logged; or the networks of "  \
                 "their first day alone"},

/* The same table for a policy alone. */
extern const struct idv_conf_entry idv_masa_settings[];
#define IDV_MASA_SETTINGS 10

/* IDV_E_ARG: no such setting, or not a value of it; *p is as it was. */
idv_rc idv_masa_policy_set(struct idv_masa_policy *p, const char *setting,
                           const char *value) IDV_CHECKED;
/* The value of one of idv_masa_settings. */
void idv_masa_policy_get(const struct idv_masa_policy *p, size_t setting,
                         char out[static 24]);

/* "model", "customer", "device" */
const char *idv_policy_of_to_text(enum idv_policy_of of);
idv_rc idv_policy_of_from_text(const char *text,
                               enum idv_policy_of *out) IDV_CHECKED;

#endif
