/* SPDX-License-Identifier: Apache-2.0 */
/* A CA that devices enroll with: how it is configured, and opened. */
#ifndef TOOL_REGISTRAR_CA_H
#define TOOL_REGISTRAR_CA_H

#include <idevid/conf.h>

#include "idevid/db/db.h"
#include "registrar_users.h"
#include "tool.h"

struct registrar_ca_conf {
    char *key, *cert, *upstream, *upstream_anchors;
    char *users, *users_subject;
    int64_t users_days;
    char *subject, *approved, *acp_domain, *acp_rsub, *acp_registrar;
    char *crl_url, *aia_url;
    char **names, **purposes, **policies;
    int64_t lifetime_days, crl_days, renew_expired_days;
    int key_type, digest;
    bool servers, challenge, as_template, renew_by_ra, revoke_unused;
    bool server_keys;
};

/* registrar_ca.c */
extern const char *const registrar_key_types[], *const registrar_digests[];
idv_rc registrar_check_upstream(const char *value);
idv_rc registrar_check_url(const char *value);
idv_rc registrar_check_oids(const char *value);

#define REGISTRAR_CA_ENTRY(struct_, member, section_, key_, type_, field,      \
                           help_, ...)                                         \
    {                                                                          \
        .section = section_, .key = key_, .type = IDV_CONF_##type_,            \
        .offset = offsetof(struct_, member.field), .help = help_, __VA_ARGS__  \
    }

