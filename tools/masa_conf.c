/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration table of the MASA. */
#include <stddef.h>
#include <string.h>

#include <idevid/codec.h>

#include "idevid/masa/policy.h"
#include "masa_tenant.h"

struct masa_conf masa_conf;

static idv_rc check_location(const char *value)
{
    static const char scheme[] = "https://";
    struct idv_url url;
    IDV_TRY(idv_url_from_text(idv_str(value), &url));
    if (strncmp(value, scheme, sizeof(scheme) - 1) != 0 || url.path[0] ||
        value[strlen(value) - 1] == '/')
        return idv_fail(IDV_E_ARG, "not https://HOST[:PORT]: '%.80s'", value);
    return IDV_OK;
}

static const char *const unknown[] = {"first", "refuse", NULL};

#define AT(field) .offset = offsetof(struct masa_conf, field)
static const struct idv_conf_entry entries[] = {
    SERVICE_ENTRIES(struct masa_conf, service, "127.0.0.1:9443")
        SERVICE_RATE_ENTRY(struct masa_conf, service, "0")
            SERVICE_ADMIN_ENTRIES(struct masa_conf, service,
                                  "/run/idevid/masa.sock"){
                .section = "server",
                .key = "key",
                .type = IDV_CONF_URI,
                AT(tls_key),
                .required = true,
                .help = "private key of the TLS server (URI or file)"},
    {.section = "server",
     .key = "certificate",
     .type = IDV_CONF_URI,
     AT(tls_cert),
     .required = true,
     .help = "its certificate and chain (PEM, leaf first)"},
    {.section = "server",
     .key = "names",
     .type = IDV_CONF_LIST,
     AT(names),
     .help = "the names by which registrars ask for this maker; those of its "
             "certificate if not given"},
    {.section = "server",
     .key = "tenants",
     .type = IDV_CONF_PATHS,
     AT(tenants),
     .help = "files NAME.ini of further makers in the same process, each with "
             "its own names, keys, policy, log and database"},
    {.section = "server",
     .key = "unknown-name",
     .type = IDV_CONF_ENUM,
     AT(unknown_name),
     .fallback = "first",
     .words = unknown,
     .help = "who asks by a name that no maker has, or by none, is answered by "
             "the first, which this file describes, or refused"},
    SERVICE_FRONT_ENTRIES(struct masa_conf, service)
        MASA_SIGNER_ENTRIES(struct masa_conf, signer){
            .section = "signer",
            .key = "also",
            .type = IDV_CONF_PATHS,
            AT(signers),
            .help = "files of further keys, each with its own [signer]: key, "
                    "certificate, use, devices, from, until"},
    {.section = "signer",
     .key = "approval-key",
     .type = IDV_CONF_URI,
     AT(approval_key),
     .help = "private key, of its own, that approves what devices of profile "
             "platform keep in their TPM (URI)"},
    {.section = "maker",
     .key = "name",
     .type = IDV_CONF_TEXT,
     AT(name),
     .fallback = "default",
     .help = "the brand, as devices name it"},
    {.section = "maker",
     .key = "idevid-anchors",
     .type = IDV_CONF_PATH,
     AT(anchors),
     .help = "issuers of IDevIDs that are not registered one by one (PEM)"},
    {.section = "maker",
     .key = "id-data",
     .type = IDV_CONF_BOOL,
     AT(id_data),
     .fallback = "no",
     .help = "vouchers with content type id-data, for older pledges"},
    {.section = "maker",
     .key = "issuer-sequence",
     .type = IDV_CONF_BOOL,
     AT(issuer_sequence),
     .fallback = "no",
     .help = "idevid-issuer without the outer OCTET STRING"},
    {.section = "log",
     .key = "key",
     .type = IDV_CONF_URI,
     AT(log_key),
     .help = "private key, of its own, that signs heads of the tree over the "
             "audit log (URI; P-256 or Ed25519); without it nobody is shown "
             "the tree"},
    {.section = "log",
     .key = "head-seconds",
     .type = IDV_CONF_INT,
     AT(head_seconds),
     .fallback = "10",
     .min = 1,
     .max = 86400,
     .help = "a tree head is not signed anew before the last one is so old, "
             "except for who waits for an entry of its own"},
    {.section = "log",
     .key = "clock-back-seconds",
     .type = IDV_CONF_INT,
     AT(back_seconds),
     .fallback = "300",
     .min = 1,
     .max = 2147483647,
     .help = "no entry is dated so much before the last one: when the clock "
             "went back further vouchers wait until it is right"},
    {.section = "log",
     .key = "location",
     .type = IDV_CONF_TEXT,
     AT(location),
     .check = check_location,
     .help = "https://HOST[:PORT] of this service: audit logs are not answered "
             "at once but told where they are there (201), at a path that "
             "nobody can guess"},
    {.section = "log",
     .key = "location-minutes",
     .type = IDV_CONF_INT,
     AT(location_minutes),
     .fallback = "60",
     .min = 1,
     .max = 525600,
     .help = "they are there so long"},
    {.section = "log",
     .key = "location-secret",
     .type = IDV_CONF_PATH,
     AT(location_secret),
     .help = "a private file of 32 bytes at least, the same on all machines of "
             "one service; without it paths end with the process"},
    IDV_MASA_POLICY_ENTRIES(struct masa_conf, policy){
        .section = "policy",
        .key = "revocation-seconds",
        .type = IDV_CONF_INT,
        AT(revocation_seconds),
        .fallback = "10",
        .min = 1,
        .max = 60,
        .help = "a place that has a CRL or OCSP may take so long"},
    {.section = "policy",
     .key = "revocation-private",
     .type = IDV_CONF_BOOL,
     AT(revocation_private),
     .fallback = "no",
     .help = "such places may be at addresses that are not public: they are "
             "named by whoever asks for vouchers"},
    {.section = "policy",
     .key = "registrar-minute",
     .type = IDV_CONF_INT,
     AT(registrar_minute),
     .fallback = "0",
     .min = 0,
     .max = 100000000,
     .help = "requests to this maker that one registrar signs in a minute, at "
             "this machine; more get 429; 0: any number"},
    {.section = "policy",
     .key = "domain-hourly",
     .type = IDV_CONF_INT,
     AT(domain_hourly),
     .fallback = "0",
     .min = 0,
     .max = 100000000,
     .help = "vouchers that one domain, by the key that is pinned, has in an "
             "hour, at all machines; more get 429; 0: any number"},
    {.section = "policy",
     .key = "tell-reason",
     .type = IDV_CONF_BOOL,
     AT(tell_reason),
     .fallback = "no",
     .help = "a registrar that is refused reads the reason that people gave, "
             "too"},
    {.section = "policy",
     .key = "draft-era",
     .type = IDV_CONF_BOOL,
     AT(draft_era),
     .fallback = "no",
     .help = "audit tokens and logs also as the draft of 2016 has them, for "
             "devices and registrars from before there were vouchers"},
    TOOL_CLOCK_ENTRY(struct masa_conf, device,
                     "trusted"){.section = "policy",
                                .key = "request-hours",
                                .type = IDV_CONF_INT,
                                AT(max_age_hours),
                                .fallback = "96",
                                .min = 1,
                                .max = 8760,
                                .help = "requests older than this are stale"},
    SERVICE_STORE_ENTRY(struct masa_conf, service,
                        "/var/lib/idevid/masa/masa.db")
        TOOL_DEVICE_ENTRIES(struct masa_conf, device)};