/* Of the one file, and of each label's own. */
#define REGISTRAR_CA_ENTRIES(s, m)                                             \
    REGISTRAR_CA_ENTRY(s, m, "ca", "key", URI, key,                            \
                       "private key of the domain CA; not with upstream"),     \
        REGISTRAR_CA_ENTRY(s, m, "ca", "certificate", URI, cert,               \
                           "its certificate and chain, up to the root; "       \
                           "needed, but for a cloud registrar"),               \
        REGISTRAR_CA_ENTRY(s, m, "ca", "upstream", TEXT, upstream,             \
                           "EST server of another CA that issues instead, "    \
                           "https://HOST[:PORT][/PATH]; certificate is that "  \
                           "CA's",                                             \
                           .check = registrar_check_upstream),                 \
        REGISTRAR_CA_ENTRY(s, m, "ca", "upstream-anchors", PATH,               \
                           upstream_anchors,                                   \
                           "trust anchors of its TLS server (PEM; default: "   \
                           "the system's)"),                                   \
        REGISTRAR_CA_ENTRY(s, m, "ca", "subject", TEXT, subject,               \
                           "subject of an LDevID, \"TYPE=value, ...\"; "       \
                           "{serial} is the device's",                         \
                           .fallback = "CN={serial}"),                         \
        REGISTRAR_CA_ENTRY(s, m, "ca", "dns-names", LIST, names,               \
                           "DNS names of an LDevID, as "                       \
                           "{serial}.devices.example"),                        \
        REGISTRAR_CA_ENTRY(s, m, "ca", "approved-names", PATH, approved,       \
                           "a file of further DNS names for single devices, "  \
                           "lines of \"NAME SERIAL\""),                        \
        REGISTRAR_CA_ENTRY(s, m, "ca", "acp-domain", TEXT, acp_domain,         \
                           "domain of an Autonomic Control Plane (RFC 8994) "  \
                           "whose nodes are named in their LDevIDs"),          \
        REGISTRAR_CA_ENTRY(s, m, "ca", "acp-subdomain", TEXT, acp_rsub,        \
                           "its routing subdomain"),                           \
        REGISTRAR_CA_ENTRY(s, m, "ca", "acp-registrar", TEXT, acp_registrar,   \
                           "Registrar-ID in the addresses that this one "      \
                           "gives, 12 hex digits (default: from the CA's "     \
                           "key)"),                                            \
        REGISTRAR_CA_ENTRY(s, m, "ca", "lifetime-days", INT, lifetime_days,    \
                           "life of an LDevID", .fallback = "365", .min = 1,   \
                           .max = 36500),                                      \
        REGISTRAR_CA_ENTRY(s, m, "ca", "servers", BOOL, servers,               \
                           "an LDevID may be a TLS server's certificate, "     \
                           "too, for the name that is the CN of its subject",  \
                           .fallback = "no"),                                  \
        REGISTRAR_CA_ENTRY(s, m, "ca", "purposes", LIST, purposes,             \
                           "OIDs of extended key usages beside clientAuth",    \
                           .check = registrar_check_oids),                     \
        REGISTRAR_CA_ENTRY(s, m, "ca", "policies", LIST, policies,             \
                           "OIDs of certificate policies",                     \
                           .check = registrar_check_oids),                     \
        REGISTRAR_CA_ENTRY(s, m, "ca", "crl-url", TEXT, crl_url,               \
                           "where the CA's CRL is, as certificates say",       \
                           .check = registrar_check_url),                      \
        REGISTRAR_CA_ENTRY(s, m, "ca", "aia-url", TEXT, aia_url,               \
                           "where the CA's certificate is, as certificates "   \
                           "say",                                              \
                           .check = registrar_check_url),                      \
        REGISTRAR_CA_ENTRY(s, m, "ca", "crl-days", INT, crl_days,              \
                           "life of a CRL; a new one is made at half of it, "  \
                           "and when something was revoked",                   \
                           .fallback = "7", .min = 1, .max = 365),             \
        REGISTRAR_CA_ENTRY(s, m, "ca", "revoke-on-bad-status", BOOL,           \
                           revoke_unused,                                      \
                           "revoke a certificate that the device says it "     \
                           "cannot use",                                       \
                           .fallback = "no"),                                  \
        REGISTRAR_CA_ENTRY(s, m, "est", "key-type", ENUM, key_type,            \
                           "the key type that devices are told to use",        \
                           .fallback = "any", .words = registrar_key_types),   \
        REGISTRAR_CA_ENTRY(s, m, "est", "digest", ENUM, digest,                \
                           "the digest that devices are told to sign "         \
                           "requests with",                                    \
                           .fallback = "any", .words = registrar_digests),     \
        REGISTRAR_CA_ENTRY(s, m, "est", "channel-binding", BOOL, challenge,    \
                           "require a request to be bound to its TLS "         \
                           "connection",                                       \
                           .fallback = "no"),                                  \
        REGISTRAR_CA_ENTRY(s, m, "est", "template", BOOL, as_template,         \
                           "say what is asked for in the form of RFC 9908, "   \
                           "too",                                              \
                           .fallback = "no"),                                  \
        REGISTRAR_CA_ENTRY(s, m, "est", "renew-by-ra", BOOL, renew_by_ra,      \
                           "let registration authorities of this domain "      \
                           "renew for devices",                                \
                           .fallback = "no"),                                  \
        REGISTRAR_CA_ENTRY(s, m, "est", "renew-expired-days", INT,             \
                           renew_expired_days,                                 \
                           "how long after its end a device may still renew "  \
                           "an LDevID, by that alone; 0: it enrolls again "    \
                           "by its IDevID",                                    \
                           .fallback = "0", .max = 36500),                     \
        REGISTRAR_CA_ENTRY(s, m, "est", "serverkeygen", BOOL, server_keys,     \
                           "make keys for those who ask for one, too",         \
                           .fallback = "no"),                                  \
        REGISTRAR_CA_ENTRY(s, m, "est", "users", PATH, users,                  \
                           "a file of users who enroll by password and are "   \
                           "no devices, lines of NAME:HASH as crypt(5) has "   \
                           "it"),                                              \
        REGISTRAR_CA_ENTRY(s, m, "est", "users-subject", TEXT, users_subject,  \
                           "subject of a user's certificate; {serial} is the " \
                           "name",                                             \
                           .fallback = "CN={serial}, OU=users"),               \
        REGISTRAR_CA_ENTRY(s, m, "est", "users-lifetime-days", INT,            \
                           users_days, "life of a user's certificate",         \
                           .fallback = "30", .min = 1, .max = 36500),

/* The registrar's own, by which it asks other CAs; borrowed. */
struct registrar_identity {
    EVP_PKEY *key;
    const STACK_OF(X509) * chain;
};

/* A CA as it is open in a worker. */
struct registrar_ca {
    const struct registrar_ca_conf *conf;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
    struct idv_csrattrs attrs;
    struct idv_est_local_ca local;
    struct idv_crl_maker crl;
    STACK_OF(X509) * upstream_anchors;
    struct idv_est_forward forward;
    struct registrar_passwords passwords;
    struct idv_registrar_users users;
    char **approved; /* "NAME SERIAL" each */
};
/* Is it said how it issues? */
idv_rc registrar_ca_check(const struct registrar_ca_conf *conf) IDV_CHECKED;
/* Opens key, certificates and lists; cleared by the caller, also when it
 * fails. env and conf stay. */
idv_rc registrar_ca_open(struct registrar_ca *ca,
                         const struct registrar_ca_conf *conf,
                         const struct idv_env *env) IDV_CHECKED;
/* What the role wants to know of it, but the label; ca must stay where it is.
 */
idv_rc registrar_ca_use(struct registrar_ca *ca, struct idv_db *db,
                        const struct registrar_identity *us,
                        struct idv_registrar_ca *out) IDV_CHECKED;
void registrar_ca_clear(struct registrar_ca *ca);

#endif