const struct idv_conf_table masa_table = {
    "idevid-masa", "The manufacturer's authority: signs vouchers.", entries,
    sizeof(entries) / sizeof(*entries)};

/* --- of a further maker --------------------------------------------------- */

static bool is_database(const struct idv_conf_entry *e)
{
    return e->offset == offsetof(struct masa_conf, service.database);
}

static bool is_makers(const struct idv_conf_entry *e)
{
    return e->offset >= offsetof(struct masa_conf, names) || is_database(e);
}

static struct idv_conf_entry its[sizeof(entries) / sizeof(*entries)];
static struct idv_conf_table tenant_table = {
    "idevid-masa tenant", "A further maker in one process.", its, 0};

static void make_tenant_table(void)
{
    for (size_t i = 0; i < masa_table.n; i++) {
        if (!is_makers(&entries[i]))
            continue;
        struct idv_conf_entry *e = &its[tenant_table.n++];
        *e = entries[i];
        if (is_database(e)) {
            e->required = true;
            e->fallback = NULL;
        }
    }
}

const struct idv_conf_table *masa_tenant_table(void)
{
    if (!tenant_table.n)
        make_tenant_table();
    return &tenant_table;
}

idv_rc masa_check_conf(const void *c)
{
    const struct masa_conf *conf = c;
    struct masa_tenants tenants;
    IDV_TRY(service_check_front(&conf->service));
    idv_rc rc = masa_tenants_load(conf, &tenants);
    masa_tenants_clear(&tenants);
    return rc;
}
